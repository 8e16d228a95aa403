"""What every voice engine offers, and what it is given: a phrase of one language, of pieces that are read as they are written or as somebody said.

An engine module has one maker (see `Maker`); `voices.py` lists the makers. Nothing here imports a model, onnxruntime or torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

from studio.api import Catalog

if TYPE_CHECKING:
    import numpy as np

    from pipelines.music.speech.words import Word

Alphabet = Literal["", "ipa", "kana", "text"]
Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Piece:
    """A stretch of a phrase. `reading` says how it sounds: "ipa" for the sounds of English, "kana" for Japanese (katakana as it sounds, ' after the mora where the pitch falls), "text" for other words."""

    text: str
    reading: str = ""
    alphabet: Alphabet = ""

    @property
    def spoken(self) -> str:
        """The words for an engine that knows no sounds."""
        return self.reading.replace("'", "") if self.alphabet in ("kana", "text") and self.reading else self.text


@dataclass(frozen=True)
class Phrase:
    """What is said in one breath: pieces in order, their spaces inside. `language` is "en", "ja" …, or "" where nobody knows."""

    pieces: tuple[Piece, ...]
    language: str

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    @property
    def spoken(self) -> str:
        return "".join(piece.spoken for piece in self.pieces)


@dataclass(frozen=True)
class Voice:
    """One voice that can be chosen. `missing` is a sentence where it can't speak yet; `level` are the decibels that bring it to the others' loudness; `credit` has to stand beside its sound."""

    id: str
    title: str
    engine: str
    languages: tuple[str, ...]
    licence: str = ""
    credit: str = ""
    missing: str = ""
    hint: str = ""
    gender: Literal["", "female", "male"] = ""
    level: float = 0.0
    starter: str = ""  # id of the starter model that has to be fetched first
    sounds: tuple[Alphabet, ...] = ()  # the readings in sounds that it understands; else it is given the words


class Engine(Protocol):
    """A loaded engine; one at a time asks it."""

    rate: int  # samples a second
    keeps_speed: bool  # it speaks faster and slower by itself, within 5 %
    keeps_pitch: bool  # it speaks higher and lower by itself

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        """float32, mono, around -1 … 1; empty where there is nothing to say. What it does not keep by itself is 1 or 0 here, and done afterwards. Raises Stopped through `check`."""


@runtime_checkable
class TimedEngine(Engine, Protocol):
    """One that knows when each word sounds."""

    def words(self) -> list[Word]:
        """Of what it said last, in seconds from the beginning of that sound; [] where it can't tell."""


class Maker(Protocol):
    """What makes an engine. Cheap to ask, from headers and file names only."""

    id: str
    speed: float  # seconds of speech it makes in a second of work on a usual core, before it was measured

    def voices(self, catalog: Catalog) -> list[Voice]:
        """All its voices, those that are missing too."""

    def key(self, voice: Voice) -> str:
        """Voices of one key share one loaded engine."""

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        """Of memory, loaded."""

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Report) -> Engine:
        """Raises ModelMissing, ModelBroken."""
