# SPDX-License-Identifier: ISC
"""Why a value was not reached: each assertion that could have carried it, and what it lacked, nearest miss first.

If there are ways from POLICY down to the requesters, the reasons are what the assertions on them lack: the first test
that failed, licensees who are short, a signature that is none. If there is no way, a delegation is missing, and the
reasons are the Licensees fields at which the ways down from POLICY end, and the delegations that nothing leads to.

What was set aside adds reasons and takes none away: it is for whoever brings credentials to choose what is in them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from typing import Final

from keynote import expressions
from keynote.combinations import minimal_sets
from keynote.companions import find_companions
from keynote.conditions import set_group_state
from keynote.evaluator import UNKNOWN_AUTHORIZER, Delegation
from keynote.evidence import Evidence
from keynote.files import SetAside
from keynote.locations import Location
from keynote.misses import Needs
from keynote.principals import POLICY, can_sign, shown_principal
from keynote.printing import printed
from keynote.redaction import HIDDEN_TEXT, is_piece_of_key, meant
from keynote.retrial import named_by_attributes, trials
from keynote.routes import Link, Missing, Refused, Routes, routes, with_refused
from keynote.supposing import first_failure
from keynote.syntax import AllOf, AnyOf, Licensees, Name, StringExpression, Threshold, leftmost, walk
from keynote.verdicts import Verdict, verdict
from keynote.wording import described, one_of, too_little, would_do


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stood in the way.

    `distance` counts what the easiest way through this assertion lacks altogether: attributes that would have to be
    otherwise, principals, signatures. It is `MAXIMUM` if nothing would help, and 0 if that cannot be said. `kind` is
    what is lacking here: an `attribute`, a `test` of several, a `principal`, a `delegation`, a `signature`; or "".
    Unless it is `certain`, one change may not be enough, and of more than one it is only known that there are.
    """

    where: Location | None
    text: str
    distance: int
    kind: str = ""
    certain: bool = True

    @property
    def away(self) -> str:
        """How far that is from what was wanted, in words, or ""."""
        if self.kind == "delegation":  # and what would be lacking besides, nobody knows
            return "a delegation is missing"
        if not 0 < self.distance < MAXIMUM:
            return ""
        if self.distance == 1:
            return f"{'' if self.certain else 'perhaps '}one {self.kind or 'change'} away"
        return f"{self.distance} changes away" if self.certain else "more than one change away"

    def __str__(self) -> str:
        return self.text if self.where is None else f"{self.where.brief}: {self.text}"


#: More than anybody reads.
MAXIMUM: Final = 100
#: More than that, of what was set aside.
_ASIDE: Final = 20


def reasons(evidence: Evidence, goal: int) -> tuple[tuple[Reason, ...], int]:
    """What stood in the way of the value `goal`, and how many assertions more do that are not told."""
    found = routes(evidence, goal)
    if found.told is None:
        found.told = _reasons(found)
    told: tuple[tuple[Reason, ...], int] = found.told
    return told


def _reasons(found: Routes) -> tuple[tuple[Reason, ...], int]:
    ranked, more = _of_what_counts(found)
    aside = _of_what_was_set_aside(found, {reason.where for _, reason in ranked})
    more += max(0, len(ranked) - MAXIMUM) + max(0, len(aside) - _ASIDE)
    told = sorted([*ranked[:MAXIMUM], *aside[:_ASIDE]], key=itemgetter(0))
    return tuple(reason for _, reason in told), more


_Ranked = tuple[tuple[int, float], Reason]


def _of_what_counts(found: Routes) -> tuple[list[_Ranked], int]:
    """In their order, and how many assertions more there are."""
    if found.connected:
        find_companions(found)
    ranked, rest = _on_the_ways(found, found.links) if found.connected else ([], 0)
    named = [Reason(*one, 1, "attribute") for one in _of_attributes(found)]
    places = {reason.where for reason in named}
    ranked = [item for item in ranked if item[1].where not in places or item[1].kind != "delegation"]
    if not ranked or min(rank for rank, _ in ranked) >= (_NEVER, 0.0):
        ends = (reason for reason in _dead_ends(found) if reason.where not in places)
        ranked += ((_rank(reason, False), _unsaid(reason)) for reason in ends)
    ranked += ((_rank(reason, False), reason) for reason in named)
    ranked += (((_LOOSE, 0.0), _unsaid(reason)) for reason in _dangling(found))
    return sorted(ranked, key=itemgetter(0)), rest


