# SPDX-License-Identifier: ISC
"""Every datagram of a whole handshake, with everything done to it that a network can do; and forgeries between them.

What has to hold, whatever is done:

- it completes, or it times out cleanly and is tried again: in the end both ends have the same tunnel;
- nothing but our own errors comes out of the engine, which never raises;
- nothing is up that not both ends have made, with the identities and keys that they have;
- who does not know the cookies changes nothing at all;
- from main mode message 5 on, what is injected keeps nobody from completing at once;
- when both have stopped, nothing is left in any table.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from random import Random
from typing import Any

import pytest

from ike_auth.exchanges.v1 import informational
from ike_auth.network import Datagram
from ike_auth.sa import Cookies
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import Doi, ExchangeType, Flags, NotifyType, PayloadType, ProtocolId
from ike_auth.wire.payloads import Delete, Notification
from tests.ike_auth.engine import hostile
from tests.ike_auth.engine.hostile import AT_ONCE, LONG, MESSAGES, OPTIONS, Run, Runs, Scene, another, attack, honest
from tests.ike_auth.gateways import pair
from tests.ike_auth.simulation import FLIGHT, Network, Tamper, deliver

every_handshake = pytest.mark.parametrize("name", OPTIONS)
every_message = pytest.mark.parametrize("number", range(1, MESSAGES + 1))
BITS = tuple(1 << bit for bit in range(8))
LIFE = 1200.0  # of a tunnel


def scene(name: str, number: int) -> Scene:
    return honest(name)[number - 1]


# --- what a network does without malice


def run(name: str, tamper: Tamper, seconds: float = LONG, **more: Any) -> Run:
    """A handshake from the beginning."""
    done = Run(Network(*pair(OPTIONS[name], **more), tamper=tamper))
    done.network.start()
    done.go(seconds)
    return done


@every_handshake
def test_dropped(name: str, runs: Runs) -> None:
    """Each datagram, each two of them, and four in a row."""
    losses: list[tuple[int, ...]] = [*combinations(range(MESSAGES), 1), *combinations(range(MESSAGES + 3), 2)]
    losses += [tuple(range(first, first + 4)) for first in range(MESSAGES)]
    for lost in losses:
        runs.add("dropped")
        run(name, lambda number, d, lost=lost: [] if number in lost else deliver(number, d)).survives()  # type: ignore[misc]


@every_handshake
def test_duplicated_and_reordered(name: str, runs: Runs) -> None:
    """Each datagram twice, soon and late after each other; each one so late that others overtake it."""
    times: list[tuple[float, ...]] = [
        (FLIGHT, FLIGHT),
        (FLIGHT, 3 * FLIGHT),
        (FLIGHT, 0.5),
        (FLIGHT, 8.0),
        (FLIGHT, 70.0),
        (FLIGHT, 130.0),
    ]
    times += [(0.5, 0.5), (7.5,), (20.0,), (45.0,), (8.0, 8.0), (130.0,)]
    for late in range(MESSAGES):
        for arrivals in times:

            def tamper(number: int, datagram: Datagram, late: int = late, arrivals: Any = arrivals) -> Any:
                return [(at, datagram) for at in arrivals] if number == late else deliver(number, datagram)

            runs.add("duplicated or late")
            run(name, tamper).survives()


@every_handshake
@pytest.mark.parametrize("seed", range(40))
def test_everything_at_random(name: str, seed: int, runs: Runs) -> None:
    """Loss, duplicates, delays and damage of all datagrams for five minutes; then the network recovers."""
    random = Random(f"{name} {seed}")

    def tamper(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        arriving = []
        for _ in range(random.choice((0, 1, 1, 1, 2))):
            data = bytearray(datagram.data)
            if random.random() < 0.15:
                data[random.randrange(len(data))] ^= random.randrange(1, 256)
            arriving.append((random.choice((FLIGHT, FLIGHT, 0.01, 1.0, 15.0)), replace(datagram, data=bytes(data))))
        return arriving

    runs.add("at random")
    both = {"active": seed % 2 == 0}
    done = run(name, tamper, 300, of_b=both, seed=seed)
    done.check()
    done.network._tamper = deliver
    # A delete may have been lost, too: without dead peer detection, half a tunnel lasts as long as it may.
    done.go(LIFE + LONG)
    done.survives()


# --- what is done to a datagram


@every_handshake
@every_message
def test_each_byte_flipped(name: str, number: int, runs: Runs) -> None:
    """In the header each bit; behind it one bit of each byte, of the next byte the next bit; and whole bytes."""
    data = scene(name, number).datagram.data

    def flipped() -> Iterator[bytes]:
        for place in range(len(data)):
            for mask in (*(BITS if place < HEADER_SIZE else (BITS[place % 8],)), 0xFF):
                yield data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :]

    attack(scene(name, number), flipped(), runs, "flipped")


def with_length(data: bytes) -> bytes:
    """With the length in the header that it has."""
    return data[:24] + len(data).to_bytes(4, "big") + data[28:] if len(data) >= HEADER_SIZE else data


@every_handshake
@every_message
def test_truncated_at_every_length_and_made_longer(name: str, number: int, runs: Runs) -> None:
    """With the header's length as it was, and made to fit."""
    data = scene(name, number).datagram.data

    def cut() -> Iterator[bytes]:
        for size in range(len(data)):
            yield data[:size]
            yield with_length(data[:size])
        for more in (1, 7, 8, 16, 1000):
            yield data + bytes(more)
            yield with_length(data + bytes(more))

    attack(scene(name, number), cut(), runs, "truncated")


