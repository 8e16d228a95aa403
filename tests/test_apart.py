"""Networks of Stable Diffusion 1 and XL in GGUF and alone, and checkpoints of scaled 8-bit floats: they draw what bare diffusers draws with the weights that are meant."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.apart import SPREAD, is_apart
from pipelines.image.families import FAMILIES, family_of
from pipelines.image.footprint import footprint
from pipelines.image.generate import Generate, beside
from pipelines.image.params import ImageParams
from pipelines.image.parts import parts_of
from studio.api import ModelBroken
from studio.jobs import JobQueue
from studio.scan import scan
from tests.dit import clip_tensors, save, write_scaled
from tests.house import finish
from tests.image_models import image_queue
from tests.ldm import UNET, VAE, vae_name, write_checkpoint, write_gguf
from tests.test_single_file import drawn, make

SIDE = 32


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[JobQueue, dict[str, Any]]]:
    """The queue, and by model's key the pipeline with the weights that are meant."""
    from safetensors.torch import load_file

    root, meant = tmp_path_factory.mktemp("apart"), {}
    models = root / "models"
    for family, kind in (("sd1", "Q8_0"), ("sdxl", "Q4_0")):
        pipe = make(root, family)
        whole = write_checkpoint(pipe, models / "checkpoints" / f"{family}.safetensors")
        tensors = load_file(whole)
        scaled = write_scaled(tensors, models / "checkpoints" / f"{family}_fp8_scaled.safetensors", later=family == "sdxl")
        save({name.removeprefix(UNET): value for name, value in tensors.items() if name.startswith(UNET)}, models / "diffusion_models" / f"{family}_alone.safetensors")
        write_parts(pipe, models, family)
        meant[f"checkpoints/{family}"] = pipe
        meant[f"checkpoints/{family}_fp8_scaled"] = save(scaled, root / "spread" / f"{family}.safetensors")
        meant[f"unet/{family}-{kind}"] = write_gguf(pipe, models / "unet" / f"{family}-{kind}.gguf", kind)
    queue = image_queue(root / "data", models)
    queue.start()
    yield queue, meant
    finish(queue)


def write_parts(pipe: Any, models: Path, family: str) -> None:
    """Decoder and text encoders as files of their own."""
    levels = len(pipe.vae.config.block_out_channels)
    save({vae_name(name, levels).removeprefix(VAE): value[..., None, None] if value.ndim == 2 else value for name, value in pipe.vae.state_dict().items()}, models / "vae" / ("sdxl_vae.safetensors" if family == "sdxl" else "mse.safetensors"))
    save(clip_tensors(pipe.text_encoder, ""), models / "text_encoder" / "clip_l.safetensors")
    if family == "sdxl":
        save(clip_tensors(pipe.text_encoder_2, ""), models / "text_encoder" / "clip_g.safetensors")


def bare(pipe: Any) -> np.ndarray:
    """diffusers itself, with the settings of `drawn`."""
    import torch

    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, timestep_spacing="linspace")
    about = {"prompt": "a red cat", "negative_prompt": "fog", "width": SIDE, "height": SIDE, "num_inference_steps": 3, "guidance_scale": 5.0}
    return np.asarray(pipe(**about, generator=torch.Generator().manual_seed(5)).images[0])


