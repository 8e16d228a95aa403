"""Ideas for an empty page: examples that the model can draw, and tasks, each a whole set of settings that one click starts. No gradio."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from studio.i18n import Words

EXAMPLES: dict[str, dict[str, tuple[str, ...]]] = {
    "tiny": {"en": ("a red heart", "a panda on a yellow background", "a red car", "three strawberries", "a robot", "an owl"),
             "ja": ("赤いハート", "赤い車", "緑の背景にペンギン", "ロケット", "恐竜", "ひまわり")},
    "": {"en": ("a lighthouse on a cliff at dusk, oil painting", "portrait of an old fisherman, soft window light, 85mm", "a tiny house inside a glass jar, macro photo", "isometric game room, cozy, pixel art"),
         "ja": ("a lighthouse on a cliff at dusk, oil painting", "portrait of an old fisherman, soft window light, 85mm", "a tiny house inside a glass jar, macro photo", "isometric game room, cozy, pixel art")},
}  # fmt: skip
Traits = dict[str, Any]


def _any(traits: Traits) -> bool:
    return True


def _large(traits: Traits) -> bool:
    return traits.get("family") != "tiny"


def _joins(traits: Traits) -> bool:
    return _large(traits) and bool(traits.get("seamless"))


def _varies(traits: Traits) -> bool:
    return bool(traits.get("variation"))


@dataclass(frozen=True)
class Task:
    """`values` for any model, `small` over them for the one that comes along; `axes` make it a grid, there `small_axes`; `picture` asks for one first. `instead`: the page that does it for the model that comes along."""

    key: str
    icon: str
    title: str
    about: str
    values: dict[str, Any]
    small: dict[str, dict[str, Any]] = field(default_factory=dict)  # by language
    axes: dict[str, str] = field(default_factory=dict)
    small_axes: dict[str, dict[str, str]] = field(default_factory=dict)  # by language
    picture: bool = False
    instead: str = ""
    fits: Callable[[Traits], bool] = _any

    def values_for(self, traits: Traits, lang: str) -> dict[str, Any]:
        return self.values | (self.small.get(lang, self.small.get("en", {})) if traits.get("family") == "tiny" else {})

    def axes_for(self, traits: Traits, lang: str) -> dict[str, str]:
        return self.small_axes.get(lang, self.axes) if traits.get("family") == "tiny" else self.axes


TASKS = (
    Task("logo", "◆", "Logo", "Four signs to choose from", {"prompt": "minimal flat vector logo of a fox head, two colours, centered, plain white background", "negative_prompt": "photo, text, letters, gradient, busy", "count": 4},
         {"en": {"prompt": "{fox|owl|panda|tiger|lion|frog|octopus|penguin|unicorn|whale}", "negative_prompt": ""}, "ja": {"prompt": "{キツネ|フクロウ|パンダ|トラ|ライオン|カエル|タコ|ペンギン|ユニコーン|クジラ}", "negative_prompt": ""}}),
    Task("character", "☻", "Game character", "One character, nine variations", {"prompt": "full body game character, young ranger in a green cloak, concept art, plain background", "negative_prompt": "cropped, text, crowd", "seed": 7, "variation_strength": 0.2},
         {"en": {"prompt": "a ghost on a yellow background", "negative_prompt": "", "variation_strength": 0.0}, "ja": {"prompt": "黄色い背景にパンダ", "negative_prompt": "", "variation_strength": 0.0}},
         {"x_axis": "Variation seed", "x_values": "1-3", "y_axis": "Variation", "y_values": "0.15, 0.3, 0.45"},
         {"en": {"x_axis": "Prompt S/R", "x_values": "ghost, blue ghost, red ghost", "y_axis": "Prompt S/R", "y_values": "yellow, green, purple"},
          "ja": {"x_axis": "Prompt S/R", "x_values": "パンダ, 青いパンダ, 赤いパンダ", "y_axis": "Prompt S/R", "y_values": "黄色い, 緑の, 紫の"}}, fits=_varies),  # seeds hardly move the small one's pictures: words do
    Task("pattern", "▦", "Pattern", "Its edges join: a tile for fabric or a background", {"prompt": "seamless pattern of autumn leaves, flat illustration, evenly spread", "negative_prompt": "frame, border, text", "tiling": True}, fits=_joins),
    Task("pixel", "▚", "Pixel art", "Enlarged in whole pixels", {"prompt": "pixel art, 16-bit game sprite of a small castle on a hill, limited palette", "negative_prompt": "photo, blurry, smooth", "upscaler": "Nearest"},
         {"en": {"prompt": "{a castle|a robot|a sword|a ghost|a dinosaur|a crown|a dragon}", "negative_prompt": "", "count": 4, "upscale": 4.0}, "ja": {"prompt": "{城|ロボット|剣|おばけ|恐竜|王冠|ドラゴン}", "negative_prompt": "", "count": 4, "upscale": 4.0}}),
    Task("product", "◧", "Product picture", "On a clean background, with studio light", {"prompt": "product photo of a ceramic coffee cup on a wooden table, soft studio light, plain background, 85mm", "negative_prompt": "text, watermark, people, clutter", "count": 2}, fits=_large),
    Task("restyle", "◐", "Photo restyle", "Your photo in another style", {"prompt": "watercolour painting, soft edges, paper texture", "negative_prompt": "photo, text", "denoising_strength": 0.55}, picture=True, instead="style"),
)  # fmt: skip


def task(key: str) -> Task:
    return next(item for item in TASKS if item.key == key)


def examples(traits: Traits, lang: str) -> tuple[str, ...]:
    return EXAMPLES["tiny" if traits.get("family") == "tiny" else ""][lang]


def ideas(traits: Traits, words: Words, lang: str) -> str:
    """The empty page: what to do, examples and tasks to click; where there is no model, where to get one."""

    def say(text: str) -> str:
        return html.escape(words.say(lang, text))

    if not traits:
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{say("There is no image model on this computer. Add one in the Models tab.")}</div>'
    chips = "".join(f'<button type="button" data-example="{html.escape(text)}">{html.escape(text)}</button>' for text in examples(traits, lang))

    def card(item: Task) -> str:
        opens = f' data-opens="{item.instead}"' if item.instead and traits.get("family") == "tiny" else ""
        return f'<button type="button" data-task="{item.key}"{opens}><span aria-hidden="true">{item.icon}</span><b>{say(item.title)}</b><small>{say(item.about)}</small></button>'

    cards = "".join(card(item) for item in TASKS if item.fits(traits))
    return (
        f'<div class="studio-empty"><b lang="ja">生成</b><br>{say("Write what you want to see, or click an example: it is drawn at once.")}</div><div class="image-examples">{chips}</div>'
        f'<div class="image-tasks" role="group" aria-label="{say("Tasks")}">{cards}</div>'
    )
