"""music.compose: what is asked for holds to the note, what is given stays bit for bit, every setting does something, and bad input is told before work."""

from __future__ import annotations

import base64
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music import midi
from pipelines.music.chords import parse_chord
from pipelines.music.compose import Compose
from pipelines.music.params import ComposeParams
from pipelines.music.plan import NOT_KNOWN, OWN_INSTRUMENTS, OWN_METRE, OWN_TEMPO, OWN_VOICES, Plan, plan_of, repainted
from pipelines.music.presets import BAND, CHORALE, PRESETS, VOICES
from pipelines.music.score import STEP, Note, Piece, Voice
from pipelines.music.theory import chords_found, named
from pipelines.music.writing import compose, underlying
from studio.api import BadInput, Catalog, StudioError
from studio.i18n import Words
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


def looped(preset: str, seed: int, mode: str, bars: int = 8) -> tuple[Plan, Piece]:
    """A new loop; or a closed piece whose last two bars are painted anew as the end of one, as the page's button does it."""
    if mode == "New":
        return made(preset=preset, bars=bars, loop=True, seed=seed)
    closed = made(preset=preset, bars=bars, seed=seed)[1]
    return made(closed, mode="Repaint", repaint_bars=f"{bars - 1}-{bars}", loop=True, seed=seed + 100)


def over_bar_lines(plan: Plan, piece: Piece, number: int) -> tuple[int, list[int]]:
    """Semitones from a voice's last note to its first, and of the steps over those bar lines inside where the chord changes, as it does over the seam."""
    notes, changes = piece.voices[number].notes, {tick for tick, _ in piece.chords} & {bar.start * STEP for bar in plan.bars[1:]}
    inside = [abs(then.pitch - now.pitch) for now, then in itertools.pairwise(notes) if any(now.start < line <= then.start for line in changes)]
    return abs(notes[-1].pitch - notes[0].pitch), inside


def seams(preset: str, mode: str, seeds: int, bars: int = 8) -> tuple[float, float]:
    """Mean steps of all voices that are led note by note, over the seam and inside. Nothing sounds over the seam or is cut by it."""
    found: tuple[list[int], list[int]] = ([], [])
    for seed in range(seeds):
        plan, piece = looped(preset, seed, mode, bars)
        assert compose(plan, plan.params.seed) == piece and all(note.start + note.length <= piece.length for voice in piece.voices for note in voice.notes), "nothing had to be cut"
        for number, part in enumerate(plan.parts):
            if part.role in ("melody", "counter", "lay") or part.style == "walking":
                seam, inside = over_bar_lines(plan, piece, number)
                found[0].append(seam)
                found[1].extend(inside)
    return float(np.mean(found[0])), float(np.mean(found[1]))


@pytest.mark.parametrize("mode", ["New", "Repaint"])
@pytest.mark.parametrize("preset", ["March", "Jazz trio", "Harpsichord", "Garden"])
def test_the_step_over_a_loop_s_seam_is_as_small_as_those_inside(preset: str, mode: str) -> None:
    seam, inside = seams(preset, mode, 16)
    assert seam < 1.2 * inside + 0.2, f"{seam:.2f} semitones over the seam, {inside:.2f} inside"


@pytest.mark.parametrize("preset", ["March", "Garden", "Five", "Harpsichord"])
def test_a_closed_piece_made_a_loop_ends_on_a_chord_that_leads_to_the_first(preset: str) -> None:
    for seed in range(12):
        closed = made(preset=preset, bars=8, seed=seed)[1]
        plan, loop = made(closed, mode="Repaint", repaint_bars="7-8", loop=True, seed=seed)
        roots = [parse_chord(name).root for name in (closed.chords[-1][1], loop.chords[-1][1], loop.chords[0][1])]
        assert roots[0] == plan.key.tonic and roots[1] not in (plan.key.tonic, roots[2]), (seed, loop.chords)
        start = plan.bars[-1].start * STEP
        assert [item for item in loop.chords if item[0] < start] == [item for item in closed.chords if item[0] < start], "only the last bar's are others"


def test_chords_of_a_loop_stay_where_a_voice_stays() -> None:
    closed = made(preset="March", bars=8)[1]
    assert made(closed, mode="Repaint", repaint_bars="7-8", repaint_voices="1", loop=True)[1].chords == closed.chords
    _, typed = made(closed, mode="Repaint", repaint_bars="7-8", loop=True, chords="Bb")
    assert typed.chords[-1][1] == "Bb", "and where they were typed"


