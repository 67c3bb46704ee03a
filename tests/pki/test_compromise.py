# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""A key that others may hold is good for nothing any more: whatever it was certified for goes with it."""

from pathlib import Path

import pytest
from cryptography import x509

from pki import chain, issuance, profiles, revocation, revocation_lists, rollover
from pki.authorities import Root
from pki.chain_revocation import RevocationCheck, RevocationPolicy
from pki.directory import Directory
from pki.errors import NotRecorded, PkiError
from pki.names import identity
from pki.records import Record
from tests.pki import databases
from tests.pki.factory import DAY, NOW
from tests.pki.test_cli import Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")
LATER = NOW + 10 * DAY
REVOKED = LATER + DAY
NEXT = "/C=XX/O=Test/CN=Next CA"


def issue(directory: Directory, name: str = "gw.example.org") -> Record:
    return issuance.issue(directory, profiles.GATEWAY, (identity(name),), LATER)


def cross(made: rollover.RolledOver, name: str) -> Record:
    (found,) = (it for it in made.cross if it.name == name)
    return found


def by_new_alone(
    directory: Directory, leaf: Record, made: rollover.RolledOver, policy: RevocationPolicy
) -> chain.ValidatedChain:
    """The chain of a peer that sends every cross certificate, to one who trusts the new authority only and has the
    newest list of each."""
    registry = directory.registry()
    lists = [
        revocation_lists.read(registry.crls.make(it, directory.signer(it.certificate), REVOKED).der)
        for it in registry.authorities()
    ]
    known = RevocationCheck(revocation_lists.RevocationLists(lists), policy)
    anchors = chain.TrustAnchors([made.authority.certificate])
    return chain.validate(leaf.der, [it.der for it in made.cross], anchors, REVOKED + DAY, revocation=known)


def revoke(directory: Directory, record: Record, reason: str) -> tuple[Record, ...]:
    return directory.registry().revoke_all([(record.authority_id, record.serial)], reason, REVOKED)


@pytest.mark.both_databases
def test_nobody_vouches_any_longer_for_a_compromised_authority(directory: Directory) -> None:
    leaf = issue(directory)
    made = rollover.roll_over(directory, NEXT, LATER)
    found = by_new_alone(directory, leaf, made, RevocationPolicy.REQUIRE)
    registry = directory.registry()
    registry.check_chain(found.certificates)
    old, of_old = made.retired, cross(made, "Example CA, vouched for by Next CA")
    asked = [(old.authority_id, old.serial)]
    assert [it.sha256 for it in registry.reached(asked, "cACompromise", REVOKED)] == [of_old.sha256]
    done = registry.revoke_all(asked, "cACompromise", REVOKED)
    assert [(it.sha256, it.revoked_at, it.revocation_reason) for it in done] == [
        (old.sha256, REVOKED, "cACompromise"),
        (of_old.sha256, REVOKED, "cACompromise"),
    ]
    for policy in RevocationPolicy:
        with pytest.raises(chain.ChainError) as caught:
            by_new_alone(directory, leaf, made, policy)
        assert caught.value.reason is chain.Reason.REVOKED
    with registry.audit.reading() as log:
        assert [it.subject for it in log.entries() if it.action == "revoke"] == [old.sha256, of_old.sha256]
    with pytest.raises(NotRecorded, match="is revoked to the registry of authority"):
        registry.check_chain(found.certificates)


def test_a_registry_that_forgot_the_cross_certificate_refuses_its_key(directory: Directory) -> None:
    """As those may be that were written before a revocation reached other certificates."""
    leaf = issue(directory)
    made = rollover.roll_over(directory, NEXT, LATER)
    found = by_new_alone(directory, leaf, made, RevocationPolicy.REQUIRE)
    revoke(directory, made.retired, "unspecified")
    of_old = cross(made, "Example CA, vouched for by Next CA")
    give_back = f"UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL WHERE serial = '{of_old.serial}'"
    databases.execute(directory.registry_path, give_back)
    assert of_old == directory.registry().get(of_old.authority_id, of_old.serial)
    with pytest.raises(NotRecorded, match=r"has the key of `Example CA`, revoked on 2\S+ \(unspecified\)"):
        directory.registry().check_chain(found.certificates)


def test_which_reasons_are_about_the_key() -> None:
    def about(of_authority: bool) -> set[str]:
        return {it for it in revocation.REASONS if revocation.is_about_key(it, of_authority=of_authority)}

    assert about(False) == {"keyCompromise", "cACompromise", "aACompromise"}
    assert about(True) == {*about(False), "unspecified", "privilegeWithdrawn"}


@pytest.mark.parametrize("reason", ["superseded", "privilegeWithdrawn"])
def test_which_reasons_reach_what_vouches_for_an_authority(directory: Directory, reason: str) -> None:
    leaf = issue(directory)
    made = rollover.roll_over(directory, NEXT, LATER)
    found = by_new_alone(directory, leaf, made, RevocationPolicy.REQUIRE)
    done = revoke(directory, made.retired, reason)
    if reason == "superseded":
        assert len(done) == 1
        directory.registry().check_chain(found.certificates)
    else:
        assert len(done) == 2
        with pytest.raises(NotRecorded):
            directory.registry().check_chain(found.certificates)


