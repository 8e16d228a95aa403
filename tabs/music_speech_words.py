"""How the words of a text will be read, each to be corrected with a click, and the person's own dictionary that the corrections go into. HTML and lines; no gradio."""

from __future__ import annotations

import csv
import html
import io
import re
from typing import Any

from studio.api import BadInput, Studio, StudioError

SPEECH = "music.speech"
SLOT = "speech.dictionary"
SHOWN_LETTERS = 1500  # of a text: each word is a button
MOST_WORDS = 2000
BARE = re.compile(r"(\d+(?:[.,:]\d+)*|[^\W\d_]+)")
MARKED = ("SSML", "Table")  # texts whose letters are not all spoken


class Words:
    """One person's dictionary at a time, kept in the store as lines "word = reading"."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.pipeline: Any = studio.pipelines[SPEECH]

    def lines(self, owner: str) -> list[str]:
        return list(self.studio.store.recall(owner, SLOT) or [])

    def put(self, owner: str, pairs: list[tuple[str, str]]) -> None:
        """The whole dictionary: of one word the last reading counts, pairs without a word or a reading are left out. Raises BadInput."""
        kept = {word.strip(): reading.strip() for word, reading in pairs if word.strip() and reading.strip()}
        if len(kept) > MOST_WORDS:
            raise BadInput(f"The dictionary can hold {MOST_WORDS:,} words.", hint="Take out what is not needed.", field="dictionary")
        if odd := next((word for word in kept if "=" in word or word.startswith("#")), ""):
            raise BadInput(f"“{odd[:40]}” can't be a word of the dictionary.", hint="Words have no “=” and don't begin with “#”.", field="dictionary")
        lines = [f"{word} = {reading}" for word, reading in kept.items()]
        self.pipeline.readings("", "", tuple(lines))  # refuses readings that can't be spoken
        self.studio.store.remember(owner, SLOT, lines)

    def correct(self, owner: str, word: str, reading: str) -> None:
        """One word's reading; an empty one takes the word out. Raises BadInput."""
        self.put(owner, [*((old, said) for old, said in pairs_of(self.lines(owner)) if old != word.strip()), (word, reading)])

    def readings(self, owner: str, text: str, lang: str) -> str:
        """HTML: the text with a reading over each word."""
        say = self.studio.words.say
        if not text.strip():
            return told(say(lang, "The words and how they are read appear here."))
        if self.pipeline.kind_of(text) in MARKED:
            return told(say(lang, "In a text with marks, readings are written with the tags sub and phoneme."))
        shown = text[:SHOWN_LETTERS]
        try:
            found = self.pipeline.readings(shown, "", tuple(self.lines(owner)))
        except StudioError as error:
            return told(" ".join(say(lang, part) for part in (error.message, error.hint) if part), wrong=True)
        rest = told(say(lang, "Only the beginning is shown.")) if len(text) > SHOWN_LETTERS else ""
        return f'<div class="speech-words">{words_of(shown, found, say(lang, "Correct the reading"))}</div>{rest}'

    def table(self, owner: str, lang: str, problem: str = "") -> str:
        """HTML: each word with its reading, to be changed and deleted, and an empty row for a new one."""
        say = self.studio.words.say
        named = {name: html.escape(say(lang, name)) for name in ("Word", "Reading", "Delete", "Add", "A word", "Its reading: other words, /sounds/ or kana")}
        rows = "".join(_row(word, reading, named) for word, reading in pairs_of(self.lines(owner)))
        new = (
            f'<tr class="new"><td><input data-part="word" aria-label="{named["A word"]}" placeholder="{named["A word"]}"></td>'
            f'<td><input data-part="reading" aria-label="{named["Reading"]}" placeholder="{named["Its reading: other words, /sounds/ or kana"]}"></td>'
            f'<td><button type="button" data-add aria-label="{named["Add"]}">＋</button></td></tr>'
        )
        return f'{told(problem, wrong=True) if problem else ""}<table class="speech-table"><thead><tr><th>{named["Word"]}</th><th>{named["Reading"]}</th><th></th></tr></thead><tbody>{rows}{new}</tbody></table>'


