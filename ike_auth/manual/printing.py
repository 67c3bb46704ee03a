# SPDX-License-Identifier: ISC
"""Statements as setkey's language has them. What is printed with its keys is read back as the same value."""

from ike_auth.manual.addresses import GRE, ICMPV6
from ike_auth.manual.statements import (
    NO_EXTENSIONS,
    Add,
    Algorithm,
    Context,
    Delete,
    DeleteAll,
    Dump,
    Exit,
    Extensions,
    Flush,
    Get,
    GetSpi,
    Group,
    Mode,
    Policy,
    Rule,
    SaName,
    SpdAdd,
    SpdDelete,
    SpdDump,
    SpdFlush,
    SpdUpdate,
    Statement,
    Traffic,
    Update,
)

HIDDEN = "(hidden)"
_UPPER_NAMES = {1: "icmp", 6: "tcp", 17: "udp", GRE: "gre", ICMPV6: "icmp6", None: "any"}


def to_text(statement: Statement, *, show_keys: bool = False) -> str:
    """With `show_keys`, text that says the same; without, text for eyes, with `(hidden)` for each key."""
    return " ".join(_words(statement, show_keys)) + " ;"


def _words(statement: Statement, show_keys: bool) -> list[str]:
    match statement:
        case Add():
            words = ["update" if isinstance(statement, Update) else "add", *_name(statement)]
            if statement.original is not None:
                words.insert(4, str(statement.original))
            return words + _extensions(statement.extensions) + _algorithms(statement, show_keys)
        case GetSpi():
            return ["getspi", *_name(statement), *_extensions(statement.extensions)]
        case Get():
            return ["get", *_name(statement)]
        case Delete():
            return ["delete", *_name(statement)]
        case DeleteAll(source, destination, security):
            return ["deleteall", str(source), str(destination), security]
        case Flush(security):
            return ["flush", *([security] if security else [])]
        case Dump(security):
            return ["dump", *([security] if security else [])]
        case Group(first, second):
            return ["group", *_sa(first), *_sa(second)]
        case SpdAdd(traffic, policy, context):
            words = ["spdupdate" if isinstance(statement, SpdUpdate) else "spdadd"]
            words += ["tagged", f'"{traffic}"'] if isinstance(traffic, str) else traffic_words(traffic)
            return words + _context(context) + policy_words(policy)
        case SpdDelete(traffic, direction):
            return ["spddelete", *traffic_words(traffic), "-P", direction]
        case SpdFlush():
            return ["spdflush"]
        case SpdDump():
            return ["spddump"]
        case Exit():
            return ["exit"]


def _name(statement: Add | GetSpi | Get | Delete) -> list[str]:
    return [str(statement.source), str(statement.destination), statement.security, f"0x{statement.spi:08x}"]


def _sa(name: SaName) -> list[str]:
    return [str(name.destination), name.security, f"0x{name.spi:08x}"]


def _extensions(extensions: Extensions) -> list[str]:
    numbers = {
        "-u": extensions.reqid,
        "-r": extensions.replay_window,
        "-lh": extensions.hard_seconds,
        "-ls": extensions.soft_seconds,
        "-bh": extensions.hard_bytes,
        "-bs": extensions.soft_bytes,
    }
    words = ["-m", extensions.mode] if extensions.mode is not Mode.ANY else []
    for option, number in numbers.items():
        words += [option, str(number)] if number else []
    words += ["-f", extensions.padding] if extensions.padding else []
    words += ["-f", "nocyclic-seq"] if not extensions.cyclic_sequence else []
    return words + _context(extensions.context) if extensions != NO_EXTENSIONS else []


def _context(context: Context | None) -> list[str]:
    return ["-ctx", str(context.doi), str(context.algorithm), f'"{context.name}"'] if context else []


def _algorithms(add: Add, show_keys: bool) -> list[str]:
    words: list[str] = []
    for option, algorithm in (("-E", add.encryption), ("-A", add.authentication)):
        words += [option, *_algorithm(algorithm, show_keys)] if algorithm else []
    words += ["-C", add.compression] if add.compression else []
    return words + (["-R"] if add.raw_cpi else [])


def _algorithm(algorithm: Algorithm, show_keys: bool) -> list[str]:
    if algorithm.name in ("null", "simple"):
        return [algorithm.name]
    key = algorithm.key.reveal()
    shown = f"0x{key.hex()}" if key else '""'
    return [algorithm.name, shown if show_keys else HIDDEN]


def traffic_words(traffic: Traffic) -> list[str]:
    words = [str(traffic.source), str(traffic.destination), upper_name(traffic.protocol)]
    words += [f"{traffic.icmp[0]},{traffic.icmp[1]}"] if traffic.icmp else []
    return words + ([str(traffic.gre_key)] if traffic.gre_key is not None else [])


def upper_name(protocol: int | None) -> str:
    return _UPPER_NAMES.get(protocol, str(protocol))


def policy_words(policy: Policy) -> list[str]:
    words = ["-P", policy.direction]
    words += ["prio", str(policy.priority)] if policy.priority else []
    return [*words, policy.action, *map(rule_text, policy.rules)]


def rule_text(rule: Rule) -> str:
    """`esp/tunnel/10.0.0.1-10.0.0.2/require`."""
    ends = f"{rule.ends[0]}-{rule.ends[1]}" if rule.ends else ""
    level = f"{rule.level}:{rule.unique}" if rule.unique else rule.level
    return f"{rule.security}/{rule.mode}/{ends}/{level}"
