"""What is done to spoken sound: silence measured and cut, speed and pitch changed, loudness set. float32, mono; lengths in samples, times in seconds.

Sources: Verhelst & Roelands, "An overlap-add technique based on waveform similarity (WSOLA)", ICASSP 1993; Moulines & Charpentier, "Pitch-synchronous waveform processing techniques for
text-to-speech synthesis using diphones", Speech Communication 9 (1990).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

STEP_SECONDS = 0.005
QUIET = 10 ** (-40 / 20)  # of the loudest moment: below is silence
FADE_SECONDS = 0.005
LOWEST_HERTZ, HIGHEST_HERTZ = 60.0, 600.0
VOICED = 0.5  # of a period's likeness to the next one
CEILING = 0.97


def envelope(samples: Samples, rate: int) -> NDArray[np.float64]:
    """Effective value of each 5 ms."""
    step = max(1, round(rate * STEP_SECONDS))
    count = -(-len(samples) // step)
    padded = np.zeros(count * step)
    padded[: len(samples)] = samples
    return np.sqrt((padded.reshape(count, step) ** 2).mean(1))


def edges(samples: Samples, rate: int) -> tuple[int, int]:
    """Where the speech begins and ends; (0, 0) in silence."""
    if not samples.size:
        return 0, 0
    loud = envelope(samples, rate)
    if loud.max() < 1e-4:
        return 0, 0
    heard = np.flatnonzero(loud >= loud.max() * QUIET)
    step = max(1, round(rate * STEP_SECONDS))
    return int(heard[0]) * step, min(len(samples), (int(heard[-1]) + 1) * step)


def spoken_length(samples: Samples, rate: int) -> int:
    begin, end = edges(samples, rate)
    return max(1, end - begin)


def lead(samples: Samples, rate: int) -> float:
    """Seconds that `trimmed` takes from the beginning."""
    return max(0, edges(samples, rate)[0] - round(rate * FADE_SECONDS)) / rate


def trimmed(samples: Samples, rate: int) -> Samples:
    """The speech alone, faded so that it can stand beside silence without a click; its mean is taken away."""
    begin, end = edges(samples, rate)
    fade = round(rate * FADE_SECONDS)
    cut: Samples = samples[max(0, begin - fade) : end + fade].astype(np.float32)
    if end <= begin:
        return cut[:0]
    return faded(cut - np.float32(cut.mean()), rate)


def faded(samples: Samples, rate: int) -> Samples:
    """Its ends brought to nothing within 5 ms."""
    made = samples.astype(np.float32)
    fade = min(round(rate * FADE_SECONDS), len(made) // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    made[:fade] *= ramp
    made[len(made) - fade :] *= ramp[::-1]
    return made


def spare_rests(samples: Samples, rate: int, longest: float) -> list[tuple[int, int]]:
    """What is cut out of the rests inside a phrase (at its commas) so that they last at most `longest` seconds: from their middle, in samples."""
    step, fade = max(1, round(rate * STEP_SECONDS)), round(rate * FADE_SECONDS)
    loud = envelope(samples, rate)
    quiet = np.concatenate([[False], loud < loud.max() * QUIET, [False]]) if loud.size else np.zeros(2, bool)
    found = []
    for first, last in np.flatnonzero(quiet[1:] != quiet[:-1]).reshape(-1, 2) * step:
        spare = int(last - first) - round(longest * rate)
        if first == 0 or last >= len(samples) or spare < 2 * fade:
            continue
        middle = (int(first) + int(last)) // 2
        found.append((middle - spare // 2, middle + spare - spare // 2))
    return found


def cut_out(samples: Samples, rate: int, gaps: list[tuple[int, int]]) -> Samples:
    """Without those samples, with 5 ms of one side blended into the other."""
    fade, parts, begin = round(rate * FADE_SECONDS), [], 0
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    for left, right in gaps:
        parts += [samples[begin : left - fade], samples[left - fade : left] * (1 - ramp) + samples[right - fade : right] * ramp]
        begin = right
    return np.concatenate([*parts, samples[begin:]]) if parts else samples


def stretched(samples: Samples, rate: int, faster: float) -> Samples:
    """The same sound `faster` times as fast at the same pitch, by waveform similarity (WSOLA): length / faster samples."""
    if abs(faster - 1) < 1e-3 or len(samples) < rate // 20:
        return samples
    half, reach = round(rate * 0.0125), round(rate * 0.008)
    window = np.hanning(2 * half + 1)[:-1].astype(np.float32)
    wanted = max(1, round(len(samples) / faster))
    count = -(-wanted // half) + 1
    padded = np.concatenate([np.zeros(half + reach, np.float32), samples, np.zeros(4 * half + 2 * reach + round(half * faster), np.float32)])
    made, place = np.zeros((count + 1) * half, np.float32), half + reach
    made[: 2 * half] += window * padded[place - half : place + half]
    for number in range(1, count):
        likely = min(round(number * half * faster) + half + reach, len(samples) + half + reach)
        follows = padded[place : place + 2 * half]  # what would come next, were nothing stretched
        around = padded[likely - half - reach : likely + half + reach]
        place = likely - reach + _most_alike(around, follows)
        made[number * half : number * half + 2 * half] += window * padded[place - half : place + half]
    return made[half : half + wanted] if len(made) >= half + wanted else np.pad(made[half:], (0, half + wanted - len(made)))


def paced(samples: Samples, usual: Samples, rate: int, speed: float) -> Samples:
    """What an engine said at about `speed`, stretched the rest of the way: `usual` is what it says at speed 1."""
    return stretched(samples, rate, spoken_length(samples, rate) * speed / spoken_length(usual, rate))


def _most_alike(around: Samples, wanted: Samples) -> int:
    """The offset at which `around` is most like `wanted`, by normalised correlation."""
    size = len(wanted)
    length = 1 << (len(around) + size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(around, length) * np.conj(np.fft.rfft(wanted, length)), length)[: len(around) - size + 1]
    energy = np.concatenate([[0.0], np.cumsum(around.astype(np.float64) ** 2)])
    return int(np.argmax(product / np.sqrt(energy[size:] - energy[:-size] + 1e-9)))


def pitch_of(samples: Samples, rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Periods in samples every 10 ms, 0 where there is no voice; and the times (samples) they stand for. By normalised autocorrelation of 50 ms."""
    hop, size = round(rate * 0.01), round(rate * 0.05)
    shortest, longest = int(rate / HIGHEST_HERTZ), int(rate / LOWEST_HERTZ)
    padded = np.pad(samples, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(samples) + 1 : hop].astype(np.float64)
    frames = (frames - frames.mean(1, keepdims=True)) * np.hanning(size)
    length = 1 << (2 * size - 1).bit_length()
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), length)) ** 2, length)[: longest + 2]
    alike = np.fft.irfft(np.abs(np.fft.rfft(frames, length)) ** 2, length)[:, : longest + 2] / window
    alike /= np.maximum(alike[:, :1], 1e-9)
    periods = np.array([_period(line, shortest, longest) for line in alike])
    energy = np.sqrt((frames**2).mean(1))
    periods[energy < energy.max() * 0.02] = 0.0
    return periods, np.arange(len(periods), dtype=np.float64) * hop


