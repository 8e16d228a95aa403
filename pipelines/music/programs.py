"""Instruments as people write them for the voices of a piece: General MIDI's names or numbers, or an ensemble's name."""

from __future__ import annotations

import difflib

from pipelines.music.presets import ENSEMBLES
from pipelines.music.sound.programs import PROGRAM_NAMES
from studio.api import BadInput, Fix


def parse_instruments(text: str, voices: int) -> list[int]:
    """A program for each voice, -1 for its own: "Strings", or "Flute, , 42" in the order of voices. Raises BadInput."""
    if not text.strip():
        return [-1] * voices
    known = {name.lower(): programs for name, programs in ENSEMBLES.items()}
    if programs := known.get(text.strip().lower()):
        return [programs[min(number, len(programs) - 1)] for number in range(voices)]
    found = [_one(word.strip()) for word in text.split(",")]
    if len(found) > voices:
        raise BadInput(f"There are {len(found)} instruments for {voices} voices.", hint="Give one for each voice, or fewer.", field="instruments")
    return found + [-1] * (voices - len(found))


def _one(word: str) -> int:
    if not word:
        return -1
    if word.isdecimal() and int(word) < len(PROGRAM_NAMES):
        return int(word)
    names = {name.lower(): number for number, name in enumerate(PROGRAM_NAMES)}
    if word.lower() in names:
        return names[word.lower()]
    near = difflib.get_close_matches(word.lower(), names, 1)
    fix = Fix({}, f"Use {PROGRAM_NAMES[names[near[0]]]}", {"instruments": (word, PROGRAM_NAMES[names[near[0]]])}) if near else None
    raise BadInput(f"There is no instrument “{word}”.", hint="Use a name of General MIDI, a number from 0 to 127, or an ensemble.", field="instruments", fix=fix)
