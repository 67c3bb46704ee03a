# SPDX-License-Identifier: ISC
"""Peers that append payloads which no hash covers, and somebody who alters them (docs/decisions/0503).

The alteration verifies, and its last block is another IV for what follows. Whichever comes first, the altered message
or the genuine one, and whoever takes it, the handshake completes.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import pytest

from ike_auth.crypto import ciphers
from ike_auth.events import ExchangeFailed
from ike_auth.exchanges.v1 import phase1
from ike_auth.network import Datagram
from ike_auth.sa_table import MAX_VARIANTS
from ike_auth.wire.header import HEADER_SIZE
from ike_auth.wire.numbers import Doi, NotifyType, ProtocolId
from ike_auth.wire.payloads import Notification
from tests.ike_auth.engine import hostile
from tests.ike_auth.engine.hostile import Runs
from tests.ike_auth.engine.words import ike_sa
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, leftovers, meet, pair
from tests.ike_auth.simulation import deliver


@pytest.fixture(autouse=True)
def _as_charon_and_isakmpd_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """INITIAL-CONTACT behind the proof, and a whole block of padding where none is needed."""
    initial_contact = Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.INITIAL_CONTACT, bytes(range(16)))
    for name in ("preshared_proof", "signature_proof"):
        proof = getattr(phase1, name)
        monkeypatch.setattr(phase1, name, lambda *given, proof=proof: (*proof(*given), initial_contact))
    encrypt = ciphers.Cbc.encrypt
    monkeypatch.setattr(
        ciphers.Cbc, "encrypt", lambda self, text, iv: encrypt(self, text + bytes(16 - len(text) % 16), iv)
    )


def altered(datagram: Datagram, bit: int = 1) -> Datagram:
    """In the last block, which nothing covers."""
    last = bytearray(datagram.data)
    last[-1] ^= bit
    return replace(datagram, data=bytes(last))


Order = Callable[[Datagram], list[tuple[float, Datagram]]]
ORDERS: dict[str, Order] = {
    "altered, genuine": lambda d: [(0.001, altered(d)), (0.002, d)],
    "genuine, altered": lambda d: [(0.001, d), (0.002, altered(d))],
    "both sides of it": lambda d: [(0.001, altered(d)), (0.002, d), (0.003, altered(d, 2)), (0.004, altered(d, 4))],
    "many": lambda d: [*((0.001, altered(d, bit)) for bit in range(1, 11)), (0.002, d)],
}


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("number", [5, 6, 7, 8, 9])
def test_an_altered_copy_does_not_keep_the_handshake_from_completing(
    number: int, order: str, options: Options
) -> None:
    a, b = pair(options)
    network = meet(a, b, lambda n, d: ORDERS[order](d) if n == number - 1 else deliver(n, d), seconds=5)
    assert_joined(a, b)
    assert ike_sa(a).last_block == ike_sa(b).last_block
    network.run(200)
    assert [event.why for end in (a, b) for event in end.of(ExchangeFailed)] == []
    assert leftovers(b).get("_variants") is None


@pytest.mark.parametrize("order", ORDERS)
def test_altered_copies_of_everything(order: str) -> None:
    a, b = pair()
    numbers = count()

    def tamper(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        return ORDERS[order](datagram) if next(numbers) >= 4 else deliver(0, datagram)

    meet(a, b, tamper, seconds=20)
    assert_joined(a, b)
    assert ike_sa(a).last_block == ike_sa(b).last_block


@pytest.mark.parametrize("options", hostile.OPTIONS.values(), ids=hostile.OPTIONS)
@pytest.mark.parametrize("number", range(hostile.PROOFS, hostile.MESSAGES + 1))
def test_every_bit_of_what_nothing_covers(number: int, options: Options, runs: Runs) -> None:
    """From the proof on to the end: the notification and the padding, in both roles, in place and injected."""
    scenery = hostile.scenes(options)[number - 1]
    data = scenery.datagram.data

    def flipped() -> Iterator[bytes]:
        for place in range(max(len(data) - 80, HEADER_SIZE), len(data)):
            for mask in (*(1 << bit for bit in range(8)), 0xFF):
                yield data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]

    hostile.attack(scenery, flipped(), runs, "uncovered bits")


@pytest.mark.parametrize("number", [5, 6, 7, 8])
def test_altered_in_place_of_the_genuine_one(number: int) -> None:
    """Then it is the repetition that completes the handshake; of message 6, the next attempt."""
    a, b = pair()
    meet(a, b, lambda n, d: deliver(n, altered(d) if n == number - 1 else d), seconds=200)
    assert_joined(a, b)


def test_until_the_peer_has_spoken_both_variants_are_there() -> None:
    a, b = pair()
    network = meet(
        a,
        b,
        lambda n, d: [] if n > 6 else ORDERS["altered, genuine"](d) if n == 4 else deliver(n, d),
        seconds=0.01,
    )
    cookies = ike_sa(a).cookies
    assert len(b.engine.table.variants(cookies)) == 2
    assert ike_sa(a).last_block in [sa.last_block for sa in b.engine.table.variants(cookies)]
    # The responder's own quick mode, begun under the newest variant, is as good as any.
    network._tamper = deliver
    network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(b.engine.table.variants(cookies)) == 1
    assert len(b.installed) == len(a.installed) == 2


def test_only_so_many_variants_are_kept() -> None:
    a, b = pair()

    def tamper(n: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if n != 5:
            return deliver(n, datagram) if n < 5 else []
        return [(0.001, altered(datagram, bit)) for bit in range(1, 40)]

    network = meet(a, b, tamper, seconds=1)
    assert len(a.engine.table.variants(ike_sa(a).cookies)) == MAX_VARIANTS
    network._tamper = deliver
    network.run(200)
    assert_joined(a, b)


def test_deletes_go_out_under_every_variant() -> None:
    a, b = pair()
    network = meet(
        a, b, lambda n, d: [] if n > 5 else ORDERS["genuine, altered"](d) if n == 4 else deliver(n, d), seconds=0.01
    )
    network._tamper = deliver
    network.do(b, b.engine.stop(network.clock))
    network.run(1)
    assert a.engine.table.ike_sas == {}
