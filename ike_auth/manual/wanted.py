# SPDX-License-Identifier: ISC
"""What a kernel should hold, given the SAs and policies that were set by hand.

Computed anew after each change, so that no history leads anywhere else; SAs about which nothing is different are
taken over, since a file may have hundreds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ike_auth.manual import associations
from ike_auth.manual.associations import PROTOCOLS
from ike_auth.manual.errors import ManualError
from ike_auth.manual.flows import Hop, Way
from ike_auth.manual.statements import Add, Mode, SaName
from ike_auth.network import IPAddress, Now
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import ProtocolId

Name = tuple[ProtocolId, IPAddress, int]  # of an SA: protocol, destination, SPI
FlowName = tuple[Selector, Selector]
_Ends = tuple[ProtocolId, IPAddress, IPAddress]  # ours, then theirs


@dataclass(frozen=True, slots=True)
class SaEntry:
    add: Add
    inbound: bool
    created: Now
    installed: bool = False

    @property
    def name(self) -> Name:
        return name_of(SaName(self.add.destination.address, self.add.security, self.add.spi))

    @property
    def ends(self) -> _Ends:
        ours, theirs = self.add.source.address, self.add.destination.address
        if self.inbound:
            ours, theirs = theirs, ours
        return PROTOCOLS[self.add.security], ours, theirs


@dataclass(frozen=True, slots=True)
class _Use:
    """An SA, and everything that decided what it is installed as."""

    entry: SaEntry
    ways: tuple[tuple[Way, Hop], ...]
    sa: IpsecSa


@dataclass(frozen=True, slots=True)
class Wanted:
    sas: Mapping[Name, IpsecSa]
    flows: Mapping[FlowName, Flow]
    guards: Mapping[FlowName, Flow]


class Planner:
    def __init__(self) -> None:
        self._uses: dict[Name, _Use] = {}

    def plan(self, sas: Mapping[Name, SaEntry], ways: Iterable[Way], groups: Mapping[Name, Name]) -> Wanted:
        """Raises ManualError if policies contradict each other."""
        at = _by_ends(sas.values())
        agreed: dict[FlowName, Way] = {}
        for plain in ways:
            way = replace(plain, hops=_grouped(plain.hops, at, sas, groups)) if groups else plain
            known = agreed.setdefault((way.local, way.remote), way)
            if known != way:
                hint = "both directions go through the same SAs; `spddelete` one before the other changes"
                raise ManualError(f"the policies for {way.local} ↔ {way.remote} contradict each other", hint)
        self._uses = self._used(sas, agreed.values())
        installed = {name: use.sa for name, use in self._uses.items()}
        flowing: dict[FlowName, Flow] = {}
        for key, way in agreed.items():
            entries = [entry for hop in way.hops for entry in at.get(_ends(hop), ())]
            flow = way.flow(entry.add for entry in entries if not entry.inbound and entry.name in installed)
            if flow is not None:
                flowing[key] = flow
        return Wanted(installed, flowing, {key: way.guard for key, way in agreed.items()})

    def _used(self, sas: Mapping[Name, SaEntry], ways: Iterable[Way]) -> dict[Name, _Use]:
        at: dict[_Ends, list[tuple[Way, Hop]]] = {}
        for way in ways:
            for hop in way.hops:
                at.setdefault(_ends(hop), []).append((way, hop))
        uses: dict[Name, _Use] = {}
        for name, entry in sas.items():
            candidates = at.get(entry.ends, ())
            found = tuple(use for use in candidates if use[1].takes(entry.add, inbound=entry.inbound))
            before = self._uses.get(name)
            if before is not None and before.entry is entry and before.ways == found:
                uses[name] = before
            elif found:
                uses[name] = _Use(entry, found, self._narrowed(entry, found))
        return uses

    def _narrowed(self, entry: SaEntry, uses: tuple[tuple[Way, Hop], ...]) -> IpsecSa:
        """The SA with the traffic that policies send through it."""
        modes = {hop.mode_of(entry.add) for _, hop in uses}
        if len(modes) > 1:
            message = f"policies use the SA {name_text(entry.name)} in both modes"
            raise ManualError(message, "give each SA its mode: `-m tunnel`")
        sides = tuple(dict.fromkeys((way.local, way.remote) for way, _ in uses))
        if len({local.low.version for local, _ in sides}) > 1:
            message = f"policies send IPv4 and IPv6 through the SA {name_text(entry.name)}"
            raise ManualError(message, "make an SA for each, and tell them apart by `-u` and `unique:`")
        local, remote = _hull(local for local, _ in sides), _hull(remote for _, remote in sides)
        found = associations.ipsec_sa(entry.add, inbound=entry.inbound, mode=modes.pop(), local=local, remote=remote)
        return replace(found, sides=sides) if len(sides) > 1 else found


def name_of(sa: SaName) -> Name:
    return PROTOCOLS.get(sa.security, ProtocolId.RESERVED), sa.destination, sa.spi


def name_text(name: Name) -> str:
    return f"{name[0]} 0x{name[2]:08x} to {name[1]}"


def _ends(hop: Hop) -> _Ends:
    return hop.protocol, hop.local.address, hop.remote.address


def _by_ends(entries: Iterable[SaEntry]) -> dict[_Ends, list[SaEntry]]:
    found: dict[_Ends, list[SaEntry]] = {}
    for entry in entries:
        found.setdefault(entry.ends, []).append(entry)
    return found


def _grouped(
    hops: tuple[Hop, ...],
    at: Mapping[_Ends, list[SaEntry]],
    sas: Mapping[Name, SaEntry],
    groups: Mapping[Name, Name],
) -> tuple[Hop, ...]:
    """With what comes after it by `group`."""
    found = list(hops)
    for hop in found:
        entries = [entry for entry in at.get(_ends(hop), ()) if hop.takes(entry.add, inbound=entry.inbound)]
        for second in (groups[entry.name] for entry in entries if entry.name in groups):
            if second in sas:
                after = Hop(PROTOCOLS[sas[second].add.security], Mode.TRANSPORT, hop.local, hop.remote)
                found += [after] if after not in found else []
    return tuple(found)


def _hull(selectors: Iterable[Selector]) -> Selector:
    """The smallest selector that contains all of these."""
    known = tuple(selectors)
    protocols, ports = {s.protocol for s in known}, {s.port for s in known}
    protocol = protocols.pop() if len(protocols) == 1 else 0
    port = ports.pop() if len(ports) == 1 and protocol else 0
    return Selector(min(s.low for s in known), max(s.high for s in known), protocol, port)
