"""The quick Japanese voice: Open JTalk's statistical synthesis with the voice Mei, at 48 kHz. Pitch is its own.

Source: HTS voice "Mei", Copyright 2009–2013 Nagoya Institute of Technology, Department of Computer Science, CC-BY 3.0: wherever its sound goes, its name goes with it (`CREDIT`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.music.speech.engine import Phrase, Report, Voice
from pipelines.music.speech.frontend import nodes_of
from pipelines.music.speech.htsvoice import lengths_of
from pipelines.music.speech.packages import installed
from pipelines.music.speech.words import Spoken, Word, found_in
from studio.api import Catalog

if TYPE_CHECKING:
    import numpy as np

CREDIT = "HTS Voice “Mei” (Nagoya Institute of Technology, CC-BY 3.0)"
MEMORY = 130_000_000  # the dictionary, read as far as it is used
FULL_SCALE = 32768.0


class OpenJTalk:
    """Its maker."""

    id = "openjtalk"
    speed = 12.0

    def voices(self, catalog: Catalog) -> list[Voice]:
        missing = "" if installed("pyopenjtalk") else "The Japanese voice is not installed yet."
        return [Voice("mei", "Mei", self.id, ("ja",), licence="CC-BY-3.0", credit=CREDIT, gender="female", level=-2.5, missing=missing, hint="It arrives with the engines.", sounds=("kana",))]

    def key(self, voice: Voice) -> str:
        return "speech/openjtalk"

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        return MEMORY

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Report) -> OpenJTalkEngine:
        import pyopenjtalk

        pyopenjtalk.run_frontend("あ", use_sudachi_kanji_yomi=False)  # the dictionary is read now
        return OpenJTalkEngine()


class OpenJTalkEngine:
    """Speed is made afterwards: its own stretches rests four times as far as speech, and hardly the short sounds."""

    rate = 48000
    keeps_speed = False
    keeps_pitch = True

    def __init__(self) -> None:
        import pyopenjtalk

        self._lengths = lengths_of(Path(pyopenjtalk.DEFAULT_HTS_VOICE.decode()))
        self._words: list[Word] = []

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        import numpy as np
        import pyopenjtalk

        check()
        nodes = nodes_of(phrase)
        labels = pyopenjtalk.make_label(nodes)
        self._words = found_in(phrase.text, spoken(nodes, labels, [self._lengths.seconds(label) for label in labels]))
        if len(labels) < 3:  # silence only
            return np.zeros(0, np.float32)
        wave, rate = pyopenjtalk.synthesize(labels, 1.0, semitones)
        assert rate == self.rate
        return (np.asarray(wave) / FULL_SCALE).astype(np.float32)

    def words(self) -> list[Word]:
        return self._words


def spoken(nodes: list[Any], labels: list[str], seconds: list[float]) -> list[Spoken]:
    """Words with their times: the labels are the sounds of their morae in order. A label tells its mora behind its sounds; pauses stand between words."""
    morae: list[list[float]] = []
    now, before = 0.0, ""
    for label, length in zip(labels, seconds, strict=True):
        sound, mora = label.split("-", 1)[1].split("+", 1)[0], label.split("/A:", 1)[1]
        if sound in ("sil", "pau"):
            mora = ""
        elif mora == before:
            morae[-1][1] = now + length
        else:
            morae.append([now, now + length])
        now, before = now + length, mora
    words, at = list[Spoken](), 0
    for node in nodes:
        part = morae[at : at + int(node["mora_size"])]
        at += len(part)
        if part:
            words.append((node["string"], part[0][0], part[-1][1]))
    return words if at == len(morae) else []
