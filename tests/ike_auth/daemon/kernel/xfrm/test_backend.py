# SPDX-License-Identifier: ISC
"""The XFRM backend with a kernel that has ESP, or says that it has (`scripted`)."""

import errno
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import pytest

from ike_auth.daemon.kernel import HardLimit, KernelError, PeerMoved, SaUsed, SoftLimit
from ike_auth.daemon.kernel.xfrm.happenings import ExpireMessage, MappingMessage
from ike_auth.daemon.kernel.xfrm.marking import OURS, Settings
from ike_auth.daemon.kernel.xfrm.numbers import Direction, MessageType, Protocol
from ike_auth.daemon.kernel.xfrm.states import State, StateId
from ike_auth.daemon.kernel.xfrm.structures import Counted, Mark
from ike_auth.network import Endpoint
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId
from tests.ike_auth.daemon.kernel.xfrm.scripted import Stage
from tests.ike_auth.daemon.kernel.xfrm.tunnels import FLOW, GCM, GUARD, HERE, THERE, network, sa

UDP = replace(GCM, encapsulation=EncapsulationMode.UDP_TUNNEL)
IN, OUT = sa(0xC0000001, inbound=True), sa(0xC0000002)


@pytest.fixture
def stage() -> Iterator[Stage]:
    one = Stage()
    yield one
    one.close()


def state_of(stage: Stage, one: IpsecSa) -> State:
    return stage.scripted.states[one.destination.host, one.spi, Protocol.ESP]


def expire(stage: Stage, one: IpsecSa, *, hard: bool) -> bytes:
    return ExpireMessage(state_of(stage, one), hard).encode()


def test_sas_of_a_flow_and_its_policies_have_one_number(stage: Stage) -> None:
    stage.kernel.guard(GUARD)
    stage.kernel.install(IN)
    stage.kernel.install(OUT)
    stage.kernel.add_flow(FLOW)
    stage.kernel.install(sa(0xC0000003, inbound=True))  # a rekey
    other = replace(sa(0xC0000004), remote=network("10.3.0.0/16"))
    stage.kernel.install(other)
    numbers = {state.request for state in stage.scripted.states.values() if state.spi != other.spi}
    numbers |= {t.request for policy in stage.scripted.policies.values() for t in policy.templates}
    assert len(numbers) == 1
    assert state_of(stage, other).request not in numbers
    assert all(state.request in OURS for state in stage.scripted.states.values())


def test_a_number_lasts_until_all_are_gone(stage: Stage) -> None:
    stage.kernel.install(IN)
    first = state_of(stage, IN).request
    stage.kernel.install(OUT)
    stage.kernel.remove(IN)
    stage.kernel.install(IN)
    assert state_of(stage, IN).request == first
    stage.kernel.remove(IN)
    stage.kernel.remove(OUT)
    stage.kernel.install(OUT)
    assert state_of(stage, OUT).request != first


def test_a_reserved_spi_is_filled_in(stage: Stage) -> None:
    spi = stage.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
    stage.kernel.install(replace(IN, spi=spi))
    assert stage.scripted.told == [MessageType.UPDSA]
    stage.kernel.install(OUT)
    assert stage.scripted.told[1:] == [MessageType.NEWSA]


def test_a_reservation_may_have_run_out(stage: Stage) -> None:
    spi = stage.kernel.reserve_spi(ProtocolId.ESP, THERE, HERE)
    stage.scripted.states.clear()
    stage.kernel.install(replace(IN, spi=spi))
    assert stage.scripted.told == [MessageType.UPDSA, MessageType.NEWSA]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EPROTONOSUPPORT, "the kernel has no ESP.*`Kernel= userspace`"),
        (errno.ENOSYS, "not these algorithms"),
        (errno.EPERM, "needs root or CAP_NET_ADMIN"),
        (errno.EEXIST, "another program has an SA with this SPI"),
        (errno.ENOMEM, "cannot allocate memory"),
    ],
)
def test_refusals_say_what_and_what_to_do(stage: Stage, number: int, said: str) -> None:
    stage.scripted.refuse[MessageType.NEWSA] = number
    with pytest.raises(KernelError, match=f"cannot install the SA with SPI c0000001: .*{said}"):
        stage.kernel.install(IN)
    stage.scripted.refuse.clear()
    stage.kernel.install(OUT)
    stage.kernel.remove(OUT)  # a refused one holds no number


