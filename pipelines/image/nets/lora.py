"""LoRAs on a model: those that a prompt names, with their weights, through peft; taken off again without a trace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.image.nets.model import ImageModel
from studio.api import BadInput, ModelEntry

OTHER_FORMS = ("hada_w1", "lokr_w1", "oft_", "on_input")  # LyCORIS forms that peft does not read from these files


def apply_loras(model: ImageModel, wanted: list[tuple[ModelEntry, float]]) -> None:
    """Raises BadInput for a file whose form is not read or that does not fit the model."""
    named = {adapter_name(entry): (entry, weight) for entry, weight in wanted}
    if set(named) != set(model.adapters):
        _take_off(model)
        for name, (entry, _) in named.items():
            _load(model, name, entry)
    if named:
        model.pipe.set_adapters(list(named), [weight for _, weight in named.values()])
    model.adapters = {name: repr(weight) for name, (_, weight) in named.items()}


def adapter_name(entry: ModelEntry) -> str:
    """peft takes no dots; the file's size and time are part of it, so that a changed file is loaded again."""
    about = Path(entry.path).stat()
    return "".join(letter if letter.isalnum() else "_" for letter in f"{entry.key}_{about.st_size}_{about.st_mtime_ns}")


def _load(model: ImageModel, name: str, entry: ModelEntry) -> None:
    from safetensors import safe_open

    with safe_open(entry.path, "pt") as file:
        keys = list(file.keys())
    if form := next((form for form in OTHER_FORMS if any(form in key for key in keys)), ""):
        raise BadInput(f"“{entry.title}” has a form of network ({form}) that is not read yet.", hint="Leave it out of the prompt.", field="prompt")
    try:
        model.pipe.load_lora_weights(str(Path(entry.path).parent), weight_name=Path(entry.path).name, adapter_name=name, local_files_only=True)
    except (ValueError, KeyError, RuntimeError, TypeError, IndexError) as error:
        _take_off(model)
        raise BadInput(f"The LoRA “{entry.title}” does not fit this model.", hint="It may be for another family of models: leave it out.", field="prompt") from error
    if name not in {adapter for names in model.pipe.get_list_adapters().values() for adapter in names}:
        _take_off(model)
        raise BadInput(f"The LoRA “{entry.title}” does not fit this model.", hint="It may be for another family of models: leave it out.", field="prompt")


def _take_off(model: ImageModel) -> None:
    if model.adapters or model.pipe.get_list_adapters():
        model.pipe.unload_lora_weights()
    model.adapters = {}


def wanted_loras(named: list[Any], model: ImageModel, catalog: Any) -> list[tuple[ModelEntry, float]]:
    """What the prompt's <lora:…> mean on this computer; the same one twice adds up."""
    from pipelines.image.settle import find_lora

    found: dict[str, tuple[ModelEntry, float]] = {}
    for network in named:
        entry, weight = find_lora(network, model.family, catalog)
        found[entry.key] = (entry, weight + (found[entry.key][1] if entry.key in found else 0.0))
    return list(found.values())
