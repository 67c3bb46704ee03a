# SPDX-License-Identifier: ISC
"""`[General] Policy-file`: isakmpd.policy(5), trusted as a whole."""

from pathlib import Path

import keynote
from ike_auth.config import files
from ike_auth.config.errors import Problems


def load_policy(path: Path) -> tuple[keynote.Assertion, ...]:
    """The assertions of a policy file.

    Raises ConfigError if it cannot be read, belongs to somebody else, or if others may write it; keynote.PolicyError
    with every mistake in its text, and if it holds a passphrase that others may read.
    """
    problems = Problems()
    found = files.read_file(path, problems)
    if found:
        files.check_file_integrity(path, found[1], problems)
    problems.raise_errors()
    return keynote.load_policy(path)
