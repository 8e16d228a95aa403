"""image.annotate as a job, and the same methods where they prepare the pictures of control networks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.annotate.methods import PLAIN, Method, Preparation, fields_of
from pipelines.image.annotate.models import bytes_of, work_of
from pipelines.image.annotate.pipeline import Annotate, AnnotateParams
from pipelines.image.annotate.prepare import NO_PERSON, annotated, edge_spec, plain, seer_spec
from pipelines.image.credits import KINDRED, MODULES, read_credits
from pipelines.image.generate import Generate
from pipelines.image.params import ImageParams, Process
from pipelines.image.pictures import open_picture, png, to_size
from studio.api import Catalog, ModelBroken, ModelEntry, Progress, StudioError
from studio.jobs import Job, JobQueue
from studio.metadata import extract
from tests import seeing_models as seeing
from tests.house import finish
from tests.image_models import image_queue, make_controlnet, make_sd1
from tests.text_fakes import FakeContext
from tests.trunks import trunk_file

SIDE = 32
METHODS = Method.__args__  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("annotate")
    models = root / "models"
    (models / "vision").mkdir(parents=True)
    (models / "vision" / "vgg16-hed.h5").symlink_to(trunk_file().resolve())
    seeing.make_depth_anything(models / "depth" / "anything")
    seeing.make_dpt(models / "depth" / "dpt")
    seeing.make_vitpose(models / "pose" / "vitpose")
    seeing.make_vitpose(models / "pose" / "vitpose-plus", experts=2)
    seeing.make_vitpose(models / "pose" / "zebra", joints=seeing.COCO[:9])
    seeing.make_detector(models / "detector" / "persons")
    seeing.make_detector(models / "detector" / "tables", person="table")
    make_sd1(models / "sd1")
    make_controlnet(models / "controlnet" / "edges")
    made = image_queue(root / "data", models)
    made.start()
    yield made
    finish(made)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    """Nothing that sees, but what image.generate needs to be asked."""
    root = tmp_path_factory.mktemp("blind")
    make_sd1(root / "models" / "sd1")
    make_controlnet(root / "models" / "controlnet" / "edges")
    made = image_queue(root / "data", root / "models")
    yield made
    finish(made)


def context(queue: JobQueue) -> FakeContext:
    ctx = FakeContext([])
    ctx.catalog = queue.catalog
    ctx.model = queue.catalog.find  # type: ignore[method-assign]
    return ctx


def scene(width: int = 80, height: int = 64) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    light: np.ndarray = np.where(np.hypot(x - 30, y - 30) < 17, 220, 60) + 25 * np.sin(x / 2) * np.cos(y / 3)
    light[:, width * 3 // 4 :] += np.linspace(180, 10, height)[:, None]  # an edge that fades
    return Image.fromarray(np.stack([light, light * 0.7, 255 - light], -1).clip(0, 255).astype(np.uint8))


def kept(queue: JobQueue, image: Image.Image | None = None) -> str:
    return queue.desk.inputs.keep(png(image or scene()))


def run(queue: JobQueue, **values: Any) -> Job:
    return queue.submit("image.annotate", {"image": kept(queue)} | values, owner="local").wait()


def made(queue: JobQueue, **values: Any) -> np.ndarray:
    job = run(queue, **values)
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_each_method_makes_another_picture_of_the_same_size_and_says_how(queue: JobQueue) -> None:
    seen: list[np.ndarray] = [np.asarray(scene())]
    for method in METHODS:
        job = run(queue, method=method)
        assert job.error is None, (method, job.error and (job.error.message, job.error.traceback))
        output = queue.store.output(job.outputs[0])
        picture = np.asarray(open_picture(Path(output.path)))
        assert picture.shape == (64, 80, 3) and not any(np.array_equal(picture, other) for other in seen), method
        seen.append(picture)
        told = extract(Path(output.path))
        assert told["pipeline"] == "image.annotate" and told["params"]["method"] == method and (told["facts"]["width"], told["facts"]["height"]) == (80, 64)
        pace = queue.store.recall("", f"pace:cpu:{Annotate().pace_key(job.params, queue.catalog)}")
        assert 0 < pace["pixel"] * 80 * 64 < 30 and Annotate().seconds(job.params, queue.catalog, pace) > 0
    assert told["params"]["depth_model"] == ""


def test_the_models_that_were_taken_are_in_the_file(queue: JobQueue) -> None:
    params = [run(queue, method=method).params.model_dump() for method in ("Depth", "Pose", "Canny")]
    assert [(each["depth_model"], each["pose_model"], each["person_model"]) for each in params] == [("depth/anything", "", ""), ("", "pose/vitpose", "detector/persons"), ("", "", "")]
    assert run(queue, method="Canny", depth_model="nowhere").params.model_dump()["depth_model"] == "", "what the method needs not is left out"


CHANGES: list[tuple[str, dict[str, Any]]] = [
    *(("detail", {"method": method, "detail": 0.9}) for method in METHODS if "detail" in fields_of(method) and method != "Pose"), ("detail", {"method": "Pose", "detail": 0.0}), ("low", {"method": "Canny", "low": 10}), ("high", {"method": "Canny", "high": 900}),
    *(("on_white", {"method": method, "on_white": True}) for method in METHODS if "on_white" in fields_of(method)), ("width", {"width": 40}), ("height", {"height": 30}), ("resize", {"width": 40, "height": 40, "resize": "Stretch"}), ("resize", {"width": 40, "height": 40, "resize": "Fit"}),
    ("depth_model", {"method": "Depth", "depth_model": "dpt"}), ("depth_model", {"method": "Normal", "depth_model": "dpt"}), ("pose_model", {"method": "Pose", "pose_model": "vitpose-plus"}),
    ("upscale", {"upscale": 2.0}), ("upscaler", {"upscale": 2.0, "upscaler": "Nearest"}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "values"), CHANGES)
def test_every_field_changes_the_picture(queue: JobQueue, field: str, values: dict[str, Any]) -> None:
    without = {name: value for name, value in values.items() if name != field}
    one, other = made(queue, **values), made(queue, **without)
    assert one.shape != other.shape or not np.array_equal(one, other)
    if field == "on_white":
        assert np.array_equal(one, 255 - other)


def test_the_detector_says_where_to_look(queue: JobQueue) -> None:
    """Without one the whole picture is one person."""
    ctx = context(queue)
    facts = [annotated(scene(), Preparation("Pose", 1.0, pose_model="pose/vitpose", person_model=detector), ctx, lambda share: None).facts for detector in ("", "detector/persons")]
    assert facts[0]["persons"] == 1 < facts[1]["persons"]


def test_a_picture_without_a_person_is_told(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import seeing as nets

    monkeypatch.setattr(nets, "persons", lambda detector, picture: [])
    job = run(queue, method="Pose")
    assert job.summary["notes"] == [NO_PERSON] and not made(queue, method="Pose").any()


def test_a_size_given_in_part_keeps_the_proportions(queue: JobQueue) -> None:
    assert made(queue, width=40).shape == (32, 40, 3) and made(queue, height=128).shape == (128, 160, 3) and made(queue, width=50, height=50).shape == (50, 50, 3)
    wanted = plain(to_size(scene(), 50, 50, "Crop"), Preparation("Canny"))
    assert np.array_equal(made(queue, method="Canny", width=50, height=50), np.asarray(wanted)), "brought to its size first, so that lines stay thin"


def test_a_turned_and_a_see_through_picture_are_seen_upright_and_on_white(queue: JobQueue, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter to the right when shown
    turned = tmp_path / "turned.jpg"
    scene().save(turned, exif=exif, quality=95)
    before = turned.read_bytes()
    assert made(queue, image=queue.desk.inputs.keep(before), method="Invert").shape == (80, 64, 3) and turned.read_bytes() == before
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (10, 10, 30, 30))
    found = made(queue, image=kept(queue, clear), method="Luminance")
    assert found[0, 0].tolist() == [255, 255, 255] and found[20, 20].tolist() == [0, 0, 0]


# -- the door ----------------------------------------------------------------------------------------------------------

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"image": ""}, "image", "not here any more"), ({"method": "Edges"}, "method", "must be one of"), ({"detail": 1.5}, "detail", "at most 1"), ({"method": "Depth", "detail": 0.6}, "detail", "no more or less detail"), ({"method": "Invert", "detail": 0.4}, "detail", "no more or less detail"),
    ({"method": "Lines", "low": 10}, "low", "for Canny"), ({"method": "Depth", "high": 10}, "high", "for Canny"), ({"method": "Canny", "low": 300, "high": 200}, "low", "above strong ones, 200"), ({"method": "Canny", "low": 300}, "low", "above strong ones"),
    ({"method": "Depth", "on_white": True}, "on_white", "no lines"), ({"method": "Blur", "on_white": True}, "on_white", "no lines"), ({"width": 8192, "height": 8192}, "width", "67 megapixels"), ({"width": 9000}, "width", "at most 8192"),
    ({"method": "Depth", "depth_model": "anythin"}, "depth_model", "not on this computer"), ({"method": "Pose", "pose_model": "nowhere"}, "pose_model", "not on this computer"), ({"method": "Pose", "person_model": "tables"}, "person_model", "not on this computer"),
    ({"method": "Pose", "pose_model": "zebra"}, "pose_model", "finds 9 joints"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "field", "words"), REFUSED)
def test_what_would_do_nothing_or_is_not_there_is_refused_at_its_field(queue: JobQueue, values: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(StudioError) as told:
        run(queue, **values)
    assert told.value.field == field and words in told.value.message and told.value.hint


@pytest.mark.parametrize(
    ("method", "words", "hint"),
    [
        ("Soft edges", "not on this computer", "Models tab"),
        ("Scribble", "not on this computer", "Models tab"),
        ("Depth", "no depth model", "models/depth"),
        ("Normal", "no depth model", "models/depth"),
        ("Pose", "no pose model", "models/pose"),
    ],
)
def test_a_method_without_its_model_is_refused_in_both_places_before_anything_is_loaded(empty: JobQueue, method: str, words: str, hint: str) -> None:
    with pytest.raises(StudioError) as told:
        empty.submit("image.annotate", {"image": kept(empty), "method": method}, owner="local")
    assert told.value.field == "method" and words in told.value.message and hint in told.value.hint
    assert words in Annotate().need(AnnotateParams(image=kept(empty), method=method), empty.catalog).missing
    asked = {"prompt": "a cat", "model": "sd1", "control2_model": "edges", "control2_image": kept(empty), "control2_process": method}
    with pytest.raises(StudioError) as told:
        empty.submit("image.generate", asked, owner="local")
    assert told.value.field == "control2_process" and words in told.value.message and hint in told.value.hint
    assert words in Generate().need(ImageParams(**asked), empty.catalog).missing


def test_a_damaged_folder_is_told_at_its_field_when_it_is_loaded(queue: JobQueue, tmp_path: Path) -> None:
    folder = seeing.make_vitpose(tmp_path / "models" / "pose" / "broken")
    (folder / "preprocessor_config.json").unlink()
    ctx = FakeContext([])
    ctx.catalog = Catalog([tmp_path / "models"])
    with pytest.raises(ModelBroken, match="“broken” can't be loaded") as told, ctx.models.use(seer_spec(ctx.catalog.find("pose/broken"), "pose_model", ctx, [])):
        pass
    assert told.value.field == "pose_model" and told.value.hint


# -- memory, Stop ------------------------------------------------------------------------------------------------------


def test_need_counts_weights_exactly_and_work_by_the_picture(queue: JobQueue) -> None:
    image = kept(queue)

    def need(**values: Any) -> Any:
        return Annotate().need(AnnotateParams(image=image, **values), queue.catalog)

    ctx = context(queue)
    with ctx.models.use(edge_spec(ctx, [])) as network:
        assert need(method="Soft edges").weight_bytes == edge_spec(ctx, []).bytes == 4 * sum(each.numel() for each in network.parameters())
    assert need(method="Depth").weight_bytes == queue.catalog.find("depth/anything").bytes
    assert need(method="Pose").weight_bytes == queue.catalog.find("pose/vitpose").bytes + queue.catalog.find("detector/persons").bytes
    assert need(method="Canny").weight_bytes == 0 and need(width=4000, height=4000).working_bytes - need(width=2000, height=2000).working_bytes == work_of("Canny", 12e6)
    assert need(method="Canny").facts["fields"] == ["detail", "low", "high", "on_white", "width", "height", "resize", "upscale", "upscaler"] and need(method="Canny", upscale=2.0).weight_bytes > 0
    assert queue.verdict(queue.pipelines["image.annotate"], AnnotateParams(image=image)).seconds >= 0, "once one was made"


def test_half_precision_on_disk_counts_twice_in_memory(queue: JobQueue) -> None:
    entry = queue.catalog.find("depth/anything")
    half = ModelEntry(**(entry.__dict__ | {"key": "half", "dtype": "float16"}))
    catalog = Catalog([], extra=lambda: [entry, half])
    assert bytes_of([Preparation("Depth", depth_model="half"), Preparation("Normal", depth_model="half"), Preparation("Depth", depth_model=entry.key)], catalog) == 3 * entry.bytes


def test_the_picture_s_own_size_is_counted(queue: JobQueue) -> None:
    small, large = (queue.verdict(queue.pipelines["image.annotate"], AnnotateParams(image=kept(queue, scene(80 * side, 64 * side)), method="Canny")) for side in (1, 10))
    assert large.working_bytes - small.working_bytes == work_of("Canny", 800 * 640) - work_of("Canny", 80 * 64)
    run(queue, method="Canny")
    small, large = (queue.verdict(queue.pipelines["image.annotate"], AnnotateParams(image=kept(queue, scene(80 * side, 64 * side)), method="Canny")) for side in (1, 10))
    assert large.seconds == pytest.approx(100 * small.seconds) and small.seconds > 0


def test_too_little_memory_is_told_at_the_size(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue.executors["device"].worker.models, "budget", 1_000_000)  # type: ignore[attr-defined]
    job = run(queue, method="Soft edges")
    assert job.error and job.error.field == "width" and "smaller size" in job.error.hint and "quantised" not in job.error.hint


def test_stop_acts_between_the_layers_of_a_depth_network(queue: JobQueue) -> None:
    from pipelines.image.nets.seeing import depth

    ctx, shares = context(queue), list[float]()
    with ctx.models.use(seer_spec(queue.catalog.find("depth/anything"), "depth_model", ctx, [])) as seer:
        depth(seer, scene(), shares.append)
        assert len(shares) > 10 and min(shares) >= 0 and max(shares) < 1
        with pytest.raises(InterruptedError):
            depth(seer, scene(), stopping := Stopping(3))
    assert stopping.heard == 3


class Stopping:
    """Raises at the so many-eth word."""

    def __init__(self, at: int) -> None:
        self.at, self.heard = at, 0

    def __call__(self, share: float) -> None:
        self.heard += 1
        if self.heard == self.at:
            raise InterruptedError


def test_stop_ends_it_between_layers_and_nothing_is_kept(queue: JobQueue) -> None:
    job = queue.submit("image.annotate", {"image": kept(queue, scene(1200, 900)), "method": "Soft edges"}, owner="local")
    heard = 0
    for event in job.events():
        if isinstance(event, Progress):
            heard += 1
            if heard == 2:
                queue.cancel(job.id, by="local", mode="cancel")
    assert job.state == "cancelled" and not job.outputs and heard < 13 * 4


# -- as control pictures -----------------------------------------------------------------------------------------------


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {
        "prompt": "a red cat",
        "width": SIDE,
        "height": SIDE,
        "steps": 2,
        "seed": 5,
        "cfg_scale": 4.0,
        "upscale": 1.0,
        "model": "sd1",
        "sampler": "Euler",
        "control_model": "edges",
        "control_image": kept(queue),
    } | values
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


@pytest.mark.parametrize("method", METHODS)
def test_a_control_picture_is_what_the_method_makes_of_it_at_the_drawn_size(queue: JobQueue, method: str) -> None:
    """Drawn from a picture with its preparation, and from what image.annotate makes of it, which is what the page shows beforehand."""
    detail = 0.6 if "detail" in fields_of(method) else 0.5
    shown = made(queue, method=method, detail=detail, width=SIDE, height=SIDE)
    wanted = drawn(queue, control_image=kept(queue, Image.fromarray(shown)))
    assert np.array_equal(drawn(queue, control_process=method, control_detail=detail), wanted) and not np.array_equal(wanted, drawn(queue))


def test_the_chosen_models_prepare_and_are_kept_in_the_settings(queue: JobQueue) -> None:
    one, other = (drawn(queue, control_process="Depth", depth_model=name) for name in ("", "dpt"))
    assert not np.array_equal(one, other)
    one, other = (drawn(queue, control_process="Pose", control_detail=1.0, pose_model=name) for name in ("", "vitpose-plus"))
    assert not np.array_equal(one, other)
    newest = queue.store.outputs(owner="local", kind="image", limit=1)[0].metadata["params"]
    assert (newest["depth_model"], newest["pose_model"], newest["person_model"]) == ("", "pose/vitpose-plus", "detector/persons")
    with pytest.raises(StudioError) as told:
        drawn(queue, control_process="Depth", control_detail=0.7)
    assert told.value.field == "control_detail"


def test_a_picture_is_prepared_once_for_all_pictures_of_a_job(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import hed

    looked: list[tuple[int, int]] = []
    whole = hed.soft_edges
    monkeypatch.setattr(hed, "soft_edges", lambda network, picture, shift, each: looked.append(picture.size) or whole(network, picture, shift, each))
    drawn(queue, control_process="Soft edges", count=3)
    assert looked == [(SIDE, SIDE)]


def test_a_second_pass_sees_the_picture_prepared_at_its_own_size() -> None:
    from pipelines.image.control import Unit
    from pipelines.image.nets.control import Guide, picture_of

    looked: list[tuple[int, int]] = []
    guide = Guide(Unit("control", ModelEntry("e", "e", "controlnet", "diffusers", 1, "e"), "", "Soft edges", 1.0, 0.0, 1.0), None, scene(), lambda image: looked.append(image.size) or image)  # type: ignore[func-returns-value]
    sizes = [picture_of(guide, ImageParams(width=32, height=32), None, size).size for size in ((32, 32), (64, 64), (32, 32), (64, 64))]
    assert looked == [(32, 32), (64, 64)] and sizes == [(32, 32), (64, 64)] * 2


def test_what_prepares_is_counted_before_it_is_loaded(queue: JobQueue) -> None:
    def need(**values: Any) -> Any:
        return Generate().need(ImageParams(model="sd1", control_model="edges", width=512, height=512, **values), queue.catalog)

    plain_need = need().weight_bytes
    assert need(control_process="Canny").weight_bytes == plain_need + work_of("Canny", 512 * 512)
    assert need(control_process="Depth").weight_bytes == plain_need + work_of("Depth", 512 * 512, weights := queue.catalog.find("depth/anything").bytes) + weights


def test_every_preparation_is_written_for_other_programs_and_read_back() -> None:
    assert set(METHODS) | {"None"} == set(Process.__args__) == set(MODULES)  # type: ignore[attr-defined]
    assert set(PLAIN) <= set(MODULES) and set(KINDRED.values()) <= set(MODULES)

    def read(module: str) -> str:
        return str(read_credits({"ControlNet 0": f"Module: {module}, Model: net, Weight: 1"})["control_process"])

    assert [read(module) for module in MODULES.values()] == list(MODULES)
    theirs = {
        "softedge_pidinet": "Soft edges",
        "scribble_xdog": "Lines",
        "lineart_anime": "Lines",
        "scribble_pidinet": "Scribble",
        "depth_midas": "Depth",
        "normal_bae": "Normal",
        "openpose_full": "Pose",
        "dw_openpose_full": "Pose",
        "tile_resample": "Blur",
        "canny": "Canny",
        "seg_ofade20k": "None",
    }
    assert {module: read(module) for module in theirs} == theirs


def test_preparations_are_axes_of_a_grid() -> None:
    from pipelines.image.axes import change, read

    values = read("Control 1 preparation", "canny, Soft edges", "x")
    assert [change("Control 1 preparation", value, {}, values, "x")["control_process"] for value in values] == ["Canny", "Soft edges"]
    assert [change("Control 1 detail", value, {}, [], "x")["control_detail"] for value in read("Control 1 detail", "0-1 [3]", "x")] == [0, 0.5, 1]
