# SPDX-License-Identifier: ISC
import hashlib
import sys
import types
import warnings
from collections.abc import Iterator

import pytest

from ike_auth.crypto import modp
from ike_auth.crypto.modp import MODP, backend, gmp_powers, openssl_powers, powers, python_powers
from ike_auth.errors import UnsupportedAlgorithm
from ike_auth.wire.numbers import Group

# SHA-256 of the primes. Those from 1536 bits on were compared with the ones that OpenSSL 3.0 has by name; the two of
# RFC 2409 stand below in full.
PRIMES = {
    Group.MODP_768: "b52ba6a3026520a6c49d37e4587601801bee500123b3259b6bf03e7cecc3e63d",
    Group.MODP_1024: "3f35a3f5f6c4376a744acad409bb22f8d897f949d2311d885adaa890981b67a0",
    Group.MODP_1536: "64fcc83ec403930bf18393dbc883ccaa1fbb08ac876f77f7aa99748ca945019b",
    Group.MODP_2048: "d66436f79bbd6b2e38c0ffbd079be904d2641415e2e67140e09448be9a60890e",
    Group.MODP_3072: "48cf8b092fbce4359d9871abf74f98e25b6163379eaa15cd9087e800c6d1c55c",
    Group.MODP_4096: "4ee95187682bcb230ad26a95205f6920e84708f6251b3894329b09ec23919e33",
    Group.MODP_6144: "d1bfe6d0925ce7e4da262b62861514a7755e35831e429f343e7b864848657efd",
    Group.MODP_8192: "39ab4feab950a3128fb71accb9fc3965d857012e081998a85996e3ea8b3c3bcf",
}
# RFC 2409 6.1 and 6.2
OAKLEY_1 = """
    FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
    EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9 A63A3620 FFFFFFFF FFFFFFFF
"""
OAKLEY_2 = """
    FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
    EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9 A637ED6B 0BFF5CB6 F406B7ED
    EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE65381 FFFFFFFF FFFFFFFF
"""


@pytest.fixture
def fresh_backend() -> Iterator[None]:
    backend.cache_clear()
    yield
    backend.cache_clear()


@pytest.mark.parametrize("group", MODP, ids=lambda number: str(Group(number)))
def test_primes(group: int) -> None:
    prime, bits = MODP[group].prime, MODP[group].bits
    assert hashlib.sha256(prime.to_bytes(bits // 8, "big")).hexdigest() == PRIMES[Group(group)]
    assert prime.bit_length() == bits
    # 2 is of order q, since its power to q is 1. Fermat says that p and q are prime; the larger ones take too long.
    if bits <= 4096:
        assert pow(3, prime - 1, prime) == 1
        assert pow(3, (prime - 1) // 2 - 1, (prime - 1) // 2) == 1
    assert pow(2, (prime - 1) // 2, prime) == 1


@pytest.mark.parametrize(("group", "text"), [(Group.MODP_768, OAKLEY_1), (Group.MODP_1024, OAKLEY_2)])
def test_primes_in_full(group: Group, text: str) -> None:
    assert MODP[group].prime == int("".join(text.split()), 16)


def test_exponents_are_long_enough() -> None:
    """Twice the strength in bits that RFC 3526 8 and SP 800-57 estimate for the group."""
    strength = {768: 64, 1024: 80, 1536: 90, 2048: 112, 3072: 128, 4096: 150, 6144: 176, 8192: 200}
    for group in MODP.values():
        assert 2 * strength[group.bits] <= group.exponent_bits
        assert group.exponent_bits % 8 == 0


@pytest.mark.parametrize("x", [2, 3, 0x1234567890ABCDEF])
def test_backends_agree(x: int) -> None:
    prime, exponent = MODP[Group.MODP_1536].prime, 0xC0FFEE << 200
    by_python = python_powers(exponent, prime)(x)
    assert by_python == pow(x, exponent, prime).to_bytes(192, "big")
    assert openssl_powers(*modp.dh_classes(modp.DH_MODULES[0]), exponent, prime)(x) == by_python
    assert gmp_powers(pow, exponent, prime)(x) == by_python
    assert powers(exponent, prime)(x) == by_python


def test_openssl_is_the_first_choice() -> None:
    assert backend()[0] in modp.DH_MODULES


@pytest.mark.usefixtures("fresh_backend")
def test_gmp_comes_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modp, "DH_MODULES", ("cryptography.no_such_module", "cryptography.x509"))
    gmpy2 = types.ModuleType("gmpy2")
    monkeypatch.setitem(sys.modules, "gmpy2", gmpy2)
    gmpy2.__dict__["powmod_sec"] = pow
    assert backend()[0] == "gmpy2"
    assert powers(5, MODP[Group.MODP_768].prime)(2) == (32).to_bytes(96, "big")


@pytest.mark.usefixtures("fresh_backend")
@pytest.mark.parametrize("gmpy2", [None, types.ModuleType("gmpy2")])
def test_python_comes_last(monkeypatch: pytest.MonkeyPatch, gmpy2: types.ModuleType | None) -> None:
    """Without gmpy2, and with one that has no constant-time power."""
    monkeypatch.setattr(modp, "DH_MODULES", ())
    monkeypatch.setitem(sys.modules, "gmpy2", gmpy2)
    assert backend()[0] == "python"
    assert powers(5, MODP[Group.MODP_768].prime)(2) == (32).to_bytes(96, "big")


@pytest.mark.usefixtures("fresh_backend")
def test_the_library_warns_nobody() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        powers(5, MODP[Group.MODP_2048].prime)(2)
    assert caught == []


def test_a_group_that_the_library_refuses() -> None:
    classes = modp.dh_classes(modp.DH_MODULES[0])
    with pytest.raises(UnsupportedAlgorithm, match="refuses MODP_"):
        openssl_powers(*classes, 5, 23)
    private = types.SimpleNamespace(private_key=lambda: (_ for _ in ()).throw(ValueError("no")))
    with pytest.raises(UnsupportedAlgorithm, match="refuses MODP_1536: no"):
        openssl_powers(classes[0], classes[1], lambda *_: private, 5, MODP[Group.MODP_1536].prime)
