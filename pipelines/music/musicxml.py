"""Pieces as MusicXML 4.0 (W3C Music Notation Community Group, 2021), for notation programs: on the sixteenth grid, with ties, chord names, keys, metres and clefs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from pipelines.music.chords import LETTERS, NO_CHORD, parse_chord
from pipelines.music.metre import Bar, bars_of
from pipelines.music.score import STEP, Note, Piece, Voice
from pipelines.music.theory import Key, chords_of, key_of, key_of_piece
from studio.api import BadInput

DIVISIONS = 4  # of a quarter
SHAPES = {16: ("whole", 0), 12: ("half", 1), 8: ("half", 0), 6: ("quarter", 1), 4: ("quarter", 0), 3: ("eighth", 1), 2: ("eighth", 0), 1: ("16th", 0)}  # steps: name, dots
LAYERS = 4  # voices of one staff, as the format's programs show
FIFTHS = {name: number - 7 for number, name in enumerate(("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#"))}
RELATIVE = {"dorian": 10, "phrygian": 8, "lydian": 7, "mixolydian": 5, "locrian": 1}
KINDS = {
    "": "major", "m": "minor", "7": "dominant", "m7": "minor-seventh", "maj7": "major-seventh", "dim": "diminished", "aug": "augmented", "sus4": "suspended-fourth", "sus2": "suspended-second",
    "6": "major-sixth", "m6": "minor-sixth", "dim7": "diminished-seventh", "m7b5": "half-diminished", "mmaj7": "major-minor", "aug7": "augmented-seventh", "9": "dominant-ninth", "m9": "minor-ninth",
    "maj9": "major-ninth", "11": "dominant-11th", "m11": "minor-11th", "13": "dominant-13th", "m13": "minor-13th", "5": "power",
}  # fmt: skip
MOST_SCORE_NOTES = 20_000
OFF_GRID = "Notes off the sixteenth grid were moved to it, for the score only."
CROWDED = "Where more than four notes of one voice overlap, some are shortened in the score."


@dataclass(frozen=True)
class Sign:
    """A chord of notes with one length, in steps."""

    start: int
    end: int
    pitches: tuple[int, ...]


def musicxml(piece: Piece, *, chords: bool = True) -> tuple[bytes, list[str]]:
    """The file, and what had to be changed. Raises BadInput for metres or numbers of notes that no score shows."""
    if (count := sum(len(voice.notes) for voice in piece.voices)) > MOST_SCORE_NOTES:
        raise BadInput(f"A score of {count:,} notes would be too large; {MOST_SCORE_NOTES:,} can be written.", hint="Export it as MIDI.", field="piece")
    try:
        bars = bars_of(piece)
    except ValueError as error:
        raise BadInput("This piece's bars are not on the sixteenth grid.", hint="Export it as MIDI.", field="piece") from error
    notes: list[str] = []
    key = key_of_piece(piece)
    root = Tree.Element("score-partwise", version="4.0")
    Tree.SubElement(Tree.SubElement(root, "work"), "work-title").text = _clean(piece.title) or "Untitled"
    _part_list(root, piece)
    names = _harmonies(piece) if chords else []
    for number, voice in enumerate(piece.voices, 1):
        part = Tree.SubElement(root, "part", id=f"P{number}")
        layers = _layers(voice, notes)
        for place, bar in enumerate(bars):
            measure = Tree.SubElement(part, "measure", number=str(place + 1))
            _attributes(measure, piece, voice, bar, place, key)
            if number == 1:
                _tempo(measure, piece, bar)
                _chords(measure, names, bar, key)
            _fill(measure, layers, bar, key, voice.drums)
            _beams(measure, bar)
    head = b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" "http://www.musicxml.org/dtds/partwise.dtd">\n'
    return head + Tree.tostring(root, encoding="utf-8"), list(dict.fromkeys(notes))


def _clean(text: str) -> str:
    """Without the letters that XML has no place for."""
    return "".join(letter for letter in text if letter >= " " and letter not in "\ufffe\uffff" and not "\ud800" <= letter <= "\udfff")


def _part_list(root: Tree.Element, piece: Piece) -> None:
    listed = Tree.SubElement(root, "part-list")
    melodic = 0
    for number, voice in enumerate(piece.voices, 1):
        part = Tree.SubElement(listed, "score-part", id=f"P{number}")
        Tree.SubElement(part, "part-name").text = _clean(voice.name) or f"Voice {number}"
        Tree.SubElement(Tree.SubElement(part, "score-instrument", id=f"P{number}-I1"), "instrument-name").text = _clean(voice.name) or f"Voice {number}"
        played = Tree.SubElement(part, "midi-instrument", id=f"P{number}-I1")
        channel = 10 if voice.drums else melodic % 15 + 1 + (melodic % 15 >= 9)
        melodic += not voice.drums
        Tree.SubElement(played, "midi-channel").text = str(channel)
        Tree.SubElement(played, "midi-program").text = str(voice.program + 1)


# -- what stands at a bar's beginning --------------------------------------------------------------------------


def _attributes(measure: Tree.Element, piece: Piece, voice: Voice, bar: Bar, place: int, key: Key) -> None:
    metre = next(((count, unit) for tick, count, unit in piece.metres if tick == bar.start * STEP), None)
    change = next((name for tick, name in piece.keys if tick == bar.start * STEP), None)
    if place and not metre and not change:
        return
    found = Tree.SubElement(measure, "attributes")
    if place == 0:
        Tree.SubElement(found, "divisions").text = str(DIVISIONS)
    if place == 0 or change:
        shown = key if place == 0 else key_of(str(change))
        element = Tree.SubElement(found, "key")
        Tree.SubElement(element, "fifths").text = "0" if voice.drums else str(fifths(shown))
        Tree.SubElement(element, "mode").text = shown.scale if shown.scale in RELATIVE else "minor" if shown.minor else "major"
    if metre:
        element = Tree.SubElement(found, "time")
        Tree.SubElement(element, "beats").text, Tree.SubElement(element, "beat-type").text = str(metre[0]), str(metre[1])
    if place == 0:
        element = Tree.SubElement(found, "clef")
        sign, line = _clef(voice)
        Tree.SubElement(element, "sign").text = sign
        if line:
            Tree.SubElement(element, "line").text = str(line)


def fifths(key: Key) -> int:
    """Sharps, or flats below 0."""
    if key.scale in RELATIVE:
        from pipelines.music.theory import MAJOR_TONICS

        return FIFTHS[MAJOR_TONICS[(key.tonic + RELATIVE[key.scale]) % 12]]
    minors = dict(zip(("Abm", "Ebm", "Bbm", "Fm", "Cm", "Gm", "Dm", "Am", "Em", "Bm", "F#m", "C#m", "G#m", "D#m", "A#m"), range(-7, 8), strict=True))
    return minors[key.signature] if key.minor else FIFTHS[key.signature]


def _clef(voice: Voice) -> tuple[str, int]:
    if voice.drums:
        return "percussion", 0
    heights = [note.pitch for note in voice.notes]
    return ("F", 4) if heights and sum(heights) / len(heights) < 57 else ("G", 2)


def _tempo(measure: Tree.Element, piece: Piece, bar: Bar) -> None:
    for tick, tempo in piece.tempos:
        if bar.start <= round(tick / STEP) < bar.end:
            direction = Tree.SubElement(measure, "direction", placement="above")
            sign = Tree.SubElement(Tree.SubElement(direction, "direction-type"), "metronome")
            Tree.SubElement(sign, "beat-unit").text, Tree.SubElement(sign, "per-minute").text = "quarter", f"{tempo:g}"
            if offset := round(tick / STEP) - bar.start:
                Tree.SubElement(direction, "offset").text = str(offset)
            Tree.SubElement(direction, "sound", tempo=f"{tempo:g}")


def _harmonies(piece: Piece) -> list[tuple[int, str]]:
    return sorted({round(tick / STEP): name for tick, name in chords_of(piece)}.items())


def _chords(measure: Tree.Element, names: Sequence[tuple[int, str]], bar: Bar, key: Key) -> None:
    for step, name in names:
        if not bar.start <= step < bar.end:
            continue
        harmony = Tree.SubElement(measure, "harmony")
        chord = None if name == NO_CHORD else parse_chord(name)
        root = Tree.SubElement(harmony, "root")
        _named(root, "root", chord.root if chord else 0, name if chord else "C", key)
        kind = Tree.SubElement(harmony, "kind", text=_ending(name) if chord else NO_CHORD)
        kind.text = KINDS.get(chord.quality, "other") if chord else "none"
        if chord and chord.bass != chord.root:
            _named(Tree.SubElement(harmony, "bass"), "bass", chord.bass, name.rpartition("/")[2], key)
        if step > bar.start:
            Tree.SubElement(harmony, "offset").text = str(step - bar.start)


def _named(element: Tree.Element, kind: str, pitch_class: int, name: str, key: Key) -> None:
    """The letter as it is written in the chord's name."""
    letter = name[0]
    alter = (pitch_class - LETTERS[letter] + 6) % 12 - 6
    Tree.SubElement(element, f"{kind}-step").text = letter
    if alter:
        Tree.SubElement(element, f"{kind}-alter").text = str(alter)


