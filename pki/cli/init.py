# SPDX-License-Identifier: ISC
"""`keynote-pki init`."""

from pathlib import Path
from typing import Any

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import certificate_files, issuance, keys, name_constraints, requested
from pki.authorities import Root
from pki.cli import inputs, passphrases, tables
from pki.cli.common import as_json, current_time, days, lifetime, record_data
from pki.directory import Directory
from pki.errors import DerInvalid, PkiError
from pki.records import Record

_FILE = click.Path(path_type=Path)
_KINDS = click.Choice(keys.KINDS)


@click.command("init")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", help='"Example VPN CA", or a whole name "/C=DE/O=Example/CN=Example VPN CA".')
@click.option("--root", metavar="NAME", help="Make an offline root of this name too, over the authority.")
@click.option("--root-key", metavar="FILE", type=_FILE, help="Where its key goes: a stick. Default: DIR/keys.")
@click.option("--root-days", type=click.IntRange(1, 36500), metavar="N", help="How long the root is valid.")
@click.option("--request", metavar="FILE", type=_FILE, help="Write a request to FILE, for somebody else's root.")
@click.option("--certificate", metavar="FILE", type=_FILE, help="What that root answered with.")
@click.option("--chain", metavar="FILE", type=_FILE, help="The certificates above that, up to the root.")
@click.option("--permit", multiple=True, metavar="CONSTRAINT", help="Names it may issue for: dns:example.org.")
@click.option("--exclude", multiple=True, metavar="CONSTRAINT", help="And those it may not: ip:192.0.2.0/24.")
@click.option("--key", "kind", type=_KINDS, help="The kind of its key, and of the root's.")
@click.option("--passphrase", is_flag=True, help="Encrypt private keys, now and later: asks for a passphrase.")
@passphrases.in_file
@click.option(
    "--registry",
    "registry_url",
    metavar="URL",
    help="A registry that several share: postgresql://USER@HOST/DATABASE. Default: a file in DIR.",
)
@days
@as_json
def command(directory: Path, as_json: bool, **asked: Any) -> None:
    """Make an authority, in a directory of its own: by itself, below a root that is made with it (--root), or below
    somebody else's, by a request first (--request) and its answer later (--certificate).

    \b
    Example:
      keynote-pki init ca --name "Example VPN CA"
      keynote-pki init ca --name "Example VPN CA" --root "Example Root" --root-key /media/stick/root.pem --passphrase
      keynote-pki init ca --name "Example VPN CA" --request ca.csr
      keynote-pki init ca --certificate ca.crt --chain root.crt
      keynote-pki init ca --name "Example VPN CA" --registry postgresql://ca@db.example.org/registry
    """
    _check(asked)
    if asked["request"] is not None:
        _request(directory, as_json, **asked)
        return
    record, encrypted = (
        _complete(directory, **asked) if asked["certificate"] is not None else _make(directory, **asked)
    )
    _say(directory, record, as_json, asked["root"], asked["root_key"], encrypted)


_ALONE = ("name", "root", "root_key", "root_days", "request", "permit", "exclude", "kind", "registry_url", "days")


def _check(asked: dict[str, Any]) -> None:
    if asked["certificate"] is not None:
        if wrong := [it for it in _ALONE if asked[it] not in (None, ())]:
            raise click.UsageError(f"--certificate completes what was requested: leave out {_option(wrong[0])}")
        return
    if asked["name"] is None:
        raise click.UsageError("Missing option '--name'.")
    if asked["chain"] is not None:
        raise click.UsageError("--chain goes with --certificate")
    if asked["root"] is None and (asked["root_key"] is not None or asked["root_days"] is not None):
        raise click.UsageError("--root-key and --root-days go with --root")
    if asked["request"] is not None:
        for it in ("root", "permit", "exclude", "days"):
            if asked[it]:
                raise click.UsageError(f"with --request that is for the root to decide: leave out {_option(it)}")


