# SPDX-License-Identifier: ISC
"""Algorithms by setkey's names: those that there are here, and those that are known and missing."""

from collections.abc import Mapping
from dataclasses import dataclass

from ike_auth.crypto.ciphers import ESP_CIPHERS, EspCipher, Integrity, integrity
from ike_auth.manual.errors import Refused, did_you_mean
from ike_auth.manual.statements import Algorithm
from ike_auth.wire.numbers import AuthenticationAlgorithm, EspTransform

# IKEv2's number (RFC 7634 5): IKEv1 has none, so only keys set by hand get here.
CHACHA20_POLY1305 = EspTransform(28)

ENCRYPTION: Mapping[str, EspTransform] = {
    "aes-cbc": EspTransform.AES_CBC,
    "rijndael-cbc": EspTransform.AES_CBC,
    "aes-gcm-16": EspTransform.AES_GCM_16,
    "chacha20-poly1305": CHACHA20_POLY1305,
    "3des-cbc": EspTransform.TRIPLE_DES,
    "null": EspTransform.NULL,
}
AUTHENTICATION: Mapping[str, AuthenticationAlgorithm] = {
    "hmac-sha256": AuthenticationAlgorithm.HMAC_SHA2_256,
    "hmac-sha2-256": AuthenticationAlgorithm.HMAC_SHA2_256,
    "hmac-sha384": AuthenticationAlgorithm.HMAC_SHA2_384,
    "hmac-sha2-384": AuthenticationAlgorithm.HMAC_SHA2_384,
    "hmac-sha512": AuthenticationAlgorithm.HMAC_SHA2_512,
    "hmac-sha2-512": AuthenticationAlgorithm.HMAC_SHA2_512,
    "hmac-sha1": AuthenticationAlgorithm.HMAC_SHA1,
    "hmac-md5": AuthenticationAlgorithm.HMAC_MD5,
}
KEYLESS = frozenset(("null", "simple"))  # names that no key follows

MISSING_ENCRYPTION = frozenset(
    {"des-cbc", "des-deriv", "des-32iv", "3des-deriv", "blowfish-cbc", "cast128-cbc", "twofish-cbc", "camellia-cbc"}
    | {"rc5-cbc", "skipjack-cbc", "simple", "aes-ctr", "aes-gmac", "aes-gcm-8", "aes-gcm-12", "aes-ccm-16"}
)
MISSING_AUTHENTICATION = frozenset(
    {"keyed-md5", "keyed-sha1", "hmac-ripemd160", "aes-xcbc-mac", "tcp-md5", "null", "aes-gmac", "chacha20-poly1305"}
)
COMPRESSION = frozenset(("oui", "deflate", "lzs"))

ENCRYPTION_NAMES = frozenset(ENCRYPTION) | MISSING_ENCRYPTION
AUTHENTICATION_NAMES = frozenset(AUTHENTICATION) | MISSING_AUTHENTICATION

_CHACHA20_POLY1305 = EspCipher("CHACHA20-POLY1305", CHACHA20_POLY1305, 0, 36, salt_size=4, aead=True)


@dataclass(frozen=True, slots=True)
class _Table:
    what: str
    here: tuple[str, ...]  # without second names
    known: frozenset[str]


def _first_names(names: Mapping[str, int]) -> tuple[str, ...]:
    return tuple({number: name for name, number in reversed(list(names.items()))}.values())[::-1]


_TABLES = {
    "encryption": _Table("encryption algorithm", _first_names(ENCRYPTION), ENCRYPTION_NAMES),
    "authentication": _Table("authentication algorithm", _first_names(AUTHENTICATION), AUTHENTICATION_NAMES),
}


def check_name(kind: str, name: str) -> None:
    """`kind` is `encryption` or `authentication`. Raises Refused for a name that nobody knows; the text does not hold
    it, since it could be a key."""
    table = _TABLES[kind]
    if name not in table.known:
        hint = did_you_mean(name, sorted(table.known)) or f"there are {', '.join(table.here)}"
        raise Refused(f"this is no {table.what}", hint)


def cipher(algorithm: Algorithm) -> EspCipher:
    """The cipher that this name and this length of key mean. Raises Refused."""
    transform = ENCRYPTION.get(algorithm.name)
    if transform is None:
        raise _missing("encryption", algorithm)
    sizes = {cipher.key_size: cipher for cipher in _ciphers() if cipher.transform == transform}
    found = sizes.get(len(algorithm.key))
    if found is None:
        salted = any(cipher.salt_size for cipher in sizes.values())
        raise _wrong_size(algorithm, sorted(sizes), "the last four are the salt" if salted else "")
    return found


def mac(algorithm: Algorithm) -> Integrity:
    """Raises Refused."""
    number = AUTHENTICATION.get(algorithm.name)
    if number is None:
        raise _missing("authentication", algorithm)
    found = integrity(number)
    if len(algorithm.key) != found.key_size:
        raise _wrong_size(algorithm, [found.key_size])
    return found


def _ciphers() -> tuple[EspCipher, ...]:
    return (*ESP_CIPHERS.values(), _CHACHA20_POLY1305)


def _missing(kind: str, algorithm: Algorithm) -> Refused:
    check_name(kind, algorithm.name)
    hint = f"there are {', '.join(_TABLES[kind].here)}"
    return Refused(f"`{algorithm.name}` is not supported", hint, algorithm.where)


def _wrong_size(algorithm: Algorithm, sizes: list[int], hint: str = "") -> Refused:
    wanted = " or ".join(map(str, sizes))
    message = f"the key of `{algorithm.name}` has {len(algorithm.key)} bytes instead of {wanted}"
    return Refused(message, hint, algorithm.where)
