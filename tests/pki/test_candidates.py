# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Which certificate a name means, where it has several."""

from pathlib import Path

import pytest

from pki import renewal
from pki.cli.common import current_time
from pki.directory import Directory
from pki.issuance import Issuer
from pki.records import Record
from tests.pki.test_cli import Run, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")


def made(run: Run, holding: int, revoked: int) -> list[Record]:
    """The certificates of gw.example.org in `ca`: so many that hold, and others that are revoked, which come last."""
    run("keynote-pki init ca --name CA --key p-256")
    run("keynote-pki issue gateway gw.example.org -d ca")
    directory, now = Directory(Path("ca")), current_time()
    records = [directory.registry().find_one("gw.example.org")]
    while len(records) < holding + revoked:
        records.append(renewal.renew(Issuer.of(directory), records[-1].serial, now).record)
    for record in records[holding:]:
        directory.registry().revoke(record.authority_id, record.serial, "superseded", now)
    return records


def test_the_one_that_holds_is_meant_and_that_there_are_others_is_said(run: Run) -> None:
    good, *_ = made(run, 1, 2)
    others = "note: `gw.example.org` finds other certificates too (2 revoked)"
    note = f"{others}: this is the one that holds, serial {good.serial}"
    for command in ("show {}", "export {} out --for pem", "lint {} --fail-on never"):
        done = run(f"keynote-pki {command.format('gw.example.org')} -d ca --json")
        assert (done.status, note in done.err) == (0, True), command
        assert good.serial in done.out or good.sha256 in done.out
    assert run(f"keynote-pki show {good.serial} -d ca").err == ""
    renewed = run("keynote-pki renew gw.example.org -d ca")
    assert f"the one before, serial {good.serial}," in renewed.out
    assert "finds other certificates too (2 revoked): this is the one that was followed" in renewed.err


def test_candidates_are_told_apart(run: Run) -> None:
    one, two, gone = made(run, 2, 1)
    done = run("keynote-pki show gw.example.org -d ca")
    assert done.status == 1
    assert "`gw.example.org` is 3 certificates: " in done.err
    dates = f"{one.not_before:%Y-%m-%d} to {one.not_after:%Y-%m-%d}, by `CA`"
    for record in (one, two):
        assert f"{record.serial[:12]} (gw.example.org, valid, {dates})" in done.err
    assert f"{gone.serial[:12]} (gw.example.org, revoked on {current_time():%Y-%m-%d} as superseded, " in done.err
    assert "give the serial number of one" in done.err


def test_what_is_wholly_revoked_is_said_to_be(run: Run) -> None:
    made(run, 0, 2)
    for command in ("show {}", "export {} out --for pem"):
        done = run(f"keynote-pki {command.format('gw.example.org')} -d ca")
        assert (done.status, "`gw.example.org` is 2 certificates, all revoked: " in done.err) == (1, True)
    for options in ("", "--every "):
        done = run(f"keynote-pki revoke gw.example.org {options}--reason keyCompromise --yes -d ca")
        assert done.status == 1
        assert "`gw.example.org` was revoked already: 2 certificates, the last on 2" in done.err
        assert "Z: superseded\n" in done.err


def test_of_many_some_are_listed(run: Run) -> None:
    records = made(run, 12, 0)
    done = run("keynote-pki revoke gw.example.org --reason keyCompromise --yes -d ca")
    assert "`gw.example.org` is 12 certificates that hold: " in done.err
    assert "and 2 more" in done.err
    assert sum(record.serial[:12] in done.err for record in records) == 10
