"""Weights kept smaller than they are computed with: scaled 8-bit floats and T5 in GGUF draw what the weights they stand for draw by bare diffusers; other forms say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.parts import T5_GGUF, Part, parts_of, t5_name
from studio.scan import scan, small_weights
from tests import dit
from tests.house import finish
from tests.image_models import image_queue
from tests.test_parts import SIDE, alike, drawn


def bare(pipe: Any) -> np.ndarray:
    import torch

    torch.set_num_threads(1)
    pipe.set_progress_bar_config(disable=True)
    return np.asarray(pipe(prompt="a red cat", width=SIDE, height=SIDE, num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator().manual_seed(5)).images[0])


@pytest.mark.slow
@pytest.mark.parametrize(("family", "later"), [("flux", False), ("flux", True), ("sd3", False)])
def test_scaled_networks_and_encoders_draw_what_their_weights_stand_for(tmp_path: Path, family: str, later: bool) -> None:
    import torch

    from pipelines.image.nets.single_file import load_network

    pipe, models = (dit.make_flux if family == "flux" else dit.make_sd3)(tmp_path), tmp_path / "models"
    network = dit.write_apart(pipe, models, "plain")
    tensors = (dit.flux_tensors if family == "flux" else dit.sd3_tensors)(pipe.transformer)
    meant = dit.write_scaled(tensors, models / "diffusion_models" / "scaled.safetensors", later=later)
    t5 = pipe.text_encoder_2 if family == "flux" else pipe.text_encoder_3
    t5_meant = dit.write_scaled({name: value for name, value in t5.state_dict().items() if "embed_tokens" not in name}, models / "text_encoder" / "t5xxl.safetensors", later=later)
    queue = image_queue(tmp_path / "data", models)
    queue.start()
    try:
        entry = queue.catalog.find("diffusion_models/scaled")
        assert (entry.kind, entry.architecture, entry.problem) == ("image", family, "") and queue.catalog.find("text_encoder/t5xxl").problem == ""
        mine = drawn(queue, "diffusion_models/scaled")
        plain = drawn(queue, "diffusion_models/plain")
        config = parts_of(entry, family, queue.catalog)["network"].config
    finally:
        finish(queue)
    pipe.transformer = load_network(Part(dit.save(meant, network), "", config), torch.float32)
    t5.load_state_dict(t5_meant, strict=False)
    assert alike(mine, bare(pipe)) and (mine != plain).any(), "scaled weights are not the full ones"


@pytest.mark.slow
def test_t5_in_gguf_reads_the_prompt(tmp_path: Path) -> None:
    pipe, models = dit.make_flux(tmp_path), tmp_path / "models"
    dit.write_apart(pipe, models, "flux1")
    (models / "text_encoder" / "t5xxl.safetensors").unlink()
    meant = dit.write_t5_gguf(pipe.text_encoder_2, models / "text_encoder" / "t5-v1_1-xxl-encoder-Q8_0.gguf")
    queue = image_queue(tmp_path / "data", models)
    queue.start()
    try:
        entry = next(entry for entry in queue.catalog.entries("text_encoder") if entry.format == "gguf")
        assert (entry.architecture, entry.problem) == ("t5", "")
        mine = drawn(queue, "diffusion_models/flux1")
    finally:
        finish(queue)
    plain = bare(pipe)
    pipe.text_encoder_2.load_state_dict(meant, strict=False)
    assert alike(mine, bare(pipe)) and (mine != plain).any(), "the quantised encoder is not the full one"


def test_a_scale_is_of_the_whole_matrix_or_of_each_row() -> None:
    import torch

    from pipelines.image.nets.spread import check_form, scaled

    weight = torch.tensor([[1.0, -2.0], [0.5, 448.0]]).to(torch.float8_e4m3fn)
    assert scaled(weight, torch.tensor(2.0), torch.float32).tolist() == [[2.0, -4.0], [1.0, 896.0]]
    assert scaled(weight, torch.tensor([[2.0], [0.5]]), torch.float16).tolist() == [[2.0, -4.0], [0.25, 224.0]]
    with pytest.raises(ValueError, match="scales"):
        scaled(weight, torch.ones(4), torch.float32)
    with pytest.raises(ValueError, match="nvfp4"):
        check_form(torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8))


@pytest.mark.parametrize(("names", "kind", "family", "words"), [
    ({"a.weight": [4, 4], "a.scale_weight": []}, "image", "flux", ""), ({"a.weight": [4, 4], "a.weight_scale": [4, 1]}, "text_encoder", "t5", ""), ({"a.weight": [4, 4]}, "image", "sd1", ""),
    ({"a.weight": [4, 4], "a.scale_weight": [1]}, "image", "sdxl", ""), ({"a.weight": [4, 4], "a.scale_weight": [1]}, "image", "hunyuan", "Scaled 8-bit"), ({"a.weight": [4, 2], "a.weight_scale": [4, 1], "a.weight_scale_2": []}, "image", "flux", "packed"),
    ({"a.weight": [4, 4], "a.weight_scale": [4, 2]}, "image", "flux", "in blocks"), ({"a.qweight": [4, 4]}, "image", "flux", "packed"), ({"a.weight": [8, 1], "a.weight.quant_state.bitsandbytes__nf4": [90]}, "image", "flux", "packed"),
])  # fmt: skip
def test_forms_that_are_not_read_are_told_from_the_header(names: dict[str, list[int]], kind: Any, family: str, words: str) -> None:
    told = small_weights(names, kind, family)
    assert words in told and bool(told) == bool(words)


def test_gguf_names_of_t5_are_transformers(tmp_path: Path) -> None:
    model = dit.t5()
    dit.write_t5_gguf(model, tmp_path / "text_encoder" / "t5.gguf")
    import gguf

    found = {t5_name(tensor.name) for tensor in gguf.GGUFReader(tmp_path / "text_encoder" / "t5.gguf").tensors}
    assert found == {name for name in model.state_dict() if "embed_tokens" not in name} and len(T5_GGUF) == 10
    assert next(scan(tmp_path)).kind == "text_encoder"
    with pytest.raises(KeyError):
        t5_name("dec.blk.0.attn_q.weight")
