"""Moving pictures of runs: GIF and WebP by Pillow, MP4 by `mp4`."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from pipelines.simulation.mp4 import mp4, mp4_here
from studio.api import Artifact, Picture

KINDS = ("GIF", "WebP", "MP4")


def kinds() -> tuple[str, ...]:
    """Those that can be made here."""
    return KINDS if mp4_here() else KINDS[:2]


def smaller(picture: Picture, side: int) -> Image.Image:
    """Its longer side at most `side`."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    return image


class Moving:
    """Pictures of one size, in their order; `kind` is GIF, WebP or MP4."""

    def __init__(self, kind: str, frame_rate: float, side: int) -> None:
        self.kind, self.frame_rate, self.side = kind, frame_rate, side
        self._frames: list[Image.Image] = []

    @property
    def count(self) -> int:
        return len(self._frames)

    def add(self, picture: Picture) -> None:
        frame = smaller(picture, self.side)
        self._frames.append(frame if not self._frames else frame.resize(self._frames[0].size))  # a copy where it has that size

    def take(self, frames: list[Image.Image]) -> None:
        """Those that are small enough already."""
        self._frames += frames

    def artifact(self, title: str, heard: Callable[[int], None]) -> Artifact:
        """`heard` is called on the way to an MP4 with the number of pictures that are written, and may raise."""
        film = self.kind == "MP4"
        data = mp4(self._frames, self.frame_rate, self.side, heard) if film else self._pillow()
        return Artifact("video" if film else "image", data, f".{self.kind.lower()}", title, {"frames": self.count})

    def _pillow(self) -> bytes:
        first, *rest = self._frames
        options = {"quality": 80, "method": 2} if self.kind == "WebP" else {}
        buffer = io.BytesIO()
        first.save(buffer, self.kind, save_all=True, append_images=rest, duration=max(20, round(1000 / self.frame_rate)), loop=0, **options)
        return buffer.getvalue()
