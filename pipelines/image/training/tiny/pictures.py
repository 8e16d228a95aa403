"""Scenes drawn from the pictures of the set: recoloured, counted, placed, paired, on a background; with their captions."""

from __future__ import annotations

import colorsys
import random
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from pipelines.image.training.tiny.captions import COLOURS, PLACES, Name, Scene, canonical, english, japanese
from pipelines.image.training.tiny.names import Concept

SIDE = 128
RECOLOURED = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "gray")
BACKGROUNDS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "black", "gray")
POINTS = {"left": (0.27, 0.5), "right": (0.73, 0.5), "top": (0.5, 0.27), "bottom": (0.5, 0.73)}
SUGGESTED_WEIGHT = 16.0  # the other animals and foods are only kept in mind
RECOLOURED_SHARE, FLIPPED = 0.22, 0.1
ENOUGH_COLOUR = 0.25  # a picture with less coloured area can't show a colour word


@lru_cache(maxsize=2000)
def cut_out(path: str) -> Image.Image:
    """The picture without its margin, RGBA."""
    with Image.open(path) as source:
        picture = source.convert("RGBA")
    return picture.crop(picture.getchannel("A").getbbox())


def shade(name: str, pick: random.Random) -> tuple[int, int, int]:
    """A colour of that name, a little different each time."""
    hue, saturation, value = COLOURS[name][2]
    wobble = (pick.uniform(-0.02, 0.02), pick.uniform(-0.08, 0.08) if saturation > 0.1 else 0.0, pick.uniform(-0.06, 0.02))
    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb((hue + wobble[0]) % 1, min(1, max(0, saturation + wobble[1])), min(1, max(0, value + wobble[2]))))  # type: ignore[return-value]


def recolour(picture: Image.Image, name: str) -> tuple[Image.Image, float]:
    """The picture with its main hue turned to that colour, and the share of its area that had one (0 to 1)."""
    rgba = np.asarray(picture).astype(np.float32) / 255
    hsv = np.asarray(picture.convert("RGB").convert("HSV")).astype(np.float32) / 255
    hue, saturation, value, alpha = hsv[..., 0], hsv[..., 1], hsv[..., 2], rgba[..., 3]
    coloured = np.clip((saturation - 0.12) / 0.2, 0, 1)
    share = float((coloured * (alpha > 0.5)).sum() / max(1.0, float((alpha > 0.5).sum())))
    main = np.angle((saturation * alpha * (value > 0.15) * np.exp(2j * np.pi * hue)).sum()) / (2 * np.pi)
    target, strength, light = COLOURS[name][2]
    off = ((hue - main + 0.5) % 1) - 0.5
    if name in ("black", "gray"):
        new = (hue, saturation * 0.06, value * 0.35 + 0.03 if name == "black" else np.clip(value * 0.75 + 0.05, 0, 1))
    else:
        full = np.clip(0.45 * saturation + 0.55 * strength, 0, 1)
        new = ((target + 0.15 * off) % 1, coloured * full + (1 - coloured) * saturation, value * (1 - coloured) + coloured * np.clip(value * light / 0.9, 0, 1))
    turned = Image.fromarray((np.stack(np.broadcast_arrays(*new), -1) * 255).astype(np.uint8), "HSV").convert("RGB")
    turned.putalpha(picture.getchannel("A"))
    return turned, share


def paste(canvas: Image.Image, picture: Image.Image, size: float, point: tuple[float, float]) -> None:
    """Its longer side is `size` of the canvas, its middle at `point`, kept inside."""
    scale = size * SIDE / max(picture.size)
    width, height = (max(4, round(side * scale)) for side in picture.size)
    left = min(max(0, round(point[0] * SIDE - width / 2)), max(0, SIDE - width))
    top = min(max(0, round(point[1] * SIDE - height / 2)), max(0, SIDE - height))
    canvas.alpha_composite(picture.resize((width, height), Image.Resampling.LANCZOS), (left, top))


