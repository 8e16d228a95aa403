"""How a style's pieces repeat themselves: what is read from a piece's past, that numpy and torch weigh it alike, and what it does to what is composed."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.music.composer import measure, play, sample
from pipelines.music.composer.grid import FREE, HOLD, LOW, REST, VOICES, Frame
from pipelines.music.composer.recall import BARS, BEGINS, COLUMNS, HOLDS, LEVELS, NOTHING, PLACES, SHAPES, Recall, level, recalled, shifted

BAR = [72, HOLD, HOLD, HOLD, 74, HOLD, HOLD, HOLD, 76, HOLD, HOLD, HOLD, 77, HOLD, 79, HOLD]
UP = [token if token == HOLD else token + 2 for token in BAR]
FRAME = Frame.of(64, tonic=7)


def piece(*bars: list[int]) -> np.ndarray:
    tokens = np.full((VOICES, 16 * len(bars)), REST)
    tokens[0] = sum(bars, [])
    return tokens


def player(**weights: float) -> play.Player:
    """The chorales' network with every weight of a kind the same."""
    chorales = play.load()
    tables = {f"recall.{name}": np.full(SHAPES[f"recall.{name}"], weights.get(name, 0.0), np.float32) for name in ("time", "pitch", "leap")}
    return play.Player(chorales.weights | tables, chorales.facts)


def test_a_bar_that_comes_again_is_foretold_and_counted_for_as_long_as_it_agrees():
    places = recalled(piece(BAR, BAR, UP), Frame.of(48))[0]
    assert (places[:16, :, 0] == NOTHING).all() and (places[16:32, BARS.index(2), 0] == NOTHING).all()
    assert places[16, 0].tolist() == [BEGINS, 72, 72, 0, 0, 0] and places[17, 0, 0] == HOLDS
    assert places[28, 0].tolist() == [BEGINS, 77, 77, *[level(12)] * 3], "twelve sixteenths agree"
    assert places[36, 0].tolist() == [BEGINS, 74, 76, level(20), level(3), level(4)], "a tone higher: time goes on, pitch begins with the holds, the step from where it moved"
    assert places[36, -1].tolist() == places[36, 0].tolist() and (level(32), level(31)) == (len(LEVELS) - 1, len(LEVELS) - 2)


def test_only_the_past_is_read():
    rng, step = np.random.default_rng(3), 70
    tokens = rng.choice([60, 62, 64, REST, HOLD], (VOICES, 128))
    other = tokens.copy()
    other[:, step:] = rng.choice([60, 62, 64, REST, HOLD], (VOICES, 128 - step))
    one, two = recalled(tokens, Frame.of(128)), recalled(other, Frame.of(128))
    assert one.shape == (VOICES, 128, PLACES, COLUMNS) and (one[:, : step + 1] == two[:, : step + 1]).all() and (one != two).any()


def test_other_metres_go_back_by_their_own_bars():
    places = recalled(piece(BAR, BAR, BAR)[:, :36], Frame.of(36, bar=12))[0]
    assert (places[:12, 0, 0] == NOTHING).all() and places[16, 0, 1] == 74


def test_numpy_and_torch_weigh_alike():
    import torch

    from pipelines.music.nets.composer import Recall as Net

    rng = np.random.default_rng(5)
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    net = Net()
    net.load_state_dict({name.removeprefix("recall."): torch.from_numpy(value) for name, value in weights.items()})
    places = recalled(rng.choice([60, 67, 74, REST, HOLD], (VOICES, 96)), Frame.of(96))
    with torch.no_grad():
        theirs = net(torch.from_numpy(shifted(places, 0))).numpy()
    made = Recall(weights)
    mine = np.stack([made.scores(places[:, step]) for step in range(96)], 1)
    assert abs(mine - theirs).max() < 1e-4 and abs(mine).max() > 1


def test_transposed_places_are_the_places_of_the_transposed_piece():
    up = np.where(piece(BAR, BAR, UP) < REST, piece(BAR, BAR, UP) + 3, piece(BAR, BAR, UP))
    assert (shifted(recalled(piece(BAR, BAR, UP), Frame.of(48)), 3) == shifted(recalled(up, Frame.of(48)), 0)).all()


def test_a_style_without_it_composes_as_before_bit_for_bit():
    assert player().recall is None and play.load().recall is None
    assert (sample.sample(FRAME, seed=4, player=player()) == sample.sample(FRAME, seed=4)).all()


def test_what_repeats_itself_in_the_pieces_repeats_itself_in_what_is_composed():
    often = {"time": 0.4, "pitch": 0.8}
    frame = Frame.of(128)
    bars = [sample.sample(frame, seed=seed, player=player(**weights)).reshape(VOICES, 8, 16) for weights in ({}, often) for seed in (1, 2)]
    same = [float((one[:, 1:] == one[:, :-1]).mean()) for one in bars]
    assert min(same[2:]) > max(same[:2]) + 0.1
    assert (sample.sample(frame, seed=1, player=player(**often)).reshape(VOICES, 8, 16) == bars[2]).all()


@pytest.mark.parametrize("known", ["bars", "a voice"])
def test_what_is_fixed_stays_and_what_is_not_allowed_never_sounds(known):
    base = sample.sample(FRAME, seed=4)
    fixed = np.full(base.shape, FREE)
    if known == "bars":
        fixed[:, :16], fixed[:, 48:] = base[:, :16], base[:, 48:]
    else:
        fixed[0] = base[0]
    made = sample.sample(FRAME, fixed=fixed, seed=9, player=player(time=0.3, pitch=0.8))
    assert (made[fixed != FREE] == fixed[fixed != FREE]).all() and (made != base).any()
    allowed = np.zeros((VOICES, 64, 128), bool)
    allowed[:, :, [pitch for pitch in range(LOW, 80) if (pitch - 7) % 12 in measure.MAJOR]] = True
    notes = sample.sample(FRAME, allowed=allowed, seed=2, player=player(time=0.3, pitch=0.8))
    assert all((pitch - 7) % 12 in measure.MAJOR for pitch in notes[notes < REST])
