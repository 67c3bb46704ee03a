# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keynote
from keynote import Session, parse_policy
from tests.keynote import reference

POLICY = r"""Authorizer: "POLICY"
Licensees: "CA" || "passphrase:hush"
Conditions: app_domain == "IPsec policy" &&
            esp_present == "yes" &&
            (esp_enc_alg == "aes" || esp_enc_alg == "3des") &&
            remote_id ~= "^[a-z]+\\.example\\.com$" -> "true";

Authorizer: "CA"
Licensees: 2-of("a", "b", "c")
Conditions: @port < 1024 && 10 / @divisor > 1;

Authorizer: "CA"
Licensees: "gw"
Conditions: GMTTimeOfDay <= "2026";

Authorizer: "nobody"
Licensees: "lost"
"""
ACTION = {
    "app_domain": "IPsec policy",
    "esp_present": "yes",
    "esp_enc_alg": "aes",
    "remote_id": "gw.example.com",
    "GMTTimeOfDay": "2025",
    "port": "500",
    "divisor": "5",
}
SESSION = Session(parse_policy(POLICY, name="p.kn"))


def because(authorizers: str, **changes: str) -> str:
    return SESSION.query(ACTION | changes, authorizers.split()).because


def reasons(authorizers: str, **changes: str) -> list[str]:
    return [str(reason) for reason in SESSION.query(ACTION | changes, authorizers.split()).reasons]


