# SPDX-License-Identifier: ISC
"""Strict rule 3: policy lets in the names that it means, and no stranger."""

from collections.abc import Sequence
from random import Random

import pytest

from keynote.binding import ACTION, Strangers
from keynote.environment import Unknown
from keynote.files import parse_all
from keynote.meant_names import ALL, Kind, kinds_between, kinds_meant
from keynote.session import BOOLEAN, Session

CA = "DN:/CN=Example CA"
FQDN, MAIL, DN, KEY_ID = "FQDN", "User FQDN", "ASN1 DN", "Key ID"


def policy(conditions: str, licensees: str = f'"{CA}"', constants: str = "") -> str:
    local = f"Local-Constants: {constants}\n" if constants else ""
    return (
        f'{local}Authorizer: "POLICY"\nLicensees: {licensees}\n'
        f'Conditions: app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg == "aes" && {conditions};\n'
    )


def is_bound(text: str, principals: Sequence[str] = (CA,)) -> bool:
    assertions, problems = parse_all(text, name="p.kn")
    assert problems == ()
    return Strangers(assertions).admitted(principals) is None


def gets_in(text: str, type_: str, name: str, principals: Sequence[str] = (CA,)) -> bool:
    """Whether somebody of this name can have a tunnel."""
    assertions, _ = parse_all(text, name="p.kn")
    bound = name if type_.startswith("IPv") else ""
    identity = {"remote_id": name, "remote_id_type": type_}
    action = {**ACTION, **identity, "remote_id_addr_lower": bound, "remote_id_addr_upper": bound}
    return Session(assertions).query(action, principals, BOOLEAN, Unknown.except_(action)).possible


