"""Japanese text as Open JTalk reads it: words with their sound and accent, and pieces whose reading was given put in their place.

The front end's dictionary takes about 100 MB and 0.5 s to load: only workers and the small reading process import it.
"""

from __future__ import annotations

import unicodedata
from typing import Any

from pipelines.music.speech.engine import Phrase, Piece
from pipelines.music.speech.japanese import fall_of, moras

SMALL = set("ァィゥェォャュョヮッー")


def nodes_of(phrase: Phrase) -> list[Any]:
    """Open JTalk's words (NJD features), in order. Works without sudachidict, whose second opinion on kanji is not asked."""
    import pyopenjtalk

    text = "".join(_written(piece) for piece in phrase.pieces)
    nodes: list[Any] = [dict(node) for node in pyopenjtalk.run_frontend(text, use_sudachi_kanji_yomi=False)]
    begin = 0
    for piece in phrase.pieces:
        if piece.alphabet == "kana":
            begin = _put(nodes, piece, begin)
    return nodes


def _written(piece: Piece) -> str:
    if piece.alphabet == "ipa":
        return piece.text
    return fall_of(piece.reading)[0] if piece.alphabet == "kana" else piece.spoken


def _put(nodes: list[dict[str, Any]], piece: Piece, begin: int) -> int:
    """The words that spell the piece's sound become one word with its accent; where the front end made other words of it, they stay. Returns where to look on."""
    sound, fall = fall_of(piece.reading)
    for first in range(begin, len(nodes)):
        for last in range(first + 1, len(nodes) + 1):
            spelled = unicodedata.normalize("NFKC", "".join(node["string"] for node in nodes[first:last]))
            if spelled == sound:
                accent = fall if fall >= 0 else nodes[first]["acc"] if last == first + 1 else 0
                nodes[first:last] = [_word(nodes[first], sound, accent)]
                return first + 1
            if not sound.startswith(spelled):
                break
    return begin


def _word(node: dict[str, Any], sound: str, accent: int) -> dict[str, Any]:
    """A noun of this sound in the place of `node`."""
    about = {"string": sound, "orig": sound, "read": sound, "pron": sound, "pos": "名詞", "pos_group1": "固有名詞", "pos_group2": "一般", "pos_group3": "*", "ctype": "*", "cform": "*"}
    return node | about | {"acc": accent, "mora_size": moras(sound), "chain_rule": "C1", "chain_flag": node["chain_flag"] if node["chain_flag"] != 1 else 0}


def readings(text: str) -> list[tuple[str, str]]:
    """Each word as written, and how it sounds with ' where the pitch falls; marks have none. The words together are the text as Open JTalk normalises it."""
    found = []
    for node in nodes_of(Phrase((Piece(text),), "ja")):
        sound = "" if node["pos"] == "記号" else marked(node["pron"].replace("’", ""), int(node["acc"]))
        found.append((unicodedata.normalize("NFKC", node["string"]), sound))
    return found


def marked(sound: str, accent: int) -> str:
    """ "ハシ" with its pitch falling after the first mora as "ハ'シ"."""
    if accent <= 0 or not sound:
        return sound
    count = 0
    for place, letter in enumerate(sound):
        count += letter not in "ァィゥェォャュョヮ"
        following = sound[place + 1 : place + 2]
        if count == accent and (not following or following not in "ァィゥェォャュョヮ"):
            return f"{sound[: place + 1]}'{sound[place + 1 :]}"
    return sound
