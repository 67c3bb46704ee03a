# SPDX-License-Identifier: ISC
"""The Conditions values of one query: of each program the value, or in an interval query the lowest and the highest.

A generated function that only compares attributes with constants gives the two in two calls. In the place of what is
unknown it gets something that no comparison holds of, for the lowest value, and then something that each holds of,
for the highest. None of its relations can be a run-time error or leave groups behind, so that is what a walk along
all exits (`keynote.conditions`) would find. Every other program is walked.
"""

from collections.abc import Callable, Container, Iterable
from typing import Any, Final

from keynote.compiler import CompiledProgram
from keynote.conditions import Interval, conditions_interval, conditions_value
from keynote.environment import Environment, PartialEnvironment, Scale, Unknown, completed


class _StandIn:
    """What an unknown attribute is for a generated function: every comparison with it gives the same."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]


class _Anything(_StandIn):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __eq__


class _Nothing(_StandIn):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return False

    __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __eq__


_ANYTHING: Final = _Anything()
_NOTHING: Final = _Nothing()


def exact(facts: Environment, authorizers: str, scale: Scale) -> Callable[[CompiledProgram], int]:
    """What gives the value of a program in a query without unknown attributes."""
    get, rank, top = facts.get, scale.rank, scale.top

    def value(program: CompiledProgram) -> int:
        generated = program.generated
        if generated is not None:
            return generated.function(facts, get, rank, top)
        return conditions_value(program, completed(facts, authorizers, scale), scale)

    return value


class Bounds:
    """Of one query. `facts` are as `keynote.environment.checked` gives them."""

    __slots__ = ("_authorizers", "_facts", "_found", "_high", "_low", "_partial", "_scale", "_unknown")

    def __init__(self, facts: Environment, authorizers: str, unknown: Container[str], scale: Scale) -> None:
        self._facts = facts
        self._authorizers = authorizers
        self._unknown = unknown
        self._scale = scale
        self._low: dict[str, Any] = facts.copy()
        self._high: dict[str, Any] = facts.copy()
        self._partial: PartialEnvironment | None = None
        self._found: dict[CompiledProgram, Interval] = {}

    def lowest(self, program: CompiledProgram) -> int:
        return (self._found.get(program) or self._interval(program))[0]

    def highest(self, program: CompiledProgram) -> int:
        return (self._found.get(program) or self._interval(program))[1]

    def _interval(self, program: CompiledProgram) -> Interval:
        generated, low, high = program.generated, self._low, self._high
        if generated is None or generated.attributes is None:
            interval = self._walked(program)
        else:
            for name in self._unknown_of(generated.attributes):
                low[name], high[name] = _NOTHING, _ANYTHING
            function, rank, top = generated.function, self._scale.rank, self._scale.top
            interval = function(low, low.get, rank, top), function(high, high.get, rank, top)
        self._found[program] = interval
        return interval

    def _unknown_of(self, attributes: frozenset[str]) -> Iterable[str]:
        missing = attributes.difference(self._low)
        if isinstance(self._unknown, Unknown):
            return missing - self._unknown.known
        return [name for name in missing if name in self._unknown]

    def _walked(self, program: CompiledProgram) -> Interval:
        if self._partial is None:
            facts = completed(self._facts, self._authorizers, self._scale)
            self._partial = PartialEnvironment(facts, self._unknown)
        return conditions_interval(program, self._partial, self._scale)
