# SPDX-License-Identifier: ISC
"""Assigned numbers of ISAKMP, IKE and the IPsec DOI.

RFC 2407, 2408 and 2409 with the IANA registries "ipsec-registry" and "isakmp-registry". Names are those of the
registries, shortened where a prefix only repeats the class.
"""

from __future__ import annotations

from enum import EnumType, IntEnum, IntFlag
from typing import Any


class _ByNumber(EnumType):
    """Finds known numbers by one look-up: a message is full of them, and the general way is three times slower."""

    def __call__(cls, value: Any, *more: Any, **named: Any) -> Any:
        member = cls._value2member_map_.get(value)
        return super().__call__(value, *more, **named) if member is None else member


class WireEnum(IntEnum, metaclass=_ByNumber):
    """Numbers the peer may extend: an unknown value is kept, named, and sent back unchanged.

    Members made for unknown values are not remembered, so a peer cannot fill memory with them; they compare and
    hash as the integers that they are. The text form, for logs, is the name.
    """

    @classmethod
    def _missing_(cls, value: object) -> WireEnum | None:
        if not isinstance(value, int) or value < 0:
            return None
        member = int.__new__(cls, value)
        member._name_, member._value_ = f"{cls.__name__}_{value}", value
        return member

    @property
    def known(self) -> bool:
        """Whether the number has a name of its own."""
        return self._value_ in type(self)._value2member_map_

    def __str__(self) -> str:
        return self._name_

    def __format__(self, spec: str) -> str:
        return format(self._name_, spec)


class Doi(WireEnum):
    """RFC 2408 2.1, RFC 2407."""

    ISAKMP = 0
    IPSEC = 1


class ProtocolId(WireEnum):
    """RFC 2407 4.4.1."""

    RESERVED = 0
    ISAKMP = 1
    AH = 2
    ESP = 3
    IPCOMP = 4


class PayloadType(WireEnum):
    """RFC 2408 3.1; RFC 3947 5; numbers from 128 on are for private use."""

    NONE = 0
    SA = 1
    PROPOSAL = 2
    TRANSFORM = 3
    KE = 4
    ID = 5
    CERT = 6
    CERTREQ = 7
    HASH = 8
    SIG = 9
    NONCE = 10
    NOTIFY = 11
    DELETE = 12
    VENDOR = 13
    ATTRIBUTES = 14  # draft-dukes-ike-mode-cfg
    NAT_D = 20
    NAT_OA = 21
    NAT_D_DRAFT = 130  # draft-ietf-ipsec-nat-t-ike-02 and -03
    NAT_OA_DRAFT = 131
    FRAGMENT = 132  # the FRAGMENTATION vendor extension


class ExchangeType(WireEnum):
    """RFC 2408 3.1, RFC 2409 appendix A; TRANSACTION is draft-dukes-ike-mode-cfg."""

    NONE = 0
    BASE = 1
    MAIN = 2
    AUTH_ONLY = 3
    AGGRESSIVE = 4
    INFORMATIONAL = 5
    TRANSACTION = 6
    QUICK = 32
    NEW_GROUP = 33
    ID_PROT = MAIN  # its name in RFC 2408


class Flags(IntFlag):
    """RFC 2408 3.1."""

    NONE = 0
    ENCRYPTION = 1
    COMMIT = 2
    AUTH_ONLY = 4


class NotifyType(WireEnum):
    """RFC 2408 3.14.1, RFC 2407 4.6.3, RFC 3706 5."""

    INVALID_PAYLOAD_TYPE = 1
    DOI_NOT_SUPPORTED = 2
    SITUATION_NOT_SUPPORTED = 3
    INVALID_COOKIE = 4
    INVALID_MAJOR_VERSION = 5
    INVALID_MINOR_VERSION = 6
    INVALID_EXCHANGE_TYPE = 7
    INVALID_FLAGS = 8
    INVALID_MESSAGE_ID = 9
    INVALID_PROTOCOL_ID = 10
    INVALID_SPI = 11
    INVALID_TRANSFORM_ID = 12
    ATTRIBUTES_NOT_SUPPORTED = 13
    NO_PROPOSAL_CHOSEN = 14
    BAD_PROPOSAL_SYNTAX = 15
    PAYLOAD_MALFORMED = 16
    INVALID_KEY_INFORMATION = 17
    INVALID_ID_INFORMATION = 18
    INVALID_CERT_ENCODING = 19
    INVALID_CERTIFICATE = 20
    CERT_TYPE_UNSUPPORTED = 21
    INVALID_CERT_AUTHORITY = 22
    INVALID_HASH_INFORMATION = 23
    AUTHENTICATION_FAILED = 24
    INVALID_SIGNATURE = 25
    ADDRESS_NOTIFICATION = 26
    NOTIFY_SA_LIFETIME = 27
    CERTIFICATE_UNAVAILABLE = 28
    UNSUPPORTED_EXCHANGE_TYPE = 29
    UNEQUAL_PAYLOAD_LENGTHS = 30
    CONNECTED = 16384
    RESPONDER_LIFETIME = 24576
    REPLAY_STATUS = 24577
    INITIAL_CONTACT = 24578
    R_U_THERE = 36136
    R_U_THERE_ACK = 36137

    @property
    def is_error(self) -> bool:
        """RFC 2408 3.14.1: 1 to 8191 and the private 8192 to 16383 report errors, the rest status."""
        return 0 < self._value_ < 16384


