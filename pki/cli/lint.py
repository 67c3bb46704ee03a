# SPDX-License-Identifier: ISC
"""`keynote-pki lint`: what is doubtful in certificates, and where it would fail."""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from keynote.cli.program import only_reads, print_json
from keynote.cli.severities import counted, fail_on_options, matters
from pki import certificate_files, chain_certificates
from pki.certificate_lint import (
    CHECKS,
    EVERYWHERE,
    Finding,
    Platform,
    Role,
    guessed_role,
    lint,
    page,
    reference,
    unreadable,
)
from pki.certificate_signatures import is_signed_by
from pki.chain_certificates import ChainError, ReadCertificate
from pki.cli import inputs, platforms, tables
from pki.cli.common import SERIAL_SHOWN, as_json, complete_names, current_time, in_directory, meant
from pki.directory import Directory
from pki.errors import DerInvalid, PkiError, RegistryError, RegistryUnreachable, shown
from pki.registry import Registry

CLEAN: Final = 0
FOUND: Final = 1

_FILE: Final = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_ROLES: Final = [str(Role.GATEWAY), str(Role.CLIENT)]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where certificates are from: a file, or the registry, by a name there."""

    ders: tuple[bytes, ...] | DerInvalid
    file: str | None = None
    name: str | None = None
    issuers: tuple[ReadCertificate, ...] = ()  # the authority that the registry says has issued it

    def __str__(self) -> str:
        return self.file or self.name or ""


@dataclass(frozen=True, slots=True)
class _Looked:
    """One certificate, or what stands where one should."""

    source: "_Source"
    certificate: ReadCertificate | None
    role: Role | None
    guessed: bool
    findings: tuple[Finding, ...]

    def data(self) -> dict[str, Any]:
        certificate = self.certificate
        return {
            "file": self.source.file,
            "name": self.source.name,
            "subject": certificate and certificate.subject,
            "sha256": certificate and certificate.sha256.hex(),
            "role": self.role,
            "role_guessed": self.guessed,
            "findings": [finding.data() for finding in self.findings],
        }


def _complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    return [*complete_names(context, parameter, begun), CompletionItem(begun, type="file")]


@click.command("lint")
@click.argument("certificates", nargs=-1, metavar="[CERT]...", shell_complete=_complete)
@platforms.option("For whom")
@click.option(
    "--role", type=click.Choice(_ROLES), help="What its holder is. Guessed from the certificate if not given."
)
@click.option("--issuer", type=_FILE, metavar="FILE", help="The certificate of its authority.")
@fail_on_options(FOUND)
@click.option("--explain", metavar="CODE", help="Say what a check is, or with `all` what all are.")
@in_directory
@as_json
def command(
    certificates: Sequence[str],
    wanted: frozenset[Platform],
    role: str | None,
    issuer: Path | None,
    strict: bool,
    fail_on: str,
    explain: str | None,
    directory: Path,
    as_json: bool,
) -> int:
    """Look for what is doubtful in certificates, by the RFCs, for ike-auth, and for the platforms that are named.

    CERT is a file in PEM or DER, or `-`; or, where there is no such file, what finds a certificate of the CA in
    --dir: a name, an identity, a subject, a serial number or SHA-256 (or how these two begin). Where a file holds
    several certificates they are looked at as a chain, in any order, and --role is that of the first. Each finding
    says who would refuse the certificate, and what to do. The exit status is 0 if nothing was found that matters
    (--fail-on), 1 if something was.

    \b
    Example:
      keynote-pki lint gw.crt --issuer ca.crt --for ios,windows
      keynote-pki lint gw.example.org --dir ca --for all
      keynote-pki lint --explain PK701
    """
    only_reads()
    if explain is not None:
        _explain(explain, as_json)
        return CLEAN
    if not certificates:
        raise click.UsageError("nothing to look at: name a file, a certificate of the CA, or `-`")
    authorities = [] if issuer is None else [_authority(issuer)]
    now = current_time()
    sources = [_source(text, directory, now) for text in certificates]
    looked = [
        found
        for source in sources
        for found in _looked(source, authorities, EVERYWHERE | wanted, None if role is None else Role(role), now)
    ]
    if as_json:
        print_json({"certificates": [each.data() for each in looked]})
    else:
        _print(looked)
    severities = (finding.severity for each in looked for finding in each.findings)
    return FOUND if matters(severities, strict=strict, fail_on=fail_on) else CLEAN


def _explain(code: str, as_json: bool) -> None:
    if code == platforms.ALL:
        if as_json:
            print_json({"checks": [it.data() for it in CHECKS.values()]})
        else:
            click.echo(reference(), nl=False)
        return
    check = CHECKS.get(code.upper())
    if check is None:
        raise click.BadParameter(f"no check `{shown(code)}`; `--explain all` has them all", param_hint="--explain")
    if as_json:
        print_json(check.data())
    else:
        click.echo(page(check), nl=False)


def _name(file: Path) -> str:
    return "standard input" if file == inputs.STANDARD else shown(str(file))


def _authority(file: Path) -> ReadCertificate:
    data = inputs.content_or_standard(file)
    try:
        return chain_certificates.load(certificate_files.certificates(data)[0])
    except PkiError as error:
        raise PkiError(f"{_name(file)}: {error}", error.hint or "give the certificate of the authority") from error


def _source(text: str, directory: Path, now: datetime.datetime) -> _Source:
    """Raises PkiError, and click.UsageError where there is neither a file nor an authority."""
    if text == str(inputs.STANDARD) or _is_file(text):
        file = Path(_FILE.convert(text, None, None))
        try:
            return _Source(certificate_files.certificates(inputs.content_or_standard(file)), _name(file))
        except DerInvalid as error:
            return _Source(error, _name(file))
    lacks = f"file `{shown(text)}` does not exist"
    try:
        url = Directory(directory).existing_registry()
    except PkiError as error:
        raise click.UsageError(f"{lacks}, and {error}") from error
    registry = Registry.open_read_only(url)
    try:
        record = meant(registry, text, now)
    except RegistryUnreachable:
        raise
    except RegistryError as error:
        raise RegistryError(f"{lacks}, and {error}", error.hint) from error
    issuers = tuple(it.certificate.read() for it in registry.authorities() if it.id == record.authority_id)
    return _Source((record.der,), name=f"{record.name} ({record.serial[:SERIAL_SHOWN]})", issuers=issuers)


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists() and not Path(text).is_dir()  # a pipe will do
    except OSError:  # no name that a file could have
        return False


def _looked(
    source: _Source,
    authorities: Sequence[ReadCertificate],
    wanted: frozenset[Platform],
    role: Role | None,
    now: datetime.datetime,
) -> Iterator[_Looked]:
    if isinstance(source.ders, DerInvalid):
        yield _Looked(source, None, None, False, (unreadable(source.ders),))
        return
    authorities = authorities or source.issuers
    found = [_loaded(der) for der in source.ders]
    chain = [each for each in found if isinstance(each, ReadCertificate)]
    for number, each in enumerate(found):
        if isinstance(each, ChainError):
            yield _Looked(source, None, None, False, (unreadable(each),))
            continue
        its_role = role if number == 0 else None
        issuer = _issuer(each, [*authorities, *chain]) or (authorities[0] if authorities and number == 0 else None)
        findings = lint(each, issuer, role=its_role, platforms=wanted, now=now)
        the_role = its_role or guessed_role(each)
        yield _Looked(source, each, the_role, its_role is None and the_role is not Role.AUTHORITY, findings)


def _loaded(der: bytes) -> ReadCertificate | ChainError:
    try:
        return chain_certificates.load(der)
    except ChainError as error:
        return error


def _issuer(certificate: ReadCertificate, candidates: Sequence[ReadCertificate]) -> ReadCertificate | None:
    """Of those with the issuer's name the one that signed it, else the first; itself, where it signs itself."""
    named = [each for each in candidates if each.subject_der == certificate.issuer_der]
    signers = [each for each in named if is_signed_by(certificate.certificate, each.public_key)]
    return next(iter([*signers, *named]), None)


def _print(looked: Sequence[_Looked]) -> None:
    for each in looked:
        if each.certificate is not None:
            tables.echo_line(
                f"{each.source}: {each.role}{' (guessed)' if each.guessed else ''} `{each.certificate.subject}`"
            )
        for finding in each.findings:
            tables.echo_line(f"{each.source}: {finding}")
            tables.echo_line(f"    fails: {finding.fails}")
            tables.echo_line(f"    hint: {finding.hint}")
            tables.echo_line(f"    source: {finding.source}")
    count = f"{len(looked)} certificate{'' if len(looked) == 1 else 's'}"
    tables.echo_line(f"{count}, {counted(finding.severity for each in looked for finding in each.findings)}")
