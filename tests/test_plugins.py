"""Extensions: isolated, attributed, three strikes; installed only after consent and only where they fit."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from studio.api import BadInput, ExtensionFailed
from studio.installer import discard, install, remove, stage
from studio.plugins import Hooks

MANIFEST = 'name = "{name}"\nversion = "1.0"\nhook_api = {api}\nrequires = {requires}\n'


def make(root: Path, name: str, code: str, api: int = 1, requires: str = "[]") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "extension.toml").write_text(MANIFEST.format(name=name, api=api, requires=requires), encoding="utf-8")
    (folder / "extension.py").write_text("from studio.api import hookimpl\n" + code, encoding="utf-8")
    return folder


UPPER = "@hookimpl\ndef on_text_output(text):\n    return text.upper()\n"
BROKEN = "@hookimpl\ndef on_text_output(text):\n    return 1 / 0\n@hookimpl\ndef register_tabs():\n    return 1 / 0\n"


def loaded(root: Path, disabled: list[str] | None = None, safe: bool = False) -> Hooks:
    hooks = Hooks()
    hooks.load_extensions([(root, False)], disabled or [], safe)
    return hooks


def say(hooks: Hooks, text: str = "hi") -> str:
    return str(hooks.chain("on_text_output", "text", text, pipeline_id="x"))


def test_a_chain_passes_the_value_through_all(tmp_path: Path) -> None:
    make(tmp_path, "upper_a", UPPER)
    make(tmp_path, "mark_b", "@hookimpl\ndef on_text_output(text, pipeline_id):\n    return text + '!' + pipeline_id\n")
    hooks = loaded(tmp_path)
    assert say(hooks).lower() == "hi!x" and sorted(hooks.implementers("on_text_output")) == ["mark_b", "upper_a"]
    assert all(info.calls == {"on_text_output": 1} and info.seconds["on_text_output"] >= 0 for info in hooks.extensions())


def test_a_failing_transform_names_its_extension_and_is_off_after_three(tmp_path: Path) -> None:
    make(tmp_path, "broken", BROKEN)
    hooks = loaded(tmp_path)
    for _ in range(3):
        with pytest.raises(ExtensionFailed, match="“broken” failed in on_text_output"):
            say(hooks)
    assert say(hooks) == "hi" and hooks.extension("broken").state == "struck" and len(hooks.extension("broken").errors) == 3
    hooks.switch("broken", True)
    with pytest.raises(ExtensionFailed):
        say(hooks)


def test_a_failing_list_is_left_out_and_others_stay(tmp_path: Path) -> None:
    make(tmp_path, "broken", BROKEN)
    make(tmp_path, "fine", "@hookimpl\ndef register_tabs(studio):\n    return ['a tab']\n")
    hooks = loaded(tmp_path)
    assert hooks.collect("register_tabs", studio=None) == ["a tab"] and hooks.extension("broken").strikes == 1


@pytest.mark.parametrize(("code", "api", "words"), [("import nothing_like_this\n", 1, "nothing_like_this"), ("def x(:\n", 1, "SyntaxError"), ("", 99, "hook API 99"), ("@hookimpl\ndef on_dream():\n    pass\n", 1, "on_dream")])
def test_a_broken_extension_is_listed_and_the_studio_starts(tmp_path: Path, code: str, api: int, words: str) -> None:
    make(tmp_path, f"bad_{api}_{len(code)}", code, api)
    info = loaded(tmp_path).extensions()[0]
    assert info.state == "broken" and words in info.errors[0]


def test_safe_mode_and_switched_off_ones_do_not_run(tmp_path: Path) -> None:
    make(tmp_path, "upper_c", UPPER)
    assert say(loaded(tmp_path, safe=True)) == "hi"
    hooks = loaded(tmp_path, disabled=["upper_c"])
    assert say(hooks) == "hi"
    hooks.switch("upper_c", True)
    assert say(hooks) == "HI"
    hooks.switch("upper_c", False)
    assert say(hooks) == "hi"


def test_an_extension_is_staged_then_installed_then_removed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    source = make(tmp_path / "source", "upper_d", UPPER + "open('ran', 'w').close()\n")
    candidate = stage(str(source), data)
    assert candidate.manifest.name == "upper_d" and not (data / "extensions").exists() and not Path("ran").exists()
    folder = install(candidate.folder, data)
    assert folder == data / "extensions" / "upper_d" and (source / "extension.py").exists()
    assert remove(folder, data).is_relative_to(data / "trash") and not folder.exists()


def test_declined_ones_leave_nothing(tmp_path: Path) -> None:
    candidate = stage(str(make(tmp_path / "source", "upper_e", UPPER)), tmp_path / "data")
    discard(candidate.folder, tmp_path / "data")
    assert list((tmp_path / "data" / "staging").iterdir()) == []


@pytest.mark.parametrize(("requires", "words"), [('["gradio<5"]', "would be changed"), ('["no-such-package-anywhere"]', "does not have"), ('["not a requirement!!"]', "no valid requirement")])
def test_requirements_that_would_change_the_studio_are_refused(tmp_path: Path, requires: str, words: str) -> None:
    with pytest.raises(ExtensionFailed, match=words):
        stage(str(make(tmp_path / "source", "greedy", "", requires=requires)), tmp_path / "data")
    assert list((tmp_path / "data" / "staging").iterdir()) == []


def test_a_zip_is_taken_and_one_that_climbs_out_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "source", "upper_f", UPPER)
    good, bad = tmp_path / "good.zip", tmp_path / "bad.zip"
    with zipfile.ZipFile(good, "w") as archive:
        for path in source.iterdir():
            archive.write(path, f"upper_f/{path.name}")
    assert stage(str(good), tmp_path / "data").manifest.name == "upper_f"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("../outside.txt", "x")
    with pytest.raises(BadInput, match="outside its own folder"):
        stage(str(bad), tmp_path / "data")
    (tmp_path / "broken.zip").write_bytes(b"PK no zip")
    with pytest.raises(BadInput, match="damaged"):
        stage(str(tmp_path / "broken.zip"), tmp_path / "data")


@pytest.mark.parametrize("source", ["", "nowhere", "ext::sh -c id", "--upload-pack=x"])
def test_other_sources_are_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput):
        stage(source, tmp_path / "data")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "source", "linked", "")
    (source / "secret").symlink_to("/etc/passwd")
    with pytest.raises(BadInput, match="links"):
        stage(str(source), tmp_path / "data")


@pytest.mark.skipif(not shutil.which("git"), reason="git is not on this computer")
def test_a_git_repository_is_cloned_without_its_hooks_and_history(tmp_path: Path) -> None:
    source = make(tmp_path / "source", "upper_g", UPPER)
    as_me = ["git", "-c", "user.name=me", "-c", "user.email=me@example.org", "-C", str(source)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*as_me, *words], check=True, capture_output=True)
    candidate = stage(f"file://{source}", tmp_path / "data")
    assert candidate.manifest.name == "upper_g" and (candidate.folder / "extension.py").exists() and not (candidate.folder / ".git").exists()
    with pytest.raises(BadInput, match="offline"):
        stage(f"file://{source}", tmp_path / "data", offline=True)
    with pytest.raises(ExtensionFailed, match="git could not fetch it"):
        stage(f"file://{tmp_path}/no-such-repository", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data" / "staging").iterdir()] == [candidate.folder.parent.name], "a failed fetch leaves nothing"
