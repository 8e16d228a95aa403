"""The extensions that come along: .gitignore lets each through, the documents name each, each loads. A folder that is missing in a fresh clone fails here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studio.plugins import Hooks, read_manifest

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ["a1111_api", "hello_tab", "openai_api", "styles", "watermark", "wildcards"]


def test_the_bundled_extensions_are_there_and_no_others() -> None:
    assert sorted(path.parent.name for path in (ROOT / "extensions").glob("*/extension.toml")) == BUNDLED


def test_git_takes_each_of_them() -> None:
    """Everything below extensions/ is left out unless it is listed: a folder that was never listed was once never committed."""
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    listed = [line.removeprefix("!extensions/").rstrip("/") for line in lines if line.startswith("!extensions/")]
    assert sorted(listed) == BUNDLED
    assert lines.index("extensions/*/") < min(lines.index(f"!extensions/{name}/") for name in BUNDLED), "the last line that fits wins"


def test_the_documents_name_each_of_them() -> None:
    named = re.findall(r"^\| `extensions/(\w+)` \|", (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert named == BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_each_loads_and_says_what_it_is_in_japanese_too(name: str) -> None:
    hooks = Hooks()
    hooks.load_extensions([(ROOT / "extensions", True)], [], safe=False)
    assert hooks.extension(name).state == "on", hooks.extension(name).errors
    about = read_manifest(ROOT / "extensions" / name)
    assert about.license == "Apache-2.0" and {about.title, about.description} <= set(about.words["ja"])
