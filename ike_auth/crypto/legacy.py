# SPDX-License-Identifier: ISC
"""Algorithms for legacy peers: off unless the peer's section names them, `Allow-Legacy= 3DES,SHA1,MODP_1024`.

HMAC-SHA-1 in ESP and AH is no legacy, as SHA-1 of a Phase 1 hash is: docs/decisions/0302-algorithms.md.
"""

from collections.abc import Mapping
from functools import lru_cache

from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncryptionAlgorithm,
    EspTransform,
    Group,
    HashAlgorithm,
    IpcompTransform,
)

Transform = EspTransform | AhTransform | IpcompTransform
Algorithm = EncryptionAlgorithm | HashAlgorithm | Group | Transform | AuthenticationAlgorithm

_NAMES: Mapping[tuple[type[Algorithm], int], str] = {
    (EncryptionAlgorithm, EncryptionAlgorithm.TRIPLE_DES_CBC): "3DES",
    (EspTransform, EspTransform.TRIPLE_DES): "3DES",
    (EspTransform, EspTransform.NULL): "NULL",
    (HashAlgorithm, HashAlgorithm.MD5): "MD5",
    (AuthenticationAlgorithm, AuthenticationAlgorithm.HMAC_MD5): "MD5",
    (AhTransform, AhTransform.MD5): "MD5",
    (HashAlgorithm, HashAlgorithm.SHA1): "SHA1",
    (Group, Group.MODP_768): "MODP_768",
    (Group, Group.MODP_1024): "MODP_1024",
}

# Not an algorithm of IKE's: SHA-1 signatures in a peer's certificates, and authorities of X.509 version 1.
CERTIFICATES = "LEGACY_CERTIFICATES"

LEGACY_NAMES = frozenset([*_NAMES.values(), CERTIFICATES])


@lru_cache(256, typed=True)  # numbers of two registries may be equal
def legacy_names(*algorithms: Algorithm | None) -> frozenset[str]:
    """The names that `Allow-Legacy` has to list before all of these may be used; None is passed over."""
    found = [_NAMES.get((type(algorithm), algorithm)) for algorithm in algorithms if algorithm is not None]
    return frozenset([name for name in found if name is not None])
