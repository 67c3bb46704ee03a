# SPDX-License-Identifier: ISC
"""Whether a clause can hold for an action as the IKE daemon has them.

What it says of an action is less than what the language allows: an attribute has the values of its domain, one that
the daemon does not know is empty, and so is all of a protocol that is not proposed. A state that begins with that
shows what can be, where the state of the clause alone shows what cannot.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from keynote.lint import addresses
from keynote.lint.flow import Fact, State, follow
from keynote.lint.subjects import ClauseFacts
from keynote.schemas.ipsec import ATTRIBUTES, Attribute, Kind
from keynote.sets import Set, compared, everything, only
from keynote.syntax import Name, walk

#: Which protocols are proposed together: docs/decisions/0305.
_TOGETHER: Final = ({"esp"}, {"ah"}, {"esp", "ah"}, {"esp", "comp"})
_PROTOCOLS: Final = ("esp", "ah", "comp")
_FILTERS: Final = ("remote_filter", "local_filter")
_PRESENT: Final = only(["yes"])
_ABSENT: Final = only(["no"])


def can_hold(clause: ClauseFacts, wanted: Mapping[str, Set]) -> bool:
    """`wanted` has the values of attributes, by the keys of a `State`."""
    chain = [clause]
    while chain[-1].parent is not None:
        chain.append(chain[-1].parent)
    if clause.of_daemon is None:
        clause.of_daemon = _of_daemon(clause, chain)
    return any(_holds(reversed(chain), state) for state in _beginnings(clause.of_daemon, wanted))


def _holds(chain: Iterable[ClauseFacts], begin: State) -> bool:
    state = begin
    for clause in chain:
        holds = follow(clause.node.test, state, clause.constants, {}).holds
        if holds is None:
            return False
        state = holds
    return True


def _of_daemon(clause: ClauseFacts, chain: Iterable[ClauseFacts]) -> State:
    """What is known of the attributes for which the clause asks, whatever is proposed."""
    state: dict[str, Set] = {}
    for name in _names(clause, chain):
        described = ATTRIBUTES.get(name)
        if described is None:
            state |= _empty(name)
        elif described.kind is Kind.CHOICE:
            state[name] = _words(described)
        elif described.kind in (Kind.NUMBER, Kind.WORD_OR_NUMBER):
            state[f"@{name}"] = _numbers(described)
    for passage in clause.passages():
        fact = passage.fact
        if fact is not None and isinstance(fact.value, str) and _is_never(fact):
            state[fact.name] = state.get(fact.name, everything(str)) & compared("!=", fact.value)
    return state


def _is_never(fact: Fact) -> bool:
    """Whether the attribute never is what it is compared with."""
    if fact.name in _FILTERS and (addresses.as_written(fact) or addresses.why_impossible(fact)):
        return True
    return fact.name in ATTRIBUTES and not ATTRIBUTES[fact.name].allows(str(fact.value))


def _beginnings(state: State, wanted: Mapping[str, Set]) -> Iterator[State]:
    for protocols in _TOGETHER:
        found = dict(state)
        for prefix in _PROTOCOLS:
            if prefix not in protocols:
                for key in state:
                    if key.lstrip("@").startswith(f"{prefix}_"):
                        found |= _empty(key.lstrip("@"))
            found[f"{prefix}_present"] = _PRESENT if prefix in protocols else _ABSENT
        for key, values in wanted.items():
            found[key] = found[key] & values if key in found else values
        if all(found.values()):
            yield found


def _names(clause: ClauseFacts, chain: Iterable[ClauseFacts]) -> set[str]:
    """The attributes that are asked for."""
    found = {"app_domain", *(passage.fact.name for passage in clause.passages() if passage.fact is not None)}
    for each in chain:
        for node in walk(each.node.test):
            if isinstance(node, Name) and node.name not in each.constants and not node.name.startswith("_"):
                found.add(node.name)
    return found


def _empty(name: str) -> State:
    return {name: only([""]), f"@{name}": only([0])}


def _words(described: Attribute) -> Set:
    return only([*described.words, *([""] if described.may_be_empty else [])])


def _numbers(described: Attribute) -> Set:
    found = compared(">=", 0)
    if described.greatest is not None:
        found &= compared("<=", described.greatest)
    for number in described.spelt:
        found &= compared("!=", number)
    return found
