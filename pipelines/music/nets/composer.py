"""The composer's network, for training; `pipelines/music/composer/play.py` computes the same with numpy.

At each sixteenth the four voices are drawn one after the other, each knowing those before it (Boulanger-Lewandowski et al. 2012 and Liang 2016 factorise chorales by time
and voice; DeepBach, Hadjeres et al. 2017, conditions on metre and fermatas). What is new here: a second small LSTM reads the notes that are already known from the end to
the beginning, so that one network composes, harmonises, continues and repaints (the anticipation of Hadjeres & Nielsen 2018, "Anticipation-RNN"), and a pitch's score is
the sum of scores of the pitch itself, of its place in the key, of its step from the voice's last note and of its interval to the voices already drawn: transposed music
needs nothing new to be learnt.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pipelines.music.composer.grid import CLASSES, FEATURE_ROWS, LOW, PITCHES, SILENT, STATES, VOICES
from pipelines.music.composer.play import load
from pipelines.music.composer.recall import BEGINS, HOLDS, NO_PITCH, NOTHING, RESTS, SHAPES
from pipelines.music.composer.shape import LEAPS, ORDER, RESUME, Shape, outputs

NEVER = -1e9


class Batch(NamedTuple):
    """Whole numbers. states and known: (3, batch, voices, steps), the true notes and those known beforehand; before: (3, batch, voices) what sounds before the first step;
    features: (batch, 9, steps); targets: (batch, voices, steps) 0 … 63 a pitch, 64 rest, 65 hold; tonic: (batch,); counts: (batch, voices, steps) 1 where the token is asked.
    places: (batch, voices, steps, PLACES, COLUMNS) as `recall.shifted` gives them, or none."""

    states: Tensor
    known: Tensor
    before: Tensor
    features: Tensor
    targets: Tensor
    tonic: Tensor
    counts: Tensor
    places: Tensor | None = None


class Notes(nn.Module):
    """The sum of three tables: what sounds, its place in the key, whether it begins."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.state, self.classes, self.begins = nn.Embedding(STATES, width), nn.Embedding(CLASSES, width), nn.Embedding(2, width)
        for table in (self.state, self.classes, self.begins):
            nn.init.normal_(table.weight, std=0.5)

    def forward(self, states: Tensor) -> Tensor:
        made: Tensor = self.state(states[0]) + self.classes(states[1]) + self.begins(states[2])
        return made


class Head(nn.Module):
    """Scores of one voice's 66 tokens from what the trunk says and the voices drawn before it."""

    def __init__(self, shape: Shape, place: int) -> None:
        super().__init__()
        self.inner = nn.Linear(shape.hidden + shape.ahead + place * shape.note, shape.head)
        self.outer = nn.Linear(shape.head, outputs(place))
        self.drop = nn.Dropout(shape.dropout)

    def forward(self, given: Tensor, last: Tensor, tonic: Tensor, others: list[Tensor]) -> Tensor:
        """given: (batch, steps, …); last: (batch, steps) what the voice sounded before; tonic: (batch,); others: states of the voices drawn."""
        parts = self.outer(self.drop(torch.relu(self.inner(given))))
        own, special, key, leap, *between = parts.split([PITCHES, 2, 12, 2 * LEAPS + 1] + [12] * len(others), dim=-1)
        pitch = torch.arange(PITCHES)
        place = (pitch + LOW - tonic[:, None, None]) % 12
        own = own + key.gather(-1, place.expand(*key.shape[:2], PITCHES))
        step = (pitch - last[..., None]).clamp(-LEAPS, LEAPS) + LEAPS
        own = own + leap.gather(-1, step) * (last < SILENT)[..., None]
        for score, other in zip(between, others, strict=True):
            own = own + score.gather(-1, (pitch - other[..., None]) % 12) * (other < SILENT)[..., None]
        return torch.cat([own, special], dim=-1)


class Recall(nn.Module):
    """What a piece's own past adds to the scores, see `composer/recall.py`. Nothing until it is learnt. Each level adds to those below it, so that few notes teach all."""

    def __init__(self) -> None:
        super().__init__()
        self.time, self.pitch, self.leap = (nn.Parameter(torch.zeros(SHAPES[f"recall.{name}"])) for name in ("time", "pitch", "leap"))

    @property
    def learnt(self) -> bool:
        return any(bool(weight.any()) for weight in self.parameters())

    def forward(self, places: Tensor) -> Tensor:
        """(…, 66) scores from (…, PLACES, COLUMNS)."""
        place = torch.arange(places.shape[-2])
        what = places[..., 0]
        time = self.time.cumsum(1)[place, places[..., 3], what.clamp(max=RESTS)] * (what != NOTHING)
        begins, holds, rests = ((time * (what == kind)).sum(-1, keepdim=True) for kind in (BEGINS, HOLDS, RESTS))
        pitches = begins.new_zeros(*begins.shape[:-1], NO_PITCH + 1)
        for column, table in enumerate((self.pitch, self.leap)):
            pitches = pitches.scatter_add(-1, places[..., 1 + column], table.cumsum(1)[place, places[..., 4 + column]])
        return torch.cat([begins + pitches[..., :NO_PITCH], rests, holds], -1)


