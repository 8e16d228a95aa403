"""What a composition is asked for."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipelines.music.presets import ENSEMBLES, MODELS
from pipelines.music.theory import KEY_CHOICES
from studio.api import Params, ui

PIECE = r"^([0-9a-f]{64}\.mid)?$"
MOST_BARS = 128
Mode = Literal["New", "Harmonise", "Continue", "Repaint", "Variation"]
PresetName = Literal["Chorale", "Music box", "8-bit", "Lullaby", "March", "Waltz", "Jazz trio", "Ambient", "Folk dance", "Blues", "Drum groove", "Bossa nova", "Garden", "Five", "Harpsichord"]
MetreName = Literal["Automatic", "4/4", "3/4", "2/4", "6/8", "9/8", "12/8", "5/4", "7/8"]


class ComposeParams(Params):
    """0, "" and "Automatic" leave a thing to the preset, or to the piece that is given."""

    preset: PresetName = Field("Chorale", title="Mood", description="What kind of piece: its key, tempo, metre, voices and manner.")
    bars: int = Field(0, ge=0, le=MOST_BARS, title="Length", description="Bars to write, of a new piece or behind one that goes on; 0 is what the mood has. Other tasks keep the piece's length.")
    instruments: str = Field(
        "",
        max_length=500,
        title="Instruments",
        description="An ensemble, or instruments for the voices in their order with commas between: “Flute, Viola, Cello”. Empty: the mood's.",
        json_schema_extra=ui(choices=["", *ENSEMBLES]),
    )
    mode: Mode = Field("New", title="Task", description="A new piece; voices under a given melody; more of a piece; some of it anew; or the whole a little different.", json_schema_extra=ui(widget="hidden"))
    piece: str = Field(
        "", pattern=PIECE, title="Piece", description="A MIDI file: what is harmonised, continued, repainted or varied. Of a new piece its highest voice opens the melody.", json_schema_extra=ui(widget="hidden")
    )
    repaint_bars: str = Field("", max_length=200, title="Bars to repaint", description="As 5-8 or 3, 5-8; empty: all.", json_schema_extra=ui(widget="hidden"))
    repaint_voices: str = Field("", max_length=1000, title="Voices to repaint", description="Names or numbers with commas between; empty: all.", json_schema_extra=ui(widget="hidden"))
    tempo: float = Field(0.0, ge=0, le=400, title="Tempo", description="Quarters a minute, 20 to 400; 0 is the mood's, or the piece's.", json_schema_extra=ui(group="Notes", step=1))
    metre: MetreName = Field("Automatic", title="Metre", description="Beats in a bar.", json_schema_extra=ui(group="Notes"))
    key: str = Field(
        "", max_length=40, title="Key", description="A note and a scale: “A minor”, “D dorian”, “C major pentatonic”. Empty: the mood's, or the piece's.", json_schema_extra=ui(group="Notes", choices=KEY_CHOICES)
    )
    scale_lock: Literal["Automatic", "On", "Off"] = Field("Automatic", title="Scale lock", description="On: no new note outside of the scale, without exception.", json_schema_extra=ui(group="Notes"))
    chords: str = Field(
        "",
        max_length=4000,
        title="Chords",
        description="C | Am F | G7 with strokes between bars, or I | vi IV | V7; % repeats a bar. They begin again when they are used up. Empty: the model chooses.",
        json_schema_extra=ui(group="Notes", widget="textarea", lines=2),
    )
    chord_lock: Literal["On the beats", "Every note"] = Field(
        "On the beats", title="Chords hold", description="On the beats all that sounds belongs to the chord, and between them the scale may pass; or every single note belongs to it.", json_schema_extra=ui(group="Notes")
    )
    voices: int = Field(0, ge=0, le=8, title="Voices", description="How many parts; 0 is what the mood has.", json_schema_extra=ui(group="Voices"))
    ranges: str = Field(
        "", max_length=200, title="Ranges", description="Lowest and highest note of each voice in their order, with commas between: C4-A5, G3-D5. Left out: the voice's own.", json_schema_extra=ui(group="Voices")
    )
    model: str = Field(
        "Automatic", max_length=200, title="Model", description="What invents the notes: the chorale network, Markov models, or a style that was learnt.", json_schema_extra=ui(group="Character", choices=MODELS)
    )
    density: float = Field(0.0, ge=0, le=1, title="Density", description="How many notes: 0.1 few, 1 many; 0 is the mood's.", json_schema_extra=ui(group="Character", step=0.05))
    temperature: float = Field(1.0, ge=0.1, le=2, title="Temperature", description="Low: the likeliest notes; high: more surprises.", json_schema_extra=ui(group="Character", step=0.05))
    swing: float = Field(-1.0, ge=-1, le=1, title="Swing", description="How late the second half of a beat comes: 1 is a triplet's. Below 0 it is the mood's.", json_schema_extra=ui(group="Character", step=0.1))
    amount: float = Field(0.3, ge=0.05, le=1, title="Change", description="Of a variation: the share of notes that may change.", json_schema_extra=ui(group="Character", step=0.05))
    loop: bool = Field(False, title="Loop", description="The end leads back to the beginning, without a closing note.", json_schema_extra=ui(group="Character"))
    seed: int = Field(-1, ge=-1, lt=2**31, title="Seed", description="The same seed gives the same piece; -1 draws one.", json_schema_extra=ui(group="Character"))
    sound: Literal["Automatic", "Synthesiser", "SoundFont", "No sound"] = Field("Automatic", title="Sound", description="What plays it; the notes alone need no time for it.", json_schema_extra=ui(group="Sound"))
