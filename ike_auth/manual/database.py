# SPDX-License-Identifier: ISC
"""The SAs and policies that were set by hand, and what follows from them for a kernel.

An SA is installed once a policy uses it: by then its mode is known where `-m any` left it open, and so is the traffic
that it may carry. Until a flow has an SA for each rule, its traffic is guarded: it waits, and never leaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from ipaddress import ip_network
from typing import Protocol, TypeVar

from ike_auth.manual import associations, flows
from ike_auth.manual.adopting import Held, add_of, policies_of
from ike_auth.manual.associations import PROTOCOLS
from ike_auth.manual.errors import ManualError
from ike_auth.manual.flows import Hop, Way
from ike_auth.manual.statements import (
    Add,
    Delete,
    DeleteAll,
    Direction,
    Flush,
    Get,
    Group,
    Host,
    Mode,
    SaName,
    Security,
    SpdAdd,
    SpdDelete,
    SpdFlush,
    SpdUpdate,
    Statement,
    Traffic,
    Update,
)
from ike_auth.network import IPAddress, Now
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import ProtocolId

T = TypeVar("T", Add, SpdAdd)

IsOurs = Callable[[IPAddress], bool]
_Name = tuple[ProtocolId, IPAddress, int]
_PolicyName = tuple[Direction, Traffic | str]


class ManualKernel(Protocol):
    """The part of a kernel backend that is used here."""

    def install(self, sa: IpsecSa) -> None: ...
    def remove(self, sa: IpsecSa) -> None: ...
    def add_flow(self, flow: Flow) -> None: ...
    def remove_flow(self, flow: Flow) -> None: ...
    def guard(self, flow: Flow) -> None: ...
    def unguard(self, flow: Flow) -> None: ...


@dataclass(frozen=True, slots=True)
class SaEntry:
    add: Add
    inbound: bool
    created: Now
    installed: bool = False


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    spd: SpdAdd
    number: int  # from 1, in the order in which they came
    created: Now


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a kernel should hold."""

    sas: Mapping[_Name, IpsecSa]
    flows: Mapping[tuple[Selector, Selector], Flow]
    guards: Mapping[tuple[Selector, Selector], Flow]


NOTHING = Wanted({}, {}, {})


