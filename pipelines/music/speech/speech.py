"""music.speech: texts spoken, in English and Japanese, by one voice or many."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Any, ClassVar

from pipelines.music.speech.cast import check_form, planned, settled
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.plan import Plan
from pipelines.music.speech.script import joined, kind_of, parted, serving, speakers_of
from pipelines.music.speech.speaking import WORKING, Speaking, credits_of, speed_of
from pipelines.music.speech.voices import maker_of, voices
from studio.api import BadInput, Catalog, ChangeText, Desk, Fix, Lane, Need, Params, Result, RunContext, StudioError

LETTERS_A_SECOND = {"ja": 6.5}  # of speech; others 14
OUT_BYTES = {"WAV": 96_000, "FLAC": 60_000, "MP3": 20_000, "OGG": 16_000}  # of a second of the finished file, at most about


class Speech:
    """Each utterance is a step; Stop keeps what was spoken."""

    id: ClassVar[str] = "music.speech"
    title: ClassVar[str] = "Speech"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = SpeechParams

    def need(self, params: SpeechParams, catalog: Catalog) -> Need:
        """Facts: sentences, letters, seconds of speech about, voices."""
        try:
            plan = planned(params, catalog)
        except StudioError as error:
            return Need(missing=error.message)
        weights = sum({maker_of(voice).key(voice): maker_of(voice).bytes(voice, catalog) for voice in plan.voices}.values())
        length = sum(len(one.phrase.text) / LETTERS_A_SECOND.get(one.phrase.language, 14.0) / speed_of(params, one) + one.pause for one in plan.utterances)
        facts = {"sentences": plan.utterances[-1].sentence + 1, "letters": plan.letters, "length": round(length, 1), "voices": [voice.id for voice in plan.voices], "credits": credits_of(plan)}
        return Need(weights, WORKING + int(length * OUT_BYTES[params.format]), notes=_notes(plan), facts=facts)

    def pace_key(self, params: SpeechParams, catalog: Catalog) -> str:
        try:
            return "+".join(sorted({voice.engine for voice in planned(params, catalog).voices}))
        except StudioError:
            return ""

    def seconds(self, params: SpeechParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return sum(len(one.phrase.text) * pace.get(one.voice.engine, 0.0) for one in planned(params, catalog).utterances)

    def settle(self, params: SpeechParams, desk: Desk) -> SpeechParams:
        if params.bits != 16 and params.format in ("MP3", "OGG"):
            raise BadInput(f"{params.format} has no bits to choose.", hint="Choose 16, or WAV or FLAC.", field="bits")
        if params.each_line and params.each_sentence:
            raise BadInput("A file a line and a file a sentence can't be had at once.", hint="Choose one of them.", field="each_sentence", fix=Fix.use("each_line", False, "Only sentences"))
        return settled(params, desk.catalog)

    def map_text(self, params: SpeechParams, change: ChangeText) -> SpeechParams:
        """Marks and tables go through whole and must be readable afterwards; a text that can't be read itself is left for its own refusal."""
        kind = kind_of(params.text) if params.kind == "Automatic" else params.kind
        try:
            check_form(params.text, kind)
        except BadInput:
            return params
        return params.model_copy(update={"text": change(params.text, partial(check_form, kind=kind))}) if params.text.strip() else params

    def run(self, params: SpeechParams, ctx: RunContext) -> Result:
        """The whole sound first, subtitles after it; lines or sentences of their own are given as soon as each is spoken. The summary tells what was skipped and whose voices they are."""
        plan = planned(params, ctx.catalog)
        speaking = Speaking(params, plan, ctx, len(ctx.kept))
        made = speaking.speak()
        if not speaking.timing:
            raise BadInput("Nothing came of this text: the voice has no sound for it.", hint="Write it in other words.", field="text")
        notes = _notes(plan) + [f"The voice had no sound for “{text[:40]}”." for text in dict.fromkeys(speaking.silent)]
        return Result(made, {"notes": notes, "pace": speaking.spent.pace, "seconds": made[0].facts["seconds"], "sentences": plan.utterances[-1].sentence + 1, "credits": credits_of(plan)})

    # -- what a page asks ------------------------------------------------------------------------------------

    def voices(self, catalog: Catalog) -> list[dict[str, Any]]:
        """All there are, those too that are missing something, with the sentence that says so."""
        return [asdict(voice) for voice in voices(catalog)]

    def kind_of(self, text: str) -> str:
        return kind_of(text)

    def speakers(self, text: str, kind: str = "Automatic") -> list[str]:
        """Raises BadInput for a broken table."""
        return speakers_of(text, kind)

    def parted(self, names: list[str], lines: list[str], most: int) -> tuple[dict[str, str], list[str]]:
        """Of "speakers" the voices of the first so many named, for lists of their own, and the lines that say more. Raises BadInput."""
        return parted(names, lines, most)

    def joined(self, lines: list[str], voices: dict[str, str]) -> list[str]:
        """The other way. Raises BadInput."""
        return joined(lines, voices)

    def serving(self, lines: list[str], served: list[str], names: list[str]) -> list[str]:
        """What of "speakers" is for those named, or was not heard before. Raises BadInput."""
        return serving(lines, served, names)

    def readings(self, text: str, language: str = "", dictionary: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """How each word will be read, and where it stands. Asks a small process of its own, for the dictionaries are large; the first answer takes about a second. Raises StudioError."""
        from pipelines.music.speech.reading import ask

        return ask(text, language, list(dictionary))


def _notes(plan: Plan) -> list[str]:
    """What is not said as it was asked."""
    skipped = [f"These letters can't be read aloud and are skipped: {plan.skipped[:60]}"] if plan.skipped else []
    written = [f"Said as written, for the voice knows no sounds: {', '.join(plan.as_written[:8])[:80]}"] if plan.as_written else []
    return skipped + written + [f"The voice “{name[:40]}” does not speak the language of its words; another one says them." for name in plan.unheard]
