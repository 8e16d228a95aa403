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
OTHER_WEIGHTS = re.compile(r"(^|/)(onnx|openvino|flax|tf|original|coreml)/|(fp16|non_ema|bf16)\.safetensors$")


@dataclass(frozen=True)
class HubFile:
    """`sha256` is "" for small files, which the hub keeps without one. `needed`: belongs to the model as a whole."""

    name: str
    bytes: int
    sha256: str
    url: str
    needed: bool


@dataclass(frozen=True)
class HubModel:
    hub_id: str
    licence: str
    files: list[HubFile] = field(default_factory=list)


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
        return _read(hub_id, answer.json(), endpoint)
    except (httpx.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DownloadFailed(f"The model hub gave no usable answer ({answer.status_code}).", hint="Try again later.") from error


def _read(hub_id: str, told: dict[str, Any], endpoint: str) -> HubModel:
    revision = told.get("sha") or "main"
    names = [str(item["rfilename"]) for item in told["siblings"]]
    whole_diffusers = "model_index.json" in names
    has_safetensors = any(name.endswith(".safetensors") for name in names)
    files = []
    for item in told["siblings"]:
        name = str(item["rfilename"])
        if not name.lower().endswith((*WEIGHTS, *AROUND)) or ".." in name.split("/") or name.startswith("/"):
            continue
        url = f"{endpoint}/{hub_id}/resolve/{revision}/{quote(name)}"
        nested_alike = whole_diffusers or "/" not in name
        needed = nested_alike and has_safetensors and not name.endswith(".gguf") and not OTHER_WEIGHTS.search(name)
        lone = whole_diffusers and "/" not in name and name.endswith(".safetensors")  # the same weights once more, as one file
        files.append(HubFile(name, int(item.get("size") or 0), str((item.get("lfs") or {}).get("sha256", "")), url, needed and not lone))
    licence = str((told.get("cardData") or {}).get("license", ""))
    return HubModel(hub_id, licence, files)
