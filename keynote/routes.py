# SPDX-License-Identifier: ISC
"""The ways on which authority could have come from POLICY down to the requesters, and what each lacks.

A delegation could have carried it if POLICY leads to its authorizer, and a requester, or somebody on the way to one,
is among its licensees. What it lacks has a price: one for each attribute that its Conditions would need otherwise,
and more than all attributes for each licensee who would have to request the action too, and for a signature that is
none. The cheapest way through each delegation is found as shortest paths are (Dijkstra; Knuth for the fields where
several have to come together), first upwards from the requesters and then downwards from POLICY.
"""

import heapq
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import count, islice
from typing import Any, Final

from keynote import misses
from keynote.bounds import Bounds
from keynote.combinations import as_alternatives
from keynote.compiler import CompiledProgram
from keynote.conditions import conditions_interval
from keynote.costs import DEAR, NEVER, Costs, cheapest, costs, costs_of_others, total
from keynote.environment import PartialEnvironment
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Layer, fixed_point
from keynote.evidence import Evidence
from keynote.files import SetAside
from keynote.loading import delegations, licensee_names
from keynote.misses import Miss, Needs, nearest_miss
from keynote.principals import POLICY
from keynote.reach import below_policy
from keynote.supposing import anything, highest_if
from keynote.syntax import Licensees, Literal, Nobody, StringExpression

