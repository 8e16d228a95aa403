"""Making what a method makes of a picture; networks are lent by the worker for as long as they look."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from pipelines.image.annotate import skeleton
from pipelines.image.annotate.lines import ink, scribble
from pipelines.image.annotate.methods import BLUR, DEPTHS, EDGES, LINES, Preparation
from pipelines.image.annotate.models import HEAD_BYTES, TRUNK_BYTES, model_bytes, work_of
from pipelines.image.annotate.relief import RELIEF, grey_of, nearness, normals
from pipelines.image.edges import canny_picture
from pipelines.image.memory import ran_out
from pipelines.image.vision import trunk_entry
from studio.api import ModelBroken, ModelEntry, ModelSpec, RunContext

NO_PERSON = "No person was found in the picture."
UNREADABLE = (OSError, ValueError, KeyError, RuntimeError, TypeError, AttributeError, ImportError)
Each = Callable[[float], None]
NEARLY = 0.99  # the network has looked


@dataclass
class Annotated:
    """RGB, of the picture's size; `notes` are sentences for the person, `facts` for the metadata."""

    image: Image.Image
    notes: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    loading: float = 0.0  # seconds that went into reading networks from disk


def annotated(picture: Image.Image, wanted: Preparation, ctx: RunContext, each: Each) -> Annotated:
    """`each` hears the share that is done, and may raise to stop. Raises ModelMissing, ModelBroken, ModelTooLarge."""
    loads: list[float] = []
    if wanted.method == "Pose":
        made = _poses(picture, wanted, ctx, each, loads)
    elif wanted.method in DEPTHS:
        made = Annotated(_depth(picture, wanted, ctx, each, loads))
    else:
        lines = _edges(picture, wanted, ctx, each, loads) if wanted.method in EDGES else plain(picture, wanted, lambda: each(0.0))
        made = Annotated(ImageOps.invert(lines) if wanted.on_white and wanted.method in LINES else lines)
    return replace(made, loading=sum(loads))


def plain(picture: Image.Image, wanted: Preparation, check: Callable[[], None] = lambda: None) -> Image.Image:
    """What needs no network. RGB, of the picture's size."""
    if wanted.method == "Canny":
        return Image.fromarray(canny_picture(picture, *wanted.thresholds, check)).convert("RGB")
    if wanted.method == "Lines":
        return _grey(ink(np.asarray(picture.convert("L")), wanted.ink, check))
    if wanted.method == "Blur":
        return picture.convert("RGB").filter(ImageFilter.GaussianBlur(BLUR * min(picture.size) * wanted.turned(1 / 4)))
    if wanted.method == "Invert":
        return ImageOps.invert(picture.convert("RGB"))
    return picture.convert("L").convert("RGB") if wanted.method == "Luminance" else picture.convert("RGB")


def _grey(share: np.ndarray) -> Image.Image:
    return Image.fromarray(np.round(share * 255).astype(np.uint8)).convert("RGB")


def _work(picture: Image.Image, method: str) -> int:
    return work_of(method, picture.width * picture.height)


# -- with networks -----------------------------------------------------------------------------------------------------


def _edges(picture: Image.Image, wanted: Preparation, ctx: RunContext, each: Each, loads: list[float]) -> Image.Image:
    from pipelines.image.nets.hed import soft_edges

    drawn = wanted.method == "Scribble"
    with ctx.models.use(edge_spec(ctx, loads), working=_work(picture, wanted.method)) as network:
        soft = soft_edges(network, picture, 0.0 if drawn else wanted.shift, each)
    return scribble(soft, *wanted.strokes, lambda: each(NEARLY)).convert("RGB") if drawn else _grey(soft)


def _depth(picture: Image.Image, wanted: Preparation, ctx: RunContext, each: Each, loads: list[float]) -> Image.Image:
    from pipelines.image.nets.seeing import depth

    each(0.0)
    spec = seer_spec(ctx.model(wanted.depth_model), "depth_model", ctx, loads)
    with ctx.models.use(spec, working=work_of(wanted.method, picture.width * picture.height, spec.bytes)) as seer:
        near = nearness(depth(seer, picture, each))
    return grey_of(near) if wanted.method == "Depth" else normals(near, RELIEF * wanted.turned(4), lambda: each(NEARLY))


def _poses(picture: Image.Image, wanted: Preparation, ctx: RunContext, each: Each, loads: list[float]) -> Annotated:
    from pipelines.image.nets.seeing import joints, persons

    each(0.0)
    boxes = [[0.0, 0.0, float(picture.width), float(picture.height)]]
    if wanted.person_model:
        with ctx.models.use(seer_spec(ctx.model(wanted.person_model), "person_model", ctx, loads), working=_work(picture, wanted.method)) as detector:
            boxes = persons(detector, picture)
    each(0.0)
    found: list[np.ndarray] = []
    if boxes:
        with ctx.models.use(seer_spec(ctx.model(wanted.pose_model), "pose_model", ctx, loads), working=_work(picture, wanted.method)) as seer:
            found = [skeleton.eighteen(person) for person in joints(seer, picture, boxes, each)]
    seen = [person for person in found if (person[:, 2] >= wanted.sure).any()]
    return Annotated(skeleton.drawn(seen, picture.size, wanted.sure), [] if seen else [NO_PERSON], {"persons": len(seen)})


def edge_spec(ctx: RunContext, loads: list[float]) -> ModelSpec[Any]:
    """The trunk with its edge outputs, in full precision: soft maps have no room for rounding. `loads` gets the seconds that loading took. Raises ModelMissing, ModelBroken."""
    entry = trunk_entry(ctx.catalog)

    def load(report: Any) -> Any:
        from pipelines.image.nets.hed import load as load_edges

        return _loaded(entry, "method", ctx, lambda: load_edges(Path(entry.path), ctx.device), loads)

    return ModelSpec(f"{entry.key} @ edges", TRUNK_BYTES + HEAD_BYTES, load)


def seer_spec(entry: ModelEntry, at: str, ctx: RunContext, loads: list[float]) -> ModelSpec[Any]:
    def load(report: Any) -> Any:
        from pipelines.image.nets.seeing import load as load_seer

        return _loaded(entry, at, ctx, lambda: load_seer(Path(entry.path), entry.architecture, ctx.device), loads)

    return ModelSpec(f"{entry.key} @ seeing", model_bytes(entry), load)


def _loaded(entry: ModelEntry, at: str, ctx: RunContext, load: Callable[[], Any], loads: list[float]) -> Any:
    import torch

    torch.set_num_threads(ctx.threads)
    started = time.monotonic()
    try:
        made = load()
    except UNREADABLE as error:
        if ran_out(error):
            raise
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise ModelBroken(f"“{entry.title}” can't be loaded: {reason}.", hint="Download it again, or choose another model.", field=at) from error
    loads.append(time.monotonic() - started)
    return made
