"""Kuramoto's oscillators."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulation.models.kuramoto import Kuramoto
from studio.api import chance
from tests.figures import Figure

KURAMOTO = "Kuramoto, Chemical Oscillations, Waves, and Turbulence, Springer 1984: r = √(1 − K_c/K), K_c = 2γ"
TOLERANCE = 0.03  # a few 1/√N at N = 5000


def order(first: float | None = None, settle: float = 60.0, **values: Any) -> float:
    """Mean order of 5000 over 30 s; `first` is a coupling under which they run before."""
    model, rng = Kuramoto(), chance(1)
    params = model.Params(oscillators=5000, **values)
    before = params.model_copy(update={"coupling": first if first is not None else params.coupling})
    state = model.init(before, rng)
    if first is not None:
        state = model.advance(state, before, rng, 600)
        state = model.changed(state, before, params, rng)
    state = model.advance(state, params, rng, round(settle / 0.05))
    seen = []
    for _ in range(60):
        state = model.advance(state, params, rng, 10)
        seen.append(model.observe(state, params)["order"])
    return float(np.mean(seen))


FIGURES: tuple[Figure, ...] = (
    Figure("kuramoto", "order at twice the critical coupling, Lorentzian, N=5000", 0.707107, TOLERANCE, KURAMOTO, lambda: order(coupling=2.0)),
    Figure("kuramoto", "order at 1.5 times the critical coupling", 0.577350, TOLERANCE, KURAMOTO, lambda: order(coupling=1.5)),
    Figure("kuramoto", "order at 4 times the critical coupling", 0.866025, TOLERANCE, KURAMOTO, lambda: order(coupling=4.0)),
    Figure("kuramoto", "order at 0.8 times the critical coupling", 0.0, TOLERANCE, KURAMOTO, lambda: order(coupling=0.8, first=4.0)),
    Figure("kuramoto", "order for Gaussian paces at K = 2σ, r = K r ∫ cos²θ g(K r sin θ) dθ", 0.715174, TOLERANCE, "Strogatz, Physica D 143 (2000) 1–20", lambda: order(coupling=2.0, spread=1.0, paces="Gaussian")),
    Figure("kuramoto", "order for uniform paces just above K = 4γ/π, by the equation of the locked state", 0.823351, TOLERANCE, "Pazó, Phys. Rev. E 72 (2005) 046211", lambda: order(coupling=1.02 * 2 / np.pi, first=2.0, paces="Uniform"), slow=True),
    Figure("kuramoto", "order for uniform paces below K = 4γ/π: it jumps from π/4 to none", 0.0, 0.05, "Pazó, Phys. Rev. E 72 (2005) 046211", lambda: order(coupling=0.9 * 2 / np.pi, first=2.0, settle=200.0, paces="Uniform"), slow=True),
    Figure("kuramoto", "order under noise at K = 4D, r = I₁(Kr/D)/I₀(Kr/D)", 0.831462, TOLERANCE, "Sakaguchi, Prog. Theor. Phys. 79 (1988) 39–46", lambda: order(coupling=2.0, spread=0.0, noise=0.5)),
)
