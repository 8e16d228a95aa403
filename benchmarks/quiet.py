"""Benchmarks refuse a busy machine: their figures would say nothing. And the most memory that another process takes meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MOST_LOAD = 0.5
LOOK_SECONDS = 0.05


@contextmanager
def memory_of(pid: int) -> Iterator[list[int]]:
    """[what it takes at the beginning, the most until the end], in bytes."""
    import psutil

    process, done = psutil.Process(pid), threading.Event()
    found = [process.memory_info().rss] * 2

    def watch() -> None:
        while not done.wait(LOOK_SECONDS):
            found[1] = max(found[1], process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def refuse_busy_machine() -> None:
    if hasattr(os, "getloadavg") and os.getloadavg()[0] > MOST_LOAD and "--busy" not in sys.argv:
        raise SystemExit(f"The machine is busy (load {os.getloadavg()[0]:.1f} > {MOST_LOAD}). Wait, or add --busy and mistrust the figures.")
