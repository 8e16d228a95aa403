"""Sound files to samples and back, over libsndfile. A file is looked at first: what is broken, empty or too long is refused in a sentence before its samples are read.

Samples are float32 of shape (channels, frames), full scale at ±1. soundfile is imported inside functions: the page's process needs it only when a sound comes in.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from studio.api import BadInput

SOUND = r"^([0-9a-f]{64}\.(wav|flac|mp3|ogg))?$"  # a key of a sound somebody gave
RATE = 44_100  # of what is made here
MOST_BYTES = 512 * 2**20
MOST_CHANNELS = 8
RATES = (4_000, 384_000)
BLOCK = 2**18  # frames that are read at once
LOUDEST = 1_000.0  # of samples in floating point; beyond it is no sound
KINDS = {".wav": ("WAV",), ".flac": ("FLAC",), ".mp3": ("MP3",), ".ogg": ("OGG",)}
BITS = {".wav": (16, 24, 32), ".flac": (16, 24), ".mp3": (16,), ".ogg": (16,)}  # 32 are floating point; of MP3 and OGG the number says nothing
MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
HINT = "Give a WAV, FLAC, MP3 or OGG file."
Samples = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class About:
    """`frames` is what the header tells; of a damaged file it may be wrong."""

    rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        return self.frames / self.rate


def look(path: Path, field: str = "sound", most_seconds: float = 600.0) -> About:
    """What the header tells. Raises BadInput at the field for what is no sound, is empty or longer than `most_seconds`."""
    import soundfile

    if path.stat().st_size > MOST_BYTES:
        raise BadInput(f"The sound has {path.stat().st_size >> 20} MB; {MOST_BYTES >> 20} MB can be read.", hint="Give a shorter part of it.", field=field)
    try:
        with soundfile.SoundFile(path) as file:
            about = About(file.samplerate, file.channels, max(0, file.frames))
    except (soundfile.LibsndfileError, OSError, TypeError, ValueError) as error:
        raise broken(field) from error
    if not (RATES[0] <= about.rate <= RATES[1] and 1 <= about.channels <= MOST_CHANNELS):
        raise BadInput(f"The sound has {about.channels} channels and {about.rate:,} samples a second, which can't be read.", hint=HINT, field=field)
    if not about.frames:
        raise BadInput("The sound is empty.", hint="Give one that has something in it.", field=field)
    if about.seconds > most_seconds:
        raise too_long(about.seconds, most_seconds, field)
    return about


def broken(field: str) -> BadInput:
    return BadInput("This is no sound that can be read.", hint=HINT, field=field)


def too_long(seconds: float, most: float, field: str) -> BadInput:
    return BadInput(f"The sound is {clock(seconds)} long; {clock(most)} can be taken.", hint="Give a shorter part of it.", field=field)


def clock(seconds: float) -> str:
    """Minutes and seconds, 3:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def decode(path: Path, field: str = "sound", most_seconds: float = 600.0) -> tuple[Samples, int]:
    """All samples and the rate. Read block by block, for headers lie. Raises BadInput as `look` does, and for a file that is broken in its middle."""
    import soundfile

    about = look(path, field, most_seconds)
    most, parts, count = int(most_seconds * about.rate), list[Samples](), 0
    try:
        with soundfile.SoundFile(path) as file:
            while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
                parts.append(block.T)
                count += len(block)
                if count > most:
                    raise too_long(count / about.rate, most_seconds, field)
    except (soundfile.LibsndfileError, OSError, ValueError, RuntimeError) as error:
        raise broken(field) from error
    if not count:
        raise BadInput("The sound is empty.", hint="Give one that has something in it.", field=field)
    whole = np.ascontiguousarray(np.concatenate(parts, axis=1))
    if not np.isfinite(whole).all() or np.abs(whole).max() > LOUDEST:
        raise BadInput("The sound holds numbers that are out of bounds.", hint="Save it again as 16 or 24 bit.", field=field)
    return whole, about.rate


def loudest(samples: Samples) -> float:
    """The largest of all sizes, 0 of none."""
    return max(float(samples.max(initial=0.0)), -float(samples.min(initial=0.0)))


def encode(samples: Samples, rate: int, suffix: str, bits: int = 16, check: Callable[[], None] = lambda: None) -> bytes:
    """A whole file. `suffix` is one of BITS with the bits it can have. What is over full scale is cut. Raises what `check` raises, every few seconds of sound."""
    import soundfile

    if bits not in BITS[suffix]:
        raise ValueError(f"{suffix} has no {bits} bits")
    buffer = io.BytesIO()
    if suffix == ".mp3" and rate not in MP3_RATES:
        wanted = next((one for one in MP3_RATES if one >= rate), MP3_RATES[-1])
        samples, rate = resampled(samples, rate, wanted), wanted
    if suffix in (".wav", ".flac") and bits < 32:
        return encode_whole(quantised(samples, bits), rate, suffix, bits)
    subtype = {".wav": "FLOAT", ".mp3": "MPEG_LAYER_III", ".ogg": "VORBIS"}[suffix]
    level = {".mp3": 0.1, ".ogg": 0.3}.get(suffix)  # of 0, the best, to 1: about 245 and 160 thousand bits a second
    mode = {"bitrate_mode": "VARIABLE"} if suffix == ".mp3" else {}
    cut = np.clip(samples, -1, 1)
    with soundfile.SoundFile(buffer, "w", rate, len(samples), subtype, format=KINDS[suffix][0], compression_level=level, **mode) as file:
        for start in range(0, cut.shape[1], BLOCK):  # libsndfile's Vorbis writer takes a block on its stack
            check()
            file.write(cut[:, start : start + BLOCK].T)
    return buffer.getvalue()


def quantised(samples: Samples, bits: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Whole numbers of `bits` bits, nearest ones, no dither: stems must sum to their mix."""
    most = 2.0 ** (bits - 1)  # a power of two: single precision keeps every digit
    numbers = samples * samples.dtype.type(most)
    np.rint(numbers, out=numbers)
    return np.clip(numbers, -most, most - 1, out=numbers).astype(np.int32)


def encode_whole(numbers: np.ndarray[Any, np.dtype[Any]], rate: int, suffix: str, bits: int) -> bytes:
    """A WAV or FLAC file of whole numbers of 16 or 24 bits, none of them changed."""
    import soundfile

    buffer = io.BytesIO()
    data = numbers.T.astype(np.int16) if bits == 16 else numbers.T << 8
    soundfile.write(buffer, np.ascontiguousarray(data), rate, f"PCM_{bits}", format=KINDS[suffix][0])
    return buffer.getvalue()


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    """At another rate, by a windowed polyphase filter that keeps what fits under both. In a worker: it needs scipy."""
    if rate == wanted:
        return samples
    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    up, down = wanted // common, rate // common
    if max(up, down) > 4_000:  # odd rates: the nearest ratio of smaller numbers, wrong by less than a thousandth of a semitone
        from fractions import Fraction

        near = Fraction(wanted, rate).limit_denominator(1_000)
        up, down = near.numerator, near.denominator
    return np.asarray(resample_poly(samples, up, down, axis=1), np.float32)
