# SPDX-License-Identifier: ISC
"""Many issuers at once, each a process of its own: nothing is taken twice, nothing is lost."""

import os
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pki import audit, issuance, registry_database
from pki.directory import Directory
from pki.errors import RegistryError
from pki.names import identity
from pki.profiles import GATEWAY
from pki.registry import Registry
from tests.pki import databases
from tests.pki.databases import Url
from tests.pki.factory import NOW
from tests.pki.test_issuance import assert_whole
from tests.pki.test_registry import reservation, with_authority

pytestmark = pytest.mark.usefixtures("quick_keys")

PROCESSES, EACH = 6, 4


def at_once(work: Callable[[int], object], processes: int = PROCESSES) -> None:
    """Run `work` in so many processes, which begin together; each has to come to its end."""
    reading, writing = os.pipe()
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(writing)
                os.read(reading, 1)  # until all are there
                work(number)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    os.close(reading)
    os.close(writing)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * processes


def refusal(work: Callable[[], object]) -> str:
    """What the registry said to it; nothing where it was done."""
    try:
        work()
    except RegistryError as error:
        return str(error)
    return ""


def assert_log_whole(url: Url, entries: int) -> None:
    """Each entry hangs on the one before it, none is lost."""
    rows = databases.rows(url, "SELECT sequence, hash FROM audit ORDER BY sequence")
    assert [sequence for sequence, _ in rows] == list(range(1, entries + 1))
    assert len({hash for _, hash in rows} | {audit.FIRST_HASH}) == entries + 1


@pytest.fixture
def directories(url: Url, tmp_path: Path) -> list[Directory]:
    """One whose registry is inside, or several that share a database."""
    if isinstance(url, Path):
        issuance.initialize(tmp_path / "ca", "Example CA", NOW)
        return [Directory(tmp_path / "ca")]
    made = [Directory(tmp_path / f"ca{number}") for number in range(3)]
    for directory in made:
        issuance.initialize(directory.path, f"CA {directory.path.name}", NOW, registry_url=url)
    return made


def test_nothing_is_lost(directories: list[Directory], url: Url) -> None:
    def issue(number: int) -> None:
        directory = directories[number % len(directories)]
        for at in range(EACH):
            issuance.issue(directory, GATEWAY, (identity(f"gw{number}-{at}.example.org"),), NOW)

    at_once(issue)
    registry = directories[0].registry()
    records = registry.certificates()
    assert {record.name for record in records if record.identities} == {
        f"gw{number}-{at}.example.org" for number in range(PROCESSES) for at in range(EACH)
    }
    assert len({record.serial for record in records}) == len(records) == PROCESSES * EACH + len(directories)
    for directory in directories:
        own = directory.settings().id
        assert registry.unfinished(own) == ()
        assert len(list(directory.keys.iterdir())) == sum(record.directory == own for record in records)
    if len(directories) == 1:
        assert_whole(directories[0])
    assert_log_whole(directories[0].registry_url, len(records))


def test_one_of_many_gets_a_name(directories: list[Directory]) -> None:
    def issue(number: int) -> None:
        said = refusal(lambda: issuance.issue(directories[0], GATEWAY, (identity("gw.example.org"),), NOW))
        assert said == "" or "has a certificate already" in said

    at_once(issue)
    (record,) = directories[0].registry().find("gw.example.org")
    assert record.identities == (identity("gw.example.org"),)


@pytest.fixture
def registry(url: Url) -> Registry:
    return with_authority(url)[0]


def test_a_serial_number_is_taken_by_one_of_many(registry: Registry, url: Url, tmp_path: Path) -> None:
    """Random numbers of 159 bits do not meet; these do."""

    def reserve(number: int) -> None:
        own = Registry.open(url)
        for serial in range(1, 11):
            wanted = reservation(f"gw{number}-{serial}.example.org", serial)
            said = refusal(partial(own.reserve, 1, wanted, NOW))
            assert said == "" or "unique" in said.lower()
            if not said:
                (tmp_path / f"{serial}-{number}").touch()

    at_once(reserve)
    won = sorted(int(it.name.split("-")[0]) for it in tmp_path.glob("*-*") if it.name[0].isdigit())
    assert won == list(range(1, 11))
    assert len(registry.unfinished()) == 10


def test_the_number_of_a_list_is_taken_once(directories: list[Directory]) -> None:
    """By several processes of one directory."""
    made = directories[0].path

    def publish(number: int) -> None:
        directory = Directory(made)
        registry = directory.registry()
        authority = directory.authority(registry)
        signer = directory.signer(authority.certificate)
        for _ in range(EACH):
            (made.parent / f"list-{registry.crls.make(authority, signer, NOW).number}").touch(exist_ok=False)

    at_once(publish)
    registry = directories[0].registry()
    authority = directories[0].authority(registry)
    lists = [registry.crls.get(authority.id, number) for number in range(1, PROCESSES * EACH + 1)]
    assert [None if it is None else it.audit_sequence for it in lists] == list(
        range(len(directories) + 1, len(directories) + PROCESSES * EACH + 1)
    )
    assert len(list(made.parent.glob("list-*"))) == PROCESSES * EACH
    assert_log_whole(directories[0].registry_url, len(directories) + PROCESSES * EACH)


def test_many_make_the_tables_at_once(url: Url) -> None:
    def create(number: int) -> None:
        assert Registry.create(url).authorities() == ()

    at_once(create)
    assert databases.rows(url, "SELECT version_num FROM alembic_version") == [(registry_database.SCHEMA,)]


def test_many_make_an_authority_of_one_name(url: Url, tmp_path: Path) -> None:
    def make(number: int) -> None:
        path = tmp_path / f"ca{number}"
        place = databases.shared(url)
        said = refusal(lambda: issuance.initialize(path, "Example CA", NOW, registry_url=place))
        assert said == "" or "there is an authority `/CN=Example CA` already" in said
        assert path.exists() == (said == "")

    at_once(make)
    assert len(Registry.open(url).authorities()) == 1
    assert len(list(tmp_path.glob("ca*"))) == 1


def test_readers_among_writers(registry: Registry, url: Url) -> None:
    """A reader is never refused, and never sees half a certificate."""

    def work(number: int) -> None:
        if number % 2:
            reader = Registry.open_read_only(url)
            for _ in range(30):
                records = reader.certificates()
                assert all(len(record.identities) == 1 for record in records)
        else:
            own = Registry.open(url)
            for serial in range(number * 100 + 100, number * 100 + 108):
                own.reserve(1, reservation(f"gw{serial}", serial), NOW)
                own.confirm(1, f"{serial:040x}", str(serial).encode(), NOW)

    at_once(work)
    assert len(registry.certificates()) == 8 * PROCESSES // 2 + 1


def test_a_failure_in_a_process_fails_the_test() -> None:
    with pytest.raises(AssertionError):
        at_once(lambda number: 1 / number, 2)
