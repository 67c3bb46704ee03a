# SPDX-License-Identifier: ISC
"""Algorithms as XFRM has them: names of the kernel's crypto API, keys, and lengths in bits.

XFRMA_ALG_CRYPT, _COMP   name 64 | key bits 4 | key
XFRMA_ALG_AUTH_TRUNC     name 64 | key bits 4 | bits of the ICV 4 | key
XFRMA_ALG_AEAD           the same; the key has its salt at the end
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct

from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.netlink_messages import MalformedNetlink, unpacked
from ike_auth.wire.numbers import AuthenticationAlgorithm, EspTransform, IpcompTransform

_PLAIN = Struct("=64sI")
_CUT = Struct("=64sII")
NO_KEY = Secret(b"")


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`xfrm_algo`: encryption without integrity, or compression."""

    name: str
    key: Secret = NO_KEY

    @classmethod
    def decode(cls, data: bytes) -> Algorithm:
        """Raises MalformedNetlink."""
        name, bits = unpacked(_PLAIN, data)
        return cls(_name(name), _key(data[_PLAIN.size :], bits))

    def encode(self) -> bytes:
        return _PLAIN.pack(self.name.encode(), len(self.key) * 8) + self.key.reveal()


@dataclass(frozen=True, slots=True)
class CutAlgorithm:
    """`xfrm_algo_auth`, `xfrm_algo_aead`: what makes an ICV of `icv_bits`."""

    name: str
    key: Secret
    icv_bits: int

    @classmethod
    def decode(cls, data: bytes) -> CutAlgorithm:
        """Raises MalformedNetlink."""
        name, bits, icv_bits = unpacked(_CUT, data)
        return cls(_name(name), _key(data[_CUT.size :], bits), icv_bits)

    def encode(self) -> bytes:
        return _CUT.pack(self.name.encode(), len(self.key) * 8, self.icv_bits) + self.key.reveal()


CHACHA20_POLY1305 = EspTransform(28)  # RFC 7634 gives it a number for IKEv2 only; for manual keys

CIPHERS: Mapping[int, str] = {
    EspTransform.TRIPLE_DES: "cbc(des3_ede)",
    EspTransform.NULL: "ecb(cipher_null)",
    EspTransform.AES_CBC: "cbc(aes)",
}
# The name, and bits of the ICV.
AEADS: Mapping[int, tuple[str, int]] = {
    EspTransform.AES_GCM_8: ("rfc4106(gcm(aes))", 64),
    EspTransform.AES_GCM_12: ("rfc4106(gcm(aes))", 96),
    EspTransform.AES_GCM_16: ("rfc4106(gcm(aes))", 128),
    CHACHA20_POLY1305: ("rfc7539esp(chacha20,poly1305)", 128),
}
# RFC 2403, 2404 and 4868.
INTEGRITY: Mapping[int, tuple[str, int]] = {
    AuthenticationAlgorithm.HMAC_MD5: ("hmac(md5)", 96),
    AuthenticationAlgorithm.HMAC_SHA1: ("hmac(sha1)", 96),
    AuthenticationAlgorithm.HMAC_SHA2_256: ("hmac(sha256)", 128),
    AuthenticationAlgorithm.HMAC_SHA2_384: ("hmac(sha384)", 192),
    AuthenticationAlgorithm.HMAC_SHA2_512: ("hmac(sha512)", 256),
}
COMPRESSION: Mapping[int, str] = {IpcompTransform.DEFLATE: "deflate"}


def _name(data: bytes) -> str:
    name, _, rest = data.partition(b"\0")
    if not name.isascii() or any(rest):
        raise MalformedNetlink(f"an algorithm named {data!r}")
    return name.decode()


def _key(data: bytes, bits: int) -> Secret:
    if bits % 8 or len(data) < bits // 8:
        raise MalformedNetlink(f"a key of {bits} bits where {len(data)} bytes are left")
    return Secret(data[: bits // 8])
