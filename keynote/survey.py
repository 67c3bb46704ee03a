# SPDX-License-Identifier: ISC
"""What `keynote why` prints as a tree.

The deciding path from POLICY down to the requesters; or, of a denial, the ways that there could have been, nearest
first, and what each assertion on them said. Where there is no way, all that is below POLICY is shown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from keynote.assertions import Field
from keynote.conditions import outcomes
from keynote.evaluator import UNKNOWN_AUTHORIZER, Delegation, Raise
from keynote.evidence import Evidence
from keynote.locations import Location
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.proof import Step, steps
from keynote.reasons import below_policy, condition_reason, licensee_reason
from keynote.routes import Link, Routes, routes, with_refused
from keynote.syntax import AllOf, AnyOf, Licensees, Threshold, leftmost

#: What is shown at most, altogether and of one authorizer's assertions: nobody reads more.
LINES: Final = 500
_SIBLINGS: Final = 50
_DEPTH: Final = 40
#: Assertions more, with those that were set aside.
_ASIDE: Final = 20


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tree. `good` is True or False where it helps or stands in the way, and else None."""

    depth: int
    text: str
    good: bool | None = None


# -- what is allowed -------------------------------------------------------------------------------------------------


def proved(evidence: Evidence, raises: Sequence[Raise], goal: int) -> tuple[Line, ...]:
    """The path by which the value `goal` was reached."""
    path = steps(evidence, raises, goal)
    return tuple(_cut(_path(path))) if path else (Line(0, "POLICY requests it", True),)


def _path(path: Sequence[Step]) -> Iterator[Line]:
    told: set[int] = set()
    todo: list[tuple[int, int | str]] = [(0, 0)]
    while todo:
        depth, item = todo.pop()
        if isinstance(item, str):
            yield Line(depth, f"{item} requests it", True)
            continue
        step = path[item]
        if item in told:
            yield Line(depth, f"{step.authorizer}, as above")
            continue
        told.add(item)
        yield Line(depth, step.authorizer)
        yield Line(depth + 1, _head(step.assertion.where, step.assertion.licensees), True)
        verb = "holds" if step.certain else "may hold"
        text = f"{_place(step.where)}: {verb}: {step.clause}" if step.held is not None else "no conditions"
        yield Line(depth + 2, text, True if step.certain else None)
        if step.remaining:
            yield Line(depth + 3, f"if {step.remaining}")
        below = [name if at is None else at for name, at in zip(step.licensees, step.next, strict=True)]
        todo += [(depth + 2, item) for item in reversed(below)]


# -- what is denied --------------------------------------------------------------------------------------------------


def denied(evidence: Evidence) -> tuple[Line, ...]:
    """The ways that there could have been."""
    found = routes(evidence, 1)
    shown = found.links if found.connected else [found.link(delegation) for delegation in below_policy(evidence)]
    known = dict.fromkeys(shown, found)
    ways = with_refused(evidence, 1)
    if ways is not None and ways.connected:
        seen = {link.delegation for link in shown}
        known |= dict.fromkeys(islice((link for link in ways.links if link.delegation not in seen), _ASIDE), ways)
        found = ways
    by_authorizer: dict[str, list[Link]] = {}
    for link in known:
        by_authorizer.setdefault(link.delegation.authorizer, []).append(link)
    return tuple(_cut(_Tree(found, known, by_authorizer).lines()))


