# SPDX-License-Identifier: ISC
"""Nobody has edited anything, and time goes on while things are done: an audit has nothing to say."""

import datetime
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from pki import batch, delegating, profiles, renewal, requested, rollover
from pki.authorities import Root
from pki.delegating import Request
from pki.directory import Directory
from pki.issuance import Issuer, Wanted, initialize
from pki.names import identity
from pki.registry import Registry
from tests.pki.databases import Url, execute, shared
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca
from tests.pki.test_audit_columns import found
from tests.pki.test_recording import answer

pytestmark = pytest.mark.usefixtures("small_keys")
Clock = Callable[[], datetime.datetime]


@pytest.fixture
def now() -> Clock:
    """A clock that is never read twice at the same time."""
    ticks = itertools.count()
    return lambda: NOW + next(ticks) * datetime.timedelta(milliseconds=7)


@pytest.mark.both_databases
def test_everything_that_is_issued(directory: Directory, tmp_path: Path, now: Clock) -> None:
    issuer = Issuer.of(directory)
    ca = Ca(directory)
    table = tmp_path / "peers.csv"
    table.write_text("profile,name\ngateway,a.example.org\ngateway,b.example.org\ngateway,c.example.org\n")
    assert [it.result for it in batch.issue(issuer, batch.read(table), now)] == ["issued"] * 3
    assert found(ca) == []
    renewal.renew(issuer, "a.example.org", now())
    renewal.rekey(issuer, "b.example.org", now())
    renewal.rekey(issuer, "c.example.org", now(), supersedes=True)
    assert found(ca) == []
    policy = Request("POLICY", "a.example.org", 'app_domain == "IPsec policy"', (), NOW + DAY)
    delegating.record(issuer.registry, delegating.prepare(directory, issuer.registry, policy, now()), now())
    wanted = Wanted(
        profiles.GATEWAY,
        (identity("d.example.org"),),
        delegations=lambda certificate: (
            delegating.prepare_with_certificate(directory, issuer.registry, policy, certificate, now()).draft,
        ),
    )
    issuer.record((issuer.ready(wanted, now()),), now())[0].record()
    assert found(ca) == []
    rollover.roll_over(directory, "Next CA", now())
    assert found(ca) == []


def test_moments_that_differ_by_less_than_a_second_are_told_apart(directory: Directory) -> None:
    Ca(directory).issue("gw.example.org")
    later = "issued_at = '2026-11-01 12:00:00.250000'"
    execute(directory.registry_path, f"UPDATE certificate SET {later} WHERE name = 'gw.example.org'")
    (told,) = found(Ca(directory))
    assert "is `2026-11-01 12:00:00.250000Z`, entry 2 of the log says `2026-11-01 12:00:00Z`" in told


def test_authorities_below_roots(url: Url, tmp_path: Path, now: Clock) -> None:
    initialize(tmp_path / "ca", "First CA", now(), registry_url=shared(url), root=Root("First Root"))
    rollover.roll_over(Directory(tmp_path / "ca"), "Next CA", now())
    requested.request(tmp_path / "below", "Other CA", tmp_path / "ca.csr", now(), shared(url))
    below = Directory(tmp_path / "below")
    requested.complete(below.path, answer(below), now())
    ca = Ca(below)
    ca.issue("gw.example.org")
    assert found(ca) == []
    assert len(Registry.open(url).authorities()) == 5
