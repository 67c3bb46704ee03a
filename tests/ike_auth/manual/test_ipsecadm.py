# SPDX-License-Identifier: ISC
"""ipsecadm's arguments and the setkey statements that say the same."""

from ipaddress import ip_address

import pytest

from ike_auth.manual import ipsecadm
from ike_auth.manual.checking import advice
from ike_auth.manual.errors import ManualError
from ike_auth.manual.statements import Group, SaName, Security, Statement
from ike_auth.network import IPAddress
from tests.ike_auth.manual.texts import statements

FILES = {"enc.key": "00112233445566778899aabbccddeeff\n", "auth.key": "0x" + "0f" * 32, "words": "correct horse"}
SA = "-spi 1001 -src 192.0.2.1 -dst 192.0.2.2"
ENDS = "-src 192.0.2.1 -dst 192.0.2.2"
NETS = "-addr 10.1.0.0 255.255.0.0 10.2.0.0 255.255.0.0"


def our_end(theirs: IPAddress, security: Security) -> IPAddress | None:
    known = theirs == ip_address("192.0.2.2") and security is Security.ESP
    return ip_address("192.0.2.1") if known else None


def run(text: str) -> tuple[Statement, ...]:
    return ipsecadm.statements(text.split(), FILES.__getitem__, our_end)


@pytest.mark.parametrize(
    ("arguments", "setkey"),
    [
        (f"new esp {SA} -enc aes -key {'ab' * 16} -auth sha1 -authkey 0x{'cd' * 20}",
         f"add 192.0.2.1 192.0.2.2 esp 0x1001 -E aes-cbc 0x{'ab' * 16} -A hmac-sha1 0x{'cd' * 20};"),
        (f"{SA} -forcetunnel -enc aes -keyfile enc.key -auth sha2-256 -authkeyfile auth.key",
         f"add 192.0.2.1 192.0.2.2 esp 0x1001 -m tunnel -E aes-cbc 0x{FILES['enc.key'].strip()}"
         f" -A hmac-sha256 {FILES['auth.key']};"),
        (f"new ah -newpadding {SA} -auth md5 -key {'ab' * 16}",
         f"add 192.0.2.1 192.0.2.2 ah 0x1001 -A hmac-md5 0x{'ab' * 16};"),
        (f"new esp {SA} -enc null -auth md5 -authkey {'ab' * 16}",
         f"add 192.0.2.1 192.0.2.2 esp 0x1001 -E null -A hmac-md5 0x{'ab' * 16};"),
        (f"flow {ENDS} {NETS} -out -require",
         "spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require;"),
        (f"flow {ENDS} -addr 10.2.0.0/16 10.1.0.0/16 -in -dontacq -proto AH",
         "spdadd 10.2.0.0/16 10.1.0.0/16 any -P in ipsec ah/tunnel/192.0.2.2-192.0.2.1/require;"),
        (f"flow -dst 192.0.2.2 {NETS}",
         "spdadd 10.1.0.0/16 10.2.0.0/16 any -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require;"),
        (f"flow {ENDS} -addr 192.0.2.1/32 192.0.2.2/32 -transport tcp -dport 80",
         "spdadd 192.0.2.1 192.0.2.2[80] tcp -P out ipsec esp/transport/192.0.2.1-192.0.2.2/require;"),
        (f"flow {ENDS} -addr 192.0.2.1/32 192.0.2.2/32 -forcetunnel",
         "spdadd 192.0.2.1 192.0.2.2 any -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require;"),
        (f"flow {NETS} -deny -transport 17", "spdadd 10.1.0.0/16 10.2.0.0/16 udp -P out discard;"),
        (f"flow {NETS} -bypass -delete", "spddelete 10.1.0.0/16 10.2.0.0/16 any -P out;"),
        (f"flow {NETS} -delete -in", "spddelete 10.1.0.0/16 10.2.0.0/16 any -P in;"),
        ("delspi -spi 1001 -dst 192.0.2.2", "delete 0.0.0.0 192.0.2.2 esp 0x1001;"),
        ("delsa -spi 0x1001 -dst ::1 -proto 51", "delete :: ::1 ah 0x1001;"),
        ("flush", "flush; spdflush;"),
        ("flush -esp -ah", "flush esp; flush ah;"),
    ],
)  # fmt: skip
def test_the_same_in_two_languages(arguments: str, setkey: str) -> None:
    assert run(arguments) == statements(setkey)


