# SPDX-License-Identifier: ISC
"""Passphrases are secrets: no message, no excerpt and no repr shows one."""

import dataclasses
import gc
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import keynote
from keynote import parse_policy, report
from keynote import test as tables
from keynote.redaction import is_secret, quoted, redacted, shown

SECRET = "mekmitasdigoat"
FORMS = ["passphrase:", "passphrase-md5-hex:", "passphrase-sha1-hex:", "Passphrase:", "passphrase-sha2-256-hex:"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_hidden(form: str) -> None:
    assert is_secret(form + SECRET)
    assert shown(form + SECRET) == "passphrase:(hidden)"
    assert redacted(f"K,{form}{SECRET},L") == "K,passphrase:(hidden)"  # a passphrase may contain commas
    assert quoted(form + SECRET) == "`passphrase:(hidden)`"


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("plain", "plain"),
        ("M\xc3\xbcller", "Müller"),  # the bytes of UTF-8
        ("caf\xe9", "caf\\xe9"),
        ("a\nb\x1b[0m", "a\\x0ab\\x1b[0m"),
        ("\xc2\x85\xe2\x80\xae", "\\x85\\x202e"),
        ("passphrase", "passphrase"),
    ],
)
def test_control_characters_are_made_visible(text: str, visible: str) -> None:
    assert shown(text) == visible


BROKEN = [
    f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}\nConditions: true;\n',
    f'Authorizer: "POLICY"\nLicensees: "K && "passphrase:{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "K" "passphrase:{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:" "{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:" . "{SECRET}" . ?\n',
    f'Authorizer: "POLICY"\nLicensees: "pass" . "phrase:" . "{SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: "pass" . "phrase:{SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: "\\160assphrase:{SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:" . KEY\nLocal-Constants: KEY = "{SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: KEY\nLocal-Constants: KEY = "passphrase:{SECRET}", X="y"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:\\\n    {SECRET}" ?\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:\\\n    {SECRET} ?\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}"\nConditions: "passphrase:{SECRET}" = a;\n',
    f'Authorizer: "POLICY"\nLicensees: passphrase:{SECRET}\n',
    f'Authorizer: "POLICY"\nLicensees: "K" passphrase:{SECRET} {SECRET}\n',
    f'Authorizer: "passphrase-md5-hex:{SECRET}\n',
    f'Authorizer: "POLICY"\nLicenses: "passphrase:{SECRET}"\n',
    f'Authorizer: "POLICY"\n\nLicensees: "passphrase:{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:"{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:" {SECRET} "\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:x" {SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:x"y {SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:x""{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:"\n{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:x"\n{SECRET}" || "K"\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:\n\n{SECRET}"\n',
    f'Authorizer: "POLICY"\nLicensees: 2-of("passphrase:{SECRET}")\n',
    f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}"\r\n',
]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_errors_hide_passphrases(text: str) -> None:
    with pytest.raises(keynote.PolicyError) as caught:
        parse_policy(text, name="p.kn")
    assert caught.value.problems
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.problems)
    assert not any(piece in str(caught.value) for piece in (SECRET[:6], SECRET[-6:]))


INSERTED = st.sampled_from(["", '"', "?", "\\", "\n", "(", "#", "=", " ", '" ', ' "', '" "', '" . "', "&&", ";"])


# Invariant: wherever a policy breaks, and however often, the excerpt does not show its key.
@settings(max_examples=250)
@given(st.lists(st.tuples(st.integers(0, 160), st.integers(0, 4), INSERTED), min_size=1, max_size=3))
def test_excerpts_of_mutations_hide_passphrases(mutations: list[tuple[int, int, str]]) -> None:
    key = f'"passphrase:{SECRET}"'
    text = f'Local-Constants: KEY = {key}\nAuthorizer: "POLICY"\nLicensees: KEY || {key}\nConditions: {key} == a;\n'
    for at, removed, inserted in mutations:
        text = text[:at] + inserted + text[at + removed :]
    if text.count(SECRET) < 3 or text.count("passphrase:") < 3:
        return  # a mutation hit the secret, or what tells that it is one
    try:
        parse_policy(text, name="p.kn")
    except keynote.PolicyError as error:
        message = str(error)
        check_hidden(message)


def check_hidden(message: str) -> None:
    assert SECRET not in message


def test_the_caret_stays_below_its_place() -> None:
    with pytest.raises(keynote.PolicyError) as caught:
        parse_policy(f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}" || ?\n', name="p.kn")
    line, caret = caught.value.problems[0].excerpt.splitlines()
    assert line.strip() == 'Licensees: "passphrase:(hidden)" || ?'
    assert line.index("?") == caret.index("^")


