"""How many bytes each part of an image model takes once loaded, exactly, from the headers of its files: no weights are read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from pipelines.image.checkpoint import Shapes, read_shapes
from pipelines.image.parts import Part
from studio.api import ModelBroken, ModelEntry

DECODERS = ("vae", "first_stage_model", "movq", "vqgan")
NETWORKS = ("unet", "transformer", "model", "prior", "controlnet", "decoder")
BLOCK = re.compile(r"^(?:.*?\.)??((?:\w*_)?(?:blocks|layers)\.\d+|mid_block|middle_block)\.")
VARIANT = re.compile(r"\.(?:fp16|bf16|fp32|non_ema|ema)(?:-\d+-of-\d+)?\.safetensors$")


@dataclass(frozen=True)
class Parts:
    """Bytes of weights. `block` is the network's largest block, `layer` the largest layer of all; `encoder` the largest of the encoders."""

    encoders: int = 0
    network: int = 0
    decoder: int = 0
    encoder: int = 0
    block: int = 0
    layer: int = 0

    @property
    def total(self) -> int:
        return self.encoders + self.network + self.decoder


def footprint(entry: ModelEntry, item_bytes: int, beside: dict[str, Part] | None = None, prior: ModelEntry | None = None) -> Parts:
    """With `item_bytes` a number, as the weights are held where they run, and with the parts that lie in other files. What has no such header counts as it lies on the disk.

    A `prior`, the other half of the model, counts as one of its encoders.
    """
    if prior:
        own, other = footprint(entry, item_bytes), footprint(prior, item_bytes)
        return replace(own, encoders=own.encoders + other.total, encoder=max(own.encoder, other.encoder, other.network), layer=max(own.layer, other.layer))
    if beside:
        return _assembled(beside, item_bytes)
    path = Path(entry.path)
    try:
        files = tuple((str(file), file.stat().st_mtime_ns) for file in weight_files(path))
        found = _parts(files, path.is_dir())
    except (OSError, ModelBroken):
        found = None
    if found is None or not found.total:
        return Parts(network=entry.bytes, block=entry.bytes // 10, layer=entry.bytes // 100)
    return Parts(*(getattr(found, name) * item_bytes for name in Parts.__dataclass_fields__))


def _assembled(beside: dict[str, Part], item_bytes: int) -> Parts:
    """A quantised transformer stays on the device as it lies on the disk; all else is spread out."""
    sizes: dict[str, int] = {}
    for name, part in beside.items():
        files = [part.path] if part.path.is_file() else _loaded(part.path)
        if name == "network" and part.path.suffix.lower() == ".gguf" and part.config.get("_class_name") != "UNet2DConditionModel":
            sizes[name] = part.path.stat().st_size
        else:
            sizes[name] = item_bytes * sum(math.prod(shape) for file in files for key, shape in read_shapes(file).items() if key.startswith(part.prefix))
    encoders = [size for name, size in sizes.items() if name not in ("network", "vae")]
    network = sizes["network"]
    return Parts(sum(encoders), network, sizes.get("vae", 0), max(encoders, default=0), network // 10, network // 100)


def weight_files(path: Path) -> list[Path]:
    """The files that are loaded: of a folder's variants only the plain one, if there is one."""
    if not path.is_dir():
        return [path] if path.suffix == ".safetensors" else []
    found: list[Path] = []
    for folder in sorted(inner for inner in path.iterdir() if inner.is_dir()):
        found += _loaded(folder)
    return found


def _loaded(part: Path) -> list[Path]:
    """Of one part's folder."""
    files = sorted(part.glob("*.safetensors"))
    return [file for file in files if not VARIANT.search(file.name)] or files


@lru_cache(maxsize=64)
def _parts(files: tuple[tuple[str, int], ...], folder: bool) -> Parts | None:
    """The same in numbers instead of bytes."""
    named: dict[str, list[Shapes]] = {}
    for file, _ in files:
        shapes = read_shapes(Path(file))
        if folder:
            named.setdefault(Path(file).parent.name, []).append(shapes)
        else:
            for part, some in _split(shapes).items():
                named.setdefault(part, []).append(some)
    sizes = {part: sum(_numbers(shapes) for shapes in some) for part, some in named.items()}
    networks = [part for part in sizes if part in NETWORKS]
    encoders = [sizes[part] for part in sizes if part not in (*NETWORKS, *DECODERS)]
    layers = [math.prod(shape) for some in named.values() for shapes in some for shape in shapes.values()]
    blocks = _blocks(shapes for part in networks for shapes in named[part])
    return Parts(sum(encoders), sum(sizes[part] for part in networks), sum(sizes[part] for part in sizes if part in DECODERS), max(encoders, default=0), blocks, max(layers, default=0))


def _split(shapes: Shapes) -> dict[str, Shapes]:
    """A single file's tensors by their first name; one without such names is a network alone."""
    found: dict[str, Shapes] = {}
    for name, shape in shapes.items():
        first = name.partition(".")[0]
        part = first if first in (*DECODERS, *NETWORKS) else "encoder" if first in ("cond_stage_model", "conditioner", "text_encoders") else "model"
        found.setdefault(part, {})[name] = shape
    return found


def _numbers(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


def _blocks(parts: Iterable[Shapes]) -> int:
    """The largest of a network's blocks; where its names tell none, the whole."""
    sizes: dict[str, int] = {}
    for shapes in parts:
        for name, shape in shapes.items():
            found = BLOCK.match(name)
            key = found[1] if found else ""
            sizes[key] = sizes.get(key, 0) + math.prod(shape)
    return max(sizes.values(), default=0)
