"""Reading: text lines into models whose states are numbers: dx/dt = …, x' = …, dX = … dt + … dW, stocks and flows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipelines.simulation.own import machine
from pipelines.simulation.own.declaration import Declaration
from pipelines.simulation.own.equations import OwnMap, OwnOde, OwnSde, OwnStocks
from pipelines.simulation.own.expressions import CHANCE, FUNCTIONS, Line, Tree, names_in, node, number, renamed
from pipelines.simulation.own.program import drawn
from pipelines.simulation.own.sheet import Named, Sheet, add_start, read_sheet, settle
from pipelines.simulation.own.tokens import FIELD, Token, refused, unknown
from pipelines.simulation.own.typed import made, parts_of
from studio.api import BadInput

NO_CHANCE = dict.fromkeys(CHANCE, "Chance belongs to maps, automata and stochastic equations (there as dW).")
NO_NOISE = dict.fromkeys(CHANCE, "The chance of such equations is dW.")


def read_ode(declaration: Declaration) -> OwnOde:
    """dS/dt = … or S' = …"""
    sheet = read_sheet(declaration.text, derivative_line)
    return _ode(OwnOde, declaration, sheet, tuple(f"d{name}/dt" for name in sheet.laws))


def _ode(kind: type[OwnOde], declaration: Declaration, sheet: Sheet, labels: tuple[str, ...]) -> OwnOde:
    _some(sheet, "Write how something changes, as in dx/dt = -k*x.")
    named = settle(sheet, FUNCTIONS, elsewhere=NO_CHANCE)
    return made(kind, declaration, labels=labels, **parts_of(sheet, named))


def _some(sheet: Sheet, hint: str) -> None:
    if not sheet.laws:
        raise BadInput("There is no equation yet.", hint=hint, field=FIELD)


def derivative_line(line: Line, sheet: Sheet, about: str) -> bool:
    if line.starts("name", "/", "dt", "=") and line.next.text.startswith("d") and len(line.next.text) > 1:
        token = line.take()
        name = Token("name", token.text[1:], token.line, token.column + 1, token.end)
        line.at += 3
    elif line.starts("name", "'", "="):
        name = line.take()
        line.at += 2
    else:
        return False
    sheet.add_law(name, line.expression(), about)
    line.end()
    return True


def read_map(declaration: Declaration) -> OwnMap:
    """x' = … or x[n+1] = …; a step is 1."""
    sheet = read_sheet(declaration.text, _next, reserved=("n",))
    _some(sheet, "Write what comes next, as in x' = r*x*(1-x).")
    settle(sheet, FUNCTIONS | CHANCE, more=("n",))
    draws: dict[str, str] = {}
    for group in (sheet.laws, sheet.named):
        for name, one in list(group.items()):
            group[name] = Named(name, drawn(renamed(one.tree, {"n": "t"}), draws), one.about, one.token)
    _same_chance(sheet, draws)
    parts = parts_of(sheet, settle(sheet, FUNCTIONS, more=draws), more=list(draws))
    places = [[parts["program"].inputs.index(name), machine.NORMAL if kind == "noise" else machine.UNIFORM] for name, kind in draws.items()]
    return made(OwnMap, declaration, labels=tuple(f"{name}'" for name in sheet.laws), draws=np.array(places, dtype=np.int64).reshape(-1, 2), stochastic=bool(draws), dt=1.0, **parts)


def _next(line: Line, sheet: Sheet, about: str) -> bool:
    if line.starts("name", "'", "="):
        name = line.take()
        line.at += 2
    elif line.starts("name", "[", "n", "+"):
        name = line.take()
        line.at += 3
        if (one := line.next).text != "1":
            raise refused(f"expected “1” instead of {one.shown()}", one, "A map tells the next step, n+1, from this one.")
        line.take()
        line.expect("]")
        line.expect("=")
    else:
        return False
    sheet.add_law(name, line.expression(), about)
    line.end()
    return True


def _same_chance(sheet: Sheet, draws: dict[str, str]) -> None:
    """A named expression with chance in it is none that can be looked at: what is drawn is gone after the step."""
    for named in sheet.named.values():
        if any(leaf.name in draws for leaf in names_in(named.tree)):
            raise refused(f"“{named.name}” can't hold chance", named.token, "Use noise() and random() in the equations themselves.")


def read_sde(declaration: Declaration) -> OwnSde:
    """dX = … dt + … dW."""
    sheet = read_sheet(declaration.text, _differential)
    _some(sheet, "Write how something changes, as in dX = mu*X*dt + sigma*X*dW.")
    wieners = sorted({leaf.name for law in sheet.laws.values() for leaf in names_in(law.tree) if is_wiener(leaf.name)})
    for named in sheet.named.values():
        _no_differential(named.tree)
    ordered = settle(sheet, FUNCTIONS, more=("dt", *wieners), elsewhere=NO_NOISE)
    drifts: list[Tree] = []
    noises: list[Tree] = []
    terms: list[tuple[int, int]] = []
    sources: dict[str, int] = {}
    for place, (name, law) in enumerate(sheet.laws.items()):
        split = differentials(law.tree)
        if None in split:
            raise refused("each term needs dt or a dW", split[None].token, "As in mu*X*dt + sigma*X*dW.")
        drifts.append(split.get("dt", number(0)))
        for wiener, tree in sorted((str(wiener), tree) for wiener, tree in split.items() if wiener != "dt"):
            noises.append(tree)
            source = f"{wiener} of {name}" if wiener == "dW" else wiener
            terms.append((place, sources.setdefault(source, len(sources))))
    if declaration.method == "milstein":
        _diagonal(sheet, noises, terms, ordered)
    parts = parts_of(sheet, ordered, [*drifts, *noises])
    labels = (*(f"d{name}" for name in sheet.laws), *(f"d{sheet.states[place]}" for place, _ in terms))
    return made(OwnSde, declaration, labels=labels, terms=np.array(terms, dtype=np.int64).reshape(-1, 2), sources_of_noise=len(sources), **parts)


