# SPDX-License-Identifier: ISC
"""A JSON object read field by field. What is wrong raises ManualError, which names the field and not its value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from ike_auth.crypto.secrets import Secret
from ike_auth.manual import addresses
from ike_auth.manual.errors import ManualError, Refused
from ike_auth.network import IPAddress

E = TypeVar("E", bound=StrEnum)

MAX_64 = 2**64 - 1
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = re.compile(r"([0-9a-fA-F]{2})*")


class Fields:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._asked: set[str] = set()
        self._inner: list[Fields] = []

    def __contains__(self, name: str) -> bool:
        self._asked.add(name)
        return name in self._values

    def done(self) -> None:
        """Raises ManualError if something is left that nobody has asked for: it would have no effect."""
        if unknown := sorted(self._values.keys() - self._asked):
            name = unknown[0] if _NAME.fullmatch(unknown[0]) else "…"
            raise ManualError(f"there is no argument `{name}` here")
        for fields in self._inner:
            fields.done()

    def _get(self, name: str) -> Any:
        if name not in self:
            raise ManualError(f"`{name}` is missing")
        return self._values[name]

    def _optional(self, name: str, default: Any) -> Any:
        return self._values[name] if name in self else default

    def _within(self, values: Mapping[str, Any]) -> Fields:
        inner = Fields(values)
        self._inner.append(inner)
        return inner

    def number(self, name: str, default: int, *, low: int = 0, high: int = MAX_64) -> int:
        found = self._optional(name, default)
        if not isinstance(found, int) or isinstance(found, bool) or not low <= found <= high:
            raise ManualError(f"`{name}` is not a number from {low} to {high}")
        return found

    def spi(self) -> int:
        self._get("spi")
        return self.number("spi", 0, low=256, high=2**32 - 1)

    def port(self, name: str) -> int | None:
        return self.number(name, 0, high=65535) if name in self else None

    def flag(self, name: str, default: bool) -> bool:
        found = self._optional(name, default)
        if not isinstance(found, bool):
            raise ManualError(f"`{name}` is neither true nor false")
        return found

    def text(self, name: str) -> str:
        """Of what a string of setkey's can hold."""
        found = self._get(name)
        if not isinstance(found, str) or '"' in found or "\n" in found:
            raise ManualError(f"`{name}` is no text of one line without double quotes")
        return found

    def choice(self, name: str, kind: type[E], default: E | None = None) -> E:
        found = self._get(name) if default is None else self._optional(name, default)
        try:
            return kind(found)
        except ValueError:
            raise ManualError(f"`{name}` is none of {', '.join(kind)}") from None

    def address(self, name: str) -> IPAddress:
        found = self._get(name)
        try:
            return addresses.address(found if isinstance(found, str) else "")
        except Refused:
            raise ManualError(f"`{name}` is not an IP address") from None

    def prefix(self, name: str) -> tuple[IPAddress, int]:
        found = self._get(name)
        try:
            read = addresses.range_of(found if isinstance(found, str) and "[" not in found else "")
        except Refused:
            raise ManualError(f"`{name}` is not `address/prefix`") from None
        return read.address, read.prefix

    def key(self, name: str) -> Secret:
        found = self._get(name)
        if found is None:
            return Secret(b"")
        if not isinstance(found, str) or not _HEX.fullmatch(found):
            raise ManualError(f"`{name}` is not an even number of hexadecimal digits")
        return Secret(bytes.fromhex(found))

    def pair(self, name: str) -> tuple[int, int]:
        found = self._get(name)
        if not isinstance(found, list) or len(found) != 2:
            raise ManualError(f"`{name}` is not a pair of numbers")
        first, second = (Fields({name: value}).number(name, 0, high=255) for value in found)
        return first, second

    def object(self, name: str) -> Fields:
        found = self._get(name)
        if not isinstance(found, Mapping):
            raise ManualError(f"`{name}` is not an object")
        return self._within(found)

    def objects(self, name: str) -> list[Fields]:
        found = self._optional(name, [])
        if not isinstance(found, list) or not all(isinstance(value, Mapping) for value in found):
            raise ManualError(f"`{name}` is not a list of objects")
        return [self._within(value) for value in found]
