"""Wolves, sheep and grass as single animals on a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged
from pipelines.simulation.jit import compiled
from studio.api import Diverged, Params, Picture, Preset, Series, Simulation, Source, ui

MOST = 1_000_000  # animals


class WolfSheepParams(Params):
    sheep: int = Field(1000, ge=0, le=100_000, title="Sheep", description="At the start.")
    wolves: int = Field(200, ge=0, le=100_000, title="Wolves", description="At the start.")
    sheep_births: float = Field(0.04, ge=0, le=0.5, title="Births of sheep", description="How likely a sheep has a lamb, each step.", json_schema_extra=ui(live=True, step=0.005))
    regrowth: int = Field(30, ge=1, le=500, title="Regrowth of grass", description="Steps until eaten grass stands again.", json_schema_extra=ui(live=True, unit="steps"))
    wolf_births: float = Field(0.05, ge=0, le=0.5, title="Births of wolves", description="How likely a wolf has a cub, each step.", json_schema_extra=ui(live=True, advanced=True, step=0.005))
    sheep_gain: float = Field(4.0, ge=0, le=100, title="Energy from grass", description="Steps that a sheep can go on one patch.", json_schema_extra=ui(live=True, advanced=True))
    wolf_gain: float = Field(20.0, ge=0, le=200, title="Energy from a sheep", description="Steps that a wolf can go on one sheep.", json_schema_extra=ui(live=True, advanced=True))
    watchful: bool = Field(True, title="They look around", description="Sheep go where no wolf is and grass stands, wolves where sheep are; else all go anywhere.", json_schema_extra=ui(live=True, advanced=True))
    size: int = Field(100, ge=5, le=500, title="Size of the land", description="Cells in each direction; what leaves at one edge comes back at the other.", json_schema_extra=ui(advanced=True, unit="cells"))


@dataclass
class Land:
    """`grown` is after which step the grass of a cell stands again; animals have a cell (row · size + column) and energy."""

    grown: NDArray[np.int64]
    sheep: NDArray[np.int64]
    sheep_energy: NDArray[np.float64]
    wolves: NDArray[np.int64]
    wolf_energy: NDArray[np.float64]
    time: int = 0


@compiled
def around(cell, size, out):  # type: ignore[no-untyped-def]
    """The four neighbours on a torus."""
    row, column = cell // size, cell % size
    out[0] = ((row - 1) % size) * size + column
    out[1] = ((row + 1) % size) * size + column
    out[2] = row * size + (column - 1) % size
    out[3] = row * size + (column + 1) % size


@compiled
def shuffled(count, rng):  # type: ignore[no-untyped-def]
    order = np.arange(count)
    for i in range(count - 1, 0, -1):
        j = int(rng.random() * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@compiled
def graze(grown, sheep, energy, wolves_at, size, time, births, gain, regrowth, watchful, rng):  # type: ignore[no-untyped-def]
    """Each sheep in random order goes, eats, dies or has a lamb; gives cells and energies of those that live on."""
    count, kept = sheep.shape[0], 0
    cells, left, near = np.empty(2 * count, dtype=np.int64), np.empty(2 * count), np.empty(4, dtype=np.int64)
    for i in shuffled(count, rng):
        cell = sheep[i]
        around(cell, size, near)
        if watchful:
            safe = green = 0
            for k in range(4):
                if wolves_at[near[k]] == 0:
                    safe += 1
                    green += grown[near[k]] < time
            if safe > 0:
                chosen = int(rng.random() * (green if green > 0 else safe))
                for k in range(4):
                    if wolves_at[near[k]] == 0 and (green == 0 or grown[near[k]] < time):
                        if chosen == 0:
                            cell = near[k]
                            break
                        chosen -= 1
        else:
            cell = near[int(rng.random() * 4)]
        has = energy[i] - 1.0
        if grown[cell] < time:
            has += gain
            grown[cell] = time + regrowth
        if has < 0:
            continue
        if rng.random() < births:
            has *= 0.5
            cells[kept], left[kept] = cell, has
            kept += 1
        cells[kept], left[kept] = cell, has
        kept += 1
    return cells[:kept].copy(), left[:kept].copy()


@compiled
def hunt(sheep, wolves, energy, size, births, gain, watchful, rng):  # type: ignore[no-untyped-def]
    """Each wolf in random order goes, eats a sheep of its cell, dies or has a cub; gives which sheep live on, and cells and energies of the wolves that do."""
    count, kept = wolves.shape[0], 0
    cells, left, near = np.empty(2 * count, dtype=np.int64), np.empty(2 * count), np.empty(4, dtype=np.int64)
    first, after = np.full(size * size, -1, dtype=np.int64), np.empty(sheep.shape[0], dtype=np.int64)  # chains of the sheep of a cell
    here, alive = np.zeros(size * size, dtype=np.int64), np.ones(sheep.shape[0], dtype=np.bool_)
    for i in range(sheep.shape[0]):
        after[i] = first[sheep[i]]
        first[sheep[i]] = i
        here[sheep[i]] += 1
    for i in shuffled(count, rng):
        around(wolves[i], size, near)
        found = 0
        if watchful:
            for k in range(4):
                found += here[near[k]] > 0
        chosen = int(rng.random() * (found if found > 0 else 4))
        cell = near[chosen]
        if found > 0:
            for k in range(4):
                if here[near[k]] > 0:
                    if chosen == 0:
                        cell = near[k]
                        break
                    chosen -= 1
        has = energy[i] - 1.0
        if here[cell] > 0:
            before, prey = -1, first[cell]
            for _ in range(int(rng.random() * here[cell])):
                before, prey = prey, after[prey]
            if before < 0:
                first[cell] = after[prey]
            else:
                after[before] = after[prey]
            alive[prey] = False
            here[cell] -= 1
            has += gain
        if has < 0:
            continue
        if rng.random() < births:
            has *= 0.5
            cells[kept], left[kept] = cell, has
            kept += 1
        cells[kept], left[kept] = cell, has
        kept += 1
    return alive, cells[:kept].copy(), left[:kept].copy()


class WolfSheep(Simulation):
    """Each step all sheep, then all wolves, in random order: go to one of four neighbours, lose 1 energy, eat, die below 0, else halve the energy with a young one now and then.

    Sources: U. Wilensky, NetLogo Wolf Sheep Predation (1997); the rules, order and random starts are those of Mesa's example (version 3.3.1).
    """

    id: ClassVar[str] = "wolf_sheep"
    title: ClassVar[str] = "Wolves, sheep and grass"
    domain: ClassVar[str] = "Ecosystem"
    about: ClassVar[str] = (
        "Every sheep and every wolf walks, eats, has young and dies for itself; grass grows back. With enough land the numbers swing in waves as those of Lotka and Volterra, but chance can end a kind. "
        "Click to let a flock of sheep come in."
    )
    Params: ClassVar[type[Params]] = WolfSheepParams
    series: ClassVar[tuple[Series, ...]] = (Series("sheep", "Sheep", "animals"), Series("wolves", "Wolves", "animals"), Series("grass", "Grass", "cells"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Both live on", {}, "Waves of sheep, wolves behind them."),
        Preset("Mesa's example, large", {"wolves": 500}, "1,000 sheep and 500 wolves: the case of the speed comparison."),
        Preset("Only sheep", {"wolves": 0}, "Grass alone keeps them in check."),
        Preset("A small island", {"size": 20, "sheep": 100, "wolves": 50}, "Chance soon ends one kind."),
        Preset("Blind walkers", {"watchful": False}, "Nobody looks where to go: the wolves starve."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("U. Wilensky, NetLogo Wolf Sheep Predation model, Northwestern University 1997", "https://ccl.northwestern.edu/netlogo/models/WolfSheepPredation"),
        Source("Mesa 3.3.1, example Wolf-Sheep Predation", "https://github.com/projectmesa/mesa"),
    )
    duration: ClassVar[float] = 1000.0
    time_unit: ClassVar[str] = "steps"
    pace: ClassVar[float] = 40.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: WolfSheepParams, rng: np.random.Generator) -> Land:
        cells = params.size**2
        grown = np.where(rng.random(cells) < 0.5, 0, rng.integers(0, params.regrowth, cells))
        animals = [(rng.integers(0, cells, count), rng.random(count) * 2 * gain) for count, gain in ((params.sheep, params.sheep_gain), (params.wolves, params.wolf_gain))]
        return Land(grown, *animals[0], *animals[1])

    def step(self, state: Land, params: WolfSheepParams, rng: np.random.Generator) -> Land:
        state.time += 1
        wolves_at = np.bincount(state.wolves, minlength=params.size**2)
        sheep, energy = graze(
            state.grown, state.sheep, state.sheep_energy, wolves_at, params.size, state.time, params.sheep_births, params.sheep_gain, params.regrowth, params.watchful, rng
        )
        alive, state.wolves, state.wolf_energy = hunt(sheep, state.wolves, state.wolf_energy, params.size, params.wolf_births, params.wolf_gain, params.watchful, rng)
        state.sheep, state.sheep_energy = sheep[alive], energy[alive]
        if len(state.sheep) + len(state.wolves) > MOST:
            raise Diverged(f"More than a million animals at step {state.time:,}: the run is ended.", hint=self.likely_cause(params))
        return state

    def observe(self, state: Land, params: WolfSheepParams) -> dict[str, float]:
        return {"sheep": len(state.sheep), "wolves": len(state.wolves), "grass": float(np.count_nonzero(state.grown < max(state.time, 1)))}

    def poke(self, state: Land, params: WolfSheepParams, x: float, y: float, rng: np.random.Generator) -> Land:
        """Thirty sheep come in near that place."""
        rows, columns = (np.rint(at * params.size + rng.normal(0, 2, 30)).astype(np.int64) % params.size for at in (y, x))
        state.sheep, state.sheep_energy = np.concatenate([state.sheep, rows * params.size + columns]), np.concatenate([state.sheep_energy, np.full(30, params.sheep_gain)])
        return state

    def render(self, state: Land, params: WolfSheepParams) -> Picture:
        since = np.clip((state.grown - state.time) / params.regrowth, 0, 1)[:, None]
        picture = ((1 - since) * np.array([70, 125, 70]) + since * np.array([66, 52, 40])).astype(np.uint8)
        picture[state.sheep] = (240, 238, 230)
        picture[state.wolves] = (226, 62, 62)
        return enlarged(picture.reshape(params.size, params.size, 3), 400)

    def likely_cause(self, params: WolfSheepParams) -> str:
        return "Sheep multiply faster than they starve or are eaten: fewer births, or less energy from grass."