def test_limits_are_reported_with_their_direction(stage: Stage) -> None:
    stage.kernel.install(IN)
    stage.kernel.install(OUT)
    assert stage.happens(MessageType.EXPIRE, expire(stage, OUT, hard=False)) == [SoftLimit(OUT.spi, False)]
    assert stage.happens(MessageType.EXPIRE, expire(stage, IN, hard=True)) == [HardLimit(IN.spi, True)]
    assert stage.happens(MessageType.EXPIRE, expire(stage, IN, hard=True)) == []
    stage.kernel.remove(IN)
    stage.kernel.remove(OUT)
    assert stage.scripted.states == {}


def test_limits_of_others_are_not(stage: Stage) -> None:
    stage.kernel.install(IN)
    for other in (
        replace(state_of(stage, IN), spi=b"\0\0\x10\0"),
        replace(state_of(stage, IN), destination=THERE),
        replace(state_of(stage, IN), protocol=Protocol.AH),
    ):
        for hard in (False, True):
            assert stage.happens(MessageType.EXPIRE, ExpireMessage(other, hard).encode()) == []


def test_first_use_is_reported_once_and_looked_for_ever_more_seldom(stage: Stage) -> None:
    stage.kernel.install(IN)
    stage.kernel.install(OUT)
    for one in (IN, OUT):
        key = one.destination.host, one.spi, Protocol.ESP
        stage.scripted.states[key] = replace(stage.scripted.states[key], counted=Counted())
    assert stage.tended(0.0) == []
    assert stage.tended(1.0) == []
    for one in (IN, OUT):
        key = one.destination.host, one.spi, Protocol.ESP
        stage.scripted.states[key] = replace(stage.scripted.states[key], counted=Counted(84, 1))
    assert stage.tended(2.9) == []  # the next look is two seconds after the last
    assert stage.tended(3.0) == [SaUsed(IN.spi)]
    assert stage.tended(200.0) == []


def test_an_sa_that_has_just_ended_has_not_been_used(stage: Stage) -> None:
    stage.kernel.install(IN)
    stage.scripted.states.clear()
    assert stage.tended(0.0) == []


def test_a_peer_behind_a_nat_is_followed_to_another_port(stage: Stage) -> None:
    inbound, outbound = (sa(0xC0000001 + i, inbound=not i, parameters=UDP, port=40000) for i in (0, 1))
    bystander = replace(sa(0xC0000009, parameters=UDP, port=40000), remote=network("10.3.0.0/16"))
    for one in (inbound, outbound, bystander):
        stage.kernel.install(one)
    id = StateId(HERE, inbound.spi, Protocol.ESP)
    moved = MappingMessage(id, 450_000_001, (THERE, 40000), (THERE, 41000))
    there = Endpoint(THERE, 41000)
    assert stage.happens(MessageType.MAPPING, moved.encode()) == [PeerMoved(inbound.spi, inbound.destination, there)]
    ends = [state_of(stage, one).encapsulation for one in (inbound, outbound, bystander)]
    assert [(end.source_port, end.destination_port) for end in ends if end] == [
        (41000, 4500),
        (4500, 41000),
        (4500, 40000),
    ]
    elsewhere = MappingMessage(id, 450_000_001, (THERE, 41000), (ip_address("10.99.0.66"), 42000))
    assert stage.happens(MessageType.MAPPING, elsewhere.encode()) == []
    assert [state_of(stage, one).encapsulation for one in (inbound, outbound, bystander)] == ends
    stage.kernel.move(replace(bystander, destination=there))
    assert state_of(stage, bystander).encapsulation == ends[1]
    stage.kernel.remove(outbound)
    assert outbound.spi not in {state.spi for state in stage.scripted.states.values()}


def test_what_nobody_told_us_is_found_out(stage: Stage) -> None:
    stage.kernel.install(IN)
    stage.kernel.install(OUT)
    del stage.scripted.states[HERE, IN.spi, Protocol.ESP]
    gone = stage.kernel._associations.vanished()
    assert gone == [IN]
    assert stage.kernel._associations.vanished() == []


# --- recovery


def test_sas_of_an_earlier_life_go_and_those_of_others_stay(stage: Stage) -> None:
    stage.kernel.install(IN)
    foreign = replace(state_of(stage, IN), spi=b"\0\0\x10\0", request=7)
    stage.scripted.states[HERE, foreign.spi, Protocol.ESP] = foreign
    again = Stage()
    again.scripted.states = stage.scripted.states
    again.kernel.open(again.events.append)
    assert list(again.scripted.states.values()) == [foreign]
    again.kernel.install(OUT)
    again.close()
    assert list(again.scripted.states.values()) == [foreign]


def test_sas_with_a_mark_are_found_by_it() -> None:
    one = Stage(Settings(mark=Mark(1)))
    one.kernel.install(IN)
    again = Stage()
    again.scripted.states = one.scripted.states
    again.kernel.open(again.events.append)
    assert again.scripted.states == {}
    for stage in (one, again):
        stage.close()


