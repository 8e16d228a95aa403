"""The further families that diffusers draws with from a folder, by the class that the folder's index names; and those that can't be drawn with, with the reason. No torch.

Sources: diffusers' AutoPipeline tables (which class can begin from a picture or fill a mask); the model cards' sizes, steps and guidance.
"""

from __future__ import annotations

from dataclasses import dataclass

TEXT, PICTURE, ALL = ("text",), ("text", "image"), ("text", "image", "inpaint")


@dataclass(frozen=True)
class Other:
    """What its makers advise. `guidance` is the name that the pipeline has for the CFG scale."""

    title: str
    size: int = 1024
    steps: int = 28
    cfg_scale: float = 4.5
    modes: tuple[str, ...] = TEXT
    guidance: str = "guidance_scale"
    negative: bool = True


OTHERS = {
    "PixArtAlphaPipeline": Other("PixArt-α", steps=20),
    "PixArtSigmaPipeline": Other("PixArt-Σ", steps=20),
    "PixArtSigmaPAGPipeline": Other("PixArt-Σ", steps=20),
    "SanaPipeline": Other("Sana", steps=20),
    "SanaPAGPipeline": Other("Sana", steps=20),
    "AuraFlowPipeline": Other("AuraFlow", steps=50, cfg_scale=3.5),
    "HunyuanDiTPipeline": Other("Hunyuan-DiT", steps=50, cfg_scale=5.0),
    "HunyuanDiTPAGPipeline": Other("Hunyuan-DiT", steps=50, cfg_scale=5.0),
    "Kandinsky3Pipeline": Other("Kandinsky 3", steps=25, cfg_scale=3.0, modes=PICTURE),
    "LuminaPipeline": Other("Lumina", steps=30, cfg_scale=4.0),
    "Lumina2Pipeline": Other("Lumina 2", steps=30, cfg_scale=4.0),
    "ChromaPipeline": Other("Chroma", steps=35, cfg_scale=5.0),
    "CogView3PlusPipeline": Other("CogView 3", steps=50, cfg_scale=5.0),
    "CogView4Pipeline": Other("CogView 4", steps=50, cfg_scale=5.0),
    "QwenImagePipeline": Other("Qwen-Image", size=1328, steps=50, cfg_scale=4.0, modes=ALL, guidance="true_cfg_scale"),
    "QwenImage21Pipeline": Other("Qwen-Image 2.1", steps=50, cfg_scale=4.0, guidance="true_cfg_scale"),
    "ZImagePipeline": Other("Z-Image", steps=9, cfg_scale=1.0, modes=ALL),
    "Flux2Pipeline": Other("FLUX.2", steps=50, cfg_scale=4.0, modes=PICTURE, negative=False),
    "Flux2KleinPipeline": Other("FLUX.2 klein", steps=50, cfg_scale=4.0, modes=PICTURE, negative=False),
    "FluxKontextPipeline": Other("FLUX Kontext", cfg_scale=3.5, modes=PICTURE, negative=False),
    "OvisImagePipeline": Other("Ovis-Image", steps=50, cfg_scale=5.0),
    "PRXPipeline": Other("PRX", size=512, cfg_scale=4.0),
    "Krea2Pipeline": Other("Krea 2"),
    "NucleusMoEImagePipeline": Other("Nucleus-Image", steps=50, cfg_scale=4.0),
    "GlmImagePipeline": Other("GLM-Image", steps=50, cfg_scale=1.5, negative=False),
    "Ideogram4Pipeline": Other("Ideogram 4", negative=False),
    "StableDiffusionPAGPipeline": Other("Stable Diffusion 1 with PAG", size=512, steps=20, cfg_scale=7.0, modes=ALL),
    "StableDiffusionXLPAGPipeline": Other("Stable Diffusion XL with PAG", steps=25, cfg_scale=6.0, modes=ALL),
    "StableDiffusion3PAGPipeline": Other("Stable Diffusion 3 with PAG", modes=PICTURE),
}
HALVES = (
    "KandinskyPipeline", "KandinskyV22Pipeline", "KandinskyPriorPipeline", "KandinskyV22PriorPipeline", "StableCascadeDecoderPipeline", "StableCascadePriorPipeline", "WuerstchenDecoderPipeline",
    "WuerstchenPriorPipeline",
)  # fmt: skip
COMBINED = (
    "KandinskyCombinedPipeline", "KandinskyV22CombinedPipeline", "WuerstchenCombinedPipeline", "StableCascadeCombinedPipeline", "IFPipeline", "HeliosPipeline", "HeliosPyramidPipeline",
)  # fmt: skip


def refusal(name: str) -> str:
    """Why a folder of that class can't be drawn with; "" where it can."""
    if name in HALVES:
        return "It is one half of a model that draws in two stages, which is not done here."
    if name in COMBINED:
        return "It draws in several stages, which is not done here."
    if "ControlNet" in name or "Control" in name:
        return "It needs a picture that guides it with each drawing. Use its base model, and the ControlNet beside it."
    return "" if name in OTHERS else f"Folders of the kind {name or 'that is not named'} are not drawn with here."
