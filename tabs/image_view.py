"""How a run of pictures looks: empty with examples, at work with its preview, finished as one picture or a sheet. HTML only."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.i18n import Words

CSS = """
#image-view { padding:0 !important; }
.image-stage { position:relative; display:flex; flex-direction:column; align-items:center; justify-content:center; gap:14px; min-height:min(62vh,560px); border:1px solid var(--seisei-line); border-radius:14px; background:var(--seisei-card); padding:16px; color:var(--seisei-ink); }
.image-stage img { max-width:100%; max-height:62vh; border-radius:8px; display:block; }
.image-stage img.soft { width:min(512px,100%); image-rendering:auto; filter:blur(1px); }
.image-stage .blank { width:min(320px,60%); aspect-ratio:1; border-radius:12px; background:color-mix(in srgb, var(--seisei-accent) 9%, transparent); }
.image-stage progress { width:min(420px,90%); height:8px; accent-color:var(--seisei-accent); }
.image-stage .told { color:var(--seisei-soft); font-size:14px; min-height:20px; text-align:center; }
.image-sheet { display:grid; gap:8px; width:100%; justify-content:center; grid-template-columns:repeat(var(--columns), minmax(0, var(--most))); }
.image-sheet button { border:0; padding:0; margin:0; background:transparent; cursor:zoom-in; border-radius:8px; overflow:hidden; display:flex; justify-content:center; }
.image-sheet img { width:100%; height:auto; max-height:62vh; object-fit:contain; }
.image-sheet button[aria-current] { outline:2px solid var(--seisei-accent); outline-offset:2px; }
.image-sheet[data-large] { grid-template-columns:minmax(0, 1fr); }
.image-sheet[data-large] button { display:none; } .image-sheet[data-large] button[aria-current] { display:flex; cursor:zoom-out; outline:0; }
.image-sheet[data-large] img { width:auto; min-height:min(512px,50vh); }
.image-examples { display:flex; flex-wrap:wrap; gap:8px; justify-content:center; max-width:640px; }
.image-examples button { border:1px solid var(--seisei-line); background:var(--seisei-paper); color:var(--seisei-ink); border-radius:999px; padding:6px 14px; min-height:34px; margin:0; cursor:pointer; font-size:14px; }
.image-examples button:hover { border-color:var(--seisei-accent); }
.image-stage .seeds { color:var(--seisei-soft); font-size:13px; }
"""


@dataclass
class Run:
    """What the page knows of a job."""

    job: str = ""
    outputs: list[str] = field(default_factory=list)
    step: int = 0
    total: int = 0
    eta: float = -1.0
    note: str = ""
    previews: int = 0
    problem: str = ""
    running: bool = False
    stopped: bool = False
    wanted: int = 1
    notes: list[str] = field(default_factory=list)


def stage(run: Run, words: Words, lang: str, examples: Sequence[str]) -> str:
    if run.problem:
        return f'<div class="image-stage">{sheet(run)}<p class="studio-error" role="alert">{html.escape(run.problem)}</p></div>'
    if run.running:
        return f'<div class="image-stage" aria-busy="true">{_at_work(run)}{_progress(run, words, lang)}{sheet(run)}</div>'
    if run.outputs:
        notes = [words.say(lang, note) for note in run.notes] + ([words.say(lang, "Stopped. What was finished is kept.")] if run.stopped else [])
        told = f'<span class="told">{html.escape(" ".join(notes))}</span>' if notes else ""
        return f'<div class="image-stage">{sheet(run)}{told}</div>'
    if run.stopped:
        return f'<div class="image-stage"><span class="told">{html.escape(words.say(lang, "Stopped before a picture was finished."))}</span>{_examples(examples)}</div>'
    hello = html.escape(words.say(lang, "Write what you want to see, or click an example."))
    return f'<div class="image-stage"><div class="studio-empty"><b lang="ja">生成</b><br>{hello}</div>{_examples(examples)}</div>'


def sheet(run: Run) -> str:
    if not run.outputs:
        return ""
    count = max(len(run.outputs), run.wanted)
    columns = 1 if count == 1 else 2 if count <= 4 else 3 if count <= 9 else 4
    rows = math.ceil(count / columns)
    most = "640px" if columns == 1 else f"min({840 // columns}px, {round(60 / rows)}vh)"
    cells = "".join(
        f'<button type="button" data-output="{html.escape(output)}" aria-label="{number}"{" aria-current" if len(run.outputs) == 1 else ""}><img alt="" src="/api/v1/outputs/{html.escape(output)}/file"></button>'
        for number, output in enumerate(run.outputs, 1)
    )
    return f'<div class="image-sheet" style="--columns:{columns};--most:{most}">{cells}</div>'


def _at_work(run: Run) -> str:
    if run.outputs and run.wanted > 1 and not run.previews:
        return ""
    if not run.previews:
        return '<div class="blank"></div>'
    return f'<img class="soft" alt="" src="/api/v1/jobs/{html.escape(run.job)}/preview?{run.previews}">'


def _progress(run: Run, words: Words, lang: str) -> str:
    parts = [words.say(lang, run.note) if run.note else ""]
    if run.total:
        parts.append(words.say(lang, "Step {step} of {total}", step=str(run.step), total=str(run.total)))
    if run.eta >= 1:
        parts.append(words.say(lang, "{n} s left", n=f"{run.eta:.0f}"))
    value = f' value="{run.step}" max="{run.total}"' if run.total else ""
    told = " · ".join(part for part in parts if part)
    return f'<progress{value} aria-label="{html.escape(told)}"></progress><span class="told">{html.escape(told)}</span>'


def _examples(examples: Sequence[str]) -> str:
    chips = "".join(f'<button type="button" data-example="{html.escape(text)}">{html.escape(text)}</button>' for text in examples)
    return f'<div class="image-examples">{chips}</div>'
