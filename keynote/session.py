# SPDX-License-Identifier: ISC
"""Sessions: a set of assertions, compiled and indexed once, and asked many times."""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from keynote import expressions, signatures
from keynote.assertions import Assertion
from keynote.bounds import Bounds, exact
from keynote.conditions import conditions_value
from keynote.environment import Environment, PartialEnvironment, Scale, check_unknown, checked, completed, scale
from keynote.errors import QueryError, SignatureError
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Delegations, Layer, fixed_point
from keynote.evidence import Evidence
from keynote.explanation import Decision
from keynote.files import SetAside
from keynote.limits import Limits
from keynote.loading import delegations
from keynote.principals import POLICY, can_sign
from keynote.redaction import Keys
from keynote.secrecy import keys_of
from keynote.ways import Requesters, requesters

BOOLEAN: Final = ("false", "true")
_DEFAULT_LIMITS: Final = Limits()

# Requesters that a session remembers.
_REMEMBERED: Final = 1024


class Session:
    """Assertions to query. Immutable: threads may share one, and `extended` makes another.

    `policies` are trusted, signed or not; `credentials` are not, and must be signed. One whose signature does not
    verify is set aside, a policy as well (RFC 2704 4.6.7). Signatures are checked here, once. `set_aside` is what was
    left out before, to be told with each decision; `limits` says what is accepted besides.
    """

    __slots__ = ("_delegations", "_requesters", "_variable", "set_aside")

    def __init__(
        self,
        policies: Iterable[Assertion],
        credentials: Iterable[Assertion] = (),
        *,
        set_aside: Iterable[SetAside] = (),
        limits: Limits = _DEFAULT_LIMITS,
    ) -> None:
        policies, credentials = _assertions(policies), _assertions(credentials)
        correct, wrong = _sifted(policies, signatures.verify_trusted)
        believed, refused = _sifted(credentials, partial(signatures.verify, legacy=limits.legacy_signatures))
        refused = [replace(item, hopeless=not _can_be_signed(item)) for item in refused]
        fixed, self._variable = delegations([*correct, *believed])
        self._delegations = Delegations([Layer(fixed)])
        self._requesters: dict[tuple[str, ...], Requesters] = {}
        self.set_aside: tuple[SetAside, ...] = (*set_aside, *wrong, *refused)

    def extended(self, trusted_assertions: Iterable[Assertion], *, set_aside: Iterable[SetAside] = ()) -> "Session":
        """A session that has these trusted assertions as well, and tells of these that were left out. Costs as much
        as they do, not as this session did."""
        fixed, variable = delegations(_assertions(trusted_assertions))
        session = Session.__new__(Session)
        session._variable = [*self._variable, *variable]
        session._delegations = self._delegations.with_layer(Layer(fixed))
        session._requesters = {}
        session.set_aside = (*self.set_aside, *set_aside)
        return session

    def licensees(self) -> frozenset[str]:
        """Every principal that an assertion licenses, in the form that equal ones share; passphrases are among them.
        Those that depend on the action are not."""
        fields = (delegation.licensees for delegation in self._delegations)
        return frozenset(principal for field in fields if field is not None for principal in field.principals)

    @property
    def keys(self) -> tuple[Keys, ...]:
        """The pre-shared keys in its assertions, to be hidden in what is told of them."""
        return (*self._delegations.keys, keys_of(variable.assertion for variable in self._variable))

    def assertions(self) -> tuple[Assertion, ...]:
        """The assertions that count: policies, and credentials that are believed."""
        fixed = [delegation.assertion for delegation in self._delegations]
        return (*fixed, *(delegation.assertion for delegation in self._variable))

    def query(
        self,
        action: Mapping[str, str],
        authorizers: Sequence[str],
        values: Sequence[str] = BOOLEAN,
        unknown: Container[str] = (),
    ) -> Decision:
        """What the policy says of an action that these principals request together.

        `values` are the compliance values, lowest first. Attributes that `unknown` contains are unknown, and the
        answer is an interval; `Unknown.except_(names)` contains all but the names and those that `action` gives.
        Strings are Latin-1: one character for each byte. A requester that is an undecodable key requests nothing.

        Raises QueryError if nobody requests the action, if a name or a value cannot be one, or if an attribute is
        given and listed as unknown.
        """
        if isinstance(values, str):
            raise QueryError("compliance values are a sequence of strings, lowest first: `('false', 'true')`")
        ranks = scale(tuple(values))
        facts = checked(action)
        if unknown:
            check_unknown(unknown, facts)
        by = self._requested_by(authorizers)
        if by.way is None or self._variable:
            search = self._search_interval if unknown else self._search
            return search(facts, by, ranks, unknown)
        if unknown:
            bounds = Bounds(facts, by.text, unknown, ranks)
            low = min([ranks.top, *map(bounds.lowest, by.way)])
            high = min([ranks.top, *map(bounds.highest, by.way)])
            return Decision(Evidence(low, high, by, self._delegations, facts, unknown, ranks, self.set_aside))
        # `exact` once more, but without its calls: this is what a daemon asks most.
        get, rank, top = facts.get, ranks.rank, ranks.top
        value = top
        for program in by.way:
            generated = program.generated
            if generated is not None:
                found = generated.function(facts, get, rank, top)
            else:
                found = conditions_value(program, completed(facts, by.text, ranks), ranks)
            if found < value:
                value = found
        return Decision(Evidence(value, value, by, self._delegations, facts, (), ranks, self.set_aside))

    def _requested_by(self, authorizers: Sequence[str]) -> Requesters:
        try:
            remembered = None if isinstance(authorizers, str) else self._requesters.get(tuple(authorizers))
        except TypeError:
            remembered = None  # what is no sequence of strings is told below
        if remembered is not None:
            return remembered
        found = requesters(authorizers, self._delegations)
        if found.lasting:
            if len(self._requesters) >= _REMEMBERED:
                self._requesters.clear()
            self._requesters[tuple(authorizers)] = found
        return found

    def _search(self, facts: Environment, by: Requesters, ranks: Scale, unknown: Container[str]) -> Decision:
        asked = self._delegations
        if self._variable:
            asked = asked.with_layer(Layer(self._resolved(completed(facts, by.text, ranks))))
        values, raises = fixed_point(by.names, asked, exact(facts, by.text, ranks), ranks.top)
        value = values.get(POLICY, 0)
        proofs = raises, raises
        return Decision(Evidence(value, value, by, asked, facts, unknown, ranks, self.set_aside, proofs))

    def _search_interval(self, facts: Environment, by: Requesters, ranks: Scale, unknown: Container[str]) -> Decision:
        """The least fixed point with each assertion's lowest value, and with its highest. They bound the answer,
        because a principal's value never falls when an assertion's rises."""
        asked = certain = self._delegations
        anybody = by.names
        if self._variable:
            resolved = self._resolved(PartialEnvironment(completed(facts, by.text, ranks), unknown))
            # An unknown licensee may be an undecodable key, which voids the field.
            surely = [delegation for delegation in resolved if not delegation.names(UNKNOWN_LICENSEE)]
            asked, certain = asked.with_layer(Layer(resolved)), asked.with_layer(Layer(surely))
            anybody = (*anybody, UNKNOWN_LICENSEE)
        bounds = Bounds(facts, by.text, unknown, ranks)
        low, raises = fixed_point(by.names, certain, bounds.lowest, ranks.top)
        high, possible = fixed_point(anybody, asked, bounds.highest, ranks.top)
        # An assertion whose authorizer is unknown may be POLICY's own.
        lowest, highest = low.get(POLICY, 0), max(high.get(POLICY, 0), high.get(UNKNOWN_AUTHORIZER, 0))
        proofs = raises, possible
        return Decision(Evidence(lowest, highest, by, asked, facts, unknown, ranks, self.set_aside, proofs))

    def _resolved(self, facts: Environment) -> list[Delegation]:
        """The delegations of one query whose principals depend on the action."""
        found = (variable.resolved(facts) for variable in self._variable)
        return [delegation for delegation in found if delegation is not None]


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


def _assertions(given: Iterable[Assertion]) -> list[Assertion]:
    found = [] if isinstance(given, (str, bytes)) else list(given)
    if isinstance(given, (str, bytes)) or not all(isinstance(item, Assertion) for item in found):
        raise TypeError("assertions are wanted, which `parse_policy` and `parse_credentials` make of text")
    return found


def _can_be_signed(item: SetAside) -> bool:
    assertion = item.assertion
    assert assertion is not None, "it was read"
    authorizer = expressions.string(assertion.authorizer.tree, assertion.constants)
    return isinstance(authorizer, str) and can_sign(authorizer)


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
