"""What prepares words and pictures for encoders that see, where torchvision is not installed: transformers' own processors without their part for films, which asks for it, or the tokenizer alone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

STILLS = ("image_processor", "tokenizer")
OF_FILMS = ("Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen3VLProcessor")
FOR_WORDS = ("PixtralProcessor",)  # asked for words alone by the pipelines that have it: FLUX.2


def loaded(kind: Any, folder: Path, **more: Any) -> Any:
    """diffusers' pipeline from a folder, by `kind.from_pretrained`. Raises OSError, ValueError … for what is no such folder."""
    import transformers

    named = {} if importlib.util.find_spec("torchvision") else _processors(folder)
    tokenizers = {name: transformers.AutoTokenizer.from_pretrained(folder / name, local_files_only=True) for name, of in named.items() if of in FOR_WORDS}
    stills = {name: of_stills(getattr(transformers, of)).from_pretrained(folder / name, local_files_only=True) for name, of in named.items() if of in OF_FILMS}
    pipe = kind.from_pretrained(folder, **dict.fromkeys(tokenizers), **stills, **more)  # a tokenizer that is given is compared with a class that is not there
    pipe.register_modules(**tokenizers)
    return pipe


def _processors(folder: Path) -> dict[str, str]:
    """Class by part."""
    index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    return {name: str(part[1]) for name, part in index.items() if isinstance(part, list) and len(part) == 2 and part[0] == "transformers"}


def of_stills(kind: Any) -> Any:
    """The same class for words and still pictures."""
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "get_attributes": classmethod(lambda cls: list(STILLS))})
