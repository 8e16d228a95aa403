"""What is decided before a job is queued: the model, its family's values where the user gave none, and every refusal that needs no model."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from pipelines.image.again import MOST, drawn_size, larger_size, sampling_again, scaled
from pipelines.image.checkpoint import PIPELINES, configs_of
from pipelines.image.control import settle_controls, settle_second
from pipelines.image.embeddings import Vocabulary, check_embedding
from pipelines.image.families import Family, family_of, folder_refusal, latents_of, missing_package
from pipelines.image.lent import lacks_network
from pipelines.image.lookup import left_out, named
from pipelines.image.loops import FEWEST_FOR_ONE
from pipelines.image.others import prior_of
from pipelines.image.params import CONTROLS, EXTENDS, MOST_ADDED, MOST_PIXELS, PER_PICTURE, ImageParams
from pipelines.image.parts import is_assembled, latent_channels, parts_of
from pipelines.image.prompt.grammar import Network, PromptError, networks, parse
from pipelines.image.prompt.schedule import schedule
from pipelines.image.purposes import STRENGTH, check_freeu, check_layers, check_perturbed, check_perturbed_again, check_referred, check_seamless, check_several
from pipelines.image.samplers import ADAPTIVE, AUTOMATIC, SAMPLERS, UNGUIDED, Sampler, choose, find
from pipelines.image.upscalers import settled as settled_upscaler
from pipelines.image.widths import widths_of
from studio.api import BadInput, Catalog, Desk, Fix, ModelBroken, ModelEntry, ModelMissing, NotFound, StudioError

LORA_KINDS = ("lora", "lyco")
TRANSFORMERS = ("sd3", "flux")  # whose LoRAs name parts that no UNet has
MOST_INPUT_PIXELS = 100_000_000


@dataclass(frozen=True)
class Wanted:
    """A small network that the prompt names, and how much of it goes on the text encoders and on the network."""

    entry: ModelEntry
    text: float
    network: float


def default_model(catalog: Catalog) -> str:
    """One's own before the one that comes with the studio, networks made for masks after the others; "" where there is none."""
    usable = [entry for entry in catalog.entries("image") if not entry.problem]
    own = [entry for entry in usable if entry.source != "built-in"]
    found = (entry for some, masks in ((own, False), (own, True), (usable, True)) for entry in some if draws_alone(entry, catalog) and (masks or family_of(entry).form != "inpaint"))
    return next((entry.key for entry in found), "")


def draws_alone(entry: ModelEntry, catalog: Catalog) -> bool:
    """Whether its header shows nothing to be missing, and it draws from words: it is no refiner, not for a second pass only, and needs no picture to change or to take apart."""
    try:
        family = family_of(entry)
        check_model(entry, family, None, catalog)
        return family.key != "sdxl_refiner" and not (family.only_again or family.layers or family.must_refer) and family.form != "edit"
    except (StudioError, OSError):
        return False


def image_model(key: str, catalog: Catalog) -> ModelEntry:
    """Raises ModelMissing, ModelBroken."""
    if not key and not (key := default_model(catalog)):
        raise ModelMissing("There is no image model on this computer.", hint="Add one in the Models tab.", field="model")
    entry = catalog.find(key)
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Download it again, or choose another model.", field="model")
    if entry.kind != "image":
        raise BadInput(f"“{entry.title}” is no image model.", hint="Choose a checkpoint.", field="model")
    return entry


