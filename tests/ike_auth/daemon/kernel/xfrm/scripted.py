# SPDX-License-Identifier: ISC
"""A kernel that has ESP, as far as our backend can tell: it keeps SAs and policies and touches no packets.

For what cannot be had where the kernel has no ESP. What it answers follows net/xfrm/xfrm_user.c.
"""

import errno
import socket
from dataclasses import replace

from ike_auth.daemon.kernel import KernelEvent
from ike_auth.daemon.kernel.xfrm.backend import XfrmKernel
from ike_auth.daemon.kernel.xfrm.conversation import Listener, Refused
from ike_auth.daemon.kernel.xfrm.marking import Settings
from ike_auth.daemon.kernel.xfrm.numbers import MessageType
from ike_auth.daemon.kernel.xfrm.policies import Policy, PolicyId
from ike_auth.daemon.kernel.xfrm.states import SpiRequest, State, StateId
from ike_auth.daemon.netlink_messages import Flag, Message
from ike_auth.network import IPAddress

Found = tuple[IPAddress, bytes, int]


class ScriptedKernel:
    """`refuse` may name kinds of messages that are refused, with an errno."""

    def __init__(self) -> None:
        self.states: dict[Found, State] = {}
        self.policies: dict[int, Policy] = {}
        self.told: list[MessageType] = []
        self.refuse: dict[MessageType, int] = {}
        self._spi = 0xC0000000

    def tell(self, kind: MessageType, body: bytes) -> None:
        self.told.append(kind)
        if kind in self.refuse:
            raise Refused(self.refuse[kind], "")
        match kind:
            case MessageType.NEWSA | MessageType.UPDSA:
                state = State.decode(body)
                there = (state.destination, state.spi, state.protocol) in self.states
                if there != (kind == MessageType.UPDSA):
                    raise Refused(errno.EEXIST if there else errno.ESRCH, "")
                self.states[state.destination, state.spi, state.protocol] = state
            case MessageType.DELSA:
                id = StateId.decode(body)
                if self.states.pop((id.destination, id.spi, id.protocol), None) is None:
                    raise Refused(errno.ESRCH, "")
            case MessageType.NEWPOLICY | MessageType.UPDPOLICY:
                policy = Policy.decode(body)
                same = [p for p in self.policies.values() if _key(p) == _key(policy)]
                if same and kind == MessageType.NEWPOLICY:
                    raise Refused(errno.EEXIST, "")
                index = same[0].index if same else policy.index
                self.policies[index] = replace(policy, index=index)
            case MessageType.DELPOLICY:
                if self.policies.pop(PolicyId.decode(body).index, None) is None:
                    raise Refused(errno.ENOENT, "")
            case _:
                raise Refused(errno.EINVAL, "")

    def ask(self, kind: MessageType, body: bytes) -> Message:
        if kind == MessageType.ALLOCSPI:
            self._spi += 1
            state = replace(SpiRequest.decode(body).state, spi=self._spi.to_bytes(4, "big"))
            self.states[state.destination, state.spi, state.protocol] = state
            return Message(MessageType.NEWSA, Flag.NONE, state.encode())
        id = StateId.decode(body)
        if (id.destination, id.spi, id.protocol) not in self.states:
            raise Refused(errno.ESRCH, "")
        return Message(MessageType.NEWSA, Flag.NONE, self.states[id.destination, id.spi, id.protocol].encode())

    def dump(self, kind: MessageType) -> list[Message]:
        if kind == MessageType.GETSA:
            return [Message(MessageType.NEWSA, Flag.MULTI, state.encode()) for state in self.states.values()]
        return [Message(MessageType.NEWPOLICY, Flag.MULTI, policy.encode()) for policy in self.policies.values()]

    def close(self) -> None:
        pass


class Stage:
    """A backend with such a kernel; `happens` is what the kernel tells, over a socket."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008
        self.scripted = ScriptedKernel()
        self._kernels_end, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.kernel = XfrmKernel(self.scripted, Listener(ours), settings, soft=lambda: 0.9)
        self.events: list[KernelEvent] = []
        self.kernel.open(self.events.append)

    def happens(self, kind: MessageType, body: bytes) -> list[KernelEvent]:
        """What is reported of it."""
        self._kernels_end.send(Message(kind, Flag.NONE, body).encode())
        ((_, read),) = self.kernel.readers()
        read()
        return self.tended()

    def tended(self, now: float | None = None) -> list[KernelEvent]:
        if now is not None:
            self.kernel.tend(now)
        events, self.events[:] = list(self.events), []
        return events

    def close(self) -> None:
        self.kernel.close()
        self._kernels_end.close()


def _key(policy: Policy) -> object:
    return policy.selector, policy.direction, policy.mark, policy.if_id
