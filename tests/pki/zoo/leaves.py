# SPDX-License-Identifier: ISC
"""Chains with one thing wrong with the peer's own certificate."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.x509.name import _ASN1Type

from pki.chain import Reason, Role
from tests.pki import factory
from tests.pki.factory import DAY, NOW
from tests.pki.zoo import raw
from tests.pki.zoo.authorities import UNKNOWN_EXTENSION
from tests.pki.zoo.chains import Chain, Kind, spoilt, three, under, with_extension
from tests.pki.zoo.constraints import mail_as
from tests.pki.zoo.good import CLIENT, SERVER

GW = "gw.example.org"


def authority_as_leaf() -> Chain:
    made = three(below={"constraints": factory.IS_AUTHORITY})
    return under(factory.authority(GW, made.below, key="leaf"), made.below, anchors=[made.root])


def anchor_as_leaf() -> Chain:
    return under(three().root, anchors=[three().root])


def usage(*allowed: str) -> dict[str, object]:
    return {"usage": factory.key_usage(*allowed)}


LEAVES = [
    Kind("leaf expired", spoilt(leaf={"not_after": NOW - DAY}), Reason.EXPIRED, GW),
    Kind("leaf not yet valid", spoilt(leaf={"not_before": NOW + DAY}), Reason.NOT_YET_VALID, GW),
    Kind("leaf is an authority", authority_as_leaf, Reason.LEAF_IS_CA, GW),
    Kind("leaf is the anchor", anchor_as_leaf, Reason.LEAF_IS_CA, "Test CA"),
    Kind(
        "leaf says that it is an authority", spoilt(leaf={"constraints": factory.IS_AUTHORITY}), Reason.LEAF_IS_CA, GW
    ),
    Kind("leaf has the root's subject", spoilt(leaf={"subject": "Test CA"}), Reason.AUTHORITY_SUBJECT, "Test CA"),
    Kind("leaf looks like the root", spoilt(leaf={"subject": "TEST  ca"}), Reason.AUTHORITY_SUBJECT, "TEST  ca"),
    Kind(
        "leaf looks like the root but for what nobody sees",
        spoilt(leaf={"subject": "\uff34est\u00ad CA"}),
        Reason.AUTHORITY_SUBJECT,
        r"\xEF\xBC\xB4est\xC2\xAD CA",
    ),
    Kind("leaf has its issuer's subject", spoilt(leaf={"subject": "Below"}), Reason.AUTHORITY_SUBJECT, "Below"),
    Kind("leaf looks like its issuer", spoilt(leaf={"subject": "below"}), Reason.AUTHORITY_SUBJECT, "below"),
    Kind("empty subject", spoilt(leaf={"subject": x509.Name([])}), Reason.EMPTY_SUBJECT, "empty name"),
    Kind("keyEncipherment only", spoilt(leaf=usage("key_encipherment")), Reason.KEY_USAGE, "may not sign"),
    Kind("dataEncipherment only", spoilt(leaf=usage("data_encipherment")), Reason.KEY_USAGE, "may not sign"),
    Kind("keyAgreement only", spoilt(leaf=usage("key_agreement")), Reason.KEY_USAGE, "may not sign"),
    Kind("cRLSign only", spoilt(leaf=usage("crl_sign")), Reason.KEY_USAGE, "may not sign"),
    Kind("keyCertSign only", spoilt(leaf=usage("key_cert_sign")), Reason.KEY_USAGE, "may not sign"),
    Kind(
        "keyCertSign too", spoilt(leaf=usage("digital_signature", "key_cert_sign")), Reason.KEY_USAGE, "keyCertSign"
    ),
    Kind("codeSigning", spoilt(leaf={"usages": [factory.CODE_SIGNING]}), Reason.EXTENDED_KEY_USAGE, "other uses"),
    Kind("serverAuth", spoilt(leaf={"usages": [SERVER]}), Reason.EXTENDED_KEY_USAGE, "other uses"),
    Kind("clientAuth", spoilt(leaf={"usages": [CLIENT]}), Reason.EXTENDED_KEY_USAGE, "other uses"),
    Kind(
        "clientAuth of a gateway", spoilt(leaf={"usages": [CLIENT]}, role=Role.GATEWAY), Reason.EXTENDED_KEY_USAGE, GW
    ),
    Kind(
        "serverAuth of a client", spoilt(leaf={"usages": [SERVER]}, role=Role.CLIENT), Reason.EXTENDED_KEY_USAGE, GW
    ),
    Kind(
        "unknown critical extension",
        spoilt(leaf=with_extension(UNKNOWN_EXTENSION)),
        Reason.CRITICAL_EXTENSION,
        "1.2.3.4",
    ),
    Kind(
        "critical certificate policies",
        spoilt(
            leaf=with_extension(
                x509.CertificatePolicies([x509.PolicyInformation(x509.ObjectIdentifier("1.2.3.5"), None)])
            )
        ),
        Reason.CRITICAL_EXTENSION,
        "2.5.29.32",
    ),
    Kind("duplicate extension", spoilt(rework_leaf=raw.duplicate_extension), Reason.MALFORMED, "uplicate"),
    Kind("version 1", spoilt(rework_leaf=raw.version_1), Reason.MALFORMED, "version 1"),
    Kind("NUL in a name", spoilt(rework_leaf=raw.nul_in_name, leaf={"subject": "gw"}), Reason.MALFORMED, "control"),
    Kind("NUL in the subject", spoilt(leaf={"subject": "gw\0.example.org"}), Reason.MALFORMED, "has NUL in a name"),
    Kind(
        "NUL in the subject as BMPString",
        spoilt(leaf={"subject": mail_as("a\0@example.org", _ASN1Type.BMPString)}),
        Reason.MALFORMED,
        "has NUL in a name",
    ),
    Kind(
        "blank in a name",
        spoilt(leaf={"general_names": [x509.DNSName("a b.example.org")]}),
        Reason.MALFORMED,
        "blank",
    ),
    Kind("serial number 0", spoilt(rework_leaf=raw.serial(b"\0")), Reason.MALFORMED, "serial"),
    Kind("negative serial number", spoilt(rework_leaf=raw.serial(b"\xff")), Reason.MALFORMED, "serial"),
    Kind("serial number of 22 bytes", spoilt(rework_leaf=raw.serial(bytes([1] * 22))), Reason.REFUSED, "serial"),
    Kind(
        "other key of its authority named",
        spoilt(rework_leaf=raw.other_key_identifier),
        Reason.UNKNOWN_AUTHORITY,
        "authorityKeyIdentifier",
    ),
    Kind("RSA-1024", spoilt(leaf={"key": factory.rsa_key("weak", 1024)}), Reason.WEAK_KEY, "1024"),
    Kind(
        "RSA-8704",
        spoilt(leaf={"key": factory.rsa_key()}, rework_leaf=raw.rsa_modulus(8704)),
        Reason.WEAK_KEY,
        "8704",
    ),
    Kind("exponent 1", spoilt(rework_leaf=raw.rsa_exponent(1)), Reason.MALFORMED, "e must be"),
    Kind("even exponent", spoilt(rework_leaf=raw.rsa_exponent(65536)), Reason.MALFORMED, "e must be"),
    Kind(
        "exponent of 2000 bits",
        spoilt(rework_leaf=raw.rsa_exponent(2**2000 + 1)),
        Reason.WEAK_KEY,
        "exponent of 2001 bits",
    ),
    Kind("P-224", spoilt(leaf={"key": factory.ec_key(curve=ec.SECP224R1)}), Reason.WEAK_KEY, "secp224r1"),
    Kind("P-192", spoilt(leaf={"key": factory.ec_key(curve=ec.SECP192R1)}), Reason.WEAK_KEY, "secp192r1"),
    Kind("DSA", spoilt(leaf={"key": dsa.generate_private_key(2048)}), Reason.WEAK_KEY, "DSA"),
]
