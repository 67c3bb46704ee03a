# SPDX-License-Identifier: ISC
"""What policy allows is refused if it would take traffic away from somebody else's live tunnel."""

from ipaddress import ip_address

from ike_auth.config import isakmpd
from ike_auth.events import ExchangeFailed, TunnelRefused, TunnelUp
from tests.ike_auth.configurations import A, B, gateway
from tests.ike_auth.gateways import FAST, Options, gateway_host
from tests.ike_auth.simulation import Host, Network, deliver

C = "10.99.0.3"


def three(options: Options = FAST, *, connection: str = "", policy_alone: bool = False) -> tuple[Host, Host, Host]:
    """A and C both want 10.1.0.0/16 from B."""
    a = gateway_host(A, options, 1)
    c = Host(ip_address(C), isakmpd.parse(gateway(A, **options).replace(A, C), "c.conf"), seed=3)
    text = gateway(B, **{**options, "active": False, "connection": connection})
    text = text.replace("[Phase 2]", f"{C}= peer-c\n\n[Phase 2]")
    text += (
        f"\n[peer-c]\nPhase= 1\nAddress= {C}\nConfiguration= main-mode\nAuthentication= a key of the two gateways\n"
    )
    if connection:
        text = text.replace("Passive-Connections= tunnel", "Passive-Connections= tunnel,tunnel-c")
        section = text[text.index("[tunnel]") : text.index("[quick-mode]")]
        text += section.replace("[tunnel]", "[tunnel-c]").replace("ISAKMP-peer= peer", "ISAKMP-peer= peer-c")
    return a, Host(ip_address(B), isakmpd.parse(text, "b.conf"), seed=2), c


def refusals(host: Host) -> list[str]:
    return [str(event) for event in host.of(TunnelRefused)]


def test_the_second_one_is_refused_and_every_proposal_has_its_reason() -> None:
    several = "QM-ESP-AES-128-SHA2-256-SUITE,QM-ESP-AES-256-SHA2-256-SUITE"
    a, b, c = three({**FAST, "suites": several})
    network = Network(a, b, c)
    network.do(a, a.engine.start(network.clock))
    network.run(1)
    network.do(c, c.engine.start(network.clock))
    network.run(1)
    assert len(b.of(TunnelUp)) == 1
    (refused,) = refusals(b)
    assert refused.count("10.1.0.0/16 overlaps the tunnel of IPV4_ADDR 10.99.0.1 (tunnel)") == 2
    assert "the peer says NO_PROPOSAL_CHOSEN" in c.of(ExchangeFailed)[0].why
    assert not c.installed


def test_a_tunnel_that_is_all_but_there_counts() -> None:
    a, b, c = three()
    network = Network(a, b, c, tamper=lambda number, d: deliver(number, d) if number < 8 else [])
    network.do(a, a.engine.start(network.clock))
    network.run(0.1)
    network._tamper = deliver
    assert b.of(TunnelUp) == []
    network.do(c, c.engine.start(network.clock))
    network.run(1)
    assert len(refusals(b)) == 1


def test_when_the_first_one_is_gone_the_second_one_comes_up() -> None:
    a, b, c = three()
    network = Network(a, b, c)
    network.do(a, a.engine.start(network.clock))
    network.run(1)
    network.do(c, c.engine.start(network.clock))
    network.run(1)
    network.do(a, a.engine.stop(network.clock))
    network.run(70)
    assert len(c.installed) == 2
    assert [str(tunnel.identity) for tunnel in b.engine.table.tunnels] == [f"IPV4_ADDR {C}"]


def test_the_same_peer_may_have_its_traffic_again() -> None:
    a, b, _ = three()
    network = Network(a, b)
    network.start()
    network.run(1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(b.engine.table.tunnels) == 2
    assert refusals(b) == []


def test_a_connection_may_be_told_to_overlap() -> None:
    a, b, c = three(connection="Flags= allow-overlap")
    network = Network(a, b, c)
    network.start()
    network.run(2)
    assert len(b.engine.table.tunnels) == 2
    assert refusals(b) == []
