# SPDX-License-Identifier: ISC
"""Tunnels and what is negotiated for them: `[Phase 2]`, IPsec-connection, -configuration, -suite, -protocol and
-transform sections."""

from collections.abc import Iterable, Mapping, Sequence

from ike_auth.config import algorithms, defaults, suites
from ike_auth.config.algorithms import AH_AUTHENTICATION, AUTHENTICATION_ALGORITHMS, ENCAPSULATIONS, GROUPS
from ike_auth.config.attributes import key_length, lifetimes
from ike_auth.config.errors import bracketed, quoted
from ike_auth.config.model import Location, Phase2Transform, ProtocolOffer, Suite
from ike_auth.config.reader import Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    IpcompTransform,
    ProtocolId,
)

COMBINED = ("AES_GCM_16",)  # authenticate what they encrypt
REPLAY_WINDOW = 64
LARGEST_REPLAY_WINDOW = 4096
TransformId = EspTransform | AhTransform | IpcompTransform
TRANSFORMS: Mapping[ProtocolId, Mapping[str, TransformId]] = {
    ProtocolId.ESP: algorithms.ESP_TRANSFORMS,
    ProtocolId.AH: algorithms.AH_TRANSFORMS,
    ProtocolId.IPCOMP: algorithms.IPCOMP_TRANSFORMS,
}


def default_suites(source: Source) -> tuple[Suite, ...]:
    """For tunnels whose section names no suites, and for those that the kernel asks for."""
    section = source.fixed("General")
    tag = "Default-phase-2-suites"
    names = section.names(tag) or (defaults.PHASE_2_SUITES,)
    return read_suites(source, names, section.place(tag), f"{quoted(tag)} of `[General]`")


def read_configuration(source: Source, connection: Reader) -> tuple[Suite, ...]:
    """The suites of a connection, legacy ones included; () if its configuration names none."""
    named = connection.entry("Configuration")
    section = source.follow(named.value, named.where, Kind.PHASE_2_CONFIGURATION) if named else None
    if section is None:
        return ()
    section.choice("DOI", {"IPSEC": None})
    section.choice("EXCHANGE_TYPE", {"QUICK_MODE": None}, required=True)
    return read_suites(source, section.names("Suites"), section.place("Suites"), bracketed(section.name))


def read_suites(source: Source, names: Iterable[str], where: Location, owner: str) -> tuple[Suite, ...]:
    """Those that can be had here; `owner` is whoever names them, in words."""
    found: list[Suite] = []
    dropped = False
    for name in names:
        section = source.follow(name, where, Kind.SUITE, suites.suite_names)
        if section is None:
            continue
        try:
            found.append(_suite(source, section))
        except _Unusable as reason:
            dropped = True
            source.problems.warn(where, f"suite {quoted(name)} is dropped: {reason}")
    if dropped and not found:
        source.problems.error(where, f"no suite of {owner} can be used")
    return tuple(found)


class _Unusable(Exception):
    """A suite in need of what cannot be had here."""


def _suite(source: Source, section: Reader) -> Suite:
    where = section.place("Protocols")
    names = section.names("Protocols", required=True)
    sections = [source.follow(name, where, Kind.PROTOCOL) for name in names]
    protocols = tuple(_protocol(source, protocol) for protocol in sections if protocol)
    # RFC 2409 5.5: a quick mode has one key exchange, so all its transforms have to want the same.
    keyed = [protocol for protocol in protocols if protocol.protocol != ProtocolId.IPCOMP]
    if len({transform.group for protocol in keyed for transform in protocol.transforms}) > 1:
        source.problems.error(where, f"transforms of {bracketed(section.name)} differ in `GROUP_DESCRIPTION`")
    if len(keyed) < len(protocols):
        _check_bundle(source, section, protocols)
    return Suite(section.name, protocols)


def _check_bundle(source: Source, section: Reader, protocols: Sequence[ProtocolOffer]) -> None:
    """What can be had of IPCOMP: docs/decisions/0305."""
    where = section.place("Protocols")
    if sorted(offered.protocol for offered in protocols) != [ProtocolId.ESP, ProtocolId.IPCOMP]:
        source.problems.error(
            where, f"`IPCOMP` in {bracketed(section.name)} goes with one `IPSEC_ESP`, and nothing else"
        )
    if len({transform.encapsulation for offered in protocols for transform in offered.transforms}) > 1:
        source.problems.error(where, f"transforms of {bracketed(section.name)} differ in `ENCAPSULATION_MODE`")


