"""`python -m benchmarks.composer [chorales.npz]`: the chorale network's held-out likelihoods, and 100 composed chorales beside Bach's own by the same counting.

Definitions: pipelines/music/composer/measure.py. The chorales are composed on the metre, phrases and keys of held-out ones; a run is copied where all four voices stand
note for note in a training piece, in any transposition. The data is made by `python -m pipelines.music.composer.training`.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks.quiet import refuse_busy_machine
from pipelines.music.composer import measure, play, sample
from pipelines.music.composer.training import data
from pipelines.music.composer.training.__main__ import HERE

COUNT = 100


def main() -> None:
    refuse_busy_machine()
    given = [word for word in sys.argv[1:] if not word.startswith("--")]
    path = Path(given[0]) if given else HERE / "chorales.npz"
    if not path.exists():
        raise SystemExit(f"{path} is absent. Make it: python -m pipelines.music.composer.training")
    parts = data.split(data.read(path))
    likelihoods(parts)
    bach = [song for songs in parts.values() for song in songs]
    print("Bach     ", told(measure.measure([song.tokens for song in bach], [(song.frame.tonic, song.frame.minor) for song in bach])))
    sources = measure.Sources([song.tokens for song in parts["train"]])
    frames = [song.frame for song in parts["tune"]]
    made = [(frames[seed % len(frames)], sample.sample(frames[seed % len(frames)], seed=seed)) for seed in range(COUNT)]
    print("composed ", told(measure.measure([tokens for _, tokens in made], [(frame.tonic, frame.minor) for frame, _ in made])))
    runs = sorted(measure.copied(tokens, sources) for _, tokens in made)
    print(f"copied run: at most 8 quarters in {100 * sum(run <= 8 for run in runs) / COUNT:.0f} % of pieces, median {runs[COUNT // 2]:g}, longest {runs[-1]:g}")


def told(measured: measure.Measured) -> str:
    return "  ".join(f"{name} {value:.2f}" for name, value in asdict(measured).items())


def likelihoods(parts: dict[str, list[data.Song]]) -> None:
    from pipelines.music.composer.training.fit import held_out
    from pipelines.music.nets.composer import from_file

    model, _ = from_file(play.CHORALES)
    for name in ("piece", "tune"):
        print(f"held out by {name}: {held_out(model, [data.Ready.of(song) for song in parts[name]]):.4f} nats per voice token ({len(parts[name])} pieces)")


if __name__ == "__main__":
    main()
