# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""A key that was revoked for a compromise is certified for nobody, and no certificate for it stays valid."""

import io
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import batch, issuance, keys, profiles, recording, renewal, rollover
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import NotRecorded, PkiError, RegistryError
from pki.issuance import Issuer, Wanted
from pki.names import identity
from pki.records import Record
from tests.pki import databases, factory
from tests.pki.factory import DAY, NOW
from tests.pki.test_cli import Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")
LATER = NOW + DAY
KEY = factory.ec_key("theirs")
REFUSED = (
    r"the key is compromised: it is that of `gw.example.org`, revoked on 2\S+ \(keyCompromise\), serial [0-9a-f]{40}"
)


def certify(directory: Directory, name: str, key: keys.PrivateKey = KEY) -> Record:
    wanted = Wanted(profiles.GATEWAY, (identity(name),), public_key=key.public_key())
    return Issuer.of(directory).issue(wanted, NOW)


def compromise(directory: Directory, record: Record, reason: str = "keyCompromise") -> list[str]:
    done = directory.registry().revoke_all([(record.authority_id, record.serial)], reason, LATER)
    assert all((it.revoked_at, it.revocation_reason) == (LATER, reason) for it in done)
    return [it.serial for it in done]


def csr(path: Path, name: str) -> None:
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signed = (
        x509.CertificateSigningRequestBuilder().subject_name(subject).sign(KEY, keys.signature_hash(KEY.public_key()))
    )
    path.write_bytes(signed.public_bytes(Encoding.PEM))


@pytest.mark.both_databases
def test_it_is_certified_for_nobody(directory: Directory) -> None:
    compromise(directory, certify(directory, "gw.example.org"))
    other = issuance.issue(directory, profiles.GATEWAY, (identity("other.example.org"),), LATER)
    before = directory.registry().certificates()
    issuer = Issuer.of(directory)
    for name in ("gw.example.org", "new.example.org"):
        with pytest.raises(RegistryError, match=REFUSED) as caught:
            certify(directory, name)
        assert caught.value.hint
    with pytest.raises(RegistryError, match=REFUSED):
        renewal.rekey(issuer, other.serial, LATER, public_key=KEY.public_key(), supersedes=True)
    assert directory.registry().certificates() == before


def test_a_key_that_was_superseded_may_come_back(directory: Directory) -> None:
    compromise(directory, certify(directory, "gw.example.org"), "superseded")
    assert certify(directory, "gw.example.org").validity(NOW) == "valid"


def test_every_certificate_for_it_goes(directory: Directory) -> None:
    first = certify(directory, "gw.example.org")
    issuer = Issuer.of(directory)
    second = renewal.renew(issuer, first.serial, NOW).record
    third = renewal.renew(issuer, first.serial, NOW).record
    registry = directory.registry()
    draft = Draft("POLICY", "DN:/CN=x", "", "", 'Authorizer: "POLICY"\n', None)
    registry.revoke(third.authority_id, third.serial, "superseded", NOW)  # was revoked before, and stays so
    bound = registry.delegations.add(draft, NOW)
    databases.execute(
        directory.registry_path, f"UPDATE delegation SET certificate = '{second.sha256}' WHERE id = {bound.number}"
    )
    assert compromise(directory, first) == [first.serial, second.serial]
    assert [it.revoked_at for it in registry.delegations.all()] == [LATER]
    assert registry.find_one(third.serial).revocation_reason == "superseded"
    with pytest.raises(PkiError, match=r"was revoked on 2\S+: (keyCompromise|superseded)"):
        renewal.renew(issuer, "gw.example.org", LATER)


def test_both_are_named(directory: Directory) -> None:
    first = certify(directory, "gw.example.org")
    second = renewal.renew(Issuer.of(directory), first.serial, NOW).record
    asked = [(it.authority_id, it.serial) for it in (second, first)]
    done = directory.registry().revoke_all(asked, "keyCompromise", LATER)
    assert [it.serial for it in done] == [second.serial, first.serial]


def test_what_an_older_registry_left_valid(directory: Directory) -> None:
    """It is neither renewed nor accepted."""
    first = certify(directory, "gw.example.org")
    second = renewal.renew(Issuer.of(directory), first.serial, NOW).record
    compromise(directory, first)
    given_back = "UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL WHERE serial = "
    databases.execute(directory.registry_path, f"{given_back}'{second.serial}'")
    registry = directory.registry()
    with pytest.raises(RegistryError, match=REFUSED):
        renewal.renew(Issuer.of(directory), "gw.example.org", LATER)
    links = [second.read(), directory.authority(registry).certificate.read()]
    with pytest.raises(NotRecorded, match=r"has the key of `gw.example.org`, revoked on"):
        registry.check_chain(links)


