"""DeepDream: more of what is aimed at, the same gradient in tiles as in one piece, and the job with its controls, refusals and ways to stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipelines.image import dream as module
from pipelines.image.dream import Dream, DreamParams, octaves_of, share_of, work_of, working_bytes
from studio.api import BadInput, Catalog, ModelMissing
from studio.jobs import Job, JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue
from tests.style_pictures import encoded, painting, pixels, waves
from tests.trunks import small_trunk, trunk_file, trunk_queue

DREAM = "image.dream"
WIDTH, HEIGHT = 72, 64


def tensor(height: int, width: int) -> Any:
    import torch

    return torch.from_numpy(waves(height, width)).permute(2, 0, 1)[None].double()


# -- the gradient ----------------------------------------------------------------------------------------------


def test_how_wide_a_feature_sees_is_measured() -> None:
    """The pixels that one feature in the middle depends on."""
    import torch

    from pipelines.image.nets.dream import reach
    from pipelines.image.nets.trunk import LAYERS

    trunk = small_trunk()
    with torch.no_grad():
        for layer in LAYERS:
            getattr(trunk, layer).weight.abs_()  # so that nothing cancels, and all is larger than 0
            getattr(trunk, layer).weight.mul_(0.1)
            getattr(trunk, layer).bias.fill_(1.0)
    for layer, wide in (("conv1_1", 3), ("conv2_2", 14), ("conv3_3", 40), ("conv4_3", 92), ("conv5_3", 196)):
        assert reach(layer) == wide
        x = torch.ones(1, 3, 256, 256, dtype=torch.float64, requires_grad=True)
        features = trunk(x, {layer}, "average", edges=False)[layer]
        features[0, 0, features.shape[2] // 2, features.shape[3] // 2].backward()
        rows = x.grad[0].abs().sum((0, 2)).nonzero()
        assert int(rows.max() - rows.min()) + 1 == wide


@pytest.mark.parametrize("layer", ["conv2_2", "conv3_3"])
def test_tiles_give_the_gradient_of_the_whole_picture(layer: str) -> None:
    """No seam: every number is the same, at the borders of tiles too, for all three aims."""
    import torch

    from pipelines.image.nets.dream import Aim, gradient_of, guide_of

    trunk, picture = small_trunk(), tensor(150, 170)
    for aim in (Aim(layer), Aim(layer, channel=3), Aim(layer, guide=guide_of(trunk, tensor(40, 40).flip(3), layer).double())):
        one, tiles = gradient_of(trunk, picture, aim, whole=10**6), gradient_of(trunk, picture, aim, whole=1, tile=32)
        assert torch.allclose(one, tiles, rtol=1e-9, atol=1e-9 * float(one.abs().max())) and float(one.abs().max()) > 0


def test_the_three_aims_are_those_of_the_source() -> None:
    """By numpy: half the sum of squares, the sum of a channel, and each place times the guide's feature that fits it best."""
    import torch

    from pipelines.image.nets.dream import Aim

    random = np.random.default_rng(1)
    features, guide = random.normal(size=(5, 3, 4)), random.normal(size=(7, 5))
    given = torch.from_numpy(features)[None]
    assert float(Aim("conv1_1").value(given)) == pytest.approx((features**2).sum() / 2)
    assert float(Aim("conv1_1", 2).value(given)) == pytest.approx(features[2].sum())
    flat = features.reshape(5, 12).T
    assert float(Aim("conv1_1", guide=torch.from_numpy(guide)).value(given)) == pytest.approx((flat @ guide.T).max(1).sum())


def test_a_stopped_gradient_is_none_and_asks_before_each_layer_on_both_ways() -> None:
    from pipelines.image.nets.dream import Aim, gradient_of

    asked: list[float] = []
    assert gradient_of(small_trunk(), tensor(64, 96), Aim("conv2_1"), lambda share: asked.append(share) or True, whole=1, tile=64) is not None  # type: ignore[func-returns-value]
    assert len(asked) == 2 * 6 and asked == sorted(asked) and asked[:2] == [0, 1 / 12] and asked[6] == 0.5, "three layers there and back, of two tiles"
    for end in (2, 5, 8):
        asked.clear()
        assert gradient_of(small_trunk(), tensor(64, 96), Aim("conv2_1"), lambda share, end=end: asked.append(share) or len(asked) < end, whole=1, tile=64) is None  # type: ignore[func-returns-value,misc]
        assert len(asked) == end


