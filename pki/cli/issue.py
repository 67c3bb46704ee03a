# SPDX-License-Identifier: ISC
"""`keynote-pki issue`."""

import datetime
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from keynote.cli.program import tell
from pki import authority, delegating
from pki.certificate_lint import Platform
from pki.chain_certificates import ReadCertificate
from pki.cli import issue_batch, issued, passphrases, platforms, requests, times
from pki.cli.common import as_json, current_time, days, in_directory, opened, validity
from pki.delegating import Request
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import PkiError
from pki.issuance import Issuer, Wanted
from pki.keystore import Passphrase
from pki.profiles import PROFILES, Profile
from pki.typed_names import TypedNames

F = TypeVar("F", bound=Callable[..., Any])


class _ByProfile(click.Group):
    """A command for each profile: ours, and those in the profiles.toml of the directory that is meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            own = Directory(_directory_in(args)).profiles().get(args[0])
            if own is not None and not own.is_authority:
                return own.name, _command(own), args[1:]
        return super().resolve_command(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *(name for name, it in _own_profiles().items() if not it.is_authority)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        own = _own_profiles().get(cmd_name) if found is None else None
        return _command(own) if own is not None and not own.is_authority else found


def _own_profiles() -> dict[str, Profile]:
    """For help, which is given whatever is in there."""
    try:
        return Directory(_directory_in(())).profiles()
    except PkiError:
        return {}


def _directory_in(arguments: Sequence[str]) -> Path:
    """The directory that a command line names, before it is read."""
    for at, word in enumerate(arguments):
        if word in ("-d", "--dir"):
            return Path(*arguments[at + 1 : at + 2])
        if word.startswith("--dir="):
            return Path(word.removeprefix("--dir="))
        if word.startswith("-d"):
            return Path(word.removeprefix("-d"))
    return Path(os.environ.get("KEYNOTE_PKI_DIR", "."))


@click.group("issue", cls=_ByProfile)
def command() -> None:
    """Issue a certificate with a new key, or for a key that its holder has (--csr).

    \b
    Example:
      keynote-pki issue gateway gw.example.org --ip 192.0.2.1
      keynote-pki issue road-warrior alice@example.org
      keynote-pki issue batch peers.csv
    """


_EXAMPLES = {
    "gateway": "gw.example.org --ip 192.0.2.1 --dns vpn.example.org",
    "road-warrior": "alice@example.org --days 90",
    "dual": "branch.example.org --mail noc@example.org",
    "legacy-isakmpd": "10.0.0.1",
}


def _command(profile: Profile) -> click.Command:
    example = _EXAMPLES.get(profile.name, "NAME")

    def callback(**options: Any) -> None:
        _issue(profile.name, **options)

    callback.__doc__ = f"""For {profile.about or "a peer"}.

    NAME is a host name, a mail address, an IP address or, but for the first, a distinguished name (/C=DE/CN=gw). The
    first one is what its holder goes by, and may be of the kind {", ".join(profile.identities)}. By its whole subject
    (--subject) it may call itself as well. With --csr the names may be those of the request.

    \b
    Example:
      keynote-pki issue {profile.name} {example}
      keynote-pki issue {profile.name} --csr peer.csr --accept
    """
    return click.command(profile.name, short_help=profile.about)(_issuing(callback))


def _issuing(issues: F) -> F:
    options = (
        click.argument("named", metavar="[NAME]...", nargs=-1),
        click.option("--ip", "addresses", multiple=True, metavar="ADDRESS", help="Certify this address as well."),
        click.option("--dns", "hosts", multiple=True, metavar="HOST", help="Certify this host name as well."),
        click.option("--mail", "mails", multiple=True, metavar="MAIL", help="Certify this mail address as well."),
        click.option("--dn", "directory_names", multiple=True, metavar="DN", help="Certify this DN as well."),
        click.option("--subject", metavar="DN", help="Its subject. Default: the authority's, with NAME."),
        click.option("--key", "kind", metavar="KIND", help="The kind of its new key."),
        requests.csr,
        requests.accept,
        days,
        times.not_after,
        click.option("--delegate-from", metavar="WHO", help="Delegate to it too: POLICY, or whoever delegates."),
        click.option("--conditions", default="", metavar="TEXT", help="What has to hold for that."),
        click.option("--template", "templates", multiple=True, metavar="NAME=ARGUMENT", help="The same by template."),
        platforms.option("Whose software has to take it"),
        passphrases.in_file,
        in_directory,
        as_json,
    )
    for option in reversed(options):
        issues = option(issues)
    return issues


def _issue(
    profile_name: str,
    *,
    named: tuple[str, ...],
    addresses: tuple[str, ...],
    hosts: tuple[str, ...],
    mails: tuple[str, ...],
    directory_names: tuple[str, ...],
    subject: str | None,
    kind: str | None,
    request_file: Path | None,
    accept: bool,
    days: int | None,
    not_after: str | None,
    delegate_from: str | None,
    conditions: str,
    templates: tuple[str, ...],
    wanted: frozenset[Platform],
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    if not named and request_file is None:
        raise click.UsageError("Missing argument 'NAME'.")
    if request_file is not None and kind is not None:
        raise click.UsageError("--csr has a key already: leave --key out")
    if accept and request_file is None:
        raise click.UsageError("--accept goes with --csr")
    if (conditions or templates) and delegate_from is None:
        raise click.UsageError("--conditions and --template are about a delegation: say --delegate-from")
    now = current_time()
    identities = TypedNames(named, hosts, addresses, mails, directory_names).identities()
    request = None if request_file is None else requests.read(request_file)
    if request is not None:
        identities = requests.decided(request, identities, accepted=accept)
    where, _ = opened(directory)
    profile = where.profiles()[profile_name]
    asked = passphrases.source(passphrase_file)
    issuer = Issuer.of(where, passphrase=asked)
    asked_for = Wanted(
        profile,
        identities,
        validity(days, not_after, now),
        subject=None if subject is None else authority.whole_name(subject),
        kind=kind,
        public_key=None if request is None else request.public_key,
        delegations=None
        if delegate_from is None
        else functools.partial(
            _delegations, issuer, Request(delegate_from, "", conditions, templates), asked=asked, now=now
        ),
        review=functools.partial(platforms.review, wanted=wanted),
    )
    record = issuer.issue(asked_for, now)
    issued.say(record, profile, "issued", now, directory, issuer.registry, as_json=as_json)


def _delegations(
    issuer: Issuer, request: Request, certificate: ReadCertificate, *, asked: Passphrase, now: datetime.datetime
) -> tuple[Draft, ...]:
    prepared = delegating.prepare_with_certificate(
        issuer.directory, issuer.registry, request, certificate, now, passphrase=asked
    )
    tell("keynote-pki", "warning", prepared.warnings)
    return (prepared.draft,)


for _profile in PROFILES.values():
    if not _profile.is_authority:
        command.add_command(_command(_profile))
command.add_command(issue_batch.command)
