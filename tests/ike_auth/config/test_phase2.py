# SPDX-License-Identifier: ISC
"""[Phase 2], IPsec-connection and what hangs from it."""

from ipaddress import ip_address

import pytest

from ike_auth.config import algorithms
from ike_auth.config.model import Accept, Phase2Transform, ProtocolOffer
from ike_auth.crypto.ciphers import ESP_CIPHERS, INTEGRITY
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    Group,
    ProtocolId,
)
from tests.ike_auth.config.reading import TUNNEL, Complaints, complaints, configuration, errors, tunnel, warnings

GOOD = """\
[mine-suite]
Protocols= mine
[mine]
PROTOCOL_ID= IPSEC_ESP
Transforms= mine-aes
[mine-aes]
TRANSFORM_ID= AES
KEY_LENGTH= 256
ENCAPSULATION_MODE= TRANSPORT
AUTHENTICATION_ALGORITHM= HMAC_SHA2_512
GROUP_DESCRIPTION= ECP_256
Life= LIFE_QUICK_MODE
"""
HEAD = tunnel(Suites="mine-suite")
FIRST = HEAD.count("\n") + 1
SUITES = 16  # the line of Suites= in TUNNEL


def protocols(text: str) -> tuple[ProtocolOffer, ...]:
    (suite,) = configuration(text).connections["west-east"].suites
    return suite.protocols


def with_line(old: str, new: str) -> str:
    assert old in GOOD
    return HEAD + GOOD.replace(old, new)


def test_a_suite_of_ones_own() -> None:
    transform = Phase2Transform(
        "mine-aes",
        EspTransform.AES_CBC,
        EncapsulationMode.TRANSPORT,
        AuthenticationAlgorithm.HMAC_SHA2_512,
        Group.ECP_256,
        Accept.exactly(256),
        Accept(1200, 60, 86400),
    )
    assert protocols(HEAD + GOOD) == (ProtocolOffer(ProtocolId.ESP, (transform,), 64),)


def test_aes_gcm_with_pfs() -> None:
    ((offer,)) = protocols(tunnel(Suites="QM-ESP-AESGCM-128-PFS-GRP31-SUITE"))
    (transform,) = offer.transforms
    assert (transform.transform, transform.authentication) == (EspTransform.AES_GCM_16, None)
    assert (transform.group, transform.key_length) == (Group.CURVE25519, Accept.exactly(128))


def test_ah() -> None:
    (offer,) = protocols(tunnel(Suites="QM-AH-SHA2-384-SUITE"))
    (transform,) = offer.transforms
    assert offer.protocol == ProtocolId.AH
    assert transform.transform is AhTransform.SHA2_384
    assert (transform.authentication, transform.key_length) == (AuthenticationAlgorithm.HMAC_SHA2_384, None)


def test_a_bundle_of_ah_and_esp() -> None:
    text = with_line("Protocols= mine", "Protocols= QM-AH-SHA2-256-PFS-GRP19,mine")
    assert [offer.protocol for offer in protocols(text)] == [ProtocolId.AH, ProtocolId.ESP]


def test_alternatives_of_a_protocol() -> None:
    text = with_line("Transforms= mine-aes", "Transforms= mine-aes,QM-ESP-AES-128-SHA2-256-PFS-GRP19-XF")
    ((offer,)) = protocols(text)
    assert [transform.key_length for transform in offer.transforms] == [Accept.exactly(256), Accept.exactly(128)]


def test_transforms_of_one_suite_want_one_group() -> None:
    text = with_line("Transforms= mine-aes", "Transforms= mine-aes,QM-ESP-AES-128-SHA2-256-PFS-GRP14-XF")
    assert errors(text) == [f"vpn:{FIRST + 1}: transforms of `[mine-suite]` differ in `GROUP_DESCRIPTION`"]


def test_suites_with_another_group_are_never_offered() -> None:
    gcm, plain = "QM-ESP-AESGCM-256-PFS-GRP14-SUITE", "QM-ESP-AESGCM-256-SUITE"
    text = tunnel(Suites=f"{gcm},{plain}")
    assert warnings(text) == [
        f"vpn:8: `[west-east]` never offers suite `{plain}` "
        "(a quick mode has one group, and the first suite has another)"
    ]
    assert warnings(text.replace("Connections=", "Passive-Connections=")) == []


@pytest.mark.parametrize(("written", "window"), [("", 64), ("ReplayWindow= 16", 16), ("ReplayWindow= 4096", 4096)])
def test_replay_window(written: str, window: int) -> None:
    ((offer,)) = protocols(with_line("[mine-aes]", f"{written}\n[mine-aes]"))
    assert offer.replay_window == window


@pytest.mark.parametrize("written", ["-1", "0"])
def test_replay_protection_turned_off_is_warned_of(written: str) -> None:
    text = with_line("[mine-aes]", f"ReplayWindow= {written}\n[mine-aes]")
    assert warnings(text) == [f"vpn:{FIRST + 5}: `ReplayWindow` turns replay protection off in `[mine]`"]


