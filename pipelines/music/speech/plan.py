"""From items to utterances: whole sentences, cut where the language, the voice or the way of speaking changes, each with the pause after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import groupby

from pipelines.music.speech.dictionary import Entry, replaced
from pipelines.music.speech.engine import Phrase, Piece, Voice
from pipelines.music.speech.text import (
    Break,
    End,
    Item,
    Run,
    Style,
    breaths,
    language_of,
    limit_of,
    parts_by_language,
    says_something,
    sentences,
    unreadable,
)

JOINT, COMMA = 0.04, 0.15  # seconds between two voices inside a sentence, and where a long one was cut
LONG = 12  # letters of a piece that an own reading may have at most beside it in one breath

FindVoice = Callable[[str, str], Voice]  # a voice's id or "", a language -> the voice


@dataclass(frozen=True)
class Pauses:
    """Seconds at speed 1."""

    sentence: float
    paragraph: float
    line: float

    def after(self, kind: str) -> float:
        return {"sentence": self.sentence, "paragraph": self.paragraph, "line": self.line}[kind]


@dataclass(frozen=True)
class Utterance:
    """Said in one breath, then `pause` seconds of silence (`exact`: whatever the speed). `at` … `to` is where it stands in the text."""

    phrase: Phrase
    voice: Voice
    style: Style
    at: int
    to: int
    unit: int
    sentence: int
    pause: float = 0.0
    exact: bool = False


@dataclass
class Plan:
    """`lead` is a pause before the first word; `skipped` are letters that nobody can read, `as_written` words whose sounds were given to a voice that knows none."""

    utterances: list[Utterance] = field(default_factory=list)
    lead: float = 0.0
    skipped: str = ""
    as_written: list[str] = field(default_factory=list)

    @property
    def letters(self) -> int:
        return sum(len(one.phrase.text) for one in self.utterances)

    @property
    def voices(self) -> list[Voice]:
        return list({one.voice.id: one.voice for one in self.utterances}.values())

    @property
    def unheard(self) -> list[str]:
        """Voices that were named for some words, and speak the language of none of them."""
        heard = {name.casefold() for voice in self.voices for name in (voice.id, voice.title)}
        return [name for name in dict.fromkeys(one.style.voice for one in self.utterances) if name and name.strip().casefold() not in heard]


def plan(items: list[Item], pauses: Pauses, find: FindVoice, entries: list[Entry], language: str = "") -> Plan:
    """`language` is the job's, "" where it is found by the text. Raises what `find` does."""
    return _Planner(pauses, find, entries, language).plan(items)


