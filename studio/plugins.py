"""Loading built-ins and extensions, and calling their hooks: isolated, timed, attributed.

Three verbs: collect, chain, notify. Three failures of one extension switch it off until it is switched on again.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
import time
import tomllib
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pluggy
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio.errors import ExtensionFailed, NotFound, StudioError
from studio.hooks import CHAIN, HOOK_API, PLAIN, PROJECT, HookSpecs

STRIKES = 3
KEEP_ERRORS = 10


class HookError(Exception):
    """A call into another process failed; the message says how."""


class Caller(Protocol):
    """A process that runs one extension's hooks."""

    def call(self, hook: str, args: dict[str, Any]) -> Any:
        """Raises HookError, and StudioErrors of the extension."""
        ...

    def close(self) -> None: ...


class Manifest(BaseModel):
    """extension.toml. `words` are its translations: [words.ja] with lines “"English" = "日本語"”."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,40}$", title="Name")
    version: str = Field(title="Version")
    title: str = Field("", title="Title")
    description: str = Field("", title="Description")
    hook_api: int = Field(title="Hook API")
    module: str = Field("extension", title="Module", pattern=r"^[a-z][a-z0-9_]*$")
    requires: list[str] = Field([], title="Requirements")
    capabilities: list[str] = Field([], title="Capabilities")
    homepage: str = Field("", title="Homepage")
    license: str = Field("", title="Licence")
    words: dict[str, dict[str, str]] = Field({}, title="Words")


@dataclass
class ExtensionInfo:
    """What the Extensions tab shows of one extension. state: on, off, struck, broken."""

    name: str
    title: str
    version: str
    description: str
    folder: str
    bundled: bool
    state: str
    capabilities: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    calls: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    strikes: int = 0
    license: str = ""
    homepage: str = ""
    words: dict[str, dict[str, str]] = field(default_factory=dict)


def read_manifest(folder: Path) -> Manifest:
    """Raises ExtensionFailed with what is wrong with extension.toml."""
    try:
        return Manifest.model_validate(tomllib.loads((folder / "extension.toml").read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise ExtensionFailed(f"{folder.name} has no extension.toml.", hint="Add one: docs/extensions.md shows how.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExtensionFailed(f"extension.toml of {folder.name} can't be read: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ExtensionFailed(f"extension.toml of {folder.name}: {name}: {first['msg']}.") from error


class Hooks:
    """The registered implementations. Thread-safe for calls; loading happens before the page opens.

    `when_struck(info)` is told when an extension is switched off after its third error.
    `own_process(name, folder)` gives the process in which a community extension's transforms and observers run; without it all run here.
    """

    def __init__(self, own_process: Callable[[str, Path], Caller] | None = None) -> None:
        self.when_struck: Callable[[ExtensionInfo], None] = lambda info: None
        self._own_process = own_process
        self._processes: dict[str, Caller] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(HookSpecs)
        self._known: dict[str, ExtensionInfo] = {}
        self._plugins: dict[str, Any] = {}
        self._lock = threading.Lock()

    def load_builtin(self, module: str) -> None:
        """A built-in's failure is a bug: it is raised."""
        self._register(module, importlib.import_module(module))

    def load_extensions(self, folders: list[tuple[Path, bool]], disabled: list[str], safe: bool) -> None:
        """Load each folder's extensions; a broken one is listed with its error and the studio starts."""
        for root, bundled in folders:
            if not root.is_dir():
                continue
            for folder in sorted(path for path in root.iterdir() if (path / "extension.toml").exists()):
                self._load(folder, bundled, disabled, safe)

    def collect(self, name: str, **args: Any) -> list[Any]:
        """All implementations' lists, flattened; a failing one is recorded and left out."""
        return [item for _, item in self.collect_by(name, **args)]

    def collect_by(self, name: str, **args: Any) -> list[tuple[str, Any]]:
        """The same, each item with the name of who gave it."""
        found: list[tuple[str, Any]] = []
        for plugin, call in self._calls(name):
            try:
                answer = self._timed(plugin, name, call, args)
            except Exception as error:  # an extension's bug must not take the host down
                self._strike(plugin, name, error)
                continue
            found.extend((plugin, item) for item in answer or [])
        return found

    def chain(self, name: str, value_name: str, value: Any, accept: Callable[[Any], object] = lambda value: None, **args: Any) -> Any:
        """Pass the value through all; a failing transform fails the job and names its extension, as does one of which `accept` raises a StudioError."""
        assert name in CHAIN, name
        for plugin, call in self._calls(name):
            try:
                changed = self._timed(plugin, name, call, args | {value_name: value})
                if type(changed) is not type(value):
                    raise TypeError(f"it returned {type(changed).__name__} instead of {type(value).__name__}")
            except StudioError:
                raise
            except Exception as error:
                self._strike(plugin, name, error)
                raise ExtensionFailed(
                    f"The extension “{plugin}” failed in {name}: {reason(error)}.",
                    hint="Switch it off in ⚙ Extensions, or try again.",
                    traceback=traceback.format_exc(),
                ) from error
            value = _accepted(plugin, changed, accept)
        return value

    def notify(self, name: str, **args: Any) -> None:
        """Tell all; failures are recorded only."""
        for plugin, call in self._calls(name):
            try:
                self._timed(plugin, name, call, args)
            except Exception as error:
                self._strike(plugin, name, error)

    def implementers(self, name: str) -> list[str]:
        return [plugin for plugin, _ in self._calls(name)]

    def extensions(self) -> list[ExtensionInfo]:
        with self._lock:
            return list(self._known.values())

    def extension(self, name: str) -> ExtensionInfo:
        with self._lock:
            if name not in self._known:
                raise NotFound(f"There is no extension “{name}”.")
            return self._known[name]

    def switch(self, name: str, on: bool) -> ExtensionInfo:
        """At once for hooks; tabs and routes follow at the next start."""
        info = self.extension(name)
        if not on:
            info.state = "off"
        elif name in self._plugins:
            info.state, info.strikes = "on", 0
        else:
            self._load(Path(info.folder), info.bundled, [], safe=False)
        return self.extension(name)

    def load_folder(self, folder: Path) -> None:
        """One extension alone, in its own process. Raises whatever its module raises."""
        self._register(folder.name, _import_folder(folder, read_manifest(folder).module))

    def call(self, plugin: str, name: str, args: dict[str, Any]) -> Any:
        """One extension's implementation, called directly."""
        call = next(call for found, call in self._calls(name) if found == plugin)
        return call.function(*[args[argument] for argument in call.argnames])

    def close(self) -> None:
        """End the extensions' processes."""
        with self._lock:
            processes = list(self._processes.values())
            self._processes.clear()
        for process in processes:
            process.close()

    def forget(self, name: str) -> None:
        """After an extension's folder was removed."""
        with self._lock:
            self._known.pop(name, None)
            plugin = self._plugins.pop(name, None)
            process = self._processes.pop(name, None)
        if process:
            process.close()
        if plugin is not None:
            self._manager.unregister(plugin)

    def _load(self, folder: Path, bundled: bool, disabled: list[str], safe: bool) -> None:
        info = ExtensionInfo(folder.name, folder.name, "", "", str(folder), bundled, "off")
        with self._lock:
            self._known[folder.name] = info
        try:
            manifest = read_manifest(folder)
            info.title, info.version, info.description = manifest.title or manifest.name, manifest.version, manifest.description
            info.capabilities, info.requires = manifest.capabilities, manifest.requires
            info.license, info.homepage, info.words = manifest.license, manifest.homepage, manifest.words
            if manifest.name != folder.name:
                raise ExtensionFailed(f"The folder {folder.name} holds the extension “{manifest.name}”.", hint="Rename the folder to match.")
            if manifest.hook_api != HOOK_API:
                raise ExtensionFailed(f"“{info.title}” is made for hook API {manifest.hook_api}; this studio has {HOOK_API}.", hint="Look for a newer version of it.")
            if folder.name in disabled or (safe and not bundled):
                return
            self._register(folder.name, _import_folder(folder, manifest.module))
            info.state = "on"
        except Exception as error:  # anything may stand in a community module
            info.state = "broken"
            info.errors.append(error.message if isinstance(error, StudioError) else traceback.format_exc(limit=-3))

    def _register(self, name: str, plugin: ModuleType) -> None:
        self._manager.register(plugin, name)
        self._manager.check_pending()
        self._plugins[name] = plugin

    def _calls(self, name: str) -> list[tuple[str, pluggy.HookImpl]]:
        calls = [(call.plugin_name, call) for call in getattr(self._manager.hook, name).get_hookimpls()]
        return [(plugin, call) for plugin, call in calls if plugin not in self._known or self._known[plugin].state == "on"]

    def _timed(self, plugin: str, name: str, call: pluggy.HookImpl, args: dict[str, Any]) -> Any:
        wanted = {argument: args[argument] for argument in call.argnames}
        process = self._process_of(plugin, name)
        started = time.perf_counter()
        try:
            return process.call(name, wanted) if process else call.function(*wanted.values())
        finally:
            if info := self._known.get(plugin):
                info.seconds[name] = info.seconds.get(name, 0.0) + time.perf_counter() - started
                info.calls[name] = info.calls.get(name, 0) + 1

    def _process_of(self, plugin: str, name: str) -> Caller | None:
        """Where a community extension's transforms and observers run; None for what runs here."""
        info = self._known.get(plugin)
        if info is None or info.bundled or name not in PLAIN or self._own_process is None:
            return None
        with self._lock:
            if plugin not in self._processes:
                self._processes[plugin] = self._own_process(plugin, Path(info.folder))
            return self._processes[plugin]

    def _strike(self, plugin: str, name: str, error: Exception) -> None:
        info = self._known.get(plugin)
        if info is None:
            raise error  # a built-in's failure is a bug
        info.errors = [*info.errors, f"{name}: {reason(error)}"][-KEEP_ERRORS:]
        info.strikes += 1
        if info.strikes >= STRIKES and info.state == "on":
            info.state = "struck"
            self.when_struck(info)


def reason(error: Exception) -> str:
    """Why a call failed: a HookError is a sentence already, an exception is named."""
    return str(error) if isinstance(error, HookError) else f"{type(error).__name__}: {error}"


def _accepted(plugin: str, value: Any, accept: Callable[[Any], object]) -> Any:
    try:
        accept(value)
    except StudioError as error:
        raise ExtensionFailed(f"What the extension “{plugin}” made of the text can't be used: {error.message}", hint="Switch it off in ⚙ Extensions, or try again.") from error
    return value


def _import_folder(folder: Path, module: str) -> ModuleType:
    """Import <folder>/<module>.py as seisei_extensions.<folder>, its own package so that its files can import each other."""
    package = f"seisei_extensions.{folder.name}"
    if "seisei_extensions" not in sys.modules:
        sys.modules["seisei_extensions"] = ModuleType("seisei_extensions")
        sys.modules["seisei_extensions"].__path__ = []
    holder = ModuleType(package)
    holder.__path__ = [str(folder)]
    sys.modules[package] = holder
    return importlib.import_module(f"{package}.{module}")
