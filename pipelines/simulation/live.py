"""simulation.live: a model that runs on for the page. Sliders, clicks and pauses come by `ctx.updates()`, frames go by `ctx.frame`.

All that was changed is recorded as (step, field, value): simulation.run with these changes gives the same numbers.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from PIL import Image
from pydantic import Field

from pipelines.simulation.moving import Moving, kinds, smaller
from pipelines.simulation.params import DrawnParams, chosen, lettered, model_of
from pipelines.simulation.run import RunParams, acts_live, check_changes
from studio.api import (
    POKE,
    BadInput,
    Catalog,
    Change,
    Desk,
    Diverged,
    Lane,
    Need,
    Params,
    Result,
    RunContext,
    Simulation,
    Simulations,
    StudioError,
    captions_in,
    chance,
    changed_params,
    drawable,
    look,
    read_model_values,
    take_change,
    ui,
)

TICK_SECONDS = 0.04
BUDGET_SECONDS = 0.05  # of computing between two frames: a slider must act soon
ROWS = 600  # of the series that a frame carries
LOOKS = 12  # at the series between two frames, at most
LEFT_SECONDS = 30.0  # after the last viewer was seen: it pauses
GONE_SECONDS = 150.0  # it ends; its checkpoint starts it again
UNSEEN_SECONDS = 3.0  # no frames are drawn
MOST_CHANGES = 5_000
RECORDED, RECORDED_EVERY, RECORDED_SIDE = 100, 2, 320  # pictures that a recording holds, of how many frames one, and their longer side


class LiveParams(DrawnParams):
    speed: float = Field(1.0, ge=1 / 64, le=64, title="Speed", description="1 takes the model's usual pace.", json_schema_extra=ui())
    steps: int = Field(0, ge=0, le=10**9, title="Steps done before", description="It goes on from there.", json_schema_extra=ui(widget="hidden"))
    changes: list[Change] = Field([], max_length=20_000, title="Changes before", description="Those that were made on the way there: [step, parameter, value].", json_schema_extra=ui(widget="hidden"))


class SimulationLive:
    """What was seen depends on when things were changed; the changes are in the summary and in every frame."""

    id: ClassVar[str] = "simulation.live"
    title: ClassVar[str] = "Live simulation"
    lane: ClassVar[Lane] = "live"
    Params: ClassVar[type[Params]] = LiveParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def need(self, params: LiveParams, catalog: Catalog) -> Need:
        return Need()

    def settle(self, params: LiveParams, desk: Desk) -> LiveParams:
        model, values = chosen(params, self.simulations)
        check_changes(model, values, params.changes)
        return lettered(params).model_copy(update={"values": values.model_dump(mode="json")})

    def run(self, params: LiveParams, ctx: RunContext) -> Result:
        view = View(model_of(params, self.simulations), params, ctx)
        view.replay(params)
        while not view.gone:
            view.turn()
        return Result([], {"checkpoint": view.checkpoint()})


class View:
    """The run that is watched: its state, and what the page asked of it."""

    def __init__(self, model: Simulation, params: LiveParams, ctx: RunContext) -> None:
        self.model, self.ctx = model, ctx
        self.asked = {"model": params.model, "own": params.own}
        self.speed, self.running, self.language = params.speed, True, params.language
        self.ahead: LiveParams | None = None  # where it goes on from, while it is not there yet
        self.problem: dict[str, str] = {}
        self.recorded: deque[Image.Image] = deque(maxlen=RECORDED)
        self.frames = 0
        self.cost = 0.0  # seconds of a step, as measured
        self.seen = self.told = self.ticked = time.monotonic()
        self.rate = 0.0  # steps a second, as they go
        self.start(params.values, params.seed)

    # -- the run ---------------------------------------------------------------------------------------------

    def start(self, values: dict[str, Any], seed: int) -> None:
        """From the beginning. Raises BadInput."""
        self.params = read_model_values(self.model, values)
        self.first, self.seed = self.params, seed
        self.wished: dict[str, Any] = {}  # what takes effect at the next start
        self.changes: list[Change] = []
        self.rng = chance(seed)
        self.state = self.model.init(self.params, self.rng)
        self.step, self.owed, self.ended, self.problem = 0, 0.0, False, {}
        self.rows: deque[list[float]] = deque(maxlen=ROWS)
        self.recorded.clear()
        self.fresh = True
        self.observe()

    def replay(self, params: LiveParams) -> None:
        """To where an earlier view was left. One that must end on the way leaves the mark that it was given."""
        self.ahead = params
        for change in sorted(params.changes, key=lambda change: change[0]):
            self._go(change[0] - self.step)
            self.take(change[1], change[2])
        self._go(params.steps - self.step)
        if self.ctx.stopping != "finish":
            self.ahead = None
        self.seen, self.fresh = time.monotonic(), True  # nobody could be seen on the way

    def _go(self, steps: int) -> None:
        total = self.step + steps
        while self.step < total and not self.ended and self.ctx.stopping != "finish":
            self.ctx.progress(self.step, total)
            self.advance(min(total - self.step, max(self.spacing, 200)))

    @property
    def spacing(self) -> int:
        """Steps between two looks at the series."""
        return max(1, round(self.model.duration / self.model.time_step(self.params) / ROWS))

    def observe(self) -> None:
        try:
            values = look(self.model, self.state, self.params, self.step)
        except Diverged as error:
            self.ended, self.running = True, False
            self.tell(error)
        else:
            self.rows.append([self.step * self.model.time_step(self.params), *values.values()])

    def advance(self, steps: int) -> None:
        """With looks on the way."""
        chunk = max(self.spacing, -(-steps // LOOKS))
        while steps > 0 and not self.ended:
            now = min(steps, chunk - self.step % chunk)
            self.state = self.model.advance(self.state, self.params, self.rng, now)
            self.step, steps, self.fresh = self.step + now, steps - now, True
            if self.step % chunk == 0 or steps == 0:
                self.observe()

    def take(self, name: str, value: Any) -> None:
        """A change that acts at once and is recorded. Raises BadInput."""
        if len(self.changes) >= MOST_CHANGES:
            raise BadInput(f"This run was changed {MOST_CHANGES:,} times; that is the most.", hint="Reset it, then change on.")
        change = (self.step, name, value)
        self.state, self.params = take_change(self.model, self.state, self.params, change, self.rng)
        self.changes.append(change)
        self.fresh = True

    def checkpoint(self) -> dict[str, Any]:
        """Enough to come to the same state again."""
        if self.ahead is not None:
            return self.ahead.model_dump(mode="json", include={"values", "seed", "changes", "steps", "speed"})
        return {"values": self.first.model_dump(mode="json"), "seed": self.seed, "changes": [list(change) for change in self.changes], "steps": self.step, "speed": self.speed}

    # -- a turn ----------------------------------------------------------------------------------------------

    @property
    def away(self) -> float:
        """Seconds since somebody looked."""
        return time.monotonic() - self.seen

    @property
    def gone(self) -> bool:
        return self.away > GONE_SECONDS or self.ctx.stopping == "finish"

    def turn(self) -> None:
        """What was asked, the steps that are due, a frame, and a rest."""
        began = time.monotonic()
        self.ctx.check()
        self.heed()
        elapsed, self.ticked = min(began - self.ticked, 4 * TICK_SECONDS), began
        if self.running and self.away < LEFT_SECONDS:
            self.run_on(elapsed)
        if self.fresh and self.away < UNSEEN_SECONDS:
            self.show()
        time.sleep(max(0.001, TICK_SECONDS - (time.monotonic() - began)))

    def run_on(self, elapsed: float) -> None:
        per_second = self.model.duration / self.model.time_step(self.params) / self.model.pace * self.speed
        self.owed = min(self.owed + per_second * elapsed, max(1.0, 4 * TICK_SECONDS * per_second))
        steps = int(self.owed)
        if self.cost:
            steps = min(steps, max(1, int(BUDGET_SECONDS / self.cost)))
        if not steps:
            return
        began, before = time.monotonic(), self.step
        self.advance(steps)
        self.owed -= steps
        took = (time.monotonic() - began) / steps
        self.cost = 0.8 * self.cost + 0.2 * took if self.cost else min(took, BUDGET_SECONDS)  # the first may hold a compilation
        self.rate = 0.9 * self.rate + 0.1 * (self.step - before) / max(elapsed, 1e-3)

    def show(self) -> None:
        try:
            with captions_in(self.language):
                picture = self.model.render(self.state, self.params)
        except (ValueError, FloatingPointError, OverflowError):  # a state that blew up may not be drawable
            if not self.ended:
                raise
            picture = None
        if picture is not None and self.running and self.frames % RECORDED_EVERY == 0:
            self.recorded.append(smaller(picture, RECORDED_SIDE))
        self.frames += 1
        self.fresh = False
        self.ctx.frame(
            None if picture is None else np.ascontiguousarray(picture), np.array(self.rows, dtype=np.float64), frame=self.frames, step=self.step, time=self.step * self.model.time_step(self.params),
            running=self.running, ended=self.ended, rate=round(self.rate, 2), problem=self.problem, values=self.params.model_dump(mode="json"), wished=self.wished, checkpoint=self.checkpoint(),
        )  # fmt: skip

    # -- what the page asks ----------------------------------------------------------------------------------

    def heed(self) -> None:
        """Of several values for one field only the newest acts."""
        asked = list(self.ctx.updates())
        newest = {value[0]: number for number, (name, value) in enumerate(asked) if name == "set"}
        for number, (name, value) in enumerate(asked):
            if name != "set" or newest[value[0]] == number:
                self.ask(name, value)

    def ask(self, name: str, value: Any) -> None:
        try:
            match name:
                case "set":
                    self.set(str(value[0]), value[1])
                case "pause":
                    self.running = not value and not self.ended
                case "step" if not self.ended:
                    self.running = False
                    self.advance(min(max(1, int(value)), 10_000))
                case "speed":
                    self.speed = min(64.0, max(1 / 64, float(value)))
                case "poke" if self.model.pokes and not self.ended:
                    self.take(POKE, [min(1.0, max(0.0, float(part))) for part in value])
                    self.observe()
                case "reset":
                    self.start(self.params.model_dump(mode="json") | self.wished | dict(value.get("values", {})), int(value.get("seed", self.seed)))
                    self.running = bool(value.get("run", True))
                case "language":
                    self.language = drawable("ja" if value == "ja" else "en")
                case "record":
                    self.record(str(value))
                case "seen":
                    self.seen = time.monotonic()
                    self.fresh = self.fresh or bool(value)
        except StudioError as error:
            self.tell(error)
        if name != "seen":
            self.fresh = True

    def set(self, name: str, value: Any) -> None:
        """At once where the model can; else at the next start. Raises BadInput."""
        self.problem = {} if not self.ended else self.problem
        if name not in self.model.Params.model_fields:
            raise BadInput(f"There is no setting “{name}” here.", hint="Reload the page.", field=name)
        if acts_live(self.model, name) and not self.ended:
            if getattr(self.params, name) != value:
                self.take(name, value)
            self.wished.pop(name, None)
            return
        changed_params(self.params, (self.step, name, value))
        self.wished[name] = value
        if getattr(self.params, name) == value:
            del self.wished[name]

    def record(self, kind: str) -> None:
        """The last frames as a moving picture; its settings are those of the run that gives the same numbers."""
        if kind not in kinds():
            raise BadInput(f"“{kind}” can't be recorded here.", hint="Choose another kind.")
        if len(self.recorded) < 2:
            raise BadInput("There are no pictures to record yet.", hint="Let it run for a moment.")
        moving = Moving(kind, round(1 / TICK_SECONDS / RECORDED_EVERY), RECORDED_SIDE)
        moving.take(list(self.recorded))
        made = self.asked | {"values": self.first.model_dump(mode="json"), "seed": self.seed, "changes": self.changes, "language": self.language, "duration": self.step * self.model.time_step(self.params), "moving": kind}
        origin = {"pipeline": "simulation.run", "params": RunParams.parse(made).model_dump(mode="json")}
        self.ctx.output(replace(moving.artifact(self.model.title, lambda done: self.ctx.check()), origin=origin))

    def tell(self, error: StudioError) -> None:
        self.problem = {"message": error.message, "hint": error.hint, "field": error.field.removeprefix("values."), "code": error.code}
        self.fresh = True
