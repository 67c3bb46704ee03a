# SPDX-License-Identifier: ISC
"""Keys as principals: every encoding of one key is one principal, and what is no key is told so."""

import base64
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

import keynote
from keynote import keys, limits
from keynote.principals import UndecodableKey, canonical, is_key, key_principal
from tests.keynote.key_pairs import KINDS, certificate, key, principal, sequence


def rsa_numbers() -> tuple[int, int]:
    public = key("rsa").public_key()
    assert isinstance(public, RSAPublicKey)
    numbers = public.public_numbers()
    return numbers.n, numbers.e


def encoded(algorithm: str, content: bytes) -> Iterator[str]:
    """The ways in which one may write the same bytes."""
    text = base64.b64encode(content).decode()
    yield f"{algorithm}-hex:{content.hex()}"
    yield f"{algorithm.upper()}-Hex:{content.hex().upper()}"
    yield f"{algorithm}-base64:{text}"
    yield f"{algorithm}-BASE64: {text[:9]}\n    {text[9:]} "


def content_of(kind: str) -> bytes:
    return bytes.fromhex(principal(kind).partition(":")[2])


@pytest.mark.parametrize("kind", KINDS)
def test_every_encoding_of_a_key_is_one_principal(kind: str) -> None:
    spellings = [*encoded(kind, content_of(kind)), *encoded("x509", certificate(kind))]
    assert {canonical(text) for text in spellings} == {principal(kind)}
    assert canonical(principal(kind)) == principal(kind) == key_principal(key(kind).public_key())
    assert canonical(principal(kind, "base64")) == principal(kind)
    assert canonical(principal(kind, number=1)) != principal(kind)
    assert all(map(is_key, spellings))


def test_rsa_numbers_stand_in_either_order() -> None:
    n, e = rsa_numbers()
    public = key("rsa").public_key()
    pkcs1 = public.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    assert canonical(f"rsa-hex:{pkcs1.hex()}") == f"rsa-hex:{pkcs1.hex()}"
    assert canonical(f"rsa-hex:{encode_dss_signature(e, n).hex()}") == f"rsa-hex:{pkcs1.hex()}"


def test_a_compressed_point_is_the_same_point() -> None:
    public = key("ec").public_key()
    assert isinstance(public, EllipticCurvePublicKey)
    whole = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    short = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    spki = content_of("ec")
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")  # P-256, and 33 bytes
    assert spki.endswith(whole)
    assert canonical(f"ec-hex:{(head + short).hex()}") == principal("ec")


def test_keys_that_no_library_verifies_with_are_principals_all_the_same() -> None:
    y, p, q, g = 4, (1 << 511) + 187, (1 << 159) + 7, 3
    content = sequence(y, p, q, g)
    assert canonical(f"dsa-hex:{content.hex()}") == f"dsa-hex:{content.hex()}"
    with pytest.raises(keys.NoKey, match="cannot verify"):
        keys.load(f"dsa-hex:{content.hex()}")


