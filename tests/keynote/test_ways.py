# SPDX-License-Identifier: ISC
"""The one way from POLICY to a requester: when there is one, and what a session remembers of it."""

import pytest
from hypothesis import given, settings

import keynote
from keynote.evaluator import Delegations, Layer
from keynote.loading import delegations
from keynote.ways import requesters
from tests.keynote import reference

POLICY = 'Authorizer: "POLICY"\nLicensees: "A"\nConditions: x == "1";\n'
A_TO_K = 'Authorizer: "A"\nLicensees: "K"\nConditions: y == "1";\n'
A_TO_L = 'Authorizer: "A"\nLicensees: "L"\nConditions: z == "1";\n'
ALIKE = 'Authorizer: "A"\nLicensees: "K"\nConditions: x == "1";\n'
BARE = 'Authorizer: "A"\nLicensees: "K"\n'


def session(*assertions: str) -> keynote.Session:
    return keynote.Session(keynote.parse_policy("\n".join(assertions), name="p.kn"))


def way(assertions: tuple[str, ...], names: list[str]) -> int | None:
    """How many Conditions are on it."""
    fixed, variable = delegations(keynote.parse_policy("\n".join(assertions), name="p.kn"))
    assert not variable
    found = requesters(names, Delegations([Layer(fixed)])).way
    return None if found is None else len(found)


@pytest.mark.parametrize(
    ("assertions", "names", "length"),
    [
        ((POLICY, A_TO_K), ["K"], 2),
        ((POLICY, A_TO_K, A_TO_L), ["K"], 2),
        ((POLICY, A_TO_K), ["A"], 1),
        ((POLICY, A_TO_K), ["K", "X"], 2),
        ((POLICY, ALIKE), ["K"], 1),  # equal Conditions are evaluated once
        ((POLICY, BARE), ["K"], 1),
        (('Authorizer: "POLICY"\nLicensees: "A"\n', BARE), ["K"], 0),
        ((POLICY.replace('"A"', '"A" || "B"'), A_TO_K), ["K"], 2),
        ((POLICY, A_TO_K.replace('"K"', '2-of("K", "L", "M")')), ["K", "M"], 2),
        ((POLICY, A_TO_K, 'Authorizer: "B"\nLicensees: "K"\n'), ["K"], 2),  # nobody licenses B
        # nobody to start from, or more than one way, or one that is not certain
        ((POLICY, A_TO_K), ["X"], None),
        ((POLICY, A_TO_K), ["POLICY"], None),
        ((POLICY, A_TO_K), ["K", "A"], None),
        ((POLICY, A_TO_K, A_TO_L), ["K", "L"], None),
        ((POLICY, A_TO_K, ALIKE), ["K"], None),
        ((A_TO_K,), ["K"], None),
        ((POLICY.replace('"A"', '"A" && "B"'), A_TO_K), ["K"], None),
        ((POLICY.replace('"A"', '"A" && "K"'), A_TO_K), ["K"], None),
        ((POLICY.replace('"A"', '"A" || "K"'), A_TO_K), ["K"], None),
        ((POLICY, A_TO_K, 'Authorizer: "POLICY"\nConditions: x == "2";\n'), ["K"], None),  # licenses anybody
        (('Authorizer: "A"\nLicensees: "B"\n', 'Authorizer: "B"\nLicensees: "A" || "K"\n'), ["K"], None),
    ],
)
def test_when_there_is_one_way(assertions: tuple[str, ...], names: list[str], length: int | None) -> None:
    assert way(assertions, names) == length


@settings(max_examples=300)
@given(reference.ASSERTIONS, reference.ATTRIBUTES, reference.REQUESTERS)
def test_a_session_that_is_asked_again_says_the_same(
    assertions: list[reference.Assertion], attributes: dict[str, str], names: list[str]
) -> None:
    asked = session(*map(reference.assertion_text, assertions))
    wanted = reference.VALUES[reference.query(assertions, attributes, names)]
    for action in ({}, attributes, attributes):
        decision = asked.query(action, names, reference.VALUES)
        assert decision.because
    assert decision.value == wanted
    asked_once = session(*map(reference.assertion_text, assertions)).query(attributes, names, reference.VALUES)
    assert (decision.because, decision.path == ()) == (asked_once.because, asked_once.path == ())


def test_the_answer_depends_on_the_action_alone() -> None:
    asked = session(POLICY, A_TO_K)
    allowed = [asked.query({"x": x, "y": y}, ["K"]).allowed for x in "01" for y in "01"]
    assert allowed == [False, False, False, True]
    interval = asked.query({"x": "1"}, ["K"], unknown={"y"})
    assert (str(interval), interval.because) == (
        "false..true",
        "POLICY → A → K, p.kn:3, if unknown attributes allow it",
    )
    assert str(asked.query({"x": "0"}, ["K"], unknown={"y"})) == "false"
    given = {"x": "1", "y": "1"}
    assert str(asked.query(given, ["K"], unknown=keynote.Unknown.except_([]))) == "true"


def test_strangers_and_passphrases_are_not_remembered() -> None:
    asked = session(POLICY, 'Authorizer: "A"\nLicensees: "passphrase:abc" || "K"\n')
    assert asked.query({"x": "1"}, ["passphrase:abc"]).allowed
    assert asked.query({"x": "1"}, ["PASSPHRASE-X:abc", "K"]).allowed
    assert not asked.query({"x": "1"}, ["stranger"]).allowed
    assert asked._requesters == {}
    assert asked.query({"x": "1"}, ["K"]).allowed
    assert list(asked._requesters) == [("K",)]


def test_a_session_remembers_so_many_requesters() -> None:
    asked = session(POLICY, A_TO_K)
    for number in range(3_000):
        assert asked.query({"x": "1", "y": "1"}, ["K", f"stranger{number}"]).allowed
    assert len(asked._requesters) <= 1024


def test_a_text_is_no_list_even_if_it_is_known() -> None:
    asked = session(POLICY, A_TO_K)
    assert asked.query({"x": "1", "y": "1"}, ["K"]).allowed
    with pytest.raises(keynote.QueryError, match="sequence"):
        asked.query({}, "K")
    with pytest.raises(keynote.QueryError, match="strings"):
        asked.query({}, [["K"]])  # type: ignore[list-item]


def test_equal_conditions_in_two_files_are_one_tree() -> None:
    (policy,) = keynote.parse_policy(POLICY, name="p.kn")
    (credential, other), _ = keynote.parse_credentials(f"{ALIKE}\n{A_TO_K}", name="c.kn")
    assert policy.conditions is not None
    assert credential.conditions is not None
    assert other.conditions is not None
    assert policy.conditions.tree is credential.conditions.tree
    assert policy.conditions.tree is not other.conditions.tree
