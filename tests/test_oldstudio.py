"""Another studio's folder is read whole, changed nowhere, and brought in only once."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.errors import BadInput
from studio.oldstudio import kind_of, look, read_preset, read_styles
from studio.scan import scan
from tabs.models_old import bring
from tests.house import make_studio
from tests.test_download import weights


def webui(root: Path) -> Path:
    """A folder as AUTOMATIC1111 leaves it."""
    for name in ("models/Stable-diffusion", "models/Lora", "embeddings", "outputs/txt2img-images/2025-01-01"):
        (root / name).mkdir(parents=True)
    (root / "models/Lora/cat.safetensors").write_bytes(weights(10))
    (root / "models/Lora/cat.json").write_text(json.dumps({"activation text": "catstyle, soft fur"}), encoding="utf-8")
    Image.new("RGB", (8, 8), "red").save(root / "models/Lora/cat.preview.png")
    (root / "styles.csv").write_text('\ufeffname,prompt,negative_prompt\nCinematic,"film, {prompt}",blurry\n,ignored,\nEmpty,,\n', encoding="utf-8")
    told = PngInfo()
    told.add_text("parameters", "a cat\nNegative prompt: dog\nSteps: 20, Seed: 7")
    Image.new("RGB", (8, 8), "blue").save(root / "outputs/txt2img-images/2025-01-01/00001-7.png", pnginfo=told)
    (root / "outputs/txt2img-images/2025-01-01/broken.png").write_bytes(b"not a picture")
    return root


def textgen(root: Path) -> Path:
    for name in ("user_data/models", "user_data/characters", "user_data/presets"):
        (root / name).mkdir(parents=True)
    (root / "user_data/characters/Ada.yaml").write_text("name: Ada\ngreeting: Hello\ncontext: Ada counts.\n", encoding="utf-8")
    (root / "user_data/characters/broken.yaml").write_text("[", encoding="utf-8")
    (root / "user_data/presets/Mine.yaml").write_text("temperature: 0.5\nrepetition_penalty_range: 64\nguidance_scale: 2\nmin_p: 0.1\n", encoding="utf-8")
    (root / "user_data/presets/bad.yaml").write_text("- 1\n", encoding="utf-8")
    return root


def comfy(root: Path) -> Path:
    for name in ("models/checkpoints", "output", "elsewhere/vae"):
        (root / name).mkdir(parents=True)
    (root / "extra_model_paths.yaml").write_text(f"other:\n  base_path: {root}/elsewhere\n  vae: vae\n", encoding="utf-8")
    return root


def state(root: Path) -> dict[str, Any]:
    return {str(path.relative_to(root)): (path.read_bytes() if path.is_file() else None) for path in sorted(root.rglob("*"))}


def test_each_kind_is_known_by_its_folders(tmp_path: Path) -> None:
    assert kind_of(webui(tmp_path / "a")) == "AUTOMATIC1111"
    assert kind_of(comfy(tmp_path / "c")) == "ComfyUI"
    assert kind_of(textgen(tmp_path / "t")) == "text-generation-webui"
    (tmp_path / "none").mkdir()
    for folder in ("none", "missing"):
        with pytest.raises(BadInput) as caught:
            look(tmp_path / folder)
        assert caught.value.hint


def test_styles_presets_characters_and_pictures_are_found(tmp_path: Path) -> None:
    old = look(webui(tmp_path / "a"))
    assert [(style.name, style.prompt, style.negative_prompt) for style in old.styles] == [("Cinematic", "film, {prompt}", "blurry")]
    assert {path.name for path in old.outputs} == {"00001-7.png", "broken.png"}
    assert look(comfy(tmp_path / "c")).models == [tmp_path / "c/models", tmp_path / "c/elsewhere/vae"]
    old = look(textgen(tmp_path / "t"))
    assert old.presets == {"Mine": {"temperature": 0.5, "repetition_last_n": 64, "min_p": 0.1}}
    assert len(old.characters) == 2 and "bad.yaml" in old.problems[0]


def test_dynamic_temperature_becomes_middle_and_range(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("temperature: 1\ndynamic_temperature: true\ndynatemp_low: 0.5\ndynatemp_high: 1.5\n", encoding="utf-8")
    assert read_preset(path) == {"temperature": 1.0, "dynatemp_range": 0.5}


def test_a_style_file_of_another_encoding_is_survived(tmp_path: Path) -> None:
    path = tmp_path / "styles.csv"
    path.write_bytes("name,prompt,negative_prompt\n綺麗,美しい,\n".encode("shift_jis"))
    problems: list[str] = []
    assert len(read_styles(path, problems)) == 1 and not problems


def test_previews_and_trigger_words_are_on_the_model(tmp_path: Path) -> None:
    webui(tmp_path / "a")
    entry = next(entry for entry in scan(tmp_path / "a/models") if entry.title == "cat")
    assert entry.details["trigger_words"] == ["catstyle", "soft fur"]
    assert entry.details["preview"].endswith("cat.preview.png") and entry.kind == "lora"


def test_bringing_twice_adds_nothing_twice_and_changes_nothing_there(tmp_path: Path) -> None:
    root = webui(tmp_path / "a")
    before = state(root)
    with make_studio(tmp_path / "data") as studio:
        first = bring(look(root), studio, "local", lambda have, total: None, threading.Event())
        second = bring(look(root), studio, "local", lambda have, total: None, threading.Event())
        found = studio.store.outputs(owner="local", query="a cat")
        assert first == {"models": 1, "styles": 1, "presets": 0, "characters": 0, "pictures": 2}
        assert set(second.values()) == {0}
        assert len(found) == 1 and "Seed: 7" in found[0].metadata["facts"]["parameters"]
        assert Path(found[0].path).is_relative_to(studio.store.outputs_path)
        studio.store.trash([found[0].id], owner="local")
        studio.store.purge([found[0].id], owner="local")
    assert state(root) == before


def test_characters_and_presets_come_with_their_problems_named(tmp_path: Path) -> None:
    with make_studio(tmp_path / "data") as studio:
        old = look(textgen(tmp_path / "t"))
        came = bring(old, studio, "local", lambda have, total: None, threading.Event())
        assert (came["characters"], came["presets"]) == (1, 1)
        assert any("broken.yaml" in problem for problem in old.problems)
        assert [document.title for document in studio.store.documents("character", owner="local")] == ["Ada"]


def test_stop_keeps_what_came_before(tmp_path: Path) -> None:
    root = webui(tmp_path / "a")
    stop = threading.Event()
    with make_studio(tmp_path / "data") as studio:
        came = bring(look(root), studio, "local", lambda have, total: stop.set(), stop)
        assert came["pictures"] == 1 and studio.store.count(owner="local") == 1
