# SPDX-License-Identifier: ISC
"""The action attributes that KeyNote policy sees, those of isakmpd.policy(5); `keynote.schemas.ipsec` documents them.

IPv4 addresses are written as four groups of three digits and IPv6 addresses as eight of four, so that comparing
strings orders addresses. Attributes that do not apply are not set: to policy they are the empty string.
"""

from datetime import UTC, datetime
from functools import lru_cache

from ike_auth.authorization.requests import IdentityRequest, Negotiation, ProtocolParameters, TunnelRequest
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    ExchangeType,
    IdType,
    IpcompTransform,
    ProtocolId,
)
from keynote import binding
from keynote.schemas.ipsec import PROTOCOLS, padded
from pki import names
from pki.errors import PkiError

Attributes = dict[str, str]

_PREFIX = {ProtocolId.ESP: "esp", ProtocolId.AH: "ah", ProtocolId.IPCOMP: "comp"}
_ABSENT = {f"{prefix}_present": "no" for prefix in _PREFIX.values()}
_PHASE_1 = {ExchangeType.MAIN: "main", ExchangeType.AGGRESSIVE: "aggressive"}
_TUNNELS = {
    EncapsulationMode.TUNNEL: "tunnel",
    EncapsulationMode.UDP_TUNNEL: "udp-encap-tunnel",
    EncapsulationMode.UDP_TUNNEL_DRAFT: "udp-encap-tunnel",
}
_ENCRYPTION = {
    EspTransform.DES_IV64: "des-iv64",
    EspTransform.DES: "des",
    EspTransform.TRIPLE_DES: "3des",
    EspTransform.RC5: "rc5",
    EspTransform.IDEA: "idea",
    EspTransform.CAST: "cast",
    EspTransform.BLOWFISH: "blowfish",
    EspTransform.TRIPLE_IDEA: "3idea",
    EspTransform.DES_IV32: "des-iv32",
    EspTransform.RC4: "rc4",
    EspTransform.NULL: "null",
    EspTransform.AES_CBC: "aes",
    EspTransform.AES_CTR: "aes",
    EspTransform.AES_GCM_8: "aes",
    EspTransform.AES_GCM_12: "aes",
    EspTransform.AES_GCM_16: "aes",
    EspTransform.AES_GMAC: "null",  # it does not encrypt, whatever isakmpd calls it
}
_AH_HASH = {
    AhTransform.MD5: "md5",
    AhTransform.SHA1: "sha",
    AhTransform.DES: "des",
    AhTransform.RIPEMD: "ripemd",
    AhTransform.SHA2_256: "sha2-256",
    AhTransform.SHA2_384: "sha2-384",
    AhTransform.SHA2_512: "sha2-512",
}
_COMPRESSION = {IpcompTransform.OUI: "oui", IpcompTransform.DEFLATE: "deflate"}
_AUTHENTICATION = {
    AuthenticationAlgorithm.HMAC_MD5: "hmac-md5",
    AuthenticationAlgorithm.HMAC_SHA1: "hmac-sha",
    AuthenticationAlgorithm.DES_MAC: "des-mac",
    AuthenticationAlgorithm.KPDK: "kpdk",
    AuthenticationAlgorithm.HMAC_SHA2_256: "hmac-sha2-256",
    AuthenticationAlgorithm.HMAC_SHA2_384: "hmac-sha2-384",
    AuthenticationAlgorithm.HMAC_SHA2_512: "hmac-sha2-512",
    AuthenticationAlgorithm.HMAC_RIPEMD: "hmac-ripemd",
}
_IDENTITY_TYPES = {
    IdType.IPV4_ADDR: "IPv4 address",
    IdType.IPV6_ADDR: "IPv6 address",
    IdType.FQDN: "FQDN",
    IdType.USER_FQDN: "User FQDN",
    IdType.DER_ASN1_DN: "ASN1 DN",
    IdType.DER_ASN1_GN: "ASN1 GN",
    IdType.KEY_ID: "Key ID",
}
#: The words that attributes can have, beside `yes` and `no`; the schema has them all.
WORDS = {
    "phase_1": frozenset(_PHASE_1.values()),
    "esp_encapsulation": frozenset({"transport", *_TUNNELS.values()}),
    "esp_enc_alg": frozenset(_ENCRYPTION.values()),
    "esp_auth_alg": frozenset(_AUTHENTICATION.values()),
    "ah_auth_alg": frozenset(_AUTHENTICATION.values()),
    "ah_hash_alg": frozenset(_AH_HASH.values()),
    "comp_alg": frozenset(_COMPRESSION.values()),
    "remote_id_type": frozenset(_IDENTITY_TYPES.values()),
    "remote_filter_type": frozenset(f"IPv{v} {kind}" for v in (4, 6) for kind in ("address", "range", "subnet")),
    "remote_filter_proto": frozenset(PROTOCOLS.values()),
}