HUGE = (1 << limits.KEY_BITS) + 1
BAD = [
    ("rsa-hex:", "is not the DER of two positive numbers"),
    ("rsa-hex:abc", "is not hexadecimal: it has 3 digits, and needs an even number"),
    ("rsa-hex:0z", "is not hexadecimal: digit 2 is `z`"),
    ("rsa-hex:30 06 02 01 0f 02 01 03", "hexadecimal"),
    ("dsa-base64:A", "is not base64"),
    ("x509-base64:?", "is not base64: digit 1 is `?`"),
    ("rsa-base64:AA=A", "is not base64: digit 3 is `=`"),
    ("rsa-base64:AAA", "is not base64: it has 3 digits, and needs a multiple of four, with `=` at the end"),
    ("rsa-base64:\xc3\xa9", "is not base64"),
    ("binary-base64:AB==", "is not base64: bits are left over at its end, and are not zero"),
    ("binary-base64:AAB=", "is not base64: bits are left over at its end, and are not zero"),
    ("binary-base64:AAAA=", "is not base64: it has 5 digits"),
    ("binary-base64:A===", "is not base64"),
    ("binary-base64:AA\xa0==", r"is not base64: digit 3 is `\\xa0`"),
    ("binary-base64:AA\x1f==", r"is not base64: digit 3 is `\\x1f`"),
    ("rsa-hex:\u0663\u0663", "hexadecimal"),
    ("binary-hex:", "holds no key"),
    ("binary-hex:0g", "hexadecimal"),
    (f"rsa-hex:{sequence(15, 3).hex()}00", "two positive numbers"),  # something follows
    (f"rsa-hex:{sequence(-15, 3).hex()}", "two positive numbers"),
    (f"rsa-hex:{sequence(15, 3, 5).hex()}", "two positive numbers"),
    (f"rsa-hex:{sequence(15, 1).hex()}", "no RSA key"),
    (f"rsa-hex:{sequence(15, 0).hex()}", "no RSA key"),
    (f"rsa-hex:{sequence(16, 3).hex()}", "no RSA key"),
    (f"rsa-hex:{sequence(15, 4).hex()}", "no RSA key"),
    (f"rsa-hex:{sequence(15, 15).hex()}", "no RSA key"),
    (f"rsa-hex:{sequence(HUGE, 3).hex()}", "more than 16384 bits"),
    (f"dsa-hex:{sequence(2, HUGE, 5, 2).hex()}", "more than 16384 bits"),
    (f"dsa-hex:{sequence(2, 7, 3).hex()}", "four numbers"),
    (f"dsa-hex:{sequence(2, 7, 3, 2).hex()}ff", "four numbers"),
    (f"dsa-hex:{sequence(-2, 7, 3, 2).hex()}", "no DSA key"),
    (f"dsa-hex:{sequence(8, 7, 3, 2).hex()}", "no DSA key"),
    (f"dsa-hex:{sequence(2, 7, 3, 1).hex()}", "no DSA key"),
    ("x509-hex:3000", "X.509 certificate"),
    ("ec-hex:3000", "an elliptic curve key"),
    ("ed25519-base64:MAA=", "an Ed25519 key"),
    ("rsa-hex:" + "00" * limits.KEY_SIZE, "a key of more than 32768 characters"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=[f"{text[:30]}-{len(text)}" for text, _ in BAD])
def test_undecodable_keys(text: str, message: str) -> None:
    for spelling in (text, text):  # the second time from memory, or not
        with pytest.raises(UndecodableKey, match=message):
            canonical(spelling)


@pytest.mark.parametrize(("said", "held"), [("ec", "ed25519"), ("ed25519", "ec"), ("ec", "rsa")])
def test_a_key_is_of_the_kind_that_it_says(said: str, held: str) -> None:
    spki = key(held).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(UndecodableKey, match="is a key, but not an"):
        canonical(f"{said}-hex:{spki.hex()}")


@pytest.mark.parametrize("kind", ["ec", "ed25519"])
def test_nothing_follows_a_key(kind: str) -> None:
    for text in (f"{principal(kind)}00", f"x509-hex:{certificate(kind).hex()}00"):
        with pytest.raises(UndecodableKey):
            canonical(text)


def test_certificates_with_keys_of_other_kinds() -> None:
    with pytest.raises(UndecodableKey, match="a kind that signs no assertions"):
        canonical(f"x509-hex:{certificate('ed448').hex()}")
    with pytest.raises(keynote.UndecodableKey, match="a kind that signs no assertions"):
        key_principal(object())


def test_blanks_in_base64_are_those_of_c() -> None:
    assert canonical("binary-base64:A A\t=\r\n=\v\f") == "binary-hex:00"


# Invariant: any text is a value or UndecodableKey, and a value is its own canonical form.
@given(
    st.sampled_from(["rsa", "dsa", "x509", "ec", "ed25519", "binary"]), st.sampled_from(["hex", "base64"]), st.text()
)
def test_any_text(algorithm: str, encoding: str, bits: str) -> None:
    _value_or_error(f"{algorithm}-{encoding}:{bits}")


@given(st.sampled_from(KINDS), st.booleans(), st.data())
def test_any_mutation_of_a_key(kind: str, as_certificate: bool, data: st.DataObject) -> None:
    content = bytearray(certificate(kind) if as_certificate else content_of(kind))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["change", "cut", "add"])):
            case "change":
                content[at] = data.draw(st.integers(0, 255))
            case "cut" if len(content) > 1:
                del content[at]
            case _:
                content.insert(at, data.draw(st.integers(0, 255)))
    found = _value_or_error(f"{'x509' if as_certificate else kind}-hex:{content.hex()}")
    if found is not None:
        with suppress(keys.NoKey):
            keys.load(found)


def _value_or_error(text: str) -> str | None:
    try:
        found = canonical(text)
    except UndecodableKey:
        return None
    assert canonical(found) == found
    return found
