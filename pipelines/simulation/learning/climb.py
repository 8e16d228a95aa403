"""Maximum likelihood: Nelder-Mead and L-BFGS-B from several starts, standard errors from the Hessian in z (Wald 1943)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from pipelines.simulation.learning.posterior import Posterior
from pipelines.simulation.learning.priors import FAR
from pipelines.simulation.learning.question import Question
from studio.api import BadInput, Numbers, RunContext

SCANNED = 40  # points of the prior for each start
SIMPLEX, GRADIENT = 150, 40  # evaluations of each climb by either method, for each free parameter
DRAWS = 2000
BAD = 1e12  # what a minimiser is told instead of infinity


class Slope:
    """How far below zero the likelihood (with the prior, if wished) lies at z; remembers the highest point it was asked for."""

    def __init__(self, question: Question, with_prior: bool = False, check: Callable[[], None] = lambda: None) -> None:
        self.question, self.with_prior, self.check = question, with_prior, check
        self.best: tuple[float, Numbers] | None = None
        self.asked = 0

    def __call__(self, z: Numbers) -> float:
        self.check()
        self.asked += 1
        found = -float(self.question.log_likelihood(z[None])[0])
        if not np.isfinite(found):
            return BAD
        found -= float(self.question.beliefs.log_density(z)) if self.with_prior else 0.0
        if self.best is None or found < self.best[0]:
            self.best = (found, np.array(z))
        return found


class Climb:
    """Climbs from `starts` places; `posterior` is the normal distribution around the highest top. Stopped early, `so_far` has the tops there are."""

    def __init__(self, question: Question, starts: int) -> None:
        self.question, self.starts = question, starts
        self.tops: dict[int, tuple[float, Numbers]] = {}
        self._slope: Slope | None = None
        self._found: Posterior | None = None

    def run(self, ctx: RunContext) -> None:
        """Raises BadInput where nothing runs, Stopped."""
        rng = np.random.default_rng([ctx.seed, 1])
        free = len(self.question.beliefs)
        most, climb = evaluations(free, self.starts) + 4 * free**2, evaluations(free, 1) - SCANNED
        note = "Climbing from several places"

        def report(done: int) -> None:
            ctx.progress(min(done, most), most, note)

        self._slope = slope = Slope(self.question, check=lambda: report(SCANNED * self.starts + slope.asked))
        starts = start_points(self.question, rng, self.starts, report)
        for number, found in tops(slope, starts):
            slope.asked = max(slope.asked, (len(self.tops) + 1) * climb)  # one that took less, or that was made elsewhere
            self.tops[number] = found
            if ctx.stopping == "finish":
                break
        note = "How sharp the top is"
        self._found = self._settled(self._slope, rng)

    def _settled(self, slope: Slope, rng: np.random.Generator) -> Posterior:
        climbed = [self.tops[number] for number in sorted(self.tops)]
        height, best = max(((-low, z) for low, z in climbed), key=lambda top: top[0])
        best = _settled(slope, best)
        spread, flat = _spread(slope, best)
        z = np.clip(rng.multivariate_normal(best, spread, DRAWS, method="eigh"), -FAR, FAR)
        posterior = Posterior(self.question.beliefs, z, best=best)
        free = len(best)
        posterior.facts = {
            "log_likelihood": height, "aic": 2 * free - 2 * height, "bic": float(free * np.log(max(self.question.count, 1)) - 2 * height), "agreeing": sum(height + low < 0.1 for low, _ in climbed),
            "starts": len(climbed), "flat": flat, "error": (np.sqrt(np.diag(spread)) * _slope(self.question, best)).tolist(),
        }  # fmt: skip
        return posterior

    def posterior(self) -> Posterior:
        assert self._found is not None
        return self._found

    def so_far(self) -> Posterior | None:
        """Its draws are the tops that were reached and the highest point on the way, best first; None before the model ran once."""
        there = [*self.tops.values(), *([self._slope.best] if self._slope is not None and self._slope.best is not None else [])]
        if not there:
            return None
        there.sort(key=lambda one: one[0])
        return Posterior(self.question.beliefs, np.array([z for _, z in there]), extra={"log_likelihood": np.array([-low for low, _ in there])}, best=there[0][1])


def tops(slope: Slope, starts: Numbers) -> Iterator[tuple[int, tuple[float, Numbers]]]:
    """(number of the start, its top): here, and in other processes where the first ones took long enough."""
    many = slope.question.many
    taken: list[float] = []
    for number, start in enumerate(starts):
        began = time.perf_counter()
        reached = top(slope, start)
        taken.append(time.perf_counter() - began)
        yield number, reached
        if many is not None and slope.question.surrogate is None and many.worthwhile(len(starts) - number - 1, taken):
            for other, found in many.climbed(starts[number + 1 :], slope.with_prior):
                yield number + 1 + other, found
            return


def evaluations(free: int, starts: int) -> int:
    """Of the likelihood, at most, until all tops are reached."""
    return 1 + starts * (SCANNED + SIMPLEX * free + (free + 1) * GRADIENT)


def start_points(question: Question, rng: np.random.Generator, count: int, report: Callable[[int], None]) -> Numbers:
    """(count, free) z of the highest posterior density among a scan of the prior; `report` is told how many points were looked at. Raises BadInput where nothing runs."""
    scan = np.concatenate([np.zeros((1, len(question.beliefs))), question.beliefs.draw(rng, SCANNED * count)])
    parts = []
    for at in range(0, len(scan), SCANNED):
        report(at)
        parts.append(question.log_likelihood(scan[at : at + SCANNED]))
    heights = np.concatenate(parts)
    if not np.isfinite(heights).any():
        raise BadInput("Nowhere within the priors can the model say something of these data.", hint="Look at the prior bands: the data should lie near them. Wider priors or another noise help.", field="free")
    return scan[np.argsort(-heights)[:count]]


def top(height: Callable[[Numbers], float], start: Numbers) -> tuple[float, Numbers]:
    """(how low, z) by two methods after each other."""
    from scipy.optimize import minimize

    free = len(start)
    bounds = [(-FAR, FAR)] * free
    simplex = np.vstack([start, start + 0.4 * np.eye(free)])
    found = minimize(height, start, method="Nelder-Mead", bounds=bounds, options={"initial_simplex": np.clip(simplex, -FAR, FAR), "maxfev": SIMPLEX * free, "xatol": 1e-4, "fatol": 1e-4})
    polished = minimize(height, found.x, method="L-BFGS-B", bounds=bounds, options={"maxfun": GRADIENT * (free + 1), "maxiter": 40})
    best = polished if polished.fun < found.fun else found
    return float(best.fun), np.asarray(best.x)


def _settled(height: Callable[[Numbers], float], best: Numbers) -> Numbers:
    """What the data say nothing of stands in the middle of its prior, not where the climb happened to end."""
    top = height(best)
    for at in range(len(best)):
        moved = best.copy()
        moved[at] = 0.0
        if height(moved) - top < 1e-3:
            best = moved
    return best


def _slope(question: Question, z: Numbers) -> Numbers:
    """(free,) dx/dz."""
    step = 1e-4
    return np.array([(question.beliefs.values(z + step * unit)[at] - question.beliefs.values(z - step * unit)[at]) / (2 * step) for at, unit in enumerate(np.eye(len(z)))])


def hessian(height: Callable[[Numbers], float], z: Numbers) -> Numbers:
    """(free, free) second derivatives by central differences; each step is as long as it takes to fall by about 0.1."""
    free, units = len(z), np.eye(len(z))
    top, steps = height(z), np.full(len(z), 0.02)
    for at in range(free):
        for _ in range(12):
            fall = 0.5 * (height(z + steps[at] * units[at]) + height(z - steps[at] * units[at])) - top
            if 0.02 < fall < 0.5 or (fall <= 0.02 and steps[at] > 0.5):
                break
            steps[at] *= float(np.clip(np.sqrt(0.1 / fall), 0.1, 5)) if fall > 0 else 3.0
    found = np.empty((free, free))
    for a in range(free):
        for b in range(a, free):
            p, q = steps[a] * units[a], steps[b] * units[b]
            found[a, b] = found[b, a] = (height(z + p + q) - height(z + p - q) - height(z - p + q) + height(z - p - q)) / (4 * steps[a] * steps[b])
    return found


def _spread(height: Callable[[Numbers], float], best: Numbers) -> tuple[Numbers, bool]:
    """(covariance of z, whether some direction is flat). No direction is wider than the prior: what is flat keeps its width."""
    values, vectors = np.linalg.eigh(hessian(height, np.clip(best, -FAR + 1, FAR - 1)))
    flat = bool((values < 0.5).any())
    return np.asarray((vectors / np.maximum(values, 1.0)) @ vectors.T), flat
