"""Ode: base of models that are ordinary differential equations, by the classical Runge-Kutta method of fourth order with fixed steps (Kutta 1901)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pipelines.simulation.jit import Compiled, compiled
from studio.api import Diverged, Numbers, Simulation, chance, steps_at

TRAIL = 3000  # points of the way that a picture shows
FOLLOWED = 0.2  # of its own time that a number may go on in one part of a step
SMALLEST = 1e-6  # of a step: shorter parts are not taken


@compiled
def rates(time, y, a, out):  # type: ignore[no-untyped-def]
    """Stands for a model's own equations, which are put here."""
    for i in range(y.shape[0]):
        out[i] = 0.0


@compiled
def swiftness(y, a):  # type: ignore[no-untyped-def]
    """Stands for a model's own word of how fast its numbers change at y, per time: a step is divided where it is too long for that. 0: never."""
    return 0.0


@compiled
def runge_kutta(time, y, a, dt, steps):  # type: ignore[no-untyped-def]
    """`steps` steps on from y (n,), in place; `rates(time, y, a, out)` writes dy/dt into out (n,). Parts of a step depend on y alone: a run is the same however it is asked for."""
    n = y.shape[0]
    k1, k2, k3, k4, at = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for step in range(steps):
        t, left = time + step * dt, dt
        while left > 0.0:
            fast, h = swiftness(y, a), left
            if fast * left > FOLLOWED:
                h = min(left, max(FOLLOWED / fast, SMALLEST * dt))
            rates(t, y, a, k1)
            for i in range(n):
                at[i] = y[i] + 0.5 * h * k1[i]
            rates(t + 0.5 * h, at, a, k2)
            for i in range(n):
                at[i] = y[i] + 0.5 * h * k2[i]
            rates(t + 0.5 * h, at, a, k3)
            for i in range(n):
                at[i] = y[i] + h * k3[i]
            rates(t + h, at, a, k4)
            for i in range(n):
                y[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i])
            t, left = t + h, left - h


@compiled
def runge_kutta_at(y, a, dt, counts, out):  # type: ignore[no-untyped-def]
    """From y (n,) at time 0: the states after `counts` (times,) steps into out (times, n)."""
    done = 0
    for row in range(counts.shape[0]):
        runge_kutta(done * dt, y, a, dt, counts[row] - done)
        done = counts[row]
        out[row] = y


@dataclass
class Point:
    """Where the solution is: its time, its values (n,), and the way it came."""

    time: float
    y: Numbers
    trail: list[Numbers] = field(default_factory=list)


class Ode(Simulation):
    """A model says `rates` (a compiled function (time, y, a, out)), `start` and `coefficients`, and `swiftness` (y, a) where its numbers may outrun its steps; observables come from `measured`."""

    rates: ClassVar[Compiled]
    swiftness: ClassVar[Compiled] = swiftness
    dt: ClassVar[float] = 0.01

    def __init__(self) -> None:
        own = {"rates": self.rates, "swiftness": self.swiftness}
        self._advance, self._at = runge_kutta.having(**own), runge_kutta_at.having(**own)

    def time_step(self, params: Any) -> float:
        return self.dt

    def parts(self, params: Any) -> int:
        """Into how many a step is divided: more than 1 where these values change faster than a whole step follows."""
        return 1

    def start(self, params: Any, rng: np.random.Generator) -> Numbers:
        """The initial values (n,)."""
        raise NotImplementedError

    def coefficients(self, params: Any) -> Numbers:
        """What `rates` gets as `a`."""
        raise NotImplementedError

    def measured(self, y: Numbers, params: Any) -> Numbers:
        """(…, series) from states (…, n): the states themselves if not told otherwise."""
        return y

    def init(self, params: Any, rng: np.random.Generator) -> Point:
        y = np.array(self.start(params, rng), dtype=np.float64)
        return Point(0.0, y, [y.copy()])

    def step(self, state: Point, params: Any, rng: np.random.Generator) -> Point:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Point, params: Any, rng: np.random.Generator, steps: int) -> Point:
        dt, a, parts = self.time_step(params), self.coefficients(params), self.parts(params)
        apart = max(1, round(self.duration / dt / TRAIL))  # so that the way is smooth however many steps are asked for at once
        for done in range(0, steps, apart):
            part = min(apart, steps - done)
            self._advance(state.time, state.y, a, dt / parts, part * parts)
            state.time += part * dt
            state.trail.append(state.y.copy())
            if len(state.trail) > 2 * TRAIL:  # however many steps are asked for
                del state.trail[:-TRAIL]
        del state.trail[:-TRAIL]
        return state

    def observe(self, state: Point, params: Any) -> dict[str, float]:
        return {series.name: float(value) for series, value in zip(self.series, self.measured(state.y, params), strict=True)}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.series)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            y = np.array(self.start(params, chance(seed)), dtype=np.float64)
            states = np.empty((len(times), y.size))
            parts = self.parts(params)
            self._at(y, self.coefficients(params), self.time_step(params) / parts, parts * steps_at(self, params, times), states)
            if not np.isfinite(states).all():
                at = int(np.argmin(np.isfinite(states).all(axis=1)))
                time = f"{times[at]:g} {self.time_unit}".strip()
                raise Diverged(f"The run blew up before time {time}.", hint=self.likely_cause(params))
            found[number] = self.measured(states, params)
        return found

    def likely_cause(self, params: Any) -> str:
        return "These values change faster than its steps follow: take some nearer to those of a preset."

    def pack(self, state: Point) -> Numbers:
        return state.y.copy()

    def unpack(self, state: Point, vector: Numbers) -> Point:
        return Point(state.time, np.array(vector, dtype=np.float64), list(state.trail))


class Traced(Ode):
    """Autonomous equations of few variables, whose picture shows every step of the way and not only where it was looked at."""

    def advance(self, state: Point, params: Any, rng: np.random.Generator, steps: int) -> Point:
        dt, a, parts = self.time_step(params), self.coefficients(params), self.parts(params)
        shown = min(steps, TRAIL)
        if steps > shown:  # nothing is kept of what no picture shows
            self._advance(state.time, state.y, a, dt / parts, parts * (steps - shown))
        way = np.empty((shown, state.y.size))
        self._at(state.y, a, dt / parts, parts * np.arange(1, shown + 1), way)
        state.time += steps * dt
        state.trail.extend(way)
        del state.trail[:-TRAIL]
        return state
