# SPDX-License-Identifier: ISC
"""Which recorded decisions another policy would change, and why: each is asked again of both."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from keynote.assertions import Assertion
from keynote.errors import QueryError
from keynote.explanation import Decision
from keynote.files import SetAside
from keynote.limits import Limits
from keynote.recorded import Recorded, RecordError, Seal, opened
from keynote.redaction import is_secret
from keynote.session import Session

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Answer:
    """A value or an interval, and the path that decided or what was nearest to allowing it, "" where nothing
    changed."""

    value: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A decision by the old policy and by the new one."""

    recorded: Recorded
    old: Answer
    new: Answer

    @property
    def changed(self) -> bool:
        return self.old.value != self.new.value

    @property
    def as_recorded(self) -> bool:
        """Whether the old policy still answers what is on record, so that it is the one that decided."""
        return not self.recorded.answer or self.old.value == self.recorded.answer


class Comparer:
    """Asks recorded decisions again of an old policy and a new one; `credentials` are added to both. `set_aside` is
    what neither or only one of them believes, and why."""

    __slots__ = ("_new", "_old", "_secrets", "set_aside")

    def __init__(
        self,
        old: Iterable[Assertion],
        new: Iterable[Assertion],
        credentials: Iterable[Assertion] = (),
        set_aside: Iterable[SetAside] = (),
        limits: Limits = _DEFAULT_LIMITS,
    ) -> None:
        credentials = tuple(credentials)
        self._old, self._new = (_Policy(policy, credentials, limits) for policy in (old, new))
        sessions = (self._old.session, self._new.session)
        self._secrets = frozenset(filter(is_secret, sessions[0].licensees() | sessions[1].licensees()))
        self.set_aside = tuple(dict.fromkeys((*set_aside, *sessions[0].set_aside, *sessions[1].set_aside)))

    def compare(self, recorded: Recorded, seal: Seal | None = None) -> Comparison:
        """A decision by both policies. Raises RecordError, also for a question that cannot be asked."""
        question = opened(recorded, seal, self._secrets)
        try:
            before, after = self._old.decide(question), self._new.decide(question)
        except QueryError as error:
            raise RecordError(str(error), recorded.where) from error
        # Reasons take longer than the queries, and most decisions do not change.
        if str(before) == str(after):
            return Comparison(recorded, Answer(str(before)), Answer(str(after)))
        return Comparison(recorded, _explained(before), _explained(after))


def _explained(decision: Decision) -> Answer:
    return Answer(str(decision), decision.because)


@dataclass(slots=True)
class Differences:
    """What came of many decisions. `otherwise` are those that the old policy does not answer as is on record, and
    `first_otherwise` is the first of them."""

    decisions: int = 0
    changed: list[Comparison] = field(default_factory=list)
    otherwise: int = 0
    first_otherwise: Comparison | None = None

    def add(self, comparison: Comparison) -> None:
        self.decisions += 1
        if comparison.changed:
            self.changed.append(comparison)
        if not comparison.as_recorded:
            self.otherwise += 1
            self.first_otherwise = self.first_otherwise or comparison


class _Policy:
    """One of the two, with the sessions that have a decision's own assertions: a peer comes again and again."""

    _KEPT = 256

    def __init__(self, policy: Iterable[Assertion], credentials: tuple[Assertion, ...], limits: Limits) -> None:
        self._policy = tuple(policy)
        self._credentials = credentials
        self._limits = limits
        self.session = Session(self._policy, credentials, limits=limits)
        self._extended: dict[tuple[str, ...], Session] = {}

    def decide(self, question: Recorded) -> Decision:
        session = self._session(question)
        return session.query(question.action, question.authorizers, question.values, question.unknown)

    def _session(self, question: Recorded) -> Session:
        if question.credentials:
            credentials = (*self._credentials, *question.credentials)
            return Session((*self._policy, *question.assertions), credentials, limits=self._limits)
        if not question.assertions:
            return self.session
        key = tuple(part for it in question.assertions for part in (it.source.name, it.text))
        if key not in self._extended:
            if len(self._extended) == self._KEPT:
                self._extended.pop(next(iter(self._extended)))
            self._extended[key] = self.session.extended(question.assertions)
        return self._extended[key]
