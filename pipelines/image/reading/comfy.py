"""ComfyUI: the graph of nodes in the PNG text "prompt": from what is saved back to the sampler, its prompts, its latents and its model.

{"3": {"class_type": "KSampler", "inputs": {"seed": 5, "model": ["4", 0], …}}, …}; a link is [node, output].
Source: ComfyUI's API format as its documentation and example graphs show it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.image.params import FREEU
from pipelines.image.reading.values import kept, number, stem, text, whole
from pipelines.image.samplers import recognise

Graph = dict[str, Any]
SAVES = ("SaveImage", "PreviewImage", "SaveAnimatedWEBP", "VAEDecode", "VAEDecodeTiled")
MODELS = ("ckpt_name", "unet_name", "model_name")
LATENT_SIZES = ("EmptyLatentImage", "EmptySD3LatentImage", "EmptyHunyuanLatentVideo", "SDXLEmptyLatentSizePicker+")
GUIDES = {  # nodes between model and sampler: their inputs, and the fields here
    "PerturbedAttentionGuidance": {"scale": "pag_scale"}, "RescaleCFG": {"multiplier": "guidance_rescale"}, "FreeU": {name.removeprefix("freeu_"): name for name in FREEU},
}  # fmt: skip
JOINS = {"ConditioningCombine": " AND ", "ConditioningConcat": " BREAK "}
MOST_NODES = 5000
DEEPEST = 8  # joins of joins


def is_graph(value: dict[str, Any]) -> bool:
    return bool(value) and len(value) <= MOST_NODES and all(isinstance(node, dict) and "class_type" in node for node in value.values())


def read(graph: Graph) -> dict[str, Any]:
    """Values of ImageParams; samplers after the first are told under their class."""
    order = list(dict.fromkeys([*_back_from_the_end(graph), *graph]))
    samplers = [name for name in order if _is_sampler(graph, name)]
    if not samplers:
        return {"prompt": "", "ComfyUI": "no sampler in the graph"}
    first = samplers[-1]  # the farthest from what is saved: later ones refine
    values = _sampling(graph, first)
    negative, positive = _conditions(graph, first)
    values |= {"prompt": positive, "negative_prompt": negative} | _latents(graph, first)
    values |= _model(graph, first, values) | _guidance(graph, first, values)
    left = {graph[name]["class_type"]: name for name in samplers[:-1]}
    controls = {str(node["class_type"]): name for name, node in graph.items() if str(node["class_type"]).startswith(("ControlNet", "IPAdapter", "FreeU_"))}
    return values | left | controls


def _inputs(graph: Graph, name: str) -> dict[str, Any]:
    found = graph.get(name, {}).get("inputs", {})
    return found if isinstance(found, dict) else {}


def _link(value: Any, graph: Graph) -> str:
    """The node that an input comes from; "" where it is a value."""
    return str(value[0]) if isinstance(value, list) and len(value) == 2 and str(value[0]) in graph else ""


def _behind(graph: Graph, name: str) -> Iterator[str]:
    """The node and all that it is made from, nearest first; each once, so that loops end."""
    todo, seen = [name], set()
    while todo:
        here = todo.pop(0)
        if here in seen or here not in graph:
            continue
        seen.add(here)
        yield here
        todo += [found for value in _inputs(graph, here).values() if (found := _link(value, graph))]


def _back_from_the_end(graph: Graph) -> Iterator[str]:
    for kind in SAVES:
        for name, node in graph.items():
            if node["class_type"] == kind:
                yield from _behind(graph, name)
                return


def _is_sampler(graph: Graph, name: str) -> bool:
    kind = str(graph[name]["class_type"])
    return "KSampler" in kind and kind != "KSamplerSelect" or kind in ("SamplerCustom", "SamplerCustomAdvanced")


def _value(graph: Graph, value: Any, *names: str) -> Any:
    """A value, or through links what the nearest node, a primitive for example, holds under one of the names."""
    if not isinstance(value, list):
        return value
    for name in _behind(graph, _link(value, graph)):
        inputs = _inputs(graph, name)
        if (held := next((inputs[field] for field in names if field in inputs and not isinstance(inputs[field], list)), None)) is not None:
            return held
    return None


def _near(graph: Graph, start: str, name: str) -> Any:
    """An input's value at the node, else at the nearest one behind it."""
    for here in _behind(graph, start):
        if name in _inputs(graph, here):
            return _value(graph, _inputs(graph, here)[name], name, "value", "seed", "noise_seed", "int", "float", "string", "text")
    return None


