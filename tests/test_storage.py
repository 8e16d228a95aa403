"""What a visitor may keep: counted from the database, refused at the door in a sentence, freed by what the sentence says; and nothing of a download stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from studio.artifacts import Artifact
from studio.errors import StorageFull
from studio.host import Studio
from studio.i18n import Words
from studio.jobs import JobQueue
from studio.rest import Api, mount
from studio.storage import FRESH_SECONDS, UPLOAD_SECONDS, Storage
from studio.store import MIGRATIONS, Store
from studio.uploads import KEPT_SECONDS, PATH, UploadDoor, sweep
from tabs.text_chat import as_file
from tests.house import finish, make_queue, make_studio

ROOT = Path(__file__).resolve().parent.parent
PNG = b"\x89PNG\r\n\x1a\n"
KB = 1024 / 2**30  # in GB, as the setting counts


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    """10 kB for each visitor."""
    queue = make_queue(tmp_path, visitor_storage=10 * KB)
    yield queue
    finish(queue)


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    with make_studio(tmp_path) as studio:
        studio.jobs.settings = studio.jobs.settings.model_copy(update={"visitor_storage": 10 * KB})
        yield studio


def kept(queue: JobQueue, owner: str, size: int) -> str:
    """An output's id."""
    return queue.store.save(job_id="", owner=owner, pipeline_id="test.echo", artifacts=[Artifact("text", b"x" * size, ".txt")], metadata={})[0].id


def later(queue: JobQueue, seconds: float) -> None:
    """As if all that was given had been given earlier."""
    with queue.store._transaction():
        queue.store._db.execute("UPDATE inputs SET created = created - ?", (seconds,))


def test_a_visitor_s_outputs_and_inputs_are_counted_and_nobody_else_s(queue: JobQueue) -> None:
    output = queue.store.output(kept(queue, "ann", 3000))
    key = queue.storage.inputs("ann").keep(PNG + b"a" * 2000)
    queue.storage.inputs("ann").keep(PNG + b"a" * 2000)
    size = Path(output.path).stat().st_size
    assert size >= 3000 and queue.storage.used("ann") == size + 2008, "the same file once"
    assert queue.storage.used("bob") == queue.storage.used("local") == 0
    queue.storage.inputs("bob").keep(PNG + b"a" * 2000)
    assert queue.storage.used("bob") == 2008, "of what two people give each has all"
    queue.store.trash([output.id], owner="ann")
    assert queue.storage.used("ann") == size + 2008, "the trash lies on the disk"
    queue.store.purge([output.id], owner="ann")
    assert queue.storage.used("ann") == 2008 and queue.desk.inputs.path(key).is_file()


def test_a_full_visitor_s_job_is_refused_before_it_is_queued_and_the_owner_s_is_not(queue: JobQueue) -> None:
    for owner in ("ann", "local"):
        kept(queue, owner, 12_000)
    with pytest.raises(StorageFull, match=r"0\.00 of 9\.53674e-06 GB are used") as refused:
        queue.submit("test.echo", {}, owner="ann")
    assert refused.value.status == 507 and "trash" in refused.value.hint
    assert queue.listing() == [] and queue.store.job_rows(["queued"]) == []
    queue.submit("test.echo", {}, owner="local")
    queue.submit("test.echo", {}, owner="bob")
    queue.settings = queue.settings.model_copy(update={"visitor_storage": 0})
    queue.submit("test.echo", {}, owner="ann")


def test_a_waiting_job_that_the_one_before_it_left_no_room_fails_with_the_sentence(queue: JobQueue) -> None:
    first = queue.submit("test.echo", {"prompt": "a word " * 2000, "steps": 1}, owner="ann")
    second = queue.submit("test.echo", {}, owner="ann")
    queue.start()
    assert first.wait().state == "done" and second.wait().state == "failed"
    assert second.error is not None and second.error.code == "storage_full" and second.outputs == []


