"""Tables of noise levels as AUTOMATIC1111 and k-diffusion make them from a model's own, with numpy alone; timesteps are between the trained ones.

`trained` are the model's levels in rising order, one for each of its timesteps. A table falls and ends with 0, "KL Optimal" with the lowest level.
Sources: Karras et al., 2022 (equation 5); Sabour et al., Align your steps, 2024 (tables; optimal schedule under a Gaussian); Lee et al., Beta sampling, 2024;
Lin et al., Common diffusion noise schedules, 2023 (trailing steps, here "SGM Uniform").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Levels = np.ndarray[Any, np.dtype[np.float64]]
RHO = 7.0
BETA = 0.6
ALIGNED = {
    "sdxl": (14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029),
    "": (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029),
}


def level_at(step: Levels, trained: Levels) -> Levels:
    """The level at a timestep, between trained ones along the logarithm."""
    return np.asarray(np.exp(np.interp(step, np.arange(len(trained)), np.log(trained))))


def step_of(level: Levels, trained: Levels) -> Levels:
    """The timestep of a level, between trained ones along the logarithm."""
    return np.interp(np.log(level), np.log(trained), np.arange(len(trained)))


def uniform(steps: int, trained: Levels) -> Levels:
    return level_at(np.linspace(len(trained) - 1, 0, steps), trained)


def trailing(steps: int, trained: Levels) -> Levels:
    return level_at(np.linspace(len(trained) - 1, 0, steps + 1)[:-1], trained)


def simple(steps: int, trained: Levels) -> Levels:
    return trained[[-(1 + int(number * len(trained) / steps)) for number in range(steps)]]


def leading(steps: int, trained: Levels) -> Levels:
    """Every so many timesteps from 1 on, as DDIM has them; more or fewer than asked for where they do not divide."""
    return trained[1 :: max(1, len(trained) // steps)][::-1]


def karras(steps: int, trained: Levels) -> Levels:
    ramp = np.linspace(0, 1, steps)
    low, high = trained[0] ** (1 / RHO), trained[-1] ** (1 / RHO)
    return (high + ramp * (low - high)) ** RHO


def exponential(steps: int, trained: Levels) -> Levels:
    return np.asarray(np.exp(np.linspace(np.log(trained[-1]), np.log(trained[0]), steps)))


def beta(steps: int, trained: Levels) -> Levels:
    from scipy.stats import beta as distribution

    return np.asarray(trained[0] + distribution.ppf(1 - np.linspace(0, 1, steps), BETA, BETA) * (trained[-1] - trained[0]))


def aligned(steps: int, trained: Levels, family: str) -> Levels:
    """The published levels of eleven steps; others between them along the logarithm."""
    known = np.array(ALIGNED.get(family, ALIGNED[""]))
    return np.exp(np.interp(np.linspace(0, 1, steps), np.linspace(0, 1, len(known)), np.log(known)))


def optimal(steps: int, trained: Levels) -> Levels:
    """All of steps + 1 levels: it ends above 0."""
    ramp = np.linspace(0, 1, steps + 1)
    return np.asarray(np.tan(ramp * np.arctan(trained[0]) + (1 - ramp) * np.arctan(trained[-1])))


TABLES: dict[str, Callable[[int, Levels], Levels]] = {"Uniform": uniform, "SGM Uniform": trailing, "Simple": simple, "DDIM": leading, "Karras": karras, "Exponential": exponential, "Beta": beta}


def table(schedule: str, steps: int, trained: Levels, *, family: str = "", discard: bool = False) -> Levels:
    """Levels for `steps` steps. `discard` makes one more and leaves the last one above 0 out. Raises KeyError for a schedule without a table."""
    count = steps + 1 if discard else steps
    if schedule == "KL Optimal":
        levels = optimal(count, trained)
    else:
        made = aligned(count, trained, family) if schedule == "Align Your Steps" else TABLES[schedule](count, trained)
        levels = np.append(made, 0.0)
    return np.delete(levels, -2) if discard else levels


def passes(steps: int, strength: float, *, second: bool) -> tuple[int, float]:
    """Steps and strength that make diffusers run AUTOMATIC1111's count from a picture: one step more than the share; all of them in a second pass."""
    share = min(strength, 0.999)
    if second:
        whole = int(steps / share) if share > 0 else 0
        return max(1, whole), min(1.0, (steps + 0.001) / whole) if whole else 1.0
    return steps, min(1.0, (int(share * steps) + 1 + 0.001) / steps)
