"""Published figures of models that are typed as text: what the examples give against theory and the gallery's own models."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from pipelines.simulation.models.lorenz63 import Lorenz63
from pipelines.simulation.models.lotka_volterra import LotkaVolterra
from pipelines.simulation.own import read_model
from studio.api import Numbers, Simulation, seeds_of
from tabs.simulation_own_examples import EXAMPLES
from tests.figures import Figure


def example(title: str, **changes: Any) -> Simulation:
    return read_model(json.dumps(next(one for one in EXAMPLES if one["title"] == title) | changes))


def path(model: Simulation, times: Numbers, values: dict[str, Any] | None = None, seed: int = 0) -> Numbers:
    return model.observed([model.Params.parse(values or {})], times, [seed])[0]


def lorenz_difference() -> float:
    times = np.linspace(0, 50, 501)
    return float(np.abs(path(example("Lorenz attractor"), times) - path(Lorenz63(), times)).max())


def lotka_volterra_difference() -> float:
    times = np.linspace(0, 60, 601)
    return float(np.abs(path(example("Predators and prey"), times) - path(LotkaVolterra(), times)[:, :2]).max())


def brusselator_difference() -> float:
    """Against an integrator of eighth order with its own steps."""
    from scipy.integrate import solve_ivp

    times = np.linspace(0, 20, 201)
    exact = solve_ivp(lambda t, y: [1 + y[0] ** 2 * y[1] - 4 * y[0], 3 * y[0] - y[0] ** 2 * y[1]], (0, 20), [1, 1], "DOP853", times, rtol=1e-12, atol=1e-12)
    return float(np.abs(path(example("Brusselator", dt=0.0025), times) - exact.y.T).max())


def final_size() -> float:
    """Of an epidemic with R0 = 2, from one case in a million."""
    model = example("Epidemic", text=next(one for one in EXAMPLES if one["title"] == "Epidemic")["text"].replace("N = 1000 [10, 100000]", "N = 1000000 [10, 1000000]"))
    return float(path(model, np.array([0.0, 600.0]), {"beta": 0.5, "gamma": 0.25})[-1, 2] / 1e6)


def small_orbit_period() -> float:
    times = np.arange(0, 60.005, 0.01)
    prey = path(example("Predators and prey"), times, {"prey0": 4.02, "predators0": 2.75})[:, 0] - 4.0
    up = np.flatnonzero((prey[:-1] < 0) & (prey[1:] >= 0))
    crossings = times[up] - prey[up] * 0.01 / (prey[up + 1] - prey[up])
    return float(np.diff(crossings).mean())


def lotka_volterra_mean() -> float:
    """Of the predators over whole periods: α/β (Volterra 1926)."""
    times = np.arange(0, 60.005, 0.01)
    both = path(example("Predators and prey"), times)
    up = np.flatnonzero((both[:-1, 0] < 4.0) & (both[1:, 0] >= 4.0))
    return float(both[up[0] : up[-1], 1].mean())


def brusselator_period() -> float:
    """Close to where it begins to swing (a = 1, b = 2.02) the period is 2π/a."""
    times = np.arange(0, 800.005, 0.01)
    x = path(example("Brusselator", duration=800), times, {"b": 2.002, "x0": 1.02, "y0": 2.0})[40000:, 0] - 1.0
    up = np.flatnonzero((x[:-1] < 0) & (x[1:] >= 0))
    return float(np.diff(up).mean() * 0.01)


def logistic_lyapunov() -> float:
    """At r = 4: ln 2."""
    x = path(example("Logistic map", text="x' = r*x*(1 - x)\nr = 4 [0, 4]\nx(0) = 0.2 [0, 1]"), np.arange(20_000.0))[:, 0]
    return float(np.log(np.abs(4 * (1 - 2 * x[1:])) + 1e-300).mean())


def ornstein_spread() -> float:
    """Variance at rest: σ²/2θ."""
    model = example("Pulled noise")
    times = np.arange(5.0, 400.0, 1.0)
    return float(np.var([path(model, times, seed=seed)[:, 0] for seed in seeds_of(1, 30)]))


def rumour_share() -> float:
    """Of those who never hear a rumour, from few spreaders among many."""
    text = next(one for one in EXAMPLES if one["title"] == "Rumour")["text"].replace("agents 1000", "agents 1000000").replace("0.01", "0.0001")
    return float(path(example("Rumour", text=text, dt=0.005), np.array([0.0, 60.0]))[-1, 0] / 1e6)


def glider_steps() -> float:
    """After how many steps a glider is itself again, one cell on along the diagonal."""
    from pipelines.simulation.own.automata import Grid

    model: Any = example("Game of Life", size=16)
    cells = np.zeros((16, 16), dtype=np.uint8)
    cells[[1, 2, 3, 3, 3], [2, 3, 1, 2, 3]] = 1
    state, wanted = Grid(cells), np.roll(cells, (1, 1), axis=(0, 1))
    rng = np.random.default_rng(0)
    for step in range(1, 20):
        state = model.step(state, model.Params(), rng)
        if np.array_equal(state.cells, wanted):
            return float(step)
    return math.nan


def rule_30_width() -> float:
    """Black cells in row 15 of rule 30 from one black cell (OEIS A070952: 1, 3, 3, 6, 4, 9, 5, 12, 7, 12, 11, 14, 12, 19, 13, 22)."""
    model: Any = example("Rule 110", text="rule 30", size=64)
    rng = np.random.default_rng(0)
    state = model.init(model.Params(), rng)
    for _ in range(15):
        state = model.step(state, model.Params(), rng)
    return float(state.cells.sum())


def heat_decay() -> float:
    """Amplitude of a wave across 64 cells after time 50: exp(−D·4 sin²(k/2)·t) on the grid."""
    model: Any = example("Spots and stripes", text="du/dt = D*laplace(u)\nD = 1\nu(0) = sin(2*pi*x/width)", dt=0.2, size=64)
    return float(path(model, np.array([0.0, 50.0]))[-1, 1] * math.sqrt(2))


LV = "V. Volterra, Mem. Accad. Lincei 2 (1926) 31–113"
FIGURES: tuple[Figure, ...] = (
    Figure("own", "typed Lorenz against the gallery's, 50 time units, largest difference", 0.0, 1e-6, "the same equations and steps", lorenz_difference),
    Figure("own", "typed Lotka–Volterra against the gallery's, 60 time units, largest difference", 0.0, 1e-6, "the same equations and steps", lotka_volterra_difference),
    Figure("own", "typed Brusselator against an integrator of eighth order, 20 time units, largest difference", 0.0, 1e-6, "Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I (DOP853)", brusselator_difference),
    Figure("own", "typed SIR: final size at R0 = 2", 0.796812, 1e-4, "Kermack & McKendrick, Proc. R. Soc. A 115 (1927) 700–721", final_size),
    Figure("own", "typed Lotka–Volterra: small-orbit period at α = 1.1, γ = 0.4", 9.4723, 2e-3, LV, small_orbit_period),
    Figure("own", "typed Lotka–Volterra: mean of the predators, α/β", 2.75, 0.01, LV, lotka_volterra_mean),
    Figure("own", "typed Brusselator: period at its onset, 2π/a", 2 * math.pi, 0.02, "Prigogine & Lefever, J. Chem. Phys. 48 (1968) 1695–1700", brusselator_period),
    Figure("own", "typed logistic map: Lyapunov exponent at r = 4, ln 2", math.log(2), 0.01, "R. M. May, Nature 261 (1976) 459–467", logistic_lyapunov),
    Figure("own", "typed Ornstein–Uhlenbeck: variance at rest, σ²/2θ", 0.125, 0.006, "Uhlenbeck & Ornstein, Phys. Rev. 36 (1930) 823–841", ornstein_spread),
    Figure("own", "typed rumour: share that never hears it", 0.2032, 0.003, "Daley & Kendall, J. Inst. Math. Appl. 1 (1965) 42–55", rumour_share),
    Figure("own", "typed Life: period of a glider", 4.0, 0.0, "M. Gardner, Sci. Am. 223 (1970) 120–123", glider_steps),
    Figure("own", "typed rule 30: black cells in row 15", 22.0, 0.0, "S. Wolfram, Rev. Mod. Phys. 55 (1983) 601–644; OEIS A070952", rule_30_width),
    Figure("own", "typed heat equation: amplitude after time 50", math.exp(-4 * math.sin(math.pi / 64) ** 2 * 50), 1e-6, "von Neumann's analysis of the five-point stencil", heat_decay),
)
