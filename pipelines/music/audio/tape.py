"""A sound that grows on the disk while it is made, so that minutes take no more memory than seconds; read back block by block when the file is written."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import numpy as np

from pipelines.music.sound.files import encode, quantised

BLOCK = 2**18  # frames
Samples = np.ndarray[Any, np.dtype[np.float32]]


class Tape:
    """float32 of `channels`, interleaved."""

    def __init__(self, channels: int, rate: int) -> None:
        self.channels, self.rate, self.frames = channels, rate, 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the tape

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    def read(self, first: int, count: int) -> Samples:
        """[channels, at most `count`]."""
        self._file.seek(first * 4 * self.channels)
        count = max(0, min(count, self.frames - first))
        return np.frombuffer(self._file.read(count * 4 * self.channels), np.float32).reshape(-1, self.channels).T

    def append(self, samples: Samples, fade: int = 0, back: int = 0) -> None:
        """`samples`, [channels, frames], begin `fade` + `back` frames before the end: what was at the very end gives way, over `fade` frames one becomes the other."""
        fade = min(fade, self.frames)
        back = min(back, self.frames - fade)
        start = self.frames - fade - back
        samples = np.array(samples, dtype=np.float32)
        if fade:
            rise = np.sin(np.linspace(0, np.pi / 2, fade, dtype=np.float32)) ** 2  # the two are nearly the same sound: their sum stays as loud
            samples[:, :fade] = samples[:, :fade] * rise + self.read(start, fade) * (1 - rise)
        self._file.seek(start * 4 * self.channels)
        self._file.write(np.ascontiguousarray(samples.T).tobytes())
        self.frames = start + samples.shape[1]
        self._file.truncate(self.frames * 4 * self.channels)

    def file(self, suffix: str) -> bytes:
        """The whole as a file of 16 bits; WAV and FLAC block by block."""
        if suffix not in (".wav", ".flac"):
            return encode(self.read(0, self.frames), self.rate, suffix)
        import soundfile

        buffer = io.BytesIO()
        with soundfile.SoundFile(buffer, "w", self.rate, self.channels, "PCM_16", format=suffix[1:].upper()) as file:
            for first in range(0, self.frames, BLOCK):
                file.write(np.ascontiguousarray(quantised(self.read(first, BLOCK), 16).T.astype(np.int16)))
        return buffer.getvalue()

    def close(self) -> None:
        self._file.close()
