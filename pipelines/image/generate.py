"""image.generate: pictures from text, from a picture, in a masked part, extended; a second pass at high resolution; enlarged."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from pipelines.image.control import control_bytes, named
from pipelines.image.credits import write_credits
from pipelines.image.enlarge import enlarged
from pipelines.image.families import Family, family_of
from pipelines.image.infotext import read, write
from pipelines.image.memory import picture_bytes
from pipelines.image.params import ImageParams
from pipelines.image.pictures import Ground, ground_of, open_picture, png, set_back
from pipelines.image.prompt.grammar import networks, parse
from pipelines.image.samplers import choose
from pipelines.image.settle import image_model, settle, unit_of, worn_bytes
from studio.api import Artifact, Catalog, Desk, Lane, ModelBroken, ModelEntry, ModelSpec, Need, Params, Result, RunContext, StudioError

if TYPE_CHECKING:
    from pipelines.image.nets.model import ImageModel

SEEDS = 2**32
TITLE_LETTERS = 60


@dataclass(frozen=True)
class Plan:
    """How many steps the whole job has, for progress over all its pictures."""

    first: int
    hires: int
    pictures: int

    @property
    def each(self) -> int:
        return self.first + self.hires

    @property
    def total(self) -> int:
        return self.each * self.pictures


class Generate:
    """One artifact a picture, kept as soon as it is finished. The same params, seed and device give the same pixels."""

    id: ClassVar[str] = "image.generate"
    title: ClassVar[str] = "Image"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = ImageParams

    def need(self, params: ImageParams, catalog: Catalog) -> Need:
        try:
            entry = image_model(params.model, catalog)
            family = family_of(entry)
        except StudioError as error:
            return Need(missing=error.message)
        width, height = params.width or family.size, params.height or family.size
        working = picture_bytes(family, width, height, params.hires_scale, params.count if params.together else 1)
        try:
            beside = control_bytes(params, catalog) + (named(params.refiner, "image", "refiner", catalog).bytes if params.refiner else 0)
        except StudioError as error:
            return Need(missing=error.message)
        return Need(entry.bytes + beside + worn_bytes(params, entry, catalog), working, facts={"family": family.title, "advice": advice(family)})

    def read_parameters(self, text: str, catalog: Catalog) -> dict[str, Any]:
        """Values for Params from the text that pictures of the community carry; the model by its hash, else its name. Raises BadInput where it holds none."""
        values = {"upscale": 1.0} | read(text)
        digest, name = values.pop("model_hash", ""), values.get("model", "")
        for entry in catalog.entries("image"):
            if (digest and str(entry.details.get("sha256", "")).startswith(digest)) or name in (entry.title, entry.key, entry.key.rpartition("/")[2]):
                values["model"] = entry.key
        return values

    def prompt_problem(self, prompt: str) -> StudioError | None:
        """What is wrong with a prompt while it is written."""
        try:
            parse(prompt)
        except StudioError as error:
            return error
        return None

    def settle(self, params: ImageParams, desk: Desk) -> ImageParams:
        return settle(params, desk)

    def run(self, params: ImageParams, ctx: RunContext) -> Result:
        self.draw(params, ctx, ctx.output, done=len(ctx.kept))
        return Result([], {"seeds": [seed for seeds in batches(params) for seed in seeds]})

    def draw(self, params: ImageParams, ctx: RunContext, keep: Callable[[Artifact], None], *, done: int = 0) -> None:
        """Each picture is handed to `keep` as soon as it is finished; the first `done` ones are there already."""
        from pipelines.image.nets.company import accompanied
        from pipelines.image.nets.draw import Skipped
        from pipelines.image.nets.lora import apply_loras, wanted_loras

        entry = image_model(params.model, ctx.catalog)
        family = family_of(entry)
        made = done
        working = picture_bytes(family, params.width, params.height, params.hires_scale, 1) + worn_bytes(params, entry, ctx.catalog)
        with ctx.models.use(model_spec(entry, family, params, ctx), working=working) as model, accompanied(model, params, ctx, second_of(params, ctx)):
            for worn in (model, *([model.company.second] if model.company.second else [])):
                if worn.family.key == family.key:
                    apply_loras(worn, wanted_loras(networks(parse(params.prompt)), worn, ctx.catalog))
            for seeds in batches(params)[done:]:
                try:
                    pictures = self._pictures(model, params, seeds, made, ctx)
                except Skipped:
                    made += len(seeds)
                    ctx.skipped()
                    continue
                for seed, picture in zip(seeds, pictures, strict=True):
                    keep(self._artifact(params, seed, picture, entry, ctx.catalog))
                    made += 1
                if ctx.stopping == "finish":
                    break

    def _pictures(self, model: ImageModel, params: ImageParams, seeds: tuple[int, ...], made: int, ctx: RunContext) -> list[Image.Image]:
        from pipelines.image.nets.draw import Drawing, draw

        plan = plan_of(params)
        ground = self._ground(params, ctx)
        note = f"Picture {made + 1} of {params.count}" if params.count > 1 else ""
        begun = Drawing(seeds, *(ground.image.size if ground else (params.width, params.height)), params.steps, first=made * plan.each, total=plan.total, note=note)
        if ground:
            begun = Drawing(**(begun.__dict__ | {"strength": params.denoising_strength, "image": ground.image, "mask": ground.mask, "ground": ground}))
        if ground and params.denoising_strength * params.steps < 1:
            pictures = [ground.image] * len(seeds)
        else:
            pictures = draw(model, params, begun, ctx)
        if ground:
            pictures = [set_back(ground, picture) for picture in pictures]
        if params.hires_scale > 1 and ctx.stopping != "finish":
            pictures = [picture for seed, one in zip(seeds, pictures, strict=True) for picture in self._again(model, params, seed, one, begun, ctx)]
        return [enlarged(picture, params.upscaler, params.upscale, ctx) for picture in pictures]

    def _again(self, model: ImageModel, params: ImageParams, seed: int, picture: Image.Image, begun: Any, ctx: RunContext) -> list[Image.Image]:
        """The second pass: the finished picture, larger, drawn again from part of the way."""
        from pipelines.image.nets.draw import Drawing, draw

        unit = max(8, model.family.factor)
        width, height = (max(unit, round(side * params.hires_scale / unit) * unit) for side in picture.size)
        steps = params.hires_steps or params.steps
        large = enlarged(picture, params.upscaler, params.hires_scale, ctx).resize((width, height), Image.Resampling.LANCZOS)
        if params.hires_strength * steps < 1:
            return [large]
        return draw(model, params, Drawing((seed,), width, height, steps, params.hires_strength, large, None, begun.first + params.steps, begun.total, "High resolution"), ctx)

    def _ground(self, params: ImageParams, ctx: RunContext) -> Ground | None:
        if not params.image:
            return None
        mask = open_picture(ctx.input(params.mask), "L") if params.mask else None
        return ground_of(params, open_picture(ctx.input(params.image)), mask)

    def _artifact(self, params: ImageParams, seed: int, picture: Image.Image, entry: ModelEntry, catalog: Catalog) -> Artifact:
        text = write(params, seed, size=(params.width, params.height), model_title=entry.title, model_hash=str(entry.details.get("sha256", "")), version="Seisei Studio", credits=write_credits(params, entry, catalog))
        facts = {"parameters": text, "seed": seed, "width": picture.width, "height": picture.height}
        return Artifact("image", png(picture), ".png", title_of(params.prompt), facts)


def advice(family: Family) -> dict[str, Any]:
    """What the family's makers advise, for the form; `unit` is what sides must be a multiple of."""
    sampler, schedule = choose(family.sampler, family.schedule, family.kind)
    return {"width": family.size, "height": family.size, "unit": unit_of(family), "steps": family.steps, "cfg_scale": family.cfg_scale, "upscale": family.upscale, "sampler": sampler.name, "schedule": schedule}


