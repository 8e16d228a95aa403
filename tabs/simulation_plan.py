"""Plan: of an experiment's sizes the largest that is done in about a quarter of a minute, at the pace that is known of the model. No gradio."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

SECONDS = 15.0
FIELDS = ("x_count", "y_count", "replicates", "runs", "samples", "duration")
BOTH = ("x_count", "y_count", "replicates")
# Largest first, for models with chance in them, and without.
SIZES: dict[str, tuple[tuple[str, ...], list[tuple[int, ...]], list[tuple[int, ...]]]] = {
    "Sweep": (("x_count", "replicates"), [(31, 20), (21, 20), (21, 10), (11, 10), (11, 5), (11, 3)], [(31, 1), (21, 1), (11, 1)]),
    "Sweep of two": (BOTH, [(21, 21, 20), (21, 21, 5), (11, 11, 5), (11, 11, 3), (7, 7, 3)], [(21, 21, 1), (11, 11, 1), (7, 7, 1)]),
    "Repetitions": (("runs",), [(100,), (50,), (20,), (10,)], [(100,), (50,), (20,), (10,)]),
    "Compare": (("replicates",), [(50,), (20,), (10,), (5,), (3,)], [(1,)]),
    "Sensitivity": (("samples", "replicates"), [(256, 5), (128, 5), (64, 5), (64, 3), (64, 1), (32, 1)], [(256, 1), (128, 1), (64, 1), (32, 1)]),
}


def sizes(kind: str, stochastic: bool) -> list[dict[str, Any]]:
    names, by_chance, certain = SIZES[kind]
    return [dict(zip(names, size, strict=True)) for size in (by_chance if stochastic else certain)]


def fitting(found: list[dict[str, Any]], seconds: Callable[[dict[str, Any]], float], usual: float) -> dict[str, Any]:
    """The first of them that fits; the last one with shorter runs where none does; the last but one where nobody knows (`seconds` below 0).

    `usual` is how long a run is by itself; a "duration" of 0 means that.
    """
    taken = 0.0
    for size in found:
        taken = seconds(size | {"duration": 0})
        if taken < 0:
            return found[-2:][0] | {"duration": 0}
        if taken <= SECONDS:
            return size | {"duration": 0}
    return found[-1] | {"duration": rounded_down(usual * SECONDS / taken)}


def rounded_down(number: float) -> float:
    """To a figure that one would write."""
    power = 10.0 ** math.floor(math.log10(number))
    return float(f"{math.floor(number / power * 1.000001) * power:.1g}")
