# SPDX-License-Identifier: ISC
"""What our SAs and flows are in XFRM's terms."""

from dataclasses import replace
from ipaddress import ip_address
from socket import AF_INET, AF_INET6

import pytest

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm import translation
from ike_auth.daemon.kernel.xfrm.marking import RESERVED, Settings
from ike_auth.daemon.kernel.xfrm.numbers import INFINITE, Direction, Mode, Protocol, StateFlag
from ike_auth.daemon.kernel.xfrm.policies import Policy
from ike_auth.daemon.kernel.xfrm.selectors import priority, selectors, traffic_of
from ike_auth.daemon.kernel.xfrm.states import Encapsulation, Replay, State
from ike_auth.daemon.kernel.xfrm.structures import Mark, Ports, Prefix
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import (
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    IpcompTransform,
    ProtocolId,
)
from tests.ike_auth.daemon.kernel.xfrm.tunnels import AH, CBC, FLOW, GCM, HERE, THERE, network, sa

PLAIN = Settings()
COMP = ProtocolParameters(ProtocolId.IPCOMP, EspTransform(IpcompTransform.DEFLATE), EncapsulationMode.TUNNEL, None)


def state(one: IpsecSa, settings: Settings = PLAIN) -> State:
    return translation.state_of(one, 450_000_001, settings, 0.9)


def policies(flow: Flow) -> tuple[Policy, ...]:
    return translation.policies_of(flow, 450_000_001, PLAIN)


def test_an_outbound_sa_takes_what_goes_out_and_an_inbound_one_what_comes_in() -> None:
    out, come = state(sa()), state(sa(inbound=True))
    assert (out.source, out.destination, out.request) == (HERE, THERE, 450_000_001)
    assert (come.source, come.destination) == (THERE, HERE)
    assert traffic_of(replace(out.selector, source=Prefix(HERE, 32)))[0] == Selector.of(HERE)
    assert (str(out.selector.source.address), out.selector.source.length) == ("10.1.0.0", 16)
    assert (out.selector.source, out.selector.destination) == (come.selector.destination, come.selector.source)
    assert out.selector.family == AF_INET


def test_aeads_have_their_salt_in_the_key_and_no_integrity() -> None:
    made = state(sa(parameters=GCM))
    assert made.aead is not None
    assert (made.aead.name, len(made.aead.key), made.aead.icv_bits) == ("rfc4106(gcm(aes))", 20, 128)
    assert (made.encryption, made.integrity) == (None, None)


@pytest.mark.parametrize(
    ("transform", "name"),
    [
        (EspTransform.AES_CBC, "cbc(aes)"),
        (EspTransform.TRIPLE_DES, "cbc(des3_ede)"),
        (EspTransform.NULL, "ecb(cipher_null)"),
    ],
)
@pytest.mark.parametrize(
    ("authentication", "integrity", "bits"),
    [
        (AuthenticationAlgorithm.HMAC_MD5, "hmac(md5)", 96),
        (AuthenticationAlgorithm.HMAC_SHA1, "hmac(sha1)", 96),
        (AuthenticationAlgorithm.HMAC_SHA2_256, "hmac(sha256)", 128),
        (AuthenticationAlgorithm.HMAC_SHA2_384, "hmac(sha384)", 192),
        (AuthenticationAlgorithm.HMAC_SHA2_512, "hmac(sha512)", 256),
    ],
)
def test_ciphers_have_integrity_beside_them(
    transform: EspTransform, name: str, authentication: AuthenticationAlgorithm, integrity: str, bits: int
) -> None:
    made = state(sa(parameters=replace(CBC, transform=transform, authentication=authentication)))
    assert made.encryption is not None
    assert made.integrity is not None
    assert (made.encryption.name, made.integrity.name, made.integrity.icv_bits) == (name, integrity, bits)