def _ending(name: str) -> str:
    chord = parse_chord(name)
    body = name[1:].removeprefix("#").removeprefix("b") if name[1:2] in ("#", "b") else name[1:]
    return body.rpartition("/")[0] if chord.bass != chord.root else body


# -- notes -----------------------------------------------------------------------------------------------------


def _layers(voice: Voice, notes: list[str]) -> list[list[Sign]]:
    """A voice's notes in up to four layers whose signs follow each other; equal ones become chords."""
    if any(note.start % STEP or note.length % STEP for note in voice.notes):
        notes.append(OFF_GRID)
    groups: dict[tuple[int, int], set[int]] = {}
    for note in voice.notes:
        start, end = _steps(note)
        groups.setdefault((start, end), set()).add(note.pitch)
    layers: list[list[Sign]] = []
    for (start, end), pitches in sorted(groups.items()):
        sign = Sign(start, end, tuple(sorted(pitches)))
        free = next((layer for layer in layers if layer[-1].end <= start), None)
        if free is not None:
            free.append(sign)
        elif len(layers) < LAYERS:
            layers.append([sign])
        else:
            notes.append(CROWDED)
            layer = min(layers, key=lambda layer: layer[-1].end)
            last = layer[-1]
            if last.start == start:
                layer[-1] = Sign(start, max(last.end, end), tuple(sorted({*last.pitches, *pitches})))
            else:
                layer[-1:] = [Sign(last.start, start, last.pitches), sign]
    return layers


