# SPDX-License-Identifier: ISC
"""What lies between the gateways: address translation, loss, IPv6; and how our daemon is bound to its addresses."""

import pwd
import re

import pytest

from tests.interop.conftest import Meet
from tests.interop.meeting import PEER_NAME, PHASE_1_UP, TUNNEL_UP, Stage
from tests.interop.namespaces import Gateways, gateways_with_nat, two_gateways
from tests.interop.waiting import until

KEEPALIVE = "udp dport 4500 udp length 9 @th,64,8 0xff"  # a header of 8 octets, and the one of RFC 3948 2.3


def test_no_nat_is_seen_where_none_is(meet: Meet, we_initiate: bool) -> None:
    """Without its userspace ESP charon claims no NAT; phase 1 stays on port 500."""
    meeting = meet("rsa", we_initiate=we_initiate, their={"userspace_esp": False}, begin=False)
    if not we_initiate:
        meeting.charon.initiate_ike()
    up = meeting.ours.wait_for_log(f"{PHASE_1_UP}.*")
    assert "at 10.99.0.2:500: " in up
    meeting.charon.wait_for_log(r"IKE_SA .* established")
    assert "[4500]" not in meeting.charon.log


@pytest.mark.usefixtures("netfilter")
def test_peer_behind_nat(stage: Stage) -> None:
    """The router gives charon another address, and other ports than 500 and 4500."""
    with gateways_with_nat(behind="b") as gateways:
        meeting = stage.meet(gateways, "rsa", we_initiate=False)
        _, child = meeting.wait_until_up()
        assert child.udp_encapsulated
        found = re.search(rf"{PHASE_1_UP}10\.99\.0\.2:(\d+) behind NAT: FQDN {PEER_NAME}", meeting.ours.log)
        assert found
        assert int(found[1]) not in (500, 4500)
        assert meeting.ours.stop() == 0
        meeting.charon.wait_until_empty()
        stage.running.close()


@pytest.mark.usefixtures("netfilter")
def test_we_are_behind_nat(stage: Stage) -> None:
    """charon sees us at other ports; what it says finds the way back, and we keep that way open."""
    with gateways_with_nat(behind="a") as gateways:
        gateways.b.filter(f"{KEEPALIVE} counter name seen")
        meeting = stage.meet(gateways, "rsa", we_initiate=True, our={"keepalive": 1})
        ike, _ = meeting.wait_until_up()
        assert ike.remote_port not in ("500", "4500")
        assert ", we are behind NAT: " in meeting.ours.wait_for_log(f"{PHASE_1_UP}.*")
        until(lambda: gateways.b.seen() >= 2, 5, lambda: "two keepalives")
        meeting.charon.terminate()
        meeting.ours.wait_for_log("phase 1 down .*: deleted by the peer")
        stage.running.close()


@pytest.mark.usefixtures("netfilter")
def test_lost_datagrams_are_sent_again(meet: Meet, gateways: Gateways, we_initiate: bool) -> None:
    """One datagram in four is lost in each direction."""
    for gateway in (gateways.a, gateways.b):
        gateway.filter("udp dport { 500, 4500 } numgen inc mod 4 == 3 counter name seen drop")
    meeting = meet("psk", we_initiate=we_initiate, begin=False)
    if not we_initiate:
        meeting.charon.initiate(seconds=25)
    meeting.charon.wait_for_tunnel(seconds=25)
    meeting.ours.wait_for_log(TUNNEL_UP, seconds=25)
    assert gateways.b.seen() > 0


def test_wildcard_sockets_answer_from_the_address_that_was_asked(stage: Stage, gateways: Gateways) -> None:
    """charon speaks with an address of ours that is not the first of its interface."""
    second = gateways.a.with_address("10.99.0.7")
    meeting = stage.meet(Gateways(second, gateways.b), "psk", we_initiate=False, our={"wildcard": True})
    meeting.wait_until_up()
    assert "listening on 0.0.0.0:500, 0.0.0.0:4500, [::]:500, [::]:4500" in meeting.ours.log
    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()


def test_wildcard_sockets_as_initiator(meet: Meet) -> None:
    meet("rsa", we_initiate=True, our={"wildcard": True}).wait_until_up()


@pytest.mark.parametrize(("initiate", "wildcard"), [(True, False), (False, True)])
@pytest.mark.usefixtures("machine")
def test_over_ipv6(stage: Stage, initiate: bool, wildcard: bool) -> None:
    with two_gateways(("2001:db8:99::1", "2001:db8:99::2")) as gateways:
        meeting = stage.meet(gateways, "psk", we_initiate=initiate, our={"wildcard": wildcard})
        ike, _ = meeting.wait_until_up()
        assert ike.remote_id == "2001:db8:99::1"
        meeting.ours.wait_for_log(rf"{PHASE_1_UP}\[2001:db8:99::2\]:4500 behind NAT: IPV6_ADDR 2001:db8:99::2")
        assert meeting.ours.stop() == 0
        meeting.charon.wait_until_empty()
        stage.running.close()


def test_without_privileges(meet: Meet, we_initiate: bool) -> None:
    """Root opens the ports and reads the keys, `nobody` speaks with the network."""
    meeting = meet("rsa", we_initiate=we_initiate, our={"user": "nobody"})
    meeting.wait_until_up()
    assert meeting.ours.daemon.user == pwd.getpwnam("nobody").pw_uid
    assert meeting.ours.stop() == 0
    meeting.charon.wait_until_empty()
