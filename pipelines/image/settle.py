"""What is decided before a job is queued: the model, its family's values where the user gave none, and every refusal that needs no model."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from typing import Any

from PIL import Image

from pipelines.image.control import settle_controls, settle_second
from pipelines.image.embeddings import Vocabulary, check_embedding
from pipelines.image.families import Family, family_of
from pipelines.image.params import CONTROLS, MOST_PIXELS, ImageParams
from pipelines.image.prompt.grammar import Network, PromptError, networks, parse
from pipelines.image.prompt.schedule import schedule
from pipelines.image.samplers import AUTOMATIC, choose
from pipelines.image.widths import widths_of
from studio.api import BadInput, Catalog, Desk, ModelBroken, ModelEntry, ModelMissing, NotFound, StudioError

LORA_KINDS = ("lora", "lyco")
MOST_INPUT_PIXELS = 100_000_000


@dataclass(frozen=True)
class Wanted:
    """A small network that the prompt names, and how much of it goes on the text encoders and on the network."""

    entry: ModelEntry
    text: float
    network: float


def default_model(catalog: Catalog) -> str:
    """One's own before the one that comes with the studio; "" where there is none."""
    usable = [entry for entry in catalog.entries("image") if not entry.problem and _draws_alone(entry)]
    own = [entry for entry in usable if entry.source != "built-in"]
    return next((entry.key for entry in (*own, *usable)), "")


def _draws_alone(entry: ModelEntry) -> bool:
    try:
        return family_of(entry).key != "sdxl_refiner"
    except OSError:  # it was moved since the folder was read: whoever takes it is told
        return True


def image_model(key: str, catalog: Catalog) -> ModelEntry:
    """Raises ModelMissing, ModelBroken."""
    if not key and not (key := default_model(catalog)):
        raise ModelMissing("There is no image model on this computer.", hint="Add one in the Models tab.", field="model")
    entry = catalog.find(key)
    if entry.kind != "image":
        raise BadInput(f"“{entry.title}” is no image model.", hint="Choose a checkpoint.", field="model")
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Download it again, or choose another model.", field="model")
    return entry


def settle(params: ImageParams, desk: Desk) -> ImageParams:
    """Raises BadInput, ModelMissing or ModelBroken at the field that is wrong."""
    entry = image_model(params.model, desk.catalog)
    family = family_of(entry)
    if family.key == "sdxl_refiner" and not params.image:
        raise BadInput(f"“{entry.title}” only finishes pictures; it draws none from text alone.", hint="Choose it as the second model, or give a picture.", field="model")
    values: dict[str, Any] = {"model": entry.key, "steps": params.steps or family.steps, "cfg_scale": family.cfg_scale if params.cfg_scale < 0 else params.cfg_scale, "upscale": params.upscale or family.upscale}
    values |= _sampling(params, family) | _size(params, family, desk)
    settled = params.model_copy(update=values)
    for field in ("prompt", "negative_prompt"):
        _check_prompt(getattr(settled, field), field, entry, family, desk.catalog)
        _check_embeddings(settled, field, entry, family, desk.catalog)
    if settled.mode == "text" and (settled.mask or any((settled.extend_left, settled.extend_right, settled.extend_top, settled.extend_bottom))):
        raise BadInput("There is no picture to change.", hint="Give a picture first.", field="image")
    _check_size(settled, family)
    if settled.hires_scale > 1 and family.key == "tiny":
        raise BadInput("This small model can't draw larger pictures again.", hint="Use Enlarge instead.", field="hires_scale")
    settled = settled.model_copy(update=settle_controls(settled, entry, family, desk.catalog) | settle_second(settled, entry, family, desk.catalog))
    for unit in (*CONTROLS, "reference"):
        if key := getattr(settled, f"{unit}_image"):
            check_picture(key, f"{unit}_image", desk)
    for field in ("variation_strength", "seed_width", "seed_height"):
        if getattr(settled, field) and (family.kind == "flow" or settled.mode != "text"):
            raise BadInput("Variations of a seed are for pictures from text, with Stable Diffusion 1, 2 and XL.", hint="Set it to 0.", field=field)
    return settled


