# SPDX-License-Identifier: ISC
"""Databases of tests, by file or URL, without the registry in between."""

from pathlib import Path
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from pki.registry_database import file_of

Url: TypeAlias = str | Path


def engine(url: Url) -> sa.Engine:
    """One that keeps no connection."""
    path = file_of(url)
    whole = str(url).replace("postgresql:", "postgresql+psycopg:") if path is None else f"sqlite:///{path}"
    return sa.create_engine(whole, poolclass=NullPool)


def execute(url: Url, *statements: str) -> None:
    with engine(url).begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rows(url: Url, query: str) -> list[tuple[Any, ...]]:
    with engine(url).connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


_FIRST = 1000  # of the numbers of rows that are made in the database itself
_NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})",
    "postgresql": "WITH numbers AS (SELECT generate_series({first}, {last}) AS n)",
}
_HEX = {"sqlite": "printf('%0{}x', n)", "postgresql": "lpad(to_hex(n), {}, '0')"}
_DAYS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', not_after, (n % 730) || ' days')",
    "postgresql": "not_after + mod(n, 730) * interval '1 day'",
}


def multiply(url: Url, count: int) -> None:
    """So many certificates beside the one that is there: gw1000 and so on, whose ends are spread over two years."""
    kind = engine(url).dialect.name
    serial, sha256 = (_HEX[kind].format(digits) for digits in (40, 64))
    numbers = _NUMBERS[kind].format(first=_FIRST, last=_FIRST + count - 1)
    columns = [it["name"] for it in sa.inspect(engine(url)).get_columns("certificate")]
    new = {
        "serial": serial,
        "sha256": sha256,
        "key_sha256": sha256,
        "name": "'gw' || n",
        "subject": "'/CN=gw' || n",
        "folded_sha256": sha256,
        "not_after": _DAYS[kind],
    }
    values = ", ".join(new.get(column, column) for column in columns)
    names = "authority_id, serial, position, kind, value"
    execute(
        url,
        f"INSERT INTO certificate ({', '.join(columns)}) {numbers} SELECT {values} FROM certificate, numbers",
        f"INSERT INTO subject_alt_name ({names}) {numbers} SELECT 1, {serial}, 0, 'FQDN', 'gw' || n FROM numbers",
        *(["ANALYZE"] if kind == "postgresql" else []),
    )


def shared(url: Url) -> str:
    """As it stands in ca.toml, where a file is named by a URL too."""
    return f"sqlite:///{url}" if isinstance(url, Path) else url