@pytest.mark.parametrize(
    ("conditions", "type_", "stranger"),
    [
        # A shape is no name.
        ('remote_id_type=="FQDN" && remote_id ~= "^[a-z]+\\\\.[a-z]+\\\\.[a-z]+$"', FQDN, "any.body.com"),
        ('remote_id_type=="FQDN" && remote_id ~= "^[a-z.-]+$"', FQDN, "any.body.com"),
        ('remote_id ~= "^[a-z]+@[a-z]+\\\\.[a-z]+$"', MAIL, "any@body.com"),
        ('remote_id ~= "^.{1,20}$"', FQDN, "any.body.com"),
        ('remote_id_type == "Key ID" && remote_id ~= "^[0-9]{6}$"', KEY_ID, "123456"),
        ('remote_id ~= "^/O=[^/]+/CN=[^/]+$"', DN, "/O=Any/CN=body"),
        ('remote_id ~= "^/C=[A-Z][A-Z]/O=[^/]+/CN=[^/]+$"', DN, "/C=XX/O=Any/CN=body"),
        ('remote_id ~= "^[0-9a-f:]+$"', "IPv6 address", "2001:0db8:0000:0000:0000:0000:0000:0001"),
        ('remote_id ~= "^[a-z]+\\\\." && remote_id ~= "\\\\.[0-9]+$"', FQDN, "any.1"),
        ('!(remote_id ~= "^[0-9]")', FQDN, "any.body.com"),
        # What anybody's name has.
        ('remote_id ~= "\\\\.(org|com|de)$"', FQDN, "any.com"),
        ('remote_id ~= "\\\\.co\\\\.uk$"', FQDN, "any.co.uk"),
        ('remote_id ~= "^/C=DE/"', DN, "/C=DE/O=Any"),
        ('remote_id ~= "example\\\\.org$"', FQDN, "evilexample.org"),
        ('remote_id ~= "^[a-z]*gw\\\\.corp$"', FQDN, "anygw.corp"),
        ('remote_id ~= "^/O=Example"', DN, "/O=Example Body/CN=any"),
        ('remote_id ~= "^/CN=gw.*$"', DN, "/CN=gw/O=Any"),
        ('remote_id ~= "^/DC=org/"', DN, "/DC=org/DC=any"),
        ('remote_id ~= "^gw\\\\.[a-z]+\\\\.[a-z]+$"', FQDN, "gw.body.com"),
        ('remote_id ~= "^010\\\\." && remote_id_type == "FQDN"', FQDN, "010.body.com"),
        # What has no end.
        ('remote_id ~= "@example\\\\.org"', MAIL, "any@example.org.body.com"),
        ('remote_id ~= "^gw\\\\.example\\\\.org"', FQDN, "gw.example.org.body.com"),
        ('remote_id ~= "^gw\\\\.example\\\\.org$|admin"', FQDN, "admin.body.com"),
        ('remote_id ~= "^(gw\\\\.example\\\\.org|.+)$"', FQDN, "any.body.com"),
        # The peer's name as the pattern, as a number, as the name of an attribute.
        ('_ACTION_AUTHORIZERS ~= remote_id && remote_id_type == "FQDN"', FQDN, "e"),
        ('_ACTION_AUTHORIZERS ~= remote_id && remote_id_type == "FQDN"', FQDN, "x|e"),
        ('"gw.example.org" ~= remote_id', FQDN, "."),
        ("@remote_id > 5", KEY_ID, "6"),
        ("@remote_id == 5", KEY_ID, "5.25"),
        ("&remote_id * 2.0 < 1.0", FQDN, "any.body.com"),
        ('$remote_id == "yes"', KEY_ID, "pfs"),
        ("remote_id == remote_filter", FQDN, "any.body.com"),
        ("remote_id == $remote_filter", FQDN, "any.body.com"),
        ("remote_id == remote_id", FQDN, "any.body.com"),
        ('remote_id_addr_lower ~= "^[0-9.]*$"', FQDN, "any.body.com"),
        ('remote_id ~= ("^[a-z.]*" . remote_filter)', FQDN, "any.body.com"),
        # Types without a test of the name.
        *(
            (f'remote_id_type == "{kind}"', kind, "x")
            for kind in ("IPv4 subnet", "IPv6 range", "IPv6 subnet", "IPv4 range", "ASN1 GN", KEY_ID, DN, "")
        ),
        ('remote_id == "gw" || remote_id_type == "ASN1 GN"', "ASN1 GN", "any"),
        # In order.
        ('remote_id > "gw" && remote_id < "h"', FQDN, "gwany.body.com"),
        ('remote_id > "0" && remote_id < "1" && remote_id_type == "Key ID"', KEY_ID, "0any"),
        ('remote_id >= "001" && remote_id <= "250" && remote_id_type ~= "^IPv4"', "IPv4 address", "010.000.000.001"),
        ('"gw.example.org" >= remote_id', FQDN, "any.body.com"),
        ('remote_id . "x" > "gw"', FQDN, "z"),
        # Joined with what is his to choose as well.
        ('remote_id . remote_filter == "gw010.001.000.000-010.001.255.255"', KEY_ID, "g"),
        ('remote_filter . remote_id == "gw.example.org"', FQDN, "example.org"),
        ('remote_id . "/" . $esp_enc_alg == "gw/aes"', KEY_ID, "gw"),
        ('remote_id . remote_id_type == "gwUser FQDN"', FQDN, "gwUser "),
        ('remote_id_type . remote_id == "FQDNgw"', "", "FQDNgw"),
        # Groups of what he wrote.
        ('remote_id ~= "^(.*)@(.*)$" && _1 == "alice"', MAIL, "alice@body.com"),
        ('remote_id ~= "^(.*)@(.*)$" && _2 != "example.org"', MAIL, "any@body.com"),
        ('remote_id ~= "^(.*)@(.*)$" && _2 ~= "^[a-z.]+$"', MAIL, "any@body.com"),
        ('remote_id ~= "^(.*)@(.*)$" && remote_id ~= "(.*)" && _1 == "x@y"', MAIL, "x@y"),
        ('remote_id ~= "^(true|false)\\\\.[a-z]+$" -> _1', FQDN, "true.body"),
        ('remote_id ~= "^(.*)@(.*)$" -> { _0 == "2"; }', MAIL, "any@body.com"),
    ],
)
def test_whom_it_lets_in_without_meaning_him_is_a_stranger(conditions: str, type_: str, stranger: str) -> None:
    text = policy(conditions)
    assert gets_in(text, type_, stranger)
    assert not is_bound(text)


