"""The composer's network by numpy alone: the same numbers as `pipelines/music/nets/composer.py` gives, ready for use in milliseconds and without torch.

What does not change while a piece is drawn is computed once: products of tables with the matrices behind them, what the frame and the known notes say of every step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.music.composer.grid import BEFORE, LOW, NO_CLASS, PITCHES, SILENT, VOICES, Frame, states
from pipelines.music.composer.recall import Recall
from pipelines.music.composer.shape import LEAPS, ORDER, RESUME, Shape
from studio.api import ModelBroken

FORMAT = "seisei-composer-1"
CHORALES = Path(__file__).resolve().parent / "weights" / "chorales.safetensors"
Arrays = dict[str, Any]


def _squash(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


class Cell:
    """One LSTM's recurrent half; what comes in is already multiplied. Source: Hochreiter & Schmidhuber 1997 with forget gates (Gers et al. 2000), gates in torch's order."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = np.ascontiguousarray(matrix)
        self.width = matrix.shape[1]
        self.out = self.kept = np.zeros(self.width, np.float32)

    def step(self, given: Any) -> Any:
        gates = given + self.matrix @ self.out
        enter, forget, _, leave = _squash(gates).reshape(4, self.width)
        self.kept = forget * self.kept + enter * np.tanh(gates[2 * self.width : 3 * self.width])
        self.out = leave * np.tanh(self.kept)
        return self.out


@dataclass(frozen=True)
class Tables:
    """One notes' table times a matrix: a state's share is the sum of three rows."""

    rows: tuple[Any, Any, Any]

    @classmethod
    def of(cls, weights: Arrays, name: str, matrix: Any) -> Tables:
        return cls(tuple(weights[f"{name}.{part}.weight"] @ matrix.T for part in ("state", "classes", "begins")))  # type: ignore[arg-type]

    def at(self, given: Any) -> Any:
        """given: (3, …) as `grid.states` makes them."""
        return self.rows[0][given[0]] + self.rows[1][given[1]] + self.rows[2][given[2]]


class Head:
    """The numpy half of nets/composer.Head: `scores` for one step."""

    def __init__(self, weights: Arrays, shape: Shape, place: int) -> None:
        inner = weights[f"heads.{place}.inner.weight"]
        self.trunk = np.ascontiguousarray(inner[:, : shape.hidden])
        self.ahead = inner[:, shape.hidden : shape.hidden + shape.ahead]
        start = shape.hidden + shape.ahead
        self.others = [Tables.of(weights, "notes", inner[:, start + n * shape.note : start + (n + 1) * shape.note]) for n in range(place)]
        self.bias = weights[f"heads.{place}.inner.bias"]
        self.outer, self.outer_bias = weights[f"heads.{place}.outer.weight"], weights[f"heads.{place}.outer.bias"]

    def scores(self, trunk: Any, ahead: Any, last: int, tonic: int, others: list[Any]) -> Any:
        """66 scores. ahead: this step's row of `ahead`'s product; last: what the voice sounded, 0 … 65; others: states (3,) of the voices drawn."""
        inner = self.trunk @ trunk + ahead
        for table, other in zip(self.others, others, strict=True):
            inner = inner + table.at(other)
        made = self.outer @ np.maximum(inner, 0) + self.outer_bias
        pitch = np.arange(PITCHES)
        end = PITCHES + 2
        scores = made[:end].copy()
        scores[:PITCHES] += made[end : end + 12][(pitch + LOW - tonic) % 12]
        end += 12
        if last < SILENT:
            scores[:PITCHES] += made[end : end + 2 * LEAPS + 1][np.clip(pitch - last, -LEAPS, LEAPS) + LEAPS]
        end += 2 * LEAPS + 1
        for number, other in enumerate(others):
            if other[0] < SILENT:
                scores[:PITCHES] += made[end + 12 * number : end + 12 * (number + 1)][(pitch - other[0]) % 12]
        return scores


