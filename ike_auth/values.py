# SPDX-License-Identifier: ISC
"""Values: dataclasses that do not change (docs/decisions/0002-values.md)."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots that is compared and hashed by its fields, and that the type checker holds to be frozen.

    At run time nothing keeps one from being changed: a guard there makes each take three times as long to make, and a
    handshake makes some hundreds.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)
