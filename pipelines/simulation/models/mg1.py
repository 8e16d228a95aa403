"""M/G/1: one machine, arrivals at random, examinations of any regularity."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.simulation.queueing import Queue
from studio.api import Numbers, Params, Preset, Source, ui


class Mg1Params(Params):
    arrivals_per_hour: float = Field(2.4, ge=0, le=200, title="Arrivals", description="Mean number of patients who come in an hour.", json_schema_extra=ui(unit="per hour", live=True, step=0.1))
    service_minutes: float = Field(20.0, ge=0.5, le=600, title="Examination", description="Mean length of an examination.", json_schema_extra=ui(unit="min", live=True, step=0.5))
    variation: float = Field(
        0.5, ge=0, le=5, title="Variation", description="Standard deviation of the length over its mean: 0 always the same, 1 as irregular as chance.", json_schema_extra=ui(live=True, step=0.05)
    )
    at_start: int = Field(0, ge=0, le=1000, title="There at the start", description="Patients who wait when the doors open.", json_schema_extra=ui(unit="people", advanced=True))


class Mg1(Queue):
    """Pollaczek and Khinchine: the mean wait is λE[S²]/(2(1 − ρ)) = ρ/(1 − ρ)·(1 + v²)/2·E[S] with ρ = λE[S] and v the coefficient of variation.

    Sources: F. Pollaczek, Math. Z. 32 (1930) 64–100; A. Khinchine, Mat. Sbornik 39 (1932) 73–84.
    """

    id: ClassVar[str] = "mg1"
    title: ClassVar[str] = "Scanner (M/G/1)"
    about: ClassVar[str] = (
        "One scanner, one line, and examinations that take longer or shorter. The more their lengths vary, the longer everybody waits, though the scanner works no more than before. "
        "With lengths always the same the wait is half of what chance alone would make it."
    )
    Params: ClassVar[type[Params]] = Mg1Params
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("By the clock", {"variation": 0.0}, "M/D/1: always twenty minutes."),
        Preset("As it comes", {"variation": 1.0}, "M/M/1: twice the wait."),
        Preset("A few very long ones", {"variation": 2.5}, "Seven times the wait, at the same load."),
        Preset("Nearly full", {"arrivals_per_hour": 2.9}, "97 of 100 hours at work."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("F. Pollaczek, Über eine Aufgabe der Wahrscheinlichkeitstheorie, Math. Z. 32 (1930) 64–100", "https://doi.org/10.1007/BF01194620"),
        Source("A. Khinchine, Mathematical theory of a stationary queue, Mat. Sbornik 39 (1932) 73–84"),
    )
    duration: ClassVar[float] = 100.0

    def law(self, params: Mg1Params) -> Numbers:
        return np.array([params.arrivals_per_hour, params.service_minutes / 60, params.variation])

    def desks(self, params: Any) -> int:
        return 1

    def at_start(self, params: Mg1Params) -> int:
        return params.at_start

    def expected_wait(self, params: Mg1Params) -> float:
        load = params.arrivals_per_hour * params.service_minutes / 60
        return load / (1 - load) * (1 + params.variation**2) / 2 * params.service_minutes if load < 1 else math.inf
