# SPDX-License-Identifier: ISC
"""Why not: every assertion that could have carried an action, and what each lacked, nearest miss first."""

import pytest

import keynote
from keynote import parse_policy
from keynote.reasons import MAXIMUM
from tests.keynote.asking import ask, policy, told


@pytest.mark.parametrize(
    ("assertions", "requesters", "action", "reasons"),
    [
        # one attribute counts once, however many assertions test it
        (
            ['POLICY > "CA" > enc == "aes" || enc == "3des";', 'CA > "gw" > enc == "aes";'],
            "gw",
            {"enc": "null"},
            [
                "one attribute away: p:3: enc is `null`, needs `aes`",
                "one attribute away: p:7: enc is `null`, needs `aes`",
            ],
        ),
        # and is not enough where two of them want it differently
        (
            ['POLICY > "CA" > enc == "aes";', 'CA > "gw" > enc == "3des";'],
            "gw",
            {"enc": "null"},
            [
                "p:3: enc is `null`, needs `aes`, which other tests on the way rule out",
                "p:7: enc is `null`, needs `3des`, which other tests on the way rule out",
            ],
        ),
        # nor where a test that holds now would fail then
        (
            ['POLICY > "CA" > enc == "null";', 'CA > "gw" > enc == "3des";'],
            "gw",
            {"enc": "null"},
            ["p:7: enc is `null`, needs `3des`, which other tests on the way rule out"],
        ),
        # of several values that a test takes, that which all take
        (
            ['POLICY > "CA" > d == "x" -> { id == "lyon"; id == "berlin"; };', 'CA > "gw" > id == "berlin";'],
            "gw",
            {"d": "x", "id": "paris"},
            [
                "one attribute away: p:3: id is `paris`, needs `berlin`",
                "one attribute away: p:7: id is `paris`, needs `berlin`",
            ],
        ),
        # each assertion by itself: no value leads through that which wants another, whatever else is changed
        (
            [
                r'POLICY > "CA" > id ~= "[.]org$";',
                'CA > "gw" > id == "gw.com" && pfs == "yes";',
                'CA > "gw" > id == "berlin.org" && pfs == "yes";',
            ],
            "gw",
            {"id": "paris", "pfs": "yes"},
            [
                "one attribute away: p:3: id is `paris`, must match `[.]org$` (`berlin.org` would do)",
                "one attribute away: p:11: id is `paris`, needs `berlin.org`",
                "p:7: id is `paris`, needs `gw.com`, which other tests on the way rule out",
            ],
        ),
        # another clause, where the nearest wants what another assertion does not
        (
            ['POLICY > "CA" > id == "a"; id == "b" && pfs == "yes";', 'CA > "gw" > id == "b";'],
            "gw",
            {},
            [
                "2 changes away: p:3: id is empty, needs `b`",
                "more than one change away: p:7: id is empty, needs `b`",
            ],
        ),
        # more than one change, but nobody knows how many
        (
            ['POLICY > "CA" > id == "a" || pfs == "yes";', 'CA > "gw" > id == "b";'],
            "gw",
            {},
            [
                "more than one change away: p:3: pfs is empty, needs `yes`",
                "more than one change away: p:7: id is empty, needs `b`",
            ],
        ),
        # a pattern that alone is lacking is one attribute, whatever else compares it
        (
            [r'POLICY > "gw" > id != "" && id ~= "^[a-z]+[.]gw$"; id == "boss" && pfs == "yes" && enc == "aes";'],
            "gw",
            {"id": "mail"},
            ["one attribute away: p:3: id is `mail`, must match `^[a-z]+[.]gw$`"],
        ),
        (
            [r'POLICY > "gw" > id != "" && id ~= "^[a-z]+[.]gw$";'],
            "gw",
            {},
            ['one attribute away: p:3: id is empty, must not be `""` (`a.gw` would do)'],
        ),
        # of two patterns no text is known that matches both
        (
            ['POLICY > "gw" > id ~= "^a(b|c)" && id ~= "(d|e)f$";'],
            "gw",
            {},
            ["perhaps one attribute away: p:3: id is empty, must match `^a(b|c)`"],
        ),
        # what can never hold is no near miss: constants, patterns that are none, an attribute that is two things
        (
            ['POLICY > "gw" > 1 > 2 && a == "x"; a == "x" && b == "y" && c < "z";'],
            "gw",
            {},
            ["2 changes away: p:3: a is empty, needs `x`"],
        ),
        (
            ['POLICY > "gw" > id ~= "^(gw" && b == "y"; id ~= "^gw" && b == "y" && c == "z";'],
            "gw",
            {"b": "y"},
            ["2 changes away: p:3: id is empty, must match `^gw`"],
        ),
        (
            ['POLICY > "gw" > 1 / 0 == @a; @a / 0 == 1; b == "x" && c == "x" && d == "x";'],
            "gw",
            {},
            ["3 changes away: p:3: b is empty, needs `x`"],
        ),
        (
            [
                'POLICY > "gw" > id ~= "^gw[0-9]+$";',
                'POLICY > "gw" > pfs == "yes" && pfs == "no" && enc == "aes";',
                'POLICY > "gw" > pfs == "yes" -> { pfs == "no" -> { a == "x"; }; };',
                'POLICY > "gw" > 1 > 2;',
                'POLICY > "gw" > a == "q" && a ~= "^r";',
            ],
            "gw",
            {"pfs": "yes"},
            [
                "one attribute away: p:3: id is empty, must match `^gw[0-9]+$`",
                *(f"p:{line}: Conditions never hold" for line in (7, 11, 15, 19)),
            ],
        ),
        (
            ['POLICY > "gw" > d == "x" -> { a >= "2" && a <= "1"; enc == "aes"; };'],
            "gw",
            {"d": "x"},
            ["one attribute away: p:3: enc is empty, needs `aes`"],
        ),
        # a way around what can never hold, in one test
        (
            ['POLICY > "gw" > a == "x" && a == "y" || b == "1" && c == "2" && d == "3";'],
            "gw",
            {"a": "x"},
            ["3 changes away: p:3: b is empty, needs `1`"],
        ),
        # two tests of one attribute are one change
        (
            ['POLICY > "gw" > addr >= "10" && addr <= "19" && addr != "5";'],
            "gw",
            {"addr": "5"},
            ["one attribute away: p:3: addr is `5`, needs <= `19` (`10` would do)"],
        ),
        # an easy way before a hard one, and each assertion of both
        (
            ['POLICY > "A" > a == "x" && b == "y";', 'A > "gw" > c == "z";', 'POLICY > "gw" > a == "w";'],
            "gw",
            {},
            [
                "one attribute away: p:11: a is empty, needs `w`",
                "3 changes away: p:7: c is empty, needs `z`",
                "3 changes away: p:3: a is empty, needs `x`",
            ],
        ),
        # thresholds beside tests
        (
            ['POLICY > 2-of("a","b","gw") > true;', 'POLICY > "gw" > a == "x" && b == "y";'],
            "gw",
            {},
            # what the requester can change itself comes before what others would have to do
            [
                "2 changes away: p:7: a is empty, needs `x`",
                "one principal away: p:2: has 1 of 2, also needs `a` or `b`",
            ],
        ),
        (
            ['POLICY > 4-of("a","b","c","gw","d") > a == "x";'],
            "gw",
            {},
            [
                "4 changes away: p:3: a is empty, needs `x`",
                "4 changes away: p:2: has 1 of 4, also needs 3 of `a`, `b`, `c`, `d`",
            ],
        ),
        (
            ['POLICY > "a" && "b" && "gw" > true;'],
            "gw",
            {},
            ["2 changes away: p:2: also needs `a` and `b`"],
        ),
        # who is on the way and lacks something counts, and what is told is where it lacks
        (
            ['POLICY > "A" && "B" > true;', 'A > "gw" > a == "x";', 'B > "gw" > b == "y";'],
            "gw",
            {},
            ["2 changes away: p:7: a is empty, needs `x`", "2 changes away: p:11: b is empty, needs `y`"],
        ),
        # principals who wait for each other
        (
            ['POLICY > "A" > true;', 'A > "gw" && "B" > true;', 'B > "A" > true;'],
            "gw",
            {},
            ["one principal away: p:6: also needs `B`"],
        ),
        # somebody among their own licensees is no help
        (
            ['POLICY > "B" > true;', 'B > 2-of("A", "B", "C") > true;'],
            "A",
            {},
            ["one principal away: p:6: has 1 of 2, also needs `B` or `C`"],
        ),
        (
            ['POLICY > "A" > true;', 'A > 1-of("A", "C") || 2-of("A", "B") > true;'],
            "B",
            {},
            ["one principal away: p:6: also needs `C`"],
        ),
        # a delegation is missing above, or below
        (
            ['POLICY > "CA" > true;', 'other > "gw" > true;'],
            "gw",
            {},
            [
                "a delegation is missing: p:2: licenses `CA`, not `gw`",
                "a delegation is missing: p:5: no assertion licenses `other`, who delegates here",
            ],
        ),
        # also where there is another way
        (
            ['POLICY > "gw" > a == "x" && b == "y";', 'other > "gw" > true;'],
            "gw",
            {},
            [
                "2 changes away: p:3: a is empty, needs `x`",
                "a delegation is missing: p:5: no assertion licenses `other`, who delegates here",
            ],
        ),
        # of two ways through one assertion, that without the help of others
        (
            ['POLICY > "gw" && "typo" || "CA" > true;', 'CA > "gw" > a == "x" && b == "y" && c == "z";'],
            "gw",
            {"a": "x"},
            ["2 changes away: p:7: b is empty, needs `y`"],
        ),
        # but what nothing helps comes after the ways that there are, and before what leads nowhere
        (
            ['POLICY > "gw" > a == "x" -> "none"; a == "y" -> "low";', 'other > "gw" > true;'],
            "gw",
            {},
            [
                "p:3: no clause gives `mid`, even if it holds: `none` is none of the compliance values"
                " `low`, `mid`, `high`",
                "a delegation is missing: p:5: no assertion licenses `other`, who delegates here",
            ],
        ),
        # nested clauses: the test that fails first, and all that would have to change
        (
            ['POLICY > "gw" > a == "x" -> { b == "y" -> { c == "z"; }; };'],
            "gw",
            {"b": "y"},
            ["2 changes away: p:3: a is empty, needs `x`"],
        ),
        # the nearest of many clauses
        (
            ['POLICY > "gw" > a == "x" && b == "x"; b == "y" && c == "y" && d == "y"; d == "z";'],
            "gw",
            {},
            ["one attribute away: p:3: d is empty, needs `z`"],
        ),
        # what nothing would help is last, and then the ways that end elsewhere are told too
        (
            ['POLICY > "gw" > false;', 'POLICY > "other" > true;'],
            "gw",
            {},
            [
                "a delegation is missing: p:6: licenses `other`, not `gw`",
                "p:3: Conditions never hold",
            ],
        ),
        (
            ['POLICY > "gw" > a == b && 1 / @c == 1;'],
            "gw",
            {},
            ["one test away: p:3: division by zero in `1 / @c == 1`"],
        ),
    ],
)
def test_reasons(assertions: list[str], requesters: str, action: dict[str, str], reasons: list[str]) -> None:
    assert told(ask(policy(*assertions), requesters, **action)) == reasons


