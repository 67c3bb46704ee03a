# SPDX-License-Identifier: ISC
"""Whole configurations: what they become, what is said about them, and the files they come in."""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ike_auth.config import schema
from ike_auth.config.errors import ConfigError
from ike_auth.config.isakmpd import load, parse
from ike_auth.config.model import (
    Accept,
    Certificates,
    Configuration,
    Connection,
    General,
    Location,
    Peer,
    Phase1Transform,
    Phase2Transform,
    ProtocolOffer,
    Suite,
)
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import (
    AuthenticationAlgorithm,
    AuthenticationMethod,
    EncapsulationMode,
    EncryptionAlgorithm,
    EspTransform,
    ExchangeType,
    Group,
    HashAlgorithm,
    ProtocolId,
)
from tests.ike_auth.config.reading import TUNNEL, complaints, configuration, errors, tunnel, warnings

PHASE_1 = Phase1Transform(
    "AES-256-SHA2-256-GRP14",
    EncryptionAlgorithm.AES_CBC,
    Accept.exactly(256),
    HashAlgorithm.SHA2_256,
    AuthenticationMethod.PRE_SHARED,
    Group.MODP_2048,
    Accept(3600, 60, 86400),
)
PHASE_2 = Phase2Transform(
    "QM-ESP-AES-256-SHA2-256-PFS-GRP14-XF",
    EspTransform.AES_CBC,
    EncapsulationMode.TUNNEL,
    AuthenticationAlgorithm.HMAC_SHA2_256,
    Group.MODP_2048,
    Accept.exactly(256),
    Accept(1200, 60, 86400),
)
EAST = Peer(
    name="east",
    where=Location("vpn", 5),
    address=ip_address("192.0.2.2"),
    local_address=None,
    port=500,
    exchange=ExchangeType.ID_PROT,
    transforms=(PHASE_1,),
    preshared_key=Secret(b"correct horse battery"),
    own_id=None,
    remote_id=None,
)


def test_a_tunnel_with_a_preshared_key() -> None:
    found = configuration(TUNNEL)
    assert found.peers["east"] == EAST
    assert found.peer_by_address == {ip_address("192.0.2.2"): "east"}
    assert found.connections == {
        "west-east": Connection(
            name="west-east",
            where=Location("vpn", 8),
            peer="east",
            local=Selector.of(ip_network("10.1.0.0/16")),
            remote=Selector.of(ip_network("10.2.0.0/16")),
            suites=(Suite("QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE", (ProtocolOffer(ProtocolId.ESP, (PHASE_2,)),)),),
            active=True,
        )
    }
    assert found.peer_at(ip_address("192.0.2.2")) == EAST
    assert found.connections_of("east") == (found.connections["west-east"],)
    assert (found.general, found.certificates) == (General(), Certificates())


def test_an_empty_file_is_a_gateway_for_holders_of_certificates() -> None:
    found = configuration("")
    assert list(found.peers) == [found.default_peer] == ["Default-phase-1"]
    stranger = found.peers["Default-phase-1"]
    assert [t.name for t in stranger.transforms] == ["AES-256-SHA2-256-GRP14-RSA_SIG"]
    assert (stranger.address, stranger.preshared_key, stranger.is_default) == (None, None, True)
    assert found.peer_at(ip_address("198.51.100.7")) is stranger
    assert [suite.name for suite in found.default_suites] == ["QM-ESP-AESGCM-256-PFS-GRP14-SUITE"]
    (transform,) = found.default_suites[0].protocols[0].transforms
    assert (transform.transform, transform.authentication) == (EspTransform.AES_GCM_16, None)
    assert (transform.group, transform.key_length) == (Group.MODP_2048, Accept.exactly(256))


def test_names_of_sections_are_found_in_any_case() -> None:
    found = configuration(
        tunnel(ISAKMP_peer="EAST", Configuration="Quick-Mode").replace("192.0.2.2= east", "192.0.2.2= East")
    )
    assert found.peers["east"] == EAST
    assert found.connections["west-east"].peer == "east"
    assert found.peer_by_address == {ip_address("192.0.2.2"): "east"}


