# SPDX-License-Identifier: ISC
"""The language of setkey(8): what it says, and what is said about mistakes."""

from ipaddress import ip_address

import pytest

from ike_auth.crypto.secrets import Secret
from ike_auth.manual.statements import (
    Action,
    Add,
    Algorithm,
    Context,
    Delete,
    DeleteAll,
    Direction,
    Dump,
    Exit,
    Extensions,
    Flush,
    Get,
    GetSpi,
    Host,
    Level,
    Mode,
    Padding,
    Policy,
    Range,
    Rule,
    Security,
    SpdAdd,
    SpdDelete,
    SpdDump,
    SpdFlush,
    SpdUpdate,
    Traffic,
    Update,
)
from tests.ike_auth.manual.texts import ALGORITHMS, GATEWAY, KEY, faults, statement, statements

A, B = ip_address("192.0.2.1"), ip_address("192.0.2.2")
PAIR = Host(A), Host(B)
HOSTS = Traffic(Range(A, 32), Range(B, 32), None)


def test_add() -> None:
    algorithms = '-E 3des-cbc "123456781234567812345678" -A hmac-md5 0x' + "0a" * 16
    found = statement(f"add 192.0.2.1 192.0.2.2 esp 4096 -m transport {algorithms};")
    assert found == Add(
        *PAIR,
        Security.ESP,
        4096,
        Extensions(mode=Mode.TRANSPORT),
        Algorithm("3des-cbc", Secret(b"123456781234567812345678")),
        Algorithm("hmac-md5", Secret(b"\x0a" * 16)),
    )


def test_all_extensions() -> None:
    found = statement(
        "update -4n 192.0.2.1 192.0.2.2 ah 0xfffffffF -u 7 -r 32 -f seq-pad -f nocyclic-seq -lh 100 -ls 80 -bh 5000"
        ' -bs 4000 -ctx 1 2 "user_u:role" -m any -A hmac-sha2-512 "k";'
    )
    assert found == Update(
        *PAIR,
        Security.AH,
        0xFFFFFFFF,
        Extensions(
            reqid=7,
            replay_window=32,
            padding=Padding.SEQUENCE,
            cyclic_sequence=False,
            hard_seconds=100,
            soft_seconds=80,
            hard_bytes=5000,
            soft_bytes=4000,
            context=Context(1, 2, "user_u:role"),
        ),
        authentication=Algorithm("hmac-sha2-512", Secret(b"k")),
    )


def test_an_update_is_no_add() -> None:
    text = f"192.0.2.1 192.0.2.2 esp 0x1000 {ALGORITHMS};"
    assert statement("add " + text) != statement("update " + text)


def test_esp_in_udp_has_ports_and_may_have_an_original_address() -> None:
    found = statement(f"add 192.0.2.1[4500] 192.0.2.2 [ 4501 ] esp-udp 10.0.0.9 0x1000 {ALGORITHMS};")
    assert isinstance(found, Add)
    assert (found.source, found.destination) == (Host(A, 4500), Host(B, 4501))
    assert found.original == ip_address("10.0.0.9")
    without = statement(f"add 192.0.2.1[4500] 192.0.2.2[4501] esp-udp 4096 {ALGORITHMS};")
    assert isinstance(without, Add)
    assert (without.original, without.spi) == (None, 4096)


def test_the_rest_of_the_statements_about_sas() -> None:
    assert statements(
        "get ::1 ::2 ah 0x100; delete ::1 ::2 esp 256; deleteall ::1 ::2 esp; flush; flush ah; dump; dump esp;"
        "getspi ::1 ::2 esp 1000 -m tunnel; add ::1 ::2 ipcomp 1000 -C deflate -R; spdflush; spddump;"
    ) == (
        Get(Host(ip_address("::1")), Host(ip_address("::2")), Security.AH, 256),
        Delete(Host(ip_address("::1")), Host(ip_address("::2")), Security.ESP, 256),
        DeleteAll(Host(ip_address("::1")), Host(ip_address("::2")), Security.ESP),
        Flush(),
        Flush(Security.AH),
        Dump(),
        Dump(Security.ESP),
        GetSpi(Host(ip_address("::1")), Host(ip_address("::2")), Security.ESP, 1000, Extensions(mode=Mode.TUNNEL)),
        Add(
            Host(ip_address("::1")),
            Host(ip_address("::2")),
            Security.IPCOMP,
            1000,
            compression="deflate",
            raw_cpi=True,
        ),
        SpdFlush(),
        SpdDump(),
    )


