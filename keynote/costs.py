# SPDX-License-Identifier: ISC
"""What it costs to satisfy a Licensees field, where each principal in it has a cost.

Both sides of `&&` are paid, the cheaper one of `||`, and the k cheapest of `k-of`. A sum counts twice what two of
them rest on, so it doubles with each layer of a graph; therefore what is cheap never adds up to one `DEAR` thing, nor
do any things to `NEVER`. Walks are lists, as fields may be
nested more deeply than Python's own stack.
"""

from collections.abc import Callable
from typing import Final

from keynote.syntax import AllOf, AnyOf, Licensees, Nobody, StringExpression, Threshold

#: More than any changes cost together: what nothing can satisfy.
NEVER: Final = 1e12

#: More than any number of cheap things cost together. Costs are multiples of it, and what is cheap besides.
DEAR: Final = 1_000.0
_MOST: Final = 1_000_000.0  # dear things in a sum

Costs = dict[Licensees, float]


def total(*prices: float) -> float:
    """The sum, no less than any of the prices."""
    found = sum(prices)
    if found < DEAR or max(prices) >= NEVER:
        return found
    return _joined(sum(price // DEAR for price in prices), sum(price % DEAR for price in prices))


def _joined(dear: float, cheap: float) -> float:
    return min(dear, _MOST) * DEAR + min(cheap, DEAR - 1)


def costs(tree: Licensees, cost: Callable[[StringExpression], float]) -> Costs:
    """The cost of the field, and of each part of it."""
    found: Costs = {}
    todo: list[Licensees] = [tree]
    while todo:
        node = todo.pop()
        match node:
            case AllOf(left=left, right=right) | AnyOf(left=left, right=right):
                if left in found and right in found:
                    both = found[left], found[right]
                    found[node] = total(*both) if isinstance(node, AllOf) else min(both)
                else:
                    todo += [node, right, left]
            case Threshold(k=k, principals=members):
                for member in members:
                    found[member] = cost(member)
                found[node] = total(*sorted(found[member] for member in members)[:k])
            case Nobody():
                found[node] = NEVER
            case _:
                found[node] = cost(node)
    return found


def costs_of_others(tree: Licensees, found: Costs) -> Costs:
    """For each principal, what the rest of the field costs if this one is had for nothing."""
    others: Costs = {}
    todo: list[tuple[Licensees, float]] = [(tree, 0.0)]
    while todo:
        node, outside = todo.pop()
        match node:
            case AllOf(left=left, right=right):
                todo += [(right, total(outside, found[left])), (left, total(outside, found[right]))]
            case AnyOf(left=left, right=right):
                todo += [(right, outside), (left, outside)]
            case Threshold(k=k, principals=members):
                ordered = sorted(found[member] for member in members)
                first, rest = total(outside, *ordered[: k - 1]), _without(outside, ordered[:k])
                for member in members:
                    # One of the k cheapest is replaced, or is there already.
                    others[member] = rest(found[member]) if found[member] < ordered[k - 1] else first
            case Nobody():
                pass
            case _:
                others[node] = outside
    return others


def _without(outside: float, prices: list[float]) -> Callable[[float], float]:
    """What they cost with one of the prices taken out, for one that is below NEVER."""
    known = [outside, *prices]
    found = sum(known)
    if found < DEAR or max(known) >= NEVER:
        return lambda price: found - price
    dear, cheap = sum(price // DEAR for price in known), sum(price % DEAR for price in known)
    return lambda price: _joined(dear - price // DEAR, cheap - price % DEAR)


def cheapest(tree: Licensees, found: Costs) -> list[StringExpression]:
    """The principals that satisfy the field at its cost, in the order of the text."""
    chosen: list[StringExpression] = []
    todo: list[Licensees] = [tree]
    while todo:
        node = todo.pop()
        match node:
            case AllOf(left=left, right=right):
                todo += [right, left]
            case AnyOf(left=left, right=right):
                todo.append(left if found[left] <= found[right] else right)
            case Threshold(k=k, principals=members):
                chosen += sorted(members, key=lambda member: found[member])[:k]
            case Nobody():
                pass
            case _:
                chosen.append(node)
    return chosen
