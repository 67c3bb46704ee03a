# SPDX-License-Identifier: ISC
"""`keynote-pki export`."""

import datetime
import ipaddress
from pathlib import Path
from typing import Any, get_args

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import keys, keystore, names
from pki.bundles import files, formats, handover, passwords, texts
from pki.bundles.files import Bundle, File
from pki.bundles.formats import Format
from pki.bundles.handover import Handover
from pki.bundles.request import Compat, IkeVersion, Network, Request
from pki.cli import passphrases, qr, tables
from pki.cli.common import as_json, certificate_argument, current_time, in_directory, meant, opened
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, shown
from pki.keys import PrivateKey
from pki.names import Identity
from pki.records import Record
from pki.registry import Registry

_PATH = click.Path(path_type=Path)
_SMALL = ("p-256", "ed25519")  # kinds of keys


_FORMS = "\b\nForms:\n" + "\n".join(f"  {it.name:12}{it.about}" for it in formats.FORMATS.values())


@click.command("export", epilog=_FORMS)
@certificate_argument
@click.argument("destination", metavar="[DIR]", required=False, type=_PATH)
@click.option("--for", "form", type=click.Choice(list(formats.FORMATS)), help="Whose form it has.")
@click.option("-o", "file", metavar="FILE", type=_PATH, help="Where to write a bundle that is one file.")
@click.option("--server", metavar="HOST", help="What to connect to. Default: the gateway, where one was issued here.")
@click.option(
    "--remote-id",
    metavar="ID",
    help="What the server calls itself. Default: the first identity of the certificate for HOST, else HOST.",
)
@click.option(
    "--network", "networks", metavar="NET", multiple=True, help="Behind the server; repeat. Default: everything."
)
@click.option("--local-network", "local_networks", metavar="NET", multiple=True, help="Behind the holder; repeat.")
@click.option("--title", metavar="TEXT", default="", help="What the connection is called. Default: HOST.")
@click.option("--ike", type=click.Choice(get_args(IkeVersion)), default="2", help="Its version. Default: 2.")
@click.option(
    "--compat",
    type=click.Choice(get_args(Compat)),
    help="How PKCS#12 is sealed: AES-256 and SHA-256, or 3DES and SHA-1 for what refuses the first.",
)
@click.option("--password-file", metavar="FILE", type=_PATH, help="Where the password goes, rather than to stderr.")
@click.option("--no-key", is_flag=True, help="Leave the private key out.")
@click.option("--qr", "as_qr", is_flag=True, help="Show the bundle as a QR code too; with small keys, for android.")
@passphrases.in_file
@in_directory
@as_json
def command(
    name: str,
    destination: Path | None,
    form: str | None,
    file: Path | None,
    directory: Path,
    as_json: bool,
    as_qr: bool,
    compat: Compat | None,
    password_file: Path | None,
    passphrase_file: Path | None,
    no_key: bool,
    **asked: Any,
) -> None:
    """Hand a certificate over, with its private key, in the form that its holder's software reads.

    A bundle is files below DIR, or one FILE. What is sealed with a password gets one that is made here and shown
    once.

    \b
    Example:
      keynote-pki export gw.example.org --for isakmpd /tmp/gw
      keynote-pki export alice@example.org --for apple -o alice.mobileconfig --server vpn.example.org
      keynote-pki export alice@example.org --for strongswan /tmp/alice --network 10.0.0.0/8
    """
    if form is None:
        raise click.UsageError(f"Missing option '--for', one of {', '.join(formats.FORMATS)}")
    chosen = formats.FORMATS[form]
    _check(chosen, destination, file, as_qr, as_json, compat, password_file)
    where, registry = opened(directory)
    now = current_time()
    record = meant(registry, name, now)
    key, protected = (None, False) if no_key else _key(where, record, passphrase_file)
    given = handover.of(registry, record, key)
    password = passwords.generate() if chosen.compat else ""
    request = Request(
        **_connection(chosen, registry, record, now, **asked),
        password=password,
        compat=compat or chosen.compat or "modern",
    )
    bundle = chosen.bundle(given, request)
    code = qr.code(bundle.files[0].data, _smaller(given)) if as_qr else ""
    written = _write(bundle, destination, file, password_file, password)

    if as_json:
        print_json(
            {
                "name": record.name,
                "serial": record.serial,
                "format": chosen.name,
                "files": [str(path) for path in written],
            }
        )
    else:
        for path in written:
            tables.echo_line(str(path))
        click.echo(code, nl=False)
    if password and not password_file:
        tables.echo_line(f"password: {password}", err=True)
    _tell(chosen, given, now)
    if protected and not password:
        message = f"the key's file here has a passphrase, what was written has none: guard it ({written[-1].parent})"
        tell("keynote-pki", "note", [Complaint(message)])


