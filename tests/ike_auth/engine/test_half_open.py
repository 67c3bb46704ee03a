# SPDX-License-Identifier: ISC
"""Strangers can send any number of first messages. They must not keep out a genuine peer, nor fill our memory."""

from dataclasses import replace
from functools import cache
from ipaddress import ip_address
from random import Random

import pytest

from ike_auth.config import isakmpd
from ike_auth.events import IkeSaUp
from ike_auth.network import Datagram, Endpoint
from tests.ike_auth.configurations import A, B, gateway
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, certified, gateway_host, leftovers, meet
from tests.ike_auth.simulation import Host, Network, deliver, endpoint

LIMIT = 40


def responder(limit: int = LIMIT, default: bool = True, options: Options = FAST) -> Host:
    """It takes first messages from everywhere."""
    text = gateway(B, **{**options, "active": False, "general": f"Half-Open-Limit= {limit}"})
    if default:
        text = text.replace(f"{A}= peer\n", f"{A}= peer\nDefault= anybody\n")
        text += "\n[anybody]\nPhase= 1\nConfiguration= main-mode\n"
        text += "ID= own-id\n" if options is FAST_RSA else "Authentication= what everybody knows\n"
    return Host(ip_address(B), isakmpd.parse(text, "b.conf"), seed=2, **(certified(B) if options is FAST_RSA else {}))


@cache
def template() -> bytes:
    a, b = gateway_host(A, FAST, 1), responder()
    return meet(a, b, seconds=0.1).carried[0].data


def first_message(random: Random, source: str) -> Datagram:
    """Like that of a genuine peer."""
    data = random.randbytes(8) + template()[8:]
    return Datagram(data, endpoint(source, random.randrange(1024, 65536)), endpoint(B))


@pytest.mark.parametrize("own_address", [False, True], ids=["from everywhere", "from the peer's own address"])
@pytest.mark.parametrize("before", [0, 3 * LIMIT], ids=["meanwhile", "before and meanwhile"])
def test_a_spoofed_flood_does_not_keep_a_genuine_peer_out(before: int, own_address: bool) -> None:
    """In each round trip there come as many forged messages as there are places, less the one that the peer needs: of
    the share of its address if that is forged, of all places if others are."""
    random = Random("flood")
    a, b = gateway_host(A, FAST, 1), responder()
    each_way = (LIMIT // 4 - 1 if own_address else LIMIT - 1) // 2

    def flood(count: int) -> list[Datagram]:
        hosts = (A if own_address else f"203.0.{random.randrange(256)}.{random.randrange(256)}" for _ in range(count))
        return [first_message(random, host) for host in hosts]

    network = Network(a, b)
    for datagram in flood(before):
        network.inject(datagram)
    network.run(0.1)
    assert len(b.engine.exchanges.half_open) in (0, LIMIT // 4, LIMIT)
    genuine: list[bytes] = []

    def tamper(number: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if datagram.local.host == a.address and not genuine:
            genuine.append(datagram.data[:8])
        if datagram.data[:8] not in genuine:
            return []  # what B says to the forger goes nowhere
        return [*((0.0005, forged) for forged in flood(each_way)), (0.001, datagram)]

    network._tamper = tamper
    network.start()
    network.run(5)
    assert len(a.of(IkeSaUp)) == len(b.of(IkeSaUp)) == 1
    assert len(a.installed) == len(b.installed) == 2
    assert len(b.engine.exchanges.half_open) <= LIMIT


def test_never_more_than_the_limit_and_nothing_is_left_of_them() -> None:
    random = Random(2)
    b = responder()
    network = Network(b)
    for count in range(5 * LIMIT):
        network.inject(first_message(random, f"203.0.{count}.1"))
    network.run(1)
    assert len(b.engine.exchanges.half_open) == LIMIT
    assert len(b.engine.exchanges) == LIMIT
    assert b.engine.counters["half-open exchange dropped"] == 4 * LIMIT
    network.run(300)
    assert leftovers(b) == {}


def test_a_host_fills_its_own_share_alone() -> None:
    random = Random(3)
    b = responder()
    network = Network(b)
    for _ in range(LIMIT):
        network.inject(first_message(random, "203.0.113.1"))
    network.run(1)
    assert len(b.engine.exchanges.half_open) == LIMIT // 4


def test_who_has_shown_that_it_receives_is_not_driven_out_by_those_who_have_not() -> None:
    """Message 3 has come, the answer to message 4 takes its time: the flood passes by."""
    random = Random(4)
    a, b = gateway_host(A, FAST, 1), responder()
    held: list[Datagram] = []

    def tamper(number: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if number == 4:
            held.append(datagram)
            return []
        return deliver(number, datagram)

    network = Network(a, b, tamper=tamper)
    network.start()
    network.run(0.1)
    for count in range(5 * LIMIT):
        network.inject(first_message(random, f"203.0.{count}.1"))
        network.inject(first_message(random, A))
    network.run(0.1)
    network.inject(held[0])
    network.run(0.1)
    assert len(b.of(IkeSaUp)) == 1


def test_strangers_are_nobodys_peer() -> None:
    random = Random(5)
    b = responder(default=False)
    network = Network(b)
    network.inject(first_message(random, "203.0.113.1"))
    network.run(1)
    assert len(b.engine.exchanges) == 0
    assert "no peer is configured for 203.0.113.1, and there is no `Default=`" in str(b.events[-1])


def test_the_same_first_message_is_one_exchange() -> None:
    random = Random(6)
    b = responder()
    network = Network(b)
    datagram = first_message(random, A)
    for _ in range(5):
        network.inject(datagram)
    network.inject(replace(datagram, local=Endpoint(datagram.local.host, 9)))
    network.run(1)
    assert len(b.engine.exchanges) == 2, "from another port it is another one"
    assert len({sent.data for sent in network.carried}) == 2
    assert len(network.carried) == 6


def test_established_peers_do_not_count() -> None:
    a, b = gateway_host(A, FAST_RSA, 1), responder(limit=1, options=FAST_RSA)
    meet(a, b, seconds=1)
    assert len(b.of(IkeSaUp)) == 1
    assert len(b.engine.exchanges.half_open) == 0
