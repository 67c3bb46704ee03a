# SPDX-License-Identifier: ISC
"""Ciphers of Phase 1, and what is known of the algorithms of ESP and AH.

Phase 1 encrypts by block ciphers in CBC mode (RFC 2409 appendix B). DES, Blowfish, CAST and IDEA are left out by
choice: docs/decisions/0302-algorithms.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm as NotInLibrary
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from ike_auth.crypto.secrets import Secret
from ike_auth.errors import MalformedMessage, UnsupportedAlgorithm
from ike_auth.wire.numbers import AhTransform, AuthenticationAlgorithm, EncryptionAlgorithm, EspTransform


@dataclass(frozen=True, slots=True)
class Phase1Cipher:
    """A cipher with one length of key."""

    name: str
    algorithm: EncryptionAlgorithm
    key_bits: int
    block_size: int  # bytes
    primitive: type[AES] | type[TripleDES]

    @property
    def key_size(self) -> int:
        """Bytes."""
        return self.key_bits // 8


# By algorithm and KEY_LENGTH; 0 where the attribute is absent, as it has to be for ciphers of one key length.
PHASE1_CIPHERS: Mapping[tuple[int, int], Phase1Cipher] = {
    (EncryptionAlgorithm.AES_CBC, 128): Phase1Cipher("AES-128", EncryptionAlgorithm.AES_CBC, 128, 16, AES),
    (EncryptionAlgorithm.AES_CBC, 192): Phase1Cipher("AES-192", EncryptionAlgorithm.AES_CBC, 192, 16, AES),
    (EncryptionAlgorithm.AES_CBC, 256): Phase1Cipher("AES-256", EncryptionAlgorithm.AES_CBC, 256, 16, AES),
    (EncryptionAlgorithm.TRIPLE_DES_CBC, 0): Phase1Cipher(
        "3DES", EncryptionAlgorithm.TRIPLE_DES_CBC, 192, 8, TripleDES
    ),
}


def phase1_cipher(algorithm: EncryptionAlgorithm, key_length: int | None = None) -> Phase1Cipher:
    """Raises UnsupportedAlgorithm. `key_length` is the KEY_LENGTH attribute, in bits."""
    try:
        return PHASE1_CIPHERS[algorithm, key_length or 0]
    except KeyError:
        suffix = f" with {key_length} bits" if key_length else ""
        raise UnsupportedAlgorithm(f"cipher {algorithm}{suffix}") from None


@cache
def supported() -> frozenset[tuple[int, int]]:
    """Those keys of PHASE1_CIPHERS that work with the library at hand."""
    return frozenset(key for key, cipher in PHASE1_CIPHERS.items() if _works(cipher))


def _works(cipher: Phase1Cipher) -> bool:
    try:
        Cbc(cipher, Secret(bytes(range(cipher.key_size)))).encrypt(b"text", bytes(cipher.block_size))
    except NotInLibrary:
        return False
    return True


class Cbc:
    """One Phase 1 cipher and its key. IVs are the caller's, since each exchange has a chain of its own."""

    __slots__ = ("_primitive", "block_size", "cipher")

    def __init__(self, cipher: Phase1Cipher, key: Secret) -> None:
        self.cipher = cipher
        self.block_size = cipher.block_size
        self._primitive: BlockCipherAlgorithm = cipher.primitive(key.reveal())

    def encrypt(self, plaintext: bytes, iv: bytes) -> tuple[bytes, bytes]:
        """Ciphertext and the next IV. Zeros fill the last block up (RFC 2409 appendix B)."""
        padded = plaintext + bytes(-len(plaintext) % self.block_size)
        encryptor = Cipher(self._primitive, modes.CBC(iv)).encryptor()
        ciphertext = encryptor.update(padded) + encryptor.finalize()
        return ciphertext, ciphertext[-self.block_size :]

    def decrypt(self, ciphertext: bytes, iv: bytes) -> tuple[bytes, bytes]:
        """Plaintext with its padding, and the next IV. Raises MalformedMessage unless there are whole blocks."""
        if not ciphertext or len(ciphertext) % self.block_size:
            raise MalformedMessage(f"{len(ciphertext)} encrypted bytes are not whole blocks of {self.block_size}")
        decryptor = Cipher(self._primitive, modes.CBC(iv)).decryptor()
        plaintext = decryptor.update(ciphertext) + decryptor.finalize()
        return plaintext, ciphertext[-self.block_size :]

    def __repr__(self) -> str:
        return f"Cbc({self.cipher.name})"