class _Tree:
    """`known` says of each link among which routes it is."""

    def __init__(
        self, found: Routes, known: Mapping[Link, Routes], by_authorizer: Mapping[str, Sequence[Link]]
    ) -> None:
        self._found = found
        self._known = known
        self._by_authorizer = by_authorizer

    def lines(self) -> Iterator[Line]:
        seen: set[str] = set()
        roots = [root for root in (POLICY, UNKNOWN_AUTHORIZER) if root in self._by_authorizer or root == POLICY]
        todo: list[tuple[int, str | Link | Line]] = [(0, root) for root in reversed(roots)]
        while todo:
            depth, item = todo.pop()
            if isinstance(item, Line):
                yield item
            elif isinstance(item, str):
                yield self._principal(depth, item, item in seen)
                if item not in seen:
                    seen.add(item)
                    todo += reversed(list(self._assertions(depth + 1, item)))
            else:
                yield from self._assertion(depth, item)
                licensees = item.delegation.licensees
                below = licensees.principals if licensees else ()
                if len(below) > _SIBLINGS:
                    todo.append((depth + 1, Line(depth + 1, f"… and {len(below) - _SIBLINGS} more")))
                todo += [(depth + 1, licensee) for licensee in reversed(below[:_SIBLINGS])]

    def _assertions(self, depth: int, principal: str) -> Iterator[tuple[int, Link | Line]]:
        links = self._by_authorizer.get(principal, ())
        yield from ((depth, link) for link in links[:_SIBLINGS])
        if len(links) > _SIBLINGS:
            yield depth, Line(depth, f"… and {len(links) - _SIBLINGS} more assertions")

    def _principal(self, depth: int, principal: str, repeated: bool) -> Line:
        name = shown_principal(principal)
        if principal in self._found.evidence.requesters:
            return Line(depth, f"{name} requests it", True)
        if principal in self._by_authorizer:
            return Line(depth, f"{name}, as above" if repeated else name)
        if not principal:
            return Line(depth, "nobody, where a licensee is empty", False)
        text = "does not request it" if self._found.connected else "neither requests it nor delegates"
        return Line(depth, f"{name} {text}", None if principal in self._found.below else False)

    def _assertion(self, depth: int, link: Link) -> Iterator[Line]:
        found = self._known[link]
        reason = condition_reason(found, link)
        lacking = licensee_reason(
            found, link.delegation, None, found.totals[link][1] if link in found.totals else None
        )
        assertion = link.delegation.assertion
        yield Line(depth, _head(assertion.where, assertion.licensees), link.holds and link.refused is None)
        if link.refused is not None:
            yield Line(depth + 1, f"set aside: {link.refused.reason}", False)
        yield Line(depth + 1, str(reason), False) if reason else self._holding(depth + 1, link.delegation)
        if lacking is not None:
            yield Line(depth + 1, str(lacking), False)

    def _holding(self, depth: int, delegation: Delegation) -> Line:
        program, field = delegation.conditions, delegation.assertion.conditions
        if program is None or field is None:
            return Line(depth, "no conditions", True)
        goal = self._found.goal
        for outcome in outcomes(program, self._found.environment, self._found.evidence.scale):
            if outcome.highest >= goal:
                node = program.clauses[outcome.number].node
                certain = outcome.certain and outcome.lowest >= goal
                text = f"{_place(field.where(leftmost(node)))}: {'holds' if certain else 'may hold'}: "
                return Line(depth, text + printed(node, 300), True if certain else None)
        raise AssertionError("conditions that lack nothing have a clause that may hold")


# -- both ------------------------------------------------------------------------------------------------------------


def _head(where: Location, licensees: Field[Licensees] | None) -> str:
    if licensees is None:
        return f"{_place(where)} licenses anybody"
    several = isinstance(licensees.tree, (AllOf, AnyOf, Threshold))
    return _place(where) + (f" licenses {printed(licensees.tree, 200)}" if several else "")


def _place(where: Location) -> str:
    return where.brief


def _cut(lines: Iterable[Line]) -> Iterator[Line]:
    """At most so many lines, and none so deep that nobody could read it."""
    deep = False
    for number, line in enumerate(lines):
        if number >= LINES:
            yield Line(0, "…")
            return
        if line.depth <= _DEPTH:
            yield line
        elif not deep:
            yield Line(_DEPTH, "…")
        deep = line.depth > _DEPTH