class IdType(WireEnum):
    """RFC 2407 4.6.2.1; LIST is RFC 3554."""

    IPV4_ADDR = 1
    FQDN = 2
    USER_FQDN = 3
    IPV4_ADDR_SUBNET = 4
    IPV6_ADDR = 5
    IPV6_ADDR_SUBNET = 6
    IPV4_ADDR_RANGE = 7
    IPV6_ADDR_RANGE = 8
    DER_ASN1_DN = 9
    DER_ASN1_GN = 10
    KEY_ID = 11
    LIST = 12


class CertEncoding(WireEnum):
    """RFC 2408 3.9; KEYNOTE is isakmpd's, OCSP the number that RFC 4806 gives to OCSP responses in IKEv2."""

    NONE = 0
    PKCS7 = 1
    PGP = 2
    DNS_SIGNED_KEY = 3
    X509_SIGNATURE = 4
    X509_KEY_EXCHANGE = 5
    KERBEROS_TOKENS = 6
    CRL = 7
    ARL = 8
    SPKI = 9
    X509_ATTRIBUTE = 10
    KEYNOTE = 11
    OCSP = 14


# --- Phase 1 (RFC 2409 appendix A)


class Phase1Transform(WireEnum):
    """RFC 2407 4.4.2: the only transform of protocol ISAKMP."""

    KEY_IKE = 1


class Phase1Attribute(WireEnum):
    """RFC 2409 appendix A: attribute classes of a Phase 1 transform."""

    ENCRYPTION_ALGORITHM = 1
    HASH_ALGORITHM = 2
    AUTHENTICATION_METHOD = 3
    GROUP_DESCRIPTION = 4
    GROUP_TYPE = 5
    GROUP_PRIME = 6
    GROUP_GENERATOR_ONE = 7
    GROUP_GENERATOR_TWO = 8
    GROUP_CURVE_A = 9
    GROUP_CURVE_B = 10
    LIFE_TYPE = 11
    LIFE_DURATION = 12
    PRF = 13
    KEY_LENGTH = 14
    FIELD_SIZE = 15
    GROUP_ORDER = 16


class EncryptionAlgorithm(WireEnum):
    """Value of ENCRYPTION_ALGORITHM."""

    DES_CBC = 1
    IDEA_CBC = 2
    BLOWFISH_CBC = 3
    RC5_R16_B64_CBC = 4
    TRIPLE_DES_CBC = 5
    CAST_CBC = 6
    AES_CBC = 7
    CAMELLIA_CBC = 8


class HashAlgorithm(WireEnum):
    """Value of HASH_ALGORITHM; the negotiated prf is its HMAC."""

    MD5 = 1
    SHA1 = 2
    TIGER = 3
    SHA2_256 = 4
    SHA2_384 = 5
    SHA2_512 = 6


class AuthenticationMethod(WireEnum):
    """Value of AUTHENTICATION_METHOD; the XAUTH ones are draft-beaulieu-ike-xauth-02."""

    PRE_SHARED = 1
    DSS_SIG = 2
    RSA_SIG = 3
    RSA_ENC = 4
    RSA_REV_ENC = 5
    ECDSA_256 = 9  # RFC 4754
    ECDSA_384 = 10
    ECDSA_521 = 11
    XAUTH_INIT_PRE_SHARED = 65001
    XAUTH_RESP_PRE_SHARED = 65002
    XAUTH_INIT_RSA_SIG = 65005
    XAUTH_RESP_RSA_SIG = 65006


