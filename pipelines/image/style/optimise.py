"""image.style_optimise: the slow, thorough way to a style: the picture's pixels are changed until VGG16 sees the style in them.

Sources: Gatys, Ecker, Bethge, Image Style Transfer Using Convolutional Neural Networks, 2016; Gatys et al., Controlling Perceptual Factors in Neural Style Transfer, 2017.
"""

from __future__ import annotations

import io
import time
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from pipelines.image.pictures import open_picture
from pipelines.image.settle import check_picture
from pipelines.image.style.any import check_style_pictures
from pipelines.image.style.content import LEAST_SIDE, Facts, Frame, facts_of, opened, png, resized, result_size
from pipelines.image.style.finish import enlarging_bytes, finished, where_of, with_upscaler
from pipelines.image.style.flow import check_size
from pipelines.image.style.optimise_params import OptimiseParams
from pipelines.image.style.scales import MOST_PAINTED, USUAL_SIDE, USUAL_STEPS, Scale, check_room, most_scales, painted_size, plan_of, work_of, working_bytes
from pipelines.image.vision import trunk_bytes, trunk_entry, trunk_spec
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError

CONTENT, SMOOTH = 0.05, 1.0  # what 1 means in the form
PREVIEW_SIDE = 768


class Optimise:
    """One artifact. Stop, and “Finish with what is there”, keep the best picture so far."""

    id: ClassVar[str] = "image.style_optimise"
    title: ClassVar[str] = "Style by optimisation"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = OptimiseParams

    def need(self, params: OptimiseParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", 2**62)

    def place(self, params: OptimiseParams, catalog: Catalog, device: str, room: int) -> Need:
        missing, weights = missing_of(params), trunk_bytes(device)
        try:
            trunk_entry(catalog)
            weights += enlarging_bytes(params, catalog, device)
        except StudioError as error:
            missing = missing or error.message
        side = params.paint_size or min(params.size or USUAL_SIDE, USUAL_SIDE)
        return Need(weights, working_bytes(round(side * side * 0.75), device, params.style_size), missing=missing)

    def pace_key(self, params: OptimiseParams, catalog: Catalog) -> str:
        return self.id

    def seconds(self, params: OptimiseParams, catalog: Catalog, pace: dict[str, float]) -> float:
        """As if the picture were three by four."""
        side = params.paint_size or min(params.size or USUAL_SIDE, USUAL_SIDE)
        return pace["look"] * work_of(plan_of(round(side * 0.75), side, params.steps, params.scales))

    def settle(self, params: OptimiseParams, desk: Desk) -> OptimiseParams:
        if missing := missing_of(params):
            raise BadInput(missing, hint="Give one.", field="style" if params.image else "image")
        trunk_entry(desk.catalog)
        facts = facts_of(params.image, "image", desk)
        check_still(params, facts)
        if params.mask and (mask := check_picture(params.mask, "mask", desk)) != (facts.width, facts.height):
            raise BadInput(f"The mask is {mask[0]} × {mask[1]} pixels, the picture {facts.width} × {facts.height}.", hint="Draw the mask on this picture.", field="mask")
        check_style_pictures(params, desk)
        if any(key == params.image for key, _ in params.pairs()):
            raise BadInput("The style picture is the picture itself.", hint="Choose another style picture.", field="style")
        if params.noise_seed and params.begin != "Noise":
            raise BadInput("It does not begin from noise.", hint="Set the noise seed to 0, or begin from noise.", field="noise_seed")
        height, width = painted_size(params, facts)
        if params.scales > (most := most_scales(height, width)):
            raise BadInput(f"The number of sizes can be {most} at most for a picture painted at {width} × {height} pixels.", hint=f"Set it to {most}, or to 0.", field="scales")
        return with_upscaler(params, desk.catalog).model_copy(update={"steps": max(params.steps or USUAL_STEPS, len(plan_of(height, width, params.steps, params.scales)))})

    def run(self, params: OptimiseParams, ctx: RunContext) -> Result:
        path = ctx.input(params.image)
        facts, _, frames = opened(path)
        check_still(params, facts)
        frame, size = next(frames), result_size(facts, params.size)
        frame = Frame(resized(frame.picture, size), resized(frame.alpha, size) if frame.alpha else None)
        height, width = painted_size(params, facts)
        working = working_bytes(height * width, ctx.device, params.style_size)
        check_room(height, width, params.style_size, ctx.models.room - trunk_bytes(ctx.device), ctx.device)
        fast = self._fast(params, ctx) if params.begin == "Style from a picture" else None
        job = Painter(plan_of(height, width, params.steps, params.scales), ctx)
        with ctx.models.use(trunk_spec(ctx), working=working) as trunk:
            best = job.paint(trunk, resized(frame.picture, (width, height)), [(style_picture(key, params, max(height, width), ctx), weight) for key, weight in params.pairs()], fast, params)
        picture = last_touches(frame, resized(best, size), params, ctx)
        facts_told = {"width": picture.width, "height": picture.height, "style_loss": job.told["style"], "content_loss": job.told["content"]}
        made = Artifact("image", png(picture, lambda: None), ".png", "Painted", facts_told)
        if ctx.stopping == "cancel":
            ctx.output(made)
            ctx.check()
        return Result([made], {"losses": job.told, "pace": job.pace})

    def _fast(self, params: OptimiseParams, ctx: RunContext) -> Image.Image:
        """What the feed-forward network makes of it."""
        shared = ("image", "style", "style_weight", "style2", "style2_weight", "style3", "style3_weight", "size")
        made = ctx.call("image.style_any", {name: getattr(params, name) for name in shared}).artifacts[0]
        with Image.open(io.BytesIO(made.data)) as file:
            return file.convert("RGB")


class Untouchable:
    """A context for the last touches to a picture that is kept even though Stop was pressed: they take a moment, and must not be broken off."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx = ctx

    def __getattr__(self, name: str) -> Any:
        return (lambda *_, **__: None) if name in ("check", "progress", "loading") else getattr(self._ctx, name)


class Painter:
    """The optimisation, told to a context: progress, previews, Stop."""

    def __init__(self, plan: list[Scale], ctx: RunContext) -> None:
        self.plan, self.ctx = plan, ctx
        self.told: dict[str, float] = {}
        self.pace: dict[str, float] = {}
        self._begun = self._done = 0.0

    def paint(self, trunk: Any, content: Image.Image, styles: list[tuple[Image.Image, float]], fast: Image.Image | None, params: OptimiseParams) -> Image.Image:
        from pipelines.image.nets.gatys import Weights, paint, recoloured

        device = next(trunk.parameters()).device
        picture = tensor_of(content, device)
        told = [(tensor_of(style, device), weight) for style, weight in styles]
        begin = self._begin(params, picture, fast) if params.begin != "Recoloured picture" else recoloured(picture, told)
        self.ctx.progress(0, self._steps, "Painting", 0.0)
        self._begun = time.monotonic()
        best = paint(trunk, picture, told, begin, [(scale.height, scale.width, scale.steps) for scale in self.plan], Weights(CONTENT * params.content, SMOOTH * params.smooth), params.optimiser, self.each)
        return picture_of(best.picture)

    def _begin(self, params: OptimiseParams, picture: Any, fast: Image.Image | None) -> Any:
        import torch

        if fast is not None:
            return tensor_of(resized(fast, (picture.shape[3], picture.shape[2])), picture.device)
        if params.begin == "Noise":
            noise = torch.randn(picture.shape, generator=torch.Generator("cpu").manual_seed(params.noise_seed))
            return (picture.mean((2, 3), keepdim=True) + 0.2 * noise.to(picture)).clamp(0, 1)
        return picture

    def each(self, best: Any) -> bool:
        """After each look. False ends the painting with the best picture so far."""
        self.told = {"style": round(best.losses.style, 5), "content": round(best.losses.content, 5)}
        done = work_of([*self.plan[: best.scale], Scale(best.picture.shape[2], best.picture.shape[3], best.step)])
        self.pace = {"look": (time.monotonic() - self._begun) / done}
        if self.ctx.stopping != "none":
            self.ctx.skipped()
            return False
        step = sum(scale.steps for scale in self.plan[: best.scale]) + best.step
        self.ctx.progress(step, self._steps, f"{best.picture.shape[3]} × {best.picture.shape[2]} pixels", done / work_of(self.plan))
        self.ctx.stats(style_loss=self.told["style"], content_loss=self.told["content"])
        self.ctx.preview(lambda: thumbnail(picture_of(best.picture)))
        return True

    @property
    def _steps(self) -> int:
        return sum(scale.steps for scale in self.plan)


class Enough(Exception):
    """Stop was pressed while the painted picture was being enlarged."""


def last_touches(frame: Frame, painted: Image.Image, params: OptimiseParams, ctx: RunContext) -> Image.Image:
    """Colours, strength and mask; enlarged, unless Stop was pressed: the picture is kept without."""

    def told(share: float) -> None:
        if ctx.stopping == "cancel":
            raise Enough
        ctx.progress(99, 100, "Enlarging", 0.9 + share / 10)

    where = where_of(params, painted.size, ctx)
    try:
        if ctx.stopping == "cancel":
            raise Enough
        return finished(frame, painted, params, where, Untouchable(ctx), told)
    except Enough:
        return finished(frame, painted, params.model_copy(update={"upscale": 1.0}), where, Untouchable(ctx))


def missing_of(params: OptimiseParams) -> str:
    if not params.image:
        return "There is no picture to paint anew."
    return "" if params.pairs() else "There is no style picture."


def check_still(params: OptimiseParams, facts: Facts) -> None:
    """Raises BadInput."""
    if facts.frames > 1:
        raise BadInput("This picture moves.", hint="Give a still picture.", field="image")
    check_size(params, facts)
    height, width = painted_size(params, facts)
    if height * width > MOST_PAINTED:
        raise BadInput(f"It would be painted at {width} × {height} pixels; {MOST_PAINTED / 1e6:.0f} megapixels can be.", hint="Choose a smaller size to paint at; the result is brought to its size.", field="paint_size")


def style_picture(key: str, params: OptimiseParams, side: int, ctx: RunContext) -> Image.Image:
    picture = open_picture(ctx.input(key))
    scale = (params.style_size or side) / max(picture.size)
    return resized(picture, (max(LEAST_SIDE, round(picture.width * scale)), max(LEAST_SIDE, round(picture.height * scale))))


def tensor_of(picture: Image.Image, device: Any) -> Any:
    """[1, 3, h, w] in 0 … 1."""
    import torch

    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).to(device).permute(2, 0, 1)[None].float().div(255).contiguous()


def picture_of(tensor: Any) -> Image.Image:
    return Image.fromarray((tensor[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())


def thumbnail(picture: Image.Image) -> Image.Image:
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return picture
