# SPDX-License-Identifier: ISC
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import bundles, chain, issuance, keystore, profiles
from pki.bundles import Bundle, File
from pki.directory import Directory
from pki.errors import KeystoreError
from pki.names import identity
from tests.pki import faults
from tests.pki.factory import NOW


def bundle(directory: Directory, name: str, profile: profiles.Profile = profiles.GATEWAY) -> Bundle:
    record = issuance.issue(directory, profile, (identity(name),), NOW)
    authority = directory.authority(directory.registry())
    return bundles.isakmpd(record, authority, directory.signer(record).key)


def listing(path: Path) -> dict[str, str]:
    def shown(it: Path) -> str:
        return f"-> {os.readlink(it)}" if it.is_symlink() else f"{stat.S_IMODE(it.stat().st_mode):o}"

    return {str(it.relative_to(path)): shown(it) for it in sorted(path.rglob("*"))}


def test_the_layout_of_isakmpd(directory: Directory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = bundles.write(bundle(directory, "gw.example.org"), out)
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
    assert [str(path.relative_to(out)) for path in written] == [
        "ca/example-ca.crt",
        "certs/gw.example.org.crt",
        "private/gw.example.org",
        "private/local.key",
    ]
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
    bundles.write(bundle(directory, name, profile), out)
    assert keystore.load(out / "private" / name).public_key() == keystore.load(out / "private/local.key").public_key()
    assert (out / "certs" / f"{name}.crt").is_file()


def test_openssl_accepts_what_was_exported(directory: Directory, tmp_path: Path) -> None:
    bundles.write(bundle(directory, "gw.example.org"), tmp_path / "out")
    command = ["openssl", "verify", "-x509_strict", "-attime", str(int(NOW.timestamp())), "-CAfile"]
    files = [str(tmp_path / "out/ca/example-ca.crt"), str(tmp_path / "out/certs/gw.example.org.crt")]
    try:
        done = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no openssl command here")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("taken", ["private/gw.example.org", "certs/gw.example.org.crt", "private/local.key"])
def test_nothing_is_written_where_a_name_is_taken(directory: Directory, tmp_path: Path, taken: str) -> None:
    out = tmp_path / "out"
    (out / taken).parent.mkdir(parents=True)
    (out / taken).write_text("mine")
    before = listing(out)
    with pytest.raises(KeystoreError, match=f"{taken}` exists and is not overwritten"):
        bundles.write(bundle(directory, "gw.example.org"), out)
    assert listing(out) == before
    assert (out / taken).read_text() == "mine"


def test_an_authority_that_is_there_already_is_kept(directory: Directory, tmp_path: Path) -> None:
    it = bundle(directory, "gw.example.org")
    authority = it.files[0]
    out = tmp_path / "out"
    (out / "ca").mkdir(parents=True)
    (out / authority.path).write_bytes(authority.data)
    assert out / authority.path not in bundles.write(it, out)


def test_another_authority_of_that_file_name_is_not_overwritten(directory: Directory, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "ca").mkdir(parents=True)
    (out / "ca/example-ca.crt").write_text("another")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        bundles.write(bundle(directory, "gw.example.org"), out)


def test_a_full_disk_leaves_nothing(directory: Directory, tmp_path: Path) -> None:
    it = bundle(directory, "gw.example.org")
    with faults.at_step(None) as steps:
        bundles.write(it, tmp_path / "count")
    for step in range(1, len(steps)):
        with pytest.raises(KeystoreError, match="No space left"), faults.at_step(step, faults.fill_disk):
            bundles.write(it, tmp_path / "full")
        assert not (tmp_path / "full").exists()
    assert len(steps) > 10


@pytest.mark.usefixtures("quick_keys")
@pytest.mark.parametrize(
    ("name", "file"), [("Größe & Co", "gr-e-co"), ("A", "a"), ("日本", "authority"), ("..", "authority")]
)
def test_file_names_of_authorities(tmp_path: Path, name: str, file: str) -> None:
    issuance.initialize(tmp_path / "ca", name, NOW)
    assert bundle(Directory(tmp_path / "ca"), "gw.example.org").files[0].path == f"ca/{file}.crt"


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(File("private/x", b"secret", bundles.SECRET))
