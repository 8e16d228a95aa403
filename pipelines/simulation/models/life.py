"""Life-like automata: cells that are born and survive by how many neighbours they have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipelines.simulation.drawing import enlarged
from studio.api import BadInput, Params, Picture, Preset, Series, Simulation, Source, ui

REACH = 32  # generations between two looks at where anything lives
RULE = re.compile(r"B([0-8]*)/S([0-8]*)", re.IGNORECASE)
# Rows from top to bottom, o alive
PATTERNS = {
    "Glider": (".o.", "..o", "ooo"),
    "R-pentomino": (".oo", "oo.", ".o."),
    "Acorn": (".o.....", "...o...", "oo..ooo"),
    "Diehard": ("......o.", "oo......", ".o...ooo"),
    "Pulsar": ("..ooo...ooo..", ".............", *3 * ("o....o.o....o",), "..ooo...ooo..", ".............", "..ooo...ooo..", *3 * ("o....o.o....o",), ".............", "..ooo...ooo.."),
    "Gosper's gun": (
        "........................o...........",
        "......................o.o...........",
        "............oo......oo............oo",
        "...........o...o....oo............oo",
        "oo........o.....o...oo..............",
        "oo........o...o.oo....o.o...........",
        "..........o.....o.......o...........",
        "...........o...o....................",
        "............oo......................",
    ),
    "Lightweight spaceship": ("o..o.", "....o", "o...o", ".oooo"),
    "Replicator": ("..ooo", ".o..o", "o...o", "o..o.", "ooo.."),
    "Nothing": (".",),
}


class LifeParams(Params):
    rule: str = Field("B3/S23", min_length=3, max_length=20, title="Rule", description="B, then with how many of eight neighbours a cell is born; S, with how many it survives.", json_schema_extra=ui(live=True))
    start: Literal["Soup", "Glider", "R-pentomino", "Acorn", "Diehard", "Pulsar", "Gosper's gun", "Lightweight spaceship", "Replicator", "Nothing"] = Field(
        "Soup", title="At the start", description="Cells at random, or a known pattern in the middle.", json_schema_extra=ui()
    )
    filled: float = Field(0.3, ge=0, le=1, title="Filled", description="Share of cells alive in a soup.", json_schema_extra=ui(step=0.01))
    size: int = Field(256, ge=16, le=4096, title="Size", description="Cells in each direction.", json_schema_extra=ui(unit="cells"))
    edge: Literal["Joined", "Dead"] = Field("Joined", title="Edges", description="What leaves comes back at the other edge, or nothing lives beyond.", json_schema_extra=ui(advanced=True))


@dataclass
class Board:
    """`cells` has a border of one cell around; `age` counts how long a cell has been alive, for the picture."""

    cells: NDArray[np.uint8]  # (size + 2, size + 2)
    age: NDArray[np.uint8]  # (size, size)
    sums: NDArray[np.uint8]
    rows: NDArray[np.uint8]
    time: int = 0


class Life(Simulation):
    """A dead cell with n of eight neighbours alive is born if n is in B, a living one survives if n is in S; all at once.

    Source: M. Gardner, The fantastic combinations of John Conway's new solitaire game “life”, Sci. Am. 223 (October 1970) 120–123.
    """

    id: ClassVar[str] = "life"
    title: ClassVar[str] = "Life and its cousins"
    domain: ClassVar[str] = "Game worlds"
    about: ClassVar[str] = (
        "A cell is born with three neighbours and lives on with two or three; from that come gliders, guns and computers. Other numbers give mazes, crystals or explosions: type them as B…/S…. "
        "Click to turn cells on and off."
    )
    Params: ClassVar[type[Params]] = LifeParams
    series: ClassVar[tuple[Series, ...]] = (Series("alive", "Living cells", "cells"), Series("share", "Share alive", "%"))
    presets: ClassVar[tuple[Preset, ...]] = (
        Preset("Soup", {}, "Chance, and what becomes of it."),
        Preset("Glider", {"start": "Glider", "size": 32}, "One cell down and right in four generations."),
        Preset("R-pentomino", {"start": "R-pentomino", "size": 512}, "Five cells that take 1,103 generations to settle."),
        Preset("Glider gun", {"start": "Gosper's gun", "size": 96, "edge": "Dead"}, "A new glider every 30 generations."),
        Preset("HighLife", {"rule": "B36/S23", "start": "Replicator", "size": 512}, "A pattern that copies itself."),
        Preset("Day and night", {"rule": "B3678/S34678", "filled": 0.5}, "Dead and alive are alike."),
        Preset("Maze", {"rule": "B3/S12345", "filled": 0.03}, "Corridors that fill the plain."),
        Preset("Seeds", {"rule": "B2/S", "filled": 0.006}, "All die at once, and explode."),
        Preset("Coral", {"rule": "B3/S45678", "filled": 0.25}, "Slow growth, never back."),
    )
    sources: ClassVar[tuple[Source, ...]] = (
        Source("M. Gardner, The fantastic combinations of John Conway's new solitaire game “life”, Sci. Am. 223 (October 1970) 120–123", "https://doi.org/10.1038/scientificamerican1070-120"),
        Source("N. Johnston, D. Greene, Conway's Game of Life: Mathematics and Construction (2022)", "https://conwaylife.com/book/"),
    )
    duration: ClassVar[float] = 1200.0
    time_unit: ClassVar[str] = "generations"
    pace: ClassVar[float] = 60.0
    stochastic: ClassVar[bool] = True
    pokes: ClassVar[bool] = True

    def check(self, params: LifeParams) -> None:
        table(params.rule)
        if params.start in PATTERNS and max(len(PATTERNS[params.start]), len(PATTERNS[params.start][0])) > params.size:
            raise BadInput("The pattern is wider than the board.", hint="Take a larger size.", field="size")

    def init(self, params: LifeParams, rng: np.random.Generator) -> Board:
        size = params.size
        cells = np.zeros((size + 2, size + 2), dtype=np.uint8)
        if params.start == "Soup":
            cells[1:-1, 1:-1] = rng.random((size, size)) < params.filled
        else:
            pattern = np.array([[cell == "o" for cell in row] for row in PATTERNS[params.start]], dtype=np.uint8)
            top, left = 1 + (size - pattern.shape[0]) // 2, 1 + (size - pattern.shape[1]) // 2
            cells[top : top + pattern.shape[0], left : left + pattern.shape[1]] = pattern
        return Board(cells, cells[1:-1, 1:-1].copy(), np.empty((size, size), dtype=np.uint8), np.empty((size, size + 2), dtype=np.uint8))

    def step(self, state: Board, params: LifeParams, rng: np.random.Generator) -> Board:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Board, params: LifeParams, rng: np.random.Generator, steps: int) -> Board:
        rule = table(params.rule)
        living, scratch = np.flatnonzero(rule).astype(np.uint8), (np.empty_like(state.sums), np.empty_like(state.sums))
        for done in range(0, steps, REACH):
            boxes = inhabited(state.cells, everywhere=bool(rule[0]), joined=params.edge == "Joined")
            for _ in range(min(REACH, steps - done)):
                border(state.cells, joined=params.edge == "Joined")
                for down, across in boxes:
                    renew(state, living, scratch, down, across)
        state.time += steps
        return state

    def observe(self, state: Board, params: LifeParams) -> dict[str, float]:
        alive = int(np.count_nonzero(state.cells[1:-1, 1:-1]))
        return {"alive": alive, "share": 100 * alive / params.size**2}

    def poke(self, state: Board, params: LifeParams, x: float, y: float, rng: np.random.Generator) -> Board:
        """The cell there is turned on or off; on a large board those beside it with it, so that it can be seen."""
        reach, row, column = params.size // 128, int(y * params.size), int(x * params.size)
        near = np.s_[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1]
        state.cells[1:-1, 1:-1][near] ^= 1
        state.age[near] *= state.cells[1:-1, 1:-1][near]  # where nothing lives any more nothing looks
        return state

    def render(self, state: Board, params: LifeParams) -> Picture:
        """Young cells bright, old ones calm; a large board is shown at half its size, or less."""
        every = max(1, -(-params.size // 1024))
        alive, age = state.cells[1:-1, 1:-1], state.age
        if every > 1:
            cut = params.size // every * every
            alive, age = (part[:cut, :cut].reshape(cut // every, every, -1, every).max(axis=(1, 3)) for part in (alive, age))
        shades = np.array([(22, 24, 30), (250, 214, 120), (150, 205, 150), (90, 160, 190)], dtype=np.uint8)
        return enlarged(shades[np.where(alive > 0, 1 + (age > 2).astype(np.uint8) + (age > 20), 0)], 400)


def table(rule: str) -> NDArray[np.uint8]:
    """(19,): what becomes of a cell, at index 9 · alive + how many are alive in its square of nine. Raises BadInput."""
    found = RULE.fullmatch(rule.strip())
    if found is None:
        raise BadInput(f"“{rule}” is no rule.", hint="Write it as B3/S23: the digits 0 to 8 after B for births, after S for survival.", field="rule")
    becomes = np.zeros(19, dtype=np.uint8)
    becomes[[int(count) for count in found[1]]] = 1
    becomes[[9 + 1 + int(count) for count in found[2]]] = 1
    return becomes


def inhabited(cells: NDArray[np.uint8], *, everywhere: bool, joined: bool) -> list[tuple[slice, slice]]:
    """Rows and columns of a board (with its border of one cell) outside of which nothing lives for REACH generations: life moves by one cell in each.

    The boxes lie one below another with a dead row between. All of the board where cells are born from nothing, or may reach the other edge.
    """
    size = len(cells) - 2
    rows = np.flatnonzero(cells[1:-1, 1:-1].any(axis=1))
    whole = [(slice(0, size), slice(0, size))]
    if everywhere:
        return whole
    boxes = []
    for run in np.split(rows, np.flatnonzero(np.diff(rows) > 2 * REACH + 1) + 1) if len(rows) else []:
        columns = np.flatnonzero(cells[1 + run[0] : 2 + run[-1], 1:-1].any(axis=0))
        top, bottom, left, right = int(run[0]) - REACH, int(run[-1]) + 1 + REACH, int(columns[0]) - REACH, int(columns[-1]) + 1 + REACH
        if joined and (min(top, left) < 0 or max(bottom, right) > size):
            return whole
        boxes.append((slice(max(top, 0), min(bottom, size)), slice(max(left, 0), min(right, size))))
    return boxes


def renew(state: Board, living: NDArray[np.uint8], scratch: tuple[NDArray[np.uint8], NDArray[np.uint8]], down: slice, across: slice) -> None:
    """A generation of that part of the board, in place."""
    wide = slice(across.start, across.stop + 2)
    cells, rows, sums, age = state.cells[down.start : down.stop + 2, wide], state.rows[down, wide], state.sums[down, across], state.age[down, across]
    middle, (becomes, hit) = cells[1:-1, 1:-1], (part[down, across] for part in scratch)
    np.add(cells[:-2], cells[1:-1], out=rows)
    np.add(rows, cells[2:], out=rows)
    np.add(rows[:, :-2], rows[:, 1:-1], out=sums)
    np.add(sums, rows[:, 2:], out=sums)
    np.multiply(middle, 9, out=rows[:, 1:-1])
    np.add(sums, rows[:, 1:-1], out=sums)
    becomes[...] = 0
    for value in living:  # by comparing, which is quicker than looking each sum up
        np.equal(sums, value, out=hit)
        np.bitwise_or(becomes, hit, out=becomes)
    middle[...] = becomes
    np.minimum(age, 254, out=age)
    np.add(age, 1, out=age)
    np.multiply(age, middle, out=age)


def border(cells: NDArray[np.uint8], *, joined: bool) -> None:
    if joined:
        cells[0], cells[-1] = cells[-2], cells[1]
        cells[:, 0], cells[:, -1] = cells[:, -2], cells[:, 1]
    else:
        cells[0] = cells[-1] = 0
        cells[:, 0] = cells[:, -1] = 0
