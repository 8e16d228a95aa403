"""What can be chosen of a speech."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from studio.api import Params, ui

MOST_LETTERS = 200_000
DICTIONARY_TOLD = "One word a line with its reading: “SQL = sequel”, “tomato = /təˈmeɪtoʊ/”, “人間 = じんかん”, “橋 = ハシ'” (' where the pitch falls)."
SPEAKERS_TOLD = "One a line: “Anna = heart, speed 1.1, pitch +2, volume -3”. Who is not named here gets a voice by turns."
KIND_TOLD = "Plain text; SSML marks; a script, one line a speaker (“Anna: Hello”); or a table, CSV with the columns speaker and text. Automatic tells by the text."
VOICE_TOLD = "For English and what else is written in Latin letters; empty is automatic."


class SpeechParams(Params):
    text: str = Field("", max_length=MOST_LETTERS, title="Text", description="What is spoken.", json_schema_extra=ui(widget="textarea", lines=8))
    kind: Literal["Automatic", "Plain text", "SSML", "Script", "Table"] = Field("Automatic", title="Kind of text", description=KIND_TOLD)
    language: Literal["Automatic", "English", "Japanese"] = Field("Automatic", title="Spoken language", description="Automatic finds it sentence by sentence; each part is spoken by its language's voice.")
    voice: str = Field("", max_length=300, title="Voice", description=VOICE_TOLD)
    japanese_voice: str = Field("", max_length=300, title="Japanese voice", description="Empty is automatic: Alpha where its model is here, else Mei.")
    speed: float = Field(1.0, ge=0.5, le=2.0, title="Speed", description="2 is twice as fast.", json_schema_extra=ui(step=0.05))
    pitch: float = Field(0.0, ge=-12, le=12, title="Pitch", description="Semitones higher or lower.", json_schema_extra=ui(step=0.5))
    volume: float = Field(0.0, ge=-30, le=12, title="Volume", description="Decibels; loud parts are rounded off, never cut.", json_schema_extra=ui(step=1))
    pause_sentence: float = Field(0.35, ge=0, le=5, title="Pause after a sentence", description="Seconds at normal speed.", json_schema_extra=ui(group="Pauses", step=0.05))
    pause_paragraph: float = Field(0.8, ge=0, le=10, title="Pause after a paragraph", description="Seconds at normal speed.", json_schema_extra=ui(group="Pauses", step=0.1))
    pause_line: float = Field(0.5, ge=0, le=10, title="Pause between speakers", description="Seconds at normal speed.", json_schema_extra=ui(group="Pauses", step=0.1))
    speakers: list[str] = Field([], max_length=200, title="Speakers", description=SPEAKERS_TOLD, json_schema_extra=ui(widget="lines"))
    dictionary: list[str] = Field([], max_length=2000, title="Pronunciation", description=DICTIONARY_TOLD, json_schema_extra=ui(widget="lines"))
    format: Literal["WAV", "FLAC", "MP3", "OGG"] = Field("WAV", title="Format", description="WAV and FLAC keep everything; MP3 and OGG are small.", json_schema_extra=ui(group="File"))
    bits: Literal[16, 24] = Field(16, title="Bits", description="Of a sample in WAV and FLAC.", json_schema_extra=ui(group="File", advanced=True))
    subtitles: Literal["None", "SRT", "VTT", "Both"] = Field("None", title="Subtitles", description="A file of subtitles beside the sound, from its real times.", json_schema_extra=ui(group="File"))
    word_times: bool = Field(
        False, title="Word times", description="VTT subtitles also tell when each word sounds, where the voice knows: players light words up one by one.", json_schema_extra=ui(group="File", advanced=True)
    )
    each_line: bool = Field(False, title="One file a line", description="Besides the whole, each line of a script or paragraph of a text as a file of its own.", json_schema_extra=ui(group="File", advanced=True))
    each_sentence: bool = Field(False, title="One file a sentence", description="Besides the whole, each sentence as a file of its own, as soon as it is spoken.", json_schema_extra=ui(group="File", advanced=True))
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="The same seed gives the same breath noise; -1 is random.", json_schema_extra=ui(advanced=True))
