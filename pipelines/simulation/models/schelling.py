"""Schelling: neighbourhoods that come apart though everybody is tolerant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import KINDS, kinds
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui


class SchellingParams(Params):
    wanted: float = Field(0.3, ge=0, le=1, title="Similar wanted", description="Share of one's neighbours that should be of one's own kind.", json_schema_extra=ui(live=True, step=0.01))
    density: float = Field(0.95, ge=0.05, le=0.99, title="Density", description="Share of places where somebody lives.", json_schema_extra=ui(step=0.01))
    groups: int = Field(2, ge=2, le=6, title="Groups", description="Kinds of people, equally many of each.")
    size: int = Field(51, ge=5, le=500, title="Size of the town", description="Places in each direction; one edge borders on the other.", json_schema_extra=ui(unit="places"))


@dataclass
class Town:
    places: NDArray[np.int8]  # (size, size): 0 empty, else the group
    moves: int = 0


@compiled
def neighbours(places, row, column):  # type: ignore[no-untyped-def]
    """How many of the eight are of one's kind, and how many are there."""
    size, mine = places.shape[0], places[row, column]
    alike = there = 0
    for down in range(-1, 2):
        for across in range(-1, 2):
            other = places[(row + down) % size, (column + across) % size]
            if (down != 0 or across != 0) and other > 0:
                there += 1
                alike += other == mine
    return alike, there


@compiled
def survey(places, wanted, unhappy):  # type: ignore[no-untyped-def]
    """Writes where the unhappy live into `unhappy`; gives how many, and the sums of like and of all neighbours."""
    size, count, likes, alls = places.shape[0], 0, 0, 0
    for row in range(size):
        for column in range(size):
            if places[row, column] > 0:
                alike, there = neighbours(places, row, column)
                likes += alike
                alls += there
                if alike < wanted * there:
                    unhappy[count] = row * size + column
                    count += 1
    return count, likes, alls


@compiled
def move(places, wanted, rng):  # type: ignore[no-untyped-def]
    """All who are unhappy now go to empty places, one after another in random order; gives how many."""
    flat = places.ravel()
    unhappy = np.empty(flat.shape[0], dtype=np.int64)
    count, _, _ = survey(places, wanted, unhappy)
    empty = np.flatnonzero(flat == 0)
    if empty.shape[0] == 0:
        return 0
    for i in range(count - 1, -1, -1):
        chosen = int(rng.random() * (i + 1))
        home, unhappy[chosen] = unhappy[chosen], unhappy[i]
        target = int(rng.random() * empty.shape[0])
        flat[empty[target]] = flat[home]
        flat[home] = 0
        empty[target] = home
    return count


class Schelling(Simulation):
    """Who has fewer than the wanted share of like among the neighbours (eight, those that live there) moves to an empty place at random.

    Sources: T. C. Schelling, Dynamic models of segregation, J. Math. Sociol. 1 (1971) 143–186; U. Wilensky, NetLogo Segregation (1997).
    """

    id: ClassVar[str] = "schelling"
    title: ClassVar[str] = "Neighbourhoods that come apart"
    domain: ClassVar[str] = "Urban"
    about: ClassVar[str] = (
        "Everybody here is content with three in ten neighbours of the own kind and moves only where there are fewer. Yet the town comes apart in quarters in which seven in ten are alike. "
        "Small wishes of many make an order that nobody wished for."
    )
    Params: ClassVar[type[Params]] = SchellingParams
    series: ClassVar[tuple[Series, ...]] = (Series("similar", "Similar neighbours", "%"), Series("unhappy", "Unhappy", "%"), Series("moves", "Moves", "people", "total"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Three in ten", {}, "Tolerant people, separate quarters."),
        Preset("Half", {"wanted": 0.5}, "Nearly all neighbours become alike."),
        Preset("Never content", {"wanted": 0.8, "density": 0.9}, "Too much is asked: all move for ever."),
        Preset("Four groups", {"groups": 4, "size": 100, "density": 0.9}, "The same in four colours."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("T. C. Schelling, Dynamic models of segregation, J. Math. Sociol. 1 (1971) 143–186", "https://doi.org/10.1080/0022250X.1971.9989794"),
        Source("U. Wilensky, NetLogo Segregation model, Northwestern University 1997", "https://ccl.northwestern.edu/netlogo/models/Segregation"),
    )
    duration: ClassVar[float] = 50.0
    time_unit: ClassVar[str] = "rounds"
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: SchellingParams, rng: np.random.Generator) -> Town:
        places = np.zeros(params.size**2, dtype=np.int8)
        homes = rng.permutation(places.size)[: max(1, round(params.density * places.size))]
        places[homes] = 1 + np.arange(len(homes)) % params.groups
        return Town(places.reshape(params.size, params.size))

    def step(self, state: Town, params: SchellingParams, rng: np.random.Generator) -> Town:
        state.moves += int(move(state.places, params.wanted, rng))
        return state

    def observe(self, state: Town, params: SchellingParams) -> dict[str, float]:
        count, likes, alls = survey(state.places, params.wanted, np.empty(state.places.size, dtype=np.int64))
        return {"similar": 100 * likes / max(alls, 1), "unhappy": 100 * count / np.count_nonzero(state.places), "moves": state.moves}

    def poke(self, state: Town, params: SchellingParams, x: float, y: float, rng: np.random.Generator) -> Town:
        """Everybody near that place is shuffled."""
        rows, columns = np.ogrid[: params.size, : params.size]
        near = (rows - y * params.size) ** 2 + (columns - x * params.size) ** 2 < (params.size / 8) ** 2
        state.places[near] = rng.permutation(state.places[near])
        return state

    def render(self, state: Town, params: SchellingParams) -> Picture:
        return kinds(state.places, ((30, 32, 38), *KINDS), 400)
