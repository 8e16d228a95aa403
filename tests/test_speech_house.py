"""Speech through a real worker: its own process, the queue, the store."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile

from studio.catalog import Catalog
from studio.executor import ProcessExecutor
from studio.jobs import JobQueue
from studio.metadata import extract
from studio.plugins import Hooks
from studio.settings import Settings
from studio.simulation import Simulations
from studio.store import Store
from tests.house import finish, worker_config


@pytest.mark.slow
def test_a_speech_is_queued_spoken_kept_and_stopped(tmp_path: Path) -> None:
    hooks = Hooks()
    hooks.load_builtin("pipelines.music")
    worker = ProcessExecutor(worker_config(tmp_path) | {"builtins": ["pipelines.music"]})
    queue = JobQueue(
        pipelines={item.id: item for item in hooks.collect("register_pipelines", simulations=Simulations(hooks.collect("register_simulations")))}, executors={"device": worker, "cpu": worker}, store=Store(tmp_path), hooks=hooks, catalog=Catalog([]),
        settings=Settings(data_dir=str(tmp_path)), spool=tmp_path / "spool", budget=lambda settings: 2**30,
    )  # fmt: skip
    queue.start()
    try:
        job = queue.submit("music.speech", {"text": "Anna: Hello there.\nBob: 今日は。", "format": "FLAC", "subtitles": "VTT"}, owner="me")
        for _ in job.events():
            pass
        assert job.error is None, job.error
        sound, subtitles = (Path(output.path) for output in sorted(queue.store.outputs_of(job.id), key=lambda output: output.path.endswith(".vtt")))
        kept = extract(sound)
        assert kept["params"]["speakers"] == ["Anna = automatic", "Bob = automatic, pitch -3"] and kept["params"]["kind"] == "Script" and kept["params"]["japanese_voice"] == "mei"
        assert kept["facts"]["credits"] == ["HTS Voice “Mei” (Nagoya Institute of Technology, CC-BY 3.0)"] and soundfile.info(sound).duration > 1.5 and subtitles.read_text().startswith("WEBVTT")
        assert extract(subtitles)["params"] == kept["params"], "a file of subtitles restores too, by the file beside it"
        stopped = queue.submit("music.speech", {"text": "This is one more sentence. " * 800}, owner="me")
        for event in stopped.events():
            if getattr(event, "step", 0) > 3:
                queue.cancel(stopped.id, by="me")
        (rest,) = queue.store.outputs_of(stopped.id)
        assert 3 < soundfile.info(rest.path).duration < 3000 and len(extract(Path(rest.path))["facts"]["timing"]) > 3
    finally:
        finish(queue)
