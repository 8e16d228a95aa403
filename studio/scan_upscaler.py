"""What a safetensors header tells of a network that enlarges pictures: its architecture, by how much it enlarges, how wide its layers are. From names and shapes only.

Sources: the papers' reference code, whose names the files keep: ESRGAN and Real-ESRGAN (Wang 2018, 2021), SwinIR (Liang 2021), Swin2SR (Conde 2022), HAT (Chen 2023),
DAT (Chen 2023), OmniSR (Wang 2023), SPAN (Wan 2024), PLKSR (Lee 2024).
"""

from __future__ import annotations

import math
import re
from typing import Any

Shapes = dict[str, list[int]]
# architecture: parts of names, one of which must be there for each; the first that fits is taken
SIGNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("ESRGAN", ("rdb1.conv1",)), ("HAT", ("overlap_attn.", "conv_first.")), ("DAT", ("attn.attns.0.", "conv_first.")), ("Swin2SR", ("attn.cpb_mlp.", "conv_first.")),
    ("SwinIR", ("residual_group.blocks.0.attn.relative_position_bias_table", "conv_first.")), ("OmniSR", ("residual_layer.0.residual_layer.0.layer.0.fn.0.",)),
    ("SPAN", ("block_1.c1_r.sk.",)), ("PLKSR", ("feats.1.lk.",)),
)  # fmt: skip
LAST = re.compile(r"^(?:upsampler|up|to_img|upsample)\.0\.weight$|^feats\.\d+\.weight$|^body\.\d+\.weight$")  # where one shuffle makes the picture: 3 s² channels
STEP = re.compile(r"^(?:upsample|upsampler)\.\d+\.weight$")  # where each shuffle makes 2 × or 3 ×
NAMED = re.compile(r"(?<![0-9.])([1-8])\s*x(?![0-9])|(?<![a-z0-9])x\s*([1-8])(?![0-9])", re.IGNORECASE)
PREFIXES = ("module.", "netG.")


def architecture(shapes: Shapes) -> str:
    """"" for anything else, and for forms whose names tell nothing."""
    shapes = bare(shapes)
    if shapes and all(re.fullmatch(r"body\.\d+\.(weight|bias)", name) for name in shapes) and len(shapes.get("body.0.weight", [])) == 4 and len(shapes.get("body.1.weight", [])) == 1:
        return "Compact"
    lower = [name.lower() for name in shapes]
    return next((known for known, signs in SIGNS if all(any(sign in name for name in lower) for sign in (sign.lower() for sign in signs))), "")


def about_upscaler(shapes: Shapes, title: str) -> dict[str, Any]:
    """`scale` 0 where neither the shapes nor the name tell it; `width` of the first layer; `folded`, how much smaller the picture is folded first; `numbers` of all weights together."""
    shapes = bare(shapes)
    scale = scale_of(shapes) or next((int(one or other) for one, other in NAMED.findall(title)), 0)
    width = next((shape[0] for name, shape in shapes.items() if len(shape) == 4), 64)
    return {"scale": scale, "width": width, "folded": folded(shapes), "numbers": sum(math.prod(shape) for shape in shapes.values())}


def scale_of(shapes: Shapes) -> int:
    """0 where it is not told."""
    if any("rdb1.conv1" in name.lower() for name in shapes):
        return _dense_scale(shapes)
    steps = [shape for name, shape in shapes.items() if STEP.match(name) and len(shape) == 4 and shape[0] in (4 * shape[1], 9 * shape[1])]
    if steps:
        return math.prod(2 if shape[0] == 4 * shape[1] else 3 for shape in steps)
    ups = [name for name in shapes if re.fullmatch(r"(conv_up|upconv)\d?\.weight", name)]
    if ups and any(name.startswith("conv_last.") for name in shapes):
        return int(2 ** len(ups))
    last = [shape for name, shape in sorted(shapes.items(), key=lambda item: _number(item[0])) if LAST.match(name) and len(shape) == 4]
    side = math.isqrt(last[-1][0] // 3) if last else 0
    return side if last and 3 * side * side == last[-1][0] else 0


def _dense_scale(shapes: Shapes) -> int:
    """Of ESRGAN: each convolution after the body but the last two doubles; where the picture was shuffled smaller first, that is taken off."""
    ups = sum(bool(re.fullmatch(r"(conv_up|upconv)\d\.weight", name)) for name in shapes)
    old = [int(name.split(".")[1]) for name in shapes if re.fullmatch(r"model\.\d+\.weight", name)]
    doubled = ups if ups else (max(old, default=4) - 4) // 3
    return int(2**doubled) // folded(shapes)


def folded(shapes: Shapes) -> int:
    """Real-ESRGAN's networks for 2 and 1 times begin so: the first layer sees 4 or 16 pixels at once."""
    first = shapes.get("conv_first.weight") or shapes.get("model.0.weight") or [0, 3]
    return {12: 2, 48: 4}.get(first[1], 1)


def bare(shapes: Shapes) -> Shapes:
    """Without what trainers put before every name."""
    for prefix in PREFIXES:
        if shapes and all(name.startswith(prefix) for name in shapes):
            shapes = {name.removeprefix(prefix): shape for name, shape in shapes.items()}
    return shapes


def _number(name: str) -> int:
    return int(found[0]) if (found := re.findall(r"\d+", name)) else 0
