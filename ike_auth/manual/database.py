# SPDX-License-Identifier: ISC
"""The SAs and policies that were set by hand, and what follows from them for a kernel.

An SA is installed once a policy uses it: by then its mode is known where `-m any` left it open, and so is the traffic
that it may carry. Until a flow has an SA for each rule, its traffic is guarded: it waits, and never leaks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Protocol, TypeVar

from ike_auth.manual import associations, flows
from ike_auth.manual.associations import PROTOCOLS
from ike_auth.manual.errors import ManualError
from ike_auth.manual.flows import Way
from ike_auth.manual.statements import (
    Add,
    Delete,
    DeleteAll,
    Direction,
    Flush,
    Get,
    Group,
    Host,
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
from ike_auth.manual.wanted import Name, Planner, SaEntry, Wanted, name_of, name_text
from ike_auth.network import IPAddress, Now
from ike_auth.sa import Flow, IpsecSa

T = TypeVar("T", Add, SpdAdd)

IsOurs = Callable[[IPAddress], bool]
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
class PolicyEntry:
    spd: SpdAdd
    way: Way
    number: int  # from 1, in the order in which they came
    created: Now


NOTHING = Wanted({}, {}, {})


class Database:
    """Whatever raises leaves it as it was; what a kernel raises passes through."""

    def __init__(self, kernel: ManualKernel, is_ours: IsOurs) -> None:
        """`is_ours`: whether an address is one of this host's."""
        self._kernel = kernel
        self._is_ours = is_ours
        self._planner = Planner()
        self._sas: dict[Name, SaEntry] = {}
        self._policies: dict[_PolicyName, PolicyEntry] = {}
        self._groups: dict[Name, Name] = {}
        self._count = 0
        self._there = NOTHING

    # --- what is there

    def installed(self, entry: SaEntry) -> IpsecSa | None:
        """As a kernel has it."""
        return self._there.sas.get(entry.name)

    def sas(self, security: Security | None = None) -> tuple[SaEntry, ...]:
        entries = (replace(entry, installed=name in self._there.sas) for name, entry in self._sas.items())
        return tuple(entry for entry in entries if _is_of(entry.add, security))

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
                    raise ManualError(f"there is an SA {name_text(_name(statement))} already", hint)
                self._sas[_name(statement)] = self._checked(statement, now)
            case Delete():
                self._find(_name(statement), statement.source)
                del self._sas[_name(statement)]
            case DeleteAll(source, destination, security):
                ends = source.address, destination.address
                self._keep(
                    lambda add: (add.source.address, add.destination.address) != ends or not _is_of(add, security)
                )
            case Flush(flushed):
                self._keep(lambda add: not _is_of(add, flushed))
            case Group(first, second):
                for sa in (first, second):
                    self._find(name_of(sa))
                self._groups[name_of(first)] = name_of(second)
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

    def _find(self, name: Name, source: Host | None = None) -> None:
        entry = self._sas.get(name)
        if entry is None or (
            source and not source.address.is_unspecified and source.address != entry.add.source.address
        ):
            raise ManualError(f"there is no SA {name_text(name)}")

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
        self._policies[name] = PolicyEntry(_plain(spd, SpdAdd), way, self._count, now)

    # --- what follows

    def _settle(self) -> None:
        """Make the kernel hold what is wanted. In this order nothing leaks: guards come first and go last."""
        kernel = self._kernel
        ways = [entry.way for entry in self._policies.values()]
        wanted = self._planner.plan(self._sas, ways, self._groups)
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


def _is_of(add: Add, security: Security | None) -> bool:
    """ESP in UDP is ESP too, as it is for PF_KEY."""
    return security is None or PROTOCOLS[add.security] == PROTOCOLS.get(security)


def _plain(statement: T, kind: type[T]) -> T:
    """What is there in the end, whether it was added or updated."""
    return kind(**{field.name: getattr(statement, field.name) for field in fields(kind)})


def _name(statement: Add | Get | Delete) -> Name:
    return name_of(SaName(statement.destination.address, statement.security, statement.spi))


def _end(entry: SaEntry) -> float | None:
    seconds = entry.add.extensions.hard_seconds
    return entry.created.monotonic + seconds if seconds else None
