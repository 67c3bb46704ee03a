# SPDX-License-Identifier: ISC
"""A profile (`.sswan`) for strongSwan's app on Android: JSON, with the key inside.

The app takes one certificate to believe; the anchor above the leaf. Intermediates travel with the key, and are sent
with the certificate.
"""

import base64
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from pki.bundles import pkcs12, texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request

_IKE, _ESP = "aes256-sha256-modp2048", "aes256-sha256-modp2048"


def make(handover: Handover, request: Request) -> Bundle:
    """One file, without a blank too many: it may have to fit a QR code."""
    profile: dict[str, Any] = {
        "uuid": str(texts.unique_id(handover.leaf.sha256, "android")),
        "name": request.shown_title,
        "type": "ikev2-cert",
        "remote": {
            "addr": request.host,
            "id": request.peer.value,
            "cert": _base64(handover.anchors[0].public_bytes(Encoding.DER)),
        },
        "local": {
            "id": handover.identity.value,
            "p12": _base64(pkcs12.sealed(handover, request, handover.intermediates)),
        },
        "ike-proposal": _IKE,
        "esp-proposal": _ESP,
    }
    if request.networks:
        profile["split-tunneling"] = {"subnets": [str(network) for network in request.networks]}
    data = json.dumps(profile, ensure_ascii=False, separators=(",", ":")).encode()
    return Bundle((File(f"{texts.stem(handover.identity)}.sswan", data, SECRET),))


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
