# SPDX-License-Identifier: ISC
"""What is asked of the authorization layer, and what it answers: plain values.

Exchanges put questions (`IdentifyPeer`, `AuthorizeTunnel`, `Sign`); the gate checks what no authorizer may be lenient
about and hands requests (`IdentityRequest`, `TunnelRequest`) to the authorizer that the configuration names.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ike_auth.config.model import Peer
from ike_auth.crypto.secrets import Secret
from ike_auth.network import IPAddress
from ike_auth.values import value
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    ExchangeType,
    Group,
    IpcompTransform,
    ProtocolId,
)
from keynote.recorded import Recorded
from pki.chain import ValidatedChain


@dataclass(frozen=True, slots=True)
class PresharedKey:
    """The peer knows this key. Where several peers share it, it proves none of their names."""

    key: Secret
    shared: bool


@dataclass(frozen=True, slots=True)
class Sent:
    """What a peer has sent of revocations beside its certificates: lists and OCSP responses, DER, as they came."""

    lists: tuple[bytes, ...] = field(default=(), repr=False)
    staples: tuple[bytes, ...] = field(default=(), repr=False)


NOTHING_SENT = Sent()


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """The peer holds the private key of the leaf of this chain. What it `sent` is kept: when its SAs are reviewed, it
    is not there to send it again."""

    chain: ValidatedChain
    sent: Sent = NOTHING_SENT


Proof = PresharedKey | CertifiedKey


class Negotiation(NamedTuple):
    """The exchange that asks: its addresses, its Phase 1 and who began it. A key of what is remembered for policy."""

    local: IPAddress
    remote: IPAddress
    exchange: ExchangeType
    group: Group
    initiator: bool  # we began it


@dataclass(frozen=True, slots=True)
class IdentityRequest:
    """Phase 1: may the holder of this proof be this identity here?"""

    peer: Peer
    identity: Identity
    proof: Proof
    negotiation: Negotiation


@dataclass(frozen=True, slots=True)
class ProtocolParameters:
    """One protocol of a Phase 2 proposal as it would be installed; None is what was not proposed."""

    protocol: ProtocolId
    transform: EspTransform | AhTransform | IpcompTransform
    encapsulation: EncapsulationMode
    authentication: AuthenticationAlgorithm | None
    key_length: int | None = None  # bits
    key_rounds: int | None = None
    group: Group | None = None
    life_seconds: int | None = None
    life_kilobytes: int | None = None
    ecn_tunnel: bool = False


@dataclass(frozen=True, slots=True)
class TunnelRequest:
    """Phase 2: may this peer have these protocols for these flows?"""

    identity: IdentityRequest
    protocols: tuple[ProtocolParameters, ...]
    local: Selector
    remote: Selector
    pfs: bool
    initiator: bool  # we began the quick mode
    connection: str | None  # the configured connection it belongs to
    client_ids: bool = True  # the flows were named by client identities; False: the ends' own addresses


@value
class Decision:
    """`because` is one line for logs and names policy by file and line; `value` is the compliance value.

    `asked` gives the query that a KeyNote policy was asked, if one was, for the record."""

    allowed: bool
    value: str
    because: str
    details: tuple[str, ...] = ()
    asked: Callable[[], Recorded] | None = field(default=None, compare=False, repr=False)


@value
class IdentifyPeer:
    """Question of Phase 1: the peer has proved that it holds a key; whose is it, and may it come in?

    `credential` is the pre-shared key, or the certificates as they came (DER, leaf first).
    """

    peer: Peer
    identity: Identity
    credential: Secret | tuple[bytes, ...]
    negotiation: Negotiation
    sent: Sent = NOTHING_SENT


@value
class PeerIdentified:
    """Answer to `IdentifyPeer`. `request` is there when `decision.allowed`; no SA may outlive `expires`.

    A denial is `doubtful` if it rests on certificates alone. No proof of the peer's covers those: they may have been
    altered on the way, and another copy of the message may have better ones.
    """

    decision: Decision
    request: IdentityRequest | None = None
    expires: datetime | None = None
    doubtful: bool = False


@value
class AuthorizeTunnel:
    """Question of Phase 2: the first of these that may be had."""

    requests: tuple[TunnelRequest, ...]


@value
class TunnelAuthorized:
    """Answer to `AuthorizeTunnel`: `chosen` is an index, None if all are denied; decisions in order, up to it."""

    chosen: int | None
    decisions: tuple[Decision, ...]


@value
class Sign:
    """Question of Phase 1: RSA signature (RFC 2409 5.1) with the private key of this identity of ours."""

    identity: Identity
    digest: bytes


@value
class Signed:
    """Answer to `Sign`; None if there is no key."""

    signature: bytes | None


Question = IdentifyPeer | AuthorizeTunnel | Sign
Answer = PeerIdentified | TunnelAuthorized | Signed