def _row(word: str, reading: str, named: dict[str, str]) -> str:
    return (
        f'<tr><td><input data-part="word" aria-label="{named["Word"]}" value="{html.escape(word)}"></td><td><input data-part="reading" aria-label="{named["Reading"]}" value="{html.escape(reading)}"></td>'
        f'<td><button type="button" data-delete aria-label="{named["Delete"]}">×</button></td></tr>'
    )


def told(text: str, *, wrong: bool = False) -> str:
    return f'<p class="{"studio-error" if wrong else "studio-note"}"{" role=alert" if wrong else ""}>{html.escape(text)}</p>'


def words_of(text: str, found: list[dict[str, Any]], label: str) -> str:
    """The text; its words are buttons, and the reading stands over those that are not read as they are written. Figures and short forms, read as other words, have none yet."""
    parts: list[str] = []
    place = 0
    for word in sorted(found, key=lambda one: int(one["from"])):
        begin, end = int(word["from"]), int(word["to"])
        if begin < place:
            continue
        parts += [_between(text[place:begin], label), _word(word, label)]
        place = end
    return "".join([*parts, _between(text[place:], label)])


def _between(text: str, label: str) -> str:
    bits = BARE.split(text)  # every second is a word
    return "".join(_word({"surface": bit, "reading": "", "language": ""}, label) if number % 2 else html.escape(bit).replace("\n", "<br>") for number, bit in enumerate(bits))


def _word(word: dict[str, Any], label: str) -> str:
    surface, reading = str(word["surface"]), str(word["reading"])
    own = " own" if word.get("own") else ""
    over = "" if not reading or same(surface, reading) else f"<rt>{html.escape(reading)}</rt>"
    spoken = f' lang="{html.escape(str(word["language"]))}"' if word["language"] else ""
    about = f'data-word="{html.escape(surface)}" data-reading="{html.escape(reading)}"{spoken}'
    return f'<button type="button" class="word{own}" {about} title="{html.escape(label)}"><ruby>{html.escape(surface)}{over}</ruby></button>'


def same(surface: str, reading: str) -> bool:
    """Whether a reading tells nothing new: kana that is read as it stands."""
    def bare(text: str) -> str:
        return "".join(chr(ord(letter) + 96) if "ぁ" <= letter <= "ゖ" else letter for letter in text if letter != "'")

    return bare(surface) == bare(reading)


def pairs_of(lines: list[str]) -> list[tuple[str, str]]:
    parts = (line.partition("=") for line in lines if not line.lstrip().startswith("#"))
    found = ((word.strip(), reading.strip()) for word, _, reading in parts)
    return [(word, reading) for word, reading in found if word and reading]


def text_of(data: bytes) -> str:
    """Raises BadInput for what is no text, or in letters that would come out as others."""
    found = data.decode("utf-8", "replace")
    if "\0" in found or "\ufffd" in found:
        raise BadInput("This file is no text in UTF-8.", hint="Save it as UTF-8 in the program that made it.", field="dictionary")
    return found


def imported(text: str) -> list[tuple[str, str]]:
    """From a file: lines "word = reading", or a table with a word and its reading a row, parted by commas or tabs. Raises BadInput where it holds none."""
    if pairs := pairs_of(text.lstrip("\ufeff").splitlines()):
        return pairs
    rows = csv.reader(io.StringIO(text.lstrip("\ufeff")), delimiter="\t" if "\t" in text else ",")
    try:
        pairs = [(row[0].strip(), row[1].strip()) for row in rows if len(row) >= 2 and row[0].strip() and row[1].strip()]
    except csv.Error:
        pairs = []
    if not pairs:
        raise BadInput("There are no words in this file.", hint="Write one word a line: word = reading.", field="dictionary")
    return [pair for pair in pairs if pair != ("word", "reading")]
