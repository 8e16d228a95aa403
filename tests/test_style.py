"""Styles as jobs: each control changes the picture, what can't be painted is refused at its field, and moving, clear, turned and foreign pictures come out right."""

from __future__ import annotations

import hashlib
import io
import json
import urllib.error
import urllib.request
import warnings
import zlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageSequence

from pipelines.image.style.any import AnyParams, AnyStyle
from pipelines.image.style.blend import Blend, BlendParams
from pipelines.image.style.content import resized
from pipelines.image.style.names import STYLES, read_styles
from studio.api import BadInput, Catalog, NotFound, Saved, StudioError
from studio.events import Progress
from studio.jobs import Job, JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue
from tests.running import running
from tests.style_pictures import encoded, painting, picture, pixels

BLEND, ANY = "image.style_blend", "image.style_any"
WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("style")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


@pytest.fixture(scope="module")
def content(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT))))


@pytest.fixture(scope="module")
def styles(queue: JobQueue) -> list[str]:
    return [queue.desk.inputs.keep(encoded(painting(number))) for number in (19, 3, 9)]


def submitted(queue: JobQueue, pipeline: str, **values: Any) -> Job:
    job = queue.submit(pipeline, values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return job


def made(queue: JobQueue, pipeline: str, **values: Any) -> Path:
    return Path(queue.store.output(submitted(queue, pipeline, **values).outputs[0]).path)


def painted(queue: JobQueue, pipeline: str = BLEND, **values: Any) -> np.ndarray:
    return pixels(made(queue, pipeline, **values))


def original(queue: JobQueue, key: str) -> np.ndarray:
    return pixels(queue.desk.inputs.path(key))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return one.shape == other.shape and bool((one == other).all())


# -- the controls ----------------------------------------------------------------------------------------------


def test_each_control_of_the_painted_styles_changes_the_picture(queue: JobQueue, content: str) -> None:
    plain = painted(queue, image=content, styles="Dusk")
    assert same(plain, painted(queue, image=content, styles="dusk: 3")), "the same settings give the same bytes, and one style is whole whatever its weight"
    mask = queue.desk.inputs.keep(encoded(Image.fromarray(np.uint8(np.arange(WIDTH)[None].repeat(HEIGHT, 0) < WIDTH // 2) * 255)))
    seen = [plain]
    for values in (
        {"styles": "7"}, {"styles": "Dusk: 0.5, Copper etching: 0.5"}, {"styles": "Dusk: 0.2, Copper etching: 0.8"}, {"strength": 0.5}, {"colours": "Lightness only"}, {"colours": "Matched"},
        {"mask": mask}, {"mask": mask, "mask_blur": 0}, {"size": 48}, {"stroke": 2.0}, {"stroke": 0.5}, {"size": 24, "upscale": 2.0}, {"size": 24, "upscale": 2.0, "upscaler": "Nearest"},
    ):  # fmt: skip
        picture = painted(queue, **({"image": content, "styles": "Dusk"} | values))
        assert not any(same(picture, other) for other in seen), values
        seen.append(picture)


def test_each_control_of_a_picture_s_style_changes_the_picture(queue: JobQueue, content: str, styles: list[str]) -> None:
    plain = painted(queue, ANY, image=content, style=styles[0])
    assert same(plain, painted(queue, ANY, image=content, style=styles[0], style_weight=0.3)), "one style is whole whatever its weight"
    seen = [plain]
    for values in (
        {"style": styles[1]}, {"style2": styles[1]}, {"style2": styles[1], "style2_weight": 0.3}, {"style2": styles[1], "style_weight": 0.3}, {"style2": styles[1], "style3": styles[2]},
        {"style2": styles[1], "style3": styles[2], "style3_weight": 0.2}, {"stroke": 2.0}, {"strength": 0.4}, {"colours": "Matched"},
    ):  # fmt: skip
        picture = painted(queue, ANY, **({"image": content, "style": styles[0]} | values))
        assert not any(same(picture, other) for other in seen), values
        seen.append(picture)
    assert same(painted(queue, ANY, image=content, style=styles[0], style2=styles[1], style2_weight=0.0), plain), "a weight of 0 is no style"


def test_all_26_styles_differ_and_have_a_name_and_a_thumbnail(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(encoded(picture(32, 32)))
    seen = {painted(queue, image=key, styles=name).tobytes() for name in STYLES}
    assert len(seen) == len(set(STYLES)) == 26
    blend = Blend()
    for about in blend.styles():
        with Image.open(io.BytesIO(blend.thumb(about["number"]))) as thumb:
            assert thumb.size == (160, 107) and thumb.format == "WEBP"
    with pytest.raises(NotFound):
        blend.thumb(26)


def test_strength_0_and_a_black_mask_leave_the_picture_as_it_was(queue: JobQueue, content: str) -> None:
    before = original(queue, content)
    assert same(painted(queue, image=content, strength=0.0), before)
    assert np.abs(painted(queue, image=content, strength=0.5) - (before + painted(queue, image=content)) / 2).max() <= 1
    black = queue.desk.inputs.keep(encoded(Image.new("L", (WIDTH, HEIGHT))))
    assert same(painted(queue, image=content, mask=black), before)


def test_the_mask_s_edge_is_soft_and_far_from_it_nothing_changes(queue: JobQueue, content: str) -> None:
    half = np.zeros((HEIGHT, WIDTH), np.uint8)
    half[:, WIDTH // 2 :] = 255
    mask = queue.desk.inputs.keep(encoded(Image.fromarray(half)))
    before, whole = original(queue, content), painted(queue, image=content, styles="7")
    soft, hard = (painted(queue, image=content, styles="7", mask=mask, mask_blur=blur) for blur in (6, 0))
    assert same(hard[:, : WIDTH // 2], before[:, : WIDTH // 2]) and same(hard[:, WIDTH // 2 :], whole[:, WIDTH // 2 :])
    assert np.abs(soft - before)[:, :20].max() <= 1 and np.abs(soft - whole)[:, -20:].max() <= 1
    share = np.abs(soft - before).sum((0, 2)) / np.abs(whole - before).sum((0, 2)).clip(1)
    assert 0.3 < share[WIDTH // 2 - 1 : WIDTH // 2 + 1].mean() < 0.7 and share[WIDTH // 2 - 6] < 0.4 < share[WIDTH // 2 + 5]


def test_size_and_enlarging_give_the_sizes_that_were_asked_for(queue: JobQueue, content: str) -> None:
    assert painted(queue, image=content, size=48).shape == (32, 48, 3)
    assert painted(queue, image=content, size=120).shape == (80, 120, 3)
    assert painted(queue, image=content, size=48, upscale=3.0).shape == (96, 144, 3)


def test_larger_strokes_are_coarser(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(encoded(painting(23)))

    def fine(image: np.ndarray) -> float:
        return float(np.abs(np.diff(image, axis=1)).mean())

    coarse, usual, small = (fine(painted(queue, image=key, styles="3", stroke=stroke)) for stroke in (4.0, 1.0, 0.5))
    assert coarse < 0.5 * usual and small > usual


# -- what comes in ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({}, "image", "no picture"), ({"image": "0" * 64 + ".png"}, "image", "not here any more"), ({"image": "x.png"}, "image", ""), ({"image": "+", "styles": "Duske"}, "styles", "no style “Duske”"),
        ({"image": "+", "styles": ""}, "styles", "No style is chosen"), ({"image": "+", "styles": "Dusk: 0"}, "styles", "No style is chosen"), ({"image": "+", "styles": "Dusk: x"}, "styles", "no weight"),
        ({"image": "+", "styles": "26"}, "styles", "no style"), ({"image": "+", "strength": 1.1}, "strength", "at most 1"), ({"image": "+", "stroke": 5}, "stroke", "at most 4"), ({"image": "+", "size": 8}, "size", "at least 16"),
        ({"image": "+", "size": 16384}, "size", "megapixels"), ({"image": "+", "upscale": 0.5}, "upscale", "from 1 to 4"), ({"image": "+", "mask": "small"}, "mask", "16 × 16 pixels, the picture 96 × 64"),
        ({"image": "+", "size": 9000, "stroke": 0.25}, "stroke", "megapixels"), ({"image": "+", "size": 8000, "upscale": 4}, "upscale", "megapixels"), ({"image": "tiny"}, "image", "at least 16"),
        ({"image": "broken"}, "image", "no picture that can be read"), ({"image": "+", "mask": "broken"}, "mask", "no picture that can be read"), ({"image": "+", "mask_blur": 257}, "mask_blur", "at most 256"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_field_before_anything_is_loaded(queue: JobQueue, content: str, values: dict[str, Any], field: str, words: str) -> None:
    keep = queue.desk.inputs.keep
    whole = encoded(picture(64, 64))
    keys = {"+": content, "tiny": keep(encoded(picture(15, 40))), "broken": keep(whole[: len(whole) // 2]), "small": keep(encoded(Image.new("L", (16, 16), 255)))}
    with pytest.raises(StudioError) as told:
        queue.submit(BLEND, {name: keys.get(value, value) if name in ("image", "mask") else value for name, value in values.items()}, owner="local")
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_a_huge_picture_is_refused_by_its_header(queue: JobQueue) -> None:
    for side, words in ((10_200, "104 megapixels; 100 can be taken"), (20_000, "more than 100 megapixels")):
        huge = bytearray(encoded(Image.new("L", (16, 16))))
        huge[16:24] = side.to_bytes(4, "big") * 2
        huge[29:33] = zlib.crc32(huge[12:29]).to_bytes(4, "big")
        with pytest.raises(BadInput, match=words) as told, warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            queue.submit(BLEND, {"image": queue.desk.inputs.keep(bytes(huge))}, owner="local")
        assert told.value.field == "image"


def test_style_pictures_are_checked_at_their_own_fields(queue: JobQueue, content: str, styles: list[str]) -> None:
    whole = encoded(picture(64, 64))
    broken = queue.desk.inputs.keep(whole[: len(whole) // 2])
    for values, field, words in (
        ({"style": ""}, "style", "no style picture"), ({"style": broken}, "style", "no picture"), ({"style2": broken}, "style2", "no picture"), ({"style3_weight": 0.5}, "style3_weight", "no style picture"),
        ({"style_weight": 0.0}, "style_weight", "every style picture has the weight 0"), ({"style": "", "style2": styles[1], "style2_weight": 0.0}, "style2_weight", "has the weight 0"), ({"style": moving(queue)}, "style", "moves"),
    ):  # fmt: skip
        with pytest.raises(StudioError) as told:
            queue.submit(ANY, {"image": content, "style": styles[0]} | values, owner="local")
        assert told.value.field == field and words in told.value.message.lower().replace("this picture ", ""), values


def test_a_picture_can_be_its_own_style(queue: JobQueue, content: str, styles: list[str]) -> None:
    before = original(queue, content)
    own, *foreign = (np.abs((painted(queue, ANY, image=content, style=style) - before).mean((0, 1))).mean() for style in (content, *styles))
    assert own < 20 and own < min(foreign), "its colours stay nearer than under any other style"


def test_turned_clear_print_and_deep_pictures_come_out_right(queue: JobQueue) -> None:
    keep, base = queue.desk.inputs.keep, painting(23).resize((WIDTH, HEIGHT))
    turn = Image.Exif()
    turn[0x0112] = 6
    turned = painted(queue, image=keep(encoded(base, "JPEG", exif=turn, quality=95)), strength=0.0)
    assert turned.shape == (WIDTH, HEIGHT, 3) and np.abs(turned - np.rot90(np.asarray(base), -1)).mean() < 6
    assert painted(queue, image=keep(encoded(base.convert("CMYK"), "JPEG", quality=95))).shape == (HEIGHT, WIDTH, 3)
    deep = (np.asarray(base.convert("L")).astype(np.uint16) << 8) + 17
    told = painted(queue, image=keep(encoded(Image.fromarray(deep))), strength=0.0)
    assert np.abs(told[..., 0] - np.asarray(base.convert("L"))).max() <= 1, "16 bits become 8, not white"
    assert painted(queue, image=keep(encoded(base.convert("1")))).shape == painted(queue, image=keep(encoded(base.quantize(8)))).shape == (HEIGHT, WIDTH, 3)


def test_the_colour_profile_of_a_picture_is_kept(queue: JobQueue) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("PNG", "JPEG"):
        with Image.open(made(queue, BLEND, image=queue.desk.inputs.keep(encoded(picture(32, 32), kind, icc_profile=profile)))) as file:
            assert file.info["icc_profile"] == profile
    with Image.open(made(queue, BLEND, image=queue.desk.inputs.keep(encoded(picture(32, 32))))) as file:
        assert "icc_profile" not in file.info


def test_a_telephone_s_photograph_with_a_second_view_is_no_moving_picture(queue: JobQueue, content: str) -> None:
    views = [painting(number).resize((48, 32)) for number in (23, 12)]
    key = queue.desk.inputs.keep(encoded(views[0], "MPO", save_all=True, append_images=views[1:]))
    path = made(queue, ANY, image=key, style=key)
    assert path.suffix == ".png" and pixels(path).shape == (32, 48, 3)


def test_what_can_be_seen_through_stays_so_and_leaves_no_edge(queue: JobQueue) -> None:
    clear = painting(23).resize((WIDTH, HEIGHT)).convert("RGBA")
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[:, : WIDTH // 2] = 255
    alpha[:, WIDTH // 2 - 4 : WIDTH // 2] = 128
    clear.putalpha(Image.fromarray(alpha))
    path = made(queue, BLEND, image=queue.desk.inputs.keep(encoded(clear)), styles="7")
    assert same(pixels(path, "RGBA")[..., 3], alpha.astype(int))
    large = pixels(made(queue, BLEND, image=queue.desk.inputs.keep(encoded(clear)), styles="7", size=48, upscale=2.0), "RGBA")
    assert large.shape == (HEIGHT, WIDTH, 4) and {0, 255} <= set(large[..., 3].ravel())
    assert same(pixels(made(queue, BLEND, image=queue.desk.inputs.keep(encoded(Image.new("RGBA", (32, 32)))), styles="7"), "RGBA")[..., 3], np.zeros((32, 32), int))


def test_the_original_is_not_touched(queue: JobQueue, content: str) -> None:
    before = queue.desk.inputs.path(content).read_bytes()
    painted(queue, image=content, strength=0.0)
    assert queue.desk.inputs.path(content).read_bytes() == before and content.startswith(hashlib.sha256(before).hexdigest())


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (37, 5), (70, 300)])
def test_a_file_written_in_bands_holds_the_picture_to_the_bit(mode: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.style import pack

    monkeypatch.setattr(pack, "BAND", 2000)
    image, looks, profile = noisy(size, mode), [0], ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = pack.packed(image, lambda: looks.__setitem__(0, looks[0] + 1), profile)
    with Image.open(io.BytesIO(data)) as file:
        file.load()  # looks at every sum of the file
        assert file.mode == mode and (np.asarray(file) == np.asarray(image)).all() and file.info["icc_profile"] == profile
    assert looks[0] > (1 if size[1] == 300 else 0), "Stop is looked for between bands"
    with pytest.raises(KeyboardInterrupt):
        pack.packed(image, lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def noisy(size: tuple[int, int], mode: str) -> Image.Image:
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    return Image.fromarray(np.random.default_rng(2).integers(0, 256, shape, np.uint8))


def test_painted_files_are_hardly_larger_than_pillow_s(queue: JobQueue, content: str) -> None:
    path = Path(queue.store.output(queue.submit("image.style_blend", {"image": content}, owner="local").wait().outputs[0]).path)
    usual = io.BytesIO()
    with Image.open(path) as file:
        file.save(usual, "PNG", compress_level=4)
    assert path.stat().st_size <= 1.1 * usual.tell()


def test_one_picture_in_several_styles_is_read_once(queue: JobQueue, content: str) -> None:
    from pipelines.image.style import content as module

    path = queue.desk.inputs.path(content)
    _, _, first = module.opened(path)
    _, moving, again = module.opened(path)
    assert next(first) is next(again) and moving.durations == [100] and moving.frames == 1


def test_large_pictures_are_resized_in_bands_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    image, calls = painting(3), []
    for size in ((333, 222), (40, 27)):
        whole = np.asarray(image.resize(size, Image.Resampling.LANCZOS)).astype(int)
        monkeypatch.setattr("pipelines.image.style.content.BAND", size[0] * 5)
        assert np.abs(np.asarray(resized(image, size, lambda: calls.append(1))) - whole).max() <= 1
    assert len(calls) == -(-222 // 5) + -(-27 // 5)


# -- moving pictures -------------------------------------------------------------------------------------------


def moving(queue: JobQueue, kind: str = "GIF", **about: Any) -> str:
    frames = [painting(number).resize((48, 32)) for number in (23, 12, 5)]
    return queue.desk.inputs.keep(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **({"duration": [60, 200, 90], "loop": 3} | about)))


def times(path: Path) -> list[int]:
    with Image.open(path) as file:
        found = []
        for number in range(getattr(file, "n_frames", 1)):
            file.seek(number)
            file.load()
            found.append(int(file.info["duration"]))
        return found


@pytest.mark.parametrize(("kind", "suffix"), [("GIF", ".gif"), ("WEBP", ".webp"), ("PNG", ".webp")])
def test_a_moving_picture_is_painted_frame_by_frame_and_keeps_its_times(queue: JobQueue, kind: str, suffix: str) -> None:
    key = moving(queue, kind)
    path = made(queue, BLEND, image=key, styles="7")
    with Image.open(path) as file:
        assert path.suffix == suffix and file.size == (48, 32) and file.n_frames == 3 and file.info["loop"] == 3
    assert times(path) == [60, 200, 90]
    assert extract(path)["params"]["image"] == key
    alone = painted(queue, image=queue.desk.inputs.keep(encoded(painting(12).resize((48, 32)))), styles="7")
    with Image.open(path) as file:
        file.seek(1)
        second = np.asarray(file.convert("RGB")).astype(int)
    assert np.abs(second - alone).mean() < 25, "the second frame is the second picture, painted"


def test_what_a_moving_png_has_outside_the_mask_stays_to_the_pixel(queue: JobQueue) -> None:
    key, mask = moving(queue, "PNG"), np.zeros((32, 48), np.uint8)
    mask[:, :20] = 255
    with Image.open(made(queue, BLEND, image=key, styles="7", mask=queue.desk.inputs.keep(encoded(Image.fromarray(mask))), mask_blur=0)) as file, Image.open(queue.desk.inputs.path(key)) as before:
        assert file.n_frames == before.n_frames == 3
        for number in range(3):
            for one in (file, before):
                one.seek(number)
            now, was = (np.asarray(one.convert("RGB")).astype(int) for one in (file, before))
            assert (now[:, 20:] == was[:, 20:]).all() and np.abs(now[:, :20] - was[:, :20]).mean() > 4


@pytest.mark.parametrize("pipeline", [BLEND, ANY])
def test_strokes_do_not_flicker_where_nothing_moves_and_what_moves_is_painted_anew(queue: JobQueue, styles: list[str], pipeline: str) -> None:
    """A disc goes over a photo with a camera's noise: from frame to frame the still half changes less than half as much as without, the disc's place of before is not left behind."""
    pick, ground = np.random.default_rng(1), np.asarray(painting(23).resize((160, 96)), float)
    frames = []
    for number in range(4):
        noisy_one = Image.fromarray((ground + pick.normal(0, 2, ground.shape)).clip(0, 255).astype(np.uint8))
        noisy_one.paste((230, 40, 40), (10 + 36 * number, 56, 34 + 36 * number, 80))
        frames.append(noisy_one)
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], duration=100, lossless=True)
    key = queue.desk.inputs.keep(buffer.getvalue())
    more = {"style": styles[0]} if pipeline == ANY else {}
    flickers, made_of = {}, {}
    for steady in (0.0, 0.8, 1.0):
        with Image.open(made(queue, pipeline, image=key, steady=steady, **more)) as file:
            shown = [np.asarray(frame.convert("RGB"), float) for frame in ImageSequence.Iterator(file)]
        flickers[steady], made_of[steady] = np.mean([np.abs(after - before)[:40].mean() for before, after in pairwise(shown)]), shown
    assert flickers[1.0] < flickers[0.8] < 0.6 * flickers[0.0]
    gone = np.s_[60:76, 14:30]  # where the square was first
    assert np.abs(made_of[0.8][1] - made_of[0.0][1])[gone].mean() < 0.3 * np.abs(made_of[0.0][1] - made_of[0.0][0])[gone].mean()


def test_a_gif_that_plays_once_does_so_again_and_clear_parts_stay_clear(queue: JobQueue) -> None:
    frames = []
    for number in (7, 13):
        frame = painting(number).resize((48, 32)).convert("RGBA")
        frame.paste((0, 0, 0, 0), (0, 0, 16, 32))
        frames.append(frame)
    key = queue.desk.inputs.keep(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50, disposal=2))
    path = made(queue, BLEND, image=key, styles="5")
    with Image.open(path) as file:
        assert file.n_frames == 2 and "loop" not in file.info
        for number in range(2):
            file.seek(number)
            alpha = np.asarray(file.convert("RGBA"))[..., 3]
            assert alpha[:, :14].max() == 0 and alpha[:, 18:].min() == 255


def test_moving_pictures_are_refused_where_they_would_be_too_much(queue: JobQueue, content: str) -> None:
    for values, field in (({"upscale": 2.0}, "upscale"), ({"size": 8000}, "size")):
        with pytest.raises(BadInput) as told:
            queue.submit(BLEND, {"image": moving(queue)} | values, owner="local")
        assert told.value.field == field
    with pytest.raises(BadInput, match="moves"):
        queue.submit("image.upscale", {"image": moving(queue)}, owner="local")


# -- as every method -------------------------------------------------------------------------------------------


def test_the_file_carries_its_settings_and_they_make_it_again(queue: JobQueue, content: str, styles: list[str]) -> None:
    path = made(queue, ANY, image=content, style=styles[0], style2=styles[1], style2_weight=0.4, colours="Matched", stroke=1.5)
    about = extract(path)
    params, refused = AnyParams.restore(about["params"], 1)
    assert about["pipeline"] == ANY and not refused and params.style2_weight == 0.4 and params.stroke == 1.5
    assert same(painted(queue, ANY, **params.model_dump()), pixels(path))


def test_need_and_seconds_are_told_before_and_learned_from_the_last_picture(queue: JobQueue, content: str) -> None:
    blend, nothing = Blend(), Catalog([])
    assert "no picture" in blend.need(BlendParams(), nothing).missing and "no style picture" in AnyStyle().need(AnyParams(image=content), nothing).missing
    small, large = (blend.need(BlendParams(image=content, size=size), nothing) for size in (512, 6000))
    assert 0 < small.working_bytes < large.working_bytes < 2**31 and small.weight_bytes == large.weight_bytes > 500_000
    pace = submitted(queue, BLEND, image=content).summary["pace"]
    told = blend.seconds(BlendParams(image=content), nothing, pace)
    assert 0 < told < 30 and blend.seconds(BlendParams(image=content, stroke=2.0), nothing, pace) == pytest.approx(told / 4)
    assert blend.seconds(BlendParams(image=content, size=4000), nothing, pace) > told
    known = queue.verdict(queue.pipelines[BLEND], BlendParams(image=content))
    other = queue.desk.inputs.keep(encoded(picture(960, 640)))
    assert known.seconds > 0 and queue.verdict(queue.pipelines[BLEND], BlendParams(image=other)).seconds == pytest.approx(100 * known.seconds, rel=0.01), "by the picture's own size"
    assert queue.verdict(queue.pipelines[BLEND], BlendParams(image=other)).working_bytes > 2 * known.working_bytes
    moves = queue.verdict(queue.pipelines[BLEND], BlendParams(image=moving(queue)))
    assert moves.seconds == pytest.approx(known.seconds * 3 * 48 * 32 / (WIDTH * HEIGHT), rel=0.01)
    assert queue.verdict(queue.pipelines[BLEND], BlendParams(image="0" * 64 + ".png")).seconds > 0, "a picture that is gone is told when it is painted"


def test_the_frames_that_are_held_are_counted_beforehand_too(queue: JobQueue, content: str) -> None:
    still, moves = (queue.verdict(queue.pipelines[BLEND], BlendParams(image=key)).working_bytes for key in (content, moving(queue)))
    assert still == 334 * WIDTH * HEIGHT and moves == (330 + 3 * 4) * 48 * 32


def test_too_little_memory_is_told_at_the_size(queue: JobQueue, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue.executors["device"].worker.models, "budget", 100_000_000)  # type: ignore[attr-defined]
    job = queue.submit(BLEND, {"image": content, "size": 4000}, owner="local").wait()
    assert job.error and job.error.field == "size" and "GB are free" in job.error.message and "smaller size" in job.error.hint


def test_what_could_not_be_enlarged_is_told_at_the_field_that_is_there(queue: JobQueue, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import upscale

    monkeypatch.setattr(upscale, "enlarge", lambda *args, tile: (_ for _ in ()).throw(MemoryError))
    job = queue.submit(BLEND, {"image": content, "upscale": 2.0, "upscaler": "Real-ESRGAN"}, owner="local").wait()
    assert job.error and job.error.field == "upscale"


def test_styles_are_read_in_every_way_they_can_be_written() -> None:
    assert read_styles("Dusk") == [(23, 1.0)] and read_styles("0, 1") == [(0, 0.5), (1, 0.5)]
    assert read_styles(" dusk : 3 , Night dots: 1, dusk: 0") == [(23, 0.75), (6, 0.25)]
    assert [read_styles(name)[0][0] for name in STYLES] == list(range(26))


def test_stop_takes_effect_in_the_middle_of_a_large_picture(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(encoded(picture(2400, 1600), "JPEG"))
    job = queue.submit(BLEND, {"image": key}, owner="local")
    for event in job.events():
        if isinstance(event, Progress):
            queue.cancel(job.id, by="local")
    assert job.state == "cancelled" and not job.outputs and not any(isinstance(event, Saved) for event in job.events())
    last = job.latest(Progress)
    assert isinstance(last, Progress) and last.step < last.total


def test_styles_and_manners_have_their_japanese() -> None:
    from pipelines.image.style.presets import PRESETS
    from studio.i18n import read_catalogue

    assert not {*STYLES, *PRESETS} - set(read_catalogue("ja"))


@pytest.mark.slow
def test_over_http_a_picture_is_handed_in_painted_fetched_and_restored(tmp_path: Path) -> None:
    def sent(url: str, data: bytes) -> Any:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=90) as answer:
            return json.load(answer)

    with running(tmp_path) as studio:
        key = sent(f"{studio.url}/api/v1/inputs", encoded(painting(23)))["key"]
        told = studio.post("/api/v1/pipelines/image.style_blend/need", image=key)
        job = studio.wait(studio.post("/api/v1/pipelines/image.style_blend", image=key, styles="Dusk: 1, Red glow: 1")["id"])
        assert told["working_bytes"] > 0 and job["state"] == "done"
        with urllib.request.urlopen(f"{studio.url}/api/v1/outputs/{job['outputs'][0]}/file", timeout=90) as answer:
            data = answer.read()
        with Image.open(io.BytesIO(data)) as file:
            assert file.size == (160, 107)
        restored = sent(f"{studio.url}/api/v1/restore?name=x.png", data)
        assert restored["pipeline"] == BLEND and not restored["refused"]
        with pytest.raises(urllib.error.HTTPError) as refused:
            studio.post("/api/v1/pipelines/image.style_blend", image=key, styles="Nothing")
        with refused.value as answer:
            assert json.load(answer)["error"]["field"] == "styles"
