"""music.render: a piece made to sound, by the studio's own instruments or a SoundFont, as one file and, where wanted, one more for each voice."""

from __future__ import annotations

import base64
import binascii
import time
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field, PrivateAttr

from pipelines.music.midi import MOST_BYTES, read, read_file
from pipelines.music.score import Piece
from pipelines.music.sound.files import BITS, RATE, Samples, clock, encode, encode_whole, quantised
from pipelines.music.sound.mixer import AUTOMATIC, Mix, summed_whole
from pipelines.music.sound.playing import Engine, Sounded, own_engine, parts_of, played
from pipelines.music.sound.programs import DRUM_KIT, DRUM_KIT_NAME, PROGRAM_NAMES
from pipelines.music.sound.soundfont import SHIPPED_KEY, engine_of, find, soundfont_spec, weight
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError, ui

PIECE = r"^([0-9a-f]{64}\.mid)?$"  # a key of a piece somebody gave
MOST_SECONDS = 1200.0
MOST_STEM_SECONDS = 4800.0  # of all voices together
MOST_VOICES = 128
USUAL_SECONDS, USUAL_VOICES = 60.0, 4  # of a piece that was not looked at
TAIL_SECONDS = 6.0
BUFFERS = 7  # stereo sounds of the whole length that are in memory at once, besides stems
STEREO_BYTES = 8
SOUNDFONT = "SoundFont"
SUFFIXES = {"WAV": ".wav", "FLAC": ".flac", "MP3": ".mp3", "OGG": ".ogg"}
EACH = "One for each voice; where the list ends, voices are as they are."


class RenderParams(Params):
    piece: str = Field("", pattern=PIECE, title="Piece", description="The MIDI file to play.", json_schema_extra=ui(widget="hidden"))
    midi: str = Field("", max_length=MOST_BYTES * 2, title="MIDI", description="The MIDI file itself as base64, where it is no kept piece.", json_schema_extra=ui(widget="hidden"))
    engine: Literal["Synthesiser", "SoundFont"] = Field("Synthesiser", title="Sound", description="The studio's own instruments, or recorded ones from a SoundFont.")
    soundfont: str = Field("", max_length=200, title="SoundFont", description="Which one; empty takes the one that comes along.", json_schema_extra=ui(widget="model", model_kind="soundfont", advanced=True))
    instruments: list[int] = Field([], max_length=MOST_VOICES, title="Instruments", description=f"General MIDI numbers from 0; 128 is the drum kit, -1 the piece's own. {EACH}", json_schema_extra=ui(widget="hidden"))
    volume: list[float] = Field([], max_length=MOST_VOICES, title="Volume", description=f"In decibels, -60 to 12. {EACH}", json_schema_extra=ui(widget="hidden"))
    pan: list[float] = Field([], max_length=MOST_VOICES, title="Place", description=f"From -1, left, to 1, right; -2 spreads voices by itself. {EACH}", json_schema_extra=ui(widget="hidden"))
    mute: list[bool] = Field([], max_length=MOST_VOICES, title="Mute", description=f"Voices that are silent. {EACH}", json_schema_extra=ui(widget="hidden"))
    solo: list[bool] = Field([], max_length=MOST_VOICES, title="Solo", description=f"Where any is chosen, only those sound. {EACH}", json_schema_extra=ui(widget="hidden"))
    reverb: float = Field(0.25, ge=0.0, le=1.0, title="Room", description="How much of a hall is heard; 0 is none.", json_schema_extra=ui(step=0.05))
    loudness: float = Field(-16.0, ge=-30.0, le=-10.0, title="Loudness", description="Of the whole, in LUFS; -16 is usual for listening on the web.", json_schema_extra=ui(step=0.5, advanced=True))
    format: Literal["WAV", "FLAC", "MP3", "OGG"] = Field("WAV", title="File", description="WAV and FLAC keep every sample; MP3 and OGG are small.")
    bits: Literal[16, 24, 32] = Field(16, title="Bits", description="Of a sample in WAV and FLAC; 32 is floating point, WAV only.", json_schema_extra=ui(advanced=True))
    stems: bool = Field(False, title="Stems", description="Also a file for each voice; together they are the whole.")
    loop: bool = Field(False, title="Loop", description="Ends where it begins: what rings on at the end sounds at the beginning.")
    _seen: tuple[float, int] = PrivateAttr((0.0, 0))  # seconds and voices, once the piece was looked at


