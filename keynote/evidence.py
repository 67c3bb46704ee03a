# SPDX-License-Identifier: ISC
"""What a query leaves behind, so that its reasons can be found when somebody asks for them."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from keynote.bounds import Bounds, exact
from keynote.environment import Environment, PartialEnvironment, Scale, completed
from keynote.evaluator import Delegations, Raise, fixed_point
from keynote.files import SetAside
from keynote.redaction import Keys
from keynote.secrecy import keys_in, keys_of
from keynote.ways import Requesters


# Not frozen, because one is made for every query, and a frozen one takes three times as long to make.
@dataclass(slots=True, eq=False, repr=False)
class Evidence:
    """The answer, from `lowest` to `highest`, and what it rests on.

    `facts` are as `keynote.environment.checked` gives them. `proofs` are the raises that prove the lowest value of
    the answer, and those that prove the highest; None if they have not been needed yet. `analyses` keeps what was
    found out by goal, without what was set aside and with it, because it is told in several forms.
    """

    lowest: int
    highest: int
    asked_by: Requesters
    delegations: Delegations
    facts: Environment
    unknown: Container[str]
    scale: Scale
    set_aside: tuple[SetAside, ...]
    proofs: tuple[Sequence[Raise], Sequence[Raise]] | None = None
    analyses: dict[tuple[int, bool], Any] | None = None

    @property
    def requesters(self) -> tuple[str, ...]:
        """Their canonical names."""
        return self.asked_by.names

    @property
    def raises(self) -> Sequence[Raise]:
        """How principals came by the values that prove the lowest value of the answer."""
        return self._proofs()[0]

    @property
    def possible_raises(self) -> Sequence[Raise]:
        """The same for the highest."""
        return self._proofs()[1]

    def _proofs(self) -> tuple[Sequence[Raise], Sequence[Raise]]:
        if self.proofs is None:
            facts, text, scale = self.facts, self.asked_by.text, self.scale
            if self.unknown:
                bounds = Bounds(facts, text, self.unknown, scale)
                _, raises = fixed_point(self.requesters, self.delegations, bounds.lowest, scale.top)
                _, possible = fixed_point(self.requesters, self.delegations, bounds.highest, scale.top)
            else:
                _, raises = fixed_point(self.requesters, self.delegations, exact(facts, text, scale), scale.top)
                possible = raises
            self.proofs = raises, possible
        return self.proofs

    def keys(self) -> tuple[Keys, ...]:
        """The pre-shared keys of all who have to do with this query, to be hidden in what is told of it."""
        asked_by = self.asked_by
        if asked_by.keys is None:
            asked_by.keys = Keys.found(keys_in((*asked_by.names, asked_by.text)))
        found = (*self.delegations.keys, asked_by.keys)
        if self.set_aside:
            found += (keys_of(item.assertion for item in self.set_aside if item.assertion is not None),)
        return tuple(filter(None, found))

    @property
    def environment(self) -> Environment:
        """All that a test could read, in a new environment. Reading what is unknown raises UnknownAttribute."""
        return self.partial_environment()

    def partial_environment(self) -> PartialEnvironment:
        """The same, as interval functions want it, to read and to write groups into."""
        return PartialEnvironment(completed(self.facts, self.asked_by.text, self.scale), self.unknown)
