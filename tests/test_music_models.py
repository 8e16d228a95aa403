"""The models behind the notes: what they were counted from, and that what is asked of a draw holds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pipelines.music.chords import parse_chord
from pipelines.music.metre import Line, bars_like
from pipelines.music.models.drums import KICK, PATTERNS, SNARE, draw_bar
from pipelines.music.models.harmony import PROGRESSIONS, best_chords, chain, draw_chords, progressions
from pipelines.music.models.melody import draw, intervals, onsets, rhythm, scale_step
from pipelines.music.models.parts import arpeggio_part, bass_part, chords_part, lay
from pipelines.music.models.tunes import read_abc, tunes
from pipelines.music.theory import SCALES, parse_key, parse_progression

C = parse_key("C major")


def test_every_bar_of_the_old_tunes_is_as_long_as_its_metre() -> None:
    """The reader counts each bar: a wrong one raises."""
    assert len(tunes()) >= 35 and sum(len(tune.notes) for tune in tunes()) > 1400
    assert tunes()[0].notes[:4] == ((0, 4, 60), (4, 4, 60), (8, 4, 67), (12, 4, 67))


def test_abc_knows_lengths_accidentals_and_broken_rhythm() -> None:
    tune = read_abc("T:A|M:4/4|L:1/4|K:G|F>^cz=F/_B/|G,4")
    assert tune.notes == ((0, 6, 66), (6, 2, 73), (12, 2, 65), (14, 2, 70), (16, 16, 55))
    with pytest.raises(ValueError, match="bar 1"):
        read_abc("T:A|M:3/4|L:1/4|K:C|CDEF")
    with pytest.raises(ValueError, match="x"):
        read_abc("T:A|M:3/4|L:1/4|K:C|CxE")


def test_melodies_step_as_the_old_tunes_do() -> None:
    """Drawn freely, the share of steps and repetitions is that of the tunes, and far from that of noise."""
    table = intervals()
    assert np.allclose(table.sum(-1), 1) and (table > 0).all()
    moves = [abs(scale_step(b[2], tune.key.tonic) - scale_step(a[2], tune.key.tonic)) for tune in tunes() for a, b in itertools.pairwise(tune.notes)]
    known = np.mean(np.array(moves) <= 1)
    pitches = [pitch for pitch in range(57, 82) if pitch % 12 in C.classes]
    drawn = draw(np.ones((600, len(pitches))), pitches, 0, np.random.default_rng(1))
    made = np.mean([abs(scale_step(b, 0) - scale_step(a, 0)) <= 1 for a, b in itertools.pairwise(drawn)])
    assert abs(made - known) < 0.08 and known > 0.6


def test_what_is_fixed_in_a_draw_stays_and_draws_its_neighbours() -> None:
    pitches = list(range(55, 80))
    rows = np.ones((9, len(pitches)))
    rows[4] = np.array(pitches) == 77
    rows[:, [place for place, pitch in enumerate(pitches) if pitch % 12 not in C.classes]] = 0
    near = []
    for seed in range(30):
        found = draw(rows, pitches, 0, np.random.default_rng(seed), before=[60])
        assert found[4] == 77 and all(pitch % 12 in C.classes for pitch in found)
        near.append(abs(found[3] - 77))
    assert np.mean(near) < 5, "the note before leads there, though it was drawn from the beginning on"
    rows[2] = 0
    with pytest.raises(ValueError, match="no pitch"):
        draw(rows, pitches, 0, np.random.default_rng(0))


def test_low_temperatures_repeat_themselves_and_high_ones_wander() -> None:
    pitches = [pitch for pitch in range(57, 82) if pitch % 12 in C.classes]

    def kinds(temperature: float) -> int:
        return len({tuple(draw(np.ones((4, len(pitches))), pitches, 0, np.random.default_rng(seed), before=[60], temperature=temperature)) for seed in range(40)})

    assert kinds(0.1) < 10 < kinds(1.0) <= kinds(2.0)


@pytest.mark.parametrize("beats", [(4, 4, 4, 4), (6, 6), (4, 4, 6)])
def test_density_says_how_many_notes_begin(beats: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    counts = [np.mean([len(rhythm(beats, density, rng)) for _ in range(80)]) / sum(beats) * 2 for density in (0.1, 0.3, 0.5, 0.8)]
    assert np.allclose(counts, (0.1, 0.3, 0.5, 0.8), atol=0.09)
    assert onsets(4)[0, 0] > onsets(4)[1, 0], "beats are struck oftener than what follows them"


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("locked", [True, False])
def test_there_are_chords_in_every_scale(scale: str, locked: bool) -> None:
    key = parse_key(f"F# {scale}")
    names, table = chain(key, locked)
    assert parse_chord(names[0]).root == 6 and np.allclose(table.sum(-1), 1)
    found = draw_chords(np.zeros((8, 12)), key, locked, np.random.default_rng(0))
    assert found[-1] == names[0] and set(found) <= set(names)
    if locked and len(key.classes) == 7 and scale not in ("locrian",):
        assert all(parse_chord(name).classes <= set(key.classes) for name in found)


def test_known_chords_stay_in_a_draw() -> None:
    names, _ = chain(C, True)
    found = draw_chords(np.zeros((6, 12)), C, True, np.random.default_rng(2), fixed={2: names[3], 4: names[1]})
    assert (found[2], found[4]) == (names[3], names[1])


def test_hidden_chords_are_those_under_the_melody() -> None:
    """Broken chords tell their harmony: Viterbi finds it, and draws at a low temperature nearly always."""
    wanted = ["C", "F", "G", "C", "Am", "F", "G", "C"]
    slots = [np.array([float(tone in parse_chord(name).tones) * 4 for tone in range(12)]) for name in wanted]
    assert best_chords(slots, C, True) == wanted
    assert draw_chords(slots, C, True, np.random.default_rng(0), temperature=0.2) == wanted


def test_every_progression_reads_in_its_kind_of_key() -> None:
    assert len(progressions()) == sum(len(found) for found in PROGRESSIONS.values()) >= 40
    for one in progressions():
        assert parse_progression(one["chords"], parse_key("A minor" if "minor" in one["kind"] else "A major"), 4)


@pytest.mark.parametrize("style", PATTERNS)
@pytest.mark.parametrize("beats", [(4, 4, 4, 4), (4, 4, 4), (6, 6), (4, 4, 6), (4,) * 5])
def test_every_drum_pattern_fits_every_metre(style: str, beats: tuple[int, ...]) -> None:
    found = draw_bar(style, beats, 0.5, np.random.default_rng(0))
    assert found and all(0 <= step < sum(beats) and 1 <= velocity <= 127 for step, _, velocity in found)
    assert draw_bar(style, beats, 0.5, np.random.default_rng(0)) == found
    more = [len(draw_bar(style, beats, density, np.random.default_rng(seed))) for density in (0.1, 0.9) for seed in range(20)]
    assert sum(more[:20]) < sum(more[20:])


def test_a_rock_beat_is_one() -> None:
    found = draw_bar("rock", (4, 4, 4, 4), 0.5, np.random.default_rng(1))
    struck = {(step, drum) for step, drum, _ in found}
    assert {(0, KICK), (4, SNARE), (12, SNARE)} <= struck and not {(0, SNARE), (8, SNARE)} & struck


LINE = Line(tuple(bars_like(4, (4, 4))), C, ((0, "C"), (16, "F"), (32, "Dm"), (40, "G7"), (48, "C")), True)


@pytest.mark.parametrize("style", ["root", "rootfifth", "oompah", "eighths", "groove", "boogie", "bossa", "walking", "drone"])
def test_basses_begin_each_chord_with_its_bass(style: str) -> None:
    found = bass_part(style, LINE, 28, 52, 0.5, np.random.default_rng(0))
    at = {start: pitch for start, _, pitch, _ in found}
    assert [at[start] % 12 for start, _ in LINE.chords] == [parse_chord(name).bass for _, name in LINE.chords]
    assert all(pitch % 12 in LINE.allowed(start, start + length) and 28 <= pitch <= 52 for start, length, pitch, _ in found)


@pytest.mark.parametrize("style", ["pad", "block", "half", "offbeat", "oompah", "comp", "shuffle", "strum"])
def test_chords_hold_their_tones(style: str) -> None:
    found = chords_part(style, LINE, 52, 72, 0.5, np.random.default_rng(0))
    assert found and all(pitch % 12 in parse_chord(next(name for start, name in reversed(LINE.chords) if start <= begun)).classes for begun, _, pitch, _ in found)
    broken = arpeggio_part("updown", LINE, 52, 72, 0.5, np.random.default_rng(0))
    assert len(broken) == 32 and all(52 <= pitch <= 72 for *_, pitch, _ in broken)


def test_four_voices_are_led_without_parallels_or_crossing() -> None:
    slots = [(start, start + 4) for start in range(0, 64, 4)]
    tune = [72, 72, 74, 76, 77, 77, 76, 74, 74, 74, 71, 74, 72, 72, 71, 72]
    fit = [next(pitch for pitch in range(note + 6, note - 7, -1) if pitch % 12 in LINE.allowed(start, start + 4)) for (start, _), note in zip(slots, tune, strict=True)]
    ways = lay(LINE, lambda step: fit[step // 4], [(55, 74), (48, 67), (40, 60)], slots, np.random.default_rng(0), 0.1)
    chords = [(top, *way) for top, way in zip(fit, ways, strict=True)]
    assert all(list(chord) == sorted(chord, reverse=True) for chord in chords)
    wrong = 0
    for before, after in itertools.pairwise(chords):
        for high, low in itertools.combinations(range(4), 2):
            interval = before[high] - before[low]
            wrong += interval == after[high] - after[low] and interval % 12 in (0, 7) and before[low] != after[low] and interval > 0
    assert wrong <= 1