@pytest.mark.parametrize(
    ("conditions", "type_", "friend"),
    [
        ('remote_id == "gw.example.org"', FQDN, "gw.example.org"),
        ('"gw" == remote_id . ""', FQDN, "gw"),
        ('remote_id_type . ":" . remote_id == "FQDN:gw"', FQDN, "gw"),
        ('remote_id . ":" . remote_id_type == "gw:FQDN"', FQDN, "gw"),
        ('remote_id . "," . remote_id == "gw,gw"', FQDN, "gw"),
        ('!(remote_id != "gw")', FQDN, "gw"),
        ('$("remote" . "_id") == "gw"', FQDN, "gw"),
        ('remote_id ~= "@example\\\\.org$"', MAIL, "alice@example.org"),
        ('remote_id ~= "^[a-z.]+@corp$"', MAIL, "alice@corp"),
        ('remote_id ~= "^[a-z0-9-]+(\\\\.[a-z]+)?\\\\.example\\\\.org$"', FQDN, "a.b.example.org"),
        ('remote_id ~= "[.@]example[.]co[.]uk$"', FQDN, "gw.example.co.uk"),
        ('remote_id ~= "^gw[0-9]+\\\\.example\\\\.org$"', FQDN, "gw7.example.org"),
        ('remote_id ~= "^gw[0-9]+$"', FQDN, "gw7"),
        ('remote_id ~= "^(berlin|lyon|gw[0-9]*)$"', FQDN, "lyon"),
        ('remote_id ~= "^[Gg][Ww]\\\\.[Ee]xample\\\\.[Oo]rg$"', FQDN, "GW.Example.Org"),
        ('remote_id ~= "^/C=DE/O=Example/"', DN, "/C=DE/O=Example/CN=gw"),
        ('remote_id ~= "^/DC=org/DC=example/"', DN, "/DC=org/DC=example/CN=gw"),
        ('remote_id ~= "^/CN=gw[0-9]+$"', DN, "/CN=gw7"),
        ('remote_id ~= "(^|[.@])example\\\\.org$"', FQDN, "example.org"),
        ('remote_id ~= "/CN=gateway$"', DN, "/O=Example/CN=gateway"),
        ('remote_id ~= "^010\\\\.001\\\\." && remote_id_type == "IPv4 address"', "IPv4 address", "010.001.000.001"),
        ('remote_id_addr_lower ~= "^010\\\\.001\\\\."', "IPv4 address", "010.001.000.001"),
        ('remote_id_addr_lower == "010.001.000.001"', "IPv4 address", "010.001.000.001"),
        ('remote_id ~= "^branch-" && remote_id_type == "Key ID"', KEY_ID, "branch-7"),
        ('remote_id ~= "^[a-z.]+$" && remote_id ~= "\\\\.example\\\\.org$"', FQDN, "gw.example.org"),
        ('remote_id > "a" && remote_id ~= "\\\\.example\\\\.org$"', FQDN, "gw.example.org"),
        (
            'remote_id >= "192.000.002.000" && remote_id <= "192.000.002.255" && remote_id_type == "IPv4 address"',
            "IPv4 address",
            "192.000.002.007",
        ),
        (
            'remote_id_addr_lower >= "2001:0db8:0000" && remote_id_addr_upper < "2001:0db8:0001"',
            "IPv6 address",
            "2001:0db8:0000:0000:0000:0000:0000:0001",
        ),
        ('remote_id >= "/C=DE/O=Example/" && remote_id < "/C=DE/O=Example/~"', DN, "/C=DE/O=Example/CN=gw"),
        ('remote_id ~= "^(.*)@(.*)$" && _2 == "example.org"', MAIL, "alice@example.org"),
        ('remote_id ~= "^(.*)@(.*)$" -> { _2 == "example.org" -> "true"; }', MAIL, "alice@example.org"),
        ('esp_auth_alg ~= "^(hmac)" && _1 == "hmac" && remote_id == "gw"', FQDN, "gw"),
        ('remote_id == "true" -> remote_id', FQDN, "true"),
    ],
)
def test_whom_it_means_it_binds(conditions: str, type_: str, friend: str) -> None:
    text = policy(conditions)
    assert is_bound(text)
    assert gets_in(text, type_, friend)


