"""Which upscalers there are and which one a job takes: plain resizing, the network that comes along, the user's own. From headers; no torch."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from studio.api import Catalog, Fix, ModelBroken, ModelEntry, ModelMissing, StudioError

AUTOMATIC, SHIPPED, PLAIN = "Automatic", "Real-ESRGAN", ("Lanczos", "Nearest")
CHOICES = (AUTOMATIC, SHIPPED, *PLAIN)
WEIGHTS = Path(__file__).parent / "weights" / "upscaler" / "realesr-animevideov3-x4.safetensors"
SHIPPED_SCALE, SHIPPED_WIDTH = 4, 64
QUICK_NUMBERS = 3_000_000  # weights of a network that "Automatic" takes: none that needs minutes on a processor
ALIASES = {  # what other programs call the files that the studio fetches
    "r-esrgan 4x+": "realesrgan_x4plus", "realesrgan-x4plus": "realesrgan_x4plus", "r-esrgan 4x+ anime6b": "realesrgan_x4plus_anime_6b", "realesrgan-x4plus-anime": "realesrgan_x4plus_anime_6b",
}  # fmt: skip
TILES = (512, 384, 256, 192, 128, 96, 64, 48, 32)
MOST_TILE = {"cpu": 256, "mps": 256}  # of Stop: a layer of a larger tile takes too long on a processor
UNDIVIDED, UNDIVIDED_TILES = ("OmniSR",), (1024, 768, 512, 384)  # networks whose attention is laid over all they are given: the more of the picture that is, the better
AROUND = {"Compact": 24, "ESRGAN": 80, "SPAN": 80}  # pixels that a tile sees around it, at most
MOST_AROUND = 96
CONVOLVED = ("ESRGAN", "SPAN")  # other forms hold several copies of their layers at once
PICTURE_BYTES = 4  # of one pixel as pillow holds it


@dataclass(frozen=True)
class Enlarging:
    """What one job's network takes: bytes of its weights on the device, bytes besides, and how large its tiles are."""

    weights: int
    working: int
    tile: int


