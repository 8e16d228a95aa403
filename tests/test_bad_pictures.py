"""Every kind of bad picture given to every image pipeline that takes one: handled, or refused in a sentence; the file that was given stays as it was."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.pictures import open_picture
from studio.api import StudioError
from studio.jobs import JobQueue
from tests.house import finish
from tests.image_models import image_queue, make_sd1
from tests.trunks import trunk_file

SIDE = 40
CASES: dict[str, dict[str, Any]] = {  # how each pipeline is asked; its picture is "image"
    "image.generate": {"prompt": "a cat", "model": "sd1", "steps": 2, "width": 32, "height": 32, "denoising_strength": 0.6, "upscale": 1.0, "sampler": "Euler"},
    "image.upscale": {"scale": 2.0, "upscaler": "Lanczos"},
    "image.annotate": {"method": "Lines", "width": 32},
    "image.style_blend": {"styles": "Dusk"},
    "image.style_any": {"style": "a painting"},
    "image.style_optimise": {"style": "a painting", "steps": 1},
    "image.style_diffuse": {"prompt": "a cat", "model": "sd1", "steps": 2},
    "image.style_strip": {"styles": ["Dusk"]},
    "image.dream": {"steps": 1, "octaves": 1, "layer": "conv2_2"},
}
STYLED = ("image.style_blend", "image.style_any", "image.style_optimise", "image.style_diffuse", "image.style_strip")  # which take no side below 16 pixels
MOVING = ("image.style_blend", "image.style_any")  # which paint what moves frame by frame


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("bad")
    make_sd1(root / "models" / "sd1")
    (root / "models" / "vision").mkdir()
    (root / "models" / "vision" / "vgg16-hed.h5").symlink_to(trunk_file().resolve())
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def ramp(width: int = SIDE, height: int = SIDE // 2) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([x * 255 // width, y * 255 // height, 255 - x * 255 // width], -1).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG", **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 8
    return saved(ramp(), "JPEG", exif=exif)


def see_through() -> bytes:
    image = ramp().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return saved(image)


def sixteen_bits() -> bytes:
    return saved(Image.fromarray(np.linspace(0, 65535, SIDE * 20).reshape(20, SIDE).astype(np.uint16)))


def palette() -> bytes:
    return saved(ramp().quantize(8), transparency=3)


def moving(kind: str) -> bytes:
    return saved(ramp(), kind, save_all=True, append_images=[ramp().rotate(180)], **({"lossless": True} if kind == "WEBP" else {}))


def claims(width: int, height: int) -> bytes:
    """A PNG whose header tells a size that its bytes have not."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)


HANDLED: dict[str, Callable[[], bytes]] = {
    "tiny": lambda: saved(ramp(1, 1)), "slim": lambda: saved(ramp(300, 2)), "CMYK": lambda: saved(ramp().convert("CMYK"), "JPEG"), "16-bit": sixteen_bits, "alpha": see_through, "grey with alpha": lambda: saved(ramp().convert("LA")), "palette": palette,
    "one bit": lambda: saved(ramp().convert("1")), "turned": turned, "WebP": lambda: saved(see_through_image(), "WEBP"),
}  # fmt: skip
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "moving PNG": (lambda: moving("PNG"), "moves"), "moving WebP": (lambda: moving("WEBP"), "moves"), "GIF": (lambda: moving("GIF"), "moves"), "cut off": (lambda: saved(Image.effect_noise((200, 150), 60))[:9000], "no picture that can be read"), "text": (lambda: b"hello, I am a text", "no picture"),
    "sound": (lambda: b"RIFF\x10\0\0\0WAVEfmt ", "another kind"), "piece": (lambda: b"MThd\0\0\0\6", "another kind"), "empty": (lambda: b"", "no picture"), "huge": (lambda: claims(12_000, 10_000), "120 megapixels"), "a bomb": (lambda: claims(60_000, 60_000), "100 megapixels"), "header only": (lambda: claims(64, 64), "no picture that can be read"),
}  # fmt: skip


def see_through_image() -> Image.Image:
    return Image.open(io.BytesIO(see_through()))


def asked(queue: JobQueue, pipeline: str, data: bytes) -> dict[str, Any]:
    given = CASES[pipeline] | {"image": queue.desk.inputs.keep(data)}
    return given | ({"style": queue.desk.inputs.keep(saved(ramp(64, 48).rotate(180)))} if given.get("style") else {})


def test_the_table_asks_every_image_pipeline_that_takes_a_picture(queue: JobQueue) -> None:
    """image.grid draws with image.generate."""
    taking = {name for name, pipeline in queue.pipelines.items() if name.startswith("image.") and "image" in pipeline.Params.model_fields}
    assert taking == {*CASES, "image.grid"}


@pytest.mark.parametrize("kind", HANDLED)
@pytest.mark.parametrize("pipeline", CASES)
def test_odd_pictures_are_handled_and_stay_as_they_are(queue: JobQueue, pipeline: str, kind: str) -> None:
    data = HANDLED[kind]()
    values = asked(queue, pipeline, data)
    given = open_picture(queue.desk.inputs.path(values["image"]))
    if pipeline in (*STYLED, "image.dream") and min(given.size) < 16:
        with pytest.raises(StudioError, match="at least 16") as told:
            queue.submit(pipeline, values, owner="local")
        assert told.value.field == "image"
        return
    job = queue.submit(pipeline, values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    assert Path(queue.desk.inputs.path(values["image"])).read_bytes() == data
    if pipeline == "image.style_strip":
        assert job.summary["thumbnails"] == 1
        return
    made = open_picture(Path(queue.store.output(job.outputs[0]).path))
    wanted = {"image.generate": (32, 32), "image.upscale": (2 * given.width, 2 * given.height), "image.annotate": (32, max(1, round(given.height * 32 / given.width)))}
    assert made.size == wanted.get(pipeline, given.size)


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("pipeline", CASES)
def test_what_is_no_still_picture_is_refused_in_a_sentence_at_its_field(queue: JobQueue, pipeline: str, kind: str) -> None:
    make, words = REFUSED[kind]
    if pipeline == "image.style_strip" and words == "moves":  # of the first frame
        assert queue.submit(pipeline, asked(queue, pipeline, make()), owner="local").wait().summary["thumbnails"] == 1
        return
    if pipeline in MOVING and words == "moves":
        job = queue.submit(pipeline, asked(queue, pipeline, make()), owner="local").wait()
        with Image.open(queue.store.output(job.outputs[0]).path) as file:
            assert getattr(file, "n_frames", 1) == 2
        return
    with pytest.raises(StudioError) as told:
        queue.submit(pipeline, asked(queue, pipeline, make()), owner="local").wait()
    assert told.value.field == "image" and words in told.value.message and told.value.hint
    assert not list(queue.desk.inputs.folder.glob("*.part"))
