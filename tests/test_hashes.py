"""Hashes of models: found in the background, remembered, changed with the file, written into pictures and found by them again."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import hashes
from studio.catalog import Catalog
from studio.hashes import HashBook, Hasher
from studio.metadata import extract
from tests.house import finish
from tests.test_scan import tensors


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read to their end."""
    seen: list[str] = []
    real = hashes.hashes_of

    def counted(path: Path, **more: Any) -> dict[str, str]:
        found = real(path, **more)
        seen.extend([path.name] if found else [])
        return found

    monkeypatch.setattr(hashes, "hashes_of", counted)
    return seen


def house(root: Path) -> tuple[Catalog, HashBook]:
    book = HashBook(root / "hashes.json")
    return Catalog([root / "models"], known=book.of), book


def put(root: Path, name: str, names: dict[str, int]) -> Path:
    path = root / "models" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tensors(names))
    return path


def until(ready: Callable[[], Any], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_hashes_come_by_themselves_and_are_remembered(tmp_path: Path, read: list[str]) -> None:
    model = put(tmp_path, "stable-diffusion/a.safetensors", {"model.diffusion_model.x": 400, "cond_stage_model.transformer.y": 4})
    lora = put(tmp_path, "lora/b.safetensors", {"lora_unet_down.lora_up.weight": 40})
    put(tmp_path, "text/c.safetensors", {"something": 4})
    catalog, book = house(tmp_path)
    hasher = Hasher(book, catalog.entries)
    catalog.when_read = hasher.wake
    hasher.start(first_seconds=0)
    until(lambda: "sha256" in catalog.find("stable-diffusion/a").details)
    assert catalog.find("stable-diffusion/a").details["sha256"] == sha256(model) and catalog.find("lora/b").details["sha256"] == sha256(lora)
    data = lora.read_bytes()
    assert catalog.find("lora/b").details["autov3"] == hashlib.sha256(data[8 + int.from_bytes(data[:8], "little") :]).hexdigest()
    assert read == ["b.safetensors", "a.safetensors"], "small ones first; what draws nothing is not read"
    hasher.close()

    catalog, book = house(tmp_path)  # the next start
    again = Hasher(book, catalog.entries)
    catalog.when_read = again.wake
    again.start(first_seconds=0)
    assert catalog.find("stable-diffusion/a").details["sha256"] == sha256(model) and len(read) == 2
    model.write_bytes(tensors({"model.diffusion_model.x": 404, "cond_stage_model.transformer.y": 4}))
    catalog.refresh()
    until(lambda: catalog.find("stable-diffusion/a").details.get("sha256") == sha256(model))
    assert read == ["b.safetensors", "a.safetensors", "a.safetensors"]
    again.close()


def test_a_file_replaced_by_one_of_the_same_size_is_hashed_anew(tmp_path: Path) -> None:
    path = put(tmp_path, "vae/a.safetensors", {"decoder.up.x": 8})
    catalog, book = house(tmp_path)
    entry = catalog.find("vae/a")
    book.write(entry, {"sha256": "1" * 64}, catalog.entries())
    assert catalog.find("vae/a").details["sha256"] == "1" * 64
    os.utime(path, ns=(1, 1))
    catalog.refresh()
    assert "sha256" not in catalog.find("vae/a").details


def test_closing_and_switching_off_end_it_within_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "CHUNK", 64)
    put(tmp_path, "stable-diffusion/a.safetensors", {"model.diffusion_model.x": 2_000_000, "cond_stage_model.transformer.y": 4})
    catalog, book = house(tmp_path)
    wanted = [True]
    hasher = Hasher(book, catalog.entries, wanted=lambda: wanted[0])
    hasher.start(first_seconds=0)
    until(lambda: hasher.now)
    wanted[0] = False
    until(lambda: not hasher.now)
    assert not book.path.exists(), "half a hash is none"
    wanted[0] = True
    hasher.wake()
    until(lambda: hasher.now)
    hasher.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "hashing"] and not book.path.exists()


