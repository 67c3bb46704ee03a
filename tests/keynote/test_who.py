# SPDX-License-Identifier: ISC
import itertools
import json
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import keynote
from keynote import Session, parse_policy
from keynote.compiler import compile_program
from keynote.conditions import conditions_value
from keynote.descent import END, SETS, WAYS
from keynote.environment import Unknown, environment
from keynote.grammar import conditions
from keynote.who import Candidate, Candidates, Ends, who
from tests.keynote import reference
from tests.keynote.commands import run_for_lines as run
from tests.keynote.test_residuals import RANKS

POLICY = """Authorizer: "POLICY"
Licensees: "CA"
Conditions: app == "ipsec" -> { enc == "aes"; enc == "3des" && net >= "010.001"; };

Authorizer: "CA"
Licensees: "gw1" || "gw2"
Conditions: app == "ipsec" && time < "2027";

Authorizer: "CA"
Licensees: "admin" && 2-of("one", "two", "three")

Authorizer: "nobody"
Licensees: "gw3"
"""


def asked(
    text: str, at_least: str | None = None, values: tuple[str, ...] = ("false", "true"), **known: str
) -> Candidates:
    return who(Session(parse_policy(text, name="p.kn")), known, values, at_least)


def told(found: Candidates) -> dict[str, list[str]]:
    return {" and ".join(it.principals): [" && ".join(way.conditions) for way in it.ways] for it in found}


def test_principals_sets_and_what_remains() -> None:
    aes = 'enc == "aes" || enc == "3des" && net >= "010.001"'
    first = f'app == "ipsec" && ({aes})'
    assert told(asked(POLICY)) == {
        "CA": [first],
        "gw1": [f'{first} && time < "2027"'],
        "gw2": [f'{first} && time < "2027"'],
        "admin and one and two": [first],
        "admin and one and three": [first],
        "admin and three and two": [first],
    }


def test_known_attributes_are_folded_away() -> None:
    found = asked(POLICY, app="ipsec", enc="aes")
    assert told(found)["gw1"] == ['time < "2027"']
    assert told(found)["CA"] == [""]
    values = {it.principals: it.value for it in found}
    assert (values[("CA",)], values[("gw1",)]) == ("true", "false..true")
    assert len(asked(POLICY, app="mail")) == 0
    assert told(asked(POLICY, app="ipsec", enc="3des", time="2028"))["CA"] == ['net >= "010.001"']
    assert "gw1" not in told(asked(POLICY, time="2028"))


def test_the_ways_are_told_by_their_assertions() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: "A" || "B"\nConditions: x == "1";\n\n'
        'Authorizer: "A"\nLicensees: "K"\nConditions: y == "1";\n\n'
        'Authorizer: "B"\nLicensees: "K"\nConditions: z == "1";\n'
    )
    (k,) = (it for it in asked(text) if it.principals == ("K",))
    assert [[where.line for where in way.assertions] for way in k.ways] == [[1, 5], [1, 9]]
    assert [way.conditions for way in k.ways] == [('x == "1"', 'y == "1"'), ('x == "1"', 'z == "1"')]


def test_a_way_that_asks_for_more_than_another_is_left_out() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: x == "1" && y == "1";\n\n'
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: y == "1";\n\n'
        'Authorizer: "A"\nLicensees: "B"\nConditions: x == "1";\n\n'
        'Authorizer: "POLICY"\nLicensees: "B"\nConditions: x == "1";\n'
    )
    assert told(asked(text)) == {"A": ['y == "1"'], "B": ['x == "1"']}


def test_minimal_sets() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: "A" && "B"\nConditions: x == "1";\n\n'
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: x == "1";\n'
    )
    assert told(asked(text)) == {"A": ['x == "1"']}
    weaker = text.replace('"A" && "B"\nConditions: x == "1";', '"A" && "B"')
    assert told(asked(weaker)) == {"A and B": [""], "A": ['x == "1"']}


