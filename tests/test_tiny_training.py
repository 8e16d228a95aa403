"""The small picture model's captions, scenes and tokenizer: what it is taught is what is on the picture, in both languages."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipelines.image.training.tiny import judges, names
from pipelines.image.training.tiny.captions import COLOURS, Name, Scene, canonical, english, japanese, plural
from pipelines.image.training.tiny.names import Concept, concepts, suggested
from pipelines.image.training.tiny.pictures import SIDE, Painter, recolour
from pipelines.image.training.tiny.tokens import TOKENS, load_tokenizer, train_tokenizer

CAT, STAR = Name("cat", "猫", "cat face"), Name("star", "星", "star")


def ways(scene: Scene) -> tuple[set[str], set[str]]:
    return {english(scene, random.Random(n)) for n in range(200)}, {japanese(scene, random.Random(n)) for n in range(200)}


def test_every_part_of_a_scene_is_said_in_both_languages() -> None:
    said, gesagt = ways(Scene((CAT,), colour="blue", small=True, place="left", background="yellow"))
    assert all("blue cat" in text and "small" in text and "left" in text and "yellow background" in text for text in said)
    assert all(re.search("青(い|色の)猫", text) and re.search("小さ[いな]", text) and "左" in text and re.search("黄色[のい]背景", text) for text in gesagt)
    assert canonical(Scene((CAT,), colour="blue", small=True, place="left", background="yellow")) == "small blue cat face on the left on a yellow background"
    said, gesagt = ways(Scene((CAT,), count=3))
    assert all(re.search("(three|3) cats", text) for text in said) and all(re.search("[三3].の猫|猫[三3]", text) for text in gesagt)
    said, gesagt = ways(Scene((CAT, STAR)))
    assert all("cat" in text and "star" in text for text in said) and all("猫と星" in text for text in gesagt)


@pytest.mark.parametrize(("one", "many"), [("butterfly", "butterflies"), ("monkey", "monkeys"), ("brush", "brushes"), ("glasses", "glasses"), ("hot dog", "hot dogs"), ("box", "boxes")])
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Three pictures and their labels as the two packages have them."""
    monkeypatch.setattr(names, "suggested", lambda: {"red apple": (("apple",), ("りんご",)), "car": (("car",), ("車", "自動車"))})
    pictures, labels = tmp_path / "assets", tmp_path / "labels"
    pictures.mkdir()
    rows = {"1F34E": ("red apple", "リンゴ", 4), "1F697-FE0F": ("car", "自動車", 5), "1F600": ("grinning face", "笑顔", 0), "1F435": ("monkey face", "猿の顔", 3)}
    for number, code in enumerate(rows):
        picture = Image.new("RGBA", (256, 256))
        ImageDraw.Draw(picture).ellipse((40, 60, 200, 220), fill=((200, 20, 20), (20, 20, 200), (200, 200, 20), (120, 120, 120))[number])
        picture.save(pictures / f"{code.lower().replace('-fe0f', '')}.png")
    for lang, place in (("en", 0), ("ja", 1)):
        (labels / lang).mkdir(parents=True)
        (labels / lang / "data.json").write_text(json.dumps([{"hexcode": code, "label": row[place], "group": row[2]} for code, row in rows.items()]))
    return pictures, labels


