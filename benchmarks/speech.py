"""Speech: speed on one core, breaks, rates and pitch measured in the sound, 10,000 characters without a gap. `python benchmarks/speech.py [speed|exact|long] [--busy]`

Speed is speech per processor second, loading aside. Kokoro is measured where its model is (it comes on wish).
"""

from __future__ import annotations

import io
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
import soundfile  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from pipelines.music.speech import sound  # noqa: E402
from pipelines.music.speech.speech import Speech  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from tests.speaking import Context, catalog, silences, speak  # noqa: E402

ENGLISH = "The quick brown fox jumps over the lazy dog, and then it sleeps for a while in the warm light of the afternoon. Nobody wakes it before the evening comes. "
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所でニャーニャー泣いていた事だけは記憶している。"
VOICES = {"heart": ("English", 20.0, ENGLISH), "mei": ("Japanese, Open JTalk", 10.0, JAPANESE), "alpha": ("Japanese, Kokoro", 1.0, JAPANESE)}
MOST_GROWTH = 20 * 2**20  # bytes of the process between a quarter and the end of a long text, its finished file aside


def told(what: str, good: bool) -> bool:
    print(f"{'ok  ' if good else 'MISSED'} {what}", flush=True)
    return good


def here() -> dict[str, tuple[str, float, str]]:
    missing = {voice["id"] for voice in Speech().voices(models()) if voice["missing"]}
    for voice in set(VOICES) & missing:
        print(f"     {voice}: its model is not on this computer")
    return {voice: about for voice, about in VOICES.items() if voice not in missing}


def models() -> Any:
    return catalog(load_settings({})[0].models_path)


def said(voice: str, text: str, **values: Any) -> tuple[Any, np.ndarray, int]:
    return speak(text, Context(models()), **{"voice": "heart", "japanese_voice": voice if voice != "heart" else "mei"} | values)


def speed() -> bool:
    """The better of three, for another program's turn costs what it costs."""
    good = True
    for voice, (title, limit, text) in here().items():
        said(voice, text)  # loaded and warm
        rates = []
        for _ in range(3):
            begun = time.process_time()
            _, samples, rate = said(voice, text)
            rates.append(len(samples) / rate / (time.process_time() - begun))
        good &= told(f"{title}: {max(rates):.1f} × real time ({min(rates):.1f} at worst), at least {limit:g}", max(rates) >= limit)
    return good


def exact() -> bool:
    good = True
    for voice, (title, _, text) in here().items():
        sentence = text.partition("." if voice == "heart" else "。")[0]
        off = _breaks(voice, sentence)
        good &= told(f"{title}: breaks are {off:.0f} ms off at most, limit 30", off <= 30)
        usual = said(voice, text)
        rates = [abs(len(usual[1]) / len(said(voice, text, speed=one)[1]) / one - 1) for one in (0.5, 0.8, 1.25, 2.0)]
        good &= told(f"{title}: speeds 0.5, 0.8, 1.25, 2 are {', '.join(f'{rate:.1%}' for rate in rates)} off, limit 5 %", max(rates) <= 0.05)
        moved = [12 * np.log2(_hertz(said(voice, text, pitch=one)) / _hertz(usual)) for one in (-4, 4)]
        good &= told(f"{title}: pitch of -4 and +4 semitones: {moved[0]:+.2f}, {moved[1]:+.2f}", max(abs(moved[0] + 4), abs(moved[1] - 4)) <= 1)
        good &= told(f"{title}: peak {np.abs(usual[1]).max():.2f}, mean {usual[1].mean():+.5f}", 0.1 < np.abs(usual[1]).max() < 0.98 and abs(usual[1].mean()) < 1e-3)
    return good


def _breaks(voice: str, sentence: str) -> float:
    """Milliseconds that the worst of three breaks is off."""
    off = []
    for milliseconds in (200, 500, 1500):
        _, samples, rate = said(voice, f'<speak>{sentence}<break time="{milliseconds}ms"/>{sentence}</speak>')
        middle = len(samples) / rate / 2
        begin, end = min(silences(samples, rate), key=lambda rest, at=middle: abs((rest[0] + rest[1]) / 2 - at))
        off.append(abs((end - begin) * 1000 - milliseconds))
    return max(off)


def _hertz(spoken: tuple[Any, np.ndarray, int]) -> float:
    periods, _ = sound.pitch_of(spoken[1], spoken[2])
    return float(spoken[2] / np.median(periods[periods > 0]))


class Watched(Context):
    """Notes the process's size at each sentence."""

    def progress(self, step: int, total: int, note: str = "", share: float = -1.0) -> None:
        super().progress(step, total, note, share)
        self.sizes = [*getattr(self, "sizes", []), int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()]


def long() -> bool:
    good = True
    for voice, (title, _, text) in here().items():
        if voice == "alpha":
            continue  # half an hour of work: the same joins as the others'
        whole = "".join(text + ("\n\n" if number % 5 == 4 else "") for number in range(-(-10_000 // len(text))))
        context = Watched(models())
        begun = time.process_time()
        result, samples, rate = speak(whole, context, voice="heart", japanese_voice="mei", pause_sentence=0.35, pause_paragraph=0.8)
        spent, rests = time.process_time() - begun, [end - begin for begin, end in silences(samples, rate)]
        joints = [row[1] for row in result.artifacts[0].facts["timing"][:-1]] + [row[0] for row in result.artifacts[0].facts["timing"][1:]]
        jumps = [float(np.abs(np.diff(samples[max(0, round((at - 0.003) * rate)) : round((at + 0.003) * rate)])).max()) for at in joints]
        inside = float(np.abs(np.diff(samples)).max())
        print(f"     {title}: {len(whole):,} characters, {len(samples) / rate / 60:.1f} minutes in {spent:.0f} processor seconds, {len(result.artifacts[0].data) / 2**20:.0f} MB")
        good &= told(f"{title}: the longest silence is {max(rests):.3f} s, the longest pause asked for 0.8", max(rests) <= 0.83)
        good &= told(f"{title}: at {len(jumps)} joins the largest step between two samples is {max(jumps):.4f}, {inside:.4f} inside speech", max(jumps) <= inside / 4)
        growth = max(context.sizes[len(context.sizes) // 4 :]) - context.sizes[len(context.sizes) // 4]
        good &= told(f"{title}: the process grows by {growth / 2**20:.1f} MB from a quarter of the text to its end", growth <= MOST_GROWTH)
        assert soundfile.info(io.BytesIO(result.artifacts[0].data)).frames == len(samples)
    return good


if __name__ == "__main__":
    refuse_busy_machine()
    parts = {"speed": speed, "exact": exact, "long": long}
    wanted = [word for word in sys.argv[1:] if not word.startswith("--")] or list(parts)
    results = [parts[word]() for word in wanted]  # all of them, also after one that missed
    raise SystemExit(0 if all(results) else 1)
