"""The scripts that AUTOMATIC1111 comes with, as far as there is something here that does their work: X/Y/Z plot over image.grid, prompt matrix, prompts from a file.

Source: the scripts' names and arguments, version 1.10, as clients of its API send them.
"""

from __future__ import annotations

import csv
import io
import itertools
import secrets
import shlex
from dataclasses import dataclass
from typing import Any

from studio.api import BadInput

from .asking import Asked, text, whole
from .here import SAME, Here
from .mapping import MADE_UP, MOST, SEEDS

MATRIX, FROM_FILE, PLOT = "prompt matrix", "prompts from file or textbox", "x/y/z plot"
SCRIPTS = (MATRIX, FROM_FILE, PLOT)
# Axes by their names there; numbers stand for names, which all versions have in this order up to here
AXES = {
    "nothing": "", "seed": "Seed", "var. seed": "Variation seed", "var. strength": "Variation", "steps": "Steps", "hires steps": "Its steps", "cfg scale": "CFG scale", "image cfg scale": "Image CFG scale",
    "prompt s/r": "Prompt S/R", "sampler": "Sampler", "hires sampler": "Its sampler", "checkpoint name": "Model", "schedule type": "Schedule", "clip skip": "CLIP skip", "denoising": "Denoising strength", "vae": "VAE",
    "prompt order": "Prompt order", "size": "Size", "styles": "Styles",
    "refiner checkpoint": "Second model", "refiner switch at": "Switch at", "rng source": "Noise source", "always discard next-to-last sigma": "Discard the next-to-last sigma",
}  # fmt: skip
NUMBERED = {
    "txt2img": ("nothing", "seed", "var. seed", "var. strength", "steps", "hires steps", "cfg scale", "prompt s/r", "prompt order", "sampler"),
    "img2img": ("nothing", "seed", "var. seed", "var. strength", "steps", "cfg scale", "image cfg scale", "prompt s/r", "prompt order", "sampler"),
}
DENOISING_AGAIN = "Its denoising strength"
# What stands behind the axes in the arguments, with the values that ask for nothing else than what is done
PLOTTED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("draw_legend", (True,)), ("include_lone_images", (True, False)), ("include_sub_grids", (False,)), ("no_fixed_seeds", (False,)), ("vary_seeds_x", (False,)), ("vary_seeds_y", (False,)), ("vary_seeds_z", (False,)),
    ("margin_size", (0,)), ("csv_mode", (True, False)),
)  # fmt: skip


@dataclass(frozen=True)
class Script:
    """What a script makes of a request: the changes of each job, or one job of image.grid. `with_parts`: also its single pictures are wanted."""

    name: str = ""
    changes: tuple[dict[str, Any], ...] = ({},)
    grid: dict[str, Any] | None = None
    sheet: bool = False
    with_parts: bool = True
    ignored: tuple[str, ...] = ()


def script_of(asked: Asked, kind: str, values: dict[str, Any], here: Here) -> Script:
    """Raises BadInput for one that is not here, and for arguments that can't be obeyed."""
    name, args = text(asked, "script_name").strip().lower(), asked.get("script_args") or []
    if not name or name == "none":
        return Script()
    if name not in SCRIPTS or not isinstance(args, list) or "x_axis" not in here.grid_fields:
        raise BadInput(f"The script “{text(asked, 'script_name')}” is not here.", hint=f"Use one of: {', '.join(SCRIPTS)}.", field="script_name")
    return {MATRIX: matrix, FROM_FILE: from_file, PLOT: lambda args, values: plot(args, values, kind, here)}[name](args, values)


def _is_set(value: Any) -> bool:
    """Clients send words instead of truths."""
    return value.strip().lower() in ("true", "1", "on", "yes") if isinstance(value, str) else bool(value)


def _argument(args: list[Any], place: int, usual: Any) -> Any:
    return args[place] if place < len(args) and args[place] is not None else usual


def _from(values: dict[str, Any]) -> int:
    return int(values["seed"]) if values["seed"] >= 0 else secrets.randbelow(MADE_UP)


def matrix(args: list[Any], values: dict[str, Any]) -> Script:
    """put_at_start, different_seeds, prompt_type, variations_delimiter, margin_size: every combination of what stands behind the prompt's | signs."""
    field = "negative_prompt" if str(_argument(args, 2, "positive")).lower() == "negative" else "prompt"
    between = " " if str(_argument(args, 3, "comma")).lower() == "space" else ", "
    first, *parts = (part.strip() for part in values[field].split("|"))
    if len(parts) > 6:
        raise BadInput(f"{2 ** len(parts):,} pictures are too many for one request; it can have {MOST}.", hint="Write fewer parts.", field="prompt")
    seed, changes = _from(values), []
    for number in range(2 ** len(parts)):
        some = [part for place, part in enumerate(parts) if number >> place & 1]
        words = [*some, first] if _is_set(_argument(args, 0, False)) else [first, *some]
        changes.append({field: between.join(words), "seed": (seed + number * _is_set(_argument(args, 1, False))) % SEEDS, "count": 1})
    return Script(MATRIX, tuple(changes), sheet=True, ignored=("script_args.margin_size",) if _argument(args, 4, 0) not in (0, "0", "") else ())


# Of a line's options: the field here, and how its value is read
OPTIONS: dict[str, tuple[str, type]] = {
    "prompt": ("prompt", str), "negative_prompt": ("negative_prompt", str), "steps": ("steps", int), "seed": ("seed", int), "cfg_scale": ("cfg_scale", float), "width": ("width", int), "height": ("height", int),
    "sampler_name": ("sampler", str), "subseed": ("variation_seed", int), "subseed_strength": ("variation_strength", float),
}  # fmt: skip


