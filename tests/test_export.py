"""Pieces for other programs: MusicXML that adds up to the note, and scores that are drawn."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Tree

import pytest

from pipelines.music import midi
from pipelines.music.export import Export, ExportParams
from pipelines.music.metre import Bar, bars_like
from pipelines.music.musicxml import CROWDED, OFF_GRID, SHAPES, musicxml, shapes
from pipelines.music.params import ComposeParams
from pipelines.music.plan import plan_of
from pipelines.music.score import Note, Piece, Voice
from pipelines.music.writing import compose
from studio.api import BadInput, Catalog, StudioError
from studio.jobs import JobQueue
from tests.house import finish
from tests.music_checks import BEATS, a_piece
from tests.sounding import music_queue


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = music_queue(tmp_path_factory.mktemp("export"))
    made.start()
    yield made
    finish(made)


def heard(data: bytes) -> dict[str, set[tuple[int, int, int]]]:
    """(start, end, pitch) in sixteenths of each part, ties joined: read from the file alone."""
    found: dict[str, set[tuple[int, int, int]]] = {}
    steps = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
    for part in Tree.fromstring(data).iter("part"):
        at, begun, notes, open_ties = 0, 0, [], {}
        for measure in part.iter("measure"):
            begun = at = max(at, begun)
            longest = at
            for item in measure:
                size = int(item.findtext("duration") or 0)
                if item.tag == "backup":
                    at -= size
                if item.tag != "note":
                    continue
                start = begun if item.find("chord") is not None else at
                pitch = item.find("pitch")
                if pitch is not None:
                    number = 12 * (int(pitch.findtext("octave") or 0) + 1) + steps[pitch.findtext("step") or "C"] + int(pitch.findtext("alter") or 0)
                    ties = {tie.get("type") for tie in item.iter("tie")}
                    key = (item.findtext("voice"), number)
                    first = open_ties.pop(key) if "stop" in ties else start
                    if "start" in ties:
                        open_ties[key] = first
                    else:
                        notes.append((first, start + size, number))
                if item.find("chord") is None:
                    begun, at = at, at + size
                longest = max(longest, at)
            at = longest
            begun = at
        assert not open_ties
        found[part.get("id") or ""] = set(notes)
    return found


@pytest.mark.parametrize("preset", ["March", "Lullaby", "Five", "Harpsichord", "Ambient"])
def test_every_note_of_the_grid_is_in_the_file(preset: str) -> None:
    params = ComposeParams(preset=preset, bars=5, seed=3)
    piece = midi.check(compose(plan_of(params, None), 3))
    data, notes = musicxml(piece)
    assert notes == []
    read = heard(data)
    for number, voice in enumerate(piece.voices, 1):
        if not voice.drums:
            assert read[f"P{number}"] == {(note.start // 120, (note.start + note.length) // 120, note.pitch) for note in voice.notes}


@pytest.mark.parametrize("metre", BEATS)
def test_every_bar_is_full_in_every_layer(metre: str) -> None:
    """With somebody's piece, off the grid and crowded: notes say so, and each bar's signs add up."""
    piece = midi.tidy(a_piece(4, metre))
    data, notes = musicxml(piece)
    assert notes == [OFF_GRID]
    size = sum(BEATS[metre]) // 120
    for measure in Tree.fromstring(data).iter("measure"):
        layers: dict[str, int] = {}
        for note in measure.iter("note"):
            if note.find("chord") is None:
                layers[note.findtext("voice") or ""] = layers.get(note.findtext("voice") or "", 0) + int(note.findtext("duration") or 0)
        assert set(layers.values()) == {size}


def test_crowded_voices_say_so() -> None:
    held = Piece((Voice("A", tuple(Note(start * 120, 60 + start, 1920 - start * 240) for start in range(6))),), 1920)
    assert CROWDED in musicxml(held)[1]


def test_signs_are_shapes_that_notation_has() -> None:
    for bar in (Bar(0, (4, 4, 4, 4)), Bar(8, (6, 6)), Bar(4, (4, 4, 6))):
        for start in range(bar.start, bar.end):
            for end in range(start + 1, bar.end + 1):
                found = shapes(start, end, bar)
                assert all(size in SHAPES for _, size in found) and sum(size for _, size in found) == end - start and found[0][0] == start


def test_keys_metres_clefs_tempo_and_chords_are_told() -> None:
    piece = Piece(
        (Voice("Low", (Note(0, 40, 1440),), 32), Voice("Kit", (Note(0, 36, 120),), 0, True)), 2880, ((0, 93.5),), ((0, 3, 4),), ((0, "Bbm"),), ((0, "Bb/D"), (480, "F#m7b5"), (960, "N.C.")), "A & B", {"key": "Bb minor"}
    )
    root = Tree.fromstring(musicxml(piece)[0])
    assert root.findtext("work/work-title") == "A & B" and [one.text for one in root.iter("fifths")] == ["-5", "0"] and [one.text for one in root.iter("mode")] == ["minor", "minor"]
    assert [one.text for one in root.iter("sign")] == ["F", "percussion"] and root.findtext(".//beats") == "3" and root.find(".//sound").get("tempo") == "93.5"  # type: ignore[union-attr]
    told = [(item.findtext("root/root-step"), item.findtext("root/root-alter"), item.findtext("kind"), item.findtext("bass/bass-step"), item.findtext("offset")) for item in root.iter("harmony")]
    assert told == [("B", "-1", "major", "D", None), ("F", "1", "half-diminished", None, "4"), ("C", None, "none", None, "8")]
    assert not list(Tree.fromstring(musicxml(piece, chords=False)[0]).iter("harmony"))


def test_strange_names_and_odd_bars_are_no_broken_file() -> None:
    piece = Piece((Voice("a\x00<b>\ud800&\x0b", (Note(0, 60, 480),)),), 1920, title="<\x01>")
    assert Tree.fromstring(musicxml(piece)[0]).findtext(".//part-name") == "a<b>&"
    with pytest.raises(BadInput, match="sixteenth grid"):
        musicxml(Piece((Voice("A", (Note(0, 60, 480),)),), 1920, metres=((0, 3, 64),)))
    with pytest.raises(BadInput, match="too large"):
        musicxml(Piece((Voice("A", tuple(Note(start, 60, 1) for start in range(20_001))),), 20_001))


@pytest.mark.skipif(not importlib.util.find_spec("verovio"), reason="optional")
@pytest.mark.parametrize("preset", ["March", "Waltz"])
def test_verovio_draws_every_note(preset: str, queue: JobQueue) -> None:
    job = queue.submit("music.compose", {"preset": preset, "bars": 4, "seed": 2, "sound": "No sound"}, owner="local").wait()
    path = Path(queue.store.output(job.outputs[0]).path)
    key, piece = queue.desk.inputs.keep(path.read_bytes()), midi.read_file(path)
    for scale, fewest in ((40, 1), (100, 2)):
        job = queue.submit("music.export", {"piece": key, "format": "Score", "scale": scale}, owner="local").wait()
        assert job.state == "done", job.error
        pages = [Path(queue.store.output(one).path).read_text("utf-8") for one in job.outputs]
        assert len(pages) >= fewest and all("<svg" in page for page in pages)
        assert sum(page.count('class="note"') for page in pages) >= sum(len(voice.notes) for voice in piece.voices)
    assert "<svg" in Export().score(piece.to_json())


def test_without_verovio_a_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, queue: JobQueue) -> None:
    monkeypatch.setattr(Export, "draws_scores", lambda self: False)
    key = queue.desk.inputs.keep(midi.write(midi.tidy(a_piece(1))))
    with pytest.raises(StudioError, match="verovio") as caught:
        queue.submit("music.export", {"piece": key, "format": "Score"}, owner="local")
    assert "pip install verovio" in caught.value.hint and caught.value.field == "format"


def test_every_setting_of_an_export_does_something(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(midi.write(midi.tidy(a_piece(2))))

    def made(**values: object) -> tuple[str, bytes]:
        job = queue.submit("music.export", {"piece": key} | values, owner="local").wait()
        output = queue.store.output(job.outputs[0])
        return Path(output.path).suffix, Path(output.path).read_bytes()

    plain = made()
    assert plain[0] == ".musicxml" and made(format="MIDI")[0] == ".mid" and b"My title" in made(title="My title")[1] and b"<harmony" in plain[1] and b"<harmony" not in made(chords=False)[1]
    assert midi.read(made(format="MIDI", title="My title")[1]).title == "My title" and midi.read(made(format="MIDI")[1]).chords and not midi.read(made(format="MIDI", chords=False)[1]).chords
    assert Export().need(ExportParams(), Catalog([])).missing
    with pytest.raises(StudioError, match="no piece to export"):
        queue.submit("music.export", {}, owner="local")


def test_bars_of_the_grid_begin_where_they_should() -> None:
    assert [bar.start for bar in bars_like(3, (6, 8))] == [0, 12, 24]


@pytest.mark.parametrize("format", ["MIDI", "MusicXML"])
def test_a_piece_without_a_title_makes_a_file_with_a_name(queue: JobQueue, format: str) -> None:
    key = queue.desk.inputs.keep(midi.write(Piece((Voice("Piano", (Note(0, 60, 480, 80),)),), 1920)))
    job = queue.submit("music.export", {"piece": key, "format": format}, owner="local").wait()
    assert queue.store.output(job.outputs[0]).title == "Piece"