def test_everything_wrong_is_said_at_once_and_in_order() -> None:
    text = TUNNEL.replace("192.0.2.2= east", "192.0.2.YYY= east").replace("Phase= 1", "Phase= 3")
    text = text.replace("Remote-ID= east-net", "Remote-ID= east-nte").replace("255.255.0.0", "255.0.255.0")
    text = "nonsense\n" + text.replace("Suites= QM-ESP", "Suites= QM-EPS")
    assert errors(text) == [
        "vpn:1: syntax error: neither `[section]` nor `tag= value` nor a comment",
        "vpn:3: `192.0.2.YYY` is not an IP address (names of hosts and interfaces are not looked up)",
        "vpn:6: missing tag `Address` in `[east]`",
        "vpn:7: `Phase`: `3` is unknown (one of 1)",
        "vpn:14: there is no section `[east-nte]` (did you mean `east-net`?)",
        "vpn:17: there is no section `[QM-EPS-AES-256-SHA2-256-PFS-GRP14-SUITE]` "
        "(did you mean `QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE`?)",
        "vpn:21: `Netmask`: `255.0.255.0` is not a mask of IPV4_ADDR_SUBNET",
    ]


def test_misspelt_tags_and_sections_are_warned_of() -> None:
    text = (
        TUNNEL.replace("[west-east]", "Adress= 192.0.2.2\n[west-east]")
        + "policy-file= x\n[Genral]\nRetransmits= 5\n[odd]\nColour= red\n"
    )
    assert warnings(text) == [
        "vpn:8: unknown tag `Adress` in `[east]` (did you mean `Address`?)",
        "vpn:26: unknown tag `policy-file` in `[east-net]` (it belongs into `[General]`)",
        "vpn:27: unknown section `[Genral]` (did you mean `General`?)",
        "vpn:29: unknown section `[odd]` (nothing refers to it)",
    ]


def test_unused_sections_are_warned_of_unless_they_are_spare_parts() -> None:
    spare = """\
[spare-life]
LIFE_TYPE= SECONDS
LIFE_DURATION= 600
LIFE_COLOUR= red
[3DES-SHA]
Life= spare-life
[spare-suite]
Protocols= QM-AH-SHA
[old-peer]
Phase= 1
Address= 192.0.2.9
[old-tunnel]
Phase= 2
ISAKMP-peer= old-peer
[gw.example.org]
Authentication= hush
[fqdn/gw.example.org]
Address= 10.0.0.1
"""
    assert warnings(TUNNEL + spare) == [
        "vpn:28: unknown tag `LIFE_COLOUR` in `[spare-life]` (tags there: LIFE_TYPE, LIFE_DURATION)",
        "vpn:33: `[old-peer]` has no effect (no line of `[Phase 1]` and no connection names it)",
        "vpn:36: `[old-tunnel]` has no effect "
        "(neither `Connections` nor `Passive-Connections` of `[Phase 2]` names it)",
        "vpn:39: `[gw.example.org]` has no effect (keys by the initiator's ID belong to aggressive mode, "
        "which is not supported yet)",
        "vpn:41: `[fqdn/gw.example.org]` has no effect (mode config is not supported yet)",
    ]


def test_tags_without_effect_are_warned_of() -> None:
    text = "[General]\nLoglevel= A=9\nShared-SADB= Defined\n[KeyNote]\nCredential-directory= /x\n"
    assert warnings(text) == [
        "vpn:2: `Loglevel` is not supported yet and has no effect",
        "vpn:3: `Shared-SADB` has no effect here",
        "vpn:5: `Credential-directory` is not supported yet and has no effect",
    ]


def test_no_key_shows_anywhere() -> None:
    found = complaints(tunnel(Authentication="0xhunter2 # hunter2"))
    assert len(found.errors) == len(found.warnings) == 1
    assert "hunter2" not in "".join(found.errors + found.warnings)
    assert "correct horse" not in repr(configuration(TUNNEL))


# --- bytes


@pytest.mark.parametrize("key", ["grün".encode(), "grün".encode("latin-1"), b"\xff\xfe", b"caf\xc3"])
def test_a_key_is_the_bytes_of_the_file(key: bytes) -> None:
    text = TUNNEL.encode().replace(b"correct horse battery", key)
    assert parse(text).peers["east"].preshared_key == Secret(key)


def test_a_byte_order_mark_is_left_out_with_a_warning() -> None:
    marked, plain = parse(b"\xef\xbb\xbf" + TUNNEL.encode(), "vpn"), parse(TUNNEL, "vpn")
    assert replace(marked, warnings=()) == plain
    assert [str(warning) for warning in marked.warnings] == [
        "vpn:1: a byte order mark of UTF-8 is left out"
        " (save the file as UTF-8 without it: isakmpd does not know the first line)"
    ]


def test_odd_bytes_are_printable_in_messages() -> None:
    (message,) = errors("[Phase 1]\nDefault= p\xff\u202e\n")
    assert message.startswith("vpn:2: there is no section `[pÿ\\u202e]`")
    with pytest.raises(ConfigError) as raised:
        parse(b"[Phase 1]\nDefault= \xff\n", "vpn")
    str(raised.value).encode("ascii")


