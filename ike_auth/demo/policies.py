# SPDX-License-Identifier: ISC
"""The policy files of the demo, and the questions that are put to them offline."""

from hashlib import sha1
from ipaddress import IPv4Network

from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B, Host

AUTHORITY_PRINCIPAL = f"DN:/CN={AUTHORITY}"
_NAME_TEST = """remote_id_type == "FQDN" &&
            remote_id == "{fqdn}" &&
            """


def by_certificate(peer: Host, *, encryption: str = 'esp_enc_alg == "aes"', encapsulation: str = "tunnel") -> str:
    """One host may have one tunnel, if it encrypts."""
    comment = f"""\
Of all the machines that the authority vouches for, {peer.fqdn}
         may have a tunnel: between its network and ours, encrypted, with PFS."""
    return _policy(comment, AUTHORITY_PRINCIPAL, peer, _NAME_TEST.format(fqdn=peer.fqdn), encryption, encapsulation)


def nobody() -> str:
    return """\
KeyNote-Version: 2
Comment: nobody may have anything
Authorizer: "POLICY"
Licensees: ""
Conditions: false;
"""


def trusting(peer: Host) -> str:
    """The mistake: whoever has a certificate of the authority may have the tunnel."""
    comment = "Whoever has a certificate of the authority may have the tunnel. No test of the name."
    return _policy(comment, AUTHORITY_PRINCIPAL, peer, "", 'esp_enc_alg == "aes"')


def by_preshared_key(peer: Host, key: str) -> str:
    """The key is named by its hash, so that the policy may be read by those who may not know the key."""
    digest = sha1(key.encode(), usedforsecurity=False).hexdigest()
    comment = f"Whoever knows the key of {peer.fqdn}, if it says that it is that."
    test = _NAME_TEST.format(fqdn=peer.fqdn)
    return _policy(comment, f"passphrase-sha1-hex:{digest}", peer, test, 'esp_enc_alg == "aes"')


def certified(*names: str) -> str:
    """What the daemon makes of certificates whose chain it has checked: the authority speaks for each holder."""
    return "\n".join(
        f"""\
KeyNote-Version: 2
Comment: what the certificate of {name} says
Authorizer: "{AUTHORITY_PRINCIPAL}"
Licensees: "{principal(name)}"
"""
        for name in names
    )


def principal(name: str) -> str:
    """The holder of the certificate that was issued for this name."""
    return f"DN:/CN={name}"


def question(kind: str, name: str, network: IPv4Network) -> str:
    """The tunnel of step 3 as `keynote eval --action` reads it, asked for by this name."""
    return f"""\
app_domain=IPsec policy
doi=ipsec
phase_1=main
remote_id_type={kind}
remote_id={name}
remote_filter={_padded(network)}
local_filter={_padded(GATEWAY_B.network)}
esp_present=yes
esp_encapsulation=tunnel
esp_enc_alg=aes
esp_auth_alg=hmac-sha2-256
pfs=yes
"""


def _policy(
    comment: str, licensee: str, peer: Host, name_test: str, encryption: str, encapsulation: str = "tunnel"
) -> str:
    own = GATEWAY_A if peer == GATEWAY_B else GATEWAY_B
    return f"""\
KeyNote-Version: 2
Comment: {comment}
Authorizer: "POLICY"
Licensees: "{licensee}"
Conditions: app_domain == "IPsec policy" && doi == "ipsec" &&
            {name_test}remote_filter == "{_padded(peer.network)}" &&
            local_filter == "{_padded(own.network)}" &&
            esp_present == "yes" && esp_encapsulation == "{encapsulation}" &&
            {encryption} &&
            pfs == "yes" -> "true";
"""


def _padded(network: IPv4Network) -> str:
    """As policies see it: `010.001.000.000-010.001.255.255`, so that strings compare like addresses."""
    return "-".join(
        ".".join(f"{octet:03d}" for octet in address.packed)
        for address in (network.network_address, network.broadcast_address)
    )
