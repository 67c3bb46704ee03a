# SPDX-License-Identifier: ISC
"""Tunnels: `[Phase 2]`, which lists them, and IPsec-connection sections."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ike_auth.config.errors import Problems, bracketed, quoted
from ike_auth.config.identities import selector
from ike_auth.config.ini import Entry
from ike_auth.config.model import Connection, Peer, Suite
from ike_auth.config.peers import flags
from ike_auth.config.phase2 import read_configuration
from ike_auth.config.reader import Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source

LISTS = {"Connections": True, "Passive-Connections": False}
FLAGS = ("allow-overlap",)
FLAGS_NOT_YET = ("active-only", "ikecfg")


@dataclass(frozen=True, slots=True)
class Listed:
    """A connection of `[Phase 2]`, and the entry that says who its peer is."""

    section: Reader
    active: bool
    peer: Entry | None


def read_listing(source: Source) -> list[Listed]:
    phase2 = source.fixed("Phase 2")
    found: dict[str, Listed] = {}
    for tag, active in LISTS.items():
        where = phase2.place(tag)
        for name in phase2.names(tag):
            if name.lower() in found:
                message = f"{bracketed(name)} is listed twice in `[Phase 2]`"
                source.problems.error(where, message, "`Connections` are brought up, `Passive-Connections` awaited")
                continue
            section = source.follow(name, where, Kind.CONNECTION)
            if section:
                found[name.lower()] = Listed(section, active, section.entry("ISAKMP-peer", required=True))
    return list(found.values())


def read_connections(
    source: Source, listing: Iterable[Listed], peers: Mapping[str, Peer], suites: tuple[Suite, ...]
) -> dict[str, Connection]:
    """By name. `suites` are for those that name none."""
    by_lower = {name.lower(): peer for name, peer in peers.items()}
    connections: dict[str, Connection] = {}
    for listed in listing:
        peer = by_lower.get(listed.peer.value.lower()) if listed.peer else None
        connection = _connection(source, listed, peer, suites)
        if connection:
            connections[connection.name] = connection
    _check_twins(source, connections.values())
    return connections


def _connection(source: Source, listed: Listed, peer: Peer | None, suites: tuple[Suite, ...]) -> Connection | None:
    section = listed.section
    section.choice("Phase", {"2": 2}, required=True)
    # A passive connection is recognised by its IDs, so it needs at least its own.
    local_id = section.entry("Local-ID", required=not listed.active)
    remote_id = section.entry("Remote-ID")
    local = selector(source, local_id) if local_id else None
    remote = selector(source, remote_id) if remote_id else None
    if local and remote and local.low.version != remote.low.version:
        source.problems.error(section.where, f"{bracketed(section.name)} has IDs of different IP versions")
    own_suites = read_configuration(source, section)
    found_flags = flags(section, FLAGS, FLAGS_NOT_YET)
    if peer is None:
        return None
    if listed.active and peer.is_default and peer.address is None:
        hint = f"{bracketed(section.name)} is brought up from here, so its peer has to be known"
        source.problems.error(peer.where, f"missing tag `Address` in {bracketed(peer.name)}", hint)
    return Connection(
        name=section.name,
        where=section.where,
        peer=peer.name,
        local=local,
        remote=remote,
        suites=own_suites or suites,
        active=listed.active,
        flags=found_flags,
    )


def check_groups(connections: Iterable[Connection], problems: Problems) -> None:
    """Warns of suites that are never offered: a quick mode has one group, which is the first suite's."""
    for connection in connections:
        group = connection.suites[0].group if connection.active and connection.suites else None
        for suite in connection.suites if connection.active else ():
            if suite.group != group:
                message = f"{bracketed(connection.name)} never offers suite {quoted(suite.name)}"
                problems.warn(
                    connection.where, message, "a quick mode has one group, and the first suite has another"
                )


def _check_twins(source: Source, connections: Iterable[Connection]) -> None:
    seen: dict[object, Connection] = {}
    for connection in connections:
        tunnel = (connection.peer, connection.local, connection.remote)
        twin = seen.setdefault(tunnel, connection)
        if twin is not connection:
            message = f"{bracketed(connection.name)} is the same tunnel as {bracketed(twin.name)} in {twin.where}"
            source.problems.warn(connection.where, message)
