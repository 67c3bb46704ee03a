# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""A revoked authority issues no more, and what it issued holds no more and is in nobody's way."""

import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki import delegating, issuance, profiles, recording, renewal, responders, rollover
from pki.authorities import Root
from pki.directory import Directory
from pki.errors import DelegationInvalid, RegistryError
from pki.names import identity
from pki.records import Choice, Record
from pki.registry import Registry
from tests.pki.factory import DAY, NOW
from tests.pki.test_cli import Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")
LATER = NOW + 10 * DAY
NEXT = "/C=XX/O=Test/CN=Next CA"


def issue(directory: Directory, name: str = "gw.example.org", now: datetime.datetime = NOW) -> Record:
    return issuance.issue(directory, profiles.GATEWAY, (identity(name),), now, 30 * DAY)


def revoke_authority(directory: Directory, name: str, reason: str = "cACompromise") -> None:
    registry = directory.registry()
    (found,) = (it.certificate for it in registry.authorities() if it.name == name)
    registry.revoke(found.authority_id, found.serial, reason, LATER)


def statuses(registry: Registry, **wanted: object) -> dict[str, str]:
    """By name, of what is listed; the same by both ways of asking."""
    choice = Choice(LATER, **wanted)  # type: ignore[arg-type]
    listed = {it.name: it.validity(LATER) for it in registry.listed(choice)}
    assert listed == {it.name: it.validity(LATER) for it in registry.chosen(choice)}
    return dict(listed)


@pytest.mark.both_databases
def test_what_it_issued_holds_no_more_and_leaves_its_name(directory: Directory) -> None:
    old = issue(directory)
    revoke_authority(directory, "Example CA")
    registry = directory.registry()
    fallen = {"gw.example.org": "revoked authority"}
    assert statuses(registry) == {"Example CA": "revoked", **fallen}
    assert statuses(registry, standing="holding") == {}
    assert statuses(registry, standing="revoked") == {"Example CA": "revoked", **fallen}
    assert [it.name for it in registry.listed(Choice(LATER, "revoked"))] == ["Example CA", "gw.example.org"]
    assert statuses(registry, standing=LATER + DAY) == fallen
    assert registry.find_one("gw.example.org").validity(LATER) == "revoked authority"
    assert registry.find_one("gw.example.org").validity(old.not_after + DAY) == "expired"
    rollover.roll_over(directory, NEXT, LATER)
    assert issue(directory, now=LATER).authority_id == 2
    assert statuses(registry, standing="holding") == {"Next CA": "valid", "gw.example.org": "valid"}
    assert statuses(registry, standing=LATER + DAY) == {}  # who has another needs no successor


def test_who_has_none_of_the_new_authority_is_told_of(directory: Directory) -> None:
    followed, left = issue(directory), issue(directory, "left.example.org")
    revoke_authority(directory, "Example CA")
    rollover.roll_over(directory, NEXT, LATER)
    new = renewal.renew(issuance.Issuer.of(directory), followed.serial, LATER).record
    assert (new.authority_id, new.key_sha256) == (2, followed.key_sha256)
    listed = directory.registry().listed(Choice(LATER, LATER + DAY))
    assert [it.serial for it in listed] == [left.serial]
    far = directory.registry().listed(Choice(LATER, LATER + 36500 * DAY))
    assert followed.serial not in [it.serial for it in far]


