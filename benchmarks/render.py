"""How fast pieces become sound, how exactly stems sum to their mix, and a table of all instruments.

    python benchmarks/render.py            both engines and the stems
    python benchmarks/render.py --table    also each of General MIDI's programs and drums: peak, RMS, DC, first sound, cents off A4

Times are CPU seconds of one thread. The voices alone are held against the limits; the end of the process tells whether all are kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from pipelines.music.score import TICKS, Note, Piece, Voice
from pipelines.music.sound.files import RATE, quantised
from pipelines.music.sound.mixer import Mix, summed_whole
from pipelines.music.sound.playing import Engine, own_engine, parts_of, played
from pipelines.music.sound.programs import PROGRAM_NAMES
from pipelines.music.sound.soundfont import SHIPPED, engine_of, opened
from pipelines.music.sound.synth.drums import KEYS, drum
from pipelines.music.sound.synth.player import Sounding, voice

BARS = 16
OWN, SOUNDFONT = 20, 100  # times as fast as it sounds, at least
ENSEMBLES = {"piano": (0, 0, 0, 0), "strings": (48, 48, 48, 48), "choir": (52, 52, 52, 52), "pads": (88, 91, 93, 101), "music box": (10, 10, 10, 10), "band and drums": (73, 25, 42, 32), "8 bit": (80, 80, 81, 38)}
CHORDS = ((60, 64, 67), (57, 60, 64), (65, 69, 72), (67, 71, 74))


def idle() -> None:
    """Nobody presses Stop."""


def chorale(programs: tuple[int, ...], drums: bool) -> Piece:
    """Four voices in quarters, 96 a minute, with velocities that differ."""
    rng, voices = np.random.default_rng(1), []
    for number, program in enumerate(programs):
        down = (-12, 0, 12, 24)[number]
        notes = tuple(Note((bar * 4 + beat) * TICKS, CHORDS[bar % 4][(number + beat) % 3] - down, TICKS - 20, int(rng.integers(60, 110))) for bar in range(BARS) for beat in range(4))
        voices.append(Voice(str(number), notes, program))
    if drums:
        voices.append(Voice("Drums", tuple(Note(beat * TICKS // 2, (36, 42, 38, 42)[beat % 4], TICKS // 4, 100) for beat in range(BARS * 8)), drums=True))
    return Piece(tuple(voices), BARS * 4 * TICKS, ((0, 96.0),))


def timed(name: str, piece: Piece, engine: Engine, least: int) -> bool:
    """Voices alone, and all with room, loudness and limiter. Whether the voices are `least` times as fast as they sound."""
    parts = parts_of(piece, Mix())
    begun = time.process_time()
    for part in parts:
        engine(part, idle)
    alone = time.process_time() - begun
    begun = time.process_time()
    made = played(piece, Mix(), engine, idle)
    whole, seconds = time.process_time() - begun, made.mix.shape[1] / RATE
    kept = seconds / alone >= least
    print(f"| {name} | {seconds:.1f} s | {seconds / alone:.0f}× | {told(kept)} ({least}×) | {seconds / whole:.0f}× | {np.abs(made.mix).max():.3f} | {made.loudness:.1f} | {made.mix.mean():.0e} |")
    return kept


def told(kept: bool) -> str:
    return "ok" if kept else "MISSED"


def stems(name: str, engine: Engine) -> bool:
    made = played(chorale((73, 25, 42, 32), True), Mix(), engine, idle, stems=True)
    apart = np.abs(sum(numbers.astype(np.int64) for numbers in summed_whole([samples for _, samples in made.stems], 16)) - quantised(made.mix, 16)).max()
    print(f"{name}: {len(made.stems)} stems sum to their mix within {apart} step of 16 bit: {told(apart <= 1)} (1)")
    return bool(apart <= 1)


def table() -> None:
    print("\n| program | peak | RMS | DC | begins at | cents off A4 |\n|---|---|---|---|---|---|")
    for program, name in enumerate(PROGRAM_NAMES):
        sound = voice([Sounding(100, int(1.5 * RATE), 69, 90)], program, False, idle)
        first = int(np.flatnonzero(np.abs(sound).max(axis=0) > 0)[0]) - 100
        print(f"| {program} {name} | {np.abs(sound).max():.2f} | {np.sqrt((sound**2).mean()):.3f} | {sound.mean():.0e} | {first} | {cents(sound):+.1f} |")
    print("\n| drum | peak | RMS | DC | seconds |\n|---|---|---|---|---|")
    for key in sorted(KEYS):
        sound = drum(key, 0.8)
        print(f"| {key} | {np.abs(sound).max():.2f} | {np.sqrt((sound**2).mean()):.3f} | {sound.mean():.0e} | {sound.shape[1] / RATE:.2f} |")


def cents(sound: np.ndarray, size: int = 2**18) -> float:
    part = sound[:, 4000:69_536].sum(axis=0)
    bins = np.abs(np.fft.rfft(part * np.hanning(len(part)), size))
    top = 2467 + int(np.argmax(bins[2467:2766]))  # 415 … 465 Hz
    before, here, after = np.log(bins[top - 1 : top + 2] + 1e-12)
    return float(1200 * np.log2((top + 0.5 * (before - after) / (before - 2 * here + after)) * RATE / size / 440))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="also each instrument alone")
    wanted = parser.parse_args()
    begun = time.process_time()
    font = opened(SHIPPED)
    print(f"SoundFont read in {time.process_time() - begun:.1f} CPU seconds\n\n| {BARS} bars | sound | voices alone | at least | with room and mastering | peak | LUFS | DC |\n|---|---|---|---|---|---|---|---|")
    played(chorale((0, 16, 32, 48), True), Mix(), own_engine, idle)  # imports and the room's response are not counted
    kept = []
    for name, programs in ENSEMBLES.items():
        piece = chorale(programs, "drums" in name or "bit" in name)
        kept += [timed(f"synthesiser, {name}", piece, own_engine, OWN), timed(f"SoundFont, {name}", piece, engine_of(font), SOUNDFONT)]
    print()
    kept += [stems("synthesiser", own_engine), stems("SoundFont", engine_of(font))]
    if wanted.table:
        table()
    print(f"\n{sum(kept)} of {len(kept)} limits are kept")
    return int(not all(kept))


if __name__ == "__main__":
    sys.exit(main())
