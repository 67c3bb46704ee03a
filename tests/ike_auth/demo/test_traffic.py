# SPDX-License-Identifier: ISC
"""The parts of step 7: the hosts, the one who listens between the gateways, and that traffic flows."""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ike_auth.demo import apart, certificates, host
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from ike_auth.demo.wiretap import Wiretap
from tests.ike_auth.daemon.network.commands import ip
from tests.ike_auth.daemon.network.isolated import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    hidden_device,
    in_namespaces,
    unprivileged,
)
from tests.ike_auth.daemon.network.packets import udp_packet
from tests.ike_auth.esp.inner import icmp, naive_sum

IKE, NAT = 5500, 5501
IPV6 = bytes([0x60, *bytes(39)])


# --- hosts


def test_an_echo_is_one() -> None:
    asked = host.echo(7)
    assert naive_sum(asked) == 0xFFFF
    header = bytes([0x45, *bytes(19)])
    answer = header + bytes([0]) + asked[1:]
    assert host.answers(answer, 7)
    for other in (header + asked, header, answer[:27]):
        assert not host.answers(other, 7)
    assert not host.answers(answer, 8)


@in_namespaces()
def test_a_host_is_answered_or_not() -> None:
    ip("link set lo up")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as opened:
        took = host.ask(opened, "127.0.0.9", 1)
        assert took is not None
        assert 0 < took < 1000
        assert host.ask(opened, "192.0.2.1", 2) is None


@in_namespaces()
def test_a_host_ends_well_when_it_is_told_to() -> None:
    """A gateway's status is that of its host, and the demo looks at it."""
    ip("link set lo up")
    command = [sys.executable, "-m", "ike_auth.demo.host", "127.0.0.9"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b'"Reply"' in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait() == 0


# --- who listens


def udp(ports: tuple[int, int], data: bytes = b"data") -> bytes:
    return udp_packet("127.0.0.11", "127.0.0.12", ports, data)


@pytest.mark.parametrize(
    ("packet", "counts"),
    [
        (udp((IKE, IKE)), (1, 0, 0, 0, 0)),
        (udp((NAT, NAT), bytes(4) + b"IKE"), (1, 0, 0, 0, 0)),
        (udp((NAT, NAT), b"some ESP"), (0, 1, 0, 0, 0)),
        (udp((NAT, NAT), host.WORDS), (0, 1, 0, 0, 1)),
        (icmp(kind=3), (0, 0, 1, 0, 0)),
        (icmp(host.WORDS), (0, 0, 0, 1, 1)),
        (udp((53, 53)), (0, 0, 0, 1, 0)),
        (IPV6, (0, 0, 0, 1, 0)),
        (IPV6[:24] + b"\xff" + IPV6[25:], (0, 0, 0, 0, 0)),
        *((data, (0, 0, 0, 1, 0)) for data in (b"", b"\x45", IPV6[:20], b"\0\1\x08\0", bytes(19))),
        (bytes([0x4F, *bytes(8), 1, *bytes(10)]), (0, 0, 0, 1, 0)),
    ],
)
@in_namespaces()
def test_every_packet_is_counted(packet: bytes, counts: tuple[int, ...]) -> None:
    with Wiretap(NAT, IKE) as tap:
        tap.note(packet)
        seen = tap.seen
        assert (seen.ike, seen.esp, seen.icmp, len(seen.other), seen.readable) == counts


@in_namespaces()
def test_what_goes_over_the_wire_is_seen_once() -> None:
    ip("link set lo up")
    with Wiretap(NAT, IKE) as tap, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as speaks:
        speaks.bind(("127.0.0.1", 0))
        for data in (host.WORDS, b"end"):
            speaks.sendto(data, speaks.getsockname())
        select.select([speaks], [], [], 5)
        while len(tap.seen.other) < 2:
            os.sched_yield()
    assert (tap.seen.readable, len(tap.seen.other)) == (1, 2)


# --- all of it


@unprivileged
def test_hosts_speak_through_the_tunnel() -> None:
    """Until policy changes, which is another matter."""
    apart._close = lambda stage, a, b: None  # in this process, which is of this test alone
    with tempfile.TemporaryDirectory() as folder, free_ports() as ports:
        directory = Path(folder)
        with Stage(directory, Narrator(), ports) as stage:
            certificates.tell(stage)
        assert apart.main(directory, ports) == apart.DONE


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_where_there_can_be_no_device_it_is_not_shown() -> None:
    hidden_device()
    with tempfile.TemporaryDirectory() as folder, free_ports() as ports:
        assert apart.main(Path(folder), ports) == apart.IMPOSSIBLE
