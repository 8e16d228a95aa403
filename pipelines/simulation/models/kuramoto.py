"""Kuramoto's oscillators: fireflies, pacemaker cells, power plants, each with its own pace, that fall into step (Kuramoto 1975)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.simulation.drawing import INK, canvas, halved, picture_of, ramp
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Params, Picture, Preset, Series, Simulation, Source, ui

INTERVAL = 0.05
SHOWN = 600  # oscillators in the picture


class KuramotoParams(Params):
    coupling: float = Field(
        1.5, ge=0, le=50, title="Coupling K", description="How strongly each is drawn to the others; in step from twice the spread on, if paces are Lorentzian.", json_schema_extra=ui(live=True, step=0.01)
    )
    spread: float = Field(
        0.5, ge=0, le=10, title="Spread of paces γ", description="Half width of the distribution of natural frequencies (standard deviation, if it is Gaussian).", json_schema_extra=ui(unit="rad/s", live=True, step=0.01)
    )
    noise: float = Field(0.0, ge=0, le=10, title="Noise D", description="How much chance shakes every phase.", json_schema_extra=ui(unit="rad²/s", live=True, step=0.01))
    oscillators: int = Field(1000, ge=2, le=20000, title="Oscillators", description="How many there are, each coupled to all.", json_schema_extra=ui())
    paces: Literal["Lorentzian", "Gaussian", "Uniform"] = Field("Lorentzian", title="Distribution of paces", description="Uniform ones fall into step all at once.", json_schema_extra=ui(advanced=True, live=True))
    pace: float = Field(1.0, ge=-20, le=20, title="Mean pace", description="With which the whole goes round.", json_schema_extra=ui(unit="rad/s", advanced=True, live=True, step=0.1))


@dataclass
class Oscillators:
    """Phases (n,) in radians; natural frequencies (n,), rising; how well they were in step in the past."""

    phase: Numbers
    own: Numbers
    time: float = 0.0
    past: list[float] = field(default_factory=list)


@compiled
def mean_field(phase):  # type: ignore[no-untyped-def]
    """Mean of exp(i phase): real and imaginary part."""
    c, s = 0.0, 0.0
    for i in range(phase.shape[0]):
        c += np.cos(phase[i])
        s += np.sin(phase[i])
    return c / phase.shape[0], s / phase.shape[0]


@compiled
def pull_together(phase, own, coupling, noise, dt, steps, rng):  # type: ignore[no-untyped-def]
    """Heun's method (of Stratonovich and Itô alike here, as the noise is the same everywhere)."""
    n = phase.shape[0]
    first, guess, kick = np.empty(n), np.empty(n), np.zeros(n)
    size = (2.0 * noise * dt) ** 0.5
    for _step in range(steps):
        c, s = mean_field(phase)
        for i in range(n):
            first[i] = own[i] + coupling * (s * np.cos(phase[i]) - c * np.sin(phase[i]))
            if noise > 0:
                kick[i] = size * rng.standard_normal()
            guess[i] = phase[i] + dt * first[i] + kick[i]
        c, s = mean_field(guess)
        for i in range(n):
            second = own[i] + coupling * (s * np.cos(guess[i]) - c * np.sin(guess[i]))
            phase[i] = (phase[i] + 0.5 * dt * (first[i] + second) + (kick[i] if noise > 0 else 0.0)) % (2.0 * np.pi)


