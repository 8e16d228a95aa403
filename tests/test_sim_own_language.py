"""The language of one's own models: what is typed is read as meant, or refused at its character; nothing crashes."""

from __future__ import annotations

import json
import math
import random
import time
from typing import Any

import numpy as np
import pytest

from pipelines.simulation.own import read_model
from pipelines.simulation.own.expressions import FUNCTIONS, Line, Tree, node, number, written
from pipelines.simulation.own.program import program_of
from pipelines.simulation.own.tokens import tokens_of
from studio.api import BadInput, Diverged, Misread

NAMES = ("x", "y", "β")
ONE, TWO = [name for name, count in FUNCTIONS.items() if count == (1, 1)], ["+", "-", "*", "/", "%", "^", "<", "<=", ">", ">=", "==", "!=", "and", "or"]


def read(text: str) -> Tree:
    line = Line(tokens_of(text, 1))
    tree = line.expression()
    line.end()
    return tree


def grown(chance: random.Random, depth: int) -> Tree:
    """A tree of the language, at random."""
    if depth == 0 or chance.random() < 0.15:
        return Tree("name", name=chance.choice(NAMES)) if chance.random() < 0.6 else number(chance.choice((0.0, 1.0, 2.0, 0.5, 3.25, 1e-7, 12345678.9, 2e20)))
    kind = chance.random()
    if kind < 0.55:
        return node(chance.choice(TWO), grown(chance, depth - 1), grown(chance, depth - 1))
    if kind < 0.7:
        return node(chance.choice(("neg", "not")), grown(chance, depth - 1))
    if kind < 0.8:
        return node("if", *(grown(chance, depth - 1) for _ in range(3)))
    if kind < 0.9:
        return node("call", grown(chance, depth - 1), name=chance.choice(ONE))
    return node("call", *(grown(chance, depth - 1) for _ in range(chance.randint(2, 4))), name=chance.choice(("min", "max"))) if kind < 0.97 else node("call", *(grown(chance, depth - 1) for _ in range(3)), name="pulse")


def value(tree: Tree, names: dict[str, float]) -> float:
    """By walking the tree with Python's own arithmetic: independent of programs and machines."""
    if tree.head == "number":
        return tree.value
    if tree.head == "name":
        return names[tree.name]
    parts = [value(part, names) for part in tree.parts]
    if tree.head == "if":
        return math.nan if math.isnan(parts[0]) else parts[1] if parts[0] != 0 else parts[2]
    try:
        return operated(tree.name or tree.head, parts)
    except (ValueError, ZeroDivisionError):
        return math.nan
    except OverflowError:
        return math.inf


def operated(name: str, parts: list[float]) -> float:
    a, b = (parts * 2)[:2]
    if name in ("and", "or") and not math.isnan(a) and (a != 0) == (name == "or"):
        return float(name == "or")
    if name == "pulse" and not math.isnan(parts[0] + parts[1]) and parts[0] < parts[1]:
        return 0.0
    if name in ("and", "or", "not", "<", "<=", ">", ">=", "==", "!=", "min", "max", "step", "pulse") and any(map(math.isnan, parts)):
        return math.nan
    if name == "pulse":
        return float(parts[1] <= parts[0] < parts[1] + parts[2])
    if name == "^":
        result = math.nan if (a == 0 and b < 0) or (a < 0 and math.isfinite(b) and b != math.floor(b)) else a * a if b == 2 else a**b
        return math.nan if isinstance(result, complex) else result
    logic = {"and": a != 0 and b != 0, "or": a != 0 or b != 0, "not": a == 0, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b, "==": a == b, "!=": a != b, "step": a >= 0}
    if name in logic:
        return float(logic[name])
    whole = {"floor": math.floor, "ceil": math.ceil, "round": lambda x: math.floor(x + 0.5)}
    if name in whole:
        return float(whole[name](a)) if math.isfinite(a) else a
    simple: dict[str, Any] = {
        "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b, "%": lambda: a - b * (math.floor(a / b) if math.isfinite(a / b) else a / b),
        "neg": lambda: -a, "abs": lambda: abs(a), "sign": lambda: math.nan if math.isnan(a) else float((a > 0) - (a < 0)), "min": lambda: min(parts), "max": lambda: max(parts),
        "asin": lambda: math.asin(a), "acos": lambda: math.acos(a), "atan": lambda: math.atan(a),
    }  # fmt: skip
    return float(simple[name]() if name in simple else getattr(math, name)(a))


def same(found: float, wanted: float) -> bool:
    return found == wanted or (math.isnan(found) and math.isnan(wanted)) or math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-12)


