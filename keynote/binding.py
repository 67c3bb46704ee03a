# SPDX-License-Identifier: ISC
"""Whether a policy for IPsec binds `remote_id`: lets somebody in under the names that it has in mind, and no others.

The daemon's strict rule 3, and what `keynote lint` says of it, are this code. Trying names cannot show it: there is
always one more. So policy is asked once for all names that it does not mean (`keynote.strangers`), of each type, and
with everything else unknown. What is not shown to be bound counts as not bound.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from keynote.assertions import Assertion
from keynote.environment import Unknown
from keynote.explanation import Decision
from keynote.meant_names import Kind, kinds_between
from keynote.schemas.ipsec import APP_DOMAIN
from keynote.session import BOOLEAN, Session
from keynote.strangers import ADDRESSES, KIND, NAME, NAMES, TYPE, TYPES, Reader

#: What is known of every action of IPsec, before anything is known of it.
ACTION: Final[Mapping[str, str]] = {"app_domain": APP_DOMAIN, "doi": "ipsec"}

_KINDS: Final[Mapping[str, Kind]] = {"FQDN": Kind.HOST, "User FQDN": Kind.HOST, "ASN1 DN": Kind.NAME}

#: Texts with which policy compares names in order, and between which names are tried. If there are more, such a
#: comparison says nothing.
_RANGES: Final = 512


class Strangers:
    """Assertions, as they are for somebody whom they do not mean. Immutable, and dear to make of many."""

    def __init__(self, assertions: Iterable[Assertion]) -> None:
        self._before: Strangers | None = None
        self._bounds: frozenset[str] = frozenset()
        self._session = Session(())
        self._add(assertions)

    def extended(self, assertions: Iterable[Assertion]) -> "Strangers":
        """With these as well; costs as much as they do."""
        found = Strangers.__new__(Strangers)
        found._before, found._bounds, found._session = self, self._bounds, self._session
        found._add(assertions)
        return found

    def _add(self, assertions: Iterable[Assertion]) -> None:
        reader = Reader()
        self._originals = {reader.for_stranger(assertion): assertion for assertion in assertions}
        self._session = self._session.extended(self._originals)
        self._bounds |= reader.bounds

    def admitted(self, principals: Sequence[str], known: Mapping[str, str] = ACTION) -> Decision | None:
        """An answer by which policy lets in whomever these principals vouch for, under any name; None if it does not.
        `known` is what is known besides, and what it says of the name does not count. Raises QueryError as
        `Session.query` does."""
        for name in self._names():
            action = {**{key: value for key, value in known.items() if key not in NAMES}, **name}
            answer = self._session.query(action, principals, BOOLEAN, Unknown.except_(action))
            if answer.possible:
                return answer
        return None

    def by(self, answer: Decision) -> set[Assertion]:
        """The assertions on the way of such an answer, as they were given."""
        return {self._original(step.assertion) for step in answer.path}

    def _original(self, read: Assertion) -> Assertion:
        strangers: Strangers | None = self
        while strangers is not None:
            if read in strangers._originals:
                return strangers._originals[read]
            strangers = strangers._before
        return read

    def _names(self) -> Iterator[dict[str, str]]:
        """Attributes of names that policy does not mean, of each type one in each range that means nobody."""
        many = len(self._bounds) > _RANGES
        ranges = [] if many else list(_ranges(sorted(self._bounds)))
        for type_ in TYPES:
            kind = Kind.ADDRESS if type_.startswith("IPv") else _KINDS.get(type_, Kind.OPAQUE)
            if many:
                yield {TYPE: type_, KIND: kind.value}
            for text, meant in ranges:
                if kind not in meant:
                    bounds = dict.fromkeys(ADDRESSES, text if kind is Kind.ADDRESS else "")
                    yield {NAME: text, TYPE: type_, KIND: kind.value, **bounds}


def _ranges(bounds: Sequence[str]) -> Iterator[tuple[str, frozenset[Kind]]]:
    """A text in each range between two bounds, and of which kinds the names in it are meant."""
    low: str | None = None
    for high in (*bounds, None):
        text = f"{low or ''}\x01"  # the next in order: there is no NUL
        if high is None or text < high:
            yield text, kinds_between(low, high)
        low = high
