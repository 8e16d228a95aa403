"""A run through the pipeline simulation.run, as the pages and the API start it, read back from the table it writes."""

from __future__ import annotations

import csv
import io
from functools import cache
from typing import Any

import numpy as np

from pipelines.simulation import register_simulations
from pipelines.simulation.run import RunParams, SimulationRun
from studio.api import Numbers, Simulations
from tests.simulating import Context


@cache
def pipeline() -> SimulationRun:
    return SimulationRun(Simulations(register_simulations()))


def tabled(model: str, preset: str = "", seed: int = 1, duration: float = 0.0, every: float = 0.0, own: str = "", **values: Any) -> dict[str, Numbers]:
    """Columns by name, `time` among them: the preset's values (if one is named), then `values`. Raises what the door raises."""
    door, context = pipeline(), Context()
    if preset:
        values = dict(next(one.values for one in door.model(model).presets if one.name == preset)) | values
    params = RunParams(model=model, own=own, values=values, seed=seed, duration=duration, every=every, picture=False)
    door.run(door.settle(params, None), context)  # type: ignore[arg-type]
    rows = list(csv.reader(io.StringIO(context.kept[0].data.decode())))
    columns = np.array(rows[1:], dtype=np.float64).T
    return dict(zip(rows[0], columns, strict=True))
