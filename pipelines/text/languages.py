"""Notices text in a language that the chosen model can't write, and says which downloads could."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from studio.api import Catalog, ModelEntry, ModelMissing

NOTE = "language: "
USABLE = 0.7  # of the memory
_SCRIPTS = {
    "ja": r"[぀-ヿㇰ-ㇿｦ-ﾝ]",
    "ko": r"[ᄀ-ᇿ㄰-㆏가-힯]",
    "zh": r"[㐀-䶿一-鿿𠀀-𪛟]",
    "ru": r"[Ѐ-ԯ]",
    "ar": r"[؀-ۿݐ-ݿ]",
    "he": r"[֐-׿]",
    "hi": r"[ऀ-ॿ]",
    "th": r"[฀-๿]",
    "el": r"[Ͱ-Ͽἀ-῿]",
}  # the main language of each script
NAMES = {
    "ja": "Japanese", "ko": "Korean", "zh": "Chinese", "ru": "Cyrillic", "ar": "Arabic", "he": "Hebrew", "hi": "Hindi",
    "th": "Thai", "el": "Greek", "en": "English",
}  # fmt: skip
_CYRILLIC = ("ru", "uk", "bg", "sr", "mk", "be", "kk", "mn")
_NEARLY_ALL = 0.3  # of the letters: a name or a word in another script is no change of language


@dataclass(frozen=True)
class Download:
    """A model on the hub that would do; `file` is the one to fetch, "" for the whole folder."""

    hub_id: str
    file: str
    title: str
    bytes: int
    licence: str
    languages: tuple[str, ...]


_QWEN = ("en", "zh", "ja", "ko", "ru", "ar", "th", "fr", "de", "es", "pt", "it", "vi")
DOWNLOADS = (
    Download("Qwen/Qwen2.5-0.5B-Instruct-GGUF", "qwen2.5-0.5b-instruct-q4_k_m.gguf", "Qwen2.5 0.5B Instruct", 491_400_032, "Apache-2.0", _QWEN),
    Download("sbintuitions/sarashina2.2-0.5b-instruct-v0.1", "", "Sarashina2.2 0.5B Instruct", 1_590_000_000, "MIT", ("ja", "en")),
    Download("Qwen/Qwen2.5-1.5B-Instruct-GGUF", "qwen2.5-1.5b-instruct-q4_k_m.gguf", "Qwen2.5 1.5B Instruct", 1_117_320_736, "Apache-2.0", _QWEN),
    Download("Qwen/Qwen3-4B-GGUF", "Qwen3-4B-Q4_K_M.gguf", "Qwen3 4B", 2_497_280_256, "Apache-2.0", (*_QWEN, "he", "hi", "el")),
)  # fmt: skip


def detect(text: str) -> str:
    """The language of a text by its script; "en" stands for Latin letters, "" for a text without letters."""
    letters = sum(character.isalpha() for character in text)
    if not letters:
        return ""
    counts = {code: len(re.findall(pattern, text)) for code, pattern in _SCRIPTS.items()}
    if counts["ja"] and counts["ja"] + counts["zh"] >= _NEARLY_ALL * letters:
        return "ja"
    best = max(counts, key=lambda code: counts[code])
    return best if counts[best] >= _NEARLY_ALL * letters else "en"


def covers(entry: ModelEntry, language: str) -> bool:
    """Whether the entry says that it writes this language; an entry that says nothing is trusted, remote ones too."""
    known = [code.lower().split("-")[0] for code in entry.languages]
    if not language or not known or entry.format == "remote" or "multilingual" in known:
        return True
    return language in known or (language == "ru" and any(code in known for code in _CYRILLIC))


def suggestions(language: str, budget_bytes: int = 0) -> list[dict[str, Any]]:
    """Downloads that write the language, the smallest first; `fits` is None while the budget is unknown."""
    fitting = sorted((item for item in DOWNLOADS if language in item.languages), key=lambda item: item.bytes)
    return [asdict(item) | {"fits": item.bytes * 1.3 < budget_bytes if budget_bytes else None} for item in fitting]


def advice(model: str, text: str, catalog: Catalog, budget_bytes: int = 0) -> dict[str, Any]:
    """{} if all is well; else language, sentence, installed (keys that would do now) and downloads."""
    language = detect(text)
    try:
        entry = catalog.find(model)
    except ModelMissing:
        return {}
    if covers(entry, language):
        return {}
    installed = [item.key for item in catalog.entries("llm") if item.languages and covers(item, language)]
    return {
        "language": language,
        "name": NAMES[language],
        "sentence": f"{entry.title} does not write {NAMES[language]}: the answer will make little sense.",
        "installed": installed,
        "downloads": suggestions(language, budget_bytes),
    }


def _fit(fits: bool) -> str:
    return "fits" if fits else "too large here"


def room() -> int:
    """Bytes of memory that a model may take here."""
    return int(psutil.virtual_memory().total * USABLE)


def language_note(found: dict[str, Any]) -> str:
    """The advice as one note for the verdict, "" if all is well; it starts with NOTE."""
    if not found:
        return ""
    now = [f"use {key}" for key in found["installed"]]
    later = [f"get {item['title']} ({item['bytes'] / 1e9:.1f} GB, {item['licence']}, {_fit(item['fits'])})" for item in found["downloads"][:2]]
    return f"{NOTE}{found['sentence']} You could {' or '.join([*now, *later])}." if now or later else NOTE + found["sentence"]