class Render:
    """Deterministic: the same params give the same samples. Stop acts between two notes."""

    id: ClassVar[str] = "music.render"
    title: ClassVar[str] = "Play"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = RenderParams

    def instruments(self) -> list[str]:
        """General MIDI's programs and, as number 128, the drum kit."""
        return [*PROGRAM_NAMES, DRUM_KIT_NAME]

    def soundfonts(self, catalog: Catalog) -> list[tuple[str, str]]:
        """Title and key of those that can be used, the one that comes along first."""
        usable = [(entry.title, entry.key) for entry in catalog.entries("soundfont") if not entry.problem]
        return sorted(usable, key=lambda one: (one[1] != SHIPPED_KEY, one[0].lower()))

    def need(self, params: RenderParams, catalog: Catalog) -> Need:
        if not (params.piece or params.midi):
            return Need(missing="There is no piece to play.")
        seconds, voices = params._seen if params._seen[0] else (USUAL_SECONDS, USUAL_VOICES)
        buffers = BUFFERS + (3 * voices if params.stems else 0)
        working = int((seconds + TAIL_SECONDS) * RATE * STEREO_BYTES * buffers)
        try:
            return Need(weight(find(params.soundfont, catalog)) if params.engine == SOUNDFONT else 0, working)
        except StudioError as error:
            return Need(missing=error.message)

    def place(self, params: RenderParams, catalog: Catalog, device: str, room: int) -> Need:
        """There is one way, on the processor."""
        return self.need(params, catalog)

    def pace_key(self, params: RenderParams, catalog: Catalog) -> str:
        return params.engine

    def seconds(self, params: RenderParams, catalog: Catalog, pace: dict[str, float]) -> float:
        seconds, voices = params._seen if params._seen[0] else (USUAL_SECONDS, USUAL_VOICES)
        return seconds * voices * pace.get("second", 0.0)

    def look(self, params: RenderParams, desk: Desk) -> RenderParams:
        """With how long the piece is; one that can't be read is not counted."""
        try:
            piece = read_file(desk.inputs.path(params.piece)) if params.piece else _from_text(params.midi)
        except StudioError:
            return params
        return _seen(params, piece)

    def settle(self, params: RenderParams, desk: Desk) -> RenderParams:
        if not (params.piece or params.midi):
            raise BadInput("There is no piece to play.", hint="Give a MIDI file, or compose one first.", field="piece")
        if params.engine == SOUNDFONT:
            find(params.soundfont, desk.catalog)
        piece = read_file(desk.inputs.path(params.piece)) if params.piece else _from_text(params.midi)
        check(params, piece)
        return _seen(params, piece)

    def run(self, params: RenderParams, ctx: RunContext) -> Result:
        piece = read_file(ctx.input(params.piece)) if params.piece else _from_text(params.midi)
        check(params, piece)
        ctx.progress(0, 100, "Playing")
        if params.engine == "Synthesiser":
            return self._played(params, piece, own_engine, ctx)
        spec = soundfont_spec(find(params.soundfont, ctx.catalog))
        with ctx.models.use(spec, working=self.need(_seen(params, piece), ctx.catalog).working_bytes) as synth:
            return self._played(params, piece, engine_of(synth), ctx)

    def _played(self, params: RenderParams, piece: Piece, engine: Engine, ctx: RunContext) -> Result:
        begun, mix = time.monotonic(), mix_of(params)

        def tell(share: float) -> None:
            ctx.progress(round(99 * share), 100, "Playing", 0.95 * share)

        sounded = played(piece, mix, engine, ctx.check, tell, params.stems)
        spent = time.monotonic() - begun
        ctx.progress(99, 100, "Saving", 0.96)
        seconds, title = sounded.mix.shape[1] / RATE, piece.title or "Piece"
        facts = {"seconds": round(seconds, 3), "rate": RATE, "peak": round(float(np.abs(sounded.mix).max()), 4), "loudness": round(sounded.loudness, 1)}
        artifacts = [
            Artifact("audio", data, SUFFIXES[params.format], name, facts if number == 0 else facts | {"stem": number} | _peak(sounded, number)) for number, (name, data) in enumerate(files(params, sounded, title, ctx))
        ]
        notes = [NO_SEAM] if params.loop and params.format == "MP3" else []
        voices = max(1, len(parts_of(piece, mix)))
        return Result(artifacts, facts | {"notes": notes, "pace": {"second": spent / (seconds * voices)}})


