# SPDX-License-Identifier: ISC
"""A configuration profile (`.mobileconfig`) for iOS, iPadOS and macOS: the connection, the identity, the authorities.

The keys are those of Apple's device management reference (`com.apple.vpn.managed`, `com.apple.security.pkcs12`,
`.root`, `.pkcs1`). The password is left out: whoever installs the profile is asked for it. The PKCS#12 payload may
hold one certificate only, so those of authorities have payloads of their own.
"""

import plistlib
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pki import keys
from pki.bundles import pkcs12, texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request

# CertificateType, where it is not RSA.
_KEYS = {"p-256": "ECDSA256", "p-384": "ECDSA384", "p-521": "ECDSA521"}
_ALGORITHMS = {"EncryptionAlgorithm": "AES-256", "IntegrityAlgorithm": "SHA2-256", "DiffieHellmanGroup": 14}


def make(handover: Handover, request: Request) -> Bundle:
    """One file."""
    stem = texts.stem(handover.identity)
    fingerprint = handover.leaf.sha256
    identity = {
        **_payload("com.apple.security.pkcs12", fingerprint, "identity", handover.identity.value),
        "PayloadCertificateFileName": f"{stem}.p12",
        "PayloadContent": pkcs12.sealed(handover, request),
    }
    profile = {
        **_payload("Configuration", fingerprint, "profile", request.shown_title),
        "PayloadDescription": f"VPN to {request.host} for {handover.identity.value}",
        "PayloadContent": [
            *(_authority(it, "com.apple.security.root") for it in handover.anchors),
            *(_authority(it, "com.apple.security.pkcs1") for it in handover.intermediates),
            identity,
            {
                **_payload("com.apple.vpn.managed", fingerprint, "vpn", request.shown_title),
                "UserDefinedName": request.shown_title,
                "VPNType": "IKEv2",
                "IKEv2": _ikev2(handover, request, identity["PayloadUUID"]),
            },
        ],
    }
    return Bundle((File(f"{stem}.mobileconfig", plistlib.dumps(profile), SECRET),))


def _ikev2(handover: Handover, request: Request, identity: str) -> dict[str, Any]:
    return {
        "RemoteAddress": request.host,
        "RemoteIdentifier": request.peer.value,
        "LocalIdentifier": handover.identity.value,
        "AuthenticationMethod": "Certificate",
        "PayloadCertificateUUID": identity,
        "CertificateType": _KEYS.get(keys.kind(handover.leaf.certificate.public_key()), "RSA"),
        "ServerCertificateIssuerCommonName": texts.common_name(handover.issuer),
        "ExtendedAuthEnabled": 0,
        "EnablePFS": 1,
        "IKESecurityAssociationParameters": _ALGORITHMS,
        "ChildSecurityAssociationParameters": _ALGORITHMS,
    }


def _authority(certificate: x509.Certificate, kind: str) -> dict[str, Any]:
    name = texts.common_name(certificate)
    ((stem, _),) = texts.authority_stems((certificate,))
    return {
        **_payload(kind, texts.sha256(certificate), "authority", name),
        "PayloadCertificateFileName": f"{stem}.crt",
        "PayloadContent": certificate.public_bytes(Encoding.DER),
    }


def _payload(kind: str, fingerprint: str, role: str, name: str) -> dict[str, Any]:
    """What every payload has. Identifier and UUID follow from the certificate, so that a profile that is made again
    replaces the one that was installed."""
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": f"keynote-pki.{fingerprint}.{role}",
        "PayloadUUID": str(texts.unique_id(fingerprint, role)).upper(),
        "PayloadDisplayName": name,
    }
