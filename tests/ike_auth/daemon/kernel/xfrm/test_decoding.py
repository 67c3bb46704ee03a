# SPDX-License-Identifier: ISC
# Invariant: any bytes either decode or raise MalformedNetlink; and what is encoded decodes to the same value.
"""The XFRM codec under arbitrary bytes and values."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.kernel.xfrm.algorithms import Algorithm, CutAlgorithm
from ike_auth.daemon.kernel.xfrm.happenings import (
    AcquireMessage,
    ExpireMessage,
    MappingMessage,
    PolicyExpireMessage,
    happening,
)
from ike_auth.daemon.kernel.xfrm.numbers import MessageType, PolicyFlag, StateFlag
from ike_auth.daemon.kernel.xfrm.policies import Migration, Policy, PolicyId
from ike_auth.daemon.kernel.xfrm.states import Encapsulation, Replay, SpiRequest, State, StateId
from ike_auth.daemon.kernel.xfrm.structures import (
    Counted,
    Limits,
    Mark,
    Ports,
    Prefix,
    Template,
    TrafficSelector,
)
from ike_auth.daemon.netlink_messages import (
    ERROR,
    Flag,
    MalformedNetlink,
    Message,
    Refusal,
    attributes,
    encode_attributes,
    messages,
)
from tests.ike_auth.daemon.kernel.xfrm.vectors import recorded

u8, u16, u32, u64 = (st.integers(0, (1 << bits) - 1) for bits in (8, 16, 32, 64))
spis = st.binary(min_size=4, max_size=4)
ports = st.builds(Ports, u16, u16)
marks = st.none() | st.builds(Mark, u32, u32)
numbers = st.none() | u32


def addresses(version: int) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    return st.ip_addresses(v=version)  # type: ignore[arg-type]


def selectors_of(version: int) -> st.SearchStrategy[TrafficSelector]:
    prefix = st.builds(Prefix, addresses(version), u8)
    family = st.just(AF_INET if version == 4 else AF_INET6)
    return st.builds(TrafficSelector, prefix, prefix, u8, ports, ports, family, st.integers(-(2**31), 2**31 - 1), u32)


versions = st.sampled_from([4, 6])
selectors = versions.flatmap(selectors_of)
limits = st.builds(Limits, *[u64] * 8)
counted = st.builds(Counted, *[u64] * 4)
keys = st.builds(Secret, st.binary(max_size=70))
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=64)
plain, cut = st.builds(Algorithm, names, keys), st.builds(CutAlgorithm, names, keys, u32)
replays = st.lists(u32, min_size=1, max_size=8).flatmap(
    lambda seen: st.builds(Replay, u32, st.just(len(seen)), st.sampled_from([(), tuple(seen)]), u64, u64)
)


def states_of(version: int) -> st.SearchStrategy[State]:
    return st.builds(
        State, spis, u8, addresses(version), addresses(version), u8, u32, selectors, limits, counted,
        st.builds(StateFlag, u8), u8, u32, st.none() | cut, st.none() | plain, st.none() | cut, st.none() | plain,
        st.none() | st.builds(Encapsulation, u16, u16, addresses(version), u16), st.none() | replays, marks, numbers,
        marks, numbers, st.none() | u64,
    )  # fmt: skip


def templates_of(version: int) -> st.SearchStrategy[Template]:
    return st.builds(
        Template, addresses(version), addresses(version), u8, u8, u32, st.booleans(), spis, u8, u32, u32, u32
    )


states = versions.flatmap(states_of)
templates = st.lists(versions.flatmap(templates_of), max_size=4).map(tuple)
policies = st.builds(
    Policy, selectors, u8, u8, u32, u32, templates, limits, counted, st.builds(PolicyFlag, u8), u8, marks, numbers
)
for_ipv4 = st.lists(templates_of(4), min_size=1, max_size=3).map(tuple)
some_policies = st.builds(replace, policies, templates=for_ipv4)
state_ids = versions.flatmap(lambda v: st.builds(StateId, addresses(v), spis, u8, st.none() | addresses(v), marks))
places = versions.flatmap(lambda v: st.tuples(addresses(v), addresses(v)))
values = st.one_of(
    states,
    policies,
    selectors,
    limits,
    counted,
    plain,
    cut,
    replays,
    state_ids,
    st.builds(PolicyId, selectors, u8, u32, marks, numbers),
    st.builds(SpiRequest, states, u32, u32),
    st.builds(Migration, places, places, u8, u8, u32),
    st.builds(AcquireMessage, addresses(4), addresses(4), u8, selectors, some_policies, u32, spis),
    st.builds(ExpireMessage, states, st.booleans()),
    st.builds(PolicyExpireMessage, policies, st.booleans()),
    st.builds(
        MappingMessage,
        st.builds(StateId, addresses(4), spis, u8),
        u32,
        st.tuples(addresses(4), u16),
        st.tuples(addresses(4), u16),
    ),
)
DECODERS: dict[str, Callable[[bytes], object]] = {
    "messages": lambda data: list(messages(data)),
    "attributes": lambda data: list(attributes(data)),
    "refusal": lambda data: Refusal.decode(Message(ERROR, Flag.ACK_TLVS, data)),
    "capped refusal": lambda data: Refusal.decode(Message(ERROR, Flag.ACK_TLVS | Flag.CAPPED, data)),
    "state": State.decode,
    "state id": StateId.decode,
    "SPI request": SpiRequest.decode,
    "policy": Policy.decode,
    "policy id": PolicyId.decode,
    "migration": Migration.decode,
    "algorithm": Algorithm.decode,
    "cut algorithm": CutAlgorithm.decode,
    "replay": Replay.decode,
    "template": Template.decode,
    "acquire": lambda data: happening(Message(MessageType.ACQUIRE, Flag.NONE, data)),
    "expire": lambda data: happening(Message(MessageType.EXPIRE, Flag.NONE, data)),
    "policy expire": lambda data: happening(Message(MessageType.POLEXPIRE, Flag.NONE, data)),
    "mapping": lambda data: happening(Message(MessageType.MAPPING, Flag.NONE, data)),
}
_SEEDS = [
    message.body
    for file in ("states", "policies", "happenings")
    for one in recorded(file).values()
    for message in (*one.sent, *one.received)
    if message.body
]


@given(values)
def test_values_come_back(value: object) -> None:
    assert type(value).decode(value.encode()) == value  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=50)
@given(st.binary(max_size=600))
def test_any_bytes(name: str, data: bytes) -> None:
    decodes_or_refuses(DECODERS[name], data)


@pytest.mark.parametrize("name", DECODERS)
@settings(max_examples=50)
@given(st.sampled_from(_SEEDS), st.lists(st.tuples(u16, u8), max_size=8), u16)
def test_damaged_messages(name: str, data: bytes, damage: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(data)
    for position, value in damage:
        damaged[position % len(damaged)] = value
    decodes_or_refuses(DECODERS[name], bytes(damaged))
    decodes_or_refuses(DECODERS[name], bytes(damaged[: length % len(damaged)]))


def decodes_or_refuses(decode: Callable[[bytes], object], data: bytes) -> None:
    with suppress(MalformedNetlink):
        decode(data)


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=40)), max_size=6))
def test_attributes_come_back(found: list[tuple[int, bytes]]) -> None:
    assert list(attributes(encode_attributes(found))) == found
