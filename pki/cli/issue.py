# SPDX-License-Identifier: ISC
"""`keynote-pki issue`."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from keynote.cli.program import print_json
from pki import issuance, names, profiles
from pki.cli.common import as_json, current_time, days, in_directory, lifetime, opened, record_data
from pki.profiles import Profile

F = TypeVar("F", bound=Callable[..., Any])


@click.group("issue")
def command() -> None:
    """Issue a certificate with a new key.

    \b
    Example:
      keynote-pki issue gateway gw.example.org --ip 192.0.2.1
      keynote-pki issue road-warrior alice@example.org
    """


def _issuing(issues: F) -> F:
    options = (
        click.option("--ip", "addresses", multiple=True, metavar="ADDRESS", help="Certify this address as well."),
        click.option("--dns", "hosts", multiple=True, metavar="HOST", help="Certify this host name as well."),
        click.option("--mail", "mails", multiple=True, metavar="MAIL", help="Certify this mail address as well."),
        days,
        in_directory,
        as_json,
    )
    for option in reversed(options):
        issues = option(issues)
    return issues


@command.command()
@click.argument("identity", metavar="NAME")
@_issuing
def gateway(**options: Any) -> None:
    """A host, known by its name or address: the first identity that its certificate bears.

    \b
    Example:
      keynote-pki issue gateway gw.example.org --ip 192.0.2.1 --dns vpn.example.org
    """
    _issue(profiles.GATEWAY, **options)


@command.command("road-warrior")
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
    now = current_time()
    where, _ = opened(directory)
    record = issuance.issue(where, profile, identities, now, lifetime(days))
    if as_json:
        print_json(record_data(record, now))
        return
    click.echo(f"{record.name}: {profile.name} certificate issued, valid until {record.not_after:%Y-%m-%d}")
    click.echo(f"peers will see {record.identities[0]}")
    for other in record.identities[1:]:
        click.echo(f"it may also call itself {other}")
    click.echo(f"policies name it DN:{record.subject}")
    click.echo(f"serial {record.serial}")
    click.echo(f"next: keynote-pki export {record.name} --for FORMAT DIR --dir {directory}")
