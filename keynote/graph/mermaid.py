# SPDX-License-Identifier: ISC
"""A graph in the language of Mermaid, as code hosts draw it in Markdown."""

from collections.abc import Iterator
from typing import Final

from keynote.graph import words
from keynote.graph.colours import FILL, LINE
from keynote.graph.model import Edge, Graph, Node, State

_PLAIN: Final = " /=:,"
_JOINING: Final = "_.-"


def text(graph: Graph) -> str:
    return "\n".join(_lines(graph)) + "\n"


def _lines(graph: Graph) -> Iterator[str]:
    yield "flowchart TD"
    if graph.verdict:
        yield f'  verdict["{_escaped(graph.verdict)}<br/>{_escaped(graph.because)}"]'
    for node in graph.nodes:
        yield f"  {_node(node)}"
    for edge in graph.edges:
        yield f"  n{edge.source} {_arrow(edge)} n{edge.target}"
    for state in {node.state: None for node in graph.nodes}:
        dashes = ",stroke-dasharray:4" if state is State.SET_ASIDE else ""
        yield f"  classDef {_name(state)} fill:{FILL[state]},stroke:{LINE[state]},color:#000{dashes}"


def _node(node: Node) -> str:
    label = "<br/>".join(map(_escaped, words.lines(node)))
    left, right = ('(["', '"])') if node.is_principal else ('["', '"]')
    if node.requests:
        left, right = '[["', '"]]'
    return f"n{node.number}{left}{label}{right}:::{_name(node.state)}"


def _arrow(edge: Edge) -> str:
    if edge.on_path:
        return "==>"
    return "-.->" if edge.state.is_dashed else "-->"


def _name(state: State) -> str:
    return state.name.lower()


def _escaped(line: str) -> str:
    """Mermaid looks for its own words and for Markdown in strings too, so whatever may be a part of those is written
    as a character reference, which it takes in the form `#35;`."""
    return "".join(
        char if char.isalnum() or char in _PLAIN or _joins(line, at) else f"#{ord(char)};"
        for at, char in enumerate(line)
    )


def _joins(line: str, at: int) -> bool:
    """Whether a character stands within a word, where it is neither a list's nor an emphasis'."""
    return line[at] in _JOINING and line[at - 1 : at].isalnum() and line[at + 1 : at + 2].isalnum()
