# SPDX-License-Identifier: ISC
"""What `validate` answers and remembers, and that it always answers; good and bad chains are in the zoo."""

import datetime
import warnings
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import chain, chain_anchors
from pki.chain import ChainError, Reason, Role, TrustAnchors
from pki.chain_walk import Walk
from tests.pki import factory
from tests.pki.factory import DAY, NOW, Issued
from tests.pki.zoo import raw
from tests.pki.zoo.chains import three
from tests.pki.zoo.good import cross_signed

CA = factory.authority()
OTHER_CA = factory.authority("Other CA", key="other-ca")


def validate(
    leaf: Issued | bytes, *others: Issued, anchors: Sequence[Issued] = (CA,), now: datetime.datetime = NOW
) -> chain.ValidatedChain:
    leaf_der = leaf if isinstance(leaf, bytes) else leaf.der
    trust = TrustAnchors([anchor.certificate for anchor in anchors])
    return chain.validate(leaf_der, [other.der for other in others], trust, now)


def subjects(validated: chain.ValidatedChain) -> list[str]:
    return [certificate.subject.rpartition("=")[2] for certificate in validated.certificates]


def test_a_good_chain() -> None:
    gateway = factory.leaf(CA, "gw.example.org", "192.0.2.1", "alice@Example.org", "2001:db8::1", not_after=NOW + DAY)
    validated = validate(gateway)
    assert [certificate.subject for certificate in validated.certificates] == [
        "/C=XX/O=Test/CN=gw.example.org",
        "/C=XX/O=Test/CN=Test CA",
    ]
    leaf = validated.leaf
    assert leaf.names == (
        ("FQDN", "gw.example.org"),
        ("IPV4_ADDR", "192.0.2.1"),
        ("USER_FQDN", "alice@example.org"),
        ("IPV6_ADDR", "2001:db8::1"),
    )
    assert leaf.principal == "DN:/C=XX/O=Test/CN=gw.example.org"
    assert leaf.issuer == "/C=XX/O=Test/CN=Test CA"
    assert leaf.der == gateway.der
    assert leaf.subject_der == gateway.certificate.subject.public_bytes()
    assert leaf.sha256.hex() == gateway.certificate.fingerprint(factory.SHA256).hex()
    assert leaf.load_public_key() == gateway.key.public_key()
    assert (leaf.not_before, leaf.not_after) == (factory.NOT_BEFORE, NOW + DAY)
    assert validated.expires == NOW + DAY


def test_intermediates_in_any_order_with_useless_ones_between() -> None:
    upper = factory.authority("Upper", CA, key="upper", not_after=NOW + DAY)
    lower = factory.authority("Lower", upper, key="lower")
    gateway = factory.leaf(lower, "gw.example.org")
    stray = factory.leaf(OTHER_CA, "stray.example.org")
    validated = validate(gateway, lower, stray, CA, upper, OTHER_CA, lower)
    assert subjects(validated) == ["gw.example.org", "Lower", "Upper", "Test CA"]
    assert validated.expires == NOW + DAY


def test_certificates_beside_the_chain_that_cannot_be_read_do_not_matter() -> None:
    gateway = factory.leaf(CA, "gw.example.org")
    trust = TrustAnchors([CA.certificate])
    assert chain.validate(gateway.der, [b"", b"garbage", gateway.der[:-1]], trust, NOW).leaf.der == gateway.der


def test_an_intermediate_can_be_the_anchor() -> None:
    upper = factory.authority("Upper", CA, key="upper")
    assert subjects(validate(factory.leaf(upper, "gw.example.org"), CA, anchors=[upper])) == [
        "gw.example.org",
        "Upper",
    ]


def test_the_last_second_counts() -> None:
    gateway = factory.leaf(CA, "gw.example.org", not_before=NOW, not_after=NOW + DAY)
    validate(gateway, now=NOW)
    validate(gateway, now=NOW + DAY)


def test_now_may_be_in_any_zone() -> None:
    gateway = factory.leaf(CA, "gw.example.org", not_before=NOW, not_after=NOW + DAY)
    zone = datetime.timezone(datetime.timedelta(hours=9))
    validate(gateway, now=NOW.astimezone(zone))
    with pytest.raises(ChainError) as caught:
        validate(gateway, now=(NOW + DAY + datetime.timedelta(seconds=1)).astimezone(zone))
    assert "2026-11-02 12:00:01Z" in caught.value.hint


