# SPDX-License-Identifier: ISC
"""What isakmpd.conf calls the algorithms, and which of them can be had here."""

from collections.abc import Mapping

from ike_auth.config.errors import quoted
from ike_auth.config.reader import Reader
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    AuthenticationMethod,
    EncapsulationMode,
    EncryptionAlgorithm,
    EspTransform,
    ExchangeType,
    Group,
    HashAlgorithm,
    IpcompTransform,
    ProtocolId,
)

CIPHERS = {
    "DES_CBC": EncryptionAlgorithm.DES_CBC,
    "3DES_CBC": EncryptionAlgorithm.TRIPLE_DES_CBC,
    "BLOWFISH_CBC": EncryptionAlgorithm.BLOWFISH_CBC,
    "CAST_CBC": EncryptionAlgorithm.CAST_CBC,
    "AES_CBC": EncryptionAlgorithm.AES_CBC,
}
HASHES = {
    "MD5": HashAlgorithm.MD5,
    "SHA": HashAlgorithm.SHA1,
    "SHA2_256": HashAlgorithm.SHA2_256,
    "SHA2_384": HashAlgorithm.SHA2_384,
    "SHA2_512": HashAlgorithm.SHA2_512,
}
AUTHENTICATION_METHODS = {
    "PRE_SHARED": AuthenticationMethod.PRE_SHARED,
    "RSA_SIG": AuthenticationMethod.RSA_SIG,
    "DSS": AuthenticationMethod.DSS_SIG,
}
MODP_GROUPS = [f"MODP_{bits}" for bits in (768, 1024, 1536, 2048, 3072, 4096, 6144, 8192)]
ECP_GROUPS = [f"ECP_{bits}" for bits in (192, 224, 256, 384, 521)]
BRAINPOOL_GROUPS = [f"BP_{bits}" for bits in (224, 256, 384, 512)]
EC2N_GROUPS = ["EC2N_155", "EC2N_185"]
GROUPS = {name: Group[name] for name in (*MODP_GROUPS, *EC2N_GROUPS, *ECP_GROUPS, *BRAINPOOL_GROUPS, "CURVE25519")}
EXCHANGES = {"ID_PROT": ExchangeType.ID_PROT, "AGGRESSIVE": ExchangeType.AGGRESSIVE}

PROTOCOLS = {"IPSEC_ESP": ProtocolId.ESP, "IPSEC_AH": ProtocolId.AH, "IPCOMP": ProtocolId.IPCOMP}
ESP_TRANSFORMS = {
    "DES": EspTransform.DES,
    "3DES": EspTransform.TRIPLE_DES,
    "CAST": EspTransform.CAST,
    "BLOWFISH": EspTransform.BLOWFISH,
    "AES": EspTransform.AES_CBC,
    "AES_CTR": EspTransform.AES_CTR,
    "AES_GCM_16": EspTransform.AES_GCM_16,
    "AES_GMAC": EspTransform.AES_GMAC,
    "NULL": EspTransform.NULL,
}
AH_TRANSFORMS = {
    "MD5": AhTransform.MD5,
    "SHA": AhTransform.SHA1,
    "RIPEMD": AhTransform.RIPEMD,
    "SHA2_256": AhTransform.SHA2_256,
    "SHA2_384": AhTransform.SHA2_384,
    "SHA2_512": AhTransform.SHA2_512,
}
IPCOMP_TRANSFORMS = {
    "OUI": IpcompTransform.OUI,
    "DEFLATE": IpcompTransform.DEFLATE,
    "LZS": IpcompTransform.LZS,
}
ENCAPSULATIONS = {"TUNNEL": EncapsulationMode.TUNNEL, "TRANSPORT": EncapsulationMode.TRANSPORT}
AUTHENTICATION_ALGORITHMS = {
    "HMAC_MD5": AuthenticationAlgorithm.HMAC_MD5,
    "HMAC_SHA": AuthenticationAlgorithm.HMAC_SHA1,
    "HMAC_RIPEMD": AuthenticationAlgorithm.HMAC_RIPEMD,
    "HMAC_SHA2_256": AuthenticationAlgorithm.HMAC_SHA2_256,
    "HMAC_SHA2_384": AuthenticationAlgorithm.HMAC_SHA2_384,
    "HMAC_SHA2_512": AuthenticationAlgorithm.HMAC_SHA2_512,
}
# The hash that goes with an AH transform, where it has no AUTHENTICATION_ALGORITHM (RFC 2407 4.4.3).
AH_AUTHENTICATION = {AH_TRANSFORMS[name]: AUTHENTICATION_ALGORITHMS[f"HMAC_{name}"] for name in AH_TRANSFORMS}

NEVER = "is not supported"
NOT_YET = "is not supported yet"
# By tag: the names that isakmpd knows and we can do nothing with.
NOT_HERE: Mapping[str, Mapping[str, str]] = {
    "ENCRYPTION_ALGORITHM": dict.fromkeys(("DES_CBC", "BLOWFISH_CBC", "CAST_CBC"), NEVER),
    "AUTHENTICATION_METHOD": {"DSS": NEVER},
    "GROUP_DESCRIPTION": dict.fromkeys((*EC2N_GROUPS, "ECP_192", "ECP_224", *BRAINPOOL_GROUPS), NEVER),
    "TRANSFORM_ID": {
        **dict.fromkeys(("DES", "CAST", "BLOWFISH", "RIPEMD", "OUI", "LZS"), NEVER),
        **dict.fromkeys(("AES_CTR", "AES_GMAC"), NOT_YET),
    },
    "AUTHENTICATION_ALGORITHM": {"HMAC_RIPEMD": NEVER},
}


def obstacle(transform: Reader) -> str | None:
    """Why this transform of either phase cannot be used here, if so: `DES_CBC` is not supported."""
    for tag, names in NOT_HERE.items():
        if reason := names.get(transform.value(tag)):
            return f"{quoted(transform.value(tag))} {reason}"
    return None
