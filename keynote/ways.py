# SPDX-License-Identifier: ISC
"""The way from POLICY to a query's requesters, where there is only one.

That is the common case: POLICY licenses an authority, and that authority a peer. Then the answer is the least of the
values of the Conditions on the way, whatever the action, and a session that is asked again need not look for the way
again. How each principal came by its value is found by the general method if an explanation wants it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keynote.compiler import CompiledProgram
from keynote.environment import check_authorizers
from keynote.errors import QueryError
from keynote.evaluator import Delegation, Delegations
from keynote.principals import POLICY, UndecodableKey, canonical


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Requesters:
    """Who requests an action: their canonical names, and as the query gave them, in one text.

    `way` has the different Conditions between them and POLICY, or is None if there is no way, or more than one.
    """

    names: tuple[str, ...]
    text: str
    way: tuple[CompiledProgram, ...] | None


def requesters(authorizers: Sequence[str], delegations: Delegations) -> Requesters:
    """Raises QueryError if there are none, or what cannot be one."""
    if isinstance(authorizers, str):
        raise QueryError("authorizers are a sequence of principals; put the one into a list")
    text = check_authorizers(authorizers)
    found = []
    for authorizer in authorizers:
        try:
            found.append(canonical(authorizer))
        except UndecodableKey:
            continue  # nobody holds it, so leaving it out can only lower the answer
    if not found:
        raise QueryError("nobody requests the action; give at least one authorizer that is no undecodable key")
    return Requesters(tuple(found), text, _only_way(found, delegations))


def _only_way(names: list[str], delegations: Delegations) -> tuple[CompiledProgram, ...] | None:
    if delegations.open or POLICY in names:
        return None
    licensed = delegations.licensed
    programs: dict[CompiledProgram, None] = {}
    seen = set(names)
    onwards = [delegation for name in seen for delegation in licensed(name) or ()]
    while True:
        # Nobody relies on what others than these authorize.
        useful = [found for found in onwards if found.authorizer == POLICY or licensed(found.authorizer)]
        if len(useful) != 1 or useful[0].licensee is None or useful[0].authorizer in seen:
            return None
        if useful[0].conditions is not None:
            programs[useful[0].conditions] = None
        authorizer = useful[0].authorizer
        if authorizer == POLICY:
            return tuple(programs)
        seen.add(authorizer)
        onwards = list[Delegation](licensed(authorizer) or ())
