"""Downloads against a local server: resume, hash, refusal, disk full, hub ids; nothing half-written is ever used."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from studio import download as module
from studio.download import download
from studio.downloads import HALF, Downloads
from studio.errors import BadInput, DiskFull, DownloadFailed, Stopped
from studio.hub import chosen, hub_files
from studio.settings import Settings


def weights(values: int = 50_000) -> bytes:
    """A real safetensors file with one tensor."""
    header = json.dumps({"w": {"dtype": "F32", "shape": [values], "data_offsets": [0, 4 * values]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(range(256)) * (4 * values // 256) + bytes(4 * values % 256)


@dataclass
class Shelf:
    """What the server holds and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    cut_after: int = -1
    slowly: float = 0.0
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    def __init__(self, shelf: Shelf, *rest: Any) -> None:
        self.shelf = shelf
        super().__init__(*rest)

    def log_message(self, *_: Any) -> None:
        return

    def do_GET(self) -> None:
        self.shelf.asked.append({"path": self.path} | {name.lower(): value for name, value in self.headers.items()})
        path = self.path.partition("?")[0]
        if path in self.shelf.answers:
            code, value = self.shelf.answers[path]
            raw = json.dumps(value).encode()
            self.send_response(code)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
            return
        if path not in self.shelf.files:
            self.send_error(404)
            return
        data = self.shelf.files[path]
        start = int(self.headers["range"].removeprefix("bytes=").rstrip("-")) if "range" in self.headers else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("content-length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if self.shelf.cut_after >= 0:
            body, self.shelf.cut_after = body[: self.shelf.cut_after], -1
        for place in range(0, len(body), 1 << 15):
            try:
                self.wfile.write(body[place : place + (1 << 15)])
            except OSError:
                return
            time.sleep(self.shelf.slowly)
        self.close_connection = True


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    shelf = Shelf()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, shelf))
    shelf.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield shelf
    server.shutdown()
    server.server_close()


def quiet(have: int, total: int) -> None:
    return


