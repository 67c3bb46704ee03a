# SPDX-License-Identifier: ISC
"""The legacy switch: what it lets through, what is said about the rest, and the line that would let it."""

import pytest

from ike_auth.config.legacy import ORDER, needs
from ike_auth.config.model import Connection, Peer
from ike_auth.crypto.legacy import LEGACY_NAMES
from tests.ike_auth.config.reading import TUNNEL, Complaints, complaints, configuration, errors, tunnel, warnings

GOOD_TRANSFORM = "AES-256-SHA2-256-GRP14"
GOOD_SUITE = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"


def gateway(transforms: str, suites: str, allow: str = "") -> str:
    """TUNNEL with these; `Allow-Legacy` is line 9."""
    lines = f"Configuration= main-mode\nAllow-Legacy= {allow}\n" if allow else "Configuration= main-mode\n"
    text = tunnel(Suites=suites).replace("[west-east]\n", f"{lines}[west-east]\n")
    return f"{text}[main-mode]\nEXCHANGE_TYPE= ID_PROT\nTransforms= {transforms}\n"


def found(text: str) -> tuple[Peer, Connection]:
    whole = configuration(text)
    return whole.peers["east"], whole.connections["west-east"]


def test_the_order_of_a_line_has_every_name() -> None:
    assert set(ORDER) == LEGACY_NAMES


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("3DES-SHA", {"3DES", "SHA1", "MODP_1024"}),
        ("AES-MD5-GRP1", {"MD5", "MODP_768"}),
        ("AES-SHA-GRP14", {"SHA1"}),
        ("AES-256-SHA2-256", {"MODP_1024"}),
    ],
)
def test_what_a_transform_needs(name: str, needed: set[str]) -> None:
    peer, _ = found(gateway(f"{GOOD_TRANSFORM},{name}", GOOD_SUITE, ",".join(needed)))
    assert [t.name for t in peer.transforms] == [GOOD_TRANSFORM, name]
    assert needs(peer.transforms[1]) == needed
    for left_out in needed:
        less = ",".join(needed - {left_out}) or "NULL"
        (warning,) = warnings(gateway(f"{GOOD_TRANSFORM},{name}", GOOD_SUITE, less))
        assert f"transform `{name}` is dropped" in warning


def test_modp_1536_is_no_legacy() -> None:
    assert len(found(gateway("AES-256-SHA2-256-GRP5", GOOD_SUITE))[0].transforms) == 1


@pytest.mark.parametrize(
    ("name", "needed"),
    [
        ("QM-ESP-AES-SHA-PFS-GRP14-SUITE", set()),  # HMAC-SHA-1 is not broken
        ("QM-AH-SHA-SUITE", set()),
        ("QM-ESP-3DES-SHA-SUITE", {"3DES"}),
        ("QM-ESP-AES-MD5-SUITE", {"MD5"}),
        ("QM-AH-MD5-SUITE", {"MD5"}),
        ("QM-ESP-NULL-SHA2-256-SUITE", {"NULL"}),
        ("QM-ESP-AES-SHA-PFS-SUITE", {"MODP_1024"}),
        ("QM-ESP-AESGCM-256-PFS-GRP1-SUITE", {"MODP_768"}),
    ],
)
def test_what_a_suite_needs(name: str, needed: set[str]) -> None:
    without = complaints(tunnel(Suites=name))
    assert bool(without.errors) == bool(needed)
    allowed = complaints(tunnel(Suites=name, Allow_Legacy=",".join(needed or {"NULL"})))
    assert allowed == Complaints([], [])


def test_names_in_any_case() -> None:
    peer, _ = found(gateway("3DES-SHA", GOOD_SUITE, "3des, sha1,Modp_1024"))
    assert peer.allow_legacy == {"3DES", "SHA1", "MODP_1024"}


def test_what_is_not_allowed_is_dropped_with_the_line_to_add() -> None:
    text = gateway(f"3DES-MD5,{GOOD_TRANSFORM}", f"QM-ESP-3DES-MD5-PFS-GRP14-SUITE,{GOOD_SUITE}")
    assert warnings(text) == [
        "vpn:5: transform `3DES-MD5` is dropped: it needs 3DES, MD5, MODP_1024 "
        "(to allow it, put `Allow-Legacy= 3DES,MD5,MODP_1024` into `[east]`)",
        "vpn:5: suite `QM-ESP-3DES-MD5-PFS-GRP14-SUITE` of `[west-east]` is dropped: it needs 3DES, MD5 "
        "(to allow it, put `Allow-Legacy= 3DES,MD5` into `[east]`)",
    ]


