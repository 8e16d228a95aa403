"""What sharing an estimate among two processes gains, by processor time: that of one process against the longest way of two. `python -m benchmarks.share [name …]`

The way of two is what the first process does itself and half of what its helpers do: on a machine with two free cores, seconds.
"""

from __future__ import annotations

import resource
import sys
from typing import Any

from pipelines.simulation import register_simulations
from pipelines.simulation.learning.params import LearnParams
from pipelines.simulation.learning.pipeline import Learn
from studio.api import Simulations
from tests.learning_models import Ctx

QUESTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "SIR, maximum likelihood": ("influenza", {"method": "Maximum likelihood", "starts": 12}),
    "predators, maximum likelihood": ("lynx-hare", {"method": "Maximum likelihood", "starts": 12}),
    "predators, MCMC": ("lynx-hare", {"method": "MCMC", "steps": 1500}),
    "queue, ABC": ("queue", {"method": "ABC", "particles": 200, "simulations": 8000}),
}


def spent() -> tuple[float, float]:
    """Processor seconds of this process, and of those that ended."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime, others.ru_utime + others.ru_stime


def measured(learn: Learn, asked: dict[str, Any], processes: int) -> tuple[float, list[bytes]]:
    """(seconds of the longest way, the files)."""
    ctx: Any = Ctx(seed=3)
    ctx.processes = processes
    before = spent()
    result = learn.run(LearnParams(**asked), ctx)
    own, others = (after - was for after, was in zip(spent(), before, strict=True))
    return own + others / processes, [artifact.data for artifact in result.artifacts]


def main(names: list[str]) -> None:
    learn = Learn(Simulations(register_simulations()))
    for name, (sample, more) in QUESTIONS.items():
        if names and name not in names:
            continue
        asked = learn.given.samples()[sample]["settings"] | {"sample": sample} | more
        measured(learn, asked | {"starts": 1, "steps": 100, "particles": 50, "simulations": 500}, 1)  # compiles
        (alone, one), (shared, two) = measured(learn, asked, 1), measured(learn, asked, 2)
        print(f"{name:30} {alone:6.1f} s in one process, {shared:6.1f} s in two: {alone / shared:.2f} ×, {'the same bytes' if one == two else 'OTHER BYTES'}")


if __name__ == "__main__":
    main(sys.argv[1:])
