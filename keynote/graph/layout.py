# SPDX-License-Identifier: ISC
"""Places for the nodes of a directed graph, in layers from top to bottom (after Sugiyama, Tagawa and Toda, 1981).

Every edge leads from a layer to a lower one, but for those that close a cycle. One that passes layers gets a stand-in
in each, so that it goes round the nodes there. Within a layer, nodes are put in the order of the middle of their
neighbours, several times downwards and upwards, and moved towards them as far as there is room.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_GAP: Final = 28.0  # between nodes of a layer
_LAYER_GAP: Final = 46.0
_ROUNDS: Final = 6
#: Of stand-ins; beyond, long edges are straight lines.
_STAND_INS: Final = 20_000

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """`centres` of the nodes by their numbers, and the points that each edge passes, ends not among them."""

    width: float
    height: float
    centres: Mapping[int, Point]
    bends: Sequence[tuple[Point, ...]]


def layout(sizes: Mapping[int, tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Layout:
    """Of nodes with these widths and heights."""
    depth = _depths(list(sizes), edges)
    layers: list[list[int]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    all_sizes = dict(sizes)
    for node in sizes:
        layers[depth[node]].append(node)
    chains, links = _chains(edges, depth, layers, all_sizes)
    _order(layers, links)
    x = _abscissas(layers, links, all_sizes)
    y = _ordinates(layers, all_sizes)
    left = min((x[node] - all_sizes[node][0] / 2 for node in x), default=0.0)
    right = max((x[node] + all_sizes[node][0] / 2 for node in x), default=0.0)
    centres = {node: (x[node] - left, y[node]) for node in all_sizes}
    height = max((y[node] + all_sizes[node][1] / 2 for node in y), default=0.0)
    bends = [tuple(centres[stand_in] for stand_in in chain) for chain in chains]
    return Layout(right - left, height, {node: centres[node] for node in sizes}, bends)


def _depths(nodes: Sequence[int], edges: Sequence[tuple[int, int]]) -> dict[int, int]:
    """The longest way to each node, edges that close a cycle left out."""
    below: dict[int, list[int]] = {node: [] for node in nodes}
    for source, target in edges:
        below[source].append(target)
    order: list[int] = []  # each node after all that are below it
    state: dict[int, int] = {}  # 1: being visited, 2: done
    kept: list[tuple[int, int]] = []
    for root in nodes:
        todo = [(root, False)]
        while todo:
            node, done = todo.pop()
            if done:
                state[node] = 2
                order.append(node)
                continue
            if node in state:
                continue
            state[node] = 1
            todo.append((node, True))
            for target in reversed(below[node]):
                if state.get(target) != 1:
                    kept.append((node, target))
                    todo.append((target, False))
    above: dict[int, list[int]] = {}
    position = {node: number for number, node in enumerate(reversed(order))}
    for source, target in kept:
        if position[source] < position[target]:
            above.setdefault(target, []).append(source)
    depth: dict[int, int] = {}
    for node in reversed(order):
        depth[node] = max((depth[source] + 1 for source in above.get(node, ())), default=0)
    return depth


_Links = dict[int, tuple[list[int], list[int]]]  # of a node: neighbours above, neighbours below


def _chains(
    edges: Sequence[tuple[int, int]],
    depth: Mapping[int, int],
    layers: list[list[int]],
    sizes: dict[int, tuple[float, float]],
) -> tuple[list[list[int]], _Links]:
    """Stand-ins for each edge, from its source to its target, and who is linked with whom in neighbouring layers."""
    links: _Links = {node: ([], []) for node in sizes}
    needed = sum(max(abs(depth[target] - depth[source]) - 1, 0) for source, target in edges)
    chains: list[list[int]] = []
    fresh = max(sizes, default=0) + 1
    for source, target in edges:
        top, bottom = (source, target) if depth[source] <= depth[target] else (target, source)
        chain: list[int] = []
        if needed <= _STAND_INS:
            for level in range(depth[top] + 1, depth[bottom]):
                sizes[fresh] = (4.0, 4.0)
                links[fresh] = ([], [])
                layers[level].append(fresh)
                chain.append(fresh)
                fresh += 1
            whole = [top, *chain, bottom]
            for upper, lower in pairwise(whole):
                links[upper][1].append(lower)
                links[lower][0].append(upper)
        chains.append(chain if top == source else chain[::-1])
    return chains, links


def _order(layers: list[list[int]], links: _Links) -> None:
    """Nodes by the middle of their neighbours in the layer before; those without stay where they are."""
    position = {node: float(place) for layer in layers for place, node in enumerate(layer)}

    def middle(node: int) -> float:
        neighbours = links[node][side]
        return sum(position[other] for other in neighbours) / len(neighbours) if neighbours else position[node]

    for number in range(_ROUNDS):
        side = number % 2  # downwards, then upwards
        for layer in layers if side == 0 else reversed(layers):
            layer.sort(key=middle)
            position.update((node, float(place)) for place, node in enumerate(layer))


def _abscissas(layers: list[list[int]], links: _Links, sizes: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    """Where each node wants to be, below or above its neighbours, as far as those beside it leave room."""
    x: dict[int, float] = {}
    for layer in layers:
        _place(layer, dict.fromkeys(layer, 0.0), sizes, x)
    for number in range(_ROUNDS):
        side = number % 2
        for layer in layers if side == 0 else reversed(layers):
            wanted = {}
            for node in layer:
                neighbours = links[node][side] or [node]
                wanted[node] = sum(x[other] for other in neighbours) / len(neighbours)
            _place(layer, wanted, sizes, x)
    return x


def _place(
    layer: Sequence[int], wanted: Mapping[int, float], sizes: Mapping[int, tuple[float, float]], x: dict[int, float]
) -> None:
    edge = -math.inf
    for node in layer:
        half = sizes[node][0] / 2
        x[node] = max(wanted[node], edge + _GAP + half)
        edge = x[node] + half
    # Nodes were only ever pushed to the right.
    shift = sum(wanted[node] - x[node] for node in layer) / len(layer)
    for node in layer:
        x[node] += shift


def _ordinates(layers: Sequence[Sequence[int]], sizes: Mapping[int, tuple[float, float]]) -> dict[int, float]:
    y: dict[int, float] = {}
    top = 0.0
    for layer in layers:
        height = max(sizes[node][1] for node in layer)
        y.update((node, top + height / 2) for node in layer)
        top += height + _LAYER_GAP
    return y
