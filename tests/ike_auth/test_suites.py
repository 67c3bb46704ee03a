# SPDX-License-Identifier: ISC
import pytest

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.errors import NoProposalChosen, UnsupportedAlgorithm
from ike_auth.suites import Phase1Suite, describe, key_sizes
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    AuthenticationMethod,
    EncapsulationMode,
    EncryptionAlgorithm,
    EspTransform,
    Group,
    HashAlgorithm,
    IpcompTransform,
    ProtocolId,
)

SHA1, SHA2_256 = AuthenticationAlgorithm.HMAC_SHA1, AuthenticationAlgorithm.HMAC_SHA2_256
ESP, AH = ProtocolId.ESP, ProtocolId.AH
TUNNEL, TRANSPORT = EncapsulationMode.TUNNEL, EncapsulationMode.TRANSPORT


def esp(transform: EspTransform, authentication: AuthenticationAlgorithm | None, bits: int | None = None):
    return ProtocolParameters(ESP, transform, TUNNEL, authentication, bits)


@pytest.mark.parametrize(
    ("parameters", "sizes"),
    [
        (esp(EspTransform.AES_CBC, SHA2_256, 256), (32, 32)),
        (esp(EspTransform.AES_CBC, SHA1, 128), (16, 20)),
        (esp(EspTransform.AES_GCM_16, None, 128), (20, 0)),  # the salt is key material
        (esp(EspTransform.NULL, SHA1), (0, 20)),
        (esp(EspTransform.TRIPLE_DES, AuthenticationAlgorithm.HMAC_MD5), (24, 16)),
        (ProtocolParameters(AH, AhTransform.SHA2_512, TUNNEL, AuthenticationAlgorithm.HMAC_SHA2_512), (0, 64)),
    ],
)
def test_bytes_of_keymat(parameters: ProtocolParameters, sizes: tuple[int, int]) -> None:
    assert key_sizes(parameters) == sizes


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        (esp(EspTransform.AES_CBC, None, 128), "ESP AES_CBC-128 tunnel no PFS: ESP without integrity protection"),
        (esp(EspTransform.NULL, None), "ESP NULL tunnel no PFS: ESP without integrity protection"),
        (
            esp(EspTransform.AES_GCM_16, SHA1, 128),
            "ESP AES_GCM_16-128 HMAC_SHA1 tunnel no PFS: AES-128-GCM-16 takes no authentication algorithm",
        ),
        (
            ProtocolParameters(AH, AhTransform.SHA1, TUNNEL, SHA2_256),
            "AH SHA1 HMAC_SHA2_256 tunnel no PFS: the authentication algorithm is not that of the transform",
        ),
        (
            ProtocolParameters(AH, AhTransform.SHA1, TUNNEL, None),
            "AH SHA1 tunnel no PFS: the authentication algorithm is not that of the transform",
        ),
    ],
)
def test_what_does_not_go_together(parameters: ProtocolParameters, why: str) -> None:
    with pytest.raises(NoProposalChosen) as raised:
        key_sizes(parameters)
    assert str(raised.value) == why


def test_unknown_algorithms_are_unsupported() -> None:
    with pytest.raises(UnsupportedAlgorithm):
        key_sizes(esp(EspTransform(200), SHA1))
    with pytest.raises(UnsupportedAlgorithm):
        key_sizes(esp(EspTransform.AES_CBC, AuthenticationAlgorithm(99), 128))
    with pytest.raises(UnsupportedAlgorithm, match="with 100 bits"):
        key_sizes(esp(EspTransform.AES_CBC, SHA1, 100))


def test_ipcomp_has_no_keys_and_is_deflate() -> None:
    deflate = ProtocolParameters(ProtocolId.IPCOMP, IpcompTransform.DEFLATE, TUNNEL, None)
    assert key_sizes(deflate) == (0, 0)
    assert describe(deflate) == "IPCOMP DEFLATE tunnel"
    with pytest.raises(UnsupportedAlgorithm, match="IPCOMP transform LZS"):
        key_sizes(ProtocolParameters(ProtocolId.IPCOMP, IpcompTransform.LZS, TUNNEL, None))


def test_descriptions() -> None:
    with_pfs = ProtocolParameters(ESP, EspTransform.AES_CBC, TRANSPORT, SHA2_256, 256, group=Group.MODP_2048)
    assert describe(with_pfs) == "ESP AES_CBC-256 HMAC_SHA2_256 transport PFS MODP_2048"
    in_udp = ProtocolParameters(ESP, EspTransform.AES_GCM_16, EncapsulationMode.UDP_TUNNEL, None, 128)
    assert describe(in_udp) == "ESP AES_GCM_16-128 udp-tunnel no PFS"
    assert describe(esp(EspTransform(200), None)) == "ESP EspTransform_200 tunnel no PFS"
    suite = Phase1Suite(
        EncryptionAlgorithm.TRIPLE_DES_CBC,
        None,
        HashAlgorithm.SHA1,
        AuthenticationMethod.RSA_SIG,
        Group.MODP_1024,
        3600,
    )
    assert str(suite) == "TRIPLE_DES_CBC SHA1 MODP_1024 RSA_SIG"
