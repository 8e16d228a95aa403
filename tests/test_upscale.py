"""Enlarging: every form of network in its real file, no seams, Stop at once, and pictures of every kind."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from pipelines.image.upscalers import SHIPPED, WEIGHTS, automatic, enlarging, find, settled, shipped
from studio.api import BadInput, ModelBroken, ModelEntry, ModelMissing, ModelTooLarge, Progress, parameters_text
from studio.catalog import Catalog
from studio.convert import convert
from studio.i18n import Words
from studio.jobs import Job, JobQueue
from studio.metadata import extract
from tests.house import finish
from tests.image_models import image_queue, make_sd1
from tests.upscaler_models import FORMS, detailed, module, ncnn_files, png, save

NO_SEAM = 2  # of 255


def quiet(share: float = 0.0) -> None:
    return


def network(path: Path = WEIGHTS) -> Any:
    from pipelines.image.nets.upscalers import load_upscaler

    return load_upscaler(path, "cpu")


def drawn(net: Any, image: Image.Image, scale: float, tile: int) -> np.ndarray[Any, Any]:
    from pipelines.image.nets.upscale import enlarge

    return np.asarray(enlarge(net, image, scale, quiet, quiet, tile=tile)).astype(int)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of upscalers, as ComfyUI names it, and one by its header alone."""
    folder = tmp_path_factory.mktemp("models")
    for name in FORMS:
        save(folder / ("upscale_models" if name != "2x_compact" else "other"), name)
    (folder / "upscale_models" / "face.safetensors").write_bytes(WEIGHTS.read_bytes().replace(b"body.", b"head."))
    save(folder / "upscale_models", "4x_old_esrgan", pickled=True).rename(folder / "upscale_models" / "4x_pickled.pth")
    return folder


@pytest.fixture
def queue(tmp_path: Path, models: Path) -> Iterator[JobQueue]:
    made = image_queue(tmp_path / "data", models)
    made.start()
    yield made
    finish(made)


def enlarge(queue: JobQueue, image: Image.Image | bytes, **values: Any) -> Job:
    key = queue.desk.inputs.keep(image if isinstance(image, bytes) else png(image))
    return queue.submit("image.upscale", {"image": key, "scale": 2.0, "upscaler": "Lanczos"} | values, owner="local").wait()


def result(queue: JobQueue, job: Job, number: int = 0) -> Image.Image:
    assert job.state == "done", job.error
    with Image.open(queue.store.output(job.outputs[number]).path) as image:
        image.load()
        return image


# -- the networks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_what_its_makers_code_gives(name: str, models: Path) -> None:
    import torch

    net = network(next(models.rglob(f"{name}.safetensors")))
    image = detailed(24, 16)
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        made = module(name)(pixels)[0].clamp(0, 1).mul(255).round().permute(1, 2, 0).numpy()
    assert net.scale == FORMS[name][1] and abs(drawn(net, image, net.scale, 512) - made).max() <= 1


def test_headers_tell_form_and_scale(models: Path) -> None:
    found = {entry.title: entry for entry in Catalog([models]).entries("upscaler")}
    assert {name: (found[name].architecture, found[name].details["scale"]) for name in FORMS} == FORMS
    assert found["RealESRGAN_x2"].details["folded"] == 2 and found["4x_pickled"].format == "pickle"
    assert not [entry for entry in Catalog([models]).entries() if entry.kind == "other"], "also where the folder does not say it"


@pytest.mark.parametrize("folder", ["ESRGAN", "RealESRGAN", "SwinIR", "DAT", "HAT", "ScuNET", "upscale_models", "upscaler"])
def test_other_programs_folders_are_known(folder: str, tmp_path: Path) -> None:
    from studio.oldstudio import look

    (tmp_path / "models" / folder).mkdir(parents=True)
    (tmp_path / "models" / folder / "4x.pth").write_bytes(b"PK")
    (tmp_path / "webui.py").touch()
    assert [(entry.kind, entry.format) for entry in Catalog(look(tmp_path).models).entries()] == [("upscaler", "pickle")]


def test_a_pickle_becomes_the_same_network(models: Path, tmp_path: Path) -> None:
    made = convert(models / "upscale_models" / "4x_pickled.pth", tmp_path / "esrgan", lambda have, total: None, threading.Event())
    image = detailed(20, 20)
    assert (drawn(network(made), image, 4, 64) == drawn(network(models / "upscale_models" / "4x_old_esrgan.safetensors"), image, 4, 64)).all()
    assert [(entry.kind, entry.details["scale"]) for entry in Catalog([tmp_path]).entries()] == [("upscaler", 4)]