@pytest.mark.parametrize(("family", "kind"), [("sd1", "Q8_0"), ("sdxl", "Q4_0")])
def test_a_gguf_network_draws_what_its_spread_out_weights_draw(made: tuple[JobQueue, dict[str, Any]], family: str, kind: str) -> None:
    queue, meant = made
    entry = queue.catalog.find(f"unet/{family}-{kind}")
    assert (entry.kind, entry.architecture, entry.format, entry.problem, entry.dtype) == ("image", family, "gguf", "", kind)
    pipe = meant[f"checkpoints/{family}"]
    full = {name: value.clone() for name, value in pipe.unet.state_dict().items()}
    pipe.unet.load_state_dict(meant[entry.key])
    expected = bare(pipe)
    pipe.unet.load_state_dict(full)
    mine = drawn(queue, entry.key)
    assert np.abs(mine.astype(int) - expected).max() <= 1 and mine.std() > 1
    assert (mine != drawn(queue, f"checkpoints/{family}")).any(), "quantised weights are not the full ones"


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_network_alone_is_put_together_with_what_fits_it(made: tuple[JobQueue, dict[str, Any]], family: str) -> None:
    """Its tiny network does not tell its family by the width of its words, as full-size ones do: it is given."""
    import torch

    from pipelines.image.nets.single_file import load_parts

    queue, meant = made
    entry = replace(queue.catalog.find(f"diffusion_models/{family}_alone"), architecture=family)
    assert is_apart(entry, family) and not is_apart(queue.catalog.find(f"checkpoints/{family}"), family)
    pipe, whole = load_parts(parts_of(entry, family, queue.catalog), FAMILIES[family], torch.float32, {}), meant[f"checkpoints/{family}"]
    for name in ("unet", "vae", "text_encoder", *(["text_encoder_2"] if family == "sdxl" else [])):
        own, other = getattr(pipe, name).state_dict(), getattr(whole, name).state_dict()
        assert own.keys() == other.keys() and all(torch.equal(own[key], other[key]) for key in own), name
    assert pipe.vae.config.scaling_factor == whole.vae.config.scaling_factor


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_scaled_8_bit_floats_are_read_with_their_scales(made: tuple[JobQueue, dict[str, Any]], family: str) -> None:
    queue, meant = made
    spread = queue.catalog.roots[0] / "checkpoints" / f"{family}_meant.safetensors"
    shutil.copy(meant[f"checkpoints/{family}_fp8_scaled"], spread)
    queue.catalog.refresh()
    mine = drawn(queue, f"checkpoints/{family}_fp8_scaled")
    assert (mine == drawn(queue, f"checkpoints/{family}_meant")).all() and (mine != drawn(queue, f"checkpoints/{family}")).any()


def test_it_is_told_that_gguf_takes_the_memory_of_the_whole_network(made: tuple[JobQueue, dict[str, Any]]) -> None:
    queue, _ = made
    entry, plain = queue.catalog.find("unet/sdxl-Q4_0"), queue.catalog.find("checkpoints/sdxl")
    pipeline = Generate()
    need = pipeline.need(ImageParams.parse({"prompt": "x", "model": entry.key}), queue.catalog)
    assert SPREAD in need.notes
    family = family_of(entry)
    network = footprint(entry, 4, beside(entry, family, queue.catalog)).network
    assert network == pytest.approx(footprint(plain, 4).network, rel=0.01) and network > 3 * entry.bytes


def test_what_is_missing_is_named_and_a_vae_of_the_other_family_is_not_taken(made: tuple[JobQueue, dict[str, Any]]) -> None:
    queue, _ = made
    for file, model, words in (("vae/sdxl_vae", "unet/sdxl-Q4_0", "“xl” in its name"), ("text_encoder/clip_g", "unet/sdxl-Q4_0", "CLIP G"), ("vae/mse", "unet/sd1-Q8_0", "vae-ft-mse")):
        path = queue.catalog.roots[0] / f"{file}.safetensors"
        path.rename(path.with_suffix(".away"))
        queue.catalog.refresh()
        with pytest.raises(ModelBroken, match=words) as told:
            queue.submit("image.generate", {"prompt": "x", "model": model}, owner="local")
        assert told.value.field == "model"
        path.with_suffix(".away").rename(path)
    queue.catalog.refresh()


def test_a_layout_or_purpose_that_is_not_read_says_so(made: tuple[JobQueue, dict[str, Any]], tmp_path: Path) -> None:
    import gguf

    queue, _ = made
    for number, (name, shape, words) in enumerate((("down_blocks.0.resnets.0.conv1.weight", (8, 4, 3, 3), "in a layout that is read"), ("input_blocks.0.0.weight", (32, 9, 3, 3), "layout that is read"))):
        path = queue.catalog.roots[0] / "unet" / f"odd{number}.gguf"
        writer = gguf.GGUFWriter(path, "sd1")
        writer.add_tensor(name, np.zeros(shape, np.float32))
        for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
            step()
        assert next(entry for entry in scan(queue.catalog.roots[0]) if entry.key == f"unet/odd{number}").problem == ""
        queue.catalog.refresh()
        with pytest.raises(ModelBroken, match=words):
            queue.submit("image.generate", {"prompt": "x", "model": f"unet/odd{number}"}, owner="local")
        path.unlink()
    queue.catalog.refresh()