def _sampling(graph: Graph, name: str) -> dict[str, Any]:
    seed = whole(_near(graph, name, "seed"))
    seed = whole(_near(graph, name, "noise_seed")) if seed is None else seed
    values = kept(steps=whole(_near(graph, name, "steps")), cfg_scale=number(_near(graph, name, "cfg")), seed=seed)
    sampler, schedule, unknown = recognise(text(_near(graph, name, "sampler_name")) or "Automatic", text(_near(graph, name, "scheduler")))
    return values | {"sampler": sampler, "schedule": schedule} | unknown


def _guidance(graph: Graph, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """What guides beside the sampler's own scale; of models that were taught their guidance, the scale that they are told with the words."""
    found: dict[str, Any] = {}
    for here in _behind(graph, name):
        kind, inputs = str(graph[here]["class_type"]), _inputs(graph, here)
        if kind in GUIDES:
            found = kept(**{ours: number(_value(graph, inputs.get(field), field, "value", "float")) for field, ours in GUIDES[kind].items()}) | found
        if kind == "FluxGuidance" and values.get("cfg_scale", 1.0) <= 1:
            found = kept(cfg_scale=number(_value(graph, inputs.get("guidance"), "guidance", "value", "float"))) | found
    return found


def _conditions(graph: Graph, name: str) -> tuple[str, str]:
    """Negative and positive prompt; what has no input of those names is guided by one."""
    around = next((here for here in _behind(graph, name) if {"positive", "negative"} & set(_inputs(graph, here))), "")
    inputs = _inputs(graph, around)
    if not around:
        guider = next((here for here in _behind(graph, name) if "conditioning" in _inputs(graph, here)), "")
        return "", _words(graph, _link(_inputs(graph, guider).get("conditioning"), graph))
    return _words(graph, _link(inputs.get("negative"), graph)), _words(graph, _link(inputs.get("positive"), graph))


def _words(graph: Graph, name: str, depth: int = 0) -> str:
    """The nearest text; two that are joined stay two."""
    kind = str(graph.get(name, {}).get("class_type", ""))
    if kind in JOINS and depth < DEEPEST:
        return JOINS[kind].join(_words(graph, found, depth + 1) for value in list(_inputs(graph, name).values())[:2] if (found := _link(value, graph)))
    if kind == "ConditioningZeroOut":
        return ""
    for here in _behind(graph, name):
        inputs = _inputs(graph, here)
        for field in ("text", "text_g", "t5xxl", "clip_l", "prompt"):
            if field in inputs:
                return text(_value(graph, inputs[field], "text", "value", "string", "prompt", "wildcard_text"))
    return ""


def _latents(graph: Graph, name: str) -> dict[str, Any]:
    start = next((node for field in ("latent_image", "latent") if (node := _link(_inputs(graph, name).get(field), graph))), "")
    found: dict[str, Any] = {}
    for here in _behind(graph, start):
        kind, inputs = str(graph[here]["class_type"]), _inputs(graph, here)
        if kind in LATENT_SIZES or (kind.startswith("Empty") and {"width", "height"} <= set(inputs)):
            found = kept(width=whole(_value(graph, inputs.get("width"), "width", "value")), height=whole(_value(graph, inputs.get("height"), "height", "value")))
            found |= {"count": size} if (size := whole(inputs.get("batch_size"))) and size > 1 else {}
            break
        if kind.startswith("VAEEncode"):
            found = kept(denoising_strength=number(_near(graph, name, "denoise")))
            break
    return found


def _model(graph: Graph, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """Checkpoint, VAE, and the LoRAs between the checkpoint and the sampler, written into the prompt."""
    found: dict[str, Any] = {}
    loras = []
    for here in _behind(graph, name):
        kind, inputs = str(graph[here]["class_type"]), _inputs(graph, here)
        if "Lora" in kind and (lora := text(inputs.get("lora_name"))):
            strength = number(inputs.get("strength_model"))
            loras.append(f"<lora:{stem(lora)}:{1.0 if strength is None else strength:g}>")
        if "model" not in found and ("Checkpoint" in kind or "UNET" in kind.upper()):
            found |= kept(model=next((text(inputs[field]) for field in MODELS if text(inputs.get(field))), ""))
        if kind == "CLIPSetLastLayer" and (last := whole(inputs.get("stop_at_clip_layer"))) is not None:
            found["clip_skip"] = -last
    if loras:
        found["prompt"] = f"{values.get('prompt', '')} {' '.join(reversed(loras))}".strip()
    decode = next((here for here, node in graph.items() if str(node["class_type"]).startswith("VAEDecode")), "")
    vae = _link(_inputs(graph, decode).get("vae"), graph)
    if graph.get(vae, {}).get("class_type") == "VAELoader":
        found |= kept(vae=text(_inputs(graph, vae).get("vae_name")))
    return found
