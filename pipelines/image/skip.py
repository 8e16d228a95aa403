"""Skip: the user goes on to the next picture."""

from __future__ import annotations

from typing import Any

from studio.api import RunContext


class Skipped(Exception):
    """The present picture is not wanted any more."""


class Skippable:
    """A job's context while one of its pictures is made: wherever Stop is looked at, Skip is."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ctx, name)

    def check(self) -> None:
        """Raises Stopped, Skipped."""
        self._ctx.check()
        if self._ctx.stopping == "skip":
            raise Skipped