NO_SEAM = "MP3 files begin and end with a little silence in most players: use WAV, FLAC or OGG for a loop without a seam."


def _peak(sounded: Sounded, number: int) -> dict[str, float]:
    return {"peak": round(float(np.abs(sounded.stems[number - 1][1]).max()), 4)}


def _from_text(text: str) -> Piece:
    """Raises BadInput."""
    try:
        return read(base64.b64decode(text, validate=True), "midi")
    except (binascii.Error, ValueError) as error:
        raise BadInput("This is no MIDI file as base64.", hint="Give the file's bytes as base64 text.", field="midi") from error


def _seen(params: RenderParams, piece: Piece) -> RenderParams:
    seen = params.model_copy()
    seen._seen = (max(0.1, piece.seconds(piece.length)), max(1, len(piece.voices)))
    return seen


def mix_of(params: RenderParams) -> Mix:
    return Mix(tuple(params.instruments), tuple(params.volume), tuple(params.pan), tuple(params.mute), tuple(params.solo), params.reverb, params.loudness, params.loop)


def check(params: RenderParams, piece: Piece) -> None:
    """Raises BadInput at the field for what can't be played or written."""
    for field, values, low, high in (("instruments", params.instruments, -1, DRUM_KIT), ("volume", params.volume, -60, 12)):
        if any(not low <= value <= high for value in values):  # what is no number is refused, too
            title = RenderParams.model_fields[field].title
            raise BadInput(f"{title} must be from {low} to {high}.", hint="Change the value and try again.", field=field)
    if any(value != AUTOMATIC and not -1 <= value <= 1 for value in params.pan):
        raise BadInput("Place must be from -1, left, to 1, right, or -2.", hint="Change the value and try again.", field="pan")
    if params.bits != 16 and params.format in ("MP3", "OGG"):
        raise BadInput(f"{params.format} has no bits to choose.", hint="Choose 16, or WAV or FLAC.", field="bits")
    if params.format in ("WAV", "FLAC") and params.bits not in BITS[SUFFIXES[params.format]]:
        raise BadInput(f"{params.format} files have no {params.bits} bits here.", hint="Choose 16 or 24 bits, or WAV.", field="bits")
    if not parts_of(piece, mix_of(params)):
        field = "solo" if any(params.solo) else "mute" if any(params.mute) else "piece"
        raise BadInput("Nothing of this piece would sound.", hint="It has no notes, or all its voices are muted.", field=field)
    seconds = piece.seconds(piece.length)
    if seconds > MOST_SECONDS:
        raise BadInput(f"The piece is {clock(seconds)} long; {clock(MOST_SECONDS)} can be played.", hint="Give a shorter piece.", field="piece")
    if params.stems and (total := seconds * len(parts_of(piece, mix_of(params)))) > MOST_STEM_SECONDS:
        raise BadInput(f"Its voices are {clock(total)} long together; stems of {clock(MOST_STEM_SECONDS)} can be made.", hint="Turn stems off, or mute voices.", field="stems")


def files(params: RenderParams, sounded: Sounded, title: str, ctx: RunContext) -> list[tuple[str, bytes]]:
    """Titles and files, the whole first. Whole numbers of stems sum to those of the mix, one apart at most."""
    suffix = SUFFIXES[params.format]
    exact = params.format in ("WAV", "FLAC") and params.bits < 32

    def written(samples: Samples) -> bytes:
        ctx.check()
        bits = params.bits if params.format == "WAV" else 16
        return encode_whole(quantised(samples, params.bits), RATE, suffix, params.bits) if exact else encode(samples, RATE, suffix, bits, ctx.check)

    made = [(title, written(sounded.mix))]
    if not sounded.stems:
        return made
    if not exact:
        return made + [(name, written(samples)) for name, samples in sounded.stems]
    for (name, _), numbers in zip(sounded.stems, summed_whole([samples for _, samples in sounded.stems], params.bits), strict=True):
        ctx.check()
        made.append((name, encode_whole(numbers, RATE, suffix, params.bits)))
    return made
