# SPDX-License-Identifier: ISC
"""Key material of IKEv1: RFC 2409 5 (SKEYID and the authenticating hashes), 5.5 (KEYMAT), appendix B (IVs and keys).

Names are the RFC's: `g_xi` and `g_xr` are the public values of initiator and responder, `g_xy` the shared secret,
`ni` and `nr` the nonces, `cky_i` and `cky_r` the cookies. All of them are payload bodies, without generic headers.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from ike_auth.crypto.prf import digest, prf
from ike_auth.crypto.secrets import Secret
from ike_auth.values import value
from ike_auth.wire.numbers import HashAlgorithm, ProtocolId

_MESSAGE_ID = Struct("!I")
_PORT = Struct("!H")


@value
class Skeyid:
    """The secrets of one Phase 1: SKEYID, and what keys Phase 2 (`d`), authenticates (`a`) and encrypts (`e`)."""

    hash: HashAlgorithm
    skeyid: Secret
    d: Secret
    a: Secret
    e: Secret

    @classmethod
    def from_psk(
        cls, hash: HashAlgorithm, psk: Secret, *, ni: bytes, nr: bytes, g_xy: Secret, cky_i: bytes, cky_r: bytes
    ) -> Skeyid:
        """SKEYID = prf(pre-shared-key, Ni_b | Nr_b)."""
        return cls._derived(hash, prf(hash, psk.reveal(), ni + nr), g_xy.reveal(), cky_i + cky_r)

    @classmethod
    def from_signature(
        cls, hash: HashAlgorithm, *, ni: bytes, nr: bytes, g_xy: Secret, cky_i: bytes, cky_r: bytes
    ) -> Skeyid:
        """SKEYID = prf(Ni_b | Nr_b, g^xy)."""
        return cls._derived(hash, prf(hash, ni + nr, g_xy.reveal()), g_xy.reveal(), cky_i + cky_r)

    @classmethod
    def _derived(cls, hash: HashAlgorithm, skeyid: bytes, g_xy: bytes, cookies: bytes) -> Skeyid:
        d = prf(hash, skeyid, g_xy + cookies + b"\0")
        a = prf(hash, skeyid, d + g_xy + cookies + b"\1")
        e = prf(hash, skeyid, a + g_xy + cookies + b"\2")
        return cls(hash, Secret(skeyid), Secret(d), Secret(a), Secret(e))

    # --- Phase 1 (RFC 2409 5)

    def hash_i(self, *, g_xi: bytes, g_xr: bytes, cky_i: bytes, cky_r: bytes, sa_i: bytes, id_i: bytes) -> bytes:
        """HASH_I = prf(SKEYID, g^xi | g^xr | CKY-I | CKY-R | SAi_b | IDii_b)."""
        return prf(self.hash, self.skeyid.reveal(), g_xi + g_xr + cky_i + cky_r + sa_i + id_i)

    def hash_r(self, *, g_xi: bytes, g_xr: bytes, cky_i: bytes, cky_r: bytes, sa_i: bytes, id_r: bytes) -> bytes:
        """HASH_R = prf(SKEYID, g^xr | g^xi | CKY-R | CKY-I | SAi_b | IDir_b)."""
        return prf(self.hash, self.skeyid.reveal(), g_xr + g_xi + cky_r + cky_i + sa_i + id_r)

    # --- Quick mode and informational (RFC 2409 5.5 and 5.7)

    def hash_1(self, message_id: int, after_hash: bytes) -> bytes:
        """HASH(1) = prf(SKEYID_a, M-ID | all of the message behind the hash, without padding).

        Informational exchanges and transactions use the same one.
        """
        return prf(self.hash, self.a.reveal(), _MESSAGE_ID.pack(message_id) + after_hash)

    def hash_2(self, message_id: int, ni: bytes, after_hash: bytes) -> bytes:
        """HASH(2) = prf(SKEYID_a, M-ID | Ni_b | all of the message behind the hash)."""
        return prf(self.hash, self.a.reveal(), _MESSAGE_ID.pack(message_id) + ni + after_hash)

    def hash_3(self, message_id: int, ni: bytes, nr: bytes) -> bytes:
        """HASH(3) = prf(SKEYID_a, 0 | M-ID | Ni_b | Nr_b)."""
        return prf(self.hash, self.a.reveal(), b"\0" + _MESSAGE_ID.pack(message_id) + ni + nr)

    def keymat(
        self, protocol: ProtocolId, spi: bytes, *, ni: bytes, nr: bytes, length: int, g_xy: Secret | None = None
    ) -> Secret:
        """`length` bytes of KEYMAT for the SA with this SPI; `g_xy` is quick mode's own, with PFS.

        KEYMAT = K1 | K2 | ..., Kn = prf(SKEYID_d, Kn-1 | [g(qm)^xy] | protocol | SPI | Ni_b | Nr_b).
        """
        secret = g_xy.reveal() if g_xy is not None else b""
        seed = secret + bytes((protocol,)) + spi + ni + nr
        key, block, material = self.d.reveal(), b"", b""
        while len(material) < length:
            block = prf(self.hash, key, block + seed)
            material += block
        return Secret(material[:length])


def expanded_key(hash: HashAlgorithm, skeyid_e: Secret, length: int) -> Secret:
    """The cipher key of Phase 1, RFC 2409 appendix B: SKEYID_e cut to size, or stretched if it is too short.

    Ka = K1 | K2 | ..., K1 = prf(SKEYID_e, 0), Kn = prf(SKEYID_e, Kn-1), with 0 being one byte.
    """
    key = skeyid_e.reveal()
    if len(key) >= length:
        return Secret(key[:length])
    block = prf(hash, key, b"\0")
    material = block
    while len(material) < length:
        block = prf(hash, key, block)
        material += block
    return Secret(material[:length])


def phase1_iv(hash: HashAlgorithm, *, g_xi: bytes, g_xr: bytes, block_size: int) -> bytes:
    """The first IV of Phase 1: hash(g^xi | g^xr)."""
    return digest(hash, g_xi + g_xr)[:block_size]


def phase2_iv(hash: HashAlgorithm, last_phase1_block: bytes, message_id: int) -> bytes:
    """The first IV of an exchange under the IKE SA: hash(last phase 1 cipher block | M-ID).

    So the IKE SA keeps that block for as long as it lives (RFC 2409 appendix B).
    """
    block_size = len(last_phase1_block)
    return digest(hash, last_phase1_block + _MESSAGE_ID.pack(message_id))[:block_size]


def nat_d(hash: HashAlgorithm, *, cky_i: bytes, cky_r: bytes, address: IPv4Address | IPv6Address, port: int) -> bytes:
    """RFC 3947 3.2: HASH(CKY-I | CKY-R | IP | Port)."""
    return digest(hash, cky_i + cky_r + address.packed + _PORT.pack(port))