def test_ten_thousand_expressions_survive_printing_and_mean_the_same_to_both_machines() -> None:
    chance = random.Random(6)
    numbers = 0
    for count in range(10_000):
        tree = grown(chance, chance.randint(1, 5))
        assert read(written(tree)) == tree, written(tree)
        names = {name: chance.choice((0.0, 1.0, -1.0, 0.3, 2.0, -2.5, 7.25)) for name in NAMES}
        wanted = value(tree, names)
        program = program_of([*NAMES], {}, [tree])
        numbers += math.isfinite(wanted)
        assert same(float(program.numbers(names)[0]), wanted), f"{count}: {written(tree)} with {names}"
        field = np.broadcast_to(program.fields({name: np.full(3, number) for name, number in names.items()})[0], 3)
        assert all(same(float(one), wanted) for one in field), f"{count}: {written(tree)} with {names}"
    assert numbers > 4000  # not a comparison of nothing with nothing


@pytest.mark.parametrize(("text", "wanted"), [
    ("2 + 3*4", 14), ("-2^2", -4), ("2^3^2", 512), ("2**-1", 0.5), ("10 - 4 - 3", 3), ("7 % 3", 1), ("-7 % 3", 2), ("1 if 2 > 1 else 5", 1), ("if(1 > 2, 3, 4)", 4),
    ("0 < 0.5 < 1", 1), ("0 < 2 < 1", 0), ("not 0 and 1", 1), ("1 or 0 and 0", 1), ("not 1 == 2", 1), ("ln(e)", 1), ("cos(π)", -1), ("pulse(3, 2, 2)", 1), ("pulse(4, 2, 2)", 0),
    ("0 and 1/0", 0), ("1 or 1/0", 1), ("0 > 0 and 1/0 < 2", 0), ("1 if 0 != 0 and 1/0 < 2 else 7", 7), ("1 > 2 < 1/0", 0),
    ("step(0)", 1), ("max(1, 5, 3)", 5), ("sign(-3)", -1), ("round(2.5)", 3), ("1e3", 1000), (".5", 0.5), ("２＋３", 5), ("6÷3×2", 4), ("5−3", 2), ("log10(1000)", 3),
])  # fmt: skip
def test_expressions_mean_what_mathematics_means(text: str, wanted: float) -> None:
    assert program_of([], {}, [read(text)]).numbers({})[0] == pytest.approx(wanted)


@pytest.mark.parametrize(("text", "blamed"), [
    ("1 and 1/0", "1 / 0"), ("0 or log(-1)", "log(-1)"), ("1/0 and 0", "1 / 0"), ("1/0 or 1", "1 / 0"), ("if(0, 1/0, log(-1))", "log(-1)"), ("if(1, 1/0, log(-1))", "1 / 0"), ("0 and 1/0", ""), ("if(1, 2, 1/0)", ""),
])  # fmt: skip
def test_only_what_is_asked_can_break_a_run_and_that_is_named(text: str, blamed: str) -> None:
    program = program_of([], {}, [read(text)])
    found = program.culprit({}, 0)
    assert (written(found[0]) if found else "") == blamed and bool(blamed) == math.isnan(program.numbers({})[0])


def test_fields_ask_the_right_side_cell_by_cell() -> None:
    program, x = program_of(["x"], {}, [read("x > 0 and 1/x < 2"), read("x <= 0 or log(x) > 1")]), np.array([-1.0, 0.0, 0.25, 1.0, 9.0])
    found = program.fields({"x": x})
    assert found[0].tolist() == [0, 0, 0, 1, 1] and found[1].tolist() == [1, 1, 0, 0, 1]
    assert [[float(one) for one in program.numbers({"x": value})] for value in x] == np.array(found).T.tolist()
    assert program.culprit({"x": x}, 0) is None and program.culprit({"x": x}, 1) is None


def model(text: str, kind: str = "ode", **more: Any) -> Any:
    return read_model(json.dumps({"text": text, "kind": kind, **more}))


