"""The store: nothing lost, nothing half-written, found again after a broken database."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.api import Artifact, BadInput, NotFound
from studio.errors import DataFolderInUse, DiskFull
from studio.metadata import body, extract
from studio.store import Store

ABOUT = {"params": {"prompt": "a red boat", "seed": 5}}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def save(store: Store, text: str = "hello", owner: str = "me", title: str = "", suffix: str = ".md", **about: Any) -> Any:
    artifact = Artifact("text", text.encode(), suffix, title=title)
    return store.save(job_id="j", owner=owner, pipeline_id="test.echo", artifacts=[artifact], metadata=ABOUT | about)[0]


def test_an_output_carries_its_own_settings(store: Store) -> None:
    output = save(store, "some -- text --> with marks")
    assert extract(Path(output.path))["params"] == ABOUT["params"]
    assert body(Path(output.path)) == b"some -- text --> with marks"
    assert store.output(output.id).metadata == output.metadata


def test_search_finds_words_of_text_title_and_settings_in_any_language(store: Store) -> None:
    save(store, "the quick fox", title="Fox")
    save(store, "東京の空は青い")
    assert store.count(query="quick") == 1
    assert store.count(query="boat") == 2
    assert [output.title for output in store.outputs(query="fox quick")] == ["Fox"]
    assert store.count(query="東京") == 1 and store.count(query="空は青") == 1
    assert store.count(query='"') == 0 and store.count(query="%") == 0


def test_people_see_and_trash_only_their_own(store: Store) -> None:
    mine, yours = save(store, owner="me"), save(store, owner="you")
    assert [output.id for output in store.outputs(owner="me")] == [mine.id]
    assert store.trash([mine.id, yours.id], owner="me") == 1
    assert store.count(owner="me") == 0 and store.count(owner="me", trashed=True) == 1 and store.count(owner="you") == 1
    assert store.untrash([mine.id], owner="me") == 1 and store.count(owner="me") == 1


def test_only_what_is_in_the_trash_is_deleted_for_good(store: Store) -> None:
    output = save(store)
    assert store.purge([output.id], owner="me") == 0 and Path(output.path).exists()
    store.trash([output.id], owner="me")
    assert store.purge([output.id], owner="me") == 1 and not Path(output.path).exists()
    with pytest.raises(NotFound):
        store.output(output.id)


def test_a_full_disk_is_told_and_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull) as told:
        save(store)
    assert told.value.hint and store.count() == 0
    assert [path for path in store.outputs_path.rglob("*") if path.is_file()] == []


def test_a_corrupt_database_is_kept_aside_and_outputs_are_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    output = save(store, "found again", title="Old")
    store.close()
    (tmp_path / "studio.db").write_bytes(b"this is no database at all" * 100)
    again = Store(tmp_path)
    assert [found.title for found in again.outputs(query="found again")] == ["Old"]
    assert again.output(output.id).metadata["params"] == ABOUT["params"]
    assert len(again.warnings) == 1 and len(list(tmp_path.glob("studio.broken-*.db"))) == 1
    again.close()


def test_two_studios_on_one_folder_are_refused(store: Store) -> None:
    with pytest.raises(DataFolderInUse) as told:
        Store(store.data)
    assert "--data-dir" in told.value.hint


def test_documents_are_kept_searched_deleted_and_taken_back(store: Store) -> None:
    one = store.put_document(kind="chat", owner="me", title="Boats", body={"text": "sailing at dawn"})
    store.put_document(kind="chat", owner="you", title="Boats", body={"text": "sailing"})
    assert [document.id for document in store.documents("chat", owner="me", query="sailing dawn")] == [one.id]
    store.put_document(kind="chat", owner="me", title="Ships", body={"text": "anchored"}, id=one.id)
    assert store.documents("chat", owner="me", query="dawn") == [] and store.document(one.id, owner="me").title == "Ships"
    with pytest.raises(NotFound):
        store.document(one.id, owner="you")
    with pytest.raises(NotFound):
        store.put_document(kind="chat", owner="you", title="x", body={}, id=one.id)
    store.delete_document(one.id, owner="me")
    assert store.documents("chat", owner="me") == []
    store.undelete_document(one.id, owner="me")
    assert len(store.documents("chat", owner="me")) == 1


def test_remembered_values_survive(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.remember("me", "controls", {"temperature": 0.5})
    store.close()
    again = Store(tmp_path)
    assert again.recall("me", "controls") == {"temperature": 0.5} and again.recall("you", "controls", 1) == 1
    again.close()


def test_a_title_can_not_leave_the_folder(store: Store) -> None:
    output = save(store, title="../../etc/passwd <b>")
    assert Path(output.path).resolve().is_relative_to(store.outputs_path.resolve()) and "<" not in output.path


def test_unknown_suffixes_get_a_sidecar(store: Store) -> None:
    output = save(store, suffix=".csv")
    assert extract(Path(output.path))["params"] == ABOUT["params"]
    with pytest.raises(BadInput):
        extract(Path(output.path).with_suffix(".gone"))


def test_a_data_folder_of_the_first_version_opens_with_everything_in_it(tmp_path: Path) -> None:
    """tests/fixtures/data_v1 was written by version 0.1.0 and stays as it is."""
    data = tmp_path / "data"
    shutil.copytree(Path(__file__).parent / "fixtures" / "data_v1", data)
    store = Store(data)
    assert store.warnings == []
    assert [output.title for output in store.outputs(owner="local")] == ["A green square", "What is the capital of Japan?"]
    assert [output.kind for output in store.outputs(owner="local", query="東京 capital")] == ["text"]
    assert [document.title for document in store.documents("chat", owner="local", query="Japan")] == ["Capitals"]
    assert store.recall("local", "text.chat.open") == "x" and [row["id"] for row in store.job_rows(["queued"])] == ["j3"]
    assert all(extract(Path(output.path))["id"] == output.id for output in store.outputs(owner="local"))
    store.close()
    (data / "studio.db").write_bytes(b"no database")
    rebuilt = Store(data)
    assert {output.title for output in rebuilt.outputs(owner="local")} == {"A green square", "What is the capital of Japan?"}
    rebuilt.close()
