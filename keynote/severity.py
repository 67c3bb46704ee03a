# SPDX-License-Identifier: ISC
"""How bad a finding of a linter is."""

from enum import IntEnum


class Severity(IntEnum):
    """`str()` gives the word."""

    INFO = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()