@pytest.mark.parametrize(("text", "line", "column", "told"), [
    ("dx/dt = -betta*x\nbeta = 1\nx(0) = 1", 1, 10, "unknown name “betta” — did you mean “beta”?"),
    ("dx/dt = sine(x)\nx(0) = 1", 1, 9, "unknown function “sine” — did you mean “sin”?"),
    ("dx/dt = 2x\nx(0) = 1", 1, 10, "expected an operator before “x”"),
    ("dx/dt = (1 + x\nx(0) = 1", 1, 15, "expected “)” instead of the end of the line"),
    ("dx/dt = 1 +\nx(0) = 1", 1, 12, "expected a number, a name or “(” instead of the end of the line"),
    ("dx/dt = x & 1\nx(0) = 1", 1, 11, "“&” is not understood"),
    ("dx/dt = x²\nx(0) = 1", 1, 10, "“²” is not understood"),
    ("dx/dt = x\n\n# here\n  dx/dt = 2", 4, 4, "“x” is defined twice"),
    ("dx/dt = x", 1, 2, "“x” has no value at the start"),
    ("dx/dt = sin\nx(0) = 1", 1, 9, "“sin” is a function"),
    ("dx/dt = k(x)\nk = 1\nx(0) = 1", 1, 9, "“k” is no function"),
    ("dx/dt = min(x)\nx(0) = 1", 1, 9, "“min” takes 2 to 20 arguments, not 1"),
    ("dx/dt = if(x, 1)\nx(0) = 1", 1, 9, "“if” takes 3 arguments, not 2"),
    ("dx/dt = a\na = b + x\nb = 2*c\nc = a\nx(0) = 1", 2, 1, "“a” needs itself: a → b → c → a"),
    ("dx/dt = x\nx(0) = 1\nk = 5 [0, 2]", 3, 5, "5 is not within its range 0 … 2"),
    ("dx/dt = x\nx(0) = y", 2, 8, "unknown name “y”"),
    ("force = 2x\ndx/dt = force\nx(0) = 1", 1, 10, "expected an operator before “x”"),
    ("dx/dt = -f\nf = 2 k*x\nk = 1\nx(0) = 1", 2, 7, "expected an operator before “k”"),
    ("dx/dt = -x\nx(0) = -2N\nN = 5", 2, 10, "expected an operator before “N”"),
    ("dx/dt = -w*x\nw = 2 pi\nx(0) = 1", 2, 7, "expected an operator before “pi”"),
    ("dx/dt = x\nx(0) = 2*x", 2, 10, "“x” has no value yet at the start"),
    ("dx/dt = x\nx(0) = 1\npi = 3", 3, 1, "“pi” has a meaning of its own"),
    ("dx/dt = x\nx(0) = 1\ncopy = 3", 3, 1, "“copy” can't name a parameter"),
    ("dx/dt = noise()\nx(0) = 1", 1, 9, "“noise” has no place here"),
    ("dx/dt = x\ny(0) = 1\nx(0) = 1", 2, 1, "unknown state “y”"),
    ("hello", 1, 6, "expected “=” instead of the end of the line"),
    ("dx/dt = 1e999\nx(0) = 1", 1, 9, "the number 1e999 is too large"),
    ("dx/dt = sin()\nx(0) = 1", 1, 9, "“sin” takes one argument, not 0"),
    ("dx/dt = -\u0445\nx(0) = 1", 1, 10, "unknown name “\u0445” — it looks like “x”, but other letters are in it"),
    ("k\u03bf = 1\ndx/dt = -ko*x\nx(0) = 1", 2, 10, "unknown name “ko” — it looks like “k\u03bf”, but other letters are in it"),
    ("dx/dt = 1 - ①\nx(0) = 1", 1, 13, "“①” is not understood"),
    ("\U0001f101 = 5\ndx/dt = 1\nx(0) = 1", 1, 1, "“\U0001f101” is not understood"),
    ("dx/dt = ½\nx(0) = 1", 1, 9, "“½” is not understood"),
    ("dtime/dt = 1\ntime(0) = 1", 1, 2, "“time” is the first column of every table"),
    ("dx/dt = time\ntime = 2*x\nx(0) = 1", 2, 1, "“time” is the first column of every table"),
    ("d_x/dt = 1\n_x(0) = 1", 1, 2, "“_x” does not begin with a letter"),
    ("dx/dt = -x\nx(0) = 1\n# " + "a" * 100_000, 3, 19_981, "the model is 100,022 letters long; 20,000 can be read, up to here"),
    ("dx/dt = -x\nx(0) = 1" + "\n" * 500, 401, 1, "the model has 502 lines; 400 can be read, up to here"),
    ("dx/dt = " + "(1 < " * 30 + "x" + " < 2)" * 30 + "\nx(0) = 1", 1, 211, "this expression is too long"),
])  # fmt: skip
def test_an_error_points_at_its_character(text: str, line: int, column: int, told: str) -> None:
    with pytest.raises(Misread) as raised:
        model(text)
    assert (raised.value.line, raised.value.column, raised.value.sentence) == (line, column, told)
    assert raised.value.message == f"Line {line}, column {column}: {told}" and raised.value.field == "own"


