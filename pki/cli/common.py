# SPDX-License-Identifier: ISC
"""What several commands share: options, opening a directory, finding a certificate, a certificate as JSON."""

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from keynote.cli.program import json_option, tell
from keynote.complaints import Complaint
from pki import issuance, names, profiles
from pki.candidates import SERIAL_SHOWN as SERIAL_SHOWN
from pki.directory import Directory
from pki.errors import ConditionsInvalid, PkiError
from pki.records import Record
from pki.registry import Registry

as_json = json_option("Print one JSON object.")
in_directory = click.option(
    "-d",
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    envvar="KEYNOTE_PKI_DIR",
    default=Path("."),
    help="The CA's directory. Default: $KEYNOTE_PKI_DIR, else the current directory.",
)
_USUAL = ", ".join(f"{profile.name} {profile.lifetime.days}" for profile in profiles.PROFILES.values())
days = click.option(
    "--days", type=click.IntRange(1, 36500), metavar="N", help=f"How long it is valid. Usual: {_USUAL}."
)


def opened(path: Path) -> tuple[Directory, Registry]:
    """The directory and its registry, with what was interrupted there brought to an end, and said."""
    directory = Directory(path)
    registry = directory.registry()
    for recovered in issuance.recover_if_idle(directory, registry):
        what = "completed" if recovered.completed else "undone"
        tell("keynote-pki", "note", [Complaint(f"an interrupted issue of `{recovered.name}` was {what}")])
    return directory, registry


def found(registry: Registry, text: str) -> Record:
    """The one certificate that is meant. Raises RegistryError for none and for several, which it lists."""
    return registry.find_one(text)


def record_data(record: Record, now: datetime.datetime) -> dict[str, Any]:
    subject = names.dn_from_keynote(record.subject)
    return {
        "name": record.name,
        "profile": record.profile,
        "status": record.validity(now),
        "not_before": f"{record.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{record.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "identities": [{"kind": identity.kind, "value": identity.value} for identity in record.identities],
        "principal": names.dn_principal(subject),
        "subject": {
            "keynote": record.subject,
            "openssl": names.dn_openssl(subject),
            "rfc4514": names.dn_rfc4514(subject),
        },
        "serial": record.serial,
        "sha256": record.sha256,
        "issued_at": f"{record.issued_at:%Y-%m-%dT%H:%M:%SZ}",
        "supersedes": record.supersedes,
        "revoked_at": None if record.revoked_at is None else f"{record.revoked_at:%Y-%m-%dT%H:%M:%SZ}",
        "revocation_reason": record.revocation_reason,
    }


def current_time() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def lifetime(days: int | None) -> datetime.timedelta | None:
    return None if days is None else datetime.timedelta(days=days)


def complaints(error: Exception) -> Iterable[Complaint]:
    """What an error of this library tells."""
    if isinstance(error, ConditionsInvalid):
        return error.complaints
    return (Complaint(str(error), hint=error.hint),) if isinstance(error, PkiError) else ()
