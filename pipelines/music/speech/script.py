"""Texts of several speakers: a script ("Anna: Hello.") or a table (CSV with speaker and text), and who speaks with which voice."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace

from pipelines.music.speech.ssml import looks_like_ssml
from pipelines.music.speech.text import Break, End, Item, Style, plain
from studio.api import BadInput

LINE = re.compile(r"\s*([^\s:：=,<>/|][^:：=,<>/|\n]{0,29}?)\s*[:：](?!//)(?:\s+|(?<=：)|(?=[^\s\d]))(\S.*)")
COLUMNS = ("speaker", "text", "voice", "speed", "pitch", "volume", "pause")
PITCHES = (0.0, -3.0, 3.0, -5.0, 5.0, -1.5, 1.5)  # of speakers who share one voice
KINDS = ("Automatic", "Plain text", "SSML", "Script", "Table")


@dataclass(frozen=True)
class Speaker:
    name: str
    voice: str = ""
    speed: float = 1.0
    pitch: float = 0.0
    volume: float = 0.0

    def line(self) -> str:
        """As `speakers` reads it again."""
        told = [f"speed {self.speed:g}" if self.speed != 1 else "", f"pitch {self.pitch:+g}" if self.pitch else "", f"volume {self.volume:+g}" if self.volume else ""]
        return f"{self.name} = {', '.join([self.voice or 'automatic', *filter(None, told)])}"


def kind_of(text: str) -> str:
    """What "Automatic" means for this text."""
    if looks_like_ssml(text):
        return "SSML"
    lines = [line for line in text.splitlines() if line.strip()]
    if lines and {"speaker", "text"} <= {name.strip().lower() for name in re.split(r"[,;\t]", lines[0].lstrip("\ufeff"))}:
        return "Table"
    return "Script" if len(lines) > 1 and all(LINE.fullmatch(line) for line in lines) else "Plain text"


def speakers_of(text: str, kind: str) -> list[str]:
    """Names in the order of their first words; [] for texts of one voice."""
    kind = kind_of(text) if kind == "Automatic" else kind
    if kind == "Script":
        names = [found[1] for line in text.splitlines() if (found := LINE.fullmatch(line))]
    elif kind == "Table":
        names = [row["speaker"].strip() for _, row in _rows(text)]
    else:
        return []
    return [name for name in dict.fromkeys(names) if name]


def parse_speakers(lines: list[str]) -> dict[str, Speaker]:
    """ "Anna = heart, speed 1.1, pitch +2". Raises BadInput at the field "speakers"."""
    found = {}
    for line in lines:
        if line.strip():
            speaker = _speaker(line)
            found[speaker.name] = speaker
    return found


def _speaker(line: str) -> Speaker:
    wrong = BadInput(f"“{line.strip()[:60]}” does not say who speaks how.", hint="Write “name = voice, speed 1.1, pitch +2, volume -3”.", field="speakers")
    name, equals, told = (part.strip() for part in line.partition("="))
    voice, *rest = (part.strip() for part in told.split(","))
    if not name or not equals:
        raise wrong
    speaker = Speaker(name, "" if voice.lower() in ("", "automatic") else voice)
    for part in rest:
        found = re.fullmatch(r"(speed|pitch|volume)\s+([+-]?\d+(?:\.\d+)?)", part)
        if not found:
            raise wrong
        speaker = changed(speaker, {found[1]: _bounded(found[1], float(found[2]), wrong)})
    return speaker


def _bounded(what: str, value: float, wrong: BadInput) -> float:
    low, high = {"speed": (0.5, 2.0), "pitch": (-12.0, 12.0), "volume": (-30.0, 12.0), "pause": (0.0, 30.0)}[what]
    if not low <= value <= high:
        raise wrong
    return value


def read_script(text: str, speakers: dict[str, Speaker]) -> list[Item]:
    """A line without a name goes on with the one before it."""
    items: list[Item] = []
    style, number, at = Style(), 0, 0
    for line in text.splitlines(keepends=True):
        found = LINE.fullmatch(line.rstrip("\r\n"))
        if found:
            style = styled(speakers.get(found[1], Speaker(found[1])), number)
            number += 1
        if line.strip():
            words, begin = (found[2], found.start(2)) if found else (line.rstrip(), 0)
            items += [End("line" if found else "sentence")] * bool(items) + plain(words, style, at + begin)
        elif items:
            items.append(End("paragraph"))
        at += len(line)
    return items


def read_table(text: str, speakers: dict[str, Speaker]) -> list[Item]:
    """One row a line; voice, speed, pitch, volume and the pause after it may stand beside. Raises BadInput at the field "text" with the row's number."""
    items: list[Item] = []
    cursor = 0
    for number, row in _rows(text):
        speaker = speakers.get(row["speaker"].strip(), Speaker(row["speaker"].strip()))
        if row["voice"].strip():
            speaker = replace(speaker, voice=row["voice"].strip(), pitch=speaker.pitch if speaker.voice else 0.0)  # nobody shares this voice by turns
        speaker = changed(speaker, {what: _number(row, what, number) for what in ("speed", "pitch", "volume") if row[what].strip()})
        found = text.find(row["text"], cursor)
        cursor = found + len(row["text"]) if found >= 0 else cursor
        items += [End("line")] * bool(items) + plain(row["text"], styled(speaker, number - 1), max(found, 0))
        if row["pause"].strip():
            items.append(Break(_number(row, "pause", number)))
    return items


