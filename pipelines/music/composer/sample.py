"""Composing: the network's scores, step by step and voice by voice, within what is fixed and what is allowed.

To the scores two things are added that the network was not taught, both by `rules`: parallel fifths and octaves, crossing voices and a last chord beside the key's own
are made less likely. 0 leaves the network alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.composer.grid import FREE, HOLD, LOW, PITCHES, REST, VOICES, Frame, sounding, states
from pipelines.music.composer.play import Player, Reading, load
from pipelines.music.composer.recall import Memory, Recall

NEVER = -1e9
PARALLEL, CROSSING, MEETING, STRANGE_END = 5.0, 4.0, 1.5, 10.0  # MEETING: across a voice that may still move away; taken off a score, in nats, at rules = 1
DENSE = 2.0  # added to every beginning note's score at density = 1
ROUNDED = 4  # decimals of a score that count: below lies the rounding of one processor or another


@dataclass
class _Draw:
    """One piece being drawn. now: (4,) MIDI pitch that sounds, REST, or FREE before the start; tokens: (4, steps) as far as drawn."""

    frame: Frame
    fixed: Any
    allowed: Any
    temperature: float
    top_p: float
    density: float
    rules: float
    rests: bool
    chance: Any
    tokens: Any
    now: Any
    recall: Recall | None = None
    memory: Memory | None = None  # of what is drawn so far, where `recall` asks
    step: int = 0
    before: Any = None  # `now` of the step before
    settled: Any = None  # (4,) whether the voice is drawn at this step
    recalled: Any = None  # (4, 66) what the piece's own past adds to the scores

    def begin(self, step: int) -> None:
        if self.recall and self.memory:
            if step:
                self.memory.push(self.tokens[:, step - 1])
            self.recalled = self.recall.scores(self.memory.places())
        self.step, self.before = step, self.now.copy()
        self.settled = self.fixed[:, step] != FREE
        for voice in np.flatnonzero(self.settled):
            self._take(int(voice), int(self.fixed[voice, step]))

    def choose(self, voice: int, scores: Any) -> Any:
        """The voice's state at this step, drawn unless it is fixed."""
        if not self.settled[voice]:
            self._take(voice, self._token(voice, scores + self.recalled[voice] if self.recall else scores))
            self.settled[voice] = True
        pitch = self.now[voice]
        return states(pitch, self.tokens[voice, self.step] < REST, self.frame.tonic)

    def _take(self, voice: int, token: int) -> None:
        self.tokens[voice, self.step] = token
        if token != HOLD:
            self.now[voice] = token

    def _token(self, voice: int, scores: Any) -> int:
        scores = np.round(scores.astype(np.float64), ROUNDED)
        scores[:PITCHES] += DENSE * self.density
        scores[: PITCHES + 2] -= self.rules * self._faults(voice)
        scores = np.where(self._possible(voice), scores, NEVER)
        if scores.max() <= NEVER / 2:
            return REST
        number = pick(scores / self.temperature, self.top_p, float(self.chance[self.step, voice]))
        return number + LOW if number < PITCHES else (REST, HOLD)[number - PITCHES]

    def _possible(self, voice: int) -> Any:
        """Of the 66 tokens, which may come."""
        now = int(self.now[voice])
        may = np.ones(PITCHES + 2, bool)
        sounds = 0 <= now < REST
        may[PITCHES], may[PITCHES + 1] = self.rests, sounds
        if self.allowed is not None:
            may[:PITCHES] = self.allowed[voice, self.step, LOW : LOW + PITCHES]
            may[PITCHES + 1] = sounds and bool(self.allowed[voice, self.step, now])
        return may

    def _faults(self, voice: int) -> Any:
        """What each of the 66 tokens costs at rules = 1."""
        cost = np.zeros(PITCHES + 2)
        pitch = np.r_[np.arange(LOW, LOW + PITCHES), FREE, self.now[voice]]
        for other in range(VOICES):
            if other == voice or not 0 <= self.now[other] < REST:
                continue
            across = pitch > self.now[other] if other < voice else pitch < self.now[other]
            cost += (CROSSING if self.settled[other] else MEETING) * (across & (pitch >= 0) & (pitch < REST))
            if self.settled[other]:
                cost += PARALLEL * parallels(self.before[voice], pitch, self.before[other], self.now[other])
        ends = np.asarray(self.frame.ends, bool)
        if ends[self.step] and ends[self.step :].all():
            cost += STRANGE_END * self._strange(voice, pitch)
        return cost

    def _strange(self, voice: int, pitch: Any) -> Any:
        """Of the last chord: what is not in the tonic's triad (a minor key may end in major); of the bass, what is not the tonic."""
        place = (pitch - self.frame.tonic) % 12
        third = (3, 4) if self.frame.minor else (4,)
        return (pitch >= 0) & ~np.isin(place, (0,) if voice == VOICES - 1 else (0, 7, *third))


