# SPDX-License-Identifier: ISC
from ipaddress import IPv4Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import InvalidIdInformation
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import IdType, NotifyType

DN = bytes.fromhex("3031310b3009060355040613025345") + bytes.fromhex(
    "3110300e060355040a0c074578616d706c653110300e06035504030c0754657374204341"
)

NAMES = [
    (Identity.fqdn("gw.example.org"), "02 00 0000" + b"gw.example.org".hex(), "FQDN gw.example.org"),
    (
        Identity.user_fqdn("alice@example.org"),
        "03 00 0000" + b"alice@example.org".hex(),
        "USER_FQDN alice@example.org",
    ),
    (Identity.address(ip_address("10.0.0.1")), "01 00 0000 0a000001", "IPV4_ADDR 10.0.0.1"),
    (
        Identity.address(ip_address("2001:db8::1")),
        "05 00 0000 20010db8000000000000000000000001",
        "IPV6_ADDR 2001:db8::1",
    ),
    (Identity.dn(DN), "09 00 0000" + DN.hex(), "DER_ASN1_DN /C=SE/O=Example/CN=Test CA"),
    (Identity.key_id(b"group\0one"), "0b 00 0000" + b"group\0one".hex(), "KEY_ID group\\x00one"),
]
CLIENTS = [
    (Identity.subnet(ip_network("10.1.0.0/24")), "04 00 0000 0a010000 ffffff00", "IPV4_ADDR_SUBNET 10.1.0.0/24"),
    (
        Identity.subnet(ip_network("2001:db8::/32"), 6, 80),
        "06 06 0050 20010db8" + "00" * 12 + "ffffffff" + "00" * 12,
        "IPV6_ADDR_SUBNET 2001:db8::/32 tcp/80",
    ),
    (
        Identity.range(ip_address("10.1.0.5"), ip_address("10.1.0.9"), 17),
        "07 11 0000 0a010005 0a010009",
        "IPV4_ADDR_RANGE 10.1.0.5-10.1.0.9 udp",
    ),
    (
        Identity.range(ip_address("::1"), ip_address("::9"), 200, 7),
        "08 c8 0007" + "00" * 15 + "01" + "00" * 15 + "09",
        "IPV6_ADDR_RANGE ::1-::9 200/7",
    ),
]


@pytest.mark.parametrize(("identity", "wire", "text"), NAMES + CLIENTS, ids=lambda value: str(value))
def test_typed_wire_and_textual_forms(identity: Identity, wire: str, text: str) -> None:
    body = bytes.fromhex(wire)
    assert identity.encode() == body
    assert Identity.decode(body) == identity
    assert str(identity) == text


@pytest.mark.parametrize(("identity", "wire", "text"), NAMES, ids=lambda value: str(value))
def test_names_of_peers(identity: Identity, wire: str, text: str) -> None:
    assert identity.checked() is identity
    with pytest.raises(InvalidIdInformation):
        Identity(identity.type, 0, 0, b"").checked()
    with pytest.raises(InvalidIdInformation):
        Selector.from_identity(Identity.fqdn("gw.example.org"))


@pytest.mark.parametrize(("identity", "wire", "text"), CLIENTS, ids=lambda value: str(value))
def test_subnets_and_ranges_name_no_peer(identity: Identity, wire: str, text: str) -> None:
    with pytest.raises(InvalidIdInformation, match="cannot name a peer"):
        Identity(identity.type, 0, 0, identity.data).checked()
    assert Selector.from_identity(identity).identity() == identity


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (IdType.IPV4_ADDR, b"\x0a\0\0"),
        (IdType.IPV4_ADDR, bytes(16)),
        (IdType.IPV6_ADDR, bytes(4)),
        (IdType.FQDN, b"gw.example.org\0"),
        (IdType.FQDN, b"gw.example.org\0.evil.org"),
        (IdType.FQDN, b"gw.example.org\n"),
        (IdType.FQDN, b"gw example.org"),
        (IdType.FQDN, "gẃ.example.org".encode()),
        (IdType.FQDN, b"*.example.org"),
        (IdType.FQDN, b"gw..example.org"),
        (IdType.FQDN, b"gw.example.org."),
        (IdType.FQDN, b"x" * 64),
        (IdType.FQDN, b".".join([b"x" * 63] * 4) + b".y"),
        (IdType.FQDN, b"alice@example.org"),
        (IdType.USER_FQDN, b"example.org"),
        (IdType.USER_FQDN, b"@example.org"),
        (IdType.USER_FQDN, b"alice@"),
        (IdType.USER_FQDN, b"alice@example.org@evil.org"),
        (IdType.USER_FQDN, b"al\0ice@example.org"),
        (IdType.USER_FQDN, b"al ice@example.org"),
        (IdType.USER_FQDN, b"*@example.org"),
        (IdType.USER_FQDN, b"alice@*.example.org"),
        (IdType.USER_FQDN, b"a" * 250 + b"@x.org"),
        (IdType.DER_ASN1_DN, b"\x30\0"),
        (IdType.DER_ASN1_DN, b"CN=gw"),
        (IdType.DER_ASN1_DN, DN + b"\0"),
        (IdType.DER_ASN1_GN, b"\x82\2gw"),
        (IdType.LIST, b"\1\0\0\0"),
        (IdType(77), b"x"),
    ],
)
def test_what_names_no_peer(kind: IdType, data: bytes) -> None:
    with pytest.raises(InvalidIdInformation) as caught:
        Identity(kind, 0, 0, data).checked()
    assert caught.value.notify == NotifyType.INVALID_ID_INFORMATION
    assert str(caught.value).isprintable()


