"""Where models and pictures go: exact weights, the ladder of placements, what happens when memory ends, what is left after a switch."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from pipelines.image.families import FAMILIES
from pipelines.image.footprint import Parts, footprint
from pipelines.image.memory import SLICED_WORDS, TILED_WORDS, Placement, Work, below, choose, item_bytes, ladder, ran_out, work_of
from pipelines.image.pictures import open_picture, png
from studio.entries import ModelEntry
from studio.errors import ModelTooLarge, StudioError
from studio.jobs import Job, JobQueue
from studio.memory.devices import has_bfloat16
from studio.memory.manager import LeasedModels
from studio.pipeline import ModelSpec
from tests.image_models import drawing, make_flux, make_sd1, make_sdxl

SIDE, MB = 32, 2**20
PARTS = Parts(encoders=500 * MB, network=3300 * MB, decoder=320 * MB, encoder=400 * MB, block=900 * MB, layer=100 * MB)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("memory"), {"one": make_sd1, "two": make_sdxl, "three": make_flux}) as made:
        yield made


def submit(queue: JobQueue, **values: Any) -> Job:
    base = {"model": "one", "prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 4, "seed": 5, "cfg_scale": 5.0, "upscale": 1.0}
    return queue.submit("image.generate", base | values, owner="local").wait()


def drawn(queue: JobQueue, job: Job) -> np.ndarray:
    assert job.error is None, (job.error.message, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path))).astype(int)


def leased(queue: JobQueue) -> LeasedModels:
    models: LeasedModels = queue.executors["device"].worker.models  # type: ignore[attr-defined]
    return models


def loaded(queue: JobQueue) -> Any:
    return next(lease.model for lease in leased(queue)._leases.values())


# -- the plan --------------------------------------------------------------------------------------------------


def test_the_first_rung_that_fits_is_taken_from_the_fastest_on() -> None:
    work = Work(denoise=2000 * MB, decode=4000 * MB, tiles=1500 * MB)
    rungs = ladder(PARTS, work, "cuda")
    told = [(choose(rungs, room * MB).held, choose(rungs, room * MB).tiled) for room in (9000, 8119, 6500, 6000, 5000, 3000, 100)]
    assert told == [("all", False), ("all", True), ("all", True), ("parts", False), ("blocks", True), ("layers", True), ("layers", True)]
    assert rungs[0].bytes == (500 + 3300 + 320 + 4000) * MB and rungs[1].bytes == (4120 + 2000) * MB
    assert choose(rungs, 100 * MB).bytes > 100 * MB, "what never fits is refused with its size"


def test_weights_leave_only_a_device_with_a_memory_of_its_own() -> None:
    work = Work(denoise=2000 * MB, decode=4000 * MB, tiles=1500 * MB)
    assert [(rung.held, rung.tiled, rung.sliced) for rung in ladder(PARTS, work, "cpu")] == [("all", False, False), ("all", True, False)]
    sliced = ladder(PARTS, Work(5000 * MB, 1000 * MB, 500 * MB, attention=4500 * MB), "mps")
    assert [rung.sliced for rung in sliced] == [False, False, True] and sliced[2].working == 500 * MB
    assert sliced[2].words == [TILED_WORDS, SLICED_WORDS]


def test_attention_is_counted_where_it_is_written_out_and_numbers_by_their_size() -> None:
    sd1 = FAMILIES["sd1"]
    cpu, mps = (work_of(sd1, 512 * 512, device, item_bytes(device)) for device in ("cpu", "mps"))
    assert not cpu.attention and mps.attention > 400 * MB
    assert item_bytes("cpu") == 4 and item_bytes("cuda") == 2 and item_bytes("cuda", "Full") == 4 and item_bytes("cpu", "Half") == 2
    assert 480 * MB < cpu.denoise < 530 * MB and 900 * MB < cpu.decode < 1300 * MB, "as measured"
    large = work_of(sd1, 2048 * 2048, "cpu", 4)
    assert large.tiles < large.decode / 10


def test_a_2048_picture_on_the_processor_is_decoded_in_tiles_where_the_whole_does_not_fit() -> None:
    parts = Parts(encoders=492 * MB, network=3440 * MB, decoder=335 * MB, encoder=492 * MB)
    rungs = ladder(parts, work_of(FAMILIES["sd1"], 2048 * 2048, "cpu", 4), "cpu")
    assert choose(rungs, 16 * 2**30).words == [TILED_WORDS] and choose(rungs, 16 * 2**30).bytes < 16 * 2**30 < rungs[0].bytes


def test_after_memory_ended_the_next_rung_is_tried() -> None:
    rungs = ladder(PARTS, Work(1, 1, 1), "cuda")
    seen: list[Placement] = [rungs[0]]
    while (lower := below(rungs, seen[-1])) is not None:
        seen.append(lower)
    assert seen == rungs


@pytest.mark.parametrize(("error", "is_memory"), [(MemoryError(), True), (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True), (RuntimeError("not enough memory"), True), (RuntimeError("shapes differ"), False), (ValueError("out of memory"), False)])
def test_the_end_of_memory_is_known_by_its_words(error: Exception, is_memory: bool) -> None:
    assert ran_out(error) is is_memory


def test_torchs_own_error_is_known_too() -> None:
    import torch

    assert ran_out(torch.OutOfMemoryError("CUDA out of memory"))


# -- the weights -----------------------------------------------------------------------------------------------


def test_weights_are_counted_to_the_byte_by_part(queue: JobQueue) -> None:
    import torch

    for name in ("one", "two", "three"):
        drawn(queue, submit(queue, model=name))
        entry = queue.catalog.find(name)
        pipe = next(lease.model for lease in leased(queue)._leases.values() if lease.model.key == name).pipe
        sizes = {part: sum(value.numel() * 4 for value in module.parameters()) for part, module in pipe.components.items() if isinstance(module, torch.nn.Module)}
        network, decoder = sizes.get("unet") or sizes["transformer"], sizes["vae"]
        found = footprint(entry, 4)
        assert (found.network, found.decoder) == (network, decoder)
        assert found.encoders == sum(sizes.values()) - network - decoder and found.encoder == max(size for part, size in sizes.items() if part.startswith("text"))
        assert 0 < found.layer <= found.block < found.network and footprint(entry, 2).total * 2 == found.total


def test_a_single_file_has_the_same_parts(tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline

    from tests.ldm import write_checkpoint

    folder = make_sd1(tmp_path / "folder")
    file = write_checkpoint(StableDiffusionPipeline.from_pretrained(folder), tmp_path / "single.safetensors")
    whole, single = (footprint(ModelEntry("x", str(path), "image", "diffusers", 1, "x"), 4) for path in (folder, file))
    assert (single.network, single.decoder, single.encoders) == (whole.network, whole.decoder, whole.encoders)


def test_a_variant_is_not_counted_besides_the_plain_file(tmp_path: Path) -> None:
    folder = make_sd1(tmp_path / "folder")
    entry = ModelEntry("x", str(folder), "image", "diffusers", 1, "x")
    before = footprint(entry, 4)
    plain = next((folder / "unet").glob("*.safetensors"))
    (folder / "unet" / "diffusion_pytorch_model.fp16.safetensors").write_bytes(plain.read_bytes())
    assert footprint(entry, 4) == before
    assert footprint(ModelEntry("y", str(tmp_path / "gone.gguf"), "image", "gguf", 1000, "y"), 4).total == 1000


# -- one budget ------------------------------------------------------------------------------------------------


def spec(key: str, size: int, group: str = "") -> ModelSpec[Any]:
    return ModelSpec(key, size, lambda report: [key], group=group)


def test_texts_and_pictures_share_one_budget_and_the_least_used_goes_first() -> None:
    models = LeasedModels(100)
    for key, size in (("a text", 40), ("an image", 30), ("another text", 20)):
        with models.use(spec(key, size)):
            pass
    with models.use(spec("a text", 40)):
        assert models.room == 60, "what is in use can't be let go"
    with models.use(spec("an image", 30), working=35):
        assert [found["key"] for found in models.status()] == ["an image"] or models.budget >= sum(found["bytes"] for found in models.status()) + 35
    assert "another text" not in [found["key"] for found in models.status()], "work needs room too, though the model is there already"
    with models.use(spec("an image", 30)), pytest.raises(ModelTooLarge), models.use(spec("a text", 40), working=70):
        pass


def test_of_one_model_only_one_form_is_in_memory() -> None:
    models = LeasedModels(1000)
    for key in ("m", "m @ blocks"):
        with models.use(spec(key, 10, "m")):
            pass
    assert [found["key"] for found in models.status()] == ["m @ blocks"]
    assert models.unload("m") == ["m @ blocks"]


# -- when memory ends ------------------------------------------------------------------------------------------


def fail_once(module: Any, error: Exception) -> Callable[[], int]:
    """The module's next call fails; returns how often it was called."""
    calls = [0]

    def hook(*_: Any) -> None:
        calls[0] += 1
        if calls[0] == 1:
            raise error

    handle = module.register_forward_pre_hook(hook)

    def count() -> int:
        handle.remove()
        return calls[0]

    return count


