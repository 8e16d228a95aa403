"""A sound file that grows while it is spoken, in a temporary file: memory stays flat however long the text is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

SUFFIXES = {"WAV": ".wav", "FLAC": ".flac", "MP3": ".mp3", "OGG": ".ogg"}
SUBTYPES = {"WAV": {16: "PCM_16", 24: "PCM_24"}, "FLAC": {16: "PCM_16", 24: "PCM_24"}, "MP3": {16: "MPEG_LAYER_III"}, "OGG": {16: "VORBIS"}}
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
BLOCK = 1 << 16  # samples: libsndfile's Vorbis writer takes a block on its stack


class Writer:
    """Mono, float32 in, a finished file out. `frames` tells how far it is."""

    def __init__(self, form: str, bits: int, rate: int) -> None:
        import soundfile

        self.frames, self.rate = 0, rate
        self._folder = tempfile.TemporaryDirectory(prefix="seisei-speech-")
        self._path = Path(self._folder.name) / f"sound{SUFFIXES[form]}"
        self._file = soundfile.SoundFile(self._path, "w", rate, 1, SUBTYPES[form].get(bits, SUBTYPES[form][16]), format=form)

    @property
    def seconds(self) -> float:
        return self.frames / self.rate

    def sound(self, samples: np.ndarray) -> None:
        for begin in range(0, len(samples), BLOCK):
            self._file.write(samples[begin : begin + BLOCK])
        self.frames += len(samples)

    def silence(self, seconds: float) -> None:
        """Exactly so long, to the sample."""
        import numpy as np

        self.sound(np.zeros(round(seconds * self.rate), np.float32))

    def finish(self) -> bytes:
        """The whole file; the temporary one is gone then."""
        self._file.close()
        data = self._path.read_bytes()
        self._folder.cleanup()
        return data

    def drop(self) -> None:
        self._file.close()
        self._folder.cleanup()
