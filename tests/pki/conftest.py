# SPDX-License-Identifier: ISC
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pki import issuance, keys
from pki.directory import Directory
from tests.pki import factory, postgresql
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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Url:
    """Where to make a registry, on each database that we have."""
    if request.param == "sqlite":
        return tmp_path / "registry.sqlite"
    server: Server = request.getfixturevalue("server")
    return server.url(server.new_database())


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New RSA keys are taken from a few that the whole session shares; two in a row differ."""
    labels = itertools.cycle(["issued-0", "issued-1", "issued-2"])
    generate = keys.generate

    def quick(kind: str) -> keys.PrivateKey:
        return factory.rsa_key(next(labels), int(kind[4:])) if kind.startswith("rsa-") else generate(kind)

    monkeypatch.setattr(keys, "generate", quick)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA directory with nothing issued yet, to be copied."""
    path = tmp_path_factory.mktemp("template") / "ca"
    issuance.initialize(path, "/C=XX/O=Test/CN=Example CA", factory.NOW)
    return path


@pytest.fixture
def directory(template: Path, tmp_path: Path, quick_keys: None) -> Directory:
    """A CA directory of this test's own, with one authority."""
    return Directory(Path(shutil.copytree(template, tmp_path / "ca")))


@pytest.fixture
def ca(directory: Directory) -> Ca:
    """The same, ready to issue, to revoke and to make lists."""
    return Ca(directory)
