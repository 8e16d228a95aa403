"""Bodies under their own gravity: orbits, dances of three, planets, a cluster of stars; by a method that keeps their energy for ages."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from pydantic import Field

from pipelines.simulation.drawing import KINDS, canvas, halved, picture_of
from pipelines.simulation.jit import compiled
from pipelines.simulation.n_body_starts import SYSTEMS
from studio.api import BadInput, Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

MOST_BODIES = 500
TRAIL = 400  # points of the ways in the picture
BETWEEN = 0.01  # time from one to the next
# Yoshida 1990: three leapfrogs in a row, of these lengths, are of fourth order
INNER = 1 / (2 - 2 ** (1 / 3))
YOSHIDA = np.array([INNER, 1 - 2 * INNER, INNER])
LEAPFROG = np.array([1.0])


class NBodyParams(Params):
    system: Literal["Two bodies", "Figure eight", "Three at rest", "Inner planets", "Star cluster"] = Field("Figure eight", title="System", description="Which bodies, and how they start.", json_schema_extra=ui())
    eccentricity: float = Field(0.6, ge=0, le=0.99, title="Eccentricity", description="Of the orbit of two bodies: 0 is a circle.", json_schema_extra=ui(step=0.01))
    companion: float = Field(0.001, ge=0, le=1, title="Mass of the companion", description="Of two bodies, as a part of the first.", json_schema_extra=ui(step=0.001))
    gravity: float = Field(1.0, ge=0, le=10, title="Gravity", description="As a part of the true one.", json_schema_extra=ui(live=True, step=0.01))
    bodies: int = Field(120, ge=2, le=MOST_BODIES, title="Stars", description="How many the cluster has.", json_schema_extra=ui(advanced=True))
    interval: float = Field(0.002, ge=1e-5, le=0.1, title="Time step", description="Of the method; 1 is a year for planets and two bodies.", json_schema_extra=ui(advanced=True, step=0.0001))
    method: Literal["Leapfrog", "Yoshida"] = Field("Leapfrog", title="Method", description="Of second or of fourth order; both symplectic.", json_schema_extra=ui(advanced=True))
    softening: float = Field(0.0, ge=0, le=1, title="Softening", description="Distance within which gravity no longer grows.", json_schema_extra=ui(live=True, advanced=True, step=0.001))
    closeness: float = Field(
        0.0,
        ge=0,
        le=0.1,
        title="Care at encounters",
        description="Above 0 a step is divided where bodies are close: to this part of the time they need to pass. Energy is then no longer kept for ages.",
        json_schema_extra=ui(advanced=True, step=0.001),
    )


@dataclass
class Bodies:
    """Places and speeds (n, 3), masses (n,); energy at the start and after each thing that was added; the past for the picture."""

    place: Numbers
    speed: Numbers
    mass: Numbers
    start_energy: float
    reach: float  # half the side of the picture
    time: float = 0.0
    trail: list[Numbers] = field(default_factory=list)


@compiled
def pulls(place, mass, gravity, soft, out):  # type: ignore[no-untyped-def]
    """Accelerations (n, 3) into out; gives the shortest time in which a pair could meet, squared."""
    n, soonest = place.shape[0], 1e300
    out[:] = 0.0
    for i in range(n):
        for j in range(i + 1, n):
            x, y, z = place[j, 0] - place[i, 0], place[j, 1] - place[i, 1], place[j, 2] - place[i, 2]
            far = x * x + y * y + z * z + soft * soft
            near = gravity / (far * far**0.5)
            out[i, 0] += near * mass[j] * x
            out[i, 1] += near * mass[j] * y
            out[i, 2] += near * mass[j] * z
            out[j, 0] -= near * mass[i] * x
            out[j, 1] -= near * mass[i] * y
            out[j, 2] -= near * mass[i] * z
            together = near * (mass[i] + mass[j])
            if together * soonest > 1.0:
                soonest = 1.0 / together
    return soonest


@compiled
def move(place, speed, mass, gravity, soft, dt, steps, shares, closeness):  # type: ignore[no-untyped-def]
    """Drift, kick, drift; `shares` of a step one after the other. With `closeness` a step is divided at encounters."""
    pull = np.empty_like(place)
    for _step in range(steps):
        left = dt
        while left > 1e-13 * dt:
            part = left
            if closeness > 0.0:
                part = min(left, max(closeness * pulls(place, mass, gravity, soft, pull) ** 0.5, 1e-9 * dt))
            for share in shares:
                h = share * part
                place += 0.5 * h * speed
                pulls(place, mass, gravity, soft, pull)
                speed += h * pull
                place += 0.5 * h * speed
            left -= part


@compiled
def energies(place, speed, mass, gravity, soft):  # type: ignore[no-untyped-def]
    """Kinetic and potential energy."""
    kinetic, potential = 0.0, 0.0
    for i in range(place.shape[0]):
        kinetic += 0.5 * mass[i] * (speed[i, 0] ** 2 + speed[i, 1] ** 2 + speed[i, 2] ** 2)
        for j in range(i + 1, place.shape[0]):
            far = soft * soft
            for axis in range(3):
                far += (place[j, axis] - place[i, axis]) ** 2
            potential -= gravity * mass[i] * mass[j] / far**0.5
    return kinetic, potential


class NBody(Simulation):
    """r̈_i = G Σ m_j (r_j − r_i) / (|r_j − r_i|² + ε²)^{3/2}; leapfrog, or Yoshida's method of fourth order.

    Sources: L. Verlet, Phys. Rev. 159 (1967) 98; H. Yoshida, Phys. Lett. A 150 (1990) 262–268; A. Chenciner & R. Montgomery, Ann. Math. 152 (2000) 881–901.
    """

    id: ClassVar[str] = "n_body"
    title: ClassVar[str] = "Bodies under gravity"
    domain: ClassVar[str] = "Astronomy"
    about: ClassVar[str] = (
        "Every body pulls every other. Two go around each other in ellipses for ever; three can dance a figure eight, or throw one of them out; many become a cluster. "
        "The method of computing keeps the energy of an orbit for millions of turns, and a click lets in a passing body."
    )
    Params: ClassVar[type[Params]] = NBodyParams
    series: ClassVar[tuple[Series, ...]] = (
        Series("energy_error", "Change of energy"),
        Series("distance", "Distance of the first two"),
        Series("x", "x of the second body"),
        Series("y", "y of the second body"),
        Series("kinetic", "Kinetic energy"),
        Series("closest", "Distance of the closest two"),
    )
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Figure eight", {}, "Three equal bodies chase each other along one curve."),
        Preset("Ellipse", {"system": "Two bodies"}, "A planet on a very long ellipse."),
        Preset("Double star", {"system": "Two bodies", "companion": 0.6, "eccentricity": 0.4}, "Both go around their common centre."),
        Preset("Pythagorean three", {"system": "Three at rest", "method": "Yoshida", "closeness": 0.002}, "Masses 3, 4 and 5 at rest in a right triangle: after a wild dance one is thrown out."),
        Preset("Inner planets", {"system": "Inner planets"}, "Mercury, Venus, Earth and Mars from the year 2000 on."),
        Preset("Star cluster", {"system": "Star cluster", "softening": 0.03}, "A Plummer sphere."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("H. Yoshida, Construction of higher order symplectic integrators, Phys. Lett. A 150 (1990) 262–268", "https://doi.org/10.1016/0375-9601(90)90092-3"),
        Source("A. Chenciner & R. Montgomery, A remarkable periodic solution of the three-body problem in the case of equal masses, Ann. Math. 152 (2000) 881–901", "https://doi.org/10.2307/2661357"),
        Source("V. Szebehely & C. F. Peters, Complete solution of a general problem of three bodies, Astron. J. 72 (1967) 876–883", "https://doi.org/10.1086/110355"),
        Source("E. M. Standish, Keplerian elements for approximate positions of the major planets, Jet Propulsion Laboratory"),
        Source("S. J. Aarseth, M. Hénon & R. Wielen, A comparison of numerical methods for the study of star cluster dynamics, Astron. Astrophys. 37 (1974) 183–187"),
    )
    duration: ClassVar[float] = 20.0
    pace: ClassVar[float] = 40.0
    time_unit: ClassVar[str] = ""
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def time_step(self, params: NBodyParams) -> float:
        return params.interval

    def init(self, params: NBodyParams, rng: np.random.Generator) -> Bodies:
        place, speed, mass, reach = SYSTEMS[params.system](params, rng)
        speed = speed - (mass[:, None] * speed).sum(axis=0) / mass.sum()
        place = place - (mass[:, None] * place).sum(axis=0) / mass.sum()
        state = Bodies(np.ascontiguousarray(place), np.ascontiguousarray(speed), mass, 0.0, reach)
        return replace(state, start_energy=energy(state, params), trail=[state.place.copy()])

    def changed(self, state: Bodies, before: NBodyParams, params: NBodyParams, rng: np.random.Generator) -> Bodies:
        return replace(state, start_energy=energy(state, params))

    def step(self, state: Bodies, params: NBodyParams, rng: np.random.Generator) -> Bodies:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Bodies, params: NBodyParams, rng: np.random.Generator, steps: int) -> Bodies:
        every = max(1, round(BETWEEN / params.interval))
        unseen = max(0, steps - TRAIL * every)
        for part in [unseen, *[every] * ((steps - unseen) // every), (steps - unseen) % every]:
            if part:
                move(state.place, state.speed, state.mass, constant(params), params.softening, params.interval, part, shares(params), params.closeness)
                state.trail.append(state.place.copy())
        state.time += steps * params.interval
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Bodies, params: NBodyParams) -> dict[str, float]:
        kinetic, potential = energies(state.place, state.speed, state.mass, constant(params), params.softening)
        apart = np.linalg.norm(state.place[:, None] - state.place[None, :], axis=2) + np.diag(np.full(state.mass.size, np.inf))
        return {
            "energy_error": (kinetic + potential - state.start_energy) / abs(state.start_energy or 1.0),
            "distance": float(apart[0, 1]), "x": float(state.place[1, 0] - state.place[0, 0]), "y": float(state.place[1, 1] - state.place[0, 1]),
            "kinetic": kinetic, "closest": float(apart.min()),
        }  # fmt: skip

    def poke(self, state: Bodies, params: NBodyParams, x: float, y: float, rng: np.random.Generator) -> Bodies:
        """A light body, as quick as a circle around the middle asks for."""
        if state.mass.size >= MOST_BODIES:
            raise BadInput(f"There are {MOST_BODIES} bodies already.", hint="Start again with fewer.", field="bodies")
        at = np.array([2 * x - 1, 1 - 2 * y, 0.0]) * state.reach
        far = max(float(np.linalg.norm(at)), 1e-3 * state.reach)
        quick = (constant(params) * state.mass.sum() / far) ** 0.5
        added = replace(
            state,
            place=np.vstack([state.place, at]),
            speed=np.vstack([state.speed, quick * np.array([-at[1], at[0], 0.0]) / far]),
            mass=np.append(state.mass, 1e-4 * state.mass.mean()),
            trail=[np.vstack([past, at]) if len(past) == state.mass.size else past for past in state.trail],
        )
        return replace(added, start_energy=energy(added, params))

    def pack(self, state: Bodies) -> Numbers:
        return np.concatenate([state.place.ravel(), state.speed.ravel()])

    def unpack(self, state: Bodies, vector: Numbers) -> Bodies:
        place, speed = np.array(vector, dtype=np.float64).reshape(2, -1, 3)
        return replace(state, place=place.copy(), speed=speed.copy(), trail=list(state.trail))

    def render(self, state: Bodies, params: NBodyParams) -> Picture:
        """Ways that fade before a sky of stars; larger bodies are heavier."""
        image, draw = canvas(960, 960, (9, 10, 16))
        for x, y, bright in sky():
            draw.rectangle((x, y, x + 2, y + 2), fill=(bright, bright, bright))
        n = state.mass.size
        past = np.array([places for places in state.trail if len(places) == n])
        dots = np.stack([480 + 450 * past[..., 0] / state.reach, 480 - 450 * past[..., 1] / state.reach], axis=-1)
        dots = np.clip(dots, -5000, 5000)
        colours = [KINDS[(number + 1) % len(KINDS)] if n < 20 else KINDS[(5, 0, 7, 1)[number % 4]] for number in range(n)]
        keep = dots[-max(20, 8000 // n) :]
        fades = (9 + (np.array(colours)[:, None] - 9) * (0.75 * np.arange(1, len(keep)) / len(keep))[:, None]).astype(int).tolist()  # (n, lines, 3)
        for number in range(n):
            corners = keep[:, number].tolist()
            for start, end, fade in zip(corners, corners[1:], fades[number], strict=False):
                draw.line((*start, *end), fill=tuple(fade), width=4 if n < 20 else 1)
        size = 5 + (13 if n < 20 else 2) * (state.mass / state.mass.max()) ** (1 / 4)
        glow = Image.new("RGB", image.size)
        halo = ImageDraw.Draw(glow)
        for number, (x, y) in enumerate(dots[-1]):
            r = float(size[number])
            halo.ellipse((x - 1.6 * r, y - 1.6 * r, x + 1.6 * r, y + 1.6 * r), fill=colours[number])
            draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(min(255, value + 70) for value in colours[number]))
        image = ImageChops.screen(halved(image), glow.resize((480, 480)).filter(ImageFilter.GaussianBlur(7)))
        return picture_of(image)

    def likely_cause(self, params: NBodyParams) -> str:
        return "Bodies came too close for the time step: take a smaller one, some softening, or care at encounters."


def constant(params: NBodyParams) -> float:
    """G: 4π² in astronomical units, years and solar masses; 1 where masses and distances are pure numbers."""
    return params.gravity * (4 * np.pi**2 if params.system in ("Two bodies", "Inner planets") else 1.0)


def shares(params: NBodyParams) -> Numbers:
    return LEAPFROG if params.method == "Leapfrog" else YOSHIDA


def energy(state: Bodies, params: NBodyParams) -> float:
    return float(sum(energies(state.place, state.speed, state.mass, constant(params), params.softening)))


@lru_cache(maxsize=1)
def sky() -> list[tuple[int, int, int]]:
    """Stars behind everything: where, how bright."""
    rng = np.random.Generator(np.random.PCG64(11))
    return [(int(x), int(y), int(bright)) for x, y, bright in zip(rng.integers(0, 960, 500), rng.integers(0, 960, 500), 40 + 160 * rng.random(500) ** 3, strict=True)]