def test_a_file_that_has_no_room_is_not_kept_at_all(queue: JobQueue) -> None:
    inputs = queue.storage.inputs("ann")
    inputs.keep(PNG + b"a" * 8000)
    with pytest.raises(StorageFull, match="This takes 0.0 MB"):
        inputs.keep(PNG + b"b" * 8000)
    assert len(list(inputs.folder.iterdir())) == 1
    queue.storage.inputs("local").keep(PNG + b"b" * 80_000)


def test_the_inputs_that_a_job_names_become_its_owner_s(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(PNG + b"a" * 5000)
    assert queue.storage.used("ann") == 0
    queue.submit("test.echo", {"prompt": f"see {key}"}, owner="ann")
    assert queue.storage.used("ann") == 5008
    large = queue.desk.inputs.keep(PNG + b"b" * 50_000)
    with pytest.raises(StorageFull):
        queue.submit("test.echo", {"prompt": large}, owner="ann")


def test_what_nothing_names_any_more_makes_room(queue: JobQueue) -> None:
    keys = [queue.storage.inputs("ann").keep(PNG + letter * 2000) for letter in (b"a", b"b", b"c", b"d")]
    queue.storage.inputs("bob").keep(PNG + b"d" * 2000)
    queue.store.remember("ann", "form", {"image": keys[0]})
    queue.store.put_document(kind="chat", owner="ann", title="", body={"picture": keys[1]})
    with pytest.raises(StorageFull):
        queue.storage.admit("ann", 4000)
    later(queue, FRESH_SECONDS + 1)
    queue.storage.admit("ann", 4000)
    assert queue.storage.used("ann") == 2 * 2008
    assert [(queue.desk.inputs.folder / key).is_file() for key in keys] == [True, True, False, True], "the last is somebody else's too"
    with pytest.raises(StorageFull):
        queue.storage.admit("ann", 9000)


def test_what_a_job_names_is_not_taken_to_make_room_for_it(queue: JobQueue) -> None:
    key = queue.storage.inputs("ann").keep(PNG + b"a" * 4000)
    later(queue, FRESH_SECONDS + 1)
    queue.storage.named("ann", {"image": key}, queue.desk.inputs)
    queue.storage._free("ann")
    assert (queue.desk.inputs.folder / key).is_file()
    later(queue, FRESH_SECONDS + 1)
    queue.storage.inputs("ann").keep(PNG + b"a" * 4000)  # given once more
    queue.storage._free("ann")
    assert (queue.desk.inputs.folder / key).is_file() and queue.storage.used("ann") == 4008


def test_a_sum_is_read_from_an_index_and_no_folder_is_walked(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(queue, "ann", 100)
    monkeypatch.setattr(os, "scandir", lambda *told: pytest.fail("a folder was walked"))
    asked: list[str] = []
    queue.store._db.set_trace_callback(asked.append)
    assert queue.storage.used("ann") > 100
    queue.store._db.set_trace_callback(None)
    plan = " ".join(str(row["detail"]) for row in queue.store._all(f"EXPLAIN QUERY PLAN {asked[0]}"))
    assert len(asked) == 1 and "COVERING INDEX outputs_bytes" in plan and "SCAN outputs" not in plan


def test_outputs_of_an_older_studio_are_measured_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    output = store.save(job_id="", owner="ann", pipeline_id="test.echo", artifacts=[Artifact("text", b"x" * 700, ".txt")], metadata={})[0]
    size = store.bytes_of("ann", uploads="upload:", since=0)
    store.close()
    db = sqlite3.connect(tmp_path / "studio.db")
    db.executescript("DROP INDEX outputs_bytes; ALTER TABLE outputs DROP COLUMN bytes; DROP TABLE inputs; PRAGMA user_version = 1;")
    db.close()
    again = Store(tmp_path)
    assert again.bytes_of("ann", uploads="upload:", since=0) == size == Path(output.path).stat().st_size
    assert again._one("PRAGMA user_version")[0] == len(MIGRATIONS)  # type: ignore[index] (a pragma always answers)
    again.close()


def test_pages_and_extensions_keep_files_in_their_owner_s_name() -> None:
    modules = [path for folder in ("tabs", "extensions") for path in (ROOT / folder).rglob("*.py") if "samples" not in path.parts]
    assert [path.name for path in modules if re.search(r"desk\.inputs\.keep", path.read_text(encoding="utf-8"))] == []


# -- the page's uploads ----------------------------------------------------------------------------------------


def door(storage: Storage) -> TestClient:
    taken: list[int] = []

    async def upload(request: Request) -> PlainTextResponse:
        taken.append(len(await request.body()))
        return PlainTextResponse(str(taken))

    return TestClient(Starlette(routes=[Route(path, upload, methods=["POST"]) for path in (PATH, "/other")], middleware=[Middleware(UploadDoor, storage=storage, words=Words())]))


def test_an_upload_without_room_is_refused_in_the_visitor_s_language_before_it_is_read(queue: JobQueue) -> None:
    client, ann = door(queue.storage), {"x-seisei-owner": "ann"}
    assert client.post(PATH, content=b"x" * 8000, headers=ann).text == "[8000]"
    refused = client.post(PATH, content=b"x" * 8000, headers=ann)
    assert refused.status_code == 507 and refused.text.startswith("This takes 0.0 MB, and ")
    assert re.search("[ぁ-ん]", client.post(PATH, content=b"x" * 8000, headers=ann | {"accept-language": "ja"}).text)
    assert client.post(PATH, content=iter([b"x"]), headers=ann).status_code == 422, "of unknown size"
    assert client.post("/other", content=b"x" * 80_000, headers=ann).status_code == 200
    assert client.post(PATH, content=b"x" * 80_000, headers={"x-seisei-owner": "local"}).text == "[8000, 80000, 80000]"
    later(queue, UPLOAD_SECONDS + 1)
    assert queue.storage.used("ann") == 0 and client.post(PATH, content=b"x" * 8000, headers=ann).status_code == 200


def sent(storage: Storage, app: Any, *messages: dict[str, Any]) -> int:
    """The answer's status to an upload of ann's that says it has 8,000 bytes, 0 where none came; the rest of it is `messages`."""
    coming, statuses = iter(messages), [0]
    scope = {"type": "http", "method": "POST", "path": PATH, "headers": [(b"x-seisei-owner", b"ann"), (b"content-length", b"8000")]}

    async def receive() -> dict[str, Any]:
        return next(coming)

    async def send(message: Any) -> None:
        statuses.append(message.get("status", statuses[-1]))

    with contextlib.suppress(ClientDisconnect):
        asyncio.run(UploadDoor(app, storage, Words())(scope, receive, send))
    return statuses[-1]


def test_an_upload_that_broke_off_counts_with_what_came_and_a_refused_one_not_at_all(queue: JobQueue) -> None:
    async def upload(request: Request) -> PlainTextResponse:
        return PlainTextResponse("", status_code=400 if await request.body() == b"no form" else 200)

    app = Starlette(routes=[Route(PATH, upload, methods=["POST"])])
    part = {"type": "http.request", "body": b"x" * 300, "more_body": True}
    assert sent(queue.storage, app, part, part, {"type": "http.disconnect"}) in (0, 500) and queue.storage.used("ann") == 600
    assert sent(queue.storage, app, {"type": "http.request", "body": b"no form"}) == 400 and queue.storage.used("ann") == 600
    assert sent(queue.storage, app, {"type": "http.request", "body": b"x" * 8000}) == 200 and queue.storage.used("ann") == 8600


def test_the_api_refuses_a_file_without_room(studio: Studio) -> None:
    app = Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda name: None).routes()])
    client = TestClient(app, headers={"x-seisei-owner": "ann", "x-seisei-host": "0"})
    assert client.post("/api/v1/inputs", content=PNG + b"a" * 8000).status_code == 200
    refused = client.post("/api/v1/inputs", content=PNG + b"b" * 8000)
    assert refused.status_code == 507 and refused.json()["error"]["code"] == "storage_full"