def test_chacha20_for_manual_keys() -> None:
    made = state(sa(parameters=replace(GCM, transform=EspTransform(28), key_length=None)))
    assert made.aead is not None
    assert made.aead.name == "rfc7539esp(chacha20,poly1305)"


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        (replace(CBC, transform=EspTransform.CAST), "ESP transform CAST"),
        (replace(CBC, authentication=AuthenticationAlgorithm.KPDK), "authentication algorithm KPDK"),
        (replace(CBC, protocol=ProtocolId(9)), "IPsec protocol ProtocolId_9"),
        (replace(COMP, transform=EspTransform(IpcompTransform.LZS)), "IPCOMP transform"),
    ],
)
def test_what_the_kernel_does_not_have(parameters: ProtocolParameters, what: str) -> None:
    with pytest.raises(KernelError, match=what):
        state(sa(parameters=parameters))


def test_ah_and_ipcomp() -> None:
    made = state(sa(parameters=AH))
    assert (made.protocol, made.mode, made.encryption, made.aead) == (Protocol.AH, Mode.TRANSPORT, None, None)
    assert made.integrity is not None
    comp = state(replace(sa(parameters=COMP), spi=b"\x12\x34"))
    assert comp.compression is not None
    assert (comp.replay, comp.replay_window, comp.limits.hard_packets) == (None, 0, INFINITE)
    assert (comp.protocol, comp.spi, comp.compression.name) == (Protocol.COMP, b"\0\0\x12\x34", "deflate")


def test_in_udp_both_ports_count() -> None:
    parameters = replace(GCM, encapsulation=EncapsulationMode.UDP_TUNNEL)
    nowhere = ip_address("0.0.0.0")
    assert state(sa(parameters=parameters, port=40000)).encapsulation == Encapsulation(4500, 40000, nowhere)
    inbound = state(sa(parameters=parameters, port=40000, inbound=True))
    assert inbound.encapsulation == Encapsulation(40000, 4500, nowhere)
    assert inbound.mode == Mode.TUNNEL
    assert state(sa(port=40000)).encapsulation is None


@pytest.mark.parametrize(
    ("window", "esn", "expected"),
    [
        (0, False, (0, None)),
        (32, False, (32, None)),
        (64, False, (0, Replay(64, 2))),
        (33, False, (0, Replay(33, 2))),
        (64, True, (0, Replay(64, 2))),
        (0, True, (0, Replay(32, 1))),
        (4096, True, (0, Replay(4096, 128))),
    ],
)
def test_replay_windows(window: int, esn: bool, expected: tuple[int, Replay | None]) -> None:
    made = state(replace(sa(), replay_window=window, esn=esn))
    assert (made.replay_window, made.replay) == expected
    assert bool(made.flags & StateFlag.ESN) == esn


def test_a_window_may_be_too_large() -> None:
    with pytest.raises(KernelError, match="4097 packets: the kernel has 4096 at most"):
        state(replace(sa(), replay_window=4097))


def test_limits() -> None:
    limits = state(replace(sa(), life_kilobytes=1000)).limits
    assert (limits.soft_bytes, limits.hard_bytes) == (921_600, 1_024_000)
    assert (limits.soft_packets, limits.hard_packets) == (3_865_470_565, 0xFFFFFFFF)
    assert (limits.soft_seconds, limits.hard_seconds) == (0, 3660)
    endless = state(replace(sa(), esn=True, life_seconds=0)).limits
    assert {endless.soft_bytes, endless.hard_bytes, endless.soft_packets, endless.hard_packets} == {INFINITE}
    assert endless.hard_seconds == 0


def test_transport_mode_is_between_the_ends_whatever_a_nat_made_of_the_selectors() -> None:
    parameters = replace(GCM, encapsulation=EncapsulationMode.UDP_TRANSPORT)
    one = replace(
        sa(parameters=parameters, port=40000),
        local=Selector.of(HERE, 17, 1701),
        remote=Selector.of(ip_address("192.168.77.2"), 17),
    )
    selector = state(one).selector
    assert (selector.source, selector.destination) == (Prefix(HERE, 32), Prefix(THERE, 32))
    assert (selector.protocol, selector.source_ports) == (17, Ports.only(1701))
    found = policies(Flow(one.local, one.remote, HERE, THERE, (parameters,)))
    assert {policy.direction for policy in found} == {Direction.OUT, Direction.IN, Direction.FORWARD}
    assert found[0].selector == selector
    assert found[0].templates[0].mode == Mode.TRANSPORT


