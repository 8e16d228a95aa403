"""Species under change: lag, critical pace and rescue in quantitative genetics."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipelines.simulation.models.moving_optimum import MovingOptimum
from studio.api import Numbers, observations
from tests.figures import Figure

BURGER = "Bürger & Lynch, Evolution 49 (1995) 151–163"
GOMULKIEWICZ = "Gomulkiewicz & Holt, Evolution 49 (1995) 201–207"
# With the model's values: genetic variance 0.5, upbringing 1, ω² 9, so V_λ 10.5 and s = 0.5/10.5; two offspring
SHARE, WIDTH = 0.5 / 10.5, 10.5


@lru_cache
def history(pace: float, jump: float, room: int, generations: int, seed: int = 1, **more: float) -> Numbers:
    """(generations, series); the change begins at once."""
    model = MovingOptimum()
    params = model.Params(pace=pace, jump=jump, room=room, quiet=0, **more)
    return np.array([list(seen.values.values()) for seen in observations(model, params, np.arange(1.0, generations + 1), seed)])


def lag(pace: float) -> float:
    """Between the climate and the children before selection: the adults' lag and one more step."""
    return float(history(pace, 0.0, 10000, 600)[200:, 2].mean()) + pace


def lasts(pace: float) -> bool:
    return bool(history(pace, 0.0, 10000, 400)[-1, 0] > 0)


def critical() -> float:
    low, high = 0.12, 0.24
    while high - low > 0.002:
        middle = (low + high) / 2
        low, high = (middle, high) if lasts(middle) else (low, middle)
    return (low + high) / 2


def rescue() -> Numbers:
    """Lag of adults after a jump that can be survived, generation after generation, mean of ten populations."""
    return np.mean([history(0.0, 4.0, 10000, 31, seed)[:, 2] for seed in range(10)], axis=0)


FIGURES: tuple[Figure, ...] = (
    Figure("moving_optimum", "lag behind a climate of pace 0.05, k/s", 0.05 / SHARE, 0.02, BURGER, lambda: lag(0.05)),
    Figure("moving_optimum", "lag behind a climate of pace 0.12, k/s", 0.12 / SHARE, 0.03, BURGER, lambda: lag(0.12)),
    Figure("moving_optimum", "share that lives in a climate at rest, ω/√V_λ", float(np.sqrt(9 / WIDTH)), 0.003, BURGER, lambda: float(history(0.0, 0.0, 10000, 200)[:, 3].mean())),
    Figure("moving_optimum", "share that lives at pace 0.12, ω/√V_λ exp(−lag²/2V_λ)", float(np.sqrt(9 / WIDTH) * np.exp(-((0.12 / SHARE) ** 2) / 2 / WIDTH)), 0.006, BURGER, lambda: float(history(0.12, 0.0, 10000, 600)[200:, 3].mean())),
    Figure("moving_optimum", "critical pace s√(2V_λ ln(Bω/√V_λ))", float(SHARE * np.sqrt(2 * WIDTH * np.log(2 * np.sqrt(9 / WIDTH)))), 0.05 * 0.1713, BURGER + " (exact for large populations over long times)", critical, slow=True),
    Figure("moving_optimum", "share of the lag that is left after 30 generations, (1 − s)³⁰", float((1 - SHARE) ** 30), 0.01, GOMULKIEWICZ + ", equation of the geometric approach", lambda: float(rescue()[30] / rescue()[0])),
    Figure("moving_optimum", "genetic variance in balance", 0.5 * 10 / 10.5, 0.005, "Bulmer, Am. Nat. 105 (1971) 201–211: among adults, after selection", lambda: float(history(0.0, 0.0, 10000, 200)[:, 4].mean())),
)