class Database:
    """Whatever raises leaves it as it was; what a kernel raises passes through."""

    def __init__(self, kernel: ManualKernel, is_ours: IsOurs, *, eager: bool = False) -> None:
        """`is_ours`: whether an address is one of this host's. `eager`: install SAs that no policy uses as well, for
        a process that will not be there when the policy comes."""
        self._kernel = kernel
        self._is_ours = is_ours
        self._eager = eager
        self._sas: dict[_Name, SaEntry] = {}
        self._policies: dict[_PolicyName, PolicyEntry] = {}
        self._groups: dict[_Name, _Name] = {}
        self._count = 0
        self._there = NOTHING

    def adopt(self, held: Held, now: Now) -> None:
        """Begin with what a kernel holds already. It does not know the reqids of rules, which are lost."""
        for sa in held.sas:
            add = add_of(sa)
            self._sas[_name(add)] = SaEntry(add, sa.inbound, now)
        for flow in held.flows:
            for spd in policies_of(flow):
                self._count += 1
                self._policies[spd.policy.direction, spd.traffic] = PolicyEntry(spd, self._count, now)
        guards = {(flow.local, flow.remote): flow for flow in held.guards}
        self._there = Wanted(
            {_name(add_of(sa)): sa for sa in held.sas}, {(f.local, f.remote): f for f in held.flows}, guards
        )

    # --- what is there

    def sas(self, security: Security | None = None) -> tuple[SaEntry, ...]:
        entries = (replace(entry, installed=name in self._there.sas) for name, entry in self._sas.items())
        return tuple(entry for entry in entries if security in (None, entry.add.security))

    def policies(self) -> tuple[PolicyEntry, ...]:
        return tuple(self._policies.values())

    def get(self, get: Get) -> SaEntry:
        """Raises ManualError if it is not there."""
        name = _name(get)
        self._find(name, get.source)
        return replace(self._sas[name], installed=name in self._there.sas)

    # --- changes

    def perform(self, statement: Statement, now: Now) -> None:
        """Raises ManualError for what cannot be done, and statements that only ask."""
        before = dict(self._sas), dict(self._policies), dict(self._groups)
        try:
            self._change(statement, now)
            self._settle()
        except Exception:
            self._sas, self._policies, self._groups = before
            with suppress(Exception):  # the first failure is the one to be told
                self._settle()
            raise

    def tend(self, now: Now) -> float | None:
        """Remove what has lived long enough; when the next one will have, in monotonic seconds, or None."""
        ends = {name: _end(entry) for name, entry in self._sas.items()}
        for name, end in ends.items():
            if end is not None and end <= now.monotonic:
                del self._sas[name]
        self._settle()
        return min((end for name, end in ends.items() if end is not None and name in self._sas), default=None)

    def close(self) -> None:
        """Remove everything."""
        self._sas, self._policies, self._groups = {}, {}, {}
        self._settle()

    def _change(self, statement: Statement, now: Now) -> None:
        match statement:
            case Update():
                name = _name(statement)
                self._find(name, statement.source)
                self._sas[name] = self._checked(statement, now)
            case Add():
                if _name(statement) in self._sas:
                    hint = "`delete` it first, or `update` it"
                    raise ManualError(f"there is an SA {_text(_name(statement))} already", hint)
                self._sas[_name(statement)] = self._checked(statement, now)
            case Delete():
                self._find(_name(statement), statement.source)
                del self._sas[_name(statement)]
            case DeleteAll(source, destination, security):
                ends = source.address, destination.address, security
                self._keep(lambda add: (add.source.address, add.destination.address, add.security) != ends)
            case Flush(flushed):
                self._keep(lambda add: flushed not in (None, add.security))
            case Group(first, second):
                for sa in (first, second):
                    self._find(_named(sa))
                self._groups[_named(first)] = _named(second)
            case SpdUpdate() | SpdAdd():
                self._add_policy(statement, now)
            case SpdDelete(traffic, direction):
                if self._policies.pop((direction, traffic), None) is None:
                    raise ManualError(
                        "there is no such policy", "addresses, ports, protocol and direction must be the same"
                    )
            case SpdFlush():
                self._policies.clear()
            case _:
                raise ManualError("this changes nothing")

    def _keep(self, wanted: Callable[[Add], bool]) -> None:
        self._sas = {name: entry for name, entry in self._sas.items() if wanted(entry.add)}

    def _find(self, name: _Name, source: Host | None = None) -> None:
        entry = self._sas.get(name)
        if entry is None or (
            source and not source.address.is_unspecified and source.address != entry.add.source.address
        ):
            raise ManualError(f"there is no SA {_text(name)}")

    def _checked(self, add: Add, now: Now) -> SaEntry:
        associations.check(add)
        outbound, inbound = self._is_ours(add.source.address), self._is_ours(add.destination.address)
        ends = f"{add.source.address} and {add.destination.address}"
        if outbound and inbound:
            raise ManualError(f"{ends} are both addresses of this host", "an SA is between two hosts")
        if not outbound and not inbound:
            raise ManualError(f"neither {ends.replace(' and ', ' nor ')} is an address of this host")
        return SaEntry(_plain(add, Add), inbound, now)

    def _add_policy(self, spd: SpdAdd, now: Now) -> None:
        way = flows.way(spd)
        name = (spd.policy.direction, spd.traffic)
        if name in self._policies and not isinstance(spd, SpdUpdate):
            raise ManualError(
                "there is a policy for this traffic already", "`spddelete` it first, or use `spdupdate`"
            )
        ours, theirs = way.ends
        if way.hops and not self._is_ours(ours):
            hint = "the two ends are swapped" if self._is_ours(theirs) else ""
            raise ManualError(f"`-P {spd.policy.direction}`, but {ours} is no address of this host", hint)
        self._count += 1
        self._policies[name] = PolicyEntry(_plain(spd, SpdAdd), self._count, now)

    # --- what follows

    def _wanted(self) -> Wanted:
        """Raises ManualError if policies contradict each other."""
        ways: dict[tuple[Selector, Selector], Way] = {}
        for entry in self._policies.values():
            way = flows.way(entry.spd)
            way = replace(way, hops=self._grouped(way.hops))
            known = ways.setdefault((way.local, way.remote), way)
            if known != way:
                hint = "both directions go through the same SAs; `spddelete` one before the other changes"
                raise ManualError(f"the policies for {way.local} ↔ {way.remote} contradict each other", hint)
        sas: dict[_Name, IpsecSa] = {}
        for name, sa in self._sas.items():
            found = _installable(sa, ways.values(), self._eager)
            if found is not None:
                sas[name] = found
        adds = [self._sas[name].add for name, sa in sas.items() if not sa.inbound]
        flowing = {key: flow for key, way in ways.items() if (flow := way.flow(adds)) is not None}
        return Wanted(sas, flowing, {key: way.guard for key, way in ways.items()})

    def _grouped(self, hops: tuple[Hop, ...]) -> tuple[Hop, ...]:
        """With what comes after it by `group`."""
        found = list(hops)
        for hop in found:
            names = [name for name, entry in self._sas.items() if hop.takes(entry.add, inbound=entry.inbound)]
            for second in (self._groups[name] for name in names if name in self._groups):
                if second in self._sas and len(found) < len(hops) + len(self._groups):
                    protocol = PROTOCOLS[self._sas[second].add.security]
                    after = Hop(protocol, Mode.TRANSPORT, hop.local, hop.remote)
                    found += [after] if after not in found else []
        return tuple(found)

    def _settle(self) -> None:
        """Make the kernel hold what is wanted. In this order nothing leaks: guards come first and go last."""
        wanted, kernel = self._wanted(), self._kernel
        sas, flowing, guards = dict(self._there.sas), dict(self._there.flows), dict(self._there.guards)
        self._there = Wanted(sas, flowing, guards)
        for key, guard in wanted.guards.items():
            if guards.get(key) != guard:
                kernel.guard(guard)
                if key in guards:
                    kernel.unguard(guards[key])
                guards[key] = guard
        for key in [key for key in flowing if key not in wanted.flows]:
            kernel.remove_flow(flowing.pop(key))
        for name in [name for name in sas if sas[name] != wanted.sas.get(name)]:
            kernel.remove(sas.pop(name))
        for name, sa in wanted.sas.items():
            if name not in sas:
                kernel.install(sa)
                sas[name] = sa
        for key, flow in wanted.flows.items():
            if flowing.get(key) != flow:
                kernel.add_flow(flow)
                flowing[key] = flow
        for key in [key for key in guards if key not in wanted.guards]:
            kernel.unguard(guards.pop(key))


