# SPDX-License-Identifier: ISC
"""The attribute set is an interface: policies written for isakmpd are evaluated against it, letter by letter."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ike_auth.authorization import attributes
from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    Group,
    IpcompTransform,
    ProtocolId,
)
from keynote.schemas import ipsec
from tests.ike_auth.authorization.requests import AES, NOW, identity_request, tunnel_request
from tests.pki import factory

GATEWAY = identity_request(Identity.fqdn("gw.example.com"))


def test_phase_1_knows_the_identity_and_the_exchange_and_nothing_of_tunnels() -> None:
    found = attributes.phase1(GATEWAY, NOW)
    local_time = found.pop("LocalTimeOfDay")
    assert local_time == NOW.astimezone().strftime("%Y%m%d%H%M%S")
    assert found == {
        "app_domain": "IPsec policy",
        "doi": "ipsec",
        "phase_1": "main",
        "phase1_group_desc": "14",
        "remote_id": "gw.example.com",
        "remote_id_type": "FQDN",
        "remote_id_addr_lower": "",
        "remote_id_addr_upper": "",
        "remote_id_proto": "0",
        "remote_id_port": "0",
        "remote_negotiation_address": "203.000.113.007",
        "local_negotiation_address": "198.051.100.001",
        "remote_ike_address": "203.000.113.007",
        "local_ike_address": "198.051.100.001",
        "GMTTimeOfDay": "20261121120030",
    }


def test_phase_2_describes_the_proposal_and_the_flows() -> None:
    found = attributes.phase2(tunnel_request(GATEWAY), NOW)
    phase_1 = attributes.phase1(GATEWAY, NOW)
    assert phase_1.items() <= found.items()
    assert {name: value for name, value in found.items() if name not in phase_1} == {
        "initiator": "no",
        "pfs": "yes",
        "esp_present": "yes",
        "ah_present": "no",
        "comp_present": "no",
        "esp_enc_alg": "aes",
        "esp_auth_alg": "hmac-sha2-256",
        "esp_encapsulation": "tunnel",
        "esp_ecn": "no",
        "esp_key_length": "256",
        "esp_group_desc": "14",
        "esp_life_seconds": "1200",
        "remote_filter": "010.001.002.000-010.001.002.255",
        "remote_filter_type": "IPv4 subnet",
        "remote_filter_addr_lower": "010.001.002.000",
        "remote_filter_addr_upper": "010.001.002.255",
        "remote_filter_proto": "0",
        "remote_filter_port": "0",
        "local_filter": "192.168.000.001",
        "local_filter_type": "IPv4 address",
        "local_filter_addr_lower": "192.168.000.001",
        "local_filter_addr_upper": "192.168.000.001",
        "local_filter_proto": "0",
        "local_filter_port": "0",
    }


@pytest.mark.parametrize(
    ("transform", "authentication", "expected"),
    [
        (EspTransform.AES_GCM_16, None, {"esp_enc_alg": "aes"}),
        (
            EspTransform.TRIPLE_DES,
            AuthenticationAlgorithm.HMAC_SHA1,
            {"esp_enc_alg": "3des", "esp_auth_alg": "hmac-sha"},
        ),
        (EspTransform.NULL, AuthenticationAlgorithm.HMAC_MD5, {"esp_enc_alg": "null", "esp_auth_alg": "hmac-md5"}),
        (EspTransform.AES_GMAC, None, {"esp_enc_alg": "null"}),  # it authenticates only
    ],
)
def test_esp_algorithms(
    transform: EspTransform, authentication: AuthenticationAlgorithm | None, expected: dict[str, str]
) -> None:
    parameters = ProtocolParameters(ProtocolId.ESP, transform, EncapsulationMode.TUNNEL, authentication)
    found = attributes.phase2(tunnel_request(GATEWAY, parameters), NOW)
    algorithms = {name: value for name, value in found.items() if name in ("esp_enc_alg", "esp_auth_alg")}
    assert algorithms == expected
    assert found["pfs"] == "no"
    assert "esp_group_desc" not in found
    assert "esp_life_seconds" not in found


def test_ah_and_esp_together() -> None:
    ah = ProtocolParameters(
        ProtocolId.AH, AhTransform.SHA2_256, EncapsulationMode.TRANSPORT, AuthenticationAlgorithm.HMAC_SHA2_256
    )
    found = attributes.phase2(tunnel_request(GATEWAY, AES, ah), NOW)
    assert found["esp_present"] == found["ah_present"] == "yes"
    assert found["ah_hash_alg"] == "sha2-256"
    assert found["ah_auth_alg"] == "hmac-sha2-256"
    assert found["ah_encapsulation"] == "transport"


@pytest.mark.parametrize("order", [1, -1])
def test_compression(order: int) -> None:
    deflate = ProtocolParameters(
        ProtocolId.IPCOMP, IpcompTransform.DEFLATE, EncapsulationMode.UDP_TUNNEL, None, life_seconds=1200
    )
    with_esp, alone = tunnel_request(GATEWAY, AES), attributes.phase2(tunnel_request(GATEWAY, AES), NOW)
    found = attributes.phase2(replace(with_esp, protocols=(AES, deflate)[::order]), NOW)
    assert {name: value for name, value in found.items() if alone.get(name) != value} == {
        "comp_present": "yes",
        "comp_alg": "deflate",
        "comp_encapsulation": "udp-encap-tunnel",
        "comp_ecn": "no",
        "comp_life_seconds": "1200",
    }
    assert alone.keys() <= found.keys()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (EncapsulationMode.TUNNEL, "tunnel"),
        (EncapsulationMode.TRANSPORT, "transport"),
        (EncapsulationMode.UDP_TUNNEL, "udp-encap-tunnel"),
        (EncapsulationMode.UDP_TRANSPORT, "transport"),
        (EncapsulationMode.UDP_TUNNEL_DRAFT, "udp-encap-tunnel"),
    ],
)
def test_encapsulation(mode: EncapsulationMode, expected: str) -> None:
    parameters = ProtocolParameters(ProtocolId.ESP, EspTransform.AES_GCM_16, mode, None, key_length=128)
    assert attributes.phase2(tunnel_request(GATEWAY, parameters), NOW)["esp_encapsulation"] == expected


@pytest.mark.parametrize(
    ("identity", "kind", "text"),
    [
        (Identity.fqdn("gw.example.com"), "FQDN", "gw.example.com"),
        (Identity.user_fqdn("alice@example.com"), "User FQDN", "alice@example.com"),
        (Identity.address(ip_address("10.1.2.3")), "IPv4 address", "010.001.002.003"),
        (Identity.address(ip_address("2001:DB8::1")), "IPv6 address", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        (Identity.key_id(b"vpn group"), "Key ID", "vpn group"),
        (Identity.key_id(b"\x01\xff"), "Key ID", "01ff"),
    ],
)
def test_remote_id(identity: Identity, kind: str, text: str) -> None:
    found = attributes.phase1(identity_request(identity), NOW)
    assert (found["remote_id_type"], found["remote_id"]) == (kind, text)
    is_address = "address" in kind
    assert found["remote_id_addr_lower"] == found["remote_id_addr_upper"] == (text if is_address else "")


def test_remote_id_of_a_name_is_the_text_of_its_principal() -> None:
    subject = factory.leaf(factory.authority(), "gw.example.com").certificate.subject
    found = attributes.phase1(identity_request(Identity.dn(subject.public_bytes())), NOW)
    assert found["remote_id_type"] == "ASN1 DN"
    assert found["remote_id"] == "/C=XX/O=Test/CN=gw.example.com"


def test_a_range_with_a_port_and_no_client_ids() -> None:
    request = tunnel_request(GATEWAY)
    odd = Selector(ip_address("10.0.0.1"), ip_address("10.0.0.9"), protocol=6, port=443)
    fields = {name: getattr(request, name) for name in request.__dataclass_fields__}
    found = attributes.phase2(type(request)(**{**fields, "remote": odd}), NOW)
    assert found["remote_filter_type"] == "IPv4 range"
    assert (found["remote_filter_proto"], found["remote_filter_port"]) == ("tcp", "443")
    found = attributes.phase2(type(request)(**{**fields, "client_ids": False}), NOW)
    assert (found["remote_filter_proto"], found["local_filter_port"]) == ("", "")


def test_every_attribute_and_value_is_in_the_schema() -> None:
    """The linter believes the schema; a name that only the builder knows would be called a typo."""
    ah = ProtocolParameters(
        ProtocolId.AH, AhTransform.SHA1, EncapsulationMode.TUNNEL, AuthenticationAlgorithm.HMAC_SHA1, life_kilobytes=5
    )
    comp = ProtocolParameters(ProtocolId.IPCOMP, IpcompTransform.DEFLATE, EncapsulationMode.TUNNEL, None)
    found = attributes.phase2(tunnel_request(GATEWAY, AES, ah, comp), NOW)
    assert set(found) <= set(ipsec.ATTRIBUTES)
    assert [name for name, value in found.items() if not ipsec.ATTRIBUTES[name].allows(value)] == []


def test_group_numbers_are_decimal() -> None:
    assert attributes.phase1(GATEWAY, NOW)["phase1_group_desc"] == str(int(Group.MODP_2048))
