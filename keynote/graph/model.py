# SPDX-License-Identifier: ISC
"""A session as a graph: principals, and between them the assertions by which one licenses others.

With an action, authority is followed from POLICY downwards. It goes on through an assertion whose Conditions hold,
and stops where they do not; whether a principal has it alone is what a query by him answers.
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Final

from keynote.conditions import conditions_interval
from keynote.environment import Unknown
from keynote.errors import KeynoteError
from keynote.evaluator import UNKNOWN_AUTHORIZER, Delegation
from keynote.evidence import Evidence
from keynote.explanation import Decision
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.reach import below_policy, reach
from keynote.reasons import condition_reason
from keynote.redaction import hiding
from keynote.routes import Refused, routes, with_refused
from keynote.session import BOOLEAN, Session
from keynote.syntax import AllOf, AnyOf, Licensees, Nobody, Threshold


class State(Enum):
    """What an action comes to at a node; the value is the word for it."""

    NOT_ASKED = ""
    HOLDS = "has authority"
    MAY_HOLD = "may have authority"
    TOGETHER = "only together with others"
    STOPS = "authority stops here"
    NONE = "no authority"
    SET_ASIDE = "set aside"

    @property
    def is_dashed(self) -> bool:
        return self in (State.NONE, State.SET_ASIDE)


@dataclass(frozen=True, slots=True)
class Node:
    """A principal, or an assertion. `label` is what it is, in a line or two; `text` its Conditions, "" for
    principals; `note` what the action comes to there, such as the first failing test. All is for people to read."""

    number: int
    is_principal: bool
    label: tuple[str, ...]
    text: str = ""
    state: State = State.NOT_ASKED
    note: str = ""
    requests: bool = False
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """From an authorizer to his assertion, or from an assertion to a licensee; by the numbers of the nodes."""

    source: int
    target: int
    state: State = State.NOT_ASKED
    on_path: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """`verdict` and `because` are given where somebody requests an action."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    verdict: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What to apply to a graph. Without authorizers, authority is followed to everybody."""

    action: Mapping[str, str]
    authorizers: Sequence[str] = ()
    values: Sequence[str] = BOOLEAN
    unknown: Container[str] = ()


class TooLarge(KeynoteError):
    """A graph that is larger than can be shown."""

    def __init__(self, nodes: int, most: int) -> None:
        super().__init__(
            f"{nodes:,} principals and assertions are more than a page can show, which is {most:,};"
            " -k shows the ways to one principal, and --format dot has no limit"
        )


def graph(session: Session, question: Question | None = None, most: int | None = None) -> Graph:
    """The whole graph; with requesters only the ways to them, or if there are none, all that is below POLICY.

    Raises QueryError, and TooLarge for more than `most` nodes, which is known before an action is followed.
    """
    asked = question or Question({}, unknown=Unknown.except_(()))
    # A query needs somebody who requests; nobody has this name.
    authorizers = asked.authorizers or ["(nobody)"]
    decision = session.query(asked.action, authorizers, asked.values, asked.unknown)
    with hiding(decision.evidence.keys()):
        return _graph(session, asked, decision, most, applied=question is not None)


def _graph(session: Session, asked: Question, decision: Decision, most: int | None, *, applied: bool) -> Graph:
    evidence = decision.evidence
    ways: Sequence[Delegation] = list(evidence.delegations)
    if asked.authorizers:
        ways = reach(evidence).way or below_policy(evidence.delegations, lambda principal: True)
    aside = _set_aside(evidence) if asked.authorizers and not decision.possible else {}
    ways = list(dict.fromkeys([*ways, *aside]))
    requesters = evidence.requesters if asked.authorizers else ()
    if most is not None and (count := _count(ways, requesters)) > most:
        raise TooLarge(count, most)
    if not applied:
        return _Builder(evidence, ways, {}, {}, {}, (), {}).graph(None)
    conditions = _Conditions(evidence)
    states = _principals(session, asked, evidence, conditions)
    steps = decision.path if asked.authorizers else ()
    on_path = {id(step.assertion): frozenset(step.licensees) for step in steps}
    builder = _Builder(evidence, ways, aside, states, conditions, requesters, on_path)
    return builder.graph(decision if asked.authorizers else None)


#: Assertions set aside that are drawn, with those on the ways to them.
_ASIDE: Final = 20


