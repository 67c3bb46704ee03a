# SPDX-License-Identifier: ISC
"""What nobody vouches for is shown at once, changes nothing, and is remembered in case nothing comes of it."""

import pytest

from ike_auth.events import ExchangeFailed, PeerHint
from ike_auth.exchanges.v1 import informational
from ike_auth.network import Datagram
from ike_auth.sa import Cookies
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import NotifyType
from tests.ike_auth.configurations import A, B
from tests.ike_auth.engine.words import ike_sa
from tests.ike_auth.gateways import FAST_RSA, assert_joined, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver, endpoint


def hint(network: Network, cookies: Cookies, type: NotifyType, to: str = A, source: str = B) -> None:
    """From whoever knows the cookies."""
    data = informational.notify_clear(cookies, type, lambda size: b"\7" * size)
    network.inject(Datagram(data, endpoint(source), endpoint(to)))
    network.run(0.1)


def cookies_of(network: Network) -> Cookies:
    header = Header.decode(network.carried[-1].data)
    return Cookies(header.initiator_cookie, header.responder_cookie)


@pytest.mark.parametrize("answered", range(1, 9))
def test_at_any_time_a_hint_is_shown_and_changes_nothing(answered: int) -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < answered else [], seconds=0.1)
    network._tamper = deliver
    for end, source in ((A, B), (B, A)):
        hint(network, cookies_of(network), NotifyType.AUTHENTICATION_FAILED, end, source)
    network.run(30)
    assert_joined(a, b)
    shown = [str(event) for end in (a, b) for event in end.of(PeerHint)]
    assert any("AUTHENTICATION_FAILED" in text for text in shown)


def test_a_hint_is_shown_once_for_each_exchange() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 5 else [], seconds=0.1)
    for _ in range(20):
        hint(network, cookies_of(network), NotifyType.AUTHENTICATION_FAILED)
        hint(network, cookies_of(network), NotifyType.INVALID_COOKIE)
    assert len(a.of(PeerHint)) == 2


def test_who_does_not_know_the_cookies_says_nothing() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    real = cookies_of(network)
    for cookies in (Cookies(real.initiator, b"whatever"), Cookies(b"whatever", real.responder)):
        hint(network, cookies, NotifyType.AUTHENTICATION_FAILED)
    assert a.of(PeerHint) == []
    assert a.engine.counters["InvalidCookie"] == 2


def failure(a: Host) -> str:
    (failed,) = [event.why for event in a.of(ExchangeFailed)]
    return failed


def test_an_initiator_that_gives_up_names_the_last_hint() -> None:
    """The responder of message 5 says no in a message that may be anybody's."""
    a, b = pair(FAST_RSA, of_a={"active": False})
    b.answer = lambda *_: None
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    hint(network, cookies_of(network), NotifyType.AUTHENTICATION_FAILED)
    network.run(60)
    assert failure(a).startswith("no main mode 6 after 4 attempts; somebody there said AUTHENTICATION_FAILED")


def test_a_refused_offer_of_phase_1() -> None:
    a, b = pair(of_a={"active": False}, of_b={"transforms": "AES-256-SHA2-256-GRP31"})
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(60)
    assert failure(a).startswith(
        "no main mode 2 after 4 attempts; offered was AES-128-SHA2-256-GRP31; somebody there said NO_PROPOSAL_CHOSEN"
    )


def test_a_quick_mode_that_is_refused_in_the_clear() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network._tamper = lambda number, datagram: []
    network.do(a, a.engine.initiate("tunnel", network.clock))
    hint(network, ike_sa(a).cookies, NotifyType.NO_PROPOSAL_CHOSEN)
    network.run(60)
    why = failure(a)
    assert why.startswith("no quick mode 2 after 4 attempts; offered was ")
    assert "somebody there said NO_PROPOSAL_CHOSEN" in why


@pytest.mark.parametrize(
    ("lost", "end", "why"),
    [
        (2, "b", "no main mode 3 within 120 s"),
        (4, "b", "no main mode 5 within 120 s"),
        (8, "b", "no quick mode 3 after 4 attempts"),
        (3, "a", "no main mode 4 after 4 attempts"),
        (5, "a", "no main mode 6 after 4 attempts"),
        (7, "a", "no quick mode 2 after 4 attempts"),
    ],
)
def test_what_was_waited_for_when_everything_after_a_message_is_lost(lost: int, end: str, why: str) -> None:
    a, b = pair(of_a={"active": False})
    network = Network(a, b, tamper=lambda number, datagram: deliver(number, datagram) if number < lost else [])
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(200)
    (failed,) = (a if end == "a" else b).of(ExchangeFailed)
    assert failed.why.startswith(why)
    what, peer = ("quick mode" if "quick" in why else "main mode"), (B if end == "a" else A)
    named = " tunnel" if end == "a" else ""
    assert str(failed).startswith(f"{what}{named} with peer at {peer}:500")
    assert f" failed: {why}" in str(failed)


def test_pre_shared_keys_that_differ() -> None:
    a, b = pair(of_a={"active": False}, of_b={"key": "another key"})
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(200)
    (failed,) = b.of(ExchangeFailed)
    assert "main mode 5 cannot be read, which most often means that the pre-shared keys differ" in failed.why
