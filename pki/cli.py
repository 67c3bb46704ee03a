# SPDX-License-Identifier: ISC
"""keynote-pki: the commands. Each reads its arguments, calls the library once, and prints."""

import datetime
import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from keynote.cli.program import Program, json_option, print_json, tell
from keynote.complaints import Complaint
from pki import bundles, issuance, names, profiles
from pki.directory import Directory
from pki.errors import PkiError, RegistryError, shown
from pki.profiles import Profile
from pki.records import Record
from pki.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])

_SERIAL_SHOWN = 12
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

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


UNSAID = "what was to be made may be there: `keynote-pki list` tells"


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    Program("keynote-pki", cli, _errors, unsaid=UNSAID).run(arguments)


def _errors(error: Exception) -> Iterable[Complaint]:
    return (Complaint(str(error), hint=error.hint),) if isinstance(error, PkiError) else ()


@click.group(context_settings=_CONTEXT)
@click.version_option(package_name="keynote-ike", prog_name="keynote-pki")
def cli() -> None:
    """A certification authority for IPsec: issues what IKE peers accept, and remembers it.

    \b
    Start here:
      keynote-pki init ca --name "Example VPN CA"
      keynote-pki issue gateway gw.example.org --dir ca
      keynote-pki export isakmpd gw.example.org /tmp/gw --dir ca
    """


@cli.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", required=True, help='"Example VPN CA", or a whole name "/C=DE/O=Example/CN=Example VPN CA".')
@days
@as_json
def init(directory: Path, name: str, days: int | None, as_json: bool) -> None:
    """Make an authority, in a directory of its own.

    \b
    Example:
      keynote-pki init ca --name "Example VPN CA"
    """
    record = issuance.initialize(directory, name, _now(), _lifetime(days))
    where = Directory(directory)
    if as_json:
        print_json({**_json(record, _now()), "directory": str(directory), "registry": str(where.registry_path)})
        return
    click.echo(f"{record.name}: authority made, valid until {record.not_after:%Y-%m-%d}")
    click.echo(f"policies trust it as DN:{record.subject}")
    click.echo(f"sha256 {record.sha256}")
    click.echo(f"its private key is not encrypted: let nobody else read {where.path / 'keys'}")
    click.echo(f"next: keynote-pki issue gateway gw.example.org --dir {directory}")


@cli.group()
def issue() -> None:
    """Issue a certificate with a new key.

    \b
    Example:
      keynote-pki issue gateway gw.example.org --ip 192.0.2.1
      keynote-pki issue road-warrior alice@example.org
    """


def _issuing(command: F) -> F:
    options = (
        click.option("--ip", "addresses", multiple=True, metavar="ADDRESS", help="Certify this address as well."),
        click.option("--dns", "hosts", multiple=True, metavar="HOST", help="Certify this host name as well."),
        click.option("--mail", "mails", multiple=True, metavar="MAIL", help="Certify this mail address as well."),
        days,
        in_directory,
        as_json,
    )
    for option in reversed(options):
        command = option(command)
    return command


@issue.command()
@click.argument("identity", metavar="NAME")
@_issuing
def gateway(**options: Any) -> None:
    """A host, known by its name or address: the first identity that its certificate bears.

    \b
    Example:
      keynote-pki issue gateway gw.example.org --ip 192.0.2.1 --dns vpn.example.org
    """
    _issue(profiles.GATEWAY, **options)


@issue.command("road-warrior")
@click.argument("identity", metavar="MAIL")
@_issuing
def road_warrior(**options: Any) -> None:
    """A person, known by a mail address.

    \b
    Example:
      keynote-pki issue road-warrior alice@example.org --days 90
    """
    _issue(profiles.ROAD_WARRIOR, **options)


def _issue(
    profile: Profile,
    *,
    identity: str,
    addresses: Sequence[str],
    hosts: Sequence[str],
    mails: Sequence[str],
    days: int | None,
    directory: Path,
    as_json: bool,
) -> None:
    identities = (
        names.identity(identity),
        *(names.Identity("FQDN", names.fqdn(host)) for host in hosts),
        *(names.address(address) for address in addresses),
        *(names.Identity("USER_FQDN", names.mail(mail)) for mail in mails),
    )
    now = _now()
    where, _ = _open(directory)
    record = issuance.issue(where, profile, identities, now, _lifetime(days))
    if as_json:
        print_json(_json(record, now))
        return
    click.echo(f"{record.name}: {profile.name} certificate issued, valid until {record.not_after:%Y-%m-%d}")
    click.echo(f"peers will see {record.identities[0]}")
    for other in record.identities[1:]:
        click.echo(f"it may also call itself {other}")
    click.echo(f"policies name it DN:{record.subject}")
    click.echo(f"serial {record.serial}")
    click.echo(f"next: keynote-pki export isakmpd {record.name} DIR --dir {directory}")


