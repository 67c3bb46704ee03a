# SPDX-License-Identifier: ISC
import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.crypto import ciphers
from ike_auth.crypto.ciphers import (
    ESP_CIPHERS,
    INTEGRITY,
    PHASE1_CIPHERS,
    Cbc,
    Phase1Cipher,
    esp_cipher,
    integrity,
    phase1_cipher,
    supported,
)
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import MalformedMessage, UnsupportedAlgorithm
from ike_auth.wire.numbers import AhTransform, AuthenticationAlgorithm, EncryptionAlgorithm, EspTransform

AES, TRIPLE_DES = EncryptionAlgorithm.AES_CBC, EncryptionAlgorithm.TRIPLE_DES_CBC
COUNTING = "000102030405060708090a0b0c0d0e0f"
PLAIN = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"


@pytest.mark.parametrize(
    ("algorithm", "bits", "key", "iv", "plain", "cipher"),
    [
        # SP 800-38A F.2.1, F.2.3, F.2.5
        (
            AES,
            128,
            "2b7e151628aed2a6abf7158809cf4f3c",
            COUNTING,
            PLAIN,
            "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
        ),
        (
            AES,
            192,
            "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            COUNTING,
            PLAIN,
            "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
        ),
        (
            AES,
            256,
            "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            COUNTING,
            PLAIN,
            "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
        ),
        # SP 800-67 B.1, its first block: with an IV of zeros CBC is ECB
        (
            TRIPLE_DES,
            None,
            "0123456789abcdef23456789abcdef01456789abcdef0123",
            "0000000000000000",
            "5468652071756663",
            "a826fd8ce53b855f",
        ),
    ],
)
def test_published_vectors(
    algorithm: EncryptionAlgorithm, bits: int | None, key: str, iv: str, plain: str, cipher: str
) -> None:
    cbc = Cbc(phase1_cipher(algorithm, bits), Secret(bytes.fromhex(key)))
    ciphertext, next_iv = cbc.encrypt(bytes.fromhex(plain), bytes.fromhex(iv))
    assert ciphertext.hex() == cipher
    assert next_iv == ciphertext[-cbc.block_size :]
    assert cbc.decrypt(ciphertext, bytes.fromhex(iv)) == (bytes.fromhex(plain), next_iv)


every_cipher = pytest.mark.parametrize("cipher", PHASE1_CIPHERS.values(), ids=lambda cipher: cipher.name)


@every_cipher
@given(texts=st.lists(st.binary(max_size=50), min_size=1, max_size=4))
@settings(deadline=None, max_examples=20)
def test_ivs_chain(cipher: Phase1Cipher, texts: list[bytes]) -> None:
    cbc = Cbc(cipher, Secret(bytes(range(cipher.key_size))))
    out = back = bytes(cbc.block_size)
    for text in texts:
        ciphertext, next_out = cbc.encrypt(text + b"|", out)
        plaintext, next_back = cbc.decrypt(ciphertext, back)
        assert plaintext.rstrip(b"\0") == text + b"|"
        assert len(plaintext) - len(text) - 1 < cbc.block_size
        assert next_out == next_back
        out, back = next_out, next_back


@every_cipher
def test_only_whole_blocks_decrypt(cipher: Phase1Cipher) -> None:
    cbc = Cbc(cipher, Secret(bytes(range(cipher.key_size))))
    for size in (0, 1, cbc.block_size - 1, cbc.block_size + 1):
        with pytest.raises(MalformedMessage, match=f"{size} encrypted bytes"):
            cbc.decrypt(bytes(size), bytes(cbc.block_size))


@every_cipher
def test_the_key_is_not_shown(cipher: Phase1Cipher) -> None:
    cbc = Cbc(cipher, Secret(bytes(range(cipher.key_size))))
    assert repr(cbc) == f"Cbc({cipher.name})"


@pytest.mark.parametrize(
    ("algorithm", "bits"),
    [
        (AES, None),  # RFC 3602 5.3: the attribute must be there
        (AES, 0),
        (AES, 129),
        (TRIPLE_DES, 192),  # and must not be here
        (EncryptionAlgorithm.DES_CBC, None),
        (EncryptionAlgorithm.BLOWFISH_CBC, 128),
        (EncryptionAlgorithm.CAST_CBC, None),
        (EncryptionAlgorithm(99), None),
    ],
)
def test_phase_1_ciphers_that_we_do_not_have(algorithm: EncryptionAlgorithm, bits: int | None) -> None:
    with pytest.raises(UnsupportedAlgorithm, match=str(algorithm)):
        phase1_cipher(algorithm, bits)


