# SPDX-License-Identifier: ISC
"""Requests as the exchanges make them, for tests of those who decide."""

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

from ike_auth.authorization.requests import (
    CertifiedKey,
    IdentifyPeer,
    IdentityRequest,
    Negotiation,
    PresharedKey,
    Proof,
    ProtocolParameters,
    TunnelRequest,
)
from ike_auth.config.model import Location, Peer
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import (
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    ExchangeType,
    Group,
    ProtocolId,
)
from pki.chain import TrustAnchors, validate
from tests.pki.factory import Issued

NOW = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC)
KEY = Secret(b"a key that is shared")
NEGOTIATION = Negotiation(
    ip_address("198.51.100.1"), ip_address("203.0.113.7"), ExchangeType.MAIN, Group.MODP_2048, initiator=False
)
AES = ProtocolParameters(
    ProtocolId.ESP,
    EspTransform.AES_CBC,
    EncapsulationMode.TUNNEL,
    AuthenticationAlgorithm.HMAC_SHA2_256,
    key_length=256,
    group=Group.MODP_2048,
    life_seconds=1200,
)


def peer(**more: object) -> Peer:
    defaults: dict[str, object] = {
        "name": "gw",
        "where": Location("isakmpd.conf", 7),
        "address": ip_address("203.0.113.7"),
        "local_address": None,
        "port": 500,
        "exchange": ExchangeType.MAIN,
        "transforms": (),
        "preshared_key": None,
        "own_id": None,
        "remote_id": None,
    }
    return Peer(**{**defaults, **more})  # type: ignore[arg-type]


def certified(issued: Issued, *authorities: Issued) -> CertifiedKey:
    anchors = TrustAnchors([authority.certificate for authority in authorities])
    return CertifiedKey(validate(issued.der, (), anchors, NOW))


def identity_request(
    identity: Identity, proof: Proof | None = None, of: Peer | None = None, negotiation: Negotiation = NEGOTIATION
) -> IdentityRequest:
    return IdentityRequest(of or peer(), identity, proof or PresharedKey(KEY, shared=False), negotiation)


def identify(identity: Identity, credential: Secret | tuple[bytes, ...], of: Peer | None = None) -> IdentifyPeer:
    return IdentifyPeer(of or peer(), identity, credential, NEGOTIATION)


def tunnel_request(
    identity: IdentityRequest, *protocols: ProtocolParameters, remote: str = "10.1.2.0/24"
) -> TunnelRequest:
    used = protocols or (AES,)
    return TunnelRequest(
        identity,
        used,
        Selector.of(ip_address("192.168.0.1")),
        Selector.of(ip_network(remote)),
        pfs=used[0].group is not None,
        initiator=False,
        connection=None,
    )
