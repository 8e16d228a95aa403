"""English words for what is written in figures and signs: where the engines' own reading is weak, and everything that say-as can ask for."""

from __future__ import annotations

import re

ONES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SCALES = ((10**15, "quadrillion"), (10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"))
IRREGULAR = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]
MONEY = {"$": ("dollar", "dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"), "¥": ("yen", "yen", "sen", "sen")}
SIGNS = {
    ".": "dot", ",": "comma", "-": "dash", "_": "underscore", "/": "slash", "\\": "backslash", "@": "at", "#": "hash", "&": "and", "+": "plus", "*": "star", ":": "colon", ";": "semicolon",
    "!": "exclamation mark", "?": "question mark", "(": "open bracket", ")": "close bracket", "=": "equals", "%": "percent", "$": "dollar", "'": "apostrophe", '"': "quote", "~": "tilde",
}  # fmt: skip
FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}
NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"


def cardinal(value: int) -> str:
    """ "minus one thousand two hundred five"; figures one by one beyond quadrillions."""
    if value < 0:
        return f"minus {cardinal(-value)}"
    if value < 20:
        return ONES[value]
    if value < 100:
        return TENS[value // 10] + (f" {ONES[value % 10]}" if value % 10 else "")
    if value < 1000:
        return f"{ONES[value // 100]} hundred" + (f" {cardinal(value % 100)}" if value % 100 else "")
    if value >= 10**18:
        return digits(str(value))
    scale, name = next(pair for pair in SCALES if value >= pair[0])
    return f"{cardinal(value // scale)} {name}" + (f" {cardinal(value % scale)}" if value % scale else "")


def ordinal(value: int) -> str:
    head, _, last = cardinal(value).rpartition(" ")
    last = IRREGULAR.get(last) or (f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")
    return f"{head} {last}".strip()


def digits(text: str) -> str:
    return " ".join(ONES[int(letter)] for letter in text if letter.isdecimal())


def year(value: int) -> str:
    if 1000 < value < 10000 and value % 1000 >= 10:
        head, rest = divmod(value, 100)
        return f"{cardinal(head)} {'hundred' if not rest else f'oh {ONES[rest]}' if rest < 10 else cardinal(rest)}"
    return cardinal(value)


def characters(text: str) -> str:
    """Letter by letter, as an engine spells: capitals with stops between."""
    said = []
    for letter in text:
        if letter.isdecimal():
            said.append(ONES[int(letter)])
        elif letter.isalpha():
            said.append(f"{letter.upper()}.")
        elif letter.strip():
            said.append(SIGNS.get(letter, ""))
    return " ".join(word for word in said if word)


def telephone(text: str) -> str:
    """Figures one by one, a little rest between the groups."""
    groups = re.findall(r"\d+|\+|[A-Za-z]+", text)
    said = ["plus" if group == "+" else digits(group) if group.isdecimal() else characters(group) for group in groups]
    return re.sub(r"plus, ", "plus ", ", ".join(said))


def date(text: str, order: str = "") -> str:
    """ "2024-03-05", "3/5/2024" (month first, as Americans write, unless `order` is "dmy"), "5.3.2024" (day first), "mdy", "ymd", "md", "dm", "y" …; "" where that is no day."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if not order:
        order = "ymd" if re.match(r"\d{4}", text) else "dmy" if "." in text else "mdy"
        order = order[: len(numbers)] if order == "ymd" or len(numbers) < 3 else order
    if len(numbers) != len(order) or not re.fullmatch(r"[ymd]{1,3}", order) or len(set(order)) != len(order) or re.search(r"[A-Za-z]", text):
        return ""
    found = dict(zip(order, numbers, strict=True))
    if "y" in found and found["y"] < 100 and len(re.findall(r"\d+", text)[order.index("y")]) <= 2:
        found["y"] += 1900 if found["y"] > 30 else 2000
    if not (1 <= found.get("m", 1) <= 12 and 1 <= found.get("d", 1) <= 31):
        return ""
    said = " ".join(([MONTHS[found["m"] - 1]] if "m" in found else []) + ([ordinal(found["d"])] if "d" in found else []))
    return ", ".join(([said] if said else []) + ([year(found["y"])] if "y" in found else []))


def clock(text: str) -> str:
    """ "14:30", "2:05:09", "10:30pm", "5 a.m."; "" where that is no time."""
    found = re.fullmatch(r"(\d{1,2})(?::(\d{2}))?(?::(\d{2}))?\s*(?:([aApP])\.?[mM]\.?)?", text.strip())
    if not found or int(found[1]) > 24 or int(found[2] or 0) > 59 or int(found[3] or 0) > 59 or not (found[2] or found[4]):
        return ""
    said = cardinal(int(found[1]))
    minutes = int(found[2] or 0)
    if minutes:
        said += f" oh {ONES[minutes]}" if minutes < 10 else f" {cardinal(minutes)}"
    elif not found[4]:
        said += " o'clock" if int(found[1]) <= 12 and not found[3] else " hundred hours" if not found[3] else ""
    if found[3]:
        said += f" and {_counted(int(found[3]), 'second', 'seconds')}"
    return said + (f" {found[4].upper()}.M." if found[4] else "")


def decimal(text: str) -> str:
    """ "1,234.50" as "one thousand … point five zero"; "" where that is no number."""
    found = re.fullmatch(rf"([+-−]?)({NUMBER})(?:\.(\d+))?", text.strip())
    if not found:
        return ""
    sign = {"-": "minus ", "−": "minus ", "+": "plus "}.get(found[1], "")
    return sign + cardinal(int(found[2].replace(",", ""))) + (f" point {digits(found[3])}" if found[3] else "")


def currency(text: str) -> str:
    """ "$12.50" as "twelve dollars and fifty cents"; "" where that is no sum."""
    found = re.fullmatch(rf"([$€£¥])\s*({NUMBER})(?:\.(\d{{1,2}}))?|({NUMBER})(?:\.(\d{{1,2}}))?\s*([$€£¥])", text.strip())
    if not found:
        return ""
    sign, whole, part = (found[1], found[2], found[3]) if found[1] else (found[6], found[4], found[5])
    names, units, cents = MONEY[sign], int(whole.replace(",", "")), int((part or "0").ljust(2, "0"))
    said = [_counted(units, names[0], names[1])] if units or not cents else []
    return " and ".join(said + ([_counted(cents, names[2], names[3])] if cents else []))


def fraction(text: str) -> str:
    """ "3/4", "2 1/2"; "" where that is none."""
    found = re.fullmatch(r"(?:(\d+)[ +])?(\d+)\s*/\s*(\d+)", text.strip())
    if not found or not int(found[3]):
        return ""
    upper, lower = int(found[2]), int(found[3])
    name = FRACTIONS[lower][upper != 1] if lower in FRACTIONS else ordinal(lower) + ("" if upper == 1 else "s")
    return (f"{cardinal(int(found[1]))} and " if found[1] else "") + f"{cardinal(upper)} {name}"


def say_english(text: str, how: str, form: str = "") -> str:
    """The words of say-as; "" where the text is nothing of that kind."""
    if how in ("characters", "spell-out", "verbatim"):
        return characters(text)
    if how == "digits":
        return digits(text) if re.fullmatch(r"[\d\s.,\-]+", text) else ""
    if how == "ordinal":
        found = re.fullmatch(rf"({NUMBER})(?:st|nd|rd|th)?", text)
        return ordinal(int(found[1].replace(",", ""))) if found else ""
    if how == "telephone":
        return telephone(text) if re.search(r"\d", text) else ""
    readers = {"cardinal": decimal, "number": decimal, "time": clock, "currency": currency, "fraction": fraction}
    return date(text, form.strip().lower()) if how == "date" else readers[how](text)


def _counted(value: int, one: str, many: str) -> str:
    return f"{cardinal(value)} {one if value == 1 else many}"


# -- where plain text is read wrongly by itself ------------------------------------------------------------------

PHONE = re.compile(r"(?<![\w.])\+?\d{0,3}[ .-]?\(?\d{3}\)[ .-]?\d{3}[ .-]\d{4}(?!\w)|(?<![\w.])\+\d{1,3}(?:[ .-]\d{2,4}){2,4}(?!\w)|(?<![\w.-])\d{3}-\d{3}-\d{4}(?![\w-])")
ISO_TIME = re.compile(r"\b(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)Z?\b")
ADDRESS = re.compile(r"\b(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?)]")
MAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
ALWAYS = re.compile(r"\b24/7\b")
MIXED = re.compile(r"\b(\d+) (\d)/(\d{1,2})\b")
VERSION = re.compile(r"\b[vV](\d+(?:\.\d+)+)\b")
KILO = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)[kK]\b")
ANDS = re.compile(r"\betc\.(?=\s+[a-z])")
DAY_FIRST = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")


def spelled(text: str) -> str:
    """Telephone numbers, addresses, times and the like in words; all else as it was."""
    text = ADDRESS.sub(lambda found: _address(found[0]), text)
    text = MAIL.sub(lambda found: _address(found[0]), text)
    text = PHONE.sub(lambda found: telephone(found[0]), text)
    text = ISO_TIME.sub(lambda found: f"{date(found[1]) or found[1]}, {clock(found[2]) or found[2]}", text)
    text = DAY_FIRST.sub(lambda found: date(found[0]) or found[0], text)
    text = ALWAYS.sub("twenty four seven", text)
    text = MIXED.sub(lambda found: fraction(found[0]) or found[0], text)
    text = VERSION.sub(lambda found: "version " + " point ".join(cardinal(int(part)) for part in found[1].split(".")), text)
    text = KILO.sub(lambda found: f"{found[1]} thousand", text)
    return ANDS.sub("et cetera", text)


def _address(text: str) -> str:
    text = re.sub(r"^https?://", "", text).rstrip("/")
    said = re.sub(r"[./@_\-+?=&#:~%]", lambda found: f" {SIGNS.get(found[0], '')} ", text)
    return re.sub(r"\s+", " ", re.sub(r"^www\b", "W.W.W.", said)).strip()
