# SPDX-License-Identifier: ISC
"""`ike-auth` as it is typed: what it prints, and the exit statuses that scripts trust."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ike_auth.configurations import A, gateway

IKE_AUTH = Path(sys.executable).with_name("ike-auth")
POLICY = """\
Authorizer: "POLICY"
Licensees: "passphrase:a key of the two gateways"
Conditions: app_domain == "IPsec policy" && remote_id == "010.099.000.002" -> "true";
"""


def run(*arguments: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run([IKE_AUTH, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    configuration, policy = tmp_path / "isakmpd.conf", tmp_path / "policy.kn"
    for path, text in ((configuration, gateway(A)), (policy, POLICY)):
        path.touch(0o600)
        path.write_text(text)
    return str(configuration), str(policy)


def test_check_says_what_would_run(files: tuple[str, str]) -> None:
    done = run("check", "-c", files[0], "--policy", files[1])
    assert done.returncode == 0, done.stderr
    assert "tunnel: 10.1.0.0/16 ↔ 10.2.0.0/16 with peer at 10.99.0.2, brought up" in done.stdout
    assert done.stdout.endswith("ok\n")


def test_check_says_everything_that_is_wrong_at_once(files: tuple[str, str]) -> None:
    Path(files[0]).write_text(gateway(A).replace("Phase= 1", "Phase= 7").replace("255.255.0.0", "255.0.255.0"))
    Path(files[1]).write_text(POLICY.replace("==", "="))
    done = run("check", "-c", files[0], "--policy", files[1])
    assert done.returncode == 1
    assert done.stderr.count("ike-auth: error: ") >= 3
    assert "isakmpd.conf:" in done.stderr
    assert done.stdout == ""


def test_check_for_machines(files: tuple[str, str]) -> None:
    good = run("check", "--json", "-c", files[0], "--policy", files[1])
    assert json.loads(good.stdout) == {"ok": True, "errors": [], "warnings": []}
    bad = run("check", "--json", "-c", files[0], "--policy", "nowhere")
    assert bad.returncode == 1
    found = json.loads(bad.stdout)
    assert found["ok"] is False
    assert found["errors"][0] == {
        "message": "cannot read `nowhere`: no such file or directory",
        "where": None,
        "hint": "",
    }


def test_check_warns_of_a_peer_that_policy_never_allows(files: tuple[str, str]) -> None:
    Path(files[1]).write_text(POLICY.replace("two gateways", "to gateways"))
    done = run("check", "-c", files[0], "--policy", files[1], "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    (warning,) = found["warnings"]
    assert (found["ok"], found["errors"]) == (True, [])
    assert warning["where"] == {"file": files[0], "line": 12, "column": None}
    assert f"policy `{files[1]}` never allows anything to `[peer]`, which is always refused" in warning["message"]
    assert f"{files[1]}:2: licenses another passphrase" in warning["message"]
    assert f"ike-auth: warning: {files[0]}:12: policy" in done.stderr


def test_run_for_machines_says_as_data_why_it_does_not_start(files: tuple[str, str]) -> None:
    Path(files[1]).write_text(POLICY.replace("==", "="))
    done = run("run", "--json", "-c", files[0], "--policy", files[1], "--port", "5600", "--nat-port", "5601")
    assert done.returncode == 1
    errors = json.loads(done.stdout)["errors"]
    assert errors[0] == {
        "message": "unknown operator `=`",
        "where": {"file": files[1], "line": 3, "column": 24},
        "hint": "string comparison is `==`",
    }
    assert f"ike-auth: error: {files[1]}:3:24: unknown operator `=`\n" in done.stderr
    assert "ike-auth: hint: string comparison is `==`\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--port", "5600", "--nat-port", "5600"], "--port and --nat-port are both 5600"),
        (["run", "--port", "0"], "--port"),
        (["run", "--no-kernel", "--kernel", "xfrm"], "--no-kernel is --kernel none, and there is --kernel xfrm too"),
        (["check", "--colour"], "no such option `--colour`"),
        (["nothing"], "no such command `nothing`"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith("ike-auth: error: ")
    assert message in error
    assert hint.startswith("ike-auth: hint: ike-auth")
    assert hint.endswith(" --help")


def test_no_command_is_a_request_for_help() -> None:
    done = run()
    assert done.returncode == 2
    assert "ike-auth demo" in done.stderr


@pytest.mark.parametrize("command", [[], ["run"], ["check"], ["demo"]])
def test_every_help_has_an_example(command: list[str]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert "ike-auth demo" in done.stdout or "Example:" in done.stdout


def test_a_full_disk_is_no_traceback(files: tuple[str, str]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = run("check", "-c", files[0], "--policy", files[1], stdout=full)
    finally:
        os.close(full)
    assert done.returncode == 1
    assert done.stderr == "ike-auth: error: cannot write: No space left on device\n"


def test_a_configuration_that_is_not_there() -> None:
    done = run("run", "-c", "/nowhere/isakmpd.conf", "--port", "5600", "--nat-port", "5601")
    assert done.returncode == 1
    assert "/nowhere/isakmpd.conf" in done.stderr
    assert "Traceback" not in done.stderr
