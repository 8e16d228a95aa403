"""Trial: base of clinical trials whose patients run in a compiled loop: many parameter sets are observed without a way being kept to draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from studio.api import Numbers, Simulation, chance, steps_at


class Trial(Simulation):
    def leap(self, state: Any, params: Any, rng: np.random.Generator, steps: int) -> None:
        """So many steps on, in place."""
        raise NotImplementedError

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng, done = chance(seed), 0
            state = self.init(params, rng)
            for row, target in enumerate(steps_at(self, params, times)):
                self.leap(state, params, rng, int(target) - done)
                done = int(target)
                found[number, row] = list(self.observe(state, params).values())
        return found
