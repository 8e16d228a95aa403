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
from pipelines.image.style.any import check_style_pictures, check_styles, missing_styles
from pipelines.image.style.content import LEAST_SIDE, MOST_STYLED, Facts, Frame, facts_of, opened, png, resized, result_size, size_of
from pipelines.image.style.finish import enlarging_bytes, last_touches, with_upscaler
from pipelines.image.style.flow import check_size
from pipelines.image.style.optimise_params import OptimiseParams
from pipelines.image.style.scales import BEFORE, USUAL_STEPS, Scale, Way, check_room, most_scales, painted_size, plan_of, remembered, way_of
from pipelines.image.vision import trunk_bytes, trunk_entry, trunk_spec
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError

CONTENT, SMOOTH = 0.05, 1.0  # what 1 means in the form
PREVIEW_SIDE = 768
USUAL = Facts(640, 480)  # a picture whose size is not known yet
AT_ONCE = 4_000_000  # pixels: where Stop leaves a larger picture, it is kept before its colours are changed, for that may take longer than is waited
SHARPEST = 2  # times its own size, as large as a style picture is made where nobody says how large


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
        plan = plan_for(params)
        side = params.style_size or max(plan[-1].height, plan[-1].width)
        way = way_of(plan, side * side * max(1, len(params.pairs())), device, room - weights)
        return Need(weights, way.working, missing=missing, facts={"tile": way.tile if way.tiled(plan[-1]) else 0})

    def pace_key(self, params: OptimiseParams, catalog: Catalog) -> str:
        return self.id

    def look(self, params: OptimiseParams, desk: Desk) -> OptimiseParams:
        """The size of the picture, for what a job takes and how long."""
        looked = params.model_copy()
        looked._seen = size_of(params.image, desk) or looked._seen
        return looked

    def seconds(self, params: OptimiseParams, catalog: Catalog, pace: dict[str, float]) -> float:
        plan = plan_for(params)
        return pace["look"] * way_of(plan, 0, "cpu", 2**62).work(plan)

    def settle(self, params: OptimiseParams, desk: Desk) -> OptimiseParams:
        if not params.image:
            raise BadInput(missing_of(params), hint="Give one.", field="image")
        check_styles(params)
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
        facts, about, frames = opened(path)
        check_still(params, facts)
        frame, size = next(frames), result_size(facts, params.size)
        frame = Frame(resized(frame.picture, size), resized(frame.alpha, size) if frame.alpha else None)
        height, width = painted_size(params, facts)
        plan = plan_of(height, width, params.steps, params.scales)
        styles = [(*style_picture(key, params, max(height, width), ctx), weight) for key, weight in params.pairs()]
        looked, room = sum(style.width * style.height for style, _, _ in styles), ctx.models.room - trunk_bytes(ctx.device)
        check_room(plan, looked, room, ctx.device)
        fast = self._fast(params, ctx) if params.begin == "Style from a picture" else None
        way = way_of(plan, looked, ctx.device, room)
        job = Painter(plan, way, ctx)
        with ctx.models.use(trunk_spec(ctx), working=way.working) as trunk:
            best = job.paint(trunk, resized(frame.picture, (width, height), ctx.check), styles, fast, params)
        best = resized(best, size)

        def artifact(picture: Image.Image) -> Artifact:
            losses = {"style_loss": job.told["style"], "content_loss": job.told["content"]}
            return Artifact("image", png(picture, lambda: None, about.profile), ".png", "Painted", {"width": picture.width, "height": picture.height} | losses)

        if ctx.stopping == "cancel" and params.colours != "Style" and size[0] * size[1] > AT_ONCE:
            ctx.output(artifact(best))
        notes: list[str] = []
        picture = last_touches(frame, best, params, ctx, notes, lambda share: ctx.progress(99, 100, "Enlarging", 0.9 + share / 10))
        return Result([artifact(picture)], {"losses": job.told, "pace": job.pace, "notes": notes})

    def _fast(self, params: OptimiseParams, ctx: RunContext) -> Image.Image:
        """What the feed-forward network makes of it."""
        shared = ("image", "style", "style_weight", "style2", "style2_weight", "style3", "style3_weight", "size")
        made = ctx.call("image.style_any", {name: getattr(params, name) for name in shared}).artifacts[0]
        with Image.open(io.BytesIO(made.data)) as file:
            return file.convert("RGB")


