"""Which form a picture's texts have, and what of them maps. Names of texts are those of PNG chunks; a user comment comes as "parameters".

What has no field here stays under its own label: the user is told.
"""

from __future__ import annotations

from typing import Any

from pipelines.image import infotext, upscalers
from pipelines.image.reading import comfy, comfy_page, fooocus, invoke
from pipelines.image.reading.values import as_json, stem
from studio.api import BadInput, Catalog


def read_texts(texts: dict[str, str], catalog: Catalog) -> dict[str, Any]:
    """Raises BadInput where none of the texts holds settings."""
    return matched(_values(texts), catalog)


def _values(texts: dict[str, str]) -> dict[str, Any]:
    for name, reader in (("invokeai_metadata", invoke.read), ("sd-metadata", invoke.read_old)):
        if about := as_json(texts.get(name, "")):
            return reader(about)
    told = texts.get("parameters", "")
    about = as_json(told)
    if about and fooocus.is_own(about):
        return fooocus.read(about)
    if told and not about:
        return infotext.read(told)
    for name in ("prompt", "workflow"):
        graph = as_json(texts.get(name, ""))
        if graph and comfy.is_graph(graph):
            return comfy.read(graph)
        if graph and comfy_page.is_page(graph):
            return comfy.read(comfy_page.as_graph(graph))
    raise BadInput("This text holds no settings.", hint="Give the text that a picture carries as “parameters”.")


def matched(values: dict[str, Any], catalog: Catalog) -> dict[str, Any]:
    """The model by its hash, else its name; those of the last steps and of a second pass, a VAE and an upscaler by their names; nothing enlarged unless the text says so."""
    values = {"upscale": 1.0} | values
    digest, name = str(values.pop("model_hash", "")), str(values.get("model", ""))
    same = (entry.key for entry in catalog.entries("image") if digest and str(entry.details.get("sha256", "")).startswith(digest.lower()))
    if model := next(same, "") or (_key(name, "image", catalog) if name else ""):
        values["model"] = model
    if refiner := str(values.pop("refiner", "")):
        values["refiner"] = _key(refiner, "image", catalog) or refiner
    if again := str(values.pop("hires_model", "")):
        found = _key(again, "image", catalog)
        values |= {"hires_model": found} if found else {"Hires checkpoint": again}
    if vae := str(values.pop("vae", "")):
        found = _key(vae, "vae", catalog)
        values |= {"vae": found} if found else {"VAE": vae} if vae.lower() not in ("automatic", "none", "default (model)") else {}
    if upscaler := str(values.pop("upscaler", "")):
        own = upscalers.named(upscaler, catalog)
        values |= {"upscaler": own} if own else {"Hires upscaler" if float(values.get("hires_scale", 1)) > 1 else "Postprocess upscaler": upscaler}
    return values


def _key(name: str, kind: str, catalog: Catalog) -> str:
    """Of the model of that name; "" where there is none."""
    return next((entry.key for entry in catalog.entries(kind) if stem(name).lower() in (entry.title.lower(), entry.key.lower(), stem(entry.key).lower())), "")
