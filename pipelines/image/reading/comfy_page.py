"""ComfyUI's graph as its page draws it, in the PNG text "workflow", made into the graph of its API: where a picture carries nothing else.

{"nodes": [{"id": 3, "type": "KSampler", "inputs": [{"name": "model", "link": 1}, …], "widgets_values": [5, "randomize", 20, …]}, …], "links": [[1, from node, its output, to node, its input, kind], …]}.
Source: ComfyUI's workflow format as its documentation and example graphs show it.
"""

from __future__ import annotations

from typing import Any

from pipelines.image.reading.comfy import MOST_NODES, Graph
from pipelines.image.reading.values import entries

Node = dict[str, Any]
Links = dict[str, tuple[str, Any]]  # by its number: the node that it comes from, and which of its outputs
MUTED, BYPASSED = 2, 4
AFTER_EACH = ("fixed", "increment", "decrement", "randomize")  # stands behind a seed, as a widget of the page alone
# What a node's values are, in their order; newer pages say it themselves
WIDGETS: dict[str, tuple[str, ...]] = {
    "KSampler": ("seed", "steps", "cfg", "sampler_name", "scheduler", "denoise"), "KSamplerAdvanced": ("add_noise", "noise_seed", "steps", "cfg", "sampler_name", "scheduler"),
    "SamplerCustom": ("add_noise", "noise_seed", "cfg"), "KSamplerSelect": ("sampler_name",), "BasicScheduler": ("scheduler", "steps", "denoise"), "RandomNoise": ("noise_seed",), "CFGGuider": ("cfg",),
    "CheckpointLoaderSimple": ("ckpt_name",), "UNETLoader": ("unet_name",), "UnetLoaderGGUF": ("unet_name",), "VAELoader": ("vae_name",),
    "LoraLoader": ("lora_name", "strength_model", "strength_clip"), "LoraLoaderModelOnly": ("lora_name", "strength_model"), "CLIPSetLastLayer": ("stop_at_clip_layer",),
    "CLIPTextEncode": ("text",), "CLIPTextEncodeFlux": ("clip_l", "t5xxl", "guidance"), "FluxGuidance": ("guidance",),
    "CLIPTextEncodeSDXL": ("width", "height", "crop_w", "crop_h", "target_width", "target_height", "text_g", "text_l"),
    "EmptyLatentImage": ("width", "height", "batch_size"), "EmptySD3LatentImage": ("width", "height", "batch_size"),
    "PerturbedAttentionGuidance": ("scale",), "RescaleCFG": ("multiplier",), "FreeU": ("b1", "b2", "s1", "s2"),
    "PrimitiveNode": ("value",), "PrimitiveInt": ("value",), "PrimitiveFloat": ("value",), "PrimitiveString": ("value",), "PrimitiveStringMultiline": ("value",),
}  # fmt: skip


def is_page(value: Node) -> bool:
    return 0 < len(entries(value.get("nodes"))) <= MOST_NODES and isinstance(value.get("links"), list)


def as_graph(page: Node) -> Graph:
    """Nodes that are switched off are left out; what is led past a node comes from where that node would take it."""
    nodes = {str(node.get("id")): node for node in entries(page["nodes"]) if node.get("mode") != MUTED}
    links = dict(filter(None, map(_link, page["links"])))
    return {
        name: {"class_type": str(node.get("type")), "inputs": _values(node) | _linked(node, nodes, links)}
        for name, node in nodes.items() if node.get("mode") != BYPASSED
    }  # fmt: skip


def _link(link: Any) -> tuple[str, tuple[str, Any]] | None:
    """A list, or in newer pages an object."""
    if isinstance(link, list) and len(link) >= 5:
        return str(link[0]), (str(link[1]), link[2])
    return (str(link.get("id")), (str(link.get("origin_id")), link.get("origin_slot"))) if isinstance(link, dict) else None


def _values(node: Node) -> Node:
    values = node.get("widgets_values")
    if isinstance(values, dict):
        return values
    if not isinstance(values, list):
        return {}
    said = [str(one["widget"].get("name")) for one in entries(node.get("inputs")) if isinstance(one.get("widget"), dict)]
    known = WIDGETS.get(str(node.get("type")), ())
    names = known or said
    rest, found = list(values), {}
    for name in names:
        if not rest:
            break
        found[name] = rest.pop(0)
        if name in ("seed", "noise_seed") and rest and rest[0] in AFTER_EACH:
            rest.pop(0)
    return found


def _linked(node: Node, nodes: dict[str, Node], links: Links) -> Node:
    """Inputs that another node gives."""
    found = ((str(one.get("name")), _source(str(one.get("link")), nodes, links)) for one in entries(node.get("inputs")))
    return {name: list(source) for name, source in found if source}


def _source(link: str, nodes: dict[str, Node], links: Links) -> tuple[str, Any] | None:
    """Where it comes from; past nodes that are bypassed, by their first input of the same kind."""
    seen: set[str] = set()
    while link in links and link not in seen:
        seen.add(link)
        name, slot = links[link]
        node = nodes.get(name, {})
        if node.get("mode") != BYPASSED:
            return (name, slot) if node else None
        outputs = entries(node.get("outputs"))
        kind = outputs[slot].get("type") if isinstance(slot, int) and 0 <= slot < len(outputs) else None
        link = next((str(one.get("link")) for one in entries(node.get("inputs")) if one.get("type") == kind), "")
    return None
