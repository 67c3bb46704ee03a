# SPDX-License-Identifier: ISC
"""The directions of import that docs/architecture.md promises."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = ("keynote", "pki", "ike_auth")
# package -> what of ours it may import besides itself
MAY_IMPORT = {"keynote": set(), "pki": {"keynote"}, "ike_auth": {"keynote", "pki"}}
# third-party or system module -> the only places (path prefixes) that may import it
CONFINED = {
    "ply": ("keynote/lexer.py", "keynote/grammar.py"),
    "sqlalchemy": ("pki/models.py", "pki/registry", "pki/migrations/"),
    "alembic": ("pki/registry", "pki/migrations/"),
    "click": ("keynote/cli", "pki/cli", "ike_auth/cli"),
    "rich": ("keynote/cli", "pki/cli", "ike_auth/cli", "ike_auth/demo/"),
    "socket": ("ike_auth/daemon/", "pki/web/server.py", "ike_auth/demo/host.py", "ike_auth/demo/wiretap.py"),
    "asyncio": ("ike_auth/daemon/",),
    "segno": ("pki/cli/qr.py",),
    "signal": ("ike_auth/daemon/", "pki/web/server.py", "ike_auth/demo/apart.py", "ike_auth/demo/host.py"),
    "time": ("ike_auth/daemon/",),
    "pyroute2": ("ike_auth/daemon/network/",),
    "anyio": ("pki/web/",),
    "starlette": ("pki/web/",),
    "uvicorn": ("pki/web/",),
    "structlog": ("ike_auth/daemon/", "ike_auth/cli"),
}
FILES = sorted(path for package in OURS for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_import_directions(path: Path) -> None:
    here = path.relative_to(ROOT).as_posix()
    package = here.split("/")[0]
    for name in imported(path):
        top = name.split(".")[0]
        if top in OURS and top != package:
            assert top in MAY_IMPORT[package], f"{here} imports {name}"
        if top in CONFINED:
            assert here.startswith(CONFINED[top]), f"{here} imports {name}, which belongs in {CONFINED[top]}"


def test_engine_reads_no_clock() -> None:
    """`datetime.now` and `time` belong to the edges; the core is given `now`."""
    core = [
        p
        for p in FILES
        if p.is_relative_to(ROOT / "ike_auth") and not {"daemon", "demo"} & set(p.parts) and "cli" not in p.name
    ]
    offenders = [p for p in core if ".now(" in p.read_text() or "utcnow(" in p.read_text()]
    assert offenders == []