@pytest.mark.parametrize("size", [10, 90, 5_000])
def test_long_lines_are_cut_around_the_caret(size: int) -> None:
    with pytest.raises(keynote.PolicyError) as caught:
        parse_policy(f'Authorizer: "POLICY"\nConditions: {"(" * size}a = b{")" * size};\n', name="p.kn")
    line, caret = caught.value.problems[0].excerpt.splitlines()
    assert line[caret.index("^")] == "="
    assert len(line) < 110


def test_answers_hide_passphrases() -> None:
    policy = parse_policy(
        f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}" && "K"\n'
        f'Conditions: _ACTION_AUTHORIZERS == "passphrase:{SECRET}" || a == b;\n',
        name="p.kn",
    )
    session = keynote.Session(policy)
    for requesters in ([f"passphrase:{SECRET}"], [f"passphrase:{SECRET}", "K"], ["K"]):
        for unknown in ((), {"a"}):
            decision = session.query({"b": "x"}, requesters, unknown=unknown)
            told = [decision.because, *map(str, decision.reasons), *map(str, decision.survey)]
            told += [str(report.decision_data(decision)), repr(decision), repr(decision.path), repr(decision.reasons)]
            check_hidden("\n".join(told))


def test_no_repr_shows_a_passphrase() -> None:
    key = f"passphrase:{SECRET}"
    made = keynote.trusted("POLICY", key, 'a == "b"', name="n")
    variable = parse_policy(f'Authorizer: who\nLicensees: "{key}" || $b\n', name="p")
    session = keynote.Session([made, *variable])
    decision = session.query({"a": "b"}, [key], unknown={"c"})
    query = tables.Query("n", lambda: session, {}, (key,), ("f", "t"), frozenset(), "t")
    seen: dict[int, object] = {}
    todo: list[object] = [session, decision, query, decision.path, decision.reasons, decision.survey]
    while todo:
        thing = todo.pop()
        # What the package made, and the containers and closures in between; not the modules that functions refer to.
        if id(thing) in seen or isinstance(thing, ModuleType) or getattr(thing, "__name__", "").startswith("keynote"):
            continue
        if isinstance(thing, dict) and "__builtins__" in thing and "__file__" in thing:
            continue
        seen[id(thing)] = thing
        todo += gc.get_referents(thing)
        if dataclasses.is_dataclass(thing) and type(thing).__module__.startswith("keynote."):
            check_hidden(repr(thing))
    kinds = {type(thing).__name__ for thing in seen.values()}
    assert {"Assertion", "Delegation", "Evidence", "Literal", "CompiledLicensees", "VariableDelegation"} <= kinds


@pytest.mark.parametrize(
    "prefix",
    [
        "pasphrase",
        "Passphase-md5-hex",
        "pass-phrase",
        "passprhase",
        "passphrases",
        "pasfrase",
        "apssphrase",
        "password",
    ],
)
def test_a_misspelt_prefix_tells_nothing_either(prefix: str) -> None:
    told = shown(f"{prefix}:correct horse")
    assert told.endswith(":(hidden)")
    assert told[:4].lower() == prefix[:4].lower(), "so that the mistake is seen"
    assert "horse" not in quoted(f"DN:/CN=x {prefix}:correct horse")


@pytest.mark.parametrize(
    "before", ["", "x", "a", "pas ", "pass-", "as_", "passed: ", "password ", "pas pas ", "pasta-"]
)
def test_whatever_stands_before_it(before: str) -> None:
    for prefix in ("passphrase", "passphrase-sha1-hex", "pasphrase"):
        if prefix != "pasphrase" or not before or before[-1] in " :":
            assert "horse" not in shown(f"{before}{prefix}:correct horse")


@pytest.mark.parametrize(
    "text",
    [
        "DN:/CN=pass",
        "compass:north",
        "parser:x",
        "rsa-hex:30",
        "paraphrase:a",
        "passport:1",
        "asphalt:b",
        "app_domain:",
    ],
)
def test_other_words_stay(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "private-ed25519-bas64:SECRET",
        "private-ed25519-base64 :SECRET",
        "private_rsa_hex:SECRET",
        "privat-rsa-hex:SECRET",
        "Private-EC:SECRET",
        "private-ed2519-hex=SECRET",
        "-----BEGIN PRIVATE KEY-----\nSECRET",
        "-----BEGIN RSA PRIVATE KEY-----\nSECRET",
    ],
)
def test_private_keys_are_hidden_misspelt_and_in_pem_too(text: str) -> None:
    assert shown(f"x {text}") == "x private-key:(hidden)"
    assert shown(shown(text)) == shown(text) == "private-key:(hidden)"


@pytest.mark.parametrize(
    "text", ["private-network: 10.0.0.0/8", "the private key: none", "printed-hex: 5", "-----BEGIN PUBLIC KEY-----"]
)
def test_what_is_no_private_key_is_shown(text: str) -> None:
    assert shown(text) == text
