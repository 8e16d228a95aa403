"""The wildcards extension: what each notation draws, and how drawn prompts reach the pictures, their files and a grid's cells."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.infotext import read
from pipelines.image.pictures import open_picture
from studio.api import BadInput
from studio.executor import InlineExecutor
from studio.jobs import JobQueue
from studio.metadata import extract
from studio.plugins import Hooks
from tests.house import finish, make_queue, worker_config
from tests.image_models import make_sd1

EXTENSIONS = Path(__file__).resolve().parent.parent / "extensions"
FILES = {
    "colour.txt": "red\nblue\n# a remark\n\ngreen\n", "animals/cat.txt": "tabby\n{old|young} tom\n", "animals/dog.txt": "\ufeffpug\n", "both.txt": "__colour__ __dog__\n", "loop.txt": "x __loop__\n", "empty.txt": "# nothing\n",
    "wide.txt": "__wide2__ __wide2__\n", "wide2.txt": "{a|b} " * 1500,
}  # fmt: skip


@pytest.fixture(scope="module")
def hooks(tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    made = Hooks()
    made.load_builtin("pipelines.image")
    made.load_extensions([(EXTENSIONS, True)], [name.name for name in EXTENSIONS.iterdir() if name.name != "wildcards"], safe=False)
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("wildcards") / "data"
    for name, text in FILES.items():
        path = root / "wildcards" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def told(hooks: Hooks, data: Path, prompt: str, seed: int = 1, pipeline: str = "image.generate", **extras: Any) -> str:
    return str(hooks.chain("on_prompt", "prompt", prompt, pipeline_id=pipeline, seed=seed, extras={"wildcards": extras} if extras else {}, user_data=str(data)))


def all_of(hooks: Hooks, data: Path, prompt: str, times: int = 120) -> Counter[str]:
    return Counter(told(hooks, data, prompt, seed) for seed in range(times))


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("a {red|blue} cat", {"a red cat", "a blue cat"}), ("{a|{b|c}}", {"a", "b", "c"}), ("{[x|y]|(z|w:1.2)}", {"[x|y]", "(z|w:1.2)"}), ("{a|}", {"a", ""}), ("{2$$a|b}", {"a, b", "b, a"}), ("{2$$ and $$a|b}", {"a and b", "b and a"}),
        ("{1-2$$a|b}", {"a", "b", "a, b", "b, a"}), ("{-1$$a|b}", {"a", "b"}), ("{2-$$a|b}", {"a, b", "b, a"}), ("{9$$a|b}", {"a, b", "b, a"}), ("{0::a|1::b}", {"b"}), ("__colour__", {"red", "blue", "green"}), ("__COLOUR__ __dog__", {"red pug", "blue pug", "green pug"}),
        ("__cat__", {"tabby", "old tom", "young tom"}), ("__animals/cat__", {"tabby", "old tom", "young tom"}), ("__animals/*__", {"tabby", "old tom", "young tom", "pug"}), ("__both__", {"red pug", "blue pug", "green pug"}), ("{__dog__|x}", {"pug", "x"}),
        ("<lora:x:{0.5|1}>", {"<lora:x:0.5>", "<lora:x:1>"}), ("{a\n|b}", {"a\n", "b"}), (r"\{a|b\}", {r"\{a|b\}"}), ("{one} {}", {"{one} {}"}), ("x # {a|b} __nothing__\n{c|c}", {"x # {a|b} __nothing__\nc"}), ("{a|b", {"{a|b"}), ("a__b", {"a__b"}),
    ],
)  # fmt: skip
def test_each_notation_draws_what_it_should(hooks: Hooks, data: Path, prompt: str, expected: set[str]) -> None:
    assert set(all_of(hooks, data, prompt)) == expected


def test_shares_count_and_the_same_seed_draws_the_same(hooks: Hooks, data: Path) -> None:
    drawn = all_of(hooks, data, "{3::a|1::b}", 2000)
    assert abs(drawn["a"] / 2000 - 0.75) < 0.04
    assert {len(set(told(hooks, data, "{2$$__colour__}", seed).split(", "))) for seed in range(40)} == {2}, "different lines of one file"
    prompt = "{a|b|c|d} __colour__ __cat__ {2$$e|f|g}"
    assert all(told(hooks, data, prompt, seed) == told(hooks, data, prompt, seed) for seed in range(20))
    assert told(hooks, data, prompt, expand=False) == prompt


@pytest.mark.parametrize(
    ("prompt", "sentence", "hint"),
    [("__color__", "no words for “__color__”", "__colour__"), ("{a|__cats__}" * 9, "no words for “__cats__”", "__animals/cat__"), ("__../secret__", "no words", "into the folder"), ("__loop__", "without end", "names itself"), ("__empty__", "is empty", "one choice"), ("__wide__", "draws more than", "fewer")],
)
def test_what_can_not_be_drawn_is_told(hooks: Hooks, data: Path, prompt: str, sentence: str, hint: str) -> None:
    with pytest.raises(BadInput, match=sentence) as error:
        told(hooks, data, prompt, 4)
    assert hint in error.value.hint and error.value.field == "prompt"


def test_texts_keep_what_is_no_choice(hooks: Hooks, data: Path) -> None:
    code = 'def __init__(self): # {"a": 1}\n    return {x | y\n}'
    assert told(hooks, data, code, pipeline="text.complete") == code
    assert told(hooks, data, "# {a|a}", pipeline="text.complete") == "# a"


def test_random_notations_end_and_are_read_or_told(hooks: Hooks, data: Path) -> None:
    pick = random.Random(3)
    for _ in range(1500):
        text = "".join(pick.choice(("{", "}", "|", "2$$", "1-2$$", "__colour__", "__", "a", "\\", "#", "\n", "0.5::", " ")) for _ in range(pick.randint(0, 25)))
        try:
            drawn = told(hooks, data, text, 2)
        except BadInput as error:
            assert "no words for" in error.message
            continue
        assert drawn == told(hooks, data, text, 2)


def test_hostile_texts_are_expanded_quickly(hooks: Hooks, data: Path) -> None:
    started = time.process_time()
    for text in ("{" * 100_000, "{a|" * 50_000, "{[|" * 30_000 + "}" * 30_000, "{|" * 3000 + "}" * 3000, "{" * 50_000 + "}" * 50_000, "__a" * 50_000, "{" + "9" * 5000 + "$$a|b}", "{" + "9" * 500 + "::a|b}", "{2$$" * 20_000, "\\" * 100_001):
        try:
            told(hooks, data, text)
        except BadInput as error:
            assert error.hint
    assert time.process_time() - started < 5


# -- through a job -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(hooks: Hooks, data: Path) -> Iterator[JobQueue]:
    models = data.parent / "models"
    make_sd1(models / "tiny")
    made = make_queue(data, InlineExecutor(worker_config(data) | {"builtins": ["pipelines.image"], "roots": [str(models)], "budget": 2**34}), hooks)
    made.catalog.roots = [models]
    made.start()
    yield made
    finish(made)


BASE = {"width": 32, "height": 32, "steps": 2, "seed": 5, "cfg_scale": 3.0, "sampler": "Euler", "upscale": 1.0}


def pictures(queue: JobQueue, pipeline: str = "image.generate", **values: Any) -> list[tuple[np.ndarray, dict[str, Any], str]]:
    job = queue.submit(pipeline, BASE | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    found = []
    for output in job.outputs:
        path = Path(queue.store.output(output).path)
        with Image.open(path) as image:
            found.append((np.asarray(open_picture(path)), extract(path), str(image.info.get("parameters", ""))))
    return found


def test_each_picture_has_its_own_draw_and_its_file_both_prompts(queue: JobQueue, hooks: Hooks, data: Path) -> None:
    written, unwanted = "a __colour__ {cat|dog|fox}", "{fog|ice}"
    made = pictures(queue, prompt=written, negative_prompt=unwanted, count=4)
    words = [told(hooks, data, written, 5 + number) for number in range(4)]
    assert len(set(words)) > 1
    for number, (picture, about, text) in enumerate(made):
        assert about["params"]["prompt"] == written and about["params"]["prompts"] == words and about["facts"]["prompt"] == words[number]
        values = read(text)
        assert values["prompt"] == words[number] and values["negative_prompt"] in ("fog", "ice") and f"Template: {written}" in text
        alone = pictures(queue, prompt=values["prompt"], negative_prompt=values["negative_prompt"], seed=5 + number)
        assert (picture == alone[0][0]).all(), "the picture is that of the drawn prompt"
    again = pictures(queue, prompt=written, negative_prompt=unwanted, seed=7)
    assert (again[0][0] == made[2][0]).all(), "picture i is the single picture of its seed"


def test_given_prompts_are_the_pictures_own_and_must_be_as_many(queue: JobQueue) -> None:
    made = pictures(queue, prompt="x", prompts=["a red cat", "{a blue dog|a blue dog}"], count=2, together=True)
    assert (made[1][0] == pictures(queue, prompt="a blue dog", seed=6)[0][0]).all() and made[1][1]["params"]["prompts"] == ["a red cat", "a blue dog"]
    with pytest.raises(BadInput, match="2 prompts for 3 pictures") as error:
        pictures(queue, prompt="x", prompts=["a", "b"], count=3)
    assert error.value.field == "prompts"
    less = pictures(queue, prompt="x", negative_prompts=["fog", "ice"], count=2)
    assert (less[1][0] == pictures(queue, prompt="x", negative_prompt="ice", seed=6)[0][0]).all()


def test_faults_in_drawn_prompts_stand_at_their_field(queue: JobQueue) -> None:
    for values, field in (({"prompt": "__clour__"}, "prompt"), ({"prompt": "x", "negative_prompt": "__clour__"}, "negative_prompt"), ({"prompt": "{(a|(a}"}, "prompt")):
        with pytest.raises(BadInput) as error:
            queue.submit("image.generate", BASE | values, owner="local")
        assert error.value.field == field


def test_a_grid_draws_for_each_cell(queue: JobQueue) -> None:
    made = pictures(queue, "image.grid", prompt="a {red|blue|green} cat", x_axis="Seed", x_values="5-7")
    prompts = [about["params"].get("prompts") for _, about, _ in made if about["pipeline"] == "image.generate"]
    assert len(prompts) == 3 and len({words[0] for words in prompts}) > 1
    cell = next(picture for picture, about, _ in made if about["params"].get("prompts") == prompts[2])
    assert (cell == pictures(queue, prompt=prompts[2][0], seed=7)[0][0]).all()
