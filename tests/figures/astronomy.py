"""Bodies under gravity."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.simulation.models.n_body import NBody, constant
from studio.api import Numbers, chance
from tests.figures import Figure

KEPLER = "Kepler's third law, T = 2π√(a³/GM)"
NASA = "NASA planetary fact sheets (sidereal orbit)"
EIGHT = "Chenciner & Montgomery, Ann. Math. 152 (2000) 881–901; period by Simó 2002"


@lru_cache
def watched(time: float, looks: int, **values: Any) -> tuple[Numbers, Numbers, Numbers]:
    """Places (looks + 1, n, 3), speeds, and series energy_error (looks + 1,)."""
    model = NBody()
    params = model.Params(**values)
    state, steps = model.init(params, chance(1)), round(time / params.interval / looks)
    places, speeds, errors = [state.place.copy()], [state.speed.copy()], [0.0]
    for _ in range(looks):
        state = model.advance(state, params, chance(1), steps)
        places.append(state.place.copy())
        speeds.append(state.speed.copy())
        errors.append(model.observe(state, params)["energy_error"])
    return np.array(places), np.array(speeds), np.array(errors)


def period(body: int, turns: int, about: float, **values: Any) -> float:
    """Mean time of a turn around the first body, by the angle at the looks."""
    every = 4 * NBody.Params(**values).interval
    looks = round(1.05 * about * turns / every)
    places, _, _ = watched(looks * every, looks, **values)
    apart = places[:, body] - places[:, 0]
    angle = np.unwrap(np.arctan2(apart[:, 1], apart[:, 0]))
    gone = np.abs(angle - angle[0])
    assert gone[-1] > 2 * np.pi * turns
    return float(np.interp(2 * np.pi * turns, gone, np.arange(looks + 1) * every)) / turns


def days(planet: int, about: float, turns: int) -> float:
    return 365.25 * period(planet, turns, about, system="Inner planets", interval=0.0005)


def eight() -> float:
    """Time after which the three are nearest to where they started."""
    every = 0.001
    places, _, _ = watched(6.4, 6400, interval=every, method="Yoshida")
    gaps = np.linalg.norm(places[6000:] - places[0], axis=(1, 2))
    nearest = int(np.argmin(gaps))
    a, b, c = gaps[nearest - 1] ** 2, gaps[nearest] ** 2, gaps[nearest + 1] ** 2
    return (6000 + nearest + 0.5 * (a - c) / (a - 2 * b + c)) * every


@lru_cache
def pythagorean() -> tuple[float, int]:
    """When two were closest in the first twenty units of time; which one of the three leaves."""
    values: dict[str, Any] = {"system": "Three at rest", "method": "Yoshida", "closeness": 0.002, "interval": 0.001}
    places, _, _ = watched(20.0, 20000, **values)
    gaps = np.min([np.linalg.norm(places[:, a] - places[:, b], axis=1) for a, b in ((0, 1), (0, 2), (1, 2))], axis=0)
    late, _, _ = watched(80.0, 80, **values)
    return float(np.argmin(gaps)) * 0.001, int(np.argmax(np.linalg.norm(late[-1], axis=1)))


@lru_cache
def ages() -> Numbers:
    """Errors of energy over 1000 turns of 1000 steps of a leapfrog at e = 0.6."""
    return watched(1000.0, 40000, system="Two bodies", interval=0.001)[2]


def angular_momentum() -> float:
    places, speeds, _ = watched(1000.0, 40000, system="Two bodies", interval=0.001)
    turn = places[:, 1, 0] * speeds[:, 1, 1] - places[:, 1, 1] * speeds[:, 1, 0]
    return float(np.max(np.abs(turn / turn[0] - 1)))


def order(method: str) -> float:
    """By halving the step over one turn at e = 0.3."""
    ends = [watched(1.0, 1, system="Two bodies", companion=0.0, eccentricity=0.3, method=method, interval=interval)[0][-1, 1] for interval in (0.002, 0.001)]
    first = watched(1.0, 1, system="Two bodies", companion=0.0, eccentricity=0.3, method=method, interval=0.002)[0][0, 1]
    return float(np.log2(np.linalg.norm(ends[0] - first) / np.linalg.norm(ends[1] - first)))


@lru_cache
def plummer() -> tuple[float, float]:
    """Median distance from the centre; twice the kinetic over minus the potential energy: of ten large clusters as they start."""
    from pipelines.simulation.models.n_body import energies

    model = NBody()
    params = model.Params(system="Star cluster", bodies=500)
    states = [model.init(params, chance(seed)) for seed in range(10)]
    both = [energies(state.place, state.speed, state.mass, constant(params), 0.0) for state in states]
    return float(np.mean([np.median(np.linalg.norm(state.place, axis=1)) for state in states])), float(np.mean([-2 * kinetic / potential for kinetic, potential in both]))


FIGURES: tuple[Figure, ...] = (
    Figure("n_body", "period of an ellipse, a=1, e=0.6, light companion", 1.0, 1e-3, KEPLER, lambda: period(1, 5, 1.0, system="Two bodies", companion=0.0, interval=0.0005)),
    Figure("n_body", "period of a double star of masses 1 and 0.5, e=0.4", float(1 / np.sqrt(1.5)), 1e-3, KEPLER, lambda: period(1, 5, 0.8165, system="Two bodies", companion=0.5, eccentricity=0.4, interval=0.0005)),
    Figure("n_body", "largest error of energy in 1000 turns of 1000 steps, e=0.6, leapfrog", 0.0, 1e-4, "bounded for a symplectic method: Hairer, Lubich & Wanner, Acta Numerica 12 (2003) 399–450", lambda: float(np.max(np.abs(ages()))), slow=True),
    Figure("n_body", "drift of energy between the first and the last ten of 1000 turns", 0.0, 1e-6, "no secular drift: Hairer, Lubich & Wanner 2003", lambda: float(abs(ages()[-400:].mean() - ages()[:400].mean())), slow=True),
    Figure("n_body", "change of angular momentum in 1000 turns", 0.0, 1e-11, "kept exactly by leapfrog: Hairer, Lubich & Wanner 2003", angular_momentum, slow=True),
    Figure("n_body", "order of the leapfrog", 2.0, 0.05, "Verlet, Phys. Rev. 159 (1967) 98", lambda: order("Leapfrog")),
    Figure("n_body", "order of Yoshida's method", 4.0, 0.1, "Yoshida, Phys. Lett. A 150 (1990) 262–268", lambda: order("Yoshida")),
    Figure("n_body", "period of the figure eight", 6.32591, 1e-4, EIGHT, eight),
    Figure("n_body", "year of Mercury, days", 87.969, 0.02, NASA, lambda: days(1, 0.2409, 20)),
    Figure("n_body", "year of Venus, days", 224.701, 0.03, NASA, lambda: days(2, 0.6152, 10)),
    Figure("n_body", "year of the Earth, days", 365.256, 0.05, NASA, lambda: days(3, 1.0, 6)),
    Figure("n_body", "year of Mars, days", 686.980, 0.3, NASA, lambda: days(4, 1.8809, 4)),
    Figure("n_body", "Pythagorean three: time of the closest approach", 15.830, 0.005, "Szebehely & Peters, Astron. J. 72 (1967) 876–883", lambda: pythagorean()[0]),
    Figure("n_body", "Pythagorean three: number of the one that leaves (0 is mass 3)", 0, 0.5, "Szebehely & Peters, Astron. J. 72 (1967) 876–883", lambda: pythagorean()[1]),
    Figure("n_body", "Plummer sphere: radius of half its mass", 1.3048, 0.06, "Aarseth, Hénon & Wielen, Astron. Astrophys. 37 (1974) 183–187: 1/√(2^⅔ − 1), three standard errors of 5000 stars", lambda: plummer()[0]),
    Figure("n_body", "Plummer sphere: twice the kinetic over minus the potential energy", 1.0, 0.05, "virial theorem, three standard errors of 5000 stars", lambda: plummer()[1]),
)
