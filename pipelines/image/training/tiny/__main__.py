"""`python -m pipelines.image.training.tiny <step> [folder]`: fetch, draw, autoencoder, encode, text, unet, align, export, sheet, measure; see README.md."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.image.training.tiny.names import Concept, concepts, suggested

if TYPE_CHECKING:
    from pipelines.image.training.tiny.nets.run import Budget

PACKAGES = ("@iconify-json/fluent-emoji-flat@1.2.6", "emojibase-data@17.0.0")
DRAWN_SIDE = 160
PICTURES = 24_000
BUDGETS = {"autoencoder": 300_000, "text": 400_000, "unet": 1_000_000, "align": 12_000}
PAINTERS = 2


def fetch(folder: Path) -> None:
    """Both packages through npm, so that its mirrors and proxies are honoured; unpacked below folder/packages, the icons as folder/icons/<code>.png."""
    for package in PACKAGES:
        target = unpacked(folder, package)
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        named = subprocess.run([shutil.which("npm") or "npm", "pack", "--silent", package], cwd=target.parent, check=True, capture_output=True, text=True)
        archive = target.parent / named.stdout.split()[-1]
        part = target.with_suffix(".part")
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        part.rename(target)
    icons(unpacked(folder, PACKAGES[0]) / "package", folder / "icons")


def unpacked(folder: Path, package: str) -> Path:
    return folder / "packages" / package.strip("@").replace("/", "-")


def icons(package: Path, target: Path) -> None:
    """The set's drawings (SVG inside one JSON file) as pictures with transparency, named by code points. Needs the package resvg-py."""
    import resvg_py

    told = json.loads((package / "icons.json").read_text(encoding="utf-8"))
    side = told["height"]
    target.mkdir(parents=True, exist_ok=True)
    for code, name in json.loads((package / "chars.json").read_text(encoding="utf-8")).items():
        if name not in told["icons"] or (target / f"{code}.png").exists():
            continue
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 {side} {side}" width="{DRAWN_SIDE}" height="{DRAWN_SIDE}">{told["icons"][name]["body"]}</svg>'
        (target / f"{code}.png").write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, width=DRAWN_SIDE, height=DRAWN_SIDE, skip_system_fonts=True)))


def known(folder: Path) -> list[Concept]:
    return concepts(folder / "icons", unpacked(folder, PACKAGES[1]) / "package")


def paint(folder: Path, first: int, last: int) -> list[tuple[str, ...]]:
    """Scenes first to last into pictures.npy; their captions."""
    import numpy as np

    from pipelines.image.training.tiny.pictures import Painter

    painter = Painter(known(folder))
    pictures = np.load(folder / "pictures.npy", mmap_mode="r+")
    captions = []
    for number in range(first, last):
        pictures[number], *said = painter.draw(number)
        captions.append(tuple(said))
    pictures.flush()
    return captions


