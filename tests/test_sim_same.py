"""All models of the gallery: the same settings and seed give the same bytes, clicks stay within the picture, a long run keeps little."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.simulation import register_simulations
from pipelines.simulation.ode import TRAIL
from pipelines.simulation.run import RunParams, SimulationRun
from studio.api import Catalog, Desk, Simulation, Simulations, chance
from studio.inputs import Inputs
from tests.simulating import Context

MODELS = {model.id: model for model in register_simulations()}
CHANCY: dict[str, dict[str, Any]] = {"n_body": {"system": "Star cluster"}}  # where chance is only in some starts
PIPELINE = SimulationRun(Simulations(list(MODELS.values())))
HASHES = """
import hashlib, sys
from tests.test_sim_same import MODELS, kept
for model in MODELS.values():
    print(model.id, [hashlib.sha256(data).hexdigest() for data in kept(model, model.duration / 4)])
"""


def kept(model: Simulation, duration: float, seed: int = 7) -> list[bytes]:
    params = PIPELINE.settle(RunParams(model=model.id, values=CHANCY.get(model.id, {}), duration=duration, seed=seed), Desk(Catalog([]), Inputs(Path("/nowhere"))))
    ctx: Any = Context()
    PIPELINE.run(params, ctx)
    return [artifact.data for artifact in ctx.kept]


@pytest.mark.parametrize("name", MODELS)
def test_a_seed_is_a_run(name: str) -> None:
    model = MODELS[name]
    duration = 20 * model.time_step(model.Params())
    first = kept(model, duration)
    assert kept(model, duration) == first and len(first) == 2
    assert not model.stochastic or kept(model, duration, seed=8) != first


@pytest.mark.slow
def test_other_processes_give_the_same_bytes() -> None:
    root = Path(__file__).parents[1]
    told = [subprocess.run([sys.executable, "-c", HASHES], env=os.environ | {"PYTHONHASHSEED": salt}, cwd=root, capture_output=True, text=True, timeout=600, check=True).stdout for salt in "12"]
    assert told[0] == told[1] and told[0].count("\n") == len(MODELS)


@pytest.mark.parametrize("name", [model.id for model in MODELS.values() if model.pokes])
def test_a_click_at_any_edge_is_taken(name: str) -> None:
    model, rng = MODELS[name], chance(3)
    params = model.Params()
    state = model.init(params, rng)
    for x, y in [(0.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.5)]:
        state = model.advance(model.poke(state, params, x, y, rng), params, rng, 1)
    assert np.isfinite(list(model.observe(state, params).values())).all()


@pytest.mark.parametrize("name", ["lorenz63", "sir"])
def test_a_long_stretch_at_once_keeps_no_more_of_its_way_and_comes_to_the_same(name: str) -> None:
    model: Any = MODELS[name]
    params, steps = model.Params(), 7 * TRAIL + 5
    once, parts = model.init(params, chance(1)), model.init(params, chance(1))
    model.advance(once, params, chance(1), steps)
    for _ in range(7):
        model.advance(parts, params, chance(1), TRAIL)
    model.advance(parts, params, chance(1), 5)
    np.testing.assert_array_equal(once.y, parts.y)
    assert len(once.trail) <= TRAIL
