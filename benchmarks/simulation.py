"""How fast the gallery's models run, on one core. `python benchmarks/simulation.py [nasch|grayscott|ising|life|wolf_sheep]… [--busy]`

Seconds are those of the processor. wolf_sheep needs Mesa beside the studio (`pip install mesa==3.3.1`): it first shows that the population curves of both agree, then tells the ratio.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from studio.simulation import Simulation, chance  # noqa: E402

MOST_APART = 4.0  # standard errors between the curves of Mesa and ours
SEEDS, STEPS = 8, 100


def seconds(work: Callable[[], Any]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def rate(model: Simulation, values: dict[str, Any], steps: int) -> float:
    """Steps a second, best of five, after one that compiles."""
    params, rng = model.Params.parse(values), chance(1)
    state = model.advance(model.init(params, rng), params, rng, max(1, steps // 10))
    return steps / min(seconds(lambda: model.advance(state, params, rng, steps)) for _ in range(5))


def told(what: str, value: float, limit: float, unit: str) -> bool:
    print(f"{'ok  ' if value >= limit else 'MISSED'} {what}: {value:,.0f} {unit} (at least {limit:,.0f})")
    return value >= limit


def nasch() -> bool:
    from pipelines.simulation.models.nasch import Nasch

    return told("Nagel-Schreckenberg, 100,000 cells, density 0.15", 15_000 * rate(Nasch(), {"length": 100_000, "density": 0.15}, 3000) / 1e6, 30, "M vehicle updates/s")


def grayscott() -> bool:
    from pipelines.simulation.models.gray_scott import GrayScott

    return told("Gray-Scott, 256²", rate(GrayScott(), {}, 1000), 1000, "steps/s")


def ising() -> bool:
    from pipelines.simulation.models.ising import Ising

    return told("Ising, 256², at the critical temperature", 256**2 * rate(Ising(), {"size": 256}, 200) / 1e6, 50, "M flips tried/s")


def life() -> bool:
    from pipelines.simulation.models.life import Life

    return told("Life, 1000²", 1e6 * rate(Life(), {"size": 1000}, 100) / 1e9 * 1000, 200, "M cells/s")


def ours(seed: int) -> tuple[np.ndarray, float]:
    """(steps + 1, sheep and wolves and grass), and seconds of the steps alone."""
    from pipelines.simulation.models.wolf_sheep import WolfSheep, WolfSheepParams

    model, params, rng = WolfSheep(), WolfSheepParams(sheep=1000, wolves=500, size=100), chance(seed)
    state, seen = model.init(params, rng), []

    def run() -> None:
        nonlocal state
        for _ in range(STEPS):
            state = model.step(state, params, rng)
            seen.append((len(state.sheep), len(state.wolves), np.count_nonzero(state.grown < state.time)))

    spent = seconds(run)
    return np.array([[1000, 500, np.nan], *seen], dtype=float), spent


def mesas(seed: int) -> tuple[np.ndarray, float]:
    from mesa.examples.advanced.wolf_sheep.model import WolfSheep
    from mesa.experimental.devs import ABMSimulator

    simulator = ABMSimulator()
    model = WolfSheep(width=100, height=100, initial_sheep=1000, initial_wolves=500, seed=seed, simulator=simulator)
    spent = seconds(lambda: simulator.run_until(STEPS))
    return model.datacollector.get_model_vars_dataframe()[["Sheep", "Wolves", "Grass"]].to_numpy(float), spent


def wolf_sheep() -> bool:
    try:
        import mesa
    except ImportError:
        print("MISSED wolf_sheep: Mesa is not here. Install it beside the studio: pip install mesa==3.3.1")
        return False
    ours(0)
    here, there = [ours(seed) for seed in range(4 * SEEDS)], [mesas(seed) for seed in range(SEEDS)]
    apart = 0.0
    for column, kind in enumerate(("sheep", "wolves", "grass")):
        a, b = (np.array([curves[10::10, column] for curves, _ in runs]) for runs in (here, there))
        errors = np.sqrt(a.var(axis=0, ddof=1) / len(a) + b.var(axis=0, ddof=1) / len(b))
        off = np.abs(a.mean(axis=0) - b.mean(axis=0)) / np.maximum(errors, 1e-9)
        print(f"     {kind} after 10, 20 … {STEPS} steps, ours:   " + " ".join(f"{value:6.0f}" for value in a.mean(axis=0)))
        print(f"     {kind} after 10, 20 … {STEPS} steps, Mesa's: " + " ".join(f"{value:6.0f}" for value in b.mean(axis=0)) + f"   at most {off.max():.1f} standard errors apart")
        apart = max(apart, float(off.max()))
    mine, mesa_s = (float(np.median([spent for _, spent in runs])) for runs in (here, there))
    print(f"{'ok  ' if apart <= MOST_APART else 'MISSED'} the curves of {4 * SEEDS} and {SEEDS} runs are at most {apart:.1f} standard errors apart (limit {MOST_APART})")
    fast = told(f"wolves and sheep, {STEPS} steps: {mine * 1000:.1f} ms against {mesa_s * 1000:,.0f} ms of Mesa {mesa.__version__}", mesa_s / mine, 100, "times as fast")
    return fast and apart <= MOST_APART


ALL = {work.__name__: work for work in (nasch, grayscott, ising, life, wolf_sheep)}


def main() -> None:
    refuse_busy_machine()
    chosen = [word for word in sys.argv[1:] if not word.startswith("-")] or list(ALL)
    if unknown := [word for word in chosen if word not in ALL]:
        raise SystemExit(f"{', '.join(unknown)}: choose of {', '.join(ALL)}.")
    kept = [ALL[word]() for word in chosen]
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