#: Principals looked at in Licensees fields, and relations in Conditions, before what is left is not priced any more.
_WORK: Final = 1_000_000
#: Delegations that are looked at to find out who else would do.
_TRIALS: Final = 300_000
#: Assertions set aside that are looked into.
_REFUSED: Final = 1_000
_ROOTS: Final = (POLICY, UNKNOWN_AUTHORIZER)
#: What others than the requester have to do, who sign or request as well, costs more than all that it could change
#: itself: nobody is told to find somebody where it is enough to propose something else.
_OTHERS: Final = DEAR
#: Licensees in a field for each of which it is found out what the others need.
_EXACT: Final = 50
#: Alternatives of a field that are looked at one by one.
_SETS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Never:
    """What no change of the action brings about."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A principal who would have to request the action, or be licensed to."""

    principal: str


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A delegation that could have carried the action. `holds`: its Conditions give the value, or may; if not, `miss`
    is the nearest that they come to it, or None if they never can. `refused` is why it does not count at all.
    `needs` is what it lacks itself, and `price` how much that is."""

    delegation: Delegation
    holds: bool
    miss: Miss | None
    refused: SetAside | None
    needs: Needs
    price: float


def _price(needs: Needs) -> float:
    if Never in needs:
        return NEVER
    return total(*(_OTHERS if isinstance(need, (Missing, SetAside)) else 1.0 for need in needs))


def union(some: Needs, others: Needs) -> Needs:
    """Cut at a length, but not what decides of how it is told."""
    found = misses.union(some, others)
    if len(found) < misses.MOST_NEEDS:
        return found
    if Never in some or Never in others:
        found |= {Never}
    if not any(isinstance(need, (Missing, SetAside)) for need in found):
        found |= set([need for need in (*some, *others) if isinstance(need, (Missing, SetAside))][:1])
    return found


class Routes:
    """`connected` says whether there is any way. `links` has the delegations on all of them, cheapest first; if there
    is none, those that lead up from the requesters. With `refused` delegations are among them that assertions would
    be which were set aside, and could count yet."""

    def __init__(self, evidence: Evidence, goal: int, refused: "Refused | None" = None) -> None:
        self.evidence = evidence
        self.goal = goal
        self.exhausted = False
        self.trials: Any = None
        self.told: Any = None
        #: Of a delegation who is wanted in its field, where that is not what is cheapest there.
        self.wanted: dict[Delegation, Sequence[str]] = {}
        self.environment: PartialEnvironment = evidence.partial_environment()
        self._left = _WORK
        self._trials = _TRIALS
        self._tried: dict[tuple[Delegation, Set[str], Set[str] | None], bool | None] = {}
        self._held: Set[str] | None = None
        self._fields: dict[Delegation, tuple[Licensees, Mapping[StringExpression, str]]] = {}
        self._programs: dict[int, tuple[bool, Miss | None]] = {}
        self._most: dict[int, int] = {}
        self._refused = refused or Refused(evidence, ())
        #: Who has a requester below, or requests.
        self.below: dict[str, None] = dict.fromkeys([*evidence.requesters, UNKNOWN_LICENSEE])
        found = self._upwards()
        licensed = evidence.delegations.licensed
        #: Delegations to the requesters by somebody whom nobody licenses.
        self.dangling = [one for one in found if one.authorizer not in _ROOTS and not licensed(one.authorizer)]
        self.connected = any(root in self.below for root in _ROOTS)
        self._prices: dict[str, float] = {}
        self._order: dict[str, int] = {}  # of those with prices: nobody's rests on a later one
        self._needs: dict[str, Needs] = {}
        self._best: dict[str, Link] = {}
        self.totals: dict[Link, tuple[float, Needs]] = {}
        #: Those of `links`, if there are ways.
        self.delegations: set[Delegation] = set()
        if self.connected:
            links = [self.link(delegation) for delegation in below_policy(found, self.below.__contains__)]
            self._price(links)
            self._total(links)
            self.delegations = {link.delegation for link in links}
            order = {link: number for number, link in enumerate(self.totals)}
            self.links = sorted(self.totals, key=lambda link: (self.totals[link][0], link.price, order[link]))
        else:
            self.links = [self.link(delegation) for delegation in found]

    # -- one delegation ----------------------------------------------------------------------------------------------

    def link(self, delegation: Delegation) -> Link:
        holds, miss = self._conditions(delegation)
        refused = self._refused.why.get(delegation)
        needs: Needs = frozenset() if refused is None else frozenset([refused])
        if not holds:
            needs |= miss.needs if miss is not None and miss.enough else frozenset([Never])
        return Link(delegation, holds, miss, refused, needs, _price(needs))

    def _conditions(self, delegation: Delegation) -> tuple[bool, Miss | None]:
        program = delegation.conditions
        if program is None:
            return True, None
        found = self._programs.get(id(program))
        if found is None:
            self._left -= sum(len(clause.steps) + 1 for clause in program.clauses)
            scale = self.evidence.scale
            holds = conditions_interval(program, self.environment, scale)[1] >= self.goal
            miss = None
            self.exhausted |= self._left <= 0
            if not holds and not self.exhausted:
                miss = nearest_miss(program, self.environment, scale, self.goal)
            found = self._programs[id(program)] = holds, miss
        return found

    def distance(self, link: Link) -> int | None:
        """How many things the cheapest way through a delegation lacks; None if nothing would help."""
        price, needs = self.totals[link]
        return None if price >= NEVER or Never in needs else len(needs)

    def want(self, link: Link, principals: Collection[str], here: Sequence[str]) -> None:
        """These principals are enough, of whom some are in the field of this delegation."""
        needs: Needs = frozenset(map(Missing, principals))
        self.totals[link] = _price(needs), needs
        self.wanted[link.delegation] = here

    def needs_others(self, link: Link) -> bool:
        """Whether the cheapest way through a delegation needs signatures, or principals who request too."""
        return any(isinstance(need, (Missing, SetAside)) for need in self.totals[link][1])

    def names(self, delegation: Delegation) -> dict[StringExpression, str]:
        """The principals of its Licensees field, by node."""
        field, licensees = delegation.assertion.licensees, delegation.licensees
        if field is None or licensees is None or isinstance(field.tree, Nobody):
            return {}
        if delegation.licensee is not None and isinstance(field.tree, Literal):
            return {field.tree: delegation.licensee}
        return licensee_names(delegation.assertion, self.evidence.environment)

    def _priced(self, delegation: Delegation) -> tuple[Licensees, Mapping[StringExpression, str]]:
        """Its Licensees field, and the principals in it, as they are priced."""
        if delegation not in self._fields:
            field, names = delegation.assertion.licensees, self.names(delegation)
            assert field is not None, "only fields are priced"
            self._fields[delegation] = as_alternatives(field.tree, names, _SETS, self.below)
        return self._fields[delegation]

    def lacking(self, delegation: Delegation) -> tuple[list[str], list[str]]:
        """Of the principals that would satisfy its Licensees field at the lowest price: those who have a requester
        below, and the others."""
        if delegation.assertion.licensees is None or delegation.licensees is None:
            return [], []
        if (wanted := self.wanted.get(delegation)) is not None:
            return [name for name in self.names(delegation).values() if name in self.below], list(wanted)
        tree, names = self._priced(delegation)
        best = self._best.get(delegation.authorizer)
        before = self._order[delegation.authorizer] if best is not None and best.delegation is delegation else None

        def cost(node: StringExpression) -> float:
            name = names[node]
            if not name:
                return NEVER
            if before is not None and self._order.get(name, -1) >= before:
                return math.inf if name in self.below else _OTHERS
            return self._prices.get(name, 0.0 if name in self.below else _OTHERS)

        chosen = dict.fromkeys(names[node] for node in cheapest(tree, costs(tree, cost)))
        have = [name for name in chosen if name in self.below and Missing(name) not in self._needs.get(name, ())]
        return have, [name for name in chosen if name not in have]

    # -- who else would do -------------------------------------------------------------------------------------------

    def held(self) -> Set[str]:
        """Who has the value now, or may have it."""
        if self._held is None:
            raised = (name for name, value, _ in self.evidence.possible_raises if value >= self.goal)
            self._held = frozenset((*self.evidence.requesters, *raised))
        return self._held

    def would_do(self, delegation: Delegation, others: Iterable[str], supposed: Iterable[str] | None) -> bool | None:
        """Whether the Licensees of a delegation have the value if these principals request the action too. Where
        nothing is supposed, the query is asked again with them, and has to be allowed; otherwise all Conditions hold
        that ever can, all signatures are right, and who is supposed to requests it as well. None if there is no time.
        """
        key = delegation, frozenset(others), None if supposed is None else frozenset(supposed)
        if key not in self._tried:
            self._trials -= len(self.links) + 10
            self._tried[key] = None if self._trials < 0 else self._would_do(*key)
        return self._tried[key]

    def _would_do(self, delegation: Delegation, others: Set[str], supposed: Set[str] | None) -> bool:
        evidence, asked, licensees = self.evidence, self.evidence.delegations, delegation.licensees
        scale, added = evidence.scale, sorted(others)
        requesters = (*evidence.requesters, *added, *(supposed or ()), UNKNOWN_LICENSEE)
        if supposed is None:
            text = ",".join((evidence.asked_by.text, *added))
            conditions = Bounds(evidence.facts, text, evidence.unknown, scale).highest
        else:
            asked = asked.with_layer(Layer([*self._refused.why])) if self._refused.why else asked
            conditions = self._ever
        values, _ = fixed_point(requesters, asked, conditions, scale.top + 1)
        if licensees is not None and licensees.value(values) < self.goal:
            return False
        return supposed is not None or max(values.get(root, 0) for root in _ROOTS) >= self.goal

    def _ever(self, program: CompiledProgram) -> int:
        if id(program) not in self._most:
            scale = self.evidence.scale
            self._most[id(program)] = highest_if(program, anything(scale), scale)
        return self._most[id(program)]

    # -- upwards and downwards ---------------------------------------------------------------------------------------

    def _upwards(self) -> list[Delegation]:
        """Every delegation that licenses a requester, or somebody on the way to one."""
        known = self.evidence.delegations
        found = dict.fromkeys(known.open)
        for principal in self.below:
            found.update(dict.fromkeys(self._licensing(principal)))
        agenda = list(found)
        for delegation in agenda:  # grows while it runs
            authorizer = delegation.authorizer
            if authorizer in self.below:
                continue
            self.below[authorizer] = None
            for more in self._licensing(authorizer):
                if more not in found:
                    found[more] = None
                    agenda.append(more)
        return agenda

    def _licensing(self, principal: str) -> Iterator[Delegation]:
        yield from self.evidence.delegations.licensed(principal) or ()
        yield from self._refused.licensed.get(principal, ())

    def _price(self, links: list[Link]) -> None:
        """The price of each principal: the least that is lacking until it has the value."""
        by_licensee: dict[str, list[Link]] = {}
        numbers = count()
        requesters = (*self.evidence.requesters, UNKNOWN_LICENSEE)
        heap: list[tuple[float, int, str, Link | None]] = [(0.0, next(numbers), name, None) for name in requesters]
        for link in links:
            licensees = link.delegation.licensees
            for principal in licensees.principals if licensees else ():
                by_licensee.setdefault(principal, []).append(link)
            if licensees is None:
                heap.append((link.price, next(numbers), link.delegation.authorizer, link))
        heapq.heapify(heap)
        stranded = (link.delegation.authorizer for link in reversed(links))
        while True:
            if not heap:
                # Only those are left who wait for each other: one of them has to request the action after all.
                waiting = next((name for name in stranded if name not in self._prices), None)
                if waiting is None:
                    return
                heap.append((_OTHERS, next(numbers), waiting, None))
            above: dict[Link, None] = {}
            price = heap[0][0]
            while heap and heap[0][0] == price:  # all of one price together, lest a long field is looked at for each
                _, _, principal, raised_by = heapq.heappop(heap)
                if principal not in self._prices:
                    self._settle(principal, price, raised_by)
                    above.update(dict.fromkeys(by_licensee.get(principal, ())))
            for link in above:
                authorizer = link.delegation.authorizer
                if authorizer not in self._prices and self._left > 0:
                    price_above = total(link.price, self._licensees_price(link))
                    if price_above < math.inf:
                        heapq.heappush(heap, (price_above, next(numbers), authorizer, link))

    def _settle(self, principal: str, price: float, link: Link | None) -> None:
        if link is not None:
            self._best[principal] = link
            # Before it has a price itself: it may be among its own licensees.
            self._needs[principal] = union(link.needs, self._needs_of_licensees(link))
        elif price:
            self._needs[principal] = frozenset([Missing(principal)])
        self._order[principal] = len(self._order)
        self._prices[principal] = price

    def _cost(self, name: str) -> float:
        if not name:
            return NEVER  # an empty principal requests nothing
        return self._prices.get(name, math.inf if name in self.below else _OTHERS)

    def _licensees_costs(self, link: Link, free: str | None = None) -> Costs:
        tree, names = self._priced(link.delegation)
        self._left -= len(names)
        return costs(tree, lambda node: -NEVER if names[node] == free else self._cost(names[node]))

    def _licensees_price(self, link: Link) -> float:
        licensees = link.delegation.licensees
        if licensees is None:
            return 0.0
        if len(licensees.principals) == 1 and not licensees.steps:
            self._left -= 1
            return self._cost(licensees.principals[0])
        return self._licensees_costs(link)[self._priced(link.delegation)[0]]

    def _needs_of_licensees(self, link: Link, free: str | None = None) -> Needs:
        """What the cheapest of its licensees need; of those with `free`, what the others need."""
        if link.delegation.licensees is None:
            return frozenset()
        tree, names = self._priced(link.delegation)
        if not names:
            return frozenset([Never])
        needs: Needs = frozenset()
        for node in cheapest(tree, self._licensees_costs(link, free)):
            if (name := names[node]) != free:
                needs = union(needs, self._needs_of(name))
        return needs

    def _needs_of(self, name: str) -> Needs:
        if name in self._prices:
            return self._needs.get(name, frozenset())
        return frozenset([Missing(name) if name else Never])

    def _total(self, links: Iterable[Link]) -> None:
        """The price of the cheapest way through each link, and what is missing on it."""
        by_authorizer: dict[str, list[Link]] = {}
        for link in links:
            by_authorizer.setdefault(link.delegation.authorizer, []).append(link)
        numbers = count()
        agenda: list[tuple[float, int, str, Needs]] = [(0.0, next(numbers), root, frozenset()) for root in _ROOTS]
        done: set[str] = set()
        while agenda:
            price, _, authorizer, needs = heapq.heappop(agenda)
            if authorizer in done:
                continue
            done.add(authorizer)
            for link in by_authorizer.get(authorizer, ()):
                here, needed = total(price, link.price), union(needs, link.needs)
                through = total(here, self._licensees_price(link))
                everything = union(needed, self._needs_of_licensees(link))
                self.totals[link] = through, everything
                found = self._others(link)
                for name, others in found.items():
                    if name in self.below and name not in done:
                        more = needed if others == 0 else everything
                        if others and len(found) <= _EXACT:
                            more = union(needed, self._needs_of_licensees(link, name))
                        heapq.heappush(agenda, (total(here, others), next(numbers), name, more))

    def _others(self, link: Link) -> dict[str, float]:
        """What the other licensees cost, for each principal in the field."""
        if link.delegation.licensees is None:
            return {}
        tree, names = self._priced(link.delegation)
        others: dict[str, float] = {}
        for node, price in costs_of_others(tree, self._licensees_costs(link)).items() if names else ():
            name = names[node]  # type: ignore[index]
            others[name] = min(price, others.get(name, math.inf))
        return others


def routes(evidence: Evidence, goal: int) -> Routes:
    """The ways to the value `goal`, which is above what was reached."""
    found: Routes = _kept(evidence, goal, False, lambda: Routes(evidence, goal))
    return found


def with_refused(evidence: Evidence, goal: int) -> Routes | None:
    """The same if those assertions counted that were set aside and could count yet; None if there are none. Apart
    from the others, so that whoever brings credentials takes nothing away from what is told of those that count."""

    def found() -> Routes | None:
        refused = Refused(evidence, (item for item in evidence.set_aside if not item.hopeless))
        return Routes(evidence, goal, refused) if refused.why else None

    kept: Routes | None = _kept(evidence, goal, True, found)
    return kept


def _kept(evidence: Evidence, goal: int, refused: bool, compute: Callable[[], Any]) -> Any:
    if evidence.analyses is None:
        evidence.analyses = {}
    if (goal, refused) not in evidence.analyses:
        evidence.analyses[goal, refused] = compute()
    return evidence.analyses[goal, refused]


class Refused:
    """The delegations that assertions would be which were set aside: `why`, and those that name a licensee."""

    def __init__(self, evidence: Evidence, set_aside: Iterable[SetAside]) -> None:
        self.why: dict[Delegation, SetAside] = {}
        self.licensed: dict[str, list[Delegation]] = {}
        for item in islice((item for item in set_aside if item.assertion is not None), _REFUSED):
            fixed, variable = delegations([item.assertion] if item.assertion else [])
            fixed += [found for one in variable if (found := one.resolved(evidence.environment)) is not None]
            for delegation in fixed:
                self.why[delegation] = item
                for principal in delegation.licensees.principals if delegation.licensees else evidence.requesters:
                    self.licensed.setdefault(principal, []).append(delegation)
