"""What music.learn asks of its run, and five pieces of one kind to learn from."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines.music import midi
from pipelines.music.models.tunes import Tune, tunes
from pipelines.music.params import ComposeParams
from pipelines.music.plan import plan_of
from pipelines.music.score import STEP, Note, Piece, Voice
from pipelines.music.writing import compose
from studio.api import Stopped

SEED, COUNT = 3, 5


class Context:
    """A run without a studio: it keeps what was made and measured, and stops after `stop_after` steps of learning, or so many of finding out how long to learn."""

    def __init__(self, files: dict[str, Path], stop_after: int = 10**9, stop_before: int = 10**9, model: Any = None) -> None:
        self.files, self.stop_after, self.stop_before, self.chosen, self.seed, self.threads = files, stop_after, stop_before, model, SEED, 1
        self.kept: list[Any] = []
        self.calls, self.tried, self.measured = 0, 0, dict[str, Any]()

    @property
    def stopping(self) -> str:
        return "cancel" if self.calls >= self.stop_after or self.tried >= self.stop_before else "none"

    def input(self, key: str) -> Path:
        return self.files[key]

    def model(self, key: str) -> Any:
        return self.chosen or SimpleNamespace(path="")

    def loading(self, note: str, fraction: float = -1.0) -> None: ...

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        self.calls += note == "Learning"
        self.tried += note != "Learning"
        if self.stopping != "none":
            raise Stopped

    def stats(self, **values: Any) -> None:
        self.measured = values

    def output(self, artifact: Any) -> None:
        self.kept.append(artifact)


def folk(folder: Path, metre: tuple[int, int] = (4, 4), first: int = 0) -> dict[str, Path]:
    """Five old tunes of a metre, the melody alone, as MIDI files by their names."""
    return _written(folder, f"folk{metre[0]}-{metre[1]}-{first}-", [_piece(tune) for tune in tunes() if tune.metre == metre][first : first + COUNT])


def waltzes(folder: Path) -> dict[str, Path]:
    """Five waltzes of the studio's own band."""
    plan = plan_of(ComposeParams(preset="Waltz", sound="No sound"), None)
    return _written(folder, "waltz", [compose(plan, seed) for seed in range(COUNT)])


def _piece(tune: Tune) -> Piece:
    notes = tuple(Note(start * STEP, pitch, length * STEP) for start, length, pitch in tune.notes)
    return Piece((Voice(tune.title, notes),), max(note.start + note.length for note in notes), metres=((0, *tune.metre),))


def _written(folder: Path, stem: str, pieces: list[Piece]) -> dict[str, Path]:
    found = {}
    for number, piece in enumerate(pieces, 1):
        path = folder / f"{stem}{number}.mid"
        path.write_bytes(midi.write(piece))
        found[path.name] = path
    return found
