# SPDX-License-Identifier: ISC
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import chain, issuance, keystore, profiles
from pki.bundles import files, handover, isakmpd
from pki.bundles.files import Bundle
from pki.bundles.request import Request
from pki.directory import Directory
from pki.names import identity
from tests.pki.bundles import handovers
from tests.pki.bundles.handovers import listing
from tests.pki.factory import NOW


def bundle(directory: Directory, name: str, profile: profiles.Profile = profiles.GATEWAY) -> Bundle:
    record = issuance.issue(directory, profile, (identity(name),), NOW)
    return isakmpd.make(handover.of(directory.registry(), record, directory.signer(record).key), Request())


def test_the_layout(directory: Directory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files.write(bundle(directory, "gw.example.org"), out)
    assert listing(out) == {
        "ca": "755",
        "ca/example-ca.crt": "644",
        "certs": "755",
        "certs/gw.example.org.crt": "644",
        "crls": "755",
        "private": "700",
        "private/gw.example.org": "600",
        "private/local.key": "-> gw.example.org",
    }
    anchors = chain.TrustAnchors([x509.load_pem_x509_certificate((out / "ca/example-ca.crt").read_bytes())])
    certificate = x509.load_pem_x509_certificate((out / "certs/gw.example.org.crt").read_bytes())
    leaf = chain.validate(certificate.public_bytes(Encoding.DER), [], anchors, NOW).leaf
    assert leaf.load_public_key() == keystore.load(out / "private/local.key").public_key()
    assert (out / "private/gw.example.org").read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")


@pytest.mark.parametrize(
    ("name", "profile"),
    [
        ("alice@example.org", profiles.ROAD_WARRIOR),
        ("2001:db8::1", profiles.GATEWAY),
        ("local.key", profiles.GATEWAY),
    ],
)
def test_files_are_called_by_the_identity(
    directory: Directory, tmp_path: Path, name: str, profile: profiles.Profile
) -> None:
    out = tmp_path / "out"
    files.write(bundle(directory, name, profile), out)
    assert keystore.load(out / "private" / name).public_key() == keystore.load(out / "private/local.key").public_key()
    assert (out / "certs" / f"{name}.crt").is_file()


def test_openssl_accepts_what_was_exported(directory: Directory, tmp_path: Path) -> None:
    files.write(bundle(directory, "gw.example.org"), tmp_path / "out")
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp())), "-CAfile"]
    paths = [str(tmp_path / "out/ca/example-ca.crt"), str(tmp_path / "out/certs/gw.example.org.crt")]
    try:
        done = subprocess.run([*command, *paths], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no openssl command here")
    assert done.returncode == 0, done.stderr


def test_intermediates_are_authorities_too() -> None:
    it = handovers.under_an_intermediate()
    assert [file.path for file in isakmpd.make(it, Request()).files] == [
        "ca/root-ca.crt",
        "ca/online-ca.crt",
        "certs/alice@example.org.crt",
        "private/alice@example.org",
    ]


@pytest.mark.usefixtures("quick_keys")
@pytest.mark.parametrize(
    ("name", "file"), [("Größe & Co", "gr-e-co"), ("A", "a"), ("日本", "authority"), ("..", "authority")]
)
def test_file_names_of_authorities(tmp_path: Path, name: str, file: str) -> None:
    issuance.initialize(tmp_path / "ca", name, NOW)
    assert bundle(Directory(tmp_path / "ca"), "gw.example.org").files[0].path == f"ca/{file}.crt"
