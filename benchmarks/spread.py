"""The same repetitions of wolves and sheep by one process and by two, in one run. `python benchmarks/spread.py`"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from pipelines.simulation import register_pipelines, register_simulations  # noqa: E402
from studio.api import Simulations  # noqa: E402
from tests.experimenting import Context  # noqa: E402

RUNS = 60


def seconds(processes: int, runs: int = RUNS) -> tuple[float, bytes]:
    pipeline = next(one for one in register_pipelines(Simulations(register_simulations())) if one.id == "simulation.replicate")
    params = pipeline.settle(pipeline.Params.parse({"model": "wolf_sheep", "seed": 3, "replicates": runs}), None)  # type: ignore[attr-defined]
    started = time.perf_counter()
    found = pipeline.run(params, Context(processes=processes))  # type: ignore[arg-type]
    return time.perf_counter() - started, b"".join(one.data for one in found.artifacts)


def main() -> None:
    refuse_busy_machine()
    seconds(1, 4)  # compiles
    (alone, first), (together, second) = seconds(1), seconds(2)
    assert first == second, "the files differ"
    print(f"{RUNS} runs of wolves and sheep: one process {alone:.1f} s, two {together:.1f} s, {alone / together:.2f} times as fast; the same bytes")


if __name__ == "__main__":
    main()
