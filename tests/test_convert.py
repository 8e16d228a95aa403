"""Pickle checkpoints: refused as they are, converted on wish by a program that runs nothing of them; hostile and damaged ones are refused with a sentence."""

from __future__ import annotations

import collections
import io
import json
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import convert as module
from studio.catalog import Catalog
from studio.convert import convert
from studio.downloads import Downloads
from studio.errors import BadInput, DiskFull, ModelBroken, Stopped, StudioError
from studio.settings import Settings


def quiet(have: int, total: int) -> None:
    return


def state() -> dict[str, Any]:
    import torch

    torch.manual_seed(1)
    return {"a.weight": torch.randn(3, 4), "b.half": torch.randn(5).half(), "c.brain": torch.randn(2, 2).bfloat16(), "steps": torch.tensor([7]), "turned": torch.randn(4, 6).T, "one": torch.tensor(2.5)}


class Harmful:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.mark.parametrize(("nest", "older"), [("", False), ("state_dict", False), ("params_ema", True)], ids=["flat", "nested", "older form"])
def test_weights_arrive_to_the_bit_and_the_original_stays(tmp_path: Path, nest: str, older: bool) -> None:
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    tensors = state()
    whole = {nest: collections.OrderedDict(tensors), "epoch": 3, "global_step": 1200, "pytorch-lightning_version": "1.4.2"} if nest else tensors
    source = tmp_path / "stable-diffusion" / "old model.ckpt"
    source.parent.mkdir()
    torch.save(whole, source, _use_new_zipfile_serialization=not older)
    before, seen = source.read_bytes(), []
    made = convert(source, source.parent, lambda have, total: seen.append((have, total)), threading.Event())
    assert made.name == "old model.safetensors" and source.read_bytes() == before and sorted(path.name for path in source.parent.iterdir()) == ["old model.ckpt", "old model.safetensors"]
    found = load_file(made)
    assert set(found) == set(tensors) and all(found[name].dtype == tensor.dtype and torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert seen[-1][0] == seen[-1][1] == sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    with safe_open(made, "pt") as file:
        assert (file.metadata() or {}) == ({"epoch": "3", "global_step": "1200", "pytorch-lightning_version": "1.4.2"} if nest else {})
    with pytest.raises(BadInput, match="already here"):
        convert(source, source.parent, quiet, threading.Event())


def test_what_trainers_left_in_real_checkpoints_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Lightning callback's class as key and numpy's number as value, as in the checkpoints of 2022."""
    import sys
    import types

    import torch
    from safetensors.torch import load_file

    kind = type("ModelCheckpoint", (), {"__module__": "pytorch_lightning.callbacks.model_checkpoint", "__qualname__": "ModelCheckpoint"})
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks", "pytorch_lightning.callbacks.model_checkpoint"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules["pytorch_lightning.callbacks.model_checkpoint"].ModelCheckpoint = kind  # type: ignore[attr-defined]
    source = tmp_path / "a.ckpt"
    torch.save({"state_dict": state(), "callbacks": {kind: {"best": np.float32(0.5), "path": "x"}}}, source)
    assert set(load_file(convert(source, tmp_path, quiet, threading.Event()))) == set(state())


def test_an_embeddings_vectors_keep_their_place(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    vectors = torch.randn(2, 768)
    torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": {"*": torch.nn.Parameter(vectors)}, "name": "lineart", "step": 500, "sd_checkpoint": "x"}, tmp_path / "lineart.pt")
    torch.save({"<lineart>": vectors[0]}, tmp_path / "other.bin")
    assert torch.equal(load_file(convert(tmp_path / "lineart.pt", tmp_path, quiet, threading.Event()))["emb_params"], vectors)
    assert torch.equal(load_file(convert(tmp_path / "other.bin", tmp_path, quiet, threading.Event()))["<lineart>"], vectors[0])


@pytest.mark.parametrize("form", ["zip", "older form", "bare", "newest protocol", "inside the weights"])
def test_a_hostile_file_is_refused_and_nothing_runs(tmp_path: Path, form: str) -> None:
    import torch

    ran = tmp_path / "ran"
    source = tmp_path / "evil.ckpt"
    if form == "bare":
        source.write_bytes(b"cos\nsystem\n(S'touch " + str(ran).encode() + b"'\ntR.")
    elif form == "newest protocol":
        source.write_bytes(pickle.dumps({"state_dict": Harmful(f"touch {ran}")}, protocol=5))
    elif form == "inside the weights":
        torch.save({"state_dict": state() | {"x": Harmful(f"touch {ran}")}}, source)
    else:
        torch.save({"state_dict": state(), "more": [Harmful(f"touch {ran}")]}, source, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(ModelBroken) as told:
        convert(source, tmp_path, quiet, threading.Event())
    assert not ran.exists() and [path.name for path in tmp_path.iterdir()] == ["evil.ckpt"]
    assert told.value.hint and ("system" in told.value.message or form == "newest protocol")


@pytest.mark.parametrize("form", ["cut", "text", "empty", "no weights", pytest.param("complex", marks=pytest.mark.slow)])
def test_damaged_files_are_refused_with_a_sentence(tmp_path: Path, form: str) -> None:
    import torch

    source, whole = tmp_path / "a.ckpt", io.BytesIO()
    torch.save({"state_dict": {"x": torch.randn(1000)}}, whole)
    made = {"cut": whole.getvalue()[:2000], "text": b"<html>not found</html>", "empty": b""}
    if form in made:
        source.write_bytes(made[form])
    else:
        torch.save({"epoch": 1} if form == "no weights" else {"x": torch.zeros(2, dtype=torch.complex64)}, source)
    with pytest.raises(ModelBroken) as told:
        convert(source, tmp_path, quiet, threading.Event())
    assert "“a.ckpt” is damaged or no checkpoint" in told.value.message and told.value.hint and [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


def test_too_much_memory_too_much_time_no_room_and_stop_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    source = tmp_path / "a.ckpt"
    torch.save(state(), source)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        convert(source, tmp_path, quiet, stop)
    with monkeypatch.context() as short:
        short.setattr(module, "SECONDS", 0.0)
        with pytest.raises(ModelBroken, match="took too long"):
            convert(source, tmp_path, quiet, threading.Event())
    with monkeypatch.context() as little:
        little.setattr(module, "MEMORY_BYTES", 10 * 2**20)
        with pytest.raises(ModelBroken, match="more memory"):
            convert(source, tmp_path, quiet, threading.Event())
    with monkeypatch.context() as narrow:
        narrow.setattr(module, "SPARE_BYTES", 1 << 60)
        with pytest.raises(DiskFull):
            convert(source, tmp_path, quiet, threading.Event())
    assert [path.name for path in tmp_path.iterdir()] == ["a.ckpt"]


@pytest.mark.slow
def test_the_converted_checkpoint_draws_what_its_safetensors_twin_draws(tmp_path: Path) -> None:
    """As a user does it: refused at first, converted from the list, drawn with. The twin takes the pickle's place; other programs' folders stay as they are."""
    import torch
    from safetensors.torch import load_file

    from tests.house import finish
    from tests.image_models import image_queue
    from tests.ldm import write_checkpoint
    from tests.test_single_file import drawn, make

    settings = Settings(data_dir=str(tmp_path / "data"), offline=True)
    theirs = tmp_path / "webui" / "models"
    twin = write_checkpoint(make(tmp_path, "sd1"), settings.models_path / "stable-diffusion" / "twin.safetensors")
    theirs.joinpath("Stable-diffusion").mkdir(parents=True)
    torch.save({"state_dict": load_file(twin), "epoch": 1}, theirs / "Stable-diffusion" / "old.ckpt")
    queue = image_queue(tmp_path / "data", settings.models_path)
    queue.catalog.roots = [settings.models_path, theirs]
    queue.start()
    entry = queue.catalog.find("Stable-diffusion/old")
    with pytest.raises(StudioError, match="pickle") as told:
        queue.submit("image.generate", {"prompt": "x", "model": entry.key}, owner="local")
    assert told.value.field == "model"
    downloads = Downloads(lambda: settings, queue.catalog.refresh)
    item = downloads.from_pickle(entry)
    deadline = time.monotonic() + 240
    while downloads.listing()[-1]["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert downloads.listing()[-1]["state"] == "done", downloads.listing()
    assert [path.name for path in (theirs / "Stable-diffusion").iterdir()] == ["old.ckpt"] and item.total > 0
    found = queue.catalog.find("Stable-diffusion/old")
    assert found.format == "safetensors" and found.architecture == "sd1" and Path(found.path).is_relative_to(settings.models_path)
    assert (drawn(queue, found.key) == drawn(queue, "stable-diffusion/twin")).all()
    with pytest.raises(BadInput, match="no conversion"):
        downloads.from_pickle(found)
    assert json.loads((tmp_path / "data" / "downloads.json").read_text())[-1]["pickle"]
    finish(queue)


def test_a_pickle_and_its_twin_are_one_model(tmp_path: Path) -> None:
    from tests.test_scan import tensors

    (tmp_path / "a.ckpt").write_bytes(b"x")
    (tmp_path / "b.pt").write_bytes(b"x")
    (tmp_path / "a.safetensors").write_bytes(tensors({"x": 4}))
    assert {entry.key: entry.format for entry in Catalog([tmp_path]).entries()} == {"a": "safetensors", "b": "pickle"}
