# SPDX-License-Identifier: ISC
"""Findings as SARIF and as documentation."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from keynote.files import parse_all
from keynote.lint import CHECKS, lint
from keynote.lint.pages import page, reference
from keynote.lint.sarif import sarif

ROOT = Path(__file__).parent.parent.parent.parent
NOW = datetime(2026, 6, 1, tzinfo=UTC)
TEXT = (
    'Authorizer: "POLICY"\nLicensees: "DN:/CN=Zoë"\n'
    'Conditions: app_domain == "IPsec policy" && remote_id != "Zoë" && esp_enc_alg != "null" -> "true";\n'
)

# What sarif-schema-2.1.0.json requires of each object, and which properties of it are used here, with their kinds.
REQUIRED = {
    "sarifLog": {"version", "runs"},
    "run": {"tool"},
    "tool": {"driver"},
    "toolComponent": {"name"},
    "reportingDescriptor": {"id"},
    "multiformatMessageString": {"text"},
    "result": {"message"},
}
PROPERTIES: dict[str, dict[str, Any]] = {
    "sarifLog": {"$schema": str, "version": ["2.1.0"], "runs": ["run"]},
    "run": {"tool": "tool", "columnKind": ["utf16CodeUnits", "unicodeCodePoints"], "results": ["result"]},
    "tool": {"driver": "toolComponent"},
    "toolComponent": {"name": str, "version": str, "rules": ["reportingDescriptor"]},
    "reportingDescriptor": {
        "id": str,
        "shortDescription": "multiformatMessageString",
        "fullDescription": "multiformatMessageString",
        "help": "multiformatMessageString",
        "defaultConfiguration": "reportingConfiguration",
    },
    "multiformatMessageString": {"text": str, "markdown": str},
    "reportingConfiguration": {"level": ["none", "note", "warning", "error"]},
    "result": {
        "ruleId": str,
        "ruleIndex": int,
        "level": ["none", "note", "warning", "error"],
        "message": "message",
        "locations": ["location"],
    },
    "message": {"text": str},
    "location": {"physicalLocation": "physicalLocation"},
    "physicalLocation": {"artifactLocation": "artifactLocation", "region": "region"},
    "artifactLocation": {"uri": str},
    "region": {"startLine": int, "startColumn": int},
}


def check_shape(value: Any, kind: str) -> None:
    assert value.keys() >= REQUIRED.get(kind, set()), kind
    assert value.keys() <= PROPERTIES[kind].keys(), kind
    for name, inner in value.items():
        wanted = PROPERTIES[kind][name]
        if isinstance(wanted, type):
            assert isinstance(inner, wanted), (kind, name)
        elif isinstance(wanted, str):
            check_shape(inner, wanted)
        elif isinstance(inner, list):
            for member in inner:
                check_shape(member, wanted[0])
        else:
            assert inner in wanted, (kind, name)


@pytest.mark.parametrize("name", ["policies/a b.kn", "/etc/isakmpd/policy.kn"])
def test_sarif(name: str) -> None:
    assertions, _ = parse_all(TEXT.encode(), name=name)
    findings = lint(assertions, now=NOW)
    log = sarif(findings)
    check_shape(log, "sarifLog")
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == list(CHECKS)
    assert len(run["results"]) == len(findings) > 3
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] in ("policies/a%20b.kn", "file:///etc/isakmpd/policy.kn")
        assert min(place["region"].values()) >= 1


def test_columns_are_counted_in_bytes_for_people_and_in_characters_for_sarif() -> None:
    assertions, _ = parse_all(TEXT.encode(), name="p")
    last = [finding for finding in lint(assertions, now=NOW) if finding.code == "KN111"][-1]
    line = TEXT.splitlines()[2]
    assert last.character == line.index("esp_enc_alg") + 1
    assert last.where.column == last.character + 1


def test_no_passphrase_is_told() -> None:
    text = (
        'Authorizer: "POLICY"\nLicensees: 2-of("passphrase:mekmitasdigoat", "passphrase:mekmitasdigoat")\n'
        'Conditions: app_domain == "IPsec policy" && remote_id == "passphrase:mekmitasdigoat" -> "ture";\n'
        '    remote_id == "passphrase:mekmitasdigoat" && remote_id == "passphrase:x";\n'
        '    remote_id ~= "passphrase:mekmita(";\n'
    )
    assertions, _ = parse_all(text, name="p")
    findings = lint(assertions, now=NOW)
    assert {"KN309", "KN205", "KN201", "KN206"} <= {finding.code for finding in findings}
    assert "mekmi" not in repr(findings)
    assert "mekmi" not in str(sarif(findings))


# -- documentation ---------------------------------------------------------------------------------------------------


def test_the_document_has_every_check_as_the_table_has_it() -> None:
    """`keynote lint --explain all` prints what stands below the heading."""
    text = (ROOT / "docs" / "lint.md").read_text()
    assert text.endswith(f"## The checks\n\n{reference()}")


def test_a_page() -> None:
    text = page(CHECKS["KN104"])
    assert text.startswith("### KN104 numbers compared as strings (warning)\n\n")
    assert '\n\n    Conditions: app_domain == "IPsec policy" && esp_key_length > "128" -> "true";\n\n' in text


POLICIES = Path(__file__).parent / "policies"
SECRET = "mekmitasdigoat"
#: A key that stands behind its prefix elsewhere, among what a terminal would obey.
HOSTILE = r"\nfoo.kn:1: error\033]0;x\007\204\342\200\256" + SECRET


# Every check, whatever stands in the strings of what it finds.
@pytest.mark.parametrize("path", sorted(POLICIES.glob("KN*.kn")), ids=lambda path: path.stem)
def test_nothing_that_a_string_holds_gets_out(path: Path) -> None:
    text = path.read_text()
    known = f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}"\n\n'
    for string in re.finditer(r'"[^"\n]*"', text):
        for more in (string[0][:-1] + HOSTILE, '"' + HOSTILE):
            assertions, _ = parse_all(f'{known}{text[: string.start()]}{more}"{text[string.end() :]}', name="p")
            for finding in lint(assertions, now=NOW):
                told = (finding.message, finding.hint, *finding.excerpt.splitlines())
                assert all(line.isprintable() for line in told), told
                assert SECRET not in repr(told)
