# SPDX-License-Identifier: ISC
import datetime
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import auditing, authority, keys, revocation_lists
from pki.audit import Head
from pki.delegation_records import Draft
from pki.errors import PkiError, RegistryError
from pki.keys import KeySigner
from pki.registry import Registry
from pki.revocation import Entry, ListRecord, prepare_list
from tests.pki import factory
from tests.pki.databases import execute
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca
from tests.pki.openssl_tool import openssl

pytestmark = pytest.mark.both_databases

ROOT = Path(__file__).parent.parent.parent
SECOND = datetime.timedelta(seconds=1)


def serials(made: ListRecord) -> set[str]:
    return {f"{entry.serial_number:040x}" for entry in made.crl}


def test_a_list_has_what_is_revoked_and_why(ca: Ca) -> None:
    gone, unsaid, _ = (ca.issue(name) for name in ("gone", "unsaid", "there"))
    ca.revoke(gone, NOW)
    ca.revoke(unsaid, NOW + DAY, "unspecified")
    made = ca.make(NOW + 2 * DAY)

    assert (made.number, made.this_update, made.next_update) == (1, NOW + 2 * DAY, NOW + 9 * DAY)
    read = revocation_lists.read(made.der)  # as gateways do
    assert read.signed_with(ca.authority.certificate.certificate.public_key())
    assert (read.number, read.this_update, read.next_update) == (1, made.this_update, made.next_update)
    assert {serial: (it.at, it.reason) for serial, it in read.revoked.items()} == {
        int(gone.serial, 16): (NOW, "keyCompromise"),
        int(unsaid.serial, 16): (NOW + DAY, ""),
    }
    identifier = made.crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    own = ca.authority.certificate.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert identifier.key_identifier == own.digest
    assert not any(it.critical for it in made.crl.extensions)


@pytest.mark.parametrize("kind", ["p-256", "p-384", "p-521", "rsa-3072", "ml-dsa-44"])
def test_every_kind_of_authority_signs_lists(kind: str) -> None:
    key = factory.rsa_key("issuer", 3072) if kind == "rsa-3072" else keys.generate(kind)
    prepared = authority.prepare_authority(authority.authority_name("Kind"), key.public_key(), 7, NOW)
    issuer = prepared.sign(KeySigner(key))
    whole = prepare_list(issuer, 1, [Entry(5, NOW, "superseded")], NOW, NOW + DAY)
    assert revocation_lists.read(whole.sign(KeySigner(key))).signed_with(key.public_key())
    with pytest.raises(PkiError, match="not the key of this authority"):
        whole.sign(KeySigner(factory.rsa_key("other")))


def test_what_a_signer_answers_is_looked_at(ca: Ca) -> None:
    class Broken(KeySigner):
        def sign(self, data: bytes) -> bytes:
            return bytes(256)

    with pytest.raises(PkiError, match="not one of this key"):
        ca.registry.crls.make(ca.authority, Broken(ca.signer.key), NOW)
    assert ca.registry.crls.newest(ca.authority.id) is None
    assert ca.make(NOW).number == 1


def test_openssl_reads_it_and_refuses_what_it_lists(ca: Ca, tmp_path: Path) -> None:
    gone, there = ca.issue("gone"), ca.issue("there")
    ca.revoke(gone, NOW)
    made = ca.make(NOW)
    (tmp_path / "ca.pem").write_bytes(ca.authority.certificate.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "crl.der").write_bytes(made.der)
    (tmp_path / "crl.pem").write_bytes(made.crl.public_bytes(Encoding.PEM))
    status, text = openssl(
        *("crl", "-in", tmp_path / "crl.der", "-inform", "DER"), *("-noout", "-text", "-CAfile", tmp_path / "ca.pem")
    )
    assert status == 0
    assert "verify OK" in text
    assert "X509v3 CRL Number: \n                1\n" in text
    assert "Key Compromise" in text
    for record, answer in ((gone, "certificate revoked"), (there, ": OK")):
        (tmp_path / "peer.pem").write_bytes(record.certificate.public_bytes(Encoding.PEM))
        _, text = openssl(
            *("verify", "-crl_check", "-attime", int(NOW.timestamp()) + 60, "-CAfile", tmp_path / "ca.pem"),
            *("-CRLfile", tmp_path / "crl.pem", tmp_path / "peer.pem"),
        )
        assert answer in text


