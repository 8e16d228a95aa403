"""The common sampler set as Params: every engine takes these fields, or says which of them it lacks.

Neutral means "has no effect". Order everywhere: penalties, DRY, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from studio.api import Params, ui


def _ui(step: float = 0, *, advanced: bool = True) -> dict[str, Any]:
    return ui(group="Sampling", advanced=advanced, step=step)


class Sampling(Params):
    """How the next token is drawn. Mixed into the Params of every text pipeline."""

    temperature: float = Field(0.7, ge=0, le=5, title="Temperature", description="Higher is more surprising; 0 always takes the likeliest word.", json_schema_extra=_ui(0.05, advanced=False))
    top_p: float = Field(0.95, ge=0, le=1, title="Top-p", description="Keep the likeliest words that together reach this probability; 1 keeps all.", json_schema_extra=_ui(0.01))
    top_k: int = Field(0, ge=0, le=1000, title="Top-k", description="Keep only this many of the likeliest words; 0 keeps all.", json_schema_extra=_ui(1))
    min_p: float = Field(0.05, ge=0, le=1, title="Min-p", description="Drop words less likely than this share of the likeliest; 0 drops none.", json_schema_extra=_ui(0.01))
    typical_p: float = Field(1.0, gt=0, le=1, title="Typical-p", description="Keep the words nearest to the expected surprise, up to this probability; 1 keeps all.", json_schema_extra=_ui(0.01))
    top_n_sigma: float = Field(0.0, ge=0, le=10, title="Top-n-sigma", description="Keep words within this many standard deviations of the best score; 0 keeps all.", json_schema_extra=_ui(0.1))
    dynatemp_range: float = Field(0.0, ge=0, le=5, title="Dynamic temperature range", description="Let the temperature move this much up and down with the model's doubt; 0 keeps it fixed.", json_schema_extra=_ui(0.05))
    dynatemp_exponent: float = Field(1.0, gt=0, le=10, title="Dynamic temperature exponent", description="How doubt maps to temperature: 1 is a straight line.", json_schema_extra=_ui(0.1))
    xtc_probability: float = Field(0.0, ge=0, le=1, title="XTC probability", description="How often the likeliest words are left out for variety; 0 never.", json_schema_extra=_ui(0.01))
    xtc_threshold: float = Field(0.1, ge=0, le=0.5, title="XTC threshold", description="Only words above this probability can be left out.", json_schema_extra=_ui(0.01))
    repetition_penalty: float = Field(1.0, ge=0.5, le=3, title="Repetition penalty", description="Above 1 makes words that were already used less likely; 1 is off.", json_schema_extra=_ui(0.01))
    repetition_last_n: int = Field(64, ge=-1, le=32768, title="Penalty range", description="How many last tokens the three penalties look at; -1 is all, 0 none.", json_schema_extra=_ui(1))
    frequency_penalty: float = Field(0.0, ge=-2, le=2, title="Frequency penalty", description="Lowers a word's score each time it was used; 0 is off.", json_schema_extra=_ui(0.05))
    presence_penalty: float = Field(0.0, ge=-2, le=2, title="Presence penalty", description="Lowers a word's score once it was used; 0 is off.", json_schema_extra=_ui(0.05))
    dry_multiplier: float = Field(0.0, ge=0, le=10, title="DRY multiplier", description="Strength against repeating whole phrases; 0 is off.", json_schema_extra=_ui(0.05))
    dry_base: float = Field(1.75, ge=1, le=8, title="DRY base", description="How fast the penalty grows with the length of the repeated phrase.", json_schema_extra=_ui(0.05))
    dry_allowed_length: int = Field(2, ge=1, le=64, title="DRY allowed length", description="Repeated phrases up to this many tokens cost nothing.", json_schema_extra=_ui(1))
    dry_penalty_last_n: int = Field(-1, ge=-1, le=32768, title="DRY range", description="How many last tokens DRY looks at; -1 is all, 0 none.", json_schema_extra=_ui(1))
    dry_sequence_breakers: list[str] = Field(["\n", ":", '"', "*"], max_length=32, title="DRY breakers", description="Text that ends a phrase, one per line.", json_schema_extra=ui(group="Sampling", advanced=True, widget="lines"))
    mirostat_mode: Literal[0, 1, 2] = Field(0, title="Mirostat", description="Hold the surprise of the text steady: 1 or 2 are its versions and replace the other filters; 0 is off.", json_schema_extra=_ui())
    mirostat_tau: float = Field(5.0, ge=0.1, le=20, title="Mirostat target", description="The surprise to hold, in bits.", json_schema_extra=_ui(0.1))
    mirostat_eta: float = Field(0.1, gt=0, le=1, title="Mirostat speed", description="How fast Mirostat corrects itself.", json_schema_extra=_ui(0.01))


# What a field must be for its family to have no effect; the family's other fields matter only while it is on.
NEUTRAL: dict[str, Any] = {
    "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "typical_p": 1.0, "top_n_sigma": 0.0,
    "dynatemp_range": 0.0, "xtc_probability": 0.0, "repetition_penalty": 1.0, "frequency_penalty": 0.0,
    "presence_penalty": 0.0, "dry_multiplier": 0.0, "mirostat_mode": 0,
}  # fmt: skip
FAMILY: dict[str, str] = {
    "dynatemp_exponent": "dynatemp_range", "xtc_threshold": "xtc_probability", "dry_base": "dry_multiplier",
    "dry_allowed_length": "dry_multiplier", "dry_penalty_last_n": "dry_multiplier",
    "dry_sequence_breakers": "dry_multiplier", "mirostat_tau": "mirostat_mode", "mirostat_eta": "mirostat_mode",
}  # fmt: skip
MIROSTAT = frozenset({"temperature", "mirostat_mode", "mirostat_tau", "mirostat_eta"})  # it replaces all the others
ALL_FIELDS: frozenset[str] = frozenset(Sampling.model_fields)


def active(sampling: Sampling) -> list[str]:
    """Fields that take effect as they are set, in the order of the form."""
    on = {name for name, neutral in NEUTRAL.items() if getattr(sampling, name) != neutral}
    default = Sampling()
    changed = {name for name, head in FAMILY.items() if head in on and getattr(sampling, name) != getattr(default, name)}
    penalties = {"repetition_penalty", "frequency_penalty", "presence_penalty"}
    if penalties & on and sampling.repetition_last_n != default.repetition_last_n:
        changed.add("repetition_last_n")
    return [name for name in Sampling.model_fields if name in on | changed]


def unsupported(sampling: Sampling, supports: frozenset[str]) -> list[str]:
    """Fields that were set and that an engine with `supports` would leave out; untouched defaults are no wish."""
    default = Sampling()
    wished = [name for name in active(sampling) if getattr(sampling, name) != getattr(default, name)]
    beside = set(wished) - MIROSTAT if sampling.mirostat_mode else set()
    return [name for name in wished if name not in supports or name in beside]


def unsupported_note(names: list[str], engine: str) -> str:
    """A sentence for the verdict; "" if nothing is left out."""
    if not names:
        return ""
    titles = ", ".join(str(Sampling.model_fields[name].title) for name in names)
    return f"Left out, as {engine} can't do it here: {titles}."