def from_file(args: list[Any], values: dict[str, Any]) -> Script:
    """checkbox_iterate, checkbox_iterate_batch, prompt_position, prompt_txt: a picture for each line, which may hold options (--prompt "…" --steps 20)."""
    iterates, at, lines = _is_set(_argument(args, 0, False)), str(_argument(args, 2, "start")).lower(), str(_argument(args, 3, "")).splitlines()
    seed, changes = _from(values), []
    for line in (line.strip() for line in lines if line.strip()):
        told = _options(line) if line.startswith("--") else {"prompt": line}
        if "prompt" in told and values["prompt"]:
            told["prompt"] = " ".join((told["prompt"], values["prompt"]) if at == "start" else (values["prompt"], told["prompt"]))
        changes.append({"seed": seed} | told)
        seed = (seed + iterates * values["count"]) % SEEDS
    if not changes:
        raise BadInput("There are no prompts.", hint="Write one in each line of the script's text.", field="script_args")
    same = _is_set(_argument(args, 1, False))
    return Script(FROM_FILE, tuple(changes), ignored=("script_args.checkbox_iterate_batch",) if same and values["count"] > 1 else ())


def _options(line: str) -> dict[str, Any]:
    """Raises BadInput at what is no option that can be obeyed."""
    try:
        words = shlex.split(line)
        pairs = [(words[place].removeprefix("--"), words[place + 1]) for place in range(0, len(words), 2)]
        return {OPTIONS[name][0]: OPTIONS[name][1](value) for name, value in pairs}
    except (ValueError, KeyError, IndexError) as error:
        raise BadInput(f"The line “{line[:80]}” can't be read.", hint=f"Its options are: {', '.join(f'--{name}' for name in OPTIONS)}; each with a value.", field="script_args") from error


def plot(args: list[Any], values: dict[str, Any], kind: str, here: Here) -> Script:
    """Type, values and chosen values of three axes, then how the sheet is to look."""
    grid: dict[str, Any] = {"count": 1}
    for place, which in zip((0, 3, 6), "xyz", strict=True):
        axis = _axis(_argument(args, place, 0), kind)
        if axis:
            again = axis == "Denoising strength" and values.get("hires_scale", 1) > 1 and kind == "txt2img"
            grid |= {f"{which}_axis": DENOISING_AGAIN if again else axis, f"{which}_values": _values(axis, _argument(args, place + 1, ""), _argument(args, place + 2, ""), here)}
    if "Styles" in grid.values():
        along = [next(csv.reader([grid[f"{which}_values"]])) for which in "xyz" if grid.get(f"{which}_axis") == "Styles"]
        named = {name.strip() for value in itertools.chain.from_iterable(along) for name in (value, *value.split(","))}  # one value may name several
        grid["styles"] = [{"name": name, **{part: str(style.get(part, "")) for part in ("prompt", "negative_prompt")}} for name, style in here.styles.items() if name in named]
    rest = {name: _argument(args, 9 + place, usual[0]) for place, (name, usual) in enumerate(PLOTTED)}
    read = {name: int(value or 0) if name == "margin_size" and str(value or 0).isdigit() else _is_set(value) for name, value in rest.items()}
    seeded = {f"vary_seeds_{which}": which for which in "xyz"} if "other_seeds" in here.grid_fields else {}
    grid |= {"other_seeds": "".join(which for name, which in seeded.items() if read[name])} if seeded else {}
    ignored = [f"script_args.{name}" for name, usual in PLOTTED if read[name] not in usual and name not in seeded]
    return Script(PLOT, grid=grid, with_parts=read["include_lone_images"], ignored=(*ignored, *(["batch_size"] if values["count"] > 1 else [])))


def _axis(asked: Any, kind: str) -> str:
    """Raises BadInput."""
    if isinstance(asked, (int, float)) and not isinstance(asked, bool):
        place = whole({"axis": asked}, "axis")
        if not 0 <= place < len(NUMBERED[kind]):
            raise BadInput(f"The axis number {place} stands for other things in other versions.", hint=f"Send its name, one of: {', '.join(AXES)}.", field="script_args")
        asked = NUMBERED[kind][place]
    name = str(asked or "nothing").strip().lower()
    if name not in AXES:
        raise BadInput(f"The axis “{asked}” is not here.", hint=f"Use one of: {', '.join(AXES)}.", field="script_args")
    return AXES[name]


def _values(axis: str, written: Any, chosen: Any, here: Here) -> str:
    """As image.grid reads them; models by their keys."""
    told = written if isinstance(written, str) and written.strip() else chosen
    found = [str(value) for value in told] if isinstance(told, list) else list(itertools.chain.from_iterable(csv.reader(io.StringIO(str(told)), skipinitialspace=True)))
    found = [value.strip() for value in found if value.strip()]
    if axis in ("Model", "Second model"):
        found = [here.checkpoint(value) for value in found]
    if axis == "VAE":
        found = [here.vae(value) if value.lower() not in SAME else "" for value in found]
        if "" in found:
            raise BadInput("An axis of VAEs names each of them.", hint="Leave Automatic and None out.", field="script_args")
    if axis == "Noise source":
        found = ["NV" if value.upper() == "GPU" else value for value in found]
    row = io.StringIO()
    csv.writer(row).writerow(found)
    return row.getvalue().strip()
