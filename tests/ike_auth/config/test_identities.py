# SPDX-License-Identifier: ISC
"""Phase1-ID and IPsec-ID sections."""

from ipaddress import ip_address, ip_network

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from ike_auth.wire.identities import Identity, Selector
from tests.ike_auth.config.reading import TUNNEL, configuration, errors

PEER = TUNNEL.replace("[west-east]", "Remote-ID= them\n[west-east]") + "[them]\n"
TRAFFIC = TUNNEL.replace("Remote-ID= east-net", "Remote-ID= them").replace("[east-net]", "[spare]") + "[them]\n"
FIRST = PEER.count("\n") + 1
FIRST_OF_TRAFFIC = TRAFFIC.count("\n") + 1


def tags(kind: str, **values: str) -> str:
    return "".join(f"{tag}= {value}\n" for tag, value in {"ID-type": kind, **values}.items())


def der(*attributes: tuple[x509.ObjectIdentifier, str]) -> bytes:
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes]).public_bytes()


@pytest.mark.parametrize(
    ("section", "identity"),
    [
        (tags("FQDN", Name="GW.example.org"), Identity.fqdn("gw.example.org")),
        (tags("USER_FQDN", Name="Alice@EXAMPLE.org"), Identity.user_fqdn("Alice@example.org")),
        (tags("IPV4_ADDR", Address="192.0.2.7"), Identity.address(ip_address("192.0.2.7"))),
        (tags("ipv6_addr", Address="2001:db8::7"), Identity.address(ip_address("2001:db8::7"))),
        (tags("KEY_ID", Name="group one"), Identity.key_id(b"group one")),
        (
            tags("DER_ASN1_DN", Name="/C=SE/O=Example/CN=gw"),
            Identity.dn(
                der((NameOID.COUNTRY_NAME, "SE"), (NameOID.ORGANIZATION_NAME, "Example"), (NameOID.COMMON_NAME, "gw"))
            ),
        ),
    ],
)
def test_names_of_peers(section: str, identity: Identity) -> None:
    assert configuration(PEER + section).peers["east"].remote_id == identity


@pytest.mark.parametrize(
    ("section", "line", "error"),
    [
        (tags("FQDN"), -1, "missing tag `Name` in `[them]`"),
        (tags("IPV4_ADDR", Name="gw"), -1, "missing tag `Address` in `[them]`"),
        (tags("IPV4_ADDR", Address="::1"), 1, "`Address`: `::1` is not of type IPV4_ADDR"),
        (
            tags("DER_ASN1_DN", Name="CN=gw"),
            1,
            "`Name`: `CN=gw` is not a distinguished name (write it as `/C=DE/O=Example/CN=gw`)",
        ),
        (tags("FDQN", Name="gw.example.org"), 0, "`ID-type`: `FDQN` is unknown (did you mean `FQDN`?)"),
        ("Name= gw.example.org\n", -1, "missing tag `ID-type` in `[them]`"),
        (
            tags("IPV4_ADDR_SUBNET", Network="10.0.0.0", Netmask="255.0.0.0"),
            0,
            "`ID-type`: a subnet cannot name a peer, which `Remote-ID` in vpn:8 makes it do",
        ),
    ],
)
def test_what_is_no_name_of_a_peer(section: str, line: int, error: str) -> None:
    assert errors(PEER + section) == [f"vpn:{FIRST + line}: {error}"]


@pytest.mark.parametrize("tag", ["ID", "Remote-ID"])
def test_a_key_in_the_place_of_a_section_is_not_told(tag: str) -> None:
    text = TUNNEL.replace("[west-east]", f"{tag}= mekmitasdigoat\n[west-east]")
    assert errors(text) == [f"vpn:8: `{tag}` names no section"]
    misspelt = text.replace("mekmitasdigoat", "west-ned")
    assert errors(misspelt) == [f"vpn:8: `{tag}` names no section (did you mean `west-net`?)"]


@pytest.mark.parametrize(
    ("kind", "name"), [("FQDN", "*.example.org"), ("FQDN", "ex\u00e4mple.org"), ("USER_FQDN", "alice")]
)
def test_what_no_peer_may_be_called(kind: str, name: str) -> None:
    """In the words of whoever checks identities that come over the network."""
    (error,) = errors(PEER + tags(kind, Name=name))
    assert error.startswith(f"vpn:{FIRST + 1}: `Name`: `{name}` ")


def subnet(network: str, mask: str, kind: str = "IPV4_ADDR_SUBNET", **more: str) -> str:
    return tags(kind, Network=network, Netmask=mask, **more)


