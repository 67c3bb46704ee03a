# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keynote
from keynote import grammar, limits
from keynote.assertions import Assertion, trusted
from keynote.files import parse_assertion
from keynote.printing import printed
from keynote.syntax import walk

MINIMAL = 'Authorizer: "POLICY"\n'
NOT_HEX = "is not hexadecimal"
ODD = "it has 3 digits, and needs an even number"


def read(text: str) -> Assertion:
    return parse_assertion(text, name="a.kn")


def problems(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(keynote.PolicyError) as caught:
        read(text)
    return [(problem.where.line, problem.where.column, problem.message) for problem in caught.value.problems]


def test_all_fields() -> None:
    assertion = read(
        "# a comment first\n"
        "KeyNote-Version: 2\n"
        'Comment: anything at: all "\n'
        'local-constants: ME = "POLICY" # me\n'
        '\tYOU="K"\n'
        "AUTHORIZER: ME\n"
        "Licensees:\n"
        "    YOU ||\n"
        "# a comment in between\n"
        '    "L"\n'
        "Conditions: true;\n"
    )
    assert assertion.constants == {"ME": "POLICY", "YOU": "K"}
    assert printed(assertion.authorizer.tree) == "ME"
    assert assertion.licensees is not None
    assert printed(assertion.licensees.tree) == 'YOU || "L"'
    assert assertion.conditions is not None
    assert printed(assertion.conditions.tree) == "true;"
    assert assertion.signature is None
    assert str(assertion.where) == "a.kn:1:1"


def test_missing_and_empty_fields_are_different() -> None:
    assert read(MINIMAL).licensees is None
    assert read(MINIMAL).conditions is None
    empty = read(MINIMAL + "Licensees:\nConditions: # nothing\n")
    assert empty.licensees is not None
    assert empty.conditions is not None
    assert empty.conditions.tree.clauses == ()


@pytest.mark.parametrize("version", ["2", '"2"', " 2 # two", '\n\t"2"'])
def test_version(version: str) -> None:
    read(f"KeyNote-Version: {version}\n{MINIMAL}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Licensees: "K"\n', [(1, 1, "no Authorizer field")]),
        ("Authorizer:\n", [(1, 12, "Authorizer ends too early")]),
        (MINIMAL + MINIMAL, [(2, 1, "a second Authorizer field")]),
        (MINIMAL + "Comment: a\nComment: b\n", [(3, 1, "a second Comment field")]),
        (MINIMAL + 'Local-Constants:\nLocal-Constants: a="b"\n', [(3, 1, "a second Local-Constants field")]),
        (MINIMAL + "KeyNote-Version: 2\n", [(2, 1, "KeyNote-Version is not the first field")]),
        ("KeyNote-Version: 3\n" + MINIMAL, [(1, 17, "unknown version of the language")]),
        ("KeyNote-Version: two\n" + MINIMAL, [(1, 18, "unexpected `two`")]),
        (MINIMAL + "Licenses: x\n", [(2, 1, "unknown field `Licenses`")]),
        ("A: x\n", [(1, 1, "unknown field `A`")]),
        (": x\n", [(1, 1, "neither a field nor the continuation of one")]),
        (MINIMAL + '"K"\n', [(2, 1, "neither a field nor the continuation of one")]),
        ("Authorizer : x\n", [(1, 1, "neither a field nor the continuation of one")]),
        ("  Authorizer: x\n" + MINIMAL, [(1, 3, "text before the first field")]),
        (
            'Authorizer: "POLICY" Licensees: "K"\n',
            [(1, 22, "unexpected `Licensees`"), (1, 31, "illegal character `:`")],
        ),
        (MINIMAL + 'Licensees: "K"\n\nConditions: false;\n', [(4, 1, "text after a blank line")]),
        (MINIMAL[:-1] + "\r\n", [(1, 21, "carriage return, which is no white space in KeyNote")]),
        (MINIMAL + "Comment: \u20ac\n", [(2, 10, "a character beyond Latin-1")]),
        (MINIMAL + 'Local-Constants: _a = "1"\n', [(2, 18, "constant `_a` begins with an underscore")]),
        (MINIMAL + 'Local-Constants: a="1" b="2"\n  a="3"\n', [(3, 3, "constant `a` is defined twice")]),
        (MINIMAL + 'Local-Constants: a="1", b="2"\n', [(2, 23, "unexpected `,`")]),
        (MINIMAL + 'Local-Constants: a=b\n', [(2, 20, "unexpected `b`")]),
        (MINIMAL + 'Local-Constants: a="1" . "2"\n', [(2, 24, "unexpected `.`")]),
        (MINIMAL + 'Licensees: "K" || "rsa-hex:zz"\n', [(2, 19, f"`rsa-hex:zz` {NOT_HEX}: digit 1 is `z`")]),
        ('Authorizer: A\nLocal-Constants: A = "rsa-hex:abc"\n', [(1, 13, f"`rsa-hex:abc` {NOT_HEX}: {ODD}")]),
        (MINIMAL + 'Signature: "abc"\n', [(2, 12, "not a signature")]),
        (MINIMAL + 'Signature: "sig-rsa-sha1-hex:00"\n', [(2, 11, "signed, but its authorizer is no key")]),
        (
            MINIMAL + 'Signature: "sig-rsa-sha1-hex:00"\nConditions: true;\n',
            [(3, 1, "Conditions field after the Signature field")],
        ),
        ("Comment: " + "x" * limits.ASSERTION_SIZE, [(1, 1, "an assertion of more than 262144 characters")]),
        (
            'Authorizer: ((\nLicensees: 3-of("a")\nConditions: a < 1;\n   b = c;\nLocal-Constants: d\n',
            [
                (1, 14, "Authorizer ends too early"),
                (2, 12, "threshold greater than the number of its principals, 1"),
                (3, 15, "a string compared with an integer"),
                (4, 6, "unknown operator `=`"),
                (5, 18, "Local-Constants ends too early"),
            ],
        ),
    ],
    ids=range(30),
)  # fmt: skip
def test_problems(text: str, found: list[tuple[int, int, str]]) -> None:
    assert problems(text) == found