@pytest.mark.parametrize("word", ["exit", "quit", "bye"])
def test_nothing_is_read_behind_an_exit(word: str) -> None:
    assert statements(f"flush; {word}; nonsense") == (Flush(), Exit())


def test_a_policy() -> None:
    found = statement("spdadd 10.1.0.0/16[500] 10.2.0.0/16 udp -P out prio high + 5 ipsec"
                      " esp/tunnel/192.0.2.1-192.0.2.2/unique:3 ah/transport//require;")  # fmt: skip
    assert found == SpdAdd(
        Traffic(Range(ip_address("10.1.0.0"), 16, 500), Range(ip_address("10.2.0.0"), 16), 17),
        Policy(
            Direction.OUT,
            Action.IPSEC,
            (
                Rule(Security.ESP, Mode.TUNNEL, PAIR, Level.UNIQUE, 3),
                Rule(Security.AH, Mode.TRANSPORT, None, Level.REQUIRE),
            ),
            2**30 + 5,
        ),
    )


def test_ends_of_a_tunnel_may_have_ports() -> None:
    found = statement("spdadd ::/0 ::/0 any -P fwd ipsec esp/tunnel/fe80::1[4500]-fe80::2[4501]/use;")
    assert isinstance(found, SpdAdd)
    assert found.policy.rules[0].ends == (Host(ip_address("fe80::1"), 4500), Host(ip_address("fe80::2"), 4501))


@pytest.mark.parametrize("rule", ["esp/transport", "esp/transport/", "esp/transport//", "esp/transport//default"])
def test_what_a_rule_may_leave_out(rule: str) -> None:
    expected = Policy(Direction.IN, Action.IPSEC, (Rule(Security.ESP, Mode.TRANSPORT),))
    assert statement(f"spdadd 192.0.2.1 192.0.2.2 any -P in ipsec {rule};") == SpdAdd(HOSTS, expected)


@pytest.mark.parametrize(
    ("text", "priority"),
    [
        ("prio 7", 7),
        ("priority -7", -7),
        ("prio - 7", -7),
        ("prio low", -(2**30)),
        ("prio def", 0),
        ("prio def - 3", -3),
        ("prio high+1", 2**30 + 1),
    ],
)
def test_priorities(text: str, priority: int) -> None:
    found = statement(f"spdadd ::1 ::2 any -P in {text} discard;")
    assert isinstance(found, SpdAdd)
    assert found.policy == Policy(Direction.IN, Action.DISCARD, priority=priority)


def test_upper_protocols_and_what_follows_them() -> None:
    def upper(text: str) -> tuple[int | None, tuple[int, int] | None, int | None]:
        found = statement(f"spdadd ::1 ::2 {text} -P in none;")
        assert isinstance(found, SpdAdd)
        assert isinstance(found.traffic, Traffic)
        return found.traffic.protocol, found.traffic.icmp, found.traffic.gre_key

    assert upper("any") == (None, None, None)
    assert upper("255") == (None, None, None)
    assert upper("17") == (17, None, None)
    assert upper("icmp6 135,0") == (58, (135, 0), None)
    assert upper("gre 1234") == (47, None, 1234)
    assert upper("gre 0.0.4.210") == (47, None, 1234)


def test_the_rest_of_the_statements_about_policies() -> None:
    update, delete, tagged = statements(
        "spdupdate 192.0.2.1 192.0.2.2 any -ctx 1 1 \"label\" -P out discard;"
        "spddelete 192.0.2.1/32[any] 192.0.2.2/32[any] any -P in;"
        'spdadd tagged "a tag" -P out none;'
    )  # fmt: skip
    assert update == SpdUpdate(HOSTS, Policy(Direction.OUT, Action.DISCARD), Context(1, 1, "label"))
    assert delete == SpdDelete(HOSTS, Direction.IN)
    assert tagged == SpdAdd("a tag", Policy(Direction.OUT, Action.NONE))


def test_blanks_comments_and_lines_mean_nothing() -> None:
    text = "\tflush # all; of it\n ; #\n\n  dump\r\nesp\n;spdflush;"
    assert statements(text) == (Flush(), Dump(Security.ESP), SpdFlush())