def draw(folder: Path, first: Path | None = None) -> None:
    """pictures.npy uint8 [n, 128, 128, 3], captions.json (English, Japanese, the set's own words), the tokenizer, tokens.npy [3, n, 24].

    With a first model its tokenizer is kept, and tokens for Japanese are added.
    """
    import numpy as np

    from pipelines.image.training.tiny.pictures import SIDE
    from pipelines.image.training.tiny.tokens import load_tokenizer, train_tokenizer

    np.lib.format.open_memmap(folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=(PICTURES, SIDE, SIDE, 3)).flush()
    parts = [(folder, PICTURES * part // PAINTERS, PICTURES * (part + 1) // PAINTERS) for part in range(PAINTERS)]
    with multiprocessing.get_context("fork").Pool(PAINTERS) as pool:
        captions = list(zip(*(said for part in pool.starmap(paint, parts) for said in part), strict=True))
    (folder / "captions.json").write_text(json.dumps(captions, ensure_ascii=False), encoding="utf-8")
    everything = known(folder)
    japanese = [*captions[1], *(name for concept in everything for name in concept.japanese * 4)]
    train_tokenizer(japanese if first else [*captions[0], *japanese, *(name for concept in everything for name in concept.english)], folder, first)
    tokenizer = load_tokenizer(folder)

    def numbers(texts: Sequence[str]) -> np.ndarray:
        return tokenizer(list(texts), padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="np").input_ids.astype(np.int16)

    np.save(folder / "tokens.npy", np.stack([numbers(texts) for texts in captions]))
    np.save(folder / "empty.npy", numbers([""])[0])
    print(f"{PICTURES:,} pictures of {len(everything)} concepts, {sum(concept.suggested for concept in everything)} suggested, {len(tokenizer)} tokens")


def time_of_day(text: str) -> float:
    """The next HH:MM, in seconds since 1970."""
    hour, minute = (int(part) for part in text.split(":"))
    now = time.localtime()
    wanted = time.mktime((now.tm_year, now.tm_mon, now.tm_mday, hour, minute, 0, 0, 0, -1))
    return wanted if wanted > time.time() else wanted + 86_400


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m pipelines.image.training.tiny", description=__doc__)
    flags.add_argument("step", choices=["fetch", "draw", "autoencoder", "encode", "text", "unet", "align", "export", "sheet", "measure"])
    flags.add_argument("folder", nargs="?", type=Path, default=Path("user_data/training/tiny"))
    flags.add_argument("--to", type=Path, help="where export puts the model, sheet the picture, measure the table")
    flags.add_argument("--model", type=Path, help="the model that sheet and measure draw with; without it the exported one")
    flags.add_argument("--language", choices=["en", "ja"], default="en", help="what measure writes its prompts in")
    flags.add_argument("--budget", type=int, default=0, help="samples of the whole run, counted over all its sittings")
    flags.add_argument("--until", help="HH:MM; instead of a budget: the learning rate reaches its end at that time of day")
    flags.add_argument("--from", dest="first", type=Path, help="a model folder of an earlier run to go on from")
    flags.add_argument("--workers", type=int, default=2, help="processes that train the network together, one thread each")
    given = flags.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.step in ("fetch", "draw"):
        return fetch(given.folder) if given.step == "fetch" else draw(given.folder, given.first)
    import torch

    from pipelines.image.training.tiny.nets.run import Budget

    torch.set_num_threads(1)
    budget = Budget(given.budget or BUDGETS.get(given.step, 0), time_of_day(given.until) if given.until else 0.0)
    {"autoencoder": _autoencoder, "encode": _encode, "text": _text, "unet": _unet, "align": _align, "export": _export, "sheet": _sheet, "measure": _measure}[given.step](given, budget)


def _autoencoder(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.autoencode import train_autoencoder

    train_autoencoder(given.folder, budget, given.first)


def _encode(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.autoencode import encode

    encode(given.folder, given.first)


def _text(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.denoise import train_text

    train_text(given.folder, budget, given.first)


def _unet(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.denoise import train_unet

    train_unet(given.folder, budget, given.workers, given.first)


def _align(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.denoise import align

    align(given.folder, budget)


def _export(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.export import export

    export(given.folder, given.to or given.folder / "model")


def _sheet(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.export import sheet

    sheet(given.model or given.folder / "model", [english[0] for english, _ in suggested().values()], given.to or given.folder / "sheet.png", columns=16)


def _measure(given: argparse.Namespace, budget: Budget) -> None:
    from pipelines.image.training.tiny.nets.measure import measure

    table = measure(given.folder, given.model or given.folder / "model", known(given.folder), japanese=given.language == "ja")
    (given.to or given.folder / f"measured-{given.language}.json").write_text(json.dumps(table, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print("\n".join(f"{name:28} {value:.1%}" for name, value in table.items() if isinstance(value, float)))


if __name__ == "__main__":
    main()
