"""music.compose: what is asked for holds to the note, what is given stays bit for bit, every setting does something, and bad input is told before work."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music import midi
from pipelines.music.compose import Compose
from pipelines.music.params import ComposeParams
from pipelines.music.plan import Plan, plan_of, repainted
from pipelines.music.presets import BAND, CHORALE, PRESETS, VOICES
from pipelines.music.score import STEP, Note, Piece, Voice
from pipelines.music.writing import compose
from studio.api import BadInput, Catalog, StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.music_checks import BEATS, a_piece, params_of, some_values, wrong
from tests.sounding import music_queue

BAR = 1920


def made(given: Piece | None = None, **values: Any) -> tuple[Plan, Piece]:
    """A band's piece where no preset is named: the quickest."""
    params = params_of({"preset": "Music box", "seed": 1} | values)
    plan = plan_of(params, given)
    return plan, midi.check(compose(plan, params.seed))


def tune(bars: int = 4) -> Piece:
    """A melody off the grid, over a bass that lies lower."""
    top = tuple(Note(start + 7, pitch, 400, 90) for start, pitch in zip(range(0, bars * BAR, 480), [72, 74, 76, 77, 79, 77, 76, 74] * bars, strict=False))
    return Piece((Voice("Low", (Note(0, 40, BAR, 70),), 32), Voice("Tune", top, 73)), bars * BAR, ((0, 91.0),), ((0, 4, 4),), ((0, "C"),))


# -- exactness -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 60))])
def test_whatever_is_asked_for_holds_to_the_note(seed: int) -> None:
    values = some_values(random.Random(seed))
    if seed % 4:  # most of them without the network, which takes its time
        values["model"] = (BAND, BAND, VOICES)[seed % 4 - 1]
        values["voices"] = min(values["voices"], 4)
    plan = plan_of(params_of(values), None)
    piece = midi.check(compose(plan, values["seed"]))
    assert wrong(plan, piece) == [] and midi.read(midi.write(piece)) == piece
    assert midi.check(compose(plan, values["seed"])) == piece, "one seed, one piece"


def test_the_check_itself_finds_what_is_wrong() -> None:
    plan, piece = made(preset="Waltz", chords="D | A", key="D major", scale_lock="On", tempo=100, chord_lock="Every note")
    assert wrong(plan, piece) == []
    first = piece.voices[0]
    for bad in (replace(first.notes[0], pitch=61), replace(first.notes[0], pitch=20), replace(first.notes[0], length=10**6)):
        assert wrong(plan, replace(piece, voices=(replace(first, notes=(bad, *first.notes[1:])), *piece.voices[1:])))
    assert wrong(plan, replace(piece, tempos=((0, 100.01),))) and wrong(plan, replace(piece, length=piece.length + 1))


@pytest.mark.parametrize("metre", BEATS)
def test_length_and_metre_are_exact(metre: str) -> None:
    for preset in ("Music box", "Jazz trio"):
        _, piece = made(preset=preset, metre=metre, bars=5, tempo=77.77)
        assert piece.length == 5 * sum(BEATS[metre]) and piece.tempos == ((0, 77.77),) and piece.metres == ((0, *(int(part) for part in metre.split("/"))),)
        assert all(note.start + note.length <= piece.length for voice in piece.voices for note in voice.notes)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_mood_sounds_on_each_of_its_voices(preset: str) -> None:
    plan, piece = made(preset=preset, bars=8)
    shape = PRESETS[preset]
    assert all(voice.notes for voice in piece.voices) and len(piece.voices) == len(shape.parts) and wrong(plan, piece) == []
    assert piece.tempos[0][1] == shape.tempo and plan.key.name == shape.key and piece.chords
    longest = max(then - now for now, then in zip([0, *sorted({note.start for voice in piece.voices for note in voice.notes})], sorted({note.start for voice in piece.voices for note in voice.notes}), strict=False))
    assert longest <= 4 * BAR