def _on_the_ways(found: Routes, links: Iterable[Link]) -> tuple[list[_Ranked], int]:
    solved = trials(found).solutions
    lacking = [link for link in links if found.totals[link][1]]
    lacking.sort(key=lambda link: link.delegation not in solved)
    known: list[tuple[Link, Reason]] = []
    for number, link in enumerate(lacking):
        if len(known) >= MAXIMUM:
            rest = sum(1 for other in lacking[number:] if other.needs)
            break
        known += [(link, reason) for reason in _reasons_of(found, link)]
    else:
        rest = 0
    known.sort(key=lambda item: (item[1].distance, item[0].price))
    return [(_rank(reason, _needs_others(found, link, reason)), _unsaid(reason)) for link, reason in known], rest


# In which order reasons are told: what the requester can change itself, by number; what others have to do, who sign
# or request too; delegations that are missing, beside which nobody knows what else would be; what nothing helps; and
# what anybody could bring: delegations that nothing leads to, and what was set aside and leads nowhere either.
_OWN, _OTHERS, _MISSING, _NEVER, _LOOSE, _USELESS = range(6)


def _rank(reason: Reason, needs_others: bool) -> tuple[int, float]:
    if reason.distance >= MAXIMUM:
        return _NEVER, 0.0
    if reason.kind == "delegation":
        return _MISSING, reason.distance
    return _OTHERS if needs_others else _OWN, reason.distance if reason.certain else reason.distance + 0.5


def _needs_others(found: Routes, link: Link, reason: Reason) -> bool:
    told = verdict(found, link)
    return found.needs_others(link) and not (told is not None and told.alone and reason.kind in ("attribute", "test"))


def _unsaid(reason: Reason) -> Reason:
    """A reason whose distance cannot be said."""
    return replace(reason, distance=0) if reason.kind == "delegation" and reason.distance < MAXIMUM else reason


# -- there are ways --------------------------------------------------------------------------------------------------


def _reasons_of(found: Routes, link: Link) -> Iterator[Reason]:
    """What one assertion lacks itself."""
    distance = MAXIMUM if (known := found.distance(link)) is None else known
    if link.refused is not None:
        yield _set_aside(link.refused, distance, "signature" if can_sign(link.delegation.authorizer) else "")
    if reason := condition_reason(found, link):
        yield reason
    if reason := licensee_reason(found, link.delegation, distance, found.totals[link][1]):
        yield reason


def _set_aside(item: SetAside, distance: int, kind: str = "") -> Reason:
    never = ", and could never count: its authorizer is no key" if item.hopeless else ""
    return Reason(item.where, f"set aside: {item.reason}{never}", distance, kind)


def condition_reason(found: Routes, link: Link) -> Reason | None:
    """What the Conditions of a delegation lack, or None if nothing."""
    field = link.delegation.assertion.conditions
    if link.holds or field is None:
        return None
    miss, environment = link.miss, found.environment
    if miss is None:
        what = "Conditions is empty, which nothing satisfies"
        if field.tree.clauses:
            what = "Conditions do not hold" if found.exhausted else _never(found, link)
        return Reason(field.where(field.tree), what, MAXIMUM)
    if not miss.enough:
        text = too_little(found.evidence.scale, found.goal, miss)
        return Reason(field.where(leftmost(miss.clause.node)), text, MAXIMUM)
    told = verdict(found, link) or Verdict(miss, None)
    changes = told.miss.first
    where = field.where(leftmost(changes[0].relation))
    set_group_state(environment, changes[0].groups)
    kind = "attribute" if all(isinstance(need, str) for need in told.miss.needs) else "test"
    text = described(changes, link.delegation.assertion, environment)
    set_group_state(environment, None)
    if told.example is not None:
        text += would_do(text, *told.example)
    if told.ruled_out:
        text += ", which other tests on the way rule out"
    return Reason(where, text, MAXIMUM if told.distance is None else told.distance, kind, told.certain)


def _never(found: Routes, link: Link) -> str:
    program = link.delegation.conditions
    failure = None if program is None else first_failure(program, found.evidence.scale)
    return f"Conditions never hold: {failure}" if failure else "Conditions never hold"


