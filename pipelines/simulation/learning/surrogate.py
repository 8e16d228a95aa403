"""Surrogate: a stand-in for a model over the box of its free parameters, with its error on runs that it did not learn from. It answers nothing outside the box."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulation.experiments.plan import Reference
from pipelines.simulation.learning.emulators import Basis, Curve, Emulation, learnt
from pipelines.simulation.learning.priors import Beliefs
from pipelines.simulation.spread import spread
from studio.api import BadInput, Numbers, RunContext, Simulation, StudioError

HELD_OUT = 0.2  # of the runs
LEAST_RUNS = 10
BATCH = 4  # runs between two reports
DOUBTED = 0.05  # error in standard deviations of the runs
TRUSTED = 0.5  # share of the surrogate's draws that would count as the model's
EDGE = 1e-6  # how far beyond the box rounding may lead


@dataclass
class Surrogate:
    """`error` (series,) and `worst` are of held-out runs, in standard deviations of the runs; `seconds_model` and `seconds` for one set."""

    beliefs: Beliefs
    times: Numbers
    series: int
    basis: Basis
    curve: Curve
    error: Numbers
    worst: float
    seconds_model: float
    seconds: float
    held: tuple[Numbers, Numbers]  # (runs, predictions) (n, times, series)

    def seen(self, x: Numbers) -> Numbers:
        """(sets, times, series). Raises BadInput outside the box."""
        low = np.array([prior.low for prior in self.beliefs.priors])
        high = np.array([prior.high for prior in self.beliefs.priors])
        room = EDGE * (high - low)
        outside = ((x < low - room) | (x > high + room)).any(axis=0)
        if outside.any():
            at = int(np.argmax(outside))
            raise BadInput(f"The surrogate knows {self.beliefs.names[at]} between {low[at]:g} and {high[at]:g} only.", hint="Learn it over a wider box: it does not extrapolate.", field="free")
        return self._inside(self.beliefs.shares(x))

    def _inside(self, shares: Numbers) -> Numbers:
        return self.basis.runs(self.curve(shares)).reshape(len(shares), len(self.times), self.series)


def design(count: int, free: int, seed: int) -> Numbers:
    """(count, free) shares that fill the box: a Latin hypercube (McKay, Beckman & Conover 1979)."""
    rng = np.random.default_rng([seed, 11])
    return (np.stack([rng.permutation(count) for _ in range(free)], axis=1) + rng.random((count, free))) / count


def build(model: Simulation, params_of: Any, beliefs: Beliefs, times: Numbers, kind: Emulation, count: int, ctx: RunContext, own: str = "") -> Surrogate:
    """Runs the model `count` times and learns from 80 of 100. Raises BadInput, Stopped."""
    if model.stochastic:
        raise BadInput(f"{model.title} has chance in it: a surrogate would learn one run's chance.", hint="Use a model without chance, or ABC.", field="surrogate")
    shares = design(count, len(beliefs), ctx.seed)
    runs, good, seconds = _swept(model, own, params_of, beliefs.at(shares), times, ctx)
    shares, flat = shares[good], runs.reshape(len(runs), -1)
    if len(shares) < LEAST_RUNS:
        raise BadInput(f"Only {len(shares)} of {count} runs did not fail: too few to learn from.", hint="Narrow the priors, or allow more runs.", field="free")
    held = np.random.default_rng([ctx.seed, 12]).permutation(len(shares)) < round(HELD_OUT * len(shares))
    ctx.progress(count, count + 1, "Learning the surrogate")
    basis = Basis.of(flat[~held])
    curve = learnt(kind, shares[~held], basis.components(flat[~held]), ctx.seed)
    found = Surrogate(beliefs, times, len(model.series), basis, curve, np.zeros(0), 0.0, seconds, 0.0, (runs[held], np.zeros(0)))
    return _judged(found, shares[held], runs)


@dataclass(frozen=True)
class Part:
    """Some runs of a design, for whichever process; None stands for values that don't go together."""

    model: Reference
    sets: tuple[dict[str, Any] | None, ...]
    times: tuple[float, ...]


def ran(part: Part) -> list[tuple[Numbers | None, float]]:
    """(the run (times, series), None where it failed; its seconds) for each set."""
    model, times, found = part.model.model(), np.array(part.times), list[tuple[Numbers | None, float]]()
    for values in part.sets:
        begun = time.perf_counter()
        run = None
        if values is not None:
            with suppress(StudioError):
                run = model.observed([model.Params.parse(values)], times, [0])[0]
        found.append((run, time.perf_counter() - begun))
    return found


def _swept(model: Simulation, own: str, params_of: Any, x: Numbers, times: Numbers, ctx: RunContext) -> tuple[Numbers, Numbers, float]:
    """(runs that went well (n, times, series), which, seconds for each)."""
    sets = [_values(params_of, one) for one in x]
    reference, at = Reference.to(model, own), tuple(float(one) for one in times)
    parts = [Part(reference, tuple(sets[start : start + BATCH]), at) for start in range(0, len(sets), BATCH)]
    found: dict[int, list[tuple[Numbers | None, float]]] = dict(spread(ctx, ran, parts, "Running the model for the surrogate"))
    every = [one for number in range(len(parts)) for one in found[number]]
    seconds = sorted(spent for _, spent in every)
    return np.array([run for run, _ in every if run is not None]), np.array([run is not None for run, _ in every]), seconds[len(seconds) // 2]  # the first of each process compiles


def _values(params_of: Any, one: Numbers) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = params_of(one).model_dump(mode="json")
    except BadInput:
        return None
    return found


def _judged(found: Surrogate, shares: Numbers, runs: Numbers) -> Surrogate:
    predicted = found._inside(shares)
    many = np.repeat(shares, 1 + 64 // len(shares), axis=0)
    begun = time.perf_counter()
    found._inside(many)
    found.seconds = (time.perf_counter() - begun) / len(many)
    wide = np.maximum(runs.std(axis=(0, 1)), 1e-300)
    found.held = (found.held[0], predicted)
    found.error = np.sqrt(((predicted - found.held[0]) ** 2).mean(axis=(0, 1))) / wide
    found.worst = float((np.abs(predicted - found.held[0]).max(axis=(0, 1)) / wide).max())
    return found


def surrogate_facts(model: Simulation, surrogate: Surrogate) -> dict[str, Any]:
    """Small JSON: error by series, worst, how many times faster."""
    error = {series.name: round(float(value), 6) for series, value in zip(model.series, surrogate.error, strict=True)}
    return {"error": error, "worst": round(surrogate.worst, 5), "faster": round(surrogate.seconds_model / max(surrogate.seconds, 1e-12), 1), "held_out": len(surrogate.held[0])}


def surrogate_doubts(facts: dict[str, Any]) -> list[str]:
    """Sentences where it should not be trusted, or is of no use."""
    told = []
    name, error = max(facts["error"].items(), key=lambda item: item[1])
    if error > DOUBTED:
        told.append(f"The surrogate is off by {100 * error:.0f} % of the spread of {name} on runs it did not learn from: take more runs, or the model itself.")
    if facts.get("trust", 1.0) < TRUSTED:
        told.append(f"The surrogate's posterior is not quite the model's: of its draws only {100 * facts['trust']:.0f} % would count. Take more runs or narrower priors.")
    if facts["faster"] < 1:
        told.append("The model itself is faster than the surrogate: switch it off.")
    return told
