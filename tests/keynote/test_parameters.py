# SPDX-License-Identifier: ISC
import re
from pathlib import Path
from typing import Any

import pytest

from keynote import test as tables
from keynote.parameters import MAXIMUM, ParameterError, expanded

POLICY = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: enc == "aes" && (auth == "" || auth == "sha");\n'


def names(query: dict[str, Any]) -> list[str]:
    return [one["name"] for one in expanded(query)]


def test_without_parameters_a_query_stays_as_it_is() -> None:
    query = {"name": "n", "because": "{x}", "action": {"a": "b"}}
    assert list(expanded(query)) == [query]


def test_each_makes_every_combination_in_the_order_of_the_text() -> None:
    found = list(expanded({"name": "n", "action": {"c": "x"}, "each": {"a": ["1", "2"], "b": ["3", "4"]}}))
    assert [one["action"] for one in found] == [
        {"c": "x", "a": a, "b": b} for a, b in (("1", "3"), ("1", "4"), ("2", "3"), ("2", "4"))
    ]
    assert [one["name"] for one in found] == [f"n [a={a}, b={b}]" for a, b in ("13", "14", "23", "24")]
    assert all("each" not in one for one in found)


def test_placeholders() -> None:
    query = {"name": "{a} is refused", "each": {"a": ["x"], "b": ["y"]}, "because": ["a is `{a}`", "{2} {c} {}"]}
    (one,) = expanded(query)
    assert one["name"] == "x is refused [b=y]"
    assert one["because"] == ["a is `x`", "{2} {c} {}"]
    (one,) = expanded({"name": "{a}{b}", "each": {"a": ["{b}"], "b": ["y"]}, "because": "{a}"})
    assert (one["name"], one["because"]) == ("{b}y", "{b}")


def test_cases_say_what_differs() -> None:
    query = {
        "name": "n",
        "expect": "true",
        "action": {"a": "1", "b": "2"},
        "cases": [
            {"action": {"b": "3"}},
            {"name": "own", "expect": "false", "because": "no"},
            {"each": {"c": ["4", "5"]}},
        ],
    }
    assert list(expanded(query)) == [
        {"name": "n: b=3", "expect": "true", "action": {"a": "1", "b": "3"}},
        {"name": "n: own", "expect": "false", "because": "no", "action": {"a": "1", "b": "2"}},
        {"name": "n: case 3 [c=4]", "expect": "true", "action": {"a": "1", "b": "2", "c": "4"}},
        {"name": "n: case 3 [c=5]", "expect": "true", "action": {"a": "1", "b": "2", "c": "5"}},
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"each": {}}, "`each` names no attribute"),
        ({"each": []}, "`each` must be a table"),
        ({"each": {"a": []}}, "`each.a` must be a list of one or more strings"),
        ({"each": {"a": "x"}}, "`each.a` must be a list of one or more strings"),
        ({"each": {"a": [1]}}, "`each.a` must be a list of one or more strings"),
        ({"each": {"a": ["x"]}, "action": {"a": "y"}}, "`a` is both in `each` and in `action`"),
        ({"each": {f"a{n}": ["x"] * 100 for n in range(3)}}, f"more than {MAXIMUM} queries"),
        ({"action": 5, "each": {"a": ["x"]}}, "`action` must be a table"),
        ({"cases": []}, "`cases` must be a list of one or more tables"),
        ({"cases": [5]}, "`cases` must be a list of one or more tables"),
        ({"cases": [{"cases": [{}]}]}, "`cases` within `cases`"),
    ],
)
def test_parameters_that_are_none(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=re.escape(message)):
        list(expanded({"name": "n", **more}))


def test_in_a_table(tmp_path: Path) -> None:
    (tmp_path / "policy.kn").write_text(POLICY)
    path = tmp_path / "queries.toml"
    path.write_text(
        """
        [defaults]
        authorizers = "K"
        action = { auth = "md5" }

        [[query]]
        name = "{enc} is refused"
        each = { enc = ["null", "dés"] }
        expect = "false"
        because = "enc is `{enc}`, needs `aes`"

        [[query]]
        name = "authentication"
        action = { enc = "aes" }
        expect = "true"
        cases = [
            { action = { auth = "" } },
            { action = { auth = "sha" } },
            { name = "the default", expect = "false" },
            { name = "unknown", unknown = ["auth"], expect = "false..true" },
        ]
        """
    )
    results = [tables.run(query) for query in tables.queries(path)]
    assert [result.problem for result in results] == [""] * 6
    assert [result.name.partition(": ")[2] for result in results] == [
        "null is refused",
        "dés is refused",
        "authentication: auth=",
        "authentication: auth=sha",
        "authentication: the default",
        "authentication: unknown",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('each = { enc = "aes" }', r"queries\.toml: query 1: `each\.enc` must be a list"),
        ("cases = [{ expects = 'x' }]", r"queries\.toml: query 1: unknown key `expects`"),
        ("cases = [{ name = 5 }]", r"queries\.toml: query 1: `name` must be a string"),
    ],
)
def test_mistakes_have_their_place(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "queries.toml"
    path.write_text(f'[[query]]\nname = "n"\nexpect = "x"\n{text}\n')
    with pytest.raises(tables.TableError, match=message):
        list(tables.queries(path))