def test_stop_is_heeded_between_the_bands_of_a_gradient() -> None:
    from pipelines.image.nets.dream import Aim, Manner, dream

    shares: list[float] = []
    manner = Manner(1, [(32, 32)], 0.01, 0, 1.0, 0.5, 1)
    made = dream(small_trunk(), tensor(32, 32), Aim("conv1_1"), manner, lambda x, share: shares.append(share) or len(shares) < 4)  # type: ignore[func-returns-value]
    assert shares[-2:] == [0.999, 0.999] and (made == tensor(32, 32)).all(), "of a step that was not finished nothing is left"


def test_bands_of_the_gradient_have_the_weights_that_were_asked_for() -> None:
    import torch

    from pipelines.image.nets.dream import balanced

    torch.manual_seed(1)
    noise = torch.randn(1, 3, 96, 96) + 5
    grain = [float((made[..., 1:] - made[..., :-1]).square().mean() / made.square().mean()) for made in (balanced(noise, smooth) for smooth in (0.0, 1.0, 2.0))]
    assert grain[0] > 2 * grain[1] > 4 * grain[2] and abs(float(balanced(noise, 1.0).mean())) < 0.01, "a shift of all colours is no band"


def test_without_colours_a_grey_picture_stays_grey() -> None:
    import torch

    from pipelines.image.nets.dream import mixing_of

    grey = tensor(24, 24).mean(1, keepdim=True).expand(1, 3, 24, 24)
    step = torch.einsum("ij,bjhw->bihw", mixing_of(grey, 0.0), torch.randn(1, 3, 8, 8, dtype=torch.float64))
    assert float((step - step[:, :1]).abs().max()) < 1e-9 and torch.equal(mixing_of(grey, 1.0), torch.eye(3, dtype=torch.float64))


def test_octaves_end_with_the_picture_s_own_size_and_none_is_too_small() -> None:
    assert octaves_of(280, 400, 3, 1.4) == [(143, 204), (200, 286), (280, 400)]
    assert octaves_of(100, 100, 9, 2.0) == [(100, 100)] and octaves_of(20, 20, 4, 1.4) == [(20, 20)]
    journey = DreamParams(steps=8, octaves=4, frames=9)
    assert share_of(journey, 0) == (8, 4) and share_of(journey, 5) == (2, 2) and work_of(DreamParams(steps=3, octaves=1), 0, 10, 20) == 600


def test_memory_stops_growing_where_tiles_begin() -> None:
    assert working_bytes(24_000_000, "cpu") < 10 * 2**30 and working_bytes(24_000_000, "cpu") - working_bytes(12_000_000, "cpu") == 12_000_000 * 200


# -- the job ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = trunk_queue(tmp_path_factory.mktemp("dream"))
    yield made
    finish(made)


@pytest.fixture(scope="module")
def content(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT))))


