# SPDX-License-Identifier: ISC
"""What holds for every format: what is in it, that nothing else is, and what it says when something is missing."""

import base64
import dataclasses
import ipaddress
import json
import plistlib
import re
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pki import keys
from pki.bundles import files, formats
from pki.bundles.files import Bundle
from pki.bundles.formats import FORMATS, Format
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from pki.errors import PkiError
from pki.names import Identity
from tests.pki import factory
from tests.pki.bundles.handovers import (
    PASSWORD,
    SERVER,
    listing,
    opened,
    record,
    subjects,
    under_an_intermediate,
)

ADDRESS = Identity("IPV4_ADDR", "192.0.2.1")
FILES = {
    "android": {"alice@example.org.sswan": "600"},
    "apple": {"alice@example.org.mobileconfig": "600"},
    "isakmpd": {
        "ca": "755",
        "ca/online-ca.crt": "644",
        "ca/root-ca.crt": "644",
        "certs": "755",
        "certs/alice@example.org.crt": "644",
        "crls": "755",
        "private": "700",
        "private/alice@example.org": "600",
        "private/local.key": "-> alice@example.org",
    },
    "libreswan": {"alice@example.org.conf": "644", "alice@example.org.p12": "600", "import.sh": "755"},
    "p12": {"alice@example.org.p12": "600"},
    "pem": {
        "alice@example.org.chain.crt": "644",
        "alice@example.org.crt": "644",
        "alice@example.org.key": "600",
        "ca.crt": "644",
    },
    "racoon": {
        "certs": "700",
        "certs/alice@example.org.crt": "644",
        "certs/alice@example.org.key": "600",
        "certs/ca.crt": "644",
        "racoon.conf": "644",
    },
    "strongswan": {
        "conf.d": "755",
        "conf.d/alice@example.org.conf": "644",
        "private": "700",
        "private/alice@example.org.pem": "600",
        "x509": "755",
        "x509/alice@example.org.crt": "644",
        "x509ca": "755",
        "x509ca/online-ca.crt": "644",
        "x509ca/root-ca.crt": "644",
    },
    "windows": {
        "alice@example.org.p12": "600",
        "alice@example.org.ps1": "644",
        "online-ca.crt": "644",
        "root-ca.crt": "644",
    },
}


def request(form: Format) -> Request:
    """What the format needs, and not more."""
    if "server" not in form.takes:
        return Request(password=PASSWORD)
    return dataclasses.replace(SERVER, server=ADDRESS) if form.name == "racoon" else SERVER


def pkcs12_blobs(bundle: Bundle) -> list[bytes]:
    """The PKCS#12 in a bundle, wherever it is."""
    found = []
    for file in bundle.files:
        if file.path.endswith(".p12"):
            found.append(file.data)
        elif file.path.endswith(".sswan"):
            found.append(base64.b64decode(json.loads(file.data)["local"]["p12"]))
        elif file.path.endswith(".mobileconfig"):
            contents = plistlib.loads(file.data)["PayloadContent"]
            found += [it["PayloadContent"] for it in contents if it["PayloadType"] == "com.apple.security.pkcs12"]
    return found


def all_certificates(bundle: Bundle) -> list[x509.Certificate]:
    """Every certificate in a bundle."""
    found: list[x509.Certificate] = []
    for file in bundle.files:
        if b"BEGIN CERTIFICATE" in file.data:
            found += x509.load_pem_x509_certificates(file.data)
        elif file.path.endswith(".sswan"):
            found.append(x509.load_der_x509_certificate(base64.b64decode(json.loads(file.data)["remote"]["cert"])))
        elif file.path.endswith(".mobileconfig"):
            for payload in plistlib.loads(file.data)["PayloadContent"]:
                if payload["PayloadType"] in ("com.apple.security.root", "com.apple.security.pkcs1"):
                    found.append(x509.load_der_x509_certificate(payload["PayloadContent"]))
    for blob in pkcs12_blobs(bundle):
        it = opened(blob)
        assert it.cert is not None
        found += [it.cert.certificate, *(other.certificate for other in it.additional_certs)]
    return found


