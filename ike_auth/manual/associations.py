# SPDX-License-Identifier: ISC
"""`add` → `IpsecSa`: what can be had of an SA that is keyed by hand, and what cannot."""

from collections.abc import Iterator

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.manual import algorithms
from ike_auth.manual.errors import Refused
from ike_auth.manual.statements import NO_EXTENSIONS, Add, Algorithm, Extensions, Mode, Padding, Security
from ike_auth.network import Endpoint
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId

NAT_PORT = 4500  # RFC 3948 2.1
MAX_REPLAY_WINDOW = 4096  # packets
MAX_SECONDS = 2**32 - 1

PROTOCOLS = {
    Security.ESP: ProtocolId.ESP,
    Security.ESP_UDP: ProtocolId.ESP,
    Security.AH: ProtocolId.AH,
    Security.IPCOMP: ProtocolId.IPCOMP,
}
_OLD = "packets of the old protocols have no sequence numbers"
_MISSING = {
    Security.ESP_OLD: ("`esp-old` is not supported", f"use `esp`; {_OLD}"),
    Security.AH_OLD: ("`ah-old` is not supported", f"use `ah`; {_OLD}"),
    Security.TCP: ("TCP-MD5 signatures are not supported", ""),
    Security.IPCOMP: ("`ipcomp` with manual keys is not supported", ""),
}
_NO_ALGORITHM = Algorithm("null")


def faults(add: Add) -> Iterator[Refused]:
    """Everything about an SA that is wrong or cannot be had here, whichever host this is."""
    if add.security in _MISSING:
        yield Refused(*_MISSING[add.security])
        return
    if add.original is not None:
        hint = "leave the address behind `esp-udp` away: with a tunnel it has no use"
        yield Refused("the original address of a peer behind NAT is not supported", hint)
    yield from _faults_of_extensions(add.extensions)
    if add.security is Security.AH:
        yield from _faults_of(add.authentication, "authentication")
        return
    assert add.encryption is not None
    yield from _faults_of(add.encryption, "encryption")
    yield from _faults_of(add.authentication, "authentication")
    aead = add.encryption.name in ("aes-gcm-16", "chacha20-poly1305")
    if aead and add.authentication is not None:
        where = add.authentication.where
        yield Refused(f"`{add.encryption.name}` authenticates by itself", "leave `-A` away", where)
    # What authenticates nothing can be changed at will on its way (RFC 8221 4).
    if not aead and add.authentication is None and add.encryption.name in algorithms.ENCRYPTION:
        hint = "add `-A hmac-sha256` and a key, or use `-E aes-gcm-16`"
        yield Refused("ESP without integrity protection is refused", hint, add.encryption.where)


def _faults_of(algorithm: Algorithm | None, kind: str) -> Iterator[Refused]:
    if algorithm is None:
        return
    try:
        algorithms.cipher(algorithm) if kind == "encryption" else algorithms.mac(algorithm)
    except Refused as refused:
        yield refused


def _faults_of_extensions(extensions: Extensions) -> Iterator[Refused]:
    if extensions == NO_EXTENSIONS:
        return
    if extensions.context is not None:
        yield Refused("`-ctx` is not supported", "security labels are of no use here")
    if extensions.padding not in (None, Padding.SEQUENCE):
        yield Refused(
            f"`{extensions.padding}` is not supported", "padding is 1, 2, 3 and so on, as RFC 4303 2.4 has it"
        )
    if extensions.replay_window > MAX_REPLAY_WINDOW:
        yield Refused(f"the replay window is at most {MAX_REPLAY_WINDOW} packets")
    if max(extensions.hard_seconds, extensions.soft_seconds) > MAX_SECONDS:
        yield Refused(f"a lifetime is at most {MAX_SECONDS} seconds")
    if 0 < extensions.hard_bytes < 1024:
        yield Refused("a lifetime of less than 1024 bytes is not supported")


def check(add: Add) -> None:
    """Raises Refused with the first fault."""
    for fault in faults(add):
        raise fault


def parameters(add: Add, mode: Mode) -> ProtocolParameters:
    """The parameters that a negotiation would have agreed on. Raises Refused."""
    check(add)
    udp = add.security is Security.ESP_UDP
    match mode, udp:
        case Mode.TUNNEL, False:
            encapsulation = EncapsulationMode.TUNNEL
        case Mode.TUNNEL, True:
            encapsulation = EncapsulationMode.UDP_TUNNEL
        case _, False:
            encapsulation = EncapsulationMode.TRANSPORT
        case _:
            encapsulation = EncapsulationMode.UDP_TRANSPORT
    mac = algorithms.mac(add.authentication) if add.authentication else None
    if add.security is Security.AH:
        assert mac is not None
        return ProtocolParameters(ProtocolId.AH, mac.ah_transform, encapsulation, mac.algorithm)
    assert add.encryption is not None
    cipher = algorithms.cipher(add.encryption)
    return ProtocolParameters(
        ProtocolId.ESP,
        cipher.transform,
        encapsulation,
        mac.algorithm if mac else None,
        key_length=cipher.key_bits or None,
    )


def ipsec_sa(add: Add, *, inbound: bool, mode: Mode, local: Selector, remote: Selector) -> IpsecSa:
    """The SA for a kernel. Its `life_seconds` are 0 where there is no limit. Raises Refused."""
    extensions = add.extensions
    port = NAT_PORT if add.security is Security.ESP_UDP else 0
    return IpsecSa(
        spi=add.spi.to_bytes(4, "big"),
        inbound=inbound,
        parameters=parameters(add, mode),
        source=Endpoint(add.source.address, add.source.port or port),
        destination=Endpoint(add.destination.address, add.destination.port or port),
        encryption_key=(add.encryption or _NO_ALGORITHM).key,
        integrity_key=(add.authentication or _NO_ALGORITHM).key,
        local=local,
        remote=remote,
        life_seconds=extensions.hard_seconds,
        life_kilobytes=extensions.hard_bytes // 1024 or None,
        replay_window=extensions.replay_window,
    )
