"""How sounds of a run look: at work, finished as players with waveform and spectrogram, stopped, refused. HTML only; sound.js plays and draws."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from studio.api import Studio, StudioError
from studio.i18n import Words
from tabs.job_follow import PERCENT, Run, progress_html
from tabs.job_page import JobPage

SCRIPT = (Path(__file__).parent / "sound.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Sound:
    """What a player shows. `segments` are (from, to, text) in seconds, highlighted while they are heard; `other` is the address of a sound to compare with."""

    src: str
    output: str = ""
    title: str = ""
    seconds: float = 0.0
    segments: tuple[tuple[float, float, str], ...] = ()
    other: str = ""
    other_title: str = ""

    @property
    def html(self) -> str:
        """The place of its player; until the script has come, the browser's own."""
        about = {"src": self.src, "output": self.output, "title": self.title, "seconds": self.seconds, "segments": self.segments, "other": self.other, "otherTitle": self.other_title}
        return f'<div class="sound" data-sound="{html.escape(json.dumps(about, ensure_ascii=False))}"><audio controls preload="none" src="{html.escape(self.src)}"></audio></div>'


def sound_of(studio: Studio, output_id: str, other: str = "") -> Sound | None:
    """An output's player; None for what is no sound or gone. `other` is the id of an output to compare with."""
    try:
        output = studio.store.output(output_id)
        against = studio.store.output(other) if other else None
    except StudioError:
        return None
    if output.kind != "audio":
        return None
    facts = output.metadata.get("facts", {})
    more = {"other": address(other), "other_title": against.title} if against else {}
    return Sound(address(output_id), output_id, output.title, float(facts.get("seconds", 0.0)), segments_of(facts), **more)


def segments_of(facts: dict[str, Any]) -> tuple[tuple[float, float, str], ...]:
    """Of an output's facts: "segments" is a list of [from, to, text]."""
    return tuple((float(begin), float(end), str(text)) for begin, end, text in facts.get("segments", []))


def address(output_id: str) -> str:
    return f"/api/v1/outputs/{output_id}/file"


def sound_stage(run: Run, sounds: Sequence[Sound], words: Words, lang: str, ideas: str = "", more: str = "") -> str:
    """`ideas` is what an empty stage offers, `more` what stands below the sounds: HTML."""
    sheet = "".join(sound.html for sound in sounds) + more
    if run.problem:
        return _framed(f'{sheet}<p class="studio-error" role="alert">{html.escape(run.problem)}</p>')
    if run.running:
        return _framed(sheet + progress_html(run, partial(words.say, lang), step=PERCENT), ' aria-busy="true"')
    notes = [words.say(lang, note) for note in run.notes]
    if run.stopped:
        notes.append(words.say(lang, "Stopped. What was finished is kept." if run.outputs else "Stopped before anything was finished."))
    told = f'<span class="told">{html.escape(" ".join(notes))}</span>' if notes else ""
    return _framed(sheet + told if run.outputs else told + ideas)


def _framed(inner: str, more: str = "") -> str:
    return f'<div class="sound-stage"{more}>{inner}</div>'


class SoundPage(JobPage):
    """A page whose jobs make sounds; pages that show more than each output's player say so in `sounds`, `below` and `hello`."""

    script: ClassVar[str] = SCRIPT
    look: ClassVar[str] = "sound-view"

    def sounds(self, run: Run, owner: str, lang: str) -> list[Sound]:
        return [sound for output in run.outputs if (sound := sound_of(self.studio, output))]

    def below(self, run: Run, owner: str, lang: str) -> str:
        """HTML under the players."""
        return ""

    def stage(self, run: Run, owner: str, lang: str) -> str:
        ideas = "" if run.outputs or run.running else self.hello(owner, lang)
        return sound_stage(run, self.sounds(run, owner, lang), self.studio.words, lang, ideas, self.below(run, owner, lang))
