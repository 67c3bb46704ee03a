# SPDX-License-Identifier: ISC
"""One socket, no threads, no loops: it may be used from within the daemon's."""

import asyncio
import errno
import threading
from contextlib import closing
from ipaddress import ip_network

import pytest
from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_NEWROUTE
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ike_auth.daemon.network import links, routes
from ike_auth.daemon.network.netlink import Netlink, Refused
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import Tun
from tests.ike_auth.daemon.network.commands import ip, outer_network, way
from tests.ike_auth.daemon.network.isolated import in_namespaces
from tests.ike_auth.daemon.network.test_selection import selector


@in_namespaces()
def test_within_a_running_event_loop() -> None:
    outer_network()

    async def daemon() -> None:
        with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
            number = links.index(netlink, tun.name)
            links.set_up_tun(netlink, number, 1400)
            with closing(Steering(netlink, number)) as steered:
                steered.steer(selector("10.1.0.0/16"), selector("10.2.0.0/16"))
                assert way("10.2.0.1") == "esp0"
            assert threading.active_count() == 1

    asyncio.run(daemon(), debug=True)


@in_namespaces()
def test_more_than_one_reply_holds() -> None:
    """A dump comes in several datagrams."""
    outer_network()
    with closing(Netlink.open()) as netlink:
        for number in range(1000):
            routes.add(netlink, routes.Route(ip_network(f"10.{number >> 8}.{number & 255}.0/24")))
        ip("route add 10.255.0.0/24 dev outside table 4524")  # another's
        assert len(routes.ours(netlink)) == 1000


@in_namespaces()
def test_kernel_says_why() -> None:
    with closing(Netlink.open()) as netlink:
        message = rtmsg()
        message["family"], message["dst_len"] = 2, 16
        message["attrs"] = [("RTA_DST", "10.2.0.0"), ("RTA_OIF", 1)]
        with pytest.raises(Refused, match="Invalid scope") as caught:
            netlink.change(RTM_NEWROUTE, message)
        assert caught.value.errno == errno.EINVAL
        # The next question gets its own answer.
        assert netlink.dump(RTM_GETADDR, ifaddrmsg()) == []
