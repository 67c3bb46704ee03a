# SPDX-License-Identifier: ISC
import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from hypothesis import given
from hypothesis import strategies as st

from keynote import limits
from keynote.principals import canonical, is_key, key_principal, shown_principal


@pytest.mark.parametrize(
    "opaque", ["K", "", "POLICY", "RSA:abc123", "DN:/CN=x", "passphrase:rsa-hex:00", "pgp:00", "rsa-hex"]
)
def test_opaque_principals_are_their_text(opaque: str) -> None:
    assert canonical(opaque) == opaque
    assert not is_key(opaque)


@given(st.binary(min_size=1, max_size=40))
def test_binary_identifiers_are_their_bytes_in_any_encoding(content: bytes) -> None:
    text = base64.b64encode(content).decode()
    spellings = [
        f"binary-hex:{content.hex()}",
        f"BINARY-HEX:{content.hex().upper()}",
        f"binary-base64:{text}",
        f"Binary-Base64: {text[:3]}\n   {text[3:]}",
    ]
    assert len({canonical(spelling) for spelling in spellings}) == 1


def test_what_looks_like_a_key_and_is_long_is_not_kept() -> None:
    opaque = "a-" + "x" * limits.KEY_SIZE
    assert canonical(opaque) is opaque


def test_shown_keys_are_told_apart() -> None:
    """RSA keys begin and end alike; DSA keys of one group end alike."""
    group = dsa.generate_parameters(1024)
    keys = [rsa.generate_private_key(65537, 2048).public_key() for _ in range(2)]
    of_group = [group.generate_private_key().public_key() for _ in range(2)]
    texts = [key_principal(key) for key in (*keys, *of_group)]
    assert len({shown_principal(text) for text in texts}) == 4
    assert max(map(len, map(shown_principal, texts))) < 45


def test_shown_principals_hide_and_shorten() -> None:
    assert shown_principal("passphrase-sha1-hex:00ff") == "passphrase:(hidden)"
    assert shown_principal("rsa-hex:" + "01" * 40) == "rsa-hex:01010101…01010101…01010101"
    assert shown_principal("rsa-hex:" + "01" * 12) == "rsa-hex:" + "01" * 12
    assert shown_principal("DN:/CN=x\n") == "DN:/CN=x\\x0a"
    assert shown_principal("\0licensee") == "(unknown)"
