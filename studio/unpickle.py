"""The throw-away program that reads one pickle checkpoint, weights only, and writes it as safetensors. Started by studio/convert.py, never imported there.

A pickle names functions to call while it is read. torch's weights-only reader knows the few that build tensors and stops at any other; nothing
of the file is ever run. The harmless names that trainers left in real checkpoints are read as empty things.
Source: the pickle format; the safetensors format (8-byte length, JSON header, data).
"""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

HARMLESS = (
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint", "pytorch_lightning.callbacks.early_stopping.EarlyStopping", "pytorch_lightning.utilities.enums.DistributedType",
    "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint", "lightning_fabric.utilities.data.AttributeDict", "pytorch_lightning.utilities.parsing.AttributeDict",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype", "_codecs.encode",
)  # fmt: skip
NESTS = ("state_dict", "model_state_dict", "params_ema", "params-ema", "params", "string_to_param", "module", "model", "net")
WORDS = 4_000  # letters of one note that is kept as metadata
CHUNK = 16 * 2**20


class Nothing:
    """Stands for a trainer's object: takes anything, does nothing."""

    def __new__(cls, *args: Any, **named: Any) -> Nothing:
        return super().__new__(cls)

    def __init__(self, *args: Any, **named: Any) -> None:
        return

    def __setstate__(self, state: Any) -> None:
        return

    def __hash__(self) -> int:
        return 0


def main() -> int:
    """Lines of JSON on standard output: {"have", "total"} while writing, then {"done"} or {"refused"} with the reason."""
    wanted = json.loads(sys.stdin.readline())
    limit(int(wanted["memory"]))
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer

    def tell(**words: Any) -> None:
        out.write(json.dumps(words) + "\n")
        out.flush()

    try:
        tensors, notes = read(Path(wanted["source"]))
        write(tensors, notes, Path(wanted["target"]), lambda have, total: tell(have=have, total=total))
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)|but got (?:<class ')?([\w.]+)", str(error))
        tell(refused="code" if named else "damaged", why=(named[1] or named[2]) if named else "its parts are not those of a checkpoint")
    except MemoryError:
        tell(refused="memory", why="")
    except OSError as error:
        tell(refused="write" if error.errno else "damaged", why=error.strerror or str(error)[:200])
    except Exception as error:  # whatever a hostile file brings the reader to: it is refused with its name
        kind = "memory" if "allocate memory" in str(error) else "code" if "TorchScript" in str(error) else "damaged"
        tell(refused=kind, why="TorchScript" if kind == "code" else f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:200])
    else:
        tell(done=len(tensors))
    return 0


def limit(memory: int) -> None:
    """No more address space than that, and no dump of its memory; where the system has such limits."""
    try:
        import resource
    except ImportError:
        return  # Windows: the parent watches
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def read(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors by name, and the short notes beside them. Raises UnpicklingError for what would run code, ValueError for what holds no weights."""
    import torch

    # a list of names only, each bound to one inert class
    torch.serialization.add_safe_globals([(Nothing, name) for name in HARMLESS])
    mapped = zipfile.is_zipfile(path)
    value = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
    notes: dict[str, str] = {}
    tensors = unnested(value, notes)
    if not tensors:
        raise ValueError("it holds no weights")
    return tensors, notes


def unnested(value: Any, notes: dict[str, str]) -> dict[str, Any]:
    """The tensors by name: of the file itself, or of the part that holds them. Texts and numbers beside them become notes."""
    import torch

    if isinstance(value, torch.Tensor):
        return {"emb_params": value}
    if not isinstance(value, dict):
        return {}
    notes |= {str(name): str(told)[:WORDS] for name, told in value.items() if isinstance(told, (str, int, float)) and not isinstance(told, bool)}
    nest = next((name for name in NESTS if isinstance(value.get(name), dict)), "")
    if nest and not any(isinstance(item, torch.Tensor) for item in value.values()):
        inner = unnested(value[nest], notes)
        return {"emb_params": inner["*"]} if nest == "string_to_param" and "*" in inner else inner
    tensors = {str(name): item for name, item in value.items() if isinstance(item, torch.Tensor)}
    if other := next((name for name, item in tensors.items() if item.layout != torch.strided or item.is_quantized), ""):
        raise ValueError(f"{other} is of a kind that safetensors does not have")
    return tensors


def write(tensors: dict[str, Any], notes: dict[str, str], target: Path, report: Any) -> None:
    """Tensor by tensor: the memory is that of the largest one. Raises OSError, ValueError for types that safetensors does not have."""
    import torch

    names = {
        torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
        torch.float8_e4m3fn: "F8_E4M3", torch.float8_e5m2: "F8_E5M2",
    }  # fmt: skip
    header: dict[str, Any] = {"__metadata__": notes} if notes else {}
    place = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in names:
            raise ValueError(f"{name} has the type {tensor.dtype}, which safetensors does not have")
        size = tensor.numel() * tensor.element_size()
        header[name] = {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [place, place + size]}
        place += size
    raw = json.dumps(header, ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % 8)
    done = 0
    with target.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for tensor in tensors.values():
            data = memoryview(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
            for begin in range(0, len(data), CHUNK):
                file.write(data[begin : begin + CHUNK])
            done += len(data)
            report(done, place)


if __name__ == "__main__":
    raise SystemExit(main())
