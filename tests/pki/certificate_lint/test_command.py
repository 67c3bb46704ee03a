# SPDX-License-Identifier: ISC
"""`keynote-pki lint`, and its documentation."""

import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import certificate_files, cli
from pki.certificate_lint import CHECKS, page, reference
from pki.errors import DerInvalid
from tests.pki import databases, factory

ROOT = Path(__file__).parents[3]
CA = factory.authority()
BELOW = factory.authority("Below CA", CA, key="below")
GATEWAY = factory.leaf(CA, "gw.example.org")
LONG = factory.NOT_AFTER + factory.DAY


class Done(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def findings(self) -> list[list[str]]:
        """The codes of each certificate."""
        return [[it["code"] for it in each["findings"]] for each in json.loads(self.out)["certificates"]]


Run = Callable[[str], Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("ca.crt").write_bytes(CA.pem)
    Path("gw.crt").write_bytes(GATEWAY.pem)

    def typed(line: str) -> Done:
        with pytest.raises(SystemExit) as exit:
            cli.main(shlex.split(line)[1:])
        assert isinstance(exit.value.code, int)
        return Done(exit.value.code, *capsys.readouterr())

    return typed


def test_nothing_to_say(run: Run) -> None:
    done = run("keynote-pki lint gw.crt ca.crt --issuer ca.crt")
    assert done == (
        0,
        "gw.crt: gateway (guessed) `/C=XX/O=Test/CN=gw.example.org`\n"
        "ca.crt: authority `/C=XX/O=Test/CN=Test CA`\n"
        "2 certificates, no findings\n",
        "",
    )


def test_what_would_fail_where(run: Run) -> None:
    done = run("keynote-pki lint gw.crt --for windows,isakmpd")
    assert done.status == 1
    assert done.out.splitlines()[1:3] == [
        "gw.crt: error: windows: no serverAuth among its extended key usages [PK701]",
        '    fails: Windows refuses the gateway: error 13801, "IKE authentication credentials are unacceptable".',
    ]
    assert "    hint: Have it issued with serverAuth" in done.out
    assert "    source: Microsoft, " in done.out
    assert done.out.splitlines()[-1] == "1 certificate, 2 findings: 1 error, 1 info"


def test_all_platforms(run: Run) -> None:
    done = run("keynote-pki lint gw.crt --for all --json")
    platforms = {it["platform"] for it in json.loads(done.out)["certificates"][0]["findings"]}
    assert {"ios", "windows"} <= platforms


def test_a_role_that_is_said(run: Run) -> None:
    done = run("keynote-pki lint gw.crt --for windows --role client --json")
    (found,) = json.loads(done.out)["certificates"]
    assert (found["role"], found["role_guessed"]) == ("client", False)
    assert "PK704" in done.findings[0]
    assert "PK701" not in done.findings[0]


@pytest.mark.parametrize(
    ("usages", "extra", "status"),
    [
        (["1.3.6.1.5.5.7.3.3"], "", 1),  # an error
        (["1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.7.3.6"], "", 1),  # a warning
        (["1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.7.3.6"], "--fail-on error", 0),
        (["1.3.6.1.5.5.7.3.3"], "--fail-on never", 0),
        (["1.3.6.1.5.5.7.3.17"], "--for windows --role client --strict", 1),
        (["1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.7.3.1"], "--for windows", 0),  # only worth knowing
        (["1.3.6.1.5.5.7.3.17", "1.3.6.1.5.5.7.3.1"], "--for windows --strict", 1),
    ],
)
def test_what_makes_the_exit_status(run: Run, usages: list[str], extra: str, status: int) -> None:
    oids = [x509.ObjectIdentifier(usage) for usage in usages]
    Path("it.crt").write_bytes(factory.leaf(CA, "gw.example.org", usages=oids).pem)
    assert run(f"keynote-pki lint it.crt {extra}").status == status


def test_der_and_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GATEWAY.der)))
    done = run("keynote-pki lint -")
    assert (done.status, done.out.splitlines()[-1]) == (0, "1 certificate, no findings")
    assert done.out.startswith("standard input: gateway (guessed) ")


def test_a_chain_in_one_file_finds_its_issuers(run: Run) -> None:
    leaf = factory.leaf(BELOW, "gw.example.org", not_after=LONG)
    Path("chain.crt").write_bytes(leaf.pem + CA.pem + BELOW.pem)
    assert run("keynote-pki lint chain.crt --json").findings == [["PK406"], [], []]


def test_of_two_authorities_of_one_name_the_one_that_signed(run: Run) -> None:
    Path("chain.crt").write_bytes(GATEWAY.pem + factory.authority(key="other-ca").pem + CA.pem)
    assert run("keynote-pki lint chain.crt --json").findings == [[], [], []]


def test_the_wrong_authority(run: Run) -> None:
    Path("other.crt").write_bytes(BELOW.pem)
    assert run("keynote-pki lint gw.crt --issuer other.crt --json").findings == [["PK403", "PK404", "PK405"]]


@pytest.mark.parametrize("data", [b"", b"nothing", GATEWAY.pem[:80] + GATEWAY.pem[90:], GATEWAY.der[:-1]])
def test_what_is_no_certificate_is_a_finding(run: Run, data: bytes) -> None:
    Path("it.crt").write_bytes(data)
    done = run("keynote-pki lint it.crt ca.crt --json")
    assert (done.status, done.findings) == (1, [["PK100"], []])


