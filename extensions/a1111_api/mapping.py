"""The fields of txt2img and img2img as values of image.generate. Pure: pictures come in elsewhere, what the studio has is told by Here.

Source: the fields and defaults of the original's API, version 1.10, as its clients use them.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Callable
from typing import Any, Literal

from studio.api import BadInput, StudioError

from .alwayson import script_values, scripts_ignored
from .asking import Asked, names, number, table, text, whole, yes
from .here import FREEU, OF_PIPELINE, SAME, Here, clip_skip, pipeline_value

Kind = Literal["txt2img", "img2img"]
SEEDS, MADE_UP, MOST, MOST_ENLARGED = 2**32, 2**31 - 1, 100, 4
BOTH: dict[str, Any] = {
    "prompt": "", "negative_prompt": "", "styles": [], "seed": -1, "subseed": -1, "subseed_strength": 0, "seed_resize_from_h": -1, "seed_resize_from_w": -1, "sampler_name": "", "scheduler": "Automatic",
    "batch_size": 1, "n_iter": 1, "steps": 50, "cfg_scale": 7.0, "width": 512, "height": 512, "restore_faces": False, "tiling": False, "do_not_save_samples": False, "do_not_save_grid": False,
    "denoising_strength": 0.75, "s_min_uncond": 0.0, "s_churn": 0.0, "s_tmin": 0.0, "s_noise": 1.0, "override_settings": {}, "override_settings_restore_afterwards": True, "refiner_checkpoint": "",
    "refiner_switch_at": 0.8, "disable_extra_networks": False, "sampler_index": "Euler", "script_name": "", "script_args": [], "send_images": True, "save_images": False, "alwayson_scripts": {},
}  # fmt: skip
OF_TEXT: dict[str, Any] = {
    "enable_hr": False, "firstphase_width": 0, "firstphase_height": 0, "hr_scale": 2.0, "hr_upscaler": "", "hr_second_pass_steps": 0, "hr_resize_x": 0, "hr_resize_y": 0,
    "hr_checkpoint_name": "", "hr_sampler_name": "", "hr_scheduler": "", "hr_prompt": "", "hr_negative_prompt": "",
}  # fmt: skip
OF_PICTURE: dict[str, Any] = {
    "resize_mode": 0, "mask_blur": 4, "inpainting_fill": 0, "inpaint_full_res": True, "inpaint_full_res_padding": 0, "inpainting_mask_invert": 0,
    "initial_noise_multiplier": 1.0, "latent_mask": "", "include_init_images": False,
}  # fmt: skip
DEFAULTS: dict[Kind, dict[str, Any]] = {"txt2img": BOTH | OF_TEXT, "img2img": BOTH | OF_PICTURE}
RESIZES = ("Stretch", "Crop", "Fit", "Stretch")  # just resize, crop and resize, resize and fill, just resize the latents
FILLS = ("Blurred", "Original", "Noise", "Empty")  # fill, original, latent noise, latent nothing
NETWORK = re.compile(r"<\w+:[^<>]*>")
# Values of image.generate that a picture's text holds, by the fields that ask for them here
FROM_TEXT = {
    "prompt": "prompt", "negative_prompt": "negative_prompt", "seed": "seed", "variation_seed": "subseed", "variation_strength": "subseed_strength", "seed_width": "seed_resize_from_w",
    "seed_height": "seed_resize_from_h", "sampler": "sampler_name", "schedule": "scheduler", "steps": "steps", "cfg_scale": "cfg_scale", "width": "width", "height": "height", "tiling": "tiling",
    "denoising_strength": "denoising_strength", "mask_blur": "mask_blur", "hires_scale": "hr_scale", "hires_steps": "hr_second_pass_steps", "hires_strength": "denoising_strength",
    "hires_width": "hr_resize_x", "hires_height": "hr_resize_y", "hires_prompt": "hr_prompt", "hires_negative_prompt": "hr_negative_prompt", "hires_sampler": "hr_sampler_name", "hires_schedule": "hr_scheduler",
    "hires_model": "hr_checkpoint_name", "upscaler": "hr_upscaler", "refiner": "refiner_checkpoint", "refiner_switch": "refiner_switch_at", "image_cfg_scale": "image_cfg_scale", "pag_scale": "pag_scale",
    "guidance_rescale": "guidance_rescale", "conventions": "conventions",
    **{name: name for name in FREEU}, "padding": "inpaint_full_res_padding", "only_masked": "inpaint_full_res", "invert_mask": "inpainting_mask_invert",
}  # fmt: skip
# The same of what override_settings holds
OPTIONS_FROM_TEXT = {"model": "sd_model_checkpoint", "clip_skip": "CLIP_stop_at_last_layers", "vae": "sd_vae", **{ours: theirs for theirs, (ours, _) in OF_PIPELINE.items()}}
# Fields that other programs with this API have, by those of image.generate; the first that was sent counts
OF_OTHERS = {"image_cfg_scale": ("image_cfg_scale",), "pag_scale": ("pag_scale",), "guidance_rescale": ("guidance_rescale", "diffusers_guidance_rescale", "cfg_rescale")}
# Fields that change nothing here, with the values that ask for nothing; what else was asked for is told back as "ignored"
WITHOUT_EFFECT: dict[str, tuple[Any, ...]] = {
    "restore_faces": (False,), "s_min_uncond": (0,), "s_churn": (0,), "s_tmin": (0,), "s_tmax": (0,), "s_noise": (1,), "eta": (1,), "firstpass_image": ("",), "refiner_checkpoint": ("", "None"),
    "initial_noise_multiplier": (1,), "latent_mask": ("",), "pag_adaptive": (0,),
    "hr_checkpoint_name": ("", "Use same checkpoint"), "hr_sampler_name": ("", "Use same sampler"), "hr_scheduler": ("", "Use same scheduler"), "hr_prompt": ("",), "hr_negative_prompt": ("",),
}  # fmt: skip
# Of these the ones that the image pipeline has a field for
HIRES = {"hr_checkpoint_name": "hires_model", "hr_sampler_name": "hires_sampler", "hr_scheduler": "hires_schedule", "hr_prompt": "hires_prompt", "hr_negative_prompt": "hires_negative_prompt"}
SETTINGS = ("sd_model_checkpoint", "sd_vae", "CLIP_stop_at_last_layers")
# Fields that the original passes over where a model or sampler has no use for them; here they would be refused
SOFT = ("image_cfg_scale", "eta_seed_delta", "discard_next_to_last_sigma", "emphasis", "pag_scale", "guidance_rescale", "clip_skip", "tiling", "conventions", "variation_strength", "seed_width", "seed_height", *FREEU)


def complete(kind: Kind, sent: Asked, here: Here) -> Asked:
    """What was sent, then what the text of a picture in `infotext` says, then the original's defaults."""
    said: dict[str, Any] = {}
    if told := text(sent, "infotext"):
        found = here.settings_in(told)
        said = {theirs: found[ours] for ours, theirs in FROM_TEXT.items() if ours in found}
        said |= {"freeu_enabled": True} if FREEU.keys() <= said.keys() else {}
        said["enable_hr"] = found.get("hires_scale", 1) > 1 or bool({"hires_width", "hires_height"} & set(found))
        said |= {theirs: words.index(found[ours]) for ours, theirs, words in (("resize", "resize_mode", RESIZES), ("fill", "inpainting_fill", FILLS)) if found.get(ours) in words}
        own = {theirs: found[ours] for ours, theirs in OPTIONS_FROM_TEXT.items() if found.get(ours)}
        said["override_settings"] = own | table(sent, "override_settings")
        sent = {name: value for name, value in sent.items() if name != "override_settings"}
    return DEFAULTS[kind] | said | sent


