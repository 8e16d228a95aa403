"""Ensemble Kalman filters in twin experiments on Lorenz-63 and Lorenz-96, against what DAPPER publishes for the same settings.

    python -m benchmarks.filter

Sources: DAPPER, mods/Lorenz63/sakov2012.py and mods/Lorenz96/sakov2008.py ("expected rmse.a"); Sakov, Oliver & Bertino 2012; Sakov & Oke 2008.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulation.learning.ensemble import Ensemble
from pipelines.simulation.learning.filtering import FilterParams, follow, score, twin
from pipelines.simulation.learning.priors import Beliefs
from studio.api import Simulation

ROOM = 0.10  # of the published error


@dataclass(frozen=True)
class Twin:
    """`start` is the members' deviation at the beginning; `seeds` runs of `count` times of data are averaged."""

    model: str
    values: dict[str, Any]
    error: float
    method: str
    members: int
    inflation: float
    every: float
    start: float
    count: int
    seeds: int
    published: float


L63 = {"x0": 1.509, "y0": -1.531, "z0": 25.46}
L63_TWIN: dict[str, Any] = {"model": "lorenz63", "values": L63, "error": 2**0.5, "every": 0.25, "start": 2**0.5, "count": 1000, "seeds": 8}
L96_TWIN: dict[str, Any] = {"model": "lorenz96", "values": {}, "error": 1.0, "every": 0.05, "start": 0.001**0.5, "count": 1000, "seeds": 1}
TWINS = (
    Twin(method="ETKF", members=10, inflation=1.02, published=0.60, **L63_TWIN),
    Twin(method="EnKF", members=10, inflation=1.04, published=0.65, **L63_TWIN),
    Twin(method="ETKF", members=24, inflation=1.013, published=0.18, **L96_TWIN),
    Twin(method="EnKF", members=40, inflation=1.06, published=0.22, **L96_TWIN),
    Twin(method="EnKF", members=28, inflation=1.08, published=0.24, **L96_TWIN),
)


class Quiet:
    """A context that nobody watches."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def progress(self, *_: Any) -> None:
        return None

    def check(self) -> None:
        return None


def model_of(name: str) -> Simulation:
    from pipelines.simulation.models.lorenz63 import Lorenz63
    from pipelines.simulation.models.lorenz96 import Lorenz96

    return {"lorenz63": Lorenz63(), "lorenz96": Lorenz96()}[name]


def rmse(asked: Twin, seed: int) -> float:
    """Of the analysis, without the first fifth."""
    model = model_of(asked.model)
    own = model.Params.parse(asked.values)
    params = FilterParams(
        model=asked.model, values=asked.values, whole=True, error=asked.error, method=asked.method, members=asked.members, inflation=asked.inflation, every=asked.every, count=asked.count  # type: ignore[arg-type]
    )
    quiet: Any = Quiet(seed)
    measured = twin(params, model, own, quiet)
    ensemble = Ensemble(model, own.model_dump(), Beliefs([]), asked.members, seed)
    ensemble.scatter(np.full(ensemble.packed().shape[1], asked.start))
    return score(follow(params, ensemble, measured, quiet), 0.2)["rmse"]


def main() -> int:
    """1 where one is not within ROOM."""
    failed = 0
    print("| model | filter | members | inflation | published | here | off | CPU s |\n|---|---|---|---|---|---|---|---|")
    for asked in TWINS:
        begun = time.process_time()
        found = float(np.mean([rmse(asked, seed) for seed in range(asked.seeds)]))
        off = found / asked.published - 1
        failed += abs(off) > ROOM
        print(f"| {asked.model} | {asked.method} | {asked.members} | {asked.inflation} | {asked.published:.2f} | {found:.3f} | {100 * off:+.0f} % | {time.process_time() - begun:.1f} |", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
