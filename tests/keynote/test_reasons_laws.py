# SPDX-License-Identifier: ISC
"""Why not: what is told of a denial, held to the reference evaluator."""

import dataclasses
import re
from collections.abc import Iterator
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings

import keynote
from keynote import Location, SetAside, parse_assertion, parse_policy
from keynote.reasons import MAXIMUM
from tests.keynote import reference
from tests.keynote.asking import ask, policy, told
from tests.keynote.key_pairs import principal

DOMAIN = ["", "x", "xy", "0", "2", "a", "-1", "1", "3", "y", "x ", "xy ", "0 ", "2 ", "a ", "4", "-2", "5", "-5"]


def rank(value: str) -> int:
    return reference.VALUES.index(value)


NAMES = "abc"
EXAMPLE = re.compile(r"\((?:(?P<name>[abc]) )?`(?P<value>[^`]*)` would do\)$")
SAYS = re.compile(r"(?P<name>[abc]) is .*, needs (?P<values>`[^<>]*`)(?: \(.*\))?")


def literals(test: reference.Test) -> Iterator[str]:
    """What stands in a test besides patterns."""
    kind, *parts = test
    for part in parts:
        if isinstance(part, tuple):
            yield from literals(part)
    if kind in ("string", "mirrored", "joined", "indirect", "group"):
        yield parts[-1]
    elif kind in ("integer", "quotient"):
        yield str(parts[-1])


def all_literals(program: reference.Program) -> Iterator[str]:
    for test, value in program:
        yield from literals(test)
        if isinstance(value, list):
            yield from all_literals(value)