def _below() -> Issued:
    return factory.authority("Below", CA, key="below")


@pytest.mark.parametrize(
    ("leaf", "reason", "word"),
    [
        (b"", Reason.MALFORMED, "cannot be read"),
        (factory.leaf(CA, "gw").der + b"\0", Reason.MALFORMED, "bytes after"),
        (bytes(40000), Reason.MALFORMED, "40000 bytes"),
        (factory.leaf(CA, "gw", subject="Other CA"), Reason.AUTHORITY_SUBJECT, "Other CA"),
    ],
    ids=["nothing", "bytes after", "huge", "the subject of an authority that has nothing to do with it"],
)
def test_refused_whatever_the_chain(leaf: Issued | bytes, reason: Reason, word: str) -> None:
    with pytest.raises(ChainError, match=word) as caught:
        validate(leaf, anchors=[CA, OTHER_CA])
    assert caught.value.reason is reason


def test_an_intermediate_may_not_take_the_name_of_another_configured_authority() -> None:
    """The policy that trusts Other CA by name would believe whatever this one signs."""
    impostor = factory.authority("Other CA", CA, key="upper")
    leaf = factory.leaf(impostor, "gw.example.org")
    with pytest.raises(ChainError) as caught:
        validate(leaf, impostor, anchors=[CA, OTHER_CA])
    assert caught.value.reason is Reason.BAD_SIGNATURE
    assert "another authority has the same name" in caught.value.hint
    assert subjects(validate(leaf, impostor, anchors=[CA])) == ["gw.example.org", "Other CA", "Test CA"]


@pytest.mark.parametrize("known", ["Test CA", "Other CA", "both"])
def test_which_of_two_crossing_authorities_is_known_decides(known: str) -> None:
    crossed = cross_signed(known=known).validate()
    assert subjects(crossed)[-1] in {"Test CA", "Other CA"} & (
        {known} if known != "both" else {"Test CA", "Other CA"}
    )


def test_the_path_that_fails_last_does_not_hide_why_the_first_did() -> None:
    spoilt = cross_signed(known="Test CA", first={"usage": factory.SIGNS})
    with pytest.raises(ChainError) as caught:
        spoilt.validate()
    assert caught.value.reason is Reason.KEY_USAGE


def tangle() -> tuple[Issued, list[Issued]]:
    """Two names that certify each other four times: as many paths as anybody can ask for with 8 certificates."""
    one, two = factory.authority("One", key="step0"), factory.authority("Two", key="step1")
    days = [NOW + number * DAY for number in range(1, 5)]
    crossed = [factory.authority("One", two, key="step0", not_after=day) for day in days]
    crossed += [factory.authority("Two", one, key="step1", not_after=day) for day in days]
    return factory.leaf(one, "gw.example.org"), crossed


def test_authorities_in_a_tangle_are_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    signed = Walk._signed
    monkeypatch.setattr(Walk, "_signed", lambda *of: checked.append(1) or signed(*of))  # type: ignore[func-returns-value]
    leaf, crossed = tangle()
    with pytest.raises(ChainError) as caught:
        validate(leaf, *crossed)
    assert caught.value.reason is Reason.PATH_LENGTH
    assert len(checked) == 32


def test_too_many_certificates() -> None:
    with pytest.raises(ChainError, match="sent 9 certificates"):
        validate(factory.leaf(CA, "gw"), *[OTHER_CA] * 9)


def test_the_common_name_certifies_nobody() -> None:
    assert validate(factory.leaf(CA, subject="gw.example.org")).leaf.names == ()


def test_names_that_are_nobodys_identity_are_left_out() -> None:
    uri, directory = x509.UniformResourceIdentifier("http://example.org"), x509.DirectoryName(factory.name("x"))
    leaf = factory.leaf(CA, "gw.example.org", general_names=[x509.DNSName("*.example.org"), uri, directory])
    assert validate(leaf).leaf.names == (("FQDN", "gw.example.org"),)


