"""The house, standing: the whole studio in its own processes with the real starter model, over HTTP."""

from __future__ import annotations

import gzip
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from studio.metadata import extract
from tests.running import MODEL, NO_END, Running, alive, running, until
from tests.test_plugins import make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("flow")) as studio:
        yield studio


def test_a_chat_streams_and_lands_in_the_gallery_with_its_settings(studio: Running) -> None:
    job = studio.wait(studio.ask("What is the capital of Japan?", temperature=0, max_tokens=24))
    assert job["state"] == "done" and "Tokyo" in job["text"]
    output = studio.get(f"/api/v1/outputs/{job['outputs'][0]}")
    assert output["metadata"]["params"]["messages"][0]["content"].startswith("What is")
    files = list((studio.data / "outputs").rglob("*.md"))
    assert any(extract(path)["id"] == output["id"] for path in files)
    assert studio.get("/api/v1/outputs?query=capital")[0]["id"] == output["id"]


def test_the_same_seed_gives_the_same_words(studio: Running) -> None:
    texts = [studio.wait(studio.ask("Tell me a joke.", seed=7, max_tokens=24, reuse_prefix=False))["text"] for _ in range(2)]
    assert texts[0] == texts[1] != ""
    assert studio.wait(studio.ask("Tell me a joke.", seed=8, max_tokens=24, reuse_prefix=False))["text"] != texts[0]


def test_the_page_comes_compressed_where_the_browser_takes_it(studio: Running) -> None:
    def bytes_of(encoding: str) -> tuple[str, bytes]:
        request = urllib.request.Request(studio.url + "/", headers={"accept-encoding": encoding})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.headers.get("content-encoding", ""), answer.read()

    (plain, page), (packed, small) = bytes_of("identity"), bytes_of("gzip")
    assert (plain, packed) == ("", "gzip") and len(small) < len(page) / 4
    assert b"gradio_config" in page and b"gradio_config" in gzip.decompress(small)


def test_torch_stays_out_of_the_page_s_process(studio: Running) -> None:
    assert studio.get("/api/v1/status")["torch_imported"] is False
    libraries = {Path(region.path).name for region in psutil.Process(studio.process.pid).memory_maps()}
    assert not any(name.startswith(("libtorch", "libllama", "libggml")) for name in libraries)


def test_stop_ends_an_answer_at_once_and_keeps_what_was_written(studio: Running) -> None:
    job = studio.ask("Write a very long story about the sea.", max_tokens=6000, logit_bias=NO_END)
    until(lambda: studio.get(f"/api/v1/jobs/{job}")["text"], "no word came")
    assert studio.post(f"/api/v1/jobs/{job}/cancel")["stopped"]
    ended = studio.wait(job)
    assert ended["state"] == "cancelled" and 0 < ended["summary"].get("tokens", 1) < 6000 and ended["text"]


def test_a_killed_worker_keeps_the_text_and_the_next_answer_comes(studio: Running) -> None:
    job = studio.ask("Write a very long story about a mountain.", max_tokens=6000, logit_bias=NO_END)
    until(lambda: len(studio.get(f"/api/v1/jobs/{job}")["text"]) >= 20, "no words came")
    for pid in studio.workers():
        os.kill(pid, signal.SIGKILL)
    failed = studio.wait(job)
    assert failed["state"] == "failed" and failed["error"]["code"] == "worker_died" and len(failed["text"]) >= 20
    assert studio.wait(studio.ask("Say hi.", max_tokens=4))["state"] == "done"


def test_the_official_client_works_unmodified(studio: Running) -> None:
    with openai.OpenAI(base_url=studio.url + "/v1", api_key="none") as client:
        assert [model.id for model in client.models.list().data] == [MODEL]
        asked = [{"role": "user", "content": "What is the capital of France?"}]
        whole = client.chat.completions.create(model=MODEL, messages=asked, temperature=0, max_tokens=8, seed=1)  # type: ignore[arg-type]
        assert whole.usage is not None and whole.usage.completion_tokens == 8 and whole.choices[0].finish_reason == "length"
        stream = client.chat.completions.create(model=MODEL, messages=asked, temperature=0, max_tokens=8, seed=1, stream=True, stream_options={"include_usage": True})  # type: ignore[arg-type,call-overload]
        chunks = list(stream)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == whole.choices[0].message.content
        assert chunks[-1].usage.total_tokens == whole.usage.total_tokens
        schema = {"type": "object", "properties": {"color": {"enum": ["red", "blue"]}}, "required": ["color"], "additionalProperties": False}
        form = {"type": "json_schema", "json_schema": {"name": "color", "schema": schema}}
        named = client.chat.completions.create(model=MODEL, messages=asked, temperature=0, seed=1, max_tokens=60, response_format=form)  # type: ignore[call-overload]
        assert named.choices[0].message.content.replace(" ", "").replace("\n", "") in ('{"color":"red"}', '{"color":"blue"}')
        near = client.embeddings.create(model=MODEL, input=["a small cat", "a little cat"]).data
        assert len(near) == 2 and len(near[0].embedding) == len(near[1].embedding) == 576
        with pytest.raises(openai.BadRequestError, match="n must be 1"):
            client.chat.completions.create(model=MODEL, messages=asked, n=2)  # type: ignore[arg-type]
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="no-such-model", messages=asked)  # type: ignore[arg-type]