def test_the_line_keeps_what_is_allowed_already() -> None:
    text = gateway(f"3DES-SHA,{GOOD_TRANSFORM}", GOOD_SUITE, "NULL,SHA1")
    assert warnings(text) == [
        "vpn:5: transform `3DES-SHA` is dropped: it needs 3DES, SHA1, MODP_1024 "
        "(to allow it, put `Allow-Legacy= 3DES,SHA1,MODP_1024,NULL` into `[east]`)"
    ]


def test_one_line_is_enough_for_both_phases() -> None:
    text = gateway("3DES-MD5,3DES-SHA-GRP14", "QM-AH-MD5-SUITE,QM-ESP-3DES-SHA-PFS-SUITE")
    line = "`Allow-Legacy= 3DES,MD5,SHA1`"
    assert errors(text) == [
        "vpn:5: every transform of `[east]` needs legacy algorithms, at least 3DES, SHA1 "
        f"(to allow them, put {line} into `[east]`)",
        "vpn:9: every suite of `[west-east]` needs legacy algorithms, at least MD5 "
        f"(to allow them, put {line} into `[east]`)",
    ]
    peer, connection = found(gateway("3DES-SHA-GRP14", "QM-AH-MD5-SUITE", "3DES,MD5,SHA1"))
    assert (len(peer.transforms), len(connection.suites)) == (1, 1)


def test_least_is_counted_from_what_is_allowed() -> None:
    (error,) = errors(gateway("AES-MD5-GRP14,3DES-SHA", GOOD_SUITE, "3DES,MODP_1024"))
    assert "`Allow-Legacy= 3DES,MD5,MODP_1024`" in error
    (error,) = errors(gateway("AES-MD5-GRP1,3DES-SHA", GOOD_SUITE, "3DES,MODP_1024"))
    assert "`Allow-Legacy= 3DES,SHA1,MODP_1024`" in error


def test_an_alternative_of_a_suite_is_dropped_alone() -> None:
    text = tunnel(Suites="mixed") + "[mixed]\nProtocols= both\n[both]\nPROTOCOL_ID= IPSEC_ESP\n"
    text += "Transforms= QM-ESP-3DES-SHA-XF,QM-ESP-AES-256-SHA2-256-XF\n"
    assert warnings(text) == [
        "vpn:5: transform `QM-ESP-3DES-SHA-XF` of `[west-east]` is dropped: it needs 3DES "
        "(to allow it, put `Allow-Legacy= 3DES` into `[east]`)"
    ]


def test_unknown_names() -> None:
    assert errors(tunnel(Allow_Legacy="3DES,SHA,DES")) == [
        "vpn:8: `Allow-Legacy`: `SHA` is unknown (did you mean `SHA1`?)",
        "vpn:8: `Allow-Legacy`: `DES` is unknown (did you mean `3DES`?)",
    ]


# --- Default=

ANYBODY = """\
[Phase 1]
Default= anybody
[anybody]
Phase= 1
Authentication= correct horse battery
Configuration= main-mode
[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= {}
"""


def test_default_never_has_legacy() -> None:
    assert errors(ANYBODY.format("AES-SHA,3DES-SHA")) == [
        "vpn:3: every transform of `[anybody]` needs legacy algorithms, at least SHA1, MODP_1024 "
        "(`Default=` never has them: use AES-256-SHA2-256-GRP14, or give the peer's address a line in `[Phase 1]` "
        "and a section with `Allow-Legacy= SHA1,MODP_1024`)"
    ]
    assert warnings(ANYBODY.format(f"{GOOD_TRANSFORM},3DES-SHA")) == [
        "vpn:3: transform `3DES-SHA` is dropped: it needs 3DES, SHA1, MODP_1024 (`Default=` never has them)"
    ]


def test_default_cannot_be_allowed_any() -> None:
    text = ANYBODY.format(GOOD_TRANSFORM).replace("Configuration=", "Allow-Legacy= 3DES\nConfiguration=")
    error = (
        ": `Allow-Legacy` is not for `[anybody]`, which `Default=` opens to anybody "
        "(give that peer a section of its own, and a line in `[Phase 1]`)"
    )
    assert errors(text) == [f"vpn:6{error}"]
    assert errors(text.replace("Default=", "192.0.2.2= anybody\nDefault=")) == [f"vpn:7{error}"]


def test_suites_of_no_connection_never_have_legacy() -> None:
    text = "[General]\nDefault-phase-2-suites= QM-ESP-3DES-SHA-SUITE,QM-ESP-AESGCM-256-SUITE\n" + TUNNEL
    assert warnings(text) == [
        "vpn:2: suite `QM-ESP-3DES-SHA-SUITE` is dropped: it needs 3DES "
        "(suites of a connection may have that, if `Allow-Legacy` of its peer does)"
    ]
