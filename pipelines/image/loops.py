"""Samplers that diffusers has no scheduler for, each as the loop of its paper over falling noise levels. No torch: what is computed with are numbers, arrays or tensors.

A loop is a generator. It yields (state, level): what the network shall look at next; it is sent (state, clean): that state as it stands, over which a
mask may have been laid meanwhile, and the clean picture foretold from it; it returns the last state. Its first state is None: that is the caller's.
Which levels are looked at depends on the levels alone, so that they are known before the first step.
Sources: Lu et al., DPM-Solver and DPM-Solver++, 2022; Karras et al., 2022 (algorithm 1); Xu et al., Restart sampling, 2023; ancestral steps after Song et al., 2020;
the settings of AUTOMATIC1111 (eta 1, the restarts' places and numbers).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pipelines.image.sigmas import karras

Loop = Generator[tuple[Any, float], tuple[Any, Any], Any]
Draw = Callable[[], Any]
RESTART_LOW, RESTART_HIGH = 0.1, 2.0  # noise is added at the level next to the first, up to the one next to the second
FEWEST_FOR_ONE, FEWEST_FOR_TWO = 20, 36  # steps from which on there is one restart, or two
STEPS_OF_ONE = 9


def towards(x: Any, clean: Any, level: float, following: float) -> Any:
    """The state at `following` were the clean picture the same all the way: a step of Euler's, and of DPM-Solver++ of the first order."""
    share = following / level
    return share * x + (1 - share) * clean


def ancestral(level: float, following: float) -> tuple[float, float]:
    """How far down to go, and how much noise then leads up to `following`."""
    up = min(following, math.sqrt(following**2 * (level**2 - following**2)) / level)
    return math.sqrt(max(0.0, following**2 - up**2)), up


def two_stage(levels: Sequence[float], draw: Draw) -> Loop:
    """DPM-Solver++(2S), ancestral: the clean picture is looked for once more at the geometric mean of both levels."""
    x: Any = None
    for level, following in pairwise(levels):
        x, clean = yield x, level
        down, up = ancestral(level, following)
        if following > 0:
            middle = math.sqrt(level * down)
            _, clean = yield towards(x, clean, level, middle), middle
        x = towards(x, clean, level, down)
        if following > 0:
            x = x + up * draw()
    return x


def stochastic(levels: Sequence[float], draw: Draw) -> Loop:
    """DPM-Solver++ for the stochastic equation, of second order with its middle at the geometric mean; both stages' noise is of one Brownian path over the level."""
    x: Any = None
    for level, following in pairwise(levels):
        x, clean = yield x, level
        if following == 0:
            return towards(x, clean, level, 0.0)
        middle = math.sqrt(level * following)
        down, up = ancestral(level, middle)
        first = draw()
        _, clean = yield towards(x, clean, level, down) + up * first, middle
        whole = (math.sqrt(level - middle) * first + math.sqrt(middle - following) * draw()) / math.sqrt(level - following)
        down, up = ancestral(level, following)
        x = towards(x, clean, level, down) + up * whole
    return x


def restarted(levels: Sequence[float], draw: Draw) -> Loop:
    """Heun's steps; from a low level noise leads back to a high one, and the way between is gone again."""
    x: Any = None
    last = levels[0]
    for level, following in restarts(levels):
        if level > last:
            x = x + math.sqrt(level**2 - last**2) * draw()
        x, clean = yield x, level
        slope, there = (x - clean) / level, towards(x, clean, level, following)
        if following > 0:
            there, clean = yield there, following
            there = x + (slope + (there - clean) / following) / 2 * (following - level)
        x, last = there, following
    return x


def restarts(levels: Sequence[float]) -> list[tuple[float, float]]:
    """(from, to) of each step, as many as `levels` has; where there are restarts, their steps are taken from the others', which Karras's levels then spread anew."""
    steps = len(levels) - 1
    times = 2 if steps >= FEWEST_FOR_TWO else 1 if steps >= FEWEST_FOR_ONE else 0
    if not times:
        return list(pairwise(levels))
    each = steps // 4 if times == 2 else STEPS_OF_ONE
    main = [*karras(steps - each * times, np.array([levels[-2], levels[0]])).tolist(), 0.0]
    low, high = (min(range(len(main)), key=lambda place, wanted=wanted: abs(main[place] - wanted)) for wanted in (RESTART_LOW, RESTART_HIGH))  # type: ignore[misc]
    again = karras(each + 1, np.array([main[low], main[high]])).tolist() if high < low else []
    return [*pairwise(main[: low + 1]), *list(pairwise(again)) * times, *pairwise(main[low:])]


def fast(levels: Sequence[float], draw: Draw) -> Loop:
    """DPM-Solver-fast, ancestral: steps of the third order, evenly over the logarithm of the level, the last ones of lower order so that the network runs once for each level."""
    x: Any = None
    count, low = len(levels) - 1, levels[-2]
    if count == 1:
        x, clean = yield x, levels[0]
        return towards(x, clean, levels[0], 0.0)
    orders = [3] * (count // 3 - 1) + [2, 1] if count % 3 == 0 else [3] * (count // 3) + [count % 3]
    marks = np.geomspace(levels[0], low, len(orders) + 1).tolist()
    for order, (level, following) in zip(orders, pairwise(marks), strict=True):
        down = max(low, ancestral(level, following)[0])
        x = yield from _solved(x, level, down, order)
        x = x + math.sqrt(max(0.0, following**2 - down**2)) * draw()
    return x


def _solved(x: Any, level: float, down: float, order: int) -> Loop:
    """A step of DPM-Solver of that order, with its middles at even places of the logarithm."""
    x, clean = yield x, level
    there, slope = towards(x, clean, level, down), (x - clean) / level
    if order == 1:
        return there
    size = math.log(level / down)
    if order == 2:
        middle = math.sqrt(level * down)
        state, clean = yield towards(x, clean, level, middle), middle
        return there - (level - down) * ((state - clean) / middle - slope)
    one, two = level * math.exp(-size / 3), level * math.exp(-size * 2 / 3)
    start = towards(x, clean, level, two)
    state, ahead = yield towards(x, clean, level, one), one
    state, ahead = yield start - 2 * two * _bend(size * 2 / 3) * ((state - ahead) / one - slope), two
    return there - 1.5 * down * _bend(size) * ((state - ahead) / two - slope)


def _bend(size: float) -> float:
    return math.expm1(size) / size - 1


LOOPS: dict[str, Callable[[Sequence[float], Draw], Loop]] = {"two_stage": two_stage, "stochastic": stochastic, "restarted": restarted, "fast": fast}


def looked_at(loop: str, levels: Sequence[float]) -> list[float]:
    """The levels at which the network runs, in their order."""
    going = LOOPS[loop](levels, lambda: 0.0)
    found = [next(going)[1]]
    while True:
        try:
            found.append(going.send((0.0, 0.0))[1])
        except StopIteration:
            return found