@pytest.mark.parametrize(("given", "told"), [("猫 (1).png", "猫 (1).png"), ("../../etc/a\x00b.wav", "a_b.wav"), ("a" * 400 + ".png", "a" * 76 + ".png"), ("", "dropped"), ("..", "dropped")])
def test_a_dropped_file_without_settings_is_told_by_its_name(studio: Studio, given: str, told: str) -> None:
    app = Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda name: None).routes()])
    refused = TestClient(app, headers={"x-seisei-owner": "ann", "x-seisei-host": "0"}).post("/api/v1/restore", params={"name": given}, content=PNG)
    assert refused.status_code == 422 and refused.json()["error"]["message"].startswith(f"“{told}” ")


def test_a_file_of_no_known_kind_is_refused_at_no_setting(studio: Studio) -> None:
    """What it is for is known only to who sends it."""
    app = Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda name: None).routes()])
    refused = TestClient(app, headers={"x-seisei-owner": "ann", "x-seisei-host": "0"}).post("/api/v1/inputs", content=b"MTrk")
    assert refused.status_code == 422 and refused.json()["error"]["field"] == ""


def test_an_upload_that_moves_while_old_ones_are_looked_for_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old.png").write_bytes(PNG)
    monkeypatch.setattr(os, "walk", lambda folder, topdown: [(str(tmp_path), ["gone"], ["gone.png", "old.png"])])
    assert sweep(tmp_path, now=time.time() + KEPT_SECONDS + 60) == 1