def test_an_authority_that_cannot_be_read_is_an_error(run: Run) -> None:
    Path("it.crt").write_bytes(b"nothing")
    done = run("keynote-pki lint gw.crt --issuer it.crt")
    assert (done.status, done.out) == (1, "")
    assert done.err.startswith("keynote-pki: error: it.crt: no certificate, neither in PEM nor in DER\n")


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("keynote-pki lint", "nothing to look at"),
        ("keynote-pki lint none.crt", "file `none.crt` does not exist"),
        ("keynote-pki lint gw.crt --for windoze", "no platform `windoze`"),
        ("keynote-pki lint gw.crt --role king", "`king` is not one of `gateway`, `client`"),
        ("keynote-pki lint --explain PK999", "no check `PK999`"),
    ],
)
def test_wrong_usage(run: Run, line: str, error: str) -> None:
    done = run(line)
    assert (done.status, done.out) == (2, "")
    assert error in done.err


@pytest.fixture
def authority(run: Run, quick_keys: None) -> str:
    """The serial number of the certificate of a gateway in `ca`."""
    run('keynote-pki init ca --name "Example CA"')
    issued: dict[str, str] = json.loads(run("keynote-pki issue gateway vpn.example.org -d ca --json").out)
    return issued["serial"]


@pytest.mark.parametrize("by", ["name", "serial"])
def test_a_certificate_of_the_registry(run: Run, authority: str, by: str) -> None:
    """With its issuer, who is known there: nobody has to name that."""
    text = "vpn.example.org" if by == "name" else authority[:10]
    done = run(f"keynote-pki lint {text} gw.crt -d ca --for ios --json")
    assert done.status == 1
    assert done.findings[0] == []
    assert "PK601" in done.findings[1]
    ours, file = json.loads(done.out)["certificates"]
    assert (ours["file"], ours["name"]) == (None, f"vpn.example.org ({authority[:12]})")
    assert (file["file"], file["name"]) == ("gw.crt", None)
    said = run(f"keynote-pki lint {text} -d ca").out.splitlines()[0]
    assert said == f"vpn.example.org ({authority[:12]}): gateway (guessed) `/CN=vpn.example.org`"
    Path("other.crt").write_bytes(BELOW.pem)
    wrong = run(f"keynote-pki lint {text} -d ca --issuer other.crt --json").findings
    assert {"PK403", "PK404", "PK405"} <= {*wrong[0]}


def test_the_authority_of_the_registry_is_looked_at(run: Run, authority: str) -> None:
    """What it has not signed is found out."""
    path = Path("ca/registry.sqlite")
    forged = factory.leaf(factory.authority("Example CA", key="other-ca"), "vpn.example.org")  # with another name
    databases.execute(path, f"UPDATE certificate SET der = x'{forged.der.hex()}' WHERE serial = '{authority}'")
    assert {"PK404", "PK405"} <= {*run("keynote-pki lint vpn.example.org -d ca --json").findings[0]}


def test_several_of_a_name_are_listed(run: Run, authority: str) -> None:
    run("keynote-pki renew vpn.example.org -d ca")
    done = run("keynote-pki lint vpn.example.org -d ca")
    assert (done.status, done.out) == (1, "")
    assert "`vpn.example.org` is 2 certificates: " in done.err
    assert f"{authority[:12]} (vpn.example.org, " in done.err


def test_neither_a_file_nor_a_certificate(run: Run, authority: str) -> None:
    done = run("keynote-pki lint vpn.example.or -d ca")
    assert done.status == 1
    assert "file `vpn.example.or` does not exist, and no certificate `vpn.example.or` was issued here" in done.err
    assert "did you mean `vpn.example.org`?" in done.err
    assert run(f"keynote-pki lint {'x' * 300} -d ca").status == 1
    Path("vpn.example.org").mkdir()  # as a bundle may have been written to
    assert run("keynote-pki lint vpn.example.org -d ca").status == 0
    Path("vpn.example.org").rmdir()
    Path("vpn.example.org").write_bytes(GATEWAY.pem)
    assert "gw.example.org" in run("keynote-pki lint vpn.example.org -d ca").out  # a file comes first


def test_explain(run: Run) -> None:
    assert run("keynote-pki lint --explain pk701").out == page(CHECKS["PK701"])
    assert run("keynote-pki lint --explain all").out == reference()
    told = json.loads(run("keynote-pki lint --explain pk701 --json").out)
    assert (told["code"], told["title"], told["hint"]) == ("PK701", CHECKS["PK701"].title, CHECKS["PK701"].mend)
    everything = json.loads(run("keynote-pki lint --explain all --json").out)
    assert [it["code"] for it in everything["checks"]] == list(CHECKS)


def test_the_document_has_every_check_as_the_table_has_it() -> None:
    """`keynote-pki lint --explain all` prints what stands below the heading."""
    text = (ROOT / "docs" / "pki-lint.md").read_text()
    assert text.endswith(f"## The checks\n\n{reference()}")


def test_checks_have_their_own_words_and_sources() -> None:
    for check in CHECKS.values():
        assert all(it.endswith((".", ")")) for it in (check.fails, check.mend)), check.code
        assert check.source
        assert not check.title.endswith(".")


def read(data: bytes) -> Any:
    return certificate_files.certificates(data)


def test_files() -> None:
    assert read(CA.der) == (CA.der,)
    assert read(b"text\n" + CA.pem + b"text\n" + GATEWAY.pem) == (CA.der, GATEWAY.der)
    assert read(CA.pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")) == (CA.der,)
    trusted = b"-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n"
    for data in (b"", trusted, b"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"):
        with pytest.raises(DerInvalid):
            read(data)
    assert x509.load_der_x509_certificate(read(CA.pem)[0]).public_bytes(Encoding.DER) == CA.der
