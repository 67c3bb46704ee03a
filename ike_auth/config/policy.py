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


def check_registry(url: str) -> None:
    """Whether a registry whose delegations are policy is written by its owner alone, as far as a file shows that: a
    database server has rights of its own. Raises ConfigError."""
    path = Path(url.removeprefix("sqlite:///"))
    problems = Problems()
    if url.startswith("sqlite:///") and path.is_file():  # what is not there, whoever opens it says
        files.check_written_by_owner_only(path, path.stat(), problems)
    problems.raise_errors()
