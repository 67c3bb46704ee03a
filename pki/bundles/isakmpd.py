# SPDX-License-Identifier: ISC
"""`ca/ certs/ private/ crls/`, as isakmpd and ike-auth find them below /etc/isakmpd.

They look for the private key as private/<identity>, then as private/local.key: the second is a link to the first, so
that there is one copy of the key to guard and to replace.
"""

from pki import keystore
from pki.bundles import texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request


def make(handover: Handover, request: Request) -> Bundle:
    identity = handover.identity.value
    files = [
        File(f"ca/{stem}.crt", texts.pem(certificate).encode(), shared=True)
        for stem, certificate in texts.authority_stems((*handover.anchors, *handover.intermediates))
    ]
    files.append(File(f"certs/{identity}.crt", texts.pem(handover.leaf.certificate).encode()))
    links: tuple[tuple[str, str], ...] = ()
    if handover.key is not None:
        files.append(File(f"private/{identity}", keystore.pem(handover.key, traditional=True), SECRET))
        links = () if identity == "local.key" else (("private/local.key", identity),)
    return Bundle(tuple(files), (("ca", 0o755), ("certs", 0o755), ("crls", 0o755), ("private", 0o700)), links)
