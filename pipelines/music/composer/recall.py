"""How a piece repeats itself: what each voice did some bars ago, and how long it has agreed with that place since. numpy only.

The network forgets bars; a style's repetitions it can't be told. So a learnt style adds to the network's scores what such places of the same piece foretell: whether a note
begins, which pitch, which step; by how far back they lie and how long the voice has followed them. The weights are learnt from the pieces (`training/recalled.py`).
Akin to the copying of PPM (Cleary & Witten 1984) and to neural caches (Grave et al. 2017), but log-linear, and by bars.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.music.composer.grid import HOLD, LOW, PITCHES, REST, VOICES, Frame, fold

BARS = (1, 2, 4, 8)  # how far back places lie; one more is where the voice has agreed for longest
PLACES = len(BARS) + 1
LEVELS = (0, 1, 4, 8, 16, 32)  # sixteenths of agreement from which on a place counts more
BEGINS, HOLDS, RESTS, NOTHING = 0, 1, 2, 3  # what a place foretells
NO_PITCH = PITCHES
COLUMNS = 6  # what, pitch, pitch by the step, levels of agreement in time, in pitch, in steps
MOST_BARS = 64
SHAPES = {"recall.time": (PLACES, len(LEVELS), 3), "recall.pitch": (PLACES, len(LEVELS)), "recall.leap": (PLACES, len(LEVELS))}


class Memory:
    """One piece as far as it is known; `places` asks about the next step, `push` tells it."""

    def __init__(self, frame: Frame) -> None:
        bars = np.asarray(frame.bar)
        self.bar = max(int(np.bincount(bars).argmax()), 1) if len(bars) else 16
        self.count = max(min(frame.steps // self.bar, MOST_BARS), 1)
        self.tokens = np.full((VOICES, frame.steps), REST, np.int64)
        self.step = 0
        self.time, self.pitch, self.leap, self.apart = (np.zeros((VOICES, self.count), np.int64) for _ in range(4))
        self.sounding = np.full((VOICES, frame.steps + 1), REST, np.int64)

    def places(self) -> Any:
        """(voices, PLACES, COLUMNS) of the next step; pitches are MIDI, -1 = none."""
        made = np.zeros((VOICES, PLACES, COLUMNS), np.int64)
        made[..., 0], made[..., 1:3] = NOTHING, -1
        there = min(self.step // self.bar, self.count)
        if not there:
            return made
        for number, bars in enumerate(BARS):
            if bars <= there:
                made[:, number] = self._place(np.full(VOICES, bars - 1))
        made[:, -1] = self._place(self._longest(there))
        return made

    def _longest(self, there: int) -> Any:
        """Of each voice the number of the bar's distance that it has agreed with for longest; of equals the nearest."""
        agreed = 2 * self.pitch[:, :there] + self.leap[:, :there]
        return agreed.argmax(1)

    def _place(self, distance: Any) -> Any:
        voice = np.arange(VOICES)
        token = self.tokens[voice, self.step - (distance + 1) * self.bar]
        begins = token < REST
        pitch = np.where(begins, token, -1)
        leap = np.where(begins, token + self.apart[voice, distance], -1)
        kind = np.where(begins, BEGINS, np.where(token == HOLD, HOLDS, RESTS))
        return np.stack([kind, pitch, leap, *(level(runs[voice, distance]) for runs in (self.time, self.pitch, self.leap))], -1)

    def push(self, tokens: Any) -> None:
        """tokens: (voices,) of the step that `places` was last asked of."""
        tokens = np.asarray(tokens, np.int64)
        step = self.step
        self.tokens[:, step] = tokens
        self.sounding[:, step] = now = np.where(tokens == HOLD, self.sounding[:, step - 1] if step else REST, tokens)
        there = min(step // self.bar, self.count)
        if there:
            self._agree(tokens[:, None], now[:, None], step - self.bar * np.arange(1, there + 1), there)
        self.step += 1

    def _agree(self, tokens: Any, now: Any, back: Any, there: int) -> None:
        old, sounded = self.tokens[:, back], self.sounding[:, back]
        alike = _kind(tokens) == _kind(old)
        apart = np.where((tokens < REST) & (old < REST), now - sounded, self.apart[:, :there])
        moved = apart != self.apart[:, :there]
        self.time[:, :there] = np.where(alike, self.time[:, :there] + 1, 0)
        self.pitch[:, :there] = np.where(tokens == old, self.pitch[:, :there] + 1, 0)
        self.leap[:, :there] = np.where(alike, np.where(moved, 0, self.leap[:, :there]) + 1, 0)
        self.apart[:, :there] = apart


def _kind(tokens: Any) -> Any:
    return np.where(tokens < REST, BEGINS, tokens)


def level(run: Any) -> Any:
    """Which of LEVELS a run of so many sixteenths reaches."""
    return np.searchsorted(LEVELS, run, side="right") - 1


class Recall:
    """The numpy half of nets/composer.Recall: what the next step's places add to its scores."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self.time, self.pitch, self.leap = (np.cumsum(np.asarray(weights[name], np.float32), axis=1) for name in SHAPES)

    @classmethod
    def of(cls, weights: dict[str, Any]) -> Recall | None:
        """None where a style has learnt no such thing."""
        return cls(weights) if all(name in weights for name in SHAPES) and any(np.any(weights[name]) for name in SHAPES) else None

    def scores(self, places: Any) -> Any:
        """(voices, 66) from `Memory.places`."""
        places, made = shifted(places, 0), np.zeros((len(places), NO_PITCH + 1), np.float32)
        place = np.arange(PLACES)
        kind = places[..., 0]
        time = self.time[place, places[..., 3], np.minimum(kind, RESTS)]
        begins, holds, rests = ((time * (kind == one)).sum(1) for one in (BEGINS, HOLDS, RESTS))
        for column, table in enumerate((self.pitch, self.leap)):
            np.add.at(made, (np.arange(len(places))[:, None], places[..., 1 + column]), table[place, places[..., 4 + column]])
        return np.concatenate([made[:, :NO_PITCH] + begins[:, None], rests[:, None], holds[:, None]], axis=1)


def recalled(tokens: Any, frame: Frame) -> Any:
    """(voices, steps, PLACES, COLUMNS): `Memory.places` of every step of a whole piece."""
    memory = Memory(frame)
    made = np.empty((*tokens.shape, PLACES, COLUMNS), np.int64)
    for step in range(tokens.shape[1]):
        made[:, step] = memory.places()
        memory.push(tokens[:, step])
    return made


def shifted(places: Any, shift: int) -> Any:
    """Places as the network takes them: pitches transposed, then 0 … 63, NO_PITCH = none."""
    made = places.copy()
    pitch = made[..., 1:3]
    made[..., 1:3] = np.where(pitch >= 0, fold(np.where(pitch >= 0, pitch + shift, LOW)), NO_PITCH)
    return made
