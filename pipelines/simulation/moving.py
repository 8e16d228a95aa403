"""Moving pictures of runs: GIF and WebP by Pillow, MP4 where imageio-ffmpeg is installed."""

from __future__ import annotations

import importlib.util
import io
import tempfile
from pathlib import Path

from PIL import Image

from studio.api import Picture


def mp4_here() -> bool:
    return importlib.util.find_spec("imageio_ffmpeg") is not None


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
        self._frames.append(smaller(picture, self.side))

    def take(self, frames: list[Image.Image]) -> None:
        """Those that are small enough already."""
        self._frames += frames

    def encoded(self) -> tuple[bytes, str]:
        """(the file's bytes, its suffix)."""
        return (self._mp4(), ".mp4") if self.kind == "MP4" else (self._pillow(), f".{self.kind.lower()}")

    def _pillow(self) -> bytes:
        first, *rest = self._frames
        options = {"quality": 80, "method": 2} if self.kind == "WebP" else {}
        buffer = io.BytesIO()
        first.save(buffer, self.kind, save_all=True, append_images=rest, duration=max(20, round(1000 / self.frame_rate)), loop=0, **options)
        return buffer.getvalue()

    def _mp4(self) -> bytes:
        import imageio_ffmpeg

        width, height = (size - size % 2 for size in self._frames[0].size)  # the codec wants even sides
        with tempfile.TemporaryDirectory(prefix="seisei-") as folder:
            path = Path(folder) / "moving.mp4"
            writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=self.frame_rate, macro_block_size=2)
            writer.send(None)
            for frame in self._frames:
                writer.send(frame.crop((0, 0, width, height)).tobytes())
            writer.close()
            return path.read_bytes()
