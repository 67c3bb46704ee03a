# SPDX-License-Identifier: ISC
"""Key exchange: MODP (RFC 2409, 3526), ECP (RFC 5903) and Curve25519 (RFC 8031) groups behind one function.

The shared secret is encoded as each RFC says: the MODP one padded on the left to the size of the prime, of ECP the x
coordinate alone, of Curve25519 the 32 bytes of RFC 7748.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cache
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm as NotInLibrary
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from ike_auth.crypto.modp import GENERATOR, MODP, Modp, Power, powers
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import InvalidKeyInformation, UnsupportedAlgorithm
from ike_auth.values import value
from ike_auth.wire.numbers import Group

Random = Callable[[int], bytes]  # a source of so many random bytes

ECP: Mapping[int, ec.EllipticCurve] = {
    Group.ECP_256: ec.SECP256R1(),
    Group.ECP_384: ec.SECP384R1(),
    Group.ECP_521: ec.SECP521R1(),
}
_UNCOMPRESSED = b"\4"  # SEC 1 2.3.3; RFC 5903 7 leaves it out


class KeyShare(Protocol):
    """One side's half of a key exchange, to be used once."""

    @property
    def group(self) -> Group: ...

    @property
    def public(self) -> bytes:
        """The body of the KE payload."""
        ...

    def shared(self, peer_public: bytes) -> Secret:
        """g^xy. Raises InvalidKeyInformation for a value that is not an element of the group, or a trivial one."""
        ...


def generate(group: Group, random: Random) -> KeyShare:
    """A fresh half, its private value drawn from `random`.

    Raises UnsupportedAlgorithm for a group that this program, or the library at hand, does not have.
    """
    try:
        if group in MODP:
            return _modp_share(group, random)
        if group in ECP:
            return _ecp_share(group, random)
        if group == Group.CURVE25519:
            return _curve25519_share(random)
    except NotInLibrary:
        raise UnsupportedAlgorithm(f"the cryptographic library has no {group}") from None
    raise UnsupportedAlgorithm(f"group {group}")


@cache
def public_size(group: Group) -> int:
    """Bytes of a KE payload of this group. Raises UnsupportedAlgorithm."""
    if group in MODP:
        return MODP[group].size
    if group in ECP:
        return 2 * _coordinate_size(ECP[group])
    if group == Group.CURVE25519:
        return 32
    raise UnsupportedAlgorithm(f"group {group}")


@cache
def supported() -> frozenset[Group]:
    """The groups that work with the library at hand; each one is tried (some 90 ms, mostly for the two smallest)."""
    return frozenset(group for group in map(Group, (*MODP, *ECP, Group.CURVE25519)) if _works(group))


def _works(group: Group) -> bool:
    try:
        generate(group, lambda count: b"\5" * count)
    except UnsupportedAlgorithm:
        return False
    return True


# --- MODP


@value
class _ModpShare:
    group: Group
    public: bytes
    _modp: Modp = field(repr=False)
    _power: Power = field(repr=False)

    def shared(self, peer_public: bytes) -> Secret:
        # With a safe prime, the range is all there is to check: the only small subgroup is {1, p-1}.
        prime = self._modp.prime
        _check_size(self.group, peer_public, self._modp.size)
        y = int.from_bytes(peer_public, "big")
        if not 1 < y < prime - 1:
            raise InvalidKeyInformation(f"public value outside of {self.group}")
        return Secret(self._power(y))


def _modp_share(group: Group, random: Random) -> _ModpShare:
    modp = MODP[group]
    exponent = bytearray(random(modp.exponent_bits // 8))
    exponent[0] |= 0x80  # one length for all, so that the time it takes tells nothing
    power = powers(int.from_bytes(exponent, "big"), modp.prime)
    return _ModpShare(group, power(GENERATOR), modp, power)


# --- ECP


@value
class _EcpShare:
    group: Group
    public: bytes
    _private: ec.EllipticCurvePrivateKey = field(repr=False)

    def shared(self, peer_public: bytes) -> Secret:
        _check_size(self.group, peer_public, len(self.public))
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, _UNCOMPRESSED + peer_public)
        except ValueError:
            raise InvalidKeyInformation(f"public value is no point of {self.group}") from None
        return Secret(self._private.exchange(ec.ECDH(), peer))


def _ecp_share(group: Group, random: Random) -> _EcpShare:
    curve = ECP[group]
    # FIPS 186-4 B.4.1: 64 bits more than the order has make the remainder uniform.
    surplus = int.from_bytes(random((curve.group_order.bit_length() + 64 + 7) // 8), "big")
    private = ec.derive_private_key(surplus % (curve.group_order - 1) + 1, curve)
    numbers, size = private.public_key().public_numbers(), _coordinate_size(curve)
    return _EcpShare(group, numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big"), private)


def _coordinate_size(curve: ec.EllipticCurve) -> int:
    return (curve.key_size + 7) // 8


# --- Curve25519


@value
class _Curve25519Share:
    group: Group
    public: bytes
    _private: X25519PrivateKey = field(repr=False)

    def shared(self, peer_public: bytes) -> Secret:
        _check_size(self.group, peer_public, 32)
        try:
            return Secret(self._private.exchange(X25519PublicKey.from_public_bytes(peer_public)))
        except ValueError:  # RFC 8031 2.2: all zeros, from a point of small order
            raise InvalidKeyInformation(f"public value of small order in {self.group}") from None


def _curve25519_share(random: Random) -> _Curve25519Share:
    private = X25519PrivateKey.from_private_bytes(random(32))
    return _Curve25519Share(Group.CURVE25519, private.public_key().public_bytes_raw(), private)


def _check_size(group: Group, peer_public: bytes, size: int) -> None:
    if len(peer_public) != size:
        raise InvalidKeyInformation(f"public value of {len(peer_public)} bytes in {group}, which has {size}")
