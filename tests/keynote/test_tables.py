# SPDX-License-Identifier: ISC
import json
from pathlib import Path

import pytest

from keynote import test as tables
from tests.keynote.key_pairs import principal

POLICIES = Path(__file__).parent.parent.parent / "policies"
POLICY = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: a == "b" && c != "d";\n'


def results(path: Path) -> list[tuple[str, bool]]:
    return [(result.name, result.passed) for result in map(tables.run, tables.queries(path))]


def table(folder: Path, text: str, policy: str = POLICY) -> Path:
    (folder / "policy.kn").write_text(policy)
    (folder / "queries.toml").write_text(text)
    return folder / "queries.toml"


@pytest.mark.parametrize("query", list(tables.queries(POLICIES)), ids=lambda query: query.name)
def test_policies(query: tables.Query) -> None:
    assert tables.run(query).problem == ""


def test_every_policy_has_denials_with_their_reasons() -> None:
    for folder in POLICIES.iterdir():
        if folder.is_dir():
            denials = [q for q in tables.queries(folder) if q.expect == "false" and q.because]
            assert len(denials) >= 3, folder


def test_defaults_and_their_overrides(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        """
        [defaults]
        authorizers = "K"
        values = ["no", "yes"]
        [defaults.action]
        a = "b"

        [[query]]
        name = "defaults"
        expect = "yes"

        [[query]]
        name = "action on top"
        action = { c = "d" }
        expect = "no"
        because = ["must not be `d`", "policy.kn:3"]

        [[query]]
        name = "authorizers and values instead"
        authorizers = ["L"]
        values = ["f", "t"]
        expect = "f"

        [[query]]
        name = "unknown takes defaults away"
        unknown = ["a"]
        expect = "no..yes"

        [[query]]
        name = "so does its opposite"
        unknown_except = ["c"]
        expect = "no..yes"

        [[query]]
        name = "but not the query's own"
        unknown_except = ["c"]
        action = { a = "x" }
        expect = "no"

        [[query]]
        name = "an error"
        authorizers = []
        expect = { error = "" }
        """,
    )
    assert all(passed for _, passed in results(path))
    assert results(tmp_path)[0] == (f"{tmp_path.name}: defaults", True)


def test_what_defaults_call_unknown_a_query_may_give(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        """
        [defaults]
        authorizers = "K"
        unknown = ["a", "c"]

        [[query]]
        name = "both unknown"
        expect = "false..true"

        [[query]]
        name = "one given"
        action = { a = "x" }
        expect = "false"

        [[query]]
        name = "given and unknown"
        unknown = ["a"]
        action = { a = "b" }
        expect = { error = "" }
        """,
    )
    assert all(passed for _, passed in results(path))


def test_failures(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        """
        [[query]]
        name = "wrong value"
        authorizers = "K"
        expect = "true"
        [[query]]
        name = "wrong reason"
        authorizers = "K"
        expect = "false"
        because = "c is"
        [[query]]
        name = "an error that is not expected"
        authorizers = []
        expect = "false"
        [[query]]
        name = "no error where one is expected"
        authorizers = "K"
        expect = { error = "NOTFOUND" }
        """,
    )
    found = list(map(tables.run, tables.queries(path)))
    assert [result.passed for result in found] == [False] * 4
    assert found[0].problem == "expected true, got false: policy.kn:3: a is empty, needs `b`"
    assert found[1].problem == "false as expected, but because `policy.kn:3: a is empty, needs `b``, not `c is`"
    assert found[2].problem.startswith("expected false, got an error: nobody requests")
    assert found[3].problem == "expected an error, got false: policy.kn:3: a is empty, needs `b`"


def test_text_is_utf_8_on_both_sides(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        '[[query]]\nname="ü"\nauthorizers="Zoë"\nexpect="ja"\nvalues=["nein","ja"]\nbecause="POLICY → Zoë"\n',
        'Authorizer: "POLICY"\nLicensees: "Zoë"\n',
    )
    assert results(path) == [(f"{tmp_path.name}: ü", True)]


