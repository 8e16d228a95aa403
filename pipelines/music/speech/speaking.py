"""A plan spoken: one utterance after another through its engine, into files that grow."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from pipelines.music.speech.engine import Engine, TimedEngine, Voice
from pipelines.music.speech.params import SpeechParams
from pipelines.music.speech.plan import Plan, Utterance
from pipelines.music.speech.subtitles import Heard, cues_of, srt, vtt
from pipelines.music.speech.voices import maker_of
from pipelines.music.speech.words import Word, moved, without
from pipelines.music.speech.writer import MP3_RATES, SUFFIXES, Writer
from studio.api import Artifact, ModelSpec, RunContext, Stopped

if TYPE_CHECKING:
    import numpy as np

LONGEST_REST = 0.3  # seconds at speed 1: no rest inside a sentence is cut below it, for some sounds begin with a silence
WORKING = 60_000_000  # bytes of one utterance at work
TITLE = 60


@dataclass
class Spent:
    """Seconds of work and letters, by engine."""

    seconds: dict[str, float] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)

    def add(self, engine: str, seconds: float, letters: int) -> None:
        self.seconds[engine] = self.seconds.get(engine, 0.0) + seconds
        self.letters[engine] = self.letters.get(engine, 0) + letters

    @property
    def pace(self) -> dict[str, float]:
        return {engine: self.seconds[engine] / max(1, letters) for engine, letters in self.letters.items()}


def speed_of(params: SpeechParams, one: Utterance) -> float:
    return params.speed * one.style.rate


def said(one: Utterance, engine: Engine, params: SpeechParams, seed: int, check: Callable[[], None]) -> tuple[np.ndarray, list[Word]]:
    """One utterance at the engine's rate: without silence around it, at its speed, pitch and loudness; empty where nothing came. And when its words sound, where the engine tells."""
    from pipelines.music.speech import sound

    speed, semitones = speed_of(params, one), params.pitch + one.style.pitch
    raw = engine.say(one.phrase, one.voice, speed=speed if engine.keeps_speed else 1.0, semitones=semitones if engine.keeps_pitch else 0.0, seed=seed, check=check)
    words = engine.words() if isinstance(engine, TimedEngine) else []
    made = spoken = sound.trimmed(raw, engine.rate)
    check()
    if not engine.keeps_speed:
        made = sound.stretched(made, engine.rate, speed)
    check()
    if not engine.keeps_pitch:
        made = sound.pitched(made, engine.rate, semitones)
    gaps = sound.spare_rests(made, engine.rate, max(LONGEST_REST, params.pause_sentence) / speed)
    words = without(moved(words, -sound.lead(raw, engine.rate), len(made) / max(len(spoken), 1)), [(begin / engine.rate, end / engine.rate) for begin, end in gaps])
    made = sound.cut_out(made, engine.rate, gaps)
    return sound.faded(sound.louder(made, one.voice.level + params.volume + one.style.volume), engine.rate), words


def engines_of(plan: Plan, ctx: RunContext, stack: ExitStack) -> dict[str, Engine]:
    """Each engine that the plan needs, lent until the stack is left: by voice. Raises ModelMissing, ModelBroken, ModelTooLarge."""
    found: dict[str, Engine] = {}
    loaded: dict[str, Engine] = {}
    for voice in plan.voices:
        maker = maker_of(voice)
        key = maker.key(voice)
        if key not in loaded:
            spec = ModelSpec(key, maker.bytes(voice, ctx.catalog), partial(_load, voice, ctx))
            loaded[key] = stack.enter_context(ctx.models.use(spec, working=WORKING))
        found[voice.id] = loaded[key]
    return found


def _load(voice: Voice, ctx: RunContext, report: Any) -> Engine:
    return maker_of(voice).load(voice, ctx.catalog, ctx.threads, ctx.device, report)


