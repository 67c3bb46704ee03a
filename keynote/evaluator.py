# SPDX-License-Identifier: ISC
"""The policy compliance value: the least fixed point of RFC 2704 5.3 over the delegation graph.

Values start at the lowest and can only rise, so they are raised from the requesters upwards until nothing changes:
only assertions that license somebody with a value are looked at, each again when a licensee rises. The answer does
not depend on the order of the assertions, and cycles need no care. A search down from POLICY would evaluate a
cycle's members with values of each other that are not there yet.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from keynote.assertions import Assertion
from keynote.compiler import CompiledProgram
from keynote.licensees import CompiledLicensees
from keynote.licensees import Values as Values
from keynote.principals import POLICY
from keynote.redaction import Keys
from keynote.secrecy import is_worth_a_walk, keys_in, keys_of_conditions


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Delegation:
    """An assertion ready to be evaluated. `authorizer` is canonical; None in `licensees` or `conditions` is a field
    that is missing, which gives the highest value. `licensee` is the principal of a field that is just one.
    """

    assertion: Assertion
    authorizer: str
    licensee: str | None
    licensees: CompiledLicensees | None
    conditions: CompiledProgram | None

    @classmethod
    def of(
        cls,
        assertion: Assertion,
        authorizer: str,
        licensees: CompiledLicensees | None,
        conditions: CompiledProgram | None,
    ) -> "Delegation":
        licensee = None if licensees is None else licensees.only
        return cls(assertion, authorizer, licensee, licensees, conditions)

    def names(self, principal: str) -> bool:
        """Whether the Licensees field names a principal."""
        return self.licensees is not None and principal in self.licensees.principals


#: A principal's value rose to what stands second, because of a delegation. In their order these prove the answer.
Raise = tuple[str, int, Delegation]


# In interval queries, principals that depend on unknown attributes. No principal contains NUL.
UNKNOWN_LICENSEE: Final = "\0licensee"
UNKNOWN_AUTHORIZER: Final = "\0authorizer"

# Who counts though no assertion licenses it.
_ALWAYS_WANTED: Final = frozenset({POLICY, UNKNOWN_AUTHORIZER})


class Delegations:
    """Delegations to evaluate, indexed by licensee, in layers: a session's own, and what later ones add."""

    __slots__ = ("_keys", "_layers", "licensed", "open")

    def __init__(self, layers: Sequence["Layer"]) -> None:
        self._layers = tuple(layers)
        self._keys: tuple[Keys, ...] | None = None
        #: The delegations that name a principal as licensee; None if there are none.
        self.licensed: Callable[[str], Sequence[Delegation] | None] = _lookup(self._layers)
        #: Those without a Licensees field, which license everybody.
        self.open: Sequence[Delegation] = [found for layer in self._layers for found in layer.open]

    def with_layer(self, layer: "Layer") -> "Delegations":
        return Delegations((*self._layers, layer))

    @property
    def latest(self) -> Sequence[Delegation]:
        """Those that were added last: in a query, those whose principals depend on the action, if there are any."""
        return self._layers[-1].delegations if self._layers else ()

    def with_latest(self, layer: "Layer") -> "Delegations":
        """The same with others in the place of the latest."""
        return Delegations((*self._layers[:-1], layer))

    @property
    def keys(self) -> tuple[Keys, ...]:
        """The pre-shared keys in the assertions, to be hidden in what is told of them; none where there are none."""
        if self._keys is None:
            self._keys = tuple(layer.keys for layer in self._layers if layer.keys)
        return self._keys

    def __iter__(self) -> Iterator[Delegation]:
        """Every delegation, in the order in which they were added."""
        for layer in self._layers:
            yield from layer.delegations


class Layer:
    __slots__ = ("_keys", "by_licensee", "delegations", "open")

    def __init__(self, delegations: Sequence[Delegation]) -> None:
        self._keys: Keys | None = None
        self.delegations = delegations
        self.open: list[Delegation] = []
        self.by_licensee: dict[str, list[Delegation]] = {}
        for delegation in delegations:
            if delegation.licensees is None:
                self.open.append(delegation)
                continue
            for principal in delegation.licensees.principals:
                self.by_licensee.setdefault(principal, []).append(delegation)

    @property
    def keys(self) -> Keys:
        """Of its assertions; found when an explanation first asks, and kept."""
        if self._keys is None:
            self._keys = Keys.found(self._found_keys())
        return self._keys

    def _found_keys(self) -> Iterator[str]:
        yield from keys_in(self.by_licensee)
        yield from keys_in({delegation.authorizer: None for delegation in self.delegations})
        worth: dict[int, bool] = {}  # by source: files of a hundred thousand assertions seldom have any
        for assertion in (delegation.assertion for delegation in self.delegations):
            yield from keys_in(assertion.constants.values())
            source = assertion.source
            if id(source) not in worth:
                worth[id(source)] = is_worth_a_walk(source.text)
            if worth[id(source)]:
                yield from keys_of_conditions(assertion)


def _lookup(layers: tuple[Layer, ...]) -> Callable[[str], Sequence[Delegation] | None]:
    if len(layers) == 1:
        return layers[0].by_licensee.get
    lookups = [layer.by_licensee.get for layer in layers]

    def licensed(principal: str) -> Sequence[Delegation] | None:
        found: list[Delegation] | None = None
        for lookup in lookups:
            more = lookup(principal)
            if more:
                found = more if found is None else [*found, *more]
        return found

    return licensed


def fixed_point(
    requesters: Iterable[str], delegations: Delegations, conditions: Callable[[CompiledProgram], int], top: int
) -> tuple[Values, list[Raise]]:
    """The value of each principal that has one above the lowest, and how it came by it.

    `conditions` gives the value of a Conditions field, and is asked once for all assertions that share it. Ends early
    when POLICY has the highest value.
    """
    values: Values = dict.fromkeys(requesters, top)
    raises: list[Raise] = []
    if POLICY in values:
        return values, raises
    licensed = delegations.licensed
    found: dict[CompiledProgram | None, int] = {None: top}
    agenda = list(delegations.open)
    for requester in values:
        agenda += licensed(requester) or ()
    if len(values) > 1:
        agenda = list(dict.fromkeys(agenda))
    for delegation in agenda:  # grows while it runs
        authorizer, licensee, program = delegation.authorizer, delegation.licensee, delegation.conditions
        if licensee is not None:
            value = values[licensee]  # it has one, or the delegation would not be here
        else:
            licensees = delegation.licensees
            value = top if licensees is None else licensees.value(values)
        current = values.get(authorizer, 0)
        if value <= current:
            continue
        dependants = licensed(authorizer)
        if not dependants and authorizer not in _ALWAYS_WANTED:
            continue
        allowed = found.get(program)
        if allowed is None:
            allowed = found[program] = conditions(program)  # type: ignore[arg-type]  # None has been found
        if allowed < value:
            value = allowed
        if value > current:
            values[authorizer] = value
            raises.append((authorizer, value, delegation))
            if authorizer == POLICY and value == top:
                break
            if dependants:
                agenda += dependants
    return values, raises
