# SPDX-License-Identifier: ISC
"""What would be answered through the TUN comes in through the TUN, or not at all (RFC 4301 5.2).

Whoever is between the peers could otherwise send packets in clear with inner addresses, and be taken for a host
behind the peer. Which those are, `steering` decides: so the kernel asks its routing, for each packet from another
interface, where an answer would go (`fib saddr oifname` of nftables). docs/decisions/0804 has the reasons.
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from struct import Struct
from typing import Final, Self

from ike_auth.daemon.netlink_messages import (
    DONE,
    ERROR,
    NESTED,
    Flag,
    MalformedNetlink,
    Message,
    Refusal,
    attributes,
    encode_attributes,
    messages,
)
from ike_auth.daemon.network import NetworkError

TABLE: Final = b"ike_auth\0"

_AF_NETLINK, _NETLINK_NETFILTER = 16, 12
_TIMEOUT = 5.0  # never reached; better than to hang if it is
_ROOM = 1 << 16
_FAMILY = Struct("!BBH")  # address family, version, and what is particular to a subsystem
_BATCH_BEGIN, _BATCH_END, _NFTABLES = 0x10, 0x11, 10
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE, _GET_RULE = (_NFTABLES << 8 | kind for kind in (0, 2, 3, 6, 7))
_INET = 1  # IPv4 and IPv6
_LOCAL_IN, _FORWARD = 1, 2  # where in the kernel a chain is asked
_CHAINS: Final = {b"input\0": _LOCAL_IN, b"forward\0": _FORWARD}
_NETWORK, _TRANSPORT = 1, 2  # headers
_META_NFPROTO, _META_IIFNAME, _META_L4PROTO = 15, 6, 16
_EQUAL, _UNEQUAL = 0, 1
_DROP, _ACCEPT = 0, 1
_FIB_OIFNAME, _FIB_SOURCE = 2, 1
_IPV6, _FRAGMENT_HEADER = 10, 44
_ICMP, _UDP, _ESP, _ICMPV6 = 1, 17, 50, 58
_NAME_SIZE = 16

Expression = tuple[bytes, bytes]  # its name, and its attributes
Rule = tuple[Expression, ...]


class Entrance:
    """Speaks to the network namespace in which it was opened. Every method but `close` raises NetworkError."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        """`ports` are ours for UDP: there the peers themselves may come in, wherever an answer would go."""
        self._ports = ports
        try:
            self._socket = socket.socket(_AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER)
        except OSError as error:
            raise _failed(error.errno) from None
        self._socket.settimeout(_TIMEOUT)
        self._numbers = count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def guard(self, device: str) -> None:
        """From now on, and in place of what was there before."""
        table = encode_attributes([(1, TABLE)])
        told = [_message(_NEW_TABLE, table), _message(_DELETE_TABLE, table), _message(_NEW_TABLE, table)]
        for chain, hook in _CHAINS.items():
            where = encode_attributes([(1, _number(hook)), (2, _number(0))])
            described = [(1, TABLE), (3, chain), (4 | NESTED, where), (5, _number(_ACCEPT)), (7, b"filter\0")]
            told.append(_message(_NEW_CHAIN, encode_attributes(described)))
            for rule in _rules(hook, device.encode(), self._ports):
                found = [(1, TABLE), (2, chain), (4 | NESTED, encode_attributes(map(_element, rule)))]
                told.append(_message(_NEW_RULE, encode_attributes(found), Flag.APPEND))
        self._change(told)

    def dropped(self) -> int:
        """Packets that came in clear and were dropped."""
        body = _FAMILY.pack(_INET, 0, 0) + encode_attributes([(1, TABLE)])
        found = 0
        for message in self._asked([Message(_GET_RULE, Flag.REQUEST | Flag.DUMP, body)]):
            if message.type == DONE:
                break
            try:
                found += sum(_counted(message.body[_FAMILY.size :]))
            except MalformedNetlink as error:
                raise NetworkError(str(error)) from None
        return found

    def close(self) -> None:
        """Let everything in again."""
        if self._socket.fileno() < 0:
            return
        try:
            self._change([_message(_DELETE_TABLE, encode_attributes([(1, TABLE)]))])
        except NetworkError:
            pass  # it was not there, or the namespace goes with us
        finally:
            self._socket.close()

    def _change(self, told: list[Message]) -> None:
        """All or nothing. Only the last is acknowledged; what is refused is told in any case."""
        batch = _FAMILY.pack(0, 0, _NFTABLES)
        begin, end = (Message(kind, Flag.REQUEST, batch) for kind in (_BATCH_BEGIN, _BATCH_END))
        last = replace(told[-1], flags=told[-1].flags | Flag.ACK)
        next(self._asked([begin, *told[:-1], last, end]))

    def _asked(self, told: Iterable[Message]) -> Iterator[Message]:
        """The answers, without end: who asks knows when he has heard enough."""
        number = next(self._numbers)
        try:
            self._socket.sendto(b"".join(replace(message, sequence=number).encode() for message in told), (0, 0))
        except OSError as error:
            raise _failed(error.errno) from None
        while True:
            try:
                for message in messages(self._socket.recv(_ROOM)):
                    if message.sequence != number:
                        continue  # to something earlier that was refused in several places
                    if message.type == ERROR and (refusal := Refusal.decode(message)).errno:
                        raise _failed(refusal.errno)
                    yield message
            except OSError as error:
                raise _failed(error.errno) from None
            except MalformedNetlink as error:
                raise NetworkError(str(error)) from None


def _rules(hook: int, device: bytes, ports: tuple[int, ...]) -> Iterator[Rule]:
    """In their order; the last one drops."""
    yield _meta(_META_IIFNAME), _equals(_name(device)), _verdict(_ACCEPT)
    if hook == _LOCAL_IN:
        yield _meta(_META_IIFNAME), _equals(_name(b"lo")), _verdict(_ACCEPT)
        for port in ports:
            yield (*_of(_UDP), _payload(_TRANSPORT, 2, 2), _equals(port.to_bytes(2, "big")), _verdict(_ACCEPT))
        yield (*_of(_ESP), _verdict(_ACCEPT))
        # Errors about packets of ours; and neighbours, who are asked for before there is a tunnel to them.
        yield (*_of(_ICMP), _payload(_TRANSPORT, 0, 1), _equals(b"\3"), _verdict(_ACCEPT))
        yield (*_of(_ICMP), _payload(_TRANSPORT, 0, 1), _range(11, 12), _verdict(_ACCEPT))
        yield (*_of(_ICMPV6), _payload(_TRANSPORT, 0, 1), _range(1, 4), _verdict(_ACCEPT))
        yield (*_of(_ICMPV6), _payload(_TRANSPORT, 0, 1), _range(133, 137), _verdict(_ACCEPT))
        link_local = _payload(_NETWORK, 8, 2), _masked(b"\xff\xc0"), _equals(b"\xfe\x80")
        yield (_meta(_META_NFPROTO), _equals(bytes([_IPV6])), *link_local, _verdict(_ACCEPT))
        # IPv6 is reassembled after us; a later fragment is nothing without the first.
        later = _extension(_FRAGMENT_HEADER, 2, 2), _masked(b"\xff\xf8"), _equals(bytes(2), _UNEQUAL)
        yield (*later, _verdict(_ACCEPT))
    yield _fib(_FIB_OIFNAME), _equals(_name(device)), (b"counter\0", b""), _verdict(_DROP)


# --- expressions: what is loaded into the one register that is used, and what is done with it


def _meta(key: int) -> Expression:
    return b"meta\0", encode_attributes([(1, _number(1)), (2, _number(key))])


def _payload(header: int, offset: int, size: int) -> Expression:
    described = [(1, _number(1)), (2, _number(header)), (3, _number(offset)), (4, _number(size))]
    return b"payload\0", encode_attributes(described)


def _extension(header: int, offset: int, size: int) -> Expression:
    described = [(1, _number(1)), (2, bytes([header])), (3, _number(offset)), (4, _number(size))]
    return b"exthdr\0", encode_attributes(described)


def _fib(result: int) -> Expression:
    return b"fib\0", encode_attributes([(1, _number(1)), (2, _number(result)), (3, _number(_FIB_SOURCE))])


def _equals(value: bytes, operator: int = _EQUAL) -> Expression:
    data = encode_attributes([(1, value)])
    return b"cmp\0", encode_attributes([(1, _number(1)), (2, _number(operator)), (3 | NESTED, data)])


def _range(low: int, high: int) -> Expression:
    bounds = [
        (3 | NESTED, encode_attributes([(1, bytes([low]))])),
        (4 | NESTED, encode_attributes([(1, bytes([high]))])),
    ]
    return b"range\0", encode_attributes([(1, _number(1)), (2, _number(_EQUAL)), *bounds])


def _masked(mask: bytes) -> Expression:
    described = [(1, _number(1)), (2, _number(1)), (3, _number(len(mask)))]
    data = [(4 | NESTED, encode_attributes([(1, mask)])), (5 | NESTED, encode_attributes([(1, bytes(len(mask)))]))]
    return b"bitwise\0", encode_attributes([*described, *data])


def _verdict(code: int) -> Expression:
    data = encode_attributes([(2 | NESTED, encode_attributes([(1, _number(code))]))])
    return b"immediate\0", encode_attributes([(1, _number(0)), (2 | NESTED, data)])


def _of(protocol: int) -> Rule:
    return _meta(_META_L4PROTO), _equals(bytes([protocol]))


def _name(name: bytes) -> bytes:
    return name.ljust(_NAME_SIZE, b"\0")


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


# --- messages


def _message(kind: int, body: bytes, flags: Flag = Flag.NONE) -> Message:
    if kind != _DELETE_TABLE:
        flags |= Flag.CREATE
    return Message(kind, Flag.REQUEST | flags, _FAMILY.pack(_INET, 0, 0) + body)


def _element(expression: Expression) -> tuple[int, bytes]:
    name, data = expression
    return 1 | NESTED, encode_attributes([(1, name), (2 | NESTED, data)])


def _failed(code: int | None) -> NetworkError:
    if code in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP):
        return NetworkError("this kernel has no nftables, or none with `fib`")
    return NetworkError(os.strerror(code or errno.EIO))


def _counted(rule: bytes) -> Iterator[int]:
    """Packets of the counters in one rule. Raises MalformedNetlink."""
    for kind, elements in attributes(rule):
        for _, element in attributes(elements) if kind == 4 else ():
            parts = dict(attributes(element))
            if parts.get(1) == b"counter\0":
                yield int.from_bytes(dict(attributes(parts.get(2, b""))).get(2, b""), "big")
