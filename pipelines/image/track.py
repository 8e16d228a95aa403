"""Where a job stands: which share of its work is done, though an enlarged step is longer than a small one and decoding is no step at all.

Work is counted in pixels; how long a pixel of each kind takes is learned from the last pictures of a model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pipelines.image.params import ImageParams
from pipelines.image.samplers import ADAPTIVE, AUTOMATIC, LOOKS, find
from studio.api import BadInput

Kind = Literal["step", "decode", "enlarge"]
RATIO: dict[Kind, float] = {"step": 1.0, "decode": 1.2, "enlarge": 0.23}  # time a pixel in units of a guided step of Stable Diffusion 1.5, on a processor
NEW = 0.5  # how much the last picture counts against those before


@dataclass
class Pace:
    """Seconds a pixel of each kind of work; unmeasured kinds in the usual proportion to the measured ones."""

    measured: dict[str, float] = field(default_factory=dict)

    def of(self, kind: Kind) -> float:
        if kind in self.measured:
            return self.measured[kind]
        known = [(name, self.measured[name]) for name in RATIO if name in self.measured]
        return RATIO[kind] * (known[0][1] / RATIO[known[0][0]] if known else 1.0)

    def learn(self, kind: Kind, pixels: float, seconds: float) -> None:
        if pixels <= 0 or seconds <= 0:
            return
        before = self.measured.get(kind, seconds / pixels)
        self.measured[kind] = before * (1 - NEW) + seconds / pixels * NEW


@dataclass(frozen=True)
class Piece:
    """One stretch of work of the same kind; `pixels` is all it handles, over all its steps."""

    kind: Kind
    pixels: float


def pieces(params: ImageParams, pictures: int, *, guided: bool = True) -> list[Piece]:
    """What `pictures` pictures take, in the order in which it is done; without guidance a step asks the network once instead of twice."""
    width = params.width + params.extend_left + params.extend_right
    height = params.height + params.extend_top + params.extend_bottom
    together, times = (pictures, 1) if params.together else (1, pictures)
    drawn, one = together * max(1, params.layers), float(width * height)  # what comes of one drawing, and is enlarged or drawn again one by one
    pixels = one * together * looked(params.layers)
    begun = params.denoising_strength if params.image else 1.0
    asked = (1 + guided + bool(params.pag_scale)) / 2  # perturbed attention asks for one answer more
    found = [Piece("step", pixels * asked * looks(params.sampler, params.steps, begun)), Piece("decode", pixels)]
    if params.hires_scale > 1:
        large = one * params.hires_scale**2
        again = params.hires_sampler if params.hires_sampler != AUTOMATIC else params.sampler
        found += [Piece("enlarge", one), Piece("step", large * asked * looks(again, params.hires_steps or params.steps, params.hires_strength)), Piece("decode", large)] * drawn
        one = large
    if params.upscale > 1:
        found += [Piece("enlarge", one)] * drawn
    return found * times


def looked(layers: int) -> int:
    """How many pictures the network looks at together: all layers, the whole that they make, and the one that is taken apart."""
    return layers + 2 if layers else 1


def looks(sampler: str, steps: int, share: float) -> int:
    """How often that share of the steps looks at the picture; for a sampler that finds their number itself, how often it usually does."""
    try:
        found = find(sampler)
    except BadInput:  # told when it is settled
        return max(1, int(steps * share))
    return max(1, int((LOOKS if found.loop == ADAPTIVE else steps) * share)) * found.evaluations


def seconds_of(work: list[Piece], pace: Pace) -> float:
    return sum(piece.pixels * pace.of(piece.kind) for piece in work)


class Track:
    """Follows the pieces of a job; `clock` tells seconds."""

    def __init__(self, work: list[Piece], pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self.work, self.pace, self._clock = work, pace, clock
        self._at = -1
        self._begun = self._from = 0.0

    def begin(self, kind: Kind) -> None:
        """The next piece of this kind; what was left out before it counts as done."""
        self._at = next((place for place in range(self._at + 1, len(self.work)) if self.work[place].kind == kind), self._at)
        self.mark(0.0)

    def mark(self, share: float) -> None:
        """`share` of the present piece is done; what it takes is measured from here."""
        self._begun, self._from = self._clock(), share

    def share(self, done: float = 0.0) -> float:
        """How much of all the work is done when `done` of the present piece is, 0 … 1."""
        whole = seconds_of(self.work, self.pace)
        if not whole or self._at < 0:
            return 0.0
        return (seconds_of(self.work[: self._at], self.pace) + done * seconds_of([self.work[self._at]], self.pace)) / whole

    def learn(self, share: float = 1.0) -> None:
        """`share` of the present piece is done: what was done since the mark took the time since then."""
        if self._at >= 0:
            piece = self.work[self._at]
            self.pace.learn(piece.kind, piece.pixels * (share - self._from), self._clock() - self._begun)
