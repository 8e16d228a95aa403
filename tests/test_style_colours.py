"""Colours: CIEDE2000 against its published pairs, L*a*b* there and back, and how near a styled picture stays to its own colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipelines.image.style.colours import LIGHTNESS, MATCHED, difference, kept, to_lab, to_rgb
from tests.style_pictures import painting, picture

# Sharma, Wu, Dalal, The CIEDE2000 Color-Difference Formula, 2005, table 1: L1 a1 b1, L2 a2 b2, the difference
PAIRS = """
50 2.6772 -79.7751 50 0 -82.7485 2.0425
50 3.1571 -77.2803 50 0 -82.7485 2.8615
50 2.8361 -74.02 50 0 -82.7485 3.4412
50 -1.3802 -84.2814 50 0 -82.7485 1.0000
50 -1.1848 -84.8006 50 0 -82.7485 1.0000
50 -0.9009 -85.5211 50 0 -82.7485 1.0000
50 0 0 50 -1 2 2.3669
50 -1 2 50 0 0 2.3669
50 2.49 -0.001 50 -2.49 0.0009 7.1792
50 2.49 -0.001 50 -2.49 0.0010 7.1792
50 2.49 -0.001 50 -2.49 0.0011 7.2195
50 2.49 -0.001 50 -2.49 0.0012 7.2195
50 -0.001 2.49 50 0.0009 -2.49 4.8045
50 -0.001 2.49 50 0.0010 -2.49 4.8045
50 -0.001 2.49 50 0.0011 -2.49 4.7461
50 2.5 0 50 0 -2.5 4.3065
50 2.5 0 73 25 -18 27.1492
50 2.5 0 61 -5 29 22.8977
50 2.5 0 56 -27 -3 31.9030
50 2.5 0 58 24 15 19.4535
50 2.5 0 50 3.1736 0.5854 1.0000
50 2.5 0 50 3.2972 0 1.0000
50 2.5 0 50 1.8634 0.5757 1.0000
50 2.5 0 50 3.2592 0.3350 1.0000
60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
"""


def test_the_difference_is_the_published_one_for_all_34_pairs() -> None:
    table = np.array([[float(number) for number in line.split()] for line in PAIRS.strip().splitlines()])
    assert len(table) == 34
    for one, other in ((table[:, :3], table[:, 3:6]), (table[:, 3:6], table[:, :3])):
        assert np.abs(difference(one, other) - table[:, 6]).max() < 0.00006


def test_lab_is_the_published_one_and_leads_back_to_the_same_bytes() -> None:
    primaries = to_lab(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [119, 119, 119]], np.uint8))
    wanted = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0], [0, 0, 0], [50.03, 0, 0]]  # sRGB, D65
    assert np.abs(primaries - np.array(wanted)).max() < 0.03
    pixels = np.random.default_rng(1).integers(0, 256, (64, 64, 3), np.uint8)
    assert (to_rgb(to_lab(pixels)) == pixels).all()


def test_a_colour_outside_keeps_its_lightness_and_hue() -> None:
    wild = np.array([[[60.0, 120.0, 40.0], [90.0, -90.0, -60.0]]], np.float32)
    back = to_lab(to_rgb(wild.copy()))
    assert np.abs(back[..., 0] - wild[..., 0]).max() < 1.5
    turn = np.degrees(np.arctan2(back[..., 2], back[..., 1]) - np.arctan2(wild[..., 2], wild[..., 1]))
    assert np.abs((turn + 180) % 360 - 180).max() < 3


def seen_apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean CIEDE2000 of blurred pictures: strokes vanish, colours stay."""
    blurred = (Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(max(pixels.shape) / 40)) for pixels in (one, other))
    first, second = (to_lab(np.asarray(image)) for image in blurred)
    return float(difference(first, second).mean())


@pytest.mark.parametrize("way", [LIGHTNESS, MATCHED])
@pytest.mark.parametrize("number", [1, 6, 8, 13, 17, 20])
def test_a_picture_in_foreign_colours_gets_its_own_again(way: str, number: int) -> None:
    content, styled = np.asarray(painting(12)), np.asarray(painting(number))
    assert seen_apart(content, styled) > 12, "far apart before"
    made = kept(content, styled, way)
    assert seen_apart(content, made) <= 5
    assert np.abs(made.astype(int) - content).mean() > 4, "the strokes of the style are there"


def test_lightness_only_takes_hues_from_the_content_and_matched_leaves_some_of_the_style() -> None:
    content, styled = np.asarray(painting(12)), np.asarray(painting(13))
    light, matched = (kept(content, styled, way) for way in (LIGHTNESS, MATCHED))
    own = to_lab(content)[..., 1:]
    inside = to_lab(light)[..., 0] > 25  # where sRGB has room for the colours
    hues = [np.abs(to_lab(made)[..., 1:] - own)[inside].mean() for made in (light, matched)]
    assert hues[0] < 1.5 and hues[1] > 3


def test_large_pictures_are_changed_band_by_band_without_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    content, styled = np.asarray(picture(240, 160)), np.asarray(painting(8).resize((240, 160)))
    at_once = kept(content, styled, MATCHED)
    monkeypatch.setattr("pipelines.image.style.colours.BAND", 240 * 7)
    calls: list[int] = []
    in_bands = kept(content, styled, MATCHED, lambda: calls.append(1))
    assert len(calls) == -(-160 // 7) and np.abs(at_once.astype(int) - in_bands).max() <= 1
