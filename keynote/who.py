# SPDX-License-Identifier: ISC
"""Who could get in: for attributes of which some are given, the principals with a possible value, and what remains.

From POLICY downwards, whoever has to have a value is replaced by those whom one of his assertions licenses, until
every set of principals that would do is found, with the conditions on each way to it (`keynote.descent`). Conditions
that the known attributes settle are not followed. Each set's lowest and highest value is that of an interval query
(`keynote.standing`).

What is not listed cannot get in, with one exception that the result tells: `cut` is true if there were too many
combinations of `&&` and k-of. Conditions that contradict each other are noticed where they compare one attribute with
constants; with others, what is listed may still be impossible.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, TypeVar

from keynote.descent import DEPENDS, END, Search, Step
from keynote.environment import PartialEnvironment, Unknown, environment, scale
from keynote.errors import QueryError
from keynote.locations import Location
from keynote.principals import shown_principal
from keynote.redaction import hiding
from keynote.session import BOOLEAN, Session
from keynote.standing import Interval, Standings

T = TypeVar("T")

ANYBODY: Final = "anybody"


@dataclass(frozen=True, slots=True)
class Ends(Generic[T]):
    """A list as people read it: all of it, or what stands first and last, with how many are left out between."""

    first: tuple[T, ...]
    left_out: int = 0
    last: tuple[T, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """One way to authority, by its last step. Ways share the steps that they have in common, so that a long chain
    costs no more than its length; who wants all of a way walks it."""

    last: Step

    @property
    def conditions(self) -> tuple[str, ...]:
        """What still has to hold, as texts of which all are needed: tests, and in braces clauses of which one has to
        hold, where a run-time error in one test would hide that another holds."""
        return tuple(self.last.conditions_backwards())[::-1]

    @property
    def assertions(self) -> tuple[Location, ...]:
        """By which assertions, POLICY's first."""
        return tuple(step.assertion for step in self.last.backwards())[::-1]

    @property
    def shown_conditions(self) -> Ends[str]:
        step = self.last
        return _ends(step.asked.bit_count(), step.first_conditions, step.conditions_backwards())

    @property
    def shown_assertions(self) -> Ends[Location]:
        step = self.last
        return _ends(step.length, step.first_assertions, (each.assertion for each in step.backwards()))

    @property
    def depends(self) -> Ends[str]:
        """The expressions with unknown values that name principals on this way, of many the first."""
        found = self.last.depends
        return Ends(found[: DEPENDS - 1], int(len(found) == DEPENDS))


def _ends(count: int, first: tuple[T, ...], backwards: Iterator[T]) -> Ends[T]:
    last = tuple(islice(backwards, min(END, count - len(first))))[::-1]
    return Ends(first, count - len(first) - len(last), last)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Principals who together could get in, as people read them, an unknown one last. `principals` is ("anybody",)
    where nobody in particular is licensed. There are `more_ways` than those listed if that is true."""

    principals: tuple[str, ...]
    lowest: str
    highest: str
    ways: tuple[Way, ...]
    more_ways: bool = False

    @property
    def value(self) -> str:
        return self.lowest if self.lowest == self.highest else f"{self.lowest}..{self.highest}"


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those nearest to POLICY first. `cut`: there are combinations that were not followed."""

    found: tuple[Candidate, ...]
    cut: bool

    def __iter__(self) -> Iterator[Candidate]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)


def who(
    session: Session,
    action: Mapping[str, str],
    values: Sequence[str] = BOOLEAN,
    at_least: str | None = None,
) -> Candidates:
    """Who could get the value `at_least`, by default any above the lowest. What `action` does not give is unknown.

    Raises QueryError for what cannot be an action or a value.
    """
    ranks = scale(tuple(values))
    goal = 1 if at_least is None else ranks.index.get(at_least, 0)
    if not 0 < goal <= ranks.top:
        raise QueryError("the value to reach must be one of the compliance values above the lowest")
    # Nobody who is named anywhere, so what he could get, anybody could.
    licensees = session.licensees()
    stranger = ANYBODY
    while stranger in licensees:
        stranger += "?"

    def ask(principals: Sequence[str]) -> Interval:
        known = [stranger if principal.startswith("\0") else principal for principal in principals]
        evidence = session.query(action, known or [stranger], values, _EVERYTHING).evidence
        return evidence.lowest, evidence.highest

    nobody = session.query(action, [stranger], values, _EVERYTHING).evidence
    standings = Standings(nobody, ask)
    search = Search(list(nobody.delegations), _AnyRequester(environment(action, [stranger], ranks)), ranks, goal)
    with hiding(nobody.keys()):
        found = [
            _candidate(principals, ways, ranks.values[low], ranks.values[high], principals in search.more_ways)
            for principals, ways in search.found()
            for low, high in [standings.of(principals)]
            if high >= goal
        ]
    return Candidates(tuple(found), search.cut)


def _candidate(
    principals: Iterable[str], ways: Iterable[Step], lowest: str, highest: str, more_ways: bool
) -> Candidate:
    # What stands for an unknown one is the first of all texts.
    known = sorted(principals, key=lambda principal: principal.startswith("\0"))
    names = tuple(map(shown_principal, known)) or (ANYBODY,)
    return Candidate(names, lowest, highest, tuple(map(Way, ways)), more_ways)


_EVERYTHING: Final = Unknown.except_(())


class _AnyRequester(PartialEnvironment):
    """Unknown is also who requests the action, which a test can read."""

    __slots__ = ()

    def __init__(self, facts: dict[str, str]) -> None:
        super().__init__(facts, _EVERYTHING)
        del self["_ACTION_AUTHORIZERS"]

    def is_unknown(self, name: str) -> bool:
        return name == "_ACTION_AUTHORIZERS" or super().is_unknown(name)
