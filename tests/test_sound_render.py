"""music.render: what a piece becomes as a job, for each of its settings; what can't be played is told at its field."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music.midi import write
from pipelines.music.render import Render, RenderParams
from pipelines.music.score import TICKS, Note, Piece, Voice
from pipelines.music.sound.loudness import integrated
from pipelines.music.sound.soundfont import SHIPPED
from studio.api import BadInput, StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.sounding import chorale, heard, music_queue


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    models = tmp_path_factory.mktemp("models")
    (models / "mine.sf3").symlink_to(SHIPPED)
    (models / "broken.sf2").write_bytes(b"RIFF\x04\0\0\0sfbk")
    made = music_queue(tmp_path_factory.mktemp("data"), models)
    made.start()
    yield made
    finish(made)


@pytest.fixture(scope="module")
def piece(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(write(chorale(1, (0, 40, 73, 32), drums=True)))


def outputs(queue: JobQueue, **values: Any) -> list[Path]:
    job = queue.submit("music.render", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return [Path(queue.store.output(one).path) for one in job.outputs]


def sound(queue: JobQueue, **values: Any) -> np.ndarray:
    return heard(outputs(queue, **values)[0])[0]


@pytest.mark.parametrize(("form", "bits"), [("WAV", 16), ("WAV", 24), ("WAV", 32), ("FLAC", 16), ("FLAC", 24), ("MP3", 16), ("OGG", 16)])
def test_each_format_plays_and_carries_its_settings(queue: JobQueue, piece: str, form: str, bits: int) -> None:
    (path,) = outputs(queue, piece=piece, format=form, bits=bits)
    samples, rate = heard(path)
    assert path.suffix == f".{form.lower()}" and rate == 44_100 and samples.shape[0] == 2 and samples.shape[1] > 2 * rate
    assert 0.2 < np.abs(samples).max() <= (0.95 if form in ("MP3", "OGG") else 0.8913) and abs(samples.mean()) < 1e-3
    about = extract(path)
    assert about["pipeline"] == "music.render" and about["params"]["piece"] == piece and about["params"]["format"] == form and about["facts"]["rate"] == 44_100
    whole = sound(queue, piece=piece, format="WAV", bits=32)
    assert samples.shape == whole.shape and np.abs(samples - whole)[:, 3000:].max() < {16: 0.2 if form in ("MP3", "OGG") else 2e-5, 24: 1e-7, 32: 1e-9}[bits]


CHANGES: dict[str, Any] = {
    "engine": "SoundFont", "instruments": [-1, 19], "volume": [-20.0], "pan": [1.0, -1.0], "mute": [True], "solo": [False, True], "reverb": 0.8, "loudness": -24.0, "loop": True,
}  # fmt: skip


@pytest.mark.parametrize("field", CHANGES)
def test_each_setting_changes_what_is_heard(queue: JobQueue, piece: str, field: str) -> None:
    usual, changed = sound(queue, piece=piece), sound(queue, piece=piece, **{field: CHANGES[field]})
    assert usual.shape != changed.shape or np.abs(usual - changed).max() > 0.01
    assert np.array_equal(changed, sound(queue, piece=piece, **{field: CHANGES[field]})), "the same each time"


@pytest.mark.slow
def test_the_rest_of_its_settings_change_files_or_are_refused(queue: JobQueue, piece: str) -> None:
    changed = set(CHANGES) | {"format", "bits", "stems", "piece", "midi", "soundfont"}
    assert changed == set(RenderParams.model_fields), "each is tested here"
    assert len(outputs(queue, piece=piece, stems=True, format="OGG")) == 6
    text = base64.b64encode(write(chorale(1))).decode()
    assert np.array_equal(sound(queue, midi=text), sound(queue, piece=queue.desk.inputs.keep(write(chorale(1)))))
    assert np.array_equal(sound(queue, piece=piece, engine="SoundFont", soundfont="mine.sf3"), sound(queue, piece=piece, engine="SoundFont"))


@pytest.mark.parametrize("engine", ["Synthesiser", "SoundFont"])
def test_stems_as_files_sum_to_the_mix_within_one_step(queue: JobQueue, piece: str, engine: str) -> None:
    mix, *stems = (np.rint(heard(path)[0] * 32768).astype(int) for path in outputs(queue, piece=piece, engine=engine, stems=True))
    assert len(stems) == 5 and np.abs(sum(stems) - mix).max() <= 1 and all(np.abs(stem).max() > 300 for stem in stems)


def test_it_is_as_loud_as_told(queue: JobQueue, piece: str) -> None:
    assert integrated(sound(queue, piece=piece).astype(np.float32)) == pytest.approx(-16, abs=0.7)


EMPTY, SILENT = write(Piece((), 4 * TICKS)), write(Piece((Voice("Nothing"),), 4 * TICKS))
LONG = write(Piece((Voice("One", (Note(0, 60, TICKS),)),), 480 * 4 * 700))


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({}, "piece", "no piece to play"), ({"piece": "0" * 64 + ".mid"}, "piece", "not here any more"), ({"piece": "0" * 64 + ".png"}, "piece", "another kind"), ({"midi": "%%%"}, "midi", "no MIDI file"), ({"midi": "aGVsbG8="}, "midi", "damaged"),
        ({"midi": base64.b64encode(EMPTY).decode()}, "midi", "no notes"), ({"midi": base64.b64encode(SILENT).decode()}, "midi", "no notes"), ({"piece": "+", "mute": [True] * 5}, "mute", "Nothing"), ({"piece": "+", "solo": [False] * 5 + [True]}, "solo", "Nothing"),
        ({"midi": base64.b64encode(LONG).decode()}, "piece", "23:20 long; 20:00 can be played"), ({"piece": "+", "instruments": [129]}, "instruments", "from -1 to 128"), ({"piece": "+", "volume": [13.0]}, "volume", "from -60 to 12"), ({"piece": "+", "volume": [float("nan")]}, "volume", ""),
        ({"piece": "+", "pan": [1.5]}, "pan", "from -1"), ({"piece": "+", "format": "FLAC", "bits": 32}, "bits", "no 32 bits"), ({"piece": "+", "reverb": 1.1}, "reverb", "at most 1"), ({"piece": "+", "reverb": "nan"}, "reverb", "must be a number"), ({"piece": "+", "format": "OGG", "bits": 24}, "bits", "OGG has no bits"), ({"piece": "+", "format": "MP3", "bits": 32}, "bits", "MP3 has no bits"), ({"piece": "+", "engine": "SoundFont", "soundfont": "none"}, "soundfont", "“none” is not on this computer"),
        ({"piece": "+", "engine": "SoundFont", "soundfont": "broken.sf2"}, "soundfont", "can't be used"), ({"piece": "+", "engine": "Oboe"}, "engine", "one of"),
    ],
)  # fmt: skip
def test_what_cannot_be_played_is_refused_at_its_field(queue: JobQueue, piece: str, values: dict[str, Any], field: str, words: str) -> None:
    values = values | ({"piece": piece} if values.get("piece") == "+" else {})
    with pytest.raises(StudioError) as told:
        queue.submit("music.render", values, owner="local")
    assert told.value.field in (field, "soundfont" if field == "model" else field) and words in told.value.message and told.value.hint


def test_memory_and_time_are_told_beforehand(queue: JobQueue, piece: str) -> None:
    render = Render()
    assert render.need(RenderParams(), queue.catalog).missing
    small, stems = (render.need(render.look(RenderParams(piece=piece, stems=value), queue.desk), queue.catalog) for value in (False, True))
    assert 0 < small.working_bytes < stems.working_bytes and small.weight_bytes == 0
    assert render.need(RenderParams(piece=piece, engine="SoundFont"), queue.catalog).weight_bytes > 290e6
    outputs(queue, piece=piece)
    told = queue.verdict(render, RenderParams(piece=piece))
    assert 0 < told.seconds < 60
    assert [title for title, _ in render.soundfonts(queue.catalog)][0].startswith("FluidR3") and len(render.soundfonts(queue.catalog)) == 2 and len(render.instruments()) == 129


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["Synthesiser", "SoundFont"])
def test_stop_is_heard_between_two_notes(engine: str) -> None:
    """The longest time between two looks at it, over a piece with a long note in many instruments."""
    from pipelines.music.sound.mixer import Mix
    from pipelines.music.sound.playing import own_engine, played
    from pipelines.music.sound.soundfont import engine_of, opened

    looks: list[float] = []
    long = Piece(tuple(Voice(str(program), (Note(0, 40, 60 * TICKS),), program) for program in (0, 24, 48, 52)), 60 * TICKS)
    played(long, Mix(), engine_of(opened(SHIPPED)) if engine == "SoundFont" else own_engine, lambda: looks.append(time.process_time()))
    looks.append(time.process_time())
    assert max(np.diff(looks)) < 1.0


@pytest.mark.parametrize(("form", "kind"), [("WAV", "audio/wav"), ("FLAC", "audio/flac"), ("MP3", "audio/mpeg"), ("OGG", "audio/ogg")])
def test_a_browser_can_jump_in_a_sound(queue: JobQueue, piece: str, form: str, kind: str) -> None:
    """Its file answers requests for a range, with a type that a browser which may not guess plays."""
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from studio.host import Studio
    from studio.i18n import Words
    from studio.rest import Api, mount

    studio = Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), None)  # type: ignore[arg-type]
    app = Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda: None).routes()])
    path = outputs(queue, piece=piece, format=form)[0]
    number = next(one.id for one in queue.store.outputs(owner="local") if one.path == str(path))
    asked = {"x-seisei-owner": "local", "x-seisei-host": "1"}
    with TestClient(app) as client:
        whole = client.get(f"/api/v1/outputs/{number}/file", headers=asked)
        part = client.get(f"/api/v1/outputs/{number}/file", headers=asked | {"range": "bytes=1000-1999"})
    assert whole.status_code == 200 and whole.headers["content-type"] == kind and whole.headers["accept-ranges"] == "bytes" and whole.content == path.read_bytes()
    assert part.status_code == 206 and part.content == whole.content[1000:2000] and part.headers["content-range"] == f"bytes 1000-1999/{len(whole.content)}"


def test_metadata_and_hostile_midi_of_the_page_go_through_the_same_door(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="damaged"):
        queue.submit("music.render", {"piece": queue.desk.inputs.keep(b"MThd" + b"\xff" * 400)}, owner="local")
