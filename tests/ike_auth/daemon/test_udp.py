# SPDX-License-Identifier: ISC
"""Real sockets on the loopback interface; where the kernel would have to misbehave, false ones."""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest

from ike_auth.daemon import ancillary
from ike_auth.daemon.udp import Bound, CannotBind, Sockets, Unreachable, source_address
from ike_auth.engine import Ports
from ike_auth.network import Datagram, Endpoint, EspDatagrams

ANY_PORTS = Ports(0, 0)
LOOPBACK = ip_address("127.0.0.1")
ELSEWHERE = ip_address("192.0.2.1")  # of nobody, RFC 5737
MESSAGE = bytes(range(1, 40))
MARKER = bytes(4)


@pytest.fixture
def esp() -> list[EspDatagrams]:
    return []


@pytest.fixture
def sockets(esp: list[EspDatagrams]) -> Iterator[Sockets]:
    with closing(Sockets((LOOPBACK,), ANY_PORTS)) as opened:
        opened.esp = esp.extend
        yield opened


@pytest.fixture
def wildcard() -> Iterator[Sockets]:
    with closing(Sockets((), ANY_PORTS)) as opened:
        yield opened


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with a_peer(socket.AF_INET, "127.0.0.1") as opened:
        yield opened


def a_peer(family: socket.AddressFamily, host: str) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind((host, 0))
    opened.settimeout(5)
    return opened


def ike_of(sockets: Sockets, version: int = 4) -> Bound:
    return next(bound for bound in sockets if not bound.nat and bound.address.version == version)


def nat_of(sockets: Sockets) -> Bound:
    return next(bound for bound in sockets if bound.nat)


def end(peer: socket.socket) -> Endpoint:
    host, port = peer.getsockname()[:2]
    return Endpoint(ip_address(host), port)


def sent_to(bound: Bound, data: bytes, peer: socket.socket, host: str = "127.0.0.1") -> Endpoint:
    peer.sendto(data, (host, bound.port))
    return Endpoint(ip_address(host), bound.port)


# --- what comes


@pytest.mark.parametrize("data", [MESSAGE, MARKER + MESSAGE, b"", b"\xff"])
def test_port_500_has_no_marker(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams], data: bytes) -> None:
    bound = ike_of(sockets)
    local = sent_to(bound, data, peer)
    assert list(sockets.receive(bound)) == [Datagram(data, local, end(peer))]
    assert esp == []


def test_marker_is_taken_off(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams]) -> None:
    bound = nat_of(sockets)
    local = sent_to(bound, MARKER + MESSAGE, peer)
    assert list(sockets.receive(bound)) == [Datagram(MESSAGE, local, end(peer))]
    assert esp == []


@pytest.mark.parametrize("data", [MESSAGE, b"\xff\xff", b"\0\0\0", b""])
def test_what_has_no_marker_is_esp(
    sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams], data: bytes
) -> None:
    bound = nat_of(sockets)
    local = sent_to(bound, data, peer)
    assert list(sockets.receive(bound)) == []
    assert esp == [EspDatagrams(data, len(data), local, end(peer))]


def test_keepalives_are_for_nobody(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams]) -> None:
    bound = nat_of(sockets)
    sent_to(bound, b"\xff", peer)
    sent_to(bound, MARKER + MESSAGE, peer)
    assert [datagram.data for datagram in sockets.receive(bound)] == [MESSAGE]
    assert esp == []


def burst_to(bound: Bound, data: bytes, size: int, peer: socket.socket) -> None:
    """As one system call, which is what makes the kernel of the receiver put them together."""
    peer.sendmsg([data], ancillary.segments(size), 0, ("127.0.0.1", bound.port))


def test_esp_comes_in_bursts(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams]) -> None:
    bound = nat_of(sockets)
    packets = b"".join(bytes([number]) * 1000 for number in range(1, 9)) + b"short"
    burst_to(bound, packets, 1000, peer)
    assert list(sockets.receive(bound)) == []
    assert b"".join(came.data for came in esp) == packets
    assert {came.size for came in esp} == {1000}
    assert len(esp) == 1


def test_ike_among_a_burst_of_esp_is_found(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams]) -> None:
    bound = nat_of(sockets)
    one, ike, other = b"\1" * 100, MARKER + b"\2" * 96, b"\3" * 100
    burst_to(bound, one + ike + other + MARKER + b"end", 100, peer)
    assert [datagram.data for datagram in sockets.receive(bound)] == [b"\2" * 96, b"end"]
    assert [came.data for came in esp] == [one, other]


