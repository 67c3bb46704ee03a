# SPDX-License-Identifier: ISC
"""What is said of clauses is true: held against the slow reference, for all actions over a few values."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keynote import Session
from keynote.files import parse_all
from keynote.limits import Limits
from keynote.lint import lint
from keynote.lint.flow import follow
from keynote.lint.shadows import shadows
from keynote.lint.subjects import Subject, subjects
from keynote.schemas.ipsec import ATTRIBUTES
from keynote.sets import Set, compared, everything, only
from tests.keynote import reference

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXTS = ["", "x", "xy", "0", "2", "a", "-1", "zz"]
ACTIONS = [dict(zip("abc", texts, strict=True)) for texts in itertools.product(TEXTS, repeat=3)]


def subject(program: reference.Program) -> Subject:
    text = f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {reference.program_text(program)}\n'
    (assertion,), problems = parse_all(text, name="p.kn")
    assert problems == ()
    return next(subjects([assertion], [], Limits()))


def flat(
    program: reference.Program, parents: tuple[reference.Test, ...] = ()
) -> Iterator[tuple[reference.Test, ...]]:
    """The tests that each clause needs, its own last, in the order of the text."""
    for test, value in program:
        yield (*parents, test)
        if isinstance(value, list):
            yield from flat(value, (*parents, test))


def all_hold(tests: tuple[reference.Test, ...], action: dict[str, str]) -> bool:
    groups: dict[str, str] = {}
    try:
        return all(reference.holds(test, action, groups) for test in tests)
    except reference.RuntimeFault:
        return False


@settings(max_examples=200)
@given(reference.PROGRAMS)
def test_where_a_clause_holds_its_state_is_true(program: reference.Program) -> None:
    clauses = subject(program).clauses
    for clause, tests in zip(clauses, flat(program), strict=True):
        for action in ACTIONS:
            if not all_hold(tests, action):
                continue
            assert clause.state is not None
            for key, values in clause.state.items():
                if not key.startswith("?"):
                    value = reference.integer(action[key[1:]]) if key[0] == "@" else action[key]
                    assert value in values, (key, action)


def without(program: reference.Program, gone: set[int], count: Iterator[int]) -> reference.Program:
    kept = []
    for test, value in program:
        number = next(count)
        inner = without(value, gone, count) if isinstance(value, list) else value
        if number not in gone:
            kept.append((test, inner))
    return kept


@settings(max_examples=400)
@given(st.lists(st.tuples(reference.TESTS, reference.CLAUSE_VALUES | reference.PROGRAMS), min_size=2, max_size=6))
def test_clauses_in_the_shadow_make_no_difference(program: reference.Program) -> None:
    found = subject(program)
    gone = {shadow.node for shadow in shadows([found])}
    numbers = {number for number, clause in enumerate(found.clauses) if clause.node in gone}
    rest = without(program, numbers, itertools.count())
    for action in ACTIONS:
        assert reference.conditions_value(program, action) == reference.conditions_value(rest, action)


@pytest.mark.parametrize(
    ("text", "shadowed"),
    [
        ('a == "x"; a == "x";', [1]),
        ('a == "x" && b == "y"; a == "x";', [0]),
        ('a == "x" -> "mid"; a == "x";', [0]),
        ('a == "x" -> "mid"; a == "x" -> "mid"; a == "x";', [0, 1]),
        ('a == "x" || a == "y"; b == "z" && a == "y";', [1]),
        ('a >= "b"; a == "c";', [1]),
        ('@a >= 5; @a == 7 && b == "";', [1]),
        ('a ~= "x"; a ~= "x" && b == "y";', [1]),
        ('a ~= "(x)" && _1 == "x"; a ~= "(x)" && _1 == "x" && b == "y";', []),
        ('$a == "x"; $a == "x" && b == "y";', []),
        ('a == "x" -> { b == "y"; c == "z"; }; c == "z";', [2]),
        ("true; false;", []),
        ('true; b == "y" -> "mid";', [1]),
        ('a == "x" -> "mid"; a == "x" && b == "y";', []),
        ('a == b; b == "x" && a == b;', [1]),
    ],
)
def test_shadows(text: str, shadowed: list[int]) -> None:
    (assertion,), problems = parse_all(f'Authorizer: "POLICY"\nConditions: {text}\n', name="p")
    assert problems == ()
    found = next(subjects([assertion], [], Limits()))
    gone = {shadow.node for shadow in shadows([found])}
    assert [number for number, clause in enumerate(found.clauses) if clause.node in gone] == shadowed


def test_shadows_of_other_assertions() -> None:
    texts = [
        'Authorizer: "POLICY"\nLicensees: "A" || "B"\nConditions: a == "x" && b == "y";\n',
        'Authorizer: "POLICY"\nLicensees: "B" || "A"\nConditions: a == "x";\n',
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: a == "x" && b == "y";\n',
        'Authorizer: "POLICY"\nLicensees: "A"\n',
        'Local-Constants: X = "x"\nAuthorizer: "POLICY"\nLicensees: "A" || "B"\nConditions: a == X;\n',
        'Local-Constants: X = "y"\nAuthorizer: "POLICY"\nLicensees: "A" || "B"\nConditions: a == X;\n',
    ]
    assertions, _ = parse_all("\n".join(texts), name="p")
    found = list(subjects(assertions, [], Limits()))
    assert [(found.index(shadow.subject), found.index(shadow.by)) for shadow in shadows(found)] == [(0, 4), (2, 3)]


@pytest.mark.parametrize(
    ("text", "by_itself", "for_ipsec"),
    [
        ('a == "x";', [False], [True]),
        ('app_domain == "mail";', [False], [False]),
        ('app_domain != "mail";', [False], [True]),
        ('app_domain == "IPsec policy";', [True], [True]),
        ('app_domain == "mail" -> { a == "x"; b == "y"; }; a == "x";', [False] * 4, [False] * 3 + [True]),
        ('a == "x" && a == "y";', [False], [False]),
    ],
)
def test_which_clauses_are_for_ipsec(text: str, by_itself: list[bool], for_ipsec: list[bool]) -> None:
    (assertion,), problems = parse_all(f'Authorizer: "POLICY"\nConditions: {text}\n', name="p")
    assert problems == ()
    for assumed, expected in ((False, by_itself), (True, for_ipsec)):
        found = next(subjects([assertion], [], Limits(), ipsec=assumed))
        assert [clause.ipsec for clause in found.clauses] == expected


@pytest.mark.parametrize("connective", ["&&", "||"])
@pytest.mark.parametrize("nested", [False, True])
def test_long_and_deep_tests(connective: str, nested: bool) -> None:
    parts = [f'a{number} == "x"' for number in range(900)]
    text = f" {connective} ".join(parts)
    if nested:
        text = "!" * 3001 + "(" * 3000 + text + ")" * 3000
    (assertion,), problems = parse_all(f'Authorizer: "POLICY"\nConditions: {text};\n', name="p")
    assert problems == ()
    (clause,) = next(subjects([assertion], [], Limits())).clauses
    assert clause.state is not None
    assert len(clause.flow.passages) == 900


# -- what can be -----------------------------------------------------------------------------------------------------

RELATIONS = [
    'esp_present == "yes"',
    'esp_present == "Yes"',
    'ah_present == "no"',
    'comp_present == "yes"',
    'esp_enc_alg == "aes"',
    'esp_enc_alg == "aes-256"',
    'esp_enc_alg != "null"',
    'esp_enc_alg < "b"',
    'esp_enc_alg ~= "^(aes|3des)$"',
    'esp_enc_alg ~= "AES"',
    "@esp_enc_alg == 12",
    'esp_enc_algg == "aes"',
    'esp_enc_algg != "aes"',
    "@esp_enc_algg == 1",
    'pfs == "yes"',
    'pfs == "Yes"',
    'pfs != "no"',
    'ah_auth_alg == "hmac-sha"',
    "@esp_group_desc < 0",
    'remote_filter == "10.1.0.0/16"',
]
CONDITIONS = st.recursive(
    st.sampled_from(RELATIONS),
    lambda inner: st.builds(
        lambda form, left, right: form.format(left, right),
        st.sampled_from(["({}) && ({})", "({}) || ({})", "!({})"]),
        inner,
        inner,
    ),
    max_leaves=6,
)
NETWORK = "010.001.000.000-010.001.255.255"


def daemon_actions() -> Iterator[dict[str, str]]:
    """As the daemon has them, of few attributes."""
    for protocols in ({"esp"}, {"ah"}, {"esp", "ah"}, {"esp", "comp"}):
        ciphers = (*ATTRIBUTES["esp_enc_alg"].words, "") if "esp" in protocols else ("",)
        of_ah = ("hmac-sha", "hmac-sha2-256") if "ah" in protocols else ("",)
        for cipher, of_ah_now, pfs in itertools.product(ciphers, of_ah, ("yes", "no")):
            present = {f"{one}_present": "yes" if one in protocols else "no" for one in ("esp", "ah", "comp")}
            names = {"esp_enc_alg": cipher, "ah_auth_alg": of_ah_now, "pfs": pfs, "remote_filter": NETWORK}
            yield {"app_domain": "IPsec policy", **present, **names}


# Invariant: a clause is said to allow no encryption, or no forward secrecy, if and only if it allows such an action.
@settings(max_examples=200, deadline=None)
@given(CONDITIONS, st.booleans())
def test_what_a_clause_is_said_to_allow_it_allows(conditions: str, delegated: bool) -> None:
    guard = 'app_domain == "IPsec policy"'
    by, where = ("POLICY", f"{guard} && ({conditions})") if not delegated else ("sites", conditions)
    text = f'Authorizer: "{by}"\nLicensees: "DN:/CN=gw"\nConditions: {where};\n'
    if delegated:
        text += f'\nAuthorizer: "POLICY"\nLicensees: "sites"\nConditions: {guard};\n'
    assertions, problems = parse_all(text, name="p")
    assert problems == ()
    session = Session(assertions)
    allowed = [action for action in daemon_actions() if session.query(action, ["DN:/CN=gw"]).allowed]
    codes = {finding.code for finding in lint(assertions, now=NOW)}
    open_text = any(action["esp_present"] == "no" or action["esp_enc_alg"] == "null" for action in allowed)
    assert ("KN502" in codes) == open_text
    assert ("KN504" in codes) == any(action["pfs"] == "no" for action in allowed)


def test_a_test_that_is_too_long_is_not_followed() -> None:
    text = " && ".join(['a == "x"', 'a == "y"', *["b == c"] * 1000])
    (assertion,), _ = parse_all(f'Authorizer: "POLICY"\nConditions: {text};\n', name="p")
    (clause,) = next(subjects([assertion], [], Limits())).clauses
    assert clause.state == {}
    assert assertion.conditions is not None
    assert follow(assertion.conditions.tree.clauses[0].test, {}, {}, {}).passages == ()


# -- sets ------------------------------------------------------------------------------------------------------------

OPERATORS = ["==", "!=", "<", ">", "<=", ">="]
STRINGS = ["", "a", "b", "c", "ab"]
NUMBERS = [-1, 0, 1, 2, 3]


def recipes(values: list[str] | list[int]) -> st.SearchStrategy[list[tuple[str, str, str | int]]]:
    return st.lists(
        st.tuples(st.sampled_from("&|"), st.sampled_from(OPERATORS), st.sampled_from(values)), min_size=1, max_size=6
    )


@given(recipes(STRINGS) | recipes(NUMBERS))
def test_sets_are_what_the_comparisons_say(recipe: list[tuple[str, str, str | int]]) -> None:
    values = NUMBERS if isinstance(recipe[0][2], int) else STRINGS
    made: Set = everything(type(values[0]))
    wanted: set[str | int] = set(values)
    for join, operator, value in recipe:
        members: set[str | int] = {each for each in values if reference.compare(each, operator, value)}
        other = compared(operator, value)
        made, wanted = (made & other, wanted & members) if join == "&" else (made | other, wanted | members)
    assert {value for value in values if value in made} == wanted
    assert made <= everything(type(values[0]))
    assert only(wanted) <= made
    if made.values is not None:
        assert made == only(made.values)


def test_between_two_integers_is_nothing() -> None:
    assert not compared(">", 3) & compared("<", 4)
    assert only([3, 4]) == compared(">=", 3) & compared("<=", 4)
    assert only([3]).values == (3,)
    assert (compared(">", "a") & compared("<", "b")).values is None
    assert not compared("<", "")
