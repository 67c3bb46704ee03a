# SPDX-License-Identifier: ISC
"""Pre-shared keys that come to a command where it does not expect them: in the wrong file, in a name, as a path."""

from pathlib import Path

import pytest

from keynote.cli.inputs import InputError, principals_file
from tests.keynote.commands import run

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