@pytest.mark.parametrize(
    ("old", "new", "line", "error"),
    [
        (
            "PROTOCOL_ID= IPSEC_ESP",
            "PROTOCOL_ID= IPSEC_EPS",
            3,
            "`PROTOCOL_ID`: `IPSEC_EPS` is unknown (did you mean `IPSEC_ESP`?)",
        ),
        ("PROTOCOL_ID= IPSEC_ESP\n", "", 2, "missing tag `PROTOCOL_ID` in `[mine]`"),
        ("TRANSFORM_ID= AES\n", "", 5, "missing tag `TRANSFORM_ID` in `[mine-aes]`"),
        ("= TRANSPORT", "= TRANSPROT", 8, "`ENCAPSULATION_MODE`: `TRANSPROT` is unknown (did you mean `TRANSPORT`?)"),
        (
            "= HMAC_SHA2_512",
            "= SHA2_512",
            9,
            "`AUTHENTICATION_ALGORITHM`: `SHA2_512` is unknown (did you mean `HMAC_SHA2_512`?)",
        ),
        ("= ECP_256", "= ECP256", 10, "`GROUP_DESCRIPTION`: `ECP256` is unknown (did you mean `ECP_256`?)"),
        ("Protocols= mine", "Protocols= mien", 1, "there is no section `[mien]` (did you mean `mine`?)"),
        (
            "TRANSFORM_ID= AES",
            "TRANSFORM_ID= AES_GCM_16",
            9,
            "`AUTHENTICATION_ALGORITHM` has no place beside `AES_GCM_16`, which authenticates itself",
        ),
        ("Protocols= mine\n", "", 0, "missing tag `Protocols` in `[mine-suite]`"),
    ],
)
def test_mistakes(old: str, new: str, line: int, error: str) -> None:
    assert errors(with_line(old, new)) == [f"vpn:{FIRST + line}: {error}"]


def test_ah_with_the_hash_of_another() -> None:
    text = with_line("IPSEC_ESP", "IPSEC_AH").replace("TRANSFORM_ID= AES\nKEY_LENGTH= 256\n", "TRANSFORM_ID= SHA\n")
    assert errors(text) == [
        f"vpn:{FIRST + 8}: `AUTHENTICATION_ALGORITHM`: `HMAC_SHA2_512` does not go with `TRANSFORM_ID= SHA`"
    ]


def test_key_length_of_a_cipher_that_has_one() -> None:
    text = with_line("TRANSFORM_ID= AES", "TRANSFORM_ID= 3DES").replace(
        "[west-east]\n", "Allow-Legacy= 3DES\n[west-east]\n"
    )
    assert complaints(text) == Complaints(
        [], [f"vpn:{FIRST + 8}: `KEY_LENGTH` has no effect: `3DES` has keys of one length"]
    )


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        ("QM-ESP-DES-MD5-SUITE", "`DES` is not supported"),
        ("QM-ESP-CAST-SHA-SUITE", "`CAST` is not supported"),
        ("QM-ESP-BLF-SHA-PFS-SUITE", "`BLOWFISH` is not supported"),
        ("QM-AH-RIPEMD-SUITE", "`RIPEMD` is not supported"),
        ("QM-ESP-AES-RIPEMD-SUITE", "`HMAC_RIPEMD` is not supported"),
        ("QM-ESP-AESCTR-256-SHA2-256-SUITE", "`AES_CTR` is not supported yet"),
        ("QM-ESP-AESGMAC-256-SUITE", "`AES_GMAC` is not supported yet"),
        ("QM-ESP-AES-256-SUITE", "ESP without integrity protection is never accepted"),
        ("QM-ESP-NULL-SUITE", "ESP without integrity protection is never accepted"),
    ],
)
def test_what_cannot_be_had_is_dropped(suite: str, reason: str) -> None:
    dropped = f"vpn:{SUITES}: suite `{suite}` is dropped: {reason}"
    assert complaints(tunnel(Suites=f"{suite},QM-ESP-AES-256-SHA2-256-SUITE")) == Complaints([], [dropped])
    error = f"vpn:{SUITES}: no suite of `[quick-mode]` can be used"
    assert complaints(tunnel(Suites=suite)) == Complaints([error], [dropped])


def test_an_alternative_that_cannot_be_had_is_dropped() -> None:
    text = with_line("Transforms= mine-aes", "Transforms= QM-ESP-DES-SHA-XF,mine-aes")
    dropped = f"vpn:{FIRST + 4}: transform `QM-ESP-DES-SHA-XF` is dropped: `DES` is not supported"
    assert complaints(text) == Complaints([], [dropped])


