"""From the settings and the piece that is given to what will be written: each number and word read, each contradiction refused, before any note is made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.music.chords import NO_CHORD, parse_chord
from pipelines.music.metre import Bar, Line, bars_like, bars_of, parse_metre, ticks_of_bar
from pipelines.music.midi import MOST_NOTES, MOST_SECONDS
from pipelines.music.params import ComposeParams
from pipelines.music.presets import BAND, MODELS, PRESETS, SATB, VOICES, Part, Preset, parts_of
from pipelines.music.programs import parse_instruments
from pipelines.music.score import STEP, Note, Piece, Voice
from pipelines.music.theory import Key, key_of_piece, out_of_key, parse_key, parse_progression, parse_ranges
from studio.api import BadInput, Fix

SLOWEST = 20.0
MOST_PIECE_BARS = 512  # of a piece that is worked on


@dataclass(frozen=True)
class Plan:
    """`parts` by voice; `bars` are all bars of the result, `fresh` those that are written; `typed` are chords by bar that were asked for."""

    params: ComposeParams
    preset: Preset
    model: str
    key: Key
    tempo: float
    metre: tuple[int, int]
    parts: tuple[Part, ...]
    bars: tuple[Bar, ...]
    fresh: tuple[Bar, ...]
    locked: bool
    typed: tuple[tuple[str, ...], ...]
    given: Piece | None = None
    melody: int = -1  # which voice of the piece is the melody
    chosen: tuple[int, ...] = ()  # voices that are written
    programs: tuple[int, ...] = ()
    swing: float = 0.0
    notes: tuple[str, ...] = ()  # sentences: what was asked for and is left, what writes in place of what

    @property
    def network(self) -> bool:
        return self.model not in (BAND, VOICES)

    def line(self, bars: Sequence[Bar], chords: Sequence[tuple[int, str]] = ()) -> Line:
        return Line(tuple(bars), self.key, tuple(chords), self.locked, self.params.chord_lock == "Every note")

    def typed_chords(self, bars: Sequence[Bar]) -> list[tuple[int, str]]:
        """(step, name), the bars' chords from the beginning again where they end."""
        found: list[tuple[int, str]] = []
        for number, bar in enumerate(bars):
            names = self.typed[number % len(self.typed)]
            starts = bar.beat_starts
            found += [(starts[place * len(starts) // len(names)], name) for place, name in enumerate(names)]
        return [item for place, item in enumerate(found) if place == 0 or item[1] != found[place - 1][1]]


def plan_of(params: ComposeParams, given: Piece | None, learnt: Sequence[str] = ()) -> Plan:
    """Raises BadInput at the field. `learnt` are the names of styles that were learnt."""
    if params.mode != "New" and given is None:
        raise BadInput(f"There is no piece for “{params.mode}”.", hint="Give a MIDI file, or choose a piece first.", field="piece")
    params, notes = heeded(params, given)
    preset = PRESETS[params.preset]
    if 0 < params.tempo < SLOWEST:
        raise BadInput(f"A tempo of {params.tempo:g} is too slow.", hint=f"Give at least {SLOWEST:g} quarters a minute, or 0.", field="tempo", fix=Fix.use("tempo", SLOWEST))
    key = parse_key(params.key) if params.key.strip() else key_of_piece(given) if given else parse_key(preset.key)
    metre = _metre(params, preset, given)
    bars, fresh = _bars(params, preset, metre, given)
    typed = _typed(params, preset, key, fresh)
    model, told = _model(params, preset, given, learnt)
    parts, programs = _parts(params, preset, model, given)
    found = Plan(
        params, preset, model, key, _tempo(params, preset, given), metre, parts, bars, fresh, _locked(params, preset, key, typed), typed, given,
        melody_of(given) if given and params.mode in ("New", "Harmonise") else -1, _chosen(params, given, parts), programs, _swing(params, preset, given), (*notes, *told),
    )  # fmt: skip
    _check_size(found)
    return found


OWN_TEMPO = "The piece keeps its own tempo; only notes are written."
OWN_METRE = "The piece keeps its own metre; only notes are written."
OWN_VOICES = "The piece keeps its own number of voices; only notes are written."
OWN_INSTRUMENTS = "The piece keeps its own instruments; only notes are written."


def heeded(params: ComposeParams, given: Piece | None) -> tuple[ComposeParams, list[str]]:
    """What of the settings a task heeds, with a sentence for each that is left. A form sends all it holds with every task: what belongs to a piece as a whole stays the piece's own where only some of its
    notes are written, its mood too, which a form always holds. A continuation may have a tempo and a metre of its own."""
    if given is None or params.mode not in ("Continue", "Repaint", "Variation"):
        return params, []
    found: dict[str, object] = {"instruments": ""}
    notes = [] if _same_instruments(params.instruments, given) else [OWN_INSTRUMENTS]
    if params.mode != "Continue":
        metre = f"{given.metres[0][1]}/{given.metres[0][2]}"
        asked = ((OWN_TEMPO, round(params.tempo, 2) not in (0, given.tempos[0][1])), (OWN_METRE, params.metre not in ("Automatic", metre)), (OWN_VOICES, params.voices not in (0, len(given.voices))))
        notes += [note for note, another in asked if another]
        mood = given.facts.get("preset")
        found |= {"tempo": 0.0, "metre": "Automatic", "voices": 0, "preset": mood if isinstance(mood, str) and mood in PRESETS else params.preset}
    return params.model_copy(update=found), notes


def _same_instruments(text: str, given: Piece) -> bool:
    """Whether they are those that the piece has, or none are asked for."""
    try:
        asked = parse_instruments(text, len(given.voices))
    except BadInput:
        return False
    return all(program in (-1, voice.program) or voice.drums for program, voice in zip(asked, given.voices, strict=True))


def _tempo(params: ComposeParams, preset: Preset, given: Piece | None) -> float:
    return round(params.tempo, 2) or (given.tempos[0][1] if given and params.mode != "New" else preset.tempo)


def _swing(params: ComposeParams, preset: Preset, given: Piece | None) -> float:
    if params.swing >= 0:
        return params.swing
    told = given.facts.get("swing", 0.0) if given and params.mode in ("Continue", "Repaint") else preset.swing
    return float(told) if isinstance(told, (int, float)) and 0 <= told <= 1 else 0.0


def _metre(params: ComposeParams, preset: Preset, given: Piece | None) -> tuple[int, int]:
    if params.metre != "Automatic":
        return parse_metre(params.metre)
    if given and params.mode != "New":
        return given.metres[0 if params.mode in ("Repaint", "Variation") else -1][1:]
    return parse_metre(preset.metre)


def _bars(params: ComposeParams, preset: Preset, metre: tuple[int, int], given: Piece | None) -> tuple[tuple[Bar, ...], tuple[Bar, ...]]:
    """All bars, and those that are written."""
    if given is None or params.mode == "New":
        bars = bars_like(params.bars or preset.bars, metre)
        if given and given.voices[melody_of(given)].notes[-1].start >= bars[-1].end * STEP:
            raise BadInput(f"The given melody is longer than {len(bars)} bars.", hint="Give more bars, or continue the piece instead.", field="bars")
        return tuple(bars), tuple(bars)
    try:
        own = bars_of(given)
        if params.mode == "Harmonise" and params.metre != "Automatic":
            size = ticks_of_bar(metre)
            own = bars_like(max(1, -(-given.length // size)), metre)
    except ValueError as error:
        raise BadInput("This piece's bars are not on the sixteenth grid.", hint="Give a piece in 4/4, 3/4, 6/8 or another usual metre.", field="piece") from error
    if len(own) > MOST_PIECE_BARS:
        raise BadInput(f"This piece has {len(own)} bars; {MOST_PIECE_BARS} can be worked on.", hint="Give a shorter piece.", field="piece")
    if params.mode == "Continue":
        more = bars_like(params.bars or preset.bars, metre, own[-1].end)
        return (*own, *more), tuple(more)
    if params.mode == "Repaint":
        return tuple(own), tuple(own[number] for number in repainted(params.repaint_bars, len(own)))
    return tuple(own), tuple(own)


def repainted(text: str, count: int) -> list[int]:
    """Numbers of bars from 0 on: "3, 5-8". Raises BadInput."""
    if not text.strip():
        return list(range(count))
    found: set[int] = set()
    for part in text.split(","):
        read = re.fullmatch(r"\s*(\d{1,5})\s*(?:[-–]\s*(\d{1,5})\s*)?", part)
        if not read:
            raise BadInput(f"“{part.strip()}” names no bars.", hint="Write them as 5-8, or 3, 5-8.", field="repaint_bars")
        first, last = int(read[1]), int(read[2] or read[1])
        if first < 1 or last < first or last > count:
            raise BadInput(f"There are no bars {part.strip()}: the piece has {count}.", hint=f"Give bars from 1 to {count}, the first one first.", field="repaint_bars")
        found |= set(range(first - 1, last))
    return sorted(found)


def _typed(params: ComposeParams, preset: Preset, key: Key, fresh: Sequence[Bar]) -> tuple[tuple[str, ...], ...]:
    beats = min(len(bar.beats) for bar in fresh)
    if params.chords.strip():
        return tuple(tuple(names) for names in parse_progression(params.chords, key, beats))
    if preset.chords and params.mode == "New" and key.scale == parse_key(preset.key).scale and not params.piece:
        return tuple(tuple(names) for names in parse_progression(preset.chords, key, beats))
    return ()


def _locked(params: ComposeParams, preset: Preset, key: Key, typed: Sequence[Sequence[str]]) -> bool:
    """Chords that were typed open an automatic lock where they need it; against one that was asked for they are refused."""
    strange = next(((name, out) for names in typed for name in names if name != NO_CHORD and (out := out_of_key(parse_chord(name), key))), None)
    if params.scale_lock == "On" and strange and params.chords.strip():
        name, out = strange
        chord = parse_chord(name)
        if len(key.classes) >= 7 or len(chord.classes & set(key.classes)) < 2:
            raise BadInput(f"The chord “{name}” has notes outside of {key.name}: {', '.join(out)}.", hint="Change it, or open the scale lock.", field="chords", fix=Fix.use("scale_lock", "Off"))
    if params.scale_lock == "Automatic":
        return preset.lock and not (strange and params.chords.strip())
    return params.scale_lock == "On"


def melody_of(piece: Piece) -> int:
    """The highest voice, drums left out; of equally high ones the first."""
    heights = [(sum(note.pitch * note.length for note in voice.notes) / sum(note.length for note in voice.notes), -number) for number, voice in enumerate(piece.voices) if voice.notes and not voice.drums]
    if not heights:
        raise BadInput("This piece holds drums only.", hint="Give a piece with a melody.", field="piece")
    return -max(heights)[1]


def monophonic(voice: Voice) -> bool:
    return all(first.start + first.length <= then.start for first, then in zip(voice.notes, voice.notes[1:], strict=False))


NOT_KNOWN = f"What made this piece is not known: “{BAND}” goes on with it."
INSTEAD = f"“{BAND}” wrote this instead."


def _model(params: ComposeParams, preset: Preset, given: Piece | None, learnt: Sequence[str]) -> tuple[str, list[str]]:
    """With a sentence where another one than the mood's, or the piece's own, stands in. Raises BadInput for a name that is none, and for a network that can't write this piece."""
    asked = params.model if params.model.strip() else "Automatic"
    if asked not in MODELS and asked not in learnt:
        raise BadInput(f"There is no model “{asked}”.", hint=f"Use one of: {', '.join((*MODELS, *learnt))}.", field="model", fix=Fix.use("model", "Automatic"))
    if asked == "Automatic":
        return _own_model(params, preset, given, learnt)
    if asked not in (BAND, VOICES) and (reason := _no_network(params, given)):
        raise BadInput(reason, hint=f"Choose “{BAND}”.", field="model", fix=Fix.use("model", BAND))
    return asked, []


def _own_model(params: ComposeParams, preset: Preset, given: Piece | None, learnt: Sequence[str]) -> tuple[str, list[str]]:
    """What made the piece, or the mood's; with the reason where that can't be."""
    told = given.facts.get("model") if given and params.mode in ("Continue", "Repaint", "Variation") else preset.model
    if not isinstance(told, str) or told == "Automatic" or (told not in MODELS and told not in learnt):
        return BAND, [NOT_KNOWN] if params.mode != "Variation" else []
    reason = _no_network(params, given) if told not in (BAND, VOICES) else ""
    return (BAND, [f"{reason} {INSTEAD}"]) if reason else (told, [])


def _no_network(params: ComposeParams, given: Piece | None) -> str:
    """Why the network can't write this; "" where it can."""
    if params.voices > 4:
        return "The network writes four voices at most."
    if given is None or params.mode in ("New", "Harmonise"):
        return ""
    if params.mode == "Variation":
        return "Variations are drawn by the Markov model."
    sung = [voice for voice in given.voices if not voice.drums]
    if len(sung) != 4 or len(given.voices) != 4 or not all(monophonic(voice) for voice in sung):
        return "The network goes on with pieces of four voices of single notes."
    if any(note.start % STEP or note.length % STEP for voice in sung for note in voice.notes):
        return "The network goes on with pieces on the sixteenth grid."
    return ""


def _parts(params: ComposeParams, preset: Preset, model: str, given: Piece | None) -> tuple[tuple[Part, ...], tuple[int, ...]]:
    """What each voice of the result plays, and its instrument where another one is asked for (-1: its own)."""
    if given is not None and params.mode in ("Continue", "Repaint", "Variation"):
        if params.voices and params.voices != len(given.voices):
            raise BadInput(f"This piece has {len(given.voices)} voices.", hint="Leave the number of voices to the piece.", field="voices", fix=Fix.use("voices", 0))
        parts = tuple(_guessed(given, number) for number in range(len(given.voices)))
    else:
        if params.mode == "Harmonise" and params.voices == 1:
            raise BadInput("One voice leaves nothing to write under the melody.", hint="Give two voices or more.", field="voices", fix=Fix.use("voices", 0))
        parts = _new_parts(params, preset, model)
        if given is not None:
            parts = _with_melody(parts, given)
    ranges = parse_ranges(params.ranges)
    if len(ranges) > len(parts):
        raise BadInput(f"There are {len(ranges)} ranges for {len(parts)} voices.", hint="Give one for each voice, or fewer.", field="ranges")
    parts = tuple(replace(part, low=asked[0], high=asked[1]) if asked and not part.drums else part for part, asked in zip(parts, [*ranges, *[None] * (len(parts) - len(ranges))], strict=True))
    if params.density:
        own = preset.density if given is None else next((part.density for part in parts if part.role == "melody"), preset.density)
        parts = tuple(replace(part, density=min(1.0, max(0.03, part.density * params.density / own))) for part in parts)
    programs = parse_instruments(params.instruments, len(parts))
    return parts, tuple(-1 if part.drums else program for part, program in zip(parts, programs, strict=True))


def _new_parts(params: ComposeParams, preset: Preset, model: str) -> tuple[Part, ...]:
    own = parts_of(params.preset, params.voices)
    four = preset.model != BAND
    if (model != BAND) == four:
        return own
    if model == BAND:  # four voices as a band: a melody over held chords and a bass
        roles = (("melody", ""), ("chords", "pad"), ("arpeggio", "updown"), ("bass", "rootfifth"))
        return tuple(replace(part, role=role, style=style) for part, (role, style) in zip(own, roles, strict=False)) + own[4:]  # type: ignore[arg-type]
    count = params.voices or 4
    if count > 4:
        raise BadInput("Four voices are led at most.", hint=f"Choose “{BAND}” for more.", field="voices", fix=Fix.use("voices", 4))
    program = next((part.program for part in own if not part.drums), 52)
    return tuple(replace(part, program=program) for part in (SATB[: count - 1] + SATB[-1:] if count > 1 else SATB[:1]))


def _with_melody(parts: tuple[Part, ...], given: Piece) -> tuple[Part, ...]:
    """The given melody's voice stands first, with its name and instrument, and its own range."""
    voice = given.voices[melody_of(given)]
    own = next((part for part in parts if part.role == "melody"), SATB[0])
    first = replace(own, name=voice.name or own.name, program=voice.program, low=max(0, min(own.low, min(note.pitch for note in voice.notes))), high=min(127, max(own.high, max(note.pitch for note in voice.notes))))
    others = [part for part in parts if part is not own]
    return (first, *(others if own in parts else others[: len(parts) - 1]))


def _guessed(piece: Piece, number: int) -> Part:
    """As the piece's facts say; else from how a voice looks: drums, the lowest line, chords, a melody."""
    voice = piece.voices[number]
    told = piece.facts.get("parts")
    if isinstance(told, list) and len(told) == len(piece.voices):
        for preset in PRESETS.values():
            for part in (*preset.parts, *parts_of("Chorale", 8)):
                if [part.role, part.style, part.name] == told[number]:
                    return _spanning(voice, replace(part, name=voice.name, program=voice.program), own=True)
    if voice.drums:
        return Part("drums", voice.name, voice.program, style="rock")
    lowest = min((other for other in piece.voices if other.notes and not other.drums), key=lambda other: sum(note.pitch for note in other.notes) / len(other.notes), default=voice)
    sung = sum(not other.drums for other in piece.voices)
    density = min(1.0, len(voice.notes) * 2 / max(1, piece.length // STEP))
    if not monophonic(voice):
        return _spanning(voice, Part("chords", voice.name, voice.program, style="block", density=0.5))
    if voice is lowest and sung > 1:
        return _spanning(voice, Part("bass", voice.name, voice.program, style="rootfifth"))
    return _spanning(voice, Part("melody" if number == melody_of(piece) else "counter", voice.name, voice.program, density=max(0.1, density)))


def _spanning(voice: Voice, part: Part, own: bool = False) -> Part:
    """With a range around what the voice sings: also its part's own one, else at least an octave."""
    if not voice.notes or voice.drums:
        return part
    low, high = min(note.pitch for note in voice.notes), max(note.pitch for note in voice.notes)
    if own:
        return replace(part, low=min(low, part.low), high=max(high, part.high))
    grow = max(0, 12 - (high - low))
    return replace(part, low=max(0, low - grow // 2), high=min(127, high + (grow + 1) // 2))


def _chosen(params: ComposeParams, given: Piece | None, parts: Sequence[Part]) -> tuple[int, ...]:
    """Numbers of the voices that are written. Raises BadInput for names that the piece has not."""
    if given is None or params.mode in ("New", "Harmonise"):
        return tuple(range(len(parts)))
    words = [word.strip() for word in params.repaint_voices.split(",") if word.strip()] if params.mode == "Repaint" else []
    names = {voice.name.lower(): number for number, voice in reversed(list(enumerate(given.voices)))}
    found: list[int] = []
    for word in words:
        if word.lower() in names:
            found.append(names[word.lower()])
        elif word.isdecimal() and 1 <= int(word) <= len(given.voices):
            found.append(int(word) - 1)
        else:
            raise BadInput(f"This piece has no voice “{word}”.", hint=f"Its voices are: {', '.join(voice.name for voice in given.voices)}.", field="repaint_voices")
    return tuple(dict.fromkeys(found)) or tuple(range(len(parts)))


def _check_size(plan: Plan) -> None:
    seconds = plan.bars[-1].end * STEP / 480 * 60 / plan.tempo
    if seconds > MOST_SECONDS:
        raise BadInput(f"This would last {seconds / 60:.0f} minutes; {MOST_SECONDS / 60:.0f} can be made.", hint="Give fewer bars or a quicker tempo.", field="bars")
    if plan.given and sum(len(voice.notes) for voice in plan.given.voices) > MOST_NOTES // 2:
        raise BadInput(f"This piece has more than {MOST_NOTES // 2:,} notes.", hint="Give a shorter piece.", field="piece")


def given_melody(plan: Plan) -> tuple[Note, ...]:
    return plan.given.voices[plan.melody].notes if plan.given and plan.melody >= 0 else ()
