"""Keys, scales, chord progressions as people write them, the key and the chords of notes, and voices' ranges.

Sources: the key profiles are those of C. Krumhansl and E. Kessler, Psychological Review 89 (1982); finding a key by correlating them is
Krumhansl's and M. Schmuckler's method (Krumhansl, Cognitive Foundations of Musical Pitch, 1990, chapter 4).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from pipelines.music.chords import FLATS, LETTERS, NO_CHORD, QUALITIES, SHARPS, Chord, ChordError, parse_chord
from pipelines.music.score import Note, Piece
from studio.api import BadInput

SCALES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "harmonic minor": (0, 2, 3, 5, 7, 8, 11), "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10), "phrygian": (0, 1, 3, 5, 7, 8, 10), "lydian": (0, 2, 4, 6, 7, 9, 11), "mixolydian": (0, 2, 4, 5, 7, 9, 10), "locrian": (0, 1, 3, 5, 6, 8, 10),
    "major pentatonic": (0, 2, 4, 7, 9), "minor pentatonic": (0, 3, 5, 7, 10), "blues": (0, 3, 5, 6, 7, 10), "whole tone": (0, 2, 4, 6, 8, 10),
    "in": (0, 1, 5, 7, 8), "chromatic": tuple(range(12)),
}  # fmt: skip
SIGNATURES = {"dorian": 10, "phrygian": 8, "lydian": 7, "mixolydian": 5, "locrian": 1}  # semitones up to the major key of the same signature
MAJOR_TONICS = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
MINOR_TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B")
FLAT_KEYS = {"F", "Bb", "Eb", "Ab", "Db", "Gb", "Cb", "Dm", "Gm", "Cm", "Fm", "Bbm", "Ebm", "Abm"}
MAJOR_PROFILE = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR_PROFILE = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
KEY_CHOICES = (
    "",
    *(f"{name} major" for name in MAJOR_TONICS),
    *(f"{name} minor" for name in MINOR_TONICS),
    "D dorian",
    "E phrygian",
    "F lydian",
    "G mixolydian",
    "A harmonic minor",
    "C major pentatonic",
    "A minor pentatonic",
    "A blues",
    "D in",
)
ROMAN = {"i": 0, "ii": 1, "iii": 2, "iv": 3, "v": 4, "vi": 5, "vii": 6}
_ROMAN = re.compile(r"([b#]?)(VII|VI|V|IV|III|II|I|vii|vi|v|iv|iii|ii|i)")
_NOTE = re.compile(r"([A-Ga-g])([#b♯♭]?)(-?\d)")


# -- keys ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """`tonic` is a pitch class; `name` as it was written, "D dorian"."""

    name: str
    tonic: int
    scale: str

    @property
    def classes(self) -> tuple[int, ...]:
        """The scale's pitch classes from the tonic up."""
        return tuple((self.tonic + step) % 12 for step in SCALES[self.scale])

    @property
    def minor(self) -> bool:
        """Of a small third."""
        return 3 in SCALES[self.scale] and 4 not in SCALES[self.scale] or self.scale == "in"

    @property
    def signature(self) -> str:
        """As Piece.keys has it: "C", "F#m"; the tonic's own major or minor."""
        return f"{MINOR_TONICS[self.tonic]}m" if self.minor else MAJOR_TONICS[self.tonic]

    @property
    def flats(self) -> bool:
        relative = MAJOR_TONICS[(self.tonic + SIGNATURES[self.scale]) % 12] if self.scale in SIGNATURES else self.signature
        return relative in FLAT_KEYS or (self.scale in ("blues", "minor pentatonic", "in") and not self.signature.startswith(("F#", "C#", "G#")))

    def spelled(self, pitch_class: int) -> str:
        return (FLATS if self.flats else SHARPS)[pitch_class % 12]

    @property
    def harmony(self) -> tuple[int, ...]:
        """The seven pitch classes that chords are built from: those of the scale, where it has seven (of minor the natural ones); else of the major or minor one around it."""
        steps = SCALES[self.scale] if len(SCALES[self.scale]) == 7 and not self.scale.endswith(" minor") else SCALES["phrygian" if self.scale == "in" else "minor" if self.minor else "major"]
        return tuple((self.tonic + step) % 12 for step in steps)


def parse_key(text: str, place: str = "key") -> Key:
    """ "A minor", "Am", "d dorian", "Bb". Raises BadInput."""
    found = re.fullmatch(r"\s*([A-Ga-g])([#b♯♭]?)\s*(m|min)?\s*([A-Za-z ]*?)\s*", text)
    if found:
        tonic = (LETTERS[found[1].upper()] + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(found[2], 0)) % 12
        scale = "minor" if found[3] and not found[4] else (found[3] or "") + found[4].lower()
        scale = {"": "major", "natural minor": "minor", "aeolian": "minor", "ionian": "major", "pentatonic": "major pentatonic", "maj": "major"}.get(scale, scale)
        if scale in SCALES:
            return Key(f"{found[1].upper()}{found[2]} {scale}", tonic, scale)
    raise BadInput(f"“{text}” is no key that is known.", hint=f"Write a note and a scale, as “A minor”. Scales: {', '.join(SCALES)}.", field=place)


