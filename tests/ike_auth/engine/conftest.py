# SPDX-License-Identifier: ISC
"""Counts the runs of the hostile network, for the summary at the end of the tests."""

import pytest

from tests.ike_auth.engine.hostile import Runs

_RUNS = Runs()


@pytest.fixture
def runs() -> Runs:
    """To which a test adds each handshake with something wrong in it."""
    return _RUNS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _RUNS.total:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(_RUNS.counts.items()))
        terminalreporter.write_line(f"hostile network: {_RUNS.total} runs ({counts})")
