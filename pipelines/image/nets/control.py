"""Control networks beside the network of an image model: at each step they look at what it looks at, and their answers are added to its blocks.

They stand around the network's forward, so that they serve every mode, prompts joined by AND, and changes at a step alike.
Sources: Zhang et al., Adding conditional control to text-to-image diffusion models, 2023; Mou et al., T2I-Adapter, 2023; diffusers' pipelines for both, whose order of reckoning this keeps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipelines.image.annotate.prepare import plain
from pipelines.image.checkpoint import UNET, read_shapes, unet_config
from pipelines.image.control import Unit
from pipelines.image.nets.control_files import load_special
from pipelines.image.nets.handover import replaced
from pipelines.image.nets.parts import original_path
from pipelines.image.params import ImageParams
from pipelines.image.pictures import Ground, to_size

ORIGINAL = ("control_model.", "")
NO_BOX = (0, 0, 0, 0)
POSITIONS = ("sample", "timestep", "encoder_hidden_states")


@dataclass
class Guide:
    """A unit with its network in memory and its picture, still of its own size."""

    unit: Unit
    net: Any
    picture: Image.Image
    prepare: Callable[[Image.Image], Image.Image] | None = None  # by networks that the job lends; without, by what needs none
    made: dict[Any, Image.Image] = field(default_factory=dict)  # its picture prepared, by size and part: all pictures of a job have the same

    def prepared(self, image: Image.Image) -> Image.Image:
        return self.prepare(image) if self.prepare else plain(image, self.unit.preparation)

    def holds(self, step: int, steps: int) -> bool:
        """As diffusers counts: the step begins after `start` and is over by `end`."""
        return not (step / steps < self.unit.start or (step + 1) / steps > self.unit.end)


def load_unit(path: Path, kind: str, dtype: Any, device: str) -> Any:
    """Raises OSError, ValueError, KeyError, RuntimeError for what is no such model."""
    import diffusers

    if path.is_dir():
        net = getattr(diffusers, kind.replace("FluxControlNetUnion", "FluxControlNet")).from_pretrained(path, dtype=dtype, local_files_only=True, use_safetensors=True)
    else:
        net = _single(path, kind, dtype)
    return net.to(device).requires_grad_(False).eval()


def _single(path: Path, kind: str, dtype: Any) -> Any:
    """A ControlNet in one file; its sizes are read from the header."""
    import diffusers
    from safetensors.torch import load_file

    shapes, tensors = read_shapes(path), load_file(path)
    if kind != "ControlNetModel":
        return load_special(kind, shapes, tensors, diffusers_config).to(dtype)
    own = any(name.startswith("controlnet_down_blocks.") for name in shapes)
    prefix = "" if own else next(prefix for prefix in ORIGINAL if f"{prefix}input_hint_block.0.weight" in shapes)
    net = diffusers.ControlNetModel(**(diffusers_config(shapes) if own else original_config(shapes, prefix)))
    net.load_state_dict(tensors if own else {name: tensors[prefix + original_name(net, name)].reshape(value.shape) for name, value in net.state_dict().items()})
    return net.to(dtype)


def original_name(net: Any, name: str) -> str:
    """A tensor's name in the layout of the first release, by diffusers' name."""
    path, _, kind = name.rpartition(".")
    top, _, rest = path.partition(".")
    if top == "controlnet_down_blocks":
        path = f"zero_convs.{rest}.0"
    elif top == "controlnet_mid_block":
        path = "middle_block_out.0"
    elif top == "controlnet_cond_embedding":
        place = -1 if rest == "conv_in" else len(net.controlnet_cond_embedding.blocks) if rest == "conv_out" else int(rest.removeprefix("blocks."))
        path = f"input_hint_block.{2 * (place + 1)}"
    else:
        path = original_path(net.config, path)
    return f"{path}.{kind}"


def original_config(shapes: dict[str, tuple[int, ...]], prefix: str) -> dict[str, Any]:
    """Its blocks are those of the network's first half."""
    renamed = {UNET + name.removeprefix(prefix): shape for name, shape in shapes.items()} | {f"{UNET}out.2.weight": (4,)}
    config = unet_config(renamed)
    kept = {name: value for name, value in config.items() if name not in ("_class_name", "sample_size", "out_channels", "up_block_types")}
    hints = [shapes[name][0] for place in range(0, 40, 4) if (name := f"{prefix}input_hint_block.{place}.weight") in shapes]
    return kept | {"conditioning_channels": shapes[f"{prefix}input_hint_block.0.weight"][1], "conditioning_embedding_out_channels": hints}


