"""Japanese readings: kana as it sounds, romaji into kana, and the words that say-as can ask for."""

from __future__ import annotations

import re
import unicodedata

KANA = re.compile(r"[\u3041-\u3096\u30a1-\u30fa\u30fcー・'’]+")
FIGURES = dict(zip("0123456789", ["ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー"], strict=True))
LETTERS = {
    "A": "エー", "B": "ビー", "C": "シー", "D": "ディー", "E": "イー", "F": "エフ", "G": "ジー", "H": "エイチ", "I": "アイ", "J": "ジェー",
    "K": "ケー", "L": "エル", "M": "エム", "N": "エヌ", "O": "オー", "P": "ピー", "Q": "キュー", "R": "アール",
    "S": "エス", "T": "ティー", "U": "ユー", "V": "ブイ", "W": "ダブリュー", "X": "エックス", "Y": "ワイ", "Z": "ゼット",
}  # fmt: skip
SIGNS = {"-": "ハイフン", ".": "ドット", "@": "アットマーク", "/": "スラッシュ", "_": "アンダーバー", "+": "プラス", "#": "シャープ", ":": "コロン", "&": "アンド", "%": "パーセント", "*": "アスタリスク"}
O_ROW = set("オコソトノホモヨロヲゴゾドボポョォ")
U_ROW = set("ウクスツヌフムユルグズヅブプュゥ")
E_ROW = set("エケセテネヘメレゲゼデベペェ")
ROWS = {
    "": "アイウエオ", "k": "カキクケコ", "s": "サシスセソ", "t": "タチツテト", "n": "ナニヌネノ", "h": "ハヒフヘホ", "m": "マミムメモ", "r": "ラリルレロ",
    "g": "ガギグゲゴ", "z": "ザジズゼゾ", "d": "ダヂヅデド", "b": "バビブベボ", "p": "パピプペポ",
}  # fmt: skip
WITH_Y = {"k": "キ", "s": "シ", "t": "チ", "n": "ニ", "h": "ヒ", "m": "ミ", "r": "リ", "g": "ギ", "z": "ジ", "j": "ジ", "b": "ビ", "p": "ピ", "d": "ヂ"}
ROMAJI = {
    **{f"{head}{vowel}": kana for head, row in ROWS.items() for vowel, kana in zip("aiueo", row, strict=True)},
    **{f"{head}y{vowel}": kana + small for head, kana in WITH_Y.items() for vowel, small in zip("auo", "ャュョ", strict=True)},
    **{f"{head}{vowel}": kana + small for head, kana in {"sh": "シ", "ch": "チ", "j": "ジ"}.items() for vowel, small in zip("auoe", "ャュョェ", strict=True)},
    "ya": "ヤ", "yu": "ユ", "yo": "ヨ", "wa": "ワ", "wo": "ヲ", "shi": "シ", "chi": "チ", "tsu": "ツ", "fu": "フ", "ji": "ジ", "vu": "ヴ",
    "fa": "ファ", "fi": "フィ", "fe": "フェ", "fo": "フォ", "di": "ディ", "wi": "ウィ", "we": "ウェ", "va": "ヴァ", "vi": "ヴィ", "ve": "ヴェ", "vo": "ヴォ",
}  # fmt: skip
LONG = {"ā": "aー", "ī": "iー", "ū": "uー", "ē": "eー", "ō": "oー", "â": "aー", "î": "iー", "û": "uー", "ê": "eー", "ô": "oー"}


def katakana(text: str) -> str:
    return "".join(chr(ord(letter) + 0x60) if "ぁ" <= letter <= "ゖ" else letter for letter in unicodedata.normalize("NFKC", text))


def hiragana(text: str) -> str:
    return "".join(chr(ord(letter) - 0x60) if "ァ" <= letter <= "ヶ" else letter for letter in text)


def sound_of(kana: str) -> str:
    """A reading as it sounds, in katakana. Hiragana is spelling: とうきょう sounds トーキョー, せんせい センセー. Katakana is taken as the sound itself."""
    spelled = any("ぁ" <= letter <= "ゖ" for letter in kana)
    letters = katakana(kana.replace("’", "'"))
    if not spelled:
        return letters
    sound = ""
    for letter in letters:
        last = sound.replace("'", "")[-1:]
        long = (letter == "ウ" and (last in O_ROW or last in U_ROW)) or (letter == "イ" and last in E_ROW)
        sound += "ー" if long and last else letter
    return sound


