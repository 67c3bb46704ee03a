# SPDX-License-Identifier: ISC
"""`# lint: ignore`: where it counts, and what is told of one that does not."""

from datetime import UTC, datetime

import pytest

from keynote.files import parse_all
from keynote.lint import CHECKS, lint

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HEAD = 'Authorizer: "POLICY"\nLicensees: "DN:/CN=gw"\n'
TEST = """Conditions: app_domain == "IPsec policy" &&
    esp_enc_alg != "null" &&
    esp_auth_alg != "hmac-md5" -> "true";
"""


def found(text: str, codes: frozenset[str] = frozenset({"KN111", "KN002"})) -> list[str]:
    assertions, problems = parse_all(text, name="p")
    assert problems == ()
    return [f"{finding.where.line}:{finding.code}" for finding in lint(assertions, now=NOW, codes=codes)]


def test_without_a_comment() -> None:
    assert found(HEAD + TEST) == ["4:KN111", "5:KN111"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (HEAD + TEST.replace('"null" &&', '"null" &&  # lint: ignore KN111'), ["5:KN111"]),
        (HEAD + TEST.replace('"null" &&', '"null" && #lint:ignore KN101,KN111 since it is late'), ["5:KN111"]),
        (HEAD + TEST.replace('"null" &&', '"null" &&\n    # lint: ignore kn111'), []),
        ("# lint: ignore KN111\n" + HEAD + TEST, []),
        ("# lint: ignore KN1\n" + HEAD + TEST, []),
        ("# lint: ignore KN11, KN5\n" + HEAD + TEST, []),
        ("# lint: ignore KN12\n" + HEAD + TEST, ["5:KN111", "6:KN111"]),
        (HEAD + TEST + "# lint: ignore KN111\n", []),
        (HEAD + TEST + "\n# lint: ignore KN111\n\n" + HEAD + TEST, []),
        ("# lint: ignore KN111\n" + HEAD + TEST + "\n" + HEAD + TEST, ["11:KN111", "12:KN111"]),
        # What is in a literal or in the Comment field is no comment, but for a line of its own there.
        (HEAD + TEST.replace('"null"', '"# lint: ignore KN111"'), ["4:KN111", "5:KN111"]),
        ("Comment: x # lint: ignore KN111\n" + HEAD + TEST, ["5:KN111", "6:KN111"]),
        ('Comment: "\n# lint: ignore KN111\n' + HEAD + TEST, []),
    ],
)
def test_where_it_counts(text: str, left: list[str]) -> None:
    assert found(text, frozenset({"KN111"})) == left


KEY = "ed25519-base64:MCowBQYDK2VwAyEAZnKg5weDCFtZNH4svbP9NSEi4NfUu00c9J+Tj6cre2o="


def test_below_a_signature() -> None:
    """Where the text is signed, the comment cannot be put into it."""
    text = f'{HEAD.replace("POLICY", KEY)}{TEST}Signature: "sig-ed25519-hex:00"\n# lint: ignore KN111\n'
    assertions, problems = parse_all(text, name="p")
    assert problems == ()
    assert {finding.code for finding in lint(assertions, now=NOW)} & {"KN111", "KN306"} == {"KN306"}


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# lint: ignore", "this comment names no code"),
        ("# lint: ignore everything", "this comment names no code"),
        ("# lint: ignore KN999", "there is no code `KN999`"),
        ("# lint: ignore KN001", "`KN001` cannot be ignored"),
        ("# lint: ignore KN0", "`KN001` cannot be ignored"),
        ("# lint: ignore KN9", "there is no code `KN9`"),
        ("# lint: ignore KN2", "`KN2` finds nothing here, so this comment ignores nothing"),
        ("# lint: ignore KN111, KN112", "`KN112` finds nothing here, so this comment ignores nothing"),
    ],
)
def test_useless_comments(comment: str, message: str) -> None:
    assertions, _ = parse_all(f"{HEAD}{comment}\n{TEST}", name="p")
    (finding,) = [finding for finding in lint(assertions, now=NOW) if finding.code == "KN002"]
    assert (finding.message, finding.where.line, finding.where.column) == (message, 3, 1)
    assert finding.excerpt == f"    {comment}\n    ^"


def test_a_code_that_is_not_looked_for_is_not_called_useless() -> None:
    text = f"{HEAD}# lint: ignore KN112\n{TEST}"
    assert found(text, frozenset({"KN002"})) == []
    assert found(text, frozenset({"KN002", "KN112"})) == ["3:KN002"]
    text = f"{HEAD}# lint: ignore KN20\n{TEST}"
    every = frozenset(code for code in CHECKS if code.startswith("KN20"))
    assert found(text, frozenset({"KN002", *every} - {"KN202"})) == []
    assert found(text, frozenset({"KN002", *every})) == ["3:KN002"]


def test_what_the_clock_will_find_may_be_ignored_before() -> None:
    test = TEST.replace('"null"', '"null" && GMTTimeOfDay < "20260601"').replace("!=", "==")
    for day, text in (("20260601", test), ("20270601", test.replace("20260601", "20270601"))):
        codes = frozenset({"KN002", "KN401", "KN402"})
        assert found(f"{HEAD}{text}", codes) == (["4:KN401"] if day == "20260601" else [])
        for ignored in ("KN401", "KN4"):
            assert found(f"{HEAD}# lint: ignore {ignored}: an example\n{text}", codes) == []
