"""Moods to begin with: for each one a key, a tempo, a metre, who plays what, and how. And ensembles: other instruments for the same parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CHORALE, BAND, VOICES = "Chorale (network)", "Melody and band (Markov)", "Four voices (hidden Markov)"
MODELS = ("Automatic", CHORALE, BAND, VOICES)
MODEL_TOLD = {
    CHORALE: "A small network of ours, trained on four-part chorales; it writes four voices.",
    BAND: "A Markov model of old tunes over a Markov chain of chords, with patterns of ours for the other parts.",
    VOICES: "A melody from the Markov model, chords as hidden states, and the cheapest way to lead the voices below it.",
}
Role = Literal["melody", "counter", "thirds", "chords", "arpeggio", "bass", "drums", "lay"]


@dataclass(frozen=True)
class Part:
    """`style` names a pattern of its role; `low` and `high` are MIDI pitches; `density` 0 … 1."""

    role: Role
    name: str
    program: int
    low: int = 60
    high: int = 81
    style: str = ""
    density: float = 0.5
    loud: int = 0  # added to the velocities

    @property
    def drums(self) -> bool:
        return self.role == "drums"


@dataclass(frozen=True)
class Preset:
    """`rate` is how often chords change: "bar", "half", "beat" or "two" bars; `density` the melody's; `chords` a progression of its own."""

    about: str
    key: str
    tempo: float
    metre: str
    parts: tuple[Part, ...]
    model: str = BAND
    rate: str = "bar"
    density: float = 0.5
    swing: float = 0.0
    bars: int = 16
    chords: str = ""
    jazz: bool = False
    lock: bool = False
    extra: tuple[Part, ...] = field(default=())


SATB = (Part("melody", "Soprano", 52, 60, 79, density=0.45), Part("lay", "Alto", 52, 55, 72), Part("lay", "Tenor", 52, 48, 67), Part("lay", "Bass", 52, 40, 60))
MORE = (  # for more voices than a preset has
    Part("counter", "Second voice", 73, 60, 79, density=0.3), Part("chords", "Pad", 48, 52, 72, "pad", 0.5), Part("arpeggio", "Harp", 46, 52, 79, "updown", 0.5),
    Part("thirds", "Lower third", 71, 55, 76), Part("bass", "Bass", 32, 36, 55, "root"), Part("counter", "Third voice", 42, 48, 67, density=0.25), Part("chords", "Choir", 52, 55, 74, "pad", 0.3),
)  # fmt: skip