def _set_aside(evidence: Evidence) -> dict[Delegation, str]:
    """The delegations to the requesters that assertions would be which were set aside, and why they were; and the
    others on the ways that there would be with them, for which it is ""."""
    refused = Refused(evidence, evidence.set_aside)
    ways = with_refused(evidence, 1)
    found = [link.delegation for link in ways.links] if ways is not None and ways.connected else []
    for principal in routes(evidence, 1).below if ways is None else ways.below:
        found += refused.licensed.get(principal, ())
    # By assertion, of which each has made a delegation of its own.
    drawn = {delegation.assertion: delegation for delegation in reversed(found)}
    why = {delegation.assertion: f"set aside: {item.reason}" for delegation, item in refused.why.items()}
    return {drawn[assertion]: why.get(assertion, "") for assertion in islice(reversed(drawn), _ASIDE)}


def _count(delegations: Iterable[Delegation], requesters: Iterable[str]) -> int:
    """How many nodes the graph of these has."""
    principals = {POLICY, *requesters}
    count = 0
    for delegation in delegations:
        count += 1
        principals.add(delegation.authorizer)
        principals.update(_licensees(delegation))
    return count + len(principals)


def _licensees(delegation: Delegation) -> Iterable[str]:
    return (_EVERYBODY,) if delegation.licensees is None else delegation.licensees.principals


