# SPDX-License-Identifier: ISC
"""What several commands share: options, opening a directory, finding a certificate, a certificate as JSON."""

import datetime
from collections.abc import Iterable, Iterator, Set
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from keynote.cli.program import json_option, tell
from keynote.complaints import Complaint
from pki import candidates, issuance, names, profiles
from pki.candidates import SERIAL_SHOWN as SERIAL_SHOWN
from pki.chain_constraints import permits_some_names_only
from pki.cli import times
from pki.directory import Directory
from pki.errors import PkiError, shown
from pki.records import AuthorityRecord, Choice, Record
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
_USUAL = ", ".join(f"{it.name} {it.lifetime.days}" for it in profiles.PROFILES.values() if it != profiles.CROSS)
days = click.option(
    "--days", type=click.IntRange(1, 36500), metavar="N", help=f"How long it is valid. Usual: {_USUAL}."
)

root_key = click.option(
    "--root-key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The private key of the root that is there, where it is not in the CA's directory.",
)


root_keys = click.option(
    "--root-key",
    "root_keys",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="The private key of a root, where it is not in the CA's directory. Of several roots give several.",
)


def complete_names(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names and identities of certificates that begin so, but for those that a terminal would obey. Nothing where
    there is no registry that can be read."""
    try:
        where = Directory(context.params.get("directory") or Path("."))
        records = Registry.open_read_only(where.existing_registry()).listed(Choice(current_time()))
    except PkiError:
        return []
    begin = [it for it in records if it.name.startswith(begun) and it.name.isprintable()]
    found = {record.name: record.profile for record in begin}
    return [CompletionItem(name, help=profile) for name, profile in found.items()]


certificate_argument = click.argument("name", shell_complete=complete_names)


def meant(registry: Registry, text: str, now: datetime.datetime) -> Record:
    """The certificate that is meant; where others are found too, which do not hold, that is said. Raises
    RegistryError."""
    record, found = registry.find_holding(text, now)
    tell_others(text, record, found, now, "this is the one that holds")
    return record


def tell_others(text: str, record: Record, found: Iterable[Record], now: datetime.datetime, which: str) -> None:
    """A note that a text finds other certificates than the one that was taken, and how many of which kind."""
    others = candidates.others(record, found, now)
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items()))
        about = f"`{shown(text)}` finds other certificates too ({kinds})"
        tell("keynote-pki", "note", [Complaint(f"{about}: {which}, serial {record.serial}")])


def opened(path: Path) -> tuple[Directory, Registry]:
    """The directory and its registry, with what was interrupted there brought to an end, and said."""
    directory = Directory(path)
    registry = directory.registry()
    for recovered in issuance.recover_if_idle(directory, registry):
        what = "completed" if recovered.completed else "undone"
        tell("keynote-pki", "note", [Complaint(f"an interrupted issue of `{recovered.name}` was {what}")])
    return directory, registry


def record_data(record: Record, now: datetime.datetime, constrained: Set[int] = frozenset()) -> dict[str, Any]:
    """`constrained` is needed for peers: see `ike_identities`."""
    subject = names.dn_from_keynote(record.subject)
    return {
        "name": record.name,
        "profile": record.profile,
        "status": record.validity(now),
        "not_before": f"{record.not_before:%Y-%m-%dT%H:%M:%SZ}",
        "not_after": f"{record.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "identities": [{"kind": identity.kind, "value": identity.value} for identity in record.identities],
        "ike_identities": [{"kind": it.kind, "value": it.value} for it in ike_identities(record, constrained)],
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


def constrained(registry: Registry) -> frozenset[int]:
    """The authorities below which no subject is an identity, by their own name constraints or those above."""
    found = {it.id: it for it in registry.authorities()}
    own = {it.id for it in found.values() if permits_some_names_only(it.certificate.certificate)}

    def above(authority: AuthorityRecord) -> Iterator[int]:
        yield authority.id
        if authority.issuer_id != authority.id and authority.issuer_id in found:
            yield from above(found[authority.issuer_id])

    return frozenset(it.id for it in found.values() if not own.isdisjoint(above(it)))


def ike_identities(record: Record, constrained: Set[int]) -> tuple[names.Identity, ...]:
    """All that its holder may call itself in IKE, the subject last unless its authority is one of the `constrained`;
    an authority nothing. A distinguished name among the subjectAltNames is not what peers compare ID_DER_ASN1_DN with
    (RFC 4945 3.1.5)."""
    if not record.identities:
        return ()
    own = tuple(it for it in record.identities if it.kind != "DER_ASN1_DN")
    return own if record.authority_id in constrained else (*own, names.Identity("DER_ASN1_DN", record.subject))


def current_time() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def lifetime(days: int | None) -> datetime.timedelta | None:
    return None if days is None else datetime.timedelta(days=days)


def validity(days: int | None, not_after: str | None, now: datetime.datetime) -> datetime.timedelta | None:
    """What --days and --not-after say, from `now` on. Raises click.UsageError."""
    if not_after is None:
        return lifetime(days)
    if days is not None:
        raise click.UsageError("--days and --not-after are one thing: give one of them")
    end = None if not_after == "never" else times.some_end(not_after, now)
    if end is None or end <= now:
        raise click.UsageError(f"--not-after {not_after}: a certificate ends some day, and not yet")
    return end - now.replace(microsecond=0)


def confirm(question: str) -> None:
    """Asks at the terminal. Raises PkiError for a no, click.Abort where there is no answer."""
    if not click.confirm(question, err=True):
        raise PkiError("declined: nothing was changed")
