# SPDX-License-Identifier: ISC
"""isakmpd.conf texts for two simulated gateways, `a` at 10.99.0.1 and `b` at 10.99.0.2."""

from collections.abc import Mapping

A, B = "10.99.0.1", "10.99.0.2"
NETWORK = {A: "10.1.0.0", B: "10.2.0.0"}
NAME = {A: "a.example.org", B: "b.example.org"}
# What quick mode is for: the sections of the client identities at either end.
SUBNETS = {host: f"ID-type= IPV4_ADDR_SUBNET\nNetwork= {NETWORK[host]}\nNetmask= 255.255.0.0" for host in (A, B)}
ADDRESSES = {A: "ID-type= IPV4_ADDR\nAddress= 10.1.0.7", B: "ID-type= IPV4_ADDR\nAddress= 10.2.0.7"}
# No name of isakmpd's stands for a suite of two protocols.
COMPRESSED = """
[compressed]
Protocols= deflate,QM-ESP-AES-128-SHA2-256

[compressed-pfs]
Protocols= deflate,QM-ESP-AES-128-SHA2-256-PFS-GRP31

[deflate]
PROTOCOL_ID= IPCOMP
Transforms= deflate-xf

[deflate-xf]
TRANSFORM_ID= DEFLATE
"""


def gateway(
    own: str,
    *,
    authentication: str = "psk",
    transforms: str = "",
    suites: str = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE",
    active: bool = True,
    key: str = "a key of the two gateways",
    general: str = "",
    peer: str = "",
    connection: str = "",
    remote_id: bool = True,
    initial_contact: bool = False,
    clients: Mapping[str, str] | None = SUBNETS,
    sections: str = "",
) -> str:
    """The configuration of the gateway at `own`. Without `initial_contact`, a handshake has the nine messages of its
    ladders and no more. `general`, `peer` and `connection` add lines to those sections,
    `sections` more sections. Without `clients`, the tunnel is between the gateways themselves."""
    other = B if own == A else A
    rsa = authentication == "rsa"
    transforms = transforms or ("AES-256-SHA2-256-GRP14" + ("-RSA_SIG" if rsa else ""))
    client_ids = "" if clients is None else "Local-ID= own-clients\nRemote-ID= peer-clients"
    of_clients = "" if clients is None else f"[own-clients]\n{clients[own]}\n\n[peer-clients]\n{clients[other]}\n"
    who = "ID= own-id\nRemote-ID= peer-id" if rsa and remote_id else "ID= own-id" if rsa else f"Authentication= {key}"
    return f"""
[General]
Listen-on= {own}
{general}

[Phase 1]
{other}= peer

[Phase 2]
{"Connections" if active else "Passive-Connections"}= tunnel

[peer]
Phase= 1
Address= {other}
Configuration= main-mode
Initial-contact= {"yes" if initial_contact else "no"}
{who}
{peer}

[own-id]
ID-type= FQDN
Name= {NAME[own]}

[peer-id]
ID-type= FQDN
Name= {NAME[other]}

[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= {transforms}

[tunnel]
Phase= 2
ISAKMP-peer= peer
Configuration= quick-mode
{client_ids}
{connection}

[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suites}

{of_clients}
{sections}
"""
