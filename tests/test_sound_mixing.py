"""From voices to one sound: loudness, limiter, room, stems, loops."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.music.score import Piece
from pipelines.music.sound.files import RATE, quantised
from pipelines.music.sound.limiter import CEILING, gain_for
from pipelines.music.sound.loudness import SILENT, integrated
from pipelines.music.sound.mixer import Mix, folded, placed, roomed, summed_whole, without_pressure
from pipelines.music.sound.playing import frames_of, own_engine, parts_of, played
from pipelines.music.sound.reverb import LENGTH, response, reverberated
from tests.sounding import chorale

TIME = np.arange(10 * RATE) / RATE


def idle() -> None:
    """Nobody presses Stop."""


def test_loudness_of_a_full_sine_at_997_hz_on_one_side_is_minus_3_01_and_less_is_less() -> None:
    """Source of the value: ITU-R BS.1770-4, annex 1."""
    tone = np.sin(2 * np.pi * 997 * TIME).astype(np.float32)
    one = np.stack([tone, np.zeros_like(tone)])
    assert integrated(one) == pytest.approx(-3.01, abs=0.05) and integrated(np.stack([tone, tone]) / 10) == pytest.approx(-20.0, abs=0.05)
    assert integrated(np.zeros((2, RATE), np.float32)) == SILENT
    paused = np.concatenate([one, np.zeros((2, 20 * RATE), np.float32)], axis=1)
    assert integrated(paused) == pytest.approx(-3.01, abs=0.3), "silence is gated"
    low = np.sin(2 * np.pi * 20 * TIME).astype(np.float32)
    assert integrated(np.stack([low, low])) < -10


def test_the_limiter_lets_nothing_over_the_ceiling_and_leaves_quiet_places_alone() -> None:
    rng = np.random.default_rng(0)
    sound = (0.1 * rng.standard_normal((2, 4 * RATE))).astype(np.float32)
    for place in (RATE, RATE + 100, 2 * RATE, 4 * RATE - 1):
        sound[0, place] = 3.0
    sound[1, 2 * RATE : 2 * RATE + 9000] *= 20
    gain = gain_for(sound)
    assert np.abs(sound * gain).max() <= CEILING + 1e-6 and gain.max() == 1 and np.all(gain[: RATE - 1000] == 1)
    assert np.abs(np.diff(gain)).max() < 0.02, "it does not click"
    assert np.array_equal(gain_for(sound / 10), np.ones(sound.shape[1], np.float32))


def test_a_loops_gain_goes_on_where_it_begins() -> None:
    sound = np.full((2, 2 * RATE), 0.3, np.float32)
    sound[:, -300:] = 3.0
    gain = gain_for(sound, around=True)
    assert np.abs(sound * gain).max() <= CEILING + 1e-6 and abs(gain[0] - gain[-1]) < 0.02 and gain[200] < 0.7 and gain_for(sound)[200] == 1


def test_the_room_is_linear_stereo_and_dies_away() -> None:
    rng = np.random.default_rng(1)
    one, two = (rng.standard_normal((2, 60_000)).astype(np.float32) for _ in range(2))
    both = reverberated(one + two, idle)
    assert both.shape == (2, 60_000 + LENGTH - 1) and np.abs(both - reverberated(one, idle) - reverberated(two, idle)).max() < 1e-4
    made = response()
    power = (made**2).reshape(2, 10, -1).sum(axis=2)
    assert np.all(power[:, 9] < power[:, 2] / 200) and abs(np.corrcoef(made)[0, 1]) < 0.1 and np.abs(made.sum(axis=1)).max() < 0.3


def test_convolution_in_blocks_is_that_of_the_whole() -> None:
    sound = np.zeros((2, 500_000), np.float32)
    sound[:, [10, 250_000, 499_000]] = 1
    made = reverberated(sound, idle)
    for place in (10, 250_000, 499_000):
        alone = np.zeros_like(made)
        alone[:, place : place + LENGTH] = response()
        made -= alone
    assert np.abs(made).max() < 1e-4


def test_pressure_is_taken_out_as_by_one_pole_at_8_hz_to_stillness() -> None:
    """The independent computation: scipy's recursive filter in double precision."""
    from scipy.signal import lfilter

    sound = (0.2 * np.random.default_rng(3).standard_normal((2, 300_000)) + 0.1).astype(np.float32)
    made = without_pressure(sound)
    exact = lfilter([1.0, -1.0], [1.0, -(1 - 2 * np.pi * 8 / RATE)], np.pad(sound.astype(np.float64), ((0, 0), (0, RATE // 2))), axis=1)
    assert made.shape == exact.shape and np.abs(made - exact).max() < 3e-7 and np.abs(made[:, -100:]).max() < 1e-6


def test_places_go_to_the_sides_and_the_middle_is_as_it_was() -> None:
    tone = np.stack([np.ones(10, np.float32), np.ones(10, np.float32)])
    assert np.array_equal(placed(tone, 0, 0), tone)
    left = placed(tone, 0, -1)
    assert left[0].min() > 1.3 and np.abs(left[1]).max() < 1e-6 and placed(tone, -6.0206, 0)[0, 0] == pytest.approx(0.5, rel=1e-4)
    assert np.allclose(placed(tone, 0, 0.4)[::-1], placed(tone, 0, -0.4)), "both sides are alike"


@pytest.mark.parametrize("bits", [16, 24])
@pytest.mark.parametrize("loop", [False, True])
def test_stems_sum_to_the_mix_within_one_step_of_its_numbers(bits: int, loop: bool) -> None:
    piece = chorale(2, (0, 40, 73, 32), drums=True)
    sounded = played(piece, Mix(loop=loop, loudness=-10, volumes=(9,)), own_engine, idle, stems=True)
    whole = quantised(sounded.mix, bits)
    numbers = summed_whole([samples for _, samples in sounded.stems], bits)
    apart = np.abs(sum(number.astype(np.int64) for number in numbers) - whole).max()
    assert len(numbers) == 5 and apart <= (1 if bits == 16 else 4) and all(number.any() for number in numbers)
    assert np.array_equal(sounded.mix, played(piece, Mix(loop=loop, loudness=-10, volumes=(9,)), own_engine, idle).mix), "the mix is the same without stems, and again"


@pytest.mark.slow
def test_the_mix_is_as_loud_as_wanted_and_never_clips() -> None:
    for programs in ((0, 0, 0, 0), (48, 48, 48, 48), (24, 10, 12, 36)):
        for wanted in (-24.0, -16.0, -10.0):
            sounded = played(chorale(2, programs, drums=True), Mix(loudness=wanted), own_engine, idle)
            assert np.abs(sounded.mix).max() <= CEILING + 1e-6 and abs(sounded.mix.mean()) < 1e-3
            assert integrated(sounded.mix) == pytest.approx(wanted, abs=1.5)


def test_mute_solo_volume_place_and_instruments_are_each_voices_own() -> None:
    piece = chorale(1)
    assert [part.number for part in parts_of(piece, Mix(mutes=(True, False, True)))] == [1, 3] and [part.number for part in parts_of(piece, Mix(solos=(False, True)))] == [1]
    assert [(part.program, part.drums) for part in parts_of(piece, Mix(programs=(40, -1, 128)))] == [(40, False), (0, False), (0, True), (0, False)]

    def shares(mix: Mix) -> list[float]:
        return [float(np.sqrt(np.mean(samples**2))) for _, samples in played(piece, mix, own_engine, idle, stems=True).stems]

    usual, louder = shares(Mix(reverb=0)), shares(Mix(reverb=0, volumes=(0, -20)))
    assert louder[1] / louder[0] == pytest.approx(usual[1] / usual[0] / 10, rel=0.1)
    left = played(piece, Mix(reverb=0, pans=(-1, -1, -1, -1)), own_engine, idle).mix
    assert np.abs(left[1]).max() < 1e-5 and np.abs(left[0]).max() > 0.1


def test_a_loop_sounds_as_the_second_of_three_rounds_played_on_end() -> None:
    """Of struck instruments, whose notes are alike each time: nothing is lost and nothing added at the seam. The step over it is no larger than those inside."""
    piece = chorale(4, (0, 10, 46, 12))
    three = replace(
        piece, length=3 * piece.length, voices=tuple(replace(voice, notes=tuple(replace(note, start=note.start + round * piece.length) for round in range(3) for note in voice.notes)) for voice in piece.voices)
    )
    frames = int(frames_of(piece, [piece.length])[0])

    def roomy(whole: Piece) -> np.ndarray:
        parts = [roomed(own_engine(part, idle), 0.3, idle) for part in parts_of(whole, Mix())]
        made = np.zeros((2, max(part.shape[1] for part in parts)))
        for part in parts:
            made[:, : part.shape[1]] += part
        return made

    once = folded(roomy(piece).astype(np.float32), frames)
    assert np.abs(once - roomy(three)[:, frames : 2 * frames]).max() < 1e-4 * np.abs(once).max()
    made = played(piece, Mix(loop=True), own_engine, idle).mix
    seam = np.abs(made[:, 0] - made[:, -1]).max()
    assert made.shape == (2, frames) == (2, 8 * RATE) and seam < 0.5 * np.abs(np.diff(made, axis=1)).max()
    cut = played(piece, Mix(), own_engine, idle).mix
    assert np.abs(made[:, :4000]).mean() > 1.02 * np.abs(cut[:, :4000] * (np.abs(made[:, frames // 2 :]).max() / np.abs(cut[:, frames // 2 : frames]).max())).mean(), "the end sounds in the beginning"


def test_what_rings_longer_than_a_loop_goes_round_again() -> None:
    sound = np.ones((2, 25), np.float32)
    assert folded(sound, 10)[0].tolist() == [3.0] * 5 + [2.0] * 5 and folded(sound[:, :4], 10)[0].tolist() == [1.0] * 4 + [0.0] * 6


def test_without_a_loop_it_ends_in_silence_after_its_last_bar() -> None:
    piece = chorale(1, (46, 46, 46, 46))
    made = played(piece, Mix(), own_engine, idle).mix
    assert made.shape[1] > 2 * RATE and np.abs(made[:, -1]).max() == 0 and np.abs(made[:, -200:]).max() < 2e-3
