"""Networks of the later families in a file of their own: which folder lends them decoder, text encoder and scheduler. No torch.

Such a network is told by its tensors' names (`studio.scan_network`). Its configs come from the folder; how many blocks it has is read from the file, for some are cut down.
A folder fits where its own network is as wide and reads words as wide. Of several, the one whose name is most alike lends.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.image.checkpoint import Shapes, numbered, read_json, read_shapes
from studio.api import Catalog, ModelBroken, ModelEntry

PREFIXES = ("model.diffusion_model.", "model.", "")
NETWORK = "transformer"  # the folder's part that the file stands for


@dataclass(frozen=True)
class Layout:
    """Of a network's file. `network` is diffusers' class; `inner` a tensor with as many rows as the network is wide; `text` one with as many columns as a word has numbers, `called` what the config calls those.

    `blocks`: what stands before the numbers of the blocks that the config counts.
    """

    network: str
    inner: str
    text: str
    called: str
    blocks: dict[str, str]


@dataclass(frozen=True)
class Lent:
    """`pipeline` is diffusers' class, `published` a folder that fits, by its name on the hub, `factor` pixels per latent."""

    pipeline: str
    published: str
    layout: Layout
    factor: int = 8

    @property
    def lenders(self) -> tuple[str, ...]:
        """The classes whose folders hold all that it needs, its own first."""
        return (self.pipeline, *MORE_LENDERS.get(self.pipeline, ()))


DOUBLE = {"num_layers": "double_blocks.", "num_single_layers": "single_blocks."}
QWEN = Layout("QwenImageTransformer2DModel", "img_in.weight", "txt_in.weight", "joint_attention_dim", {"num_layers": "transformer_blocks."})
QWEN_21 = Layout("QwenImage21Transformer2DModel", "img_in.weight", "txt_in.in_layer.weight", "context_in_dim", {"num_layers": "transformer_blocks."})
FLUX2 = Layout("Flux2Transformer2DModel", "img_in.weight", "txt_in.weight", "joint_attention_dim", DOUBLE)
CHROMA = Layout("ChromaTransformer2DModel", "img_in.weight", "txt_in.weight", "joint_attention_dim", DOUBLE | {"approximator_layers": "distilled_guidance_layer.layers."})
Z_IMAGE = Layout("ZImageTransformer2DModel", "x_embedder.weight", "cap_embedder.1.weight", "cap_feat_dim", {"n_layers": "layers.", "n_refiner_layers": "noise_refiner."})
LUMINA2 = Layout("Lumina2Transformer2DModel", "x_embedder.weight", "cap_embedder.1.weight", "cap_feat_dim", {"num_layers": "layers.", "num_refiner_layers": "noise_refiner."})
AURAFLOW = Layout("AuraFlowTransformer2DModel", "init_x_linear.weight", "cond_seq_linear.weight", "joint_attention_dim", {"num_mmdit_layers": "double_layers.", "num_single_dit_layers": "single_layers."})
SANA = Layout("SanaTransformer2DModel", "x_embedder.proj.weight", "y_embedder.y_proj.fc1.weight", "caption_channels", {"num_layers": "blocks."})
KREA2 = Layout("Krea2Transformer2DModel", "first.weight", "txtmlp.1.weight", "text_hidden_dim", {"num_layers": "blocks."})
EDIT = Lent("QwenImageEditPipeline", "Qwen/Qwen-Image-Edit", QWEN)
EDIT_PLUS = Lent("QwenImageEditPlusPipeline", "Qwen/Qwen-Image-Edit-2509", QWEN)
MORE_LENDERS = {
    "QwenImagePipeline": (EDIT.pipeline, EDIT_PLUS.pipeline), EDIT.pipeline: (EDIT_PLUS.pipeline,), EDIT_PLUS.pipeline: (EDIT.pipeline,),
}  # fmt: skip
LENT = {
    "qwen_image": Lent("QwenImagePipeline", "Qwen/Qwen-Image", QWEN),
    "qwen_image_layered": Lent("QwenImageLayeredPipeline", "Qwen/Qwen-Image-Layered", QWEN),
    "qwen_image_21": Lent("QwenImage21Pipeline", "Qwen/Qwen-Image-2.1", QWEN_21, 16),
    "z_image": Lent("ZImagePipeline", "Tongyi-MAI/Z-Image-Turbo", Z_IMAGE),
    "flux2": Lent("Flux2Pipeline", "black-forest-labs/FLUX.2-dev", FLUX2),
    "flux2_klein": Lent("Flux2KleinPipeline", "black-forest-labs/FLUX.2-klein-base-9B", FLUX2),
    "chroma": Lent("ChromaPipeline", "lodestones/Chroma1-HD", CHROMA),
    "lumina2": Lent("Lumina2Pipeline", "Alpha-VLLM/Lumina-Image-2.0", LUMINA2),
    "auraflow": Lent("AuraFlowPipeline", "fal/AuraFlow-v0.3", AURAFLOW),
    "sana": Lent("SanaPipeline", "Efficient-Large-Model/Sana_1600M_1024px_diffusers", SANA, 32),
    "krea2": Lent("Krea2Pipeline", "krea/Krea-2-Raw", KREA2),
}


