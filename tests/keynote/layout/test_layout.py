# SPDX-License-Identifier: ISC
"""The canonical layout: what it looks like, that it means the same, and that it is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keynote import limits
from keynote.errors import PolicyError
from keynote.exact_text import exact_text
from keynote.files import parse_all
from keynote.layout import assertions as fields
from keynote.layout import formatted
from keynote.layout.printer import WIDTH
from tests.cpu import at_most
from tests.keynote import reference

POLICIES = sorted((Path(__file__).parent.parent.parent.parent / "policies").rglob("*.kn"))


def laid_out(text: str) -> str:
    once = formatted(text, name="p")
    assert formatted(once, name="p") == once
    return once


def meaning(text: str) -> list[tuple[object, ...]]:
    assertions, problems = parse_all(text, name="p")
    assert problems == ()
    return [
        (
            exact_text(assertion.authorizer.tree),
            assertion.licensees and exact_text(assertion.licensees.tree),
            assertion.conditions and exact_text(assertion.conditions.tree),
            dict(assertion.constants),
        )
        for assertion in assertions
    ]


# -- what it looks like ----------------------------------------------------------------------------------------------

HEAD = 'Authorizer: "POLICY"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('authorizer:"POLICY"', 'Authorizer: "POLICY"\n'),
        ('\n\nAuthorizer:\n  "a"\n\n\n\nAUTHORIZER: "b"', 'Authorizer: "a"\n\nAuthorizer: "b"\n'),
        (HEAD + "Licensees:  \n", HEAD + "Licensees:\n"),
        (
            'keynote-version:2\nconditions: a=="b";\nlicensees:("x")||2-OF ( "y","z" )\n'
            + HEAD
            + "comment:  hi \n\t there",
            "KeyNote-Version: 2\nComment: hi\n    there\n" + HEAD + 'Licensees: ("x") || 2-of("y", "z")\n'
            'Conditions: a == "b";\n',
        ),
        (
            'Local-Constants:A="a"B="b"\n' + HEAD,
            'Local-Constants:\n    A = "a"\n    B = "b"\n' + HEAD,
        ),
        (
            HEAD + 'Conditions:-1 <-@ x&&! a.$ b == "c" && @c- -2*3 ^2> 1 && (& d) < 2.5->{x=="";};y=="" ->"v" . w;',
            HEAD + "Conditions:\n"
            '    -1 < -@x && !a . $b == "c" && @c - -2 * 3 ^ 2 > 1 && (&d) < 2.5 -> {\n'
            '        x == "";\n'
            "    };\n"
            '    y == "" -> "v" . w;\n',
        ),
        (HEAD + "Conditions:\n    # none\n", HEAD + "Conditions:\n    # none\n"),
        (HEAD + "Conditions: a == b -> { };\n", HEAD + "Conditions:\n    a == b -> {\n    };\n"),
        (
            HEAD
            + 'Conditions: a == "'
            + "x" * 40
            + '" && b == "'
            + "y" * 30
            + '" || c == "z" || (d == "'
            + "v" * 60
            + '" && e == "'
            + "w" * 30
            + '");',
            HEAD + "Conditions:\n"
            f'    a == "{"x" * 40}" && b == "{"y" * 30}" ||\n'
            '    c == "z" ||\n'
            "    (\n"
            f'        d == "{"v" * 60}" &&\n'
            f'        e == "{"w" * 30}"\n'
            "    );\n",
        ),
        (
            HEAD + 'Conditions: a == "' + "x" * 60 + '" && b == "' + "y" * 40 + '" || c == "z";',
            HEAD + f'Conditions:\n    a == "{"x" * 60}" &&\n        b == "{"y" * 40}" ||\n    c == "z";\n',
        ),
        (
            HEAD + 'Conditions: a == "x" # one\n && b == "y"\n   # two\n && c == "z"; # three\n  # four\n# five\n',
            HEAD + "Conditions:\n"
            '    a == "x" &&  # one\n    b == "y"\n    # two\n    &&\n    c == "z";  # three\n    # four\n# five\n',
        ),
        (
            "# top\n" + 'Conditions: a == "b";\n# about the licensee\nLicensees: "x"  # him\n' + HEAD + "# end",
            "# top\n" + HEAD + '# about the licensee\nLicensees: "x"  # him\nConditions: a == "b";\n# end\n',
        ),
        (
            "  # alone\n \n# and more \n\nComment: it's # here\n# but this is one\n# two\n" + HEAD,
            "# alone\n# and more\n\nComment: it's # here\n# but this is one\n# two\n" + HEAD,
        ),
        (
            HEAD + 'Conditions: a == "x\\\n   y"    && b;'.replace("&& b", "&& b == c"),
            HEAD + 'Conditions: a == "x\\\n   y" && b == c;\n',
        ),
        ("# nothing but this", "# nothing but this\n"),
        ("", ""),
    ],
)
def test_layout(before: str, after: str) -> None:
    assert laid_out(before) == after
    assert meaning(before) == meaning(after)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_library(path: Path) -> None:
    before = path.read_text()
    if path.parent.name == "partner" and "Signature:" in before:
        with pytest.raises(PolicyError, match="signed, and a new layout would void the signature"):
            laid_out(before)
        return
    after = laid_out(before)
    assert meaning(after) == meaning(before)
    assert max(map(len, after.splitlines())) <= 120
    assert sorted(after.replace("\n", " ").split()) == sorted(before.replace("\n", " ").split())


@pytest.mark.parametrize("opening", ["(", "!", "$(", "a == b -> {", "(a == b && "])
def test_deep_nesting(opening: str) -> None:
    closing = {"(": ")", "!": "", "$(": ")", "a == b -> {": "};", "(a == b && ": ")"}[opening]
    end = ";" if closing != "};" else ""
    inner = 'a == "b"' + (";" if closing == "};" else "")
    count = 500 if "{" in opening else 3000
    text = f"{HEAD}Conditions: {opening * count}{inner}{closing * count}{end}\n"
    if opening == "$(":
        text = f'{HEAD}Conditions: {opening * count}a{closing * count} == "b";\n'
    assert meaning(laid_out(text)) == meaning(text)


@pytest.mark.parametrize("text", [HEAD + "Conditions: a = b;", HEAD + "\n# x\nb", "Licensees: a"])
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(PolicyError):
        formatted(text, name="p")


# -- properties ------------------------------------------------------------------------------------------------------

NOISE = st.sampled_from(["", "", " ", "\n ", "\n\t  \n ", "  # a comment\n  ", " # x \n# y\n  ", "\n#z;&&\n \t"])


@st.composite
def noisy(draw: st.DrawFn, text: str) -> str:
    """The text with white space and comments between its tokens."""
    pieces = []
    for piece in split(text):
        pieces.append(piece)
        pieces.append(draw(NOISE) or " ")
    return "".join(pieces)


def split(text: str) -> Iterator[str]:
    from keynote.layout.tokens import tokens

    for token in tokens(text).tokens:
        yield token.text


@st.composite
def policies(draw: st.DrawFn) -> str:
    blocks = []
    for assertion in draw(reference.ASSERTIONS):
        fields = []
        for line in reference.assertion_text(assertion).splitlines():
            name, _, text = line.partition(":")
            name = draw(st.sampled_from([name, name.upper(), name.lower()]))
            fields.append(f"{name}:{draw(NOISE)} {draw(noisy(text))}".rstrip())
            if draw(st.booleans()):
                fields.append(draw(st.sampled_from(["# above", "  # inside", "# two\n# more"])))
        comment = draw(st.sampled_from([[], ["Comment: so # it\n  is\n# one"]]))
        blocks.append("\n".join([*draw(st.permutations([*fields])), *comment] if "#" not in str(fields) else fields))
    return draw(st.sampled_from(["\n\n", "\n\n\n", "\n\n# alone\n\n"])).join(blocks)


def comments(text: str) -> list[str]:
    return sorted(line.partition("#")[2].strip() for line in text.splitlines() if "#" in line)


@settings(max_examples=300)
@given(policies())
def test_it_means_the_same_keeps_comments_and_is_canonical(text: str) -> None:
    after = laid_out(text)
    assert meaning(after) == meaning(text)
    assert comments(after) == comments(text)
    for line in after.splitlines():
        assert line == line.rstrip()
        assert len(line) <= WIDTH or "#" in line or len(line.split()) <= 4 or '"' in line


@settings(max_examples=200)
@given(reference.PROGRAMS, st.data())
def test_white_space_makes_no_difference(program: reference.Program, data: st.DataObject) -> None:
    text = reference.program_text(program)
    spaced = "".join(f"{piece}{data.draw(st.sampled_from([' ', '  ', chr(10) + ' ']))}" for piece in split(text))
    assert laid_out(f"{HEAD}Conditions: {text}\n") == laid_out(f"{HEAD}Conditions: {spaced}\n")


def test_long_assertions_take_no_age() -> None:
    """What looks through all that came before at each step takes ten times as long, and more."""
    operands = "||".join(f'a=="{number}"&&b==""' for number in range(11_000))
    comments = "# c\n" * 40_000
    with at_most(4):
        laid = fields.assertion(f"{HEAD}Conditions: {operands};\n")
        assert laid.count("||\n") == 10_999
        laid = fields.assertion(f"{HEAD}Comment: x\n{comments}")
        assert laid.count("# c\n") == 40_000


def test_a_layout_that_is_longer_than_an_assertion_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ASSERTION_SIZE", 200)
    text = f"{HEAD}Conditions: {'||'.join(['a==b'] * 25)};\n"
    assert len(text) < 200
    message = "^p:1:12: in its layout it has [0-9]+ characters, and an assertion may have 200\n"
    with pytest.raises(PolicyError, match=message):
        formatted(text, name="p")
