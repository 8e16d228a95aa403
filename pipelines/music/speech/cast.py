"""A job's text read and cast: its items, who speaks, and the plan of utterances. From settings and file names only; no model is loaded."""

from __future__ import annotations

from collections import OrderedDict

from pipelines.music.speech.dictionary import parse
from pipelines.music.speech.engine import Voice
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.plan import FindVoice, Pauses, Plan, plan
from pipelines.music.speech.script import cast, kind_of, parse_speakers, read_script, read_table, speakers_of
from pipelines.music.speech.ssml import read as read_ssml
from pipelines.music.speech.text import Item, Style, place_of, plain, reachable
from pipelines.music.speech.voices import find, known, usual, voices
from studio.api import BadInput, Catalog

CODES = {"Automatic": "", "English": "en", "Japanese": "ja"}


_MADE: OrderedDict[tuple[object, ...], Plan] = OrderedDict()  # the last few, for a page asks several times about one text
MOST_MADE = 4


def planned(params: SpeechParams, catalog: Catalog) -> Plan:
    """Raises BadInput, ModelMissing with the field."""
    key = (params.model_dump_json(), tuple(voices(catalog)))
    made = _MADE.get(key)
    if made is None:
        made = _MADE[key] = _planned(params, catalog)
        while len(_MADE) > MOST_MADE:
            _MADE.popitem(last=False)
    return made


def _planned(params: SpeechParams, catalog: Catalog) -> Plan:
    if not params.text.strip():
        raise BadInput("There is no text to speak.", hint="Write something first.", field="text")
    made = plan(items_of(params, catalog), Pauses(params.pause_sentence, params.pause_paragraph, params.pause_line), chooser(params, catalog), parse(params.dictionary), CODES[params.language])
    if not made.utterances:
        if made.skipped:
            raise BadInput(f"No voice here can read these letters: {made.skipped[:20]}", hint="Write in English or Japanese.", field="text")
        raise BadInput("There are no words in this text, only marks.", hint="Write something that can be said.", field="text")
    _check_reach(params, made)
    return made


def _check_reach(params: SpeechParams, made: Plan) -> None:
    """Marks come on top of the job's own speed and pitch. Raises BadInput at that field with the place of the words."""
    for one in made.utterances:
        if told := reachable(params.speed * one.style.rate, params.pitch + one.style.pitch):
            line, column = place_of(params.text, one.at)
            field, sentence = told
            raise BadInput(f"Line {line}, column {column}: with the mark there {sentence}", hint="Change it here, or the mark around these words.", field=field)


def items_of(params: SpeechParams, catalog: Catalog) -> list[Item]:
    kind = kind_of(params.text) if params.kind == "Automatic" else params.kind
    if kind == "SSML":
        return read_ssml(params.text, Style(), lambda name, language, gender: named(name, language, gender, catalog))
    if kind == "Plain text":
        return plain(params.text)
    speakers = cast(speakers_of(params.text, kind), parse_speakers(params.speakers))
    return (read_script if kind == "Script" else read_table)(params.text, speakers)


def check_form(text: str, kind: str) -> None:
    """Whether a text of this kind can be read, whoever speaks. Raises BadInput."""
    if kind == "SSML":
        read_ssml(text, Style(), lambda name, language, gender: name or gender)
    elif kind == "Table":
        read_table(text, {})


def named(name: str, language: str, gender: str, catalog: Catalog) -> str:
    """SSML's <voice>: by name, else the first of that gender (and language) that can speak; "" for none."""
    if name:
        voice = known(name, catalog)
        return voice.id if voice else ""
    fitting = [voice for voice in voices(catalog) if voice.gender == gender and not voice.missing and (not language or language in voice.languages)]
    return fitting[0].id if fitting else ""


def chooser(params: SpeechParams, catalog: Catalog) -> FindVoice:
    """Who says a phrase: its own voice where that speaks the language, else the job's voice for the language, else the usual one."""
    found: dict[tuple[str, str], Voice] = {}

    def choose(name: str, language: str) -> Voice:
        if (name, language) not in found:
            found[name, language] = _chosen(name, language)
        return found[name, language]

    def _chosen(name: str, language: str) -> Voice:
        if name:
            voice = find(name, catalog, "speakers" if params.kind in ("Script", "Table") else "text")
            if speaks(voice, language):
                return voice
        own = params.japanese_voice if language == "ja" else params.voice
        if own:
            voice = find(own, catalog, "japanese_voice" if language == "ja" else "voice")
            if language in ("en", "ja") or speaks(voice, language):
                return voice
        elif language == "ja" and params.voice and speaks(find(params.voice, catalog, "voice"), "ja"):
            return find(params.voice, catalog, "voice")
        return usual(language, catalog, "japanese_voice" if language == "ja" else "voice" if language == "en" else "text")

    return choose


def speaks(voice: Voice, language: str) -> bool:
    """Latin letters are taken for English: a voice of any language but Japanese reads them in its own way."""
    return language in voice.languages or (language == "en" and voice.languages != ("ja",))


def settled(params: SpeechParams, catalog: Catalog) -> SpeechParams:
    """With what the job leaves open filled in: the kind of text, the voices that speak, everybody's way of speaking. Raises as `planned`."""
    kind = kind_of(params.text) if params.kind == "Automatic" else params.kind
    params = params.model_copy(update={"kind": kind})
    names = speakers_of(params.text, kind)
    for name, speaker in parse_speakers(params.speakers).items():
        if speaker.voice:
            find(speaker.voice, catalog, "speakers")
        if name not in names and kind not in ("Script", "Table"):
            raise BadInput("This text has no speakers.", hint="Write a script (“Anna: Hello”), or leave the speakers empty.", field="speakers")
        if name not in names:
            raise BadInput(f"Nobody in this text is called “{name[:40]}”.", hint=f"It has {', '.join(names[:8])}.", field="speakers")
    made = planned(params, catalog)
    everybody = [speaker.line() for speaker in cast(names, parse_speakers(params.speakers)).values()]
    choose, languages = chooser(params, catalog), {one.phrase.language for one in made.utterances}
    filled = {"speakers": everybody}
    for field, language in (("voice", "en"), ("japanese_voice", "ja")):
        if language in languages and not getattr(params, field):
            filled[field] = choose("", language).id  # type: ignore[assignment]
    return params.model_copy(update=filled)
