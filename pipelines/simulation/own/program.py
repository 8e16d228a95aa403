"""Program: expressions as a list of operations on registers, run by one compiled loop for numbers and by numpy for whole fields, with the same results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.simulation.own.expressions import CONSTANTS, Tree, names_in, rebuilt, written
from pipelines.simulation.own.machine import (
    ABS,
    ACOS,
    ADD,
    AND,
    ASIN,
    ATAN,
    CEIL,
    COS,
    DIV,
    EQ,
    EXP,
    FLOOR,
    GE,
    GT,
    IF,
    LE,
    LOG,
    LOG10,
    LT,
    MAX,
    MIN,
    MOD,
    MUL,
    NE,
    NEG,
    NOT,
    OR,
    POW,
    ROUND,
    SIGN,
    SIN,
    SQRT,
    STEP,
    SUB,
    TAN,
    TANH,
    run,
)  # fmt: skip
from studio.api import Numbers

OPERATORS = {"+": ADD, "-": SUB, "*": MUL, "/": DIV, "%": MOD, "^": POW, "neg": NEG, "not": NOT, "and": AND, "or": OR, "<": LT, "<=": LE, ">": GT, ">=": GE, "==": EQ, "!=": NE, "if": IF}
CALLED = {
    "sin": SIN, "cos": COS, "tan": TAN, "asin": ASIN, "acos": ACOS, "atan": ATAN, "tanh": TANH, "exp": EXP, "log": LOG, "log10": LOG10, "sqrt": SQRT,
    "abs": ABS, "floor": FLOOR, "ceil": CEIL, "round": ROUND, "sign": SIGN, "step": STEP, "min": MIN, "max": MAX,
}  # fmt: skip
LAPLACE, DX, DY = range(100, 103)
STENCILS = {"laplace": LAPLACE, "dx": DX, "dy": DY}
Stencils = Mapping[int, Callable[[Any], Any]]


def _holding(values: Any, *inputs: Any) -> Any:
    """NaN where an input is."""
    bad = np.isnan(inputs[0])
    for other in inputs[1:]:
        bad = bad | np.isnan(other)
    return np.where(bad, np.nan, values)


def _power(a: Any, b: Any) -> Any:
    wrong = ((a == 0) & (b < 0)) | ((a < 0) & (b != np.floor(b)))
    return np.where(wrong, np.nan, a * a if np.ndim(b) == 0 and b == 2 else np.power(np.where(wrong, 1.0, a), b))


def _compare(test: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    return lambda a, b, c: _holding(np.where(test(a, b), 1.0, 0.0), a, b)


def _logic(a: Any, b: Any, settled: Any) -> Any:
    """Where the left side settles it, the right one is not asked."""
    return np.where(np.isnan(a), np.nan, np.where(settled, np.where(a != 0, 1.0, 0.0), np.where(np.isnan(b), np.nan, np.where(b != 0, 1.0, 0.0))))


def _one(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda a, b, c: function(a)


BY_NUMPY: dict[int, Callable[..., Any]] = {
    ADD: lambda a, b, c: a + b, SUB: lambda a, b, c: a - b, MUL: lambda a, b, c: a * b,
    DIV: lambda a, b, c: np.where(b != 0, a / np.where(b == 0, 1.0, b), np.nan),
    MOD: lambda a, b, c: np.where(b != 0, a - b * np.floor(a / np.where(b == 0, 1.0, b)), np.nan),
    POW: lambda a, b, c: _power(a, b), NEG: lambda a, b, c: -a,
    NOT: lambda a, b, c: _holding(np.where(a == 0, 1.0, 0.0), a),
    AND: lambda a, b, c: _logic(a, b, a == 0), OR: lambda a, b, c: _logic(a, b, a != 0),
    LT: _compare(np.less), LE: _compare(np.less_equal), GT: _compare(np.greater), GE: _compare(np.greater_equal), EQ: _compare(np.equal), NE: _compare(np.not_equal),
    IF: lambda a, b, c: _holding(np.where(a != 0, b, c), a),
    SIN: _one(np.sin), COS: _one(np.cos), TAN: _one(np.tan), ASIN: _one(np.arcsin), ACOS: _one(np.arccos), ATAN: _one(np.arctan), TANH: _one(np.tanh), EXP: _one(np.exp),
    LOG: _one(lambda a: np.where(a > 0, np.log(np.where(a > 0, a, 1.0)), np.nan)), LOG10: _one(lambda a: np.where(a > 0, np.log10(np.where(a > 0, a, 1.0)), np.nan)),
    SQRT: _one(np.sqrt), ABS: _one(np.abs), FLOOR: _one(np.floor), CEIL: _one(np.ceil), ROUND: _one(lambda a: np.floor(a + 0.5)), SIGN: _one(np.sign),
    STEP: _one(lambda a: _holding(np.where(a >= 0, 1.0, 0.0), a)),
    MIN: lambda a, b, c: np.minimum(a, b), MAX: lambda a, b, c: np.maximum(a, b),
}  # fmt: skip


@dataclass(frozen=True)
class Program:
    """`inputs` names the first registers, in order; `outputs` are the registers of the results; `trees` says of what each operation is."""

    inputs: tuple[str, ...]
    code: NDArray[np.int64]
    registers: Numbers
    outputs: NDArray[np.int64]
    trees: tuple[Tree, ...]

    def ready(self, values: Mapping[str, float]) -> Numbers:
        """Registers with these inputs in."""
        filled = self.registers.copy()
        for number, name in enumerate(self.inputs):
            filled[number] = values.get(name, 0.0)
        return filled

    def numbers(self, values: Mapping[str, float]) -> Numbers:
        """The results for single numbers."""
        r = self.ready(values)
        run(self.code, r)
        return r[self.outputs]

    def fields(self, values: Mapping[str, Any], stencils: Stencils | None = None) -> list[Any]:
        """The results for arrays that go together; `stencils` are what laplace, dx and dy do."""
        r = self._run(values, stencils)
        return [r[place] for place in self.outputs]

    def _run(self, values: Mapping[str, Any], stencils: Stencils | None = None) -> list[Any]:
        r: list[Any] = list(self.registers)
        for number, name in enumerate(self.inputs):
            r[number] = np.asarray(values.get(name, 0.0), dtype=np.float64)
        with np.errstate(all="ignore"):
            for op, to, a, b, c in self.code.tolist():
                r[to] = stencils[op](r[a]) if stencils and op in stencils else BY_NUMPY[op](r[a], r[b], r[c])
        return r

    def culprit(self, values: Mapping[str, Any], output: int, stencils: Stencils | None = None) -> tuple[Tree, str] | None:
        """The innermost operation that made no finite number out of finite ones, and why; None where the result is finite."""
        r = self._run(values, stencils)
        by_place = {int(row[1]): number for number, row in enumerate(self.code)}
        place = int(self.outputs[output])
        if np.isfinite(r[place]).all():
            return None
        while place in by_place:
            number = by_place[place]
            op, used = int(self.code[number, 0]), self.code[number, 2:5].tolist()
            asked = _asked(op, r[used[0]])
            inner = next((one for one, where in zip(used, asked, strict=False) if one in by_place and (~np.isfinite(r[one]) & where).any()), None)
            if inner is None:
                return self.trees[number], why(self.trees[number], bool(np.isnan(r[place]).any()))
            place = inner
        return None


def _asked(op: int, left: Any) -> tuple[Any, ...]:
    """For each input of an operation, where it is asked at all: a choice takes one side, `and` and `or` may need the left one only."""
    yes = np.asarray(left) != 0
    return {IF: (True, yes, ~yes), AND: (True, yes), OR: (True, ~yes)}.get(op, (True,) * _arity(op))


def _arity(op: int) -> int:
    return 3 if op == IF else 2 if op <= POW or AND <= op <= NE or op in (MIN, MAX) else 1


def why(tree: Tree, is_nan: bool) -> str:
    """What an operation has against its numbers, a part of a sentence."""
    shown = written(tree)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    if tree.head in ("/", "%"):
        return f"division by zero in {shown}"
    return f"{shown} has no value there" if is_nan else f"{shown} grew beyond all numbers"


def needed(named: Mapping[str, Tree], wanted: Iterable[Tree]) -> dict[str, Tree]:
    """Those of the named expressions (in order) that the wanted ones use, through others too."""
    used = {leaf.name for tree in wanted for leaf in names_in(tree)}
    for name in reversed(list(named)):
        if name in used:
            used |= {leaf.name for leaf in names_in(named[name])}
    return {name: tree for name, tree in named.items() if name in used}


def program_of(inputs: Sequence[str], named: Mapping[str, Tree], wanted: Sequence[Tree]) -> Program:
    """`wanted` from `inputs`, with the named expressions that it needs."""
    return Assembler(inputs, needed(named, wanted)).program(wanted)


class Assembler:
    """Expressions into one program; what occurs twice is computed once. `named` are expressions that have a name, in an order in which each knows the earlier ones."""

    def __init__(self, inputs: Sequence[str], named: Mapping[str, Tree] | None = None) -> None:
        self.inputs = [*inputs]
        self.places: dict[str, int] = {name: number for number, name in enumerate(self.inputs)}
        self.constants: dict[float, int] = {}
        self.rows: list[tuple[int, int, int, int, int]] = []
        self.trees: list[Tree] = []
        self.made: dict[tuple[int, int, int, int], int] = {}
        self.placed: dict[int, tuple[Tree, int]] = {}  # by id, each beside its tree so that no other gets that id
        self.values: list[float] = [0.0] * len(self.inputs)
        for name, tree in (named or {}).items():
            self.places[name] = self.place(tree)

    def place(self, tree: Tree) -> int:
        """The register in which its result will be."""
        if id(tree) not in self.placed:
            self.placed[id(tree)] = (tree, self._place(tree, list(map(self.place, tree.parts))))
        return self.placed[id(tree)][1]

    def _place(self, tree: Tree, parts: list[int]) -> int:
        if tree.head == "number":
            return self._constant(tree.value)
        if tree.head == "name":
            return self.places[tree.name] if tree.name in self.places else self._constant(CONSTANTS[tree.name])
        return self._call(tree, parts) if tree.head == "call" else self._row(OPERATORS[tree.head], parts, tree)

    def _call(self, tree: Tree, parts: list[int]) -> int:
        if tree.name == "pulse":  # (t, start, width): 1 from start on, for that long
            time, start, width = parts
            begun = self._row(GE, [time, start], tree)
            return self._row(AND, [begun, self._row(LT, [time, self._row(ADD, [start, width], tree)], tree)], tree)
        place = parts[0]
        if tree.name in ("min", "max"):
            for part in parts[1:]:
                place = self._row(CALLED[tree.name], [place, part], tree)
            return place
        return self._row(CALLED[tree.name] if tree.name in CALLED else STENCILS[tree.name], parts, tree)

    def _constant(self, value: float) -> int:
        if value not in self.constants:
            self.constants[value] = len(self.values)
            self.values.append(value)
        return self.constants[value]

    def _row(self, op: int, parts: list[int], tree: Tree) -> int:
        a, b, c = (parts + [parts[0]] * 2)[:3]
        if (op, a, b, c) not in self.made:
            self.made[op, a, b, c] = len(self.values)
            self.rows.append((op, len(self.values), a, b, c))
            self.values.append(0.0)
            self.trees.append(tree)
        return self.made[op, a, b, c]

    def program(self, wanted: Sequence[Tree]) -> Program:
        outputs = np.array([self.place(tree) for tree in wanted], dtype=np.int64)
        code = np.array(self.rows, dtype=np.int64).reshape(-1, 5)
        return Program(tuple(self.inputs), code, np.array(self.values, dtype=np.float64), outputs, tuple(self.trees))


def drawn(tree: Tree, draws: dict[str, str]) -> Tree:
    """Each call of noise() or random() becomes a name of its own, noted in `draws` with its kind: the loop fills those anew at every step."""

    def named(part: Tree) -> Tree | None:
        if part.head != "call" or part.name not in ("noise", "random"):
            return None
        name = f"{part.name}#{len(draws)}"
        draws[name] = part.name
        return Tree("name", name=name, token=part.token)

    return rebuilt(tree, named)
