# SPDX-License-Identifier: ISC
"""Sessions: a set of assertions, compiled and indexed once, and asked many times."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Final

from keynote import signatures
from keynote.assertions import Assertion
from keynote.conditions import Interval, conditions_interval, conditions_value
from keynote.environment import Environment, PartialEnvironment, Scale, environment, scale
from keynote.errors import QueryError, SignatureError
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Raise, Values, fixed_point, index
from keynote.evidence import Evidence
from keynote.explanation import Decision
from keynote.files import SetAside
from keynote.loading import VariableDelegation, delegations
from keynote.principals import POLICY, UndecodableKey, canonical

BOOLEAN: Final = ("false", "true")

_Licensed = Callable[[str], Sequence[Delegation]]


class Session:
    """Assertions to query. Immutable: threads may share one, and `extended` makes another.

    `policies` are trusted, whoever signed or did not sign them. `credentials` are not: one whose signature does not
    verify is set aside. `set_aside` is what was left out before, to be told with each decision.
    """

    __slots__ = ("_layers", "_open", "_variable", "set_aside")

    def __init__(
        self,
        policies: Iterable[Assertion],
        credentials: Iterable[Assertion] = (),
        *,
        set_aside: Iterable[SetAside] = (),
    ) -> None:
        believed, refused = _verified(credentials)
        fixed, self._variable = delegations([*policies, *believed])
        by_licensee, self._open = index(fixed)
        self._layers: tuple[Mapping[str, Sequence[Delegation]], ...] = (by_licensee,)
        self.set_aside: tuple[SetAside, ...] = (*set_aside, *refused)

    def extended(self, trusted_assertions: Iterable[Assertion]) -> "Session":
        """A session that has these trusted assertions as well. Costs as much as they do, not as this session did."""
        fixed, variable = delegations(trusted_assertions)
        by_licensee, open_delegations = index(fixed)
        session = Session.__new__(Session)
        session._variable = self._variable + variable
        session._open = self._open + open_delegations
        session._layers = (*self._layers, by_licensee)
        session.set_aside = self.set_aside
        return session

    def query(
        self,
        action: Mapping[str, str],
        authorizers: Sequence[str],
        values: Sequence[str] = BOOLEAN,
        unknown: Container[str] = (),
    ) -> Decision:
        """What the policy says of an action that these principals request together.

        `values` are the compliance values, lowest first. Attributes that `unknown` contains and `action` does not
        give are unknown, and the answer is an interval; `Unknown.except_(names)` contains all but the names. Strings
        are Latin-1: one character for each byte. A requester that is an undecodable key requests nothing.

        Raises QueryError if nobody requests the action, or if a name or a value cannot be one.
        """
        ranks = scale(tuple(values))
        facts = environment(action, authorizers, ranks)
        requesters = _requesters(authorizers)
        if unknown:
            return self._interval(PartialEnvironment(facts, unknown), requesters, ranks)
        licensed, open_delegations = self._delegations(facts)

        def conditions(delegation: Delegation) -> int:
            program = delegation.conditions
            return ranks.top if program is None else conditions_value(program, facts, ranks)

        found, raises = fixed_point(requesters, licensed, open_delegations, conditions, ranks.top)
        value = found.get(POLICY, 0)
        return Decision(
            value,
            value,
            Evidence(requesters, licensed, open_delegations, facts, ranks, raises, raises, self.set_aside),
        )

    def _interval(self, facts: PartialEnvironment, requesters: tuple[str, ...], ranks: Scale) -> Decision:
        """The least fixed point with each assertion's lowest value, and with its highest: both bounds hold because
        a principal's value never falls when an assertion's rises."""
        licensed, open_delegations = self._delegations(facts)
        intervals: dict[int, Interval] = {}

        def interval(delegation: Delegation) -> Interval:
            found = intervals.get(id(delegation))
            if found is None:
                program = delegation.conditions
                top = ranks.top
                found = (top, top) if program is None else conditions_interval(program, facts, ranks)
                intervals[id(delegation)] = found
            return found

        def bound(side: int, requesters: tuple[str, ...]) -> tuple[Values, list[Raise]]:
            return fixed_point(
                requesters, licensed, open_delegations, lambda delegation: interval(delegation)[side], ranks.top
            )

        low, raises = bound(0, requesters)
        high, possible = bound(1, (*requesters, UNKNOWN_LICENSEE))
        # An assertion of an unknown authorizer may be POLICY's own.
        highest = max(high.get(POLICY, 0), high.get(UNKNOWN_AUTHORIZER, 0))
        evidence = Evidence(requesters, licensed, open_delegations, facts, ranks, raises, possible, self.set_aside)
        return Decision(low.get(POLICY, 0), highest, evidence)

    def _delegations(self, facts: Environment) -> tuple[_Licensed, Sequence[Delegation]]:
        """The index to ask for this query, and the delegations without licensees."""
        if not self._variable:
            return _lookup(self._layers), self._open
        variable: list[VariableDelegation] = self._variable
        fixed = [delegation for found in variable if (delegation := found.resolved(facts)) is not None]
        by_licensee, open_delegations = index(fixed)
        return _lookup((*self._layers, by_licensee)), [*self._open, *open_delegations]


def query(
    *,
    policies: Iterable[Assertion],
    credentials: Iterable[Assertion] = (),
    action: Mapping[str, str],
    authorizers: Sequence[str],
    values: Sequence[str] = BOOLEAN,
    unknown: Container[str] = (),
) -> Decision:
    """One query; see `Session` and `Session.query`."""
    return Session(policies, credentials).query(action, authorizers, values, unknown)


def _lookup(layers: tuple[Mapping[str, Sequence[Delegation]], ...]) -> _Licensed:
    if len(layers) == 1:
        get = layers[0].get
        return lambda principal: get(principal, ())

    def licensed(principal: str) -> Sequence[Delegation]:
        return [delegation for layer in layers for delegation in layer.get(principal, ())]

    return licensed


def _requesters(authorizers: Sequence[str]) -> tuple[str, ...]:
    if isinstance(authorizers, str):
        raise QueryError("authorizers are a sequence of principals; put the one into a list")
    found = []
    for authorizer in authorizers:
        try:
            found.append(canonical(authorizer))
        except UndecodableKey:
            continue  # nobody holds it, so leaving it out can only lower the answer
    if not found:
        raise QueryError("nobody requests the action; give at least one authorizer that is no undecodable key")
    return tuple(found)


def _verified(credentials: Iterable[Assertion]) -> tuple[list[Assertion], list[SetAside]]:
    believed, refused = [], []
    for credential in credentials:
        try:
            signatures.verify(credential)
        except SignatureError as error:
            refused.append(SetAside(credential.where, str(error)))
        else:
            believed.append(credential)
    return believed, refused
