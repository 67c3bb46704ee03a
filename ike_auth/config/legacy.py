# SPDX-License-Identifier: ISC
"""The legacy switch: a peer has the old algorithms that its `Allow-Legacy` names, and no others.

What is not allowed is dropped with a warning; a peer or a tunnel that is left with nothing is an error. Each says
which line would allow it. What an `ANY` lets the other side choose is checked when it has chosen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from ike_auth.config import defaults
from ike_auth.config.errors import Problems, bracketed, quoted
from ike_auth.config.model import Connection, Location, Peer, Phase1Transform, Phase2Transform, ProtocolOffer, Suite
from ike_auth.crypto.legacy import CERTIFICATES, legacy_names

ORDER = ("3DES", "MD5", "SHA1", "MODP_768", "MODP_1024", "NULL", CERTIFICATES)  # in which a line lists them
Names = frozenset[str]
NONE: Names = frozenset()


def needs(wanted: Phase1Transform | Phase2Transform | Suite, allowed: Names = NONE) -> Names:
    """The names that `Allow-Legacy` must have for it. A protocol needs one of its transforms: the one that asks least
    beyond what is allowed."""
    if isinstance(wanted, Phase1Transform):
        return legacy_names(wanted.cipher, wanted.hash, wanted.group)
    if isinstance(wanted, Phase2Transform):
        return legacy_names(wanted.transform, wanted.authentication, wanted.group)
    return NONE.union(*(_least(protocol.transforms, allowed) for protocol in wanted.protocols))


def restrict_peers(
    peers: Mapping[str, Peer], connections: Mapping[str, Connection], problems: Problems
) -> dict[str, Peer]:
    """The peers with the transforms that they are allowed."""
    restricted = {}
    for name, peer in peers.items():
        kept = tuple(t for t in peer.transforms if needs(t) <= peer.allow_legacy)
        if peer.transforms and not kept:
            least = _least(peer.transforms, peer.allow_legacy)
            message = f"every transform of {bracketed(name)} needs legacy algorithms, at least {_listed(least)}"
            problems.error(peer.where, message, _remedy(peer, connections))
        else:
            for transform in peer.transforms:
                if transform not in kept:
                    _warn(problems, peer, f"transform {quoted(transform.name)}", needs(transform))
        restricted[name] = replace(peer, transforms=kept)
    return restricted


def restrict_connections(
    connections: Mapping[str, Connection], peers: Mapping[str, Peer], problems: Problems
) -> dict[str, Connection]:
    """The connections with the suites that their peers are allowed."""
    restricted = {}
    for name, connection in connections.items():
        peer = peers[connection.peer]
        kept = {suite.name: _restricted(suite, peer.allow_legacy) for suite in connection.suites}
        if connection.suites and not any(kept.values()):
            least = _least(connection.suites, peer.allow_legacy)
            message = f"every suite of {bracketed(name)} needs legacy algorithms, at least {_listed(least)}"
            problems.error(connection.where, message, _remedy(peer, connections))
        else:
            for what, lacking in _dropped(connection.suites, peer.allow_legacy):
                _warn(problems, peer, f"{what} of {bracketed(name)}", lacking)
        suites = tuple(suite for suite in kept.values() if suite)
        restricted[name] = replace(connection, suites=suites)
    return restricted


def without_legacy(suites: Iterable[Suite], where: Location, problems: Problems) -> tuple[Suite, ...]:
    """The suites of tunnels that no connection names: whoever asks for them, nothing old is allowed."""
    for what, lacking in _dropped(suites, NONE):
        message = f"{what} is dropped: it needs {_listed(lacking)}"
        problems.warn(where, message, "suites of a connection may have that, if `Allow-Legacy` of its peer does")
    return tuple(kept for suite in suites if (kept := _restricted(suite, NONE)))


def _restricted(suite: Suite, allowed: Names) -> Suite | None:
    """The suite with the transforms that are allowed; None if that leaves a protocol of it with none."""
    protocols = tuple(_restricted_protocol(protocol, allowed) for protocol in suite.protocols)
    emptied = any(old.transforms and not new.transforms for old, new in zip(suite.protocols, protocols, strict=True))
    return None if emptied else replace(suite, protocols=protocols)


def _restricted_protocol(protocol: ProtocolOffer, allowed: Names) -> ProtocolOffer:
    return replace(protocol, transforms=tuple(t for t in protocol.transforms if needs(t) <= allowed))


def _dropped(suites: Iterable[Suite], allowed: Names) -> Iterable[tuple[str, Names]]:
    """What is not allowed, in words, and what it needs: a whole suite or one of its alternatives."""
    for suite in suites:
        if _restricted(suite, allowed) is None:
            yield f"suite {quoted(suite.name)}", needs(suite, allowed)
            continue
        for transform in (t for protocol in suite.protocols for t in protocol.transforms):
            if not needs(transform) <= allowed:
                yield f"transform {quoted(transform.name)}", needs(transform)


def _least(alternatives: Iterable[Phase1Transform | Phase2Transform | Suite], allowed: Names) -> Names:
    """What the one needs that asks least beyond what is allowed; the first of several."""
    return min((needs(a, allowed) for a in alternatives), key=lambda names: len(names - allowed), default=NONE)


def _remedy(peer: Peer, connections: Mapping[str, Connection]) -> str:
    """The one line that gives this peer and each of its tunnels something to use."""
    wanted = _least(peer.transforms, peer.allow_legacy)
    for connection in connections.values():
        if connection.peer == peer.name:
            wanted |= _least(connection.suites, peer.allow_legacy)
    if peer.is_default:
        return (
            f"`Default=` never has them: use {defaults.PRESHARED_TRANSFORM}, or give the peer's address a line in"
            f" `[Phase 1]` and a section with {_line(wanted)}"
        )
    return f"to allow them, put {_line(peer.allow_legacy | wanted)} into {bracketed(peer.name)}"


def _warn(problems: Problems, peer: Peer, what: str, lacking: Names) -> None:
    hint = f"to allow it, put {_line(peer.allow_legacy | lacking)} into {bracketed(peer.name)}"
    if peer.is_default:
        hint = "`Default=` never has them"
    problems.warn(peer.where, f"{what} is dropped: it needs {_listed(lacking)}", hint)


def _listed(names: Names) -> str:
    return ", ".join(sorted(names, key=ORDER.index))


def _line(names: Names) -> str:
    return f"`Allow-Legacy= {','.join(sorted(names, key=ORDER.index))}`"