def test_a_string_holds_what_would_be_syntax_elsewhere() -> None:
    found = statement('add 192.0.2.1 192.0.2.2 ah 256 -A hmac-md5 "a;b #c d ;";')
    assert isinstance(found, Add)
    assert found.authentication == Algorithm("hmac-md5", Secret(b"a;b #c d ;"))


def test_places_are_those_of_the_text() -> None:
    found = statements(GATEWAY)
    assert [f"{s.where.line}:{s.where.column}" for s in found] == ["2:1", "3:1", "6:1", "9:1", "11:1", "13:1"]
    (add, *_) = (s for s in found if isinstance(s, Add))
    assert add.encryption is not None
    assert str(add.encryption.where) == "f:8:8"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ad ::1 ::2 esp 256;", "f:1:1: this is no command (did you mean `add`?)"),
        ("flush", "f:1:6: `;` is missing at the end"),
        ("flush\ndump;", "f:2:1: `;` is missing before `dump`"),
        ("add gw.example.org ::1 esp 256;",
         "f:1:5: `gw.example.org` is not an IP address (names of hosts and interfaces are not looked up)"),
        ("add 10.0.0.0/8 10.0.0.1 esp 256;",
         "f:1:5: `10.0.0.0/8`: an SA is between two hosts, and has no prefix"),
        ("deleteall 10.0.0.1 ::1 esp;", "f:1:11: 10.0.0.1 and ::1 are of different IP versions"),
        ("deleteall -6 10.0.0.1 10.0.0.2 esp;", "f:1:14: 10.0.0.1 is not IPv6, which the option asks for"),
        ("deleteall ::1 ::2 epp;",
         "f:1:19: `epp` is not a protocol (one of esp, esp-old, esp-udp, ah, ah-old, ipcomp, tcp)"),
        ("get ::1 ::2 esp 255;", "f:1:17: SPI 255 is out of range (from 256 to 4294967295)"),
        ("get ::1 ::2 esp 0x1000000000;",
         "f:1:17: this is not an SPI (a number from 256 to 4294967295, decimal or 0x…)"),
        ("get ::1[500] ::2 esp 256;", "f:1:5: ports belong to `esp-udp`, and this is `esp`"),
        ("get ::1 ::2 esp 256 -m tunel;", "f:1:24: `tunel` is not a mode (did you mean `tunnel`?)"),
        ("get ::1 ::2 esp 256 -r x;", "f:1:24: the window is not a number from 0 to 4294967295"),
        ("get ::1 ::2 esp 256 -u 1 -u 2;", "f:1:26: `-u` is given twice"),
        ("get ::1 ::2 esp 256 -lx 5;",
         "f:1:21: `-lx` is no option (there are -m, -u, -r, -f, -lh, -ls, -bh, -bs, -ctx, -E, -A, -C, -R)"),
        ("get ::1 ::2 esp 256 -A hmac-md5 0x00;", "f:1:21: only `add` and `update` take algorithms"),
        ("add ::1 ::2 esp 256;", "f:1:1: `esp` takes -E, with or without -A"),
        ("add ::1 ::2 ah 256 -E null;", "f:1:1: `ah` takes -A"),
        ("add ::1 ::2 ipcomp 256 -C zip;", "f:1:27: this is not a compression algorithm (one of deflate, lzs, oui)"),
        ("add ::1 ::2 esp 256 -E aes-cdc 0x00;",
         "f:1:24: this is no encryption algorithm (did you mean `aes-cbc`?)"),
        ("add ::1 ::2 ah 256 -A hmac-md5;",
         'f:1:31: the key is missing (a key is "in double quotes" or 0x and hexadecimal digits)'),
        ("add ::1 ::2 ah 256 -A hmac-md5 0x123;", "f:1:32: the key has an odd number of hexadecimal digits"),
        ('add ::1 ::2 ah 256 -A hmac-md5 "secret;',
         'f:1:32: this string has no end (a string ends on its line, with `"`)'),
        ("spdadd 10.0.0.0/33 10.0.0.1 any -P in none;",
         "f:1:8: `10.0.0.0/33`: a prefix of IPv4 has at most 32 bits"),
        ("spdadd ::1[65536] ::1 tcp -P in none;",
         "f:1:8: `65536` is not a port (a number up to 65535, or `any`)"),
        ("spdadd ::1[isakmq] ::1 udp -P in none;", "f:1:8: `isakmq` is not a port (did you mean `isakmp`?)"),
        ("spdadd ::1 ::1 imcp -P in none;", "f:1:16: `imcp` is not a protocol (did you mean `icmp`?)"),
        ("spdadd ::1 ::1 icmp6 135 -P in none;",
         "f:1:22: `135` is not `type,code` (two numbers up to 255 without a blank: `135,0`)"),
        ("spdadd ::1 ::1 tcp 1,2 -P in none;",
         "f:1:20: `1,2` has no meaning here (`type,code` follows ICMP, a key follows GRE)"),
        ("spdadd ::1 ::1 any in none;",
         "f:1:20: `in` has no meaning here (`type,code` follows ICMP, a key follows GRE)"),
        ("spdadd ::1 ::1 any;", "f:1:19: `-P` is missing here (`-P out`, `-P in` or `-P fwd`)"),
        ("spdadd ::1 ::1 any -P up none;", "f:1:23: `up` is not a direction (one of in, out, fwd)"),
        ("spdadd ::1 ::1 any -P in ipsec;",
         "f:1:26: `ipsec` needs a rule (`protocol/mode/source-destination/level`)"),
        ("spdadd ::1 ::1 any -P in none esp/transport;",
         "f:1:26: `none` takes no rules (`protocol/mode/source-destination/level`)"),
        ("spdadd ::1 ::1 any -P in ipsec esp;",
         "f:1:32: `esp` is no rule (`esp/tunnel/10.0.0.1-10.0.0.2/require`, for example)"),
        ("spdadd ::1 ::1 any -P in ipsec esp/tunnel//require;",
         "f:1:32: `esp/tunnel//require`: a tunnel has two ends (`esp/tunnel/10.0.0.1-10.0.0.2/require`)"),
        ("spdadd ::1 ::1 any -P in ipsec esp/transport//unique:0;",
         "f:1:32: `unique:0` is not a level (`unique:1` to `unique:32767`)"),
        ("spdadd ::1 ::1 any -P in prio x none;",
         "f:1:31: `x` is no priority (a number, or low, def, high with + or - a number)"),
        ("spdadd tagged x -P in none;", 'f:1:15: the tag is missing (in double quotes: "…")'),
    ],
)  # fmt: skip
def test_mistakes(text: str, complaint: str) -> None:
    assert faults(text) == [complaint]


