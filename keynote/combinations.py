# SPDX-License-Identifier: ISC
"""The sets of principals each of which satisfies a Licensees field (RFC 2704 5.3.5)."""

import itertools
from collections.abc import Iterator, Mapping

from keynote.syntax import AllOf, AnyOf, Licensees, Nobody, StringExpression, Threshold


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
