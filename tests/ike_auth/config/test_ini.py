# SPDX-License-Identifier: ISC
"""isakmpd's syntax, line by line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.config.errors import Problems
from ike_auth.config.ini import Entry, Section, items, parse
from ike_auth.config.model import Location


def read(text: str) -> tuple[dict[str, Section], list[str], list[str]]:
    problems = Problems()
    sections = parse(text, "f", problems)
    return sections, list(map(str, problems.errors)), list(map(str, problems.warnings))


def values(text: str) -> dict[str, dict[str, str]]:
    """Section → tag → value of a text about which there is nothing to say."""
    sections, errors, warnings = read(text)
    assert (errors, warnings) == ([], [])
    return {s.name: {e.tag: e.value for e in s.entries.values()} for s in sections.values()}


def test_sections_and_tags() -> None:
    text = "[Phase 1]\n10.0.0.1=\t peer-a \t\n\n[ peer-a ]\nPhase=1\nFlags=\n"
    assert values(text) == {"Phase 1": {"10.0.0.1": "peer-a"}, "peer-a": {"Phase": "1", "Flags": ""}}


def test_locations_count_lines_of_the_file() -> None:
    sections, _, _ = read("# one\n[a]\n\nx= 1\n")
    assert sections["a"].where == Location("f", 2)
    assert sections["a"].entries["x"].where == Location("f", 4)
    assert str(Location("f", 4)) == "f:4"


def test_names_compare_without_case() -> None:
    sections, _, warnings = read("[Phase 1]\nTag= 1\n[PHASE 1]\nTAG= 2\n")
    assert list(sections) == ["phase 1"]
    assert sections["phase 1"].name == "Phase 1"
    assert warnings == ["f:4: tag `TAG` is ignored: it has its value from line 2"]


def test_a_section_goes_on_further_down() -> None:
    assert values("[a]\nx= 1\n[b]\ny= 2\n[A]\nz= 3\n") == {"a": {"x": "1", "z": "3"}, "b": {"y": "2"}}


def test_first_assignment_stands() -> None:
    sections, errors, warnings = read("[a]\nx= 1\nx= 2\n")
    assert sections["a"].entries["x"].value == "1"
    assert (errors, warnings) == ([], ["f:3: tag `x` is ignored: it has its value from line 2"])


def test_backslash_joins_lines() -> None:
    assert values("[a]\nlist= one,\\\n   two,\\\n   three\nx= 1\n") == {
        "a": {"list": "one,     two,     three", "x": "1"}
    }
    sections, _, _ = read("[a]\nlist= one,\\\n two\nx= 1\n")
    assert sections["a"].entries["list"].where == Location("f", 2)
    assert sections["a"].entries["x"].where == Location("f", 4)


def test_comments_have_lines_of_their_own() -> None:
    assert values("# [no]\n; x= 1\n[a]\n  # indented\nx= 1;2\n") == {"a": {"x": "1;2"}}


@pytest.mark.parametrize("value", ["three # comment", "#three", "a\t#b"])
def test_hash_in_a_value_belongs_to_it_and_is_warned_of(value: str) -> None:
    sections, errors, warnings = read(f"[a]\nkey= {value}\n")
    assert sections["a"].entries["key"].value == value
    assert (errors, warnings) == (
        [],
        ["f:2: `#` in the value of `key` is part of it (comments have lines of their own)"],
    )


def test_hash_inside_a_word_is_nothing_special() -> None:
    assert values("[a]\nkey= corr#ct\n") == {"a": {"key": "corr#ct"}}


def test_comment_that_swallows_a_line_is_warned_of() -> None:
    sections, errors, warnings = read("[a]\n# old \\\nx= 1\ny= 2\n")
    assert list(sections["a"].entries) == ["y"]
    assert (errors, warnings) == ([], ["f:2: the backslash at its end makes the next line part of this comment"])


@pytest.mark.parametrize("end", ["", "\\"])
def test_last_line_needs_no_newline(end: str) -> None:
    assert values(f"[a]\nx= 1{end}") == {"a": {"x": "1"}}


def test_windows_line_ends() -> None:
    assert values("[a]\r\nx= 1,\\\r\n2\r\n") == {"a": {"x": "1,  2"}}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x= 1\n", "f:1: tag `x` stands before any `[section]`"),
        ("[a\nx= 1\n", "f:1: `[` without `]`"),
        ("[]\nx= 1\n", "f:1: section without a name"),
        ("[a] x= 1\n", "f:1: text after `[a]` (an assignment has a line of its own)"),
        ("[a]\n= 1\n", "f:2: `=` without a tag before it"),
        ("[a]\nx y= 1\n", "f:2: text between tag `x` and `=`"),
        ("[a]\nnonsense\n", "f:2: syntax error: neither `[section]` nor `tag= value` nor a comment"),
        ("[a]\nx= 1\x00\n", "f:2: control character in this line"),
        ("[a]\nx= \x1b[2J\n", "f:2: control character in this line"),
    ],
)
def test_mistakes(text: str, error: str) -> None:
    _, errors, _ = read(text)
    assert errors == [error]


def test_header_with_a_comment_behind_it() -> None:
    assert values("[a] # ours\nx= 1\n[b] ; theirs\n") == {"a": {"x": "1"}, "b": {}}


def test_what_follows_a_broken_header_goes_nowhere_else() -> None:
    sections, errors, _ = read("[a]\nx= 1\n[b\ny= 2\n")
    assert list(sections) == ["a"]
    assert list(sections["a"].entries) == ["x"]
    assert errors == ["f:3: `[` without `]`"]


def test_all_mistakes_at_once() -> None:
    _, errors, _ = read("nonsense\n[a\n[b]\n=\n")
    assert [error.split(":")[1] for error in errors] == ["1", "2", "4"]


def test_values_do_not_show_in_reprs() -> None:
    assert "hunter2" not in repr(Entry("Authentication", "hunter2", Location("f", 1)))


def test_list_items() -> None:
    problems = Problems()
    entry = Entry("List", " a ,b,, c\t, ", Location("f", 3))
    assert items(entry, problems) == ("a", "b", "c")
    assert list(map(str, problems.warnings)) == ["f:3: empty field in the list `List`"]


# Invariant: each line that says something is an entry, or complained about, once.
@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from(["x= 1", " y = 2", "z", "= 3", "[A] t", "[a]", "[b]", "# c", "; c", ""]), max_size=20)
)
def test_no_line_is_lost(lines: list[str]) -> None:
    sections, errors, warnings = read("\n".join(lines))
    entries = sum(len(section.entries) for section in sections.values())
    says_something = [line for line in lines if line in ("x= 1", " y = 2", "z", "= 3", "[A] t")]
    assert entries + len(errors) + len(warnings) == len(says_something)


# Invariant: any text gives sections, or complaints that can be printed.
@settings(deadline=None, max_examples=200)
@given(st.text(max_size=80) | st.text("[]=#;\\\n\t ab,", max_size=60))
def test_parse_is_total(text: str) -> None:
    sections, errors, warnings = read(text)
    assert "".join(errors + warnings).isprintable()
    assert "" not in sections