def _installable(entry: SaEntry, ways: Iterable[Way], eager: bool) -> IpsecSa | None:
    """The SA with all traffic that policies send through it. If there is none, None or, for the eager, with any."""
    uses = [(way, hop) for way in ways for hop in way.hops if hop.takes(entry.add, inbound=entry.inbound)]
    if not uses:
        return _for_any(entry) if eager else None
    modes = {hop.mode_of(entry.add) for _, hop in uses}
    if len(modes) > 1:
        name = _text(_name(entry.add))
        raise ManualError(f"policies use the SA {name} in both modes", "give each SA its mode: `-m tunnel`")
    local, remote = _hull(way.local for way, _ in uses), _hull(way.remote for way, _ in uses)
    return associations.ipsec_sa(entry.add, inbound=entry.inbound, mode=modes.pop(), local=local, remote=remote)


def _for_any(entry: SaEntry) -> IpsecSa:
    """With the traffic that its mode allows it to carry, before any policy says which."""
    add = entry.add
    ours, theirs = add.source.address, add.destination.address
    if entry.inbound:
        ours, theirs = theirs, ours
    mode = Mode.TUNNEL if add.extensions.mode is Mode.TUNNEL else Mode.TRANSPORT
    everything = Selector.of(ip_network("0.0.0.0/0" if ours.version == 4 else "::/0"))
    local, remote = (everything, everything) if mode is Mode.TUNNEL else (Selector.of(ours), Selector.of(theirs))
    return associations.ipsec_sa(add, inbound=entry.inbound, mode=mode, local=local, remote=remote)


def _hull(selectors: Iterable[Selector]) -> Selector:
    """The smallest selector that contains all of these."""
    known = tuple(selectors)
    protocols, ports = {s.protocol for s in known}, {s.port for s in known}
    protocol = protocols.pop() if len(protocols) == 1 else 0
    port = ports.pop() if len(ports) == 1 and protocol else 0
    return Selector(min(s.low for s in known), max(s.high for s in known), protocol, port)


def _plain(statement: T, kind: type[T]) -> T:
    """What is there in the end, whether it was added or updated."""
    return kind(**{field.name: getattr(statement, field.name) for field in fields(kind)})


def _name(statement: Add | Get | Delete) -> _Name:
    return _named(SaName(statement.destination.address, statement.security, statement.spi))


def _named(sa: SaName) -> _Name:
    return PROTOCOLS.get(sa.security, ProtocolId.RESERVED), sa.destination, sa.spi


def _text(name: _Name) -> str:
    return f"{name[0]} 0x{name[2]:08x} to {name[1]}"


def _end(entry: SaEntry) -> float | None:
    seconds = entry.add.extensions.hard_seconds
    return entry.created.monotonic + seconds if seconds else None