def test_the_moods_are_different() -> None:
    """By what they are made of: no two share metre, tempo and instruments, and at least ten differ in each pair of key and metre."""
    seen = {(preset.metre, preset.tempo, tuple(part.program for part in preset.parts)) for preset in PRESETS.values()}
    assert len(seen) == len(PRESETS) >= 10 and len({preset.metre for preset in PRESETS.values()}) >= 5 and len({preset.key for preset in PRESETS.values()}) >= 10
    patterns = {tuple((part.role, part.style) for part in preset.parts) for preset in PRESETS.values()}
    assert len(patterns) >= 12


def test_a_loop_ends_where_it_begins() -> None:
    """Without a closing note: the melody's last pitch is near its first, the last bar is played like the others, and its chord leads home."""
    near, closed = [], []
    for seed in range(8):
        _, loop = made(preset="March", loop=True, seed=seed)
        _, plain = made(preset="March", seed=seed)
        melody = loop.voices[0].notes
        near.append(abs(melody[-1].pitch - melody[0].pitch))
        closed.append(loop.chords[-1][1] == loop.chords[0][1])
        last = loop.length - 960
        assert len([note for note in loop.voices[2].notes if note.start >= last]) > len({note.start for note in plain.voices[2].notes if note.start >= last})
    assert np.mean(near) <= 4 and not all(closed)


def test_typed_chords_are_written_where_they_were_typed() -> None:
    _, piece = made(preset="Five", bars=4, chords="Em C | D Am B7")
    assert piece.chords[:5] == ((0, "Em"), (960, "C"), (2400, "D"), (2880, "Am"), (3840, "B7"))
    _, roman = made(preset="Music box", key="A major", bars=2, chords="I | V7")
    assert [name for _, name in roman.chords] == ["A", "E7"]


# -- what is given ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["Chorale", "Waltz", "Harpsichord", "Drum groove"])
def test_a_harmonised_melody_stays_bit_for_bit(preset: str) -> None:
    given = tune()
    plan, piece = made(given, mode="Harmonise", preset=preset)
    assert piece.voices[0].notes == given.voices[1].notes and piece.voices[0].name == "Tune"
    assert piece.length == given.length and piece.tempos == given.tempos and len(piece.voices) > 1 and all(voice.notes for voice in piece.voices[1:])
    assert wrong(plan, piece, {number: list(voice.notes) for number, voice in enumerate(piece.voices) if number}) == []


def test_harmonising_follows_the_melody() -> None:
    """Under a broken C, F, G, C the hidden chords are those."""
    notes = tuple(Note(bar * BAR + place * 480, pitch, 480) for bar, chord in enumerate(((60, 64, 67, 72), (65, 69, 72, 65), (67, 71, 74, 67), (72, 67, 64, 60))) for place, pitch in enumerate(chord))
    given = Piece((Voice("Tune", notes, 0),), 4 * BAR, keys=((0, "C"),))
    _, piece = made(given, mode="Harmonise", preset="Waltz", temperature=0.1)
    assert [name for _, name in piece.chords] == ["C", "F", "G", "C"]


@pytest.mark.parametrize("preset", ["Music box", "Chorale"])
def test_a_primer_opens_a_new_piece(preset: str) -> None:
    given = tune(2)
    plan, piece = made(given, preset=preset, metre="4/4", bars=8)
    assert piece.voices[0].notes[:8] == given.voices[1].notes[:8] and piece.length == 8 * BAR
    assert piece.voices[0].notes[8].start >= given.voices[1].notes[7].start + 400
    with pytest.raises(BadInput, match="longer than 1 bars"):
        plan_of(plan.params.model_copy(update={"bars": 1}), given)


@pytest.mark.parametrize(("given", "values"), [(a_piece(5), {}), (a_piece(6, "6/8", 4), {"metre": "Automatic"}), (None, {"preset": "Chorale"})])
def test_a_continued_piece_is_untouched(given: Piece | None, values: dict[str, Any]) -> None:
    given = midi.tidy(given or made(preset="Chorale", bars=4)[1])
    plan, piece = made(given, mode="Continue", bars=3, **values)
    old = plan.fresh[0].start * STEP
    assert [tuple(note for note in voice.notes if note.start < old) for voice in piece.voices] == [voice.notes for voice in given.voices]
    assert piece.length == old + 3 * sum(BEATS[f"{plan.metre[0]}/{plan.metre[1]}"]) and all(any(note.start >= old for note in voice.notes) for voice in piece.voices)


