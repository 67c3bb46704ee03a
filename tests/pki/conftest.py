# SPDX-License-Identifier: ISC
import itertools
import shutil
from pathlib import Path

import pytest

from pki import issuance, keys
from pki.directory import Directory
from tests.pki import factory
from tests.pki.living import Ca


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """New keys are taken from a few that the whole session shares; two in a row differ."""
    labels = itertools.cycle(["issued-0", "issued-1", "issued-2"])
    monkeypatch.setattr(keys, "generate", lambda kind: factory.rsa_key(next(labels), int(kind.removeprefix("rsa-"))))


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