def test_other_files(tmp_path: Path) -> None:
    path = table(
        tmp_path,
        'policies = ["policy.kn", "more.kn"]\ncredentials = "c.kn"\n'
        '[[query]]\nname="1"\nauthorizers="L"\naction={a="b"}\nexpect="true"\n'
        '[[query]]\nname="2"\nauthorizers="M"\naction={a="b"}\nexpect="false"\nbecause="set aside"\n',
    )
    key = principal("ed25519")
    (tmp_path / "more.kn").write_text(f'Authorizer: "K"\nLicensees: "L" || "{key}"\n')
    (tmp_path / "c.kn").write_text(f'Authorizer: "{key}"\nLicensees: "M"\n\nAuthorizer: (\n')
    assert [passed for _, passed in results(path)] == [True, True]


def test_a_policy_that_cannot_be_loaded_fails_its_queries(tmp_path: Path) -> None:
    path = table(tmp_path, '[[query]]\nname="1"\nauthorizers="K"\nexpect="true"\n', "Authorizer: ((\n")
    (result,) = map(tables.run, tables.queries(path))
    assert result.problem == "expected true, got an error: policy.kn:1:14: Authorizer ends too early"
    (tmp_path / "policy.kn").unlink()
    (result,) = map(tables.run, tables.queries(path))
    assert "No such file" in result.problem


@pytest.mark.parametrize(
    "text",
    [
        "query = 5",
        "[[query]]",
        '[[query]]\nname="x"',
        '[[query]]\nname=5\nexpect="x"',
        '[[query]]\nname="x"\nexpect=true',
        '[[query]]\nname="x"\nexpect={error="", more=""}',
        '[[query]]\nname="x"\nexpect="x"\nexpects="y"',
        '[[query]]\nname="x"\nexpect="x"\nauthorizers=[5]',
        '[[query]]\nname="x"\nexpect="x"\naction={a=5}',
        "[defaults]\nname='x'",
        "defaults = 5",
        "polices = []",
        "not toml",
        "\xff",
    ],
)
def test_tables_that_are_none(tmp_path: Path, text: str) -> None:
    path = table(tmp_path, "")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(tables.TableError, match=r"queries\.toml"):
        list(tables.queries(path))


@pytest.mark.parametrize("line", ["{", "5", "{}", '{"id": 1}', '{"id": "a", "expect": "x", "policies": {}}'])
def test_collections_that_are_none(tmp_path: Path, line: str) -> None:
    path = tmp_path / "c.jsonl"
    path.write_text("\n" + line + "\n")
    with pytest.raises(tables.TableError, match=r"c\.jsonl:2"):
        list(tables.queries(path))


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(tables.TableError, match=r"no queries\.toml"):
        list(tables.queries(tmp_path))
    with pytest.raises(tables.TableError, match="neither"):
        list(tables.queries(tmp_path / "x.yaml"))
    case = {"id": "one", "policies": [POLICY], "action": {"a": "b"}, "authorizers": ["K"], "expect": "true"}
    (tmp_path / "a.jsonl").write_text(json.dumps(case) + "\n")
    (tmp_path / "sub").mkdir()
    table(tmp_path / "sub", '[[query]]\nname="two"\nauthorizers="L"\nexpect="false"\n')
    assert results(tmp_path) == [("one", True), ("sub: two", True)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[[query]\n", "queries.toml:1:8: not TOML from here on"),
        (b'a = "\xff"\n', "queries.toml: not TOML: no UTF-8"),
        (b"a = " + b"[" * 100_000, "queries.toml: not TOML: nested too deeply"),
        (b"a = [", "queries.toml: not TOML: it ends too early"),
    ],
)
def test_a_table_that_is_no_toml_is_told_in_our_words(text: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "queries.toml").write_bytes(text)
    with pytest.raises(tables.TableError) as caught:
        list(tables.queries(tmp_path / "queries.toml"))
    assert str(caught.value).removeprefix(f"{tmp_path}/") == message