@pytest.mark.parametrize(
    ("licensees", "requester", "because"),
    [
        ('"a"', "c", "licenses `a`, not `c`"),
        ('"a" || "b"', "c", "licenses `a` or `b`, not `c`"),
        ('"a" && "b"', "c", "licenses `a`, `b` together, not `c`"),
        ('2-of("a", "b", "d")', "c", "licenses 2 of `a`, `b`, `d`, not `c`"),
        ('("a" && "b") || "d"', "c", 'licenses `"a" && "b" || "d"`, not `c`'),
        ('"passphrase:one"', "passphrase:two", "licenses another passphrase, not `passphrase:(hidden)`"),
        ('"passphrase:one"', "c", "licenses `passphrase:(hidden)`, not `c`"),
    ],
)
def test_whom_a_field_licenses(licensees: str, requester: str, because: str) -> None:
    assert ask(f'Authorizer: "POLICY"\nLicensees: {licensees}\n', requester).because == f"p:2: {because}"


@pytest.mark.parametrize(
    ("licensees", "because"),
    [
        ('"a" && ("b" || "c")', "also needs `b` or `c`"),
        ('"a" && ("b" || "c" && "d")', "also needs `b`"),
        ('("a" || "z") && ("b" && "e" || "c" && "d")', "also needs `b` and `e` or `c` and `d`"),
        ('"a" && ("b" || "a")', ""),
        ('"a" && "b"', "also needs `b`"),
        ('"a" && ("b" || "c" || "d" || "e" || "f")', "also needs `b`, or others"),
        # who is named twice comes once, and serves every part
        ('3-of("d", "c", "d", "a")', "has 1 of 3, also needs `d` (named more than once)"),
        ('("b" || "d") && 2-of("d", "b", "a")', "also needs `b` or `d`"),
        ('(1-of("a", "b") && 2-of("f", "e", "f"))', "also needs `f`"),
        ('("a" || "b") && (3-of("f", "b", "a", "e") && "e")', "also needs `f` and `e` or `b` and `e`"),
    ],
)
def test_who_would_do_besides(licensees: str, because: str) -> None:
    decision = ask(f'Authorizer: "POLICY"\nLicensees: {licensees}\n', "a")
    assert decision.because == (f"p:2: {because}" if because else "POLICY → a, p:1")


