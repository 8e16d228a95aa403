"""Previews by a tiny autoencoder: found by its name, read in its own layout and in diffusers', used within its share of the time."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.parts import preview_decoder
from studio.catalog import Catalog
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue


def tiny() -> Any:
    """Enlarges twofold, as the decoder of the tiny test models does."""
    import torch
    from diffusers import AutoencoderTiny

    torch.manual_seed(8)
    return AutoencoderTiny(encoder_block_out_channels=(16, 16), decoder_block_out_channels=(16, 16), num_encoder_blocks=(1, 1), num_decoder_blocks=(2, 1)).eval()


def original(model: Any) -> dict[str, Any]:
    """The decoder as its makers publish it: numbered from 1, because squashing the input counts."""
    found = {}
    for name, value in model.decoder.state_dict().items():
        _, number, rest = name.split(".", 2)
        found[f"{int(number) + 1}.{rest}"] = value
    return found


@pytest.mark.parametrize("form", ["folder", "original", "original with encoder", "diffusers file"])
def test_each_form_draws_what_diffusers_decodes(tmp_path: Path, form: str) -> None:
    import torch
    from safetensors.torch import save_file

    from pipelines.image.nets.sketch import Sketch

    model = tiny()
    path = tmp_path / "taesd"
    if form == "folder":
        model.save_pretrained(path)
    else:
        path = path.with_suffix(".safetensors")
        named = {f"decoder.{name}": value for name, value in original(model).items()} | {"encoder.0.weight": torch.zeros(3)}
        save_file({"original": original(model), "original with encoder": named, "diffusers file": model.state_dict()}[form], path)
    latents = torch.randn(4, 8, 8)
    with torch.no_grad():
        theirs = ((model.decode(latents[None]).sample[0].clamp(-1, 1) + 1) / 2).mul(255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    sketch = Sketch(path, 0, "cpu", torch.float32)
    mine = np.asarray(sketch.picture(latents))
    assert mine.shape == (16, 16, 3) and np.abs(mine.astype(int) - theirs).max() <= 1 and mine.std() > 1 and sketch.seconds_per_latent > 0


def test_it_is_found_by_its_familys_name(tmp_path: Path) -> None:
    from tests.test_scan import tensors

    folder = tmp_path / "vae_approx"
    folder.mkdir()
    for name in ("taesdxl_decoder", "taesd_decoder", "taesd_encoder", "taef1"):
        (folder / f"{name}.safetensors").write_bytes(tensors({"1.weight": 8}))
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "taesd3.safetensors").write_bytes(tensors({"1.weight": 8}))
    catalog = Catalog([tmp_path])
    found = {family: entry.title if (entry := preview_decoder(family, catalog)) else "" for family in ("sd1", "sd2", "sdxl", "flux", "sd3", "other")}
    assert found == {"sd1": "taesd_decoder", "sd2": "taesd_decoder", "sdxl": "taesdxl_decoder", "flux": "taef1", "sd3": "", "other": ""}


def test_it_takes_at_most_three_hundredths_of_the_time() -> None:
    from pipelines.image.nets.sketch import SHARE, affordable

    now, spent = 0.0, 0.0
    last = 0.0
    for _ in range(2000):  # steps of 0.1 s, a preview of 0.05 s
        now += 0.1
        if affordable(0.05, now - last):
            now, spent, last = now + 0.05, spent + 0.05, now + 0.05
    assert 0 < spent / now <= SHARE
    assert not affordable(0.0, 1.0) and affordable(0.0, 3.5), "what nobody has measured yet waits"


def test_a_job_shows_it_once_its_cost_is_known(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    from tests.ldm import write_checkpoint
    from tests.test_single_file import make

    write_checkpoint(make(tmp_path, "sd1"), tmp_path / "models" / "stable-diffusion" / "plain.safetensors")
    (tmp_path / "models" / "vae_approx").mkdir()
    save_file(original(tiny()), tmp_path / "models" / "vae_approx" / "taesd_decoder.safetensors")
    queue = image_queue(tmp_path / "data", tmp_path / "models")
    queue.start()
    first = drawn(queue)
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    model = next(lease.model for lease in worker.models._leases.values())
    assert model.sketch is not None
    seen: list[Image.Image] = []
    real = model.sketch.picture

    def picture(latents: Any) -> Image.Image:
        seen.append(real(latents))
        time.sleep(0.001)
        return seen[-1]

    model.sketch.picture, model.sketch.seconds_per_latent = picture, 1e-9
    second = drawn(queue)
    assert seen and seen[-1].size == (32, 32) and (first == second).all(), "the preview leaves the picture as it is"
    (tmp_path / "models" / "vae_approx" / "taesd_decoder.safetensors").write_bytes(b"spoilt")
    queue.catalog.refresh()
    assert (drawn(queue) == first).all() and model.sketch is None
    finish(queue)


def drawn(queue: JobQueue) -> np.ndarray:
    from pipelines.image.pictures import open_picture

    job = queue.submit("image.generate", {"prompt": "x", "model": "stable-diffusion/plain", "width": 32, "height": 32, "steps": 30, "seed": 1, "upscale": 1.0}, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))
