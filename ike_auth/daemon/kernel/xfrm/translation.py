# SPDX-License-Identifier: ISC
"""Our SAs and flows → XFRM's SAs and policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm import algorithms, selectors
from ike_auth.daemon.kernel.xfrm.algorithms import Algorithm, CutAlgorithm
from ike_auth.daemon.kernel.xfrm.marking import RESERVED, Settings
from ike_auth.daemon.kernel.xfrm.numbers import ICMPV6, INFINITE, Direction, Mode, Protocol, StateFlag
from ike_auth.daemon.kernel.xfrm.policies import Policy
from ike_auth.daemon.kernel.xfrm.states import Encapsulation, Replay, SpiRequest, State, StateId
from ike_auth.daemon.kernel.xfrm.structures import (
    NO_SPI,
    NOWHERE,
    UNLIMITED,
    Limits,
    Ports,
    Template,
    TrafficSelector,
    family,
    unspecified,
)
from ike_auth.network import IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId

PROTOCOLS = {ProtocolId.ESP: Protocol.ESP, ProtocolId.AH: Protocol.AH, ProtocolId.IPCOMP: Protocol.COMP}
# RFC 2401 4.5, RFC 3173 2: compress first, authenticate last, whichever order they were negotiated in.
_INNER_FIRST = (ProtocolId.IPCOMP, ProtocolId.ESP, ProtocolId.AH)
_TUNNEL = {EncapsulationMode.TUNNEL, EncapsulationMode.UDP_TUNNEL, EncapsulationMode.UDP_TUNNEL_DRAFT}
_UDP = set(EncapsulationMode) - {EncapsulationMode.TUNNEL, EncapsulationMode.TRANSPORT}
_OLD_WINDOW = 32  # what fits without REPLAY_ESN_VAL
MAX_WINDOW = 4096  # XFRMA_REPLAY_ESN_MAX
_LAST_PACKET = (1 << 32) - 1  # sequence numbers do not repeat (RFC 4303 3.3.3)
_MARGIN = 60  # seconds after which the kernel ends an SA that should have been removed
_SPIS = {Protocol.COMP: (0x100, 0xEFFF)}  # RFC 3173 3.3
_ALL_SPIS = (0xC0000000, 0xCFFFFFFF)  # of those that a peer may have, the ones that other daemons take too
_NEIGHBOURS = (135, 136)  # RFC 4861 4.3 and 4.4


def state_of(sa: IpsecSa, request: int, settings: Settings, soft: float) -> State:
    """`soft`: the fraction of its bytes and packets after which an SA is to be replaced. Raises KernelError."""
    parameters = sa.parameters
    source, destination = (sa.remote, sa.local) if sa.inbound else (sa.local, sa.remote)
    window = 0 if sa.protocol == ProtocolId.IPCOMP else sa.replay_window  # it has no sequence numbers
    if window > MAX_WINDOW:
        raise KernelError(f"a replay window of {window} packets: the kernel has {MAX_WINDOW} at most")
    long_replay = sa.esn or window > _OLD_WINDOW
    state = State(
        _spi(sa),
        _protocol(parameters),
        sa.source.host,
        sa.destination.host,
        Mode.TRANSPORT if sa.compressed else _mode(parameters),
        request,
        _selector(sa, source, destination),
        _limits(sa, soft),
        flags=StateFlag.ESN if sa.esn else StateFlag.NONE,
        replay_window=0 if long_replay else window,
        # The kernel wants a window with extended sequence numbers, even where it does nothing.
        replay=Replay.of(max(window, _OLD_WINDOW if sa.esn else 0)) if long_replay else None,
        mark=settings.mark,
        output_mark=settings.output_mark,
        if_id=settings.if_id,
    )
    if parameters.encapsulation in _UDP and sa.protocol != ProtocolId.IPCOMP:  # which is within what is in UDP
        original = unspecified(family(sa.destination.host))
        state = replace(state, encapsulation=Encapsulation(sa.source.port, sa.destination.port, original))
    return _with_algorithms(state, sa)


def state_id(sa: IpsecSa, settings: Settings) -> StateId:
    """Raises KernelError."""
    return StateId(sa.destination.host, _spi(sa), _protocol(sa.parameters), mark=settings.mark)


def trial() -> State:
    """An SA that does no harm, to see whether there can be any."""
    host = IPv4Address("127.0.0.1")
    key = Secret(bytes(32))
    return State(
        b"\xff" * 4,
        Protocol.ESP,
        host,
        host,
        request=RESERVED,
        encryption=Algorithm("cbc(aes)", key),
        integrity=CutAlgorithm("hmac(sha256)", key, 128),
    )


def spi_request(protocol: ProtocolId, source: IPAddress, destination: IPAddress, settings: Settings) -> SpiRequest:
    """Raises KernelError."""
    wanted = PROTOCOLS.get(protocol)
    if wanted is None:
        raise KernelError(f"the kernel has no SPIs for {protocol}")
    low, high = _SPIS.get(wanted, _ALL_SPIS)
    state = State(
        NO_SPI, wanted, source, destination, Mode.TUNNEL, RESERVED, mark=settings.mark, if_id=settings.if_id
    )
    return SpiRequest(state, low, high)


def policies_of(flow: Flow, request: int, settings: Settings) -> tuple[Policy, ...]:
    """For a flow: what goes out goes through these SAs, what comes in has come through them. Raises KernelError."""
    parameters = sorted(flow.parameters, key=lambda one: _rank(one.protocol))
    modes = _modes(parameters)
    if Mode.TUNNEL in modes[1:]:
        raise KernelError(
            f"{flow}: {' and '.join(one.protocol.name for one in parameters)} would be tunnels within tunnels"
            " (only the innermost protocol may be in tunnel mode)"
        )
    local, remote = flow.local, flow.remote
    if modes and modes[0] == Mode.TRANSPORT:
        # It is between the ends themselves; with a NAT between them, selectors may name other addresses.
        local, remote = _at(flow.local_address, local), _at(flow.remote_address, remote)
    out = tuple(
        Template(flow.local_address, flow.remote_address, _protocol(one), mode, request)
        for one, mode in zip(parameters, modes, strict=True)
    )
    come = tuple(
        # RFC 3173 2.2: a packet that does not get smaller is not compressed.
        Template(
            flow.remote_address, flow.local_address, _protocol(one), mode, request, one.protocol == ProtocolId.IPCOMP
        )
        for one, mode in zip(parameters, modes, strict=True)
    )
    found = list(_both_ways(local, remote, out, come, settings, guard=False))
    return (*found, *_neighbours(flow, settings), *_own_side(flow, settings))


def guards_of(flow: Flow, request: int, settings: Settings) -> tuple[Policy, ...]:
    """For a guard: nothing goes out, since there is no SA for the template, and the kernel asks for one.

    What comes in has to come through ESP, whichever SA it is of: packets may be here sooner than the flow.
    """
    mode = _mode(flow.parameters[0]) if flow.parameters else Mode.TUNNEL
    here, there = flow.local_address, flow.remote_address
    out = Template(here, there, Protocol.ESP, mode, request)
    come = Template(there, here, Protocol.ESP, mode)
    found = list(_both_ways(flow.local, flow.remote, (out,), (come,), settings, guard=True))
    return (*found, *_neighbours(flow, settings), *_own_side(flow, settings))


def _both_ways(
    local: Selector,
    remote: Selector,
    out: tuple[Template, ...],
    come: tuple[Template, ...],
    settings: Settings,
    *,
    guard: bool,
) -> Iterator[Policy]:
    for selector in selectors.selectors(local, remote):
        yield _policy(selector, Direction.OUT, out, settings, guard=guard)
    for selector in selectors.selectors(remote, local):
        for direction in (Direction.IN, Direction.FORWARD):
            yield _policy(selector, direction, come, settings, guard=guard)


def _policy(
    selector: TrafficSelector,
    direction: Direction,
    templates: tuple[Template, ...],
    settings: Settings,
    *,
    guard: bool,
) -> Policy:
    rank = selectors.priority(selector, guard=guard)
    return Policy(selector, direction, priority=rank, templates=templates, mark=settings.mark, if_id=settings.if_id)


def _neighbours(flow: Flow, settings: Settings) -> Iterator[Policy]:
    """Two hosts on one link that may only speak through a tunnel would never find each other's link address."""
    here, there = flow.local_address, flow.remote_address
    covered = flow.local.contains(_at(here, flow.local)) and flow.remote.contains(_at(there, flow.remote))
    if here.version == 4 or not covered or flow.local.protocol not in (0, ICMPV6):
        return
    for kind in _NEIGHBOURS:
        for direction, source, destination in ((Direction.OUT, here, there), (Direction.IN, there, here)):
            (selector,) = selectors.selectors(Selector.of(source, ICMPV6), Selector.of(destination))
            selector = replace(selector, source_ports=Ports.only(kind))
            yield _policy(selector, direction, (), settings, guard=False)


