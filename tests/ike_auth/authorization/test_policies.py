# SPDX-License-Identifier: ISC
"""The library of policies is as strict as the daemon wants it.

Whoever may let somebody in is bound to a name (strict rule 3), and gets nothing without encryption, nor when another
application asks.
"""

import dataclasses
from pathlib import Path

import pytest

import keynote
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.config.policy import load_policy
from keynote.test import Query, queries

FOLDERS = sorted(path.parent for path in (Path(__file__).parents[3] / "policies").glob("*/policy.kn"))
CASES = [query for folder in FOLDERS for query in queries(folder) if query.expect == "true"]


def test_the_library_is_there() -> None:
    assert {folder.name for folder in FOLDERS} >= {
        "preshared-key",
        "named-gateways",
        "road-warriors",
        "subdivided-authority",
        "time-windows",
        "strong-algorithms",
        "partner",
        "two-of-three",
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_nobody_gets_in_under_a_name_that_policy_does_not_have(folder: Path, tmp_path: Path) -> None:
    """As `ike-auth check` asks for every authority and pre-shared key, here for everybody in the file."""
    copy = tmp_path / "policy.kn"
    copy.touch(0o600)
    copy.write_bytes((folder / "policy.kn").read_bytes())
    authorizer = KeyNoteAuthorizer(keynote.Session(load_policy(copy)))
    # No key, certificate or pre-shared key makes a principal that is a mere word.
    principals = sorted(who for who in authorizer.licensees() if ":" in who)
    assert principals
    assert {who: authorizer.unbound_principals([who]) for who in principals} == dict.fromkeys(principals)
    assert authorizer.unbound_principals(principals) is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize(
    "change",
    [
        {"esp_enc_alg": "null"},
        {"esp_enc_alg": ""},
        {"esp_present": "no"},
        {"app_domain": "other"},
        {"app_domain": ""},
    ],
)
def test_what_is_allowed_needs_encryption_and_the_application(case: Query, change: dict[str, str]) -> None:
    assert ask(case).allowed
    assert not ask(dataclasses.replace(case, action={**case.action, **change})).possible


def ask(case: Query) -> keynote.Decision:
    return case.session().query(case.action, case.authorizers, case.values, case.unknown)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_each_says_what_it_is_for_and_shows_both_answers_with_reasons(folder: Path) -> None:
    text = (folder / "policy.kn").read_text()
    assert text.startswith("# ")
    assert "Use it" in text
    assert "hange" in text[: text.index("Authorizer")]
    told = [case for case in queries(folder) if case.because]
    assert {"true", "false"} <= {case.expect for case in told if isinstance(case.expect, str)}
