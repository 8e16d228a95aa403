"""Control networks, adapters and reference pictures: bare diffusers' pictures in every mode, from every form of file; nothing is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.annotate.methods import Preparation
from pipelines.image.annotate.prepare import plain
from pipelines.image.edges import canny
from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture, png
from pipelines.image.samplers import choose, scheduler_config
from studio.api import StudioError
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_controlnet, make_flow_controlnets, make_flux, make_sd1, make_sd3, make_sdxl

SIDE, STEPS = 32, 4
pytestmark = pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")  # diffusers' own ControlNet of FLUX imports it so


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch
    from diffusers import T2IAdapter

    root = tmp_path_factory.mktemp("control")
    for name, make in (("sd1", make_sd1), ("sdxl", make_sdxl), ("flux", make_flux)):
        make(root / "models" / name)
    make_sd3(root / "models" / "sd3", layers=2)  # the last one is not guided
    make_flow_controlnets(root / "models")
    make_sd1(root / "models" / "crossed", down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))  # as the released ones: no attention at the end
    folder = root / "models" / "controlnet"
    make_controlnet(folder / "edges")
    make_controlnet(folder / "depth", 12)
    make_controlnet(folder / "edges-xl", 13, xl=True)
    torch.manual_seed(14)
    T2IAdapter(in_channels=3, channels=[32, 64], num_res_blocks=1, downscale_factor=2, adapter_type="full_adapter").save_pretrained(folder / "sketch")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


@pytest.fixture
def guide(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(png(drawing()))


def drawing() -> Image.Image:
    """A light disc on a dark slope."""
    y, x = np.mgrid[:SIDE, :SIDE]
    grey = np.where((x - 14) ** 2 + (y - 17) ** 2 < 70, 230, 40 + x * 2).astype(np.uint8)
    return Image.fromarray(np.stack([grey, grey // 2, 255 - grey], -1))


def picture() -> Image.Image:
    ramp = np.linspace(0, 255, SIDE, dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(ramp, (SIDE, 1)), np.tile(ramp[:, None], (1, SIDE)), np.full((SIDE, SIDE), 90, np.uint8)], -1))


def mask() -> Image.Image:
    made = Image.new("L", (SIDE, SIDE), 0)
    made.paste(255, (8, 8, 24, 24))
    return made


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": STEPS, "seed": 5, "cfg_scale": 4.0, "upscale": 1.0, "model": "sd1", "sampler": "DPM++ 2M"} | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


@lru_cache
def part(kind: str, path: Path) -> Any:
    import diffusers

    return getattr(diffusers, kind).from_pretrained(path)


def bare(queue: JobQueue, kind: str, model: str = "sd1", parts: dict[str, Any] | None = None, **call: Any) -> np.ndarray:
    """diffusers' own pipeline of that class, its own loop."""
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = getattr(diffusers, kind).from_pretrained(queue.catalog.roots[0] / model, dtype=torch.float32, **(parts or {}))
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("Flow Euler" if model in ("sd3", "flux") else "DPM++ 2M", "Automatic", family_of(queue.catalog.find(model)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    made = pipe(prompt="a red cat", num_inference_steps=STEPS, guidance_scale=4.0, generator=torch.Generator().manual_seed(5), **call).images
    if call.get("output_type") == "latent":
        with torch.no_grad():
            made = diffusers.image_processor.VaeImageProcessor().postprocess(pipe.vae.decode(made / pipe.vae.config.scaling_factor).sample)
    return np.asarray(made[0])


def nets(queue: JobQueue, *names: str) -> list[Any]:
    return [part("ControlNetModel", queue.catalog.roots[0] / "controlnet" / name) for name in names]


# -- ControlNet --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "name", "prefix"), [("sd1", "edges", "StableDiffusion"), pytest.param("sdxl", "edges-xl", "StableDiffusionXL", marks=pytest.mark.slow)])
def test_each_mode_is_bare_diffusers_with_a_controlnet(queue: JobQueue, guide: str, model: str, name: str, prefix: str) -> None:
    plain = drawn(queue, model=model)
    control = {"model": model, "control_model": f"controlnet/{name}", "control_image": guide, "control_weight": 0.8}
    (net,) = nets(queue, name)
    size = {"width": SIDE, "height": SIDE}
    more = {"controlnet_conditioning_scale": 0.8}
    mine = drawn(queue, **control)
    assert same(mine, bare(queue, f"{prefix}ControlNetPipeline", model, {"controlnet": net}, image=drawing(), **more, **size)) and not same(mine, plain)
    ground = {"image": queue.desk.inputs.keep(png(picture())), "denoising_strength": 0.5}
    theirs = bare(queue, f"{prefix}ControlNetImg2ImgPipeline", model, {"controlnet": net}, image=picture(), control_image=drawing(), strength=0.5, **more, **size)
    assert same(drawn(queue, **control, **ground), theirs)
    masked = ground | {"mask": queue.desk.inputs.keep(png(mask())), "mask_blur": 0, "denoising_strength": 0.75}
    theirs = bare(queue, f"{prefix}ControlNetInpaintPipeline", model, {"controlnet": net}, image=picture(), mask_image=mask(), control_image=drawing(), strength=0.75, **more, **size)
    inside = np.asarray(mask()) > 127
    assert (drawn(queue, **control, **masked)[inside] == theirs[inside]).all()
    assert same(drawn(queue, model=model), plain), "nothing is left of it"


def test_two_units_with_their_share_of_the_steps_are_bare_diffusers(queue: JobQueue, guide: str) -> None:
    other = queue.desk.inputs.keep(png(picture()))
    mine = drawn(
        queue, control_model="edges", control_image=guide, control_weight=0.7, control_end=0.5, control3_model="controlnet/depth", control3_image=other, control3_weight=1.2, control3_start=0.25,
    )  # fmt: skip
    theirs = bare(
        queue, "StableDiffusionControlNetPipeline", "sd1", {"controlnet": nets(queue, "edges", "depth")}, image=[drawing(), picture()], controlnet_conditioning_scale=[0.7, 1.2], control_guidance_start=[0.0, 0.25],
        control_guidance_end=[0.5, 1.0], width=SIDE, height=SIDE,
    )  # fmt: skip
    assert same(mine, theirs)


@pytest.mark.parametrize("field", ["control", *(pytest.param(name, marks=pytest.mark.slow) for name in ("control2", "control3"))])
def test_every_field_of_a_unit_changes_the_picture(queue: JobQueue, guide: str, field: str) -> None:
    base = {f"{field}_model": "controlnet/edges", f"{field}_image": guide}
    first = drawn(queue, **base)
    seen = [drawn(queue), first]
    changes = {"model": "controlnet/depth", "image": queue.desk.inputs.keep(png(picture())), "process": "Canny", "detail": 0.1, "weight": 0.4, "start": 0.5, "end": 0.5}
    for name, value in changes.items():
        made = drawn(queue, **(base | {f"{field}_{name}": value} | ({f"{field}_process": "Blur"} if name == "detail" else {})))
        assert not any(same(made, other) for other in seen), name
        seen.append(made)
    assert same(drawn(queue, **(base | {f"{field}_weight": 0.0})), seen[0])


def test_prompts_side_by_side_are_guided_too(queue: JobQueue, guide: str) -> None:
    """Two equal prompts at scale 3 are one at scale 6, with a ControlNet as without."""
    control = {"control_model": "controlnet/edges", "control_image": guide}
    twice, once = (drawn(queue, prompt=prompt, cfg_scale=scale, **control).astype(int) for prompt, scale in (("a red cat AND a red cat", 3.0), ("a red cat", 6.0)))
    assert np.abs(twice - once).max() <= 1
    assert not same(drawn(queue, prompt="[a red cat:a blue dog:0.5]", **control), drawn(queue, prompt="[a red cat:a blue dog:0.5]"))


def test_without_a_picture_of_its_own_a_unit_takes_the_one_to_begin_from(queue: JobQueue) -> None:
    begun = {"image": queue.desk.inputs.keep(png(picture())), "denoising_strength": 0.5, "control_model": "controlnet/edges"}
    assert same(drawn(queue, **begun), drawn(queue, **begun, control_image=begun["image"]))


def test_the_guide_follows_the_masked_part_and_the_extension(queue: JobQueue, guide: str) -> None:
    from pipelines.image.control import Unit
    from pipelines.image.nets.control import Guide, picture_of
    from pipelines.image.pictures import Ground

    wide = drawing().resize((64, 64))
    unit = Guide(Unit("control", queue.catalog.find("controlnet/edges"), "", "None", 1.0, 0.0, 1.0), None, wide)
    ground = Ground(picture(), mask(), whole=picture().resize((64, 64)), box=(16, 8, 48, 40))
    part = picture_of(unit, ImageParams(only_masked=True), ground, (SIDE, SIDE))
    assert np.array_equal(np.asarray(part), np.asarray(wide.crop((16, 8, 48, 40))))
    longer = np.asarray(picture_of(unit, ImageParams(width=64, height=64, extend_left=16), None, (80, 64)))
    assert not longer[:, :16].any() and np.array_equal(longer[:, 16:], np.asarray(wide))


def test_single_files_in_both_layouts_are_read_from_their_headers(queue: JobQueue, guide: str, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from tests.ldm import controlnet_tensors

    for name, xl in (("small", False), ("small-xl", True)):
        net = sixty_four(tmp_path / name) if xl else make_controlnet(tmp_path / name, 21, groups=32)
        folder = queue.catalog.roots[0] / "controlnet"
        net.save_pretrained(folder / f"{name}-folder")
        save_file({key: value.contiguous() for key, value in net.state_dict().items()}, folder / f"{name}-own.safetensors")
        if not xl:
            save_file(controlnet_tensors(net), folder / f"{name}-original.safetensors")
    refresh(queue)
    values = {"control_image": guide, "control_weight": 0.8}
    wanted = drawn(queue, control_model="controlnet/small-folder", **values)
    for form in ("own", "original"):
        entry = queue.catalog.find(f"controlnet/small-{form}")
        assert entry.kind == "controlnet" and entry.details["class"] == "ControlNetModel" and entry.details["context"] == 32
        assert same(drawn(queue, control_model=entry.key, **values), wanted), form


def sixty_four(folder: Path) -> Any:
    """As released ones are: heads of 64, sizes told by 256 numbers each."""
    import torch
    from diffusers import ControlNetModel

    from pipelines.image.checkpoint import read_shapes
    from pipelines.image.nets.control import diffusers_config

    torch.manual_seed(3)
    net = ControlNetModel(
        block_out_channels=(32, 128), layers_per_block=2, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), attention_head_dim=(1, 2), cross_attention_dim=64, addition_embed_type="text_time",
        addition_time_embed_dim=256, projection_class_embeddings_input_dim=6 * 256 + 32, use_linear_projection=True, transformer_layers_per_block=(1, 2), conditioning_embedding_out_channels=(16, 32, 96),
    )  # fmt: skip
    net.save_pretrained(folder)
    found = diffusers_config(read_shapes(folder / "diffusion_pytorch_model.safetensors"))
    own = {name: list(value) if isinstance(value, tuple) else value for name, value in net.config.items()}
    assert {name: own[name] for name in found} == found
    return net


def refresh(queue: JobQueue) -> None:
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]


# -- T2I-Adapter -------------------------------------------------------------------------------------------------------


def test_a_t2i_adapter_is_bare_diffusers_and_serves_the_other_modes(queue: JobQueue, guide: str) -> None:
    plain = drawn(queue, model="crossed")
    values = {"model": "crossed", "control_model": "controlnet/sketch", "control_image": guide, "control_weight": 0.7}
    mine = drawn(queue, **values)
    net = part("T2IAdapter", queue.catalog.roots[0] / "controlnet" / "sketch")
    call = {"image": drawing(), "adapter_conditioning_scale": 0.7, "width": SIDE, "height": SIDE, "output_type": "latent"}  # its own decoding is a deprecated one
    apart = np.abs(mine.astype(int) - bare(queue, "StableDiffusionAdapterPipeline", "crossed", {"adapter": net}, **call))
    assert apart.max() <= 1 and (apart > 0).mean() < 0.005 and np.abs(mine.astype(int) - plain).max() > 3, "but for the rounding of single colours"
    begun = {"image": queue.desk.inputs.keep(png(picture())), "denoising_strength": 0.5}
    assert not same(drawn(queue, **begun, **values), drawn(queue, **begun, model="crossed"))
    assert not same(drawn(queue, **values, control_end=0.5), mine) and same(drawn(queue, model="crossed"), plain)


# -- the flow families -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("family", "kind"), [("sd3", "StableDiffusion3ControlNetPipeline"), ("flux", "FluxControlNetPipeline")])
def test_sd3_and_flux_are_guided_as_bare_diffusers_guides_them(queue: JobQueue, guide: str, family: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers draws the encoded guide at random; both sides take its mean here."""
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    plain = drawn(queue, model=family, sampler="Flow Euler")
    mine = drawn(queue, model=family, sampler="Flow Euler", control_model=f"controlnet/{family}-edges", control_image=guide, control_weight=0.8, control_end=0.5)
    net = part({"sd3": "SD3ControlNetModel", "flux": "FluxControlNetModel"}[family], queue.catalog.roots[0] / "controlnet" / f"{family}-edges")
    theirs = bare(queue, kind, family, {"controlnet": net}, control_image=drawing(), controlnet_conditioning_scale=0.8, control_guidance_end=0.5, width=SIDE, height=SIDE)
    assert same(mine, theirs) and not same(mine, plain)
    begun = {"image": queue.desk.inputs.keep(png(picture())), "denoising_strength": 0.5, "model": family, "sampler": "Flow Euler"}
    assert not same(drawn(queue, **begun, control_model=f"controlnet/{family}-edges"), drawn(queue, **begun))
    assert same(drawn(queue, model=family, sampler="Flow Euler"), plain), "nothing is left of it"


# -- the door ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "words", "hint"),
    [
        ({"control_model": "controlnet/edgs"}, "control_model", "not on this computer", "Did you mean edges"), ({"control_model": "controlnet/edges"}, "control_image", "no picture that guides", ""), ({"control2_image": "guide"}, "control2_model", "has no model", ""),
        ({"control_model": "controlnet/edges-xl", "control_image": "guide"}, "control_model", "reads text 64 wide", ""), ({"control_model": "controlnet/edges", "control_image": "guide", "control_start": 0.5, "control_end": 0.5}, "control_end", "end before it starts", ""),
        ({"control3_model": "edges", "control3_image": "guide", "model": "flux", "sampler": "Flow Euler"}, "control3_model", "another family", ""), ({"control_model": "sketch", "control_image": "guide", "model": "sdxl"}, "control_model", "another family", ""),
        ({"control_model": "sd1"}, "control_model", "not on this computer", ""), ({"control_model": "edges", "control_image": "0" * 64 + ".png"}, "control_image", "not here any more", ""),
    ],
)  # fmt: skip
def test_what_can_not_guide_is_refused_at_its_field_before_anything_is_loaded(queue: JobQueue, guide: str, values: dict[str, Any], field: str, words: str, hint: str) -> None:
    given = {name: guide if value == "guide" else value for name, value in values.items()}
    with pytest.raises(StudioError) as told:
        drawn(queue, **given)
    assert told.value.field == field and words in told.value.message and told.value.hint and hint in told.value.hint


def test_guides_are_counted_before_they_are_loaded(queue: JobQueue) -> None:
    def need(**values: Any) -> Any:
        return Generate().need(ImageParams(model="sd1", **values), queue.catalog)

    model, net = need().weight_bytes, queue.catalog.find("controlnet/edges").bytes
    assert need(control_model="edges").weight_bytes == model + net == need(control_model="edges", control2_model="edges").weight_bytes
    assert "not on this computer" in need(control_model="nowhere").missing


# -- preparing ---------------------------------------------------------------------------------------------------------


def test_canny_finds_a_thin_closed_edge_of_a_disc_and_nothing_else() -> None:
    y, x = np.mgrid[:64, :64]
    away = np.hypot(x - 31, y - 33)
    found = np.asarray(plain(Image.fromarray(np.where(away < 18, 220, 30).astype(np.uint8)), Preparation("Canny")).convert("L")) > 0
    assert np.abs(away[found] - 17.5).max() < 1.6, "only at its rim"
    around = {int(angle) % 24 for angle in np.degrees(np.arctan2(y - 33, x - 31))[found] // 15}
    assert around == set(range(24)) and found.sum() < 8 * 18, "all the way round, one pixel wide"


def test_canny_keeps_weak_edges_only_where_they_join_strong_ones() -> None:
    grey = np.full((40, 40), 100.0, np.float32)
    grey[:, 20:] += np.where(np.arange(40) < 20, 60.0, 40.0)[:, None]  # one edge, strong above, weak below
    grey[:, 32:] += 35.0  # a weak one for itself
    found = canny(grey) > 0
    assert found[2:38, 18:22].any(1).all() and not found[:, 30:].any()


def test_other_preparations_are_their_formulas() -> None:
    image = drawing()
    assert np.array_equal(np.asarray(plain(image, Preparation("Invert"))), 255 - np.asarray(image)) and np.array_equal(np.asarray(plain(image, Preparation("None"))), np.asarray(image))
    assert np.abs(np.asarray(plain(image, Preparation("Luminance"))).astype(float) - (np.asarray(image) @ [0.299, 0.587, 0.114])[..., None]).max() <= 1
