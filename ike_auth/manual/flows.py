# SPDX-License-Identifier: ISC
"""`spdadd` → `Flow`: the traffic of a policy, and which SAs carry it.

setkey's policies have a direction, flows have none: a flow is what goes out one way and comes back the other. So a
policy in either direction makes the whole flow: what is protected on one way is not open on the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_network

from ike_auth.manual.associations import PROTOCOLS, parameters
from ike_auth.manual.errors import Refused
from ike_auth.manual.statements import (
    Action,
    Add,
    Direction,
    Host,
    Level,
    Mode,
    Range,
    Rule,
    Security,
    SpdAdd,
    Traffic,
)
from ike_auth.network import IPAddress
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import ProtocolId


@dataclass(frozen=True, slots=True)
class Hop:
    """One rule, as outgoing packets have it: which SAs may carry them."""

    protocol: ProtocolId
    mode: Mode
    local: Host
    remote: Host
    reqid: int = 0

    def takes(self, add: Add, *, inbound: bool) -> bool:
        """Whether an SA of this host is for this rule, of what goes out or what comes in."""
        ours, theirs = (add.destination, add.source) if inbound else (add.source, add.destination)
        return (
            PROTOCOLS.get(add.security) == self.protocol
            and _is_same(self.local, ours)
            and _is_same(self.remote, theirs)
            and self.reqid == add.extensions.reqid
            and (Mode.ANY in (self.mode, add.extensions.mode) or self.mode is add.extensions.mode)
        )

    def mode_of(self, add: Add) -> Mode:
        """The mode of an SA that it takes. Where neither says, it is Linux's reading of `any`."""
        return next((mode for mode in (add.extensions.mode, self.mode) if mode is not Mode.ANY), Mode.TRANSPORT)


@dataclass(frozen=True, slots=True)
class Way:
    """A policy as outgoing packets have it, whichever its direction. Without hops, all of the traffic is dropped."""

    local: Selector
    remote: Selector
    hops: tuple[Hop, ...]

    @property
    def ends(self) -> tuple[IPAddress, IPAddress]:
        """Ours and the peer's; for traffic that is dropped, they mean nothing."""
        if not self.hops:
            return self.local.low, self.remote.low
        return self.hops[0].local.address, self.hops[0].remote.address

    @property
    def guard(self) -> Flow:
        """What keeps the traffic from leaking while there are no SAs."""
        return Flow(self.local, self.remote, *self.ends)

    def flow(self, adds: Iterable[Add]) -> Flow | None:
        """The flow through those SAs, of which the last for each hop counts; None if one is lacking."""
        known = tuple(adds)
        chosen = []
        for hop in self.hops:
            taken = [add for add in known if hop.takes(add, inbound=False)]
            if not taken:
                return None
            chosen.append(parameters(taken[-1], hop.mode_of(taken[-1])))
        return Flow(self.local, self.remote, *self.ends, tuple(chosen)) if chosen else None


def way(spd: SpdAdd) -> Way:
    """Raises Refused for what no flow can express."""
    traffic, policy = spd.traffic, spd.policy
    if isinstance(traffic, str):
        raise Refused("policies for tagged packets are not supported")
    if spd.context is not None:
        raise Refused("`-ctx` is not supported", "security labels are of no use here")
    _check_action(policy.action, policy.direction)
    if policy.priority:
        raise Refused("priorities are not supported", "leave `prio` away")
    source, destination = _selectors(traffic)
    hops = _hops(policy.rules, traffic)
    if policy.direction is Direction.OUT:
        return Way(source, destination, hops)
    hops = tuple(Hop(hop.protocol, hop.mode, hop.remote, hop.local, hop.reqid) for hop in hops)
    return Way(destination, source, hops)


def _check_action(action: Action, direction: Direction) -> None:
    match action:
        case Action.NONE:
            raise Refused("`none` is not supported", "traffic that no policy names is left alone; IKE always passes")
        case Action.ENTRUST | Action.BYPASS:
            raise Refused(f"`{action}` is for sockets, and has no meaning here")
        case Action.DISCARD if direction is not Direction.OUT:
            raise Refused(f"`-P {direction} discard` is not supported", "a packet filter drops what comes in")


def _selectors(traffic: Traffic) -> tuple[Selector, Selector]:
    if traffic.icmp is not None:
        raise Refused("a flow cannot be limited to one ICMP type", "leave `type,code` away")
    if traffic.gre_key is not None:
        raise Refused("a flow cannot be limited to one GRE key", "leave the key away")
    if 0 in (traffic.source.port, traffic.destination.port):
        raise Refused("port 0 is not supported", "`[any]` is every port")
    if (traffic.source.port or traffic.destination.port) and traffic.protocol is None:
        raise Refused("a port needs a protocol", "`tcp` or `udp` instead of `any`")
    return _selector(traffic.source, traffic.protocol), _selector(traffic.destination, traffic.protocol)


def _selector(range: Range, protocol: int | None) -> Selector:
    network = ip_network((range.address, range.prefix), strict=False)
    return Selector.of(network, protocol or 0, range.port or 0)


def _hops(rules: tuple[Rule, ...], traffic: Traffic) -> tuple[Hop, ...]:
    """In the direction of the policy: `local` is its source."""
    tunnels = [rule.ends for rule in rules if rule.mode is Mode.TUNNEL]
    if len(tunnels) > 1:
        raise Refused(
            "tunnels within tunnels are not supported", "one rule with `tunnel`, and others with `transport`"
        )
    hops = [_hop(rule, tunnels[0] if tunnels else None, traffic) for rule in rules]
    if len({(hop.local.address, hop.remote.address) for hop in hops}) > 1:
        raise Refused(
            "rules between different hosts are not supported", "all rules of a policy have the same two ends"
        )
    return tuple(hops)


def _hop(rule: Rule, tunnel: tuple[Host, Host] | None, traffic: Traffic) -> Hop:
    if rule.security is Security.IPCOMP:
        raise Refused("`ipcomp` with manual keys is not supported")
    if rule.level is Level.USE:
        raise Refused("`use` would let traffic through unprotected", "write `require`")
    ends = rule.ends or tunnel
    if ends is None:
        if any(range.prefix != range.address.max_prefixlen for range in (traffic.source, traffic.destination)):
            hint = "give two hosts, or `esp/tunnel/…` with the ends of a tunnel"
            raise Refused("transport mode is between two hosts, and this is traffic of networks", hint)
        ends = Host(traffic.source.address), Host(traffic.destination.address)
    if rule.security is Security.AH and (ends[0].port, ends[1].port) != (None, None):
        raise Refused("AH has no ports", "only ESP goes in UDP")
    return Hop(PROTOCOLS[rule.security], rule.mode, *ends, rule.unique)


def _is_same(wanted: Host, given: Host) -> bool:
    return wanted.address == given.address and wanted.port in (None, given.port)
