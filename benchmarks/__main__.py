# SPDX-License-Identifier: ISC
"""`python -m benchmarks [PART…]`: measure, print a table of ratios, and fail if a bar is missed."""

import sys
from importlib import import_module

from benchmarks.table import Row

PARTS = ("keynote", "pki", "ike", "esp", "traffic")


def main(parts: list[str]) -> int:
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        print(f"unknown part `{unknown[0]}`; there are {', '.join(PARTS)}", file=sys.stderr)
        return 1
    rows: list[Row] = []
    for part in parts or PARTS:
        rows += import_module(f"benchmarks.{part}").run()
    _print(rows)
    return 0 if all(row.ok for row in rows) else 1


def _print(rows: list[Row]) -> None:
    table = [("", "what", "figure", "bar"), *((row.part, row.what, row.figure, row.bar) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    marks = ["", *("" if row.ok else "  MISSED" for row in rows)]
    for line, mark in zip(table, marks, strict=True):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + mark)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