def settle(params: ImageParams, desk: Desk) -> ImageParams:
    """Raises BadInput, ModelMissing or ModelBroken at the field that is wrong."""
    entry = image_model(params.model, desk.catalog)
    family = family_of(entry)
    vae = check_vae(params.vae, entry, family, desk.catalog)
    check_model(entry, family, vae, desk.catalog)
    if family.key == "sdxl_refiner" and not params.image:
        raise BadInput(f"“{entry.title}” only finishes pictures; it draws none from text alone.", hint="Choose it as the second model, or give a picture.", field="model")
    if family.only_again:
        raise BadInput(f"{family.title} enlarges what another model drew.", hint="Choose the other model here, and this one as the model of the second pass.", field="model")
    values: dict[str, Any] = {"model": entry.key, "steps": params.steps or family.steps, "cfg_scale": family.cfg_scale if params.cfg_scale < 0 else params.cfg_scale, "upscale": params.upscale or family.upscale}
    values |= {"layers": params.layers or family.layers, "vae": vae.key if vae else "", "more_images": [key for key in params.more_images if key]}
    if family.form == "edit":
        values["image_cfg_scale"] = params.image_cfg_scale or 1.5
    if params.hires_scale > 1 or values["upscale"] > 1:
        values["upscaler"] = settled_upscaler(params.upscaler, params.hires_scale if params.hires_scale > 1 else values["upscale"], desk.catalog)
    values |= _sampling(params, family) | _size(params, family, desk)
    settled = scaled(params.model_copy(update=values))
    check_prompts(settled)
    _check_something_said(settled)
    for field in ("prompt", "negative_prompt"):
        _check_words(settled, field, entry, family, desk.catalog)
    if settled.mode == "text" and (settled.mask or any(getattr(settled, name) for name in EXTENDS)):
        raise BadInput("There is no picture to change.", hint="Give a picture first.", field="image")
    if settled.mode == "inpaint" and settled.only_masked and drawn_size(settled) != (settled.width, settled.height):
        raise BadInput("A picture that is extended is drawn as a whole.", hint="Switch Only the masked part off, or add no pixels.", field="only_masked", fix=Fix({"only_masked": False}, "Switch it off"))
    _check_form(settled, family)
    check_several(settled, family, [check_picture(key, "more_images", desk) for key in settled.more_images])
    check_perturbed(settled, family)
    check_freeu(settled, family)
    check_seamless(settled, family)
    check_layers(settled, family)
    _check_size(settled, family)
    _check_begun(settled, family)
    _check_exactness(settled, family)
    if settled.hires_scale > 1:
        settled = settled.model_copy(update=_settle_again(settled, entry, family, desk.catalog))
    if settled.step_cache and (family.kind != "flow" or family.key == "sd3"):
        raise BadInput(f"Step caching is not for {family.title}.", hint="Set it to 0: it is for FLUX and its kin.", field="step_cache", fix=Fix.use("step_cache", 0.0, "0"))
    settled = settled.model_copy(update=settle_controls(settled, entry, family, desk.catalog) | settle_second(settled, entry, family, desk.catalog))
    _check_encoders(settled, entry, desk.catalog)
    for unit in (*CONTROLS, "reference"):
        if key := getattr(settled, f"{unit}_image"):
            check_picture(key, f"{unit}_image", desk)
    for field in ("variation_strength", "seed_width", "seed_height"):
        if getattr(settled, field) and (family.kind != "noise" or settled.mode != "text"):
            raise BadInput("Variations of a seed are for pictures from text, with Stable Diffusion 1, 2 and XL.", hint="Set it to 0.", field=field, fix=Fix.use(field, 0))
    return settled


def _check_something_said(params: ImageParams) -> None:
    """Raises BadInput where nothing says what to draw: neither words nor a picture to begin from, to be guided by, or to follow."""
    pictures = (params.image, params.reference_image, *(getattr(params, f"{unit}_image") for unit in CONTROLS))
    if not any(pictures) and not all(text.strip() for text in params.prompts or [params.prompt]):
        raise BadInput("The prompt is empty.", hint="Write what the picture shows, or give a picture.", field="prompt")


def check_prompts(params: ImageParams) -> None:
    """Raises BadInput where prompts are given for some of the pictures only."""
    for field in PER_PICTURE.values():
        if (given := len(getattr(params, field))) not in (0, params.count):
            raise BadInput(f"There are {given} prompts for {params.count} pictures.", hint="Give one for each picture, or none.", field=field)