def test_an_sa_for_a_range_leaves_it_to_the_policies() -> None:
    one = replace(sa(), local=Selector(ip_address("10.1.0.1"), ip_address("10.1.0.6")))
    selector = state(one).selector
    assert (selector.source.length, selector.destination.length, selector.family) == (0, 0, AF_INET)
    six = replace(one, local=network("fd01::/64"), remote=Selector(ip_address("fd02::1"), ip_address("fd02::6")))
    assert state(six).selector.family == AF_INET6


def test_ipv6_in_ipv4() -> None:
    made = state(replace(sa(), local=network("fd01::/64"), remote=network("fd02::/64")))
    assert (made.selector.family, made.destination.version) == (AF_INET6, 4)
    again = State.decode(made.encode())
    assert again == made


def test_marks_and_interfaces_are_on_everything() -> None:
    settings = Settings(Mark(1, 3), Mark(2), 42)
    made = state(sa(), settings)
    assert (made.mark, made.output_mark, made.if_id) == (Mark(1, 3), Mark(2), 42)
    assert translation.state_id(sa(), settings).mark == Mark(1, 3)
    for policy in translation.policies_of(FLOW, 1, settings) + translation.guards_of(FLOW, 1, settings):
        assert (policy.mark, policy.if_id) == (Mark(1, 3), 42)
    request = translation.spi_request(ProtocolId.ESP, THERE, HERE, settings)
    assert (request.state.mark, request.state.if_id, request.state.request) == (Mark(1, 3), 42, RESERVED)


def test_no_spis_for_isakmp() -> None:
    with pytest.raises(KernelError, match="no SPIs for ISAKMP"):
        translation.spi_request(ProtocolId.ISAKMP, THERE, HERE, PLAIN)


# --- flows


def test_bundles_are_compressed_first_and_authenticated_last() -> None:
    esp = replace(CBC, encapsulation=EncapsulationMode.TRANSPORT)
    for order in ((AH, esp, COMP), (COMP, esp, AH)):
        found = policies(replace(FLOW, parameters=order))
        out = next(policy for policy in found if policy.direction == Direction.OUT)
        assert [(t.protocol, t.mode, t.optional) for t in out.templates] == [
            (Protocol.COMP, Mode.TUNNEL, False),
            (Protocol.ESP, Mode.TRANSPORT, False),
            (Protocol.AH, Mode.TRANSPORT, False),
        ]
        come = next(policy for policy in found if policy.direction == Direction.IN)
        assert [template.optional for template in come.templates] == [True, False, False]


@pytest.mark.parametrize(
    ("mode", "of_comp", "of_esp"),
    [
        (EncapsulationMode.TUNNEL, Mode.TUNNEL, Mode.TRANSPORT),
        (EncapsulationMode.UDP_TUNNEL, Mode.TUNNEL, Mode.TRANSPORT),
        (EncapsulationMode.TRANSPORT, Mode.TRANSPORT, Mode.TRANSPORT),
    ],
)
def test_the_tunnel_of_a_bundle_is_made_by_ipcomp(mode: EncapsulationMode, of_comp: Mode, of_esp: Mode) -> None:
    comp, esp = replace(COMP, encapsulation=mode), replace(GCM, encapsulation=mode)
    for policy in policies(replace(FLOW, parameters=(comp, esp)))[:3]:
        assert [(t.protocol, t.mode) for t in policy.templates] == [(Protocol.COMP, of_comp), (Protocol.ESP, of_esp)]
    inner = state(replace(sa(parameters=comp), spi=b"\x12\x34"))
    outer = state(replace(sa(parameters=esp), compressed=True))
    assert (inner.mode, outer.mode) == (of_comp, of_esp)
    assert inner.encapsulation is None, "the kernel refuses it"
    assert (outer.encapsulation is not None) == (mode == EncapsulationMode.UDP_TUNNEL)
    assert outer.selector.family == 0


def test_tunnels_within_tunnels_are_refused() -> None:
    with pytest.raises(KernelError, match="ESP and AH would be tunnels within tunnels"):
        policies(replace(FLOW, parameters=(GCM, replace(AH, encapsulation=EncapsulationMode.TUNNEL))))


