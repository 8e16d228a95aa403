"""docs/image-families.md, from the tables that the pipeline itself goes by. `python -m pipelines.image.handbook` writes it; a test says when it is stale, or when diffusers knows a family that it does not name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.image.families import CLASSES, FAMILIES, Family
from pipelines.image.lent import EDIT, EDIT_PLUS, LENT
from pipelines.image.others import FILMS, OTHERS, PRIORS, Other, refusal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "image-families.md"
MODES = {"text": "words", "image": "picture", "inpaint": "mask", "again": "second pass"}
LARGE = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")
APART = (
    *FILMS, *(half for half, _ in PRIORS.values()), "CogView4ControlPipeline", "FluxControlPipeline", "FluxControlNetPipeline", "QwenImageControlNetPipeline",
    "StableDiffusionControlNetPipeline", "StableDiffusionControlNetPAGPipeline", "StableDiffusionXLControlNetPipeline", "StableDiffusionXLControlNetPAGPipeline", "StableDiffusionXLControlNetUnionPipeline",
    "StableDiffusion3ControlNetPipeline", "ZImageControlNetPipeline", "ZImageControlNetInpaintPipeline",
)  # fmt: skip
BEGINNING = """# Families of image models

What a model's folder (`model_index.json`) or single file may be, and what can be done with it. *words*: drawn from a prompt. *picture*: begun from a picture, by the denoising strength.
*second pass*: it only enlarges what another model drew. *mask*: a painted part is made anew. *changes*: the picture is looked at through all steps and changed by what is written; there is no strength;
models that look at several pictures take the others under *More pictures* (`more_images`), and the prompt speaks of them in their order. *layers*: the picture is taken apart
into pictures with what can be seen through, as many as *Picture layers* says, each kept as a PNG of its own with its number from the lowest up (`layer` in its facts): laid over one another in that order they are
the picture again. The prompt says what the whole shows; where it is empty, the model describes the picture itself, which is told
word by word and kept with the layers as their prompt. Sizes, steps and CFG scale are what the makers advise, where a
folder's own configs do not say otherwise; distilled models (turbo, lightning, schnell, LCM, hyper, by their names or configs) begin with their few steps. Every family shows each step, stops between
steps and within them, and tells its memory from the headers of its files before anything is loaded.

**PAG** (perturbed-attention guidance, Ahn et al. 2024) steers away from what the network draws when it does not look at its own picture: clearer structure, also without a negative prompt, for half as
much time again. *PAG scale* under Advanced is hidden for families without it; it can be an axis of a grid and stands in the picture's text.

**FreeU** (Si et al. 2023) weighs what a UNet's first two rising stages draw themselves against what skips to them, for cleaner shapes at no cost in time: four scales under Advanced, where 1 is off.
It is for {freeu}, and hidden elsewhere. The formula is the one of diffusers and SD.Next. ComfyUI's node *FreeU* chooses its stages by their width, *FreeU_V2* and Forge go by each picture's
mean as well: they draw other pictures with the same scales.

**Seamless** lets what a convolution sees go on at the other edge, so that a picture can be laid beside itself. It is for {seamless}: networks that are UNets. *CLIP skip* and *Guidance rescale* are for
families whose encoders are CLIP alone. Elsewhere all three are hidden, and refused where they are asked for.

A CFG scale of 1 is no guidance in every family. Z-Image and Krea 2 count it otherwise in their own pipelines (0 is none there): what is written here is 1 more than on their model cards.

"""
WHOLE = """
Stable Diffusion 1, 2, XL and 3 and FLUX come as single files too (safetensors, GGUF), whole or as networks alone.

**Networks in a file of their own**, as they are mostly shared, can be chosen as models of these families as well: {lent}. The file may be safetensors (full or
half precision, 8-bit floats plain or scaled) or GGUF, whose matrices stay quantised in memory, in the layout of the release. Decoder, text encoder, scheduler and configs come from a folder of the same
model among the models, the one whose name is most alike; of that folder's `transformer` only `config.json` is needed. Where none fits, the refusal names a folder that does. FLUX.2 klein is told
from FLUX.2 by its tensors, and is taken for the distilled one unless its name says “base”;
Qwen-Image-Edit from Qwen-Image by “edit” in the file's name, and its later forms, which look at several pictures, by “plus”, “2509” or “2511”.

