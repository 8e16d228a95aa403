"""What the families of image models are and want: size, steps, sampler, guidance. Read from headers; no torch.

Sources: the model cards of Stable Diffusion 1.5, 2.1, XL, 3.5, FLUX.1 dev and schnell, SDXL Turbo, LCM.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipelines.image.checkpoint import read_json
from pipelines.image.lent import is_distilled, lent_of
from pipelines.image.others import AGAIN, ALL, OTHERS, PICTURE, Other, refusal
from pipelines.image.samplers import OWN, Kind
from studio.api import ModelEntry

Form = Literal["", "inpaint", "edit", "refer"]


@dataclass(frozen=True)
class Family:
    """`size` is the side that the model was made for, in pixels; `factor` is pixels per latent; `weights` says whether its encoder takes weighted words, chunks and prompts side by side, as CLIP does."""

    key: str
    title: str
    size: int
    steps: int
    cfg_scale: float
    sampler: str
    schedule: str = "Automatic"
    factor: int = 8
    kind: Kind = "noise"
    weights: bool = True
    negative: bool = True
    upscale: float = 1.0  # how much the finished picture is enlarged unless the user says otherwise
    modes: tuple[str, ...] = ALL
    guidance: str = "guidance_scale"  # what the pipeline calls the CFG scale
    loop: str = ""  # how the pipeline's words for the loop begin that steps are counted in
    patch: int = 0  # latents per token of a transformer; 0 is 2 for those that foretell a flow, else 1
    form: Form = ""  # networks that take a masked picture beside the noise, or a picture to be changed by an instruction
    must_refer: bool = False  # without a picture there is nothing to change
    pictures: int = 1  # how many it looks at together
    beyond: bool = False  # the pipeline counts guidance from a CFG scale of 1 on
    turbo: tuple[int, float] = (0, 0.0)  # steps and CFG scale of its distilled form, where they are not those of `FAST`
    pag: tuple[str, ...] = ()  # the modes in which its attention can be perturbed
    layers: int = 0  # into how many it takes a picture apart unless the user says otherwise; 0 is none that does
    weighs: bool = False  # whether words weigh and change at steps though its encoder reads one text
    seamless: bool = False  # whether its network is of convolutions, which can be made to go on at the other edge
    freeu: bool = False  # whether its network is a UNet whose stages FreeU can weigh
    activation: float = 1.0  # working bytes, in units of Stable Diffusion 1.5 at the same size
    pipeline: str = ""  # diffusers' class for a network of its own file, which a folder lends its other parts
    distilled: bool = False  # whether such a network is one of few steps

    def guidance_of(self, cfg_scale: float) -> float:
        """What the pipeline is told for a CFG scale."""
        return max(0.0, cfg_scale - 1.0) if self.beyond else cfg_scale

    @property
    def only_again(self) -> bool:
        """Whether it only enlarges what another model drew."""
        return self.modes == AGAIN

    @property
    def in_pixels(self) -> bool:
        return self.factor == 1


FAMILIES = {
    family.key: family
    for family in (
        Family("sd1", "Stable Diffusion 1", 512, 20, 7.0, "DPM++ 2M", pag=ALL, seamless=True, freeu=True),
        Family("sd2", "Stable Diffusion 2", 768, 20, 7.0, "DPM++ 2M", pag=ALL, seamless=True, freeu=True),
        Family("sdxl", "Stable Diffusion XL", 1024, 25, 6.0, "DPM++ 2M", activation=1.2, pag=ALL, seamless=True, freeu=True),
        Family("sdxl_refiner", "Stable Diffusion XL refiner", 1024, 25, 6.0, "DPM++ 2M", activation=1.2, seamless=True, freeu=True),
        Family("sd3", "Stable Diffusion 3", 1024, 28, 4.5, "Flow Euler", kind="flow", weights=False, weighs=True, activation=2.0, pag=PICTURE),
        Family("flux", "FLUX", 1024, 28, 3.5, "Flow Euler", kind="flow", weights=False, weighs=True, negative=False, activation=2.6),
        Family("tiny", "Stickers", 128, 20, 4.0, "DPM++ 2M", "SGM Uniform", upscale=4.0, pag=ALL, seamless=True, freeu=True),
        Family("other", "Other", 1024, 28, 4.5, "Flow Euler", kind="flow", weights=False, activation=2.6),
    )
}
CLASSES = {
    "StableDiffusionPipeline": "sd1", "StableDiffusionImg2ImgPipeline": "sd1", "StableDiffusionInpaintPipeline": "sd1", "LatentConsistencyModelPipeline": "sd1", "LatentConsistencyModelImg2ImgPipeline": "sd1",
    "StableDiffusionXLPipeline": "sdxl", "StableDiffusionXLImg2ImgPipeline": "sdxl", "StableDiffusionXLInpaintPipeline": "sdxl",
    "StableDiffusionInstructPix2PixPipeline": "sd1", "StableDiffusionXLInstructPix2PixPipeline": "sdxl", "StableDiffusion3Pipeline": "sd3", "StableDiffusion3Img2ImgPipeline": "sd3",
    "StableDiffusion3InpaintPipeline": "sd3", "FluxPipeline": "flux", "FluxImg2ImgPipeline": "flux", "FluxInpaintPipeline": "flux",
}  # fmt: skip
CLASSES |= {f"StableDiffusion{kind}PAG{mode}Pipeline": key for kind, key in (("", "sd1"), ("XL", "sdxl"), ("3", "sd3")) for mode in ("", "Img2Img", "Inpaint")}
FORMS: dict[int, Form] = {9: "inpaint", 8: "edit"}  # by the channels that go into the networks of Stable Diffusion 1, 2 and XL
FAST = (("lightning", 4, 1.0), ("turbo", 4, 1.0), ("lcm", 6, 1.5), ("hyper", 8, 1.0), ("schnell", 4, 1.0))


def family_of(entry: ModelEntry) -> Family:
    """The family with this model's own size, and the few steps of the distilled ones by their names."""
    if entry.format == "diffusers":
        family = _folder_family(entry.path, Path(entry.path, "model_index.json").stat().st_mtime_ns)
    elif lent := lent_of(entry):
        family = _advised(replace(FAMILIES["other"], sampler=OWN, factor=lent.factor, pipeline=lent.pipeline, distilled=is_distilled(entry)), OTHERS[lent.pipeline])
        family = _few_steps(family) if family.distilled else family
    else:
        family = FAMILIES.get(entry.architecture, FAMILIES["other"])
        form: Form = FORMS.get(entry.details.get("channels", 0), "")
        family = replace(family, form=form, factor=entry.details.get("factor", family.factor), pag=() if form == "edit" else family.pag)
    for word, steps, cfg_scale in FAST:
        if word in entry.key.lower():
            sampler = "LCM" if word == "lcm" and family.kind == "noise" else "Euler" if family.kind == "noise" else family.sampler
            schedule = "SGM Uniform" if sampler == "Euler" else "Automatic"
            steps, cfg_scale = family.turbo if family.turbo[0] else (steps, cfg_scale)
            return replace(family, steps=steps, cfg_scale=cfg_scale, sampler=sampler, schedule=schedule)
    return family


