# SPDX-License-Identifier: ISC
"""How a row of an IKEv1 table takes its message: decrypt, decode, check which payloads are there, run."""

from collections.abc import Callable, Mapping
from typing import Any

from ike_auth.errors import PeerError, UnexpectedMessage
from ike_auth.exchanges.steps import Local, Outcome, State
from ike_auth.exchanges.v1.protection import Protection, open_clear
from ike_auth.values import value
from ike_auth.wire.header import Header
from ike_auth.wire.legality import LEGAL, Step, check
from ike_auth.wire.messages import Message


@value
class Row:
    """For messages in the clear: what must be in it, and the step that it leads to."""

    expects: Step
    run: Callable[[Any, Message, Local], Outcome]

    def step(self, _: State) -> Step:
        return self.expects

    def take(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        message = open_clear(header, data)
        check(LEGAL[self.expects], message)
        return self.run(state, message, local)


@value
class ProtectedRow:
    """For encrypted messages: the state has the protection, the step is given the one that follows.

    What must be in the message may depend on the state, namely on the authentication method. So may the usual reason
    for a message that makes no sense once it is decrypted. `under` gives the protections that the message may have.
    """

    expects: Callable[[Any], Step]
    run: Callable[[Any, Message, Protection, Local], Outcome]
    why_unreadable: Callable[[Any], str] = lambda _: ""
    under: Callable[[Any], tuple[Protection, ...]] = lambda state: (state.protection,)

    def step(self, state: State) -> Step:
        return self.expects(state)

    def take(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        step, first = self.expects(state), None
        for protection in self.under(state):
            try:
                message, following = protection.open(header, data)
                check(LEGAL[step], message)
            except PeerError as error:
                why = self.why_unreadable(state)
                first = first or (type(error)(f"{_numbered(step)} cannot be read, {why} ({error})") if why else error)
                continue
            try:
                return self.run(state, message, following, local)
            except PeerError as error:
                first = first or error
        assert first is not None
        raise first


# The rows of a state are tried in turn: the first that takes the message has it.
Table = Mapping[type[State], tuple[Row | ProtectedRow, ...]]


def expected(table: Table, state: State) -> str:
    """The message that leads on from this state; empty if none does."""
    rows = table.get(type(state))
    return _numbered(rows[0].step(state)) if rows and state.open else ""


def _numbered(step: Step) -> str:
    return step.partition(",")[0]


def advance(table: Table, state: State, header: Header, data: bytes, local: Local) -> Outcome:
    """What the datagram leads to from this state.

    Raises PeerError if the message does not belong here or fails a check; then nothing has changed.
    """
    first: PeerError | None = None
    for row in table.get(type(state), ()):
        try:
            return row.take(state, header, data, local)
        except PeerError as error:
            first = first or error
    raise first or UnexpectedMessage(f"no message is expected now ({type(state).__name__})")
