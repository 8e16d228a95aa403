"""{a|b}, {2$$a|b|c}, {1-2$$ and $$a|b}, {3::a|b} and __file__ in a prompt become words; a random generator decides.

What is drawn is expanded in its turn. A backslash keeps a sign as it is; braces without a bar stay, so that code and JSON do.
Source: the notation that the users of sd-dynamic-prompts know, from its documentation.
"""

from __future__ import annotations

import random
import re

from studio.api import BadInput

from .library import Library

MOST_DRAWS = 2000
DEEPEST = 30
_NAME = re.compile(r"__(?!_)([\w*?./-]+?)__")
_HOW_MANY = re.compile(r"\s*(?:(\d{0,4})(-)(\d{0,4})|(\d{1,4}))\$\$(?:((?:(?!\$\$).)*)\$\$)?", re.DOTALL)
_SHARE = re.compile(r"\s*(\d{1,6}\.?\d{0,6}|\.\d{1,6})::")
OPENING, CLOSING = "{[(", "}])"


class Expansion:
    """One prompt. `pictures` reads the notation of image prompts: # begins a remark, choices may go over lines, an unknown __name__ is an error."""

    def __init__(self, pick: random.Random, library: Library, *, pictures: bool) -> None:
        self.pick, self.library, self.pictures = pick, library, pictures
        self.draws = 0

    def expand(self, text: str, depth: int = 0) -> str:
        """Raises BadInput for words that are not there, or that name each other without end."""
        if depth > DEEPEST:
            raise BadInput("The words of this prompt name each other without end.", hint="Look for a file of words that names itself.", field="prompt")
        found, place = [], 0
        braces = _braces(text)
        while place < len(text):
            place, words = self._at(text, place, braces, depth)
            found.append(words)
        return "".join(found)

    def _at(self, text: str, place: int, braces: dict[int, int], depth: int) -> tuple[int, str]:
        """Where what stands at a place ends, and what becomes of it."""
        sign = text[place]
        if sign == "\\":
            return place + 2, text[place : place + 2]
        if sign == "#" and self.pictures:
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            return end, text[place:end]
        if sign == "{" and (end := braces.get(place, 0)) and (self.pictures or "\n" not in text[place:end]):
            drawn = self._choice(text[place + 1 : end], depth)
            if drawn is not None:
                return end + 1, drawn
        if sign == "_" and (name := _NAME.match(text, place)) and (self.pictures or self.library.find(name[1])):
            return name.end(), self._drawn(self.library.lines(name[1]), 1, "", depth)
        return place + 1, sign

    def _choice(self, inside: str, depth: int) -> str | None:
        """None where the braces hold no choice."""
        many = _HOW_MANY.match(inside)
        options = _split(inside[many.end() :] if many else inside)
        if not many and len(options) < 2:
            return None
        if len(options) == 1 and (name := _NAME.fullmatch(options[0].strip())):
            options = self.library.lines(name[1])
        count = 1 if many is None else self._count(many, len(options))
        return self._drawn(options, count, (many[5] if many and many[5] is not None else ", "), depth)

    def _count(self, many: re.Match[str], options: int) -> int:
        if many[4]:
            return min(int(many[4]), options)
        low = min(int(many[1] or 1), options)
        return self.pick.randint(low, max(low, min(int(many[3] or options), options)))

    def _drawn(self, options: list[str], count: int, between: str, depth: int) -> str:
        """`count` different options by their shares, each expanded."""
        self.draws += count
        if self.draws > MOST_DRAWS:
            raise BadInput(f"This prompt draws more than {MOST_DRAWS} times.", hint="Make fewer choices inside each other.", field="prompt")
        shares = [float(found[1]) if (found := _SHARE.match(option)) else 1.0 for option in options]
        left, chosen = list(range(len(options))), []
        for _ in range(count):
            weights = [shares[number] for number in left]
            number = self.pick.choices(left, weights)[0] if sum(weights) > 0 else self.pick.choice(left)
            left.remove(number)
            chosen.append(_SHARE.sub("", options[number], count=1))
        return between.join(self.expand(option.strip() if count > 1 else option, depth + 1) for option in chosen)


def _braces(text: str) -> dict[int, int]:
    """Where each brace that may hold a choice is closed; those deeper than anybody writes are letters, which bounds the work."""
    found: dict[int, int] = {}
    opened: list[tuple[int, bool]] = []  # place, and whether a bar or two dollar signs stand in it
    place = 0
    while place < len(text):
        sign = text[place]
        if sign == "\\":
            place += 1
        elif sign == "{":
            opened.append((place, False))
        elif opened and (sign == "|" or text.startswith("$$", place)):
            opened[-1] = (opened[-1][0], True)
        elif sign == "}" and opened:
            start, chosen = opened.pop()
            if chosen and len(opened) < DEEPEST:
                found[start] = place
        place += 1
    return found


def _split(inside: str) -> list[str]:
    """Options at the bars that stand in no further bracket: [a|b] inside a choice is one option's."""
    options, depth, place, begun = [], 0, 0, 0
    while place < len(inside):
        sign = inside[place]
        if sign == "\\":
            place += 1
        elif sign in OPENING:
            depth += 1
        elif sign in CLOSING:
            depth = max(0, depth - 1)
        elif sign == "|" and not depth:
            options.append(inside[begun:place])
            begun = place + 1
        place += 1
    return [*options, inside[begun:]]
