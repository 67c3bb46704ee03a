# SPDX-License-Identifier: ISC
"""What holds for all tests."""

import gc
import signal
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# How long an example takes says more about the machine than about what is tested. Hypothesis chooses its own profile
# where CI is set; this one takes over from what that says.
settings.register_profile("untimed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("untimed")

# Real daemons with addresses, namespaces and clocks of their own: of each of these sets one test at a time, beside
# all others. They take longest, most of it waiting, so they begin.
_ONE_BY_ONE = {"daemons": ("tests/ike_auth/daemon/", "tests/ike_auth/demo/"), "peers": ("tests/interop/",)}
COUNTED = pytest.StashKey[Counter[str]]()  # what the tests count for the summary, of every process that runs some


def one_by_one(nodeid: str) -> str | None:
    """The set of those that run one by one to which a test belongs."""
    return next((name for name, where in _ONE_BY_ONE.items() if nodeid.startswith(where)), None)


def pytest_configure(config: pytest.Config) -> None:
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell ignores it for what it starts in the background
    counted: Counter[str] = Counter()
    config.stash[COUNTED] = counted


class Together(LoadScopeScheduling):  # type: ignore[misc]
    """Which tests one process runs: those of a file, which share what is dear to make, or of a set of daemons."""

    def _split_scope(self, nodeid: str) -> str:
        return one_by_one(nodeid) or nodeid.partition("::")[0]


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    gc.disable()  # with it, this takes twice as long
    yield
    # Some ten thousand tests are there from now on: nobody looks for cycles among them, nor does a process that a
    # test forks write to all of their memory for it.
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 50)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: one_by_one(item.nodeid) is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


def pytest_sessionfinish(session: pytest.Session) -> None:
    counted = session.config.stash[COUNTED]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["counted"] = dict(counted)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[COUNTED].update(getattr(node, "workeroutput", {}).get("counted", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    counted = config.stash[COUNTED]
    if counted:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(counted.items()))
        terminalreporter.write_line(f"hostile network: {counted.total()} runs ({counts})")
