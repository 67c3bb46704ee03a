# SPDX-License-Identifier: ISC
"""certpatch, as README.PKI calls it: what comes out, for openssl and for our own validation."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from pki import certpatch, chain, chain_certificates, cli, der, keystore
from pki.cli import passphrases
from pki.cli.certpatch import main
from pki.errors import KeystoreError, PkiError
from pki.names import Identity, identity
from tests.pki import factory
from tests.pki.factory import NOW

CA = factory.authority()
GATEWAY = factory.leaf(CA, "gw.example.org")
V1 = factory.without_extensions(GATEWAY, CA)
SHA1 = factory.resigned(GATEWAY, CA, algorithm=factory.SHA1_WITH_RSA)
ADDRESS = identity("10.0.0.1")
ANCHORS = chain.TrustAnchors([CA.certificate])
CA_KEY = factory.rsa_key("ca")
SUBJECT_ALT_NAME = x509.SubjectAlternativeName.oid


def patched(certificate: bytes, wanted: Identity = ADDRESS) -> certpatch.Patched:
    return certpatch.patched(chain_certificates.load(certificate), wanted, CA_KEY)


@pytest.mark.parametrize("wanted", [identity(text) for text in ("10.0.0.1", "2001:db8::1", "gw", "a@example.org")])
@pytest.mark.parametrize("certificate", [GATEWAY.der, V1, SHA1], ids=["v3", "v1", "sha1"])
def test_our_own_validation_accepts_what_comes_out(certificate: bytes, wanted: Identity) -> None:
    found = patched(certificate, wanted).certificate
    validated = chain.validate(found.public_bytes(Encoding.DER), [], ANCHORS, NOW)
    assert validated.leaf.names == (wanted,)
    assert isinstance(found.signature_hash_algorithm, hashes.SHA256)


def test_all_else_stays_as_it_was() -> None:
    before, after = GATEWAY.certificate, patched(GATEWAY.der).certificate
    for field in ("serial_number", "subject", "issuer", "not_valid_before_utc", "not_valid_after_utc", "version"):
        assert getattr(after, field) == getattr(before, field)
    old, new = der.slices(GATEWAY.der), der.slices(after.public_bytes(Encoding.DER))
    assert (new.subject, new.issuer, new.key) == (old.subject, old.issuer, old.key)
    kept = [extension for extension in before.extensions if extension.oid != SUBJECT_ALT_NAME]
    *others, last = after.extensions
    assert others == kept
    assert last == x509.Extension(
        SUBJECT_ALT_NAME, True, x509.SubjectAlternativeName([x509.IPAddress(ip_address("10.0.0.1"))])
    )


def test_version_1_becomes_version_3() -> None:
    found = patched(V1).certificate
    assert found.version is x509.Version.v3
    assert [extension.oid for extension in found.extensions] == [SUBJECT_ALT_NAME]
    assert found.serial_number == GATEWAY.certificate.serial_number


def test_what_is_lost_is_told() -> None:
    assert patched(factory.leaf(CA, "gw.example.org", "192.0.2.1").der).dropped == ("gw.example.org", "192.0.2.1")
    assert (patched(SHA1).digest, patched(GATEWAY.der).digest) == ("SHA1", "")


def test_a_longer_digest_stays() -> None:
    builder = x509.CertificateBuilder(
        issuer_name=CA.certificate.subject,
        subject_name=factory.name("gw"),
        public_key=factory.rsa_key("leaf").public_key(),
        serial_number=1,
        not_valid_before=factory.NOT_BEFORE,
        not_valid_after=factory.NOT_AFTER,
    )
    found = patched(builder.sign(CA_KEY, hashes.SHA512()).public_bytes(Encoding.DER))
    assert isinstance(found.certificate.signature_hash_algorithm, hashes.SHA512)
    found.certificate.verify_directly_issued_by(CA.certificate)


def test_twice_leaves_one_extension() -> None:
    once = patched(GATEWAY.der).certificate.public_bytes(Encoding.DER)
    again = patched(once, identity("gw2.example.org"))
    assert again.dropped == ("10.0.0.1",)
    assert [it.oid for it in again.certificate.extensions].count(SUBJECT_ALT_NAME) == 1


def test_another_authoritys_certificate_is_refused() -> None:
    other = factory.leaf(factory.authority(key="other-ca"), "gw.example.org")
    with pytest.raises(PkiError, match="was not signed with this key, but by `/C=XX/O=Test/CN=Test CA`"):
        patched(other.der)


# -- the command -----------------------------------------------------------------------------------------------------


class Done(NamedTuple):
    status: int
    out: str
    err: str


Run = Callable[[str], Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    keystore.write(tmp_path / "ca.key", CA.key_pem)
    Path("ca.crt").write_bytes(CA.pem)
    Path("gw.crt").write_bytes(GATEWAY.pem)

    def typed(line: str) -> Done:
        program, *words = shlex.split(line)
        with pytest.raises(SystemExit) as exit:
            (main if program == "certpatch" else cli.main)(words)
        assert isinstance(exit.value.code, int)
        return Done(exit.value.code, *capsys.readouterr())

    return typed


@pytest.mark.parametrize("program", ["certpatch", "keynote-pki certpatch"])
def test_as_the_readme_has_it(run: Run, program: str) -> None:
    done = run(f"{program} -i 10.0.0.1 -k ca.key gw.crt gw.crt")
    assert (done.status, done.out) == (0, "gw.crt: `/C=XX/O=Test/CN=gw.example.org` is ID_IPV4_ADDR 10.0.0.1 now\n")
    name = program.split()[0]
    warning, hint, lost = done.err.splitlines()
    assert warning.startswith(f"{name}: warning: this is a second certificate with the serial number of the first: ")
    assert hint == f"{name}: hint: keynote-pki issue makes one with the right names"
    assert lost == f"{name}: warning: it does not certify `gw.example.org` any more"
    assert chain_certificates.load(chain_der("gw.crt")).names == (ADDRESS,)
    assert sorted(path.name for path in Path().iterdir()) == ["ca.crt", "ca.key", "gw.crt"]


def chain_der(path: str) -> bytes:
    return x509.load_pem_x509_certificate(Path(path).read_bytes()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("kind", "text", "told"),
    [
        ("ip", "2001:DB8::1", "ID_IPV6_ADDR 2001:db8::1"),
        ("fqdn", "GW.example.org", "ID_FQDN gw.example.org"),
        ("ufqdn", "alice@example.org", "ID_USER_FQDN alice@example.org"),
    ],
)
def test_kinds_of_names(run: Run, kind: str, text: str, told: str) -> None:
    done = run(f"certpatch -t {kind} -i {text} -k ca.key gw.crt out.crt")
    assert done.status == 0
    assert f"is {told} now\n" in done.out
    assert Path("gw.crt").read_bytes() == GATEWAY.pem
    assert Path("out.crt").stat().st_mode & 0o777 == 0o644


def test_as_json(run: Run) -> None:
    done = run("certpatch -i 10.0.0.1 -k ca.key gw.crt out.crt --json")
    assert json.loads(done.out) == {
        "file": "out.crt",
        "identity": {"kind": "IPV4_ADDR", "value": "10.0.0.1"},
        "dropped": ["gw.example.org"],
        "serial": f"{GATEWAY.certificate.serial_number:040x}",
    }


def test_sha_1_is_told(run: Run) -> None:
    Path("gw.crt").write_bytes(SHA1)  # DER will do
    done = run("certpatch -i 10.0.0.1 -k ca.key gw.crt out.crt")
    assert done.status == 0
    assert "certpatch: warning: it was signed with SHA1, and is with SHA-256 now\n" in done.err


@pytest.mark.parametrize(
    ("line", "status", "error"),
    [
        ("certpatch -k ca.key gw.crt gw.crt", 2, "missing option `-i`"),
        ("certpatch -t dn -i x -k ca.key gw.crt gw.crt", 2, "`dn` is not one of `ip`, `fqdn`, `ufqdn`"),
        ("certpatch -i gw.example.org -k ca.key gw.crt gw.crt", 1, "`gw.example.org` is not an IP address"),
        ("certpatch -t fqdn -i *.example.org -k ca.key gw.crt gw.crt", 1, "is a wildcard"),
        ("certpatch -i 10.0.0.1 -k ca.key none.crt gw.crt", 1, "`none.crt` cannot be read: No such file"),
        ("certpatch -i 10.0.0.1 -k ca.key ca.key gw.crt", 1, "no certificate, neither in PEM nor in DER"),
        ("certpatch -i 10.0.0.1 -k ca.key two.crt gw.crt", 1, "`two.crt` holds 2 certificates"),
        ("certpatch -i 10.0.0.1 -k gw.crt gw.crt gw.crt", 1, "private key `gw.crt` can be read by others"),
        ("certpatch -i 10.0.0.1 -k ec.key gw.crt gw.crt", 1, "`ec.key` does not hold an RSA key"),
        ("certpatch -i 10.0.0.1 -k other.key gw.crt gw.crt", 1, "was not signed with this key"),
        (
            "certpatch -i 10.0.0.1 -k ca.key gw.crt none/gw.crt",
            1,
            "`none/gw.crt` cannot be written: No such file or directory",
        ),
        ("certpatch -i 10.0.0.1 -k ca.key gw.crt ca.key", 1, "ca.key: would be written over, and is read here"),
        ("certpatch -i 10.0.0.1 -k ca.key gw.crt pipe", 1, "`pipe` is not a file, so it is not overwritten"),
    ],
)
def test_nothing_is_written_where_it_fails(run: Run, line: str, status: int, error: str) -> None:
    Path("two.crt").write_bytes(CA.pem + GATEWAY.pem)
    keystore.write(Path("ec.key"), keystore.pem(factory.ec_key()))
    keystore.write(Path("other.key"), keystore.pem(factory.rsa_key("other-ca")))
    os.mkfifo("pipe")
    before = sorted(path.name for path in Path().iterdir())
    done = run(line)
    assert (done.status, done.out) == (status, "")
    assert error in done.err
    assert Path("gw.crt").read_bytes() == GATEWAY.pem
    assert Path("ca.key").read_bytes() == CA.key_pem
    assert sorted(path.name for path in Path().iterdir()) == before


def test_the_passphrase_of_a_key_without_a_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    keystore.write(Path("locked.key"), keystore.pem(CA_KEY, passphrase=b"sesame"))
    keystore.write(Path("words"), b"sesame\n")
    line = "certpatch -i 10.0.0.1 -k locked.key gw.crt gw.crt"
    monkeypatch.delenv(passphrases.VARIABLE, raising=False)
    refused = run(line)
    assert (refused.status, refused.out) == (1, "")
    assert "certpatch: hint: give its passphrase: --passphrase-file FILE\n" in refused.err
    assert run(f"{line} --passphrase-file words").status == 0
    monkeypatch.setenv(passphrases.VARIABLE, "sesame")
    assert run(line).status == 0
    monkeypatch.setenv(passphrases.VARIABLE, "simsim")
    assert "this is not the passphrase of private key `locked.key`" in run(line).err


def test_no_passphrase_is_asked_for_where_the_key_is_of_no_use(run: Run) -> None:
    pem = factory.ec_key().private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"sesame")
    )
    keystore.write(Path("ec.key"), pem)
    assert "`ec.key` does not hold an RSA key" in run("certpatch -i 10.0.0.1 -k ec.key gw.crt gw.crt").err
    keystore.write(Path("locked.key"), keystore.pem(factory.ec_key(), passphrase=b"sesame"))
    Path("ec.crt").write_bytes(factory.leaf(factory.authority(key=factory.ec_key()), "gw.example.org").pem)
    assert "was not signed with an RSA key" in run("certpatch -i 10.0.0.1 -k locked.key ec.crt gw.crt").err


def test_a_link_stays_one_and_what_was_there_keeps_its_mode(run: Run) -> None:
    Path("gw.crt").chmod(0o640)
    Path("link.crt").symlink_to("gw.crt")
    assert run("certpatch -i 10.0.0.1 -k ca.key gw.crt link.crt").status == 0
    assert Path("link.crt").is_symlink()
    assert Path("gw.crt").stat().st_mode & 0o777 == 0o640
    assert chain_certificates.load(chain_der("gw.crt")).names == (ADDRESS,)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gw.crt"
    path.write_bytes(b"old")

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(KeystoreError, match="No space left on device"):
        keystore.replace(path, b"new", 0o644)
    assert [it.name for it in tmp_path.iterdir()] == ["gw.crt"]
    assert path.read_bytes() == b"old"


def test_the_program_by_itself() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "certpatch", "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: certpatch [OPTIONS] IN OUT\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_openssl_reads_and_verifies_it(run: Run) -> None:
    def openssl(line: str) -> str:
        return subprocess.run(
            ["openssl", *shlex.split(line)], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    Path("gw.csr.key").write_bytes(GATEWAY.key_pem)
    openssl("req -new -key gw.csr.key -subj /C=SE/O=Example/CN=10.0.0.1 -out 10.0.0.1.csr")
    openssl("x509 -req -days 365 -in 10.0.0.1.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out 10.0.0.1.crt")
    assert run("certpatch -i 10.0.0.1 -k ca.key 10.0.0.1.crt 10.0.0.1.crt").status == 0
    text = openssl("x509 -noout -text -in 10.0.0.1.crt")
    assert "Version: 3 (0x2)" in text
    assert "X509v3 Subject Alternative Name: critical\n                IP Address:10.0.0.1\n" in text
    assert openssl("verify -CAfile ca.crt 10.0.0.1.crt") == "10.0.0.1.crt: OK\n"
