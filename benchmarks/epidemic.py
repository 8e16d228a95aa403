"""Epidemics by chance: 100 outbreaks of ten thousand people, event by event, in a second. `python benchmarks/epidemic.py [--busy]`"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from pipelines.simulation.models.stochastic_sir import StochasticSir  # noqa: E402
from studio.api import seeds_of  # noqa: E402

MOST_SECONDS = 1.0
RUNS = 100


def main() -> int:
    refuse_busy_machine()
    model, times = StochasticSir(), np.arange(0.0, 121.0)
    params = model.Params.parse({"r0": 2.0, "infected": 10, "population": 10_000})
    model.observed([params], times, [0])  # compiled before it is timed
    started = time.process_time()
    found = model.observed([params] * RUNS, times, seeds_of(1, RUNS))
    took = time.process_time() - started
    events = 2 * found[:, -1, 4].sum()
    good = took <= MOST_SECONDS
    print(f"{'ok  ' if good else 'MISSED'} {RUNS} outbreaks of 10,000, every event, {len(times)} looks each: {took:.3f} s of CPU, {events / took / 1e6:.0f} M events/s (at most {MOST_SECONDS:g} s)")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
