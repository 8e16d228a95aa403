"""Ecosystems: invariants, periods, bifurcations and classes of patterns."""

from __future__ import annotations

import numpy as np

from pipelines.simulation.models.gray_scott import GrayScott, GrayScottParams
from pipelines.simulation.models.lotka_volterra import LotkaVolterra, LotkaVolterraParams
from pipelines.simulation.models.rosenzweig_macarthur import RosenzweigMacArthur, RosenzweigParams
from pipelines.simulation.models.wolf_sheep import WolfSheep, WolfSheepParams
from studio.simulation import chance
from tests.figures import Figure

VOLTERRA = "Volterra, Nature 118 (1926) 558"
ROSENZWEIG = "Rosenzweig, MacArthur, Am. Nat. 97 (1963) 209; Rosenzweig, Science 171 (1971) 385: K = (e + mh)/(ah(e − mh))"
PEARSON = "Pearson, Science 261 (1993) 189"


def crossings(values: np.ndarray, level: float, dt: float) -> np.ndarray:
    """When the values rise through the level, between two samples by a straight line."""
    up = np.flatnonzero((values[:-1] < level) & (values[1:] >= level))
    return dt * (up + (level - values[up]) / (values[up + 1] - values[up]))


def small_orbit() -> float:
    params = LotkaVolterraParams(prey=4.004, predators=2.75)
    seen = LotkaVolterra().observed([params], np.arange(0, 100, 0.01), [1])[0]
    return float(np.diff(crossings(seen[:, 0], 4.0, 0.01)).mean())


def invariant_drift() -> float:
    seen = LotkaVolterra().observed([LotkaVolterraParams()], np.arange(0, 1000, 0.5), [1])[0, :, 2]
    return float(np.abs(seen - seen[0]).max())


def mean_over_periods(column: int) -> float:
    """Over whole periods: from one rise of the prey through its balance to the last."""
    seen = LotkaVolterra().observed([LotkaVolterraParams()], np.arange(0, 200, 0.01), [1])[0]
    at = crossings(seen[:, 0], 4.0, 0.01)
    first, last = round(at[0] / 0.01), round(at[-1] / 0.01)
    return float(seen[first:last, column].mean())


def hopf() -> float:
    """The capacity at which a small disturbance of the balance neither grows nor dies, by bisection."""

    def grows(capacity: float) -> bool:
        rest = 0.3 / 0.7
        predators = (1 - rest / capacity) * (1 + rest)
        params = RosenzweigParams(capacity=capacity, prey=rest + 1e-4, predators=predators)
        seen = RosenzweigMacArthur().observed([params], np.arange(0, 400, 0.1), [1])[0, :, 0] - rest
        return float(np.abs(seen[3000:]).max()) > float(np.abs(seen[:1000]).max())

    low, high = 1.2, 3.0
    for _ in range(12):
        low, high = (low, (low + high) / 2) if grows((low + high) / 2) else ((low + high) / 2, high)
    return (low + high) / 2


def balance(column: int) -> float:
    return float(RosenzweigMacArthur().observed([RosenzweigParams(capacity=1.5)], np.array([2000.0]), [1])[0, 0, column])


def trough(capacity: float) -> float:
    """The fewest prey of the last quarter."""
    return float(RosenzweigMacArthur().observed([RosenzweigParams(capacity=capacity)], np.arange(300, 400, 0.1), [1])[0, :, 0].min())


def largest_kill(feed: float) -> float:
    """The largest k at which an even state besides u = 1 stays, by bisection on a small dish."""
    model = GrayScott()

    def stays(kill: float) -> bool:
        params = GrayScottParams(feed=feed, kill=kill, size=16, seeds=0, noise=0.0)
        state = model.init(params, chance(1))
        state.u[:], state.v[:] = 0.48, 1.04 * np.sqrt(feed)  # the fold is at u = 1/2, v = √F
        return model.observe(model.advance(state, params, chance(1), 20_000), params)["v"] > 0.05

    low, high = np.sqrt(feed) / 2 - feed - 0.008, np.sqrt(feed) / 2 - feed + 0.008
    for _ in range(8):
        low, high = ((low + high) / 2, high) if stays((low + high) / 2) else (low, (low + high) / 2)
    return float((low + high) / 2)


def fold() -> float:
    """V of the even state where it just exists."""
    model, params, rng = GrayScott(), GrayScottParams(feed=0.04, kill=0.06, size=16, seeds=0, noise=0.0), chance(1)
    state = model.init(params, rng)
    state.u[:], state.v[:] = 0.5, 0.2
    return model.observe(model.advance(state, params, rng, 20), params)["v"]


def dish(feed: float, kill: float, steps: int) -> tuple[np.ndarray, float]:
    """V from Pearson's own seed, and how much it still changes in a hundred steps, on average."""
    model, params, rng = GrayScott(), GrayScottParams(feed=feed, kill=kill, seeds=1), chance(1)
    state = model.advance(model.init(params, rng), params, rng, steps)
    before = state.v.copy()
    return before, float(np.abs(model.advance(state, params, rng, 100).v - before).mean())


