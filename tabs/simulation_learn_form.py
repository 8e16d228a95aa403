"""The forms of the Learn page as HTML: the table that was read, what its columns measure, priors; and what came back from them. No gradio."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import Any

from tabs.simulation_form import ModelField, number_input, read_number

Say = Callable[..., str]
MEASURES = {"level": "as it stands", "new": "new since the row before", "cumulative": "all since the start", "returns": "a price, of which returns are taken"}
NOISES = {"normal": "normal", "log-normal": "log-normal", "Poisson": "Poisson", "negative binomial": "negative binomial", "none": "none"}
KINDS = {"uniform": "uniform", "log-uniform": "log-uniform", "normal": "normal", "log-normal": "log-normal"}
COLUMN_KINDS = {"number": "numbers", "date": "dates", "text": "text"}
BELLS = ("normal", "log-normal")


def table_html(say: Say, seen: dict[str, Any]) -> str:
    """The first rows, what each column is, how the file was read."""
    head = "".join(f"<th>{html.escape(column['name'])}<small>{html.escape(_about(say, column))}</small></th>" for column in seen["columns"])
    rows = "".join("<tr>" + "".join(f"<td>{html.escape(cell) or '–'}</td>" for cell in row) + "</tr>" for row in seen["shown"])
    read = seen["read"]
    separator, rows_read = read["separator"], f"{seen['rows']:,}"
    told = say("{n} rows. Read as {encoding}, separator “{separator}”, decimal “{decimal}”.", n=rows_read, encoding=read["encoding"], separator=say(separator), decimal=read["decimal"])
    notes = "".join(f"<p class='learn-note'>{html.escape(say(note))}</p>" for note in seen["notes"])
    return f"<div class='table-rows'><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div><p class='learn-soft'>{html.escape(told)}</p>{notes}"


def _about(say: Say, column: dict[str, Any]) -> str:
    if column["kind"] == "text":
        where = column["wrong"]
        return say("text: {where}", where=say(where))
    kind = COLUMN_KINDS[column["kind"]]
    told = f"{say(kind)} {column['low']} … {column['high']}"
    return told + (" · " + say("{n} gaps", n=column["gaps"]) if column["gaps"] else "")


def map_html(say: Say, state: dict[str, Any], series: Iterable[Any], fields: list[ModelField], own: bool) -> str:
    """A card for each column, a line for each parameter. `own`: the model has a likelihood of its own, so there is no noise to choose."""
    cards = "".join(_column_card(say, number, name, state, list(series), own) for number, name in enumerate(state["columns"]))
    cards = cards or f"<p class='learn-soft'>{html.escape(say('Give data first: step 1.'))}</p>" + _twin_lines(say, state, list(series))
    lines = "".join(_parameter_line(say, field, state) for field in fields)
    free = html.escape(say("Tick what the data should tell; the others stay at these values."))
    likelihood = f"<p class='learn-soft'>{html.escape(say('This model knows the likelihood of its data: no noise has to be chosen.'))}</p>" if own else ""
    return f"<h4>{html.escape(say('Columns'))}</h4>{likelihood}{cards}<h4>{html.escape(say('Parameters'))}</h4><p class='learn-soft'>{free}</p>{lines}"


def _column_card(say: Say, number: int, name: str, state: dict[str, Any], series: list[Any], own: bool) -> str:
    link = state["links"].get(name, {"series": "", "measure": "level", "rate": 1.0, "noise": "normal", "spread": 1.0})
    choices = [("", say("not used")), *((one.name, say(one.title)) for one in series)]
    parts = [_labelled(say("Observable"), _select(f"link|{number}|series", choices, link["series"]))]
    parts.append(_labelled(say("Measures"), _select(f"link|{number}|measure", [(key, say(text)) for key, text in MEASURES.items()], link["measure"])))
    told = "" if own else _tick(f"free|rate: {name}", say("free"), f"rate: {name}" in state["free"])
    parts.append(_labelled(say("Scale"), number_input(f"link|{number}|rate", link["rate"]) + told))
    if not own:
        parts.append(_labelled(say("Noise"), _select(f"link|{number}|noise", [(key, say(text)) for key, text in NOISES.items()], link["noise"])))
        parts.append(_labelled(say("Spread"), number_input(f"link|{number}|spread", link["spread"]) + _tick(f"free|spread: {name}", say("free"), f"spread: {name}" in state["free"])))
    used = " data-used" if link["series"] else ""
    return f"<fieldset class='learn-card'{used}><legend>{html.escape(name)}</legend>{''.join(parts)}</fieldset>"


def _twin_lines(say: Say, state: dict[str, Any], series: list[Any]) -> str:
    """Without data: which observables of the model's own run are measured, each with the spread of its errors."""
    lines = "".join(
        f"<div class='learn-line'>{_tick(f'twin|{one.name}|on', say(one.title), one.name in state['links'])}"
        f"{number_input(f'twin|{one.name}|spread', state['links'].get(one.name, {'spread': 1.0})['spread'], say('Spread of {column}', column=say(one.title)))}</div>"
        for one in series
    )
    about = say("The model makes the data itself. Tick what is measured, and give the spread of its errors; then choose the Kalman filter and switch Twin experiment on.")
    return f"<h4>{html.escape(say('Or a twin experiment'))}</h4><p class='learn-soft'>{html.escape(about)}</p>{lines}"


