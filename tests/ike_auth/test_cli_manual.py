# SPDX-License-Identifier: ISC
"""`ike-auth setkey` and `ike-auth ipsecadm` as they are typed, against a control socket that answers."""

import asyncio
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from ike_auth.cli import cli
from ike_auth.daemon.control import ControlSocket
from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.manual import handlers
from ike_auth.manual.database import Database
from ike_auth.sa import IpsecSa
from keynote.cli.program import Program
from tests.ike_auth.manual.texts import ALGORITHMS, GATEWAY, KEY

SECRET = KEY[2:]


class RefusingKernel(MemoryKernel):
    def install(self, sa: IpsecSa) -> None:
        raise KernelError("protocol not supported")


class Serving:
    """A control socket in a thread with an event loop of its own."""

    def __init__(self, path: Path, kernel: MemoryKernel) -> None:
        self.kernel = kernel
        self.database = Database(kernel, lambda address: address == ip_address("192.0.2.1"))
        self._listening = ControlSocket(path)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self._listening.serve(handlers(self.database))
        self._ready.set()
        await self._stop.wait()
        await self._listening.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def serving(path: Path) -> Iterator[Serving]:
    running = Serving(path, MemoryKernel())
    yield running
    running.close()


def private(path: Path, text: str) -> str:
    path.touch(0o600)
    path.write_text(text)
    return str(path)


@pytest.fixture
def gateway(tmp_path: Path) -> str:
    return private(tmp_path / "ipsec.conf", GATEWAY)


def run(*arguments: str, stdin: str = "") -> Result:
    class AsProgram(click.Group):
        """The whole program, so that errors are told as it tells them."""

        def main(self, *_: Any, **__: Any) -> Any:
            Program("ike-auth", cli).run(arguments)

    return CliRunner().invoke(AsProgram("ike-auth"), arguments, input=stdin, prog_name="ike-auth")


def test_checking_needs_no_daemon_and_says_nothing_but_warnings(gateway: str) -> None:
    done = run("setkey", "-n", "-f", gateway)
    assert (done.exit_code, done.stdout) == (0, "")
    warning, hint = done.stderr.splitlines()
    assert warning.startswith(f"ike-auth: warning: {gateway}:6:1: replay protection is off for 2 SAs")
    assert hint.startswith("ike-auth: hint: whoever records packets can send them again")


def test_a_file_is_carried_out_and_shown(serving: Serving, path: Path, gateway: str) -> None:
    done = run("setkey", "--control", str(path), gateway)
    assert (done.exit_code, done.stdout) == (0, "")
    assert len(serving.kernel.sas) == 2
    assert len(serving.kernel.flows) == 1
    shown = run("setkey", "--control", str(path), "-D")
    assert shown.exit_code == 0
    assert "esp mode=tunnel spi=4097(0x00001001)" in shown.stdout
    assert "E: aes-cbc  (hidden)" in shown.stdout
    keys = run("setkey", "--control", str(path), "-D", "--show-keys")
    assert "E: aes-cbc  00112233 44556677 8899aabb ccddeeff" in keys.stdout
    policies = run("setkey", "--control", str(path), "-DP")
    assert policies.stdout.startswith("10.1.0.0/16[any] 10.2.0.0/16[any] 255\n\tout prio def ipsec\n")


def test_flushing(serving: Serving, path: Path, gateway: str) -> None:
    run("setkey", "--control", str(path), "-f", gateway)
    assert run("setkey", "--control", str(path), "-FP").exit_code == 0
    assert serving.kernel.guards == set()
    assert len(serving.database.sas()) == 2
    assert run("setkey", "--control", str(path), "-F").exit_code == 0
    assert run("setkey", "--control", str(path), "-D").stdout == "No SAD entries.\n"
    assert run("setkey", "--control", str(path), "-DP").stdout == "No SPD entries.\n"


