# SPDX-License-Identifier: ISC
"""A CA directory whose registry is elsewhere, where others have theirs too: PostgreSQL."""

import json
import signal
import stat
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from pki import issuance, settings
from pki.directory import Directory
from pki.errors import PkiError, RegistryUnreachable
from pki.registry import Registry
from tests.pki import faults
from tests.pki.factory import NOW
from tests.pki.postgresql import Server
from tests.pki.test_cli import Run, run  # noqa: F401  (a fixture)
from tests.pki.test_issuance import FULL, assert_whole, has_authority, issue, tree

pytestmark = pytest.mark.usefixtures("small_keys")

NAME = "/C=XX/O=Test/CN=Example CA"


@pytest.fixture
def database(server: Server) -> str:
    return server.new_database()


@pytest.fixture
def made(server: Server, database: str, tmp_path: Path) -> Directory:
    """A CA directory with one authority in a database that is its own for now."""
    path = tmp_path / "made"
    issuance.initialize(path, NAME, NOW, registry_url=server.url(database))
    return Directory(path)


def test_the_url_is_kept_for_its_owner_alone(made: Directory, server: Server, database: str) -> None:
    assert made.settings().registry == server.url(database)
    assert stat.S_IMODE(made.settings_path.stat().st_mode) == 0o600
    assert not made.registry_path.exists()
    issue(made)
    assert_whole(made)


def test_each_directory_issues_by_its_own_authority(made: Directory, tmp_path: Path) -> None:
    other = Directory(tmp_path / "other")
    issuance.initialize(other.path, "Other CA", NOW, registry_url=made.settings().registry)
    records = [issue(directory, f"{directory.path.name}.example.org") for directory in (made, other)]
    issuers = [record.certificate.issuer.rfc4514_string() for record in records]
    assert issuers == ["CN=Example CA,O=Test,C=XX", "CN=Other CA"]
    assert len(made.registry().certificates()) == len(other.registry().certificates()) == 4
    with pytest.raises(PkiError, match=r"private key of `other\.example\.org` is not kept here"):
        made.signer(records[1])


def test_the_name_of_an_authority_is_taken_once(made: Directory, tmp_path: Path) -> None:
    with pytest.raises(PkiError, match="there is an authority `/C=XX/O=Test/CN=Example CA` already"):
        issuance.initialize(tmp_path / "other", NAME, NOW, registry_url=made.settings().registry)
    assert not (tmp_path / "other").exists()


def test_init_again_or_with_another_url(made: Directory, server: Server) -> None:
    before = tree(made.path)
    with pytest.raises(PkiError, match="holds the authority `Example CA` already"):
        issuance.initialize(made.path, "Again", NOW)
    with pytest.raises(PkiError, match="has another registry: postgresql://"):
        issuance.initialize(made.path, "Again", NOW, registry_url=server.url(server.new_database()))
    assert tree(made.path) == before


@pytest.mark.parametrize(
    "url", ["postgresql://ca:secret@/none?host=/nowhere", "postgresql://ca:sec:ret/x@h/d", "mysql://ca:secret@h/d"]
)
def test_a_url_that_leads_nowhere_makes_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(PkiError) as caught:
        issuance.initialize(tmp_path / "ca", NAME, NOW, registry_url=url)
    assert "secret" not in str(caught.value)
    assert "ret" not in str(caught.value).replace("secret", "").replace("returned", "")
    assert not (tmp_path / "ca").exists()


def test_what_is_said_has_no_password(
    run: Run,  # noqa: F811
    server: Server,
    database: str,
) -> None:
    url = server.url(database).replace("keynote@", "keynote:se%3Acret@")
    made = run(f'keynote-pki init ca --name CA --registry "{url}" --json')
    assert made.status == 0
    assert json.loads(made.out)["registry"].startswith("postgresql://keynote:***@/")
    assert "cret" not in made.out + made.err
    assert "cret" not in repr(Directory(Path("ca")).settings())
    again = run("keynote-pki init ca --name CA --registry postgresql://keynote:secret@/x?host=/nowhere")
    assert again.status == 1
    assert "cret" not in again.out + again.err
    assert run("keynote-pki list --dir ca").status == 0


