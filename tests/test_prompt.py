"""The prompt language: parsed without loss, told at the character, scheduled as the ecosystem does."""

from __future__ import annotations

import random
import time

import pytest

from pipelines.image.prompt.grammar import Comment, PromptError, networks, parse
from pipelines.image.prompt.schedule import Piece, at, parted, plain, schedule, weighs
from studio.api import BadInput

WORDS = ("cat", "a red fox", "AND", "BREAK", "HANDY", "x:0.5", " , ", "猫", "\\(", "\\]", "\\\\", "1.2", ":", "|x", "é", "\n", "<not this>", "__no", "Steps: 20, Seed: 1, Size: 2x2", "# not (this] {a|b\n", "\\#")


def written(pick: random.Random, depth: int = 0, *, inside: bool = False) -> str:
    """A random prompt, well formed; what looks like syntax in a wrong place is part of it."""
    return "".join(_piece(pick, depth, inside) for _ in range(pick.randint(0, 4)))


def _piece(pick: random.Random, depth: int, inside: bool) -> str:
    def inner() -> str:
        return written(pick, depth + 1, inside=True)

    kind = pick.randrange(12) if depth < 4 else 0
    number = pick.choice(("1.2", "0.85", "-1", "2", ".5", "1.20 "))
    if kind == 1:
        return f"({inner()}:{number})"
    if kind == 2:
        return f"({inner()})"
    if kind == 3:
        return f"[{inner()}]"
    if kind == 4:
        return f"[{inner()}:{inner()}:{pick.choice(('0.5', '3', '12', '.25'))}]"
    if kind == 5:
        return f"[{'|'.join(inner() for _ in range(pick.randint(2, 4)))}]"
    if kind == 6:
        return f"<lora:{pick.choice(('a b', 'x/y', '絵'))}:{number.strip()}>"
    if kind == 7:
        return f"__{pick.choice(('animal', 'dir/name', 'a.b'))}__"
    if kind == 8:
        return f"{{{inner()}|{inner()}}}"
    if kind == 9 and not inside:
        return f" AND {inner()} :{number}"
    if kind == 10:
        return " BREAK "
    return pick.choice([word for word in WORDS if not (inside and word == "AND")])


def survive(count: int) -> None:
    pick = random.Random(20261124)
    kinds: set[str] = set()
    for number in range(count):
        text = written(pick)
        tree = parse(text)
        assert str(tree) == text, f"prompt {number}"
        assert parse(str(tree)) == tree
        kinds |= {type(node).__name__ for part in tree.parts for node in part.body.nodes}
    assert kinds == {"Text", "Emphasis", "Switch", "Alternate", "Choice", "Wildcard", "Network", "Break", "Comment"}, "each kind was met"


def test_generated_prompts_survive_parse_print_parse() -> None:
    survive(1500)


@pytest.mark.slow
def test_twenty_thousand_generated_prompts_survive_parse_print_parse() -> None:
    survive(20_000)


def test_any_text_is_read_or_refused_with_its_place() -> None:
    pick = random.Random(7)
    refused = 0
    for _ in range(3000):
        text = "".join(pick.choice("()[]{}<>:|\\_ ab1.AND BREAK") for _ in range(pick.randint(0, 40)))
        try:
            assert str(parse(text)) == text
        except PromptError as error:
            refused += 1
            assert 0 <= error.place < len(text) and error.field == "prompt"
    assert refused > 500


@pytest.mark.parametrize(
    ("text", "place", "sentence"),
    [("a (cat", 2, "never closed"), ("a cat)", 5, "closes nothing"), ("[x (y]", 3, "never closed"), ("((b)", 0, "never closed"), ("ok ]", 3, "closes nothing"), ("(" * 41 + ")" * 41, 40, "inside each other")],
)
def test_a_fault_is_told_at_its_character(text: str, place: int, sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence) as told:
        parse(text)
    assert told.value.place == place and told.value.hint


def test_a_hundred_thousand_letters_are_refused_and_hostile_ones_read_quickly() -> None:
    with pytest.raises(BadInput, match="100,000 letters"):
        parse("a" * 100_000)
    started = time.process_time()
    for hostile in ("{a|" * 5000, "{a (b|} " * 300 + ")" * 0, "\\" * 19_999, "[" * 30 + "]" * 30, "AND" * 6000, "{a|b}" * 3000):
        try:
            parse(hostile)
        except PromptError:
            pass
    assert time.process_time() - started < 10


def pieces(text: str, step: int = 0, steps: int = 10) -> list[tuple[str, float]]:
    return [(piece.text, round(piece.weight, 4)) for piece in at(schedule(parse(text), steps), step).sides[0].pieces]


