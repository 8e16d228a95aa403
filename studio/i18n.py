"""Words: one catalogue for labels, choices, hints, errors and verdicts. The key is the English text.

Static labels become Gradio translation markers, which the browser resolves in the page's language;
text made in a handler is said in the language of the request.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOCALES = Path(__file__).parent / "locale"
LANGUAGES = ("en", "ja")


class Words:
    """The catalogue: studio/locale/<language>/*.json, merged, plus what extensions add."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, str]] = {lang: read_catalogue(lang) for lang in LANGUAGES}
        self._marker: Any = None

    def __call__(self, english: str | None) -> Any:
        """A marker for a static label; plain text where nothing is to be translated."""
        if not english or english not in self.tables["ja"]:
            return english or ""
        return self.gradio()(english)

    def say(self, lang: str, english: str, **values: Any) -> str:
        text = self.tables.get(lang, {}).get(english, english)
        return text.format(**values) if values else text

    def add(self, lang: str, words: dict[str, str]) -> None:
        """An extension's own words; call it before the page is built."""
        self.tables.setdefault(lang, {}).update(words)
        self._marker = None

    def gradio(self) -> Any:
        """The translation table for `launch(i18n=)`."""
        if self._marker is None:
            import gradio as gr

            english = {key: key for table in self.tables.values() for key in table}
            self._marker = gr.I18n(**(self.tables | {"en": english}))
        return self._marker


def read_catalogue(lang: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((LOCALES / lang).glob("*.json")):
        found |= json.loads(path.read_text(encoding="utf-8"))
    return found
