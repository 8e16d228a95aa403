"""What a text is made of before any engine sees it: stretches in one style, breaks, ends of sentences and paragraphs; and where sentences end.

Offsets (`at`) count characters of the text as the person wrote it, for highlighting.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipelines.music.speech.engine import Piece

ENGLISH_LIMIT, JAPANESE_LIMIT = 220, 90  # letters that are said in one breath; longer sentences are cut at their commas
TITLES = frozenset(
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "sr",
        "jr",
        "gen",
        "col",
        "sgt",
        "capt",
        "lt",
        "rev",
        "hon",
        "no",
        "nos",
        "vs",
        "etc",
        "approx",
        "dept",
        "fig",
        "figs",
        "vol",
        "ed",
        "eds",
        "inc",
        "ltd",
        "co",
        "corp",
        "e.g",
        "i.e",
        "cf",
        "a.m",
        "p.m",
    ]
)
SLOWEST, FASTEST, FARTHEST = 0.25, 4.0, 24.0  # how fast a stretch can be spoken, and how many semitones from the usual
NEAR = 40  # letters around a dot that are looked at
END = re.compile(r"[。．！？!?…]+[」』）)\]”’\"']*|\.+[”’\"')\]]*(?=\s|$)")
CLAUSE = re.compile(r"[、，,;；:：—]\s*")
LATIN_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ][A-Za-zÀ-ÖØ-öø-ɏ'’\-]*")
JAPANESE = re.compile(r"[\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0002fa1f]")
LATIN_PHRASE = re.compile(r"[A-Za-zÀ-ÖØ-öø-ɏ][A-Za-zÀ-ÖØ-öø-ɏ0-9'’\-]*(?:[ ,]+[A-Za-zÀ-ÖØ-öø-ɏ0-9][A-Za-zÀ-ÖØ-öø-ɏ0-9'’\-]*)+[.!?]?")


@dataclass(frozen=True)
class Style:
    """How a stretch is said. `voice` is an id, or "" for the language's own; rate and pitch (semitones) and volume (dB) come on top of the job's."""

    voice: str = ""
    language: str = ""
    rate: float = 1.0
    pitch: float = 0.0
    volume: float = 0.0
    speaker: str = ""
    line: int = 0

    def but(self, *, rate: float = 1.0, pitch: float = 0.0, volume: float = 0.0) -> Style:
        return replace(self, rate=self.rate * rate, pitch=self.pitch + pitch, volume=self.volume + volume)


@dataclass(frozen=True)
class Run:
    """A piece in one style; `at` is where it begins in the written text, `to` where it ends."""

    piece: Piece
    style: Style
    at: int
    to: int


@dataclass(frozen=True)
class Break:
    """A pause of exactly so many seconds, in place of the one that would stand there."""

    seconds: float


@dataclass(frozen=True)
class End:
    """Of a "sentence", a "paragraph" or a "line" of a script: its pause comes from the settings."""

    kind: str


Item = Run | Break | End


def plain(text: str, style: Style = Style(), at: int = 0) -> list[Item]:  # noqa: B008 - frozen
    """A text without marks: empty lines part paragraphs. A line that only the width of a page has broken goes on in the next one."""
    items: list[Item] = []
    for number, found in enumerate(re.finditer(r"(?:.+\n?)+", text.replace("\r\n", " \n").replace("\r", "\n").replace("\u2028", "\n"))):
        if number:
            items.append(End("paragraph"))
        items += _lines(found[0], style, at + found.start())
    return items


def _lines(paragraph: str, style: Style, at: int) -> list[Item]:
    items: list[Item] = []
    for found in re.finditer(r"[^\n]+", _unwrapped(paragraph)):
        if found[0].strip():
            items += [Run(Piece(found[0]), style, at + found.start(), at + found.end()), End("sentence")]
    return items[:-1]


def _unwrapped(paragraph: str) -> str:
    """As long as before, with spaces for line ends inside a sentence: after a long line without an end, where a small letter follows."""
    return re.sub(r"(?<=[^\n]{40})(?<![.!?。！？…:：])\n(?=[a-zà-öø-ÿ])", " ", paragraph) if "\n" in paragraph else paragraph


def reachable(rate: float, pitch: float) -> tuple[str, str] | None:
    """What is beyond what can be spoken: the setting ("speed", "pitch") and the end of a sentence about it."""
    if not SLOWEST <= round(rate, 6) <= FASTEST:
        return "speed", f"this would be spoken at {rate:.0%} of the usual speed; {SLOWEST:.0%} to {FASTEST:.0%} is possible."
    if abs(round(pitch, 6)) > FARTHEST:
        return "pitch", f"this would be spoken {pitch:+.3g} semitones from the usual pitch; up to {FARTHEST:g} is possible."
    return None


def place_of(text: str, at: int) -> tuple[int, int]:
    """Line and column, counted from 1."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the sentences of one line, in order; together they are the text."""
    begin = 0
    for found in END.finditer(text):
        if found[0].startswith(".") and _goes_on(text, found.start(), found.end()):
            continue
        if found[0] == "…" and text[found.end() : found.end() + NEAR].lstrip()[:1].islower():
            continue
        yield begin, found.end()
        begin = found.end()
    if begin < len(text):
        yield begin, len(text)