def _steps(note: Note) -> tuple[int, int]:
    start = round(note.start / STEP)
    return start, max(start + 1, round((note.start + note.length) / STEP))


def _fill(measure: Tree.Element, layers: Sequence[Sequence[Sign]], bar: Bar, key: Key, drums: bool) -> None:
    """All layers of one bar, each from its beginning; rests between."""
    inside = [[sign for sign in layer if sign.start < bar.end and sign.end > bar.start] for layer in layers]
    used = [(number, layer) for number, layer in enumerate(inside, 1) if layer] or [(1, [])]
    for place, (number, layer) in enumerate(used):
        if place:
            back = Tree.SubElement(measure, "backup")
            Tree.SubElement(back, "duration").text = str(bar.steps)
        at = bar.start
        if not layer:
            rest = Tree.SubElement(measure, "note")
            Tree.SubElement(rest, "rest", measure="yes")
            Tree.SubElement(rest, "duration").text, Tree.SubElement(rest, "voice").text = str(bar.steps), str(number)
            continue
        for sign in layer:
            _rests(measure, at, max(at, sign.start), bar, number)
            _sign(measure, sign, bar, number, key, drums)
            at = min(sign.end, bar.end)
        _rests(measure, at, bar.end, bar, number)


def _beams(measure: Tree.Element, bar: Bar) -> None:
    """Joins eighths and sixteenths of one beat; of a chord its first note carries the beam."""
    groups: list[list[Tree.Element]] = [[]]
    at, before = bar.start, -1
    for note in measure:
        if note.tag == "backup":
            at, before = bar.start, -1
            groups.append([])
        if note.tag != "note" or note.find("chord") is not None:
            continue
        beat = sum(start <= at for start in bar.beat_starts)
        if beat != before or note.find("rest") is not None or note.findtext("type") not in ("eighth", "16th"):
            groups.append([])
        if note.find("rest") is None and note.findtext("type") in ("eighth", "16th"):
            groups[-1].append(note)
        at, before = at + int(note.findtext("duration") or 0), beat
    for group in groups:
        if len(group) > 1:
            for place, note in enumerate(group):
                _beamed(note, 1, "begin" if place == 0 else "end" if place == len(group) - 1 else "continue")
                if note.findtext("type") == "16th":
                    _beamed(note, 2, _second(group, place))


