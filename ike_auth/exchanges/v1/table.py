# SPDX-License-Identifier: ISC
"""How a row of an IKEv1 table takes its message: decrypt, decode, check which payloads are there, run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ike_auth.errors import PeerError, UnexpectedMessage
from ike_auth.exchanges.steps import Local, Outcome, State
from ike_auth.exchanges.v1.protection import Protection, open_clear
from ike_auth.wire.header import Header
from ike_auth.wire.legality import LEGAL, Step, check
from ike_auth.wire.messages import Message


@runtime_checkable
class Protected(Protocol):
    """A state whose next message comes encrypted."""

    @property
    def protection(self) -> Protection: ...


Run = Callable[[Any, Message, Protection, Local], Outcome] | Callable[[Any, Message, Local], Outcome]


@dataclass(frozen=True, slots=True)
class Row:
    """For messages in the clear: what must be in it, and the step that it leads to."""

    expects: Step
    run: Callable[[Any, Message, Local], Outcome]

    def take(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        message = open_clear(header, data)
        check(LEGAL[self.expects], message.payloads)
        return self.run(state, message, local)


@dataclass(frozen=True, slots=True)
class ProtectedRow:
    """For encrypted messages: the state has the protection, the step is given the one that follows.

    What must be in the message may depend on the state, namely on the authentication method. So may the usual reason
    for a message that makes no sense once it is decrypted.
    """

    expects: Callable[[Any], Step]
    run: Callable[[Any, Message, Protection, Local], Outcome]
    why_unreadable: Callable[[Any], str] = lambda _: ""

    def take(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        assert isinstance(state, Protected)
        step = self.expects(state)
        try:
            message, following = state.protection.open(header, data)
            check(LEGAL[step], message.payloads)
        except PeerError as error:
            why = self.why_unreadable(state)
            if not why:
                raise
            raise type(error)(f"{_numbered(step)} cannot be read, {why} ({error})") from None
        return self.run(state, message, following, local)


Table = Mapping[type[State], Row | ProtectedRow]


def expected(table: Table, state: State) -> str:
    """The message that leads on from this state; empty if none does."""
    match table.get(type(state)):
        case Row(step):
            return _numbered(step)
        case ProtectedRow(of_state):
            return _numbered(of_state(state))
        case _:
            return ""


def _numbered(step: Step) -> str:
    return step.partition(",")[0]


def advance(table: Table, state: State, header: Header, data: bytes, local: Local) -> Outcome:
    """What the datagram leads to from this state.

    Raises PeerError if the message does not belong here or fails a check; then nothing has changed.
    """
    row = table.get(type(state))
    if row is None:
        raise UnexpectedMessage(f"no message is expected now ({type(state).__name__})")
    return row.take(state, header, data, local)
