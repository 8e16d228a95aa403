"""Many pictures in one style: a folder of mixed files, one that broke, the settings of each result, and going on after a break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.style.batch import Batch, BatchParams
from pipelines.image.style.blend import BlendParams
from studio.api import Catalog, StudioError
from studio.jobs import JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue
from tests.style_pictures import encoded, painting, pixels

BATCH, BLEND = "image.style_batch", "image.style_blend"


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("batch")
    made = image_queue(root / "data", root / "models")
    made.start()
    yield made
    finish(made)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one of them moving, among files that are none."""
    whole = encoded(painting(23))
    (tmp_path / "a.png").write_bytes(encoded(painting(12).resize((48, 32))))
    (tmp_path / "b broken.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.jpg").write_bytes(encoded(painting(5).resize((32, 48)), "JPEG"))
    (tmp_path / "d.gif").write_bytes(encoded(painting(1).resize((32, 32)), "GIF", save_all=True, append_images=[painting(2).resize((32, 32))], duration=80))
    (tmp_path / "e song.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    (tmp_path / "notes.txt").write_text("no picture")
    for name in (".DS_Store", "Thumbs.db"):
        (tmp_path / name).write_bytes(b"of the system")
    (tmp_path / "tiny.png").write_bytes(encoded(Image.new("RGB", (4, 4))))
    return tmp_path


def test_a_folder_of_mixed_files_is_painted_and_the_rest_is_told_by_name(queue: JobQueue, folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    keys, names, refused = Batch().gather([folder], queue.desk.inputs.keep)
    assert names == ["a.png", "b broken.png", "d.gif", "c.jpg", "tiny.png"] and [one["name"] for one in refused] == ["e song.wav", "notes.txt"] and all("no picture" in one["why"] for one in refused)
    job = queue.submit(BATCH, {"images": keys, "names": names, "settings": {"styles": "7", "strength": 0.8}}, owner="local").wait()
    assert job.error is None, job.error
    outputs = [queue.store.output(one) for one in job.outputs]
    assert [output.title for output in outputs] == ["a · Midnight and flame", "d · Midnight and flame", "c · Midnight and flame"]
    assert [(one["name"], one["why"][:24]) for one in job.summary["refused"]] == [("b broken.png", "This is no picture that "), ("tiny.png", "The picture is 4 × 4 pix")] and job.summary["painted"] == 3
    assert {path: path.read_bytes() for path in before} == before, "originals are not touched"
    about = extract(Path(outputs[0].path))
    assert about["pipeline"] == BLEND and about["params"]["image"] == keys[0] and about["params"]["strength"] == 0.8, "each result can be made again alone"
    alone = queue.submit(BLEND, BlendParams.restore(about["params"], 1)[0].model_dump(), owner="local").wait()
    assert (pixels(queue.store.output(alone.outputs[0]).path) == pixels(outputs[0].path)).all()
    with Image.open(outputs[1].path) as file:
        assert file.format == "GIF" and file.n_frames == 2


def test_where_no_picture_can_be_painted_the_job_says_so(queue: JobQueue, folder: Path) -> None:
    keys, names, _ = Batch().gather([folder / "b broken.png", folder / "tiny.png"], queue.desk.inputs.keep)
    with pytest.raises(StudioError) as told:
        queue.submit(BATCH, {"images": keys, "names": names, "settings": {"styles": "7"}}, owner="local")
    assert told.value.field == "images"


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"images": []}, "images", "no pictures"), ({"names": ["a"]}, "names", "1 names for 2 pictures"), ({"images": ["../x"]}, "images", "no picture's key"), ({"settings": {"styles": "?"}}, "settings", "no style"),
        ({"settings": {"image": "x"}}, "settings", "“image” is set for all"), ({"settings": {"strenth": 1}}, "settings", "no setting"), ({"settings": {"strength": 2}}, "settings", "at most 1"),
        ({"method": "image.style_any"}, "settings", "no style picture"), ({"method": "image.generate"}, "method", "one of"), ({"settings": {"size": 16384}}, "settings", "megapixels"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_field(queue: JobQueue, folder: Path, values: dict[str, Any], field: str, words: str) -> None:
    keys, _, _ = Batch().gather([folder / "a.png", folder / "deep" / "c.jpg"], queue.desk.inputs.keep)
    with pytest.raises(StudioError) as told:
        queue.submit(BATCH, {"images": keys} | values, owner="local")
    assert told.value.field == field and words in told.value.message and told.value.hint


def test_method_and_settings_change_the_results(queue: JobQueue, folder: Path) -> None:
    keys, _, _ = Batch().gather([folder / "a.png"], queue.desk.inputs.keep)
    style = queue.desk.inputs.keep(encoded(painting(3)))
    seen: list[np.ndarray] = []
    for values in ({}, {"settings": {"styles": "3"}}, {"method": "image.style_any", "settings": {"style": style}}):
        job = queue.submit(BATCH, {"images": keys} | values, owner="local").wait()
        assert job.error is None and len(job.outputs) == 1
        picture = pixels(queue.store.output(job.outputs[0]).path)
        assert not any((picture == other).all() for other in seen)
        seen.append(picture)
    assert job.summary["pace"]["picture"] > 0 and Batch().seconds(BatchParams(images=keys * 3), Catalog([]), job.summary["pace"]) == 3 * job.summary["pace"]["picture"]
    need = Batch().need(BatchParams(images=keys * 3), queue.catalog)
    assert need.facts["pictures"] == 3 and need.working_bytes > 0 and not need.missing


def test_a_batch_that_was_broken_off_goes_on_after_the_last_picture(queue: JobQueue, folder: Path) -> None:
    """As after the end of the worker: the files that were kept are handed to the next run."""
    from studio.worker import WorkerContext

    keys, names, _ = Batch().gather([folder / "a.png", folder / "b broken.png", folder / "deep" / "c.jpg", folder / "d.gif"], queue.desk.inputs.keep)
    params = BatchParams(images=keys, names=names, settings={"styles": "7"})
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    context = WorkerContext(worker, {"job": "again", "params": params.model_dump(), "kept": ["1.png", "2.gif"]})
    made: list[str] = []
    context.output = lambda artifact: made.append(artifact.title)  # type: ignore[method-assign]
    summary = Batch().run(params, context).summary
    assert made == ["c · Midnight and flame"] and summary["painted"] == 3 and [one["name"] for one in summary["refused"]] == ["b broken.png"]
