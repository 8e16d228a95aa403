"""Queue: base of waiting lines with Poisson arrivals, first come first served, and service times of any variation. Hours within, minutes where people look.

Sources: A. K. Erlang 1917; F. Pollaczek 1930, A. Khinchine 1932; J. D. C. Little, Oper. Res. 9 (1961) 383–387.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.charts import Chart, mixed, thinned, written
from pipelines.simulation.drawing import GROUND, INK, KINDS, canvas, picture_of
from pipelines.simulation.jit import compiled
from studio.api import Numbers, Picture, Series, Simulation, caption, chance, steps_at

STEP_HOURS = 1 / 60
TRAIL = 3000
QUEUE_SERIES = (
    Series("waiting", "Waiting", "people"),
    Series("in_system", "Waiting or served", "people"),
    Series("arrived", "Arrived", "people", "total"),
    Series("served", "Served", "people", "total"),
    Series("delayed", "Had to wait", "people", "total"),
    Series("mean_wait", "Mean wait so far", "min"),
)
# What `serve` counts: waiting, busy, arrived, served, delayed, begun, head of the ring of those waiting
WAITING, BUSY, ARRIVED, SERVED, DELAYED, BEGUN, HEAD = range(7)


@compiled
def service_time(rng, mean, variation):  # type: ignore[no-untyped-def]
    """Gamma with that coefficient of variation: 0 always the same, 1 exponential."""
    if variation == 0.0:
        return mean
    if variation == 1.0:
        return mean * rng.standard_exponential()
    shape = 1.0 / (variation * variation)
    return rng.standard_gamma(shape) * mean / shape


@compiled
def serve(rng, counts, sums, ends, ring, law, desks, dt, steps):  # type: ignore[no-untyped-def]
    """`steps` steps in place. sums is (time, next arrival, waits summed); ends (≥ desks,) when those served now are done; ring holds when those waiting came; law is (arrivals per hour, mean, variation).

    Gives the ring, a larger one where the line outgrew it.
    """
    for _ in range(steps):
        now, until = sums[0], sums[0] + dt
        while True:
            while counts[0] > 0 and counts[1] < desks:
                sums[2] += now - ring[counts[6]]
                counts[6] = (counts[6] + 1) % ring.shape[0]
                counts[0] -= 1
                counts[5] += 1
                ends[counts[1]] = now + service_time(rng, law[1], law[2])
                counts[1] += 1
            soonest = -1
            for desk in range(counts[1]):
                if soonest < 0 or ends[desk] < ends[soonest]:
                    soonest = desk
            if soonest >= 0 and ends[soonest] <= min(until, sums[1]):
                now = ends[soonest]
                counts[1] -= 1
                ends[soonest] = ends[counts[1]]
                counts[3] += 1
            elif sums[1] <= until:
                now = sums[1]
                sums[1] = now + (rng.standard_exponential() / law[0] if law[0] > 0.0 else np.inf)
                counts[2] += 1
                if counts[0] == ring.shape[0]:
                    larger = np.empty(2 * ring.shape[0])
                    for place in range(counts[0]):
                        larger[place] = ring[(counts[6] + place) % ring.shape[0]]
                    ring = larger
                    counts[6] = 0
                ring[(counts[6] + counts[0]) % ring.shape[0]] = now
                counts[0] += 1
                if counts[1] >= desks:
                    counts[4] += 1
            else:
                break
        sums[0] = until
    return ring


@compiled
def serve_at(rng, counts, sums, ends, ring, law, desks, dt, looks, out):  # type: ignore[no-untyped-def]
    """What is seen after `looks` (times,) steps, into out (times, series)."""
    done = 0
    for row in range(looks.shape[0]):
        ring = serve(rng, counts, sums, ends, ring, law, desks, dt, looks[row] - done)
        done = looks[row]
        out[row, 0] = counts[0]
        out[row, 1] = counts[0] + counts[1]
        out[row, 2] = counts[2]
        out[row, 3] = counts[3]
        out[row, 4] = counts[4]
        out[row, 5] = 60.0 * sums[2] / max(counts[5], 1)


@dataclass
class Line:
    """Counts, sums, ends of services and the ring of those waiting as in `serve`; the trail has (time, waiting, busy, mean wait)."""

    counts: NDArray[np.int64]
    sums: Numbers
    ends: Numbers
    ring: Numbers
    trail: list[tuple[float, float, float, float]] = field(default_factory=list)

    @property
    def mean_wait(self) -> float:
        """Hours, of those whose service has begun."""
        return float(self.sums[2] / self.counts[BEGUN]) if self.counts[BEGUN] else 0.0


class Queue(Simulation):
    """A model says `law` and `desks`. Arrivals are counted before the first time too: those in the system at the start came at time 0."""

    domain: ClassVar[str] = "Hospital"
    series: ClassVar[tuple[Series, ...]] = QUEUE_SERIES
    time_unit: ClassVar[str] = "h"
    stochastic: ClassVar[bool] = True

    def law(self, params: Any) -> Numbers:
        """(arrivals per hour, mean service time in hours, its coefficient of variation)."""
        raise NotImplementedError

    def desks(self, params: Any) -> int:
        """How many are served at once."""
        raise NotImplementedError

    def at_start(self, params: Any) -> int:
        """How many are there at the start."""
        return 0

    def time_step(self, params: Any) -> float:
        return STEP_HOURS

    def init(self, params: Any, rng: np.random.Generator) -> Line:
        law, there, desks = self.law(params), self.at_start(params), self.desks(params)
        busy = min(there, desks)
        counts = np.array([there - busy, busy, 0, 0, 0, busy, 0], dtype=np.int64)
        ends = np.full(max(desks, 1), np.inf)
        ends[:busy] = [service_time(rng, law[1], law[2]) for _ in range(busy)]
        first = rng.standard_exponential() / law[0] if law[0] > 0 else np.inf
        state = Line(counts, np.array([0.0, first, 0.0]), ends, np.zeros(max(64, 2 ** math.ceil(math.log2(there + 1)))))
        state.trail.append(told(state))
        return state

    def step(self, state: Line, params: Any, rng: np.random.Generator) -> Line:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Line, params: Any, rng: np.random.Generator, steps: int) -> Line:
        state.ring = serve(rng, state.counts, state.sums, state.ends, state.ring, self.law(params), self.desks(params), STEP_HOURS, steps)
        state.trail.append(told(state))
        del state.trail[:-TRAIL]
        return state

    def changed(self, state: Line, before: Any, params: Any, rng: np.random.Generator) -> Line:
        """Who is being served stays so; a new rate of arrivals holds from now on."""
        rate = self.law(params)[0]
        if rate != self.law(before)[0]:
            state.sums[1] = state.sums[0] + (rng.standard_exponential() / rate if rate > 0 else np.inf)
        more = self.desks(params) - len(state.ends)
        if more > 0:
            state.ends = np.concatenate([state.ends, np.full(more, np.inf)])
        return state

    def observe(self, state: Line, params: Any) -> dict[str, float]:
        waiting, busy, arrived, served, delayed = (float(count) for count in state.counts[:5])
        return {"waiting": waiting, "in_system": waiting + busy, "arrived": arrived, "served": served, "delayed": delayed, "mean_wait": 60 * state.mean_wait}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng = chance(seed)
            state = self.init(params, rng)
            serve_at(rng, state.counts, state.sums, state.ends, state.ring, self.law(params), self.desks(params), STEP_HOURS, steps_at(self, params, times), found[number])
        return found

    def pack(self, state: Line) -> Numbers:
        """How many wait: the one number that may be corrected without inventing people's histories."""
        return state.counts[:1].astype(np.float64)

    def unpack(self, state: Line, vector: Numbers) -> Line:
        """The last ones leave, or others join now."""
        waiting = max(0, round(float(vector[0])))
        ring = np.full(max(64, 2 ** math.ceil(math.log2(waiting + 1))), state.sums[0])
        kept = min(waiting, int(state.counts[WAITING]))
        ring[:kept] = state.ring[(state.counts[HEAD] + np.arange(kept)) % len(state.ring)]
        counts = state.counts.copy()
        counts[[WAITING, HEAD]] = waiting, 0
        return Line(counts, state.sums.copy(), state.ends.copy(), ring, list(state.trail))

    def expected_wait(self, params: Any) -> float:
        """In the long run, in minutes; infinite where more come than can be served."""
        raise NotImplementedError

    def render(self, state: Line, params: Any) -> Picture:
        """Who is served and who waits; below, how the line went and how long they waited against the long run."""
        image, draw = canvas()
        desks, busy, waiting = self.desks(params), int(state.counts[BUSY]), int(state.counts[WAITING])
        wide = min(30.0, 440 / max(desks, busy, 1))
        for desk in range(max(desks, busy)):
            left = 20 + desk * wide
            draw.rounded_rectangle((left, 16, left + wide - 4, 16 + min(wide, 26)), 4, fill=KINDS[2] if desk < busy else None, outline=KINDS[2])
        for place in range(min(waiting, 3 * 44)):
            x, y = 26 + place % 44 * 10, 62 + place // 44 * 14
            draw.ellipse((x - 3.5, y - 3.5, x + 3.5, y + 3.5), fill=KINDS[1])
        written(draw, (460, 108), caption("{waiting} waiting, {busy} of {desks} at work", waiting=waiting, busy=busy, desks=desks), anchor="rm")
        way = thinned(np.array(state.trail))
        span = (way[0, 0], max(way[-1, 0], way[0, 0] + 1))
        chart = Chart(draw, (44, 136, 466, 222), (*span, 0, max(way[:, 1].max() * 1.1, 5))).axes(up="waiting")
        chart.area(way[:, 0], 0 * way[:, 1], way[:, 1], mixed(KINDS[1], GROUND, 0.4)).line(way[:, 0], way[:, 1], KINDS[1], 1)
        expected = self.expected_wait(params)
        top = max(way[:, 3].max(), expected if math.isfinite(expected) else 0) * 1.15
        chart = Chart(draw, (44, 260, 466, 324), (*span, 0, max(top, 1))).axes("hours", "mean wait, minutes")
        chart.line(way[:, 0], way[:, 3], INK, 2)
        if math.isfinite(expected):
            chart.across(expected)
        return picture_of(image)


def told(state: Line) -> tuple[float, float, float, float]:
    return (float(state.sums[0]), float(state.counts[WAITING]), float(state.counts[BUSY]), 60 * state.mean_wait)
