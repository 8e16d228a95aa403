"""SoundFont notes that come again are made once: the sound is that of the notes one after the other, with less work, and not where notes silence each other."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipelines.music.sound.files import RATE
from pipelines.music.sound.playing import Part
from pipelines.music.sound.repeated import SILENT, grouped, repeated, worth_it
from pipelines.music.sound.soundfont import SHIPPED, Font, _choose, _in_turn, events, opened, sounded
from pipelines.music.sound.synth.player import Sounding
from studio.scan_soundfont import ALL_FORCES, FORCES, INSTRUMENT, RISE, SAMPLE, one_sound


def part(program: int, forces: tuple[int, ...] = (60, 100), keys: tuple[int, ...] = (60, 67), count: int = 16, drums: bool = False) -> Part:
    notes = tuple(Sounding(number * RATE // 4, RATE // 4 - 300, keys[number % len(keys)], forces[number % len(forces)]) for number in range(count))
    return Part(0, "", program, drums, notes)


@pytest.fixture(scope="module")
def font() -> Font:
    return opened(SHIPPED)


class Counting:
    """A synth that counts the frames of sounding notes that it makes."""

    def __init__(self, synth: Any) -> None:
        self.synth, self.frames = synth, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.synth, name)

    def generate_simple(self, frames: int, buffer: Any) -> None:
        self.frames += frames
        self.synth.generate_simple(frames, buffer)


def test_notes_are_grouped_by_key_and_length_and_one_that_is_struck_again_ends_there() -> None:
    twice = Part(0, "", 0, False, (Sounding(0, 6400, 60, 90), Sounding(3200, 6400, 60, 50), Sounding(0, 6410, 64, 90)))
    assert grouped(twice) == {(60, 3200): [(0, 90)], (60, 6400): [(3200, 50)], (64, 6400): [(0, 90)]}
    assert worth_it(part(88)) and not worth_it(part(88, drums=True)) and not worth_it(part(88, keys=tuple(range(40, 56))))


@pytest.mark.parametrize("program", [88, 91, 0])
def test_the_sound_is_that_of_notes_in_turn(font: Font, program: int) -> None:
    """But for where the envelopes' steps of 64 frames begin. The same each time, to the bit."""
    notes = part(program, forces=(60, 100, 80))
    made = sounded(font, notes, lambda: None)
    again = sounded(font, notes, lambda: None)
    turn = in_turn(font, notes)
    frames = min(made.shape[1], turn.shape[1])
    assert np.array_equal(made, again) and np.abs(made).max() > 0.01
    assert np.abs(made[:, :frames] - turn[:, :frames]).max() < 0.05 * np.abs(turn).max()


