# SPDX-License-Identifier: ISC
"""The one place that reads clocks."""

import time
from datetime import UTC, datetime

from ike_auth.network import Now


def now() -> Now:
    return Now(time.monotonic(), datetime.now(UTC))


def pause(seconds: float) -> None:
    time.sleep(seconds)
