# SPDX-License-Identifier: ISC
"""RFC 3947 and 3948: detection, the move to port 4500, keepalives, and a NAT that gives a peer another port."""

from dataclasses import replace

import pytest

from ike_auth.events import IkeSaUp, MessageDropped
from ike_auth.network import Datagram
from ike_auth.sa import IkeSa
from ike_auth.sa import Nat as Found
from ike_auth.wire.numbers import EncapsulationMode
from tests.ike_auth.configurations import A, B, gateway
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, assert_nothing_left, gateway_host, meet
from tests.ike_auth.nat import Nat
from tests.ike_auth.simulation import Host, Network, deliver, endpoint, host

OUTSIDE = "198.51.100.7"


def behind(inside: str, options: Options = FAST) -> tuple[Host, Host, Nat]:
    """Both gateways, with a NAT in front of one; the other one knows it by the address outside."""
    a = gateway_host(A, options, 1)
    b = gateway_host(B, {**options, "active": False}, 2)
    known = b if inside == A else a
    text = _text(str(known.address), options).replace(f"{inside}= peer", f"{OUTSIDE}= peer")
    text = text.replace(f"Address= {inside}", f"Address= {OUTSIDE}")
    if "authentication" not in options:
        # By pre-shared key alone, the name of who is behind a NAT is not its packets' address.
        text = text.replace("Phase= 1\n", "Phase= 1\nRemote-ID= inside\n", 1)
        text += f"\n[inside]\nID-type= IPV4_ADDR\nAddress= {inside}\n"
    again = host(
        str(known.address), text, credentials=known.credentials, authorities=known.authorities, seed=known.seed
    )
    return (again, b, Nat(inside, OUTSIDE)) if known is a else (a, again, Nat(inside, OUTSIDE))


def _text(address: str, options: Options) -> str:
    return gateway(address, **{**options, "active": address == A})


def ike_sa(host: Host) -> IkeSa:
    (sa,) = host.engine.table.ike_sas.values()
    return sa


def ports(network: Network) -> list[tuple[int, int]]:
    return [(datagram.local.port, datagram.remote.port) for datagram in network.carried]


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
def test_the_initiator_behind_nat(options: Options) -> None:
    a, b, nat = behind(A, options)
    network = meet(a, b, nat, seconds=1)
    outer = nat.port_of(4500)
    assert ike_sa(a).nat == Found(True, local=True, remote=False)
    assert ike_sa(b).nat == Found(True, local=False, remote=True)
    assert (ike_sa(a).local, ike_sa(a).remote) == (endpoint(A, 4500), endpoint(B, 4500))
    assert (ike_sa(b).local, ike_sa(b).remote) == (endpoint(B, 4500), endpoint(OUTSIDE, outer))
    assert [local for local, _ in ports(network)] == [500] * 4 + [4500] * 5
    for end in (a, b):
        for sa in end.installed.values():
            assert sa.parameters.encapsulation == EncapsulationMode.UDP_TUNNEL
    outbound = next(sa for sa in b.installed.values() if not sa.inbound)
    assert outbound.destination == endpoint(OUTSIDE, outer)
    assert "behind NAT" in str(b.of(IkeSaUp)[0])
    assert "we are behind NAT" in str(a.of(IkeSaUp)[0])


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
def test_the_responder_behind_nat(options: Options) -> None:
    a, b, nat = behind(B, options)
    nat._ports.update({500: 500, 4500: 4500})  # port forwarding, or nobody could begin
    meet(a, b, nat, seconds=1)
    assert ike_sa(a).nat == Found(True, local=False, remote=True)
    assert ike_sa(b).nat == Found(True, local=True, remote=False)
    assert ike_sa(b).remote == endpoint(A, 4500)
    assert len(a.installed) == len(b.installed) == 2


def test_transport_mode_goes_into_udp_too() -> None:
    a, b, nat = behind(A, {**FAST, "suites": "QM-ESP-TRP-AES-128-SHA2-256-SUITE"})
    meet(a, b, nat, seconds=1)
    for end in (a, b):
        modes = {sa.parameters.encapsulation for sa in end.installed.values()}
        assert modes == {EncapsulationMode.UDP_TRANSPORT}


def test_ah_does_not_pass_a_nat() -> None:
    a, b, nat = behind(A, {**FAST, "suites": "QM-AH-SHA2-256-SUITE"})
    meet(a, b, nat, seconds=1)
    assert "AH does not pass the NAT that was detected" in str(b.events[-1])
    assert not a.installed
    assert not b.installed


def test_keepalives_from_behind_the_nat_alone() -> None:
    a, b, nat = behind(A)
    network = meet(a, b, nat, seconds=65)
    assert [(k.local, k.remote) for k in a.keepalives] == [(endpoint(A, 4500), endpoint(B, 4500))] * 3
    assert b.keepalives == []
    network.do(a, a.engine.stop(network.clock))
    a.keepalives.clear()
    network.run(100)
    assert a.keepalives == []