def condition(text: str, **action: str) -> str:
    policy = parse_policy(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {text}\n', name="p.kn")
    decision = Session(policy).query(action, ["K"], ("low", "mid", "high"))
    return decision.because.removeprefix("p.kn:3: ")


def test_the_deciding_path() -> None:
    decision = SESSION.query(ACTION, ["gw"])
    assert decision.because == "POLICY → CA → gw, p.kn:3"
    assert [(step.authorizer, str(step.where), step.licensees, step.next) for step in decision.path] == [
        ("POLICY", "p.kn:3:13", ("CA",), (1,)),
        ("CA", "p.kn:14:13", ("gw",), (None,)),
    ]
    assert [step.clause.partition(" ")[0] for step in decision.path] == ["app_domain", "GMTTimeOfDay"]
    assert all(step.value == "true" and step.certain for step in decision.path)
    assert decision.reasons == ()


def test_a_path_that_forks() -> None:
    assert because("a c") == "POLICY → CA → a and c, p.kn:3"
    assert because("a b c") == "POLICY → CA → a and b, p.kn:3"


def test_a_long_path_is_cut() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "p0"\n\n'
    text += "\n".join(f'Authorizer: "p{n}"\nLicensees: "p{n + 1}"\n' for n in range(5000))
    decision = Session(parse_policy(text, name="p")).query({}, ["p5000"])
    assert decision.because == "POLICY → p0 → p1 → p2 → p3 → … → p4996 → p4997 → p4998 → p4999 → p5000, p:1"
    assert len(decision.path) == 5001
    assert len(decision.survey) <= 501


def test_others_than_principals() -> None:
    assert (
        Session(parse_policy('Authorizer: "POLICY"\n', name="p")).query({}, ["K"]).because == "POLICY → anybody, p:1"
    )
    assert SESSION.query({}, ["POLICY"]).because == "POLICY requests it"
    assert because("passphrase:hush") == "POLICY → passphrase:(hidden), p.kn:3"


def test_denials_name_the_first_failing_test_nearest_first() -> None:
    assert reasons("gw", esp_enc_alg="null", GMTTimeOfDay="2027") == [
        "p.kn:5: esp_enc_alg is `null`, needs `aes` or `3des`",
        "p.kn:14: GMTTimeOfDay is `2027`, needs <= `2026`",
    ]
    assert reasons("gw", esp_enc_alg="null", esp_present="no", GMTTimeOfDay="2027") == [
        "p.kn:14: GMTTimeOfDay is `2027`, needs <= `2026`",
        "p.kn:4: esp_present is `no`, needs `yes`",
    ]
    found = SESSION.query(ACTION | {"esp_enc_alg": "null", "esp_present": "no"}, ["gw"]).reasons
    assert [reason.distance for reason in found] == [2]


def test_delegations_that_are_missing() -> None:
    assert reasons("a") == ["p.kn:9: has 1 of 2, also needs `b` or `c`"]
    *ends, loose = reasons("lost")
    assert ends[-1] == "p.kn:9: licenses 2 of `a`, `b`, `c`, not `lost`"
    assert loose == "p.kn:16: no assertion licenses `nobody`, who delegates here"
    nothing = Session([]).query({}, ["K"])
    assert nothing.because == "no assertion has POLICY as its authorizer"
    empty = Session(parse_policy('Authorizer: "POLICY"\nLicensees:\n', name="p.kn")).query({}, ["K"])
    assert empty.because == "p.kn:2: Licensees is empty, which licenses nobody"


@pytest.mark.parametrize(
    ("licensees", "reason"),
    [
        ('""', "licenses nobody, not `K`"),
        ("NO_ATTRIBUTE", "NO_ATTRIBUTE is empty, needs `K`"),
        ('"" || NO_ATTRIBUTE', "NO_ATTRIBUTE is empty, needs `K`"),
        ('"J" || ""', 'licenses `J` or `""`, not `K`'),
        ('"" && "K"', 'also needs `""`'),
    ],
)
def test_an_empty_principal_is_nobody(licensees: str, reason: str) -> None:
    text = f'Authorizer: "POLICY"\nLicensees: {licensees}\n'
    decision = Session(parse_policy(text, name="p.kn")).query({}, ["K"])
    assert decision.because == f"p.kn:2: {reason}"
    assert not any("``" in line.text or line.text.startswith(" ") for line in decision.survey)
    many = Session(parse_policy('Authorizer: "POLICY"\nLicensees: "a"||"b"||"c"||"d"||"e"\n', name="p.kn"))
    assert many.query({}, ["K"]).because == "p.kn:2: licenses `a`, `b`, `c` and 2 others, not `K`"


@pytest.mark.parametrize(
    ("text", "action", "reason"),
    [
        ('a == "x";', {}, "a is empty, needs `x`"),
        ('"x" == a;', {"a": "y"}, "a is `y`, needs `x`"),
        ('a != "x";', {"a": "x"}, "a is `x`, must not be `x`"),
        ('!(a == "x");', {"a": "x"}, "a is `x`, must not be `x`"),
        ('!(a == "x" || b == "y");', {"a": "x", "b": "y"}, "a is `x`, must not be `x`"),
        ('a == "" || a == "x";', {"a": "z"}, 'a is `z`, needs `""` or `x`'),
        ('a == "x" || a == "y" || a == "z";', {}, "a is empty, needs `x`, `y` or `z`"),
        ('a == "x" && b == "y" || c == "z";', {}, "c is empty, needs `z`"),
        ("@a < 5;", {"a": "7"}, "a is `7`, needs < 5"),
        ("5 > @a;", {"a": "7"}, "a is `7`, needs < 5"),
        ("!(@a >= 5);", {"a": "7"}, "a is `7`, needs < 5"),
        ("&a < 0.5;", {"a": "1.5"}, "a is `1.5`, needs < 0.5"),
        ('a >= "b";', {"a": "a"}, "a is `a`, needs >= `b`"),
        ('a ~= "^x";', {"a": "y"}, "a is `y`, must match `^x`"),
        ('!(a ~= "^x");', {"a": "x"}, "a is `x`, must not match `^x`"),
        (
            'a ~= "^\\\\d+$";',
            {"a": "12"},
            r"a is `12`, must match `^\d+$` (`\d` is the letter `d`; write `[0-9]`)",
        ),
        ('!(a ~= "[\\\\n]");', {"a": "n"}, r"a is `n`, must not match `[\n]` (`\n` is the letter `n`)"),
        (
            'a ~= "(";',
            {"a": "x"},
            'Conditions never hold: a `(` that is not closed in a regular expression in `a ~= "("`',
        ),
        ("1 / @a == 1;", {}, "division by zero in `1 / @a == 1`"),
        ("a == b;", {"a": "x"}, "`a == b` does not hold (a is `x`, b is empty)"),
        ("!(a == b);", {}, "`a == b` holds (a is empty, b is empty)"),
        ("@a + 1 == 2;", {"a": "5"}, "`@a + 1 == 2` does not hold (a is `5`)"),
        ("1 == 2;", {}, "Conditions never hold"),
        ("false;", {}, "Conditions never hold"),
        ('a == "x" && false;', {}, "Conditions never hold"),
        ("", {}, "Conditions is empty, which nothing satisfies"),
        ('true -> "low";', {}, "its clause holds, but does not give `mid`: `low` is the lowest value"),
        (
            'true -> "hihg";',
            {},
            "its clause holds, but does not give `mid`: `hihg` is none of the compliance values"
            " (did you mean `high`?)",
        ),
        (
            "true -> b;",
            {},
            'its clause holds, but does not give `mid`: `""` is none of the compliance values `low`, `mid`, `high`',
        ),
        (
            'a == "x" -> "1";',
            {},
            "no clause gives `mid`, even if it holds: `1` is none of the compliance values `low`, `mid`, `high`",
        ),
        (
            'a == "x" -> "low"; false -> "high";',
            {},
            "no clause gives `mid`, even if it holds: `low` is the lowest value",
        ),
        ('a == "x" -> { b == "y" -> "mid"; };', {}, "a is empty, needs `x`"),
        ('a == "x" -> { b == "y" -> "mid"; };', {"a": "x"}, "b is empty, needs `y`"),
        ('a == "x" -> "none"; b == "y" && c == "z" -> "mid";', {}, "b is empty, needs `y`"),
        ('a ~= "^(x)" && _1 == "q";', {"a": "xy"}, "_1 is `x`, needs `q`"),
        ('a == "\\n\\033[0m";', {"a": "\r"}, "a is `\\x0d`, needs `\\x0a\\x1b[0m`"),
    ],
)
def test_the_words_for_a_test(text: str, action: dict[str, str], reason: str) -> None:
    assert condition(text, **action) == reason


def test_constants_count_as_what_they_are() -> None:
    text = 'Local-Constants: NET="10"\nAuthorizer: "POLICY"\nLicensees: "K"\nConditions: a == NET;\n'
    decision = Session(parse_policy(text, name="p")).query({"a": "11"}, ["K"])
    assert decision.because == "p:4: a is `11`, needs `10`"


def test_why_a_value_is_not_higher() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: true -> "mid"; a == "x" -> "high";\n'
    decision = Session(parse_policy(text, name="p")).query({}, ["K"], ("low", "mid", "high"))
    assert decision.because == "POLICY → K, p:3"
    assert list(map(str, decision.reasons)) == ["p:3: a is empty, needs `x`"]


def test_intervals_tell_what_is_certain() -> None:
    decision = SESSION.query({"app_domain": "IPsec policy"}, ["gw"], unknown=keynote.Unknown.except_([]))
    assert decision.because == "POLICY → CA → gw, p.kn:3, if unknown attributes allow it"
    assert [step.certain for step in decision.path] == [False, False]
    denied = SESSION.query({"app_domain": "other"}, ["gw"], unknown=keynote.Unknown.except_([]))
    assert denied.because == "p.kn:3: app_domain is `other`, needs `IPsec policy`"
    assert [reason.distance for reason in denied.reasons] == [1]


def test_survey() -> None:
    lines = SESSION.query(ACTION | {"esp_enc_alg": "null"}, ["gw"]).survey
    assert [("  " * line.depth + line.text, line.good) for line in lines] == [
        ("POLICY", None),
        ('  p.kn:1 licenses "CA" || "passphrase:(hidden)"', False),
        ("    p.kn:5: esp_enc_alg is `null`, needs `aes` or `3des`", False),
        ("    CA", None),
        ("      p.kn:12", True),
        ('        p.kn:14: holds: GMTTimeOfDay <= "2026";', True),
        ("        gw requests it", True),
        ("    passphrase:(hidden) does not request it", False),
    ]


@settings(max_examples=60)
@given(
    reference.ASSERTIONS,
    reference.ATTRIBUTES,
    reference.REQUESTERS,
    st.sets(reference.NAMES, max_size=1),
)
def test_every_answer_has_its_reasons(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str], unknown: set[str]
) -> None:
    text = "\n".join(map(reference.assertion_text, assertions))
    session = Session(parse_policy(text, name="p"))
    decision = session.query(attributes, requesters, reference.VALUES, unknown - attributes.keys())
    assert decision.survey
    assert bool(decision.path) == decision.possible
    assert bool(decision.reasons) == (decision.highest != "high")
    authorizers = [step.authorizer for step in decision.path]
    assert len(set(authorizers)) == len(authorizers)
    for step in decision.path:
        for licensee, place in zip(step.licensees, step.next, strict=True):
            # Every licensee on the path requests the action, or is the authorizer of its own step.
            assert licensee in requesters if place is None else decision.path[place].authorizer == licensee


@settings(max_examples=60)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_the_path_alone_gives_the_value(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    session = Session(parse_policy("\n".join(map(reference.assertion_text, assertions)), name="p"))
    decision = session.query(attributes, requesters, reference.VALUES)
    alone = Session([step.assertion for step in decision.path])
    assert alone.query(attributes, requesters, reference.VALUES).value == decision.value