def test_every_name_is_supported_or_said_not_to_be() -> None:
    esp = {EspTransform(transform) for transform, _ in ESP_CIPHERS}
    refused = algorithms.NOT_HERE["TRANSFORM_ID"]
    assert {name for name, transform in algorithms.ESP_TRANSFORMS.items() if transform not in esp} == (
        refused.keys() & algorithms.ESP_TRANSFORMS.keys()
    )
    unknown = {name for name, number in algorithms.AUTHENTICATION_ALGORITHMS.items() if number not in INTEGRITY}
    assert unknown == algorithms.NOT_HERE["AUTHENTICATION_ALGORITHM"].keys()


# --- connections


def test_passive_connections_are_awaited() -> None:
    found = configuration(TUNNEL.replace("Connections=", "Passive-Connections="))
    assert not found.connections["west-east"].active


def test_a_passive_connection_needs_its_own_id() -> None:
    text = TUNNEL.replace("Connections=", "Passive-Connections=").replace("Local-ID= west-net\n", "")
    assert errors(text) == ["vpn:8: missing tag `Local-ID` in `[west-east]`"]


def test_a_missing_id_stands_for_the_address() -> None:
    found = configuration(TUNNEL.replace("Local-ID= west-net\n", "").replace("[west-net]", "[spare]"))
    connection = found.connections["west-east"]
    assert connection.local is None
    assert connection.remote == Selector(ip_address("10.2.0.0"), ip_address("10.2.255.255"))


def test_a_connection_is_listed_once() -> None:
    text = TUNNEL.replace("west-east\n[east]", "west-east\nPassive-Connections= West-East\n[east]")
    assert errors(text) == [
        "vpn:5: `[West-East]` is listed twice in `[Phase 2]` "
        "(`Connections` are brought up, `Passive-Connections` awaited)"
    ]


def test_the_same_tunnel_twice_is_warned_of() -> None:
    again = TUNNEL[TUNNEL.index("[west-east]") : TUNNEL.index("[quick-mode]")].replace("west-east", "again")
    text = tunnel(Connections="west-east,again") + again
    assert warnings(text) == ["vpn:25: `[again]` is the same tunnel as `[west-east]` in vpn:8"]


def test_a_connection_has_a_peer() -> None:
    assert errors(TUNNEL.replace("ISAKMP-peer= east\n", "")) == ["vpn:8: missing tag `ISAKMP-peer` in `[west-east]`"]
    assert errors(tunnel(ISAKMP_peer="eest")) == ["vpn:10: there is no section `[eest]` (did you mean `east`?)"]
    assert errors(tunnel(Connections="west-esat"))[0] == (
        "vpn:4: there is no section `[west-esat]` (did you mean `west-east`?)"
    )


def test_who_is_called_has_an_address() -> None:
    text = TUNNEL.replace("192.0.2.2= east", "Default= east")
    assert errors(text) == [
        "vpn:5: missing tag `Address` in `[east]` "
        "(`[west-east]` is brought up from here, so its peer has to be known)"
    ]
    assert errors(text.replace("Connections=", "Passive-Connections=")) == []


def test_suites_by_default() -> None:
    text = TUNNEL.replace("Configuration= quick-mode\n", "")
    (suite,) = configuration(text).connections["west-east"].suites
    assert suite.name == "QM-ESP-AESGCM-256-PFS-GRP14-SUITE"
    text = "[General]\nDefault-phase-2-suites= QM-AH-SHA2-256-SUITE\n" + text
    found = configuration(text)
    assert found.connections["west-east"].suites == found.default_suites
    assert [suite.name for suite in found.default_suites] == ["QM-AH-SHA2-256-SUITE"]


def test_flags() -> None:
    text = TUNNEL.replace("[quick-mode]", "Flags= Allow-Overlap\n[quick-mode]")
    assert configuration(text).connections["west-east"].flags == {"allow-overlap"}
    assert warnings(text.replace("Allow-Overlap", "allow-overlpa, active-only,ikecfg")) == [
        "vpn:14: unknown flag `allow-overlpa` (did you mean `allow-overlap`?)",
        "vpn:14: flag `active-only` is not supported yet and has no effect",
        "vpn:14: flag `ikecfg` is not supported yet and has no effect",
    ]


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("Phase= 2", "Phase= 1", "vpn:9: `Phase`: `1` is unknown (one of 2)"),
        (
            "= QUICK_MODE",
            "= QUICKMODE",
            "vpn:15: `EXCHANGE_TYPE`: `QUICKMODE` is unknown (did you mean `QUICK_MODE`?)",
        ),
        ("[quick-mode]\n", "[quick-mode]\nDOI= ISAKMP\n", "vpn:15: `DOI`: `ISAKMP` is unknown (one of IPSEC)"),
        ("EXCHANGE_TYPE= QUICK_MODE\n", "", "vpn:14: missing tag `EXCHANGE_TYPE` in `[quick-mode]`"),
    ],
)
def test_mistakes_in_connections(old: str, new: str, error: str) -> None:
    assert old in TUNNEL
    assert errors(TUNNEL.replace(old, new)) == [error]