The pixels of each family are compared with bare diffusers on a tiny model of it
(`tests/test_image_families.py`, `test_other_families.py`, `test_more_families.py`, `test_lent.py`, `test_layers.py`, `test_perturbed.py`, `test_freeu.py`). DeepFloyd IF draws at 64 pixels and goes
over pictures of that size only. Its second stage, DeepFloyd IF II, is chosen as *Its model* under High resolution: it makes a picture of 64 pixels one of 256; *Its denoising strength* is how much noise the small
picture is given first (its makers advise 0.25).

## What is not drawn with

Folders that are listed and refused by name, with what to do instead.

| folder's class | why |
|---|---|
"""


@dataclass(frozen=True)
class Row:
    title: str
    classes: tuple[str, ...]
    modes: tuple[str, ...]
    refers: str
    pictures: int
    layers: int
    pag: tuple[str, ...]
    advice: str

    @property
    def text(self) -> str:
        begins = [] if self.refers == "must" else [name for mode, name in MODES.items() if mode in self.modes and not (self.refers and mode == "image")]
        changes = "layers" if self.layers else f"changes (up to {self.pictures} pictures)" if self.pictures > 1 else "changes"
        masks = ["mask"] if self.refers == "must" and "inpaint" in self.modes else []
        can = ", ".join([*begins, *([changes] if self.refers else []), *masks])
        perturbed = ", ".join(MODES[mode] for mode in self.pag) or "–"
        return f"| {self.title} | {', '.join(f'`{name}`' for name in self.classes)} | {can} | {perturbed} | {self.advice} |"


EDITS = Row("Instruct-pix2pix of Stable Diffusion 1 and XL", ("StableDiffusionInstructPix2PixPipeline", "StableDiffusionXLInstructPix2PixPipeline"), ("image",), "must", 1, 0, (), "as their family; Image CFG scale 1.5")


def rows() -> list[Row]:
    """Those that diffusers has, the oldest first."""
    groups: dict[Other, list[str]] = {}
    for name, other in OTHERS.items():
        if "PAG" not in name:
            groups.setdefault(other, []).append(name)
    return [_large(FAMILIES[key]) for key in LARGE] + [EDITS] + [_other(tuple(names), other) for other, names in groups.items()]


def _large(family: Family) -> Row:
    own = {"sd2": "sd1", "sdxl_refiner": "sdxl"}.get(family.key, family.key)
    classes = tuple(name for name, key in CLASSES.items() if key == own and "Img2Img" not in name and not any(word in name for word in ("Inpaint", "Pix2Pix", "PAG")))
    return Row(family.title, classes, ("image",) if family.key == "sdxl_refiner" else family.modes, "", 1, 0, family.pag, f"{family.size}, {family.steps} steps, {family.cfg_scale:g}")


def _other(names: tuple[str, ...], other: Other) -> Row:
    return Row(other.title, names, other.modes, other.refers, other.pictures, other.layers, other.pag, f"{other.size}, {other.steps} steps, {other.cfg_scale:g}")


def page() -> str:
    table = "| family | folder's class | can | PAG | size, steps, CFG scale |\n|---|---|---|---|---|\n"
    reasons: dict[str, list[str]] = {}
    for name in APART:
        reasons.setdefault(refusal(name), []).append(f"`{name}`")
    apart = "\n".join(f"| {', '.join(names)} | {why} |" for why, names in reasons.items())
    weighed = [family.title for family in FAMILIES.values() if family.freeu] + [other.title for name, other in OTHERS.items() if other.freeu and "PAG" not in name]
    joined = dict.fromkeys([family.title for family in FAMILIES.values() if family.seamless] + [other.title for other in OTHERS.values() if other.seamless])
    lent = dict.fromkeys(OTHERS[one.pipeline].title for one in (*LENT.values(), EDIT, EDIT_PLUS))
    beginning = BEGINNING.format(freeu=", ".join(weighed), seamless=", ".join(joined))
    return beginning + table + "\n".join(row.text for row in rows()) + "\n" + WHOLE.format(lent=", ".join(lent)) + apart + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
