# SPDX-License-Identifier: ISC
"""PKCS#12 as OpenSSL reads it: how it is sealed, and that it opens with the password only."""

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pki.bundles import passwords, pkcs12
from pki.bundles.request import Compat
from tests.pki.bundles.handovers import PASSWORD, SERVER, opened, subjects, under_an_intermediate

SEALED = {
    "modern": ("MAC: sha256", "PBES2, PBKDF2, AES-256-CBC, Iteration 20000, PRF hmacWithSHA256"),
    "legacy": ("MAC: sha1", "pbeWithSHA1And3-KeyTripleDES-CBC, Iteration 20000"),
}
needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command here")


def bundle(compat: Compat) -> bytes:
    (file,) = pkcs12.make(under_an_intermediate(), dataclasses.replace(SERVER, compat=compat)).files
    return file.data


def openssl(path: Path, password: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = ["openssl", "pkcs12", "-in", str(path), "-passin", "stdin", *words]
    return subprocess.run(command, input=f"{password}\n", capture_output=True, text=True, check=False)


@needs_openssl
@pytest.mark.parametrize("compat", ["modern", "legacy"])
def test_openssl_opens_it(compat: Compat, tmp_path: Path) -> None:
    path = tmp_path / "alice.p12"
    path.write_bytes(bundle(compat))
    provider = ["-legacy"] if compat == "legacy" else []
    info = openssl(path, PASSWORD, "-info", "-nodes", *provider)
    assert info.returncode == 0, info.stderr
    mac, encryption = SEALED[compat]
    assert mac in info.stderr
    # The key's bag, and that of the certificates.
    assert len(re.findall(re.escape(encryption), info.stderr)) == 2
    assert info.stdout.count("BEGIN CERTIFICATE") == 3
    assert info.stdout.count("BEGIN PRIVATE KEY") == 1
    assert "friendlyName: alice@example.org" in info.stdout
    refused = openssl(path, PASSWORD + "x", "-nokeys", *provider)
    assert refused.returncode != 0
    assert "invalid password" in refused.stderr


@needs_openssl
def test_openssl_trusts_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "alice.p12"
    path.write_bytes(bundle("modern"))
    for name, words in {"leaf": ["-clcerts"], "others": ["-cacerts"]}.items():
        done = openssl(path, PASSWORD, "-nokeys", *words, "-out", str(tmp_path / name))
        assert done.returncode == 0, done.stderr
    words = ["openssl", "verify", "-CAfile", str(tmp_path / "others"), str(tmp_path / "leaf")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_is_in_it() -> None:
    it = opened(bundle("modern"))
    assert it.cert is not None
    assert it.cert.friendly_name == b"alice@example.org"
    assert subjects([it.cert.certificate]) == ["alice@example.org"]
    assert subjects([other.certificate for other in it.additional_certs]) == ["Online CA", "Root CA"]


def test_passwords() -> None:
    made = {passwords.generate() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{6}-){3}[a-hjkmnp-z2-9]{6}", it) for it in made)
