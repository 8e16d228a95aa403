"""Paces: how often each open page is sent what is being written. A page that draws late says so (page.js), and streams wait longer between its updates.

An update carries all there is until then, so a slow page sees fewer of them and loses nothing.
"""

from __future__ import annotations

from studio.errors import BadInput

QUICKEST = 0.035  # seconds between updates; words come in parcels of 20 ms
SLOWEST = 1.5
PAGES = 1000  # that are remembered


class Paces:
    """Seconds between the updates of each page, by its owner and its session with Gradio."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], float] = {}

    def tell(self, owner: str, page: str, seconds: float) -> float:
        """From now on; what is kept of it. Raises BadInput."""
        if not page or not 0 < seconds < 1e6:
            raise BadInput("A pace is the name of a page and seconds above 0.", hint='Send {"page": "…", "seconds": 0.5}.', field="seconds")
        kept = min(max(float(seconds), QUICKEST), SLOWEST)
        self._seconds.pop((owner, page), None)
        self._seconds[owner, page] = kept
        while len(self._seconds) > PAGES:
            self._seconds.pop(next(iter(self._seconds)))
        return kept

    def of(self, owner: str, page: str) -> float:
        return self._seconds.get((owner, page), QUICKEST)
