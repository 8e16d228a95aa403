"""Sheet: the lines of a typed model, sorted into parameters, values at the start, named expressions and what the kind of model makes of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pipelines.simulation.own.expressions import CHANCE, CONSTANTS, FUNCTIONS, OTHER_NAMES, Line, Tree, check, names_in
from pipelines.simulation.own.tokens import FIELD, Token, comment_of, refused, tokens_of, unknown
from studio.api import Misread, Params

MOST_LETTERS = 20_000
MOST_LINES = 400
MOST_PARAMETERS, MOST_STATES, MOST_NAMED = 60, 40, 150
PRODUCTS = ("pi", "π")  # no units
LARGEST = 1e308  # that a range without numbers of its own reaches
RESERVED = frozenset({*FUNCTIONS, *CHANCE, *CONSTANTS, *OTHER_NAMES, "t", "dt"})


@dataclass(frozen=True)
class Quantity:
    """A number that somebody may change: `low` … `high` as written, or from nothing to ten times the value."""

    name: str
    value: float
    low: float
    high: float
    unit: str
    about: str
    token: Token
    after: tuple[Token, ...] = ()  # names that follow the number at once, as a unit does: none may mean something in the sheet


@dataclass(frozen=True)
class Named:
    """An expression with a name, a comment and its place."""

    name: str
    tree: Tree
    about: str
    token: Token


@dataclass
class Sheet:
    """What the lines say. `laws` are the kind's own: for each state how it changes."""

    parameters: dict[str, Quantity] = field(default_factory=dict)
    starts: dict[str, Quantity | Named] = field(default_factory=dict)
    named: dict[str, Named] = field(default_factory=dict)
    laws: dict[str, Named] = field(default_factory=dict)
    view: list[Token] = field(default_factory=list)
    reserved: frozenset[str] = RESERVED

    @property
    def states(self) -> list[str]:
        return list(self.laws)

    def add_law(self, name: Token, tree: Tree, about: str) -> None:
        """Raises Misread."""
        self.new(name)
        if len(self.laws) >= MOST_STATES:
            raise refused(f"there are more than {MOST_STATES} states", name, "Make the model smaller.")
        self.laws[name.text] = Named(name.text, tree, about, name)

    def new(self, name: Token, *, observed: bool = True) -> None:
        """Raises Misread where a name is taken; what is observed has a column of the table."""
        if name.text.startswith("_"):
            raise refused(f"“{name.text}” does not begin with a letter", name, "Choose another name.")
        if observed and name.text == "time":
            raise refused("“time” is the first column of every table", name, "Choose another name, or write t for the time.")
        if name.text in self.reserved:
            raise refused(f"“{name.text}” has a meaning of its own", name, "Choose another name.")
        if name.text in self.parameters or name.text in self.named or name.text in self.laws:
            raise refused(f"“{name.text}” is defined twice", name, "Each name has one line.")


Own = Callable[[Line, Sheet, str], bool]  # reads a line that is the kind's own; False where it is none


def read_sheet(text: str, own: Own, reserved: Iterable[str] = ()) -> Sheet:
    """`reserved` are names that mean something in this kind. Raises BadInput, Misread."""
    if len(text) > MOST_LETTERS:
        before = text[:MOST_LETTERS].split("\n")
        raise too_much(f"the model is {len(text):,} letters long; {MOST_LETTERS:,} can be read, up to here", len(before), len(before[-1]) + 1)
    lines = text.split("\n")
    if len(lines) > MOST_LINES:
        raise too_much(f"the model has {len(lines):,} lines; {MOST_LINES} can be read, up to here", MOST_LINES + 1, 1)
    sheet = Sheet(reserved=RESERVED | {*reserved})
    for number, written in enumerate(lines, 1):
        line = Line(tokens_of(written, number))
        if line.next.kind != "end" and not own(line, sheet, comment_of(written)):
            _common(line, sheet, comment_of(written))
    _check_units(sheet)
    return sheet


def _check_units(sheet: Sheet) -> None:
    """Raises Misread where a product without its sign would be read as a number with a unit."""
    known = {*sheet.parameters, *sheet.laws, *sheet.named, *PRODUCTS}
    for quantity in (*sheet.parameters.values(), *(start for start in sheet.starts.values() if isinstance(start, Quantity))):
        if token := next((token for token in quantity.after if token.text in known and token.text != quantity.name), None):
            raise refused(f"expected an operator before {token.shown()}", token, "Products need a sign: write 2*x. A unit that is called like something in the model stands after a range: 2 [0, 5] m.")


def too_much(message: str, line: int, column: int) -> Misread:
    return Misread(message, line=line, column=column, hint="Make it shorter.", field=FIELD)


def _common(line: Line, sheet: Sheet, about: str) -> None:
    """A parameter, a value at the start, a named expression, or what is looked at."""
    if line.starts("view", "name"):
        line.take()
        sheet.view = [line.name()]
        while line.skip(","):
            sheet.view.append(line.name())
    elif line.starts("name", "(", "number", ")", "="):
        _start(line, sheet, about)
    elif line.starts("name", "="):
        name = line.take()
        line.take()
        sheet.new(name, observed=not is_number(line))
        if is_number(line):
            _parameter(line, sheet, name, about)
        else:
            if len(sheet.named) >= MOST_NAMED:
                raise refused(f"there are more than {MOST_NAMED} named expressions", name, "Make the model smaller.")
            sheet.named[name.text] = Named(name.text, line.expression(), about, name)
    else:
        if line.next.kind == "name":
            line.take()
        raise refused(f"expected “=” instead of {line.next.shown()}", line.next, "Each line is an equation, a value such as k = 0.5, or a value at the start such as x(0) = 1.")
    line.end()


