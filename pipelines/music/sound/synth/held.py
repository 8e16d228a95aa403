"""Instruments that sound as long as they are held: organs, strings, winds, voices, leads and pads."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from pipelines.music.sound.files import RATE, Samples
from pipelines.music.sound.synth.modal import coloured
from pipelines.music.sound.synth.tables import Spectrum, Waves, periods, read

POOL = 2**16  # frames of noise that go round without a seam
BLOCK = 2**14  # frames that are made at once: they stay in a processor's near memory


@dataclass(frozen=True)
class Held:
    """Times in seconds. `sustain` is the share that stays after `decay`; `settle` the share of brightness that stays after `dull`; `swell` lets brightness grow with the attack.

    `vibrato` is (times a second, cents, seconds until it is there), `tremolo` (times a second, depth). `unison` are copies as (cents, place -1 … 1);
    `breath` is (share of noise, lowest, highest cut-off in multiples of the pitch). `level` in dB beside the others.
    """

    spectrum: Spectrum = field(default_factory=Spectrum)
    attack: float = 0.03
    decay: float = 1.0
    sustain: float = 0.85
    release: float = 0.15
    settle: float = 0.7
    dull: float = 0.3
    swell: bool = False
    vibrato: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tremolo: tuple[float, float] = (0.0, 0.0)
    unison: tuple[tuple[float, float], ...] = ((0.0, 0.0),)
    breath: tuple[float, float, float] = (0.0, 0.5, 4.0)
    scoop: float = 0.0  # cents that a note begins below its pitch
    level: float = 0.0
    pitched: bool = True

    def note(self, hertz: float, frames: int, velocity: float, rng: np.random.Generator) -> Samples:
        """(n,) or (2, n): held for `frames`, then let go."""
        rest = int(self.release * RATE)
        time = np.arange(frames + rest, dtype=np.float32) / np.float32(RATE)
        envelope = self._envelope(time, frames, velocity)
        brightness = (0.15 + 0.85 * velocity**1.2) * (self.settle + (1 - self.settle) * np.exp(time * np.float32(-1 / self.dull)))
        if self.swell:
            brightness = brightness * np.minimum(1, time / np.float32(max(0.02, 1.6 * self.attack)))
        brightness = brightness.astype(np.float32)
        waves, moved = periods(self.spectrum, round(hertz, 4)), self._moved(time, hertz, rng)
        drawn = rng.random((len(self.unison), 3)) if len(self.unison) > 1 or self.unison[0][1] else None
        made = np.concatenate([self._waved(waves, hertz, slice(start, start + BLOCK), time, moved, brightness, drawn) for start in range(0, len(time), BLOCK)], axis=-1)
        if self.breath[0]:
            noise = breath(round(12 * np.log2(hertz / 440)) // 3, self.breath[1], self.breath[2])
            made += self.breath[0] * np.resize(np.roll(noise, -int(rng.integers(POOL))), len(time)) * (1 + np.exp(time * np.float32(-18)))
        if self.tremolo[1]:
            envelope = envelope * (1 - self.tremolo[1] * (0.5 - 0.5 * np.cos(2 * np.pi * self.tremolo[0] * time, dtype=np.float32)))
        made *= envelope
        return made

    def _waved(self, waves: Waves, hertz: float, part: slice, time: Samples, moved: Samples, brightness: Samples, drawn: Samples | None) -> Samples:
        """(n,) or (2, n) of one part of the note: its copies, each with a drift of its own (how often, where it begins, where its period begins)."""
        if drawn is None:
            return _mixed(waves, hertz / RATE, part.start, moved[part], brightness[part])
        made, loud, depth = np.zeros((2, len(time[part])), np.float32), 1.2 / np.sqrt(len(drawn)), np.float32(0.02 * len(drawn))
        for (cents, place), (often, begins, ahead) in zip(self.unison, drawn, strict=True):
            drift = depth * np.sin(np.float32(2 * np.pi * (0.31 + 0.4 * often)) * time[part] + np.float32(6.3 * begins))
            one = _mixed(waves, hertz * 2 ** (cents / 1200) / RATE, part.start, moved[part] + drift + np.float32(ahead), brightness[part])
            angle = (place + 1) * np.pi / 4
            made[0] += np.float32(loud * np.cos(angle)) * one
            made[1] += np.float32(loud * np.sin(angle)) * one
        return made

    def _envelope(self, time: Samples, frames: int, velocity: float) -> Samples:
        attack = np.float32(max(0.002, self.attack * (1.35 - 0.7 * velocity)))
        rise = np.sin(np.float32(np.pi / 2) * np.minimum(1, time / attack)) ** 2
        stays = np.float32(self.sustain) + np.float32(1 - self.sustain) * np.exp(-np.maximum(0, time - attack) / np.float32(self.decay))
        envelope = rise * stays
        rest = len(time) - frames
        gone = np.arange(rest, dtype=np.float32) / np.float32(max(1, rest))
        envelope[frames:] *= np.exp(-5 * gone) * (1 - gone)
        return envelope

    def _moved(self, time: Samples, hertz: float, rng: np.random.Generator) -> Samples:
        """Cycles that vibrato and the note's beginning put it ahead or behind."""
        moved = np.zeros(len(time), np.float32)
        often, cents, until = self.vibrato
        if cents:
            rate = often * (0.95 + 0.1 * rng.random())
            depth = hertz * cents * np.log(2) / 1200 / (2 * np.pi * rate)
            there = np.clip((time - until * 0.4) / np.float32(max(0.01, until)), 0, 1) if until else 1.0
            moved += np.float32(depth) * there * np.sin(2 * np.pi * (np.float32(rate) * time + np.float32(rng.random())), dtype=np.float32)
        if self.scoop:
            moved += np.float32(hertz * self.scoop * np.log(2) / 1200 * 0.05) * np.exp(time * np.float32(-20))
        return moved


def _mixed(waves: Waves, turn: float, first: int, ahead: Samples, brightness: Samples) -> Samples:
    """(n,): as much of the bright period as each moment wants."""
    dark, more = read(waves, turn, ahead, first)
    more *= brightness
    dark += more
    return dark


@lru_cache(maxsize=256)
def breath(step: int, low: float, high: float) -> Samples:
    """(POOL,): noise round a pitch, in steps of three semitones from A4; it goes round without a seam."""
    hertz = 440 * 2 ** (step / 4)
    return coloured(POOL, low * hertz, min(high * hertz, 15_000), np.random.default_rng([step + 64, int(low * 8), int(high * 8)]))
