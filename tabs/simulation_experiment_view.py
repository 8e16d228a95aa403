"""What an experiment's page shows of its job: progress, figures, tables whose rows can be used, what can be taken away. No gradio."""

from __future__ import annotations

import csv
import html
import json
from functools import partial
from pathlib import Path
from typing import Any

from studio.api import Output, Studio, StudioError, caption, captions_in
from tabs.job_follow import PERCENT, Run, progress_html
from tabs.simulation_hand import buttons

MOST_ROWS, MOST_COLUMNS = 200, 14
SUFFIXES = {".csv": "Table (CSV)", ".png": "Figure (PNG)", ".svg": "Figure (SVG)"}
NAMING = ("parameter", "with")  # columns that hold names of parameters
NOT_VALUES = {"run", "seed", "value", "mean", "sd", "runs", "time"}


def stage(studio: Studio, run: Run, asked: dict[str, Any], titles: dict[str, str], lang: str) -> str:
    """HTML of the view; `asked` are the job's params, `titles` those of the model's parameters by name."""
    say = studio.words.say
    if run.problem:
        return _framed(f'<p class="studio-error" role="alert">{html.escape(run.problem)}</p>')
    if run.running:
        return _framed(progress_html(run, partial(say, lang), waiting="Working …", step=PERCENT), ' aria-busy="true"')
    outputs = [output for output in (_output(studio, one) for one in run.outputs) if output and not output.title.endswith(", so far")]
    if not outputs:
        told = "Stopped before anything was finished." if run.stopped else "Press “Run the experiment”: figures and tables come here."
        return _framed(f'<p class="studio-empty">{html.escape(say(lang, told))}</p>')
    pictures = [output for output in outputs if output.path.endswith(".png")]
    tables = [output for output in outputs if output.path.endswith(".csv")]
    notes = "".join(f'<p class="experiment-note">{html.escape(say(lang, note))}</p>' for note in run.notes)
    figures = "".join(f'<figure><img src="/api/v1/outputs/{html.escape(output.id)}/file" alt="{html.escape(output.title)}"></figure>' for output in pictures)
    shown = "".join(_table(studio, output, asked, titles, lang, opened=number == 0) for number, output in enumerate(tables))
    return _framed(figures + notes + _takeaway(studio, run, outputs, lang) + shown)


def _framed(inner: str, more: str = "") -> str:
    return f'<div class="experiment-stage"{more}>{inner}</div>'


def _output(studio: Studio, output_id: str) -> Output | None:
    try:
        return studio.store.output(output_id)
    except StudioError:
        return None


def _takeaway(studio: Studio, run: Run, outputs: list[Output], lang: str) -> str:
    """Downloads, the report, and where a result can go on."""
    say = studio.words.say
    links = []
    for output in outputs:
        label = say(lang, SUFFIXES.get(Path(output.path).suffix, "File"))
        extra = output.title.partition(": ")[2]
        told = html.escape(f"{label}: {say(lang, extra)}" if extra else label)
        links.append(f'<a class="experiment-link" href="/api/v1/outputs/{html.escape(output.id)}/file?download=1" download>{told}</a>')
    picture = next((output for output in outputs if output.path.endswith(".png")), None)
    if picture:
        links.insert(0, f'<button type="button" data-act="picture" data-output="{html.escape(picture.id)}">{html.escape(say(lang, "To the Image tab"))}</button>')
    return buttons(partial(say, lang), run.job, {"report": "Report (HTML)", "music": "As music"}, "".join(links))


def _table(studio: Studio, output: Output, asked: dict[str, Any], titles: dict[str, str], lang: str, *, opened: bool) -> str:
    """The first rows; those that stand for values have a button that puts them on the desk."""
    path, say = Path(output.path), studio.words.say
    if not path.is_file():
        return ""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("#")]  # its settings stand in a comment
    head, body = rows[0][:MOST_COLUMNS], [row[:MOST_COLUMNS] for row in rows[1 : MOST_ROWS + 1]]
    uses = [_use(head, row, asked) for row in body]
    button = html.escape(say(lang, "Use these values"))
    lines = []
    for row, use in zip(body, uses, strict=True):
        first = f'<td class="use"><button type="button" data-use="{html.escape(json.dumps(use))}" title="{button}" aria-label="{button}">↥</button></td>' if use else ("<td></td>" if any(uses) else "")
        named = [say(lang, titles.get(cell, cell)) if column in NAMING else _rounded(cell) for column, cell in zip(head, row, strict=True)]
        lines.append(f"<tr>{first}{''.join(f'<td>{html.escape(cell)}</td>' for cell in named)}</tr>")
    with captions_in(lang):  # short words: elsewhere on the page they may mean something else
        heads = "".join(f'<th title="{html.escape(cell)}">{html.escape(caption(titles.get(cell, cell)))}</th>' for cell in head)
    more = f'<p class="experiment-note">{html.escape(say(lang, "{n} of {all} rows; the file has them all.", n=f"{MOST_ROWS}", all=f"{len(rows) - 1:,}"))}</p>' if len(rows) - 1 > MOST_ROWS else ""
    name = html.escape(say(lang, output.title.partition(": ")[2] or "Table"))
    corner = "<th></th>" if any(uses) else ""
    return f'<details{" open" if opened else ""}><summary>{name}</summary><div class="table-rows"><table><thead><tr>{corner}{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>{more}</details>'


def _use(head: list[str], row: list[str], asked: dict[str, Any]) -> dict[str, Any]:
    """Values of the model that a row stands for; {} where it stands for none."""
    if head and head[0] == "scenario":
        return next((dict(one["values"]) for one in asked.get("scenarios", []) if one["name"] == row[0]), {})
    known = asked.get("values", {})
    return {name: json.loads(cell) for name, cell in zip(head, row, strict=True) if name in known and name not in NOT_VALUES and _number(cell)}


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _rounded(cell: str) -> str:
    """Five digits say enough on a page."""
    return f"{float(cell):.5g}" if _number(cell) and any(mark in cell for mark in ".e") else cell
