# SPDX-License-Identifier: ISC
"""Routes and rules for real, in a namespace with an interface to the outside. ip(8) is the witness."""

import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_interface
from pathlib import Path

import pytest

from ike_auth.daemon.network import NetworkError, links, numbers, routes
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.path import bypass
from ike_auth.daemon.network.steering import Steering, clear
from ike_auth.daemon.network.tun import HEADER_SIZE, Tun
from ike_auth.wire.identities import Selector
from tests.ike_auth.daemon.network.commands import (
    HERE,
    HERE6,
    OUTSIDE,
    PEER,
    PEER6,
    chosen_source,
    everything,
    ip,
    outer_network,
    shown,
    way,
)
from tests.ike_auth.daemon.network.isolated import become_nobody, in_namespaces
from tests.ike_auth.daemon.network.packets import udp_packet
from tests.ike_auth.daemon.network.test_selection import selector

UDP = ("ipproto", "udp")
MARKED = ("mark", str(numbers.MARK))
UNREACHABLE = "No route to host"
ANY, ANY6 = selector("0.0.0.0/0"), selector("::/0")
LOCAL, LOCAL6 = selector("10.1.0.0/16"), selector("fd01::/64")
SECONDS = 10


@contextmanager
def steering(ports: tuple[int, ...] = (), mtu: int = 1400) -> Iterator[tuple[Steering, Tun]]:
    with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
        number = links.index(netlink, tun.name)
        steered = Steering(netlink, number, ports)
        links.set_up_tun(netlink, number, mtu)
        with closing(steered):
            yield steered, tun


@in_namespaces()
def test_networks_behind_a_peer() -> None:
    outer_network()
    before = everything()
    with steering() as (steered, _):
        steered.steer(LOCAL, selector("10.2.0.0/16"))
        steered.steer(LOCAL6, selector("fd02::/64"))
        assert way("10.2.0.1") == way("fd02::1") == "esp0"
        assert way("10.3.0.1") == way("fd03::1") == way(PEER) == OUTSIDE
        steered.release(LOCAL, selector("10.2.0.0/16"))
        assert (way("10.2.0.1"), way("fd02::1")) == (OUTSIDE, "esp0")
        steered.release(LOCAL6, selector("fd02::/64"))
        assert everything() == before
        steered.steer(LOCAL, selector("10.2.0.0/16"))
    assert everything() == before


@in_namespaces()
def test_range_is_its_networks_and_nothing_else() -> None:
    outer_network()
    with steering() as (steered, _):
        steered.steer(LOCAL, selector("10.2.0.1-10.2.0.4"))
        ways = [way(f"10.2.0.{number}") for number in range(6)]
        assert ways == [OUTSIDE, "esp0", "esp0", "esp0", "esp0", OUTSIDE]


@pytest.mark.parametrize(
    ("local", "remote", "beyond", "peer"),
    [
        (LOCAL, ANY, "192.0.2.1", PEER),
        (LOCAL6, ANY6, "2001:db8::1", PEER6),
        (LOCAL, selector("10.0.0.0/8"), "10.2.0.1", PEER),
        (LOCAL, selector(f"{PEER}/32"), PEER, PEER),  # host to host
        (LOCAL6, selector(f"{PEER6}/128"), PEER6, PEER6),
    ],
)
@in_namespaces()
def test_own_packets_stay_outside(local: Selector, remote: Selector, beyond: str, peer: str) -> None:
    outer_network()
    with steering() as (steered, tun):
        steered.steer(local, remote)
        assert way(beyond) == "esp0"
        assert way(peer, *MARKED) == OUTSIDE
        family = socket.AF_INET6 if ":" in peer else socket.AF_INET
        with closing(capture()) as outside, socket.socket(family, socket.SOCK_DGRAM) as ours:
            bypass(ours)
            ours.sendto(b"encrypted", (peer, 4500))
            assert seen(outside) == [b"encrypted"]
            assert tun.read() == []


@in_namespaces()
def test_everything_but_the_networks_that_are_here() -> None:
    outer_network()
    with steering() as (steered, _):
        steered.steer(LOCAL, ANY)
        assert way("192.0.2.1") == "esp0"
        assert way("10.99.0.7") == OUTSIDE
        assert way(HERE) == "lo"


