# SPDX-License-Identifier: ISC
"""`keynote-pki export`, as a user types it."""

import contextlib
import json
import plistlib
import re
import shlex
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pki import cli, issuance, profiles
from pki.bundles.formats import FORMATS
from pki.cli import qr
from pki.directory import Directory
from pki.errors import PkiError
from pki.names import Identity, identity
from tests.pki.bundles.handovers import opened, subjects
from tests.pki.factory import DAY, NOW

PASSWORD = re.compile(r"^password: (([a-z2-9]{6}-){3}[a-z2-9]{6})$", re.MULTILINE)


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


Export = Callable[[str], Done]


@pytest.fixture
def issued(directory: Directory) -> Directory:
    """An authority that has issued for a gateway, which has an address as well, and for Alice."""
    gateway = (Identity("FQDN", "gw.example.org"), Identity("IPV4_ADDR", "192.0.2.1"))
    issuance.issue(directory, profiles.GATEWAY, gateway, NOW)
    issuance.issue(directory, profiles.ROAD_WARRIOR, (identity("alice@example.org"),), NOW)
    return directory


@pytest.fixture
def export(
    issued: Directory, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Export:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYNOTE_PKI_DIR", str(issued.path))
    monkeypatch.setattr("pki.cli.export.current_time", lambda: NOW)

    def typed(line: str) -> Done:
        with pytest.raises(SystemExit) as exit:
            cli.main(["export", *shlex.split(line)])
        captured = capsys.readouterr()
        assert isinstance(exit.value.code, int)
        return Done(exit.value.code, captured.out, captured.err)

    return typed


def forget_key(directory: Directory, name: str) -> None:
    """As for a certificate whose key was made elsewhere."""
    (record,) = directory.registry().find(name)
    assert record.key_file is not None
    directory.key_path(record.key_file).unlink()
    with contextlib.closing(sqlite3.connect(directory.registry_path, isolation_level=None)) as registry:
        registry.execute("UPDATE certificate SET key_file = NULL WHERE name = ?", (name,))


def test_one_file_and_its_password_once(export: Export) -> None:
    done = export("alice@example.org --for p12 -o alice.p12")
    assert (done.status, done.out) == (0, "alice.p12\n")
    found = PASSWORD.fullmatch(done.err.strip())
    assert found
    assert stat.S_IMODE(Path("alice.p12").stat().st_mode) == 0o600
    it = opened(Path("alice.p12").read_bytes(), found[1])
    assert it.cert is not None
    assert subjects([it.cert.certificate]) == ["alice@example.org"]
    assert subjects([other.certificate for other in it.additional_certs]) == ["Example CA"]
    again = export("alice@example.org --for p12 -o other.p12")
    assert found[1] not in again.err


def test_one_file_in_a_directory_has_the_name_of_its_holder(export: Export) -> None:
    assert export("alice@example.org --for p12 out").out == "out/alice@example.org.p12\n"


def test_the_password_in_a_file(export: Export) -> None:
    done = export("alice@example.org --for p12 -o alice.p12 --password-file password --json")
    assert done.err == ""
    assert json.loads(done.out)["files"] == ["alice.p12"]
    assert json.loads(done.out)["format"] == "p12"
    password = Path("password").read_text().rstrip("\n")
    assert stat.S_IMODE(Path("password").stat().st_mode) == 0o600
    assert password not in done.out
    assert opened(Path("alice.p12").read_bytes(), password).key is not None


@pytest.mark.parametrize("taken", ["alice.p12", "password"])
def test_bundle_and_password_are_there_both_or_neither(export: Export, tmp_path: Path, taken: str) -> None:
    (tmp_path / taken).write_text("mine")
    done = export("alice@example.org --for p12 -o alice.p12 --password-file password")
    assert (done.status, done.out) == (1, "")
    assert f"`{taken}` exists and is not overwritten" in done.err
    assert {it.name for it in tmp_path.iterdir() if it.is_file()} == {taken}
    assert (tmp_path / taken).read_text() == "mine"


def test_json_leaves_the_password_to_stderr(export: Export) -> None:
    done = export("alice@example.org --for p12 -o alice.p12 --json")
    found = PASSWORD.search(done.err)
    assert found
    assert found[1] not in done.out


def test_the_only_gateway_is_the_server(export: Export) -> None:
    assert export("alice@example.org --for apple -o a.mobileconfig").status == 0
    vpn = plistlib.loads(Path("a.mobileconfig").read_bytes())["PayloadContent"][-1]["IKEv2"]
    assert (vpn["RemoteAddress"], vpn["RemoteIdentifier"]) == ("gw.example.org", "gw.example.org")


def test_a_known_server_goes_by_the_first_identity_of_its_certificate(export: Export) -> None:
    for number, (server, remote) in enumerate(
        {
            "--server 192.0.2.1": "gw.example.org",
            "--server 192.0.2.1 --remote-id 192.0.2.1": "192.0.2.1",
            "--server other.example.org": "other.example.org",
        }.items()
    ):
        assert export(f"alice@example.org --for apple -o {number} {server}").status == 0
        vpn = plistlib.loads(Path(str(number)).read_bytes())["PayloadContent"][-1]["IKEv2"]
        assert vpn["RemoteIdentifier"] == remote


def test_with_two_gateways_the_server_has_to_be_said(export: Export, issued: Directory) -> None:
    issuance.issue(issued, profiles.GATEWAY, (identity("gw2.example.org"),), NOW)
    done = export("alice@example.org --for strongswan out")
    assert (done.status, done.out) == (1, "")
    assert "error: strongswan needs --server\n" in done.err
    assert not Path("out").exists()
    # Between two gateways, there is one that is not oneself.
    assert export("gw2.example.org --for strongswan out --network 10.1.0.0/16 --ike 1").status == 0
    it = Path("out/conf.d/gw2.example.org.conf").read_text()
    assert 'remote_addrs = "gw.example.org"' in it
    assert "remote_ts = 10.1.0.0/16\n" in it


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--server alice@example.org", "`alice@example.org` is a mail address, not a server"),
        ("--network 10.0.0.1/8", "`10.0.0.1/8` is not a network: 10.0.0.1/8 has host bits set"),
        ("--remote-id 'a b'", "`a b` is not a host name"),
        ("--title 'a\tb'", "cannot be a title"),
    ],
)
def test_what_cannot_be_meant_is_refused(export: Export, options: str, message: str) -> None:
    done = export(f"alice@example.org --for strongswan out {options}")
    assert (done.status, done.out) == (1, "")
    assert message in done.err
    assert not Path("out").exists()


