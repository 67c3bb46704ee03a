# SPDX-License-Identifier: ISC
"""RFC 2704 section 5 once more: slow, recursive, straight from the text, and without a line of the package.

Tests are tuples and programs are lists, made at random by the strategies at the end; `*_text` writes them in KeyNote,
for the package to read, and the functions in between evaluate them.
"""

import re
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Test = tuple[Any, ...]
Program = list[Any]
Holders = tuple[Any, ...]
VALUES = ("low", "mid", "high")
TOP = len(VALUES) - 1


class RuntimeFault(Exception):
    """5.3.4: "a runtime error occurring in the evaluation of a test causes the test to be considered false"."""


@dataclass
class Assertion:
    authorizer: str
    licensees: Holders | None
    conditions: Program | None
    constants: dict[str, str]


# -- text ------------------------------------------------------------------------------------------------------------


def test_text(test: Test) -> str:
    match test:
        case ("truth", value):
            return "true" if value else "false"
        case ("string", name, operator, text):
            return f'{name} {operator} "{text}"'
        case ("mirrored", name, operator, text):
            return f'"{text}" {operator} {name}'
        case ("joined", left, right, text):
            return f'{left} . {right} == "{text}"'
        case ("indirect", name, text):
            return f'${name} == "{text}"'
        case ("integer", name, operator, number):
            return f"@{name} {operator} {number}"
        case ("quotient", name, operator, number):
            return f"4 / @{name} {operator} {number}"
        case ("match", name, pattern):
            return f'{name} ~= "{pattern}"'
        case ("group", number, text):
            return f'_{number} == "{text}"'
        case ("not", inner):
            return f"!({test_text(inner)})"
        case ("and", left, right):
            return f"({test_text(left)}) && ({test_text(right)})"
        case ("or", left, right):
            return f"({test_text(left)}) || ({test_text(right)})"
    raise AssertionError(test)


def program_text(program: Program) -> str:
    clauses = []
    for test, value in program:
        if value is None:
            clauses.append(f"{test_text(test)};")
        elif isinstance(value, list):
            clauses.append(f"{test_text(test)} -> {{ {program_text(value)} }};")
        else:
            clauses.append(f'{test_text(test)} -> "{value}";')
    return " ".join(clauses)


def licensees_text(licensees: Holders) -> str:
    match licensees:
        case ("principal", name):
            return f'"{name}"'
        case ("and" | "or" as kind, left, right):
            operator = "&&" if kind == "and" else "||"
            return f"({licensees_text(left)}) {operator} ({licensees_text(right)})"
        case ("of", k, names):
            return f"{k}-of({', '.join(chr(34) + name + chr(34) for name in names)})"
        case ("nobody",):
            return ""
    raise AssertionError(licensees)


def assertion_text(assertion: Assertion) -> str:
    lines = []
    if assertion.constants:
        lines.append("Local-Constants: " + " ".join(f'{name}="{text}"' for name, text in assertion.constants.items()))
    lines.append(f'Authorizer: "{assertion.authorizer}"')
    if assertion.licensees is not None:
        lines.append(f"Licensees: {licensees_text(assertion.licensees)}")
    if assertion.conditions is not None:
        lines.append(f"Conditions: {program_text(assertion.conditions)}")
    return "\n".join(lines) + "\n"


# -- 5.3.4 -----------------------------------------------------------------------------------------------------------


def holds(test: Test, attributes: dict[str, str], groups: dict[str, str]) -> bool:
    """Raises RuntimeFault. A match writes to `groups`."""

    def read(name: str) -> str:
        return groups.get(name, "") if name.startswith("_") else attributes.get(name, "")

    match test:
        case ("truth", bool(value)):
            return value
        case ("string", name, operator, text):
            return compare(read(name), operator, text)
        case ("mirrored", name, operator, text):
            return compare(text, operator, read(name))
        case ("joined", left, right, text):
            return bool(read(left) + read(right) == text)
        case ("indirect", name, text):
            return bool(read(read(name)) == text)
        case ("integer", name, operator, number):
            return compare(integer(read(name)), operator, number)
        case ("quotient", name, operator, number):
            divisor = integer(read(name))
            if divisor == 0:
                raise RuntimeFault
            return compare(int(4 / divisor), operator, number)
        case ("match", name, pattern):
            if pattern == "(":
                raise RuntimeFault
            found = re.search(pattern, read(name))
            if found:
                groups.clear()
                groups["_0"] = str(len(found.groups()))
                groups.update({f"_{n}": text or "" for n, text in enumerate(found.groups(), 1)})
            return found is not None
        case ("group", number, text):
            return bool(read(f"_{number}") == text)
        case ("not", inner):
            return not holds(inner, attributes, groups)
        case ("and", left, right):
            return holds(left, attributes, groups) and holds(right, attributes, groups)
        case ("or", left, right):
            return holds(left, attributes, groups) or holds(right, attributes, groups)
    raise AssertionError(test)


def integer(text: str) -> int:
    return int(text) if re.fullmatch(r"-?[0-9]+", text) else 0


