"""Streets with traffic lights: the Nagel-Schreckenberg cars of a town of one-way streets, and green waves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Params, Picture, Preset, Series, Simulation, Source, ui


class StreetsParams(Params):
    density: float = Field(0.06, ge=0.001, le=0.9, title="Density", description="Share of cells with a car.", json_schema_extra=ui(live=True, step=0.005, unit="cars/cell"))
    cycle: int = Field(60, ge=4, le=300, title="Cycle", description="Until a light is green again.", json_schema_extra=ui(live=True, unit="s"))
    green: float = Field(0.5, ge=0.1, le=0.9, title="Green for east", description="Share of the cycle; the rest is for those going north.", json_schema_extra=ui(live=True, step=0.05))
    plan: Literal["Green wave", "All at once", "At random"] = Field(
        "Green wave", title="Signal plan", description="How the lights follow one another. A wave closes around the town where crossing it takes whole cycles.", json_schema_extra=ui(live=True)
    )
    turning: float = Field(0.0, ge=0, le=1, title="Turning", description="How likely a car turns at a crossing.", json_schema_extra=ui(live=True, advanced=True, step=0.05))
    slowing: float = Field(0.1, ge=0, le=1, title="Dawdling p", description="How likely a driver goes one slower than possible, each second.", json_schema_extra=ui(live=True, advanced=True, step=0.01))
    fastest: int = Field(5, ge=1, le=10, title="Speed limit", description="In cells of 7.5 m.", json_schema_extra=ui(live=True, advanced=True, unit="cells/s"))
    streets: int = Field(6, ge=1, le=30, title="Streets", description="In each direction.", json_schema_extra=ui(advanced=True))
    block: int = Field(50, ge=4, le=200, title="Block", description="From crossing to crossing.", json_schema_extra=ui(advanced=True, unit="cells"))
    lost: int = Field(2, ge=0, le=20, title="All red", description="After each green, so that the crossing clears.", json_schema_extra=ui(live=True, advanced=True, unit="s"))


@dataclass
class Town:
    """Streets 0 … n−1 go east, n … 2n−1 north; a crossing is one cell that both share. Of each car: street, cell, speed, whether it turns at the next crossing."""

    taken: NDArray[np.uint8]  # by cell number: see `number`
    street: NDArray[np.int64]
    cell: NDArray[np.int64]
    speed: NDArray[np.int64]
    turns: NDArray[np.uint8]
    offsets: NDArray[np.int64]  # (n, n): by how much each crossing's cycle is late
    time: int = 0
    driven: int = 0


@compiled
def number(street, cell, n, block):  # type: ignore[no-untyped-def]
    """The cell's place in `taken`; crossing (row i, column j) is that of street i at cell j·block."""
    length = n * block
    if street >= n and cell % block == 0:
        return (cell // block) * length + (street - n) * block
    return street * length + cell


@compiled
def is_green(street, cell, n, block, offsets, time, cycle, green, lost):  # type: ignore[no-untyped-def]
    """Whether a car of that street may go onto the crossing at `cell`."""
    row, column = (street, cell // block) if street < n else (cell // block, street - n)
    phase = (time - offsets[row, column]) % cycle
    return phase < green - lost if street < n else green <= phase < cycle - lost


@compiled
def drive(taken, streets, cells, speeds, turns, offsets, n, block, fastest, slowing, turning, time, cycle, green, lost, steps, rng):  # type: ignore[no-untyped-def]
    """`steps` seconds in place; gives the cells driven by all cars together."""
    length, driven = n * block, 0
    for second in range(time, time + steps):
        for i in range(cells.shape[0]):
            want, free = min(speeds[i] + 1, fastest), 0
            while free < want:
                ahead = (cells[i] + free + 1) % length
                if taken[number(streets[i], ahead, n, block)]:
                    break
                crossing = ahead % block == 0
                if crossing and not is_green(streets[i], ahead, n, block, offsets, second, cycle, green, lost):
                    break
                free += 1
                if crossing and turns[i]:
                    break
            if free > 0 and rng.random() < slowing:
                free -= 1
            speeds[i] = free
        for i in range(cells.shape[0]):
            if speeds[i] == 0:
                continue
            driven += speeds[i]
            taken[number(streets[i], cells[i], n, block)] = 0
            passed = (cells[i] + speeds[i]) // block > cells[i] // block
            cells[i] = (cells[i] + speeds[i]) % length
            if passed:
                if turns[i]:
                    here = cells[i] // block
                    cells[i] = streets[i] * block if streets[i] < n else (streets[i] - n) * block
                    streets[i] = n + here if streets[i] < n else here
                turns[i] = rng.random() < turning
        for i in range(cells.shape[0]):
            taken[number(streets[i], cells[i], n, block)] = 1
    return driven


class Streets(Simulation):
    """Nagel-Schreckenberg cars on a torus of one-way streets; nobody goes onto a crossing at red. A green wave is late by block/v_max from crossing to crossing, both ways.

    Source: D. Chowdhury, A. Schadschneider, Self-organization of traffic jams in cities: effects of stochastic dynamics and signal periods, Phys. Rev. E 59 (1999) R1311–R1314.
    """

    id: ClassVar[str] = "streets"
    title: ClassVar[str] = "Streets with traffic lights"
    domain: ClassVar[str] = "Traffic"
    about: ClassVar[str] = (
        "Cars drive east and north through a town whose lights follow one signal plan. With a green wave and few cars nobody stops; with too many the queues reach back over the crossings and the town locks up. "
        "Cycle and share of green show what planners trade: long cycles lose less time to changing, short ones keep waits short."
    )
    Params: ClassVar[type[Params]] = StreetsParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("speed", "Mean speed", "cells/s"),
        Series("flow", "Flow of a street", "cars/h"),
        Series("standing", "Share of standing cars"),
        Series("passed", "Cars past a point", "cars", "total"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Green wave", {}, "Each light opens when the cars arrive."),
        Preset("All at once", {"plan": "All at once"}, "Every light is green at the same time."),
        Preset("Rush hour", {"density": 0.35, "turning": 0.2}, "Queues reach back over the crossings."),
        Preset("Quick lights", {"cycle": 12, "plan": "At random"}, "Short waits, much time lost to changing."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source(
            "D. Chowdhury, A. Schadschneider, Self-organization of traffic jams in cities: effects of stochastic dynamics and signal periods, Phys. Rev. E 59 (1999) R1311–R1314",
            "https://doi.org/10.1103/PhysRevE.59.R1311",
        ),
        Source("Transportation Research Board, Highway Capacity Manual (2010), chapter 18: capacity = saturation flow × green / cycle"),
    )
    duration: ClassVar[float] = 900.0
    pace: ClassVar[float] = 45.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def check(self, params: StreetsParams) -> None:
        east, lost = green_seconds(params), params.lost
        if min(east, params.cycle - east) <= lost:
            raise BadInput("Nothing of the green is left after the time that all is red.", hint="Take a longer cycle or less of it red for all.", field="lost")

    def init(self, params: StreetsParams, rng: np.random.Generator) -> Town:
        n, length = params.streets, params.streets * params.block
        free = [(street, cell) for street in range(2 * n) for cell in range(length) if street < n or cell % params.block]
        chosen = np.array(free)[np.sort(rng.choice(len(free), cars(params), replace=False))]
        town = Town(np.zeros(2 * n * length, dtype=np.uint8), chosen[:, 0].copy(), chosen[:, 1].copy(), np.zeros(len(chosen), dtype=np.int64), np.zeros(0, dtype=np.uint8), offsets(params, rng))
        town.turns = (rng.random(len(chosen)) < params.turning).astype(np.uint8)
        town.taken[numbers(town.street, town.cell, params)] = 1
        return town

    def step(self, state: Town, params: StreetsParams, rng: np.random.Generator) -> Town:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Town, params: StreetsParams, rng: np.random.Generator, steps: int) -> Town:
        lights = (state.time, params.cycle, green_seconds(params), params.lost)
        cars = (state.taken, state.street, state.cell, state.speed, state.turns, state.offsets)
        state.driven += int(drive(*cars, params.streets, params.block, params.fastest, params.slowing, params.turning, *lights, steps, rng))
        state.time += steps
        return state

    def observe(self, state: Town, params: StreetsParams) -> dict[str, float]:
        mean, cells = float(state.speed.mean()), 2 * params.streets**2 * params.block
        return {"speed": mean, "flow": mean * len(state.cell) / cells * 3600, "standing": float((state.speed == 0).mean()), "passed": state.driven / cells}

    def changed(self, state: Town, before: StreetsParams, params: StreetsParams, rng: np.random.Generator) -> Town:
        if (params.plan, params.cycle, params.fastest) != (before.plan, before.cycle, before.fastest):
            state.offsets = offsets(params, rng)
        more = cars(params) - len(state.cell)
        if more < 0:
            keep(state, np.sort(rng.choice(len(state.cell), cars(params), replace=False)), params)
        elif more > 0:
            n, length = params.streets, params.streets * params.block
            places = np.array([(street, cell) for street in range(2 * n) for cell in range(length) if street < n or cell % params.block])
            free = places[state.taken[numbers(places[:, 0], places[:, 1], params)] == 0]
            new = free[rng.choice(len(free), more, replace=False)]
            state.street, state.cell = np.concatenate([state.street, new[:, 0]]), np.concatenate([state.cell, new[:, 1]])
            state.speed, state.turns = np.concatenate([state.speed, np.zeros(more, dtype=np.int64)]), np.concatenate([state.turns, (rng.random(more) < params.turning).astype(np.uint8)])
            state.taken[numbers(state.street, state.cell, params)] = 1
        return state

    def poke(self, state: Town, params: StreetsParams, x: float, y: float, rng: np.random.Generator) -> Town:
        """The car nearest to that place stops."""
        across, down = places(state.street, state.cell, params)
        length = params.streets * params.block
        state.speed[np.argmin((across - x * length) ** 2 + (down - y * length) ** 2)] = 0
        return state

    def render(self, state: Town, params: StreetsParams) -> Picture:
        n, block, length = params.streets, params.block, params.streets * params.block
        size, thick = max(1, 600 // length), max(1, length // 100)  # pixels along a street and, in cells, across it
        picture = np.full((length, length, 3), (26, 36, 32), dtype=np.uint8)
        ways = np.arange(n) * block
        lanes = range(-(thick // 2), thick - thick // 2)
        for lane in lanes:
            picture[(-ways + lane) % length, :] = (58, 61, 68)
            picture[:, (ways + lane) % length] = (58, 61, 68)
        across, down = places(state.street, state.cell, params)
        share, east = state.speed / params.fastest, state.street < n
        colours = np.stack([250 - 130 * share, 110 + 110 * share, 80 + 170 * share], axis=1).astype(np.uint8)
        for lane in lanes:
            picture[(down + lane * east) % length, (across + lane * ~east) % length] = colours
        for row in range(n):
            for column in range(n):
                phase, until = (state.time - state.offsets[row, column]) % params.cycle, green_seconds(params)
                for goes, top, left in ((phase < until - params.lost, -row * block, column * block - thick), (until <= phase < params.cycle - params.lost, thick - row * block, column * block)):
                    picture[np.ix_((top + np.array(lanes)) % length, (left + np.array(lanes)) % length)] = (70, 220, 120) if goes else (190, 50, 60)
        return enlarged(picture, size * length)


def keep(state: Town, which: NDArray[np.int64], params: StreetsParams) -> None:
    """Only these cars stay."""
    state.street, state.cell, state.speed, state.turns = state.street[which], state.cell[which], state.speed[which], state.turns[which]
    state.taken[:] = 0
    state.taken[numbers(state.street, state.cell, params)] = 1


def cars(params: StreetsParams) -> int:
    cells = params.streets * params.streets * params.block * 2 - params.streets**2
    return max(1, round(params.density * cells))


def green_seconds(params: StreetsParams) -> int:
    """Until the light changes for north."""
    return round(params.green * params.cycle)


def offsets(params: StreetsParams, rng: np.random.Generator) -> NDArray[np.int64]:
    n = params.streets
    if params.plan == "At random":
        return rng.integers(0, params.cycle, (n, n))
    if params.plan == "All at once":
        return np.zeros((n, n), dtype=np.int64)
    return np.rint(np.add.outer(np.arange(n), np.arange(n)) * params.block / params.fastest).astype(np.int64)


def numbers(street: NDArray[np.int64], cell: NDArray[np.int64], params: StreetsParams) -> NDArray[np.int64]:
    """As `number`, for many."""
    n, block, length = params.streets, params.block, params.streets * params.block
    shared = (street >= n) & (cell % block == 0)
    return np.where(shared, cell // block * length + (street - n) * block, street * length + cell)


def places(street: NDArray[np.int64], cell: NDArray[np.int64], params: StreetsParams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(across, down) in the picture; north is up."""
    n, block, length = params.streets, params.block, params.streets * params.block
    east = street < n
    return np.where(east, cell, (street - n) * block), (length - np.where(east, street * block, cell)) % length