def test_where_decoding_runs_out_of_memory_only_the_decoding_is_done_again_in_tiles(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.image.nets.placing.TILE", 16)
    whole = drawn(queue, submit(queue))
    pipe = loaded(queue).pipe
    steps, tiles = [0], fail_once(pipe.vae.decoder, RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    handle = pipe.unet.register_forward_pre_hook(lambda *_: steps.__setitem__(0, steps[0] + 1))
    job = submit(queue)
    handle.remove()
    tiled = drawn(queue, job)
    assert tiles() == 1 + 9 and steps[0] == 4, "three tiles by three, and no step twice"
    assert np.abs(tiled - whole).mean() < 12 and (tiled != whole).any()
    assert len(job.summary["notes"]) == 1 and "in tiles" in job.summary["notes"][0]
    again = submit(queue)
    assert (drawn(queue, again) == whole).all() and not again.summary["notes"], "the next picture is decoded whole again"


def test_where_a_step_runs_out_of_memory_the_job_is_tried_once_more_a_rung_lower(queue: JobQueue) -> None:
    import torch

    whole = drawn(queue, submit(queue))
    count = fail_once(loaded(queue).pipe.unet, torch.OutOfMemoryError("out of memory"))
    job = submit(queue)
    assert count() == 1 + 4 and (drawn(queue, job) == whole).all()
    assert job.summary["notes"] == ["There was not enough memory for the quickest way: it was done in a smaller one."]


def test_a_grid_says_how_many_of_its_cells_were_short_of_memory_and_leaves_its_pace_to_the_next(queue: JobQueue) -> None:
    import torch

    base = {"model": "one", "prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 4, "upscale": 1.0, "x_axis": "Seed", "x_values": "1, 2, 3"}
    drawn(queue, submit(queue))
    count = fail_once(loaded(queue).pipe.unet, torch.OutOfMemoryError("out of memory"))
    job = queue.submit("image.grid", base, owner="local").wait()
    assert count() == 1 + 12 and job.error is None
    assert job.summary["notes"] == ["1 of 3 pictures: There was not enough memory for the quickest way: it was done in a smaller one."]
    grid: Any = queue.pipelines["image.grid"]
    told = queue.verdict(grid, grid.Params.parse(base))
    assert job.summary["pace"] and told.seconds == pytest.approx(grid.seconds(grid.Params.parse(base), queue.catalog, job.summary["pace"]))
    mixed = queue.submit("image.grid", base | {"x_axis": "Model", "x_values": "one, two", "steps": 2}, owner="local").wait()
    assert mixed.error is None and "pace" not in mixed.summary, "nothing is learned from two models at once"


def test_memory_that_ends_twice_is_a_sentence(queue: JobQueue) -> None:
    drawn(queue, submit(queue))

    def never(*_: Any) -> None:
        raise MemoryError

    handle = loaded(queue).pipe.unet.register_forward_pre_hook(never)
    job = submit(queue)
    handle.remove()
    assert job.state == "failed" and job.error is not None and job.error.field == "width" and "not enough memory" in job.error.message
    assert drawn(queue, submit(queue)).std() > 1, "and the next job goes on"


def test_a_smaller_budget_means_tiles_and_too_small_a_one_a_sentence(queue: JobQueue) -> None:
    pipeline: Any = queue.pipelines["image.generate"]
    params = pipeline.Params(model="one", width=1024, height=1024)
    whole = queue.verdict(pipeline, params)
    models = leased(queue)
    before = models.budget
    tiled = pipeline.place(params, queue.catalog, "cpu", whole.weight_bytes + whole.working_bytes - 1)
    assert whole.facts["placement"] == [] and tiled.facts["placement"] == [TILED_WORDS] and tiled.working_bytes < whole.working_bytes
    seamless = pipeline.place(params.model_copy(update={"tiling": True}), queue.catalog, "cpu", whole.working_bytes)
    assert seamless.facts["placement"] == [], "a seamless picture is never decoded in tiles"
    try:
        models.budget = 1000
        job = submit(queue)
        assert job.error is not None and job.error.field == "model" and "needs" in job.error.message
    finally:
        models.budget = before


def test_the_verdict_tells_the_seconds_once_a_picture_was_made(queue: JobQueue) -> None:
    pipeline: Any = queue.pipelines["image.generate"]
    drawn(queue, submit(queue, model="two", steps=8))
    params = pipeline.Params(model="two", width=SIDE, height=SIDE, steps=8)
    told = queue.verdict(pipeline, params).seconds
    assert 0 < told < 20
    more = queue.verdict(pipeline, params.model_copy(update={"steps": 80, "count": 2})).seconds
    assert more > 4 * told
    assert queue.verdict(pipeline, params.model_copy(update={"precision": "Half"})).seconds == -1, "nothing is known of another precision"


# -- placements on real pipelines ------------------------------------------------------------------------------


@pytest.mark.parametrize("held", ["parts", "blocks", "layers"])
@pytest.mark.parametrize("name", ["one", "three"])
def test_every_way_to_hold_the_weights_gives_the_same_pictures(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, held: Any, name: str) -> None:
    """The processor stands for the device: what moves in and out is the same weights. From words alone, and from a picture."""
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, SIDE, dtype=np.uint8)[:, None], (1, SIDE))).convert("RGB")
    words: dict[str, Any] = {"model": name, "steps": 2, "sampler": "Euler" if name == "one" else "Flow Euler"}
    picture = words | {"image": queue.desk.inputs.keep(png(ramp)), "denoising_strength": 0.6}
    whole = [drawn(queue, submit(queue, **values)) for values in (words, picture)]
    monkeypatch.setattr("pipelines.image.generate.ladder", lambda parts, work, device: [Placement(held, False, False, 1, 1)])
    moved = [drawn(queue, submit(queue, **values)) for values in (words, picture)]
    assert all((one == other).all() for one, other in zip(whole, moved, strict=True))
    assert f"{name} @ {held}" in [found["key"] for found in leased(queue).status()]