def test_concepts_are_the_suggested_ones_and_all_animals_and_food(packages: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    found = {concept.english[0]: concept for concept in concepts(*packages)}
    assert set(found) == {"apple", "car", "monkey face"} and found["apple"].suggested and not found["monkey face"].suggested
    assert found["apple"].label == "red apple" and found["monkey face"].japanese == ("猿の顔",)
    monkeypatch.setattr(names, "suggested", lambda: {"no such thing": (("thing",), ("物",))})
    with pytest.raises(KeyError, match="no such thing"):
        concepts(*packages)


def test_suggested_names_are_many_and_each_once() -> None:
    for lang in (0, 1):
        every = [name for names_of in suggested().values() for name in names_of[lang]]
        assert len(suggested()) == 240 and len(set(every)) == len(every), "a name means one thing"


def hue_of(picture: object) -> float:
    pixels = np.asarray(Image.fromarray(np.asarray(picture)).convert("HSV")).astype(float) / 255
    weight = pixels[..., 1] * (pixels[..., 1] > 0.25)
    return float(np.angle((weight * np.exp(2j * np.pi * pixels[..., 0])).sum()) / (2 * np.pi) % 1)


def test_a_colour_word_is_true(packages: tuple[Path, Path]) -> None:
    with Image.open(sorted(packages[0].iterdir())[0]) as source:
        apple = source.convert("RGBA")
    for colour in ("red", "green", "blue", "purple", "yellow"):
        turned, share = recolour(apple, colour)
        off = abs((hue_of(np.asarray(turned.convert("RGB"))) - COLOURS[colour][2][0] + 0.5) % 1 - 0.5)
        assert off < 0.06 and share > 0.9, colour


def test_scenes_repeat_and_show_what_they_say(packages: tuple[Path, Path]) -> None:
    painter = Painter(concepts(*packages))
    first, second = painter.draw(7), painter.draw(7)
    assert (first[0] == second[0]).all() and first[1:] == second[1:] and first[0].shape == (SIDE, SIDE, 3)
    seen = [painter.draw(number) for number in range(300)]
    for colour, (_, _, (hue, strength, _)) in COLOURS.items():
        for picture, said, *_ in seen:
            if said.endswith(f"{colour} background") and strength > 0.3:
                corner = picture[2:6, 2:6]
                assert abs((hue_of(corner) - hue + 0.5) % 1 - 0.5) < 0.06, said
    lefts = [picture for picture, said, *_ in seen if "on the left" in said and "background" not in said]
    assert lefts and all((picture[:, SIDE // 2 + 16 :] > 250).all() for picture in lefts)
    greyless = [said for _, said, *_ in seen if "gray car" in said or "black car" in said]
    assert greyless, "coloured pictures are recoloured"
    assert not any("monkey" in said and any(f"{colour} monkey" in said for colour in COLOURS) for _, said, *_ in seen), "a picture without colour is not called by one"


def test_the_tokenizer_reads_both_languages(tmp_path: Path) -> None:
    train_tokenizer(["a red cat on the left", "two cats", "赤い猫", "左に赤い猫", "青の背景に星"] * 20, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    for text in ("a red cat", "赤い猫", "Never seen: ぬ?"):
        ids = tokenizer(text, padding="max_length", max_length=TOKENS, truncation=True).input_ids
        assert len(ids) == TOKENS and ids[0] == len(tokenizer) - 2 and ids[-1] == len(tokenizer) - 1
    assert len(tokenizer("赤い猫").input_ids) < len(tokenizer("ぬぬぬ").input_ids) and isinstance(Concept, type)


@pytest.mark.slow
def test_the_whole_training_runs_stops_and_goes_on_and_its_model_draws(packages: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of each part on a few scenes: what comes out is a pipeline that plain diffusers loads."""
    import torch
    from diffusers import StableDiffusionPipeline

    from pipelines.image.training.tiny import __main__ as tool
    from pipelines.image.training.tiny.nets import autoencode, denoise, export, measure
    from pipelines.image.training.tiny.nets.run import Budget

    monkeypatch.setattr(tool, "PICTURES", 48)
    monkeypatch.setattr(tool, "known", lambda folder: concepts(*packages))
    torch.set_num_threads(1)
    tool.draw(tmp_path)
    autoencode.train_autoencoder(tmp_path, Budget(64))
    autoencode.encode(tmp_path)
    denoise.train_text(tmp_path, Budget(192))
    (tmp_path / "STOP").touch()
    denoise.train_unet(tmp_path, Budget(96), 1)
    first = torch.load(tmp_path / "unet.state.pt", weights_only=True)["seen"]
    (tmp_path / "STOP").unlink()
    denoise.train_unet(tmp_path, Budget(96), 1)
    assert first == 0 and torch.load(tmp_path / "unet.state.pt", weights_only=True)["seen"] == 96
    denoise.align(tmp_path, Budget(64))
    export.export(tmp_path, tmp_path / "model")
    pipe = StableDiffusionPipeline.from_pretrained(tmp_path / "model", safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    pictures = [pipe("赤い車", num_inference_steps=2, generator=torch.Generator().manual_seed(seed)).images[0] for seed in (1, 1, 2)]
    assert pictures[0].size == (SIDE, SIDE) and pictures[0].tobytes() == pictures[1].tobytes() != pictures[2].tobytes()
    monkeypatch.setattr(measure, "LESSONS", 3)
    table = measure.measure(tmp_path, tmp_path / "model", concepts(*packages), japanese=True, steps=1)
    assert set(table["by concept"]) == {"りんご", "車"} and all(0 <= value <= 1 for value in table.values() if isinstance(value, float))
    assert {"top-1", "top-5", "colour", "background", "count"} <= set(table)
    goes_on_from(tmp_path / "model", tmp_path / "second", pipe)


def goes_on_from(first: Path, folder: Path, pipe: Any) -> None:
    """A second run begins with what the first one knows: its tokens, its latents, its text encoder, its network."""
    import torch

    from pipelines.image.training.tiny import __main__ as tool
    from pipelines.image.training.tiny.nets import autoencode, denoise
    from pipelines.image.training.tiny.nets.run import Budget

    folder.mkdir()
    tool.draw(folder, first)
    old, new = pipe.tokenizer, load_tokenizer(folder)
    marks = {old.bos_token, old.eos_token}
    assert all(new.get_vocab()[token] == number for token, number in old.get_vocab().items() if token not in marks)
    ids = [tokenizer("a red car", padding="max_length", max_length=TOKENS, return_tensors="pt").input_ids for tokenizer in (old, new)]
    with torch.no_grad():
        torch.testing.assert_close(denoise.grown(first, folder).eval()(ids[1])[0], pipe.text_encoder.eval()(ids[0])[0])
    autoencode.encode(folder, first)
    autoencode.train_autoencoder(folder, Budget(16), first)
    denoise.train_text(folder, Budget(64), first)
    (folder / "STOP").touch()
    denoise.train_unet(folder, Budget(16), 1, first)
    begun = torch.load(folder / "unet.state.pt", weights_only=True)["modules"]["unet"]
    assert all(torch.equal(begun[name], value) for name, value in pipe.unet.state_dict().items())


def scene(colour: tuple[int, int, int], points: list[tuple[int, int]], behind: tuple[int, int, int] = (255, 255, 255)) -> np.ndarray:
    picture = Image.new("RGB", (SIDE, SIDE), behind)
    for x, y in points:
        ImageDraw.Draw(picture).ellipse((x - 20, y - 20, x + 20, y + 20), fill=colour)
    return np.asarray(picture)


@pytest.mark.parametrize(("colour", "word"), [((230, 30, 30), "red"), ((250, 140, 20), "orange"), ((60, 180, 90), "green"), ((40, 90, 220), "blue"), ((250, 120, 190), "pink"), ((90, 90, 90), "")])
def test_the_judge_of_colours_sees_the_thing_and_not_what_is_behind_it(colour: tuple[int, int, int], word: str) -> None:
    assert judges.colour_of(scene(colour, [(64, 64)])) == word
    assert judges.colour_of(scene(colour, [(64, 64)], (250, 220, 40))) == word


def test_the_judges_of_backgrounds_and_numbers() -> None:
    for number, points in enumerate(([(64, 64)], [(34, 64), (94, 64)], [(64, 30), (30, 94), (98, 94)]), 1):
        picture = scene((230, 30, 30), points, (40, 90, 220))
        assert judges.count_of(picture) == number and judges.background_of(picture) == "blue"
    assert judges.background_of(scene((230, 30, 30), [(64, 64)])) == "white"
    spotted = scene((230, 30, 30), [(64, 64)]).copy()
    spotted[3:6, 60:63] = 0
    assert judges.count_of(spotted) == 1, "a spot is no thing"
    assert judges.count_of(scene((0, 0, 0), [])) == 0
