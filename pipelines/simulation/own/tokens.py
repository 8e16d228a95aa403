"""Tokens: what a person types, cut into numbers, names and signs, each with its place."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from studio.api import Misread

FIELD = "own"
SIGNS = ("**", "<=", ">=", "==", "!=", "->", *"+-*/^%<>()[],=':")
# What other keyboards and papers write for a sign; one letter for one, so that places stay
OTHER_SIGNS = str.maketrans({"×": "*", "·": "*", "⋅": "*", "÷": "/", "−": "-", "–": "-", "’": "'", "′": "'", "　": " ", **{chr(code + 0xFEE0): chr(code) for code in range(0x21, 0x7F)}})
WORDS = ("if", "else", "and", "or", "not")
PIECES = re.compile(r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[^\W\d][^\W¹²³⁰-⁹]*)|(?P<sign>" + "|".join(map(re.escape, SIGNS)) + r")|(?P<blank>[ \t\r]+)|(?P<other>[≤≥≠→²³])")
MEANT = {"≤": "<=", "≥": ">=", "≠": "!=", "→": "->"}
LONGEST_NAME = 60
# Cyrillic and Greek letters that can't be told from Latin ones by sight
ALIKE = str.maketrans("авеһіјкмнорсԛѕтухԝАВЕНІЈКМОРСЅТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧοικνρτυαγ", "abehijkmhopcqstyxwABEHIJKMOPCSTYXABEZHIKMNOPTYXoikvptuay")


@dataclass(frozen=True)
class Token:
    """`column` counts from 1; `end` is the column after its last letter."""

    kind: Literal["number", "name", "word", "sign", "end"]
    text: str
    line: int
    column: int
    end: int

    def shown(self) -> str:
        return "the end of the line" if self.kind == "end" else f"“{self.text}”"


def tokens_of(text: str, line: int) -> list[Token]:
    """One line's tokens, closed by an end; what follows # is left out. Raises Misread."""
    text = text.translate(OTHER_SIGNS)
    found: list[Token] = []
    at, end = 0, text.index("#") if "#" in text else len(text)
    while at < end:
        piece = PIECES.match(text, at, end)
        if piece is None or piece[0] in "²³":
            raise _strange(text[at], line, at + 1)
        if piece.lastgroup != "blank":
            found.append(_token(piece, line))
        at = piece.end()
    last = found[-1].end if found else 1
    return [*found, Token("end", "", line, last, last)]


def comment_of(text: str) -> str:
    """What follows # in a line."""
    return text.translate(OTHER_SIGNS).partition("#")[2].strip()


def _token(piece: re.Match[str], line: int) -> Token:
    text, column, end = piece[0], piece.start() + 1, piece.end() + 1
    if piece.lastgroup == "number":
        if float(text) == float("inf"):
            raise Misread(f"the number {text[:20]} is too large", line=line, column=column, hint="Numbers go up to 1e308.", field=FIELD)
        return Token("number", text, line, column, end)
    if piece.lastgroup == "name":
        name = unicodedata.normalize("NFKC", text)  # the micro sign is a Greek mu
        if not name.isidentifier():  # a fraction or a number in a circle is a letter to the pattern above
            raise _strange(text[0], line, column)
        if len(name) > LONGEST_NAME:
            raise Misread(f"this name is longer than {LONGEST_NAME} letters", line=line, column=column, hint="Choose a shorter name.", field=FIELD)
        return Token("word" if name in WORDS else "name", name, line, column, end)
    return Token("sign", MEANT.get(text, text), line, column, end)


def _strange(letter: str, line: int, column: int) -> Misread:
    if letter in "²³":
        return Misread(f"“{letter}” is not understood", line=line, column=column, hint="Write powers with ^, as in x^2.", field=FIELD)
    shown = letter if letter.isprintable() else f"U+{ord(letter):04X}"
    return Misread(f"“{shown}” is not understood", line=line, column=column, hint="Numbers, names and the signs + - * / ^ % < > ( ) are.", field=FIELD)


def refused(message: str, token: Token, hint: str = "") -> Misread:
    return Misread(message, line=token.line, column=token.column, hint=hint, field=FIELD)


def unknown(token: Token, known: Iterable[str], what: Literal["name", "function", "state"] = "name", hint: str = "") -> Misread:
    """With the nearest name that is known."""
    kind = {"name": "unknown name “{}”", "function": "unknown function “{}”", "state": "unknown state “{}”"}[what].format(token.text)
    if twin := next((name for name in known if name.translate(ALIKE) == token.text.translate(ALIKE)), ""):
        return refused(f"{kind} — it looks like “{twin}”, but other letters are in it", token, "Type it again, with one keyboard.")
    near = difflib.get_close_matches(token.text, list(known), 1, 0.6)
    return refused(f"{kind} — did you mean “{near[0]}”?" if near else kind, token, hint)