def all_keys(bundle: Bundle) -> list[str]:
    """The fingerprints of the public halves of every private key in a bundle."""
    found = []
    for file in bundle.files:
        for block in re.findall(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*-----", file.data, re.DOTALL):
            found.append(keys.key_sha256(load_pem_private_key(block, None).public_key()))
    for blob in pkcs12_blobs(bundle):
        key = opened(blob).key
        assert key is not None
        found.append(keys.key_sha256(key.public_key()))
    return found


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda it: it.name)
class TestEveryFormat:
    def test_its_files(self, form: Format, tmp_path: Path) -> None:
        files.write(form.bundle(under_an_intermediate(), request(form)), tmp_path / "out")
        assert listing(tmp_path / "out") == FILES[form.name]
        assert len(FILES[form.name]) == 1 or not form.suffix

    def test_it_holds_the_chain_and_the_own_key_and_nothing_else(self, form: Format) -> None:
        it = under_an_intermediate()
        bundle = form.bundle(it, request(form))
        wanted = {it.leaf.certificate, *it.intermediates, *it.anchors}
        assert set(all_certificates(bundle)) == wanted
        assert all_keys(bundle) == [it.leaf.key_sha256]

    def test_the_password_is_not_in_it(self, form: Format) -> None:
        bundle = form.bundle(under_an_intermediate(), request(form))
        assert not [file.path for file in bundle.files if PASSWORD.encode() in file.data]
        assert PASSWORD not in repr(request(form))

    def test_without_the_key(self, form: Format) -> None:
        it = dataclasses.replace(under_an_intermediate(), key=None)
        if form.needs_key:
            with pytest.raises(PkiError, match=f"{form.name} needs the private key of `alice@example.org`") as caught:
                form.bundle(it, request(form))
            assert caught.value.hint == (
                "its holder has the key: export the rest for isakmpd or pem or racoon or strongswan"
            )
        else:
            bundle = form.bundle(it, request(form))
            assert all_keys(bundle) == []
            assert bundle.links == ()
            assert set(all_certificates(bundle)) == {it.leaf.certificate, *it.intermediates, *it.anchors}

    def test_a_missing_server_is_named(self, form: Format) -> None:
        if "server" in form.takes:
            with pytest.raises(PkiError, match=f"{form.name} needs --server"):
                form.bundle(under_an_intermediate(), Request(password=PASSWORD))

    def test_options_that_mean_nothing_are_refused(self, form: Format) -> None:
        asked: dict[str, Any] = {
            "server": ADDRESS,
            "remote_id": ADDRESS,
            "networks": (ipaddress.ip_network("10.0.0.0/8"),),
            "local_networks": (ipaddress.ip_network("10.0.0.0/8"),),
            "title": "Office",
            "ike": "1",
        }
        assert set(asked) == set(formats.OPTIONS)
        for name in set(asked) - form.takes:
            with pytest.raises(PkiError, match=f"{formats.OPTIONS[name]} means nothing to {form.name}"):
                form.bundle(under_an_intermediate(), dataclasses.replace(request(form), **{name: asked[name]}))

    def test_names_with_every_sign_that_mail_addresses_may_have(self, form: Format, tmp_path: Path) -> None:
        """No file has a name that a shell or Windows takes apart, but where names are identities."""
        it = under_an_intermediate("o'brien$`{}|#&!%?^@example.org")
        bundle = form.bundle(it, request(form))
        if form.name != "isakmpd":  # looks its files up by the very identity
            assert all(re.fullmatch(r"[A-Za-z0-9._@+/-]+", file.path) for file in bundle.files)
        files.write(bundle, tmp_path / "out")

    def test_a_title_is_one_line(self, form: Format) -> None:
        if "title" in form.takes:
            with pytest.raises(PkiError, match="cannot be a title"):
                form.bundle(under_an_intermediate(), dataclasses.replace(request(form), title="a\nb"))


# Which formats take a key of a kind that is not RSA.
KINDS = {
    "p-256": {"android", "apple", "libreswan", "p12", "pem", "strongswan", "windows"},
    "p-521": {"android", "apple", "libreswan", "p12", "pem", "strongswan"},
    "ed25519": {"p12", "pem", "strongswan"},
    "ml-dsa-44": {"pem"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda it: it.name)
def test_kinds_of_keys(form: Format, kind: str) -> None:
    root = factory.authority("Root CA", key="root")
    key = keys.generate(kind)
    leaf = factory.leaf(root, "alice@example.org", key=key)  # type: ignore[arg-type]
    it = Handover(record(leaf), key, (), (root.certificate,))
    if form.name not in KINDS[kind]:
        with pytest.raises(PkiError, match=f"{form.name} has no keys of kind {kind}"):
            form.bundle(it, request(form))
    else:
        assert all_keys(form.bundle(it, request(form))) == [it.leaf.key_sha256]


def test_order_and_names() -> None:
    assert list(FORMATS) == sorted(FORMATS)
    assert set(FORMATS) == set(FILES)
    assert subjects([under_an_intermediate().issuer]) == ["Online CA"]
