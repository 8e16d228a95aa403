"""`python -m pipelines.image.training.tiny <step> [folder]`: fetch, draw, autoencoder, encode, text, unet, export, sheet; see README.md."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from pipelines.image.training.tiny.names import SUGGESTED, Concept, concepts

PACKAGES = ("@lobehub/fluent-emoji-3d@1.1.0", "emojibase-data@17.0.0")
PICTURES = 36_000
BUDGETS = {"autoencoder": 300_000, "text": 400_000, "unet": 800_000}


def fetch(folder: Path) -> None:
    """Both packages through npm, so that its mirrors and proxies are honoured; unpacked below folder/packages."""
    for package in PACKAGES:
        target = folder / "packages" / package.strip("@").replace("/", "-")
        if target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        named = subprocess.run([shutil.which("npm") or "npm", "pack", "--silent", package], cwd=target.parent, check=True, capture_output=True, text=True)
        archive = target.parent / named.stdout.split()[-1]
        part = target.with_suffix(".part")
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        part.rename(target)


def known(folder: Path) -> list[Concept]:
    pictures, labels = (folder / "packages" / package.strip("@").replace("/", "-") / "package" for package in PACKAGES)
    return concepts(pictures / "assets", labels)


def draw(folder: Path) -> None:
    """pictures.npy uint8 [n, 128, 128, 3], captions.json, the tokenizer, tokens.npy [2, n, 32]."""
    import numpy as np

    from pipelines.image.training.tiny.pictures import SIDE, Painter
    from pipelines.image.training.tiny.tokens import load_tokenizer, train_tokenizer

    painter = Painter(known(folder))
    pictures = np.lib.format.open_memmap(folder / "pictures.npy", mode="w+", dtype=np.uint8, shape=(PICTURES, SIDE, SIDE, 3))
    captions: tuple[list[str], list[str]] = ([], [])
    for number in range(PICTURES):
        pictures[number], english, japanese = painter.draw(number)
        captions[0].append(english)
        captions[1].append(japanese)
    pictures.flush()
    (folder / "captions.json").write_text(json.dumps(captions, ensure_ascii=False), encoding="utf-8")
    train_tokenizer([*captions[0], *captions[1], *(name for concept in painter.known for name in (*concept.english, *concept.japanese))], folder)
    tokenizer = load_tokenizer(folder)

    def numbers(texts: list[str]) -> np.ndarray:
        return tokenizer(texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="np").input_ids.astype(np.int16)

    np.save(folder / "tokens.npy", np.stack([numbers(texts) for texts in captions]))
    np.save(folder / "empty.npy", numbers([""])[0])
    print(f"{PICTURES:,} pictures of {len(painter.known)} concepts, {sum(concept.suggested for concept in painter.known)} suggested, {len(tokenizer)} tokens")


def main() -> None:
    flags = argparse.ArgumentParser(prog="python -m pipelines.image.training.tiny", description=__doc__)
    flags.add_argument("step", choices=["fetch", "draw", "autoencoder", "encode", "text", "unet", "export", "sheet"])
    flags.add_argument("folder", nargs="?", type=Path, default=Path("user_data/training/tiny"))
    flags.add_argument("--to", type=Path, help="where export puts the model, where sheet puts the picture")
    flags.add_argument("--budget", type=int, default=0, help="samples of the whole run, counted over all its sittings")
    flags.add_argument("--workers", type=int, default=2, help="processes that train the network together, one thread each")
    given = flags.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.step in ("fetch", "draw"):
        return {"fetch": fetch, "draw": draw}[given.step](given.folder)
    import torch

    torch.set_num_threads(1)
    budget = given.budget or BUDGETS.get(given.step, 0)
    model = given.to or given.folder / "model"
    if given.step in ("autoencoder", "encode"):
        from pipelines.image.training.tiny.nets import autoencode

        autoencode.train_autoencoder(given.folder, budget) if given.step == "autoencoder" else autoencode.encode(given.folder)
    elif given.step in ("text", "unet"):
        from pipelines.image.training.tiny.nets import denoise

        if given.step == "text":
            denoise.train_text(given.folder, budget)
        else:
            denoise.train_unet(given.folder, budget, given.workers)
    else:
        from pipelines.image.training.tiny.nets import export

        if given.step == "export":
            export.export(given.folder, model)
        else:
            export.sheet(given.folder / "model", list(SUGGESTED), given.to or given.folder / "sheet.png", columns=16)


if __name__ == "__main__":
    main()
