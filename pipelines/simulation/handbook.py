"""docs/simulation-models.md, from the models' own declarations. `python -m pipelines.simulation.handbook` writes it; a test says when it is stale."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from studio.api import Simulation

PAGE = Path(__file__).resolve().parents[2] / "docs" / "simulation-models.md"
HEAD = """# Models of the simulation gallery

Made from the declarations: `python -m pipelines.simulation.handbook`. Parameters marked ↻ may change while a model runs; others take effect at Reset.
"""


def page(models: Sequence[Simulation]) -> str:
    """Markdown, by domain."""
    parts = [HEAD]
    for domain in dict.fromkeys(model.domain for model in models):
        parts.append(f"## {domain}\n")
        parts += [chapter(model) for model in models if model.domain == domain]
    return "\n".join(parts)


def chapter(model: Simulation) -> str:
    equations = cell(inspect.getdoc(type(model)) or "", "  \n")
    presets = [f"**{preset.name}**: {preset.about}" if preset.about else f"**{preset.name}**" for preset in model.presets]
    lines = [f"### {model.title} (`{model.id}`)\n", f"{model.about}\n", f"{equations}\n"]
    if presets:
        lines.append(f"Presets: {' '.join(presets)}\n")
    lines += ["| parameter | default | range | unit | what |", "|---|---|---|---|---|", *(row(name, field) for name, field in model.Params.model_fields.items()), ""]
    observed = ", ".join(f"{series.title} (`{series.name}`{', ' + series.unit if series.unit else ''}{', counted from the start' if series.kind == 'total' else ''})" for series in model.series)
    lines.append(f"Observed: {observed}.\n")
    if model.sources:
        lines += ["Sources:\n", *(f"- {f'[{source.text}]({address(source.url)})' if source.url else source.text}" for source in model.sources), ""]
    return "\n".join(lines)


def row(name: str, field: Any) -> str:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    hints: dict[str, Any] = extra.get("ui", {})
    low = next((getattr(one, at) for one in field.metadata for at in ("ge", "gt") if hasattr(one, at)), "")
    high = next((getattr(one, at) for one in field.metadata for at in ("le", "lt") if hasattr(one, at)), "")
    default = field.get_default(call_default_factory=True)
    shown = f"{default:.6g}" if isinstance(default, float) else str(default)
    title = f"{field.title}{' ↻' if hints.get('live') else ''}"
    return f"| {cell(title)} (`{name}`) | {cell(shown)} | {f'{low} … {high}' if low != '' or high != '' else ''} | {cell(str(hints.get('unit', '')))} | {cell(field.description or '')} |"


def address(url: str) -> str:
    """As Markdown's links want it."""
    return quote(url, safe=":/?#&=%;,.~+@!$'*")


def cell(text: str, newline: str = " ") -> str:
    return text.replace("|", "\\|").replace("\n\n", "\n").replace("\n", newline)


if __name__ == "__main__":
    from pipelines.simulation import register_simulations

    PAGE.write_text(page(register_simulations()), encoding="utf-8")
