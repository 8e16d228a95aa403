"""Painting by optimisation: the losses as the paper has them, the optimisers, the plan, and the job with all its controls, refusals and ways to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from pipelines.image import enlarge
from pipelines.image.style import optimise as module
from pipelines.image.style.content import Facts
from pipelines.image.style.optimise import Optimise
from pipelines.image.style.optimise_params import OptimiseParams
from pipelines.image.style.scales import RUNGS, WHOLE, Scale, Way, check_room, most_scales, painted_size, plan_of, way_of
from studio.api import BadInput, Catalog, ModelMissing, ModelTooLarge
from studio.events import Progress
from studio.jobs import Job, JobQueue
from tests.house import finish
from tests.image_models import image_queue
from tests.style_pictures import encoded, painting, pixels, waves
from tests.trunks import small_trunk, trunk_file, trunk_queue

OPTIMISE = "image.style_optimise"
WIDTH, HEIGHT = 64, 48


# -- the losses ------------------------------------------------------------------------------------------------


def tensor(height: int, width: int, shift: float = 0.0) -> Any:
    import torch

    return torch.from_numpy(np.roll(waves(height, width), round(shift * width), 1).copy()).permute(2, 0, 1)[None].double()


def test_the_losses_are_those_of_an_independent_computation() -> None:
    """Gram matrices by einsum in numpy over the features of a small trunk."""
    from pipelines.image.nets.descent import style_of
    from pipelines.image.nets.gatys import CONTENT_LAYER, STYLE_LAYERS, Goal, Weights

    trunk = small_trunk()
    content, style, other, x = tensor(20, 24), tensor(18, 30, 0.3), tensor(26, 16, 0.1), tensor(20, 24, 0.5)
    goal = Goal(trunk, content, style_of(trunk, [(style, 0.75), (other, 0.25)]), Weights(0.5, 2.0))
    layers = {*STYLE_LAYERS, CONTENT_LAYER}

    def features(picture: Any) -> dict[str, np.ndarray]:
        return {name: value[0].numpy() for name, value in trunk(picture, layers, edges=False).items()}

    def correlations(found: np.ndarray) -> np.ndarray:
        return np.einsum("ihw,jhw->ij", found, found) / (found.shape[1] * found.shape[2])

    f, p, a, b = features(x), features(content), features(style), features(other)
    wanted = {name: 0.75 * correlations(a[name]) + 0.25 * correlations(b[name]) for name in STYLE_LAYERS}
    expected_style = np.mean([((correlations(f[name]) - wanted[name]) ** 2).sum() / (wanted[name] ** 2).sum() for name in STYLE_LAYERS])
    expected_content = ((f[CONTENT_LAYER] - p[CONTENT_LAYER]) ** 2).sum() / (p[CONTENT_LAYER] ** 2).sum()
    picture = x[0].numpy()
    expected_smooth = (np.diff(picture, axis=2) ** 2).mean() + (np.diff(picture, axis=1) ** 2).mean()
    losses, _ = goal.gradient(x)
    assert (losses.style, losses.content, losses.smooth) == pytest.approx((expected_style, expected_content, expected_smooth), rel=1e-9)
    assert losses.total == pytest.approx(expected_style + 0.5 * expected_content + 2.0 * expected_smooth, rel=1e-9) and expected_style > 0.01 < expected_content


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    """Central differences along random directions, with values outside 0 … 1 too."""
    import torch

    from pipelines.image.nets.descent import style_of
    from pipelines.image.nets.gatys import Goal, Weights

    trunk = small_trunk()
    goal = Goal(trunk, tensor(16, 18), style_of(trunk, [(tensor(20, 16, 0.4), 1.0)]), Weights(0.3, 1.0))
    x = tensor(16, 18, 0.2) * 1.2 - 0.1
    _, gradient = goal.gradient(x)
    torch.manual_seed(2)
    for _ in range(4):
        direction, step = torch.randn_like(x), 1e-5
        slope = (goal.gradient(x + step * direction)[0].total - goal.gradient(x - step * direction)[0].total) / (2 * step)
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-3)


def test_a_picture_in_its_own_style_has_lost_nothing() -> None:
    from pipelines.image.nets.descent import style_of
    from pipelines.image.nets.gatys import Goal, Weights

    trunk, x = small_trunk(), tensor(16, 16)
    losses, gradient = Goal(trunk, x, style_of(trunk, [(x, 1.0)]), Weights(1.0, 0.0)).gradient(x)
    assert (losses.style, losses.content) == (0, 0) and float(gradient.abs().max()) == 0


# -- in tiles --------------------------------------------------------------------------------------------------


class Watcher:
    """Notes what is said, and ends at a given word within a look."""

    def __init__(self, end_at: int = -1) -> None:
        self.seen: list[float] = []
        self.words: list[tuple[int, int, float]] = []
        self.end_at = end_at

    def looked(self, best: Any) -> bool:
        self.seen.append(best.losses.total)
        return True

    def going(self, scale: int, step: int, share: float) -> None:
        from pipelines.image.nets.descent import Ended

        if len(self.words) == self.end_at:
            raise Ended
        self.words.append((scale, step, share))


@pytest.mark.parametrize("tile", [32, 96])
def test_losses_and_gradient_in_tiles_are_those_of_one_piece(tile: int) -> None:
    """At sizes that no tile divides, in double precision, with values outside 0 … 1: nothing differs at any border."""
    from pipelines.image.nets.descent import style_of
    from pipelines.image.nets.gatys import Goal, Weights
    from pipelines.image.nets.gatys_tiles import TiledGoal, grams

    trunk, content, style = small_trunk(), tensor(150, 203), tensor(90, 120, 0.3)
    wanted = style_of(trunk, [(style, 1.0)])
    tiled_style = grams(trunk, style, tile, lambda share: None)
    for name, value in wanted.items():
        assert float((tiled_style[name] - value).abs().max()) <= 1e-12 * float(value.abs().max())
    x, weights = tensor(150, 203, 0.2) * 1.2 - 0.1, Weights(0.3, 1.0)
    whole, gradient = Goal(trunk, content, wanted, weights).gradient(x)
    words: list[float] = []
    tiled, parts = TiledGoal(trunk, content, wanted, weights, tile, lambda share: None).gradient(x, words.append)
    assert (tiled.style, tiled.content, tiled.smooth, tiled.total) == pytest.approx((whole.style, whole.content, whole.smooth, whole.total), rel=1e-10)
    assert float((parts - gradient).abs().max()) <= 1e-9 * float(gradient.abs().max())
    assert words == sorted(words) and len(words) > 16 * 5 and 0.8 < words[-1] < 1


def test_a_painting_in_tiles_is_that_of_one_piece_and_has_no_seams() -> None:
    """By the real network, from coarse to fine: the same pixels, and steps over the borders of tiles as large as those inside."""
    import torch

    from pipelines.image.nets.descent import Plan, Style, paint
    from pipelines.image.nets.gatys import Weights
    from pipelines.image.nets.trunk import load

    trunk = load(trunk_file(), "cpu", torch.float32)
    content, style = tensor(96, 128).float(), torch.from_numpy(np.asarray(painting(19)).copy()).permute(2, 0, 1)[None].float() / 255
    made = []
    for limit, tile in ((WHOLE, 768), (48 * 64, 48)):
        plan = Plan([(48, 64, 3), (96, 128, 2)], limit, tile)
        best = paint(trunk, content, [Style(style, 1.0, 128)], content, plan, Weights(0.05, 1.0), "L-BFGS", Watcher())
        assert best is not None and best.step == 2
        made.append(best.picture[0].clamp(0, 1).permute(1, 2, 0).numpy() * 255)
    assert np.abs(made[0] - made[1]).max() < 1 and np.abs(made[0] - content[0].permute(1, 2, 0).numpy() * 255).mean() > 5
    whole, tiled = (np.abs(np.diff(one, axis=1)).mean((0, 2))[47::48] for one in made)
    assert len(tiled) == 2 and np.allclose(tiled, whole, rtol=0.01), "steps over the borders of tiles; benchmarks/gatys.py large measures them at full size"


def test_stop_within_a_look_keeps_what_was_best() -> None:
    from pipelines.image.nets.descent import Plan, Style, paint
    from pipelines.image.nets.gatys import Weights

    trunk, content = small_trunk(), tensor(96, 96)

    def painted_until(end_at: int) -> tuple[Any, Watcher]:
        watcher = Watcher(end_at)
        plan = Plan([(48, 48, 2), (96, 96, 2)], 50 * 50, 32)
        return paint(trunk, content, [Style(tensor(40, 40, 0.3), 1.0, 96)], content, plan, Weights(0.3, 1.0), "L-BFGS", watcher), watcher

    whole, all_words = painted_until(-1)
    first = [word for word in all_words.words if word[:2] == (0, 1)]
    before = all_words.words.index(first[0])
    assert painted_until(0)[0] is None and painted_until(before - 1)[0] is None, "nothing was looked at yet"
    one, _ = painted_until(before + 2)
    assert one is not None and (one.scale, one.step) == (0, 1)
    begun = all_words.words.index(next(word for word in all_words.words if word[:2] == (1, 0)))
    large, watcher = painted_until(begun + 20)
    assert large is not None and (large.scale, large.step) == (1, 0) and large.picture.shape[2:] == (96, 96) and len(watcher.seen) == 2, "the larger size is begun, not looked at"
    assert whole is not None and (whole.scale, whole.step, len(all_words.words) > begun + 20) == (1, 2, True)


def test_a_style_picture_is_never_larger_than_it_is() -> None:
    from pipelines.image.nets.descent import Style

    style = Style(tensor(30, 40), 0.5, 160)
    assert [tuple(style.at(share)[0].shape[2:]) for share in (0.125, 0.25, 1.0)] == [(16, 20), (30, 40), (30, 40)] and style.at(1.0)[1] == 0.5


# -- the optimisers --------------------------------------------------------------------------------------------


def test_lbfgs_finds_the_bottom_of_a_long_valley() -> None:
    """A quadratic a thousand times as steep one way as the other, where plain descent with the safest step is still far away."""
    import torch

    from pipelines.image.nets.descent import Lbfgs

    torch.manual_seed(1)
    turned, _ = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))
    curved = turned @ torch.diag(torch.logspace(0, 3, 12, dtype=torch.float64)) @ turned.T
    bottom = torch.full((12,), 0.5, dtype=torch.float64) + 0.2 * turned[0]
    optimiser, x, plain = Lbfgs(), torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    for _ in range(60):
        x = optimiser.step(x, curved @ (x - bottom))
        plain = plain - curved @ (plain - bottom) / 1000
    assert float((x - bottom).norm()) < 1e-4 < float((plain - bottom).norm()) / 1000


def test_adam_goes_the_way_of_torch_s_own() -> None:
    import torch

    from pipelines.image.nets.descent import Adam

    torch.manual_seed(1)
    start, gradients = torch.full((6,), 0.5, dtype=torch.float64), torch.randn(8, 6, dtype=torch.float64)
    theirs = torch.nn.Parameter(start.clone())
    judge, mine, x = torch.optim.Adam([theirs], lr=0.03, betas=(0.9, 0.99), eps=1e-12), Adam(0.03), start
    for gradient in gradients:
        theirs.grad = gradient.clone()
        judge.step()
        x = mine.step(x, gradient)
    assert torch.allclose(x, theirs.detach(), rtol=0, atol=1e-12) and float((x - start).abs().max()) > 0.05


def test_what_went_wrong_is_taken_back() -> None:
    """A loss that is no number, or suddenly far higher: the optimiser begins anew from the best picture."""
    import torch

    from pipelines.image.nets.descent import Lbfgs, descend
    from pipelines.image.nets.gatys import Losses

    class Goal:
        looks = 0

        def gradient(self, picture: Any, going: Any) -> tuple[Losses, Any]:
            self.looks += 1
            total = float("nan") if self.looks == 3 else 1e9 if self.looks == 6 else float(((picture - 0.5) ** 2).sum())
            return Losses(total, 0, 0, total), (picture - 0.5) * 2

    watcher = Watcher()
    best, going = descend(Goal(), torch.zeros(1, 3, 2, 2), 0, 12, Lbfgs(), watcher)
    assert going and best and best.losses.total < 1e-6 and watcher.seen == sorted(watcher.seen, reverse=True) and best.step == 12


def test_recoloured_pictures_have_the_style_s_mean_and_covariance() -> None:
    import torch

    from pipelines.image.nets.descent import recoloured

    torch.manual_seed(4)
    picture = 0.5 + 0.05 * torch.randn(1, 3, 40, 40)
    mixing = torch.tensor([[1.0, 0.3, 0.0], [0.2, 0.7, 0.1], [0.0, 0.4, 0.5]])
    style = 0.4 + 0.1 * torch.einsum("ij,bjhw->bihw", mixing, torch.randn(1, 3, 30, 50).clamp(-2, 2))
    made = recoloured(picture, [(style, 1.0)])[0].flatten(1)
    wanted = style[0].flatten(1)
    assert torch.allclose(made.mean(1), wanted.mean(1), atol=1e-3) and torch.allclose(torch.cov(made), torch.cov(wanted), atol=2e-4)


def test_a_larger_size_begins_with_the_picture_s_own_detail() -> None:
    import torch

    from pipelines.image.nets.descent import larger, resized

    begin = torch.from_numpy(waves(32, 32)).permute(2, 0, 1)[None]
    small = resized(begin, 16, 16)
    assert torch.allclose(larger(small, begin, 32, 32), begin, atol=1e-6), "nothing painted yet: the picture itself"
    assert not torch.allclose(resized(small, 32, 32), begin, atol=0.05)


# -- the plan --------------------------------------------------------------------------------------------------


def test_the_plan_goes_from_coarse_to_fine_and_keeps_to_the_steps() -> None:
    assert plan_of(512, 512, 50, 0) == [Scale(128, 128, 29), Scale(256, 256, 14), Scale(512, 512, 7)]
    assert plan_of(512, 384, 50, 1) == [Scale(512, 384, 50)]
    assert plan_of(512, 384, 1, 2) == [Scale(256, 192, 1), Scale(512, 384, 1)]
    for height, width in ((16, 16), (100, 2000), (2000, 100), (2048, 2048), (640, 427)):
        for steps in (0, 1, 7, 300):
            plan = plan_of(height, width, steps, 0)
            assert (plan[-1].height, plan[-1].width) == (height, width) and sum(scale.steps for scale in plan) == max(steps or 50, len(plan)) and len(plan) <= most_scales(height, width)
    assert [scale.steps for scale in plan_of(4000, 6000, 0, 0)] == [19, 13, 6, 4, 4, 4], "at the largest size there are enough to get anywhere"
    assert Way(100, 128, 0).work([Scale(10, 10, 5)]) == pytest.approx(570)
    assert Way(100, 128, 0).more(Scale(256, 256, 1)) == pytest.approx(((256 + 64) ** 2 / 3 + (256 + 128) ** 2) / 256**2)


def test_the_size_to_paint_at_is_the_result_s_up_to_a_usual_one() -> None:
    facts = Facts(4000, 3000)
    assert painted_size(OptimiseParams(), facts) == (480, 640) and painted_size(OptimiseParams(size=200), facts) == (150, 200) and painted_size(OptimiseParams(paint_size=1000), facts) == (750, 1000)


def test_what_does_not_fit_in_one_piece_is_painted_in_tiles() -> None:
    plan = plan_of(512, 512, 0, 0)
    quick = way_of(plan, 512 * 512, "cpu", 2**34)
    assert (quick.limit, quick.tile, quick.tiled(plan[-1])) == (WHOLE, 768, False) and 2**29 < quick.working < 2**30
    slow = way_of(plan, 512 * 512, "cpu", quick.working - 1)
    assert slow.tiled(plan[-1]) and slow.working < quick.working and slow.more(plan[-1]) > 1.3
    assert (least := way_of(plan, 512 * 512, "cpu", 0)).tile == RUNGS[-1][1] and least.working < slow.working
    assert way_of(plan, 0, "cuda:0", 2**34).working < quick.working
    large = plan_of(4000, 6000, 0, 0)
    assert way_of(large, 36_000_000, "cpu", 10 * 2**30).tile == 768 and way_of(large, 0, "cpu", 7 * 2**30).working < 7 * 2**30, "24 megapixels"


def test_too_little_memory_is_told_with_the_size_that_fits() -> None:
    plan = plan_of(1024, 1024, 0, 1)
    least = way_of(plan, 600 * 600, "cpu", 0).working
    check_room(plan, 600 * 600, least, "cpu")
    with pytest.raises(ModelTooLarge, match="Painting at 1024 × 1024 pixels takes") as told:
        check_room(plan, 0, least * 2 // 3, "cpu")
    assert told.value.field == "paint_size" and (fits := int(told.value.hint.split()[0])) and 256 < fits < 1024
    check_room([Scale(fits, fits, 50)], 0, least * 2 // 3, "cpu")
    with pytest.raises(ModelTooLarge, match="Style pictures as large") as style:
        check_room(plan_of(64, 64, 0, 1), 3 * 4096**2, 2**28, "cpu")
    assert style.value.field == "style_size"
    with pytest.raises(ModelTooLarge) as nothing:
        check_room(plan, 0, -5, "cpu")
    assert nothing.value.hint.startswith("Raise")


# -- the job ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    made = trunk_queue(tmp_path_factory.mktemp("gatys"))
    yield made
    finish(made)


@pytest.fixture(scope="module")
def content(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT))))


@pytest.fixture(scope="module")
def styles(queue: JobQueue) -> list[str]:
    return [queue.desk.inputs.keep(encoded(painting(number))) for number in (19, 3, 9)]


def painted(queue: JobQueue, **values: Any) -> Any:
    return pixels(queue.store.output(submitted(queue, **values).outputs[0]).path)


def submitted(queue: JobQueue, **values: Any) -> Job:
    job = queue.submit(OPTIMISE, {"steps": 3} | values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    return job


def test_each_control_changes_the_picture_and_the_same_ones_give_it_again(queue: JobQueue, content: str, styles: list[str]) -> None:
    plain = painted(queue, image=content, style=styles[0])
    assert (painted(queue, image=content, style=styles[0], style_weight=0.4) == plain).all(), "one style is whole whatever its weight"
    mask = queue.desk.inputs.keep(encoded(Image.fromarray(np.uint8(np.arange(WIDTH)[None].repeat(HEIGHT, 0) < WIDTH // 2) * 255)))
    seen = [plain]
    for values in (
        {"style": styles[1]}, {"style2": styles[1]}, {"style2": styles[1], "style2_weight": 0.3}, {"style2": styles[1], "style3": styles[2]}, {"content": 5.0}, {"smooth": 20.0}, {"steps": 5}, {"paint_size": 48},
        {"style_size": 40}, {"begin": "Picture"}, {"begin": "Noise"}, {"begin": "Noise", "noise_seed": 1}, {"begin": "Style from a picture"}, {"scales": 2}, {"optimiser": "Adam"}, {"strength": 0.5},
        {"colours": "Lightness only"}, {"mask": mask}, {"mask": mask, "mask_blur": 0}, {"size": 32}, {"size": 32, "upscale": 2.0, "upscaler": "Nearest"},
    ):  # fmt: skip
        picture = painted(queue, **({"image": content, "style": styles[0]} | values))
        assert not any(picture.shape == other.shape and (picture == other).all() for other in seen), values
        seen.append(picture)
    assert (painted(queue, image=content, style=styles[0]) == plain).all()
    assert (seen[-4][:, WIDTH - 8 :] == pixels(queue.desk.inputs.path(content))[:, WIDTH - 8 :]).all(), "where the mask is black it stays as it was"


def test_the_style_loss_falls_and_is_kept_with_the_picture(queue: JobQueue, content: str, styles: list[str]) -> None:
    values = {"image": content, "style": styles[0], "begin": "Picture", "scales": 1}
    first, last = (submitted(queue, **values, steps=steps) for steps in (1, 25))
    assert last.summary["losses"]["style"] < 0.3 * first.summary["losses"]["style"]
    about = queue.store.output(last.outputs[0]).metadata
    assert about["params"]["steps"] == 25 and last.summary["pace"]["look"] > 0
    assert Optimise().seconds(OptimiseParams(steps=25), queue.catalog, last.summary["pace"]) > Optimise().seconds(OptimiseParams(steps=5), queue.catalog, last.summary["pace"])


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"image": ""}, "image", "no picture to paint"), ({"style": ""}, "style", "no style picture"), ({"style": "content"}, "style", "the picture itself"), ({"noise_seed": 3}, "noise_seed", "not begin from noise"),
        ({"scales": 6}, "scales", "can be 2 at most"), ({"paint_size": 16000}, "paint_size", "megapixels"), ({"mask": "style"}, "mask", "The mask is"), ({"style2_weight": 0.5}, "style2_weight", "no style picture"),
        ({"image": "moving"}, "image", "moves"), ({"paint_size": 20}, "paint_size", "at least 32"), ({"style_size": 5}, "style_size", "at least 32"), ({"image": "tiny"}, "image", "at least 16"), ({"steps": 2001}, "steps", "at most 2000"),
    ],
)  # fmt: skip
def test_what_cannot_be_painted_is_refused_at_its_field(queue: JobQueue, content: str, styles: list[str], values: dict[str, Any], field: str, words: str) -> None:
    keep = queue.desk.inputs.keep
    known = {"content": content, "style": styles[0], "tiny": keep(encoded(Image.new("RGB", (8, 40)))), "moving": keep(encoded(painting(1), "GIF", save_all=True, append_images=[painting(2)]))}
    told = {name: known.get(value, value) if isinstance(value, str) else value for name, value in values.items()}
    with pytest.raises(BadInput, match=words) as refused:
        queue.submit(OPTIMISE, {"image": content, "style": styles[0]} | told, owner="local")
    assert refused.value.field == field and refused.value.hint + refused.value.message


def test_without_the_trunk_it_says_where_to_get_it(tmp_path: Path) -> None:
    bare = image_queue(tmp_path / "data", tmp_path / "models")
    try:
        keys = [bare.desk.inputs.keep(encoded(painting(number))) for number in (1, 2)]
        with pytest.raises(ModelMissing) as told:
            bare.submit(OPTIMISE, {"image": keys[0], "style": keys[1]}, owner="local")
        assert "Models tab" in told.value.hint
        assert "not on this computer" in Optimise().need(OptimiseParams(image=keys[0], style=keys[1]), Catalog([])).missing
    finally:
        finish(bare)


@pytest.mark.parametrize(("mode", "state"), [("cancel", "cancelled"), ("finish", "done"), ("skip", "done")])
def test_stop_keeps_the_best_picture_so_far(queue: JobQueue, content: str, styles: list[str], mode: Any, state: str) -> None:
    job = queue.submit(OPTIMISE, {"image": content, "style": styles[0], "steps": 2000, "scales": 1}, owner="local")
    for event in job.events():
        if getattr(event, "step", 0) >= 2:
            break
    assert queue.cancel(job.id, by="local", mode=mode)
    job.wait()
    assert (job.state, len(job.outputs), job.error) == (state, 1, None) and getattr(job.latest(Progress), "step", 0) < 1000
    kept = pixels(queue.store.output(job.outputs[0]).path)
    assert kept.shape == (HEIGHT, WIDTH, 3) and not (kept == pixels(queue.desk.inputs.path(content))).all()


def test_the_colour_profile_stays(queue: JobQueue, styles: list[str]) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    key = queue.desk.inputs.keep(encoded(painting(23).resize((WIDTH, HEIGHT)), icc_profile=profile))
    job = queue.submit(OPTIMISE, {"image": key, "style": styles[0], "steps": 2}, owner="local").wait()
    with Image.open(queue.store.output(job.outputs[0]).path) as file:
        assert file.info["icc_profile"] == profile


def test_a_painting_is_not_lost_where_enlarging_it_fails(queue: JobQueue, content: str, styles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*args: Any, **more: Any) -> Any:
        raise ModelTooLarge("There was not enough memory to enlarge this picture, also in small tiles.")

    monkeypatch.setattr(enlarge, "enlarged", fails)
    job = queue.submit(OPTIMISE, {"image": content, "style": styles[0], "steps": 2, "upscale": 2.0, "upscaler": "Lanczos"}, owner="local").wait()
    assert job.state == "done" and pixels(queue.store.output(job.outputs[0]).path).shape == (HEIGHT, WIDTH, 3)
    assert job.summary["notes"] == [enlarge.NOT_ENLARGED, "There was not enough memory to enlarge this picture, also in small tiles."]


def test_stop_while_it_is_enlarged_keeps_it_as_large_as_it_was_painted(queue: JobQueue, content: str, styles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    begun, asked, whole = threading.Event(), threading.Event(), enlarge.resized

    def slow(picture: Any, scale: float, how: str, tell: Any, check: Any) -> Any:
        begun.set()
        asked.wait(60)
        check()
        return whole(picture, scale, how, tell, check)

    monkeypatch.setattr(enlarge, "resized", slow)
    job = queue.submit(OPTIMISE, {"image": content, "style": styles[0], "steps": 2, "upscale": 2.0, "upscaler": "Lanczos"}, owner="local")
    assert begun.wait(60) and queue.cancel(job.id, by="local")
    asked.set()
    job.wait()
    assert (job.state, len(job.outputs)) == ("cancelled", 1) and pixels(queue.store.output(job.outputs[0]).path).shape == (HEIGHT, WIDTH, 3)


def test_of_a_large_painting_that_is_stopped_a_plain_picture_is_kept_before_its_colours_are_changed(queue: JobQueue, content: str, styles: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", WIDTH * HEIGHT - 1)
    job = queue.submit(OPTIMISE, {"image": content, "style": styles[0], "steps": 2000, "scales": 1, "colours": "Matched"}, owner="local")
    for event in job.events():
        if getattr(event, "step", 0) >= 2:
            break
    assert queue.cancel(job.id, by="local")
    job.wait()
    plain, finished = (pixels(queue.store.output(output).path) for output in job.outputs)
    assert job.state == "cancelled" and not (plain == finished).all()
    before = pixels(queue.desk.inputs.path(content)).mean((0, 1))
    assert np.abs(finished.mean((0, 1)) - before).mean() < np.abs(plain.mean((0, 1)) - before).mean()
