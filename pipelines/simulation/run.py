"""simulation.run: one run of a model as a table of its series, with its last picture and, if wished, a moving one."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.simulation.experiments.effort import stretch_of
from pipelines.simulation.moving import Moving, kinds
from pipelines.simulation.params import DrawnParams, ModelParams, captioned, check_length, chosen, lettered, model_of
from studio.api import POKE, Artifact, BadInput, Catalog, Change, Desk, Lane, Need, Params, Picture, Result, RunContext, Seen, Simulation, Simulations, changed_params, observations, steps_at, ui

ROWS = 500  # if nobody says how often
MOST_ROWS = 100_000
MOST_PIXELS = 150_000_000  # of all pictures of a moving one together


class RunParams(DrawnParams):
    duration: float = Field(0.0, ge=0, le=1e9, title="How long", description="In the model's own time; 0 takes its usual length.", json_schema_extra=ui(widget="number"))
    every: float = Field(0.0, ge=0, le=1e9, title="Time between rows", description="How often it is observed; 0 makes 500 rows.", json_schema_extra=ui(advanced=True, widget="number"))
    changes: list[Change] = Field([], max_length=20_000, title="Changes on the way", description="Each is [step, parameter, value], as a live run was changed.", json_schema_extra=ui(widget="hidden"))
    picture: bool = Field(True, title="Last picture", description="Also keep how it looks at the end.", json_schema_extra=ui(advanced=True))
    moving: Literal["No", "GIF", "WebP", "MP4"] = Field("No", title="Moving picture", description="Also keep how it came there.", json_schema_extra=ui())
    frames: int = Field(100, ge=2, le=600, title="Pictures in it", description="Spread evenly over the run.", json_schema_extra=ui(advanced=True))
    frame_rate: int = Field(15, ge=1, le=50, title="Pictures a second", description="How fast it is shown.", json_schema_extra=ui(advanced=True))
    side: int = Field(480, ge=64, le=1024, title="Its longer side", description="Larger pictures are made smaller.", json_schema_extra=ui(advanced=True, unit="pixels"))


class SimulationRun:
    """The same values, changes and seed give the same table and pictures."""

    id: ClassVar[str] = "simulation.run"
    title: ClassVar[str] = "Run a simulation"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = RunParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def model(self, model_id: str, own: str = "") -> Simulation:
        """Raises NotFound, BadInput."""
        return model_of(ModelParams(model=model_id, own=own), self.simulations)

    def movings(self) -> list[str]:
        """Kinds of moving pictures that can be made here."""
        return list(kinds())

    def need(self, params: RunParams, catalog: Catalog) -> Need:
        return Need()

    def settle(self, params: RunParams, desk: Desk) -> RunParams:
        model, values = chosen(params, self.simulations)
        duration = params.duration or model.duration
        every = params.every or duration / ROWS
        check_length(model, values, duration)
        if duration / every > MOST_ROWS:
            raise BadInput(f"This would be {duration / every:,.0f} rows; {MOST_ROWS:,} is the most.", hint="Let more time pass between rows.", field="every")
        if params.moving != "No" and params.frames * params.side**2 > MOST_PIXELS:
            raise BadInput(f"{params.frames} pictures of {params.side} pixels are too many for one moving picture.", hint="Make them fewer or smaller.", field="frames")
        if params.moving != "No" and params.moving not in kinds():
            raise BadInput("MP4 can't be written here.", hint="Choose GIF or WebP: this computer's Pillow writes no AVIF.", field="moving")
        check_changes(model, values, params.changes)
        return lettered(params).model_copy(update={"values": values.model_dump(mode="json"), "duration": duration, "every": every})

    @captioned
    def run(self, params: RunParams, ctx: RunContext) -> Result:
        model, values = chosen(params, self.simulations)
        return Run(model, values, params, ctx).result()


def check_changes(model: Simulation, values: Any, changes: list[Change]) -> None:
    """Raises BadInput where a change can't be made."""
    for step, name, value in changes:
        if step < 0:
            raise BadInput("A change is at step 0 or later.", hint="Leave this change out.", field="changes")
        if name == POKE:
            poked = isinstance(value, (list, tuple)) and len(value) == 2 and all(isinstance(part, (int, float)) and 0 <= part <= 1 for part in value)
            if not poked:
                raise BadInput("A click in the picture is two numbers from 0 to 1.", hint="Leave this change out.", field="changes")
        elif name not in model.Params.model_fields or not acts_live(model, name):
            raise BadInput(f"“{name}” can't change while this model runs.", hint="Leave this change out.", field="changes")
        else:
            try:
                values = changed_params(values, (step, name, value))
                model.check(values)
            except BadInput as error:
                raise BadInput(f"The change at step {step:,}: {error.message}", hint=error.hint, field="changes") from error


