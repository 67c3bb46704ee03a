# SPDX-License-Identifier: ISC
"""Our messages are, byte for byte, those that ip-xfrm(8) sends for the same; and what the kernel answers is read."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from socket import AF_INET, AF_INET6
from typing import Protocol

import pytest

from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.kernel.xfrm.algorithms import Algorithm, CutAlgorithm
from ike_auth.daemon.kernel.xfrm.happenings import AcquireMessage, ExpireMessage, PolicyExpireMessage, happening
from ike_auth.daemon.kernel.xfrm.numbers import Action, Direction, MessageType, Mode, StateFlag
from ike_auth.daemon.kernel.xfrm.numbers import Protocol as Ip
from ike_auth.daemon.kernel.xfrm.policies import Policy, PolicyId
from ike_auth.daemon.kernel.xfrm.states import Encapsulation, Replay, SpiRequest, State, StateId
from ike_auth.daemon.kernel.xfrm.structures import (
    ANY_PORT,
    NOTHING_COUNTED,
    Limits,
    Mark,
    Ports,
    Prefix,
    Template,
    TrafficSelector,
)
from ike_auth.daemon.netlink_messages import Flag, Message, Refusal, messages
from tests.ike_auth.daemon.kernel.xfrm.vectors import recorded

HERE, THERE = ip_address("10.99.0.1"), ip_address("10.99.0.2")
HERE6, THERE6 = ip_address("fd99::1"), ip_address("fd99::2")
GCM = CutAlgorithm("rfc4106(gcm(aes))", Secret(bytes(range(20))), 128)
CBC = Algorithm("cbc(aes)", Secret(bytes(range(16))))
SHA = CutAlgorithm("hmac(sha256)", Secret(bytes(range(32))), 128)

NO_LIMITS = Limits(0, 0, 0, 0)


class Body(Protocol):
    def encode(self) -> bytes: ...


def gcm(last: int) -> State:
    return State(bytes([0xC0, 0, 0, last]), Ip.ESP, HERE, THERE, Mode.TUNNEL, aead=GCM)


def selector(
    source: str, destination: str, protocol: int = 0, here: Ports = ANY_PORT, there: Ports = ANY_PORT
) -> TrafficSelector:
    one, other = ip_network(source), ip_network(destination)
    family = AF_INET if one.version == 4 else AF_INET6
    return TrafficSelector(Prefix.of(one), Prefix.of(other), protocol, here, there, family)


NETWORKS = selector("10.1.0.0/16", "10.2.0.0/16")
BACK = selector("10.2.0.0/16", "10.1.0.0/16")
OUTWARD = (Template(HERE, THERE, Ip.ESP, Mode.TUNNEL, 450_000_001),)
INWARD = (Template(THERE, HERE, Ip.ESP, Mode.TUNNEL, 450_000_001),)
NO_SELECTOR = replace(NETWORKS, source=Prefix(ip_address("0.0.0.0"), 0), destination=Prefix(ip_address("0.0.0.0"), 0))
STATES: dict[str, tuple[MessageType, Body]] = {
    "gcm tunnel": (MessageType.NEWSA, replace(gcm(1), request=450_000_001)),
    "cbc tunnel ipv6": (
        MessageType.NEWSA,
        State(
            b"\xc0\0\0\2",
            Ip.ESP,
            HERE6,
            THERE6,
            Mode.TUNNEL,
            450_000_002,
            selector("fd01::/64", "fd02::/64"),
            encryption=CBC,
            integrity=SHA,
        ),
    ),
    "selector with ports": (
        MessageType.NEWSA,
        replace(gcm(3), selector=selector("10.1.0.0/16", "10.2.0.0/24", 6, Ports.only(1024), Ports.only(80))),
    ),
    "transport": (
        MessageType.NEWSA,
        State(b"\xc0\0\0\4", Ip.ESP, HERE, THERE, Mode.TRANSPORT, replay_window=32, encryption=CBC, integrity=SHA),
    ),
    "ah": (MessageType.NEWSA, State(b"\xc0\0\0\5", Ip.AH, HERE, THERE, Mode.TRANSPORT, integrity=SHA)),
    "comp": (
        MessageType.NEWSA,
        State(b"\0\0\x10\0", Ip.COMP, HERE, THERE, Mode.TUNNEL, compression=Algorithm("deflate")),
    ),
    "in udp": (
        MessageType.NEWSA,
        replace(gcm(6), encapsulation=Encapsulation(4500, 40000, ip_address("192.168.77.2"))),
    ),
    "esn": (MessageType.NEWSA, replace(gcm(7), flags=StateFlag.ESN, replay=Replay.of(128))),
    "limits": (MessageType.NEWSA, replace(gcm(8), limits=Limits(1000, 2000, 100, 200, 3000, 3600, 10, 20))),
    "marks": (
        MessageType.NEWSA,
        replace(gcm(9), mark=Mark(0x10, 0xFF), output_mark=Mark(0x20, 0xF0), if_id=0x2A, extra_flags=1),
    ),
    "update": (MessageType.UPDSA, replace(gcm(1), request=450_000_001)),
    "delete": (MessageType.DELSA, StateId(THERE, b"\xc0\0\0\1", Ip.ESP, HERE, Mark(0x10, 0xFF))),
    "get": (MessageType.GETSA, StateId(THERE6, b"\xc0\0\0\1", Ip.ESP, HERE6)),
    "allocate": (
        MessageType.ALLOCSPI,
        SpiRequest(
            State(bytes(4), Ip.ESP, HERE, THERE, Mode.TUNNEL, 450_000_000, limits=NO_LIMITS), 0xC0000000, 0xCFFFFFFF
        ),
    ),
    "allocate ipv6": (
        MessageType.ALLOCSPI,
        SpiRequest(
            State(bytes(4), Ip.AH, HERE6, THERE6, Mode.TRANSPORT, 450_000_000, limits=NO_LIMITS), 0x100, 0xFFFF
        ),
    ),
}
POLICIES: dict[str, tuple[MessageType, Body]] = {
    "out": (MessageType.NEWPOLICY, Policy(NETWORKS, Direction.OUT, 0, 1000, 450_000_001, OUTWARD)),
    "in": (MessageType.NEWPOLICY, Policy(BACK, Direction.IN, 0, 1000, 450_000_008, INWARD)),
    "forward": (MessageType.NEWPOLICY, Policy(BACK, Direction.FORWARD, 0, 1000, 450_000_010, INWARD)),
    "bundle": (
        MessageType.NEWPOLICY,
        Policy(
            selector("fd01::/64", "fd02::/64", 17, Ports.only(53), Ports.only(5353)), Direction.IN, priority=900,
            templates=(
                Template(HERE6, THERE6, Ip.COMP, Mode.TUNNEL, 450_000_002, optional=True),
                Template(HERE6, THERE6, Ip.ESP, Mode.TRANSPORT, 450_000_002),
                Template(HERE6, THERE6, Ip.AH, Mode.TRANSPORT, 450_000_002),
            ),
        ),
    ),
    "icmp": (
        MessageType.NEWPOLICY,
        Policy(selector("fd99::1/128", "fd99::2/128", 58, Ports.only(135)), Direction.OUT, priority=1),
    ),
    "block": (
        MessageType.NEWPOLICY,
        Policy(selector("10.3.0.0/16", "10.4.0.0/16"), Direction.OUT, Action.BLOCK, 5000),
    ),
    "marks": (
        MessageType.NEWPOLICY,
        Policy(NETWORKS, Direction.OUT, priority=7, templates=OUTWARD, mark=Mark(0x10, 0xFF), if_id=0x2A),
    ),
    "update": (MessageType.UPDPOLICY, Policy(NETWORKS, Direction.OUT, 0, 999, 450_000_001, OUTWARD)),
    "get by index": (MessageType.GETPOLICY, PolicyId(NO_SELECTOR, Direction.OUT, 450_000_001)),
    "delete by index": (MessageType.DELPOLICY, PolicyId(NO_SELECTOR, Direction.OUT, 450_000_001)),
    "delete by selector": (MessageType.DELPOLICY, PolicyId(BACK, Direction.IN)),
    "delete marked": (MessageType.DELPOLICY, PolicyId(NETWORKS, Direction.OUT, 0, Mark(0x10, 0xFF), 0x2A)),
}  # fmt: skip
SENT = [("states", name, *body) for name, body in STATES.items()] + [
    ("policies", name, *body) for name, body in POLICIES.items()
]


@pytest.mark.parametrize(("file", "name", "kind", "value"), SENT, ids=lambda value: str(value)[:20])
def test_what_is_sent(file: str, name: str, kind: MessageType, value: Body) -> None:
    (theirs,) = recorded(file)[name].sent
    assert theirs.type == kind
    assert value.encode().hex() == theirs.body.hex()
    assert type(value).decode(theirs.body) == value  # type: ignore[attr-defined]


@pytest.mark.parametrize("file", ["states", "policies", "happenings"])
def test_messages_encode_to_what_they_were(file: str) -> None:
    for one in recorded(file).values():
        for datagram in one.datagrams:
            encoded = b"".join(
                message.encode().ljust(-(-len(message.encode()) // 4) * 4, b"\0") for message in messages(datagram)
            )
            assert encoded.hex() == datagram.hex()


def test_every_command_is_accounted_for() -> None:
    assert recorded("states").keys() - STATES.keys() == {"list"}
    assert recorded("policies").keys() - POLICIES.keys() == {"list", "delete what is not there"}
    assert recorded("policies")["list"].sent == (
        Message(MessageType.GETPOLICY, Flag.REQUEST | Flag.DUMP, b"", recorded("policies")["list"].sent[0].sequence),
    )


def test_allocated_states_are_read() -> None:
    allocated = recorded("states")["allocate"]
    state = State.decode(allocated.received[0].body)
    assert f"spi 0x{state.spi.hex()} reqid {state.request} mode tunnel" in allocated.shown
    assert 0xC0000000 <= int.from_bytes(state.spi, "big") <= 0xCFFFFFFF
    assert (state.source, state.destination, state.protocol) == (HERE, THERE, Ip.ESP)
    assert state.limits.hard_seconds == 30


def test_a_list_of_states_is_read() -> None:
    listed = recorded("states")["list"]
    states = [State.decode(message.body) for message in listed.received if message.type == MessageType.NEWSA]
    assert [(s.destination, s.protocol, s.mode) for s in states] == [
        (THERE6, Ip.AH, Mode.TRANSPORT),
        (THERE, Ip.ESP, Mode.TUNNEL),
    ]
    assert all(f"spi 0x{state.spi.hex()}" in listed.shown for state in states)


def test_a_list_of_policies_is_read() -> None:
    listed = recorded("policies")["list"]
    read = {
        (policy.priority, Direction(policy.direction)): policy
        for policy in (Policy.decode(m.body) for m in listed.received if m.type == MessageType.NEWPOLICY)
    }
    for name in ("in", "forward", "bundle", "icmp", "block", "marks", "update"):
        _, made = POLICIES[name]
        assert isinstance(made, Policy)
        found = read.pop((made.priority, Direction(made.direction)))
        index = made.index or found.index  # the kernel's own, if none was given
        assert replace(found, counted=NOTHING_COUNTED) == replace(made, index=index)
    assert not read


def test_refusals_have_words() -> None:
    (refused,) = recorded("states")["ah"].received
    assert Refusal.decode(refused) == Refusal(93, "Requested type not found")
    (refused,) = recorded("policies")["delete what is not there"].received
    assert Refusal.decode(refused) == Refusal(2)
    (done,) = recorded("policies")["out"].received
    assert Refusal.decode(done) == Refusal(0)


def test_what_the_kernel_tells_is_read() -> None:
    told = [happening(message) for message in recorded("happenings")["monitor"].received]
    acquire = next(one for one in told if isinstance(one, AcquireMessage))
    packet = selector("10.99.0.1/32", "10.99.0.2/32", 17, Ports.only(4444), Ports.only(9))
    assert replace(acquire.selector, interface=0) == packet
    assert (acquire.source, acquire.destination, acquire.protocol) == (HERE, THERE, Ip.ESP)
    assert (acquire.policy.index, acquire.policy.templates[0].request) == (450_000_017, 450_000_003)

    expired = next(one for one in told if isinstance(one, ExpireMessage))
    assert expired.hard
    assert (expired.state.request, expired.state.spi) == (450_000_003, bytes(4))

    policy = next(one for one in told if isinstance(one, PolicyExpireMessage))
    assert policy.hard
    assert (policy.policy.index, policy.policy.limits.hard_seconds) == (450_000_025, 1)


def test_what_shows_keys_does_not() -> None:
    (sent,) = recorded("states")["cbc tunnel ipv6"].sent
    assert bytes(range(16)).hex() in sent.body.hex()
    for text in (repr(sent), repr(State.decode(sent.body))):
        assert "0123" not in text
        assert "\\x0e" not in text
