# SPDX-License-Identifier: ISC
"""What holds for all tests."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more about the machine than about what is tested. Hypothesis chooses its own profile
# where CI is set; this one takes over from what that says.
settings.register_profile("untimed", settings.get_profile(settings.get_current_profile_name()), deadline=None)
settings.load_profile("untimed")

_HERE = Path(__file__).parent
# Real daemons with addresses, namespaces and clocks of their own: one test at a time, beside all others.
_ONE_BY_ONE = (_HERE / "interop", _HERE / "ike_auth" / "daemon", _HERE / "ike_auth" / "demo")
COUNTED = pytest.StashKey[Counter[str]]()  # what the tests count for the summary, of every process that runs some


def pytest_configure(config: pytest.Config) -> None:
    counted: Counter[str] = Counter()
    config.stash[COUNTED] = counted


def pytest_itemcollected(item: pytest.Item) -> None:
    """Which tests stay together where several processes run them: those of a file share what is dear to make.

    pytest-xdist 3.8 makes nothing of it with pytest 9.2, where items cannot be renamed: each goes where there is
    room, which they all stand."""
    one_by_one = any(place in item.path.parents for place in _ONE_BY_ONE)
    item.add_marker(pytest.mark.xdist_group("daemons" if one_by_one else str(item.path.relative_to(_HERE))))


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
