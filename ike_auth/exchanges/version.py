# SPDX-License-Identifier: ISC
"""What the engine needs of an IKE version. Nothing else asks which version an exchange is of."""

from collections.abc import Iterable
from enum import IntEnum, auto
from typing import Protocol

from ike_auth.authorization.requests import Answer, TunnelRequest
from ike_auth.config.model import Connection, Peer
from ike_auth.errors import IkeError
from ike_auth.exchanges.steps import Local, Outcome, Random, State
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.wire.header import Header


class Route(IntEnum):
    """Where a message belongs. A number, since the engine looks up by it what to do with each."""

    IKE = auto()  # an exchange that makes an IKE SA
    CHILD = auto()  # an exchange under an IKE SA
    HINT = auto()  # nobody vouches for it


class Version(Protocol):
    """The step tables of one version, and the messages that no exchange of ours waits for."""

    def accept_ike(self, header: Header, peer: Peer) -> State:
        """A first message that would make an IKE SA. Raises PeerError if such an exchange is not taken."""

    def accept_child(self, header: Header, ike: IkeSa) -> State:
        """A first message under an IKE SA. Raises PeerError."""

    def initiate_ike(self, peer: Peer, local: Local) -> Outcome:
        """Begin to make an IKE SA. Raises LocalError."""

    def initiate_child(self, ike: IkeSa, connection: Connection, local: Local) -> Outcome:
        """Begin to make a tunnel. Raises LocalError."""

    def advance(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        """Take a message in this state. Raises PeerError or LocalError; then nothing has happened."""

    def answer(self, state: State, answer: Answer, local: Local) -> Outcome:
        """Take the answer to the question that this state asked. Raises as `advance`."""

    def message_id(self, state: State) -> int:
        """Of an exchange under an IKE SA that we began."""

    def tunnel_requests(self, state: State) -> tuple[TunnelRequest, ...]:
        """What the state has asked to be authorized."""

    def route(self, header: Header, under_ike: bool) -> Route:
        """Where a message belongs; `under_ike`: its cookies are those of an IKE SA."""

    def hints(self, state: State | None, header: Header, data: bytes) -> tuple[str, ...]:
        """What somebody who is not authenticated has to say. Raises PeerError."""

    def refusal(self, header: Header, error: IkeError, random: Random) -> bytes | None:
        """What to tell a peer whose first message is refused."""

    def delete_ike(self, ike: IkeSa, random: Random) -> bytes:
        """The message that tells the peer that an IKE SA is gone."""

    def delete_tunnels(self, ike: IkeSa, tunnels: Iterable[Tunnel], random: Random) -> bytes:
        """The message that tells the peer that tunnels are gone."""

    def delete_spi(self, ike: IkeSa, spi: bytes, random: Random) -> bytes:
        """The message that tells the peer that there is no inbound SA of ESP with this SPI."""

    def probe(self, ike: IkeSa, sequence: int, random: Random) -> bytes:
        """The message that asks whether the peer is there."""

    def initial_contact(self, ike: IkeSa, random: Random) -> bytes:
        """The message that tells the peer that there is no older SA with it."""

    def name(self, state: State) -> str:
        """`main mode`, `quick mode`: for reports."""

    def awaited(self, state: State) -> str:
        """`main mode 2`: what would lead on from this state, for reports that it did not come."""

    def why_silent(self, state: State) -> str:
        """What most often keeps a peer from answering in this state; empty if there is no such thing."""

    def offered(self, state: State) -> str:
        """By its names in the configuration, what the peer has yet to choose from; empty if it has chosen."""
