"""Heat in a plate, Ekman's spiral, Stommel's boxes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.ekman import Column, Ekman, coriolis
from pipelines.simulation.models.heat import Heat
from pipelines.simulation.models.stommel import Stommel
from studio.api import Numbers, chance
from tests.figures import Figure

FOURIER = "Fourier, Théorie analytique de la chaleur, 1822"
CARSLAW = "Carslaw & Jaeger, Conduction of Heat in Solids, Oxford 1959"
EKMAN = "Ekman, Ark. Mat. Astron. Fys. 2 (1905) No. 11"
STOMMEL = "Stommel, Tellus 13 (1961) 224–230: R=2, δ=1/6, λ=1/5"


def warmed(seconds: float, **values: Any) -> Numbers:
    model = Heat()
    params = model.Params(**values)
    return model.advance(model.init(params, chance(1)), params, chance(1), round(seconds / params.interval)).warm


def sine_left(cells: int) -> float:
    """Share of a sine wave's amplitude after 30 s on copper, 200 mm wide."""
    shape = np.sin(np.pi * (np.arange(cells) + 0.5) / cells)
    shape = shape[:, None] * shape[None, :]
    return float((warmed(30.0, start="Sine wave", cells=cells) * shape).sum() / (100 * (shape**2).sum()))


SINE = float(np.exp(-2 * 117 * (np.pi / 200) ** 2 * 30))


def order() -> float:
    coarse, fine = abs(sine_left(64) - SINE), abs(sine_left(128) - SINE)
    return float(np.log2(coarse / fine))


def slab(fourier: float) -> float:
    """Middle of a slab that was warm all over, its rims cold: the series of Carslaw & Jaeger."""
    return sum(4 / np.pi * (-1) ** m / (2 * m + 1) * np.exp(-((2 * m + 1) ** 2) * np.pi**2 * fourier) for m in range(40))


# Ekman ---------------------------------------------------------------------------------------------


@lru_cache
def blown(days: float, **values: Any) -> tuple[Column, dict[str, float]]:
    model = Ekman()
    params = model.Params(**values)
    state = model.advance(model.init(params, chance(1)), params, chance(1), round(days * 144))
    return state, model.observe(state, params)


def at_depth(part: float) -> complex:
    """Mean current at `part` of Ekman's depth over that at the surface."""
    state, _ = blown(90.0)
    params = Ekman.Params()
    deep = np.pi * np.sqrt(2 * params.viscosity / coriolis(params)) * part
    places = (np.arange(params.layers) + 0.5) * params.depth / params.layers
    surface = state.mean[0] + 0.5 * params.depth / params.layers * params.stress / params.density / params.viscosity
    return complex(np.interp(deep, places, state.mean) / surface)


def swing() -> float:
    """Hours from one passing of the transport along the wind through nought to the second next."""
    model = Ekman()
    params = model.Params(depth=400.0)
    state, seen = model.init(params, chance(1)), [0.0]
    for _ in range(240):
        state = model.advance(state, params, chance(1), 1)
        seen.append(model.observe(state, params)["along"])
    signs = np.flatnonzero(np.diff(np.sign(np.array(seen[1:]))) != 0) + 1
    passings = [(i + seen[i] / (seen[i] - seen[i + 1])) / 6 for i in signs]
    return passings[2] - passings[0]


# Stommel -------------------------------------------------------------------------------------------


def overturning(warmth: float, salt: float, time: float = 200.0) -> float:
    model = Stommel()
    return float(model.observed([model.Params(warmth=warmth, salt=salt)], np.array([time]), [1])[0, 0, 0])


def saddle() -> float:
    """Between two starts that end in different climates: where the way that lies between them lingers."""
    low, high = 0.0, 1.0
    while high - low > 1e-14:
        middle = (low + high) / 2
        low, high = (middle, high) if overturning(0.6, middle) > 0 else (low, middle)
    model = Stommel()
    seen = model.observed([model.Params(warmth=0.6, salt=low)], np.arange(0.0, 40.0, 0.1), [1])[0, :, 0]
    return float(seen[50 + int(np.argmin(np.abs(np.diff(seen[50:200]))))])


FIGURES: tuple[Figure, ...] = (
    Figure("heat", "amplitude of a sine wave after 30 s, exp(−2αk²t)", SINE, 0.005 * SINE, FOURIER, lambda: sine_left(128)),
    Figure("heat", "order of convergence", 2.0, 0.1, "central differences: " + CARSLAW, order),
    Figure("heat", "middle of a quenched plate at αt/L² = 0.05 over its warmth before", slab(0.05) ** 2, 0.005 * slab(0.05) ** 2, CARSLAW, lambda: float(warmed(0.05 * 200**2 / 117, start="All hot")[63:65, 63:65].mean() / 100)),
    Figure("heat", "peak of a spot of 16 mm after 1 s, 1/(1 + 2αt/σ²)", 1 / (1 + 2 * 117 / 256), 0.003, CARSLAW + ": the heat kernel", lambda: float(warmed(1.0, cells=256).max() / 100)),
    Figure("heat", "change of the mean in an insulated plate", 0.0, 1e-10, "conservation of heat", lambda: float(warmed(60.0, start="Hot half", rim="Insulated").mean() - 50)),
    Figure("ekman", "surface current right of the wind, °", 45.0, 0.9, EKMAN, lambda: blown(90.0)[1]["steady_angle"]),
    Figure("ekman", "surface current in the south, °", -45.0, 0.9, EKMAN, lambda: blown(90.0, latitude=-45.0)[1]["steady_angle"]),
    Figure("ekman", "surface current τ/(ρ√(fν)) for 0.1 N/m², 0.01 m²/s at 45°, m/s", 0.0960718, 0.00192, EKMAN, lambda: blown(90.0)[1]["steady"]),
    Figure("ekman", "current at Ekman's depth over that at the surface, e^−π", float(np.exp(-np.pi)), 0.02 * float(np.exp(-np.pi)), EKMAN, lambda: abs(at_depth(1.0))),
    Figure("ekman", "turn at Ekman's depth, °", 180.0, 3.6, EKMAN, lambda: float(abs(np.degrees(np.angle(at_depth(1.0)))))),
    Figure("ekman", "transport at a right angle to the wind, τ/(ρf), m²/s", 0.946046, 0.019, EKMAN, lambda: blown(90.0)[1]["transport"]),
    Figure("ekman", "surface current right of the wind in a sea of a quarter of Ekman's depth, °", 21.5, 0.4, EKMAN + ", table of finite depths", lambda: blown(90.0, depth=10.93725)[1]["steady_angle"]),
    Figure("ekman", "surface current right of the wind in a sea of half Ekman's depth, °", 45.0, 0.9, EKMAN + ", table of finite depths", lambda: blown(90.0, depth=21.8745)[1]["steady_angle"]),
    Figure("ekman", "period of the swings at 45°, half a pendulum day, h", 16.9235, 0.17, "2π/f: Gill, Atmosphere–Ocean Dynamics, 1982", swing),
    Figure("stommel", "overturning driven by cold", 1.06791, 1e-3, STOMMEL + " (1.1 by his graph)", lambda: overturning(1.0, 0.2)),
    Figure("stommel", "overturning driven by salt", -0.21909, 1e-3, STOMMEL + " (0.23 by his graph)", lambda: overturning(0.6, 0.7)),
    Figure("stommel", "unstable overturning between both", 0.30703, 0.003, STOMMEL + " (0.30 by his graph)", saddle),
)
