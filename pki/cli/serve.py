# SPDX-License-Identifier: ISC
"""`keynote-pki serve`."""

import contextlib
import datetime
import json
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki.cli import passphrases, tables
from pki.cli.common import as_json, current_time, in_directory
from pki.cli.times import Length
from pki.directory import Directory
from pki.errors import PkiError
from pki.ocsp_service import LIFETIME, OcspService
from pki.registry import Registry
from pki.responders import Responders


@click.command("serve")
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, metavar="ADDRESS:PORT", help="Port 0: any free one."
)
@click.option(
    "--ocsp-lifetime",
    "lifetime",
    type=Length(),
    default=LIFETIME,
    metavar="LENGTH",
    help="How long OCSP answers hold, and caches may keep them. Default: 1h.",
)
@passphrases.in_file
@in_directory
@as_json
def command(
    listen: str, lifetime: datetime.timedelta, passphrase_file: Path | None, directory: Path, as_json: bool
) -> None:
    """Hand out revocation lists and certificates of authorities over HTTP, and answer OCSP requests. Each request is
    a line of JSON on standard error.

    Needs the right to read the registry, and for OCSP a key: of a certificate made by `ocsp certify`, else the
    authority's. Lists are those that `crl make` or `crl publish` made; this makes none.

    \b
    Example:
      keynote-pki serve --dir ca --listen 192.0.2.80:80
    """
    try:
        from pki.web import server
        from pki.web.application import Application, Paths
    except ImportError as error:
        raise PkiError(f"`{error.name}` is not installed", "pip install 'keynote-ike[web]'") from error
    host, port = server.address(listen)
    where = Directory(directory)
    registry = Registry.open_read_only(where.existing_registry())
    responders = Responders(where, registry, passphrases.source(passphrase_file), _warn)
    answering = [it.issuer.subject for it in responders(current_time())]
    responders.started()
    service = OcspService(registry, responders, lifetime)
    paths = Paths.of(where.settings(), _issuing(where, registry))
    application = Application(registry, service, paths, current_time, _log)
    listening = server.bound(host, port)

    def ready() -> None:
        if as_json:
            print_json({"url": server.url(listening), "ocsp": answering})
            sys.stdout.flush()
            return
        for subject in answering:
            tables.echo_line(f"OCSP answers for {subject}")
        if not answering:
            tables.echo_line("no key is here that could answer OCSP requests")
        tables.echo_line(f"listening on {server.url(listening)}")
        sys.stdout.flush()

    server.serve(application, listening, ready)


def _issuing(where: Directory, registry: Registry) -> int | None:
    """The number of the authority that URLs without a number are of."""
    with contextlib.suppress(PkiError):  # of which there is none, such as where only a root is
        return where.authority(registry).id
    return None


def _warn(message: str) -> None:
    tell("keynote-pki", "warning", [Complaint(message)])


_LOCK = threading.Lock()


def _log(told: Mapping[str, object]) -> None:
    with _LOCK:
        click.echo(json.dumps(told), err=True)