def romaji_to_kana(text: str) -> str:
    """ "tōkyō", "toukyou", "shimbun" as they sound in katakana; ' after the mora where the pitch falls; "" where that is no romaji.

    Source: Hepburn as in ISO 3602 and its common variants.
    """
    rest = "".join(LONG.get(letter, letter) for letter in unicodedata.normalize("NFC", text.lower().strip().replace(" ", "").replace("-", "")))
    kana = ""
    while rest:
        if rest[0] in "ー'’":
            kana, rest = kana + ("ー" if rest[0] == "ー" else "'"), rest[1:]
            continue
        if re.match(r"[nm](?![aiueoy])", rest) and (rest[0] == "n" or rest[1:2] in ("b", "p", "m")):
            kana, rest = kana + "ン", rest[1:]
            rest = rest[1:] if rest[:1] in ("'", "’") and rest[1:2] in tuple("aiueoy") else rest  # shin'ya
            continue
        if len(rest) > 1 and (rest[0] == rest[1] or rest.startswith("tch")) and rest[0] not in "aiueon":
            kana, rest = kana + "ッ", rest[1:]
            continue
        size = next((size for size in (3, 2, 1) if rest[:size] in ROMAJI), 0)
        if not size:
            return ""
        kana, rest = kana + ROMAJI[rest[:size]], rest[size:]
    return sound_of(hiragana(kana))


def fall_of(sound: str) -> tuple[str, int]:
    """A sound without its mark, and after which mora the pitch falls; -1 where nothing is said of it."""
    if "'" not in sound:
        return sound, -1
    head, _, tail = sound.partition("'")
    return head + tail.replace("'", ""), moras(head)


def moras(kana: str) -> int:
    return sum(letter not in "ァィゥェォャュョヮ" for letter in kana)


def digits(text: str) -> str:
    return "、".join("".join(FIGURES[letter] for letter in group) for group in re.findall(r"\d+", unicodedata.normalize("NFKC", text)))


def characters(text: str) -> str:
    """Letter by letter; kana and kanji as they are, with a little rest between."""
    letters = [letter for letter in unicodedata.normalize("NFKC", text) if letter.strip()]
    return "、".join(FIGURES.get(letter) or LETTERS.get(letter.upper()) or SIGNS.get(letter) or letter for letter in letters)


def say_japanese(text: str, how: str, form: str = "") -> str:
    """The words of say-as; "" where the text is nothing of that kind."""
    text = unicodedata.normalize("NFKC", text)
    numbers = [int(number) for number in re.findall(r"\d+", text.replace(",", ""))]
    if how in ("characters", "spell-out", "verbatim"):
        return characters(text)
    if how in ("digits", "telephone"):
        return digits(text) if re.fullmatch(r"[\d\s.,+()\-ー−]+", text) and numbers else ""
    if how in ("cardinal", "number"):
        found = re.fullmatch(r"([+-]?)([\d,]+(?:\.\d+)?)", text)
        return {"-": "マイナス", "+": "プラス"}.get(found[1], "") + found[2].replace(",", "") if found else ""
    if how == "ordinal":
        return f"{numbers[0]}番目" if re.fullmatch(r"第?\d+(?:番目?)?", text) else ""
    if how == "date":
        return _date(text, numbers, form.strip().lower())
    if how == "time":
        found = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", text)
        if not found or int(found[1]) > 24 or int(found[2]) > 59 or int(found[3] or 0) > 59:
            return ""
        return f"{int(found[1])}時" + (f"{int(found[2])}分" if int(found[2]) or found[3] else "") + (f"{int(found[3])}秒" if found[3] else "")
    if how == "currency":
        found = re.fullmatch(r"([¥$€£]?)([\d,]+)([¥$€£円]?)", text)
        names = {"¥": "円", "円": "円", "$": "ドル", "€": "ユーロ", "£": "ポンド"}
        return found[2].replace(",", "") + names[found[1] or found[3]] if found and (found[1] or found[3]) else ""
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    return f"{int(found[2])}分の{int(found[1])}" if found and int(found[2]) else ""


def _date(text: str, numbers: list[int], order: str) -> str:
    order = order or ("ymd" if len(numbers) == 3 else "md" if len(numbers) == 2 else "y")
    if len(order) != len(numbers) or not re.fullmatch(r"[ymd]{1,3}", order) or len(set(order)) != len(order):
        return ""
    found = dict(zip(order, numbers, strict=True))
    if not (1 <= found.get("m", 1) <= 12 and 1 <= found.get("d", 1) <= 31):
        return ""
    return "".join(f"{found[part]}{name}" for part, name in (("y", "年"), ("m", "月"), ("d", "日")) if part in found)