def _option(name: str) -> str:
    return {"kind": "--key", "registry_url": "--registry"}.get(name, "--" + name.replace("_", "-"))


def _make(
    directory: Path,
    *,
    name: str,
    root: str | None,
    root_key: Path | None,
    root_days: int | None,
    permit: tuple[str, ...],
    exclude: tuple[str, ...],
    kind: str | None,
    passphrase: bool,
    passphrase_file: Path | None,
    registry_url: str | None,
    days: int | None,
    **rest: Any,
) -> tuple[Record, bool]:
    secret = passphrases.new(passphrase_file, ask=passphrase)
    record = issuance.initialize(
        directory,
        name,
        current_time(),
        lifetime(days),
        registry_url,
        root=None if root is None else Root(root, root_key, lifetime(root_days), kind),
        kind=kind,
        constraints=name_constraints.constraints(permit, exclude),
        passphrase=secret,
    )
    _tell_of_kind(kind)
    return record, secret is not None


def _request(
    directory: Path,
    as_json: bool,
    *,
    name: str,
    request: Path,
    kind: str | None,
    passphrase: bool,
    passphrase_file: Path | None,
    registry_url: str | None,
    **rest: Any,
) -> None:
    secret = passphrases.new(passphrase_file, ask=passphrase)
    pem = requested.request(directory, name, request, current_time(), registry_url, kind=kind, passphrase=secret)
    _tell_of_kind(kind)
    if as_json:
        print_json({"directory": str(directory), "request": str(request), "pem": pem.decode()})
        return
    tables.echo_line(f"{request}: the request, for the root that is to sign it")
    tables.echo_line(f"next: keynote-pki init {directory} --certificate FILE --chain FILE")


def _complete(
    directory: Path, *, certificate: Path, chain: Path | None, passphrase_file: Path | None, **rest: Any
) -> tuple[Record, bool]:
    found = [der for file in (certificate, chain) if file is not None for der in _certificates(file)]
    used = []

    def asked(path: Path) -> bytes:
        used.append(path)
        return passphrases.source(passphrase_file)(path)

    record = requested.complete(directory, found, current_time(), passphrase=asked)
    return record, bool(used)


def _certificates(path: Path) -> tuple[bytes, ...]:
    try:
        return certificate_files.certificates(inputs.content(path))
    except DerInvalid as error:
        raise PkiError(f"`{path}`: {error}", error.hint) from error


def _tell_of_kind(kind: str | None) -> None:
    if kind in keys.EXPERIMENTAL:
        text = f"keys of kind {kind} are experimental: hardly any peer knows authorities with them"
        tell("keynote-pki", "warning", [Complaint(text)])


def _say(
    directory: Path, record: Record, as_json: bool, root: str | None, root_key: Path | None, encrypted: bool
) -> None:
    where = Directory(directory)
    above = where.registry().above(record.authority_id).anchors
    if as_json:
        places = {"directory": str(directory), "registry": where.registry_shown}
        now = current_time()
        over = {} if above[0].sha256 == record.sha256 else {"root": record_data(above[0], now)}
        print_json({**record_data(record, now), **places, **over})
        return
    tables.echo_line(f"{record.name}: authority made, valid until {record.not_after:%Y-%m-%d}")
    if above[0].sha256 != record.sha256:
        tables.echo_line(
            f"below {above[0].name}, valid until {above[0].not_after:%Y-%m-%d}, sha256 {above[0].sha256}"
        )
    tables.echo_line(f"policies trust it as DN:{record.subject}")
    tables.echo_line(f"sha256 {record.sha256}")
    if root is not None:
        place = root_key or where.key_path(str(above[0].key_file))
        tables.echo_line(f"the root's private key is in {place}: take it offline, it is needed for rollover only")
    if not encrypted:
        tables.echo_line(f"its private key is not encrypted: let nobody else read {where.path / 'keys'}")
    tables.echo_line(f"next: keynote-pki issue gateway gw.example.org --dir {directory}")
