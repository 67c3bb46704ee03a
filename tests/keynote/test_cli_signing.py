# SPDX-License-Identifier: ISC
"""`keynote keygen`, `sign` and `sigver` as scripts for keynote(1) use them, and what they refuse."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keynote.cli.inputs import principals_file
from keynote.principals import canonical, shown_principal
from keynote.private_keys import load_private_key, private_text
from tests.keynote.commands import run
from tests.keynote.key_pairs import key, pem, principal

PAIRS = [
    # key algorithm, size, an algorithm that signs with it
    ("rsa-hex:", 1024, "sig-rsa-sha1-hex:"),
    ("rsa-base64:", 1024, "sig-rsa-md5-base64:"),
    ("rsa-hex:", 1024, "sig-rsa-sha256-base64:"),
    ("dsa-base64:", 1024, "sig-dsa-sha1-hex:"),
    ("x509-base64:", 1024, "sig-x509-sha1-base64:"),
    ("x509-hex:", 1024, "sig-rsa-sha256-hex:"),
    ("ec-hex:", 256, "sig-ecdsa-sha256-base64:"),
    ("ec-base64:", 521, "sig-ecdsa-sha256-hex:"),
    ("ed25519-base64:", 256, "sig-ed25519-base64:"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assertion(public: str, licensee: str = "K") -> str:
    return f'KeyNote-Version: 2\nAuthorizer:\n{public}Licensees: "{licensee}"\nConditions: a == "b";\n'


def write_private_key(name: str, text: str) -> None:
    Path(name).touch(0o600)
    Path(name).write_text(text)


# --- keygen


@pytest.mark.parametrize(("algorithm", "size", "with_"), PAIRS)
def test_from_key_to_verified_signature(
    algorithm: str, size: int, with_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(f"keygen {algorithm} {size} pub key", capsys) == (0, "", "")
    public = Path("pub").read_text()
    assert public.startswith(f'            "{algorithm}')
    assert stat.S_IMODE(Path("key").stat().st_mode) == 0o600
    Path("unsigned").write_text(assertion(public) + "Signature:\n")
    status, signature, _ = run(f"sign -v {with_} unsigned key", capsys)
    assert status == 0
    assert signature.startswith(f'            "{with_}')
    Path("signed").write_text(f"{assertion(public)}Signature: {signature}")
    assert run("sigver signed", capsys) == (0, "Signature on assertion 0 verified.\n", "")
    assert run("sigver --strict signed", capsys)[0] == 0


def test_lines_of_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    run("keygen rsa-hex: 1024 a b", capsys)
    lines = Path("a").read_text().splitlines()
    assert {len(line) for line in lines[:-1]} == {12 + 50}
    assert all(line.endswith("\\") for line in lines[:-1])
    assert lines[-1].endswith('"')
    run("keygen rsa-hex: 1024 c d 3 20", capsys)
    assert Path("c").read_text().splitlines()[0] == '   "rsa-hex:3081890281\\'
    assert Path("c").read_text().splitlines()[1][:3] == "   "
    private = Path("d").read_text()
    assert private.splitlines()[0] == '   "private-rsa-hex:30\\'
    (text,) = principals_file(private, "d")
    assert load_private_key(text)


def test_the_colon_may_be_missing_and_names_are_in_either_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("keygen ED25519-hex 256 a b", capsys) == (0, "", "")
    assert '"ed25519-hex:' in Path("a").read_text()


def test_keys_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("keygen ed25519-hex: 256 - - 0 60", capsys)
    public, separator, private = out.partition("===========================\n")
    assert (status, public.startswith('"ed25519-hex:'), bool(separator)) == (0, True, True)
    assert private.startswith('"private-ed25519-hex:')
    assert run("keygen ed25519-hex: 256 - key", capsys)[1].startswith('            "ed25519-hex:')
    assert stat.S_IMODE(Path("key").stat().st_mode) == 0o600
    assert run("keygen ed25519-hex: 256 pub -", capsys)[1].startswith('            "private-ed25519-hex:')
    assert list(map(str, sorted(Path().iterdir()))) == ["key", "pub"]


@pytest.mark.parametrize("existing", ["pub", "key"])
def test_nothing_is_overwritten(existing: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path(existing).write_text("mine")
    status, out, err = run("keygen ed25519-hex: 256 pub key", capsys)
    assert (status, out) == (1, "")
    assert err == f"keynote: error: {existing}: is there already\nkeynote: hint: --force writes over it\n"
    assert [(str(path), path.read_text()) for path in Path().iterdir()] == [(existing, "mine")]
    assert run("keygen --force ed25519-hex: 256 pub key", capsys)[0] == 0
    assert "private-ed25519-hex" in Path("key").read_text()
    assert stat.S_IMODE(Path("key").stat().st_mode) == 0o600
    assert sorted(os.listdir()) == ["key", "pub"]


def test_a_link_is_not_followed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("key").symlink_to("elsewhere")
    assert run("keygen ed25519-hex: 256 pub key", capsys)[0] == 1
    assert not Path("elsewhere").exists()
    assert run("keygen --force ed25519-hex: 256 pub key", capsys)[0] == 0
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("keygen pgp-hex: 1024 a b", "`pgp-hex:` is no algorithm of keys"),
        ("keygen rsa-octal: 1024 a b", "`rsa-octal:` is no algorithm of keys"),
        ("keygen binary-hex: 1024 a b", "`binary-hex:` is no algorithm of keys"),
        ("keygen rsa-hex: 0 a b", "invalid value for `KEY-SIZE`: 0 is not in the range x>=1"),
        ("keygen rsa-hex: 512 a b", "no rsa key has 512 bits: 1024 to 16384, and 2048 or more for new ones"),
        (
            "keygen rsa-hex: 99999999999999999999999 a b",
            "no rsa key has 99999999999999999999999 bits: 1024 to 16384, and 2048 or more for new ones",
        ),
        ("keygen x509-hex: 20000 a b", "no x509 key has 20000 bits: 1024 to 16384, and 2048 or more for new ones"),
        ("keygen dsa-hex: 1000 a b", "no dsa key has 1000 bits: 1024, 2048, 3072 or 4096"),
        ("keygen ec-hex: 255 a b", "no ec key has 255 bits: 256, 384 or 521"),
        ("keygen ed25519-hex: 512 a b", "no ed25519 key has 512 bits: always 256"),
        ("keygen ed25519-hex: 256 a ./a", "a: one file for both keys"),
        ("keygen rsa-hex: 1024 a b 12 9", "PRINT-LENGTH 9 is too short"),
        ("keygen rsa-hex: 1024 a b 12 0", "invalid value for `[PRINT-LENGTH]`: 0 is not in the range 1<=x<=100000"),
        (
            "keygen rsa-hex: 1024 a b 99999999999",
            "invalid value for `[PRINT-OFFSET]`: 99999999999 is not in the range 0<=x<=1000",
        ),
        (
            "keygen rsa-hex: 1024 a b 12 99999999999",
            "invalid value for `[PRINT-LENGTH]`: 99999999999 is not in the range 1<=x<=100000",
        ),
        ("keygen rsa-hex: 1024 a b 1001", "invalid value for `[PRINT-OFFSET]`: 1001 is not in the range 0<=x<=1000"),
        ("keygen ed25519-hex: 256 none/a b", "none/a: No such file or directory"),
        ("keygen ed25519-hex: 256 a none/b", "none/b: No such file or directory"),
        ("keygen --force ed25519-hex: 256 none/a b", "none/a: No such file or directory"),
        ("keygen --force ed25519-hex: 256 a none/b", "none/b: No such file or directory"),
        ("keygen rsa-hex: 1024 a", "missing argument `PRIVATE-KEY-FILE`"),
    ],
)
def test_wrong_keygen(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(command, capsys)
    assert (status, out) == (1, "")
    assert err.startswith(f"keynote: error: {message}\n")
    assert os.listdir() == []


def test_a_key_that_is_there_stays_where_the_other_cannot_be_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("key").write_text("mine")
    for command in ("keygen --force ed25519-hex: 256 none/a key", "keygen --force ed25519-hex: 256 /dev/full key"):
        assert run(command, capsys)[0] == 1
        assert [(it.name, it.read_text()) for it in Path().iterdir()] == [("key", "mine")]


KEYNOTE = Path(sys.executable).parent / "keynote"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("keygen ed25519-hex: 256 pub - >&-", "standard output is closed, and the result would be lost"),
        ("keygen ed25519-hex: 256 - key >&-", "standard output is closed, and the result would be lost"),
        ("keygen ed25519-hex: 256 pub /dev/stdout >&-", "standard output is closed, and the result would be lost"),
        ("keygen ed25519-hex: 256 - key >/dev/full", "cannot write: No space left on device"),
        ("keygen ed25519-hex: 256 pub - >/dev/full", "cannot write: No space left on device"),
        ("keygen --force ed25519-hex: 256 - key >/dev/full", "cannot write: No space left on device"),
    ],
)
def test_a_key_that_nobody_can_read_is_not_made(command: str, message: str) -> None:
    done = subprocess.run(["sh", "-c", f"{KEYNOTE} {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"keynote: error: {message}\n")
    assert os.listdir() == []


def test_nor_one_whose_reader_is_gone() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        arguments = [str(KEYNOTE), "keygen", "ed25519-hex:", "256", "-", "key"]
        done = subprocess.run(arguments, stdout=writer, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, os.listdir()) == (1, [])


# --- sign


@pytest.mark.usefixtures("files")
def test_a_signature_needs_an_output(capsys: pytest.CaptureFixture[str]) -> None:
    command = f"{KEYNOTE} sign sig-ed25519-hex: a.kn key"
    done = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False)
    message = "keynote: error: standard output is closed, and the result would be lost\n"
    assert (done.returncode, done.stderr) == (1, message)
    in_place = command.replace("sign ", "sign --in-place ")
    assert subprocess.run(["sh", "-c", f"{in_place} >&-"], check=False).returncode == 0


@pytest.fixture
def files() -> None:
    Path("a.kn").write_text(assertion(f'   "{principal("ed25519")}"\n'))
    write_private_key("key", f'"{private_text(key("ed25519"), "hex")}"\n')
    write_private_key("rsa", f'# of somebody else\n"{private_text(key("rsa"), "base64")}"\n')
    write_private_key("both", '"private-rsa-hex:00"\n"private-rsa-hex:00"\n')
    write_private_key("none", '"rsa-hex:00"\n')
    write_private_key("cut", '"private-rsa-hex:3082"\n')


@pytest.mark.usefixtures("files")
def test_signing_in_place(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.kn").chmod(0o640)
    Path("link").symlink_to("a.kn")
    assert run("sign --in-place sig-ed25519-base64: link key", capsys) == (0, "", "")
    once = Path("a.kn").read_text()
    assert once.startswith(assertion(f'   "{principal("ed25519")}"\n') + 'Signature: "sig-ed25519-base64:')
    assert stat.S_IMODE(Path("a.kn").stat().st_mode) == 0o640
    assert Path("link").is_symlink()
    assert run("sign --in-place sig-ed25519-hex a.kn key 2 70", capsys) == (0, "", "")
    twice = Path("a.kn").read_text()
    assert twice.count("Signature:") == 1
    assert "sig-ed25519-hex:" in twice
    assert run("sigver --strict a.kn", capsys)[0] == 0
    assert sorted(os.listdir()) == ["a.kn", "both", "cut", "key", "link", "none", "rsa"]


@pytest.mark.usefixtures("files")
def test_nothing_is_put_in_the_place_of_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo("pipe")
    text = Path("a.kn").read_text()
    for command in ("sign --in-place sig-ed25519-hex: pipe key", "fmt --in-place pipe"):
        writer = Thread(target=Path("pipe").write_text, args=[f"\n{text}"])
        writer.start()
        status, _, err = run(command, capsys)
        writer.join()
        assert (status, err) == (1, "keynote: error: pipe: is no file that another could take the place of\n")
        assert Path("pipe").is_fifo()


@pytest.mark.usefixtures("files")
def test_lines_of_a_signature(capsys: pytest.CaptureFixture[str]) -> None:
    lines = run("sign sig-ed25519-hex: a.kn key 4 30", capsys)[1].splitlines()
    assert lines[0].startswith('    "sig-ed25519-hex:')
    assert {len(line) for line in lines[:-1]} == {34}
    assert run("sign sig-ed25519-hex: a.kn key 0 200", capsys)[1].startswith('"sig-ed25519-hex:')


@pytest.mark.parametrize("kind", ["rsa", "dsa", "ec", "ed25519"])
def test_signing_with_pem(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.kn").write_text(assertion(f'   "{principal(kind)}"\n'))
    write_private_key("key.pem", pem(kind))
    name = {"rsa": "sig-rsa-sha256", "dsa": "sig-dsa-sha1", "ec": "sig-ecdsa-sha256", "ed25519": "sig-ed25519"}[kind]
    assert run(f"sign --in-place {name}-hex: a.kn key.pem", capsys)[0] == 0
    assert run("sigver --strict a.kn", capsys)[0] == 0


def test_a_legacy_signature_is_made_and_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.kn").write_text(assertion(f'   "{principal("rsa")}"\n'))
    write_private_key("key", pem("rsa"))
    status, out, err = run("sign sig-rsa-sha1-hex: a.kn key", capsys)
    assert (status, out.strip().startswith('"sig-rsa-sha1-hex:')) == (0, True)
    assert err.startswith("keynote: warning: a.kn: sig-rsa-sha1 is a legacy signature\n")


@pytest.mark.usefixtures("files")
def test_a_private_key_for_everybody_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    Path("key").chmod(0o644)
    status, _, err = run("sign sig-ed25519-hex: a.kn key", capsys)
    assert (status, err.splitlines()[0]) == (0, "keynote: warning: key: others can read this private key")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (
            "sign sig-rsa-sha1-hex: a.kn key",
            'a.kn:3:4: sig-rsa-sha1 is made with an RSA key, and this is an Ed25519 key\n       "ed25519-hex:',
        ),
        (
            "sign sig-ed25519-hex: a.kn rsa",
            'a.kn:3:4: the Authorizer is not the key that signs\n       "ed25519-hex:',
        ),
        ("sign passphrase:geheim a.kn key", "`passphrase:(hidden)` is no signature algorithm"),
        ("sign sig-pgp-hex: a.kn key", "`sig-pgp-hex:` is no signature algorithm; there are sig-rsa-sha1-, "),
        ("sign sig-ed25519-hex: a.kn both", "both: more than one key"),
        ("sign sig-ed25519-hex: a.kn none", "none: a public key, and it is the private one that signs\n"),
        ("sign sig-ed25519-hex: a.kn cut", "cut: a private key that cannot be read: is it whole, and not encrypted?"),
        ("sign sig-ed25519-hex: a.kn missing", "missing: No such file or directory"),
        ("sign sig-ed25519-hex: missing key", "missing: No such file or directory"),
        ("sign sig-ed25519-hex: key key", "key:1:1: neither a field nor the continuation of one"),
        ("sign --in-place sig-ed25519-hex: a.kn key 0", "PRINT-OFFSET 0"),
        ("sign sig-ed25519-hex: a.kn key 4 1", "PRINT-LENGTH 1 is too short"),
    ],
)
@pytest.mark.usefixtures("files")
def test_wrong_sign(command: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path("a.kn").read_text()
    status, out, err = run(command, capsys)
    assert (status, out) == (1, "")
    assert err.startswith(f"keynote: error: {message}")
    assert "302e0201" not in err
    assert Path("a.kn").read_text() == before


@pytest.mark.usefixtures("files")
def test_a_public_key_is_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    public = key("ed25519").public_key()
    Path("pub.pem").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    Path("pub").write_text(f'"{principal("ed25519")}"\n')
    Path("word").write_text('"POLICY"\n')
    for name, message in (
        ("pub", "a public key, and it is the private one that signs"),
        ("pub.pem", "a public key, and it is the private one that signs"),
        ("word", 'not a private key: neither PEM nor `"private-…-hex:…"`'),
    ):
        Path(name).chmod(0o644)
        told = run(f"sign sig-ed25519-hex: a.kn {name}", capsys)
        assert told == (1, "", f"keynote: error: {name}: {message}\n")


@pytest.mark.usefixtures("files")
def test_whose_key_signs_is_told_where_the_authorizer_stands(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other.kn").write_text('# by somebody else\n\n# here\nAuthorizer: "POLICY"\nLicensees: "K"\n')
    shown = shown_principal(canonical(principal("ed25519")))
    assert run("sign sig-ed25519-hex: other.kn key", capsys) == (
        1,
        "",
        "keynote: error: other.kn:4:13: the Authorizer is not the key that signs\n"
        '    Authorizer: "POLICY"\n'
        "                ^\n"
        f"keynote: hint: that is `{shown}`\n",
    )


# --- sigver


@pytest.mark.usefixtures("files")
def test_sigver_tells_of_each_assertion(capsys: pytest.CaptureFixture[str]) -> None:
    run("sign --in-place sig-ed25519-hex: a.kn key", capsys)
    good = Path("a.kn").read_text()
    unsigned = 'Authorizer: "POLICY"\n'
    Path("many.kn").write_text("\n".join([good, good.replace('"K"', '"J"'), unsigned, good]))
    status, out, err = run("sigver many.kn", capsys)
    assert status == 0
    assert out.splitlines() == [
        "Signature on assertion 0 verified.",
        "Signature on assertion 1 did not verify!",
        "Signature on assertion 2 did not verify!",
        "Signature on assertion 3 verified.",
    ]
    assert (
        "warning: many.kn:15:12: assertion 1: the signature is not its authorizer's, or the text was changed" in err
    )
    assert '\n    Signature: "sig-ed25519-hex:' in err
    assert ': assertion 2: not signed\n    Authorizer: "POLICY"\n    ^\n' in err
    assert run("sigver --strict many.kn", capsys)[0] == 1
    status, out, _ = run("sigver --json many.kn", capsys)
    found = json.loads(out)
    assert [(item["assertion"], item["verified"], item["reason"]) for item in found][2:] == [
        (2, False, "not signed"),
        (3, True, ""),
    ]
    assert found[0]["where"] == {"file": "many.kn", "line": 1, "column": 1}


@pytest.mark.usefixtures("files")
def test_sigver_of_what_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    run("sign --in-place sig-ed25519-hex: a.kn key", capsys)
    Path("some.kn").write_text("broken\n\n" + Path("a.kn").read_text())
    status, out, err = run("sigver some.kn", capsys)
    assert (status, out) == (1, "Signature on assertion 1 verified.\n")
    assert "error: some.kn:1:1: assertion 0: neither a field nor the continuation of one\n" in err
    assert "hint: indent a line that goes on" in err
    Path("empty").touch()
    assert run("sigver empty", capsys) == (1, "", "keynote: error: empty: no assertions\n")
    assert run("sigver missing", capsys)[0] == 1
    assert run("sigver", capsys)[0] == 1


def test_lines_have_room_for_the_name_of_either_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, _, err = run("keygen ed25519-hex: 256 - - 4 20", capsys)
    hint = "keynote: hint: for `private-ed25519-hex:`, 22 at least"
    assert (status, err) == (1, f"keynote: error: PRINT-LENGTH 20 is too short\n{hint}\n")
    status, out, _ = run("keygen ed25519-hex: 256 - - 4 22", capsys)
    assert status == 0
    assert max(map(len, out.replace("=", "").splitlines())) <= 4 + 22
