# SPDX-License-Identifier: ISC
"""What is set aside is a reason like others, and takes none away."""

import pytest

import keynote
from keynote import Assertion, SetAside, parse_assertion, parse_policy
from keynote.reasons import MAXIMUM
from tests.keynote.asking import policy, told
from tests.keynote.key_pairs import principal

CA = principal("ed25519")


def credential(authorizer: str, licensee: str, conditions: str = "true", name: str = "c") -> Assertion:
    text = f'Authorizer: "{authorizer}"\nLicensees: "{licensee}"\nConditions: {conditions};\n'
    return parse_assertion(text, name=name)


def test_a_signature_that_is_none_is_a_reason_like_others() -> None:
    text = policy(f'POLICY > "{CA}" > a == "x" && b == "y";', f'{CA} > "other" > true;')
    session = keynote.Session(
        parse_policy(text, name="p"), [credential(CA, "gw", 'b == "y" && c == "z"'), credential(CA, "printer")]
    )
    signature, *rest = told(session.query({"a": "x", "b": "y", "c": "z"}, ["gw"]))
    assert signature == "one signature away: c:1: set aside: not signed"
    assert rest == told(keynote.Session(parse_policy(text, name="p")).query({"a": "x", "b": "y", "c": "z"}, ["gw"]))
    assert told(session.query({"a": "x", "b": "y"}, ["gw"])) == [
        "2 changes away: c:1: set aside: not signed",
        "2 changes away: c:3: c is empty, needs `z`",
        *rest,
    ]
    # b would have to be otherwise for both
    assert [reason.distance for reason in session.query({}, ["gw"]).reasons] == [4, 4, 4, 0, 0]
    tree = [line.text for line in session.query({}, ["gw"]).survey]
    assert "set aside: not signed" in tree
    assert "printer" not in str(tree)


@pytest.mark.parametrize(
    ("authorizer", "reason"),
    [
        ("POLICY", "set aside: not signed, and could never count: its authorizer is no key"),
        ("CA", "set aside: not signed, and could never count: its authorizer is no key"),
        ("binary-hex:aa", "set aside: not signed, and could never count: its authorizer is no key"),
        # a signature would not help where nobody licenses who makes it
        (CA, "set aside: not signed"),
    ],
    ids=["POLICY", "a name", "bytes", "a key"],
)
def test_a_credential_that_helps_nobody_displaces_nothing(authorizer: str, reason: str) -> None:
    trusted = parse_policy(policy('POLICY > "CA" > a == "x";', 'CA > "other" > true;'), name="p")
    for requester in ("gw", "other"):
        before = keynote.Session(trusted).query({}, [requester])
        assert told(before)
        decision = keynote.Session(trusted, [credential(authorizer, requester)]).query({}, [requester])
        assert told(decision) == [*told(before), f"c:1: {reason}"]
        assert decision.because == before.because
        assert decision.survey == before.survey


def test_what_is_set_aside_is_told_up_to_a_number_and_the_rest_is_counted() -> None:
    trusted = parse_policy("".join(policy(f'POLICY > "gw" > a == "{n}";') for n in range(MAXIMUM)), name="p")
    trusted += parse_policy(policy(f'POLICY > "{CA}" > true;'), name="q")
    before = keynote.Session(trusted).query({}, ["gw"])
    junk = [credential(CA, "gw", f'b == "{n}"', name=f"c{n}") for n in range(30)]
    decision = keynote.Session(trusted, junk).query({}, ["gw"])
    assert set(before.reasons) < set(decision.reasons)
    assert len(decision.reasons) == MAXIMUM + 20
    assert decision.more_reasons == 40  # each of the 30 lacks two things


def test_of_what_was_set_aside_for_another_reason_no_signature_is_said_to_be_missing() -> None:
    revoked = SetAside(credential("POLICY", "gw").where, "revoked", credential("POLICY", "gw"))
    decision = keynote.Session((), set_aside=[revoked]).query({}, ["gw"])
    assert told(decision)[0] == "one change away: c:1: set aside: revoked"


def test_of_a_way_over_what_was_set_aside_it_is_not_said_that_its_tests_rule_each_other_out() -> None:
    trusted = parse_policy(policy(f'POLICY > "{CA}" > id == "a" || id == "b";'), name="p")
    decision = keynote.Session(trusted, [credential(CA, "gw", 'id == "b"')]).query({}, ["gw"])
    assert sorted(told(decision)[:3]) == [
        "2 changes away: c:1: set aside: not signed",
        "2 changes away: c:3: id is empty, needs `b`",
        "2 changes away: p:3: id is empty, needs `a` or `b`",
    ]


def test_what_cannot_be_read_may_have_been_what_is_missing() -> None:
    trusted = parse_policy(policy('POLICY > "gw" > a == "x";', 'POLICY > "gw" > a == "y" && b == "y";'), name="p")
    broken = SetAside(trusted[0].where, "unreadable")
    decision = keynote.Session(trusted, set_aside=[broken]).query({}, ["gw"])
    assert told(decision) == [
        "one attribute away: p:3: a is empty, needs `x`",
        "2 changes away: p:7: a is empty, needs `y`",
        "p:1: set aside: unreadable",
    ]
    decision = keynote.Session(trusted, set_aside=[broken]).query({}, ["stranger"])
    assert told(decision)[-1] == "p:1: set aside: unreadable"
    assert decision.because == "p:2: licenses `gw`, not `stranger`"
