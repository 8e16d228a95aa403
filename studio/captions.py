"""Captions: words inside pictures, in the language that the picture is made in, and letters for them.

Pillow's own font has Latin letters only; for others a font of the computer is taken, by the file names that its makers give them.
English pictures use Pillow's alone: their bytes are the same on every computer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Literal

from studio.i18n import Words, read_captions, read_catalogue

Language = Literal["en", "ja"]
LATIN = 0x024F
FONTS = (
    "NotoSansCJK-Regular.ttc", "NotoSansCJKjp-Regular.otf", "NotoSansJP-Regular.ttf", "NotoSansJP-Regular.otf", "NotoSansJP[wght].ttf", "ヒラギノ角ゴシック W3.ttc", "Hiragino Sans GB.ttc",
    "YuGothM.ttc", "meiryo.ttc", "msgothic.ttc",
    "ipagp.ttf", "ipag.ttf", "ipaexg.ttf", "TakaoPGothic.ttf", "VL-PGothic-Regular.ttf", "DroidSansFallbackFull.ttf", "DroidSansFallback.ttf", "Arial Unicode.ttf", "arialuni.ttf",
)  # fmt: skip
SPOKEN: ContextVar[str] = ContextVar("SPOKEN", default="en")


@contextmanager
def captions_in(language: str) -> Iterator[None]:
    """What is drawn inside has its words in that language."""
    before = SPOKEN.set(language)
    try:
        yield
    finally:
        SPOKEN.reset(before)


def caption(english: str, **values: Any) -> str:
    """Words of a picture with their values: `caption("{n} waiting", n=3)`. What the catalogue doesn't have stays English."""
    text = english if (language := SPOKEN.get()) == "en" else _table(language).get(english, english)
    return text.format(**values) if values else text


def retold(sentence: str) -> str:
    """A finished sentence with its values in it, as an error or a note tells it."""
    return sentence if (language := SPOKEN.get()) == "en" else _words().say(language, sentence)


@lru_cache(maxsize=1)
def _words() -> Words:
    return Words()


@lru_cache(maxsize=4)
def _table(language: str) -> dict[str, str]:
    return read_catalogue(language) | read_captions(language)


def drawable(language: Language) -> Language:
    """The language that pictures can have here: English where no font has the letters of another."""
    return language if language == "en" or wide_font() else "en"


@lru_cache(maxsize=1)
def wide_font() -> str:
    """The file of this computer's font that has kana and kanji; "" where there is none."""
    from PIL import ImageFont

    for name in FONTS:
        try:
            return str(ImageFont.truetype(name, 12).path)
        except OSError:
            continue
    return ""


def is_latin(text: str) -> bool:
    """Whether Pillow's own font has its letters."""
    return all(ord(letter) <= LATIN or letter in "…·–—‘’“”" for letter in text)


def font_for(texts: Iterable[str], size: int) -> Any:
    """Pillow's own font where its letters are enough, else the computer's that has more."""
    return _font("" if all(map(is_latin, texts)) else wide_font(), size)


@lru_cache(maxsize=32)
def _font(path: str, size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(path, size) if path else ImageFont.load_default(size)