@pytest.mark.parametrize("order", [1, -1])
@in_namespaces()
def test_longest_prefix_wins_between_ours_and_others(order: int) -> None:
    outer_network()
    ip("link add other type veth peer name beside")
    ip("link set other up")
    ip("link set beside up")
    for network in ("10.0.0.0/12", "10.2.3.0/24", "10.2.3.4/32"):
        ip(f"route add {network} dev other")
    with steering() as (steered, _):
        for network in ("10.0.0.0/8", "10.2.0.0/16", "10.2.3.4/32", "10.2.3.5/32")[::order]:
            steered.steer(LOCAL, selector(network))
        expected = {
            "11.0.0.1": OUTSIDE,
            "10.200.0.1": "esp0",  # 8
            "10.3.0.1": "other",  # 12
            "10.2.0.1": "esp0",  # 16
            "10.2.3.1": "other",  # 24
            "10.2.3.4": "esp0",  # 32, both have it
            "10.2.3.5": "esp0",  # 32
        }
        assert {address: way(address) for address in expected} == expected


@in_namespaces()
def test_two_flows_to_one_network() -> None:
    outer_network()
    other = selector("10.5.0.0/16")
    with steering() as (steered, _):
        for local in (LOCAL, other, other):
            steered.steer(local, selector("10.2.0.0/16"))
        for local in (other, LOCAL):
            steered.release(local, selector("10.2.0.0/16"))
            assert way("10.2.0.1") == "esp0"
        steered.release(LOCAL, selector("10.2.0.0/16"))  # more often than it was asked for
        assert way("10.2.0.1") == "esp0"
        steered.release(other, selector("10.2.0.0/16"))
        assert way("10.2.0.1") == OUTSIDE
        assert steered.networks == set()


@in_namespaces()
def test_source_is_within_what_the_peer_lets_us_send_from() -> None:
    outer_network()
    ip("address add 10.1.0.1/32 dev lo")
    ip("address add fd01::1/128 dev lo nodad")
    with steering() as (steered, _):
        steered.steer(LOCAL, selector("10.2.0.0/16"))
        steered.steer(LOCAL6, selector("fd02::/64"))
        steered.steer(selector("10.5.0.0/16"), selector("10.6.0.0/16"))
        assert chosen_source("10.2.0.1") == "10.1.0.1"
        assert chosen_source("fd02::1") == "fd01::1"
        assert way("10.6.0.1") == "esp0"
        # Another flow to the same network, from where we do have an address.
        steered.steer(LOCAL, selector("10.6.0.0/16"))
        assert chosen_source("10.6.0.1") == "10.1.0.1"


@in_namespaces()
def test_addresses_of_ours() -> None:
    outer_network()
    with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
        number = links.index(netlink, tun.name)
        links.set_up_tun(netlink, number, 100)
        assert shown("link show dev esp0")[0]["mtu"] == 1280
        for _ in range(2):
            links.add_address(netlink, number, ip_interface("10.1.0.1/24"))
            links.add_address(netlink, number, ip_interface("fd01::1/64"))
        ip("address add 10.1.0.7 peer 10.1.0.8 dev esp0")
        found = [str(entry.address) for entry in links.addresses(netlink) if entry.index == number]
        assert found == ["10.1.0.1", "10.1.0.7", "fd01::1"]
        everywhere = {str(entry.address) for entry in links.addresses(netlink)}
        assert everywhere == {"127.0.0.1", "::1", HERE, HERE6, *found}
        with pytest.raises(NetworkError, match="no interface `esp9`"):
            links.index(netlink, "esp9")


# --- ends