def test_a_spoilt_book_is_written_anew(tmp_path: Path) -> None:
    put(tmp_path, "vae/a.safetensors", {"decoder.up.x": 8})
    (tmp_path / "hashes.json").write_text("[1, 2")
    catalog, book = house(tmp_path)
    hasher = Hasher(book, catalog.entries)
    hasher.start(first_seconds=0)
    until(lambda: "sha256" in catalog.find("vae/a").details)
    hasher.close()


@pytest.mark.slow
def test_pictures_name_their_model_by_its_hash_and_find_it_under_another_name(tmp_path: Path) -> None:
    from studio.restore import restore
    from tests.image_models import image_queue
    from tests.ldm import write_checkpoint
    from tests.test_single_file import make

    path = write_checkpoint(make(tmp_path, "sd1"), tmp_path / "models" / "stable-diffusion" / "first.safetensors")
    queue = image_queue(tmp_path / "data", tmp_path / "models")
    book = HashBook(tmp_path / "data" / "hashes.json")
    queue.catalog = queue.desk.catalog.__class__([tmp_path / "models"], known=book.of)
    object.__setattr__(queue.desk, "catalog", queue.catalog)
    queue.start()

    def drawn() -> Path:
        job = queue.submit("image.generate", {"prompt": "a cat", "model": "stable-diffusion/first", "width": 32, "height": 32, "steps": 2, "seed": 1, "upscale": 1.0}, owner="local").wait()
        assert job.error is None, (job.error.message, job.error.traceback)
        return Path(queue.store.output(job.outputs[0]).path)

    before = drawn()
    assert "Model hash" not in str(extract(before)["facts"])
    hasher = Hasher(book, queue.catalog.entries)
    hasher.start(first_seconds=0)
    until(lambda: "sha256" in queue.catalog.find("stable-diffusion/first").details)
    picture, first = drawn(), sha256(path)
    assert extract(picture)["model"] == {"key": "stable-diffusion/first", "sha256": first}
    with Image.open(picture) as image:
        assert f"Model hash: {first[:10]}" in image.text["parameters"]  # type: ignore[attr-defined]

    write_checkpoint(other := make(tmp_path, "sd1"), path)
    with_changed_weights(other, path)
    queue.catalog.refresh()
    hasher.wake()
    until(lambda: queue.catalog.find("stable-diffusion/first").details.get("sha256") == sha256(path))
    changed = drawn()
    assert extract(changed)["model"]["sha256"] == sha256(path) != first
    assert (np.asarray(Image.open(changed)) != np.asarray(Image.open(picture))).any(), "the new weights drew it, not those that were loaded"

    path.rename(path.with_name("second.safetensors"))
    queue.catalog.refresh()
    hasher.wake()
    until(lambda: "sha256" in queue.catalog.find("stable-diffusion/second").details)
    hasher.close()
    studio: Any = type("House", (), {"pipelines": queue.pipelines, "catalog": queue.catalog, "jobs": queue})()
    plain = tmp_path / "theirs.png"
    about = __import__("PIL.PngImagePlugin", fromlist=["PngInfo"]).PngInfo()
    about.add_text("parameters", f"a cat\nSteps: 2, Sampler: Euler, CFG scale: 7, Seed: 1, Size: 32x32, Model hash: {sha256(path.with_name('second.safetensors'))[:10]}, Model: gone")
    Image.new("RGB", (32, 32)).save(plain, pnginfo=about)
    assert restore(plain, studio).params["model"] == "stable-diffusion/second"
    finish(queue)


def with_changed_weights(pipe: Any, path: Path) -> None:
    """The same checkpoint, its network's last layer other."""
    import torch

    with torch.no_grad():
        pipe.unet.conv_out.weight.mul_(-1.0)
    from tests.ldm import write_checkpoint

    write_checkpoint(pipe, path)