_RELATIONS = (
    'remote_id == "gw"',
    'remote_id != "gw"',
    'remote_id ~= "^[a-z.]+$"',
    'remote_id ~= "@[a-z]+"',
    'remote_id ~= "\\.example\\.org$"',
    'remote_id ~= "^([^@]*)@(.*)$"',
    '_2 == "example.org"',
    '_1 == "any"',
    'remote_id > "b"',
    'remote_id <= "any.body.com"',
    'remote_id_type == "FQDN"',
    'remote_id_addr_lower >= "010.001.000.000"',
    'remote_id_addr_upper <= "010.001.255.255"',
    'remote_id ~= "^010\\."',
    "@remote_id > 5",
    '"any.body.com" ~= remote_id',
    'pfs == "yes"',
)
_STRANGERS = (
    *((FQDN, name) for name in ("any.body.com", "z.any.body.net", "a", "ANY", "010.body.com")),
    *((MAIL, name) for name in ("any@body.com", "zoe.any@z.body.net", "0@0.de")),
    *((DN, name) for name in ("/CN=any", "/C=XX/O=Any/CN=body")),
    *((KEY_ID, name) for name in ("123456", "y", "any body", "deadbeef")),
    *(
        ("IPv4 address", name)
        for name in ("000.000.000.001", "009.255.255.255", "010.002.000.000", "255.255.255.255")
    ),
    ("IPv6 address", "2001:0db8:0000:0000:0000:0000:0000:0001"),
)


def test_what_is_bound_lets_no_stranger_in() -> None:
    """Whatever is made of tests: none of these people is in them."""
    random, bound = Random(5), 0
    for _ in range(400):
        first, *more = (
            random.choice(("", "!")) + f"({random.choice(_RELATIONS)})" for _ in range(random.randint(2, 4))
        )
        text = policy("(" + first + "".join(f" {random.choice(('&&', '&&', '||'))} {other}" for other in more) + ")")
        if is_bound(text):
            bound += 1
            assert not [name for type_, name in _STRANGERS if gets_in(text, type_, name)], text
    assert 20 < bound < 300


def test_principals_that_he_chooses_are_anybody() -> None:
    assert not is_bound(policy("true", '("DN:/CN=" . remote_id)'))
    assert not is_bound(policy("true", f'2-of("{CA}", ("DN:/CN=" . remote_id))'))
    assert not is_bound(f'Authorizer: remote_id\nLicensees: "{CA}"\n')
    assert is_bound(policy("true", f'"{CA}" && "DN:/CN=Other CA"'))


def test_what_hides_the_name_is_no_test_of_it() -> None:
    assert not is_bound(policy('remote_id == "gw"', constants='remote_id = "gw"'))
    assert is_bound(policy("remote_id == GW", constants='GW = "gw"'))
    assert not is_bound(policy("remote_id ~= SHAPE", constants='SHAPE = "^[a-z.]+$"'))


def test_what_is_an_error_lets_nobody_in() -> None:
    assert is_bound(policy('remote_id ~= "("'))
    assert is_bound(policy('(remote_id ~= "(" || true)'))
    assert not is_bound(policy('(true || remote_id ~= "(")'))


def test_constants_cannot_play_what_is_unknown() -> None:
    assert not is_bound(policy('remote_id ~= "^[a-z]+$"', constants='stranger_may = "x" stranger_of_kind = "host"'))


def test_whoever_requests_is_not_the_authority() -> None:
    """What is asked of an authority's name says nothing of those whom it vouches for."""
    assert not is_bound(policy(f'_ACTION_AUTHORIZERS != "{CA}"'))
    assert gets_in(
        policy(f'_ACTION_AUTHORIZERS != "{CA}"', licensees='"DN:/CN=any"'), FQDN, "any.body.com", ["DN:/CN=any"]
    )


