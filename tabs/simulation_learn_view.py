"""What the Learn page shows of a job: how it goes, figures, the table of parameters, what the data can't tell, files. No gradio."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tabs.simulation_hand import buttons
from tabs.simulation_learn_form import Say, title_of

STATS = {
    "r_hat": "R-hat {n}", "effective": "{n} independent draws", "acceptance": "acceptance {n}", "round": "round {n}", "threshold": "threshold {n}",
}  # fmt: skip
FACTS = {
    "log_likelihood": "Log-likelihood", "aic": "AIC", "bic": "BIC", "acceptance": "Acceptance", "steps": "Steps", "walkers": "Walkers", "simulations": "Simulations",
    "effective_particles": "Effective particles", "rmse": "Error of the state (RMSE)", "spread": "Its own spread",
}  # fmt: skip
SOUND = "The walkers agree, and the data tell all free parameters."


def measured(say: Say, facts: Mapping[str, Any]) -> list[str]:
    """What a job at work has told of itself."""
    return [say(text, n=f"{facts[name]:g}") for name, text in STATS.items() if isinstance(facts.get(name), (int, float))]


def result_html(say: Say, job: str, summary: Mapping[str, Any], outputs: Sequence[Any], titles: dict[str, str]) -> str:
    """All of a finished job."""
    pictures = [output for output in outputs if output.kind == "image"]
    figures = "".join(f'<figure><figcaption>{html.escape(say(_title(one)))}</figcaption><img alt="{html.escape(say(_title(one)))}" src="/api/v1/outputs/{one.id}/file"></figure>' for one in pictures)
    table = posterior_html(say, summary["table"], titles) if summary.get("table") else filtered_html(say, summary, titles)
    return f"{_told(say, summary)}{table}<div class='learn-figures'>{figures}</div>{_facts(say, summary)}{_files(say, job, outputs)}"


def _title(output: Any) -> str:
    """Without the model's name, which the page shows anyway."""
    return str(output.title).partition(" · ")[0]


def _told(say: Say, summary: Mapping[str, Any]) -> str:
    warnings, notes = summary.get("warnings", []), summary.get("notes", [])
    told = f"<ul class='learn-warnings'>{''.join(f'<li>{html.escape(say(one))}</li>' for one in warnings)}</ul>" if warnings else ""
    if not warnings and summary.get("method") == "MCMC":
        told = f"<p class='learn-good'>{html.escape(say(SOUND))}</p>"
    within = [say("{share} % of {column} lie within the 90 % band.", share=f"{100 * share:.0f}", column=column) for column, share in (summary.get("within") or {}).items()]
    return told + "".join(f"<p class='learn-soft'>{html.escape(say(one))}</p>" for one in [*notes, *within])


def _rows(say: Say, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{html.escape(say(one))}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='learn-table'><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def posterior_html(say: Say, table: Sequence[Mapping[str, Any]], titles: dict[str, str]) -> str:
    """Best value and 90 % interval of each parameter; diagnostics where the method has them."""
    heads, keys = ["Parameter", "Best", "90 % interval", "Deviation"], []
    for key, title in (("error", "Standard error"), ("r_hat", "R-hat"), ("effective", "Effective size")):
        if key in table[0]:
            heads.append(title)
            keys.append(key)
    forms: dict[str, Callable[[float], str]] = {"r_hat": "{:.3f}".format, "effective": "{:.0f}".format}
    rows = [[title_of(say, row["name"], titles), f"{row['best']:.4g}", f"{row['low']:.4g} … {row['high']:.4g}", f"{row['sd']:.2g}", *(forms.get(key, "{:.2g}".format)(row[key]) for key in keys)] for row in table]
    return _rows(say, heads, rows)


def filtered_html(say: Say, summary: Mapping[str, Any], titles: dict[str, str]) -> str:
    """The state at the end and free parameters of a filter."""
    states = [
        [say("{name} at the end", name=titles.get(f"series: {name}", name)), f"{one['mean']:.4g}", f"{one['mean'] - 1.645 * one['sd']:.4g} … {one['mean'] + 1.645 * one['sd']:.4g}"]
        for name, one in (summary.get("state") or {}).items()
    ]
    free = [[title_of(say, one["name"], titles), f"{one['mean']:.4g}", f"{one['low']:.4g} … {one['high']:.4g}"] for one in summary.get("parameters", [])]
    return _rows(say, ["Estimated", "Mean", "90 % interval"], [*free, *states]) if states else ""


def _facts(say: Say, summary: Mapping[str, Any]) -> str:
    facts = {**summary.get("facts", {}), **summary}
    told = [f"{say(title)} {facts[name]:.4g}" for name, title in FACTS.items() if isinstance(facts.get(name), (int, float))]
    if stand := facts.get("surrogate"):
        told.append(say("Surrogate: {n} times faster, largest error {error} % of the runs' spread", n=f"{stand['faster']:.0f}", error=f"{100 * max(stand['error'].values()):.2g}"))
    return f"<p class='learn-soft'>{html.escape(' · '.join(told))}</p>" if told else ""


def _files(say: Say, job: str, outputs: Sequence[Any]) -> str:
    links = "".join(f'<a href="/api/v1/outputs/{one.id}/file" download>{html.escape(say(_title(one)))} ({html.escape(one.path.rpartition(".")[2].upper())})</a>' for one in outputs)
    return buttons(say, job, {"report": "Report (HTML)"}) + f"<div class='learn-files'><b>{html.escape(say('Download'))}</b>{links}</div>"
