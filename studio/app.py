"""The composition root: builds Studio, builds the page, serves. The only place that knows the built-ins' names."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import sys
import threading
import webbrowser
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

from studio.catalog import Catalog
from studio.downloads import Downloads
from studio.errors import StudioError
from studio.executor import Executor, PoolExecutor, ProcessExecutor
from studio.extension_process import ExtensionProcess
from studio.gate import Accounts, Gate, Sessions, read_accounts
from studio.hashes import HashBook, Hasher
from studio.host import Route, Studio, Tab
from studio.i18n import Words
from studio.jobs import JobQueue
from studio.memory.devices import budget_bytes, find_device, process_count, thread_count
from studio.net import free_port
from studio.packed import Packed
from studio.pipeline import Pipeline
from studio.plugins import Hooks
from studio.provision import Provision
from studio.rest import Api, mount
from studio.settings import Settings
from studio.simulation import Simulations
from studio.store import Store
from studio.uploads import SWEEP_SECONDS, UploadDoor, built_with, sweep

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ("pipelines.text", "pipelines.image", "pipelines.music", "pipelines.simulation")
TABS = ("tabs.text", "tabs.image", "tabs.music", "tabs.simulation", "tabs.gallery", "tabs.models", "tabs.extensions", "tabs.settings")
LIVE_VIEWS = 4  # at once; each has a process of its own
HEAVY = ("torch", "transformers", "diffusers", "accelerate", "peft")


class TorchGuard(MetaPathFinder):
    """Refuses heavy imports in the UI process and names the importer: they belong in the worker."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] in HEAVY:
            frame = sys._getframe(1)
            while frame.f_back and "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            raise ImportError(f"{name} was imported in the page's process by {frame.f_code.co_filename}; import it inside the worker's functions.")


def extension_folders(settings: Settings) -> list[tuple[Path, bool]]:
    return [(ROOT / "extensions", True), (settings.data / "extensions", False)]


def present(names: tuple[str, ...]) -> list[str]:
    """Built-in packages that are there: a deleted folder takes its tab away, not the studio down."""
    return [name for name in names if importlib.util.find_spec(name)]


def build_studio(settings: Settings, warnings: list[str]) -> Studio:
    """Everything but the page. Raises DataFolderInUse."""
    store = Store(settings.data)
    hooks = Hooks(lambda name, folder: ExtensionProcess(name, folder, seconds=settings.hook_seconds))
    for name in [*present(PIPELINES), *present(TABS)]:
        hooks.load_builtin(name)
    hooks.load_extensions(extension_folders(settings), settings.disabled_extensions, settings.safe)
    roots = [settings.models_path, *(Path(folder) for folder in settings.models_dir)]
    settings.models_path.mkdir(parents=True, exist_ok=True)
    current = [settings]  # the newest settings: a changed remote server is asked at the next look
    book = HashBook(settings.data / "hashes.json")
    catalog = Catalog(roots, extra=lambda: hooks.collect("register_models", settings=current[0]), known=book.of)
    hasher = Hasher(book, catalog.entries, wanted=lambda: current[0].hash_models)
    catalog.when_read = hasher.wake
    simulations = Simulations(hooks.collect("register_simulations"))
    pipelines: dict[str, Pipeline] = {item.id: item for item in hooks.collect("register_pipelines", simulations=simulations)}
    device = find_device(settings.device)

    def budget(chosen: Settings) -> int:
        current[0] = chosen
        return budget_bytes(device, chosen.memory_limit)

    spool = settings.data / "spool"
    config = {
        "builtins": present(PIPELINES), "roots": [str(root) for root in roots], "device": device.kind, "threads": thread_count(settings.threads), "processes": process_count(settings.threads),
        "budget": budget(settings), "spool": str(spool), "inputs": str(settings.data / "inputs"), "hashes": str(book.path), "extensions": [(str(path), bundled) for path, bundled in extension_folders(settings)],
        "disabled": settings.disabled_extensions, "safe": settings.safe, "keep_loaded": settings.keep_loaded,
    }  # fmt: skip
    executors: dict[str, Executor] = {"device": ProcessExecutor(dict(config)), "cpu": ProcessExecutor(config | {"device": "cpu"}), "live": PoolExecutor(config | {"device": "cpu", "threads": 1}, slots=LIVE_VIEWS)}
    jobs = JobQueue(
        pipelines=pipelines, executors=executors, store=store, hooks=hooks, catalog=catalog, settings=settings, spool=spool, budget=budget
    )  # fmt: skip
    downloads = Downloads(lambda: current[0], catalog.refresh)
    words = Words()
    for info in hooks.extensions():
        for lang, table in info.words.items():
            words.add(lang, table)
    studio = Studio(settings, hooks, pipelines, catalog, jobs, store, words, downloads, [*warnings, *store.warnings], hasher=hasher, simulations=simulations)
    hooks.when_struck = studio.extension_struck
    return studio


