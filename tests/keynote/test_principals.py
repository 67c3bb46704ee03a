# SPDX-License-Identifier: ISC
import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keynote.principals import UndecodableKey, canonical, is_key, shown_principal


@pytest.mark.parametrize(
    "opaque", ["K", "", "POLICY", "RSA:abc123", "DN:/CN=x", "passphrase:rsa-hex:00", "pgp:00", "rsa-hex"]
)
def test_opaque_principals_are_their_text(opaque: str) -> None:
    assert canonical(opaque) == opaque
    assert not is_key(opaque)


@given(st.binary(min_size=1, max_size=40))
def test_a_key_is_its_bytes_in_any_encoding(key: bytes) -> None:
    text = base64.b64encode(key).decode()
    spellings = [
        f"rsa-hex:{key.hex()}",
        f"RSA-HEX:{key.hex().upper()}",
        f"rsa-base64:{text}",
        f"Rsa-Base64: {text[:3]}\n   {text[3:]}",
    ]
    assert len({canonical(spelling) for spelling in spellings}) == 1
    assert canonical(f"dsa-hex:{key.hex()}") != canonical(spellings[0])


@pytest.mark.parametrize(
    "key", ["rsa-hex:", "rsa-hex:abc", "rsa-hex:zz", "dsa-base64:A", "x509-base64:?", "binary-hex:0g", "rsa-base64:"]
)
def test_undecodable_keys(key: str) -> None:
    with pytest.raises(UndecodableKey):
        canonical(key)


def test_shown_principals_hide_and_shorten() -> None:
    assert shown_principal("passphrase-sha1-hex:00ff") == "passphrase:(hidden)"
    assert shown_principal("rsa-hex:" + "01" * 40) == "rsa-hex:01010101…01010101"
    assert shown_principal("DN:/CN=x\n") == "DN:/CN=x\\x0a"
    assert shown_principal("\0licensee") == "(unknown)"
