"""Benchmarks refuse a busy machine: their figures would say nothing."""

from __future__ import annotations

import os
import sys

MOST_LOAD = 0.5


def refuse_busy_machine() -> None:
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > MOST_LOAD and "--busy" not in sys.argv:
        raise SystemExit(f"The machine is busy (load {os.getloadavg()[0]:.1f} > {MOST_LOAD}). Wait, or add --busy and mistrust the figures.")
