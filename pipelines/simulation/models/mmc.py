"""M/M/c: one waiting room, c doctors, arrivals and treatments at random. Erlang's queue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.jit import compiled
from pipelines.simulation.queueing import Queue
from studio.api import BadInput, Numbers, Params, Preset, Source, ui

MOST_THERE = 5_000  # people at once whose chances are carried on
MOST_TOGETHER, MOST_TABLE = 1_000_000, 20_000_000  # pairs of arrivals and departures between two rows, and in all


class MmcParams(Params):
    arrivals_per_hour: float = Field(5.0, ge=0, le=500, title="Arrivals", description="Mean number of patients who come in an hour.", json_schema_extra=ui(unit="per hour", live=True, step=0.1))
    served_per_hour: float = Field(2.0, ge=0.05, le=200, title="Treated by each", description="Mean number of patients a doctor treats in an hour of work.", json_schema_extra=ui(unit="per hour", live=True, step=0.1))
    doctors: int = Field(3, ge=1, le=100, title="Doctors", description="How many patients are treated at once.", json_schema_extra=ui(live=True))
    at_start: int = Field(0, ge=0, le=1000, title="There at the start", description="Patients who wait when the doors open.", json_schema_extra=ui(unit="people", advanced=True))


@compiled
def filtered(seen_system, seen_waiting, hours, start, room, law):  # type: ignore[no-untyped-def]
    """Log probability of what was seen of a birth-death chain; NaN is a gap. law is (λ, μ, c); numbers above `room` are left out.

    Between two looks the chances (room + 1,) are carried on by uniformisation (Jensen 1953).
    """
    now = np.zeros(room + 1)
    now[start] = 1.0
    fastest = law[0] + law[1] * min(law[2], room)
    total = 0.0
    before = 0.0
    for row in range(hours.shape[0]):
        mean = fastest * (hours[row] - before)
        before = hours[row]
        if mean > 0.0:
            pieces = int(mean // 200.0) + 1  # e^-mean stays a number
            for _ in range(pieces):
                weight = np.exp(-mean / pieces)
                term = now.copy()
                out = weight * term
                gathered = weight
                jumps = 0
                while gathered < 1.0 - 1e-13 and jumps < 2000:
                    jumps += 1
                    after = np.zeros(room + 1)
                    for n in range(room + 1):
                        up = law[0] / fastest if n < room else 0.0
                        down = law[1] * min(n, law[2]) / fastest
                        after[n] += term[n] * (1.0 - up - down)
                        if n < room:
                            after[n + 1] += term[n] * up
                        if n > 0:
                            after[n - 1] += term[n] * down
                    term = after
                    weight *= mean / pieces / jumps
                    gathered += weight
                    out += weight * term
                now = out
        kept = 0.0
        for n in range(room + 1):
            fits = (np.isnan(seen_system[row]) or seen_system[row] == n) and (np.isnan(seen_waiting[row]) or seen_waiting[row] == max(n - law[2], 0.0))
            now[n] = now[n] if fits else 0.0
            kept += now[n]
        if kept <= 0.0:
            return -np.inf
        total += np.log(kept)
        now /= kept
    return total


@compiled
def counted(came, went, there, hours, law):  # type: ignore[no-untyped-def]
    """Log probability of exactly `came` arrivals and `went` departures in each stretch of `hours`, from `there` patients at its beginning: all (rows,)."""
    total = 0.0
    for row in range(hours.shape[0]):
        k, d = int(came[row]), int(went[row])
        fastest = law[0] + law[1] * law[2]
        mean = fastest * hours[row]
        pieces = int(mean // 200.0) + 1
        now = np.zeros((k + 1, d + 1))
        now[0, 0] = 1.0
        for _ in range(pieces):
            weight = np.exp(-mean / pieces)
            term = now.copy()
            out = weight * term
            gathered = weight
            jumps = 0
            while gathered < 1.0 - 1e-13 and jumps < 2000:
                jumps += 1
                after = np.zeros((k + 1, d + 1))
                for i in range(k + 1):
                    for j in range(d + 1):
                        if term[i, j] > 0.0:
                            down = law[1] * min(max(there[row] + i - j, 0.0), law[2]) / fastest
                            after[i, j] += term[i, j] * (1.0 - law[0] / fastest - down)
                            if i < k:
                                after[i + 1, j] += term[i, j] * law[0] / fastest
                            if j < d:
                                after[i, j + 1] += term[i, j] * down
                term = after
                weight *= mean / pieces / jumps
                gathered += weight
                out += weight * term
            now = out
        if now[k, d] <= 0.0:
            return -np.inf
        total += np.log(now[k, d])
    return total


class Mmc(Queue):
    """Births at rate λ, deaths at rate μ·min(n, c). In the long run somebody waits with Erlang's chance C(c, λ/μ), on average C/(cμ − λ).

    Source: A. K. Erlang, Solution of some problems in the theory of probabilities of significance in automatic telephone exchanges, Elektroteknikeren 13 (1917).
    """

    id: ClassVar[str] = "mmc"
    title: ClassVar[str] = "Waiting room (M/M/c)"
    about: ClassVar[str] = (
        "Patients come at random, wait in one line and are treated by whichever doctor is free first. Near full use the line grows out of all proportion: a twentieth more patients can double the wait. "
        "One doctor more, or one line instead of several, does what haste can't."
    )
    Params: ClassVar[type[Params]] = MmcParams
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Three doctors, busy", {}, "Five of six hours at work: 70 of 100 patients wait."),
        Preset("A large clinic", {"arrivals_per_hour": 18.0, "served_per_hour": 1.0, "doctors": 20}, "As busy, but half wait, and not long."),
        Preset("Too few", {"arrivals_per_hour": 6.5}, "More come than can be treated: the line grows for ever."),
        Preset("Alone", {"arrivals_per_hour": 1.6, "doctors": 1}, "One doctor, four fifths busy: two hours on average."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("A. K. Erlang, Solution of some problems in the theory of probabilities of significance in automatic telephone exchanges, Elektroteknikeren 13 (1917) 5–13"),
        Source("J. D. C. Little, A proof for the queuing formula L = λW, Oper. Res. 9 (1961) 383–387", "https://doi.org/10.1287/opre.9.3.383"),
    )
    duration: ClassVar[float] = 100.0

    def law(self, params: MmcParams) -> Numbers:
        return np.array([params.arrivals_per_hour, 1 / params.served_per_hour, 1.0])

    def desks(self, params: MmcParams) -> int:
        return params.doctors

    def at_start(self, params: MmcParams) -> int:
        return params.at_start

    def expected_wait(self, params: MmcParams) -> float:
        spare = params.doctors * params.served_per_hour - params.arrivals_per_hour
        return 60 * chance_to_wait(params.doctors, params.arrivals_per_hour / params.served_per_hour) / spare if spare > 0 else math.inf

    def log_likelihood(self, data: Mapping[str, Numbers], times: Numbers, params: MmcParams) -> float:
        """Exact, of what was seen at `times` (hours since the start): `arrived` and `served` together, or `in_system` and `waiting` (either or both). NaN is a gap.

        Raises BadInput where neither is among the data.
        """
        law = np.array([params.arrivals_per_hour, params.served_per_hour, float(params.doctors)])
        if {"arrived", "served"} <= set(data):
            return self._counts_likelihood(np.asarray(data["arrived"], float), np.asarray(data["served"], float), np.asarray(times, float), params.at_start, law)
        if not {"in_system", "waiting"} & set(data):
            raise BadInput("The queue's likelihood needs “arrived” and “served” together, or “waiting” or “in_system”.", hint="Map a column to one of them, or learn by simulation (ABC).", field="columns")
        empty = np.full(len(times), np.nan)
        system, waiting = (np.rint(np.asarray(data.get(name, empty), dtype=np.float64)) for name in ("in_system", "waiting"))
        most = max(np.nanmax(np.append(system, 0)), np.nanmax(np.append(waiting, 0)) + params.doctors, params.at_start)
        room = int(most + 12 * math.sqrt(most + 1) + 30)
        return float(filtered(system, waiting, np.asarray(times, dtype=np.float64), params.at_start, room, law))

    def check_data(self, data: Mapping[str, Numbers], times: Numbers, params: MmcParams) -> None:
        if {"arrived", "served"} <= set(data):
            rows, came, went = _between(data["arrived"], data["served"])
            with np.errstate(invalid="ignore", over="ignore"):
                pairs = np.maximum(came + 1, 0) * np.maximum(went + 1, 0)
            if (wrong := pairs > MOST_TOGETHER).any():
                at = int(np.argmax(wrong))
                problem = f"Row {rows[at] + 1}: {came[at]:,.0f} came and {went[at]:,.0f} went since the row before. That is too many at once for the queue's likelihood."
                raise BadInput(problem, hint="Count from the first row on, give rows nearer in time, or learn by simulation (ABC).", field="links")
            if pairs.sum() > MOST_TABLE:
                raise BadInput("So many came and went between the rows that the queue's likelihood would take too long.", hint="Give rows nearer in time, or learn by simulation (ABC).", field="links")
        for name in {"in_system", "waiting"} & set(data):
            if (wrong := data[name] > MOST_THERE).any():
                at = int(np.argmax(wrong))
                problem = f"Row {at + 1}: {data[name][at]:,.0f} people are too many for the queue's likelihood; {MOST_THERE:,} is the most."
                raise BadInput(problem, hint="Look whether this column counts people, or learn by simulation (ABC).", field="links")

    def _counts_likelihood(self, arrived: Numbers, served: Numbers, times: Numbers, start: int, law: Numbers) -> float:
        there, came, went = _between(arrived, served)
        patients = np.append(start, start + np.cumsum(came - went))
        if (came < 0).any() or (went < 0).any() or (patients < 0).any():
            return -math.inf
        return float(counted(came, went, patients[:-1], np.diff(times[there], prepend=0.0), law))


def _between(arrived: Numbers, served: Numbers) -> tuple[NDArray[np.int64], Numbers, Numbers]:
    """(rows that have both, how many came and how many went since the row before or the start)."""
    there = np.flatnonzero(np.isfinite(arrived) & np.isfinite(served))
    return there, np.diff(np.rint(arrived[there]), prepend=0.0), np.diff(np.rint(served[there]), prepend=0.0)


def chance_to_wait(servers: int, offered: float) -> float:
    """Erlang C: `offered` is λ/μ; 1 where it is not below `servers`."""
    if offered >= servers:
        return 1.0
    lost = chance_of_loss(servers, offered)
    return lost / (1 - offered / servers * (1 - lost))


def chance_of_loss(servers: int, offered: float) -> float:
    """Erlang B by its recursion."""
    lost = 1.0
    for number in range(1, servers + 1):
        lost = offered * lost / (number + offered * lost)
    return lost
