# SPDX-License-Identifier: ISC
"""A PostgreSQL server of the tests' own: in a temporary directory, on a Unix socket only, gone with the tests.

It runs as somebody without rights (it refuses to run as root) and takes everybody's word for who they are, but that
of GUARDED, who needs a password. Nothing that it writes has to outlive the machine: no fsync.
"""

import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import URL

GUARDED, PASSWORD = "guarded", "right"
_OWNER = "keynote"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "shared_buffers": "32MB",
    "max_connections": "50",
}
_START_SECONDS, _STOP_SECONDS = 30.0, 10.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_libc = ctypes.CDLL(None)


class Missing(Exception):
    """No server can be had here; the message says why."""


class Server:
    """A running server."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._names = itertools.count()

    def url(self, database: str, user: str = _OWNER, password: str | None = None) -> str:
        """As a user writes it into ca.toml."""
        query = {"host": str(self._directory)}
        made = URL.create("postgresql", user, password, database=database, query=query)
        return made.render_as_string(hide_password=False)

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """As its administrator."""
        return psycopg.connect(host=str(self._directory), user=_OWNER, dbname=database, autocommit=True)

    def new_database(self, template: str = "template0") -> str:
        """The name of a database that is a copy of another, to which nobody is connected."""
        name = f"registry{os.getpid()}_{next(self._names)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name


@contextmanager
def server() -> Iterator[Server]:
    """Start one; it is stopped at the end, and by the kernel should we be killed. Raises Missing."""
    programs = _programs()
    account = _account()
    directory = Path(tempfile.mkdtemp(prefix="keynote-pg-"))  # a socket's path must be short
    try:
        if account is not None:
            os.chown(directory, account.pw_uid, account.pw_gid)
        with _started(programs, directory, account) as running:
            yield running
    finally:
        shutil.rmtree(directory)


def _programs() -> Path:
    """Where initdb and postgres are: on the path, else where Debian has them, the newest."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda it: float(it.parent.name), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise Missing("PostgreSQL is missing; bash tests/pki/install.sh as root installs it")


def _account() -> pwd.struct_passwd | None:
    """As whom the server runs; None for ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Missing("there is no user `postgres` or `nobody` to run PostgreSQL as")


@contextmanager
def _started(programs: Path, directory: Path, account: pwd.struct_passwd | None) -> Iterator[Server]:
    data = directory / "data"
    identity: dict[str, Any] = {"cwd": directory, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}}
    if account is not None:
        identity |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    initdb = [str(programs / "initdb"), "-D", str(data), "-U", _OWNER, "--auth=trust", "--no-sync", "--encoding=UTF8"]
    made = subprocess.run(initdb, **identity, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise Missing(f"initdb fails here: {made.stderr.strip()}")
    guarded = f"local all {GUARDED} scram-sha-256\n"
    (data / "pg_hba.conf").write_text(guarded + (data / "pg_hba.conf").read_text())
    settings = {**_SETTINGS, "unix_socket_directories": str(directory)}
    command = [
        str(programs / "postgres"),
        "-D",
        str(data),
        *(f"--{name}={value}" for name, value in settings.items()),
    ]
    log = directory / "log"
    with log.open("wb") as sink:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command,
            **identity,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupt from the keyboard is ours to handle
            preexec_fn=lambda: _libc.prctl(_DIE_WITH_PARENT, signal.SIGQUIT),
        )
    running = Server(directory)
    try:
        _wait(running, process, log)
        with running.connect() as connection:
            connection.execute(f"CREATE ROLE {GUARDED} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")
        yield running
    finally:
        process.send_signal(signal.SIGQUIT)  # at once: nobody needs its data any more
        process.wait(_STOP_SECONDS)


def _wait(running: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            running.connect().close()
            return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise Missing(f"PostgreSQL does not start here: {log.read_text()}") from error
        time.sleep(0.02)