def test_an_interrupted_download_goes_on_where_it_stopped(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files["/a.safetensors"] = weights()
    shelf.cut_after = 70_000
    with pytest.raises(DownloadFailed) as caught:
        download(f"{shelf.url}/a.safetensors", tmp_path, quiet, threading.Event())
    assert "goes on" in caught.value.hint
    assert not (tmp_path / "a.safetensors").exists()
    path = download(f"{shelf.url}/a.safetensors", tmp_path, quiet, threading.Event())
    assert path.read_bytes() == weights()
    assert shelf.asked[-1]["range"].startswith("bytes=") and shelf.asked[-1]["range"] != "bytes=0-"
    assert [item.name for item in tmp_path.iterdir()] == ["a.safetensors"]


def test_a_damaged_file_is_thrown_away(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files["/a.safetensors"] = weights()[:-10]
    with pytest.raises(DownloadFailed) as caught:
        download(f"{shelf.url}/a.safetensors", tmp_path, quiet, threading.Event())
    assert "not usable" in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_stop_keeps_what_arrived(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files["/a.safetensors"] = weights(1_000_000)
    stop = threading.Event()
    with pytest.raises(Stopped):
        download(f"{shelf.url}/a.safetensors", tmp_path, lambda have, total: stop.set(), stop)
    assert (tmp_path / ".a.safetensors.part").stat().st_size > 0


def test_a_full_disk_is_a_sentence_before_and_during(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf.files["/a.safetensors"] = weights()
    monkeypatch.setattr(module, "SPARE_BYTES", 1 << 60)
    with pytest.raises(DiskFull) as caught:
        download(f"{shelf.url}/a.safetensors", tmp_path, quiet, threading.Event())
    assert "no room" in caught.value.message and caught.value.hint
    monkeypatch.setattr(module, "SPARE_BYTES", 0)

    def full(have: int, total: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DiskFull) as caught:
        download(f"{shelf.url}/a.safetensors", tmp_path, full, threading.Event())
    assert "No space left" in caught.value.message
    assert not (tmp_path / "a.safetensors").exists()


@pytest.mark.parametrize("url", ["", "ftp://x/a.gguf", "https://x/a.ckpt", "https://x/../../a.gguf%00", "https:///a.gguf", "https://x/.a.gguf"])
def test_other_addresses_are_refused_at_the_door(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        download(url, tmp_path, quiet, threading.Event())


def hub(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, *, sha: str = "") -> None:
    monkeypatch.setenv("HF_ENDPOINT", shelf.url)
    data, config = weights(), json.dumps({"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64}).encode()
    names = {"model.safetensors": data, "config.json": config, "pytorch_model.bin": b"pickle", "README.md": b"x", "onnx/model.safetensors": data}
    siblings = [{"rfilename": name, "size": len(raw)} | ({"lfs": {"sha256": sha or hashlib.sha256(raw).hexdigest()}} if name.endswith("safetensors") else {}) for name, raw in names.items()]
    shelf.answers["/api/models/who/tiny"] = (200, {"sha": "abc", "cardData": {"license": "mit"}, "siblings": siblings})
    shelf.answers["/api/models/who/gated"] = (403, {})
    for name, raw in names.items():
        shelf.files[f"/who/tiny/resolve/abc/{name}"] = raw


def wait(downloads: Downloads, wanted: str) -> dict[str, Any]:
    for _ in range(2000):
        item = downloads.listing()[-1]
        if item["state"] == wanted:
            return item
        time.sleep(0.05)
    raise AssertionError(downloads.listing())


def test_a_hub_id_lists_what_can_be_used(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(shelf, monkeypatch)
    model = hub_files("who/tiny", token="secret")
    assert model.licence == "mit"
    assert {file.name for file in model.files} == {"model.safetensors", "config.json", "onnx/model.safetensors"}, "no pickles"
    assert {file.name for file in model.files if file.needed} == {"model.safetensors", "config.json"}
    assert shelf.asked[-1]["authorization"] == "Bearer secret"
    for hub_id, sentence in (("who/gated", "not open"), ("who/none", "no model"), ("nonsense", "no hub id"), ("../..", "no hub id")):
        with pytest.raises((BadInput, DownloadFailed)) as caught:
            hub_files(hub_id)
        assert sentence in caught.value.message and caught.value.hint


def test_a_whole_model_arrives_in_its_own_folder(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(shelf, monkeypatch)
    came = threading.Event()
    settings = Settings(data_dir=str(tmp_path))
    downloads = Downloads(lambda: settings, came.set)
    downloads.from_hub("who/tiny")
    item = wait(downloads, "done")
    assert came.wait(5) and item["have"] == item["total"] > 0
    folder = settings.models_path / "who--tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    downloads.from_hub("who/tiny")
    assert "already here" in wait(downloads, "failed")["note"]


SD = {
    "model_index.json": "index", "README.md": "x", "v1-5.safetensors": "weights", "v1-5.ckpt": "x", "scheduler/scheduler_config.json": "x", "tokenizer/vocab.json": "x", "tokenizer/merges.txt": "x", "unet/config.json": "x",
    "unet/diffusion_pytorch_model.safetensors": "weights", "unet/diffusion_pytorch_model.fp16.safetensors": "half", "unet/diffusion_pytorch_model.non_ema.safetensors": "weights", "unet/diffusion_pytorch_model.bin": "x",
    "text_encoder/model.fp16.safetensors": "half", "text_encoder/config.json": "x", "text_encoder/model.onnx": "x", "vae/config.json": "x", "vae/diffusion_pytorch_model-00001-of-00002.safetensors": "weights",
    "vae/diffusion_pytorch_model-00002-of-00002.safetensors": "weights", "vae/diffusion_pytorch_model.safetensors.index.json": "x", "vae/diffusion_pytorch_model.fp16.safetensors": "half", "vae_1_0/diffusion_pytorch_model.safetensors": "weights",
    "safety_checker/model.safetensors": "weights", "safety_checker/config.json": "x",
}  # fmt: skip
EITHER = {"model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt", "unet/config.json", "text_encoder/config.json", "vae/config.json"}
FULL = EITHER | {"unet/diffusion_pytorch_model.safetensors", "text_encoder/model.fp16.safetensors", *(name for name in SD if name.startswith("vae/diffusion_pytorch_model-")), "vae/diffusion_pytorch_model.safetensors.index.json"}
HALVES = EITHER | {"unet/diffusion_pytorch_model.fp16.safetensors", "text_encoder/model.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors"}


def picture_hub(shelf: Shelf, monkeypatch: pytest.MonkeyPatch, *left_out: str) -> None:
    """A repository as those of Stable Diffusion are: each weight in several forms."""
    monkeypatch.setenv("HF_ENDPOINT", shelf.url)
    parts = ("scheduler", "tokenizer", "unet", "text_encoder", "vae", "safety_checker")
    index = {"_class_name": "StableDiffusionPipeline", "feature_extractor": [None, None]} | {name: ["diffusers", "Any"] for name in parts}
    data = {"index": json.dumps(index).encode(), "weights": weights(), "half": weights(20_000), "x": b"{}"}
    names = {name: data[kind] for name, kind in SD.items() if name not in left_out}
    shelf.answers["/api/models/who/sd"] = (200, {"sha": "abc", "siblings": [{"rfilename": name, "size": len(raw)} for name, raw in names.items()]})
    shelf.files |= {f"/who/sd/resolve/abc/{name}": raw for name, raw in names.items()}


def test_of_a_picture_model_each_weight_is_fetched_once(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture_hub(shelf, monkeypatch)
    model = hub_files("who/sd")
    assert {file.name for file in model.whole} == FULL and {file.name for file in model.halves} == HALVES
    assert sum(file.bytes for file in model.halves) < sum(file.bytes for file in model.whole) and [file.name for file in model.alone] == ["v1-5.safetensors"] and not model.pickled
    settings = Settings(data_dir=str(tmp_path))
    downloads = Downloads(lambda: settings, lambda: None)
    downloads.from_hub("who/sd", HALF)
    item = wait(downloads, "done")
    folder = settings.models_path / "stable-diffusion" / "who--sd"
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == HALVES
    assert item["have"] == item["total"] == sum(len(shelf.files[f"/who/sd/resolve/abc/{name}"]) for name in HALVES)
    downloads.from_hub("who/sd")
    assert "already here" in wait(downloads, "failed")["note"]


def test_of_two_halves_one_is_fetched() -> None:
    names = ["model_index.json", *(f"unet/diffusion_pytorch_model{half}.safetensors" for half in ("", ".fp16", ".bf16")), "vae/diffusion_pytorch_model.bf16.safetensors"]
    index = {"model_index.json", "vae/diffusion_pytorch_model.bf16.safetensors"}
    assert chosen(names, {"unet", "vae"}) == index | {"unet/diffusion_pytorch_model.safetensors"}
    assert chosen(names, {"unet", "vae"}, half=True) == index | {"unet/diffusion_pytorch_model.fp16.safetensors"}


def test_a_part_that_is_a_pickle_only_is_named(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    picture_hub(shelf, monkeypatch, "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors")
    assert hub_files("who/sd").pickled == "unet"


def test_single_files_go_into_the_folder_of_their_kind(shelf: Shelf, tmp_path: Path) -> None:
    from tests.test_scan import tensors

    made = {"style.safetensors": ("lora", {"lora_unet_down.lora_up.weight": 8}), "base.safetensors": ("stable-diffusion", {"cond_stage_model.transformer.x": 8}), "any.safetensors": ("", {"w": 8}), "t5xxl.safetensors": ("text_encoder", {"encoder.block.0.layer.0.SelfAttention.q.weight": 8})}
    settings = Settings(data_dir=str(tmp_path))
    downloads = Downloads(lambda: settings, lambda: None)
    for name, (folder, names) in made.items():
        shelf.files[f"/{name}"] = tensors(names)
        downloads.from_address(f"{shelf.url}/{name}")
        wait(downloads, "done")
        assert (settings.models_path / folder / name).is_file()


def test_downloads_that_end_together_keep_their_list(tmp_path: Path) -> None:
    downloads = Downloads(lambda: Settings(data_dir=str(tmp_path)), lambda: None)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for _ in range(200):
                downloads._write()
        except OSError as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and json.loads((tmp_path / "downloads.json").read_text()) == []


def test_a_wrong_hash_is_never_kept(shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(shelf, monkeypatch, sha="0" * 64)
    settings = Settings(data_dir=str(tmp_path))
    downloads = Downloads(lambda: settings, lambda: None)
    downloads.from_hub("who/tiny", "model.safetensors")
    assert "damaged" in wait(downloads, "failed")["note"]
    assert not list(settings.models_path.rglob("*.safetensors*"))


def test_cancel_then_a_restart_then_resume(shelf: Shelf, tmp_path: Path) -> None:
    shelf.files["/big.safetensors"] = weights(1_500_000)
    shelf.slowly = 0.01
    settings = Settings(data_dir=str(tmp_path))
    downloads = Downloads(lambda: settings, lambda: None)
    first = downloads.from_address(f"{shelf.url}/big.safetensors")
    assert downloads.from_address(f"{shelf.url}/big.safetensors").id == first.id, "a second click starts nothing twice"
    while not downloads.listing()[0]["have"]:
        time.sleep(0.02)
    downloads.cancel(first.id)
    assert wait(downloads, "stopped")["have"] < wait(downloads, "stopped")["total"]
    shelf.slowly = 0.0
    again = Downloads(lambda: settings, lambda: None)
    assert again.listing()[0]["state"] == "stopped"
    again.again(first.id)
    wait(again, "done")
    assert (settings.models_path / "big.safetensors").read_bytes() == shelf.files["/big.safetensors"]
    assert int(shelf.asked[-1]["range"].removeprefix("bytes=").rstrip("-")) > 0


def test_offline_downloads_nothing(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), offline=True)
    with pytest.raises(DownloadFailed) as caught:
        Downloads(lambda: settings, lambda: None).from_address("https://example.org/a.gguf")
    assert "offline" in caught.value.message
