# SPDX-License-Identifier: ISC
"""Any statement that setkey's language can say."""

from ipaddress import IPv4Address, IPv6Address

from hypothesis import strategies as st

from ike_auth.crypto.secrets import Secret
from ike_auth.manual.algorithms import AUTHENTICATION_NAMES, COMPRESSION, ENCRYPTION_NAMES, KEYLESS
from ike_auth.manual.policies import MAX_UNIQUE
from ike_auth.manual.statements import (
    Action,
    Add,
    Algorithm,
    Context,
    Delete,
    DeleteAll,
    Direction,
    Dump,
    Exit,
    Extensions,
    Flush,
    Get,
    GetSpi,
    Host,
    Level,
    Mode,
    Padding,
    Policy,
    Range,
    Rule,
    Security,
    SpdAdd,
    SpdDelete,
    SpdDump,
    SpdFlush,
    SpdUpdate,
    Statement,
    Traffic,
    Update,
)
from ike_auth.network import IPAddress

ESP = (Security.ESP, Security.ESP_OLD, Security.ESP_UDP)
versions = st.sampled_from((4, 6))
ports = st.none() | st.integers(0, 65535)
spis = st.integers(256, 2**32 - 1)
strings = st.text(st.characters(codec="utf-8", exclude_characters='"\n'), max_size=20)
numbers = st.integers(0, 2**32 - 1)


def addresses(version: int) -> st.SearchStrategy[IPAddress]:
    if version == 4:
        return st.integers(0, 2**32 - 1).map(IPv4Address)
    return st.integers(0, 2**128 - 1).map(IPv6Address)


def algorithms(names: frozenset[str]) -> st.SearchStrategy[Algorithm]:
    def algorithm(name: str) -> st.SearchStrategy[Algorithm]:
        key = st.just(b"") if name in KEYLESS else st.binary(max_size=40)
        return key.map(lambda key: Algorithm(name, Secret(key)))

    return st.sampled_from(sorted(names)).flatmap(algorithm)


contexts = st.builds(Context, numbers, numbers, strings)
extensions = st.builds(
    Extensions,
    mode=st.sampled_from(Mode),
    reqid=numbers,
    replay_window=numbers,
    padding=st.none() | st.sampled_from(Padding),
    cyclic_sequence=st.booleans(),
    hard_seconds=numbers,
    soft_seconds=numbers,
    hard_bytes=st.integers(0, 2**64 - 1),
    soft_bytes=numbers,
    context=st.none() | contexts,
)


@st.composite
def ends(draw: st.DrawFn, security: Security) -> tuple[Host, Host]:
    address = addresses(draw(versions))
    port = ports if security is Security.ESP_UDP else st.none()
    return Host(draw(address), draw(port)), Host(draw(address), draw(port))


@st.composite
def adds(draw: st.DrawFn) -> Add:
    security = draw(st.sampled_from(Security))
    source, destination = draw(ends(security))
    encryption = authentication = compression = original = None
    if security in ESP:
        encryption = draw(algorithms(ENCRYPTION_NAMES))
        authentication = draw(st.none() | algorithms(AUTHENTICATION_NAMES))
    elif security is Security.IPCOMP:
        compression = draw(st.sampled_from(sorted(COMPRESSION)))
    else:
        authentication = draw(algorithms(AUTHENTICATION_NAMES))
    if security is Security.ESP_UDP:
        original = draw(st.none() | versions.flatmap(addresses))
    return draw(st.sampled_from((Add, Update)))(
        source,
        destination,
        security,
        draw(spis),
        draw(extensions),
        encryption,
        authentication,
        compression,
        draw(st.booleans()) if security is Security.IPCOMP else False,
        original,
    )


@st.composite
def names(draw: st.DrawFn) -> Statement:
    security = draw(st.sampled_from(Security))
    source, destination = draw(ends(security))
    match draw(st.integers(0, 3)):
        case 0:
            return Get(source, destination, security, draw(spis))
        case 1:
            return Delete(source, destination, security, draw(spis))
        case 2:
            return GetSpi(source, destination, security, draw(spis), draw(extensions))
        case _:
            return DeleteAll(source, destination, security)


@st.composite
def traffics(draw: st.DrawFn) -> Traffic:
    version = draw(versions)
    address, prefix = addresses(version), st.integers(0, 32 if version == 4 else 128)
    protocol = draw(st.none() | st.integers(0, 254))
    icmp = gre_key = None
    port = ports
    if protocol in (1, 58):
        icmp = draw(st.none() | st.tuples(st.integers(0, 255), st.integers(0, 255)))
    elif protocol == 47:
        gre_key = draw(st.none() | numbers)
    if icmp is not None or gre_key is not None:
        port = st.none()
    source, destination = (Range(draw(address), draw(prefix), draw(port)) for _ in range(2))
    return Traffic(source, destination, protocol, icmp, gre_key)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    mode = draw(st.sampled_from((Mode.TRANSPORT, Mode.TUNNEL)))
    address = addresses(draw(versions))
    two = Host(draw(address), draw(ports)), Host(draw(address), draw(ports))
    level = draw(st.sampled_from(Level))
    unique = draw(st.integers(0, MAX_UNIQUE)) if level is Level.UNIQUE else 0
    security = draw(st.sampled_from((Security.ESP, Security.AH, Security.IPCOMP)))
    return Rule(security, mode, two if mode is Mode.TUNNEL or draw(st.booleans()) else None, level, unique)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    action = draw(st.sampled_from(Action))
    many = tuple(draw(st.lists(rules(), min_size=1, max_size=3))) if action is Action.IPSEC else ()
    return Policy(draw(st.sampled_from(Direction)), action, many, draw(st.integers(-(2**31) + 1, 2**31 - 1)))


@st.composite
def spdadds(draw: st.DrawFn) -> SpdAdd:
    traffic = draw(traffics() | strings)
    context = None if isinstance(traffic, str) else draw(st.none() | contexts)
    return draw(st.sampled_from((SpdAdd, SpdUpdate)))(traffic, draw(policies()), context)


statements: st.SearchStrategy[Statement] = st.one_of(
    adds(),
    names(),
    spdadds(),
    st.builds(SpdDelete, traffics(), st.sampled_from(Direction)),
    st.builds(Flush, st.none() | st.sampled_from(Security)),
    st.builds(Dump, st.none() | st.sampled_from(Security)),
    st.sampled_from((SpdFlush(), SpdDump(), Exit())),
)
