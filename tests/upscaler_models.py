"""Upscalers with tiny random weights, in the forms and under the names of real files; a queue that enlarges with them; pictures with much detail."""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FORMS: dict[str, tuple[str, int]] = {  # file: its architecture by the header, its scale
    "2x_compact": ("Compact", 2), "4x_old_esrgan": ("ESRGAN", 4), "RealESRGAN_x2": ("ESRGAN", 2), "BSRGAN_x4": ("ESRGAN", 4), "SwinIR_x2": ("SwinIR", 2), "HAT_x2": ("HAT", 2), "DAT_x3": ("DAT", 3),
    "OmniSR_X2": ("OmniSR", 2), "SPAN_x2": ("SPAN", 2), "PLKSR_x2": ("PLKSR", 2), "Swin2SR_x2": ("Swin2SR", 2), "1x_clean": ("Compact", 1),
}  # fmt: skip


def module(name: str, seed: int = 1) -> Any:
    """As its makers' own code builds it, small."""
    import torch

    from pipelines.image.nets.upscalers import Compact, import_spandrel

    import_spandrel()
    from spandrel.architectures import CRAFT, DAT, ESRGAN, HAT, PLKSR, RCAN, SPAN, OmniSR, RealCUGAN, Swin2SR, SwinIR

    swin: dict[str, Any] = {"img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": 8, "upscale": 2, "upsampler": "pixelshuffle"}
    makers: dict[str, Any] = {
        "2x_compact": lambda: Compact(2, 8, 2), "1x_clean": lambda: Compact(2, 8, 1), "4x_old_esrgan": lambda: ESRGAN.ESRGAN(num_filters=8, num_blocks=1, scale=4),
        "RealESRGAN_x2": lambda: ESRGAN.ESRGAN(in_nc=12, num_filters=8, num_blocks=2, scale=4, shuffle_factor=2), "BSRGAN_x4": lambda: ESRGAN.ESRGAN(num_filters=8, num_blocks=1, scale=4),
        "SwinIR_x2": lambda: SwinIR.SwinIR(**swin), "HAT_x2": lambda: HAT.HAT(**swin | {"embed_dim": 60}), "Swin2SR_x2": lambda: Swin2SR.Swin2SR(**swin),
        "DAT_x3": lambda: DAT.DAT(img_size=16, embed_dim=32, split_size=[2, 4], depth=[2], num_heads=[2], upscale=3), "OmniSR_X2": lambda: OmniSR.OmniSR(num_feat=16, up_scale=2),
        "SPAN_x2": lambda: SPAN.SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8, upscale=2), "PLKSR_x2": lambda: PLKSR.RealPLKSR(dim=16, n_blocks=1, upscaling_factor=2),
        "CUGAN_x2": RealCUGAN.UpCunet2x_fast, "CRAFT_x2": lambda: CRAFT.CRAFT(embed_dim=12, depths=[1], num_heads=[2], upscale=2), "RCAN_x2": lambda: RCAN.RCAN(n_resgroups=1, n_resblocks=1, n_feats=16, scale=2),
    }  # fmt: skip
    torch.manual_seed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the makers' code
        return makers[name]().eval()


def tensors(name: str, seed: int = 1) -> dict[str, Any]:
    """As a real file of that name holds them: ESRGAN's later forms have names of their own."""
    found = {key: value.clone().contiguous() for key, value in module(name, seed).state_dict().items()}
    if name not in ("RealESRGAN_x2", "BSRGAN_x4"):
        return found
    real = name.startswith("Real")
    blocks = max(int(key.split(".")[3]) for key in found if "RDB" in key) + 1
    block, body, ups, hr = ("body.{}.rdb{}", "conv_body", "conv_up{}", "conv_hr") if real else ("RRDB_trunk.{}.RDB{}", "trunk_conv", "upconv{}", "HRconv")
    outside = {"model.0": "conv_first", f"model.1.sub.{blocks}": body, "model.3": ups.format(1), "model.6": ups.format(2), "model.8": hr, "model.10": "conv_last"}
    renamed = {}
    for key, value in found.items():
        layer, _, kind = key.rpartition(".")
        parts = layer.split(".")
        if "RDB" in layer:
            layer = f"{block.format(parts[3], parts[4][3:])}.{parts[5]}"
        renamed[f"{outside.get(layer, layer)}.{kind}"] = value
    return renamed


def save(folder: Path, name: str, *, pickled: bool = False) -> Path:
    """As safetensors, or as trainers write a pickle."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.{'pth' if pickled else 'safetensors'}"
    if pickled:
        torch.save({"params_ema": tensors(name)}, path)
    else:
        save_file(tensors(name), path)
    return path


def detailed(width: int, height: int, seed: int = 1) -> Image.Image:
    """Noise at several sizes, with hard edges: the hardest that seams can meet."""
    pick = np.random.default_rng(seed)
    whole = np.zeros((height, width, 3))
    for size in (1, 4, 16):
        rough = Image.fromarray(pick.integers(0, 256, (max(1, height // size), max(1, width // size), 3), dtype=np.uint8))
        whole += np.asarray(rough.resize((width, height), Image.Resampling.NEAREST)) / 3
    return Image.fromarray(whole.astype(np.uint8))


def png(image: Image.Image, **how: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **how)
    return buffer.getvalue()


def ncnn_files(kinds: list[tuple[str, int, int]], seed: int = 1) -> tuple[str, bytes, list[dict[str, Any]]]:
    """(.param, .bin, the layers' arrays) of convolutions ("conv", in, out) and slopes ("prelu", 0, n) in a row."""
    pick = np.random.default_rng(seed)
    lines, data, arrays = [], b"", []
    for number, (kind, into, out) in enumerate(kinds):
        if kind == "prelu":
            slopes = pick.normal(0.2, 0.1, out).astype("<f4")
            lines.append(f"PReLU p{number} 1 1 {number} {number + 1} 0={out}")
            data += slopes.tobytes()
            arrays.append({"weight": slopes})
            continue
        weights, bias = pick.normal(0, 0.2, (out, into, 3, 3)).astype("<f2"), pick.normal(0, 0.1, out).astype("<f4")
        lines.append(f"Convolution c{number} 1 1 {number} {number + 1} 0={out} 1=3 4=1 5=1 6={weights.size} 9=2 -23310=1,2.000000e-01")
        data += struct.pack("<I", 0x01306B47) + weights.tobytes() + b"\0" * (-weights.nbytes % 4) + bias.tobytes()
        arrays.append({"weight": weights, "bias": bias})
    return "\n".join(["7767517", f"{len(lines)} {len(lines) + 1}", *lines]), data, arrays