def test_compromised_while_it_is_certified(directory: Directory) -> None:
    """Between the serial number and the signature."""
    first = certify(directory, "gw.example.org")
    issuer, registry = Issuer.of(directory), directory.registry()
    ready = issuer.ready(Wanted(profiles.GATEWAY, first.identities, public_key=KEY.public_key(), follows=first), NOW)
    registry.reserve(1, ready.piece.reservation, NOW, again=True)
    compromise(directory, first)
    with pytest.raises(RegistryError, match=REFUSED):
        recording.finish(directory, registry, (ready.piece,), LATER)
    assert registry.unfinished(directory.settings().id) == ()


def test_the_key_of_another_holder_is_no_new_key(directory: Directory) -> None:
    certify(directory, "gw.example.org")
    other = issuance.issue(directory, profiles.GATEWAY, (identity("other.example.org"),), NOW)
    with pytest.raises(PkiError, match=r"the key has a certificate already, that of `gw.example.org`"):
        renewal.rekey(Issuer.of(directory), other.serial, LATER, public_key=KEY.public_key())


def test_an_earlier_key_of_the_same_holder(directory: Directory) -> None:
    first = certify(directory, "gw.example.org")
    second = renewal.rekey(Issuer.of(directory), first.serial, NOW).record
    third = renewal.rekey(Issuer.of(directory), second.serial, LATER, public_key=KEY.public_key()).record
    assert third.key_sha256 == first.key_sha256


def test_a_row_of_a_table(directory: Directory, tmp_path: Path) -> None:
    compromise(directory, certify(directory, "gw.example.org"))
    csr(tmp_path / "theirs.csr", "gw.example.org")
    table = tmp_path / "peers.csv"
    table.write_text("profile,name,csr\ngateway,a.example.org,\ngateway,b.example.org,theirs.csr\n")
    outcomes = list(batch.issue(Issuer.of(directory), batch.read(table), lambda: LATER))
    assert [it.result for it in outcomes] == ["issued", "failed"]
    assert "the key is compromised" in outcomes[1].error


def test_no_authority_is_made_of_it(directory: Directory) -> None:
    compromise(directory, certify(directory, "gw.example.org"))
    with pytest.raises(RegistryError, match=REFUSED):
        rollover.roll_over(directory, "/C=XX/O=Test/CN=Next CA", LATER, new_signer=keys.KeySigner(KEY))
    assert len(directory.registry().authorities()) == 1


def test_as_a_user_sees_it(ca: Run, tmp_path: Path) -> None:
    csr(tmp_path / "c6.csr", "c6.example.org")
    assert ca("keynote-pki issue gateway c6.example.org --csr c6.csr").status == 0
    ca("keynote-pki issue gateway c67.example.org")
    renewed = ca("keynote-pki renew c6.example.org --json").json
    first = renewed["supersedes"]
    done = ca(f"keynote-pki revoke {first} --reason keyCompromise --yes")
    assert f"c6.example.org: revoked too, since it has the same key, serial {renewed['serial']}" in done.out
    for line in ("issue gateway c6.example.org --csr c6.csr", "rekey c67.example.org --csr c6.csr"):
        done = ca(f"keynote-pki {line}")
        assert done.status == 1
        assert "error: the key is compromised: it is that of `c6.example.org`, revoked on 2" in done.err
        assert "hint: have a new key made" in done.err
    done = ca("keynote-pki renew c6.example.org")
    assert done.status == 1
    assert "`c6.example.org` was revoked on 2" in done.err


def test_what_goes_along_is_shown_before_it_is_asked(ca: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ca("keynote-pki issue gateway gw.example.org --json").json["serial"]
    renewed = ca("keynote-pki renew gw.example.org --json").json["serial"]
    terminal = io.StringIO("n\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    done = ca(f"keynote-pki revoke {first} --reason keyCompromise")
    assert done.status == 1
    asked, also = done.err.splitlines()[:2]
    assert f"serial {first[:12]}" in asked
    assert f"serial {renewed[:12]}" in also
    assert also.endswith("), since it has the same key")
    assert ca("keynote-pki list --revoked --json").json["certificates"] == []
