# SPDX-License-Identifier: ISC
"""Tunnels with IPCOMP between two engines."""

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from ike_auth.authorization.requests import Decision, TunnelRequest
from ike_auth.events import ExchangeFailed, TunnelDown, TunnelRefused, TunnelUp
from ike_auth.exchanges.v1.informational import Channel
from ike_auth.suites import describe
from ike_auth.wire.cpi import is_negotiable
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import Doi, ProtocolId
from ike_auth.wire.payloads import Delete
from tests.ike_auth.configurations import COMPRESSED
from tests.ike_auth.engine.words import ike_sa, say
from tests.ike_auth.gateways import FAST, assert_joined, assert_nothing_left, leftovers, meet, pair
from tests.ike_auth.simulation import AllowAll, Host, Network

ESP, IPCOMP = ProtocolId.ESP, ProtocolId.IPCOMP
DEFLATED = {**FAST, "sections": COMPRESSED, "suites": "compressed"}
PLAIN = "QM-ESP-AES-128-SHA2-256-SUITE"


def protocols(host: Host) -> list[str]:
    (tunnel,) = host.engine.table.tunnels
    assert [describe(sa.parameters) for sa in tunnel.inbound] == [describe(sa.parameters) for sa in tunnel.outbound]
    return [describe(sa.parameters) for sa in tunnel.outbound]


@pytest.mark.parametrize(("suite", "pfs"), [("compressed", "no PFS"), ("compressed-pfs", "PFS CURVE25519")])
def test_compression_comes_before_esp_at_both_ends(suite: str, pfs: str) -> None:
    a, b = pair({**DEFLATED, "suites": suite})
    meet(a, b, seconds=1)
    assert_joined(a, b)
    wanted = ["IPCOMP DEFLATE tunnel", f"ESP AES_CBC-128 HMAC_SHA2_256 tunnel {pfs}"]
    assert protocols(a) == protocols(b) == wanted
    for host in (a, b):
        (flow,) = host.flows.values()
        assert [describe(parameters) for parameters in flow.parameters] == wanted
        compression = [sa for sa in host.installed.values() if sa.protocol == IPCOMP]
        assert len(compression) == 2
        for sa in compression:
            assert is_negotiable(sa.spi)
            assert not sa.has_keys
            assert not sa.compressed
            assert sa.replay_window == 0
        assert all(sa.has_keys and sa.compressed for sa in host.installed.values() if sa.protocol == ESP)
    assert len({sa.spi for sa in a.installed.values()}) == 4


def test_in_udp() -> None:
    a, b = pair(DEFLATED)
    a.engine._core.settings = replace(a.engine._core.settings, encapsulate=True)
    meet(a, b, seconds=1)
    assert_joined(a, b)
    assert protocols(b) == ["IPCOMP DEFLATE udp-tunnel", "ESP AES_CBC-128 HMAC_SHA2_256 udp-tunnel no PFS"]


def test_the_log_names_both_spis() -> None:
    a, b = pair(DEFLATED)
    meet(a, b, seconds=1)
    text = str(a.of(TunnelUp)[0])
    assert "IPCOMP DEFLATE tunnel + ESP AES_CBC-128" in text
    (tunnel,) = a.engine.table.tunnels
    assert f"SPI in {tunnel.inbound[0].spi.hex()} {tunnel.inbound[1].spi.hex()} out " in text


def test_without_compression_at_the_responder_the_next_suite() -> None:
    a, b = pair(DEFLATED, of_a={"suites": f"compressed,{PLAIN}"}, of_b={"suites": PLAIN})
    meet(a, b, seconds=1)
    assert_joined(a, b)
    assert protocols(a) == ["ESP AES_CBC-128 HMAC_SHA2_256 tunnel no PFS"]
    assert not any(sa.compressed for sa in a.installed.values())


