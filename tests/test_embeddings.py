"""Textual inversion: a name in the prompt is its vectors, as diffusers' own loading of the same file gives it; nothing is left of it afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.embeddings import Embedding, Vocabulary, fitting
from pipelines.image.families import family_of
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import choose, scheduler_config
from pipelines.image.widths import Widths, widths_of
from studio.api import Catalog, StudioError
from studio.jobs import JobQueue
from studio.scan import EMBEDDING_FAMILIES
from tests.house import finish
from tests.image_models import WIDTH, image_queue, make_flux, make_sd1, make_sdxl

SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    import torch
    from safetensors.torch import save_file

    root = tmp_path_factory.mktemp("embeddings")
    for name, make in (("sd1", make_sd1), ("sdxl", make_sdxl), ("flux", make_flux)):
        make(root / "models" / name)
    folder = root / "models" / "embeddings"
    folder.mkdir()
    torch.manual_seed(7)

    def noise(*shape: int) -> Any:
        return torch.randn(*shape) * 2

    save_file({"emb_params": noise(3, WIDTH)}, folder / "EasyBad_v1.2.safetensors")
    save_file({"<cat-toy>": noise(WIDTH)}, folder / "learned_embeds.safetensors")
    save_file({"string_to_param.*": noise(2, WIDTH)}, folder / "bad.safetensors")
    save_file({"emb_params": noise(80, WIDTH)}, folder / "endless.safetensors")
    save_file({"emb_params": noise(2, 2 * WIDTH)}, folder / "wide.safetensors")
    save_file({"clip_l": noise(2, WIDTH), "clip_g": noise(2, WIDTH)}, folder / "both.safetensors")
    save_file({"a": noise(2, WIDTH), "b": noise(3, WIDTH), "c": noise(3)}, folder / "none.safetensors")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 3, "seed": 5, "cfg_scale": 4.0, "upscale": 1.0, "model": "sd1", "sampler": "DPM++ 2M"} | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


def bare(queue: JobQueue, model: str, file: str, token: str, prompt: str, negative: str = "") -> np.ndarray:
    """diffusers alone with its own loading of the file: the token stands for all of the vectors."""
    import diffusers
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    root = queue.catalog.roots[0]
    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(root / model, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose("DPM++ 2M", "Automatic", family_of(queue.catalog.find(model)).kind)
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    vectors = load_file(root / "embeddings" / f"{file}.safetensors")
    if model == "sdxl":
        pipe.load_textual_inversion(vectors["clip_l"], token=token, text_encoder=pipe.text_encoder, tokenizer=pipe.tokenizer)
        pipe.load_textual_inversion(vectors["clip_g"], token=token, text_encoder=pipe.text_encoder_2, tokenizer=pipe.tokenizer_2)
    else:
        pipe.load_textual_inversion(next(iter(vectors.values())), token=token)
    told = {"negative_prompt": negative} if negative else {}
    return np.asarray(pipe(prompt=prompt, num_inference_steps=3, guidance_scale=4.0, width=SIDE, height=SIDE, generator=torch.Generator().manual_seed(5), **told).images[0])


def test_a_name_in_the_prompt_is_its_vectors(queue: JobQueue) -> None:
    plain = drawn(queue)
    mine = drawn(queue, prompt="a red EASYBAD_V1.2 cat")
    assert same(mine, bare(queue, "sd1", "EasyBad_v1.2", "<theirs>", "a red <theirs> cat")) and not same(mine, plain)
    assert same(drawn(queue, prompt="a <cat-toy>"), bare(queue, "sd1", "learned_embeds", "<theirs>", "a <theirs>"))
    assert same(drawn(queue, prompt="a learned_embeds"), drawn(queue, prompt="a <cat-toy>")), "by its file's name too"
    assert same(drawn(queue), plain), "nothing is left of it"


def test_it_works_in_the_negative_prompt(queue: JobQueue) -> None:
    assert same(drawn(queue, negative_prompt="easybad_v1.2, fog"), bare(queue, "sd1", "EasyBad_v1.2", "<theirs>", "a red cat", "<theirs>, fog"))


def test_the_two_encoders_of_sdxl_get_their_own_vectors(queue: JobQueue) -> None:
    assert same(drawn(queue, model="sdxl", prompt="both, a cat"), bare(queue, "sdxl", "both", "<theirs>", "<theirs>, a cat"))


def test_each_vector_counts_as_a_token_and_an_embedding_is_not_cut_in_two(queue: JobQueue) -> None:
    from pipelines.image.nets.conditioning import chunked
    from pipelines.image.prompt.schedule import Piece

    class Words:
        model_max_length = 12

        def __call__(self, text: str, **_: Any) -> Any:
            return type("Told", (), {"input_ids": [ord(letter) for letter in text.replace(" ", "")]})()

    vocabulary = Vocabulary(queue.catalog, widths_of(queue.catalog.find("sd1")))
    (only,) = chunked(Words(), (Piece("abc bad de", 1.2),), vocabulary)
    assert [isinstance(token, int) for token, _ in only] == [True] * 3 + [False] * 2 + [True] * 2 and {weight for _, weight in only} == {1.2}
    assert [len(part) for part in chunked(Words(), (Piece("abcdefgh easybad_v1.2 xy"),), vocabulary)] == [8, 5]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a BAD, dog", ["a ", "bad", ", dog"]), ("badly bad", ["badly ", "bad"]), ("bad-bad", ["bad", "-", "bad"]), ("easybad_v1.2", ["EasyBad_v1.2"]), ("easybad_v1.3", ["easybad_v1.3"]), ("unbad bads", ["unbad bads"]), ("", []),
        ("<cat-toy>s", ["learned_embeds", "s"]), ("cat-toy", ["cat-toy"]), ("bad_", ["bad", "_"]),
    ],
)  # fmt: skip
def test_names_are_found_as_whole_words_in_any_case(queue: JobQueue, text: str, found: list[str]) -> None:
    parts = Vocabulary(queue.catalog, Widths((WIDTH,))).split(text)
    assert [part.entry.title if isinstance(part, Embedding) else part for part in parts] == found


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": "a wide dog"}, "“wide” is for another family"), ({"prompt": "both"}, "“both” is for another family"), ({"prompt": "bad", "model": "sdxl"}, "“bad” is for another family"), ({"prompt": "endless"}, "80 vectors"),
        ({"prompt": "[a:none:0.5]"}, "no embedding that can be read"), ({"prompt": "bad", "model": "flux", "sampler": "Flow Euler"}, "can't be used with FLUX"),
    ],
)  # fmt: skip
def test_one_of_another_family_is_refused_by_name_before_anything_is_loaded(queue: JobQueue, values: dict[str, Any], words: str) -> None:
    for field in ("prompt", "negative_prompt"):
        given = {"width": SIDE, "height": SIDE, "steps": 3, "model": "sd1"} | values
        words_given = given.pop("prompt")
        given |= {"prompt": "a dog"} | {field: words_given}
        with pytest.raises(StudioError) as told:
            queue.submit("image.generate", given, owner="local")
        assert told.value.field == field and words in told.value.message and told.value.hint


def test_headers_tell_how_many_vectors_and_for_which_family(queue: JobQueue, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    small, large, words = torch.zeros(2, 768), torch.zeros(2, 1280), torch.zeros(2, 4096)
    made = {
        "a": {"emb_params": torch.zeros(4, 768)}, "b": {"clip_l": small, "clip_g": large}, "c": {"<x>": torch.zeros(1024)}, "d": {"clip_g": large}, "e": {"clip_l": small, "clip_g": large, "t5xxl": words},
        "f": {"clip_l": small, "t5": words}, "g": {"emb_params": words}, "h": {"emb_params": torch.zeros(2, 999)},
    }  # fmt: skip
    (tmp_path / "embeddings").mkdir()
    for name, tensors in made.items():
        save_file(tensors, tmp_path / "embeddings" / f"{name}.safetensors")
    found = {entry.title: (entry.kind, entry.architecture, entry.details["vectors"], entry.problem) for entry in Catalog([tmp_path]).entries()}
    families = {"a": "sd1", "b": "sdxl", "c": "sd2", "d": "sdxl_refiner", "e": "sd3", "f": "flux", "g": "t5", "h": ""}
    assert found == {name: ("embedding", family, {"a": 4, "c": 1}.get(name, 2), "") for name, family in families.items()}


def test_those_for_several_encoders_are_known_in_any_folder(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    small, large, words, step = torch.zeros(2, 768), torch.zeros(2, 1280), torch.zeros(2, 4096), torch.zeros(1)
    made = {"a": {"clip_l": small, "clip_g": large, "t5xxl": words, "step": step}, "b": {"t5": words, "step": step}, "c": {"step": step, "weight": small}}
    for name, tensors in made.items():
        save_file(tensors, tmp_path / f"{name}.safetensors")
    assert {entry.title: (entry.kind, entry.architecture) for entry in Catalog([tmp_path]).entries()} == {"a": ("embedding", "sd3"), "b": ("embedding", "t5"), "c": ("other", "")}


def test_a_model_reads_those_that_are_as_wide_as_its_encoders() -> None:
    """A refiner, which has the second encoder alone, the second part of a file or a file of that part."""
    models = {"sd1": Widths((768,)), "sd2": Widths((1024,)), "sdxl": Widths((768, 1280)), "sdxl_refiner": Widths((1280,), second=True)}
    reads = {name: [widths for widths in EMBEDDING_FAMILIES if fitting(widths, model)] for name, model in models.items()}
    assert reads == {"sd1": [(768,)], "sd2": [(1024,)], "sdxl": [(768, 1280)], "sdxl_refiner": [(768, 1280), (1280,)]}


def test_of_two_files_of_one_name_the_fitting_one_is_taken(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    for folder, width in (("a", 768), ("b", 1024)):
        (tmp_path / folder / "embeddings").mkdir(parents=True)
        save_file({"emb_params": torch.zeros(1, width)}, tmp_path / folder / "embeddings" / "bad.safetensors")
    for width in (768, 1024):
        (found,) = Vocabulary(Catalog([tmp_path]), Widths((width,))).split("bad")
        assert isinstance(found, Embedding) and found.widths == (width,)


def test_the_view_of_a_prompt_counts_an_embeddings_vectors_as_the_worker_does(queue: JobQueue) -> None:
    from pipelines.image.generate import Generate

    view = Generate().encoder_view("a (easybad_v1.2:1.2) cat", "sd1", queue.catalog)
    assert [words for words, _ in view["chunks"][0]] == ["a", "EasyBad_v1.2", "cat"] and [weight for _, weight in view["chunks"][0]] == [1.0, 1.2, 1.0]
    assert view["tokens"] == Generate().encoder_view("a cat", "sd1", queue.catalog)["tokens"] + 3
