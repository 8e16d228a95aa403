"""What is refused of models that look at a picture to change it, and of perturbed-attention guidance where it can't act.

Source of the guidance: Ahn et al., Self-rectifying diffusion sampling with perturbed-attention guidance, 2024.
"""

from __future__ import annotations

from pipelines.image.families import Family
from pipelines.image.params import ImageParams
from pipelines.image.samplers import UNGUIDED, find
from studio.api import BadInput, Fix

STRENGTH = float(ImageParams.model_fields["denoising_strength"].default)
NARROWEST, SLIMMEST = 64, 8  # of pictures that are looked at, as FLUX.2's and Z-Image Omni's pipelines take them
NO_PAG = Fix.use("pag_scale", 0.0, "0")


def check_referred(params: ImageParams, family: Family) -> None:
    """Refuses what models that look at a picture can't do: they begin from noise, with the picture beside it. Raises BadInput."""
    if family.must_refer and not params.image:
        raise BadInput(f"{family.title} changes a picture by what you write.", hint="Give a picture, or choose another model.", field="image")
    if params.mode == "image" and params.denoising_strength != STRENGTH:
        fix = Fix.use("denoising_strength", STRENGTH, f"{STRENGTH:g}")
        hint = f"Leave the denoising strength at {STRENGTH:g}; say in the prompt what is to be kept."
        raise BadInput(f"{family.title} looks at the picture through all steps; it does not begin from it.", hint=hint, field="denoising_strength", fix=fix)
    shorter, longer = sorted((params.width, params.height))
    if params.mode == "image" and (shorter < NARROWEST or longer > SLIMMEST * shorter):
        fix = Fix({"width": family.size, "height": family.size}, f"Use {family.size} × {family.size}")
        told = f"{family.title} looks at pictures of at least {NARROWEST} pixels a side, and at most {SLIMMEST} times as long as wide."
        raise BadInput(told, hint="Choose another size.", field="width", fix=fix)
    if params.image and params.together and params.count > 1:
        raise BadInput(f"{family.title} changes pictures one by one.", hint="Switch off Draw together.", field="together", fix=Fix({"together": False}, "Switch it off"))


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
