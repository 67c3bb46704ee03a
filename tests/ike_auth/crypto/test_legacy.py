# SPDX-License-Identifier: ISC
import pytest

from ike_auth.crypto.legacy import CERTIFICATES, LEGACY_NAMES, Algorithm, legacy_names
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncryptionAlgorithm,
    EspTransform,
    Group,
    HashAlgorithm,
)


@pytest.mark.parametrize(
    ("algorithms", "names"),
    [
        ((EncryptionAlgorithm.AES_CBC, HashAlgorithm.SHA2_256, Group.MODP_2048), set()),
        ((EncryptionAlgorithm.TRIPLE_DES_CBC, HashAlgorithm.SHA1, Group.MODP_1024), {"3DES", "SHA1", "MODP_1024"}),
        ((EncryptionAlgorithm.AES_CBC, HashAlgorithm.MD5, Group.MODP_768), {"MD5", "MODP_768"}),
        ((EncryptionAlgorithm.AES_CBC, HashAlgorithm.SHA2_512, Group.MODP_1536), set()),
        ((EspTransform.TRIPLE_DES, AuthenticationAlgorithm.HMAC_MD5, None), {"3DES", "MD5"}),
        ((EspTransform.NULL, AuthenticationAlgorithm.HMAC_SHA2_256), {"NULL"}),
        ((EspTransform.AES_CBC, AuthenticationAlgorithm.HMAC_SHA1, Group.MODP_1024), {"MODP_1024"}),
        ((EspTransform.AES_GCM_16, None, Group.CURVE25519), set()),
        ((AhTransform.MD5, AuthenticationAlgorithm.HMAC_MD5), {"MD5"}),
        ((AhTransform.SHA1, AuthenticationAlgorithm.HMAC_SHA1), set()),
        # the same numbers as 3DES and MODP_1024 in other registries
        ((HashAlgorithm.SHA2_384, AhTransform.MD5), {"MD5"}),
        ((), set()),
    ],
)
def test_names(algorithms: tuple[Algorithm | None, ...], names: set[str]) -> None:
    assert legacy_names(*algorithms) == names
    assert names <= LEGACY_NAMES


def test_all_names() -> None:
    assert {*["3DES", "MD5", "MODP_1024", "MODP_768", "NULL", "SHA1"], CERTIFICATES} == LEGACY_NAMES