def test_standard_input_with_questions(serving: Serving, path: Path) -> None:
    text = GATEWAY + "dump esp; get 192.0.2.1 192.0.2.2 esp 0x1001; spddump; exit; nonsense"
    done = run("setkey", "--control", str(path), "-k", "-c", stdin=text)
    assert done.exit_code == 0
    assert done.stdout.count("spi=4097") == 2
    assert done.stdout.count("require") == 2


def test_verbose_shows_statements_without_keys(serving: Serving, path: Path, gateway: str) -> None:
    done = run("setkey", "-v", "--control", str(path), gateway)
    assert (
        "add 192.0.2.1 192.0.2.2 esp 0x00001001 -m tunnel -E aes-cbc (hidden) -A hmac-sha256 (hidden) ;"
        in done.stdout
    )
    assert SECRET not in done.output


def test_nothing_is_carried_out_unless_all_is_right(
    serving: Serving, path: Path, gateway: str, tmp_path: Path
) -> None:
    wrong = private(tmp_path / "wrong.conf", "spdadd ::1 ::2 any -P up none;\nadd ::1 ::2 esp 9 -E null;\n")
    done = run("setkey", "--control", str(path), gateway, wrong)
    assert done.exit_code == 1
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert [line.split(": ")[2] for line in errors] == [f"{wrong}:1:23", f"{wrong}:2:17"]
    assert serving.database.sas() == ()


def test_what_is_missing_may_be_left_out(serving: Serving, path: Path) -> None:
    text = f"add 192.0.2.1 192.0.2.2 esp 0x1000 -E des-cbc 0x{'00' * 8};\n"
    text += f"add 192.0.2.1 192.0.2.2 esp 0x1001 {ALGORITHMS};\n"
    assert run("setkey", "--control", str(path), "-c", stdin=text).exit_code == 1
    done = run("setkey", "--control", str(path), "--skip-unsupported", "-c", stdin=text)
    assert done.exit_code == 0
    assert "stdin:1:39: left out: `des-cbc` is not supported" in done.stderr
    assert [entry.add.spi for entry in serving.database.sas()] == [0x1001]


def test_what_fails_is_said_with_its_place_and_the_rest_is_done(serving: Serving, path: Path, gateway: str) -> None:
    done = run("setkey", "--control", str(path), "-c", stdin="delete 192.0.2.1 192.0.2.2 esp 0x1001;\n" + GATEWAY)
    assert done.exit_code == 1
    assert "ike-auth: error: stdin:1:1: there is no SA ESP 0x00001001 to 192.0.2.2\n" in done.stderr
    assert len(serving.kernel.flows) == 1


def test_a_kernel_that_refuses(path: Path, gateway: str) -> None:
    running = Serving(path, RefusingKernel())
    done = run("setkey", "--control", str(path), gateway)
    running.close()
    assert done.exit_code == 1
    assert f"ike-auth: error: {gateway}:11:1: protocol not supported\n" in done.stderr
    assert SECRET not in done.output


def test_files_with_keys_that_others_can_read_are_warned_of(gateway: str) -> None:
    Path(gateway).chmod(0o644)
    done = run("setkey", "-n", gateway)
    assert done.exit_code == 0
    assert "is open to other users (mode 0644)" in done.stderr


def test_files_that_others_can_write_are_refused(gateway: str) -> None:
    Path(gateway).chmod(0o622)
    done = run("setkey", "-n", gateway)
    assert done.exit_code == 1
    assert "is open to other users (mode 0622), but we trust it" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["setkey"], ["setkey", "-D", "-F"], ["setkey", "-c", "file"], ["setkey", "-c", "-P"], ["ipsecadm"]],
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_no_daemon(path: Path) -> None:
    done = run("setkey", "--control", str(path), "-D")
    assert done.exit_code == 1
    assert "no daemon listens on" in done.stderr


def test_no_file(tmp_path: Path) -> None:
    done = run("setkey", "-n", str(tmp_path / "nothing"))
    assert done.exit_code == 1
    assert "cannot read" in done.stderr


