"""Automata: cells on a grid that all change at once, by B/S rules, by elementary rules of one dimension, or by conditions.

Sources: M. Gardner, Sci. Am. 223 (1970) 120–123 (Life); S. Wolfram, Rev. Mod. Phys. 55 (1983) 601–644 (elementary rules and their numbers).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.drawing import GROUND, KINDS, kinds
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.expressions import Tree
from pipelines.simulation.own.program import Program
from pipelines.simulation.own.sheet import Quantity
from pipelines.simulation.own.tokens import Token, unknown
from studio.api import BadInput, Diverged, Numbers, Picture, Simulation

Cells = NDArray[np.uint8]
EIGHT = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
FOUR = ((-1, 0), (0, -1), (0, 1), (1, 0))


@dataclass
class Grid:
    """The cells (rows, columns) and how many steps they have made; `past` are earlier rows of one dimension."""

    cells: Cells
    steps: int = 0
    past: list[Cells] = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """Cells of one state become another where the condition holds; `source` is None for those of any state."""

    source: int | None
    target: int
    condition: Tree
    token: Token


@dataclass
class Rules:
    """What the lines of an automaton say besides parameters."""

    names: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    starts: dict[int, Quantity] = field(default_factory=dict)
    around: tuple[tuple[int, int], ...] = EIGHT
    born: frozenset[int] | None = None
    stay: frozenset[int] = frozenset()
    number: int | None = None
    at: Token = Token("end", "", 1, 1, 1)

    def state(self, token: Token) -> int:
        """Raises Misread."""
        if token.text not in self.names:
            raise unknown(token, self.names, "state", "" if self.names else "Name the states first: states: dead, alive")
        return self.names.index(token.text)


def shifted(cells: Any, down: int, right: int, border: str) -> Any:
    """What stands at (row + down, column + right) of each cell; beyond a border that is not periodic, the cells at the border go on."""
    if border == "periodic":
        return np.roll(cells, (-down, -right), axis=(0, 1))
    padded = np.pad(cells, 1, mode="edge" if border == "closed" else "constant")
    rows, columns = cells.shape
    return padded[1 + down : 1 + down + rows, 1 + right : 1 + right + columns]


def counted(mask: NDArray[Any], around: tuple[tuple[int, int], ...], border: str) -> NDArray[np.uint8]:
    """How many neighbours of each cell are in the mask."""
    mask = mask.astype(np.uint8)
    total = np.zeros_like(mask)
    for down, right in around:
        total += shifted(mask, down, right, border)
    return total


class OwnAutomaton(Simulation):
    """Base of the three: cells, their colours, and how many there are of each state."""

    id: ClassVar[str] = "own"
    domain: ClassVar[str] = "Your own"
    pokes: ClassVar[bool] = True
    dt: ClassVar[float]
    names: ClassVar[tuple[str, ...]]
    shares: ClassVar[tuple[str, ...]]  # for each state but the first, the field of its share at the start; "" for none
    declaration: ClassVar[Declaration]

    def time_step(self, params: Any) -> float:
        return self.dt

    def init(self, params: Any, rng: np.random.Generator) -> Grid:
        size = self.declaration.size
        drawn_at, low = rng.random((size, size)), 0.0
        cells = np.zeros((size, size), dtype=np.uint8)
        for number, name in enumerate(self.shares, 1):
            share = float(getattr(params, name)) if name else 0.0
            cells[(drawn_at >= low) & (drawn_at < low + share)] = number
            low += share
        return Grid(cells)

    def check(self, params: Any) -> None:
        names = [name for name in self.shares if name]
        if sum(float(getattr(params, name)) for name in names) > 1 + 1e-9:
            raise BadInput("The shares at the start are more than 1 together.", hint="Make one of them smaller.", field=names[-1])

    def step(self, state: Grid, params: Any, rng: np.random.Generator) -> Grid:
        return Grid(self.next(state, params, rng), state.steps + 1, state.past)

    def next(self, state: Grid, params: Any, rng: np.random.Generator) -> Cells:
        raise NotImplementedError

    def observe(self, state: Grid, params: Any) -> dict[str, float]:
        counts = np.bincount(state.cells.ravel(), minlength=len(self.names)) / state.cells.size
        return {name: float(counts[number]) for number, name in enumerate(self.names)}

    def render(self, state: Grid, params: Any) -> Picture:
        return kinds(state.cells, (GROUND, *KINDS)[: len(self.names)])

    def poke(self, state: Grid, params: Any, x: float, y: float, rng: np.random.Generator) -> Grid:
        """The cell gets the next state."""
        rows, columns = state.cells.shape
        at = min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)
        cells = state.cells.copy()
        cells[at] = (cells[at] + 1) % len(self.names)
        return Grid(cells, state.steps, state.past)

    def pack(self, state: Grid) -> Numbers:
        raise BadInput("States of cells are no numbers that have a mean: a filter can't correct them.", hint="Learn its parameters by simulation (ABC) instead.", field="model")


class LifeLike(OwnAutomaton):
    """B/S: born and stays alive with so many neighbours."""

    rules: ClassVar[Rules]

    def next(self, state: Grid, params: Any, rng: np.random.Generator) -> Cells:
        table = np.zeros((2, 9), dtype=np.uint8)
        table[0, sorted(self.rules.born or ())] = 1
        table[1, sorted(self.rules.stay)] = 1
        return table[state.cells, counted(state.cells, self.rules.around, self.declaration.border)]


class Elementary(OwnAutomaton):
    """One row; each cell from itself and its two neighbours. The picture shows the rows one below the other."""

    rules: ClassVar[Rules]

    def init(self, params: Any, rng: np.random.Generator) -> Grid:
        share = float(getattr(params, self.shares[0])) if self.shares[0] else 0.0
        cells = (rng.random((1, self.declaration.size)) < share).astype(np.uint8)
        if not self.shares[0]:
            cells[0, -1 if self.declaration.border != "periodic" else self.declaration.size // 2] = 1
        return Grid(cells, 0, [cells[0]])

    def next(self, state: Grid, params: Any, rng: np.random.Generator) -> Cells:
        assert self.rules.number is not None
        row, border = state.cells, self.declaration.border
        left, right = shifted(row, 0, -1, border), shifted(row, 0, 1, border)
        table = np.array([self.rules.number >> bit & 1 for bit in range(8)], dtype=np.uint8)
        cells = table[4 * left + 2 * row + right]
        state.past.append(cells[0])
        del state.past[: -self.declaration.size]
        return cells

    def render(self, state: Grid, params: Any) -> Picture:
        rows = np.zeros((self.declaration.size, self.declaration.size), dtype=np.uint8)
        rows[: len(state.past)] = state.past
        return kinds(rows, (GROUND, KINDS[5]))

    def poke(self, state: Grid, params: Any, x: float, y: float, rng: np.random.Generator) -> Grid:
        """Turns a cell of the newest row."""
        state = super().poke(state, params, x, 0.0, rng)
        return Grid(state.cells, state.steps, [*state.past[:-1], state.cells[0]])


class Conditions(OwnAutomaton):
    """Each cell takes the first change whose condition holds for it; all look at the same moment."""

    rules: ClassVar[Rules]
    program: ClassVar[Program]
    draws: ClassVar[dict[str, str]]
    counts: ClassVar[dict[str, tuple[str, int]]]  # inputs that are fields: (what, of which state)

    def values(self, state: Grid, params: Any, rng: np.random.Generator) -> dict[str, Any]:
        """Inputs of the program: numbers, and fields of the grid's shape."""
        cells, border = state.cells, self.declaration.border
        found: dict[str, Any] = params.__dict__ | {"t": state.steps * self.dt}
        for name, (what, kind) in self.counts.items():
            mask = cells == kind
            found[name] = mask.mean() if what == "fraction" else counted(mask, self.rules.around, border) / (len(self.rules.around) if what == "neighbours" else 1)
        for name, kind_of_chance in self.draws.items():
            found[name] = rng.standard_normal(cells.shape) if kind_of_chance == "noise" else rng.random(cells.shape)
        return found

    def next(self, state: Grid, params: Any, rng: np.random.Generator) -> Cells:
        values = self.values(state, params, rng)
        cells, free = state.cells.copy(), np.ones(state.cells.shape, dtype=bool)
        for number, (change, holds) in enumerate(zip(self.rules.changes, self.program.fields(values), strict=True)):
            if not np.isfinite(holds).all():
                self._refuse(values, number, state)
            chosen = free & (holds != 0) & (True if change.source is None else state.cells == change.source)
            cells[chosen] = change.target
            free &= ~chosen
        return cells

    def _refuse(self, values: Mapping[str, Any], number: int, state: Grid) -> None:
        found = self.program.culprit(values, number)
        line, reason = (found[0].token.line, found[1]) if found else (self.rules.changes[number].token.line, "its condition is no number")
        raise Diverged(f"The run broke off at time {state.steps * self.dt:g}, in line {line}: {reason}.", hint="Other values of the parameters often help.")
