# SPDX-License-Identifier: ISC
"""The isakmpd.conf files of the demo, written to be read."""

from dataclasses import dataclass
from pathlib import Path

from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, Host

SUITE = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"
NULL_SUITE = "QM-ESP-NULL-SHA2-256-PFS-GRP14-SUITE"
_RSA, _PRESHARED = "AES-256-SHA2-256-GRP14-RSA_SIG", "AES-256-SHA2-256-GRP14"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where a host has its own, seen from its configuration; and the registry of the authority."""

    directory: str
    registry: Path


def gateway(
    own: Host,
    proof: Certificates | str,
    *,
    calls: bool,
    suites: tuple[str, ...] = (SUITE,),
    peer_lines: str = "",
) -> str:
    """`proof` is what it authenticates by, certificates or a pre-shared key; `calls` whether it is the initiator."""
    peer = GATEWAY_B if own.address == GATEWAY_A.address else GATEWAY_A
    certified = isinstance(proof, Certificates)
    key = "" if isinstance(proof, Certificates) else f"Authentication= {proof}\n"
    return f"""\
# {own.name}: {own.fqdn} at {own.address}, with {own.network} behind it

[General]
Listen-on= {own.address}

# Who may speak to us, by address; nobody else.
[Phase 1]
{peer.address}= {peer.name}
Default=

# The tunnels: {"we call for them" if calls else "we wait to be called"}.
[Phase 2]
{"Connections" if calls else "Passive-Connections"}= networks

[{peer.name}]
Phase= 1
Address= {peer.address}
Configuration= main-mode
ID= our-name
Remote-ID= its-name
{key}{peer_lines}
[our-name]
ID-type= FQDN
Name= {own.fqdn}

[its-name]
ID-type= FQDN
Name= {peer.fqdn}

[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= {_RSA if certified else _PRESHARED}

[networks]
Phase= 2
ISAKMP-peer= {peer.name}
Configuration= quick-mode
Local-ID= our-network
Remote-ID= its-network

[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= {",".join(suites)}

[our-network]
ID-type= IPV4_ADDR_SUBNET
Network= {own.network.network_address}
Netmask= {own.network.netmask}

[its-network]
ID-type= IPV4_ADDR_SUBNET
Network= {peer.network.network_address}
Netmask= {peer.network.netmask}
""" + (_certificates(proof) if isinstance(proof, Certificates) else "")


def _certificates(certificates: Certificates) -> str:
    return f"""
[X509-certificates]
CA-directory= {certificates.directory}/ca
Cert-directory= {certificates.directory}/certs
CRL-directory= {certificates.directory}/crls
Private-key-directory= {certificates.directory}/private
# A certificate of this authority counts only if it is recorded here, and not revoked.
Registry= sqlite:///{certificates.registry}
"""
