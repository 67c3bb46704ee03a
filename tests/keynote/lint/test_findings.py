# SPDX-License-Identifier: ISC
"""What a check finds besides the policies of test_codes: each with one that is nearly the same and right."""

from datetime import UTC, datetime

import pytest

from keynote.files import parse_all
from keynote.lint import Finding, lint
from keynote.lint.patterns import beginnings, is_open, words
from keynote.schemas import names
from pki import distinguished_names
from pki.errors import NameInvalid

NOW = datetime(2026, 6, 1, tzinfo=UTC)
IPSEC = 'app_domain == "IPsec policy" && '


def found(text: str) -> list[Finding]:
    assertions, problems = parse_all(text, name="p.kn")
    assert problems == ()
    return list(lint(assertions, now=NOW))


def policy(conditions: str, licensees: str = '"DN:/CN=gw"') -> str:
    return f'Authorizer: "POLICY"\nLicensees: {licensees}\nConditions: {conditions} -> "true";\n'


@pytest.mark.parametrize(
    ("code", "wrong", "right"),
    [
        # A guard by a pattern is one, so the attributes behind it are looked at; what excludes IPsec is none.
        (
            "KN101",
            'app_domain ~= "^IPsec policy$" && esp_enc_algo == "aes"',
            'app_domain ~= "^mail$" && esp_enc_algo == "x"',
        ),
        (
            "KN101",
            'app_domain ~= "^IPsec" && esp_enc_algo == "aes"',
            'app_domain ~= "^IPsec" || esp_enc_algo == "aes"',
        ),
        (
            "KN101",
            'app_domain ~= "^(IPsec policy)$" -> { esp_enc_algo == "aes"; }; true',
            '!(app_domain ~= "^IPsec") && esp_enc_algo == "x"',
        ),
        ("KN102", IPSEC + 'GMTTimeOfDay < "2027-01-01"', IPSEC + 'GMTTimeOfDay < "20270101"'),
        ("KN102", IPSEC + 'GMTTimeOfDay >= "080000"', IPSEC + 'GMTTimeOfDay >= "2026060108"'),
        ("KN102", IPSEC + 'LocalTimeOfDay <= "20261301000000"', IPSEC + 'LocalTimeOfDay <= "99999999999999"'),
        ("KN102", IPSEC + '"20260230" > LocalTimeOfDay', IPSEC + '"20280229" > LocalTimeOfDay'),
        ("KN102", IPSEC + 'esp_enc_alg >= "aes-256"', IPSEC + 'esp_enc_alg >= "aes"'),
        ("KN102", IPSEC + 'remote_filter_addr_lower >= "lan"', IPSEC + 'remote_filter_addr_lower >= "010."'),
        # Nor where that is why the clause never holds.
        (
            "KN102",
            IPSEC + 'esp_enc_alg == "aes" && esp_enc_alg == "aes-256"',
            IPSEC + 'esp_enc_alg == "aes" && @esp_key_length == 256',
        ),
        ("KN102", IPSEC + 'esp_present == "Yes" && esp_present == "yes"', IPSEC + 'esp_present == "yes"'),
        # No such address, network or range.
        *(
            ("KN102", f'{IPSEC}{name} {operator} "{wrong}"', f'{IPSEC}{name} {operator} "{right}"')
            for name, operator, wrong, right in (
                ("remote_filter_addr_upper", "<=", "010.001.256.999", "010.001.255.255"),
                ("remote_filter_addr_lower", ">=", "010.001.300.000", "010.001.2"),
                ("remote_filter_addr_lower", ">=", "010.001.26", "010.001.25"),
                ("remote_ike_address", "==", "010.001.256.001", "010.001.255.001"),
                ("remote_ike_address", "!=", "10.1.256.1", "010.001.255.001"),
                ("remote_id_addr_lower", "==", "10.0.0.1000", "010.000.000.001"),
                ("remote_filter", "==", "010.002.000.000-010.001.000.000", "010.001.000.000-010.002.000.000"),
                ("remote_filter", "==", "010.002.000.000-2001:db8::1", "010.001.000.000"),
                ("local_filter", "==", "010.001.300.000", "010.001.030.000"),
                ("local_filter", "==", "10.1.0.0/33", "010.001.000.000-010.001.255.255"),
                ("local_filter", "==", "2001:0db8::/129", "lan.example.org"),
                ("local_filter", "==", "10.1", "10-1"),
                ("local_filter", "==", "12345::1", "::name"),
                ("remote_filter", ">=", "010.001.300.000", "010.001.200"),
                ("remote_filter", "<", "010.256", "010.255"),
            )
        ),
        *(
            ("KN103", f'{IPSEC}{name} == "{wrong}"', f'{IPSEC}{name} == "{right}"')
            for name, wrong, right in (
                ("remote_filter", "010.001.000.000/16", "010.001.000.000-010.001.255.255"),
                ("remote_filter", "10.1.0.0/255.255.0.0", "010.001.000.000"),
                ("remote_filter", "010.001.000.000 - 010.001.255.255", "010.001.000.000-010.001.255.255"),
                ("remote_filter", "2001:0db8:0000::/48", "2001:db8 is a name"),
                ("remote_ike_address", " 010.001.000.001", "010.001.000.001"),
                ("remote_id", "10.1.2.3", "10.1.2.300"),
            )
        ),
        # Protocols have words, and numbers ends.
        ("KN102", IPSEC + 'remote_filter_proto == "6"', IPSEC + 'remote_filter_proto == "47"'),
        ("KN102", IPSEC + 'local_filter_proto != "17"', IPSEC + 'local_filter_proto != "udp"'),
        ("KN102", IPSEC + "@remote_filter_proto == 97", IPSEC + "@remote_filter_proto == 50"),
        ("KN102", IPSEC + 'remote_filter_proto ~= "^(6|17)$"', IPSEC + 'remote_filter_proto ~= "^(tcp|udp)$"'),
        ("KN102", IPSEC + "@remote_filter_port == 70000", IPSEC + "@remote_filter_port == 500"),
        ("KN102", IPSEC + "@esp_key_length == -1", IPSEC + "@esp_key_length == 256"),
        ("KN102", IPSEC + "@esp_life_seconds < 0", IPSEC + "@esp_life_seconds <= 0"),
        ("KN102", IPSEC + "0 <= @esp_life_seconds", IPSEC + "0 < @esp_life_seconds"),
        *(
            ("KN503", f"{IPSEC}{wrong}", f"{IPSEC}{right}")
            for wrong, right in (
                ("@esp_group_desc >= 14", "@esp_group_desc >= 14 && @esp_group_desc <= 21"),
                ('phase1_group_desc == "22"', 'phase1_group_desc ~= "^(1[4-9]|2[01]|2[6-9]|3[0-2])$"'),
                ('ah_group_desc ~= "^2[0-9]$"', 'ah_group_desc == "31"'),
                ("@phase1_group_desc == 25", "@phase1_group_desc == 26"),
                ('esp_group_desc == "5"', 'esp_group_desc == "20"'),
            )
        ),
        # Behind `$`, in expressions, and as floats.
        ("KN101", IPSEC + '$"esp_enc_algo" == "aes"', IPSEC + '$"esp_enc_alg" == "aes"'),
        ("KN101", IPSEC + '$("esp_" . "enc_algo") == "aes"', IPSEC + '$pfs == "aes"'),
        ("KN102", IPSEC + '$"esp_enc_alg" == "aes-256"', IPSEC + '$"esp_enc_alg" == "aes"'),
        ("KN102", IPSEC + '@$"esp_key_length" == -1', IPSEC + '@$"esp_key_length" == 256'),
        ("KN102", IPSEC + '$"esp_enc_alg" ~= "^AES$"', IPSEC + '$"esp_enc_alg" ~= "^aes$"'),
        (
            "KN111",
            IPSEC + "remote_id != local_filter",
            IPSEC + 'remote_id != local_filter && remote_id == "gw" && local_filter != ""',
        ),
        ("KN111", IPSEC + 'esp_enc_alg . "x" != "nullx"', IPSEC + 'esp_enc_alg . "x" != "x"'),
        ("KN111", IPSEC + '!("x" . remote_id == "xgw")', IPSEC + '!("x" . remote_id == "x")'),
        ("KN111", IPSEC + "@esp_life_seconds != @ah_life_seconds", IPSEC + "@esp_life_seconds == @ah_life_seconds"),
        ("KN111", IPSEC + '$"esp_enc_alg" != "null"', IPSEC + '$"esp_enc_alg" != ""'),
        ("KN112", IPSEC + "&esp_life_seconds < 2.0", IPSEC + "&esp_life_seconds < 2.0 && &esp_life_seconds > 0.0"),
        ("KN112", IPSEC + "!(&esp_life_seconds > 2.5)", IPSEC + "!(&esp_life_seconds < 2.5)"),
        ("KN112", IPSEC + 'esp_enc_alg < "null"', IPSEC + 'esp_enc_alg < "null" && esp_enc_alg ~= "^a"'),
        ("KN112", IPSEC + 'remote_id <= "gw"', IPSEC + 'remote_id >= "gw"'),
        # The case of app_domain.
        ("KN107", 'app_domain ~= "ipsec"', 'app_domain ~= "IPsec"'),
        ("KN107", 'app_domain ~= "^IPSec policy$"', 'app_domain ~= "^(IPsec policy|mail)$"'),
        ("KN107", 'app_domain ~= "^IPsec-policy$"', 'app_domain ~= "^mail$"'),
        ("KN107", '$"app_domain" == "ipsec policy"', 'app_domain ~= "("'),
        # Windows of time, also of a part of the test, by number, by pattern. It is June of 2026.
        ("KN401", 'GMTTimeOfDay ~= "^2025"', 'GMTTimeOfDay ~= "^202[56]"'),
        ("KN401", 'GMTTimeOfDay ~= "^20260[1-5]"', 'GMTTimeOfDay ~= "^20260[1-6]"'),
        ("KN401", 'GMTTimeOfDay ~= "^(2024|2025)1[12]|^202603"', 'GMTTimeOfDay ~= "2025"'),
        (
            "KN401",
            '(GMTTimeOfDay < "20260101000000" || GMTTimeOfDay > "20300101000000")',
            '(GMTTimeOfDay < "20270101000000" || GMTTimeOfDay > "20300101000000")',
        ),
        ("KN401", 'x == "1" && GMTTimeOfDay < "2026" || x == "2"', 'x == "1" && GMTTimeOfDay < "2027" || x == "2"'),
        ("KN401", '!(GMTTimeOfDay > "2025" && x == "2")', '!(GMTTimeOfDay < "2025" && x == "2")'),
        ("KN401", "@GMTTimeOfDay < 20260101000000", "@GMTTimeOfDay < 20270101000000"),
        ("KN402", "@LocalTimeOfDay <= 20260620000000", "@LocalTimeOfDay <= 20260820000000"),
        ("KN402", 'x == "1" && GMTTimeOfDay < "20260615" || x == "2"', 'x == "1" && GMTTimeOfDay >= "20260615"'),
        ("KN402", 'GMTTimeOfDay ~= "^2026060"', 'GMTTimeOfDay ~= "^20260[1-9]"'),
        # POSIX has no classes with a backslash.
        ("KN211", 'x ~= "^\\\\w+\\\\.x$"', 'x ~= "^[[:alpha:]]+\\\\.x$"'),
        ("KN211", 'x ~= "^[a\\\\d]$"', 'x ~= "^[]a\\\\.]\\\\[d]$"'),
        ("KN211", 'x ~= "[^]\\\\s]"', 'x ~= "[[.].]d]"'),
        ("KN211", 'x ~= "a\\\\\\\\\\\\b"', 'x ~= "a\\\\\\\\b"'),
        ("KN105", IPSEC + "@GMTTimeOfDay < 20270101000000", IPSEC + 'GMTTimeOfDay < "20270101000000"'),
        ("KN105", IPSEC + "20270101000000 > @GMTTimeOfDay", IPSEC + "@GMTTimeOfDay % 1000000 > 80000"),
        ("KN105", IPSEC + "&LocalTimeOfDay < 20270101000000.0", IPSEC + "@esp_life_seconds < 3600"),
        ("KN105", IPSEC + "@remote_filter > 10", IPSEC + "@remote_id > 10"),
        ("KN113", IPSEC + 'remote_id ~= "gw1|gw2.*"', IPSEC + 'remote_id ~= "^gw1$|^gw2$"'),
        ("KN113", IPSEC + 'remote_id ~= "^gw.*$"', IPSEC + 'remote_id ~= "^gw[0-9]$"'),
        ("KN113", IPSEC + 'remote_id ~= "^(a\\\\.org$|b)"', IPSEC + 'remote_id ~= "^(a\\\\.org|b)$"'),
        ("KN113", IPSEC + 'remote_id ~= "^/O=Example.*"', IPSEC + 'remote_id ~= "^/O=Example/.*"'),
        ("KN505", IPSEC + 'remote_id ~= "^[a-z.]+$"', IPSEC + 'remote_id ~= "\\\\.example\\\\.org$"'),
        # `&&` binds before `||`, so the last test stands alone, without app_domain
        (
            "KN505",
            IPSEC + 'remote_id == "gw.example.org" || remote_id ~= "^a"',
            IPSEC + '(remote_id == "gw.example.org" || remote_id ~= "^a[.]example[.]org$")',
        ),
        ("KN505", IPSEC + '"gw.example.org" ~= remote_id', IPSEC + 'remote_id == "gw.example.org"'),
        (
            "KN201",
            IPSEC + 'esp_key_length == "128" && @esp_key_length > 128',
            IPSEC + 'esp_key_length == "256" && @esp_key_length > 128',
        ),
        (
            "KN201",
            IPSEC + '@esp_key_length > 128 && esp_key_length == "128"',
            IPSEC + '@esp_key_length > 128 && esp_key_length == "256"',
        ),
        ("KN201", 'x == "5" && &x > 7.5', 'x == "8" && &x > 7.5'),
        ("KN201", 'x == "5" && (@x + 3) * 2 > 16', 'x == "6" && (@x + 3) * 2 > 16'),
        ("KN201", 'x ~= "^(5|6)$" && @x > 7', 'x ~= "^(5|8)$" && @x > 7'),
        ("KN201", 'x == "0" && 5 / @x == 1', 'x == "5" && 5 / @x == 1'),
        ("KN202", 'x ~= "^5$" -> "true"; x == "5"', 'x ~= "^5" -> "true"; x == "6"'),
        (
            "KN204",
            IPSEC + 'esp_key_length == "256" && @esp_key_length == 256',
            IPSEC + 'esp_key_length != "128" && @esp_key_length == 256',
        ),
    ],
)
def test_conditions(code: str, wrong: str, right: str) -> None:
    assert code in {finding.code for finding in found(policy(wrong))}
    assert code not in {finding.code for finding in found(policy(right))}


