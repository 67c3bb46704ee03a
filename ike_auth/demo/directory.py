# SPDX-License-Identifier: ISC
"""The directory that the demo leaves for reading. One that an earlier demo left is renewed, nothing else touched."""

import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ike_auth.demo.failures import CannotBegin

DEFAULT = Path("demo")
README = "README.txt"
MARK = "Written by `ike-auth demo`. The next demo into this directory replaces everything here."
PARTS = (
    "1-certificates",
    "2-policy",
    "3-certificate",
    "4-preshared-key",
    "5-impostor",
    "6-null-encryption",
    "7-traffic",
)

_TEXT = f"""{MARK}

1-certificates/     the certification authority, and what each machine was given
2-policy/           the policy files of both gateways; the questions of step 2
3-certificate/      configurations and logs of two gateways that meet by certificate
4-preshared-key/    ... and by pre-shared key
5-impostor/         ... of a gateway that meets an impostor, with the strict check and without
6-null-encryption/  ... of a gateway whose peer offers tunnels that encrypt nothing
7-traffic/          ... of two gateways with a host behind each

Configurations (*.conf) are in the syntax of isakmpd.conf(5), policies (*.kn) in that of isakmpd.policy(5).
Each line of a log (*.log) is one JSON object; `event` is the text for people.
"""


@contextmanager
def renewed(path: Path) -> Iterator[None]:
    """Make the directory, or empty it if a demo made it; it is nobody else's until the end.

    Raises CannotBegin where it is anything else, or holds what no demo wrote.
    """
    try:
        if not os.path.lexists(path):
            path.mkdir(mode=0o700)
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CannotBegin(f"cannot write to `{path}`: {(error.strerror or str(error)).lower()}; {_HINT}") from None
    try:
        _lock(lock, path)
        _check_ours(path)
        for part in PARTS:
            if (path / part).exists():
                shutil.rmtree(path / part)
        write(path / README, _TEXT)
        yield
    finally:
        os.close(lock)


def write(path: Path, text: str) -> Path:
    """Write a file that only its owner can read; the directories of it are made."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path


_HINT = "choose another directory with --dir"


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotBegin(f"another demo is running in `{path}`; {_HINT}") from None


def _check_ours(path: Path) -> None:
    if path.stat().st_uid != os.geteuid():
        raise CannotBegin(f"`{path}` belongs to somebody else; {_HINT}")
    names = {entry.name for entry in path.iterdir()}
    if names and not _has_mark(path / README):
        raise CannotBegin(f"`{path}` exists, and no demo made it; {_HINT}")
    strange = sorted(names - {README, *PARTS})
    strange += [part for part in PARTS if part in names and not stat.S_ISDIR((path / part).lstat().st_mode)]
    if strange:
        raise CannotBegin(f"`{path / strange[0]}` is not of the demo; move it away, or {_HINT}")


def _has_mark(path: Path) -> bool:
    try:
        return path.is_file() and path.read_text(encoding="utf-8", errors="replace").startswith(MARK + "\n")
    except OSError:
        return False
