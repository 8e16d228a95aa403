"""Sound continued to minutes at flat memory: 180 s of a tiny MusicGen, window after window. `python benchmarks/audio.py [--busy] [seconds]`

Memory is what the system counts as resident, looked at once a second of sound once the first window of 30 s is on the tape; the limit is 5 % between its least and its most.
The finished file, which a job holds whole, is told beside it.
The model is random and small in width, its window, tokens a second and codec are those of the real ones: what grows with length would grow here too.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import psutil  # noqa: E402
import soundfile  # noqa: E402, F401 - a worker has it before
import torch  # noqa: E402
from quiet import refuse_busy_machine  # noqa: E402

from pipelines.music.audio.families import FAMILIES, family_of  # noqa: E402
from pipelines.music.audio.nets.load import load  # noqa: E402
from pipelines.music.audio.nets.tokens import Ask, write  # noqa: E402
from pipelines.music.audio.tape import Tape  # noqa: E402
from studio.scan import scan  # noqa: E402
from tests.audio_models import musicgen  # noqa: E402

SECONDS, FROM, MOST = 180.0, 31, 1.05


def main() -> None:
    refuse_busy_machine()
    seconds = float(next((word for word in sys.argv[1:] if not word.startswith("-")), SECONDS))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        musicgen(Path(folder) / "musicgen")
        family = family_of(next(entry for entry in scan(Path(folder)) if entry.architecture in FAMILIES))
        model = load(Path(folder) / "musicgen", family, device="cpu", half=False, parts=False, report=lambda note, share: None)
        used, begun = watch(model, family, seconds)
    last = used.pop(int(seconds) + 1)
    flat = {second: size for second, size in used.items() if second >= FROM}
    ratio = max(flat.values()) / min(flat.values())
    shown = ", ".join(f"{second} s: {used[second] / 2**20:.0f} MB" for second in sorted(used) if second % 30 == 0)
    print(f"{seconds:.0f} s of sound in {time.monotonic() - begun:.0f} s. {shown}; with the written file {last / 2**20:.0f} MB")
    print(f"{'ok  ' if ratio <= MOST else 'MISSED'} memory from {FROM} s on: most / least {ratio:.3f} (limit {MOST})")
    sys.exit(ratio > MOST)


def watch(model: Any, family: Any, seconds: float) -> tuple[dict[int, int], float]:
    """Resident bytes by second of sound; the last one is after the file is written."""
    here, used, begun = psutil.Process(), dict[int, int](), time.monotonic()

    def told(made: int, of: int) -> bool:
        second = int(made * family.facts["hop"] / family.rate)
        if second not in used:
            used[second] = here.memory_info().rss
        return False

    tape = Tape(family.channels, family.rate)
    torch.manual_seed(1)
    write(model, Ask("a calm piano", seconds, 3.0), tape, told)
    data = tape.file(".wav")
    used[int(seconds) + 1] = here.memory_info().rss
    assert round(tape.seconds, 2) == seconds and len(data) > tape.frames * 2
    tape.close()
    return used, begun


if __name__ == "__main__":
    main()
