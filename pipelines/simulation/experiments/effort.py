"""Effort: how long a model's usual run takes, so that a first experiment is planned before one has told its pace. `python -m pipelines.simulation.experiments.effort` measures anew."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from studio.api import Simulation, steps_at

POINTS = 200
STRETCH_SECONDS = 0.02  # by the table; in a run, which keeps its way, steps take several times as long
UNKNOWN_STRETCHES = 20  # of the usual run of a model that nobody measured
# Seconds of one core of a small server, at the declared values. Another computer's own pace takes over after its first experiment.
SECONDS = {
    "lorenz63": 0.0002, "nasch": 0.005, "idm_ring": 0.003, "streets": 0.01, "bml": 0.28, "lotka_volterra": 0.0003, "rosenzweig_macarthur": 0.0005, "wolf_sheep": 0.07, "gray_scott": 1.75,
    "schelling": 0.02, "urban_growth": 0.15, "percolation": 0.009, "forest_fire": 0.025, "ising": 0.43, "lennard_jones": 0.31, "terrain": 0.25, "dungeon": 0.19, "life": 0.08, "sir": 0.0002,
    "seir": 0.0003, "stochastic_sir": 0.0002, "network_sir": 0.005, "mmc": 0.0002, "mg1": 0.0002, "ward": 0.0004, "emergency": 0.015, "simon": 0.002, "group_sequential": 0.002,
    "adaptive_trial": 0.003, "options": 0.005, "path_options": 0.04, "heston": 0.015, "garch": 0.0002, "fraud": 0.009, "lorenz96": 0.0003, "shallow_water": 1.95, "energy_balance": 0.015, "heat": 0.14, "ekman": 0.006,
    "stommel": 0.0002, "moving_optimum": 0.045, "n_body": 0.007, "kuramoto": 0.075,
}  # fmt: skip


def seconds_of_run(model: Simulation, steps: int) -> float:
    """Of so many steps on one core of the computer of the table; -1 where nobody measured the model."""
    if model.id not in SECONDS:
        return -1.0
    usual = int(steps_at(model, model.Params(), np.array([model.duration]))[0])
    return SECONDS[model.id] * steps / max(usual, 1)


def seconds_of(model: Simulation, steps: int) -> float:
    """The same, spread over this computer's cores."""
    alone = seconds_of_run(model, steps)
    return alone / (os.cpu_count() or 1) if alone >= 0 else alone


def stretch_of(model: Simulation, params: Any) -> int:
    """How many steps may pass until somebody looks whether Stop was pressed: a number by the table and not by the clock, as what a picture shows of the way may depend on it."""
    usual = max(1, int(steps_at(model, params, np.array([model.duration]))[0]))
    return max(1, round(usual * STRETCH_SECONDS / SECONDS[model.id]) if model.id in SECONDS else usual // UNKNOWN_STRETCHES)


def main() -> None:
    from pipelines.simulation import register_simulations

    for model in register_simulations():
        params = model.Params()
        model.observed([params], np.array([0.0, model.time_step(params)]), [1])  # compiles
        began = time.process_time()
        model.observed([params], np.linspace(0.0, model.duration, POINTS), [2])
        print(f'"{model.id}": {time.process_time() - began:.4f},')


if __name__ == "__main__":
    main()
