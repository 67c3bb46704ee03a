# SPDX-License-Identifier: ISC
"""What a reload reads, and what of that a daemon that has become another user cannot read any more."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ike_auth.config.model import Configuration

_NAMED = 5  # files, in a warning


def files_of(configuration: Configuration, config: Path | None) -> tuple[Path, ...]:
    """Files and folders that there are. To be asked before the user changes: later, a closed folder hides what is in
    it. `config` is the configuration file."""
    general, certificates = configuration.general, configuration.certificates
    named = [config] if config else []
    named += [general.policy_file] if general.use_keynote else []
    named.append(certificates.private_key)
    folders = (
        certificates.ca_directory,
        certificates.cert_directory,
        certificates.crl_directory,
        certificates.private_key_directory,
    )
    found = [path for path in named if path.is_file()]
    return tuple(dict.fromkeys([*found, *(path for folder in folders for path in _within(folder))]))


def warning(user: str, files: Iterable[Path]) -> str:
    """For the log, once we are `user`; empty if all can be read."""
    closed = [f"`{path}`" for path in files if not os.access(path, _needed(path))]
    if not closed:
        return ""
    shown = ", ".join(closed[:_NAMED])
    more = f" and {len(closed) - _NAMED} more" if len(closed) > _NAMED else ""
    return (
        f"`{user}` (--user) cannot read {shown}{more}: SIGHUP and `ike-auth reload` will change nothing until it can"
    )


def _within(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield folder
        yield from sorted(path for path in folder.iterdir() if path.is_file())


def _needed(path: Path) -> int:
    return os.R_OK | os.X_OK if os.path.isdir(path) else os.R_OK  # pathlib's raises where nothing can be seen