class Painter:
    """The optimisation, told to a context: progress, previews, Stop."""

    def __init__(self, plan: list[Scale], way: Way, ctx: RunContext) -> None:
        self.plan, self.way, self.ctx = plan, way, ctx
        self.told: dict[str, float] = {}
        self.pace: dict[str, float] = {}
        self._begun = 0.0
        self._work = way.work(plan)

    def paint(self, trunk: Any, content: Image.Image, styles: list[tuple[Image.Image, int, float]], fast: Image.Image | None, params: OptimiseParams) -> Image.Image:
        from pipelines.image.nets.descent import Plan, Style, larger, paint, recoloured
        from pipelines.image.nets.gatys import Weights

        device = next(trunk.parameters()).device
        picture = tensor_of(content, device)
        told = [Style(tensor_of(style, device), weight, side) for style, side, weight in styles]
        begin = self._begin(params, picture, fast) if params.begin != "Recoloured picture" else recoloured(picture, [(style.picture, style.weight) for style in told])
        self.ctx.progress(0, self._steps, "Painting", 0.0)
        self._begun = time.monotonic()
        scales = [(scale.height, scale.width, scale.steps) for scale in self.plan]
        plan = Plan(scales, self.way.limit, self.way.tile, remembered(content.width * content.height))
        best = paint(trunk, picture, told, begin, plan, Weights(CONTENT * params.content, SMOOTH * params.smooth), params.optimiser, self)
        assert best is not None, "before the first look nothing but Stop ends it"
        if best.picture.shape != picture.shape:  # it was ended at a smaller size
            return picture_of(larger(best.picture, picture if params.begin == "Noise" else begin, *picture.shape[2:]))
        return picture_of(best.picture)

    def _begin(self, params: OptimiseParams, picture: Any, fast: Image.Image | None) -> Any:
        import torch

        if fast is not None:
            return tensor_of(resized(fast, (picture.shape[3], picture.shape[2])), picture.device)
        if params.begin == "Noise":
            noise = torch.randn(picture.shape, generator=torch.Generator("cpu").manual_seed(params.noise_seed))
            return (picture.mean((2, 3), keepdim=True) + 0.2 * noise.to(picture)).clamp(0, 1)
        return picture

    def looked(self, best: Any) -> bool:
        """After each look. False ends the painting with the best picture so far."""
        self.told = {"style": round(best.losses.style, 5), "content": round(best.losses.content, 5)}
        done = self._done(best.scale, best.step)
        self.pace = {"look": (time.monotonic() - self._begun) / (done * self._work)}
        if self._enough():
            return False
        self._tell(best.scale, best.step, done)
        self.ctx.stats(style_loss=self.told["style"], content_loss=self.told["content"])
        self.ctx.preview(lambda: thumbnail(best.picture))
        return True

    def going(self, scale: int, step: int, share: float) -> None:
        """Within a look, and before the first of a size. Raises Ended, and Stopped where nothing is painted yet."""
        from pipelines.image.nets.descent import Ended

        if not self.told and self.ctx.stopping == "cancel":
            self.ctx.check()
        if self.told and self._enough():
            raise Ended
        self._tell(scale, max(0, step), self._done(scale, step, share))

    def _enough(self) -> bool:
        if self.ctx.stopping == "none":
            return False
        self.ctx.skipped()
        return True

    def _tell(self, scale: int, step: int, done: float) -> None:
        size = self.plan[scale]
        self.ctx.progress(sum(before.steps for before in self.plan[:scale]) + step, self._steps, f"{size.width} × {size.height} pixels", done)

    def _done(self, scale: int, step: int, share: float = 0.0) -> float:
        """The share of all work; `step` -1 is what comes before a size's first look."""
        looks = BEFORE * share if step < 0 else BEFORE + step + share
        size = self.plan[scale]
        return (self.way.work(self.plan[:scale]) + size.height * size.width * looks * self.way.more(size)) / self._work

    @property
    def _steps(self) -> int:
        return sum(scale.steps for scale in self.plan)


def missing_of(params: OptimiseParams) -> str:
    return missing_styles(params) if params.image else "There is no picture to paint anew."


def check_still(params: OptimiseParams, facts: Facts) -> None:
    """Raises BadInput."""
    if facts.frames > 1:
        raise BadInput("This picture moves.", hint="Give a still picture.", field="image")
    check_size(params, facts)
    height, width = painted_size(params, facts)
    if height * width > MOST_STYLED:
        raise BadInput(f"It would be painted at {width} × {height} pixels; {MOST_STYLED / 1e6:.0f} megapixels can be.", hint="Choose a smaller size to paint at; the result is brought to its size.", field="paint_size")


def plan_for(params: OptimiseParams) -> list[Scale]:
    return plan_of(*painted_size(params, Facts(*params._seen) if params._seen else USUAL), params.steps, params.scales)


def style_picture(key: str, params: OptimiseParams, side: int, ctx: RunContext) -> tuple[Image.Image, int]:
    """And the longer side that it should have beside the finished picture: as large as that where nothing is said, though no larger than it can be shown without being all blurred."""
    picture = open_picture(ctx.input(key))
    own = max(picture.size)
    scale = (params.style_size or min(side, SHARPEST * own)) / own
    return resized(picture, (max(LEAST_SIDE, round(picture.width * scale)), max(LEAST_SIDE, round(picture.height * scale)))), params.style_size or side


def tensor_of(picture: Image.Image, device: Any) -> Any:
    """[1, 3, h, w] in 0 … 1."""
    import torch

    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).to(device).permute(2, 0, 1)[None].float().div_(255).contiguous()


def picture_of(tensor: Any) -> Image.Image:
    return Image.fromarray((tensor[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy())


def thumbnail(painted: Any) -> Image.Image:
    from pipelines.image.nets.descent import resized as smaller

    height, width = painted.shape[2:]
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    return picture_of(smaller(painted, round(height * scale), round(width * scale)))
