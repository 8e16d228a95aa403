"""States: text lines into automata: rule B3/S23, rule 110, or alive -> dead if count(alive) < 2; the lines about states are those of agents too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pipelines.simulation.own.automata import EIGHT, FOUR, Change, Conditions, Elementary, LifeLike, OwnAutomaton, Rules
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.expressions import CHANCE, CONSTANTS, FUNCTIONS, Line, Tree, check, rebuilt
from pipelines.simulation.own.program import Program, drawn, program_of
from pipelines.simulation.own.sheet import Quantity, Sheet, in_order, quantity, read_sheet
from pipelines.simulation.own.tokens import FIELD, Token, refused
from pipelines.simulation.own.typed import field_of, free_name, made, params_class
from studio.api import BadInput, Series

MOST_KINDS = 8
LIFE_KINDS, RULE_110_KINDS = ("dead", "alive"), ("white", "black")


def read_automaton(declaration: Declaration) -> OwnAutomaton:
    """`rule B3/S23`, `rule 110`, or `alive -> dead if count(alive) < 2`."""
    rules = Rules()

    def own(line: Line, sheet: Sheet, about: str) -> bool:
        return read_state_line(line, sheet, about, rules) or _rule(line, rules) or _change(line, rules)

    sheet = read_sheet(declaration.text, own, reserved=("count", "fraction", "neighbours"))
    if not rules.names and not rules.changes and rules.born is None and rules.number is None:
        raise BadInput("There is no rule yet.", hint="Write one, as in rule B3/S23, rule 110, or alive -> dead if count(alive) < 2.", field=FIELD)
    if (rules.born is not None or rules.number is not None) and rules.changes:
        raise refused("a rule by its number and conditions don't go together", rules.changes[0].token, "Keep one of them.")
    if rules.born is None and rules.number is None:
        return _conditions(declaration, sheet, rules)
    rules.names = rules.names or (list(LIFE_KINDS if rules.number is None else RULE_110_KINDS))
    if len(rules.names) != 2:
        raise refused("such a rule has two states", rules.at, "Leave the line with the states out.")
    if rules.number is None and 0 in (rules.born or ()) and declaration.border != "periodic":
        raise refused("a rule with B0 needs a periodic border", rules.at)
    if rules.number is None and not rules.starts:
        rules.starts[1] = Quantity(rules.names[1], 0.3, 0.0, 1.0, "", "", rules.at)
    return made(Elementary if rules.number is not None else LifeLike, declaration, rules=rules, **parts(sheet, rules))


def parts(sheet: Sheet, rules: Rules) -> dict[str, Any]:
    """Params, series and shares of what has states. Raises Misread at lines that mean nothing here."""
    if strange := [start.token for start in sheet.starts.values()] + sheet.view:
        raise refused(f"“{strange[0].text}” has no place here", strange[0], f"How much there is of a state at the start is written start {rules.names[-1]} = 0.1.")
    shares = share_fields(sheet, rules)
    more: dict[str, tuple[Any, Any]] = {
        name: field_of(rules.starts[number], f"{rules.names[number]} at the start", "Share of the cells in this state at the start.", live=False, advanced=False) for number, name in shares.items()
    }
    return {
        "Params": params_class(sheet, more), "names": tuple(rules.names), "series": tuple(Series(name, name, "share") for name in rules.names),
        "shares": tuple(shares.get(number, "") for number in range(1, len(rules.names))), "sheet": sheet, "stochastic": bool(shares), "dt": 1.0,
    }  # fmt: skip


def share_fields(sheet: Sheet, rules: Rules) -> dict[int, str]:
    """By state, the field of what there is of it at the start."""
    taken, fields = {*sheet.parameters, *sheet.named}, dict[int, str]()
    for number in rules.starts:
        fields[number] = free_name((f"{rules.names[number]}0", f"{rules.names[number]}_0", f"{rules.names[number]}_start"), taken)
        taken.add(fields[number])
    return fields


def read_state_line(line: Line, sheet: Sheet, about: str, rules: Rules) -> bool:
    """`states: dead, alive`, `start alive = 0.3` or `around 4`."""
    if line.starts("states"):
        rules.at = line.take()
        line.skip(":")
        while not rules.names or line.skip(","):
            name = line.name("a state")
            if name.text in rules.names:
                raise refused(f"“{name.text}” is defined twice", name, "Each name has one line.")
            sheet.new(name)
            sheet.reserved |= {name.text}
            rules.names.append(name.text)
            if len(rules.names) > MOST_KINDS:
                raise refused(f"there are more than {MOST_KINDS} states", name, "Make the model smaller.")
    elif line.starts("start", "name", "="):
        line.take()
        name = line.take()
        line.take()
        if not rules.names:
            rules.names = next((list(pair) for pair in (LIFE_KINDS, RULE_110_KINDS) if name.text in pair), [])
        number = rules.state(name)
        if number == 0:
            raise refused("what is left has the first state", name, "Say how much there is of the others.")
        rules.starts[number] = _share(quantity(line, name, about))
    elif line.starts("around", "number"):
        line.take()
        token = line.take()
        if token.text not in ("4", "8"):
            raise refused(f"a cell has 4 or 8 neighbours, not {token.text}", token)
        rules.around = FOUR if token.text == "4" else EIGHT
    else:
        return False
    line.end()
    return True


def _share(written: Quantity) -> Quantity:
    """Raises Misread where it is no share."""
    if not 0 <= written.value <= 1:
        raise refused(f"a share is from 0 to 1, not {written.value:g}", written.token)
    return replace(written, low=max(written.low, 0.0), high=min(written.high, 1.0) if written.value else 1.0)


def _rule(line: Line, rules: Rules) -> bool:
    if not line.starts("rule", "number") and not (line.starts("rule", "name", "/", "name")):
        return False
    rules.at = line.take()
    token = line.take()
    if token.kind == "number":
        if not token.text.isdigit() or float(token.text) > 255:
            raise refused(f"elementary rules go from 0 to 255, not {token.text}", token)
        rules.number = int(float(token.text))  # Python refuses to count thousands of digits, be they zeros
    else:
        line.take()
        rules.born, rules.stay = _digits(token, "B"), _digits(line.take(), "S")
    line.end()
    return True


def _digits(token: Token, letter: str) -> frozenset[int]:
    """B36: {3, 6}. Raises Misread."""
    digits = token.text[1:]
    if token.text[:1].upper() != letter or any(digit not in "012345678" for digit in digits):
        raise refused(f"expected {letter} and numbers of neighbours from 0 to 8 instead of “{token.text}”", token, "As in rule B3/S23.")
    return frozenset(int(digit) for digit in digits)


def _change(line: Line, rules: Rules) -> bool:
    """alive -> dead if condition; a * stands for any state."""
    if not line.starts("name", "->") and not line.starts("*", "->"):
        return False
    token = line.take()
    source = None if token.text == "*" else rules.state(token)
    line.take()
    target = rules.state(line.name("a state"))
    condition = Tree("number", value=1.0, token=token)
    if line.next.kind != "end":
        line.expect("if")
        condition = line.expression()
    line.end()
    rules.changes.append(Change(source, target, condition, token))
    return True


def counts_as_names(tree: Tree, rules: Rules, found: dict[str, tuple[str, int]]) -> Tree:
    """count(alive), fraction(alive) and neighbours(alive) become names of inputs, noted in `found`. Raises Misread."""

    def named(part: Tree) -> Tree | None:
        if part.head != "call" or part.name not in ("count", "fraction", "neighbours"):
            return None
        if len(part.parts) != 1 or part.parts[0].head != "name":
            raise refused(f"“{part.name}” takes the name of one state", part.token, f"As in {part.name}({rules.names[-1]}).")
        number = rules.state(part.parts[0].token)
        name = f"{part.name}({rules.names[number]})"
        found[name] = (part.name, number)
        return Tree("name", name=name, token=part.token)

    return rebuilt(tree, named)


def program_for(sheet: Sheet, rules: Rules, trees: list[Tree], draws: dict[str, str], counts: dict[str, tuple[str, int]], more: tuple[str, ...] = ()) -> Program:
    """The conditions or rates, with the named expressions of the sheet in the same terms. Raises Misread."""
    named = {name: counts_as_names(one.tree, rules, counts) for name, one in in_order(sheet.named).items()}
    trees = [drawn(counts_as_names(tree, rules, counts), draws) for tree in trees]
    known = {"t", *CONSTANTS, *sheet.parameters, *sheet.named, *draws, *counts, *more}
    for tree in (*named.values(), *trees):
        check(tree, known, FUNCTIONS, dict.fromkeys(CHANCE, "A named expression can't hold chance: use it in the conditions themselves."))
    return program_of(["t", *counts, *sheet.parameters, *draws, *more], named, trees)


def _conditions(declaration: Declaration, sheet: Sheet, rules: Rules) -> Conditions:
    if not rules.changes:
        raise refused("there is no change yet", rules.at, "Write one, as in alive -> dead if count(alive) < 2.")
    draws: dict[str, str] = {}
    counts: dict[str, tuple[str, int]] = {}
    program = program_for(sheet, rules, [change.condition for change in rules.changes], draws, counts)
    return made(Conditions, declaration, rules=rules, program=program, draws=draws, counts=counts, **parts(sheet, rules) | {"stochastic": bool(draws or rules.starts)})
