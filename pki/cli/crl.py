# SPDX-License-Identifier: ISC
"""`keynote-pki crl`: the lists of what is revoked."""

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from keynote.cli.program import FAILED, Failed, only_reads, print_json, settled, tell
from keynote.complaints import Complaint
from pki import publishing, revocation, revocation_lists, whole_files
from pki.audit import Head
from pki.cli import authority_keys, inputs, passphrases, tables
from pki.cli.common import as_json, current_time, in_directory, opened, root_keys
from pki.cli.complaints import complaints
from pki.errors import PkiError
from pki.publishing import Published
from pki.records import AuthorityRecord, serial_text
from pki.revocation import ListRecord
from pki.revocation_lists import RevocationList, Revoked

F = TypeVar("F", bound=Callable[..., Any])

_TIME = "%Y-%m-%d %H:%M:%SZ"


@click.group("crl")
def command() -> None:
    """Make, publish and show certificate revocation lists.

    \b
    Example:
      keynote-pki crl publish --out /var/www/pki
      keynote-pki crl show
    """


def _making(makes: F) -> F:
    options = (
        authority_keys.which,
        click.option(
            "--days",
            type=click.IntRange(1, 3650),
            default=revocation.LIFETIME.days,
            show_default=True,
            metavar="N",
            help="How long the list holds. Who requires a fresh one refuses everybody from then on.",
        ),
        root_keys,
        passphrases.in_file,
        in_directory,
        as_json,
    )
    for option in reversed(options):
        makes = option(makes)
    return makes


@command.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE|DIR", help="Write it there too.")
@click.option("--number", type=click.IntRange(1), metavar="N", default=1, help="At least this number.")
@click.option(
    "--after",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Go on after this list, when the registry is older: with a higher number, and with what is revoked there "
    "and unknown here. What is known here has to be revoked first. For several authorities give several.",
)
@_making
def make(out: Path | None, number: int, after: tuple[Path, ...], **how: Any) -> None:
    """Sign a new list, now. It is kept in the registry, from where `serve` hands it out.

    FILE is PEM if its name ends in .pem, else DER. An existing DIR gets both, as with `publish`.

    \b
    Example:
      keynote-pki crl make --out /var/www/pki/ca.crl
      keynote-pki crl make --authority "Example Root CA" --days 90
      keynote-pki crl make --after /var/www/pki/example-vpn-ca.crl
    """
    _publish(out, number, after, always=True, **how)


@command.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where the files are.",
)
@_making
def publish(out: Path, **how: Any) -> None:
    """Write the newest list of each authority to DIR, as NAME.crl (DER) and NAME.crl.pem, and sign new ones first
    where something was revoked since, or half of the time is over. For a timer.

    \b
    Example:
      keynote-pki crl publish --out /var/www/pki --dir ca
    """
    _publish(out, 1, (), always=False, **how)


