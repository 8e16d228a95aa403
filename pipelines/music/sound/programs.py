"""What General MIDI's programs and drum kit are called here. Source: General MIDI System Level 1 (MIDI Manufacturers Association, 1991)."""

from __future__ import annotations

PROGRAM_NAMES: tuple[str, ...] = (
    "Grand piano", "Bright piano", "Electric grand", "Honky-tonk piano", "Electric piano", "FM piano", "Harpsichord", "Clavinet",
    "Celesta", "Glockenspiel", "Music box", "Vibraphone", "Marimba", "Xylophone", "Tubular bells", "Dulcimer",
    "Drawbar organ", "Percussive organ", "Rock organ", "Church organ", "Reed organ", "Accordion", "Harmonica", "Bandoneon",
    "Nylon guitar", "Steel guitar", "Jazz guitar", "Clean guitar", "Muted guitar", "Overdriven guitar", "Distorted guitar", "Guitar harmonics",
    "Double bass", "Fingered bass", "Picked bass", "Fretless bass", "Slap bass 1", "Slap bass 2", "Synth bass 1", "Synth bass 2",
    "Violin", "Viola", "Cello", "Contrabass", "Tremolo strings", "Pizzicato strings", "Harp", "Timpani",
    "String ensemble", "Slow strings", "Synth strings 1", "Synth strings 2", "Choir aahs", "Choir oohs", "Synth voice", "Orchestra hit",
    "Trumpet", "Trombone", "Tuba", "Muted trumpet", "French horn", "Brass section", "Synth brass 1", "Synth brass 2",
    "Soprano saxophone", "Alto saxophone", "Tenor saxophone", "Baritone saxophone", "Oboe", "English horn", "Bassoon", "Clarinet",
    "Piccolo", "Flute", "Recorder", "Pan flute", "Blown bottle", "Shakuhachi", "Whistle", "Ocarina",
    "Square lead", "Saw lead", "Calliope lead", "Chiff lead", "Charang lead", "Voice lead", "Fifths lead", "Bass and lead",
    "New age pad", "Warm pad", "Polysynth pad", "Choir pad", "Bowed pad", "Metallic pad", "Halo pad", "Sweep pad",
    "Rain", "Soundtrack", "Crystal", "Atmosphere", "Brightness", "Goblins", "Echoes", "Sci-fi",
    "Sitar", "Banjo", "Shamisen", "Koto", "Kalimba", "Bagpipe", "Fiddle", "Shanai",
    "Tinkle bell", "Agogo", "Steel drums", "Woodblock", "Taiko drum", "Melodic tom", "Synth drum", "Reverse cymbal",
    "Fret noise", "Breath noise", "Seashore", "Bird", "Telephone", "Helicopter", "Applause", "Gunshot",
)  # fmt: skip
DRUM_KIT = 128  # the number that stands for it among the programs
DRUM_KIT_NAME = "Drum kit"


def name_of(program: int, drums: bool = False) -> str:
    return DRUM_KIT_NAME if drums or program == DRUM_KIT else PROGRAM_NAMES[program]