def test_numbers_go_up_by_one_and_each_list_is_kept(ca: Ca) -> None:
    made = [ca.make(NOW + day * DAY) for day in range(3)]
    assert [it.number for it in made] == [1, 2, 3]
    assert [ca.registry.crls.get(ca.authority.id, it.number) for it in made] == made
    assert ca.registry.crls.newest(ca.authority.id) == made[-1]
    assert ca.make(NOW + 3 * DAY, at_least=10).number == 10
    assert ca.make(NOW + 3 * DAY, at_least=2).number == 11


def test_the_last_number_that_there_is(ca: Ca) -> None:
    execute(ca.directory.registry_url, f"UPDATE authority SET crl_number = {(1 << 31) - 2}")
    assert ca.make(NOW).number == (1 << 31) - 1
    with pytest.raises(RegistryError, match="can have the number 2147483648: the last possible is 2147483647"):
        ca.make(NOW)


def of_elsewhere(ca: Ca, number: int, *entries: Entry) -> revocation_lists.RevocationList:
    """A list of this authority that the registry does not have."""
    issuer = ca.authority.certificate.certificate
    return revocation_lists.read(prepare_list(issuer, number, entries, NOW, NOW + DAY).sign(ca.signer))


def test_a_list_goes_on_after_others_that_are_unknown_here(ca: Ca) -> None:
    gone = ca.issue("gone")
    ended = ca.issue("ended", 1)
    ca.revoke(gone, NOW)
    earlier = of_elsewhere(
        ca,
        (1 << 21),
        Entry(5, NOW - DAY, "superseded"),
        Entry(int(gone.serial, 16), NOW - DAY, "superseded"),
        Entry(int(ended.serial, 16), NOW, "superseded"),
    )
    later = ended.not_after + DAY
    assert ca.registry.crls.unlisted(earlier, ca.make(NOW)) == ((), (int(ended.serial, 16),), (5,))
    made = ca.registry.crls.make(ca.authority, ca.signer, later, after=[earlier])
    assert made.number == (1 << 21) + 1
    for each in (made, ca.make(later), ca.make(later + 3650 * DAY)):  # nobody knows when it ends
        read = revocation_lists.read(each.der)
        assert (read.revoked[5].at, read.revoked[5].reason) == (NOW - DAY, "superseded")
    assert serials(made) == {f"{5:040x}", gone.serial}
    assert ca.registry.crls.unlisted(earlier, made).all == ()
    assert ca.registry.crls.unlisted(earlier, ca.make(later + 3650 * DAY)).all == ()


def test_nothing_goes_on_after_what_is_not_revoked_here_or_signed_by_others(ca: Ca) -> None:
    there = ca.issue("there")
    earlier = of_elsewhere(ca, 2, Entry(int(there.serial, 16), NOW, "cACompromise"))
    with pytest.raises(RegistryError, match=f"serial number {there.serial} is revoked in the list") as caught:
        ca.registry.crls.make(ca.authority, ca.signer, NOW, after=[earlier])
    assert caught.value.hint.endswith(f"keynote-pki revoke {there.serial} --reason cACompromise")
    key = KeySigner(factory.rsa_key("other"))
    issuer = authority.prepare_authority(authority.authority_name("Example CA"), key.public_key, 7, NOW).sign(key)
    forged = revocation_lists.read(prepare_list(issuer, 9, [Entry(5, NOW, "superseded")], NOW, NOW + DAY).sign(key))
    with pytest.raises(RegistryError, match=r"list 9 of .* is not signed by authority `Example CA`"):
        ca.registry.crls.make(ca.authority, ca.signer, NOW, after=[forged])
    last = of_elsewhere(ca, (1 << 63), Entry(5, NOW, "superseded"))
    with pytest.raises(RegistryError, match="the last possible is 2147483647"):
        ca.registry.crls.make(ca.authority, ca.signer, NOW, after=[last])
    assert ca.make(NOW).number == 1


