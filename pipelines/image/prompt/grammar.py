"""The prompt language as the ecosystem writes it, parsed without loss: `str(parse(text)) == text`.

(word) ((word)) [word] (word:1.2)   more or less weight        [from:to:0.5] [to:0.5] [from::0.5]   changed at a step
[a|b]   in turn                      BREAK   a new chunk         AND   prompts side by side, each with a :weight
<lora:name:0.8>   a network          {a|b} __name__   choices, made before the prompt is read        \\( \\[ \\{ \\#   the signs themselves
# …   up to the line's end: a comment

Source: the notation of AUTOMATIC1111's web UI as its users' documentation describes it; https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, Union

from studio.api import BadInput

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_TAIL_WEIGHT = re.compile(rf"(\s*):(\s*{NUMBER}\s*)$")
_WHEN = re.compile(r"\s*(?:\d+\.?\d*|\.\d+)\s*$")
_COMMENT = re.compile(r"#[^\n]*")
_NETWORK = re.compile(r"<([a-z]+):([^<>:]+)((?::[^<>:]*)*)>")
_WILDCARD = re.compile(r"__(?!_)([\w*?./-]+?)__")
_WORD = {"AND": re.compile(r"\bAND\b"), "BREAK": re.compile(r"\bBREAK\b")}
OPENING, CLOSING = {"(": ")", "[": "]", "{": "}"}, set(")]}")
MOST_LETTERS = 20_000
DEEPEST = 40


class PromptError(BadInput):
    """A fault at one place of the prompt; `place` counts its characters from 0."""

    def __init__(self, message: str, place: int, *, hint: str = "") -> None:
        super().__init__(message, hint=hint, field="prompt")
        self.place = place


def near(text: str, place: int) -> str:
    """The letters around a place, which is marked."""
    return text[max(0, place - 12) : place] + "▸" + text[place : place + 12]


@dataclass(frozen=True)
class Text:
    """Letters as they were written, signs still escaped."""

    raw: str

    def __str__(self) -> str:
        return self.raw


@dataclass(frozen=True)
class Emphasis:
    """( ), [ ] or ( :number); `number` is the number as it was written, blanks included."""

    opening: str
    body: Sequence
    number: str = ""

    @property
    def weight(self) -> float:
        return float(self.number) if self.number else 1.1 if self.opening == "(" else 1 / 1.1

    def __str__(self) -> str:
        return f"{self.opening}{self.body}{':' + self.number if self.number else ''}{OPENING[self.opening]}"


@dataclass(frozen=True)
class Switch:
    """[before:after:when]; `short` is [after:when]. A `when` with a point is a share of the steps, without one a step."""

    before: Sequence
    after: Sequence
    when: str
    short: bool = False

    def step(self, steps: int, before: int = 0) -> int:
        """The step behind which `after` holds. In a second pass `before` is how many steps the first had: shares from 1 to 2 and later steps are of the second."""
        value = float(self.when)
        return max(0, min(steps, int((value - (1 if before else 0)) * steps if "." in self.when else value - before)))

    def __str__(self) -> str:
        return f"[{self.after}:{self.when}]" if self.short else f"[{self.before}:{self.after}:{self.when}]"


@dataclass(frozen=True)
class Alternate:
    """[a|b]: one after the other, a step each."""

    options: tuple[Sequence, ...]

    def __str__(self) -> str:
        return f"[{'|'.join(map(str, self.options))}]"


@dataclass(frozen=True)
class Choice:
    """{a|b}: extensions choose before the prompt is read; what is left here is read as it is written."""

    options: tuple[Sequence, ...]

    def __str__(self) -> str:
        return f"{{{'|'.join(map(str, self.options))}}}"


@dataclass(frozen=True)
class Wildcard:
    """__name__: a line of a file, chosen by an extension."""

    name: str

    def __str__(self) -> str:
        return f"__{self.name}__"


@dataclass(frozen=True)
class Network:
    """<lora:name:weight:…>: a network to add; nothing of it is read by the encoder."""

    kind: str
    name: str
    rest: str

    def __str__(self) -> str:
        return f"<{self.kind}:{self.name}{self.rest}>"

    @property
    def values(self) -> list[str]:
        return self.rest.split(":")[1:]


@dataclass(frozen=True)
class Break:
    """BREAK: what follows begins a new chunk."""

    def __str__(self) -> str:
        return "BREAK"


@dataclass(frozen=True)
class Comment:
    """# up to the line's end: for people."""

    raw: str

    def __str__(self) -> str:
        return self.raw