def lent_of(entry: ModelEntry) -> Lent | None:
    """None for what is put together in another way, or needs nothing. An editor's network is told from one that draws by its name alone."""
    name = entry.key.lower()
    if entry.format == "diffusers":
        return None
    if entry.architecture == "qwen_image" and "edit" in name:
        return EDIT_PLUS if any(word in name for word in ("plus", "2509", "2511")) else EDIT
    return LENT.get(entry.architecture)


def is_distilled(entry: ModelEntry) -> bool:
    """Whether a network of its own file is one of few steps, by its name: of FLUX.2 klein all are but those called base."""
    name = entry.key.lower()
    return "turbo" in name or (entry.architecture == "flux2_klein" and "base" not in name)


def borrowed(entry: ModelEntry, lent: Lent, title: str, catalog: Catalog) -> tuple[Path, str, dict[str, Any]]:
    """The folder that lends, what stands before the names of the file's tensors, and its network's config. Raises ModelBroken at the field "model"."""
    layout, shapes = lent.layout, read_shapes(Path(entry.path))
    prefix = next((start for start in PREFIXES if start + layout.inner in shapes), "")
    found = [(other, config) for other in catalog.entries("image") if _lends(other, lent) and (config := config_of(Path(other.path), layout, shapes, prefix))]
    if not found:
        hint = f"Put the folder {lent.published}, or another of that model, into the models; its part “{NETWORK}” needs nothing but its config.json."
        raise ModelBroken(f"“{entry.title}” is the network of {title} alone, and there is no folder of that model that lends it the other parts.", hint=hint, field="model")
    lender, config = min(found, key=lambda one: (lent.lenders.index(one[0].architecture), -difflib.SequenceMatcher(None, entry.title.lower(), one[0].title.lower()).ratio()))
    return Path(lender.path), prefix, config


def _lends(other: ModelEntry, lent: Lent) -> bool:
    return other.format == "diffusers" and other.architecture in lent.lenders and not other.problem and any(Path(other.path, "vae").glob("*.safetensors"))


def config_of(folder: Path, layout: Layout, shapes: Shapes, prefix: str) -> dict[str, Any]:
    """The network's; {} where the folder's is of another width."""
    config = read_json(folder / NETWORK / "config.json")
    try:
        if config.get("_class_name") != layout.network or _wide(config) != shapes[prefix + layout.inner][0] or config[layout.called] != shapes[prefix + layout.text][1]:
            return {}
    except (KeyError, IndexError, TypeError):
        return {}
    config.pop("quantization_config", None)  # of the folder's own weights
    marked = {"zero_cond_t": True} if f"{prefix}__index_timestep_zero__" in shapes else {}
    return config | {counted: numbered(shapes, prefix + start) for counted, start in layout.blocks.items()} | marked


def _wide(config: dict[str, Any]) -> int:
    return int(config.get("dim") or config.get("hidden_size") or config["num_attention_heads"] * config["attention_head_dim"])


def lacks_network(folder: Path) -> bool:
    """Whether a folder holds a network's config without its weights: it lends only."""
    inner = folder / NETWORK
    return (inner / "config.json").is_file() and not any(inner.glob("*.safetensors"))


def lent_parts(folder: Path) -> list[Path]:
    """The folder's other parts that have weights."""
    return [inner for inner in sorted(folder.iterdir()) if inner.name != NETWORK and any(inner.glob("*.safetensors"))]
