# SPDX-License-Identifier: ISC
"""A graph in the language of Graphviz, UTF-8."""

from collections.abc import Iterator

from keynote.graph import words
from keynote.graph.colours import FILL, LINE
from keynote.graph.model import Edge, Graph, Node, State


def text(graph: Graph) -> str:
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "digraph keynote {"
    yield '  charset="UTF-8"; rankdir=TB;'
    if graph.verdict:
        yield f"  labelloc=t; label={_quoted([graph.verdict, graph.because])};"
    yield '  node [fontname="monospace", fontsize=11, style=filled]; edge [fontname="monospace"];'
    for node in graph.nodes:
        yield f"  n{node.number} [{_node(node)}];"
    for edge in graph.edges:
        yield f"  n{edge.source} -> n{edge.target} [{_edge(edge)}];"
    yield "}"


def _node(node: Node) -> str:
    shape = "ellipse" if node.is_principal else "box"
    outline = f', color="{LINE[node.state]}", fillcolor="{FILL[node.state]}"'
    more = ", peripheries=2" if node.requests else ""
    more += ', style="filled,dashed"' if node.state is State.SET_ASIDE else ""
    more += ", penwidth=2.5" if node.on_path else ""
    return f"shape={shape}, label={_quoted(words.lines(node))}{outline}{more}"


def _edge(edge: Edge) -> str:
    style = ", style=dashed" if edge.state.is_dashed else ""
    width = ", penwidth=2.5" if edge.on_path else ""
    return f'color="{LINE[edge.state]}"{style}{width}'


def _quoted(lines: list[str]) -> str:
    # Within a string Graphviz reads `\` and `"`, and entities of HTML as well.
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