class Player:
    """Weights ready for use. Raises ModelBroken for a file that holds something else."""

    def __init__(self, weights: Arrays, facts: dict[str, str]) -> None:
        self.facts, self.shape = facts, Shape.from_json(facts["shape"])
        shape = self.shape
        self.weights = {name: np.asarray(value, np.float32) for name, value in weights.items() if not name.startswith(RESUME)}
        self.recall = Recall.of(self.weights)
        self.heads = [Head(self.weights, shape, place) for place in range(VOICES)]
        enter = self.weights["first.weight_ih_l0"]
        self.notes = [Tables.of(self.weights, "notes", enter[:, voice * shape.note : (voice + 1) * shape.note]) for voice in range(VOICES)]
        hints = self.weights["ahead.weight_ih_l0"]
        self.hints = [Tables.of(self.weights, "hints", hints[:, voice * shape.hint : (voice + 1) * shape.hint]) for voice in range(VOICES)]

    @property
    def voices(self) -> tuple[bool, ...]:
        """Which of the four voices the pieces had that it learnt from."""
        return tuple(mark == "1" for mark in self.facts.get("voices", "1111"))

    @property
    def rests(self) -> bool:
        """Whether those pieces had rests worth the name."""
        return self.facts.get("rests", "0") == "1"

    def bias(self, name: str) -> Any:
        return self.weights[f"{name}.bias_ih_l0"] + self.weights[f"{name}.bias_hh_l0"]


@lru_cache(maxsize=4)
def _load(path: Path, changed: int) -> Player:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "np") as file:
            facts = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in list(file.keys())}
        if facts.get("format") != FORMAT:
            raise ModelBroken(f"“{path.name}” is no learnt style.", hint="Choose a file that Learn my style made.")
        return Player(weights, facts)
    except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
        raise ModelBroken(f"“{path.name}” can't be read as a learnt style.", hint="Choose a file that Learn my style made.") from error


def load(path: Path | None = None) -> Player:
    """The player of a file; of the shipped chorales without one. Raises ModelBroken."""
    path = path or CHORALES
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise ModelBroken(f"“{path.name}” is not there any more.", hint="Choose another style.") from error
    return _load(path, changed)


class Reading:
    """One piece on its way through the network, step by step."""

    def __init__(self, player: Player, frame: Frame, pitch: Any, begins: Any, check: Callable[[], None] = lambda: None) -> None:
        """pitch, begins: (4, steps) of what is known beforehand, as `grid.sounding` gives them."""
        self.player, self.tonic = player, frame.tonic
        weights, shape = player.weights, player.shape
        framed = weights["frame.weight"][frame.features()].sum(0)
        known = states(pitch, begins, frame.tonic)
        enter = framed @ weights["ahead.weight_ih_l0"][:, VOICES * shape.hint :].T + player.bias("ahead")
        for voice, table in enumerate(player.hints):
            enter = enter + table.at(known[:, voice])
        ahead = self._backward(enter, check)
        inside = weights["first.weight_ih_l0"]
        middle = VOICES * shape.note
        self.enter = framed @ inside[:, middle : middle + shape.frame].T + ahead @ inside[:, middle + shape.frame :].T + player.bias("first")
        self.ahead = [ahead @ head.ahead.T + head.bias for head in player.heads]
        self.first, self.second = Cell(weights["first.weight_hh_l0"]), Cell(weights["second.weight_hh_l0"])
        self.between, self.between_bias = weights["second.weight_ih_l0"], player.bias("second")
        self.last = np.stack([np.full(VOICES, BEFORE), np.full(VOICES, NO_CLASS), np.zeros(VOICES, np.int64)])

    def _backward(self, enter: Any, check: Callable[[], None]) -> Any:
        cell = Cell(self.player.weights["ahead.weight_hh_l0"])
        made = np.empty((len(enter), cell.width), np.float32)
        for step in reversed(range(len(enter))):
            if step % 64 == 0:
                check()
            made[step] = cell.step(enter[step])
        return made

    def step(self, number: int, choose: Callable[[int, Any], Any]) -> None:
        """`choose(voice, scores)` is asked voice by voice in the network's order and gives the voice's state (3,)."""
        given = self.enter[number]
        for voice, table in enumerate(self.player.notes):
            given = given + table.at(self.last[:, voice])
        trunk = self.second.step(self.between @ self.first.step(given) + self.between_bias)
        drawn: list[Any] = []
        now = self.last.copy()
        for place, voice in enumerate(ORDER):
            head = self.player.heads[place]
            now[:, voice] = choose(voice, head.scores(trunk, self.ahead[place][number], int(self.last[0, voice]), self.tonic, drawn))
            drawn.append(now[:, voice])
        self.last = now
