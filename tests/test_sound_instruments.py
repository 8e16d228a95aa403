"""Every instrument of General MIDI and every drum: in tune, in time, neither silent nor clipped, without clicks, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.music.score import TICKS, Note, Piece, Voice
from pipelines.music.sound.files import RATE
from pipelines.music.sound.mixer import Mix, without_pressure
from pipelines.music.sound.playing import Part, parts_of
from pipelines.music.sound.playing import played as played_by
from pipelines.music.sound.programs import PROGRAM_NAMES
from pipelines.music.sound.soundfont import SHIPPED, SHIPPED_FRAMES, Font, engine_of, events, opened, sounded
from pipelines.music.sound.synth.drums import KEYS, drum
from pipelines.music.sound.synth.held import BLOCK, Held
from pipelines.music.sound.synth.modal import ringing
from pipelines.music.sound.synth.patches import PROGRAMS
from pipelines.music.sound.synth.player import Sounding, hertz_of, voice
from pipelines.music.sound.synth.pluck import plucked
from pipelines.music.sound.synth.tables import SIZE, periods, read
from studio.scan_soundfont import about_soundfont
from tests.sounding import chorale

DETUNED = {3: 11.0, 23: 11.0}  # honky-tonk piano and bandoneon: cents that their strings and reeds are apart
UNPITCHED = [program for program, patch in enumerate(PROGRAMS) if not patch.pitched or program == 119]


def idle() -> None:
    """Nobody presses Stop."""


def played(program: int, pitch: int = 69, velocity: int = 90, frames: int = int(1.5 * RATE), start: int = 0) -> np.ndarray:
    return voice([Sounding(start, frames, pitch, velocity)], program, False, idle)


def cents_of(sound: np.ndarray, hertz: float) -> float:
    """How far the strongest partial round a pitch is off, from the peak of a windowed spectrum. Between bins by a parabola through the logarithms."""
    size = 2**18
    part = sound[:, 4000 : 4000 + 65_536].sum(axis=0)
    bins = np.abs(np.fft.rfft(part * np.hanning(len(part)), size))
    low, high = (int(hertz * factor * size / RATE) for factor in (0.94, 1.06))
    top = low + int(np.argmax(bins[low:high]))
    before, here, after = np.log(bins[top - 1 : top + 2])
    return float(1200 * np.log2((top + 0.5 * (before - after) / (before - 2 * here + after)) * RATE / size / hertz))


@pytest.mark.parametrize("program", range(128), ids=lambda program: PROGRAM_NAMES[program])
def test_each_instrument_is_in_tune_in_time_and_clean(program: int) -> None:
    start = 1234
    sound = played(program, start=start)
    heard = np.flatnonzero(np.abs(sound).max(axis=0) > 0)
    assert np.isfinite(sound).all() and start <= heard[0] <= start + (1 if PROGRAMS[program].pitched else 64)
    peak, level = float(np.abs(sound).max()), float(np.sqrt(np.mean(sound[:, start : start + RATE] ** 2)))
    assert 0.05 < peak < 2.0 and 0.01 < level < 0.25, "as loud as the others"
    assert abs(sound.mean()) < 3e-4 and np.abs(sound[:, -1]).max() < 1e-3 and np.abs(sound[:, start : start + 4]).max() < 0.35 * peak, "no DC, no click at its ends"
    if program not in UNPITCHED:
        assert abs(cents_of(sound[:, start:], 440.0)) < DETUNED.get(program, 6.5)


@pytest.mark.parametrize("program", [0, 6, 16, 24, 32, 40, 48, 52, 56, 73, 80, 10])
def test_low_and_high_notes_are_in_tune_too(program: int) -> None:
    for pitch in (45, 57, 81):
        assert abs(cents_of(played(program, pitch), hertz_of(pitch))) < (12 if program in (48, 52) else 8.5), "a section is apart on purpose"


@pytest.mark.parametrize("program", [0, 10, 16, 24, 40, 56, 73, 80])
def test_louder_is_louder_and_brighter_and_each_time_the_same(program: int) -> None:
    def centre(sound: np.ndarray) -> float:
        bins = np.abs(np.fft.rfft(sound[:, :RATE].sum(axis=0))) ** 2
        return float((bins * np.arange(len(bins))).sum() / bins.sum())

    soft, loud = played(program, velocity=40), played(program, velocity=120)
    assert np.sqrt(np.mean(loud**2)) > 2 * np.sqrt(np.mean(soft**2)) and np.array_equal(loud, played(program, velocity=120))
    assert centre(loud) > (1.03 if program not in (16,) else 1.0) * centre(soft)


def test_instruments_differ() -> None:
    """No two share their spectrum over time: each pair of the first of every family is apart."""
    prints = []
    for program in range(0, 128, 8):
        sound = played(program)[:, :RATE].sum(axis=0)
        bins = np.abs(np.fft.rfft(sound.reshape(10, -1), axis=1))[:, :2000].reshape(10, 100, 20).sum(axis=2).ravel()
        prints.append(bins / np.linalg.norm(bins))
    alike = np.array(prints) @ np.array(prints).T - np.eye(len(prints))
    assert alike.max() < 0.985


@pytest.mark.parametrize(("hertz", "program"), [(55.0, 101), (440.0, 88), (3951.07, 48), (12543.85, 80)])
def test_periods_are_read_as_in_double_precision(hertz: float, program: int) -> None:
    """Whole numbers that go round find the same as real ones, within a ten-thousandth of the peak, over ten seconds and wherever a part begins. Their pitch is within five millionths of a hertz."""
    patch = PROGRAMS[program]
    assert isinstance(patch, Held)
    waves, frames = periods(patch.spectrum, hertz), np.arange(10 * RATE)
    ahead = (np.random.default_rng(1).random(len(frames)) * 40 - 20).astype(np.float32)
    turn = round(hertz / RATE * 2**32) / 2**32
    assert abs(turn * RATE - hertz) <= RATE / 2**33 < 5.2e-6
    place = ((frames * turn + ahead.astype(np.float64)) % 1) * SIZE
    for found, wave in zip(read(waves, hertz / RATE, ahead), waves[:2], strict=True):
        exact = np.interp(place, np.arange(SIZE + 1), np.append(wave, wave[0]).astype(np.float64))
        assert np.abs(found - exact).max() < 1e-4 * max(1.0, np.abs(exact).max())
    for whole, part in zip(read(waves, hertz / RATE, ahead), read(waves, hertz / RATE, ahead[BLOCK:], BLOCK), strict=True):
        assert (whole[BLOCK:] == part).all()


def test_high_notes_fold_nothing_down() -> None:
    """A saw and a square at 3.5 kHz: below their fundamental there is nothing."""
    for program in (80, 81, 56):
        sound = played(program, 105, 110)[:, 8000:60_000].sum(axis=0)
        bins = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        assert bins[(hertz > 100) & (hertz < 0.9 * hertz_of(105))].max() < 2e-3 * bins.max()


@pytest.mark.parametrize("key", sorted(KEYS))
def test_each_drum_sounds_ends_and_is_the_same_each_time(key: int) -> None:
    for velocity in (0.2, 0.95):
        one = drum(key, velocity)
        assert np.isfinite(one).all() and 0.03 < np.abs(one).max() < 2.5 and np.abs(one[:, -1]).max() < 1e-3 and np.abs(one[:, 0]).max() < 1e-4 and abs(one.mean()) < 5e-3
        assert np.array_equal(one, drum(key, velocity)) and one.shape[1] < 4 * RATE
    assert not np.array_equal(drum(key, 0.9), drum(35 if key != 35 else 36, 0.9))


def test_a_closed_hat_ends_an_open_one_and_unknown_keys_are_played_by_their_neighbour() -> None:
    alone = voice([Sounding(0, 100, 46, 100)], 0, True, idle)
    choked = voice([Sounding(0, 100, 46, 100), Sounding(8000, 100, 42, 100)], 0, True, idle)
    assert np.abs(choked[:, 16_000:]).max() < 0.02 * np.abs(alone[:, 16_000:20_000]).max() + 1e-4
    assert voice([Sounding(0, 100, 100, 90)], 0, True, idle).any()


def test_ringing_is_the_sum_of_its_partials() -> None:
    """Against the sines themselves, added one by one."""
    hertz, decay, amplitude, phase = np.array([440.0, 991.3]), np.array([3.0, 9.0]), np.array([1.0, 0.4]), np.array([0.0, 1.0])
    time = np.arange(30_000) / RATE
    wanted = sum(a * np.exp(-d * time) * np.sin(2 * np.pi * h * time + p) for h, d, a, p in zip(hertz, decay, amplitude, phase, strict=True))
    assert np.abs(ringing(hertz, decay, amplitude, phase, 30_000) - wanted).max() < 2e-5


@pytest.mark.parametrize("hertz", [82.41, 220.0, 659.3])
def test_a_plucked_string_falls_as_it_is_told(hertz: float) -> None:
    sound = plucked(hertz, 2 * RATE, 2.0, 0.5, 0.2, np.random.default_rng(0))
    window = RATE // 4

    def level(start: int) -> float:
        part = sound[start : start + window]
        time = np.arange(window) / RATE
        return float(np.abs((part * np.hanning(window) * np.exp(-2j * np.pi * hertz * time)).sum()))

    fallen = 20 * np.log10(level(RATE) / level(RATE // 4))
    assert fallen == pytest.approx(-60 * 0.75 / 2, abs=2.5)


# -- SoundFonts ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def font() -> Font:
    return opened(SHIPPED)


def test_the_shipped_soundfont_is_whole_and_counted() -> None:
    with SHIPPED.open("rb") as file:
        about = about_soundfont(file, SHIPPED.stat().st_size)
    assert about["frames"] == SHIPPED_FRAMES and about["presets"] >= 128 and (SHIPPED.parent / "FluidR3Mono_License.md").is_file()


def test_its_notes_begin_at_their_frame_and_are_in_tune(font: Font) -> None:
    for program in (0, 11, 16, 40, 56, 73, 80):
        for start in (0, 777, 44_101):
            sound = sounded(font, Part(0, "", program, False, (Sounding(start, RATE, 69, 100),)), idle)
            first = int(np.flatnonzero(np.abs(sound).max(axis=0) > 0)[0])
            alone = sounded(font, Part(0, "", program, False, (Sounding(0, RATE, 69, 100),)), idle)
            assert start <= first and np.abs(sound[:, start : start + 4000] - alone[:, :4000]).max() < 1e-6, "the same, at another frame"
        assert abs(cents_of(alone, 440.0)) < 9


def test_what_samples_stand_off_zero_is_taken_out(font: Font) -> None:
    piece = Piece((Voice("Lead", (Note(0, 60, 4 * TICKS, 100),), 81), Voice("Bass", (Note(0, 36, 4 * TICKS, 100),), 38)), 4 * TICKS)
    mix = played_by(piece, Mix(reverb=0), engine_of(font), idle).mix
    assert abs(mix.mean()) < 1e-4 < 0.1 < np.abs(mix).max()
    tone = np.sin(2 * np.pi * 110 * np.arange(2 * RATE) / RATE)
    made = without_pressure(np.stack([0.2 * tone + 0.1, 0.2 * tone]).astype(np.float32))
    made = made[:, : 2 * RATE]
    assert np.abs(made[0, RATE:] - 0.2 * tone[RATE:]).max() < 0.02 and abs(made[0, RATE:].mean()) < 1e-4 and np.abs(made[0, RATE:] - made[1, RATE:]).max() < 1e-6


def test_all_its_programs_and_drums_sound(font: Font) -> None:
    for program in range(0, 128, 5):
        assert np.abs(sounded(font, Part(0, "", program, False, (Sounding(0, 12_000, 60, 100),)), idle)).max() > 0.003, PROGRAM_NAMES[program]
    for key in (36, 38, 42, 49):
        assert np.abs(sounded(font, Part(0, "", 0, True, (Sounding(0, 4000, key, 100),)), idle)).max() > 0.02


def test_a_key_that_is_struck_again_while_it_sounds_is_let_go_once() -> None:
    part = Part(0, "", 0, False, (Sounding(0, 1000, 60, 90), Sounding(400, 300, 60, 80), Sounding(100, 50, 62, 70)))
    assert events(part) == [(0, 1, 60, 90), (100, 1, 62, 70), (150, 0, 62, 0), (400, 0, 60, 0), (400, 1, 60, 80), (700, 0, 60, 0)]


def test_parts_are_in_frames_of_their_tempo() -> None:
    (part, *_) = parts_of(chorale(1, tempo=120.0), Mix())
    assert [note.start for note in part.notes] == [0, RATE // 2, RATE, RATE * 3 // 2] and part.notes[0].frames == round(460 / 480 * RATE / 2)


def damaged(kind: str) -> bytes:
    whole = bytearray(SHIPPED.read_bytes()) if kind != "text" else bytearray(b"hello" * 100)
    places = {name: whole.find(name) for name in (b"phdr", b"pbag", b"inst", b"ibag", b"igen", b"shdr", b"smpl")}
    if kind == "cut off":
        return bytes(whole[: len(whole) // 2])
    if kind == "preset beyond its list":
        whole[places[b"phdr"] + 8 + 24 : places[b"phdr"] + 8 + 26] = b"\xff\xff"
    if kind == "sample that is not there":
        place = places[b"igen"] + 8
        while whole[place : place + 2] != b"\x35\0":
            place += 4
        whole[place + 2 : place + 4] = b"\xff\xff"
    if kind == "sample outside":
        whole[places[b"shdr"] + 8 + 24 : places[b"shdr"] + 8 + 28] = b"\xff\xff\xff\x7f"
    if kind == "sample that is no Vorbis":
        whole[places[b"smpl"] + 8 + 29] ^= 0xFF
    if kind == "loop outside":
        whole[places[b"shdr"] + 8 + 32 : places[b"shdr"] + 8 + 36] = b"\xff\xff\xff\x7f"
    if kind == "odd list":
        whole[places[b"inst"] + 4] ^= 1
    return bytes(whole)


@pytest.mark.parametrize("kind", ["text", "cut off", "preset beyond its list", "sample that is not there", "sample outside", "sample that is no Vorbis", "loop outside", "odd list"])
def test_damaged_soundfonts_are_told_and_never_reach_the_native_library(tmp_path: Path, kind: str) -> None:
    from studio.scan import scan

    (tmp_path / "bad.sf3").write_bytes(damaged(kind))
    (entry,) = scan(tmp_path)
    assert entry.kind == "soundfont" and entry.problem.endswith("Download it again.") and entry.details.keys() <= {"changed"}


def test_soundfonts_are_found_in_the_models_folder(tmp_path: Path) -> None:
    from studio.scan import scan

    (tmp_path / "soundfonts").mkdir()
    (tmp_path / "soundfonts" / "mine.sf3").symlink_to(SHIPPED)
    (entry,) = scan(tmp_path)
    assert (entry.kind, entry.problem, entry.key) == ("soundfont", "", "soundfonts/mine.sf3") and entry.details["presets"] == 195