def _check(
    chosen: Format,
    destination: Path | None,
    file: Path | None,
    as_qr: bool,
    as_json: bool,
    compat: Compat | None,
    password_file: Path | None,
) -> None:
    if file is not None and not chosen.suffix:
        raise click.UsageError(f"{chosen.name} is a directory of files: name it as DIR, without -o")
    if (file is None) == (destination is None):
        raise click.UsageError(
            "Missing argument 'DIR'." if file is None else "DIR and -o are two places for one thing"
        )
    if as_qr and (as_json or not chosen.is_text):
        raise click.UsageError("--qr goes with --for android, and without --json")
    if not chosen.compat and (compat or password_file):
        option = "--compat" if compat else "--password-file"
        raise click.UsageError(f"{option} means nothing to {chosen.name}, which has no PKCS#12")


def _key(where: Directory, record: Record, passphrase_file: Path | None) -> tuple[PrivateKey, bool]:
    """A certificate's private key, and whether its file has a passphrase."""
    try:
        signer, protection = where.unlocked(record, passphrases.source(passphrase_file))
        return signer.key, protection is not None
    except KeystoreError:
        raise
    except PkiError as error:
        raise PkiError(
            str(error), f"export the rest with --no-key, for {' or '.join(formats.WITHOUT_KEY)}"
        ) from error


def _smaller(given: Handover) -> str:
    """Whose keys make the bundle large: each is in a certificate, and makes the signatures in others."""
    handed = (given.leaf.certificate, *given.intermediates, given.anchors[0])
    names_and_kinds = [(texts.common_name(it), keys.kind(it.public_key())) for it in handed]
    large = dict.fromkeys(f"`{shown(name)}` ({kind})" for name, kind in names_and_kinds if kind not in _SMALL)
    if not large:
        return "all keys are small: shorter names, and fewer authorities, make a smaller bundle"
    return f"it is large by the keys of {', '.join(large)}: all of kind p-256 make a smaller bundle"


def _connection(
    chosen: Format,
    registry: Registry,
    record: Record,
    now: datetime.datetime,
    server: str | None,
    remote_id: str | None,
    networks: tuple[str, ...],
    local_networks: tuple[str, ...],
    title: str,
    ike: IkeVersion,
) -> dict[str, Any]:
    """What a request says of the connection, completed from the registry."""
    host = _host(server) if server is not None else None
    if host is None and "server" in chosen.takes:
        host = _only_gateway(registry, record, now)
    remote = names.identity(remote_id) if remote_id is not None else None
    if remote is None and host is not None and "remote_id" in chosen.takes:
        remote = _goes_by(registry, host, now)
    return {
        "server": host,
        "remote_id": remote,
        "networks": tuple(map(_network, networks)),
        "local_networks": tuple(map(_network, local_networks)),
        "title": title,
        "ike": ike,
    }


def _host(text: str) -> Identity:
    identity = names.identity(text)
    if identity.kind == "USER_FQDN":
        raise PkiError(f"`{shown(text)}` is a mail address, not a server", "--server vpn.example.org")
    return identity


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise PkiError(f"`{shown(text)}` is not a network: {error}", "write it as 10.1.0.0/16") from error


def _only_gateway(registry: Registry, leaf: Record, now: datetime.datetime) -> Identity | None:
    """The one that every client must mean, where there is only one."""
    gateways = {
        record.identities[0]
        for record in registry.certificates()
        if record.identities and record.validity(now) == "valid" and record.identities[0].kind != "USER_FQDN"
    } - set(leaf.identities)
    return gateways.pop() if len(gateways) == 1 else None


def _goes_by(registry: Registry, host: Identity, now: datetime.datetime) -> Identity:
    """The identity of the gateway at a host, which its certificate need not have first."""
    certified = {
        record.identities[0]
        for record in registry.find(host.value)
        if host in record.identities and record.validity(now) == "valid"
    }
    return certified.pop() if len(certified) == 1 else host


def _write(
    bundle: Bundle, destination: Path | None, file: Path | None, password_file: Path | None, password: str
) -> tuple[Path, ...]:
    """The paths of what was written: all, or nothing."""
    if password_file is not None:
        keystore.write(password_file, f"{password}\n".encode("ascii"))
    try:
        if file is None:
            assert destination is not None
            return files.write(bundle, destination)
        (only,) = bundle.files
        return files.write(Bundle((File(file.name, only.data, only.mode),)), file.parent)
    except BaseException:
        if password_file is not None:
            keystore.discard(password_file)
        raise


def _tell(chosen: Format, given: Handover, now: datetime.datetime) -> None:
    if (validity := given.leaf.validity(now)) != "valid":
        is_what = "of a revoked authority" if validity == "revoked authority" else validity
        tell("keynote-pki", "warning", [Complaint(f"the certificate of `{given.leaf.name}` is {is_what}")])
    if not chosen.opened_by:
        message = f"no {chosen.name} bundle of ours was ever opened by what it is for"
        tell("keynote-pki", "note", [Complaint(message, hint="docs/clients.md says what was tested")])
