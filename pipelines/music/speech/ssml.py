"""SSML: the marks of a text for speech, read strictly. What is not understood is refused with the place where it stands.

Read by expat with everything switched off that can reach out or blow up: no doctype, no entities but XML's five, no processing instructions, bounded depth and size.
Source: Speech Synthesis Markup Language 1.1 (W3C Recommendation, 7 September 2010), sections 3.1 and 3.2.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any
from xml.parsers import expat

from pipelines.music.speech.engine import Piece
from pipelines.music.speech.english import say_english
from pipelines.music.speech.japanese import KANA, romaji_to_kana, say_japanese, sound_of
from pipelines.music.speech.sounds import check_ipa
from pipelines.music.speech.text import FARTHEST, FASTEST, SLOWEST, Break, End, Item, Run, Style, language_of, place_of, plain, reachable
from studio.api import BadInput

MOST_DEPTH = 32
MOST_BREAK = 30.0  # seconds
RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.3, "x-fast": 1.7}
PITCHES = {"x-low": -6.0, "low": -3.0, "medium": 0.0, "default": 0.0, "high": 3.0, "x-high": 6.0}
VOLUMES = {"silent": -96.0, "x-soft": -18.0, "soft": -9.0, "medium": 0.0, "default": 0.0, "loud": 4.0, "x-loud": 8.0}
BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.25, "medium": 0.5, "strong": 0.8, "x-strong": 1.5}
EMPHASIS = {"strong": (0.85, 2.0, 3.0), "moderate": (0.93, 1.0, 1.5), "none": (1.0, 0.0, 0.0), "reduced": (1.1, -1.0, -3.0)}  # rate, semitones, dB
ATTRIBUTES = {
    "speak": {"version", "xml:lang", "xmlns", "xmlns:xsi", "xsi:schemaLocation", "xml:base"}, "p": {"xml:lang"}, "s": {"xml:lang"}, "lang": {"xml:lang"}, "voice": {"name", "xml:lang", "gender", "languages"},
    "break": {"time", "strength"}, "prosody": {"rate", "pitch", "volume"}, "emphasis": {"level"}, "sub": {"alias"}, "phoneme": {"ph", "alphabet"},
    "say-as": {"interpret-as", "format", "detail"},
}  # fmt: skip
SAY_AS = ("characters", "spell-out", "verbatim", "digits", "cardinal", "number", "ordinal", "date", "time", "telephone", "currency", "fraction")
TAGS = ", ".join(sorted(ATTRIBUTES))
FindVoice = Callable[[str, str, str], str]  # name, language, gender -> a voice's id, or "" where there is none such


@dataclass
class _Frame:
    tag: str
    style: Style
    values: dict[str, str]
    at: int
    text: list[str] = field(default_factory=list)  # of sub, phoneme and say-as, which hold text only


def looks_like_ssml(text: str) -> bool:
    return bool(re.match(r"\s*(<\?xml[^>]*\?>\s*)?(<!DOCTYPE|<speak[\s>/])", text))


def read(text: str, style: Style, find_voice: FindVoice) -> list[Item]:
    """The items of an SSML text; without <speak> around it one is thought. Raises BadInput with line and column at the field "text"."""
    return _Reader(text, style, find_voice).read()


class _Reader:
    """One reading. Offsets of events come in bytes of UTF-8 and are told in characters."""

    def __init__(self, text: str, style: Style, find_voice: FindVoice) -> None:
        self.text, self.find_voice = text, find_voice
        self.before, self.after = ("", "") if looks_like_ssml(text) else ("<speak>", "</speak>")
        self.bytes = list(accumulate(len(letter.encode("utf-8", "replace")) for letter in text))
        self.stack = [_Frame("", style, {}, 0)]
        self.items: list[Item] = []
        self.parser = self._parser()

    def read(self) -> list[Item]:
        data = f"{self.before}{self.text}{self.after}".encode("utf-8", "replace")
        try:
            self.parser.Parse(data, True)
        except expat.ExpatError as error:
            raise self._wrong(f"this is no well-formed SSML ({expat.ErrorString(error.code)}).", self._at(self.parser.ErrorByteIndex)) from error
        return _tidied(self.items)

    def _parser(self) -> Any:
        parser = expat.ParserCreate("utf-8")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = False
        parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = self._start, self._end, self._data
        parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = parser.ProcessingInstructionHandler = self._forbidden
        parser.ExternalEntityRefHandler = parser.SkippedEntityHandler = self._forbidden
        return parser

    def _forbidden(self, *_: Any) -> int:
        raise self._wrong("document types, entities and processing instructions are not read.")

    def _at(self, index: int) -> int:
        """The character of the written text at a byte of what is parsed."""
        return bisect_right(self.bytes, max(0, index - len(self.before)))

    def _here(self) -> int:
        return self._at(self.parser.CurrentByteIndex)

    def _wrong(self, what: str, at: int = -1) -> BadInput:
        at = min(self._here() if at < 0 else at, len(self.text))
        line, column = place_of(self.text, at)
        return BadInput(f"Line {line}, column {column}: {what}", hint="Mend the marks, or choose “Plain text”.", field="text")

    # -- tags ------------------------------------------------------------------------------------------------

    def _start(self, tag: str, values: dict[str, str]) -> None:
        if tag not in ATTRIBUTES:
            raise self._wrong(f"the tag <{tag[:40]}> is not known here; these are: {TAGS}.")
        if unknown := sorted(set(values) - ATTRIBUTES[tag]):
            raise self._wrong(f"<{tag}> has no attribute “{unknown[0][:40]}” here.")
        if len(self.stack) > MOST_DEPTH:
            raise self._wrong(f"tags stand more than {MOST_DEPTH} deep in each other.")
        if self.stack[-1].tag in ("sub", "phoneme", "say-as", "break"):
            raise self._wrong(f"<{self.stack[-1].tag}> holds no other tags.")
        if (tag == "speak") != (len(self.stack) == 1):
            raise self._wrong("<speak> stands once, around everything.")
        style = getattr(self, f"_style_{tag.replace('-', '_')}", self._style_plain)(values, self.stack[-1].style)
        self.stack.append(_Frame(tag, style, values, self._here()))
        if tag == "break":
            self.items.append(Break(self._seconds(values)))
        elif tag in ("p", "s"):
            self.items.append(End("paragraph" if tag == "p" else "sentence"))

    def _end(self, tag: str) -> None:
        frame = self.stack.pop()
        if tag in ("p", "s"):
            self.items.append(End("paragraph" if tag == "p" else "sentence"))
        elif tag in ("sub", "phoneme", "say-as"):
            self._said(frame, "".join(frame.text))

    def _data(self, text: str) -> None:
        frame = self.stack[-1]
        if frame.tag in ("sub", "phoneme", "say-as"):
            frame.text.append(text)
        elif frame.tag == "break" and text.strip():
            raise self._wrong("<break> holds no text.")
        elif frame.tag != "break":
            at = self._here()
            last = self.items[-1] if self.items else None
            if isinstance(last, Run) and not last.piece.alphabet and last.style == frame.style:  # expat hands text over in bits
                self.items[-1] = replace(last, piece=Piece(last.piece.text + text), to=at + len(text))
            else:
                self.items.append(Run(Piece(text), frame.style, at, at + len(text)))

    # -- what the attributes say -----------------------------------------------------------------------------

    def _style_plain(self, values: dict[str, str], style: Style) -> Style:
        return replace(style, language=self._language(values["xml:lang"]), voice="") if values.get("xml:lang") else style

    def _style_voice(self, values: dict[str, str], style: Style) -> Style:
        name, gender = values.get("name", "").strip(), values.get("gender", "").strip()
        told = values.get("xml:lang") or values.get("languages") or ""
        language = self._language(told) if told else ""
        if not (name or language or gender):
            raise self._wrong("<voice> needs a name, a language or a gender.")
        if gender not in ("", "female", "male", "neutral"):
            raise self._wrong("a voice's gender is female, male or neutral.")
        found = self.find_voice(name, language, "" if gender == "neutral" else gender) if name or gender in ("female", "male") else ""
        if not found and (name or gender in ("female", "male")):
            raise self._wrong(f"there is no voice “{(name or gender)[:60]}”.")
        return replace(style, voice=found, language=language or style.language)

    def _style_prosody(self, values: dict[str, str], style: Style) -> Style:
        if not values:
            raise self._wrong("<prosody> needs a rate, a pitch or a volume.")
        return self._reached(style.but(rate=self._rate(values.get("rate", "medium")), pitch=self._pitch(values.get("pitch", "medium")), volume=self._volume(values.get("volume", "medium"))))

    def _style_emphasis(self, values: dict[str, str], style: Style) -> Style:
        level = values.get("level", "moderate")
        if level not in EMPHASIS:
            raise self._wrong(f"an emphasis is {', '.join(EMPHASIS)}.")
        rate, pitch, volume = EMPHASIS[level]
        return self._reached(style.but(rate=rate, pitch=pitch, volume=volume))

    def _reached(self, style: Style) -> Style:
        """Marks in each other add up, as far as can be spoken."""
        if told := reachable(style.rate, style.pitch):
            raise self._wrong(f"with the marks around it {told[1]}")
        return style

    def _language(self, tag: str) -> str:
        language = tag.strip().lower().replace("_", "-").split("-")[0]
        if not re.fullmatch(r"[a-z]{2,3}", language):
            raise self._wrong(f"“{tag[:20]}” is no language; write en or ja.")
        return language

    def _rate(self, told: str) -> float:
        rate = RATES.get(told) or _factor(told)
        if not rate or not SLOWEST <= rate <= FASTEST:
            raise self._wrong(f"“{told[:20]}” is no rate; write a word (slow, fast …), 120% or +20%, from 25% to 400%.")
        return rate

    def _pitch(self, told: str) -> float:
        if told in PITCHES:
            return PITCHES[told]
        if found := re.fullmatch(r"([+-]?\d+(?:\.\d+)?)st", told):
            semitones = float(found[1])
        else:
            from math import log2

            factor = _factor(told) if re.fullmatch(r"[+-]\d+(?:\.\d+)?%", told) else 0.0
            semitones = 12 * log2(factor) if factor > 0 else 99.0
        if abs(semitones) > FARTHEST:
            raise self._wrong(f"“{told[:20]}” is no pitch; write a word (low, high …), +2st or +10%, up to two octaves.")
        return semitones

    def _volume(self, told: str) -> float:
        if told in VOLUMES:
            return VOLUMES[told]
        found = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)dB", told)
        if not found or not -60 <= float(found[1]) <= 20:
            raise self._wrong(f"“{told[:20]}” is no volume; write a word (soft, loud …) or +6dB, from -60dB to +20dB.")
        return float(found[1])

    def _seconds(self, values: dict[str, str]) -> float:
        if "time" not in values:
            strength = values.get("strength", "medium")
            if strength not in BREAKS:
                raise self._wrong(f"a break's strength is one of {', '.join(BREAKS)}.")
            return BREAKS[strength]
        found = re.fullmatch(r"\+?(\d+(?:\.\d+)?|\.\d+)(ms|s)", values["time"].strip())
        seconds = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else -1.0
        if not 0 <= seconds <= MOST_BREAK:
            raise self._wrong(f"“{values['time'][:20]}” is no length of a break; write 500ms or 1.5s, at most {MOST_BREAK:.0f}s.")
        return seconds

    # -- text that is said otherwise -------------------------------------------------------------------------

    def _said(self, frame: _Frame, text: str) -> None:
        if not text.strip() and frame.tag != "phoneme":
            return
        piece = getattr(self, f"_piece_{frame.tag.replace('-', '_')}")(frame, text)
        inside = self._at(self.parser.CurrentByteIndex)
        begin = self.text.find(">", max(0, frame.at)) + 1 if frame.tag else frame.at
        self.items.append(Run(piece, frame.style, begin, max(begin, inside)))

    def _piece_sub(self, frame: _Frame, text: str) -> Piece:
        if not frame.values.get("alias", "").strip():
            raise self._wrong("<sub> needs an alias, the words that are said instead.", frame.at)
        return Piece(text, frame.values["alias"], "text")

    def _piece_phoneme(self, frame: _Frame, text: str) -> Piece:
        sound, alphabet = frame.values.get("ph", "").strip(), frame.values.get("alphabet", "").strip()
        if not sound:
            raise self._wrong("<phoneme> needs ph, the sounds.", frame.at)
        if alphabet not in ("", "ipa", "kana", "x-kana", "romaji", "x-romaji"):
            raise self._wrong(f"the alphabet “{alphabet[:20]}” is not known; ipa, kana and romaji are.", frame.at)
        if alphabet.endswith("kana") or (not alphabet and KANA.fullmatch(sound)):
            if not KANA.fullmatch(sound):
                raise self._wrong(f"“{sound[:40]}” is no reading in kana.", frame.at)
            return Piece(text or sound, sound_of(sound), "kana")
        if alphabet.endswith("romaji"):
            kana = romaji_to_kana(sound)
            if not kana:
                raise self._wrong(f"“{sound[:40]}” is no reading in romaji.", frame.at)
            return Piece(text or sound, kana, "kana")
        if wrong := check_ipa(sound):
            raise self._wrong(f"“{wrong}” is no sound of English in “{sound[:40]}”.", frame.at)
        return Piece(text or sound, sound, "ipa")

    def _piece_say_as(self, frame: _Frame, text: str) -> Piece:
        how = frame.values.get("interpret-as", "")
        if how not in SAY_AS:
            raise self._wrong(f"say-as knows {', '.join(SAY_AS)}.", frame.at)
        language = frame.style.language or language_of(text) or self._around()
        said = (say_japanese if language == "ja" else say_english)(text.strip(), how, frame.values.get("format", ""))
        if not said:
            raise self._wrong(f"“{text.strip()[:40]}” can't be read as {how}.", frame.at)
        return Piece(text, said, "text")

    def _around(self) -> str:
        """The language of what was written nearby, for a number that shows none."""
        before = next((found for item in reversed(self.items) if isinstance(item, Run) and (found := item.style.language or language_of(item.piece.text))), "")
        return before or language_of(re.sub(r"<[^>]*>", "", self.text)) or "en"


def _factor(told: str) -> float:
    """ "120%", "+20%", "1.2" as 1.2; 0 for anything else."""
    if found := re.fullmatch(r"([+-]?)(\d+(?:\.\d+)?)%", told):
        value = float(found[2]) / 100
        return 1 + value if found[1] == "+" else 1 - value if found[1] else value
    return float(told) if re.fullmatch(r"\d+(?:\.\d+)?", told) else 0.0


def _tidied(items: list[Item]) -> list[Item]:
    """White space between tags is no speech, an empty line in a text parts paragraphs as everywhere; of several ends the strongest counts."""
    tidy: list[Item] = []
    for item in items:
        if isinstance(item, Run) and not item.piece.alphabet:
            if not item.piece.text.strip():
                if tidy and isinstance(tidy[-1], Run):
                    tidy.append(replace(item, piece=Piece(" ")))
                continue
            tidy += plain(item.piece.text.replace("\n", " ") if "\n\n" not in item.piece.text else item.piece.text, item.style, item.at)
        elif isinstance(item, End) and tidy and isinstance(tidy[-1], End):
            tidy[-1] = item if item.kind == "paragraph" else tidy[-1]
        else:
            tidy.append(item)
    return tidy
