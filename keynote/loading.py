# SPDX-License-Identifier: ISC
"""Assertions to delegations: principals resolved, Licensees compiled, and Conditions ready to be.

Assertions whose Conditions have equal text share one tree; they share the compiled program too, unless their local
constants make a difference to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from keynote import expressions, principals
from keynote.assertions import Assertion
from keynote.compiler import CompiledProgram, compile_program, names_read
from keynote.environment import Environment, UnknownAttribute
from keynote.errors import EvaluationError
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation
from keynote.licensees import CompiledLicensees, Principal, compile_licensees, resolve, single
from keynote.principals import UndecodableKey
from keynote.syntax import Literal, Program, StringExpression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class VariableDelegation:
    """An assertion whose authorizer or licensees depend on the action: a delegation only once that is known."""

    assertion: Assertion
    authorizer: Principal
    conditions: CompiledProgram | None

    def resolved(self, facts: Environment) -> Delegation | None:
        """The delegation for one action, or None if a principal turns out to be an undecodable key."""
        try:
            authorizer = _principal(self.authorizer, facts, UNKNOWN_AUTHORIZER)
            names = licensee_names(self.assertion, facts)
        except (UndecodableKey, EvaluationError):
            return None
        field = self.assertion.licensees
        licensees = None if field is None else compile_licensees(field.tree, names)
        return Delegation.of(self.assertion, authorizer, licensees, self.conditions)


def _principal(principal: Principal, facts: Environment, unknown: str) -> str:
    if isinstance(principal, str):
        return principal
    try:
        return principals.canonical(principal(facts))
    except UnknownAttribute:
        return unknown


# So many Conditions are compiled at load: where there are few, the first query is not slower than others by that.
_AHEAD: Final = 16


def delegations(assertions: Iterable[Assertion]) -> tuple[list[Delegation], list[VariableDelegation]]:
    loader = _Loader()
    for assertion in assertions:
        loader.add(assertion)
    loader.compile_first()
    return loader.fixed, loader.variable


class _Loader:
    def __init__(self) -> None:
        self.fixed: list[Delegation] = []
        self.variable: list[VariableDelegation] = []
        self._names: dict[int, frozenset[str] | None] = {}
        self._programs: dict[tuple[int, tuple[tuple[str, str], ...]], CompiledProgram] = {}

    def add(self, assertion: Assertion) -> None:
        conditions = None if assertion.conditions is None else self._program(assertion)
        authorizer = _resolve(assertion.authorizer.tree, assertion.constants)
        licensees = self._licensees(assertion)
        if isinstance(authorizer, str) and not isinstance(licensees, dict):
            self.fixed.append(Delegation.of(assertion, authorizer, licensees, conditions))
        else:
            self.variable.append(VariableDelegation(assertion, authorizer, conditions))

    def compile_first(self) -> None:
        for program in islice(self._programs.values(), _AHEAD):
            _ = program.generated

    def _licensees(self, assertion: Assertion) -> CompiledLicensees | dict[StringExpression, Principal] | None:
        """The compiled field, or its principals if some depend on the action."""
        if assertion.licensees is None:
            return None
        tree = assertion.licensees.tree
        if isinstance(tree, Literal):
            return single(principals.canonical(tree.text))
        names = resolve(tree, assertion.constants)
        constant = {node: name for node, name in names.items() if isinstance(name, str)}
        return compile_licensees(tree, constant) if len(constant) == len(names) else names

    def _program(self, assertion: Assertion) -> CompiledProgram:
        assert assertion.conditions is not None
        tree = assertion.conditions.tree
        key = (id(tree), self._constants_used(tree, assertion.constants))
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = compile_program(tree, assertion.constants)
        return program

    def _constants_used(self, tree: Program, constants: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        if not constants:
            return ()
        if id(tree) not in self._names:
            self._names[id(tree)] = names_read(tree)
        names = self._names[id(tree)]
        used = constants if names is None else names & constants.keys()
        return tuple(sorted((name, constants[name]) for name in used))


def _resolve(node: StringExpression, constants: Mapping[str, str]) -> Principal:
    text = expressions.string(node, constants)
    return principals.canonical(text) if isinstance(text, str) else text


def licensee_names(assertion: Assertion, facts: Environment) -> dict[StringExpression, str]:
    """The canonical principal of each node of the Licensees field, for one action."""
    if assertion.licensees is None:
        return {}
    names = resolve(assertion.licensees.tree, assertion.constants)
    return {node: _principal(principal, facts, UNKNOWN_LICENSEE) for node, principal in names.items()}
