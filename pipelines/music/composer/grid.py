"""The form in which the composer sees music: tokens of four voices by sixteenths, and what is known of each step beforehand (metre, phrases, key). numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

VOICES = 4  # soprano, alto, tenor, bass
REST, HOLD = 128, 129  # tokens beside the 128 pitches: silent here; the note goes on
FREE = -1
LOW, PITCHES = 28, 64  # the network's own range, E1 … G6; what lies outside is heard an octave nearer
SILENT, BEFORE, UNKNOWN = PITCHES, PITCHES + 1, PITCHES + 2  # of a sounding state, beside the pitches
STATES = PITCHES + 3
NO_CLASS, UNKNOWN_CLASS = 12, 13  # beside the 12 pitch classes counted from the tonic
CLASSES = 14
FEATURES = (4, 8, 9, 2, 18, 16, 32, 17, 2)  # how many values each of `Frame.features` has
FEATURE_ROWS = sum(FEATURES)


@dataclass(frozen=True)
class Frame:
    """What is known of a piece before its notes, by sixteenths.

    place: sixteenths since the bar line; bar: length of the step's bar in sixteenths; ends: true while the last chord of a phrase sounds. tonic: 0 (C) … 11.
    """

    place: Any
    bar: Any
    ends: Any
    tonic: int = 0
    minor: bool = False

    @property
    def steps(self) -> int:
        return len(self.place)

    @classmethod
    def of(cls, steps: int, bar: int = 16, phrase: int = 32, tonic: int = 0, minor: bool = False, pickup: int = 0) -> Frame:
        """Bars and phrases of one length; each phrase closes on a chord that holds for a half of it at most, and for two quarters; with a pickup phrases end so much earlier in the bar."""
        place = (np.arange(steps) + bar - pickup) % bar if pickup else np.arange(steps) % bar
        ends = np.zeros(steps, bool)
        last = min(8, max(phrase // 2, 1))
        for end in [*range(phrase, steps, phrase), steps]:
            ends[max(end - last, 0) : end] = True
        return cls(place, np.full(steps, bar), ends, tonic, minor)

    def features(self) -> Any:
        """(9, steps) rows of one table: where in the quarter, which quarter, the bar, phrase end now, quarters to the next one, since the last, to the end, chord's rest, mode."""
        steps = np.arange(self.steps)
        ends = np.asarray(self.ends, bool)
        begins = ends & ~np.r_[False, ends[:-1]]
        nearest = _next(begins | ends)
        gone = steps - _last(ends)
        left = np.where(ends, _next(~ends) - steps, 0)
        columns = (
            np.asarray(self.place) % 4,
            np.minimum(np.asarray(self.place) // 4, 7),
            np.minimum(np.asarray(self.bar) // 4, 8),
            ends,
            np.where(nearest < self.steps, np.minimum(-(-(nearest - steps) // 4), 16), 17),
            np.minimum(gone // 4, 15),
            np.minimum((self.steps - steps) // 4, 31),
            np.minimum(left, 16),
            np.full(self.steps, int(self.minor)),
        )
        starts = np.cumsum([0, *FEATURES[:-1]])
        return np.stack(columns).astype(np.int64) + starts[:, None]


def _next(flags: Any) -> Any:
    """The first step at or behind each where the flag is set; the length where none is."""
    places = np.where(flags, np.arange(len(flags)), len(flags))
    return np.minimum.accumulate(places[::-1])[::-1]


def _last(flags: Any) -> Any:
    """The last step at or before each where the flag is set; 0 where none is."""
    return np.maximum.accumulate(np.where(flags, np.arange(len(flags)), 0))


def fold(pitch: Any) -> Any:
    """MIDI pitches as the network's 0 … 63; what is too low or too high by octaves nearer."""
    pitch = np.asarray(pitch)
    pitch = np.where(pitch < LOW, pitch + -(-(LOW - pitch) // 12) * 12, pitch)
    high = LOW + PITCHES - 1
    return np.where(pitch > high, pitch - -(-(pitch - high) // 12) * 12, pitch) - LOW


def sounding(tokens: Any) -> tuple[Any, Any]:
    """(pitch, begins) of (voices, steps) tokens: the MIDI pitch that sounds, REST, or FREE where that is unknown; whether it begins there.

    A HOLD behind a rest stays a rest; behind something unknown, or at the very start, it is unknown.
    """
    tokens = np.asarray(tokens)
    pitch = np.empty(tokens.shape, np.int64)
    now = np.full(len(tokens), FREE, np.int64)
    for step in range(tokens.shape[1]):
        now = np.where(tokens[:, step] == HOLD, now, tokens[:, step])
        pitch[:, step] = now
    return pitch, (tokens >= 0) & (tokens < REST)


def states(pitch: Any, begins: Any, tonic: int) -> Any:
    """(3, …) numbers that the network's tables take: state 0 … 66, class from the tonic 0 … 13, whether it begins."""
    known = (pitch >= 0) & (pitch < REST)
    state = np.where(known, fold(np.where(known, pitch, LOW)), np.where(pitch == REST, SILENT, UNKNOWN))
    classes = np.where(known, (pitch - tonic) % 12, np.where(pitch == REST, NO_CLASS, UNKNOWN_CLASS))
    return np.stack([state, classes, np.asarray(begins, np.int64)])


# Krumhansl and Kessler 1982: how well each class fits a key, from the tonic.
FITS = np.array([
    [6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88],
    [6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17],
])  # fmt: skip


def key_of(tokens: Any) -> tuple[int, bool]:
    """(tonic, minor) by how long each pitch class sounds, with the last lowest note counted for a bar more, as it mostly is the tonic."""
    pitch, _ = sounding(tokens)
    heard = pitch[(pitch >= 0) & (pitch < REST)]
    if not len(heard):
        return 0, False
    weights = np.bincount(heard % 12, minlength=12).astype(float)
    last = next(column for column in pitch.T[::-1] if ((column >= 0) & (column < REST)).any())
    weights[last[(last >= 0) & (last < REST)].min() % 12] += 0.05 * len(heard)
    scores = [(np.corrcoef(np.roll(weights, -tonic), fits)[0, 1], tonic, bool(mode)) for mode, fits in enumerate(FITS) for tonic in range(12)]
    _, tonic, minor = max(scores)
    return tonic, minor
