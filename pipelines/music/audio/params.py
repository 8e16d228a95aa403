"""What the user chose for a sound. 0, "" and -1 leave a value to the model; what a model's family does not have is refused (settle.py)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.music.sound.files import SOUND
from studio.api import Params, ui

Mode = Literal["New", "Continue", "Melody", "From a sound", "Timbre", "Repaint"]
Scheduler = Literal["Automatic", "DPM++ 2M", "DPM++ 2M SDE", "DDIM", "Euler"]
MOST_SECONDS = 600
GUIDING, STEPPING, DRAWING, SINGING, REPAINTING, FILING = "Guidance", "Steps", "Tokens", "Song", "Given sound", "File"


class AudioParams(Params):
    prompt: str = Field("", max_length=2000, title="Prompt", description="What is heard: instruments, mood, tempo, place.", json_schema_extra=ui(widget="textarea", lines=3))
    model: str = Field("", max_length=300, title="Model", description="An audio model; empty takes the first.", json_schema_extra=ui(widget="model", model_kind="audio"))
    seconds: float = Field(0.0, ge=0, le=MOST_SECONDS, title="Length in seconds", description="Of what is made new; 0 is the model's usual length.", json_schema_extra=ui(step=1))
    mode: Mode = Field("New", title="What to make", description="New, or from a sound that is given: its end goes on, its melody is played, it is changed, its timbre is taken, a part of it is made anew.")
    sound: str = Field("", pattern=SOUND, title="Sound", description="The sound that is gone on with, changed or listened to.", json_schema_extra=ui(widget="hidden"))
    count: int = Field(1, ge=1, le=8, title="How many", description="One after the other, with seeds that follow each other.")
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="The same seed gives the same sound; -1 is random.", json_schema_extra=ui(widget="number", advanced=True))
    negative_prompt: str = Field("", max_length=2000, title="Negative prompt", description="What should not be heard.", json_schema_extra=ui(group=GUIDING, advanced=True))
    guidance: float = Field(
        0.0, ge=0, le=20, title="Guidance", description="How closely the words are followed, from 1 on, which is not guided; 0 is the model's own.", json_schema_extra=ui(group=GUIDING, step=0.1, advanced=True)
    )
    steps: int = Field(0, ge=0, le=500, title="Steps", description="Of models that work by denoising; 0 is the family's own number.", json_schema_extra=ui(group=STEPPING, advanced=True))
    scheduler: Scheduler = Field("Automatic", title="Scheduler", description="How the noise is taken away; automatic is the one the model came with.", json_schema_extra=ui(group=STEPPING, advanced=True))
    temperature: float = Field(0.0, ge=0, le=3, title="Temperature", description="Of models that write tokens: higher is more surprising; 0 is the usual 1.", json_schema_extra=ui(group=DRAWING, step=0.05, advanced=True))
    top_k: int = Field(0, ge=0, le=2048, title="Top k", description="Of models that write tokens: how many are drawn from; 0 is the usual 250.", json_schema_extra=ui(group=DRAWING, advanced=True))
    overlap: float = Field(
        0.0, ge=0, le=25, title="Overlap in seconds", description="How much of what is there a model that goes on hears; 0 is the usual 10.", json_schema_extra=ui(group=DRAWING, step=0.5, advanced=True)
    )
    strength: float = Field(0.0, ge=0, le=1, title="Strength", description="How far a given sound is changed; 0 is the usual 0.7.", json_schema_extra=ui(group=REPAINTING, step=0.01, advanced=True))
    repaint_from: float = Field(0.0, ge=0, le=MOST_SECONDS, title="Repaint from", description="Second at which the new part begins.", json_schema_extra=ui(group=REPAINTING, step=0.1, advanced=True))
    repaint_to: float = Field(0.0, ge=0, le=MOST_SECONDS, title="Repaint to", description="Second at which it ends; 0 is the sound's end.", json_schema_extra=ui(group=REPAINTING, step=0.1, advanced=True))
    lyrics: str = Field(
        "", max_length=8000, title="Lyrics", description="Of models that sing; lines like [verse] and [chorus] name the parts.", json_schema_extra=ui(group=SINGING, widget="textarea", lines=4, advanced=True)
    )
    language: str = Field("", pattern=r"^([a-z]{2,3})?$", title="Language of the lyrics", description="A code like en or ja; empty is English.", json_schema_extra=ui(group=SINGING, advanced=True))
    tempo: int = Field(0, ge=0, le=300, title="Tempo", description="Beats a minute that a singing model is told; 0 leaves it open.", json_schema_extra=ui(group=SINGING, advanced=True))
    key: str = Field("", max_length=20, title="Key", description="The key that a singing model is told, C major say.", json_schema_extra=ui(group=SINGING, advanced=True))
    metre: Literal["", "2", "3", "4", "6"] = Field("", title="Beats a bar", description="The metre that a singing model is told.", json_schema_extra=ui(group=SINGING, advanced=True))
    format: Literal["WAV", "FLAC", "MP3", "OGG"] = Field("WAV", title="File", description="WAV and FLAC keep every sample at 16 bits; MP3 and OGG are smaller.", json_schema_extra=ui(group=FILING, advanced=True))
    precision: Literal["Automatic", "Full", "Half"] = Field(
        "Automatic", title="Precision", description="Half takes half the memory; automatic is full on a processor and half on a graphics card.", json_schema_extra=ui(group=FILING, advanced=True)
    )
