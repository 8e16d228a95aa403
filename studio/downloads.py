"""Models on their way: several at once, each with progress, Cancel and resume. What is unfinished is known after a restart."""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from studio.convert import convert
from studio.download import check_whole, download, receive
from studio.entries import ModelEntry
from studio.errors import BadInput, DownloadFailed, NotFound, Stopped, StudioError
from studio.hub import HubFile, hub_files
from studio.scan import scan
from studio.settings import Settings

State = Literal["running", "done", "failed", "stopped"]
HALF = "half precision"  # stands for the hub's choice of files
FOLDERS = {"image": "stable-diffusion", "lora": "lora", "vae": "vae", "embedding": "embeddings", "controlnet": "controlnet", "text_encoder": "text_encoder"}
KEPT = 20  # finished ones that stay in the list


@dataclass
class Transfer:
    """One download. `url`, or a hub id with the files chosen, or a `pickle` on this computer that is converted into `folder`; `have` and `total` are bytes, total 0 while unknown."""

    id: str
    title: str
    url: str = ""
    hub_id: str = ""
    files: list[str] = field(default_factory=list)
    state: State = "running"
    have: int = 0
    total: int = 0
    seconds_left: float = -1.0
    note: str = ""
    pickle: str = ""
    folder: str = ""


class Downloads:
    """`settings()` gives the newest settings; `done()` is called once a model has arrived."""

    def __init__(self, settings: Callable[[], Settings], done: Callable[[], Any]) -> None:
        self._settings, self._done = settings, done
        self._lock = threading.Lock()
        self._stops: dict[str, threading.Event] = {}
        self._all: dict[str, Transfer] = {item.id: item for item in self._read()}

    def listing(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(item) for item in self._all.values()]

    def from_address(self, url: str) -> Transfer:
        """A safetensors or GGUF file by its address. Raises BadInput, DownloadFailed while offline."""
        from studio.download import file_name

        return self._begin(Transfer(uuid.uuid4().hex[:12], file_name(url), url=url))

    def from_hub(self, hub_id: str, file: str = "", files: list[str] | None = None) -> Transfer:
        """One file of a model hub's repository, some of them, or (neither given) the whole model."""
        chosen = [file] if file else list(files or [])
        return self._begin(Transfer(uuid.uuid4().hex[:12], Path(file).name if file and file != HALF else hub_id, hub_id=hub_id, files=chosen))

    def from_pickle(self, entry: ModelEntry) -> Transfer:
        """A pickle checkpoint's weights as safetensors: beside it where it is the studio's own, else at its place below the models folder. Raises BadInput."""
        if entry.format != "pickle":
            raise BadInput(f"“{entry.title}” needs no conversion.", hint="It is used as it is.")
        models = self._settings().models_path
        folder = Path(entry.path).parent if Path(entry.path).resolve().is_relative_to(models.resolve()) else models / Path(entry.key).parent
        return self._begin(Transfer(uuid.uuid4().hex[:12], Path(entry.path).name, pickle=entry.path, folder=str(folder)))

    def again(self, transfer_id: str) -> Transfer:
        """Go on with one that was stopped or failed."""
        with self._lock:
            old = self._find(transfer_id)
            if old.state == "running":
                return old
            del self._all[transfer_id]
        return self._begin(Transfer(old.id, old.title, old.url, old.hub_id, old.files, pickle=old.pickle, folder=old.folder))

    def cancel(self, transfer_id: str) -> None:
        """What arrived is kept: `again` goes on from there."""
        with self._lock:
            self._find(transfer_id)
        if stop := self._stops.get(transfer_id):
            stop.set()

    def forget(self, transfer_id: str) -> None:
        """Take an ended one off the list."""
        with self._lock:
            if self._find(transfer_id).state != "running":
                del self._all[transfer_id]
        self._write()

    def close(self) -> None:
        for stop in list(self._stops.values()):
            stop.set()

    def _find(self, transfer_id: str) -> Transfer:
        if transfer_id not in self._all:
            raise NotFound("That download is not known any more.")
        return self._all[transfer_id]

    def _begin(self, item: Transfer) -> Transfer:
        if self._settings().offline and not item.pickle:
            raise DownloadFailed("The studio is offline.", hint="Switch Offline off in Settings.")
        with self._lock:
            twin = next((other for other in self._all.values() if other.state == "running" and (other.url, other.hub_id, other.files, other.pickle) == (item.url, item.hub_id, item.files, item.pickle)), None)
            if twin:
                return twin
            ended = [key for key, other in self._all.items() if other.state == "done"]
            for key in ended[: max(0, len(ended) - KEPT)]:
                del self._all[key]
            self._all[item.id] = item
            stop = self._stops[item.id] = threading.Event()
        self._write()
        threading.Thread(target=self._run, args=(item, stop), daemon=True, name=f"download {item.title}").start()
        return item

    def _run(self, item: Transfer, stop: threading.Event) -> None:
        started, first = time.monotonic(), [-1]

        def report(have: int, total: int) -> None:
            if first[0] < 0:
                first[0] = have  # what an earlier try left is no measure of the speed
            seconds, fresh = time.monotonic() - started, have - first[0]
            item.have, item.total = have, total
            item.seconds_left = (total - have) * seconds / fresh if fresh > 0 and total else -1.0

        try:
            if item.pickle:
                convert(Path(item.pickle), Path(item.folder), report, stop)
            elif item.hub_id:
                self._from_hub(item, report, stop)
            else:
                models = self._settings().models_path
                put_in_place(download(item.url, models, report, stop), models)
            self._done()  # before it is told: who uses the model at that word finds it
            item.state, item.note, item.have = "done", "", item.total
        except StudioError as error:
            item.state, item.note = "failed", f"{error.message} {error.hint}".strip()
        except OSError as error:  # of the disk, as when the folders are looked at
            item.state, item.note = "failed", f"The disk refused it: {error.strerror or error}."
        except Stopped:
            item.state, item.note = "stopped", "Stopped." if item.pickle else "Stopped. What arrived is kept."
        self._stops.pop(item.id, None)
        self._write()

    def _from_hub(self, item: Transfer, report: Callable[[int, int], None], stop: threading.Event) -> None:
        """Weights of one file go beside the others; a whole model into a folder of its own, in place once all of it is there."""
        settings = self._settings()
        token = settings.hub_token
        model = hub_files(item.hub_id, token)
        known = {file.name: file for file in model.files}
        wanted = model.halves if item.files == [HALF] else [known[name] for name in item.files if name in known] if item.files else model.whole
        if len(wanted) < len(item.files) or not wanted:
            raise DownloadFailed(f"“{item.hub_id}” has no such file.", hint="Look at the list of its files again.")
        total, before = sum(file.bytes for file in wanted), 0
        alone = len(wanted) == 1 and wanted[0].name.lower().endswith((".gguf", ".safetensors"))
        models = settings.models_path / FOLDERS["image"] if any(file.name == "model_index.json" for file in wanted) else settings.models_path
        final = models if alone else models / item.hub_id.replace("/", "--")
        work = models if alone else models / f".{final.name}.part"
        if not alone and final.exists():
            raise DownloadFailed(f"“{item.hub_id}” is already here.", hint="Delete it first, or use it as it is.")
        for file in wanted:
            path = self._one(file, work, token, partial(_part_of, report, before, total), stop)
            before += file.bytes
            if alone:
                put_in_place(path, models)
        if not alone:
            check_whole(work)
            os.replace(work, final)

    @staticmethod
    def _one(file: HubFile, folder: Path, token: str, report: Callable[[int, int], None], stop: threading.Event) -> Path:
        target = folder / (Path(file.name).name if folder.name[:1] != "." else file.name)
        if target.exists() and target.stat().st_size == file.bytes:
            report(file.bytes, file.bytes)
            return target
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return receive(file.url, target, report, stop, headers=headers, sha256=file.sha256)

    @property
    def _file(self) -> Path:
        return self._settings().data / "downloads.json"

    def _write(self) -> None:
        part = self._file.with_suffix(".part")
        with self._lock:  # two that end together would take the file from each other
            part.write_text(json.dumps([asdict(item) for item in self._all.values()], ensure_ascii=False), encoding="utf-8")
            os.replace(part, self._file)

    def _read(self) -> list[Transfer]:
        """The list of the last start: what ran then can be taken up again."""
        try:
            found = [Transfer(**item) for item in json.loads(self._file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError):
            return []
        for item in found:
            if item.state == "running":
                item.state, item.note = "stopped", "Stopped. What arrived is kept."
        return found


def put_in_place(path: Path, models: Path) -> Path:
    """A new file that lies in the models folder itself goes into the folder of its kind, as its header tells it; language models and others stay."""
    with tempfile.TemporaryDirectory(prefix=".check-", dir=models) as trial:
        (Path(trial) / path.name).symlink_to(path)
        kind = next((entry.kind for entry in scan(Path(trial))), "other")
    target = models / FOLDERS.get(kind, "") / path.name
    if target == path or path.parent != models or target.exists():
        return path
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, target)
    return target


def _part_of(report: Callable[[int, int], None], before: int, total: int, have: int, _: int) -> None:
    report(before + have, total)
