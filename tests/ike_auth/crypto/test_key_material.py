# SPDX-License-Identifier: ISC
"""Key material where the recorded exchanges (`test_*_captures.py`) do not reach."""

import hashlib
import hmac
from ipaddress import ip_address
from typing import Any

import pytest

from ike_auth.crypto.key_material import Skeyid, expanded_key, nat_d, phase1_iv, phase2_iv
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.numbers import HashAlgorithm, ProtocolId

SHA1 = HashAlgorithm.SHA1
SKEYID = Skeyid.from_psk(
    SHA1, Secret(b"psk"), ni=b"ni", nr=b"nr", g_xy=Secret(b"g^xy"), cky_i=b"i" * 8, cky_r=b"r" * 8
)


def sha1(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha1).digest()


def test_nothing_is_shown() -> None:
    text = repr(SKEYID)
    for secret in (SKEYID.skeyid, SKEYID.d, SKEYID.a, SKEYID.e):
        assert secret.reveal().hex() not in text
        assert repr(secret.reveal()) not in text
    assert text.count("Secret(20 bytes)") == 4


def test_expanded_key_is_cut() -> None:
    assert expanded_key(SHA1, SKEYID.e, 16).reveal() == SKEYID.e.reveal()[:16]
    assert expanded_key(SHA1, SKEYID.e, 20) == SKEYID.e


def test_expanded_key_is_stretched() -> None:
    """RFC 2409 appendix B: K1 = prf(SKEYID_e, 0), K2 = prf(SKEYID_e, K1)."""
    key = SKEYID.e.reveal()
    k1 = sha1(key, b"\0")
    k2 = sha1(key, k1)
    assert expanded_key(SHA1, SKEYID.e, 32).reveal() == (k1 + k2)[:32]
    assert expanded_key(SHA1, SKEYID.e, 50).reveal() == (k1 + k2 + sha1(key, k2))[:50]


@pytest.mark.parametrize("length", [0, 1, 20, 21, 72])
def test_keymat_is_a_prefix_of_one_stream(length: int) -> None:
    seed = b"\3spi!ni" + b"nr"
    key = SKEYID.d.reveal()
    k1 = sha1(key, seed)
    k2 = sha1(key, k1 + seed)
    stream = k1 + k2 + sha1(key, k2 + seed) + sha1(key, sha1(key, k2 + seed) + seed)
    assert SKEYID.keymat(ProtocolId.ESP, b"spi!", ni=b"ni", nr=b"nr", length=length).reveal() == stream[:length]


def test_keymat_depends_on_everything() -> None:
    common: dict[str, Any] = {"ni": b"ni", "nr": b"nr", "length": 36}
    keys = [
        SKEYID.keymat(ProtocolId.ESP, b"spi1", **common),
        SKEYID.keymat(ProtocolId.ESP, b"spi2", **common),
        SKEYID.keymat(ProtocolId.AH, b"spi1", **common),
        SKEYID.keymat(ProtocolId.ESP, b"spi1", **common, g_xy=Secret(b"quick")),
        SKEYID.keymat(ProtocolId.ESP, b"spi1", ni=b"n", nr=b"inr", length=37),
    ]
    assert len({key.reveal() for key in keys}) == 5


def test_pfs_with_an_empty_secret_is_still_pfs() -> None:
    """`None` alone means that there is no PFS; a secret is used as it is."""
    with_pfs = SKEYID.keymat(ProtocolId.ESP, b"spi1", ni=b"", nr=b"", length=20, g_xy=Secret(b"\0"))
    assert with_pfs != SKEYID.keymat(ProtocolId.ESP, b"spi1", ni=b"", nr=b"", length=20)


def test_quick_mode_hashes() -> None:
    key, message_id = SKEYID.a.reveal(), 0x01020304
    assert SKEYID.hash_1(message_id, b"rest") == sha1(key, b"\1\2\3\4rest")
    assert SKEYID.hash_2(message_id, b"ni", b"rest") == sha1(key, b"\1\2\3\4nirest")
    assert SKEYID.hash_3(message_id, b"ni", b"nr") == sha1(key, b"\0\1\2\3\4ninr")


def test_phase_1_hashes_mirror_each_other() -> None:
    common = {"g_xi": b"gi", "g_xr": b"gr", "cky_i": b"ci", "cky_r": b"cr", "sa_i": b"sa"}
    key = SKEYID.skeyid.reveal()
    assert SKEYID.hash_i(**common, id_i=b"id") == sha1(key, b"gigrcicrsaid")
    assert SKEYID.hash_r(**common, id_r=b"id") == sha1(key, b"grgicrcisaid")


def test_ivs() -> None:
    assert phase1_iv(SHA1, g_xi=b"gi", g_xr=b"gr", block_size=8) == hashlib.sha1(b"gigr").digest()[:8]
    assert phase2_iv(SHA1, b"last blk", 1) == hashlib.sha1(b"last blk\0\0\0\1").digest()[:8]


@pytest.mark.parametrize(
    ("address", "packed"), [("10.0.0.1", b"\x0a\0\0\1"), ("2001:db8::1", b"\x20\1\x0d\xb8" + bytes(11) + b"\1")]
)
def test_nat_d(address: str, packed: bytes) -> None:
    expected = hashlib.sha1(b"initiateresponds" + packed + b"\x01\xf4").digest()
    assert nat_d(SHA1, cky_i=b"initiate", cky_r=b"responds", address=ip_address(address), port=500) == expected
