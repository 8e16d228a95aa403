"""Equations: how models whose states are numbers run: differential equations, maps, stochastic equations, stocks and flows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.drawing import INK, KINDS, canvas, picture_of, ramp
from pipelines.simulation.ode import TRAIL, Point
from pipelines.simulation.own import machine
from pipelines.simulation.own.typed import Typed, on_step
from studio.api import Numbers, Picture, chance, font_for

PIECES = 100  # points of the way that a long advance leaves, so that its picture is smooth


def pieces(steps: int) -> list[int]:
    """Whole numbers, `steps` together."""
    each = max(1, steps // PIECES)
    return [each] * (steps // each) + ([steps % each] if steps % each else [])


class OwnOde(Typed):
    """dy/dt by Runge-Kutta, the gallery's own loop."""

    def advance(self, state: Point, params: Any, rng: np.random.Generator, steps: int) -> Point:
        for piece in pieces(steps):
            time, before = state.time, state.y.copy()
            state = super().advance(state, params, rng, piece)
            state.time = on_step(state.time, self.dt)
            if not np.isfinite(state.y).all():
                raise self._blown(time, before, params, piece)
        return state

    def states_at(self, params: Any, counts: Any, seed: int) -> Numbers:
        y = self.start(params, chance(seed))
        states = np.empty((len(counts), y.size))
        self._at(y.copy(), self.coefficients(params), self.time_step(params), counts, states)
        if not np.isfinite(states).all():
            raise self._blown(0.0, y, params, int(counts[-1]))
        return states

    def _blown(self, time: float, before: Numbers, params: Any, steps: int) -> Exception:
        """Halving finds the last step that went well; then each stage of the next one is looked at."""
        a, dt, good = self.coefficients(params), self.time_step(params), 0
        y = before.copy()
        while steps - good > 1:
            middle, tried = (good + steps) // 2, before.copy()
            self._advance(time, tried, a, dt, middle)
            if np.isfinite(tried).all():
                good, y = middle, tried
            else:
                steps = middle
        now, k = time + good * dt, np.zeros(y.size)
        for part in (0.0, 0.5, 0.5):
            error = self.broken(now + part * dt, y + part * dt * k, params)
            machine.rates(now + part * dt, y + part * dt * k, a, k := np.empty(y.size))
            if not np.isfinite(k).all():
                return error
        return self.broken(now + dt, y + dt * k, params)


class Walk(Typed):
    """Step by step, and with chance."""

    draws: ClassVar[NDArray[np.int64]]

    def advance(self, state: Point, params: Any, rng: np.random.Generator, steps: int) -> Point:
        dt, a = self.time_step(params), self.coefficients(params)
        for piece in pieces(steps):
            went = self.walk(state.time, state.y, a, params, rng, piece)
            state.time = on_step(state.time + went * dt, dt)
            if went < piece:
                raise self.broken(state.time, state.y, params)
            state.trail.append(state.y.copy())
            del state.trail[:-TRAIL]
        return state

    def states_at(self, params: Any, counts: Any, seed: int) -> Numbers:
        rng = chance(seed)
        y, dt, a, done = self.start(params, rng), self.time_step(params), self.coefficients(params), 0
        states = np.empty((len(counts), y.size))
        for row, count in enumerate(counts.tolist()):
            went = self.walk(done * dt, y, a, params, rng, count - done)
            if went < count - done:
                raise self.broken((done + went) * dt, y, params)
            done, states[row] = count, y
        return states

    def walk(self, time: float, y: Numbers, a: Any, params: Any, rng: np.random.Generator, steps: int) -> int:
        """y that many steps on, in place; how many went well."""
        raise NotImplementedError


class OwnMap(Walk):
    """x[n+1] from x[n]."""

    def walk(self, time: float, y: Numbers, a: Any, params: Any, rng: np.random.Generator, steps: int) -> int:
        return int(machine.iterate(time, y, a, self.draws, steps, rng))

    def likely_cause(self, params: Any) -> str:
        return "Other values of the parameters or at the start often help."

    def render(self, state: Point, params: Any) -> Picture | None:
        """Points, not a way: a map jumps. With one state, each value over the one before."""
        points = self.viewed(state) if len(self.sheet.laws) > 1 else np.column_stack([np.array(state.trail)[:-1], np.array(state.trail)[1:]])
        image, draw = canvas(480, 360)
        low = points.min(axis=0) if len(points) else np.zeros(2)
        wide = np.ptp(points, axis=0) if len(points) else np.ones(2)
        at = (points - low) / np.maximum(wide, 1e-9) * (450, -330) + (15, 345)
        for number, (x, y) in enumerate(at.tolist()):
            colour = tuple(int(value) for value in ramp("heat")[90 + 165 * (number + 1) // len(at)])
            draw.rectangle((x - 1, y - 1, x + 1, y + 1), fill=colour)
        return picture_of(image)


class OwnSde(Walk):
    """By Euler–Maruyama, or Milstein where each equation has its own noise."""

    terms: ClassVar[NDArray[np.int64]]
    sources_of_noise: ClassVar[int]
    stochastic: ClassVar[bool] = True

    def walk(self, time: float, y: Numbers, a: Any, params: Any, rng: np.random.Generator, steps: int) -> int:
        return int(machine.drift_on(time, y, a, self.terms, self.sources_of_noise, self.time_step(params), self.declaration.method == "milstein", steps, rng))


class OwnStocks(OwnOde):
    """Stocks as levels in tanks."""

    def render(self, state: Point, params: Any) -> Picture | None:
        """Each stock as a tank, as full as it is beside the most that it had."""
        image, draw = canvas(480, 300)
        names = self.sheet.states[:12]
        most = np.maximum(np.abs(np.array(state.trail)).max(axis=0), 1e-12)
        wide = 460 / len(names)
        for place, name in enumerate(names):
            left, right = 10 + place * wide + 0.12 * wide, 10 + (place + 1) * wide - 0.12 * wide
            full = float(np.clip(state.y[place] / most[place], 0, 1))
            draw.rectangle((left, 260 - 220 * full, right, 260), fill=KINDS[place % len(KINDS)])
            draw.line((left, 30, left, 260, right, 260, right, 30), fill=INK, width=2)
            draw.text((left, 268), f"{name[:14]} {state.y[place]:.4g}", fill=INK, font=font_for([name], 16))
        return picture_of(image)
