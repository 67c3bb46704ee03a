# SPDX-License-Identifier: ISC
"""Moments and bytes as the database keeps them, and what somebody has put in their place: SQLite takes anything.

Whoever reads a moment that is none is told so (`Unreadable`, a ValueError): nobody decides by it. Only an audit, and
whoever looks for the row, read on (`reading_on`), and have a `Garbled` one.
"""

import contextlib
import datetime
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from pki.errors import shown

_READS_ON = ContextVar("_READS_ON", default=False)


class Unreadable(ValueError):
    """Something is in the place of a moment."""


class Garbled(datetime.datetime):
    """What is no moment: its text is what is there, and it equals nothing."""

    text = ""

    @classmethod
    def of(cls, value: object) -> "Garbled":
        made = cls(1, 1, 1, tzinfo=datetime.UTC)
        made.text = shown(str(value))
        return made

    def __format__(self, spec: str) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = datetime.datetime.__hash__


@contextlib.contextmanager
def reading_on() -> Iterator[None]:
    """Moments that are none are read as `Garbled` ones."""
    token = _READS_ON.set(True)
    try:
        yield
    finally:
        _READS_ON.reset(token)


def _moment(value: str | None) -> datetime.datetime | None:
    """What SQLite keeps in the place of one. As one step, since a list of thousands reads some for each row."""
    if value is None:
        return None
    try:
        return datetime.datetime.fromisoformat(value + "+00:00")
    except (ValueError, TypeError):
        if _READS_ON.get():
            return Garbled.of(value)
        raise Unreadable(f"`{shown(str(value))}` is no moment") from None


def _aware(value: datetime.datetime | None) -> datetime.datetime | None:
    return None if value is None else value.replace(tzinfo=datetime.UTC)


class UtcDateTime(TypeDecorator[datetime.datetime]):
    """Aware times outside, UTC without a zone inside: SQLite keeps none, and so all databases hold the same."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime.datetime | None, dialect: Dialect) -> datetime.datetime | None:
        return None if value is None else value.astimezone(datetime.UTC).replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        return _moment if dialect.name == "sqlite" else _aware


class _SqliteBytes(sa.LargeBinary):
    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        # A text stands for its bytes, which are nothing that was ever signed.
        return lambda value: value.encode() if isinstance(value, str) else value


class Bytes(TypeDecorator[bytes]):
    """As they are."""

    impl = sa.LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(_SqliteBytes() if dialect.name == "sqlite" else sa.LargeBinary())
