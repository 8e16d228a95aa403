"""Writes what a plan asks for and joins it with what is given: notes that were not asked for anew stay as they are, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.band import Around, Writing, write_parts
from pipelines.music.chorale import rows_of, sounding, write_chorale
from pipelines.music.chords import NO_CHORD, parse_chord
from pipelines.music.metre import Bar
from pipelines.music.models.harmony import best_chords, chain, draw_chords
from pipelines.music.models.parts import Play
from pipelines.music.plan import Plan, given_melody
from pipelines.music.score import STEP, TICKS, Note, Piece, Voice
from pipelines.music.theory import chords_found, chords_of, key_of_piece, named
from pipelines.music.varying import varied

FORM = "AABA"
PHRASE = 4
Check = Callable[[float], None]


def compose(plan: Plan, seed: int, weights: Path | None = None, check: Check = lambda share: None) -> Piece:
    """The finished piece. One seed gives one piece."""
    rng = np.random.default_rng(seed)
    if plan.params.mode == "Variation" and plan.given:
        piece = varied(plan, plan.given, plan.line(plan.bars, underlying(plan) if not plan.typed else plan.typed_chords(plan.bars)), rng, check)
        return finished(plan, [voice.notes for voice in piece.voices], plan.typed_chords(plan.bars) if plan.typed else None)
    if plan.network:
        return _by_network(plan, seed, weights, check)
    runs = list(_runs(plan.fresh))
    made: dict[int, list[Play]] = {number: [] for number in range(len(plan.parts))}
    chords: list[tuple[int, str]] = []
    for number, run in enumerate(runs):
        names = harmony(plan, run, rng)
        chords += names
        line = plan.line(run, names)
        final = run[-1] == plan.bars[-1]
        work = Writing(line, rng, plan.params.temperature, plan.params.loop, final, lambda share, number=number: check((number + share) / len(runs)), around(plan, run, made))  # type: ignore[misc]
        wanted = [voice for voice in plan.chosen if not (plan.params.mode == "Harmonise" and voice == 0)]
        for voice, plays in write_parts(plan.parts, work, wanted).items():
            made[voice] += plays
    return finished(plan, joined(plan, made), chords)


def _runs(bars: Sequence[Bar]) -> list[list[Bar]]:
    """Stretches of bars that follow each other."""
    found: list[list[Bar]] = []
    for bar in bars:
        if found and found[-1][-1].end == bar.start:
            found[-1].append(bar)
        else:
            found.append([bar])
    return found


# -- harmony ---------------------------------------------------------------------------------------------------


def harmony(plan: Plan, run: Sequence[Bar], rng: Any) -> list[tuple[int, str]]:
    """(step, name) of the chords of a stretch: as typed; of the piece, where its bars are repainted; under a melody by hidden states; else drawn phrase by phrase."""
    if plan.typed:
        whole = plan.typed_chords(plan.fresh)
        return [item for item in _from(whole, run[0].start) if item[0] < run[-1].end]
    if plan.params.mode == "Repaint" and plan.given:
        return _repainted(plan, run, rng)
    slots = _slots(plan, run)
    heard = [_heard(given_melody(plan), start, end) for start, end in slots]
    last = "open" if plan.params.loop else "home" if run[-1] == plan.bars[-1] else "free"
    known = underlying(plan) if plan.params.mode == "Continue" else []
    draw = {"temperature": plan.params.temperature, "jazz": plan.preset.jazz, "onto": known[0][1] if known else ""}
    if np.any(heard):
        likeliest = plan.params.temperature <= 0.2
        names = best_chords(heard, plan.key, plan.locked) if likeliest else draw_chords(heard, plan.key, plan.locked, rng, last=last, **draw)  # type: ignore[arg-type]
    else:
        names = _phrases(plan, slots, run, rng, last, known[-1][1] if known else "", draw)
    found = [(start, name) for (start, _), name in zip(slots, names, strict=True)]
    return [item for place, item in enumerate(found) if place == 0 or item[1] != found[place - 1][1]]


def _repainted(plan: Plan, run: Sequence[Bar], rng: Any) -> list[tuple[int, str]]:
    """The piece's own chords; at the end of a loop, where they would close and nothing untouched sounds over them, the last bar's are drawn so that they lead to the first one."""
    whole = underlying(plan)
    own = [item for item in _from(whole, run[0].start) if item[0] < run[-1].end]
    last, start = run[-1], run[-1].start
    all_anew = all(number in plan.chosen for number, part in enumerate(plan.parts) if not part.drums)
    closes = _root(own[-1][1]) in {_root(whole[0][1]), plan.key.tonic} - {-1}
    if not (plan.params.loop and closes and all_anew) or last != plan.bars[-1] or last == plan.bars[0]:
        return own
    slots = _slots(plan, [last])
    before = next((name for step, name in reversed(whole) if step < start), NO_CHORD)
    names = draw_chords([np.zeros(12)] * len(slots), plan.key, plan.locked, rng, temperature=plan.params.temperature, jazz=plan.preset.jazz, last="open", onto=whole[0][1], before=before)
    return [item for item in own if item[0] < start] + [(first, name) for (first, _), name in zip(slots, names, strict=True)]


def _root(name: str) -> int:
    return -1 if name == NO_CHORD else parse_chord(name).root


def underlying(plan: Plan) -> list[tuple[int, str]]:
    """(step, name) of the given piece's chords: as written, or found when it was composed here; else for each half bar the likeliest under all its voices, by Viterbi."""
    if plan.given is None:
        return []
    if plan.given.chords and ("model" in plan.given.facts or not chords_found(plan.given)):
        return steps(chords_of(plan.given))
    own = [bar for bar in plan.bars if bar.start * STEP < plan.given.length]
    starts = [start for bar in own for start in (bar.beat_starts[:: max(1, len(bar.beats) // 2)] if len(bar.beats) % 2 == 0 else [bar.start])]
    notes = [note for voice in plan.given.voices if not voice.drums for note in voice.notes]
    names = best_chords([_heard(notes, start, end) for start, end in zip(starts, [*starts[1:], own[-1].end], strict=True)], plan.key, plan.locked)
    found = list(zip(starts, names, strict=True))
    return [item for place, item in enumerate(found) if place == 0 or item[1] != found[place - 1][1]]


def _from(chords: Sequence[tuple[int, str]], start: int) -> list[tuple[int, str]]:
    """From a step on, with the chord that sounds there."""
    before = [name for step, name in chords if step <= start]
    return [(start, before[-1] if before else NO_CHORD), *(item for item in chords if item[0] > start)]


def steps(chords: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """From ticks to the nearest steps, the later of two in one."""
    return sorted({round(tick / STEP): name for tick, name in chords}.items())


def _slots(plan: Plan, run: Sequence[Bar]) -> list[tuple[int, int]]:
    """Where chords may change: each beat, half bar, bar, or second bar."""
    starts: list[int] = []
    for number, bar in enumerate(run):
        beats = bar.beat_starts
        if plan.preset.rate == "beat":
            starts += beats
        elif plan.preset.rate == "half" and len(beats) > 1:
            starts += [beats[0], beats[len(beats) // 2]]
        elif plan.preset.rate != "two" or number % 2 == 0:
            starts.append(bar.start)
    return list(zip(starts, [*starts[1:], run[-1].end], strict=True))


def _heard(notes: Sequence[Note], start: int, end: int) -> Any:
    """Lengths by pitch class of what a melody sounds in a slot, strokes on its beginning counted more."""
    found = np.zeros(12)
    for note in notes:
        held = min(end * STEP, note.start + note.length) - max(start * STEP, note.start)
        if held > 0:
            found[note.pitch % 12] += held / STEP * (1.6 if note.start <= start * STEP else 1.0)
    return found


def _phrases(plan: Plan, slots: list[tuple[int, int]], run: Sequence[Bar], rng: Any, last: str, before: str, draw: dict[str, Any]) -> list[str]:
    """Four bars at a time, in the form A A B A; the last phrase keeps the first half of its like and closes."""
    names: list[str] = []
    known: dict[tuple[str, int], list[str]] = {}
    vocabulary = chain(plan.key, plan.locked, plan.preset.jazz)[0]
    phrases = [run[place : place + PHRASE] for place in range(0, len(run), PHRASE)]
    for number, bars in enumerate(phrases):
        own = [slot for slot in slots if bars[0].start <= slot[0] < bars[-1].end]
        if not own:  # a slot of two bars that began before
            continue
        empty, closing = [np.zeros(12)] * len(own), number == len(phrases) - 1
        like = known.get((FORM[number % 4], len(own)))
        if like and not closing:
            names += like
            continue
        fixed = {place: like[place] for place in range(len(own) // 2)} if like else {}
        start = names[-1] if names else before
        opening = {} if start or fixed else {0: vocabulary[0]}
        found = draw_chords(empty, plan.key, plan.locked, rng, last=last if closing else "free", before=start, fixed=fixed | opening, **draw)
        known.setdefault((FORM[number % 4], len(own)), found)
        names += found
    return names


# -- what stands around ----------------------------------------------------------------------------------------


def around(plan: Plan, run: Sequence[Bar], made: Mapping[int, Sequence[Play]]) -> dict[int, Around]:
    """For each voice what sounds before and behind the stretch, and a given melody inside it. `made` are the plays of earlier stretches."""
    if plan.given is None:
        return {}
    if plan.params.mode in ("New", "Harmonise"):
        place = next((number for number, part in enumerate(plan.parts) if part.role == "melody"), 0)
        plays = tuple((round(note.start / STEP), max(1, round(note.length / STEP)), note.pitch, note.velocity) for note in given_melody(plan))
        return {place: Around(given=plays)}
    found: dict[int, Around] = {}
    start, end = run[0].start * STEP, run[-1].end * STEP
    for number, voice in enumerate(plan.given.voices):
        before = [note for note in voice.notes if note.start < start]
        after = next((note.pitch for note in voice.notes if note.start >= end), -1)
        if plan.params.loop and run[-1] == plan.bars[-1]:
            after = _beginning(plan, voice, run, made[number])
        blocked = max((-(-(note.start + note.length) // STEP) for note in before), default=0)
        found[number] = Around(tuple(note.pitch for note in before[-2:]), after, blocked=blocked)
    return found


def _beginning(plan: Plan, voice: Voice, run: Sequence[Bar], made: Sequence[Play]) -> int:
    """The pitch with which a voice of a loop begins again behind the stretch; -1 where the stretch itself begins the piece."""
    begun = [(note.start, note.pitch) for note in voice.notes if not written(plan, note.start)] + [(start * STEP, pitch) for start, _, pitch, _ in made]
    return min(begun)[1] if begun and run[0] != plan.bars[0] else -1


# -- joining ---------------------------------------------------------------------------------------------------


def notes_of(plan: Plan, plays: Sequence[Play]) -> list[Note]:
    timed = [(swung(plan, start, start + length), pitch, velocity) for start, length, pitch, velocity in plays]
    return [Note(start, pitch, length, velocity) for (start, length), pitch, velocity in timed]


def swung(plan: Plan, first: int, then: int) -> tuple[int, int]:
    """Start and length in ticks: the second eighth of a quarter comes late; beats stay where they are."""
    start, end = (_late(step * STEP, plan.swing if plan.metre[1] <= 4 else 0.0) for step in (first, then))
    return start, end - start


def _late(tick: int, swing: float) -> int:
    beat, inside = divmod(tick, TICKS)
    half, late = TICKS // 2, round(TICKS / 6 * swing)
    moved = inside * (half + late) / half if inside <= half else half + late + (inside - half) * (half - late) / half
    return beat * TICKS + round(moved)


def joined(plan: Plan, made: dict[int, list[Play]]) -> list[tuple[Note, ...]]:
    """Of each voice of the result its notes: the given ones untouched, the written ones between them."""
    found: list[tuple[Note, ...]] = []
    for number in range(len(plan.parts)):
        fresh = list(made.get(number, []))
        kept: list[Note] = []
        if plan.given and plan.params.mode in ("Continue", "Repaint"):
            kept = [note for note in plan.given.voices[number].notes if not (number in plan.chosen and written(plan, note.start))]
        elif plan.given and plan.melody >= 0 and plan.parts[number].role == "melody" and number == _melody_place(plan):
            kept = list(given_melody(plan))
            opened = max((note.start + note.length for note in kept), default=0)
            fresh = [play for play in fresh if play[0] * STEP >= opened] if plan.params.mode == "New" else []
        found.append(tuple(sorted([*kept, *_beside(kept, notes_of(plan, fresh))])))
    return found


def _beside(kept: Sequence[Note], fresh: Sequence[Note]) -> list[Note]:
    """New notes end where an untouched one of their pitch begins, so that neither cuts the other."""
    by_pitch: dict[int, list[int]] = {}
    for note in kept:
        by_pitch.setdefault(note.pitch, []).append(note.start)
    found = []
    for note in fresh:
        ends = [start for start in by_pitch.get(note.pitch, ()) if note.start <= start < note.start + note.length]
        length = min([note.length, *(start - note.start for start in ends)])
        if length > 0:
            found.append(replace(note, length=length))
    return found


def _melody_place(plan: Plan) -> int:
    return next((number for number, part in enumerate(plan.parts) if part.role == "melody"), 0)


def written(plan: Plan, tick: int) -> bool:
    return any(bar.start * STEP <= tick < bar.end * STEP for bar in plan.fresh)


def finished(plan: Plan, voices: Sequence[tuple[Note, ...]], chords: Sequence[tuple[int, str]] | None) -> Piece:
    """The piece with its names, instruments, tempo, metre, key, chords and facts. `chords` None leaves those of the given piece, or, where they were found in its notes, finds them anew."""
    given = plan.given if plan.params.mode in ("Continue", "Repaint", "Variation") else None
    programs = [asked if asked >= 0 else part.program for part, asked in zip(plan.parts, plan.programs, strict=True)]
    sung = tuple(Voice(part.name, notes, program, part.drums) for part, notes, program in zip(plan.parts, voices, programs, strict=True))
    length = plan.bars[-1].end * STEP if given is None or plan.params.mode == "Continue" else given.length
    key = plan.key.signature
    facts = {"key": plan.key.name, "model": plan.model, "preset": plan.params.preset, "swing": plan.swing, "loop": plan.params.loop, "parts": [[part.role, part.style, part.name] for part in plan.parts]}
    if given is None:
        return Piece(sung, length, ((0, plan.tempo),), ((0, *plan.metre),), ((0, key),), _ticks(chords or ()), plan.params.preset, facts)
    tempos, metres, keys = given.tempos, given.metres, given.keys
    if plan.params.mode == "Continue":
        start = plan.fresh[0].start * STEP
        tempos = _changed(tempos, start, (plan.tempo,)) if plan.params.tempo else tempos
        metres = _changed(metres, start, plan.metre)
        keys = _changed(keys, start, (key,)) if plan.params.key and keys else keys
    else:
        facts["key"] = key_of_piece(given).name
    kept = {name: value for name, value in given.facts.items() if name != "left_out" and (name != "chords" or chords is None)}
    piece = Piece(sung, length, tempos, metres, keys, given.chords if chords is None else _merged(plan, given, chords), given.title, kept | facts)
    return named(piece) if chords_found(piece) else piece


def _changed(changes: tuple[Any, ...], tick: int, value: tuple[Any, ...]) -> tuple[Any, ...]:
    """With another value from a tick on, where it is another."""
    before = tuple(change for change in changes if change[0] < tick)
    return before if before[-1][1:] == value else (*before, (tick, *value))


def _ticks(chords: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    found = [(step * STEP, name) for step, name in chords]
    return tuple(found if not found or found[0][0] == 0 else [(0, NO_CHORD), *found])


def _merged(plan: Plan, given: Piece, chords: Sequence[tuple[int, str]]) -> tuple[tuple[int, str], ...]:
    """The given piece's chords outside of the written bars, the new ones inside."""
    known = dict(chords_of(given))
    whole = {tick: name for tick, name in known.items() if not written(plan, tick)} | {step * STEP: name for step, name in chords}
    for run in _runs(plan.fresh):
        end = run[-1].end * STEP
        if end < given.length and end not in whole and (before := [name for tick, name in known.items() if tick <= end]):
            whole[end] = before[-1]
    found: list[tuple[int, str]] = []
    for tick, name in sorted(whole.items()):
        if tick in known or not found or found[-1][1] != name:  # where a stretch begins or ends the chord may go on
            found.append((tick, name))
    return tuple(found if not found or found[0][0] == 0 else [(0, NO_CHORD), *found])


# -- the network -----------------------------------------------------------------------------------------------


def _by_network(plan: Plan, seed: int, weights: Path | None, check: Check) -> Piece:
    total = plan.bars[-1].end
    rows, there = rows_of(plan), sounding(plan)
    free = np.zeros((4, total), bool)
    given: list[Sequence[Note]] = [()] * 4
    chords = plan.typed_chords(plan.fresh) if plan.typed else []
    if plan.params.mode in ("New", "Harmonise"):
        free[[row for row in range(4) if there[row]]] = True
        if plan.given:
            given[0] = given_melody(plan)
            last = plan.given.length if plan.params.mode == "Harmonise" else max(note.start + note.length for note in given[0])
            free[0, : min(total, -(-last // STEP))] = False
            if plan.params.mode == "Harmonise":
                free[0] = False
    elif plan.given:
        for number, row in enumerate(rows):
            given[row] = plan.given.voices[number].notes
            if number in plan.chosen:
                free[row] = _free(plan, given[row], total)
    line = plan.line(plan.fresh, chords)
    plays = write_chorale(plan, line, free, given, bool(chords), seed, weights, check)
    voices = joined(plan, {number: _dynamics(plan, plays[row]) for number, row in enumerate(rows)})
    piece = finished(plan, voices, chords)
    return piece if plan.typed else _named_anew(plan, piece, voices)


def _named_anew(plan: Plan, piece: Piece, voices: Sequence[tuple[Note, ...]]) -> Piece:
    """The network chooses its chords note by note: they are named after it. Names that were written beside untouched bars stay."""
    found = named(replace(piece, chords=()))
    if plan.given is None or plan.params.mode in ("New", "Harmonise") or not plan.given.chords or chords_found(plan.given):
        return found
    heard = [item for run in _runs(plan.fresh) for item in _from(steps(found.chords), run[0].start) if item[0] < run[-1].end]
    return finished(plan, voices, heard)


def _free(plan: Plan, notes: Sequence[Note], total: int) -> Any:
    """Steps of the written bars; a note that reaches into them from before stays."""
    found = np.zeros(total, bool)
    for bar in plan.fresh:
        found[bar.start : bar.end] = True
    for note in notes:
        if not written(plan, note.start):
            found[note.start // STEP : -(-(note.start + note.length) // STEP)] = False
    return found


def _dynamics(plan: Plan, plays: Sequence[Play]) -> list[Play]:
    """Beginnings of bars and beats a little louder."""
    starts, beats = {bar.start for bar in plan.bars}, {step for bar in plan.bars for step in bar.beat_starts}
    return [(start, length, pitch, 88 if start in starts else 82 if start in beats else 76) for start, length, pitch, _ in plays]