@lru_cache(maxsize=1)
def shipped() -> ModelEntry:
    """The network that is part of the studio."""
    size = WEIGHTS.stat().st_size
    details = {"scale": SHIPPED_SCALE, "width": SHIPPED_WIDTH, "numbers": size // 2}
    return ModelEntry(SHIPPED, str(WEIGHTS), "upscaler", "safetensors", size, SHIPPED, "Compact", "F16", source="built-in", details=details)


def networks(catalog: Catalog) -> list[ModelEntry]:
    """All that can be used, the one that comes along first."""
    return [shipped(), *(entry for entry in catalog.entries("upscaler") if not entry.problem and entry.format == "safetensors" and entry.key != SHIPPED)]


def find(name: str, catalog: Catalog, field: str = "upscaler") -> ModelEntry:
    """By key, title or file name, also as other programs write them. Raises ModelMissing with near names, ModelBroken."""
    if name == SHIPPED:
        return shipped()
    entries = catalog.entries("upscaler")
    wanted = ALIASES.get(name.lower(), name.lower())
    known = {each.lower(): entry for entry in reversed(entries) for each in (entry.key.rpartition("/")[2], entry.title, entry.key)}
    entry = known.get(wanted)
    if entry is None:
        titles = {choice.lower(): (choice, choice) for choice in CHOICES} | {word: (entry.title, entry.key) for word, entry in known.items()}
        near = list(dict.fromkeys(titles[word] for word in difflib.get_close_matches(wanted, titles, 3, 0.4)))
        hint = f"Did you mean {', '.join(title for title, _ in near)}?" if near else "Put it into the folder models/upscaler, or choose another one."
        raise ModelMissing(f"There is no upscaler “{name}” on this computer.", hint=hint, field=field, fix=Fix.use(field, near[0][1], near[0][0]) if near else Fix.use(field, AUTOMATIC))
    if entry.problem:
        raise ModelBroken(f"“{entry.title}” can't be used: {entry.problem}", hint="Choose another one.", field=field, fix=Fix.use(field, AUTOMATIC))
    return entry


def named(name: str, catalog: Catalog) -> str:
    """For a name that stands in a picture: what a job here calls it; any other ESRGAN is the network that comes along; "" where there is nothing like it."""
    own = next((choice for choice in CHOICES if choice.lower() == name.lower()), "")
    try:
        return own or find(PurePath(name.replace("\\", "/")).name.removesuffix(".pth").removesuffix(".safetensors"), catalog).key
    except StudioError:
        return SHIPPED if "esrgan" in name.lower() else ""


def settled(name: str, scale: float, catalog: Catalog, field: str = "upscaler") -> str:
    """The name that a job keeps: of the choices as they are, of a file its key. "Automatic" becomes the network that fits. Raises ModelMissing, ModelBroken."""
    if name in PLAIN:
        return name
    return automatic(scale, catalog).key if name == AUTOMATIC else find(name, catalog, field).key


def automatic(scale: float, catalog: Catalog) -> ModelEntry:
    """Of the quick networks the one made for this scale, else for the next larger one; of two alike the one that comes along, then the lighter one."""

    def rank(entry: ModelEntry) -> tuple[bool, int, bool, int]:
        own = int(entry.details.get("scale", 0))
        return own < scale, own if own >= scale else -own, entry.key != SHIPPED, int(entry.details.get("numbers", 0))

    fitting = [entry for entry in networks(catalog) if int(entry.details.get("scale", 0)) > 1 and int(entry.details.get("numbers", QUICK_NUMBERS)) <= QUICK_NUMBERS]
    return min(fitting, key=rank)


def does_nothing(name: str, scale: float, catalog: Catalog) -> bool:
    """At its own size only networks that clean a picture change it."""
    return scale <= 1 and (name in PLAIN or int(find(name, catalog).details.get("scale", 0)) != 1)


def enlarging(entry: ModelEntry, pixels: float, scale: float, device: str, room: int, *, smaller: bool = False, undivided: bool = False) -> Enlarging:
    """For a picture of so many pixels: the largest tile that fits into `room` bytes; `smaller` after that one did not. Networks that were loaded say that they are better `undivided`."""
    size = 2 if device == "cuda" else 4
    weights = int(entry.details.get("numbers", entry.bytes / 2)) * size
    held = int(pixels * (1 + scale * scale) * PICTURE_BYTES)
    each, around = tile_bytes(entry, size), AROUND.get(entry.architecture, MOST_AROUND) * int(entry.details.get("folded", 1))
    fitting = [tile for tile in TILES if tile <= MOST_TILE.get(device, TILES[0])]
    if undivided or entry.architecture in UNDIVIDED:
        fitting = [*UNDIVIDED_TILES, *fitting]
    tile = next((tile for tile in fitting if weights + held + each * min((tile + 2 * around) ** 2, max(pixels, 1)) <= room), TILES[-1])
    if smaller:
        tile = next((other for other in TILES if other <= tile / 2), TILES[-1])
    return Enlarging(weights, held + int(each * min((tile + 2 * around) ** 2, max(pixels, 1))), tile)


def tile_bytes(entry: ModelEntry, size: int) -> int:
    """A pixel of a tile at work: layers at the picture's size, and those at the result's; measured on the compact network and on ESRGAN."""
    width, scale = int(entry.details.get("width", 64)), max(1, int(entry.details.get("scale", 0)) or 4)
    if entry.architecture == "Compact":
        return 3 * (width + 3 * scale * scale) * size
    folded = int(entry.details.get("folded", 1))
    return int(((4 if entry.architecture in CONVOLVED else 24) * width / folded**2 + 3 * 64 * scale * scale) * size)


def upscaler_bytes(name: str, scales: tuple[float, ...], catalog: Catalog, device: str) -> int:
    """Weights of the network that a last stage needs; 0 where none of the scales enlarges. Raises ModelMissing, ModelBroken."""
    wanted = [scale for scale in scales if scale > 1]
    if not wanted or name in PLAIN:
        return 0
    entry = find(settled(name, wanted[0], catalog), catalog)
    return enlarging(entry, 0, wanted[0], device, 0).weights
