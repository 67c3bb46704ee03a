# SPDX-License-Identifier: ISC
"""How many lines of the log strangers may cause."""

BURST = 100  # lines
PER_SECOND = 5.0


class Allowance:
    """A bucket that is full at first and fills up with time. `now` is monotonic, in seconds."""

    def __init__(self, burst: int = BURST, per_second: float = PER_SECOND) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._left = self._burst
        self._since: float | None = None
        self._refused = 0

    def take(self, now: float) -> bool:
        """Whether there may be one more."""
        elapsed = 0.0 if self._since is None else now - self._since
        self._left = min(self._burst, self._left + elapsed * self._per_second)
        self._since = now
        if self._left < 1:
            self._refused += 1
            return False
        self._left -= 1
        return True

    def refused(self) -> int:
        """How many there may not have been since this was asked last."""
        count, self._refused = self._refused, 0
        return count