class _Planner:
    def __init__(self, pauses: Pauses, find: FindVoice, entries: list[Entry], language: str) -> None:
        self.pauses, self.find, self.entries, self.language = pauses, find, entries, language
        self.made = Plan()
        self.sentence: list[Run] = []
        self.number, self.unit, self.usual = 0, 0, ""

    def plan(self, items: list[Item]) -> Plan:
        self.usual = language_of("".join(item.piece.text for item in items if isinstance(item, Run))) or "en"
        for item in items:
            if isinstance(item, Run):
                self._run(item)
            elif isinstance(item, Break):
                self._flush()
                self._break(item.seconds)
            else:
                self._flush()
                self._end(item)
        self._flush()
        self.made.skipped = "".join(dict.fromkeys(self.made.skipped))
        self.made.as_written = list(dict.fromkeys(self.made.as_written))
        return self.made

    def _run(self, run: Run) -> None:
        if run.piece.alphabet:
            self.sentence.append(run)
            return
        spans = list(sentences(run.piece.text))
        for number, (begin, end) in enumerate(spans):
            self.sentence.append(replace(run, piece=Piece(run.piece.text[begin:end]), at=run.at + begin, to=run.at + end))
            if number < len(spans) - 1 or run.piece.text[begin:end].rstrip("」』）)]”’\"' ").endswith((".", "!", "?", "。", "．", "！", "？", "…")):
                self._flush()
                self._pause(self.pauses.sentence, False)

    def _end(self, end: End) -> None:
        """A paragraph's pause takes the place of its last sentence's; an exact one stays."""
        self._pause(self.pauses.after(end.kind), False)
        if end.kind != "sentence" and self.made.utterances:
            self.unit = self.made.utterances[-1].unit + 1

    def _break(self, seconds: float) -> None:
        if not self.made.utterances:
            self.made.lead += seconds
            return
        last = self.made.utterances[-1]
        self._pause(seconds + (last.pause if last.exact else 0.0), True)

    def _pause(self, seconds: float, exact: bool) -> None:
        if self.made.utterances:
            last = self.made.utterances[-1]
            if exact or not last.exact:
                self.made.utterances[-1] = replace(last, pause=seconds if exact else max(seconds, last.pause if last.pause not in (JOINT, COMMA) else 0.0), exact=exact)

    # -- one sentence ----------------------------------------------------------------------------------------

    def _flush(self) -> None:
        runs, self.sentence = self.sentence, []
        if not any(says_something(run.piece.text) or run.piece.reading for run in runs):
            self.made.skipped += unreadable("".join(run.piece.text for run in runs), ("en", "ja"))
            return
        before = len(self.made.utterances)
        for (style, language), group in groupby(self._with_languages(runs), key=lambda pair: (pair[0].style, pair[1])):
            for breath in self._breaths([run for run, _ in group], language):
                self._add(breath, style, language)
        self.number += len(self.made.utterances) > before

    def _with_languages(self, runs: list[Run]) -> list[tuple[Run, str]]:
        """Each run of one language; words of the dictionary as runs of their own."""
        found: list[tuple[Run, str]] = []
        for run in runs:
            said = run.piece.reading if run.piece.alphabet == "text" else run.piece.text
            own = {"ipa": "en", "kana": "ja"}.get(run.piece.alphabet, "")
            forced = run.style.language or self.language
            if run.piece.alphabet:
                found.append((run, own or forced or language_of(said) or self._before(found, runs)))
                continue
            for language, begin, end in [(forced, 0, len(said))] if forced else parts_by_language(said, self._before(found, runs)):
                for piece, first, last in replaced(said[begin:end], self.entries):
                    at = run.at + begin + first
                    found.append((replace(run, piece=piece, at=at, to=at + last - first), {"ipa": "en", "kana": "ja"}.get(piece.alphabet, language)))
        return found

    def _before(self, found: list[tuple[Run, str]], runs: list[Run]) -> str:
        """The language of a number: of what stands before it, else of its sentence, else of the whole text."""
        return found[-1][1] if found else language_of("".join(run.piece.text for run in runs)) or self.usual

    def _breaths(self, runs: list[Run], language: str) -> list[list[Run]]:
        """Runs put together as far as one breath reaches; a run that is longer is cut."""
        limit = limit_of(language)
        small = [replace(run, piece=Piece(run.piece.text[begin:end]), at=run.at + begin, to=run.at + end) for run in runs if not run.piece.alphabet for begin, end in breaths(run.piece.text, limit)]
        cut = [part for run in runs for part in ([run] if run.piece.alphabet else [one for one in small if run.at <= one.at and one.to <= run.to])]
        lines: list[list[Run]] = []
        for run in cut:
            if lines and sum(len(one.piece.text) for one in lines[-1]) + len(run.piece.text) <= limit + LONG:
                lines[-1].append(run)
            else:
                lines.append([run])
        return lines

    def _add(self, runs: list[Run], style: Style, language: str) -> None:
        phrase = Phrase(tuple(run.piece for run in runs), language)
        if not says_something(phrase.spoken):
            self.made.skipped += unreadable(phrase.text, ("en", "ja"))
            return
        voice = self.find(style.voice, language)
        missed = unreadable("".join(run.piece.text for run in runs if not run.piece.alphabet), voice.languages)
        self.made.skipped += missed
        if missed:
            phrase = Phrase(tuple(_without(piece, missed) for piece in phrase.pieces), language)
        if not says_something(phrase.spoken):
            return
        self.made.as_written += [piece.text.strip() for piece in phrase.pieces if piece.alphabet == "ipa" and "ipa" not in voice.sounds]
        written = phrase.text
        at, to = runs[0].at + len(written) - len(written.lstrip()), runs[-1].to - (len(written) - len(written.rstrip()))
        last = self.made.utterances[-1] if self.made.utterances else None
        if last and last.sentence == self.number and not last.exact and last.pause == 0:
            self.made.utterances[-1] = replace(last, pause=COMMA if last.phrase.text.rstrip().endswith((",", "、", "，", ";", ":", "—")) else JOINT)
        self.made.utterances.append(Utterance(phrase, voice, style, at, max(at, to), self.unit, self.number))


def _without(piece: Piece, letters: str) -> Piece:
    """Said without these letters; what is shown stays as it was written."""
    if piece.alphabet or not set(letters) & set(piece.text):
        return piece
    return Piece(piece.text, "".join(letter for letter in piece.text if letter not in letters) or " ", "text")