def test_what_unknown_attributes_must_meet_is_told() -> None:
    session = keynote.Session(parse_policy(policy('POLICY > "gw" > a == b && c == "x" || @d < 5;'), name="p"))
    decision = session.query({"b": "y", "c": "x", "d": "7"}, ["gw"], unknown={"a"})
    assert [line.text for line in decision.survey] == [
        "POLICY",
        "p:1",
        'p:3: may hold: a == b && c == "x" || @d < 5;',
        'if a == "y"',
        "gw requests it",
    ]
    assert [step.remaining for step in decision.path] == ['a == "y"']
    certain = session.query({"d": "1"}, ["gw"], unknown={"a"})
    assert [step.remaining for step in certain.path] == [""]


@pytest.mark.parametrize("depth", [5, 12, 40, 200])
def test_deep_graphs_in_which_each_rests_twice_on_the_next(depth: int) -> None:
    layers = [f'k{n}_{side} > 2-of("k{n + 1}_1", "k{n + 1}_2") > a{n} == "x";' for n in range(depth) for side in "12"]
    ends = [f'k{depth}_{side} > "gw" > true;' for side in "12"]
    text = policy('POLICY > "k0_1" > true;', *layers, *ends)
    first, *_ = found = ask(text, "gw").reasons
    assert (first.kind, first.distance) == ("attribute", min(depth, 64))
    kinds = [reason.kind for reason in found]
    assert kinds == sorted(kinds)  # attributes, then delegations by those whom nobody licenses
    # a licensee more who would do instead is somebody else, however many attributes that saves
    helped = text.replace('"k1_2")', '"k1_2") || "gw" && "helper"')
    assert ask(helped, "gw").reasons[0].kind == "attribute"


