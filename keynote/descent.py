# SPDX-License-Identifier: ISC
"""The search of `keynote.who`: from POLICY downwards, whoever has to have a value is replaced by those whom one of
his assertions licenses, until every set of principals that would do is found.

A way is kept as its last step, which knows the one before it, so that a chain of ten thousand delegations is ten
thousand steps and not their sums. What has to be known of a whole way at each step is kept so small that a copy costs
nothing: the conditions as the bits of a number, and of bounds of attributes a few.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keynote.alternatives import conditions_of
from keynote.combinations import minimal_sets
from keynote.environment import PartialEnvironment, Scale
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation
from keynote.facts import fact
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.principals import POLICY
from keynote.printing import printed
from keynote.residuals import residual
from keynote.sets import Set, compared
from keynote.syntax import Comparison, Or, Program, Test

#: Ways of which the `&&` and k-of of one Licensees field have more are not all followed.
COMBINATIONS: Final = 1_000
#: Sets of more than one principal, and ways to one set.
SETS: Final = 2_000
WAYS: Final = 8

#: Of a way, attributes whose values are followed, and the cuts of a set of values: past these a contradiction may
#: stay unnoticed.
_FOLLOWED: Final = 100
_CUTS: Final = 64
#: Of a way, what stands at either end, where not all of it is shown.
END: Final = 5
DEPENDS: Final = 6
#: The longest text of one condition.
_LENGTH: Final = 10_000

Principals = tuple[str, ...]  # sorted, so that the same set is the same tuple


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step:
    """One delegation on a way. `conditions` are what it asks for and no step before it did.

    The rest is of the whole way up to here: `length`, the number of steps; `asked`, a bit for each condition;
    `values`, what these leave of attributes, where a passphrase may be among them; the first END of its assertions,
    and of its conditions; and `depends`, the expressions that name an authorizer or a licensee and are unknown, at
    most DEPENDS. `asking` is the last step before this one that has a condition.
    """

    before: "Step | None"
    assertion: Location
    conditions: tuple[str, ...]
    length: int
    asked: int
    values: Mapping[str, Set]
    first_assertions: tuple[Location, ...]
    first_conditions: tuple[str, ...]
    asking: "Step | None"
    depends: tuple[str, ...]

    @classmethod
    def after(
        cls,
        before: "Step | None",
        assertion: Location,
        conditions: tuple[str, ...],
        asked: int,
        values: Mapping[str, Set],
        depends: tuple[str, ...],
    ) -> "Step":
        if before is None:
            return cls(None, assertion, conditions, 1, asked, values, (assertion,), conditions[:END], None, depends)
        places, texts = before.first_assertions, before.first_conditions
        return cls(
            before,
            assertion,
            conditions,
            before.length + 1,
            asked,
            values,
            places if len(places) == END else (*places, assertion),
            texts if len(texts) == END or not conditions else (*texts, *conditions)[:END],
            before if before.conditions else before.asking,
            tuple(dict.fromkeys((*before.depends, *depends)))[:DEPENDS] if depends else before.depends,
        )

    def backwards(self) -> Iterator["Step"]:
        """This step, and those before it."""
        step: Step | None = self
        while step is not None:
            yield step
            step = step.before

    def conditions_backwards(self) -> Iterator[str]:
        """The conditions of the whole way, the last first."""
        step = self if self.conditions else self.asking
        while step is not None:
            yield from reversed(step.conditions)
            step = step.asking


class Search:
    """`found` lists the sets. `more_ways` has those to which there are more than WAYS, and `cut` is true if there
    are combinations that were not followed; both are known when all are listed."""

    def __init__(self, delegations: Sequence[Delegation], facts: PartialEnvironment, ranks: Scale, goal: int) -> None:
        self._facts, self._ranks, self._goal = facts, ranks, goal
        self._by_authorizer: dict[str, list[Delegation]] = {}
        for delegation in delegations:
            self._by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
        self._conditions: dict[Delegation, tuple[str, ...] | None] = {}
        self._bits: dict[str, int] = {}  # of each condition
        self._sets: dict[str, tuple[str, Set]] = {}  # what a condition's text leaves to one attribute
        self._ways: dict[Principals, list[Step]] = {}
        self._large: dict[str, list[Principals]] = {}  # sets of more than one, by the first
        self._large_count = 0
        self.more_ways: set[Principals] = set()
        self.cut = False

    def found(self) -> Iterator[tuple[Principals, list[Step]]]:
        """Each set that would do, with the ways to it, nearest to POLICY first."""
        todo: deque[tuple[Principals, Step | None]] = deque()
        # An assertion whose authorizer is unknown may be POLICY's own.
        todo += [((POLICY,), None), ((UNKNOWN_AUTHORIZER,), None)]
        while todo:
            principals, way = todo.popleft()
            for principal in principals:
                for delegation in self._by_authorizer.get(principal, ()):
                    todo += self._through(principals, principal, delegation, way)
        for principals, ways in self._ways.items():
            # What asks for less, or for fewer principals, may have been found later.
            least = [
                way
                for way in ways
                if not any(other.asked != way.asked and not other.asked & ~way.asked for other in ways)
                and not self._implied(principals, way, smaller=True)
            ]
            if least and POLICY not in principals:
                yield principals, least

    def _through(
        self, principals: Principals, principal: str, delegation: Delegation, way: Step | None
    ) -> Iterator[tuple[Principals, Step]]:
        """The sets with those whom an assertion licenses in the place of its authorizer, and the ways to them."""
        further = self._step(delegation, way)
        if further is None:
            return
        rest = set(principals) - {principal}
        field = delegation.assertion.licensees
        if field is None:
            below = tuple(sorted(rest))
            if self._add(below, further):
                yield below, further
            return
        names = licensee_names(delegation.assertion, self._facts)
        sets, cut = minimal_sets(field.tree, names, COMBINATIONS)
        self.cut = self.cut or cut
        unknown = [printed(node, _LENGTH) for node, name in names.items() if name == UNKNOWN_LICENSEE]
        named = replace(further, depends=(*further.depends, *unknown)[:DEPENDS]) if unknown else further
        for licensed in sets:
            if principal not in licensed:
                below = tuple(sorted(rest | licensed))
                step = named if UNKNOWN_LICENSEE in licensed else further
                if self._add(below, step):
                    yield below, step

    def _step(self, delegation: Delegation, way: Step | None) -> Step | None:
        """The way that goes on through a delegation; None if its Conditions cannot hold, or not with those before."""
        if delegation not in self._conditions:
            self._conditions[delegation] = self._remaining(delegation)
        conditions = self._conditions[delegation]
        if conditions is None:
            return None
        asked, values = (0, _NO_VALUES) if way is None else (way.asked, way.values)
        added = []
        for text in conditions:
            bit = self._bits[text]
            if not asked & bit:
                asked |= bit
                added.append(text)
        left = self._narrowed(values, added)
        if left is None:
            return None
        unknown = delegation.authorizer == UNKNOWN_AUTHORIZER
        depends = (printed(delegation.assertion.authorizer.tree, _LENGTH),) if unknown else ()
        return Step.after(way, delegation.assertion.where, tuple(added), asked, left, depends)

    def _narrowed(self, values: Mapping[str, Set], added: Sequence[str]) -> Mapping[str, Set] | None:
        """What conditions leave to the attributes; None if no value of some attribute meets them all."""
        changed: dict[str, Set] = {}
        for text in added:
            name, meets = self._sets.get(text, ("", None))
            if meets is None:
                continue
            before = changed.get(name) or values.get(name)
            left = meets if before is None else before & meets
            if not left:
                return None
            if len(left.cuts) <= _CUTS and (before is not None or len(values) + len(changed) < _FOLLOWED):
                changed[name] = left
        return {**values, **changed} if changed else values

    def _remaining(self, delegation: Delegation) -> tuple[str, ...] | None:
        found = residual(delegation, self._facts, self._ranks, self._goal)
        if isinstance(found, bool):
            return () if found else None
        return tuple(dict.fromkeys(map(self._text, conditions_of(found))))

    def _text(self, condition: Test | Program) -> str:
        text = printed(condition, _LENGTH)
        if isinstance(condition, Program):
            text = f"{{ {text} }}"
        told = fact(condition, {}) if isinstance(condition, Comparison) else None
        # `_1` is something else in each test.
        if told is not None and not isinstance(told.value, float) and not told.name.startswith("_"):
            sort = "" if isinstance(told.value, str) else "@"
            self._sets[text] = sort + told.name, compared(told.operator, told.value)
        text = f"({text})" if isinstance(condition, Or) else text
        self._bits.setdefault(text, 1 << len(self._bits))
        return text

    def _add(self, principals: Principals, way: Step) -> bool:
        """Whether this way is new, and asks for less than every other one."""
        if self._implied(principals, way, smaller=False):
            return False
        ways = self._ways.setdefault(principals, [])
        if len(ways) == WAYS:
            self.more_ways.add(principals)
            return False
        if not ways and len(principals) > 1:
            if self._large_count == SETS:
                self.cut = True
                del self._ways[principals]
                return False
            self._large_count += 1
            self._large.setdefault(principals[0], []).append(principals)
        ways.append(way)
        return True

    def _implied(self, principals: Principals, way: Step, *, smaller: bool) -> bool:
        """Whether fewer of these principals would do, or, unless `smaller`, as many, under no more conditions."""
        return any(
            not other.asked & ~way.asked
            for key in self._covered(principals, smaller=smaller)
            for other in self._ways.get(key, ())
        )

    def _covered(self, principals: Principals, *, smaller: bool) -> Iterator[Principals]:
        """The sets that these principals include, of those that there are."""
        if not smaller:
            yield principals
        if principals:
            yield ()
        if len(principals) > 1:
            whole = frozenset(principals)
            for principal in principals:
                yield (principal,)
                for other in self._large.get(principal, ()):
                    if len(other) < len(principals) and whole.issuperset(other):
                        yield other


_NO_VALUES: Final[Mapping[str, Set]] = {}
