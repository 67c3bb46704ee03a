# SPDX-License-Identifier: ISC
"""What can be had of an SA or a policy that is set by hand, what cannot, and what is warned of."""

import pytest

from ike_auth.manual.checking import load
from ike_auth.manual.statements import Add, Flush
from tests.ike_auth.manual.texts import ALGORITHMS, GATEWAY, KEY, MAC_KEY, errors, warnings

ADD = "add 192.0.2.1 192.0.2.2"
SPDADD = "spdadd 192.0.2.1 192.0.2.2"
TO_THERE = "esp/tunnel/192.0.2.1-192.0.2.2/require"


def key(size: int) -> str:
    return "0x" + "5a" * size


@pytest.mark.parametrize(
    "algorithms",
    [
        f"-E aes-cbc {key(16)} -A hmac-sha1 {key(20)}",
        f"-E rijndael-cbc {key(24)} -A hmac-sha2-384 {key(48)}",
        f"-E aes-cbc {key(32)} -A hmac-sha512 {key(64)}",
        f"-E 3des-cbc {key(24)} -A hmac-md5 {key(16)}",
        f"-E null -A hmac-sha256 {key(32)}",
        f"-E aes-gcm-16 {key(20)}",
        f"-E aes-gcm-16 {key(36)}",
        f"-E chacha20-poly1305 {key(36)}",
    ],
)
def test_algorithms_that_there_are(algorithms: str) -> None:
    assert errors(f"{ADD} esp 256 {algorithms};") == []


@pytest.mark.parametrize(
    ("algorithms", "complaint"),
    [
        (f"-E des-cbc {key(8)} -A hmac-sha1 {key(20)}", "`des-cbc` is not supported"),
        (f"-E blowfish-cbc {key(8)} -A hmac-sha1 {key(20)}", "`blowfish-cbc` is not supported"),
        (f"-E aes-ctr {key(20)} -A hmac-sha1 {key(20)}", "`aes-ctr` is not supported"),
        (f"-E simple -A hmac-sha1 {key(20)}", "`simple` is not supported"),
        (f"-E aes-cbc {key(16)} -A keyed-md5 {key(16)}", "`keyed-md5` is not supported"),
        (f"-E aes-cbc {key(16)} -A null", "`null` is not supported"),
        (f"-E aes-cbc {key(17)} -A hmac-sha1 {key(20)}",
         "the key of `aes-cbc` has 17 bytes instead of 16 or 24 or 32"),
        (f"-E aes-gcm-16 {key(16)}",
         "the key of `aes-gcm-16` has 16 bytes instead of 20 or 28 or 36 (the last four are the salt)"),
        (f"-E chacha20-poly1305 {key(32)}", "the key of `chacha20-poly1305` has 32 bytes instead of 36"),
        (f"-E aes-cbc {key(16)} -A hmac-sha256 {key(20)}", "the key of `hmac-sha256` has 20 bytes instead of 32"),
        (f"-E aes-gcm-16 {key(20)} -A hmac-sha256 {key(32)}", "`aes-gcm-16` authenticates by itself"),
        (f"-E aes-cbc {key(16)}", "ESP without integrity protection is refused"),
        ("-E null", "ESP without integrity protection is refused"),
        (f"-m tunnel -f zero-pad {ALGORITHMS}", "`zero-pad` is not supported"),
        (f'-ctx 1 1 "x" {ALGORITHMS}', "`-ctx` is not supported"),
        (f"-r 5000 {ALGORITHMS}", "the replay window is at most 4096 packets"),
        (f"-bh 1023 {ALGORITHMS}", "a lifetime of less than 1024 bytes is not supported"),
        (f"-lh 4294967296 {ALGORITHMS}", "a lifetime is at most 4294967295 seconds"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_of_esp(algorithms: str, complaint: str) -> None:
    (found,) = errors(f"{ADD} esp 256 {algorithms};")
    assert complaint in found
    assert "5a5a" not in found


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"{ADD} esp-old 256 -E 3des-cbc {key(24)};", "f:1:1: `esp-old` is not supported"),
        (f"{ADD} ah-old 256 -A hmac-md5 {key(16)};", "f:1:1: `ah-old` is not supported"),
        (f'{ADD} tcp 0x1000 -A tcp-md5 "key";', "f:1:1: TCP-MD5 signatures are not supported"),
        (f"{ADD} ipcomp 256 -C deflate;", "f:1:1: `ipcomp` with manual keys is not supported"),
        (f"{ADD} esp-udp 10.0.0.1 256 {ALGORITHMS};", "f:1:1: the original address of a peer behind NAT"),
        ("getspi ::1 ::2 esp 256;", "f:1:1: `getspi` is not supported"),
        (f"{SPDADD} any -P in none;", "f:1:1: `none` is not supported"),
        (f"{SPDADD} any -P in discard;", "f:1:1: `-P in discard` is not supported"),
        (f"{SPDADD} any -P in entrust;", "f:1:1: `entrust` is for sockets"),
        (f"{SPDADD} any -P out prio 1 ipsec {TO_THERE};", "f:1:1: priorities are not supported"),
        (f"{SPDADD} any -P out ipsec esp/transport//use;", "f:1:1: `use` would let traffic through unprotected"),
        (f"{SPDADD} icmp 8,0 -P out ipsec {TO_THERE};", "f:1:1: a flow cannot be limited to one ICMP type"),
        (f"{SPDADD} gre 1 -P out ipsec {TO_THERE};", "f:1:1: a flow cannot be limited to one GRE key"),
        (f'{SPDADD} any -ctx 1 1 "x" -P out ipsec {TO_THERE};', "f:1:1: `-ctx` is not supported"),
        (f'spdadd tagged "x" -P out ipsec {TO_THERE};', "f:1:1: policies for tagged packets are not supported"),
        (f"spdadd ::1[80] ::2 any -P out ipsec {TO_THERE};", "f:1:1: a port needs a protocol"),
        (f"spdadd ::1[0] ::2 tcp -P out ipsec {TO_THERE};", "f:1:1: port 0 is not supported"),
        ("spdadd ::/0 ::2 any -P out ipsec esp/transport//require;", "f:1:1: transport mode is between two hosts"),
        (f"{SPDADD} any -P out ipsec {TO_THERE} {TO_THERE};", "f:1:1: tunnels within tunnels are not supported"),
        (f"{SPDADD} any -P out ipsec ah/transport/192.0.2.1-192.0.2.9/require {TO_THERE};",
         "f:1:1: rules between different hosts are not supported"),
        (f"{SPDADD} any -P out ipsec ipcomp/transport//require;", "f:1:1: `ipcomp` with manual keys"),
        (f"{SPDADD} any -P out ipsec ah/transport/192.0.2.1[1]-192.0.2.2[1]/require;", "f:1:1: AH has no ports"),
    ],
)  # fmt: skip
def test_what_cannot_be_had(text: str, complaint: str) -> None:
    (found,) = errors(text)
    assert found.startswith(complaint)


