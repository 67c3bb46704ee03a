# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Names that others certified have control characters in them; no command shows a terminal any of these."""

import ast
import json
from pathlib import Path

import click
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import cli, keystore
from pki.cli import common
from pki.directory import Directory
from tests.pki import factory
from tests.pki.test_cli import Done, Run, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("quick_keys")

# Red, a bell, a cleared screen by a character beyond ASCII, a line of its own, and what follows turned round.
STRANGE = "\x1b[31m\x07\x9b2J\nkeynote-pki: error: gone\r\u202e"


def strange(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name + STRANGE)])


def assert_quiet(done: Done) -> None:
    for line in (done.out + done.err).split("\n"):
        assert line.isprintable(), line
        assert not line.startswith("keynote-pki: error: gone")


@pytest.fixture
def quiet(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands of an authority whose name, and its root's, is strange; nothing that they print is."""

    def typed(line: str) -> Done:
        done = run(line)
        assert_quiet(done)
        return done

    assert typed("keynote-pki init ca --name Requested --request ca.csr").status == 0
    root = factory.authority(strange("Root"), key="foreign")
    key = keystore.load(Directory(tmp_path / "ca").requested_key_path)
    own = factory.authority(strange("CA"), root, key=key)  # type: ignore[arg-type]
    Path("ca.crt").write_bytes(own.certificate.public_bytes(Encoding.PEM))
    Path("root.crt").write_bytes(root.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("KEYNOTE_PKI_DIR", "ca")
    made = typed("keynote-pki init ca --certificate ca.crt --chain root.crt")
    assert made.status == 0
    assert "below Root\\x1b[31m" in made.out
    return typed


# Each by its first words; a command that is new and missing here fails the last assertion.
LINES = (
    "issue gateway gw.example.org --ip 192.0.2.1",
    "issue road-warrior alice@example.org",
    "issue batch peers.csv",
    "list --all",
    "list --all --json",
    "show {serial}",
    "show {serial} --json",
    "lint ca.crt root.crt",
    "lint gw.example.org",
    "export gw.example.org --for isakmpd out",
    "export gw.example.org --for strongswan swan",
    "renew gw.example.org",
    "rekey gw.example.org",
    "supersede alice@example.org",
    "delegate --from POLICY --to alice@example.org --until 2048-01-31 --template identity",
    "delegations list",
    "delegations show 1",
    "delegations export",
    "delegations revoke 1 --reason over",
    "crl make",
    "crl publish --out www",
    "crl publish --out www --json",
    "crl show",
    "crl show --json",
    "crl show {list}",
    "crl show {list} --json",
    "ocsp certify",
    "audit",
    "audit --json",
    "backup ca.backup",
    "restore ca.backup again",
    "migrate",
    "completion bash",
    "serve --no-such-option",
    "certpatch -t ip -i 192.0.2.9 -k ca/keys/{serial}.pem root.crt out.crt",
    "rollover --name Next",
    "revoke {serial} --reason cACompromise --yes",
    "crl make",
    "issue gateway other.example.org",
    "rollover --name Next",
)


def test_no_command_shows_a_terminal_what_it_would_obey(quiet: Run) -> None:
    Path("peers.csv").write_text("profile,name\ngateway,table.example.org\n")
    listed = quiet("keynote-pki list --all --json").json["certificates"]
    (serial,) = (it["serial"] for it in listed if it["name"] == "CA" + STRANGE)
    statuses = {}
    for line in LINES:
        made = next(map(str, Path("www").glob("*.crl")), "")
        statuses[line] = quiet(f"keynote-pki {line.format(serial=serial, list=made)}").status
    for line in ("list --all", "show {serial}", "crl show {list}", "revoke {serial} --reason cACompromise --yes"):
        assert statuses[line] == 0
    assert {line.split()[0] for line in LINES} | {"init"} == set(cli.cli.list_commands(click.Context(cli.cli)))


def test_what_is_told_to_programs_is_the_same_name(quiet: Run) -> None:
    names = {it["name"] for it in json.loads(quiet("keynote-pki list --all --json").out)["certificates"]}
    assert names == {"Root" + STRANGE, "CA" + STRANGE}


def test_no_such_name_is_completed(quiet: Run) -> None:
    quiet("keynote-pki issue gateway gw.example.org")
    context = click.Context(cli.cli)
    context.params["directory"] = Path("ca")
    found = common.complete_names(context, click.Argument(["name"]), "")
    assert [it.value for it in found] == ["gw.example.org"]


def test_nothing_is_printed_past_the_one_place() -> None:
    """Whole texts of ours (`nl=False`), blank lines, JSON; all else by `tables`."""
    for path in sorted(Path(cli.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or ast.unparse(node.func) not in ("click.echo", "click.secho", "print"):
                continue
            whole = any(it.arg == "nl" for it in node.keywords)
            is_json = bool(node.args) and ast.unparse(node.args[0]).startswith("json.dumps")
            assert whole or is_json or not node.args or path.name == "tables.py", f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    "name", ["/O=x/CN=a\\x1B[31m", "/CN=a\\x00b", "/CN=a\\x0Ab", "/CN=\\x20", "a\x1bb", "a\u202eb"]
)
@pytest.mark.parametrize(
    "line",
    [
        "init new --name '{}'",
        "init new --name CA --root '{}'",
        "init new --name '{}' --request new.csr",
        "rollover --name '{}' --dir ca",
        "issue gateway gw.example.org --dir ca --subject '{}'",
        "issue gateway gw.example.org --dir ca --dn '{}'",
    ],
)
def test_no_name_of_ours_is_strange(run: Run, line: str, name: str) -> None:
    assert run("keynote-pki init ca --name CA").status == 0
    done = run(f"keynote-pki {line.format(name)}")
    assert done.status == 1
    assert_quiet(done)
    assert not Path("new/registry.sqlite").exists()
    assert len(run("keynote-pki list --all --dir ca --json").json["certificates"]) == 1


def test_a_strange_directory_name_of_a_request_is_not_taken(run: Run) -> None:
    assert run("keynote-pki init ca --name CA").status == 0
    asked = x509.SubjectAlternativeName([x509.DNSName("gw.example.org"), x509.DirectoryName(strange("gw"))])
    request = x509.CertificateSigningRequestBuilder().subject_name(strange("gw")).add_extension(asked, False)
    key = factory.ec_key("peer")
    signed = request.sign(key, factory.SHA256)
    Path("gw.csr").write_bytes(signed.public_bytes(Encoding.PEM))
    done = run("keynote-pki issue gateway --csr gw.csr --accept --dir ca --json")
    assert_quiet(done)
    assert done.status == 0
    assert [it["kind"] for it in done.json["identities"]] == ["FQDN"]
    assert "not taken of the request: DirectoryName `/CN=gw\\x1B[31m" in done.err
