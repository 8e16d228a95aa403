"""Many: sets of free parameters that are asked about in several processes at once. Each row is answered by itself, so that the answers are those of one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.simulation.experiments.plan import Reference
from pipelines.simulation.learning.evidence import Evidence
from pipelines.simulation.learning.params import Prior
from pipelines.simulation.spread import START_SECONDS, Helpers, worthwhile
from studio.api import Numbers, RunContext

if TYPE_CHECKING:
    from pipelines.simulation.learning.question import Question

ROUND_SECONDS = 0.02  # of work in a round, from which on sending it costs little
LOOK_SECONDS = 0.5  # of work here between two looks at Stop
FIRST = 4  # rows, while nobody knows how long one takes
PARTS = 2  # of a round for each process: some rows take longer


@dataclass(frozen=True)
class Recipe:
    """What a question is made of again in another process."""

    model: Reference
    values: dict[str, Any]
    evidence: Evidence
    priors: Sequence[Prior]

    def question(self) -> Question:
        from pipelines.simulation.learning.question import Question

        return Question(self.model.model(), self.values, self.evidence, self.priors)


class Answer:
    """In another process: tasks are ("seen", x, seeds, times), ("likely", z) or ("climb", start, with_prior)."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._question: Question | None = None

    def __call__(self, task: tuple[Any, ...]) -> Any:
        from pipelines.simulation.learning.climb import Slope, top

        self._question = self._question or self.recipe.question()
        match task:
            case ("seen", x, seeds, times):
                return self._question.seen(x, seeds, times)
            case ("likely", z):
                return self._question.log_likelihood(z)
            case _:
                return top(Slope(self._question, task[2]), task[1])


class Many:
    """Asks here until that took as long as other processes take to start; from then on large rounds go to them. Which ones depends on the clock, the answers don't."""

    def __init__(self, ctx: RunContext, recipe: Recipe) -> None:
        self.ctx = ctx
        self._helpers = Helpers(ctx, Answer(recipe))
        self._asked, self._pace = 0, np.inf  # rows, and the fewest seconds of one

    def __enter__(self) -> Many:
        return self

    def __exit__(self, *why: object) -> None:
        self._helpers.__exit__(*why)

    def rows(self, count: int, here: Callable[[slice], Numbers], task: Callable[[slice], tuple[Any, ...]]) -> Numbers:
        """(count, …): by `here`, or part by part as `task(part)`. Raises Stopped, and what `here` raises."""
        if self._helpers.count > 1 and self._asked * self._pace > START_SECONDS and count > 1 and count * self._pace > ROUND_SECONDS:
            edges = np.linspace(0, count, min(count, PARTS * self._helpers.count) + 1).astype(int).tolist()
            return np.concatenate(self._helpers.map([task(slice(start, end)) for start, end in zip(edges, edges[1:], strict=False)]))
        at = 0
        found: list[Numbers] = []
        while at < count or not found:
            self.ctx.check()
            began, end = time.perf_counter(), min(count, at + max(1, int(LOOK_SECONDS / self._pace)) if np.isfinite(self._pace) else at + FIRST)
            found.append(here(slice(at, end)))
            self._asked, self._pace = self._asked + end - at, min(self._pace, max(time.perf_counter() - began, 1e-9) / max(end - at, 1))
            at = end
        return np.concatenate(found)

    def worthwhile(self, left: int, taken: Sequence[float]) -> bool:
        """Whether so many climbs are ready sooner elsewhere, when those before took so many seconds."""
        return worthwhile(self._helpers.count, left, taken)

    def climbed(self, starts: Numbers, with_prior: bool) -> Iterator[tuple[int, tuple[float, Numbers]]]:
        """(number of the start, its top) as they are ready."""
        return self._helpers.each([("climb", start, with_prior) for start in starts])
