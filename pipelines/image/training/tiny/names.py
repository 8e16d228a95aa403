"""Which concepts the small model learns, what they are called in English and Japanese, and the names that the page suggests."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

ANIMALS = """monkey face, gorilla, dog face, dog, poodle, wolf, fox, raccoon, cat face, cat, black cat, lion, tiger face, tiger, leopard, horse face, horse, unicorn, zebra, deer,
cow face, cow, pig face, pig, goat, camel, giraffe, elephant, rhinoceros, hippopotamus, mouse face, hamster, rabbit face, rabbit, hedgehog, bear, polar bear, koala, panda, sloth,
kangaroo, chicken, hatching chick, baby chick, bird, penguin, eagle, duck, swan, owl, flamingo, peacock, parrot, frog, crocodile, turtle, snake, dragon face, dragon, T-Rex,
spouting whale, whale, dolphin, fish, tropical fish, shark, octopus, crab, lobster, snail, butterfly, honeybee, lady beetle, spider, bouquet, cherry blossom, rose, hibiscus,
sunflower, tulip, potted plant, evergreen tree, deciduous tree, palm tree, cactus, four leaf clover, maple leaf, mushroom"""
FOOD = """grapes, watermelon, tangerine, lemon, banana, pineapple, red apple, green apple, pear, peach, cherries, strawberry, blueberries, kiwi fruit, tomato, coconut, avocado,
eggplant, carrot, ear of corn, hot pepper, broccoli, bread, croissant, pretzel, pancakes, waffle, cheese wedge, hamburger, french fries, pizza, hot dog, sandwich, taco, egg,
popcorn, bento box, rice ball, curry rice, steaming bowl, spaghetti, sushi, fried shrimp, dango, soft ice cream, ice cream, doughnut, cookie, birthday cake, shortcake, cupcake,
chocolate bar, candy, lollipop, custard, honey pot, glass of milk, hot beverage, teapot, wine glass, tropical drink, beer mug, bubble tea"""
PLACES = """mountain, volcano, mount fuji, desert island, house, hut, office building, castle, Tokyo tower, church, fountain, tent, ferris wheel, carousel horse, locomotive,
bullet train, bus, ambulance, fire engine, police car, taxi, automobile, pickup truck, tractor, racing car, motorcycle, bicycle, skateboard, anchor, sailboat, ship, airplane, helicopter,
parachute, rocket, flying saucer, hourglass done, alarm clock, full moon, crescent moon, sun, sun with face, ringed planet, star, glowing star, cloud, cloud with rain,
cloud with lightning, tornado, rainbow, umbrella, snowflake, snowman, fire, droplet, water wave"""
THINGS = """jack-o-lantern, Christmas tree, balloon, party popper, wrapped gift, trophy, soccer ball, baseball, basketball, tennis, bowling, boxing glove, kite, pool 8 ball, crystal ball,
magic wand, video game, game die, teddy bear, artist palette, yarn, glasses, sunglasses, t-shirt, jeans, dress, kimono, backpack, running shoe, high-heeled shoe, crown, top hat,
ring, gem stone, bell, musical note, microphone, headphone, saxophone, trumpet, guitar, violin, drum, laptop, television, camera, magnifying glass tilted left, candle, light bulb,
books, red paper lantern, money bag, envelope, package, pencil, paintbrush, scissors, key, hammer, crossed swords, bomb, shield, gear, magnet, microscope, telescope, door, chair, bathtub"""
FACES = """grinning face, smiling face with sunglasses, smiling face with heart-eyes, thinking face, sleeping face, crying face, angry face, winking face, nerd face, partying face, skull,
clown face, ogre, goblin, ghost, alien, alien monster, robot, pile of poo, red heart, yellow heart, green heart, blue heart, purple heart, black heart, broken heart, heart on fire, collision"""
SUGGESTED: tuple[str, ...] = tuple(name.strip() for block in (ANIMALS, FOOD, PLACES, THINGS, FACES) for name in block.replace("\n", " ").split(","))
# What people write for a concept that is called otherwise
ALIASES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "automobile": (("car",), ("車", "自動車")), "deciduous tree": (("tree",), ("木",)), "evergreen tree": (("pine tree", "fir"), ("針葉樹",)), "dog face": (("dog", "puppy"), ("犬", "いぬ")),
    "cat face": (("cat", "kitten"), ("猫", "ねこ")), "rabbit face": (("bunny", "rabbit"), ("うさぎ",)), "tiger face": (("tiger",), ("とら", "虎")), "horse face": (("horse",), ("馬",)),
    "cow face": (("cow",), ("牛",)), "pig face": (("pig",), ("豚", "ぶた")), "mouse face": (("mouse",), ("ねずみ",)), "monkey face": (("monkey",), ("猿", "さる")), "dragon face": (("dragon",), ("竜", "ドラゴン")),
    "red apple": (("apple",), ("りんご",)), "hot beverage": (("coffee", "tea", "cup of coffee"), ("コーヒー", "お茶")), "soft ice cream": (("ice cream cone",), ("ソフトクリーム",)), "doughnut": (("donut",), ("ドーナツ",)),
    "hamburger": (("burger",), ("ハンバーガー",)), "birthday cake": (("cake",), ("ケーキ",)), "wrapped gift": (("gift", "present"), ("プレゼント",)), "sailboat": (("boat",), ("ヨット", "船")),
    "flying saucer": (("ufo",), ("UFO",)), "glowing star": (("shining star",), ("輝く星",)), "jack-o-lantern": (("pumpkin",), ("かぼちゃ",)), "grinning face": (("smiley", "happy face"), ("笑顔",)),
    "smiling face with sunglasses": (("cool face",), ("サングラスの顔",)), "smiling face with heart-eyes": (("face in love",), ("目がハートの顔",)), "red heart": (("heart",), ("ハート",)), "T-Rex": (("dinosaur",), ("恐竜",)),
    "honeybee": (("bee",), ("蜂",)), "lady beetle": (("ladybug",), ("てんとう虫",)), "ear of corn": (("corn",), ("とうもろこし",)), "game die": (("dice",), ("さいころ",)), "locomotive": (("steam train",), ("機関車",)),
    "fire": (("flame",), ("炎", "火")), "ringed planet": (("planet", "saturn"), ("惑星", "土星")), "running shoe": (("shoe", "sneaker"), ("靴",)),
    "gem stone": (("diamond", "jewel"), ("宝石",)),
    "magnifying glass tilted left": (("magnifying glass",), ("虫眼鏡",)), "hourglass done": (("hourglass",), ("砂時計",)), "french fries": (("fries",), ("ポテト",)), "spouting whale": (("whale",), ("クジラ",)),
    "steaming bowl": (("ramen", "noodles"), ("ラーメン",)), "potted plant": (("plant",), ("植物",)), "tangerine": (("orange fruit",), ("みかん",)), "video game": (("game controller",), ("ゲーム機",)),
}  # fmt: skip
TAKEN_GROUPS = {3, 4}  # animals and nature, food and drink: all of them, beside the suggested ones
PLAIN = re.compile(r"[^a-z0-9' -]")


@dataclass(frozen=True)
class Concept:
    """One picture of the set: its file, its English and Japanese names (the first is the usual one), whether the page suggests it."""

    code: str
    file: Path
    english: tuple[str, ...]
    japanese: tuple[str, ...]
    suggested: bool


def code_of(text: str) -> str:
    """A code point sequence without the variation selector: the two packages differ in it."""
    return text.lower().replace("-fe0f", "")


def concepts(pictures: Path, labels: Path) -> list[Concept]:
    """Everything that is learned, from the unpacked packages. Raises KeyError where a suggested name is not among the pictures."""
    files = {code_of(path.stem): path for path in sorted(pictures.glob("*.webp"))}
    english = {code_of(row["hexcode"]): row for row in json.loads((labels / "en" / "data.json").read_text(encoding="utf-8"))}
    japanese = {code_of(row["hexcode"]): row for row in json.loads((labels / "ja" / "data.json").read_text(encoding="utf-8"))}
    wanted = dict.fromkeys(SUGGESTED, True)
    found = []
    for code, row in english.items():
        name = row["label"]
        if code not in files or code not in japanese or (name not in wanted and row.get("group") not in TAKEN_GROUPS):
            continue
        more_english, more_japanese = ALIASES.get(name, ((), ()))
        own = PLAIN.sub("", name.lower())
        found.append(Concept(code, files[code], (own, *more_english), (japanese[code]["label"], *more_japanese), name in wanted))
        wanted.pop(name, None)
    if wanted:
        raise KeyError(f"no picture is called {', '.join(wanted)}")
    return found
