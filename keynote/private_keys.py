# SPDX-License-Identifier: ISC
"""Private keys as texts: what `keynote keygen` writes, and what signs.

`private-rsa-` and `private-dsa-` hold what libkeynote writes: PKCS#1, and the SEQUENCE {0, p, q, g, y, x} that
OpenSSL had for DSA. `private-ec-` and `private-ed25519-` hold PKCS#8. A PEM file of any of these kinds will do as
well, and is what goes with a key that is a certificate.
"""

import re
from datetime import datetime
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)

from keynote import keys, limits, literals
from keynote.errors import KeynoteError
from keynote.principals import is_key

PrivateKey: TypeAlias = rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

PREFIX: Final = "private-"
KINDS: Final = ("rsa", "dsa", "x509", "ec", "ed25519")

_TEXT: Final = re.compile(r"private-(rsa|dsa|ec|ed25519)-(hex|base64):(.*)", re.IGNORECASE | re.DOTALL)
_QUOTED: Final = re.compile(rf"(?:\s|#[^\n]*\n)*+({literals.PATTERN})(?:\s|#[^\n]*(?:\n|\Z))*+")
_PUBLIC_PEM: Final = re.compile(r"-----BEGIN (?:[A-Z]+ )?(?:PUBLIC KEY|CERTIFICATE)-----")
_CURVES: Final = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}

_BEGINNING: Final = datetime(1970, 1, 1)
_NO_END: Final = datetime(9999, 12, 31, 23, 59, 59)


class UnusablePrivateKey(KeynoteError):
    """A text that is no private key, or a key that cannot be made. The message never has any of the key in it."""


def load_private_key(text: str) -> PrivateKey:
    """The key of a `private-…:` text, also as `keynote keygen` writes it, quoted and over lines; or of unencrypted
    PEM. Raises UnusablePrivateKey."""
    if not isinstance(text, str):
        raise TypeError("a private key is text: `private-…:…`, or PEM")
    quoted = _QUOTED.fullmatch(text)
    text = literals.decode(quoted[1]) if quoted else text.strip()
    if is_key(text) or (_PUBLIC_PEM.search(text) and "PRIVATE KEY-----" not in text):
        raise UnusablePrivateKey("a public key, and it is the private one that signs")
    try:
        if "-----BEGIN " in text:
            key: object = load_pem_private_key(text.encode("latin-1"), password=None)
        else:
            match = _TEXT.fullmatch(text)
            if match is None:
                raise UnusablePrivateKey('not a private key: neither PEM nor `"private-…-hex:…"`')
            key = load_der_private_key(keys.from_ascii(match[2].lower(), match[3]), password=None)
    # What the library says may quote the key.
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UnusablePrivateKey("a private key that cannot be read: is it whole, and not encrypted?") from None
    if not isinstance(
        key, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    ):
        raise UnusablePrivateKey("a private key of a kind that signs no assertions")
    return key


def private_text(key: PrivateKey, encoding: str) -> str:
    """The key as `private-…-hex:…` or `-base64:`, which `load_private_key` reads."""
    kind = keys.text(key.public_key()).partition("-")[0]
    form = PrivateFormat.TraditionalOpenSSL if kind in ("rsa", "dsa") else PrivateFormat.PKCS8
    content = key.private_bytes(Encoding.DER, form, NoEncryption())
    return f"{PREFIX}{kind}-{encoding}:{keys.to_ascii(encoding, content)}"


def private_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def generate(kind: str, bits: int) -> PrivateKey:
    """A new key of one of `KINDS`; `x509` is an RSA key. Raises UnusablePrivateKey for a size that there is not."""
    try:
        match kind:
            case "rsa" | "x509" if bits <= limits.KEY_BITS:
                return rsa.generate_private_key(public_exponent=65537, key_size=bits)
            case "dsa" if bits <= limits.KEY_BITS:
                return dsa.generate_private_key(key_size=bits)
            case "ec":
                return ec.generate_private_key(_CURVES[bits])
            case "ed25519" if bits == 256:
                return ed25519.Ed25519PrivateKey.generate()
    except (ValueError, KeyError):
        pass
    raise UnusablePrivateKey(f"no {kind} key has {bits} bits: {_SIZES.get(kind, 'unknown kind')}")


_SIZES: Final = {
    "rsa": f"1024 to {limits.KEY_BITS}, and 2048 or more for new ones",
    "x509": f"1024 to {limits.KEY_BITS}, and 2048 or more for new ones",
    "dsa": "1024, 2048, 3072 or 4096",
    "ec": "256, 384 or 521",
    "ed25519": "always 256",
}


def certificate_text(key: PrivateKey, encoding: str) -> str:
    """The principal `x509-…:` with a self-signed certificate: nothing of it but the key means anything to KeyNote.

    So the certificate has no purpose, and its dates do not end (RFC 5280 4.1.2.5).
    """
    if not isinstance(key, rsa.RSAPrivateKey):
        raise UnusablePrivateKey("a certificate is made of an RSA key")
    from cryptography import x509  # seldom needed

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "KeyNote key")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGINNING)
        .not_valid_after(_NO_END)
        .sign(key, SHA256())
    )
    return f"x509-{encoding}:{keys.to_ascii(encoding, certificate.public_bytes(Encoding.DER))}"
