# SPDX-License-Identifier: ISC
"""Killed before any system call of an issue that changes something, SQLite's and libpq's own among them."""

import itertools
import os
from functools import partial
from pathlib import Path

import pytest

from pki import batch, issuance, keys
from pki.directory import Directory
from pki.issuance import Issuer
from tests.pki import databases, factory, tracing
from tests.pki.databases import Url
from tests.pki.factory import NOW
from tests.pki.test_issuance import assert_whole, issue
from tests.pki.tracing import Untraceable

EVERY = 1 if os.environ.get("CI") else 7  # there are some two hundred, each with a process of its own


@pytest.fixture
def made(url: Url, scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Directory:
    """A CA directory, its registry in either database; all its keys are quickly made and read."""
    labels = itertools.cycle(["issued-0", "issued-1"])
    monkeypatch.setattr(keys, "generate", lambda kind: factory.ec_key(next(labels)))
    elsewhere = None if isinstance(url, Path) else url
    issuance.initialize(scratch / "ca", "Example CA", NOW, registry_url=elsewhere)
    return Directory(scratch / "ca")


def test_that_what_is_killed_is_dead(tmp_path: Path) -> None:
    def work() -> None:
        for name in "abc":
            (tmp_path / name).write_text("x")

    try:
        assert tracing.killed_at(2, work) == ["openat", "write", "openat"]
    except Untraceable as reason:
        pytest.skip(f"processes cannot be traced: {reason}")
    assert [it.name for it in tmp_path.iterdir()] == ["a"]
    assert tracing.killed_at(9, work) == ["openat", "write"] * 3


@pytest.mark.slow
def test_killed_before_any_system_call_of_an_issue(made: Directory, url: Url) -> None:
    outcomes: list[bool] = []
    seen: set[str] = set()
    for step in itertools.count(0, EVERY):
        name = f"gw{step}.example.org"
        try:
            calls = tracing.killed_at(step, partial(issue, made, name))
        except Untraceable as reason:
            pytest.skip(f"processes cannot be traced: {reason}")
        seen |= {*calls}
        registry = made.registry()
        recovered = issuance.recover_if_idle(made, registry)
        found = registry.find(name)
        assert registry.unfinished(made.settings().id) == ()
        assert sorted(it.name for it in made.keys.iterdir()) == sorted(registry.key_files(made.settings().id))
        assert [(it.name, it.completed) for it in recovered] in ([], [(name, bool(found))])
        if len(calls) <= step:
            assert found
            break
        outcomes.append(bool(found))
    assert_whole(made)
    assert set(outcomes) == {False, True}
    assert seen >= {"openat", "write", "fsync", "link", "unlink"}
    assert seen & ({"pwrite64", "fdatasync"} if isinstance(url, Path) else {"sendto"})
    entries = databases.rows(made.registry_url, "SELECT count(*) FROM audit")
    assert entries == [(len(made.registry().certificates()),)]


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_killed_before_system_calls_of_a_table(made: Directory) -> None:
    """Rows that are recorded together are there together."""
    outcomes: list[int] = []
    for step in itertools.count(0, 7):
        names = {f"gw{step}-{row}.example.org" for row in range(2)}
        rows = [batch.Row("peers.csv", 2, {"profile": "gateway", "name": name}) for name in names]

        def issue_all(rows: list[batch.Row] = rows) -> None:
            assert {it.result for it in batch.issue(Issuer.of(made), rows, lambda: NOW)} == {"issued"}

        try:
            calls = tracing.killed_at(step, issue_all)
        except Untraceable as reason:
            pytest.skip(f"processes cannot be traced: {reason}")
        registry = made.registry()
        recovered = issuance.recover_if_idle(made, registry)
        found = {it.name for it in registry.certificates()} & names
        assert registry.unfinished(made.settings().id) == ()
        assert sorted(it.name for it in made.keys.iterdir()) == sorted(registry.key_files(made.settings().id))
        assert {it.name for it in recovered} in (set(), names)
        assert {it.completed for it in recovered} <= {bool(found)}
        outcomes.append(len(found))
        if len(calls) <= step:
            break
    assert_whole(made)
    assert {*outcomes} == {0, 2}