def _goes_on(text: str, dot: int, end: int) -> bool:
    """A dot after a title, an initial or an abbreviation, or before a small letter, ends no sentence."""
    after = text[end : end + NEAR].lstrip()
    word = re.split(r"[\s(“\"']", text[max(0, dot - NEAR) : dot])[-1]
    if after and after[0].islower():
        return True
    lower = word.lower()
    if lower in ("etc", "a.m", "p.m", "inc", "ltd", "co", "corp", "no") and (not after or not after[0].isdigit() or lower != "no"):
        return not after
    return bool(after) and (lower in TITLES or (len(word) == 1 and word.isupper() and word != "I"))


def language_of(text: str, usual: str = "") -> str:
    """ "ja" where Japanese letters stand, "en" where Latin ones do, `usual` where neither does (numbers alone)."""
    japanese = len(JAPANESE.findall(text))
    latin = sum(len(word) for word in LATIN_WORD.findall(text))
    if not japanese and not latin:
        return usual
    return "ja" if japanese * 2 >= latin else "en"


def parts_by_language(text: str, usual: str = "") -> list[tuple[str, int, int]]:
    """A sentence cut where its language changes: (language, from, to).

    In a Japanese sentence two or more Latin words beside each other are English; single ones are read as Japanese does (AI, Tシャツ). In an English sentence each Japanese stretch is Japanese.
    """
    main = language_of(text, usual)
    if not JAPANESE.search(text) or not LATIN_WORD.search(text):
        return [(main, 0, len(text))]
    other = LATIN_PHRASE if main == "ja" else re.compile(rf"[「『（]?{JAPANESE.pattern}(?:[{JAPANESE.pattern[1:-1]}、。・「」『』！？ー0-9]*{JAPANESE.pattern})?[」』）。！？]*")
    parts: list[tuple[str, int, int]] = []
    begin = 0
    for found in other.finditer(text):
        if text[begin : found.start()].strip():
            parts.append((main, begin, found.start()))
            begin = found.start()
        parts.append(("en" if main == "ja" else "ja", begin, found.end()))
        begin = found.end()
    if text[begin:].strip() and says_something(text[begin:]):
        parts.append((main, begin, len(text)))
    elif parts:
        parts[-1] = (parts[-1][0], parts[-1][1], len(text))
    return parts


def breaths(text: str, limit: int) -> list[tuple[int, int]]:
    """A sentence as it is, or cut where it is too long: after a comma in the last two thirds, else after a space, else anywhere."""
    spans, begin = [], 0
    while len(text) - begin > limit:
        window = text[begin : begin + limit]
        commas = [found.end() for found in CLAUSE.finditer(window) if found.end() > limit // 3]
        space = window.rfind(" ")
        cut = commas[-1] if commas else space + 1 if space > limit // 3 else limit
        spans.append((begin, begin + cut))
        begin += cut
    spans.append((begin, len(text)))
    return spans


def limit_of(language: str) -> int:
    return JAPANESE_LIMIT if language == "ja" else ENGLISH_LIMIT


def says_something(text: str) -> bool:
    """Letters or figures, not only marks."""
    return any(unicodedata.category(letter)[0] in "LN" or letter in "%&+@=€$£¥°" for letter in text)


def unreadable(text: str, languages: tuple[str, ...]) -> str:
    """The letters that a voice of these languages passes over, each once; of languages nobody here knows none."""
    if not set(languages) & {"en", "ja"}:
        return ""
    return "".join(dict.fromkeys(letter for letter in text if not _reads(letter, languages)))


def _reads(letter: str, languages: tuple[str, ...]) -> bool:
    kind = unicodedata.category(letter)
    if kind[0] in "PZ" or kind in ("Cc", "Cf", "Mn") or letter in "$€£¥¢%&+@=<>°#*~^|/×÷²³±§©®™½¼¾〒〜～ー":
        return True
    if JAPANESE.match(letter):
        return "ja" in languages
    wide = unicodedata.normalize("NFKC", letter)
    return wide.isascii() or bool(LATIN_WORD.match(wide)) or (kind[0] == "N" and "ja" in languages)
