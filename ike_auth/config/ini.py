# SPDX-License-Identifier: ISC
"""The syntax of isakmpd.conf: text → sections of tags, each with its Location.

    [section]
    Tag=    value
    List=   one,two,\\
            three

Names of sections and tags compare without regard to case; a section may be continued further down. `#` or `;`
at the start of a line make it a comment, but not within a value. The first assignment of a tag stands.

isakmpd drops some lines without a word: the last one if it lacks its newline, text after `]`, a tag that is
indented. Here a line is either used or complained about.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ike_auth.config.errors import Problems, quoted
from ike_auth.config.model import Location

BLANKS = " \t"
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
LOOKS_LIKE_A_COMMENT = re.compile(r"(^|[ \t])#")


@dataclass(frozen=True, slots=True)
class Entry:
    """`tag= value`. The value may be a secret, so it has no part in the repr."""

    tag: str
    value: str = field(repr=False)
    where: Location


@dataclass(frozen=True, slots=True)
class Section:
    name: str
    where: Location
    entries: Mapping[str, Entry]  # by lower-case tag

    def get(self, tag: str) -> Entry | None:
        return self.entries.get(tag.lower())


def parse(text: str, file: str, problems: Problems) -> dict[str, Section]:
    """The sections of `text` by lower-case name, in the order of the file. Reports every mistake of syntax to
    `problems` and goes on with the next line."""
    sections: dict[str, Section] = {}
    entries_of: dict[str, dict[str, Entry]] = {}
    entries: dict[str, Entry] | None = None  # of the section we are in; None before the first
    for where, line in _logical_lines(text, file, problems):
        if CONTROL.search(line):
            problems.error(where, "control character in this line")
        elif line.startswith("["):
            name = _section_name(line, where, problems)
            entries = entries_of.setdefault(name.lower(), {})
            sections.setdefault(name.lower(), Section(name, where, entries))
        elif "=" in line:
            _assign(line, where, entries, problems)
        else:
            problems.error(where, "syntax error: neither `[section]` nor `tag= value` nor a comment")
    sections.pop("", None)
    return sections


def _logical_lines(text: str, file: str, problems: Problems) -> Iterator[tuple[Location, str]]:
    """Lines without comments, blanks around them and blank ones; a backslash at the end joins the next line."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        line = line.removesuffix("\r")
        start = start if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole = "  ".join([*parts, line]).strip(BLANKS)
        where = Location(file, start)
        if whole.startswith(("#", ";")):
            if len(parts) > 0:
                problems.warn(where, "the backslash at its end makes the next line part of this comment")
        elif whole:
            yield where, whole
        parts = []


def _section_name(line: str, where: Location, problems: Problems) -> str:
    """The name in `[name]`, or "" with a complaint; what follows is then read, and dropped, as section ""."""
    name, bracket, rest = line[1:].partition("]")
    name, rest = name.strip(BLANKS), rest.strip(BLANKS)
    if not bracket:
        problems.error(where, "`[` without `]`")
        return ""
    if not name:
        problems.error(where, "section without a name")
    if rest and not rest.startswith(("#", ";")):
        problems.error(where, f"text after {quoted('[' + name + ']')}", "an assignment has a line of its own")
    return name


def _assign(line: str, where: Location, entries: dict[str, Entry] | None, problems: Problems) -> None:
    left, _, value = line.partition("=")
    tag, *rest = left.split() or [""]
    value = value.strip(BLANKS)
    if not tag:
        problems.error(where, "`=` without a tag before it")
    elif rest:
        problems.error(where, f"text between tag {quoted(tag)} and `=`")
    elif entries is None:
        problems.error(where, f"tag {quoted(tag)} stands before any `[section]`")
    elif earlier := entries.get(tag.lower()):
        problems.warn(where, f"tag {quoted(tag)} is ignored: it has its value from line {earlier.where.line}")
    else:
        entries[tag.lower()] = Entry(tag, value, where)
        if LOOKS_LIKE_A_COMMENT.search(value):
            problems.warn(
                where, f"`#` in the value of {quoted(tag)} is part of it", "comments have lines of their own"
            )


def items(entry: Entry, problems: Problems) -> tuple[str, ...]:
    """The fields of a comma-separated list; empty ones are warned of and skipped."""
    fields = [text.strip(BLANKS) for text in entry.value.split(",")]
    if "" in fields:
        problems.warn(entry.where, f"empty field in the list {quoted(entry.tag)}")
    return tuple(text for text in fields if text)
