# SPDX-License-Identifier: ISC
"""The language of setkey(8): text → statements, or everything that is wrong with it.

add [-46n] src dst protocol spi [extensions] algorithms ;      update, getspi, get, delete, deleteall, flush, dump
spdadd [-46n] src dst upper [misc] [-ctx …] -P policy ;        spdupdate, spddelete, spdflush, spddump
exit ; quit ; bye ;
"""

import re
from collections.abc import Callable

from ike_auth.manual import addresses
from ike_auth.manual.addresses import GRE, ICMP, ICMPV6
from ike_auth.manual.cursor import COMMANDS, Cursor, SyntaxFault
from ike_auth.manual.errors import Complaints, Refused, did_you_mean, quoted
from ike_auth.manual.options import Options, context
from ike_auth.manual.policies import direction, policy
from ike_auth.manual.statements import (
    Add,
    Delete,
    DeleteAll,
    Dump,
    Exit,
    Flush,
    Get,
    GetSpi,
    Host,
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
from ike_auth.manual.tokens import Kind, tokens
from ike_auth.network import IPAddress
from keynote.locations import Location

SECURITIES = {security.value: security for security in Security}
_RESOLUTION = re.compile(r"-[46n]+")
_LOOKS_LIKE_AN_SPI = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")


def parse(text: str, file: str, complaints: Complaints) -> tuple[Statement, ...]:
    """The statements up to `exit`. Those with mistakes are complained about and left out."""
    cursor = Cursor(tokens(text, file), complaints)
    statements: list[Statement] = []
    while not cursor.at_end:
        before = len(complaints.errors)
        try:
            statement = _statement(cursor)
        except SyntaxFault:
            cursor.skip_statement()
            continue
        if len(complaints.errors) == before:
            statements.append(statement)
        if isinstance(statement, Exit):
            break
    return tuple(statements)


def _statement(cursor: Cursor) -> Statement:
    token = cursor.advance()
    if token.kind is Kind.BAD:
        cursor.fail("this string has no end", 'a string ends on its line, with `"`', token.where)
    if token.kind is not Kind.WORD or token.text not in _STATEMENTS:
        # A word here may be what followed a `;` inside an unquoted key: only what resembles a command is shown.
        hint = did_you_mean(token.text, COMMANDS) if token.kind is Kind.WORD else ""
        cursor.fail("this is no command", hint or f"one of {', '.join(sorted(COMMANDS))}", token.where)
    statement = _STATEMENTS[token.text](cursor, token.where)
    cursor.end_of_statement()
    return statement


# --- SAs


def _add(cursor: Cursor, where: Location) -> Add:
    return _keyed(cursor, where, Add)


def _update(cursor: Cursor, where: Location) -> Add:
    return _keyed(cursor, where, Update)


def _keyed(cursor: Cursor, where: Location, kind: type[Add]) -> Add:
    source, destination, security, original = _between(cursor)
    spi = _spi(cursor)
    options = Options(cursor).read()
    options.check_algorithms(security, where)
    return kind(
        source,
        destination,
        security,
        spi,
        options.extensions,
        options.encryption,
        options.authentication,
        options.compression,
        options.raw_cpi,
        original,
        where=where,
    )


def _getspi(cursor: Cursor, where: Location) -> GetSpi:
    source, destination, security, _ = _between(cursor)
    spi = _spi(cursor)
    return GetSpi(source, destination, security, spi, _extensions_alone(cursor).extensions, where=where)


def _get(cursor: Cursor, where: Location) -> Get:
    source, destination, security, _ = _between(cursor)
    spi = _spi(cursor)
    _extensions_alone(cursor)
    return Get(source, destination, security, spi, where=where)


def _delete(cursor: Cursor, where: Location) -> Delete:
    source, destination, security, _ = _between(cursor)
    spi = _spi(cursor)
    _extensions_alone(cursor)
    return Delete(source, destination, security, spi, where=where)


def _deleteall(cursor: Cursor, where: Location) -> DeleteAll:
    source, destination, security, _ = _between(cursor)
    return DeleteAll(source, destination, security, where=where)


def _flush(cursor: Cursor, where: Location) -> Flush:
    return Flush(_security(cursor) if cursor.at_word() else None, where=where)


def _dump(cursor: Cursor, where: Location) -> Dump:
    return Dump(_security(cursor) if cursor.at_word() else None, where=where)


def _extensions_alone(cursor: Cursor) -> Options:
    where = cursor.where
    options = Options(cursor).read()
    if options.encryption or options.authentication or options.compression:
        cursor.complaints.error(where, "only `add` and `update` take algorithms")
    return options


def _between(cursor: Cursor) -> tuple[Host, Host, Security, IPAddress | None]:
    """`[-46n] src dst protocol`; the last is the original address that may follow `esp-udp`."""
    version = _resolution(cursor)
    where = cursor.where
    source = cursor.checked(addresses.host, _place(cursor, "the source"), where)
    destination = cursor.checked(addresses.host, _place(cursor, "the destination"), cursor.where)
    _check_versions(cursor, where, version, source.address, destination.address)
    security = _security(cursor)
    original = None
    if security is Security.ESP_UDP and cursor.at_word() and not _LOOKS_LIKE_AN_SPI.fullmatch(cursor.token.text):
        where = cursor.where
        original = cursor.checked(addresses.address, cursor.word("an address"), where)
    if security is not Security.ESP_UDP and (source.port, destination.port) != (None, None):
        cursor.complaints.error(where, f"ports belong to `esp-udp`, and this is `{security}`")
    return source, destination, security, original


def _security(cursor: Cursor) -> Security:
    return cursor.choice("a protocol", SECURITIES)


def _spi(cursor: Cursor) -> int:
    where = cursor.where
    try:
        return addresses.spi(cursor.word("the SPI"))
    except Refused as refused:
        cursor.complaints.error(where, str(refused), refused.hint)
        return 0


# --- policies


def _spdadd(cursor: Cursor, where: Location) -> SpdAdd:
    return _policy(cursor, where, SpdAdd)


def _spdupdate(cursor: Cursor, where: Location) -> SpdAdd:
    return _policy(cursor, where, SpdUpdate)


def _policy(cursor: Cursor, where: Location, kind: type[SpdAdd]) -> SpdAdd:
    if cursor.at(Kind.WORD, "tagged"):
        cursor.advance()
        tag = cursor.string("the tag")
        return kind(tag, policy(cursor), where=where)
    traffic = _traffic(cursor)
    label = context(cursor) if cursor.at(Kind.WORD, "-ctx") else None
    return kind(traffic, policy(cursor), label, where=where)


def _spddelete(cursor: Cursor, where: Location) -> SpdDelete:
    traffic = _traffic(cursor)
    if cursor.at(Kind.WORD, "-ctx"):
        context(cursor)
    return SpdDelete(traffic, direction(cursor), where=where)


def _spdflush(cursor: Cursor, where: Location) -> SpdFlush:
    return SpdFlush(where=where)


def _spddump(cursor: Cursor, where: Location) -> SpdDump:
    return SpdDump(where=where)


def _exit(cursor: Cursor, where: Location) -> Exit:
    return Exit(where=where)


def _traffic(cursor: Cursor) -> Traffic:
    version = _resolution(cursor)
    where = cursor.where
    source = cursor.checked(addresses.range_of, _place(cursor, "the source"), where)
    destination = cursor.checked(addresses.range_of, _place(cursor, "the destination"), cursor.where)
    _check_versions(cursor, where, version, source.address, destination.address)
    at = cursor.where
    protocol = cursor.checked(addresses.upper, cursor.word("the upper protocol"), at)
    icmp, gre = None, None
    if cursor.at_word() and not cursor.token.text.startswith("-"):
        at = cursor.where
        detail = cursor.word("")
        if protocol in (ICMP, ICMPV6):
            icmp = cursor.checked(addresses.icmp, detail, at)
        elif protocol == GRE:
            gre = cursor.checked(addresses.gre_key, detail, at)
        else:
            cursor.fail(f"{quoted(detail)} has no meaning here", "`type,code` follows ICMP, a key follows GRE", at)
    if (source.port, destination.port) != (None, None) and (icmp or gre is not None):
        cursor.complaints.error(where, "ports and what follows the protocol exclude each other")
    return Traffic(source, destination, protocol, icmp, gre)


# --- addresses


def _resolution(cursor: Cursor) -> int | None:
    """`-4`, `-6`, `-n` and their combinations: the IP version that is asked for."""
    version = None
    while cursor.at_word() and _RESOLUTION.fullmatch(cursor.token.text):
        for flag in cursor.advance().text[1:]:
            version = {"4": 4, "6": 6}.get(flag, version)
    return version


def _place(cursor: Cursor, what: str) -> str:
    """An address with its prefix and port, between which there may be blanks."""
    text = cursor.word(what)
    while cursor.at_word() and (cursor.token.text.startswith(("/", "[", "]")) or text.endswith(("/", "["))):
        text += cursor.advance().text
    return text


def _check_versions(
    cursor: Cursor, where: Location, version: int | None, source: IPAddress, other: IPAddress
) -> None:
    if source.version != other.version:
        cursor.complaints.error(where, f"{source} and {other} are of different IP versions")
    elif version not in (None, source.version):
        cursor.complaints.error(where, f"{source} is not IPv{version}, which the option asks for")


_STATEMENTS: dict[str, Callable[[Cursor, Location], Statement]] = {
    "add": _add,
    "update": _update,
    "getspi": _getspi,
    "get": _get,
    "delete": _delete,
    "deleteall": _deleteall,
    "flush": _flush,
    "dump": _dump,
    "spdadd": _spdadd,
    "spdupdate": _spdupdate,
    "spddelete": _spddelete,
    "spdflush": _spdflush,
    "spddump": _spddump,
    "exit": _exit,
    "quit": _exit,
    "bye": _exit,
}