# --- what is forged


def forged_contents(random: Random, cookies: bytes, message_id: bytes) -> Iterator[bytes]:
    """Random content behind the right cookies: of every exchange, encrypted or not, of this exchange or another."""
    for exchange in ExchangeType:
        for flags in (Flags.NONE, Flags.ENCRYPTION, Flags.ENCRYPTION | Flags.COMMIT):
            for id in (bytes(4), message_id, random.randbytes(4)):
                for size in (0, 16, 48, random.randrange(200)):
                    first = random.choice([*PayloadType, PayloadType.NONE])
                    head = cookies + bytes([first & 0xFF, 0x10, exchange, int(flags)]) + id
                    yield head + (HEADER_SIZE + size).to_bytes(4, "big") + random.randbytes(size)


@every_handshake
@every_message
@pytest.mark.parametrize("at", ["taker", "sender"])
def test_random_content_behind_the_right_cookies(name: str, number: int, at: str, runs: Runs) -> None:
    scenery = scene(name, number)
    header = scenery.datagram.data[:HEADER_SIZE]
    random = Random(f"{name} {number} {at}")
    attack(scenery, forged_contents(random, header[:16], header[20:24]), runs, "random", at=at)


def notifications(cookies: Cookies, spis: list[bytes]) -> Iterator[bytes]:
    """Every kind that there is, and deletes of everything, in the clear and as if they were encrypted."""
    own = cookies.initiator + cookies.responder
    header = Header(cookies.initiator, cookies.responder, exchange=ExchangeType.INFORMATIONAL, message_id=0x1234)
    for type in NotifyType:
        for protocol, spi in ((ProtocolId.ISAKMP, own), (ProtocolId.ESP, b""), *((ProtocolId.ESP, s) for s in spis)):
            yield Message(header, (Notification(Doi.IPSEC, protocol, type, spi),)).encode()
    deletes = [Delete(Doi.IPSEC, ProtocolId.ISAKMP, (own,)), *(Delete(Doi.IPSEC, ProtocolId.ESP, (s,)) for s in spis)]
    for delete in deletes:
        clear = Message(header, (delete,)).encode()
        yield clear
        yield clear[:19] + bytes([Flags.ENCRYPTION]) + clear[20:]
        yield clear[:20] + bytes(4) + clear[24:]