def _own_side(flow: Flow, settings: Settings) -> Iterator[Policy]:
    """What stays on our side is not for the tunnel, even if the other side is everything."""
    local, remote = (Selector(side.low, side.high) for side in (flow.local, flow.remote))
    if local != remote and remote.contains(local):
        for selector in selectors.selectors(local, local):
            for direction in (Direction.OUT, Direction.IN, Direction.FORWARD):
                yield _policy(selector, direction, (), settings, guard=False)


def _at(address: IPAddress, like: Selector) -> Selector:
    """The same traffic, of one host."""
    return Selector.of(address, like.protocol, like.port)


def _selector(sa: IpsecSa, source: Selector, destination: Selector) -> TrafficSelector:
    """What an SA may carry. Where it takes several selectors, XFRM has the policies only to hold packets to them."""
    if _mode(sa.parameters) == Mode.TRANSPORT:
        source, destination = _at(sa.source.host, source), _at(sa.destination.host, destination)
    if sa.compressed:  # the kernel has a selector of another family in tunnel mode only
        return TrafficSelector(NOWHERE, NOWHERE)
    if source.is_network and destination.is_network:
        return selectors.selectors(source, destination)[0]
    version = family(source.low)
    nowhere = replace(NOWHERE, address=unspecified(version))
    return TrafficSelector(nowhere, nowhere, family=version)


