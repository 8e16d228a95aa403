"""The picture that is painted: still or moving, upright, what can be seen through it kept apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from pipelines.image.settle import MOST_INPUT_PIXELS
from pipelines.image.style.pack import packed
from studio.api import BadInput, Desk, NotFound, StudioError

LEAST_SIDE = 16
MOST_STYLED = 64_000_000  # pixels of a still result
MOST_MOVING = 100_000_000  # pixels of all frames
BAND = 2_000_000  # pixels that are resized at a time
REMEMBERED_PIXELS = 2_000_000
USUAL_MILLISECONDS = 100  # of a frame that says nothing; browsers do the same
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)


@dataclass(frozen=True)
class Facts:
    """From the file's header."""

    width: int
    height: int
    frames: int = 1


@dataclass
class Moving:
    """How long each frame is shown, in milliseconds, and how often all are: 0 is for ever, -1 once without a word about it. `profile` is that of its colours."""

    frames: int = 1
    durations: list[int] = field(default_factory=list)
    loop: int = -1
    profile: bytes | None = None


@dataclass(frozen=True)
class Frame:
    picture: Image.Image  # RGB
    alpha: Image.Image | None  # L

    def resized(self, size: tuple[int, int], check: Callable[[], None]) -> Frame:
        return Frame(resized(self.picture, size, check), resized(self.alpha, size, check) if self.alpha else None)


def facts_of(key: str, field: str, desk: Desk, *, whole: bool = True) -> Facts:
    """Raises NotFound or BadInput at the field for what can't be painted."""
    try:
        path = desk.inputs.path(key)
    except NotFound as error:
        error.field = field
        raise
    return read_facts(path, field, whole=whole)


def size_of(key: str, desk: Desk) -> tuple[int, int, int] | None:
    """(width, height, frames), for what a job takes; None where it can't be told: what is wrong is said when the job is asked for."""
    try:
        facts = facts_of(key, "image", desk, whole=False)
    except StudioError:
        return None
    return facts.width, facts.height, facts.frames


def read_facts(path: Path, field: str = "image", *, whole: bool = True) -> Facts:
    """Raises BadInput; the `whole` file is read once, so that a broken one is told here."""
    try:
        facts = _read(path, path.stat().st_mtime_ns, whole)
    except Image.DecompressionBombError as error:
        raise BadInput(f"The picture has more than {MOST_INPUT_PIXELS / 1e6:.0f} megapixels.", hint="Make it smaller.", field=field) from error
    except UNREADABLE as error:
        raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG, WebP or GIF file.", field=field) from error
    if (pixels := facts.width * facts.height) > MOST_INPUT_PIXELS:
        raise BadInput(f"The picture has {pixels / 1e6:.0f} megapixels; {MOST_INPUT_PIXELS / 1e6:.0f} can be taken.", hint="Make it smaller.", field=field)
    if min(facts.width, facts.height) < LEAST_SIDE:
        raise BadInput(f"The picture is {facts.width} × {facts.height} pixels; each side must have at least {LEAST_SIDE}.", hint="Give a larger one.", field=field)
    return facts


@lru_cache(64)
def _read(path: Path, changed: int, whole: bool) -> Facts:
    """Remembered: a grid asks for each of its cells. A picture that is too large is not read further than its header."""
    with Image.open(path) as image:
        width, height = image.size
        if width * height > MOST_INPUT_PIXELS:
            return Facts(width, height)
        if whole:
            image.load()
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        frames = count_of(image)
    return Facts(height, width, frames) if turned else Facts(width, height, frames)


def result_size(facts: Facts, size: int) -> tuple[int, int]:
    """Width and height; `size` is the longer side, 0 the picture's own."""
    scale = size / max(facts.width, facts.height) if size else 1.0
    return max(LEAST_SIDE, round(facts.width * scale)), max(LEAST_SIDE, round(facts.height * scale))


