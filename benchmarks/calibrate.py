"""How long it takes from a CSV to a posterior with bands, and whether 90 % intervals cover the truth in synthetic sets.

    python -m benchmarks.calibrate                     # the four samples
    python -m benchmarks.calibrate surrogate           # a basin of shallow water, calibrated by a stand-in and by itself
    python -m benchmarks.calibrate coverage sir 100    # one model, so many sets; not in CI
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.simulation.learning.evidence import Evidence
from pipelines.simulation.learning.given import samples
from pipelines.simulation.learning.params import LearnParams
from pipelines.simulation.learning.pipeline import Learn, _estimated
from pipelines.simulation.learning.question import Question
from studio.api import Simulation, Simulations

LIMIT_SECONDS = 60.0
SAMPLES = {"sir": "influenza", "lotka_volterra": "lynx-hare", "garch": "returns", "mmc": "queue"}
# Fewer steps than the defaults
COVERAGE: dict[str, dict[str, Any]] = {
    "sir": {"method": "MCMC", "steps": 600, "walkers": 16}, "garch": {"method": "MCMC", "steps": 400, "walkers": 16},
    "lotka_volterra": {"method": "MCMC", "steps": 600, "walkers": 20}, "mmc": {"method": "MCMC", "steps": 400, "walkers": 12},
}  # fmt: skip


class Quiet:
    """A context that nobody watches."""

    job_id, device, threads, processes, stopping = "benchmark", "cpu", 1, 1, "none"

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed

    def progress(self, *_: Any) -> None:
        return None

    def check(self) -> None:
        return None

    def stats(self, **_: Any) -> None:
        return None

    def output(self, _: Any) -> None:
        return None

    def input(self, key: str) -> Path:
        raise KeyError(key)


def models() -> Simulations:
    from pipelines.simulation.models.garch import Garch
    from pipelines.simulation.models.lotka_volterra import LotkaVolterra
    from pipelines.simulation.models.mmc import Mmc
    from pipelines.simulation.models.sir import Sir

    return Simulations([Sir(), LotkaVolterra(), Garch(), Mmc()])


def timed() -> int:
    """CSV to posterior with bands; 1 where one takes too long."""
    learn, failed = Learn(models()), 0
    print("| model | sample | method | wall s | CPU s | R-hat | effective | warnings |\n|---|---|---|---|---|---|---|---|")
    for model, name in SAMPLES.items():
        asked = LearnParams(sample=name, seed=1, **samples()[name]["settings"])
        begun, spent = time.monotonic(), time.process_time()
        result = learn.run(asked, Quiet())  # type: ignore[arg-type]
        wall, spent = time.monotonic() - begun, time.process_time() - spent
        table = result.summary["table"]
        failed += spent > LIMIT_SECONDS
        print(f"| {model} | {name} | {asked.method} | {wall:.1f} | {spent:.1f} | {max(row['r_hat'] for row in table):.3f} | {min(row['effective'] for row in table):.0f} | {len(result.summary['warnings'])} |", flush=True)
    return int(failed > 0)


def true_set(question: Question, rng: np.random.Generator) -> np.ndarray:
    """(free,) parameters from the middle 80 % of each prior in which the model shows something."""
    while True:
        x = question.beliefs.at(rng.uniform(0.1, 0.9, (1, len(question.beliefs))))
        seen = question.seen(x, [int(rng.integers(2**31))])
        good = np.isfinite(seen).all() and np.isfinite(question.log_likelihood(question.beliefs.z(x))).all()
        if good and (question.own is not None or all(_tells(mean[0]) for mean in question.evidence.means(seen, question.links(x, "rate: ")))):
            return x[0]


def _tells(mean: np.ndarray) -> bool:
    """An outbreak that happens, a population that lives."""
    return bool(mean.max() > 20 or (mean.min() > 0.01 and mean.max() < 1e4 and mean.max() > 1))


def synthetic(question: Question, x: np.ndarray, model: Simulation, rng: np.random.Generator) -> Question:
    """The same question of data that the parameters x made."""
    seen = question.seen(x[None], [int(rng.integers(2**31))])
    data = tuple(one[0] for one in question.scattered(seen, x[None], rng))
    old = question.evidence
    return Question(model, question.values, Evidence(old.times, old.links, data, old.at), question.beliefs.priors)


def coverage(name: str, sets: int) -> int:
    """Share of 90 % intervals that hold the truth, by parameter; 1 where one is outside binomial 95 % limits."""
    from scipy.stats import binom

    sample = samples()[SAMPLES[name]]
    asked = LearnParams(sample=SAMPLES[name], seed=1, **(sample["settings"] | COVERAGE[name]))
    learn = Learn(models())
    question = learn._question(asked, learn.given.data(asked, lambda key, at: Path(key)))
    model, rng = question.model, np.random.default_rng(2026)
    held, seconds = np.zeros(len(question.beliefs)), []
    for number in range(sets):
        x = true_set(question, rng)
        made = synthetic(question, x, model, rng)
        begun = time.process_time()
        posterior, _ = _estimated(asked, made, Quiet(number))  # type: ignore[arg-type]
        seconds.append(time.process_time() - begun)
        low, high = np.quantile(posterior.x, [0.05, 0.95], axis=0)
        held += (low <= x) & (x <= high)
    ends = binom.interval(0.95, sets, 0.9)
    print(f"{name}: {sets} sets, {np.mean(seconds):.1f} CPU s each (longest {max(seconds):.1f}); 90 % intervals hold the truth (binomial 95 % limits {ends[0]:.0f} … {ends[1]:.0f}):")
    for parameter, count in zip(question.beliefs.names, held, strict=True):
        print(f"  {parameter}: {count:.0f} of {sets}{'' if ends[0] <= count <= ends[1] else '  OUTSIDE'}", flush=True)
    return int(((held < ends[0]) | (held > ends[1])).any())


def stood_in() -> int:
    """The level at a gauge after a dam breaks tells depth and height: seconds for a thousand likelihoods by the model and by a Gaussian process; 1 where that is not 50 times faster."""
    from pipelines.simulation.learning.params import Link, Prior
    from pipelines.simulation.models.shallow_water import ShallowWater

    model, times = ShallowWater(), np.linspace(2, 60, 30)
    own = model.Params.parse({"cells": 48})
    at = [series.name for series in model.series].index("gauge")
    data = model.observed([own], times, [0])[0, :, at] + 0.02 * np.random.default_rng(1).standard_normal(len(times))
    link = Link(column="level", series="gauge", spread=0.02)
    bounds = {name: (0.7 * getattr(own, name), 1.3 * getattr(own, name)) for name in ("depth", "height")}
    priors = [Prior(name=name, low=low, high=high) for name, (low, high) in bounds.items()]
    question = Question(model, own.model_dump(), Evidence(times, (link,), (data,), (at,)), priors)
    z = question.beliefs.draw(np.random.default_rng(2), 20)
    begun = time.process_time()
    question.log_likelihood(z)
    bare = (time.process_time() - begun) / len(z)
    begun = time.process_time()
    question.learn_surrogate("Gaussian process", 100, Quiet())  # type: ignore[arg-type]
    learning = time.process_time() - begun
    many = question.beliefs.draw(np.random.default_rng(3), 32)
    begun = time.process_time()
    for _ in range(20):
        question.log_likelihood(many)
    stand = (time.process_time() - begun) / (20 * len(many))
    assert question.surrogate is not None
    walks = 32 * 1500
    print(f"a likelihood: model {1e3 * bare:.2f} ms, surrogate {1e3 * stand:.4f} ms: {bare / stand:.0f} times faster; held-out error {100 * question.surrogate.error[at]:.2g} % of the spread of runs")
    print(f"a calibration of {walks:,} likelihoods: model {walks * bare:.0f} s, surrogate {learning:.1f} s of learning + {walks * stand:.1f} s: {walks * bare / (learning + walks * stand):.0f} times faster")
    return int(bare / stand < 50)


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["surrogate"]:
        sys.exit(stood_in())
    sys.exit(coverage(words[1], int(words[2])) if words[:1] == ["coverage"] else timed())
