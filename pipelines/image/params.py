"""What image.generate asks for: one page for all its modes. 0 (or -1) leaves a value to the model; the settled job holds the real ones."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator

from pipelines.image.samplers import AUTOMATIC, NAMES, SCHEDULES
from pipelines.image.unions import ControlKind
from pipelines.image.upscalers import CHOICES as UPSCALERS
from studio.api import Params, ui

MOST_PIXELS = 4096 * 4096
SEEDS = 2**32  # how many there are: the first follows the last
Resize = Literal["Stretch", "Crop", "Fit"]
UPSCALER_TOLD = "What enlarges: a network that draws sharp edges, plain resizing, or whole pixels, for pixel art. Automatic takes the quickest network for the size."
Fill = Literal["Original", "Blurred", "Noise", "Empty"]
Conventions = Literal["diffusers", "AUTOMATIC1111"]
NoiseSource = Literal["CPU", "NV"]
Emphasis = Literal["Original", "No norm", "Ignore", "None"]
Precision = Literal["Automatic", "Full", "Half"]
MOST_PICTURES = 10  # that any model looks at together
Process = Literal["None", "Canny", "Soft edges", "Scribble", "Lines", "Depth", "Normal", "Pose", "Blur", "Invert", "Luminance"]
CONTROLS = ("control", "control2", "control3")
EXTENDS = ("extend_left", "extend_right", "extend_top", "extend_bottom")
MOST_ADDED = 2048  # pixels on one side
FREEU = ("freeu_b1", "freeu_b2", "freeu_s1", "freeu_s2")
PER_PICTURE = {"prompt": "prompts", "negative_prompt": "negative_prompts", "hires_prompt": "hires_prompts", "hires_negative_prompt": "hires_negative_prompts"}  # words, and the field that holds each picture's own
PICTURE = r"^([0-9a-f]{64}\.(png|jpg|webp|gif))?$"


def _control(number: int, part: str, value: Any, description: str, *, widget: Any = "auto", model_kind: str = "", step: float = 0, **bounds: Any) -> Any:
    """A field of one of the control units."""
    return Field(value, title=f"Control {number} {part}", description=description, json_schema_extra=ui(group="Control", widget=widget, model_kind=model_kind, step=step, advanced=True), **bounds)


def _freeu(number: int, part: str, description: str) -> Any:
    """One of the four scales of FreeU."""
    return Field(1.0, ge=0.01, le=4.0, title=f"FreeU {part}{number}", description=description, json_schema_extra=ui(group="FreeU", step=0.01, advanced=True))


def _control_model(number: int) -> Any:
    return _control(number, "model", "", "A ControlNet or T2I-Adapter that lets a picture guide the drawing; empty is off.", widget="model", model_kind="controlnet")


def _control_image(number: int) -> Any:
    return _control(number, "picture", "", "What guides the drawing; empty takes the picture to begin from.", widget="picture", pattern=PICTURE)


def _control_process(number: int) -> Any:
    return _control(number, "preparation", "None", "What is made of the picture first: its edges, lines, depth or poses, its opposite, or its lightness.")


def _control_detail(number: int) -> Any:
    return _control(number, "detail", 0.5, "How much of the faint and the small the preparation keeps; 0.5 is usual.", step=0.05, ge=0.0, le=1.0)


def _control_kind(number: int) -> Any:
    return _control(number, "kind", "Automatic", "What the picture shows, for control networks that take several kinds; automatic goes by the preparation.")


def _control_weight(number: int) -> Any:
    return _control(number, "weight", 1.0, "How strongly it guides.", step=0.05, ge=0.0, le=2.0)


def _control_start(number: int) -> Any:
    return _control(number, "start", 0.0, "From which share of the steps it guides.", step=0.05, ge=0.0, le=1.0)


def _control_end(number: int) -> Any:
    return _control(number, "end", 1.0, "Up to which share of the steps it guides.", step=0.05, ge=0.0, le=1.0)


SEEING = {
    "depth_model": ("depth", "Depth model", "Tells how far things are, for Depth and Normal; empty takes the first there is."),
    "pose_model": ("pose", "Pose model", "Finds the joints of persons, for Pose; empty takes the first there is."),
    "person_model": ("detector", "Person detector", "Finds the persons for Pose; empty takes the first there is, without one the whole picture is one person."),
}


def model_field(name: str) -> Any:
    """A network that looks at pictures, for their preparation."""
    kind, title, description = SEEING[name]
    return Field("", title=title, description=description, json_schema_extra=ui(group="Control", widget="model", model_kind=kind, advanced=True))


def never_smaller(value: float) -> float:
    """Of a scale. Raises ValueError."""
    if 0 < value < 1:
        raise ValueError("It must be 0, or from 1 to 4")
    return value


class ImageParams(Params):
    """Pictures from a prompt, from a picture, or in a masked part of one."""

    prompt: str = Field("", max_length=200_000, title="Prompt", description="What the picture shows.", json_schema_extra=ui(widget="textarea", lines=3))
    negative_prompt: str = Field("", max_length=200_000, title="Negative prompt", description="What it should not show.", json_schema_extra=ui(widget="textarea", lines=2, advanced=True))
    prompts: list[str] = Field([], max_length=400, title="A prompt for each picture", description="Where the pictures have different ones, as choices and wildcards make them; empty: all have the prompt.", json_schema_extra=ui(widget="hidden"))
    negative_prompts: list[str] = Field([], max_length=400, title="A negative prompt for each picture", description="Where the pictures have different ones; empty: all have the negative prompt.", json_schema_extra=ui(widget="hidden"))
    model: str = Field("", title="Model", description="The image model; empty takes the first of yours, else the one that comes with the studio.", json_schema_extra=ui(widget="model", model_kind="image"))
    width: int = Field(0, ge=0, le=8192, title="Width", description="In pixels; 0 is what the model was made for.", json_schema_extra=ui(group="Size", widget="number"))
    height: int = Field(0, ge=0, le=8192, title="Height", description="In pixels; 0 is what the model was made for.", json_schema_extra=ui(group="Size", widget="number"))
    count: int = Field(1, ge=1, le=100, title="Pictures", description="How many; each has the next seed.", json_schema_extra=ui(group="Size"))
    steps: int = Field(0, ge=0, le=150, title="Steps", description="More is finer and slower; 0 is what the model's makers advise.", json_schema_extra=ui(group="Sampling"))
    cfg_scale: float = Field(-1.0, ge=-1.0, le=30.0, title="CFG scale", description="How strictly the prompt is followed; 1 ignores the negative prompt, -1 is what the model's makers advise.", json_schema_extra=ui(group="Sampling", step=0.1))
    sampler: str = Field(AUTOMATIC, max_length=60, title="Sampler", description="How noise becomes a picture.", json_schema_extra=ui(group="Sampling", advanced=True, choices=(AUTOMATIC, *NAMES)))
    schedule: str = Field(AUTOMATIC, max_length=60, title="Schedule", description="How the noise is spread over the steps.", json_schema_extra=ui(group="Sampling", advanced=True, choices=(AUTOMATIC, *SCHEDULES)))
    seed: int = Field(-1, ge=-1, le=2**32 - 1, title="Seed", description="The same seed gives the same picture; -1 is random.", json_schema_extra=ui(group="Sampling", widget="number"))
    variation_strength: float = Field(0.0, ge=0.0, le=1.0, title="Variation", description="How far the picture moves from its seed towards the variation seed.", json_schema_extra=ui(group="Variation", advanced=True))
    variation_seed: int = Field(0, ge=0, le=2**32 - 1, title="Variation seed", description="Where it moves to.", json_schema_extra=ui(group="Variation", widget="number", advanced=True))
    seed_width: int = Field(0, ge=0, le=8192, title="Seed from width", description="Keeps the composition that the seed has at this size; 0 is off.", json_schema_extra=ui(group="Variation", widget="number", advanced=True))
    seed_height: int = Field(0, ge=0, le=8192, title="Seed from height", description="Keeps the composition that the seed has at this size; 0 is off.", json_schema_extra=ui(group="Variation", widget="number", advanced=True))
    clip_skip: int = Field(1, ge=1, le=12, title="CLIP skip", description="Which of the text encoder's last layers is read; 1 is the last.", json_schema_extra=ui(group="Sampling", advanced=True))
    guidance_rescale: float = Field(0.0, ge=0.0, le=1.0, title="Guidance rescale", description="Against burnt colours at a high CFG scale.", json_schema_extra=ui(group="Sampling", advanced=True))
    pag_scale: float = Field(0.0, ge=0.0, le=20.0, title="PAG scale", description="Perturbed-attention guidance, for clearer structure: 0 is off, 3 is usual. A step takes half as long again.", json_schema_extra=ui(group="Sampling", step=0.1, advanced=True))
    conventions: Conventions = Field("diffusers", title="Conventions", description="Whose rules hold where programs differ: noise levels, timesteps and counts of steps. AUTOMATIC1111's give its pictures again.", json_schema_extra=ui(group="Exactness", advanced=True))
    noise_source: NoiseSource = Field("CPU", title="Noise source", description="Whose random numbers: those of the CPU, or those that an NVIDIA GPU draws from the same seed.", json_schema_extra=ui(group="Exactness", advanced=True))
    eta_seed_delta: int = Field(0, ge=0, le=2**31 - 1, title="Eta noise seed delta", description="ENSD: added to the seed for the noise of the steps; for samplers that add noise.", json_schema_extra=ui(group="Exactness", widget="number", advanced=True))
    discard_next_to_last_sigma: bool = Field(False, title="Discard the next-to-last sigma", description="The last step goes from one noise level earlier to none.", json_schema_extra=ui(group="Exactness", advanced=True))
    emphasis: Emphasis = Field("Original", title="Emphasis", description="What weights do: scale the words and keep the mean, scale them only, nothing, or brackets are letters.", json_schema_extra=ui(group="Exactness", advanced=True))
    tiling: bool = Field(False, title="Seamless", description="The picture's edges fit together, as a texture's.", json_schema_extra=ui(group="Size", advanced=True))
    together: bool = Field(False, title="Draw together", description="All pictures in one batch: quicker on a GPU, and not the same to the last bit as one by one.", json_schema_extra=ui(group="Size", advanced=True))

    image: str = Field("", pattern=PICTURE, title="Picture", description="The picture to begin from.", json_schema_extra=ui(group="Picture", widget="hidden"))
    more_images: list[Annotated[str, Field(pattern=PICTURE)]] = Field([], max_length=MOST_PICTURES - 1, title="More pictures", description="For models that look at several: speak of them in the prompt in their order, the picture above is the first.", json_schema_extra=ui(group="Picture", widget="hidden"))
    layers: int = Field(0, ge=0, le=10, title="Picture layers", description="Into how many the picture is taken apart, each with what can be seen through, the lowest first; 0 is what the model's makers advise.", json_schema_extra=ui(group="Picture"))
    denoising_strength: float = Field(0.75, ge=0.0, le=1.0, title="Denoising strength", description="How much of the picture is made anew: 0 keeps it, 1 begins from noise.", json_schema_extra=ui(group="Picture"))
    image_cfg_scale: float = Field(0.0, ge=0.0, le=30.0, title="Image CFG scale", description="How strictly the given picture is kept by models that change it by an instruction (instruct-pix2pix); 0 is what their makers advise.", json_schema_extra=ui(group="Picture", step=0.1, advanced=True))
    resize: Resize = Field("Crop", title="Resize", description="How the picture is brought to the size: stretched, cropped, or fitted with its edges filled.", json_schema_extra=ui(group="Picture", advanced=True))
    mask: str = Field("", pattern=PICTURE, title="Mask", description="White is made anew, black is kept.", json_schema_extra=ui(group="Mask", widget="hidden"))
    invert_mask: bool = Field(False, title="Invert the mask", description="Black is made anew instead.", json_schema_extra=ui(group="Mask", advanced=True))
    mask_blur: int = Field(4, ge=0, le=64, title="Mask blur", description="Softens the mask's edge by this many pixels.", json_schema_extra=ui(group="Mask", advanced=True))
    fill: Fill = Field("Original", title="Begin from", description="What stands under the mask at the beginning.", json_schema_extra=ui(group="Mask", advanced=True))
    only_masked: bool = Field(False, title="Only the masked part", description="Draws the masked part at full size and sets it back in.", json_schema_extra=ui(group="Mask", advanced=True))
    padding: int = Field(32, ge=0, le=512, title="Padding", description="Pixels of surroundings that are seen with the masked part.", json_schema_extra=ui(group="Mask", advanced=True))
    extend_left: int = Field(0, ge=0, le=MOST_ADDED, title="Extend left", description="Pixels to add, at the size it is drawn in: before it is enlarged.", json_schema_extra=ui(group="Extend", widget="number", advanced=True))
    extend_right: int = Field(0, ge=0, le=MOST_ADDED, title="Extend right", description="Pixels to add, at the size it is drawn in: before it is enlarged.", json_schema_extra=ui(group="Extend", widget="number", advanced=True))
    extend_top: int = Field(0, ge=0, le=MOST_ADDED, title="Extend up", description="Pixels to add, at the size it is drawn in: before it is enlarged.", json_schema_extra=ui(group="Extend", widget="number", advanced=True))
    extend_bottom: int = Field(0, ge=0, le=MOST_ADDED, title="Extend down", description="Pixels to add, at the size it is drawn in: before it is enlarged.", json_schema_extra=ui(group="Extend", widget="number", advanced=True))

    hires_scale: float = Field(1.0, ge=1.0, le=4.0, title="High resolution", description="Draws the finished picture again, this much larger; 1 is off.", json_schema_extra=ui(group="High resolution", step=0.25))
    hires_steps: int = Field(0, ge=0, le=150, title="Its steps", description="0 takes those of the first pass.", json_schema_extra=ui(group="High resolution", advanced=True))
    hires_strength: float = Field(0.5, ge=0.0, le=1.0, title="Its denoising strength", description="How much the larger picture may differ.", json_schema_extra=ui(group="High resolution", advanced=True))
    hires_width: int = Field(0, ge=0, le=8192, title="Its width", description="In pixels, instead of the factor; given with a height of other proportions, what is too much is cut off evenly. 0 is by the factor.", json_schema_extra=ui(group="High resolution", widget="number", advanced=True))
    hires_height: int = Field(0, ge=0, le=8192, title="Its height", description="In pixels, instead of the factor; 0 is by the factor, or in proportion to its width.", json_schema_extra=ui(group="High resolution", widget="number", advanced=True))
    hires_prompt: str = Field("", max_length=200_000, title="Its prompt", description="What the larger picture shows; empty takes the prompt.", json_schema_extra=ui(group="High resolution", widget="textarea", lines=2, advanced=True))
    hires_negative_prompt: str = Field("", max_length=200_000, title="Its negative prompt", description="What the larger picture should not show; empty takes the negative prompt.", json_schema_extra=ui(group="High resolution", widget="textarea", lines=2, advanced=True))
    hires_prompts: list[str] = Field([], max_length=400, title="Its prompt for each picture", description="Where the pictures have different ones; empty: all have its prompt.", json_schema_extra=ui(widget="hidden"))
    hires_negative_prompts: list[str] = Field([], max_length=400, title="Its negative prompt for each picture", description="Where the pictures have different ones; empty: all have its negative prompt.", json_schema_extra=ui(widget="hidden"))
    hires_sampler: str = Field(AUTOMATIC, max_length=60, title="Its sampler", description="Automatic is that of the first pass.", json_schema_extra=ui(group="High resolution", advanced=True, choices=(AUTOMATIC, *NAMES)))
    hires_schedule: str = Field(AUTOMATIC, max_length=60, title="Its schedule", description="Automatic is that of the first pass where its sampler knows it.", json_schema_extra=ui(group="High resolution", advanced=True, choices=(AUTOMATIC, *SCHEDULES)))
    hires_model: str = Field("", title="Its model", description="Another model, of any family that draws from pictures, draws the larger picture; empty is the same.", json_schema_extra=ui(group="High resolution", widget="model", model_kind="image", advanced=True))
    upscale: float = Field(0.0, ge=0.0, le=4.0, title="Enlarge", description="The finished picture this much larger, without drawing it again; 1 is off, 0 is what suits the model.", json_schema_extra=ui(group="High resolution", step=0.5))
    upscaler: str = Field(UPSCALERS[0], max_length=200, title="Upscaler", description=UPSCALER_TOLD, json_schema_extra=ui(group="High resolution", widget="model", model_kind="upscaler", choices=UPSCALERS, advanced=True))
    precision: Precision = Field("Automatic", title="Precision", description="Of the numbers it is computed with: automatic is full on a processor and half on a GPU. The other one changes the picture a little.", json_schema_extra=ui(group="Model", advanced=True))
    step_cache: float = Field(0.0, ge=0.0, le=1.0, title="Step caching", description="Leaves out most of a step where less than this share changes: 0 is off, more is quicker and coarser. For FLUX and its kin.", json_schema_extra=ui(group="Sampling", step=0.01, advanced=True))
    vae: str = Field("", title="VAE", description="Another decoder than the model's own.", json_schema_extra=ui(group="Model", widget="model", model_kind="vae", advanced=True))

    freeu_b1: float = _freeu(1, "b", "Strengthens what the network's first rising stage draws itself, for cleaner shapes; 1 is off. Usual for b1, b2, s1, s2: 1.5, 1.6, 0.9, 0.2 with Stable Diffusion 1; 1.4, 1.6, 0.9, 0.2 with 2; 1.3, 1.4, 0.9, 0.2 with XL.")
    freeu_b2: float = _freeu(2, "b", "The same for its second stage; 1 is off.")
    freeu_s1: float = _freeu(1, "s", "Weakens the coarse part of what skips to the first rising stage, against too smooth surfaces; 1 is off.")
    freeu_s2: float = _freeu(2, "s", "The same for its second stage; 1 is off.")

    refiner: str = Field("", title="Second model", description="Another model that draws the last steps: a refiner, or a checkpoint of the same family; empty is off.", json_schema_extra=ui(group="Model", widget="model", model_kind="image", advanced=True))
    refiner_switch: float = Field(0.8, ge=0.0, le=1.0, title="Switch at", description="After which share of the steps the second model goes on.", json_schema_extra=ui(group="Model", step=0.05, advanced=True))

    control_model: str = _control_model(1)
    control_image: str = _control_image(1)
    control_process: Process = _control_process(1)
    control_detail: float = _control_detail(1)
    control_kind: ControlKind = _control_kind(1)
    control_weight: float = _control_weight(1)
    control_start: float = _control_start(1)
    control_end: float = _control_end(1)
    control2_model: str = _control_model(2)
    control2_image: str = _control_image(2)
    control2_process: Process = _control_process(2)
    control2_detail: float = _control_detail(2)
    control2_kind: ControlKind = _control_kind(2)
    control2_weight: float = _control_weight(2)
    control2_start: float = _control_start(2)
    control2_end: float = _control_end(2)
    control3_model: str = _control_model(3)
    control3_image: str = _control_image(3)
    control3_process: Process = _control_process(3)
    control3_detail: float = _control_detail(3)
    control3_kind: ControlKind = _control_kind(3)
    control3_weight: float = _control_weight(3)
    control3_start: float = _control_start(3)
    control3_end: float = _control_end(3)
    depth_model: str = model_field("depth_model")
    pose_model: str = model_field("pose_model")
    person_model: str = model_field("person_model")
    reference_model: str = Field("", title="Reference model", description="An IP-Adapter that lets the picture follow another one's content and style; empty is off.", json_schema_extra=ui(group="Reference picture", widget="model", model_kind="ip_adapter", advanced=True))
    reference_image: str = Field("", pattern=PICTURE, title="Reference picture", description="The picture to follow.", json_schema_extra=ui(group="Reference picture", widget="picture"))
    reference_weight: float = Field(0.6, ge=0.0, le=2.0, title="Reference weight", description="How closely it is followed.", json_schema_extra=ui(group="Reference picture", step=0.05, advanced=True))

    _enlarges = field_validator("upscale")(never_smaller)

    @field_validator("prompt", "negative_prompt", "hires_prompt", "hires_negative_prompt")
    @classmethod
    def _printable(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("It holds a character that is no letter")
        return value

    @field_validator("prompts", "negative_prompts", "hires_prompts", "hires_negative_prompts")
    @classmethod
    def _all_printable(cls, values: list[str]) -> list[str]:
        return [cls._printable(value) for value in values]

    def of_picture(self, number: int) -> Self:
        """The same with the words of picture `number`, counted from 0, as its prompts; pictures that vary one seed move each towards the next variation seed."""
        own: dict[str, Any] = {field: each[number] for field, name in PER_PICTURE.items() if (each := getattr(self, name))}
        own |= {"variation_seed": (self.variation_seed + number) % SEEDS} if self.variation_strength else {}
        return self.model_copy(update=own | dict.fromkeys(PER_PICTURE.values(), []))

    @property
    def freeu(self) -> dict[str, float]:
        """The four scales by FreeU's own names; {} where it is off."""
        return {name.removeprefix("freeu_"): getattr(self, name) for name in FREEU} if any(getattr(self, name) != 1 for name in FREEU) else {}

    @property
    def mode(self) -> Literal["text", "image", "inpaint"]:
        if self.image and (self.mask or any(getattr(self, name) for name in EXTENDS)):
            return "inpaint"
        return "image" if self.image else "text"
