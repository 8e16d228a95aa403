"""What this studio has, by the names that AUTOMATIC1111's clients use: checkpoints, VAEs, samplers, upscalers, styles, and the caller's options."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, get_args

from studio.api import BadInput, ModelEntry, Studio, StudioError

from .asking import number, yes

GENERATE, UPSCALE, GRID, ANNOTATE = "image.generate", "image.upscale", "image.grid", "image.annotate"
REMEMBERED = "a1111_api:options"
PLAIN = "Lanczos"
# Options that can be changed, each caller's own; the checkpoint's "" is the studio's first
CHANGEABLE: dict[str, Any] = {"sd_model_checkpoint": "", "sd_vae": "Automatic", "CLIP_stop_at_last_layers": 1, "return_grid": False}
# Options that are fields of the image pipeline: its field, and what stands in it unless one is chosen
OF_PIPELINE: dict[str, tuple[str, Any]] = {
    "randn_source": ("noise_source", "CPU"), "eta_noise_seed_delta": ("eta_seed_delta", 0), "always_discard_next_to_last_sigma": ("discard_next_to_last_sigma", False), "emphasis": ("emphasis", "Original"),
}  # fmt: skip
# Options that SD.Next has for FreeU, with its own values
FREEU = {"freeu_b1": 1.2, "freeu_b2": 1.4, "freeu_s1": 0.9, "freeu_s2": 0.2}
# Options that say how this studio is
FIXED: dict[str, Any] = {
    "samples_format": "png", "enable_pnginfo": True, "face_restoration_model": None, "live_previews_enable": True,
    "sd_lora": "None", "sd_hypernetwork": "None", "img2img_color_correction": False, "initial_noise_multiplier": 1.0, "s_churn": 0.0, "s_noise": 1.0,
}  # fmt: skip
HASHED = re.compile(r"^(.*?)\s*\[([0-9a-f]{6,64})\]$", re.IGNORECASE)
SUFFIX = re.compile(r"\.(safetensors|ckpt|pth|pt|gguf)$", re.IGNORECASE)
SAME = ("", "none", "automatic")
SAME_FILES = {"r-esrgan 4x+": "realesrgan_x4plus", "r-esrgan 4x+ anime6b": "realesrgan_x4plus_anime_6b"}


@dataclass(frozen=True)
class Here:
    """`advised(key)` is the sampler that suits a model, `distilled(key)` whether it was taught its guidance; `settings_in(text)` are the values inside a picture's text. All are the image pipeline's own.

    `small(key)` is the side that a model draws and what sides must be a multiple of, where its pictures are enlarged as a rule, else 0s.
    """

    samplers: tuple[str, ...]
    upscalers: tuple[str, ...]
    models: list[ModelEntry]
    vaes: list[ModelEntry]
    styles: dict[str, dict[str, str]]
    advised: Callable[[str], str]
    settings_in: Callable[[str], dict[str, Any]]
    options: dict[str, Any] = field(default_factory=lambda: dict(CHANGEABLE))
    fields: frozenset[str] = frozenset()  # of the image pipeline
    grid_fields: frozenset[str] = frozenset()  # of the one that draws grids, if there is one
    processes: tuple[str, ...] = ()  # how a control picture can be prepared
    controls: list[ModelEntry] = field(default_factory=list)
    references: list[ModelEntry] = field(default_factory=list)
    distilled: Callable[[str], bool] = lambda key: False
    small: Callable[[str], tuple[int, int]] = lambda key: (0, 0)

    def checkpoint(self, name: str) -> str:
        """The model's key for a title, a file's name or a hash; "" for "". Raises BadInput."""
        if not name:
            return ""
        entry = find(name, self.models)
        if entry is None:
            raise BadInput(f"The model “{name}” is not on this computer.", hint="Choose another model, or add one in the Models tab.", field="model")
        return entry.key

    def vae(self, name: str) -> str:
        """Its key; "" leaves the model's own. Raises BadInput."""
        if name.lower() in SAME:
            return ""
        entry = find(name, self.vaes)
        if entry is None:
            raise BadInput(f"The VAE “{name}” is not on this computer.", hint="Choose another, or Automatic.", field="vae")
        return entry.key

    def sampling(self, sampler: str, schedule: str, model: str) -> tuple[str, str]:
        """Models that foretell a flow have samplers of their own here; others know both kinds by one name."""
        if self.advised(model).startswith("Flow "):
            sampler = next((name for name in self.samplers if name.lower() == f"flow {sampler}".lower()), sampler)
            schedule = "Automatic" if schedule.lower() == "simple" else schedule
        return sampler, schedule

    def upscaler(self, name: str) -> str:
        """Latent and plain resizing are Lanczos; the original's names of Real-ESRGAN's networks are those files where they are here, any other ESRGAN is the one that comes along. Raises BadInput."""
        known = {own.lower(): own for own in self.upscalers}
        lower = name.lower()
        lower = SAME_FILES.get(lower, lower) if SAME_FILES.get(lower) in known else SUFFIX.sub("", lower)
        if lower in known:
            return known[lower]
        if lower in ("", "none", "nearest") or lower.startswith("latent"):
            return PLAIN
        if "esrgan" in lower and "real-esrgan" in known:
            return known["real-esrgan"]
        raise BadInput(f"There is no upscaler “{name}”.", hint=f"Use one of: {', '.join(self.upscalers)}.", field="upscaler")

    def read(self, text: str) -> dict[str, Any]:
        """The settings in a picture's text; {} where there are none."""
        try:
            return self.settings_in(text) if text else {}
        except BadInput:
            return {}


