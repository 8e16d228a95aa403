"""Learning how pieces repeat themselves, and how far the network is to be trusted: few numbers, from pieces that the network itself has not learnt from yet.

That is why they come first: once the network knows the pieces by heart, it seems to need no other source. A convex problem but for the trust: no chance, one answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.music.composer.grid import VOICES
from pipelines.music.composer.shape import ORDER
from pipelines.music.composer.training.data import Ready, whole
from pipelines.music.composer.training.fit import tensors

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.music.nets.composer import Composer

RIDGE = 3.0  # nats by squared weight, against all tokens' loss: what few notes speak for stays small
TRUST_RIDGE = 0.5  # the same of the logarithm of a voice's trust
ROUNDS = 60


def teach(model: Composer, pieces: list[Ready]) -> None:
    """Sets the weights of `model.recall` and holds them; sharpens or softens the network's own scores, voice by voice. The pieces must have their places. L-BFGS, Liu & Nocedal 1989."""
    import torch
    from torch import nn

    model.eval()
    batches = [tensors(whole([piece])) for piece in pieces]
    with torch.no_grad():
        told = [model.scores(batch) for batch in batches]
    weights, trust = list(model.recall.parameters()), torch.zeros(VOICES, requires_grad=True)
    count = sum(int(batch.counts.sum()) for batch in batches)
    optimizer = torch.optim.LBFGS([*weights, trust], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        total = RIDGE * torch.stack([(weight**2).sum() for weight in weights]).sum() + TRUST_RIDGE * (trust**2).sum()
        for batch, scores in zip(batches, told, strict=True):
            assert batch.places is not None
            scores = scores * trust.exp()[:, None, None] + model.recall(batch.places)
            total = total + (nn.functional.cross_entropy(scores.movedim(-1, 1), batch.targets, reduction="none") * batch.counts).sum()
        total = total / count
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    model.recall.requires_grad_(False)
    _trusted(model, trust.detach().exp())


def _trusted(model: Composer, trust: Tensor) -> None:
    """trust: (voices,), what the scores of each are multiplied by: they are the sum of what its head's last layer gives."""
    import torch

    with torch.no_grad():
        for voice, head in zip(ORDER, model.heads, strict=True):
            head.outer.weight *= trust[voice]  # type: ignore[union-attr, operator]
            head.outer.bias *= trust[voice]  # type: ignore[union-attr, operator]
