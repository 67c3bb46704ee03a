# SPDX-License-Identifier: ISC
"""The XFRM backend against this kernel: two namespaces joined by a veth pair, of which ours is A.

Policies, ACQUIREs and SPIs need no ESP in the kernel. Tests that install SAs are skipped where it has none.
"""

import os
import socket
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import replace
from ipaddress import ip_address
from select import select

import pytest

from ike_auth.daemon.kernel import Acquire, KernelError, KernelEvent
from ike_auth.daemon.kernel.xfrm import sockets
from ike_auth.daemon.kernel.xfrm.associations import check
from ike_auth.daemon.kernel.xfrm.backend import XfrmKernel
from ike_auth.daemon.kernel.xfrm.conversation import Conversation, Listener
from ike_auth.daemon.kernel.xfrm.marking import OURS, Settings
from ike_auth.daemon.kernel.xfrm.structures import Mark
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId
from tests.ike_auth.daemon.kernel.xfrm.inside import inside, ip, run, shown, statistics
from tests.ike_auth.daemon.kernel.xfrm.running import WAIT, Channel, Running, started
from tests.ike_auth.daemon.kernel.xfrm.tunnels import AH, CBC, FLOW, GCM, GUARD, HERE, THERE, network, sa
from tests.interop.namespaces import Gateways, two_gateways

pytestmark = pytest.mark.kernel


# --- flows and guards


def test_a_flow_is_three_policies(running: Running) -> None:
    running.kernel.add_flow(FLOW)
    request = 450_000_001
    ours, theirs = "tmpl src 10.99.0.1 dst 10.99.0.2", "tmpl src 10.99.0.2 dst 10.99.0.1"
    template = f"proto esp reqid {request} mode tunnel"
    assert shown("policy list") == [
        f"src 10.1.0.0/16 dst 10.2.0.0/16 dir out priority 453596 ptype main {ours} {template}",
        f"src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd priority 453596 ptype main {theirs} {template}",
        f"src 10.2.0.0/16 dst 10.1.0.0/16 dir in priority 453596 ptype main {theirs} {template}",
    ]
    running.kernel.remove_flow(FLOW)
    assert shown("policy list") == []


def test_the_kernel_keeps_our_indices(running: Running) -> None:
    running.kernel.guard(GUARD)
    indices = [int(line.split(" index ")[1].split()[0]) for line in shown("policy list", "-s")]
    assert len(set(indices)) == 3
    assert all(index in OURS for index in indices)


def test_a_guard_lets_nothing_out_and_asks_for_a_tunnel(channel: Channel, running: Running) -> None:
    channel.send(b"before")
    assert channel.received() == b"before"
    running.kernel.guard(GUARD)
    dropped = statistics()["XfrmOutNoStates"]
    channel.send(b"secret")
    assert running.next_event() == channel.acquire
    assert statistics()["XfrmOutNoStates"] == dropped + 1
    running.kernel.unguard(GUARD)
    channel.send(b"after")
    assert channel.received() == b"after"


def test_pings_are_reported_without_ports(here: Gateways, running: Running) -> None:
    running.kernel.guard(GUARD)
    subprocess.run(["ping", "-c1", "-W1", "-I", here.a.inner_address, here.b.inner_address], capture_output=True)
    local, remote = ip_address(here.a.inner_address), ip_address(here.b.inner_address)
    assert running.next_event() == Acquire(Selector.of(local, 1), Selector.of(remote, 1))


