# SPDX-License-Identifier: ISC
"""PEM files, for whatever has no format of its own here."""

from pki import keystore
from pki.bundles import texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request


def make(handover: Handover, request: Request) -> Bundle:
    """The certificate, the same with what leads up to an anchor, the anchors, and the key as PKCS#8."""
    stem = texts.stem(handover.identity)
    leaf = handover.leaf.certificate
    files = [
        File(f"{stem}.crt", texts.pem(leaf).encode()),
        File(f"{stem}.chain.crt", texts.pem(leaf, *handover.intermediates).encode()),
        File("ca.crt", texts.pem(*handover.anchors).encode(), shared=True),
    ]
    if handover.key is not None:
        files.append(File(f"{stem}.key", keystore.pem(handover.key), SECRET))
    return Bundle(tuple(files))