def _parameter_line(say: Say, field: ModelField, state: dict[str, Any]) -> str:
    unit = f" <small>{html.escape(say(field.unit))}</small>" if field.unit else ""
    tick = _tick(f"free|{field.name}", say(field.title), field.name in state["free"])
    return f"<div class='learn-line'>{tick}{unit}{number_input(f'value|{field.name}', state['values'].get(field.name, field.default), say(field.title))}</div>"


def priors_html(say: Say, state: dict[str, Any], fields: list[ModelField]) -> str:
    """A card for each free parameter."""
    if not state["free"]:
        return f"<p class='learn-soft'>{html.escape(say('No parameter is free yet: tick some in step 2.'))}</p>"
    titles = {field.name: say(field.title) for field in fields}
    return "".join(_prior_card(say, number, state["priors"][name], title_of(say, name, titles)) for number, name in enumerate(state["free"]))


def title_of(say: Say, name: str, titles: dict[str, str]) -> str:
    """How a free parameter is called."""
    kind, mark, column = name.partition(": ")
    if mark and kind in ("spread", "rate"):
        spread = kind == "spread"
        return say("Spread of {column}" if spread else "Scale of {column}", column=column)
    return titles.get(name, name)


def _prior_card(say: Say, number: int, prior: dict[str, Any], title: str) -> str:
    kinds = _select(f"prior|{number}|kind", [(key, say(text)) for key, text in KINDS.items()], prior["kind"])
    ends = _labelled(say("At least"), number_input(f"prior|{number}|low", prior["low"])) + _labelled(say("At most"), number_input(f"prior|{number}|high", prior["high"]))
    bell = _labelled(say("Middle"), number_input(f"prior|{number}|middle", prior["middle"])) + _labelled(say("Width"), number_input(f"prior|{number}|width", prior["width"]))
    hidden = "" if prior["kind"] in BELLS else " hidden"
    return f"<fieldset class='learn-card learn-prior'><legend>{html.escape(title)}</legend>{_labelled(say('Prior'), kinds)}{ends}<div class='learn-bell'{hidden}>{bell}</div></fieldset>"


def _labelled(text: str, control: str) -> str:
    return f"<label class='learn-field'><span>{html.escape(text)}</span><span class='learn-in'>{control}</span></label>"


def _select(name: str, choices: list[tuple[str, str]], value: str) -> str:
    told = "".join(f"<option value='{html.escape(key)}'{' selected' if key == value else ''}>{html.escape(text)}</option>" for key, text in choices)
    return f"<select data-name='{html.escape(name)}'>{told}</select>"


def _tick(name: str, text: str, on: bool) -> str:
    return f"<label class='learn-tick'><input type='checkbox' data-name='{html.escape(name)}'{' checked' if on else ''}>{html.escape(text)}</label>"


def taken(state: dict[str, Any], given: dict[str, Any], prior: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """The state with what a form holds now; `prior(name)` is a first one for what became free. Numbers that are none stay as they were."""
    found = state | {"links": {name: dict(link) for name, link in state["links"].items()}, "priors": {name: dict(one) for name, one in state["priors"].items()}, "values": dict(state["values"])}
    free = {name.partition("|")[2]: value for name, value in given.items() if name.startswith("free|")}
    for name, value in given.items():
        kind, _, rest = name.partition("|")
        if kind == "value" and (number := read_number(value)) is not None:
            found["values"][rest] = number
        elif kind == "link":
            _take_link(found, rest, value)
        elif kind == "twin":
            _take_twin(found, rest, given)
        elif kind == "prior":
            at, _, part = rest.partition("|")
            _put(found["priors"].get(state["free"][int(at)], {}), part, value)
    found["links"] = {name: link for name, link in found["links"].items() if link["series"]}
    if free:
        kept = [name for name in state["free"] if free.get(name, True)]
        found["free"] = [name for name in [*kept, *(name for name, on in free.items() if on and name not in kept)] if _tied(name, found)]
    for name in found["free"]:
        found["priors"].setdefault(name, prior(name))
    return found


def _tied(name: str, state: dict[str, Any]) -> bool:
    """A spread or rate is free only where its column is used."""
    kind, mark, column = name.partition(": ")
    return not (mark and kind in ("spread", "rate")) or column in state["links"]


def _take_link(state: dict[str, Any], rest: str, value: Any) -> None:
    at, _, part = rest.partition("|")
    column = state["columns"][int(at)]
    _put(state["links"].setdefault(column, {"column": column, "series": "", "measure": "level", "rate": 1.0, "noise": "none", "spread": 1.0}), part, value)


def _take_twin(state: dict[str, Any], rest: str, given: dict[str, Any]) -> None:
    """`given` holds the tick and the spread of the same line."""
    series, part = rest.rsplit("|", 1)
    if part == "on" and given[f"twin|{series}|on"]:
        link = state["links"].setdefault(series, {"column": "", "series": series, "measure": "level", "rate": 1.0, "noise": "normal", "spread": 1.0})
        _put(link, "spread", given[f"twin|{series}|spread"])
    elif part == "on":
        state["links"].pop(series, None)


def _put(target: dict[str, Any], part: str, value: Any) -> None:
    number = value if part in ("series", "measure", "noise", "kind") else read_number(value)
    if number is not None:
        target[part] = number