class Kuramoto(Simulation):
    """dθ_i = (ω_i + K r sin(ψ − θ_i)) dt + √(2D) dW_i with r e^{iψ} the mean of e^{iθ}; ω at the quantiles of their distribution.

    Sources: Y. Kuramoto, Lect. Notes Phys. 39 (1975) 420–422; S. H. Strogatz, From Kuramoto to Crawford, Physica D 143 (2000) 1–20.
    """

    id: ClassVar[str] = "kuramoto"
    title: ClassVar[str] = "Falling into step (Kuramoto)"
    domain: ClassVar[str] = "Synchronisation"
    about: ClassVar[str] = (
        "Every dot runs around the circle at its own pace and is drawn a little towards the crowd. Below a certain coupling nothing comes of it; just above, some fall into step, and then more the more there are. "
        "The bar from the centre shows how many, and a click throws those nearby out of step."
    )
    Params: ClassVar[type[Params]] = KuramotoParams
    series: ClassVar[tuple[Series, ...]] = (Series("order", "Order r"), Series("locked", "Share in step"), Series("phase", "Mean phase", "rad"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("In step", {}, "Coupling half as strong again as needed."),
        Preset("Every one for itself", {"coupling": 0.8}, "Below the threshold."),
        Preset("At the threshold", {"coupling": 1.0}, "Order comes and goes."),
        Preset("All at once", {"coupling": 0.7, "paces": "Uniform"}, "Equally spread paces: order jumps."),
        Preset("Shaken", {"spread": 0.0, "noise": 0.5, "coupling": 2.0}, "Same pace for all, but chance shakes them."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("Y. Kuramoto, Self-entrainment of a population of coupled non-linear oscillators, Lect. Notes Phys. 39 (1975) 420–422"),
        Source("S. H. Strogatz, From Kuramoto to Crawford: exploring the onset of synchronization in populations of coupled oscillators, Physica D 143 (2000) 1–20", "https://doi.org/10.1016/S0167-2789(00)00094-4"),
        Source("D. Pazó, Thermodynamic limit of the first-order phase transition in the Kuramoto model, Phys. Rev. E 72 (2005) 046211", "https://doi.org/10.1103/PhysRevE.72.046211"),
    )
    duration: ClassVar[float] = 60.0
    pace: ClassVar[float] = 20.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def time_step(self, params: KuramotoParams) -> float:
        return INTERVAL

    def init(self, params: KuramotoParams, rng: np.random.Generator) -> Oscillators:
        return Oscillators(rng.random(params.oscillators) * 2 * np.pi, frequencies(params))

    def changed(self, state: Oscillators, before: KuramotoParams, params: KuramotoParams, rng: np.random.Generator) -> Oscillators:
        return replace(state, own=frequencies(params))

    def step(self, state: Oscillators, params: KuramotoParams, rng: np.random.Generator) -> Oscillators:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Oscillators, params: KuramotoParams, rng: np.random.Generator, steps: int) -> Oscillators:
        pull_together(state.phase, state.own, params.coupling, params.noise, INTERVAL, steps, rng)
        state.time += steps * INTERVAL
        state.past.append(float(np.hypot(*mean_field(state.phase))))
        del state.past[:-300]
        return state

    def observe(self, state: Oscillators, params: KuramotoParams) -> dict[str, float]:
        c, s = mean_field(state.phase)
        order = float(np.hypot(c, s))
        return {"order": order, "locked": float((np.abs(state.own - params.pace) <= params.coupling * order).mean()), "phase": float(np.arctan2(s, c) % (2 * np.pi))}

    def poke(self, state: Oscillators, params: KuramotoParams, x: float, y: float, rng: np.random.Generator) -> Oscillators:
        """Phases within an eighth of the circle around the click become random."""
        at = np.arctan2(0.5 - y, x - 0.5)
        near = np.abs((state.phase - at + np.pi) % (2 * np.pi) - np.pi) < np.pi / 4
        return replace(state, phase=np.where(near, rng.random(state.phase.size) * 2 * np.pi, state.phase), past=list(state.past))

    def pack(self, state: Oscillators) -> Numbers:
        return np.concatenate([np.cos(state.phase), np.sin(state.phase)])

    def unpack(self, state: Oscillators, vector: Numbers) -> Oscillators:
        """Phases are corrected as points of the plane: an angle has no mean of its own."""
        c, s = np.asarray(vector, dtype=np.float64).reshape(2, -1)
        return replace(state, phase=np.arctan2(s, c) % (2 * np.pi), past=list(state.past))

    def render(self, state: Oscillators, params: KuramotoParams) -> Picture:
        """Slow ones inside and blue, quick ones outside and red; the bar from the centre is the order."""
        image, draw = canvas(960, 960)
        draw.ellipse((60, 60, 900, 900), outline=(48, 52, 62), width=3)
        number = np.unique(np.linspace(0, state.phase.size - 1, min(SHOWN, state.phase.size)).round().astype(int))
        rank = number / max(state.phase.size - 1, 1)
        radius, table = 260 + 150 * rank, ramp("balance")
        for angle, far, place in zip(state.phase[number], radius, rank, strict=True):
            x, y = 480 + far * np.cos(angle), 480 - far * np.sin(angle)
            draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=tuple(int(value) for value in table[int(255 * place)]))
        c, s = mean_field(state.phase)
        draw.line((480, 480, 480 + 240 * c, 480 - 240 * s), fill=INK, width=10)
        draw.ellipse((472 + 240 * c, 472 - 240 * s, 488 + 240 * c, 488 - 240 * s), fill=INK)
        draw.ellipse((240, 240, 720, 720), outline=(70, 74, 84), width=2)
        if len(state.past) > 1:
            across = np.linspace(60, 900, len(state.past))
            draw.line([(float(a), 945 - 60 * value) for a, value in zip(across, state.past, strict=True)], fill=(244, 162, 97), width=4, joint="curve")
        return picture_of(halved(image))


def frequencies(params: KuramotoParams) -> Numbers:
    """At the middles of n equal shares of their distribution (n,), rising, in rad/s."""
    share = (np.arange(params.oscillators) + 0.5) / params.oscillators
    if params.paces == "Lorentzian":
        return params.pace + params.spread * np.tan(np.pi * (share - 0.5))
    if params.paces == "Uniform":
        return params.pace + params.spread * (2 * share - 1)
    from statistics import NormalDist

    return params.pace + params.spread * np.array([NormalDist().inv_cdf(float(value)) for value in share])
