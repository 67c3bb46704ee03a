# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Whatever file a command is given, it reads no more of it than it needs."""

import io
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pki.cli import certpatch
from tests.pki.test_cli import Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")
ENDLESS = "/dev/zero"


@pytest.fixture(autouse=True)
def little_memory() -> Iterator[None]:
    """Whoever reads on gets a MemoryError, before the machine has none left."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (600 << 20), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.mark.parametrize(
    "line",
    [
        f"issue gateway b1.example.org --csr {ENDLESS}",
        f"issue batch {ENDLESS}",
        f"lint {ENDLESS}",
        f"lint gw.crt --issuer {ENDLESS}",
        f"audit --crl {ENDLESS}",
        f"crl show {ENDLESS}",
        f"delegate --from POLICY --to DN:/CN=x --until 9d --conditions-file {ENDLESS}",
        f"init another --certificate {ENDLESS}",
        f"restore {ENDLESS} another",
    ],
)
def test_a_file_that_never_ends(ca: Run, line: str) -> None:
    done = ca(f"keynote-pki {line}")
    assert done.status in (1, 2)
    assert done.err.startswith("keynote-pki: error: ")


@pytest.mark.parametrize("file", ["profiles.toml", "ca.toml"])
def test_a_file_of_the_directory_that_never_ends(ca: Run, file: str) -> None:
    Path("ca", file).unlink(missing_ok=True)
    Path("ca", file).symlink_to(ENDLESS)
    done = ca("keynote-pki issue gateway b1.example.org")
    assert done.status == 1
    assert f"`ca/{file}` holds more than 4 MiB" in done.err


def test_a_request_beside_a_table_that_never_ends(ca: Run) -> None:
    Path("peers.csv").write_text(f"profile,name,csr\ngateway,b1.example.org,{ENDLESS}\n")
    done = ca("keynote-pki issue batch peers.csv")
    assert done.status == 1
    assert "peers.csv:2: `/dev/zero` holds more than 4 MiB" in done.err


@pytest.mark.parametrize("line", ["lint -", "issue gateway x.example.org --csr -"])
def test_standard_input_that_never_ends(ca: Run, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(ENDLESS, "rb") as endless:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(endless.raw)))
        done = ca(f"keynote-pki {line}")
    assert done.status == 1
    assert "error: standard input holds more than 4 MiB" in done.err


def test_certpatch(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        certpatch.main(["-i", "192.0.2.1", "-k", "key", ENDLESS, "out"])
    assert "`/dev/zero` holds more than 4 MiB" in capsys.readouterr().err
