# SPDX-License-Identifier: ISC
"""Reading lists, whole ones alone, and finding those of an authority."""

import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import chain_certificates, revocation_lists
from pki.errors import RevocationListInvalid
from pki.revocation_lists import RevocationLists, Revoked
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.revocations import KEY_COMPROMISE, YESTERDAY, entry, resigned_list, revocation_list
from tests.pki.zoo.revoked import ONLY_KEY_COMPROMISE, SHARD, point

CA = factory.authority()
GATEWAY = factory.leaf(CA, "gw.example.org")
CRL = revocation_list(CA, GATEWAY, entry(7, ()))
UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def pem(der: bytes) -> bytes:
    return x509.load_der_x509_crl(der).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    "data", [CRL, pem(CRL), b"comment\n" + pem(CRL)], ids=["DER", "PEM", "PEM with more around it"]
)
def test_a_list(data: bytes) -> None:
    found = revocation_lists.read(data)
    assert (found.issuer, found.number) == ("/C=XX/O=Test/CN=Test CA", 5)
    assert (found.this_update, found.next_update) == (YESTERDAY, NOW + DAY)
    assert found.revoked == {
        GATEWAY.certificate.serial_number: Revoked(YESTERDAY, "keyCompromise"),
        7: Revoked(YESTERDAY, ""),
    }
    assert found.signed_with(CA.key.public_key())
    assert not found.signed_with(GATEWAY.key.public_key())
    assert not found.signed_with(factory.ec_key().public_key())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "cannot be read"),
        (CRL[:-1], "cannot be read"),
        (CRL + b"\0", "cannot be read"),
        (pem(CRL) * 2, "2 revocation lists in one file"),
        (bytes((16 << 20) + 1), "more than"),
        (revocation_list(CA, extensions=[(x509.DeltaCRLIndicator(4), True)]), "delta"),
        (revocation_list(CA, extensions=[(UNKNOWN, True)]), "1.2.3.4"),
        (revocation_list(CA, entry(7, [(UNKNOWN, True)])), "1.2.3.4"),
        (revocation_list(CA, entry(7, [(x509.CertificateIssuer([x509.DNSName("x")]), True)])), "indirect"),
        (revocation_list(CA, extensions=[point(indirect_crl=True)]), "indirect"),
        (revocation_list(CA, extensions=[point(only_contains_user_certs=True)]), "one sort"),
        (revocation_list(CA, extensions=[point(only_contains_ca_certs=True)]), "one sort"),
        (revocation_list(CA, extensions=[point(only_contains_attribute_certs=True)]), "one sort"),
        (revocation_list(CA, extensions=[point(only_some_reasons=ONLY_KEY_COMPROMISE)]), "some reasons"),
        (revocation_list(CA, extensions=[point(full_name=SHARD)]), "one distribution point"),
    ],
)
def test_what_is_no_whole_list(data: bytes, word: str) -> None:
    with pytest.raises(RevocationListInvalid, match=word):
        revocation_lists.read(data)


def test_extensions_that_do_not_matter() -> None:
    entries = [entry(7, [(KEY_COMPROMISE, True), (x509.InvalidityDate(YESTERDAY), True), (UNKNOWN, False)])]
    crl = revocation_list(CA, *entries, extensions=[(UNKNOWN, False)])
    assert revocation_lists.read(crl).revoked == {7: Revoked(YESTERDAY, "keyCompromise")}


def test_sha1_is_a_signature_and_md5_is_none() -> None:
    weak = revocation_lists.read(resigned_list(CRL, CA, factory.SHA1_WITH_RSA))
    assert weak.is_sha1
    assert weak.signed_with(CA.key.public_key())
    assert not weak.signed_with(factory.ec_key().public_key())
    assert not revocation_lists.read(resigned_list(CRL, CA, factory.MD5_WITH_RSA)).signed_with(CA.key.public_key())


def test_lists_of_an_authority_are_its_own_and_the_newest_first() -> None:
    older, newer = revocation_list(CA, number=4, this_update=NOW - 2 * DAY), revocation_list(CA, number=6)
    false = revocation_list(CA, number=9, key=factory.rsa_key("other-ca"))
    other = revocation_list(factory.authority("Other CA", key="other-ca"))
    lists = RevocationLists(revocation_lists.read(data) for data in (older, false, CRL, newer, other, older))
    found = lists.of(chain_certificates.load(CA.der).kept())
    assert [one.number for one in found.signed] == [6, 5, 4]
    assert (found.may_sign, found.others) == (True, 1)
    assert lists.of(chain_certificates.load(CA.der).kept()) is found


def test_the_name_of_an_issuer_may_be_written_otherwise() -> None:
    """RFC 5280 7.1: a list's issuer in other string types or case is the same name."""
    written = factory.authority("test  ca")
    lists = RevocationLists([revocation_lists.read(revocation_list(written))])
    assert len(lists.of(chain_certificates.load(CA.der).kept()).signed) == 1


def test_what_is_remembered_of_issuers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_lists, "_MAX_ISSUERS", 1)
    lists = RevocationLists([revocation_lists.read(CRL)])
    for number in range(3):
        assert lists.of(chain_certificates.load(factory.authority(f"CA {number}").der).kept()).signed == ()
    assert lists.of(chain_certificates.load(CA.der).kept()).signed[0].number == 5


# Invariant: any bytes are a list or RevocationListInvalid, whose message is one printable line.
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.builds(lambda tail: b"-----BEGIN X509 CRL-----\n" + tail, st.binary(max_size=60)))
def test_any_bytes(data: bytes) -> None:
    read_or_refused(data)


changes = st.lists(st.tuples(st.integers(0, len(CRL) - 1), st.binary(max_size=3)), min_size=1, max_size=4)


# Invariant: the same of a list that was changed, and what can be read of it is signed by nobody any more.
@settings(max_examples=500, deadline=None)
@given(changes)
def test_changed_bytes(changes: list[tuple[int, bytes]]) -> None:
    data = CRL
    for at, by in changes:
        data = data[:at] + by + data[at + 1 :]
    found = read_or_refused(data)
    if found is not None and data != CRL:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert not found.signed_with(CA.key.public_key())


def read_or_refused(data: bytes) -> revocation_lists.RevocationList | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return revocation_lists.read(data)
        except RevocationListInvalid as error:
            refused = str(error)
    assert refused.isprintable()
    return None