def test_an_assertion_without_licensees_lets_anybody_in() -> None:
    (anybody,) = asked('Authorizer: "POLICY"\nConditions: x == "1";\n')
    assert (anybody.principals, anybody.value) == (("anybody",), "false..true")
    text = 'Authorizer: "POLICY"\nLicensees: "CA" || "anybody"\nConditions: x == "1";\n\nAuthorizer: "CA"\n'
    assert told(asked(text)) == {"anybody": ['x == "1"']}
    text = 'Authorizer: "POLICY"\nLicensees: "anybody"\n\nAuthorizer: "POLICY"\nConditions: x == "1";\n'
    assert [(it.principals, it.value) for it in asked(text)] == [
        (("anybody",), "true"),
        (("anybody",), "false..true"),
    ]


def test_who_requests_is_unknown_too() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: _ACTION_AUTHORIZERS == "K";\n'
    (k,) = asked(text)
    assert (k.value, k.ways[0].conditions) == ("true", ('_ACTION_AUTHORIZERS == "K"',))


def test_principals_that_depend_on_unknown_attributes() -> None:
    found = asked('Authorizer: "POLICY"\nLicensees: $boss\nConditions: x == "1";\n')
    assert told(found) == {"(unknown)": ['x == "1"']}
    assert [it.value for it in found] == ["false..true"]
    assert [way.depends.first for it in found for way in it.ways] == [("$boss",)]
    assert told(asked('Authorizer: "POLICY"\nLicensees: boss\n', boss="K")) == {"K": [""]}
    assert told(asked('Authorizer: issuer\nLicensees: "K"\n')) == {"K": [""]}


def test_values() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: a == "1" -> "low"; b == "1" -> "high"; true -> c;\n'
    values = ("no", "low", "high")
    (k,) = asked(text, values=values, c="")
    assert (k.value, k.ways[0].conditions) == ("no..high", ('(a == "1" || b == "1")',))
    (k,) = asked(text, "high", values, c="")
    assert k.ways[0].conditions == ('b == "1"',)
    assert len(asked(text, "high", values, b="", c="")) == 0
    for wrong in ("no", "none"):
        with pytest.raises(keynote.QueryError, match="above the lowest"):
            asked(text, wrong, values)


def test_passphrases_are_hidden() -> None:
    text = 'Authorizer: "POLICY"\nLicensees: "passphrase:hush"\nConditions: x == "passphrase:hush";\n'
    found = asked(text)
    assert "hush" not in repr(found)
    assert [it.principals for it in found] == [("passphrase:(hidden)",)]


def test_cycles_end() -> None:
    text = "\n".join(
        f'Authorizer: "{by}"\nLicensees: "{to}"\nConditions: {by} == "1";\n'
        for by, to in (("POLICY", "A"), ("A", "B"), ("B", "C"), ("C", "A"), ("C", "B"))
    )
    assert list(told(asked(text))) == ["A", "B", "C"]


def chain(count: int, conditions: str = "") -> str:
    names = ["POLICY", *(f"K{number}" for number in range(count))]
    return "\n".join(
        f'Authorizer: "{by}"\nLicensees: "{to}"\n{conditions.replace("#", str(number))}'
        for number, (by, to) in enumerate(itertools.pairwise(names))
    )


def test_many_licensees() -> None:
    many = " || ".join(f'"K{number}"' for number in range(3000))
    assert len(asked(f'Authorizer: "POLICY"\nLicensees: {many}\n')) == 3000