class _Conditions(dict[Delegation, State]):
    """HOLDS, MAY_HOLD or STOPS by the Conditions alone, computed when asked for."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__()
        self._evidence = evidence

    def __missing__(self, delegation: Delegation) -> State:
        program = delegation.conditions
        low, high = 1, 1
        if program is not None:
            low, high = conditions_interval(program, self._evidence.partial_environment(), self._evidence.scale)
        self[delegation] = State.HOLDS if low else State.MAY_HOLD if high else State.STOPS
        return self[delegation]


def _principals(
    session: Session, asked: Question, evidence: Evidence, conditions: Mapping[Delegation, State]
) -> dict[str, State]:
    """The states of the principals that authority comes to, if only to a part."""
    by_authorizer: dict[str, list[Delegation]] = {}
    for delegation in evidence.delegations:
        by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
    found = {POLICY: State.HOLDS}
    if UNKNOWN_AUTHORIZER in by_authorizer:
        found[UNKNOWN_AUTHORIZER] = State.MAY_HOLD
    todo = list(found)
    everybody = False
    for principal in todo:  # grows while it runs
        for delegation in by_authorizer.get(principal, ()):
            licensees = delegation.licensees
            if conditions[delegation] is State.STOPS or (licensees is None and everybody):
                continue
            everybody |= licensees is None
            for licensee in _everybody(evidence) if licensees is None else licensees.principals:
                if licensee not in found:
                    found[licensee] = _alone(session, asked, licensee)
                    todo.append(licensee)
    return found


def _everybody(evidence: Evidence) -> Iterable[str]:
    """Whom an assertion without Licensees licenses, of those that are named anywhere."""
    named = dict.fromkeys(evidence.requesters)
    for delegation in evidence.delegations:
        named[delegation.authorizer] = None
        named.update(dict.fromkeys(delegation.licensees.principals if delegation.licensees else ()))
    return named


def _alone(session: Session, asked: Question, principal: str) -> State:
    if principal.startswith("\0"):
        return State.MAY_HOLD
    decision = session.query(asked.action, [principal], asked.values, asked.unknown)
    if decision.allowed:
        return State.HOLDS
    return State.MAY_HOLD if decision.possible else State.TOGETHER


#: Of the Conditions of an assertion.
_TEXT: Final = 400
_ANYBODY: Final = "anybody"


@dataclass(frozen=True, slots=True)
class _Builder:
    evidence: Evidence
    delegations: Sequence[Delegation]
    set_aside: Mapping[Delegation, str]
    states: Mapping[str, State]
    conditions: Mapping[Delegation, State]
    requesters: Sequence[str]
    on_path: Mapping[int, frozenset[str]]  # the licensees that decided, by the id of the assertion

    def graph(self, decision: Decision | None) -> Graph:
        numbers: dict[str, int] = {}
        nodes: list[Node] = []
        edges: list[Edge] = []

        def principal(name: str) -> int:
            if name not in numbers:
                numbers[name] = len(nodes)
                nodes.append(self._principal(len(nodes), name))
            return numbers[name]

        principal(POLICY)
        for delegation in self.delegations:
            by = principal(delegation.authorizer)
            node = self._assertion(len(nodes), delegation)
            nodes.append(node)
            edges.append(Edge(by, node.number, self._arriving(delegation), node.on_path))
            for licensee in _licensees(delegation):
                chosen = shown_principal(licensee) in self.on_path.get(id(delegation.assertion), ())
                going_on = State.NONE if node.state is State.STOPS else node.state
                edges.append(Edge(node.number, principal(licensee), going_on, chosen))
        for requester in self.requesters:
            principal(requester)
        if decision is None:
            return Graph(tuple(nodes), tuple(edges))
        return Graph(tuple(nodes), tuple(edges), str(decision), decision.because)

    def _principal(self, number: int, name: str) -> Node:
        shown = _ANYBODY if name == _EVERYBODY else shown_principal(name)
        state = self.states.get(name, State.NONE) if self.states else State.NOT_ASKED
        if name == _EVERYBODY and self.states:
            state = self._everybody()
        requests = name in self.requesters
        on_path = any(shown in chosen for chosen in self.on_path.values()) or (name == POLICY and bool(self.on_path))
        return Node(number, True, (shown,), "", state, "requests it" if requests else state.value, requests, on_path)

    def _assertion(self, number: int, delegation: Delegation) -> Node:
        assertion = delegation.assertion
        place = assertion.where.brief
        how = "" if assertion.licensees is None else _how(assertion.licensees.tree)
        text = "no conditions"
        if assertion.conditions is not None:
            text = printed(assertion.conditions.tree, _TEXT) or "empty conditions, which never hold"
        state = self._state(delegation)
        note = state.value if state is State.NONE else self.set_aside.get(delegation, "")
        if state is State.STOPS:
            note = self._reason(delegation)
        elif state not in (State.NOT_ASKED, State.NONE, State.SET_ASIDE):
            note = "may hold" if self.conditions[delegation] is State.MAY_HOLD else "holds"
        return Node(
            number,
            False,
            (place, how) if how else (place,),
            text,
            state,
            note,
            on_path=id(assertion) in self.on_path,
        )

    def _state(self, delegation: Delegation) -> State:
        arriving = self._arriving(delegation)
        if arriving is State.SET_ASIDE:
            return arriving
        if arriving in (State.NOT_ASKED, State.NONE) or self.conditions[delegation] is State.STOPS:
            return State.STOPS if arriving not in (State.NOT_ASKED, State.NONE) else arriving
        return arriving if arriving is not State.HOLDS else self.conditions[delegation]

    def _arriving(self, delegation: Delegation) -> State:
        if self.set_aside.get(delegation):
            return State.SET_ASIDE
        return self.states.get(delegation.authorizer, State.NONE) if self.states else State.NOT_ASKED

    def _reason(self, delegation: Delegation) -> str:
        found = routes(self.evidence, 1)
        reason = condition_reason(found, found.link(delegation))
        return reason.text if reason is not None else ""

    def _everybody(self) -> State:
        open_ones = (delegation for delegation in self.delegations if delegation.licensees is None)
        states = {self._state(delegation) for delegation in open_ones}
        return next((state for state in (State.HOLDS, State.MAY_HOLD, State.TOGETHER) if state in states), State.NONE)


_EVERYBODY: Final = "\0everybody"


def _how(tree: Licensees) -> str:
    """How many of the licensees are needed; "" if each is enough."""
    match tree:
        case Threshold(k=k, principals=members):
            return f"{k} of {len(members)}"
        case Nobody():
            return "licenses nobody"
    operators = set(_operators(tree))
    if operators == {AllOf}:
        return "all of"
    return printed(tree, 120) if operators - {AnyOf} else ""


def _operators(tree: Licensees) -> Iterator[type]:
    todo = [tree]
    while todo:
        node = todo.pop()
        match node:
            case AllOf(left=left, right=right) | AnyOf(left=left, right=right):
                yield type(node)
                todo += [left, right]
            case Threshold():
                yield Threshold


def data(graph: Graph) -> dict[str, Any]:
    """As plain data, for JSON."""
    return {
        "verdict": graph.verdict or None,
        "because": graph.because or None,
        "nodes": [
            {
                "id": node.number,
                "kind": "principal" if node.is_principal else "assertion",
                "label": list(node.label),
                "conditions": node.text,
                "state": node.state.name.lower(),
                "note": node.note,
                "requests": node.requests,
                "on_path": node.on_path,
            }
            for node in graph.nodes
        ],
        "edges": [
            {"from": edge.source, "to": edge.target, "state": edge.state.name.lower(), "on_path": edge.on_path}
            for edge in graph.edges
        ],
    }
