"""Published figures: what a model must reproduce, with its tolerance and source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`compute()` gives the obtained value; it must be within `tolerance` of `expected` (absolute)."""

    model: str
    what: str
    expected: float
    tolerance: float
    source: str
    compute: Callable[[], float]
    slow: bool = False