def test_guards_have_no_sa_and_let_in_what_came_through_any() -> None:
    out, *come = translation.guards_of(replace(FLOW, parameters=()), 450_000_007, PLAIN)
    assert (out.direction, out.templates[0].request) == (Direction.OUT, 450_000_007)
    assert [(p.direction, p.templates[0].request, p.templates[0].source) for p in come] == [
        (Direction.IN, 0, THERE),
        (Direction.FORWARD, 0, THERE),
    ]
    assert out.priority == policies(FLOW)[0].priority + 1


def test_what_stays_on_our_side_is_not_for_the_tunnel() -> None:
    found = policies(replace(FLOW, remote=network("0.0.0.0/0")))
    passing = [policy for policy in found if not policy.templates]
    assert {policy.direction for policy in passing} == {Direction.OUT, Direction.IN, Direction.FORWARD}
    for policy in passing:
        assert traffic_of(policy.selector) == (Selector.of(ip_address("10.1.0.0")),) * 2
        assert policy.selector.source.length == policy.selector.destination.length == 16
        assert policy.priority < found[0].priority
    assert all(policy.templates for policy in policies(replace(FLOW, remote=FLOW.local)))
    assert all(policy.templates for policy in policies(FLOW))


def test_neighbours_on_a_link_may_find_each_other() -> None:
    here, there = ip_address("fd99::1"), ip_address("fd99::2")
    found = policies(Flow(Selector.of(here), network("fd99::/64"), here, there, (GCM,)))
    passing = [policy for policy in found if not policy.templates and policy.selector.protocol]
    assert [(p.direction, p.selector.source.address, p.selector.source_ports.value) for p in passing] == [
        (Direction.OUT, here, 135),
        (Direction.IN, there, 135),
        (Direction.OUT, here, 136),
        (Direction.IN, there, 136),
    ]
    assert all(policy.selector.protocol == 58 for policy in passing)
    tcp = policies(Flow(Selector.of(here, 6), Selector.of(there, 6), here, there, (GCM,)))
    assert all(policy.templates for policy in tcp)
    elsewhere = policies(Flow(network("fd01::/64"), network("fd02::/64"), here, there, (GCM,)))
    assert all(policy.templates for policy in elsewhere)


# --- selectors


def test_families_do_not_mix() -> None:
    with pytest.raises(KernelError, match="one is IPv4, the other IPv6"):
        selectors(network("10.1.0.0/16"), network("fd02::/64"))


def test_ranges_cover_what_they_say_and_no_more() -> None:
    local = Selector(ip_address("10.1.0.3"), ip_address("10.1.1.9"), 6)
    found = selectors(local, network("10.2.0.0/24", 6, 80))
    covered: set[int] = set()
    for selector in found:
        size = 1 << (32 - selector.source.length)
        addresses = {int(selector.source.address) + offset for offset in range(size)}
        assert not covered & addresses
        covered |= addresses
        assert (selector.protocol, selector.destination_ports, selector.source_ports.mask) == (6, Ports.only(80), 0)
    assert covered == set(range(int(local.low), int(local.high) + 1))


def test_too_many_networks_are_refused() -> None:
    wide = Selector(ip_address("::1"), ip_address("ffff::"))
    with pytest.raises(KernelError, match="policies, more than 256"):
        selectors(wide, wide)


def test_the_more_specific_comes_first() -> None:
    everything = network("0.0.0.0/0")
    ascending = [
        selectors(Selector.of(HERE, 6, 1024), Selector.of(THERE, 6, 80))[0],
        selectors(Selector.of(HERE, 6), Selector.of(THERE, 6, 80))[0],
        selectors(Selector.of(HERE, 6), Selector.of(THERE, 6))[0],
        selectors(Selector.of(HERE), Selector.of(THERE))[0],
        selectors(network("10.99.0.0/31", 6, 80), Selector.of(THERE, 6, 80))[0],
        selectors(network("10.1.0.0/16"), network("10.2.0.0/16"))[0],
        selectors(network("10.1.0.0/16"), everything)[0],
        selectors(everything, everything)[0],
    ]
    ranks = [priority(selector, guard=guard) for selector in ascending for guard in (False, True)]
    assert ranks == sorted(set(ranks))
