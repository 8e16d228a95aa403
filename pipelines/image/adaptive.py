"""DPM-Solver with steps that it chooses itself: each is taken by the second and by the third order, and kept where both agree. No torch.

Sources: Lu et al., DPM-Solver, 2022 (appendix C, DPM-Solver-12/23); Söderlind, Digital filters in adaptive time-stepping, 2003 (the controller);
ancestral steps after Song et al., 2020; tolerances, first size and the limits of growth are k-diffusion's, eta 1 is AUTOMATIC1111's.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from pipelines.image.loops import Draw, Loop, ancestral

RELATIVE, ABSOLUTE = 0.05, 0.0078  # how far both orders may be apart, of a latent's size and at least
FIRST = 0.05  # the first step's size, in the logarithm of the level
ORDER = 1.5  # of the error where noise is added in each step
SAFETY = 0.81  # a step is kept whose successor would be this much of it or more
WEIGHTS = (0.0, 1.0, 0.0)  # of the controller's proportional, integral and differential share
NEARLY = 1e-5  # of the logarithm: so near is there
TINY = 1e-8


@dataclass
class StepSize:
    """A PID controller of the step's size."""

    size: float = FIRST
    weights: tuple[float, float, float] = WEIGHTS
    order: float = ORDER
    kept: list[float] = field(default_factory=list)  # 1 / error of the last two kept steps, the newer one first

    def keeps(self, error: float) -> bool:
        """Whether a step with that error is kept; the next one's size becomes what that error allows."""
        p, i, d = self.weights
        now = 1 / (error + TINY)
        before, earlier = self.kept or [now, now]
        factor = now ** ((p + i + d) / self.order) * before ** (-(p + 2 * d) / self.order) * earlier ** (d / self.order)
        factor = 1 + math.atan(factor - 1)
        keeps = factor >= SAFETY
        self.size *= factor
        self.kept = [now, before] if keeps else [before, earlier] if self.kept else [now, now]
        return keeps


class Adaptive:
    """From a high level down to a low one. `share` is how much of the way is gone, 0 … 1, in the logarithm of the level."""

    def __init__(self, high: float, low: float, draw: Draw) -> None:
        self.high = self.level = high
        self.low, self.draw = low, draw
        self.kept = self.refused = 0

    @property
    def share(self) -> float:
        whole = math.log(self.high / self.low)
        return 1 - math.log(self.level / self.low) / whole if whole else 1.0

    def loop(self) -> Loop:
        """Runs the network three times for a step, twice for one that is tried again with a smaller size."""
        x: Any = None
        steps, before = StepSize(), None
        while math.log(self.level / self.low) > NEARLY:
            x, clean = yield x, self.level
            before = x if before is None else before
            slope = (x - clean) / self.level
            while True:
                following = max(self.low, self.level * math.exp(-steps.size))
                down = max(self.low, ancestral(self.level, following)[0])
                second, third = yield from _both(x, slope, self.level, down)
                if steps.keeps(apart(second, third, before)):
                    break
                self.refused += 1
            before = second
            x = third + math.sqrt(max(0.0, following**2 - down**2)) * self.draw()
            self.level, self.kept = following, self.kept + 1
        return x


def _both(x: Any, slope: Any, level: float, down: float) -> Generator[tuple[Any, float], tuple[Any, Any], tuple[Any, Any]]:
    """The state at `down` by DPM-Solver of the second and of the third order, which share their first middle, at a third of the logarithm."""
    size = math.log(level / down)
    one, two = level * math.exp(-size / 3), level * math.exp(-size * 2 / 3)
    x_one, clean = yield x + (one - level) * slope, one
    bend = (x_one - clean) / one - slope
    straight = x + (down - level) * slope
    x_two, clean = yield x + (two - level) * slope - 2 * two * _bow(size * 2 / 3) * bend, two
    second = straight - 1.5 * (level - down) * bend
    return second, straight - 1.5 * down * _bow(size) * ((x_two - clean) / two - slope)


def _bow(size: float) -> float:
    return math.expm1(size) / size - 1


def apart(second: Any, third: Any, before: Any) -> float:
    """How far both are apart as a share of what is allowed: the mean square over all latents; 1 is just allowed."""
    size = (abs(second) + abs(before) + abs(abs(second) - abs(before))) / 2  # the larger of both
    allowed = (RELATIVE * size + ABSOLUTE + abs(RELATIVE * size - ABSOLUTE)) / 2
    return math.sqrt(float((((second - third) / allowed) ** 2).mean()))
