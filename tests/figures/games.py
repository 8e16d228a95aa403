"""Game worlds: patterns of Life, caves, rivers."""

from __future__ import annotations

from math import comb

import numpy as np

from pipelines.simulation.models.dungeon import Dungeon, DungeonParams
from pipelines.simulation.models.life import Board, Life, LifeParams
from pipelines.simulation.models.terrain import CELL, Terrain, TerrainParams
from studio.simulation import chance
from tests.figures import Figure

LIFE = "Johnston, Greene, Conway's Game of Life (2022); Gardner, Sci. Am. 223 (1970) 120"
JOHNSON = "Johnson, Yannakakis, Togelius, PCGames (2010): rock where at least 5 of 9 are, from half rock"
WHIPPLE = "Whipple, Tucker, J. Geophys. Res. 104 (1999) 17661: S = (U/K)^(1/n) A^(−m/n)"


def board(generations: int, **values: object) -> tuple[Board, LifeParams]:
    model, params, rng = Life(), LifeParams.parse(values), chance(1)
    return model.advance(model.init(params, rng), params, rng, generations), params


def alive(generations: int, **values: object) -> float:
    state, params = board(generations, **values)
    return Life().observe(state, params)["alive"]


def settled(last: int, **values: object) -> float:
    """The first generation from which on the number of living cells repeats every two generations, up to `last`."""
    model, params, rng = Life(), LifeParams.parse(values), chance(1)
    state, seen = model.init(params, rng), []
    for _ in range(last + 1):
        seen.append(int(np.count_nonzero(state.cells[1:-1, 1:-1])))
        state = model.step(state, params, rng)
    counts = np.array(seen)
    differ = np.flatnonzero(counts[2:] != counts[:-2])
    return float(differ[-1] + 1)


def glider_way() -> float:
    """Cells down in four generations."""
    before, _ = board(0, start="Glider", size=32)
    after, _ = board(4, start="Glider", size=32)
    return float(np.array_equal(np.roll(before.cells[1:-1, 1:-1], (1, 1), (0, 1)), after.cells[1:-1, 1:-1]))


def period(start: str, rule: str = "B3/S23", most: int = 60, size: int = 64) -> float:
    """After how many generations the pattern is there again at its place, 0 if it isn't."""
    model, params, rng = Life(), LifeParams.parse({"start": start, "rule": rule, "size": size}), chance(1)
    state = model.init(params, rng)
    first = state.cells[1:-1, 1:-1].copy()
    for generation in range(1, most + 1):
        state = model.step(state, params, rng)
        if np.array_equal(state.cells[1:-1, 1:-1], first):
            return float(generation)
    return 0.0


def gun_gain() -> float:
    """Living cells more after 30 generations: one glider."""
    return alive(150, start="Gosper's gun", size=256) - alive(120, start="Gosper's gun", size=256)


def rock_after_one(rock: float) -> float:
    model, params, rng = Dungeon(), DungeonParams(rock=rock, size=400, passes=1), chance(1)
    return model.observe(model.step(model.init(params, rng), params, rng), params)["rock"]


def most_caves() -> float:
    """The most caves that are apart in the end, over twenty maps."""
    model, params, worst = Dungeon(), DungeonParams(rock=0.5, size=64), 0.0
    for seed in range(20):
        rng = chance(seed)
        worst = max(worst, model.observe(model.advance(model.init(params, rng), params, rng, 100), params)["caves"])
    return worst


def steady_land(exponent: float) -> tuple[np.ndarray, np.ndarray]:
    """Slope and drained land of all inner cells, in balance and without creep."""
    model, params, rng = Terrain(), TerrainParams(size=96, creep=0.0, exponent=exponent, erodibility=2e-5 * (2e6 ** (0.5 - exponent)), years=10_000), chance(1)
    state = model.advance(model.init(params, rng), params, rng, 1500)
    flat, inner = state.heights.ravel(), state.target != np.arange(state.heights.size)
    slope = (flat - flat[state.target]) / state.apart
    return slope[inner], state.drained[inner]


def concavity(exponent: float) -> float:
    slope, area = steady_land(exponent)
    return float(-np.polyfit(np.log(area), np.log(slope), 1)[0])


def steepness() -> float:
    slope, area = steady_land(0.5)
    return float(np.median(slope * np.sqrt(area)))


def hack() -> float:
    """Exponent of the longest way upstream over the land drained, of all cells with more than 30 cells behind them, over four ranges."""
    found = []
    for seed in range(4):
        model, params, rng = Terrain(), TerrainParams(size=200, creep=0.0, years=10_000), chance(seed)
        state = model.advance(model.init(params, rng), params, rng, 600)
        longest = np.zeros(state.heights.size)
        for at in state.order[::-1]:
            down = state.target[at]
            if down != at:
                longest[down] = max(longest[down], longest[at] + state.apart[at])
        large = (state.drained > 30 * CELL**2) & (longest > 0)
        found.append(np.polyfit(np.log(state.drained[large]), np.log(longest[large]), 1)[0])
    return float(np.mean(found))


FIGURES: tuple[Figure, ...] = (
    Figure("life", "A glider moves one cell down and right in 4 generations (1 = yes)", 1.0, 0.5, LIFE, glider_way),
    Figure("life", "Period of the pulsar", 3.0, 0.5, LIFE, lambda: period("Pulsar")),
    Figure("life", "The gun's cells more after 30 generations", 5.0, 0.5, LIFE, gun_gain),
    Figure("life", "R-pentomino: generation at which it settles", 1103.0, 0.5, LIFE, lambda: settled(1250, start="R-pentomino", size=800)),
    Figure("life", "R-pentomino: living cells then", 116.0, 0.5, LIFE, lambda: alive(1103, start="R-pentomino", size=800)),
    Figure("life", "Acorn: living cells after 5,206 generations", 633.0, 0.5, LIFE, lambda: alive(5206, start="Acorn", size=2800), slow=True),
    Figure("life", "HighLife: the replicator is doubled after 12 generations", 2.0, 0.5, "Bell, HighLife (1994): period 12", lambda: alive(12, start="Replicator", rule="B36/S23", size=128) / alive(0, start="Replicator", rule="B36/S23", size=128)),
    Figure("dungeon", "Rock after one pass, from 0.5", 0.5, 0.01, JOHNSON, lambda: rock_after_one(0.5)),
    Figure("dungeon", "Rock after one pass, from 0.4", sum(comb(9, k) * 0.4**k * 0.6 ** (9 - k) for k in range(5, 10)), 0.01, "Binomial sum: P(at least 5 of 9)", lambda: rock_after_one(0.4)),
    Figure("dungeon", "Caves apart in the end, most of twenty maps", 1.0, 0.5, "Johnson, Yannakakis, Togelius 2010: all areas are connected", most_caves),
    Figure("terrain", "Concavity in balance, m 0.5", 0.5, 0.005, WHIPPLE, lambda: concavity(0.5)),
    Figure("terrain", "Concavity in balance, m 0.4", 0.4, 0.005, WHIPPLE, lambda: concavity(0.4)),
    Figure("terrain", "Steepness in balance (m)", 50.0, 0.5, f"{WHIPPLE}: U/K", steepness),
    Figure("terrain", "Hack's exponent", 0.57, 0.06, "Hack, USGS Prof. Pap. 294-B (1957): 0.6; Rigon et al., Water Resour. Res. 32 (1996) 3367: 0.52 to 0.6", hack, slow=True),
)