def _period(alike: NDArray[np.float64], shortest: int, longest: int) -> float:
    """The first peak almost as high as the highest, against octave errors; 0 without a clear one."""
    inner = alike[shortest : longest + 1]
    peaks = np.flatnonzero((inner >= alike[shortest - 1 : longest]) & (inner >= alike[shortest + 1 : longest + 2])) + shortest
    if not len(peaks) or alike[peaks].max() < VOICED:
        return 0.0
    return float(peaks[np.flatnonzero(alike[peaks] >= 0.9 * alike[peaks].max())[0]])


def pitched(samples: Samples, rate: int, semitones: float) -> Samples:
    """As long as before, at another pitch; the mouth's own resonances stay (TD-PSOLA)."""
    if not semitones or len(samples) < rate // 20:
        return samples
    factor = 2 ** (semitones / 12)
    periods, times = pitch_of(samples, rate)
    marks, widths, voiced = _marks(samples, rate, periods, times)
    made, weight, at = np.zeros(len(samples), np.float64), np.zeros(len(samples)), float(marks[0])
    while at < len(samples):
        nearest = int(np.clip(np.searchsorted(marks, at), 1, len(marks) - 1))
        nearest -= int(abs(marks[nearest - 1] - at) <= abs(marks[nearest] - at))
        _lay(made, weight, samples, int(marks[nearest]), round(at), int(widths[nearest]))
        at += widths[nearest] / (factor if voiced[nearest] else 1.0)
    made /= np.maximum(weight, 1.0)
    made *= np.sqrt((samples.astype(np.float64) ** 2).mean() / max(1e-12, (made**2).mean()))
    return made.astype(np.float32)


def _lay(made: NDArray[np.float64], weight: NDArray[np.float64], samples: Samples, source: int, target: int, width: int) -> None:
    """Two periods around `source`, faded, added around `target`."""
    before, after = min(width, source, target), min(width, len(samples) - source, len(samples) - target)
    if before + after < 2 or after < 1:
        return
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(-before, after) / width)
    made[target - before : target + after] += window * samples[source - before : source + after]
    weight[target - before : target + after] += window


def _marks(samples: Samples, rate: int, periods: NDArray[np.float64], times: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Marks one period apart at the voice's pulses, every 5 ms where there is none: places, distances to the next, whether voiced."""
    still = round(rate * 0.005)
    marks, widths, voiced, at = list[int](), list[int](), list[bool](), 0
    sign = 1.0 if abs(samples.max()) >= abs(samples.min()) else -1.0
    while at < len(samples):
        period = round(periods[min(len(periods) - 1, int(np.searchsorted(times, at)))])
        if period:
            begin, end = max(0, at - period // (5 if voiced and voiced[-1] else 2)), min(len(samples), at + period // (5 if voiced and voiced[-1] else 2) + 1)
            at = max(begin + int(np.argmax(sign * samples[begin:end])), marks[-1] + 1 if marks else 0)
        marks.append(at)
        widths.append(period or still)
        voiced.append(bool(period))
        at += period or still
    return np.array(marks), np.array(widths), np.array(voiced)


def resampled(samples: Samples, rate: int, wanted: int) -> Samples:
    if rate == wanted or not samples.size:
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, wanted)
    return np.asarray(resample_poly(samples, wanted // common, rate // common), np.float32)


def louder(samples: Samples, decibels: float) -> Samples:
    """By so many decibels; peaks above 0.8 are rounded off so that nothing clips."""
    made = samples * np.float32(10 ** (decibels / 20))
    over = np.abs(made) > 0.8
    made[over] = np.sign(made[over]) * (0.8 + (CEILING - 0.8) * np.tanh((np.abs(made[over]) - 0.8) / (CEILING - 0.8)))
    return made.astype(np.float32)
