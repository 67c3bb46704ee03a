# SPDX-License-Identifier: ISC
"""Whether it is true that one attribute is all that is lacking.

A denial is told by what each test lacks, but two tests may want the same attribute otherwise. So where one attribute
is said to be enough, the query is asked again with values that the tests ask for.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from keynote.compiler import CompiledProgram
from keynote.conditions import conditions_interval
from keynote.environment import Environment, PartialEnvironment
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, fixed_point
from keynote.facts import fact
from keynote.principals import POLICY
from keynote.routes import Link, Routes
from keynote.syntax import Relation

#: Values that are tried for an attribute, and attributes; and relations that each query may have to look at.
_VALUES: Final = 20
_NAMES: Final = 5
_RELATIONS: Final = 2_000


def refuted(found: Routes, link: Link, distance: int) -> bool:
    """Whether no value that a test asks for would do, where one attribute is said to be lacking. If none can be
    found, as for a regular expression, it is not refuted."""
    needs = found.totals[link][1]
    if distance != 1 or len(needs) != 1:
        return False
    (name,) = needs
    if not isinstance(name, str):
        return False
    if name not in found.retrials:
        found.retrials[name] = _some_value_does(found, name)
    return found.retrials[name] is False


def _some_value_does(found: Routes, name: str) -> bool | None:
    """None if it is not known."""
    if sum(1 for link in found.links for _ in islice(_relations(link), _RELATIONS)) > _RELATIONS:
        return None
    values = dict.fromkeys(value for link in found.links for value in _wanted(link, name))
    if not values or len(found.retrials) >= _NAMES:
        return None
    if any(_reached(found, name, value) for value in islice(values, _VALUES)):
        return True
    return False if len(values) <= _VALUES else None


def _wanted(link: Link, name: str) -> Iterator[str]:
    """Values of an attribute that stand in an assertion's tests of it, and their neighbours."""
    constants = link.delegation.assertion.constants
    for relation in _relations(link):
        tested = fact(relation, constants)
        if tested is not None and tested.name == name:
            yield from _values(tested.value)


def _relations(link: Link) -> Iterator[Relation]:
    program = link.delegation.conditions
    for clause in program.clauses if program else ():
        yield from clause.relations


def _values(value: str | int | float) -> Iterator[str]:
    if isinstance(value, str):
        yield from (value, value + " ", value[:-1], "")
    elif isinstance(value, int):
        yield from (str(value), str(value + 1), str(value - 1))
    else:
        yield from (f"{value:f}", f"{value + 1:f}", f"{value - 1:f}")


def _reached(found: Routes, name: str, value: str) -> bool:
    evidence = found.evidence
    facts: Environment = dict(found.environment)
    facts[name] = value
    environment = PartialEnvironment(facts, found.environment.unknown)
    scale = evidence.scale

    def conditions(program: CompiledProgram) -> int:
        return conditions_interval(program, environment, scale)[1]

    anybody = (*evidence.requesters, UNKNOWN_LICENSEE)
    values, _ = fixed_point(anybody, evidence.delegations, conditions, scale.top)
    return max(values.get(POLICY, 0), values.get(UNKNOWN_AUTHORIZER, 0)) >= found.goal