def test_a_key_that_is_not_here(export: Export, issued: Directory) -> None:
    forget_key(issued, "alice@example.org")
    refused = export("alice@example.org --for strongswan out")
    assert refused.status == 1
    assert "the private key of `alice@example.org` is not kept here" in refused.err
    assert "hint: export the rest with --no-key, for isakmpd or pem or racoon or strongswan" in refused.err
    refused = export("alice@example.org --for p12 out --no-key")
    assert "p12 needs the private key of `alice@example.org`" in refused.err
    assert not Path("out").exists()
    assert export("alice@example.org --for strongswan out --no-key").status == 0
    assert list(Path("out/private").iterdir()) == []


def test_what_nobody_opened_says_so(export: Export) -> None:
    for form in FORMATS.values():
        server = " --server 192.0.2.1" if "server" in form.takes else ""
        done = export(f"alice@example.org --for {form.name} {form.name}{server}")
        assert done.status == 0
        assert ("no " + form.name + " bundle of ours was ever opened" in done.err) == (not form.opened_by)


def test_an_expired_certificate_is_warned_of(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pki.cli.export.current_time", lambda: NOW + 366 * DAY)
    assert (
        "warning: the certificate of `alice@example.org` is expired" in export("alice@example.org --for pem out").err
    )


class TestQr:
    def test_a_code_can_be_read_again(self, tmp_path: Path) -> None:
        """By zbar, where it is at hand; the code is drawn from what goes to the terminal."""
        if not shutil.which("zbarimg"):
            pytest.skip("no zbarimg here")
        image = tmp_path / "code.pbm"
        image.write_text(portable_bitmap(qr.code(b'{"name":"vpn.example.org"}')))
        command = ["zbarimg", "-q", "--raw", str(image)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == '{"name":"vpn.example.org"}\n'

    def test_too_much_for_a_code(self) -> None:
        assert qr.code(b"x" * 2953)
        with pytest.raises(PkiError, match="2,954 bytes are too many for a QR code") as caught:
            qr.code(b"x" * 2954, "smaller")
        assert caught.value.hint == "smaller"

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "segno", None)
        with pytest.raises(PkiError, match="need a library that is not installed") as caught:
            qr.code(b"")
        assert caught.value.hint == "pip install 'keynote-ike[qr]'"

    def test_what_does_not_fit_is_not_written(self, export: Export) -> None:
        done = export("alice@example.org --for android -o alice.sswan --qr")
        assert done.status == 1
        assert "bytes are too many for a QR code" in done.err
        assert not Path("alice.sswan").exists()

    @pytest.mark.parametrize(
        ("authority", "holder", "large"),
        [
            ("rsa-2048", "p-256", "`CA` (rsa-2048)"),
            ("rsa-2048", "rsa-2048", "`alice@example.org` (rsa-2048), `CA` (rsa-2048)"),
            ("p-256", "rsa-4096", "`alice@example.org` (rsa-4096)"),
            ("p-256", "p-256", ""),
        ],
    )
    def test_whose_keys_are_too_large_is_told(self, export: Export, authority: str, holder: str, large: str) -> None:
        where, alice = Path("new"), identity("alice@example.org")
        issuance.initialize(where, "CA", NOW, kind=authority)
        issuance.issue(Directory(where), replace(profiles.ROAD_WARRIOR, key=holder), (alice,), NOW)
        done = export("alice@example.org --for android -o alice.sswan --qr --server vpn.example.org -d new")
        if not large:
            assert (done.status, "▀" in done.out) == (0, True)
            return
        assert done.status == 1
        assert f"hint: it is large by the keys of {large}: all of kind p-256 make a smaller bundle" in done.err

    def test_what_fits_is_the_file(self, export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(qr, "code", lambda data, smaller: f"{len(data)} bytes\n")
        done = export("alice@example.org --for android -o alice.sswan --qr")
        assert done.out == f"alice.sswan\n{Path('alice.sswan').stat().st_size} bytes\n"


def portable_bitmap(drawn: str) -> str:
    """What half blocks show, black on white, four dots a module. On a terminal the light ones are painted."""
    rows: list[list[int]] = []
    for line in re.sub(r"\x1b\[[\d;]*m", "", drawn).splitlines():
        dark = {"█": (0, 0), "▀": (0, 1), "▄": (1, 0), " ": (1, 1)}
        pairs = [dark[character] for character in line]
        rows += [[pair[0] for pair in pairs], [pair[1] for pair in pairs]]
    scaled = [[dot for dot in row for _ in range(4)] for row in rows for _ in range(4)]
    return f"P1\n{len(scaled[0])} {len(scaled)}\n" + "\n".join(" ".join(map(str, row)) for row in scaled)