@cli.command("list")
@in_directory
@as_json
def list_(directory: Path, as_json: bool) -> None:
    """List everything issued.

    \b
    Example:
      keynote-pki list --dir ca
      keynote-pki list --json | jq '.certificates[] | select(.status != "valid")'
    """
    _, registry = _open(directory)
    now = _now()
    records = registry.certificates()
    if as_json:
        print_json({"certificates": [_json(record, now) for record in records]})
        return
    rows = [("NAME", "PROFILE", "STATUS", "UNTIL", "SERIAL")]
    for record in sorted(records, key=lambda record: record.profile != profiles.CA.name):
        until = f"{record.not_after:%Y-%m-%d}"
        rows.append((record.name, record.profile, record.validity(now), until, record.serial[:_SERIAL_SHOWN]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@cli.command()
@click.argument("name")
@click.option("--pem", is_flag=True, help="Print the certificate itself, in PEM.")
@in_directory
@as_json
def show(name: str, pem: bool, directory: Path, as_json: bool) -> None:
    """Show a certificate: by name, identity, subject, serial number or SHA-256 (or how these two begin).

    \b
    Example:
      keynote-pki show gw.example.org
      keynote-pki show --pem 4f2a91c07d3e > gw.crt
    """
    where, registry = _open(directory)
    now = _now()
    record = _find(registry, name)
    if as_json:
        texts = {"pem": bundles.pem(record)} if pem else {}
        print_json({**_json(record, now), **texts})
        return
    if pem:
        click.echo(bundles.pem(record), nl=False)
        return
    subject = names.dn_from_keynote(record.subject)
    facts: list[tuple[str, str]] = [
        ("name", record.name),
        ("profile", record.profile),
        ("status", record.validity(now)),
        ("valid", f"{record.not_before:%Y-%m-%d %H:%M:%SZ} to {record.not_after:%Y-%m-%d %H:%M:%SZ}"),
        *(("identity", str(identity)) for identity in record.identities),
        ("KeyNote", names.dn_principal(subject)),
        ("RFC 4514", names.dn_rfc4514(subject)),
        ("serial", record.serial),
        ("sha256", record.sha256),
        ("key", str(where.key_path(record.key_file)) if record.key_file else "not kept here"),
    ]
    for label, value in facts:
        click.echo(f"{label:10}{value}")


@cli.group()
def export() -> None:
    """Hand a certificate over, with its private key, in the form that its holder's software reads.

    \b
    Example:
      keynote-pki export isakmpd gw.example.org /tmp/gw
    """


@export.command("isakmpd")
@click.argument("name")
@click.argument("destination", metavar="DIR", type=click.Path(path_type=Path))
@in_directory
@as_json
def export_isakmpd(name: str, destination: Path, directory: Path, as_json: bool) -> None:
    """The files that isakmpd and ike-auth look for below /etc/isakmpd: ca/ certs/ private/ crls/.

    \b
    Example:
      keynote-pki export isakmpd gw.example.org /tmp/gw
      (cd /tmp/gw && tar c .) | ssh gw tar x -C /etc/isakmpd
    """
    where, registry = _open(directory)
    record = _find(registry, name)
    if not record.identities:
        raise PkiError(f"`{record.name}` is an authority, not a peer", "export the certificate of a peer")
    bundle = bundles.isakmpd(record, where.authority(registry), where.signer(record).key)
    written = bundles.write(bundle, destination)
    if as_json:
        print_json({"name": record.name, "serial": record.serial, "files": [str(path) for path in written]})
        return
    for path in written:
        click.echo(str(path))


def _open(path: Path) -> tuple[Directory, Registry]:
    """The directory and its registry, with what was interrupted there brought to an end, and said."""
    directory = Directory(path)
    registry = directory.registry()
    for recovered in issuance.recover_if_idle(directory, registry):
        what = "completed" if recovered.completed else "undone"
        tell("keynote-pki", "note", [Complaint(f"an interrupted issue of `{recovered.name}` was {what}")])
    return directory, registry


def _find(registry: Registry, text: str) -> Record:
    found = registry.find(text)
    if len(found) == 1:
        return found[0]
    if found:
        candidates = ", ".join(f"{it.serial[:_SERIAL_SHOWN]} ({it.name}, {it.not_after:%Y-%m-%d})" for it in found)
        raise RegistryError(
            f"`{shown(text)}` is {len(found)} certificates: {candidates}", "give the serial number of one"
        )
    near = difflib.get_close_matches(text, {record.name for record in registry.certificates()}, n=1)
    raise RegistryError(
        f"no certificate `{shown(text)}` was issued here", f"did you mean `{near[0]}`?" if near else ""
    )


def _json(record: Record, now: datetime.datetime) -> dict[str, Any]:
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
    }


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _lifetime(days: int | None) -> datetime.timedelta | None:
    return None if days is None else datetime.timedelta(days=days)
