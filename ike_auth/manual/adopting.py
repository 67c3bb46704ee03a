# SPDX-License-Identifier: ISC
"""What a kernel holds → the statements that would have made it, for a process that comes later than those."""

from collections.abc import Iterator
from dataclasses import dataclass

from ike_auth.manual.algorithms import authentication_name, encryption_name
from ike_auth.manual.statements import (
    Action,
    Add,
    Algorithm,
    Direction,
    Extensions,
    Host,
    Level,
    Mode,
    Policy,
    Range,
    Rule,
    Security,
    SpdAdd,
    Traffic,
)
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, EspTransform, ProtocolId

_UDP = (EncapsulationMode.UDP_TUNNEL, EncapsulationMode.UDP_TRANSPORT)
_TUNNEL = (EncapsulationMode.TUNNEL, EncapsulationMode.UDP_TUNNEL)


@dataclass(frozen=True, slots=True)
class Held:
    """What was set by hand and is in a kernel: nothing of what was negotiated, nothing of other programs."""

    sas: tuple[IpsecSa, ...] = ()
    flows: tuple[Flow, ...] = ()
    guards: tuple[Flow, ...] = ()


def add_of(sa: IpsecSa) -> Add:
    parameters = sa.parameters
    udp = parameters.encapsulation in _UDP
    security = Security.AH if sa.protocol == ProtocolId.AH else Security.ESP_UDP if udp else Security.ESP
    encryption = None
    if security is not Security.AH:
        encryption = Algorithm(encryption_name(EspTransform(parameters.transform)), sa.encryption_key)
    number = parameters.authentication
    return Add(
        Host(sa.source.host, sa.source.port or None),
        Host(sa.destination.host, sa.destination.port or None),
        security,
        int.from_bytes(sa.spi, "big"),
        Extensions(
            mode=Mode.TUNNEL if parameters.encapsulation in _TUNNEL else Mode.TRANSPORT,
            replay_window=sa.replay_window,
            hard_seconds=sa.life_seconds,
            hard_bytes=(sa.life_kilobytes or 0) * 1024,
        ),
        encryption,
        Algorithm(authentication_name(number), sa.integrity_key) if number is not None else None,
    )


def policies_of(flow: Flow) -> Iterator[SpdAdd]:
    """One for each direction; none for a flow of addresses that are no networks, as setkey makes none."""
    source, destination = _range(flow.local), _range(flow.remote)
    if source is None or destination is None or not flow.parameters:
        return
    protocol = flow.local.protocol or None
    ends = Host(flow.local_address), Host(flow.remote_address)
    for direction in (Direction.OUT, Direction.IN):
        is_out = direction is Direction.OUT
        rules = tuple(
            Rule(
                Security.AH if parameters.protocol == ProtocolId.AH else Security.ESP,
                Mode.TUNNEL if parameters.encapsulation in _TUNNEL else Mode.TRANSPORT,
                ends if is_out else ends[::-1],
                Level.REQUIRE,
            )
            for parameters in flow.parameters
        )
        traffic = Traffic(source, destination, protocol) if is_out else Traffic(destination, source, protocol)
        yield SpdAdd(traffic, Policy(direction, Action.IPSEC, rules))


def _range(selector: Selector) -> Range | None:
    network = selector.network
    return None if network is None else Range(network.network_address, network.prefixlen, selector.port or None)
