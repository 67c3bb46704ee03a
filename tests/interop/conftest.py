# SPDX-License-Identifier: ISC
"""Interop tests: two gateways in network namespaces, charon on one of them or on both.

They are skipped where the machine cannot run them; with INTEROP_REQUIRED=1 in the environment a skip is a failure.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.interop.certificates import Authority
from tests.interop.charon import CHARON, PLUGINS
from tests.interop.meeting import Meeting, Stage
from tests.interop.namespaces import Gateways, two_gateways

REQUIRED = os.environ.get("INTEROP_REQUIRED") == "1"
INSTALL = "bash tests/interop/install.sh as root installs it"

Meet = Callable[..., Meeting]  # `Stage.meet` without its gateways
SideBySide = Callable[[Callable[[Meet, Gateways, str], None], Iterable[str]], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.interop)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes `we_initiate` or `auth` runs in both roles, or with both methods."""
    if "we_initiate" in metafunc.fixturenames:
        metafunc.parametrize("we_initiate", [True, False], ids=["initiator", "responder"])
    if "auth" in metafunc.fixturenames:
        metafunc.parametrize("auth", ["psk", "rsa"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if REQUIRED and report.skipped and call.excinfo:
        report.outcome = "failed"
        report.longrepr = f"skipped, but INTEROP_REQUIRED=1: {call.excinfo.value}"
    return report


@pytest.fixture(scope="session")
def machine() -> None:
    """Skips where no charon can run."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if not shutil.which("ip"):
        pytest.skip(f"ip(8) is missing; {INSTALL}")
    for path in (CHARON, PLUGINS / "libstrongswan-vici.so", PLUGINS / "libstrongswan-kernel-libipsec.so"):
        if not path.exists():
            pytest.skip(f"{path} is missing; {INSTALL}")
    if not Path("/dev/net/tun").exists():
        pytest.skip("/dev/net/tun is missing: no userspace ESP")
    try:
        with two_gateways():
            pass
    except subprocess.CalledProcessError as e:
        pytest.skip(f"cannot make network namespaces: {e.stderr.strip()}")


@pytest.fixture(scope="session")
def netfilter(machine: None) -> None:
    """Skips where datagrams cannot be lost or translated."""
    if not shutil.which("nft"):
        pytest.skip(f"nft(8) is missing; {INSTALL}")
    try:
        with two_gateways() as both:
            both.a.filter("udp dport 500 numgen inc mod 2 == 0 counter name seen drop")
    except subprocess.CalledProcessError as e:
        pytest.skip(f"the kernel has no nftables: {e.stderr.strip()}")


@pytest.fixture
def gateways(machine: None) -> Iterator[Gateways]:
    with two_gateways() as both:
        yield both


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca") / "interop", "Interop CA")


@pytest.fixture(scope="session")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("ca") / "other", "Other CA")


@pytest.fixture
def stage(authority: Authority, tmp_path: Path) -> Iterator[Stage]:
    with ExitStack() as running:
        stage = Stage(running, authority, tmp_path)
        running.callback(stage.print_logs)
        yield stage


@pytest.fixture
def meet(stage: Stage, gateways: Gateways) -> Meet:
    return partial(stage.meet, gateways)


@pytest.fixture
def side_by_side(machine: None, authority: Authority, tmp_path: Path) -> SideBySide:
    """Runs one function for several cases at once, each between gateways of its own: what it does is mostly to wait.
    All failures are raised, as a group. Certificates are not issued in several threads."""

    def one(what: Callable[[Meet, Gateways, str], None], case: str) -> None:
        directory = tmp_path / case
        directory.mkdir()
        with two_gateways() as both, ExitStack() as running:
            stage = Stage(running, authority, directory)
            try:
                what(partial(stage.meet, both), both, case)
            except Exception as error:
                error.add_note(f"case {case}")
                stage.print_logs()
                raise

    def all_of(what: Callable[[Meet, Gateways, str], None], cases: Iterable[str]) -> None:
        with ThreadPoolExecutor() as pool:
            running = [pool.submit(one, what, case) for case in cases]
        failures = [failure for each in running if isinstance(failure := each.exception(), Exception)]
        if failures:
            raise ExceptionGroup("of the cases", failures)

    return all_of
