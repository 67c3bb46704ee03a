# SPDX-License-Identifier: ISC
"""What code and documents refer to exists: decision pages by their number, with or without their name, and files."""

import re
import shlex
import textwrap
from pathlib import Path

import pytest

from keynote.cli.main import main

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "decisions").glob("*.md"))
KNOWN = {page.stem for page in PAGES} | {page.stem[:4] for page in PAGES}
DOCUMENTS = [*ROOT.glob("*.md"), *(p for d in ("docs", "policies", "benchmarks") for p in (ROOT / d).rglob("*.md"))]
SOURCES = [p for d in ("keynote", "pki", "ike_auth", "tests", "benchmarks", "fuzz") for p in (ROOT / d).rglob("*.py")]
NAMED = re.compile(r"decisions/(\d{4}[\w-]*)")
NAMED_SHORT = re.compile(r"[(, ](0\d{3})(?=[),])")  # (0503, 0504)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def test_decisions_that_are_named_exist() -> None:
    named = [(path, page) for path in (*DOCUMENTS, *SOURCES) for page in NAMED.findall(path.read_text())]
    named += [(path, page) for path in DOCUMENTS for page in NAMED_SHORT.findall(path.read_text())]
    assert named
    assert [(str(path), page) for path, page in named if page not in KNOWN] == []


def test_links_lead_somewhere() -> None:
    links = [(path, link) for path in DOCUMENTS for link in LINK.findall(path.read_text())]
    assert links
    assert [(str(path), link) for path, link in links if not (path.parent / link).exists()] == []


def test_decisions_have_a_number_each_and_bear_it() -> None:
    numbers = [page.stem[:4] for page in PAGES]
    assert len(set(numbers)) == len(numbers)
    assert [page.read_text()[:7] for page in PAGES] == [f"# {number} " for number in numbers]


def test_the_sample_of_coverage_is_what_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (sample,) = re.findall(r"    \$ (keynote test .*)\n((?:    .*\n)+)", Path("docs", "testing.md").read_text())
    with pytest.raises(SystemExit):
        main(shlex.split(sample[0])[1:])
    assert capsys.readouterr().out == textwrap.dedent(sample[1])
