"""Ising: a magnet of small arrows, and the temperature at which it stops being one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import kinds
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

COLOURS = ((28, 44, 84), (244, 212, 140))


class IsingParams(Params):
    temperature: float = Field(2.269, ge=0.1, le=20, title="Temperature", description="In units of the coupling J; 2.269 is critical.", json_schema_extra=ui(live=True, step=0.005, unit="J/k"))
    external: float = Field(0.0, ge=-2, le=2, title="Outer field", description="Pulls the spins up or down.", json_schema_extra=ui(live=True, step=0.01, unit="J"))
    size: int = Field(256, ge=8, le=2048, title="Size", description="Spins in each direction, an even number; one edge borders on the other.", json_schema_extra=ui(step=2, unit="spins"))
    start: Literal["At random", "All up"] = Field("At random", title="At the start", description="A hot magnet that is quenched, or a cold one that is heated.", json_schema_extra=ui())


@dataclass
class Magnet:
    spins: NDArray[np.int8]  # (size, size): −1 or 1


@compiled
def sweep(spins, chances, steps, rng):  # type: ignore[no-untyped-def]
    """`steps` sweeps in place, first the white fields of the checkerboard, then the black ones. `chances[s, n]` is that of flipping a spin (0 down, 1 up) with n − 4 … of its neighbours."""
    size = spins.shape[0]
    for _ in range(steps):
        for colour in range(2):
            for row in range(size):
                above, here, below = spins[row - 1 if row > 0 else size - 1], spins[row], spins[row + 1 if row + 1 < size else 0]
                for column in range((row + colour) % 2, size, 2):
                    left, right = here[column - 1 if column > 0 else size - 1], here[column + 1 if column + 1 < size else 0]
                    chance = chances[(here[column] + 1) >> 1, above[column] + below[column] + left + right + 4]
                    if chance >= 1.0 or rng.random() < chance:
                        here[column] = -here[column]


class Ising(Simulation):
    """E = −Σ s s' − h Σ s over neighbours on a square torus; a spin flips with min(1, e^(−ΔE/T)), the two colours of the checkerboard in turn. A step is a sweep over all.

    Sources: N. Metropolis et al., J. Chem. Phys. 21 (1953) 1087–1092; L. Onsager, Phys. Rev. 65 (1944) 117–149 (energy, T_c); C. N. Yang, Phys. Rev. 85 (1952) 808–816 (magnetisation).
    """

    id: ClassVar[str] = "ising"
    title: ClassVar[str] = "A magnet melts"
    domain: ClassVar[str] = "Materials"
    about: ClassVar[str] = (
        "Each small arrow likes to point as its four neighbours do, and heat shakes it. Below a temperature of 2.269 all agree and there is a magnet, above "
        "there is none, and just there patches of all sizes come and go. "
        "It is the simplest material with a change of phase, and one of few that are solved exactly."
    )
    Params: ClassVar[type[Params]] = IsingParams
    series: ClassVar[tuple[Series, ...]] = (Series("magnetisation", "Magnetisation"), Series("energy", "Energy of a spin", "J"), Series("order", "Magnetisation, without sign"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Critical", {}, "Patches of all sizes."),
        Preset("Quenched", {"temperature": 1.0}, "Domains grow and eat each other."),
        Preset("Hot", {"temperature": 4.0}, "No order at all."),
        Preset("Cold magnet", {"temperature": 1.8, "start": "All up"}, "Nearly all agree."),
        Preset("Against the field", {"temperature": 1.6, "external": -0.25, "start": "All up"}, "It holds for a while, then it turns."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("L. Onsager, Crystal statistics I: a two-dimensional model with an order-disorder transition, Phys. Rev. 65 (1944) 117–149", "https://doi.org/10.1103/PhysRev.65.117"),
        Source("C. N. Yang, The spontaneous magnetization of a two-dimensional Ising model, Phys. Rev. 85 (1952) 808–816", "https://doi.org/10.1103/PhysRev.85.808"),
    )
    duration: ClassVar[float] = 1000.0
    time_unit: ClassVar[str] = "sweeps"
    pace: ClassVar[float] = 40.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def check(self, params: IsingParams) -> None:
        if params.size % 2:
            raise BadInput("A checkerboard that closes around its edges needs an even size.", hint=f"Take {params.size + 1}.", field="size")

    def init(self, params: IsingParams, rng: np.random.Generator) -> Magnet:
        shape = (params.size, params.size)
        return Magnet(np.ones(shape, dtype=np.int8) if params.start == "All up" else (2 * rng.integers(0, 2, shape) - 1).astype(np.int8))

    def step(self, state: Magnet, params: IsingParams, rng: np.random.Generator) -> Magnet:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Magnet, params: IsingParams, rng: np.random.Generator, steps: int) -> Magnet:
        sweep(state.spins, chances(params), steps, rng)
        return state

    def observe(self, state: Magnet, params: IsingParams) -> dict[str, float]:
        spins = state.spins.astype(np.int64)
        mean = float(spins.mean())
        bonds = float((spins * (np.roll(spins, 1, 0) + np.roll(spins, 1, 1))).mean())
        return {"magnetisation": mean, "energy": -bonds - params.external * mean, "order": abs(mean)}

    def poke(self, state: Magnet, params: IsingParams, x: float, y: float, rng: np.random.Generator) -> Magnet:
        """The spins near that place turn over."""
        rows, columns = np.ogrid[: params.size, : params.size]
        state.spins[(rows - y * params.size) ** 2 + (columns - x * params.size) ** 2 < (params.size / 10) ** 2] *= -1
        return state

    def render(self, state: Magnet, params: IsingParams) -> Picture:
        return kinds((state.spins + 1) >> 1, COLOURS, 400)


def chances(params: IsingParams) -> Numbers:
    """(2, 9): of a flip, by spin and sum of the neighbours."""
    spin, around = np.array([-1, 1])[:, None], np.arange(-4, 5)[None, :]
    return np.exp(np.minimum(0.0, -2 * spin * (around + params.external) / params.temperature))