@pytest.mark.parametrize("tos", [0, 0x02, 0x03, 0xB8])
def test_esp_goes_in_bursts_with_its_traffic_class(sockets: Sockets, peer: socket.socket, tos: int) -> None:
    peer.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
    local = Endpoint(LOOPBACK, nat_of(sockets).port)
    assert sockets.send_esp(EspDatagrams(b"one!two!3", 4, local, end(peer), tos))
    came = [peer.recvmsg(100, 100) for _ in range(3)]
    assert [data for data, *_ in came] == [b"one!", b"two!", b"3"]
    assert [control for _, control, *_ in came] == [[(socket.IPPROTO_IP, socket.IP_TOS, bytes([tos]))]] * 3


def test_traffic_class_of_what_comes(sockets: Sockets, peer: socket.socket, esp: list[EspDatagrams]) -> None:
    peer.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x2E << 2 | 1)
    bound = nat_of(sockets)
    sent_to(bound, MESSAGE, peer)
    assert list(sockets.receive(bound)) == []
    assert [came.tos for came in esp] == [0x2E << 2 | 1]


def test_others_have_their_turn(sockets: Sockets, peer: socket.socket) -> None:
    bound = ike_of(sockets)
    for number in range(100):
        sent_to(bound, bytes([number]), peer)
    turns = [len(list(sockets.receive(bound))) for _ in range(3)]
    assert turns == [64, 36, 0]


# --- what goes


def test_marker_is_put_on(sockets: Sockets, peer: socket.socket) -> None:
    for bound, on_the_wire in ((ike_of(sockets), MESSAGE), (nat_of(sockets), MARKER + MESSAGE)):
        sockets.send(MESSAGE, Endpoint(LOOPBACK, bound.port), end(peer))
        assert peer.recvfrom(100) == (on_the_wire, ("127.0.0.1", bound.port))


def test_keepalive_is_one_octet(sockets: Sockets, peer: socket.socket) -> None:
    sockets.send_keepalive(Endpoint(LOOPBACK, nat_of(sockets).port), end(peer))
    assert peer.recv(100) == b"\xff"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.53", "127.7.7.7"])
def test_wildcard_socket_answers_from_the_address_that_was_asked(
    wildcard: Sockets, peer: socket.socket, host: str
) -> None:
    bound = ike_of(wildcard)
    local = sent_to(bound, MESSAGE, peer, host)
    (datagram,) = wildcard.receive(bound)
    assert datagram.local == local
    wildcard.send(b"answer", datagram.local, datagram.remote)
    assert peer.recvfrom(100) == (b"answer", (host, bound.port))


def test_wildcard_socket_over_ipv6(wildcard: Sockets) -> None:
    if len(list(wildcard)) == 2:
        pytest.skip("this kernel has no IPv6")
    try:
        peer = a_peer(socket.AF_INET6, "::1")
    except OSError:
        pytest.skip("the loopback interface has no IPv6 address")
    with peer:
        bound = ike_of(wildcard, version=6)
        local = sent_to(bound, MESSAGE, peer, "::1")
        (datagram,) = wildcard.receive(bound)
        assert datagram == Datagram(MESSAGE, local, end(peer))
        wildcard.send(b"answer", datagram.local, datagram.remote)
        assert peer.recvfrom(100)[0] == b"answer"


def test_sockets_for_an_address_that_is_not_ours(sockets: Sockets, peer: socket.socket) -> None:
    for local in (Endpoint(ELSEWHERE, ike_of(sockets).port), Endpoint(LOOPBACK, end(peer).port)):
        with pytest.raises(OSError, match=f"no socket for {local}"):
            sockets.send(MESSAGE, local, end(peer))


def test_what_is_too_long_is_no_loss(sockets: Sockets, peer: socket.socket) -> None:
    """It would never get through, however often it is repeated."""
    with pytest.raises(OSError, match=os.strerror(errno.EMSGSIZE)):
        sockets.send(bytes(70_000), Endpoint(LOOPBACK, ike_of(sockets).port), end(peer))


# --- kernels that fail


