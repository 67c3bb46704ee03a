# SPDX-License-Identifier: ISC
"""What swanctl reads below /etc/swanctl: `x509/ x509ca/ private/` and a connection in `conf.d/`."""

from collections.abc import Iterator

from pki import keystore
from pki.bundles import texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Network, Request
from pki.names import Identity

_IKE, _ESP = "aes256-sha256-modp2048", "aes256-sha256-modp2048"
_VERSIONS = {"1": "1", "2": "2", "both": "0"}
# What strongSwan makes of a text is told by a prefix rather than guessed (swanctl.conf(5), local.id). Not of an
# address: behind `ipv4:` charon takes the letters themselves for its bytes.
_KINDS = {"FQDN": "fqdn:", "USER_FQDN": "email:", "IPV4_ADDR": "", "IPV6_ADDR": ""}


def make(handover: Handover, request: Request) -> Bundle:
    stem = texts.stem(handover.identity)
    authorities = [
        File(f"x509ca/{name}.crt", texts.pem(certificate).encode(), shared=True)
        for name, certificate in texts.authority_stems((*handover.anchors, *handover.intermediates))
    ]
    anchors = [file.path.removeprefix("x509ca/") for file in authorities[: len(handover.anchors)]]
    files = [
        *authorities,
        File(f"x509/{stem}.crt", texts.pem(handover.leaf.certificate).encode()),
        File(f"conf.d/{stem}.conf", _configuration(handover, request, f"{stem}.crt", anchors).encode()),
    ]
    if handover.key is not None:
        files.append(File(f"private/{stem}.pem", keystore.pem(handover.key), SECRET))
    return Bundle(tuple(files), (("x509", 0o755), ("x509ca", 0o755), ("private", 0o700), ("conf.d", 0o755)))


def quoted(text: str) -> str:
    """A value in strongswan.conf's syntax."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _configuration(handover: Handover, request: Request, certificate: str, anchors: list[str]) -> str:
    section = texts.section(request.shown_title)
    # Only IKEv2 lets a client ask for an address, and take what it gets, without an exchange of its own.
    asks_for_address = handover.is_person and not request.local_networks and request.ike == "2"
    virtual = "\n    vips = 0.0.0.0, ::" if asks_for_address else ""
    children = "".join(_child(name, *selectors) for name, selectors in _children(section, request))
    return f"""\
connections {{
  {section} {{
    version = {_VERSIONS[request.ike]}
    remote_addrs = {quoted(request.host)}{virtual}
    proposals = {_IKE}
    local {{
      auth = pubkey
      certs = {quoted(certificate)}
      id = {_identity(handover.identity)}
    }}
    remote {{
      auth = pubkey
      id = {_identity(request.peer)}
      cacerts = {quoted(",".join(anchors))}
    }}
    children {{
{children}    }}
  }}
}}
"""


def _children(section: str, request: Request) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each with its traffic selectors, local ones and remote ones. IKEv1 has one of each."""
    local, remote = request.local_networks, request.networks
    if request.ike == "2":
        yield section, (_selectors(local, "dynamic"), _selectors(remote, "0.0.0.0/0, ::/0"))
        return
    pairs = [(one, other) for one in local or (None,) for other in remote or (None,)]
    for number, (one, other) in enumerate(pairs, 1):
        name = section if len(pairs) == 1 else f"{section}-{number}"
        yield name, (str(one) if one else "dynamic", str(other) if other else "0.0.0.0/0")


def _selectors(networks: tuple[Network, ...], otherwise: str) -> str:
    return ", ".join(map(str, networks)) or otherwise


def _child(name: str, local: str, remote: str) -> str:
    return f"""\
      {name} {{
        local_ts = {local}
        remote_ts = {remote}
        esp_proposals = {_ESP}
      }}
"""


def _identity(identity: Identity) -> str:
    return quoted(f"{_KINDS[identity.kind]}{identity.value}")
