"""Words: one catalogue for labels, choices, hints, errors and verdicts. The key is the English text.

Static labels stay English in the page and the browser shows them in its language (studio/page.js, from this
catalogue: Gradio's own markers miss choices and tabs); text made in a handler is said in the request's language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en", "ja")


class Words:
    """The catalogue: studio/locale/<language>/*.json, merged, plus what extensions add."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {lang: read_catalogue(lang) for lang in LANGUAGES}

    def __call__(self, english: str | None) -> str:
        """A static label: English here, shown in the page's language by the browser. Marks the word as one to translate."""
        return english or ""

    def say(self, lang: str, english: str, **values: Any) -> str:
        text = self.tables.get(lang, {}).get(english, english)
        return text.format(**values) if values else text

    def add(self, lang: str, words: dict[str, str]) -> None:
        """An extension's own words; call it before the page is built."""
        self.tables.setdefault(lang, {}).update(words)


def read_catalogue(lang: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((LOCALES / lang).glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found


def language(headers: Mapping[str, str], cookies: Mapping[str, str]) -> Literal["en", "ja"]:
    """Who asks in which language: the switch in the page's header, else the browser's first language."""
    first = cookies.get("seisei_lang", "") or headers.get("accept-language", "en")
    return "ja" if first.strip().lower().startswith("ja") else "en"
