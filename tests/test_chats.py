"""Chats as trees, and character cards."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from pathlib import Path

import pytest

from studio.api import BadInput
from tabs.characters import fill_names, read_character
from tabs.chats import Chat, from_turns, import_chat, title_of


def talk(*texts: str) -> Chat:
    return from_turns([{"role": "user" if n % 2 == 0 else "assistant", "content": text} for n, text in enumerate(texts)])


def texts(chat: Chat) -> list[str]:
    return [message.text for message in chat.path()]


def test_a_regenerated_answer_keeps_the_old_one() -> None:
    chat = talk("hi", "one")
    first = chat.path()[1]
    second = chat.add("assistant", "two", parent=first.parent)
    assert texts(chat) == ["hi", "two"] and chat.versions(second.id) == [first.id, second.id]
    chat.choose(second.id, -1)
    assert texts(chat) == ["hi", "one"]
    chat.choose(first.id, -1)
    assert texts(chat) == ["hi", "two"]


def test_an_edited_question_starts_anew_and_the_old_way_stays() -> None:
    chat = talk("a", "b", "c", "d")
    old = chat.path()[2]
    new = chat.edit(old.id, "C")
    assert texts(chat) == ["a", "b", "C"]
    chat.choose(new.id, -1)
    assert texts(chat) == ["a", "b", "c", "d"]


def test_an_edited_answer_keeps_what_followed() -> None:
    chat = talk("a", "b", "c", "d")
    chat.edit(chat.path()[1].id, "B")
    assert texts(chat) == ["a", "B", "c", "d"]


def test_removing_shows_another_version_or_ends_there() -> None:
    chat = talk("a", "b")
    other = chat.add("assistant", "B", parent=chat.path()[0].id)
    chat.remove(other.id)
    assert texts(chat) == ["a", "b"]
    chat.remove(chat.path()[0].id)
    assert texts(chat) == [] and chat.messages == {}


def test_a_branch_is_a_chat_of_its_own() -> None:
    chat = talk("a", "b", "c", "d")
    twin = chat.branch(chat.path()[1].id)
    twin.add("user", "x")
    assert texts(twin) == ["a", "b", "x"] and texts(chat) == ["a", "b", "c", "d"]


def test_export_and_import_lose_nothing() -> None:
    chat = talk("hello", "world")
    chat.add("assistant", "other", parent=chat.path()[0].id)
    assert import_chat(json.dumps(chat.to_json()).encode()).to_json() == chat.to_json()
    assert texts(import_chat(b'[{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]')) == ["u"]
    assert "**You**\n\nhello" in chat.to_markdown()


@pytest.mark.parametrize(
    "raw", [b"", b"no json", b"{}", b'{"title": 1}', b'[{"role": "robot", "content": "x"}]', b'{"title":"","system":"","messages":{"a":{}},"chosen":{}}', b'{"title":"","system":"","messages":{},"chosen":{"":"gone"}}']
)
def test_other_files_are_refused(raw: bytes) -> None:
    with pytest.raises(BadInput) as told:
        import_chat(raw)
    assert told.value.hint


def test_titles_are_cut_at_a_word() -> None:
    assert title_of("short\nsecond line") == "short"
    assert len(title_of("word " * 40)) <= 51 and title_of("word " * 40).endswith(" …")


def card_png(key: bytes, card: dict[str, object]) -> bytes:
    def part(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    text = key + b"\0" + base64.b64encode(json.dumps(card).encode())
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)) + part(b"tEXt", text) + part(b"IEND", b"")


V1 = {"name": "Aoi", "description": "{{char}} likes tea.", "personality": "calm", "scenario": "a garden", "first_mes": "Welcome, {{user}}."}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("v1.png", card_png(b"chara", V1)),
        ("v2.png", card_png(b"chara", {"spec": "chara_card_v2", "data": V1})),
        ("v3.png", card_png(b"ccv3", {"spec": "chara_card_v3", "data": V1})),
        ("card.json", json.dumps(V1).encode()),
        ("tgw.yaml", b"name: Aoi\ncontext: \"{{char}} likes tea.\\ncalm\\na garden\"\ngreeting: Welcome, {{user}}.\n"),
    ],
)
def test_cards_of_each_kind_are_read(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    character = read_character(path)
    assert (character.name, character.greeting) == ("Aoi", "Welcome, {{user}}.")
    assert character.context.split("\n") == ["{{char}} likes tea.", "calm", "a garden"]
    assert fill_names(character.context, character="Aoi", user="You").startswith("Aoi likes tea.")


@pytest.mark.parametrize(
    ("name", "data"), [("a.png", b"\x89PNG\r\n\x1a\n"), ("b.png", b"x"), ("c.json", b"[]"), ("d.yaml", b"- 1"), ("e.yaml", b"!!python/object:os.system {}"), ("f.txt", b"hello"), ("g.json", b'{"name": ""}')]
)
def test_what_is_no_card_is_refused(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput):
        read_character(path)
