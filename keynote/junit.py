# SPDX-License-Identifier: ISC
"""Results of tables of queries as JUnit XML, which every CI service reads.

A suite is a table, and a case a query; coverage that has to be enough is a suite of one case. Times are left out: the
same policies and queries give the same file.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from keynote.redaction import one_line, redacted_sentence
from keynote.test import Query, Result


def document(results: Iterable[tuple[Query, Result]], lacking: str | None = None) -> bytes:
    """The XML file. `lacking` says why not enough is covered, or is empty where it is; None, where nobody asked."""
    suites: dict[Path, list[Result]] = {}
    for query, result in results:
        suites.setdefault(query.table, []).append(result)
    root = ElementTree.Element("testsuites", name="keynote test")
    covered = [] if lacking is None else [Result("coverage", "", "", "", lacking)]
    _counted(root, [*covered, *(result for suite in suites.values() for result in suite)])
    for table, suite in suites.items():
        _add(root, _text(str(table)), _text(str(table.parent)), suite)
    if covered:
        _add(root, "coverage", "coverage", covered)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _add(root: ElementTree.Element, name: str, where: str, suite: list[Result]) -> None:
    element = _counted(ElementTree.SubElement(root, "testsuite", name=name), suite)
    for result in suite:
        case = ElementTree.SubElement(element, "testcase", classname=where, name=_text(result.name))
        if result.failed_to_ask:
            ElementTree.SubElement(case, "error", message=one_line(result.problem))
        elif not result.passed:
            ElementTree.SubElement(case, "failure", message=one_line(result.problem))


def _counted(element: ElementTree.Element, results: list[Result]) -> ElementTree.Element:
    errors = sum(result.failed_to_ask for result in results)
    element.set("tests", str(len(results)))
    element.set("failures", str(sum(not result.passed for result in results) - errors))
    element.set("errors", str(errors))
    return element


def _text(text: str) -> str:
    """A name. XML has no place for control characters, not even escaped."""
    return one_line(redacted_sentence(text))
