# SPDX-License-Identifier: ISC
"""Results of tables of queries as JUnit XML, which every CI service reads.

A suite is a table, and a case a query. Times are left out: the same policies and queries give the same file.
"""

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from keynote.complaints import one_line
from keynote.redaction import redacted_sentence
from keynote.test import Query, Result


def document(results: Iterable[tuple[Query, Result]]) -> bytes:
    """The XML file."""
    suites: dict[Path, list[Result]] = {}
    for query, result in results:
        suites.setdefault(query.table, []).append(result)
    root = ElementTree.Element("testsuites", name="keynote test")
    _counted(root, [result for suite in suites.values() for result in suite])
    for table, suite in suites.items():
        element = _counted(ElementTree.SubElement(root, "testsuite", name=_text(str(table))), suite)
        for result in suite:
            case = ElementTree.SubElement(
                element, "testcase", classname=_text(str(table.parent)), name=_text(result.name)
            )
            if result.failed_to_ask:
                ElementTree.SubElement(case, "error", message=_text(result.problem))
            elif not result.passed:
                ElementTree.SubElement(case, "failure", message=_text(result.problem))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _counted(element: ElementTree.Element, results: list[Result]) -> ElementTree.Element:
    errors = sum(result.failed_to_ask for result in results)
    element.set("tests", str(len(results)))
    element.set("failures", str(sum(not result.passed for result in results) - errors))
    element.set("errors", str(errors))
    return element


def _text(text: str) -> str:
    """XML has no place for control characters, not even escaped."""
    return one_line(redacted_sentence(text))
