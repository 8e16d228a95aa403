"""Fields: partial differential equations typed as du/dt = D*laplace(u) + …, on a square grid, by finite differences of second order and Runge-Kutta or Euler steps.

The step is refused where diffusion would make it unstable. Source: Courant, Friedrichs & Lewy, Math. Ann. 100 (1928) 32–74; von Neumann's analysis of the shortest wave.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from pipelines.simulation.drawing import field as coloured
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.expressions import CHANCE, CONSTANTS, FUNCTIONS, calls_in, check, names_in
from pipelines.simulation.own.program import DX, DY, LAPLACE, STENCILS, Program, Stencils, drawn, needed, program_of
from pipelines.simulation.own.reading import derivative_line
from pipelines.simulation.own.sheet import Named, Sheet, read_sheet, settle
from pipelines.simulation.own.tokens import FIELD, Token, refused
from pipelines.simulation.own.typed import made, no_start, on_step, params_class, start_fields
from studio.api import BadInput, Diverged, Numbers, Params, Picture, Series, Simulation, chance

PLACES = ("x", "y", "width")
OPERATORS: dict[str, tuple[int, int]] = dict.fromkeys(STENCILS, (1, 1))
NO_CHANCE = dict.fromkeys(CHANCE, "Chance belongs to the values at the start here.")
MOST_FIELDS = 6
SPREAD = "_spread"  # after a field's name: the series of its standard deviation
MOST_LOOKS = 64  # places on a side in which the longest step is looked for
ROUNDING = 1e-6  # of the differences by which the longest step is found
STABLE = {"euler": 2.0, "": 2.785}  # how far left of zero a step may reach: Euler's, and that of Runge-Kutta of fourth order


@dataclass
class Sheets:
    """One (rows, columns) field a state, the time, and the lowest and highest that each has been."""

    fields: dict[str, Numbers]
    time: float = 0.0
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)


def stencils_of(spacing: float, border: str) -> Stencils:
    """laplace, dx and dy. Beyond a border the cells at it go on; a fixed border does not change anyway."""
    mode: Any = "wrap" if border == "periodic" else "edge"

    def padded(u: Any) -> Any:
        return np.pad(u, 1, mode=mode) if np.ndim(u) else np.full((3, 3), u)

    def laplace(u: Any) -> Any:
        p = padded(u)
        return (p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * p[1:-1, 1:-1]) / spacing**2

    def along_x(u: Any) -> Any:
        p = padded(u)
        return (p[1:-1, 2:] - p[1:-1, :-2]) / (2 * spacing)

    def along_y(u: Any) -> Any:
        p = padded(u)
        return (p[2:, 1:-1] - p[:-2, 1:-1]) / (2 * spacing)

    return {LAPLACE: laplace, DX: along_x, DY: along_y}


class OwnFields(Simulation):
    """Fields on a grid."""

    id: ClassVar[str] = "own"
    domain: ClassVar[str] = "Your own"
    pokes: ClassVar[bool] = True
    dt: ClassVar[float]
    declaration: ClassVar[Declaration]
    sheet: ClassVar[Sheet]
    program: ClassVar[Program]
    starting: ClassVar[Program]
    start_draws: ClassVar[dict[str, str]]
    fields: ClassVar[dict[str, str]]
    places: ClassVar[dict[str, Any]]
    stencils: ClassVar[Stencils]

    def time_step(self, params: Any) -> float:
        return self.dt

    def check(self, params: Any) -> None:
        """Raises BadInput where the step is too long for the diffusion."""
        largest = self.largest_step(params)
        if self.dt > largest * (1 + ROUNDING):
            law = next(law for law in self.sheet.laws.values() if any(call.name in STENCILS for call in calls_in(law.tree)))
            names = [leaf.name for leaf in names_in(law.tree) if leaf.name in self.sheet.parameters]
            raise BadInput(
                f"A time step of {self.dt:g} is too long for the diffusion; {_down(largest * (1 + ROUNDING)):g} is the longest.", hint="Make the time step shorter or the cells larger.", field=(names or [FIELD])[0]
            )

    def largest_step(self, params: Any) -> float:
        """By how fast the shortest wave of each field, a chequerboard, is smoothed at the start, beyond what a field that is the same everywhere does; looked at in so many places."""
        stride = -(-self.declaration.size // MOST_LOOKS)
        state = Sheets({name: np.ascontiguousarray(one[::stride, ::stride]) for name, one in self.begun(params, chance(0))[1].fields.items()})
        rows = np.arange(len(next(iter(state.fields.values()))))
        board = np.where((rows[:, None] + rows) % 2 == 0, 1.0, -1.0)
        smoothed = np.stack([[*row] for row in zip(*[self._response(state, params, name, board) for name in self.sheet.laws], strict=True)])  # (equations, fields, rows, columns)
        if not np.isfinite(smoothed).all():
            return math.inf  # the run itself says what is wrong
        worst = np.unravel_index(int(np.abs(smoothed).sum(axis=(0, 1)).argmax()), board.shape)
        fastest = float(-np.linalg.eigvals(smoothed[:, :, worst[0], worst[1]]).real.min())
        return STABLE["euler" if self.declaration.method == "euler" else ""] / fastest if fastest > 1e-12 else math.inf

    def _response(self, state: Sheets, params: Any, name: str, board: Numbers) -> list[Numbers]:
        """What each equation makes of a small chequerboard in one field, less what it makes of a small constant."""
        small = 1e-5 * (1.0 + float(np.abs(state.fields[name]).max()))
        stride = -(-self.declaration.size // MOST_LOOKS)
        places = {place: one[::stride, ::stride] if np.ndim(one) else one for place, one in self.places.items()}

        def made_of(pattern: Numbers) -> list[Numbers]:
            up, down = (self.changes(state.fields | {name: state.fields[name] + sign * small * pattern}, state.time, params, places) for sign in (1, -1))
            return [(up[one] - down[one]) / (2 * small) * pattern for one in self.sheet.laws]

        return [wave - level for wave, level in zip(made_of(board), made_of(np.ones_like(board)), strict=True)]

    def init(self, params: Any, rng: np.random.Generator) -> Sheets:
        values, state = self.begun(params, rng)
        if not all(np.isfinite(one).all() for one in state.fields.values()):
            raise no_start(self.starting, [name for name in self.sheet.laws if name not in self.fields], values)
        return seen(state)

    def begun(self, params: Any, rng: np.random.Generator) -> tuple[dict[str, Any], Sheets]:
        """What the values at the start are told from, and the fields with them, be they numbers or not."""
        shape = (self.declaration.size, self.declaration.size)
        values: dict[str, Any] = params.__dict__ | self.places
        values |= {name: rng.standard_normal(shape) if kind == "noise" else rng.random(shape) for name, kind in self.start_draws.items()}
        told = iter(self.starting.fields(values))
        fields = {name: np.full(shape, values[self.fields[name]]) if name in self.fields else np.array(np.broadcast_to(next(told), shape), dtype=np.float64) for name in self.sheet.laws}
        return values, Sheets(fields)

    def changes(self, fields: Mapping[str, Numbers], time: float, params: Any, places: Mapping[str, Any] | None = None) -> dict[str, Numbers]:
        """d/dt of each field."""
        values = params.__dict__ | dict(places or self.places) | dict(fields) | {"t": time}
        found = {}
        for name, told in zip(self.sheet.laws, self.program.fields(values, self.stencils), strict=True):
            found[name] = np.array(np.broadcast_to(told, fields[name].shape))
            if self.declaration.border == "fixed":
                found[name][[0, -1], :] = found[name][:, [0, -1]] = 0.0
        return found

    def step(self, state: Sheets, params: Any, rng: np.random.Generator) -> Sheets:
        y, t, dt = state.fields, state.time, self.dt
        with np.errstate(all="ignore"):
            k1 = self.changes(y, t, params)
            if self.declaration.method == "euler":
                new = {name: y[name] + dt * k1[name] for name in y}
            else:
                k2 = self.changes({name: y[name] + dt / 2 * k1[name] for name in y}, t + dt / 2, params)
                k3 = self.changes({name: y[name] + dt / 2 * k2[name] for name in y}, t + dt / 2, params)
                k4 = self.changes({name: y[name] + dt * k3[name] for name in y}, t + dt, params)
                new = {name: y[name] + dt / 6 * (k1[name] + 2 * k2[name] + 2 * k3[name] + k4[name]) for name in y}
        if not all(np.isfinite(one).all() for one in new.values()):
            raise self._broken(state, params)
        return seen(Sheets(new, on_step(t + dt, dt), state.low, state.high))

    def _broken(self, state: Sheets, params: Any) -> Diverged:
        values = params.__dict__ | self.places | state.fields | {"t": state.time}
        hint = "A smaller time step often helps, or other values of the parameters."
        for number, name in enumerate(self.sheet.laws):
            if found := self.program.culprit(values, number, self.stencils):
                return Diverged(f"The run broke off at time {state.time:g}, in d{name}/dt (line {found[0].token.line}): {found[1]}.", hint=hint)
        largest = max(state.fields, key=lambda name: float(np.abs(state.fields[name]).max()))
        return Diverged(f"The run broke off at time {state.time:g}: {largest} grew beyond all numbers.", hint=hint)

    def observe(self, state: Sheets, params: Any) -> dict[str, float]:
        means = {name: float(one.mean()) for name, one in state.fields.items()}
        return means | {f"{name}{SPREAD}": float(one.std()) for name, one in state.fields.items()}

    @property
    def viewed(self) -> str:
        """The field that is drawn: the last one, if `view` names no other."""
        return next((token.text for token in self.sheet.view if token.text in self.sheet.laws), self.sheet.states[-1])

    def render(self, state: Sheets, params: Any) -> Picture:
        name = self.viewed
        return coloured(state.fields[name], state.low[name], max(state.high[name], state.low[name] + 1e-9), "sea")

    def poke(self, state: Sheets, params: Any, x: float, y: float, rng: np.random.Generator) -> Sheets:
        """A disc of the viewed field gets the highest value that the field has had."""
        name, size = self.viewed, self.declaration.size
        rows = np.arange(size)
        near = (rows[:, None] - y * size) ** 2 + (rows - x * size) ** 2 <= (size / 16) ** 2
        top = state.high[name] if state.high[name] > state.low[name] + 1e-9 else state.low[name] + 1.0
        return seen(Sheets(state.fields | {name: np.where(near, top, state.fields[name])}, state.time, state.low, state.high))

    def pack(self, state: Sheets) -> Numbers:
        return np.concatenate([one.ravel() for one in state.fields.values()])

    def unpack(self, state: Sheets, vector: Numbers) -> Sheets:
        parts = np.split(np.array(vector, dtype=np.float64), len(state.fields))
        return seen(Sheets({name: part.reshape(one.shape) for (name, one), part in zip(state.fields.items(), parts, strict=True)}, state.time, state.low, state.high))


def seen(state: Sheets) -> Sheets:
    """With the bounds of what was shown widened by these fields."""
    low = {name: min(state.low.get(name, math.inf), float(one.min())) for name, one in state.fields.items()}
    high = {name: max(state.high.get(name, -math.inf), float(one.max())) for name, one in state.fields.items()}
    return Sheets(state.fields, state.time, low, high)


def _down(value: float) -> float:
    """Three digits, never more than the value."""
    digit = 10.0 ** (math.floor(math.log10(value)) - 2)
    return math.floor(value / digit) * digit


def read_fields(declaration: Declaration) -> OwnFields:
    """du/dt = D*laplace(u) + …, u(0) = an expression of x and y."""
    sheet = read_sheet(declaration.text, derivative_line, reserved=(*PLACES, *STENCILS))
    if not sheet.laws:
        raise BadInput("There is no equation yet.", hint="Write how a field changes, as in du/dt = D*laplace(u).", field=FIELD)
    if len(sheet.laws) > MOST_FIELDS:
        raise refused(f"there are more than {MOST_FIELDS} fields", list(sheet.laws.values())[MOST_FIELDS].token, "Make the model smaller.")
    starts = {name: start.tree for name, start in sheet.starts.items() if isinstance(start, Named)}
    numbers = {name: start for name, start in sheet.starts.items() if name not in starts}
    sheet.starts = numbers
    named = settle(sheet, FUNCTIONS | OPERATORS, more=PLACES, elsewhere=NO_CHANCE)
    draws: dict[str, str] = {}
    for name, tree in starts.items():
        if name not in sheet.laws:
            raise refused(f"“{name}” has no equation", tree.token, "Only what has an equation has a value at the start.")
        check(tree, {*CONSTANTS, *sheet.parameters, *PLACES}, FUNCTIONS | CHANCE, dict.fromkeys(OPERATORS, "It belongs in the equations."))
    for name, law in sheet.laws.items():
        if name not in starts and name not in numbers:
            raise refused(f"“{name}” has no value at the start", law.token, f"Add a line {name}(0) = …")
    for name, law in sheet.laws.items():
        if name.endswith(SPREAD) and name.removesuffix(SPREAD) in sheet.laws:
            raise refused(f"“{name}” is what the standard deviation of “{name.removesuffix(SPREAD)}” is called", law.token, "Choose another name.")
    inputs = ["t", *sheet.laws, *PLACES, *sheet.parameters]
    trees = {name: one.tree for name, one in named.items()}
    laws = [law.tree for law in sheet.laws.values()]
    told = [drawn(starts[name], draws) for name in sheet.laws if name in starts]
    rows = np.arange(declaration.size) * declaration.spacing
    places = {"x": np.broadcast_to(rows, (rows.size, rows.size)), "y": np.broadcast_to(rows[:, None], (rows.size, rows.size)), "width": declaration.size * declaration.spacing}
    model = made(
        OwnFields, declaration, sheet=sheet, fields=start_fields(sheet), Params=params_class(sheet), stencils=stencils_of(declaration.spacing, declaration.border), places=places,
        program=program_of(inputs, needed(trees, laws), laws), starting=program_of([*PLACES, *sheet.parameters, *draws], {}, told), start_draws=draws, stochastic=bool(draws),
        series=tuple(Series(f"{name}{end}", f"{name}, {what}") for end, what in (("", "mean"), (SPREAD, "standard deviation")) for name in sheet.laws),
    )  # fmt: skip
    _stable(model, model.Params(), next((call.token for law in laws for call in calls_in(law) if call.name in STENCILS), None))
    return model


def _stable(model: OwnFields, params: Params, token: Token | None) -> None:
    """The values as typed must go with the step as typed. Raises Misread at the first operator."""
    try:
        model.check(params)
    except BadInput as error:
        raise (refused(error.message.rstrip("."), token, error.hint) if token else error) from error
