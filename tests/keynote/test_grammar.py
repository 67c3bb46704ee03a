# SPDX-License-Identifier: ISC
"""Field texts to trees: what they mean is shown by how they print, with every parenthesis that counts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keynote import grammar
from keynote.printing import printed
from keynote.syntax import Broken, Name, Node, walk


def conditions(text: str) -> str:
    return printed(grammar.conditions(text), limit=100_000)


def mistakes(text: str) -> list[tuple[int, str, str]]:
    with pytest.raises(grammar.Unreadable) as caught:
        grammar.conditions(text)
    return [(mistake.at, mistake.message, mistake.hint) for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", ""),
        (" # only a comment", ""),
        ("true;", "true;"),
        ("TRUE -> true;", "true -> true;"),  # a test, and a value
        ('true == "x";', 'true == "x";'),
        ('(false) == "x" . true;', 'false == "x" . true;'),
        ("a == b -> c; d != e;", "a == b -> c; d != e;"),
        ("a == b->{c==d;e==f->{true;};};", "a == b -> { c == d; e == f -> { true; }; };"),
        ("true -> {};", "true -> {  };"),
        ("a == b && c == d || e == f;", "a == b && c == d || e == f;"),
        ("(a == b || c == d) && e == f;", "(a == b || c == d) && e == f;"),
        ("a == b || c == d && e == f;", "a == b || c == d && e == f;"),
        ("!a == b && c == d;", "!(a == b) && c == d;"),
        ("!(a == b && c == d);", "!(a == b && c == d);"),
        ("!!a == b;", "a == b;"),
        ("!!!true;", "!true;"),
        ("a . b . c == a . (b . c);", "a . b . c == a . (b . c);"),
        ("$a . b == $(a . b);", "$a . b == $(a . b);"),
        ("$$a == @b . c;", None),  # `@` binds first, so a number is concatenated
        ("-2^2==4;", "-2 ^ 2 == 4;"),
        ("-(2^2)==4;", "-(2 ^ 2) == 4;"),
        ("2^3^2==64;", "2 ^ 3 ^ 2 == 64;"),
        ("2^(3^2)==512;", "2 ^ (3 ^ 2) == 512;"),
        ("1 + 2 * 3 - 4 % 5 == -@a;", "1 + 2 * 3 - 4 % 5 == -@a;"),
        ("(1 + 2) * 3 == 9;", "(1 + 2) * 3 == 9;"),
        ("- - 5 == 5;", "--5 == 5;"),
        ("&a > 1.50;", "&a > 1.5;"),
        ('a ~= "^" . b;', 'a ~= "^" . b;'),
        ("2-1 == @a-1;", "2 - 1 == @a - 1;"),
    ],
)
def test_conditions(text: str, meaning: str | None) -> None:
    if meaning is None:
        assert mistakes(text)
    else:
        assert conditions(text) == meaning
        assert conditions(meaning) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ('"K"', '"K"'),
        ("", ""),
        ('("a" && "b") || "c"', '"a" && "b" || "c"'),
        ('"a" && ("b" || "c")', '"a" && ("b" || "c")'),
        ("true", "true"),
        ('2-of("a", b, $c, ("d" . e))', '2-of("a", b, $c, "d" . e)'),
        ('2-OF ( "K" , "L" )', '2-of("K", "L")'),
        ('1-of("K") && 1-of("L")', '1-of("K") && 1-of("L")'),
    ],
)
def test_licensees(text: str, meaning: str) -> None:
    assert printed(grammar.licensees(text)) == meaning


@pytest.mark.parametrize(
    "text",
    [
        '0-of("K")', '02-of("K","L")', '2 -of("K","L")', '2-of("K")', '4294967297-of("K")', "2-of()", '2-of("K",)',
        '2-of("K", ("L" || "M"))', '2-of("K", 1-of("L"))', '"K" "L"', '"K" ?', "@a", "1", '!"K"', '"K" == "L"',
        '("K"', '"K" || ', '"K" ,"L"', '9' * 5000 + '-of("K")',
    ],
)  # fmt: skip
def test_no_licensees(text: str) -> None:
    with pytest.raises(grammar.Unreadable):
        grammar.licensees(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('a = "b";', [(2, "unknown operator `=`", "string comparison is `==`")]),
        ("a < 5;", [(2, "a string compared with an integer", "`@name` is a string's integer value")]),
        (
            "a > 5.0;",
            [(2, "a string compared with a floating-point number", "`&name` is a string's floating-point value")],
        ),
        ("1 < 2.5;", [(2, "an integer compared with a floating-point number", None)]),
        ("1.0 == 1.0;", [(4, "`==` between floating-point numbers", "use `<`, `>`, `<=` or `>=`")]),
        ("1.0 % 2.0 < 1.0;", [(4, "`%` between floating-point numbers", "`%` is for integers")]),
        ("@a + &b < 1;", [(3, "`+` between an integer and a floating-point number", None)]),
        ("1 + a == 2;", [(4, "a string where a number is wanted", None)]),
        ("-a == 2;", [(1, "a string where a number is wanted", None)]),
        ("@1 == 1;", [(1, "an integer where a string is wanted", None)]),
        ("a;", [(0, "a string where a test is wanted", None)]),
        ("1 + 1;", [(2, "an integer where a test is wanted", None)]),
        ("a == b == c;", [(7, "unexpected `==`", "")]),
        ("!a;", [(1, "a string where a test is wanted", None)]),
        ('2-of("a", "b") == "x";', None),
        ("true", [(3, "Conditions ends too early", "a clause ends with `;`")]),
        ("true;;", [(5, "unexpected `;`", "an empty clause is not allowed")]),
        ("true -> { true };", [(15, "unexpected `}`", "a clause ends with `;`, also the last one before `}`")]),
        ("true -> { true; } true;", [(18, "unexpected `true`", "a `}` is followed by `;`")]),
        ("true);", [(4, "unexpected `)`", "")]),
        (".5 < 2.0;", [(0, "unexpected `.`", "")]),
        ("a == b & c == d;", None),
        ("a == 'x';", [(5, "illegal character `'`", None), (7, "illegal character `'`", None)]),
        ("true ? ;", [(5, "illegal character `?`", "")]),
        ('a == "x\0y";', [(5, "illegal character `\\x00` in a string literal", "")]),
        ("true\f;", [(4, "illegal character `\\x0c`", "")]),
        ("a | b;", None),
        ('a == "x;\n  b == "y";', None),
        ("9" * 5000 + " == 1;", [(0, "a number of more than 1000 digits", "")]),
        ("9" * 400 + ".0 < 1.0;", [(0, "a floating-point number beyond the range of a double", "")]),
    ],
)
def test_mistakes(text: str, found: list[tuple[int, str, str | None]] | None) -> None:
    seen = mistakes(text)
    if found is not None:
        wanted = [
            (at, message, hint if hint is not None else seen[n][2]) for n, (at, message, hint) in enumerate(found)
        ]
        assert seen == wanted


def test_all_mistakes_are_found_at_once() -> None:
    text = 'a = "b"; c < 5; true; d e; 1.0 == 1.0; (f == g; true -> 1;'
    assert [at for at, _, _ in mistakes(text)] == [2, 11, 24, 31, 46, 56]


def test_mistakes_end_somewhere() -> None:
    assert len(mistakes("?" * 10_000)) == 20


def test_a_string_in_a_message_is_not_quoted() -> None:
    with pytest.raises(grammar.Unreadable) as caught:
        grammar.licensees('"passphrase:" "hush"')
    assert "hush" not in str(list(caught.value.mistakes))


DEEP = 3_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * DEEP + "true" + ")" * DEEP + ";",
        "!" * DEEP + "true;",
        "!(" * DEEP + "a == b && c == d" + ")" * DEEP + ";",
        "true -> {" * DEEP + "true;" + "};" * DEEP,
        "(a == b || (c == d && " * DEEP + "true" + "))" * DEEP + ";",
        "1 + (" * DEEP + "1" + ")" * DEEP + " == 1;",
        "-" * DEEP + "1 == 1;",
        'a . ("b" . ' * DEEP + "a" + ")" * DEEP + ' == "x";',
        "$" * DEEP + "a == b;",
        "1" + " + 1" * DEEP + " == 1;",
        "true" + " && true" * DEEP + ";",
        "true;" * DEEP,
    ],
    ids=lambda text: text[:20],
)
def test_depth_has_no_limit(text: str) -> None:
    tree = grammar.conditions(text)
    assert printed(tree, limit=10**7)
    assert repr(tree).startswith("<Program")


PIECES = [
    "true", "false", "a", "b", '"x"', "1", "2.5", "@", "&", "$", "-", "+", "*", "/", "%", "^", ".", "(", ")", "{",
    "}", "->", ";", "==", "!=", "<", "~=", "=", "&&", "||", "!", "2-of(", ",", "#c\n", " ", "\\", '"', "?", "\n",
]  # fmt: skip


def check_places(places: list[int], text: str) -> None:
    assert places
    assert all(0 <= place <= len(text) for place in places)


# Invariant: any text is a finished tree or a list of mistakes within it, and a tree prints as text of the same tree.
@settings(max_examples=150)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=40))
def test_parsing_is_total(text: str) -> None:
    for parse in (grammar.conditions, grammar.licensees):
        try:
            tree: Node = parse(text)
        except grammar.Unreadable as unreadable:
            places = [mistake.at for mistake in unreadable.mistakes]
            check_places(places, text)
        else:
            assert not any(isinstance(node, Broken) for node in walk(tree))
            assert printed(parse(printed(tree))) == printed(tree)


VALID = 'a == "x" && !(@b < 2 || c ~= "y") -> "v"; $d . "e" != f -> { &g >= 1.5; };'


# Invariant: the same for texts that are almost right.
@given(st.integers(0, len(VALID)), st.integers(0, 6), st.sampled_from(PIECES))
def test_mutations_of_valid_text(at: int, removed: int, inserted: str) -> None:
    text = VALID[:at] + inserted + VALID[at + removed :]
    try:
        tree = grammar.conditions(text)
    except grammar.Unreadable as unreadable:
        check_places([mistake.at for mistake in unreadable.mistakes], text)
    else:
        assert printed(grammar.conditions(printed(tree))) == printed(tree)


def test_nodes_know_their_place() -> None:
    text = '  first == "x" &&\n  second == third;'
    names = {node.name: node.at for node in walk(grammar.conditions(text)) if isinstance(node, Name)}
    assert names == {"first": 2, "second": text.index("second"), "third": text.index("third")}


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ('0-of("a")', 0, "`0-of` is no threshold"),
        ('02-of("a", "b")', 0, "`02-of` is no threshold"),
        ('"c" || 2 -of("a", "b")', 7, "`2 -of` is no threshold"),
        ('k-of("a")', 0, "`k-of` is no threshold"),
        ('-1-of("a")', 0, "`-1-of` is no threshold"),
        ("1-of()", 5, "unexpected `)`"),
    ],
)
def test_what_is_nearly_a_threshold(text: str, at: int, message: str) -> None:
    with pytest.raises(grammar.Unreadable) as caught:
        grammar.licensees(text)
    (mistake,) = caught.value.mistakes
    assert (mistake.at, mistake.message) == (at, message)
    assert mistake.hint.startswith("a threshold ")


@pytest.mark.parametrize("sign", ["||", "&&"])
def test_an_assertion_has_one_authorizer(sign: str) -> None:
    with pytest.raises(grammar.Unreadable) as caught:
        grammar.string("AUTHORIZER", f' "POLICY" {sign} "x"')
    (mistake,) = caught.value.mistakes
    assert (mistake.at, mistake.message) == (10, f"`{sign}` in Authorizer, which is one principal")
    assert mistake.hint == "write one assertion for each"


@pytest.mark.parametrize(
    ("text", "written"),
    [("1.50", "1.5"), ("100000000000000000000000.0", "100000000000000000000000.0"), ("0.00000001", "0.00000001")],
)
def test_numbers_are_printed_as_the_language_writes_them(text: str, written: str) -> None:
    assert printed(grammar.conditions(f"&a > {text};")) == f"&a > {written};"
