# SPDX-License-Identifier: ISC
"""Whatever can be parsed can be looked at and laid out: collected cases, random graphs, large texts."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings

from keynote.errors import PolicyError
from keynote.files import parse_all
from keynote.layout import formatted
from keynote.lint import lint
from tests.cpu import at_most
from tests.keynote import reference

CASES = Path(__file__).parent.parent.parent / "vectors" / "keynote" / "cases.jsonl"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_the_collected_cases() -> None:
    laid_out = 0
    for line in CASES.read_text().splitlines():
        case = json.loads(line)
        policies = [parse_all(text, name="p")[0] for text in case["policies"]]
        credentials = [parse_all(text, name="c")[0] for text in case["credentials"]]
        lint(
            [found for each in policies for found in each], [found for each in credentials for found in each], now=NOW
        )
        for text in (*case["policies"], *case["credentials"]):
            try:
                once = formatted(text, name="p")
            except PolicyError:
                continue
            laid_out += 1
            assert formatted(once, name="p") == once
    assert laid_out > 100


@settings(max_examples=200)
@given(reference.ASSERTIONS)
def test_random_graphs(assertions: list[reference.Assertion]) -> None:
    text = "\n".join(map(reference.assertion_text, assertions))
    found, problems = parse_all(text.replace("low", "false"), name="p")
    assert problems == ()
    first = lint(found, now=NOW)
    assert first == lint(found, now=NOW)
    assert all(finding.where.file == "p" for finding in first)


def policies(count: int) -> str:
    return "\n".join(
        f'Authorizer: "POLICY"\nLicensees: "DN:/CN=gw{number}"\n'
        'Conditions: app_domain == "IPsec policy" && esp_present == "yes" && esp_enc_alg == "aes" &&\n'
        f'    remote_id_type == "FQDN" && remote_id == "gw{number}.example.org" && esp_ecn != "yes" -> "true";\n'
        for number in range(count)
    )


def chain(count: int) -> str:
    links = [f'Authorizer: "c{number}"\nLicensees: "c{number + 1}"\n' for number in range(count)]
    return "\n".join(
        ['Authorizer: "POLICY"\nLicensees: "c0"\n', *links, f'Authorizer: "c{count}"\nLicensees: "c0"\n']
    )


def clauses(count: int) -> str:
    tests = (f'    remote_id == "gw{number}.example.org" && a != "{number}" -> "true";\n' for number in range(count))
    head = 'Authorizer: "POLICY"\nLicensees: "DN:/CN=CA"\nConditions: app_domain == "mail" -> {\n'
    return f"{head}{''.join(tests)} }};\n"


@pytest.mark.slow
@pytest.mark.parametrize("make", [policies, chain, clauses])
def test_long_texts_take_no_age(make: object) -> None:
    """A second or two; what is quadratic takes minutes."""
    assert callable(make)
    assertions, problems = parse_all(make(4000), name="p")
    assert problems == ()
    with at_most(20):
        lint(assertions, now=NOW)
