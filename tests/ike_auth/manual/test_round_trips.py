# SPDX-License-Identifier: ISC
"""Whatever is said can be said again, as text and as JSON; whatever cannot be said is refused in our own words."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.manual import ipsecadm
from ike_auth.manual.checking import load
from ike_auth.manual.errors import ManualError, StatementsRefused
from ike_auth.manual.printing import HIDDEN, to_text
from ike_auth.manual.requests import request_of, statement_of
from ike_auth.manual.statements import Add, Exit, GetSpi, Statement
from tests.ike_auth.manual import strategies
from tests.ike_auth.manual.texts import GATEWAY, statement, statements

PIECES = [
    *(
        "add ",
        "spdadd ",
        "flush",
        "exit",
        "10.0.0.1 ",
        "10.0.0.0/8 ",
        "::1 ",
        "[500]",
        "esp ",
        "ah ",
        "256 ",
        "0x",
        "-E ",
    ),
    *("-A ", "-P ", "in ", "ipsec ", "esp/tunnel/", "-", "/", "any ", ";", '"', "#", "\n", "null ", "-ctx ", "prio "),
    *(
        "aes-cbc ",
        "hmac-md5 ",
        "unique:",
        "-r ",
        "tagged ",
        "icmp6 ",
        "1,2 ",
        "[",
        "]",
        "%",
        "\x00",
        "é",
        "\udcff",
        "²",
    ),
]


def check(complaints: Iterable[str]) -> None:
    """There are some, and any terminal can show them."""
    shown = list(complaints)
    assert shown != []
    assert all(text.isprintable() for text in shown)


# Invariant: what is printed of a statement is read as the same statement.
@settings(deadline=None)
@given(strategies.statements)
def test_text(value: Statement) -> None:
    assert statement(to_text(value, show_keys=True)) == value


# Invariant: what a request says of a statement is read as the same statement, and is JSON.
@settings(deadline=None)
@given(strategies.statements.filter(lambda value: not isinstance(value, Exit | GetSpi)))
def test_json(value: Statement) -> None:
    command, arguments = request_of(value)
    assert statement_of(command, json.loads(json.dumps(arguments))) == value


# Invariant: a statement that is shown without its keys shows none.
@settings(deadline=None)
@given(strategies.adds())
def test_hidden_keys(value: Add) -> None:
    text = to_text(value)
    for algorithm in (value.encryption, value.authentication):
        if algorithm and len(algorithm.key) > 5:
            assert algorithm.key.reveal().hex() not in text
            assert HIDDEN in text


# Invariant: any text gives statements, or complaints that can be printed.
@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_reading_is_total(text: str) -> None:
    for skip in (False, True):
        try:
            load(text, "f", skip_unsupported=skip)
        except StatementsRefused as refused:
            check(map(str, refused.complaints))


# Invariant: a text with pieces of it lost or changed gives statements, or complaints.
@settings(deadline=None)
@given(st.integers(0, len(GATEWAY)), st.integers(0, 30), st.sampled_from(["", *PIECES]))
def test_damaged_texts(start: int, length: int, piece: str) -> None:
    try:
        load(GATEWAY[:start] + piece + GATEWAY[start + length :], "f")
    except StatementsRefused as refused:
        check(map(str, refused.complaints))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["esp", "::1", "out"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


# Invariant: any arguments give a statement, or ManualError.
@settings(deadline=None)
@given(strategies.statements.filter(lambda value: not isinstance(value, Exit | GetSpi)), st.data())
def test_requests_are_read_totally(value: Statement, data: st.DataObject) -> None:
    command, arguments = request_of(value)
    changed: dict[str, Any] = dict(arguments)
    for name in data.draw(st.lists(st.sampled_from([*arguments, "rules", "icmp", "encryption", "spi"]), max_size=3)):
        changed[name] = data.draw(json_values)
    for name in data.draw(st.lists(st.sampled_from([*arguments, "nothing"]), max_size=2)):
        changed.pop(name, None)
    try:
        again = statement_of(command, changed)
    except ManualError as error:
        check([str(error)])
    else:
        assert request_of(again)[0] == command


@pytest.mark.parametrize("text", ["flush esp;", "spdflush;", GATEWAY])
def test_there_are_no_other_arguments(text: str) -> None:
    for value in statements(text):
        command, arguments = request_of(value)
        with pytest.raises(ManualError, match=r"^there is no argument `protocl` here$"):
            statement_of(command, arguments | {"protocl": "esp"})
        for name, inner in arguments.items():
            if isinstance(inner, dict):
                with pytest.raises(ManualError, match="there is no argument `bits` here"):
                    statement_of(command, arguments | {name: inner | {"bits": 256}})


def test_there_are_no_other_commands() -> None:
    with pytest.raises(ManualError, match="there is no such command"):
        statement_of("sadb-register", {})
    for value in statements("exit;"):
        with pytest.raises(ManualError, match="nothing to be asked"):
            request_of(value)


WORDS = ["new", "esp", "ah", "flow", "group", "delspi", "flush", "-spi", "1001", "-src", "192.0.2.1", "-dst", "-enc"]
WORDS += ["aes", "-key", "00" * 16, "-auth", "sha1", "-authkey", "0a" * 20, "-addr", "10.0.0.0", "255.0.0.0", "-in"]
WORDS += [
    "-proto",
    "-spi2",
    "-dst2",
    "-out",
    "-deny",
    "-delete",
    "-transport",
    "tcp",
    "-sport",
    "80",
    "-keyfile",
    "x",
]


# Invariant: any arguments of ipsecadm give statements, or ManualError.
@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=4), max_size=16))
def test_ipsecadm_is_total(arguments: list[str]) -> None:
    try:
        ipsecadm.statements(arguments, lambda name: "00" * 16, lambda theirs, security: theirs)
    except ManualError as error:
        check([str(error)])
