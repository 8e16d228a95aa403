"""The families of audio models: which controls each has, how long its sounds are, what its own values are. From the model's config files; no torch.

Sources: Copet et al., Simple and Controllable Music Generation (2023); Evans et al., Stable Audio Open (2024); Liu et al., AudioLDM 2 (2023); ACE-Step 1.5 (ACE Studio and StepFun, 2026);
defaults as transformers and diffusers have them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipelines.music.audio.params import MOST_SECONDS
from studio.api import BadInput, Catalog, ModelBroken, ModelEntry, ModelMissing

Kind = Literal["tokens", "denoise"]
TOKENS = ("temperature", "top_k", "overlap")
SONG = ("lyrics", "language", "tempo", "key", "metre")
REPAINT = ("repaint_from", "repaint_to")


@dataclass(frozen=True)
class Family:
    """`fields` are those of the params that only some families have; `longest` is in seconds, `window` how far one pass reaches, `rate` in samples a second."""

    key: str
    title: str
    kind: Kind
    modes: tuple[str, ...]
    fields: tuple[str, ...]
    usual: float
    longest: float
    guidance: float
    steps: int = 0
    schedulers: tuple[str, ...] = ()
    rate: int = 0
    channels: int = 1
    window: float = 0.0
    config: tuple[tuple[str, Any], ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        return dict(self.config)


FAMILIES = {
    "MusicgenForConditionalGeneration": Family("musicgen", "MusicGen", "tokens", ("New", "Continue"), ("guidance", *TOKENS), 10, MOST_SECONDS, 3.0, window=30),
    "MusicgenMelodyForConditionalGeneration": Family("melody", "MusicGen Melody", "tokens", ("New", "Continue", "Melody"), ("guidance", *TOKENS), 10, MOST_SECONDS, 3.0, window=30),
    "StableAudioPipeline": Family(
        "stable_audio", "Stable Audio", "denoise", ("New", "From a sound"), ("guidance", "negative_prompt", "steps", "scheduler", "strength"), 30, 47, 7.0, 100, ("Automatic", "DPM++ 2M", "DPM++ 2M SDE")
    ),
    "AudioLDM2Pipeline": Family("audioldm2", "AudioLDM 2", "denoise", ("New",), ("guidance", "negative_prompt", "steps", "scheduler"), 10, 30, 3.5, 200, ("Automatic", "DPM++ 2M", "DDIM", "Euler")),
    "AceStepPipeline": Family("ace_step", "ACE-Step", "denoise", ("New", "Continue", "Timbre", "Repaint"), ("guidance", "steps", *SONG, *REPAINT), 60, MOST_SECONDS, 7.0, 30),
}  # fmt: skip
TURBO_STEPS = 8


def audio_model(key: str, catalog: Catalog) -> ModelEntry:
    """The chosen model, or the first of a family that is known. Raises ModelMissing, ModelBroken at the field "model"."""
    if key:
        entry = catalog.find(key)
        if entry.problem:
            raise ModelBroken(entry.problem, hint="Choose another model.", field="model")
        return entry
    found = next((entry for entry in catalog.entries("audio") if not entry.problem and entry.architecture in FAMILIES), None)
    if found is None:
        raise ModelMissing("There is no audio model yet.", hint="Get one in the Models tab: MusicGen small, say.", field="model")
    return found


def family_of(entry: ModelEntry) -> Family:
    """With what its config tells. Raises ModelBroken for a family that is not known and for a config that can't be read."""
    family = FAMILIES.get(entry.architecture)
    if family is None:
        raise ModelBroken(f"“{entry.title}” is of a family that is not played here ({entry.architecture or entry.kind}).", hint="Choose a MusicGen, Stable Audio, AudioLDM 2 or ACE-Step model.", field="model")
    try:
        return READERS[family.key](family, Path(entry.path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelBroken(f"The configuration of “{entry.title}” can't be read ({type(error).__name__}: {error}).", hint="Download it again.", field="model") from error


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is no object")
    return value


def _tokens(family: Family, folder: Path) -> Family:
    config = _json(folder / "config.json")
    codec, decoder = config["audio_encoder"], config["decoder"]
    ratios = codec.get("upsampling_ratios", [8, 5, 4, 4])
    told = {
        "hop": math.prod(ratios), "codebooks": int(decoder.get("num_codebooks", 4)), "layers": int(decoder.get("num_hidden_layers", 24)), "width": int(decoder.get("hidden_size", 1024)),
        "filters": int(codec.get("num_filters", 64)), "words": int(decoder.get("vocab_size", 2048)), "chroma": int(config.get("chroma_length", 0)),
    }  # fmt: skip
    return replace(family, rate=int(codec.get("sampling_rate", 32000)), channels=int(decoder.get("audio_channels", 1)), config=tuple(told.items()))


def _stable(family: Family, folder: Path) -> Family:
    codec, network = _json(folder / "vae" / "config.json"), _json(folder / "transformer" / "config.json")
    hop, rate, length = math.prod(codec["downsampling_ratios"]), int(codec["sampling_rate"]), int(network["sample_size"])
    longest = min(length * hop / rate, float(_json(folder / "projection_model" / "config.json")["max_value"]))
    told = {"hop": hop, "frames": length, "filters": int(codec.get("decoder_channels", 128)), "width": network["attention_head_dim"] * network["num_attention_heads"]}
    return replace(family, rate=rate, channels=int(codec.get("audio_channels", 2)), longest=longest, usual=min(family.usual, longest), config=tuple(told.items()))


def _ldm(family: Family, folder: Path) -> Family:
    vocoder, codec, network = (_json(folder / part / "config.json") for part in ("vocoder", "vae", "unet"))
    told = {
        "hop": math.prod(vocoder["upsample_rates"]),
        "filters": max(codec["block_out_channels"]),
        "width": max(network["block_out_channels"]),
        "mels": int(vocoder["model_in_dim"]),
    }
    return replace(family, rate=int(vocoder["sampling_rate"]), config=tuple(told.items()))


def _ace(family: Family, folder: Path) -> Family:
    codec, network = _json(folder / "vae" / "config.json"), _json(folder / "transformer" / "config.json")
    told = {"hop": math.prod(codec["downsampling_ratios"]), "filters": int(codec.get("decoder_channels", 128)), "width": int(network.get("hidden_size", 2048))}
    turbo = bool(network.get("is_turbo")) or network.get("model_version") == "turbo"
    known = replace(family, rate=int(codec["sampling_rate"]), channels=int(codec.get("audio_channels", 2)), config=tuple(told.items()))
    return replace(known, title="ACE-Step turbo", fields=tuple(name for name in family.fields if name != "guidance"), guidance=1.0, steps=TURBO_STEPS) if turbo else known


READERS = {"musicgen": _tokens, "melody": _tokens, "stable_audio": _stable, "audioldm2": _ldm, "ace_step": _ace}


def refused(family: Family, title: str, name: str) -> BadInput:
    """The sentence about a control that the family does not have."""
    return BadInput(f"{family.title} has no “{title}”.", hint="Put it back to its default, or choose another model.", field=name)