def pieces(feed: float, kill: float, steps: int) -> float:
    """How many spots or worms hang together by themselves."""
    from scipy.ndimage import label

    return float(label(dish(feed, kill, steps)[0] > 0.15)[1])


def unrest(feed: float, kill: float, steps: int) -> float:
    """1 if it still changes, 0 if it is at rest."""
    return float(dish(feed, kill, steps)[1] > 0.005)


def coexisting() -> float:
    """In how many of ten runs both species live after 1,000 steps."""
    model, params, lived = WolfSheep(), WolfSheepParams(), 0
    for seed in range(10):
        rng = chance(seed)
        seen = model.observe(model.advance(model.init(params, rng), params, rng, 1000), params)
        lived += seen["sheep"] > 0 and seen["wolves"] > 0
    return float(lived)


def exploding() -> float:
    """Sheep a step more, without wolves and with grass that is always there: births alone."""
    model, params, rng = WolfSheep(), WolfSheepParams(wolves=0, sheep=2000, regrowth=1, size=500), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 20)
    before = len(state.sheep)
    return float((len(model.advance(state, params, rng, 50).sheep) / before) ** (1 / 50))


FIGURES: tuple[Figure, ...] = (
    Figure("lotka_volterra", "Period of small circles, α 1.1, γ 0.4", 9.4723, 1e-3, f"{VOLTERRA}: 2π/√(αγ)", small_orbit),
    Figure("lotka_volterra", "Drift of V in 1,000 years", 0.0, 1e-6, f"{VOLTERRA}: V is constant", invariant_drift),
    Figure("lotka_volterra", "Mean of the prey over whole periods", 4.0, 0.01, f"{VOLTERRA}: γ/δ", lambda: mean_over_periods(0)),
    Figure("lotka_volterra", "Mean of the predators over whole periods", 2.75, 0.01, f"{VOLTERRA}: α/β", lambda: mean_over_periods(1)),
    Figure("rosenzweig_macarthur", "Capacity of the Hopf point", 1.3 / 0.7, 0.01, ROSENZWEIG, hopf),
    Figure("rosenzweig_macarthur", "Prey at rest, K 1.5", 0.3 / 0.7, 1e-6, "Rosenzweig, MacArthur 1963: m/(a(e − mh))", lambda: balance(0)),
    Figure("rosenzweig_macarthur", "Predators at rest, K 1.5", (1 - 0.3 / 0.7 / 1.5) * (1 + 0.3 / 0.7), 1e-6, "Rosenzweig, MacArthur 1963: (r/a)(1 − R/K)(1 + ahR)", lambda: balance(1)),
    Figure("rosenzweig_macarthur", "Enrichment deepens the trough (sign)", -1.0, 0.5, "Rosenzweig, Science 171 (1971) 385", lambda: float(np.sign(trough(3.0) - trough(1.5)))),
    Figure("gray_scott", "V at the fold (F 0.04, k 0.06) after 20 steps", 0.2, 1e-4, f"{PEARSON}: u = 1/2, v = √F at k = √F/2 − F", fold),
    Figure("gray_scott", "Largest kill with an even state, F 0.06", 0.06247, 1e-3, f"{PEARSON}: k = √F/2 − F", lambda: largest_kill(0.06)),
    Figure("gray_scott", "Largest kill with an even state, F 0.08", 0.06142, 1e-3, f"{PEARSON}: k = √F/2 − F", lambda: largest_kill(0.08), slow=True),
    Figure("gray_scott", "F 0.014, k 0.043: waves annihilate, mean of V", 0.0, 1e-3, "Munafo, F140-k430", lambda: float(dish(0.014, 0.043, 10_000)[0].mean())),
    Figure("gray_scott", "Class α (0.010, 0.047): still restless after 10,000 (1 = yes)", 1.0, 0.5, PEARSON, lambda: unrest(0.010, 0.047, 10_000)),
    Figure("gray_scott", "Class μ (0.046, 0.065): worms apart from each other, more than 10 (1 = yes)", 1.0, 0.5, f"{PEARSON}; Munafo, F460-k650", lambda: float(pieces(0.046, 0.065, 15_000) > 10), slow=True),
    Figure("gray_scott", "Class μ (0.046, 0.065): at rest after 15,000 but for what still grows (0 = yes)", 0.0, 0.5, f"{PEARSON}; Munafo, F460-k650", lambda: unrest(0.046, 0.065, 15_000), slow=True),
    Figure("wolf_sheep", "Runs of ten in which both live after 1,000 steps", 10.0, 0.5, "Wilensky 1997: with grass the system is stable", coexisting, slow=True),
    Figure("wolf_sheep", "Growth of sheep without limits, a step", 1.04, 0.004, "Wilensky 1997: births of 4 % alone, without predators and with grass everywhere", exploding),
)