def test_the_seam_of_a_tiled_picture_is_no_edge() -> None:
    """With a decoder that has no normalisation over the whole, tiles and the whole differ only by what a tile does not see."""
    import torch
    from diffusers import AutoencoderTiny

    from pipelines.image.nets import placing

    torch.manual_seed(0)
    vae = AutoencoderTiny(encoder_block_out_channels=(16, 16, 16), decoder_block_out_channels=(16, 16, 16), num_encoder_blocks=(1, 1, 1), num_decoder_blocks=(2, 2, 1)).eval()
    latents = torch.nn.functional.interpolate(torch.randn(1, 4, 6, 6), size=(160, 160), mode="bicubic")
    with torch.inference_mode():
        whole = vae.decode(latents).sample
        placing.set_tiling(vae, 4, True)
        calls = [0]
        vae.decoder.register_forward_pre_hook(lambda *_: calls.__setitem__(0, calls[0] + 1))
        tiled = vae.decode(latents).sample
        placing.set_tiling(vae, 4, False)
        assert torch.equal(vae.decode(latents).sample, whole)
    assert calls[0] == 4 + 1 and tiled.shape == whole.shape == (1, 3, 640, 640)
    spread = float(whole.std())
    assert float((tiled - whole).abs().mean()) < 0.01 * spread
    jumps, usual = ((picture[..., 1:] - picture[..., :-1]).abs().mean((0, 1, 2)) for picture in (tiled, whole))
    assert float((jumps - usual).abs().max()) < 0.1 * float(usual.max())