def key_of(signature: str) -> Key:
    """Of a name in Piece.keys."""
    minor = signature.endswith("m")
    return parse_key(f"{signature.removesuffix('m')} {'minor' if minor else 'major'}")


def find_key(notes: Iterable[Note]) -> Key:
    """The major or minor key whose profile fits the notes' lengths best; C major for none."""
    weights = np.zeros(12)
    for note in notes:
        weights[note.pitch % 12] += note.length
    if not weights.any():
        return parse_key("C major")
    best = max(((_fit(weights, profile, tonic), tonic, scale) for profile, scale in ((MAJOR_PROFILE, "major"), (MINOR_PROFILE, "minor")) for tonic in range(12)), key=lambda item: (item[0], -item[1]))
    names = MINOR_TONICS if best[2] == "minor" else MAJOR_TONICS
    return parse_key(f"{names[best[1]]} {best[2]}")


def _fit(weights: Any, profile: Sequence[float], tonic: int) -> float:
    turned = np.roll(np.asarray(profile), tonic)
    if np.ptp(weights) == 0:
        return 0.0
    return float(np.corrcoef(weights, turned)[0, 1])


def key_of_piece(piece: Piece) -> Key:
    """What its facts say; else its key signature; else what its notes tell."""
    told = piece.facts.get("key")
    if isinstance(told, str):
        try:
            return parse_key(told)
        except BadInput:
            pass
    if piece.keys:
        return key_of(piece.keys[0][1])
    return find_key(note for voice in piece.voices if not voice.drums for note in voice.notes)


# -- pitches ---------------------------------------------------------------------------------------------------


def parse_pitch(text: str) -> int:
    """ "C4" is 60. Raises ValueError."""
    found = _NOTE.fullmatch(text.strip())
    if not found:
        raise ValueError(text)
    pitch = 12 * (int(found[3]) + 1) + LETTERS[found[1].upper()] + {"#": 1, "♯": 1, "b": -1, "♭": -1}.get(found[2], 0)
    if not 0 <= pitch <= 127:
        raise ValueError(text)
    return pitch


def pitch_name(pitch: int, flats: bool = False) -> str:
    return f"{(FLATS if flats else SHARPS)[pitch % 12]}{pitch // 12 - 1}"


SMALLEST_RANGE = 7  # semitones: every chord has a tone in each range as wide as this


def parse_ranges(text: str) -> list[tuple[int, int] | None]:
    """ "C4-A5, , E2-C4" by voice; None where it is left out. Raises BadInput."""
    found: list[tuple[int, int] | None] = []
    for number, part in enumerate(text.split(",") if text.strip() else [], 1):
        if not part.strip():
            found.append(None)
            continue
        parts = re.fullmatch(r"\s*([A-Ga-g][#b♯♭]?-?\d)\s*[-–]\s*([A-Ga-g][#b♯♭]?-?\d)\s*", part)
        try:
            low, high = (parse_pitch(end) for end in parts.groups()) if parts else (-1, -1)
        except ValueError:
            low = high = -1
        if low < 0:
            raise BadInput(f"Range {number}, “{part.strip()}”, can't be read.", hint="Write the lowest and the highest note, as C4-A5, with commas between voices.", field="ranges")
        if high - low < SMALLEST_RANGE:
            raise BadInput(f"Range {number}, “{part.strip()}”, is too small.", hint=f"Give at least {SMALLEST_RANGE} semitones, a fifth.", field="ranges")
        found.append((low, high))
    return found


# -- progressions as they are written --------------------------------------------------------------------------


def parse_progression(text: str, key: Key, beats: int, place: str = "chords") -> list[list[str]]:
    """The chord names of each bar: "C | Am F | G7", roman numerals by the key, "%" for the bar before. Raises BadInput, which points at the character."""
    bars: list[list[str]] = []
    shown = text.replace("\n", "|")
    at = 0
    for cell in shown.split("|"):
        names = [_one(word.group(), key, at + word.start(), shown, place) for word in re.finditer(r"\S+", cell)]
        if names:
            if names == ["%"]:
                if not bars:
                    raise _pointed("There is no bar before the first “%”", shown, at + cell.index("%"), place)
                names = bars[-1]
            if len(names) > beats:
                raise BadInput(f"Bar {len(bars) + 1} has {len(names)} chords, but only {beats} beats.", hint="Give fewer chords in this bar.", field=place)
            bars.append(names)
        at += len(cell) + 1
    if not bars:
        raise BadInput("There are no chords in this text.", hint="Write them as C | Am F | G7.", field=place)
    return bars


def _one(word: str, key: Key, at: int, text: str, place: str) -> str:
    if word in ("%", NO_CHORD):
        return word
    if roman := _ROMAN.match(word):
        return _from_roman(roman, word, key, at, text, place)
    try:
        parse_chord(word)
    except ChordError as error:
        raise _pointed(str(error), text, at + error.at, place) from error
    return word


