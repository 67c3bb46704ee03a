# SPDX-License-Identifier: ISC
"""What `make clean` takes away."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_private_keys_of_a_demo_do_not_stay() -> None:
    if not shutil.which("make"):
        pytest.skip("make is missing")
    done = subprocess.run(["make", "-n", "clean"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    (removed,) = (line.split() for line in done.stdout.splitlines() if line.startswith("rm -rf "))
    assert "demo" in removed