def _settle_again(params: ImageParams, entry: ModelEntry, family: Family, catalog: Catalog) -> dict[str, Any]:
    """Model, sampler and words of the second pass, checked for the model that draws it."""
    other, draws = (named(params.hires_model, "image", "hires_model", catalog), "hires_model") if params.hires_model else (entry, "hires_scale")
    own = family_of(other)
    if other.key != entry.key:
        _check_model_again(params, other, own, family, catalog)
    if own.only_again:
        _check_enlarged(params, own)
    elif "image" not in own.modes or own.form in ("edit", "refer") or own.in_pixels:
        hint = "Set it to 1; use Enlarge instead." if draws == "hires_scale" else "Choose another model."
        raise BadInput(f"Models of this family ({own.title}) can't draw a picture again.", hint=hint, field=draws, fix=_without(draws))
    check_perturbed_again(params, own)
    check_freeu(params, own)
    check_seamless(params, own)
    if own.key == "tiny":
        raise BadInput("This small model can't draw larger pictures again.", hint="Use Enlarge instead.", field=draws, fix=_without(draws))
    if params.hires_width or params.hires_height:
        _check_sides(params, ("hires_width", "hires_height"), own)
    for field in ("hires_prompt", "hires_negative_prompt"):
        first = field.removeprefix("hires_")
        if getattr(params, field):
            _check_words(params, field, other, own, catalog)
        elif other.key != entry.key:  # the first pass's words, read by another model
            _check_words(params.model_copy(update={field: getattr(params, first), PER_PICTURE[field]: getattr(params, PER_PICTURE[first])}), field, other, own, catalog)
    sampling = sampling_again(params, family, own)
    _check_guided(params, find(sampling.get("hires_sampler", params.sampler), own.kind), own, "hires_sampler")
    return sampling | {"hires_model": other.key if other.key != entry.key else ""}


def _check_enlarged(params: ImageParams, own: Family) -> None:
    """Raises BadInput where the larger picture would not be of the size that such a model makes."""
    sides = larger_size(params, drawn_size(params), unit_of(own))
    if min(sides) != own.size:
        factor = own.size / min(drawn_size(params))
        fix = Fix({"hires_scale": factor, "hires_width": 0, "hires_height": 0}, f"Use {factor:g}") if 1 < factor <= MOST else None
        told = f"{own.title} makes pictures whose shorter side is {own.size}; this would be {min(sides)}."
        raise BadInput(told, hint="Draw the first pass a quarter of that, and make it 4 times as large.", field="hires_scale", fix=fix)


def _without(draws: str) -> Fix:
    """No second pass, or none with another model."""
    return Fix.use("hires_scale", 1.0, "1") if draws == "hires_scale" else left_out(draws)


def _check_model_again(params: ImageParams, other: ModelEntry, own: Family, family: Family, catalog: Catalog) -> None:
    """What can't go on with another model. Raises ModelBroken or BadInput at the field "hires_model"."""
    try:
        check_model(other, own, None, catalog)
    except StudioError as error:
        error.field = "hires_model"
        raise
    guided = any(getattr(params, f"{prefix}_model") for prefix in CONTROLS)
    if params.refiner or params.reference_model or (guided and own.key != family.key):
        raise BadInput("A second model, a reference picture and control networks of another family can't go on with another model in the second pass.", hint="Leave one of them out.", field="hires_model")
    if params.step_cache and own.key != family.key:
        raise BadInput("Step caching can't go on with a model of another family in the second pass.", hint="Set one of them to its default.", field="hires_model")


def _check_words(params: ImageParams, field: str, entry: ModelEntry, family: Family, catalog: Catalog) -> None:
    """All prompts of that field."""
    for text in dict.fromkeys(getattr(params, PER_PICTURE[field]) or [getattr(params, field)]):
        _check_prompt(text, field, entry, family, catalog)
        _check_embeddings(text, params, field, entry, family, catalog)


def _check_exactness(params: ImageParams, family: Family) -> None:
    """Raises BadInput for what would do nothing here."""
    sampler = find(params.sampler, family.kind)
    if (not sampler.tabled or sampler.loop == ADAPTIVE) and params.discard_next_to_last_sigma:
        fix = Fix({"discard_next_to_last_sigma": False}, "Switch it off")
        raise BadInput(f"“{sampler.name}” has no noise level to discard.", hint="Switch it off, or choose another sampler.", field="discard_next_to_last_sigma", fix=fix)
    if params.conventions != "diffusers" and not sampler.tabled:
        fitting = ", ".join(item.name for item in SAMPLERS if item.tabled)
        raise BadInput(f"“{sampler.name}” does not follow AUTOMATIC1111's conventions.", hint=f"These do, with Stable Diffusion 1, 2 and XL: {fitting}.", field="conventions", fix=Fix.use("conventions", "diffusers"))
    _check_guided(params, sampler, family, "sampler")
    if params.eta_seed_delta and not sampler.random:
        fix = Fix.use("eta_seed_delta", 0)
        raise BadInput(f"“{sampler.name}” adds no noise in its steps.", hint="Set the eta noise seed delta to 0, or choose a sampler that does, Euler a for example.", field="eta_seed_delta", fix=fix)
    if params.eta_seed_delta and sampler.loop == "restarted" and params.steps < FEWEST_FOR_ONE:
        raise BadInput(f"“{sampler.name}” adds noise from {FEWEST_FOR_ONE} steps on.", hint="Set the eta noise seed delta to 0, or take more steps.", field="eta_seed_delta", fix=Fix.use("eta_seed_delta", 0))
    if params.emphasis != "Original" and not (family.weights or family.weighs):
        raise BadInput("This model's encoder knows no weights.", hint="Set the emphasis to Original.", field="emphasis", fix=Fix.use("emphasis", "Original"))


