"""SoundFont notes that come again: each sound is made once and put wherever it is struck. Layered pads ring for seconds after each note, so most of their time was the same sound made anew.

TinySoundFont's voices know nothing of each other, so a sum of notes is the notes summed. Where that does not hold, a note that silences another, `repeated` says so.
It also lets a modulation envelope rise the faster the harder a note is struck, up to eight times, which the SoundFont standard does not know: presets with one sound for every
force are made at the softest, where the rise takes the time that the file says, and then made as loud as each note is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipelines.music.sound.files import RATE, Samples, loudest
from pipelines.music.sound.playing import Check, Part

SILENT = 1e-5
SOFTEST = 1  # force
RINGS = 12.0  # seconds after its end at most
BLOCK = 64  # frames: a note's length to the nearest, for the library's envelopes move by as much
PIECE = RATE // 4
ALIKE = 1e-5  # of the loudest, what two sounds may differ by and be the same
TRIAL = RATE // 4
AFTER = RATE // 8  # of a note's end, what is compared: two releases that differ do so from their first steps on
CHUNK = 8192  # frames that are laid into the whole at once: both stay in a processor's near memory
Ready = Callable[[], None]
Strike = tuple[int, int]  # where, how hard


def grouped(part: Part) -> dict[tuple[int, int], list[Strike]]:
    """By (key, frames): where the note comes and how hard. A note that is struck again while it sounds ends there."""
    found: dict[tuple[int, int], list[Strike]] = defaultdict(list)
    until: dict[int, int] = {}
    for note in sorted(part.notes, key=lambda one: (one.start, one.pitch), reverse=True):
        end = min(note.start + note.frames, until.get(note.pitch, note.start + note.frames))
        until[note.pitch] = note.start
        frames = max(round((end - note.start) / BLOCK), 1) * BLOCK
        if end > note.start:
            found[note.pitch, frames].append((note.start, note.velocity))
    return dict(sorted(found.items()))


def worth_it(part: Part) -> bool:
    """Whether notes come again often enough. Drums silence each other and are short: never."""
    return not part.drums and 2 * len(grouped(part)) < len(part.notes)


def repeated(synth: Any, part: Part, ready: Ready, check: Check, loudness_alone: bool = False) -> Samples | None:
    """(2, frames) until it is silent; None where notes silence each other, or hardly any sound comes twice. `ready` makes the synth silent, with the part's program chosen.
    `loudness_alone`: the file has one sound for every force."""
    groups = grouped(part)
    if not _apart(synth, groups, ready):
        return None
    loud = _Loudness(synth, ready, check, loudness_alone)
    (key, frames), strikes = max(groups.items(), key=lambda one: _spread(one[1]))
    if not loud.scales(key, frames, strikes) and 2 * sum(len({force for _, force in strikes}) for strikes in groups.values()) > len(part.notes):
        return None
    longest = max(strikes[0][0] + frames for (_, frames), strikes in groups.items())
    made, end = np.zeros((longest + int(RINGS * RATE), 2), np.float32), 1
    for (key, frames), strikes in groups.items():
        for start, sound, gain in loud.placed(key, frames, strikes):
            last = min(start + len(sound), len(made))
            _laid(made[start:last], sound[: last - start], np.float32(gain))
            end = max(end, last)
    return made[:end].T


def _laid(whole: Samples, sound: Samples, gain: np.float32) -> None:
    """(frames, 2) both: the sound is added in place."""
    room = np.empty((CHUNK, 2), np.float32)
    for start in range(0, len(sound), CHUNK):
        part = sound[start : start + CHUNK]
        whole[start : start + CHUNK] += np.multiply(part, gain, out=room[: len(part)])


def _spread(strikes: list[Strike]) -> int:
    forces = [force for _, force in strikes]
    return max(forces) - min(forces)


class _Loudness:
    """The sounds of a key and a length for every force. Where the softest and the hardest are one sound louder or softer, so are those between: they are compared until a little after the note's end."""

    def __init__(self, synth: Any, ready: Ready, check: Check, alone: bool) -> None:
        self.synth, self.ready, self.check, self.alone = synth, ready, check, alone
        self.made: dict[tuple[int, int, int], Any] = {}

    def scales(self, key: int, frames: int, strikes: list[Strike]) -> bool:
        forces = [force for _, force in strikes]
        soft, hard = min(forces), max(forces)
        if soft == hard or self.alone:
            return True
        heard = _struck(self.synth, self.ready, key, soft, frames, frames + AFTER, self.check)
        return same(heard * np.float32(hard / soft), self._note(key, frames, hard, SILENT)[: len(heard)])

    def placed(self, key: int, frames: int, strikes: list[Strike]) -> Iterator[tuple[int, Any, float]]:
        """(start, sound, gain) of each strike; the sounds are forgotten then."""
        hard = max(force for _, force in strikes)
        struck = SOFTEST if self.alone else hard if self.scales(key, frames, strikes) else 0
        for start, force in sorted(strikes):
            self.check()
            yield start, self._note(key, frames, struck or force, SILENT * (struck or hard) / hard), force / (struck or force)
        self.made.clear()

    def _note(self, key: int, frames: int, force: int, silent: float) -> Any:
        wanted = key, frames, force
        if wanted not in self.made:
            self.made[wanted] = _note(self.synth, self.ready, key, force, frames, silent, self.check)
        return self.made[wanted]


def same(one: Any, two: Any) -> bool:
    """Whether two sounds (frames, 2) are one, as far as both last: the quieter one is at an end earlier."""
    frames = min(len(one), len(two))
    return bool(np.abs(one[:frames] - two[:frames]).max(initial=0.0) <= ALIKE * max(loudest(two), 1e-9))


def _note(synth: Any, ready: Ready, key: int, velocity: int, frames: int, silent: float, check: Check) -> Samples:
    """(frames, 2) of one note until nothing of it is louder than `silent`."""
    sound = [_struck(synth, ready, key, velocity, frames, frames, check)]
    for _ in range(int(RINGS * RATE / PIECE)):
        sound.append(_rendered(synth, PIECE, check))
        if loudest(sound[-1]) < silent:
            break
    return np.concatenate(sound)


def _struck(synth: Any, ready: Ready, key: int, velocity: int, frames: int, until: int, check: Check) -> Samples:
    """(until, 2) of one note that is let go after `frames`, at the end at the latest."""
    ready()
    synth.noteon(0, key, velocity)
    held = _rendered(synth, frames, check)
    synth.noteoff(0, key)
    return held if until == frames else np.concatenate([held, _rendered(synth, until - frames, check)])


def _rendered(synth: Any, frames: int, check: Check) -> Samples:
    """(frames, 2), in pieces between which Stop is heard."""
    made = np.empty((frames, 2), np.float32)
    bytes_of, both = made.data.cast("B"), made.itemsize * 2
    for start in range(0, frames, PIECE):
        check()
        size = min(PIECE, frames - start)
        synth.generate_simple(size, bytes_of[start * both : (start + size) * both])
    return made


def _apart(synth: Any, groups: dict[tuple[int, int], list[Strike]], ready: Ready) -> bool:
    """Tried with the lowest and the highest note: both at once are the one and the other summed."""
    low, high = min(groups)[0], max(groups)[0]
    if low == high:
        return True
    sounds = []
    for keys in ((low,), (high,), (low, high)):
        ready()
        for key in keys:
            synth.noteon(0, key, 100)
        sounds.append(_rendered(synth, TRIAL, lambda: None))
    return same(sounds[0] + sounds[1], sounds[2])
