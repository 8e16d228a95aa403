"""What else a picture was made with goes into the community's text and comes back from it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image import credits
from pipelines.image.credits import read_credits, write_credits
from pipelines.image.infotext import read, split_text, write
from pipelines.image.params import ImageParams
from studio.api import Catalog


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """Headers are all that is read of these."""
    from safetensors.numpy import save_file

    def zeros(**shapes: tuple[int, ...]) -> dict[str, np.ndarray]:
        return {name.replace("__", "."): np.zeros(shape, np.float16) for name, shape in shapes.items()}

    files = {
        "stable-diffusion/base": zeros(cond_stage_model__transformer__text_model__embeddings__token_embedding__weight=(4, 768), model__diffusion_model__a__attn2__to_k__weight=(2, 768)),
        "stable-diffusion/Other, one": zeros(cond_stage_model__transformer__text_model__embeddings__token_embedding__weight=(4, 768)), "lora/Line Art": zeros(lora_unet_a__lora_down__weight=(2, 2), lora_unet_a__lora_up__weight=(2, 2)),
        "embeddings/bad": zeros(emb_params=(2, 768)), "controlnet/edges": zeros(controlnet_cond_embedding__conv_in__weight=(2, 3, 3, 3)), "controlnet/ip-adapter_x": zeros(image_proj__proj__weight=(8, 16)),
    }  # fmt: skip
    for name, tensors in files.items():
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, path)
    return Catalog([tmp_path])


VALUES: dict[str, Any] = {
    "prompt": "a cat <lora:line art:0.5>", "negative_prompt": "bad, fog", "model": "stable-diffusion/base", "steps": 4, "sampler": "Euler", "refiner": "stable-diffusion/Other, one", "refiner_switch": 0.7, "control_model": "controlnet/edges", "control_process": "Canny",
    "control_weight": 0.8, "control_end": 0.5, "control3_model": "edges", "control3_process": "Invert", "control3_start": 0.25, "reference_model": "controlnet/ip-adapter_x", "reference_weight": 0.4,
}  # fmt: skip


def test_all_that_was_used_is_written_as_the_community_reads_it(catalog: Catalog, tmp_path: Path) -> None:
    pairs = write_credits(ImageParams(**VALUES), catalog.find("stable-diffusion/base"), catalog)
    raw = (tmp_path / "lora" / "Line Art.safetensors").read_bytes()
    tensors = hashlib.sha256(raw[8 + int.from_bytes(raw[:8], "little") :]).hexdigest()[:12]
    assert pairs["Lora hashes"] == f"line art: {tensors}" and pairs["TI hashes"] == f"bad: {hashlib.sha256((tmp_path / 'embeddings' / 'bad.safetensors').read_bytes()).hexdigest()[:12]}"
    assert pairs["Refiner"] == "Other, one" and pairs["Refiner switch at"] == "0.7"
    assert pairs["ControlNet 0"].startswith("Module: canny, Model: edges, Weight: 0.8, Resize Mode: Crop and Resize, Guidance Start: 0, Guidance End: 0.5,")
    assert "Model: ip-adapter_x" in pairs["ControlNet 2"] and "ControlNet 3" not in pairs
    assert write_credits(ImageParams(prompt="a cat", steps=4), catalog.find("stable-diffusion/base"), catalog) == {}


def test_hashes_that_the_background_has_found_are_not_reckoned_again(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Catalog(catalog.roots, known=lambda entry: {"sha256": "a" * 64, "autov3": "b" * 64})
    monkeypatch.setattr(credits, "_hashed", lambda *_: pytest.fail("no file is read"))
    pairs = write_credits(ImageParams(**VALUES), known.find("stable-diffusion/base"), known)
    assert pairs["Lora hashes"] == f"line art: {'b' * 12}" and pairs["TI hashes"] == f"bad: {'a' * 12}"


def test_what_only_the_second_pass_reads_is_written_too(catalog: Catalog) -> None:
    own = {"prompt": "a cat", "steps": 4, "hires_prompt": "a cat <lora:line art:1>", "hires_negative_prompt": "bad", "hires_model": "stable-diffusion/Other, one"}
    base = catalog.find("stable-diffusion/base")
    assert set(write_credits(ImageParams(**own, hires_scale=2.0), base, catalog)) == {"Lora hashes", "TI hashes"}
    assert write_credits(ImageParams(**own), base, catalog) == {}, "without a second pass they say nothing"


def test_it_comes_back(catalog: Catalog) -> None:
    params = ImageParams(**VALUES)
    text = write(params, 5, size=(64, 64), model_title="base", credits=write_credits(params, catalog.find("stable-diffusion/base"), catalog))
    values = read(text)
    wanted = {name: value for name, value in VALUES.items() if name.startswith(("refiner", "reference", "control_"))} | {"refiner": "Other, one", "control_model": "edges", "reference_model": "ip-adapter_x", "control2_model": "edges", "control2_process": "Invert", "control2_start": 0.25}
    assert {name: values[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Refiner: sd_xl_refiner_1.0 [7440042bbd], Refiner switch at: 0.8', {"refiner": "sd_xl_refiner_1.0", "refiner_switch": 0.8}),
        ('ControlNet 0: "Module: canny, Model: control_v11p_sd15_canny [d14c016b], Weight: 1, Resize Mode: Crop and Resize, Low Vram: False, Guidance Start: 0, Guidance End: 0.9, Pixel Perfect: True"', {"control_model": "control_v11p_sd15_canny", "control_process": "Canny", "control_weight": 1.0, "control_start": 0.0, "control_end": 0.9}),
        ('ControlNet 1: "preprocessor: none, model: a b [ab12], weight: 5, starting/ending: (0.1, 0.6), resize mode: Just Resize"', {"control_model": "a b", "control_process": "None", "control_weight": 2.0, "control_start": 0.1, "control_end": 0.6}),
        ('ControlNet: "Module: depth_midas, Model: None, Weight: 1"', {}),
        ('ControlNet 0: "Module: ip-adapter_clip_sd15, Model: ip-adapter_sd15 [6a3f6166], Weight: 0.5"', {"reference_model": "ip-adapter_sd15", "reference_weight": 0.5}),
        ('ControlNet 0: nonsense, Refiner switch at: much', {}),
    ],
)  # fmt: skip
def test_other_studios_texts_are_read(line: str, expected: dict[str, Any]) -> None:
    _, _, pairs = split_text(f"a cat\nSteps: 20, Sampler: Euler, Seed: 3, {line}")
    assert read_credits(pairs) == expected