@pytest.mark.parametrize("reason", ["unspecified", "cACompromise"])
def test_what_vouches_is_taken_back_alone_unless_the_key_is_compromised(directory: Directory, reason: str) -> None:
    made = rollover.roll_over(directory, NEXT, LATER)
    done = revoke(directory, cross(made, "Example CA, vouched for by Next CA"), reason)
    assert [it.name for it in done[1:]] == (["Example CA"] if reason in revocation.COMPROMISES else [])


def test_a_revoked_authority_is_vouched_for_by_nobody(directory: Directory) -> None:
    revoke(directory, directory.authority(directory.registry()).certificate, "keyCompromise")
    made = rollover.roll_over(directory, NEXT, REVOKED)
    assert made.cross == ()
    assert made.note.startswith("`Example CA` was revoked on 2")
    assert "(keyCompromise): no cross certificates" in made.note
    assert directory.authority(directory.registry()).certificate == made.authority


def test_a_revoked_root_is_vouched_for_by_nobody(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW, root=Root("Root"))
    root = directory.registry().authorities()[0]
    revoke(directory, root.certificate, "cACompromise")
    with pytest.raises(PkiError, match="the root `Root` was revoked on") as caught:
        rollover.roll_over(directory, "Next CA", REVOKED)
    assert "--root" in caught.value.hint
    made = rollover.roll_over(directory, "Next CA", REVOKED, root=Root("Next Root"))
    assert made.cross == ()
    assert "`Root` was revoked on" in made.note


def test_what_revoking_an_authority_says(ca: Run) -> None:
    ca("keynote-pki rollover --name 'Next CA'")
    out = ca("keynote-pki revoke 'Example VPN CA' --reason cACompromise --yes").out.splitlines()
    assert out[1].startswith(
        "Example VPN CA, vouched for by Next CA: revoked too, since it has the same key, serial "
    )
    assert "authority `Example VPN CA` is refused with everything that it issued" in out
    assert "`Next CA` has no list that holds: make one with `keynote-pki crl make`" in out
    listed = ca("keynote-pki list --revoked --json").json["certificates"]
    assert [(it["name"], it["status"], it["revocation_reason"]) for it in listed] == [
        ("Example VPN CA", "revoked", "cACompromise"),
        ("Example VPN CA, vouched for by Next CA", "revoked", "cACompromise"),
        ("Next CA, vouched for by Example VPN CA", "revoked authority", None),
    ]


def test_what_stays_valid_of_a_superseded_authority_is_said(ca: Run) -> None:
    ca("keynote-pki rollover --name 'Next CA'")
    done = ca("keynote-pki revoke 'Example VPN CA' --reason superseded --yes --json")
    assert (len(done.json["revoked"]), done.json["same_key"]) == (1, [])
    again = ca("keynote-pki rollover --name 'Third CA'")
    assert "cross certificate: Third CA, vouched for by Next CA" in again.out
    out = ca("keynote-pki revoke 'Next CA' --reason superseded --yes").out
    assert "is refused with everything" not in out
    assert (
        "`Next CA, vouched for by Example VPN CA` stays valid, since the key of `Next CA` is not said to be bad"
        in out
    )


def test_a_rollover_after_a_compromise_says_what_it_does(ca: Run) -> None:
    done = ca("keynote-pki revoke 'Example VPN CA' --reason keyCompromise --yes")
    assert "`Example VPN CA` issues no more: put another in its place with `keynote-pki rollover`" in done.out
    done = ca("keynote-pki rollover --name 'Next CA'")
    assert done.status == 0
    assert "no cross certificates, so peers believe `Next CA` when they have been given its certificate" in done.err
    assert "Example VPN CA issues no more; what it issued went with `Example VPN CA`" in done.out
    assert "; take DN:/CN=Example VPN CA out of them" in done.out
    assert "vouched" not in done.out


def test_a_worse_reason_is_in_the_next_list_and_the_log_agrees(ca: Run, tmp_path: Path) -> None:
    gateway = ca("keynote-pki issue gateway gw.example.org --json").json["serial"]
    renewed = ca("keynote-pki renew gw.example.org --json").json["serial"]
    ca(f"keynote-pki revoke {gateway} --reason superseded --yes")
    ca("keynote-pki crl make")
    done = ca(f"keynote-pki revoke {gateway} --reason keyCompromise --yes")
    assert done.out.splitlines()[0] == f"gw.example.org: revoked (keyCompromise), serial {gateway}"
    assert f"revoked too, since it has the same key, serial {renewed}" in done.out
    assert ca("keynote-pki crl show --check").status == 1
    out = tmp_path / "lists"
    assert ca(f"keynote-pki crl publish --out {out}").status == 0
    (found,) = out.glob("*.crl")
    listed = x509.load_der_x509_crl(found.read_bytes()).get_revoked_certificate_by_serial_number(int(gateway, 16))
    assert listed is not None
    assert listed.extensions[0].value == x509.CRLReason(x509.ReasonFlags.key_compromise)
    assert ca("keynote-pki crl show --check").status == 0
    assert ca("keynote-pki audit").status == 0
