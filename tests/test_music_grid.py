"""Grids of pieces, speeches and sounds: every cell what it would be alone, a table of all, and axes that are wrong refused at their fields."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.music import midi
from pipelines.music.grid import AudioGrid, MusicGrid, MusicGridParams, SpeechGrid
from studio.api import StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from studio.worker import WorkerContext
from tests.house import finish
from tests.sounding import music_queue

LULLABY = {"preset": "Lullaby", "bars": 1, "seed": 5, "sound": "No sound"}
AXES = {"x_axis": "Tempo", "x_values": "60-120 (+60)", "y_axis": "Key", "y_values": "C major, A minor"}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = music_queue(tmp_path_factory.mktemp("grid"))
    made.start()
    yield made
    finish(made)


def outputs(queue: JobQueue, pipeline: str, values: dict[str, Any]) -> list[Any]:
    job = queue.submit(pipeline, values, owner="local").wait()
    assert job.state == "done", job.error
    return [queue.store.output(one) for one in job.outputs]


def table(output: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(Path(output.path).read_text("utf-8").split("\n\n")[0])))


def test_a_grid_keeps_each_piece_with_its_own_settings(queue: JobQueue) -> None:
    made = outputs(queue, "music.grid", {"settings": LULLABY} | AXES)
    assert [output.kind for output in made] == ["midi"] * 4 + ["table"]
    told = [extract(Path(output.path)) for output in made[:4]]
    assert [(one["pipeline"], one["params"]["tempo"], one["params"]["key"]) for one in told] == [("music.compose", tempo, key) for key in ("C major", "A minor") for tempo in (60, 120)]
    alone = outputs(queue, "music.compose", told[3]["params"])
    assert midi.read_file(Path(alone[0].path)) == midi.read_file(Path(made[3].path))
    assert table(made[4])[0] == ["Tempo", "Key", "Z", "title", "key", "tempo", "metre", "bars", "seconds", "notes"]
    assert [row[:2] for row in table(made[4])[1:5]] == [["60", "C major"], ["120", "C major"], ["60", "A minor"], ["120", "A minor"]]
    assert MusicGrid().labels({"settings": LULLABY} | AXES) == [(tempo, key, "") for key in ("C major", "A minor") for tempo in ("60", "120")]


def test_pieces_of_a_grid_sound_and_a_random_seed_is_one_for_all(queue: JobQueue) -> None:
    made = outputs(queue, "music.grid", {"settings": LULLABY | {"seed": -1, "sound": "Synthesiser"}, "x_axis": "Tempo", "x_values": "90, 110"})
    assert [output.kind for output in made] == ["midi", "audio", "midi", "audio", "table"] and made[1].title == "90"
    seeds = {extract(Path(output.path))["params"]["seed"] for output in made[:4]}
    assert len(seeds) == 1 and seeds != {-1}


def test_speeches_differ_by_their_axis_and_are_what_they_would_be_alone(queue: JobQueue) -> None:
    made = outputs(queue, "music.speech_grid", {"settings": {"text": "Good evening.", "seed": 1}, "x_axis": "Speed", "x_values": "0.5, 1", "y_axis": "Pitch", "y_values": "0, 4"})
    assert [output.kind for output in made] == ["audio"] * 4 + ["table"]
    told = [extract(Path(output.path)) for output in made[:4]]
    assert [(one["pipeline"], one["params"]["speed"], one["params"]["pitch"]) for one in told] == [("music.speech", speed, pitch) for pitch in (0, 4) for speed in (0.5, 1)]
    sounds = [Path(output.path).read_bytes() for output in made[:4]]
    assert len(set(sounds)) == 4 and len(sounds[0]) > 1.5 * len(sounds[1])
    seconds = [output.metadata["facts"]["seconds"] for output in made[:4]]
    assert [row[3] for row in table(made[4])[1:5]] == [str(length) for length in seconds]
    alone = outputs(queue, "music.speech", told[3]["params"])
    assert alone[0].metadata["facts"]["seconds"] == seconds[3]


def test_a_grid_that_was_broken_off_goes_on_after_the_last_output_that_was_kept(queue: JobQueue) -> None:
    """Of the second piece the notes are there and its sound is not."""
    params = MusicGridParams(settings=LULLABY | {"sound": "Synthesiser"}, x_axis="Tempo", x_values="60, 80, 100")
    context = WorkerContext(queue.executors["cpu"].worker, {"job": "again", "params": {}, "kept": ["one.mid", "one.wav", "two.mid"]})  # type: ignore[attr-defined]
    made: list[tuple[str, float]] = []
    context.output = lambda artifact: made.append((artifact.kind, artifact.origin["params"]["tempo"]))  # type: ignore[method-assign]
    result = MusicGrid().run(params, context)
    assert made == [("audio", 80.0), ("midi", 100.0), ("audio", 100.0)] and result.summary["cells"] == 3


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({}, "x_axis"), ({"x_axis": "Colour", "x_values": "1"}, "x_axis"), ({"x_axis": "Tempo"}, "x_values"), ({"x_axis": "Key", "x_values": "C major, H"}, "x_values"), ({"x_axis": "Tempo", "x_values": "fast"}, "x_values"),
        ({"x_axis": "Seed", "x_values": "1-401"}, "x_values"), ({"x_axis": "Tempo", "x_values": "60", "settings": {"bars": -1}}, "settings"), ({"x_axis": "Tempo", "x_values": "60", "y_axis": "Bars to repaint", "y_values": "1"}, "y_axis"),
    ],
)  # fmt: skip
def test_wrong_axes_are_refused_before_a_note_is_written(values: dict[str, Any], field: str, queue: JobQueue) -> None:
    with pytest.raises(StudioError) as caught:
        queue.submit("music.grid", {"settings": {"preset": "Lullaby", "bars": 1}} | values, owner="local")
    assert caught.value.field == field and caught.value.hint


def test_what_is_no_setting_of_the_sound_itself_is_no_axis() -> None:
    assert {"Speed", "Pitch", "Voice", "Japanese voice"} <= set(SpeechGrid().axes()) and not {"Text", "Subtitles"} & set(SpeechGrid().axes())
    assert {"Prompt", "Guidance", "Seed", "Model"} <= set(AudioGrid().axes()) and "How many" not in AudioGrid().axes()