def _limits(sa: IpsecSa, soft: float) -> Limits:
    hard_bytes = INFINITE if sa.life_kilobytes is None else sa.life_kilobytes * 1024
    hard_packets = INFINITE if sa.esn or sa.protocol == ProtocolId.IPCOMP else _LAST_PACKET
    return replace(
        UNLIMITED,
        soft_bytes=INFINITE if hard_bytes == INFINITE else int(hard_bytes * soft),
        hard_bytes=hard_bytes,
        soft_packets=INFINITE if hard_packets == INFINITE else int(hard_packets * soft),
        hard_packets=hard_packets,
        # Whoever installs an SA removes it in time; this is for when he has died.
        hard_seconds=sa.life_seconds + _MARGIN if sa.life_seconds else 0,
    )


def _with_algorithms(state: State, sa: IpsecSa) -> State:
    parameters = sa.parameters
    if parameters.protocol == ProtocolId.IPCOMP:
        name = algorithms.COMPRESSION.get(parameters.transform)
        if name is None:
            raise KernelError(f"the kernel has no IPCOMP transform {parameters.transform}")
        return replace(state, compression=Algorithm(name))
    if parameters.authentication is not None:
        integrity = algorithms.INTEGRITY.get(parameters.authentication)
        if integrity is None:
            raise KernelError(f"the kernel has no authentication algorithm {parameters.authentication}")
        state = replace(state, integrity=CutAlgorithm(integrity[0], sa.integrity_key, integrity[1]))
    if parameters.protocol == ProtocolId.AH:
        return state
    transform = parameters.transform
    if transform in algorithms.AEADS:
        name, bits = algorithms.AEADS[transform]
        return replace(state, aead=CutAlgorithm(name, sa.encryption_key, bits))
    if transform not in algorithms.CIPHERS:
        raise KernelError(f"the kernel has no ESP transform {transform}")
    return replace(state, encryption=Algorithm(algorithms.CIPHERS[transform], sa.encryption_key))


def _protocol(parameters: ProtocolParameters) -> Protocol:
    try:
        return PROTOCOLS[parameters.protocol]
    except KeyError:
        raise KernelError(f"the kernel has no IPsec protocol {parameters.protocol}") from None


def _rank(protocol: ProtocolId) -> int:
    return _INNER_FIRST.index(protocol) if protocol in _INNER_FIRST else len(_INNER_FIRST)


def _modes(parameters: Sequence[ProtocolParameters]) -> list[Mode]:
    """Of the templates, innermost first. ESP adds no header to the tunnel that IPCOMP makes: docs/decisions/0305."""
    modes = [_mode(one) for one in parameters]
    if parameters and parameters[0].protocol == ProtocolId.IPCOMP:
        modes[1:] = [Mode.TRANSPORT if one.protocol == ProtocolId.ESP else _mode(one) for one in parameters[1:]]
    return modes


def _mode(parameters: ProtocolParameters) -> Mode:
    return Mode.TUNNEL if parameters.encapsulation in _TUNNEL else Mode.TRANSPORT


def _spi(sa: IpsecSa) -> bytes:
    """A CPI has two bytes (RFC 3173 3.3), where the kernel has four."""
    return sa.spi.rjust(4, b"\0")