class Painter:
    """Draws scene number n, the same each time: picture as uint8 [128, 128, 3]; captions in English, Japanese, and English in the set's own words.

    More than half are one thing in the middle, as it is; the rest shows a colour (about 15 in 100), a background (15), two or three (9), a place or size (6), a pair (5).
    """

    def __init__(self, known: list[Concept]) -> None:
        self.known = known
        self.weights = [SUGGESTED_WEIGHT if concept.suggested else 1.0 for concept in known]

    def draw(self, number: int) -> tuple[Any, str, str, str]:
        pick = random.Random(number)
        concept = pick.choices(self.known, self.weights)[0]
        scene, layers = self._scene(concept, pick)
        colour = shade(scene.background, pick) if scene.background else (255, 255, 255)
        canvas = Image.new("RGBA", (SIDE, SIDE), (*colour, 255))
        for picture, size, point in layers:
            paste(canvas, picture, size * (0.92 if scene.background else 1.0), point)
        return np.asarray(canvas.convert("RGB")), english(scene, pick), japanese(scene, pick), canonical(scene)

    def _scene(self, concept: Concept, pick: random.Random) -> tuple[Scene, list[tuple[Image.Image, float, tuple[float, float]]]]:
        kind = pick.random()
        picture, colour = self._coloured(cut_out(str(concept.file)), pick)
        if pick.random() < FLIPPED:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        names = (self._name(concept, colour, pick),)
        background = pick.choice([name for name in BACKGROUNDS if name != colour]) if pick.random() < 0.15 else ""
        if kind < 0.05:
            other = pick.choices(self.known, self.weights)[0]
            layers = [(picture, 0.48, (0.26, 0.5)), (cut_out(str(other.file)), 0.48, (0.74, 0.5))]
            return Scene((*names, self._name(other, "", pick)), colour=colour, background=background), layers
        if kind < 0.14:
            count = pick.choice((2, 2, 3))
            points = [(0.26, 0.5), (0.74, 0.5)] if count == 2 else [(0.5, 0.27), (0.26, 0.74), (0.74, 0.74)]
            return Scene(names, colour=colour, count=count, background=background), [(picture, 0.46, point) for point in points]
        if kind < 0.2:
            small, place = pick.random() < 0.5, pick.choice(list(PLACES)) if pick.random() < 0.7 else ""
            point = POINTS[place] if place else (0.5, 0.5)
            return Scene(names, colour=colour, small=small or not place, place=place, background=background), [(picture, pick.uniform(0.4, 0.5), point)]
        size = pick.uniform(0.9, 0.96)
        return Scene(names, colour=colour, background=background), [(picture, size, (0.5 + pick.uniform(-0.01, 0.01), 0.5 + pick.uniform(-0.01, 0.01)))]

    @staticmethod
    def _coloured(picture: Image.Image, pick: random.Random) -> tuple[Image.Image, str]:
        """Now and then in another colour, where the picture can show one."""
        if pick.random() >= RECOLOURED_SHARE:
            return picture, ""
        wanted = pick.choice(RECOLOURED)
        turned, share = recolour(picture, wanted)
        return (turned, wanted) if share > ENOUGH_COLOUR else (picture, "")

    @staticmethod
    def _name(concept: Concept, colour: str, pick: random.Random) -> Name:
        """Its usual name half of the time; a recoloured “red apple” is called “blue apple”, not “blue red apple”."""
        said = [pick.choice(names) if pick.random() < 0.5 else names[0] for names in (concept.english, concept.japanese)]
        if not colour:
            return Name(said[0], said[1], concept.label)
        return Name(uncoloured(said[0]), uncoloured_japanese(said[1]), uncoloured(concept.label))


def uncoloured(name: str) -> str:
    return " ".join(word for word in name.split() if word not in COLOURS) or name


def uncoloured_japanese(name: str) -> str:
    for adjective, noun, _ in COLOURS.values():
        name = name.removeprefix(adjective).removeprefix(noun + "の").removeprefix(noun) or name
    return name