# --- files


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_load_reads_a_file_and_names_it(tmp_path: Path) -> None:
    path = write(tmp_path / "isakmpd.conf", TUNNEL)
    found = load(path)
    assert found.peers["east"].where == Location(str(path), 5)
    assert load(str(path)).connections.keys() == {"west-east"}


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    text = "[General]\nPolicy-File= policy\n[X509-certificates]\nCA-directory= ca/\nPrivate-key= /k\n"
    found = load(write(tmp_path / "isakmpd.conf", text))
    assert found.general.policy_file == tmp_path / "policy"
    assert found.certificates.ca_directory == tmp_path / "ca"
    assert found.certificates.private_key == Path("/k")


def test_a_file_with_a_key_must_not_be_open_to_others(tmp_path: Path) -> None:
    path = write(tmp_path / "isakmpd.conf", TUNNEL, 0o644)
    with pytest.raises(ConfigError) as raised:
        load(path)
    message = f"`{path}` is open to other users (mode 0644), but it holds a secret (chmod 600 {path})"
    assert str(raised.value) == message


def test_a_file_without_a_key_may_be_read_but_not_written_by_others(tmp_path: Path) -> None:
    path = write(tmp_path / "isakmpd.conf", "[General]\n", 0o644)
    assert load(path).warnings == ()
    path.chmod(0o664)
    with pytest.raises(ConfigError, match="is open to other users"):
        load(path)


def test_permissions_do_not_hide_other_mistakes(tmp_path: Path) -> None:
    path = write(tmp_path / "isakmpd.conf", tunnel(Phase="7"), 0o604)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert len(raised.value.problems) == 2


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "none")
    assert str(raised.value) == f"cannot read `{tmp_path / 'none'}`: no such file or directory"


def test_peers_without_a_port_have_the_one_that_load_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "isakmpd.conf", TUNNEL)
    assert load(path, port=5500).peers["east"].port == 5500
    assert parse(tunnel(Port="501"), port=5500).peers["east"].port == 501


# --- anything

NAMES = ("General", "Phase 1", "Phase 2", "X509-certificates", "east", "west-east", "quick-mode", "east-net")
GENERATED = ("AES-256-SHA2-256-GRP14", "QM-ESP-AESGCM-128-PFS-GRP31-SUITE", "Default-phase-1", "LIFE_MAIN_MODE")
TAGS = sorted({tag for tags in schema.TAGS.values() for tag in tags} | {"Default", "192.0.2.3", "2001:db8::1"})
VALUES = [
    *("1", "2", "no", "0x12", "::1", "10.0.0.0", "FQDN", "gw.example.org", "/CN=x", "ANY", "128,96:192", "3DES-SHA"),
    *("ID_PROT", "IPSEC_AH", "AES", "HMAC_SHA", "MODP_1024", "3DES,SHA1,MODP_1024", "l2tp", "udp", ""),
]
values = st.sampled_from((*VALUES, *NAMES, *GENERATED)) | st.text(max_size=6)
lines = st.one_of(
    st.sampled_from([f"[{name}]" for name in (*NAMES, *GENERATED)]),
    st.builds("{}= {}".format, st.sampled_from(TAGS), values),
)
changes = st.lists(st.tuples(st.integers(0, TUNNEL.count("\n")), st.booleans(), lines), max_size=6)


def changed(places: list[tuple[int, bool, str]]) -> str:
    """TUNNEL with lines put in or exchanged."""
    text = TUNNEL.split("\n")
    for at, insert, line in sorted(places, reverse=True):
        text[at : at + (not insert)] = [line]
    return "\n".join(text)


texts = changes.map(changed) | st.lists(lines, max_size=20).map("\n".join) | st.text(max_size=60)


# Invariant: any text and any bytes give a Configuration that keeps its own promises, or a ConfigError.
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(texts | st.binary(max_size=60))
def test_parse_is_total(text: str | bytes) -> None:
    try:
        check_promises(parse(text))
    except ConfigError as raised:
        shown = str(raised)
        assert shown.replace("\n", "").isprintable()


def check_promises(found: Configuration) -> None:
    assert all(peer.transforms for peer in found.peers.values())
    assert all(connection.suites and connection.peer in found.peers for connection in found.connections.values())
    assert set(found.peer_by_address.values()) <= found.peers.keys()
    assert found.default_peer is None or found.peers[found.default_peer].is_default
    for suite in (*found.default_suites, *(s for c in found.connections.values() for s in c.suites)):
        assert all(protocol.transforms for protocol in suite.protocols)
