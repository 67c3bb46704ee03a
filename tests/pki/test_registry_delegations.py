# SPDX-License-Identifier: ISC
"""Delegations in the registry: recorded with their certificate and in the audit log; and what counts for a daemon."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import keynote
from pki import registry_delegations
from pki.delegation_records import DelegationRecord, Draft
from pki.errors import RegistryError
from pki.registry import Registry
from tests.pki import databases, factory
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.test_registry import DER, reservation

CA, GATEWAY = "DN:/O=Test/CN=ca.example.org", "DN:/O=Test/CN=gw.example.org"
DRAFT = Draft("POLICY", GATEWAY, "true;", "for the tests", f'Authorizer: "POLICY"\nLicensees: "{GATEWAY}"\n', None)


@pytest.fixture
def registry(url: Url) -> Registry:
    """A registry with one authority."""
    made = Registry.create(url)
    authority = made.reserve_authority(reservation("ca.example.org", 99, profile="ca"))
    made.confirm(authority, f"{99:040x}", b"an authority's", NOW)
    return made


def issue(registry: Registry, *drafts: Draft, serial: int = 1, **changes: object) -> str:
    """A gateway's certificate, and its SHA-256."""
    wanted = reservation(**{"serial": serial, **changes})  # type: ignore[arg-type]
    der = DER + bytes([serial])
    registry.reserve(1, wanted, NOW)
    registry.confirm(1, wanted.serial, der, NOW, drafts)
    return hashlib.sha256(der).hexdigest()


def entries(url: Url) -> list[tuple[str, str]]:
    return [
        (action, subject)
        for action, subject in databases.rows(url, "SELECT action, subject FROM audit ORDER BY sequence")
    ]


def numbers(records: tuple[DelegationRecord, ...]) -> list[int]:
    return [record.number for record in records]


def test_what_is_recorded_comes_back(registry: Registry, url: Url) -> None:
    draft = replace(DRAFT, not_after=NOW + DAY, assertion='Authorizer: "POLICY"\nComment: f\xc3\xbcr\n')
    made = registry.delegations.add(draft, NOW)
    assert made.number == 1
    assert registry.delegations.get(1) == made
    assert registry.delegations.all() == (made,)
    assert (made.authorizer, made.licensee, made.assertion) == ("POLICY", GATEWAY, draft.assertion)
    assert (made.comment, made.conditions, made.created_at) == ("for the tests", "true;", NOW)
    assert (made.not_after, made.certificate, made.revoked_at) == (NOW + DAY, None, None)
    assert entries(url)[-1] == ("delegate", "1")


def test_standing(registry: Registry) -> None:
    made = registry.delegations.add(replace(DRAFT, not_after=NOW + DAY), NOW)
    assert made.standing(NOW + DAY) == "in force"
    assert made.standing(NOW + DAY + timedelta(seconds=1)) == "expired"
    assert registry.delegations.revoke(1, "left", NOW).standing(NOW + 2 * DAY) == "revoked"


def test_a_revocation_is_said_once_with_its_reason(registry: Registry, url: Url) -> None:
    registry.delegations.add(DRAFT, NOW)
    revoked = registry.delegations.revoke(1, "project ended", NOW + DAY)
    assert (revoked.revoked_at, revoked.revocation_reason) == (NOW + DAY, "project ended")
    assert registry.delegations.get(1) == revoked
    assert entries(url)[-1] == ("revoke-delegation", "1")
    with pytest.raises(RegistryError, match="revoked on 2026-11-02 already"):
        registry.delegations.revoke(1, "again", NOW)
    with pytest.raises(RegistryError, match="no delegation 2"):
        registry.delegations.revoke(2, "again", NOW)
    for reason in ("", " ", "x" * 33, "a\nb"):
        with pytest.raises(RegistryError, match="reason"):
            registry.delegations.revoke(1, reason, NOW)


def test_numbers_and_entries_go_up(registry: Registry) -> None:
    assert [registry.delegations.add(DRAFT, NOW).number for _ in range(3)] == [1, 2, 3]


# --- together with a certificate


def test_a_certificate_and_its_delegations_are_there_together(registry: Registry, url: Url) -> None:
    sha256 = issue(registry, DRAFT, DRAFT)
    assert [record.certificate for record in registry.delegations.all()] == [sha256, sha256]
    assert entries(url)[-3:] == [("issue", sha256), ("delegate", "1"), ("delegate", "2")]


