"""Typed models against the gallery's own: the same numbers, and how much slower; in processor time, in turns. `python benchmarks/own.py`"""

from __future__ import annotations

import functools
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

import numpy as np  # noqa: E402

from pipelines.simulation.models.lorenz63 import Lorenz63  # noqa: E402
from pipelines.simulation.own import read_model  # noqa: E402
from tabs.simulation_own_examples import EXAMPLES  # noqa: E402

TURNS = 7


def example(title: str) -> Any:
    return read_model(json.dumps(next(one for one in EXAMPLES if one["title"] == title)))


def spent(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def main() -> None:
    typed, own, times = example("Lorenz attractor"), Lorenz63(), np.linspace(0, 50, 501)
    found = [model.observed([model.Params()], times, [0])[0] for model in (typed, own)]
    print(f"Lorenz, 5,000 steps: largest difference {np.abs(found[0] - found[1]).max():.3g}")
    twenty = [own.Params()] * 20, [typed.Params()] * 20
    ratios = [spent(lambda: typed.observed(twenty[1], times, [0] * 20)) / spent(lambda: own.observed(twenty[0], times, [0] * 20)) for _ in range(TURNS)]
    print(f"Lorenz, 20 sets of 5,000 steps: typed / compiled for itself {statistics.median(ratios):.1f} (median of {TURNS})")
    sir, days = example("Epidemic"), np.arange(0, 101.0)
    sir.observed([sir.Params()], days, [0])
    seconds = [spent(lambda: sir.observed([sir.Params()] * 1000, days, [0] * 1000)) for _ in range(3)]
    print(f"SIR, 100 days of 10 steps, 1,000 sets: {min(seconds):.2f} s of processor time")
    text = next(one for one in EXAMPLES if one["title"] == "Epidemic")
    reading = [spent(functools.partial(read_model, json.dumps(text | {"about": str(number)}))) for number in range(20)]
    print(f"reading the SIR: {1000 * statistics.median(reading):.1f} ms of processor time")


if __name__ == "__main__":
    main()
