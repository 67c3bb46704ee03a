# SPDX-License-Identifier: ISC
"""Each limit from both sides, and the time that the worst within them takes. docs/limits.md has the table."""

import re
from pathlib import Path

import pytest

import keynote
from keynote import limits, regular_expressions
from tests.cpu import at_most
from tests.keynote.commands import run

DOCUMENT = Path(__file__).parents[2] / "docs" / "limits.md"
NUMBERS = {name: value for name, value in vars(limits).items() if name.isupper() and isinstance(value, int)}


def test_the_table_is_what_the_code_does() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (\d+) \|", DOCUMENT.read_text(), re.MULTILINE)
    assert {name: int(value) for name, value in rows} == NUMBERS


def assertion(conditions: str, constants: str = "", licensees: str = '"K"') -> str:
    return f'Local-Constants: {constants}\nAuthorizer: "POLICY"\nLicensees: {licensees}\nConditions: {conditions}\n'


def padded(text: str, size: int) -> str:
    return f"Comment: {'x' * (size - len(text) - len('Comment: ') - 1)}\n{text}"


def joined(characters: int) -> str:
    constant = "x" * 4_096
    return assertion("a == B . a;" * (characters // 4_096) + "true;", f'B = "{constant}"')


def patterns(steps: int) -> str:
    """Different regular expressions of the same number of instructions, before a test that holds."""
    texts = [f"(x?){{{n}}}(y?){{{440 - n}}}z" for n in range(200, 240)]
    each = regular_expressions.compiled(texts[0]).steps
    assert steps // each <= len(texts)
    return assertion("".join(f'a ~= "{text}";' for text in texts[: steps // each]) + "true;")


def computed_patterns(count: int) -> str:
    return assertion("".join(f'a ~= b . "{n}";' for n in range(count)) + "true;")


# Within the limit, past it, and what is said then.
REFUSED = {
    "ASSERTION_SIZE": (
        padded(assertion("true;"), limits.ASSERTION_SIZE),
        padded(assertion("true;"), limits.ASSERTION_SIZE + 1),
        "an assertion of more than 262144 characters",
    ),
    "JOINED_SIZE": (
        joined(limits.JOINED_SIZE),
        joined(limits.JOINED_SIZE + 4_096),
        "concatenations of more than 4194304 characters of constants",
    ),
    "PATTERN_STEPS": (
        patterns(limits.PATTERN_STEPS * 9 // 10),
        patterns(limits.PATTERN_STEPS * 11 // 10),
        "regular expressions of more than 65536 instructions together",
    ),
    "COMPUTED_PATTERN_STEPS": (
        computed_patterns(limits.PATTERN_STEPS // (2 * limits.COMPUTED_PATTERN_STEPS)),
        computed_patterns(limits.PATTERN_STEPS // (2 * limits.COMPUTED_PATTERN_STEPS) + 1),
        "regular expressions of more than 65536 instructions together",
    ),
    "DIGITS": (
        assertion("0 <= " + "9" * limits.DIGITS + ";"),
        assertion("0 <= " + "9" * (limits.DIGITS + 1) + ";"),
        "a number of more than 1000 digits",
    ),
    "KEY_SIZE": (
        assertion("true;", licensees='"K" || "opaque-hex:' + "00" * limits.KEY_SIZE + '"'),
        assertion("true;", licensees='"K" || "rsa-hex:' + "00" * limits.KEY_SIZE + '"'),
        "a key of more than 32768 characters",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_past_a_limit_an_assertion_is_set_aside(name: str) -> None:
    within, beyond, reason = REFUSED[name]
    usable, set_aside = keynote.parse_credentials(within, name="p")
    assert set_aside == ()
    assert keynote.Session(usable).query({"a": "z", "b": "x"}, ["K"]).allowed
    usable, (refused,) = keynote.parse_credentials(beyond, name="p")
    assert usable == ()
    assert refused.reason == reason
    # and the others are used
    both = f'Authorizer: "POLICY"\nLicensees: "K"\n\n{beyond}'
    usable, set_aside = keynote.parse_credentials(both, name="p")
    decision = keynote.Session(usable, set_aside=set_aside).query({}, ["K"])
    assert decision.allowed
    assert [item.reason for item in decision.set_aside] == [reason]


HALF = "x" * (limits.STRING_SIZE // 2)
# A test that holds within the limit, one past it, the action, and what is said then.
FALSE = {
    "DIGITS": ("@a > 0;", "@b > 0;", {"a": "9" * limits.DIGITS, "b": "9" * (limits.DIGITS + 1)}, "1000 digits"),
    "DIGITS of a float": ("&a < 1.0;", "&b < 1.0;", {"a": "0." + "1" * 998, "b": "0." + "1" * 999}, "1000 digits"),
    "INTEGER_BITS": ("4 ^ 2730 > @a;", "4 ^ 2731 > @a;", {}, "8192 bits"),
    "INTEGER_BITS of a product": (
        "2 ^ 4000 * 2 ^ 4000 > @a;",
        "2 ^ 4000 * 2 ^ 4000 * 2 ^ 4000 > @a;",
        {},
        "8192 bits",
    ),
    "STRING_SIZE": ('a . a != "";', 'a . a . "x" != "";', {"a": HALF}, "1048576 characters"),
    "PATTERN_SIZE": (f'a ~= "{"x*" * 8_000}";', f'a ~= "{"x*" * 8_200}";', {"a": "x"}, "16384 characters"),
    "PATTERN_GROUPS": (f'a ~= "{"(x?)" * 100}";', f'a ~= "{"(x?)" * 101}";', {}, "100 groups"),
    "PATTERN_MEMORY": ('a ~= "(x?){250}";', 'a ~= "((x?){250}){250}";', {}, "too much memory"),
    "PATTERN_MEMORY of a large one": (
        'a ~= "((x?){31}){31}";',
        'a ~= "((x?y?z?x?y?z?x?y?z?x?y?z?x?y?z?){31}){31}";',
        {},
        "too much memory",
    ),
    "COMPUTED_PATTERN_STEPS": (
        "a ~= b;",
        "a ~= c;",
        {"b": "((x?y?){16}){10}", "c": "((x?y?){20}){11}"},
        "a computed regular expression of more than 1024 instructions",
    ),
    "COMPUTED_PATTERN_MEMORY": ("a ~= b;", "a ~= c;", {"b": "(x?){250}", "c": "((x?){50}){50}"}, "too much memory"),
    "SUBJECT_SIZE": (
        'a ~= "x";',
        'a . "x" ~= "x";',
        {"a": "x" * limits.SUBJECT_SIZE},
        "a match in a string of more than 4096 characters",
    ),
}


@pytest.mark.parametrize("name", FALSE)
def test_past_a_limit_a_test_is_false_with_its_reason(name: str) -> None:
    within, beyond, action, reason = FALSE[name]
    for test, wanted in ((within, True), (beyond, False), (f"!({beyond[:-1]});", False), (f"{beyond} true;", True)):
        session = keynote.Session(keynote.parse_policy(assertion(test), name="p"))
        decision = session.query(action, ["K"])
        assert decision.allowed == wanted, test[:100]
        if not wanted:
            assert reason in decision.because
            assert len(decision.because) < 2_000


# Tested where their subject is: signatures in test_signatures.py, mistakes in test_grammar.py, bits in test_keys.py.
ELSEWHERE = {"KEY_BITS", "MISTAKES", "EXCERPTS", "FILE_SIZE"}


def test_each_limit_is_tested() -> None:
    assert {name.split()[0] for name in (*REFUSED, *FALSE)} | ELSEWHERE == NUMBERS.keys()


# -- nesting ---------------------------------------------------------------------------------------------------------

DEEP = 3_000


@pytest.mark.parametrize("depth", [DEEP, 10_000])
@pytest.mark.parametrize(
    ("opening", "middle", "closing"),
    [
        ("(", "true", ")"),
        ("!", "true", ""),
        ("!(", "a == b", ")"),
        ("true -> {", "true;", "};"),
        ("1 + (", "1", ")"),
        ("- ", "1", ""),
        ("$", "a", ""),
        ("@(a . ", "a", ")"),
    ],
)
def test_nesting_is_bounded_by_size_only(depth: int, opening: str, middle: str, closing: str) -> None:
    text = opening * depth + middle + closing * depth
    text = text[: -1 if text.endswith("};") else None]
    # A sign, a number or a string is no test, and says so: `1 + 1 == 1`.
    for conditions in (f"{text};", f"{text} == 1;", f'{text} == "x";', text):
        usable, set_aside = keynote.parse_credentials(assertion(conditions), name="p")
        session = keynote.Session(usable, set_aside=set_aside)
        decision = session.query({"a": "", "b": ""}, ["K"])
        assert decision.because
        assert decision.survey
        assert session.query({"a": ""}, ["K"], unknown={"b"}).because


@pytest.mark.parametrize("depth", [DEEP, 10_000])
@pytest.mark.parametrize("opening", ["(", '("K" && ', '("L" || '])
def test_licensees_nest_as_deeply(depth: int, opening: str) -> None:
    text = assertion("a == b;", licensees=opening * depth + '"K"' + ")" * depth)
    session = keynote.Session(keynote.parse_policy(text, name="p"))
    assert session.query({}, ["K"]).allowed
    assert session.query({"a": "x"}, ["K"]).because == "p:4: `a == b` does not hold (a is `x`, b is empty)"
    assert session.query({}, ["M"]).survey


def test_groups_of_a_regular_expression_do_not_recurse() -> None:
    text = assertion('a ~= "' + "(" * 8_000 + "x" + ")" * 8_000 + '";')
    decision = keynote.Session(keynote.parse_policy(text, name="p")).query({"a": "x"}, ["K"])
    assert "100 groups" in decision.because


# -- time ------------------------------------------------------------------------------------------------------------

# As much as fits into an IKE message; what takes its time by size alone is tried with four times that.
ROOM = 64 * 1024 - 200
DIGITS = {"a": "9" * limits.DIGITS, "b": "7" * limits.DIGITS}
XY = {"a": ("xyxxy" * limits.SUBJECT_SIZE)[: limits.SUBJECT_SIZE], "b": "x"}
WORST = {
    "products": (assertion("@a * @a == 1;" * (ROOM // 13)), DIGITS),
    "remainders": (assertion("@a * @b % @b == 1;" * (ROOM // 18)), DIGITS),
    "powers": (assertion("3 ^ 4000 % 7 ^ 2000 == @b;" * (ROOM // 26)), DIGITS),
    "products of floats": (assertion("&a * &a < 1.0;" * (ROOM // 14)), {"a": "9" * 150}),
    "joined": (joined(limits.JOINED_SIZE), XY),
    "long strings": (assertion("a . a . a . a != b;" * (ROOM // 19)), {"a": "x" * 100_000}),
    "states": (
        assertion("".join(f'a ~= "(x|y)*x(x|y){{12}}{n}z";' for n in range(1_000))),
        XY,
    ),
    "large patterns": (
        assertion("".join(f'a ~= "((x?y?){{100}}){{{n}}}z";' for n in range(10, 16))),
        XY,
    ),
    "computed patterns": (
        computed_patterns(limits.PATTERN_STEPS // (2 * limits.COMPUTED_PATTERN_STEPS)),
        {**XY, "b": "((x?y?){16}){10}z"},
    ),
    "groups": (
        assertion('a ~= P && _1 == "z";' * (ROOM // 30), f'P = "{"(x?)" * 100}"'),
        XY,
    ),
    "clauses": (assertion('a == "x" -> b;' * (4 * ROOM // 14)), XY),
    "nested clauses": (assertion('b == "x" -> {' * 15_000 + 'a == "x";' + "};" * 15_000), XY),
    "indirection": (assertion("$" * (ROOM - 20) + 'a == "x";'), {"a": "a"}),
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_takes_seconds_at_most(name: str) -> None:
    text, action = WORST[name]
    with at_most(20):
        usable, set_aside = keynote.parse_credentials(text, name="p")
        session = keynote.Session(usable, set_aside=set_aside)
        decision = session.query(action, ["K"])
        session.query({}, ["K"], unknown={"a"})
        assert decision.because
        assert len(decision.because) < 2_000
        assert decision.survey


def test_many_texts_that_cannot_be_read_take_linear_time() -> None:
    with at_most(20):
        usable, set_aside = keynote.parse_credentials("x\n\n" * 20_000, name="p")
        assert usable == ()
        assert len(set_aside) == 20_000
        with pytest.raises(keynote.PolicyError) as error:
            keynote.parse_policy("Licensee x\n\n" * 20_000, name="p")
        assert sum(bool(problem.excerpt) for problem in error.value.problems) == limits.EXCERPTS
        decision = keynote.Session([], set_aside=set_aside).query({}, ["K"])
        assert len(decision.reasons) < 100


def test_a_line_as_long_as_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("zeros.kn").write_bytes(bytes(3_000_000))
    with at_most(5):
        status, _, errors = run("eval -p zeros.kn -k gw", capsys)
    assert status == 1
    assert len(errors) < 500
