"""What is refused of models that look at pictures to change them, and of perturbed-attention guidance and FreeU where they can't act.

Sources: Ahn et al., Self-rectifying diffusion sampling with perturbed-attention guidance, 2024; Si et al., FreeU, 2023.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.image.families import Family
from pipelines.image.params import FREEU, ImageParams
from pipelines.image.samplers import UNGUIDED, find
from studio.api import BadInput, Fix

STRENGTH = float(ImageParams.model_fields["denoising_strength"].default)
NARROWEST, SLIMMEST = 64, 8  # of pictures that are looked at, as FLUX.2's and Z-Image Omni's pipelines take them
NO_PAG = Fix.use("pag_scale", 0.0, "0")


def check_referred(params: ImageParams, family: Family) -> None:
    """Refuses what models that look at a picture can't do: they begin from noise, with the picture beside it. Raises BadInput."""
    if family.layers and not params.image:
        raise BadInput(f"{family.title} takes a picture apart into layers.", hint="Give a picture, or choose another model.", field="image")
    if family.must_refer and not params.image:
        raise BadInput(f"{family.title} changes a picture by what you write.", hint="Give a picture, or choose another model.", field="image")
    if params.mode == "image" and params.denoising_strength != STRENGTH:
        fix = Fix.use("denoising_strength", STRENGTH, f"{STRENGTH:g}")
        hint = f"Leave the denoising strength at {STRENGTH:g}; say in the prompt what is to be kept."
        raise BadInput(f"{family.title} looks at the picture through all steps; it does not begin from it.", hint=hint, field="denoising_strength", fix=fix)
    if params.mode == "image":
        _check_sides(params.width, params.height, family, "width", Fix({"width": family.size, "height": family.size}, f"Use {family.size} × {family.size}"))
    if params.image and params.together and params.count > 1:
        raise BadInput(f"{family.title} changes pictures one by one.", hint="Switch off Draw together.", field="together", fix=Fix({"together": False}, "Switch it off"))


def _check_sides(width: int, height: int, family: Family, field: str, fix: Fix) -> None:
    """Raises BadInput for a picture that is too small or too slim to be looked at."""
    shorter, longer = sorted((width, height))
    if shorter < NARROWEST or longer > SLIMMEST * shorter:
        told = f"{family.title} looks at pictures of at least {NARROWEST} pixels a side, and at most {SLIMMEST} times as long as wide."
        raise BadInput(told, hint="Choose another size." if field == "width" else "Choose another picture.", field=field, fix=fix)


def check_several(params: ImageParams, family: Family, sizes: Iterable[tuple[int, int]]) -> None:
    """Refuses further pictures where the model looks at fewer, or where there is no first one; `sizes` are theirs. Raises BadInput."""
    if not params.more_images:
        return
    away = Fix({"more_images": []}, "Take the others away")
    if family.pictures < 2:
        raise BadInput(f"{family.title} does not look at several pictures.", hint="Take the others away, or choose a model that looks at several, as FLUX.2 and Qwen-Image-Edit Plus do.", field="more_images", fix=away)
    if not params.image:
        raise BadInput("There are more pictures, but no first one.", hint="Give the first one as the picture to change.", field="image")
    if (count := 1 + len(params.more_images)) > family.pictures:
        raise BadInput(f"{family.title} looks at {family.pictures} pictures at most; there are {count}.", hint="Take some away.", field="more_images", fix=away)
    for width, height in sizes:
        _check_sides(width, height, family, "more_images", away)


def check_layers(params: ImageParams, family: Family) -> None:
    """Refuses layers where the model makes none, and a second pass over them. Raises BadInput."""
    if params.layers and not family.layers:
        raise BadInput(f"{family.title} makes no layers.", hint="Set Picture layers to 0, or choose a model that takes pictures apart, as Qwen-Image-Layered does.", field="layers", fix=Fix.use("layers", 0))
    if family.layers and params.hires_scale > 1:
        raise BadInput("Layers are not drawn a second time.", hint="Set it to 1; use Enlarge instead.", field="hires_scale", fix=Fix.use("hires_scale", 1.0, "1"))


def check_perturbed(params: ImageParams, family: Family) -> None:
    """Raises BadInput at the PAG scale where it can't act."""
    if not params.pag_scale:
        return
    if not family.pag:
        raise BadInput(f"{family.title} has no PAG.", hint="Set the PAG scale to 0, or choose another model.", field="pag_scale", fix=NO_PAG)
    if params.mode not in family.pag:
        if "image" in family.pag:
            raise BadInput(f"With {family.title}, PAG is not for masks.", hint="Set the PAG scale to 0, or choose another model.", field="pag_scale", fix=NO_PAG)
        raise BadInput(f"With {family.title}, PAG is for pictures from text only.", hint="Set the PAG scale to 0, or choose another model.", field="pag_scale", fix=NO_PAG)
    if find(params.sampler, family.kind).loop == UNGUIDED:
        raise BadInput(f"“{params.sampler}” does not go with PAG.", hint="Set the PAG scale to 0, or choose another sampler.", field="pag_scale", fix=NO_PAG)
    if params.refiner or params.reference_model:
        raise BadInput("A second model and a reference picture do not go with PAG.", hint="Set the PAG scale to 0, or leave them out.", field="pag_scale", fix=NO_PAG)


def check_perturbed_again(params: ImageParams, own: Family) -> None:
    """The same for the model of the second pass."""
    if params.pag_scale and "image" not in own.pag:
        hint = "Set the PAG scale to 0, or High resolution to 1."
        raise BadInput(f"The second pass, drawn by {own.title}, has no PAG.", hint=hint, field="pag_scale", fix=NO_PAG)


def check_freeu(params: ImageParams, family: Family) -> None:
    """Raises BadInput at the first scale of FreeU that is set, for a model without a UNet of that kind."""
    if params.freeu and not family.freeu:
        first = next(name for name in FREEU if getattr(params, name) != 1)
        hint = "Set its scales to 1, or choose a model of Stable Diffusion 1, 2 or XL."
        raise BadInput(f"FreeU is not for {family.title}: it weighs the stages of a UNet.", hint=hint, field=first, fix=Fix(dict.fromkeys(FREEU, 1.0), "Switch it off"))


def check_seamless(params: ImageParams, own: Family) -> None:
    """Raises BadInput for a model of either pass whose network is a transformer: its edges don't meet."""
    if params.tiling and not own.seamless:
        hint = "Switch Seamless off, or choose a model of Stable Diffusion 1, 2 or XL."
        raise BadInput(f"{own.title} draws no seamless pictures.", hint=hint, field="tiling", fix=Fix({"tiling": False}, "Switch it off"))
