"""What Stop ends: everything that was asked before it was pressed, also what becomes a job only afterwards."""

from __future__ import annotations

from typing import Any

from studio import ui
from studio.api import Studio

KEPT = 1000  # of those who pressed last


class Stops:
    """Who pressed Stop last when, by the gate's clock; who asks is a page or a person."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._pressed: dict[str, tuple[float, str]] = {}

    def press(self, who: str, request: Any, mode: str = "cancel") -> None:
        """Before the jobs that are known are cancelled: so one that is queued meanwhile is missed by neither."""
        self._pressed.pop(who, None)
        self._pressed[who] = (ui.arrived(request), mode)
        while len(self._pressed) > KEPT:
            self._pressed.pop(next(iter(self._pressed)))

    def admit(self, who: str, request: Any, job_id: str) -> None:
        """End the job that this request asked for where Stop came after the request. Whoever presses must be able to find the job by now."""
        at, mode = self._pressed.get(who, (0.0, ""))
        if at > ui.arrived(request):
            self.studio.jobs.cancel(job_id, by=ui.owner(request), mode=mode)
