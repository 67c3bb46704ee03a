# SPDX-License-Identifier: ISC
"""What a peer negotiates in Phase 1: ISAKMP-configuration and ISAKMP-transform sections."""

from ike_auth.config import algorithms, defaults, suites
from ike_auth.config.algorithms import AUTHENTICATION_METHODS, CIPHERS, GROUPS, HASHES
from ike_auth.config.attributes import key_length, lifetimes
from ike_auth.config.errors import bracketed, quoted
from ike_auth.config.model import Phase1Transform
from ike_auth.config.reader import ANY, Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source
from ike_auth.wire.numbers import ExchangeType


def read_configuration(
    source: Source, peer: Reader, has_key: bool
) -> tuple[ExchangeType, tuple[Phase1Transform, ...]]:
    """The exchange and the transforms of a peer, legacy ones included. Which transforms it has by default depends on
    whether it has a pre-shared key."""
    named = peer.entry("Configuration")
    name = named.value if named else defaults.PHASE_1_CONFIGURATION
    section = source.follow(name, peer.place("Configuration"), Kind.PHASE_1_CONFIGURATION)
    if section is None:
        return ExchangeType.ID_PROT, ()
    section.choice("DOI", {"IPSEC": None})
    return _exchange(section), _transforms(source, section, has_key)


def _exchange(section: Reader) -> ExchangeType:
    exchange = section.choice("EXCHANGE_TYPE", algorithms.EXCHANGES, required=True)
    if exchange is ExchangeType.AGGRESSIVE:
        where = section.place("EXCHANGE_TYPE")
        section.problems.error(where, "`AGGRESSIVE` is not supported yet", "`EXCHANGE_TYPE= ID_PROT` is main mode")
    return exchange or ExchangeType.ID_PROT


def _transforms(source: Source, configuration: Reader, has_key: bool) -> tuple[Phase1Transform, ...]:
    where = configuration.place("Transforms")
    default = defaults.PRESHARED_TRANSFORM if has_key else defaults.SIGNATURE_TRANSFORM
    found: list[Phase1Transform] = []
    dropped: list[str] = []
    for name in configuration.names("Transforms") or (default,):
        section = source.follow(name, where, Kind.PHASE_1_TRANSFORM, suites.transform_names)
        if section is None:
            continue
        if reason := algorithms.obstacle(section):
            dropped.append(name)
            source.problems.warn(where, f"transform {quoted(name)} is dropped: {reason}")
        else:
            found.append(_transform(source, section))
    if dropped and not found:
        source.problems.error(where, f"no transform of {bracketed(configuration.name)} can be used")
    return tuple(found)


def _transform(source: Source, section: Reader) -> Phase1Transform:
    seconds, kilobytes = lifetimes(source, section, suites.MAIN_MODE_LIFE)
    return Phase1Transform(
        name=section.name,
        cipher=section.choice("ENCRYPTION_ALGORITHM", {**CIPHERS, ANY: None}, required=True),
        key_length=key_length(section, "ENCRYPTION_ALGORITHM"),
        hash=section.choice("HASH_ALGORITHM", {**HASHES, ANY: None}, required=True),
        authentication=section.choice("AUTHENTICATION_METHOD", {**AUTHENTICATION_METHODS, ANY: None}, required=True),
        group=section.choice("GROUP_DESCRIPTION", {**GROUPS, ANY: None}, required=True),
        life_seconds=seconds,
        life_kilobytes=kilobytes,
    )
