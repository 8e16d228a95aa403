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


class Share:
    """Lets a by-work take at most `share` of the time, and come at most once every `pause` seconds: after it took t seconds it is due t / share later."""

    def __init__(self, share: float, pause: float) -> None:
        self.share, self.pause = share, pause
        self._due = float("-inf")

    def due(self) -> bool:
        return time.monotonic() >= self._due

    def took(self, seconds: float) -> None:
        self._due = time.monotonic() + max(self.pause, seconds / self.share - seconds)


class Eta:
    """Seconds left, from how long the share of the work took that was done since the first report; -1 while unknown."""

    def __init__(self) -> None:
        self._start = 0.0
        self._first = 0.0

    def after(self, share: float) -> float:
        """`share` of the whole work is done, 0 … 1."""
        now = time.monotonic()
        if not self._start or share <= self._first:
            self._start, self._first = now, share
            return -1.0
        return max(0.0, 1 - share) * (now - self._start) / (share - self._first)
