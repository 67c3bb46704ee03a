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
from struct import Struct
from typing import Final, Self

from ike_auth.daemon.kernel.xfrm.netlink import MalformedNetlink, attributes, encode_attributes
from ike_auth.daemon.network import NetworkError

TABLE: Final = b"ike_auth\0"

_AF_NETLINK, _NETLINK_NETFILTER = 16, 12
_REQUEST, _ACK, _DUMP, _CREATE, _APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
_ERROR, _DONE = 2, 3
_TIMEOUT = 5.0  # never reached; better than to hang if it is
_ROOM = 1 << 16
_HEADER, _FAMILY = Struct("=IHHII"), Struct("!BBH")
_ERRNO = Struct("=i")
_NESTED = 0x8000
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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def guard(self, device: str) -> None:
        """From now on, and in place of what was there before."""
        table = encode_attributes([(1, TABLE)])
        messages = [(_NEW_TABLE, _CREATE, table), (_DELETE_TABLE, 0, table), (_NEW_TABLE, _CREATE, table)]
        for chain, hook in _CHAINS.items():
            where = _nested([(1, _number(hook)), (2, _number(0))])
            described = [(1, TABLE), (3, chain), (4 | _NESTED, where), (5, _number(_ACCEPT)), (7, b"filter\0")]
            messages.append((_NEW_CHAIN, _CREATE, encode_attributes(described)))
            for rule in _rules(hook, device.encode(), self._ports):
                elements = [(1 | _NESTED, _nested([(1, name), (2 | _NESTED, data)])) for name, data in rule]
                found = encode_attributes([(1, TABLE), (2, chain), (4 | _NESTED, _nested(elements))])
                messages.append((_NEW_RULE, _CREATE | _APPEND, found))
        self._change(messages)

    def dropped(self) -> int:
        """Packets that came in clear and were dropped."""
        self._send(_message(_GET_RULE, _REQUEST | _DUMP, _INET, encode_attributes([(1, TABLE)])))
        found = 0
        while True:
            for kind, body in self._receive():
                if kind in (_ERROR, _DONE):
                    _check(body)
                    return found
                found += sum(_counted(body[_FAMILY.size :]))

    def close(self) -> None:
        """Let everything in again."""
        if self._socket.fileno() < 0:
            return
        try:
            self._change([(_DELETE_TABLE, 0, encode_attributes([(1, TABLE)]))])
        except NetworkError:
            pass  # it was not there, or the namespace goes with us
        finally:
            self._socket.close()

    def _change(self, messages: list[tuple[int, int, bytes]]) -> None:
        """All or nothing."""
        *first, (kind, flags, body) = messages
        batch = _FAMILY.pack(0, 0, _NFTABLES)
        parts = [_framed(_BATCH_BEGIN, _REQUEST, batch)]
        parts += [_message(kind, _REQUEST | flags, _INET, body) for kind, flags, body in first]
        parts += [_message(kind, _REQUEST | _ACK | flags, _INET, body), _framed(_BATCH_END, _REQUEST, batch)]
        self._send(b"".join(parts))
        while True:
            for kind, body in self._receive():
                if kind == _ERROR:
                    _check(body)
                    return

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendto(data, (0, 0))
        except OSError as error:
            raise _failed(error.errno) from None

    def _receive(self) -> Iterator[tuple[int, bytes]]:
        try:
            data = self._socket.recv(_ROOM)
        except OSError as error:
            raise _failed(error.errno) from None
        start = 0
        while start + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, start)
            yield kind, data[start + _HEADER.size : start + length]
            start += max(length + 3 & ~3, _HEADER.size)


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
    data = _nested([(1, value)])
    return b"cmp\0", encode_attributes([(1, _number(1)), (2, _number(operator)), (3 | _NESTED, data)])


def _range(low: int, high: int) -> Expression:
    bounds = [(3 | _NESTED, _nested([(1, bytes([low]))])), (4 | _NESTED, _nested([(1, bytes([high]))]))]
    return b"range\0", encode_attributes([(1, _number(1)), (2, _number(_EQUAL)), *bounds])


def _masked(mask: bytes) -> Expression:
    described = [(1, _number(1)), (2, _number(1)), (3, _number(len(mask)))]
    data = [(4 | _NESTED, _nested([(1, mask)])), (5 | _NESTED, _nested([(1, bytes(len(mask)))]))]
    return b"bitwise\0", encode_attributes([*described, *data])


def _verdict(code: int) -> Expression:
    data = _nested([(2 | _NESTED, _nested([(1, _number(code))]))])
    return b"immediate\0", encode_attributes([(1, _number(0)), (2 | _NESTED, data)])


def _of(protocol: int) -> Rule:
    return _meta(_META_L4PROTO), _equals(bytes([protocol]))


def _name(name: bytes) -> bytes:
    return name.ljust(_NAME_SIZE, b"\0")


def _nested(found: Iterable[tuple[int, bytes]]) -> bytes:
    return encode_attributes(found)


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


# --- messages


def _message(kind: int, flags: int, family: int, body: bytes) -> bytes:
    return _framed(kind, flags, _FAMILY.pack(family, 0, 0) + body)


def _framed(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _check(body: bytes) -> None:
    code = _ERRNO.unpack_from(body)[0] if len(body) >= _ERRNO.size else 0
    if code:
        raise _failed(-code)


def _failed(code: int | None) -> NetworkError:
    if code in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EOPNOTSUPP):
        return NetworkError("this kernel has no nftables, or none with `fib`")
    return NetworkError(os.strerror(code or errno.EIO))


def _counted(rule: bytes) -> Iterator[int]:
    """Packets of the counters in one rule."""
    try:
        for kind, elements in attributes(rule):
            for _, element in attributes(elements) if kind == 4 else ():
                parts = dict(attributes(element))
                if parts.get(1) == b"counter\0":
                    yield int.from_bytes(dict(attributes(parts.get(2, b""))).get(2, b""), "big")
    except MalformedNetlink as error:
        raise NetworkError(str(error)) from None
