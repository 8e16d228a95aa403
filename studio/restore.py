"""A dropped output file gives its settings back, also in a fresh install: what validates is applied, the rest is listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import BadInput, NotFound
from studio.host import Studio
from studio.metadata import extract, texts_of
from studio.params import Params
from studio.pipeline import ReadsTexts


@dataclass(frozen=True)
class Restored:
    """`refused` names each setting that was not taken, with its reason."""

    pipeline_id: str
    title: str
    params: dict[str, Any]
    refused: dict[str, str] = field(default_factory=dict)
    model_missing: str = ""
    extras: dict[str, Any] = field(default_factory=dict)


def restore(path: Path, studio: Studio) -> Restored:
    """Raises BadInput where the file carries no settings, NotFound where its method is not installed."""
    try:
        about = extract(path)
    except BadInput:
        about = read_foreign(path, studio)
    return restore_metadata(about, studio)


def read_foreign(path: Path, studio: Studio) -> dict[str, Any]:
    """Settings that another program wrote into a picture, as far as a method here can read them. Raises BadInput."""
    texts = texts_of(path)
    for pipeline in studio.pipelines.values():
        if texts and isinstance(pipeline, ReadsTexts):
            try:
                return {"pipeline": pipeline.id, "params": pipeline.read_texts(texts, studio.catalog)}
            except BadInput:
                continue
    raise BadInput(f"“{path.name}” carries no settings that can be read.", hint="Drop a file that this studio, AUTOMATIC1111, Forge, SD.Next, ComfyUI, InvokeAI or Fooocus made.")


def restore_metadata(about: dict[str, Any], studio: Studio) -> Restored:
    pipeline = studio.pipelines.get(str(about["pipeline"]))
    if pipeline is None:
        raise NotFound(f"This was made with “{about['pipeline']}”, which is not installed.", hint="Install the extension that brings it.")
    params, refused = pipeline.Params.restore(about["params"], int(about.get("params_version", 1)))
    values = params.model_dump(mode="json")
    missing = _missing(pipeline.Params, values, studio)
    extras, left = _extras(about.get("extras", {}), studio, pipeline.id)
    return Restored(pipeline.id, pipeline.title, values, refused | left, missing, extras)


def _missing(kind: type[Params], values: dict[str, Any], studio: Studio) -> str:
    """The model's key where it is not on this computer; a field without a control of its own names something else (a simulation), a named choice is no file."""
    key, field = str(values.get("model", "")), kind.model_fields.get("model")
    extra: Any = field.json_schema_extra if field else None
    hints = extra.get("ui", {}) if isinstance(extra, dict) else {}
    return "" if hints.get("widget") == "hidden" or key in ("", *hints.get("choices", ())) or any(entry.key == key for entry in studio.catalog.entries()) else key


def _extras(given: Any, studio: Studio, pipeline_id: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Fields of extensions that are here; the rest with its reason."""
    known = studio.jobs.extension_fields(pipeline_id)
    kept: dict[str, Any] = {}
    left: dict[str, str] = {}
    for name, values in given.items() if isinstance(given, dict) else ():
        if name not in known:
            left[str(name)] = "its extension is not here"
            continue
        params, refused = known[name].restore(dict(values), known[name].schema_version)
        kept[name] = params.model_dump(mode="json")
        left |= refused
    return kept, left


def hand_over(restored: Restored, studio: Studio, owner: str) -> None:
    """Leave the settings where their tab finds them at its next load."""
    studio.store.remember(owner, f"restore:{restored.pipeline_id}", restored.params | {"extras": restored.extras})
