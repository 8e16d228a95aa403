"""What the encoder gets: for each span of steps, the prompts side by side with the weight of each of their pieces."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipelines.image.prompt.grammar import OPENING, Alternate, Break, Choice, Comment, Emphasis, Network, Node, Part, Prompt, PromptError, Sequence, Switch, Text, Wildcard, parse

_SIGNS = re.compile(r"[\\()\[\]{}#]")
_ESCAPED = re.compile(r"\\([\\()\[\]{}#])")


@dataclass(frozen=True)
class Piece:
    """Text of one weight; `breaks` begins a new chunk before it."""

    text: str
    weight: float = 1.0
    breaks: bool = False


@dataclass(frozen=True)
class Side:
    """One of the prompts that AND joins."""

    pieces: tuple[Piece, ...]
    weight: float = 1.0

    @property
    def text(self) -> str:
        return "".join((" " if piece.breaks and number else "") + piece.text for number, piece in enumerate(self.pieces))

    @property
    def plain(self) -> bool:
        return all(piece.weight == 1.0 and not piece.breaks for piece in self.pieces)


@dataclass(frozen=True)
class Passes:
    """Steps of the pass that is asked about, and of the one before it."""

    steps: int
    before: int = 0


@dataclass(frozen=True)
class Span:
    """`sides` hold for the steps before `until`, counted from 1."""

    until: int
    sides: tuple[Side, ...]

    @property
    def runs(self) -> list[tuple[str, float]]:
        """For encoders that read one text: its stretches of one weight, a blank in the place of BREAK and AND."""
        found: list[tuple[str, float]] = []
        for side in self.sides:
            for number, piece in enumerate(side.pieces):
                found += [(" ", 1.0)] if found and (piece.breaks or not number) else []
                found += [(piece.text, piece.weight)] if piece.text else []
        return found

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.runs)


def schedule(prompt: Prompt, steps: int, before: int = 0) -> list[Span]:
    """Spans that cover all steps, neighbours that say the same joined. Steps count from 1; a change at n holds from step n + 1 on.

    `before` is how many steps an earlier pass had whose changes go on in this one.
    """
    passes = Passes(steps, before)
    edges = sorted({steps, *(edge for part in prompt.parts for edge in _edges(part.body, passes) if 0 < edge < steps)})
    spans: list[Span] = []
    for edge in edges:
        sides = tuple(Side(_merge(_pieces(part.body, edge, passes, 1.0)), part.weight) for part in prompt.parts)
        if spans and spans[-1].sides == sides:
            spans[-1] = Span(edge, sides)
        else:
            spans.append(Span(edge, sides))
    return spans


def emphasised(prompt: Prompt, emphasis: str) -> Prompt:
    """The same where brackets weigh; with their words alone under "Ignore", and with the signs as letters under "None"."""
    if emphasis not in ("Ignore", "None"):
        return prompt
    return Prompt(tuple(Part(_unweighed(part.body, emphasis == "None"), part.tail) for part in prompt.parts))


def _unweighed(body: Sequence, letters: bool) -> Sequence:
    found: list[Node] = []
    for node in body.nodes:
        if isinstance(node, Emphasis):
            inner = _unweighed(node.body, letters).nodes
            end = (f":{node.number}" if node.number else "") + OPENING[node.opening]
            found += [_letters(node.opening), *inner, _letters(end)] if letters else inner
        elif isinstance(node, Text) and letters:
            found.append(_letters(node.raw))
        elif isinstance(node, Switch):
            found.append(Switch(_unweighed(node.before, letters), _unweighed(node.after, letters), node.when, node.short))
        elif isinstance(node, (Alternate, Choice)):
            found.append(type(node)(tuple(_unweighed(option, letters) for option in node.options)))
        else:
            found.append(node)
    return Sequence(tuple(found))


def _letters(text: str) -> Text:
    """Text whose every sign is read as itself, backslashes too."""
    return Text(_SIGNS.sub(r"\\\g<0>", text))


def at(spans: list[Span], step: int) -> Span:
    """The span of a step, counted from 0."""
    return next((span for span in spans if step < span.until), spans[-1])


def plain(prompt: Prompt, steps: int, before: int = 0) -> str:
    """The words alone, as they stand for most of the steps: for encoders that know no weights."""
    held: dict[str, int] = {}
    begun = 0
    for span in schedule(prompt, steps, before):
        held[span.text] = held.get(span.text, 0) + span.until - begun
        begun = span.until
    return max(held, key=lambda text: held[text])


def weighs(spans: list[Span]) -> bool:
    """Whether words weigh, or change at a step."""
    return len(spans) > 1 or any(piece.weight != 1.0 for span in spans for side in span.sides for piece in side.pieces)


def parted(spans: list[Span]) -> bool:
    """Whether BREAK or AND parts the words."""
    return any(len(span.sides) > 1 or any(piece.breaks for piece in side.pieces) for span in spans for side in span.sides)


def written(words: str) -> str:
    """The prompt that says these words to the letter; "" where none does."""
    prompt = str(_letters(words))
    try:
        return prompt if plain(parse(prompt), 1) == words else ""
    except PromptError:
        return ""


def _edges(body: Sequence, passes: Passes) -> set[int]:
    found: set[int] = set()
    for node in body.nodes:
        if isinstance(node, Switch):
            found |= {node.step(passes.steps, passes.before)} | _edges(node.before, passes) | _edges(node.after, passes)
        elif isinstance(node, Alternate):
            found |= set(range(1, passes.steps)).union(*(_edges(option, passes) for option in node.options))
        elif isinstance(node, Emphasis):
            found |= _edges(node.body, passes)
        elif isinstance(node, Choice):
            found = found.union(*(_edges(option, passes) for option in node.options))
    return found


def _pieces(body: Sequence, step: int, passes: Passes, weight: float) -> list[Piece]:
    """The pieces at the step numbered `step` from 1."""
    found: list[Piece] = []
    for node in body.nodes:
        if isinstance(node, Text):
            found.append(Piece(_ESCAPED.sub(r"\1", node.raw), weight))
        elif isinstance(node, Emphasis):
            found += _pieces(node.body, step, passes, weight * node.weight)
        elif isinstance(node, Switch):
            found += _pieces(node.before if step <= node.step(passes.steps, passes.before) else node.after, step, passes, weight)
        elif isinstance(node, Alternate):
            found += _pieces(node.options[(step - 1) % len(node.options)], step, passes, weight)
        elif isinstance(node, Choice):
            for number, option in enumerate(node.options):
                found += [Piece("|" if number else "{", weight), *_pieces(option, step, passes, weight)]
            found.append(Piece("}", weight))
        elif isinstance(node, Wildcard):
            found.append(Piece(str(node), weight))
        elif isinstance(node, Break):
            found.append(Piece("", weight, breaks=True))
        elif isinstance(node, (Network, Comment)):
            found.append(Piece("", weight))
    return found


def _merge(pieces: list[Piece]) -> tuple[Piece, ...]:
    """Neighbours of one weight as one, blanks around a BREAK gone, the whole trimmed."""
    merged: list[Piece] = []
    for piece in pieces:
        if merged and not piece.breaks and merged[-1].weight == piece.weight:
            merged[-1] = Piece(merged[-1].text + piece.text, piece.weight, merged[-1].breaks)
        elif piece.text or piece.breaks:
            merged.append(piece)
    for number, piece in enumerate(merged):
        if piece.breaks and number:
            merged[number - 1] = Piece(merged[number - 1].text.rstrip(), merged[number - 1].weight, merged[number - 1].breaks)
            merged[number] = Piece(piece.text.lstrip(), piece.weight, True)
    if merged:
        merged[0] = Piece(merged[0].text.lstrip(), merged[0].weight, merged[0].breaks)
        merged[-1] = Piece(merged[-1].text.rstrip(), merged[-1].weight, merged[-1].breaks)
    return tuple(piece for piece in merged if piece.text or piece.breaks)