def _protocol(source: Source, section: Reader) -> ProtocolOffer:
    protocol = section.choice("PROTOCOL_ID", algorithms.PROTOCOLS, required=True) or ProtocolId.ESP
    where = section.place("Transforms")
    names = section.names("Transforms", required=True)
    sections = [(name, source.follow(name, where, Kind.PHASE_2_TRANSFORM)) for name in names]
    reasons = {name: _obstacle(transform, protocol) for name, transform in sections if transform}
    if reasons and all(reasons.values()):
        raise _Unusable("; ".join(reason for reason in reasons.values() if reason))
    for name, reason in reasons.items():
        if reason:
            source.problems.warn(where, f"transform {quoted(name)} is dropped: {reason}")
    transforms = [
        _transform(source, section, protocol) for name, section in sections if section and not reasons[name]
    ]
    return ProtocolOffer(protocol, tuple(t for t in transforms if t), _replay_window(section))


def _obstacle(transform: Reader, protocol: ProtocolId) -> str | None:
    if reason := algorithms.obstacle(transform):
        return reason
    authenticated = transform.has("AUTHENTICATION_ALGORITHM") or transform.value("TRANSFORM_ID") in COMBINED
    if protocol is ProtocolId.ESP and not authenticated:
        return "ESP without integrity protection is never accepted"
    return None


def _transform(source: Source, section: Reader, protocol: ProtocolId) -> Phase2Transform | None:
    transform = section.choice("TRANSFORM_ID", TRANSFORMS[protocol], required=True)
    seconds, kilobytes = lifetimes(source, section, suites.QUICK_MODE_LIFE)
    if protocol is ProtocolId.IPCOMP:
        _warn_of_keys(section)
    group = None if protocol is ProtocolId.IPCOMP else section.choice("GROUP_DESCRIPTION", GROUPS)
    encapsulation = section.choice("ENCAPSULATION_MODE", ENCAPSULATIONS)
    if transform is None:
        return None
    return Phase2Transform(
        name=section.name,
        transform=transform,
        encapsulation=encapsulation or EncapsulationMode.TUNNEL,
        authentication=_authentication(section, transform),
        group=group,
        key_length=key_length(section, "TRANSFORM_ID") if protocol is ProtocolId.ESP else None,
        life_seconds=seconds,
        life_kilobytes=kilobytes,
    )


def _warn_of_keys(section: Reader) -> None:
    for tag in ("GROUP_DESCRIPTION", "AUTHENTICATION_ALGORITHM", "KEY_LENGTH"):
        if section.has(tag):
            section.problems.warn(section.place(tag), f"{quoted(tag)} has no effect: `IPCOMP` has no keys")


def _authentication(section: Reader, transform: TransformId) -> AuthenticationAlgorithm | None:
    tag = "AUTHENTICATION_ALGORITHM"
    if isinstance(transform, IpcompTransform):
        return None
    found = section.choice(tag, AUTHENTICATION_ALGORITHMS)
    if isinstance(transform, AhTransform):
        implied = AH_AUTHENTICATION[transform]
        if found not in (None, implied):
            message = f"{quoted(tag)}: {quoted(section.value(tag))} does not go with `TRANSFORM_ID= "
            section.problems.error(section.place(tag), f"{message}{section.value('TRANSFORM_ID')}`")
        return implied
    if found and section.value("TRANSFORM_ID") in COMBINED:
        message = (
            f"{quoted(tag)} has no place beside {quoted(section.value('TRANSFORM_ID'))}, which authenticates itself"
        )
        section.problems.error(section.place(tag), message)
    return found


def _replay_window(section: Reader) -> int:
    where = section.place("ReplayWindow")
    if section.value("ReplayWindow") in ("-1", "0"):
        section.problems.warn(where, f"`ReplayWindow` turns replay protection off in {bracketed(section.name)}")
        return 0
    return section.number("ReplayWindow", REPLAY_WINDOW, 1, LARGEST_REPLAY_WINDOW)