PRESETS: dict[str, Preset] = {
    "Chorale": Preset("Four voices in the manner of old chorales, by a small network.", "G major", 84, "4/4", SATB, CHORALE, "beat"),
    "Music box": Preset("Small bells turn a bright tune.", "G major", 108, "3/4", (
        Part("melody", "Music box", 10, 72, 93, density=0.55), Part("arpeggio", "Comb", 10, 60, 79, "updown", 0.5, -14), Part("bass", "Low comb", 10, 48, 62, "root", 0.3, -8)), density=0.55, lock=True),
    "8-bit": Preset("Quick square waves of an old game.", "A minor", 150, "4/4", (
        Part("melody", "Square", 80, 64, 86, density=0.75), Part("arpeggio", "Pulse", 80, 57, 76, "up", 0.9, -18), Part("bass", "Triangle", 38, 33, 52, "eighths", 0.8),
        Part("drums", "Noise", 0, style="chip", density=0.5)), density=0.75, lock=True),
    "Lullaby": Preset("Slow and soft, to fall asleep.", "F major", 66, "6/8", (
        Part("melody", "Celesta", 8, 65, 84, density=0.4, loud=-12), Part("arpeggio", "Harp", 46, 50, 72, "updown", 0.5, -20), Part("chords", "Strings", 49, 53, 70, "pad", 0.3, -18)), density=0.4, lock=True),
    "March": Preset("Brass and a snare drum, straight ahead.", "Bb major", 112, "2/4", (
        Part("melody", "Trumpet", 56, 60, 80, density=0.6, loud=8), Part("bass", "Tuba", 58, 34, 53, "rootfifth", 0.7, 6), Part("chords", "Horns", 60, 53, 70, "oompah", 0.6),
        Part("thirds", "Second trumpet", 56, 57, 77), Part("drums", "Snare and bass drum", 0, style="march", density=0.6)), density=0.6),
    "Waltz": Preset("Three in a bar, for dancing.", "D major", 168, "3/4", (
        Part("melody", "Violin", 40, 62, 86, density=0.45), Part("bass", "Contrabass", 43, 36, 55, "root", 0.5), Part("chords", "Accordion", 21, 55, 74, "oompah", 0.5, -8),
        Part("drums", "Brushes", 0, style="waltz", density=0.4, loud=-16)), density=0.45),
    "Jazz trio": Preset("Vibraphone over a walking bass.", "Bb major", 138, "4/4", (
        Part("melody", "Vibraphone", 11, 58, 82, density=0.65), Part("bass", "Double bass", 32, 28, 50, "walking", 0.6), Part("chords", "Piano", 0, 50, 70, "comp", 0.5, -8),
        Part("drums", "Ride and brushes", 0, style="swing", density=0.5, loud=-10)),
        rate="bar", density=0.65, swing=0.9, jazz=True),
    "Ambient": Preset("Wide chords, few notes, no beat.", "D lydian", 60, "4/4", (
        Part("melody", "Bells", 88, 66, 86, density=0.15, loud=-12), Part("chords", "Warm pad", 89, 50, 69, "pad", 0.6, -10), Part("chords", "Halo", 94, 62, 79, "pad", 0.3, -22),
        Part("bass", "Deep", 89, 33, 50, "drone", 0.2, -10)), rate="two", density=0.15, lock=True),
    "Folk dance": Preset("A jig for fiddle, whistle and strings.", "D mixolydian", 126, "6/8", (
        Part("melody", "Fiddle", 110, 62, 83, density=0.9), Part("chords", "Guitar", 25, 50, 67, "strum", 0.6, -10), Part("bass", "Drone", 109, 38, 57, "drone", 0.3, -20),
        Part("thirds", "Whistle", 78, 62, 83, loud=-10), Part("drums", "Tambourine", 0, style="folk", density=0.6)), density=0.9, lock=True),
    "Blues": Preset("Twelve bars with a shuffle.", "A blues", 96, "4/4", (
        Part("melody", "Guitar", 26, 57, 79, density=0.55), Part("bass", "Bass guitar", 33, 33, 52, "boogie", 0.8), Part("chords", "Organ", 16, 52, 70, "shuffle", 0.5, -14),
        Part("drums", "Drums", 0, style="shuffle", density=0.55)), density=0.55, swing=1.0, bars=12,
        chords="I7 | IV7 | I7 | I7 | IV7 | IV7 | I7 | I7 | V7 | IV7 | I7 | V7"),
    "Drum groove": Preset("Drums first: a funky beat with a clavinet.", "D dorian", 98, "4/4", (
        Part("drums", "Drums", 0, style="groove", density=0.6, loud=6), Part("bass", "Slap bass", 36, 33, 50, "groove", 0.7), Part("chords", "Clavinet", 7, 55, 72, "comp", 0.4, -6),
        Part("melody", "Brass", 61, 62, 79, density=0.25)), density=0.25, lock=True),
    "Bossa nova": Preset("A flute over a soft guitar.", "G minor", 126, "4/4", (
        Part("melody", "Flute", 73, 62, 84, density=0.5), Part("chords", "Nylon guitar", 24, 52, 69, "comp", 0.6, -8), Part("bass", "Double bass", 32, 31, 50, "bossa", 0.7),
        Part("drums", "Shaker and rim", 0, style="bossa", density=0.5, loud=-14)), density=0.5, jazz=True),
    "Garden": Preset("Koto and bamboo flute in an old Japanese scale.", "D in", 69, "4/4", (
        Part("melody", "Koto", 107, 62, 86, density=0.45), Part("counter", "Shakuhachi", 77, 57, 76, density=0.2), Part("bass", "Low koto", 107, 38, 57, "drone", 0.3, -8)), rate="two", density=0.45, lock=True),
    "Five": Preset("Mallets that run in five.", "E minor", 152, "5/4", (
        Part("arpeggio", "Marimba", 12, 52, 76, "wide", 0.6), Part("melody", "Oboe", 68, 62, 84, density=0.3), Part("bass", "Cello", 42, 40, 57, "rootfifth", 0.5),
        Part("drums", "Drums", 0, style="rock", density=0.4, loud=-10)), density=0.3, lock=True),
    "Harpsichord": Preset("Four voices led by the rules, over hidden chords.", "D minor", 92, "3/4", tuple(
        Part(part.role, part.name, 6, part.low, part.high, part.style, part.density) for part in SATB), VOICES, "beat", 0.55),
}  # fmt: skip

ENSEMBLES: dict[str, tuple[int, ...]] = {
    "Choir": (52, 53, 52, 53), "Church organ": (19,), "Piano": (0,), "Strings": (40, 41, 42, 43), "String ensemble": (48,), "Woodwinds": (73, 68, 71, 70), "Brass": (56, 60, 57, 58), "Recorders": (74,),
    "Guitars": (24, 25, 27, 33), "Music box": (10,), "Mallets": (11, 12, 13, 12), "8-bit": (80, 81, 80, 38), "Synthesisers": (81, 90, 89, 39), "Harp": (46,), "Koto and flute": (107, 77, 107, 107),
        "Jazz": (66, 0, 26, 32),
}  # fmt: skip


def parts_of(name: str, count: int) -> tuple[Part, ...]:
    """The first parts of a preset, or all with more behind them; 0 is all."""
    own = PRESETS[name].parts
    if not count or count == len(own):
        return own
    if PRESETS[name].model != BAND and count < len(own):
        return own[: count - 1] + own[-1:] if count > 1 else own[:1]
    return (*own, *(part for part in MORE))[:count]