def test_text_after_the_signature_is_not_part_of_the_assertion() -> None:
    body = 'Authorizer: "binary-hex:00"\nLicensees: "K"\n'
    assertion = read(body + 'Signature: "sig-rsa-sha1-hex:00"\nwhatever follows\n\nand more: of it\n')
    assert assertion.text == body
    assert assertion.signature is not None


def test_leading_blank_lines_are_not_part_of_the_assertion() -> None:
    assertion = read("\n\n" + MINIMAL)
    assert assertion.text == MINIMAL
    assert assertion.where.line == 3


def test_a_line_of_blanks_is_not_a_blank_line() -> None:
    assertion = read(MINIMAL + "Conditions:\n  \t\n  false;\n")
    assert assertion.conditions is not None
    assert len(assertion.conditions.tree.clauses) == 1


def test_where_is_the_place_in_the_file() -> None:
    assertion = read(MINIMAL + "Conditions: a == b &&\n    cc == dd;\n")
    assert assertion.conditions is not None
    places = {printed(node): str(assertion.conditions.where(node)) for node in walk(assertion.conditions.tree)}
    assert places["a"] == "a.kn:2:13"
    assert places["cc"] == "a.kn:3:5"
    assert places["cc == dd"] == "a.kn:3:8"


# Invariant: what the short cuts recognise, the grammar reads the same, and nothing else gets past them.
PIECES = st.sampled_from(
    ['"a b"', '"\\x"', '"', "K", "_k1", "1", "=", " ", "\n ", "\t", "#c\n ", ".", "||", "'", "\xe9", '"\xe9"']
)


@settings(max_examples=200)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_short_cuts_for_principals_and_constants_agree_with_the_grammar(text: str) -> None:
    for field, parse in (("Authorizer", _authorizer), ("Licensees", _licensees), ("Local-Constants", _constants)):
        try:
            wanted: object = parse(text)
        except grammar.Unreadable:
            wanted = None
        try:
            assertion = read((MINIMAL if field != "Authorizer" else "") + f"{field}: {text}\n")
        except keynote.PolicyError:
            assert wanted is None
            continue
        if field == "Local-Constants":
            assert dict(assertion.constants) == wanted
        else:
            found = assertion.authorizer if field == "Authorizer" else assertion.licensees
            assert found is not None
            assert [(n.at - 1, printed(n)) for n in walk(found.tree)] == wanted