def test_uploads_go_after_a_week_but_for_what_the_page_was_built_with(tmp_path: Path) -> None:
    for name in ("old/a.png", "built/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(PNG)
    built = str(tmp_path / "built" / "b.png")
    later = time.time() + KEPT_SECONDS + 60
    assert sweep(tmp_path) == 0 and sweep(tmp_path / "nowhere") == 0
    assert sweep(tmp_path, [built], now=later) == 1
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["b.png", "built"]


def test_the_files_that_a_page_was_built_with_are_known(tmp_path: Path) -> None:
    """In a program of its own, as Gradio leaves sockets and event loops behind."""
    code = f"""
import gradio as gr
from pathlib import Path
from studio.uploads import KEPT_SECONDS, built_with
Path({str(tmp_path / "a.txt")!r}).write_text("a")
with gr.Blocks() as page:
    gr.File({str(tmp_path / "a.txt")!r})
(found,) = built_with(page)
assert Path(found).read_text() == "a" and Path(found).is_relative_to({str(tmp_path / "uploads")!r}), found
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=120, env=os.environ | {"GRADIO_TEMP_DIR": str(tmp_path / "uploads")})


# -- downloads -------------------------------------------------------------------------------------------------


def test_an_export_and_a_zip_leave_no_file_behind(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert as_file("A / title", ".md", "text") == {"name": f"A  title-{time.strftime('%Y%m%d')}.md", "text": "text"}
    ids = [kept(studio.jobs, "ann", 50), kept(studio.jobs, "ann", 2_000_000)]
    client = TestClient(Starlette(routes=[mount(route, studio.words) for route in Api(studio, list, lambda name: None).routes()]), headers={"x-seisei-owner": "ann", "x-seisei-host": "0"})
    answer = client.get(f"/api/v1/outputs/zip?ids={','.join(ids)}")
    assert answer.headers["content-disposition"] == 'attachment; filename="seisei-2-outputs.zip"' and int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None and {Path(studio.store.output(one).path).name for one in ids} <= set(archive.namelist())
    assert list((tmp_path / "temporary").iterdir()) == []


def test_no_module_of_the_page_makes_a_folder_that_it_leaves() -> None:
    modules = [path for folder in ("tabs", "studio", "extensions") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in modules if re.search(r"mkdtemp|mkstemp|delete=False", path.read_text(encoding="utf-8"))] == []
