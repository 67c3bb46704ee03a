# SPDX-License-Identifier: ISC
from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path

import pytest

from keynote import Session, Unknown, parse_policy
from keynote.coverage import Coverage

POLICY = """Authorizer: "POLICY"
Licensees: "CA" || "Partner"
Conditions: app == "ipsec" -> { enc == "aes"; enc == "3des" -> "maybe"; };
    app == "mail";

Authorizer: "CA"
Licensees: 2-of("gw", "admin", "backup")

Authorizer: "CA"
Licensees: "gw"
Conditions: time > "5";
"""


def covered(
    text: str, *queries: tuple[Mapping[str, str], Sequence[str]], unknown: Unknown | frozenset[str] = frozenset()
) -> dict[str, tuple[int, int]]:
    coverage = Coverage()
    session = Session(parse_policy(text, name="p.kn"))
    coverage.watch(session, Path("folder"))
    for action, authorizers in queries:
        coverage.count(session.query(action, authorizers, ("no", "maybe", "yes"), unknown), Path("folder"))
    return {f"{count.where} {count.text}": (count.evaluated, count.held) for count in coverage.clauses}


def test_every_clause_is_counted_by_its_place() -> None:
    counts = covered(POLICY, ({"app": "ipsec", "enc": "3des", "time": "6"}, ["gw"]))
    assert counts == {
        'folder/p.kn:3:13 app == "ipsec" -> { … }': (1, 1),
        'folder/p.kn:3:33 enc == "aes";': (1, 0),
        'folder/p.kn:3:47 enc == "3des" -> "maybe";': (1, 1),
        'folder/p.kn:4:5 app == "mail";': (1, 0),
        "folder/p.kn:6:13 (no conditions)": (0, 0),
        'folder/p.kn:11:13 time > "5";': (1, 1),
    }


def test_nested_clauses_are_evaluated_where_the_test_around_them_holds() -> None:
    counts = covered(POLICY, ({"app": "mail"}, ["CA"]), ({"app": "mail"}, ["Partner"]))
    assert [counts[key] for key in sorted(counts) if ":3:" in key or ":4:" in key] == [(2, 0), (0, 0), (0, 0), (2, 2)]


def test_above_an_assertion_whose_conditions_fail_nothing_is_evaluated() -> None:
    counts = covered(POLICY, ({"app": "mail", "time": "1"}, ["gw"]))
    assert counts.pop('folder/p.kn:11:13 time > "5";') == (1, 0)
    assert set(counts.values()) == {(0, 0)}


def test_a_threshold_that_is_short_evaluates_nothing() -> None:
    none = covered(POLICY, ({}, ["admin"]))
    assert set(none.values()) == {(0, 0)}
    both = covered(POLICY, ({}, ["admin", "backup"]))
    assert both["folder/p.kn:6:13 (no conditions)"] == (1, 1)
    assert both['folder/p.kn:3:13 app == "ipsec" -> { … }'] == (1, 0)


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_the_order_of_assertions_and_what_the_evaluator_may_leave_out_do_not_matter(order: Sequence[int]) -> None:
    assertions = [
        'Authorizer: "POLICY"\nLicensees: "K"\nConditions: true; a == "b";\n',
        'Authorizer: "POLICY"\nLicensees: "L"\nConditions: c == "d";\n',
        'Authorizer: "L"\nLicensees: "K"\nConditions: e == "f";\n',
        'Authorizer: "M"\nLicensees: "K"\nConditions: g == "h";\n',
    ]
    counts = covered("\n".join(assertions[number] for number in order), ({"e": "f"}, ["K"]))
    by_text = {key.partition(" ")[2]: value for key, value in counts.items()}
    assert by_text == {
        "true;": (1, 1),
        'a == "b";': (1, 0),
        'c == "d";': (1, 0),
        'e == "f";': (1, 1),
        'g == "h";': (1, 0),
    }


def test_what_depends_on_unknown_attributes_is_evaluated_and_not_true() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: a == "1" -> { b == "2"; }; a == "1" || true;\n'
    counts = covered(text, ({"b": "2"}, ["K"]), unknown=frozenset({"a"}))
    assert list(counts.values()) == [(1, 0), (1, 0), (1, 1)]


def test_groups_of_a_match_belong_to_their_clause() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: "K"\n'
        'Conditions: id ~= "^(.*)@(.*)$" -> { _2 == "x"; _2 == "y"; }; _2 == "x"; other ~= "(z)" && _1 == "z";\n'
    )
    counts = covered(text, ({"id": "a@x"}, ["K"]), ({"id": "a@y", "other": "z"}, ["K"]))
    assert list(counts.values()) == [(2, 2), (2, 1), (2, 1), (2, 0), (2, 1)]


def test_a_run_time_error_is_no_truth() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: 1/@a == 1 || true; !(1/@a == 1); true;\n'
    counts = covered(text, ({"a": "0"}, ["K"]), ({"a": "1"}, ["K"]))
    assert list(counts.values()) == [(2, 1), (2, 0), (2, 2)]


def test_principals_that_depend_on_the_action() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: $who || "none"\nConditions: a == "b";\n'
    assert list(covered(text).values()) == [(0, 0)]
    assert list(covered(text, ({"who": "boss", "boss": "K", "a": "b"}, ["K"])).values()) == [(1, 1)]


def test_cycles_end() -> None:
    text = (
        'Authorizer: "A"\nLicensees: "B"\n\nAuthorizer: "B"\nLicensees: "A" || "K"\n\n'
        'Authorizer: "POLICY"\nLicensees: "A"\n'
    )
    assert list(covered(text, ({}, ["K"])).values()) == [(1, 1)] * 3


def test_percentages_and_lists() -> None:
    coverage = Coverage()
    assert coverage.true_percentage == coverage.evaluated_percentage == 100.0
    session = Session(parse_policy(POLICY, name="p.kn"))
    coverage.watch(session, Path())
    coverage.watch(session, Path())
    assert len(coverage.clauses) == 6
    assert coverage.true_percentage == coverage.evaluated_percentage == 0.0
    coverage.count(session.query({"app": "mail"}, ["CA"]), Path())
    assert coverage.evaluated_percentage == pytest.approx(100 / 3)
    assert coverage.true_percentage == pytest.approx(100 / 6)
    assert [str(count.where) for count in coverage.never_true] == ["p.kn:3:13"]
    assert len(coverage.never_evaluated) == 4


def test_a_file_that_two_tables_share_is_one() -> None:
    coverage = Coverage()
    for folder, name in ((Path("a"), "../shared.kn"), (Path("b"), "../shared.kn")):
        coverage.watch(Session(parse_policy(POLICY, name=name)), folder)
    assert {count.where.file for count in coverage.clauses} == {"shared.kn"}
    assert len(coverage.clauses) == 6