def licensee_reason(
    found: Routes, delegation: Delegation, distance: int | None = None, needs: Needs | None = None
) -> Reason | None:
    """Who lacks in a Licensees field, or None if nobody. The distance is that of the field if none is given; `needs`
    are those of the whole way, where they are known."""
    field = delegation.assertion.licensees
    if field is None or delegation.licensees is None:
        return None
    where = field.where(leftmost(field.tree))
    if not found.names(delegation):
        return Reason(where, "Licensees is empty, which licenses nobody", MAXIMUM)
    have, missing = found.lacking(delegation)
    if not missing:
        return None
    distance = len(missing) if distance is None else distance
    requesters, names = found.evidence.requesters, found.names(delegation)
    if have or not set(requesters).isdisjoint(names.values()):
        text, certain = _shortfall(found, delegation, missing, needs)
        return Reason(where, text, distance, "principal", certain)
    licensed = _licensed(field.tree, delegation.licensees.principals, requesters)
    if isinstance(field.tree, Name) and field.tree.name not in delegation.assertion.constants:
        licensed += f" by `{field.tree.name}`{'' if any(names.values()) else ', which is empty'}"
    text = f"licenses {licensed}, not {_list(map(shown_principal, requesters))}"
    if prefix := next(filter(None, map(meant, (*delegation.licensees.principals, *requesters))), ""):
        text += f" (did you mean `{prefix}`?)"
    return Reason(where, text, distance, "delegation")


def _licensed(tree: Licensees, principals: Collection[str], requesters: Collection[str]) -> str:
    """Whom a field licenses that licenses none of the requesters."""
    names = list(dict.fromkeys(map(shown_principal, principals)))
    if not any(principals):
        return "nobody"  # an empty principal requests nothing
    if len(names) == 1:
        # Of two passphrases nobody is to see more than that they differ.
        return "another passphrase" if names[0] in map(shown_principal, requesters) else f"`{names[0]}`"
    operators = {type(node) for node in walk(tree)} & {AllOf, AnyOf, Threshold}
    if operators == {AnyOf}:
        return _list(names)
    if operators == {AllOf}:
        return f"{', '.join(_some(names))} together"
    if isinstance(tree, Threshold):
        return f"{tree.k} of {', '.join(_some(names))}"
    return f"`{printed(tree, _TEXT)}`"


#: The longest text of a field in a reason.
_TEXT: Final = 200


_LISTED: Final = 4


def _shortfall(found: Routes, delegation: Delegation, missing: list[str], needs: Needs | None) -> tuple[str, bool]:
    """Who is needed besides those who are there, and whether that is certain. Of alternatives, those that need as few
    as what was chosen; each was tried."""
    field, names, held = delegation.assertion.licensees, found.names(delegation), found.held()
    assert field is not None, "somebody is lacking in it"
    tree = field.tree
    others = [it.principal for it in needs or () if isinstance(it, Missing) and it.principal not in missing]
    enough = needs is not None and all(isinstance(it, Missing) for it in needs)
    alone = enough and not others and len(missing) == 1

    def would_do(principals: Collection[str]) -> bool | None:
        if enough:
            return found.would_do(delegation, [*principals, *others], None)
        return found.would_do(delegation, principals, others)

    before, which, after, others_too = "", "", "", False
    if isinstance(tree, Threshold):
        count = sum(names[member] in held for member in tree.principals)
        before = f"has {count} of {tree.k}, "
        absent = dict.fromkeys(names[member] for member in tree.principals if names[member] not in held)
        if len(missing) > 1 and tree.k - count == len(missing) < len(absent) and "" not in absent:
            return f"{before}also needs {len(missing)} of {', '.join(_some(absent))}", True
        ways = [[name] for name in absent] if len(missing) == 1 else []
        times = Counter(names[member] for member in tree.principals)
        if tree.k - count > len(missing) and any(times[name] > 1 for name in missing):
            after = " (named more than once)"
    else:
        # Whoever has a requester below lacks something himself, and is told of elsewhere.
        ways, others_too = _alternatives(tree, names, found.below.keys() - missing, len(missing))
    tried = [way for way in ways if "" not in way and would_do(way)]
    if tried:
        which = _one_of(list(map(_together, tried)))
    certain = bool(tried) or not alone or would_do(missing) is not False
    if not which:
        which = _together(missing) + (", or others" if others_too else "")
        if "" in missing:
            nobody = next(node for node, name in names.items() if not name)
            if not isinstance(expressions.string(nobody, delegation.assertion.constants), str):
                which = f"whom `{printed(nobody, _TEXT)}` names, which is empty"
    return f"{before}also needs {which}{after}", certain


def _alternatives(
    tree: Licensees, names: Mapping[StringExpression, str], there: Set[str], fewest: int
) -> tuple[list[list[str]], bool]:
    """The sets of principals that may do besides those who are there; few, or none at all, and whether these are too
    many."""
    ways, cut = minimal_sets(tree, names, _COMBINATIONS)
    sets = dict.fromkeys(way - there for way in ways)
    order = {name: place for place, name in enumerate(names.values())}
    least = [sorted(way, key=order.__getitem__) for way in sets if len(way) == fewest]
    many = len(least) > _LISTED
    return [] if cut or many else least, many and not cut


