# SPDX-License-Identifier: ISC
"""Becoming another user, once the sockets are there."""

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from ike_auth.daemon import start
from ike_auth.daemon.privileges import drop_privileges
from ike_auth.daemon.start import CannotStart


def test_privileges_go_in_the_order_that_leaves_none(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[str, Any]] = []
    for name in ("setgroups", "setgid", "setuid"):
        monkeypatch.setattr(os, name, lambda value, name=name: calls.append((name, value)))
    nobody = pwd.getpwnam("nobody")
    drop_privileges("nobody")
    assert calls == [
        ("setgroups", os.getgrouplist("nobody", nobody.pw_gid)),
        ("setgid", nobody.pw_gid),
        ("setuid", nobody.pw_uid),
    ]


def test_a_user_that_there_is_not() -> None:
    with pytest.raises(CannotStart, match=r"there is no user `no-such-user` \(--user\)"):
        start.become("no-such-user")


def test_only_root_becomes_another(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(CannotStart, match=r"cannot become `nobody`: only root can \(--user\)"):
        start.become("nobody")


def test_the_registry_must_be_readable_without_privileges(tmp_path: Path) -> None:
    start.check_registry(None, "nobody")
    with pytest.raises(CannotStart, match=r"`nobody` \(--user\) cannot read the registry .* unable to open"):
        start.check_registry(f"sqlite:///{tmp_path}/none.sqlite", "nobody")