def submitted(queue: JobQueue, **values: Any) -> Job:
    job = queue.submit(DREAM, {"steps": 1, "octaves": 1, "layer": "conv3_1", "seed": 1} | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return job


def dreamt(queue: JobQueue, **values: Any) -> Any:
    return pixels(queue.store.output(submitted(queue, **values).outputs[0]).path)


def test_each_control_changes_the_picture_and_the_same_ones_give_it_again(queue: JobQueue, content: str) -> None:
    guide = queue.desk.inputs.keep(encoded(painting(5)))
    plain = dreamt(queue, image=content)
    seen = [plain]
    for values in (
        {"layer": "conv2_2"}, {"channel": 7}, {"channel": 8}, {"guide": guide}, {"strength": 2.0}, {"steps": 2}, {"octaves": 2, "size": 120}, {"octaves": 2, "octave_scale": 1.2, "size": 120},
        {"jitter": 0}, {"smooth": 2.0}, {"colour": 0.9}, {"size": 48}, {"seed": 2}, {"upscale": 2.0}, {"upscale": 2.0, "upscaler": "Nearest"},
    ):  # fmt: skip
        picture = dreamt(queue, **({"image": content} | values))
        assert not any(picture.shape == other.shape and (picture == other).all() for other in seen), values
        seen.append(picture)
    assert (dreamt(queue, image=content) == plain).all()


def test_a_journey_is_a_moving_picture_that_comes_nearer(queue: JobQueue, content: str) -> None:
    made = {zoom: submitted(queue, image=content, frames=3, zoom=zoom) for zoom in (1.0, 1.2)}
    frames = {}
    for zoom, job in made.items():
        with Image.open(queue.store.output(job.outputs[0]).path) as file:
            assert file.format == "WEBP" and file.n_frames == 3 and file.size == (WIDTH, HEIGHT)
            file.seek(2)
            frames[zoom] = np.asarray(file.convert("RGB")).astype(int)
    assert np.abs(frames[1.0] - frames[1.2]).mean() > 4 and made[1.0].summary["frames"] == 3


def test_what_can_be_seen_through_comes_nearer_with_a_journey(queue: JobQueue) -> None:
    clear = painting(23).resize((WIDTH, HEIGHT))
    clear.putalpha(Image.fromarray(np.uint8(np.arange(WIDTH)[None].repeat(HEIGHT, 0) < WIDTH // 4) * 255))
    job = submitted(queue, image=queue.desk.inputs.keep(encoded(clear)), frames=3, zoom=1.5)
    seen = []
    with Image.open(queue.store.output(job.outputs[0]).path) as file:
        for number in range(3):
            file.seek(number)
            seen.append(int((np.asarray(file.convert("RGBA"))[..., 3] > 128).sum()))
    assert seen[0] == HEIGHT * (WIDTH // 4) and seen[0] > seen[1] > seen[2] == 0, "the left quarter goes out of sight"


def test_the_colour_profile_stays(queue: JobQueue, content: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    key = queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT)), icc_profile=profile))
    for more in ({}, {"frames": 2}):
        with Image.open(queue.store.output(submitted(queue, image=key, **more).outputs[0]).path) as file:
            assert file.info["icc_profile"] == profile


def test_too_little_memory_is_told_at_the_size(queue: JobQueue, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue.executors["device"].worker.models, "budget", 100_000_000)  # type: ignore[attr-defined]
    job = queue.submit(DREAM, {"image": content, "size": 640, "octaves": 1}, owner="local").wait()
    assert job.error and job.error.field == "size" and "0.1 GB are free" in job.error.message and "smaller size" in job.error.hint


def test_there_is_more_of_what_was_aimed_at(queue: JobQueue, content: str) -> None:
    """The layer's own measure, in the finished picture against the one it began from."""
    import torch

    from pipelines.image.nets.dream import Aim
    from pipelines.image.nets.trunk import load

    trunk = load(trunk_file(), "cpu", torch.float32)

    def seen(picture: Any) -> float:
        told = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
        return float(Aim("conv3_1", 7).value(trunk(told, {"conv3_1"}, edges=False)["conv3_1"]))

    assert seen(dreamt(queue, image=content, channel=7, steps=4, strength=2.0)) > 1.5 * seen(pixels(queue.desk.inputs.path(content)))


def test_what_can_be_seen_through_stays_so(queue: JobQueue) -> None:
    clear = painting(23).resize((WIDTH, HEIGHT))
    clear.putalpha(Image.fromarray(np.uint8(np.arange(WIDTH)[None].repeat(HEIGHT, 0) * 3)))
    key = queue.desk.inputs.keep(encoded(clear))
    made = pixels(queue.store.output(submitted(queue, image=key).outputs[0]).path, "RGBA")
    assert (made[..., 3] == pixels(queue.desk.inputs.path(key), "RGBA")[..., 3]).all()


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"image": ""}, "image", "no picture to dream"), ({"channel": 200, "layer": "conv2_2"}, "channel", "0 to 127"), ({"channel": 1, "guide": "content"}, "channel", "guide chooses"), ({"image": "moving"}, "image", "moves"),
        ({"size": 9000}, "size", "megapixels"), ({"frames": 300, "size": 1000}, "frames", "megapixels in all"), ({"octave_scale": 2.0}, "octave_scale", "only one octave"), ({"zoom": 1.3}, "zoom", "only one frame"), ({"frames": 2, "upscale": 2.0}, "upscale", "not enlarged"), ({"size": 5000, "upscale": 4.0}, "upscale", "megapixels"), ({"upscale": 2.0, "upscaler": "nowhere"}, "upscaler", "no upscaler"), ({"layer": "conv9"}, "layer", "Layer"),
    ],
)  # fmt: skip
def test_what_cannot_be_dreamt_is_refused_at_its_field(queue: JobQueue, content: str, values: dict[str, Any], field: str, words: str) -> None:
    known = {"content": content, "moving": queue.desk.inputs.keep(encoded(painting(1), "GIF", save_all=True, append_images=[painting(2)]))}
    told = {name: known.get(value, value) if isinstance(value, str) else value for name, value in values.items()}
    with pytest.raises((BadInput, ModelMissing), match=words) as refused:
        queue.submit(DREAM, {"image": content, "octaves": 1} | told, owner="local")
    assert refused.value.field == field


