"""Small pieces, and a queue with the music pipelines over an inline worker, for tests of sound."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pipelines.music.score import TICKS, Note, Piece, Voice
from studio.api import Artifact
from studio.catalog import Catalog
from studio.executor import InlineExecutor
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.settings import Settings
from studio.simulation import Simulations
from studio.store import Store
from tests.house import worker_config

CHORDS = ((60, 64, 67), (57, 60, 64), (65, 69, 72), (67, 71, 74))


def chorale(bars: int = 2, programs: tuple[int, ...] = (0, 0, 0, 0), *, drums: bool = False, tempo: float = 120.0) -> Piece:
    """Four voices in quarters over four chords, the bass an octave lower."""
    rng, voices = np.random.default_rng(1), []
    for number, program in enumerate(programs):
        down = (-12, 0, 12, 24)[number % 4]
        notes = tuple(Note((bar * 4 + beat) * TICKS, CHORDS[bar % 4][(number + beat) % 3] - down, TICKS - 20, int(rng.integers(60, 110))) for bar in range(bars) for beat in range(4))
        voices.append(Voice(f"Voice {number + 1}", notes, program))
    if drums:
        voices.append(Voice("Drums", tuple(Note(beat * TICKS // 2, (36, 42, 38, 42)[beat % 4], TICKS // 4, 100) for beat in range(bars * 8)), drums=True))
    return Piece(tuple(voices), bars * 4 * TICKS, ((0, tempo),), title="Chorale")


def music_queue(data: Path, models: Path | None = None) -> JobQueue:
    """Both lanes over one worker."""
    hooks = Hooks()
    hooks.load_builtin("pipelines.music")
    settings = Settings(data_dir=str(data))
    config = worker_config(data) | {"builtins": ["pipelines.music"], "roots": [str(models)] if models else [], "budget": 2**34}
    executor = InlineExecutor(config)
    catalog = Catalog([models] if models else [], extra=lambda: hooks.collect("register_models", settings=settings))
    pipelines = {item.id: item for item in hooks.collect("register_pipelines", simulations=Simulations(hooks.collect("register_simulations")))}
    return JobQueue(
        pipelines=pipelines, executors={"device": executor, "cpu": executor}, store=Store(data), hooks=hooks, catalog=catalog, settings=settings, spool=data / "spool", budget=lambda settings: 2**34,
    )  # fmt: skip


def heard(artifact: Artifact | bytes | Path) -> tuple[Any, int]:
    """Samples (channels, frames) and rate."""
    if isinstance(artifact, Path):
        artifact = artifact.read_bytes()
    data, rate = soundfile.read(io.BytesIO(artifact.data if isinstance(artifact, Artifact) else artifact), dtype="float64", always_2d=True)
    return data.T, rate
