"""Markov chain Monte Carlo by emcee's affine-invariant ensemble (Goodman & Weare 2010; Foreman-Mackey et al. 2013), in z, many sets at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.simulation.learning.climb import SCANNED, Slope, evaluations, hessian, start_points, tops
from pipelines.simulation.learning.posterior import Posterior, effective_size, split_r_hat
from pipelines.simulation.learning.priors import FAR
from pipelines.simulation.learning.question import Question
from studio.api import BadInput, Numbers, RunContext

BLOCK = 100  # steps between two looks at the diagnostics
GOOD_R_HAT, GOOD_SIZE = 1.03, 1000.0
STARTS = 3  # of which the best is where walkers begin
KEPT = 4000  # draws of the result


class Chain:
    """Walks until R-hat and effective size are good, or `steps` are done. Stopped early, `posterior` has what there is."""

    def __init__(self, question: Question, walkers: int, steps: int) -> None:
        if walkers < 2 * len(question.beliefs) or walkers % 2:
            least = max(8, 2 * len(question.beliefs))
            raise BadInput(f"{walkers} walkers can't walk among {len(question.beliefs)} free parameters: an even number of at least {least} is needed.", hint=f"Use {least} or more.", field="walkers")
        self.question, self.walkers, self.steps = question, walkers, steps
        self._sampler: Any = None
        self._facts: dict[str, Any] = {}

    def walk(self, ctx: RunContext) -> None:
        import emcee

        rng = np.random.default_rng([ctx.seed, 2])
        state = emcee.State(self._begin(ctx, rng), random_state=np.random.RandomState(ctx.seed % 2**32).get_state())
        moves = [(emcee.moves.DEMove(), 0.5), (emcee.moves.StretchMove(), 0.5)]
        self._sampler = emcee.EnsembleSampler(self.walkers, len(self.question.beliefs), self._height, vectorize=True, moves=moves)
        for done, _ in enumerate(self._sampler.sample(state, iterations=self.steps), 1):
            ctx.progress(done, self.steps, "Walking")
            if done % BLOCK == 0 and self._good(done, ctx):
                return
            if ctx.stopping == "finish":
                return

    def _height(self, z: Numbers) -> Numbers:
        far = (np.abs(z) > FAR + 2).any(axis=1)  # nothing is there
        return np.where(far, -np.inf, self.question.log_posterior(z))

    def _begin(self, ctx: RunContext, rng: np.random.Generator) -> Numbers:
        """(walkers, free) around the best of three tops, as wide as the top is."""
        most = evaluations(len(self.question.beliefs), STARTS)

        def report(done: int) -> None:
            ctx.progress(min(done, most), most, "Looking for a start")

        below = Slope(self.question, with_prior=True, check=lambda: report(SCANNED * STARTS + below.asked))
        found = tops(below, start_points(self.question, rng, STARTS, report))
        top = min((one for _, one in sorted(found, key=lambda numbered: numbered[0])), key=lambda one: one[0])[1]
        values, vectors = np.linalg.eigh(hessian(below, np.clip(top, -FAR + 1, FAR - 1)))
        around = (rng.standard_normal((self.walkers * 4, len(top))) / np.sqrt(np.maximum(values, 1.0))) @ vectors.T
        there = np.concatenate([top + around, top + 0.1 * around])
        good = there[np.isfinite(self._height(there))]
        if len(good) < self.walkers:
            raise BadInput("Near the best values the model can hardly run.", hint="Narrow the priors to where it can.", field="free")
        return good[: self.walkers]

    def _good(self, done: int, ctx: RunContext) -> bool:
        r_hat, size, accepted = self._look()
        ctx.stats(r_hat=round(float(r_hat.max()), 4), effective=round(float(size.min())), acceptance=round(accepted, 3), steps=done)
        return bool(r_hat.max() < GOOD_R_HAT and size.min() > GOOD_SIZE)

    def _chains(self) -> Numbers:
        """(steps, walkers, free): the second half; what was before is on the way there."""
        chain: Numbers = self._sampler.get_chain()
        return chain[len(chain) // 2 :]

    def _look(self) -> tuple[Numbers, Numbers, float]:
        chains = self._chains()
        return split_r_hat(chains), effective_size(chains), float(np.mean(self._sampler.acceptance_fraction))

    def posterior(self) -> Posterior | None:
        """None before there is something."""
        if self._sampler is None or self._sampler.iteration < 20:
            return None
        r_hat, size, accepted = self._look()
        z = self._chains().reshape(-1, len(self.question.beliefs))
        heights = self._sampler.get_log_prob()[-len(self._chains()) :].reshape(-1)
        heights_of_x = heights - self.question.beliefs.log_density(z) + self.question.beliefs.log_density_of(self.question.beliefs.values(z))
        best = z[int(heights_of_x.argmax())]
        thin = -(-len(z) // KEPT)
        facts = {"r_hat": r_hat.tolist(), "effective": size.tolist(), "acceptance": accepted, "steps": int(self._sampler.iteration), "walkers": self.walkers, "log_posterior": float(heights.max())}
        return Posterior(self.question.beliefs, z[::thin], facts, {"log_posterior": heights[::thin]}, best)

    def trace(self) -> Numbers:
        """(steps, walkers, free) z of the whole walk."""
        chain: Numbers = self._sampler.get_chain()
        return chain
