# SPDX-License-Identifier: ISC
"""The table of tags against the code that reads them and the page that explains them."""

import re
from pathlib import Path

import pytest

from ike_auth.config import schema
from ike_auth.config.schema import FIXED, TAGS, Kind
from ike_auth.wire.numbers import AuthenticationMethod
from tests.ike_auth.config.reading import configuration

ROOT = Path(__file__).parents[3]
SOURCES = "".join(path.read_text() for path in (ROOT / "ike_auth" / "config").glob("*.py") if path.stem != "schema")
PAGE = (ROOT / "docs" / "configuration.md").read_text()
READ_BY_NAME = sorted(
    {
        tag
        for kind, tags in TAGS.items()
        for tag, reason in tags.items()
        if not reason and kind is not Kind.MODE_CONFIG
    }
)


@pytest.mark.parametrize("tag", READ_BY_NAME)
def test_tags_that_are_read_are_read_somewhere(tag: str) -> None:
    assert f'"{tag}"' in SOURCES


def test_tags_that_are_read_are_in_the_table() -> None:
    calls = r"\.(?:entry|names|number|yes_no|choice|address|addresses|accept|path)\(\s*\"([A-Za-z][\w-]+)\""
    asked = set(re.findall(calls, SOURCES))
    assert len(asked) > 30
    assert asked <= set(READ_BY_NAME)


@pytest.mark.parametrize("kind", [kind for kind in TAGS if kind is not Kind.MODE_CONFIG], ids=lambda kind: kind.name)
def test_every_tag_is_explained(kind: Kind) -> None:
    assert [tag for tag in TAGS[kind] if f"`{tag}`" not in PAGE] == []


@pytest.mark.parametrize("name", FIXED)
def test_every_fixed_section_is_explained(name: str) -> None:
    assert f"[{name}]" in PAGE


def test_examples_of_the_page_need_no_comment() -> None:
    hosts, networks, certificates, compression = re.findall(r"```ini\n(.*?)```", PAGE, re.DOTALL)
    assert len(hosts.splitlines()) == 10
    for text in (hosts, hosts + networks, certificates):
        (connection,) = configuration(text).connections.values()
        assert (connection.local is not None) == (networks in text)
    methods = [transform.authentication for transform in configuration(certificates).peers["east"].transforms]
    assert methods == [AuthenticationMethod.RSA_SIG]
    compressed = configuration(f"{hosts}Configuration= quick-mode\n{compression}").connections["west-east"]
    assert [[offered.protocol.name for offered in suite.protocols] for suite in compressed.suites] == [
        ["IPCOMP", "ESP"],
        ["ESP"],
    ]


def test_marks_are_tags_of_what_they_mark() -> None:
    assert all(tag in TAGS[kind] for tag, kind in schema.MARKS.items())
