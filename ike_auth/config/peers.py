# SPDX-License-Identifier: ISC
"""Peers: `[Phase 1]`, which says who they are, and ISAKMP-peer sections."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from ike_auth.config import defaults
from ike_auth.config.errors import bracketed, did_you_mean, quoted
from ike_auth.config.identities import PORTS, peer_identity
from ike_auth.config.ini import Entry
from ike_auth.config.legacy import needs
from ike_auth.config.model import IPAddress, Peer
from ike_auth.config.phase1 import read_configuration
from ike_auth.config.reader import Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source
from ike_auth.crypto.legacy import LEGACY_NAMES
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.numbers import AuthenticationMethod

HEX_KEY = re.compile(r"0x(?:[0-9a-f]{2})+", re.IGNORECASE | re.ASCII)
FLAGS = ("ikecfg",)


@dataclass(frozen=True, slots=True)
class Listing:
    """`[Phase 1]`: which section is for whom."""

    by_address: Mapping[IPAddress, Entry]
    default: Entry | None
    default_is_written: bool

    def addresses(self, peer: str) -> list[IPAddress]:
        return [address for address, entry in self.by_address.items() if entry.value.lower() == peer.lower()]

    def is_default(self, peer: str) -> bool:
        return self.default is not None and self.default.value.lower() == peer.lower()


def read_listing(source: Source) -> Listing:
    """Without a line `Default=`, nobody else is taken; but where no peer is named at all, isakmpd's generated one
    takes everybody (decision 0401)."""
    section = source.fixed("Phase 1")
    by_address: dict[IPAddress, Entry] = {}
    generated = Entry("Default", defaults.PEER, section.where)
    default: Entry | None = None
    written = section.has("Default") or defaults.PEER.lower() in source.sections
    for entry in section.section.entries.values():
        if entry.tag.lower() == "default":
            default = entry if entry.value else None
        elif not entry.value:
            source.problems.error(entry.where, f"{quoted(entry.tag)} has no value", "name the section of that peer")
        elif (address := section.as_address(entry, entry.tag)) is None:
            continue
        elif address in by_address:
            earlier = by_address[address].where
            source.problems.error(entry.where, f"the peer at {quoted(entry.tag)} is already named in {earlier}")
        else:
            by_address[address] = entry
    if not section.has("Default") and (written or not by_address):
        default = generated
    return Listing(by_address, default, written)


def read_peers(source: Source, listing: Listing, others: Collection[Entry], port: int) -> dict[str, Peer]:
    """Every peer that is listed or that `others` refer to, by name. `port` is the one of peers that name none."""
    default_id = source.fixed("General").entry("Default-phase-1-ID")
    listed = [*listing.by_address.values(), *([listing.default] if listing.default else [])]
    seen: set[str] = set()
    peers: dict[str, Peer] = {}
    for entry in (*listed, *others):
        if entry.value.lower() in seen:
            continue
        seen.add(entry.value.lower())
        section = source.follow(entry.value, entry.where, Kind.PEER)
        if section is None:
            continue
        peer = _peer(source, section, listing, default_id, port)
        if listing.default_is_written or not peer.is_default:
            _check_key(section, peer)
            peers[section.name] = peer
        elif strangers := _for_strangers(source, peer, others):
            peers[section.name] = strangers
    return peers


def _peer(source: Source, section: Reader, listing: Listing, default_id: Entry | None, port: int) -> Peer:
    section.choice("Phase", {"1": 1}, required=True)
    section.choice("Transport", {"udp": None})
    key = _preshared_key(section)
    exchange, transforms = read_configuration(source, section, key is not None)
    own_id = section.entry("ID") or default_id
    remote_id = section.entry("Remote-ID")
    is_default = listing.is_default(section.name)
    return Peer(
        name=section.name,
        where=section.where,
        address=_address(section, listing.addresses(section.name), is_default),
        local_address=section.address("Local-address"),
        port=section.number("Port", port, 1, 65535, PORTS),
        exchange=exchange,
        transforms=transforms,
        preshared_key=key,
        own_id=peer_identity(source, own_id) if own_id else None,
        remote_id=peer_identity(source, remote_id) if remote_id else None,
        flags=flags(section, (), FLAGS),
        strict_remote_id=_strict_remote_id(section),
        allow_legacy=_allow_legacy(section, is_default),
        is_default=is_default,
        initial_contact=section.yes_no("Initial-contact", True),
    )


def _for_strangers(source: Source, peer: Peer, others: Collection[Entry]) -> Peer | None:
    """isakmpd's generated `Default=` has no key, so it has the transforms that need none. Nobody wrote it, so what it
    cannot use is no mistake; left with nothing, it is not there."""
    usable = [t for t in peer.transforms if t.authentication is AuthenticationMethod.RSA_SIG and not needs(t)]
    if usable:
        return replace(peer, transforms=tuple(usable))
    referred = any(entry.value.lower() == peer.name.lower() for entry in others)
    report = source.problems.error if referred else source.problems.warn
    hint = f"{bracketed(defaults.PHASE_1_CONFIGURATION)} has no transform with RSA_SIG and without legacy for them"
    report(peer.where, "`[Phase 1]` has no `Default=`: peers that have no line there are refused", hint)
    return None


def _address(section: Reader, listed: list[IPAddress], is_default: bool) -> IPAddress | None:
    address = section.address("Address", required=not (listed or is_default))
    if address is None:
        return listed[0] if listed else None
    where = section.place("Address")
    if not listed and not is_default:
        message = f"no line of `[Phase 1]` names {bracketed(section.name)}, so it is not who speaks from {address}"
        section.problems.warn(where, message, f"add `{address}= {section.name}` there")
    if listed and address not in listed:
        names = ", ".join(map(str, listed))
        section.problems.warn(
            where, f"{bracketed(section.name)} is the peer at {names}, but its `Address` is {address}"
        )
    return address


def _preshared_key(section: Reader) -> Secret | None:
    """`0x…` is hexadecimal, anything else the bytes as they stand in the file."""
    entry = section.entry("Authentication")
    if entry is None:
        return None
    if HEX_KEY.fullmatch(entry.value):
        return Secret(bytes.fromhex(entry.value[2:]))
    if entry.value.lower().startswith("0x"):
        section.problems.error(entry.where, "`Authentication` starts with 0x, but is not hexadecimal")
    try:
        return Secret(entry.value.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        section.problems.error(entry.where, "`Authentication` is not text")
        return None


def _check_key(section: Reader, peer: Peer) -> None:
    preshared = [t for t in peer.transforms if t.authentication is AuthenticationMethod.PRE_SHARED]
    name = bracketed(peer.name)
    if preshared and not section.has("Authentication"):
        hint = f"its transform {quoted(preshared[0].name)} needs a pre-shared key"
        section.problems.error(section.where, f"missing tag `Authentication` in {name}", hint)
    signing = peer.transforms and all(t.authentication is AuthenticationMethod.RSA_SIG for t in peer.transforms)
    if signing and section.has("Authentication"):
        message = f"`Authentication` has no effect: no transform of {name} is for pre-shared keys"
        section.problems.warn(section.place("Authentication"), message)


def flags(section: Reader, known: Iterable[str], not_yet: Iterable[str]) -> frozenset[str]:
    """The known ones among `Flags`, in lower case."""
    found = {flag.lower(): flag for flag in section.names("Flags")}
    where = section.place("Flags")
    for lower, flag in found.items():
        if lower in not_yet:
            section.problems.warn(where, f"flag {quoted(flag)} is not supported yet and has no effect")
        elif lower not in known:
            section.problems.warn(where, f"unknown flag {quoted(flag)}", did_you_mean(flag, (*known, *not_yet)))
    return frozenset(found) & frozenset(known)


def _strict_remote_id(section: Reader) -> bool:
    strict = section.yes_no("Strict-Remote-ID", True)
    if not strict:
        message = f"`Strict-Remote-ID= no`: {bracketed(section.name)} may claim any name that policy does not refuse"
        section.problems.warn(section.place("Strict-Remote-ID"), message)
    return strict


def _allow_legacy(section: Reader, is_default: bool) -> frozenset[str]:
    allowed = set()
    where = section.place("Allow-Legacy")
    for name in section.names("Allow-Legacy"):
        if name.upper() in LEGACY_NAMES:
            allowed.add(name.upper())
        else:
            hint = did_you_mean(name, LEGACY_NAMES) or f"one of {', '.join(sorted(LEGACY_NAMES))}"
            section.problems.error(where, f"`Allow-Legacy`: {quoted(name)} is unknown", hint)
    if allowed and is_default:
        message = f"`Allow-Legacy` is not for {bracketed(section.name)}, which `Default=` opens to anybody"
        section.problems.error(where, message, "give that peer a section of its own, and a line in `[Phase 1]`")
    return frozenset(allowed)
