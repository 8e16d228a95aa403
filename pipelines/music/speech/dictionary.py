"""The person's own pronunciations: "word = reading", one a line, part of the job's settings so that it can be made again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pipelines.music.speech.engine import Alphabet, Piece
from pipelines.music.speech.japanese import KANA, sound_of
from pipelines.music.speech.sounds import check_ipa
from pipelines.music.speech.text import JAPANESE
from studio.api import BadInput

FORM = "Write “word = reading”: other words, /sounds/ for English, kana for Japanese."


@dataclass(frozen=True)
class Entry:
    word: str
    reading: str
    alphabet: Alphabet

    def piece(self, written: str) -> Piece:
        return Piece(written, self.reading, self.alphabet)


def parse(lines: list[str]) -> list[Entry]:
    """Raises BadInput at the field "dictionary" with the line's number. A line "# …" is a remark."""
    entries = []
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            entries.append(_entry(line, number))
    return entries


def _entry(line: str, number: int) -> Entry:
    word, equals, reading = (part.strip() for part in line.partition("="))
    if not (word and equals and reading):
        raise BadInput(f"Line {number} of the dictionary, “{line.strip()[:40]}”, is no word with its reading.", hint=FORM, field="dictionary")
    if reading.startswith("/") and reading.endswith("/") and len(reading) > 2:
        if wrong := check_ipa(reading):
            raise BadInput(f"Line {number} of the dictionary: “{wrong}” is no sound of English.", hint=FORM, field="dictionary")
        return Entry(word, reading.strip("/"), "ipa")
    if KANA.fullmatch(reading):
        return Entry(word, sound_of(reading), "kana")
    return Entry(word, reading, "text")


def replaced(text: str, entries: list[Entry]) -> list[tuple[Piece, int, int]]:
    """The text as pieces with where they stand in it, each word of the dictionary with its reading: the longest first, words of Latin letters only whole."""
    if not entries:
        return [(Piece(text), 0, len(text))]
    pattern, known = _pattern(tuple(entries))
    pieces, begin = [], 0
    for found in pattern.finditer(text):
        entry = known.get(found[0]) or known.get(found[0].lower())
        if entry is None:  # another way of capitals than was written
            continue
        if found.start() > begin:
            pieces.append((Piece(text[begin : found.start()]), begin, found.start()))
        pieces.append((entry.piece(found[0]), found.start(), found.end()))
        begin = found.end()
    return [*pieces, (Piece(text[begin:]), begin, len(text))] if begin < len(text) else pieces


@lru_cache(maxsize=16)
def _pattern(entries: tuple[Entry, ...]) -> tuple[re.Pattern[str], dict[str, Entry]]:
    """Words written small are found in any capitals, others only as they are."""
    known = {entry.word: entry for entry in entries}
    words = sorted(known, key=len, reverse=True)
    return re.compile("|".join(_bounded(word) for word in words)), known


def _bounded(word: str) -> str:
    if JAPANESE.search(word):
        return re.escape(word)
    body = "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() and len(letter.upper()) == 1 else re.escape(letter) for letter in word) if word == word.lower() else re.escape(word)
    return rf"(?<![A-Za-zÀ-ɏ0-9]){body}(?![A-Za-zÀ-ɏ0-9])"
