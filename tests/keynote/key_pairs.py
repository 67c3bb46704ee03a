# SPDX-License-Identifier: ISC
"""Keys for tests, made once a run, and certificates with them."""

from datetime import datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed448
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from keynote import keys, private_keys
from keynote.private_keys import PrivateKey

BITS = {"rsa": 1024, "dsa": 1024, "ec": 256, "ed25519": 256}
KINDS = tuple(BITS)
# The algorithms that each kind of key signs with.
ALGORITHMS = {
    "rsa": ("sig-rsa-sha1", "sig-rsa-md5", "sig-x509-sha1", "sig-rsa-sha256"),
    "dsa": ("sig-dsa-sha1",),
    "ec": ("sig-ecdsa-sha256",),
    "ed25519": ("sig-ed25519",),
}
EVERY_ALGORITHM = [(kind, name) for kind, names in ALGORITHMS.items() for name in names]


def key(kind: str, number: int = 0) -> PrivateKey:
    return _key(kind, number)


@cache
def _key(kind: str, number: int) -> PrivateKey:
    return private_keys.generate(kind, BITS[kind])


def principal(kind: str, encoding: str = "hex", number: int = 0) -> str:
    return keys.text(key(kind, number).public_key(), encoding)


@cache
def certificate(kind: str) -> bytes:
    """DER of a certificate that holds this key, signed by another. `ed448` is a kind that KeyNote does not know."""
    public = ed448.Ed448PrivateKey.generate().public_key() if kind == "ed448" else key(kind).public_key()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, kind)])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1).public_key(public)
    builder = builder.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2040, 1, 1))
    return builder.sign(key("ec", 1), SHA256()).public_bytes(Encoding.DER)


def pem(kind: str, *, traditional: bool = False) -> str:
    form = PrivateFormat.TraditionalOpenSSL if traditional else PrivateFormat.PKCS8
    return key(kind).private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def sequence(*numbers: int) -> bytes:
    """DER of a SEQUENCE of INTEGERs."""

    def element(tag: int, content: bytes) -> bytes:
        size = len(content)
        length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2, "big")
        if 128 <= size < 256:
            length = bytes([0x81, size])
        return bytes([tag]) + length + content

    integers = [number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True) for number in numbers]
    return element(0x30, b"".join(element(0x02, integer) for integer in integers))
