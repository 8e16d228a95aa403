"""Any piece on the composer's grid: up to four voices by sixteenths, with metre and phrase ends. numpy only.

Drums are left out, times rounded to sixteenths. At each sixteenth the highest sounding note is the first voice's, the lowest the fourth's, of the notes between the highest the
second's and the lowest the third's; of one note only the first voice sounds. So parts written as four voices stay themselves, and of chords their outline is heard.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pipelines.music.composer.grid import FITS, HOLD, REST, VOICES, Frame, sounding
from pipelines.music.composer.training.data import Song
from pipelines.music.score import STEP, Piece

LEAST_SHARE = 0.05  # of its sixteenths must sound for a voice to be there
LONG = 8  # sixteenths: a note of the first voice that ends a phrase
APART = 16  # sixteenths at least from one phrase end to the next
FOREIGN, FINAL = 2.0, 0.1  # what a key loses by the share of notes outside its scale, gains where its tonic comes last, against a correlation with Krumhansl's profile


def song_of(piece: Piece, name: str = "") -> Song:
    """The piece as the network learns it; of a piece without notes all voices are silent."""
    steps = max(-(-piece.length // STEP), 1)
    tokens = _tokens(piece, steps)
    pitch, _ = sounding(tokens)
    voices = tuple(bool((row < REST).mean() >= LEAST_SHARE) for row in pitch)
    tokens[[not there for there in voices]] = REST
    place, bar = _metre(piece, steps)
    tonic, minor = _key(tokens)
    return Song(tokens, Frame(place, bar, _ends(tokens), tonic, minor), voices, name)


def _tokens(piece: Piece, steps: int) -> Any:
    notes = [note for voice in piece.voices if not voice.drums for note in voice.notes]
    sounds: list[list[tuple[int, int]]] = [[] for _ in range(steps)]  # (pitch, number of the note)
    for number, note in enumerate(notes):
        start = min(round(note.start / STEP), steps - 1)
        for step in range(start, min(max(round((note.start + note.length) / STEP), start + 1), steps)):
            sounds[step].append((note.pitch, number))
    tokens = np.full((VOICES, steps), REST, np.int16)
    before: list[int] = [-1] * VOICES
    for step, heard in enumerate(sounds):
        now = _placed(sorted(set(heard), reverse=True))
        for voice, sound in enumerate(now):
            if sound is not None:
                tokens[voice, step] = HOLD if sound[1] == before[voice] else sound[0]
        before = [-1 if sound is None else sound[1] for sound in now]
    return tokens


def _placed(heard: list[tuple[int, int]]) -> list[tuple[int, int] | None]:
    """From high to low: first voice, second, third, fourth."""
    if not heard:
        return [None] * VOICES
    inner = heard[1:-1]
    return [heard[0], inner[0] if inner else None, inner[-1] if len(inner) > 1 else None, heard[-1] if len(heard) > 1 else None]


def _metre(piece: Piece, steps: int) -> tuple[Any, Any]:
    place, bar = np.zeros(steps, np.int64), np.full(steps, 16)
    starts = [round(tick / STEP) for tick, *_ in piece.metres]
    for start, end, (_, beats, unit) in zip(starts, [*starts[1:], steps], piece.metres, strict=True):
        length = max(beats * 16 // unit, 1)
        place[start:end], bar[start:end] = np.arange(max(end - start, 0))[: max(steps - start, 0)] % length, length
    return place, bar


def _key(tokens: Any) -> tuple[int, bool]:
    """(tonic, minor) of a piece that may be a melody alone, whose few notes say less than chords: the scale and the last note count, too. Of 200 melodies 91 % are told right."""
    pitch, _ = sounding(tokens)
    sounds = (pitch >= 0) & (pitch < REST)
    if not sounds.any():
        return 0, False
    share = np.bincount(pitch[sounds] % 12, minlength=12) / sounds.sum()
    last = np.flatnonzero(sounds.any(0))[-1]
    final = pitch[sounds[:, last], last].min() % 12
    scores = []
    for minor, fits in enumerate(FITS):
        for tonic in range(12):
            turned = np.roll(share, -tonic)
            profile = np.corrcoef(turned, fits)[0, 1]
            scores.append((profile - FOREIGN * turned[FOREIGNERS[minor]].sum() + FINAL * (tonic == final), tonic, bool(minor)))
    return max(scores)[1:]


FOREIGNERS = ([1, 3, 6, 8, 10], [1, 4, 6, 9])  # beside the major scale, and beside the minor ones: the raised seventh is theirs


def _ends(tokens: Any) -> Any:
    """Phrases end with a long note of the first voice, with its last note before a rest, and with the piece."""
    first = tokens[0]
    ends = np.zeros(len(first), bool)
    begins = [*np.flatnonzero(first < REST).tolist(), len(first)]
    last = -APART
    for start, following in zip(begins[:-1], begins[1:], strict=True):
        rests = np.flatnonzero(first[start:following] == REST)
        end = start + int(rests[0]) if len(rests) else following
        final = following == len(first)
        if final or (start - last >= APART and (end - start >= LONG or following - end >= 4)):
            ends[start:end] = True
            last = start
    return ends


def cut(song: Song, start: int, end: int) -> Song:
    """Some of its steps."""
    frame = song.frame
    return Song(song.tokens[:, start:end], Frame(frame.place[start:end], frame.bar[start:end], frame.ends[start:end], frame.tonic, frame.minor), song.voices, song.name, song.tune)
