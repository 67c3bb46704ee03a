# SPDX-License-Identifier: ISC
"""Each check by its code: `policies/CODE.kn` triggers it, `policies/CODE-near.kn` is nearly the same and does not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keynote.files import parse_all
from keynote.lint import CHECKS, Finding, lint, unreadable

HERE = Path(__file__).parent / "policies"
POLICIES = Path(__file__).parent.parent.parent.parent / "policies"
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def findings(path: Path) -> tuple[Finding, ...]:
    assertions, problems = parse_all(path.read_bytes(), name=path.name)
    if path.name.endswith(".credentials.kn"):
        return (*unreadable(problems), *lint([], assertions, now=NOW))
    return (*unreadable(problems), *lint(assertions, now=NOW))


def the_file(stem: str) -> Path:
    (found,) = [path for path in HERE.iterdir() if path.name in (f"{stem}.kn", f"{stem}.credentials.kn")]
    return found


@pytest.mark.parametrize("code", CHECKS)
def test_a_policy_that_triggers_it_and_one_that_does_not(code: str) -> None:
    found = [finding for finding in findings(the_file(code)) if finding.code == code]
    assert found
    for finding in found:
        assert finding.severity == CHECKS[code].severity
        assert finding.message.startswith(("Conditions", "Licensees")) or not finding.message[0].isupper()
        assert not finding.message.endswith(".")
        assert finding.excerpt.endswith("^")
    near = the_file(f"{code}-near")
    assert [str(finding) for finding in findings(near) if finding.code in (code, "KN001")] == []


def test_no_file_is_left_over() -> None:
    assert {path.name.split(".")[0].removesuffix("-near") for path in HERE.iterdir()} == set(CHECKS)


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("KN101", "`esp_enc_algo` is no attribute of IPsec, and so is always empty", "did you mean `esp_enc_alg`?"),
        (
            "KN102",
            "esp_enc_alg is never `aes-256`",
            "`aes` whatever its mode; the length is another attribute: `@esp_key_length == 256`",
        ),
        (
            "KN103",
            "remote_filter_addr_lower is never written `10.1.0.0`, and strings are compared",
            "write `010.001.000.000`",
        ),
        (
            "KN104",
            'esp_key_length is a number, and compared as a string, where `"9" > "10"`',
            "write `@esp_key_length > 128`",
        ),
        ("KN107", "app_domain is never `IPSec policy` where the IKE daemon asks", "did you mean `IPsec policy`?"),
        (
            "KN201",
            'this clause never holds: `esp_enc_alg == "3des"` never holds together with what is tested besides',
            "",
        ),
        ("KN202", "the clause makes no difference: KN202.kn:3:13 gives as much, and holds whenever this does", ""),
        ("KN205", "`ture` is no value of the daemon's, so gives nothing", "did you mean `true`?"),
        (
            "KN303",
            "no assertion licenses `DN:/O=Example/CN=gww`, so this one counts for nothing",
            "did you mean `DN:/O=Example/CN=gw`?",
        ),
        (
            "KN304",
            "authority goes in a circle: `DN:/CN=a` → `DN:/CN=b` → `DN:/CN=a`",
            "it gives nobody anything; the last delegation may be meant for another",
        ),
        (
            "KN401",
            "the window is over: GMTTimeOfDay had to be <= `20260531235959`, and it is 20260601000000",
            "renew it, or take the clause away",
        ),
        ("KN503", "esp_enc_alg may be `3des`, which is weak", "name the strong ones only"),
    ],
)
def test_what_it_says(code: str, message: str, hint: str) -> None:
    found = next(finding for finding in findings(the_file(code)) if finding.code == code)
    assert (found.message, found.hint) == (message, hint)


@pytest.mark.parametrize("code", CHECKS)
def test_its_documentation_has_an_example_that_it_finds(code: str) -> None:
    check = CHECKS[code]
    text = check.example
    if "Authorizer:" not in text:
        text = f'Authorizer: "POLICY"\n{text}'
    if "Licensees:" not in text and code != "KN307":
        text = text.replace('Authorizer: "POLICY"', 'Authorizer: "POLICY"\nLicensees: "DN:/CN=CA"')
    if "…" in text:  # where a key would be
        key = (HERE / "KN306.credentials.kn").read_text().partition('"')[2].partition('"')[0]
        text = text.replace("ed25519-base64:…", key)
    assertions, problems = parse_all(text, name="example")
    found = [*unreadable(problems), *lint([], assertions, now=NOW)] if code == "KN305" else []
    found += [*unreadable(problems), *lint(assertions, now=NOW)]
    assert code in {finding.code for finding in found}
    assert check.why.endswith(".")
    assert check.mend.endswith(".")


@pytest.mark.parametrize("year", [2026, 2040])
@pytest.mark.parametrize("folder", [path for path in POLICIES.iterdir() if path.is_dir()], ids=lambda path: path.name)
def test_the_library_is_clean(folder: Path, year: int) -> None:
    """What is meant is ignored there, with the reason."""
    read = [parse_all(path.read_bytes(), name=path.name) for path in sorted(folder.glob("*.kn"))]
    found = lint(
        [assertion for assertions, _ in read for assertion in assertions], now=datetime(year, 1, 15, tzinfo=UTC)
    )
    assert list(map(str, found)) == []
