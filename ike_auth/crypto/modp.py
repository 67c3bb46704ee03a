# SPDX-License-Identifier: ISC
"""Diffie-Hellman over finite fields: the groups of RFC 2409 6 and RFC 3526.

`cryptography` deprecates these, so everything that touches its classes is in this module, behind `powers`
(docs/decisions/0301-finite-field-diffie-hellman.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Any

from ike_auth.errors import UnsupportedAlgorithm
from ike_auth.wire.numbers import Group

GENERATOR = 2
# Where the library has its classes now, and where it moves what it keeps for old protocols.
DH_MODULES = ("cryptography.hazmat.primitives.asymmetric.dh", "cryptography.hazmat.decrepit.asymmetric.dh")

Power = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Modp:
    """A safe prime p = 2q + 1 in which 2 generates the subgroup of order q.

    RFC 2412 appendix E makes all of them alike: 64 one bits at both ends, digits of pi between, and the smallest
    `k` that makes p and q prime. So the table holds `k` where other programs hold up to 2048 hex digits.
    """

    bits: int
    k: int
    exponent_bits: int

    @property
    def size(self) -> int:
        """Bytes of the prime, of a public value, and of the shared secret."""
        return self.bits // 8

    @property
    def prime(self) -> int:
        return _prime(self.bits, self.k)


# The exponent has at least twice the bits of the strength that RFC 3526 8 and SP 800-57 give the group, since
# an attack on short exponents takes the square root of their number. Full-length ones are no safer in a group of this
# kind, and six times slower at 2048 bits.
MODP: Mapping[int, Modp] = {
    Group.MODP_768: Modp(768, 149686, 256),
    Group.MODP_1024: Modp(1024, 129093, 256),
    Group.MODP_1536: Modp(1536, 741804, 256),
    Group.MODP_2048: Modp(2048, 124476, 256),
    Group.MODP_3072: Modp(3072, 1690314, 320),
    Group.MODP_4096: Modp(4096, 240904, 384),
    Group.MODP_6144: Modp(6144, 929484, 448),
    Group.MODP_8192: Modp(8192, 4743158, 512),
}


def powers(exponent: int, prime: int) -> Power:
    """The function x -> x ** exponent mod prime, its value in as many bytes as the prime has.

    Raises UnsupportedAlgorithm if the library refuses the group.
    """
    return backend()[1](exponent, prime)


@cache
def backend() -> tuple[str, Callable[[int, int], Power]]:
    """The name of what computes `powers`, and the function that does: OpenSSL, else GMP, else Python itself."""
    for path in DH_MODULES:
        try:
            return path, partial(openssl_powers, *dh_classes(path))
        except (ImportError, AttributeError):
            continue
    try:
        return "gmpy2", partial(gmp_powers, import_module("gmpy2").powmod_sec)
    except (ImportError, AttributeError):
        return "python", python_powers


def openssl_powers(parameters: Any, public: Any, private: Any, exponent: int, prime: int) -> Power:
    """By `cryptography`: a key exchange with x as the peer's value is the power wanted, in constant time.

    OpenSSL tests the prime of a group that it does not know by name (768 and 1024 bits) whenever it meets it in a
    new value, so the generator's value is kept, and the private one serves for both powers of a key exchange.
    """
    group, generator = _openssl_group(parameters, public, prime)

    def power(x: int) -> bytes:
        peer = generator if x == GENERATOR else public(x, group).public_key()
        shared: bytes = key.exchange(peer)
        return shared

    try:
        # A private key wants its public value too, which the powers do not depend on: any valid one will do.
        key = private(exponent, public(GENERATOR, group)).private_key()
    except ValueError as error:
        raise UnsupportedAlgorithm(f"the cryptographic library refuses MODP_{prime.bit_length()}: {error}") from None
    return power


@cache
def _openssl_group(parameters: Any, public: Any, prime: int) -> tuple[Any, Any]:
    try:
        group = parameters(prime, GENERATOR)
        return group, public(GENERATOR, group).public_key()
    except ValueError as error:
        raise UnsupportedAlgorithm(f"the cryptographic library refuses MODP_{prime.bit_length()}: {error}") from None


def gmp_powers(powmod_sec: Callable[[int, int, int], int], exponent: int, prime: int) -> Power:
    """By gmpy2, in constant time as well."""
    return lambda x: int(powmod_sec(x, exponent, prime)).to_bytes(prime.bit_length() // 8, "big")


def python_powers(exponent: int, prime: int) -> Power:
    """By Python: not in constant time, and some ten times slower. The last resort, for exponents used once."""
    return lambda x: pow(x, exponent, prime).to_bytes(prime.bit_length() // 8, "big")


def dh_classes(path: str) -> tuple[Any, Any, Any]:
    # Naming a class of the module warns that it will go; this program knows, and its users need not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = import_module(path)
        return module.DHParameterNumbers, module.DHPublicNumbers, module.DHPrivateNumbers


@cache
def _prime(bits: int, k: int) -> int:
    """RFC 3526: p = 2^n - 2^(n-64) - 1 + 2^64 * ([2^(n-130) pi] + k)."""
    return (1 << bits) - (1 << bits - 64) - 1 + (_pi(bits - 130) + k << 64)


def _pi(bits: int) -> int:
    """[2^bits pi], by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239)."""
    guard = 32
    one = 1 << bits + guard
    return 16 * _arctan(5, one) - 4 * _arctan(239, one) >> guard


def _arctan(n: int, one: int) -> int:
    """one * arctan(1/n), by its series."""
    total, power, odd = 0, one // n, 1
    while power:
        total += power // odd if odd % 4 == 1 else -(power // odd)
        power //= n * n
        odd += 2
    return total
