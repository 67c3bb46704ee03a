# SPDX-License-Identifier: ISC
"""OpenBSD's old ipsecadm(8): arguments → statements, the same values that setkey's language gives.

    new esp|ah -spi N -src A -dst B [-forcetunnel] -enc E -key HEX -auth H -authkey HEX (or -keyfile, -authkeyfile)
    flow -src A -dst B -addr NET MASK NET MASK [-proto esp] [-out|-in] [-require|-deny|…] [-delete] [-transport tcp …]
    group -spi N -dst B [-proto esp] -spi2 N -dst2 B [-proto2 ah]
    delspi -spi N -dst B [-proto esp]
    flush [-esp] [-ah]

In `flow`, `-src` is this end of the tunnel and `-dst` the other one, whichever the direction; `-addr` has the source
first. SPIs are hexadecimal.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from ike_auth.crypto.secrets import Secret
from ike_auth.manual import addresses
from ike_auth.manual.errors import ManualError, Refused, Unusable, did_you_mean, quoted
from ike_auth.manual.statements import (
    NO_EXTENSIONS,
    Action,
    Add,
    Algorithm,
    Delete,
    Direction,
    Extensions,
    Flush,
    Group,
    Host,
    Level,
    Mode,
    Policy,
    Range,
    Rule,
    SaName,
    Security,
    SpdAdd,
    SpdDelete,
    SpdFlush,
    Statement,
    Traffic,
)
from ike_auth.network import IPAddress

ReadFile = Callable[[str], str]
FindEnd = Callable[[IPAddress, Security], IPAddress | None]

ENCRYPTION = {
    "aes": "aes-cbc",
    "3des": "3des-cbc",
    "null": "null",
    "des": "des-cbc",
    "blf": "blowfish-cbc",
    "cast": "cast128-cbc",
    "skipjack": "skipjack-cbc",
    "aesctr": "aes-ctr",
}
AUTHENTICATION = {
    "sha1": "hmac-sha1",
    "sha2-256": "hmac-sha256",
    "sha2-384": "hmac-sha384",
    "sha2-512": "hmac-sha512",
    "md5": "hmac-md5",
    "rmd160": "hmac-ripemd160",
}
PROTOCOLS = {"esp": Security.ESP, "50": Security.ESP, "ah": Security.AH, "51": Security.AH}
LEVELS = {
    "-require": (Action.IPSEC, Level.REQUIRE),
    "-dontacq": (Action.IPSEC, Level.REQUIRE),  # here, only a configured connection is ever negotiated
    "-deny": (Action.DISCARD, Level.DEFAULT),
}
_LEAKS = ("would let traffic through unprotected", "`-require`")
_LEFT_ALONE = ("is not supported", "traffic that no flow names is left alone; IKE always passes")
_UNSUPPORTED_LEVELS = {"-acquire": _LEAKS, "-use": _LEAKS, "-permit": _LEFT_ALONE, "-bypass": _LEFT_ALONE}
COMMANDS = ("new", "old", "ip4", "flow", "group", "delspi", "delsa", "delete", "flush")
_VALUES = {"new": {"-spi", "-src", "-dst", "-enc", "-auth", "-key", "-keyfile", "-authkey", "-authkeyfile", "-proxy"}}
_VALUES |= {"flow": {"-src", "-dst", "-proto", "-spi", "-transport", "-sport", "-dport"}}
_VALUES |= {"group": {"-spi", "-dst", "-proto", "-spi2", "-dst2", "-proto2"}, "delspi": {"-spi", "-dst", "-proto"}}
_FLAGS = {
    "new": {"-forcetunnel", "-newpadding"},
    "flow": {"-in", "-out", "-delete", "-forcetunnel", *LEVELS, *_UNSUPPORTED_LEVELS},
}
_FLAGS |= {"flush": {"-esp", "-ah", "-oldesp", "-oldah", "-ip4"}}
_SECRET = {"-key", "-authkey"}
_HEX = re.compile(r"(?:0[xX])?((?:[0-9a-fA-F]{2})+)")


def statements(arguments: Sequence[str], read_file: ReadFile, our_end: FindEnd) -> tuple[Statement, ...]:
    """`read_file` gives the text of a `-keyfile`; `our_end` the address of this host that has SAs with another one.
    Raises Unusable, or another ManualError for arguments that are wrong; neither quotes a key."""
    command, rest = (arguments[0], list(arguments[1:])) if arguments else ("", [])
    if command.startswith("-"):  # ipsecadm's default
        command, rest = "new", ["esp", *arguments]
    match command:
        case "new":
            return (_new(rest, read_file),)
        case "flow":
            return (_flow(rest, our_end),)
        case "group":
            return (_group(rest),)
        case "delspi" | "delsa" | "delete":
            options = _Options("delspi", rest)
            name = options.sa("")
            unspecified = IPv4Address(0) if name.destination.version == 4 else IPv6Address(0)
            return (Delete(Host(unspecified), Host(name.destination), name.security, name.spi),)
        case "flush":
            return _flush(rest)
        case "old" | "ip4":
            raise Unusable(f"`{command}` is not supported", "`new esp` and `new ah` are")
        case _:
            hint = did_you_mean(command, COMMANDS) or f"one of {', '.join(COMMANDS)}"
            raise ManualError(
                f"{quoted(command)} is no command of ipsecadm" if command else "a command is missing", hint
            )


def _new(arguments: list[str], read_file: ReadFile) -> Add:
    security = PROTOCOLS.get(arguments[0]) if arguments else None
    if security is None:
        raise ManualError("`new` makes `esp` or `ah`", "`new esp -spi …`")
    options = _Options("new", arguments[1:])
    if "-proxy" in options.values:
        raise Unusable("`-proxy` is not supported", "flows check the addresses within a tunnel")
    main, authkey = options.key("-key", read_file), options.key("-authkey", read_file)
    encryption = authentication = None
    if "-enc" in options.values:
        name = options.choice("-enc", ENCRYPTION)
        encryption = Algorithm(name, _needed(main, "-key") if name != "null" else Secret(b""))
    if "-auth" in options.values:
        # AH has one key, and takes it from `-key`.
        key = main or authkey if security is Security.AH else authkey
        authentication = Algorithm(options.choice("-auth", AUTHENTICATION), _needed(key, "-authkey"))
    if security is Security.AH and (encryption or not authentication):
        raise ManualError("`new ah` takes `-auth` and no `-enc`")
    if security is Security.ESP and not encryption:
        raise ManualError("`new esp` takes `-enc`", "`-enc aes -auth sha2-256`")
    mode = Extensions(mode=Mode.TUNNEL) if "-forcetunnel" in options.flags else NO_EXTENSIONS
    source, destination = options.address("-src"), options.address("-dst")
    _check_versions(source, destination)
    spi = options.spi("-spi")
    return Add(Host(source), Host(destination), security, spi, mode, encryption, authentication)


def _flow(arguments: list[str], our_end: FindEnd) -> Statement:
    options = _Options("flow", arguments)
    chosen = [LEVELS[flag] for flag in options.flags if flag in LEVELS]
    unsupported = options.flags & _UNSUPPORTED_LEVELS.keys()
    if len({*chosen, *unsupported}) > 1 or {"-in", "-out"} <= options.flags:
        raise ManualError("these options of `flow` exclude each other")
    action, level = chosen[0] if chosen else LEVELS["-require"]
    direction = Direction.IN if "-in" in options.flags else Direction.OUT
    traffic = options.traffic()
    if "-delete" in options.flags:
        return SpdDelete(traffic, direction)
    for flag, (message, hint) in _UNSUPPORTED_LEVELS.items():
        if flag in options.flags:
            raise Unusable(f"`{flag}` {message}", hint)
    if action is not Action.IPSEC:
        return SpdAdd(traffic, Policy(direction, action))
    security = options.protocol("-proto")
    if "-dst" not in options.values:
        raise ManualError("`flow` needs `-dst`", "the other end of the tunnel")
    theirs = options.address("-dst")
    ours = options.address("-src") if "-src" in options.values else our_end(theirs, security)
    if ours is None:
        raise ManualError("`flow` needs `-src` where there is no SA yet", "the end of the tunnel on this host")
    _check_versions(ours, theirs)
    ends = (Host(ours), Host(theirs)) if direction is Direction.OUT else (Host(theirs), Host(ours))
    hosts = tuple(Host(range.address) for range in (traffic.source, traffic.destination))
    is_tunnel = "-forcetunnel" in options.flags or hosts != ends or not _is_between_hosts(traffic)
    rule = Rule(security, Mode.TUNNEL if is_tunnel else Mode.TRANSPORT, ends, level)
    return SpdAdd(traffic, Policy(direction, action, (rule,)))


def _group(arguments: list[str]) -> Group:
    options = _Options("group", arguments)
    return Group(options.sa(""), options.sa("2", Security.AH))


def _flush(arguments: list[str]) -> tuple[Statement, ...]:
    flags = _Options("flush", arguments).flags
    if not flags:
        return Flush(), SpdFlush()
    return tuple(Flush(PROTOCOLS[flag[1:]]) for flag in ("-esp", "-ah") if flag in flags)


class _Options:
    """`-name value` and `-name`, as the command allows them."""

    def __init__(self, command: str, arguments: list[str]) -> None:
        self.values: dict[str, str] = {}
        self.flags: set[str] = set()
        self._networks: list[str] = []
        with_value, without = _VALUES.get(command, set()), _FLAGS.get(command, set())
        rest = list(arguments)
        while rest:
            name = rest.pop(0)
            if name == "-addr" and command == "flow":
                while rest and not rest[0].startswith("-"):
                    self._networks.append(rest.pop(0))
            elif name in without:
                self.flags.add(name)
            elif name not in with_value:
                known = [*with_value, *without]
                # What is no option may be a key whose option is missing.
                message = (
                    f"{quoted(name)} is no option of `{command}`" if name.startswith("-") else "an option is missing"
                )
                raise ManualError(message, did_you_mean(name, known) or f"there are {', '.join(sorted(known))}")
            elif not rest or name in self.values:
                raise ManualError(f"`{name}` is given twice" if rest else f"`{name}` needs a value")
            else:
                self.values[name] = rest.pop(0)

    def _value(self, name: str) -> str:
        if name not in self.values:
            raise ManualError(f"`{name}` is missing")
        return self.values[name]

    def choice(self, name: str, values: dict[str, str]) -> str:
        text = self._value(name)
        if text not in values:
            raise ManualError(
                f"`{name}`: this is no algorithm", did_you_mean(text, values) or f"one of {', '.join(values)}"
            )
        return values[text]

    def address(self, name: str) -> IPAddress:
        return addresses.address(self._value(name))

    def spi(self, name: str) -> int:
        """ipsecadm reads SPIs as hexadecimal, with 0x or without."""
        text = self._value(name)
        try:
            return addresses.spi(text if text.lower().startswith("0x") else f"0x{text}")
        except Refused as refused:
            raise ManualError(f"`{name}`: {refused}", "hexadecimal, from 100 to ffffffff") from None

    def protocol(self, name: str, default: Security = Security.ESP) -> Security:
        text = self.values.get(name, default.value).lower()
        if text not in PROTOCOLS:
            raise Unusable(f"`{name}`: {quoted(text)} is not supported", "`esp` or `ah`")
        return PROTOCOLS[text]

    def sa(self, suffix: str, default: Security = Security.ESP) -> SaName:
        protocol = self.protocol(f"-proto{suffix}", default)
        return SaName(self.address(f"-dst{suffix}"), protocol, self.spi(f"-spi{suffix}"))

    def key(self, name: str, read_file: ReadFile) -> Secret | None:
        file = f"{name}file"
        if name in self.values and file in self.values:
            raise ManualError(f"`{name}` and `{file}` exclude each other")
        if file in self.values:
            path = self.values[file]
            found = _HEX.fullmatch(read_file(path).strip())
            if found is None:
                raise Unusable(f"`{file}`: {quoted(path)} holds no even number of hexadecimal digits")
        elif name in self.values:
            found = _HEX.fullmatch(self.values[name])
            if found is None:
                raise ManualError(f"the key of `{name}` is not an even number of hexadecimal digits")
        else:
            return None
        return Secret(bytes.fromhex(found[1]))

    def traffic(self) -> Traffic:
        protocol = addresses.upper(self.values.get("-transport", "any"))
        ports = [addresses.port(self.values[name]) if name in self.values else None for name in ("-sport", "-dport")]
        match self._networks:
            case [source, destination]:
                ranges = addresses.range_of(source), addresses.range_of(destination)
            case [source, mask, destination, other]:
                ranges = _masked(source, mask), _masked(destination, other)
            case _:
                hint = "`-addr 10.1.0.0 255.255.0.0 10.2.0.0 255.255.0.0`: source first"
                raise ManualError("`-addr` needs two networks", hint)
        _check_versions(ranges[0].address, ranges[1].address)
        first, second = (Range(r.address, r.prefix, port) for r, port in zip(ranges, ports, strict=True))
        return Traffic(first, second, protocol)


def _masked(address: str, mask: str) -> Range:
    base = addresses.address(address)
    try:
        ones = int(addresses.address(mask))
        network = ip_network(
            (base, base.max_prefixlen - (~ones & (1 << base.max_prefixlen) - 1).bit_length()), strict=False
        )
        if int(network.netmask) != ones:
            raise ValueError
    except (ValueError, Refused):
        raise ManualError(f"{quoted(mask)} is no mask for {base}") from None
    return Range(base, network.prefixlen)


def _needed(key: Secret | None, name: str) -> Secret:
    if key is None:
        raise ManualError(f"`{name}` or `{name}file` is missing")
    return key


def _is_between_hosts(traffic: Traffic) -> bool:
    return all(range.prefix == range.address.max_prefixlen for range in (traffic.source, traffic.destination))


def _check_versions(one: IPAddress, other: IPAddress) -> None:
    if one.version != other.version:
        raise ManualError(f"{one} and {other} are of different IP versions")
