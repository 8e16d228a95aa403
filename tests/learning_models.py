"""Small models whose posteriors are known, for tests of learning from data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from studio.api import BadInput, Diverged, Numbers, Params, Series, Simulation, chance, ui


class LineParams(Params):
    start: float = Field(1.0, ge=-100, le=100, title="Start", description="The value at time 0.")
    slope: float = Field(0.5, ge=-10, le=10, title="Slope", description="What comes to it in a unit of time.", json_schema_extra=ui(live=True))
    idle: float = Field(0.0, ge=-1, le=1, title="Idle", description="Does nothing: no data can tell it.")


class Line(Simulation):
    """value = start + slope·t; total = its sum over time. The posterior under normal noise is that of linear regression."""

    id: ClassVar[str] = "line"
    title: ClassVar[str] = "Line"
    domain: ClassVar[str] = "Test"
    about: ClassVar[str] = "A straight line."
    Params: ClassVar[type[Params]] = LineParams
    series: ClassVar[tuple[Series, ...]] = (Series("value", "Value"), Series("sum", "Sum", "", "total"))
    duration: ClassVar[float] = 10.0

    def time_step(self, params: Any) -> float:
        return 0.1

    def check(self, params: LineParams) -> None:
        if params.start > 50 and params.slope > 5:
            raise BadInput("Too steep from so high.", field="slope")

    def init(self, params: LineParams, rng: np.random.Generator) -> Numbers:
        return np.array([params.start, 0.0])

    def step(self, state: Numbers, params: LineParams, rng: np.random.Generator) -> Numbers:
        return state + 0.1 * np.array([params.slope, state[0] + 0.05 * params.slope])

    def observe(self, state: Numbers, params: LineParams) -> dict[str, float]:
        return {"value": float(state[0]), "sum": float(state[1])}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        start, slope = (np.array([getattr(params, name) for params in sets])[:, None] for name in ("start", "slope"))
        if (slope > 9.9).any():
            raise Diverged("Too steep.")
        at = np.rint(times / 0.1) * 0.1
        return np.stack([start + slope * at, start * at + slope * at**2 / 2], axis=2)


class ArrivalsParams(Params):
    rate: float = Field(3.0, ge=0.01, le=100, title="Rate", description="Arrivals in a unit of time.")


class Arrivals(Simulation):
    """A Poisson process: with a gamma prior its posterior is known; with a wide one it is Gamma(n + 1, T)."""

    id: ClassVar[str] = "arrivals"
    title: ClassVar[str] = "Arrivals"
    domain: ClassVar[str] = "Test"
    about: ClassVar[str] = "People come."
    Params: ClassVar[type[Params]] = ArrivalsParams
    series: ClassVar[tuple[Series, ...]] = (Series("came", "Came", "people", "total"),)
    stochastic: ClassVar[bool] = True

    def init(self, params: ArrivalsParams, rng: np.random.Generator) -> Numbers:
        return np.zeros(1)

    def step(self, state: Numbers, params: ArrivalsParams, rng: np.random.Generator) -> Numbers:
        return state + rng.poisson(params.rate)

    def observe(self, state: Numbers, params: ArrivalsParams) -> dict[str, float]:
        return {"came": float(state[0])}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        steps = np.rint(times).astype(int)
        return np.stack([np.cumsum(chance(seed).poisson(params.rate, steps[-1] + 1))[steps][:, None].astype(float) for params, seed in zip(sets, seeds, strict=True)])


class Counted(Arrivals):
    """The same with its own likelihood: Poisson counts of each unit of time."""

    id: ClassVar[str] = "counted"

    def log_likelihood(self, data: dict[str, Numbers], times: Numbers, params: ArrivalsParams) -> float:
        new = np.diff(data["came"])
        return float((new * np.log(params.rate * np.diff(times)) - params.rate * np.diff(times)).sum())


class Ctx:
    """What a pipeline needs of its context."""

    job_id, device, threads, processes = "test", "cpu", 1, 1

    def __init__(self, seed: int = 1, stop_at: int = 0, stop_in: str = "") -> None:
        self.seed, self.stop_at, self.stop_in = seed, stop_at, stop_in
        self.steps: list[tuple[int, int, str]] = []
        self.measured: dict[str, Any] = {}
        self.kept_outputs: list[Any] = []
        self.stopping = "none"
        self.files: dict[str, Any] = {}

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        from studio.api import Stopped

        self.steps.append((step, total, note))
        if self.stop_at and sum(self.stop_in in told for _, _, told in self.steps) >= self.stop_at:
            raise Stopped("Stopped.")

    def check(self) -> None:
        return None

    def stats(self, **values: Any) -> None:
        self.measured |= values

    def output(self, artifact: Any) -> None:
        self.kept_outputs.append(artifact)

    def input(self, key: str) -> Any:
        return self.files[key]

    def loading(self, note: str, fraction: float = -1.0) -> None:
        return None