def _sampling(params: ImageParams, family: Family) -> dict[str, Any]:
    left = params.sampler == AUTOMATIC
    sampler, schedule = choose(family.sampler if left else params.sampler, family.schedule if left and params.schedule == AUTOMATIC else params.schedule, family.kind)
    return {"sampler": sampler.name, "schedule": schedule}


def _size(params: ImageParams, family: Family, desk: Desk) -> dict[str, Any]:
    """The size as it was given; of a picture its own; else the family's."""
    width, height = params.width, params.height
    if params.image:
        own = check_picture(params.image, "image", desk)
        if params.mask and (mask := check_picture(params.mask, "mask", desk)) != own:
            raise BadInput(f"The mask is {mask[0]} × {mask[1]} pixels, the picture {own[0]} × {own[1]}.", hint="Draw the mask on this picture.", field="mask")
        unit = unit_of(family)
        if not width and not height:
            scale = min(1.0, (family.size * family.size * 1.5 / (own[0] * own[1])) ** 0.5)
            width, height = (max(unit, round(side * scale / unit) * unit) for side in own)
    return {"width": width or family.size, "height": height or family.size}


def unit_of(family: Family) -> int:
    """What sides must be a multiple of."""
    return max(8, family.factor * (2 if family.kind == "flow" else 1))


def check_picture(key: str, field: str, desk: Desk) -> tuple[int, int]:
    """Width and height after turning it upright. Raises BadInput for what is no still picture or too large."""
    try:
        path = desk.inputs.path(key)
    except NotFound as error:
        error.field = field
        raise
    try:
        with Image.open(path) as image:
            if getattr(image, "n_frames", 1) > 1:
                raise BadInput("This picture moves.", hint="Give a still picture.", field=field)
            width, height = image.size
            if width * height > MOST_INPUT_PIXELS:
                raise BadInput(f"The picture has {width * height / 1e6:.0f} megapixels; {MOST_INPUT_PIXELS / 1e6:.0f} can be taken.", hint="Make it smaller.", field=field)
            image.load()
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except BadInput:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG or WebP file.", field=field) from error
    return (height, width) if turned else (width, height)


