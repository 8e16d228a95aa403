"""What the Own page says under its text: what was understood, or where it was not. HTML; no gradio."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from studio import ui
from studio.api import Misread, Simulation, Studio, StudioError
from tabs.simulation_form import ModelField, fields_of

MOST_ROWS = 40


def understood(studio: Studio, model: Simulation, lang: str) -> str:
    """The states and the parameters, as the sliders will have them."""
    say = studio.words.say
    fields = fields_of(model)
    chips = "".join(f"<span class='own-chip'>{html.escape(series.title)}</span>" for series in model.series[:MOST_ROWS])
    rows = "".join(_row(studio, field, lang) for field in fields[:MOST_ROWS])
    head = "".join(f"<th>{html.escape(say(lang, title))}</th>" for title in ("Parameter", "Value", "Range", "What it is"))
    table = f"<div class='own-table'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>" if fields else f"<p>{html.escape(say(lang, 'It has no parameters: nothing to move by sliders yet.'))}</p>"
    fine = html.escape(say(lang, "All fine."))
    shown = html.escape(say(lang, "Shown as curves:"))
    return f"<div class='own-check own-fine'><p class='own-verdict'>✓ {fine}</p><p>{shown} {chips}</p>{table}</div>"


def _row(studio: Studio, field: ModelField, lang: str) -> str:
    low, high = ("…" if bound is None else f"{bound:g}" for bound in (field.low, field.high))
    unit = f" {field.unit}" if field.unit else ""
    cells = (studio.words.say(lang, field.title), f"{field.default:g}{unit}", f"{low} – {high}", studio.words.say(lang, field.description))
    return "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>"


def refused(studio: Studio, error: StudioError, text: str, lang: str) -> str:
    """The sentence; where a character is to blame its line, and a caret under it."""
    told = html.escape(ui.error_text(studio, error, lang))
    return f"<div class='own-check studio-error' role='alert'><p>{told}</p>{_pointed(error, text) if isinstance(error, Misread) else ''}</div>"


def _pointed(error: Misread, text: str) -> str:
    """Long lines are cut around the place. The caret stands below a copy of what is before it, so that wide letters don't move it."""
    line = (text.split("\n") + [""] * error.line)[error.line - 1]
    at = error.column - 1
    first = max(0, at - 40)
    before, blamed, after = line[first:at], line[at : at + 1], line[at + 1 : at + 30]
    before = ("…" if first else "") + before
    number = f"{error.line} | "
    return (
        f"<pre class='own-line'><span>{number}</span>{html.escape(before)}<mark>{html.escape(blamed or ' ')}</mark>{html.escape(after)}\n"
        f"<span class='own-under' aria-hidden='true'>{number}{html.escape(before)}</span>^</pre>"
    )


def settings_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A declaration's values from the page's controls."""
    found = {"schema": 1} | {name: value for name, value in given.items() if value is not None}
    found["title"] = str(found.get("title", "")).strip()[:80] or "My model"
    return found
