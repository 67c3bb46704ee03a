# SPDX-License-Identifier: ISC
"""Copies of CA directories that were made once, which is much faster than making them again."""

import shutil
from pathlib import Path

from sqlalchemy.engine import make_url

from pki.directory import Directory
from tests.pki.postgresql import Server


def copied(template: Path, target: Path, server: Server | None = None) -> Directory:
    """With all that is in it; the registry too, where it is a database of this server's."""
    directory = Directory(Path(shutil.copytree(template, target)))
    url = directory.settings().registry
    if url is not None and server is not None:
        database = make_url(url).database
        assert database is not None
        text = directory.settings_path.read_text(encoding="utf-8")
        own = server.url(server.new_database(database))
        directory.settings_path.write_text(text.replace(url, own), encoding="utf-8")
    return directory
