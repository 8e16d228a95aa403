"""What a model hub's repository holds: names, sizes, hashes and licence. HF_ENDPOINT chooses another hub."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from studio.errors import BadInput, DownloadFailed

ENDPOINT = "https://huggingface.co"
WEIGHTS = (".safetensors", ".gguf")
AROUND = (".json", ".txt", ".jinja", ".model")  # configuration and tokenizers; never pickles or code
OTHER_WEIGHTS = re.compile(r"(^|/)(onnx|openvino|flax|tf|original|coreml|safety_checker)/|non_ema")  # pictures are not censored here: that network is never loaded
HALF = re.compile(r"\.(fp16|bf16)(?=[.-])")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")


@dataclass(frozen=True)
class HubFile:
    """`sha256` is "" for small files, which the hub keeps without one. `needed`: belongs to the model as a whole; `half`: to the same at half precision."""

    name: str
    bytes: int
    sha256: str
    url: str
    needed: bool
    half: bool = False


@dataclass(frozen=True)
class HubModel:
    hub_id: str
    licence: str
    files: list[HubFile] = field(default_factory=list)
    pickled: str = ""  # a part whose weights are there as pickles only

    @property
    def whole(self) -> list[HubFile]:
        return [file for file in self.files if file.needed]

    @property
    def halves(self) -> list[HubFile]:
        """The model at half precision; [] where the hub has no such version."""
        found = [file for file in self.files if file.half]
        return found if any(HALF.search(file.name) for file in found) else []

    @property
    def alone(self) -> list[HubFile]:
        """Single files that are models by themselves."""
        folder = any(file.name in ("config.json", "model_index.json") for file in self.files)
        diffusers = any(file.name == "model_index.json" for file in self.files)
        return [file for file in self.files if file.name.lower().endswith(".gguf") or (file.name.endswith(".safetensors") and "/" not in file.name and (diffusers or not folder))]


def hub_files(hub_id: str, token: str = "") -> HubModel:
    """Raises BadInput for what is no hub id, DownloadFailed where the hub refuses or is out of reach."""
    hub_id = hub_id.strip().removeprefix(f"{ENDPOINT}/").strip("/")
    if not re.fullmatch(r"[\w.-]{1,96}/[\w.-]{1,96}", hub_id) or ".." in hub_id:
        raise BadInput("That is no hub id.", hint="It looks like owner/name.", field="hub_id")
    endpoint = os.environ.get("HF_ENDPOINT", ENDPOINT).rstrip("/")
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        answer = httpx.get(f"{endpoint}/api/models/{hub_id}?blobs=true", headers=headers, timeout=20, follow_redirects=True)
    except httpx.HTTPError as error:
        raise DownloadFailed(f"The model hub can't be reached ({type(error).__name__}).", hint="Check the connection, then try again.") from error
    if answer.status_code in (401, 403):
        raise DownloadFailed(f"“{hub_id}” is not open to everybody, or does not exist.", hint="Accept its terms on the hub and give your access token in Settings.")
    if answer.status_code == 404:
        raise DownloadFailed(f"There is no model “{hub_id}” on the hub.", hint="Check the spelling.")
    try:
        answer.raise_for_status()
        return _read(hub_id, answer.json(), endpoint, headers)
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadFailed(f"The model hub gave no usable answer ({answer.status_code}).", hint="Try again later.") from error


def _read(hub_id: str, told: dict[str, Any], endpoint: str, headers: dict[str, str]) -> HubModel:
    revision = told.get("sha") or "main"
    base = f"{endpoint}/{hub_id}/resolve/{revision}/"
    names = [name for item in told["siblings"] if ".." not in (name := str(item["rfilename"])).split("/") and not name.startswith("/")]
    parts = _parts(base, headers) if "model_index.json" in names else None
    whole, half = chosen(names, parts), chosen(names, parts, half=True)
    files = []
    for item in told["siblings"]:
        name = str(item["rfilename"])
        if name in names and name.lower().endswith((*WEIGHTS, *AROUND)):
            digest = str((item.get("lfs") or {}).get("sha256", ""))
            files.append(HubFile(name, int(item.get("size") or 0), digest, base + quote(name), name in whole, name in half))
    pickled = next((folder for folder in sorted(parts or ()) if _weights(names, f"{folder}/", PICKLES) and not _weights(names, f"{folder}/", (".safetensors",)) and folder != "safety_checker"), "")
    return HubModel(hub_id, str((told.get("cardData") or {}).get("license", "")), files, pickled)


def _parts(base: str, headers: dict[str, str]) -> set[str] | None:
    """The folders that a diffusers model is made of, from its index; None where that can't be read."""
    try:
        index = httpx.get(f"{base}model_index.json", headers=headers, timeout=20, follow_redirects=True).raise_for_status().json()
        return {name for name, value in index.items() if isinstance(value, list) and value and value[0]}
    except (httpx.HTTPError, ValueError, AttributeError):
        return None


def _weights(names: list[str], folder: str, endings: tuple[str, ...]) -> bool:
    return any(name.startswith(folder) and name.lower().endswith(endings) for name in names)


def chosen(names: list[str], parts: set[str] | None, *, half: bool = False) -> set[str]:
    """The files that make the model up: each weight once, of a diffusers model those of its parts, no pickles, no second copy as one file.

    `half` takes weights at half precision where there are any; without it they are taken only where there are no others.
    """
    diffusers = "model_index.json" in names
    if not _weights(names, "", (".safetensors",)):
        return set()
    found = set()
    for name in names:
        folder, _, last = name.rpartition("/")
        inside = folder.partition("/")[0]
        if not name.lower().endswith((".safetensors", *AROUND)) or OTHER_WEIGHTS.search(name) or (folder and not diffusers) or (inside and parts is not None and inside not in parts):
            continue
        weights = ".safetensors" in last
        if weights and diffusers and not folder:
            continue
        twins = {HALF.sub("", other) for other in names if other.rpartition("/")[0] == folder and other.endswith(".safetensors") and bool(HALF.search(other)) is half}
        if weights and bool(HALF.search(name)) is not half and _kin(HALF.sub("", name), twins):
            continue
        if weights and ".bf16" in last and _kin(HALF.sub("", name), {HALF.sub("", other) for other in names if other.rpartition("/")[0] == folder and ".fp16" in other}):
            continue  # of two halves one
        found.add(name)
    return found


def _kin(name: str, others: set[str]) -> bool:
    """Whether the same weights are among the others, in one file or in several."""
    def stem(text: str) -> str:
        return re.sub(r"(-\d+-of-\d+)?\.safetensors.*$", "", text)

    return stem(name) in {stem(other) for other in others}
