"""The later families, each drawn as bare diffusers draws it: words, pictures to begin from or to change, masks, Stop, previews; the table of all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.nets.processors import loaded
from pipelines.image.params import ImageParams
from pipelines.image.pictures import png
from studio.api import BadInput, NotFound
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, tokenizer
from tests.more_models import MAKERS

EIGHTH = ("hunyuan", "lumina", "lumina2", "glm")  # of eight pixels a latent
CHANGE = ("kontext", "zimage_omni", "qwenedit", "qwenedit_plus", "flux2_dev", "qwenimage21")
SEVERAL = ("zimage_omni", "qwenedit_plus", "flux2_dev", "qwenimage21")
BEGIN = ("kolors", "zimage", "qwenimage")
SCALE = {"zimage": 3.0, "zimage_omni": 3.0, "krea2": 3.0}  # of a CFG scale of 4, as their pipelines count it
DEAF = ("kontext", "ideogram4", "flux2_dev", "glm")  # to a negative prompt
pytestmark = [pytest.mark.filterwarnings("ignore:.*FluxPosEmbed.*:FutureWarning"), pytest.mark.filterwarnings("ignore:.*LoraLoaderMixin.*:FutureWarning"), pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch

    root = tmp_path_factory.mktemp("more")
    words = tokenizer(root / "words")
    for name, make in MAKERS.items():
        torch.manual_seed(1)
        make(words, root).save_pretrained(root / "models" / name)
    index = root / "models" / "prx" / "model_index.json"
    index.write_text(index.read_text().replace('"transformers",\n    "T5GemmaEncoder"', '"transformers.models.t5gemma.modeling_t5gemma",\n    "T5GemmaEncoder"'))
    index = root / "models" / "flux2_dev" / "model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"tokenizer": ["transformers", "PixtralProcessor"]}))
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at is brought to about a megapixel first: here to 64 × 64."""
    from diffusers.pipelines.flux import pipeline_flux_kontext
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_inpaint, pipeline_qwenimage_edit_plus
    from diffusers.pipelines.qwenimage21 import pipeline_qwenimage21

    monkeypatch.setattr(pipeline_flux_kontext, "PREFERRED_KONTEXT_RESOLUTIONS", [(64, 64)])
    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_inpaint):
        monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio: (64, 64, None))
    monkeypatch.setattr(pipeline_qwenimage21, "calculate_dimensions", lambda area, ratio: (64, 64, None))
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "calculate_dimensions", lambda area, ratio: (64, 64))


def side_of(model: str) -> int:
    return 64 if model in (*EIGHTH, *CHANGE) else 32


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "width": side_of(model), "height": side_of(model), "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(Image.open(queue.store.output(job.outputs[0]).path).convert("RGB"))


def bare(queue: JobQueue, model: str, mode: str = "text", prompt: str = "a red cat", pag: float = 0.0, freeu: dict[str, float] | None = None, **call: Any) -> np.ndarray:
    """diffusers alone."""
    import inspect

    import diffusers
    import torch

    torch.set_num_threads(1)
    folder = queue.catalog.roots[0] / model
    kinds = {"text": diffusers.AutoPipelineForText2Image, "image": diffusers.AutoPipelineForImage2Image, "inpaint": diffusers.AutoPipelineForInpainting, "": diffusers.DiffusionPipeline}
    pipe = loaded(kinds[mode], folder, dtype=torch.float32, **({"enable_pag": True} if pag else {}))
    pipe.set_progress_bar_config(disable=True)
    if freeu:
        pipe.unet.enable_freeu(**freeu)
    known, side = inspect.signature(type(pipe).__call__).parameters, side_of(model)
    guidance = {family_of(queue.catalog.find(model)).guidance: SCALE.get(model, 4.0)}
    fixed = {"max_area": side * side, "guidance_schedule": None, "use_resolution_binning": False, "clean_caption": False, "width": side, "height": side, "pag_scale": pag}
    negative = {} if model in DEAF else {"negative_prompt": ["fog"]}
    more = {name: value for name, value in fixed.items() if name in known}
    return np.asarray(pipe(**{"prompt": [prompt], "num_inference_steps": 3, "generator": torch.Generator().manual_seed(5)} | negative | guidance | more | call).images[0].convert("RGB"))


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


