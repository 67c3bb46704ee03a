# SPDX-License-Identifier: ISC
"""The negotiated hash and its HMAC, which is the prf of RFC 2409 4 where no other was negotiated (none was ever)."""

import hashlib
import hmac
from collections.abc import Mapping
from functools import cache
from typing import NoReturn

from ike_auth.errors import UnsupportedAlgorithm
from ike_auth.wire.numbers import HashAlgorithm

_NAMES: Mapping[int, str] = {
    HashAlgorithm.MD5: "md5",
    HashAlgorithm.SHA1: "sha1",
    HashAlgorithm.SHA2_256: "sha256",
    HashAlgorithm.SHA2_384: "sha384",
    HashAlgorithm.SHA2_512: "sha512",
}


def prf(algorithm: HashAlgorithm, key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, _NAMES.get(algorithm) or _unknown(algorithm))


def digest(algorithm: HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(_NAMES.get(algorithm) or _unknown(algorithm), data, usedforsecurity=False).digest()


@cache
def digest_size(algorithm: HashAlgorithm) -> int:
    """Bytes of the hash, and of the prf."""
    return len(digest(algorithm, b""))


def supported() -> frozenset[HashAlgorithm]:
    """What this program knows and the library it runs with has (a FIPS build has no MD5)."""
    return frozenset(HashAlgorithm(number) for number in _NAMES if _works(HashAlgorithm(number)))


def _works(algorithm: HashAlgorithm) -> bool:
    try:
        prf(algorithm, b"key", b"data")
    except ValueError:
        return False
    return True


def _unknown(algorithm: HashAlgorithm) -> NoReturn:
    raise UnsupportedAlgorithm(f"hash algorithm {algorithm}")
