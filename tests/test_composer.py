"""The chorale network by numpy: the same numbers as torch, the same notes for the same seed, everything fixed or allowed exactly as it was asked."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.music.composer import measure, play, sample
from pipelines.music.composer.grid import FREE, HOLD, REST, VOICES, Frame, key_of, sounding
from pipelines.music.composer.training.data import Ready, Song, known, opening, stack, window

FRAME = Frame.of(64, tonic=7)


@pytest.fixture(scope="module")
def chorale():
    return sample.sample(FRAME, seed=4)


def test_numpy_and_torch_give_the_same_likelihoods(chorale):
    import torch

    from pipelines.music.composer.training.fit import tensors
    from pipelines.music.nets.composer import from_file

    ready = Ready.of(Song(chorale, FRAME))
    cut = window(ready, 0, FRAME.steps, 0)
    mask = np.zeros(chorale.shape, bool)
    mask[0] = True
    cut["known"] = known(cut, mask)
    model, kept = from_file(play.CHORALES)
    with torch.no_grad():
        theirs = model.eval()(tensors(stack([cut])))[0].numpy()
    reading = play.Reading(play.load(), FRAME, np.where(mask, ready.pitch, FREE), ready.begins & mask)
    mine = np.zeros_like(theirs)
    for step in range(FRAME.steps):

        def choose(voice, scores, step=step):
            mine[voice, step] = np.log(np.exp(scores - scores.max()).sum()) + scores.max() - scores[cut["targets"][voice, step]]
            return cut["states"][:, voice, step]

        reading.step(step, choose)
    assert not kept and abs(mine - theirs).max() < 1e-4


def test_one_seed_is_one_piece(chorale):
    assert (sample.sample(FRAME, seed=4) == chorale).all()
    assert (sample.sample(FRAME, seed=5) != chorale).any()


@pytest.mark.parametrize("changed", [{"temperature": 0.5}, {"top_p": 0.5}, {"density": 1.0}, {"rules": 0.0}])
def test_every_control_changes_the_notes(chorale, changed):
    assert (sample.sample(FRAME, seed=4, **changed) != chorale).any()


def test_density_goes_both_ways():
    few, many = ((sample.sample(FRAME, seed=4, density=density) < REST).sum() for density in (-1.0, 1.0))
    assert few < many


def test_fixed_notes_come_back_bit_for_bit_and_the_rest_follows_them(chorale):
    fixed = np.full(chorale.shape, FREE)
    fixed[0], fixed[:, 32:] = chorale[0], chorale[:, 32:]
    made = sample.sample(FRAME, fixed=fixed, seed=9)
    assert (made[fixed != FREE] == fixed[fixed != FREE]).all() and (made != chorale).any()


def test_only_what_is_allowed_sounds():
    allowed = np.zeros((VOICES, 64, 128), bool)
    for voice, low in enumerate((65, 58, 50, 40)):
        allowed[voice, :, [pitch for pitch in range(low, low + 14) if (pitch - 7) % 12 in measure.MAJOR]] = True
    allowed[:, 16:24] &= np.isin(np.arange(128) % 12, (0, 4, 7))
    pitch, _ = sounding(sample.sample(FRAME, allowed=allowed, seed=2, temperature=1.5))
    assert all(allowed[voice, step, pitch[voice, step]] for voice in range(VOICES) for step in range(64) if pitch[voice, step] < REST)
    assert (pitch < REST).mean() > 0.9


def test_a_step_where_nothing_is_allowed_rests():
    allowed = np.ones((VOICES, 32, 128), bool)
    allowed[1, 8:12] = False
    assert (sample.sample(Frame.of(32), allowed=allowed, seed=1)[1, 8:12] == REST).all()


def test_silent_voices_are_silent():
    made = sample.sample(Frame.of(32), voices=(True, False, False, True), seed=1)
    assert (made[1:3] == REST).all() and (made[0] < REST).any()


def test_it_ends_on_the_tonic():
    for seed in range(3):
        pitch, _ = sounding(sample.sample(Frame.of(64, tonic=2, minor=True), seed=seed))
        assert pitch[3, -1] % 12 == 2


def test_sixteen_bars_are_one_step_of_the_network_for_each_sixteenth(monkeypatch):
    steps, step = [], play.Reading.step
    monkeypatch.setattr(play.Reading, "step", lambda reading, number, choose: steps.append(number) or step(reading, number, choose))
    sample.sample(Frame.of(256), seed=1)
    assert steps == list(range(256)), "none is taken twice"


def test_stop_is_heard_at_once():
    heard = []

    def check(share):
        heard.append(share)
        if len(heard) > 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        sample.sample(Frame.of(256), check=check)
    assert len(heard) == 6


def test_statistics_of_a_piece_counted_by_hand():
    """Two chords: one note beside the scale, one of four moves a leap, the bass above alto and tenor in the second."""
    soprano, alto = [72, HOLD, HOLD, HOLD, 74, HOLD, HOLD, HOLD], [67, HOLD, HOLD, HOLD, 69, HOLD, HOLD, HOLD]
    tenor, bass = [60, HOLD, HOLD, HOLD, 62, HOLD, HOLD, HOLD], [48, HOLD, HOLD, HOLD, 66, HOLD, HOLD, HOLD]
    found = measure.measure([np.array([soprano, alto, tenor, bass])], [(0, False)])
    assert found.in_scale == 100 * 7 / 8 and found.stepwise == 75 and found.crossing == 50
    assert found.parallels == 200  # in one change of chords: fifths of alto and tenor, octaves of soprano and tenor
    assert bool(sample.parallels(67, 69, 60, 62)) and bool(sample.parallels(72, 74, 60, 62)) and not bool(sample.parallels(72, 74, 48, 66))


def test_a_copied_run_is_found_in_any_transposition(chorale):
    other = sample.sample(FRAME, seed=99)
    mixed = other.copy()
    moved = np.where(chorale < REST, chorale + 3, chorale)
    mixed[:, 16:48] = moved[:, 16:48]
    sources = measure.Sources([chorale])
    assert measure.copied(mixed, sources) >= 7.5 and measure.copied(chorale, sources) == 16
    assert measure.copied(other, sources) < 6


def test_keys_are_found():
    scale = np.array([[60, 62, 64, 65, 67, 69, 71, 72]] + [[REST] * 8] * 3)
    assert key_of(scale) == (0, False) and key_of(np.where(scale < REST, scale + 5, scale)) == (5, False)


def test_opening_is_before_everything():
    assert opening().shape == (3, VOICES)