@in_namespaces()
def test_nothing_leaks_when_the_device_goes() -> None:
    outer_network()
    with steering() as (steered, _):
        steered.steer(LOCAL, ANY)
        steered.steer(LOCAL6, ANY6)
        steered.steer(LOCAL, selector("10.2.0.0/16"))
        ip("link delete esp0")
        assert {way(address) for address in ("192.0.2.1", "10.2.0.1", "2001:db8::1")} == {
            f"RTNETLINK answers: {UNREACHABLE}"
        }
        assert way(PEER, *MARKED) == way(PEER6, *MARKED) == OUTSIDE
        with closing(Netlink.open()) as netlink, closing(Tun.open("again")) as again:
            number = links.index(netlink, "again")
            links.set_up_tun(netlink, number, 1400)
            steered.move(number)
            assert {way(address) for address in ("192.0.2.1", "10.2.0.1", "2001:db8::1")} == {again.name}


PROCESS = """
import sys
from contextlib import closing
from ipaddress import ip_network
from ike_auth.daemon.network import links
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import Tun
from ike_auth.wire.identities import Selector
netlink, tun = Netlink.open(), Tun.open()
number = links.index(netlink, tun.name)
steered = Steering(netlink, number)
links.set_up_tun(netlink, number, 1400)
for remote in sys.argv[1:]:
    network = ip_network(remote)
    local = ip_network("10.1.0.0/16" if network.version == 4 else "fd01::/64")
    steered.steer(Selector.of(local), Selector.of(network))
print("ready", flush=True)
sys.stdin.read()
"""


def killed_after_steering(*remotes: str) -> None:
    """A process that did as its arguments say, and was ended without a word."""
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, *remotes], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)


