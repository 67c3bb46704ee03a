# SPDX-License-Identifier: ISC
"""One row of a benchmark's table: what was measured, and whether it is within its bar."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    part: str
    what: str
    figure: str
    bar: str = ""
    ok: bool = True