def test_all_phase_1_ciphers_work_here() -> None:
    assert supported() == set(PHASE1_CIPHERS)


def test_ciphers_that_the_library_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unknown(TripleDES):
        name = "unknown"

    lacking = Phase1Cipher("3DES", TRIPLE_DES, 192, 8, Unknown)
    monkeypatch.setattr(ciphers, "PHASE1_CIPHERS", {**PHASE1_CIPHERS, (TRIPLE_DES, 0): lacking})
    assert supported.__wrapped__() == set(PHASE1_CIPHERS) - {(TRIPLE_DES, 0)}


@pytest.mark.parametrize(
    ("transform", "bits", "name", "key_size", "salt_size", "aead"),
    [
        (EspTransform.AES_CBC, 128, "AES-128", 16, 0, False),
        (EspTransform.AES_CBC, 192, "AES-192", 24, 0, False),
        (EspTransform.AES_CBC, 256, "AES-256", 32, 0, False),
        (EspTransform.AES_GCM_16, 128, "AES-128-GCM-16", 20, 4, True),
        (EspTransform.AES_GCM_16, 192, "AES-192-GCM-16", 28, 4, True),
        (EspTransform.AES_GCM_16, 256, "AES-256-GCM-16", 36, 4, True),
        (EspTransform.TRIPLE_DES, None, "3DES", 24, 0, False),
        (EspTransform.NULL, None, "NULL", 0, 0, False),
    ],
)
def test_esp_ciphers(
    transform: EspTransform, bits: int | None, name: str, key_size: int, salt_size: int, aead: bool
) -> None:
    cipher = esp_cipher(transform, bits)
    assert (cipher.name, cipher.key_size, cipher.salt_size, cipher.aead) == (name, key_size, salt_size, aead)
    assert cipher.transform is transform


@pytest.mark.parametrize(
    ("transform", "bits"),
    [
        (EspTransform.AES_CBC, None),
        (EspTransform.AES_CBC, 160),
        (EspTransform.NULL, 128),
        (EspTransform.DES, None),
        (EspTransform.AES_CTR, 128),
        (EspTransform.AES_GMAC, 128),
        (EspTransform(77), None),
    ],
)
def test_esp_transforms_that_we_do_not_have(transform: EspTransform, bits: int | None) -> None:
    with pytest.raises(UnsupportedAlgorithm, match=str(transform)):
        esp_cipher(transform, bits)


@pytest.mark.parametrize(
    ("algorithm", "ah", "key_size", "icv_size"),
    [
        # RFC 2403, 2404, 4868
        (AuthenticationAlgorithm.HMAC_MD5, AhTransform.MD5, 16, 12),
        (AuthenticationAlgorithm.HMAC_SHA1, AhTransform.SHA1, 20, 12),
        (AuthenticationAlgorithm.HMAC_SHA2_256, AhTransform.SHA2_256, 32, 16),
        (AuthenticationAlgorithm.HMAC_SHA2_384, AhTransform.SHA2_384, 48, 24),
        (AuthenticationAlgorithm.HMAC_SHA2_512, AhTransform.SHA2_512, 64, 32),
    ],
)
def test_integrity(algorithm: AuthenticationAlgorithm, ah: AhTransform, key_size: int, icv_size: int) -> None:
    found = integrity(algorithm)
    assert (found.ah_transform, found.key_size, found.icv_size) == (ah, key_size, icv_size)


def test_integrity_that_we_do_not_have() -> None:
    with pytest.raises(UnsupportedAlgorithm, match="DES_MAC"):
        integrity(AuthenticationAlgorithm.DES_MAC)


def test_tables_agree_with_their_keys() -> None:
    for (algorithm, bits), cipher in PHASE1_CIPHERS.items():
        assert (cipher.algorithm, cipher.key_bits) == (algorithm, bits or 192)
        assert cipher.key_size * 8 == cipher.key_bits
    for (transform, bits), esp in ESP_CIPHERS.items():
        assert (esp.transform, esp.key_bits) == (transform, bits)
        assert bits in (0, (esp.key_size - esp.salt_size) * 8)


def test_names_are_unique() -> None:
    assert len({cipher.name for cipher in ESP_CIPHERS.values()}) == len(ESP_CIPHERS)
    assert len({algorithm.name for algorithm in INTEGRITY.values()}) == len(INTEGRITY)
