"""Percolation: whether a fire at one edge of a random wood reaches the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import kinds
from pipelines.simulation.jit import compiled
from studio.api import Params, Picture, Preset, Series, Simulation, Source, ui

BARE, TREE, FIRE, BURNT = 0, 1, 2, 3
COLOURS = ((24, 24, 28), (60, 130, 76), (255, 170, 60), (92, 40, 40))


class PercolationParams(Params):
    density: float = Field(0.5927, ge=0, le=1, title="Density of trees", description="Share of places with a tree; 0.5927 decides.", json_schema_extra=ui(step=0.0005))
    size: int = Field(256, ge=8, le=2048, title="Size of the wood", description="Places in each direction.", json_schema_extra=ui(unit="places"))
    sparks: float = Field(0.0, ge=0, le=1, title="Sparks", description="How likely a tree also lights one diagonally beside it.", json_schema_extra=ui(live=True, step=0.01))


@dataclass
class Wood:
    places: NDArray[np.uint8]  # (size, size)
    trees: int
    front: NDArray[np.int64]  # where it burns: row · size + column
    time: int = 0
    reached: int = 0  # rightmost column that burnt


@compiled
def burn(places, front, sparks, rng):  # type: ignore[no-untyped-def]
    """Trees beside the front catch fire, the front is burnt. Gives the new front and its rightmost column."""
    size = places.shape[0]
    new, count, right = np.empty(8 * front.shape[0], dtype=np.int64), 0, 0
    for at in front:
        row, column = at // size, at % size
        places[row, column] = 3
        for down in range(-1, 2):
            for across in range(-1, 2):
                r, c = row + down, column + across
                if not (0 <= r < size and 0 <= c < size) or places[r, c] != 1:
                    continue
                if down != 0 and across != 0 and not (sparks > 0.0 and rng.random() < sparks):
                    continue
                places[r, c] = 2
                new[count] = r * size + c
                count += 1
                right = max(right, c)
    return new[:count].copy(), right


class Percolation(Simulation):
    """Each place has a tree with the given probability. The left edge is lit; each step fire goes to trees that are one of the four neighbours.

    Sources: S. R. Broadbent, J. M. Hammersley, Percolation processes, Math. Proc. Camb. Phil. Soc. 53 (1957) 629–641; R. M. Ziff, Phys. Rev. Lett. 69 (1992) 2670–2673 (p_c).
    """

    id: ClassVar[str] = "percolation"
    title: ClassVar[str] = "Does the fire get through?"
    domain: ClassVar[str] = "Urban"
    about: ClassVar[str] = (
        "A fire is lit along the left edge of a wood whose trees stand at random. Below 59.27 % of the places it dies out, above it gets through, and just there it takes longest, along a fractal. "
        "The same threshold decides about water in stone and current in mixtures."
    )
    Params: ClassVar[type[Params]] = PercolationParams
    series: ClassVar[tuple[Series, ...]] = (Series("burnt", "Burnt", "%", "total"), Series("front", "Burning trees", "trees"), Series("reached", "How far it got", "%"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("At the threshold", {}, "Half of such woods burn through."),
        Preset("Too thin", {"density": 0.55}, "It dies out soon."),
        Preset("Dense", {"density": 0.65}, "It is through quickly."),
        Preset("Sparks fly", {"density": 0.5, "sparks": 0.6}, "Diagonal steps let thinner woods burn."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("S. R. Broadbent, J. M. Hammersley, Percolation processes I, Math. Proc. Camb. Phil. Soc. 53 (1957) 629–641", "https://doi.org/10.1017/S0305004100032680"),
        Source("R. M. Ziff, Spanning probability in 2D percolation, Phys. Rev. Lett. 69 (1992) 2670–2673", "https://doi.org/10.1103/PhysRevLett.69.2670"),
    )
    duration: ClassVar[float] = 1000.0
    time_unit: ClassVar[str] = "steps"
    pace: ClassVar[float] = 30.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def init(self, params: PercolationParams, rng: np.random.Generator) -> Wood:
        places = (rng.random((params.size, params.size)) < params.density).astype(np.uint8)
        trees = int(np.count_nonzero(places))
        edge = np.flatnonzero(places[:, 0])
        places[edge, 0] = FIRE
        return Wood(places, trees, edge * params.size)

    def step(self, state: Wood, params: PercolationParams, rng: np.random.Generator) -> Wood:
        state.time += 1
        if len(state.front):
            state.front, right = burn(state.places, state.front, params.sparks, rng)
            state.reached = max(state.reached, right)
        return state

    def observe(self, state: Wood, params: PercolationParams) -> dict[str, float]:
        return {"burnt": 100 * float(np.count_nonzero(state.places == BURNT)) / max(state.trees, 1), "front": len(state.front), "reached": 100 * state.reached / (params.size - 1)}

    def poke(self, state: Wood, params: PercolationParams, x: float, y: float, rng: np.random.Generator) -> Wood:
        """A fire is lit near that place."""
        rows, columns = np.ogrid[: params.size, : params.size]
        lit = ((rows - y * params.size) ** 2 + (columns - x * params.size) ** 2 < max(2.0, params.size / 80) ** 2) & (state.places == TREE)
        state.places[lit] = FIRE
        state.front = np.concatenate([state.front, np.flatnonzero(lit)])
        return state

    def render(self, state: Wood, params: PercolationParams) -> Picture:
        return kinds(state.places, COLOURS, 400)