@pytest.mark.parametrize(
    ("code", "wrong", "right"),
    [
        ("KN301", '"Gateway CA"', '"DN:/CN=Gateway CA"'),
        ("KN301", '"/O=Example/CN=gw"', '"DN:/O=Example/CN=gw"'),
        ("KN311", '"dn:/CN=gw"', '"DN:/CN=gw"'),
        ("KN311", '"DN:/cn=gw"', '"DN:/CN=gw"'),
        ("KN311", '"DN:/O=Example/Email=a@b"', '"DN:/O=Example/emailAddress=a@b"'),
        ("KN311", '"DN:/CN=gw/"', '"DN:/CN=gw"'),
        ("KN311", '"DN:"', '"DN:/CN="'),
        ("KN311", '"DN:/CN:utf8=gw"', '"DN:/CN:printable=gw"'),
        ("KN311", '"DN:/CN:ascii=gw"', '"DN:/CN:ia5=gw"'),
        ("KN311", '"DN:/CN=M\xc3\xbcnchen"', '"DN:/CN=M\\\\xC3\\\\xBCnchen"'),
        ("KN311", '"DN:/CN=M\\xC3\\xBCnchen"', '"DN:/CN=0xC30xBC"'),
        ("KN311", '"DN:/CN=\\\\x41"', '"DN:/CN=\\\\x2F"'),
        ("KN311", '"DN:/CN=a\\\\/b"', '"DN:/CN=a\\\\x2Fb"'),
        ("KN312", '"passphrase-sha1-hex:' + "AB" * 20 + '"', '"passphrase-sha1-hex:' + "ab" * 20 + '"'),
        ("KN312", '"passphrase-md5-hex:' + "ab" * 20 + '"', '"passphrase-md5-hex:' + "ab" * 16 + '"'),
        ("KN312", '"passphrase-sha256-hex:' + "ab" * 32 + '"', '"passphrase:sha256-hex:' + "ab" * 32 + '"'),
    ],
)
def test_principals(code: str, wrong: str, right: str) -> None:
    """Without a test of app_domain, too."""
    conditions = 'esp_present == "yes"'
    assert code in {finding.code for finding in found(policy(conditions, wrong))}
    assert code not in {finding.code for finding in found(policy(conditions, right))}


