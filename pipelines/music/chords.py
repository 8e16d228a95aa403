"""Chord names and what they hold: "Am7", "F#dim", "Bb/D". Pitch classes only; where the notes lie is composing's affair."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

NO_CHORD = "N.C."
SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
# The ending of a name, and its tones in semitones above the root; the first spelling of each set is the one that naming uses
QUALITIES: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11),
    "dim": (0, 3, 6), "aug": (0, 4, 8), "sus4": (0, 5, 7), "sus2": (0, 2, 7), "6": (0, 4, 7, 9), "m6": (0, 3, 7, 9),
    "dim7": (0, 3, 6, 9), "m7b5": (0, 3, 6, 10), "mmaj7": (0, 3, 7, 11), "7sus4": (0, 5, 7, 10), "aug7": (0, 4, 8, 10), "7b5": (0, 4, 6, 10),
    "9": (0, 2, 4, 7, 10), "m9": (0, 2, 3, 7, 10), "maj9": (0, 2, 4, 7, 11), "add9": (0, 2, 4, 7), "madd9": (0, 2, 3, 7), "6/9": (0, 2, 4, 7, 9),
    "7b9": (0, 1, 4, 7, 10), "7#9": (0, 3, 4, 7, 10), "11": (0, 2, 4, 5, 7, 10), "m11": (0, 2, 3, 5, 7, 10), "13": (0, 2, 4, 7, 9, 10), "m13": (0, 2, 3, 7, 9, 10), "5": (0, 7),
}  # fmt: skip
OTHER_SPELLINGS = {
    "maj": "", "M": "", "min": "m", "-": "m", "M7": "maj7", "ma7": "maj7", "Δ": "maj7", "Δ7": "maj7", "min7": "m7", "-7": "m7", "o": "dim", "°": "dim",
    "o7": "dim7", "°7": "dim7", "ø": "m7b5", "ø7": "m7b5", "m7-5": "m7b5", "min7b5": "m7b5", "+": "aug", "+7": "aug7", "7+": "aug7", "7#5": "aug7", "sus": "sus4",
    "min6": "m6", "-6": "m6", "mM7": "mmaj7", "mMaj7": "mmaj7", "m(maj7)": "mmaj7", "minmaj7": "mmaj7", "7sus": "7sus4", "69": "6/9", "M9": "maj9", "min9": "m9",
    "2": "add9", "(add9)": "add9", "m(add9)": "madd9", "7(b9)": "7b9", "7(#9)": "7#9", "-9": "m9",
}  # fmt: skip
_ROOT = re.compile(r"([A-G])([#♯b♭]?)")


@dataclass(frozen=True)
class Chord:
    """`root` and `bass` are pitch classes 0 … 11 (C is 0); `tones` are pitch classes, the root first. `name` is as it was written."""

    name: str
    root: int
    quality: str
    bass: int

    @property
    def tones(self) -> tuple[int, ...]:
        return tuple((self.root + tone) % 12 for tone in QUALITIES[self.quality])

    @property
    def classes(self) -> frozenset[int]:
        """With a bass that is none of the tones."""
        return frozenset((*self.tones, self.bass))


class ChordError(ValueError):
    """`at` is the place of the character where reading ended, 0 the first."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@lru_cache(maxsize=4096)
def parse_chord(name: str) -> Chord:
    """Raises ChordError with the place of the first character that can't be read."""
    found = _ROOT.match(name)
    if not found:
        raise ChordError("A chord begins with a letter from A to G", 0)
    root, rest, at = _pitch_class(found), name[found.end() :], found.end()
    if (quality := _quality(rest)) is not None:
        return Chord(name, root, quality, root)
    head, slash, low = rest.rpartition("/")
    bass = _ROOT.fullmatch(low) if slash else None
    quality = _quality(head if slash else rest)
    if quality is None:
        raise ChordError("This kind of chord is not known", at + _understood(head if slash else rest))
    if not bass:
        raise ChordError("After the stroke stands the bass note", at + len(head) + 1)
    return Chord(name, root, quality, _pitch_class(bass))


def is_chord(name: str) -> bool:
    """Also for "N.C.", no chord."""
    if name == NO_CHORD:
        return True
    try:
        parse_chord(name)
    except ChordError:
        return False
    return True


def _pitch_class(found: re.Match[str]) -> int:
    shift = {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(found[2], 0)
    return (LETTERS[found[1]] + shift) % 12


def _quality(text: str) -> str | None:
    return text if text in QUALITIES else OTHER_SPELLINGS.get(text)


def _understood(text: str) -> int:
    """How many of its first characters are a known ending."""
    return max(size for size in range(len(text) + 1) if _quality(text[:size]) is not None)
