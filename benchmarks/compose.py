"""Composing: the first piece of a fresh studio, exactness over many random settings, and how the moods sound. `python benchmarks/compose.py [first|exact|moods] [--count=300] [--busy]`"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from pipelines.music import midi  # noqa: E402
from pipelines.music.plan import plan_of  # noqa: E402
from pipelines.music.presets import PRESETS  # noqa: E402
from pipelines.music.writing import compose  # noqa: E402
from tests.music_checks import params_of, some_values, wrong  # noqa: E402

MOST_SECONDS = 5.0
QUIET = 0.02  # of full scale: the least RMS of a mood


def option(name: str, usual: int) -> int:
    return next((int(word.partition("=")[2]) for word in sys.argv if word.startswith(f"--{name}=")), usual)


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def asked(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", "accept": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def finished(base: str, values: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """Seconds from the request to the finished job, and the job."""
    started = time.monotonic()
    job = asked(f"{base}/api/v1/pipelines/music.compose", values)
    while job["state"] not in ("done", "failed", "cancelled"):
        time.sleep(0.02)
        job = asked(f"{base}/api/v1/jobs/{job['id']}")
    return time.monotonic() - started, job


def first() -> bool:
    """16 bars in four voices, notes and sound, by a studio that has not composed before; then a second one."""
    from tests.running import running

    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as studio:
        base = str(studio.url).rstrip("/")
        cold, job = finished(base, {"seed": 1})
        warm, _ = finished(base, {"seed": 2})
        kinds = [asked(f"{base}/api/v1/outputs/{one}")["kind"] for one in job["outputs"]]
    good = told(f"outputs: {', '.join(kinds)}", kinds == ["midi", "audio"])
    return told(f"first piece: {cold:.2f} s cold, {warm:.2f} s warm ({MOST_SECONDS:g} s allowed)", cold <= MOST_SECONDS) and good


def exact() -> bool:
    """Tempo, length, metre, scale, chords, ranges and voices of pieces at random settings, note by note; and each piece as its file holds it."""
    count, notes, errors, started = option("count", 300), 0, [], time.process_time()
    for seed in range(count):
        values = some_values(random.Random(seed))
        plan = plan_of(params_of(values), None)
        piece = midi.check(compose(plan, values["seed"]))
        notes += sum(len(voice.notes) for voice in piece.voices)
        errors += [f"{seed}: {text}" for text in wrong(plan, piece)]
        if midi.read(midi.write(piece)) != piece:
            errors.append(f"{seed}: the file is another piece")
    print(f"     {count} pieces, {notes:,} notes, {time.process_time() - started:.0f} s of processor")
    return told(f"exactness: {len(errors)} errors{': ' + errors[0] if errors else ''}", not errors)


def moods() -> bool:
    """Each mood by the studio's own instruments: loudness, peak, offset, and where its sound lies."""
    import numpy as np

    from pipelines.music.sound import Mix, render

    good = True
    for name in PRESETS:
        params = params_of({"preset": name, "seed": 1, "bars": 8})
        piece = midi.check(compose(plan_of(params, None), 1))
        sound = np.asarray(render(piece, Mix()), np.float64)
        rms, peak, offset = float(np.sqrt((sound**2).mean())), float(np.abs(sound).max()), float(np.abs(sound.mean(axis=1)).max())
        power = np.abs(np.fft.rfft(sound.mean(axis=0))) ** 2
        centre = float((power * np.arange(len(power))).sum() / power.sum() * 44_100 / sound.shape[1])
        voices = len({voice.program for voice in piece.voices})
        often = sum(len(voice.notes) for voice in piece.voices) / piece.seconds(piece.length)
        line = f"{name:12} {piece.seconds(piece.length):5.1f} s, {often:5.1f} notes/s, {voices} instruments, rms {rms:.3f}, peak {peak:.3f}, offset {offset:.5f}, centre {centre:6.0f} Hz"
        good &= told(line, rms > QUIET and peak <= 1.0 and offset < 0.005)
    return good


def main() -> int:
    refuse_busy_machine()
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")] or ["first", "exact", "moods"]
    good = [{"first": first, "exact": exact, "moods": moods}[name]() for name in wanted]
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
