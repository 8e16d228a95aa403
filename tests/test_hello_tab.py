"""The example extension: its chain learns, repeats with a seed, and says when a list is too small."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from studio.errors import BadInput, StudioError
from tests.text_fakes import FakeContext

FILE = Path(__file__).resolve().parent.parent / "extensions" / "hello_tab" / "names.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hello_tab_under_test", FILE)
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def names(module: ModuleType, seed: int = 1, **values: Any) -> list[str]:
    params = module.NameParams.parse(values)
    result = module.Names().run(params, FakeContext([], None, seed=seed))
    return result.artifacts[0].data.decode().splitlines()


def test_the_chain_counts_what_follows_what(module: ModuleType) -> None:
    chain = module.learn(["ab", "ac"], 1)
    assert chain["\n"] == {"a": 2} and chain["a"] == {"b": 1, "c": 1} and chain["b"] == {"\n": 1}


def test_new_names_are_new_made_of_learnt_steps_and_repeatable(module: ModuleType) -> None:
    made = names(module, count=20)
    known = module.SAMPLE.splitlines()
    assert len(set(made)) == 20 and not set(made) & set(known)
    chain = module.learn(known, 2)
    for name in made:
        padded = "\n\n" + name + "\n"
        assert all(padded[place] in chain[padded[place - 2 : place]] for place in range(2, len(padded)))
    assert names(module, count=20) == made and names(module, seed=2, count=20) != made


def test_each_field_changes_the_result(module: ModuleType) -> None:
    before = names(module)
    for change in ({"count": 3}, {"order": 3}, {"names": module.SAMPLE + "\nOsaka\nKyoto\nGifu\nMie\nNara"}):
        assert names(module, **change) != before


def test_too_few_names_are_a_sentence(module: ModuleType) -> None:
    with pytest.raises(BadInput):
        names(module, names="  \n ")
    with pytest.raises(StudioError) as caught:
        names(module, names="ab", count=3)
    assert "Only 0" in caught.value.message and caught.value.hint


def test_letters_follow_as_often_as_learnt(module: ModuleType) -> None:
    chain = module.learn(["ax"] * 9 + ["ay"], 1)
    pick = random.Random(0)
    drawn = [module.new_name(chain, 1, pick, set(), 0) for _ in range(1000)]
    assert 860 < drawn.count("ax") < 940