Node = Union[Text, Emphasis, Switch, Alternate, Choice, Wildcard, Network, Break, Comment]  # noqa: UP007 (the classes name each other)


@dataclass(frozen=True)
class Sequence:
    nodes: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return "".join(map(str, self.nodes))


@dataclass(frozen=True)
class Part:
    """One of the prompts that AND joins; `tail` is ":weight" as it was written, with the blank before it."""

    body: Sequence
    tail: str = ""

    @property
    def weight(self) -> float:
        return float(self.tail.strip()[1:]) if self.tail else 1.0

    def __str__(self) -> str:
        return f"{self.body}{self.tail}"


@dataclass(frozen=True)
class Prompt:
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "AND".join(map(str, self.parts))


def parse(text: str) -> Prompt:
    """Raises PromptError at the character that is wrong, BadInput where the prompt is too long."""
    if len(text) > MOST_LETTERS:
        raise BadInput(f"The prompt has {len(text):,} letters; {MOST_LETTERS:,} can be read.", hint="Shorten it.", field="prompt")
    return _Reader(text).prompt()


def networks(prompt: Prompt) -> list[Network]:
    """All <kind:name> in the order they are written, wherever they stand."""
    found: list[Network] = []

    def walk(body: Sequence) -> None:
        for node in body.nodes:
            if isinstance(node, Network):
                found.append(node)
            for inner in children(node):
                walk(inner)

    for part in prompt.parts:
        walk(part.body)
    return found


def children(node: Node) -> tuple[Sequence, ...]:
    if isinstance(node, Emphasis):
        return (node.body,)
    if isinstance(node, Switch):
        return (node.before, node.after)
    return node.options if isinstance(node, (Alternate, Choice)) else ()


