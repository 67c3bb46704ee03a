# SPDX-License-Identifier: ISC
"""Exchanges as tables over frozen states.

A state is a frozen dataclass that carries exactly what is known by then, so its type is the program counter. A
message, or the answer to a question, leads from one state to the next by the row of the table that the state's type
names. Whatever a step raises, nothing has happened: on UDP anyone can inject, so one bad message must not end an
exchange. The tables themselves are those of an IKE version (`v1/`); what is here, every version shares.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

from ike_auth.authorization.requests import Answer, Question
from ike_auth.config.model import Connection, Peer
from ike_auth.effects import Effect
from ike_auth.errors import LocalError
from ike_auth.network import Endpoint, IPAddress, Now
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.values import value
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import ProtocolId

Random = Callable[[int], bytes]


class State:
    """Where an exchange stands."""

    __slots__ = ()

    # False once nothing can come of the exchange but a repeated reply.
    open: ClassVar[bool] = True

    @property
    def awaits_message(self) -> bool:
        """Whether what we sent last has to be sent again until the peer answers."""
        return False

    @property
    def ike_cookies(self) -> Cookies | None:
        """What an exchange that makes an IKE SA goes by; the responder's cookie is zeros until it has answered."""
        return None

    @property
    def port_may_change(self) -> bool:
        """Whether the peer's next message may come from another port of its host than the last one."""
        return True

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        """Inbound SPIs that the exchange sets up."""
        return ()

    @property
    def peer_spis(self) -> tuple[bytes, ...]:
        """Outbound ones, as far as they are known."""
        return ()

    @property
    def pending_tunnel(self) -> Tunnel | None:
        """A tunnel that is all but there."""
        return None

    def abandoned(self) -> tuple[Effect, ...]:
        """What has to be undone when the exchange times out here."""
        return ()


@value
class Closed(State):
    """Nothing more to do; the last reply is kept for a peer that missed it."""

    open = False


# --- what a step wants changed in the SA table


@value
class AddIkeSa:
    """The peer is authenticated. Once more with another last block: see `v1/chaining`."""

    sa: IkeSa


@value
class AddTunnel:
    tunnel: Tunnel


@value
class DeleteIkeSa:
    cookies: Cookies
    why: str


@value
class DeleteTunnels:
    """The peer of this IKE SA no longer receives on these SPIs, which are its own."""

    ike: IkeSa
    protocol: ProtocolId
    spis: tuple[bytes, ...]


@value
class FailPhase2:
    """The authenticated peer refuses the tunnel with this SPI, its own or ours. None: it names no SPI that means
    anything, so it can only mean what we asked for, if that is one tunnel."""

    ike: IkeSa
    spi: bytes | None
    notify: str


@value
class StartedAnew:
    """INITIAL-CONTACT: the peer of this IKE SA has no older SA with us (RFC 2407 4.6.3.3)."""

    ike: IkeSa


@value
class Acknowledged:
    """R-U-THERE-ACK under this IKE SA, as it was before; None: it does not name the IKE SA, or no number."""

    ike: IkeSa
    sequence: int | None


Change = AddIkeSa | AddTunnel | DeleteIkeSa | DeleteTunnels | FailPhase2 | StartedAnew | Acknowledged


@value
class Outcome:
    """What a step leads to. The engine commits all of it or, if the step raised, nothing.

    `send` is the next message of the exchange; `notify` tells the peer something beside it, and is sent once. The
    effects `before` and `after` stand around the sending. What asks does nothing else until it is answered, and
    awaits no message meanwhile.
    """

    state: State
    send: bytes | None = None
    notify: tuple[bytes, ...] = ()
    doubts: tuple[bytes, ...] = ()  # notifications that can wait: the next message may make them untrue
    ask: Question | None = None
    before: tuple[Effect, ...] = ()
    after: tuple[Effect, ...] = ()
    changes: tuple[Change, ...] = ()
    to_nat_port: bool = False  # from here on between the ports of RFC 3947 4
    refused: bool = False  # the peer has proved itself, and may not have what it wants; that is reported


@value
class OwnCertificate:
    """What proves an identity of ours: its chain (DER, leaf first); the private key is asked by `Sign`."""

    chain: tuple[bytes, ...]


@value
class Settings:
    """What steps know of the configuration besides the peer."""

    certificate_of: Callable[[Identity], OwnCertificate | None]
    authorities: tuple[bytes, ...]  # DER subjects, for certificate requests
    connections_of: Callable[[str], tuple[Connection, ...]]
    nat_port: int = 4500  # ours; who has found a NAT moves there (RFC 3947 4)
    encapsulate: bool = False  # claim to be behind a NAT, so that ESP goes in UDP
    key_is_shared: Callable[[Peer], bool] = lambda peer: peer.is_default


@value
class Local:
    """Our side of one step."""

    now: Now
    random: Random
    draw_spi: Callable[[ProtocolId, IPAddress, IPAddress], bytes]  # as `ReserveSpi` of the engine
    local: Endpoint
    remote: Endpoint
    settings: Settings
    is_first_contact: Callable[[Peer], bool] = lambda _: False  # and the peer is to be told so

    def new_spi(self, protocol: ProtocolId) -> bytes:
        """Of an SA of ours with the peer. Raises LocalError if all are in use."""
        return self.draw_spi(protocol, self.remote.host, self.local.host)


@value
class AnswerRow:
    """For a state that asked: which kind of answer it waits for, what about, and the step that it leads to."""

    expects: type[Answer]
    about: str
    run: Callable[..., Outcome]


Answers = Mapping[type[State], AnswerRow]


def answer(state: State, given: Answer, local: Local, answers: Answers) -> Outcome:
    """What the answer leads to. Raises LocalError for an answer to some other question."""
    row = answers[type(state)]
    if not isinstance(given, row.expects):
        raise LocalError(f"asked about {row.about}, and was answered by {type(given).__name__}")
    return row.run(state, given, local)
