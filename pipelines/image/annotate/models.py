"""Which networks on this computer annotate, what they take, and what is told where one is missing. No torch."""

from __future__ import annotations

from collections.abc import Collection

from pipelines.image.annotate.methods import DEPTHS, DETAILED, EDGES, USUAL, Preparation
from pipelines.image.lookup import named
from pipelines.image.vision import trunk_entry
from studio.api import BadInput, Catalog, ModelBroken, ModelEntry, ModelMissing, StudioError

KINDS = {"depth_model": "depth", "pose_model": "pose", "person_model": "detector"}
TILE_WORK, DEPTH_WORK, POSE_WORK = 450_000_000, 500_000_000, 300_000_000  # bytes at work besides the weights, measured
JOINTS = 17
PIXEL_WORK = 24  # bytes for each pixel of the picture
HEAD_BYTES = 4 * (64 + 128 + 256 + 512 + 512 + 5 + 6)  # of the edge network, over its trunk
TRUNK_BYTES = 4 * 14_714_688


def settle_models(methods: dict[str, str], given: dict[str, str], catalog: Catalog) -> dict[str, str]:
    """The keys for `given` {"depth_model": …, "pose_model": …, "person_model": …} as the methods need them, "" for what none needs. `methods` {field: method} are those that are asked for.

    Raises ModelMissing, ModelBroken: at the model's field where one is named, else at the method's.
    """
    found = dict.fromkeys(KINDS, "")
    for field, method in methods.items():
        if method in EDGES:
            _at(field, catalog)
        elif method in DEPTHS:
            none = ModelMissing("There is no depth model on this computer.", hint="Put the folder of one into models/depth: Depth Anything, DPT, ZoeDepth or GLPN, in safetensors.", field=field)
            found["depth_model"] = _one("depth_model", given, catalog, none)
        elif method == "Pose":
            none = ModelMissing("There is no pose model on this computer.", hint="Put the folder of a ViTPose model, in safetensors, into models/pose.", field=field)
            found["pose_model"] = _one("pose_model", given, catalog, none)
            _check_joints(catalog.find(found["pose_model"]))
            found["person_model"] = named(given["person_model"], "detector", "person_model", catalog).key if given["person_model"] else first("detector", catalog)
    return found


def first(kind: str, catalog: Catalog) -> str:
    """The key of the first that can be used; "" where there is none."""
    return next((entry.key for entry in catalog.entries(kind) if not entry.problem), "")


def _at(field: str, catalog: Catalog) -> None:
    """Raises what is wrong with the edge network, at this field."""
    try:
        trunk_entry(catalog)
    except (ModelMissing, ModelBroken) as error:
        error.field = field
        raise


def _one(slot: str, given: dict[str, str], catalog: Catalog, none: ModelMissing) -> str:
    """The key of the one that is named, else of the first. Raises `none` where there is none."""
    if given[slot]:
        return named(given[slot], KINDS[slot], slot, catalog).key
    key = first(KINDS[slot], catalog)
    if not key:
        raise none
    return key


def _check_joints(entry: ModelEntry) -> None:
    """Raises BadInput for one that finds others than COCO's joints of persons, which come first where there are more."""
    if (joints := int(entry.details.get("joints", 0))) < JOINTS:
        raise BadInput(f"“{entry.title}” finds {joints} joints; skeletons are drawn from COCO's {JOINTS}.", hint="Choose a ViTPose model for persons.", field="pose_model")


def entries_of(wanted: Preparation, catalog: Catalog) -> list[ModelEntry]:
    """The folders that a preparation loads. Raises ModelMissing."""
    keys = [wanted.depth_model] if wanted.method in DEPTHS else [wanted.pose_model, wanted.person_model] if wanted.method == "Pose" else []
    return [catalog.find(key) for key in keys if key]


def model_bytes(entry: ModelEntry) -> int:
    """In memory: these networks compute in full precision."""
    return entry.bytes * (2 if entry.dtype in ("float16", "bfloat16") else 1)


def bytes_of(wanted: Collection[Preparation], catalog: Catalog) -> int:
    """Of the networks' weights, each once. What is not there counts nothing: it is refused elsewhere."""
    total = TRUNK_BYTES + HEAD_BYTES if any(each.method in EDGES for each in wanted) else 0
    try:
        found = {entry.key: model_bytes(entry) for each in wanted for entry in entries_of(each, catalog)}
    except StudioError:
        return total
    return total + sum(found.values())


def work_of(method: str, pixels: float) -> int:
    """Bytes at work besides the weights, for a picture of so many pixels."""
    own = TILE_WORK if method in EDGES else DEPTH_WORK if method in DEPTHS else POSE_WORK if method == "Pose" else 0
    return own + round(PIXEL_WORK * pixels)


def check_detail(method: str, detail: float, field: str) -> None:
    """Raises BadInput where there is no more or less of it."""
    if detail != USUAL and method not in DETAILED:
        raise BadInput(f"“{method}” has no more or less detail.", hint=f"Leave it at {USUAL:g}.", field=field)