def _check_size(params: ImageParams, family: Family) -> None:
    unit = unit_of(family)
    for field, side in (("width", params.width), ("height", params.height)):
        if side % unit or side < unit:
            lower = max(unit, side // unit * unit)
            raise BadInput(f"The {field} must be a multiple of {unit} for this model; {side} is not.", hint=f"Use {lower} or {lower + unit}.", field=field)
    scale = params.hires_scale * params.upscale
    pixels = (params.width + params.extend_left + params.extend_right) * (params.height + params.extend_top + params.extend_bottom) * scale * scale
    if pixels > MOST_PIXELS:
        raise BadInput(f"The finished picture would have {pixels / 1e6:.0f} megapixels; {MOST_PIXELS / 1e6:.0f} can be made.", hint="Choose a smaller size.", field="width")


def _check_prompt(text: str, field: str, entry: ModelEntry, family: Family, catalog: Catalog) -> None:
    try:
        tree = parse(text)
    except PromptError as error:
        error.field = field
        raise
    for network in networks(tree):
        if network.kind not in LORA_KINDS:
            raise BadInput(f"“{network}” names a kind of network that can't be used here.", hint="LoRAs are written <lora:name:1>.", field=field)
        if field == "negative_prompt":
            raise BadInput(f"“{network}” stands in the negative prompt, where it does nothing.", hint="Write it in the prompt; a weight below 0 turns it round.", field=field)
        lora = find_lora(network, family, catalog, field).entry
        its, reads = int(lora.details.get("context", 0)), widths_of(entry).context
        if its and reads and its != reads:
            raise BadInput(
                f"The LoRA “{lora.title}” is for another family of models: it reads text {its} wide, this one ({family.title}) {reads}.", hint="Leave it out, or choose a model of its family.", field=field
            )


def _check_embeddings(params: ImageParams, field: str, entry: ModelEntry, family: Family, catalog: Catalog) -> None:
    """Raises BadInput or ModelBroken for an embedding in the prompt that this model can't read; a name that no file has is a word like others."""
    vocabulary = Vocabulary(catalog, widths_of(entry))
    spans = [span for steps in {params.steps, params.hires_steps or params.steps} for span in schedule(parse(getattr(params, field)), steps)]
    for found in vocabulary.named(spans):
        if not family.weights:
            raise BadInput(f"Embeddings can't be used with {family.title}; the prompt names “{found.entry.title}”.", hint="Leave it out, or choose a model of its family.", field=field)
        check_embedding(found, vocabulary.widths, family.title, field)


def find_lora(network: Network, family: Family, catalog: Catalog, field: str = "prompt") -> Wanted:
    """The file and its weights. Raises ModelMissing with near names, BadInput for one of another family or a weight that is no number."""
    known = {name: entry for entry in catalog.entries("lora") for name in (entry.key.rpartition("/")[2].lower(), entry.title.lower(), entry.key.lower())}
    entry = known.get(network.name.lower())
    if entry is None:
        near = difflib.get_close_matches(network.name.lower(), known, 3, 0.5)
        titles = list(dict.fromkeys(known[name].title for name in near))
        hint = f"Did you mean {', '.join(titles)}?" if titles else "Put it into the folder models/lora, or leave it out."
        raise ModelMissing(f"There is no LoRA “{network.name}”.", hint=hint, field=field)
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Download it again, or leave it out.", field=field)
    if entry.architecture and family.key in ("sd1", "sd2", "sdxl", "sd3", "flux") and entry.architecture != family.key:
        raise BadInput(f"The LoRA “{entry.title}” is for another family of models ({entry.architecture}) than this one ({family.title}).", hint="Leave it out, or choose a model of its family.", field=field)
    return Wanted(entry, *lora_weights(network, field))


def lora_weights(network: Network, field: str = "prompt") -> tuple[float, float]:
    """For the text encoders and for the network: <lora:name:both>, <lora:name:text:network>, or by name, <lora:name:te=0.5:unet=1>. Raises BadInput."""
    named = dict(value.split("=", 1) for value in network.values if "=" in value)
    placed = [value for value in network.values if "=" not in value]
    if set(named) - {"te", "unet"} or len(placed) > 2:
        raise BadInput(f"“{network}” says more than its two weights.", hint="Write it as <lora:name:0.8>, <lora:name:0.5:1> or <lora:name:te=0.5:unet=1>.", field=field)
    try:
        text = float(named.get("te") or (placed[0] if placed else "") or 1.0)
        whole = float(named.get("unet") or (placed[1] if len(placed) > 1 else "") or text)
        if not (math.isfinite(text) and math.isfinite(whole)):
            raise ValueError(network.rest)
    except ValueError as error:
        raise BadInput(f"The weight of “{network}” is no number.", hint="Write it as <lora:name:0.8>.", field=field) from error
    return text, whole


def worn_bytes(params: ImageParams, entry: ModelEntry, catalog: Catalog) -> int:
    """What the prompt's networks and embeddings take beside the model; forms that change weights keep a copy of those. Never raises: what is wrong is told in `settle`."""
    try:
        family = family_of(entry)
        loras = [find_lora(network, family, catalog).entry for network in networks(parse(params.prompt))]
        spans = [span for text in (params.prompt, params.negative_prompt) for span in schedule(parse(text), params.steps or family.steps)]
        named = [found.entry for found in Vocabulary(catalog, widths_of(entry)).named(spans)]
    except StudioError:
        return 0
    files = {item.key: item.bytes for item in (*loras, *named)}
    return sum(files.values()) + (entry.bytes if any(item.details.get("changes_weights") for item in loras) else 0)