def test_licensees_below_what_is_for_ipsec() -> None:
    below = '\nAuthorizer: "CA"\nLicensees: "gw"\n'
    for conditions, told in ((IPSEC + "true", True), ('esp_present == "yes"', True), ('app_domain == "mail"', False)):
        codes = {finding.code for finding in found(policy(conditions, '"CA"') + below)}
        assert ("KN301" in codes) == told
    codes = {finding.code for finding in found(policy('mail == "x"', '"alice"'))}
    assert "KN301" not in codes


def test_nothing_of_a_digest_is_told() -> None:
    for digits in ("c0ffee", "C0FFEE" * 7):
        for finding in found(policy(IPSEC + "true", f'"passphrase-sha1-hex:{digits}"')):
            assert "c0ffee" not in f"{finding} {finding.hint} {finding.excerpt}".lower()


@pytest.mark.parametrize(
    ("code", "text", "hint"),
    [
        ("KN101", policy(IPSEC + 'esp_enc == "aes"'), "did you mean `esp_enc_alg`?"),
        ("KN101", policy(IPSEC + 'esp_auth == "aes"'), "did you mean `esp_auth_alg`?"),
        ("KN101", policy(IPSEC + 'esp_enc_algo == "aes"'), "did you mean `esp_enc_alg`?"),
        ("KN101", policy(IPSEC + 'gmttimeofday > "2026"'), "did you mean `GMTTimeOfDay`?"),
        ("KN102", policy(IPSEC + 'GMTTimeOfDay < "2027-01-01"'), "write `20270101000000`"),
        (
            "KN211",
            policy('x ~= "^\\\\d+$"'),
            "POSIX extended regular expressions have none by that name: it is the letter `d`; write `[0-9]`",
        ),
        (
            "KN102",
            policy(IPSEC + 'remote_filter_proto == "6"'),
            'the daemon says `tcp` for that: `remote_filter_proto == "tcp"`',
        ),
        ("KN103", policy(IPSEC + 'local_filter == "010.001.000.000/16"'), "write `010.001.000.000-010.001.255.255`"),
        (
            "KN102",
            policy(IPSEC + 'remote_filter_addr_upper <= "010.001.256.999"'),
            "write an address as `010.001.002.003`, a network as `010.001.000.000-010.001.255.255`",
        ),
        ("KN102", policy(IPSEC + 'GMTTimeOfDay < "0800"'), "write `YYYYMMDDHHMMSS`, the date too, or its beginning"),
        ("KN311", policy("true", '"DN:CN=gw, O=Example"'), "write `DN:/O=Example/CN=gw`"),
        ("KN311", policy("true", '"DN:/o=Example/e=a@b/"'), "write `DN:/O=Example/emailAddress=a@b`"),
        (
            "KN311",
            policy("true", '"DN:gw.example.org"'),
            "the daemon writes `DN:/C=DE/O=Example/CN=gw`; `keynote-pki show` prints the name of a certificate",
        ),
    ],
)
def test_hints(code: str, text: str, hint: str) -> None:
    assert {finding.hint for finding in found(text) if finding.code == code} == {hint}


