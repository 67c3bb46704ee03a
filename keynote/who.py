# SPDX-License-Identifier: ISC
"""Who could get in: for attributes of which some are given, the principals with a possible value, and what remains.

From POLICY downwards, whoever has to have a value is replaced by those whom one of his assertions licenses, until
every set of principals that would do is found, with the conditions on each way to it. Conditions that the known
attributes settle are not followed. Each set's lowest and highest value is that of an interval query.

What is not listed cannot get in, with one exception that the result tells: `cut` is true if there were too many
combinations of `&&` and k-of. Conditions that contradict each other are noticed where they compare one attribute with
constants; with others, what is listed may still be impossible.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keynote.combinations import minimal_sets
from keynote.environment import PartialEnvironment, Scale, Unknown, environment, scale
from keynote.errors import QueryError
from keynote.evaluator import UNKNOWN_AUTHORIZER, Delegation, Delegations
from keynote.evidence import Evidence
from keynote.facts import fact
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.redaction import hiding
from keynote.residuals import conjuncts, residual
from keynote.session import BOOLEAN, Session
from keynote.sets import Set, compared
from keynote.syntax import Comparison, Or, Test

#: Ways of which the `&&` and k-of of one Licensees field have more are not all followed.
COMBINATIONS: Final = 1_000
#: Sets of more than one principal, and ways to one set.
SETS: Final = 2_000
WAYS: Final = 8

ANYBODY: Final = "anybody"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to authority: what still has to hold, as texts of tests of which all are needed, and by which
    assertions, POLICY's first."""

    conditions: tuple[str, ...]
    assertions: tuple[Location, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Principals who together could get in, as people read them. `principals` is ("anybody",) where nobody in
    particular is licensed. There are `more_ways` than those listed if that is true."""

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
    stranger = ANYBODY
    while stranger in session.licensees():
        stranger += "?"
    asked = session.query(action, [stranger], values, _EVERYTHING).evidence
    with hiding(asked.keys()):
        return _candidates(session, asked, action, ranks, goal, stranger)


def _candidates(
    session: Session, asked: Evidence, action: Mapping[str, str], ranks: Scale, goal: int, stranger: str
) -> Candidates:
    values = ranks.values
    search = _Search(asked.delegations, _AnyRequester(environment(action, [stranger], ranks)), ranks, goal)
    found = []
    for principals, ways in search.found():
        known = [stranger if principal.startswith("\0") else principal for principal in principals]
        decision = session.query(action, known or [stranger], values, _EVERYTHING)
        if ranks.index[decision.highest] >= goal:
            names = tuple(map(shown_principal, principals)) or (ANYBODY,)
            more = principals in search.more_ways
            found.append(Candidate(names, decision.lowest, decision.highest, tuple(ways), more))
    return Candidates(tuple(found), search.cut)


_EVERYTHING: Final = Unknown.except_(())


class _AnyRequester(PartialEnvironment):
    """Unknown is also who requests the action, which a test can read."""

    __slots__ = ()

    def __init__(self, facts: dict[str, str]) -> None:
        super().__init__(facts, _EVERYTHING)
        del self["_ACTION_AUTHORIZERS"]

    def is_unknown(self, name: str) -> bool:
        return name == "_ACTION_AUTHORIZERS" or super().is_unknown(name)


_Principals = tuple[str, ...]  # sorted, so that the same set is the same tuple


class _Search:
    def __init__(self, delegations: Delegations, facts: PartialEnvironment, ranks: Scale, goal: int) -> None:
        self._facts, self._ranks, self._goal = facts, ranks, goal
        self._by_authorizer: dict[str, list[Delegation]] = {}
        for delegation in delegations:
            self._by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
        self._conditions: dict[Delegation, tuple[str, ...] | None] = {}
        self._sets: dict[str, tuple[str, Set]] = {}  # what a condition's text leaves to one attribute
        self._ways: dict[_Principals, list[Way]] = {}
        self._large: list[_Principals] = []  # sets of more than one
        self.more_ways: set[_Principals] = set()
        self.cut = False

    def found(self) -> Iterator[tuple[_Principals, list[Way]]]:
        """Each set that would do, with the ways to it, nearest to POLICY first."""
        todo: deque[tuple[_Principals, Way]] = deque()
        # An assertion whose authorizer is unknown may be POLICY's own.
        todo += [((POLICY,), Way((), ())), ((UNKNOWN_AUTHORIZER,), Way((), ()))]
        while todo:
            principals, way = todo.popleft()
            for principal in principals:
                for delegation in self._by_authorizer.get(principal, ()):
                    for below in self._licensed(principals, principal, delegation):
                        further = self._through(delegation, way)
                        if further is not None and self._add(below, further):
                            todo.append((below, further))
        for principals, ways in self._ways.items():
            # What asks for less, or for fewer principals, may have been found later.
            least = [
                way
                for way in ways
                if not any(set(other.conditions) < set(way.conditions) for other in ways)
                and not self._implied(principals, way, smaller=True)
            ]
            if least and POLICY not in principals:
                yield principals, least

    def _licensed(self, principals: _Principals, principal: str, delegation: Delegation) -> Iterator[_Principals]:
        """The sets with, in the place of one principal, those whom he licenses."""
        rest = set(principals) - {principal}
        field = delegation.assertion.licensees
        if field is None:
            yield tuple(sorted(rest))
            return
        names = licensee_names(delegation.assertion, self._facts)
        sets, cut = minimal_sets(field.tree, names, COMBINATIONS)
        self.cut = self.cut or cut
        for licensed in sets:
            if principal not in licensed:
                yield tuple(sorted(rest | licensed))

    def _through(self, delegation: Delegation, way: Way) -> Way | None:
        """The way that goes on through a delegation; None if its Conditions cannot hold, or not with those before."""
        if delegation not in self._conditions:
            self._conditions[delegation] = self._remaining(delegation)
        conditions = self._conditions[delegation]
        if conditions is None:
            return None
        all_conditions = tuple(dict.fromkeys((*way.conditions, *conditions)))
        if self._contradictory(all_conditions):
            return None
        return Way(all_conditions, (*way.assertions, delegation.assertion.where))

    def _contradictory(self, conditions: Sequence[str]) -> bool:
        """Whether no value of some attribute meets them all."""
        left: dict[str, Set] = {}
        for text in conditions:
            name, values = self._sets.get(text, ("", None))
            if values is not None:
                left[name] = left[name] & values if name in left else values
        return not all(left.values())

    def _remaining(self, delegation: Delegation) -> tuple[str, ...] | None:
        found = residual(delegation, self._facts, self._ranks, self._goal)
        if isinstance(found, bool):
            return () if found else None
        return tuple(map(self._text, conjuncts(found)))

    def _text(self, condition: Test) -> str:
        text = printed(condition, _LENGTH)
        told = fact(condition, {}) if isinstance(condition, Comparison) else None
        # `_1` is something else in each test.
        if told is not None and not isinstance(told.value, float) and not told.name.startswith("_"):
            sort = "" if isinstance(told.value, str) else "@"
            self._sets[text] = sort + told.name, compared(told.operator, told.value)
        return f"({text})" if isinstance(condition, Or) else text

    def _add(self, principals: _Principals, way: Way) -> bool:
        """Whether this way is new, and asks for less than every other one."""
        if self._implied(principals, way, smaller=False):
            return False
        ways = self._ways.setdefault(principals, [])
        if len(ways) == WAYS:
            self.more_ways.add(principals)
            return False
        if not ways and len(principals) > 1:
            if len(self._large) == SETS:
                self.cut = True
                del self._ways[principals]
                return False
            self._large.append(principals)
        ways.append(way)
        return True

    def _implied(self, principals: _Principals, way: Way, *, smaller: bool) -> bool:
        """Whether fewer of these principals would do, or, unless `smaller`, as many, under no more conditions."""
        whole = frozenset(principals)
        sets: list[_Principals] = [] if smaller else [principals]
        if principals:
            sets.append(())
        if len(principals) > 1:
            sets += [(principal,) for principal in principals]
            sets += (other for other in self._large if len(other) < len(whole) and whole.issuperset(other))
        conditions = frozenset(way.conditions)
        return any(conditions.issuperset(other.conditions) for key in sets for other in self._ways.get(key, ()))


#: The longest text of one condition.
_LENGTH: Final = 10_000
