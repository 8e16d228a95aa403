"""FLUX and Stable Diffusion 3 as files: all in one, apart as ComfyUI's users have them, GGUF; each draws what its diffusers folder draws by bare diffusers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.pictures import open_picture
from studio.api import ModelBroken
from studio.jobs import JobQueue
from tests import dit
from tests.house import finish
from tests.image_models import image_queue

pytestmark = pytest.mark.slow
SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("parts")
    models = root / "models"
    makers = {"flux-dev": dit.make_flux(root), "flux-schnell": dit.make_flux(root, guidance=False), "sd3": dit.make_sd3(root, later=False), "sd35": dit.make_sd3(root)}
    for name, pipe in makers.items():
        pipe.save_pretrained(root / "folders" / name)
        dit.write_whole(pipe, models / "checkpoints" / f"{name}.safetensors")
    for name, pipe, kind in (("flux-q8", makers["flux-dev"], "Q8_0"), ("flux-q4", makers["flux-dev"], "Q4_0"), ("sd35-q8", makers["sd35"], "Q8_0")):
        dit.write_gguf(pipe, models / "unet" / f"{name}.gguf", kind)
    dit.write_apart(makers["flux-dev"], models, "flux1")
    dit.write_apart(makers["sd35"], models, "sd35-alone")
    made = image_queue(root / "data", models)
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def bare(queue: JobQueue, name: str) -> np.ndarray:
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = diffusers.DiffusionPipeline.from_pretrained(queue.catalog.roots[0].parent / "folders" / name, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return np.asarray(pipe(prompt="a red cat", width=SIDE, height=SIDE, num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator().manual_seed(5)).images[0])


@pytest.mark.parametrize(("model", "folder", "family"), [
    ("checkpoints/flux-dev", "flux-dev", "flux"), ("checkpoints/flux-schnell", "flux-schnell", "flux"), ("diffusion_models/flux1", "flux-dev", "flux"),
    ("checkpoints/sd3", "sd3", "sd3"), ("checkpoints/sd35", "sd35", "sd3"), ("diffusion_models/sd35-alone", "sd35", "sd3"),
])  # fmt: skip
def test_files_draw_what_their_folder_draws(queue: JobQueue, model: str, folder: str, family: str) -> None:
    entry = queue.catalog.find(model)
    assert (entry.kind, entry.architecture, entry.problem) == ("image", family, "")
    mine = drawn(queue, model)
    assert alike(mine, bare(queue, folder)) and mine.std() > 1


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal but for the last bit: the same weights at another place in memory are rounded differently, in bare diffusers too (the one mapped from a file, the other not)."""
    return one.shape == other.shape and int(np.abs(one.astype(int) - other).max()) <= 1


@pytest.mark.parametrize(("model", "folder", "family"), [("unet/flux-q8", "flux-dev", "flux"), ("unet/flux-q4", "flux-dev", "flux"), ("unet/sd35-q8", "sd35", "sd3")])
def test_gguf_networks_draw_what_their_spread_out_weights_draw(queue: JobQueue, model: str, folder: str, family: str) -> None:
    """Against bare diffusers whose network holds what the gguf package itself makes of the quantised weights."""
    import diffusers
    import gguf
    import torch

    from pipelines.image.nets.single_file import load_network
    from pipelines.image.parts import parts_of

    entry = queue.catalog.find(model)
    assert (entry.kind, entry.architecture, entry.format, entry.problem) == ("image", family, "gguf", "") and entry.dtype in ("Q8_0", "Q4_0")
    mine = drawn(queue, model)
    pipe = diffusers.DiffusionPipeline.from_pretrained(queue.catalog.roots[0].parent / "folders" / folder, dtype=torch.float32)
    plain = {tensor.name: torch.from_numpy(gguf.quants.dequantize(tensor.data, tensor.tensor_type).copy()) for tensor in gguf.GGUFReader(entry.path).tensors}
    path = queue.catalog.roots[0].parent / "spread" / f"{entry.title}.safetensors"
    dit.save(plain, path)
    part = parts_of(entry, family, queue.catalog)["network"]
    pipe.transformer = load_network(type(part)(path, "", part.config), torch.float32)
    pipe.set_progress_bar_config(disable=True)
    theirs = np.asarray(pipe(prompt="a red cat", width=SIDE, height=SIDE, num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator().manual_seed(5)).images[0])
    assert alike(mine, theirs) and (mine != drawn(queue, f"checkpoints/{folder}")).any(), "quantised weights are not the full ones"
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    loaded = next(lease for key, lease in worker.models._leases.items() if key == model)
    kinds = {type(value).__name__ for value in loaded.model.pipe.transformer.parameters()}
    assert "GGUFParameter" in kinds, "the weights stay quantised in memory"


def test_gguf_networks_of_other_families_say_so(queue: JobQueue, tmp_path: Path) -> None:
    import gguf

    from studio.scan import scan

    writer = gguf.GGUFWriter(tmp_path / "wan.gguf", "qwen_image")
    writer.add_tensor("x", np.zeros((2, 32), np.float32))
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    found = next(scan(tmp_path))
    assert found.kind == "image" and "not read yet" in found.problem