def look(studio: Studio, owner: str) -> Here:
    """For this caller: options and styles are one's own."""
    generate, catalog = studio.pipelines[GENERATE], studio.catalog

    def told(key: str, part: str) -> dict[str, Any]:
        return dict(generate.need(generate.Params(model=key), catalog).facts.get(part, {}))  # type: ignore[call-arg]

    def advised(key: str) -> str:
        return str(told(key, "advice").get("sampler", ""))

    def distilled(key: str) -> bool:
        return told(key, "traits").get("negative") is False

    def small(key: str) -> tuple[int, int]:
        about = told(key, "advice")
        return (int(about["width"]), int(about["unit"])) if about.get("upscale", 1) > 1 else (0, 0)

    def settings_in(text: str) -> dict[str, Any]:
        return dict(generate.read_parameters(text, catalog)) if hasattr(generate, "read_parameters") else {}

    return Here(
        samplers=choices(studio, GENERATE, "sampler"), upscalers=upscalers(studio),
        models=usable(studio, "image"), vaes=usable(studio, "vae"), styles={style.title: style.body for style in studio.store.documents("style", owner=owner, limit=100_000)},
        options=options(studio, owner), fields=frozenset(generate.Params.model_fields), grid_fields=frozenset(studio.pipelines[GRID].Params.model_fields) if GRID in studio.pipelines else frozenset(),
        processes=choices(studio, GENERATE, "control_process") if "control_process" in generate.Params.model_fields else (), controls=usable(studio, "controlnet"), references=usable(studio, "ip_adapter"),
        advised=advised, settings_in=settings_in, distilled=distilled, small=small,
    )  # fmt: skip


def choices(studio: Studio, pipeline: str, name: str) -> tuple[str, ...]:
    """What a field offers: the names in its hints, else those of its type."""
    about = studio.pipelines[pipeline].Params.model_fields[name]
    hints = about.json_schema_extra if isinstance(about.json_schema_extra, dict) else {}
    shown: Any = hints.get("ui", {})
    return tuple(shown.get("choices", ()) or get_args(about.annotation))


def upscalers(studio: Studio) -> tuple[str, ...]:
    """By the names that are given back: what the pipeline always has, then the files by their titles."""
    return tuple(dict.fromkeys((*choices(studio, UPSCALE, "upscaler"), *networks(studio))))


def networks(studio: Studio) -> dict[str, ModelEntry]:
    """The upscalers that are files, by their titles."""
    return titles(usable(studio, "upscaler"))


def scale_of(entry: ModelEntry | None) -> int:
    """By how much a network enlarges by itself; plain resizing does what it is asked."""
    return int(entry.details.get("scale", 0)) or 4 if entry else 4


def usable(studio: Studio, kind: str) -> list[ModelEntry]:
    """One's own before those that come with the studio, as the page offers them."""
    found = [entry for entry in studio.catalog.entries(kind) if not entry.problem]
    return sorted(found, key=lambda entry: entry.source == "built-in")


def titles(entries: list[ModelEntry]) -> dict[str, ModelEntry]:
    """Each by its title, or by its key where another has the same title."""
    counted = [entry.title for entry in entries]
    return {entry.title if counted.count(entry.title) == 1 else entry.key: entry for entry in entries}