class Group(WireEnum):
    """Diffie-Hellman groups: RFC 2409 6, 3526, 5903, 5114, 6954, 8031."""

    NONE = 0
    MODP_768 = 1
    MODP_1024 = 2
    EC2N_155 = 3
    EC2N_185 = 4
    MODP_1536 = 5
    MODP_2048 = 14
    MODP_3072 = 15
    MODP_4096 = 16
    MODP_6144 = 17
    MODP_8192 = 18
    ECP_256 = 19
    ECP_384 = 20
    ECP_521 = 21
    MODP_1024_160 = 22
    MODP_2048_224 = 23
    MODP_2048_256 = 24
    ECP_192 = 25
    ECP_224 = 26
    BP_224 = 27
    BP_256 = 28
    BP_384 = 29
    BP_512 = 30
    CURVE25519 = 31
    CURVE448 = 32


class LifeType(WireEnum):
    """RFC 2409 appendix A, RFC 2407 4.5; the same in both phases."""

    SECONDS = 1
    KILOBYTES = 2


# --- Phase 2 (RFC 2407 4.4 and 4.5)


class Situation(IntFlag):
    """RFC 2407 4.2."""

    IDENTITY_ONLY = 1
    SECRECY = 2
    INTEGRITY = 4


class IpsecAttribute(WireEnum):
    """RFC 2407 4.5: attribute classes of an IPsec transform."""

    LIFE_TYPE = 1
    LIFE_DURATION = 2
    GROUP_DESCRIPTION = 3
    ENCAPSULATION_MODE = 4
    AUTHENTICATION_ALGORITHM = 5
    KEY_LENGTH = 6
    KEY_ROUNDS = 7
    COMPRESS_DICTIONARY_SIZE = 8
    COMPRESS_PRIVATE_ALGORITHM = 9
    ECN_TUNNEL = 10
    EXTENDED_SEQUENCE_NUMBER = 11


class EncapsulationMode(WireEnum):
    """Value of ENCAPSULATION_MODE: RFC 2407 4.5, RFC 3947 5.1; the drafts used private numbers."""

    TUNNEL = 1
    TRANSPORT = 2
    UDP_TUNNEL = 3
    UDP_TRANSPORT = 4
    UDP_TUNNEL_DRAFT = 61443
    UDP_TRANSPORT_DRAFT = 61444


IN_UDP = frozenset(mode for mode in EncapsulationMode if mode.name.startswith("UDP_"))


class AuthenticationAlgorithm(WireEnum):
    """Value of AUTHENTICATION_ALGORITHM: RFC 2407 4.5, RFC 4868, RFC 4543."""

    HMAC_MD5 = 1
    HMAC_SHA1 = 2
    DES_MAC = 3
    KPDK = 4
    HMAC_SHA2_256 = 5
    HMAC_SHA2_384 = 6
    HMAC_SHA2_512 = 7
    HMAC_RIPEMD = 8
    AES_XCBC_MAC = 9
    SIG_RSA = 10
    AES_128_GMAC = 11
    AES_192_GMAC = 12
    AES_256_GMAC = 13


class EspTransform(WireEnum):
    """RFC 2407 4.4.4, RFC 3602, 3686, 4106, 4309, 4543."""

    DES_IV64 = 1
    DES = 2
    TRIPLE_DES = 3
    RC5 = 4
    IDEA = 5
    CAST = 6
    BLOWFISH = 7
    TRIPLE_IDEA = 8
    DES_IV32 = 9
    RC4 = 10
    NULL = 11
    AES_CBC = 12
    AES_CTR = 13
    AES_CCM_8 = 14
    AES_CCM_12 = 15
    AES_CCM_16 = 16
    AES_GCM_8 = 18
    AES_GCM_12 = 19
    AES_GCM_16 = 20
    SEED_CBC = 21
    CAMELLIA = 22
    AES_GMAC = 23


class AhTransform(WireEnum):
    """RFC 2407 4.4.3, RFC 4868."""

    MD5 = 2
    SHA1 = 3
    DES = 4
    SHA2_256 = 5
    SHA2_384 = 6
    SHA2_512 = 7
    RIPEMD = 8


class IpcompTransform(WireEnum):
    """RFC 2407 4.4.5."""

    OUI = 1
    DEFLATE = 2
    LZS = 3