def test_ipsecadm(serving: Serving, path: Path, tmp_path: Path) -> None:
    key = private(tmp_path / "enc.key", "ab" * 16)
    mac = private(tmp_path / "auth.key", "cd" * 32)
    to = ["ipsecadm", "--control", str(path)]
    algorithms = ["-forcetunnel", "-enc", "aes", "-keyfile", key, "-auth", "sha2-256", "-authkeyfile", mac]
    done = run(*to, "new", "esp", "-spi", "1001", "-src", "192.0.2.1", "-dst", "192.0.2.2", *algorithms)
    assert done.exit_code == 0
    assert "replay protection is off" in done.stderr
    done = run(*to, "-spi", "1002", "-src", "192.0.2.2", "-dst", "192.0.2.1", *algorithms)
    assert done.exit_code == 0
    done = run(*to, "flow", "-dst", "192.0.2.2", "-out", "-require", "-addr", "10.1.0.0/16", "10.2.0.0/16")
    assert done.exit_code == 0, done.output
    assert (len(serving.kernel.sas), len(serving.kernel.flows)) == (2, 1)
    assert run(*to, "delspi", "-spi", "1001", "-dst", "192.0.2.2").exit_code == 0
    assert len(serving.kernel.flows) == 0
    assert run(*to, "flush").exit_code == 0
    assert serving.database.sas() == ()


def test_ipsecadm_checks() -> None:
    flow = ["flow", "-src", "192.0.2.1", "-dst", "192.0.2.2", "-addr", "10.1.0.0/16", "10.2.0.0/16"]
    done = run("ipsecadm", "--check", *flow)
    expected = "spdadd 10.1.0.0/16[any] 10.2.0.0/16[any] any -P out ipsec esp/tunnel/192.0.2.1-192.0.2.2/require ;\n"
    assert (done.exit_code, done.stdout) == (0, expected)
    refused = run("ipsecadm", "--check", *flow, "-use")
    assert refused.exit_code == 1
    assert "`-use` would let traffic through unprotected\nike-auth: hint: `-require`" in refused.stderr


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], ["new", "--help"], ["new", "esp", "-h"]])
def test_ipsecadm_helps_wherever_it_is_asked(arguments: list[str]) -> None:
    done = run("ipsecadm", *arguments)
    assert done.exit_code == 0
    assert "Examples:" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["flwo"], 2),
        (["new"], 2),
        (["new", "esp", "-colour"], 2),
        (["delspi", "-spi", "1001", "-dst", "nowhere"], 2),
        (["old", "esp"], 1),
        (["flow", "-dst", "::1", "-addr", "::/0", "::/0", "-bypass"], 1),
    ],
)
def test_ipsecadm_used_wrongly(arguments: list[str], status: int) -> None:
    done = run("ipsecadm", "--check", *arguments)
    assert done.exit_code == status
    assert "ike-auth: hint: " in done.stderr


def test_what_check_shows_is_setkeys_language(tmp_path: Path) -> None:
    shown = run("ipsecadm", "--check", "group", "-spi", "1001", "-dst", "192.0.2.2", "-spi2", "2001", "-dst2", "::1")
    assert shown.stdout.startswith("# no statement of setkey's: group 192.0.2.2 esp 0x00001001")
    checked = run("setkey", "-n", "-c", stdin=shown.stdout)
    assert (checked.exit_code, checked.stderr) == (0, "")


def test_ipsecadm_reads_no_key_that_others_can_read(tmp_path: Path) -> None:
    key = private(tmp_path / "enc.key", "ab" * 16)
    Path(key).chmod(0o640)
    done = run("ipsecadm", "--check", "-spi", "1001", "-src", "::1", "-dst", "::2", "-enc", "aes", "-keyfile", key)
    assert done.exit_code == 1
    assert "it holds a secret" in done.stderr


@pytest.mark.parametrize("command", ["setkey", "ipsecadm"])
def test_every_help_has_an_example(command: str) -> None:
    done = run(command, "--help")
    assert done.exit_code == 0
    assert "Examples:" in done.stdout
