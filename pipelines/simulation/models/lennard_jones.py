"""Lennard-Jones: a fluid atom by atom, from gas to crystal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import canvas, picture_of, ramp
from pipelines.simulation.jit import compiled
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

SKIN = 0.4  # how much farther than the cut-off the lists of neighbours look


class LennardJonesParams(Params):
    temperature: float = Field(0.42, ge=0.01, le=10, title="Temperature", description="In units of the well depth: argon's 1 is 120 K.", json_schema_extra=ui(live=True, step=0.01, unit="ε/k"))
    density: float = Field(0.35, ge=0.001, le=1.1, title="Density", description="Atoms in a square (or cube) of the atom's diameter.", json_schema_extra=ui(step=0.005, unit="σ⁻ᵈ"))
    atoms: int = Field(400, ge=16, le=4000, title="Atoms", description="How many.")
    space: Literal["Plane", "Space"] = Field("Plane", title="Dimensions", description="Two show more, three are real.", json_schema_extra=ui())
    heat_bath: float = Field(1.0, ge=0, le=100, title="Heat bath", description="How often an atom collides with a bath at the temperature; 0 keeps the energy.", json_schema_extra=ui(live=True, advanced=True, unit="1/τ"))
    cutoff: float = Field(2.5, ge=1.5, le=6, title="Cut-off", description="How far atoms feel each other; what is beyond is added as a mean.", json_schema_extra=ui(advanced=True, unit="σ"))
    dt: float = Field(0.005, ge=0.0001, le=0.05, title="Time step", description="Larger ones let the energy drift.", json_schema_extra=ui(advanced=True, step=0.0005, unit="τ"))


@dataclass
class Fluid:
    """Places, speeds, forces are (atoms, 2 or 3). `pairs` are those within cut-off and skin of `listed`, the places when they were found."""

    places: Numbers
    speeds: Numbers
    forces: Numbers
    pairs: NDArray[np.int32]
    listed: Numbers
    sums: Numbers  # potential energy (cut, shifted: what is kept), the same unshifted, virial


@compiled
def find_pairs(places, box, reach):  # type: ignore[no-untyped-def]
    """(pairs, 2) nearer than `reach`, by cells of that size."""
    count, dims = places.shape
    across = max(1, int(box / reach))
    deep = across if dims == 3 else 1
    first, after, cell = np.full(across * across * deep, -1, dtype=np.int32), np.empty(count, dtype=np.int32), np.empty((count, 3), dtype=np.int32)
    for i in range(count):
        cell[i, 2] = 0
        for d in range(dims):
            cell[i, d] = min(int(places[i, d] / box * across), across - 1)
        at = (cell[i, 2] * across + cell[i, 1]) * across + cell[i, 0]
        after[i] = first[at]
        first[at] = i
    pairs, found = np.empty((64 * count, 2), dtype=np.int32), 0
    span, layers = (1 if across >= 3 else 0), (1 if across >= 3 and dims == 3 else 0)
    for i in range(count):
        for z in range(-layers, layers + 1):
            for y in range(-span, span + 1):
                for x in range(-span, span + 1):
                    at = ((cell[i, 2] + z) % deep * across + (cell[i, 1] + y) % across) * across + (cell[i, 0] + x) % across
                    for start in range(at if span else 0, at + 1 if span else first.shape[0]):
                        j = first[start]
                        while j >= 0:
                            if j > i:
                                apart = 0.0
                                for d in range(dims):
                                    along = places[i, d] - places[j, d]
                                    along -= box * np.rint(along / box)
                                    apart += along * along
                                if apart < reach * reach:
                                    if found == pairs.shape[0]:
                                        longer = np.empty((2 * found, 2), dtype=np.int32)
                                        longer[:found] = pairs
                                        pairs = longer
                                    pairs[found, 0], pairs[found, 1] = i, j
                                    found += 1
                            j = after[j]
    return pairs[:found].copy()


@compiled
def push(places, box, cutoff, pairs, forces, sums):  # type: ignore[no-untyped-def]
    """Forces, energies and virial of all pairs within the cut-off."""
    dims = places.shape[1]
    along, shift = np.empty(dims), 4.0 * (cutoff**-12 - cutoff**-6)
    forces[:] = 0.0
    kept = energy = virial = 0.0
    for pair in range(pairs.shape[0]):
        i, j = pairs[pair, 0], pairs[pair, 1]
        apart = 0.0
        for d in range(dims):
            way = places[i, d] - places[j, d]
            if way > 0.5 * box:
                way -= box
            elif way < -0.5 * box:
                way += box
            along[d] = way
            apart += way * way
        if apart < cutoff * cutoff:
            apart = max(apart, 1e-6)
            sixth = 1.0 / (apart * apart * apart)
            value = 4.0 * sixth * (sixth - 1.0)
            strength = 24.0 * sixth * (2.0 * sixth - 1.0)
            energy += value
            kept += value - shift
            virial += strength
            for d in range(dims):
                force = strength / apart * along[d]
                forces[i, d] += force
                forces[j, d] -= force
    sums[0], sums[1], sums[2] = kept, energy, virial


@compiled
def run(places, speeds, forces, pairs, listed, sums, box, cutoff, skin, dt, temperature, bath, steps, rng):  # type: ignore[no-untyped-def]
    """`steps` of velocity Verlet in place, then collisions with the bath (Andersen). Gives the pairs."""
    count, dims = places.shape
    for _ in range(steps):
        farthest = 0.0
        for i in range(count):
            moved = 0.0
            for d in range(dims):
                speeds[i, d] += 0.5 * dt * forces[i, d]
                places[i, d] += dt * speeds[i, d]
                gone = places[i, d] - listed[i, d]
                moved += gone * gone
            farthest = max(farthest, moved)
        if not farthest < box * box:  # it blew up: lists of neighbours would mean nothing
            sums[:] = np.nan
            break
        if not farthest < 0.25 * skin * skin:
            places -= box * np.floor(places / box)
            pairs = find_pairs(places, box, cutoff + skin)
            listed[:] = places
        push(places, box, cutoff, pairs, forces, sums)
        for i in range(count):
            hit = bath > 0.0 and rng.random() < bath * dt
            for d in range(dims):
                speeds[i, d] = np.sqrt(temperature) * rng.normal() if hit else speeds[i, d] + 0.5 * dt * forces[i, d]
    return pairs


class LennardJones(Simulation):
    """u(r) = 4(r⁻¹² − r⁻⁶) cut off, m r'' = −∇Σu by velocity Verlet in a periodic box, lists of neighbours; energy and pressure with the mean of what is cut off. Units are those of the atom: σ, ε, τ = σ√(m/ε).

    Sources: L. Verlet, Phys. Rev. 159 (1967) 98–103; H. C. Andersen, J. Chem. Phys. 72 (1980) 2384–2393 (bath); NIST, benchmark results for the Lennard-Jones fluid.
    """

    id: ClassVar[str] = "lennard_jones"
    title: ClassVar[str] = "Gas, liquid, crystal"
    domain: ClassVar[str] = "Materials"
    about: ClassVar[str] = (
        "Atoms that attract each other when near and repel when too near are all it takes for gas, liquid and crystal. Cool them and drops form, cool them more and rows line up; heat and all fly apart. "
        "Each is moved by Newton's law in a box that closes around its edges; colours tell how fast an atom is."
    )
    Params: ClassVar[type[Params]] = LennardJonesParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("potential", "Potential energy of an atom", "ε"),
        Series("measured", "Measured temperature", "ε/k"),
        Series("pressure", "Pressure", "ε/σᵈ"),
        Series("total", "Total energy of an atom", "ε"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Drops", {}, "Liquid and vapour side by side."),
        Preset("Gas", {"temperature": 2.0, "density": 0.1}, "Hardly anybody touches."),
        Preset("Crystal", {"temperature": 0.2, "density": 0.85}, "A lattice with its faults."),
        Preset("Energy kept", {"heat_bath": 0.0, "temperature": 1.0, "density": 0.7}, "No bath: the total must not drift."),
        Preset("Liquid argon", {"space": "Space", "temperature": 0.85, "density": 0.776, "atoms": 500, "cutoff": 3.0}, "A state for which published values exist."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("L. Verlet, Computer “experiments” on classical fluids, Phys. Rev. 159 (1967) 98–103", "https://doi.org/10.1103/PhysRev.159.98"),
        Source("NIST Standard Reference Simulation Website, benchmark results for the Lennard-Jones fluid", "https://mmlapps.nist.gov/srs/LJ_PURE/mc.htm"),
    )
    duration: ClassVar[float] = 50.0
    time_unit: ClassVar[str] = "τ"
    pace: ClassVar[float] = 60.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def time_step(self, params: LennardJonesParams) -> float:
        return params.dt

    def check(self, params: LennardJonesParams) -> None:
        if box_of(params) < 2 * params.cutoff:
            raise BadInput(f"The box is {box_of(params):.3g} σ wide: an atom would meet itself within the cut-off.", hint="Take more atoms, a lower density or a shorter cut-off.", field="atoms")

    def init(self, params: LennardJonesParams, rng: np.random.Generator) -> Fluid:
        places = lattice(params)
        speeds = np.sqrt(params.temperature) * rng.normal(size=places.shape)
        speeds -= speeds.mean(axis=0)
        pairs = find_pairs(places, box_of(params), params.cutoff + SKIN)
        fluid = Fluid(places, speeds, np.zeros_like(places), pairs, places.copy(), np.zeros(3))
        push(places, box_of(params), params.cutoff, pairs, fluid.forces, fluid.sums)
        return fluid

    def step(self, state: Fluid, params: LennardJonesParams, rng: np.random.Generator) -> Fluid:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Fluid, params: LennardJonesParams, rng: np.random.Generator, steps: int) -> Fluid:
        arrays = (state.places, state.speeds, state.forces, state.pairs, state.listed, state.sums)
        state.pairs = run(*arrays, box_of(params), params.cutoff, SKIN, params.dt, params.temperature, params.heat_bath, steps, rng)
        return state

    def observe(self, state: Fluid, params: LennardJonesParams) -> dict[str, float]:
        count, dims = state.places.shape
        kinetic = 0.5 * float((state.speeds**2).sum()) / count
        measured = 2 * kinetic / dims
        energy, pressure = beyond(params)
        return {
            "potential": float(state.sums[1]) / count + energy,
            "measured": measured,
            "pressure": params.density * measured + float(state.sums[2]) / (dims * box_of(params) ** dims) + pressure,
            "total": kinetic + float(state.sums[0]) / count,
        }

    def poke(self, state: Fluid, params: LennardJonesParams, x: float, y: float, rng: np.random.Generator) -> Fluid:
        """Atoms near that place are pushed away from it."""
        box = box_of(params)
        away = state.places[:, :2] - np.array([x, 1 - y]) * box
        away -= box * np.rint(away / box)
        far = np.sqrt((away**2).sum(axis=1, keepdims=True))
        state.speeds[:, :2] += np.where(far < 0.15 * box, 3 * away / np.maximum(far, 1e-9), 0)
        return state

    def render(self, state: Fluid, params: LennardJonesParams) -> Picture:
        side, box = 440, box_of(params)
        image, draw = canvas(side, side)
        inside = state.places - box * np.floor(state.places / box)
        speed = np.sqrt((state.speeds**2).sum(axis=1)) / (2.5 * np.sqrt(params.temperature))
        deep = inside[:, 2] / box if inside.shape[1] == 3 else np.ones(len(inside))
        radius = 0.5 * side / box
        for at in np.argsort(deep):
            light = 0.35 + 0.65 * deep[at]
            colour = tuple(int(light * value) for value in ramp("heat")[int(70 + 170 * min(speed[at], 1.0))])
            x, y, r = inside[at, 0] / box * side, side - inside[at, 1] / box * side, radius * (0.7 + 0.3 * deep[at])
            draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
        return picture_of(image)

    def likely_cause(self, params: LennardJonesParams) -> str:
        return "Two atoms came too near within one time step: take a smaller one."


def dims_of(params: LennardJonesParams) -> int:
    return 2 if params.space == "Plane" else 3


def box_of(params: LennardJonesParams) -> float:
    """Side of the periodic box in σ."""
    return float((params.atoms / params.density) ** (1 / dims_of(params)))


def lattice(params: LennardJonesParams) -> Numbers:
    """(atoms, 2 or 3) on a square or cubic lattice that has room for all."""
    dims = dims_of(params)
    side = int(np.ceil(params.atoms ** (1 / dims) - 1e-9))
    points = np.stack(np.meshgrid(*[np.arange(side)] * dims, indexing="ij"), axis=-1).reshape(-1, dims)
    chosen = points[np.linspace(0, len(points) - 1, params.atoms).astype(int)]
    return (chosen + 0.5) * box_of(params) / side


def beyond(params: LennardJonesParams) -> tuple[float, float]:
    """Mean energy of an atom and pressure of all that is farther than the cut-off, as if atoms were spread evenly there."""
    density, r = params.density, params.cutoff
    if dims_of(params) == 2:
        return np.pi * density * (0.4 * r**-10 - r**-4), np.pi * density**2 * (2.4 * r**-10 - 3 * r**-4)
    return 8 * np.pi * density * (r**-9 / 9 - r**-3 / 3), 16 * np.pi * density**2 * (2 * r**-9 / 9 - r**-3 / 3)