def _check_encoders(params: ImageParams, entry: ModelEntry, catalog: Catalog) -> None:
    """Raises BadInput for layers that a text encoder does not have, and for what only models that read words by CLIP do, where none of those that draw is one."""
    readers = [one for one in that_draw(params, entry, catalog) if family_of(one).weights]
    if not readers:
        title = family_of(entry).title
        if params.clip_skip > 1:
            raise BadInput(f"CLIP skip is not for {title}.", hint="Set it to 1.", field="clip_skip", fix=Fix.use("clip_skip", 1))
        if params.guidance_rescale:
            raise BadInput(f"Guidance rescale is not for {title}.", hint="Set it to 0.", field="guidance_rescale", fix=Fix.use("guidance_rescale", 0.0, "0"))
    for one in readers:
        most = widths_of(one).most_skipped
        if 0 < most < params.clip_skip:
            raise BadInput(f"CLIP skip goes to {most} with “{one.title}”, whose text encoder has no more layers.", hint=f"Use {most} or less.", field="clip_skip", fix=Fix.use("clip_skip", most))


def that_draw(params: ImageParams, entry: ModelEntry, catalog: Catalog) -> list[ModelEntry]:
    """The model, that of the last steps and that of the second pass; the keys are settled."""
    others = [params.refiner, *([params.hires_model] if params.hires_scale > 1 else [])]
    return [entry, *(catalog.find(key) for key in others if key)]


ENDED = ("sd1", "sd2", "sdxl", "sdxl_refiner", "tiny")  # families whose pipelines can be told to leave their loop


def _check_guided(params: ImageParams, sampler: Sampler, family: Family, field: str) -> None:
    """Refuses CFG++ where there is no answer to the negative prompt to take its noise from, and steps of their own number where the pipeline can't leave its loop or pictures share them."""
    if sampler.loop == ADAPTIVE and (family.form == "edit" or family.key not in ENDED):
        raise BadInput(f"“{sampler.name}” does not go with this model.", hint="Choose another sampler.", field=field)
    if sampler.loop == ADAPTIVE and params.together and params.count > 1:
        raise BadInput(f"“{sampler.name}” chooses its steps by one picture.", hint="Draw them one by one, or choose another sampler.", field="together", fix=Fix({"together": False}, "Draw them one by one"))
    if sampler.loop == UNGUIDED and params.cfg_scale <= 1:
        raise BadInput(f"“{sampler.name}” needs guidance.", hint="Set the CFG scale above 1, or choose another sampler.", field="cfg_scale")
    if sampler.loop == UNGUIDED and family.form == "edit":
        raise BadInput(f"“{sampler.name}” does not go with this model.", hint="Choose another sampler.", field=field)