def batches(params: ImageParams) -> list[tuple[int, ...]]:
    """The seeds, one by one or all together: picture i of a batch has the seed of the first plus i."""
    seeds = [(params.seed + number) % SEEDS for number in range(params.count)]
    return [tuple(seeds)] if params.together else [(seed,) for seed in seeds]


def plan_of(params: ImageParams) -> Plan:
    return Plan(params.steps, (params.hires_steps or params.steps) if params.hires_scale > 1 else 0, params.count)


def title_of(prompt: str) -> str:
    """The prompt's first words: the picture's name in the gallery."""
    words = " ".join(prompt.split())
    return words if len(words) <= TITLE_LETTERS else words[: TITLE_LETTERS - 1].rsplit(" ", 1)[0] + "…"


def second_of(params: ImageParams, ctx: RunContext) -> Callable[[], AbstractContextManager[ImageModel]] | None:
    """How the second model is lent, if one is named."""
    if not params.refiner:
        return None
    entry = ctx.model(params.refiner)
    return lambda: ctx.models.use(model_spec(entry, family_of(entry), params.model_copy(update={"vae": ""}), ctx))


def model_spec(entry: ModelEntry, family: Family, params: ImageParams, ctx: RunContext) -> ModelSpec[ImageModel]:
    """How the worker loads it; a VAE of one's own is part of the model's identity."""
    decoder = ctx.model(params.vae) if params.vae else None

    def load(report: Any) -> ImageModel:
        import torch

        from pipelines.image.nets.model import load as load_model

        torch.set_num_threads(ctx.threads)
        dtype = torch.float32 if ctx.device == "cpu" else torch.float16 if family.kind == "noise" else torch.bfloat16
        try:
            return load_model(Path(entry.path), family, entry.key, device=ctx.device, dtype=dtype, report=report, vae=Path(decoder.path) if decoder else None)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
            raise ModelBroken(f"“{entry.title}” can't be loaded: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}.", hint="Download it again, or choose another model.", field="model") from error

    key = entry.key + (f" @ {decoder.key}" if decoder else "")
    return ModelSpec(key, entry.bytes * (2 if entry.dtype in ("F16", "BF16", "float16") and ctx.device == "cpu" else 1), load)