class Attention(nn.Module):
    """One block of a causal Transformer; how far back a step lies has a learnt score by head (Shaw et al. 2018, in the scalar form of T5)."""

    def __init__(self, width: int, heads: int, dropout: float, reach: int = 192) -> None:
        super().__init__()
        self.heads, self.reach, self.dropout = heads, reach, dropout
        self.near, self.nearer = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mix, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout))
        self.distance = nn.Parameter(torch.zeros(heads, reach))

    def forward(self, x: Tensor) -> Tensor:
        batch, steps, width = x.shape
        query, key, value = self.mix(self.near(x)).view(batch, steps, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        back = torch.arange(steps)[:, None] - torch.arange(steps)
        bias = self.distance[:, back.clamp(0, self.reach - 1)].masked_fill(back < 0, NEVER)
        drop = self.dropout if self.training else 0.0
        seen = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.expand(batch, -1, -1, -1), dropout_p=drop)
        x = x + self.out(seen.transpose(1, 2).reshape(batch, steps, width))
        made: Tensor = x + self.feed(self.nearer(x))
        return made


class Composer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.notes, self.hints = Notes(shape.note), Notes(shape.hint)
        self.frame = nn.Embedding(FEATURE_ROWS, shape.frame)
        nn.init.normal_(self.frame.weight, std=0.3)
        self.ahead = nn.LSTM(VOICES * shape.hint + shape.frame, shape.ahead, batch_first=True)
        inside = VOICES * shape.note + shape.frame + shape.ahead
        if shape.trunk == "lstm":
            self.first, self.second = nn.LSTM(inside, shape.hidden, batch_first=True), nn.LSTM(shape.hidden, shape.hidden, batch_first=True)
        else:
            self.enter = nn.Linear(inside, shape.hidden)
            self.blocks = nn.ModuleList(Attention(shape.hidden, shape.hidden // 32, shape.dropout) for _ in range(shape.blocks))
            self.leave = nn.LayerNorm(shape.hidden)
        self.heads = nn.ModuleList(Head(shape, place) for place in range(VOICES))
        self.recall = Recall()
        self.drop, self.drop_note = nn.Dropout(shape.dropout), nn.Dropout(shape.dropout_in)

    def forward(self, batch: Batch) -> Tensor:
        """(batch, voices, steps) negative log-likelihoods of the targets, in nats."""
        scores = self.scores(batch)
        if batch.places is not None:
            scores = scores + self.recall(batch.places)
        return nn.functional.cross_entropy(scores.movedim(-1, 1), batch.targets, reduction="none")

    def scores(self, batch: Batch) -> Tensor:
        """(batch, voices, steps, 66) without what recalling adds."""
        frame = self.frame(batch.features).sum(1)
        hints = self.hints(batch.known).permute(0, 2, 1, 3).flatten(2)
        ahead = self.ahead(torch.cat([hints, frame], -1).flip(1))[0].flip(1)
        last = torch.cat([batch.before[..., None], batch.states[..., :-1]], -1)
        notes = self.drop_note(self.notes(last).permute(0, 2, 1, 3).flatten(2))
        trunk = self.drop(self._trunk(torch.cat([notes, frame, ahead], -1)))
        given = torch.cat([trunk, self.drop_note(ahead)], -1)
        scores: dict[int, Tensor] = {}
        drawn: list[Tensor] = []
        for voice, head in zip(ORDER, self.heads, strict=True):
            scores[voice] = head(given, last[0][:, voice], batch.tonic, drawn)
            drawn.append(batch.states[0][:, voice])
            given = torch.cat([given, self.drop_note(self.notes(batch.states[:, :, voice]))], -1)
        return torch.stack([scores[voice] for voice in range(VOICES)], 1)

    def _trunk(self, x: Tensor) -> Tensor:
        if self.shape.trunk == "lstm":
            made: Tensor = self.second(self.drop(self.first(x)[0]))[0]
            return made
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        out: Tensor = self.leave(x)
        return out


def loss_of(model: Composer, batch: Batch) -> Tensor:
    """Mean negative log-likelihood of the tokens asked for, each cut counting alike: those with few left to guess are what teaches to look ahead."""
    counts = batch.counts.float()
    return ((model(batch) * counts).sum((1, 2)) / counts.sum((1, 2)).clamp(min=1)).mean()


def from_file(path: Path) -> tuple[Composer, dict[str, Any]]:
    """The network of a learnt style or of the shipped chorales, and what a stopped training kept in it ({} where there is nothing). Raises ModelBroken."""
    from safetensors.numpy import load_file

    player = load(path)
    arrays = load_file(path)
    model = Composer(player.shape)
    given = {name: torch.from_numpy(value).float() for name, value in arrays.items() if not name.startswith(RESUME)}
    model.load_state_dict({f"recall.{name}": value for name, value in model.recall.state_dict().items()} | given)
    return model, {name: value for name, value in arrays.items() if name.startswith(RESUME)}


def halved(model: Composer) -> dict[str, Any]:
    """The weights in half precision, as they are shipped."""
    return {name: value.detach().to(torch.float16).contiguous().numpy() for name, value in model.state_dict().items()}
