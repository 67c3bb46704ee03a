# SPDX-License-Identifier: ISC
"""A graph as one HTML page that needs nothing else: no network, no script, and a policy that forbids both."""

import unicodedata
from collections.abc import Iterator
from html import escape
from itertools import pairwise
from typing import Final

from keynote.graph import words
from keynote.graph.colours import FILL, LINE
from keynote.graph.layout import Point, layout
from keynote.graph.model import Edge, Graph, Node, State, TooLarge
from keynote.redaction import one_line

#: More than anybody sees anything in.
MOST_NODES: Final = 1_000

_CHARACTER: Final = 7.3  # width and height of a monospace font of 12 pixels
_LINE_HEIGHT: Final = 16.0
_MARGIN: Final = 20.0

_STYLE: Final = """
body { font: 14px/1.5 system-ui, sans-serif; margin: 1.5rem; color: #1c1c1c; background: #fff; }
h1 { font-size: 1.2rem; margin: 0; } h2 { font-size: 1rem; }
.graph { overflow: auto; border: 1px solid #ccc; border-radius: 6px; margin: 1rem 0; background: #fff; }
svg text { font: 12px ui-monospace, monospace; fill: #1c1c1c; }
code { font: 12px ui-monospace, monospace; overflow-wrap: anywhere; }
table { border-collapse: collapse; } td { vertical-align: top; padding: .25rem .75rem .25rem 0; }
.key { display: inline-block; padding: 0 .5rem; margin-right: .5rem; border: 1px solid; border-radius: 4px; }
"""


def text(graph: Graph, title: str = "KeyNote delegations") -> str:
    """The page. Raises TooLarge for more than MOST_NODES, which `graph` can know before it follows an action."""
    if len(graph.nodes) > MOST_NODES:
        raise TooLarge(len(graph.nodes), MOST_NODES)
    return "\n".join(_page(graph, title)) + "\n"


def _page(graph: Graph, title: str) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>{_text(graph.verdict or title)}</h1>"
    if graph.because:
        yield f"<p>{_text(graph.because)}</p>"
    yield from _key(graph)
    yield '<div class="graph">'
    yield from _drawing(graph)
    yield "</div>"
    yield from _stops(graph)
    yield from _assertions(graph)
    yield "</body></html>"


def _key(graph: Graph) -> Iterator[str]:
    states = [state for state in State if state.value and any(node.state is state for node in graph.nodes)]
    if states:
        yield "<p>"
        for state in states:
            style = f"background:{FILL[state]};border-color:{LINE[state]}"
            yield f'<span class="key" style="{style}">{_text(state.value)}</span>'
        yield "</p>"


def _stops(graph: Graph) -> Iterator[str]:
    stops = [node for node in graph.nodes if node.state in (State.STOPS, State.SET_ASIDE)]
    if stops:
        yield "<h2>Where authority stops</h2><table>"
        for node in stops:
            yield f"<tr><td><code>{_text(node.label[0])}</code></td><td>{_text(node.note)}</td></tr>"
        yield "</table>"


def _assertions(graph: Graph) -> Iterator[str]:
    yield "<h2>Assertions</h2><table>"
    for node in graph.nodes:
        if not node.is_principal:
            place = f"<code>{_text(node.label[0])}</code>"
            yield f"<tr><td>{place}</td><td><code>{_text(node.text)}</code></td><td>{_text(node.note)}</td></tr>"
    yield "</table>"


# -- the drawing -----------------------------------------------------------------------------------------------------


def _drawing(graph: Graph) -> Iterator[str]:
    texts = {node.number: words.lines(node) for node in graph.nodes}
    sizes = {number: _size(lines) for number, lines in texts.items()}
    plan = layout(sizes, [(edge.source, edge.target) for edge in graph.edges])
    width, height = plan.width + 2 * _MARGIN, plan.height + 2 * _MARGIN
    box = f"{-_MARGIN:g} {-_MARGIN:g} {width:.0f} {height:.0f}"
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="{box}">'
    yield "<defs>"
    for state in {edge.state: None for edge in graph.edges}:
        shape = f'<path d="M0 0L8 4L0 8z" fill="{LINE[state]}"/>'
        size = 'viewBox="0 0 8 8" refX="8" refY="4" markerUnits="userSpaceOnUse" markerWidth="10" markerHeight="10"'
        yield f'<marker id="{_name(state)}" {size} orient="auto">{shape}</marker>'
    yield "</defs>"
    for edge, bends in zip(graph.edges, plan.bends, strict=True):
        ends = [plan.centres[number] for number in (edge.source, edge.target)]
        down = ends[0][1] <= ends[1][1]
        start = _foot(ends[0], sizes[edge.source], down)
        end = _foot(ends[1], sizes[edge.target], not down)
        yield _curve(edge, [start, *bends, end])
    for node in graph.nodes:
        yield from _node(node, texts[node.number], plan.centres[node.number], sizes[node.number])
    yield "</svg>"


def _size(lines: list[str]) -> tuple[float, float]:
    return max(map(_columns, lines)) * _CHARACTER + 24, len(lines) * _LINE_HEIGHT + 14


def _columns(line: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line)


def _foot(centre: Point, size: tuple[float, float], down: bool) -> Point:
    return centre[0], centre[1] + (size[1] / 2 if down else -size[1] / 2)


def _curve(edge: Edge, points: list[Point]) -> str:
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (x, y), (next_x, next_y) in pairwise(points):
        middle = (y + next_y) / 2
        path += f"C{x:.1f} {middle:.1f} {next_x:.1f} {middle:.1f} {next_x:.1f} {next_y:.1f}"
    width = "3" if edge.on_path else "1.2"
    dashes = ' stroke-dasharray="4 3"' if edge.state.is_dashed else ""
    marker = f'marker-end="url(#{_name(edge.state)})"'
    return f'<path d="{path}" fill="none" stroke="{LINE[edge.state]}" stroke-width="{width}"{dashes} {marker}/>'


def _node(node: Node, lines: list[str], centre: Point, size: tuple[float, float]) -> Iterator[str]:
    x, y = centre[0] - size[0] / 2, centre[1] - size[1] / 2
    width = "3" if node.on_path or node.requests else "1.2"
    dashes = ' stroke-dasharray="4 3"' if node.state is State.SET_ASIDE else ""
    round_ends = f' rx="{min(size[1] / 2, 18):.1f}"' if node.is_principal else ' rx="3"'
    yield f"<g><title>{_text(': '.join(filter(None, (*node.label, node.text, node.note))))}</title>"
    yield (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}"{round_ends}'
        f' fill="{FILL[node.state]}" stroke="{LINE[node.state]}" stroke-width="{width}"{dashes}/>'
    )
    yield f'<text text-anchor="middle" y="{y + _LINE_HEIGHT + 2:.1f}">'
    for number, line in enumerate(lines):
        step = f' dy="{_LINE_HEIGHT:g}"' if number else ""
        yield f'<tspan x="{centre[0]:.1f}"{step}>{_text(line)}</tspan>'
    yield "</text></g>"


def _name(state: State) -> str:
    return state.name.lower()


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