def acts_live(model: Simulation, name: str) -> bool:
    extra: Any = model.Params.model_fields[name].json_schema_extra
    return bool(isinstance(extra, dict) and extra.get("ui", {}).get("live"))


class Run:
    """One run: looks at the steps of rows and pictures, and keeps what it saw."""

    def __init__(self, model: Simulation, values: Any, params: RunParams, ctx: RunContext) -> None:
        self.model, self.values, self.params, self.ctx = model, values, params, ctx
        self.duration = params.duration or model.duration
        self.lines = [",".join(["time", *(series.name for series in model.series)])]
        self.moving = Moving(params.moving, params.frame_rate, params.side) if params.moving != "No" else None

    def result(self) -> Result:
        try:
            seen, now = deque(self._looks(), maxlen=1).pop()
        finally:
            self._keep_table()  # also of a run that blew up or was stopped
        self._keep_pictures(seen, now)
        return Result([], {"steps": seen.step, "rows": len(self.lines) - 1, "last": seen.values})

    def _looks(self) -> Iterator[tuple[Seen, Any]]:
        """Each look with the parameters as they were then."""
        rows, pictures = self._steps()
        steps = np.array(sorted(rows | pictures))
        changes = sorted(self.params.changes, key=lambda change: change[0])
        now, waiting = self.values, [change for change in changes if change[1] != POKE]
        total = max(1, int(steps[-1]))
        times, stretch = steps * self.model.time_step(self.values), stretch_of(self.model, self.values)
        looks = observations(self.model, self.values, times, self.params.seed, changes, lambda done: self.ctx.progress(done, total), stretch)
        for step, seen in zip(steps.tolist(), looks, strict=True):
            while waiting and waiting[0][0] < step:
                now = changed_params(now, waiting.pop(0))
            if step in rows:
                self.lines.append(",".join(f"{value:.12g}" for value in (seen.time, *seen.values.values())))
            if self.moving and step in pictures and (picture := self.model.render(seen.state, now)) is not None:
                self.moving.add(picture)
            yield seen, now

    def _steps(self) -> tuple[set[int], set[int]]:
        """At which rows and at which pictures are wanted."""
        every = self.params.every or self.duration / ROWS
        rows = np.append(np.arange(0.0, self.duration, every), self.duration)
        pictures = np.linspace(0.0, self.duration, self.params.frames) if self.moving else np.empty(0)
        return set(steps_at(self.model, self.values, rows).tolist()), set(steps_at(self.model, self.values, pictures).tolist())

    def _keep_table(self) -> None:
        units = {series.name: series.unit for series in self.model.series if series.unit}
        self.ctx.output(Artifact("table", "\n".join([*self.lines, ""]).encode(), ".csv", self.model.title, {"rows": len(self.lines) - 1, "time_unit": self.model.time_unit, "units": units}))

    def _keep_pictures(self, last: Seen, now: Any) -> None:
        picture = self.model.render(last.state, now) if self.params.picture else None
        if picture is not None:
            self.ctx.output(Artifact("image", png(picture), ".png", self.model.title))
        if self.moving and self.moving.count > 1:
            count = self.moving.count
            self.ctx.output(self.moving.artifact(self.model.title, lambda done: self.ctx.progress(done, count, "Writing")))


def png(picture: Picture) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return buffer.getvalue()