def test_everything_below_a_revoked_root_falls(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root"))
    issue(directory)
    revoke_authority(directory, "Root")
    registry = directory.registry()
    assert statuses(registry) == {
        "Root": "revoked",
        "Example CA": "revoked authority",
        "gw.example.org": "revoked authority",
    }
    with pytest.raises(RegistryError, match="`Example CA` stands below one that was revoked") as caught:
        issue(directory, "other.example.org")
    assert "--root" in caught.value.hint


def test_vouched_for_by_another_it_stands(directory: Directory) -> None:
    """It was superseded, so the way by the certificate of the new one is open; but it issues no more."""
    issue(directory)
    made = rollover.roll_over(directory, NEXT, NOW)
    revoke_authority(directory, "Example CA", "superseded")
    registry = directory.registry()
    assert registry.find_one("gw.example.org").validity(LATER) == "valid"
    with pytest.raises(RegistryError, match="has a certificate already"):
        issue(directory, now=LATER)
    with pytest.raises(RegistryError, match=r"`Example CA` was revoked on 2\S+ \(superseded\), and issues no more"):
        registry.check_issues(made.retired.authority_id)
    (vouches,) = (it for it in made.cross if it.name.startswith("Example CA"))
    registry.revoke(vouches.authority_id, vouches.serial, "superseded", LATER)
    assert registry.find_one("gw.example.org").validity(LATER) == "revoked authority"
    assert [it.name for it in registry.above(2).intermediates] == []


def test_it_issues_no_more(directory: Directory) -> None:
    issue(directory)
    issuer = issuance.Issuer.of(directory)  # a process that began before
    revoke_authority(directory, "Example CA")
    registry = directory.registry()
    authority_record = directory.authority(registry)
    signer = directory.signer(authority_record.certificate)
    before = (sorted(directory.keys.iterdir()), len(registry.certificates()))
    wanted = issuance.Wanted(profiles.GATEWAY, (identity("new.example.org"),))
    for refused in (
        lambda: issuer.issue(wanted, LATER),
        lambda: issuance.Issuer.of(directory),
        lambda: renewal.renew(issuer, "gw.example.org", LATER),
        lambda: renewal.rekey(issuer, "gw.example.org", LATER),
        lambda: responders.certify(directory, registry, authority_record, signer, LATER),
    ):
        with pytest.raises(RegistryError, match=r"was revoked on 2\S+ \(cACompromise\), and issues no more") as told:
            refused()
        assert "keynote-pki rollover" in told.value.hint
    assert (sorted(directory.keys.iterdir()), len(registry.certificates())) == before
    assert registry.crls.make(authority_record, signer, LATER).number == 1  # lists are for it to sign


def test_who_answers_for_it_goes_on(directory: Directory) -> None:
    registry = directory.registry()
    own = directory.authority(registry)
    made = responders.certify(directory, registry, own, directory.signer(own.certificate), NOW)
    revoke_authority(directory, "Example CA")
    (responder,) = responders.Responders(directory, registry)(LATER)
    assert responder.certificate.der == made.der


def test_revoked_while_it_issues(directory: Directory) -> None:
    """Between the serial number and the signature."""
    issuer = issuance.Issuer.of(directory)
    registry = directory.registry()
    ready = issuer.ready(issuance.Wanted(profiles.GATEWAY, (identity("gw.example.org"),)), NOW)
    registry.reserve(1, ready.piece.reservation, NOW)
    revoke_authority(directory, "Example CA")
    with pytest.raises(RegistryError, match="issues no more"):
        recording.finish(directory, registry, (ready.piece,), LATER)
    assert registry.find("gw.example.org") == ()
    assert registry.unfinished(directory.settings().id) == ()


def test_its_key_delegates_nothing(directory: Directory) -> None:
    issue(directory)
    revoke_authority(directory, "Example CA")
    registry = directory.registry()
    key = "@" + str(directory.path / "ca.pem")
    pem = directory.authority(registry).certificate.certificate.public_bytes(Encoding.PEM)
    (directory.path / "ca.pem").write_bytes(pem)
    for by, to, message in (
        (key, "DN:/CN=Somebody", "the key of `Example CA` delegates nothing"),
        ("key:gw.example.org", "DN:/CN=Somebody", "is revoked, or its authority is"),
        ("POLICY", "gw.example.org", "is revoked, or its authority is"),
    ):
        with pytest.raises(DelegationInvalid, match=message) as caught:
            delegating.prepare(directory, registry, delegating.Request(by, to, '1 == 1 -> "true"'), LATER)
        assert caught.value.hint


def test_as_a_user_sees_it(ca: Run) -> None:
    ca("keynote-pki issue gateway gw.example.org")
    ca("keynote-pki revoke 'Example VPN CA' --reason cACompromise --yes")
    done = ca("keynote-pki issue gateway i2.example.org")
    assert done.status == 1
    assert "authority `Example VPN CA` was revoked on 2" in done.err
    assert "hint: make another in its place: keynote-pki rollover" in done.err
    assert ca("keynote-pki ocsp certify").status == 1
    assert ca("keynote-pki crl make").status == 0
    assert "gw.example.org" not in ca("keynote-pki list").out
    assert "revoked authority" in ca("keynote-pki list --all").out
    assert ca("keynote-pki show gw.example.org --json").json["status"] == "revoked authority"
    checked = ca("keynote-pki list --expiring 1d --check")
    line = "WARNING: 1 certificate ends soon or has a revoked authority: gw.example.org (revoked authority)\n"
    assert (checked.status, checked.out) == (1, line)
    assert ca("keynote-pki list --expiring 1d --check --critical 1h").status == 2
    ca("keynote-pki rollover --name 'Next CA'")
    assert ca("keynote-pki ocsp certify").status == 0
    assert ca("keynote-pki issue gateway gw.example.org").status == 0
    assert ca("keynote-pki list --expiring 1d --check").status == 0


def test_two_that_vouch_for_each_other_alone_fall(directory: Directory) -> None:
    issue(directory)
    rollover.roll_over(directory, NEXT, NOW)
    for name in ("Next CA", "Example CA"):
        revoke_authority(directory, name, "superseded")
    assert set(statuses(directory.registry()).values()) == {"revoked", "revoked authority"}