def test_where_there_is_no_other_suite_it_is_refused() -> None:
    a, b = pair(DEFLATED, of_b={"suites": PLAIN})
    meet(a, b, seconds=1)
    assert f"{PLAIN} is ESP" in b.of(ExchangeFailed)[0].why
    assert not a.installed
    assert not b.installed


@dataclass(frozen=True, slots=True)
class Uncompressed(AllowAll):
    """Policy that wants none: what is compressed may tell by its length what is in it."""

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        allowed = all(parameters.protocol != IPCOMP for parameters in request.protocols)
        return Decision(allowed, "true" if allowed else "false", "policy on compression")


def test_policy_decides_about_compression() -> None:
    a, b = pair({**DEFLATED, "suites": f"compressed,{PLAIN}"}, b={"authorizer": Uncompressed()})
    meet(a, b, seconds=1)
    assert protocols(b) == ["ESP AES_CBC-128 HMAC_SHA2_256 tunnel no PFS"]
    a, b = pair(DEFLATED, b={"authorizer": Uncompressed()})
    meet(a, b, seconds=1)
    assert "IPCOMP DEFLATE tunnel: policy on compression" in str(b.of(TunnelRefused)[0])


def joined() -> tuple[Host, Host, Network]:
    a, b = pair(DEFLATED, of_a={"active": False})
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b)
    return a, b, network


def gone(network: Network, *hosts: Host) -> None:
    for host in hosts:
        assert not host.installed
        assert not host.flows
        assert host.engine.table.tunnels == ()
    network.run(86400)
    assert_nothing_left(*hosts)


def test_a_delete_names_no_cpi_and_all_of_the_tunnel_goes() -> None:
    a, b, network = joined()
    (tunnel,) = a.engine.table.tunnels
    compression, esp = tunnel.inbound
    network.do(a, a.engine.sa_gone(compression.spi, "the kernel has lost it", network.clock))
    told = network.carried[-1].data
    header = Header.decode(told)
    message, _ = Channel.of(ike_sa(b)).protection(header.message_id).open(header, told)
    assert message.all(Delete) == (Delete(Doi.IPSEC, ESP, (esp.spi,)),)
    network.run(1)
    assert [event.why for event in b.of(TunnelDown)] == ["deleted by the peer"]
    gone(network, a, b)


@pytest.mark.parametrize("padding", [b"", b"\0\0"], ids=["two bytes", "four"])
def test_the_peer_may_name_its_cpi(padding: bytes) -> None:
    a, b, network = joined()
    (tunnel,) = b.engine.table.tunnels
    compression, esp = tunnel.inbound
    say(network, b, Delete(Doi.IPSEC, ESP, (compression.spi.rjust(4, b"\0"),)))
    assert len(a.installed) == 4, "a CPI is no SPI of ESP"
    say(network, b, Delete(Doi.IPSEC, IPCOMP, (padding + compression.spi,)), Delete(Doi.IPSEC, ESP, (esp.spi,)))
    assert not a.installed
    assert [event.why for event in a.of(TunnelDown)] == ["deleted by the peer"]


@pytest.mark.parametrize("inbound", [True, False])
def test_a_kernel_without_ipcomp_costs_the_tunnel_and_the_peer_is_told(inbound: bool) -> None:
    unable = {"fail_install": lambda sa: sa.protocol == IPCOMP and sa.inbound == inbound}
    a, b = pair(DEFLATED, of_a={"active": False}, a=unable)
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(2)
    gone(network, a, b)


def test_renewal_takes_compression_along() -> None:
    a, b = pair(DEFLATED)
    network = meet(a, b, seconds=1)
    (before,) = a.engine.table.tunnels
    network.run(1300)
    newest = a.engine.table.tunnels[-1]
    assert newest.inbound[0].spi != before.inbound[0].spi
    assert newest.flow == before.flow
    network.do(a, a.engine.stop(network.clock))
    network.run(1)
    assert leftovers(a) == {}
    assert not b.installed