def frames_of(path: Path, moving: Moving) -> Iterator[Frame]:
    """One after the other; `moving` learns how long each is shown. Raises BadInput where the file is broken in its middle."""
    try:
        with Image.open(path) as image:
            moving.frames = count_of(image)
            moving.profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA", "P") else None  # those of print and of greys do not fit what comes out
            moving.loop = int(image.info.get("loop", -1))
            for one in islice(ImageSequence.Iterator(image), moving.frames):
                one.load()
                moving.durations.append(int(one.info.get("duration", 0)) or USUAL_MILLISECONDS)
                yield frame_of(ImageOps.exif_transpose(one))
    except UNREADABLE as error:
        raise BadInput("This is no picture that can be read.", hint="Give a PNG, JPEG, WebP or GIF file.", field="image") from error


def count_of(image: Image.Image) -> int:
    """Its frames; telephones put a second view into their photographs (MPO), which is none."""
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


def opened(path: Path) -> tuple[Facts, Moving, Iterator[Frame]]:
    """What is known once the first frame is read, and all frames. Raises BadInput."""
    facts = read_facts(path, whole=False)
    if facts.frames == 1 and facts.width * facts.height <= REMEMBERED_PIXELS:
        still, frame = _still(path, path.stat().st_mtime_ns)
        return facts, replace(still), iter([frame])
    moving = Moving()
    frames = frames_of(path, moving)
    first = next(frames)
    return Facts(*first.picture.size, moving.frames), moving, chain([first], frames)


@lru_cache(1)
def _still(path: Path, changed: int) -> tuple[Moving, Frame]:
    """The last one is remembered: often one picture is painted in one style after the other."""
    moving = Moving()
    return moving, next(frames_of(path, moving))


def frame_of(image: Image.Image) -> Frame:
    """Colours of what can't be seen at all are unknown to the eye: they become the mean of the rest, so that no edge is painted there."""
    if image.mode.startswith("I") or image.mode == "F":
        image = image.point(lambda value: value / 256).convert("L") if image.mode.startswith("I") else image.convert("L")
    if "A" not in image.getbands() and "transparency" not in image.info:
        return Frame(image.convert("RGB"), None)
    whole = np.asarray(image.convert("RGBA"))
    seen = whole[..., 3] > 0
    picture = np.where(seen[..., None], whole[..., :3], np.uint8(whole[..., :3][seen].mean(0)) if seen.any() else np.uint8(255))
    return Frame(Image.fromarray(picture.astype(np.uint8)), Image.fromarray(np.ascontiguousarray(whole[..., 3])))


def resized(image: Image.Image, size: tuple[int, int], check: Callable[[], None] = lambda: None) -> Image.Image:
    """Large ones in bands, with `check` called before each: it may raise to stop."""
    if image.size == size:
        return image
    rows, ratio = max(1, BAND // size[0]), image.height / size[1]
    if size[1] <= rows and image.width * image.height <= BAND:
        return image.resize(size, Image.Resampling.LANCZOS)
    made = Image.new(image.mode, size)
    for top in range(0, size[1], rows):
        check()
        bottom = min(size[1], top + rows)
        made.paste(image.resize((size[0], bottom - top), Image.Resampling.LANCZOS, box=(0, top * ratio, image.width, bottom * ratio)), (0, top))
    return made


def moved(frames: list[Image.Image], moving: Moving, suffix: str, *, exact: bool = False) -> bytes:
    """An animated file of the frames, with their times: a GIF stays one, all else becomes WebP, `exact` to the pixel."""
    about: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": moving.durations}
    if suffix == ".gif":
        about |= {"format": "GIF", "disposal": 2} | ({"loop": moving.loop} if moving.loop >= 0 else {})
    else:
        about |= {"format": "WEBP", "quality": 20 if exact else 90, "lossless": exact, "method": 2, "icc_profile": moving.profile, "loop": moving.loop if moving.loop >= 0 else 1}
    file = io.BytesIO()
    frames[0].save(file, **about)
    return file.getvalue()


def png(image: Image.Image, check: Callable[[], None], profile: bytes | None = None) -> bytes:
    return packed(image, check, profile)