def find(name: str, entries: list[ModelEntry]) -> ModelEntry | None:
    """By title first, then by key, file name or hash: “name.safetensors [0a1b2c3d4e]” is how the original writes them."""
    hashed = HASHED.match(name)
    plain, digest = hashed.groups() if hashed else (name, "")
    wanted = SUFFIX.sub("", plain.strip()).lower()
    for title, entry in titles(entries).items():
        if title.lower() in (wanted, name.lower()):
            return entry
    for entry in entries:
        if wanted in {entry.key.lower(), entry.key.rpartition("/")[2].lower(), SUFFIX.sub("", PurePath(entry.path).name).lower(), entry.title.lower()}:
            return entry
    digest = digest.lower() or (wanted if re.fullmatch(r"[0-9a-f]{8,64}", wanted) else "")
    return next((entry for entry in entries if digest and sha256(entry).startswith(digest)), None)


def sha256(entry: ModelEntry) -> str:
    return str(entry.details.get("sha256", ""))


def options(studio: Studio, owner: str) -> dict[str, Any]:
    """The caller's own. A checkpoint that was taken off the disk since is forgotten."""
    own = {name: value for name, (ours, value) in OF_PIPELINE.items() if ours in studio.pipelines[GENERATE].Params.model_fields}
    own |= {"freeu_enabled": False, **FREEU} if FREEU.keys() <= studio.pipelines[GENERATE].Params.model_fields.keys() else {}
    kept = CHANGEABLE | own | (studio.store.recall(owner, REMEMBERED, {}) or {})
    if kept["sd_model_checkpoint"] and find(kept["sd_model_checkpoint"], usable(studio, "image")) is None:
        kept["sd_model_checkpoint"] = ""
    return dict(kept)


def set_options(studio: Studio, owner: str, changes: dict[str, Any]) -> None:
    """Known ones are checked and kept, others passed over. Raises BadInput; nothing is changed then."""
    here = look(studio, owner)
    kept = {name: value for name, value in changes.items() if name in CHANGEABLE}
    kept |= {name: checked(studio, name, value) for name, value in changes.items() if name in OF_PIPELINE and OF_PIPELINE[name][0] in here.fields}
    if "sd_model_checkpoint" in kept:
        key = here.checkpoint(str(kept["sd_model_checkpoint"] or ""))
        kept["sd_model_checkpoint"] = next((title for title, entry in titles(here.models).items() if entry.key == key), "")
    if "sd_vae" in kept:
        here.vae(str(kept["sd_vae"] or ""))
        kept["sd_vae"] = str(kept["sd_vae"] or "Automatic")
    if "CLIP_stop_at_last_layers" in kept:
        kept["CLIP_stop_at_last_layers"] = clip_skip(kept["CLIP_stop_at_last_layers"])
    if FREEU.keys() <= here.fields:
        scales = {name: number(changes, name) for name in FREEU if name in changes}
        studio.pipelines[GENERATE].Params.parse(scales)
        kept |= scales | ({"freeu_enabled": yes(changes, "freeu_enabled")} if "freeu_enabled" in changes else {})
    if "return_grid" in kept:
        kept["return_grid"] = kept["return_grid"] is True
    if kept:
        studio.store.remember(owner, REMEMBERED, (studio.store.recall(owner, REMEMBERED, {}) or {}) | kept)


def checked(studio: Studio, name: str, value: Any) -> Any:
    """As it can be kept. Raises BadInput."""
    ours = OF_PIPELINE[name][0]
    studio.pipelines[GENERATE].Params.parse({ours: pipeline_value(name, value)})
    return value


def pipeline_value(name: str, value: Any) -> Any:
    """Noise "of the GPU" is what an NVIDIA one draws."""
    return "NV" if name == "randn_source" and value == "GPU" else value


def first(studio: Studio) -> str:
    """The key of the model that is taken where none is chosen; "" where there is none."""
    pipeline: Any = studio.pipelines[GENERATE]
    try:
        return str(pipeline.settle(pipeline.Params.parse({"prompt": "#"}), studio.jobs.desk).model)
    except StudioError:
        return ""


def clip_skip(value: Any) -> int:
    """Raises BadInput."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 1 <= value <= 12 or value != int(value):
        raise BadInput("CLIP_stop_at_last_layers is a whole number from 1 to 12.", field="clip_skip")
    return int(value)
