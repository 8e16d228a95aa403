"""Words that make a diffusion model draw in a manner: what is added to the prompt, and what is kept out."""

from __future__ import annotations

PRESETS: dict[str, tuple[str, str]] = {
    "Oil painting": ("oil painting, visible brush strokes, thick paint on canvas", "photo, smooth"),
    "Watercolour": ("watercolour painting, wet edges, paper texture, light washes", "photo, hard outlines"),
    "Impressionism": ("impressionist painting, broken colour, light of the open air", "photo, flat colours"),
    "Ukiyo-e": ("ukiyo-e woodblock print, flat colours, fine black outlines", "photo, shading"),
    "Ink drawing": ("ink drawing, black lines on white paper, hatching", "colour, photo"),
    "Pencil sketch": ("pencil sketch, graphite, soft shading on paper", "colour, photo"),
    "Comic": ("comic book art, bold outlines, flat colours", "photo, blurry"),
    "Anime": ("anime illustration, clean lines, cel shading", "photo, rough"),
    "Stained glass": ("stained glass window, lead lines, glowing colours", "photo"),
    "Low poly": ("low poly rendering, facets, simple shapes", "photo, fine detail"),
    "Pixel art": ("pixel art, few colours, clear squares", "photo, blurry"),
    "Clay": ("claymation, soft plasticine figures, studio light", "flat, drawing"),
}


def worded(prompt: str, preset: str) -> tuple[str, str]:
    """The prompt and the negative prompt."""
    words, against = PRESETS.get(preset, ("", ""))
    return ", ".join(part for part in (prompt.strip(), words) if part), against
