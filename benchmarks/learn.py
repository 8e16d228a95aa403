"""`python -m benchmarks.learn [--steps=N] [MIDI files …]`: Learn my style at its own settings, from five pieces of one kind: processor seconds, held-out loss before and after, longest copied run.

Without files it learns from five sets of five old folk tunes (melody alone) and from five waltzes of the studio's own band. One thread: on two idle cores it takes at most as long
as the processor seconds say. A fifth of the pieces is held out, so of five the loss is that of one piece: one set says little, several say more.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.quiet import refuse_busy_machine
from pipelines.music.learn import Learn, LearnParams
from tests.learning import Context, folk, waltzes

MOST_SECONDS, LEAST_FALL = 180.0, 0.2


def main() -> int:
    refuse_busy_machine()
    given = {word: Path(word) for word in sys.argv[1:] if not word.startswith("--")}
    with tempfile.TemporaryDirectory() as folder:
        sets = {"your files": given} if given else own(Path(folder))
        good = [learnt(name, files) for name, files in sets.items()]
        print(f"{sum(good)} of {len(good)} sets reach what is asked")
        return 0 if all(good) else 1


def own(folder: Path) -> dict[str, dict[str, Path]]:
    chosen = [((4, 4), 0), ((4, 4), 5), ((4, 4), 10), ((3, 4), 0), ((6, 8), 0)]
    return {f"folk tunes in {metre[0]}/{metre[1]} from the {first + 1}th": folk(folder, metre, first) for metre, first in chosen} | {"waltzes": waltzes(folder)}


def learnt(name: str, files: dict[str, Path]) -> bool:
    steps = next((int(word.removeprefix("--steps=")) for word in sys.argv if word.startswith("--steps=")), LearnParams().updates)
    params, context, begun = LearnParams(pieces=list(files), updates=steps), Context(files), time.process_time()
    told = Learn().run(params, context).summary  # type: ignore[arg-type]
    seconds, before, after = time.process_time() - begun, told["held_out_before"], told["held_out_after"]
    fall = 1 - after / before
    good = seconds <= MOST_SECONDS and fall >= LEAST_FALL
    print(f"{'ok  ' if good else 'MISSED'} {len(files)} {name}, {params.updates} steps: {seconds:.0f} s of processor ({MOST_SECONDS:.0f} s allowed), ", end="")
    print(f"held-out loss {before:.3f} → {after:.3f}, {100 * fall:.0f} % lower ({100 * LEAST_FALL:.0f} % asked), copied run {told['copied_quarters']:g} quarters", flush=True)
    print(f"     at step: {'  '.join(f'{int(step)} {loss:.3f}' for step, loss in context.measured['held_out'])}", flush=True)
    return good


if __name__ == "__main__":
    sys.exit(main())
