# SPDX-License-Identifier: ISC
"""Our SAs in the kernel: what is there, how it is told, and which of them has been used."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from ike_auth.daemon.kernel import KernelError, PeerMoved
from ike_auth.daemon.kernel.xfrm import translation
from ike_auth.daemon.kernel.xfrm.conversation import Questions, Refused
from ike_auth.daemon.kernel.xfrm.happenings import MappingMessage
from ike_auth.daemon.kernel.xfrm.marking import OURS, Requests, Settings
from ike_auth.daemon.kernel.xfrm.numbers import MessageType
from ike_auth.daemon.kernel.xfrm.states import State, StateId
from ike_auth.daemon.netlink_messages import MalformedNetlink, Message
from ike_auth.network import Endpoint, IPAddress
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import ProtocolId

FIRST_LOOK, LAST_LOOK = 1.0, 60.0  # seconds between two looks at whether an SA has been used
_NOT_HERE = {errno.EPROTONOSUPPORT, errno.ENOSYS, errno.EAFNOSUPPORT}

Ends = tuple[Selector, Selector, IPAddress, IPAddress]  # inner ones and outer ones, ours first
_Key = tuple[IPAddress, bytes, int]  # as the kernel finds an SA


def ends(sa: IpsecSa) -> Ends:
    """What an SA has in common with its flow."""
    here, there = (sa.destination, sa.source) if sa.inbound else (sa.source, sa.destination)
    return sa.local, sa.remote, here.host, there.host


@dataclass(slots=True)
class Installed:
    sa: IpsecSa
    state: State
    due: float | None = None  # when to look whether it has been used; None: it need not be
    pause: float = FIRST_LOOK


class Associations:
    """Every method raises KernelError."""

    def __init__(self, kernel: Questions, requests: Requests, settings: Settings, soft: Callable[[], float]) -> None:
        self._kernel = kernel
        self._requests = requests
        self._settings = settings
        self._soft = soft
        self._installed: dict[_Key, Installed] = {}
        self._reserved: set[_Key] = set()
        self._looking = False  # whether some SA's use is still to be seen

    def reserve(self, protocol: ProtocolId, source: IPAddress, destination: IPAddress) -> bytes:
        """An SPI for an inbound SA, which the kernel gives to nobody else for the next 30 seconds."""
        request = translation.spi_request(protocol, source, destination, self._settings)
        try:
            answer = self._kernel.ask(MessageType.ALLOCSPI, request.encode())
        except Refused as error:
            raise _explained(error, f"cannot reserve an SPI at {destination}", protocol) from None
        state = _decoded(answer)
        self._reserved.add(_key(state))
        return state.spi

    def install(self, sa: IpsecSa) -> None:
        request = self._requests.take(ends(sa), _user(sa))
        try:
            state = translation.state_of(sa, request, self._settings, self._soft())
            self._put(state)
        except Refused as error:
            self._leave(sa)
            raise _explained(error, f"cannot install the SA with SPI {sa.spi.hex()}", sa.protocol) from None
        except KernelError:
            self._leave(sa)
            raise
        self._installed[_key(state)] = Installed(sa, state, 0.0 if sa.inbound else None)
        self._looking |= sa.inbound

    def remove(self, sa: IpsecSa) -> None:
        id = translation.state_id(sa, self._settings)
        self._installed.pop((id.destination, id.spi, id.protocol), None)
        self._leave(sa)
        self._delete(id)

    def clear(self) -> None:
        """Remove all that bears our number, whichever life of ours has left it there."""
        self._installed.clear()
        for state in self.found():
            self._delete(state.id)

    def found(self) -> list[State]:
        """All that bears our number."""
        found = []
        for message in self._kernel.dump(MessageType.GETSA):
            with suppress(MalformedNetlink):  # ours we would understand
                found.append(State.decode(message.body))
        return [state for state in found if state.request in OURS]

    def known(self, state: State) -> IpsecSa | None:
        """Ours that is this one."""
        installed = self._installed.get(_key(state))
        return None if installed is None else installed.sa

    def ended(self, state: State) -> IpsecSa | None:
        """Ours that is there no longer."""
        self._reserved.discard(_key(state))
        installed = self._installed.pop(_key(state), None)
        if installed is None:
            return None
        self._leave(installed.sa)
        return installed.sa

    def vanished(self) -> list[IpsecSa]:
        """Those of ours that the kernel has no more, without our having been told."""
        there = {_key(state) for state in self.found()}
        gone = [installed.state for key, installed in self._installed.items() if key not in there]
        return [sa for state in gone if (sa := self.ended(state)) is not None]

    def used(self, now: float) -> Iterator[IpsecSa]:
        """Inbound ones that have carried their first packet since they were looked at last."""
        if not self._looking:
            return
        for installed in list(self._installed.values()):
            if installed.due is None or installed.due > now:
                continue
            if self._has_been_used(installed.state):
                installed.due = None
                yield installed.sa
            else:
                installed.due = now + installed.pause
                installed.pause = min(2 * installed.pause, LAST_LOOK)
        self._looking = any(installed.due is not None for installed in self._installed.values())

    def move(self, sa: IpsecSa) -> None:
        """What is there already stays as it is, and so does what is not there."""
        for installed in self._installed.values():
            known = installed.sa
            is_it = (known.inbound, known.spi, known.protocol) == (sa.inbound, sa.spi, sa.protocol)
            if is_it and known.destination.host == sa.destination.host:
                moved = replace(known, source=sa.source, destination=sa.destination)
                if moved != known:
                    self._update(installed, moved)

    def follow(self, mapping: MappingMessage) -> PeerMoved | None:
        """A NAT before a peer has given it another port: what we send goes there. Another host is not followed
        (docs/decisions/0505)."""
        inbound = self._installed.get((mapping.id.destination, mapping.id.spi, mapping.id.protocol))
        (old, old_port), (new, port) = mapping.old, mapping.new
        if inbound is None or old != new:
            return None
        for installed in self._installed.values():
            sa = installed.sa
            theirs = sa.source if sa.inbound else sa.destination
            if ends(sa) == ends(inbound.sa) and theirs == Endpoint(old, old_port):
                moved = Endpoint(old, port)
                self._update(installed, replace(sa, source=moved) if sa.inbound else replace(sa, destination=moved))
        return PeerMoved(mapping.id.spi, inbound.sa.destination, Endpoint(new, port))

    def migrate(self, old: Ends, new: Ends) -> None:
        """The kernel has moved those of one flow to other addresses."""
        for key, installed in list(self._installed.items()):
            sa = installed.sa
            if ends(sa) != old:
                continue
            here, there = (sa.destination, sa.source) if sa.inbound else (sa.source, sa.destination)
            here, there = Endpoint(new[2], here.port), Endpoint(new[3], there.port)
            source, destination = (there, here) if sa.inbound else (here, there)
            self._leave(sa)
            installed.sa = replace(sa, source=source, destination=destination)
            installed.state = replace(installed.state, source=source.host, destination=destination.host)
            self._requests.take(new, _user(installed.sa))
            del self._installed[key]
            self._installed[_key(installed.state)] = installed

    def _update(self, installed: Installed, sa: IpsecSa) -> None:
        state = translation.state_of(sa, installed.state.request, self._settings, self._soft())
        self._kernel.tell(MessageType.UPDSA, state.encode())
        installed.sa, installed.state = sa, state

    def _put(self, state: State) -> None:
        if _key(state) in self._reserved:
            self._reserved.discard(_key(state))
            try:
                return self._kernel.tell(MessageType.UPDSA, state.encode())
            except Refused as error:
                if error.errno != errno.ESRCH:  # the reservation has run out
                    raise
        self._kernel.tell(MessageType.NEWSA, state.encode())

    def _has_been_used(self, state: State) -> bool:
        try:
            answer = self._kernel.ask(MessageType.GETSA, state.id.encode())
        except Refused as error:
            if error.errno == errno.ESRCH:  # we are about to be told that it has ended
                return False
            raise
        return _decoded(answer).counted.packets > 0

    def _delete(self, id: StateId) -> None:
        try:
            self._kernel.tell(MessageType.DELSA, id.encode())
        except Refused as error:
            if error.errno != errno.ESRCH:
                raise

    def _leave(self, sa: IpsecSa) -> None:
        self._requests.leave(ends(sa), _user(sa))


def check(kernel: Questions) -> None:
    """Whether the kernel can do ESP at all: it is given an SA, which is removed. Raises KernelError."""
    state = translation.trial()
    try:
        kernel.tell(MessageType.NEWSA, state.encode())
        kernel.tell(MessageType.DELSA, state.id.encode())
    except Refused as error:
        raise _explained(error, "cannot install SAs", ProtocolId.ESP) from None


def _decoded(message: Message) -> State:
    try:
        return State.decode(message.body)
    except MalformedNetlink as error:
        raise KernelError(f"the kernel's SA is not understood: {error}") from None


def _explained(error: Refused, what: str, protocol: ProtocolId) -> KernelError:
    text = f"{what}: {str(error)[:1].lower()}{str(error)[1:]}"
    if error.errno in _NOT_HERE:
        text += f" (the kernel has no {protocol.name}, or not these algorithms; `Kernel= userspace` needs neither)"
    elif error.errno in (errno.EPERM, errno.EACCES):
        text += " (XFRM needs root or CAP_NET_ADMIN)"
    elif error.errno == errno.EEXIST:
        text += " (another program has an SA with this SPI)"
    return KernelError(text)


def jitter() -> float:
    """0.85 to 0.95: two ends that replace an SA at the same moment would make two."""
    return 0.85 + os.urandom(1)[0] / 2550


def _user(sa: IpsecSa) -> Hashable:
    return sa.inbound, sa.spi, sa.protocol


def _key(state: State) -> _Key:
    return state.destination, state.spi, state.protocol
