"""Counts of people by kind that move on event by event, seen at many times in one compiled loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.jit import compiled


@compiled
def stretch(rng, people, law, dt, steps):  # type: ignore[no-untyped-def]
    """Stands for a model's own events, which are put here: `steps` steps on from people (kinds,), in place."""
    for kind in range(people.shape[0]):
        people[kind] += 0


@compiled
def seen_at(rng, people, law, dt, counts, out):  # type: ignore[no-untyped-def]
    """From people (kinds,) at time 0: how many of each there are after `counts` (times,) steps, into out (times, kinds)."""
    done = 0
    for row in range(counts.shape[0]):
        stretch(rng, people, law, dt, counts[row] - done)
        done = counts[row]
        for kind in range(people.shape[0]):
            out[row, kind] = people[kind]


def seen(loop: Any, rng: np.random.Generator, people: NDArray[np.int64], law: Any, dt: float, counts: NDArray[np.int64], order: Sequence[int]) -> NDArray[np.int64]:
    """(times, kinds in that order); `loop` is seen_at with the model's events in it."""
    out = np.empty((len(counts), len(people)), dtype=np.int64)
    loop(rng, people, law, dt, counts, out)
    return out[:, order]
