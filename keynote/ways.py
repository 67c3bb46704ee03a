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
from keynote.redaction import Keys, is_secret


# Not frozen, because one is made for each query of a stranger, and takes a third of the time so.
@dataclass(slots=True, eq=False, repr=False)
class Requesters:
    """Who requests an action: their canonical names, and as the query gave them, in one text.

    `way` has the different Conditions between them and POLICY; it is None if there is no way, or more than one, or if
    nobody has looked. `lasting`: a session may keep this, as it is about principals that its assertions license, of
    whom there are so many. Strangers come in any number, and a passphrase has no business in a memory.

    `told` is what explanations say of the way, once one has been asked for: whom it passes, and POLICY's delegation.
    `keys` are their pre-shared keys, once they have been looked for.
    """

    names: tuple[str, ...]
    text: str
    way: tuple[CompiledProgram, ...] | None
    lasting: bool
    told: tuple[str, Delegation] | None = None
    keys: Keys | None = None


def requesters(authorizers: Sequence[str], delegations: Delegations) -> Requesters:
    """Raises QueryError if there are none, or what cannot be one."""
    if isinstance(authorizers, str):
        raise QueryError("authorizers are a sequence of principals; put the one into a list")
    text = check_authorizers(authorizers)
    found = []
    undecodable = None
    for authorizer in authorizers:
        try:
            found.append(canonical(authorizer))
        except UndecodableKey as error:
            undecodable = error  # nobody holds it, so leaving it out can only lower the answer
    if not found:
        why = "give at least one authorizer" if undecodable is None else str(undecodable)
        raise QueryError(f"nobody requests the action: {why}") from undecodable
    if not any(map(delegations.licensed, found)) or is_secret(text):
        return Requesters(tuple(found), text, None, False)
    return Requesters(tuple(found), text, _only_way(found, delegations), True)


def _only_way(names: list[str], delegations: Delegations) -> tuple[CompiledProgram, ...] | None:
    if delegations.open or POLICY in names:
        return None
    licensed = delegations.licensed
    programs: dict[CompiledProgram | None, None] = {}
    risen = dict.fromkeys(names, 1)  # as if all Conditions held
    last = set(risen)
    while True:
        onwards = {delegation for name in last for delegation in licensed(name) or ()}
        # Nobody relies on what others than these authorize.
        useful = [found for found in onwards if found.authorizer == POLICY or licensed(found.authorizer)]
        if len(useful) != 1:
            return None
        authorizer, licensees = useful[0].authorizer, useful[0].licensees
        # All who support it have to have the same value, those who rose last, or it would count who supports it.
        supporters = risen.keys() & licensees.principals if licensees else set()
        if authorizer in risen or licensees is None or supporters - last or not licensees.value(risen):
            return None
        programs[useful[0].conditions] = None
        if authorizer == POLICY:
            return tuple(program for program in programs if program is not None)
        risen[authorizer] = 1
        last = {authorizer}