def test_what_was_left_blocks_even_if_it_cannot_be_claimed(stage: Stage) -> None:
    stage.kernel.guard(GUARD)
    again = Stage()
    again.scripted.policies = stage.scripted.policies
    again.kernel.open(again.events.append)
    left = dict(again.scripted.policies)
    again.scripted.refuse[MessageType.UPDPOLICY] = errno.ENOMEM
    with pytest.raises(KernelError):
        again.kernel.add_flow(FLOW)
    assert again.scripted.policies == left
    again.close()


# --- policies, all or nothing


def test_a_flow_that_is_refused_leaves_the_guard(stage: Stage) -> None:
    stage.kernel.guard(GUARD)
    before = dict(stage.scripted.policies)
    stage.scripted.refuse[MessageType.UPDPOLICY] = errno.ENOMEM
    with pytest.raises(KernelError, match=r"10\.1\.0\.0 to 10\.2\.0\.0: cannot allocate memory"):
        stage.kernel.add_flow(FLOW)
    stage.scripted.refuse.clear()
    assert stage.scripted.policies == before
    stage.kernel.remove_flow(FLOW)
    assert stage.scripted.policies == before


def test_a_refusal_in_the_middle_is_undone(stage: Stage) -> None:
    foreign = replace(FLOW, parameters=())
    other = Stage()
    other.kernel.guard(foreign)
    forward = next(p for p in other.scripted.policies.values() if p.direction == Direction.FORWARD)
    stage.scripted.policies[7] = replace(forward, index=7)
    with pytest.raises(KernelError, match="another program has one for the same traffic"):
        stage.kernel.add_flow(FLOW)
    assert list(stage.scripted.policies) == [7]
    other.close()


def test_a_flow_replaces_the_one_with_the_same_ends(stage: Stage) -> None:
    second = replace(
        FLOW,
        parameters=(replace(GCM, encapsulation=EncapsulationMode.TRANSPORT),),
        local=Selector.of(HERE),
        remote=Selector.of(THERE),
    )
    first = replace(second, parameters=(GCM,))
    stage.kernel.add_flow(first)
    stage.kernel.add_flow(second)
    assert {t.mode for p in stage.scripted.policies.values() for t in p.templates} == {0}
    stage.kernel.remove_flow(first)
    assert len(stage.scripted.policies) == 3
    stage.kernel.remove_flow(second)
    assert stage.scripted.policies == {}


def test_two_peers_for_the_same_traffic(stage: Stage) -> None:
    """The newest carries it; when it goes, the other one does again."""
    second = replace(FLOW, remote_address=ip_address("10.99.0.9"))
    stage.kernel.add_flow(FLOW)
    before = dict(stage.scripted.policies)
    stage.kernel.add_flow(second)
    assert stage.scripted.policies.keys() == before.keys()
    assert stage.scripted.policies != before
    stage.kernel.remove_flow(second)
    assert stage.scripted.policies == before


def test_policies_that_somebody_took_away_are_no_error(stage: Stage) -> None:
    stage.kernel.add_flow(FLOW)
    stage.scripted.policies.clear()
    stage.kernel.remove_flow(FLOW)
    stage.kernel.remove_flow(FLOW)
    stage.kernel.unguard(GUARD)
    stage.kernel.add_flow(FLOW)
    assert len(stage.scripted.policies) == 3


def test_moving_takes_the_sas_along(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    there = ip_address("10.99.0.7")
    stage.kernel.install(IN)
    stage.kernel.install(OUT)
    stage.kernel.add_flow(FLOW)
    told: list[MessageType] = []

    def tell(kind: MessageType, body: bytes) -> None:
        told.append(kind)
        if kind != MessageType.MIGRATE:
            original(kind, body)

    original = stage.scripted.tell
    monkeypatch.setattr(stage.scripted, "tell", tell)
    number = state_of(stage, OUT).request
    moved = stage.kernel.migrate(FLOW, HERE, there)
    assert told[:3] == [MessageType.MIGRATE] * 3
    assert {t.request for p in stage.scripted.policies.values() for t in p.templates} == {number}
    assert {p.templates[0].destination for p in stage.scripted.policies.values()} == {HERE, there}
    # The kernel's SAs go to another address from now on, and are known by that.
    expired = replace(state_of(stage, OUT), destination=there)
    assert stage.happens(MessageType.EXPIRE, ExpireMessage(expired, False).encode()) == [SoftLimit(OUT.spi, False)]
    assert replace(OUT, destination=Endpoint(there, 0)).destination.host == moved.remote_address