def values_of(kind: Kind, asked: Asked, here: Here) -> dict[str, Any]:
    """For the whole request, without its pictures. Raises BadInput."""
    settings = here.options | table(asked, "override_settings")
    model = here.checkpoint(str(settings["sd_model_checkpoint"] or ""))
    sampler, schedule = here.sampling(text(asked, "sampler_name") or text(asked, "sampler_index"), text(asked, "scheduler"), model)
    width, height, hires = _sizes(asked, here) if kind == "txt2img" else (whole(asked, "width"), whole(asked, "height"), {})
    guided = "distilled_cfg_scale" if _is_distilled(asked, here, model) else "cfg_scale"
    return {
        "prompt": _prompt(asked, here, "prompt"), "negative_prompt": _prompt(asked, here, "negative_prompt"), "model": model, "vae": here.vae(str(settings["sd_vae"] or "")),
        "clip_skip": _clip_skip(asked, settings), "width": width, "height": height, "count": _few(asked, "batch_size") * _few(asked, "n_iter"), "steps": whole(asked, "steps"),
        "cfg_scale": number(asked, guided), "sampler": sampler, "schedule": schedule, "seed": max(-1, whole(asked, "seed")), "tiling": yes(asked, "tiling"), "upscale": 1.0,
        **_variation(asked), **hires, **(_picture(asked) if kind == "img2img" else {}), **_where_there_are_fields(asked, settings, here),
    }  # fmt: skip


