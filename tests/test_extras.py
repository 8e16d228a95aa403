"""Fields that extensions add to other methods: whole, valid, in the metadata, given to the hooks, restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.api import BadInput
from studio.host import Studio
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.restore import restore
from tests.house import finish, make_queue, make_studio
from tests.test_plugins import make

CODE = """
from typing import ClassVar
from pydantic import Field
from studio.api import ExtensionParams

class Loud(ExtensionParams):
    title: ClassVar[str] = "Loudness"
    pipelines: ClassVar[tuple[str, ...]] = ("test.",)
    times: int = Field(1, ge=1, le=9, title="Times")

@hookimpl
def register_settings():
    return [Loud]

@hookimpl
def on_prompt(prompt, extras):
    return prompt + "!" * extras["loud"]["times"]
"""


def load(hooks: Hooks, root: Path) -> None:
    make(root, "loud", CODE)
    hooks.load_extensions([(root, False)], [], False)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    hooks = Hooks()
    hooks.load_builtin("tests.house")
    load(hooks, tmp_path / "extensions")
    queue = make_queue(tmp_path, hooks=hooks)
    queue.start()
    yield queue
    finish(queue)


def test_what_is_left_out_has_its_default_and_what_is_given_counts(queue: JobQueue) -> None:
    one = queue.submit("test.echo", {"prompt": "hi", "steps": 1}, owner="me").wait()
    three = queue.submit("test.echo", {"prompt": "hi", "steps": 1}, owner="me", extras={"loud": {"times": 3}}).wait()
    assert (one.text.strip(), three.text.strip()) == ("hi!", "hi!!!")
    assert [queue.store.output(job.outputs[0]).metadata["extras"] for job in (one, three)] == [{"loud": {"times": 1}}, {"loud": {"times": 3}}]


@pytest.mark.parametrize(("extras", "words"), [({"loud": {"times": 10}}, "Times must be at most 9"), ({"loud": {"other": 1}}, "no setting “other”"), ({"quiet": {}}, "“quiet” adds nothing")])
def test_bad_fields_are_refused_at_the_door(queue: JobQueue, extras: dict[str, dict[str, int]], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        queue.submit("test.echo", {"prompt": "hi"}, owner="me", extras=extras)
    assert queue.listing("me") == []


def test_they_apply_only_where_they_belong(queue: JobQueue) -> None:
    assert list(queue.extension_fields("test.echo")) == ["loud"] and queue.extension_fields("image.generate") == {}


def test_an_output_gives_them_back_and_names_what_is_gone(queue: JobQueue, tmp_path: Path) -> None:
    job = queue.submit("test.echo", {"prompt": "hi", "steps": 1}, owner="me", extras={"loud": {"times": 4}}).wait()
    path = Path(queue.store.output(job.outputs[0]).path)

    def read(studio: Studio) -> tuple[dict[str, object], dict[str, str]]:
        restored = restore(path, studio)
        return restored.extras, restored.refused

    with make_studio(tmp_path / "with") as studio:
        load(studio.hooks, tmp_path / "with" / "extensions")
        assert read(studio) == ({"loud": {"times": 4}}, {})
    with make_studio(tmp_path / "without") as studio:
        assert read(studio) == ({}, {"loud": "its extension is not here"})