@pytest.mark.parametrize("common_name", ["Test CA", "test  CA"])
def test_two_authorities_of_one_name(common_name: str) -> None:
    namesake = factory.authority(common_name, key="other-ca")
    with pytest.raises(ChainError) as caught:
        TrustAnchors([CA.certificate, namesake.certificate])
    assert caught.value.reason is Reason.AMBIGUOUS_AUTHORITY


def test_one_authority_with_two_certificates() -> None:
    renewed = factory.authority(not_before=NOW, not_after=NOW + 2 * DAY)
    anchors = TrustAnchors([CA.certificate, renewed.certificate, CA.certificate])
    assert len(anchors.certificates) == 2
    chain.validate(factory.leaf(CA, "gw").der, [], anchors, NOW)


@pytest.mark.parametrize(
    ("anchor", "reason"),
    [
        (factory.leaf(CA, "gw"), Reason.ISSUER_NOT_CA),
        (factory.authority(constraints=None), Reason.ISSUER_NOT_CA),
        (factory.authority(usage=factory.SIGNS), Reason.KEY_USAGE),
        (factory.authority(key=factory.rsa_key("weak", 1024)), Reason.WEAK_KEY),
        (factory.authority(x509.Name([])), Reason.EMPTY_SUBJECT),
    ],
)
def test_what_cannot_be_an_anchor(anchor: Issued, reason: Reason) -> None:
    with pytest.raises(ChainError) as caught:
        TrustAnchors([anchor.certificate])
    assert caught.value.reason is reason


def test_every_refusal_is_one_printable_line() -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "gw\n\x1b[31m\u202e")])
    with pytest.raises(ChainError) as caught:
        validate(factory.leaf(OTHER_CA, "gw", subject=subject))
    assert str(caught.value).isprintable()
    assert r"gw\x0A\x1B[31m\xE2\x80\xAE" in str(caught.value)


GOOD = factory.leaf(CA, "gw.example.org", "192.0.2.1").der
TRUST = TrustAnchors([CA.certificate])
mutations = st.lists(
    st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.sampled_from(["set", "cut", "insert"])),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, changes: list[tuple[int, int, str]]) -> bytes:
    for at, byte, how in changes:
        match how:
            case "set":
                data = data[:at] + bytes([byte]) + data[at + 1 :]
            case "cut":
                data = data[:at] + data[at + 1 + byte % 4 :]
            case "insert":
                data = data[:at] + bytes([byte]) + data[at:]
    return data


def refused_or_good(leaf: bytes, intermediates: list[bytes], trust: TrustAnchors) -> None:
    refused = ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            validated = chain.validate(leaf, intermediates, trust, NOW)
        except ChainError as error:
            refused = str(error)
    assert refused.isprintable()
    assert refused or (validated.leaf.der == leaf and len(validated.certificates) >= 2)


# Invariant: whatever a peer sends, the answer is a chain or a ChainError of one printable line.
@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100), st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes(leaf: bytes, intermediates: list[bytes]) -> None:
    refused_or_good(leaf, intermediates, TRUST)


# Invariant: no change to a certificate's bytes leaves it valid: everything in it is signed.
@settings(max_examples=700, deadline=None)
@given(mutations)
def test_mutated_certificates(changes: list[tuple[int, int, str]]) -> None:
    mutated = mutate(GOOD, changes)
    if mutated != GOOD:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ChainError) as caught:
                chain.validate(mutated, [], TRUST, NOW)
        assert str(caught.value).isprintable()


# Invariant: the same when the altered bytes are signed, as by an authority that signs whatever it is given.
@settings(max_examples=300, deadline=None)
@given(mutations)
def test_mutated_and_signed_certificates(changes: list[tuple[int, int, str]]) -> None:
    refused_or_good(factory.signed(mutate(factory.tbs(GOOD), changes), CA), [], TRUST)


BELOW_DER = _below().der
LEAF_BELOW = factory.leaf(_below(), "gw.example.org").der


# Invariant: an authority between that is altered is an authority no more.
@settings(max_examples=200, deadline=None)
@given(mutations)
def test_mutated_intermediates(changes: list[tuple[int, int, str]]) -> None:
    mutated = mutate(BELOW_DER, changes)
    if mutated != BELOW_DER:
        with pytest.raises(ChainError):
            chain.validate(LEAF_BELOW, [mutated], TRUST, NOW)


