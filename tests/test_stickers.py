"""The small model that comes with the studio: found, loaded without advice, and drawing what is asked in both languages."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.image import SHIPPED, register_models
from pipelines.image.families import family_of
from pipelines.image.pictures import open_picture
from pipelines.image.training.tiny.judges import background_of, colour_of
from studio.jobs import JobQueue
from studio.settings import Settings
from tests.house import finish
from tests.image_models import image_queue

SIDE = 128


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("stickers")
    shutil.copytree(SHIPPED, root / "models" / "stickers")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, prompt: str, seed: int = 1) -> np.ndarray:
    job = queue.submit("image.generate", {"prompt": prompt, "model": "stickers", "steps": 10, "seed": seed, "upscale": 1.0}, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)).convert("RGB"))


def test_it_is_a_small_family_of_its_own(queue: JobQueue) -> None:
    family = family_of(queue.catalog.find("stickers"))
    assert [entry.path for entry in register_models(Settings()) if entry.kind == "image"] == [str(SHIPPED)]
    assert (family.key, family.size, family.factor) == ("tiny", SIDE, 8)
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 30_000_000


@pytest.mark.parametrize(("prompt", "colour"), [("a red heart", "red"), ("赤いハート", "red"), ("a blue star", "blue"), ("青い星", "blue")])
def test_it_draws_the_colour_that_is_asked_for_in_both_languages(queue: JobQueue, prompt: str, colour: str) -> None:
    picture = drawn(queue, prompt)
    assert picture.shape == (SIDE, SIDE, 3) and colour_of(picture) == colour and background_of(picture) == "white"


def test_seeds_and_prompts_decide_the_picture(queue: JobQueue) -> None:
    first, again, other = drawn(queue, "panda"), drawn(queue, "panda"), drawn(queue, "panda", 2)
    assert (first == again).all() and (first != other).any()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_its_measured_table_lies_beside_it_and_reaches_what_was_promised(language: str) -> None:
    table = json.loads((SHIPPED / f"measured-{language}.json").read_text(encoding="utf-8"))
    assert table["judge on held-out showings"] >= 0.9 and len(table["by concept"]) == table["settings"]["concepts"] == 60
    assert all(table[name] >= least for name, least in {"top-1": 0.6, "top-5": 0.85, "colour": 0.8, "background": 0.8, "count": 0.6}.items())
