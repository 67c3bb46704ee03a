# SPDX-License-Identifier: ISC
"""What the kernel tells of its own accord: a packet without an SA, an SA or a policy that ends, a NAT that moved."""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct

from ike_auth.daemon.kernel.xfrm.numbers import EVERY_ALGORITHM, MessageType
from ike_auth.daemon.kernel.xfrm.policies import POLICY_SIZE, Policy
from ike_auth.daemon.kernel.xfrm.states import STATE_SIZE, State, StateId
from ike_auth.daemon.kernel.xfrm.structures import (
    TrafficSelector,
    decode_address,
    encode_address,
    family,
)
from ike_auth.daemon.netlink_messages import Message, unpacked
from ike_auth.network import IPAddress

_ACQUIRE = Struct("=16s4sB3x16s56s168s4I")
_HARD = Struct("=B7x")
_MAPPING = Struct("=24sI16s16s2s2s")


@dataclass(frozen=True, slots=True)
class AcquireMessage:
    """`xfrm_user_acquire`: a packet (`selector`) met a policy whose template no SA fits."""

    source: IPAddress  # of the SA that is wanted
    destination: IPAddress
    protocol: int
    selector: TrafficSelector
    policy: Policy
    sequence: int  # an SA with this one takes the place of what waits
    spi: bytes = bytes(4)

    @classmethod
    def decode(cls, data: bytes) -> AcquireMessage:
        """Raises MalformedNetlink."""
        destination, spi, protocol, source, selector, policy, _, _, _, sequence = unpacked(_ACQUIRE, data)
        rest = data[_ACQUIRE.size :]
        met = Policy.decode(policy + rest)
        wanted = TrafficSelector.decode(selector)
        # The structure has no family. That of the packet is another one if a tunnel carries the other version.
        outer = family(met.templates[0].destination) if met.templates else wanted.family
        return cls(
            decode_address(source, outer), decode_address(destination, outer), protocol, wanted, met, sequence, spi
        )

    def encode(self) -> bytes:
        fixed = _ACQUIRE.pack(
            encode_address(self.destination),
            self.spi,
            self.protocol,
            encode_address(self.source),
            self.selector.encode(),
            self.policy.encode_fixed(),
            EVERY_ALGORITHM,
            EVERY_ALGORITHM,
            EVERY_ALGORITHM,
            self.sequence,
        )
        return fixed + self.policy.encode()[POLICY_SIZE:]


@dataclass(frozen=True, slots=True)
class ExpireMessage:
    """`xfrm_user_expire`: an SA has reached a limit; after the hard one it is there no longer."""

    state: State
    hard: bool

    @classmethod
    def decode(cls, data: bytes) -> ExpireMessage:
        """Raises MalformedNetlink."""
        (hard,) = unpacked(_HARD, data, STATE_SIZE)
        return cls(State.decode(data[:STATE_SIZE] + data[STATE_SIZE + _HARD.size :]), bool(hard))

    def encode(self) -> bytes:
        whole = self.state.encode()
        return whole[:STATE_SIZE] + _HARD.pack(self.hard) + whole[STATE_SIZE:]


@dataclass(frozen=True, slots=True)
class PolicyExpireMessage:
    """`xfrm_user_polexpire`."""

    policy: Policy
    hard: bool

    @classmethod
    def decode(cls, data: bytes) -> PolicyExpireMessage:
        """Raises MalformedNetlink."""
        (hard,) = unpacked(_HARD, data, POLICY_SIZE)
        return cls(Policy.decode(data[:POLICY_SIZE] + data[POLICY_SIZE + _HARD.size :]), bool(hard))

    def encode(self) -> bytes:
        whole = self.policy.encode()
        return whole[:POLICY_SIZE] + _HARD.pack(self.hard) + whole[POLICY_SIZE:]


@dataclass(frozen=True, slots=True)
class MappingMessage:
    """`xfrm_user_mapping`: what comes in on an SA in UDP comes from elsewhere now."""

    id: StateId
    request: int
    old: tuple[IPAddress, int]
    new: tuple[IPAddress, int]

    @classmethod
    def decode(cls, data: bytes) -> MappingMessage:
        """Raises MalformedNetlink."""
        id, request, old, new, old_port, new_port = unpacked(_MAPPING, data)
        found = StateId.decode(id)
        version = family(found.destination)
        return cls(
            found,
            request,
            (decode_address(old, version), int.from_bytes(old_port, "big")),
            (decode_address(new, version), int.from_bytes(new_port, "big")),
        )

    def encode(self) -> bytes:
        return _MAPPING.pack(
            self.id.encode()[:24],
            self.request,
            encode_address(self.old[0]),
            encode_address(self.new[0]),
            self.old[1].to_bytes(2, "big"),
            self.new[1].to_bytes(2, "big"),
        )


Happening = AcquireMessage | ExpireMessage | PolicyExpireMessage | MappingMessage


def happening(message: Message) -> Happening | None:
    """None: a message of another sort. Raises MalformedNetlink."""
    match message.type:
        case MessageType.ACQUIRE:
            return AcquireMessage.decode(message.body)
        case MessageType.EXPIRE:
            return ExpireMessage.decode(message.body)
        case MessageType.POLEXPIRE:
            return PolicyExpireMessage.decode(message.body)
        case MessageType.MAPPING:
            return MappingMessage.decode(message.body)
        case _:
            return None
