# SPDX-License-Identifier: ISC
"""For racoon of the IPsec tools: racoon.conf with its certificates beside it. IKEv1, and RSA only.

What has to be protected stands elsewhere, in the kernel's policies (setkey(8)).
"""

from collections.abc import Iterator

from pki import keystore
from pki.bundles import texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from pki.errors import PkiError
from pki.names import Identity

_KINDS = {"FQDN": "fqdn", "USER_FQDN": "user_fqdn", "IPV4_ADDR": "address", "IPV6_ADDR": "address"}


def make(handover: Handover, request: Request) -> Bundle:
    """Raises PkiError where the server is not named by its address."""
    if request.server is None or request.server.kind == "FQDN":
        raise PkiError(
            f"racoon looks up no names, `{request.host}` is one",
            f"--server with its address, and --remote-id {request.peer.value}",
        )
    stem = texts.stem(handover.identity)
    trusted = (*handover.anchors, *handover.intermediates)
    files = [
        File("racoon.conf", _configuration(handover, request, stem).encode()),
        File(f"certs/{stem}.crt", texts.pem(handover.leaf.certificate).encode()),
        File("certs/ca.crt", texts.pem(*trusted).encode(), shared=True),
    ]
    if handover.key is not None:
        files.append(File(f"certs/{stem}.key", keystore.pem(handover.key, traditional=True), SECRET))
    return Bundle(tuple(files), (("certs", 0o700),))


def _configuration(handover: Handover, request: Request, stem: str) -> str:
    return f"""\
path certificate "/etc/racoon/certs";

remote {request.host} {{
    exchange_mode main;
    my_identifier {_identity(handover.identity)};
    peers_identifier {_identity(request.peer)};
    verify_identifier on;
    verify_cert on;
    certificate_type x509 "{stem}.crt" "{stem}.key";
    ca_type x509 "ca.crt";
    proposal_check strict;
    nat_traversal on;
    proposal {{
        encryption_algorithm aes 256;
        hash_algorithm sha256;
        authentication_method rsasig;
        dh_group modp2048;
    }}
}}
{"".join(_associations(request))}"""


def _associations(request: Request) -> Iterator[str]:
    """One for each pair of networks; for anything where there are none."""
    pairs = [
        f"address {local} any address {remote} any" for local in request.local_networks for remote in request.networks
    ]
    for selector in pairs or ["anonymous"]:
        yield f"""
sainfo {selector} {{
    pfs_group modp2048;
    encryption_algorithm aes 256;
    authentication_algorithm hmac_sha256;
    compression_algorithm deflate;
}}
"""


def _identity(identity: Identity) -> str:
    if identity.kind in ("FQDN", "USER_FQDN"):
        return f'{_KINDS[identity.kind]} "{identity.value}"'
    return f"{_KINDS[identity.kind]} {identity.value}"
