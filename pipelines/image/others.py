"""The further families that diffusers draws with from a folder, by the class that the folder's index names; and those that can't be drawn with, with the reason. No torch.

Sources: diffusers' AutoPipeline tables (which class can begin from a picture or fill a mask); the model cards' sizes, steps and guidance.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

from studio.api import Catalog, ModelEntry, ModelMissing

AGAIN = ("again",)  # it only enlarges what another model drew: as the model of the second pass
TEXT, PICTURE, ALL = ("text",), ("text", "image"), ("text", "image", "inpaint")
Refers = Literal["", "may", "must"]


@dataclass(frozen=True)
class Other:
    """What its makers advise. `guidance` is the name that the pipeline has for the CFG scale.

    `loop` is how its words for the loop begin that steps are counted in, where it has two; `alone` says that only its own scheduler goes with it.
    `factor` and `patch` are pixels per latent and latents between sizes that come out as asked, where its configs tell neither. `refers` says whether a picture
    is not begun from but looked at, to be changed by what is written: it may be given, or must be. `beyond` says that the pipeline counts guidance from the
    prompt's own answer on: from a CFG scale of 1. `pictures` is how many it looks at together, as its makers advise (Z-Image Omni: as its pipeline's call is
    declared). `turbo` are steps and CFG scale of its distilled form, `pag` the modes in which diffusers perturbs its attention; `freeu` says that its network is a UNet with stages that
    FreeU can weigh; `layers` into how many it takes a picture apart; `seamless` that its network is of convolutions.
    """

    title: str
    size: int = 1024
    steps: int = 28
    cfg_scale: float = 4.5
    modes: tuple[str, ...] = TEXT
    guidance: str = "guidance_scale"
    negative: bool = True
    loop: str = ""
    alone: bool = False
    factor: int = 0
    patch: int = 0
    refers: Refers = ""
    pictures: int = 1
    beyond: bool = False
    turbo: tuple[int, float] = (0, 0.0)
    pag: tuple[str, ...] = ()
    freeu: bool = False
    layers: int = 0
    seamless: bool = False


EDIT = Other("Qwen-Image-Edit", steps=50, cfg_scale=4.0, modes=("image", "inpaint"), guidance="true_cfg_scale", refers="must")
CASCADE = Other("Stable Cascade", steps=20, cfg_scale=4.0, guidance="prior_guidance_scale", loop="prior_", alone=True, factor=4, patch=32)
WUERSTCHEN = replace(CASCADE, title="Würstchen", steps=60)
OTHERS = {
    "PixArtAlphaPipeline": Other("PixArt-α", steps=20),
    "PixArtSigmaPipeline": Other("PixArt-Σ", steps=20, pag=TEXT),
    "SanaPipeline": Other("Sana", steps=20, pag=TEXT),
    "KolorsPipeline": Other("Kolors", steps=50, cfg_scale=5.0, modes=PICTURE, pag=TEXT, freeu=True, seamless=True),
    "AuraFlowPipeline": Other("AuraFlow", steps=50, cfg_scale=3.5),
    "HunyuanDiTPipeline": Other("Hunyuan-DiT", steps=50, cfg_scale=5.0, pag=TEXT),
    "KandinskyPipeline": Other("Kandinsky 2.1", size=512, steps=50, cfg_scale=4.0, modes=PICTURE, seamless=True),
    "KandinskyCombinedPipeline": Other("Kandinsky 2.1", size=512, steps=50, cfg_scale=4.0, modes=PICTURE, seamless=True),
    "KandinskyV22Pipeline": Other("Kandinsky 2.2", size=512, steps=50, cfg_scale=4.0, modes=PICTURE, seamless=True),
    "KandinskyV22CombinedPipeline": Other("Kandinsky 2.2", size=512, steps=50, cfg_scale=4.0, modes=PICTURE, seamless=True),
    "Kandinsky3Pipeline": Other("Kandinsky 3", steps=25, cfg_scale=3.0, modes=PICTURE, seamless=True),
    "StableCascadeDecoderPipeline": CASCADE,
    "StableCascadeCombinedPipeline": CASCADE,
    "WuerstchenDecoderPipeline": WUERSTCHEN,
    "WuerstchenCombinedPipeline": WUERSTCHEN,
    "IFPipeline": Other("DeepFloyd IF", size=64, steps=100, cfg_scale=7.0, modes=ALL, alone=True, factor=1, seamless=True),
    "IFSuperResolutionPipeline": Other("DeepFloyd IF II", size=256, steps=50, cfg_scale=4.0, modes=AGAIN, alone=True, factor=1, seamless=True),
    "LuminaPipeline": Other("Lumina", steps=30, cfg_scale=4.0),
    "Lumina2Pipeline": Other("Lumina 2", steps=30, cfg_scale=4.0),
    "ChromaPipeline": Other("Chroma", steps=35, cfg_scale=5.0),
    "CogView3PlusPipeline": Other("CogView 3", steps=50, cfg_scale=5.0),
    "CogView4Pipeline": Other("CogView 4", steps=50, cfg_scale=5.0),
    "QwenImagePipeline": Other("Qwen-Image", size=1328, steps=50, cfg_scale=4.0, modes=ALL, guidance="true_cfg_scale"),
    "QwenImage21Pipeline": Other("Qwen-Image 2.1", steps=40, cfg_scale=4.0, modes=PICTURE, guidance="true_cfg_scale", refers="may", pictures=3),
    "QwenImageEditPipeline": EDIT,
    "QwenImageEditPlusPipeline": replace(EDIT, title="Qwen-Image-Edit Plus", steps=40, modes=("image",), pictures=3),
    "QwenImageLayeredPipeline": replace(EDIT, title="Qwen-Image-Layered", size=640, modes=("image",), layers=4),
    "ZImagePipeline": Other("Z-Image", steps=50, cfg_scale=5.0, modes=ALL, beyond=True, turbo=(9, 1.0)),
    "ZImageOmniPipeline": Other("Z-Image Omni", steps=50, cfg_scale=5.0, modes=PICTURE, refers="may", pictures=2, beyond=True, turbo=(9, 1.0)),
    "Flux2Pipeline": Other("FLUX.2", steps=50, cfg_scale=4.0, modes=PICTURE, negative=False, refers="may", pictures=6),
    "Flux2KleinPipeline": Other("FLUX.2 klein", steps=50, cfg_scale=4.0, modes=PICTURE, negative=False, refers="may", pictures=4, turbo=(4, 1.0)),
    "FluxKontextPipeline": Other("FLUX Kontext", cfg_scale=3.5, modes=PICTURE, negative=False, refers="may"),
    "OvisImagePipeline": Other("Ovis-Image", steps=50, cfg_scale=5.0),
    "PRXPipeline": Other("PRX", size=512, cfg_scale=4.0),
    "Krea2Pipeline": Other("Krea 2", cfg_scale=5.5, beyond=True, turbo=(8, 1.0)),
    "NucleusMoEImagePipeline": Other("Nucleus-Image", steps=50, cfg_scale=4.0),
    "GlmImagePipeline": Other("GLM-Image", steps=50, cfg_scale=1.5, negative=False, patch=4),  # words only: diffusers 0.42 hands what its encoder sees to transformers 5 in a form that it does not take
    "Ideogram4Pipeline": Other("Ideogram 4", size=2048, steps=48, cfg_scale=7.0, negative=False),
}
OTHERS |= {name.replace("Pipeline", "PAGPipeline"): other for name, other in OTHERS.items() if other.pag}  # as a folder's index may name them: the same models
PRIORS = {
    "KandinskyPipeline": ("KandinskyPriorPipeline", "KandinskyCombinedPipeline"),
    "KandinskyV22Pipeline": ("KandinskyV22PriorPipeline", "KandinskyV22CombinedPipeline"),
    "StableCascadeDecoderPipeline": ("StableCascadePriorPipeline", "StableCascadeCombinedPipeline"),
    "WuerstchenDecoderPipeline": ("WuerstchenPriorPipeline", "WuerstchenCombinedPipeline"),
}  # of a folder that draws: the other half of it, and both together
PUBLISHED = {"KandinskyPipeline": "kandinsky-2-1-prior", "KandinskyV22Pipeline": "kandinsky-2-2-prior", "StableCascadeDecoderPipeline": "stable-cascade-prior", "WuerstchenDecoderPipeline": "wuerstchen-prior"}
FILMS = ("HeliosPipeline", "HeliosPyramidPipeline")


def prior_of(entry: ModelEntry, catalog: Catalog) -> ModelEntry | None:
    """The folder with the other half of a model that comes in two: of several the one whose key is most alike; None where it needs none. Raises ModelMissing."""
    if entry.format != "diffusers" or entry.architecture not in PRIORS:
        return None
    found = [other for other in catalog.entries("image") if other.architecture == PRIORS[entry.architecture][0] and not other.problem]
    if not found:
        hint = f"Put the folder of its prior ({PUBLISHED[entry.architecture]}) into the models too."
        raise ModelMissing(f"“{entry.title}” is the half of a model that draws; the half that reads the prompt is missing.", hint=hint, field="model")
    return max(found, key=lambda other: difflib.SequenceMatcher(None, entry.key, other.key).ratio())


def refusal(name: str) -> str:
    """Why a folder of that class can't be drawn with; "" where it can."""
    if name in (half for half, _ in PRIORS.values()):
        return "It is the half of a model that turns words into what is to be seen. Choose the other half, which draws: this one is used with it."
    if name in FILMS:
        return "It makes films, not pictures."
    if name.startswith("IF") and "SuperResolution" in name and name not in OTHERS:
        return "It goes over pictures and masks at once. Choose the first stage of DeepFloyd IF, and IFSuperResolutionPipeline for its second pass."
    if "ControlNet" in name or "Control" in name:
        return "It needs a picture that guides it with each drawing. Use its base model, and the ControlNet beside it."
    return "" if name in OTHERS else f"Folders of the kind {name or 'that is not named'} are not drawn with here."
