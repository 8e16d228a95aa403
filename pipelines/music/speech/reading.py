"""How words will be read, for the page: asked of a process of its own (`python -m pipelines.music.speech.reading`), because the dictionaries take 0.5 s and over 100 MB.

It is started by the first question, answers one line of JSON with one, and ends itself when nobody asked for two minutes or its asker is gone.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import sys
import threading
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipelines.music.speech.dictionary import parse, replaced
from pipelines.music.speech.packages import installed
from pipelines.music.speech.text import Run, language_of, parts_by_language, plain, sentences, unreadable
from studio.api import BadInput, InternalError, ModelMissing

ROOT = Path(__file__).resolve().parents[3]
MOST_LETTERS = 4000
IDLE_SECONDS = 120
ANSWER_SECONDS = 30


def ask(text: str, language: str = "", dictionary: list[str] | None = None) -> list[dict[str, Any]]:
    """[{"surface", "reading", "language", "from", "to", "own"}]: readings as the dictionary takes them; `own` ones came from it. Raises BadInput, ModelMissing."""
    if len(text) > MOST_LETTERS:
        raise BadInput(f"Readings are shown for {MOST_LETTERS:,} letters at a time.", hint="Choose a part of the text.", field="text")
    entries = parse(dictionary or [])
    found: list[dict[str, Any]] = []
    for begin, part, spoken in _parts(text, language):
        for piece, first, last in replaced(part, entries):
            if piece.alphabet:
                found.append({"surface": piece.text, "reading": _written(piece.reading, piece.alphabet), "language": spoken, "from": begin + first, "to": begin + last, "own": True})
            else:
                found += _placed(piece.text, spoken, begin + first)
    return found


def _parts(text: str, language: str) -> list[tuple[int, str, str]]:
    usual, parts = language_of(text) or "en", []
    for run in (item for item in plain(text) if isinstance(item, Run)):
        for begin, end in sentences(run.piece.text):
            sentence = text[run.at + begin : run.at + end]
            for spoken, first, last in [(language, 0, len(sentence))] if language else parts_by_language(sentence, usual):
                parts.append((run.at + begin + first, sentence[first:last], spoken))
    return parts


def _written(reading: str, alphabet: str) -> str:
    return f"/{reading}/" if alphabet == "ipa" else reading


def _placed(text: str, language: str, at: int) -> list[dict[str, Any]]:
    """The words that stand in the text as they were read; what was turned into other words (figures) has no place to correct."""
    folded = "".join(unicodedata.normalize("NFKC", letter) if len(unicodedata.normalize("NFKC", letter)) == 1 else letter for letter in text)
    found, cursor = [], 0
    for surface, reading in _asked(text, language) if text.strip() and language in ("en", "ja") else []:
        place = folded.find(surface, cursor) if reading else -1
        if place >= 0:
            cursor = place + len(surface)
            if unreadable(surface, ("en", "ja")):
                continue  # passed over when it is spoken, whatever an engine makes of it
            found.append({"surface": text[place:cursor], "reading": reading, "language": language, "from": at + place, "to": at + cursor, "own": False})
    return found


@lru_cache(maxsize=2000)
def _asked(text: str, language: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(surface), str(reading)) for surface, reading in _PROCESS.ask(text, language))


class _Process:
    """The other side, kept while it is asked now and then."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def ask(self, text: str, language: str) -> list[list[str]]:
        """Raises ModelMissing where the engine is not installed."""
        if not installed("pyopenjtalk" if language == "ja" else "hibari"):
            raise ModelMissing("The voice of this language is not installed yet.", hint="It arrives with the engines.", field="text")
        with self._lock:
            for _ in range(2):  # it may have ended itself since
                try:
                    return self._answer(json.dumps({"text": text, "language": language}))
                except (OSError, ValueError):
                    self.close()
        raise InternalError("The readings could not be found.", hint="Try again; if it stays, send the report from Settings.")

    def _answer(self, question: str) -> list[list[str]]:
        if self._process is None or self._process.poll() is not None:
            command = [sys.executable, "-m", "pipelines.music.speech.reading"]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8", cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "utf-8"})
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        killer = threading.Timer(ANSWER_SECONDS, process.kill)
        killer.start()
        try:
            process.stdin.write(question + "\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
        finally:
            killer.cancel()
        found: list[list[str]] = answer["words"]
        return found

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
            process.wait()


_PROCESS = _Process()


# -- the other side ----------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _english() -> Any:
    from hibari.g2p import G2P

    return G2P()


def read(text: str, language: str) -> list[tuple[str, str]]:
    """Words with their readings; only this process loads the dictionaries."""
    if language == "ja":
        from pipelines.music.speech.frontend import readings

        return readings(text)
    from pipelines.music.speech.hibari import english_readings

    return english_readings(_english(), text)


def main() -> None:
    while _waiting():
        line = sys.stdin.readline()
        if not line:
            return
        question = json.loads(line)
        print(json.dumps({"words": read(question["text"], question["language"])}), flush=True)


def _waiting() -> bool:
    """False after two minutes without a question; where a pipe can't be waited for, until its asker is gone."""
    if os.name == "nt":
        return True
    return bool(select.select([sys.stdin], [], [], IDLE_SECONDS)[0])


if __name__ == "__main__":
    main()
