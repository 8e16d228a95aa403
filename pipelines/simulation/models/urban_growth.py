"""Urban growth by diffusion-limited aggregation: a town that reaches out along arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import GROUND, enlarged, ramp
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui


class UrbanGrowthParams(Params):
    sticking: float = Field(
        1.0, ge=0.01, le=1, title="Settling at first sight", description="How likely a newcomer builds at the first free place next to the town; choosy ones fill its gaps.", json_schema_extra=ui(live=True, step=0.01)
    )
    newcomers: int = Field(10, ge=1, le=200, title="Newcomers", description="Houses built each year.", json_schema_extra=ui(live=True, unit="houses"))
    centres: int = Field(1, ge=1, le=12, title="Old centres", description="Where the town begins: the first in the middle.")
    size: int = Field(301, ge=51, le=1001, title="Size of the land", description="Places in each direction.", json_schema_extra=ui(unit="places"))


@dataclass
class Land:
    """`built` has the number of the house at each place, 0 where none is; `radius` is how far the town reaches from the middle."""

    built: NDArray[np.int32]
    houses: int
    radius: float


@compiled
def settle(built, houses, radius, count, sticking, rng):  # type: ignore[no-untyped-def]
    """`count` newcomers, one by one: each starts on a circle around the town, walks at random and builds next to it. Gives houses and radius; ends when the town is at the edge."""
    size = built.shape[0]
    middle = size // 2
    for _ in range(count):
        start = radius + 3.0
        if start > middle - 2:
            break
        angle = 2.0 * np.pi * rng.random()
        x, y = middle + start * np.cos(angle), middle + start * np.sin(angle)
        row, column = int(round(y)), int(round(x))
        while True:
            away = np.hypot(row - middle, column - middle)
            if away > radius + 4.0:
                if away > 50.0 * (radius + 10.0):  # gone for good: it comes back anywhere
                    angle = 2.0 * np.pi * rng.random()
                    row, column = int(round(middle + start * np.sin(angle))), int(round(middle + start * np.cos(angle)))
                    continue
                jump, angle = max(1.0, away - radius - 2.0), 2.0 * np.pi * rng.random()
                row, column = int(round(row + jump * np.sin(angle))), int(round(column + jump * np.cos(angle)))
                continue
            if 0 < row < size - 1 and 0 < column < size - 1:
                beside = built[row - 1, column] > 0 or built[row + 1, column] > 0 or built[row, column - 1] > 0 or built[row, column + 1] > 0
                if beside and built[row, column] == 0 and rng.random() < sticking:
                    houses += 1
                    built[row, column] = houses
                    radius = max(radius, away)
                    break
            way = int(rng.random() * 4)
            down, across = (1 if way == 0 else -1 if way == 1 else 0), (1 if way == 2 else -1 if way == 3 else 0)
            if not (0 <= row + down < size and 0 <= column + across < size) or built[row + down, column + across] == 0:
                row, column = row + down, column + across
    return houses, radius


class UrbanGrowth(Simulation):
    """Newcomers walk at random from outside and build at a place next to a house, with the probability of settling each time they stand at one. Houses N within the radius of gyration R: N ~ R^D, D = 1.71.

    Sources: M. Batty, P. Longley, S. Fotheringham, Urban growth and form, Environ. Plan. A 21 (1989) 1447–1472; T. A. Witten, L. M. Sander, Phys. Rev. Lett. 47 (1981) 1400–1403.
    """

    id: ClassVar[str] = "urban_growth"
    title: ClassVar[str] = "A town reaches out"
    domain: ClassVar[str] = "Urban"
    about: ClassVar[str] = (
        "Newcomers come from outside and build next to the first house they meet, so arms catch them before they reach the gaps. The result is as thin as the "
        "map of a real town: its houses grow as the radius to the power of 1.71, not 2. "
        "Choosier newcomers fill the gaps; click to found a new centre."
    )
    Params: ClassVar[type[Params]] = UrbanGrowthParams
    series: ClassVar[tuple[Series, ...]] = (Series("houses", "Houses", "houses"), Series("radius", "Radius of gyration", "places"), Series("filled", "Share built within the radius"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Arms", {}, "A thin town: dimension 1.71."),
        Preset("Compact", {"sticking": 0.05}, "Newcomers who look around fill the gaps."),
        Preset("Five villages", {"centres": 5}, "Villages that compete for newcomers."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. Batty, P. Longley, S. Fotheringham, Urban growth and form: scaling, fractal geometry, and diffusion-limited aggregation, Environ. Plan. A 21 (1989) 1447–1472", "https://doi.org/10.1068/a211447"),
        Source("T. A. Witten, L. M. Sander, Diffusion-limited aggregation, a kinetic critical phenomenon, Phys. Rev. Lett. 47 (1981) 1400–1403", "https://doi.org/10.1103/PhysRevLett.47.1400"),
        Source("P. Meakin, Formation of fractal clusters and networks by irreversible diffusion-limited aggregation, Phys. Rev. Lett. 51 (1983) 1119–1122", "https://doi.org/10.1103/PhysRevLett.51.1119"),
    )
    duration: ClassVar[float] = 500.0
    time_unit: ClassVar[str] = "years"
    pace: ClassVar[float] = 25.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: UrbanGrowthParams, rng: np.random.Generator) -> Land:
        land = Land(np.zeros((params.size, params.size), dtype=np.int32), 0, 0.0)
        for centre in range(params.centres):
            away, angle = (0.0 if centre == 0 else 0.1 * params.size * (1 + rng.random())), 2 * np.pi * rng.random()
            found(land, round(params.size // 2 + away * np.sin(angle)), round(params.size // 2 + away * np.cos(angle)))
        return land

    def step(self, state: Land, params: UrbanGrowthParams, rng: np.random.Generator) -> Land:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Land, params: UrbanGrowthParams, rng: np.random.Generator, steps: int) -> Land:
        state.houses, state.radius = settle(state.built, state.houses, state.radius, steps * params.newcomers, params.sticking, rng)
        return state

    def observe(self, state: Land, params: UrbanGrowthParams) -> dict[str, float]:
        places = np.argwhere(state.built)
        gyration = float(np.sqrt(((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()))
        return {"houses": len(places), "radius": gyration, "filled": len(places) / max(np.pi * state.radius**2, len(places))}

    def poke(self, state: Land, params: UrbanGrowthParams, x: float, y: float, rng: np.random.Generator) -> Land:
        found(state, min(int(y * params.size), params.size - 1), min(int(x * params.size), params.size - 1))
        return state

    def render(self, state: Land, params: UrbanGrowthParams) -> Picture:
        age = state.built.astype(np.float64) / max(state.houses, 1)
        picture = ramp("heat")[(70 + 180 * age).astype(np.uint8)]
        picture[state.built == 0] = GROUND
        return enlarged(picture, 400)


def found(land: Land, row: int, column: int) -> None:
    """A first house there, unless one stands."""
    if land.built[row, column] == 0:
        land.houses += 1
        land.built[row, column] = land.houses
    middle = land.built.shape[0] // 2
    land.radius = max(land.radius, float(np.hypot(row - middle, column - middle)))