def _rows(text: str) -> list[tuple[int, dict[str, str]]]:
    """Rows with their numbers, every column there. Raises BadInput for what is no such table."""
    lines = text.lstrip("\ufeff\r\n ")
    first = lines.partition("\n")[0]
    mark = max(",;\t", key=first.count)
    wrong = BadInput("A table needs the columns speaker and text in its first line.", hint="Write “speaker,text”, then one line a row; voice, speed, pitch, volume and pause may follow.", field="text")
    try:
        table = list(csv.reader(io.StringIO(lines), delimiter=mark, strict=True))
    except csv.Error as error:
        raise BadInput(f"This is no table that can be read: {error}.", hint="Check the quotation marks.", field="text") from error
    names = [name.strip().lower() for name in table[0]] if table else []
    if not {"speaker", "text"} <= set(names):
        raise wrong
    if unknown := [name for name in names if name not in COLUMNS]:
        raise BadInput(f"The column “{unknown[0][:40]}” is not known.", hint=f"Columns are {', '.join(COLUMNS)}.", field="text")
    rows = []
    for number, row in enumerate(table[1:], start=1):
        if len(row) > len(names):
            raise BadInput(f"Row {number} of the table has more columns than its first line.", hint="Put texts with commas in quotation marks.", field="text")
        if any(cell.strip() for cell in row):
            rows.append((number, dict.fromkeys(COLUMNS, "") | dict(zip(names, row, strict=False))))
    return rows


def _number(row: dict[str, str], what: str, number: int) -> float:
    wrong = BadInput(f"Row {number} of the table: “{row[what].strip()[:20]}” is no {what}.", hint="Speed goes from 0.5 to 2, pitch from -12 to 12, volume from -30 to 12, pause from 0 to 30.", field="text")
    try:
        return _bounded(what, float(row[what]), wrong)
    except ValueError as error:
        raise wrong from error


def changed(speaker: Speaker, values: dict[str, float]) -> Speaker:
    return replace(speaker, speed=values.get("speed", speaker.speed), pitch=values.get("pitch", speaker.pitch), volume=values.get("volume", speaker.volume))


def styled(speaker: Speaker, line: int) -> Style:
    return Style(voice=speaker.voice, rate=speaker.speed, pitch=speaker.pitch, volume=speaker.volume, speaker=speaker.name, line=line)


def cast(names: list[str], known: dict[str, Speaker]) -> dict[str, Speaker]:
    """Everybody with a way of speaking: those who were given none share the automatic voice at different pitches, in the order in which they come."""
    free = iter(PITCHES * (1 + len(names) // len(PITCHES)))
    return {name: known[name] if name in known else Speaker(name, pitch=next(free)) for name in names}


def parted(names: list[str], lines: list[str], most: int) -> tuple[dict[str, str], list[str]]:
    """Of "speakers" the voices of the first so many of those named, and the lines that say more: `joined` and `cast` make the same of both. Raises BadInput.

    Where everybody has a line, as a job keeps them, one that says what "by turns" gives anyhow is not needed.
    """
    voices, rest, known = dict[str, str](), list[str](), parse_speakers(lines)
    free = iter(PITCHES * (1 + len(names) // len(PITCHES)) if set(names) <= set(known) else ())
    turn = next(free, None)
    for name, speaker in known.items():
        if name in names and turn is not None and speaker == Speaker(name, pitch=turn):
            turn = next(free, None)
            continue
        if name in names[:most] and speaker.voice:
            voices[name], speaker = speaker.voice, replace(speaker, voice="")
        if name not in voices or speaker != Speaker(name):
            rest.append(speaker.line())
    return voices, rest


def serving(lines: list[str], served: list[str], names: list[str]) -> list[str]:
    """The lines of "speakers" without those of an earlier text (`served`) whose speaker is not in this one. Raises BadInput."""
    return [line for line in lines if line not in served or set(parse_speakers([line])) <= set(names)]


def joined(lines: list[str], voices: dict[str, str]) -> list[str]:
    """The lines of "speakers" with voices that were chosen apart from them; a line that names one keeps it. Raises BadInput."""
    known = parse_speakers(lines)
    chosen = {name: known.get(name, Speaker(name)) for name, voice in voices.items() if voice}
    return [speaker.line() for speaker in (known | {name: speaker if speaker.voice else replace(speaker, voice=voices[name]) for name, speaker in chosen.items()}).values()]