def test_bars_behind_a_piece_lead_back_to_its_own_first_notes() -> None:
    near = []
    for seed in range(12):
        given = made(preset="Jazz trio", bars=4, seed=seed)[1]
        plan, piece = made(given, mode="Continue", bars=4, loop=True, seed=seed, preset="Jazz trio")
        near += [abs(piece.voices[number].notes[-1].pitch - given.voices[number].notes[0].pitch) for number in (0, 1)]
        assert parse_chord(piece.chords[-1][1]).root != parse_chord(piece.chords[0][1]).root and plan.params.loop
    assert np.mean(near) < 4


@pytest.mark.parametrize("mode", ["New", "Repaint"])
def test_the_network_hears_a_loop_s_beginning_behind_its_end(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first phrase stands there as known notes, and is cut off again. It is drawn once: of a new piece before all else."""
    from pipelines.music.composer import sample as network

    asked: list[dict[str, Any]] = []
    drawn = network.sample

    def spy(frame: Any, fixed: Any, *args: Any, **values: Any) -> Any:
        tokens = drawn(frame, fixed, *args, **values)
        asked.append({"steps": frame.steps, "fixed": fixed.copy(), "until": values["until"], "tokens": tokens})
        return tokens

    closed = made(preset="Chorale", bars=4, seed=3)[1] if mode == "Repaint" else None
    monkeypatch.setattr(network, "sample", spy)
    values = {"mode": "Repaint", "repaint_bars": "3-4"} if closed else {"preset": "Chorale", "bars": 4}
    _, loop = made(closed, loop=True, seed=3, **values)
    assert [one["until"] for one in asked] == ([None] if closed else [32, None]) and {one["steps"] for one in asked} == {4 * 16 + 32}
    last = asked[-1]
    assert (last["fixed"][:, 64:] == last["fixed"][:, :32]).all() and (last["fixed"][:, :32] >= 0).all() and (last["tokens"][:, :32] == last["fixed"][:, :32]).all()
    assert loop.length == 4 * BAR and all(note.start + note.length <= loop.length for voice in loop.voices for note in voice.notes)
    if closed:
        assert all(note in voice.notes for old, voice in zip(closed.voices, loop.voices, strict=True) for note in old.notes if note.start < 2 * BAR)


@pytest.mark.parametrize("mode", ["New", "Repaint"])
@pytest.mark.parametrize("seeds", [4, pytest.param(24, marks=pytest.mark.slow)])
def test_a_chorale_s_loop_leads_back_voice_by_voice(mode: str, seeds: int) -> None:
    seam, inside = seams("Chorale", mode, seeds, 4)
    assert seam < 1.2 * inside + 0.2, f"{seam:.2f} semitones over the seam, {inside:.2f} inside"
    for seed in range(seeds):
        loop = looped("Chorale", seed, mode, 4)[1]
        assert (loop.voices[3].notes[-1].pitch - loop.voices[3].notes[0].pitch) % 12, "the bass is not there yet"
        assert loop.chords[-1][1] != loop.chords[0][1]


def test_a_loop_of_one_bar_is_one_too() -> None:
    for preset in ("Chorale", "March", "Harpsichord"):
        _, loop = made(preset=preset, bars=1, loop=True)
        assert all(voice.notes for voice in loop.voices)


# -- names of chords -------------------------------------------------------------------------------------------


def sounding_chords(piece: Piece) -> tuple[tuple[int, str], ...]:
    return named(replace(piece, chords=())).chords


def test_the_network_s_chords_are_named_after_its_notes_and_written_ones_stay_beside_what_it_wrote() -> None:
    found = made(preset="Chorale", bars=4)[1]
    assert chords_found(found) and found.chords == sounding_chords(found)
    typed = ((0, "G"), (BAR, "Bb"), (2 * BAR, "F#m"), (3 * BAR, "E"))
    given = replace(found, chords=typed, facts={name: value for name, value in found.facts.items() if name != "chords"})
    _, painted = made(given, mode="Repaint", repaint_bars="2-3", seed=7)
    heard = dict(sounding_chords(painted))
    assert [item for item in painted.chords if not BAR <= item[0] < 3 * BAR] == [typed[0], typed[3]] and not chords_found(painted)
    inside = {tick: name for tick, name in painted.chords if BAR < tick < 3 * BAR}
    assert inside and inside.items() <= heard.items()
    _, longer = made(given, mode="Continue", bars=2, seed=7)
    assert longer.chords[:4] == typed and {tick: name for tick, name in longer.chords if tick > 4 * BAR}.items() <= dict(sounding_chords(longer)).items()
    for mode in ("Repaint", "Continue", "Variation"):
        again = made(found, mode=mode, bars=2, seed=8, amount=1.0)[1]
        assert chords_found(again) and again.chords == sounding_chords(again) and again.chords != found.chords


def test_names_that_were_found_are_no_longer_true_once_notes_change() -> None:
    pipeline, piece = Compose(), made(preset="Chorale", bars=2)[1]
    higher = replace(piece, voices=tuple(replace(voice, notes=tuple(replace(note, pitch=note.pitch + 1) for note in voice.notes)) for voice in piece.voices))
    told = pipeline.named(json.loads(json.dumps(higher.to_json())))
    assert [tuple(item) for item in told["chords"]] == list(sounding_chords(higher)) != list(piece.chords) and told["facts"]["chords"] == "found"
    band = made(preset="March", bars=2)[1]
    assert pipeline.named(band.to_json())["chords"] == [list(item) for item in band.chords] and not chords_found(band)


def test_a_piece_of_other_programs_is_still_painted_over_its_likeliest_chords() -> None:
    """Names that were found beat by beat for the page are no harmony that somebody wrote."""
    given = midi.tidy(a_piece(7))
    assert not given.chords and underlying(plan_of(params_of({"mode": "Repaint"}), given)) == underlying(plan_of(params_of({"mode": "Repaint"}), named(given)))


# -- what a task heeds -----------------------------------------------------------------------------------------

LEFTOVER: dict[str, Any] = {"instruments": "Oboe, Flute", "tempo": 140.0, "metre": "3/4", "voices": 5}


@pytest.mark.parametrize("mode", ["Repaint", "Variation"])
def test_what_a_form_still_holds_changes_no_piece_as_a_whole(mode: str) -> None:
    given = midi.tidy(tune())
    plan, piece = made(given, mode=mode, repaint_bars="2" if mode == "Repaint" else "", preset="8-bit", **LEFTOVER)
    same = made(given, mode=mode, repaint_bars="2" if mode == "Repaint" else "", preset="8-bit")[1]
    assert piece == same and (piece.tempos, piece.metres, piece.keys) == (given.tempos, given.metres, given.keys)
    assert [voice.program for voice in piece.voices] == [voice.program for voice in given.voices]
    assert {OWN_INSTRUMENTS, OWN_TEMPO, OWN_METRE, OWN_VOICES} <= set(plan.notes)


def test_what_the_piece_has_anyway_is_not_told() -> None:
    given = midi.tidy(tune())
    plan, _ = made(given, mode="Repaint", instruments="32, Flute", tempo=91, metre="4/4", voices=2)
    assert not {OWN_INSTRUMENTS, OWN_TEMPO, OWN_METRE, OWN_VOICES} & set(plan.notes)


def test_a_key_that_is_asked_for_colours_the_painted_notes_and_leaves_the_piece_s_own() -> None:
    given = midi.tidy(tune())
    plan, piece = made(given, mode="Repaint", repaint_bars="2", key="Eb major", scale_lock="On")
    fresh = [note for old, new in zip(given.voices, piece.voices, strict=True) for note in new.notes if note not in old.notes]
    assert fresh and all(note.pitch % 12 in plan.key.classes for note in fresh) and piece.keys == given.keys and piece.facts["key"] == "C major"


def test_a_continuation_has_its_own_tempo_and_key_from_its_first_bar_on() -> None:
    given = midi.tidy(tune())
    plan, piece = made(given, mode="Continue", bars=2, tempo=140, key="A minor", metre="3/4", instruments="Oboe")
    assert piece.tempos == ((0, 91.0), (4 * BAR, 140.0)) and piece.keys == ((0, "C"), (4 * BAR, "Am")) and piece.metres == ((0, 4, 4), (4 * BAR, 3, 4))
    assert [voice.program for voice in piece.voices] == [32, 73] and OWN_INSTRUMENTS in plan.notes
    assert midi.read(midi.write(piece)) == piece


@pytest.mark.parametrize("mode", ["Repaint", "Variation"])
def test_a_piece_keeps_its_mood_whatever_card_is_pressed(mode: str) -> None:
    given = made(preset="Garden", bars=4)[1]
    pieces = [made(given, mode=mode, preset=preset, density=0.8)[1] for preset in ("Garden", "8-bit", "March")]
    assert pieces[0] == pieces[1] == pieces[2] and pieces[0].facts["preset"] == "Garden"


def test_a_density_counts_from_the_piece_s_own() -> None:
    given = made(preset="8-bit", bars=4)[1]
    plan = plan_of(params_of({"mode": "Continue", "preset": "Ambient", "density": 0.75}), given)
    assert [part.density for part in plan.parts] == pytest.approx([part.density for part in PRESETS["8-bit"].parts]), "as dense as it is"


@pytest.mark.parametrize(
    ("given", "values", "told"),
    [
        (tune(), {"mode": "Continue"}, NOT_KNOWN), (tune(), {"mode": "Repaint"}, NOT_KNOWN), (None, {"preset": "Chorale", "voices": 5}, "four voices at most"),
        (replace(tune(), facts={"model": CHORALE}), {"mode": "Continue"}, "four voices of single notes"), (replace(tune(), facts={"model": CHORALE}), {"mode": "Variation"}, "by the Markov model"),
        (replace(tune(), facts={"model": "a style that is gone"}), {"mode": "Continue"}, NOT_KNOWN),
    ],
)  # fmt: skip
def test_another_model_than_the_mood_s_or_the_piece_s_is_told(given: Piece | None, values: dict[str, Any], told: str) -> None:
    plan = plan_of(params_of(values), given)
    assert plan.model == BAND and any(told in note for note in plan.notes)
    assert all(Words().say("ja", note) != note and "Markov" not in Words().say("ja", note) for note in plan.notes), "in Japanese too"
    assert not plan_of(params_of(values | {"model": BAND}), given).notes, "who asks for it knows"


@pytest.mark.parametrize("values", [{"preset": "Chorale"}, {"preset": "March"}, {"mode": "Variation"}])
def test_nothing_is_told_where_nothing_stands_in(values: dict[str, Any]) -> None:
    assert plan_of(params_of(values), tune()).notes == () and Words().say("ja", OWN_VOICES) != OWN_VOICES


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
        ({"mode": "Repaint", "repaint_bars": "3-2"}, "repaint_bars", "no bars 3-2"), ({"mode": "Repaint", "repaint_voices": "Oboe"}, "repaint_voices", "no voice “Oboe”"), ({"mode": "Continue", "voices": 3}, "voices", "2 voices"),
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
    going = queue.submit("music.compose", {"mode": "Continue", "piece": key, "bars": 1, "instruments": "Oboe", "sound": "No sound"}, owner="local").wait()
    assert going.summary["notes"] == [OWN_INSTRUMENTS, NOT_KNOWN]
    broken = queue.desk.inputs.keep(midi.write(tune())[:-40])
    with pytest.raises(StudioError) as caught:
        queue.submit("music.compose", {"mode": "Continue", "piece": broken}, owner="local")
    assert "damaged" in caught.value.message and caught.value.field == "piece"


def test_the_page_s_helpers_read_and_write_any_piece(tmp_path: Path) -> None:
    pipeline, piece = Compose(), tune()
    path = tmp_path / "a.mid"
    path.write_bytes(midi.write(piece))
    given = json.loads(json.dumps(pipeline.piece(path)))
    assert midi.read(pipeline.midi(given)) == named(piece) and given["chords"][0][0] == 0 and given["facts"]["chords"] == "found" and pipeline.lost(path) == []
    assert [one["name"] for one in pipeline.presets()] == list(PRESETS) and len(pipeline.instruments()) == 128 and pipeline.ensembles() and pipeline.models() and pipeline.progressions()
    for broken in ({}, {"voices": 3}, given | {"voices": [{"name": "A", "notes": [{"start": "x"}]}]}, given | {"what": 1}):
        with pytest.raises(BadInput):
            pipeline.midi(broken)


def test_how_long_it_takes_is_told_once_one_was_made(queue: JobQueue) -> None:
    """The verdict of a pipeline that goes one way only has a pace, too."""
    values = {"preset": "Bossa nova", "bars": 2, "sound": "No sound"}
    assert queue.verdict(queue.pipelines["music.compose"], params_of(values)).seconds == -1, "of this mood none"
    job = queue.submit("music.compose", values, owner="local").wait()
    assert queue.verdict(queue.pipelines["music.compose"], params_of(values | {"bars": 20})).seconds == pytest.approx(20 * job.summary["pace"]["bar"])


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