@dataclass(frozen=True, slots=True)
class EspCipher:
    """An encryption algorithm of ESP with one length of key."""

    name: str
    transform: EspTransform
    key_bits: int  # as KEY_LENGTH says it; 0 where that attribute has no place
    key_size: int  # bytes of KEYMAT: the key, and a salt where there is one
    salt_size: int = 0  # bytes of key_size, at its end
    aead: bool = False  # authenticates as well, so it takes no integrity algorithm


@dataclass(frozen=True, slots=True)
class Integrity:
    """An integrity algorithm of ESP or AH."""

    name: str
    algorithm: AuthenticationAlgorithm
    ah_transform: AhTransform
    key_size: int  # bytes
    icv_size: int  # bytes on the wire


# By transform and KEY_LENGTH; 0 where the attribute is absent. AES must have it (RFC 3602 5.3).
# RFC 4106 8.1: KEYMAT for GCM is the key, then four bytes of salt; KEY_LENGTH counts the key alone.
ESP_CIPHERS: Mapping[tuple[int, int], EspCipher] = {
    (cipher.transform, cipher.key_bits): cipher
    for cipher in (
        EspCipher("AES-128", EspTransform.AES_CBC, 128, 16),
        EspCipher("AES-192", EspTransform.AES_CBC, 192, 24),
        EspCipher("AES-256", EspTransform.AES_CBC, 256, 32),
        EspCipher("AES-128-GCM-16", EspTransform.AES_GCM_16, 128, 20, salt_size=4, aead=True),
        EspCipher("AES-192-GCM-16", EspTransform.AES_GCM_16, 192, 28, salt_size=4, aead=True),
        EspCipher("AES-256-GCM-16", EspTransform.AES_GCM_16, 256, 36, salt_size=4, aead=True),
        EspCipher("3DES", EspTransform.TRIPLE_DES, 0, 24),
        EspCipher("NULL", EspTransform.NULL, 0, 0),
    )
}

# RFC 2403, 2404 and 4868: the SHA-2 ones are cut to half, the older ones to 96 bits.
INTEGRITY: Mapping[int, Integrity] = {
    integrity.algorithm: integrity
    for integrity in (
        Integrity("HMAC-MD5", AuthenticationAlgorithm.HMAC_MD5, AhTransform.MD5, 16, 12),
        Integrity("HMAC-SHA1", AuthenticationAlgorithm.HMAC_SHA1, AhTransform.SHA1, 20, 12),
        Integrity("HMAC-SHA2-256", AuthenticationAlgorithm.HMAC_SHA2_256, AhTransform.SHA2_256, 32, 16),
        Integrity("HMAC-SHA2-384", AuthenticationAlgorithm.HMAC_SHA2_384, AhTransform.SHA2_384, 48, 24),
        Integrity("HMAC-SHA2-512", AuthenticationAlgorithm.HMAC_SHA2_512, AhTransform.SHA2_512, 64, 32),
    )
}


def esp_cipher(transform: EspTransform, key_length: int | None = None) -> EspCipher:
    """Raises UnsupportedAlgorithm. `key_length` is the KEY_LENGTH attribute, in bits."""
    try:
        return ESP_CIPHERS[transform, key_length or 0]
    except KeyError:
        suffix = f" with {key_length} bits" if key_length else ""
        raise UnsupportedAlgorithm(f"ESP transform {transform}{suffix}") from None


def integrity(algorithm: AuthenticationAlgorithm) -> Integrity:
    """Raises UnsupportedAlgorithm."""
    try:
        return INTEGRITY[algorithm]
    except KeyError:
        raise UnsupportedAlgorithm(f"authentication algorithm {algorithm}") from None
