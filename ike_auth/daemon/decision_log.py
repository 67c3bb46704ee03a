# SPDX-License-Identifier: ISC
"""`Decision-log`: what policy was asked and answered, a line each, for `keynote diff`.

A log that cannot be written to costs its lines and nothing else: no negotiation waits for it or fails because of it.
"""

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ike_auth.authorization.requests import AuthorizeTunnel, Decision, IdentifyPeer, PeerIdentified, TunnelAuthorized
from ike_auth.daemon.allowance import Allowance
from ike_auth.network import Now
from keynote.complaints import Place
from keynote.recorded import RecordError, Seal, line

# A peer may begin again and again, and each time is a decision.
_BURST: Final = 10_000
_PER_SECOND: Final = 20.0

_KEY_SUFFIX: Final = ".key"


class CannotRecord(Exception):
    """The text says why not, and names the file."""


class DecisionLog:
    """An open log. `warn` is told once when it fails, and once when it goes on."""

    def __init__(self, path: Path, warn: Callable[[str], None], user: str | None = None) -> None:
        """Opens the log and its key, and makes what is not there, for `user` if that is given. Raises CannotRecord
        and KeyError."""
        self.path = path
        self._warn = warn
        self._allowance = Allowance(_BURST, _PER_SECOND)
        self._lost = 0
        self._descriptor = _opened(path, user)
        try:
            self._seal = _seal(path.with_name(path.name + _KEY_SUFFIX), user)
        except BaseException:
            self.close()
            raise

    def reopen(self) -> None:
        """After somebody has moved the file away. If that fails, it goes on in the one that was moved."""
        try:
            descriptor = _opened(self.path, None)
        except CannotRecord as error:
            self._warn(f"{error}; decisions go on into the file that was open")
            return
        os.close(self._descriptor)
        self._descriptor = descriptor

    def close(self) -> None:
        os.close(self._descriptor)

    def peer(self, question: IdentifyPeer, answer: PeerIdentified, now: Now) -> None:
        self._add(answer.decision, f"phase 1 of `{question.peer.name}`, {question.identity}", now)

    def tunnels(self, question: AuthorizeTunnel, answer: TunnelAuthorized, now: Now) -> None:
        for request, decision in zip(question.requests, answer.decisions, strict=False):
            identity = request.identity
            who = f"`{identity.peer.name}`, {identity.identity}"
            self._add(decision, f"phase 2 of {who}, {request.local} ↔ {request.remote}", now)

    def _add(self, decision: Decision, about: str, now: Now) -> None:
        if decision.asked is None:
            return  # policy was not asked
        if not self._allowance.take(now.monotonic):
            self._lose("too many in a short time")
            return
        try:
            time = now.utc.isoformat(timespec="milliseconds")
            self._write(line(decision.asked(), self._seal, time, about))
        except OSError as error:
            self._lose(error.strerror or str(error))
        except Exception as error:  # a fault of ours is no reason to refuse a peer
            self._lose(type(error).__name__)
        else:
            if self._lost:
                self._warn(f"decisions are recorded again in `{self.path}`; {self._lost} were not")
                self._lost = 0

    def _write(self, text: bytes) -> None:
        written = os.write(self._descriptor, text)
        if written < len(text):  # the disk is full now
            status = os.fstat(self._descriptor)
            if stat.S_ISREG(status.st_mode):
                os.ftruncate(self._descriptor, max(status.st_size - written, 0))
            raise OSError("no room for a whole line")

    def _lose(self, why: str) -> None:
        self._lost += 1
        if self._lost == 1:
            self._warn(f"decisions are not recorded in `{self.path}`: {why}")


def _opened(path: Path, user: str | None) -> int:
    """To append. What is no regular file is only written to; one is ours alone, and ends with a line's end."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise CannotRecord(f"cannot open the decision log `{path}`: {error.strerror}") from None
    try:
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            _check_alone(path, status, user)
            _end_line(path, descriptor, status.st_size)
            _give(descriptor, user)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _seal(path: Path, user: str | None) -> Seal:
    """The key of the log, made if there is none."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _read_seal(path, user)
    except OSError as error:
        raise CannotRecord(f"cannot make the key of the decision log `{path}`: {error.strerror}") from None
    seal = Seal.fresh(os.urandom)
    with open(descriptor, "w", encoding="ascii") as file:
        _give(descriptor, user)
        file.write(seal.text())
    return seal


def _read_seal(path: Path, user: str | None) -> Seal:
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK | os.O_NOCTTY)) as file:
            _check_alone(path, os.fstat(file.fileno()), user)
            return Seal.read(file.read(200), Place(str(path)))
    except RecordError as error:
        raise CannotRecord(str(error)) from None
    except OSError as error:
        raise CannotRecord(f"cannot read the key of the decision log `{path}`: {error.strerror}") from None


def _check_alone(path: Path, status: os.stat_result, user: str | None) -> None:
    ours = {0, os.geteuid()} if user is None else {0, os.geteuid(), pwd.getpwnam(user).pw_uid}
    if status.st_uid not in ours:
        raise CannotRecord(f"`{path}` belongs to user {status.st_uid}, neither to root nor to us")
    if status.st_mode & 0o077:
        raise CannotRecord(f"`{path}` is open to other users (chmod 600 {path})")


def _end_line(path: Path, descriptor: int, size: int) -> None:
    """Whoever ended in the middle of a line lost it; and what is no log is not written to."""
    if not size:
        return
    if os.pread(descriptor, 1, 0) != b"{":
        raise CannotRecord(f"`{path}` is there, and is no decision log")
    if os.pread(descriptor, 1, size - 1) == b"\n":
        return
    start = max(size - 2**20, 0)
    end = os.pread(descriptor, size - start, start).rfind(b"\n")
    os.ftruncate(descriptor, start + end + 1)


def _give(descriptor: int, user: str | None) -> None:
    if user is not None and os.geteuid() == 0:
        entry = pwd.getpwnam(user)
        os.fchown(descriptor, entry.pw_uid, entry.pw_gid)
