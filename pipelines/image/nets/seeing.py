"""Networks of transformers that look at pictures: how far each place is, where persons stand, and where their joints are.

Their own processors prepare the pictures, those on pillow and numpy, so that the same is seen with and without torchvision.
Sources: Ranftl et al., Vision Transformers for Dense Prediction (DPT), 2021; Bhat et al., ZoeDepth, 2023; Kim et al., GLPN, 2022; Yang et al., Depth Anything, 2024;
Xu et al., ViTPose, 2022; Carion et al., DETR, 2020; Zhao et al., RT-DETR, 2024.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from pipelines.image.nets.hed import heard

LONGEST, SHORTEST, SLIM = 1536, 64, 4  # sides of what is shown to them; and how many times as long as wide at most
NEAREST = 1e-3  # of the largest distance: what is less is none
METRIC = ("ZoeDepthForDepthEstimation", "GLPNForDepthEstimation")  # they tell distances, the others what is large where it is near
FOUND, MOST_PERSONS, TOGETHER = 0.5, 30, 4  # how sure a detector must be; persons of a picture; looked at in one go


@dataclass
class Seer:
    """A network with the processor that it was published with."""

    net: Any
    processor: Any

    @property
    def device(self) -> Any:
        return self.net.device


def load(path: Path, kind: str, device: str) -> Seer:
    """`kind` is the class of transformers. Raises OSError, ValueError, ImportError, RuntimeError … for what is no such model."""
    import transformers

    processor = transformers.AutoImageProcessor.from_pretrained(path, backend="pil", local_files_only=True)
    net = getattr(transformers, kind).from_pretrained(path, dtype=torch.float32, local_files_only=True, use_safetensors=True)
    return Seer(net.to(device).requires_grad_(False).eval(), processor)


def shown(picture: Image.Image) -> Image.Image:
    """RGB, no longer, shorter or slimmer than they can take; stretched where it is too slim."""
    longest = min(LONGEST, max(picture.size))
    scale = longest / max(picture.size)
    width, height = (min(LONGEST, max(round(side * scale), SHORTEST, longest // SLIM)) for side in picture.size)
    image = picture.convert("RGB")
    return image if (width, height) == picture.size else image.resize((width, height), Image.Resampling.BICUBIC)


# -- depth -------------------------------------------------------------------------------------------------------------


def tells_distance(net: Any) -> bool:
    """Whether large is far. DPT on DINOv2 was published for distances only; Depth Anything says what it is."""
    name, config = type(net).__name__, net.config
    if name == "DepthAnythingForDepthEstimation":
        return bool(config.depth_estimation_type == "metric")
    backbone = getattr(config, "backbone_config", None)
    return name in METRIC or (name == "DPTForDepthEstimation" and getattr(backbone, "model_type", "") == "dinov2")


@torch.inference_mode()
def depth(seer: Seer, picture: Image.Image, each: Callable[[float], None] = lambda share: None) -> np.ndarray:
    """[H, W], large where it is near, at the picture's size: distances are turned into their inverse first, which is what the other networks tell.

    `each` hears the share that is done before every layer, and may raise to stop.
    """
    image = shown(picture)
    given = seer.processor(images=image, return_tensors="pt")
    with heard(seer.net, each):
        told = seer.net(pixel_values=given["pixel_values"].to(seer.device)).predicted_depth
    told = told.float().reshape(1, 1, *told.shape[-2:])
    if tells_distance(seer.net):
        told = 1 / told.clamp(min=NEAREST * max(float(told.max()), NEAREST))
    if getattr(seer.processor, "do_pad", False) and type(seer.net).__name__ == "ZoeDepthForDepthEstimation":
        told = _without_border(told, image)
    return _resized(told, picture.height, picture.width)[0, 0].cpu().numpy()


def _without_border(told: Any, image: Image.Image) -> Any:
    """ZoeDepth is shown the picture with mirrored borders of 3 √(side / 2) pixels."""
    below, beside = (int((side / 2) ** 0.5 * 3) for side in (image.height, image.width))
    return _resized(told, image.height + 2 * below, image.width + 2 * beside)[:, :, below : below + image.height, beside : beside + image.width]


def _resized(told: Any, height: int, width: int) -> Any:
    return torch.nn.functional.interpolate(told, (height, width), mode="bicubic", align_corners=False)


# -- poses -------------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def persons(detector: Seer, picture: Image.Image) -> list[list[float]]:
    """A box [left, top, width, height] for each, the surest first."""
    image = shown(picture)
    given = detector.processor(images=image, return_tensors="pt")
    told = detector.net(**{name: value.to(detector.device) for name, value in given.items()})
    found = detector.processor.post_process_object_detection(told, threshold=FOUND, target_sizes=[(picture.height, picture.width)])[0]
    person = next(number for number, label in detector.net.config.id2label.items() if str(label).lower() == "person")
    order = sorted((-float(score), box) for score, label, box in zip(found["scores"], found["labels"], found["boxes"].tolist(), strict=True) if int(label) == int(person))
    return [[left, top, right - left, bottom - top] for _, (left, top, right, bottom) in order[:MOST_PERSONS] if right > left and bottom > top]


@torch.inference_mode()
def joints(seer: Seer, picture: Image.Image, boxes: list[list[float]], each: Callable[[float], None]) -> list[np.ndarray]:
    """[17, 3] of x, y and sureness for the person in each box, in the picture's pixels. `each` hears the share that is done, and may raise to stop."""
    image = shown(picture)
    scale = np.array([image.width / picture.width, image.height / picture.height])
    found: list[np.ndarray] = []
    for start in range(0, len(boxes), TOGETHER):
        each(start / len(boxes))
        some = [list(np.array(box) * np.tile(scale, 2)) for box in boxes[start : start + TOGETHER]]
        given = seer.processor(images=image, boxes=[some], return_tensors="pt")
        told = seer.net(pixel_values=given["pixel_values"].to(seer.device, torch.float32), **_expert(seer, len(some)))
        for person in seer.processor.post_process_pose_estimation(told, boxes=[some])[0]:
            places = np.asarray(person["keypoints"])[:17] / scale
            found.append(np.concatenate([places, np.asarray(person["scores"])[:17, None]], 1))
    return found


def _expert(seer: Seer, rows: int) -> dict[str, Any]:
    """ViTPose+ has experts for several sets of joints: the first one is COCO's."""
    many = getattr(seer.net.config.backbone_config, "num_experts", 1) > 1
    return {"dataset_index": torch.zeros(rows, dtype=torch.long, device=seer.device)} if many else {}
