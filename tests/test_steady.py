"""Moving pictures without flicker: motion is found, painted frames go along with it, what is still stays still, what was hidden is painted anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from pipelines.image.style.steady import Steady

WIDTH, HEIGHT = 160, 112
Clip = list[tuple[Image.Image, Any]]


def ground(seed: int = 1) -> Image.Image:
    """Blots of many sizes, larger than a frame."""
    chance = np.random.default_rng(seed)
    made = sum(np.asarray(Image.fromarray(chance.integers(0, 256, (16 * 2**level // 2, 24 * 2**level // 2, 3), np.uint8)).resize((384, 256), Image.Resampling.BICUBIC), np.float32) / 2**level for level in range(4))
    return Image.fromarray(((made - made.min()) / (made.max() - made.min()) * 255).astype(np.uint8))


def clip(speed: tuple[float, float] = (0.0, 0.0), disc: int = 0, frames: int = 4) -> Clip:
    """Each frame with the mask of its disc, which goes `disc` pixels to the right from one to the next; the camera moves by `speed`; a camera's noise over all."""
    found, behind, front = [], ground(), ground(2)
    for number in range(frames):
        frame = behind.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, (1, 0, 60 + speed[0] * number, 0, 1, 60 + speed[1] * number), Image.Resampling.BICUBIC)
        large = Image.new("L", (4 * WIDTH, 4 * HEIGHT))
        if disc:
            ImageDraw.Draw(large).ellipse([4 * (20 + disc * number), 120, 4 * (60 + disc * number), 280], fill=255)
        mask = large.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
        frame.paste(front.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, (1, 0, 100 - disc * number, 0, 1, 60), Image.Resampling.BICUBIC), (0, 0), mask)
        noise = np.random.default_rng(number).normal(0, 1.5, (HEIGHT, WIDTH, 3))
        found.append((Image.fromarray((np.asarray(frame) + noise).clip(0, 255).round().astype(np.uint8)), np.asarray(mask)))
    return found


def flickering(frames: Clip) -> list[Image.Image]:
    """As if painted: the picture with other strokes in each frame."""
    made = []
    for number, (frame, _) in enumerate(frames):
        strokes = Image.fromarray(np.random.default_rng(100 + number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).filter(ImageFilter.GaussianBlur(1.5))
        made.append(Image.blend(frame, strokes, 0.5))
    return made


def warping_error(painted: list[Image.Image], shift: tuple[float, float], inside: list[Any]) -> float:
    """How far each frame is from the one before, moved as things truly moved; in bytes, where `inside`."""
    found = []
    for before, after, where in zip(painted, painted[1:], inside[1:], strict=False):
        moved = before.transform((WIDTH, HEIGHT), Image.Transform.AFFINE, (1, 0, shift[0], 0, 1, shift[1]), Image.Resampling.BICUBIC)
        apart = np.abs(np.asarray(moved, np.float32) - np.asarray(after, np.float32)).mean(2)
        found.append(apart[where].mean())
    return float(np.mean(found))


def steadied(frames: Clip, share: float = 0.8) -> tuple[list[Image.Image], list[Image.Image]]:
    plain, steady = flickering(frames), Steady(share)
    return plain, [steady.laid(frame, painted) for (frame, _), painted in zip(frames, plain, strict=True)]


def inner(margin: int = 14) -> Any:
    where = np.zeros((HEIGHT, WIDTH), bool)
    where[margin:-margin, margin:-margin] = True
    return where


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.5, -0.5), (6.0, 3.0), (14.0, -4.0)])
def test_a_shift_is_found(shift: tuple[float, float]) -> None:
    from pipelines.image.nets.motion import motion

    (before, _), (now, _) = clip(shift, frames=2)
    found = motion(now, before)
    x, y = (found.flow[number].numpy() * side for number, side in enumerate((WIDTH, HEIGHT)))
    where = inner(20)
    assert np.median(np.abs(x - shift[0])[where]) < 0.25 and np.median(np.abs(y - shift[1])[where]) < 0.25
    assert found.camera == (shift != (0, 0)) and float(found.believed.numpy()[where].mean()) > 0.8


@pytest.mark.parametrize("speed", [(1.5, 0.5), (6.0, -2.0)])
def test_under_a_moving_camera_strokes_go_along(speed: tuple[float, float]) -> None:
    frames = clip(speed)
    plain, steady = steadied(frames)
    where = [inner()] * len(frames)
    assert warping_error(steady, speed, where) < 0.6 * warping_error(plain, speed, where)


def test_before_a_still_ground_a_disc_takes_its_strokes_along() -> None:
    frames = clip(disc=9)
    plain, steady = steadied(frames)
    discs = [np.asarray(Image.fromarray(mask).filter(ImageFilter.MinFilter(9))) > 250 for _, mask in frames]
    away = [np.asarray(Image.fromarray(np.maximum(mask, before)).filter(ImageFilter.MaxFilter(21))) == 0 for (_, before), (_, mask) in zip([frames[0], *frames], frames, strict=False)]
    assert warping_error(steady, (-9, 0), discs) < 0.6 * warping_error(plain, (-9, 0), discs)
    assert warping_error(steady, (0, 0), away) < 0.4 * warping_error(plain, (0, 0), away)


def test_what_is_still_stays_pixel_by_pixel_however_much_moves_elsewhere() -> None:
    noisy = clip(disc=9)
    frames = [(Image.composite(frame, noisy[0][0], Image.fromarray(mask)), mask) for frame, mask in noisy]  # no noise on the ground
    _, steady = steadied(frames, share=1.0)
    ever = np.asarray(Image.fromarray(np.max([mask for _, mask in frames], axis=0)).filter(ImageFilter.MaxFilter(9))) > 0
    assert (~ever).mean() > 0.4
    for one in steady[1:]:
        assert (np.asarray(one)[~ever] == np.asarray(steady[0])[~ever]).all()


def test_what_comes_out_from_behind_is_painted_anew() -> None:
    frames = clip(disc=9)
    plain, steady = steadied(frames, share=1.0)
    from_plain, from_before = [], []
    for number in range(1, len(frames)):
        bare = (frames[number - 1][1] > 250) & (np.asarray(Image.fromarray(frames[number][1]).filter(ImageFilter.MaxFilter(5))) == 0)
        now, painted, before = (np.asarray(one, np.float32)[bare] for one in (steady[number], plain[number], steady[number - 1]))
        from_plain.append(np.abs(now - painted).mean())
        from_before.append(np.abs(now - before).mean())
    assert np.mean(from_plain) < 0.3 * np.mean(from_before)


def test_without_steadiness_nothing_stays() -> None:
    plain, steady = steadied(clip((1.5, 0.5)), share=0.0)
    assert all(one is other for one, other in zip(plain, steady, strict=True))