def test_a_number_goes_to_one_process_only(ca: Ca) -> None:
    program = f"""
import datetime, sys
from pathlib import Path
from pki.directory import Directory
directory = Directory(Path(sys.argv[1]))
registry = directory.registry()
authority = directory.authority(registry)
signer = directory.signer(authority.certificate)
for _ in range(10):
    made = registry.crls.make(authority, signer, datetime.datetime.fromisoformat({NOW.isoformat()!r}))
    print(made.number)
"""
    words = [sys.executable, "-c", program, str(ca.directory.path)]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    taken = [int(word) for process in running for word in process.communicate(timeout=120)[0].split()]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(taken) == list(range(1, 21))


def test_an_expired_certificate_is_in_one_more_list(ca: Ca) -> None:
    short, long = ca.issue("short", 1), ca.issue("long", 30)
    for record in (short, long):
        ca.revoke(record, NOW)
    end = short.not_after
    assert serials(ca.make(NOW)) == {short.serial, long.serial}
    assert serials(ca.make(end)) == {short.serial, long.serial}
    assert serials(ca.make(end + SECOND)) == {short.serial, long.serial}  # the one after its end
    assert serials(ca.make(end + 2 * SECOND)) == {long.serial}


def test_what_is_revoked_after_its_end_is_in_one_list_too(ca: Ca) -> None:
    short = ca.issue("short", 1)
    ca.make(short.not_after + DAY)
    ca.revoke(short, short.not_after + 2 * DAY)
    assert serials(ca.make(short.not_after + 3 * DAY)) == {short.serial}
    assert serials(ca.make(short.not_after + 4 * DAY)) == set()


def test_lists_lack_what_was_revoked_since(ca: Ca) -> None:
    record = ca.issue("gone")
    first = ca.make(NOW)
    assert not ca.registry.crls.lacks(first, NOW)
    ca.revoke(record, NOW)
    assert ca.registry.crls.lacks(first, NOW)
    assert not ca.registry.crls.lacks(first, record.not_after + SECOND)
    assert not ca.registry.crls.lacks(ca.make(NOW), NOW)


def test_the_head_of_the_log_is_signed_with_it(ca: Ca) -> None:
    made = ca.make(NOW)
    key = ca.authority.certificate.certificate.public_key()
    head = Head(made.audit_sequence, made.audit_hash)
    assert keys.verifies(key, made.audit_signature, head.to_be_signed)
    assert head.sequence == 2  # the authority's own certificate, this list
    assert Head.parse(str(head)) == head


def test_a_clock_that_went_back_makes_no_list(ca: Ca) -> None:
    ca.make(NOW)
    with pytest.raises(RegistryError, match="of 2026-11-01 12:00:00Z, which is still to come"):
        ca.make(NOW - SECOND)
    assert ca.make(NOW).number == 2


def test_nobody_makes_lists_for_a_foreign_authority(ca: Ca) -> None:
    execute(ca.directory.registry_url, 'UPDATE authority SET "foreign" = true')
    with pytest.raises(RegistryError, match="`Example CA` is not ours"):
        ca.make(NOW)


def test_a_retired_authority_goes_on(ca: Ca) -> None:
    execute(ca.directory.registry_url, "UPDATE authority SET retired_at = '2026-11-01 00:00:00.000000'")
    assert ca.make(NOW).number == 1


def test_the_right_to_read_is_enough_to_get_them(ca: Ca) -> None:
    made = ca.make(NOW)
    assert Registry.open_read_only(ca.directory.registry_url).crls.newest(ca.authority.id) == made


def test_lists_and_audit(ca: Ca) -> None:
    gone, _ = ca.issue("gone"), ca.issue("there")
    ca.revoke(gone, NOW)
    made = [ca.make(NOW), ca.make(NOW + DAY)]
    assert [serials(it) for it in made] == [{gone.serial}, {gone.serial}]
    assert ca.registry.crls.newest(ca.authority.id) == made[-1]
    assert not ca.registry.crls.lacks(made[-1], NOW)
    ca.registry.delegations.add(Draft("POLICY", "DN:/CN=there", "true", "", 'Authorizer: "POLICY"\n', None), NOW)

    def found() -> list[str]:
        with ca.registry.audit.reading() as snapshot:
            return [it.message for it in auditing.check(snapshot, lambda items, total, what: items)]

    assert found() == []
    execute(
        ca.directory.registry_url,
        "UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL WHERE name = 'gone'",
    )
    assert len(found()) == 1
