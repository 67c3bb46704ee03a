# SPDX-License-Identifier: ISC
"""SAs and flows for tests of the XFRM backend."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.crypto.secrets import Secret
from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import AhTransform, AuthenticationAlgorithm, EncapsulationMode, EspTransform, ProtocolId

HERE, THERE = ip_address("10.99.0.1"), ip_address("10.99.0.2")
GCM = ProtocolParameters(ProtocolId.ESP, EspTransform.AES_GCM_16, EncapsulationMode.TUNNEL, None, 128)
CBC = ProtocolParameters(
    ProtocolId.ESP,
    EspTransform.AES_CBC,
    EncapsulationMode.TUNNEL,
    AuthenticationAlgorithm.HMAC_SHA2_256,
    128,
)
AH = ProtocolParameters(
    ProtocolId.AH, AhTransform.SHA2_256, EncapsulationMode.TRANSPORT, AuthenticationAlgorithm.HMAC_SHA2_256
)


def network(text: str, protocol: int = 0, port: int = 0) -> Selector:
    return Selector.of(ip_network(text), protocol, port)


FLOW = Flow(network("10.1.0.0/16"), network("10.2.0.0/16"), HERE, THERE, (GCM,))
GUARD = replace(FLOW, parameters=())


def sa(
    spi: int = 0xC0000001, *, inbound: bool = False, parameters: ProtocolParameters = GCM, port: int = 0
) -> IpsecSa:
    """One of `FLOW`; with `port`, that of the peer's end."""
    here, there = Endpoint(HERE, 4500 if port else 0), Endpoint(THERE, port)
    return IpsecSa(
        spi.to_bytes(4, "big"),
        inbound,
        parameters,
        there if inbound else here,
        here if inbound else there,
        Secret(bytes(range(20 if parameters == GCM else 16 if parameters.protocol == ProtocolId.ESP else 0))),
        Secret(bytes(range(32 if parameters.authentication else 0))),
        FLOW.local,
        FLOW.remote,
        3600,
    )
