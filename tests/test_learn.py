"""music.learn on tiny budgets: what it refuses, what its file holds, that Stop keeps it and learning goes on from it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load, save_file

from pipelines.music import midi
from pipelines.music.compose import Compose, ComposeParams
from pipelines.music.composer import play, sample, styles
from pipelines.music.composer.grid import HOLD, REST, VOICES, Frame
from pipelines.music.composer.pieces import song_of
from pipelines.music.learn import Learn, LearnParams, split
from pipelines.music.score import Note, Piece, Voice
from studio.api import BadInput, ModelBroken
from studio.scan import scan
from tests.learning import Context, waltzes


def tune(shift: int = 0, bars: int = 8) -> Piece:
    """Two voices in eighths and halves."""
    upper = tuple(Note(240 * n, 72 + shift + (0, 2, 4, 5, 7, 5, 4, 2)[n % 8], 240) for n in range(8 * bars))
    lower = tuple(Note(960 * n, 48 + shift + (0, 7)[n % 2], 960) for n in range(2 * bars))
    return Piece((Voice("Flute", upper), Voice("Bass", lower)), 1920 * bars)


@pytest.fixture
def files(tmp_path):
    made = {}
    for shift in range(3):
        path = tmp_path / f"{shift}.mid"
        path.write_bytes(midi.write(tune(shift)))
        made[path.name] = path
    return made


def learn(files, updates=4, **more):
    context = Context(files, **{name: more.pop(name) for name in ("stop_after", "stop_before", "model") if name in more})
    return Learn().run(LearnParams(pieces=list(files), updates=updates, **more), context), context


def test_a_piece_of_two_voices_lies_on_the_grid():
    song = song_of(tune())
    assert song.voices == (True, False, False, True)
    assert song.tokens[0, :6].tolist() == [72, HOLD, 74, HOLD, 76, HOLD] and song.tokens[3, :9].tolist() == [48, *[HOLD] * 7, 55]
    assert (song.tokens[1:3] == REST).all() and song.frame.place[:18].tolist() == [*range(16), 0, 1] and song.frame.tonic == 0


def test_learning_lowers_the_held_out_loss_and_gives_a_style(files, tmp_path):
    result, context = learn(files, updates=8, name="Bells")
    told, artifact = result.summary, context.kept[0]
    assert told["held_out_after"] < 0.8 * told["held_out_before"] and told["copied_quarters"] >= 0
    assert len(context.measured["curve"]) == 8 and context.measured["held_out"][0] == [0, pytest.approx(told["held_out_before"], abs=1e-4)]
    path = tmp_path / "x.safetensors"
    path.write_bytes(artifact.data)
    kept = Learn().keep(path, tmp_path / "models")
    (entry,) = list(scan(tmp_path / "models"))
    assert (entry.kind, entry.title, entry.path) == ("composer", "Bells", str(kept))
    made = sample.sample(Frame.of(32), seed=1, weights=kept)
    assert made.shape == (VOICES, 32) and (made[1:3] == REST).all() and (made != sample.sample(Frame.of(32), seed=1, voices=(True, False, False, True))).any()


@pytest.mark.slow
def test_five_pieces_of_one_kind_are_learnt_in_few_steps_and_one_that_was_held_out_is_told_better(tmp_path):
    result, _ = learn(waltzes(tmp_path), updates=24)
    assert result.summary["held_out_after"] <= 0.8 * result.summary["held_out_before"]


def test_stop_keeps_what_was_learnt_and_learning_goes_on_from_it_to_the_same_end(files, tmp_path):
    _, stopped = learn(files, updates=6, stop_after=2)
    path = tmp_path / "stopped.safetensors"
    path.write_bytes(stopped.kept[0].data)
    assert int(load(stopped.kept[0].data)["resume.steps"][0]) == 2
    until = int(styles.header(path)["until"])
    _, context = learn(files, updates=6, resume="learnt/stopped", model=SimpleNamespace(path=str(path)))
    assert [step for step, _ in context.measured["curve"]] == list(range(3, until + 1)) and until > 3 and context.measured["held_out"][0][0] == 2 and not context.tried
    assert not any(name.startswith("resume.") for name in load(context.kept[0].data))


def test_stop_before_anything_was_learnt_keeps_a_style_that_learning_begins_from(files, tmp_path):
    result, stopped = learn(files, updates=6, stop_before=1)
    path = tmp_path / "stopped.safetensors"
    path.write_bytes(stopped.kept[0].data)
    assert styles.header(path)["until"] == "0" and not result.summary["curve"] and result.summary["held_out_after"] < result.summary["held_out_before"]
    _, context = learn(files, updates=6, resume="learnt/stopped", model=SimpleNamespace(path=str(path)))
    assert context.tried and context.measured["curve"]


def test_a_style_that_knows_the_pieces_says_that_nothing_tells_when_to_stop(files, tmp_path):
    _, first = learn(files, updates=2)
    path = tmp_path / "first.safetensors"
    path.write_bytes(first.kept[0].data)
    result, context = learn(files, updates=3, resume="learnt/first", model=SimpleNamespace(path=str(path)))
    assert len(context.measured["curve"]) == 3 and not context.tried and "learnt from some of these pieces before" in result.summary["notes"][0]


def test_a_seed_learns_the_same_again_and_strength_changes_what_is_learnt(files):
    first, again, strong = (load(learn(files, updates=2, **more)[1].kept[0].data) for more in ({}, {}, {"strength": 2.0}))
    assert all((first[name] == again[name]).all() for name in first) and any((first[name] != strong[name]).any() for name in first)


def test_one_file_is_split_by_bars():
    (train,), (held,) = split([song_of(tune())])
    assert train.frame.steps + held.frame.steps == 128 and train.frame.steps % 16 == 0


def test_the_same_pieces_are_held_out_in_any_order_so_that_going_on_never_learns_from_them():
    songs = [song_of(tune(shift)) for shift in range(10)]
    held = [{song.frame.tonic for song in split(order)[1]} for order in (songs, songs[::-1], songs[5:] + songs[:5])]
    assert held[0] == held[1] == held[2] and len(held[0]) == 2
    train, rest = split(songs)
    assert len(train) == 8 and not {song.frame.tonic for song in train} & {song.frame.tonic for song in rest}


def test_too_few_notes_are_refused_with_their_number():
    with pytest.raises(BadInput, match="only 20 notes"):
        split([song_of(tune(bars=2))])


@pytest.mark.parametrize("data", [b"", b"MThd", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff/\0"])
def test_what_holds_no_music_is_refused_with_its_number(tmp_path, data):
    path = tmp_path / "a.mid"
    path.write_bytes(data)
    with pytest.raises(BadInput, match="File 1"):
        Learn().run(LearnParams(pieces=["a"]), Context({"a": path}))


def test_a_foreign_file_is_no_style(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file({"a": np.zeros(1, np.float16)}, path)
    with pytest.raises(ModelBroken, match="no learnt style"):
        styles.header(path)
    with pytest.raises(ModelBroken, match="no learnt style"):
        play.load(path)


def test_a_learnt_style_is_a_model_where_a_job_s_need_is_asked():
    style = SimpleNamespace(key="music/My style", title="My style", path="My style.safetensors", problem="")
    need = [Compose().need(ComposeParams(model="music/My style"), SimpleNamespace(entries=lambda kind, found=found: found)) for found in ([style], [])]
    assert not need[0].missing and "music/My style" in need[1].missing
