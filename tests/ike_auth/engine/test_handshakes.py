# SPDX-License-Identifier: ISC
"""Whole handshakes between two of ours: main mode, then quick mode. Both ends have to mean the same by the result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_address

import pytest

from ike_auth.authorization.requests import Decision, TunnelRequest
from ike_auth.effects import Effect, InstallSa, Report, SendDatagram
from ike_auth.events import ExchangeFailed, IkeSaUp, LegacyInUse, TunnelRefused, TunnelUp
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.suites import describe
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import AuthenticationMethod, EspTransform, ExchangeType, Group
from tests.ike_auth.configurations import ADDRESSES, NAME, NETWORK, SUBNETS, A, B
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, meet, pair
from tests.ike_auth.simulation import AllowAll, Host, Network

# No name of isakmpd's stands for a suite of two protocols.
BUNDLE = """
[bundle]
Protocols= bundle-esp,bundle-ah

[bundle-esp]
PROTOCOL_ID= IPSEC_ESP
Transforms= QM-ESP-AES-128-SHA2-256-PFS-GRP31-XF

[bundle-ah]
PROTOCOL_ID= IPSEC_AH
Transforms= bundle-ah-xf

[bundle-ah-xf]
TRANSFORM_ID= SHA2_256
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA2_256
GROUP_DESCRIPTION= CURVE25519
Life= LIFE_QUICK_MODE
"""


def ike_sa(host: Host) -> IkeSa:
    (sa,) = host.engine.table.ike_sas.values()
    return sa


def tunnel(host: Host) -> Tunnel:
    (there,) = host.engine.table.tunnels
    return there


# --- main mode


def test_pre_shared_key() -> None:
    a, b = pair()
    network = meet(a, b)
    assert_joined(a, b)
    assert [len(host.of(IkeSaUp)) for host in (a, b)] == [1, 1]
    for host, other in ((a, b), (b, a)):
        sa = ike_sa(host)
        assert sa.identity == Identity.address(other.address)
        assert sa.initiator == (host is a)
        assert sa.suite.authentication == AuthenticationMethod.PRE_SHARED
        assert sa.last_block == ike_sa(other).last_block
    exchanges = [Header.decode(datagram.data).exchange for datagram in network.carried]
    assert exchanges == [ExchangeType.MAIN] * 6 + [ExchangeType.QUICK] * 3


def test_rsa_signatures() -> None:
    a, b = pair(FAST_RSA)
    meet(a, b)
    assert_joined(a, b)
    assert ike_sa(a).identity == Identity.fqdn(NAME[B])
    assert ike_sa(b).identity == Identity.fqdn(NAME[A])
    assert ike_sa(a).authorization_ends == ike_sa(b).authorization_ends is not None


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("GRP5", Group.MODP_1536),
        ("GRP14", Group.MODP_2048),
        ("GRP19", Group.ECP_256),
        ("GRP20", Group.ECP_384),
        ("GRP21", Group.ECP_521),
        ("GRP31", Group.CURVE25519),
    ],
)
def test_groups(name: str, group: Group) -> None:
    options = {
        "transforms": f"AES-128-SHA2-256-{name}",
        "suites": f"QM-ESP-AES-128-SHA2-256-PFS-{name}-SUITE",
    }
    a, b = pair(options)
    meet(a, b)
    assert_joined(a, b)
    assert ike_sa(a).suite.group == ike_sa(b).suite.group == group
    assert tunnel(a).inbound[0].parameters.group == group


@pytest.mark.parametrize("transform", ["AES-256-SHA2-512-GRP31", "AES-192-SHA2-384-GRP31", "AES-128-SHA-GRP31"])
def test_hashes_and_key_lengths(transform: str) -> None:
    a, b = pair({**FAST, "transforms": transform, "peer": "Allow-Legacy= SHA1"})
    meet(a, b)
    assert_joined(a, b)


def test_the_first_transform_of_the_initiator_that_the_responder_has() -> None:
    a, b = pair(
        of_a={"transforms": "AES-256-SHA2-512-GRP31,AES-192-SHA2-256-GRP31,AES-128-SHA2-256-GRP31"},
        of_b={"transforms": "AES-128-SHA2-256-GRP31,AES-192-SHA2-256-GRP31"},
    )
    meet(a, b)
    assert_joined(a, b)
    assert ike_sa(b).suite.key_length == ike_sa(a).suite.key_length == 192


def test_no_common_transform_is_said_by_both() -> None:
    a, b = pair(of_b={"transforms": "AES-256-SHA2-256-GRP31"})
    meet(a, b)
    refused = b.of(ExchangeFailed)
    assert len(refused) == 4, "once for each time that the offer came"
    assert str(refused[0]) == (
        "main mode with peer at 10.99.0.1:500 failed: no common phase 1 transform: `AES_CBC 128 SHA2_256 CURVE25519"
        " PRE_SHARED`: KEY_LENGTH is 128, we want 256 (AES-256-SHA2-256-GRP31)"
    )
    (failed,) = a.of(ExchangeFailed)
    assert "no main mode 2 after 4 attempts; offered was AES-128-SHA2-256-GRP31" in failed.why
    assert "NO_PROPOSAL_CHOSEN" in failed.why


def test_legacy_algorithms_are_in_use_by_the_switch_and_that_is_said() -> None:
    legacy = {
        "transforms": "3DES-MD5-GRP5",
        "suites": "QM-ESP-3DES-MD5-PFS-GRP5-SUITE",
        "peer": "Allow-Legacy= 3DES,MD5",
    }
    a, b = pair(legacy)
    meet(a, b)
    assert_joined(a, b)
    assert [str(event) for event in b.of(LegacyInUse)] == ["legacy algorithms in use with peer: 3DES, MD5"]


def test_null_encryption_by_the_switch() -> None:
    suite = {"suites": "QM-ESP-NULL-SHA2-256-SUITE", "peer": "Allow-Legacy= NULL"}
    a, b = pair({**FAST, **suite})
    meet(a, b)
    assert_joined(a, b)
    assert tunnel(a).inbound[0].parameters.transform == EspTransform.NULL
    assert len(tunnel(a).inbound[0].encryption_key.reveal()) == 0


def test_null_encryption_without_the_switch_is_refused_by_the_responder() -> None:
    a, b = pair(
        of_a={"suites": "QM-ESP-NULL-SHA2-256-SUITE", "peer": "Allow-Legacy= NULL"},
        of_b={"suites": "QM-ESP-AES-128-SHA2-256-SUITE"},
    )
    meet(a, b)
    assert "needs `Allow-Legacy= NULL` in the peer's section" in b.of(ExchangeFailed)[0].why
    assert "the peer says NO_PROPOSAL_CHOSEN" in a.of(ExchangeFailed)[0].why
    assert not a.installed
    assert not b.installed


# --- quick mode


@pytest.mark.parametrize(
    ("suite", "described", "keys"),
    [
        ("QM-ESP-AES-128-SHA2-256-SUITE", "ESP AES_CBC-128 HMAC_SHA2_256 tunnel no PFS", (16, 32)),
        (
            "QM-ESP-AES-256-SHA2-256-PFS-GRP31-SUITE",
            "ESP AES_CBC-256 HMAC_SHA2_256 tunnel PFS CURVE25519",
            (32, 32),
        ),
        (
            "QM-ESP-AES-256-SHA2-512-PFS-GRP19-SUITE",
            "ESP AES_CBC-256 HMAC_SHA2_512 tunnel PFS ECP_256",
            (32, 64),
        ),
        ("QM-ESP-AES-192-SHA-SUITE", "ESP AES_CBC-192 HMAC_SHA1 tunnel no PFS", (24, 20)),
        ("QM-ESP-AESGCM-128-SUITE", "ESP AES_GCM_16-128 tunnel no PFS", (20, 0)),
        ("QM-ESP-AESGCM-256-PFS-GRP31-SUITE", "ESP AES_GCM_16-256 tunnel PFS CURVE25519", (36, 0)),
        ("QM-ESP-TRP-AES-128-SHA2-256-SUITE", "ESP AES_CBC-128 HMAC_SHA2_256 transport no PFS", (16, 32)),
        ("QM-AH-SHA2-256-SUITE", "AH SHA2_256 HMAC_SHA2_256 tunnel no PFS", (0, 32)),
        ("QM-AH-TRP-SHA2-384-PFS-GRP31-SUITE", "AH SHA2_384 HMAC_SHA2_384 transport PFS CURVE25519", (0, 48)),
    ],
)
def test_suites(suite: str, described: str, keys: tuple[int, int]) -> None:
    a, b = pair({**FAST, "suites": suite})
    meet(a, b)
    assert_joined(a, b)
    (inbound,), (outbound,) = tunnel(a).inbound, tunnel(a).outbound
    assert describe(inbound.parameters) == describe(outbound.parameters) == described
    for sa in (inbound, outbound):
        assert (len(sa.encryption_key.reveal()), len(sa.integrity_key.reveal())) == keys
    assert inbound.fingerprint != outbound.fingerprint


def test_esp_and_ah_in_one_suite() -> None:
    a, b = pair({**FAST, "suites": "bundle", "sections": BUNDLE})
    meet(a, b)
    assert_joined(a, b)
    assert [sa.protocol.name for sa in tunnel(a).inbound] == ["ESP", "AH"]
    assert len({sa.spi for sa in tunnel(a).sas}) == 4
    assert len(a.installed) == 4


def test_with_pfs_the_keys_of_two_tunnels_have_nothing_in_common() -> None:
    a, b = pair()
    network = meet(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b, tunnels=2)
    keys = {sa.encryption_key.reveal() for sa in a.installed.values()}
    assert len(keys) == 4


def of_range(host: Host) -> Host:
    """What isakmpd.conf has no words for: client identities that are ranges."""
    ends = {A: Selector(ip_address("10.1.0.5"), ip_address("10.1.0.9")), B: Selector.of(ip_address("10.2.0.1"))}
    ours, theirs = (ends[A], ends[B]) if str(host.address) == A else (ends[B], ends[A])
    connection = replace(host.configuration.connections["tunnel"], local=ours, remote=theirs)
    return Host(host.address, replace(host.configuration, connections={"tunnel": connection}), seed=host.seed)


@pytest.mark.parametrize(
    ("clients", "local", "remote"),
    [
        (SUBNETS, f"{NETWORK[A]}/16", f"{NETWORK[B]}/16"),
        (ADDRESSES, "10.1.0.7", "10.2.0.7"),
        ({A: f"{ADDRESSES[A]}\nProtocol= 6\nPort= 80", B: f"{ADDRESSES[B]}\nProtocol= 6"}, "10.1.0.7", "10.2.0.7"),
        (None, A, B),
    ],
    ids=["subnets", "addresses", "ports", "none"],
)
def test_client_identities(clients: Options | None, local: str, remote: str) -> None:
    a, b = pair({**FAST, "clients": clients}, of_b={"active": True})
    network = Network(a, b)
    network.do(a, a.engine.start(network.clock))
    network.run(1)
    assert_joined(a, b)
    assert (str(tunnel(a).local).split()[0], str(tunnel(a).remote).split()[0]) == (local, remote)
    assert tunnel(b).connection == "tunnel"


def test_client_identities_that_are_ranges() -> None:
    a, b = (of_range(host) for host in pair())
    meet(a, b)
    assert_joined(a, b)
    assert str(tunnel(b).remote) == "10.1.0.5-10.1.0.9"


@dataclass(frozen=True, slots=True)
class Only(AllowAll):
    """Policy for tunnels by their description."""

    wanted: Callable[[str], bool] = lambda _: True

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        text = " + ".join(describe(protocol) for protocol in request.protocols)
        allowed = self.wanted(text)
        return Decision(allowed, "true" if allowed else "false", f"policy {'likes' if allowed else 'hates'} {text}")


THREE = "QM-ESP-AES-128-SHA2-256-SUITE,QM-ESP-AES-192-SHA2-256-SUITE,QM-ESP-AESGCM-256-SUITE"


def test_of_several_proposals_the_first_acceptable_one() -> None:
    a, b = pair(of_a={"suites": THREE}, of_b={"suites": "QM-ESP-AESGCM-256-SUITE,QM-ESP-AES-192-SHA2-256-SUITE"})
    meet(a, b)
    assert_joined(a, b)
    assert tunnel(b).inbound[0].parameters.key_length == 192


def test_policy_may_refuse_the_first_proposal_and_allow_the_second() -> None:
    a, b = pair({**FAST, "suites": THREE}, b={"authorizer": Only(wanted=lambda text: "-128" not in text)})
    meet(a, b)
    assert_joined(a, b)
    assert tunnel(b).inbound[0].parameters.key_length == 192
    assert tunnel(b).because == "policy likes ESP AES_CBC-192 HMAC_SHA2_256 tunnel no PFS"


def test_policy_of_the_responder_may_refuse_all() -> None:
    a, b = pair({**FAST, "suites": THREE}, b={"authorizer": Only(wanted=lambda _: False)})
    meet(a, b)
    (refused,) = b.of(TunnelRefused)
    assert len(refused.requests) == len(refused.decisions) == 3
    assert str(refused).count("policy hates") == 3
    assert "the peer says NO_PROPOSAL_CHOSEN" in a.of(ExchangeFailed)[0].why
    assert not a.installed
    assert not b.installed
    assert len(a.engine.table.ike_sas) == len(b.engine.table.ike_sas) == 1


def test_policy_of_the_initiator_refuses_what_the_responder_chose() -> None:
    a, b = pair(a={"authorizer": Only(wanted=lambda _: False)})
    meet(a, b)
    (refused,) = a.of(TunnelRefused)
    assert "policy hates ESP AES_CBC-128" in str(refused)
    (failed,) = b.of(ExchangeFailed)
    assert failed.why.startswith("the peer says NO_PROPOSAL_CHOSEN")
    assert not a.installed
    assert not b.installed, "the inbound SA that waited is gone"


# --- the order of effects


def order(effects: list[Effect]) -> list[str]:
    """What a host did, in a word each."""
    words = []
    for effect in effects:
        match effect:
            case SendDatagram(data):
                words.append(f"send {Header.decode(data).exchange.name.lower()}")
            case InstallSa(sa):
                words.append("install in" if sa.inbound else "install out")
            case Report(IkeSaUp()):
                words.append("phase 1 up")
            case Report(TunnelUp()):
                words.append("tunnel up")
    return words


def test_the_responder_receives_before_message_2_leaves_and_sends_after_message_3() -> None:
    done: list[Effect] = []
    a, b = pair(b={"watch": done.append})
    meet(a, b)
    assert order(done)[3:] == ["phase 1 up", "install in", "send quick", "install out", "tunnel up"]


def test_the_initiator_has_both_directions_before_message_3_leaves() -> None:
    done: list[Effect] = []
    a, b = pair(a={"watch": done.append})
    meet(a, b)
    assert order(done)[3:] == [
        "phase 1 up",
        "send quick",
        "install in",
        "install out",
        "send quick",
        "tunnel up",
    ]


def test_the_initiator_is_up_before_its_quick_mode_begins() -> None:
    of_a: list[Effect] = []
    of_b: list[Effect] = []
    a, b = pair(FAST_RSA, a={"watch": of_a.append}, b={"watch": of_b.append})
    meet(a, b)
    assert order(of_a)[:5] == ["send main"] * 3 + ["phase 1 up", "send quick"]
    assert order(of_b)[:4] == ["send main"] * 3 + ["phase 1 up"]
