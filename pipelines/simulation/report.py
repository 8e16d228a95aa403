"""simulation.report: one HTML file that tells a run, an experiment or a calibration whole: model, equations, sources, settings, figures, tables, diagnostics, seed and versions.

It loads nothing, fits light and dark pages and paper. All text is escaped, pictures are data, and its own policy forbids everything else.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import inspect
import io
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pipelines.simulation.params import DrawnParams, captioned, chosen
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, Simulation, Simulations, Source, caption, retold, ui

MOST_ROWS = 40  # of a table in sight; the file that it is of has the rest
MOST_COLUMNS = 24
MOST_BYTES = 32 * 2**20
KEY = r"^[0-9a-f]{64}\.(csv|svg|png|jpg|webp|gif)$"
MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".gif": "image/gif"}
LIBRARIES = ("numpy", "numba", "scipy", "SALib", "emcee", "matplotlib")
STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
ELSEWHERE = ("values", "own", "model", "seed")  # settings that are told in sections of their own
SCRIPT = "document.getElementById('copy').onclick=async e=>{await navigator.clipboard.writeText(document.getElementById('link').textContent);e.target.textContent=e.target.dataset.done;};"


class Part(BaseModel):
    """One table or figure."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    key: str = Field(pattern=KEY)
    title: str = Field("", max_length=200)


class ReportParams(DrawnParams):
    title: str = Field("", max_length=200, title="Title", description="Empty takes the model's.", json_schema_extra=ui())
    method: str = Field("", max_length=80, title="Method", description="The id of the pipeline whose result is told.", json_schema_extra=ui(widget="hidden"))
    settings: dict[str, Any] = Field({}, title="Settings", description="All of that job.", json_schema_extra=ui(widget="hidden"))
    summary: dict[str, Any] = Field({}, title="Diagnostics", description="What that job said of its result.", json_schema_extra=ui(widget="hidden"))
    parts: list[Part] = Field([], max_length=60, title="Figures and tables", description="Each with the key of a kept file, and a title.", json_schema_extra=ui(widget="hidden"))
    address: str = Field("", max_length=300, pattern=r"^(https?://[^\s\"'<>]+)?$", title="Address of the studio", description="For a link to this model and setting.", json_schema_extra=ui(widget="hidden"))


class Report:
    """The same params and files give the same bytes on the same versions."""

    id: ClassVar[str] = "simulation.report"
    title: ClassVar[str] = "Report of a simulation"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = ReportParams

    def __init__(self, simulations: Simulations) -> None:
        self.simulations = simulations

    def need(self, params: ReportParams, catalog: Catalog) -> Need:
        return Need(working_bytes=4 * MOST_BYTES)

    def settle(self, params: ReportParams, desk: Desk) -> ReportParams:
        model, values = chosen(params, self.simulations)
        for part in params.parts:
            desk.inputs.path(part.key, "parts")
        return params.model_copy(update={"values": values.model_dump(mode="json"), "title": params.title or model.title})

    @captioned
    def run(self, params: ReportParams, ctx: RunContext) -> Result:
        model, values = chosen(params, self.simulations)
        files = []
        for number, part in enumerate(params.parts):
            ctx.progress(number, len(params.parts), "Gathering")
            files.append((part, ctx.input(part.key).read_bytes()))
        if (size := sum(len(data) for _, data in files)) > MOST_BYTES:
            raise BadInput(f"The figures and tables are {size >> 20} MB; {MOST_BYTES >> 20} MB fit into a report.", hint="Leave some out.", field="parts")
        tables = sum(part.key.endswith(".csv") for part in params.parts)
        page = Page(model, values, params).html(files)
        return Result([Artifact("text", page.encode(), ".html", params.title or model.title, {"figures": len(files) - tables, "tables": tables})])


