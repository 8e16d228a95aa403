"""What guides a drawing besides words: control networks and adapters with their pictures, and a reference picture. What was asked for, and its checks; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.image.annotate.methods import PLAIN, USUAL, Preparation
from pipelines.image.annotate.models import KINDS, bytes_of, check_detail, settle_models, work_of
from pipelines.image.families import Family, family_of
from pipelines.image.lookup import left_out, named
from pipelines.image.params import CONTROLS, ImageParams
from pipelines.image.unions import check_kind, number_of
from pipelines.image.widths import widths_of
from studio.api import BadInput, Catalog, Fix, ModelEntry, ModelMissing

CLASSES = {"ControlNetModel": ("sd1", "sd2", "sdxl", "tiny"), "T2IAdapter": ("sd1", "sd2", "sdxl", "tiny"), "SD3ControlNetModel": ("sd3",), "FluxControlNetModel": ("flux",)}
CLASSES |= {"ControlNetUnionModel": ("sdxl",), "FluxControlNetUnionModel": ("flux",)}
FLOW = ("SD3ControlNetModel", "FluxControlNetModel", "FluxControlNetUnionModel")
SECONDS = {"sd1": ("sd1", "sd2"), "sd2": ("sd1", "sd2"), "tiny": ("tiny",), "sdxl": ("sdxl", "sdxl_refiner")}  # whose latents they share
REFERENCED = ("sd1", "sd2", "sdxl", "tiny")


@dataclass(frozen=True)
class Unit:
    """One control network: from `start` to `end` of the steps, by `weight`. `image` "" takes the picture that the drawing begins from."""

    prefix: str
    entry: ModelEntry
    image: str
    process: str
    weight: float
    start: float
    end: float
    detail: float = USUAL
    depth_model: str = ""
    pose_model: str = ""
    person_model: str = ""
    kind: str = "Automatic"

    @property
    def preparation(self) -> Preparation:
        """Lines are light on black."""
        return Preparation(self.process, self.detail, depth_model=self.depth_model, pose_model=self.pose_model, person_model=self.person_model)

    @property
    def number(self) -> int:
        """What a network of several kinds is told of the picture; -1 for one of one kind."""
        return number_of(self.entry, self.kind, self.process)


def units(params: ImageParams, catalog: Catalog) -> list[Unit]:
    """Those that have a model. Raises ModelMissing, ModelBroken, BadInput."""
    found = []
    for prefix in CONTROLS:
        value = {name: getattr(params, f"{prefix}_{name}") for name in ("model", "image", "process", "weight", "start", "end", "detail", "kind")}
        if value["model"]:
            entry = named(str(value.pop("model")), "controlnet", f"{prefix}_model", catalog)
            found.append(Unit(prefix, entry, **value, **{name: getattr(params, name) for name in KINDS}))
    return found


def prepared_by(found: list[Unit], params: ImageParams, catalog: Catalog) -> dict[str, str]:
    """The keys of the models that their pictures are prepared with. Raises ModelMissing, ModelBroken, BadInput."""
    return settle_models({f"{unit.prefix}_process": unit.process for unit in found}, {name: getattr(params, name) for name in KINDS}, catalog)


def settle_controls(params: ImageParams, model: ModelEntry, family: Family, catalog: Catalog) -> dict[str, Any]:
    """The keys of what is named. Raises StudioErrors at the field that is wrong."""
    found: dict[str, Any] = dict(prepared_by(units(params, catalog), params, catalog))
    for unit in units(params, catalog):
        found[f"{unit.prefix}_model"] = unit.entry.key
        check_detail(unit.process, unit.detail, f"{unit.prefix}_detail")
        _check_fit(unit.entry, model, family, f"{unit.prefix}_model")
        check_kind(unit.entry, unit.kind, unit.process, unit.prefix)
        if not unit.image and not params.image:
            raise BadInput("There is no picture that guides the drawing.", hint="Give a control picture, or leave its model out.", field=f"{unit.prefix}_image", fix=left_out(f"{unit.prefix}_model"))
        if unit.start >= unit.end:
            raise BadInput("It would end before it starts.", hint="Let the end come after the start.", field=f"{unit.prefix}_end", fix=Fix({f"{unit.prefix}_start": 0.0, f"{unit.prefix}_end": 1.0}, "Guide all steps"))
    for prefix in CONTROLS:
        if getattr(params, f"{prefix}_image") and not getattr(params, f"{prefix}_model"):
            raise BadInput("This control picture has no model.", hint="Choose one, or take the picture out.", field=f"{prefix}_model")
    return found | _settle_reference(params, model, family, catalog)


def settle_second(params: ImageParams, model: ModelEntry, family: Family, catalog: Catalog) -> dict[str, Any]:
    """The second model's key. Raises StudioErrors at its field."""
    if not params.refiner:
        return {}
    entry = named(params.refiner, "image", "refiner", catalog)
    other, out = family_of(entry), left_out("refiner")
    if family.key not in SECONDS:
        raise BadInput(f"A second model can't go on with {family.title}.", hint="Leave it out; it goes with Stable Diffusion 1, 2 and XL.", field="refiner", fix=out)
    if other.key not in SECONDS[family.key] or other.factor != family.factor:
        raise BadInput(f"“{entry.title}” ({other.title}) can't go on with what {family.title} began.", hint="Choose a model of the same family, or for Stable Diffusion XL its refiner.", field="refiner", fix=out)
    if entry.key == model.key:
        raise BadInput("The second model is the first one.", hint="Choose another, or leave it out.", field="refiner", fix=out)
    return {"refiner": entry.key}


