"""Subtitles from the real times of what was said. Sources: SubRip's format as its programs write it; WebVTT (W3C Candidate Recommendation, 4 April 2019)."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

LINE_ENGLISH, LINE_JAPANESE = 42, 21  # letters of a line on the screen
SHORTEST = 0.3  # seconds that a line is shown at least
MARKS, MARK_WORTH = ",;:、。，；：–—", 12  # where phrases end; letters that a part may be longer or shorter for one


Heard = tuple[str, float, float]  # a word as it is written, when it begins, when it ends


@dataclass(frozen=True)
class Cue:
    """Shown from `start` to `end` seconds. `words` in their order, where their times are known."""

    start: float
    end: float
    text: str
    speaker: str = ""
    words: tuple[Heard, ...] = ()


def cues_of(timing: list[list[object]], words: Sequence[Sequence[Heard]] = ()) -> list[Cue]:
    """From the facts of a sound: [start, end, text, speaker, …], one for each breath. `words` of each row: what is longer than two lines is parted where its words were heard."""
    cues = []
    for number, (start, end, text, speaker, *_) in enumerate(timing):
        written = re.sub(r"\s+", " ", str(text)).strip()
        if written:
            told = tuple(words[number]) if number < len(words) else ()
            whole = Cue(float(str(start)), max(float(str(end)), float(str(start)) + SHORTEST), written, str(speaker), told)
            cues += parted(whole)
    return [Cue(cue.start, min(cue.end, after.start) if after.start > cue.start else cue.end, cue.text, cue.speaker, cue.words) for cue, after in zip(cues, [*cues[1:], Cue(1e9, 1e9, "")], strict=True)]


def parted(cue: Cue) -> list[Cue]:
    """In parts of two lines at most, each from its first word to its last: as few and as equal as can be, rather after a mark than inside a phrase. Whole where its words' times are not known."""
    count = -(-len(cue.text) // (2 * _width(cue.text)))
    if count < 2 or len(cue.words) < count:
        return [cue]
    places = _places(cue)
    if not places:
        return [cue]
    cut = min(range(1, len(cue.words)), key=lambda number: abs(places[number] - len(cue.text) / count) - MARK_WORTH * (cue.text[: places[number]].rstrip()[-1:] in MARKS))
    at, before, after = places[cut], cue.words[:cut], cue.words[cut:]
    first = Cue(cue.start, before[-1][2], cue.text[:at].strip(), cue.speaker, before)
    return [first, *parted(Cue(after[0][1], cue.end, cue.text[at:].strip(), cue.speaker, after))]


def _places(cue: Cue) -> list[int]:
    """Where each word stands in the text; [] where one is not found."""
    places, at = [], 0
    for word, *_ in cue.words:
        at = cue.text.find(word, at)
        if at < 0:
            return []
        places.append(at)
        at += len(word)
    return places


def _width(text: str) -> int:
    return LINE_JAPANESE if re.search(r"[\u3040-\u9fff]", text) else LINE_ENGLISH


def srt(cues: list[Cue]) -> str:
    parts = []
    for number, cue in enumerate(cues, start=1):
        words = f"{cue.speaker}: {cue.text}" if cue.speaker else cue.text
        parts.append(f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{wrapped(words)}\n")
    return "\n".join(parts)


def vtt(cues: list[Cue], note: str = "", stamps: bool = False) -> str:
    """`note` (who lent the voice) stands as a comment. `stamps`: a time before each word but the first, where it is known."""
    head = "WEBVTT\n" + (f"\nNOTE {note.replace('-->', '→')}\n" if note else "")
    parts = []
    for cue in cues:
        words = _stamped(cue) if stamps else html.escape(wrapped(cue.text), quote=False)
        speaker = re.sub(r"[<>&\n]", "", cue.speaker)
        parts.append(f"{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{f'<v {speaker}>' if speaker else ''}{words}\n")
    return head + "\n" + "\n".join(parts)


def _stamped(cue: Cue) -> str:
    """The words with the times at which they begin. A stamp must lie inside its cue and behind the one before it: those that do not are left out."""
    text, made, done, last = cue.text, "", 0, cue.start
    for place, (_, start, _end) in zip(_places(cue), cue.words, strict=False):
        if place and round(start, 3) > round(last, 3) and start < cue.end:
            made += html.escape(text[done:place], quote=False) + f"<{_time(start, '.')}>"
            done, last = place, start
    return made + html.escape(text[done:], quote=False)


def wrapped(text: str) -> str:
    """In as few lines of about equal length as the screen's width allows: at spaces, or anywhere in Japanese but before a mark."""
    width = _width(text)
    count = -(-len(text) // width)
    if count < 2:
        return text
    lines, rest = [], text
    for left in range(count, 1, -1):
        cut = _cut(rest, -(-len(rest) // left), width)
        lines.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return "\n".join(line for line in [*lines, rest] if line)


def _cut(text: str, wish: int, width: int) -> int:
    """The place nearest to `wish` where a line may end."""
    places = [place for place in range(1, len(text)) if text[place - 1] in " 、。，！？" or (ord(text[place]) > 0x3000 and ord(text[place - 1]) > 0x3000 and text[place] not in "、。，！？」』）ーっゃゅょッャュョ々")]
    return min(places, key=lambda place: abs(place - wish) - 3 * (text[place - 1] in " 、。"), default=min(width, len(text)))


def _time(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    return f"{milliseconds // 3_600_000:02}:{milliseconds // 60_000 % 60:02}:{milliseconds // 1000 % 60:02}{mark}{milliseconds % 1000:03}"