def test_what_comes_in_clear_is_dropped(here: Gateways, running: Running) -> None:
    guard = replace(GUARD, local=network("10.99.0.1/32"), remote=network("10.99.0.2/32"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind((here.a.address, 5555))
        receiver.settimeout(WAIT)
        with inside(here.b.namespace):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.sendto(b"before", (here.a.address, 5555))
            assert receiver.recv(100) == b"before"
            running.kernel.guard(guard)
            sender.sendto(b"guarded", (here.a.address, 5555))
            running.kernel.unguard(guard)
            sender.sendto(b"after", (here.a.address, 5555))
            assert receiver.recv(100) == b"after"


def test_a_flow_takes_the_place_of_its_guard_and_gives_it_back(running: Running) -> None:
    running.kernel.guard(GUARD)
    guarded = shown("policy list")
    running.kernel.add_flow(FLOW)
    assert len(shown("policy list")) == 3
    assert shown("policy list") != guarded
    running.kernel.remove_flow(FLOW)
    assert shown("policy list") == guarded
    running.kernel.unguard(GUARD)
    assert shown("policy list") == []


def test_ranges_become_networks(running: Running) -> None:
    local = Selector(ip_address("10.1.0.1"), ip_address("10.1.0.6"))
    running.kernel.add_flow(replace(FLOW, local=local))
    sources = [line.split()[1] for line in shown("policy list dir out")]
    assert sources == ["10.1.0.1/32", "10.1.0.2/31", "10.1.0.4/31", "10.1.0.6/32"]
    running.kernel.remove_flow(replace(FLOW, local=local))
    assert shown("policy list") == []


def test_marks_and_interfaces(here: Gateways) -> None:
    with started(Settings(Mark(0x10, 0xFF), None, 42)) as running:
        running.kernel.guard(GUARD)
        assert all("mark 0x10/0xff" in line and "if_id 0x2a" in line for line in shown("policy list"))
        assert len(shown("policy list")) == 3
        running.kernel.unguard(GUARD)
        assert shown("policy list") == []


def test_the_more_specific_policy_counts(channel: Channel, running: Running) -> None:
    """A tunnel for everything must not take the traffic that waits for another one."""
    everything = Flow(network("0.0.0.0/0"), network("0.0.0.0/0"), HERE, ip_address("10.99.0.9"), (GCM,))
    running.kernel.add_flow(everything)
    running.kernel.guard(GUARD)
    channel.send(b"secret")
    assert running.next_event() == channel.acquire
    (waiting,) = shown("state list")
    assert "src 10.99.0.1 dst 10.99.0.2 proto esp" in waiting


def test_a_tunnel_for_everything_leaves_our_own_side_alone(here: Gateways, running: Running) -> None:
    neighbour = "10.1.5.5"
    ip(f"-n {here.b.namespace} address replace {neighbour}/32 dev lo")
    ip(f"route replace {neighbour} via {here.b.address}")
    ip(f"-n {here.b.namespace} route replace {here.a.inner_address} via {here.a.address}")
    running.kernel.guard(replace(GUARD, remote=network("0.0.0.0/0")))
    run("ping", "-c1", "-W5", "-I", here.a.inner_address, neighbour)
    with pytest.raises(subprocess.CalledProcessError):
        run("ping", "-c1", "-W1", "-I", here.a.inner_address, here.b.inner_address)


def test_when_there_is_more_to_tell_than_room(channel: Channel) -> None:
    """The kernel drops what it tells; what is told later is heard."""
    listener = Listener.open()
    listener._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least there is
    kernel = XfrmKernel(Conversation.open(), listener)
    events: list[KernelEvent] = []
    kernel.open(events.append)
    ((_, read),) = kernel.readers()
    try:
        guards = [replace(GUARD, remote=network(f"10.2.0.{last}/32")) for last in range(2, 40)]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((str(channel.local), 0))
            for guard in guards:
                kernel.guard(guard)
                with suppress(OSError):  # if it could not be told
                    sender.sendto(b"x", (str(guard.remote.low), 9))
        for _ in range(len(guards) + 1):
            read()
        assert 0 < len(events) < len(guards)
        events.clear()
        kernel.guard(GUARD)
        channel.send(b"x")
        read()
        assert events == [channel.acquire]
    finally:
        kernel.close()


# --- IKE itself


@pytest.mark.parametrize(("local", "remote"), [("10.99.0.1", "10.99.0.2"), ("fd99::1", "fd99::2")])
def test_ike_passes_by_a_tunnel_between_the_hosts_themselves(local: str, remote: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    one, other = ip_address(local), ip_address(remote)
    guard = Flow(Selector.of(one), Selector.of(other), one, other)
    family = socket.AF_INET if one.version == 4 else socket.AF_INET6
    with two_gateways((local, remote)) as both, ExitStack() as undo:  # nobody's link address is known yet
        ends = []
        for gateway, guarded in ((both.a, guard), (both.b, Flow(guard.remote, guard.local, other, one))):
            with inside(gateway.namespace):
                undo.enter_context(started()).kernel.guard(guarded)
                ours, others = (undo.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2))
                for opened, port in ((ours, 500), (others, 5555)):
                    opened.bind((gateway.address, port))
                    opened.settimeout(WAIT)
                sockets.exempt(ours)
                ends.append((ours, others))
        (ike, plain), (ike_there, plain_there) = ends
        plain.sendto(b"leak", (remote, 5555))
        ike.sendto(b"hello", (remote, 500))
        assert ike_there.recv(100) == b"hello"
        ike_there.sendto(b"welcome", (local, 500))
        assert ike.recv(100) == b"welcome"
        plain_there.setblocking(False)
        with pytest.raises(BlockingIOError):
            plain_there.recv(100)


def test_the_kernel_takes_esp_out_of_udp(here: Gateways) -> None:
    """What is not IKE does not come to us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat:
        nat.bind((here.a.address, 4500))
        nat.settimeout(WAIT)
        sockets.decapsulate(nat)
        with inside(here.b.namespace):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sender:
            sender.sendto(bytes.fromhex("c0000001") + bytes(60), (here.a.address, 4500))
            sender.sendto(bytes(4) + b"ike", (here.a.address, 4500))
            assert nat.recv(100) == bytes(4) + b"ike"


# --- what is ours, and what is not

FOREIGN = (
    "policy add src 10.1.0.0/16 dst 10.3.0.0/16 dir out priority 453596"
    " tmpl src 10.99.0.1 dst 10.99.0.3 proto esp reqid 1 mode tunnel",
    "policy add src 10.3.0.0/16 dst 10.1.0.0/16 dir in priority 453596"
    " tmpl src 10.99.0.3 dst 10.99.0.1 proto esp reqid 1 mode tunnel",
    "policy add src 10.1.0.0/16 dst 10.4.0.0/16 dir out action block priority 1",
    "state allocspi src 10.99.0.3 dst 10.99.0.1 proto esp reqid 1 mode tunnel",
)


def test_nothing_of_others_is_touched(here: Gateways) -> None:
    for words in FOREIGN:
        ip(f"xfrm {words}")
    theirs = shown("policy list"), shown("state list")
    with started() as running:
        running.kernel.guard(GUARD)
        running.kernel.add_flow(FLOW)
        running.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
        running.die()
    with started() as again:
        again.kernel.tend(0.0)
        again.kernel.tend(1000.0)
        assert (shown("policy list"), shown("state list")) == theirs
        again.kernel.guard(GUARD)
    assert (shown("policy list"), shown("state list")) == theirs


def test_what_waits_for_others_is_not_reported(here: Gateways, channel: Channel, running: Running) -> None:
    for words in FOREIGN:
        ip(f"xfrm {words}")
    running.kernel.guard(GUARD)
    ip(f"route replace 10.3.0.0/16 via {here.b.address}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((here.a.inner_address, 0))
        sender.sendto(b"theirs", ("10.3.0.1", 9))
    assert any("dst 10.99.0.3" in line for line in shown("state list"))
    channel.send(b"ours")
    assert running.next_event() == channel.acquire


def test_a_policy_of_others_is_not_replaced(here: Gateways, running: Running) -> None:
    ip("xfrm policy add src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd action block priority 7")
    theirs = shown("policy list")
    with pytest.raises(KernelError, match="another program has one for the same traffic"):
        running.kernel.add_flow(FLOW)
    assert shown("policy list") == theirs
    ip("xfrm policy delete src 10.2.0.0/16 dst 10.1.0.0/16 dir fwd")
    running.kernel.add_flow(FLOW)
    assert len(shown("policy list")) == 3


# --- after a crash


def test_what_blocks_outlives_the_process(channel: Channel) -> None:
    dead = Running()
    dead.kernel.guard(GUARD)
    dead.kernel.add_flow(replace(FLOW, remote=network("10.3.0.0/16")))
    left = shown("policy list")
    dead.die()
    assert shown("policy list") == left
    channel.send(b"secret")
    ip("xfrm policy flush")
    channel.send(b"after")
    assert channel.received() == b"after"


def test_what_was_left_is_adopted_or_goes_after_a_while(here: Gateways) -> None:
    dead = Running()
    other = replace(GUARD, remote=network("10.3.0.0/16"))
    dead.kernel.guard(GUARD)
    dead.kernel.guard(other)
    dead.die()
    with started() as again:
        assert len(shown("policy list")) == 6
        again.kernel.guard(GUARD)
        again.kernel.tend(100.0)
        again.kernel.tend(159.0)
        assert len(shown("policy list")) == 6
        again.kernel.tend(160.0)
        assert {line.split()[1] for line in shown("policy list dir in")} == {"10.2.0.0/16"}
        again.kernel.add_flow(replace(FLOW, remote=other.remote))
        assert len(shown("policy list")) == 6
    assert shown("policy list") == []


def test_a_number_that_was_left_is_not_given_again(here: Gateways) -> None:
    dead = Running()
    dead.kernel.add_flow(FLOW)
    dead.die()
    with started() as again:
        again.kernel.add_flow(replace(FLOW, remote=network("10.3.0.0/16")))
        numbers = [line.split("reqid ")[1].split()[0] for line in shown("policy list dir out")]
        assert len(set(numbers)) == 2


def test_reserved_spis_of_an_earlier_life_go(here: Gateways) -> None:
    dead = Running()
    dead.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
    dead.die()
    assert len(shown("state list")) == 1
    with started():
        assert shown("state list") == []


# --- SPIs and SAs


def test_reserved_spis(running: Running) -> None:
    spis = [running.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE) for _ in range(5)]
    spis.append(running.kernel.reserve_spi(ProtocolId.AH, THERE, HERE))
    cpi = running.kernel.reserve_spi(ProtocolId.IPCOMP, THERE, HERE)
    assert len(set(spis)) == 6
    assert all(0xC0000000 <= int.from_bytes(spi, "big") <= 0xCFFFFFFF for spi in spis)
    assert 0x100 <= int.from_bytes(cpi, "big") <= 0xEFFF
    listed = " ".join(shown("state list"))
    assert all(f"spi 0x{spi.hex()} reqid 450000000" in listed for spi in spis)


def test_reservations_that_run_out_are_no_event(here: Gateways) -> None:
    run("sysctl", "-qw", "net.core.xfrm_acq_expires=1")
    try:
        with started() as running:
            running.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
            ((descriptor, read),) = running.kernel.readers()
            assert select([descriptor], [], [], WAIT)[0]
            read()
            assert running.events == []
            assert shown("state list") == []
    finally:
        run("sysctl", "-qw", "net.core.xfrm_acq_expires=30")


def has_esp() -> KernelError | None:
    """None if it has."""
    kernel = Conversation.open()
    try:
        check(kernel)
    except KernelError as error:
        return error
    finally:
        kernel.close()
    return None


def needs_esp() -> None:
    error = has_esp()
    if error is not None:
        pytest.skip(str(error))


def test_looking_for_esp_leaves_nothing(here: Gateways) -> None:
    has_esp()
    assert shown("state list") == []


def test_a_kernel_without_esp_says_so(running: Running) -> None:
    if has_esp() is None:
        pytest.skip("this kernel has ESP")
    with pytest.raises(KernelError, match=r"SPI c0000001: .*the kernel has no ESP.*`Kernel= userspace`"):
        running.kernel.install(sa(parameters=CBC))
    with pytest.raises(KernelError, match="`Kernel= userspace`"):
        XfrmKernel.here(())
    assert shown("state list") == []


@pytest.mark.parametrize("parameters", [GCM, CBC, replace(CBC, encapsulation=EncapsulationMode.UDP_TUNNEL), AH])
@pytest.mark.parametrize("inbound", [True, False], ids=["in", "out"])
def test_an_sa_comes_and_goes(here: Gateways, running: Running, parameters: object, inbound: bool) -> None:
    needs_esp()
    one = sa(inbound=inbound, parameters=parameters, port=4500)  # type: ignore[arg-type]
    running.kernel.install(one)
    (line,) = shown("state list")
    assert "spi 0xc0000001 reqid 450000001" in line
    with pytest.raises(KernelError, match="another program has an SA with this SPI"):
        running.kernel.install(one)
    for _ in range(2):
        running.kernel.remove(one)
        assert shown("state list") == []


def test_a_reserved_spi_becomes_an_sa(here: Gateways, running: Running) -> None:
    needs_esp()
    spi = running.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
    running.kernel.install(sa(int.from_bytes(spi, "big"), inbound=True, parameters=CBC))
    (line,) = shown("state list")
    assert f"spi 0x{spi.hex()} reqid 450000001" in line


# --- moving


def test_a_flow_moves_to_another_address(here: Gateways, running: Running) -> None:
    running.kernel.add_flow(FLOW)
    try:
        moved = running.kernel.migrate(FLOW, HERE, ip_address("10.99.0.7"))
    except KernelError as error:
        pytest.skip(str(error))
    assert moved.remote_address == ip_address("10.99.0.7")
    (out,) = shown("policy list dir out")
    assert "tmpl src 10.99.0.1 dst 10.99.0.7 proto esp reqid 450000001 mode tunnel" in out
    (come,) = shown("policy list dir in")
    assert "tmpl src 10.99.0.7 dst 10.99.0.1 proto esp reqid 450000001 mode tunnel" in come
    running.kernel.remove_flow(moved)
    assert shown("policy list") == []
