"""What is on a picture, said as people say it in a prompt, in English and in Japanese. No model, no picture: words only."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import NamedTuple

# (English, Japanese adjective as it stands before a noun, Japanese noun), hue in turns, saturation, value
COLOURS: dict[str, tuple[str, str, tuple[float, float, float]]] = {
    "red": ("赤い", "赤", (0.0, 0.85, 0.9)), "orange": ("オレンジ色の", "オレンジ色", (0.075, 0.9, 0.97)), "yellow": ("黄色い", "黄色", (0.145, 0.85, 0.98)), "green": ("緑の", "緑", (0.34, 0.7, 0.7)),
    "blue": ("青い", "青", (0.6, 0.8, 0.88)), "purple": ("紫の", "紫", (0.77, 0.65, 0.75)), "pink": ("ピンクの", "ピンク", (0.92, 0.5, 0.98)), "black": ("黒い", "黒", (0.0, 0.05, 0.13)),
    "gray": ("灰色の", "灰色", (0.0, 0.0, 0.6)), "white": ("白い", "白", (0.0, 0.0, 0.98)),
}  # fmt: skip
ADJECTIVES = {"赤", "青", "黒", "白", "黄色"}  # 赤い; the others take の
PLACES = {"left": "左", "right": "右", "top": "上", "bottom": "下"}
COUNTS = {2: ("two", "二つ", "2"), 3: ("three", "三つ", "3")}
COUNTERS = ("つ", "匹", "個", "本", "頭", "人")


class Name(NamedTuple):
    """One thing's names as this scene says them; `label` is the set's own English one."""

    english: str
    japanese: str
    label: str


@dataclass(frozen=True)
class Scene:
    """What is drawn: one or two names, a colour, how many, where, how large, on which background."""

    names: tuple[Name, ...]
    colour: str = ""
    count: int = 1
    place: str = ""
    small: bool = False
    background: str = ""


def article(name: str) -> str:
    return f"an {name}" if name[:1] in "aeiou" else f"a {name}"


def plural(name: str) -> str:
    head, _, last = name.rpartition(" ")
    many = last if last.endswith("s") else last[:-1] + "ies" if last.endswith("y") and last[-2:-1] not in "aeiou" else last + ("es" if last.endswith(("sh", "ch", "x")) else "s")
    return f"{head} {many}".strip()


def english(scene: Scene, pick: random.Random) -> str:
    """One of the ways to say it."""
    name = " ".join(part for part in (scene.colour, scene.names[0].english) if part)
    if len(scene.names) > 1:
        second = scene.names[1].english
        said = pick.choice(("{} and {}", "{} and {}", "{} next to {}")).format(*(article(part) if pick.random() < 0.4 else part for part in (name, second)))
    elif scene.count > 1:
        said = f"{pick.choice((*COUNTS[scene.count][:1] * 3, COUNTS[scene.count][2]))} {plural(name)}"
    else:
        said = f"small {name}" if scene.small else name
        said = article(said) if pick.random() < 0.35 else said
    if scene.place:
        said += f" on the {scene.place}"
    if scene.background:
        said += pick.choice((" on a {} background", " on a {} background", ", {} background", " with a {} background")).format(scene.background)
    return pick.choice(("sticker of {}", "{} sticker", "{} emoji", "a picture of {}")).format(said) if pick.random() < 0.1 else said


def japanese(scene: Scene, pick: random.Random) -> str:
    """The same in Japanese."""
    name = (coloured(scene.colour, pick) if scene.colour else "") + scene.names[0].japanese
    if len(scene.names) > 1:
        said = f"{name}と{scene.names[1].japanese}"
    elif scene.count > 1:
        said = counted(name, scene.count, pick)
    else:
        said = pick.choice(("小さい", "小さな")) + name if scene.small else name
    if scene.place:
        said = pick.choice(("{1}に{0}", "{1}側に{0}", "{1}の{0}")).format(said, PLACES[scene.place])
    if scene.background:
        noun = COLOURS[scene.background][1]
        said = pick.choice(("{1}の背景に{0}", "{0}、{1}の背景", "{2}背景に{0}", "{2}背景の{0}", "{1}の背景の{0}")).format(said, noun, noun + ("い" if noun in ADJECTIVES else "の"))
    return pick.choice(("{}のステッカー", "{}の絵文字", "{}の絵")).format(said) if pick.random() < 0.1 else said


def coloured(word: str, pick: random.Random) -> str:
    """赤い, now and then 赤色の."""
    adjective, noun, _ = COLOURS[word]
    return adjective if pick.random() < 0.75 or noun.endswith("色") else noun + "色の"


def counted(name: str, count: int, pick: random.Random) -> str:
    """二つの猫, 2匹の猫, 猫二つ: whichever counter, the picture is the same."""
    word, digit = COUNTS[count][1:]
    number = word if pick.random() < 0.5 else pick.choice((word[0], digit)) + pick.choice(COUNTERS)
    return number + "の" + name if pick.random() < 0.7 else name + number


def canonical(scene: Scene) -> str:
    """The same in the set's own English words, always in one way: what an earlier run's text encoder knows best."""
    name = " ".join(part for part in (scene.colour, scene.names[0].label) if part)
    if len(scene.names) > 1:
        said = f"{name} and {scene.names[1].label}"
    else:
        said = f"{COUNTS[scene.count][0]} {plural(name)}" if scene.count > 1 else f"small {name}" if scene.small else name
    said += f" on the {scene.place}" if scene.place else ""
    return said + (f" on a {scene.background} background" if scene.background else "")
