# SPDX-License-Identifier: ISC
"""The sets of principals each of which satisfies a Licensees field (RFC 2704 5.3.5)."""

import functools
import itertools
from collections.abc import Container, Iterator, Mapping
from typing import Final

from keynote.syntax import AllOf, AnyOf, Licensees, Literal, Nobody, StringExpression, Threshold, joined, walk

#: Principals in all the sets that are made on the way: a field that is nested deeply needs many of them for each that
#: is left in the end.
_MEMBERS: Final = 1_000_000


def minimal_sets(
    tree: Licensees, names: Mapping[StringExpression, str], combinations: int
) -> tuple[list[frozenset[str]], bool]:
    """The sets of principals each of which satisfies a field, and whether some were left out: of the ways of one `&&`
    or k-of, no more than `combinations` are taken, and none at all of a field that would take too long. Not every set
    has to be minimal where a principal is named twice.
    """
    ways: list[list[frozenset[str]]] = []
    cut = False
    left = _MEMBERS
    todo: list[tuple[Licensees, int]] = [(tree, 0)]
    while todo:
        node, operands = todo.pop()
        found: Iterator[frozenset[str]]
        match node:
            case AllOf() | AnyOf() if not operands:
                below: list[Licensees] = list(joined(node, type(node)))
                todo += [(node, len(below)), *((operand, 0) for operand in reversed(below))]
                continue
            case AllOf() | AnyOf():
                each = ways[-operands:]
                del ways[-operands:]
                if isinstance(node, AnyOf):
                    found = itertools.chain.from_iterable(each)
                else:
                    found = (frozenset().union(*chosen) for chosen in itertools.product(*each))
            case Threshold(k=k, principals=members):
                found = map(frozenset, itertools.combinations((names[member] for member in members), k))
            case Nobody():
                found = iter(())
            case _:
                found = iter((frozenset((names[node],)),))
        some = dict.fromkeys(found if isinstance(node, AnyOf) else itertools.islice(found, combinations))
        cut = cut or next(found, None) is not None
        left -= sum(map(len, some))
        if left < 0:
            return [], True
        ways.append(list(some))
    return ways[0], cut


def as_alternatives(
    tree: Licensees, names: Mapping[StringExpression, str], combinations: int, first: Container[str]
) -> tuple[Licensees, Mapping[StringExpression, str]]:
    """A field that is satisfied by the same principals, as alternatives none of which names anybody twice: what adds
    up the parts of a field would pay for him twice. Those that name one of `first` come first.

    It is the field itself where that is so already, or where there are more than `combinations` alternatives.
    """
    operators = {type(node) for node in walk(tree)} & {AllOf, AnyOf, Threshold}
    if operators <= {AnyOf} or (AnyOf not in operators and len(set(names.values())) == len(names)):
        return tree, names
    ways, cut = minimal_sets(tree, names, combinations)
    if cut or not 0 < len(ways) <= combinations:
        return tree, names
    again: dict[StringExpression, str] = {}
    alternatives: list[Licensees] = []
    for way in sorted(ways, key=lambda way: not any(name in first for name in way)):
        members: dict[StringExpression, str] = {
            Literal(tree.at, name): name for name in dict.fromkeys(names.values()) if name in way
        }
        again |= members
        alternatives.append(Threshold(tree.at, len(members), tuple(members)))
    return functools.reduce(lambda left, right: AnyOf(tree.at, left, right), alternatives), again
