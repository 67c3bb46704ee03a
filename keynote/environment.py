# SPDX-License-Identifier: ISC
"""What a test can read: the action's attributes, the special ones, the groups of the last match (RFC 2704 3, 5.1).

An environment is a dict, so that reading an attribute costs what a dict costs. An undefined attribute is the empty
string. In an interval query reading an unknown attribute raises `UnknownAttribute` instead.
"""

import re
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from keynote.errors import QueryError
from keynote.redaction import quoted

Environment = dict[str, str]

_ATTRIBUTE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_GROUP_NAME = re.compile(r"_[0-9]+")

# Names that were checked before: an application uses the same few dozen again and again.
_known_names: Final[set[str]] = set()
_KNOWN_NAMES_MAX: Final = 10_000


class UnknownAttribute(Exception):
    """A test reads an attribute whose value nobody knows yet."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The compliance values of a query, lowest first, and the special attributes that tell them (RFC 2704 5.1.2).

    `rank` is the `get` of `index`.
    """

    values: tuple[str, ...]
    index: Mapping[str, int]
    rank: Callable[[str, int], int]
    top: int
    attributes: Mapping[str, str]


@lru_cache(maxsize=64)
def scale(values: tuple[str, ...]) -> Scale:
    """Raises QueryError if there are no values, or what is no string among them."""
    if not values or not all(isinstance(value, str) for value in values):
        raise QueryError("compliance values are one or more strings, lowest first")
    if not all(map(_is_latin_1, values)):
        raise QueryError("a compliance value has a character that is NUL or beyond Latin-1")
    index: dict[str, int] = {}
    for position, value in enumerate(values):
        index.setdefault(value, position)  # of two equal values the lower one counts
    attributes = {"_MIN_TRUST": values[0], "_MAX_TRUST": values[-1], "_VALUES": ",".join(values)}
    return Scale(values, index, index.get, index[values[-1]], attributes)


def checked(action: Mapping[str, str]) -> Environment:
    """The action's attributes, copied. Raises QueryError for a name or a value that no attribute can have."""
    facts = dict(action)
    if not _known_names.issuperset(facts):
        _check_names(facts)
    try:
        text = "".join(facts.values())
    except TypeError as error:
        raise QueryError("attribute values are strings; write numbers in decimal") from error
    if not text.isascii() or "\0" in text:
        _check_values(facts)
    return facts


def check_authorizers(authorizers: Sequence[str]) -> str:
    """What `_ACTION_AUTHORIZERS` is. Raises QueryError for what cannot be a principal."""
    try:
        text = ",".join(authorizers)
    except TypeError as error:
        raise QueryError("authorizers are strings") from error
    if not _is_latin_1(text):
        raise QueryError("an authorizer has a character that is NUL or beyond Latin-1")
    return text


def completed(facts: Environment, authorizers: str, scale: Scale) -> Environment:
    """What `checked` gives, in a new environment that has the special attributes as well."""
    return {**facts, **scale.attributes, "_ACTION_AUTHORIZERS": authorizers}


def environment(action: Mapping[str, str], authorizers: Sequence[str], scale: Scale) -> Environment:
    """A new environment with all that a test can read. Raises QueryError for what cannot be read."""
    return completed(checked(action), check_authorizers(authorizers), scale)


def is_attribute_name(name: str) -> bool:
    """Whether an action can have an attribute of this name."""
    return _ATTRIBUTE_NAME.fullmatch(name) is not None


def _check_names(action: Mapping[str, str]) -> None:
    for name in action:
        if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
            hint = "; names that begin with an underscore are KeyNote's own" if str(name).startswith("_") else ""
            raise QueryError(f"{quoted(str(name))} is no attribute name{hint}")
    if len(_known_names) < _KNOWN_NAMES_MAX:
        _known_names.update(action)


def _check_values(action: Mapping[str, str]) -> None:
    for name, value in action.items():
        if not _is_latin_1(value):
            raise QueryError(f"the value of `{name}` has a character that is NUL or beyond Latin-1")


def _is_latin_1(text: str) -> bool:
    return "\0" not in text and (text.isascii() or max(text) <= "\xff")


# -- unknown attributes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Unknown:
    """Which attributes are unknown, told by which are not. Where they can be listed, any container of names does."""

    known: frozenset[str]

    @classmethod
    def except_(cls, known: Collection[str]) -> "Unknown":
        """Every attribute is unknown but these, and but those that the action gives."""
        if isinstance(known, str):
            raise TypeError("known attributes are a collection of names; put the one into a set")
        return cls(frozenset(known))

    def __contains__(self, name: object) -> bool:
        return name not in self.known


def check_unknown(unknown: Container[str], facts: Environment) -> None:
    """Raises QueryError for one string, for what is no name, and where an attribute is listed that is given."""
    if isinstance(unknown, str):
        raise QueryError("unknown attributes are a container of names; put the one into a set")
    for name in unknown if isinstance(unknown, Iterable) else ():
        if not isinstance(name, str) or not _ATTRIBUTE_NAME.fullmatch(name):
            raise QueryError(f"{quoted(str(name))} is no attribute name, and cannot be unknown")
        if name in facts:
            raise QueryError(f"attribute {quoted(name)} is given and unknown at the same time")


class PartialEnvironment(Environment):
    """An environment in which reading an unknown attribute raises UnknownAttribute. What it holds is known."""

    __slots__ = ("groups_unknown", "unknown")

    def __init__(self, environment: Environment, unknown: Container[str]) -> None:
        super().__init__(environment)
        self.unknown = unknown
        self.groups_unknown = False

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        value = _read(self, name)
        if value is not None:
            return value
        # What `$` computes need not be a name, and then it names nothing (RFC 2704 4.4).
        if self.is_unknown(name) and (name.startswith("_") or _ATTRIBUTE_NAME.fullmatch(name)):
            raise UnknownAttribute(name)
        return default

    def is_unknown(self, name: str) -> bool:
        """Whether reading an attribute raises UnknownAttribute, if `name` can be an attribute's."""
        if name in self:
            return False
        if name[:1] == "_":
            return self.groups_unknown and is_group_name(name)
        return name in self.unknown


_read = dict.get

# -- groups of a match -----------------------------------------------------------------------------------------------


def set_groups(environment: Environment, groups: tuple[str, ...] | None) -> None:
    """Give `_0` the number of groups and `_1`, `_2`, … the groups (RFC 2704 5.3.4); None takes them all away."""
    if groups is None and "_0" not in environment:
        return
    for number in range(1, int(environment.pop("_0", "0")) + 1):
        del environment[f"_{number}"]
    if groups is not None:
        environment["_0"] = str(len(groups))
        for number, group in enumerate(groups, 1):
            environment[f"_{number}"] = group


def get_groups(environment: Environment) -> tuple[str, ...] | None:
    count = dict.get(environment, "_0")
    return None if count is None else tuple(environment[f"_{number}"] for number in range(1, int(count) + 1))


def is_group_name(name: str) -> bool:
    return _GROUP_NAME.fullmatch(name) is not None
