"""Community transforms and observers run in a process of their own: hanging, crashing and odd ones harm nobody else."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from studio.api import Artifact, BadInput, ExtensionFailed
from studio.events import Text
from studio.extension_process import ExtensionProcess, plain, rich
from studio.host import Output
from studio.plugins import Hooks
from tests.running import alive
from tests.test_plugins import make

DEADLINE = 1.0
KINDS = """
import os, time
from studio.api import BadInput

@hookimpl
def on_text_output(text):
    if text == "hang":
        while True: pass
    if text == "sleep":
        time.sleep(60)
    if text == "die":
        os._exit(3)
    if text == "fail":
        1 / 0
    if text == "refuse":
        raise BadInput("Not this word.", hint="Take another.")
    if text == "number":
        return 5
    if text == "set":
        return {1, 2}
    if text == "print":
        print("noise on the terminal")
    if text == "long":
        return "x" * 20_000_000
    return f"{text} from {os.getpid()}"
"""


def own_process(name: str, folder: Path) -> ExtensionProcess:
    return ExtensionProcess(name, folder, seconds=DEADLINE)


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[Hooks]:
    make(tmp_path, "kinds", KINDS)
    hooks = Hooks(own_process)
    hooks.load_extensions([(tmp_path, False)], [], False)
    yield hooks
    hooks.close()


def say(hooks: Hooks, text: str) -> str:
    return str(hooks.chain("on_text_output", "text", text, pipeline_id="x"))


def process_of(answer: str) -> int:
    return int(answer.rpartition(" ")[2])


def test_it_runs_in_a_process_of_its_own_that_stays_for_the_next_call(hooks: Hooks) -> None:
    first, second = process_of(say(hooks, "a")), process_of(say(hooks, "b"))
    assert first == second != os.getpid() and psutil.pid_exists(first)
    assert say(hooks, "print").startswith("print from")
    hooks.close()
    assert not psutil.pid_exists(first)


@pytest.mark.parametrize("kind", ["hang", "sleep"])
def test_over_the_deadline_it_is_ended_and_named(hooks: Hooks, kind: str) -> None:
    before = process_of(say(hooks, "a"))
    with pytest.raises(ExtensionFailed, match=f"“kinds” failed in on_text_output: took longer than {DEADLINE:g} s"):
        say(hooks, kind)
    assert not psutil.pid_exists(before) and process_of(say(hooks, "b")) != before, "the next call has a new one"


def test_a_spinning_extension_leaves_the_other_threads_alone(hooks: Hooks) -> None:
    say(hooks, "a")
    failed: list[str] = []

    def hang() -> None:
        try:
            say(hooks, "hang")
        except ExtensionFailed as error:
            failed.append(error.message)

    thread = threading.Thread(target=hang)
    thread.start()
    began, spent = time.perf_counter(), time.process_time()
    thread.join()
    assert failed and time.process_time() - spent < 0.3 * (time.perf_counter() - began), "it spins in a process of its own"


def test_a_crash_an_exception_and_odd_answers_are_told(hooks: Hooks) -> None:
    for kind, told in (("die", "its process ended"), ("fail", r"ZeroDivisionError: division by zero \(extension.py, line \d+\)")):
        with pytest.raises(ExtensionFailed, match=told):
            say(hooks, kind)
    with pytest.raises(BadInput, match=r"Not this word\."):
        say(hooks, "refuse")
    assert hooks.extension("kinds").strikes == 2, "a refusal of the user's words is no strike"
    with pytest.raises(ExtensionFailed, match="it returned int instead of str"):
        say(hooks, "number")
    assert hooks.extension("kinds").state == "struck"
    assert say(hooks, "a") == "a"


def test_what_is_no_plain_data_is_refused_and_long_texts_pass(hooks: Hooks) -> None:
    with pytest.raises(ExtensionFailed, match="TypeError"):
        say(hooks, "set")
    assert len(say(hooks, "long")) == 20_000_000


def test_being_struck_is_told_once(hooks: Hooks) -> None:
    told: list[str] = []
    hooks.when_struck = lambda info: told.append(info.name)
    for _ in range(3):
        with pytest.raises(ExtensionFailed):
            say(hooks, "fail")
    assert told == ["kinds"]


def test_one_that_cannot_be_imported_in_time_fails_the_call(tmp_path: Path) -> None:
    make(tmp_path, "shy", "import os\nif os.environ.get('SHY'): raise RuntimeError('not here')\n@hookimpl\ndef on_text_output(text):\n    return text\n")
    hooks = Hooks(own_process)
    hooks.load_extensions([(tmp_path, False)], [], False)
    os.environ["SHY"] = "1"
    try:
        with pytest.raises(ExtensionFailed, match="RuntimeError: not here"):
            say(hooks, "a")
    finally:
        del os.environ["SHY"]
        hooks.close()


def test_every_kind_of_value_comes_back_as_it_went() -> None:
    output = Output("i", "j", "o", "image", "/p", "t", "x", 1.0, {"a": [1, {"b": None}]})
    values = [Artifact("image", b"\x00\xff", ".png", "t", {"n": 1}), output, Text("é", "answer"), {"a": [1, 2.5, "日本"]}]
    assert rich(plain(values)) == values


def test_artifacts_and_observers_go_there_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"""
from dataclasses import replace
@hookimpl
def after_run(artifacts):
    return [replace(artifact, data=artifact.data + b"!") for artifact in artifacts]
@hookimpl
def on_event(job_id, event):
    open({str(log)!r}, "a").write(job_id + " " + event.delta)
"""
    make(tmp_path, "bytes_a", code)
    hooks = Hooks(own_process)
    hooks.load_extensions([(tmp_path, False)], [], False)
    made = hooks.chain("after_run", "artifacts", [Artifact("text", b"hi", ".md")], pipeline_id="x", values={}, extras={})
    hooks.notify("on_event", job_id="7", event=Text("word"))
    hooks.close()
    assert made == [Artifact("text", b"hi!", ".md")] and log.read_text() == "7 word"


def test_no_orphan_is_left_even_in_a_loop(tmp_path: Path) -> None:
    import subprocess
    import sys

    make(tmp_path, "kinds", KINDS)
    code = f"""
import threading, time
from pathlib import Path
from studio.extension_process import ExtensionProcess
from studio.plugins import Hooks
hooks = Hooks(lambda name, folder: ExtensionProcess(name, folder, seconds=60))
hooks.load_extensions([(Path({str(tmp_path)!r}), False)], [], False)
print(hooks.chain("on_text_output", "text", "a", pipeline_id="x").rpartition(" ")[2], flush=True)
hooks.chain("on_text_output", "text", "hang", pipeline_id="x")
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as studio:
        assert studio.stdout
        child = int(studio.stdout.readline())
        time.sleep(0.5)
        studio.kill()
    deadline = time.monotonic() + 60
    while alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
