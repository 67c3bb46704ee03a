# SPDX-License-Identifier: ISC
import hmac
from dataclasses import replace

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.crypto.secrets import Secret
from ike_auth.errors import LocalError, UnsupportedAlgorithm
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.transforms import Cbc, transform
from ike_auth.wire.numbers import AuthenticationAlgorithm, EspTransform
from tests.ike_auth.esp.sas import AEADS, CBCS, GCM, NULLS, SPI, SUITES, Suite, ipsec_sa, random_bytes

HASHES = {
    AuthenticationAlgorithm.HMAC_MD5: ("md5", 12),
    AuthenticationAlgorithm.HMAC_SHA1: ("sha1", 12),
    AuthenticationAlgorithm.HMAC_SHA2_256: ("sha256", 16),
    AuthenticationAlgorithm.HMAC_SHA2_384: ("sha384", 24),
    AuthenticationAlgorithm.HMAC_SHA2_512: ("sha512", 32),
}


def test_gcm_with_extended_sequence_numbers() -> None:
    """draft-mcgrew-gcm-test-01, section 4, the first one."""
    material = bytes.fromhex("4c80cdefbb5d10da906ac73c3613a634 2e443b68")
    sa = ipsec_sa(GCM, spi=bytes.fromhex("00004321"), encryption_key=Secret(material), esn=True)
    sequence, iv = 0x8765432100000000, 0x4956ED7E3B244CFE
    text = bytes.fromhex(
        "45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000"
        "00000000045f736970045f756470037369700963796265726369747902646b00"
        "0021000101020201"
    )
    packet = bytes.fromhex(
        "00004321 00000000 4956ed7e3b244cfe"
        "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34"
        "cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce"
        "61bc17d768fd9732459018148f6cbe722fd04796562dfdb4"
    )
    assert transform(sa, lambda size: (iv ^ sequence).to_bytes(size, "big")).seal(sequence, [text]) == [packet]
    assert transform(sa, random_bytes()).open(memoryview(packet), sequence) == text
    with pytest.raises(Dropped, match="bad ICV"):
        transform(sa, random_bytes()).open(memoryview(packet), sequence + (1 << 32))


def test_chacha20_poly1305() -> None:
    """RFC 7634 appendix A."""
    material = bytes(range(0x80, 0xA0)) + bytes.fromhex("a0a1a2a3")
    sa = ipsec_sa(AEADS[-1], encryption_key=Secret(material))
    text = bytes.fromhex(
        "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10"
        "0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223"
        "2425262728292a2b2c2d2e2f303132333435363701020204"
    )
    packet = bytes.fromhex(
        "01020304 00000005 1011121314151617"
        "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6"
        "14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3"
        "cbec163fac469b502773f6fb94e664da9165b82829f641e076aaa8266b7fb0f7b11b369907e1ad43"
    )
    mask = (0x1011121314151617 ^ 5).to_bytes(8, "big")
    assert transform(sa, lambda size: mask[:size]).seal(5, [text]) == [packet]
    assert transform(sa, random_bytes()).open(memoryview(packet), 5) == text


def test_aes_cbc() -> None:
    """RFC 3602 section 4, case 5: a ping from host to host, without its ICV."""
    key, iv = bytes.fromhex("90d382b410eeba7ad938c46cec1a82bf"), bytes.fromhex("e96e8c08ab465763fd098d45dd3ff893")
    text = bytes.fromhex(
        "08000ebda70a00008e9c083db95b0700 08090a0b0c0d0e0f1011121314151617 18191a1b1c1d1e1f2021222324252627"
        "28292a2b2c2d2e2f3031323334353637 0102030405060708090a0b0c0d0e0e01"
    )
    ciphertext = bytes.fromhex(
        "f663c25d325c18c6a9453e194e120849 a4870b66cc6b9965330013b4898dc856 a4699e523a55db080b59ec3a8e4b7e52"
        "775b07d1db34ed9c538ab50c551b874a a269add047ad2d5913ac19b7cfbad4a6"
    )
    before_it = Cipher(AES(key), modes.CBC(bytes(16))).decryptor().update(iv)
    assert Cbc(AES(key), lambda size: before_it[:size]).encrypt(text) == iv + ciphertext
    assert Cbc(AES(key), random_bytes()).decrypt(memoryview(iv + ciphertext)) == text


