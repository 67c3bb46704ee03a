# SPDX-License-Identifier: ISC
"""The answers of RFC 2704, case by case."""

from pathlib import Path

import pytest

from keynote import test as tables
from keynote.limits import Limits

FILE = Path(__file__).parent.parent / "vectors" / "keynote" / "cases.jsonl"
CASES = list(tables.queries(FILE, Limits(legacy_signatures=True)))
STRICT = list(tables.queries(FILE))

# Their credentials are signed over MD5 or SHA-1, and grant something.
NEED_LEGACY = {
    "sig-rsa-md5-hex-by-rsa-hex-ok",
    "sig-dsa-sha1-hex-by-dsa-hex-ok",
    "sig-x509-sha1-hex-by-x509-hex-ok",
    "sig-leading-newlines",
    "sig-trailing-blank-then-text",
    "sig-whitespace-after-sig-colon",
    "sig-two-creds-one-bad",
    "sig-lc-authorizer",
}


def test_all_cases_are_there() -> None:
    assert len(CASES) == 189


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: tables.Query) -> None:
    assert tables.run(case).problem == ""


@pytest.mark.parametrize("case", [case for case in STRICT if case.name in NEED_LEGACY], ids=lambda case: case.name)
def test_legacy_signatures_are_not_believed_by_themselves(case: tables.Query) -> None:
    result = tables.run(case)
    assert not result.passed
    assert result.actual == "false"
    assert result.because.endswith("is a legacy signature; --legacy-signatures accepts it")