def test_a_grid_and_a_batch_of_dreams_are_those_of_single_jobs(queue: JobQueue, content: str) -> None:
    settings = {"steps": 1, "octaves": 1, "seed": 1}
    grid = queue.submit("image.style_grid", {"method": DREAM, "settings": settings | {"image": content}, "x_axis": "Layer", "x_values": "conv2_2, conv3_1"}, owner="local").wait()
    batch = queue.submit("image.style_batch", {"method": DREAM, "settings": settings | {"layer": "conv3_1"}, "images": [content]}, owner="local").wait()
    assert grid.error is None and batch.error is None and len(grid.outputs) == 3 and len(batch.outputs) == 1
    cells = [pixels(queue.store.output(output).path) for output in (*grid.outputs[:2], *batch.outputs)]
    plain = dreamt(queue, image=content)
    assert (cells[1] == plain).all() and (cells[2] == plain).all() and not (cells[0] == plain).all()


def test_without_the_trunk_it_says_where_to_get_it(tmp_path: Path) -> None:
    bare = image_queue(tmp_path / "data", tmp_path / "models")
    try:
        key = bare.desk.inputs.keep(encoded(painting(1)))
        with pytest.raises(ModelMissing) as told:
            bare.submit(DREAM, {"image": key}, owner="local")
        assert "Models tab" in told.value.hint and "not on this computer" in Dream().need(DreamParams(image=key), Catalog([])).missing
    finally:
        finish(bare)


@pytest.mark.parametrize(("mode", "state"), [("cancel", "cancelled"), ("finish", "done"), ("skip", "done")])
def test_stop_keeps_what_is_dreamt_so_far(queue: JobQueue, content: str, mode: Any, state: str) -> None:
    job = queue.submit(DREAM, {"image": content, "steps": 200, "octaves": 1, "frames": 20, "layer": "conv3_1", "seed": 1}, owner="local")
    for event in job.events():
        if getattr(event, "step", 0) >= 1:
            break
    assert queue.cancel(job.id, by="local", mode=mode)
    job.wait()
    assert (job.state, len(job.outputs), job.error) == (state, 1, None)
    assert not (pixels(queue.store.output(job.outputs[0]).path) == pixels(queue.desk.inputs.path(content))).all()


def stopped(queue: JobQueue, pipeline: str, **values: Any) -> Job:
    """The job, stopped once it is at work."""
    job = queue.submit(pipeline, values, owner="local")
    for event in job.events():
        if getattr(event, "step", 0) >= 1 or "frame" in getattr(event, "note", "").lower():
            break
    assert queue.cancel(job.id, by="local")
    return job.wait()


def test_of_a_long_journey_that_is_stopped_a_plain_picture_is_kept_first(queue: JobQueue, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", WIDTH * HEIGHT)
    job = stopped(queue, DREAM, image=content, steps=4, octaves=1, frames=300, layer="conv2_2", seed=1)
    outputs = [Path(queue.store.output(output).path) for output in job.outputs]
    assert job.state == "cancelled" and outputs[0].suffix == ".png" and len(outputs) <= 2 and all(path.suffix == ".webp" for path in outputs[1:])


def test_what_is_stopped_inside_a_batch_tells_its_own_settings(queue: JobQueue, content: str) -> None:
    job = queue.submit("image.style_batch", {"method": DREAM, "settings": {"steps": 200, "octaves": 1, "layer": "conv3_1", "seed": 1}, "images": [content]}, owner="local")
    for event in job.events():
        if getattr(event, "note", "").startswith("Picture 1") and queue.cancel(job.id, by="local"):
            break
    job.wait()
    assert job.state == "cancelled" and all(extract(Path(queue.store.output(output).path))["pipeline"] == DREAM for output in job.outputs)