def _second(group: Sequence[Tree.Element], place: int) -> str:
    """How a sixteenth's second beam goes on."""
    before = place > 0 and group[place - 1].findtext("type") == "16th"
    after = place + 1 < len(group) and group[place + 1].findtext("type") == "16th"
    return "continue" if before and after else "end" if before else "begin" if after else "backward hook" if place else "forward hook"


def _beamed(note: Tree.Element, number: int, kind: str) -> None:
    beam = Tree.Element("beam", number=str(number))
    beam.text = kind
    marks = note.find("notations")
    note.insert(list(note).index(marks) if marks is not None else len(note), beam)


def _rests(measure: Tree.Element, start: int, end: int, bar: Bar, layer: int) -> None:
    for _, size in shapes(start, end, bar):
        note = Tree.SubElement(measure, "note")
        Tree.SubElement(note, "rest")
        _shape(note, size, layer)


def _sign(measure: Tree.Element, sign: Sign, bar: Bar, layer: int, key: Key, drums: bool) -> None:
    """Tied over bar lines, and where no one shape is as long."""
    start, end = max(sign.start, bar.start), min(sign.end, bar.end)
    for at, size in shapes(start, end, bar):
        for place, pitch in enumerate(sign.pitches):
            note = Tree.SubElement(measure, "note")
            if place:
                Tree.SubElement(note, "chord")
            _pitch(note, pitch, key, drums)
            ties = [kind for kind, there in (("stop", at > sign.start), ("start", at + size < sign.end)) if there]
            _shape(note, size, layer, ties)


def shapes(start: int, end: int, bar: Bar) -> list[tuple[int, int]]:
    """(start, steps) of the signs that fill a stretch: whole ones where they fit between beats, else cut at the beats."""
    if end <= start:
        return []
    beats = [*bar.beat_starts, bar.end]
    if end - start in SHAPES and (start in beats or end - start <= next(beat for beat in beats if beat > start) - start):
        return [(start, end - start)]
    beat = next((beat for beat in beats if start < beat < end), None)
    if beat is not None and start not in beats:
        return [*shapes(start, beat, bar), *shapes(beat, end, bar)]
    size = next(size for size in SHAPES if size <= end - start and (start + size in beats or size < min(beat for beat in beats if beat > start) - start or size == 1))
    return [(start, size), *shapes(start + size, end, bar)]


def _pitch(note: Tree.Element, pitch: int, key: Key, drums: bool) -> None:
    name = key.spelled(pitch % 12)
    letter, alter = name[0], {"#": 1, "b": -1}.get(name[1:2], 0)
    octave = (pitch - alter) // 12 - 1
    element = Tree.SubElement(note, "unpitched" if drums else "pitch")
    prefix = "display-" if drums else ""
    Tree.SubElement(element, f"{prefix}step").text = letter
    if alter and not drums:
        Tree.SubElement(element, "alter").text = str(alter)
    Tree.SubElement(element, f"{prefix}octave").text = str(octave + 2 if drums else octave)


def _shape(note: Tree.Element, size: int, layer: int, ties: Sequence[str] = ()) -> None:
    Tree.SubElement(note, "duration").text = str(size)
    for kind in ties:
        Tree.SubElement(note, "tie", type=kind)
    Tree.SubElement(note, "voice").text = str(layer)
    name, dots = SHAPES[size]
    Tree.SubElement(note, "type").text = name
    for _ in itertools.repeat(None, dots):
        Tree.SubElement(note, "dot")
    if ties:
        marks = Tree.SubElement(note, "notations")
        for kind in ties:
            Tree.SubElement(marks, "tied", type=kind)