# -- what they rest on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("^IPsec policy$", {"IPsec policy"}),
        ("^(aes|3des)$", {"aes", "3des"}),
        ("^aes$|^3des$", {"aes", "3des"}),
        ("(^a$|^b$)", {"a", "b"}),
        ("^a[bc]?$", {"a", "ab", "ac"}),
        ("^(a|b){2}$", {"aa", "ab", "ba", "bb"}),
        (r"^a\.b$", {"a.b"}),
        ("^$", {""}),
        ("$^", {""}),
        ("a^b", set()),
        ("^a$b", set()),
        ("aes", None),
        ("^aes", None),
        ("aes$", None),
        ("^aes$|b", None),
        ("^a.$", None),
        ("^a+$", None),
        ("^[0-9][0-9]$", None),
        ("^(a", None),
        ("$*a", None),
    ],
)
def test_the_texts_that_a_pattern_matches(pattern: str, matched: set[str] | None) -> None:
    assert words(pattern) == matched


@pytest.mark.parametrize(
    ("pattern", "begun"),
    [
        ("^2025", {"2025"}),
        ("^202[56]0?1", {"20251", "202501", "20261", "202601"}),
        ("^(aes|3des)-.*$", {"aes-", "3des-"}),
        ("^a|^bc+", {"a", "b"}),
        ("^a|b", None),
        ("2025", None),
        ("^[0-9]*", None),
        ("^.{3}", None),
        ("^(a|^b)", None),
        ("^?a", None),
        ("(^a)", None),
        ("^(a", None),
    ],
)
def test_how_all_begins_that_a_pattern_matches(pattern: str, begun: set[str] | None) -> None:
    assert beginnings(pattern) == begun


