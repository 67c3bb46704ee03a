# SPDX-License-Identifier: ISC
"""Counts the runs of the hostile network, for the summary at the end of the tests."""

import pytest

from tests.conftest import COUNTED
from tests.ike_auth.engine.hostile import Runs


@pytest.fixture
def runs(pytestconfig: pytest.Config) -> Runs:
    """To which a test adds each handshake with something wrong in it."""
    return Runs(pytestconfig.stash[COUNTED])
