# SPDX-License-Identifier: ISC
"""Policy files: who may have written them, and who may read them."""

from pathlib import Path

import pytest

import keynote
from ike_auth.config.errors import ConfigError
from ike_auth.config.policy import load_policy

OPEN = 'Authorizer: "POLICY"\nLicensees: "DN:/CN=gw"\nConditions: app_domain == "IPsec policy" -> "true";\n'
SECRET = 'Authorizer: "POLICY"\nLicensees: "passphrase:hush"\n'


def policy(folder: Path, text: str, mode: int) -> Path:
    path = folder / "policy"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(("text", "mode"), [(OPEN, 0o644), (OPEN, 0o600), (SECRET, 0o600)])
def test_good_policies(tmp_path: Path, text: str, mode: int) -> None:
    assert len(load_policy(policy(tmp_path, text, mode))) == 1


def test_nobody_else_may_write_it(tmp_path: Path) -> None:
    path = policy(tmp_path, OPEN, 0o664)
    with pytest.raises(ConfigError) as raised:
        load_policy(path)
    assert str(raised.value) == f"`{path}` is open to other users (mode 0664), but we trust it (chmod 644 {path})"


def test_nobody_else_may_read_a_passphrase(tmp_path: Path) -> None:
    path = policy(tmp_path, SECRET, 0o644)
    with pytest.raises(keynote.PolicyError, match="passphrase"):
        load_policy(path)


def test_a_policy_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or directory"):
        load_policy(tmp_path / "policy")


def test_mistakes_in_the_text_are_keynotes(tmp_path: Path) -> None:
    with pytest.raises(keynote.PolicyError):
        load_policy(policy(tmp_path, 'Authorizer: "POLICY"\nConditions: app_domain = "x";\n', 0o600))