@pytest.mark.parametrize(
    "pattern", ["a", "^a", "a|b$", "^a$|b", "a.*", "a.*$", "^a.+$", "a$*", "(a$|b)", "^(a|b.*)$", ".*b?$"]
)
def test_patterns_that_match_whatever_comes_behind(pattern: str) -> None:
    assert is_open(pattern)


@pytest.mark.parametrize(
    "pattern", ["a$", "^a$", "^a$|b$", "(a|b)$", "(a$|b$)", "^.*@a$", "^/O=a/", "^/O=a/CN=.*$", "$", "^(a"]
)
def test_patterns_that_have_an_end(pattern: str) -> None:
    assert not is_open(pattern)


def test_names_are_those_that_the_authority_writes() -> None:
    """The two tables are one, and what one refuses the other does, on names that only one thing is wrong with."""
    assert set(names.TYPES) == set(distinguished_names._OIDS)
    assert set(names.STRINGS) == set(distinguished_names._TAGS)
    tags = {oid: distinguished_names._STRING_TYPES[tag][0] for oid, tag in distinguished_names._USUAL_TAG.items()}
    for short, oid in distinguished_names._OIDS.items():
        assert names.TYPES[short] == tags.get(oid, "utf8")
    texts = [
        "/CN=gw",
        "/C=DE/O=a b/CN=gw",
        "/CN=a\\x2Fb",
        "/CN=a\\x41",
        "/CN=\\xC3\\xBC",
        "/CN=\\xc3",
        "/CN=\xc3",
        "/CN=a\\b",
    ]
    texts += [
        "CN=gw",
        "",
        "/",
        "/CN",
        "/cn=gw",
        "/CN=a/",
        "/CN:utf8=a",
        "/C:printable=DE",
        "/O:printable=a",
        "/CN:x=a",
    ]
    texts += [
        "/1.2.3.4=a",
        "/1.2.3.4:ia5=a",
        "/CN:der=0500",
        "/CN:der=05",
        "/CN:der=0x",
        "/DC=a+OU=b",
        "/CN=a,b~[]{}\"'",
    ]
    for text in texts:
        try:
            distinguished_names.from_keynote(text)
        except NameInvalid:
            # A wrong order, and DER that is none, are nothing that can be seen without reading DER.
            assert names.mistake(text) or text in ("/CN:der=05", "/DC=a+OU=b"), text
        else:
            assert names.mistake(text) == "", text
