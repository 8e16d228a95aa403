"""How large the composer's network is, and in which order it draws the voices."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from pipelines.music.composer.grid import PITCHES

ORDER = (0, 3, 2, 1)  # soprano, bass, tenor, alto: the outer voices first, as harmony is taught
RESUME = "resume."  # how the names of what a stopped training keeps begin
LEAPS = 24  # semitones up or down that a step from the voice's last note is scored for


@dataclass(frozen=True)
class Shape:
    """Widths: of a note's table, a known note's table, the frame's table; of the trunk, of the LSTM that looks ahead, of a head. `blocks` is the Transformer's."""

    trunk: Literal["lstm", "transformer"] = "lstm"
    note: int = 40
    hint: int = 24
    frame: int = 40
    hidden: int = 288
    ahead: int = 96
    head: int = 144
    blocks: int = 4
    dropout: float = 0.42
    dropout_in: float = 0.25

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Shape:
        return cls(**json.loads(text))


def outputs(place: int) -> int:
    """Numbers that the head of the place-th voice gives: by pitch, rest and hold, by class, by leap, by interval to each voice before."""
    return PITCHES + 2 + 12 + 2 * LEAPS + 1 + 12 * place