@pytest.mark.parametrize("text", ["x" * 100_000, "dx/dt = " + "(" * 19_000, "dx/dt = " + "-" * 19_000, "dx/dt = " + "1+" * 9_000 + "1", "dx/dt = " + "2^" * 9_000 + "1", "a\n" * 9_000, "dx/dt = " + "f(" * 9_000, "dx/dt = 1" + " if 1 else 1" * 1_000])
def test_what_is_too_large_or_too_deep_is_refused_quickly(text: str) -> None:
    started = time.process_time()
    with pytest.raises(BadInput):
        model(text)
    assert time.process_time() - started < 2


def test_signs_are_not_told_to_be_brackets() -> None:
    with pytest.raises(Misread, match="Line 1, column 109: the expression is nested more than 100 deep"):
        model("dx/dt = " + "-" * 200 + "x\nx(0) = 1")


def test_comparisons_in_comparisons_are_read_quickly() -> None:
    """The middle of a < b < c stands twice in its tree, that of a comparison in it four times, and so on."""
    deep = "(1 < " * 10 + "x" + " < 2)" * 10
    started = time.process_time()
    made = model("\n".join([f"a{number} = {deep} + {number}" for number in range(100)] + ["dx/dt = -x*a99", "x(0) = 1"]))
    assert time.process_time() - started < 3 and len(made.series) == 101


@pytest.mark.parametrize(("kind", "text", "share"), [
    ("map", "x' = if(0 < noise() < 1, 1, 0)\nsum' = sum + x\nx(0) = 0\nsum(0) = 0", 0.341345),
    ("pde", "du/dt = 0*u\nu(0) = 0 < noise() < 1", 0.341345),
    ("automaton", "states: a, b\na -> b if 0.2 < random() < 0.5", 0.3),
])  # fmt: skip
def test_a_draw_between_two_bounds_is_one_draw(kind: str, text: str, share: float) -> None:
    made = model(text, kind, size=256, dt=1.0)
    params = made.Params()
    state = made.advance(made.init(params, np.random.default_rng(1)), params, np.random.default_rng(2), 60_000 if kind == "map" else 1)
    seen = made.observe(state, params)
    found = {"map": lambda: seen["sum"] / 59_999, "pde": lambda: seen["u"], "automaton": lambda: seen["b"]}[kind]()
    assert found == pytest.approx(share, abs=0.006)


def test_a_value_at_the_start_that_is_no_number_is_named_with_its_line() -> None:
    for kind, text in (("ode", "dx/dt = -x\na = 0\nx(0) = 1/a"), ("pde", "du/dt = 0*u\na = 0\nu(0) = 1/a")):
        made = model(text, kind, size=8)
        with pytest.raises(Diverged, match=r"in [xu]\(0\) \(line 3\), division by zero in 1 / a"):
            made.init(made.Params(), np.random.default_rng(1))


def test_ranges_of_huge_and_tiny_values_are_numbers() -> None:
    for value in ("1e308", "-1e308", "1 [-1e308, 1e308]", "1e-320"):
        made = model(f"dx/dt = -x\nk = {value}\nx(0) = 1")
        json.dumps(made.Params.model_json_schema(), allow_nan=False)


def test_two_observables_have_two_names() -> None:
    with pytest.raises(Misread, match="standard deviation of “u”"):
        model("du/dt = 0*u\nu(0) = 1\ndu_spread/dt = 0*u\nu_spread(0) = 1", "pde", size=8)


def test_the_largest_text_that_is_read_is_read_quickly() -> None:
    lines = [f"a{number} = {'+'.join(['x*k'] * 30)} + a{number - 1}" if number else "a0 = x" for number in range(140)]
    started = time.process_time()
    made = model("\n".join(["dx/dt = -x", "x(0) = 1", "k = 0.1", *lines]))
    assert time.process_time() - started < 2 and len(made.series) == 141


KINDS = ("ode", "map", "automaton", "sde", "stock", "agents", "pde")
PIECES = [*"+-*/^%<>()[],=':#\n\n\n ", "dx/dt", "du/dt = ", "x'", "x[n+1] = ", "x(0) = ", "dX = ", "dW", "dt", "dW1", "X", "x", "u", "u(0)", "t", "if", "else", "and", "or", "not", "sin(", "min(", "if(", "noise()", "laplace(", "dx(",
          "count(", "fraction(", "neighbours(", "states: ", "a", "b", "start ", "->", " at ", " with ", "agents ", "rule ", "B3", "S23", "110", "around 4", "stock ", "flow ", "outside", "view ", "=", "=", "1", "0.5", "1e300", "é", "λ", "。", "\x00", "½", "²", "😀", "__class__", "lambda", "copy"]  # fmt: skip


