# SPDX-License-Identifier: ISC
"""Protocols that are applied together, of which IPCOMP needs another (docs/decisions/0305)."""

from collections.abc import Iterable
from dataclasses import replace

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.errors import NoProposalChosen
from ike_auth.suites import describe
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId

_AS_TUNNEL = {
    EncapsulationMode.TRANSPORT: EncapsulationMode.TUNNEL,
    EncapsulationMode.UDP_TRANSPORT: EncapsulationMode.UDP_TUNNEL,
}


def named(parameters: Iterable[ProtocolParameters]) -> str:
    return " + ".join(map(describe, parameters))


def without_keys(parameters: ProtocolParameters) -> bool:
    return parameters.protocol == ProtocolId.IPCOMP


def in_one_mode(parameters: tuple[ProtocolParameters, ...]) -> tuple[ProtocolParameters, ...]:
    """A bundle with IPCOMP, as it looks on the wire.

    IPCOMP in tunnel mode compresses a whole packet, and ESP around it adds no further IP header: pluto calls that ESP
    in transport mode, strongSwan ESP in tunnel mode, and so does this. IPCOMP in transport mode inside an ESP tunnel
    would compress what is behind the inner IP header. Raises NoProposalChosen for that, and for AH with IPCOMP.
    """
    compression = next(filter(without_keys, parameters), None)
    if compression is None or len(parameters) == 1:
        return parameters
    if any(p.protocol not in (ProtocolId.ESP, ProtocolId.IPCOMP) for p in parameters):
        raise NoProposalChosen(f"{named(parameters)}: IPCOMP goes with ESP only")
    if compression.encapsulation not in _AS_TUNNEL:
        return tuple(replace(p, encapsulation=_AS_TUNNEL.get(p.encapsulation, p.encapsulation)) for p in parameters)
    if any(p.encapsulation not in _AS_TUNNEL for p in parameters):
        raise NoProposalChosen(f"{named(parameters)}: IPCOMP in transport mode inside a tunnel is not supported")
    return parameters