def test_weights_multiply_and_signs_lose_their_backslash() -> None:
    assert pieces("a (b:1.2) c") == [("a ", 1.0), ("b", 1.2), (" c", 1.0)]
    assert pieces("((a))") == [("a", 1.21)] and pieces("[a]") == [("a", 0.9091)] and pieces("((a):2)") == [("a", 2.2)]
    assert pieces(r"\(a\) \[b\] \\") == [("(a) [b] \\", 1.0)]
    assert pieces("(a:b)") == [("a:b", 1.1)], "no number, no weight"


def test_what_stands_behind_a_number_sign_is_for_people() -> None:
    assert pieces("a cat # (not this] {a|b} AND\n, (red # no\n:1.2) \\# 1") == [("a cat \n, ", 1.0), ("red \n", 1.2), (" # 1", 1.0)]
    assert parse("# all of it").parts[0].body.nodes == (Comment("# all of it"),) and networks(parse("# <lora:x:1>")) == []
    assert len(schedule(parse("a # AND b"), 4)[0].sides) == 1


def test_a_point_makes_a_share_and_a_second_pass_goes_on() -> None:
    """As AUTOMATIC1111 counts since its version 1.6: shares of 1 to 2, and steps above the first pass's, are the second pass's."""
    assert [pieces("[cat:dog:1.0]", step)[0][0] for step in (0, 9)] == ["cat", "cat"] and [pieces("[cat:dog:1]", step)[0][0] for step in (0, 1)] == ["cat", "dog"]

    def second(text: str) -> list[tuple[int, str]]:
        return [(span.until, span.sides[0].text) for span in schedule(parse(text), 10, before=20)]

    assert second("[cat:dog:0.5]") == [(10, "dog")] and second("[cat:dog:1.5]") == [(5, "cat"), (10, "dog")]
    assert second("[cat:dog:12]") == [(10, "dog")] and second("[cat:dog:24]") == [(4, "cat"), (10, "dog")]


def test_words_change_at_their_step() -> None:
    assert [pieces("[cat:dog:0.5]", step)[0][0] for step in (0, 4, 5, 9)] == ["cat", "cat", "dog", "dog"]
    assert [pieces("x [dog:3]", step)[0][0] for step in (0, 2, 3)] == ["x", "x", "x dog"]
    assert [pieces("x [cat::3]", step)[0][0] for step in (0, 2, 3)] == ["x cat", "x cat", "x"]
    assert [pieces("[a|b|c]", step)[0][0] for step in range(4)] == ["a", "b", "c", "a"]
    assert [pieces("[a|b:c]", step)[0][0] for step in range(2)] == ["a", "b:c"]
    spans = schedule(parse("[cat:dog:0.5]"), 10)
    assert [span.until for span in spans] == [5, 10], "neighbours that say the same are one"


def test_prompts_side_by_side_and_new_chunks() -> None:
    sides = schedule(parse("a cat :1.2 AND a dog AND fog:0.5"), 4)[0].sides
    assert [(side.text, side.weight) for side in sides] == [("a cat", 1.2), ("a dog", 1.0), ("fog", 0.5)]
    assert schedule(parse("a BREAK (b BREAK c:2)"), 4)[0].sides[0].pieces == (Piece("a"), Piece("", 1.0, True), Piece("b", 2.0), Piece("c", 2.0, True))
    assert schedule(parse("cat:1.2"), 4)[0].sides[0].text == "cat:1.2", "without AND it is a word"


def test_networks_are_found_wherever_they_stand_and_not_read() -> None:
    found = networks(parse("a <lora:one:0.8> (b [<lyco:two:1:0.5>:x:3])"))
    assert [(item.kind, item.name, item.values) for item in found] == [("lora", "one", ["0.8"]), ("lyco", "two", ["1", "0.5"])]
    assert plain(parse("a <lora:one:0.8>(cat:1.3) AND [dog:fox:0.4]"), 20) == "a cat fox"
    assert plain(parse("[dog:fox:6] [a|b]"), 20) == "fox a" and plain(parse("[dog:fox:0.9]"), 20) == "dog", "as they stand for most of the steps"
    (span,) = schedule(parse("a (red:1.3) cat BREAK (b) AND (c:0.5):2"), 4)
    assert span.runs == [("a ", 1.0), ("red", 1.3), (" cat", 1.0), (" ", 1.0), ("b", 1.1), (" ", 1.0), ("c", 0.5)] and weighs([span]) and parted([span])
    assert not weighs(schedule(parse("a cat"), 4)) and weighs(schedule(parse("[a|b]"), 4)) and not parted(schedule(parse("[a|b] (c)"), 4))
