# SPDX-License-Identifier: ISC
"""What comes out of the engine: values, performed by the daemon (docs/architecture.md).

The engine returns effects in one ordered list, because the order is part of the protocol: an inbound SA has to be
there before the reply that makes the peer use it has left. Whoever performs them stops at an `InstallSa` that fails.
"""

from dataclasses import dataclass
from typing import NewType

from ike_auth.authorization.requests import Question
from ike_auth.events import Event
from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa

QuestionId = NewType("QuestionId", int)


@dataclass(frozen=True, slots=True)
class SendDatagram:
    data: bytes
    local: Endpoint
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class SendKeepalive:
    """RFC 3948 2.3: one octet 0xFF, without the non-ESP marker."""

    local: Endpoint
    remote: Endpoint


@dataclass(frozen=True, slots=True)
class InstallSa:
    sa: IpsecSa


@dataclass(frozen=True, slots=True)
class RemoveSa:
    sa: IpsecSa


@dataclass(frozen=True, slots=True)
class AddFlow:
    """This traffic goes through its SAs from now on. One that is there already, for the same traffic with the same
    ends, is replaced."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class RemoveFlow:
    flow: Flow


@dataclass(frozen=True, slots=True)
class Guard:
    """As long as no flow carries this traffic it stays here, and that there is some is reported to the engine."""

    flow: Flow


@dataclass(frozen=True, slots=True)
class Unguard:
    flow: Flow


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that the engine can't answer itself; the exchange waits for `Engine.answer`."""

    id: QuestionId
    question: Question


@dataclass(frozen=True, slots=True)
class Report:
    """Something that an operator may want to know."""

    event: Event


ToKernel = InstallSa | RemoveSa | AddFlow | RemoveFlow | Guard | Unguard
Effect = SendDatagram | SendKeepalive | ToKernel | Ask | Report
