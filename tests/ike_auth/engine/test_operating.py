# SPDX-License-Identifier: ISC
"""Up, down and status: what operators ask for, and what they are told."""

import json
from dataclasses import asdict, replace

import pytest

from ike_auth.engine.operating import BY_OPERATOR
from ike_auth.engine.status import ConnectionStatus, Status
from ike_auth.events import IkeSaUp, TunnelDown
from tests.ike_auth.engine.words import denied_from, two
from tests.ike_auth.gateways import assert_joined, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver


def status(host: Host, network: Network) -> Status:
    return host.engine.status(network.clock)


def connection(host: Host, network: Network, name: str = "tunnel") -> ConnectionStatus:
    (found,) = [connection for connection in status(host, network).connections if connection.name == name]
    return found


def test_down_stays_down_until_up() -> None:
    a, b = two()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.down("tunnel", network.clock))
    network.run(1)
    assert [tunnel.connection for tunnel in a.engine.table.tunnels] == ["second"]
    assert_joined(a, b)
    assert [event.why for event in a.of(TunnelDown)] == [BY_OPERATOR]
    assert (connection(a, network).state, connection(a, network).why) == ("held", BY_OPERATOR)
    network.run(600)
    assert_joined(a, b)
    network.do(a, a.engine.up("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b, tunnels=2)
    assert connection(a, network).state == "up"
    assert len(a.of(IkeSaUp)) == 1


def test_traffic_does_not_bring_up_what_is_held_down() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.down("tunnel", network.clock))
    network.run(1)
    (guard,) = a.guards
    network.do(a, a.engine.acquire(guard.local, guard.remote, network.clock))
    network.run(200)
    assert a.installed == {}
    network.do(a, a.engine.up("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b)


def test_the_peer_may_bring_it_up_and_it_is_not_renewed_here() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(b, b.engine.down("tunnel", network.clock))
    network.run(61)
    assert_joined(a, b)
    assert connection(b, network).state == "up"


def test_a_peer_goes_down_with_all_that_there_is_with_it() -> None:
    a, b = two()
    network = meet(a, b, seconds=1)
    network.do(b, b.engine.down("peer", network.clock))
    assert b.engine.table.tunnels == ()
    assert b.engine.table.ike_sas == {}
    network.run(1)
    assert a.installed == {}
    assert a.engine.table.ike_sas == {}


@pytest.mark.parametrize("number", range(1, 9))
@pytest.mark.parametrize("name", ["tunnel", "peer"])
def test_down_while_it_is_coming_up(number: int, name: str) -> None:
    a, b = pair()
    network = Network(a, b, tamper=lambda count, datagram: deliver(count, datagram) if count < number else [])
    network.start()
    network.run(0.5)
    network._tamper = deliver
    network.do(a, a.engine.down(name, network.clock))
    network.run(300)
    assert a.installed == b.installed == {}
    assert connection(a, network).state == "held"


def test_one_of_two_that_wait_for_an_ike_sa() -> None:
    a, b = two()
    network = Network(a, b)
    network.start()
    network.do(a, a.engine.down("second", network.clock))
    network.run(1)
    assert [tunnel.connection for tunnel in a.engine.table.tunnels] == ["tunnel"]


def test_up_of_what_is_up_changes_nothing() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    assert a.engine.up("tunnel", network.clock) == []
    assert_joined(a, b)


@pytest.mark.parametrize("what", ["up", "down"])
def test_unknown_names(what: str) -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    with pytest.raises(KeyError):
        getattr(a.engine, what)("no such", network.clock)
    assert_joined(a, b)


def test_what_is_not_configured_any_more_is_not_held_either() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.down("tunnel", network.clock))
    before = a.configuration
    for configuration in (replace(before, connections={}), before):
        network.do(a, a.reload(configuration, network.clock))
    network.run(1)
    assert_joined(a, b)


# --- status


def test_what_is_up() -> None:
    a, b = two()
    network = meet(a, b, seconds=10)
    found = status(a, network)
    json.dumps(asdict(found))
    (ike,) = found.ike_sas
    assert (ike.peer, ike.identity, ike.remote) == ("peer", "IPV4_ADDR 10.99.0.2", "10.99.0.2:500")
    assert (ike.begun_by_us, ike.nat, ike.dpd) == (True, False, True)
    assert ike.age == pytest.approx(10, abs=0.1)
    assert ike.ends_in == pytest.approx(3590, abs=0.1)
    first, _ = found.tunnels
    assert (first.connection, first.local, first.remote) == ("tunnel", "10.1.0.0/16", "10.2.0.0/16")
    assert (first.age, first.ends_in) == pytest.approx((10, 1190), abs=0.1)
    assert {(True, bytes.fromhex(first.spis_in[0])), (False, bytes.fromhex(first.spis_out[0]))} <= set(a.installed)
    assert [(peer.name, peer.ike_sas, peer.tunnels) for peer in found.peers] == [("peer", 1, 2)]
    assert [(c.name, c.state, c.why) for c in found.connections] == [("tunnel", "up", ""), ("second", "up", "")]
    assert (found.exchanges, found.half_open) == (0, 0)


def test_no_secrets_in_it() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    text = json.dumps(asdict(status(a, network)))
    assert "a key of the two gateways" not in text
    for sa in a.installed.values():
        assert sa.encryption_key.reveal().hex() not in text


def test_why_something_is_not_up() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: [], seconds=1)
    assert connection(a, network).state == "under way"
    network.run(45)
    found = connection(a, network)
    assert found.state == "down"
    assert found.why.startswith("no main mode 2 after 4 attempts")
    network._tamper = deliver
    network.run(60)
    assert (connection(a, network).state, connection(a, network).why) == ("up", "")


@pytest.mark.parametrize(("denying", "said"), [(0, "enough is enough"), (1, "NO_PROPOSAL_CHOSEN")])
def test_why_policy_says_no(denying: int, said: str) -> None:
    ends = pair()
    denied_from(ends[denying], 0.0)
    network = meet(*ends, seconds=1)
    assert said in connection(ends[0], network).why
    assert connection(ends[0], network).state == "down"


def test_why_the_peer_is_refused() -> None:
    a, b = pair(of_b={"key": "another"})
    network = meet(a, b, seconds=8)
    guess = "perhaps the pre-shared keys differ: then the peer cannot read what we sent"
    assert connection(a, network).why == f"no main mode 6 so far; {guess}"
    network.run(51)
    assert connection(a, network).why.startswith("no main mode 6 after 4 attempts; ")
    assert guess in connection(a, network).why


def test_what_went_down() -> None:
    a, b = pair(of_a={"active": False})
    network = Network(a, b)
    network.start()
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    network.do(b, b.engine.stop(network.clock))
    network.run(1)
    assert (connection(a, network).state, connection(a, network).why) == ("down", "deleted by the peer")


def test_who_has_no_address_has_to_begin() -> None:
    a, _ = pair()
    peers = {name: replace(peer, address=None) for name, peer in a.configuration.peers.items()}
    alone = Host(a.address, replace(a.configuration, peers=peers), seed=1)
    network = Network(alone)
    network.start()
    assert connection(alone, network).why == "its peer has no address, so it has to begin"