def test_an_extension_s_field_decides_about_the_prompt(studio: Running) -> None:
    prompts = []
    for expand in (True, False):
        values = {"model": MODEL, "prompt": "The {red|blue} boat", "max_tokens": 4, "seed": 3, "extras": {"wildcards": {"expand": expand}}}
        job = studio.wait(studio.post("/api/v1/pipelines/text.complete", **values)["id"])
        prompts.append(studio.get(f"/api/v1/outputs/{job['outputs'][0]}")["metadata"]["params"]["prompt"])
    assert prompts[0] in ("The red boat", "The blue boat") and prompts[1] == "The {red|blue} boat"


def test_gradio_s_own_client_chats(studio: Running) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(studio.url, verbose=False)
    asked = client.submit("Write a long story about a lighthouse.", api_name="/chat")
    whole = asked.result(timeout=240)
    parts = asked.outputs()
    assert len(whole) > 20 and len(parts) > 2 and all(whole.startswith(part[:5]) for part in parts)
    with pytest.raises(AppError, match="Write a message first"):
        client.predict("", api_name="/chat")
    client.close()


def test_text_transforms_apply_to_the_openai_api_too(tmp_path: Path) -> None:
    """Streamed as one piece then: a transform needs the whole text."""
    make(tmp_path / "extensions", "shout", "@hookimpl\ndef on_text_input(text):\n    return text.replace('COUNTRY', 'Japan')\n@hookimpl\ndef on_text_output(text):\n    return text.upper()\n")
    with running(tmp_path) as studio, openai.OpenAI(base_url=studio.url + "/v1", api_key="none") as client:
        asked: Any = [{"role": "user", "content": "What is the capital of COUNTRY?"}]
        whole = client.chat.completions.create(model=MODEL, messages=asked, temperature=0, max_tokens=12)
        assert "TOKYO" in (whole.choices[0].message.content or "")
        chunks = list(client.chat.completions.create(model=MODEL, messages=asked, temperature=0, max_tokens=12, stream=True))
        said = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
        assert said == [whole.choices[0].message.content]
        completion = client.completions.create(model=MODEL, prompt="The capital of COUNTRY is", temperature=0, max_tokens=6)
        assert completion.choices[0].text == completion.choices[0].text.upper()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/v1/pipelines/text.chat", {"model": MODEL, "messages": [], "temperature": 99}, 422),
        ("/api/v1/pipelines/text.chat", {"model": "gone", "messages": [{"role": "user", "content": "x"}]}, 422),
        ("/api/v1/pipelines/text.nothing", {}, 404),
        ("/api/v1/jobs/nothing/cancel", {}, 404),
    ],
)
def test_bad_requests_get_a_sentence(studio: Running, path: str, body: dict[str, object], status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as told:
        studio.post(path, **body)
    assert told.value.code == status and b'"message"' in told.value.read()
    told.value.close()


def test_a_text_longer_than_the_model_s_memory_is_refused_with_numbers(studio: Running) -> None:
    job = studio.wait(studio.ask("word " * 12000, max_tokens=8), seconds=300)
    assert job["state"] == "failed" and job["error"]["code"] == "context_overflow" and job["error"]["hint"]


def test_a_damaged_model_is_listed_with_its_reason_and_refused_by_a_job(studio: Running) -> None:
    whole = (studio.data / "models").rglob("*.gguf").__next__()
    (studio.data / "models" / "cut.gguf").write_bytes(whole.read_bytes()[:5_000_000])
    (studio.data / "models" / "noise.gguf").write_bytes(b"no model at all" * 1000)
    for key in ("cut", "noise"):
        with pytest.raises(urllib.error.HTTPError) as told:
            studio.post("/api/v1/pipelines/text.chat", model=key, messages=[{"role": "user", "content": "x"}])
        assert told.value.code == 422 and b"Download it again" in told.value.read()
        told.value.close()
    listed = {entry["key"]: entry["problem"] for entry in studio.get("/api/v1/models")}
    assert "cut off" in listed["cut"] and "damaged or no model" in listed["noise"]
    assert studio.wait(studio.ask("Say hi.", max_tokens=4))["state"] == "done", "the good one still answers"


def test_queued_jobs_go_on_after_the_studio_was_killed(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        done = first.wait(first.ask("Say one.", max_tokens=4))
        jobs = [first.ask(f"Say {n}.", max_tokens=30) for n in range(3)]
        workers = first.workers()
        first.process.kill()
        first.process.wait()
    until(lambda: not any(alive(pid) for pid in workers), "an orphaned worker")
    with running(tmp_path) as second:
        assert [second.wait(job)["state"] for job in jobs] == ["done"] * 3
        kept = {output["id"] for output in second.get("/api/v1/outputs")}
        assert set(done["outputs"]) <= kept and len(kept) == 4


def test_a_second_studio_on_one_folder_says_so(studio: Running) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "studio", "--no-browser", "--data-dir", str(studio.data)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert second.returncode == 1 and "--data-dir" in second.stderr and "Traceback" not in second.stderr


def test_with_accounts_every_door_asks(tmp_path: Path) -> None:
    with running(tmp_path, "--auth", "ann:secret,bob:other") as studio:
        for path in ("/config", "/api/v1/status", "/v1/models", "/gradio_api/info", "/api/v1/outputs"):
            with pytest.raises(urllib.error.HTTPError) as told:
                studio.get(path)
            assert told.value.code == 401
            told.value.close()
        with openai.OpenAI(base_url=studio.url + "/v1", api_key="bob:other") as bob:
            assert bob.models.list().data[0].id == MODEL