LONGEST_FQDN = b".".join([b"x" * 63] * 3 + [b"y" * 63])


@pytest.mark.parametrize(
    ("longest", "longer"),
    [
        (
            Identity(IdType.FQDN, 0, 0, LONGEST_FQDN),
            Identity(IdType.FQDN, 0, 0, LONGEST_FQDN[:62] + b"." + LONGEST_FQDN),
        ),
        (Identity(IdType.FQDN, 0, 0, b"x" * 63), Identity(IdType.FQDN, 0, 0, b"x" * 64)),
        (Identity.user_fqdn("a" * 249 + "@x.org"), Identity.user_fqdn("a" * 250 + "@x.org")),
    ],
)
def test_longest_names(longest: Identity, longer: Identity) -> None:
    longest.checked()
    with pytest.raises(InvalidIdInformation):
        longer.checked()


@pytest.mark.parametrize(("protocol", "port"), [(0, 0), (17, 500), (17, 0), (17, 4500)])
def test_ports_of_phase_1(protocol: int, port: int) -> None:
    Identity(IdType.FQDN, protocol, port, b"gw").checked()


@pytest.mark.parametrize(("protocol", "port"), [(6, 500), (0, 500), (17, 501)])
def test_other_ports_in_phase_1(protocol: int, port: int) -> None:
    with pytest.raises(InvalidIdInformation, match="identity for protocol"):
        Identity(IdType.FQDN, protocol, port, b"gw").checked()


@pytest.mark.parametrize(
    ("identity", "normal"),
    [
        (Identity.fqdn("GW.Example.org"), Identity.fqdn("gw.example.org")),
        (Identity.user_fqdn("Alice@Example.ORG"), Identity.user_fqdn("Alice@example.org")),
        (Identity.key_id(b"Group"), Identity.key_id(b"Group")),
        (Identity(IdType.FQDN, 17, 500, b"GW"), Identity.fqdn("gw")),
        (Identity.dn(DN), Identity.dn(DN)),
    ],
)
def test_normalized(identity: Identity, normal: Identity) -> None:
    assert identity.normalized() == normal
    assert normal.normalized() == normal


def test_bare() -> None:
    name = Identity.fqdn("Gw")
    assert Identity(IdType.FQDN, 17, 500, b"Gw").bare() == name
    assert name.bare() is name


def test_names_outside_of_ascii() -> None:
    with pytest.raises(InvalidIdInformation, match="xn--"):
        Identity.fqdn("bücher.example")


@pytest.mark.parametrize(
    ("identity", "address"),
    [
        (Identity.address(ip_address("10.0.0.1")), ip_address("10.0.0.1")),
        (Identity.address(ip_address("::1")), ip_address("::1")),
        (Identity(IdType.IPV4_ADDR, 0, 0, b"123"), None),
        (Identity.fqdn("10.0.0.1"), None),
    ],
)
def test_ip_address(identity: Identity, address: IPv4Address | None) -> None:
    assert identity.ip_address == address


@pytest.mark.parametrize(
    ("identity", "text"),
    [
        (Identity(IdType.IPV4_ADDR, 0, 0, b"123"), "123"),
        (Identity(IdType.IPV4_ADDR_SUBNET, 0, 0, bytes.fromhex("0a010001ffffff00")), "10.1.0.1/255.255.255.0"),
        (Identity(IdType.FQDN, 0, 0, b"a\x1b[31mb\\c"), "a\\x1b[31mb\\x5cc"),
        (Identity(IdType.FQDN, 0, 0, b" !~\x7f\xff"), "\\x20!~\\x7f\\xff"),
        (Identity.dn(b"junk"), "6a756e6b"),
    ],
)
def test_text_of_odd_identities(identity: Identity, text: str) -> None:
    assert identity.text == text


# --- selectors