def parallels(before: Any, now: Any, other_before: Any, other_now: Any) -> Any:
    """Whether two voices go from a fifth to a fifth, or an octave (or unison) to another, in one direction. All MIDI pitches, or what is no pitch; any shapes that fit."""
    before, now, other_before, other_now = (np.asarray(given, np.int64) for given in (before, now, other_before, other_now))
    heard = [(given >= 0) & (given < REST) for given in (before, now, other_before, other_now)]
    moved = (now - before) * (other_now - other_before) > 0
    old, new = abs(before - other_before) % 12, abs(now - other_now) % 12
    return heard[0] & heard[1] & heard[2] & heard[3] & moved & (old == new) & ((new == 0) | (new == 7))


def pick(scores: Any, top_p: float, chance: float) -> int:
    """The token at `chance` (0 … 1) of the distribution, of whose tail 1 - top_p is cut away (Holtzman et al. 2020)."""
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    order = np.argsort(-likely, kind="stable")
    total = np.cumsum(likely[order])
    kept = int(np.searchsorted(total, min(top_p, total[-1]))) + 1
    return int(order[min(np.searchsorted(total[:kept], chance * total[kept - 1], side="right"), kept - 1)])


def sample(
    frame: Frame,
    fixed: Any = None,
    allowed: Any = None,
    voices: tuple[bool, ...] | None = None,
    temperature: float = 1.0,
    top_p: float = 0.98,
    density: float = 0.0,
    rules: float = 1.0,
    seed: int = 0,
    weights: Path | None = None,
    player: Player | None = None,
    check: Callable[[float], None] = lambda share: None,
    until: int | None = None,
) -> Any:
    """(4, steps) tokens of soprano, alto, tenor, bass; the same for the same arguments, bit for bit.

    fixed: (4, steps), FREE or the token that must be; fix whole notes, with their HOLDs. allowed: (4, steps, 128), pitches that may sound there; where none may, the voice rests.
    voices: those that are False are silent; None = those that the weights were made of. density: -1 fewer … 1 more notes. weights: a learnt style's file; or `player`, one that is in memory.
    check(share done) is called at each step and may raise. until: only so many steps are drawn, behind them all rests. Raises ModelBroken.
    """
    player = player or load(weights)
    steps = frame.steps
    fixed = np.full((VOICES, steps), FREE) if fixed is None else np.array(fixed, np.int64)
    for voice, there in enumerate(voices or player.voices):
        if not there:
            fixed[voice] = np.where(fixed[voice] == FREE, REST, fixed[voice])
    pitch, begins = sounding(fixed)
    reading = Reading(player, frame, pitch, begins, lambda: check(0.0))
    chance = np.random.Generator(np.random.PCG64(seed)).random((steps, VOICES))
    tokens = np.full((VOICES, steps), REST, np.int16)
    draw = _Draw(frame, fixed, allowed, max(temperature, 0.01), top_p, density, rules, player.rests, chance, tokens, np.full(VOICES, FREE), player.recall, Memory(frame))
    for step in range(steps if until is None else until):
        check(step / steps)
        draw.begin(step)
        reading.step(step, draw.choose)
    return tokens