def diffusers_config(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """The same from diffusers' own names."""
    levels = [number for number in range(9) if f"down_blocks.{number}.resnets.0.conv1.weight" in shapes]
    channels = [shapes[f"down_blocks.{number}.resnets.0.conv1.weight"][0] for number in levels]
    depths = [sum(f"down_blocks.{number}.attentions.0.transformer_blocks.{depth}.norm1.weight" in shapes for depth in range(20)) for number in levels]
    crossed = next(number for number in levels if depths[number])
    linear = len(shapes[f"down_blocks.{crossed}.attentions.0.proj_in.weight"]) == 2
    blocks = sum(f"controlnet_cond_embedding.blocks.{number}.weight" in shapes for number in range(20))
    hints = [shapes["controlnet_cond_embedding.conv_in.weight"][0], *(shapes[f"controlnet_cond_embedding.blocks.{number}.weight"][0] for number in range(1, blocks, 2))]
    config = {
        "in_channels": shapes["conv_in.weight"][1], "conditioning_channels": shapes["controlnet_cond_embedding.conv_in.weight"][1], "conditioning_embedding_out_channels": hints, "block_out_channels": channels,
        "down_block_types": ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths], "layers_per_block": sum(f"down_blocks.0.resnets.{number}.conv1.weight" in shapes for number in range(9)),
        "cross_attention_dim": shapes[f"down_blocks.{crossed}.attentions.0.transformer_blocks.0.attn2.to_k.weight"][1], "use_linear_projection": linear, "transformer_layers_per_block": [depth or 1 for depth in depths],
        "attention_head_dim": [max(1, number // 64) for number in channels] if linear else 8, "norm_num_groups": 32 if channels[0] % 32 == 0 else 8,
    }  # fmt: skip
    if "add_embedding.linear_1.weight" in shapes:
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": shapes["add_embedding.linear_1.weight"][1]}
    return config


def picture_of(guide: Guide, params: ImageParams, ground: Ground | None, size: tuple[int, int]) -> Image.Image:
    """The unit's picture at the size that is drawn, prepared: where only the masked part is drawn, that part of it; where a picture is extended, nothing in the new part."""
    box = ground.box if ground is not None and ground.whole is not None else NO_BOX
    if (size, box) not in guide.made:
        guide.made[size, box] = _prepared(guide, params, ground, size)
    return guide.made[size, box]


def _prepared(guide: Guide, params: ImageParams, ground: Ground | None, size: tuple[int, int]) -> Image.Image:
    image = guide.picture
    if ground is not None and ground.whole is not None and ground.box != NO_BOX:
        image = to_size(image, *ground.whole.size, params.resize).crop(ground.box)
    extends = (params.extend_left, params.extend_top, params.extend_right, params.extend_bottom)
    if not any(extends):
        return guide.prepared(to_size(image, *size, params.resize))
    whole = Image.new("RGB", (params.width + extends[0] + extends[2], params.height + extends[1] + extends[3]))
    whole.paste(guide.prepared(to_size(image, params.width, params.height, params.resize)), extends[:2])
    return to_size(whole, *size, "Stretch")


@contextlib.contextmanager
def controlled(network: Any, guides: list[tuple[Guide, Image.Image]], step: Callable[[], int], steps: Callable[[], int]) -> Iterator[None]:
    """While open, each answer of the network (a UNet) is guided. Pictures are as large as what is drawn."""
    if not guides:
        yield
        return
    control = [(guide, _hint(image, guide.net)) for guide, image in guides if not _is_adapter(guide)]
    features = [(guide, _features(guide, image)) for guide, image in guides if _is_adapter(guide)]

    def make(forward: Callable[..., Any]) -> Callable[..., Any]:
        def guided(*args: Any, **named: Any) -> Any:
            given = dict(zip(POSITIONS, args, strict=False)) | named
            now = (step(), max(1, steps()))
            down, middle = _answers([(guide, hint) for guide, hint in control if guide.holds(*now)], given)
            inner = _added([[torch.cat([part] * len(given["sample"])) for part in parts] for guide, parts in features if guide.holds(*now)])
            more = {"down_block_additional_residuals": down, "mid_block_additional_residual": middle} if down else {}
            return forward(**given, **more, **({"down_intrablock_additional_residuals": inner} if inner else {}))

        return guided

    with replaced(network, make):
        yield


def _answers(control: list[tuple[Guide, Any]], given: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    """What all control networks add to the blocks and to the middle."""
    total: tuple[tuple[Any, ...], Any] = ((), None)
    named = given.get("added_cond_kwargs") or {}
    sizes = {name: value for name, value in named.items() if name in ("text_embeds", "time_ids")}
    for guide, hint in control:
        sample = given["sample"][:, : guide.net.config.in_channels]  # an inpainting network sees mask and picture beside
        shown = hint.repeat(len(sample), 1, 1, 1)
        down, middle = guide.net(
            sample, given["timestep"], encoder_hidden_states=given["encoder_hidden_states"], **_shown(guide, shown), conditioning_scale=guide.unit.weight,
            guess_mode=False, added_cond_kwargs=sizes or None, return_dict=False,
        )  # fmt: skip
        total = (tuple(one + other for one, other in zip(total[0], down, strict=True)), total[1] + middle) if total[0] else (tuple(down), middle)
    return total


def _shown(guide: Guide, hint: Any) -> dict[str, Any]:
    """The picture, and for networks of several kinds which one it is."""
    if guide.unit.number < 0:
        return {"controlnet_cond": hint}
    kinds = torch.zeros(len(hint), guide.net.config.num_control_type, device=hint.device, dtype=hint.dtype)
    kinds[:, guide.unit.number] = 1
    return {"controlnet_cond": [hint], "control_type": kinds, "control_type_idx": [guide.unit.number]}


def _added(features: list[list[Any]]) -> list[Any]:
    return [sum(parts[1:], parts[0]) for parts in zip(*features, strict=True)]


def _is_adapter(guide: Guide) -> bool:
    return type(guide.net).__name__ == "T2IAdapter"


def _features(guide: Guide, image: Image.Image) -> list[Any]:
    """A T2I-Adapter's answers, the same at every step."""
    grey = guide.net.config.in_channels == 1
    return [part * guide.unit.weight for part in guide.net(_hint(image.convert("L") if grey else image, guide.net))]


def _hint(image: Image.Image, net: Any) -> Any:
    """[1, channels, H, W] from 0 to 1."""
    pixels = torch.from_numpy(np.asarray(image, np.float32) / 255.0)
    pixels = pixels[None, None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)[None]
    return pixels.to(net.device, net.dtype)
