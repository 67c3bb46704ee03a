# SPDX-License-Identifier: ISC
"""libreswan's pluto in a gateway's namespace, with the credentials and the connection of `import.sh`.

Its package conflicts with strongSwan's, so install.sh has unpacked it beside the system; the programs find each other
by the environment. pluto cannot install ESP where the kernel has none: what it is asked for is phase 1.
"""

import os
import pty
import select
import subprocess
import termios
from pathlib import Path

from tests.interop.namespaces import Gateway
from tests.interop.processes import Daemon, Service
from tests.interop.waiting import until

LIBRESWAN = Path("/opt/interop-libreswan")
_PROGRAMS = LIBRESWAN / "usr/libexec/ipsec"
_PROMPT = b"Enter password for PKCS12 file: "
_PROMPT_SECONDS = 20.0

# IKEv1 is off by default.
_IPSEC_CONF = """\
config setup
    ikev1-policy=accept

include {directory}/ipsec.d/*.conf
"""


class Pluto(Service):
    """A pluto that has imported a bundle; `directory` is for its files and is made."""

    def __init__(self, gateway: Gateway, exported: Path, connection: str, password: str, directory: Path) -> None:
        self.gateway = gateway
        self._exported = exported
        self._connection = connection
        self._password = password
        self._directory = directory

    def prepare(self) -> str:
        """Make an NSS database and let `import.sh` fill it; what it printed."""
        for name in ("run", "ipsec.d", "nss"):
            (self._directory / name).mkdir(parents=True)
        self.nss("certutil", "-N", "--empty-password")
        (self._directory / "ipsec.conf").write_text(_IPSEC_CONF.format(directory=self._directory))
        (self._directory / "ipsec.secrets").touch(mode=0o600)
        return typed([str(self._exported / "import.sh")], self._password, self._environment)

    def nss(self, *words: str) -> str:
        """What a command says of the NSS database; CalledProcessError where it fails."""
        command = [*words, "-d", f"sql:{self._directory / 'nss'}"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def initiate(self) -> None:
        """Begin the connection, and do not wait for what comes of it."""
        self._run(
            "whack", "--rundir", str(self._run_directory), "--initiate", "--asynchronous", "--name", self._connection
        )

    def _launch(self) -> Daemon:
        directory = self._directory
        self.prepare()
        return Daemon(
            self.gateway,
            [
                # pluto looks for addconn below /usr/libexec only; `ip netns exec` has given it mounts of its own.
                *("sh", "-c", 'mount --bind "$0" /usr/libexec && exec "$@"', str(_PROGRAMS.parent)),
                str(_PROGRAMS / "pluto"),
                "--nofork",
                *("--config", str(directory / "ipsec.conf")),
                *("--secretsfile", str(directory / "ipsec.secrets")),
                *("--ipsecdir", str(directory / "ipsec.d")),
                *("--nssdir", str(directory / "nss")),
                *("--rundir", str(self._run_directory)),
                "--stderrlog",
            ],
            output=directory / "pluto.log",
            environment=self._environment,
        )

    def _is_ready(self) -> bool:
        # It adds its connections and opens its ports in this order or the other; secrets come last.
        return f'"{self._connection}": added ' in self.log and "loading secrets from " in self.log

    def _set_up(self) -> None:
        """`auto=add` has said everything."""

    def _run(self, program: str, *words: str) -> str:
        command = self.gateway.command(str(_PROGRAMS / program), *words)
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}\n{self.daemon.describe()}")
        return done.stdout + done.stderr

    @property
    def _run_directory(self) -> Path:
        return self._directory / "run"

    @property
    def _environment(self) -> dict[str, str]:
        programs = LIBRESWAN / "usr/sbin"
        return {
            **os.environ,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "IPSEC_SBINDIR": str(programs),
            "IPSEC_EXECDIR": str(_PROGRAMS),
            "IPSEC_CONF": str(self._directory / "ipsec.conf"),
            "IPSEC_CONFDDIR": str(self._directory / "ipsec.d"),
            "IPSEC_NSSDIR": str(self._directory / "nss"),
            "IPSEC_RUNDIR": str(self._run_directory),
        }


def typed(command: list[str], password: str, environment: dict[str, str]) -> str:
    """Run a command on a terminal, type the password when it is asked for, and return what it printed; RuntimeError
    where it fails."""
    pid, terminal = pty.fork()
    if not pid:
        os.execve(command[0], command, environment)
    said = b""
    answered = False
    try:
        while select.select([terminal], [], [], _PROMPT_SECONDS)[0]:
            try:
                said += os.read(terminal, 4096)
            except OSError:  # Linux: nobody has the other end open any more
                break
            if not answered and said.endswith(_PROMPT):
                # What is typed before the echo is off gets thrown away with it.
                until(lambda: not termios.tcgetattr(terminal)[3] & termios.ECHO, _PROMPT_SECONDS, lambda: "no echo")
                os.write(terminal, f"{password}\n".encode())
                answered = True
    finally:
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    text = said.decode(errors="replace")
    if status:
        raise RuntimeError(f"{' '.join(command)}: status {status}\n{text}")
    return text
