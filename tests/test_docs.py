"""Documents that tell the truth: generated pages are fresh, the first pipeline runs, the README has its two commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from studio.docs import DOCS, PAGES
from studio.hooks import CHAIN, COLLECT, NOTIFY, HookSpecs
from studio.plugins import Hooks
from tests.house import finish, make_queue, worker_config

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_fresh(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run: python -m studio.docs"


def test_every_hook_has_its_verb_and_its_words() -> None:
    named = {name for name in vars(HookSpecs) if not name.startswith("_")}
    assert named == {*COLLECT, *CHAIN, *NOTIFY}
    assert all(getattr(HookSpecs, name).__doc__ for name in named)


def test_links_and_pictures_of_the_documents_exist() -> None:
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
    for command in re.findall(r"python (benchmarks/\w+\.py)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / command).exists(), command


def test_the_readme_has_exactly_two_set_up_commands() -> None:
    blocks = re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert [block.strip() for block in blocks] == ["python launch.py", "python launch.py test"]


def test_the_first_pipeline_runs(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)[0]
    folder = tmp_path / "extensions" / "reverse"
    folder.mkdir(parents=True)
    (folder / "extension.py").write_text(code, encoding="utf-8")
    (folder / "extension.toml").write_text('name = "reverse"\nversion = "1"\nhook_api = 1\n', encoding="utf-8")
    hooks = Hooks()
    hooks.load_extensions([(tmp_path / "extensions", False)], [], safe=False)
    config: dict[str, Any] = worker_config(tmp_path) | {"builtins": [], "extensions": [[str(tmp_path / "extensions"), False]], "safe": False}
    from studio.executor import InlineExecutor

    executor = InlineExecutor(config)
    queue = make_queue(tmp_path, executor, hooks)
    queue.executors["cpu"] = executor
    queue._waiting["cpu"] = []
    queue.start()
    job = queue.submit("text.reverse", {"prompt": "abc"}, owner="me").wait()
    assert job.text == "cba" and job.state == "done"
    finish(queue)
