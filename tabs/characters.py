"""Characters: TavernAI cards (PNG or JSON, versions 1 to 3) and text-generation-webui YAML. No gradio here."""

from __future__ import annotations

import base64
import binascii
import json
import struct
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.api import BadInput

MAX_CARD_BYTES = 32 * 2**20
MAX_TEXT_BYTES = 4 * 2**20


@dataclass(frozen=True)
class Character:
    """Who answers: `context` becomes the system prompt, `greeting` the first answer."""

    name: str
    context: str = ""
    greeting: str = ""

    def to_json(self) -> dict[str, str]:
        return asdict(self)


def read_character(path: Path) -> Character:
    """Raises BadInput with what is wrong with the file."""
    unknown = BadInput(f"“{path.name}” is not a character card.", hint="Import a TavernAI card (PNG, JSON) or a text-generation-webui YAML file.")
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise BadInput(f"“{path.name}” is too large for a character.", hint="Cards are at most 32 MB.")
        raw = path.read_bytes()
        match path.suffix.lower():
            case ".png":
                return _from_card(json.loads(_card_in_png(raw)))
            case ".json":
                return _from_card(json.loads(raw))
            case ".yaml" | ".yml":
                return _from_yaml(yaml.safe_load(raw))
    except (OSError, ValueError, yaml.YAMLError, struct.error, zlib.error, binascii.Error, RecursionError) as error:
        raise unknown from error
    raise unknown


def fill_names(text: str, *, character: str, user: str) -> str:
    """The cards' placeholders for the two names."""
    for mark in ("{{char}}", "{{Char}}", "<BOT>"):
        text = text.replace(mark, character)
    for mark in ("{{user}}", "{{User}}", "<USER>"):
        text = text.replace(mark, user)
    return text


def _from_card(value: Any) -> Character:
    card = value.get("data", value) if isinstance(value, dict) else None
    if not isinstance(card, dict) or not (name := _text(card, "name") or _text(card, "char_name")):
        raise ValueError("no name")
    parts = [_text(card, key) for key in ("system_prompt", "description", "char_persona", "personality", "scenario", "world_scenario")]
    context = "\n".join(dict.fromkeys(part for part in parts if part))
    return Character(name, context, _text(card, "first_mes") or _text(card, "char_greeting"))


def _from_yaml(value: Any) -> Character:
    if not isinstance(value, dict) or not _text(value, "name"):
        raise ValueError("no name")
    return Character(_text(value, "name"), _text(value, "context"), _text(value, "greeting"))


def _text(card: dict[str, Any], key: str) -> str:
    value = card.get(key, "")
    return value.strip() if isinstance(value, str) else ""


def _card_in_png(raw: bytes) -> bytes:
    if raw[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError("not a PNG")
    found: dict[bytes, bytes] = {}
    place = 8
    while place + 8 <= len(raw):
        size, kind = struct.unpack(">I4s", raw[place : place + 8])
        content = raw[place + 8 : place + 8 + size]
        place += 12 + size
        if kind == b"tEXt" and b"\0" in content:
            key, _, value = content.partition(b"\0")
            found[key] = value
        elif kind == b"zTXt" and b"\0\0" in content:
            key, _, value = content.partition(b"\0\0")
            found[key] = zlib.decompressobj().decompress(value, MAX_TEXT_BYTES)
    if not (card := found.get(b"ccv3") or found.get(b"chara")):
        raise ValueError("no card inside")
    return base64.b64decode(card, validate=True)
