"""Sound of pieces: instruments, SoundFonts, mixer, and sound files."""

from __future__ import annotations

from pipelines.music.sound.files import RATE, decode, encode
from pipelines.music.sound.mixer import Mix
from pipelines.music.sound.playing import render

__all__ = ["RATE", "Mix", "decode", "encode", "render"]