def _check_form(params: ImageParams, family: Family) -> None:
    """Refuses what models for one purpose can't do: those that follow instructions, and the refiner."""
    if family.form == "refer":
        check_referred(params, family)
    if params.mode not in family.modes:
        if "image" in family.modes:
            if not params.mask:
                field = next(name for name in EXTENDS if getattr(params, name))
                raise BadInput(f"Models of this family ({family.title}) extend no pictures.", hint="Set it to 0, or choose another model.", field=field, fix=Fix(dict.fromkeys(EXTENDS, 0), "Add nothing"))
            raise BadInput(f"Models of this family ({family.title}) fill no masks.", hint="Take the mask away, or choose another model.", field="mask")
        raise BadInput(f"Models of this family ({family.title}) draw from text only.", hint="Take the picture away, or choose another model.", field="image")
    if params.image_cfg_scale and family.form != "edit":
        raise BadInput("Image CFG scale is for models that change a picture by an instruction.", hint="Set it to 0.", field="image_cfg_scale", fix=Fix.use("image_cfg_scale", 0.0, "0"))
    if family.form != "edit":
        return
    if not params.image:
        raise BadInput("This model changes a picture by what you write.", hint="Give a picture, or choose another model.", field="image")
    if params.mode == "inpaint":
        raise BadInput("This model changes whole pictures.", hint="Take the mask away, or choose another model.", field="mask")
    if params.denoising_strength != STRENGTH:
        fix = Fix.use("denoising_strength", STRENGTH, f"{STRENGTH:g}")
        raise BadInput(
            "This model follows its instruction through all steps.",
            hint=f"Leave the denoising strength at {STRENGTH:g}; Image CFG scale says how much of the picture is kept.",
            field="denoising_strength",
            fix=fix,
        )
    if params.hires_scale > 1:
        raise BadInput("This model changes pictures; it draws none a second time.", hint="Set it to 1.", field="hires_scale", fix=Fix.use("hires_scale", 1.0, "1"))
    if params.image_cfg_scale < 1:
        raise BadInput("Image CFG scale must be at least 1.", hint="1.5 is what the makers advise.", field="image_cfg_scale", fix=Fix.use("image_cfg_scale", 1.5))
    for field in ("prompt", "negative_prompt"):
        spans = schedule(parse(getattr(params, field)), params.steps)
        if len(spans) > 1 or len(spans[0].sides) > 1:
            raise BadInput("This model follows one instruction through all steps.", hint="Leave out what changes at a step, and AND.", field=field)


def check_vae(key: str, entry: ModelEntry, family: Family, catalog: Catalog) -> ModelEntry | None:
    """The decoder that the user chose. Raises ModelMissing, ModelBroken or BadInput at the field "vae"."""
    if not key:
        return None
    if family.key == "other":
        raise BadInput("Another VAE can't be used with this family of models.", hint="Leave it empty.", field="vae", fix=left_out("vae"))
    found = next((other for other in catalog.entries("vae") if key in (other.key, other.title)), None)
    if found is None:
        near = difflib.get_close_matches(key, [other.key for other in catalog.entries("vae")], 3, 0.4)
        fix = Fix.use("vae", near[0]) if near else left_out("vae")
        raise ModelMissing(f"There is no VAE “{key}”.", hint=f"Did you mean {', '.join(near)}?" if near else "Put it into the folder models/vae, or leave it out.", field="vae", fix=fix)
    if found.problem:
        raise ModelBroken(f"“{found.title}” can't be used: {found.problem}", hint="Download it again, or leave it out.", field="vae", fix=left_out("vae"))
    channels, wanted = latent_channels(found), latents_of(entry, family)
    if not channels:
        raise ModelBroken(f"“{found.title}” is no VAE that can be read.", hint="Choose another, or leave it out.", field="vae", fix=left_out("vae"))
    if wanted and channels != wanted:
        raise BadInput(f"The VAE “{found.title}” is for models with {channels} latent channels; this one has {wanted}.", hint="Leave it out, or choose one of the model's family.", field="vae", fix=left_out("vae"))
    return found


def check_model(entry: ModelEntry, family: Family, vae: ModelEntry | None, catalog: Catalog) -> None:
    """What its header shows to be missing. Raises ModelBroken at the field "model"."""
    if entry.format == "diffusers":
        if reason := folder_refusal(entry):
            raise ModelBroken(f"“{entry.title}” can't be drawn with. {reason}", hint="Choose another model.", field="model")
        if lacks_network(Path(entry.path)):
            raise ModelBroken(f"The folder “{entry.title}” holds no network: it only lends its other parts.", hint="Choose the file with the network, or get the whole folder.", field="model")
        prior = prior_of(entry, catalog)
        if package := missing_package(Path(entry.path)) or (missing_package(Path(prior.path)) if prior else ""):
            hint = f"Install it with: python -m pip install {package}. Or choose a version of the model that is not quantised."
            raise ModelBroken(f"“{entry.title}” has quantised weights: it needs the package {package}.", hint=hint, field="model")
    elif is_assembled(entry, family.key):
        parts_of(entry, family.key, catalog, vae)
    elif family.key in PIPELINES:
        configs_of(Path(entry.path), family.key, own_vae=vae is None)
    else:
        raise ModelBroken(f"“{entry.title}” is no checkpoint of a family that is read from single files.", hint="Use the diffusers folder of this model, or choose another one.", field="model")


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
    return max(8, family.factor * (family.patch or (2 if family.kind == "flow" else 1)))


