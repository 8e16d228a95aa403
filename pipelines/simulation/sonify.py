"""simulation.sonify: series of a run as music: high values are high notes of a scale, what changes fast is loud, each series has its own instrument.

Source: T. Hermann, A. Hunt, J. G. Neuhoff (eds.), The Sonification Handbook (2011), chapter 15 (parameter mapping).
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pipelines.music.midi import write
from pipelines.music.score import TICKS, Note, Piece, Voice
from pipelines.music.theory import SCALES
from pipelines.simulation.experiments.effort import stretch_of
from pipelines.simulation.experiments.plan import find_series
from pipelines.simulation.params import ModelParams, check_length, chosen
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Numbers, Params, Result, RunContext, Simulation, Simulations, observations, steps_at, ui

Scale = Literal["Major pentatonic", "Minor pentatonic", "Major", "Minor", "Dorian", "Blues", "Whole tone", "Chromatic"]
PROGRAMS = (11, 46, 73, 42)  # vibraphone, harp, flute, cello
MOST_VOICES = len(PROGRAMS)
QUIET, LOUD = 58, 112
EIGHTH = TICKS // 2


class SonifyParams(ModelParams):
    voices: list[str] = Field([], max_length=MOST_VOICES, title="Series", description="Names of those that are heard; none takes the first three.", json_schema_extra=ui())
    duration: float = Field(0.0, ge=0, le=1e9, title="How long", description="In the model's own time; 0 takes its usual length.", json_schema_extra=ui(widget="number"))
    notes: int = Field(128, ge=8, le=2000, title="Eighth notes", description="Of each voice; values that stay become longer notes.", json_schema_extra=ui())
    scale: Scale = Field("Major pentatonic", title="Musical scale", description="Only its notes are used.", json_schema_extra=ui())
    lowest: int = Field(48, ge=12, le=100, title="Lowest note", description="As a MIDI number: 60 is middle C. The scale begins here.", json_schema_extra=ui(advanced=True))
    octaves: int = Field(3, ge=1, le=6, title="Octaves", description="From the smallest value to the largest.", json_schema_extra=ui(advanced=True))
    tempo: int = Field(120, ge=30, le=300, title="Tempo", description="Quarter notes a minute.", json_schema_extra=ui())
    sound: bool = Field(True, title="Sound", description="Also played as a WAV file.", json_schema_extra=ui())


class Sonify:
    """The same values and seed give the same notes."""

    id: ClassVar[str] = "simulation.sonify"
    title: ClassVar[str] = "Simulation as music"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = SonifyParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def need(self, params: SonifyParams, catalog: Catalog) -> Need:
        return Need(working_bytes=300 * 2**20)

    def settle(self, params: SonifyParams, desk: Desk) -> SonifyParams:
        model, values = chosen(params, self.simulations)
        names = params.voices or [series.name for series in model.series[:3]]
        for name in names:
            try:
                find_series(model, name)
            except BadInput as error:
                error.field = "voices"
                raise
        duration = params.duration or model.duration
        check_length(model, values, duration)
        if params.lowest + 12 * params.octaves > 127:
            raise BadInput("So many octaves go beyond the highest note there is.", hint="Take fewer, or begin lower.", field="octaves")
        return params.model_copy(update={"values": values.model_dump(mode="json"), "voices": names, "duration": duration})

    def run(self, params: SonifyParams, ctx: RunContext) -> Result:
        model, values = chosen(params, self.simulations)
        times = np.linspace(0.0, params.duration or model.duration, params.notes)
        total = max(1, int(steps_at(model, values, times[-1:])[0]))
        looks = observations(model, values, times, params.seed, heed=lambda done: ctx.progress(done, total, "Running"), stretch=stretch_of(model, values))
        courses = [list(seen.values.values()) for seen in looks]
        piece = self.piece(model, np.array(courses), params)
        midi = write(piece)
        facts = {"title": model.title, "tempo": params.tempo, "notes": sum(len(voice.notes) for voice in piece.voices), "seconds": round(piece.seconds(piece.length), 1)}
        ctx.output(Artifact("midi", midi, ".mid", model.title, facts))
        if params.sound:
            for sound in ctx.call("music.render", {"midi": base64.b64encode(midi).decode()}).artifacts:
                ctx.output(Artifact(sound.kind, sound.data, sound.suffix, model.title, sound.facts))
        return Result([], {"notes": [], "played": facts["notes"], "seconds": facts["seconds"]})

    def piece(self, model: Simulation, courses: Numbers, params: SonifyParams) -> Piece:
        """`courses` (times, series of the model)."""
        names = params.voices or [series.name for series in model.series[:3]]
        voices = [Voice(model.series[place].title, _notes(_heard(courses[:, place], model.series[place].kind), params), PROGRAMS[number]) for number, place in enumerate(find_series(model, name) for name in names)]
        return Piece(tuple(voices), params.notes * EIGHTH, ((0, float(params.tempo)),), title=model.title)


def _heard(course: Numbers, kind: str) -> Numbers:
    """A level as it stands, of a total what came new."""
    return np.diff(course, prepend=course[:1]) if kind == "total" else course


def _notes(course: Numbers, params: SonifyParams) -> tuple[Note, ...]:
    """One note for each run of equal pitches."""
    pitches, loudness = _pitches(course, params), _loudness(course)
    starts = [at for at in range(len(pitches)) if at == 0 or pitches[at] != pitches[at - 1]]
    ends = [*starts[1:], len(pitches)]
    return tuple(Note(start * EIGHTH, int(pitches[start]), (end - start) * EIGHTH, int(loudness[start])) for start, end in zip(starts, ends, strict=True))


def _pitches(course: Numbers, params: SonifyParams) -> Any:
    """MIDI numbers: the smallest value is the lowest note of the range, the largest the highest."""
    ladder = np.array([params.lowest + 12 * octave + step for octave in range(params.octaves) for step in SCALES[params.scale.lower()]] + [params.lowest + 12 * params.octaves])
    return ladder[np.rint(_share(course) * (len(ladder) - 1)).astype(int)]


def _loudness(course: Numbers) -> Any:
    change = np.abs(np.diff(course, prepend=course[:1]))
    return np.rint(QUIET + (LOUD - QUIET) * np.sqrt(_share(change)))


def _share(course: Numbers) -> Numbers:
    """0 at the smallest, 1 at the largest; 0 where nothing changes."""
    wide = np.ptp(course)
    return (course - course.min()) / wide if wide > 0 else np.zeros(len(course))