def is_wiener(name: str) -> bool:
    return name == "dW" or (name.startswith("dW") and name[2:].isdigit())


def _no_differential(tree: Tree) -> None:
    for leaf in names_in(tree):
        if leaf.name == "dt" or is_wiener(leaf.name):
            raise refused(f"“{leaf.name}” has no place here", leaf.token, "It belongs in an equation that begins with d, as in dX = …")


def _differential(line: Line, sheet: Sheet, about: str) -> bool:
    if not line.starts("name", "=") or not line.next.text.startswith("d") or len(line.next.text) < 2:
        return False
    if not any(token.text == "dt" or is_wiener(token.text) for token in line.tokens):
        return False
    token = line.take()
    line.take()
    name = Token("name", token.text[1:], token.line, token.column + 1, token.end)
    sheet.add_law(name, line.expression(), about)
    line.end()
    return True


def differentials(tree: Tree) -> dict[str | None, Tree]:
    """What stands before dt and before each dW; under None what stands alone. Raises Misread where a differential is not simply multiplied."""
    if tree.head == "name" and (tree.name == "dt" or is_wiener(tree.name)):
        return {tree.name: Tree("number", value=1.0, token=tree.token)}
    if not any(leaf.name == "dt" or is_wiener(leaf.name) for leaf in names_in(tree)):
        return {None: tree}
    if tree.head == "neg":
        return {key: node("neg", part, token=tree.token) for key, part in differentials(tree.parts[0]).items()}
    if tree.head in ("+", "-"):
        return _summed(tree)
    if tree.head in ("*", "/"):
        left, right = (differentials(part) for part in tree.parts)
        if set(right) == {None}:
            return {key: node(tree.head, part, right[None], token=tree.token) for key, part in left.items()}
        if set(left) == {None} and tree.head == "*":
            return {key: node("*", left[None], part, token=tree.token) for key, part in right.items()}
    raise refused("dt and dW can be multiplied by something and added, no more", tree.token, "As in mu*X*dt + sigma*X*dW.")


def _summed(tree: Tree) -> dict[str | None, Tree]:
    left, right = (differentials(part) for part in tree.parts)
    found = dict(left)
    for key, part in right.items():
        if key in found:
            found[key] = node(tree.head, found[key], part, token=tree.token)
        else:
            found[key] = part if tree.head == "+" else node("neg", part, token=tree.token)
    return found


def _diagonal(sheet: Sheet, noises: list[Tree], terms: list[tuple[int, int]], named: dict[str, Named]) -> None:
    """Milstein's correction is that of noise that each equation has for itself. Raises Misread."""
    for tree, (place, source) in zip(noises, terms, strict=True):
        own = sheet.states[place]
        used = {leaf.name for leaf in names_in(tree)}
        for name in reversed(named):
            used |= {leaf.name for leaf in names_in(named[name].tree)} if name in used else set()
        if used & ({*sheet.laws} - {own}) or [other for other, _ in terms].count(place) > 1 or [other for _, other in terms].count(source) > 1:
            raise refused("Milstein's method needs noise that each equation has for itself", sheet.laws[own].token, "Use Euler–Maruyama.")


def read_stock(declaration: Declaration) -> OwnStocks:
    """stock Water = 100, and flow leak: Water -> outside = k*Water."""
    flows: list[tuple[str, Token, Token]] = []
    sheet = read_sheet(declaration.text, _stock_line(flows), reserved=("outside",))
    _some(sheet, "Write a stock, as in stock Water = 100.")
    for flow, source, target in flows:
        for end, sign in ((source, "-"), (target, "+")):
            if end.text == "outside":
                continue
            if end.text not in sheet.laws:
                raise unknown(end, [*sheet.laws, "outside"], "name", "A flow goes from a stock or outside to another.")
            law = sheet.laws[end.text]
            tree = Tree("name", name=flow, token=end)
            grown = node(sign, law.tree, tree, token=end) if law.tree != number(0) else tree if sign == "+" else node("neg", tree, token=end)
            sheet.laws[end.text] = Named(law.name, grown, law.about, law.token)
    model = _ode(OwnStocks, declaration, sheet, tuple(sheet.laws))
    assert isinstance(model, OwnStocks)
    return model


def _stock_line(flows: list[tuple[str, Token, Token]]) -> Callable[[Line, Sheet, str], bool]:
    def read(line: Line, sheet: Sheet, about: str) -> bool:
        if line.starts("stock", "name"):
            line.take()
            name = line.name()
            line.expect("=")
            sheet.add_law(name, number(0), about)
            add_start(line, sheet, name, about)
        elif line.starts("flow", "name"):
            line.take()
            name = line.name()
            line.expect(":")
            source = line.name("a stock or “outside”")
            line.expect("->")
            target = line.name("a stock or “outside”")
            line.expect("=")
            sheet.new(name)
            sheet.named[name.text] = Named(name.text, line.expression(), about, name)
            flows.append((name.text, source, target))
        else:
            return False
        line.end()
        return True

    return read
