"""Where a picture's model and work go: a ladder of placements from fastest to smallest, and the first that fits. Pure functions of numbers; no torch.

Weights are counted exactly (footprint.py); `work_of` is a first estimate of what is needed besides, measured on Stable Diffusion 1.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipelines.image.families import Family
from pipelines.image.footprint import Parts
from studio.api import ModelTooLarge

Held = Literal["all", "parts", "blocks", "layers"]
UNET_NUMBERS, DECODER_NUMBERS = 500, 1150  # a pixel, guidance pair; measured at 512² in fp32: 506 MB and 990 to 1,210 MB
PICTURE_NUMBERS = 12  # a pixel of the overlapping tiles, of their rows and of the whole
ATTENTION_HEADS = 16  # of the first level, guidance pair, where attention is written out (not on CPU and CUDA)
SMALL_SHARE = 0.2  # the tiny decoder and network
TILE = 512
SIZES = {"cpu": 4, "cuda": 2, "mps": 2}
SMALLER = "There was not enough memory for the quickest way: it was done in a smaller one."
IN_TILES = "There was not enough memory to decode the picture at once: it was decoded in tiles."
IN_FULL = "Half precision was not enough to decode the picture: it was decoded in full precision."
NO_UNITS = "This processor has no units for half precision: it saves memory and takes longer."
TILED_WORDS, SLICED_WORDS = "decoding in tiles", "attention in slices"
HELD_WORDS: dict[Held, str] = {"all": "", "parts": "each part moved in when it is needed", "blocks": "block by block", "layers": "layer by layer, slowly"}


@dataclass(frozen=True)
class Work:
    """Bytes besides the weights: of the loop, of decoding whole, of decoding in tiles; `attention` is what slicing saves of the loop."""

    denoise: int
    decode: int
    tiles: int
    attention: int = 0


@dataclass(frozen=True)
class Placement:
    """What of the weights is on the device at a time, and how the picture is made. `weights` and `working` are bytes at the worst moment."""

    held: Held = "all"
    tiled: bool = False
    sliced: bool = False
    weights: int = 0
    working: int = 0

    @property
    def bytes(self) -> int:
        return self.weights + self.working

    @property
    def words(self) -> list[str]:
        """What differs from the fastest way."""
        found = [HELD_WORDS[self.held], TILED_WORDS if self.tiled else "", SLICED_WORDS if self.sliced else ""]
        return [word for word in found if word]


def item_bytes(device: str, precision: str = "Automatic") -> int:
    """Of one weight where it runs."""
    return {"Full": 4, "Half": 2}.get(precision, SIZES.get(device, 4))


def work_of(family: Family, pixels: float, device: str, size: int) -> Work:
    """The one estimate of activations; `pixels` are those of the largest picture of the job, all of a batch, `size` the bytes of a number."""
    share = SMALL_SHARE if family.key == "tiny" else 1.0
    tile = min(pixels, TILE * TILE)
    attention = ATTENTION_HEADS * (pixels / family.factor**2) ** 2 * size if device == "mps" and family.kind == "noise" else 0.0
    return Work(
        int(pixels * UNET_NUMBERS * size * family.activation * share + attention),
        int(pixels * DECODER_NUMBERS * size * share),
        int(tile * DECODER_NUMBERS * size * share + pixels * PICTURE_NUMBERS * size),
        int(attention * (1 - 1 / ATTENTION_HEADS)),
    )


def ladder(parts: Parts, work: Work, device: str) -> list[Placement]:
    """Fastest first. Weights leave the device only where it is not the computer's own memory; attention is sliced only where it is written out."""
    rungs: list[tuple[Held, bool, bool]] = [("all", False, False), ("all", True, False)]
    if work.attention:
        rungs.append(("all", True, True))
    if device == "cuda":
        rungs += [("parts", False, False), ("parts", True, False), ("blocks", True, False), ("layers", True, False)]
    return [_placed(parts, work, *rung) for rung in rungs]


def _placed(parts: Parts, work: Work, held: Held, tiled: bool, sliced: bool) -> Placement:
    """The worst of three moments: reading the words, the loop, decoding."""
    denoise, decode = work.denoise - (work.attention if sliced else 0), work.tiles if tiled else work.decode
    if held == "all":
        return Placement(held, tiled, sliced, parts.total, max(denoise, decode))
    network = {"parts": parts.network, "blocks": min(parts.network, 2 * parts.block), "layers": 2 * parts.layer}[held]
    encoder = 2 * parts.layer if held == "layers" else parts.encoder
    decoder = 2 * parts.layer if held == "layers" else parts.decoder
    around = parts.decoder if held == "blocks" else 0  # the decoder stays where it is
    weights, working = max((encoder, 0), (network + around, denoise), (decoder, decode), key=sum)
    return Placement(held, tiled, sliced, weights, working)


def choose(rungs: list[Placement], room: int) -> Placement:
    """The first that fits into `room` bytes; where none does, the smallest, which is then refused with its size."""
    return next((rung for rung in rungs if rung.bytes <= room), min(rungs, key=lambda rung: rung.bytes))


def below(rungs: list[Placement], placement: Placement) -> Placement | None:
    """The next rung, after memory ran out on this one."""
    at = next(place for place, rung in enumerate(rungs) if (rung.held, rung.tiled, rung.sliced) == (placement.held, placement.tiled, placement.sliced))
    return rungs[at + 1] if at + 1 < len(rungs) else None


def check_fits(need: int, room: int, field: str) -> None:
    """Raises ModelTooLarge at the field of the size, before the worker refuses it in words that are meant for a model."""
    if need > room:
        raise ModelTooLarge(f"This takes {need / 2**30:.1f} GB; {max(0, room) / 2**30:.1f} GB are free.", hint="Choose a smaller size, or raise the memory limit in Settings.", field=field)


def ran_out(error: BaseException) -> bool:
    """Whether memory ended: Python's, a device's, or the allocator's word for the computer's."""
    names = {kind.__name__ for kind in type(error).__mro__}
    told = str(error).lower()
    return bool(names & {"MemoryError", "OutOfMemoryError"}) or (isinstance(error, RuntimeError) and any(words in told for words in ("not enough memory", "out of memory", "can't allocate memory")))
