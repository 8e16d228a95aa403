"""Voices played from SoundFont files by TinySoundFont (MIT), note by note at their samples.

The file was read by studio/scan_soundfont.py before: an entry with a problem never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE, Samples, loudest
from pipelines.music.sound.playing import Check, Part
from pipelines.music.sound.repeated import SILENT, repeated, worth_it
from studio.api import Catalog, ModelBroken, ModelEntry, ModelMissing, ModelSpec, one_sound

SHIPPED = Path(__file__).parent / "soundfonts" / "FluidR3Mono_GM.sf3"
SHIPPED_KEY = "FluidR3Mono_GM"
SHIPPED_FRAMES = 71_997_184  # of its samples, at most; studio/scan_soundfont.py counts them
MOST_VOICES = 512  # of samples at once; beyond, the oldest end
TAIL = 12.0  # seconds that a last note may ring
PIECE = RATE // 4  # frames between two looks at Stop, and of the tail
DRUM_BANK = 128
ENDING = RATE // 20  # frames in which notes are surely gone that were ended at once: the library lets them out in 10 ms


def find(key: str, catalog: Catalog) -> ModelEntry:
    """ "" is the one that comes along. Raises ModelMissing, ModelBroken at the field."""
    try:
        entry = catalog.find(key or SHIPPED_KEY)
    except ModelMissing as error:
        raise ModelMissing(f"The SoundFont “{key or SHIPPED_KEY}” is not on this computer.", hint="Choose another one, or add one in the Models tab.", field="soundfont") from error
    if entry.kind != "soundfont" or entry.problem:
        raise ModelBroken(f"The SoundFont “{entry.title}” can't be used: {entry.problem or 'it is none'}", hint="Choose another one.", field="soundfont")
    return entry


def shipped() -> list[ModelEntry]:
    """FluidR3 Mono, MIT: its licence and its makers are beside it. [] where its file is missing."""
    if not SHIPPED.is_file():
        return []
    return [ModelEntry(SHIPPED_KEY, str(SHIPPED), "soundfont", "soundfont", SHIPPED.stat().st_size, "FluidR3 Mono", "SF3", source="built-in", details={"frames": SHIPPED_FRAMES})]


def weight(entry: ModelEntry) -> int:
    """Bytes that its samples take once they are read."""
    return entry.bytes + 4 * int(entry.details.get("frames", entry.bytes))


def soundfont_spec(entry: ModelEntry) -> ModelSpec[Any]:
    def load(report: Any) -> Any:
        try:
            return opened(Path(entry.path))
        except Exception as error:  # what the native library says to a file that is not quite one
            raise ModelBroken(f"The SoundFont “{entry.title}” can't be used: it is damaged.", hint="Choose another one.", field="soundfont") from error

    return ModelSpec(entry.key, weight(entry), load)


@dataclass(frozen=True)
class Font:
    """A file that was read; `one_sound` are its (bank, program) where force is loudness alone, and whether a modulation envelope takes its time there."""

    synth: Any
    one_sound: dict[tuple[int, int], bool]


def opened(path: Path) -> Font:
    """Raises what the native library says to a damaged file."""
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=RATE)
    synth.sfload(str(path), max_voices=MOST_VOICES)
    with path.open("rb") as file:
        return Font(synth, one_sound(file))


def engine_of(font: Font) -> Callable[[Part, Check], Samples]:
    def engine(part: Part, check: Check) -> Samples:
        return sounded(font, part, check)

    return engine


def sounded(opened_font: Font, part: Part, check: Check) -> Samples:
    """(2, frames) until it is silent."""
    synth = opened_font.synth
    (font,) = synth.soundfonts.values()
    place = 0, part.program
    by_notes = worth_it(part) or (not part.drums and opened_font.one_sound.get(place, False))

    def ready() -> None:
        font.reset()
        synth.generate_simple(ENDING, memoryview(bytearray(8 * ENDING)))
        _choose(synth, part)

    made = repeated(synth, part, ready, check, place in opened_font.one_sound) if by_notes else None
    if made is None:
        ready()
        made = _in_turn(synth, events(part), check)
    font.reset()
    return made


def _in_turn(synth: Any, struck: list[tuple[int, int, int, int]], check: Check) -> Samples:
    """Notes begin and end at their own frames: what is between two events is made in one piece."""
    made, place = np.empty((struck[-1][0] + (int(TAIL * RATE / PIECE)) * PIECE, 2), np.float32), 0  # memory that is never written to is never taken
    bytes_of, both = made.data.cast("B"), made.itemsize * 2
    for frame, kind, key, velocity in struck:
        while place < frame:
            size = min(PIECE, frame - place)
            check()
            synth.generate_simple(size, bytes_of[place * both : (place + size) * both])
            place += size
        if kind:
            synth.noteon(0, key, velocity)
        else:
            synth.noteoff(0, key)
    while place < len(made):
        check()
        synth.generate_simple(PIECE, bytes_of[place * both : (place + PIECE) * both])
        place += PIECE
        if loudest(made[place - PIECE : place]) < SILENT:
            break
    return made[:place].T


def _choose(synth: Any, part: Part) -> None:
    """The program in its bank; a file without it plays its first one. Fonts with a single instrument have no drums."""
    ((number, font),) = synth.soundfonts.items()
    if part.drums and font.get_preset_index(DRUM_BANK, 0) >= 0:
        synth.program_select(0, number, 0, 0, True)
    elif not part.drums and font.get_preset_index(0, part.program) >= 0:
        synth.program_select(0, number, 0, part.program)
    else:
        font.channel_set_preset_index(0, 0)
        synth.channel[0] = number


def events(part: Part) -> list[tuple[int, int, int, int]]:
    """(frame, 1 begins or 0 ends, key, velocity) in order. Of a note that is struck again while it sounds the first one ends there: one key can't be let go twice."""
    found: list[tuple[int, int, int, int]] = []
    until: dict[int, int] = {}
    for note in sorted(part.notes, key=lambda one: (one.start, one.pitch), reverse=True):
        end = min(note.start + note.frames, until.get(note.pitch, note.start + note.frames))
        until[note.pitch] = note.start
        found.append((note.start, 1, note.pitch, note.velocity))
        if end > note.start:
            found.append((end, 0, note.pitch, 0))
    return sorted(found)
