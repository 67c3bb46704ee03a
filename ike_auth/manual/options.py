# SPDX-License-Identifier: ISC
"""What follows an SPI: `-m`, `-u`, `-r`, `-f`, lifetimes, `-ctx`, and the algorithms with their keys."""

from __future__ import annotations

import re
from dataclasses import replace

from ike_auth.crypto.secrets import Secret
from ike_auth.manual import algorithms
from ike_auth.manual.cursor import Cursor
from ike_auth.manual.errors import Refused, did_you_mean, quoted
from ike_auth.manual.statements import Algorithm, Context, Extensions, Mode, Padding, Security
from ike_auth.manual.tokens import Kind
from keynote.locations import Location

NAMES = ("-m", "-u", "-r", "-f", "-lh", "-ls", "-bh", "-bs", "-ctx", "-E", "-A", "-C", "-R")
MODES = {mode.value: mode for mode in Mode}
COMPRESSIONS = {name: name for name in sorted(algorithms.COMPRESSION)}
PADDINGS = {padding.value: padding for padding in Padding}
NOCYCLIC = "nocyclic-seq"
MAX_32, MAX_64 = 2**32 - 1, 2**64 - 1
_HEX = re.compile(r"0[xX]([0-9a-fA-F]+)")


class Options:
    """Reads all options that stand at the cursor, in whichever order."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.extensions = Extensions()
        self.encryption: Algorithm | None = None
        self.authentication: Algorithm | None = None
        self.compression: str | None = None
        self.raw_cpi = False
        self._unknown = False  # an algorithm is given that nobody knows

    def read(self) -> Options:
        """Raises SyntaxFault."""
        cursor = self._cursor
        seen: set[str] = set()
        while cursor.at_word() or cursor.at(Kind.STRING):
            where = cursor.where
            if cursor.at(Kind.STRING) or not cursor.token.text.startswith("-"):
                cursor.fail("an option is missing here", "a key with blanks needs double quotes")
            name = cursor.advance().text
            if name not in NAMES:
                hint = did_you_mean(name, NAMES) or f"there are {', '.join(NAMES)}"
                cursor.fail(f"{quoted(name)} is no option" if len(name) <= 4 else "this is no option", hint, where)
            if name in seen and name != "-f":
                cursor.complaints.error(where, f"{quoted(name)} is given twice")
            seen.add(name)
            self._option(name)
        if cursor.at(Kind.BAD):
            cursor.fail("")
        return self

    def _option(self, name: str) -> None:
        cursor = self._cursor
        match name:
            case "-m":
                self.extensions = replace(self.extensions, mode=cursor.choice("a mode", MODES))
            case "-u":
                self.extensions = replace(self.extensions, reqid=cursor.number("the reqid", 0, MAX_32))
            case "-r":
                self.extensions = replace(self.extensions, replay_window=cursor.number("the window", 0, MAX_32))
            case "-f":
                self._flag()
            case "-lh":
                self.extensions = replace(self.extensions, hard_seconds=cursor.number("the lifetime", 0, MAX_64))
            case "-ls":
                self.extensions = replace(self.extensions, soft_seconds=cursor.number("the lifetime", 0, MAX_64))
            case "-bh":
                self.extensions = replace(self.extensions, hard_bytes=cursor.number("the lifetime", 0, MAX_64))
            case "-bs":
                self.extensions = replace(self.extensions, soft_bytes=cursor.number("the lifetime", 0, MAX_64))
            case "-ctx":
                self.extensions = replace(self.extensions, context=_label(cursor))
            case "-E":
                self.encryption = self._algorithm("encryption")
            case "-A":
                self.authentication = self._algorithm("authentication")
            case "-C":
                self.compression = cursor.choice("a compression algorithm", COMPRESSIONS, shown=False)
            case "-R":
                self.raw_cpi = True

    def _flag(self) -> None:
        found = self._cursor.choice("a flag", {**PADDINGS, NOCYCLIC: None})
        if found is None:
            self.extensions = replace(self.extensions, cyclic_sequence=False)
        else:
            self.extensions = replace(self.extensions, padding=found)

    def _algorithm(self, kind: str) -> Algorithm | None:
        """The name and its key; None with a complaint. The name may be a key, if it is none."""
        cursor = self._cursor
        where = cursor.where
        name = cursor.word(f"the {kind} algorithm")
        try:
            algorithms.check_name(kind, name)
        except Refused as refused:
            cursor.complaints.error(where, str(refused), refused.hint)
            if cursor.at(Kind.STRING) or (cursor.at_word() and _HEX.fullmatch(cursor.token.text)):
                cursor.advance()
            self._unknown = True
            return None
        if name in algorithms.KEYLESS:
            return Algorithm(name, where=where)
        return Algorithm(name, self._key(), where=where)

    def _key(self) -> Secret:
        cursor = self._cursor
        if cursor.at(Kind.STRING):
            return Secret(cursor.advance().text.encode("utf-8", "surrogateescape"))
        found = _HEX.fullmatch(cursor.token.text) if cursor.at_word() else None
        if found is None:
            cursor.fail("the key is missing", 'a key is "in double quotes" or 0x and hexadecimal digits')
        if len(found[1]) % 2:
            cursor.complaints.error(cursor.where, "the key has an odd number of hexadecimal digits")
            cursor.advance()
            return Secret(b"")
        cursor.advance()
        return Secret(bytes.fromhex(found[1]))

    def check_algorithms(self, security: Security, where: Location) -> None:
        """Complains unless there are the algorithms that the protocol takes."""
        there = (self.encryption is not None, self.authentication is not None, self.compression is not None)
        match security:
            case Security.ESP | Security.ESP_OLD | Security.ESP_UDP:
                wrong, takes = not there[0] or there[2], "-E, with or without -A"
            case Security.AH | Security.AH_OLD | Security.TCP:
                wrong, takes = there != (False, True, False), "-A"
            case Security.IPCOMP:
                wrong, takes = there != (False, False, True), "-C"
        if self.raw_cpi and security is not Security.IPCOMP:
            wrong = True
        if wrong and not self._unknown:
            self._cursor.complaints.error(where, f"`{security}` takes {takes}")


def context(cursor: Cursor) -> Context:
    """`-ctx doi algorithm "name"`."""
    cursor.advance()
    return _label(cursor)


def _label(cursor: Cursor) -> Context:
    doi = cursor.number("the DOI", 0, MAX_32)
    algorithm = cursor.number("the algorithm", 0, MAX_32)
    return Context(doi, algorithm, cursor.string("the context"))