def check_picture(key: str, field: str, desk: Desk) -> tuple[int, int]:
    """Width and height after turning it upright. Raises BadInput for what is no still picture or too large."""
    try:
        path = desk.inputs.path(key)
    except NotFound as error:
        error.field = field
        raise
    return check_file(path, field)


def check_file(path: Path, field: str) -> tuple[int, int]:
    """The same of a file. Raises BadInput."""
    try:
        about = path.stat()
        return _looked_at(str(path), about.st_mtime_ns, about.st_size)
    except BadInput as error:
        error.field = field
        raise
    except Image.DecompressionBombError as error:
        raise BadInput(f"The picture has more than the {MOST_INPUT_PIXELS / 1e6:.0f} megapixels that can be taken.", hint="Make it smaller.", field=field) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG or WebP file.", field=field) from error


@lru_cache(maxsize=256)
def _looked_at(path: str, changed: int, size: int) -> tuple[int, int]:
    """Read to its end, once for all cells of a grid."""
    with Image.open(path) as image:
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # a telephone's photograph with a second view
            raise BadInput("This picture moves.", hint="Give a still picture.")
        width, height = image.size
        if width * height > MOST_INPUT_PIXELS:
            raise BadInput(f"The picture has {width * height / 1e6:.0f} megapixels; {MOST_INPUT_PIXELS / 1e6:.0f} can be taken.", hint="Make it smaller.")
        image.load()
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def _check_size(params: ImageParams, family: Family) -> None:
    _check_sides(params, ("width", "height"), family)
    _check_added(params, EXTENDS[:2], unit_of(family))
    _check_added(params, EXTENDS[2:], unit_of(family))
    scale = params.hires_scale * params.upscale
    pixels = (params.width + params.extend_left + params.extend_right) * (params.height + params.extend_top + params.extend_bottom) * scale * scale
    if pixels > MOST_PIXELS:
        unit = unit_of(family)
        width, height = (int(side * (MOST_PIXELS / pixels) ** 0.5 / unit) * unit for side in (params.width, params.height))
        fix = Fix({"width": width, "height": height}, f"Use {width} × {height}")
        raise BadInput(f"The finished picture would have {pixels / 1e6:.0f} megapixels; {MOST_PIXELS / 1e6:.0f} can be made.", hint="Choose a smaller size.", field="width", fix=fix)


def _check_added(params: ImageParams, fields: tuple[str, ...], unit: int) -> None:
    """Raises BadInput: with what is added on both sides the picture is drawn as a whole. The larger of the two is to be changed."""
    less, more = sorted(getattr(params, field) for field in fields)
    if (less + more) % unit:
        field = max(fields, key=lambda field: getattr(params, field))
        nearest = min((whole - less for whole in range(0, less + MOST_ADDED + 1, unit) if whole >= less), key=lambda value: abs(value - more))
        raise BadInput(f"What is added must be a multiple of {unit} for this model; {less + more} is not.", hint=f"Use {nearest}.", field=field, fix=Fix.use(field, nearest))


def _check_begun(params: ImageParams, family: Family) -> None:
    """Raises BadInput: networks that draw in pixels bring a picture to their own size before they go over it."""
    sides = (params.width + params.extend_left + params.extend_right, params.height + params.extend_top + params.extend_bottom)
    if family.in_pixels and params.mode != "text" and min(sides) != family.size:
        fix = Fix({"width": family.size, "height": family.size}, f"Use {family.size} × {family.size}")
        raise BadInput(f"{family.title} goes over pictures whose shorter side is {family.size}.", hint=f"Set it to {family.size}, and enlarge the finished picture.", field="width", fix=fix)


