# SPDX-License-Identifier: ISC
"""The evaluator against the slow reference, and the laws that every answer obeys."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keynote
from keynote.bounds import Bounds
from keynote.compiler import compile_program
from keynote.conditions import conditions_interval, conditions_value
from keynote.environment import PartialEnvironment, Unknown, environment, scale
from keynote.grammar import conditions
from tests.keynote import reference

RANKS = scale(reference.VALUES)


def parsed(assertions: list[reference.Assertion]) -> tuple[keynote.Assertion, ...]:
    return keynote.parse_policy("\n".join(map(reference.assertion_text, assertions)), name="p.kn")


def ask(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str], unknown: object = ()
) -> keynote.Decision:
    session = keynote.Session(parsed(assertions))
    return session.query(attributes, requesters, reference.VALUES, unknown)  # type: ignore[arg-type]


def rank(value: str) -> int:
    return reference.VALUES.index(value)


# -- one Conditions field --------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(reference.PROGRAMS, reference.ATTRIBUTES, st.dictionaries(reference.NAMES, reference.TEXTS, max_size=1))
def test_conditions_agree_with_the_reference(
    program: reference.Program, attributes: dict[str, str], constants: dict[str, str]
) -> None:
    compiled = compile_program(conditions(reference.program_text(program)), constants)
    facts = environment(attributes, ["K"], RANKS)
    wanted = reference.conditions_value(program, {**attributes, **constants})
    assert conditions_value(compiled, facts, RANKS) == wanted
    # The generated function, the steps, and the four-valued walk with nothing unknown are three ways to one answer.
    assert conditions_interval(compiled, PartialEnvironment(facts, ()), RANKS) == (wanted, wanted)
    generated = compiled.generated
    reads_more = re.search(r"_[0-9]|\$[a-z]", reference.program_text(program)) is not None
    assert (generated is None) == reads_more
    if generated is not None:
        assert generated.function(attributes, attributes.get, RANKS.rank, RANKS.top) == wanted
    assert facts == environment(attributes, ["K"], RANKS), "groups of a match are left behind"


@settings(max_examples=200)
@given(reference.PROGRAMS, reference.ATTRIBUTES, st.sets(reference.NAMES, min_size=1, max_size=2))
def test_an_interval_holds_the_value_of_every_completion(
    program: reference.Program, attributes: dict[str, str], unknown: set[str]
) -> None:
    compiled = compile_program(conditions(reference.program_text(program)), {})
    known = {name: text for name, text in attributes.items() if name not in unknown}
    facts = PartialEnvironment(environment(known, ["K"], RANKS), unknown)
    lowest, highest = conditions_interval(compiled, facts, RANKS)
    for texts in itertools.product(["", "x", "xy", "0", "2", "a"], repeat=len(unknown)):
        completion = {**known, **dict(zip(sorted(unknown), texts, strict=True))}
        assert lowest <= reference.conditions_value(program, completion) <= highest


@settings(max_examples=300)
@given(reference.PROGRAMS, reference.ATTRIBUTES, st.sets(reference.NAMES, max_size=3))
def test_the_bounds_of_a_query_are_those_of_the_walk(
    program: reference.Program, attributes: dict[str, str], unknown: set[str]
) -> None:
    compiled = compile_program(conditions(reference.program_text(program)), {})
    facts = environment(attributes, ["K"], RANKS)
    for container in (unknown, Unknown.except_({"a", "b", "c"} - unknown)):
        walked = conditions_interval(compiled, PartialEnvironment(facts, container), RANKS)
        bounds = Bounds(attributes, "K", container, RANKS)
        assert (bounds.lowest(compiled), bounds.highest(compiled)) == walked


@pytest.mark.parametrize(
    ("text", "unknown", "interval"),
    [
        ("a == b;", {"a"}, (0, 2)),
        ('a == "x" && false;', {"a"}, (0, 0)),
        ('a == "x" || true;', {"a"}, (2, 2)),
        ('a == "x" || c == "z";', {"a"}, (2, 2)),
        ('!(a == "x") && c != "z";', {"a"}, (0, 0)),
        ("1 / 0 == 1 || true;", {"a"}, (0, 0)),  # an error absorbs the test
        ("a == b || 1 / 0 == 1;", {"a"}, (0, 2)),
        ("a == b && 1 / 0 == 1;", {"a"}, (0, 0)),
        ("!(a == b && 1 / 0 == 1);", {"a"}, (0, 2)),  # if a differs, the division is not reached
        ("1 / @a == 1 || true;", {"a"}, (0, 2)),  # may be an error
        ("a ~= b || true;", {"b"}, (0, 2)),  # may be no pattern
        ('a ~= "x" || true;', {"a"}, (2, 2)),
        ('a ~= "(x)" && _1 == "x";', {"a"}, (0, 2)),
        ('c ~= "(z)" && _1 == "z";', {"a"}, (2, 2)),
        ('c ~= "(z)" && (a == "x" || true) && _1 == "z";', {"a"}, (2, 2)),
        ('(a ~= "(x)" || true) && _1 == "x";', {"a"}, (0, 2)),
        ('(a ~= "(x)" || true) && c ~= "(z)" && _1 == "z";', {"a"}, (2, 2)),
        ('a == "x" -> { c == "z" -> "mid"; b == "y"; };', {"a"}, (0, 1)),
        ('c == "z" -> { a == "x"; true -> "mid"; };', {"a"}, (1, 2)),
        ("true -> a;", {"a"}, (0, 2)),
        ("true -> c;", {"a"}, (0, 0)),
        ('$a == "z";', {"a"}, (0, 2)),
        ('$"a" == "z";', {"a"}, (0, 2)),
        ('$"c" == "z";', {"a"}, (2, 2)),
        ('_MIN_TRUST == "low";', {"a"}, (2, 2)),
        ('_other == "";', {"a"}, (2, 2)),
    ],
)
def test_four_values(text: str, unknown: set[str], interval: tuple[int, int]) -> None:
    compiled = compile_program(conditions(text), {})
    facts = environment({"c": "z"}, ["K"], RANKS)
    assert conditions_interval(compiled, PartialEnvironment(facts, unknown), RANKS) == interval
    everything = PartialEnvironment(facts, Unknown.except_({"b", "c"}))
    if unknown == {"a"}:
        assert conditions_interval(compiled, everything, RANKS) == interval


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # a failed match leaves the groups of the one before (5.3.4: valid within the clause)
        ('a ~= "^(x)" && !(b ~= "^(q)") && _1 == "x";', 2),
        # a match with fewer groups takes the others away
        ('a ~= "(x)(y)" && b ~= "(z)" && _2 == "";', 2),
        ('a ~= "x" && _0 == "0" && _1 == "";', 2),
        ('a ~= "(x)(q)?(y)" && _0 == "3" && _2 == "" && _3 == "y";', 2),
        # nested clauses see their parent's groups, each of them
        ('a ~= "^(x)" -> { _1 == "q"; _1 == "x" -> "mid"; };', 1),
        ('a ~= "^(x)" -> { b ~= "(z)" -> { _1 == "z" -> "mid"; }; _1 == "z"; };', 1),
        ('a ~= "^(x)" -> { b ~= "(z)" -> "low"; _1 == "x" -> "mid"; };', 1),
        # and other clauses do not
        ('a ~= "^(x)" -> "mid"; _1 == "x";', 1),
        ('a ~= "^(x)" -> "mid"; _0 == "";', 2),
        # values are computed after the test
        ('a ~= "^(x)" -> _1;', 0),
        ('c ~= "^(mid)" -> _1;', 1),
        ('c ~= "^(m)" -> _1 . "id";', 1),
        # by `$` as well
        ('a ~= "^(x)" && $"_1" == "x";', 2),
    ],
)
def test_groups_of_a_match(text: str, value: int) -> None:
    compiled = compile_program(conditions(text), {})
    facts = environment({"a": "xy", "b": "z", "c": "mid"}, ["K"], RANKS)
    assert conditions_value(compiled, facts, RANKS) == value
    assert conditions_interval(compiled, PartialEnvironment(facts, ()), RANKS) == (value, value)


def test_groups_do_not_pass_from_one_assertion_to_another() -> None:
    policy = keynote.parse_policy(
        'Authorizer: "A"\nLicensees: "K"\nConditions: a ~= "(x)" && _1 == "x";\n\n'
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: _1 == "" && _0 == "";\n',
        name="p",
    )
    assert keynote.Session(policy).query({"a": "x"}, ["K"]).allowed


DEEP = 3_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("(" * DEEP + "true" + ")" * DEEP + ";", 2),
        ("!" * DEEP + "true;", 2),
        ("!" * DEEP + "!true;", 0),
        ("!(" * DEEP + "a == b || 1 / @a == 1" + ")" * DEEP + ";", 0),  # the error reaches to the outside
        ("true -> {" * DEEP + 'a == "x" -> "mid";' + "};" * DEEP, 1),
        ('a ~= "(x)" -> {' * DEEP + '_1 == "x" -> "mid";' + "};" * DEEP, 1),
        ('(a == "y" || (a == "x" && ' * DEEP + "true" + "))" * DEEP + ";", 2),
        ("1 + (" * DEEP + "1" + ")" * DEEP + f" == {DEEP + 1};", 2),
        ("-" * DEEP + "1 == 1;", 2),
        ('"a" . (b . ' * DEEP + '""' + ")" * DEEP + ' ~= "^a+$";', 2),
        ("1" + " + 1" * DEEP + f" == {DEEP + 1};", 2),
        ("true" + ' && a == "x"' * DEEP + ";", 2),
        ("false" + ' || a == "y"' * DEEP + ";", 0),
        ("false;" * DEEP + 'true -> "mid";', 1),
    ],
    ids=lambda text: str(text)[:20],
)
def test_depth_has_no_limit(text: str, value: int) -> None:
    compiled = compile_program(conditions(text), {})
    facts = environment({"a": "x"}, ["K"], RANKS)
    assert conditions_value(compiled, facts, RANKS) == value
    assert conditions_interval(compiled, PartialEnvironment(facts, ()), RANKS) == (value, value)


@pytest.mark.parametrize("operator", ["&&", "||"])
def test_licensees_may_nest_deeply(operator: str) -> None:
    text = f'("K" {operator} ("L" && ' * DEEP + '"K"' + "))" * DEEP
    policy = keynote.parse_policy(f'Authorizer: "POLICY"\nLicensees: {text}\n', name="p")
    session = keynote.Session(policy)
    assert session.query({}, ["K", "L"]).allowed
    assert session.query({}, ["K"]).allowed == (operator == "||")
    assert session.query({}, ["L"]).because


def test_an_error_reaches_only_to_the_end_of_its_test() -> None:
    compiled = compile_program(conditions('1/0 == 1 -> { true; true; }; !(1/0 == 1); true -> "mid";'), {})
    assert conditions_value(compiled, environment({}, ["K"], RANKS), RANKS) == 1


# -- delegation ------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_queries_agree_with_the_reference(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    decision = ask(assertions, attributes, requesters)
    assert rank(decision.value) == reference.query(assertions, attributes, requesters)
    assert decision.lowest == decision.highest


@settings(max_examples=100)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS, st.randoms())
def test_the_order_of_assertions_does_not_matter(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str], random: object
) -> None:
    shuffled = list(assertions)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ask(assertions, attributes, requesters).value == ask(shuffled, attributes, requesters).value


@settings(max_examples=100)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_leaving_an_assertion_out_never_raises_the_value(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    value = rank(ask(assertions, attributes, requesters).value)
    for left_out in range(len(assertions)):
        rest = assertions[:left_out] + assertions[left_out + 1 :]
        assert rank(ask(rest, attributes, requesters).value) <= value


@settings(max_examples=100)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS, st.integers(0, 8))
def test_an_extended_session_is_the_session_of_all_assertions(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str], cut: int
) -> None:
    session = keynote.Session(parsed(assertions[:cut]))
    extended = session.extended(parsed(assertions[cut:]))
    both = ask(assertions, attributes, requesters)
    assert extended.query(attributes, requesters, reference.VALUES).value == both.value
    twice = session.extended(parsed(assertions[cut : cut + 1])).extended(parsed(assertions[cut + 1 :]))
    assert twice.query(attributes, requesters, reference.VALUES).value == both.value
    assert session.query(attributes, requesters, reference.VALUES).value == (
        ask(assertions[:cut], attributes, requesters).value
    )


@settings(max_examples=150)
@given(
    reference.ASSERTIONS,
    reference.ATTRIBUTES,
    reference.REQUESTERS,
    st.sets(reference.NAMES, min_size=1, max_size=2),
)
def test_an_interval_holds_the_answer_of_every_completion(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str], unknown: set[str]
) -> None:
    known = {name: text for name, text in attributes.items() if name not in unknown}
    decision = ask(assertions, known, requesters, unknown)
    for texts in itertools.product(["", "x", "xy", "0", "2", "a"], repeat=len(unknown)):
        completion = {**known, **dict(zip(sorted(unknown), texts, strict=True))}
        value = reference.query(assertions, completion, requesters)
        assert rank(decision.lowest) <= value <= rank(decision.highest)
    assert decision.because


def test_cycles_that_the_c_library_gets_wrong() -> None:
    for licensees in ('"A" && "B"', '"B" && "A"'):
        policy = keynote.parse_policy(
            f'Authorizer: "POLICY"\nLicensees: {licensees}\n\n'
            'Authorizer: "A"\nLicensees: "B" || "C"\n\nAuthorizer: "B"\nLicensees: "A"\n',
            name="p",
        )
        assert keynote.Session(policy).query({}, ["C"]).allowed
        assert not keynote.Session(policy).query({}, ["D"]).allowed