def test_groups() -> None:
    (found,) = run("group -spi 1001 -dst 192.0.2.2 -spi2 2001 -dst2 192.0.2.2")
    theirs = ip_address("192.0.2.2")
    assert found == Group(SaName(theirs, Security.ESP, 0x1001), SaName(theirs, Security.AH, 0x2001))


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        ("", "a command is missing", "new"),
        ("flwo", "`flwo` is no command of ipsecadm", "did you mean `flow`?"),
        ("old esp", "`old` is not supported", "`new esp`"),
        ("ip4", "`ip4` is not supported", ""),
        ("new ipcomp", "`new` makes `esp` or `ah`", ""),
        (f"new esp {SA}", "`new esp` takes `-enc`", ""),
        (f"new ah {SA}", "`new ah` takes `-auth`", ""),
        (f"new esp {SA} -enc aes", "`-key` or `-keyfile` is missing", ""),
        (f"new esp {SA} -enc aes -key 00 -auth sha1", "`-authkey` or `-authkeyfile` is missing", ""),
        (f"new esp {SA} -enc aes -key 00 -keyfile enc.key", "`-key` and `-keyfile` exclude each other", ""),
        (f"new esp {SA} -enc aes -keyfile words", "`-keyfile`: `words` holds no even number", ""),
        (f"new esp {SA} -enc aes -key 0", "the key of `-key` is not an even number", ""),
        (f"new esp {SA} -spi 1", "`-spi` is given twice", ""),
        (f"new esp {SA} -enc", "`-enc` needs a value", ""),
        (f"new esp {SA} -encc aes", "`-encc` is no option of `new`", "did you mean `-enc`?"),
        (f"new esp {SA} -proxy 10.0.0.1 -enc null", "`-proxy` is not supported", ""),
        ("new esp -spi ff -src ::1 -dst ::2 -enc null", "`-spi`: SPI 255 is out of range", "from 100 to ffffffff"),
        ("new esp -spi 1001 -src ::1 -dst 10.0.0.1 -enc null", "::1 and 10.0.0.1 are of different IP versions", ""),
        ("new esp -spi 1001 -dst ::1 -enc null", "`-src` is missing", ""),
        (f"flow {ENDS}", "`-addr` needs two networks", ""),
        (f"flow {ENDS} -addr 10.0.0.0 255.0.255.0 10.2.0.0 255.255.0.0", "`255.0.255.0` is no mask for 10.0.0.0", ""),
        (f"flow {ENDS} {NETS} -in -out", "these options of `flow` exclude each other", ""),
        (f"flow {ENDS} {NETS} -deny -require", "these options of `flow` exclude each other", ""),
        (f"flow {ENDS} {NETS} -use -require", "these options of `flow` exclude each other", ""),
        (f"flow {ENDS} {NETS} -bypass", "`-bypass` is not supported", "traffic that no flow names is left alone"),
        (f"flow {ENDS} {NETS} -permit", "`-permit` is not supported", "traffic that no flow names is left alone"),
        (f"flow {ENDS} {NETS} -acquire", "`-acquire` would let traffic through unprotected", "`-require`"),
        (f"flow {NETS}", "`flow` needs `-dst`", ""),
        (f"flow {NETS} -dst 192.0.2.7", "`flow` needs `-src` where there is no SA yet", ""),
        (f"flow {ENDS} {NETS} -proto ip4", "`-proto`: `ip4` is not supported", ""),
        (f"flow stray {ENDS} {NETS}", "an option is missing", ""),
        ("flush -all", "`-all` is no option of `flush`", ""),
    ],
)
def test_mistakes(arguments: str, message: str, hint: str) -> None:
    with pytest.raises(ManualError) as caught:
        run(arguments)
    assert message in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "arguments",
    [
        f"new esp {SA} -enc aes -key hunter2hunter2",
        f"new esp {SA} -enc hunter2 -key 00",
        f"new esp {SA} -enc aes hunter2",
        f"new esp {SA} -enc aes -key 00 hunter2",
        f"new esp {SA} -auth hunter2 -enc aes -key 00 -authkey 00",
    ],
)
def test_no_message_quotes_a_key(arguments: str) -> None:
    with pytest.raises(ManualError) as caught:
        run(arguments)
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_advice_has_no_places() -> None:
    found = advice(run(f"new esp {SA} -enc aes -key {'ab' * 16} -auth md5 -authkey {'cd' * 16}"))
    assert [message for message, _ in found] == [
        "replay protection is off for an SA, as manual keys have it",
        "`hmac-md5` is legacy",
    ]
    assert advice(run(f"flow {ENDS} {NETS}")) == ()
    assert not any("`-r" in hint for _, hint in found)  # which is setkey's
