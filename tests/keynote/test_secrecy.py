# SPDX-License-Identifier: ISC
"""No explanation shows a pre-shared key, or a piece of one, in whatever way a policy takes it apart."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

import keynote
from keynote import parse_policy, report
from keynote import test as tables
from keynote.coverage import Coverage
from keynote.diff import Comparer
from keynote.graph import dot
from keynote.graph.model import Question, data, graph
from keynote.lint import lint
from keynote.recorded import Recorded
from keynote.redaction import Keys, hiding, meant, redacted, shown, shown_piece
from keynote.secrecy import keys_in, keys_of
from keynote.who import who
from tests.keynote import key_pairs
from tests.keynote.commands import run

KEY = "hunter2"
PIECES = ("hunter", "hunt", "unter", "nter2")


def policy(conditions: str, licensees: str = f'"passphrase:{KEY}"', constants: str = "") -> str:
    return f'{constants}Authorizer: "POLICY"\nLicensees: {licensees}\nConditions: {conditions};\n'


POLICIES = [
    # an attribute that completes a passphrase
    policy('psk == "hunter2"', '"passphrase:" . psk'),
    policy('psk ~= "^hunter2$" && a == "1"', '"other" || ("passphrase:" . psk)'),
    policy('"hunter2" == psk', "P . psk", 'Local-Constants: P = "passphrase:"\n'),
    policy('psk == "nter2"', '"passphrase:hu" . psk'),
    policy("true", '"passphrase:hu" . psk'),
    # groups of a match, also of what an expression puts together, and of groups
    policy('_ACTION_AUTHORIZERS ~= "passphrase:([^,]*)" && _1 == "q"'),
    policy('_ACTION_AUTHORIZERS ~= "e:(hun)(.*)" && _2 == "q"'),
    policy('_ACTION_AUTHORIZERS . "x" ~= "e:([^,]*)x" && _1 < x'),
    policy('$("_ACTION_" . "AUTHORIZERS") ~= "e:([^,]*)" && "x" . _1 == x'),
    policy('_ACTION_AUTHORIZERS ~= "e:(.*)" -> { _1 ~= "(....)(.*)" -> { _2 == x && _1 == y; }; }'),
    policy('_ACTION_AUTHORIZERS ~= "e:(....)(.*)" && _2 == x'),
    policy('a ~= "(....)(.*)" && _2 == x && a == "1"'),
    # literals and patterns that are the key, have it, or are a piece of it
    policy(f'_ACTION_AUTHORIZERS ~= "{KEY}" && x == "{KEY}" && y ~= "^{KEY}$" && z == "a{KEY}b"'),
    policy(f'x == "{KEY.upper()}"; x ~= "h[u]nter2"; x ~= "(hunt)er2"; x ~= "hunt\\\\er2"'),
    policy('_ACTION_AUTHORIZERS ~= "unter" && x == "1"'),
    policy(f'x == "1" -> "{KEY}"'),
    # the key of somebody else
    policy(f'_ACTION_AUTHORIZERS ~= "passphrase:([^,]*)" && _1 == "{KEY}"', '"gw"'),
    policy(f'_ACTION_AUTHORIZERS ~= "e:([^,]*)" && _1 == "{KEY}"', '"gw"'),
    policy(f'_ACTION_AUTHORIZERS ~= "^passphrase:{KEY}$" && x == "{KEY}"', '"gw"'),
    policy(f'x == "{KEY}"', '"gw"') + f'\nAuthorizer: "gw"\nLicensees: "pasphrase:{KEY}"\n',
    # put together, and misspelt
    policy("x == P || y ~= P", '"pass" . Q . P', f'Local-Constants: P="{KEY}" Q="phrase:"\n'),
    policy('x == "1"', f'"passphrase {KEY}" || "passphrase={KEY}" || "psk {KEY}" || "PSK:{KEY}" || "password:{KEY}"'),
    policy('x == "1"', f'"apssphrase:{KEY}" || "pasfrase:{KEY}" || "pass phrase {KEY}" && "pass:{KEY}"'),
]
REQUESTERS = [[f"passphrase:{KEY}"], ["gw"], [f"passphrase {KEY}"], ["gw", f"passphrase:{KEY}"], ["passphrase:other"]]
ACTIONS: list[tuple[dict[str, str], set[str]]] = [({}, set()), ({}, {"x"}), ({"a": KEY, "y": "1"}, {"x"})]


def check_hidden(told: str) -> None:
    lines = [line for line in told.splitlines() if any(piece in line.lower() for piece in PIECES)]
    assert not lines


@pytest.mark.parametrize("text", POLICIES, ids=range(len(POLICIES)))
def test_no_explanation_shows_a_key(text: str) -> None:
    session = keynote.Session(parse_policy(text, name="p"))
    told: list[object] = [graph(session), list(who(session, {})), list(who(session, {"a": KEY}))]
    for requesters in REQUESTERS:
        for action, unknown in ACTIONS:
            decision = session.query(action, requesters, ("false", "middle", "true"), unknown)
            told += [decision.because, *decision.reasons, *decision.survey, report.decision_data(decision)]
            told += [(step.authorizer, step.licensees, step.clause, step.remaining) for step in decision.path]
            found = graph(session, Question(action, requesters, unknown=unknown))
            told += [data(found), dot.text(found)]
    check_hidden("\n".join(map(str, told)))


@pytest.mark.parametrize("text", POLICIES, ids=range(len(POLICIES)))
def test_no_tool_shows_a_key(text: str) -> None:
    assertions = parse_policy(text, name="p")
    findings = lint(assertions, now=datetime(2026, 1, 1, tzinfo=UTC))
    session, coverage = keynote.Session(assertions), Coverage()
    query = tables.Query("q", lambda: session, {}, ("gw",), ("false", "true"), frozenset(), "x", (f"needs {KEY}",))
    told = [str((finding, finding.excerpt, finding.hint)) for finding in findings]
    told += [str(tables.run(query, coverage)), str(coverage.clauses)]
    compared = Comparer(assertions, parse_policy('Authorizer: "POLICY"\nLicensees: "gw"\n', name="n")).compare(
        Recorded({}, ("gw",), "", "")
    )
    check_hidden("\n".join([*told, str((compared.old, compared.new))]))


def test_a_set_aside_credential_keeps_its_key() -> None:
    authority = key_pairs.principal("ed25519")
    trusted = parse_policy(f'Authorizer: "POLICY"\nLicensees: "{authority}"\n', name="p")
    credential = parse_policy(
        f'Authorizer: "{authority}"\nLicensees: "passphrase:{KEY}" || "gw"\nConditions: x == "{KEY}";\n', name="c"
    )
    decision = keynote.Session(trusted, credential).query({}, ["gw"])
    told = "\n".join(map(str, (*decision.reasons, *decision.survey)))
    assert "x is empty, needs `(hidden)`" in told
    check_hidden(told)


@pytest.mark.parametrize(
    "text",
    [
        policy(f'x = "{KEY}"'),
        policy(f'x == "a{KEY}b" ?'),
        policy('x == "1"') + f'\nAuthorizer: "gw"\nLicensees: "gw" || "{KEY}" ?\n',
        policy("true", f"passphrase {KEY}"),
        policy("true", f'"gw" || passphrase {KEY}'),
        policy("true", f'"gw" "psk {KEY}"'),
        policy("true", f'"passphrase:\n{KEY}:x"'),
    ],
)
def test_no_mistake_shows_a_key(text: str) -> None:
    with pytest.raises(keynote.PolicyError) as caught:
        parse_policy(text, name="p")
    check_hidden(str(caught.value))


# -- the parts -------------------------------------------------------------------------------------------------------


def edits(word: str) -> set[str]:
    """Every text that is one letter away: lost, doubled, another, or two exchanged."""
    places = range(len(word))
    lost = {word[:at] + word[at + 1 :] for at in places}
    other = {word[:at] + letter + word[at + 1 :] for at in places for letter in "aeqx5"}
    more = {word[:at] + letter + word[at:] for at in places for letter in "aeqx"}
    exchanged = {word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :] for at in places[:-1]}
    return {text for text in lost | other | more | exchanged if text[0].isalpha()}


@pytest.mark.parametrize("sign", [":", " :", " ", "=", "; ", "-md5-hex:"])
def test_every_prefix_one_letter_away_hides_the_key_and_is_told(sign: str) -> None:
    for prefix in edits("passphrase") - {"passphrase"}:
        principal = f"{prefix}{sign}{KEY}"
        assert KEY not in shown(principal), prefix
        assert meant(principal) == ("passphrase-md5-hex:" if "md5" in sign else "passphrase:")
        assert set(keys_in([principal])) == {KEY}, prefix


def test_who_means_no_passphrase_is_not_told_of_one() -> None:
    for principal in ("gw", "DN:/CN=passphrase", "passphrase:x", "passphrase-sha1-hex:00", "rsa-hex:3081", "pass"):
        assert meant(principal) == ""
    assert meant("private-rsa-hex:00") == ""


def test_brackets_are_closed_again() -> None:
    assert redacted("(passphrase:[^,]*)") == "(passphrase:(hidden))"
    assert redacted("a (b) [(psk:x)]") == "a (b) [(psk:(hidden))]"
    assert redacted("(x) passphrase:y") == "(x) passphrase:(hidden)"


def test_known_keys() -> None:
    with hiding([Keys(["hunter2", "q"])]):
        assert shown("x HUNTER2 hunter2") == "x (hidden) (hidden)"
        assert shown("q e.q eq") == "(hidden) e.(hidden) eq"
        assert shown("hunter") == "hunter"
        assert shown_piece("hunter") == shown_piece("^x|unter") == "(hidden)"
        assert shown_piece("hu") == "hu"
        with hiding([Keys(["other"])]):
            assert shown("other q") == "(hidden) (hidden)"
        assert shown("other q") == "other (hidden)"
    assert shown("hunter2 q") == "hunter2 q"
    assert KEY not in repr(Keys([KEY]))


def test_other_values_stay() -> None:
    (assertion,) = parse_policy(
        policy('_ACTION_AUTHORIZERS ~= "DN:/CN=([^,]*)" && _1 == "gw.example.org" && x ~= "passphrase:.*"', '"gw"'),
        name="p",
    )
    assert not keys_of([assertion])
    because = keynote.query(policies=[assertion], action={}, authorizers=["gw", "DN:/CN=x"]).because
    assert because == "p:3: _1 is `x`, needs `gw.example.org`"


def test_a_misspelt_passphrase_is_told() -> None:
    (assertion,) = parse_policy('Authorizer: "POLICY"\nLicensees: "pasphrase:x"\n', name="p")
    because = keynote.query(policies=[assertion], action={}, authorizers=["passphrase:x"]).because
    assert because == "p:2: licenses `pasphrase:(hidden)`, not `passphrase:(hidden)` (did you mean `passphrase:`?)"
    found = lint([assertion], now=datetime(2026, 1, 1, tzinfo=UTC), codes=["KN301"])
    assert [finding.hint for finding in found] == ["did you mean `passphrase:`?"]


# -- files -----------------------------------------------------------------------------------------------------------

EXPOSED = [
    f'Authorizer: "POLICY"\nLicensees: "passphrase:{KEY}"\n',
    f'Local-Constants: P="passphrase:" Q="{KEY}"\nAuthorizer: "POLICY"\nLicensees: P . Q\n',
    f'Authorizer: "POLICY"\nLicensees: "pa" . "ssphra" . "se:{KEY}"\n',
    f'Authorizer: "POLICY"\nLicensees: "\\160assphrase:{KEY}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase {KEY}"\n',
    f'Authorizer: "POLICY"\nLicensees: "gw" || "psk:{KEY}"\n',
]
COMMANDS = [
    "fmt --check p.kn",
    "fmt p.kn",
    "sigver p.kn",
    "lint p.kn",
    "eval -p p.kn -k gw",
    "eval -p q.kn -c p.kn -k gw",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_warn_of_a_file_that_others_can_read(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.kn").write_text('Authorizer: "POLICY"\nLicensees: "gw"\n')
    for text in EXPOSED if command.startswith("fmt --check") else EXPOSED[1:2]:
        (tmp_path / "p.kn").write_text(text)
        for mode, warned in ((0o644, True), (0o640, True), (0o600, False)):
            (tmp_path / "p.kn").chmod(mode)
            assert ("p.kn: holds a passphrase" in run(command, capsys)[2]) is warned
            with pytest.raises(keynote.PolicyError) if warned else hiding(()):
                keynote.load_policy(tmp_path / "p.kn")
    (tmp_path / "p.kn").write_text('Authorizer: "POLICY"\nLicensees: "gw.example.org" . "x"\n')
    (tmp_path / "p.kn").chmod(0o644)
    assert "passphrase" not in run(command, capsys)[2]


def test_requesters_in_a_file_that_others_can_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "q.kn").write_text('Authorizer: "POLICY"\nLicensees: "gw"\n')
    (tmp_path / "k").write_text(f"passphrase:{KEY}\n")
    for mode, warned in ((0o644, True), (0o600, False)):
        (tmp_path / "k").chmod(mode)
        err = run(f"eval -p {tmp_path}/q.kn -k @{tmp_path}/k", capsys)[2]
        assert ("holds a passphrase" in err) is warned