@pytest.mark.parametrize(
    ("section", "selector"),
    [
        (subnet("10.2.0.0", "255.255.0.0"), Selector.of(ip_network("10.2.0.0/16"))),
        (subnet("10.2.0.0", "16"), Selector.of(ip_network("10.2.0.0/16"))),
        (subnet("0.0.0.0", "0.0.0.0"), Selector.of(ip_network("0.0.0.0/0"))),
        (subnet("10.2.0.1", "255.255.255.255"), Selector.of(ip_address("10.2.0.1"))),
        (tags("IPV4_ADDR", Address="10.2.0.1"), Selector.of(ip_address("10.2.0.1"))),
        (tags("IPV4_ADDR", Address="10.2.0.1", Protocol="17"), Selector.of(ip_address("10.2.0.1"), 17)),
        (
            tags("IPV4_ADDR", Address="10.2.0.1", Protocol="UDP", Port="l2tp"),
            Selector.of(ip_address("10.2.0.1"), 17, 1701),
        ),
    ],
)
def test_traffic(section: str, selector: Selector) -> None:
    assert configuration(TRAFFIC + section).connections["west-east"].remote == selector


@pytest.mark.parametrize("mask", ["ffff:ffff::", "32"])
def test_traffic_of_version_6(mask: str) -> None:
    text = TRAFFIC.replace("Local-ID= west-net\n", "") + subnet("2001:db8::", mask, "IPV6_ADDR_SUBNET")
    found = configuration(text.replace("[west-net]", "[other-spare]"))
    assert found.connections["west-east"].remote == Selector.of(ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("section", "line", "error"),
    [
        (
            subnet("10.2.0.1", "255.255.0.0"),
            1,
            "`[them]`: `10.2.0.1` has bits set outside its mask (`Network= 10.2.0.0`)",
        ),
        (subnet("10.2.0.0", "255.0.255.0"), 2, "`Netmask`: `255.0.255.0` is not a mask of IPV4_ADDR_SUBNET"),
        (subnet("10.2.0.0", "0.0.255.255"), 2, "`Netmask`: `0.0.255.255` is not a mask of IPV4_ADDR_SUBNET"),
        (subnet("10.2.0.0", "33"), 2, "`Netmask`: `33` is not a mask of IPV4_ADDR_SUBNET"),
        (subnet("10.2.0.0", "ffff::"), 2, "`Netmask`: `ffff::` is not a mask of IPV4_ADDR_SUBNET"),
        (
            subnet("eth0", "255.0.0.0"),
            1,
            "`eth0` is not an IP address (names of hosts and interfaces are not looked up)",
        ),
        (subnet("2001:db8::", "16"), 1, "`Network`: `2001:db8::` is not of type IPV4_ADDR_SUBNET"),
        (tags("IPV4_ADDR_SUBNET", Network="10.2.0.0"), -1, "missing tag `Netmask` in `[them]`"),
        (
            tags("FQDN", Name="gw.example.org"),
            0,
            "`ID-type`: FQDN is not traffic, which `Remote-ID` in vpn:13 means "
            "(one of IPV4_ADDR, IPV6_ADDR, IPV4_ADDR_SUBNET, IPV6_ADDR_SUBNET)",
        ),
        (
            tags("IPV4_ADDR", Address="10.2.0.1", Port="80"),
            2,
            "`Port` needs a `Protocol` (`Protocol= udp`, for example)",
        ),
        (
            tags("IPV4_ADDR", Address="10.2.0.1", Protocol="upd"),
            2,
            "`Protocol`: `upd` is not a number from 0 to 255",
        ),
        (
            tags("IPV4_ADDR", Address="10.2.0.1", Protocol="6", Port="htps"),
            3,
            "`Port`: `htps` is not a number from 0 to 65535 (did you mean `https`?)",
        ),
    ],
)
def test_what_is_no_traffic(section: str, line: int, error: str) -> None:
    assert errors(TRAFFIC + section) == [f"vpn:{FIRST_OF_TRAFFIC + line}: {error}"]


def test_both_ends_are_of_one_version() -> None:
    text = TRAFFIC + subnet("2001:db8::", "32", "IPV6_ADDR_SUBNET")
    assert errors(text) == ["vpn:8: `[west-east]` has IDs of different IP versions"]


def test_one_section_for_a_peer_and_its_traffic() -> None:
    text = TRAFFIC.replace("[west-east]\n", "Remote-ID= them\n[west-east]\n", 1)
    found = configuration(text + tags("IPV4_ADDR", Address="192.0.2.2", Protocol="udp"))
    assert found.peers["east"].remote_id == Identity.address(ip_address("192.0.2.2"))
