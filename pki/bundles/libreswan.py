# SPDX-License-Identifier: ISC
"""For libreswan: PKCS#12 for its NSS database, a connection, and a script that puts both where they belong."""

from pki import keys
from pki.bundles import pkcs12, texts
from pki.bundles.files import PROGRAM, SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Network, Request
from pki.errors import PkiError
from pki.names import Identity

_SCRIPT = """\
#!/bin/sh
# Imports key and certificates into libreswan's NSS database, and adds the connection {section}. As root.
set -eu
cd "$(dirname "$0")"
configuration=${{IPSEC_CONFDDIR:-/etc/ipsec.d}}/{stem}.conf
if [ -e "$configuration" ]; then
    echo "$configuration is there already" >&2
    exit 1
fi
ipsec import {stem}.p12
install -m 600 {stem}.conf "$configuration"
echo "next: ipsec auto --add {section} && ipsec auto --up {section}"
"""


def make(handover: Handover, request: Request) -> Bundle:
    """Raises PkiError where both versions of IKE are asked for."""
    stem = texts.stem(handover.identity)
    section = texts.section(request.shown_title)
    sealed = pkcs12.sealed(handover, request, (*handover.intermediates, *handover.anchors))
    return Bundle(
        (
            File(f"{stem}.p12", sealed, SECRET),
            File(f"{stem}.conf", _configuration(section, handover, request).encode()),
            File("import.sh", _SCRIPT.format(stem=stem, section=section).encode(), PROGRAM),
        )
    )


def _configuration(section: str, handover: Handover, request: Request) -> str:
    values = {
        "ikev2": {"1": "no", "2": "yes"}[_one_version(request)],
        "authby": _authentication(handover),
        "ike": "aes256-sha2_256-modp2048",
        "esp": "aes256-sha2_256",
        "pfs": "yes",
        "left": "%defaultroute",
        "leftid": _identity(handover.identity),
        "leftcert": f'"{handover.identity.value}"',
        "leftsendcert": "always",
        **_subnets("left", request.local_networks),
        "right": request.host,
        "rightid": _identity(request.peer),
        "rightca": "%same",
        **(_subnets("right", request.networks) or {"rightsubnet": "0.0.0.0/0"}),
    }
    if handover.is_person and not request.local_networks and request.ike == "2":
        values |= {"leftmodecfgclient": "yes", "narrowing": "yes"}
    values["auto"] = "add"
    return f"conn {section}\n" + "".join(f"    {key}={value}\n" for key, value in values.items())


def _one_version(request: Request) -> str:
    if request.ike == "both":
        raise PkiError("a connection of libreswan is of one version of IKE", "--ike 1, or --ike 2")
    return request.ike


def _authentication(handover: Handover) -> str:
    kind = keys.kind(handover.leaf.certificate.public_key())
    return "rsasig" if kind.startswith("rsa-") else "ecdsa"


def _subnets(side: str, networks: tuple[Network, ...]) -> dict[str, str]:
    if len(networks) <= 1:
        return {f"{side}subnet": str(network) for network in networks}
    return {f"{side}subnets": "{" + ",".join(map(str, networks)) + "}"}


def _identity(identity: Identity) -> str:
    """`@` makes a name of what would be looked up otherwise (ipsec.conf(5), leftid)."""
    return f'"@{identity.value}"' if identity.kind == "FQDN" else f'"{identity.value}"'
