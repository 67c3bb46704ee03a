# SPDX-License-Identifier: ISC
"""Sessions: a set of assertions, compiled and indexed once, and asked many times."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from keynote import signatures
from keynote.assertions import Assertion
from keynote.conditions import Interval, conditions_interval, conditions_value
from keynote.environment import Environment, PartialEnvironment, Scale, environment, scale
from keynote.errors import QueryError, SignatureError
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Delegations, Layer, fixed_point
from keynote.evidence import Evidence
from keynote.explanation import Decision
from keynote.files import SetAside
from keynote.limits import Limits
from keynote.loading import delegations
from keynote.principals import POLICY, UndecodableKey, canonical

BOOLEAN: Final = ("false", "true")
_DEFAULT_LIMITS: Final = Limits()


class Session:
    """Assertions to query. Immutable: threads may share one, and `extended` makes another.

    `policies` are trusted, signed or not; `credentials` are not, and must be signed. One whose signature does not
    verify is set aside, a policy as well (RFC 2704 4.6.7). Signatures are checked here, once. `set_aside` is what was
    left out before, to be told with each decision; `limits` says what is accepted besides.
    """

    __slots__ = ("_delegations", "_variable", "set_aside")

    def __init__(
        self,
        policies: Iterable[Assertion],
        credentials: Iterable[Assertion] = (),
        *,
        set_aside: Iterable[SetAside] = (),
        limits: Limits = _DEFAULT_LIMITS,
    ) -> None:
        correct, wrong = _sifted(policies, signatures.verify_trusted)
        believed, refused = _sifted(credentials, partial(signatures.verify, legacy=limits.legacy_signatures))
        fixed, self._variable = delegations([*correct, *believed])
        self._delegations = Delegations([Layer(fixed)])
        self.set_aside: tuple[SetAside, ...] = (*set_aside, *wrong, *refused)

    def extended(self, trusted_assertions: Iterable[Assertion]) -> "Session":
        """A session that has these trusted assertions as well. Costs as much as they do, not as this session did."""
        fixed, variable = delegations(trusted_assertions)
        session = Session.__new__(Session)
        session._variable = [*self._variable, *variable]
        session._delegations = self._delegations.with_layer(Layer(fixed))
        session.set_aside = self.set_aside
        return session

    def licensees(self) -> frozenset[str]:
        """Every principal that an assertion licenses, in the form that equal ones share; passphrases are among them.
        Those that depend on the action are not."""
        fields = (delegation.licensees for delegation in self._delegations)
        return frozenset(principal for field in fields if field is not None for principal in field.principals)

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
        asked = self._resolved(facts) if self._variable else self._delegations

        def conditions(delegation: Delegation) -> int:
            program = delegation.conditions
            return ranks.top if program is None else conditions_value(program, facts, ranks)

        found, raises = fixed_point(requesters, asked, conditions, ranks.top)
        value = found.get(POLICY, 0)
        return Decision(value, value, Evidence(requesters, asked, facts, ranks, raises, raises, self.set_aside))

    def _interval(self, facts: PartialEnvironment, requesters: tuple[str, ...], ranks: Scale) -> Decision:
        """The least fixed point with each assertion's lowest value, and with its highest. They bound the answer,
        because a principal's value never falls when an assertion's rises."""
        asked = self._resolved(facts) if self._variable else self._delegations
        intervals: dict[Delegation, Interval] = {}

        def interval(delegation: Delegation) -> Interval:
            if delegation not in intervals:
                intervals[delegation] = _interval_of(delegation, facts, ranks)
            return intervals[delegation]

        low, raises = fixed_point(requesters, asked, lambda delegation: interval(delegation)[0], ranks.top)
        anybody = (*requesters, UNKNOWN_LICENSEE) if self._variable else requesters
        high, possible = fixed_point(anybody, asked, lambda delegation: interval(delegation)[1], ranks.top)
        # An assertion whose authorizer is unknown may be POLICY's own.
        highest = max(high.get(POLICY, 0), high.get(UNKNOWN_AUTHORIZER, 0))
        evidence = Evidence(requesters, asked, facts, ranks, raises, possible, self.set_aside)
        return Decision(low.get(POLICY, 0), highest, evidence)

    def _resolved(self, facts: Environment) -> Delegations:
        """The delegations of one query, those included whose principals depend on the action."""
        found = (variable.resolved(facts) for variable in self._variable)
        return self._delegations.with_layer(Layer([delegation for delegation in found if delegation is not None]))


def _interval_of(delegation: Delegation, facts: PartialEnvironment, ranks: Scale) -> Interval:
    program, licensees = delegation.conditions, delegation.licensees
    low, high = (ranks.top, ranks.top) if program is None else conditions_interval(program, facts, ranks)
    if licensees is not None and UNKNOWN_LICENSEE in licensees.principals:
        return 0, high  # the unknown licensee may be an undecodable key, which voids the field
    return low, high


def query(
    *,
    policies: Iterable[Assertion],
    credentials: Iterable[Assertion] = (),
    action: Mapping[str, str],
    authorizers: Sequence[str],
    values: Sequence[str] = BOOLEAN,
    unknown: Container[str] = (),
    limits: Limits = _DEFAULT_LIMITS,
) -> Decision:
    """One query; see `Session` and `Session.query`."""
    return Session(policies, credentials, limits=limits).query(action, authorizers, values, unknown)


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


def _sifted(
    assertions: Iterable[Assertion], check: Callable[[Assertion], None]
) -> tuple[list[Assertion], list[SetAside]]:
    """The assertions of which `check` does not say that their signature is wrong, and the others."""
    good, bad = [], []
    for assertion in assertions:
        try:
            check(assertion)
        except SignatureError as error:
            bad.append(SetAside(assertion.where, str(error), assertion))
        else:
            good.append(assertion)
    return good, bad