class Speaking:
    """One job's files: the whole, and of each line, paragraph or sentence one where that was wished. `kept` files of an earlier, broken run are not given again."""

    def __init__(self, params: SpeechParams, plan: Plan, ctx: RunContext, kept: int = 0) -> None:
        self.params, self.plan, self.ctx, self.kept = params, plan, ctx, kept
        self.timing: list[list[Any]] = []
        self.words: list[list[Heard]] = []  # of each row of `timing`; [] where nobody tells
        self.spent = Spent()
        self.silent: list[str] = []
        self.several = (params.each_line or params.each_sentence) and len({self._part_of(one) for one in plan.utterances}) > 1
        self.begins: list[float] = []  # of the parts, in the whole
        self._whole: Writer | None = None
        self._part: Writer | None = None
        self._part_from = 0

    def speak(self) -> list[Artifact]:
        """Stop keeps what was spoken: the files are given at once then. Raises Stopped and what loading raises."""
        with ExitStack() as stack:
            engines = engines_of(self.plan, self.ctx, stack)
            rate = max(engine.rate for engine in engines.values())
            self.rate = next((one for one in MP3_RATES if one >= rate), MP3_RATES[-1]) if self.params.format == "MP3" else rate
            self._whole = self._writer()
            try:
                self._all(engines)
                return self._finished() if self.timing else []
            except Stopped:
                for artifact in self._finished() if self.timing else []:
                    self.ctx.output(artifact)
                raise
            finally:
                self._drop()

    def _all(self, engines: dict[str, Engine]) -> None:
        assert self._whole is not None
        done, letters = 0, max(1, self.plan.letters)
        self._whole.silence(self.plan.lead)
        for number, one in enumerate(self.plan.utterances):
            self.ctx.progress(number, len(self.plan.utterances), f"Sentence {one.sentence + 1} of {self.plan.utterances[-1].sentence + 1}", done / letters)
            if self.ctx.stopping == "finish":
                return
            self._one(one, engines[one.voice.id])
            done += len(one.phrase.text)
            self._rest(one, self.plan.utterances[number + 1] if number + 1 < len(self.plan.utterances) else None)

    def _one(self, one: Utterance, engine: Engine) -> None:
        from pipelines.music.speech.sound import resampled

        begun = time.monotonic()
        made, words = said(one, engine, self.params, self.ctx.seed, self.ctx.check)
        made = resampled(made, engine.rate, self.rate)
        self.spent.add(one.voice.engine, time.monotonic() - begun, len(one.phrase.text))
        text = " ".join(one.phrase.text.split())
        if not made.size:
            self.silent.append(text)
            return
        assert self._whole is not None
        start = self._whole.seconds
        for writer in self._open():
            writer.sound(made)
        self.timing.append([round(start, 3), round(self._whole.seconds, 3), text, one.style.speaker, one.at, one.to])
        end = self._whole.seconds
        self.words.append([(one.phrase.text[word.begin : word.end], min(start + word.start, end), min(start + word.stop, end)) for word in words])

    def _rest(self, one: Utterance, after: Utterance | None) -> None:
        """The pause after it; nothing is waited for after the last one but what was written."""
        seconds = one.pause if one.exact else one.pause / self.params.speed if after else 0.0
        same = after is not None and self._part_of(after) == self._part_of(one)
        assert self._whole is not None
        self._whole.silence(seconds)
        if self._part and (same or one.exact):
            self._part.silence(seconds)
        if self.several and not same:
            self._close_part()

    def _part_of(self, one: Utterance) -> int:
        """The number of what gets a file of its own."""
        return one.sentence if self.params.each_sentence else one.unit

    def _writer(self) -> Writer:
        return Writer(self.params.format, self.params.bits, self.rate)

    def _open(self) -> list[Writer]:
        assert self._whole is not None
        if not self.several:
            return [self._whole]
        if self._part is None:
            self._part, self._part_from = self._writer(), len(self.timing)
        return [self._whole, self._part]

    def _close_part(self) -> None:
        if self._part is None:
            return
        part, self._part = self._part, None
        timing = self.timing[self._part_from :]
        start, seconds = timing[0][0] if timing else 0.0, part.seconds
        data = part.finish()
        self.begins.append(start)
        if len(self.begins) > self.kept:
            rows = [[round(row[0] - start, 3), round(row[1] - start, 3), *row[2:]] for row in timing]
            self.ctx.output(self._sound(data, seconds, rows, {"part": len(self.begins)}))

    def _finished(self) -> list[Artifact]:
        """The whole, as far as it was spoken, and its subtitles."""
        assert self._whole is not None
        whole, self._whole = self._whole, None
        seconds = whole.seconds
        return [self._sound(whole.finish(), seconds, self.timing, {"begins": self.begins} if self.begins else None), *self._subtitles()]

    def _sound(self, data: bytes, seconds: float, timing: list[list[Any]], about: dict[str, Any] | None = None) -> Artifact:
        """`about` is told where there are parts: of each its number, of the whole where they begin."""
        voices = self.plan.voices
        facts = {
            "seconds": round(seconds, 3), "rate": self.rate, "voices": [voice.id for voice in voices], "credits": credits_of(self.plan),
            "licences": list(dict.fromkeys(voice.licence for voice in voices if voice.licence)), "timing": timing, "skipped": self.plan.skipped,
        } | (about or {})  # fmt: skip
        text = " ".join(str(row[2]) for row in timing[:4])
        return Artifact("audio", data, SUFFIXES[self.params.format], text[:TITLE] + ("…" if len(text) > TITLE else ""), facts)

    def _subtitles(self) -> list[Artifact]:
        cues, note = cues_of(self.timing, self.words), " ".join(credits_of(self.plan))
        made = {"SRT": (".srt", srt(cues)), "VTT": (".vtt", vtt(cues, note, self.params.word_times))}
        wanted = {"None": (), "Both": ("SRT", "VTT")}.get(self.params.subtitles, (self.params.subtitles,))
        return [Artifact("text", made[form][1].encode(), made[form][0], f"Subtitles ({form})") for form in wanted]

    def _drop(self) -> None:
        for writer in (self._whole, self._part):
            if writer is not None:
                writer.drop()
        self._whole = self._part = None


def credits_of(plan: Plan) -> list[str]:
    return list(dict.fromkeys(voice.credit for voice in plan.voices if voice.credit))
