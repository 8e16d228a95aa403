"""Numbers that run over end in a sentence, not in a black picture; a decoder whose half precision is too small is asked again in full."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.image.memory import IN_FULL
from studio.api import BadInput
from tests.house import finish
from tests.image_models import image_queue, make_sd1


class Decoder:
    """Multiplies by itself twice: 300² fits no half precision."""

    def __init__(self, dtype: Any, weight: float) -> None:
        import torch

        self.layer = torch.nn.Linear(1, 1, bias=False).to(dtype)
        torch.nn.init.constant_(self.layer.weight, weight)

    @property
    def dtype(self) -> Any:
        return self.layer.weight.dtype

    def to(self, dtype: Any) -> None:
        self.layer.to(dtype)

    def decode(self, latents: Any, return_dict: bool = True) -> tuple[Any]:
        return (self.layer(self.layer(latents)),)


def test_a_decoder_that_overflows_in_half_is_asked_again_in_full_and_left_as_it_was() -> None:
    import torch

    from pipelines.image.nets.sound import decoded

    decoder, notes = Decoder(torch.float16, 300.0), list[str]()
    with torch.inference_mode():
        told = decoded(decoder, decoder.decode, notes, torch.ones(1, 1, dtype=torch.float16), return_dict=False)
        assert told[0].item() == 90_000 and notes == [IN_FULL] and decoder.dtype == torch.float16 and decoder.layer.weight.item() == 300
        small = Decoder(torch.float16, 2.0)
        assert decoded(small, small.decode, notes, torch.ones(1, 1, dtype=torch.float16))[0].item() == 4 and len(notes) == 1


def test_what_is_no_number_before_or_after_decoding_is_told() -> None:
    import torch

    from pipelines.image.nets.sound import decoded

    whole = Decoder(torch.float32, 1e30)
    with torch.inference_mode(), pytest.raises(BadInput, match="out of bounds"):
        decoded(whole, whole.decode, [], torch.ones(1, 1))
    with pytest.raises(BadInput, match="out of bounds"):
        decoded(whole, whole.decode, [], torch.full((1, 1), float("nan")))


def test_a_weight_without_measure_gets_a_sentence_and_no_black_picture(tmp_path: Path) -> None:
    make_sd1(tmp_path / "models" / "sd1")
    queue = image_queue(tmp_path / "data", tmp_path / "models")
    queue.start()
    try:
        values = {"prompt": f"(a red cat:{'9' * 50})", "width": 32, "height": 32, "steps": 2, "seed": 1, "upscale": 1.0, "model": "sd1"}
        job = queue.submit("image.generate", values, owner="local").wait()
    finally:
        finish(queue)
    assert job.error is not None and job.error.field == "prompt" and "out of bounds" in job.error.message and not job.outputs
