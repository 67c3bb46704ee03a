# SPDX-License-Identifier: ISC
"""What `openssl verify` says of a chain, asked the same question as far as it knows it."""

import base64
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509

from pki.chain import RevocationPolicy, Role
from tests.pki.factory import NOW
from tests.pki.zoo.chains import Chain

PROGRAM = shutil.which("openssl")
_PURPOSES = {None: "any", Role.GATEWAY: "sslserver", Role.CLIENT: "sslclient"}


def has_opinion(chain: Chain) -> bool:
    """It knows no OCSP here, and lists are all required or none is looked at."""
    return not chain.staple and chain.policy is not RevocationPolicy.IF_THERE


def accepts(chain: Chain, directory: Path) -> tuple[bool, str]:
    """Whether it does, and its words. Security level 2 is the nearest to our sizes and hashes, 0 to legacy."""
    arguments = ["verify", "-attime", str(int(NOW.timestamp())), "-purpose", _PURPOSES[chain.role]]
    arguments += ["-auth_level", "0" if chain.legacy else "2", "-no-CApath", "-no-CAstore"]
    anchors = [*chain.anchors, *chain.legacy_anchors]
    if anchors:
        arguments += ["-CAfile", _pem(directory / "anchors.pem", "CERTIFICATE", anchors)]
    else:
        arguments += ["-no-CAfile"]
    if any(_subject_is_not_issuer(anchor) for anchor in anchors):
        arguments += ["-partial_chain"]
    if chain.sent:
        arguments += ["-untrusted", _pem(directory / "sent.pem", "CERTIFICATE", chain.sent)]
    if chain.policy is RevocationPolicy.REQUIRE:
        arguments += ["-crl_check_all"]
    if chain.lists:
        arguments += ["-CRLfile", _pem(directory / "lists.pem", "X509 CRL", chain.lists)]
    arguments += [_pem(directory / "leaf.pem", "CERTIFICATE", [chain.leaf])]
    assert PROGRAM is not None
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=20)
    return done.returncode == 0, done.stdout + done.stderr


def _subject_is_not_issuer(der: bytes) -> bool:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.subject != certificate.issuer


def _pem(path: Path, label: str, ders: Sequence[bytes]) -> str:
    path.write_text(
        "".join(f"-----BEGIN {label}-----\n{base64.encodebytes(der).decode()}-----END {label}-----\n" for der in ders)
    )
    return str(path)


def version() -> str:
    """`OpenSSL 3.0.19 …`, or "no openssl"."""
    if PROGRAM is None:
        return "no openssl"
    return subprocess.run([PROGRAM, "version"], capture_output=True, text=True, timeout=20).stdout.strip()