def capture() -> socket.socket:
    """All packets that leave by the outer interface, IP header first."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    opened.bind((OUTSIDE, 3))
    opened.setblocking(False)
    return opened


def seen(captured: socket.socket) -> list[bytes]:
    """What UDP datagrams left; each is there when the call that sent it returns."""
    found = []
    while select.select([captured], [], [], 0)[0]:
        packet = captured.recv(1 << 16)
        if packet[0] >> 4 == 4 and packet[9] == 17:
            found.append(packet[28:])
        elif packet[0] >> 4 == 6 and packet[6] == 17:
            found.append(packet[48:])
    return found


@pytest.mark.parametrize(
    ("remote", "beyond"),
    [
        ("10.2.0.0/16", "10.2.0.1"),
        ("0.0.0.0/0", "192.0.2.1"),
        ("fd02::/64", "fd02::1"),
        ("::/0", "2001:db8::1"),
    ],
)
@in_namespaces()
def test_nothing_leaks_from_a_killed_process(remote: str, beyond: str) -> None:
    outer_network()
    family = socket.AF_INET6 if ":" in beyond else socket.AF_INET
    with closing(capture()) as outside, socket.socket(family, socket.SOCK_DGRAM) as plain:
        plain.sendto(b"before", (beyond, 7))
        assert seen(outside) == [b"before"]  # that is what a leak looks like
        killed_after_steering(remote)
        seen(outside)
        with pytest.raises(OSError, match=UNREACHABLE):
            plain.sendto(b"in clear", (beyond, 7))
        assert seen(outside) == []
        assert {link["ifname"] for link in shown("link")} == {"lo", OUTSIDE, "beyond"}


@in_namespaces()
def test_next_process_takes_over_without_a_gap() -> None:
    outer_network()
    before = everything()
    killed_after_steering("10.2.0.0/16", "10.3.0.0/16", "0.0.0.0/0", "fd02::/64", "fd03::/48")
    with steering() as (steered, _):
        # Until it is known what is wanted, what was left blocks.
        assert {way(address) for address in ("10.2.0.1", "10.3.0.1", "fd02::1")} == {
            f"RTNETLINK answers: {UNREACHABLE}"
        }
        steered.steer(LOCAL, selector("10.2.0.0/16"))
        steered.steer(LOCAL6, selector("fd02::/64"))
        steered.sweep()
        assert way("10.2.0.1") == way("fd02::1") == "esp0"
        assert way("10.3.0.1") == way("fd03::1") == way("192.0.2.1") == OUTSIDE
        with closing(Netlink.open()) as netlink:
            assert {route.network for route in routes.ours(netlink)} == steered.networks
    assert everything() == before


@in_namespaces()
def test_clear_takes_ours_and_nothing_else() -> None:
    outer_network()
    # Others may use our number elsewhere, or our tables under another number.
    for words in (
        f"route add 10.8.0.0/16 via {PEER} proto {numbers.PROTOCOL}",
        f"route add 10.9.0.0/16 via {PEER} table {numbers.TABLE + 16} proto static",
        f"route add unreachable 10.10.0.0/16 metric {numbers.GUARD_METRIC}",
        f"-6 route add fd08::/64 via {PEER6} proto {numbers.PROTOCOL}",
        f"-6 route add unreachable fd10::/64 metric {numbers.GUARD_METRIC}",
        "rule add fwmark 1 table 77 priority 4532",
        f"rule add not fwmark {numbers.MARK} table 77 priority 4533",
        "rule add table main suppress_prefixlength 16 priority 4532",
    ):
        ip(words)
    before = everything()
    killed_after_steering("10.2.0.0/16", "0.0.0.0/0", "fd02::/64")
    assert everything() != before
    with closing(Netlink.open()) as netlink:
        clear(netlink)
        assert routes.ours(netlink) == set()
    assert everything() == before


@in_namespaces()
def test_a_living_process_is_left_alone() -> None:
    outer_network()
    with steering() as (steered, _), closing(Netlink.open()) as netlink:
        steered.steer(LOCAL, selector("10.2.0.0/16"))
        with pytest.raises(NetworkError, match="`esp0` is of another ike-auth"):
            clear(netlink)
        with closing(Tun.open()) as second, pytest.raises(NetworkError, match="`esp0` is of another ike-auth"):
            Steering(netlink, links.index(netlink, second.name))
        assert way("10.2.0.1") == "esp0"


@in_namespaces()
def test_rights_that_are_not_there() -> None:
    outer_network()
    with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
        number = links.index(netlink, tun.name)
        steered = Steering(netlink, number)
        become_nobody()
        with pytest.raises(NetworkError, match=r"cannot add the route to 10.2.0.0/16 \(unreachable\): Operation not"):
            steered.steer(LOCAL, selector("10.2.0.0/16"))
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened,
            pytest.raises(NetworkError, match="needs root"),
        ):
            bypass(opened)


# --- the reverse path filter


@pytest.mark.parametrize("strict", [True, False])
@in_namespaces()
def test_strict_reverse_path_filter(strict: bool) -> None:
    """A peer's packets come in although everybody else would answer them through the TUN."""
    outer_network()
    Path(f"/proc/sys/net/ipv4/conf/{OUTSIDE}/rp_filter").write_text("1" if strict else "2")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    with steering(ports=(4500,)) as (steered, tun), closing(Tun.open("wire")) as wire:
        # Another TUN plays the wire, so that the test writes what comes in.
        ip("link set wire up")
        ip("address add 198.51.100.1/24 dev wire")
        ip("route add 203.0.113.0/24 dev wire")
        ip("route replace default dev wire")
        Path("/proc/sys/net/ipv4/conf/wire/rp_filter").write_text("1" if strict else "2")
        steered.steer(LOCAL, ANY)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            bypass(ours)
            ours.bind(("0.0.0.0", 4500))
            ours.settimeout(SECONDS)
            wire.write([bytes(HEADER_SIZE), udp_packet("192.0.2.1", "198.51.100.1", (33333, 4500), b"encrypted")])
            assert ours.recv(100) == b"encrypted"
            ours.sendto(b"answer", ("192.0.2.1", 4500))
            assert [packet[HEADER_SIZE + 28 :] for packet in wire.read()][-1:] == [b"answer"]
            # Nobody else's packets go out that way: another port, another user, one behind us.
            assert way("192.0.2.1") == way("192.0.2.1", *UDP, "sport", "4501") == "esp0"
            assert way("192.0.2.1", *UDP, "sport", "4500", "uid", "1000") == "esp0"
            assert way("192.0.2.1", *UDP, "sport", "4500", "from", "10.99.0.7", "iif", OUTSIDE) == "esp0"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.sendto(b"for the tunnel", ("192.0.2.1", 7))
            assert [packet[HEADER_SIZE + 28 :] for packet in tun.read()] == [b"for the tunnel"]
