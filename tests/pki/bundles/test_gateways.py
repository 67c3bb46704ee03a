# SPDX-License-Identifier: ISC
"""Configurations for strongSwan, libreswan and racoon: what depends on what is asked. tests/interop has the first two
read what is written here."""

import dataclasses
import re
from ipaddress import ip_network

import pytest

from pki.bundles import libreswan, racoon, strongswan, texts
from pki.bundles.files import Bundle
from pki.bundles.request import Request
from pki.errors import PkiError
from pki.names import Identity, identity
from tests.pki.bundles.handovers import PASSWORD, under_an_intermediate, with_small_keys

ADDRESS = Identity("IPV4_ADDR", "192.0.2.1")
TO_GATEWAY = Request(server=ADDRESS, remote_id=identity("gw.example.org"), password=PASSWORD)
BETWEEN = dataclasses.replace(
    TO_GATEWAY,
    networks=(ip_network("10.1.0.0/16"), ip_network("10.3.0.0/16")),
    local_networks=(ip_network("10.2.0.0/16"),),
    title="head office",
)


def text(bundle: Bundle) -> str:
    (file,) = (it for it in bundle.files if it.path.endswith(".conf"))
    return file.data.decode()


def of_ike(version: str, request: Request = TO_GATEWAY) -> Request:
    return dataclasses.replace(request, ike=version)  # type: ignore[arg-type]


class TestStrongswan:
    def test_a_person_asks_for_an_address_and_everything(self) -> None:
        assert text(strongswan.make(under_an_intermediate(), TO_GATEWAY)) == (
            """\
connections {
  vpn-192-0-2-1 {
    version = 2
    remote_addrs = "192.0.2.1"
    vips = 0.0.0.0, ::
    proposals = aes256-sha256-modp2048
    local {
      auth = pubkey
      certs = "alice@example.org.crt"
      id = "email:alice@example.org"
    }
    remote {
      auth = pubkey
      id = "fqdn:gw.example.org"
      cacerts = "root-ca.crt"
    }
    children {
      vpn-192-0-2-1 {
        local_ts = dynamic
        remote_ts = 0.0.0.0/0, ::/0
        esp_proposals = aes256-sha256-modp2048
      }
    }
  }
}
"""
        )

    def test_networks_are_one_tunnel_in_ikev2_and_several_in_ikev1(self) -> None:
        it = text(strongswan.make(under_an_intermediate("gw2.example.org"), BETWEEN))
        assert "  head-office {\n    version = 2\n" in it
        assert "local_ts = 10.2.0.0/16\n        remote_ts = 10.1.0.0/16, 10.3.0.0/16\n" in it
        for version, number in (("1", "1"), ("both", "0")):
            it = text(strongswan.make(under_an_intermediate("gw2.example.org"), of_ike(version, BETWEEN)))
            assert f"version = {number}\n" in it
            assert re.findall(r"(head-office-\d) {\n +local_ts = (\S+)\n +remote_ts = (\S+)\n", it) == [
                ("head-office-1", "10.2.0.0/16", "10.1.0.0/16"),
                ("head-office-2", "10.2.0.0/16", "10.3.0.0/16"),
            ]

    @pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
    def test_an_address_is_told_without_a_prefix(self, address: str) -> None:
        it = text(strongswan.make(under_an_intermediate(), Request(server=identity(address), password=PASSWORD)))
        assert f'      id = "{address}"\n' in it

    def test_a_gateway_and_ikev1_ask_for_no_address(self) -> None:
        assert "vips" not in text(strongswan.make(under_an_intermediate("gw2.example.org"), TO_GATEWAY))
        assert "vips" not in text(strongswan.make(under_an_intermediate(), of_ike("1")))

    @pytest.mark.parametrize("value", ['a"b', "a\\b", "a # b } c"])
    def test_values_are_quoted(self, value: str) -> None:
        assert re.sub(r"\\(.)", r"\1", strongswan.quoted(value)[1:-1]) == value


class TestLibreswan:
    def test_a_person_asks_for_an_address_and_everything(self) -> None:
        it = text(libreswan.make(under_an_intermediate(), TO_GATEWAY))
        assert it == (
            """\
conn vpn-192-0-2-1
    ikev2=yes
    authby=rsasig
    ike=aes256-sha2_256-modp2048
    esp=aes256-sha2_256
    pfs=yes
    left=%defaultroute
    leftid="alice@example.org"
    leftcert="alice@example.org"
    leftsendcert=always
    right=192.0.2.1
    rightid="@gw.example.org"
    rightca=%same
    rightsubnet=0.0.0.0/0
    leftmodecfgclient=yes
    narrowing=yes
    auto=add
"""
        )

    def test_between_networks(self) -> None:
        it = text(libreswan.make(under_an_intermediate("gw2.example.org"), of_ike("1", BETWEEN)))
        assert "conn head-office\n    ikev2=no\n" in it
        assert "    leftsubnet=10.2.0.0/16\n" in it
        assert "    rightsubnets={10.1.0.0/16,10.3.0.0/16}\n" in it
        assert "modecfg" not in it

    def test_keys_on_curves(self) -> None:
        assert "    authby=ecdsa\n" in text(libreswan.make(with_small_keys(), TO_GATEWAY))

    def test_it_has_to_be_one_version(self) -> None:
        with pytest.raises(PkiError, match="a connection of libreswan is of one version of IKE"):
            libreswan.make(under_an_intermediate(), of_ike("both"))


class TestRacoon:
    def test_between_networks(self) -> None:
        it = text(racoon.make(under_an_intermediate("gw2.example.org"), BETWEEN))
        assert 'my_identifier fqdn "gw2.example.org";\n    peers_identifier fqdn "gw.example.org";' in it
        assert 'certificate_type x509 "gw2.example.org.crt" "gw2.example.org.key";' in it
        assert re.findall("sainfo (.*) {", it) == [
            "address 10.2.0.0/16 any address 10.1.0.0/16 any",
            "address 10.2.0.0/16 any address 10.3.0.0/16 any",
        ]
        assert it.count("{") == it.count("}")

    def test_without_networks_for_anything(self) -> None:
        it = text(racoon.make(under_an_intermediate("192.0.2.7"), TO_GATEWAY))
        assert "my_identifier address 192.0.2.7;" in it
        assert re.findall("sainfo (.*) {", it) == ["anonymous"]

    def test_it_looks_up_no_names(self) -> None:
        with pytest.raises(PkiError, match=r"racoon looks up no names, `gw\.example\.org` is one") as caught:
            racoon.make(under_an_intermediate(), Request(server=identity("gw.example.org")))
        assert caught.value.hint == "--server with its address, and --remote-id gw.example.org"


@pytest.mark.parametrize(
    ("title", "section"),
    [
        ("vpn.example.org", "vpn-example-org"),
        ("192.0.2.1", "vpn-192-0-2-1"),
        ("Bob's VPN", "Bob-s-VPN"),
        ("…", "vpn"),
        ("日本 2", "vpn-2"),
    ],
)
def test_names_of_connections(title: str, section: str) -> None:
    assert texts.section(title) == section
