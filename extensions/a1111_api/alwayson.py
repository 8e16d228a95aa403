"""Always-on scripts whose work fields of image.generate do: Forge's perturbed-attention guidance and FreeU, and the extension that rescales guidance.

Source: the scripts' titles and the order of their arguments, as clients send them; no code of theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.api import BadInput

from .asking import Asked, number, table
from .control import SCRIPT as CONTROLNET
from .here import Here

OFF = (False, 0, "false", "False", None)


@dataclass(frozen=True)
class Kindred:
    """`fields` are image.generate's, with the places of what stands in them; `switch` the place of the tick that turns the script on, if there is one.

    `rest` are the arguments that change nothing here: name, place, and the values that ask for nothing.
    """

    fields: dict[str, int]
    switch: int | None = None
    rest: tuple[tuple[str, int, tuple[Any, ...]], ...] = ()

    def is_in(self, here: Here) -> bool:
        """Whether the pipeline has its fields."""
        return self.fields.keys() <= here.fields


SCRIPTS = {
    "perturbedattentionguidance integrated": Kindred(
        {"pag_scale": 1}, switch=0, rest=(("attenuation", 2, (0, None)), ("start_step", 3, (0, None)), ("end_step", 4, (1, None)), ("apply_to", 5, ("Both", None))),
    ),
    "freeu integrated": Kindred({"freeu_b1": 1, "freeu_b2": 2, "freeu_s1": 3, "freeu_s2": 4}, switch=0, rest=(("start_step", 5, (0, None)), ("end_step", 6, (1, None)))),
    "cfg rescale extension": Kindred({"guidance_rescale": 0}, rest=(("auto_color_fix", 1, OFF),)),
}  # fmt: skip


def script_values(asked: Asked, here: Here) -> dict[str, float]:
    """Of image.generate, from the scripts that are on. Raises BadInput."""
    return {field: number({name: args[place]}, name) for name, script, args in _on(asked, here) for field, place in script.fields.items()}


def scripts_ignored(asked: Asked, here: Here) -> list[str]:
    """Names of scripts that are on and do nothing here, and of arguments that do nothing."""
    known = {name for name, _, _ in _on(asked, here)}
    found = [f"alwayson_scripts.{name}" for name in table(asked, "alwayson_scripts") if name not in known and _asks(asked, name, here)]
    vain = [f"alwayson_scripts.{name}.{part}" for name, script, args in _on(asked, here) for part, place, nothing in script.rest if place < len(args) and args[place] not in nothing]
    return found + vain


def _on(asked: Asked, here: Here) -> list[tuple[str, Kindred, list[Any]]]:
    """Name as it was sent, script and arguments of those that are on and that the pipeline has fields for. Raises BadInput where a value is missing."""
    found = []
    for name in table(asked, "alwayson_scripts"):
        script = SCRIPTS.get(name.lower().partition(" (")[0].strip())
        if script is None or not script.is_in(here):
            continue
        args = _arguments(asked, name)
        if not args or (script.switch is not None and args[script.switch] in OFF):
            continue
        if len(args) <= max(script.fields.values()):
            raise BadInput(f"alwayson_scripts.{name} has too few arguments.", field="alwayson_scripts")
        if any(args[place] for place in script.fields.values()):
            found.append((name, script, args))
    return found


def _asks(asked: Asked, name: str, here: Here) -> bool:
    """Whether a script that is not done here asks for anything: its first argument is mostly the tick that turns it on."""
    if name.lower() == CONTROLNET and "control_model" in here.fields:
        return False
    script = SCRIPTS.get(name.lower().partition(" (")[0].strip())
    about = table(asked, "alwayson_scripts")[name]
    args = _arguments(asked, name)
    if script is not None and script.is_in(here):
        return False  # it is off
    return not isinstance(about, dict) or bool(args and args[0] is not False)


def _arguments(asked: Asked, name: str) -> list[Any]:
    about = table(asked, "alwayson_scripts")[name]
    args = about.get("args") if isinstance(about, dict) else about
    return args if isinstance(args, list) else [args] if args else []
