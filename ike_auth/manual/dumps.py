# SPDX-License-Identifier: ISC
"""SAs and policies in the layout of `setkey -D` and `setkey -DP`, as ipsec-tools prints them on Linux."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from ike_auth.manual.addresses import ANY_NUMBER, ICMPV6
from ike_auth.manual.control import results
from ike_auth.manual.errors import ManualError
from ike_auth.manual.fields import Fields
from ike_auth.manual.printing import HIDDEN, rule_text, upper_name
from ike_auth.manual.requests import policy_from_json, sa_from_json
from ike_auth.manual.statements import Add, Algorithm, Padding, Policy, Range, Security, SpdAdd, Traffic

NO_SAS = "No SAD entries."
NO_POLICIES = "No SPD entries."
_NO_TIME = " " * 20
_PRINTED = {"rijndael-cbc": "aes-cbc", "hmac-sha2-256": "hmac-sha256", "hmac-sha2-384": "hmac-sha384"}
_PRINTED |= {"hmac-sha2-512": "hmac-sha512"}
# RFC 2367 and its extensions: bits of sadb_sa_flags.
_PADDING_FLAGS = {None: 0, Padding.ZERO: 0x200, Padding.RANDOM: 0x100, Padding.SEQUENCE: 0}


def sas_text(answer: Any, *, show_keys: bool = False, zone: tzinfo = UTC, pid: int = 0) -> str:
    """From the answer to `sadb-dump` or `sadb-get`. Raises ManualError if it is none."""
    entries = results(answer, "sas")
    if not entries:
        return NO_SAS
    now = Fields(answer).number("now", 0)
    blocks = []
    for left, entry in zip(reversed(range(len(entries))), entries, strict=True):
        blocks += [*_sa(entry, now, zone, show_keys), f"\tsadb_seq={left} pid={pid} refcnt=0"]
    return "\n".join(blocks)


def policies_text(answer: Any, *, zone: tzinfo = UTC, pid: int = 0) -> str:
    """From the answer to `spd-dump`. Raises ManualError if it is none."""
    entries = results(answer, "policies")
    if not entries:
        return NO_POLICIES
    blocks = []
    for left, entry in zip(reversed(range(len(entries))), entries, strict=True):
        fields = Fields(entry)
        spd = policy_from_json(fields, SpdAdd)
        blocks += [_traffic(spd.traffic), *_policy(spd.policy)]
        blocks.append(f"\tcreated: {_time(fields.number('created', 0), zone)}  lastused: {_NO_TIME}")
        blocks.append("\tlifetime: 0(s) validtime: 0(s)")
        blocks.append(f"\tspid={fields.number('number', 0)} seq={left} pid={pid}")
        blocks.append("\trefcnt=0")
    return "\n".join(blocks)


def _sa(entry: Mapping[str, Any], now: int, zone: tzinfo, show_keys: bool) -> Iterator[str]:
    fields = Fields(entry)
    add = sa_from_json(fields, Add)
    extensions = add.extensions
    created = fields.number("created", 0)
    yield f"{add.source} {add.destination} "
    reqid = f"reqid={extensions.reqid}(0x{extensions.reqid:08x})"
    yield f"\t{add.security} mode={extensions.mode} spi={add.spi}(0x{add.spi:08x}) {reqid}"
    if add.security is Security.IPCOMP:
        yield f"\tC: {add.compression} "
    for letter, algorithm in (("E", add.encryption), ("A", add.authentication)):
        if algorithm is not None:
            yield f"\t{letter}: {_PRINTED.get(algorithm.name, algorithm.name)} {_key(algorithm, show_keys)}"
    flags = _PADDING_FLAGS[extensions.padding]
    state = "mature" if fields.flag("installed", False) else "larval"
    yield f"\tseq=0x00000000 replay={extensions.replay_window} flags=0x{flags:08x} state={state} "
    yield f"\tcreated: {_time(created, zone)}\tcurrent: {_time(now, zone)}"
    age = max(now - created, 0)
    yield f"\tdiff: {age}(s)\thard: {extensions.hard_seconds}(s)\tsoft: {extensions.soft_seconds}(s)"
    last = _time(fields.number("last_used", 0), zone) if "last_used" in fields else _NO_TIME
    yield f"\tlast: {last}\thard: 0(s)\tsoft: 0(s)"
    # Of an SA that no policy uses, nothing has been carried; of a kernel that nobody asks, nobody knows.
    unknown = "?" if fields.flag("installed", False) else "0"
    carried, packets = (str(fields.number(name, 0)) if name in fields else unknown for name in ("bytes", "packets"))
    yield f"\tcurrent: {carried}(bytes)\thard: {extensions.hard_bytes}(bytes)\tsoft: {extensions.soft_bytes}(bytes)"
    yield f"\tallocated: {packets}\thard: 0\tsoft: 0"


def _key(algorithm: Algorithm, show_keys: bool) -> str:
    """In groups of four bytes, each with a blank before it, eight of them a line."""
    if algorithm.name == "null":
        return ""
    if not show_keys:
        return f" {HIDDEN}"
    key = algorithm.key.reveal()
    rows = [key[start : start + 32] for start in range(0, len(key), 32)]
    return "\n".join("".join(f" {row[at : at + 4].hex()}" for at in range(0, len(row), 4)) for row in rows)


def _traffic(traffic: Traffic | str) -> str:
    if isinstance(traffic, str):
        return f'tagged "{traffic}" '
    upper = str(ANY_NUMBER) if traffic.protocol is None else upper_name(traffic.protocol)
    detail = f" {traffic.icmp[0]},{traffic.icmp[1]}" if traffic.icmp else ""
    detail += f" {traffic.gre_key}" if traffic.gre_key is not None else ""
    ends = " ".join(_range(range, traffic.protocol) for range in (traffic.source, traffic.destination))
    return f"{ends} {upper}{detail}"


def _range(range: Range, protocol: int | None) -> str:
    prefix = "" if range.prefix == range.address.max_prefixlen else f"/{range.prefix}"
    if protocol == ICMPV6:
        return f"{range.address}{prefix}"
    return f"{range.address}{prefix}[{'any' if range.port is None else range.port}]"


def _policy(policy: Policy) -> Iterator[str]:
    priority = "def" if not policy.priority else f"def {'+' if policy.priority > 0 else '-'} {abs(policy.priority)}"
    yield f"\t{policy.direction} prio {priority} {policy.action}"
    for rule in policy.rules:
        yield f"\t{rule_text(rule)}"


def _time(seconds: int, zone: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(seconds, zone).strftime("%b %e %H:%M:%S %Y")
    except (ValueError, OverflowError, OSError):
        raise ManualError("the answer cannot be read") from None
