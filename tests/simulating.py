"""For tests of runs: a small model that draws, is poked and changes on the way, and a run without a studio."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from studio.api import BadInput, Params, Picture, Preset, Series, Simulation, Simulations, Source, Stopped, ui


class WalkParams(Params):
    rate: float = Field(1.0, ge=0, le=10, title="Rate", description="How far a step goes.", json_schema_extra=ui(live=True, unit="m"))
    drift: float = Field(0.0, ge=-5, le=5, title="Drift", description="To the right.", json_schema_extra=ui(live=True))
    count: int = Field(4, ge=1, le=50, title="Walkers", description="How many start.", json_schema_extra=ui())
    blow: int = Field(0, ge=0, le=1000, title="Blow", description="At this step it blows up; 0 never.", json_schema_extra=ui(advanced=True))


class Walk(Simulation):
    """Walkers on a line; a click puts one more there."""

    id: ClassVar[str] = "walk"
    title: ClassVar[str] = "Walkers"
    domain: ClassVar[str] = "Test"
    about: ClassVar[str] = "One. Two. Three."
    Params: ClassVar[type[Params]] = WalkParams
    series: ClassVar[tuple[Series, ...]] = (Series("mean", "Mean", "m"), Series("count", "Walkers"))
    presets: ClassVar[tuple[Preset, ...]] = (Preset("Wide", {"rate": 5.0}, "Long steps."),)
    sources: ClassVar[tuple[Source, ...]] = (Source("K. Pearson, The problem of the random walk, Nature 72 (1905) 294"),)
    duration: ClassVar[float] = 20.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True
    pace: ClassVar[float] = 0.25

    def time_step(self, params: WalkParams) -> float:
        return 0.1

    def check(self, params: WalkParams) -> None:
        if params.drift > params.rate:
            raise BadInput("The drift is faster than a step.", hint="Lower it.", field="drift")

    def init(self, params: WalkParams, rng: np.random.Generator) -> Any:
        return {"x": np.zeros(params.count), "step": 0}

    def step(self, state: Any, params: WalkParams, rng: np.random.Generator) -> Any:
        state["x"] = state["x"] + params.drift + params.rate * rng.standard_normal(state["x"].size)
        state["step"] += 1
        if params.blow and state["step"] >= params.blow:
            state["x"] = state["x"] * np.nan
        return state

    def observe(self, state: Any, params: WalkParams) -> dict[str, float]:
        return {"mean": float(state["x"].mean()), "count": float(state["x"].size)}

    def render(self, state: Any, params: WalkParams) -> Picture:
        picture = np.zeros((32, 96, 3), dtype=np.uint8)
        picture[:, np.clip(np.nan_to_num(state["x"]) + 48, 0, 95).astype(int)] = 255
        picture[:4, :4] = state["step"] % 256
        return picture

    def poke(self, state: Any, params: WalkParams, x: float, y: float, rng: np.random.Generator) -> Any:
        state["x"] = np.append(state["x"], 96 * x - 48 + rng.standard_normal())
        return state


SIMULATIONS = Simulations([Walk()])


class Context:
    """What was kept, framed and reported; `script` is called at every look at the updates and may give some, or raise Stopped."""

    def __init__(self, script: Callable[[int], list[tuple[str, Any]]] | None = None, stop_after: int = 10**9) -> None:
        self.script, self.stop_after = script or (lambda turn: []), stop_after
        self.kept: list[Any] = []
        self.frames: list[dict[str, Any]] = []
        self.turns = self.calls = 0
        self.threads = 1
        self.stopping = "none"

    def check(self) -> None:
        pass

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.calls += 1
        if self.calls > self.stop_after:
            raise Stopped

    def output(self, artifact: Any) -> None:
        self.kept.append(artifact)

    def frame(self, pixels: Any, rows: Any, **told: Any) -> None:
        self.frames.append(told | {"pixels": pixels, "rows": rows})

    def updates(self) -> Iterator[tuple[str, Any]]:
        self.turns += 1
        return iter(self.script(self.turns))
