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


def shared(url: Url) -> str:
    """As it stands in ca.toml, where a file is named by a URL too."""
    return f"sqlite:///{url}" if isinstance(url, Path) else url