def test_where_very_many_attributes_are_lacking_somebody_else_is_counted_as_one() -> None:
    tests = " && ".join(f'a{n} == "x"' for n in range(80))
    decision = ask(policy(f'POLICY > "gw" && "other" > {tests};', 'POLICY > "gw" > b == "x" && c == "x";'), "gw")
    assert told(decision)[0] == "2 changes away: p:7: b is empty, needs `x`"
    assert {reason.where.line for reason in decision.reasons[1:] if reason.where} == {2, 3}
    never = ask(policy(f'POLICY > "A" > {tests};', 'A > "gw" > 1 > 2;'), "gw")
    assert {reason.distance for reason in never.reasons} == {MAXIMUM}


@pytest.mark.parametrize(
    ("assertions", "action", "reasons"),
    [
        (["POLICY > boss > true;"], {}, ["one attribute away: p:2: boss is empty, needs `me`"]),
        (["POLICY > boss > true;"], {"boss": "x"}, ["one attribute away: p:2: boss is `x`, needs `me`"]),
        (
            ['POLICY > boss || "CA" > true;', 'CA > "me" > a == "1" && b == "2";'],
            {},
            ["one attribute away: p:2: boss is empty, needs `me`", "2 changes away: p:7: a is empty, needs `1`"],
        ),
        # tried, so not said where it is not enough
        (
            ['POLICY > boss > a == "1";'],
            {},
            ["a delegation is missing: p:2: licenses nobody by `boss`, which is empty, not `me`"],
        ),
        (['POLICY > boss > boss == "you";'], {}, []),
        # of which a part is constant
        (['POLICY > "m" . boss > true;'], {}, ["one attribute away: p:2: boss is empty, needs `e`"]),
        (['POLICY > "me" && ("m" . boss . "") > true;'], {}, ["one attribute away: p:2: boss is empty, needs `e`"]),
        (['POLICY > "x" . boss > true;'], {}, ["a delegation is missing: p:2: licenses `x`, not `me`"]),
    ],
)
def test_an_attribute_that_is_a_licensee_is_named(
    assertions: list[str], action: dict[str, str], reasons: list[str]
) -> None:
    assert told(ask(policy(*assertions), "me", **action))[: len(reasons)] == reasons
    assert ("boss is" in str(told(ask(policy(*assertions), "me", **action)))) == ("boss is" in str(reasons))


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(", "a `(` that is not closed"),
        ("(gw", "a `(` that is not closed"),
        (")", "a `)` without its `(`"),
        ("a|)", "a `)` without its `(`"),
        ("gw)", "a `)` without its `(`"),
    ],
)
def test_a_computed_pattern_that_is_none_is_told(pattern: str, reason: str) -> None:
    (found,) = told(ask(policy('POLICY > "me" > x ~= y;'), "me", x="gw", y=pattern))
    assert found.endswith(f"p:3: {reason} in a regular expression in `x ~= y` (y is `{pattern}`)")
