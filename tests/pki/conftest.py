# SPDX-License-Identifier: ISC
import itertools
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Dialect
from sqlalchemy.engine.default import DefaultDialect

from pki import issuance, keys
from pki.directory import Directory
from tests.pki import directories, factory, postgresql
from tests.pki.databases import Url
from tests.pki.living import Ca
from tests.pki.postgresql import Missing, Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server. Skips where there is none; with POSTGRESQL_REQUIRED=1 in the environment it fails."""
    with ExitStack() as running:
        try:
            started = running.enter_context(postgresql.server())
        except Missing as missing:
            if os.environ.get("POSTGRESQL_REQUIRED") == "1":
                pytest.fail(f"POSTGRESQL_REQUIRED=1, but {missing}")
            pytest.skip(str(missing))
        yield started


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Engines share what SQLAlchemy compiles. A process of ours has one; tests open registries by the thousand,
    and to compile the statements for each takes a third of their time."""
    compiled: dict[type[Dialect], dict[Any, Any]] = defaultdict(dict)
    create = sa.create_engine

    def sharing(*arguments: Any, **options: Any) -> sa.Engine:
        engine = create(*arguments, **options)
        return engine.execution_options(compiled_cache=compiled[type(engine.dialect)])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sa, "create_engine", sharing)
        # What is compiled is filed by dialect, of which each engine has its own.
        patch.setattr(DefaultDialect, "__hash__", lambda dialect: hash(type(dialect)))
        patch.setattr(DefaultDialect, "__eq__", lambda dialect, other: type(dialect) is type(other))
        yield


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Url:
    """Where to make a registry, on each database that we have."""
    if request.param == "sqlite":
        return tmp_path / "registry.sqlite"
    server: Server = request.getfixturevalue("server")
    return server.url(server.new_database())


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New RSA keys are taken from a few that the whole session shares; a few in a row differ."""
    labels = itertools.cycle([f"issued-{number}" for number in range(6)])
    generate = keys.generate

    def quick(kind: str) -> keys.PrivateKey:
        return factory.rsa_key(next(labels), int(kind[4:])) if kind.startswith("rsa-") else generate(kind)

    monkeypatch.setattr(keys, "generate", quick)


@pytest.fixture
def small_keys(quick_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys are on a curve, whatever kind is asked for: an RSA key's primes are tried whenever its file is read,
    which is most of the time that a test takes that reads it a hundred times."""
    labels = itertools.count()  # they stay the same for all tests, whose templates have one of their own
    monkeypatch.setattr(keys, "generate", lambda kind: factory.ec_key(f"issued-{next(labels)}"))


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory, where there is such a file system, for tests that end processes and read what is left a
    hundred times: to those that come after them a synced disk is no other."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="keynote-test-", dir=memory) as folder:
        yield Path(folder)


NAME = "/C=XX/O=Test/CN=Example CA"


@contextmanager
def own_key(key: keys.PrivateKey) -> Iterator[None]:
    """Of a template's authority: whatever a test makes has another, since a key may be taken back."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "generate", lambda kind: key)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA directory with nothing issued yet, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ca"
    with own_key(factory.rsa_key("template")):
        issuance.initialize(path, NAME, factory.NOW)
    return path


@pytest.fixture(scope="session")
def small_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a small key."""
    path = tmp_path_factory.mktemp("template") / "ca"
    with own_key(factory.ec_key("template")):
        issuance.initialize(path, NAME, factory.NOW, kind="p-256")
    return path


@pytest.fixture(scope="session")
def postgresql_template(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with its registry in PostgreSQL."""
    path = tmp_path_factory.mktemp("template") / "postgresql"
    url = server.url(server.new_database())
    with own_key(factory.rsa_key("template")):
        issuance.initialize(path, NAME, factory.NOW, registry_url=url)
    return path


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Where the registry of `directory` is: in a file, but for tests that are marked `both_databases`."""
    return getattr(request, "param", "sqlite")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames and metafunc.definition.get_closest_marker("both_databases"):
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def directory(request: pytest.FixtureRequest, database: str, tmp_path: Path, quick_keys: None) -> Directory:
    """A CA directory of this test's own, with one authority."""
    if database == "sqlite":
        kind = "small_template" if "small_keys" in request.fixturenames else "template"
        return directories.copied(request.getfixturevalue(kind), tmp_path / "ca")
    server: Server = request.getfixturevalue("server")
    return directories.copied(request.getfixturevalue("postgresql_template"), tmp_path / "ca", server)


@pytest.fixture
def ca(directory: Directory) -> Ca:
    """The same, ready to issue, to revoke and to make lists."""
    return Ca(directory)