def _check_sides(params: ImageParams, fields: tuple[str, str], family: Family) -> None:
    """Raises BadInput. One side of the second pass may be left open."""
    unit = unit_of(family)
    for field in fields:
        side, name = getattr(params, field), field.removeprefix("hires_")
        if (side or field == name) and (side % unit or side < unit):
            lower = max(unit, side // unit * unit)
            fix = Fix.use(field, lower if side - lower < unit / 2 else lower + unit)
            raise BadInput(f"The {name} must be a multiple of {unit} for this model; {side} is not.", hint=f"Use {lower} or {lower + unit}.", field=field, fix=fix)


def _check_prompt(text: str, field: str, entry: ModelEntry, family: Family, catalog: Catalog) -> None:
    try:
        tree = parse(text)
    except PromptError as error:
        error.field = field
        raise
    for network in networks(tree):
        if network.kind not in LORA_KINDS:
            raise BadInput(f"“{network}” names a kind of network that can't be used here.", hint="LoRAs are written <lora:name:1>.", field=field)
        if "negative" in field:
            raise BadInput(f"“{network}” stands in the negative prompt, where it does nothing.", hint="Write it in the prompt; a weight below 0 turns it round.", field=field)
        lora = _lora_of(network, family, catalog, field).entry
        its, reads = int(lora.details.get("context", 0)), widths_of(entry).context
        if its and reads and its != reads:
            raise BadInput(
                f"The LoRA “{lora.title}” is for another family of models: it reads text {its} wide, this one ({family.title}) {reads}.", hint="Leave it out, or choose a model of its family.", field=field
            )


def _check_embeddings(text: str, params: ImageParams, field: str, entry: ModelEntry, family: Family, catalog: Catalog) -> None:
    """Raises BadInput or ModelBroken for an embedding in the prompt that this model can't read; a name that no file has is a word like others."""
    vocabulary = Vocabulary(catalog, widths_of(entry))
    spans = [span for steps in {params.steps, params.hires_steps or params.steps} for span in schedule(parse(text), steps)]
    for found in vocabulary.named(spans):
        if not family.weights:
            raise BadInput(f"Embeddings can't be used with {family.title}; the prompt names “{found.entry.title}”.", hint="Leave it out, or choose a model of its family.", field=field)
        check_embedding(found, vocabulary.widths, family.title, field)


def _lora_of(network: Network, family: Family, catalog: Catalog, field: str) -> Wanted:
    """As `find_lora`; of a missing one the fix writes the nearest name in its place."""
    try:
        return find_lora(network, family, catalog, field)
    except ModelMissing as error:
        if near := near_loras(network.name, catalog)[:1]:
            error.fix = Fix({}, f"Use {near[0]}", {field: (str(network), str(network).replace(network.name, near[0], 1))})
        raise


def near_loras(name: str, catalog: Catalog) -> list[str]:
    """Names as a prompt has them, the nearest first."""
    known = {word.lower(): entry.key.rpartition("/")[2] for entry in catalog.entries("lora") for word in (entry.key.rpartition("/")[2], entry.title, entry.key)}
    return list(dict.fromkeys(known[word] for word in difflib.get_close_matches(name.lower(), known, 3, 0.5)))


def find_lora(network: Network, family: Family, catalog: Catalog, field: str = "prompt") -> Wanted:
    """The file and its weights. Raises ModelMissing with near names, BadInput for one of another family or a weight that is no number."""
    entries = sorted(catalog.entries("lora"), key=lambda entry: entry.architecture in ("", family.key) and not entry.problem)  # of one name, the one that fits stays
    known = {name: entry for entry in entries for name in (entry.key.rpartition("/")[2].lower(), entry.title.lower(), entry.key.lower())}
    unread = {entry.key.rpartition("/")[2].lower(): entry for entry in catalog.entries("other") if entry.problem}  # of a damaged file nobody knows what it was
    entry = known.get(network.name.lower()) or unread.get(network.name.lower())
    if entry is None:
        near = near_loras(network.name, catalog)
        hint = f"Did you mean {', '.join(near)}?" if near else "Put it into the folder models/lora, or leave it out."
        raise ModelMissing(f"There is no LoRA “{network.name}”.", hint=hint, field=field)
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Download it again, or leave it out.", field=field)
    if entry.architecture and entry.architecture != family.key and (family.key in ("sd1", "sd2", "sdxl", "sd3", "flux") or family.key == "tiny" and entry.architecture in TRANSFORMERS):
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
        texts = [params.prompt, params.negative_prompt, *([params.hires_prompt, params.hires_negative_prompt] if params.hires_scale > 1 and not params.hires_model else [])]
        loras = [find_lora(network, family, catalog).entry for text in texts for network in networks(parse(text))]
        spans = [span for text in texts for span in schedule(parse(text), params.steps or family.steps)]
        named = [found.entry for found in Vocabulary(catalog, widths_of(entry)).named(spans)]
    except StudioError:
        return 0
    files = {item.key: item.bytes for item in (*loras, *named)}
    return sum(files.values()) + (entry.bytes if any(item.details.get("changes_weights") for item in loras) else 0)
