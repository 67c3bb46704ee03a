# SPDX-License-Identifier: ISC
"""The real openssl, for tests that hold what we make against it."""

import subprocess


def openssl(*words: object, input: bytes | None = None) -> tuple[int, str]:
    """Run it; its exit status, and what it said on both streams."""
    done = subprocess.run(["openssl", *map(str, words)], input=input, capture_output=True, check=False, timeout=30)
    return done.returncode, (done.stdout + done.stderr).decode()
