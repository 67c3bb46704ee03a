# SPDX-License-Identifier: ISC
"""ISAKMP-configuration and ISAKMP-transform sections, and what both phases share: key lengths and lifetimes."""

import pytest

from ike_auth.config import algorithms
from ike_auth.config.algorithms import obstacle
from ike_auth.config.errors import Problems
from ike_auth.config.ini import parse
from ike_auth.config.model import Accept, Phase1Transform
from ike_auth.config.reader import Reader
from ike_auth.config.source import MOST_HINTS
from ike_auth.crypto.ciphers import PHASE1_CIPHERS
from ike_auth.wire.numbers import AuthenticationMethod, EncryptionAlgorithm, Group, HashAlgorithm
from tests.ike_auth.config.reading import TUNNEL, Complaints, complaints, configuration

HEAD = (
    TUNNEL.replace("[west-east]\n", "Configuration= main-mode\n[west-east]\n")
    + "[main-mode]\nEXCHANGE_TYPE= ID_PROT\n"
)
FIRST = HEAD.count("\n") + 1  # the line of what follows
GOOD = """\
Transforms= mine
[mine]
ENCRYPTION_ALGORITHM= AES_CBC
KEY_LENGTH= 256
HASH_ALGORITHM= SHA2_256
AUTHENTICATION_METHOD= PRE_SHARED
GROUP_DESCRIPTION= MODP_2048
Life= an-hour
[an-hour]
LIFE_TYPE= SECONDS
LIFE_DURATION= 3600,1800:7200
"""


def with_line(old: str, new: str) -> str:
    assert old in GOOD
    return HEAD + GOOD.replace(old, new)


def transform(text: str) -> Phase1Transform:
    (found,) = configuration(text).peers["east"].transforms
    return found


def test_a_transform_of_ones_own() -> None:
    assert transform(HEAD + GOOD) == Phase1Transform(
        "mine",
        EncryptionAlgorithm.AES_CBC,
        Accept.exactly(256),
        HashAlgorithm.SHA2_256,
        AuthenticationMethod.PRE_SHARED,
        Group.MODP_2048,
        Accept(3600, 1800, 7200),
    )


def test_order_is_preference() -> None:
    names = "AES-256-SHA2-256-GRP31,AES-128-SHA2-512-GRP20,AES-256-SHA2-256-GRP14"
    found = configuration(HEAD + f"Transforms= {names}\n").peers["east"].transforms
    assert [t.name for t in found] == names.split(",")
    assert [t.group for t in found] == [Group.CURVE25519, Group.ECP_384, Group.MODP_2048]


@pytest.mark.parametrize(
    ("written", "length"),
    [
        ("KEY_LENGTH= 128", Accept.exactly(128)),
        ("KEY_LENGTH= 192,128:256", Accept(192, 128, 256)),
        ("KEY_LENGTH= 192 , 128 : 256", Accept(192, 128, 256)),
        ("KEY_LENGTH= ANY", Accept(128, 128, 256)),
        ("", Accept(128, 128, 256)),
    ],
)
def test_key_length(written: str, length: Accept) -> None:
    assert transform(with_line("KEY_LENGTH= 256", written)).key_length == length


@pytest.mark.parametrize(
    ("written", "error"),
    [
        ("512", "`KEY_LENGTH`: AES has no keys of 512 bits (128, 192 or 256)"),
        ("long", "`KEY_LENGTH`: `long` is neither a number nor `offer,low:high`"),
        ("128,256", "`KEY_LENGTH`: `128,256` is neither a number nor `offer,low:high`"),
        ("128,256:128", "`KEY_LENGTH`: `128,256:128` is out of range, or its range is reversed"),
        ("0", "`KEY_LENGTH`: `0` is out of range, or its range is reversed"),
    ],
)
def test_no_key_length(written: str, error: str) -> None:
    assert complaints(with_line("KEY_LENGTH= 256", f"KEY_LENGTH= {written}")).errors == [f"vpn:{FIRST + 3}: {error}"]


def test_an_offer_outside_of_what_is_accepted_is_warned_of() -> None:
    assert complaints(with_line("3600,1800:7200", "600,1800:7200")) == Complaints(
        [], [f"vpn:{FIRST + 10}: `LIFE_DURATION` offers 600, which it would not accept itself"]
    )


def test_any_takes_what_the_peer_offers() -> None:
    text = with_line("HASH_ALGORITHM= SHA2_256", "HASH_ALGORITHM= ANY").replace("= MODP_2048", "= any")
    found = transform(text)
    assert (found.hash, found.group, found.cipher) == (None, None, EncryptionAlgorithm.AES_CBC)


@pytest.mark.parametrize(
    "tag", ["ENCRYPTION_ALGORITHM", "HASH_ALGORITHM", "AUTHENTICATION_METHOD", "GROUP_DESCRIPTION"]
)
def test_required_tags(tag: str) -> None:
    line = next(line for line in GOOD.splitlines() if line.startswith(tag))
    assert complaints(with_line(line + "\n", "")).errors == [f"vpn:{FIRST + 1}: missing tag `{tag}` in `[mine]`"]