def test_random_text_is_refused_or_read_and_never_crashes() -> None:
    chance = random.Random(7)
    outcomes = {"read": 0, "refused": 0}
    for turn in range(4_000):
        pieces = PIECES if turn % 3 else [chr(chance.choice((chance.randrange(32, 127), chance.randrange(0x110000 - 0x2000) if chance.random() < 0.2 else 65))) for _ in range(40)]
        text = "".join(chance.choice(pieces) for _ in range(chance.randint(1, 60)))
        try:
            model(text, chance.choice(KINDS), size=8)
            outcomes["read"] += 1
        except BadInput:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 3_300


def test_examples_with_a_few_letters_changed_are_refused_or_run() -> None:
    from tabs.simulation_own_examples import EXAMPLES

    chance = random.Random(8)
    outcomes = {"read": 0, "refused": 0}
    for _ in range(1_500):
        example = dict(chance.choice(EXAMPLES)) | {"size": 8}
        letters = list(example["text"])
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(letters))
            letters[at : at + chance.randint(0, 2)] = chance.choice(PIECES)
        try:
            read_model(json.dumps(example | {"text": "".join(letters)}))
            outcomes["read"] += 1
        except BadInput:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 150


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", '{"kind": "evil"}', '{"schema": 99}', '{"dt": 0}', '{"dt": "NaN"}', '{"dt": NaN}', '{"size": 100000}', '{"new": 1}', '{"text": 5}', '{"duration": 1e9, "dt": 1e-9}', '{"duration": 1, "dt": 2}', "[" * 100_000, '{"text": "# \\ud800"}', '{"size": ' + "9" * 5000 + "}", '{"title": "' + "x" * 300_000 + '"}', '{"title": ""}'])
def test_hostile_files_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_model(text)
    assert raised.value.message and raised.value.hint and len(raised.value.message) < 300


def test_a_file_may_begin_with_the_mark_of_an_editor() -> None:
    text = json.dumps({"text": "dx/dt = -x\nx(0) = 1"})
    assert [one.name for one in read_model("\ufeff" + text).series] == [one.name for one in read_model(text).series]


def test_the_same_text_is_the_same_model() -> None:
    text = json.dumps({"text": "dx/dt = -x\nx(0) = 1"})
    assert read_model(text) is read_model(text)


@pytest.mark.parametrize("name", ["self", "cls", "class", "lambda", "model", "values", "beta0", "λ", "変数", "x0", "import", "agents", "laplace", "n", "time"])
def test_names_that_mean_something_to_python_are_names(name: str) -> None:
    made = model(f"dx/dt = -{name}*x\n{name} = 2 [0, 5]\nx(0) = 1 [0, 9]", dt=0.1)
    assert made.observed([made.Params.parse({name: 1.0})], np.array([1.0]), [0])[0, 0, 0] == pytest.approx(math.exp(-1), abs=1e-5)
    assert len(made.Params.model_fields) == 2


@pytest.mark.parametrize("name", ["copy", "json", "dict", "schema", "parse", "restore", "model_fields", "_x", "__class__", "__dict__"])
def test_names_that_the_parameters_themselves_need_are_refused(name: str) -> None:
    with pytest.raises(Misread):
        model(f"dx/dt = -{name}*x\n{name} = 2 [0, 5]\nx(0) = 1 [0, 9]")


def test_switches_at_a_time_come_at_the_same_step_however_it_is_advanced() -> None:
    made = model("dx/dt = if(t >= 3, 1, 0)\nx(0) = 0", dt=0.1)
    rng, whole, steps = np.random.default_rng(0), made.init(made.Params(), np.random.default_rng(0)), made.init(made.Params(), np.random.default_rng(0))
    whole = made.advance(whole, made.Params(), rng, 100)
    for _ in range(100):
        steps = made.step(steps, made.Params(), rng)
    assert whole.y[0] == pytest.approx(steps.y[0], abs=1e-12) and whole.time == steps.time == 10.0


def test_a_unit_may_be_called_like_its_own_quantity_and_after_a_range_like_any() -> None:
    made = model("dx/dt = -m*x/days\ndays = 5 days\nm = 2 [0, 5] m per days\nx(0) = 3 [0, 9] m")
    units = {name: field.json_schema_extra["ui"]["unit"] for name, field in made.Params.model_fields.items()}
    assert units == {"days": "days", "m": "m per days", "x0": "m"}