# --- a chain that held is remembered, for as long as it holds


def test_a_chain_is_remembered_while_all_of_it_is_valid() -> None:
    ca = factory.authority()
    soon = NOW + datetime.timedelta(days=1)
    leaf = factory.leaf(ca, "gw.example.org", not_before=NOW - datetime.timedelta(days=1), not_after=soon)
    anchors = TrustAnchors([ca.certificate])
    first = chain.validate(leaf.der, (), anchors, NOW)
    assert chain.validate(leaf.der, (), anchors, NOW) is first
    for moment in (soon + datetime.timedelta(seconds=1), NOW - datetime.timedelta(days=2)):
        with pytest.raises(ChainError):
            chain.validate(leaf.der, (), anchors, moment)
    assert chain.validate(leaf.der, (), TrustAnchors([ca.certificate]), NOW) is not first


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_anchors, "_MAX_REMEMBERED", 2)
    ca = factory.authority()
    leaves = [factory.leaf(ca, f"gw{number}.example.org") for number in range(3)]
    anchors = TrustAnchors([ca.certificate])
    held = [chain.validate(leaf.der, (), anchors, NOW) for leaf in leaves]
    assert chain.validate(leaves[2].der, (), anchors, NOW) is held[2]
    assert chain.validate(leaves[0].der, (), anchors, NOW) is not held[0]


@pytest.mark.parametrize("first", ["strict", "wide"])
def test_what_one_peer_may_do_is_not_remembered_for_another(first: str) -> None:
    made = three(leaf={"usages": [ExtendedKeyUsageOID.SERVER_AUTH]})
    weak = raw.signed_with(factory.SHA1_WITH_RSA)(made.leaf, made.below)
    anchors = TrustAnchors([made.root.certificate])
    for leaf, wide in ((made.leaf.der, {"role": Role.GATEWAY}), (weak, {"role": Role.GATEWAY, "legacy": True})):
        for _ in range(2):
            if first == "wide":
                chain.validate(leaf, [made.below.der], anchors, NOW, **wide)
            with pytest.raises(ChainError):
                chain.validate(leaf, [made.below.der], anchors, NOW)
            chain.validate(leaf, [made.below.der], anchors, NOW, **wide)


# --- authorities for legacy peers alone


def version_1(authority: Issued) -> x509.Certificate:
    return x509.load_der_x509_certificate(raw.version_1(authority, authority))


def test_an_authority_of_version_1_is_for_legacy_peers_alone() -> None:
    old = factory.authority("Old CA", key="other-ca")
    anchors = TrustAnchors([CA.certificate], legacy=[version_1(old)])
    leaf = factory.leaf(old, "gw.example.org")
    assert subjects(chain.validate(leaf.der, [], anchors, NOW, legacy=True)) == ["gw.example.org", "Old CA"]
    with pytest.raises(ChainError, match="version 1"):
        chain.validate(leaf.der, [], anchors, NOW)
    chain.validate(factory.leaf(CA, "gw.example.org").der, [], anchors, NOW, legacy=True)
    with pytest.raises(ChainError, match="bears the subject"):
        chain.validate(factory.leaf(CA, "gw", subject="Old CA").der, [], anchors, NOW)


def test_an_authority_may_be_there_as_version_1_and_3() -> None:
    anchors = TrustAnchors([CA.certificate], legacy=[version_1(CA), CA.certificate])
    assert len(anchors.legacy) == 1
    leaf = factory.leaf(CA, "gw.example.org")
    assert chain.validate(leaf.der, [], anchors, NOW).certificates[-1].der == CA.der


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (factory.leaf(CA, "gw").certificate, Reason.ISSUER_NOT_CA),
        (version_1(factory.authority(key=factory.rsa_key("weak", 1024))), Reason.WEAK_KEY),
        (version_1(factory.authority(x509.Name([]))), Reason.EMPTY_SUBJECT),
        (version_1(factory.authority(key="other-ca")), Reason.AMBIGUOUS_AUTHORITY),
    ],
)
def test_what_cannot_be_a_legacy_anchor(certificate: x509.Certificate, reason: Reason) -> None:
    with pytest.raises(ChainError) as caught:
        TrustAnchors([CA.certificate], legacy=[certificate])
    assert caught.value.reason is reason
