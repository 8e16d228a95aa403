"""Words: one catalogue for labels, choices, hints, errors and verdicts. The key is the English text.

Static labels stay English in the page and the browser shows them in its language (studio/page.js, from this
catalogue: Gradio's own markers miss choices and tabs); text made in a handler is said in the request's language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en", "ja")


NUMBERED = re.compile(r"\{(\d)\}")
LONGEST = 2000  # letters of a sentence that is matched against templates


@lru_cache(maxsize=8)
def templates_of(keys: tuple[str, ...]) -> list[tuple[str, re.Pattern[str]]]:
    """Keys with numbered values, as patterns, the most particular first."""
    found = [key for key in keys if NUMBERED.search(key)]
    found.sort(key=lambda key: -len(NUMBERED.sub("", key)))
    return [(key, re.compile("(.+?)".join(re.escape(part) for part in NUMBERED.split(key)[::2]), re.DOTALL)) for key in found]


class Words:
    """The catalogue: studio/locale/<language>/*.json, merged, plus what extensions add."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {lang: read_catalogue(lang) for lang in LANGUAGES}

    def __call__(self, english: str | None) -> str:
        """A static label: English here, shown in the page's language by the browser. Marks the word as one to translate."""
        return english or ""

    def say(self, lang: str, english: str, **values: Any) -> str:
        """`english` is a key of the catalogue, or a finished sentence of which the catalogue has the template."""
        text = self.tables.get(lang, {}).get(english)
        if text is None:
            return english.format(**values) if values else self._by_template(lang, english)
        return text.format(**values) if values else text

    def _by_template(self, lang: str, sentence: str) -> str:
        """Error sentences carry values: “{0}” in a key stands for one, the template with the most words of its own wins."""
        table = self.tables.get(lang, {})
        for key, pattern in templates_of(tuple(table)) if len(sentence) <= LONGEST else ():
            if found := pattern.fullmatch(sentence):
                return NUMBERED.sub(lambda mark: self.say(lang, found[int(mark[1]) + 1]), table[key])
        # a sentence and its hint, joined by a blank
        first, blank, rest = sentence.partition(". ")
        if blank and (said := self.say(lang, first + ".")) != first + ".":
            return f"{said} {self.say(lang, rest)}"
        return sentence

    def add(self, lang: str, words: dict[str, str]) -> None:
        """An extension's own words; call it before the page is built."""
        self.tables.setdefault(lang, {}).update(words)


def read_catalogue(lang: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((LOCALES / lang).glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def read_captions(lang: str) -> dict[str, str]:
    """Words that stand in pictures only: short ones, which elsewhere on the page may mean something else."""
    found: dict[str, str] = json.loads((LOCALES / "captions" / f"{lang}.json").read_text(encoding="utf-8"))
    return found


def language(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Literal["en", "ja"]:
    """Who asks in which language: the switch in the page's header, else the browser's first language."""
    first = cookies.get("seisei_lang", "") or headers.get("accept-language", "en")
    return "ja" if first.strip().lower().startswith("ja") else "en"