def at_own_size(values: dict[str, Any], here: Here) -> dict[str, Any]:
    """Where a small model is asked for a size at which its pictures fall apart: drawn near its own one, and enlarged to what was asked for. What is set back into a picture keeps that picture's size."""
    side, unit = here.small(values["model"])
    width, height = values["width"], values["height"]
    along = {values.get(f"{which}_axis") for which in "xyz"} & {"Size", "Width", "Height"}
    if not side or width < 1 or height < 1 or values.get("mask") or values.get("hires_scale", 1) > 1 or along:
        return values
    common = math.gcd(width, height)
    sizes = [(width // common * part, height // common * part, common / part) for part in range(1, common + 1) if common <= MOST_ENLARGED * part]
    fitting = [size for size in sizes if size[0] % unit == size[1] % unit == 0]
    drawn = min(fitting, key=lambda size: abs(math.sqrt(size[0] * size[1]) - side), default=(width, height, 1.0))
    return values | dict(zip(("width", "height", "upscale"), drawn, strict=True))


def jobs_of(values: dict[str, Any], images: list[str], masks: list[str], rounds: int) -> list[dict[str, Any]]:
    """One job for all pictures, or one for each where each begins from another picture, which one job has no fields for."""
    if len(images) < 2:
        return [values | ({"image": images[0]} if images else {}) | ({"mask": masks[0]} if masks else {})]
    seed = values["seed"] if values["seed"] >= 0 else secrets.randbelow(MADE_UP)
    if (count := rounds * len(images)) > MOST:
        raise BadInput(f"{count} pictures are too many for one request; it can have {MOST}.", field="batch_size")
    jobs = []
    for place in range(count):
        job = values | {"count": 1, "seed": (seed + place) % SEEDS, "image": images[place % len(images)]}
        jobs.append(job | ({"mask": masks[place % len(masks)]} if masks else {}))
    return jobs


def applied_styles(asked: Asked, here: Here) -> list[str]:
    """The names that are styles here; others are passed over, as the original does."""
    return [name for name in names(asked, "styles") if name in here.styles]


def ignored(asked: Asked, here: Here) -> list[str]:
    """Names of what was asked for and has no effect."""
    hires = yes(asked, "enable_hr")
    found = [name for name, nothing in WITHOUT_EFFECT.items() if name in asked and asked[name] not in nothing and (hires or not name.startswith("hr_"))]
    found = [name for name in found if (HIRES | {"refiner_checkpoint": "refiner"}).get(name, "") not in here.fields]
    found += [name for ours, theirs in OF_OTHERS.items() if ours not in here.fields for name in theirs if asked.get(name)]
    found += ["freeu_enabled"] if yes(asked, "freeu_enabled") and not FREEU.keys() <= here.fields else []
    found += _guidance_in_vain(asked, here)
    known = {*SETTINGS, *(name for name, (ours, _) in OF_PIPELINE.items() if ours in here.fields), *(("freeu_enabled", *FREEU) if FREEU.keys() <= here.fields else ())}
    found += [f"override_settings.{name}" for name in table(asked, "override_settings") if name not in known]
    return found + scripts_ignored(asked, here)


def fitting(values: dict[str, Any], settle: Callable[[dict[str, Any]], Any]) -> tuple[dict[str, Any], list[str]]:
    """Without the fields of SOFT that the model or sampler refuses, and their names as they were sent. What else is wrong is told when the job is submitted, with its prompt expanded."""
    left: list[str] = []
    while True:
        try:
            settle(values)
        except StudioError as error:
            if error.field in SOFT and error.field in values:
                left.append(FROM_TEXT.get(error.field, error.field))
                values = {name: value for name, value in values.items() if name != error.field}
                continue
        return values, left


def _where_there_are_fields(asked: Asked, settings: dict[str, Any], here: Here) -> dict[str, Any]:
    """What not every version of the image pipeline has: a second model, guidance by the picture, the rules of random numbers."""
    found = {ours: pipeline_value(name, settings[name]) for name, (ours, usual) in OF_PIPELINE.items() if ours in here.fields and settings.get(name, usual) != usual}
    refiner, switch = text(asked, "refiner_checkpoint"), number(asked, "refiner_switch_at")
    if "refiner" in here.fields and refiner.lower() not in SAME and switch < 1:
        found |= {"refiner": here.checkpoint(refiner), "refiner_switch": switch}
    for ours, theirs in OF_OTHERS.items():
        if ours in here.fields and (sent := next((name for name in theirs if asked.get(name)), "")):
            found[ours] = number(asked, sent)
    if "conventions" in here.fields and asked.get("conventions"):
        found["conventions"] = text(asked, "conventions")
    return found | _freeu(settings | asked, here) | script_values(asked, here)


def _freeu(said: Asked, here: Here) -> dict[str, float]:
    """SD.Next has it as options, which it also takes beside the prompt."""
    return {name: number(FREEU | said, name) for name in FREEU} if yes(said, "freeu_enabled") and FREEU.keys() <= here.fields else {}


def _clip_skip(asked: Asked, settings: dict[str, Any]) -> int:
    """SD.Next has it beside the prompt, where 0 is the last layer too. Raises BadInput."""
    if asked.get("clip_skip") and "CLIP_stop_at_last_layers" not in table(asked, "override_settings"):
        return clip_skip(asked["clip_skip"])
    return clip_skip(settings["CLIP_stop_at_last_layers"])


def _is_distilled(asked: Asked, here: Here, model: str) -> bool:
    """Forge has a second scale, for models that were taught their guidance; here that is their CFG scale."""
    return "distilled_cfg_scale" in asked and here.distilled(model)


def _guidance_in_vain(asked: Asked, here: Here) -> list[str]:
    """Which of Forge's two scales does nothing with the model."""
    if "distilled_cfg_scale" not in asked:
        return []
    settings = here.options | table(asked, "override_settings")
    if not here.distilled(here.checkpoint(str(settings["sd_model_checkpoint"] or ""))):
        return ["distilled_cfg_scale"]
    return ["cfg_scale"] if number(asked, "cfg_scale") > 1 else []


def _few(asked: Asked, name: str) -> int:
    """Raises BadInput."""
    if (value := whole(asked, name)) < 1:
        raise BadInput(f"{name} must be at least 1.", field=name)
    return value


def _prompt(asked: Asked, here: Here, name: str) -> str:
    words = text(asked, name)
    for style in applied_styles(asked, here):
        words = styled(words, str(here.styles[style].get(name.removeprefix("hr_"), "")))
    return NETWORK.sub("", words) if yes(asked, "disable_extra_networks") else words


def styled(words: str, style: str) -> str:
    """{prompt} in a style stands for one's own words; else it comes behind them."""
    if "{prompt}" in style:
        return style.replace("{prompt}", words)
    return ", ".join(part for part in (words.strip(), style.strip()) if part) if style.strip() else words


def _variation(asked: Asked) -> dict[str, Any]:
    strength, seed = number(asked, "subseed_strength"), whole(asked, "subseed")
    sides = {ours: side for ours, theirs in (("seed_width", "seed_resize_from_w"), ("seed_height", "seed_resize_from_h")) if (side := whole(asked, theirs)) > 0}
    if not strength:
        return dict(sides)
    return {"variation_strength": strength, "variation_seed": seed if seed >= 0 else secrets.randbelow(MADE_UP), **sides}


def _sizes(asked: Asked, here: Here) -> tuple[int, int, dict[str, Any]]:
    """Width and height of the first pass, and the second pass. Older clients give the first pass its size apart and the finished picture the usual one."""
    width, height = whole(asked, "width"), whole(asked, "height")
    if not yes(asked, "enable_hr"):
        return width, height, {}
    to_width, to_height = whole(asked, "hr_resize_x"), whole(asked, "hr_resize_y")
    if first_width := whole(asked, "firstphase_width"):
        to_width, width, to_height, height = width, first_width, height, whole(asked, "firstphase_height") or first_width
    scale, sides = number(asked, "hr_scale"), {}
    if to_width > 0 or to_height > 0:
        scale, sides = _scale(width, height, to_width, to_height, here)
    hires = {"hires_scale": scale, "hires_steps": whole(asked, "hr_second_pass_steps"), "hires_strength": number(asked, "denoising_strength"), "upscaler": here.upscaler(text(asked, "hr_upscaler"))}
    return width, height, hires | sides | _again(asked, here)


def _again(asked: Asked, here: Here) -> dict[str, Any]:
    """Words, sampler and model of the second pass, where it has its own."""
    given = {name: text(asked, name).strip() for name, ours in HIRES.items() if ours in here.fields}
    own = {name: value for name, value in given.items() if value and value not in WITHOUT_EFFECT[name]}
    found = {HIRES[name]: _prompt(asked, here, name) for name in ("hr_prompt", "hr_negative_prompt") if name in own}
    if "hr_checkpoint_name" in own:
        found["hires_model"] = here.checkpoint(own["hr_checkpoint_name"])
    settings = here.options | table(asked, "override_settings")
    draws = found.get("hires_model") or here.checkpoint(str(settings["sd_model_checkpoint"] or ""))
    sampler, schedule = here.sampling(own.get("hr_sampler_name", ""), own.get("hr_scheduler", ""), draws)
    return found | {name: value for name, value in (("hires_sampler", sampler), ("hires_schedule", schedule)) if value}


def _scale(width: int, height: int, to_width: int, to_height: int, here: Here) -> tuple[float, dict[str, Any]]:
    """The factor; where both sides are wanted in other proportions than the first pass has, those sides, as the original cuts them. Raises BadInput where there are no fields for that."""
    if width < 1 or height < 1:
        raise BadInput("width and height must be more than 0.", field="width")
    scales = [wanted / side for wanted, side in ((to_width, width), (to_height, height)) if wanted > 0]
    if max(scales) * max(width, height) - min(scales) * max(width, height) <= 8:
        return max(scales), {}
    if "hires_width" not in here.fields:
        raise BadInput("hr_resize_x and hr_resize_y must have the proportions of width and height.", hint="Give one of them, or hr_scale.", field="hires_scale")
    return 1.0, {"hires_width": to_width // 8 * 8, "hires_height": to_height // 8 * 8}


def _picture(asked: Asked) -> dict[str, Any]:
    resize, fill = whole(asked, "resize_mode"), whole(asked, "inpainting_fill")
    for name, value, most in (("resize_mode", resize, len(RESIZES)), ("inpainting_fill", fill, len(FILLS))):
        if not 0 <= value < most:
            raise BadInput(f"{name} is a whole number from 0 to {most - 1}.", field=name)
    blurs = [whole(asked, name) for name in ("mask_blur_x", "mask_blur_y") if name in asked]
    return {
        "denoising_strength": number(asked, "denoising_strength"), "resize": RESIZES[resize], "mask_blur": max(blurs) if blurs else whole(asked, "mask_blur"), "fill": FILLS[fill],
        "only_masked": yes(asked, "inpaint_full_res"), "padding": whole(asked, "inpaint_full_res_padding"), "invert_mask": yes(asked, "inpainting_mask_invert"),
    }  # fmt: skip