@pytest.mark.parametrize(("given", "voices"), [(a_piece(7), ""), (a_piece(8, "3/4"), "Hand 2, 4"), (None, "Alto"), (None, ""), (None, "1, 4")])
def test_what_is_not_repainted_is_bit_identical(given: Piece | None, voices: str) -> None:
    given = midi.tidy(given or made(preset="Chorale", bars=6)[1])
    plan, piece = made(given, mode="Repaint", repaint_bars="2-3, 5", repaint_voices=voices, seed=11)
    bars = [plan.bars[number] for number in (1, 2, 4)]

    def painted(number: int, note: Note) -> bool:
        return number in plan.chosen and any(bar.start * STEP <= note.start < bar.end * STEP for bar in bars)

    for number, (before, after) in enumerate(zip(given.voices, piece.voices, strict=True)):
        assert [note for note in before.notes if not painted(number, note)] == [note for note in after.notes if not painted(number, note)]
        assert (number in plan.chosen) == (before != after), "and what is, is another"
    assert piece.length == given.length and piece.tempos == given.tempos


def test_variations_keep_rhythm_and_most_notes() -> None:
    given = midi.tidy(a_piece(9))
    shares = []
    for amount in (0.05, 0.3, 1.0):
        _, piece = made(given, mode="Variation", amount=amount)
        changed = total = 0
        for before, after in zip(given.voices, piece.voices, strict=True):
            assert sorted((note.start, note.length) for note in before.notes) == sorted((note.start, note.length) for note in after.notes)
            changed, total = changed + len(set(before.notes) - set(after.notes)), total + len(before.notes)
        shares.append(changed / total)
    assert 0 < shares[0] < shares[1] < shares[2] and shares[0] < 0.12


# -- every setting does something ------------------------------------------------------------------------------

CHANGED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "preset": ({}, {"preset": "Waltz"}), "bars": ({}, {"bars": 5}), "instruments": ({}, {"instruments": "Strings"}), "tempo": ({}, {"tempo": 99}), "metre": ({}, {"metre": "6/8"}), "key": ({}, {"key": "E minor"}),
    "scale_lock": ({"preset": "Waltz", "key": "C major pentatonic"}, {"scale_lock": "On"}), "chords": ({}, {"chords": "G | C"}), "chord_lock": ({"preset": "8-bit"}, {"chord_lock": "Every note"}), "voices": ({}, {"voices": 5}), "ranges": ({}, {"ranges": "C3-C4"}),
    "model": ({}, {"model": VOICES}), "density": ({}, {"density": 1.0}), "temperature": ({}, {"temperature": 2.0}), "swing": ({"preset": "8-bit"}, {"swing": 1.0}), "loop": ({}, {"loop": True}), "seed": ({}, {"seed": 2}),
}  # fmt: skip
GIVEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mode": ({"mode": "Continue"}, {"mode": "Harmonise"}), "repaint_bars": ({"mode": "Repaint"}, {"repaint_bars": "2"}), "repaint_voices": ({"mode": "Repaint"}, {"repaint_voices": "Tune"}), "amount": ({"mode": "Variation"}, {"amount": 1.0}),
}  # fmt: skip


def test_every_setting_is_tried_here() -> None:
    assert {*CHANGED, *GIVEN, "piece", "sound"} == set(ComposeParams.model_fields), "piece and sound are tried in the jobs below"


@pytest.mark.parametrize("name", CHANGED)
def test_every_setting_changes_a_new_piece(name: str) -> None:
    base, change = CHANGED[name]
    assert made(**base)[1] != made(**(base | change))[1]


@pytest.mark.parametrize("name", GIVEN)
def test_every_setting_changes_a_given_piece(name: str) -> None:
    base, change = GIVEN[name]
    assert made(tune(), **base)[1] != made(tune(), **(base | change))[1]


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({"density": 0.1}, {"density": 0.9}),
        ({"temperature": 0.3}, {"temperature": 1.5}),
        ({"seed": 1}, {"seed": 2}),
        ({}, {"loop": True}),
        ({}, {"chords": "G | D"}),
        ({}, {"voices": 2}),
        ({}, {"metre": "3/4"}),
        ({}, {"key": "C minor"}),
    ],
)
def test_the_network_heeds_them_too(values: dict[str, Any], more: dict[str, Any]) -> None:
    base = {"preset": "Chorale", "bars": 4}
    assert made(**(base | values))[1] != made(**(base | values | more))[1]


