# SPDX-License-Identifier: ISC
"""What comes out of the engine: values, performed by the daemon (docs/architecture.md).

The engine returns effects in one ordered list, because the order is part of the protocol: an inbound SA has to be
there before the reply that makes the peer use it has left. Whoever performs them stops at an `InstallSa` that fails.
"""

from typing import NewType

from ike_auth.authorization.requests import Question
from ike_auth.events import Event
from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa
from ike_auth.values import value

QuestionId = NewType("QuestionId", int)


@value
class SendDatagram:
    data: bytes
    local: Endpoint
    remote: Endpoint


@value
class SendKeepalive:
    """RFC 3948 2.3: one octet 0xFF, without the non-ESP marker."""

    local: Endpoint
    remote: Endpoint


@value
class InstallSa:
    sa: IpsecSa


@value
class MoveSa:
    """The peer's end of an SA that is there is elsewhere from now on. One that is there already stays as it is."""

    sa: IpsecSa


@value
class RemoveSa:
    sa: IpsecSa


@value
class AddFlow:
    """This traffic goes through its SAs from now on. One that is there already, for the same traffic with the same
    ends, is replaced."""

    flow: Flow


@value
class RemoveFlow:
    flow: Flow


@value
class Guard:
    """As long as no flow carries this traffic it stays here, and that there is some is reported to the engine."""

    flow: Flow


@value
class Unguard:
    flow: Flow


@value
class Ask:
    """A question that the engine can't answer itself; the exchange waits for `Engine.answer`."""

    id: QuestionId
    question: Question


@value
class Report:
    """Something that an operator may want to know."""

    event: Event


ToKernel = InstallSa | MoveSa | RemoveSa | AddFlow | RemoveFlow | Guard | Unguard
Effect = SendDatagram | SendKeepalive | ToKernel | Ask | Report
