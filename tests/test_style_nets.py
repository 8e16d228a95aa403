"""The style networks: equal to what ONNX Runtime made of the published graphs, in strips as in one piece, and often ready to stop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pipelines.image.nets import style_strips
from pipelines.image.nets.style import Painter, enlarging, load, paint_bytes
from pipelines.image.nets.style_reader import load as load_reader
from pipelines.image.style.flow import WEIGHTS
from pipelines.image.style.names import STYLES
from pipelines.image.style.tiles import WHOLE, way_of
from pipelines.image.training.style import fields, tensor
from tests.style_pictures import picture, waves

GOLDEN = json.loads((Path(__file__).parent / "fixtures" / "style_golden.json").read_text(encoding="utf-8"))
HALF = 0.003  # what half-precision weights may move a pixel of 0 … 1 on average; ONNX's are not rounded so


@pytest.fixture(scope="module")
def blend() -> Painter:
    return load(WEIGHTS / "multistyle26.safetensors", "cpu")


@pytest.fixture(scope="module")
def paint() -> Painter:
    return load(WEIGHTS / "arbitrary-paint.safetensors", "cpu")


def tensor_of(pixels: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]


def apart(made: torch.Tensor, golden: list[float], stride: int) -> Any:
    told = made[0].permute(1, 2, 0).numpy()[::stride, ::stride].ravel()
    return np.abs(told - np.array(golden))


def weighted(text: str) -> torch.Tensor:
    vector = torch.zeros(len(STYLES))
    for part in text.split(", "):
        number, _, weight = part.partition(": ")
        vector[int(number)] = float(weight or 1)
    return vector


@pytest.mark.parametrize("styles", GOLDEN["multistyle26"])
def test_the_26_styles_and_their_mixtures_are_those_of_onnx(blend: Painter, styles: str) -> None:
    made = blend.paint(tensor_of(waves(96, 128)), weighted(styles))
    found = apart(made, GOLDEN["multistyle26"][styles], 16)
    assert found.max() < 0.01 and found.mean() < HALF / 10


def test_any_style_is_read_and_painted_as_by_onnx(paint: Painter) -> None:
    golden = GOLDEN["arbitrary"]["float"]
    vector = load_reader(WEIGHTS / "arbitrary-read.safetensors", "cpu").read(tensor_of(waves(256, 256)[::-1, :, ::-1]))
    assert np.abs(vector.numpy() - np.array(golden["vector"])).max() < 0.02, "of numbers up to 3.2"
    found = apart(paint.paint(tensor_of(waves(384, 384)), torch.tensor(golden["vector"])), golden["picture"], 48)
    assert found.max() < 0.02 and found.mean() < HALF


def test_the_published_int8_graph_differs_by_its_rounding_only(paint: Painter) -> None:
    """It rounds to 256 steps between all layers; this picture, which is none of a camera, shows that more than photographs do."""
    golden = GOLDEN["arbitrary"]["int8"]
    vector = load_reader(WEIGHTS / "arbitrary-read.safetensors", "cpu").read(tensor_of(waves(256, 256)[::-1, :, ::-1]))
    assert np.corrcoef(vector.numpy(), golden["vector"])[0, 1] > 0.98
    made = paint.paint(tensor_of(waves(384, 384)), vector)[0].permute(1, 2, 0).numpy()[::48, ::48].ravel()
    assert np.corrcoef(made, golden["picture"])[0, 1] > 0.85


def test_doubling_and_convolving_is_done_on_the_small_picture_with_the_same_result() -> None:
    torch.manual_seed(3)
    weight, x = torch.randn(5, 4, 3, 3), torch.randn(1, 4, 7, 9)
    plain = F.conv2d(F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (1,) * 4, mode="reflect"), weight)
    small = F.pixel_shuffle(F.conv2d(F.pad(x, (1,) * 4, mode="replicate"), enlarging(weight)), 2)
    assert torch.allclose(plain, small, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(107, 160), (16, 16), (61, 34)])
@pytest.mark.parametrize("strip", [64, 1500, 2**17])
def test_strips_make_the_same_picture_as_one_piece(blend: Painter, paint: Painter, height: int, width: int, strip: int) -> None:
    pixels = np.asarray(picture(width, height))
    for painter, style in ((blend, weighted("19")), (paint, torch.tensor(GOLDEN["arbitrary"]["float"]["vector"]))):
        whole = paint_bytes(painter, pixels, style, lambda share: None)
        strips = style_strips.paint(painter, pixels, style, lambda share: None, strip=strip)
        assert whole.shape == strips.shape == (height, width, 3)
        assert np.abs(whole.astype(int) - strips).max() <= 1


def test_a_strip_has_no_statistics_of_its_own(paint: Painter) -> None:
    """Half black, half bright: strips that were normed alone would each be stretched to the same spread."""
    pixels = np.asarray(picture(96, 192)) // 8
    pixels[96:] += 180
    style = torch.tensor(GOLDEN["arbitrary"]["float"]["vector"])
    whole = style_strips.paint(paint, pixels, style, lambda share: None, strip=96 * 96)
    alone = np.concatenate([paint_bytes(paint, pixels[half], style, lambda share: None) for half in (slice(0, 96), slice(96, 192))])
    assert np.abs(whole.astype(int) - paint_bytes(paint, pixels, style, lambda share: None)).max() <= 1
    assert np.abs(whole.astype(int) - alone).mean() > 5, "or this picture would show nothing"


def test_progress_rises_and_each_step_is_a_chance_to_stop(blend: Painter) -> None:
    pixels = np.asarray(picture(320, 256))
    for strip in (0, 8192):
        told: list[float] = []
        if strip:
            style_strips.paint(blend, pixels, weighted("0"), told.append, strip=strip)
        else:
            paint_bytes(blend, pixels, weighted("0"), told.append)
        assert told == sorted(told) and told[0] < 0.05 and 0.8 < told[-1] <= 1
        assert len(told) > (100 if strip else 17)

        def stop(share: float) -> None:
            if share > 0.3:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            style_strips.paint(blend, pixels, weighted("0"), stop, strip=8192)


def test_the_way_is_whole_for_small_pictures_and_strips_for_large_or_little_memory() -> None:
    assert way_of(640 * 427, "cpu", 2**33).strip == 0
    large = way_of(24_000_000, "cpu", 2**33)
    assert large.strip == 2**17 and large.working < 1.7 * 2**30, "24 megapixels stay below 2 GB, with the program itself"
    assert way_of(WHOLE["cpu"], "cpu", 50_000_000).strip, "little memory"
    assert way_of(2_000_000, "cuda:0", 2**33).strip == 0 and way_of(24_000_000, "cuda", 2**33).strip > large.strip


def test_onnx_weights_are_read_without_its_package() -> None:
    message = b"\x08\x02\x08\x03\x10\x03\x42\x01w\x4a\x06\x01\x02\x03\xff\xfe\xfd"  # dims 2 and 3, int8, named w
    assert [number for number, _ in fields(message)] == [1, 1, 2, 8, 9]
    name, numbers = tensor(message)
    assert name == "w" and numbers.tolist() == [[1, 2, 3], [-1, -2, -3]]
    packed = tensor(b"\x0a\x02\x02\x01\x10\x01\x4a\x08\x00\x00\x80\x3f\x00\x00\x00\xc0")[1]
    assert packed.tolist() == [[1.0], [-2.0]]