@pytest.mark.parametrize(
    "conditions",
    ["", 'Conditions: life != "#";\n', 'Conditions: a# == "x";\n', 'Conditions: n < "1#" || n > "2#";\n'],
    ids=["none", "of one attribute", "each of its own attribute", "alternatives"],
)
def test_a_long_chain_costs_its_length(conditions: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted are the queries: each would walk its whole way. What else there is to do is done once for each step."""
    count = 1_000
    session = Session(parse_policy(chain(count, conditions), name="p.kn"))
    query, queries = Session.query, itertools.count()
    monkeypatch.setattr(Session, "query", lambda *args: (next(queries), query(*args))[1])
    found = who(session, {})
    assert len(found) == count
    assert next(queries) == 1
    last = found.found[-1]
    (way,) = last.ways
    assert (last.principals, way.last.length) == ((f"K{count - 1}",), count)
    assert way.shown_assertions.first == way.assertions[:END]
    assert way.shown_assertions.last == way.assertions[-END:]
    assert way.shown_assertions.left_out == count - 2 * END
    if conditions:
        assert len(way.conditions) == count
        assert (way.shown_conditions.first, way.shown_conditions.last) == (
            way.conditions[:END],
            way.conditions[-END:],
        )
        assert last.value == "false..true"
    else:
        assert way.shown_conditions == Ends(())
        assert last.value == "true"


def test_what_a_way_shows_is_all_of_a_short_one() -> None:
    for count in range(1, 2 * END + 3):
        (*_, last) = asked(chain(count, 'Conditions: a# == "x";\n'))
        (way,) = last.ways
        for shown, everything in (
            (way.shown_conditions, way.conditions),
            (way.shown_assertions, way.assertions),
        ):
            assert len(everything) == count
            assert shown.left_out == max(0, count - 2 * END)
            assert (*shown.first, *everything[END : END + shown.left_out], *shown.last) == everything


def test_too_many_combinations_are_cut_and_told() -> None:
    members = ", ".join(f'"K{number}"' for number in range(30))
    found = asked(f'Authorizer: "POLICY"\nLicensees: 15-of({members})\n')
    assert found.cut
    assert 0 < len(found) <= SETS
    below = "".join(f'\nAuthorizer: "K{n}"\nLicensees: "L{n}" || "M{n}"\n' for n in range(12))
    all_of = " && ".join(f'"K{number}"' for number in range(12))
    found = asked(f'Authorizer: "POLICY"\nLicensees: {all_of}\n{below}')
    assert found.cut
    assert len(found) <= SETS


def test_many_ways_are_told_to_be_more() -> None:
    ways = "\n".join(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: a{n} == "1";\n' for n in range(WAYS + 1))
    (k,) = asked(ways)
    assert (len(k.ways), k.more_ways) == (WAYS, True)


@pytest.mark.parametrize(
    ("text", "conditions", "line"),
    [
        # nothing is lost to a run-time error in a test that stands last
        ('b == "x"; 4 / @a == 2;', ('(b == "x" || 4 / @a == 2)',), 'if (b == "x" || 4 / @a == 2)'),
        ('4 / @a == 2; b == "x";', ('{ 4 / @a == 2; b == "x"; }',), 'if 4 / @a == 2; b == "x";'),
        (
            'c == "1" -> { 4 / @a == 2; b == "x"; } ; d == "2";',
            ('{ c == "1" -> { 4 / @a == 2; b == "x"; }; d == "2"; }',),
            'if c == "1" -> { 4 / @a == 2; b == "x"; }; d == "2";',
        ),
    ],
)
def test_alternatives_hold_where_they_are_written(
    text: str, conditions: tuple[str, ...], line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {text}\n'
    (k,) = asked(policy)
    assert k.ways[0].conditions == conditions
    (folder / "clauses.kn").write_text(policy)
    assert run("who clauses.kn", capsys)[1][1] == f"  {line}  (clauses.kn:1)"


def test_clauses_of_several_assertions_are_told_apart(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clauses = '4 / @a == 2; b == "x";'
    text = f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {clauses}\n\n'
    text += f'Authorizer: "K"\nLicensees: "L"\nConditions: c == "1" -> {{ {clauses.replace("a", "d")} }};\n'
    (folder / "clauses.kn").write_text(text)
    assert run("who clauses.kn", capsys)[1][3].startswith(
        '  if c == "1" -> { 4 / @a == 2; b == "x"; } and also { 4 / @d == 2; b == "x"; }  ('
    )


def possible(candidate: Candidate, way: int, facts: dict[str, str]) -> bool:
    texts = candidate.ways[way].conditions
    if not texts:
        return True
    # As they would be written into an assertion: tests together, and what has braces behind an arrow.
    tests = [text for text in texts if not text.startswith("{")]
    written = [" && ".join(tests) or "true", *(f"true -> {text}" for text in texts if text.startswith("{"))]
    return all(
        conditions_value(compile_program(conditions(f"{text};"), {}), environment(facts, ["K"], RANKS), RANKS)
        for text in written
    )


@settings(max_examples=200)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, st.sets(reference.NAMES, min_size=1, max_size=2))
def test_it_lists_just_those_who_get_in(
    assertions: list[reference.Assertion], attributes: dict[str, str], unknown: set[str]
) -> None:
    """For every set of requesters and every completion: by the list, and by the reference."""
    text = "\n".join(map(reference.assertion_text, assertions))
    assume(not re.search(r"_[0-9]", text))
    known = {name: attributes.get(name, "") for name in {"a", "b", "c"} - unknown}
    found = who(Session(parse_policy(text, name="p.kn")), known, reference.VALUES)
    assert not found.cut
    for texts in itertools.product(["", "x", "2"], repeat=len(unknown)):
        facts = {**known, **dict(zip(sorted(unknown), texts, strict=True))}
        listed = {
            frozenset(it.principals) - {"anybody"}
            for it in found
            if any(possible(it, way, facts) for way in range(len(it.ways)))
        }
        for size in (1, 2):
            for requesters in itertools.combinations("ABCDE", size):
                gets_in = reference.query(assertions, facts, list(requesters)) > 0
                if any(it.more_ways for it in found):
                    continue
                assert any(names <= set(requesters) for names in listed) == gets_in, (facts, requesters)


@settings(max_examples=200)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, st.sets(reference.NAMES, min_size=1, max_size=2))
def test_each_value_is_that_of_a_query(
    assertions: list[reference.Assertion], attributes: dict[str, str], unknown: set[str]
) -> None:
    session = Session(parse_policy("\n".join(map(reference.assertion_text, assertions)), name="p.kn"))
    known = {name: attributes.get(name, "") for name in {"a", "b", "c"} - unknown}
    for it in who(session, known, reference.VALUES):
        asked = session.query(known, it.principals, reference.VALUES, Unknown.except_(()))
        assert (it.lowest, it.highest) == (asked.lowest, asked.highest), it


# -- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.kn").write_text(POLICY)
    (tmp_path / "action").write_text("app=ipsec\n")
    return tmp_path


@pytest.mark.usefixtures("folder")
class TestCommand:
    def test_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("who p.kn --action action -a enc=aes -a time=2028", capsys)
        assert status == 0
        assert lines == [
            "CA: true",
            "  without further conditions  (p.kn:1)",
            "admin and one and two: true",
            "  without further conditions  (p.kn:1 → p.kn:9)",
            "admin and one and three: true",
            "  without further conditions  (p.kn:1 → p.kn:9)",
            "admin and three and two: true",
            "  without further conditions  (p.kn:1 → p.kn:9)",
        ]

    def test_nobody(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("who p.kn -a app=mail", capsys) == (2, ["nobody"], "")

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("who p.kn -a app=ipsec -a enc=aes --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 0
        assert data["cut"] is False
        assert data["candidates"][1] == {
            "principals": ["gw1"],
            "lowest": "false",
            "highest": "true",
            "ways": [
                {
                    "conditions": ['time < "2027"'],
                    "conditions_left_out": 0,
                    "depends_on": [],
                    "more_depends_on": False,
                    "length": 2,
                    "step": 1,
                }
            ],
            "more_ways": False,
        }
        assert data["steps"][:2] == [
            {"after": None, "assertion": {"file": "p.kn", "line": 1, "column": 1}, "conditions": []},
            {"after": 0, "assertion": {"file": "p.kn", "line": 5, "column": 1}, "conditions": ['time < "2027"']},
        ]

    def test_a_long_way_is_shown_by_its_ends_and_told_by_its_steps(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "long.kn").write_text(chain(12, 'Conditions: a# == "x";\n'))
        _, lines, _ = run("who long.kn", capsys)
        conditions = " && ".join(f'a{number} == "x"' for number in range(5))
        assert lines[-1] == (
            f'  if {conditions} && … 2 more conditions … && a7 == "x" && a8 == "x" && a9 == "x" && a10 == "x" &&'
            ' a11 == "x"  (long.kn:1 → long.kn:5 → long.kn:9 → long.kn:13 → long.kn:17 → … 2 more …'
            " → long.kn:29 → long.kn:33 → long.kn:37 → long.kn:41 → long.kn:45)"
        )
        data = json.loads("\n".join(run("who long.kn --json", capsys)[1]))
        assert len(data["steps"]) == 12
        (way,) = data["candidates"][-1]["ways"]
        assert (way["conditions_left_out"], way["length"], way["step"]) == (2, 12, 11)
        texts, step = [], way["step"]
        while step is not None:
            texts += data["steps"][step]["conditions"]
            step = data["steps"][step]["after"]
        assert texts[::-1] == [f'a{number} == "x"' for number in range(12)]

    def test_an_unknown_licensee_beside_certain_ones(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "u.kn").write_text(
            'Authorizer: "POLICY"\nLicensees: "A" || boss\nConditions: x == "1";\n\n'
            'Authorizer: "POLICY"\nLicensees: "B" && boss && $deputy\n\n'
            'Authorizer: chief\nLicensees: "C"\nConditions: x == "1";\n'
        )
        assert run("who u.kn", capsys)[1] == [
            "A: false..true",
            '  if x == "1"  (u.kn:1)',
            "(unknown): false..true",
            '  if x == "1", depending on whom boss names  (u.kn:1)',
            "B and (unknown): false..true",
            "  depending on whom boss and $deputy name  (u.kn:5)",
            "C: false..true",
            '  if x == "1", depending on whom chief names  (u.kn:8)',
        ]
        data = json.loads("\n".join(run("who u.kn --json", capsys)[1]))
        assert [way["depends_on"] for it in data["candidates"] for way in it["ways"]] == [
            [],
            ["boss"],
            ["boss", "$deputy"],
            ["chief"],
        ]

    def test_a_table_on_a_terminal(
        self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "p.kn").write_text('Authorizer: "POLICY"\nLicensees: "[red]K"\nConditions: a ~= "[b]";\n')
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setenv("TERM", "dumb")
        _, lines, _ = run("who p.kn", capsys)
        assert any(re.search(r'\[red\]K +│ +false\.\.true +│ +a ~= "\[b\]" +│ +p\.kn:1', line) for line in lines)

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ("who", "no policy"),
            ("who none.kn", "none.kn: No such file"),
            ("who p.kn --at-least false", "--at-least `false` is not one of --values above the lowest"),
            ("who p.kn --values x", "--values `x`"),
            ("who p.kn -a _x=1", "underscore"),
        ],
    )
    def test_every_error_has_status_1(self, command: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run(command, capsys)
        assert (status, lines) == (1, [])
        assert error in message

    def test_credentials_that_are_set_aside_are_told(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "c.kn").write_text('Authorizer: "gw1"\nLicensees: "x"\n')
        status, lines, _ = run("who p.kn -c c.kn", capsys)
        assert status == 0
        assert lines[-1].startswith("set aside: c.kn:1:1: ")
        assert not any(line.startswith("x") for line in lines)


# -- contradictions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "possible"),
    [
        ('x == "1" && x == "1"', True),
        ('x == "1" && x == "2"', False),
        ('x == "1" && "2" == x', False),
        ('x == "1" && x != "1"', False),
        ('x != "1" && x != "2"', True),
        ('x == "b" && x >= "b" && x < "c"', True),
        ('x == "b" && x > "b"', False),
        ('x >= "b" && x <= "b"', True),
        ('x >= "b" && x < "b"', False),
        ('"b" < x && x <= "b"', False),
        ('x > "b" && x < "a"', False),
        ('x > "a" && x < "b"', True),
        ('x == "1" && y == "2"', True),
        ("@x > 3 && @x < 4", False),
        ("@x > 3 && @x < 5", True),
        ('x < ""', False),
        ('x == "1" && x ~= "2"', True),
        ('x == "1" || x == "2"', True),
    ],
)
def test_contradictions_of_one_attribute(conditions: str, possible: bool) -> None:
    assert bool(len(asked(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {conditions};\n'))) == possible


def test_contradictions_between_assertions_and_none_between_groups() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: "A"\nConditions: x == "1" && y ~= "(.)" && _1 == "a";\n\n'
        'Authorizer: "A"\nLicensees: "B"\nConditions: x == "2";\n\n'
        'Authorizer: "A"\nLicensees: "C"\nConditions: z ~= "(.)" && _1 == "b";\n'
    )
    assert list(told(asked(text))) == ["A", "C"]


@given(st.lists(st.tuples(st.sampled_from(["==", "!=", "<", ">", "<=", ">="]), st.sampled_from("bdf")), max_size=4))
def test_a_contradiction_is_one(constraints: list[tuple[str, str]]) -> None:
    test = " && ".join(f'x {comparison} "{text}"' for comparison, text in constraints) or "true"
    listed = bool(len(asked(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {test};\n')))
    values = ["", "a", "b", "c", "d", "e", "f", "g"]
    assert listed == any(all(reference.compare(value, *one) for one in constraints) for value in values)