def test_or_neither_is(registry: Registry, url: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    before = entries(url)

    def fails(*_: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(registry_delegations, "insert", fails)
    with pytest.raises(OSError, match="full"):
        issue(registry, DRAFT)
    assert registry.find("gw.example.org") == ()
    assert registry.delegations.all() == ()
    assert entries(url) == before


def test_they_are_revoked_together(registry: Registry, url: Url) -> None:
    sha256 = issue(registry, DRAFT, DRAFT)
    registry.delegations.add(DRAFT, NOW)
    registry.delegations.revoke(1, "earlier", NOW)
    (certificate,) = registry.find(sha256)
    registry.revoke(certificate.authority_id, certificate.serial, "keyCompromise", NOW + DAY)
    assert [record.revocation_reason for record in registry.delegations.all()] == ["earlier", "keyCompromise", None]
    assert entries(url)[-1] == ("revoke-delegation", "2")


# --- what a daemon sees


def test_what_is_in_force(registry: Registry) -> None:
    registry.delegations.add(DRAFT, NOW)
    registry.delegations.add(replace(DRAFT, not_after=NOW - DAY), NOW)
    registry.delegations.add(replace(DRAFT, not_after=NOW), NOW)
    registry.delegations.add(DRAFT, NOW)
    registry.delegations.revoke(4, "left", NOW)
    found = registry.delegations.in_force(NOW)
    assert numbers(found.records) == [1, 3]
    assert (found.left_out, found.until) == ((), None)


def test_what_was_lately(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever asks why something is allowed no more: a month, the newest first, and not all of very many."""
    ends = (NOW - DAY, NOW - 31 * DAY, None, NOW + DAY, NOW - DAY)
    for end in ends:
        registry.delegations.add(replace(DRAFT, not_after=end), NOW - 40 * DAY)
    registry.delegations.revoke(3, "left", NOW - 2 * DAY)
    registry.delegations.revoke(5, "left long ago", NOW - 31 * DAY)

    def lately() -> list[tuple[int, str]]:
        return [(record.number, why) for record, why in registry.delegations.in_force(NOW).over]

    left = "it was revoked on 2026-10-30 12:00:00Z: left"
    long_ago = "it was revoked on 2026-10-01 12:00:00Z: left long ago"
    assert lately() == [(5, long_ago), (3, left), (1, "it ended on 2026-10-31 12:00:00Z")]
    monkeypatch.setattr(registry_delegations, "_MOST_OVER", 1)
    assert lately() == [(5, long_ago)]


def test_a_name_delegates_while_a_certificate_bears_it(registry: Registry, url: Url) -> None:
    registry.delegations.add(replace(DRAFT, authorizer=GATEWAY, licensee="DN:/CN=other"), NOW)
    found = registry.delegations.in_force(NOW)
    assert found.records == ()
    ((left, why),) = found.left_out
    assert (left.number, "no valid certificate" in why) == (1, True)

    issue(registry)
    assert registry.delegations.unchanged(found, NOW) is None  # a certificate came that it waits for
    found = registry.delegations.in_force(NOW)
    assert numbers(found.records) == [1]
    end = NOW + 30 * DAY
    assert found.until == end
    assert registry.delegations.unchanged(found, end) == found
    assert registry.delegations.unchanged(found, end + DAY) is None
    assert registry.delegations.in_force(end + DAY).records == ()

    databases.execute(
        url, "UPDATE certificate SET revoked_at = created, revocation_reason = 'x'".replace("created", "issued_at")
    )
    assert registry.delegations.in_force(NOW).records == ()


def test_a_key_delegates_unless_its_certificates_are_revoked(registry: Registry, url: Url) -> None:
    key = factory.ec_key().public_key()
    principal = keynote.key_principal(key)
    registry.delegations.add(replace(DRAFT, authorizer=principal), NOW)
    assert numbers(registry.delegations.in_force(NOW).records) == [1]  # nobody's certificate has it

    sha256 = registry_delegations.key_sha256(principal)
    assert sha256 is not None
    issue(registry, serial=1, key_sha256=sha256)
    issue(registry, serial=2, key_sha256=sha256, name="b.example.org", identities=())
    revoke = "UPDATE certificate SET revoked_at = issued_at, revocation_reason = 'x' WHERE serial = '{}'"
    databases.execute(url, revoke.format(f"{1:040x}"))
    assert numbers(registry.delegations.in_force(NOW).records) == [1]
    databases.execute(url, revoke.format(f"{2:040x}"))
    found = registry.delegations.in_force(NOW)
    assert found.records == ()
    assert "revoked" in found.left_out[0][1]


def test_the_stamp_tells_that_something_was_done(registry: Registry) -> None:
    registry.delegations.add(DRAFT, NOW)
    found = registry.delegations.in_force(NOW)
    assert registry.delegations.unchanged(found, NOW) is found

    issue(registry)  # concerns nobody
    later = registry.delegations.unchanged(found, NOW)
    assert later is not None
    assert later.stamp.sequence > found.stamp.sequence
    assert later.records == found.records

    registry.delegations.revoke(1, "left", NOW)
    assert registry.delegations.unchanged(found, NOW) is None
    assert registry.delegations.unchanged(later, NOW) is None


def test_another_registry_in_its_place_is_seen(registry: Registry, url: Url, tmp_path: Path) -> None:
    registry.delegations.add(DRAFT, NOW)
    found = registry.delegations.in_force(NOW)
    other = Registry.create(tmp_path / "other.sqlite")
    assert other.delegations.unchanged(found, NOW) is None
    for _ in range(3):
        other.delegations.add(DRAFT, NOW)
    assert other.delegations.unchanged(found, NOW) is None


def test_an_empty_registry_is_one(tmp_path: Path) -> None:
    empty = Registry.create(tmp_path / "empty.sqlite")
    found = empty.delegations.in_force(NOW)
    assert (found.records, found.left_out) == ((), ())
    assert empty.delegations.unchanged(found, NOW) is found
    empty.delegations.add(DRAFT, NOW)
    assert empty.delegations.unchanged(found, NOW) is None


def test_reading_takes_no_more_than_the_right_to_read(registry: Registry, url: Url) -> None:
    registry.delegations.add(DRAFT, NOW)
    reader = Registry.open_read_only(url)
    found = reader.delegations.in_force(NOW)
    assert numbers(found.records) == [1]
    assert reader.delegations.unchanged(found, NOW) is found
