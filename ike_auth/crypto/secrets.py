# SPDX-License-Identifier: ISC
"""Secret bytes that do not show themselves."""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import NoReturn


class Secret:
    """A key or pre-shared key. Its text forms show nothing, it cannot be pickled, and it compares in constant time.

    `reveal` is the only way to the bytes, so that each use can be found by its name.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = bytes(value)

    def reveal(self) -> bytes:
        return self._value

    def fingerprint(self) -> str:
        """16 hex digits by which two sides can see that they have the same key.

        For keys only: a password could be guessed from it.
        """
        return sha256(b"fingerprint of a key" + self._value).hexdigest()[:16]

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and compare_digest(self._value, other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")