def _settle_reference(params: ImageParams, model: ModelEntry, family: Family, catalog: Catalog) -> dict[str, Any]:
    if not params.reference_model:
        if params.reference_image:
            raise BadInput("This reference picture has no model.", hint="Choose one, or take the picture out.", field="reference_model", fix=left_out("reference_model"))
        return {}
    entry = named(params.reference_model, "ip_adapter", "reference_model", catalog)
    if family.form == "edit":  # diffusers' pipelines have no adapters, or do not hand on what they say
        raise BadInput("Reference pictures can't be used with models that follow instructions.", hint="Leave it out, or choose another model.", field="reference_model", fix=left_out("reference_model"))
    if family.key not in REFERENCED:
        raise BadInput(f"Reference pictures can't be used with {family.title}.", hint="Leave it out, or choose a model of its family.", field="reference_model", fix=left_out("reference_model"))
    its, reads = int(entry.details.get("context", 0)), widths_of(model).context
    if its and reads and its != reads:
        _other_family(entry, family, its, reads, "reference_model")
    if not params.reference_image:
        raise BadInput("There is no reference picture.", hint="Give one, or leave its model out.", field="reference_image", fix=left_out("reference_model"))
    image_encoder(entry, catalog)
    return {"reference_model": entry.key}


def image_encoder(adapter: ModelEntry, catalog: Catalog) -> ModelEntry:
    """The encoder whose pictures an IP-Adapter reads: of fitting width, the nearest in the folders. Raises ModelMissing."""
    wide, place = int(adapter.details.get("clip", 0)), int(adapter.details.get("clip_states", False))
    fitting = [entry for entry in catalog.entries() if entry.architecture == "CLIPVisionModelWithProjection" and not entry.problem and entry.details.get("widths", [0, 0])[place] == wide]
    if not fitting:
        fix = left_out("reference_model")
        raise ModelMissing(f"“{adapter.title}” needs a picture encoder that is {wide} wide.", hint="Put the folder “image_encoder” that it was published with beside it.", field="reference_model", fix=fix)
    return max(fitting, key=lambda entry: _common(entry.path, adapter.path))


def _common(one: str, other: str) -> int:
    """How many letters of two paths are the same from their beginning."""
    return next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), min(len(one), len(other)))


def _check_fit(entry: ModelEntry, model: ModelEntry, family: Family, field: str) -> None:
    kind = str(entry.details.get("class", ""))
    if kind not in CLASSES:
        raise BadInput(f"“{entry.title}” is of a form that can't be used here.", hint="Use a ControlNet or a T2I-Adapter.", field=field, fix=left_out(field))
    if family.key not in CLASSES[kind]:
        raise BadInput(f"“{entry.title}” is for another family of models than {family.title}.", hint="Leave it out, or choose a model of its family.", field=field, fix=left_out(field))
    its, reads = int(entry.details.get("context", 0)), widths_of(model).context
    if its and reads and its != reads:
        _other_family(entry, family, its, reads, field)
    mine, whole = int(entry.details.get("wide", 0)), widths_of(model).inner
    if kind in FLOW and mine and whole and mine != whole:
        raise BadInput(f"“{entry.title}” is for another size of {family.title}: it is {mine} wide, this one {whole}.", hint="Leave it out, or choose a model of its size.", field=field)
    if kind == "T2IAdapter" and bool(entry.details.get("xl")) != (family.key == "sdxl"):
        raise BadInput(f"“{entry.title}” is for another family of models than {family.title}.", hint="Leave it out, or choose a model of its family.", field=field, fix=left_out(field))


def _other_family(entry: ModelEntry, family: Family, its: int, reads: int, field: str) -> None:
    fix = left_out(field)
    raise BadInput(f"“{entry.title}” is for another family of models: it reads text {its} wide, this one ({family.title}) {reads}.", hint="Leave it out, or choose a model of its family.", field=field, fix=fix)


def control_bytes(params: ImageParams, catalog: Catalog) -> int:
    """Bytes of all models that guide, and of what prepares their pictures, with its work. Raises what `units` raises."""
    guides = units(params, catalog)
    found = {unit.entry.key: unit.entry.bytes for unit in guides}
    if params.reference_model:
        adapter = named(params.reference_model, "ip_adapter", "reference_model", catalog)
        found |= {adapter.key: adapter.bytes, (encoder := image_encoder(adapter, catalog)).key: encoder.bytes}
    models = prepared_by(guides, params, catalog)
    preparing = [Preparation(unit.process, depth_model=models["depth_model"], pose_model=models["pose_model"], person_model=models["person_model"]) for unit in guides]
    pixels = params.width * params.height * params.hires_scale**2
    work = max((work_of(each.method, pixels, bytes_of([each], catalog)) for each in preparing if each.method not in PLAIN), default=0)
    return sum(found.values()) + bytes_of(preparing, catalog) + work
