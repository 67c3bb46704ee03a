# SPDX-License-Identifier: ISC
import dataclasses
import threading
from collections.abc import Collection
from typing import Any

import pytest

import keynote
from keynote import Session, Unknown, parse_policy
from tests.keynote.key_pairs import principal


def session(*assertions: str) -> Session:
    return Session(parse_policy("\n".join(assertions), name="p.kn"))


def policy(licensees: str, conditions: str | None = None) -> str:
    field = "" if conditions is None else f"Conditions: {conditions}\n"
    return f'Authorizer: "POLICY"\nLicensees: {licensees}\n{field}'


def test_query_function() -> None:
    decision = keynote.query(
        policies=parse_policy(policy('"K"', 'a == "b";'), name="p"), action={"a": "b"}, authorizers=["K"]
    )
    assert decision.allowed


def test_values() -> None:
    asked = session(policy('"K"', 'a == "1" -> "mid"; a == "2"; a == "3" -> "other"; a == "4" -> _VALUES;'))
    answers = {a: str(asked.query({"a": a}, ["K"], ("low", "mid", "high"))) for a in "12345"}
    assert answers == {"1": "mid", "2": "high", "3": "low", "4": "low", "5": "low"}
    assert asked.query({"a": "2"}, ["K"]).value == "true"
    assert asked.query({"a": "2"}, ["K"], ["only"]).value == "only"
    assert not asked.query({"a": "2"}, ["K"], ["only"]).allowed


def test_of_equal_values_the_lowest_counts() -> None:
    asked = session(policy('"K"', 'true -> "b";'))
    decision = asked.query({}, ["K"], ("a", "b", "c", "b"))
    assert (decision.value, decision.allowed) == ("b", True)
    assert str(asked.query({}, ["K"], ("b", "a", "b"))) == "b"
    assert not asked.query({}, ["K"], ("b", "a", "b")).allowed
    # where the highest value is the lowest too, nothing is above it, whatever a clause gives
    for unknown in ((), {"x"}):
        assert session(policy('"K"', 'true -> "a";')).query({}, ["K"], ("b", "a", "b"), unknown).highest == "b"


def test_special_attributes() -> None:
    asked = session(
        policy(
            '"K" || "L"',
            '_MIN_TRUST == "lo" && _MAX_TRUST == "hi" && _VALUES == "lo,hi" && _ACTION_AUTHORIZERS == "K,L";',
        )
    )
    assert asked.query({}, ["K", "L"], ("lo", "hi")).allowed
    assert not asked.query({}, ["L", "K"], ("lo", "hi")).allowed


@pytest.mark.parametrize(
    ("action", "authorizers", "values", "message"),
    [
        ({}, [], ("f", "t"), "nobody requests"),
        ({}, ["rsa-hex:zz"], ("f", "t"), "nobody requests"),
        ({}, "K", ("f", "t"), "sequence"),
        ({}, ["K"], (), "compliance values"),
        ({"_a": "x"}, ["K"], ("f", "t"), "underscore"),
        ({"a b": "x"}, ["K"], ("f", "t"), "no attribute name"),
        ({"": "x"}, ["K"], ("f", "t"), "no attribute name"),
        ({"a\n": "x"}, ["K"], ("f", "t"), "no attribute name"),
        ({"a": 1}, ["K"], ("f", "t"), "strings"),
        ({"a": "\0"}, ["K"], ("f", "t"), "NUL"),
        ({"a": "\u20ac"}, ["K"], ("f", "t"), "Latin-1"),
        ({}, ["\u20ac"], ("f", "t"), "an authorizer has"),
        ({}, ["\0licensee"], ("f", "t"), "an authorizer has"),
        ({}, [1], ("f", "t"), "strings"),
        ({}, ["K"], ("f", "\u20ac"), "compliance value has"),
        ({}, ["K"], ("f", 1), "compliance values"),
    ],
)
def test_query_errors(action: object, authorizers: object, values: object, message: str) -> None:
    with pytest.raises(keynote.QueryError, match=message):
        session(policy('"K"')).query(action, authorizers, values)  # type: ignore[arg-type]


def test_an_undecodable_requester_requests_nothing() -> None:
    assert session(policy('"K"')).query({}, ["rsa-hex:zz", "K"]).allowed


def test_policy_as_requester() -> None:
    assert session(policy('"K"', "false;")).query({}, ["POLICY"]).allowed


def test_unsigned_credentials_are_set_aside() -> None:
    key = principal("ed25519")
    (credential,) = parse_policy(f'Authorizer: "{key}"\nLicensees: "K"\n', name="c.kn")
    trusted = parse_policy(policy(f'"{key}"'), name="p.kn")
    asked = Session(trusted, [credential])
    decision = asked.query({}, ["K"])
    assert not decision.allowed
    assert list(map(str, decision.set_aside)) == ["c.kn:1:1: not signed"]
    assert decision.because == "c.kn:1: set aside: not signed"
    assert Session([*trusted, credential]).query({}, ["K"]).allowed


def test_a_credential_is_no_policy() -> None:
    (credential,) = parse_policy(policy('"K"'), name="c.kn")
    assert not Session([], [credential]).query({}, ["K"]).allowed