class FalseSocket:
    """Fails at one call with one error number."""

    family = socket.AF_INET

    def __init__(self, call: str, number: int) -> None:
        self._call = call
        self._number = number
        self.closed = False

    def _fail_at(self, call: str) -> None:
        if call == self._call:
            raise OSError(self._number, os.strerror(self._number))

    def setsockopt(self, *_: Any) -> None:
        self._fail_at("setsockopt")

    def bind(self, _: Any) -> None:
        self._fail_at("bind")

    def getsockname(self) -> tuple[str, int]:
        return "127.0.0.1", 500

    def recvmsg(self, *_: Any) -> Any:
        self._fail_at("recvmsg")
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    def sendmsg(self, *_: Any) -> None:
        self._fail_at("sendmsg")

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def false_sockets(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[FalseSocket]:
    """Every socket that is opened from now on fails as the test's parameter says."""
    made: list[FalseSocket] = []

    def make(*_: Any) -> FalseSocket:
        made.append(FalseSocket(*request.param))
        return made[-1]

    monkeypatch.setattr(socket, "socket", make)
    return made


LOST = [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN]


@pytest.mark.parametrize("false_sockets", [("recvmsg", number) for number in (*LOST, errno.EINTR)], indirect=True)
def test_errors_that_the_next_datagram_does_not_have(false_sockets: list[FalseSocket]) -> None:
    sockets = Sockets((LOOPBACK,), Ports())
    assert list(sockets.receive(ike_of(sockets))) == []


@pytest.mark.parametrize("false_sockets", [("sendmsg", number) for number in LOST], indirect=True)
def test_datagrams_that_cannot_go_are_lost(false_sockets: list[FalseSocket]) -> None:
    sockets = Sockets((LOOPBACK,), Ports(500, 500))
    sockets.send(MESSAGE, Endpoint(LOOPBACK, 500), Endpoint(ELSEWHERE, 500))
    sockets.send_keepalive(Endpoint(LOOPBACK, 500), Endpoint(ELSEWHERE, 500))
    assert not sockets.send_esp(EspDatagrams(MESSAGE, 4, Endpoint(LOOPBACK, 500), Endpoint(ELSEWHERE, 4500)))


@pytest.mark.parametrize("false_sockets", [("recvmsg", errno.EBADF), ("sendmsg", errno.EPERM)], indirect=True)
def test_other_errors_are_raised(false_sockets: list[FalseSocket]) -> None:
    sockets = Sockets((LOOPBACK,), Ports(500, 500))

    def use() -> None:
        list(sockets.receive(ike_of(sockets)))
        sockets.send(MESSAGE, Endpoint(LOOPBACK, 500), Endpoint(ELSEWHERE, 500))

    with pytest.raises(OSError, match=r"descriptor|permitted"):
        use()


@pytest.mark.parametrize(
    ("false_sockets", "hint"),
    [
        (("bind", errno.EACCES), "root or CAP_NET_BIND_SERVICE"),
        (("bind", errno.EADDRINUSE), "another IKE daemon"),
        (("bind", errno.EADDRNOTAVAIL), "`Listen-on`"),
        (("setsockopt", errno.ENOPROTOOPT), ""),
    ],
    indirect=["false_sockets"],
)
def test_ports_that_cannot_be_opened(false_sockets: list[FalseSocket], hint: str) -> None:
    with pytest.raises(CannotBind) as caught:
        Sockets((LOOPBACK,), Ports())
    assert str(caught.value).startswith("cannot listen on 127.0.0.1:500: ")
    assert hint in str(caught.value)
    assert all(opened.closed for opened in false_sockets)


def test_no_port_stays_open_when_another_cannot_be_opened(peer: socket.socket) -> None:
    taken, before = end(peer).port, open_ports()
    with pytest.raises(CannotBind, match=f"cannot listen on 127.0.0.1:{taken}: .*ss -lunp"):
        Sockets((LOOPBACK, LOOPBACK), Ports(0, taken))
    assert open_ports() == before


def open_ports() -> list[str]:
    """UDP ports that this process has open."""
    found = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            opened = socket.socket(fileno=os.dup(int(descriptor)))
        except OSError:
            continue
        with opened:
            if opened.type == socket.SOCK_DGRAM and opened.family == socket.AF_INET:
                found.append(str(opened.getsockname()[1]))
    return found


def test_an_address_that_no_interface_has() -> None:
    with pytest.raises(CannotBind, match=r"cannot listen on 192.0.2.1:0: .*`Listen-on` in \[General\]"):
        Sockets((ELSEWHERE,), ANY_PORTS)


def test_a_kernel_without_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def without_ipv6(family: int = -1, *rest: Any, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        return real(family, *rest, **more)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    with closing(Sockets((), ANY_PORTS)) as sockets:
        assert [str(bound.address) for bound in sockets] == ["0.0.0.0", "0.0.0.0"]
    with pytest.raises(CannotBind, match=r"cannot listen on \[::1\]:0: .*does not know this kind of address"):
        Sockets((ip_address("::1"),), ANY_PORTS)


# --- which address of ours


def test_source_address_is_what_the_routes_say() -> None:
    assert source_address(ip_address("127.0.0.9")) == LOOPBACK
    assert source_address(ip_address("127.0.0.9"), (ip_address("127.0.0.3"), LOOPBACK)) == LOOPBACK


def test_source_address_is_one_that_we_listen_on() -> None:
    assert source_address(ip_address("127.0.0.9"), (ip_address("::1"), ip_address("127.0.0.3"))) == ip_address(
        "127.0.0.3"
    )


def test_no_source_address() -> None:
    with pytest.raises(Unreachable, match=r"cannot reach 127.0.0.9: `Listen-on` in .* has no IPv4 address"):
        source_address(ip_address("127.0.0.9"), (ip_address("::1"),))


def test_no_route(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_route(*_: Any) -> socket.socket:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    monkeypatch.setattr(socket, "socket", no_route)
    with pytest.raises(Unreachable, match=r"cannot reach 192.0.2.1: network is unreachable"):
        source_address(ELSEWHERE)
