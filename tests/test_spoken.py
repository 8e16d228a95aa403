"""Weights and changes at steps with Stable Diffusion 3 and FLUX, whose own pipelines ask their encoders; what they don't read is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.families import FAMILIES
from pipelines.image.pictures import open_picture
from pipelines.image.prompt.grammar import parse
from pipelines.image.prompt.schedule import schedule
from pipelines.image.prompt.view import ONE_TEXT, UNPARTED, left_out
from studio.jobs import Job, JobQueue
from tests.image_models import drawing, ground_keys, make_flux, make_sd3

SIDE = 32


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("spoken"), {"flux": make_flux, "sd3": lambda folder: make_sd3(folder, layers=2)}) as going:
        yield going


def run(queue: JobQueue, model: str, prompt: str, **values: Any) -> Job:
    given = {"model": model, "prompt": prompt, "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 4.0, "sampler": "Flow Euler", "upscale": 1.0} | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return job


def drawn(queue: JobQueue, model: str, prompt: str, **values: Any) -> np.ndarray:
    return np.asarray(open_picture(Path(queue.store.output(run(queue, model, prompt, **values).outputs[0]).path))).astype(int)


def loaded(queue: JobQueue, key: str) -> Any:
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    return next(lease.model for lease in worker.models._leases.values() if lease.model.key == key)


@pytest.mark.parametrize("model", ["flux", "sd3"])
def test_weights_and_changes_move_the_picture(queue: JobQueue, model: str) -> None:
    plain = drawn(queue, model, "a red cat")
    assert (drawn(queue, model, "a (red:1.0) cat") == plain).all() and (drawn(queue, model, "a (red:1.5) cat") != plain).any()
    assert (drawn(queue, model, "a (red:1.5) cat", emphasis="Ignore") == plain).all()
    dog = drawn(queue, model, "a dog")
    assert (drawn(queue, model, "[a red cat:a dog:4]") == plain).all() and (drawn(queue, model, "[a red cat:a dog:0]") == dog).all()
    late, early = drawn(queue, model, "[a red cat:a dog:3]"), drawn(queue, model, "[a red cat:a dog:1]")
    assert (late != plain).any() and (late != early).any() and (early != dog).any()


def test_the_negative_prompt_weighs_and_changes_too(queue: JobQueue) -> None:
    plain = drawn(queue, "sd3", "a cat", negative_prompt="blue fog")
    assert (drawn(queue, "sd3", "a cat", negative_prompt="(blue:1.6) fog") != plain).any() and (drawn(queue, "sd3", "a cat", negative_prompt="[blue fog:red:2]") != plain).any()
    assert (drawn(queue, "sd3", "a cat", negative_prompt="(blue:1.6) fog", cfg_scale=1.0) == drawn(queue, "sd3", "a cat", cfg_scale=1.0)).all()
    assert (drawn(queue, "flux", "a cat", negative_prompt="(blue:1.6) fog") == drawn(queue, "flux", "a cat")).all(), "it has none"


@pytest.mark.parametrize(("model", "mode"), [("flux", "image"), ("flux", "inpaint"), ("sd3", "image"), ("sd3", "inpaint"), ("sd3", "perturbed")])
def test_words_change_in_every_mode(queue: JobQueue, model: str, mode: str) -> None:
    key, mask = ground_keys(queue, SIDE)
    given: dict[str, Any] = {"perturbed": {"pag_scale": 3.0}, "image": {"image": key}, "inpaint": {"image": key, "mask": mask}}[mode]
    first, other = drawn(queue, model, "a cat", **given), drawn(queue, model, "red", **given)
    assert (drawn(queue, model, "[a cat:red:9]", **given) == first).all(), "it is over before"
    changed = drawn(queue, model, "[a cat:red:1]", **given)
    assert (changed != first).any() and (changed != other).any()


def test_pictures_that_are_drawn_together_have_the_same_words(queue: JobQueue) -> None:
    for model in ("flux", "sd3"):
        one, two = (run(queue, model, "a (red:1.5) [cat:dog:2]", count=2, together=flag) for flag in (False, True))
        apart, together = (np.asarray(open_picture(Path(queue.store.output(job.outputs[1]).path))).astype(int) for job in (one, two))
        assert np.abs(apart - together).max() <= 8


@pytest.mark.parametrize("model", ["flux", "sd3"])
def test_the_states_of_the_weighed_words_are_scaled_and_no_others(queue: JobQueue, model: str) -> None:
    import torch

    from pipelines.image.nets.spoken import spoken, token_weights

    drawn(queue, model, "a red cat")
    held = loaded(queue, model)
    with torch.inference_mode():
        made, whole = (spoken(held, prompt, None, 4, emphasis="No norm") for prompt in ("a (red:1.5) cat", "(a red cat:1.5)"))
        assert made and whole and spoken(held, "a red cat", "fog", 4) is None
        states = held.pipe.encode_prompt(prompt=["a red cat"], prompt_2=None)[0] if model == "flux" else held.pipe.encode_prompt(prompt=["a red cat"], prompt_2=None, prompt_3=None, do_classifier_free_guidance=False)[0]
    scaled, all_scaled = ((one.positive_at(0)[0][0].states / states)[0].nanmedian(-1).values for one in (made, whole))
    (span,) = schedule(parse("a (red:1.5) cat"), 4)
    tokenizer = held.pipe.tokenizer_2
    weights = token_weights(tokenizer, span, 77)
    read = tokenizer("a red cat").input_ids
    heavy = [place for place, weight in enumerate(weights) if weight != 1]
    assert heavy and tokenizer.decode([read[place] for place in heavy]).strip() == "red" and {weights[place] for place in heavy} == {1.5}
    parts = 1 if model == "flux" else 2  # CLIP's and T5's, which read the same words with the same tokenizer here
    assert [place for place, weight in enumerate(scaled.tolist()) if abs(weight - 1) > 0.01] == [place + 77 * part for part in range(parts) for place in heavy]
    with torch.inference_mode():
        normed: Any = spoken(held, "(a red cat:1.5)", None, 4)
    kept, part = normed.positive_at(0)[0][0].states, slice(0, 512 if model == "flux" else 77)
    assert torch.allclose(kept[:, part].mean(), states[:, part].mean(), rtol=1e-4) and not torch.allclose(kept, whole.positive_at(0)[0][0].states), "the mean of the states is kept"
    assert int((all_scaled > 1.4).sum()) == parts * (len(read) - 2)


def test_what_is_not_read_is_told_with_the_job(queue: JobQueue) -> None:
    assert run(queue, "flux", "a (red:1.5) [cat:dog:2]").summary["notes"] == []
    assert run(queue, "flux", "a BREAK b").summary["notes"] == run(queue, "sd3", "a AND b").summary["notes"] == [UNPARTED]
    other = FAMILIES["other"]
    assert left_out("a cat", other, 20) == "" and {left_out(text, other, 20) for text in ("a (cat:1.2)", "[a:b:0.9]", "a BREAK b", "a AND b")} == {ONE_TEXT}
    assert left_out("a (cat:1.2) AND b", FAMILIES["sd1"], 20) == ""


def test_the_text_of_a_picture_holds_no_negative_prompt_that_was_not_read(queue: JobQueue) -> None:
    told = {model: queue.store.output(run(queue, model, "a cat", negative_prompt="fog").outputs[0]).metadata["facts"]["parameters"] for model in ("flux", "sd3")}
    assert "Negative prompt" not in told["flux"] and "Negative" not in told["flux"] and "Negative prompt: fog" in told["sd3"]
