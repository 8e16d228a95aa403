"""For tests of experiments: models whose answers are known, and a run without a studio."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation import register_pipelines
from studio.api import Numbers, Params, Preset, Result, Series, Simulation, Simulations, Stopped, ui
from tests.simulating import Walk

PI = float(np.pi)


class IshigamiParams(Params):
    x1: float = Field(1.0, ge=-PI, le=PI, title="x1", description="First.", json_schema_extra=ui())
    x2: float = Field(1.0, ge=-PI, le=PI, title="x2", description="Second.", json_schema_extra=ui())
    x3: float = Field(1.0, ge=-PI, le=PI, title="x3", description="Third.", json_schema_extra=ui())
    a: float = Field(7.0, ge=0, le=10, title="a", description="Of the second.", json_schema_extra=ui(advanced=True))
    b: float = Field(0.1, ge=0, le=1, title="b", description="Of the third.", json_schema_extra=ui(advanced=True))


class Ishigami(Simulation):
    """sin x1 + a sin² x2 + b x3⁴ sin x1, whose Sobol' indices are known exactly.

    Source: T. Ishigami, T. Homma, Proc. First Int. Symp. Uncertainty Modeling and Analysis (1990) 398-403.
    """

    id: ClassVar[str] = "ishigami"
    title: ClassVar[str] = "Ishigami"
    domain: ClassVar[str] = "Test"
    about: ClassVar[str] = "One. Two. Three."
    Params: ClassVar[type[Params]] = IshigamiParams
    series: ClassVar[tuple[Series, ...]] = (Series("y", "y"),)
    presets: ClassVar[tuple[Preset, ...]] = (Preset("Flat", {"x1": 0.0, "x2": 0.0}, "Nothing."),)
    duration: ClassVar[float] = 1.0
    time_unit: ClassVar[str] = ""

    def init(self, params: IshigamiParams, rng: np.random.Generator) -> Any:
        return 0

    def step(self, state: Any, params: IshigamiParams, rng: np.random.Generator) -> Any:
        return state + 1

    def observe(self, state: Any, params: IshigamiParams) -> dict[str, float]:
        return {"y": np.sin(params.x1) + params.a * np.sin(params.x2) ** 2 + params.b * params.x3**4 * np.sin(params.x1)}


class GrowthParams(Params):
    rate: float = Field(0.5, ge=-2, le=2, title="Rate", description="Of growth.", json_schema_extra=ui(unit="1/d"))
    start: int = Field(4, ge=0, le=1000, title="Start", description="How many at first.", json_schema_extra=ui())
    noise: float = Field(0.0, ge=0, le=5, title="Noise", description="Of what is counted at the end.", json_schema_extra=ui(advanced=True))
    breaks: float = Field(99.0, ge=0, le=99, title="Breaks", description="Above this rate it blows up.", json_schema_extra=ui(advanced=True))


class Growth(Simulation):
    """start · exp(rate · t) and noise drawn once; blows up above a rate."""

    id: ClassVar[str] = "growth"
    title: ClassVar[str] = "Growth"
    domain: ClassVar[str] = "Test"
    about: ClassVar[str] = "One. Two. Three."
    Params: ClassVar[type[Params]] = GrowthParams
    series: ClassVar[tuple[Series, ...]] = (Series("count", "Count", "cells"), Series("born", "Born", "cells", "total"))
    presets: ClassVar[tuple[Preset, ...]] = (Preset("Slow", {"rate": 0.1}, "Slow."), Preset("Down", {"rate": -0.5}, "Down."))
    duration: ClassVar[float] = 2.0
    time_unit: ClassVar[str] = "d"
    stochastic: ClassVar[bool] = True

    def time_step(self, params: GrowthParams) -> float:
        return 0.01

    def init(self, params: GrowthParams, rng: np.random.Generator) -> Any:
        return 0, params.noise * rng.standard_normal()

    def advance(self, state: Any, params: GrowthParams, rng: np.random.Generator, steps: int) -> Any:
        return state[0] + steps, state[1]

    def observe(self, state: Any, params: GrowthParams) -> dict[str, float]:
        count = params.start * np.exp(params.rate * state[0] * 0.01) + state[1]
        if params.rate > params.breaks and state[0]:
            count = np.nan
        return {"count": count, "born": count - params.start}


def exact_ishigami(a: float = 7.0, b: float = 0.1) -> tuple[Numbers, Numbers]:
    """First and total indices."""
    v1, v2, v13 = (1 + b * PI**4 / 5) ** 2 / 2, a**2 / 8, b**2 * PI**8 * (1 / 18 - 1 / 50)
    whole = v1 + v2 + v13
    return np.array([v1, v2, 0.0]) / whole, np.array([v1 + v13, v2, v13]) / whole


SIMULATIONS = Simulations([Ishigami(), Growth(), Walk()])
PIPELINES: dict[str, Any] = {pipeline.id: pipeline for pipeline in register_pipelines(SIMULATIONS)}


class Context:
    """What was kept and reported. Stops after `stop_after` reports by raising, finishes early after `finish_after`."""

    def __init__(self, *, processes: int = 1, stop_after: int = 10**9, finish_after: int = 10**9, kept: list[Path] | None = None, files: dict[str, Path] | None = None) -> None:
        self.processes, self.threads, self.stop_after, self.finish_after = processes, 1, stop_after, finish_after
        self.kept, self.files = kept or [], files or {}
        self.outputs: list[Any] = []
        self.told: list[tuple[int, int, str]] = []

    @property
    def stopping(self) -> str:
        return "finish" if len(self.told) >= self.finish_after else "none"

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.told.append((step, total, note))
        if len(self.told) > self.stop_after:
            raise Stopped

    def check(self) -> None: ...

    def input(self, key: str) -> Path:
        return self.files[key]

    def output(self, artifact: Any) -> None:
        self.outputs.append(artifact)

    def call(self, pipeline_id: str, params: dict[str, Any]) -> Result:
        raise NotImplementedError


def settled(pipeline_id: str, **values: Any) -> Any:
    pipeline = PIPELINES[pipeline_id]
    return pipeline.settle(pipeline.Params.parse({"seed": 5} | values), None)


def done(pipeline_id: str, context: Context | None = None, **values: Any) -> Result:
    found: Result = PIPELINES[pipeline_id].run(settled(pipeline_id, **values), context or Context())
    return found
