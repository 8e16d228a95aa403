"""The later families' networks in a file of their own: each draws what bare diffusers draws of the whole folder, with the parts that a folder lends; what is missing says so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image.families import family_of
from pipelines.image.footprint import footprint
from pipelines.image.generate import Generate, beside
from pipelines.image.lent import LENT, lent_of
from pipelines.image.nets.processors import loaded
from pipelines.image.params import ImageParams
from pipelines.image.parts import parts_of
from pipelines.image.pictures import png
from pipelines.image.settle import default_model, unit_of
from studio.api import BadInput, ModelBroken, ModelEntry
from studio.jobs import JobQueue
from studio.scan import scan
from studio.scan_network import SIGNS, network_of
from tests import dit
from tests.house import finish
from tests.image_models import image_queue, tokenizer
from tests.lent_models import NETWORKS, make, tensors
from tests.more_models import letters, prepares
from tests.test_more_families import alike, ramp, small  # noqa: F401 - a fixture

SIDE = 64
DRAWN = [family for family in NETWORKS if family != "qwen_image_layered"]
FILES = {family: f"diffusion_models/{family}" for family in NETWORKS} | {"flux2_klein": "diffusion_models/flux2_klein_base"}
BEYOND = ("z_image", "krea2")  # their pipelines count guidance from 1 on
pytestmark = [pytest.mark.filterwarnings("ignore:.*FluxPosEmbed.*:FutureWarning"), pytest.mark.filterwarnings("ignore:.*LoraLoaderMixin.*:FutureWarning"), pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    """Whole folders lie outside of the models; those among the models lend only."""
    root = tmp_path_factory.mktemp("lent")
    words = tokenizer(root / "words")
    for family in NETWORKS:
        pipe = make(family, words, root)
        pipe.save_pretrained(root / "whole" / family)
        if family == "flux2":
            index = root / "whole" / family / "model_index.json"
            index.write_text(json.dumps(json.loads(index.read_text()) | {"tokenizer": ["transformers", "PixtralProcessor"]}))
        shutil.copytree(root / "whole" / family, root / "models" / f"{family}-lends", ignore=shutil.ignore_patterns("diffusion_pytorch_model*"), dirs_exist_ok=True)
        shutil.copytree(root / "whole" / family / "vae", root / "models" / f"{family}-lends" / "vae", dirs_exist_ok=True)
        dit.save(tensors(family, pipe), root / "models" / f"{FILES[family]}.safetensors")
    queue = image_queue(root / "data", root / "models")
    queue.start()
    yield queue
    finish(queue)


def drawn(queue: JobQueue, model: str, **more: Any) -> np.ndarray:
    values = {"prompt": "a red cat", "negative_prompt": "fog", "width": SIDE, "height": SIDE, "steps": 3, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": model} | more
    job = queue.submit("image.generate", values, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(Image.open(queue.store.output(job.outputs[0]).path).convert("RGB"))


def whole(queue: JobQueue, family: str) -> Any:
    """diffusers' own, of the whole folder."""
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = loaded(diffusers.DiffusionPipeline, queue.catalog.roots[0].parent / "whole" / family, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def bare(pipe: Any, family: str, seed: int = 5, **more: Any) -> np.ndarray:
    import inspect

    import torch

    known = inspect.signature(type(pipe).__call__).parameters
    guidance = "true_cfg_scale" if "true_cfg_scale" in known and family.startswith("qwen") else "guidance_scale"
    call = {"prompt": ["a red cat"], "negative_prompt": ["fog"], "width": SIDE, "height": SIDE, "num_inference_steps": 3, guidance: 3.0 if family in BEYOND else 4.0, "use_resolution_binning": False, "clean_caption": False}
    told = {name: value for name, value in (call | more).items() if name in known}
    return np.asarray(pipe(**told, generator=torch.Generator().manual_seed(seed)).images[0].convert("RGB"))


@pytest.mark.slow
@pytest.mark.parametrize("family", DRAWN)
def test_a_network_draws_with_what_a_folder_lends_what_the_whole_folder_draws(queue: JobQueue, family: str) -> None:
    model = FILES[family]
    entry = queue.catalog.find(model)
    assert (entry.kind, entry.architecture, entry.problem) == ("image", family, "")
    mine = drawn(queue, model)
    assert alike(mine, bare(whole(queue, family), family)) and mine.std() > 1
    assert (drawn(queue, model, prompt="a blue dog") != mine).any() and (drawn(queue, model, cfg_scale=1.0) != mine).any()


@pytest.mark.slow
@pytest.mark.parametrize("family", NETWORKS)
def test_the_layout_is_that_of_the_release_at_its_size(family: str, tmp_path: Path) -> None:
    """Names and shapes are diffusers' at the size that it knows by heart; on tensors without memory."""
    import diffusers
    import torch
    from diffusers.loaders.single_file_model import SINGLE_FILE_LOADABLE_CLASSES

    from pipelines.image.lent import config_of
    from pipelines.image.nets.layouts import prepared

    layout = LENT[family].layout
    with torch.device("meta"):
        network = getattr(diffusers, layout.network)()
    network.save_config(tmp_path / "transformer")
    theirs, state = NETWORKS[family][0](network), {name: value.shape for name, value in network.state_dict().items()}
    config = config_of(tmp_path, layout, {name: tuple(value.shape) for name, value in theirs.items()}, "")
    assert {counted: config[counted] for counted in layout.blocks} == {counted: network.config[counted] for counted in layout.blocks}
    found = prepared(theirs, config)
    if found.keys() != state.keys():
        found = SINGLE_FILE_LOADABLE_CLASSES[layout.network]["checkpoint_mapping_fn"](checkpoint=found, config=config)
    assert {name: value.shape for name, value in found.items() if value is not None} == state


@pytest.mark.slow
def test_a_layered_network_takes_a_picture_apart(queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_layered

    key = queue.desk.inputs.keep(png(ramp(SIDE)))
    job = queue.submit("image.generate", {"prompt": "a red cat", "negative_prompt": "fog", "image": key, "layers": 2, "width": SIDE, "height": SIDE, "steps": 2, "seed": 5, "upscale": 1.0, "cfg_scale": 4.0, "model": "diffusion_models/qwen_image_layered"}, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.traceback)
    mine = np.stack([np.asarray(Image.open(queue.store.output(output).path)) for output in job.outputs])
    monkeypatch.setattr(pipeline_qwenimage_layered, "calculate_dimensions", lambda area, ratio: (SIDE, SIDE))
    told = {"image": ramp(SIDE).convert("RGBA"), "prompt": "a red cat", "negative_prompt": "fog", "true_cfg_scale": 4.0, "num_inference_steps": 2, "layers": 2, "cfg_normalize": True, "use_en_prompt": True}
    theirs = np.stack([np.asarray(image) for image in whole(queue, "qwen_image_layered")(**told, generator=torch.Generator().manual_seed(5)).images[0]])
    assert alike(mine, theirs) and mine.std() > 1


@pytest.mark.slow
def test_a_distilled_network_is_told_by_its_name(queue: JobQueue) -> None:
    """Its folder may be that of the whole model: few steps and no guidance all the same."""
    models = queue.catalog.roots[0]
    file = models / "diffusion_models" / "flux2_klein.safetensors"
    shutil.copy(models / f"{FILES['flux2_klein']}.safetensors", file)
    queue.catalog.refresh()
    try:
        families = [family_of(queue.catalog.find(key)) for key in ("diffusion_models/flux2_klein", FILES["flux2_klein"])]
        assert [(family.steps, family.cfg_scale) for family in families] == [(4, 1.0), (50, 4.0)]
        assert (drawn(queue, "diffusion_models/flux2_klein") == drawn(queue, FILES["flux2_klein"], cfg_scale=1.0)).all()
    finally:
        file.unlink()
        queue.catalog.refresh()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen-image-edit", "qwen_image_edit_2509"])
def test_an_editor_is_told_by_its_name_and_changes_a_picture(queue: JobQueue, small: None, name: str) -> None:  # noqa: F811 - a fixture
    """Either editor's folder has all parts of the other one; that of Qwen-Image has not."""
    import diffusers

    models = queue.catalog.roots[0]
    file, folder = models / "diffusion_models" / f"{name}.safetensors", models / "edit-lends"
    shutil.copy(models / "diffusion_models" / "qwen_image.safetensors", file)
    queue.catalog.refresh()
    key = queue.desk.inputs.keep(png(ramp(SIDE)))
    with pytest.raises(ModelBroken, match="Qwen-Image-Edit.* alone"):
        drawn(queue, f"diffusion_models/{name}", image=key)
    pipe = whole(queue, "qwen_image")
    editor = getattr(diffusers, "QwenImageEditPlusPipeline" if "2509" in name else "QwenImageEditPipeline")(**pipe.components, processor=prepares(letters()))
    editor.set_progress_bar_config(disable=True)
    other = diffusers.QwenImageEditPipeline(**pipe.components, processor=prepares(letters()))
    other.save_pretrained(folder)
    queue.catalog.refresh()
    try:
        entry = queue.catalog.find(f"diffusion_models/{name}")
        assert family_of(entry).must_refer and family_of(entry).pipeline == type(editor).__name__
        assert alike(drawn(queue, f"diffusion_models/{name}", image=key), bare(editor, "qwen_image", image=ramp(SIDE)))
        (models / "qwen_image-lends").rename(models.parent / "away")
        queue.catalog.refresh()
        assert parts_of(queue.catalog.find("diffusion_models/qwen_image"), "other", queue.catalog)["vae"].path.parent == folder
        assert alike(drawn(queue, "diffusion_models/qwen_image", seed=6), bare(pipe, "qwen_image", seed=6))
    finally:
        if (models.parent / "away").is_dir():
            (models.parent / "away").rename(models / "qwen_image-lends")
        file.unlink()
        shutil.rmtree(folder)
        queue.catalog.refresh()


@pytest.mark.slow
@pytest.mark.parametrize(("family", "told", "rest"), [("qwen_image", "qwen_image", "F32"), ("z_image", "lumina2", "BF16"), ("chroma", "flux", "F32"), ("flux2", "flux", "BF16"), ("lumina2", "lumina2", "F32")])
def test_gguf_networks_draw_what_their_spread_out_weights_draw(queue: JobQueue, family: str, told: str, rest: str) -> None:
    """`told`: how tools write its architecture, one name for several networks. What is no matrix may be packed too."""
    import torch

    from pipelines.image.nets.single_file import load_network
    from pipelines.image.parts import Part

    models, model = queue.catalog.roots[0], f"diffusion_models/{family}-Q8_0"
    pipe = whole(queue, family)
    meant = dit.write_packed(tensors(family, pipe), models / f"{model}.gguf", "Q8_0", told, rest)
    queue.catalog.refresh()
    entry = queue.catalog.find(model)
    assert (entry.kind, entry.architecture, entry.format, entry.problem) == ("image", family, "gguf", "")
    mine = drawn(queue, model)
    parts = parts_of(entry, "other", queue.catalog)
    pipe.transformer = load_network(Part(dit.save(meant, models.parent / "meant" / f"{family}.safetensors"), "", parts["network"].config), torch.float32)
    assert alike(mine, bare(pipe, family)) and (mine != drawn(queue, f"diffusion_models/{family}")).any(), "quantised weights are not the full ones"
    found = footprint(entry, 4, beside(entry, family_of(entry), queue.catalog))
    assert found.network == entry.bytes, "matrices stay quantised in memory"
    worker = queue.executors["device"].worker  # type: ignore[attr-defined]
    loaded_pipe = next(lease for key, lease in worker.models._leases.items() if key == model).model.pipe
    assert "GGUFParameter" in {type(value).__name__ for value in loaded_pipe.transformer.parameters()}


@pytest.mark.slow
@pytest.mark.parametrize(("family", "form"), [("qwen_image", "scaled"), ("z_image", "rows"), ("flux2", "plain")])
def test_8_bit_floats_are_read(queue: JobQueue, family: str, form: str) -> None:
    import torch

    from pipelines.image.nets.single_file import load_network
    from pipelines.image.parts import Part

    models, model = queue.catalog.roots[0], f"diffusion_models/{family}_fp8_{form}"
    pipe, path = whole(queue, family), models / f"{model}.safetensors"
    if form == "plain":
        small_ones = {name: value.to(torch.float8_e4m3fn) if value.ndim == 2 else value for name, value in tensors(family, pipe).items()}
        dit.save({f"model.diffusion_model.{name}": value for name, value in small_ones.items()}, path)
        meant = {name: value.float() for name, value in small_ones.items()}
    else:
        meant = dit.write_scaled(tensors(family, pipe), path, later=form == "rows")
    queue.catalog.refresh()
    entry = queue.catalog.find(model)
    assert (entry.architecture, entry.problem) == (family, "")
    config = parts_of(entry, "other", queue.catalog)["network"].config
    pipe.transformer = load_network(Part(dit.save(meant, models.parent / "meant" / f"{family}-{form}.safetensors"), "", config), torch.float32)
    mine = drawn(queue, model)
    assert alike(mine, bare(pipe, family)) and (mine != drawn(queue, f"diffusion_models/{family}")).any()


@pytest.mark.parametrize("family", NETWORKS)
def test_its_form_and_its_memory_are_those_of_its_family(queue: JobQueue, family: str) -> None:
    """Counted from the headers of the file and of the folder's other parts."""
    from safetensors import safe_open

    def numbers(path: Path) -> int:
        with safe_open(path, "pt") as file:
            return sum(file.get_tensor(name).numel() for name in file.keys())  # noqa: SIM118 - no dictionary

    entry, folder = queue.catalog.find(FILES[family]), queue.catalog.roots[0].parent / "whole" / family
    own, theirs = family_of(entry), family_of(next(one for one in scan(folder.parent) if one.key == family))
    assert own.pipeline == LENT[family].pipeline == theirs_class(folder) and (own.title, own.kind, own.factor, own.modes, own.form, own.steps, own.cfg_scale, own.layers, unit_of(own)) == (
        theirs.title, theirs.kind, theirs.factor, theirs.modes, theirs.form, theirs.steps, theirs.cfg_scale, theirs.layers, unit_of(theirs)
    )  # fmt: skip
    found = footprint(entry, 4, beside(entry, own, queue.catalog))
    encoders = [sum(map(numbers, part.glob("*.safetensors"))) for part in sorted(folder.iterdir()) if part.name not in ("vae", "transformer") and part.is_dir()]
    assert (found.network, found.decoder, found.encoders) == (4 * numbers(Path(entry.path)), 4 * sum(map(numbers, (folder / "vae").glob("*.safetensors"))), 4 * sum(encoders))
    need = Generate().need(ImageParams.parse({"prompt": "x", "model": entry.key}), queue.catalog)
    assert need.weight_bytes == found.total and not need.missing and need.facts["family"] == own.title


def theirs_class(folder: Path) -> str:
    return str(json.loads((folder / "model_index.json").read_text())["_class_name"])


def test_without_a_folder_that_fits_it_is_told_what_to_get(queue: JobQueue, tmp_path: Path) -> None:
    models = queue.catalog.roots[0]
    folder = models / "z_image-lends"
    config = folder / "transformer" / "config.json"
    before = config.read_text()
    for change in ({"cap_feat_dim": 48}, {"dim": 64}, {"_class_name": "Another"}):  # of a folder of another size, or of another model
        config.write_text(json.dumps(json.loads(before) | change))
        with pytest.raises(ModelBroken, match="is the network of Z-Image alone") as told:
            queue.submit("image.generate", {"prompt": "x", "model": "diffusion_models/z_image"}, owner="local")
        assert told.value.field == "model" and "Tongyi-MAI/Z-Image-Turbo" in told.value.hint and "config.json" in told.value.hint
    config.write_text(before)
    with pytest.raises(BadInput, match="Another VAE") as refused:
        queue.submit("image.generate", {"prompt": "x", "model": "diffusion_models/z_image", "vae": "any"}, owner="local")
    assert refused.value.field == "vae"


def test_a_folder_without_its_network_only_lends(queue: JobQueue) -> None:
    with pytest.raises(ModelBroken, match="only lends") as told:
        queue.submit("image.generate", {"prompt": "x", "model": "z_image-lends"}, owner="local")
    assert told.value.field == "model" and default_model(queue.catalog).startswith("diffusion_models/")


def test_of_several_folders_the_one_of_the_most_like_name_lends_and_blocks_are_counted(queue: JobQueue) -> None:
    models = queue.catalog.roots[0]
    entry, other = queue.catalog.find("diffusion_models/z_image"), models / "diffusion_models" / "z_image_number_two.safetensors"
    shutil.copytree(models / "z_image-lends", models / "z_image_number_two")
    config = models / "z_image_number_two" / "transformer" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"n_layers": 30, "quantization_config": {"quant_method": "other"}}))
    shutil.copy(entry.path, other)
    queue.catalog.refresh()
    try:
        lenders = [parts_of(queue.catalog.find(key), "other", queue.catalog) for key in ("diffusion_models/z_image_number_two", "diffusion_models/z_image")]
        assert [parts["vae"].path.parent.name for parts in lenders] == ["z_image_number_two", "z_image-lends"]
        assert lenders[0]["network"].config["n_layers"] == 2 and "quantization_config" not in lenders[0]["network"].config
    finally:
        other.unlink()
        shutil.rmtree(models / "z_image_number_two")
        queue.catalog.refresh()


def test_networks_are_told_by_their_tensors_and_by_nothing_alike() -> None:
    assert set(SIGNS) == set(LENT)
    for family, (all_of, none_of) in SIGNS.items():
        assert [network_of({prefix + name for name in all_of}) for prefix in ("model.diffusion_model.", "model.", "")] == [family] * 3
        assert all(network_of({*all_of, name}) != family for name in none_of) and network_of(set(all_of[1:])) != family
    named = {name: lent_of(ModelEntry(name, name, "image", "gguf", 1, name, "qwen_image")) for name in ("qwen-image-q4", "Qwen-Image-Edit-Q4", "qwen_image_edit_2511")}
    assert [lent.published for lent in named.values() if lent] == ["Qwen/Qwen-Image", "Qwen/Qwen-Image-Edit", "Qwen/Qwen-Image-Edit-2509"]
