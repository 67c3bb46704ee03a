# SPDX-License-Identifier: ISC
import pytest

from pki.errors import PkiError, RegistryError
from pki.records import Status
from pki.registry import Registry
from pki.revocation import REASONS
from tests.pki import databases
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.test_registry import DER, SHA256, reservation

SERIAL = f"{1:040x}"


@pytest.fixture
def registry(url: Url) -> Registry:
    """Authority 1 with certificate 1, and certificate 2 that is reserved only."""
    made = Registry.create(url)
    authority = made.reserve_authority(reservation("ca.example.org", 99, profile="ca"))
    made.confirm(authority, f"{99:040x}", b"an authority's", NOW)
    made.reserve(authority, reservation(), NOW)
    made.confirm(authority, SERIAL, DER, NOW)
    made.reserve(authority, reservation("other", 2), NOW)
    return made


def test_a_revoked_certificate_is_revoked_for_everybody(registry: Registry, url: Url) -> None:
    record = registry.revoke(1, SERIAL, "keyCompromise", NOW + DAY)
    assert (record.revoked_at, record.revocation_reason) == (NOW + DAY, "keyCompromise")
    assert record.validity(NOW + DAY) == "revoked"
    assert Registry.open_read_only(url).status(SHA256) is Status.REVOKED
    assert registry.find(SERIAL) == (record,)


@pytest.mark.parametrize("reason", ["certificateHold", "removeFromCRL", "key-compromise", ""])
def test_reasons_that_there_are_not(registry: Registry, reason: str) -> None:
    with pytest.raises(PkiError, match=f"`{reason}` is no reason for a revocation") as caught:
        registry.revoke(1, SERIAL, reason, NOW)
    assert "keyCompromise" in caught.value.hint
    assert registry.status(SHA256) is Status.ISSUED


def test_the_reasons_of_rfc_5280(registry: Registry) -> None:
    assert set(REASONS) == {
        "unspecified",
        "keyCompromise",
        "cACompromise",
        "affiliationChanged",
        "superseded",
        "cessationOfOperation",
        "privilegeWithdrawn",
        "aACompromise",
    }


@pytest.mark.parametrize(("authority", "serial"), [(1, f"{3:040x}"), (1, f"{2:040x}"), (2, SERIAL)])
def test_what_was_not_issued_cannot_be_revoked(registry: Registry, authority: int, serial: str) -> None:
    with pytest.raises(RegistryError, match=f"authority {authority} has issued no certificate"):
        registry.revoke(authority, serial, "superseded", NOW)


def test_a_second_revocation_says_when_and_why_the_first_was(registry: Registry) -> None:
    registry.revoke(1, SERIAL, "superseded", NOW)
    with pytest.raises(RegistryError, match="was revoked already, on 2026-11-01 12:00:00Z: superseded"):
        registry.revoke(1, SERIAL, "cessationOfOperation", NOW + DAY)


def test_that_a_key_is_compromised_may_come_to_light_later(registry: Registry) -> None:
    registry.revoke(1, SERIAL, "superseded", NOW)
    worse = registry.revoke(1, SERIAL, "keyCompromise", NOW + DAY)
    assert (worse.revoked_at, worse.revocation_reason) == (NOW, "keyCompromise")
    with pytest.raises(RegistryError, match="already, on 2026-11-01 12:00:00Z: keyCompromise"):
        registry.revoke(1, SERIAL, "cACompromise", NOW + DAY)
    with registry.audit.reading() as log:
        told = [entry.told["reason"] for entry in log.entries() if entry.action == "revoke"]
        assert told == ["superseded", "keyCompromise"]


def test_several_are_revoked_together_or_not_at_all(registry: Registry) -> None:
    with pytest.raises(RegistryError):
        registry.revoke_all(((1, SERIAL), (1, f"{3:040x}")), "superseded", NOW)
    assert registry.status(SHA256) is Status.ISSUED


def test_it_is_in_the_audit_log_or_did_not_happen(registry: Registry, url: Url) -> None:
    databases.execute(url, "ALTER TABLE audit RENAME TO away")
    with pytest.raises(RegistryError):
        registry.revoke(1, SERIAL, "superseded", NOW)
    assert registry.status(SHA256) is Status.ISSUED
    databases.execute(url, "ALTER TABLE away RENAME TO audit")
    registry.revoke(1, SERIAL, "superseded", NOW)
    assert registry.status(SHA256) is Status.REVOKED