def in_turn(font: Font, notes: Part) -> Any:
    (native,) = font.synth.soundfonts.values()
    native.reset()
    font.synth.generate_simple(RATE // 10, memoryview(bytearray(8 * (RATE // 10))))
    _choose(font.synth, notes)
    return _in_turn(font.synth, events(notes), lambda: None)


def test_presets_with_one_sound_for_every_force_are_found(font: Font) -> None:
    """By what the file says."""
    assert font.one_sound[0, 101] and font.one_sound[0, 95] and not font.one_sound[0, 88] and (0, 0) not in font.one_sound


def soundfont(presets: list[tuple[int, list[list[tuple[int, int]]]]], instruments: list[list[list[tuple[int, int]]]]) -> io.BytesIO:
    """Lists of presets (program, zones) and of instruments, each zone a list of generators; no sounds."""

    def lists(head: bytes, entries: list[tuple[bytes, list[list[tuple[int, int]]]]]) -> dict[bytes, bytes]:
        bags, generators, heads = b"", b"", b""
        for about, zones in entries:
            heads += b"name".ljust(20, b"\0") + about % {b"bag": struct.pack("<H", len(bags) // 4)}
            for zone in zones:
                bags += struct.pack("<HH", len(generators) // 4, 0)
                generators += b"".join(struct.pack("<Hh", *one) for one in zone)
        end = bags + struct.pack("<HH", len(generators) // 4, 0)
        kind, short = (b"phdr", b"p") if head == b"phdr" else (b"inst", b"i")
        last = b"end".ljust(20, b"\0") + (struct.pack("<HHH", 0, 0, len(bags) // 4) + bytes(12) if kind == b"phdr" else struct.pack("<H", len(bags) // 4))
        return {kind: heads + last, short + b"bag": end, short + b"mod": bytes(10), short + b"gen": generators + bytes(4)}

    made = lists(b"phdr", [(struct.pack("<HH", program, 0) + b"%(bag)b" + bytes(12), zones) for program, zones in presets])
    made |= lists(b"inst", [(b"%(bag)b", zones) for zones in instruments])
    chunks = b"".join(struct.pack("<4sI", name, len(data)) + data for name, data in (made | {b"shdr": bytes(46)}).items())
    whole = b"sfbk" + struct.pack("<4sI4s", b"LIST", len(chunks) + 4, b"pdta") + chunks
    return io.BytesIO(struct.pack("<4sI", b"RIFF", len(whole)) + whole)


def test_ranges_of_force_and_slow_rises_are_read_from_both_lists_and_of_two_in_one_place_the_first_counts() -> None:
    soft, all_forces = (FORCES, 64 << 8), (FORCES, ALL_FORCES)
    plain, layered, rising = [[(SAMPLE, 0)]], [[soft, (SAMPLE, 0)], [(SAMPLE, 0)]], [[(RISE, 900)], [all_forces, (SAMPLE, 0)]]

    def preset(instrument: int, *more: tuple[int, int]) -> list[list[tuple[int, int]]]:
        return [[*more, (INSTRUMENT, instrument)]]

    presets = [(0, preset(0)), (1, preset(1)), (2, preset(2)), (3, preset(0, soft)), (4, preset(0, (RISE, 500))), (5, preset(0, (RISE, -500))), (6, preset(1)), (6, preset(0))]
    assert one_sound(soundfont(presets, [plain, layered, rising])) == {(0, 0): False, (0, 2): True, (0, 4): True, (0, 5): False}


@pytest.mark.parametrize("program", [101, 95, 62])
def test_a_slow_rise_does_not_hurry_for_a_hard_note(font: Font, program: int) -> None:
    """The library lets it rise faster the harder a note is; the file has one sound for every force. Softest notes are the same in turn."""
    for count in (1, 16):
        soft, hard = (sounded(font, part(program, forces=(force,), count=count), lambda: None) for force in (60, 120))
        frames = min(soft.shape[1], hard.shape[1])
        assert np.abs(hard[:, :frames] - 2 * soft[:, :frames]).max() <= 2 * count * SILENT < 0.01 * np.abs(hard).max(), "but for where each ends"
    soft = sounded(font, part(program, forces=(1,)), lambda: None)
    turn = in_turn(font, part(program, forces=(1,)))
    frames = min(soft.shape[1], turn.shape[1])
    assert np.abs(turn[:, :frames] - soft[:, :frames]).max() < 0.05 * np.abs(turn).max()


def test_each_key_of_a_slow_rise_is_made_once_for_all_forces(font: Font) -> None:
    counting = Counting(font.synth)
    sounded(replace(font, synth=counting), part(101, forces=tuple(range(60, 92)), count=32), lambda: None)
    assert 0 < counting.frames < 2 * 7 * RATE + 2 * RATE


def test_what_rings_for_long_is_made_once(font: Font) -> None:
    """Of 32 notes in two keys the hardest of each is made, about 6 s long, and the softest until a little after its end."""
    counting = Counting(font.synth)
    sounded(replace(font, synth=counting), part(91, forces=(60, 70, 100), count=32), lambda: None)
    assert 0 < counting.frames < 2 * 7 * RATE + 2 * RATE


class Releasing:
    """Softer notes let go sooner: only behind their end forces are not one sound louder or softer."""

    def __init__(self) -> None:
        self.force, self.left, self.held = 0, 0.0, False

    def noteon(self, channel: int, key: int, force: int) -> None:
        self.force, self.left, self.held = force, 1.0, True

    def noteoff(self, channel: int, key: int) -> None:
        self.held = False

    def generate_simple(self, frames: int, buffer: Any) -> None:
        fall = 1.0 if self.held else 1 - 20 / (RATE * self.force / 100)
        sound = self.left * np.cumprod(np.full(frames, fall))
        np.frombuffer(buffer, np.float32)[:] = np.repeat(sound * self.force / 1000, 2)
        self.left = float(sound[-1])


def test_notes_that_differ_only_behind_their_end_are_made_for_each_force() -> None:
    synth = Releasing()
    made = repeated(synth, part(0, forces=(50, 100), keys=(60,), count=8), lambda: synth.noteoff(0, 0), lambda: None)
    end, later = 168 * 64, 11_000  # the first note's, in steps of 64 frames; before the second one
    assert made is not None and made[0, 1000] == pytest.approx(0.05)
    assert made[0, later] == pytest.approx(0.05 * (1 - 20 / (RATE * 0.5)) ** (later - end + 1), rel=1e-3)


class Choking:
    """Each note ends the one before it, as an open hi-hat is ended by a closed one."""

    def __init__(self) -> None:
        self.key = 0

    def noteon(self, channel: int, key: int, force: int) -> None:
        self.key = key

    def noteoff(self, channel: int, key: int) -> None:
        self.key = 0

    def generate_simple(self, frames: int, buffer: Any) -> None:
        np.frombuffer(buffer, np.float32)[:] = self.key / 100


def test_where_notes_silence_each_other_they_are_made_in_turn() -> None:
    synth = Choking()
    assert repeated(synth, part(0), lambda: synth.noteoff(0, 0), lambda: None) is None
