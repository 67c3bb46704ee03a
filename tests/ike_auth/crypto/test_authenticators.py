# SPDX-License-Identifier: ISC
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from ike_auth.crypto.authenticators import MAX_KEY_SIZE, sign, verify
from ike_auth.errors import AuthenticationFailed, LocalError
from ike_auth.wire.numbers import NotifyType

HASH = hashlib.sha256(b"HASH_I").digest()


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def public(key: rsa.RSAPrivateKey) -> rsa.RSAPublicKey:
    return key.public_key()


def raw(key: rsa.RSAPrivateKey, block: bytes) -> bytes:
    """RSA itself, without a padding scheme."""
    numbers = key.private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n).to_bytes(256, "big")


def block(hash: bytes, size: int = 256) -> bytes:
    """RFC 2409 5.1 with PKCS #1: 00 01 ff … ff 00, and the hash alone."""
    return b"\0\1" + b"\xff" * (size - 3 - len(hash)) + b"\0" + hash


@pytest.mark.parametrize("size", [16, 20, 32, 48, 64])
def test_sign_and_verify(key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, size: int) -> None:
    hash = hashlib.shake_128(b"hash").digest(size)
    signature = sign(key, hash)
    numbers = public.public_numbers()
    opened = pow(int.from_bytes(signature, "big"), numbers.e, numbers.n).to_bytes(256, "big")
    assert opened == block(hash)
    assert signature == raw(key, block(hash))
    verify(public, hash, signature)


def test_another_hash(key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey) -> None:
    signature = sign(key, HASH)
    for hash in (hashlib.sha256(b"HASH_R").digest(), HASH[:-1], HASH + b"\0", b""):
        with pytest.raises(AuthenticationFailed, match="does not verify") as caught:
            verify(public, hash, signature)
        assert caught.value.notify == NotifyType.AUTHENTICATION_FAILED


def test_another_key(key: rsa.RSAPrivateKey) -> None:
    other = rsa.generate_private_key(65537, 2048).public_key()
    with pytest.raises(AuthenticationFailed, match="does not verify"):
        verify(other, HASH, sign(key, HASH))


def test_any_bit_flipped(key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey) -> None:
    signature = bytearray(sign(key, HASH))
    for place in range(0, 2048, 61):
        signature[place // 8] ^= 1 << place % 8
        with pytest.raises(AuthenticationFailed):
            verify(public, HASH, bytes(signature))
        signature[place // 8] ^= 1 << place % 8
    verify(public, HASH, bytes(signature))


@pytest.mark.parametrize(
    "padded",
    [
        b"\0\2" + b"\xff" * 221 + b"\0" + HASH,  # the type of encryption
        b"\0\1" + b"\xff" * 220 + b"\xfe\0" + HASH,
        b"\0\1" + b"\xff" * 8 + b"\0" + HASH + bytes(213),  # rubbish behind the hash
        b"\0\1" + b"\xff" * 8 + b"\0" + bytes(213) + HASH,  # rubbish before it
        b"\0\1" + b"\xff" * 222 + HASH,  # no end of the padding
        b"\0\1" + b"\0" + HASH.rjust(253, b"\0"),
        HASH.rjust(256, b"\0"),
        bytes(255) + b"\1",
    ],
)
def test_no_other_padding(key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, padded: bytes) -> None:
    assert len(padded) == 256
    with pytest.raises(AuthenticationFailed, match="does not verify"):
        verify(public, HASH, raw(key, padded))


def test_no_digest_info(key: rsa.RSAPrivateKey, public: rsa.RSAPublicKey) -> None:
    signature = key.sign(b"HASH_I", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(AuthenticationFailed, match="does not verify"):
        verify(public, HASH, signature)


@pytest.mark.parametrize("size", [0, 1, 255, 257, 512])
def test_signatures_of_another_length(public: rsa.RSAPublicKey, size: int) -> None:
    with pytest.raises(AuthenticationFailed, match=f"signature of {size} bytes"):
        verify(public, HASH, bytes(size))


@pytest.mark.parametrize("filler", [b"\0", b"\xff"])
def test_numbers_that_are_no_signature(public: rsa.RSAPublicKey, filler: bytes) -> None:
    with pytest.raises(AuthenticationFailed):
        verify(public, HASH, filler * 256)


def test_other_kinds_of_key() -> None:
    for other in (ec.generate_private_key(ec.SECP256R1()).public_key(), None, "key"):
        with pytest.raises(AuthenticationFailed, match="not an RSA key"):
            verify(other, HASH, bytes(256))


def test_keys_that_would_keep_us_busy() -> None:
    modulus = (1 << MAX_KEY_SIZE) + 0x10001
    large = rsa.RSAPublicNumbers(65537, modulus).public_key()
    with pytest.raises(AuthenticationFailed, match=f"{MAX_KEY_SIZE + 1} bits"):
        verify(large, HASH, bytes(MAX_KEY_SIZE // 8 + 1))


def test_a_hash_too_long_to_sign(key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(LocalError, match="cannot sign 250 bytes with 2048 bits"):
        sign(key, bytes(250))