def _authorizer(text: str) -> object:
    return [(node.at, printed(node)) for node in walk(grammar.string("AUTHORIZER", text))]


def _licensees(text: str) -> object:
    tree = grammar.licensees(text)
    offset = -1 if not printed(tree) else 0  # an empty field is at its beginning
    return [(node.at + offset, printed(node)) for node in walk(tree)]


def _constants(text: str) -> object:
    assignments = grammar.assignments(text)
    constants = {assignment.name: assignment.text for assignment in assignments}
    return constants if len(constants) == len(assignments) and not any(n.startswith("_") for n in constants) else None


TEMPLATE = (
    "KeyNote-Version: 2\nLocal-Constants: a=\"b\"\nAuthorizer: \"POLICY\"\n"
    'Licensees: "K" && (a || 1-of("L"))\nConditions: x == "y" -> { true; };\nComment: c\n'
)  # fmt: skip


# Invariant: any text is an assertion, or every problem has a place in it.
@settings(max_examples=200)
@given(
    st.integers(0, len(TEMPLATE)),
    st.integers(0, 30),
    st.text(max_size=6) | st.sampled_from(["\n", "\r\n", "\n\n", "Authorizer:", '"', ":", "\0"]),
)
def test_reading_is_total(at: int, removed: int, inserted: str) -> None:
    text = TEMPLATE[:at] + inserted + TEMPLATE[at + removed :]
    try:
        read(text)
    except keynote.PolicyError as error:
        lines = [problem.where.line for problem in error.problems]
        check_lines(lines, text)


def check_lines(lines: list[int], text: str) -> None:
    assert lines
    assert lines == sorted(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_reading_anything_is_total(text: str | bytes) -> None:
    keynote.parse_credentials(text, name="any")
    try:
        keynote.parse_policy(text, name="any")
    except keynote.PolicyError as error:
        check_lines([problem.where.line for problem in error.problems], str(text) + "\n" * 200)


# -- made by program -------------------------------------------------------------------------------------------------


@given(
    st.text(st.characters(min_codepoint=1, max_codepoint=255)),
    st.text(st.characters(min_codepoint=1, max_codepoint=255)),
)
def test_trusted_quotes_whatever_the_names_are(authorizer: str, licensee: str) -> None:
    try:
        made = trusted(authorizer, licensee, 'a == "b"', name="certificate")
    except keynote.UndecodableKey:
        return
    reread = parse_assertion(made.source.text, name="certificate")
    for assertion in (made, reread):
        assert getattr(assertion.authorizer.tree, "text", None) == authorizer
        assert assertion.licensees is not None
        assert getattr(assertion.licensees.tree, "text", None) == licensee
    assert made.conditions is not None
    assert reread.conditions is not None
    assert printed(made.conditions.tree) == printed(reread.conditions.tree) == 'a == "b";'


def test_trusted_conditions_are_a_test_or_a_field() -> None:
    for conditions in ('a == "b"', 'a == "b";', ' a == "b"; ', 'a == "b" -> _MAX_TRUST;'):
        assertion = trusted("POLICY", "K", conditions, name="n")
        assert keynote.Session([assertion]).query({"a": "b"}, ["K"]).allowed
        assert not keynote.Session([assertion]).query({}, ["K"]).allowed
    assert not keynote.Session([trusted("POLICY", "K", "", name="n")]).query({}, ["K"]).allowed
    assert keynote.Session([trusted("POLICY", "K", None, name="n")]).query({}, ["K"]).allowed


def test_trusted_refuses() -> None:
    with pytest.raises(keynote.PolicyError, match=r"n:3:15: a string compared with an integer"):
        trusted("POLICY", "K", "a < 5", name="n")
    with pytest.raises(keynote.UndecodableKey):
        trusted("POLICY", "rsa-hex:z", None, name="n")
    with pytest.raises(ValueError, match="cannot hold"):
        trusted("POLICY", "K\0", None, name="n")


def test_places_in_what_a_program_made() -> None:
    made = trusted("POLICY", "K", "a == b", name="certificate of K")
    assert made.conditions is not None
    assert made.licensees is not None
    assert str(made.licensees.where(made.licensees.tree)) == "certificate of K:2:12"
    assert str(made.conditions.where(made.conditions.tree.clauses[0])) == "certificate of K:3:15"
