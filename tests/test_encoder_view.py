"""What the page shows of a prompt is what the worker's encoder gets: the same tokens, chunks and weights, counted without torch."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.image.checkpoint import write_tokenizer
from pipelines.image.generate import Generate
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import schedule
from pipelines.image.prompt.tokens import shipped, words_of
from studio.api import BadInput, Catalog, ModelMissing
from tests.image_models import make_flux, make_sd1
from tests.test_prompt import written

LONG = "a very small house, " * 30
PROMPTS = ["", "a red cat", "A  CAT's   tail, 12345 x", "(a:1.2) [b] ((c))", "a BREAK b", "猫と犬のイラスト, ﾈｺ", "émigré naïve ﬁ ", "<|endoftext|> x", "🦊🦊 fox ‍👩‍🚀", LONG, LONG + "(strong words here:1.3), " * 20, "x" * 400, "tab\tnew\nline", "a AND b", "don't we'll I'm"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """OpenAI's CLIP as single files use it, and a small one as saved with a model."""
    root = tmp_path_factory.mktemp("words")
    write_tokenizer(root / "clip", 77, "<|endoftext|>")
    return {"clip": root / "clip", "small": make_sd1(root / "models" / "small") / "tokenizer"}


@pytest.mark.parametrize("name", ["clip", "small"])
def test_the_page_counts_and_cuts_as_the_worker_does(folders: dict[str, Path], name: str) -> None:
    from transformers import CLIPTokenizer

    from pipelines.image.nets.conditioning import chunked
    from pipelines.image.prompt import chunks

    theirs: Any = CLIPTokenizer.from_pretrained(folders[name])
    mine = words_of(folders[name])
    assert mine and mine.length == theirs.model_max_length == 77
    pick = random.Random(5)
    for text in [*PROMPTS, *(" ".join(written(pick) for _ in range(6)) for _ in range(60))]:
        for side in schedule(parse(text), 10)[0].sides:
            told = chunks.chunked(side.pieces, mine.tokens, lambda token: token.number == mine.comma, mine.length - 2)
            assert [[(token.number, weight) for token, weight in chunk] for chunk in told] == chunked(theirs, side.pieces), text
    if name == "clip":
        assert all([token.number for token in shipped().tokens(text)] == theirs(text, add_special_tokens=False).input_ids for text in PROMPTS)


def test_a_view_shows_words_chunks_changes_and_networks(folders: dict[str, Path]) -> None:
    catalog = Catalog([folders["small"].parent.parent])
    view = Generate().encoder_view("a (red:1.2) cat, 猫猫 <lora:x:0.8> BREAK [fox:dog:0.5] AND sky :0.3", "small", catalog)
    assert view["chunks"] == [[["a", 1.0], ["red", 1.2], ["cat", 1.0], [",", 1.0], ["猫猫", 1.0]], [["fox", 1.0]]]
    assert view["limit"] == 150 and view["networks"] == ["<lora:x:0.8>"] and view["words"] == ""
    assert [weight for _, weight in view["sides"]] == [1.0, 0.3] and view["switches"] == ["50%: a red cat, 猫猫 fox AND sky", "100%: a red cat, 猫猫 dog AND sky"]
    empty = Generate().encoder_view("", "small", catalog)
    assert empty["tokens"] == 0 and empty["limit"] == 75 and empty["chunks"] == [[]] and empty["switches"] == []
    long = Generate().encoder_view(LONG, "", catalog)
    assert long["limit"] == 75 * len(long["chunks"]) and len(long["chunks"]) > 1 and all(chunk[-1][0] == "," for chunk in long["chunks"])
    with pytest.raises(BadInput, match="never closed"):
        Generate().encoder_view("a (b", "small", catalog)
    with pytest.raises(ModelMissing):
        Generate().encoder_view("a", "gone", catalog)


def test_families_that_read_whole_texts_say_so(tmp_path: Path) -> None:
    make_flux(tmp_path / "models" / "flux")
    view = Generate().encoder_view("a (red:1.2) cat BREAK dog", "flux", Catalog([tmp_path / "models"]))
    assert view["words"] and view["sides"] == [["a red cat dog", 1.0]] and view["limit"] == 512 and view["tokens"] > 3 and view["networks"] == []


def test_no_torch_is_needed(folders: dict[str, Path]) -> None:
    code = f"""
import sys
from studio.app import TorchGuard
sys.meta_path.insert(0, TorchGuard())
from pipelines.image.generate import Generate
from studio.catalog import Catalog
assert Generate().encoder_view("a red cat", "small", Catalog([__import__("pathlib").Path({str(folders["small"].parent.parent)!r})]))["tokens"] == 3
from pipelines.image.prompt.tokens import shipped
assert len(shipped().tokens("a red cat, 猫")) > 4
assert not {{"torch", "transformers"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).resolve().parent.parent, check=True, timeout=60)
