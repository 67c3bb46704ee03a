# SPDX-License-Identifier: ISC
"""Two gateways, one tunnel between 10.1.0.0/16 and 10.2.0.0/16 (fd00:1::/32 and fd00:2::/32), and its SAs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.crypto.ciphers import INTEGRITY, esp_cipher
from ike_auth.crypto.secrets import Secret
from ike_auth.esp.transforms import CHACHA20_POLY1305
from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import AuthenticationAlgorithm, EncapsulationMode, EspTransform, ProtocolId

A, B = Endpoint(ip_address("192.0.2.1"), 4500), Endpoint(ip_address("192.0.2.2"), 4500)
HERE, THERE = Selector.of(ip_network("10.1.0.0/16")), Selector.of(ip_network("10.2.0.0/16"))
HERE6, THERE6 = Selector.of(ip_network("fd00:1::/32")), Selector.of(ip_network("fd00:2::/32"))
SPI = b"\x01\x02\x03\x04"
TUNNEL6: dict[str, Any] = {"local": HERE6, "remote": THERE6}  # the selectors of an SA, for IPv6 inside


@dataclass(frozen=True)
class Suite:
    name: str
    transform: EspTransform
    key_length: int | None = None
    authentication: AuthenticationAlgorithm | None = None

    def __str__(self) -> str:
        return self.name


GCM = Suite("aes128gcm", EspTransform.AES_GCM_16, 128)
AEADS = [
    GCM,
    Suite("aes192gcm", EspTransform.AES_GCM_16, 192),
    Suite("aes256gcm", EspTransform.AES_GCM_16, 256),
    Suite("chacha20poly1305", CHACHA20_POLY1305),
]
CBCS = [
    Suite(f"aes{bits}-{mac.name}", EspTransform.AES_CBC, bits, mac)
    for bits, mac in (
        (128, AuthenticationAlgorithm.HMAC_SHA1),
        (192, AuthenticationAlgorithm.HMAC_SHA2_384),
        (256, AuthenticationAlgorithm.HMAC_SHA2_256),
        (256, AuthenticationAlgorithm.HMAC_SHA2_512),
        (128, AuthenticationAlgorithm.HMAC_MD5),
    )
] + [Suite("3des-HMAC_SHA1", EspTransform.TRIPLE_DES, None, AuthenticationAlgorithm.HMAC_SHA1)]
NULLS = [Suite("null-HMAC_SHA2_256", EspTransform.NULL, None, AuthenticationAlgorithm.HMAC_SHA2_256)]
SUITES = AEADS + CBCS + NULLS


def random_bytes(seed: int = 0) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def ipsec_sa(suite: Suite = GCM, **changes: Any) -> IpsecSa:
    """The SA from A to B, as A has it."""
    parameters = ProtocolParameters(
        ProtocolId.ESP,
        suite.transform,
        EncapsulationMode.UDP_TUNNEL,
        suite.authentication,
        suite.key_length,
    )
    size = 36 if suite.transform == CHACHA20_POLY1305 else esp_cipher(suite.transform, suite.key_length).key_size
    mac_size = INTEGRITY[suite.authentication].key_size if suite.authentication else 0
    keys = Random(1).randbytes(size + mac_size)
    made = IpsecSa(SPI, False, parameters, A, B, Secret(keys[:size]), Secret(keys[size:]), HERE, THERE, 3600)
    return replace(made, **changes)


def at_the_peer(sa: IpsecSa) -> IpsecSa:
    """The same SA as the other end has it."""
    return replace(sa, inbound=not sa.inbound, local=sa.remote, remote=sa.local)


def flow(sa: IpsecSa) -> Flow:
    """What goes through this outbound SA."""
    return Flow(sa.local, sa.remote, sa.source.host, sa.destination.host, (sa.parameters,))