@lru_cache(maxsize=256)
def _folder_family(path: str, changed: int) -> Family:
    folder = Path(path)
    index = read_json(folder / "model_index.json")
    name = str(index.get("_class_name", ""))
    if name not in CLASSES:
        return _other_family(folder, name)
    family = FAMILIES[CLASSES[name]]
    network = read_json(folder / "unet" / "config.json") or read_json(folder / "transformer" / "config.json")
    decoder = read_json(folder / "vae" / "config.json")
    channels = decoder.get("block_out_channels") or decoder.get("encoder_block_out_channels") or ()
    factor = 2 ** (len(channels) - 1) if channels else family.factor
    side = network.get("sample_size")
    if family.key == "sd1" and network.get("cross_attention_dim") == 1024:
        family = FAMILIES["sd2"]
    if family.key == "sdxl" and not any(index.get("text_encoder") or ()):
        family = FAMILIES["sdxl_refiner"]
    size = int(side) * factor if isinstance(side, int) and side * factor >= 32 else family.size
    if size <= 256 and family.key in ("sd1", "sd2"):
        family = FAMILIES["tiny"]
    if family.key == "sdxl" and not (index.get("text_encoder") or [None])[0]:
        family = FAMILIES["sdxl_refiner"]
    form: Form = FORMS.get(network.get("in_channels", 0), "") if family.key in ("sd1", "sd2", "sdxl", "tiny") else ""
    return replace(family, factor=factor, size=size, form=form, pag=() if form == "edit" else family.pag)