# Invariant: where one attribute is said to be enough, it is; what is said that it needs, or would do, is; and where
# something that stands in the policy would be enough, that is what is told first.
@settings(max_examples=300)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_one_attribute_is_enough_if_and_only_if_it_is_said_to_be(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    decision = ask("\n".join(map(reference.assertion_text, assertions)), " ".join(requesters), **attributes)
    goal = rank(decision.highest) + 1
    if goal >= len(reference.VALUES):
        return

    def enough(name: str, value: str) -> bool:
        return reference.query(assertions, {**attributes, name: value}, requesters) >= goal

    claims = [reason for reason in decision.reasons if reason.away in ("one attribute away", "one test away")]
    texts = {text for one in assertions for text in all_literals(one.conditions or [])}
    if claims:
        values = {*DOMAIN, *texts}
        named = {*NAMES, *filter(str.isidentifier, values)}  # by `$`
        assert any(enough(name, value) for name in named for value in values)
    for claim in claims:
        if example := EXAMPLE.search(claim.text):
            assert enough(example["name"] or claim.text[0], example["value"].strip('"'))
        elif said := SAYS.fullmatch(claim.text):
            for value in re.findall("`([^`]*)`", said["values"]):
                assert enough(said["name"], value.replace('""', ""))
    if any(enough(name, value) for name in NAMES for value in texts):
        assert decision.reasons[0].away in ("one attribute away", "one test away")


KEYS = {"A": principal("ed25519"), "B": principal("ed25519", number=1)}


def with_keys(assertion: reference.Assertion) -> str:
    """In KeyNote, with keys for two of the principals; they can sign, and others cannot."""
    text = reference.assertion_text(assertion)
    for name, key in KEYS.items():
        text = text.replace(f'"{name}"', f'"{key}"')
    return text


# Invariant: credentials that are set aside take no reason away and change none, nor the order of the others; and only
# one that a signature would make count comes before them.
@settings(max_examples=150)
@given(reference.ASSERTIONS, reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_what_is_set_aside_takes_no_reason_away(
    assertions: list[reference.Assertion],
    credentials: list[reference.Assertion],
    attributes: dict[str, str],
    names: list[str],
) -> None:
    requesters = [KEYS.get(name, name) for name in names]
    trusted = parse_policy("\n".join(map(with_keys, assertions)), name="p")
    brought = [parse_assertion(with_keys(one), name="c") for one in credentials]
    unreadable = SetAside(Location("c", 1, 1), "unreadable")
    without, given = keynote.Session(trusted), keynote.Session(trusted, brought, set_aside=[unreadable])
    before, decision = (session.query(attributes, requesters, reference.VALUES) for session in (without, given))
    assert str(decision) == str(before)
    told = iter(decision.reasons)
    assert all(reason in told for reason in before.reasons)
    # Who neither requests nor delegates has a line that says so, until somebody brings what would delegate.
    idle = ("neither requests it nor delegates", "does not request it")
    lines = {line.text for line in before.survey if not line.text.endswith(idle)}
    assert lines <= {line.text for line in decision.survey}
    if decision.because != before.because:
        assert any(reason.kind == "signature" and 0 < reason.distance < MAXIMUM for reason in decision.reasons)


# Invariant: an assertion is told if it would have been enough without its Conditions.
@settings(max_examples=150)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_every_assertion_that_alone_stood_in_the_way_is_told(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    texts = list(map(reference.assertion_text, assertions))
    decision = ask("\n".join(texts), " ".join(requesters), **attributes)
    goal = rank(decision.highest) + 1
    lines = {reason.where.line for reason in decision.reasons if reason.where is not None}
    start = 1
    for number, assertion in enumerate(assertions):
        end = start + texts[number].count("\n") + 1
        changed = [*assertions]
        changed[number] = dataclasses.replace(assertion, conditions=None)
        if goal < len(reference.VALUES) and reference.query(changed, attributes, requesters) >= goal:
            assert lines & set(range(start, end))
        start = end


@settings(max_examples=100)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_the_nearest_comes_first(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    decision = ask("\n".join(map(reference.assertion_text, assertions)), " ".join(requesters), **attributes)
    distances = [reason.distance for reason in decision.reasons]
    # Nothing is set aside here, so 0 is a delegation that is missing; those that nothing leads to come last.
    order = [
        3
        if "no assertion licenses" in reason.text
        else 1
        if not reason.distance
        else 2 * (reason.distance == MAXIMUM)
        for reason in decision.reasons
    ]
    assert order == sorted(order)
    near = distances[: order.count(0)]
    # First what the requester can change itself, and then what others have to do: each in the order of its number.
    assert sum(after < before for before, after in pairwise(near)) <= 1
    assert all(reason.kind == "delegation" for reason in decision.reasons if not reason.distance)


NAMED = "one attribute away: p:2: nobody is empty, needs `me`"
ALSO = re.compile(r"(?:has (?P<count>\d) of \d, )?also needs (?P<names>[^(]*)")


# Invariant: whoever is said to be lacking alone was tried, each of several; and who is there is counted as it is now.
@settings(max_examples=300)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_each_principal_of_whom_one_is_said_to_be_enough_is(
    assertions: list[reference.Assertion], attributes: dict[str, str], requesters: list[str]
) -> None:
    decision = ask("\n".join(map(reference.assertion_text, assertions)), " ".join(requesters), **attributes)
    goal = rank(decision.highest) + 1
    for reason in decision.reasons:
        said = ALSO.fullmatch(reason.text)
        if said is None or reason.away != "one principal away":
            continue
        for name in re.findall("`([^`]*)`", said["names"]):
            assert reference.query(assertions, attributes, [*requesters, name]) >= goal


# Invariant: the number is that of the fewest principals who would be enough besides, however often a field names one.
@settings(max_examples=300)
@given(reference.LICENSEES, reference.REQUESTERS)
def test_no_fewer_principals_are_lacking_in_a_field_than_it_is_told(
    licensees: reference.Holders, requesters: list[str]
) -> None:
    assertion = reference.Assertion("POLICY", licensees, None, {})
    decision = ask(reference.assertion_text(assertion), " ".join(requesters))
    if decision.highest != "high" and [reason.kind for reason in decision.reasons] == ["principal"]:
        fewest = next(
            size
            for size in range(1, 5)
            for more in combinations("ABCDE", size)
            if reference.query([assertion], {}, [*requesters, *more]) == reference.TOP
        )
        assert decision.reasons[0].distance == fewest


@pytest.mark.parametrize(
    ("assertions", "reasons"),
    [
        # who is there only if the other comes is not there yet, nor is every other enough then
        (
            ['POLICY > "A" && ("B" || "C") > true;', 'A > "B" && "me" > true;'],
            ["one principal away: p:2: also needs `B`", "one principal away: p:6: also needs `B`"],
        ),
        (
            ['POLICY > 2-of("A", "B", "C") > true;', 'A > "B" && "me" > true;'],
            ["one principal away: p:2: has 0 of 2, also needs `B`", "one principal away: p:6: also needs `B`"],
        ),
        # nor where the rest of the way wants him
        (
            ['POLICY > "A" && "B" > true;', 'A > 2-of("me", "B", "C") > true;'],
            ["one principal away: p:2: also needs `B`", "one principal away: p:6: has 1 of 2, also needs `B`"],
        ),
        # one who serves several assertions is nearer than two of whom each serves one
        (
            ['POLICY > "A" && "B" > true;', 'A > "y" || ("me" && "x") > true;', 'B > "me" && "x" > true;'],
            ["one principal away: p:6: also needs `x`", "one principal away: p:10: also needs `x`"],
        ),
        (
            ['POLICY > "A" && "B" > true;', 'A > "x" > true;', 'B > "me" && "x" > true;'],
            ["one principal away: p:10: also needs `x`"],
        ),
        # and so are two
        (
            [
                'POLICY > "A" && "B" && "C" > true;',
                'A > "u" || ("me" && "x") > true;',
                'B > "v" || ("me" && "y") > true;',
                'C > "me" && "x" && "y" > true;',
            ],
            [
                "2 changes away: p:14: also needs `x` and `y`",
                "2 changes away: p:6: also needs `x`",
                "2 changes away: p:10: also needs `y`",
            ],
        ),
        # who has authority already is not asked for it
        (
            ['POLICY > "C" || 3-of("A", "e", "A") > true;', 'A > "me" > true;'],
            ["one principal away: p:2: also needs `C` or `e`"],
        ),
        # nobody is the empty principal
        (['POLICY > nobody || 2-of("me", "p") > true;'], [NAMED, "one principal away: p:2: also needs `p`"]),
        (
            ['POLICY > "me" && ("p" || "q" || nobody) > true;'],
            [NAMED, "one principal away: p:2: also needs `p` or `q`"],
        ),
        (
            ['POLICY > 2-of("me", "p", nobody) > true;'],
            [NAMED, "one principal away: p:2: has 1 of 2, also needs `p`"],
        ),
        (
            ['POLICY > "me" && nobody > nobody != "me";'],
            ["p:2: also needs whom `nobody` names, which is empty"],
        ),
        (
            ['POLICY > "me" && ("p" || "q" || "r") > true;'],
            ["one principal away: p:2: also needs `p`, `q` or `r`"],
        ),
    ],
)
def test_who_is_lacking(assertions: list[str], reasons: list[str]) -> None:
    assert told(ask(policy(*assertions), "me")) == reasons


@pytest.mark.parametrize(
    ("conditions", "action", "reason"),
    [
        (
            '@life / 60 <= 60 && @life / 60 > 10 && life < "9";',
            {"life": "9000"},
            "one attribute away: p:3: `@life / 60 <= 60` does not hold (life is `9000`) (life `3600` would do)",
        ),
        (
            '@a - 2 > 9 && a < "9";',
            {"a": "x"},
            "one attribute away: p:3: `@a - 2 > 9` does not hold (a is `x`)",
        ),
        (
            '7 - @a * 2 == 1 && a != "3";',
            {"a": "x"},
            "perhaps one attribute away: p:3: `7 - @a * 2 == 1` does not hold (a is `x`)",
        ),
        (
            "-(@a + 3) == -8 && 100 / @a == 20;",
            {"a": "1"},
            "one attribute away: p:3: `-(@a + 3) == -8` does not hold (a is `1`)",
        ),
    ],
)
def test_tests_that_compute_with_one_attribute_want_one_change(
    conditions: str, action: dict[str, str], reason: str
) -> None:
    assert told(ask(policy(f'POLICY > "me" > {conditions}'), "me", **action)) == [reason]
