# SPDX-License-Identifier: ISC
"""`keynote-pki renew`, `rekey` and `supersede`: another certificate for the same holder."""

import datetime
import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from keynote.principals import is_key
from pki import registry_delegations, renewal
from pki.carrying import LeftBehind
from pki.certificate_lint import Platform
from pki.cli import delegation_output, issued, passphrases, platforms, requests, tables, times
from pki.cli.common import (
    SERIAL_SHOWN,
    as_json,
    certificate_argument,
    current_time,
    days,
    in_directory,
    opened,
    tell_others,
    validity,
)
from pki.delegation_records import DelegationRecord
from pki.issuance import Issuer, Review
from pki.records import Record
from pki.registry import Registry
from pki.renewal import Followed

F = TypeVar("F", bound=Callable[..., Any])

_kind = click.option("--key", "kind", metavar="KIND", help="The kind of its new key. Default: that of the old one.")


def _following(command: F) -> F:
    options = (
        certificate_argument,
        days,
        times.not_after,
        platforms.option("Whose software has to take it"),
        passphrases.in_file,
        in_directory,
        as_json,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("renew")
@_following
def renew(name: str, days: int | None, not_after: str | None, **where: Any) -> None:
    """A new certificate for the key and the names of one that is there. Both are valid until the old one ends.

    \b
    Example:
      keynote-pki renew gw.example.org
    """

    def follow(issuer: Issuer, now: datetime.datetime, review: Review) -> Followed:
        return renewal.renew(issuer, name, now, validity(days, not_after, now), review=review)

    _follow(follow, "renewed", **where)


@click.command("rekey")
@_kind
@requests.csr
@_following
def rekey(
    name: str, kind: str | None, request_file: Path | None, days: int | None, not_after: str | None, **where: Any
) -> None:
    """A new certificate with a new key, for the names of one that is there. Both are valid until the old one ends.

    \b
    Example:
      keynote-pki rekey gw.example.org --key rsa-3072
      keynote-pki rekey alice@example.org --csr alice.csr
    """
    _rekey(name, kind, request_file, days, not_after, "rekeyed", supersedes=False, **where)


@click.command("supersede")
@_kind
@requests.csr
@_following
def supersede(
    name: str, kind: str | None, request_file: Path | None, days: int | None, not_after: str | None, **where: Any
) -> None:
    """A new certificate with a new key, and the old one is revoked (superseded): both or neither. Publish a
    revocation list then, and hand the new certificate over at once.

    \b
    Example:
      keynote-pki supersede gw.example.org
    """
    _rekey(name, kind, request_file, days, not_after, "issued", supersedes=True, **where)


def _rekey(
    name: str,
    kind: str | None,
    request_file: Path | None,
    days: int | None,
    not_after: str | None,
    done: str,
    *,
    supersedes: bool,
    **where: Any,
) -> None:
    if kind is not None and request_file is not None:
        raise click.UsageError("--csr has a key already: leave --key out")
    request = None if request_file is None else requests.read(request_file)

    def follow(issuer: Issuer, now: datetime.datetime, review: Review) -> Followed:
        public_key = None
        if request is not None:
            requests.decided(request, issuer.newest(name, now).identities, accepted=False)
            public_key = request.public_key
        lifetime = validity(days, not_after, now)
        return renewal.rekey(
            issuer,
            name,
            now,
            lifetime,
            kind=kind,
            public_key=public_key,
            supersedes=supersedes,
            review=review,
        )

    _follow(follow, done, **where)


def _follow(
    follow: Callable[[Issuer, datetime.datetime, Review], Followed],
    done: str,
    *,
    wanted: frozenset[Platform],
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    now = current_time()
    where, registry = opened(directory)
    issuer = Issuer.of(where, passphrase=passphrases.source(passphrase_file))
    followed = follow(issuer, now, functools.partial(platforms.review, wanted=wanted))
    profile = where.profiles()[followed.record.profile]
    old = registry.find_one(followed.follows.sha256)
    others = [it for it in registry.find(old.name) if it.sha256 != followed.record.sha256]
    tell_others(old.name, old, others, now, "this is the one that was followed")
    tell("keynote-pki", "warning", [_left_behind(registry, followed.record, it, now) for it in followed.left])
    more = {
        "delegations": [
            {**delegation_output.data(it, now), "carries_on": before} for before, it in followed.delegations
        ],
        "delegations_left": [{"number": it.record.number, "why": it.why} for it in followed.left],
    }
    issued.say(followed.record, profile, done, now, directory, registry, as_json=as_json, more=more)
    if not as_json:
        ends = "revoked" if old.revoked_at is not None else f"valid until {old.not_after:%Y-%m-%d}"
        tables.echo_line(f"the one before, serial {old.serial}, is {ends}")
        for before, made in followed.delegations:
            with_old = "was revoked with the one before, and" if old.revoked_at is not None else "stays, and"
            tables.echo_line(
                f"delegation {before} {with_old} goes on as {made.number}, {delegation_output.until(made)}"
            )


def _left_behind(registry: Registry, new: Record, left: LeftBehind, now: datetime.datetime) -> Complaint:
    number, authorizer = left.record.number, _who(registry, left.record.authorizer, now)
    return Complaint(
        f"delegation {number} does not go on with the new certificate: {left.why}",
        hint=f"delegate anew what `keynote-pki delegations show {number}` has: keynote-pki delegate "
        f"--from {shlex.quote(authorizer)} --to {shlex.quote(_whom(new, left.record))} …",
    )


def _who(registry: Registry, principal: str, now: datetime.datetime) -> str:
    """A principal as it can be typed: a key by a certificate that it has here, else whole."""
    sha256 = registry_delegations.key_sha256(principal) if is_key(principal) else None
    certified = registry.with_key(sha256) if sha256 is not None else ()
    holding = [it for it in certified if it.validity(now) == "valid"]
    return f"key:{holding[0].serial[:SERIAL_SHOWN]}" if holding else principal


def _whom(new: Record, record: DelegationRecord) -> str:
    return f"key:{new.serial[:SERIAL_SHOWN]}" if is_key(record.licensee) else new.name
