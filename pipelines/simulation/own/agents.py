"""Agents: many alike, each in one state of a table, changing by rates or probabilities; all meet all, or each its neighbours on a grid.

Source: D. T. Gillespie, J. Chem. Phys. 115 (2001) 1716–1733, for rates held through a step (with the exact chance of leaving).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, create_model

from pipelines.simulation.drawing import GROUND, KINDS, kinds
from pipelines.simulation.own import machine
from pipelines.simulation.own.automata import Conditions, Grid, OwnAutomaton, Rules
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.expressions import CHANCE, CONSTANTS, Line, Tree, calls_in, names_in, node, rebuilt
from pipelines.simulation.own.program import Program, program_of
from pipelines.simulation.own.sheet import Named, Sheet, read_sheet
from pipelines.simulation.own.states import parts, program_for, read_state_line
from pipelines.simulation.own.tokens import FIELD, Token, refused
from pipelines.simulation.own.typed import made, on_step
from studio.api import BadInput, Diverged, Numbers, Picture, Series, Simulation, chance, steps_at, ui

MOST_AGENTS = 10_000_000
DOTS = 64  # agents on a side of the picture where all meet all
ALL = "agents"


@dataclass(frozen=True)
class Move:
    """From one state to another, by a rate or by a probability a step."""

    source: int
    target: int
    chance: Tree
    is_rate: bool
    token: Token


@dataclass
class Crowd:
    """How many are in each state (states,)."""

    counts: Numbers
    time: float = 0.0


class Mixed(Simulation):
    """All meet all: only how many are in each state matters."""

    id: ClassVar[str] = "own"
    domain: ClassVar[str] = "Your own"
    stochastic: ClassVar[bool] = True
    dt: ClassVar[float]
    declaration: ClassVar[Declaration]
    names: ClassVar[tuple[str, ...]]
    shares: ClassVar[tuple[str, ...]]
    moves: ClassVar[tuple[Move, ...]]
    program: ClassVar[Program]

    def time_step(self, params: Any) -> float:
        return self.dt

    check = OwnAutomaton.check  # type: ignore[assignment]  # the shares at the start go together

    def init(self, params: Any, rng: np.random.Generator) -> Crowd:
        counts = np.zeros(len(self.names))
        for number, name in enumerate(self.shares, 1):
            counts[number] = round(params.agents * getattr(params, name)) if name else 0
        counts[0] = max(0, params.agents - counts.sum())
        return Crowd(counts)

    def step(self, state: Crowd, params: Any, rng: np.random.Generator) -> Crowd:
        return self.advance(state, params, rng, 1)

    def advance(self, state: Crowd, params: Any, rng: np.random.Generator, steps: int) -> Crowd:
        a = self.program.code, self.program.ready(params.__dict__), self.program.outputs
        self._on(state, a, params, rng, steps)
        return state

    def _on(self, state: Crowd, a: Any, params: Any, rng: np.random.Generator, steps: int) -> None:
        table = np.array([[move.source, move.target, move.is_rate] for move in self.moves], dtype=np.int64)
        went = int(machine.react(state.time, state.counts, a, table, self.dt, steps, rng))
        state.time = on_step(state.time + (went if went >= 0 else -1 - went) * self.dt, self.dt)
        if went < steps:
            values = params.__dict__ | {"t": state.time} | {f"count({name})": state.counts[number] for number, name in enumerate(self.names)}
            raise refused_chance(self.moves, self.program, values, state.time)

    def observe(self, state: Crowd, params: Any) -> dict[str, float]:
        return {name: float(count) for name, count in zip(self.names, state.counts, strict=True)}

    def observed(self, sets: Sequence[Any], times: Numbers, seeds: Sequence[int]) -> Numbers:
        found = np.empty((len(sets), len(times), len(self.names)))
        for number, (params, seed) in enumerate(zip(sets, seeds, strict=True)):
            rng = chance(seed)
            state, done = self.init(params, rng), 0
            a = self.program.code, self.program.ready(params.__dict__), self.program.outputs
            for row, count in enumerate(steps_at(self, params, times).tolist()):
                self._on(state, a, params, rng, count - done)
                done, found[number, row] = count, state.counts
        return found

    def render(self, state: Crowd, params: Any) -> Picture:
        """A crowd in which each keeps its place: dots stand for shares."""
        ends = np.rint(np.cumsum(state.counts) / max(1.0, state.counts.sum()) * DOTS**2).astype(int)
        order = np.searchsorted(ends, np.arange(DOTS**2), side="right").astype(np.uint8)
        places = chance(0).permutation(DOTS**2)
        cells = np.empty(DOTS**2, dtype=np.uint8)
        cells[places] = np.minimum(order, len(self.names) - 1)
        return kinds(cells.reshape(DOTS, DOTS), KINDS[: len(self.names)])

    def pack(self, state: Crowd) -> Numbers:
        return state.counts.copy()

    def unpack(self, state: Crowd, vector: Numbers) -> Crowd:
        """Whole agents, as many as before."""
        counts = np.maximum(0.0, np.rint(vector))
        counts[int(np.argmax(counts))] += state.counts.sum() - counts.sum()
        return Crowd(np.maximum(0.0, counts), state.time)


class OnGrid(Conditions):
    """One agent a cell."""

    moves: ClassVar[tuple[Move, ...]]

    def next(self, state: Grid, params: Any, rng: np.random.Generator) -> NDArray[np.uint8]:
        values = self.values(state, params, rng)
        cells, shape = state.cells, state.cells.shape
        chances = np.zeros((len(self.moves), *shape))
        for number, (move, told) in enumerate(zip(self.moves, self.program.fields(values), strict=True)):
            here = np.broadcast_to(told, shape)
            if not np.isfinite(here).all() or (here < 0).any():
                raise refused_chance(self.moves, self.program, values, state.steps * self.dt)
            chances[number] = np.where(cells == move.source, here * self.dt if move.is_rate else here, 0.0)
        rates = np.array([move.is_rate for move in self.moves])
        leaving, staying = chances[rates].sum(axis=0), 1 - chances[~rates].sum(axis=0)
        if (staying < -machine.ROUNDED).any():
            raise refused_chance(self.moves, self.program, values, state.steps * self.dt)
        chances[rates] *= np.maximum(staying, 0.0) * np.divide(-np.expm1(-leaving), leaving, out=np.zeros(shape), where=leaving > 0)
        total = chances.sum(axis=0)
        leaves, way = rng.random(shape) < total, rng.random(shape) * total
        chosen = np.minimum((np.cumsum(chances, axis=0) <= way).sum(axis=0), len(self.moves) - 1)
        targets = np.array([move.target for move in self.moves], dtype=np.uint8)
        return np.where(leaves, targets[chosen], cells)

    def observe(self, state: Grid, params: Any) -> dict[str, float]:
        return {name: round(share * state.cells.size) for name, share in super().observe(state, params).items()}

    def render(self, state: Grid, params: Any) -> Picture:
        return kinds(state.cells, (GROUND, *KINDS)[: len(self.names)])


def refused_chance(moves: Sequence[Move], program: Program, values: dict[str, Any], time: float) -> Diverged:
    """Which rate or probability is none, and why."""
    together: dict[int, Any] = {}
    for number, (move, told) in enumerate(zip(moves, program.fields(values), strict=True)):
        if found := program.culprit(values, number):
            return Diverged(f"The run broke off at time {time:g}, in line {found[0].token.line}: {found[1]}.", hint="Other values of the parameters often help.")
        if np.min(told) < 0:
            return Diverged(f"The run broke off at time {time:g}, in line {move.token.line}: a chance is less than nothing.", hint="Other values of the parameters often help.")
        if not move.is_rate:
            if np.max(told) > 1:
                return Diverged(f"The run broke off at time {time:g}, in line {move.token.line}: a probability is more than 1.", hint="Write a rate, with “at”, or a smaller probability.")
            together[move.source] = together.get(move.source, 0.0) + told
            if np.max(together[move.source]) > 1 + machine.ROUNDED:
                return Diverged(f"The run broke off at time {time:g}, in line {move.token.line}: the probabilities of leaving a state are more than 1 together.", hint="Write a rate, with “at”, or a smaller probability.")
    return Diverged(f"The run broke off at time {time:g}.", hint="Other values of the parameters often help.")


def read_agents(declaration: Declaration) -> Simulation:
    """`states: a, b`, `agents 1000` (or none: a grid), `a -> b at rate` or `a -> b with probability`."""
    rules = Rules()
    moves: list[Move] = []
    sizes: list[int] = []

    def own(line: Line, sheet: Sheet, about: str) -> bool:
        return read_state_line(line, sheet, about, rules) or _agents(line, sizes) or _move(line, rules, moves)

    sheet = read_sheet(declaration.text, own, reserved=("count", "fraction", "neighbours", ALL))
    if not moves:
        raise BadInput("There is no change of state yet.", hint="Write the states, and how they change: healthy -> ill at beta*fraction(ill).", field=FIELD)
    _check_chances(moves)
    return _mixed(declaration, sheet, rules, moves, sizes[0]) if sizes else _on_grid(declaration, sheet, rules, moves)


def _agents(line: Line, sizes: list[int]) -> bool:
    if not line.starts(ALL, "number"):
        return False
    line.take()
    token = line.take()
    if sizes:
        raise refused(f"“{ALL}” is defined twice", token, "Each name has one line.")
    if not token.text.isdigit() or not 1 <= float(token.text) <= MOST_AGENTS:
        raise refused(f"there can be 1 to {MOST_AGENTS:,} agents, not {token.text}", token)
    line.end()
    sizes.append(int(float(token.text)))
    return True


def _move(line: Line, rules: Rules, moves: list[Move]) -> bool:
    if not line.starts("name", "->"):
        return False
    token = line.take()
    source = rules.state(token)
    line.take()
    target = rules.state(line.name("a state"))
    if source == target:
        raise refused("this changes nothing", token, "Name two different states.")
    how = line.next
    if not line.skip("at") and not line.skip("with"):
        raise refused(f"expected “at” or “with” instead of {how.shown()}", how, "A rate is written with “at”, a probability a step with “with”.")
    moves.append(Move(source, target, line.expression(), how.text == "at", token))
    line.end()
    return True


def _check_chances(moves: list[Move]) -> None:
    """Raises Misread where plain numbers are more than 1 together; of others that is known when they run."""
    together: dict[int, float] = {}
    for move in moves:
        if not move.is_rate and all(leaf.name in CONSTANTS for leaf in names_in(move.chance)) and not any(calls_in(move.chance)):
            chance_of_it = float(program_of([], {}, [move.chance]).numbers({})[0])
            together[move.source] = together.get(move.source, 0.0) + chance_of_it
            if together[move.source] > 1 + machine.ROUNDED:
                problem = "a probability is more than 1" if chance_of_it > 1 else "the probabilities of leaving a state are more than 1 together"
                raise refused(problem, move.token, "Write a rate, with “at”, or a smaller probability.")


def _no_chance(moves: list[Move]) -> None:
    for move in moves:
        for call in calls_in(move.chance):
            if call.name in CHANCE:
                raise refused(f"“{call.name}” has no place here", call.token, "The chance of agents is in their rates and probabilities.")


def _mixed(declaration: Declaration, sheet: Sheet, rules: Rules, moves: list[Move], size: int) -> Mixed:
    _no_chance(moves)
    sheet.named = {name: Named(name, _shares(one.tree), one.about, one.token) for name, one in sheet.named.items()}
    counts: dict[str, tuple[str, int]] = {f"count({name})": ("count", number) for number, name in enumerate(rules.names)}
    trees = [_shares(move.chance) for move in moves]
    program = program_for(sheet, rules, trees, {}, counts, (ALL,))
    shared = parts(sheet, rules)
    field = (int, Field(size, ge=1, le=max(10 * size, 1000), title="Agents", description="How many there are.", json_schema_extra=ui()))
    shared["Params"] = create_model("OwnParams", __base__=shared["Params"], agents=field)
    del shared["sheet"], shared["stochastic"]
    shared["series"] = tuple(Series(name, name, "agents") for name in rules.names)
    return made(Mixed, declaration, moves=tuple(moves), program=program, **shared | {"dt": declaration.dt})


def _shares(tree: Tree) -> Tree:
    """fraction(x) and neighbours(x) are count(x) by all where all meet all."""

    def by_all(part: Tree) -> Tree | None:
        if part.head != "call" or part.name not in ("fraction", "neighbours") or len(part.parts) != 1:
            return None
        return node("/", node("call", *part.parts, token=part.token, name="count"), Tree("name", name=ALL, token=part.token), token=part.token)

    return rebuilt(tree, by_all)


def _on_grid(declaration: Declaration, sheet: Sheet, rules: Rules, moves: list[Move]) -> OnGrid:
    _no_chance(moves)
    counts: dict[str, tuple[str, int]] = {}
    program = program_for(sheet, rules, [move.chance for move in moves], {}, counts)
    shared = parts(sheet, rules) | {"dt": declaration.dt, "stochastic": True, "series": tuple(Series(name, name, "agents") for name in rules.names)}
    return made(OnGrid, declaration, rules=rules, moves=tuple(moves), program=program, draws={}, counts=counts, **shared)
