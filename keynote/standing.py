# SPDX-License-Identifier: ISC
"""The answers to queries by many sets of principals, of one action, found from each other.

What POLICY's value is by the value of one principal is a polynomial of `min` and `max`, so f(v) = max(f(0), min(v,
f(top))). Hence a principal whom one assertion alone licenses, and by his own, comes to what its authorizer would,
at most what its Conditions give. And where no `&&` and no k-of is anywhere above a principal, he comes to what the
widest way down to him lets through. Everything else is asked as a query of its own.
"""

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from keynote.bounds import Bounds
from keynote.compiler import names_read
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation
from keynote.evidence import Evidence
from keynote.principals import POLICY
from keynote.syntax import AllOf, Literal, Nobody, Node, Threshold, walk

#: The lowest and the highest value, as ranks.
Interval = tuple[int, int]
_Set = frozenset[str]

#: Sets of more are asked as they are.
_MOST: Final = 8


class Standings:
    """`nobody` is the evidence of a query by somebody whom no assertion names; `ask` makes a query."""

    def __init__(self, nobody: Evidence, ask: Callable[[Sequence[str]], Interval]) -> None:
        self._ask = ask
        self._top = nobody.scale.top
        self._found: dict[_Set, Interval] = {frozenset(): (nobody.lowest, nobody.highest)}
        self._licensed: dict[str, list[Delegation]] = {}
        self._by_authorizer: dict[str, list[Delegation]] = {}
        for delegation in nobody.delegations:
            self._by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
            for principal in delegation.licensees.principals if delegation.licensees else ():
                self._licensed.setdefault(principal, []).append(delegation)
        self._bounds = Bounds(nobody.facts, nobody.asked_by.text, nobody.unknown, nobody.scale)
        self._together = {one for one in nobody.delegations if not _each_is_enough(one)}
        # Unknown principals count in the highest value and not in the lowest, and what reads who requests is another
        # assertion in each query.
        unknown = UNKNOWN_LICENSEE in self._licensed or UNKNOWN_AUTHORIZER in self._by_authorizer
        self._same = not unknown and not _depends_on_requesters(nobody.delegations)
        self._widest = self._widths() if self._same else {}

    def of(self, principals: Sequence[str]) -> Interval:
        """The answer to a query by these principals together; by nobody in particular if there are none."""
        if not self._same or len(principals) > _MOST:
            return self._ask(principals)
        return self._of(frozenset(principals))

    def _of(self, asked: _Set) -> Interval:
        way: list[
            tuple[_Set, Interval, Interval]
        ] = []  # what is asked, what comes without the principal, and a limit
        current = asked
        passed: set[_Set] = set()
        while (answer := self._known(current)) is None and current not in passed:
            passed.add(current)
            step = self._step(current)
            if step is None:
                break
            principal, delegation = step
            way.append((current, self._of(current - {principal}), self._limit(delegation)))
            current = current - {principal} | {delegation.authorizer}
        if answer is None:
            answer = self._found[current] = self._ask(sorted(current))
        for below, without, limit in reversed(way):
            low, high = (max(without[end], min(limit[end], answer[end])) for end in (0, 1))
            answer = self._found.setdefault(below, (low, high))
        return answer

    def _known(self, principals: _Set) -> Interval | None:
        if POLICY in principals:
            return self._top, self._top
        found = self._found.get(principals)
        if found is None and len(principals) == 1:
            (principal,) = principals
            widest = self._widest.get(principal)
            if widest is not None:
                low, high = self._found[frozenset()]
                return max(low, widest[0]), max(high, widest[1])
        return found

    def _step(self, principals: _Set) -> tuple[str, Delegation] | None:
        """A principal whom one assertion alone licenses, and what he is licensed by; rather one from whom a set comes
        that is known already."""
        first = None
        for principal in sorted(principals):
            licensed = self._licensed.get(principal, ())
            if len(licensed) != 1 or licensed[0].authorizer == principal or licensed[0] in self._together:
                continue
            if principals - {principal} | {licensed[0].authorizer} in self._found:
                return principal, licensed[0]
            first = first or (principal, licensed[0])
        return first

    def _limit(self, delegation: Delegation) -> Interval:
        program = delegation.conditions
        if program is None:
            return self._top, self._top
        return self._bounds.lowest(program), self._bounds.highest(program)

    # -- the widest ways down ----------------------------------------------------------------------------------------

    def _widths(self) -> dict[str, Interval]:
        """What the widest way from POLICY lets through to each principal who is below no `&&` and no k-of."""
        lowest, highest = (self._widths_by(end) for end in (0, 1))
        bound_up = self._bound_up()
        return {name: (lowest.get(name, 0), high) for name, high in highest.items() if name not in bound_up}

    def _widths_by(self, end: int) -> dict[str, int]:
        found: dict[str, int] = {}
        heap = [(-self._top, POLICY)]
        while heap:
            negative, principal = heapq.heappop(heap)
            if principal in found:
                continue
            found[principal] = -negative
            for delegation in self._by_authorizer.get(principal, ()):
                width = min(-negative, self._limit(delegation)[end])
                if width and delegation not in self._together:
                    for licensee in delegation.licensees.principals if delegation.licensees else ():
                        if licensee not in found:
                            heapq.heappush(heap, (-width, licensee))
        return found

    def _bound_up(self) -> set[str]:
        """Who is licensed together with others, and all below them."""
        todo: list[str] = []
        found: set[str] = set()
        agenda = list(self._together)
        while agenda or todo:
            for delegation in agenda:
                for licensee in delegation.licensees.principals if delegation.licensees else ():
                    if licensee not in found:
                        found.add(licensee)
                        todo.append(licensee)
            agenda = self._by_authorizer.get(todo.pop(), []) if todo else []
        return found


def _each_is_enough(delegation: Delegation) -> bool:
    """Whether each of its licensees gets all that it gives."""
    field = delegation.assertion.licensees
    if field is None or delegation.licensee is not None:
        return True
    return not any(isinstance(node, (AllOf, Threshold, Nobody)) for node in walk(field.tree))


def _depends_on_requesters(delegations: Iterable[Delegation]) -> bool:
    trees: dict[int, Node] = {}
    for delegation in delegations:
        assertion = delegation.assertion
        for field in (assertion.authorizer, assertion.licensees, assertion.conditions):
            if field is not None and not isinstance(field.tree, Literal):
                trees[id(field.tree)] = field.tree
    read = map(names_read, trees.values())
    return any(names is None or "_ACTION_AUTHORIZERS" in names for names in read)