def phase1(request: IdentityRequest, now: datetime) -> Attributes:
    """What is known before any tunnel is spoken of. All other attributes are unknown then, not empty."""
    return {**_times(int(now.timestamp())), **_lasting(request.negotiation, request.identity)}


def phase2(request: TunnelRequest, now: datetime) -> Attributes:
    """The whole action attribute set of one proposal."""
    found = phase1(request.identity, now)
    found["initiator"] = _yes(request.initiator)
    found["pfs"] = _yes(request.pfs)
    found.update(_ABSENT)
    for parameters in request.protocols:
        found.update(_protocol(parameters))
    found.update(_filter("local_filter", request.local, request.client_ids))
    found.update(_filter("remote_filter", request.remote, request.client_ids))
    return found


def identity_text(identity: Identity) -> str:
    """`remote_id`: addresses padded, DNs as in `DN:` principals, key ids as text if that is what they are."""
    address = identity.ip_address
    if address is not None:
        return padded(address)
    if identity.type == IdType.DER_ASN1_DN:
        try:
            return names.dn_keynote(identity.data)
        except PkiError:
            return ""
    if identity.type == IdType.KEY_ID and not (
        identity.data.isascii() and identity.data.decode("latin-1").isprintable()
    ):
        return identity.data.hex()
    return identity.data.decode("latin-1")


@lru_cache(64)  # asked for again with each tunnel
def _lasting(negotiation: Negotiation, identity: Identity) -> Attributes:
    """What stays the same for as long as the IKE SA."""
    return {**binding.ACTION, **_negotiation(negotiation), **remote_id(identity)}


@lru_cache(1)  # a handshake asks several times within one second
def _times(seconds: int) -> Attributes:
    now, form = datetime.fromtimestamp(seconds, UTC), "%Y%m%d%H%M%S"
    return {"GMTTimeOfDay": now.strftime(form), "LocalTimeOfDay": now.astimezone().strftime(form)}


def _negotiation(negotiation: Negotiation) -> Attributes:
    local, remote = padded(negotiation.local), padded(negotiation.remote)
    return {
        "phase_1": _PHASE_1.get(negotiation.exchange, ""),
        "phase1_group_desc": str(int(negotiation.group)),
        "local_negotiation_address": local,
        "local_ike_address": local,
        "remote_negotiation_address": remote,
        "remote_ike_address": remote,
    }


def remote_id(identity: Identity) -> Attributes:
    """What policy sees of a peer's identity."""
    address = identity.ip_address
    bounds = "" if address is None else padded(address)
    return {
        "remote_id": identity_text(identity),
        "remote_id_type": _IDENTITY_TYPES.get(identity.type, ""),
        "remote_id_addr_lower": bounds,
        "remote_id_addr_upper": bounds,
        "remote_id_proto": PROTOCOLS.get(identity.protocol, str(identity.protocol)),
        "remote_id_port": str(identity.port),
    }


@lru_cache(256)  # asked for again when a tunnel is renewed
def _filter(name: str, selector: Selector, client_ids: bool) -> Attributes:
    lower, upper = padded(selector.low), padded(selector.high)
    family = f"IPv{selector.low.version}"
    kind = "address" if lower == upper else "subnet" if selector.is_network else "range"
    return {
        name: lower if kind == "address" else f"{lower}-{upper}",
        f"{name}_type": f"{family} {kind}",
        f"{name}_addr_lower": lower,
        f"{name}_addr_upper": upper,
        f"{name}_proto": PROTOCOLS.get(selector.protocol, str(selector.protocol)) if client_ids else "",
        f"{name}_port": str(selector.port) if client_ids else "",
    }


@lru_cache(256)
def _protocol(parameters: ProtocolParameters) -> Attributes:
    prefix = _PREFIX[parameters.protocol]
    found = {
        f"{prefix}_present": "yes",
        f"{prefix}_encapsulation": _TUNNELS.get(parameters.encapsulation, "transport"),
        f"{prefix}_ecn": _yes(parameters.ecn_tunnel),
    }
    numbers = {
        f"{prefix}_group_desc": parameters.group,
        f"{prefix}_life_seconds": parameters.life_seconds,
        f"{prefix}_life_kbytes": parameters.life_kilobytes,
        f"{prefix}_key_length": parameters.key_length,
        f"{prefix}_key_rounds": parameters.key_rounds,
    }
    found |= {name: str(int(value)) for name, value in numbers.items() if value is not None}
    if parameters.authentication is not None:
        found[f"{prefix}_auth_alg"] = _AUTHENTICATION.get(parameters.authentication, "")
    match parameters.transform:
        case EspTransform():
            found["esp_enc_alg"] = _ENCRYPTION.get(parameters.transform, "")
        case AhTransform():
            found["ah_hash_alg"] = _AH_HASH.get(parameters.transform, "")
        case IpcompTransform():
            found["comp_alg"] = _COMPRESSION.get(parameters.transform, "")
    return found


def _yes(value: bool) -> str:
    return "yes" if value else "no"
