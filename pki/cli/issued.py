# SPDX-License-Identifier: ISC
"""What is said of a certificate that was issued for a peer."""

import datetime
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import candidates, keys
from pki.cli import tables
from pki.cli.common import constrained, record_data
from pki.profiles import Profile
from pki.records import Record
from pki.registry import Registry


def say(
    record: Record,
    profile: Profile,
    done: str,
    now: datetime.datetime,
    directory: Path,
    registry: Registry,
    *,
    as_json: bool,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """`done` is what was done: `issued`, `renewed`; `more` is told to programs besides."""
    kind = keys.kind(record.certificate.public_key())
    if kind in keys.EXPERIMENTAL:
        text = f"keys of kind {kind} are experimental: hardly any peer knows them, and messages with them are large"
        tell("keynote-pki", "warning", [Complaint(text)])
    if profile.note:
        tell("keynote-pki", "note", [Complaint(profile.note)])
    if as_json:
        print_json({**record_data(record, now, constrained(registry)), **more})
        return
    tables.echo_line(f"{record.name}: {record.profile} certificate {done}, valid until {record.not_after:%Y-%m-%d}")
    tables.echo_line(f"peers will see {record.identities[0]}")
    for other in record.identities[1:]:
        if other.kind == "DER_ASN1_DN":
            tables.echo_line(f"some peers know it as {other} too")
        else:
            tables.echo_line(f"it may also call itself {other}")
    if record.authority_id in constrained(registry):
        tables.echo_line("it may not call itself by its subject: its authority is constrained to other names")
    else:
        tables.echo_line(f"it may also call itself ID_DER_ASN1_DN {record.subject}")
    tables.echo_line(f"policies name it DN:{record.subject}")
    tables.echo_line(f"serial {record.serial}")
    how = "--for FORMAT"
    if record.key_file is None:
        tables.echo_line("its private key is with its holder")
        how = "--for pem --no-key"  # which takes every kind of key
    alone = sum(candidates.holds(it, now) for it in registry.find(record.name)) == 1
    named = shlex.quote(record.name) if alone else record.serial[: candidates.SERIAL_SHOWN]
    tables.echo_line(f"next: keynote-pki export {named} {how} --dir {shlex.quote(str(directory))}")
