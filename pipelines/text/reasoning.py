"""Splits a streamed answer into what the model thinks (<think>…</think>) and what it says."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


class ReasoningSplitter:
    """Feed deltas, get (text, channel) pieces. A tag cut in two by streaming is held back until it is whole.

    Only a block at the very start of the answer counts: later tags are text.
    """

    def __init__(self, inside: bool = False) -> None:
        self._state = "opened" if inside else "before"
        self._held = ""

    def feed(self, delta: str) -> list[tuple[str, str]]:
        self._held += delta
        pieces: list[tuple[str, str]] = []
        while (piece := self._take()) is not None:
            pieces.append(piece)
        return [(text, channel) for text, channel in pieces if text]

    def flush(self) -> list[tuple[str, str]]:
        """The rest, at the end of the answer."""
        rest, self._held = self._held, ""
        return [(rest, "reasoning" if self._state in ("opened", "inside") else "answer")] if rest else []

    def _take(self) -> tuple[str, str] | None:
        if not self._held:
            return None
        if self._state == "before":
            return self._before()
        if self._state == "opened":  # blank lines after the tag are no thought
            self._held = self._held.lstrip("\n")
            if not self._held:
                return None
            self._state = "inside"
        if self._state == "inside":
            return self._inside()
        if self._state == "gap":  # blank lines between the block and the answer belong to neither
            self._held = self._held.lstrip("\n")
            if not self._held:
                return None
            self._state = "after"
        text, self._held = self._held, ""
        return text, "answer"

    def _before(self) -> tuple[str, str] | None:
        start = self._held.lstrip()
        if start.startswith(OPEN):
            self._state, self._held = "opened", start[len(OPEN) :]
            return "", "reasoning"
        if OPEN.startswith(start):
            return None
        self._state = "after"
        return "", "answer"

    def _inside(self) -> tuple[str, str] | None:
        at = self._held.find(CLOSE)
        if at >= 0:
            text, self._held = self._held[:at], self._held[at + len(CLOSE) :]
            self._state = "gap"
            return text, "reasoning"
        keep = next((n for n in range(min(len(CLOSE) - 1, len(self._held)), 0, -1) if CLOSE.startswith(self._held[-n:])), 0)
        text, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return (text, "reasoning") if text else None
