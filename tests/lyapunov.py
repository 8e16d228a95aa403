"""Lyapunov exponents of a model that is run by its own steps, by repeated orthonormalisation of small differences (Benettin et al., Meccanica 15 (1980) 9–30)."""

from __future__ import annotations

from typing import Any

import numpy as np

from studio.api import Numbers, Simulation, chance

APART = 1e-7  # length of the differences that are followed


def exponents(model: Simulation, params: Any, count: int, *, settle: float, measure: float, between: int = 10) -> Numbers:
    """The `count` largest, per unit of time; `settle` is run before `measure` begins. States are packed vectors."""
    rng, dt = chance(1), model.time_step(params)
    state = model.advance(model.init(params, rng), params, rng, round(settle / dt))
    axes = np.linalg.qr(chance(2).normal(size=(model.pack(state).size, count)))[0]
    grown, rounds = np.zeros(count), round(measure / dt / between)
    for _ in range(rounds):
        vector = model.pack(state)
        others = [model.advance(model.unpack(state, vector + APART * axes[:, number]), params, rng, between) for number in range(count)]
        state = model.advance(state, params, rng, between)
        axes, stretched = np.linalg.qr(np.stack([(model.pack(other) - model.pack(state)) / APART for other in others], axis=1))
        grown += np.log(np.abs(np.diag(stretched)))
    return grown / (rounds * between * dt)


def kaplan_yorke(spectrum: Numbers) -> float:
    """The dimension that a whole spectrum, largest first, gives."""
    sums = np.cumsum(spectrum)
    whole = int(np.flatnonzero(sums >= 0)[-1])
    return whole + 1 + float(sums[whole] / abs(spectrum[whole + 1]))