def test_the_interval_of_keepalives_is_configured() -> None:
    a, b, nat = behind(A, {**FAST, "general": "NAT-T-Keepalive= 5"})
    meet(a, b, nat, seconds=21)
    assert len(a.keepalives) == 4


def test_without_nat_nothing_moves() -> None:
    a, b = gateway_host(A, FAST, 1), gateway_host(B, {**FAST, "active": False}, 2)
    network = meet(a, b, deliver, seconds=120)
    assert set(ports(network)) == {(500, 500)}
    assert a.keepalives == b.keepalives == []
    assert ike_sa(a).nat == Found(True)


def test_a_nat_that_changes_the_port_of_an_established_peer_is_followed() -> None:
    a, b, nat = behind(A)
    network = meet(a, b, nat, seconds=1)
    before = ike_sa(b).remote
    nat.forget()
    network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(60)
    assert len(b.engine.table.tunnels) == 1, "what is sent to the old port is lost"
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert ike_sa(b).remote == endpoint(OUTSIDE, nat.port_of(4500)) != before
    network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(b.engine.table.tunnels) == len(a.engine.table.tunnels) == 3
    newest = b.engine.table.tunnels[-1].outbound[0]
    assert newest.destination == endpoint(OUTSIDE, nat.port_of(4500))


def test_a_nat_that_changes_the_port_during_the_handshake() -> None:
    """From message 5 on the peer is known by its proof, not by its port."""
    a, b, nat = behind(A)
    steps = iter(range(100))

    def tamper(number: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if next(steps) in (4, 6, 8):
            nat.forget()
        return nat(number, datagram)

    meet(a, b, tamper, seconds=1)
    assert ike_sa(b).remote.port == nat.port_of(4500)
    assert len(a.installed) == len(b.installed) == 2


@pytest.mark.parametrize("number", range(5, 10))
@pytest.mark.parametrize("spoof", ["host", "port"])
def test_a_copy_from_elsewhere_does_not_lead_our_answers_astray(number: int, spoof: str) -> None:
    """Without a NAT, the copy that comes first is dropped, and the original completes the handshake."""
    a, b = gateway_host(A, FAST, 1), gateway_host(B, {**FAST, "active": False}, 2)

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if count != number - 1:
            return deliver(count, datagram)
        elsewhere = endpoint("203.0.113.9") if spoof == "host" else endpoint(str(datagram.local.host), 999)
        return [(0.0001, replace(datagram, local=elsewhere)), (0.001, datagram)]

    network = meet(a, b, tamper, seconds=5)
    assert_joined(a, b)
    assert len(network.carried) == 9
    assert [ike_sa(end).remote for end in (a, b)] == [endpoint(B), endpoint(A)]
    assert {sa.destination for sa in a.installed.values() if not sa.inbound} == {endpoint(B)}
    dropped = [event for end in (a, b) for event in end.of(MessageDropped)]
    assert ["these are the cookies of" in event.why for event in dropped] == [True]


def test_a_copy_at_another_port_of_ours_is_dropped_too() -> None:
    a, b = gateway_host(A, FAST, 1), gateway_host(B, {**FAST, "active": False}, 2)

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if count < 4:
            return deliver(count, datagram)
        at_4500 = replace(datagram, remote=endpoint(str(datagram.remote.host), 4500))
        return [(0.0001, at_4500), (0.001, datagram)]

    meet(a, b, tamper, seconds=5)
    assert_joined(a, b)
    assert [ike_sa(end).local.port for end in (a, b)] == [500, 500]


def test_behind_nat_the_host_still_has_to_be_the_same() -> None:
    a, b, nat = behind(A)
    network = meet(a, b, nat, seconds=1)

    def roam(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        return [(0.001, replace(moved, local=endpoint("203.0.113.9", 4500))) for _, moved in nat(0, datagram)]

    network._tamper = roam
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(2)
    assert len(b.engine.table.tunnels) == 1
    assert b.engine.counters["InvalidCookie"] >= 1


def test_who_pretends_that_there_is_a_nat_is_found_out_by_the_port_of_message_5() -> None:
    """NAT-D payloads are not authenticated; a responder that believed a false one would refuse every tunnel."""
    a, b = gateway_host(A, FAST, 1), gateway_host(B, {**FAST, "active": False}, 2)

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        false = bytearray(datagram.data)
        false[-1] ^= 1
        return deliver(count, replace(datagram, data=bytes(false)) if count == 2 else datagram)

    meet(a, b, tamper, seconds=1)
    assert_joined(a, b)
    assert [ike_sa(end).nat for end in (a, b)] == [Found(True), Found(True)]


def test_nothing_is_left_behind_a_nat_either() -> None:
    a, b, nat = behind(A)
    network = meet(a, b, nat, seconds=30)
    network.do(a, a.engine.stop(network.clock))
    network.run(200)
    assert_nothing_left(a, b)
