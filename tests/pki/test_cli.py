# SPDX-License-Identifier: ISC
"""Commands as a user types them."""

import contextlib
import json
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from cryptography import x509

from pki import cli
from pki.directory import Directory
from tests.pki import databases

pytestmark = pytest.mark.usefixtures("quick_keys")


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[[str], Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command, in a directory of this test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEYNOTE_PKI_DIR", raising=False)

    def typed(line: str) -> Done:
        with pytest.raises(SystemExit) as exit:
            cli.main(shlex.split(line)[1:])
        captured = capsys.readouterr()
        assert isinstance(exit.value.code, int)
        return Done(exit.value.code, captured.out, captured.err)

    return typed


@pytest.fixture
def ca(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, where an authority was made."""
    assert run('keynote-pki init ca --name "Example VPN CA"').status == 0
    monkeypatch.setenv("KEYNOTE_PKI_DIR", "ca")
    return run


def snapshot(path: Path) -> dict[str, bytes]:
    return {str(it): it.read_bytes() for it in sorted(path.rglob("*")) if it.is_file() and it.suffix != ".sqlite-shm"}


def test_the_first_five_minutes(run: Run, tmp_path: Path) -> None:
    made = run('keynote-pki init ca --name "/C=DE/O=Example/CN=Example VPN CA"')
    assert made.status == 0
    assert "Example VPN CA: authority made, valid until 2" in made.out
    assert "policies trust it as DN:/C=DE/O=Example/CN=Example VPN CA" in made.out

    gateway = run("keynote-pki issue gateway GW.example.org --ip 192.0.2.1 --dns vpn.example.org --dir ca")
    assert gateway.status == 0
    assert "peers will see ID_FQDN gw.example.org\n" in gateway.out
    assert "it may also call itself ID_IPV4_ADDR 192.0.2.1" in gateway.out
    assert "it may also call itself ID_FQDN vpn.example.org" in gateway.out
    assert "policies name it DN:/C=DE/O=Example/CN=gw.example.org" in gateway.out

    alice = run("keynote-pki issue road-warrior alice@example.org -d ca")
    assert "peers will see ID_USER_FQDN alice@example.org\n" in alice.out

    listed = run("keynote-pki list -d ca").out.splitlines()
    assert listed[0].split() == ["NAME", "PROFILE", "STATUS", "UNTIL", "SERIAL"]
    assert [line.split()[:1] for line in listed[1:]] == [["Example"], ["alice@example.org"], ["gw.example.org"]]
    assert all("valid" in line for line in listed[1:])

    shown = run("keynote-pki show gw.example.org -d ca").out
    assert "identity  ID_FQDN gw.example.org\n" in shown
    assert "RFC 4514  CN=gw.example.org,O=Example,C=DE\n" in shown

    exported = run("keynote-pki export gw.example.org --for isakmpd out -d ca")
    assert exported.out.split() == [
        "out/ca/example-vpn-ca.crt",
        "out/certs/gw.example.org.crt",
        "out/private/gw.example.org",
        "out/private/local.key",
    ]
    assert (tmp_path / "out/crls").is_dir()
    assert exported.err == ""


def test_every_command_speaks_json(run: Run) -> None:
    made = run("keynote-pki init ca --name CA --json").json
    assert (made["name"], made["profile"], made["principal"]) == ("CA", "ca", "DN:/CN=CA")
    assert made["registry"] == "ca/registry.sqlite"
    issued = run("keynote-pki issue gateway gw.example.org --ip 192.0.2.1 -d ca --json").json
    assert issued["identities"] == [
        {"kind": "FQDN", "value": "gw.example.org"},
        {"kind": "IPV4_ADDR", "value": "192.0.2.1"},
    ]
    oneline = "/CN=gw.example.org"
    assert issued["subject"] == {"keynote": oneline, "openssl": oneline, "rfc4514": "CN=gw.example.org"}
    assert issued["status"] == "valid"
    assert len(issued["serial"]) == 40
    assert run("keynote-pki issue road-warrior a@x.org -d ca --json").json["profile"] == "road-warrior"
    told = run("keynote-pki show gw.example.org -d ca --json").json
    assert told == {**told, **issued}
    assert [it["name"] for it in run("keynote-pki list -d ca --json").json["certificates"]] == [
        "CA",
        "a@x.org",
        "gw.example.org",
    ]
    exported = run("keynote-pki export gw.example.org --for isakmpd out -d ca --json").json
    assert exported["serial"] == issued["serial"]
    assert exported["files"][-1] == "out/private/local.key"
    pem = run("keynote-pki show gw.example.org -d ca --json --pem").json["pem"]
    assert f"{x509.load_pem_x509_certificate(pem.encode()).serial_number:040x}" == issued["serial"]


def commands(group: click.Group, before: str = "keynote-pki") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        path = f"{before} {name}"
        found += commands(command, path) if isinstance(command, click.Group) else [(path, command)]
    return found


@pytest.mark.parametrize(("path", "command"), commands(cli.cli), ids=lambda it: it if isinstance(it, str) else "")
def test_every_command_has_help_with_an_example_and_json(run: Run, path: str, command: click.Command) -> None:
    shown = run(f"{path} --help")
    assert shown.status == 0
    assert f"Example:\n    {path} " in shown.out
    assert "--json" in shown.out
    assert run(f"{path} -h").out == shown.out


def test_help_and_version(run: Run) -> None:
    assert "keynote-pki init ca --name" in run("keynote-pki --help").out
    assert run("keynote-pki --version").out.startswith("keynote-pki, version ")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("keynote-pki issue gateway gw.example.org", "`gw.example.org` has a certificate already, valid until"),
        ("keynote-pki issue gateway GW.EXAMPLE.ORG --ip 192.0.2.9", "`gw.example.org` has a certificate already"),
        (
            "keynote-pki issue gateway other.example.org --dns gw.example.org",
            "`gw.example.org` has a certificate already",
        ),
        ("keynote-pki issue gateway alice@example.org", "a gateway is not known by a name like `alice@example.org`"),
        ("keynote-pki issue road-warrior host.example.org", "a road-warrior is not known by a name like"),
        ("keynote-pki issue gateway '*.example.org'", "is a wildcard"),
        ("keynote-pki issue gateway ''", "is not a host name"),
        ("keynote-pki issue gateway 'a b'", "`a b` is not a host name"),
        ("keynote-pki issue gateway '../../etc/passwd'", "is not a host name"),
        ("keynote-pki issue gateway 192.0.2.300", "neither an address nor a host name"),
        ("keynote-pki issue gateway bü_cher.example", "is not a host name"),
        ("keynote-pki issue gateway new.example.org --ip here", "`here` is not an IP address"),
        ("keynote-pki issue gateway new.example.org --dns 192.0.2.1", "neither an address nor a host name"),
        ("keynote-pki issue gateway new.example.org --mail x", "`x` is not a mail address"),
        ("keynote-pki issue gateway new.example.org --ip 192.0.2.1 --ip 192.0.2.1", "names an identity twice"),
        ("keynote-pki issue gateway new.example.org --days 5000", "would outlive its authority"),
        ("keynote-pki issue gateway 'Example VPN CA'", "is not a host name"),
        ("keynote-pki show nobody.example.org", "no certificate `nobody.example.org` was issued here"),
        ("keynote-pki show ''", "no certificate `` was issued here"),
        ("keynote-pki export nobody --for isakmpd out", "no certificate `nobody` was issued here"),
        ("keynote-pki export 'Example VPN CA' --for isakmpd out", "`Example VPN CA` is an authority, not a peer"),
        ("keynote-pki init ca --name Other", "holds the authority `Example VPN CA` already"),
        ("keynote-pki init . --name Other", "is not empty: it holds `ca`"),
        ("keynote-pki init new --name ''", "cannot be an authority's name"),
        ("keynote-pki init new --name /CN", "is not an attribute"),
        ("keynote-pki list --dir nowhere", "`nowhere` holds no authority"),
        ("keynote-pki issue gateway x.example.org --dir .", "`.` holds no authority"),
    ],
)
def test_refused_with_a_clear_error_and_nothing_changed(ca: Run, tmp_path: Path, line: str, message: str) -> None:
    assert ca("keynote-pki issue gateway gw.example.org").status == 0
    before = snapshot(tmp_path)
    done = ca(line)
    assert done.status == 1
    assert done.out == ""
    assert done.err.startswith("keynote-pki: error: ")
    assert message in done.err.splitlines()[0]
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("keynote-pki frobnicate", "frobnicate"),
        ("keynote-pki issue gateway", "NAME"),
        ("keynote-pki issue gateway a --key", "--key"),
        ("keynote-pki issue gateway a --days 0", "0"),
        ("keynote-pki issue gateway a --days soon", "soon"),
        ("keynote-pki issue gateway a --ipp 192.0.2.1", "--ipp"),
        ("keynote-pki init ca2", "--name"),
        ("keynote-pki show", "NAME"),
        ("keynote-pki export a --for isakmpd", "missing argument `DIR`"),
        ("keynote-pki export a out", "missing option `--for`, one of android, apple, isakmpd, "),
        ("keynote-pki export a --for isakmpd -o out", "isakmpd is a directory of files"),
        ("keynote-pki export a --for p12 out -o file", "two places for one thing"),
        ("keynote-pki export a --for pem out --compat legacy", "--compat means nothing to pem"),
        ("keynote-pki export a --for pem out --password-file p", "--password-file means nothing to pem"),
        ("keynote-pki export a --for p12 out --qr", "--qr goes with --for android"),
    ],
)
def test_wrong_usage(ca: Run, tmp_path: Path, line: str, message: str) -> None:
    before = snapshot(tmp_path)
    done = ca(line)
    assert done.status == 2
    assert done.out == ""
    assert message in done.err.splitlines()[0]
    assert re.search(r"^keynote-pki: hint: (did you mean `.*`\? \()?keynote-pki.* --help\)?$", done.err, re.M)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("line", ["keynote-pki", "keynote-pki issue"])
def test_a_command_without_its_command_shows_help(run: Run, line: str) -> None:
    done = run(line)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"Usage: {line} [OPTIONS] COMMAND")


def test_hints(ca: Run) -> None:
    ca("keynote-pki issue gateway gw.example.org")
    assert "hint: did you mean `gw.example.org`?" in ca("keynote-pki show gw.exmple.org").err
    assert (
        "hint: look at it with `keynote-pki show gw.example.org`"
        in ca("keynote-pki issue gateway gw.example.org").err
    )
    assert "init DIR" in ca("keynote-pki list --dir nowhere").err


def test_an_ambiguous_name_lists_the_candidates(ca: Run) -> None:
    ca("keynote-pki issue gateway one.example.org --ip 192.0.2.1")
    with contextlib.closing(sqlite3.connect("ca/registry.sqlite", isolation_level=None)) as registry:
        registry.execute(
            "UPDATE certificate SET revoked_at = not_before, revocation_reason = 'superseded' "
            "WHERE name = 'one.example.org'"
        )
    ca("keynote-pki issue gateway two.example.org --ip 192.0.2.1")
    done = ca("keynote-pki show 192.0.2.1")
    assert (done.status, "name      two.example.org\n" in done.out) == (0, True)
    assert "`192.0.2.1` finds other certificates too (1 revoked): this is the one that holds" in done.err
    with contextlib.closing(sqlite3.connect("ca/registry.sqlite", isolation_level=None)) as registry:
        registry.execute("UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL")
    done = ca("keynote-pki show 192.0.2.1")
    assert done.status == 1
    assert "`192.0.2.1` is 2 certificates" in done.err
    assert "(one.example.org, valid, 20" in done.err
    assert "(two.example.org, valid, 20" in done.err


def test_show_finds_by_serial_fingerprint_and_subject(ca: Run) -> None:
    issued = ca("keynote-pki issue gateway gw.example.org --json").json
    for text in (
        issued["serial"],
        issued["serial"][:12],
        issued["sha256"],
        issued["principal"],
        issued["sha256"][:8],
    ):
        assert ca(f"keynote-pki show --json '{text}'").json["sha256"] == issued["sha256"]


def test_the_directory_comes_from_the_environment_or_is_here(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keynote-pki init ca --name CA")
    assert run("keynote-pki list").status == 1
    monkeypatch.setenv("KEYNOTE_PKI_DIR", "ca")
    assert run("keynote-pki list").status == 0
    monkeypatch.delenv("KEYNOTE_PKI_DIR")
    monkeypatch.chdir("ca")
    assert run("keynote-pki list").status == 0


def test_export_to_where_something_is(ca: Run, tmp_path: Path) -> None:
    ca("keynote-pki issue gateway gw.example.org")
    assert ca("keynote-pki export gw.example.org --for isakmpd out").status == 0
    before = snapshot(tmp_path)
    again = ca("keynote-pki export gw.example.org --for isakmpd out")
    assert again.status == 1
    assert "exists and is not overwritten" in again.err
    assert snapshot(tmp_path) == before


def test_what_was_interrupted_is_finished_and_said(ca: Run, tmp_path: Path) -> None:
    issued = ca("keynote-pki issue gateway gw.example.org --json").json
    directory = Directory(tmp_path / "ca")
    name = f"{issued['serial']}.pem"
    temporary = f".{issued['serial']}.new"
    directory.key_path(name).rename(directory.key_path(temporary))
    with sqlite3.connect(directory.registry_path) as connection:
        connection.execute(
            "UPDATE certificate SET temporary_file = ? WHERE serial = ?", (temporary, issued["serial"])
        )
    connection.close()
    done = ca("keynote-pki list")
    assert done.err == "keynote-pki: note: an interrupted issue of `gw.example.org` was completed\n"
    assert directory.key_path(name).is_file()
    assert ca("keynote-pki list").err == ""


def test_terminals_are_not_written_to_by_tables(ca: Run, tmp_path: Path) -> None:
    """By no text of somebody else's: a table's, a delegation's, one that was edited."""
    (tmp_path / "peers.csv").write_text('profile,name\ngateway,"x\x1b]0;pwn\x07\n\nissued"\n')
    batch = ca("keynote-pki issue batch peers.csv")
    assert (batch.status, len(batch.out.splitlines())) == (1, 3)
    ca("keynote-pki issue gateway gw.example.org")
    ca("keynote-pki delegate --from POLICY --to gw.example.org --template identity --until 2048-01-31")
    databases.execute(tmp_path / "ca" / "registry.sqlite", "UPDATE certificate SET name = 'x' || char(27) || '[31m'")
    databases.execute(
        tmp_path / "ca" / "registry.sqlite", "UPDATE delegation SET comment = 'x' || char(27, 10) || 'y'"
    )
    lines = ("list", "list --expiring 9999d --check", "delegations list", "delegations show 1", "show gw.example.org")
    for done in (batch, *(ca(f"keynote-pki {line}") for line in lines)):
        assert r"x\x1b" in done.out
        assert done.out.replace("\n", "").isprintable()


def test_terminals_are_not_written_to_by_names(ca: Run) -> None:
    done = ca("keynote-pki show $'\\x1b[31m'")
    assert done.err.replace("\n", "").isprintable()
    done = ca("keynote-pki issue gateway '\x1b[31m\x07'")
    assert done.err.replace("\n", "").isprintable()


def test_output_that_cannot_be_written(ca: Run, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from pki import cli; cli.main()", "list", "--dir", str(tmp_path / "ca")]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        renewed = [*command[:3], "issue", "gateway", "gw.example.org", *command[-2:]]
        made = subprocess.run(renewed, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        asked = [*command, "--expiring", "30d", "--check"]
        checks = [
            subprocess.run([*asked, *more], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            for more in ([], ["--json"], ["--profile", "none"])
        ]
    error = "keynote-pki: error: cannot write: No space left on device\n"
    hint = "keynote-pki: hint: what was to be made may be there: `keynote-pki list` tells\n"
    assert (done.returncode, done.stderr) == (1, error)
    assert (made.returncode, made.stderr) == (1, error + hint)
    assert [(it.returncode, it.stderr) for it in checks] == [(3, error)] * 3
    with subprocess.Popen([*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as piped:
        assert piped.stdout is not None
        assert piped.stderr is not None
        piped.stdout.close()
        assert (piped.stderr.read(), piped.wait()) == (b"", 1)


def test_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("keynote-pki")
    if not command.exists():
        pytest.skip("the package is not installed")
    done = subprocess.run([command, "list", "--dir", tmp_path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("keynote-pki: error: ")


def test_half_a_mail_address(ca: Run) -> None:
    done = ca("keynote-pki issue road-warrior bob@")
    assert done.status == 1
    assert done.err.startswith("keynote-pki: error: `bob@` is not a mail address: ")
