"""How a run of pictures looks: empty with examples, at work with its preview, finished as one picture or a sheet. HTML only."""

from __future__ import annotations

import html
import math
from functools import partial

from studio.i18n import Words
from tabs.job_follow import STEPS, Run, progress_html


def stage(run: Run, words: Words, lang: str, ideas: str = "") -> str:
    """`ideas` is what an empty stage offers: HTML."""
    if run.problem:
        return f'<div class="image-stage">{sheet(run, words, lang)}<p class="studio-error" role="alert">{html.escape(run.problem)}</p></div>'
    if run.running:
        several = run.outputs or run.wanted > 1
        progress = progress_html(run, partial(words.say, lang), step=STEPS)
        parts = (progress, sheet(run, words, lang)) if several else (_at_work(run), progress)
        return f'<div class="image-stage" aria-busy="true">{"".join(parts)}</div>'
    if run.outputs:
        notes = " ".join(said(run, words, lang))
        below = f'<span class="told">{html.escape(notes)}</span>' if notes else ""
        return f'<div class="image-stage">{sheet(run, words, lang)}{below}</div>'
    if run.stopped:
        return f'<div class="image-stage"><span class="told">{html.escape(words.say(lang, "Stopped before a picture was finished."))}</span>{ideas}</div>'
    return f'<div class="image-stage">{ideas}</div>'


def said(run: Run, words: Words, lang: str) -> list[str]:
    """What there is to say of pictures of a job that has ended."""
    return [words.say(lang, note) for note in run.notes] + ([words.say(lang, "Stopped. What was finished is kept.")] if run.stopped else [])


def sheet(run: Run, words: Words, lang: str) -> str:
    """The pictures that are there, and of a job at work the next one in its place."""
    if not run.outputs and not run.running:
        return ""
    coming = run.running and (len(run.outputs) < run.wanted or (run.wanted == 1 and len(run.outputs) > 1))  # of a grid it is not said how many there will be
    count = max(len(run.outputs) + coming, run.wanted)
    columns = 1 if count == 1 else 2 if count <= 4 else 3 if count <= 9 else 4
    rows = math.ceil(count / columns)
    most = "640px" if columns == 1 else f"min({840 // columns}px, {round(60 / rows)}vh)"
    named = [f"Picture {number} of {count}" for number in range(1, count + 1)]
    told = [html.escape(words.say(lang, name)) for name in named]
    cells = "".join(
        f'<button type="button" data-output="{html.escape(output)}" aria-label="{label}"><img alt="" src="/api/v1/outputs/{html.escape(output)}/file"></button>' for output, label in zip(run.outputs, told, strict=False)
    )
    following = f'<span class="next">{_at_work(run)}</span>' if coming else ""
    return f'<div class="image-sheet" style="--columns:{columns};--most:{most}">{cells}{following}</div>'


def _at_work(run: Run) -> str:
    if not run.previews:
        return '<div class="blank"></div>'
    return f'<img class="soft" alt="" src="/api/v1/jobs/{html.escape(run.job)}/preview?{run.previews}">'


def compared(before: str, output: str, words: Words, lang: str) -> str:
    """A picture's address and an output under one slider: left of it what was, right what came."""
    told = " · ".join(html.escape(words.say(lang, name)) for name in ("Before", "After"))
    return f'<div class="image-stage">{slider(before, f"/api/v1/outputs/{output}/file", words, lang, output)}<span class="told">{told}</span></div>'


def slider(before: str, shown: str, words: Words, lang: str, output: str = "") -> str:
    """Two addresses; `output` is the second one's id where it is an output."""
    say = {name: html.escape(words.say(lang, name)) for name in ("Before", "After", "Before and after")}
    pictures = f'<img src="{html.escape(shown)}" alt="{say["After"]}"><img class="before" src="{html.escape(before)}" alt="{say["Before"]}">'
    after = f' data-after="{html.escape(output)}"' if output else ""
    return f'<div class="image-compare"{after}>{pictures}<input type="range" min="0" max="100" value="50" aria-label="{say["Before and after"]}"></div>'
