"""Approximate Bayesian computation by sequential Monte Carlo (Toni et al. 2009) with an adaptive threshold (Del Moral et al. 2012).

Summaries are learnt by regression (Fearnhead & Prangle 2012), the last population is adjusted by one (Beaumont et al. 2002).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.simulation.learning.features import Summaries, features
from pipelines.simulation.learning.posterior import Posterior, equal_weight
from pipelines.simulation.learning.priors import FAR
from pipelines.simulation.learning.question import Question
from studio.api import BadInput, Numbers, RunContext

PILOT = 4  # times the population: runs from the prior that the first summaries are learnt from
BATCH = 200
LEAST_ACCEPTED = 0.02


@dataclass
class Cloud:
    """A population: z (n, free), weights (n,), features (n, f), the seed of each run."""

    z: Numbers
    weights: Numbers
    seen: Numbers
    seeds: Numbers

    def taken(self, which: Any) -> Cloud:
        return Cloud(self.z[which], self.weights[which], self.seen[which], self.seeds[which])


class Particles:
    """`run` lowers the threshold round by round; `posterior` has the last population that was full."""

    def __init__(self, question: Question, size: int, rounds: int, keep: float, simulations: int, adjust: bool) -> None:
        self.question, self.size, self.rounds, self.keep, self.simulations, self.adjust = question, size, rounds, keep, simulations, adjust
        if simulations < PILOT * size:
            raise BadInput(f"{size} particles need {PILOT * size:,} simulations for their first population; {simulations:,} are allowed.", hint="Allow more simulations, or take fewer particles.", field="simulations")
        self.cloud: Cloud | None = None
        self.summaries: Summaries | None = None
        self.target = features([data[None] for data in question.evidence.data], question.evidence)
        self.history: list[dict[str, float]] = []
        self.spent = 0

    def run(self, ctx: RunContext) -> None:
        rng = np.random.default_rng([ctx.seed, 3])
        tried = self._pilot(rng, ctx)
        for number in range(1, self.rounds + 1):
            self.summaries = Summaries.learnt(tried.seen, tried.z)
            assert self.cloud is not None
            threshold = float(np.quantile(self._distances(self.cloud.seen), self.keep))
            found, tried = self._round(threshold, number, rng, ctx)
            if found is None:
                return
            self.cloud = found
            accepted = self.size / max(len(tried.z), 1)
            self.history.append({"threshold": threshold, "acceptance": accepted, "simulations": self.spent})
            ctx.stats(round=number, threshold=round(threshold, 4), acceptance=round(accepted, 3))
            if accepted < LEAST_ACCEPTED or self.spent >= self.simulations or ctx.stopping == "finish":
                return

    def _pilot(self, rng: np.random.Generator, ctx: RunContext) -> Cloud:
        """Runs from the prior; the nearest are the first population."""
        parts = []
        for at in range(0, PILOT * self.size, BATCH):
            ctx.progress(self.spent, self.simulations, "Running from the priors")
            parts.append(self._simulated(self.question.beliefs.draw(rng, min(BATCH, PILOT * self.size - at)), rng))
        tried = _joined(parts)
        if len(tried.z) < self.size // 2 + 2 * len(self.question.beliefs):
            raise BadInput("Within the priors most runs of the model fail.", hint="Narrow the priors to where it can run.", field="free")
        self.summaries = Summaries.learnt(tried.seen, tried.z)
        self.cloud = tried.taken(np.argsort(self._distances(tried.seen), kind="stable")[: self.size])
        return tried

    def _simulated(self, z: Numbers, rng: np.random.Generator) -> Cloud:
        """Runs of (n, free) z that did not fail, each with a seed of its own."""
        seeds = rng.integers(0, 2**31 - 1, len(z))
        values = self.question.beliefs.values(z)
        seen = self.question.seen(values, [int(seed) for seed in seeds])
        self.spent += len(z)
        data = self.question.scattered(seen, values, rng)
        good = np.isfinite(seen).all(axis=(1, 2))
        found = features([one[good] for one in data], self.question.evidence)
        return Cloud(z[good], np.ones(int(good.sum())), found, seeds[good].astype(np.float64))

    def _distances(self, seen: Numbers) -> Numbers:
        assert self.summaries is not None
        return np.asarray(np.linalg.norm(self.summaries.of(seen) - self.summaries.of(self.target), axis=1))

    def _round(self, threshold: float, number: int, rng: np.random.Generator, ctx: RunContext) -> tuple[Cloud | None, Cloud]:
        """(a full population below the threshold or None where the budget ended, all that was tried)."""
        assert self.cloud is not None
        before, parts, accepted = self.cloud, [], 0
        weights = before.weights / before.weights.sum()
        spread = 2 * np.cov(before.z.T, aweights=weights).reshape(before.z.shape[1], -1) + 1e-10 * np.eye(before.z.shape[1])
        root: Numbers = np.linalg.cholesky(spread).astype(np.float64)
        while accepted < self.size and self.spent < self.simulations:
            ctx.progress(self.spent, self.simulations, f"Round {number}: {accepted} of {self.size}")
            parents = before.z[rng.choice(len(weights), BATCH, p=weights)]
            z = parents + rng.standard_normal(parents.shape) @ root.T
            part = self._simulated(z[(np.abs(z) < FAR).all(axis=1)], rng)
            parts.append(part)
            accepted += int((self._distances(part.seen) <= threshold).sum())
        tried = _joined(parts) if parts else before
        if accepted < self.size:
            return None, tried
        found = tried.taken(np.flatnonzero(self._distances(tried.seen) <= threshold)[: self.size])
        found.weights = self._weights(found.z, before.z, weights, root)
        return found, tried

    def _weights(self, z: Numbers, parents: Numbers, weights: Numbers, root: Numbers) -> Numbers:
        """Prior over the mixture that z were proposed from."""
        apart = np.linalg.solve(root, (z[:, None, :] - parents[None]).reshape(-1, z.shape[1]).T).T.reshape(len(z), len(parents), -1)
        kernel = -0.5 * (apart**2).sum(axis=2)
        proposed = np.log(np.exp(kernel - kernel.max(axis=1, keepdims=True)) @ weights) + kernel.max(axis=1)
        found = self.question.beliefs.log_density(z) - proposed
        return np.asarray(np.exp(found - found.max()))

    def posterior(self, seed: int) -> Posterior | None:
        """None before there is a population."""
        if self.cloud is None or self.summaries is None:
            return None
        rng = np.random.default_rng([seed, 4])
        z, weights = self.cloud.z, self.cloud.weights
        if self.adjust:
            z, weights = adjusted(z, weights, self.summaries.of(self.cloud.seen) - self.summaries.of(self.target))
        chosen = equal_weight(weights, self.size, rng)
        distances = self._distances(self.cloud.seen)
        facts = {"rounds": self.history, "simulations": self.spent, "effective_particles": float(weights.sum() ** 2 / (weights**2).sum()), "threshold": float(distances.max())}
        return Posterior(self.question.beliefs, np.clip(z[chosen], -FAR, FAR), facts, {"seed": self.cloud.seeds[chosen], "distance": distances[chosen]})


def adjusted(z: Numbers, weights: Numbers, apart: Numbers) -> tuple[Numbers, Numbers]:
    """(z, weights): z less what a line through it says of the summaries' distances (n, s), the near ones weighing more (Epanechnikov)."""
    distance = np.linalg.norm(apart, axis=1)
    near = weights * np.maximum(1 - (distance / (distance.max() * 1.0001 + 1e-300)) ** 2, 1e-6)
    design = np.column_stack([np.ones(len(z)), apart])
    root = np.sqrt(near)[:, None]
    line, *_ = np.linalg.lstsq(design * root, z * root, rcond=None)
    return z - apart @ line[1:], near


def _joined(parts: list[Cloud]) -> Cloud:
    return Cloud(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("z", "weights", "seen", "seeds")))
