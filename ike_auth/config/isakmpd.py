# SPDX-License-Identifier: ISC
"""isakmpd.conf(5) → Configuration. docs/configuration.md lists what is read, and what is different here."""

import os
from codecs import BOM_UTF8
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from ike_auth.config import connections, files, ini, legacy, peers, phase2
from ike_auth.config.errors import Problems, in_order
from ike_auth.config.general import read_certificates, read_delegations, read_general
from ike_auth.config.ini import Section
from ike_auth.config.model import Configuration, Location
from ike_auth.config.source import Source

IKE_PORT = 500


def load(path: str | os.PathLike[str], *, port: int = IKE_PORT) -> Configuration:
    """The configuration in the file `path`. `port` is the one of peers whose section names none.

    Raises ConfigError with everything that is wrong, the file's permissions among it: one that holds a pre-shared key
    must not be open to anybody but its owner.
    """
    path = Path(path)
    problems = Problems()
    found = files.read_file(path, problems)
    problems.raise_errors()
    assert found is not None
    content, status = found
    sections = ini.parse(_decoded(content, str(path), problems), str(path), problems)
    if any(section.get("Authentication") for section in sections.values()):
        files.check_file_secrecy(path, status, problems)
    else:
        files.check_file_integrity(path, status, problems)
    return _configuration(sections, str(path), problems, port)


def parse(text: str | bytes, file: str = "isakmpd.conf", *, port: int = IKE_PORT) -> Configuration:
    """The configuration in `text`; `file` is the name that locations show, and where relative paths start.

    Raises ConfigError with everything that is wrong.
    """
    problems = Problems()
    text = _decoded(text, file, problems) if isinstance(text, bytes) else text
    return _configuration(ini.parse(text, file, problems), file, problems, port)


def _decoded(content: bytes, file: str, problems: Problems) -> str:
    """Bytes that are no UTF-8 are kept as they are: a pre-shared key is bytes, whichever encoding it was typed in."""
    if content.startswith(BOM_UTF8):
        hint = "save the file as UTF-8 without it: isakmpd does not know the first line"
        problems.warn(Location(file, 1), "a byte order mark of UTF-8 is left out", hint)
    return content.removeprefix(BOM_UTF8).decode("utf-8", "surrogateescape")


def _configuration(sections: Mapping[str, Section], file: str, problems: Problems, port: int) -> Configuration:
    source = Source(file, sections, problems)
    certificates = read_certificates(source)
    general = read_delegations(source, read_general(source), certificates)
    listing = peers.read_listing(source)
    tunnels = connections.read_listing(source)
    found_peers = peers.read_peers(source, listing, [t.peer for t in tunnels if t.peer], port)
    suites = phase2.default_suites(source)
    found_connections = connections.read_connections(source, tunnels, found_peers, suites)
    source.check_unused()

    allowed_peers = legacy.restrict_peers(found_peers, found_connections, problems)
    allowed_connections = legacy.restrict_connections(found_connections, found_peers, problems)
    where = source.fixed("General").place("Default-phase-2-suites")
    allowed_suites = legacy.without_legacy(suites, where, problems)
    problems.raise_errors()
    connections.check_groups(allowed_connections.values(), problems)
    by_lower = {name.lower(): name for name in allowed_peers}
    return Configuration(
        general=general,
        certificates=certificates,
        peers=MappingProxyType(allowed_peers),
        peer_by_address=MappingProxyType(
            {address: by_lower[entry.value.lower()] for address, entry in listing.by_address.items()}
        ),
        default_peer=by_lower.get(listing.default.value.lower()) if listing.default else None,
        connections=MappingProxyType(allowed_connections),
        default_suites=allowed_suites,
        warnings=tuple(problem.complaint for problem in in_order(problems.warnings)),
    )
