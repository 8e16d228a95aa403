"""When each word of a phrase sounds, as far as an engine tells it: its own words laid against those that were written."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class Word:
    """text[begin:end] of a phrase sounds from `start` to `stop` seconds."""

    begin: int
    end: int
    start: float
    stop: float


Spoken = tuple[str, float, float]  # a word as the engine wrote it, when it begins, when it ends


def aligned(text: str, spoken: Sequence[Spoken]) -> list[Word]:
    """The words of a text with spaces. What the engine wrote in other words ("$5", a name with its own sound) shares the time of what stands there, by its letters."""
    written = [found.span() for found in WORD.finditer(text)]
    mine, theirs = [_bare(text[begin:end]) for begin, end in written], [_bare(word) for word, *_ in spoken]
    words: list[Word] = []
    for kind, i, j, k, m in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if kind == "equal":
            words += [Word(*written[i + n], *spoken[k + n][1:]) for n in range(j - i)]
        elif k < m and i < j:
            words += _shared(written[i:j], spoken[k][1], spoken[m - 1][2])
        elif k < m and words:  # more words than were written: they belong to the one before
            words[-1] = replace(words[-1], stop=spoken[m - 1][2])
    return words


def found_in(text: str, spoken: Sequence[Spoken]) -> list[Word]:
    """The words of a text without spaces, where they stand in it as the engine wrote them but for their width; one that stands there otherwise belongs to the one before."""
    narrow = "".join(unicodedata.normalize("NFKC", letter)[:1] for letter in text)  # as long as the text
    words, at = list[Word](), 0
    for word, start, stop in spoken:
        place = narrow.find(unicodedata.normalize("NFKC", word), at)
        if place < 0:
            words[-1:] = [replace(last, stop=stop) for last in words[-1:]]
            continue
        at = place + len(unicodedata.normalize("NFKC", word))
        words.append(Word(place, at, start, stop))
    return words


def _shared(written: Sequence[tuple[int, int]], start: float, stop: float) -> list[Word]:
    letters = sum(end - begin for begin, end in written)
    words, at = [], start
    for begin, end in written:
        after = at + (stop - start) * (end - begin) / letters
        words.append(Word(begin, end, at, after))
        at = after
    return words


def _bare(word: str) -> str:
    return re.sub(r"\W", "", word).lower()


def moved(words: Sequence[Word], by: float, factor: float = 1.0) -> list[Word]:
    """Later by so many seconds, then so many times as slow."""
    return [replace(word, start=max(0.0, word.start + by) * factor, stop=max(0.0, word.stop + by) * factor) for word in words]


def without(words: Sequence[Word], gaps: Sequence[tuple[float, float]]) -> list[Word]:
    """As they are once some stretches of time (in order) are cut out."""

    def at(time: float) -> float:
        return time - sum(min(max(time - begin, 0.0), end - begin) for begin, end in gaps)

    return [replace(word, start=at(word.start), stop=at(word.stop)) for word in words]
