# SPDX-License-Identifier: ISC
"""[Phase 1] and ISAKMP-peer sections, tag by tag."""

from ipaddress import ip_address

import pytest

from ike_auth.config.model import Peer
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity
from tests.ike_auth.config.reading import TUNNEL, configuration, errors, tunnel, warnings

HOME = ip_address("192.0.2.2")


def east(**tags: str) -> Peer:
    return configuration(tunnel(**tags)).peers["east"]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("correct horse", b"correct horse"),
        ("0x00ff10", b"\x00\xff\x10"),
        ("0XAb", b"\xab"),
        ("x00ff", b"x00ff"),
        ("a=b,c", b"a=b,c"),
    ],
)
def test_preshared_key(written: str, key: bytes) -> None:
    assert east(Authentication=written).preshared_key == Secret(key)


@pytest.mark.parametrize("written", ["0x", "0x123", "0xzz", "0x12 34", "0x12\u0663\u0663"])
def test_a_key_that_looks_hexadecimal_and_is_not(written: str) -> None:
    assert errors(tunnel(Authentication=written)) == [
        "vpn:7: `Authentication` starts with 0x, but is not hexadecimal"
    ]


def test_an_empty_key_is_none() -> None:
    assert errors(tunnel(Authentication="")) == ["vpn:7: `Authentication` has no value"]


def test_a_transform_for_keys_needs_a_key() -> None:
    text = TUNNEL.replace("Authentication= correct horse battery", "Configuration= main-mode")
    text += "[main-mode]\nEXCHANGE_TYPE= ID_PROT\nTransforms= AES-256-SHA2-256-GRP14\n"
    assert errors(text) == [
        "vpn:5: missing tag `Authentication` in `[east]` "
        "(its transform `AES-256-SHA2-256-GRP14` needs a pre-shared key)"
    ]


def test_a_key_that_no_transform_uses_is_warned_of() -> None:
    text = TUNNEL.replace("[west-east]\n", "Configuration= main-mode\n[west-east]\n")
    text += "[main-mode]\nEXCHANGE_TYPE= ID_PROT\nTransforms= AES-256-SHA2-256-GRP14-RSA_SIG\n"
    assert warnings(text) == [
        "vpn:7: `Authentication` has no effect: no transform of `[east]` is for pre-shared keys"
    ]


def test_transforms_by_default_follow_from_the_key() -> None:
    assert [t.name for t in east().transforms] == ["AES-256-SHA2-256-GRP14"]
    without = configuration(TUNNEL.replace("Authentication= correct horse battery\n", ""))
    assert [t.name for t in without.peers["east"].transforms] == ["AES-256-SHA2-256-GRP14-RSA_SIG"]


@pytest.mark.parametrize(
    ("written", "port"), [("500", 500), ("4500", 4500), ("isakmp", 500), ("IPSEC-NAT-T", 4500), ("65535", 65535)]
)
def test_port(written: str, port: int) -> None:
    assert east(Port=written).port == port


@pytest.mark.parametrize("written", ["0", "65536", "isakmpd", "+5", "٥"])
def test_no_port(written: str) -> None:
    (error,) = errors(tunnel(Port=written))
    assert error.startswith(f"vpn:8: `Port`: `{written}` is not a number from 1 to 65535")


def test_address() -> None:
    assert east().address == HOME
    assert east(Address="192.0.2.2", Local_address="192.0.2.1").local_address == ip_address("192.0.2.1")


def test_address_that_is_not_the_listed_one_is_warned_of() -> None:
    assert warnings(tunnel(Address="192.0.2.3")) == [
        "vpn:8: `[east]` is the peer at 192.0.2.2, but its `Address` is 192.0.2.3"
    ]


def test_a_peer_that_is_not_listed_is_only_called() -> None:
    text = tunnel(Address="192.0.2.2").replace("192.0.2.2= east\n", "")
    assert warnings(text) == [
        "vpn:7: no line of `[Phase 1]` names `[east]`, so it is not who speaks from 192.0.2.2 "
        "(add `192.0.2.2= east` there)"
    ]


def test_one_section_for_two_addresses() -> None:
    found = configuration(TUNNEL.replace("[Phase 2]", "2001:db8::2= east\n[Phase 2]"))
    assert found.peer_at(ip_address("2001:db8:0::2")) is found.peers["east"]
    assert found.peers["east"].address == HOME


def test_an_address_has_one_peer() -> None:
    text = TUNNEL.replace("[Phase 2]", "2001:db8::2= east\n2001:db8:0::2= east\n[Phase 2]")
    assert errors(text) == ["vpn:4: the peer at `2001:db8:0::2` is already named in vpn:3"]


@pytest.mark.parametrize("written", ["gw.example.org", "eth0", "default", "192.0.2.256", "192.0.2", "192.0.02.2"])
def test_addresses_are_numbers(written: str) -> None:
    message = f"`{written}` is not an IP address (names of hosts and interfaces are not looked up)"
    assert errors(tunnel(Address=written)) == [f"vpn:8: {message}"]
    if written != "default":
        assert errors(TUNNEL.replace("192.0.2.2=", f"{written}="))[0] == f"vpn:2: {message}"