def test_the_way_is_told_with_the_assertions_that_were_given() -> None:
    (first, below), _ = parse_all(
        f'{policy("true")}\n\nAuthorizer: "{CA}"\nLicensees: "DN:/CN=gw"\nConditions: remote_id ~= "^[a-z.]+$";\n',
        name="p.kn",
    )
    strangers = Strangers([first]).extended([below])
    answer = strangers.admitted(["DN:/CN=gw"])
    assert answer is not None
    assert strangers.by(answer) == {first, below}
    assert answer.because.startswith("POLICY → DN:/CN=Example CA → DN:/CN=gw, p.kn:3")
    assert Strangers([first]).admitted(["DN:/CN=gw"]) is None


def test_the_name_that_is_known_does_not_count() -> None:
    """As it is asked for a peer whose key alone proves that it has its name."""
    (assertion,), _ = parse_all(policy('remote_ike_address == "192.000.002.001"'), name="p.kn")
    known = {**ACTION, "remote_id": "gw", "remote_id_type": FQDN}
    here, there = ({**known, "remote_ike_address": f"192.000.002.00{last}"} for last in (1, 2))
    strangers = Strangers([assertion])
    assert strangers.admitted([CA], here) is not None
    assert strangers.admitted([CA], there) is None


def test_more_bounds_than_are_tried_bind_nobody() -> None:
    networks = (
        f'(remote_id >= "010.{number // 256:03d}.{number % 256:03d}.000" && remote_id'
        f' <= "010.{number // 256:03d}.{number % 256:03d}.255")'
        for number in range(300)
    )
    text = policy(f'remote_id_type == "IPv4 address" && ({" || ".join(networks)})')
    assert not is_bound(text)
    assert is_bound(text.replace(" && (", ' && remote_id == "010.000.000.001" && ('))


def test_it_nests_as_deeply_as_it_likes() -> None:
    deep = "(" * 3000 + 'remote_id == "gw"' + ")" * 3000
    braces = 'remote_id == "gw" -> { ' * 2000 + "true;" + " };" * 1999 + " }"
    negated = "!" * 3000 + '(remote_id ~= "^gw[0-9]$")'
    assert is_bound(policy(deep))
    assert is_bound(policy(braces))
    assert is_bound(policy(negated))


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("(gw", set()),
        ("^$", ALL),
        ("$", set()),
        ("^(a|b|c|d)*(a|b|c|d)?(a|b)(c|d)(e|f)(g|h)(i|j)(k|l)(m|n)(o|p)(q|r)(s|t)\\.example\\.org$", set()),
        ("(@example\\.org$)", ALL),
        ("(@example\\.org)+$", ALL),
        ("@(example\\.org)?$", set()),
        ("(^|[.@])example\\.org$", ALL),
        ("\\.example\\.org$?", set()),
        ("^a{3}$", ALL),
        ("\\.a{3}\\.org$", ALL),
        ("a{3}\\.org$", set()),
        ("^/CN=gw[a-z]{0,2}$", ALL),
        ("^/CN=gw[^/]*/O=[a-z]+$", ALL),
        ("^/CN=gw[^a]*/O=[a-z]+$", set()),
        ("a{0,3}\\.org$", set()),
        ("\\.000\\.001$", set()),
        ("^192\\.000\\.", {Kind.ADDRESS}),
        ("^fe80:", {Kind.ADDRESS}),
        ("^gw-", {Kind.OPAQUE}),
        ("-gw$", {Kind.OPAQUE}),
        ("^g", set()),
        ("^12", set()),
        ("^4711", {Kind.OPAQUE}),
        ("^[a-z]{3}-gw$", ALL),
    ],
)
def test_what_a_pattern_means(pattern: str, meant: set[Kind]) -> None:
    assert kinds_meant(pattern) == meant


def test_what_a_range_means() -> None:
    assert kinds_between("192.000.002.000", "192.255") == {Kind.ADDRESS}
    assert kinds_between("192", "193") == set()
    assert kinds_between(None, "192.000.002.000") == set()
    assert kinds_between("branch-a", "branch-z") == {Kind.OPAQUE}