def build(studio: Studio, provision: Provision, accounts: Accounts) -> tuple[Any, dict[str, Any]]:
    """The page, and what its web application gets besides: the gate before everything, the routes of the API and of extensions."""
    from starlette.middleware import Middleware

    from studio import shell

    settings = studio.settings
    api = Api(studio, provision.steps, provision.retry)
    routes: list[Route] = [*api.routes(), *studio.hooks.collect("register_routes", studio=studio)]
    tabs: list[Tab] = sorted(studio.hooks.collect("register_tabs", studio=studio), key=lambda tab: tab.order)
    page = shell.build_page(studio, tabs)
    page.queue(default_concurrency_limit=None, max_size=None, api_open=False)
    gate = Middleware(Gate, accounts=accounts, sessions=Sessions(settings.data), exposed=settings.exposed)
    door = Middleware(UploadDoor, storage=studio.jobs.storage, words=studio.words)
    return page, {"middleware": [gate, door, Middleware(Packed)], "routes": [mount(route, studio.words) for route in routes]}


def serve(studio: Studio, provision: Provision, accounts: Accounts, port: int) -> Any:
    """Build the page and launch it; returns the Blocks once it answers."""
    from studio import theme

    settings = studio.settings
    page, options = build(studio, provision, accounts)
    page.launch(
        server_name=settings.listen, server_port=port, share=settings.share, share_server_address=settings.share_server or None,
        prevent_thread_lock=True, quiet=True, inbrowser=False, show_error=True, max_threads=200, enable_monitoring=False,
        max_file_size=f"{settings.max_upload_mb}mb", theme=theme.theme(), css=theme.css(), head=theme.head(),
        footer_links=[], app_kwargs=options,
        _frontend=False,  # or launch ends with an error where a busy machine needs more than 3 s to draw the page for Gradio's own look at it
    )  # fmt: skip
    return page


def main(settings: Settings, warnings: list[str]) -> int:
    """Run the studio until Ctrl-C; 0 after a clean end, 1 with a sentence where it can't start."""
    os.environ.update(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    uploads = settings.data / "uploads"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)  # of its own: nobody else's files lie there
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    sys.meta_path.insert(0, TorchGuard())
    try:
        studio = build_studio(settings, warnings)
        port, note = free_port(settings.listen, settings.port)
    except StudioError as error:
        print(f"{error.message}\n{error.hint}", file=sys.stderr)
        return 1
    sweep(uploads)
    if note:
        studio.notices.append(note)
    provision = Provision(settings, on_ready=studio.catalog.refresh)
    accounts = read_accounts(settings.auth, exposed=settings.exposed)
    studio.jobs.start()
    page = serve(studio, provision, accounts, port)
    url = f"http://{'127.0.0.1' if settings.listen in ('0.0.0.0', '::') else settings.listen}:{port}"
    announce(studio, page, accounts, url)
    provision.start()
    if studio.hasher:
        studio.hasher.start()
    studio.hooks.notify("startup", studio=studio)
    if settings.browser:
        webbrowser.open(url)
    stopped = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopped.set())
    while not stopped.wait(SWEEP_SECONDS):
        sweep(uploads, built_with(page))
    studio.hooks.notify("shutdown", studio=studio)
    page.close(verbose=False)
    studio.downloads.close()
    if studio.hasher:
        studio.hasher.close()
    studio.jobs.close()
    studio.hooks.close()
    studio.store.close()
    return 0


def announce(studio: Studio, page: Any, accounts: Accounts, url: str) -> None:
    """What the person at the terminal needs: the address, the public link or why there is none, the sign-in."""
    print(f"Seisei Studio is open at {url}", flush=True)
    if studio.settings.listen in ("0.0.0.0", "::"):
        studio.shared["network"] = f"http://{socket.gethostname()}:{url.rpartition(':')[2]}"
    if studio.settings.share:
        link = getattr(page, "share_url", None)
        sentence = f"Public link: {link}" if link else "No public link could be had (no tunnel reached); the studio runs on here."
        print(sentence, flush=True)
        if link:
            studio.shared["link"] = str(link)
        else:
            studio.notices.append(sentence)
    if accounts.made_up:
        for user, password in accounts.users.items():
            print(f"Sign in as  {user}  with password  {password}", flush=True)
    for notice in studio.notices:
        print(notice, flush=True)
