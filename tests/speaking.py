"""Speech in tests: a context that remembers, a catalogue with or without the better Japanese voices, a voice that makes tones, and ways to measure what was said."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipelines.music.speech.cast import settled
from pipelines.music.speech.engine import Engine, Phrase, Voice
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.speech import Speech
from studio.api import Artifact, Catalog, Result, Stopped
from tests.text_fakes import FakeModels

MODELS = FakeModels()  # engines loaded once in a test run


@dataclass
class Context:
    """`stop_at` presses Stop at that step."""

    catalog: Catalog
    stop_at: int = -1
    seed: int = 1
    models: FakeModels = field(default_factory=lambda: MODELS)
    stopping: Any = "none"
    stop_mode: str = "cancel"
    threads: int = 1
    device: str = "cpu"
    job_id: str = "job"
    kept: list[Path] = field(default_factory=list)
    steps: list[tuple[int, int, str, float]] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)

    def check(self) -> None:
        if self.stopping == "cancel":
            raise Stopped

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        if step == self.stop_at:
            self.stopping = self.stop_mode
        self.check()
        self.steps.append((step, total, note, share))

    def output(self, artifact: Artifact) -> None:
        self.artifacts.append(artifact)


def catalog(folder: Path | None = None) -> Catalog:
    return Catalog([folder] if folder else [])


def speak(text: str, context: Context | None = None, **values: Any) -> tuple[Result, np.ndarray, int]:
    """Settled and spoken: the result, its sound and its rate."""
    context = context or Context(catalog())
    params = settled(SpeechParams.parse({"text": text, "seed": 1, **values}), context.catalog)
    result = Speech().run(params, context)  # type: ignore[arg-type]
    samples, rate = soundfile.read(io.BytesIO(result.artifacts[0].data), dtype="float32")
    return result, samples, rate


class Tones:
    """An engine whose speech is a tone of 200 Hz, 0.1 s a letter, with silence around it as real ones have."""

    rate, keeps_speed, keeps_pitch = 16000, False, False

    def __init__(self, seconds: float = 0.1) -> None:
        self.seconds, self.phrases = seconds, list[Phrase]()

    def say(self, phrase: Phrase, voice: Voice, *, speed: float, semitones: float, seed: int, check: Callable[[], None]) -> np.ndarray:
        self.phrases.append(phrase)
        check()
        time = np.arange(round(self.rate * self.seconds * len(phrase.spoken.strip()))) / self.rate
        tone = 0.3 * sum(np.sin(2 * np.pi * 200 * number * time) / number for number in range(1, 8))
        return np.concatenate([np.zeros(3000), tone, np.zeros(5000)]).astype(np.float32)


class TonesMaker:
    id, speed = "tones", 1.0

    def __init__(self, engine: Engine | None = None) -> None:
        self.engine = engine or Tones()

    def voices(self, catalog: Catalog) -> list[Voice]:
        return [Voice("tone", "Tone", self.id, ("en", "ja"), licence="CC0"), Voice("second", "Second", self.id, ("en", "ja"), sounds=("ipa", "kana"))]

    def key(self, voice: Voice) -> str:
        return f"tones {id(self.engine)}"

    def bytes(self, voice: Voice, catalog: Catalog) -> int:
        return 1000

    def load(self, voice: Voice, catalog: Catalog, threads: int, device: str, report: Any) -> Engine:
        return self.engine


def silences(samples: np.ndarray, rate: int, shortest: float = 0.03) -> Iterator[tuple[float, float]]:
    """(begin, end) in seconds of what is 40 dB below the loudest 10 ms, measured at every sample."""
    width = rate // 100
    total = np.cumsum(np.concatenate([np.zeros(width // 2 + 1), samples.astype(np.float64) ** 2, np.zeros(width - width // 2 - 1)]))
    power = (total[width:] - total[:-width]) / width  # of the 10 ms around each sample
    quiet = np.concatenate([[False], power < power.max() * 1e-4, [False]])
    for begin, end in np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2):
        if (end - begin) / rate >= shortest:
            yield begin / rate, end / rate