#: Sets of principals that are looked at for the words of one reason.
_COMBINATIONS: Final = 100


def _some(names: Collection[str]) -> list[str]:
    """Names in backticks, the first few."""
    shown = [f"`{shown_principal(name)}`" for name in islice(names, _LISTED)]
    return shown if len(names) <= _LISTED else [*shown, f"{len(names) - _LISTED} others"]


def _together(names: Collection[str]) -> str:
    *others, last = _some(names)
    return f"{', '.join(others)} and {last}" if others else last


def _list(shown_names: Iterable[str]) -> str:
    return _one_of([f"`{name}`" for name in dict.fromkeys(shown_names)])


def _one_of(quoted_names: list[str]) -> str:
    if len(quoted_names) > _LISTED:
        return f"{', '.join(quoted_names[:3])} and {len(quoted_names) - 3} others"
    return one_of(quoted_names)


def _of_attributes(found: Routes) -> Iterator[tuple[Location, str]]:
    """The Licensees fields in which an attribute has to name a requester, which is all that is lacking."""
    for delegation, name, needed in named_by_attributes(found):
        field = delegation.assertion.licensees
        assert field is not None, "an attribute names somebody in it"
        value = found.environment.get(name, "")
        has = f"`{shown_principal(value)}`" if value else "empty"
        # What completes a passphrase is a piece of it.
        wanted = HIDDEN_TEXT if is_piece_of_key(needed) else shown_principal(needed)
        yield field.where(leftmost(field.tree)), f"{name} is {has}, needs `{wanted}`"


# -- what was set aside ----------------------------------------------------------------------------------------------


def _of_what_was_set_aside(found: Routes, told: Set[Location | None]) -> list[_Ranked]:
    """In their order: on the ways that there would be with it, what stands at no place that is told already; and what
    would lead nowhere. What could not be read is told, for nobody knows what it would have said."""
    evidence = found.evidence
    ranked: list[_Ranked] = []
    ways = with_refused(evidence, found.goal)
    if ways is not None and ways.connected:
        more = (link for link in ways.links if link.delegation not in found.delegations)
        ranked = [item for item in _on_the_ways(ways, more)[0] if item[1].where not in told]
        ranked.sort(key=itemgetter(0))
    useful = {link.refused for link in ways.links if ways.connected} if ways is not None else set()
    refused = Refused(evidence, evidence.set_aside)
    below = found.below if ways is None else ways.below
    licensing = {refused.why[one] for name in below for one in refused.licensed.get(name, ())} - useful
    for item in evidence.set_aside:
        if item.assertion is None or item in licensing:
            ranked.append(((_USELESS, 0.0), _set_aside(item, MAXIMUM if item.hopeless else 0)))
    return ranked


# -- there is none ---------------------------------------------------------------------------------------------------


def _dead_ends(found: Routes) -> list[Reason]:
    """The Licensees fields at which the ways down from POLICY end."""
    ends = [end for end in below_policy(found.evidence) if end.licensees is not None and end not in found.delegations]
    if not ends and not found.connected:
        return [Reason(None, "no assertion has POLICY as its authorizer", 1, "delegation")]
    return [reason for delegation in ends if (reason := licensee_reason(found, delegation))]


def below_policy(evidence: Evidence, follow: Callable[[str], bool] = lambda principal: True) -> list[Delegation]:
    """The delegations that POLICY leads to, whomever they license, nearest first."""
    by_authorizer: dict[str, list[Delegation]] = {}
    for delegation in evidence.delegations:
        by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
    found: list[Delegation] = []
    agenda = dict.fromkeys((POLICY, UNKNOWN_AUTHORIZER))
    todo = list(agenda)
    for principal in todo:  # grows while it runs
        for delegation in by_authorizer.get(principal, ()):
            found.append(delegation)
            for licensee in delegation.licensees.principals if delegation.licensees else ():
                if licensee not in agenda:
                    agenda[licensee] = None
                    todo.append(licensee)
    return found


def _dangling(found: Routes) -> list[Reason]:
    """Delegations to the requesters by somebody whom nobody licenses."""
    dangling = []
    for delegation in found.dangling:
        field = delegation.assertion.authorizer
        text = f"no assertion licenses `{shown_principal(delegation.authorizer)}`, who delegates here"
        dangling.append(Reason(field.where(field.tree), text, 1, "delegation"))
    return dangling