# -- after a switch --------------------------------------------------------------------------------------------


def test_a_model_that_is_let_go_is_dead_and_the_worker_does_not_grow(queue: JobQueue) -> None:
    import torch

    models, before = leased(queue), leased(queue).budget
    stale: list[weakref.ref[Any]] = []
    resident: list[int] = []
    try:
        for number in range(9):
            name = ("one", "two", "three")[number % 3]
            models.budget = sum(footprint(queue.catalog.find(name), 4).total for _ in "x") + 20 * MB
            drawn(queue, submit(queue, model=name, steps=1))
            keys = [found["key"] for found in models.status()]
            if number > 2:
                models.unload(next((key for key in keys if key != name), "none"))
            held = next(lease.model for lease in models._leases.values() if lease.model.key == name)
            stale += [weakref.ref(held), *(weakref.ref(part) for whole in held.pipe.components.values() if isinstance(whole, torch.nn.Module) for part in whole.modules())]
            del held
            models.unload()
            assert not [ref for ref in stale if ref() is not None]
            resident.append(psutil.Process().memory_info().rss)
    finally:
        models.budget = before
    assert max(resident[-3:]) - max(resident[:6]) < 32 * MB
    gc.collect()


# -- precision -------------------------------------------------------------------------------------------------


def test_half_precision_changes_the_picture_a_little_and_loads_the_model_anew(queue: JobQueue) -> None:
    full, half = drawn(queue, submit(queue)), drawn(queue, submit(queue, precision="Half"))
    assert (full != half).any() and np.abs(full - half).mean() < 12
    assert [key for key in (found["key"] for found in leased(queue).status()) if key.startswith("one")] == ["one @ Half"]
    assert (drawn(queue, submit(queue, precision="Full")) == full).all()


def test_a_processor_without_units_for_it_is_told(queue: JobQueue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pipeline: Any = queue.pipelines["image.generate"]
    params = pipeline.Params(model="one", precision="Half")
    for has in (False, True):
        monkeypatch.setattr("pipelines.image.generate.has_bfloat16", lambda has=has: has)
        assert bool(pipeline.place(params, queue.catalog, "cpu", 2**40).notes) is not has
    assert not pipeline.place(params, queue.catalog, "cuda", 2**40).notes
    (tmp_path / "new").write_text("processor : 0\nflags\t\t: fpu avx512_bf16 amx_tile\n")
    (tmp_path / "old").write_text("processor : 0\nflags\t\t: fpu avx2\n")
    assert has_bfloat16(str(tmp_path / "new")) and not has_bfloat16(str(tmp_path / "old")) and not has_bfloat16(str(tmp_path / "none"))


def test_errors_of_the_user_are_no_end_of_memory() -> None:
    assert not ran_out(StudioError("x"))