def _publish(
    out: Path | None,
    number: int,
    after: Sequence[Path],
    *,
    always: bool,
    name: str | None,
    days: int,
    root_keys: tuple[Path, ...],
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    where, registry = opened(directory)
    now = current_time()
    names = publishing.file_names(registry.authorities())
    below = out is not None and (out.is_dir() or not always)
    if out is not None and not below and len(authority_keys.chosen(registry, name)) > 1:
        raise click.UsageError(f"`{out}` is one file for several authorities: name a directory, or one --authority")
    done: list[Published] = []
    wrong: list[PkiError] = []
    with where.changing():  # so that files are written in the order of the lists
        passphrase = passphrases.source(passphrase_file)
        signers = authority_keys.signers(where, registry, name, now, passphrase, root_keys)
        earlier = _earlier(after, [authority for authority, signer in signers if signer is not None])
        for authority, signer in signers:
            try:
                newest = registry.crls.newest(authority.id)
                if always or publishing.is_due(registry, newest, now):
                    if signer is not None:
                        lifetime, follows = datetime.timedelta(days=days), earlier.get(authority.id, ())
                        newest = registry.crls.make(authority, signer, now, lifetime, number, follows)
                    elif always:
                        continue
            except PkiError as error:  # what the others have signed is recorded, and has to be told
                wrong.append(error)
                continue
            if newest is None:
                continue
            base = names[authority.id] if below else ""
            done.append(publishing.published(registry, authority, newest, out, base))
            wrong += done[-1].errors
    if not done and not wrong:
        raise authority_keys.nobody_signs()
    _tell_published(done, [it for error in wrong for it in complaints(error)], now, as_json=as_json)


def _earlier(files: Sequence[Path], authorities: Sequence[AuthorityRecord]) -> dict[int, list[RevocationList]]:
    """The lists in these files by the id of the authority that signed each. Raises PkiError for one of nobody's."""
    found: dict[int, list[RevocationList]] = {}
    for path in files:
        read = revocation_lists.read(inputs.content(path, whole_files.LIST))
        signed = [it.id for it in authorities if _has_signed(it.certificate.certificate, read)]
        if not signed:
            raise PkiError(f"`{path}` is signed by no authority that makes a list now: it is of `{read.issuer}`")
        found.setdefault(signed[0], []).append(read)
    return found


def _has_signed(issuer: x509.Certificate, read: RevocationList) -> bool:
    return read.crl.issuer == issuer.subject and read.signed_with(issuer.public_key())


def _tell_published(
    done: Sequence[Published], wrong: Sequence[Complaint], now: datetime.datetime, *, as_json: bool
) -> None:
    """What was made and written, and what was not. Raises Failed where nothing was."""
    if not done:
        raise Failed(wrong)
    status = settled(FAILED if wrong else 0)
    if as_json:
        errors = {"errors": [it.data() for it in wrong]} if wrong else {}
        print_json({"lists": [_data(it.authority, it.made, now, it.files) for it in done], **errors})
    for each in () if as_json else done:
        made = each.made
        tables.echo_line(
            f"{each.authority.name}: list {made.number}, {_entries(made)}, until {made.next_update:{_TIME}}"
        )
        for path in each.files:
            tables.echo_line(str(path))
        tables.echo_line(f"audit head {Head(made.audit_sequence, made.audit_hash)}")
    if wrong:
        tell("keynote-pki", "error", wrong)
        click.get_current_context().exit(status)


@command.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@authority_keys.which
@click.option(
    "--check", is_flag=True, help="End with 1 unless there is a list that holds and has all that is revoked."
)
@in_directory
@as_json
def show(file: Path | None, name: str | None, check: bool, directory: Path, as_json: bool) -> None:
    """Show what the newest lists say, or the list in FILE (PEM or DER).

    \b
    Example:
      keynote-pki crl show --check
      keynote-pki crl show ca.crl
    """
    only_reads()
    now = current_time()
    if file is not None:
        if check or name is not None:
            raise click.UsageError("--check and --authority are about the lists of the registry, not about FILE")
        _show_file(file, as_json)
        return
    _, registry = opened(directory)
    found = [(it, registry.crls.newest(it.id)) for it in authority_keys.chosen(registry, name)]
    if as_json:
        print_json({"lists": [_data(authority, made, now) for authority, made in found if made is not None]})
    wrong: list[Complaint] = []
    for authority, made in found:
        if made is None:
            wrong.append(Complaint(f"`{authority.name}` has no list yet", hint="keynote-pki crl make"))
            continue
        if not as_json:
            _print(f"{authority.name}: list {made.number}", made.this_update, made.next_update, _revoked(made))
            tables.echo_line(f"audit head {Head(made.audit_sequence, made.audit_hash)}")
        if now > made.next_update:
            wrong.append(
                Complaint(f"list {made.number} of `{authority.name}` is stale since {made.next_update:{_TIME}}")
            )
        elif registry.crls.lacks(made, now):
            what = f"list {made.number} of `{authority.name}` lacks what was revoked since"
            wrong.append(Complaint(what, hint="keynote-pki crl make, or publish"))
    tell("keynote-pki", "error" if check else "warning", wrong)
    if wrong and check:
        click.get_current_context().exit(FAILED)


def _show_file(file: Path, as_json: bool) -> None:
    read = revocation_lists.read(inputs.content(file, whole_files.LIST))
    revoked = {serial_text(serial): it for serial, it in read.revoked.items()}
    if as_json:
        print_json(
            {
                "issuer": read.issuer,
                "number": read.number,
                "this_update": _time(read.this_update),
                "next_update": None if read.next_update is None else _time(read.next_update),
                "revoked": _revoked_data(revoked),
            }
        )
        return
    _print(f"{read.issuer}: list {read.number}", read.this_update, read.next_update, revoked)


def _print(
    title: str,
    this_update: datetime.datetime,
    next_update: datetime.datetime | None,
    revoked: dict[str, Revoked],
) -> None:
    until = f"{next_update:{_TIME}}" if next_update is not None else "it does not say when"
    tables.echo_line(f"{title}, from {this_update:{_TIME}} until {until}")
    for serial, entry in revoked.items():
        tables.echo_line(f"  {serial}  {entry.at:{_TIME}}  {entry.reason}".rstrip())


def _revoked(made: ListRecord) -> dict[str, Revoked]:
    return {
        serial_text(serial): it
        for serial, it in revocation_lists.read(made.crl.public_bytes(Encoding.DER)).revoked.items()
    }


def _entries(made: ListRecord) -> str:
    count = len(made.crl)
    return f"{count:,} certificate{'' if count == 1 else 's'}"


def _data(
    authority: AuthorityRecord, made: ListRecord, now: datetime.datetime, files: tuple[Path, ...] = ()
) -> dict[str, Any]:
    return {
        "authority": authority.name,
        "number": made.number,
        "this_update": _time(made.this_update),
        "next_update": _time(made.next_update),
        "stale": now > made.next_update,
        "revoked": _revoked_data(_revoked(made)),
        "audit_head": str(Head(made.audit_sequence, made.audit_hash)),
        **({"files": [str(path) for path in files]} if files else {}),
    }


def _revoked_data(revoked: dict[str, Revoked]) -> list[dict[str, str]]:
    return [{"serial": serial, "at": _time(it.at), "reason": it.reason} for serial, it in revoked.items()]


def _time(time: datetime.datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
