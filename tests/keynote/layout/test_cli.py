# SPDX-License-Identifier: ISC
"""`keynote fmt` as a user types it: what is written, and what is refused."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from keynote import private_keys, signatures
from keynote.files import parse_all
from keynote.keys import text as key_text
from keynote.signing import signed
from tests.keynote.commands import run

UGLY = b'authorizer:"POLICY"\nlicensees: "Zo\xc3\xab"||"\xff"\n'
NICE = b'Authorizer: "POLICY"\nLicensees: "Zo\xc3\xab" || "\xff"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ugly.kn").write_bytes(UGLY)
    (tmp_path / "nice.kn").write_bytes(NICE)
    (tmp_path / "broken.kn").write_text('Authorizer: "POLICY"\nConditions: a = b;\n')
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "one.kn").write_bytes(UGLY)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_print(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    assert run("fmt ugly.kn", capfdbinary) == (0, NICE, b"")
    assert run("fmt ugly.kn nice.kn", capfdbinary) == (0, NICE + b"\n" + NICE, b"")
    assert (folder / "ugly.kn").read_bytes() == UGLY


def test_standard_input(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(UGLY)))
    assert run("fmt -", capfdbinary) == (0, NICE, b"")


def test_check(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run("fmt --check nice.kn", capfdbinary) == (0, b"", b"")
    assert run("fmt --check nice.kn ugly.kn set", capfdbinary) == (
        2,
        b"ugly.kn: another layout\nset/one.kn: another layout\n",
        b"",
    )


def test_diff(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    status, out, _ = run("fmt --diff ugly.kn nice.kn", capfdbinary)
    assert status == 2
    head = b"--- ugly.kn\n+++ ugly.kn (canonical)\n@@ -1,2 +1,2 @@\n"
    old, new = UGLY.splitlines(), NICE.splitlines()
    assert out == head + b"".join(b"-%s\n" % line for line in old) + b"".join(b"+%s\n" % line for line in new)


def test_in_place(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    os.chmod(folder / "ugly.kn", 0o640)
    (folder / "link.kn").symlink_to("set/one.kn")
    before = (folder / "nice.kn").stat()
    assert run("fmt --in-place ugly.kn nice.kn link.kn", capfdbinary) == (0, b"", b"")
    assert (folder / "ugly.kn").read_bytes() == (folder / "set" / "one.kn").read_bytes() == NICE
    assert stat.S_IMODE((folder / "ugly.kn").stat().st_mode) == 0o640
    assert (folder / "link.kn").is_symlink()
    assert (folder / "nice.kn").stat() == before
    assert run("fmt -w ugly.kn --check", capfdbinary)[0] == 1


def test_after_an_error_nothing_is_written(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    status, out, err = run("fmt -w ugly.kn broken.kn", capfdbinary)
    assert (status, out) == (1, b"")
    assert err.startswith(b"keynote: error: broken.kn:2:15: unknown operator `=`\n")
    assert (folder / "ugly.kn").read_bytes() == UGLY


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("fmt", b"no policy"),
        ("fmt none.kn", b"none.kn: No such file or directory"),
        ("fmt empty", b"empty: no *.kn file in this folder"),
        ("fmt ugly.kn --resign nice.kn", b"nice.kn:1: neither a principal nor a key"),
    ],
)
def test_errors(line: str, error: bytes, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    status, out, err = run(line, capfdbinary)
    assert (status, out) == (1, b"")
    assert b"keynote: error: " + error in err


# -- signed assertions -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["ed25519", "rsa"])
def key(request: pytest.FixtureRequest, folder: Path) -> private_keys.PrivateKey:
    """A key in key.txt, and an assertion that it signed in signed.kn."""
    made = private_keys.generate(request.param, 256 if request.param == "ed25519" else 2048)
    (folder / "key.txt").write_text(f'"{private_keys.private_text(made, "hex")}"\n')
    os.chmod(folder / "key.txt", 0o600)
    body = f'Licensees:"x"\nAuthorizer: "{key_text(made.public_key())}"\nConditions: a=="b";\n'
    (folder / "signed.kn").write_text(signed(body, made) + "# below\n\n" + UGLY.decode("latin-1"), "latin-1")
    return made


@pytest.mark.usefixtures("key")
def test_a_signed_assertion_is_refused(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    before = (folder / "signed.kn").read_bytes()
    status, _, err = run("fmt -w signed.kn ugly.kn", capfdbinary)
    assert status == 1
    assert b"signed, and a new layout would void the signature\n" in err
    assert err.endswith(b"keynote: hint: `--resign KEY` signs it anew\n")
    assert (folder / "signed.kn").read_bytes() == before
    assert (folder / "ugly.kn").read_bytes() == UGLY


@pytest.mark.usefixtures("key")
def test_it_is_signed_anew(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    assert run("fmt -w signed.kn --resign key.txt", capfdbinary) == (0, b"", b"")
    text = (folder / "signed.kn").read_text("latin-1")
    assert text.startswith('Authorizer: "')
    assert text.endswith("# below\n\n" + NICE.decode("latin-1"))
    (assertion, _), problems = parse_all(text, name="p")
    assert problems == ()
    signatures.verify(assertion)
    # Now it is in its layout, and nobody need sign it.
    assert run("fmt --check signed.kn", capfdbinary) == (0, b"", b"")


@pytest.mark.usefixtures("key")
def test_by_no_other_key(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    other = private_keys.generate("ed25519", 256)
    (folder / "key.txt").write_text(f'"{private_keys.private_text(other, "hex")}"\n')
    status, _, err = run("fmt -w signed.kn --resign key.txt", capfdbinary)
    assert status == 1
    assert b"not signed anew: the Authorizer is not the key that signs\n" in err


@pytest.mark.usefixtures("key")
def test_what_somebody_changed_is_not_signed_anew(capfdbinary: pytest.CaptureFixture[bytes], folder: Path) -> None:
    path = folder / "signed.kn"
    path.write_text(path.read_text("latin-1").replace('"x"', '"eve"'), "latin-1")
    status, _, err = run("fmt -w signed.kn --resign key.txt", capfdbinary)
    assert status == 1
    assert b"not signed anew: the signature is not its authorizer's, or the text was changed since\n" in err