def compare(left: Any, operator: str, right: Any) -> bool:
    results: dict[str, bool] = {
        "==": left == right,
        "!=": left != right,
        "<": left < right,
        ">": left > right,
        "<=": left <= right,
        ">=": left >= right,
    }
    return results[operator]


def conditions_value(program: Program, attributes: dict[str, str], groups: dict[str, str] | None = None) -> int:
    best = 0
    for test, value in program:
        own = dict(groups or {})
        try:
            if not holds(test, attributes, own):
                continue
        except RuntimeFault:
            continue
        if isinstance(value, list):
            best = max(best, conditions_value(value, attributes, own))
        elif value is None:
            best = TOP
        elif value in VALUES:
            best = max(best, VALUES.index(value))
    return best


# -- 5.3.1 to 5.3.5 --------------------------------------------------------------------------------------------------


def licensees_value(licensees: Holders, values: dict[str, int]) -> int:
    match licensees:
        case ("principal", name):
            return values.get(name, 0)
        case ("and", left, right):
            return min(licensees_value(left, values), licensees_value(right, values))
        case ("or", left, right):
            return max(licensees_value(left, values), licensees_value(right, values))
        case ("of", k, names):
            return int(sorted([values.get(name, 0) for name in names], reverse=True)[k - 1])
        case ("nobody",):
            return 0
    raise AssertionError(licensees)


def query(assertions: list[Assertion], attributes: dict[str, str], requesters: list[str]) -> int:
    """The value of POLICY: all values from the lowest, and all assertions again until nothing changes."""
    values = dict.fromkeys(requesters, TOP)
    changed = True
    while changed:
        changed = False
        for assertion in assertions:
            known = {**attributes, **assertion.constants}
            conditions = TOP if assertion.conditions is None else conditions_value(assertion.conditions, known)
            licensees = TOP if assertion.licensees is None else licensees_value(assertion.licensees, values)
            value = min(conditions, licensees)
            if value > values.get(assertion.authorizer, 0):
                values[assertion.authorizer] = value
                changed = True
    return values.get("POLICY", 0)


# -- strategies ------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "xy", "0", "2", "a", "-1"])
OPERATORS = st.sampled_from(["==", "!=", "<", ">", "<=", ">="])
RELATIONS = st.one_of(
    st.tuples(st.just("truth"), st.booleans()),
    st.tuples(st.just("string"), NAMES, OPERATORS, TEXTS),
    st.tuples(st.just("string"), NAMES, st.just("=="), TEXTS),
    st.tuples(st.just("mirrored"), NAMES, OPERATORS, TEXTS),
    st.tuples(st.just("joined"), NAMES, NAMES, TEXTS),
    st.tuples(st.just("indirect"), NAMES, TEXTS),
    st.tuples(st.just("integer"), NAMES, OPERATORS, st.integers(0, 3)),
    st.tuples(st.just("quotient"), NAMES, OPERATORS, st.integers(0, 3)),
    st.tuples(st.just("match"), NAMES, st.sampled_from(["^(x)(y)?$", "(y)", "^[0-9]+$", "x", "("])),
    st.tuples(st.just("group"), st.integers(0, 2), st.sampled_from(["", "x", "y", "1", "2"])),
)
TESTS = st.recursive(
    RELATIONS,
    lambda tests: st.one_of(
        st.tuples(st.just("not"), tests),
        st.tuples(st.sampled_from(["and", "or"]), tests, tests),
    ),
    max_leaves=6,
)
CLAUSE_VALUES = st.sampled_from([None, "low", "mid", "mid", "high", "none"])
PROGRAMS = st.recursive(
    st.lists(st.tuples(TESTS, CLAUSE_VALUES), max_size=3),
    lambda programs: st.lists(st.tuples(TESTS, CLAUSE_VALUES | programs), max_size=3),
    max_leaves=4,
)
ATTRIBUTES = st.dictionaries(NAMES, TEXTS)

PRINCIPALS = st.sampled_from(["A", "B", "C", "D", "E"])
LICENSEES = st.recursive(
    st.one_of(
        st.tuples(st.just("principal"), PRINCIPALS),
        st.tuples(st.just("of"), st.integers(1, 2), st.lists(PRINCIPALS, min_size=2, max_size=4)),
    ),
    lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner),
    max_leaves=4,
)
# Conditions that mostly hold, lest most graphs come to nothing.
MILD = st.sampled_from(
    [None, [(("truth", True), "mid")], [(("truth", True), None)], [(("string", "a", "==", "x"), "mid")]]
)
ASSERTIONS = st.lists(
    st.builds(
        Assertion,
        st.sampled_from(["POLICY", "POLICY", "A", "B", "C", "D"]),
        st.one_of(LICENSEES, LICENSEES, LICENSEES, st.none(), st.just(("nobody",))),
        st.one_of(MILD, MILD, PROGRAMS),
        st.dictionaries(NAMES, TEXTS, max_size=1),
    ),
    max_size=8,
)
REQUESTERS = st.lists(PRINCIPALS, min_size=1, max_size=2)
