# SPDX-License-Identifier: ISC
from pathlib import Path

import pytest

POLICY = r"""Authorizer: "POLICY"
Licensees: "CA"
Conditions: app_domain == "IPsec policy" -> { enc == "aes" -> "true"; enc == "3des" -> "maybe"; };

Authorizer: "CA"
Licensees: "gw" || "Zoë"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policy.kn").write_text(POLICY)
    (tmp_path / "action.txt").write_text("app_domain=IPsec policy\nenc=aes\n")
    (tmp_path / "credential.kn").write_text('Authorizer: "CA"\nLicensees: "x"\n\nbroken\n')
    (tmp_path / "broken.kn").write_text('Authorizer: "POLICY"\nConditions: a = b; c < 1;\n')
    (tmp_path / "queries.toml").write_text(
        'policies = "policy.kn"\n[[query]]\nname="yes"\nauthorizers="gw"\n'
        'action={app_domain="IPsec policy", enc="aes"}\nexpect="true"\n'
        '[[query]]\nname="no"\nauthorizers="gw"\nexpect="true"\n'
    )
    return tmp_path
