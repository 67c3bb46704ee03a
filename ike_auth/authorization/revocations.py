# SPDX-License-Identifier: ISC
"""What is known of revocations: the lists in a directory, as its files are now, and those that were fetched.

A file that is another than before is read when it is next needed, so that a list that was put there holds from the
next handshake on. One that cannot be read leaves what was read of it before, for no list may vanish because somebody
is writing it; and that is told once.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ike_auth.config import files
from ike_auth.config.errors import Problems
from pki import revocation_lists
from pki.chain import RevocationCheck, RevocationPolicy
from pki.errors import RevocationListInvalid
from pki.revocation_lists import RevocationList, RevocationLists

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?(?:-----END X509 CRL-----|\Z)", re.DOTALL)
_DER_SEQUENCE = b"\x30"

Fingerprint = tuple[int, int, int]  # of a file: what changes when it does


class NoList(Exception):
    """A file that holds something else."""


@dataclass(frozen=True, slots=True)
class _Read:
    fingerprint: Fingerprint
    lists: tuple[RevocationList, ...]


def read_file(path: Path) -> tuple[RevocationList, ...]:
    """The lists in a file: one in DER, any number in PEM. Raises NoList, and RevocationListInvalid."""
    problems = Problems()
    found = files.read_file(path, problems)
    if found is None:
        raise RevocationListInvalid("; ".join(str(problem) for problem in problems.errors))
    content, _ = found
    blocks = _PEM.findall(content)
    if not blocks and not content.startswith(_DER_SEQUENCE):
        raise NoList(f"`{path}` is passed over: it holds no revocation list")
    try:
        return tuple(map(revocation_lists.read, blocks or [content]))
    except RevocationListInvalid as error:
        raise RevocationListInvalid(f"`{path}`: {error}", error.hint) from None


class Revocations:
    """Asked in every handshake. `tell` hears, once, of files that cannot be read."""

    def __init__(
        self,
        directory: Path | None = None,
        policy: RevocationPolicy = RevocationPolicy.IF_THERE,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.tell = tell
        self._directory = directory
        self._policy = policy
        self._unreadable = False
        self._files: dict[str, _Read] = {}
        self._fetched: Mapping[str, RevocationList] = {}
        self._check: RevocationCheck | None = None  # of what is known; None: made when next asked for

    def check(self) -> RevocationCheck:
        """What is known now."""
        self._read_changes()
        if self._check is None:
            self._check = RevocationCheck(RevocationLists(self._all()), self._policy)
        return self._check

    def fetched(self, lists: Mapping[str, RevocationList]) -> None:
        """What was fetched last from each URL."""
        self._fetched = dict(lists)
        self._check = None

    def known(self) -> tuple[RevocationList, ...]:
        """All lists, in no particular order."""
        self._read_changes()
        return self._all()

    def state(self, now: datetime) -> object:
        """Equal to that of another moment if the same was known then: which lists there are, and which are stale."""
        return frozenset((one.sha256, one.next_update is None or one.next_update < now) for one in self.known())

    def _all(self) -> tuple[RevocationList, ...]:
        of_files = (one for read in self._files.values() for one in read.lists)
        return tuple(dict.fromkeys([*of_files, *self._fetched.values()]))

    def _read_changes(self) -> None:
        there = dict(self._fingerprints())
        for name in self._files.keys() - there.keys():
            del self._files[name]
            self._check = None
        for name, fingerprint in there.items():
            before = self._files.get(name)
            if before is None or before.fingerprint != fingerprint:
                self._files[name] = self._read(name, fingerprint, before.lists if before else ())
                self._check = None

    def _read(self, name: str, fingerprint: Fingerprint, before: tuple[RevocationList, ...]) -> _Read:
        assert self._directory is not None  # there would be no name
        try:
            return _Read(fingerprint, read_file(self._directory / name))
        except NoList as error:
            self.tell(str(error))
            return _Read(fingerprint, ())
        except RevocationListInvalid as error:
            kept = "; what was read of it before still holds" if before else ""
            self.tell(f"revocation list: {error}{kept}")
            return _Read(fingerprint, before)

    def _fingerprints(self) -> Iterator[tuple[str, Fingerprint]]:
        if self._directory is None:
            return
        try:
            with os.scandir(self._directory) as entries:
                for entry in entries:
                    status = entry.stat()
                    if entry.is_file():
                        yield entry.name, (status.st_ino, status.st_size, status.st_mtime_ns)
            self._unreadable = False
        except FileNotFoundError:
            return
        except OSError as error:
            if not self._unreadable:
                self.tell(f"cannot read `{self._directory}`: {(error.strerror or str(error)).lower()}")
            self._unreadable = True
            yield from ((name, read.fingerprint) for name, read in self._files.items())