def test_unknown_names_get_a_suggestion() -> None:
    assert complaints(with_line("SHA2_256", "SHA_256")).errors == [
        f"vpn:{FIRST + 4}: `HASH_ALGORITHM`: `SHA_256` is unknown (did you mean `SHA2_256`?)"
    ]
    assert complaints(with_line("PRE_SHARED", "PASSWORD")).errors == [
        f"vpn:{FIRST + 5}: `AUTHENTICATION_METHOD`: `PASSWORD` is unknown (one of PRE_SHARED, RSA_SIG, DSS, ANY)"
    ]


def test_a_generated_transform_with_some_tags_written() -> None:
    text = HEAD + "Transforms= AES-256-SHA2-256-GRP14\n[aes-256-sha2-256-grp14]\nLife= short\n"
    found = transform(text + "[short]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 600\n")
    assert found.life_seconds == Accept.exactly(600)
    assert (found.key_length, found.group) == (Accept.exactly(256), Group.MODP_2048)


# --- lifetimes


def test_lifetimes_by_default_come_from_general() -> None:
    text = "[General]\nDefault-phase-1-lifetime= 7200,600:7200\nDefault-phase-2-lifetime= 900\n" + TUNNEL
    found = configuration(text)
    assert found.peers["east"].transforms[0].life_seconds == Accept(7200, 600, 7200)
    (transform,) = found.connections["west-east"].suites[0].protocols[0].transforms
    assert transform.life_seconds == Accept.exactly(900)


def test_seconds_and_kilobytes() -> None:
    text = with_line("Life= an-hour", "Life= an-hour,a-megabyte")
    found = transform(text + "[a-megabyte]\nLIFE_TYPE= KILOBYTES\nLIFE_DURATION= 1024,512:2048\n")
    assert (found.life_seconds, found.life_kilobytes) == (Accept(3600, 1800, 7200), Accept(1024, 512, 2048))


@pytest.mark.parametrize("old", ["Life= an-hour\n", "LIFE_TYPE= SECONDS"])
def test_time_is_always_bounded(old: str) -> None:
    text = with_line(old, "LIFE_TYPE= KILOBYTES" if old.startswith("LIFE_TYPE") else "")
    assert transform(text).life_seconds == Accept(3600, 60, 86400)


@pytest.mark.parametrize("old", ["Life= an-hour", "LIFE_DURATION= 3600,1800:7200"])
def test_any_lifetime(old: str) -> None:
    """We offer the default, and take what a peer says."""
    assert transform(with_line(old, f"{old.partition('=')[0]}= ANY")).life_seconds == Accept(3600, 1, 2**32 - 1)


def test_two_lifetimes_of_one_type() -> None:
    text = with_line("Life= an-hour", "Life= an-hour,LIFE_MAIN_MODE")
    assert complaints(text).errors == [f"vpn:{FIRST + 7}: `[mine]` has two lifetimes in seconds"]


def test_a_lifetime_that_is_not_there() -> None:
    assert complaints(with_line("Life= an-hour", "Life= an-huor")).errors == [
        f"vpn:{FIRST + 7}: there is no section `[an-huor]` (did you mean `an-hour`?)"
    ]


def test_a_configuration_that_is_not_there() -> None:
    assert complaints(HEAD.replace("[main-mode]", "[main-mood]")).errors == [
        "vpn:8: there is no section `[main-mode]` (did you mean `main-mood`?)"
    ]


def test_a_transform_that_is_not_there() -> None:
    assert complaints(HEAD + "Transforms= AES-265-SHA2-256-GRP14\n").errors == [
        f"vpn:{FIRST}: there is no section `[AES-265-SHA2-256-GRP14]` (did you mean `AES-256-SHA2-256-GRP14`?)"
    ]


def test_suggestions_end_before_they_take_minutes() -> None:
    names = [f"AES-256-SHA2-256-GRP{number}" for number in range(100, 1100)]
    found = complaints(HEAD + f"Transforms= {','.join(names)}\n").errors
    assert len(found) == 1000
    assert sum("did you mean" in error for error in found) == MOST_HINTS


# --- what cannot be had here


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("DES-MD5", "`DES_CBC` is not supported"),
        ("BLF-SHA", "`BLOWFISH_CBC` is not supported"),
        ("CAST-SHA", "`CAST_CBC` is not supported"),
        ("AES-256-SHA2-256-GRP14-DSS", "`DSS` is not supported"),
        ("AES-256-SHA2-256-GRP25", "`ECP_192` is not supported"),
        ("AES-256-SHA2-256-GRP28", "`BP_256` is not supported"),
    ],
)
def test_what_nobody_supports_is_dropped(name: str, reason: str) -> None:
    dropped = f"vpn:{FIRST}: transform `{name}` is dropped: {reason}"
    text = HEAD + f"Transforms= {name},AES-256-SHA2-256-GRP14\n"
    assert complaints(text) == Complaints([], [dropped])
    text = HEAD + f"Transforms= {name}\n"
    assert complaints(text) == Complaints([f"vpn:{FIRST}: no transform of `[main-mode]` can be used"], [dropped])


def test_every_name_is_supported_or_said_not_to_be() -> None:
    """The table of obstacles and the cipher code agree."""
    supported = {EncryptionAlgorithm(algorithm) for algorithm, _ in PHASE1_CIPHERS}
    for name, cipher in algorithms.CIPHERS.items():
        sections = parse(f"[t]\nENCRYPTION_ALGORITHM= {name}\n", "f", problems := Problems())
        assert (obstacle(Reader(sections["t"], problems)) is None) == (cipher in supported)
