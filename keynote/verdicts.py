# SPDX-License-Identifier: ISC
"""What is told of Conditions that do not hold: which change, how far that is from the value, and how certain."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from keynote.compiler import CompiledProgram
from keynote.errors import EvaluationError
from keynote.facts import fact, reads_requesters
from keynote.files import SetAside
from keynote.misses import Change, Miss, nearest_miss
from keynote.retrial import Trials, names_in, trials
from keynote.routes import Link, Routes
from keynote.supposing import Also, Supposed, anything, truth_if
from keynote.syntax import Comparison, Match

#: Values of which the changes are told.
_TOLD: Final = 8


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """`distance` counts the changes of the easiest way through the assertion; it is None if none does,
    `ruled_out` where no value of an attribute leads through it. Unless it is `certain`, one change may not be enough,
    or more than two be needed. `alone`: one attribute was tried, and is enough. Where what the changes say of it is
    not, `example` has its name and a value.
    """

    miss: Miss
    distance: int | None
    certain: bool = True
    ruled_out: bool = False
    alone: bool = False
    example: tuple[str, str] | None = None


def verdict(found: Routes, link: Link) -> Verdict | None:
    """Of an assertion whose Conditions do not hold; None if there is nothing to change."""
    known = trials(found)
    if link.holds or link.miss is None or not link.miss.enough:
        return None
    if link not in found.totals:
        return Verdict(link.miss, None)
    if link not in known.told:
        known.told[link] = _verdict(found, known, link, link.miss)
    told = known.told[link]
    return told if isinstance(told, Verdict) else None


def _verdict(found: Routes, known: Trials, link: Link, miss: Miss) -> Verdict:
    distance = found.distance(link)
    if distance is None:
        return Verdict(miss, None)
    if (solved := _solved(found, known, link)) is not None:
        return solved
    alone = distance == 1
    if alone:
        # Of a value that was tried it is known that it does not do.
        names = _names(found, link)
        may = known.may(link.delegation, names)
        if may is not False:
            other = None if may is None else _nearest(found, link, [_otherwise(found, names)])
            return Verdict(other or miss, 1, certain=False)
        distance = 2
    needs = found.totals[link][1]
    if any(isinstance(need, SetAside) for need in needs):
        return Verdict(miss, distance, certain=not alone)  # the query was asked again without what was set aside
    for name in sorted(need for need in needs if isinstance(need, str)):
        values = known.ever(link.delegation, name) if known.contested(name) else None
        if values is None:
            continue
        if not values:
            return Verdict(miss, None, ruled_out=True)
        actions = [anything(found.evidence.scale, name, value) for value in values]
        other = _nearest(found, link, actions)
        if other is not None and other.needs != miss.needs:
            changed = (needs - miss.needs) | other.needs
            return Verdict(other, max(2, distance, len(changed)), certain=len(changed) > 1)
    return Verdict(miss, distance, certain=not alone)


def _solved(found: Routes, known: Trials, link: Link) -> Verdict | None:
    """If one attribute is enough."""
    solutions = known.solutions.get(link.delegation)
    if not solutions:
        return None
    name = next((need for need in solutions if need in found.totals[link][1]), next(iter(solutions)))
    misses = [
        _nearest_with(found, known, link, name, value)
        for number, value in enumerate(solutions[name][:_TOLD])
        if not number or known.afford(_program(link))
    ]
    told = [miss for miss in misses if miss is not None and miss.first]
    if not told:
        return None
    changes = {(change.relation, change.wanted): change for miss in told for change in miss.first}
    first, *_ = changes.values()
    first_of_all = [change for change in changes.values() if _is_value(change, link, name)]
    if first not in first_of_all:
        first_of_all = [first]
    needs = frozenset(need for need in told[0].needs if not isinstance(need, str)) | {name}
    miss = replace(told[0], first=tuple(first_of_all), needs=needs)
    satisfying = [
        value
        for value in known.tried[name]
        if not known.afford(_program(link)) or _satisfied(found, link, miss.first, name, value)
    ]
    # A constant that stands beside what may have a passphrase in it is not shown.
    if set(satisfying) <= set(solutions[name]) or any(reads_requesters(*one) for one in known.relations(name)):
        return Verdict(miss, 1, alone=True)
    return Verdict(miss, 1, alone=True, example=(name, solutions[name][0]))


def _is_value(change: Change, link: Link, name: str) -> bool:
    """Whether a change is that an attribute gets a certain value."""
    tested = fact(change.relation, link.delegation.assertion.constants)
    if tested is None or tested.name != name or isinstance(change.truth, EvaluationError):
        return False
    return tested.operator == ("==" if change.wanted else "!=")


def _satisfied(found: Routes, link: Link, changes: Iterable[Change], name: str, value: str) -> bool:
    """Whether one of the changes is brought about by a value, as far as anybody knows."""
    program = _program(link)
    action = _with(found, name, value)
    for change in changes:
        for clause in program.clauses:
            for number, relation in enumerate(clause.relations):
                if relation is change.relation:
                    truth = truth_if(clause, number, action, program.constants)
                    if truth is None or truth is change.wanted:
                        return True
    return False


def _nearest(found: Routes, link: Link, actions: list[Supposed]) -> Miss | None:
    program = _program(link)
    return nearest_miss(program, found.environment, found.evidence.scale, found.goal, actions)


def _nearest_with(found: Routes, known: Trials, link: Link, name: str, value: str) -> Miss | None:
    key = id(_program(link)), name, value  # policy and credential often have the same Conditions
    if key not in known.nearest:
        known.nearest[key] = _nearest(found, link, [_with(found, name, value)])
    return known.nearest[key]


def _program(link: Link) -> CompiledProgram:
    program = link.delegation.conditions
    assert program is not None, "its Conditions do not hold"
    return program


def _names(found: Routes, link: Link) -> frozenset[str]:
    """The attributes of the one thing that a way seems to lack."""
    (need,) = found.totals[link][1]
    if isinstance(need, str):
        return frozenset([need])
    if isinstance(need, (Comparison, Match)):
        return names_in(need, link.delegation.assertion.constants, found.evidence.facts)
    return frozenset()


def _with(found: Routes, name: str, value: str) -> Supposed:
    """The action, with another value of one attribute."""
    return Supposed({**found.environment, name: value}, found.environment.unknown)


def _otherwise(found: Routes, names: frozenset[str]) -> Supposed:
    """The action, with other values of these attributes than any that was tried."""
    known = {key: value for key, value in found.environment.items() if key not in names}
    (other,) = names if len(names) == 1 else ("",)
    return Supposed(known, Also(names, found.environment.unknown), other)
