# SPDX-License-Identifier: ISC
"""The sets of principals each of which satisfies a Licensees field (RFC 2704 5.3.5)."""

import functools
import itertools
from collections.abc import Container, Iterator, Mapping

from keynote.syntax import AllOf, AnyOf, Licensees, Literal, Nobody, StringExpression, Threshold, walk


def minimal_sets(
    tree: Licensees, names: Mapping[StringExpression, str], combinations: int
) -> tuple[list[frozenset[str]], bool]:
    """The sets of principals each of which satisfies a field, and whether some were left out: of the ways of one `&&`
    or k-of, no more than `combinations` are taken. Not every set has to be minimal where a principal is named twice.
    """
    ways: list[list[frozenset[str]]] = []
    cut = False
    todo: list[tuple[Licensees, bool]] = [(tree, False)]
    while todo:
        node, done = todo.pop()
        found: Iterator[frozenset[str]]
        match node:
            case AllOf() | AnyOf() if not done:
                todo += [(node, True), (node.right, False), (node.left, False)]
                continue
            case AnyOf():
                right = ways.pop()
                ways[-1] += right
                continue
            case AllOf():
                right, left = ways.pop(), ways.pop()
                found = (one | other for one, other in itertools.product(left, right))
            case Threshold(k=k, principals=members):
                chosen = itertools.combinations((names[member] for member in members), k)
                found = map(frozenset, chosen)
            case Nobody():
                found = iter(())
            case _:
                found = iter((frozenset((names[node],)),))
        ways.append(list(dict.fromkeys(itertools.islice(found, combinations))))
        cut = cut or next(found, None) is not None
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