@pytest.mark.parametrize("suite", CBCS + NULLS, ids=str)
@pytest.mark.parametrize("esn", [False, True])
def test_what_stands_where(suite: Suite, esn: bool) -> None:
    """Opened by hand, packet after packet of one context: RFC 4303 2, 2.2.1; RFC 3602; RFC 2451; RFC 2404; RFC
    4868.
    """
    assert suite.authentication is not None
    sa = ipsec_sa(suite, esn=esn)
    texts = [bytes(48), bytes(range(96)), bytes(48)]
    first = 0x7_0000_0005 if esn else 5
    name, icv_size = HASHES[suite.authentication]
    seen = set()
    for number, packet in enumerate(transform(sa, random_bytes()).seal(first, texts)):
        covered, icv = packet[:-icv_size], packet[-icv_size:]
        assert covered[:8] == SPI + (5 + number).to_bytes(4, "big")
        high = (7).to_bytes(4, "big") if esn else b""
        assert hmac.digest(sa.integrity_key.reveal(), covered + high, name)[:icv_size] == icv
        assert decrypted(suite, sa.encryption_key.reveal(), covered[8:]) == texts[number]
        seen.add(covered[8:])
    assert len(seen) == (len(texts) if suite in CBCS else 2), "the same text twice has to look different"


def decrypted(suite: Suite, key: bytes, body: bytes) -> bytes:
    if suite.transform == EspTransform.NULL:
        return body
    primitive, block = (TripleDES(key), 8) if suite.transform == EspTransform.TRIPLE_DES else (AES(key), 16)
    return Cipher(primitive, modes.CBC(body[:block])).decryptor().update(body[block:])


@pytest.mark.parametrize("suite", SUITES, ids=str)
@pytest.mark.parametrize("esn", [False, True])
def test_what_is_sealed_opens_and_nothing_else(suite: Suite, esn: bool) -> None:
    sa = ipsec_sa(suite, esn=esn)
    sender, receiver = transform(sa, random_bytes()), transform(sa, random_bytes())
    texts = [bytes(range(48)), bytes(96)]
    first = (1 << 32) - 1 if esn else 77
    packets = sender.seal(first, texts)
    assert [len(packet) for packet in packets] == [sender.overhead + len(text) for text in texts]
    for sequence, packet, text in zip((first, first + 1), packets, texts, strict=True):
        for position in range(len(packet)):
            damaged = bytearray(packet)
            damaged[position] ^= 0x10
            if position < 8 and suite in AEADS and esn:
                continue  # what is authenticated is the SA's SPI and the whole number, both got from these bytes
            with pytest.raises(Dropped) as caught:
                receiver.open(memoryview(damaged), sequence)
            assert caught.value.reason == Reason.BAD_ICV
        assert receiver.open(memoryview(packet), sequence) == text


@pytest.mark.parametrize("suite", AEADS, ids=str)
def test_nonces_are_never_used_twice(suite: Suite) -> None:
    sender = transform(ipsec_sa(suite), random_bytes(1))
    packets = sender.seal(1, [bytes(16)] * 100) + sender.seal(101, [bytes(16)] * 100)
    assert len({packet[8:16] for packet in packets}) == 200
    other = transform(ipsec_sa(suite), random_bytes(2)).seal(1, [bytes(16)] * 200)
    assert not {packet[8:16] for packet in packets} & {packet[8:16] for packet in other}


@pytest.mark.parametrize("suite", CBCS + NULLS, ids=str)
def test_parts_of_blocks_are_truncated(suite: Suite) -> None:
    receiver = transform(ipsec_sa(suite), random_bytes())
    packet = receiver.seal(1, [bytes(96)])[0]
    with pytest.raises(Dropped) as caught:
        receiver.open(memoryview(packet)[:-1], 1)
    assert caught.value.reason == Reason.TRUNCATED


# Invariant: any bytes of sufficient length are refused with a reason.
@given(st.sampled_from(SUITES), st.binary(max_size=200), st.booleans())
def test_open_is_total(suite: Suite, data: bytes, esn: bool) -> None:
    receiver = transform(ipsec_sa(suite, esn=esn), random_bytes())
    with pytest.raises(Dropped):
        receiver.open(memoryview(data + bytes(receiver.overhead)), 1)


def test_keys_have_their_length() -> None:
    for sa in (ipsec_sa(GCM, encryption_key=Secret(bytes(16))), ipsec_sa(CBCS[0], integrity_key=Secret(bytes(19)))):
        with pytest.raises(LocalError, match="bytes of key for"):
            transform(sa, random_bytes())


def test_no_esp_without_integrity() -> None:
    parameters = ipsec_sa(CBCS[0]).parameters
    sa = ipsec_sa(CBCS[0], parameters=replace(parameters, authentication=None))
    with pytest.raises(LocalError, match="AES-128 without integrity algorithm"):
        transform(sa, random_bytes())
    gcm = ipsec_sa(GCM)
    both = replace(gcm, parameters=replace(gcm.parameters, authentication=AuthenticationAlgorithm.HMAC_SHA1))
    with pytest.raises(LocalError, match="AES-128-GCM-16 with an integrity algorithm"):
        transform(both, random_bytes())


def test_unknown_algorithms() -> None:
    parameters = replace(ipsec_sa(CBCS[0]).parameters, transform=EspTransform.BLOWFISH)
    with pytest.raises(UnsupportedAlgorithm, match="BLOWFISH"):
        transform(ipsec_sa(CBCS[0], parameters=parameters), random_bytes())
