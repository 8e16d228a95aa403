"""Keys, scales, chords and progressions: against what any textbook says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.music.chords import ChordError, is_chord, parse_chord
from pipelines.music.metre import bars_like, bars_of, beats_of
from pipelines.music.models.tunes import tunes
from pipelines.music.score import Note, Piece, Voice
from pipelines.music.theory import beat_ticks, chords_of, find_key, key_of, name_chord, parse_key, parse_pitch, parse_progression, parse_ranges, pitch_name
from studio.api import BadInput


@pytest.mark.parametrize(
    ("name", "root", "tones", "bass"),
    [
        ("C", 0, {0, 4, 7}, 0), ("Am7", 9, {9, 0, 4, 7}, 9), ("F#dim", 6, {6, 9, 0}, 6), ("Bb/D", 10, {10, 2, 5}, 2), ("G7sus4", 7, {7, 0, 2, 5}, 7), ("Ebmaj7", 3, {3, 7, 10, 2}, 3),
        ("C°7", 0, {0, 3, 6, 9}, 0), ("Dø", 2, {2, 5, 8, 0}, 2), ("E+", 4, {4, 8, 0}, 4), ("A♭6/9", 8, {8, 10, 0, 3, 5}, 8), ("C6/9/E", 0, {0, 2, 4, 7, 9}, 4), ("B5", 11, {11, 6}, 11), ("C7#9", 0, {0, 3, 4, 7, 10}, 0),
    ],
)  # fmt: skip
def test_chord_names_tell_their_tones(name: str, root: int, tones: set[int], bass: int) -> None:
    chord = parse_chord(name)
    assert (chord.root, set(chord.tones), chord.bass) == (root, tones, bass)


@pytest.mark.parametrize(("name", "at"), [("", 0), ("H", 0), ("Cq", 1), ("Am7x", 3), ("C/", 2), ("C/H", 2), ("F##", 2)])
def test_what_is_no_chord_is_told_at_its_character(name: str, at: int) -> None:
    with pytest.raises(ChordError) as caught:
        parse_chord(name)
    assert caught.value.at == at and not is_chord(name)


def test_progressions_have_bars_roman_numerals_and_repeats() -> None:
    assert parse_progression("C | Am F | % | G7", parse_key("C major"), 4) == [["C"], ["Am", "F"], ["Am", "F"], ["G7"]]
    assert parse_progression("I | vi IV | V7 | vii° bVII", parse_key("Eb major"), 4) == [["Eb"], ["Cm", "Ab"], ["Bb7"], ["D°", "Db"]]
    assert parse_progression("i iv\nV7 N.C.", parse_key("A minor"), 4) == [["Am", "Dm"], ["E7", "N.C."]]


@pytest.mark.parametrize(
    ("text", "told"),
    [("C | Amx | G", "character 7"), ("C | Q7", "character 5"), ("%", "no bar before"), (" | | ", "no chords"), ("C D E F G", "Bar 1 has 5 chords, but only 4 beats"), ("I | Vzz", "character 6")],
)
def test_wrong_progressions_are_refused_at_the_character(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        parse_progression(text, parse_key("C major"), 4)
    assert caught.value.field == "chords"


@pytest.mark.parametrize(
    ("name", "classes", "signature"),
    [
        ("C major", {0, 2, 4, 5, 7, 9, 11}, "C"), ("Am", {9, 11, 0, 2, 4, 5, 7}, "Am"), ("d dorian", {2, 4, 5, 7, 9, 11, 0}, "Dm"), ("Bb", {10, 0, 2, 3, 5, 7, 9}, "Bb"), ("F# harmonic minor", {6, 8, 9, 11, 1, 2, 5}, "F#m"),
        ("B blues", {11, 2, 4, 5, 6, 9}, "Bm"), ("C pentatonic", {0, 2, 4, 7, 9}, "C"), ("D in", {2, 3, 7, 9, 10}, "Dm"),
    ],
)  # fmt: skip
def test_keys_have_their_scales(name: str, classes: set[int], signature: str) -> None:
    key = parse_key(name)
    assert set(key.classes) == classes and key.signature == signature and key_of(signature).tonic == key.tonic


@pytest.mark.parametrize("name", ["", "H major", "C nothing", "Cb# minor", "major"])
def test_what_is_no_key_is_refused(name: str) -> None:
    with pytest.raises(BadInput, match="no key"):
        parse_key(name)


def test_the_key_of_old_tunes_is_found() -> None:
    right = 0
    for tune in tunes():
        found = find_key([Note(start * 120, pitch, length * 120) for start, length, pitch in tune.notes])
        right += (found.tonic, found.minor) == (tune.key.tonic, tune.key.minor)
    assert right >= 0.8 * len(tunes()), f"{right} of {len(tunes())}"


def test_chords_are_named_from_their_notes() -> None:
    for name in ("C", "Am", "G7", "Dm7", "Bdim", "Fmaj7", "Esus4", "Bb", "F#m"):
        chord = parse_chord(name)
        weights = [float(tone in chord.tones) for tone in range(12)]
        assert name_chord(weights, chord.root, flats=True) == name.replace("F#", "Gb")
    assert name_chord([0.0] * 12) == "N.C."


def test_a_bar_in_which_the_metre_changes_ends_there() -> None:
    """Four quarters, then two of the next four, then three and three, the last beyond the end: as the roll of the page draws them."""
    piece = Piece((Voice("A", (Note(0, 60, 480),)),), 1920 + 960 + 1440 + 480, metres=((0, 4, 4), (2880, 3, 4)))
    assert [(bar.start, bar.beats) for bar in bars_of(piece)] == [(0, (4, 4, 4, 4)), (16, (4, 4)), (24, (4, 4, 4)), (36, (4, 4, 4))]
    inside = bars_of(replace(piece, metres=((0, 6, 8), (1920, 3, 4))))
    assert [(bar.start, bar.beats) for bar in inside][:3] == [(0, (6, 6)), (12, (4,)), (16, (4, 4, 4))], "a beat is cut, too"
    assert [bar.start for bar in bars_of(replace(piece, metres=((0, 4, 4), (9600, 3, 4))))] == [0, 16, 32], "one behind the end changes nothing"
    with pytest.raises(ValueError, match="100"):
        bars_of(replace(piece, metres=((0, 4, 4), (100, 3, 4))))


def test_the_chords_of_a_piece_follow_its_harmony() -> None:
    notes = [Note(480 * 4 * bar, pitch, 1920) for bar, chord in enumerate(((48, 64, 67), (45, 60, 64), (53, 57, 60), (43, 59, 62))) for pitch in chord]
    piece = Piece((Voice("A", tuple(notes)),), 7680)
    assert chords_of(piece) == [(0, "C"), (1920, "Am"), (3840, "F"), (5760, "G")]
    assert chords_of(Piece((Voice("A", tuple(notes)),), 7680, chords=((0, "Dm"),))) == [(0, "Dm")]


def test_pitches_and_ranges_are_read() -> None:
    assert [parse_pitch(name) for name in ("C4", "A0", "G9", "Bb3", "F#5")] == [60, 21, 127, 58, 78] and pitch_name(58, flats=True) == "Bb3"
    assert parse_ranges("C4-A5, , e2 – c4") == [(60, 81), None, (40, 60)]
    for text in ("C4", "A5-C4", "C4-C4", "C4-D4", "X-Y", "G9-A9"):
        with pytest.raises(BadInput):
            parse_ranges(text)


def test_bars_have_beats_of_their_metre() -> None:
    assert [beats_of(*metre) for metre in ((4, 4), (3, 4), (6, 8), (7, 8), (5, 4), (2, 2), (12, 8))] == [(4,) * 4, (4,) * 3, (6, 6), (4, 4, 6), (4,) * 5, (8, 8), (6,) * 4]
    assert bars_like(2, (7, 8))[1].beat_starts == [14, 18, 22] and beat_ticks(6, 8) == 720 and beat_ticks(3, 4) == 480
    with pytest.raises(ValueError, match="64"):
        beats_of(3, 64)