class Page:
    """The file's sections."""

    def __init__(self, model: Simulation, values: Any, params: ReportParams) -> None:
        self.model, self.values, self.params = model, values, params

    def html(self, files: list[tuple[Part, bytes]]) -> str:
        title = told(caption(self.params.title or self.model.title))
        allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
        policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
        figures = [(part, data) for part, data in files if not part.key.endswith(".csv")]
        tables = [(part, data) for part, data in files if part.key.endswith(".csv")]
        body = "".join([
            f"<header><p class='kind'>{told(caption(self.model.domain))} · {told(self.params.method or 'simulation')}</p><h1>{title}</h1><p>{told(caption(self.model.about))}</p>{self._link()}</header>",
            section("Figures", "".join(_figure(self._title(part), part.key, data) for part, data in figures)),
            section("Tables", "".join(_table(self._title(part), data) for part, data in tables)),
            section("Diagnostics", definitions(_flat(self.params.summary))),
            section("Parameters of the model", self._parameters()),
            section("Settings", definitions([*_flat({name: value for name, value in self.params.settings.items() if name not in ELSEWHERE}), ("seed", self._seed)])),
            section("Equations", f"<pre>{told(inspect.cleandoc(type(self.model).__doc__ or ''))}</pre>" if type(self.model).__doc__ else ""),
            section("Your own model", f"<pre>{told(self.params.own)}</pre>" if self.params.own else ""),
            section("Sources", "".join(f"<li>{_cited(source)}</li>" for source in self.model.sources), "ol"),
            section("Made with", definitions(_versions())),
        ])  # fmt: skip
        head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width, initial-scale=1'><meta http-equiv='Content-Security-Policy' content=\"{policy}\"><title>{title}</title><style>{STYLE}</style>"
        return f"<!doctype html><html lang='{self.params.language}'><head>{head}</head><body><main>{body}</main><script>{SCRIPT}</script></body></html>"

    @property
    def _seed(self) -> int:
        return int(self.params.settings.get("seed", self.params.seed))

    def _parameters(self) -> str:
        rows = []
        for name, field in self.model.Params.model_fields.items():
            hints: Any = (field.json_schema_extra or {}) if isinstance(field.json_schema_extra, dict) else {}
            rows.append([caption(field.title or name), self.params.values.get(name, getattr(self.values, name)), caption(hints.get("ui", {}).get("unit", "")), caption(field.description or "")])
        return grid([caption("Parameter"), caption("Value"), caption("Unit"), caption("What it is")], rows)

    def _link(self) -> str:
        """Opens the studio at this model and setting; without an address its last part only."""
        wish = {"model": self.params.model, "values": self.params.values, "seed": self._seed} | ({"own": self.params.own} if self.params.own else {})
        coded = base64.urlsafe_b64encode(json.dumps(wish, ensure_ascii=False).encode()).decode().rstrip("=")
        link = told(f"{self.params.address.rstrip('/')}/?simulation={coded}")
        shown = f"<a href='{link}'>{told(caption('Open it in the studio'))}</a>" if self.params.address else f"<span>{told(caption('Open it in the studio: put this behind its address'))}</span>"
        return f"<p class='link'>{shown} <button type='button' id='copy' data-done='{told(caption('Copied'))}'>{told(caption('Copy link'))}</button></p><p class='code' id='link'>{link}</p>"


    def _title(self, part: Part) -> str:
        """“Growth, sweep: runs” and “Walkers · Growth” piece by piece."""
        begun, ended, name = f"{self.model.title}, ", f" · {self.model.title}", caption(self.model.title)
        if part.title.startswith(begun):
            return f"{name}, {': '.join(caption(piece) for piece in part.title.removeprefix(begun).split(': '))}"
        if part.title.endswith(ended):
            return f"{retold(part.title.removesuffix(ended))} · {name}"
        return retold(part.title)


def told(value: Any) -> str:
    """As text in HTML, whoever wrote it."""
    if isinstance(value, float):
        value = f"{value:.10g}"
    return html.escape(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), quote=True)


def section(title: str, body: str, tag: str = "div") -> str:
    """Nothing where there is nothing to tell."""
    return f"<section><h2>{told(caption(title))}</h2><{tag}>{body}</{tag}></section>" if body else ""


def definitions(pairs: list[tuple[str, Any]]) -> str:
    return "<dl>" + "".join(f"<dt>{told(name)}</dt><dd>{told(retold(value) if isinstance(value, str) else value)}</dd>" for name, value in pairs) + "</dl>" if pairs else ""


def grid(head: list[str], rows: list[list[Any]]) -> str:
    lines = "".join("<tr>" + "".join(f"<td{' class=n' if _number(cell) else ''}>{told(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class='wide'><table><thead><tr>{''.join(f'<th>{told(cell)}</th>' for cell in head)}</tr></thead><tbody>{lines}</tbody></table></div>"


def _number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _figure(title: str, key: str, data: bytes) -> str:
    """As data of an <img>: what an SVG may hold besides drawing does nothing there."""
    media = MEDIA[Path(key).suffix]
    return f"<figure><img src='data:{media};base64,{base64.b64encode(data).decode()}' alt='{told(title)}'><figcaption>{told(title)}</figcaption></figure>"


def _table(title: str, data: bytes) -> str:
    """Its first rows, evenly chosen where there are too many, and how many there are."""
    rows = [row[:MOST_COLUMNS] for row in csv.reader(io.StringIO(data.decode("utf-8", "replace"))) if row and not row[0].startswith("#")]
    if not rows:
        return ""
    head, body = rows[0], rows[1:]
    chosen_rows = body if len(body) <= MOST_ROWS else [body[round(at * (len(body) - 1) / (MOST_ROWS - 1))] for at in range(MOST_ROWS)]
    more = caption("{n} of {all:,} rows, evenly chosen.", n=MOST_ROWS, all=len(body)) if len(body) > MOST_ROWS else ""
    return f"<h3>{told(title)}</h3>{grid(head, [[_rounded(cell) for cell in row] for row in chosen_rows])}<p class='more'>{told(more)}</p>"


def _rounded(cell: str) -> str:
    """Six digits say enough on paper."""
    return f"{float(cell):.6g}" if _number(cell) and any(mark in cell for mark in ".e") else cell


def _flat(values: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Names of what is inside others with dots; lists of sentences one by one."""
    found: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found += _flat(value, f"{before}{name}.")
        elif isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            found += [(f"{before}{name}", one) for one in value]
        elif value not in ("", [], {}):
            found.append((f"{before}{name}", value))
    return found


def _cited(source: Source) -> str:
    """With a link only where it leads to the web."""
    return f"<a href='{told(source.url)}'>{told(source.text)}</a>" if source.url.startswith(("https://", "http://")) else told(source.text)


def _versions() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = [("Python", platform.python_version())]
    for name in LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return found