@every_handshake
@every_message
@pytest.mark.parametrize("at", ["taker", "sender"])
def test_notifications_and_deletes_that_nobody_vouches_for(name: str, number: int, at: str, runs: Runs) -> None:
    scenery = scene(name, number)
    header = Header.decode(scenery.datagram.data)
    spis = [spi for host in scenery.network.hosts.values() for _, spi in host.installed] or [b"\1\2\3\4"]
    cookies = Cookies(header.initiator_cookie, header.responder_cookie)
    attack(scenery, notifications(cookies, spis), runs, "notified", at=at)


@every_handshake
@every_message
@pytest.mark.parametrize("at", ["taker", "sender"])
def test_messages_of_another_handshake_under_the_cookies_of_this_one(
    name: str, number: int, at: str, runs: Runs
) -> None:
    scenery = scene(name, number)
    cookies = scenery.datagram.data[:16]
    attack(
        scenery,
        (cookies + other.datagram.data[16:] for other in another(name)),
        runs,
        "of another handshake",
        at=at,
    )


@every_handshake
@every_message
@pytest.mark.parametrize("at", ["taker", "sender"])
def test_replays(name: str, number: int, at: str, runs: Runs) -> None:
    """Everything that went before, again, to either end: it gets the reply that it got, or nothing."""
    scenery = scene(name, number)
    said = {datagram.data for datagram in scenery.network.carried}
    for earlier in honest(name)[: number - 1]:
        old, live = earlier.datagram, scenery.copy()
        host = live.taker if at == "taker" else live.sender
        if old.remote.host != host.address:
            old = replace(old, local=old.remote, remote=old.local)  # what it has said itself comes back to it
        known = hostile.tables(host)
        effects = host.engine.receive(Datagram(old.data, old.remote, old.local), live.network.clock)
        runs.add("replayed")
        assert hostile.tables(host) == known
        assert set(hostile.sent(effects)) <= said
        replayed = scenery.go_on(old, scenery.datagram, seconds=AT_ONCE)
        assert replayed.joined
        replayed.go(LONG)
        replayed.survives()


# --- off the path


def elsewhere(random: Random, data: bytes) -> Iterator[bytes]:
    """With one cookie or both that are not the right ones, or a bit away from them."""
    for _ in range(20):
        yield random.randbytes(16) + data[16:]
        yield data[:8] + random.randbytes(8) + data[16:]
        yield random.randbytes(8) + data[8:]
    for place in range(16):
        yield data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


@every_handshake
@pytest.mark.parametrize("number", range(3, MESSAGES + 1))
def test_who_does_not_know_the_cookies_changes_nothing(name: str, number: int, runs: Runs) -> None:
    scenery = scene(name, number)
    live, ends = scenery.copy(), (scenery.datagram.local, scenery.datagram.remote)
    random = Random(f"{name} {number}")
    cookies = Cookies(b"whatever", b"whatever")
    hint = informational.notify_clear(cookies, NotifyType.AUTHENTICATION_FAILED, random.randbytes)
    for genuine in (scenery.datagram.data, hint, *(earlier.datagram.data for earlier in honest(name)[2:number])):
        for data in elsewhere(random, genuine):
            for host, way in ((live.taker, ends), (live.sender, ends[::-1])):
                runs.add("off the path")
                assert live.ignores(Datagram(data, *way), host)
    assert live.go_on(live.datagram, seconds=AT_ONCE).joined


@every_handshake
def test_a_first_message_of_somebody_else_is_another_exchange(name: str, runs: Runs) -> None:
    """It takes a place among the half-open ones, and nothing from the handshake that is going on."""
    first = honest(name)[0].datagram
    for number in range(1, MESSAGES + 1):
        for data in elsewhere(Random(number), first.data):
            runs.add("off the path")
            stranger = replace(first, data=data[:8] + bytes(8) + data[16:])
            assert scene(name, number).go_on(stranger, scene(name, number).datagram, seconds=AT_ONCE).joined