def ramp(side: int = 32) -> Image.Image:
    line = np.linspace(0, 255, side, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(line, (side, 1)), np.tile(line[::-1], (side, 1)), np.tile(line[:, None], (1, side))], -1))


def right_half(side: int) -> Image.Image:
    return Image.fromarray(np.where(np.arange(side)[None] >= side // 2, 255, 0).astype(np.uint8).repeat(side, 0))


@pytest.mark.slow
@pytest.mark.parametrize("model", [name for name in MAKERS if not name.startswith("qwenedit")])
def test_each_draws_what_bare_diffusers_draws(queue: JobQueue, model: str) -> None:
    mine = drawn(queue, model)
    assert alike(mine, bare(queue, model, "" if model == "zimage_omni" else "text")) and mine.std() > 1
    assert (drawn(queue, model, prompt="a blue dog") != mine).any(), "the words are heard"
    assert (drawn(queue, model, cfg_scale=1.0) != mine).any(), "the guidance is felt"
    assert model in DEAF or (drawn(queue, model, negative_prompt="blue") != mine).any()


@pytest.mark.slow
@pytest.mark.parametrize("model", BEGIN)
def test_they_go_over_pictures_and_masks_where_diffusers_does(queue: JobQueue, model: str) -> None:
    key = queue.desk.inputs.keep(png(ramp()))
    mine = drawn(queue, model, image=key, denoising_strength=0.7)
    assert alike(mine, bare(queue, model, "image", image=ramp(), strength=0.7))
    mask = right_half(32)
    masked = queue.desk.inputs.keep(png(mask))
    if model == "kolors":
        with pytest.raises(BadInput, match="fill no masks"):
            drawn(queue, model, image=key, mask=masked)
        return
    mine = drawn(queue, model, image=key, mask=masked, mask_blur=0, denoising_strength=1.0)
    wanted = bare(queue, model, "inpaint", image=ramp(), mask_image=mask, strength=1.0)
    assert alike(mine[:, 16:], wanted[:, 16:]) and (mine[:, :16] == np.asarray(ramp())[:, :16]).all()


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("model", ["zimage", "qwenimage", "sana", "lumina2", "cogview4"])
def test_heuns_steps_take_the_levels_that_a_pipeline_hands_over(queue: JobQueue, model: str) -> None:
    """At one step there is no second look: it is Euler's; with more the network looks again."""
    one, other = (drawn(queue, model, sampler=sampler, steps=1) for sampler in ("Flow Euler", "Flow Heun"))
    assert (one == other).all()
    assert (drawn(queue, model, sampler="Flow Heun") != drawn(queue, model, sampler="Flow Euler")).any()


@pytest.mark.parametrize("model", CHANGE)
def test_they_change_a_picture_that_they_look_at(queue: JobQueue, model: str, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoencoderKL

    key, other = (queue.desk.inputs.keep(png(picture)) for picture in (ramp(64), Image.new("RGB", (64, 64), (200, 40, 40))))
    mine = drawn(queue, model, image=key)
    if model == "zimage_omni":  # bare diffusers hands half precision to a decoder of full precision, and fails
        encode = AutoencoderKL.encode
        monkeypatch.setattr(AutoencoderKL, "encode", lambda self, pixels, **named: encode(self, pixels.to(self.dtype), **named))
    assert alike(mine, bare(queue, model, "", image=ramp(64))) and mine.std() > 1
    assert (drawn(queue, model, image=other) != mine).any(), "another picture with the same words gives another one: nothing of the first is remembered"
    assert (drawn(queue, model, image=key) == mine).all()
    for values, field in (({"image": key, "denoising_strength": 0.5}, "denoising_strength"), ({"image": key, "together": True, "count": 2}, "together"), ({"image": key, "hires_scale": 2.0}, "hires_scale"), ({"image": key, "width": 32}, "width")):
        with pytest.raises(BadInput) as told:
            drawn(queue, model, **values)
        assert told.value.field == field and told.value.hint and told.value.fix


@pytest.mark.slow
@pytest.mark.parametrize("model", SEVERAL)
def test_they_look_at_several_pictures_in_their_order(queue: JobQueue, model: str, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import AutoencoderKL

    red = Image.new("RGB", (96, 64), (200, 40, 40))
    first, second = (queue.desk.inputs.keep(png(picture)) for picture in (ramp(64), red))
    mine = drawn(queue, model, image=first, more_images=[second])
    if model == "zimage_omni":  # bare diffusers hands half precision to a decoder of full precision, and fails
        encode = AutoencoderKL.encode
        monkeypatch.setattr(AutoencoderKL, "encode", lambda self, pixels, **named: encode(self, pixels.to(self.dtype), **named))
    assert alike(mine, bare(queue, model, "", image=[ramp(64), red])) and mine.std() > 1
    assert (drawn(queue, model, image=first) != mine).any(), "the second one is seen"
    assert (drawn(queue, model, image=first, more_images=[""]) == drawn(queue, model, image=first)).all()


def test_several_pictures_are_refused_where_they_are_not_looked_at(queue: JobQueue) -> None:
    first, flat, still = (queue.desk.inputs.keep(png(picture)) for picture in (ramp(64), Image.new("RGB", (640, 64)), Image.new("RGB", (64, 65))))
    cases: list[tuple[str, dict[str, Any], str, str]] = [
        ("kontext", {"image": first, "more_images": [still]}, "more_images", "FLUX Kontext does not look at several pictures"), ("lumina", {"more_images": [still]}, "more_images", "Lumina does not look"),
        ("qwenedit_plus", {"image": first, "more_images": [still] * 3}, "more_images", "looks at 3 pictures at most; there are 4"), ("flux2_dev", {"image": first, "more_images": [still] * 6}, "more_images", "looks at 6 pictures at most; there are 7"),
        ("flux2_dev", {"image": first, "more_images": [flat]}, "more_images", "at most 8 times as long as wide"), ("flux2_dev", {"more_images": [still]}, "image", "no first one"),
        ("flux2_dev", {"image": first, "more_images": ["0" * 64 + ".png"]}, "more_images", "no longer"), ("qwenedit", {"image": first, "mask": first, "more_images": [still]}, "more_images", "does not look at several"),
    ]  # fmt: skip
    for model, values, field, words in cases:
        with pytest.raises(BadInput if words != "no longer" else NotFound) as told:
            queue.submit("image.generate", {"prompt": "a red cat", "width": 64, "height": 64, "model": model} | values, owner="local")
        assert told.value.field == field and (words in told.value.message or words == "no longer") and told.value.hint, told.value.message
    wanted = {"kontext": (False, False), "flux2_dev": (True, False), "qwenedit": (False, True), "qwenimage": (False, True), "lumina": (False, True)}
    traits = {name: Generate().need(ImageParams(prompt="x", model=name), queue.catalog).facts["traits"] for name in wanted}
    assert {name: (told["several"], told["begins"]) for name, told in traits.items()} == wanted


def test_each_picture_that_is_looked_at_takes_memory(queue: JobQueue) -> None:
    def working(count: int) -> int:
        return Generate().need(ImageParams(prompt="x", model="flux2_dev", image="0" * 64 + ".png", more_images=["1" * 64 + ".png"] * count, width=1024, height=1024), queue.catalog).working_bytes

    assert working(0) < working(1) < working(2)


def test_sizes_of_glm_image_are_those_that_both_its_halves_take(queue: JobQueue) -> None:
    with pytest.raises(BadInput, match="multiple of 32") as told:
        queue.submit("image.generate", {"prompt": "a red cat", "width": 80, "height": 64, "model": "glm"}, owner="local")
    assert told.value.field == "width" and told.value.fix


@pytest.mark.slow
def test_an_editor_without_a_picture_asks_for_one_and_fills_masks_where_it_can(queue: JobQueue, small: None) -> None:
    key, mask = queue.desk.inputs.keep(png(ramp(64))), right_half(64)
    masked = queue.desk.inputs.keep(png(mask))
    for model in ("qwenedit", "qwenedit_plus"):
        with pytest.raises(BadInput, match="changes a picture by what you write") as told:
            drawn(queue, model)
        assert told.value.field == "image"
    mine = drawn(queue, "qwenedit", image=key, mask=masked, mask_blur=0, denoising_strength=1.0)
    wanted = bare(queue, "qwenedit", "inpaint", image=ramp(64), mask_image=mask, strength=1.0)
    assert alike(mine[:, 32:], wanted[:, 32:]) and (mine[:, :32] == np.asarray(ramp(64))[:, :32]).all()
    with pytest.raises(BadInput, match="fill no masks"):
        drawn(queue, "qwenedit_plus", image=key, mask=masked)


@pytest.mark.slow
@pytest.mark.parametrize("model", MAKERS)
def test_each_shows_its_work_and_stops_between_steps(queue: JobQueue, model: str, small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The preview of the last step has the picture's proportions and, of one step, its latents are those that are decoded."""
    from pipelines.image.nets import draw, preview

    shown: list[Image.Image] = []
    plain = preview.picture

    def seen(*given: Any) -> Image.Image:
        shown.append(plain(*given))
        return shown[-1]

    monkeypatch.setattr(preview, "picture", seen)
    given = {"image": queue.desk.inputs.keep(png(ramp(64)))} if model.startswith("qwenedit") else {}
    wide = {"width": 2 * side_of(model)}
    drawn(queue, model, **given, **wide)
    assert shown and all(abs(picture.width - 2 * picture.height) <= 2 for picture in shown), [picture.size for picture in shown]
    steps: list[int] = []
    after = draw.Watch.after_step

    def stopping(watch: Any, pipe: Any, number: int, *rest: Any) -> Any:
        steps.append(number)
        queue.cancel(job.id, by="local")
        return after(watch, pipe, number, *rest)

    monkeypatch.setattr(draw.Watch, "after_step", stopping)
    job = queue.submit("image.generate", {"prompt": "a red cat", "width": side_of(model), "height": side_of(model), "steps": 9, "seed": 5, "model": model, **given}, owner="local")
    job.wait()
    assert job.state == "cancelled" and steps == [0]


def test_a_decoder_whose_channels_have_means_of_their_own_gives_colours_by_them() -> None:
    """As GLM-Image has it: the colours foretold from its scaled latents are those foretold from plain ones."""
    import torch

    from pipelines.image.nets import preview
    from tests.more_models import still_vae

    torch.manual_seed(3)
    mean, spread = [0.5, -1.0, 0.1, 2.0], [2.0, 0.5, 3.0, 1.0]
    vae = still_vae(latents_mean=mean, latents_std=spread, shift_factor=None, scaling_factor=1.0).eval()
    latents = torch.randn(4, 6, 6)
    scaled = (latents - torch.tensor(mean)[:, None, None]) / torch.tensor(spread)[:, None, None]
    plain, own = preview.picture(latents, preview.fit_colours(vae, 2), 2), preview.picture(scaled, preview.fit_colours(vae, 2, by_channel=True), 2)
    assert np.abs(np.asarray(plain).astype(int) - np.asarray(own)).max() <= 3 and np.asarray(own).std() > 1


def test_memory_is_counted_from_the_headers_of_every_part(queue: JobQueue) -> None:
    for model in MAKERS:
        files = (queue.catalog.roots[0] / model).glob("*/*.safetensors")
        need = Generate().need(ImageParams(prompt="x", model=model), queue.catalog)
        on_disk = sum(file.stat().st_size for file in files)
        assert need.missing == "" and 0.5 * on_disk < need.weight_bytes <= on_disk, model


def test_their_advice_is_their_makers(queue: JobQueue) -> None:
    def told(name: str) -> tuple[Any, ...]:
        family = family_of(queue.catalog.find(name))
        return family.title, family.kind, family.factor, family.steps, family.cfg_scale

    assert [told(name) for name in MAKERS] == [
        ("Kolors", "noise", 2, 50, 5.0), ("Z-Image", "flow", 2, 50, 5.0), ("Z-Image Omni", "flow", 2, 50, 5.0), ("Qwen-Image", "flow", 2, 50, 4.0), ("Qwen-Image-Edit", "flow", 2, 50, 4.0),
        ("Qwen-Image-Edit Plus", "flow", 2, 40, 4.0), ("FLUX Kontext", "flow", 2, 28, 3.5), ("Sana", "flow", 2, 20, 4.5), ("Hunyuan-DiT", "noise", 8, 50, 5.0), ("Lumina", "flow", 8, 30, 4.0), ("Lumina 2", "flow", 8, 30, 4.0),
        ("CogView 3", "noise", 2, 50, 5.0), ("CogView 4", "flow", 2, 50, 5.0), ("Ovis-Image", "flow", 2, 50, 5.0), ("PRX", "flow", 2, 28, 4.0), ("Krea 2", "flow", 2, 28, 5.5), ("Nucleus-Image", "flow", 2, 50, 4.0),
        ("Ideogram 4", "flow", 2, 48, 7.0), ("FLUX.2", "flow", 2, 50, 4.0), ("Qwen-Image 2.1", "flow", 16, 40, 4.0), ("GLM-Image", "flow", 8, 50, 1.5),
    ]  # fmt: skip
    folder = queue.catalog.roots[0]
    index = folder / "krea2" / "model_index.json"
    before = index.read_text()
    index.write_text(json.dumps(json.loads(before) | {"is_distilled": True}))
    assert told("krea2")[3:] == (8, 1.0)
    index.write_text(before)
    (folder / "zimage").rename(folder / "Z-Image-Turbo")
    queue.catalog.refresh()
    assert told("Z-Image-Turbo")[3:] == (9, 1.0)
    (folder / "Z-Image-Turbo").rename(folder / "zimage")
    queue.catalog.refresh()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["kolors", "sana", "hunyuan"])
def test_their_attention_is_perturbed_as_diffusers_does_it(queue: JobQueue, model: str) -> None:
    """Where diffusers does it: from words, not from pictures."""
    mine = drawn(queue, model, pag_scale=3.0)
    assert alike(mine, bare(queue, model, pag=3.0)) and (mine != drawn(queue, model)).any()
    assert (drawn(queue, model) == drawn(queue, model)).all()
    key = queue.desk.inputs.keep(png(ramp()))
    with pytest.raises(BadInput, match="PAG" if model == "kolors" else "draw from text only"):
        drawn(queue, model, pag_scale=3.0, image=key)


@pytest.mark.slow
def test_the_stages_of_kolors_are_weighed_as_diffusers_does_it(queue: JobQueue) -> None:
    scales = {"b1": 1.3, "b2": 1.4, "s1": 0.9, "s2": 0.2}
    plain, mine = drawn(queue, "kolors"), drawn(queue, "kolors", **{f"freeu_{name}": scale for name, scale in scales.items()})
    assert alike(mine, bare(queue, "kolors", freeu=scales)) and (mine != plain).any() and (drawn(queue, "kolors") == plain).all()
    with pytest.raises(BadInput, match="FreeU is not for Qwen-Image"):
        drawn(queue, "qwenimage", freeu_b1=1.3)


def test_the_page_of_families_is_what_the_pipeline_goes_by() -> None:
    from pipelines.image import handbook

    assert handbook.PAGE.read_text(encoding="utf-8") == handbook.page(), "run: python -m pipelines.image.handbook"


def test_the_page_names_every_family_that_diffusers_draws_pictures_with() -> None:
    """A new version of diffusers that brings one fails here: it is then supported, or refused with what to do instead."""
    from diffusers.pipelines import auto_pipeline

    from pipelines.image import handbook
    from pipelines.image.families import CLASSES
    from pipelines.image.others import OTHERS, refusal

    told = handbook.page()
    kinds = [kind.__name__ for name in ("TEXT2IMAGE", "IMAGE2IMAGE", "INPAINT") for kind in getattr(auto_pipeline, f"AUTO_{name}_PIPELINES_MAPPING").values()]
    bases = {kind.replace("Img2Img", "").replace("Inpainting", "").replace("Inpaint", "") for kind in kinds}
    bases -= {base for base in bases if "PAG" in base and f"`{base.replace('PAG', '')}`" in told}  # PAG is a column
    assert len(bases) > 40 and not [base for base in bases if f"`{base}`" not in told]
    for kind in {*kinds, *handbook.APART}:
        base = kind.replace("Img2Img", "").replace("Inpainting", "").replace("Inpaint", "")
        assert kind in CLASSES or base in OTHERS or len(refusal(kind)) > 20, kind


def test_each_family_has_a_tiny_model() -> None:
    from pipelines.image.others import OTHERS
    from tests import more_models, test_other_families

    made = "".join(Path(module.__file__ or "").read_text(encoding="utf-8") for module in (more_models, test_other_families))
    for name in (name for name in OTHERS if "PAG" not in name and "Decoder" not in name):
        assert f"return {name}(" in made or name.replace("Pipeline", "CombinedPipeline") in made, name
