"""Control networks that take several kinds of pictures: which kind a unit's picture is, and the number that the network has for it. No torch.

Sources: the model cards of ControlNet++ (xinsir) for Stable Diffusion XL and of FLUX.1-dev ControlNet Union (InstantX, Shakker Labs).
"""

from __future__ import annotations

from typing import Literal, get_args

from studio.api import BadInput, ModelEntry

ControlKind = Literal["Automatic", "Pose", "Depth", "Soft edges", "Lines", "Normals", "Segments", "Tile", "Blur", "Grey", "Low quality"]
KINDS = get_args(ControlKind)[1:]
NUMBERS = {
    "ControlNetUnionModel": {"Pose": 0, "Depth": 1, "Soft edges": 2, "Lines": 3, "Normals": 4, "Segments": 5, "Tile": 6},
    "FluxControlNetUnionModel": {"Lines": 0, "Tile": 1, "Depth": 2, "Blur": 3, "Pose": 4, "Grey": 5, "Low quality": 6},
}  # fmt: skip
PREPARED = {"Canny": "Lines", "Lines": "Lines", "Soft edges": "Soft edges", "Scribble": "Soft edges", "Depth": "Depth", "Normal": "Normals", "Pose": "Pose", "Blur": "Blur", "Luminance": "Grey"}


def numbers_of(entry: ModelEntry) -> dict[str, int]:
    """The kinds that a network takes with its numbers for them; {} for one that takes one kind alone."""
    known = NUMBERS.get(str(entry.details.get("class", "")), {})
    most = int(entry.details.get("kinds", 0)) or len(known)
    return {kind: number for kind, number in known.items() if number < most}


def number_of(entry: ModelEntry, kind: str, process: str) -> int:
    """What the network is told of the picture; Automatic goes by its preparation. -1 for a network of one kind, KeyError where it is not known."""
    found = numbers_of(entry)
    return found[PREPARED.get(process, "") if kind == "Automatic" else kind] if found else -1


def check_kind(entry: ModelEntry, kind: str, process: str, prefix: str) -> None:
    """Raises BadInput where the kind is not told, is none of the network's, or would do nothing."""
    found, field = numbers_of(entry), f"{prefix}_kind"
    if not found:
        if kind != "Automatic":
            raise BadInput(f"“{entry.title}” takes one kind of picture alone.", hint="Leave its kind at Automatic.", field=field)
        return
    try:
        number_of(entry, kind, process)
    except KeyError as error:
        told = f"“{entry.title}” must be told what kind of picture guides it." if kind == "Automatic" else f"“{entry.title}” takes no picture of the kind “{kind}”."
        raise BadInput(told, hint=f"Use one of: {', '.join(found)}.", field=field) from error
