# SPDX-License-Identifier: ISC
"""Which files a reload reads, and the warning of those that cannot be read."""

import os
from pathlib import Path

import pytest

from ike_auth.config import isakmpd
from ike_auth.daemon.rereading import files_of, warning
from tests.ike_auth.daemon.network.isolated import become_nobody


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name in ("policy.kn", "certs/a.pem", "certs/b.pem", "private/local.key"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch(0o600)
    config = tmp_path / "isakmpd.conf"
    config.write_text(
        "[General]\nPolicy-file= policy.kn\n[X509-certificates]\nCA-directory= nothing\nCRL-directory= nothing\n"
        "Cert-directory= certs\nPrivate-key= private/local.key\nPrivate-key-directory= private\n"
    )
    return config


def files(config: Path) -> list[str]:
    read = isakmpd.parse(config.read_text(), str(config))
    return [str(path.relative_to(config.parent)) for path in files_of(read, config)]


def test_what_a_reload_reads(config: Path) -> None:
    known = ["isakmpd.conf", "policy.kn", "private/local.key", "certs", "certs/a.pem", "certs/b.pem", "private"]
    assert files(config) == known
    config.write_text(config.read_text().replace("[General]\n", "[General]\nUse-Keynote= no\n"))
    assert "policy.kn" not in files(config)


def test_nothing_is_said_of_what_can_be_read(config: Path) -> None:
    assert warning("root", files_of(isakmpd.parse(config.read_text(), str(config)), config)) == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_what_cannot_be_read_is_named_up_to_five(config: Path) -> None:
    found = files_of(isakmpd.parse(config.read_text(), str(config)), config)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become_nobody()
            os.write(writing, warning("nobody", found).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as said:
        text = said.read()
    os.waitpid(child, 0)
    assert text.startswith(f"`nobody` (--user) cannot read `{config}`, ")
    assert text.count("`, `") == 4
    assert " and 2 more: SIGHUP" in text
