# SPDX-License-Identifier: ISC
"""One query of a table that stands for many: `each` has the values of attributes, `cases` what else differs.

policies/README.md documents both. Every combination of the values in `each` is a query; every table in `cases` is one
too, and says instead of the query, or on top of its action, what it says. `{name}` in texts stands for the value.
"""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: Of one query: more is a mistake.
MAXIMUM: Final = 10_000

_PLACEHOLDER = re.compile(r"\{([A-Za-z][A-Za-z0-9_]*)\}")
# What a case may not say again, because the whole query says it.
_ONCE: Final = frozenset({"cases"})


class ParameterError(ValueError):
    """Parameters that are not in the form they must have."""


def expanded(query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The queries that one stands for, without `each` and `cases`. Raises ParameterError."""
    cases = query.get("cases")
    if cases is None:
        yield from _combined(query)
        return
    if not isinstance(cases, list) or not cases or not all(isinstance(case, dict) for case in cases):
        raise ParameterError("`cases` must be a list of one or more tables")
    common = {key: value for key, value in query.items() if key != "cases"}
    for number, case in enumerate(cases, 1):
        if unwanted := _ONCE & case.keys():
            raise ParameterError(f"`{min(unwanted)}` within `cases`")
        yield from _combined(_merged(common, case, number))


def _merged(query: Mapping[str, Any], case: Mapping[str, Any], number: int) -> dict[str, Any]:
    merged = {**query, **case}
    for key in ("action", "each"):
        if key in query and key in case:
            merged[key] = {**_table(query, key), **_table(case, key)}
    own = case.get("name", _told(_table(case, "action")) or f"case {number}")
    if isinstance(query.get("name"), str) and isinstance(own, str):
        merged["name"] = f"{query['name']}: {own}"
    return merged


def _combined(query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The queries of all combinations of the values in `each`."""
    if "each" not in query:
        yield dict(query)
        return
    each = _table(query, "each")
    if not each:
        raise ParameterError("`each` names no attribute")
    for name, values in each.items():
        if not isinstance(values, list) or not values or not all(isinstance(value, str) for value in values):
            raise ParameterError(f"`each.{name}` must be a list of one or more strings")
        if name in _table(query, "action"):
            raise ParameterError(f"`{name}` is both in `each` and in `action`")
    if math.prod(map(len, each.values())) > MAXIMUM:
        raise ParameterError(f"`each` makes more than {MAXIMUM} queries of one")
    for values in itertools.product(*each.values()):
        yield _filled_in(query, dict(zip(each, values, strict=True)))


def _filled_in(query: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    one = {key: value for key, value in query.items() if key != "each"}
    one["action"] = {**_table(query, "action"), **values}
    name = query.get("name")
    if isinstance(name, str):
        untold = {attribute: value for attribute, value in values.items() if f"{{{attribute}}}" not in name}
        one["name"] = _substituted(name, values) + (f" [{_told(untold)}]" if untold else "")
    match query.get("because"):
        case str() as because:
            one["because"] = _substituted(because, values)
        case list() as texts:
            one["because"] = [_substituted(text, values) if isinstance(text, str) else text for text in texts]
    return one


def _substituted(text: str, values: Mapping[str, str]) -> str:
    """Braces around anything but a name in `each` stay: regular expressions have them too."""
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), text)


def _table(query: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = query.get(key, {})
    if not isinstance(value, dict):
        raise ParameterError(f"`{key}` must be a table")
    return value


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
