# SPDX-License-Identifier: ISC
"""isakmpd.conf texts for two simulated gateways, `a` at 10.99.0.1 and `b` at 10.99.0.2."""

A, B = "10.99.0.1", "10.99.0.2"
NETWORK = {A: "10.1.0.0", B: "10.2.0.0"}
NAME = {A: "a.example.org", B: "b.example.org"}


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
) -> str:
    """The configuration of the gateway at `own`; `peer` and `connection` are more lines for those sections."""
    other = B if own == A else A
    rsa = authentication == "rsa"
    transforms = transforms or ("AES-256-SHA2-256-GRP14" + ("-RSA_SIG" if rsa else ""))
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
Local-ID= own-network
Remote-ID= peer-network
{connection}

[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suites}

[own-network]
ID-type= IPV4_ADDR_SUBNET
Network= {NETWORK[own]}
Netmask= 255.255.0.0

[peer-network]
ID-type= IPV4_ADDR_SUBNET
Network= {NETWORK[other]}
Netmask= 255.255.0.0
"""
