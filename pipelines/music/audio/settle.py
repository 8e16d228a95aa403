"""What can't work is refused before anything is loaded, each in a sentence at its field; what was left to the studio is filled in. No torch."""

from __future__ import annotations

from typing import Any

from pipelines.music.audio.families import FAMILIES, Family, audio_model, family_of, refused
from pipelines.music.audio.params import MOST_SECONDS, AudioParams
from pipelines.music.sound.files import look
from studio.api import BadInput, Catalog, Desk, Fix

SOME = tuple(dict.fromkeys(name for family in FAMILIES.values() for name in family.fields))  # fields that not every family has
MODE_FIELDS = {"overlap": ("New", "Continue", "Melody"), "strength": ("From a sound",), "repaint_from": ("Repaint",), "repaint_to": ("Repaint",)}
HEARD = MOST_SECONDS  # seconds of a given sound that are read
LEAST = 0.5


def settled(params: AudioParams, desk: Desk) -> AudioParams:
    """The params as they are run: model and length are told. Raises BadInput, ModelMissing, ModelBroken at their fields."""
    entry = audio_model(params.model, desk.catalog)
    family = family_of(entry)
    if not params.prompt.strip():
        raise BadInput("There are no words to make a sound from.", hint="Describe what is heard.", field="prompt")
    _check_mode(params, family)
    _check_fields(params, family)
    seconds = params.seconds or (0.0 if params.mode == "Repaint" else family.usual)
    params = params.model_copy(update={"model": entry.key, "seconds": seconds})
    given = look(desk.inputs.path(params.sound, "sound"), "sound", HEARD).seconds if params.sound else 0.0
    _check_length(params, family, given)
    return params


def _check_mode(params: AudioParams, family: Family) -> None:
    if params.mode not in family.modes:
        raise BadInput(f"{family.title} can't do “{params.mode}”.", hint="Choose another model or “New”.", field="mode", fix=Fix.use("mode", "New"))
    if params.mode != "New" and not params.sound:
        raise BadInput("There is no sound to begin from.", hint="Give one, or choose “New”.", field="sound")
    if params.mode == "New" and params.sound:
        raise BadInput("A sound was given, but “New” listens to none.", hint="Choose what to make of it, or take it away.", field="mode")


def _check_fields(params: AudioParams, family: Family) -> None:
    for name in SOME:
        field = AudioParams.model_fields[name]
        if getattr(params, name) == field.default:
            continue
        if name not in family.fields:
            raise refused(family, str(field.title), name)
        if params.mode not in MODE_FIELDS.get(name, family.modes):
            raise BadInput(f"“{field.title}” says nothing to “{params.mode}”.", hint="Put it back to its default.", field=name)
    if params.scheduler not in (family.schedulers or ("Automatic",)):
        raise BadInput(f"{family.title} can't use the scheduler “{params.scheduler}”.", hint="Choose Automatic.", field="scheduler", fix=Fix.use("scheduler", "Automatic"))
    if 0 < params.guidance < 1:
        raise BadInput("Guidance begins at 1, which is not guided.", hint="Set it to 1 or more, or to 0 for the model's own.", field="guidance", fix=Fix.use("guidance", 1.0))
    if not params.lyrics and params.language:
        raise BadInput("A language of lyrics is told, but there are no lyrics.", hint="Write lyrics, or take it away.", field="language")
    if "negative_prompt" in family.fields and params.negative_prompt and 0 < params.guidance <= 1:
        raise BadInput("Without guidance a negative prompt says nothing.", hint="Set the guidance above 1.", field="negative_prompt")


def _check_length(params: AudioParams, family: Family, given: float) -> None:
    if params.mode == "Repaint":
        end = params.repaint_to or given
        if params.seconds:
            raise BadInput("A repainted sound keeps its length.", hint="Set the length to 0.", field="seconds", fix=Fix.use("seconds", 0.0))
        if not params.repaint_from < end <= given + 0.001:
            raise BadInput(
                f"The part to repaint must lie within the sound's {given:.1f} s and not be empty.", hint="Change where it begins or ends.", field="repaint_from" if params.repaint_from >= min(end, given) else "repaint_to"
            )
        return
    if params.seconds < LEAST:
        raise BadInput(f"A sound is at least {LEAST} s long.", hint="Choose a larger length.", field="seconds", fix=Fix.use("seconds", 1.0))
    before = given if params.mode == "Continue" else 0.0
    if params.seconds + before > family.longest:
        most = max(LEAST, int(family.longest - before))
        told = f"{family.title} makes sounds of at most {family.longest:.0f} s, with what is there." if before else f"{family.title} makes sounds of at most {family.longest:.0f} s."
        raise BadInput(told, hint="Choose a smaller length.", field="seconds", fix=Fix.use("seconds", float(most), f"{most:g} s"))
    if params.overlap and params.mode != "Continue" and params.seconds <= family.window:
        raise BadInput("A sound this short is made in one go: an overlap says nothing.", hint="Put it back to 0.", field="overlap", fix=Fix.use("overlap", 0.0))


def known(params: AudioParams, catalog: Catalog) -> tuple[Any, Family]:
    """(entry, family) of settled params."""
    entry = audio_model(params.model, catalog)
    return entry, family_of(entry)
