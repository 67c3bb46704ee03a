# SPDX-License-Identifier: ISC
"""The backend for Linux's own IPsec."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import Self

from ike_auth.daemon.kernel import Acquire, HardLimit, KernelError, KernelEvent, Reader, SaUsed, SoftLimit
from ike_auth.daemon.kernel.xfrm import selectors, sockets, translation
from ike_auth.daemon.kernel.xfrm.associations import FIRST_LOOK, Associations, Ends, check, jitter
from ike_auth.daemon.kernel.xfrm.conversation import Conversation, Listener, Lost, Questions, Refused
from ike_auth.daemon.kernel.xfrm.happenings import (
    AcquireMessage,
    ExpireMessage,
    MappingMessage,
    happening,
)
from ike_auth.daemon.kernel.xfrm.marking import OURS, Requests, Settings
from ike_auth.daemon.kernel.xfrm.numbers import MessageType
from ike_auth.daemon.kernel.xfrm.policies import Migration, Policy, encode_migrate
from ike_auth.daemon.kernel.xfrm.structures import Template
from ike_auth.daemon.kernel.xfrm.table import Change, Owner, PolicyTable
from ike_auth.daemon.netlink_messages import MalformedNetlink, Message
from ike_auth.daemon.udp import Bound
from ike_auth.network import IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.numbers import ProtocolId

_PLAIN = Settings()
GRACE = 60.0  # seconds for which what an earlier life left goes on to block
_ABSENT = {errno.ENOENT, errno.ESRCH}


class XfrmKernel:
    """SAs and policies of the network namespace in which its sockets were opened."""

    def __init__(
        self,
        kernel: Questions,
        listener: Listener,
        settings: Settings = _PLAIN,
        *,
        soft: Callable[[], float] = jitter,
        grace: float = GRACE,
    ) -> None:
        """`soft`: the fraction of its bytes or packets at which an SA is to be replaced, for each SA anew. `grace`:
        seconds for which what an earlier life left blocks its traffic, unless it is guarded again."""
        self._kernel = kernel
        self._listener = listener
        self._settings = settings
        self._grace = grace
        self._requests = Requests()
        self._associations = Associations(kernel, self._requests, settings, soft)
        self._policies = PolicyTable()
        self._flows: dict[Owner, Flow] = {}
        self._sweep_at: float | None = None
        self._swept = False
        self._report: Callable[[KernelEvent], None] = lambda _: None

    @classmethod
    def here(cls, bound: Iterable[Bound], settings: Settings = _PLAIN) -> Self:
        """For this network namespace, with the daemon's sockets; they pass by the policies from now on.

        Raises KernelError, also if this kernel has no ESP.
        """
        with ExitStack() as undo:
            kernel = Conversation.open()
            undo.callback(kernel.close)
            check(kernel)
            listener = Listener.open()
            undo.callback(listener.close)
            for one in bound:
                sockets.exempt(one.socket)
                if one.nat:
                    sockets.decapsulate(one.socket)
            undo.pop_all()
        return cls(kernel, listener, settings)

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        """SAs that an earlier life left are removed: their keys are gone. Its policies stay and block."""
        self._report = report
        self._requests.avoid(state.request for state in self._associations.found())
        self._associations.clear()
        for policy in self._found():
            self._policies.adopt(policy)
            self._requests.avoid(template.request for template in policy.templates)

    def close(self) -> None:
        with suppress(KernelError):
            self._associations.clear()
        with suppress(KernelError):
            for policy in self._found():
                with suppress(KernelError):
                    self._kernel.tell(MessageType.DELPOLICY, policy.id.encode())
        self._listener.close()
        self._kernel.close()

    def readers(self) -> Iterable[Reader]:
        return ((self._listener.fileno(), self._hear),)

    def tend(self, now: float) -> float | None:
        if self._sweep_at is None:
            self._sweep_at = now + self._grace
        if now >= self._sweep_at and not self._swept:
            self._swept = True
            self._apply(self._policies.sweep())
        for sa in self._associations.used(now):
            self._report(SaUsed(sa.spi))
        return now + FIRST_LOOK

    # --- SAs

    def reserve_spi(self, protocol: ProtocolId, source: IPAddress, destination: IPAddress) -> bytes:
        """An SPI of ours (`destination`), that the kernel gives to nobody else for 30 seconds. Raises KernelError."""
        return self._associations.reserve(protocol, source, destination)

    def install(self, sa: IpsecSa) -> None:
        self._associations.install(sa)

    def move(self, sa: IpsecSa) -> None:
        self._associations.move(sa)

    def remove(self, sa: IpsecSa) -> None:
        self._associations.remove(sa)

    # --- flows and guards

    def add_flow(self, flow: Flow) -> None:
        owner = Owner(False, _ends(flow))
        self._claim(owner, lambda request: translation.policies_of(flow, request, self._settings))
        self._flows[owner] = flow

    def remove_flow(self, flow: Flow) -> None:
        owner = Owner(False, _ends(flow))
        if self._flows.get(owner) == flow:  # else another one has replaced it
            del self._flows[owner]
            self._release(owner)

    def guard(self, flow: Flow) -> None:
        owner = Owner(True, _ends(flow))
        self._claim(owner, lambda request: translation.guards_of(flow, request, self._settings))

    def unguard(self, flow: Flow) -> None:
        self._release(Owner(True, _ends(flow)))

    def migrate(self, flow: Flow, local: IPAddress, remote: IPAddress) -> Flow:
        """Move a flow and its SAs to other addresses of the ends, without a packet lost (RFC 4555 is for this).

        Raises KernelError, also where the kernel has no MIGRATE. The new flow is there in place of the old one.
        """
        moved = replace(flow, local_address=local, remote_address=remote)
        for policy in self._policies.owned(Owner(False, _ends(flow))):
            if policy.templates:
                body = encode_migrate(policy.id, [_migration(template, flow, moved) for template in policy.templates])
                try:
                    self._kernel.tell(MessageType.MIGRATE, body)
                except Refused as error:
                    raise KernelError(f"cannot move {flow} to {local} and {remote}: {error}") from None
        self._requests.share(_ends(moved), _ends(flow))
        self._associations.migrate(_ends(flow), _ends(moved))
        self.add_flow(moved)
        self.remove_flow(flow)
        return moved

    def _claim(self, owner: Owner, make: Callable[[int], tuple[Policy, ...]]) -> None:
        """All of it, or nothing."""
        before = self._policies.owned(owner)
        request = self._requests.take(owner.what, owner)
        try:
            self._apply(self._policies.claim(owner, make(request)))
        except KernelError:
            with suppress(KernelError):
                self._apply(self._policies.claim(owner, before))
            if not before:
                self._requests.leave(owner.what, owner)
            raise

    def _release(self, owner: Owner) -> None:
        self._requests.leave(owner.what, owner)
        self._apply(self._policies.release(owner))

    def _apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            try:
                self._kernel.tell(change.type, _body(change))
            except Refused as error:
                if change.type != MessageType.DELPOLICY or error.errno not in _ABSENT:
                    self._policies.failed(change)
                    raise _explained(error, change.policy) from None
            self._policies.done(change)

    def _found(self) -> list[Policy]:
        """All that bear our number."""
        found = []
        for message in self._kernel.dump(MessageType.GETPOLICY):
            with suppress(MalformedNetlink):  # ours we would understand
                found.append(Policy.decode(message.body))
        return [policy for policy in found if policy.index in OURS]

    # --- what the kernel tells

    def _hear(self) -> None:
        try:
            for message in self._listener.heard():
                self._handle(message)
        except Lost:
            for sa in self._associations.vanished():
                self._report(HardLimit(sa.spi, sa.inbound))

    def _handle(self, message: Message) -> None:
        try:
            found = happening(message)
        except MalformedNetlink as error:
            raise KernelError(f"what the kernel tells is not understood: {error}") from None
        match found:
            case AcquireMessage(policy=policy) if policy.index in OURS:
                self._report(Acquire(*selectors.traffic_of(found.selector)))
            case ExpireMessage(state, hard):
                sa = self._associations.ended(state) if hard else self._associations.known(state)
                if sa is not None:
                    self._report((HardLimit if hard else SoftLimit)(sa.spi, sa.inbound))
            case MappingMessage():
                moved = self._associations.follow(found)
                if moved is not None:
                    self._report(moved)
            case _:
                pass  # of other programs, or of no interest


def _ends(flow: Flow) -> Ends:
    return flow.local, flow.remote, flow.local_address, flow.remote_address


def _body(change: Change) -> bytes:
    return change.policy.id.encode() if change.type == MessageType.DELPOLICY else change.policy.encode()


def _migration(template: Template, old: Flow, new: Flow) -> Migration:
    outgoing = template.source == old.local_address
    before, after = (
        (flow.local_address, flow.remote_address) if outgoing else (flow.remote_address, flow.local_address)
        for flow in (old, new)
    )
    return Migration(before, after, template.protocol, template.mode, template.request)


def _explained(error: Refused, policy: Policy) -> KernelError:
    source, destination = selectors.traffic_of(policy.selector)
    text = f"the kernel refuses a policy from {source} to {destination}: {error}"
    if error.errno == errno.EEXIST:
        text += " (another program has one for the same traffic: see `ip xfrm policy`)"
    elif error.errno in (errno.EPERM, errno.EACCES):
        text += " (XFRM needs root or CAP_NET_ADMIN)"
    return KernelError(text)