def test_all_mistakes_at_once_and_what_is_right_between_them() -> None:
    text = f"""\
add ::1 ::2 esp 1 {ALGORITHMS};
frobnicate ::1;
flush
spdflush;
add ::1 ::2 ah 256 -A hmac-md5 "no end;
spdadd ::1 ::2 any -P sideways none;
"""
    assert [line.split(": ")[0] for line in faults(text)] == ["f:1:17", "f:2:1", "f:4:1", "f:5:32", "f:6:23"]


SECRET = "correct-horse"


@pytest.mark.parametrize(
    "text",
    [
        f"add ::1 ::2 ah 256 -A hmac-md5 {SECRET};",
        f"add ::1 ::2 ah 256 -A {SECRET};",
        f"add ::1 ::2 ah 256 -A hmac-md5 my {SECRET};",
        f'add ::1 ::2 ah 256 -A hmac-md5 "my" {SECRET};',
        f'add ::1 ::2 ah 256 -A hmac-md5 "my; {SECRET};',
        f'add ::1 ::2 ah 256 -A "{SECRET}";',
        f'add ::1 ::2 ah 256 "{SECRET}";',
        f"add ::1 ::2 ah 256 {SECRET};",
        f'add ::1 ::2 esp 256 -E null "{SECRET}";',
        f"add ::1 ::2 esp 256 -E null {SECRET};",
        f"add ::1 ::2 ah 256 -A hmac-md5 -{SECRET};",
        f"add ::1 ::2 ah 256 -A hmac-md5 0x{SECRET};",
        f"add ::1 ::2 ah 256 -A hmac-md5 one;{SECRET};",
        f'"{SECRET}";',
        f"add ::1 ::2 ah 256 -C {SECRET};",
        f"add ::1 ::2 ah 256 -A hmac-md5 \"a\" -{SECRET} ;",
        f"add ::1 ::2 ah {SECRET};",
        f"add ::1 ::2 ah 256 -r {SECRET};",
    ],
)  # fmt: skip
def test_no_complaint_quotes_a_key(text: str) -> None:
    found = faults(text)
    assert found != []
    assert SECRET not in "".join(found)


def test_keys_do_not_show_in_values() -> None:
    key = KEY[2:]
    assert key not in repr(statements(GATEWAY))