class _Reader:
    """Reads from left to right; brackets are matched by going down one call."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0
        self.opened: list[int] = []
        self.braces = _choices(text)  # where a choice may begin; one that turns out to be none is taken out

    def prompt(self) -> Prompt:
        parts = [self._part()]
        while self._word("AND"):
            self.place += 3
            parts.append(self._part())
        return Prompt(tuple(parts))

    def _part(self) -> Part:
        body = self._body("", ends=("AND",))
        last = body.nodes[-1] if body.nodes else None
        joined = self._word("AND") or self._after_and(str(body))
        if joined and isinstance(last, Text) and (found := _TAIL_WEIGHT.search(last.raw)):
            kept = last.raw[: found.start()]
            return Part(Sequence((*body.nodes[:-1], *((Text(kept),) if kept else ()))), found.group())
        return Part(body)

    def _after_and(self, body: str) -> bool:
        """Whether this part follows an AND: only then may its end be a weight."""
        return self.text[: self.place - len(body)].endswith("AND")

    def _body(self, closing: str, ends: tuple[str, ...] = (), stops: str = "") -> Sequence:
        """Nodes up to `closing` (left unread), one of the letters in `stops`, or one of the words `ends`."""
        nodes: list[Node] = []
        letters = ""
        while self.place < len(self.text):
            sign = self.text[self.place]
            if sign == closing or (sign in stops) or any(self._word(word) for word in ends):
                break
            node = self._node(sign)
            if node is None:
                letters += self._letter()
                continue
            if letters:
                nodes.append(Text(letters))
                letters = ""
            nodes.append(node)
        return Sequence((*nodes, *((Text(letters),) if letters else ())))

    def _letter(self) -> str:
        size = 2 if self.text[self.place] == "\\" and self.place + 1 < len(self.text) else 1
        self.place += size
        return self.text[self.place - size : self.place]

    def _word(self, word: str) -> bool:
        found = _WORD[word].match(self.text, self.place)
        return bool(found) and not (self.place and (self.text[self.place - 1].isalnum() or self.text[self.place - 1] == "_"))

    def _node(self, sign: str) -> Node | None:
        if sign in CLOSING - {"}"}:
            if self.opened:
                self._never_closed(self.opened[-1])
            pair = "(" if sign == ")" else "["
            raise PromptError(f"A “{sign}” closes nothing (character {self.place + 1}: “{near(self.text, self.place)}”).", self.place, hint=f"Add “{pair}” before it, or write \\{sign} for the sign itself.")
        if sign == "(" or sign == "[":
            return self._inside(sign)
        if sign == "{" and self.place in self.braces:
            return self._choice()
        if sign == "<" and (found := _NETWORK.match(self.text, self.place)):
            self.place = found.end()
            return Network(found[1], found[2], found[3])
        if sign == "_" and (name := _WILDCARD.match(self.text, self.place)):
            self.place = name.end()
            return Wildcard(name[1])
        if sign == "#" and (comment := _COMMENT.match(self.text, self.place)):
            self.place = comment.end()
            return Comment(comment.group())
        if sign == "B" and self._word("BREAK"):
            self.place += 5
            return Break()
        return None

    def _inside(self, opening: str) -> Node:
        start = self.place
        self._down(start)
        self.opened.append(start)
        self.place += 1
        if opening == "(":
            body = self._body(")")
            self._close(")", start)
            return self._emphasis(body)
        pieces, signs = [self._body("]", stops="|:")], ""
        while self.place < len(self.text) and self.text[self.place] in "|:":
            signs += self.text[self.place]
            self.place += 1
            pieces.append(self._body("]", stops="|:"))
        self._close("]", start)
        return _square(pieces, signs)

    def _emphasis(self, body: Sequence) -> Emphasis:
        last = body.nodes[-1] if body.nodes else None
        found = _TAIL_WEIGHT.search(last.raw) if isinstance(last, Text) else None
        if not found or last is None:
            return Emphasis("(", body)
        kept = str(last)[: found.end(1)]  # the blank before the colon is the words'
        return Emphasis("(", Sequence((*body.nodes[:-1], *((Text(kept),) if kept else ()))), found.group(2))

    def _choice(self) -> Node | None:
        """{a|b}; a brace without its partner or without a bar is a letter."""
        start = self.place
        self._down(start)
        self.place += 1
        options = [self._body("}", stops="|")]
        while self.place < len(self.text) and self.text[self.place] == "|":
            self.place += 1
            options.append(self._body("}", stops="|"))
        self.depth -= 1
        if len(options) < 2 or self.place >= len(self.text):
            self.place = start
            self.braces.discard(start)
            return None
        self.place += 1
        return Choice(tuple(options))

    def _down(self, start: int) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise PromptError(f"More than {DEEPEST} brackets inside each other (character {start + 1}: “{near(self.text, start)}”).", start, hint="Use (word:1.5) instead of many brackets.")

    def _close(self, closing: str, start: int) -> None:
        if self.place >= len(self.text):
            self._never_closed(start)
        self.place += 1
        self.depth -= 1
        self.opened.pop()

    def _never_closed(self, start: int) -> NoReturn:
        sign = self.text[start]
        raise PromptError(
            f"This bracket is never closed; “{OPENING[sign]}” is missing (character {start + 1}: “{near(self.text, start)}”).",
            start, hint=f"Add “{OPENING[sign]}”, or write \\{sign} for the sign itself.",
        )  # fmt: skip


def _square(pieces: list[Sequence], signs: str) -> Node:
    """What [ ] holds: options in turn, a change at a step, or less weight."""
    last = str(pieces[-1])
    timed = bool(_WHEN.match(last)) and all(isinstance(node, Text) for node in pieces[-1].nodes)
    if "|" in signs:
        options = [[pieces[0]]]
        for sign, piece in zip(signs, pieces[1:], strict=True):
            if sign == "|":
                options.append([piece])
            else:
                options[-1].append(piece)
        return Alternate(tuple(_joined(option) for option in options))
    if signs == ":" and timed:
        return Switch(Sequence(), pieces[0], last, short=True)
    if signs == "::" and timed:
        return Switch(pieces[0], pieces[1], last)
    return Emphasis("[", _joined(pieces))


def _joined(pieces: list[Sequence]) -> Sequence:
    """Pieces with the colons between them as letters again."""
    joined: list[Node] = []
    for number, piece in enumerate(pieces):
        for node in (*((Text(":"),) if number else ()), *piece.nodes):
            if joined and isinstance(node, Text) and isinstance(joined[-1], Text):
                joined[-1] = Text(joined[-1].raw + node.raw)
            else:
                joined.append(node)
    return Sequence(tuple(joined))


def _choices(text: str) -> set[int]:
    """Places of braces that have a partner and a bar of their own between."""
    found: set[int] = set()
    opened: list[list[int]] = []  # [place, bars]
    skip = comment = False
    for place, sign in enumerate(text):
        if comment:
            comment = sign != "\n"
        elif skip or sign == "\\":
            skip = not skip
        elif sign == "#":
            comment = True
        elif sign == "{":
            opened.append([place, 0])
        elif sign == "|" and opened:
            opened[-1][1] += 1
        elif sign == "}" and opened:
            start, bars = opened.pop()
            if bars:
                found.add(start)
    return found
