"""Small clocks that a run context needs: a rate limit and an estimate of the time left."""

from __future__ import annotations

import time


class RateLimit:
    """True at most once every `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._last = float("-inf")

    def ready(self) -> bool:
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True


class Eta:
    """Seconds left, from the mean step time since the first report; -1 while unknown."""

    def __init__(self) -> None:
        self._start = 0.0
        self._first = 0

    def after(self, step: int, total: int) -> float:
        now = time.monotonic()
        if not self._start or step <= self._first:
            self._start, self._first = now, step
            return -1.0
        return (total - step) * (now - self._start) / (step - self._first)
