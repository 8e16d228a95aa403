"""Expressions: read by precedence climbing into trees, and written back with no more brackets than needed. Nothing that is typed is ever run as Python.

Source: V. R. Pratt, Top down operator precedence, POPL (1973) 41–51.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipelines.simulation.own.tokens import Token, refused, unknown

DEEPEST = 100  # brackets in brackets, and terms after terms are counted by HIGHEST
HIGHEST = 250
MOST_NODES = 10_000  # of one tree: a comparison of three has its middle twice, and comparisons in comparisons double it again
MOST_ARGUMENTS = 20
BINDING = {"or": 2, "and": 3, "<": 5, "<=": 5, ">": 5, ">=": 5, "==": 5, "!=": 5, "+": 6, "-": 6, "*": 7, "/": 7, "%": 7, "^": 9}
NOT, MINUS, CHOICE = 4, 8, 1
COMPARISONS = frozenset({"<", "<=", ">", ">=", "==", "!="})
# Functions and how many arguments they take
FUNCTIONS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(("sin", "cos", "tan", "asin", "acos", "atan", "tanh", "exp", "log", "log10", "sqrt", "abs", "floor", "ceil", "round", "sign", "step"), (1, 1)),
    "min": (2, MOST_ARGUMENTS), "max": (2, MOST_ARGUMENTS), "pulse": (3, 3),
}  # fmt: skip
CHANCE: dict[str, tuple[int, int]] = {"noise": (0, 0), "random": (0, 0)}
OTHER_NAMES = {"ln": "log", "π": "pi"}
CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}


@dataclass(frozen=True)
class Tree:
    """A number, a name, a call, or an operator (“neg” and “not” with one part, “if” with three) over its parts."""

    head: str
    parts: tuple[Tree, ...] = ()
    value: float = 0.0
    name: str = ""
    token: Token = field(default=Token("end", "", 1, 1, 1), compare=False, repr=False)
    height: int = field(default=1, compare=False, repr=False)
    nodes: int = field(default=1, compare=False, repr=False)


def number(value: float) -> Tree:
    return Tree("number", value=value)


def node(head: str, *parts: Tree, token: Token | None = None, name: str = "") -> Tree:
    """Raises Misread where it would be too high or too large to walk."""
    at = token or (parts[0].token if parts else Tree("number").token)
    height, nodes = 1 + max((part.height for part in parts), default=0), 1 + sum(part.nodes for part in parts)
    if height > HIGHEST or nodes > MOST_NODES:
        raise refused("this expression is too long", at, "Give parts of it names of their own, one a line.")
    return Tree(head, parts, name=name, token=at, height=height, nodes=nodes)


class Line:
    """One line's tokens, read from left to right."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def ahead(self, count: int) -> Token:
        return self.tokens[min(self.at + count, len(self.tokens) - 1)]

    def take(self) -> Token:
        token = self.next
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def starts(self, *texts: str) -> bool:
        """Whether the next tokens are these; "name" and "number" stand for any."""
        return all(self.ahead(number).text == text or self.ahead(number).kind == text for number, text in enumerate(texts))

    def skip(self, text: str) -> bool:
        """Take the next token if it is this."""
        if self.next.text != text or self.next.kind == "end":
            return False
        self.take()
        return True

    def expect(self, text: str) -> Token:
        """Raises Misread."""
        if self.next.text != text or self.next.kind == "end":
            raise refused(f"expected “{text}” instead of {self.next.shown()}", self.next)
        return self.take()

    def name(self, what: str = "a name") -> Token:
        """Raises Misread."""
        if self.next.kind != "name":
            raise refused(f"expected {what} instead of {self.next.shown()}", self.next)
        return self.take()

    def number(self) -> float:
        """With its sign. Raises Misread."""
        sign = -1.0 if self.skip("-") else 1.0
        if self.next.kind != "number":
            raise refused(f"expected a number instead of {self.next.shown()}", self.next)
        return sign * float(self.take().text)

    def end(self) -> None:
        """Raises Misread where something is left."""
        if self.next.kind in ("name", "number") or self.next.text == "(":
            raise refused(f"expected an operator before {self.next.shown()}", self.next, "Products need a sign: write 2*x.")
        if self.next.kind != "end":
            raise refused(f"{self.next.shown()} is not expected here", self.next)

    def expression(self, binding: int = 0) -> Tree:
        """As far as operators bind more tightly than `binding`. Raises Misread."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise refused(f"the expression is nested more than {DEEPEST} deep", self.next, "Give parts of it names of their own, one a line.")
        left = self._after(self._first(), binding)
        self.depth -= 1
        return left

    def _after(self, left: Tree, binding: int) -> Tree:
        while True:
            token = self.next
            sign = "^" if token.text == "**" else token.text
            if token.text == "if" and binding < CHOICE:
                left = self._choice(left)
            elif sign in COMPARISONS and BINDING[sign] > binding:
                left = self._compared(left)
            elif sign in BINDING and token.kind != "end" and BINDING[sign] > binding:
                self.take()
                left = node(sign, left, self.expression(BINDING[sign] - (sign == "^")), token=token)
            else:
                return left

    def _choice(self, yes: Tree) -> Tree:
        """`yes if condition else no`."""
        token = self.take()
        condition = self.expression(CHOICE)
        self.expect("else")
        return node("if", condition, yes, self.expression(), token=token)

    def _compared(self, left: Tree) -> Tree:
        """`a < b < c` means a < b and b < c."""
        found: Tree | None = None
        while self.next.text in COMPARISONS:
            token = self.take()
            right = self.expression(BINDING["<"])
            one = node(token.text, left, right, token=token)
            found, left = (one if found is None else node("and", found, one, token=token)), right
        assert found is not None
        return found

    def _first(self) -> Tree:
        token = self.next
        if token.kind == "number":
            return Tree("number", value=float(self.take().text), token=token)
        if token.kind == "name":
            return self._named()
        if token.text in ("-", "+"):
            self.take()
            part = self.expression(MINUS)
            return node("neg", part, token=token) if token.text == "-" else part
        if token.text == "not":
            self.take()
            return node("not", self.expression(NOT), token=token)
        if token.text == "if":
            return self._called(self.take(), "if")
        if self.skip("("):
            inner = self.expression()
            self.expect(")")
            return inner
        raise refused(f"expected a number, a name or “(” instead of {token.shown()}", token)

    def _named(self) -> Tree:
        token = self.take()
        name = OTHER_NAMES.get(token.text, token.text)
        if self.next.text == "(":
            return self._called(token, name)
        if self.starts("[", "n", "]"):  # x[n] of a map
            self.at += 3
        return Tree("name", name=name, token=token)

    def _called(self, token: Token, name: str) -> Tree:
        self.expect("(")
        parts: list[Tree] = []
        while not self.skip(")"):
            if parts:
                if self.next.text != ",":
                    raise refused(f"expected “,” or “)” instead of {self.next.shown()}", self.next)
                self.take()
            parts.append(self.expression())
            if len(parts) > MOST_ARGUMENTS:
                raise refused(f"“{name}” has more than {MOST_ARGUMENTS} arguments", token)
        if name == "if":
            _counted(name, token, len(parts), (3, 3))
            return node("if", *parts, token=token)
        return node("call", *parts, token=token, name=name)


def _counted(name: str, token: Token, count: int, wanted: tuple[int, int]) -> None:
    low, high = wanted
    if low == high == 1 != count:
        raise refused(f"“{name}” takes one argument, not {count}", token)
    if not low <= count <= high:
        raise refused(f"“{name}” takes {low} arguments, not {count}" if low == high else f"“{name}” takes {low} to {high} arguments, not {count}", token)


def parts_in(tree: Tree) -> Iterator[Tree]:
    """The tree and all its parts, from the outside in and from left to right; what stands in it twice, as the middle of a < b < c does, once."""
    waiting, seen = [tree], set[int]()
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen.add(id(part))
            waiting += reversed(part.parts)
            yield part


def names_in(tree: Tree) -> Iterator[Tree]:
    """The leaves that are names."""
    return (part for part in parts_in(tree) if part.head == "name")


def calls_in(tree: Tree) -> Iterator[Tree]:
    """Calls, outermost first."""
    return (part for part in parts_in(tree) if part.head == "call")


def rebuilt(tree: Tree, change: Callable[[Tree], Tree | None]) -> Tree:
    """With other trees where `change` gives one. What stands in it twice stays one tree: a draw in the middle of a < noise() < b is one draw."""
    made: dict[int, Tree] = {}

    def of(one: Tree) -> Tree:
        if id(one) not in made:
            other = change(one)
            made[id(one)] = replace(one, parts=tuple(map(of, one.parts))) if other is None and one.parts else other or one
        return made[id(one)]

    return of(tree)


def renamed(tree: Tree, names: Mapping[str, str]) -> Tree:
    """With other names for some of its leaves."""
    return rebuilt(tree, lambda part: Tree("name", name=names[part.name], token=part.token) if part.head == "name" and part.name in names else None)


def check(tree: Tree, known: Mapping[str, object] | set[str], functions: Mapping[str, tuple[int, int]], elsewhere: Mapping[str, str] | None = None) -> None:
    """Raises Misread at the first name or function that is not known; `elsewhere` says why one has no place here."""
    for call in calls_in(tree):
        if call.name in (elsewhere or {}) and call.name not in functions:
            raise refused(f"“{call.name}” has no place here", call.token, (elsewhere or {})[call.name])
        if call.name not in functions:
            if call.name in known:
                raise refused(f"“{call.name}” is no function", call.token, "Write its name alone; products need a sign, as in k*(a + b).")
            raise unknown(call.token, functions, "function")
        _counted(call.name, call.token, len(call.parts), functions[call.name])
    for leaf in names_in(tree):
        if leaf.name not in known:
            if leaf.name in functions:
                raise refused(f"“{leaf.name}” is a function", leaf.token, f"Write it with brackets, as in {leaf.name}(…).")
            raise unknown(leaf.token, known)


def written(tree: Tree, binding: int = 0) -> str:
    """The text of a tree; read again it is the same tree."""
    if tree.head == "number":
        return _number_text(tree.value)
    if tree.head == "name":
        return tree.name
    if tree.head in ("call", "if"):
        return f"{tree.name or 'if'}({', '.join(written(part) for part in tree.parts)})"
    text, own = _operated(tree)
    return f"({text})" if own <= binding else text


def _operated(tree: Tree) -> tuple[str, int]:
    """(text, how tightly it binds)."""
    if tree.head == "neg":
        return f"-{written(tree.parts[0], MINUS)}", MINUS
    if tree.head == "not":
        return f"not {written(tree.parts[0], NOT)}", NOT
    own = BINDING[tree.head]
    left, right = tree.parts
    if tree.head == "^":
        return f"{written(left, own)}^{written(right, own - 1)}", own
    if tree.head in COMPARISONS:  # a comparison of comparisons needs brackets on both sides
        return f"{written(left, own)} {tree.head} {written(right, own)}", own
    return f"{written(left, own - 1)} {tree.head} {written(right, own)}", own


def _number_text(value: float) -> str:
    return str(int(value)) if value == int(value) and value < 1e15 else repr(value)
