"""Sobol' indices of Ishigami's function against the exact ones, through simulation.sobol. `python benchmarks/sobol.py`"""

from __future__ import annotations

import csv
import io
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from tests.experimenting import PI, Context, done, exact_ishigami  # noqa: E402

SAMPLES = 4096


def main() -> None:
    refuse_busy_machine()
    ranges = {name: [-PI, PI] for name in ("x1", "x2", "x3")}
    started, before = time.perf_counter(), time.process_time()
    found = done("simulation.sobol", Context(), model="ishigami", names=list(ranges), ranges=ranges, samples=SAMPLES, points=2)
    took, worked = time.perf_counter() - started, time.process_time() - before
    rows = list(csv.DictReader(io.StringIO(next(one.data.decode() for one in found.artifacts if one.kind == "table"))))
    exact = dict(zip(("S1", "ST"), exact_ishigami(), strict=True))
    print(f"Ishigami, {SAMPLES:,} base samples, {found.summary['runs']:,} runs, figures and tables included: {took:.1f} s, {worked:.1f} s of one core")
    for at, row in enumerate(rows):
        print(f"  {row['parameter']}: " + "; ".join(f"{name} {float(row[name]):+.4f} (exact {values[at]:+.4f})" for name, values in exact.items()))
    worst = max(float(np.abs(np.array([float(row[name]) for row in rows]) - values).max()) for name, values in exact.items())
    print(f"  largest error {worst:.4f} (at most 0.02)")


if __name__ == "__main__":
    main()
