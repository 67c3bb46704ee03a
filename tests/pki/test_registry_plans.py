# SPDX-License-Identifier: ISC
"""However many certificates there are, looking for one reads no table from its beginning to its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from pki.names import typed
from pki.records import Choice
from pki.registry import Registry
from tests.pki import databases
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.postgresql import Server
from tests.pki.test_registry import reservation, with_authority

MANY = 20_000


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Url:
    """Where a registry with many certificates is."""
    if request.param == "sqlite":
        made: Url = tmp_path_factory.mktemp("many") / "registry.sqlite"
    else:
        server: Server = request.getfixturevalue("server")
        made = server.url(server.new_database())
    with_authority(made)
    databases.multiply(made, MANY)
    return made


@pytest.fixture
def many(url: Url) -> Registry:
    return Registry.open(url)


@contextmanager
def queries() -> Iterator[list[tuple[str, Any]]]:
    """What is asked of any database meanwhile."""
    asked: list[tuple[str, Any]] = []

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE")) and "set_config" not in statement:
            asked.append((statement, parameters))

    event.listen(sa.Engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(sa.Engine, "before_cursor_execute", listen)


def read_whole(url: Url, ask: Callable[[], object]) -> list[str]:
    """Which of the large tables are read from end to end for an answer, as the database itself explains it."""
    with queries() as asked:
        ask()
    assert asked
    prefix, whole = (
        ("EXPLAIN QUERY PLAN ", "SCAN ")
        if databases.engine(url).dialect.name == "sqlite"
        else ("EXPLAIN ", "Seq Scan on ")
    )
    with databases.engine(url).connect() as connection:
        lines = [
            str(row[-1]) for query, values in asked for row in connection.exec_driver_sql(prefix + query, values)
        ]
    return [line for line in lines if whole + "certificate" in line or whole + "subject_alt_name" in line]


@pytest.mark.parametrize(
    "text",
    [
        "gw1234",
        "/CN=gw1234",
        f"{1234:040x}",
        f"{1234:064x}",
        f"{1234:040x}"[:39],
        "nobody",
    ],
)
def test_finding(many: Registry, url: Url, text: str) -> None:
    assert read_whole(url, lambda: many.find(text)) == []


def test_asking_for_the_status(many: Registry, url: Url) -> None:
    assert read_whole(url, lambda: many.status(b"\0" * 32)) == []


@pytest.mark.parametrize(
    "choice",
    [
        Choice(NOW, NOW + DAY),
        Choice(NOW, "revoked"),
        Choice(NOW, "expired"),
        Choice(NOW, "holding", identity="gw1234"),
        Choice(NOW, "all", identity="gw1234", authority_id=1),
        Choice(NOW, "all", profile="ocsp"),
        Choice(NOW, NOW + DAY, profile="gateway", authority_id=1),
    ],
)
def test_listing(many: Registry, url: Url, choice: Choice) -> None:
    """With an end, an identity or a profile of few."""
    for ask in (many.listed, many.chosen):
        assert read_whole(url, partial(ask, choice)) == []


def test_looking_for_what_is_unfinished(many: Registry, url: Url) -> None:
    assert read_whole(url, many.unfinished) == []


def test_the_way_of_a_certificate(many: Registry, url: Url) -> None:
    def issue() -> None:
        wanted = reservation()
        wanted = replace(wanted, identities=(*wanted.identities, typed("/CN=Somebody")))
        many.reserve(1, wanted, NOW)
        many.confirm(1, wanted.serial, b"x", NOW)
        many.settle(1, wanted.serial)

    assert read_whole(url, issue) == []


def test_that_reading_whole_is_noticed(many: Registry, url: Url) -> None:
    assert read_whole(url, lambda: databases.rows(url, "SELECT name FROM certificate WHERE key_file = 'x'")) != []
