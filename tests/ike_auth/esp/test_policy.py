# SPDX-License-Identifier: ISC
"""Which flow a packet belongs to, and what becomes of one without."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

from ike_auth.esp.drops import Reason
from ike_auth.esp.events import Acquire
from ike_auth.esp.packets import IPIP
from ike_auth.esp.padding import trailers
from ike_auth.esp.policy import MAX_CACHED
from ike_auth.network import Endpoint
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector
from tests.ike_auth.esp.frames import NOTHING
from tests.ike_auth.esp.inner import HERE4, HERE6, THERE4, THERE6, icmp, tcp, udp
from tests.ike_auth.esp.pair import Pair, crafted
from tests.ike_auth.esp.sas import HERE, SPI, THERE, A, B, at_the_peer, flow

ALL = Selector.of(ip_network("0.0.0.0/0"))


def guard(local: Selector = HERE, remote: Selector = THERE) -> Flow:
    return Flow(local, remote, A.host, B.host, ())


def test_without_a_flow() -> None:
    pair = Pair()
    assert pair.sealed(udp(b"", destination=ip_address("10.3.0.1")), udp(b"", source=HERE6, destination=THERE6)) == []
    assert pair.a.drops == {Reason.NO_FLOW: 2}
    assert pair.a.events() == []


def test_a_guard_drops_and_asks_for_an_sa() -> None:
    pair = Pair()
    pair.a.remove_flow(flow(pair.there))
    pair.a.add_guard(guard())
    assert pair.sealed(udp(b""), udp(b"")) == []
    assert pair.a.drops == {Reason.GUARDED: 2}
    wanted = Acquire(Selector(HERE4, HERE4, 17, 1000), Selector(THERE4, THERE4, 17, 53))
    assert pair.a.events() == [wanted]
    assert pair.sealed(icmp(), now=3.0) == []
    assert pair.a.events() == [Acquire(Selector(HERE4, HERE4, 1), Selector(THERE4, THERE4, 1))]
    pair.a.remove_guard(guard())
    pair.sealed(udp(b""))
    assert pair.a.drops[Reason.NO_FLOW] == 1


def test_a_flow_without_parameters_is_a_guard() -> None:
    pair = Pair()
    pair.a.remove_flow(flow(pair.there))
    pair.a.add_flow(guard())
    assert pair.a.flows() == [(guard(), True)]
    pair.sealed(udp(b""))
    assert pair.a.drops == {Reason.GUARDED: 1}
    pair.a.remove_flow(guard())
    assert pair.a.flows() == []


def test_of_flow_and_guard_the_flow() -> None:
    pair = Pair()
    pair.a.add_guard(guard())
    assert len(pair.sealed(udp(b""))) == 1
    pair.a.remove_flow(flow(pair.there))
    assert pair.sealed(udp(b"")) == [], "what is known of a connection changes with the flows"
    pair.a.add_flow(flow(pair.there))
    assert len(pair.sealed(udp(b""))) == 1


def test_the_most_specific_decides() -> None:
    pair = Pair()
    wide = replace(pair.there, spi=b"wide", remote=ALL)
    dns = replace(
        pair.there,
        spi=b"dnsq",
        local=Selector(HERE.low, HERE.high, 17),
        remote=Selector(THERE.low, THERE.high, 17, 53),
    )
    for sa in (wide, dns):
        pair.a.add_sa(sa)
        pair.a.add_flow(flow(sa))
    pair.a.add_guard(guard(remote=Selector.of(ip_network("10.2.9.0/24"))))
    sealed = pair.sealed(
        udp(b""), udp(b"", ports=(1000, 54)), tcp(b""), udp(b"", destination=ip_address("203.0.113.5"))
    )
    assert [datagram[:4] for datagram in sealed] == [b"dnsq", SPI, SPI, b"wide"]
    assert pair.sealed(udp(b"", destination=ip_address("10.2.9.9"))) == []
    assert pair.a.drops == {Reason.GUARDED: 1}


def test_later_fragments_go_where_no_port_is_asked_for() -> None:
    pair = Pair()
    dns = replace(
        pair.there,
        spi=b"dnsq",
        local=Selector(HERE.low, HERE.high, 17),
        remote=Selector(THERE.low, THERE.high, 17, 53),
    )
    pair.a.add_sa(dns)
    pair.a.add_flow(flow(dns))
    sealed = pair.sealed(udp(bytes(16), flags=0x2000), udp(bytes(16), flags=3))
    assert [datagram[:4] for datagram in sealed] == [b"dnsq", SPI]


def test_a_flow_without_sas_drops_and_asks() -> None:
    pair = Pair()
    pair.a.remove_sa(pair.there)
    assert pair.sealed(udp(b"")) == []
    assert pair.a.drops == {Reason.NO_SA: 1}
    assert len(pair.a.events()) == 1
    pair.a.add_sa(pair.there)
    assert len(pair.sealed(udp(b""))) == 1


def test_a_flow_replaces_the_one_for_the_same_traffic_with_the_same_ends() -> None:
    pair = Pair()
    before, after = flow(pair.there), replace(flow(pair.there), parameters=(pair.there.parameters,) * 2)
    pair.a.add_flow(after)
    assert pair.a.flows() == [(after, False)]
    pair.a.remove_flow(before)
    assert len(pair.sealed(udp(b""))) == 1, "what was replaced is not there to be removed"
    pair.a.remove_flow(after)
    assert pair.sealed(udp(b"")) == []


def test_of_flows_to_two_peers_the_newest() -> None:
    pair = Pair()
    elsewhere = replace(pair.there, spi=b"else", destination=Endpoint(ip_address("198.51.100.7"), 4500))
    pair.a.add_sa(elsewhere)
    pair.a.add_flow(flow(elsewhere))
    assert pair.sealed(udp(b""))[0][:4] == b"else"
    pair.a.add_flow(flow(pair.there))
    assert pair.sealed(udp(b""))[0][:4] == SPI
    pair.a.remove_flow(flow(pair.there))
    assert pair.sealed(udp(b""))[0][:4] == b"else"


def test_sa_and_flow_in_either_order() -> None:
    pair = Pair()
    pair.a.remove_flow(flow(pair.there))
    pair.a.remove_sa(pair.there)
    pair.a.add_flow(flow(pair.there))
    pair.a.add_sa(pair.there)
    assert len(pair.sealed(udp(b""))) == 1


def test_flows_and_sas_may_be_removed_in_either_order() -> None:
    pair = Pair()
    pair.a.remove_flow(flow(pair.there))
    pair.a.remove_flow(flow(pair.there))
    pair.a.remove_sa(pair.there)
    assert [sa.sa.inbound for sa in pair.a.sas()] == [True]
    assert pair.a.flows() == []
    pair.a.add_sa(pair.there)
    assert pair.sealed(udp(b"")) == []
    pair.a.add_flow(flow(pair.there))
    assert len(pair.sealed(udp(b""))) == 1


def test_nothing_is_kept_of_tunnels_that_are_gone() -> None:
    pair = Pair()
    for number in range(50):
        remote = Selector.of(ip_address("10.9.0.0") + number)
        sa = replace(pair.there, spi=b"spi" + bytes((number,)), remote=remote)
        pair.a.add_sa(sa)
        pair.a.add_flow(flow(sa))
        pair.a.remove_flow(flow(sa))
        pair.a.remove_sa(sa)
    assert len(pair.a._policies._outbound) <= 2, "the last one goes with the next change"


def test_what_is_remembered_is_bounded() -> None:
    pair = Pair()
    frames = [NOTHING + udp(b"", ports=(number, 53)) for number in range(MAX_CACHED + 10)]
    pair.a.outbound_batch(frames, 1.0)
    assert len(pair.a._policies._cache) <= MAX_CACHED


def test_addresses_of_two_versions_are_two() -> None:
    """The same number as IPv4 and as IPv6 address."""
    pair = Pair()
    low6: dict[str, Any] = {"source": ip_address("::a01:1"), "destination": ip_address("::a02:1")}
    assert len(pair.sealed(udp(b""))) == 1
    assert pair.sealed(udp(b"", **low6)) == []


# --- one SA for several flows, keyed by hand

PRINTERS, ARCHIVE = Selector.of(ip_network("10.2.9.0/24")), Selector.of(ip_network("10.5.0.0/16"))


def shared(*remotes: Selector) -> Pair:
    """One pair of SAs for traffic with each of these networks."""
    hull = Selector(remotes[0].low, remotes[-1].high)
    pair = Pair(remote=hull, sides=tuple((HERE, remote) for remote in remotes))
    pair.a.remove_flow(flow(pair.there))
    for remote in remotes:
        pair.a.add_flow(replace(flow(pair.there), remote=remote))
    pair.b.add_sa(
        replace(at_the_peer(pair.there), sides=tuple((remote, HERE) for remote in remotes)),
    )
    return pair


def to(address: str) -> bytes:
    return udp(b"", destination=ip_address(address))


def test_one_sa_carries_several_flows() -> None:
    pair = shared(PRINTERS, ARCHIVE)
    packets = [to("10.2.9.1"), to("10.5.0.1")]
    assert pair.opened(*pair.sealed(*packets)) == packets
    assert pair.sealed(to("10.3.0.1")) == []
    assert pair.a.drops == {Reason.NO_FLOW: 1}


def test_what_lies_between_the_flows_of_an_sa_is_not_delivered() -> None:
    pair = shared(PRINTERS, ARCHIVE)
    between = to("10.3.0.1")
    assert pair.opened(crafted(pair.there, between + trailers(IPIP, 4)[len(between) % 4])) == []
    assert pair.b.drops == {Reason.SELECTORS: 1}


def test_an_sa_that_goes_takes_none_of_its_flows_with_it() -> None:
    pair = shared(PRINTERS, ARCHIVE)
    pair.a.remove_sa(pair.there)
    assert pair.sealed(to("10.2.9.1"), to("10.5.0.1")) == []
    assert pair.a.drops == {Reason.NO_SA: 2}
    pair.a.add_sa(pair.there)
    assert len(pair.sealed(to("10.2.9.1"), to("10.5.0.1"))) == 2


def test_a_wide_sa_is_not_for_the_flows_of_another() -> None:
    """Both are with the same peer, and the second one's traffic lies within what the first one's spans."""
    pair = shared(PRINTERS, ARCHIVE)
    other = replace(pair.there, spi=b"othr", remote=Selector.of(ip_network("10.3.0.0/16")), sides=())
    pair.a.add_flow(flow(other))
    assert pair.sealed(to("10.3.0.1")) == []
    pair.a.add_sa(other)
    assert [datagram[:4] for datagram in pair.sealed(to("10.3.0.1"), to("10.5.0.1"))] == [b"othr", SPI]
