"""Finds stop strings in streamed text, holding back what could be the beginning of one."""

from __future__ import annotations


class StopFinder:
    """`feed` returns text that is safe to show; `found` turns true at a stop string, which is itself cut off."""

    def __init__(self, stops: list[str]) -> None:
        self._stops = stops
        self._held = ""
        self.found = False

    def feed(self, delta: str) -> str:
        if self.found:
            return ""
        self._held += delta
        at = min((place for stop in self._stops if (place := self._held.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.found = True
            text, self._held = self._held[:at], ""
            return text
        keep = max((self._overlap(stop) for stop in self._stops), default=0)
        text, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return text

    def flush(self) -> str:
        text, self._held = self._held, ""
        return text

    def _overlap(self, stop: str) -> int:
        longest = min(len(stop) - 1, len(self._held))
        return next((n for n in range(longest, 0, -1) if stop.startswith(self._held[-n:])), 0)