def test_what_is_missing_beside_a_network_is_told_before_anything_is_loaded(queue: JobQueue) -> None:
    models = queue.catalog.roots[0]
    for file, words, folder in (("text_encoder/t5xxl", "T5", "models/text_encoder"), ("text_encoder/clip_l", "CLIP L", "models/text_encoder"), ("vae/ae", "VAE", "models/vae")):
        path = models / f"{file}.safetensors"
        others = [other for other in (models / "vae").iterdir() if other != path] if file == "vae/ae" else []
        moved = [(path, path.with_suffix(".away")), *((other, other.with_suffix(".away")) for other in others)]
        for here, there in moved:
            here.rename(there)
        queue.catalog.refresh()
        with pytest.raises(ModelBroken, match=words) as told:
            queue.submit("image.generate", {"prompt": "x", "model": "diffusion_models/flux1"}, owner="local")
        assert told.value.field == "model" and folder in told.value.hint
        for here, there in moved:
            there.rename(here)
    queue.catalog.refresh()
    queue.submit("image.generate", {"prompt": "x", "model": "diffusion_models/flux1", "steps": 1, "width": SIDE, "height": SIDE, "upscale": 1.0}, owner="local").wait()


def test_a_network_of_the_wrong_width_takes_no_encoder_that_does_not_fit(queue: JobQueue, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    models = tmp_path / "models"
    shutil.copytree(queue.catalog.roots[0], models)
    wide = load_file(models / "diffusion_models" / "flux1.safetensors")
    import torch

    wide["txt_in.weight"] = torch.zeros(64, 48)
    save_file(wide, models / "diffusion_models" / "wide.safetensors")
    from studio.catalog import Catalog

    catalog = Catalog([models])
    from pipelines.image.parts import parts_of

    with pytest.raises(ModelBroken, match="T5"):
        parts_of(catalog.find("diffusion_models/wide"), "flux", catalog)
    assert parts_of(catalog.find("diffusion_models/flux1"), "flux", catalog)["t5"].path.name == "t5xxl.safetensors"


def test_flux_names_are_those_of_diffusers_at_the_releases_size() -> None:
    """Against diffusers' own conversion, which knows that size alone; on tensors without memory."""
    import diffusers
    import torch
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers

    from pipelines.image.nets.flux_layout import to_diffusers
    from pipelines.image.parts import flux_config

    with torch.device("meta"):
        network = diffusers.FluxTransformer2DModel(num_layers=2, num_single_layers=2, guidance_embeds=True)
    theirs = dit.flux_tensors(network)
    config = flux_config({name: tuple(value.shape) for name, value in theirs.items()}, "")
    mine = to_diffusers(dict(theirs), 3072)
    assert {name: value.shape for name, value in mine.items()} == {name: value.shape for name, value in convert_flux_transformer_checkpoint_to_diffusers(dict(theirs)).items()} == {name: value.shape for name, value in network.state_dict().items()}
    assert config["axes_dims_rope"] == [16, 56, 56] and {name: value for name, value in config.items() if name not in ("_class_name", "axes_dims_rope")} == {name: network.config[name] for name in config if name not in ("_class_name", "axes_dims_rope", "out_channels")} | {"out_channels": 64}


def test_t5s_tokens_are_googles(tmp_path: Path) -> None:
    """Token numbers as the T5 documentation of transformers gives them."""
    words = dit.t5_words(tmp_path)
    assert words("The <extra_id_0> walks in <extra_id_1> park").input_ids == [37, 32099, 10681, 16, 32098, 2447, 1]
    assert words("translate English to German: The house is wonderful.").input_ids == [13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1]


def _write_lora(queue: JobQueue, name: str, tensors: dict[str, np.ndarray]) -> None:
    import torch
    from safetensors.torch import save_file

    path = queue.catalog.roots[0] / "lora" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file({key: torch.from_numpy(value) for key, value in tensors.items()}, path)
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("model", "folder"), [("unet/flux-q8", "flux-dev"), ("unet/sd35-q8", "sd35")])
def test_a_low_rank_network_lies_beside_quantised_weights_and_one_that_changes_them_says_what_to_do(queue: JobQueue, model: str, folder: str) -> None:
    """As strong as on the spread-out weights: the picture moves as far as it does there, but for what quantising changes."""
    pick, layer = np.random.default_rng(4), f"transformer.{'single_transformer_blocks' if folder == 'flux-dev' else 'transformer_blocks'}.0.attn.to_v"
    pipe = queue.catalog.roots[0].parent / "folders" / folder
    wide = json.loads((pipe / "transformer" / "config.json").read_text())
    side = wide["num_attention_heads"] * wide["attention_head_dim"]
    noise = [pick.standard_normal((2, side)).astype(np.float32) for _ in range(4)]
    _write_lora(queue, "beside", {f"{layer}.lora_A.weight": noise[0], f"{layer}.lora_B.weight": np.ascontiguousarray(noise[1].T)})
    _write_lora(queue, "into", {f"{layer}.hada_w{n}_{p}": np.ascontiguousarray(value.T) if p == "a" else value for (n, p), value in zip(((1, "a"), (1, "b"), (2, "a"), (2, "b")), noise, strict=True)})
    plain = drawn(queue, model)
    mine, full = (drawn(queue, name, prompt="a red cat <lora:beside:4>") for name in (model, f"checkpoints/{folder}"))
    far = [np.abs(one.astype(int) - other).mean() for one, other in ((mine, plain), (mine, full))]
    assert far[0] > 2 * far[1], far
    job = queue.submit("image.generate", {"prompt": "a red cat <lora:into:1>", "width": SIDE, "height": SIDE, "steps": 1, "upscale": 1.0, "model": model}, owner="local").wait()
    assert job.error is not None and "are quantised" in job.error.message and job.error.field == "prompt"
    assert (drawn(queue, model) == plain).all(), "and nothing of it stays on"
