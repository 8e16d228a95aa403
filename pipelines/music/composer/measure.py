"""Statistics of four-voice music on the grid, the same for Bach, for what is composed and for what is learnt. numpy only.

in_scale: notes in the key's scale (of a minor key natural, with the raised sixth and seventh), of all that begin. stepwise: moves of up to two semitones, of all moves of a
voice from one sounding note to the next that is another pitch. crossing: sixteenths in which some voice lies above a higher one, of all. parallels: pairs of voices that go
from a fifth to a fifth or from an octave (or unison) to another in one direction, by 100 chord changes (sixteenths in which some voice changes its pitch).
copied: the longest run that stands note for note in a training piece, in any one transposition, in all voices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pipelines.music.composer.grid import REST, VOICES, key_of, sounding
from pipelines.music.composer.sample import parallels

MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 9, 10, 11)


@dataclass(frozen=True)
class Measured:
    """Shares in per cent; parallels by 100 chord changes."""

    in_scale: float
    stepwise: float
    crossing: float
    parallels: float


def _sounds(pitch: Any) -> Any:
    return (pitch >= 0) & (pitch < REST)


def measure(pieces: Sequence[Any], keys: Sequence[tuple[int, bool]] | None = None) -> Measured:
    """Of all pieces (4, steps) together; in the keys that are given, else in those that are found."""
    counts = np.zeros(8)
    for number, tokens in enumerate(pieces):
        counts += _counted(np.asarray(tokens), keys[number] if keys else key_of(tokens))
    shares = 100 * counts[::2] / np.maximum(counts[1::2], 1)
    return Measured(*(float(share) for share in shares))


def _counted(tokens: Any, key: tuple[int, bool]) -> Any:
    """Eight numbers: notes in the scale, notes, steps, moves, crossings, sixteenths, parallels, chord changes."""
    pitch, begins = sounding(tokens)
    notes = pitch[begins]
    scale = np.isin((notes - key[0]) % 12, MINOR if key[1] else MAJOR).sum()
    moves = np.concatenate([np.diff(voice[mask]) for voice, mask in zip(pitch, begins, strict=True)])
    moves = abs(moves[moves != 0])
    heard = _sounds(pitch)
    crossed = np.zeros(pitch.shape[1], bool)
    faults = 0
    for high, low in combinations(range(VOICES), 2):
        crossed |= heard[high] & heard[low] & (pitch[high] < pitch[low])
        faults += int(parallels(pitch[high, :-1], pitch[high, 1:], pitch[low, :-1], pitch[low, 1:]).sum())
    changes = int((np.diff(pitch, axis=1) != 0).any(0).sum())
    return np.array([scale, len(notes), (moves <= 2).sum(), len(moves), crossed.sum(), len(crossed), faults, changes], float)


def symbols(tokens: Any, voices: Sequence[bool] = (True,) * VOICES) -> Any:
    """A number for each sixteenth that transposition leaves alone: every voice's step since the sixteenth before, whether it begins, how far it is from the first voice."""
    pitch, begins = sounding(np.asarray(tokens)[list(voices)])
    heard = _sounds(pitch)
    steps = np.where(heard & np.c_[np.zeros(len(pitch), bool), heard[:, :-1]], np.diff(pitch, axis=1, prepend=0), 0)
    apart = np.where(heard & heard[:1], pitch - pitch[:1], 200)
    made = np.zeros(pitch.shape[1], np.uint64)
    for row in np.concatenate([steps, begins.astype(int), apart, heard.astype(int)]):
        made = made * np.uint64(0x9E3779B97F4A7C15) + (row + 512).astype(np.uint64)
        made ^= made >> np.uint64(29)
    return made


FACTOR = np.uint64(0xD1342543DE82EF95)


def _powers(most: int) -> Any:
    return np.cumprod(np.r_[np.uint64(1), np.full(most, FACTOR)])


class Sources:
    """Training pieces made ready for `copied`: one row of numbers, no two pieces run into each other."""

    def __init__(self, pieces: Sequence[Any], voices: Sequence[bool] = (True,) * VOICES) -> None:
        self.voices = tuple(voices)
        rows = [row for number, piece in enumerate(pieces) for row in (symbols(piece, voices), np.array([2**63 + number], np.uint64))]
        self.sums = _sums(np.concatenate(rows))


def _sums(numbers: Any) -> Any:
    """Polynomial hashes of all beginnings, modulo 2^64 (Karp & Rabin 1987)."""
    made = np.zeros(len(numbers) + 1, np.uint64)
    total = 0
    for place, number in enumerate(numbers.tolist()):
        total = (total * int(FACTOR) + number) & 0xFFFFFFFFFFFFFFFF
        made[place + 1] = total
    return made


def _windows(sums: Any, length: int) -> Any:
    """A hash of every run of this length."""
    return sums[length:] - sums[: len(sums) - length] * _powers(length)[-1]


def copied(tokens: Any, sources: Sources) -> float:
    """Quarters of the longest run of `tokens` that stands in one of the sources, transposed or not, in all their voices at once. Rests alone do not count."""
    mine = symbols(tokens, sources.voices)
    silent = ~_sounds(sounding(np.asarray(tokens)[list(sources.voices)])[0]).any(0)
    sums = _sums(np.where(silent, np.arange(len(mine), dtype=np.uint64), mine))
    low, high = 0, min(len(mine), len(sources.sums) - 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.isin(_windows(sums, middle), _windows(sources.sums, middle)).any() else (low, middle - 1)
    return low / 4