def test_principals_that_depend_on_the_action() -> None:
    asked = session(
        'Authorizer: who\nLicensees: $what || "binary-hex:" . key\n',
        policy('"boss"', 'who == "boss";'),
    )
    assert asked.query({"who": "boss", "what": "n", "n": "K", "key": "00"}, ["K"]).allowed
    assert asked.query({"who": "boss", "key": "00FF"}, ["binary-hex:00ff"]).allowed
    assert not asked.query({"who": "boss", "what": "n", "n": "K", "key": "zz"}, ["K"]).allowed  # field is void
    assert not asked.query({"who": "other", "what": "n", "n": "K", "key": "00"}, ["K"]).allowed
    assert asked.query({"who": "POLICY", "what": "n", "n": "K", "key": "00"}, ["K"]).allowed


def test_principals_that_are_unknown() -> None:
    licensee = session(policy('"K" || who'))
    assert str(licensee.query({}, ["L"], unknown={"who"})) == "false..true"
    # who may be an undecodable key, which voids the field
    assert str(licensee.query({}, ["K"], unknown={"who"})) == "false..true"
    assert str(licensee.query({"who": "x"}, ["K"], unknown=Unknown.except_([]))) == "true"
    authorizer = session('Authorizer: who\nLicensees: "K"\nConditions: true -> "mid";\n')
    assert str(authorizer.query({}, ["K"], ("low", "mid", "high"), {"who"})) == "low..mid"
    assert str(authorizer.query({}, ["L"], ("low", "mid", "high"), {"who"})) == "low"
    assert "(unknown) → K" in authorizer.query({}, ["K"], ("low", "mid"), {"who"}).because
    assert licensee.query({}, ["L"], unknown={"who"}).survey


def test_unknown_by_exception() -> None:
    asked = session(policy('"K"', 'a == "x" && b == "y" && c == "";'))
    assert str(asked.query({"a": "x"}, ["K"], unknown=Unknown.except_(["c"]))) == "false..true"
    assert str(asked.query({"a": "z"}, ["K"], unknown=Unknown.except_(["c"]))) == "false"
    assert str(asked.query({"a": "x", "b": "y"}, ["K"], unknown=Unknown.except_(["c"]))) == "true"
    assert str(asked.query({"a": "x"}, ["K"], unknown=Unknown.except_({"a", "b", "c"}))) == "false"


def test_intervals_of_several_values() -> None:
    asked = session(policy('"K"', 'a == "x" -> "mid"; b == "y" -> "high";'))
    decision = asked.query({"a": "x"}, ["K"], ("low", "mid", "high"), {"b"})
    assert (decision.lowest, decision.highest, str(decision)) == ("mid", "high", "mid..high")
    assert decision.allowed
    assert decision.possible
    assert decision.value == "mid"


def test_a_decision_is_no_truth_value() -> None:
    with pytest.raises(TypeError, match="allowed"):
        bool(session(policy('"K"')).query({}, ["K"]))


def test_sessions_and_decisions_do_not_change() -> None:
    asked = session(policy('"K"', 'a == "b";'))
    action = {"a": "c"}
    decision = asked.query(action, ["K"])
    action["a"] = "b"
    assert "`c`" in decision.because
    with pytest.raises(dataclasses.FrozenInstanceError):
        decision._lowest = 1  # type: ignore[misc]
    extended = asked.extended(parse_policy(policy('"L"'), name="q"))
    assert extended.query({}, ["L"]).allowed
    assert not asked.query({}, ["L"]).allowed


def test_threads_may_share_a_session() -> None:
    asked = session(policy('"K"', 'a ~= "^(x+)$" && _1 == a;'))
    failures: list[str] = []

    def run(text: str) -> None:
        for _ in range(200):
            if not asked.query({"a": text}, ["K"]).allowed:
                failures.append(text)
        keynote.parse_policy(policy('"K"', f'a == "{text}" && (b < "c" || d > e);'), name="p")

    threads = [threading.Thread(target=run, args=("x" * size,)) for size in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_text_is_no_list_of_values_or_names() -> None:
    asked = session(policy('"a"'))
    with pytest.raises(keynote.QueryError, match="values are a sequence of strings"):
        asked.query({}, ["a"], values="false,true")
    with pytest.raises(keynote.QueryError, match="unknown attributes are a container of names"):
        asked.query({}, ["a"], unknown="x")


@pytest.mark.parametrize("unknown", [{"x"}, frozenset({"y", "x"}), ["x"], ("x",)])
def test_what_is_given_is_not_listed_as_unknown(unknown: Collection[str]) -> None:
    with pytest.raises(keynote.QueryError, match="attribute `x` is given and unknown at the same time"):
        session(policy('"a"')).query({"x": ""}, ["a"], unknown=unknown)
    assert session(policy('"a"')).query({"z": ""}, ["a"], unknown=unknown).allowed


# --- what is no assertion


@pytest.mark.parametrize("given", ["Authorizer: x", b"x", ["Authorizer: x"], [None]])
def test_text_is_no_assertion(given: Any) -> None:
    said = "assertions are wanted, which `parse_policy`"
    for ask in (
        lambda: Session(given),
        lambda: Session([], given),
        lambda: Session([]).extended(given),
        lambda: keynote.query(policies=given, action={}, authorizers=["K"]),
    ):
        with pytest.raises(TypeError, match=said):
            ask()


def test_names_that_are_none_are_not_unknown() -> None:
    with pytest.raises(TypeError, match="collection of names"):
        keynote.Unknown.except_("abc")
    for name in ("_x", "a b", ""):
        with pytest.raises(keynote.QueryError, match="is no attribute name, and cannot be unknown"):
            Session([]).query({}, ["K"], unknown=[name])