def _other_family(folder: Path, name: str) -> Family:
    """One that diffusers knows beside the large ones: with its own scheduler, at the size that its configs tell."""
    scheduler, decoder = read_json(folder / "scheduler" / "scheduler_config.json"), read_json(folder / "vae" / "config.json") or read_json(folder / "movq" / "config.json")
    network = read_json(folder / "transformer" / "config.json") or read_json(folder / "unet" / "config.json")
    flow = "FlowMatch" in str(scheduler.get("_class_name", "")) or bool(scheduler.get("use_flow_sigmas")) or scheduler.get("prediction_type") == "flow_prediction"
    channels = decoder.get("block_out_channels") or decoder.get("encoder_block_out_channels") or decoder.get("dim_mult") or ()
    factor = 2 ** (len(channels) - 1) if channels else 8
    family = replace(FAMILIES["other"], kind="flow" if flow else "noise", sampler=OWN, factor=factor)
    if other := OTHERS.get(name):
        family = _advised(family, other)
        family = _few_steps(family) if read_json(folder / "model_index.json").get("is_distilled") else family
        factor = family.factor
    if family.patch:
        return family
    if name.startswith("Kandinsky") and not name.startswith("Kandinsky3"):
        return replace(family, patch=factor)  # its sides are counted in latents of latents
    side, patch = network.get("sample_size"), network.get("patch_size")
    if isinstance(side, int) and side * factor >= 32:
        family = replace(family, size=side * factor)
    return replace(family, patch=patch) if isinstance(patch, int) and not flow else family


def _advised(family: Family, other: Other) -> Family:
    """With what its makers advise."""
    family = replace(family, title=other.title, size=other.size, steps=other.steps, cfg_scale=other.cfg_scale, modes=other.modes, guidance=other.guidance, negative=other.negative)
    family = replace(family, loop=other.loop, factor=other.factor or family.factor, kind="own" if other.alone else family.kind, patch=other.patch)
    family = replace(family, form="refer" if other.refers else "", must_refer=other.refers == "must", pictures=other.pictures, beyond=other.beyond, turbo=other.turbo, pag=other.pag)
    return replace(family, freeu=other.freeu, layers=other.layers, seamless=other.seamless)


def _few_steps(family: Family) -> Family:
    """As the distilled form of it wants them."""
    return replace(family, steps=family.turbo[0], cfg_scale=family.turbo[1]) if family.turbo[0] else family


def folder_refusal(entry: ModelEntry) -> str:
    """Why a folder can't be drawn with; "" where it can."""
    return "" if entry.architecture in CLASSES else refusal(entry.architecture)


def latents_of(entry: ModelEntry, family: Family) -> int:
    """How many channels the model's latents have; 0 where that is not told."""
    if entry.format != "diffusers":
        return 16 if family.key in ("flux", "sd3") else 4
    config = read_json(Path(entry.path, "vae", "config.json"))
    return int(config.get("latent_channels") or (4 if config else 0))


PACKAGES = {"bitsandbytes": "bitsandbytes", "torchao": "torchao", "quanto": "optimum-quanto", "gguf": "gguf", "modelopt": "nvidia-modelopt"}
MODULES = {"optimum-quanto": "optimum.quanto", "nvidia-modelopt": "modelopt"}


def missing_package(folder: Path) -> str:
    """The package that a folder's quantised weights need and that is not installed; "" for none."""
    for path in sorted(folder.glob("*/config.json")):
        method = str((read_json(path).get("quantization_config") or {}).get("quant_method", ""))
        method = method.removesuffix("_4bit").removesuffix("_8bit")
        package = PACKAGES.get(method, method)
        if package and not _is_installed(MODULES.get(package, package)):
            return package
    return ""


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
