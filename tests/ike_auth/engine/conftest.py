# SPDX-License-Identifier: ISC
"""Counts the runs of the hostile network, for the summary at the end of the tests."""

from collections.abc import Iterator

import pytest

from tests.ike_auth.engine.hostile import Runs

_RUNS = Runs()


@pytest.fixture
def runs() -> Iterator[Runs]:
    """How many handshakes with something wrong in them this test has been through."""
    return _RUNS  # type: ignore[return-value]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _RUNS.total:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(_RUNS.counts.items()))
        terminalreporter.write_line(f"hostile network: {_RUNS.total} runs ({counts})")