# -- bad input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"tempo": 5}, "tempo", "too slow"), ({"key": "H moll"}, "key", "no key"), ({"chords": "C | Xy"}, "chords", "character 5"), ({"ranges": "C4"}, "ranges", "can't be read"), ({"ranges": "C4-C4"}, "ranges", "too small"),
        ({"ranges": ",,,,,C4-C5"}, "ranges", "6 ranges for 3"), ({"instruments": "Flute, Foo"}, "instruments", "no instrument “Foo”"), ({"instruments": "1,2,3,4"}, "instruments", "4 instruments for 3"), ({"model": "GPT"}, "model", "no model"),
        ({"voices": 6, "model": CHORALE}, "model", "four voices"), ({"voices": 6, "model": VOICES}, "voices", "Four voices"), ({"chords": "C | F#", "key": "C major", "scale_lock": "On"}, "chords", "outside of C major: F#, A#, C#"),
        ({"metre": "2/4", "chords": "C D E"}, "chords", "3 chords, but only 2 beats"), ({"mode": "Repaint"}, "piece", "no piece"), ({"mode": "Harmonise"}, "piece", "no piece"),
    ],
)  # fmt: skip
def test_what_can_t_be_written_is_told_at_its_field(values: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan_of(params_of({"preset": "Music box"} | values), None)
    assert caught.value.field == field and caught.value.hint
    assert {told.split(": ")[0]} and told.split(": ")[0] in caught.value.message


@pytest.mark.parametrize(
    ("values", "field", "told"),
    [
        ({"mode": "Repaint", "repaint_bars": "0-2"}, "repaint_bars", "no bars 0-2"), ({"mode": "Repaint", "repaint_bars": "3-9"}, "repaint_bars", "the piece has 4"), ({"mode": "Repaint", "repaint_bars": "x"}, "repaint_bars", "names no bars"),
        ({"mode": "Repaint", "repaint_bars": "3-2"}, "repaint_bars", "no bars 3-2"), ({"mode": "Repaint", "repaint_voices": "Oboe"}, "repaint_voices", "no voice “Oboe”"), ({"mode": "Variation", "metre": "3/4"}, "metre", "in 4/4"), ({"mode": "Continue", "voices": 3}, "voices", "2 voices"),
        ({"mode": "Continue", "model": CHORALE}, "model", "four voices of single notes"), ({"mode": "Variation", "model": CHORALE}, "model", "Variations"), ({"mode": "Harmonise", "voices": 1}, "voices", "One voice"),
    ],
)  # fmt: skip
def test_what_a_given_piece_can_t_have_is_told_at_its_field(values: dict[str, Any], field: str, told: str) -> None:
    with pytest.raises(BadInput) as caught:
        plan_of(params_of(values), tune())
    assert caught.value.field == field and told in caught.value.message


def test_pieces_without_a_melody_or_with_odd_bars_are_refused() -> None:
    drums = Piece((Voice("Kit", (Note(0, 36, 100),), 0, True),), BAR)
    with pytest.raises(BadInput, match="drums only"):
        plan_of(params_of({"mode": "Harmonise"}), drums)
    odd = Piece((Voice("A", (Note(0, 60, 100),)),), BAR, metres=((0, 3, 64),))
    with pytest.raises(BadInput, match="sixteenth grid"):
        plan_of(params_of({"mode": "Continue"}), odd)


def test_bars_to_repaint_are_read() -> None:
    assert repainted("2, 4-6", 8) == [1, 3, 4, 5] and repainted(" ", 3) == [0, 1, 2]


# -- the jobs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made_queue = music_queue(tmp_path_factory.mktemp("music"))
    made_queue.start()
    yield made_queue
    finish(made_queue)


def test_a_job_gives_notes_and_sound_with_the_settings_inside(queue: JobQueue) -> None:
    job = queue.submit("music.compose", {"preset": "Lullaby", "bars": 2, "seed": 4}, owner="local").wait()
    assert job.state == "done", job.error
    outputs = [queue.store.output(one) for one in job.outputs]
    assert [output.kind for output in outputs] == ["midi", "audio"]
    piece = midi.read_file(Path(outputs[0].path))
    assert extract(Path(outputs[0].path))["params"]["preset"] == "Lullaby" and job.summary["piece"]["bars"] == 2 and job.summary["pace"]["bar"] > 0
    assert piece == made(preset="Lullaby", bars=2, seed=4)[1]
    told = extract(Path(outputs[0].path))["facts"]
    assert told["key"] == "F major" and told["tempo"] == 66 and told["metre"] == "6/8" and told["chords"][0] == [0, "F"] and told["seconds"] == pytest.approx(piece.seconds(piece.length), abs=0.01)


def test_notes_alone_and_another_engine(queue: JobQueue) -> None:
    silent = queue.submit("music.compose", {"preset": "Lullaby", "bars": 1, "seed": 4, "sound": "No sound"}, owner="local").wait()
    assert [queue.store.output(one).kind for one in silent.outputs] == ["midi"]


def test_a_kept_piece_is_harmonised_and_a_broken_one_refused(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(midi.write(tune()))
    job = queue.submit("music.compose", {"preset": "Waltz", "mode": "Harmonise", "piece": key, "seed": 1, "sound": "No sound"}, owner="local").wait()
    assert job.state == "done" and midi.read_file(Path(queue.store.output(job.outputs[0]).path)).voices[0].notes == tune().voices[1].notes
    broken = queue.desk.inputs.keep(midi.write(tune())[:-40])
    with pytest.raises(StudioError) as caught:
        queue.submit("music.compose", {"mode": "Continue", "piece": broken}, owner="local")
    assert "damaged" in caught.value.message and caught.value.field == "piece"


def test_the_page_s_helpers_read_and_write_any_piece(tmp_path: Path) -> None:
    pipeline, piece = Compose(), tune()
    path = tmp_path / "a.mid"
    path.write_bytes(midi.write(piece))
    given = json.loads(json.dumps(pipeline.piece(path)))
    assert midi.read(pipeline.midi(given)) == piece and pipeline.chords_of(given)[0][0] == 0
    assert [one["name"] for one in pipeline.presets()] == list(PRESETS) and len(pipeline.instruments()) == 128 and pipeline.ensembles() and pipeline.models() and pipeline.progressions()
    for broken in ({}, {"voices": 3}, given | {"voices": [{"name": "A", "notes": [{"start": "x"}]}]}, given | {"what": 1}):
        with pytest.raises(BadInput):
            pipeline.midi(broken)


def test_need_tells_what_is_missing() -> None:
    pipeline, catalog = Compose(), Catalog([])
    assert not pipeline.need(ComposeParams(), catalog).missing and pipeline.need(ComposeParams(), catalog).facts["bars"] == 16
    assert pipeline.need(ComposeParams(mode="Repaint"), catalog).missing and pipeline.need(ComposeParams(key="H"), catalog).missing
    assert pipeline.seconds(ComposeParams(bars=10), catalog, {"bar": 0.1}) == pytest.approx(1.0)


@pytest.mark.slow
def test_the_sound_is_asked_for_as_base64(monkeypatch: pytest.MonkeyPatch, queue: JobQueue) -> None:
    """music.render reads what compose gives it."""
    from pipelines.music.render import Render

    seen: list[str] = []
    run = Render.run

    def spy(self: Render, params: Any, ctx: Any) -> Any:
        seen.append(params.engine)
        assert midi.read(base64.b64decode(params.midi)).voices
        return run(self, params, ctx)

    monkeypatch.setattr(Render, "run", spy)
    for sound in ("Automatic", "Synthesiser", "SoundFont"):
        assert queue.submit("music.compose", {"preset": "Lullaby", "bars": 1, "seed": 4, "sound": sound}, owner="local").wait().state == "done"
    assert seen == ["Synthesiser", "Synthesiser", "SoundFont"]
