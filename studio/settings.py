"""One Settings model: defaults < settings.toml < SEISEI_* environment < flags.

Fields marked restart=True apply at the next start, all others at once.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.params import bad_input

SECRET_FIELDS = ("auth", "remote_key", "share_server")


def setting(group: str, *, restart: bool = False, secret: bool = False, owner: bool = True) -> dict[str, Any]:
    return {"setting": {"group": group, "restart": restart, "secret": secret, "owner": owner}}


class Settings(BaseModel):
    """Every choice about the studio itself. Lists come from the environment separated by os.pathsep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(7860, ge=1, le=65535, title="Port", description="The port the page is served on; the next free one is taken if it is busy.", json_schema_extra=setting("Network", restart=True))
    listen: str = Field("127.0.0.1", title="Listen address", description="127.0.0.1 serves this computer only; 0.0.0.0 serves your network and asks for sign-in.", json_schema_extra=setting("Network", restart=True))
    share: bool = Field(False, title="Public link", description="Open a public Gradio link. Sign-in is always on with it.", json_schema_extra=setting("Network", restart=True))
    auth: str = Field("", title="Sign-in", description="user:password pairs, separated by commas. Empty: none on this computer, one is made up for a public link.", json_schema_extra=setting("Network", restart=True, secret=True))
    data_dir: str = Field("user_data", title="Data folder", description="Outputs, database, settings and downloaded models live here.", json_schema_extra=setting("Folders", restart=True))
    models_dir: list[str] = Field([], title="More model folders", description="Folders of other programs whose models are used in place.", json_schema_extra=setting("Folders"))
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", title="Device", description="Where models run.", json_schema_extra=setting("Models", restart=True))
    threads: int = Field(0, ge=0, le=256, title="CPU threads", description="Threads for a model on the CPU; 0 leaves one core free.", json_schema_extra=setting("Models", restart=True))
    memory_limit: float = Field(0, ge=0, le=4096, title="Memory limit (GB)", description="How much memory models may take; 0 means 70 % of what the device has.", json_schema_extra=setting("Models", restart=True))
    offline: bool = Field(False, title="Offline", description="Never use the network, not even for starter models.", json_schema_extra=setting("Network"))
    safe: bool = Field(False, title="Safe mode", description="Start without community extensions.", json_schema_extra=setting("Extensions", restart=True))
    browser: bool = Field(True, title="Open the browser", description="Open the page when the studio starts.", json_schema_extra=setting("Network", restart=True))
    lang: Literal["auto", "en", "ja"] = Field("auto", title="Language", description="The page's language; auto follows the browser.", json_schema_extra=setting("Look"))
    keep_loaded: bool = Field(True, title="Keep models loaded", description="Keep the last models in memory between jobs.", json_schema_extra=setting("Models"))
    hash_models: bool = Field(True, title="Hash models", description="Read each model file once in the background, so that pictures name the model that drew them and find it again under another name.", json_schema_extra=setting("Models"))
    queue_limit: int = Field(64, ge=1, le=10000, title="Queue length", description="How many jobs one person may have waiting.", json_schema_extra=setting("Models"))
    max_upload_mb: int = Field(512, ge=1, le=65536, title="Largest upload (MB)", description="Uploads above this are refused.", json_schema_extra=setting("Network", restart=True))
    visitor_storage: float = Field(5, ge=0, le=1_000_000, title="Storage per visitor (GB)", description="How much outputs and uploads of each visitor of a shared studio may take; the studio's owner is not limited. 0: no limit.", json_schema_extra=setting("Network"))
    remote_url: str = Field("", title="Remote server", description="Address of an OpenAI-compatible server whose models appear in the list, such as http://127.0.0.1:11434/v1.", json_schema_extra=setting("Remote models"))
    remote_key: str = Field("", title="Remote key", description="Its API key; kept out of logs and metadata.", json_schema_extra=setting("Remote models", secret=True))
    hub_token: str = Field("", title="Hub token", description="Your access token of the model hub, for models that ask for one.", json_schema_extra=setting("Models", secret=True))
    disabled_extensions: list[str] = Field(["watermark"], title="Switched-off extensions", description="Extensions that are not loaded.", json_schema_extra=setting("Extensions"))
    hook_seconds: float = Field(5, ge=0.5, le=600, title="Time for an extension (s)", description="A community extension that takes longer to change a text or a result is stopped.", json_schema_extra=setting("Extensions", restart=True))
    share_server: str = Field("", title="Share server", description="host:port of your own share server; empty uses Gradio's.", json_schema_extra=setting("Network", restart=True))

    @property
    def data(self) -> Path:
        return Path(self.data_dir).expanduser().resolve()

    @property
    def models_path(self) -> Path:
        return self.data / "models"

    @property
    def outputs_path(self) -> Path:
        return self.data / "outputs"

    @property
    def exposed(self) -> bool:
        """Whether anybody but this computer can reach the page."""
        return self.share or self.listen not in ("127.0.0.1", "localhost", "::1")


def load_settings(flags: dict[str, Any] | None = None, environ: dict[str, str] | None = None) -> tuple[Settings, list[str]]:
    """Settings and warnings. An unreadable settings.toml is kept aside as settings.broken-N.toml; the studio starts."""
    environ = dict(os.environ) if environ is None else environ
    given = _from_environment(environ) | {k: v for k, v in (flags or {}).items() if v is not None}
    folder = Path(given.get("data_dir", Settings.model_fields["data_dir"].default)).expanduser()
    stored, warnings = _read_file(folder / "settings.toml")
    stored.pop("data_dir", None)
    try:
        return Settings.model_validate(stored | given), warnings
    except ValidationError as error:
        raise bad_input(Settings, error) from error


def save_settings(settings: Settings, changes: dict[str, Any]) -> Settings:
    """Validate the changed settings, write only those that differ from the defaults (atomically), return them."""
    try:
        changed = Settings.model_validate(settings.model_dump() | changes)
    except ValidationError as error:
        raise bad_input(Settings, error) from error
    path = settings.data / "settings.toml"
    stored, _ = _read_file(path)
    stored |= {name: getattr(changed, name) for name in changes}
    stored = {k: v for k, v in stored.items() if v != Settings.model_fields[k].get_default()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".toml.part")
    part.write_text(tomli_w.dumps(stored), encoding="utf-8")
    part.chmod(0o600)
    part.replace(path)
    return changed


def _from_environment(environ: dict[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        raw = environ.get(f"SEISEI_{name.upper()}")
        if raw is None:
            continue
        found[name] = [part for part in raw.split(os.pathsep) if part] if field.annotation == list[str] else raw
    return found


def _read_file(path: Path) -> tuple[dict[str, Any], list[str]]:
    if not path.exists():
        return {}, []
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
        kept = {name: value for name, value in stored.items() if name in Settings.model_fields}
        Settings.model_validate(kept)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        aside = _aside(path)
        path.replace(aside)
        return {}, [f"settings.toml could not be read ({error}). It was kept as {aside.name}; the studio starts with defaults."]
    unknown = sorted(set(stored) - set(kept))
    return kept, [f"settings.toml has settings this version does not know: {', '.join(unknown)}."] if unknown else []


def _aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.broken-{number}{path.suffix}")).exists():
        number += 1
    return aside
