# SPDX-License-Identifier: ISC
"""A section's values by type. What cannot be read is reported, and stands for nothing from then on."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import TypeVar

from ike_auth.config.errors import Problems, bracketed, did_you_mean, quoted
from ike_auth.config.ini import Entry, Section, items
from ike_auth.config.model import Accept, IPAddress, Location

T = TypeVar("T")

NUMBER = re.compile(r"[0-9]{1,10}")
OFFER_ACCEPT = re.compile(r"([0-9]{1,10})(?:[ \t]*,[ \t]*([0-9]{1,10})[ \t]*:[ \t]*([0-9]{1,10}))?")
LONGEST_DURATION = 2**32 - 1  # of seconds or kilobytes, as isakmpd sends them
ANY = "ANY"


@dataclass(frozen=True, slots=True)
class Reader:
    """One section. A tag that is absent gives the default, one that is wrong a complaint and the default."""

    section: Section
    problems: Problems

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def where(self) -> Location:
        return self.section.where

    def has(self, tag: str) -> bool:
        """For tags whose presence is all that counts."""
        return self.section.get(tag) is not None

    def value(self, tag: str) -> str:
        """In upper case, to compare with keywords; "" if the tag is absent."""
        entry = self.section.get(tag)
        return entry.value.upper() if entry else ""

    def place(self, tag: str) -> Location:
        """Where a complaint about this tag belongs."""
        entry = self.section.get(tag)
        return entry.where if entry else self.where

    def entry(self, tag: str, *, required: bool = False) -> Entry | None:
        entry = self.section.get(tag)
        if entry is None:
            if required:
                self.problems.error(self.where, f"missing tag {quoted(tag)} in {bracketed(self.name)}")
        elif not entry.value:
            self.problems.error(entry.where, f"{quoted(tag)} has no value")
            return None
        return entry

    def names(self, tag: str, *, required: bool = False) -> tuple[str, ...]:
        entry = self.entry(tag, required=required)
        return items(entry, self.problems) if entry else ()

    def number(self, tag: str, default: int, low: int, high: int, names: Mapping[str, int] | None = None) -> int:
        """Decimal, or one of `names`."""
        entry = self.entry(tag)
        if entry is None:
            return default
        if names and entry.value.lower() in names:
            return names[entry.value.lower()]
        if not NUMBER.fullmatch(entry.value) or not low <= int(entry.value) <= high:
            hint = did_you_mean(entry.value, names) if names else ""
            self._wrong(entry, f"is not a number from {low} to {high}", hint)
            return default
        return int(entry.value)

    def yes_no(self, tag: str, default: bool) -> bool:
        found = self.choice(tag, {"yes": True, "no": False})
        return default if found is None else found

    def choice(self, tag: str, values: Mapping[str, T], *, required: bool = False) -> T | None:
        """The value that a keyword stands for, in whichever case."""
        entry = self.entry(tag, required=required)
        if entry is None:
            return None
        by_lower = {keyword.lower(): value for keyword, value in values.items()}
        if entry.value.lower() not in by_lower:
            hint = did_you_mean(entry.value, values) or f"one of {', '.join(values)}"
            self._wrong(entry, "is unknown", hint)
            return None
        return by_lower[entry.value.lower()]

    def address(self, tag: str, *, required: bool = False) -> IPAddress | None:
        entry = self.entry(tag, required=required)
        return self.as_address(entry, entry.value) if entry else None

    def addresses(self, tag: str) -> tuple[IPAddress, ...]:
        entry = self.entry(tag)
        if entry is None:
            return ()
        found = (self.as_address(entry, text) for text in items(entry, self.problems))
        return tuple(address for address in found if address is not None)

    def as_address(self, entry: Entry, text: str) -> IPAddress | None:
        try:
            address = ip_address(text)
        except ValueError:
            hint = "names of hosts and interfaces are not looked up"
            self.problems.error(entry.where, f"{quoted(text)} is not an IP address", hint)
            return None
        if getattr(address, "scope_id", None):
            self.problems.error(entry.where, f"{quoted(text)} has a scope, which is not supported yet")
        return address

    def accept(self, tag: str, *, required: bool = False) -> Accept | None:
        """`offer,low:high`, or one number that is both."""
        entry = self.entry(tag, required=required)
        if entry is None:
            return None
        found = OFFER_ACCEPT.fullmatch(entry.value)
        if found is None:
            self._wrong(entry, "is neither a number nor `offer,low:high`")
            return None
        offer, low, high = (int(number or found[1]) for number in found.groups())
        if not 1 <= low <= high <= LONGEST_DURATION or not 1 <= offer <= LONGEST_DURATION:
            self._wrong(entry, "is out of range, or its range is reversed")
            return None
        if not low <= offer <= high:
            message = f"{quoted(entry.tag)} offers {offer}, which it would not accept itself"
            self.problems.warn(entry.where, message)
        return Accept(offer, low, high)

    def path(self, tag: str, default: Path) -> Path:
        """A relative path starts at the folder of the configuration."""
        entry = self.entry(tag)
        return Path(entry.where.file).parent / entry.value if entry else default

    def _wrong(self, entry: Entry, what: str, hint: str = "") -> None:
        self.problems.error(entry.where, f"{quoted(entry.tag)}: {quoted(entry.value)} {what}", hint)
