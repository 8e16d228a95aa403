"""`python -m pipelines.music.composer.training`: the shipped weights, from nothing, in under 30 minutes on two cores. See README.md."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from pipelines.music.composer import play
from pipelines.music.composer.shape import Shape
from pipelines.music.composer.training import corpus, data
from pipelines.music.composer.training.fit import Fit, Plan, held_out, run, seeded

HERE = Path("user_data/training/composer")
MUSIC21 = "music21==10.5.1"


def prepared(path: Path) -> Path:
    """The chorales' grid; where it is absent, made by music21 in a throw-away environment of its own."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable)
    if importlib.util.find_spec("music21") is None:
        home = path.parent / "music21"
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        python = home / "bin" / "python" if (home / "bin").exists() else home / "Scripts" / "python.exe"
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", MUSIC21], check=True)
    subprocess.run([str(python), str(Path(corpus.__file__)), str(path)], check=True)
    return path


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pipelines.music.composer.training")
    parser.add_argument("--minutes", type=float, default=20, help="of computing time")
    parser.add_argument("--trunk", choices=("lstm", "transformer"), default="lstm")
    parser.add_argument("--hidden", type=int, default=0, help="width of the trunk")
    parser.add_argument("--dropout", type=float, default=Shape.dropout)
    parser.add_argument("--rate", type=float, default=Plan.rate)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, default=HERE / "chorales.npz")
    parser.add_argument("--state", type=Path, default=HERE / "state.pt", help="resumed from where it exists")
    parser.add_argument("--to", type=Path, default=play.CHORALES)
    return parser.parse_args()


def main() -> None:
    import torch
    from safetensors.numpy import save_file

    from pipelines.music.nets.composer import Composer, halved

    asked = arguments()
    parts = {name: [data.Ready.of(song) for song in songs] for name, songs in data.split(data.read(prepared(asked.data))).items()}
    print({name: len(pieces) for name, pieces in parts.items()})
    held = {name: parts[name] for name in ("piece", "tune")}
    shape = Shape(trunk=asked.trunk, hidden=asked.hidden or (288 if asked.trunk == "lstm" else 160), dropout=asked.dropout)
    plan = Plan(asked.minutes * 60, rate=asked.rate)
    with seeded(plan.seed, asked.threads):
        fit = Fit(Composer(shape), parts["train"], plan)
        if asked.state.exists():
            fit.resume(torch.load(asked.state, weights_only=True))
        asked.state.parent.mkdir(parents=True, exist_ok=True)
        run(fit, held, asked.state, tell=lambda line: print(line, flush=True))
        figures = {f"held_out_{name}": f"{held_out(fit.average, pieces):.4f}" for name, pieces in held.items()}
    facts = {"format": play.FORMAT, "title": "Chorale (network)", "shape": shape.to_json(), "pieces": str(len(parts["train"])), **figures}
    asked.to.parent.mkdir(parents=True, exist_ok=True)
    save_file(halved(fit.average), asked.to, metadata=facts)
    print(f"{asked.to}: {asked.to.stat().st_size / 1e6:.2f} MB, {figures}")


if __name__ == "__main__":
    main()
