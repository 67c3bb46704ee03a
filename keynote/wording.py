# SPDX-License-Identifier: ISC
"""A relation that did not turn out as it should, in words: "esp_enc_alg is `null`, needs `aes` or `3des`"."""

from collections.abc import Sequence
from typing import Final

from keynote import expressions
from keynote.assertions import Assertion
from keynote.environment import Environment, PartialEnvironment, UnknownAttribute
from keynote.errors import EvaluationError
from keynote.facts import OPPOSITE, attribute, fact
from keynote.misses import Change
from keynote.printing import printed
from keynote.redaction import quoted, shown
from keynote.syntax import Match, Name, walk

#: Characters of a value that are told.
_LONGEST: Final = 300
_MOST_NAMES: Final = 8


def described(changes: Sequence[Change], assertion: Assertion, environment: PartialEnvironment) -> str:
    """What the first change would be. Alternatives for one attribute are told together."""
    first = changes[0]
    if isinstance(first.truth, EvaluationError):
        return f"{first.truth} in `{printed(first.relation, 200)}`"
    needs = [_need(change, assertion) for change in changes]
    if needs[0] is None:
        return _plainly(first, assertion, environment)
    attribute, need = needs[0]
    alternatives = [other[1] for other in needs if other is not None and other[0] == attribute]
    if need.startswith("needs "):
        values = [text.removeprefix("needs ") for text in dict.fromkeys(alternatives) if text.startswith("needs ")]
        need = "needs " + one_of(values)
    return f"{_is(attribute, environment)}, {need}"


def _need(change: Change, assertion: Assertion) -> tuple[str, str] | None:
    """The attribute that a relation tests against a constant, and what it needs to be; None for other relations."""
    relation = change.relation
    if isinstance(relation, Match):
        pattern = expressions.string(relation.pattern, assertion.constants)
        name = attribute(relation.subject, assertion.constants)
        if name is None or not isinstance(pattern, str):
            return None
        return name, f"{'must match' if change.wanted else 'must not match'} {_value(pattern)}"
    found = fact(relation, assertion.constants)
    if found is None:
        return None
    name, constant = found.name, found.value
    operator = found.operator if change.wanted else OPPOSITE[found.operator]
    text = (_value(constant) if constant else '`""`') if isinstance(constant, str) else _number(constant)
    if operator == "==":
        return name, f"needs {text}"
    return name, f"must not be {text}" if operator == "!=" else f"needs {operator} {text}"


def _is(name: str, environment: Environment) -> str:
    try:
        value = environment.get(name, "")
    except UnknownAttribute:
        return f"{name} is unknown"
    return f"{name} is {_value(value)}" if value else f"{name} is empty"


def _value(text: str) -> str:
    """In backticks, and cut: an attribute may be as long as its sender likes."""
    # Hidden before it is cut, lest a part of a passphrase's prefix is taken for something else.
    return quoted(text) if len(text) <= _LONGEST else f"`{shown(text)[:_LONGEST]}…`"


def _number(number: int | float) -> str:
    text = str(number)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _plainly(change: Change, assertion: Assertion, environment: Environment) -> str:
    names = sorted(
        {node.name for node in walk(change.relation) if isinstance(node, Name)} - assertion.constants.keys()
    )
    shown_values = [_is(name, environment) for name in names[:_MOST_NAMES]]
    values = ", ".join(shown_values) + (" and so on" if len(names) > _MOST_NAMES else "")
    verdict = "does not hold" if change.wanted else "holds"
    return f"`{printed(change.relation, 200)}` {verdict}" + (f" ({values})" if values else "")


def one_of(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