def test_everything_that_is_wrong_with_one_sa() -> None:
    found = errors(f"{ADD} esp 256 -f zero-pad -E aes-cbc 0x00 -A keyed-sha1 0x00;")
    assert [complaint.split(": ")[0] for complaint in found] == ["f:1:1", "f:1:48", "f:1:64"]


def test_mistakes_of_language_and_what_cannot_be_had_come_together_in_order() -> None:
    found = errors(f"{SPDADD} any -P in none;\nflash;\n{ADD} esp 256 -E null;")
    assert [complaint.split(":")[1] for complaint in found] == ["1", "2", "3"]


def test_what_cannot_be_had_may_be_left_out() -> None:
    text = f"flush; {ADD} esp 256 -E des-cbc {key(8)}; {ADD} esp 257 {ALGORITHMS};"
    program = load(text, "f", skip_unsupported=True)
    assert [type(found) for found in program.statements] == [Flush, Add]
    assert str(program.warnings[0]).startswith("f:1:43: left out: `des-cbc` is not supported")


def test_mistakes_are_not_left_out() -> None:
    assert errors("flash;") != []
    with pytest.raises(Exception, match="this is no command"):
        load("flash;", "f", skip_unsupported=True)


def test_a_gateway_is_warned_that_nothing_detects_replays() -> None:
    (warning,) = warnings(GATEWAY)
    assert warning.startswith("f:6:1: replay protection is off for 2 SAs, as manual keys have it")


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (f"-r 64 {ALGORITHMS}", "f:1:1: with `-r`, traffic stops when the sender of this SA restarts"),
        (f"-r 64 -E aes-gcm-16 {key(20)}", "f:1:42: `aes-gcm-16` must not be used with manual keys (RFC 8221 3)"),
        (f"-r 64 -E 3des-cbc {key(24)} -A hmac-sha256 {MAC_KEY}", "f:1:42: `3des-cbc` is legacy"),
        (f"-r 64 -E aes-cbc {KEY} -A hmac-md5 {key(16)}", "f:1:88: `hmac-md5` is legacy"),
    ],
)
def test_warnings(options: str, warning: str) -> None:
    assert any(found.startswith(warning) for found in warnings(f"{ADD} esp 256 {options};"))


def test_a_policy_for_one_direction_is_warned_of() -> None:
    (warning,) = warnings(f"spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec {TO_THERE};")
    assert warning.startswith("f:1:1: there is no policy for the other direction of `-P out`")


def test_fwd_counts_as_in() -> None:
    out = f"spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec {TO_THERE};"
    back = "spdadd 10.2.0.0/16 10.1.0.0/16 any -P fwd ipsec esp/tunnel/192.0.2.2-192.0.2.1/require;"
    assert warnings(out + back) == []