@pytest.mark.parametrize(
    ("selector", "text", "kind"),
    [
        (Selector.of(ip_network("10.1.0.0/24")), "10.1.0.0/24", IdType.IPV4_ADDR_SUBNET),
        (Selector.of(ip_address("10.1.0.5"), 6, 80), "10.1.0.5 tcp/80", IdType.IPV4_ADDR),
        (Selector.of(ip_network("10.1.0.5/32"), 17), "10.1.0.5 udp", IdType.IPV4_ADDR),
        (Selector(ip_address("10.1.0.5"), ip_address("10.1.0.9")), "10.1.0.5-10.1.0.9", IdType.IPV4_ADDR_RANGE),
        (Selector(ip_address("10.1.0.0"), ip_address("10.1.0.3")), "10.1.0.0/30", IdType.IPV4_ADDR_SUBNET),
        (Selector(ip_address("10.1.0.1"), ip_address("10.1.0.4")), "10.1.0.1-10.1.0.4", IdType.IPV4_ADDR_RANGE),
        (Selector.of(ip_network("0.0.0.0/0")), "0.0.0.0/0", IdType.IPV4_ADDR_SUBNET),
        (Selector.of(ip_network("::/0")), "::/0", IdType.IPV6_ADDR_SUBNET),
        (Selector.of(ip_address("::1"), 58), "::1 icmp6", IdType.IPV6_ADDR),
        (Selector(ip_address("::1"), ip_address("::2")), "::1-::2", IdType.IPV6_ADDR_RANGE),
    ],
    ids=lambda value: str(value),
)
def test_selectors(selector: Selector, text: str, kind: IdType) -> None:
    assert str(selector) == text
    assert selector.identity().type == kind
    assert Selector.from_identity(selector.identity()) == selector


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (IdType.IPV4_ADDR_SUBNET, "0a010000ff00ff00"),  # a mask with a hole
        (IdType.IPV4_ADDR_SUBNET, "0a010001ffffff00"),  # host bits
        (IdType.IPV4_ADDR_SUBNET, "0a010000ffffff"),
        (IdType.IPV6_ADDR_SUBNET, "00" * 31),
        (IdType.IPV6_ADDR_SUBNET, "00" * 15 + "01" + "00" * 16),
        (IdType.IPV4_ADDR_RANGE, "0a0100090a010005"),  # the wrong way round
        (IdType.IPV4_ADDR, "0a0100"),
        (IdType.FQDN, "67"),
        (IdType.KEY_ID, "67"),
        (IdType(99), "67"),
    ],
)
def test_what_is_no_selector(kind: IdType, data: str) -> None:
    with pytest.raises(InvalidIdInformation):
        Selector.from_identity(Identity(kind, 0, 0, bytes.fromhex(data)))


def test_a_port_needs_a_protocol() -> None:
    with pytest.raises(InvalidIdInformation, match="without a protocol"):
        Selector.from_identity(Identity.address(ip_address("10.0.0.1"), 0, 80))


NET = Selector.of(ip_network("10.1.0.0/24"))


@pytest.mark.parametrize(
    ("one", "other", "contains", "overlaps"),
    [
        (NET, NET, True, True),
        (NET, Selector.of(ip_address("10.1.0.7"), 6, 80), True, True),
        (Selector.of(ip_address("10.1.0.7"), 6, 80), NET, False, True),
        (NET, Selector.of(ip_network("10.1.0.0/16")), False, True),
        (NET, Selector.of(ip_network("10.1.1.0/24")), False, False),
        (NET, Selector(ip_address("10.1.0.255"), ip_address("10.1.1.0")), False, True),
        (Selector.of(NET.low, 6), Selector.of(NET.low, 17), False, False),
        (Selector.of(NET.low, 6, 80), Selector.of(NET.low, 6, 81), False, False),
        (Selector.of(NET.low, 6), Selector.of(NET.low, 6, 81), True, True),
        (Selector.of(ip_network("0.0.0.0/0")), Selector.of(ip_network("::/0")), False, False),
    ],
    ids=lambda value: str(value),
)
def test_contains_and_overlaps(one: Selector, other: Selector, contains: bool, overlaps: bool) -> None:
    assert one.contains(other) is contains
    assert one.overlaps(other) is overlaps
    assert other.overlaps(one) is overlaps


# Invariant: any identity is refused by `InvalidIdInformation` or means what its own text and selector say.
@given(st.sampled_from(IdType), st.integers(0, 255), st.integers(0, 65535), st.binary(max_size=40))
@settings(deadline=None, max_examples=400)
def test_checks_are_total(kind: IdType, protocol: int, port: int, data: bytes) -> None:
    identity = Identity(kind, protocol, port, data)
    assert str(identity).isprintable()
    assert identity.normalized().normalized() == identity.normalized()
    try:
        selector = Selector.from_identity(identity)
    except InvalidIdInformation:
        pass
    else:
        assert Selector.from_identity(selector.identity()) == selector
        assert selector.contains(selector)
    try:
        identity.checked()
    except InvalidIdInformation:
        return
    identity.normalized().checked()


addresses = st.integers(0, 2**32 - 1).map(IPv4Address)


@given(addresses, addresses)
@settings(deadline=None, max_examples=100)
def test_ranges(one: IPv4Address, other: IPv4Address) -> None:
    selector = Selector(min(one, other), max(one, other))
    network = selector.network
    assert Selector.from_identity(selector.identity()) == selector
    assert network is None or (network[0], network[-1]) == (selector.low, selector.high)


def test_what_comes_again_is_decoded_once_unless_it_is_long() -> None:
    """docs/decisions/0306-what-comes-again-is-remembered.md"""
    short, long = Identity.fqdn("gw.example.org").encode(), Identity.key_id(bytes(61)).encode()
    assert Identity.decode(short) is Identity.decode(short)
    assert Identity.decode(long) is not Identity.decode(long)
    assert Identity.decode(long) == Identity.key_id(bytes(61))