def _from_roman(found: re.Match[str], word: str, key: Key, at: int, text: str, place: str) -> str:
    """Small numerals are minor chords; a triad of the key that is diminished is written so: vii° or viidim."""
    degree = key.harmony[ROMAN[found[2].lower()]] + {"b": -1, "#": 1, "": 0}[found[1]]
    ending = word[found.end() :]
    quality = ("m" if found[2].islower() and not ending.startswith(("dim", "°", "o", "ø", "m")) else "") + ending
    try:
        return parse_chord(key.spelled(degree) + quality).name
    except ChordError as error:
        raise _pointed(str(error), text, at + min(len(word) - 1, found.end()), place) from error


def _pointed(message: str, text: str, at: int, place: str) -> BadInput:
    """With the text around the character that can't be read."""
    shown = f"{text[max(0, at - 12) : at]}»{text[at : at + 1] or ' '}«{text[at + 1 : at + 12]}"
    return BadInput(f"{message}, at character {at + 1}: {shown.strip()}", hint="Write chords as C, Am7, F#dim or Bb/D, with | between bars.", field=place)


# -- chords of notes -------------------------------------------------------------------------------------------

NAMED = ("", "m", "7", "m7", "maj7", "dim", "m7b5", "dim7", "aug", "sus4", "6", "m6", "sus2", "5")
FOUND = "found"  # as a piece's fact "chords": its chords' names were found in its notes


@lru_cache(maxsize=1)
def _tones() -> Any:
    """(12 · NAMED, 12): which pitch classes each chord has, root by root."""
    return np.array([[float((tone - root) % 12 in QUALITIES[quality]) for tone in range(12)] for root in range(12) for quality in NAMED])


def name_chord(weights: Sequence[float], bass: int = -1, flats: bool = False) -> str:
    """The chord whose tones hold most of the twelve weights, fewer tones and the bass as root preferred; "N.C." for silence."""
    held = np.asarray(weights, float)
    if held.sum() <= 0:
        return NO_CHORD
    tones, held = _tones(), held / held.sum()
    root, rank = np.repeat(np.arange(12), len(NAMED)), np.tile(np.arange(len(NAMED)), 12)
    scores = tones @ held - 0.12 * (tones @ (held <= 0)) - 0.02 * tones.sum(axis=1) - 0.004 * rank + 0.06 * (root == bass) + 0.05 * held[root]
    best = int(np.round(scores, 9).argmax())  # of equals the first
    return (FLATS if flats else SHARPS)[root[best]] + NAMED[rank[best]]


def spans_of(piece: Piece) -> list[tuple[int, int]]:
    """(start, beat) of each beat of a piece, by its metres; compound metres have dotted quarters."""
    found = []
    for (start, beats, unit), end in zip(piece.metres, [*(tick for tick, *_ in piece.metres[1:]), piece.length], strict=True):
        size = beat_ticks(beats, unit)
        found += [(tick, size) for tick in range(start, end, size)]
    return found


def beat_ticks(beats: int, unit: int) -> int:
    """6/8, 9/8 and 12/8 are counted in dotted quarters, 7/8 and 5/8 in eighths."""
    tick = 4 * 480 // unit
    return tick * 3 if unit == 8 and beats % 3 == 0 and beats > 3 else tick


def chords_of(piece: Piece) -> list[tuple[int, str]]:
    """Those written in it; else a name for each beat where the harmony changes, from all that sounds in it now."""
    if piece.chords and not chords_found(piece):
        return list(piece.chords)
    key = key_of_piece(piece)
    spans = spans_of(piece)
    notes = sorted(note for voice in piece.voices if not voice.drums for note in voice.notes)
    found: list[tuple[int, str]] = []
    first, longest = 0, max((note.length for note in notes), default=0)
    for start, size in spans:
        end = start + size
        while first < len(notes) and notes[first].start + longest <= start:
            first += 1
        weights, low = [0.0] * 12, 999
        for note in notes[first:]:
            if note.start >= end:
                break
            if (held := min(end, note.start + note.length) - max(start, note.start)) > 0:
                weights[note.pitch % 12] += held * (1.5 if note.start <= start else 1.0)
                low = min(low, note.pitch)
        if found and sum(weight > 0 for weight in weights) < 2:
            continue  # one tone alone tells no new chord
        name = name_chord(weights, low % 12 if low < 999 else -1, key.flats)
        if name == NO_CHORD and found:
            continue
        if not found or found[-1][1] != name:
            found.append((start, name))
    return found if any(name != NO_CHORD for _, name in found) else []


def chords_found(piece: Piece) -> bool:
    """Whether its chords' names were found in its notes: they are no longer true once those change."""
    return piece.facts.get("chords") == FOUND


def named(piece: Piece) -> Piece:
    """With the names of its chords: as written, else found in its notes as they are now, and marked so."""
    if piece.chords and not chords_found(piece):
        return piece
    return replace(piece, chords=tuple(chords_of(piece)), facts=piece.facts | {"chords": FOUND})


def out_of_key(chord: Chord, key: Key) -> list[str]:
    """Names of the chord's tones that its key has not."""
    return [key.spelled(tone) for tone in sorted(chord.classes) if tone not in key.classes]
