"""Small networks on a model: those that a prompt names, with their weights; taken off again without a trace.

A low-rank network is a path beside its layer, so that nothing of the model is touched. All other forms change weights: what they change is kept and put back bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from pipelines.image.nets.forms import Branch, beside, branch_of, changed_bias, changed_weight, changes_bias, changes_weight, fits, moved
from pipelines.image.nets.model import ImageModel
from pipelines.image.nets.parts import Part, UnknownForm, UnknownPart, parts_of
from pipelines.image.settle import Wanted, find_lora
from studio.api import BadInput


@dataclass
class Fitting:
    """What is being put on: paths by layer, and the parameters of which a copy is kept already."""

    paths: dict[int, tuple[Any, list[Branch]]] = field(default_factory=dict)
    kept: set[int] = field(default_factory=set)


def apply_loras(model: ImageModel, wanted: list[Wanted]) -> None:
    """Puts on what is wanted and nothing else. Raises BadInput for a file whose form is not read or that does not fit the model."""
    named = {adapter_name(item): repr((item.text, item.network)) for item in wanted if item.text or item.network}
    if named == model.adapters:
        return
    take_off(model)
    try:
        fitting = Fitting()
        for item in wanted:
            _put_on(model, item, fitting)
        for layer, branches in fitting.paths.values():
            model.worn.append(_add_paths(layer, branches))
        if fitting.kept:
            tell_offloading(model.pipe)
            model.worn.insert(0, lambda: tell_offloading(model.pipe))  # undone last
    except BaseException:
        take_off(model)
        raise
    model.adapters = named


def take_off(model: ImageModel) -> None:
    """The model as it was loaded, to the bit."""
    for undo in reversed(model.worn):
        undo()
    model.worn, model.adapters = [], {}


def tell_offloading(pipe: Any) -> None:
    """Weights that wait in pinned memory are copies: where groups of layers come and go, they are taken anew from the changed ones."""
    from diffusers.hooks.group_offloading import _maybe_remove_and_reapply_group_offloading

    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            _maybe_remove_and_reapply_group_offloading(part)


def adapter_name(item: Wanted) -> str:
    """The file's size and time are part of it, so that a changed file is loaded again."""
    about = Path(item.entry.path).stat()
    return f"{item.entry.key} {about.st_size} {about.st_mtime_ns}"


def wanted_loras(named: list[Any], model: ImageModel, catalog: Any) -> list[Wanted]:
    """What the prompt's <lora:…> mean on this computer; the same one twice adds up."""
    found: dict[str, Wanted] = {}
    for network in named:
        item = find_lora(network, model.family, catalog)
        before = found.get(item.entry.key)
        found[item.entry.key] = Wanted(item.entry, item.text + before.text, item.network + before.network) if before else item
    return list(found.values())


def _put_on(model: ImageModel, item: Wanted, fitting: Fitting) -> None:
    refused = BadInput(f"The LoRA “{item.entry.title}” does not fit this model.", hint="It may be for another family of models: leave it out.", field="prompt")
    try:
        parts = _read(model, item.entry.path)
    except UnknownForm as error:
        raise BadInput(f"“{item.entry.title}” has a form of network ({error}) that is not read.", hint="Leave it out of the prompt.", field="prompt") from error
    except UnknownPart as error:
        raise BadInput(f"The LoRA “{item.entry.title}” changes a part that this model does not have ({error}).", hint="It may be for another family of models: leave it out.", field="prompt") from error
    if not parts:
        raise refused
    for part in parts:
        strength = item.text if part.of_text else item.network
        branch = branch_of(part.slots)
        if branch is not None and not fits(branch, part.layer):
            raise refused
        if not strength:
            continue
        if branch is not None:
            weighted = Branch(branch.down, branch.up, branch.mid, branch.scale * strength)
            fitting.paths.setdefault(id(part.layer), (part.layer, []))[1].append(weighted)
            continue
        if changes_weight(part.slots) and not part.layer.weight.is_floating_point():
            raise BadInput(f"The LoRA “{item.entry.title}” changes weights themselves, and those of this model are quantised.", hint="Use the model in fp16 or bf16 with it, or a LoRA of the plain form.", field="prompt")
        try:
            _change(model, part, strength, fitting.kept)
        except (KeyError, RuntimeError, AttributeError) as error:
            raise refused from error


def _read(model: ImageModel, path: str) -> list[Part]:
    """The file's parts; names that only diffusers knows how to split are given to it."""
    from safetensors.torch import load_file

    tensors = load_file(path)
    try:
        return parts_of(model.pipe, tensors)
    except UnknownPart:
        convert = getattr(model.pipe, "lora_state_dict", None)
        if hasattr(model.pipe, "unet") or convert is None:
            raise
        return parts_of(model.pipe, _converted(convert, tensors))


def _converted(convert: Callable[..., Any], tensors: dict[str, Any]) -> dict[str, Any]:
    """By diffusers' own conversion of this family. Raises UnknownPart where it has none."""
    try:
        made = convert(dict(tensors), return_alphas=True)
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError, AttributeError, AssertionError, OSError) as error:
        raise UnknownPart(next(iter(tensors), "")) from error
    told, alphas = made[:2] if isinstance(made, tuple) else (made, {})
    return dict(told) | {name if name.endswith(".alpha") else f"{name}.alpha": torch.tensor(float(value)) for name, value in (alphas or {}).items()}


def _add_paths(layer: Any, branches: list[Branch]) -> Callable[[], None]:
    ready: dict[Any, list[Branch]] = {}  # where the layer's input was seen last

    def add(module: Any, given: Any, answer: Any) -> Any:
        x = given[0]
        if (place := (x.device, x.dtype)) not in ready:
            ready.clear()
            ready[place] = [moved(branch, *place) for branch in branches]
        for branch in ready[place]:
            answer = answer + beside(branch, module, x)
        return answer

    undo: Callable[[], None] = layer.register_forward_hook(add).remove
    return undo


def _change(model: ImageModel, part: Part, strength: float, kept: set[int]) -> None:
    """Raises KeyError, RuntimeError or AttributeError where the tensors do not belong to the layer."""
    slots = {name: tensor.to(part.layer.weight.device) for name, tensor in part.slots.items()}
    if changes_weight(slots):
        _replace(model, part.layer.weight, changed_weight(part.layer.weight, slots, strength), kept)
    if changes_bias(slots):
        _replace(model, part.layer.bias, changed_bias(part.layer.bias, slots, strength), kept)


def _replace(model: ImageModel, parameter: Any, value: Any, kept: set[int]) -> None:
    """In place, so that whatever else knows the parameter sees it too. Raises RuntimeError for one that can't be changed or is not in memory."""
    if not parameter.is_floating_point() or parameter.is_meta or value.shape != parameter.shape:
        raise RuntimeError("this weight can't be changed")
    if id(parameter) not in kept:
        kept.add(id(parameter))
        model.worn.append(_restorer(parameter, parameter.detach().to("cpu", copy=True)))
    with torch.no_grad():
        parameter.copy_(value)


def _restorer(parameter: Any, copy: Any) -> Callable[[], None]:
    def undo() -> None:
        with torch.no_grad():
            parameter.copy_(copy)

    return undo