def test_ncnn_s_two_files_are_read_layer_by_layer(tmp_path: Path) -> None:
    """Against the arrays that were written, put through numpy's own convolution."""
    from studio.ncnn import tensors, to_safetensors

    kinds = [("conv", 3, 8), ("prelu", 0, 8), ("conv", 8, 8), ("prelu", 0, 8), ("conv", 8, 12)]
    param, data, arrays = ncnn_files(kinds)
    path = tmp_path / "compact.safetensors"
    path.write_bytes(to_safetensors(param, data, {"licence": "x"}))
    image = detailed(9, 7)
    state = np.asarray(image).transpose(2, 0, 1) / 255
    for (kind, _, _), array in zip(kinds, arrays, strict=True):
        if kind == "prelu":
            state = np.where(state > 0, state, state * array["weight"].astype(np.float16).astype(float)[:, None, None])
            continue
        around = np.pad(state, ((0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(around, (3, 3), (1, 2))
        state = np.einsum("ihwyx,oiyx->ohw", windows, array["weight"].astype(float)) + array["bias"].astype(np.float16).astype(float)[:, None, None]
    shuffled = state.reshape(3, 2, 2, *state.shape[1:]).transpose(0, 3, 1, 4, 2).reshape(3, 14, 18)
    expected = (shuffled + np.asarray(image).transpose(2, 0, 1).repeat(2, 1).repeat(2, 2) / 255).clip(0, 1).transpose(1, 2, 0) * 255
    assert abs(drawn(network(path), image, 2, 64) - expected).max() <= 1
    dense = [("conv", 12, 8), *(("conv", 8, 8),) * 15, *(("conv", 8, 8),) * 4, ("conv", 8, 3)]
    names = list(tensors(*ncnn_files(dense)[:2]))
    assert names[0] == "conv_first.weight" and names[2] == "body.0.rdb1.conv1.weight" and names[30] == "body.0.rdb3.conv5.weight" and names[-1] == "conv_last.bias"
    for broken in (data[:-4], data + b"1234"):
        with pytest.raises(ValueError):
            tensors(param, broken)


# -- seams -----------------------------------------------------------------------------------------------------


def test_tiles_of_the_shipped_network_have_no_seams() -> None:
    net, image = network(), detailed(150, 100)
    whole = drawn(net, image, 4, 512)
    for tile in (48, 70):
        assert abs(drawn(net, image, 4, tile) - whole).max() <= NO_SEAM


@pytest.mark.slow
@pytest.mark.parametrize("name", ["RealESRGAN_x4plus_anime_6B", "RealESRGAN_x4plus"])
def test_tiles_of_the_fetched_networks_have_no_seams(name: str) -> None:
    from studio.settings import load_settings

    path = load_settings({})[0].models_path / "upscaler" / f"{name}.safetensors"
    if not path.is_file():
        pytest.skip("this starter model is not on this computer: python launch.py test fetches it")
    from pipelines.image.nets.upscale import border, tiles

    net, image = network(path), detailed(340, 20)
    assert len(list(tiles(*image.size, 130, sum(border(net))))) == 3
    assert abs(drawn(net, image, 4, 130) - drawn(net, image, 4, 512)).max() <= NO_SEAM


@pytest.mark.parametrize("name", ["RealESRGAN_x2", "BSRGAN_x4", "SPAN_x2", "SwinIR_x2", "HAT_x2", "DAT_x3", "PLKSR_x2", "Swin2SR_x2"])
def test_tiles_of_every_form_have_no_seams(name: str, models: Path) -> None:
    """Also of folded ones and those with windows, which lie in each tile as in the whole."""
    net, image = network(models / "upscale_models" / f"{name}.safetensors"), detailed(230, 14)
    tiled, whole = (drawn(net, image, net.scale, tile) for tile in (40, 512))
    assert abs(tiled - whole).max() <= NO_SEAM


def test_a_network_that_looks_at_its_whole_tile_leaves_no_step_at_a_border(models: Path) -> None:
    """OmniSR's grids and gates are of the whole tile, so that no surroundings make tiled and whole one; nowhere is the way from one to the other a step."""
    net, image = network(models / "upscale_models" / "OmniSR_X2.safetensors"), detailed(352, 64)
    off = drawn(net, image, net.scale, 128) - drawn(net, image, net.scale, 512)
    assert 0 < abs(off).max() <= 2 * NO_SEAM + 1
    softly = [np.abs(np.diff(off.mean((0, 2)))), np.abs(np.diff(off.mean((1, 2))))]
    assert max(steps.max() for steps in softly) <= 1


def test_such_a_network_is_given_the_whole_picture_where_memory_is_enough(models: Path) -> None:
    from pipelines.image.nets.upscale import border, tiles

    entry = next(entry for entry in Catalog([models]).entries("upscaler") if entry.architecture == "OmniSR")
    net = network(Path(entry.path))
    roomy, tight = (enlarging(entry, 900 * 700, 2, "cpu", room) for room in (2**34, 2**30))
    assert [len(list(tiles(900, 700, plan.tile, sum(border(net)), net.unit))) > 1 for plan in (roomy, tight)] == [False, True] and tight.working < 2**30 < roomy.working < 2**33
    assert enlarging(entry, 24_000_000, 2, "cpu", 2**33).working < 2**33


def test_networks_that_pool_over_all_they_are_given_get_the_whole_picture(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """spandrel says of some that tiles do not suit them, and what pools over everything says it itself; of the forms that are measured here it is known better."""
    from pipelines.image.nets import upscale

    for name in ("RCAN_x2", "CUGAN_x2", "CRAFT_x2"):
        assert network(save(tmp_path / "models" / "upscale_models", name)).whole
    assert network(models / "upscale_models" / "PLKSR_x2.safetensors").whole, "its norms are of groups over all there is"
    assert not any(network(models / "upscale_models" / f"{name}.safetensors").whole for name in ("SwinIR_x2", "HAT_x2", "SPAN_x2")) and not network().whole
    tiles, whole = [], upscale.enlarge
    monkeypatch.setattr(upscale, "enlarge", lambda *args, tile: (tiles.append(tile), whole(*args, tile=tile))[1])
    queue = image_queue(tmp_path / "data", tmp_path / "models")
    queue.start()
    try:
        job = enlarge(queue, detailed(40, 30), upscaler="RCAN_x2")
        assert (job.state, tiles) == ("done", [1024]), job.error
    finally:
        finish(queue)
    entry = find("RCAN_x2", queue.catalog)
    assert [enlarging(entry, 24e6, 2, "cpu", room, undivided=True).tile <= 256 for room in (2**34, 2**30)] == [False, True], "where memory allows"


def test_what_such_a_network_had_to_enlarge_in_parts_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import enlarge as module

    save(tmp_path / "models" / "upscale_models", "RCAN_x2")
    queue = image_queue(tmp_path / "data", tmp_path / "models")
    queue.start()
    try:
        assert enlarge(queue, detailed(160, 24), upscaler="RCAN_x2").summary["notes"] == []
        monkeypatch.setattr(module, "enlarging", lambda *args, **how: replace(enlarging(*args, **how), tile=32))
        assert enlarge(queue, detailed(160, 24), upscaler="RCAN_x2").summary["notes"] == [module.IN_PARTS]
        assert enlarge(queue, detailed(160, 24), upscaler=SHIPPED).summary["notes"] == [], "those that do not look at all of it are always made in tiles"
    finally:
        finish(queue)


def test_tiles_that_differ_go_softly_from_one_into_the_next() -> None:
    """A network that gives every tile a grey of its own: from one to the other no step is larger than the way divided by the columns that are mixed."""
    import torch

    from pipelines.image.nets.upscale import enlarge
    from pipelines.image.nets.upscalers import SOFT, Upscaler

    greys = iter((0.0, 0.8, 0.2))
    net = Upscaler(torch.nn.Conv2d(1, 1, 1), lambda x: torch.full((1, 3, 2 * x.shape[2], 2 * x.shape[3]), next(greys)), 2, 8, blend=SOFT)
    row = np.asarray(enlarge(net, detailed(240, 10), 2, quiet, quiet, tile=80))[5, :, 0].astype(int)
    assert [row[0], row[240], row[-1]] == [0, 204, 51] and abs(np.diff(row)).max() <= 204 / (4 * SOFT) + 1


@pytest.mark.parametrize("scale", [1.5, 2.0, 2.7, 3.0])
def test_other_sizes_come_from_the_network_s_own_without_seams(scale: float) -> None:
    net, image = network(), detailed(90, 70)
    at_once = Image.fromarray(drawn(net, image, 4, 512).astype(np.uint8)).resize((round(90 * scale), round(70 * scale)), Image.Resampling.LANCZOS)
    assert abs(drawn(net, image, scale, 33) - np.asarray(at_once).astype(int)).max() <= NO_SEAM


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_resizing_in_bands_is_resizing_at_once(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import enlarge as module

    image = detailed(60, 90).convert(mode)
    if mode == "RGBA":
        image.putalpha(detailed(60, 90, 2).convert("L"))
    monkeypatch.setattr(module, "BAND", 900)
    made = module.resized(image, 2.3, "Lanczos", quiet, quiet)
    whole = image.resize(made.size, Image.Resampling.LANCZOS)
    weighed = [np.asarray(one.convert("RGBa") if mode == "RGBA" else one).astype(int) for one in (made, whole)]
    assert abs(weighed[0] - weighed[1]).max() <= 1


# -- which one -------------------------------------------------------------------------------------------------


def test_automatic_takes_the_quickest_network_made_for_the_size(models: Path) -> None:
    empty, full = Catalog([]), Catalog([models])
    assert automatic(2, empty).key == automatic(4, empty).key == SHIPPED
    assert automatic(2, full).key == "other/2x_compact" and automatic(3, full).details["scale"] == 3
    assert automatic(4, full).key == automatic(3.5, full).key == SHIPPED and settled("Automatic", 2, full) == "other/2x_compact"


def test_upscalers_are_found_by_the_names_that_people_write(models: Path) -> None:
    catalog = Catalog([models])
    assert {find(name, catalog).key for name in ("upscale_models/SwinIR_x2", "swinir_x2", "SwinIR_x2")} == {"upscale_models/SwinIR_x2"}
    assert settled("Lanczos", 2, catalog) == "Lanczos" and settled("Real-ESRGAN", 2, catalog) == SHIPPED
    with pytest.raises(ModelMissing, match="SwinIR_x3") as missing:
        find("SwinIR_x3", catalog)
    assert "SwinIR_x2" in missing.value.hint and missing.value.field == "upscaler"
    with pytest.raises(ModelBroken, match="pickle"):
        find("4x_pickled", catalog)


def test_what_is_no_upscaler_is_told_in_a_sentence(queue: JobQueue) -> None:
    job = enlarge(queue, detailed(16, 16), upscaler="face")
    assert job.state == "failed" and job.error and job.error.field == "upscaler" and "form is not known" in job.error.message


def test_each_field_changes_the_result_and_the_file_tells_it(queue: JobQueue) -> None:
    image = detailed(20, 12)
    made = {name: result(queue, enlarge(queue, image, upscaler=name, scale=4.0)) for name in ("Real-ESRGAN", "Lanczos", "Nearest", "4x_old_esrgan")}
    assert {picture.size for picture in made.values()} == {(80, 48)} and len({picture.tobytes() for picture in made.values()}) == 4
    job = enlarge(queue, image, scale=3.0, upscaler="Automatic")
    assert result(queue, job).size == (60, 36)
    told = extract(Path(queue.store.output(job.outputs[0]).path))
    assert told["params"]["upscaler"] == job.params.model_dump()["upscaler"] == automatic(3, queue.catalog).key and told["params"]["scale"] == 3.0
    clean = result(queue, enlarge(queue, image, scale=1.0, upscaler="1x_clean"))
    assert clean.size == image.size and clean.tobytes() != image.tobytes()
    key = queue.desk.inputs.keep(png(image))
    for values, field in (({"scale": 1.0}, "scale"), ({"upscaler": "nowhere"}, "upscaler"), ({"image": ""}, "image"), ({"more": ["x"]}, "more")):
        with pytest.raises(BadInput if field != "upscaler" else ModelMissing) as refused:
            queue.submit("image.upscale", {"image": key, "upscaler": "Lanczos"} | values, owner="local")
        assert refused.value.field == field


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[JobQueue]:
    """With a model that draws beside the upscalers."""
    make_sd1(models / "sd1")
    made = image_queue(tmp_path_factory.mktemp("drawing"), models)
    made.start()
    yield made
    finish(made)


BASE: dict[str, Any] = {"model": "sd1", "prompt": "a red cat", "width": 32, "height": 32, "steps": 1, "seed": 5, "cfg_scale": 1.0, "sampler": "Euler"}


def test_a_drawn_picture_is_enlarged_as_the_page_would(drawing: JobQueue) -> None:
    plain = result(drawing, drawing.submit("image.generate", BASE | {"upscale": 1.0}, owner="local").wait())
    job = drawing.submit("image.generate", BASE | {"upscale": 2.0, "upscaler": "SwinIR_x2"}, owner="local").wait()
    made = result(drawing, job)
    assert made.size == (64, 64) and made.tobytes() == result(drawing, enlarge(drawing, plain, upscaler="SwinIR_x2")).tobytes()
    text = extract(Path(drawing.store.output(job.outputs[0]).path))["facts"]["parameters"]
    assert job.params.model_dump()["upscaler"] == "upscale_models/SwinIR_x2" and "Postprocess upscaler: upscale_models/SwinIR_x2" in text
    pipeline: Any = drawing.pipelines["image.generate"]
    assert pipeline.read_parameters(text, drawing.catalog)["upscaler"] == "upscale_models/SwinIR_x2"
    with pytest.raises(ModelMissing) as missing:
        drawing.submit("image.generate", BASE | {"upscale": 2.0, "upscaler": "nowhere"}, owner="local")
    assert missing.value.field == "upscaler"
    assert drawing.submit("image.generate", BASE | {"upscale": 1.0, "upscaler": "nowhere"}, owner="local").wait().state == "done", "a name that is not used stands in no one's way"
    weights = [drawing.verdict(pipeline, pipeline.Params.parse(BASE | {"upscale": scale, "upscaler": "SwinIR_x2"})).weight_bytes for scale in (1.0, 2.0)]
    assert weights[1] - weights[0] == 4 * find("SwinIR_x2", drawing.catalog).details["numbers"]


def test_an_enlarged_picture_keeps_what_it_was_drawn_with(drawing: JobQueue) -> None:
    job = drawing.submit("image.generate", BASE | {"upscale": 1.0}, owner="local").wait()
    path = Path(drawing.store.output(job.outputs[0]).path)
    text = parameters_text(path)
    large = drawing.submit("image.upscale", {"image": drawing.desk.inputs.keep(path.read_bytes()), "scale": 2.0, "upscaler": "Lanczos"}, owner="local").wait()
    told = parameters_text(Path(drawing.store.output(large.outputs[0]).path))
    assert told == text + ", Postprocess upscale by: 2, Postprocess upscaler: Lanczos"
    pipeline: Any = drawing.pipelines["image.generate"]
    values = pipeline.read_parameters(told, drawing.catalog)
    assert (values["prompt"], values["seed"], values["upscale"], values["upscaler"]) == ("a red cat", 5, 2.0, "Lanczos")
    assert not parameters_text(Path(drawing.store.output(enlarge(drawing, detailed(8, 8)).outputs[0]).path)), "nothing where there was nothing"


def test_a_drawn_picture_is_kept_where_enlarging_it_fails_or_is_stopped(drawing: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import enlarge as module
    from pipelines.image import generate

    plain = result(drawing, drawing.submit("image.generate", BASE | {"upscale": 1.0}, owner="local").wait())
    begun, asked = threading.Event(), threading.Event()

    def slow(*args: Any) -> Any:
        begun.set()
        asked.wait(60)
        args[4]()
        raise AssertionError("Stop was pressed")

    monkeypatch.setattr(module, "resized", slow)
    job = drawing.submit("image.generate", BASE | {"upscale": 2.0, "upscaler": "Lanczos", "count": 2}, owner="local")
    assert begun.wait(60) and drawing.cancel(job.id, by="local")
    asked.set()
    job.wait()
    with Image.open(drawing.store.output(job.outputs[0]).path) as kept:
        assert (job.state, len(job.outputs)) == ("cancelled", 1) and kept.tobytes() == plain.tobytes()

    def fails(*args: Any, **more: Any) -> Any:
        raise ModelTooLarge("Too large.")

    monkeypatch.setattr(module, "enlarged", fails)
    job = drawing.submit("image.generate", BASE | {"upscale": 2.0, "upscaler": "Lanczos"}, owner="local").wait()
    assert result(drawing, job).tobytes() == plain.tobytes() and job.summary["notes"][-1] == "Too large." and generate.enlarged is not fails


def test_upscalers_are_an_axis(drawing: JobQueue) -> None:
    values = BASE | {"upscale": 2.0, "x_axis": "Upscaler", "x_values": "Nearest, SwinIR_x2, Real-ESRGAN"}
    job = drawing.submit("image.grid", values, owner="local").wait()
    assert job.state == "done" and len({result(drawing, job, number).tobytes() for number in range(3)}) == 3
    with pytest.raises(ModelMissing):
        drawing.submit("image.grid", values | {"x_values": "Nearest, nowhere"}, owner="local")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("4x_old_esrgan", "upscale_models/4x_old_esrgan"), ("4x_old_esrgan.pth", "upscale_models/4x_old_esrgan"), ("R-ESRGAN 4x+", SHIPPED), ("lanczos", "Lanczos"), ("Latent (nearest-exact)", "")],
)
def test_names_in_pictures_of_other_programs_find_what_is_here(written: str, meant: str, models: Path) -> None:
    from pipelines.image.reading.texts import read_texts

    values = read_texts({"parameters": f"a fox\nSteps: 4, Sampler: Euler, Seed: 1, Size: 8x8, Hires upscale: 2, Hires upscaler: {written}"}, Catalog([models]))
    assert values.get("upscaler", "") == meant and values.get("Hires upscaler", "") == ("" if meant else written)


def test_settings_of_earlier_pictures_are_taken() -> None:
    from pipelines.image.params import ImageParams
    from pipelines.image.upscale import UpscaleParams

    for kind, values in ((UpscaleParams, {"image": "", "scale": 2.0}), (ImageParams, {"upscale": 2.0})):
        for name in ("Real-ESRGAN", "Lanczos", "Nearest"):
            params, refused = kind.restore(values | {"upscaler": name}, 1)
            assert not refused and settled(params.model_dump()["upscaler"], 2, Catalog([])) == name


# -- pictures of every kind ------------------------------------------------------------------------------------


def test_what_can_be_seen_through_stays_so_and_its_edge_does_not_darken(queue: JobQueue) -> None:
    side = 48
    circle = np.hypot(*(np.mgrid[:side, :side] - side / 2)) < 16
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[circle] = (230, 40, 30, 255)  # red on nothing, where nothing is black
    for upscaler in ("Real-ESRGAN", "Lanczos"):
        made = np.asarray(result(queue, enlarge(queue, Image.fromarray(pixels), upscaler=upscaler, scale=4.0))).astype(int)
        assert made.shape == (side * 4, side * 4, 4) and made[0, 0, 3] == 0 and made[96, 96, 3] == 255
        edge = (made[..., 3] > 60) & (made[..., 3] < 250)
        assert edge.any() and abs(made[edge][:, :3] - (230, 40, 30)).max() <= 60, "no dark fringe"
    half = Image.fromarray(np.dstack([np.asarray(detailed(16, 16)), np.full((16, 16), 77, np.uint8)]))
    assert np.asarray(result(queue, enlarge(queue, half, upscaler="Real-ESRGAN")))[..., 3].tolist() == [[77] * 32] * 32


def test_pictures_of_every_kind_are_read(queue: JobQueue) -> None:
    deep = Image.fromarray((np.linspace(0, 65535, 64).reshape(8, 8)).astype(np.uint16))
    made = np.asarray(result(queue, enlarge(queue, deep, upscaler="Nearest")))
    assert made[0, 0].tolist() == [0, 0, 0] and made[-1, -1].tolist() == [255, 255, 255]
    print_colours, buffer = Image.new("CMYK", (8, 8), (0, 255, 255, 0)), io.BytesIO()
    print_colours.save(buffer, "JPEG", quality=95)
    red = np.asarray(result(queue, enlarge(queue, buffer.getvalue())))[8, 8]
    assert red[0] > 200 and red[1] < 60 and red[2] < 60
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([0, 0, 0, 10, 200, 30])
    palette.info["transparency"] = 0
    assert np.asarray(result(queue, enlarge(queue, palette)))[0, 0].tolist() == [10, 200, 30, 255]
    turned, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    detailed(12, 6).save(turned, "JPEG", exif=exif)
    assert result(queue, enlarge(queue, turned.getvalue())).size == (12, 24)
    assert result(queue, enlarge(queue, Image.new("1", (1, 1)), upscaler="Real-ESRGAN")).size == (2, 2)


def test_the_page_takes_several_files_of_many_kinds_and_names_what_is_none(queue: JobQueue, tmp_path: Path) -> None:
    from types import SimpleNamespace

    from studio.i18n import Words
    from tabs.image_upscalers import pictures_given, upscaler_choices

    studio: Any = SimpleNamespace(jobs=queue, catalog=queue.catalog, words=Words())
    for name in ("a.png", "b.bmp", "c.tiff", "d.gif"):
        detailed(9, 7).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    detailed(9, 7).save(tmp_path / "moves.gif", save_all=True, append_images=[detailed(9, 7, 2)])
    given = pictures_given(queue.desk.inputs, str(tmp_path / "a.png"), [str(tmp_path / name) for name in ("b.bmp", "c.tiff", "d.gif", "b.bmp")])
    assert given["image"].endswith(".png") and 2 <= len(given["more"]) == len(set(given["more"])) < 4, "a picture that is there twice is taken once"
    job = queue.submit("image.upscale", given | {"scale": 2.0, "upscaler": "Nearest"}, owner="local").wait()
    assert {result(queue, job, number).size for number in range(len(job.outputs))} == {(18, 14)} and not job.summary["notes"]
    for name in ("notes.txt", "moves.gif"):
        with pytest.raises(BadInput, match=name) as refused:
            pictures_given(queue.desk.inputs, None, [str(tmp_path / "a.png"), str(tmp_path / name)])
        assert refused.value.field == "more"
    with pytest.raises(BadInput, match="no picture to enlarge"):
        pictures_given(queue.desk.inputs, None, None)
    offered = {value: label for label, value in upscaler_choices(studio, "ja")}
    assert list(offered)[:4] == ["Automatic", "Real-ESRGAN", "Lanczos", "Nearest"] and offered["upscale_models/SwinIR_x2"] == "SwinIR_x2 – 2 倍" and offered["Nearest"].startswith("最近傍")
    assert "upscale_models/4x_pickled" not in offered


def test_the_page_enlarges_one_s_own_picture_with_its_key_and_refuses_what_moves(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from tabs import image_upscale
    from tabs.image_upscalers import pictures_given

    assert pictures_given(queue.desk.inputs, "shown.png", None, "its key") == {"image": "its key", "more": []}
    page = object.__new__(image_upscale.UpscalePage)
    page.studio = SimpleNamespace(inputs=lambda owner: queue.desk.inputs, words=Words())  # type: ignore[assignment]
    request: Any = SimpleNamespace(headers={"x-seisei-owner": "local", "accept-language": "en"}, cookies={}, query_params={})
    still = enlarge(queue, detailed(8, 6)).outputs[0]
    monkeypatch.setattr(image_upscale, "own_output", lambda studio, chosen, request: queue.store.output(chosen))
    monkeypatch.setattr(image_upscale, "kept_output", lambda studio, output, request: queue.desk.inputs.keep(Path(output.path).read_bytes()))
    shown, key, others = page.on_take(still, request)
    assert shown.size == (16, 12) and queue.desk.inputs.path(key).read_bytes() == Path(queue.store.output(still).path).read_bytes() and others is None
    film = io.BytesIO()
    detailed(16, 16).save(film, "GIF", save_all=True, append_images=[detailed(16, 16, 2)])
    job = queue.submit("image.style_blend", {"image": queue.desk.inputs.keep(film.getvalue())}, owner="local").wait()
    with pytest.raises(gr.Error, match="moves"):
        page.on_take(job.outputs[0], request)


def test_the_colour_profile_stays(queue: JobQueue) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert result(queue, enlarge(queue, png(detailed(8, 8), icc_profile=profile))).info["icc_profile"] == profile


def test_what_moves_or_is_broken_or_too_large_is_refused(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import upscale

    moving = io.BytesIO()
    detailed(8, 8).save(moving, "WEBP", save_all=True, append_images=[detailed(8, 8, 2)])
    for data, words in ((moving.getvalue(), "moves"), (png(detailed(64, 64))[:900], "can be read")):
        with pytest.raises(BadInput, match=words) as refused:
            enlarge(queue, data)
        assert refused.value.field == "image"
    monkeypatch.setattr(upscale, "MOST_PIXELS", 1000)
    with pytest.raises(BadInput, match="megapixels") as refused:
        enlarge(queue, detailed(64, 64))
    assert refused.value.field == "scale"


def test_several_pictures_are_enlarged_each_kept_and_broken_ones_told(queue: JobQueue) -> None:
    keep = queue.desk.inputs.keep
    keys = [keep(png(detailed(10, 8, seed))) for seed in (1, 2)] + [keep(png(detailed(64, 64))[:900]), keep(png(detailed(6, 9, 3)))]
    job = queue.submit("image.upscale", {"image": keys[0], "more": keys[1:], "scale": 2.0, "upscaler": "Real-ESRGAN"}, owner="local").wait()
    assert [result(queue, job, number).size for number in range(3)] == [(20, 16), (20, 16), (12, 18)] and len(job.outputs) == 3
    assert len(job.summary["notes"]) == 1 and job.summary["notes"][0].startswith("Picture 3: This is no picture")
    assert [extract(Path(queue.store.output(output).path))["params"]["image"] for output in job.outputs] == [keys[0], keys[1], keys[3]], "each gives its own settings back"
    job = queue.submit("image.upscale", {"image": keys[0], "more": keys[1:2], "upscaler": "face"}, owner="local").wait()
    assert job.state == "failed" and job.error and "form is not known" in job.error.message, "what spoils every picture is the job's error"


# -- Stop and memory -------------------------------------------------------------------------------------------


class Slow:
    """Work that waits at its first piece until Stop was pressed, and counts the pieces after it."""

    def __init__(self) -> None:
        self.begun, self.asked, self.after = threading.Event(), threading.Event(), 0

    def __call__(self) -> None:
        self.begun.set()
        self.after += self.asked.is_set()
        self.asked.wait(60)


def stopped(queue: JobQueue, slow: Slow, **values: Any) -> Job:
    """The job, stopped at its first slow piece."""
    key = queue.desk.inputs.keep(png(values.pop("picture")))
    job = queue.submit("image.upscale", {"image": key, "scale": 4.0, "upscaler": "Real-ESRGAN"} | values, owner="local")
    assert slow.begun.wait(30)
    queue.cancel(job.id, by="local")
    slow.asked.set()
    return job.wait()


def test_stop_acts_between_layers(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import nn

    slow, whole = Slow(), nn.Conv2d.forward
    monkeypatch.setattr(nn.Conv2d, "forward", lambda self, x: (slow(), whole(self, x))[1])
    job = stopped(queue, slow, picture=detailed(16, 16))
    assert job.state == "cancelled" and not job.outputs and slow.after <= 1


def test_stop_acts_while_a_large_picture_is_saved(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import pictures

    slow, write = Slow(), pictures.Watched.write
    monkeypatch.setattr(pictures.Watched, "write", lambda self, data: (slow(), write(self, data))[1])
    job = stopped(queue, slow, picture=detailed(800, 800), upscaler="Nearest", scale=4.0)
    assert job.state == "cancelled" and not job.outputs and slow.after <= 2


def test_a_large_picture_is_resized_in_bands_that_heed_stop(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import enlarge as module

    slow, check = Slow(), module.resized
    monkeypatch.setattr(module, "BAND", 3200)
    monkeypatch.setattr(module, "resized", lambda picture, scale, how, tell, look: check(picture, scale, how, tell, lambda: (slow(), look())[1]))
    job = stopped(queue, slow, picture=detailed(800, 200), upscaler="Lanczos")
    assert job.state == "cancelled" and slow.after <= 1


def test_progress_goes_on_within_a_tile(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image import enlarge as module

    monkeypatch.setattr(module, "TELL_SECONDS", 0.0)
    told: list[Progress] = []
    notify = queue.hooks.notify
    monkeypatch.setattr(queue.hooks, "notify", lambda name, **args: (told.extend([args["event"]] if isinstance(args.get("event"), Progress) else []), notify(name, **args))[1])
    job = enlarge(queue, detailed(200, 200), upscaler="Real-ESRGAN", scale=4.0)
    steps = [event.step for event in told if event.note == "Enlarging"]
    assert job.state == "done" and steps == sorted(steps) and len(set(steps)) >= 3 and told[-1].note == "Saving"


def test_tiles_are_smaller_where_memory_is_small() -> None:
    plenty, little = (enlarging(shipped(), 1_000_000, 4, "cpu", room) for room in (2**34, 100 * 2**20))
    assert plenty.tile == 256 and little.tile < 128 and little.working < plenty.working <= 2**34 and little.working + little.weights <= 100 * 2**20
    assert enlarging(shipped(), 1_000_000, 4, "cuda", 2**34).tile == 512 and enlarging(shipped(), 0, 4, "cuda", 2**34).weights * 2 == plenty.weights
    deep = ModelEntry("x", "x", "upscaler", "safetensors", 33_000_000, "x", "ESRGAN", details={"scale": 4, "width": 64, "numbers": 16_700_000})
    assert enlarging(deep, 1_000_000, 4, "cpu", 2**34).working > 3 * plenty.working, "a network that draws at the large size needs more"


def test_half_precision_is_for_cuda_and_networks_that_can() -> None:
    import torch

    from pipelines.image.nets.upscalers import dtype_for

    wanted = {("cuda", True): torch.float16, ("cuda", False): torch.float32, ("mps", True): torch.float32, ("cpu", True): torch.float32}
    assert {asked: dtype_for(*asked) for asked in wanted} == wanted and network().weight.dtype == torch.float32


def test_memory_that_ends_is_tried_once_more_in_smaller_tiles(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipelines.image.nets import upscale

    tried, whole = [], upscale.enlarge

    def short(*args: Any, tile: int) -> Any:
        tried.append(tile)
        if len(tried) == 1:
            raise MemoryError
        return whole(*args, tile=tile)

    monkeypatch.setattr(upscale, "enlarge", short)
    job = enlarge(queue, detailed(40, 40), upscaler="Real-ESRGAN")
    assert job.state == "done" and tried[1] <= tried[0] / 2 and "smaller tiles" in job.summary["notes"][0]
    monkeypatch.setattr(upscale, "enlarge", lambda *args, tile: (_ for _ in ()).throw(MemoryError))
    job = enlarge(queue, detailed(40, 40), upscaler="Real-ESRGAN")
    assert job.state == "failed" and job.error and "also in small tiles" in job.error.message


def test_the_verdict_tells_memory_and_time_of_this_picture(queue: JobQueue) -> None:
    pipeline = queue.pipelines["image.upscale"]
    enlarge(queue, detailed(100, 60), upscaler="Real-ESRGAN", scale=4.0)

    def verdict(side: int) -> Any:
        key = queue.desk.inputs.keep(png(detailed(side, side)))
        return queue.verdict(pipeline, pipeline.Params.parse({"image": key, "scale": 4.0, "upscaler": "Real-ESRGAN"}))

    small, large = verdict(50), verdict(200)
    assert large.seconds == pytest.approx(16 * small.seconds) and small.seconds > 0 and large.working_bytes > small.working_bytes
    assert small.weight_bytes == WEIGHTS.stat().st_size // 2 * 4 and small.facts["upscaler"] == SHIPPED
    assert queue.verdict(pipeline, pipeline.Params.parse({"image": "", "scale": 4.0})).missing


def test_torchvision_s_names_are_empty_only_while_spandrel_is_imported() -> None:
    import subprocess
    import sys

    code = """
import importlib.util, sys
from pipelines.image.nets.upscalers import import_spandrel
assert len(import_spandrel().MAIN_REGISTRY) > 30
if importlib.util.find_spec("torchvision") is None:
    assert not [name for name in sys.modules if name.startswith("torchvision")]
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