def issue_with(directory: Path, name: str, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        issue(Directory(directory), name)
    return steps


def test_killed_at_any_step_of_an_issue(made: Directory) -> None:
    outcomes = []
    for step in range(len(issue_with(made.path, "gw.example.org", None, faults.kill))):
        name = f"gw{step}.example.org"
        assert faults.in_child(partial(issue_with, made.path, name, step, faults.kill)) == signal.SIGKILL
        recovered = issuance.recover_if_idle(made, made.registry())
        assert_whole(made)
        outcomes.append(bool(made.registry().find(name)))
        assert [(it.name, it.completed) for it in recovered] in ([], [(name, outcomes[-1])])
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_no_room_at_any_step_of_an_issue(made: Directory) -> None:
    for step in range(len(issue_with(made.path, "gw.example.org", None, faults.fill_disk))):
        with pytest.raises(PkiError, match=FULL):
            issue_with(made.path, f"gw{step}.example.org", step, faults.fill_disk)
        issuance.recover_if_idle(made, made.registry())
        assert_whole(made)


def run_init(path: Path, url: str, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        issuance.initialize(path, f"/CN={path.name}", NOW, registry_url=url)
    return steps


def own_names(directory: Directory) -> list[str]:
    own = directory.settings().id
    return [record.name for record in directory.registry().certificates() if record.directory == own]


def test_killed_at_any_step_of_an_init(server: Server, database: str, scratch: Path) -> None:
    url = server.url(database)
    Registry.create(url)
    for step in range(len(run_init(scratch / "count", url, None, faults.kill))):
        victim = Directory(scratch / f"kill{step}")
        assert faults.in_child(partial(run_init, victim.path, url, step, faults.kill)) == signal.SIGKILL
        if not has_authority(victim):
            issuance.initialize(victim.path, f"/CN={victim.path.name}", NOW, registry_url=url)
        assert own_names(victim) == [victim.path.name]
        assert victim.registry().unfinished(victim.settings().id) == ()
        assert len(list(victim.keys.iterdir())) == 1
        assert not list(victim.path.glob(".*"))
    issue(victim)


def test_an_init_that_fails_leaves_nothing(server: Server, database: str, scratch: Path) -> None:
    url = server.url(database)
    Registry.create(url)
    whole = []
    for step in range(len(run_init(scratch / "count", url, None, faults.fill_disk))):
        victim = Directory(scratch / f"full{step}")
        with pytest.raises(PkiError, match=FULL):
            run_init(victim.path, url, step, faults.fill_disk)
        whole.append(victim.path.exists())
        assert whole[-1] == (has_authority(victim) if whole[-1] else False)
    assert whole == sorted(whole)


def test_an_init_whose_server_goes_away_keeps_what_leads_back_to_it(
    server: Server, database: str, tmp_path: Path
) -> None:
    """The pending row is there, and knows this directory by its id alone."""
    victim = Directory(tmp_path / "ca")
    url = server.url(database)

    def gone(what: str) -> None:
        with server.connect() as connection:
            connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        faults.fill_disk("sql")

    steps = run_init(tmp_path / "count", server.url(server.new_database()), None, gone)
    confirm = max(at for at, step in enumerate(steps) if step == "fsync" and "link" in steps[at:]) + 1
    with pytest.raises(PkiError):
        run_init(victim.path, url, confirm, gone)
    assert victim.settings().registry == url
    with pytest.raises(RegistryUnreachable, match="not currently accepting connections"):
        victim.registry()
    with server.connect() as connection:
        connection.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
    issuance.initialize(victim.path, NAME, NOW)
    assert own_names(victim) == ["Example CA"]
    assert_whole(victim)


def test_without_a_server_the_error_says_so(made: Directory, tmp_path: Path) -> None:
    own = replace(made.settings(), registry="postgresql://ca@/registry?host=/nowhere")
    made.settings_path.unlink()
    settings.write(made.settings_path, own)
    with pytest.raises(RegistryUnreachable, match="No such file or directory") as caught:
        made.registry()
    assert "\n" not in str(caught.value)
    assert "does the server run" in caught.value.hint
