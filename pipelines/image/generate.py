"""image.generate: pictures from text, from a picture, in a masked part, extended; a second pass at high resolution; enlarged."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from PIL import Image

from pipelines.image.again import larger_size, scaled, second_pass
from pipelines.image.apart import FAMILIES, SPREAD
from pipelines.image.control import REFERENCED, control_bytes
from pipelines.image.credits import write_credits
from pipelines.image.embeddings import Vocabulary
from pipelines.image.enlarge import Finishing, enlarged, enlarged_last
from pipelines.image.families import Family, family_of
from pipelines.image.footprint import footprint
from pipelines.image.infotext import write
from pipelines.image.lookup import named
from pipelines.image.memory import NO_UNITS, SMALLER, Placement, below, item_bytes, ladder, ran_out, work_of
from pipelines.image.memory import choose as choose_placement
from pipelines.image.others import prior_of
from pipelines.image.params import PER_PICTURE, SEEDS, ImageParams
from pipelines.image.parts import Part, is_assembled, parts_of, preview_decoder
from pipelines.image.pictures import ON_WHITE, Ground, ground_of, is_transparent, kept, open_clear, open_picture, png, set_back, to_size
from pipelines.image.prompt.grammar import networks, parse
from pipelines.image.prompt.schedule import written
from pipelines.image.prompt.view import encoder_view
from pipelines.image.reading.texts import read_texts
from pipelines.image.samplers import ADAPTIVE, AUTOMATIC, SAMPLERS, SCHEDULES, choose
from pipelines.image.settle import check_prompts, image_model, settle, that_draw, unit_of, worn_bytes
from pipelines.image.sigmas import passes
from pipelines.image.skip import Skippable, Skipped
from pipelines.image.track import Pace, Track, looked, pieces, seconds_of
from pipelines.image.upscalers import upscaler_bytes
from pipelines.image.widths import widths_of
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, ModelBroken, ModelEntry, ModelSpec, ModelTooLarge, Need, Params, Result, RunContext, StudioError, give_back, has_bfloat16

if TYPE_CHECKING:
    from pipelines.image.nets.model import ImageModel

TITLE_LETTERS = 60
Spoken = TypeVar("Spoken", bound=ImageParams)


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


@dataclass
class Going:
    """How far a job is, and how it is done."""

    placement: Placement
    made: int = 0
    there: int = 0  # layers of the present picture that an earlier run of the job has kept
    notes: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)  # by the model, of the present picture
    pace: dict[str, float] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        return {"notes": list(dict.fromkeys(self.notes)), "pace": self.pace}


class Generate:
    """One artifact a picture, or one for each of its layers, kept as soon as it is finished. The same params, seed and device give the same pixels."""

    id: ClassVar[str] = "image.generate"
    title: ClassVar[str] = "Image"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = ImageParams

    def need(self, params: ImageParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: ImageParams, catalog: Catalog, device: str, room: int) -> Need:
        try:
            entry = image_model(params.model, catalog)
            family = family_of(entry)
        except StudioError as error:
            return Need(missing=error.message)
        params = filled(params, catalog)
        try:
            around = company_bytes(params, catalog) + worn_bytes(params, entry, catalog)
        except StudioError as error:
            return Need(missing=error.message)
        placement = choose_placement(rungs(params, entry, family, catalog, device), room - around)
        notes = [NO_UNITS] if params.precision == "Half" and device == "cpu" and not has_bfloat16() else []
        notes += [SPREAD] if entry.format == "gguf" and family.key in FAMILIES else []
        facts = {"model": entry.key, "family": family.title, "advice": advice(family), "traits": traits(family), "placement": placement.words}
        return Need(placement.weights + around, placement.working, notes=notes, facts=facts)

    def pace_key(self, params: ImageParams, catalog: Catalog) -> str:
        return f"{image_model(params.model, catalog).key} {params.precision}"

    def seconds(self, params: ImageParams, catalog: Catalog, pace: dict[str, float]) -> float:
        whole = filled(params, catalog)
        return seconds_of(pieces(whole, params.count, guided=is_guided(whole, family_of(image_model(params.model, catalog)))), Pace(dict(pace)))

    def read_parameters(self, text: str, catalog: Catalog) -> dict[str, Any]:
        """Values for Params from the text that pictures of the community carry; what has no field here under its own label. Raises BadInput where it holds none."""
        return read_texts({"parameters": text}, catalog)

    def read_texts(self, texts: dict[str, str], catalog: Catalog) -> dict[str, Any]:
        """The same from all texts of a picture, whichever program made it."""
        return read_texts(texts, catalog)

    def encoder_view(self, prompt: str, model: str, catalog: Catalog) -> dict[str, Any]:
        """What the model's text encoder will read: {tokens, limit, chunks, sides, switches, networks, words}. Raises StudioErrors."""
        entry = image_model(model, catalog)
        return encoder_view(prompt, entry, Vocabulary(catalog, widths_of(entry)))

    def prompt_problem(self, prompt: str) -> StudioError | None:
        """What is wrong with a prompt while it is written."""
        try:
            parse(prompt)
        except StudioError as error:
            return error
        return None

    def expand_prompts(self, params: ImageParams, expand: Callable[[str, int], str]) -> ImageParams:
        check_prompts(params)
        told = [params.of_picture(number) for number in range(params.count)]
        return expanded(params, [one.model_dump() | {"seed": seed} for one, seed in zip(told, seeds_of(params), strict=True)], expand)

    def settle(self, params: ImageParams, desk: Desk) -> ImageParams:
        return settle(params, desk)

    def run(self, params: ImageParams, ctx: RunContext) -> Result:
        told = self.draw(params, ctx, ctx.output, done=len(ctx.kept))
        return Result([], {"seeds": [seed for seeds in batches(params) for seed in seeds]} | told)

    def draw(self, params: ImageParams, ctx: RunContext, keep: Callable[[Artifact], None], *, done: int = 0) -> dict[str, Any]:
        """Each picture, or all its layers from the lowest up, is handed to `keep` as soon as it is finished; the first `done` of them are there already. Where memory runs out it is tried once more in a smaller way.

        Returns what the job should tell: "notes", and the "pace" for the next one's time. Raises ModelTooLarge.
        """
        entry = image_model(params.model, ctx.catalog)
        family = family_of(entry)
        ways = rungs(params, entry, family, ctx.catalog, ctx.device)
        going = Going(choose_placement(ways, ctx.models.room - company_bytes(params, ctx.catalog) - worn_bytes(params, entry, ctx.catalog)), *divmod(done, max(1, params.layers)))
        if self._tried(params, entry, family, going, ctx, keep):
            return going.told()
        lower = below(ways, going.placement)
        if lower is None:
            raise out_of_memory()
        going.placement = lower
        going.notes.append(SMALLER)
        ctx.loading("There was not enough memory: trying again in a smaller way")
        give_back()
        if not self._tried(params, entry, family, going, ctx, keep):
            raise out_of_memory()
        return going.told()

    def _tried(self, params: ImageParams, entry: ModelEntry, family: Family, going: Going, ctx: RunContext, keep: Callable[[Artifact], None]) -> bool:
        """False where memory ran out; the error and the frames that it held are gone then."""
        try:
            self._draw(params, entry, family, going, ctx, keep)
        except Exception as error:
            if isinstance(error, StudioError) or not ran_out(error):
                raise
            return False
        return True

    def _draw(self, params: ImageParams, entry: ModelEntry, family: Family, going: Going, ctx: RunContext, keep: Callable[[Artifact], None]) -> None:
        from pipelines.image.nets.company import accompanied
        from pipelines.image.nets.sketch import attach

        plan, each, one = plan_of(params), max(1, params.layers), cast(RunContext, Skippable(ctx))
        spec, working = model_spec(entry, family, params, going.placement, ctx), going.placement.working + worn_bytes(params, entry, ctx.catalog)
        with ctx.models.use(spec, working=working) as model, accompanied(model, params, ctx, second_of(params, ctx), going.notes):
            attach(model, preview_decoder(family.key, ctx.catalog))
            model.place(going.placement)
            track = Track(pieces(params, params.count - going.made, guided=is_guided(params, family)), model.pace)
            for seeds in batches(params)[going.made :]:
                told = params.of_picture(going.made)
                going.said.clear()
                with contextlib.suppress(Skipped):
                    dress(model, told, ctx.catalog)
                    pictures = self._pictures(model, told, seeds, going, track, one)
                    saving: Any = Finishing(ctx) if ctx.stopping == "cancel" else one  # Stop came while it was enlarged: it is kept as it was drawn
                    saving.progress(plan.each * (going.made + len(seeds)), plan.total, "Saving", track.share(1.0))
                    words = written("".join(going.said))
                    for number, picture in enumerate(pictures[going.there :], going.there):
                        own = params.of_picture(going.made + number // each)
                        own = own.model_copy(update={"prompt": words}) if words else own
                        keep(self._artifact(params, own, seeds[number // each], picture, entry, saving, number % each + 1 if params.layers else 0))
                ctx.skipped()  # also where it came too late for this picture: it was not meant for the next
                going.made, going.there = going.made + len(seeds), 0
                if ctx.stopping == "finish":
                    break
            going.pace = dict(model.pace.measured)

    def _pictures(self, model: ImageModel, params: ImageParams, seeds: tuple[int, ...], going: Going, track: Track, ctx: RunContext) -> list[Image.Image]:
        from pipelines.image.nets.draw import Drawing, draw, purposed

        plan = plan_of(params)
        ground = self._ground(params, seeds[0], ctx)
        others = tuple(open_picture(ctx.input(key)) for key in params.more_images)
        if params.image and not params.layers and not going.made and any(is_transparent(ctx.input(key)) for key in (params.image, *params.more_images)):
            going.notes.append(ON_WHITE)
        note = f"Picture {going.made + 1} of {params.count}" if params.count > 1 else ""
        size = ground.image.size if ground else (params.width, params.height)
        begun = Drawing(seeds, *size, params.steps, first=going.made * plan.each, total=plan.total, note=note, track=track, notes=going.notes, said=going.said, seamless=params.tiling)
        if ground:
            strength = passes(params.steps, params.denoising_strength, second=False)[1] if params.conventions == "AUTOMATIC1111" else params.denoising_strength
            begun = Drawing(**(begun.__dict__ | {"strength": strength, "image": ground.image, "mask": ground.mask, "ground": ground, "others": others}))
        if ground and purposed(model.family, begun)[0] not in ("edit", "refer") and params.denoising_strength * params.steps < 1:
            pictures = [ground.image] * len(seeds)
        else:
            pictures = draw(model, params, begun, ctx)
        if ground:
            pictures = [set_back(ground, picture) for picture in pictures]
        if params.hires_scale > 1 and ctx.stopping != "finish":
            pictures = self._again(model, params, list(zip(seeds, pictures, strict=True)), begun, going, ctx)
        return [self._enlarged(picture, params, params.upscale, begun, begun.first + plan.each, ctx, enlarged_last) for picture in pictures]

    def _again(self, model: ImageModel, params: ImageParams, drawn: list[tuple[int, Image.Image]], begun: Any, going: Going, ctx: RunContext) -> list[Image.Image]:
        """The second pass: each finished picture, larger, drawn again from part of the way, by its own model where one is named."""
        told = second_pass(params)
        with other_model(model, params, going, ctx) as other:
            if (told.prompt, other) != (params.prompt, model):
                dress(other, told, ctx.catalog)
            return [picture for number, (seed, one) in enumerate(drawn) for picture in self._redrawn(other, told.of_picture(number), seed, one, begun, ctx)]

    def _redrawn(self, model: ImageModel, params: ImageParams, seed: int, picture: Image.Image, begun: Any, ctx: RunContext) -> list[Image.Image]:
        from pipelines.image.nets.draw import Drawing, draw

        width, height = larger_size(params, picture.size, max(8, model.family.factor) if not params.hires_model else unit_of(model.family))
        steps = params.hires_steps or params.steps
        more = {"track": begun.track, "notes": begun.notes, "seamless": begun.seamless, "counted": steps, "before": params.steps, "first": begun.first + params.steps, "total": begun.total, "note": "High resolution"}
        resize = "Crop" if params.hires_width and params.hires_height else "Stretch"
        if model.family.only_again:  # it takes the picture as small as it is
            return [kept(begun.ground, picture, one, resize) for one in draw(model, params, Drawing((seed,), width, height, steps, 1.0, picture, **more), ctx)]
        large = to_size(self._enlarged(picture, params, params.hires_scale, begun, begun.first + params.steps, ctx), width, height, resize)
        if params.hires_strength * steps < 1:
            return [large]
        loops, strength = passes(steps, params.hires_strength, second=True) if params.conventions == "AUTOMATIC1111" else (steps, params.hires_strength)
        return [kept(begun.ground, large, one, resize) for one in draw(model, params, Drawing((seed,), width, height, loops, strength, large, **more), ctx)]

    def _enlarged(self, picture: Image.Image, params: ImageParams, scale: float, begun: Any, step: int, ctx: RunContext, how: Callable[..., Image.Image] = enlarged) -> Image.Image:
        """By the upscaler, as part of the job's progress; `step` are done. A finished picture is not lost by it: `how` is `enlarged_last` then."""
        if scale <= 1:
            return picture
        begun.track.begin("enlarge")
        made = how(picture, params.upscaler, scale, ctx, lambda share: ctx.progress(step, begun.total, "Enlarging", begun.track.share(share)), begun.notes)
        if made is not picture:
            begun.track.learn()
        return made

    def _ground(self, params: ImageParams, seed: int, ctx: RunContext) -> Ground | None:
        if not params.image:
            return None
        mask = open_picture(ctx.input(params.mask), "L") if params.mask else None
        return ground_of(params, (open_clear if params.layers else open_picture)(ctx.input(params.image)), mask, seed)

    def _artifact(self, params: ImageParams, told: ImageParams, seed: int, picture: Image.Image, entry: ModelEntry, ctx: RunContext, layer: int) -> Artifact:
        """`told` holds the words of this picture, `params` those that were written; `layer` is counted from 1, the lowest, and 0 where there are none."""
        about = {"model_title": entry.title, "model_hash": str(entry.details.get("sha256", "")), "version": "Seisei Studio"}
        unread = {} if any(family_of(one).negative for one in that_draw(params, entry, ctx.catalog)) else {"negative_prompt": ""}
        told, params = (one.model_copy(update=unread) for one in (told, params))
        text = write(told, seed, size=(params.width, params.height), written=params, credits=write_credits(told, entry, ctx.catalog), **about)
        facts = {"parameters": text, "seed": seed, "width": picture.width, "height": picture.height} | ({"prompt": told.prompt} if told.prompt != params.prompt else {})
        facts |= {"variation_seed": told.variation_seed} if told.variation_strength else {}
        facts |= {"layer": layer, "layers": params.layers} if layer else {}
        title = f"{title_of(told.prompt) or entry.title} {layer}/{params.layers}" if layer else title_of(told.prompt)
        return Artifact("image", png(picture, ctx.check), ".png", title.strip(), facts)


def advice(family: Family) -> dict[str, Any]:
    """What the family's makers advise, for the form; `unit` is what sides must be a multiple of."""
    sampler, schedule = choose(family.sampler, family.schedule, family.kind)
    return {"width": family.size, "height": family.size, "unit": unit_of(family), "steps": family.steps, "cfg_scale": family.cfg_scale, "upscale": family.upscale, "sampler": sampler.name, "schedule": schedule}


def traits(family: Family) -> dict[str, Any]:
    """What the family can do, for the form: it shows no control that would change nothing or be refused."""
    fitting = [sampler for sampler in SAMPLERS if sampler.kind in (family.kind, "any")]
    return {
        "family": family.key, "negative": family.negative, "encoder": family.weights, "variation": family.kind == "noise", "again": family.key != "tiny" and family.form != "refer",
        "edit": family.form == "edit", "cache": family.kind == "flow" and family.key != "sd3", "pag": bool(family.pag), "freeu": family.freeu, "layers": bool(family.layers), "several": family.pictures > 1,
        "seamless": family.seamless, "referenced": family.key in REFERENCED and family.form != "edit",
        "begins": family.form == "" or family.form == "inpaint" or (family.form == "refer" and "inpaint" in family.modes),
        "samplers": [sampler.name for sampler in fitting], "schedules": [name for name in SCHEDULES if any(name in sampler.accepted for sampler in fitting)],
        "adaptive": [sampler.name for sampler in fitting if sampler.loop == ADAPTIVE],
    }  # fmt: skip


def batches(params: ImageParams) -> list[tuple[int, ...]]:
    """The seeds, one by one, or all together where they have the same words."""
    return [tuple(seeds_of(params))] if params.together and not any(getattr(params, each) for each in PER_PICTURE.values()) else [(seed,) for seed in seeds_of(params)]


def seeds_of(params: ImageParams) -> list[int]:
    """Picture i of a batch has the seed of the first plus i; pictures that vary a seed all have it, and go to the variation seed plus i."""
    return [params.seed if params.variation_strength else (params.seed + number) % SEEDS for number in range(params.count)]


def expanded(params: Spoken, written: list[dict[str, Any]], expand: Callable[[str, int], str]) -> Spoken:
    """With the words that became of each picture's, which `written` holds with its seed; without, where nothing changed. Negative prompts have draws of their own."""
    changed: dict[str, list[str]] = {}
    for name, each in PER_PICTURE.items():
        before = [one[name] for one in written]
        try:
            after = [expand(words, one["seed"] + (SEEDS if "negative" in name else 0)) for words, one in zip(before, written, strict=True)]
        except StudioError as error:
            error.field = name if error.field == "prompt" else error.field
            raise
        if after != before:
            changed[each] = after
    return params.model_copy(update=changed)


def plan_of(params: ImageParams) -> Plan:
    return Plan(params.steps, (params.hires_steps or params.steps) if params.hires_scale > 1 else 0, params.count)


def title_of(prompt: str) -> str:
    """The prompt's first words: the picture's name in the gallery."""
    words = " ".join(prompt.split())
    return words if len(words) <= TITLE_LETTERS else words[: TITLE_LETTERS - 1].rsplit(" ", 1)[0] + "…"


def filled(params: ImageParams, catalog: Catalog) -> ImageParams:
    """With the model's own sizes and steps where the form leaves them to it, and the factor of the second pass that its own size asks for."""
    family = family_of(image_model(params.model, catalog))
    values: dict[str, Any] = {"width": params.width or family.size, "height": params.height or family.size, "steps": params.steps or family.steps, "upscale": params.upscale or family.upscale}
    values |= {"layers": layers_of(params, family), "cfg_scale": family.cfg_scale if params.cfg_scale < 0 else params.cfg_scale, "sampler": family.sampler if params.sampler == AUTOMATIC else params.sampler}
    whole = params.model_copy(update=values)
    with contextlib.suppress(BadInput):  # told when it is settled
        return scaled(whole)
    return whole


def is_guided(params: ImageParams, family: Family) -> bool:
    """Whether a step costs what it usually does: where guidance was taught, the CFG scale changes nothing of that."""
    return not family.negative or params.cfg_scale > 1


def layers_of(params: ImageParams, family: Family) -> int:
    """Into how many a picture is taken apart; 0 for a family that makes none, whatever an earlier model's control says."""
    return family.layers and (params.layers or family.layers)


def rungs(params: ImageParams, entry: ModelEntry, family: Family, catalog: Catalog, device: str) -> list[Placement]:
    """The ways in which this job can be done on a device, fastest first. A seamless picture's edges meet only where it is decoded whole."""
    size = item_bytes(device, params.precision)
    width = (params.width or family.size) + params.extend_left + params.extend_right
    height = (params.height or family.size) + params.extend_top + params.extend_bottom
    pixels = width * height * params.hires_scale**2 * (params.count if params.together else 1) * looked(layers_of(params, family))
    seen = replace(family, activation=family.activation * asked_of(params, family))
    found = ladder(footprint(entry, size, beside(entry, family, catalog), with_prior(entry, catalog)), work_of(seen, pixels, device, size), device)
    return [rung for rung in found if not (params.tiling and rung.tiled)]


def asked_of(params: ImageParams, family: Family) -> float:
    """How much more the network is asked in a step than for the prompt and the negative one: a third answer for PAG, one picture more for each that is looked at."""
    return (1.5 if params.pag_scale else 1.0) * (2.0 + len(params.more_images) if family.form == "refer" and params.image and not family.layers else 1.0)


def beside(entry: ModelEntry, family: Family, catalog: Catalog) -> dict[str, Part]:
    """The parts that a network's single file is put together with; {} where it is whole, or where some are missing."""
    try:
        if not is_assembled(entry, family.key):
            return {}
        return parts_of(entry, family.key, catalog)
    except StudioError:
        return {}


def with_prior(entry: ModelEntry, catalog: Catalog) -> ModelEntry | None:
    """The other half of the model; None where there is none, or none is needed."""
    try:
        return prior_of(entry, catalog)
    except StudioError:
        return None


def company_bytes(params: ImageParams, catalog: Catalog) -> int:
    """Of the control networks, the reference picture's adapter, the second model, that of the second pass and the upscaler. Raises ModelMissing, BadInput."""
    others = {"refiner": params.refiner, "hires_model": params.hires_model if params.hires_scale > 1 else ""}
    named_bytes = sum(named(name, "image", field, catalog).bytes for field, name in others.items() if name)
    return control_bytes(params, catalog) + named_bytes + upscaler_bytes(params.upscaler, (params.hires_scale, params.upscale), catalog, "cpu")


def dress(model: ImageModel, params: ImageParams, catalog: Catalog) -> None:
    """The prompt's small networks on the model, and on a second one of its family."""
    from pipelines.image.nets.lora import apply_loras, wanted_loras

    second = model.company.second if model.company else None
    for worn in (model, *([second] if second and second.family.key == model.family.key else [])):
        apply_loras(worn, wanted_loras(networks(parse(params.prompt)), worn, catalog))


def out_of_memory() -> ModelTooLarge:
    return ModelTooLarge("There was not enough memory for this picture, also in the smallest way.", hint="Choose a smaller size, fewer pictures drawn together, or a smaller model.", field="width")


def second_of(params: ImageParams, ctx: RunContext) -> Callable[[], AbstractContextManager[ImageModel]] | None:
    """How the second model is lent, if one is named."""
    if not params.refiner:
        return None
    entry = ctx.model(params.refiner)
    family = family_of(entry)
    own = params.model_copy(update={"vae": ""})
    placement = choose_placement(rungs(own, entry, family, ctx.catalog, ctx.device), ctx.models.room)
    return lambda: ctx.models.use(model_spec(entry, family, own, placement, ctx))


@contextlib.contextmanager
def other_model(model: ImageModel, params: ImageParams, going: Going, ctx: RunContext) -> Iterator[ImageModel]:
    """The model of the second pass, lent for it; the first one where none is named. What guides the first one guides one of its family too."""
    if not params.hires_model:
        yield model
        return
    from pipelines.image.nets.company import Company
    from pipelines.image.nets.sketch import attach

    entry = ctx.model(params.hires_model)
    family, own = family_of(entry), params.model_copy(update={"vae": ""})
    placement = choose_placement(rungs(own, entry, family, ctx.catalog, ctx.device), ctx.models.room - going.placement.weights)
    with ctx.models.use(model_spec(entry, family, own, placement, ctx), working=placement.working) as other:
        attach(other, preview_decoder(family.key, ctx.catalog))
        other.place(placement)
        other.company = Company(guides=model.company.guides)
        try:
            yield other
        finally:
            other.company = None


def model_spec(entry: ModelEntry, family: Family, params: ImageParams, placement: Placement, ctx: RunContext) -> ModelSpec[ImageModel]:
    """How the worker loads it; a VAE of one's own, how much of it is on the device and its precision are part of the model's identity."""
    decoder = ctx.model(params.vae) if params.vae else None
    prior = prior_of(entry, ctx.catalog)
    parts = parts_of(entry, family.key, ctx.catalog, decoder) if is_assembled(entry, family.key) else None

    def load(report: Any) -> ImageModel:
        import torch

        from pipelines.image.nets.model import load as load_model

        torch.set_num_threads(ctx.threads)
        half = torch.float16 if family.kind == "noise" and ctx.device != "cpu" else torch.bfloat16
        dtype = half if item_bytes(ctx.device, params.precision) == 2 else torch.float32
        try:
            return load_model(
                Path(entry.path), family, entry.key, device=ctx.device, dtype=dtype, report=report, vae=Path(decoder.path) if decoder else None, parts=parts, held=placement.held, prior=Path(prior.path) if prior else None
            )
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError) as error:
            if ran_out(error):
                raise
            raise ModelBroken(f"“{entry.title}” can't be loaded: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}.", hint="Download it again, or choose another model.", field="model") from error

    whose = entry.key + (f" @ {decoder.key}" if decoder else "")
    how = [placement.held if placement.held != "all" else "", params.precision if params.precision != "Automatic" else ""]
    return ModelSpec(" @ ".join([whose, *(word for word in how if word)]), placement.weights, load, group=whose)