def test_only_udp() -> None:
    assert east(Transport="udp") == east()
    assert errors(tunnel(Transport="tcp")) == ["vpn:8: `Transport`: `tcp` is unknown (one of udp)"]


def test_phase_is_required() -> None:
    assert errors(TUNNEL.replace("Phase= 1\n", "")) == ["vpn:5: missing tag `Phase` in `[east]`"]


def test_identities() -> None:
    ids = "[me]\nID-type= FQDN\nName= WEST.example.org\n[them]\nID-type= USER_FQDN\nName= Alice@Example.org\n"
    found = configuration(TUNNEL.replace("[west-east]", "ID= me\nRemote-ID= them\n[west-east]") + ids)
    assert found.peers["east"].own_id == Identity.fqdn("west.example.org")
    assert found.peers["east"].remote_id == Identity.user_fqdn("Alice@example.org")


def test_identity_by_default() -> None:
    text = "[General]\nDefault-phase-1-ID= me\n[me]\nID-type= FQDN\nName= west.example.org\n" + TUNNEL
    found = configuration(text)
    assert {peer.own_id for peer in found.peers.values()} == {Identity.fqdn("west.example.org")}


# --- flags


def test_flags_have_no_effect_yet() -> None:
    assert warnings(tunnel(Flags="ikecfg, Stayalive,ikecfgg")) == [
        "vpn:8: flag `ikecfg` is not supported yet and has no effect",
        "vpn:8: unknown flag `Stayalive`",
        "vpn:8: unknown flag `ikecfgg` (did you mean `ikecfg`?)",
    ]


def test_strict_remote_id() -> None:
    assert east().strict_remote_id
    assert east(Strict_Remote_ID="yes").strict_remote_id
    assert warnings(tunnel(Strict_Remote_ID="no")) == [
        "vpn:8: `Strict-Remote-ID= no`: `[east]` may claim any name that policy does not refuse"
    ]
    assert errors(tunnel(Strict_Remote_ID="maybe")) == [
        "vpn:8: `Strict-Remote-ID`: `maybe` is unknown (one of yes, no)"
    ]


def test_initial_contact() -> None:
    assert east().initial_contact
    assert not east(Initial_contact="no").initial_contact


# --- Default=

ANYBODY = """\
[Phase 1]
Default= anybody
[anybody]
Phase= 1
Authentication= correct horse battery
"""


def test_default_is_for_whoever_has_no_line() -> None:
    found = configuration(ANYBODY)
    assert found.default_peer == "anybody"
    assert found.peer_at(ip_address("198.51.100.1")) is found.peers["anybody"]
    assert (found.peers["anybody"].is_default, found.peers["anybody"].address) == (True, None)


def test_an_empty_default_is_nobody() -> None:
    found = configuration(TUNNEL.replace("[Phase 2]", "Default=\n[Phase 2]"))
    assert (found.default_peer, list(found.peers)) == (None, ["east"])
    assert found.peer_at(ip_address("198.51.100.1")) is None


def test_a_generated_default_has_the_transforms_that_need_no_key() -> None:
    own = "[Default-phase-1-configuration]\nTransforms= {}\n"
    found = configuration(own.format("AES-128-SHA2-256-GRP19-RSA_SIG,AES-128-SHA2-256-GRP19"))
    assert [t.name for t in found.peers["Default-phase-1"].transforms] == ["AES-128-SHA2-256-GRP19-RSA_SIG"]


def test_where_a_peer_is_named_strangers_are_refused_unless_the_file_says_so() -> None:
    assert configuration(TUNNEL).default_peer is None
    named = TUNNEL.replace("[Phase 1]", "[Phase 1]\nDefault= Default-phase-1", 1)
    assert configuration(named).default_peer == "Default-phase-1"
    assert configuration(TUNNEL + "[Default-phase-1]\nPhase= 1\n").default_peer == "Default-phase-1"


def test_a_generated_default_without_transforms_is_nobody() -> None:
    text = "[Default-phase-1-configuration]\nTransforms= AES-256-SHA2-256-GRP14\n"
    assert warnings(text) == [
        "vpn:1: `[Phase 1]` has no `Default=`: peers that have no line there are refused "
        "(`[Default-phase-1-configuration]` has no transform with RSA_SIG and without legacy for them)"
    ]


def test_a_listed_peer_without_a_value() -> None:
    assert errors(TUNNEL.replace("192.0.2.2= east", "192.0.2.2="))[0] == (
        "vpn:2: `192.0.2.2` has no value (name the section of that peer)"
    )


def test_aggressive_mode_is_not_there_yet() -> None:
    text = tunnel().replace("[west-east]\n", "Configuration= aggressive\n[west-east]\n")
    text += "[aggressive]\nEXCHANGE_TYPE= AGGRESSIVE\nTransforms= AES-256-SHA2-256-GRP14\n"
    assert errors(text) == ["vpn:27: `AGGRESSIVE` is not supported yet (`EXCHANGE_TYPE= ID_PROT` is main mode)"]