def is_number(line: Line) -> bool:
    """Whether a value stands here and no expression: a number, then nothing, a range or a unit."""
    after = line.ahead(2 if line.next.text == "-" else 1)
    return line.ahead(1 if line.next.text == "-" else 0).kind == "number" and (after.kind in ("end", "name") or after.text == "[")


def quantity(line: Line, name: Token, about: str) -> Quantity:
    """`0.5 [0, 2] per day`: a value, perhaps its range and unit. Raises Misread."""
    at = line.next
    value = line.number()
    far = max(-LARGEST, min(LARGEST, 10 * value))
    low, high = (min(0.0, far), max(0.0, far)) if value else (-1.0, 1.0)
    ranged = line.skip("[")
    if ranged:
        low = line.number()
        line.expect(",")
        high = line.number()
        line.expect("]")
        if low >= high:
            raise refused("a range goes from the lower to the higher number", at, "Write it as [0, 2].")
        if not low <= value <= high:
            raise refused(f"{value:g} is not within its range {low:g} … {high:g}", at, "Change the value or the range.")
    unit, names = _unit(line)
    return Quantity(name.text, value, low, high, unit, about, name, () if ranged else names)


def _unit(line: Line) -> tuple[str, tuple[Token, ...]]:
    """(all that follows, as it was typed, the names in it)."""
    names: list[Token] = []
    parts: list[str] = []
    before: Token | None = None
    while line.next.kind != "end":
        token = line.take()
        names += [token] if token.kind == "name" else []
        parts += ["" if before is None or before.end == token.column else " ", token.text]
        before = token
    unit = "".join(parts)
    if before is not None and len(unit) > 30:
        raise refused("a unit has 30 letters at most", before, "What it means is written after #.")
    return unit, tuple(names)


def _parameter(line: Line, sheet: Sheet, name: Token, about: str) -> None:
    if len(sheet.parameters) >= MOST_PARAMETERS:
        raise refused(f"there are more than {MOST_PARAMETERS} parameters", name, "Make the model smaller.")
    if hasattr(Params, name.text) or name.text.startswith("model_"):
        raise refused(f"“{name.text}” can't name a parameter", name, "Choose another name.")
    sheet.parameters[name.text] = quantity(line, name, about)


def _start(line: Line, sheet: Sheet, about: str) -> None:
    name = line.take()
    line.take()
    at = line.next
    if line.number() != 0:
        raise refused("a value at the start is written with 0", at, f"Write {name.text}(0) = …")
    line.expect(")")
    line.expect("=")
    add_start(line, sheet, name, about)


def add_start(line: Line, sheet: Sheet, name: Token, about: str) -> None:
    """Raises Misread."""
    if name.text in sheet.starts:
        raise refused(f"“{name.text}” has two values at the start", name, "Keep one of them.")
    sheet.starts[name.text] = quantity(line, name, about) if is_number(line) else Named(name.text, line.expression(), about, name)


def in_order(named: Mapping[str, Named]) -> dict[str, Named]:
    """Each after those it uses. Raises Misread where one needs itself, naming the way round."""
    done: dict[str, Named] = {}
    for name in named:
        _put(name, named, done, [])
    return done


def _put(name: str, named: Mapping[str, Named], done: dict[str, Named], way: list[str]) -> None:
    if name in done:
        return
    if name in way:
        ring = " → ".join([*way[way.index(name) :], name])
        raise refused(f"“{name}” needs itself: {ring}", named[name].token, "One of them must be told without the others.")
    for leaf in names_in(named[name].tree):
        if leaf.name in named:
            _put(leaf.name, named, done, [*way, name])
    done[name] = named[name]


def settle(sheet: Sheet, functions: Mapping[str, tuple[int, int]], more: Iterable[str] = (), elsewhere: Mapping[str, str] | None = None) -> dict[str, Named]:
    """The named expressions in order, every name known. Raises Misread."""
    known = {"t", *CONSTANTS, *sheet.parameters, *sheet.laws, *sheet.named, *more}
    for named in (*sheet.named.values(), *sheet.laws.values()):
        check(named.tree, known, functions, elsewhere)
    for name, start in sheet.starts.items():
        if name not in sheet.laws:
            raise unknown(start.token, sheet.laws, "state", "Only what has an equation has a value at the start.")
        if isinstance(start, Named):
            _check_start(start, sheet, functions, more)
    for token in sheet.view:
        if token.text not in {*sheet.laws, *sheet.named}:
            raise unknown(token, {*sheet.laws, *sheet.named})
    return in_order(sheet.named)


def _check_start(start: Named, sheet: Sheet, functions: Mapping[str, tuple[int, int]], more: Iterable[str]) -> None:
    """From parameters alone: what else there is has no value yet."""
    for leaf in names_in(start.tree):
        if leaf.name in sheet.laws or leaf.name in sheet.named or leaf.name == "t":
            raise refused(f"“{leaf.name}” has no value yet at the start", leaf.token, "Use parameters and numbers here.")
    check(start.tree, {*CONSTANTS, *sheet.parameters, *more}, functions)
