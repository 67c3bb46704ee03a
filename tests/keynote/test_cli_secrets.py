# SPDX-License-Identifier: ISC
"""Pre-shared keys that come to a command where it does not expect them: in the wrong file, in a name, as a path."""

import io
import shlex
from contextlib import redirect_stderr, redirect_stdout
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from keynote import private_keys
from keynote.cli.inputs import InputError, principals_file
from keynote.cli.main import main
from tests.keynote.commands import run
from tests.keynote.key_pairs import key, pem, principal

SECRET = "hunter2secret"
POLICY = f'Authorizer: "POLICY"\nLicensees: "passphrase:{SECRET}"\nConditions: remote_id == "x";\n'
CONFIGURATION = f"[Phase 1]\n10.0.0.2= peer\n\n[peer]\nPhase= 1\nAuthentication= {SECRET}\nsecret: {SECRET}\n"
SHARED_KEYS = f"10.0.0.2 {SECRET}\n%any : PSK {SECRET}\n\n{SECRET}\n"
QUERIES = f"""
[[query]]
name = "passphrase:{SECRET} gets in"
authorizers = "passphrase:{SECRET}"
action = {{ remote_id = "x" }}
expect = "true"

[[query]]
name = "two"
authorizers = "passphrase:{SECRET}"
each = {{ remote_id = ["{SECRET}"] }}
expect = "true"
because = "{SECRET}"

[[query]]
name = "with {SECRET}"
authorizers = ["passphrase:{SECRET}", "rsa-hex:00"]
cases = [{{ expect = "true", action = {{ remote_id = "{SECRET}" }} }}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    files = {"policy.kn": POLICY, "a.conf": CONFIGURATION, "psk.txt": SHARED_KEYS, "queries.toml": QUERIES}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "command",
    [
        "test queries.toml --json",
        "test queries.toml",
        "test queries.toml --junit /dev/stdout",
        *(
            command.replace("FILE", file)
            for file in ("a.conf", "psk.txt")
            for command in (
                "lint FILE",
                "lint FILE --json",
                "fmt FILE",
                "graph FILE",
                "who FILE",
                "eval -p FILE -k x",
                "eval -p policy.kn -c FILE -k x",
                "eval -p policy.kn -k x --action FILE",
                "sigver FILE",
                "diff FILE policy.kn --inputs FILE",
                "diff policy.kn policy.kn --inputs FILE",
            )
        ),
        "eval -p policy.kn -k @policy.kn",
        "eval -p policy.kn -k @a.conf",
        *(
            command.replace("KEY", f"passphrase:{SECRET}")
            for command in (
                "who KEY",
                "lint KEY",
                "graph KEY --json",
                "fmt KEY",
                "test KEY",
                "sigver KEY",
                "eval -p KEY -k x",
                "eval -p policy.kn -k @KEY --json",
                "eval -p policy.kn -k x --action KEY",
                "diff KEY KEY --inputs KEY",
                "sign sig-ed25519-hex: KEY KEY",
                "keygen KEY 256 a b",
            )
        ),
    ],
)
def test_it_is_hidden(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run(command, capsys)
    assert out or err
    assert SECRET not in out + err


def test_a_file_of_something_else_is_none_of_principals(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run("eval -p policy.kn -k @policy.kn", capsys)
    assert (status, out) == (1, "")
    assert err.startswith("keynote: error: policy.kn:1: neither a principal nor a key\nkeynote: hint: ")
    for line in ("[peer]", "Phase= 1", "A=B", "  Conditions: true;", "signature:x"):
        with pytest.raises(InputError, match="f:2: neither a principal nor a key"):
            principals_file(f"K\n{line}\n", "f")
    principals = [
        "DN:/C=DE/CN=gw",
        "rsa-base64:MIGJAoGBAM=",
        "x509-base64:AAAA==",
        "a b",
        "AAAA==",
        "[x",
        "passphrase:a=b",
    ]
    assert principals_file("\n".join(principals), "f") == principals
    assert principals_file('"A=B"\n', "f") == ["A=B"]


def test_a_field_that_is_misspelt_is_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.kn").write_text('Authorizer: "POLICY"\nLicensee "x"\n')
    assert '    Licensee "x"\n    ^\n' in run("lint p.kn", capsys)[1]


# --- private keys in the place of public ones


def private_keys_in_files() -> list[str]:
    """Names of files with one each, in every form that there is."""
    pkcs8, traditional = pem("ec"), pem("rsa", traditional=True)
    text = private_keys.private_text(key("ed25519"), "hex")
    der = key("rsa").private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    files = {
        "pkcs8": pkcs8.encode(),
        "crlf": pkcs8.replace("\n", "\r\n").encode(),
        "openssl": f"-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n{traditional}".encode(),
        "encrypted": f"-----BEGIN ENCRYPTED PRIVATE KEY-----\n{SECRET}\n".encode(),
        "der": der,
        "quoted": f'# mine\n"{text}"\n'.encode(),
        "line": f"{text}\n".encode(),
        "misspelt": f"{text.replace('hex', 'hx')}\n".encode(),
    }
    for name, content in files.items():
        Path(name).write_bytes(content)
        Path(name).chmod(0o600)
    return list(files)


@pytest.mark.usefixtures("folder")
def test_a_private_key_requests_nothing_and_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("yes.kn").write_text('Authorizer: "POLICY"\nLicensees: "K"\n')
    Path("none").touch()
    hint = "keynote: hint: give the public one: that is who requests, and no secret\n"
    for file in private_keys_in_files():
        for command in (
            "eval -p yes.kn -k @FILE",
            "graph yes.kn -k @FILE",
            "verify -r f,t -e none -l yes.kn -k FILE",
        ):
            status, out, err = run(command.replace("FILE", file), capsys)
            assert (status, out) == (1, ""), file
            binary = f"keynote: error: {file}: neither principals nor PEM, but binary\n"
            assert err == (binary if file == "der" else f"keynote: error: {file}: a private key\n{hint}")
    for typed in ("private-ed25519-bas64:" + SECRET, f"'{pem('ec')}'"):
        assert run(f"eval -p yes.kn -k {typed}", capsys) == (1, "", f"keynote: error: a private key\n{hint}")


@pytest.mark.usefixtures("folder")
def test_public_keys_and_certificates_in_pem(capsys: pytest.CaptureFixture[str]) -> None:
    public = key("ec").public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert principals_file(f"of a gateway\n{public}", "f") == [principal("ec")]
    certificate = private_keys.certificate_text(key("rsa"), "base64").partition(":")[2]
    certified = f"-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n"
    assert principals_file(certified, "f") == [principal("rsa")]
    with pytest.raises(InputError, match="f: more than one certificate or key"):
        principals_file(certified * 2, "f")
    with pytest.raises(InputError, match="f: this PEM holds neither a public key nor a certificate with one"):
        principals_file("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "f")


# --- keys that are put together


@st.composite
def split_keys(draw: st.DrawFn) -> str:
    """A policy that puts the key together of literals and constants, in its principal and in its tests."""
    ends = sorted(draw(st.sets(st.integers(1, len(SECRET) - 1), max_size=4)))
    pieces = [SECRET[start:end] for start, end in pairwise([0, *ends, len(SECRET)])]

    def put_together(prefix: str) -> str:
        parts = [draw(st.sampled_from([f'"{piece}"', f"C{number}"])) for number, piece in enumerate(pieces)]
        beginning = draw(st.sampled_from([f'"{prefix}" . ', f'"{prefix}', ""])) if prefix else ""
        if beginning.endswith(prefix) and beginning:
            parts[0] = f'{beginning}{pieces[0]}"'
            beginning = ""
        return beginning + " . ".join(parts)

    constants = " ".join(f'C{number} = "{piece}"' for number, piece in enumerate(pieces))
    tests = [
        f"y == {put_together('')}",
        f"{put_together('')} . z != y",
        f"y < {put_together('')}",
        f'_ACTION_AUTHORIZERS == "passphrase:" . {put_together("")}',
        f"_ACTION_AUTHORIZERS == {put_together('passphrase:')}",
        f'z . "+" . {put_together("")} == y',
        f"y ~= {put_together('')}",
    ]
    chosen = draw(st.lists(st.sampled_from(tests), min_size=1, max_size=4, unique=True))
    conditions = draw(st.sampled_from([" && ", " || "])).join(chosen)
    licensees = f'"passphrase:" . {put_together("")} || "K"'
    head = f'Local-Constants: {constants}\nAuthorizer: "POLICY"\n'
    return f"{head}Licensees: {licensees}\nConditions: {conditions};\n"


COMMANDS = (
    "graph FILE",
    "graph FILE --json",
    "graph FILE --format html",
    "graph FILE --format mermaid -k K -a y=x",
    "who FILE",
    "who FILE --json",
    "who FILE -a z=1",
    "lint FILE",
    "lint FILE --json",
    "why -p FILE -k K -a y=x",
    "why -p FILE -k K -a y=x --json",
    "why -p FILE -k K --unknown *",
    "eval -p FILE -k J --json",
)


# Invariant: however a key is put together, no command prints four characters of it that stand side by side.
@settings(max_examples=40, deadline=None)
@given(split_keys(), st.sampled_from(COMMANDS))
def test_no_piece_of_a_key_is_printed(policy: str, command: str) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "p.kn")
        path.write_text(policy)
        path.chmod(0o600)
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit):
            main([argument.replace("FILE", str(path)) for argument in shlex.split(command)])
    for stream in (out, err):
        stream.seek(0)
    printed = (out.read() + err.read()).replace(folder, "")
    for at in range(len(SECRET) - 3):
        assert SECRET[at : at + 4] not in printed
