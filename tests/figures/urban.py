"""Towns and woods: segregation, fractal dimension, thresholds."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.models.forest_fire import ForestFire, ForestFireParams
from pipelines.simulation.models.percolation import Percolation, PercolationParams
from pipelines.simulation.models.schelling import Schelling, SchellingParams
from pipelines.simulation.models.urban_growth import UrbanGrowth, UrbanGrowthParams
from studio.simulation import chance
from tests.figures import Figure

NETLOGO = "Wilensky, NetLogo Segregation (1997), info tab: with 30 % wanted they end up with on average 70 % and more, all content"


def town(series: str, rounds: int = 100) -> float:
    """Mean of ten towns of NetLogo's size and density."""
    model, params, found = Schelling(), SchellingParams(), []
    for seed in range(10):
        rng = chance(seed)
        found.append(model.observe(model.advance(model.init(params, rng), params, rng, rounds), params)[series])
    return float(np.mean(found))


def dimension() -> float:
    """Slope of log houses over log radius of gyration, mean of eight towns from 500 to 10,000 houses."""
    model, params, slopes = UrbanGrowth(), UrbanGrowthParams(size=701, newcomers=100), []
    for seed in range(8):
        rng = chance(seed)
        state, seen = model.init(params, rng), []
        for _ in range(20):
            state = model.advance(state, params, rng, 5)
            seen.append([np.log(state.houses), np.log(model.observe(state, params)["radius"])])
        houses, radius = np.array(seen).T
        slopes.append(np.polyfit(radius, houses, 1)[0])
    return float(np.mean(slopes))


def through(density: float, size: int, runs: int) -> float:
    """Share of woods that burn through."""
    model, params = Percolation(), PercolationParams(density=density, size=size)
    count = 0
    for seed in range(runs):
        rng = chance(seed)
        state = model.init(params, rng)
        while len(state.front):
            state = model.step(state, params, rng)
        count += state.reached == size - 1
    return count / runs


def threshold() -> float:
    """The density at which half of the woods burn through, by a straight line through four densities."""
    densities = np.array([0.585, 0.590, 0.595, 0.600])
    slope, start = np.polyfit(densities, [through(density, 512, 100) for density in densities], 1)
    return float((0.5 - start) / slope)


def cover(ratio: float) -> float:
    """Mean share of trees once the wood is in balance."""
    model, params, rng = ForestFire(), ForestFireParams(growth=0.002, ratio=ratio, size=512), chance(1)
    state, seen = model.advance(model.init(params, rng), params, rng, 5000), []
    for _ in range(300):
        state = model.advance(state, params, rng, 50)
        seen.append(model.observe(state, params)["cover"] / 100)
    return float(np.mean(seen))


def fire_size(ratio: float) -> float:
    """Trees lost in a fire, on average, once the wood is in balance."""
    model, params, rng = ForestFire(), ForestFireParams(growth=0.002, ratio=ratio, size=512), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 5000)
    lost, fires = state.lost, state.fires
    state = model.advance(state, params, rng, 15_000)
    return (state.lost - lost) / (state.fires - fires)


FIGURES: tuple[Figure, ...] = (
    Figure("schelling", "Similar neighbours at the start (%)", 50.0, 1.0, NETLOGO, lambda: town("similar", 0)),
    Figure("schelling", "Similar neighbours at the end, 30 % wanted (%)", 72.5, 3.5, NETLOGO, lambda: town("similar")),
    Figure("schelling", "Unhappy at the end, 30 % wanted (%)", 0.0, 0.5, NETLOGO, lambda: town("unhappy")),
    Figure("urban_growth", "Fractal dimension", 1.71, 0.05, "Meakin, Phys. Rev. Lett. 51 (1983) 1119; Batty, Longley, Fotheringham, Environ. Plan. A 21 (1989) 1447", dimension, slow=True),
    Figure("percolation", "Threshold of site percolation", 0.592746, 0.005, "Ziff, Phys. Rev. Lett. 69 (1992) 2670", threshold, slow=True),
    Figure("percolation", "Share that burns through at the threshold", 0.5, 0.075, "Cardy, J. Phys. A 25 (1992) L201: crossing probability of a square is 1/2", lambda: through(0.592746, 256, 400), slow=True),
    Figure("forest_fire", "Share of trees, p/f 2,000", 0.408, 0.015, "Clar, Drossel, Schwabl, Phys. Rev. E 50 (1994) 1009: ρ = 0.408 for p/f → ∞", lambda: cover(2000), slow=True),
    Figure("forest_fire", "Trees lost in a fire for one grown at 1 − ρ, p/f 200", 200 * (1 - 0.39) / 0.39, 20.0, "Drossel, Schwabl, Phys. Rev. Lett. 69 (1992) 1629: s = (p/f)(1 − ρ)/ρ, with ρ = 0.39", lambda: fire_size(200)),
)
