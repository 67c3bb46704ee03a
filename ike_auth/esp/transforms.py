# SPDX-License-Identifier: ISC
"""ESP packets of one SA, sealed and opened: RFC 4303 with AES-GCM (RFC 4106), ChaCha20-Poly1305 (RFC 7634), and CBC
or NULL with HMAC (RFC 3602, 2451, 2410; 2403, 2404, 4868).

`text` is what ESP encrypts: payload, padding, pad length, next header. Whatever can be made once is made once for
the SA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hmac import compare_digest
from struct import Struct
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.hashes import MD5, SHA1, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from ike_auth.crypto.ciphers import EspCipher, Integrity, esp_cipher, integrity
from ike_auth.errors import LocalError
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.sa import IpsecSa
from ike_auth.wire.numbers import AuthenticationAlgorithm, EspTransform

Random = Callable[[int], bytes]

# IKEv2's number (RFC 7634 5). IKEv1 has none, so only keys set by hand get here.
CHACHA20_POLY1305 = EspTransform(28)
_CHACHA20_POLY1305 = EspCipher("CHACHA20-POLY1305", CHACHA20_POLY1305, 0, 36, salt_size=4, aead=True)

_HASHES: dict[AuthenticationAlgorithm, type[HashAlgorithm]] = {
    AuthenticationAlgorithm.HMAC_MD5: MD5,
    AuthenticationAlgorithm.HMAC_SHA1: SHA1,
    AuthenticationAlgorithm.HMAC_SHA2_256: SHA256,
    AuthenticationAlgorithm.HMAC_SHA2_384: SHA384,
    AuthenticationAlgorithm.HMAC_SHA2_512: SHA512,
}
_LOW = 0xFFFFFFFF
_HEAD = Struct("!4sI")
_HEAD_IV = Struct("!4sIQ")
_HEAD_ESN = Struct("!4sQ")
HEADER_SIZE = 8  # SPI and sequence number


class Transform(Protocol):
    """`alignment`: every text is a multiple of it. `overhead`: bytes around a text. Both are sizes in bytes."""

    alignment: int
    overhead: int

    def seal(self, sequence: int, texts: Sequence[bytes]) -> list[bytes]:
        """ESP packets, from SPI to ICV; the first one has this sequence number (of 64 bits), the others follow."""

    def open(self, packet: memoryview, sequence: int) -> bytes:
        """The text of a packet that is at least `overhead` long. Raises Dropped: BAD_ICV, TRUNCATED."""


def transform(sa: IpsecSa, random: Random) -> Transform:
    """Raises UnsupportedAlgorithm, and LocalError for keys of the wrong length or ESP that protects nothing."""
    parameters = sa.parameters
    chosen = EspTransform(parameters.transform)
    cipher = _CHACHA20_POLY1305 if chosen == CHACHA20_POLY1305 else esp_cipher(chosen, parameters.key_length)
    authentication = parameters.authentication
    if cipher.aead == (authentication is not None):
        raise LocalError(f"{cipher.name} {'with an' if cipher.aead else 'without'} integrity algorithm")
    if len(sa.encryption_key) != cipher.key_size:
        raise LocalError(f"{len(sa.encryption_key)} bytes of key for {cipher.name}, which takes {cipher.key_size}")
    if authentication is None:
        return Aead(sa, cipher, random)
    mac = integrity(authentication)
    if len(sa.integrity_key) != mac.key_size:
        raise LocalError(f"{len(sa.integrity_key)} bytes of key for {mac.name}, which takes {mac.key_size}")
    return EncryptThenMac(sa, _block_cipher(sa, cipher, random), mac)


class Aead:
    """RFC 4106 and RFC 7634: salt and an explicit IV make the nonce; SPI and sequence number are authenticated with
    it.

    The IV is the sequence number, which no SA uses twice, under a mask chosen at random. With the mask two lives of
    one key, as there may be with keys set by hand, hardly meet in a nonce; nothing else rests on it.
    """

    alignment = 4
    overhead = HEADER_SIZE + 8 + 16

    def __init__(self, sa: IpsecSa, cipher: EspCipher, random: Random) -> None:
        material = sa.encryption_key.reveal()
        key, self._salt = material[: -cipher.salt_size], material[-cipher.salt_size :]
        self._cipher = ChaCha20Poly1305(key) if cipher.transform == CHACHA20_POLY1305 else AESGCM(key)
        self._mask = int.from_bytes(random(8), "big")
        self._spi = sa.spi
        self._esn = sa.esn

    def seal(self, sequence: int, texts: Sequence[bytes]) -> list[bytes]:
        spi, salt, mask, esn, encrypt = self._spi, self._salt, self._mask, self._esn, self._cipher.encrypt
        packets = []
        for number, text in enumerate(texts, sequence):
            head = _HEAD_IV.pack(spi, number & _LOW, number ^ mask)
            authenticated = _HEAD_ESN.pack(spi, number) if esn else head[:8]
            packets.append(head + encrypt(salt + head[8:], text, authenticated))
        return packets

    def open(self, packet: memoryview, sequence: int) -> bytes:
        authenticated = _HEAD_ESN.pack(self._spi, sequence) if self._esn else packet[:8]
        try:
            return self._cipher.decrypt(self._salt + packet[8:16], packet[16:], authenticated)
        except InvalidTag:
            raise Dropped(Reason.BAD_ICV) from None


class BlockCipher(Protocol):
    iv_size: int
    alignment: int

    def encrypt(self, text: bytes) -> bytes:
        """IV and ciphertext."""

    def decrypt(self, body: memoryview) -> bytes:
        """The text of an IV and whole blocks."""


class Null:
    """RFC 2410."""

    iv_size = 0
    alignment = 4

    def encrypt(self, text: bytes) -> bytes:
        return text

    def decrypt(self, body: memoryview) -> bytes:
        return bytes(body)


class Cbc:
    """CBC with a new IV for each packet, from a context that goes on for the life of the SA: making one costs more
    than encrypting 1400 bytes.

    A block of random bits goes before the text, and what it is encrypted to is the IV: as unpredictable as RFC 3602
    3 wants it, and the method of NIST SP 800-38A appendix C with a random nonce. To decrypt, the IV goes through as
    if it were ciphertext, and the block that comes of it is nothing.
    """

    def __init__(self, algorithm: AES | TripleDES, random: Random) -> None:
        self.iv_size = self.alignment = algorithm.block_size // 8
        context = Cipher(algorithm, modes.CBC(bytes(self.iv_size)))
        self._encryptor, self._decryptor = context.encryptor(), context.decryptor()
        self._random = random

    def encrypt(self, text: bytes) -> bytes:
        return self._encryptor.update(self._random(self.iv_size) + text)

    def decrypt(self, body: memoryview) -> bytes:
        return self._decryptor.update(body)[self.iv_size :]


class EncryptThenMac:
    """RFC 4303 3.3.2.1: the ICV is over everything before it, and the high half of an extended sequence number."""

    def __init__(self, sa: IpsecSa, cipher: BlockCipher, mac: Integrity) -> None:
        self.alignment = cipher.alignment
        self.overhead = HEADER_SIZE + cipher.iv_size + mac.icv_size
        self._cipher = cipher
        self._mac = HMAC(sa.integrity_key.reveal(), _HASHES[mac.algorithm]())
        self._icv_size = mac.icv_size
        self._spi = sa.spi
        self._esn = sa.esn

    def seal(self, sequence: int, texts: Sequence[bytes]) -> list[bytes]:
        packets = []
        for number, text in enumerate(texts, sequence):
            packet = _HEAD.pack(self._spi, number & _LOW) + self._cipher.encrypt(text)
            packets.append(packet + self._icv(packet, number))
        return packets

    def open(self, packet: memoryview, sequence: int) -> bytes:
        end = len(packet) - self._icv_size
        body = packet[HEADER_SIZE:end]
        if len(body) % self.alignment:
            raise Dropped(Reason.TRUNCATED)
        if not compare_digest(self._icv(packet[:end], sequence), packet[end:]):
            raise Dropped(Reason.BAD_ICV)
        return self._cipher.decrypt(body)

    def _icv(self, packet: bytes | memoryview, sequence: int) -> bytes:
        mac = self._mac.copy()
        mac.update(packet)
        if self._esn:
            mac.update((sequence >> 32).to_bytes(4, "big"))
        return mac.finalize()[: self._icv_size]


def _block_cipher(sa: IpsecSa, cipher: EspCipher, random: Random) -> BlockCipher:
    if cipher.transform == EspTransform.NULL:
        return Null()
    primitive = TripleDES if cipher.transform == EspTransform.TRIPLE_DES else AES
    return Cbc(primitive(sa.encryption_key.reveal()), random)
