"""Every word of the page has its Japanese: labels, choices, hints, settings, parameters."""

from __future__ import annotations

import ast
import importlib
import json
import re
import string
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pipelines.simulation.experiments.compare import Compare
from pipelines.simulation.experiments.replicate import Replicate
from pipelines.simulation.experiments.sobol import Sobol
from pipelines.simulation.experiments.sweep import Sweep
from studio.i18n import Words, read_captions, read_catalogue
from studio.settings import Settings
from studio.simulation import Simulation, Simulations
from tests.sentences import sentences

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ("pipelines.text", "pipelines.image", "pipelines.music")
CALLS = {"w", "words", "say"}
NAMES = {"DDIM", "DPM++ 2M", "DPM++ 2M SDE", "Euler", "FLAC", "MP3", "OGG", "SRT", "SSML", "VTT", "WAV", "GIF", "MP4", "WebP", "ppm", "rad", "rad/s", "rad²/s"}  # the same in every language

EXPERIMENTS = (Compare, Replicate, Sobol, Sweep)
WORD = re.compile(r"[A-Za-z]{3}")  # units and signs are written the same in every language: m/s, °C, σ


def literals(path: Path) -> Iterator[str]:
    """First text argument of every w("…"), words("…") and say(lang, "…"), both arms of a choice included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in CALLS:
            for argument in node.args[:2]:
                yield from (item.value for item in ast.walk(argument) if isinstance(item, ast.Constant) and isinstance(item.value, str) and len(item.value) > 2)


def own_words(path: Path) -> set[str]:
    """What an extension translates itself, in its manifest."""
    manifest = path.parent / "extension.toml"
    return set(tomllib.loads(manifest.read_text(encoding="utf-8")).get("words", {}).get("ja", {})) if manifest.exists() else set()


def needed() -> set[str]:
    found: set[str] = set()
    for folder in ("tabs", "studio", "extensions"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found |= set(literals(path)) - own_words(path)
    for name, field in Settings.model_fields.items():
        extra: dict[str, dict[str, str]] = field.json_schema_extra  # type: ignore[assignment]
        found |= {field.title or name, field.description or name, extra["setting"]["group"]}
    simulation = importlib.import_module("pipelines.simulation")
    models = simulation.register_simulations()
    for pipeline in [pipeline for name in PIPELINES for pipeline in importlib.import_module(name).register_pipelines()] + simulation.register_pipelines(Simulations(models)):
        found.add(pipeline.title)
        for field in pipeline.Params.model_fields.values():
            found |= {field.title, field.description}
            if pipeline.id.startswith(("image.", "music.")):  # whose form makes folds of the groups
                found |= {(field.json_schema_extra or {}).get("ui", {}).get("group", "")} - {""}
            if get_origin(field.annotation) is Literal:
                found |= {choice for choice in get_args(field.annotation) if isinstance(choice, str) and choice}
    memory = importlib.import_module("pipelines.image.memory")
    found |= {*memory.HELD_WORDS.values(), memory.TILED_WORDS, memory.SLICED_WORDS, memory.SMALLER, memory.IN_TILES, memory.IN_FULL, memory.NO_UNITS} - {""}
    found.add(importlib.import_module("pipelines.image.annotate.prepare").NO_PERSON)
    reading = importlib.import_module("pipelines.image.prompt.view")
    found |= {importlib.import_module("pipelines.image.pictures").ON_WHITE, reading.ONE_TEXT, reading.UNPARTED}
    sizes, grid, tasks = (importlib.import_module(f"tabs.image_{name}") for name in ("advice", "grid", "tasks"))
    found |= {*importlib.import_module("pipelines.image.axes").AXES} - {""}
    found |= {*sizes.SHAPES, sizes.OWN_SHAPE, sizes.AS_PICTURE, *sizes.MEGAPIXELS, *importlib.import_module("tabs.image_form").GROUPS, importlib.import_module("tabs.image_form").STEPS_FOUND, importlib.import_module("pipelines.image.samplers").AUTOMATIC}
    axes = importlib.import_module("tabs.grid_axes")
    found |= {*grid.HINTS.values(), *grid.SEEDS.values(), grid.CELLS, grid.SHEET, axes.NUMBERS, axes.CHOICES, *importlib.import_module("tabs.image_cards").KINDS.values(), *importlib.import_module("tabs.image_actions").SCRIPTED}
    found |= {text for task in tasks.TASKS for text in (task.title, task.about)} | {importlib.import_module("tabs.job_follow").duration(seconds)[0] for seconds in (1, 1000, 9000)}
    listed = importlib.import_module("tabs.image_upscalers")
    found |= {*listed.NAMED.values(), *listed.FETCHED.values(), listed.OTHER, listed.CLEANS, importlib.import_module("pipelines.image.enlarge").IN_SMALLER_TILES}
    shown, mixes, lab = (importlib.import_module(f"tabs.image_{name}") for name in ("samples", "style_mix", "lab"))
    found |= {word for kind in ("photos", "paintings") for one in shown.samples(kind) for word in (one.title, one.by)} | {*mixes.METHODS} | {word for view in lab.VIEWS.values() for word in view if isinstance(word, str)}
    found |= {word for path in sorted((ROOT / "tabs").glob("image*.js")) for word in re.findall(r"say\('([^']+)'", path.read_text(encoding="utf-8"))} | {"Embedding", "Wildcard", "Style", "Turn the shape", "Favourite", "Draw nine", "Compare", "My styles", "Used before", "Paintings and pictures", "26 styles"}
    found |= set(re.findall(r"button\('([^']+)'", (ROOT / "tabs" / "image_painter.js").read_text(encoding="utf-8")))
    for name in ("tabs.text", "tabs.image", "tabs.music", "tabs.simulation", "tabs.gallery", "tabs.models", "tabs.extensions", "tabs.settings"):
        found |= {tab.title for tab in importlib.import_module(name).register_tabs(None)}
    found |= set(importlib.import_module("tabs.models").KINDS.values()) | set(importlib.import_module("tabs.extensions").STATES.values()) | set(importlib.import_module("tabs.extensions").CAPABILITIES.values())
    found |= set(importlib.import_module("tabs.text_chat").EXAMPLES)
    found |= set(importlib.import_module("tabs.models").COUNTED.values()) | set(importlib.import_module("tabs.text_presets").SHIPPED) | set(importlib.import_module("studio.shell").PAGE_WORDS)
    found |= {word for model in models for word in words_of(model)} | {title for _, title, _ in importlib.import_module("tabs.simulation").PAGES}
    found |= {word for path in sorted((ROOT / "tabs").glob("simulation*.js")) for word in re.findall(r"(?:say|button|iconed)\((?:'[a-z]+', )?'([^']+)'", path.read_text(encoding="utf-8"))}
    return {word for word in found - NAMES - {"en", "ja", "value", "html", "title"} if not word.isdigit()}


def captions() -> set[str]:
    """Words inside the pictures of simulations: what is said by caption(…), and fixed words of labels, axes and keys."""
    found: set[str] = set()
    for path in sorted((ROOT / "pipelines" / "simulation").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (getattr(node.func, "attr", "") or getattr(node.func, "id", "")) in {"caption", "written", "axes", "crowd", "named", "section"}:
                given = [*node.args, *(keyword.value for keyword in node.keywords)]
                leaves = [leaf for argument in given for leaf in (argument.elts if isinstance(argument, ast.Tuple) else [argument])]
                found |= {leaf.value for leaf in leaves if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)}
    return {word for word in found if WORD.search(word)} | {*importlib.import_module("pipelines.simulation.models.emergency").PLACES} | {kind.short for kind in EXPERIMENTS}


def words_of(model: Simulation) -> set[str]:
    """Of a simulation: all that its card, its form and its plot show."""
    found = {model.title, model.domain, model.about, model.time_unit}
    found |= {word for series in model.series for word in (series.title, series.unit)} | {word for preset in model.presets for word in (preset.name, preset.about)}
    for field in model.Params.model_fields.values():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        hints = extra.get("ui")
        found |= {field.title or "", field.description or "", str(hints.get("unit", "")) if isinstance(hints, dict) else ""}
        if get_origin(field.annotation) is Literal:
            found |= {choice for choice in get_args(field.annotation) if isinstance(choice, str)}
    return {word for word in found if WORD.search(word)}


def test_no_word_is_missing_in_japanese() -> None:
    missing = sorted(needed() - set(read_catalogue("ja")))
    assert not missing, f"{len(missing)} without Japanese: {json.dumps(missing, ensure_ascii=False, indent=0)}"


def test_no_word_of_a_picture_is_missing_in_japanese_or_left_over() -> None:
    needed, there = captions(), read_captions("ja")
    assert len(needed) > 50
    assert not (missing := needed - set(there) - set(read_catalogue("ja"))), f"without Japanese: {sorted(missing)}"
    assert not (spare := set(there) - needed), f"in no picture: {sorted(spare)}"


def test_placeholders_are_the_same() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name} if "{" in text and '"' not in text else set()

    wrong = {english: japanese for english, japanese in (read_catalogue("ja") | read_captions("ja")).items() if names(english) != names(japanese) or not japanese.strip()}
    assert not wrong, json.dumps(wrong, ensure_ascii=False, indent=0)


def test_unknown_words_stay_as_they_are() -> None:
    words = Words()
    assert words.say("ja", "no such sentence") == "no such sentence"
    assert words.say("en", "{n} pictures", n=3) == "3 pictures"
    assert words.say("ja", "Stop") == "停止"


def test_an_extension_can_bring_its_own_words() -> None:
    words = Words()
    words.add("ja", {"Hello there": "こんにちは"})
    assert words.say("ja", "Hello there") == "こんにちは"


def test_every_error_a_user_can_meet_has_its_japanese() -> None:
    known = set(read_catalogue("ja"))
    missing = {text: place for text, place in sentences().items() if text not in known and not place.startswith("extensions/")}
    assert not missing, f"{len(missing)} without Japanese: {json.dumps(missing, ensure_ascii=False, indent=0)}"


def test_a_choice_is_called_in_a_hint_as_it_is_called_in_its_list() -> None:
    """By one word, which is right at every field that has it: what weights do, and what stands under a mask."""
    words = read_catalogue("ja")
    assert f"「{words['Original']}」" in words["Set the emphasis to Original."]


def test_a_finished_sentence_is_said_with_its_values() -> None:
    words = Words()
    assert words.say("ja", "“a b.gguf” could not be fetched: the server answered 404.") == "「a b.gguf」を取得できませんでした。サーバーの応答は 404 です。"
    assert words.say("ja", "Temperature is empty.") == f"{words.say('ja', 'Temperature')} が空です。"
    assert words.say("ja", "The disk is full: the result could not be saved. Free some space, then generate again.").endswith("もう一度生成してください。")
    assert words.say("en", "“a” is already here.") == "“a” is already here."


def test_matching_a_hostile_sentence_is_quick() -> None:
    words = Words()
    started = time.process_time()
    for _ in range(5):
        words.say("ja", "“" * 1990)
    assert time.process_time() - started < 2.0


def test_the_api_answers_errors_in_the_asker_s_language() -> None:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from studio.api import DownloadFailed, Route
    from studio.rest import mount

    def fail(request: object) -> None:
        raise DownloadFailed("“a b.gguf” could not be fetched: the server answered 404.", hint="Check the address.")

    client = TestClient(Starlette(routes=[mount(Route("/x", ["GET"], fail), Words())]))
    assert client.get("/x", headers={"accept-language": "en"}).json()["error"]["hint"] == "Check the address."
    told = client.get("/x", headers={"accept-language": "ja,en;q=0.5"}).json()["error"]
    assert told["message"].startswith("「a b.gguf」を") and told["hint"] == "アドレスを確かめてください。" and told["code"] == "download_failed"
