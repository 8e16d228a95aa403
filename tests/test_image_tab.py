"""What the Image tab's parts do, without a browser: sizes, styles, cards, suggestions, tasks, grids' hints, what is told of a prompt."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image
from pydantic import Field
from pydantic.fields import FieldInfo

from pipelines.image.params import CONTROLS, FREEU, PER_PICTURE, PICTURE, ImageParams
from pipelines.image.pictures import png
from studio import ui
from studio.api import BadInput, Catalog, ModelEntry, NotFound, Studio, joined
from studio.downloads import Downloads
from studio.i18n import Words, read_catalogue
from studio.restore import restore_metadata
from studio.scan import scan
from tabs import image_advice as advice
from tabs.image_actions import WORDS, own_words
from tabs.image_cards import card, card_family, cards, set_thumbnail
from tabs.image_create import CreatePage
from tabs.image_earlier import KEY, MOST, remember_prompt
from tabs.image_editor import PictureEditor
from tabs.image_form import MEASURED, STEPS_FOUND, TRAITS, Form, parted
from tabs.image_grid import GridPage
from tabs.image_picture import holds_picture, holds_pictures
from tabs.image_prompt import PromptBox, reading, suggestions
from tabs.image_styles import StylesPanel, styles_of, without
from tabs.image_tasks import TASKS, examples, ideas
from tabs.image_view import stage
from tabs.job_follow import Run, duration
from tests.house import finish
from tests.image_models import headers, image_queue

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Three families of models and what goes with them; no worker is asked for anything."""
    queue = image_queue(tmp_path / "data", tmp_path / "none")
    queue.hooks.load_extensions([(ROOT / "extensions", True)], [], False)
    shown = queue.settings.models_path / "lora" / "ink.png"
    shown.parent.mkdir(parents=True)
    Image.new("RGB", (30, 40), "teal").save(shown)
    entries = [
        headers(tmp_path, "small", "StableDiffusionPipeline", 16), headers(tmp_path, "classic", "StableDiffusionPipeline", 64), headers(tmp_path, "flow", "FluxPipeline", 128),
        ModelEntry("lora/ink", str(shown.with_suffix(".safetensors")), "lora", "safetensors", 10, "ink <b>", "sd1", details={"preview": str(shown), "trigger_words": ["ink wash", "paper"]}),
        ModelEntry("lora/big", "/else/big.safetensors", "lora", "safetensors", 10, "big", "sdxl"), ModelEntry("embeddings/soft", "/else/soft.safetensors", "embedding", "safetensors", 10, "soft"),
        ModelEntry("lora/broken", "/else/broken.safetensors", "lora", "safetensors", 10, "broken", problem="It is damaged."),
    ]  # fmt: skip
    shown.with_suffix(".safetensors").write_bytes(b"x")
    catalog = queue.catalog
    catalog._extra = lambda: entries
    yield Studio(queue.settings, queue.hooks, queue.pipelines, catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, catalog.refresh))
    finish(queue)


def extension() -> ModuleType:
    spec = importlib.util.spec_from_file_location("styles_under_test", ROOT / "extensions" / "styles" / "extension.py")
    assert spec and spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


# -- sizes and what a model can do ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", advice.SHAPES)
@pytest.mark.parametrize(("megapixels", "pixels"), [(advice.ADVISED, 512 * 512), ("1 megapixel", 1024 * 1024), ("2 megapixels", 2 * 1024 * 1024)])
def test_a_size_has_its_shape_its_pixels_and_sides_that_the_model_takes(shape: str, megapixels: str, pixels: int) -> None:
    width, height = advice.shape_size({"width": 512, "unit": 16}, shape, megapixels)
    assert width % 16 == height % 16 == 0 and abs(width * height / pixels - 1) < 0.08
    assert advice.shape_of(width, height) == shape
    assert advice.shape_of(height, width) == advice.turned(shape)


def test_what_a_person_changed_is_kept_when_the_model_changes() -> None:
    before, wanted = {"steps": 20, "cfg_scale": 7.0}, {"steps": 4, "cfg_scale": 1.0}
    assert advice.followed_values(before, wanted, {"steps": 33, "cfg_scale": 7.0}) == {"steps": 33, "cfg_scale": 1.0}
    assert advice.followed_values({}, wanted, {"steps": 33, "cfg_scale": 7.0}) == wanted


def test_a_form_takes_no_value_that_the_model_can_not_use(studio: Studio) -> None:
    form = CreatePage(studio).form
    flow, other = {"step_cache": 0.0}, {"image_cfg_scale": 0.0, "more_images": [], "layers": 0}
    assert form._unused("classic") == flow | other
    words = dict.fromkeys(("hires_prompt", "hires_negative_prompt", "hires_model"), "") | dict.fromkeys(("hires_sampler", "hires_schedule"), "Automatic")
    assert form._unused("small") == words | flow | other | {"hires_scale": 1.0, "hires_steps": 0, "hires_strength": 0.5, "hires_width": 0, "hires_height": 0}
    assert form._unused("flow") == other | dict.fromkeys(FREEU, 1.0) | {"pag_scale": 0.0, "clip_skip": 1, "guidance_rescale": 0.0, "tiling": False, "variation_strength": 0.0, "variation_seed": 0, "seed_width": 0, "seed_height": 0} | {"reference_model": "", "reference_image": "", "reference_weight": 0.6}
    shown = [dict(zip(("megapixels", "Variation", "High resolution", "FreeU", "Reference picture"), form._visible(advice.traits(studio, model)), strict=True))["Reference picture"]["visible"] for model in ("classic", "small", "flow")]
    assert shown == [True, True, False], "reference pictures are followed by some families only"
    assert not advice.traits(studio, "flow")["negative"] and set(advice.traits(studio, "flow")["samplers"]) == {"Flow Euler", "Flow Heun", "Model's own"}


def test_what_a_family_does_not_use_is_refused_at_its_field(studio: Studio) -> None:
    """The form hides it; others are told, with a way out."""
    for field, value, off in (("clip_skip", 2, 1), ("guidance_rescale", 0.5, 0.0), ("tiling", True, False)):
        with pytest.raises(BadInput, match="FLUX") as told:
            studio.submit("image.generate", {"prompt": "a cat", "model": "flow", field: value}, owner="me")
        assert told.value.field == field and told.value.hint and told.value.fix and told.value.fix.values == {field: off}
        assert studio.submit("image.generate", {"prompt": "a cat", "model": "classic", field: value}, owner="me").params.model_dump()[field] == value
    with pytest.raises(BadInput, match="FLUX draws no seamless") as told:  # the second pass's model
        studio.submit("image.generate", {"prompt": "a cat", "model": "classic", "tiling": True, "hires_scale": 1.5, "hires_model": "flow"}, owner="me")
    assert told.value.field == "tiling"
    both = studio.submit("image.generate", {"prompt": "a cat", "model": "flow", "clip_skip": 2, "hires_scale": 1.5, "hires_model": "classic"}, owner="me")
    assert both.params.model_dump()["clip_skip"] == 2, "it is for the second pass"


ABOVE = 10  # updates of `Form.shown` before those of the controls


@pytest.fixture
def form(studio: Studio, tmp_path: Path) -> Form:
    """The form with a stand-in for each control, and a model that looks at pictures: gr.Blocks leaves event loops open."""
    extra = studio.catalog._extra
    studio.catalog._extra = lambda: [*extra(), headers(tmp_path, "editor", "Flux2Pipeline", 128)]
    studio.catalog.refresh()
    made = CreatePage(studio).form
    made.controls, made.extras = {name: name for name in made.fields if name not in ("prompt", "negative_prompt", "model", "count", "image", "mask")}, {}
    return made


def given(form: Form, **values: Any) -> dict[str, Any]:
    """What the untouched controls hold, with some of them touched."""
    held = {name: ui.show_value(form.fields[name].get_default(call_default_factory=True)) for name in form.controls if name != "more_images"}
    return held | {"more_images": None, "negative_prompt": "", "count": 1, "editor": "", "shape": "Square 1:1", "megapixels": advice.ADVISED} | values


def shown(form: Form, **values: Any) -> dict[str, Any]:
    """The form's updates by parameter."""
    return dict(zip(form.controls, form.shown("local", values)[ABOVE:], strict=False))


def test_several_pictures_go_to_the_job_and_come_back_for_models_that_look_at_them(form: Form, studio: Studio, tmp_path: Path) -> None:
    field = ImageParams.model_fields["more_images"]
    assert holds_pictures(field) and not holds_picture(field) and not holds_pictures(ImageParams.model_fields["prompts"]) and not holds_pictures(ImageParams.model_fields["image"])
    files = [tmp_path / f"{colour}.jpg" for colour in ("red", "blue")]
    for file in files:
        Image.new("RGB", (64, 70), file.stem).save(file)
    held = {"prompt": "both", "more_images": [(str(file), None) for file in files]}
    keys = form.values("me", given(form, model="editor", **held))["more_images"]
    assert [Image.open(studio.jobs.desk.inputs.path(key)).getpixel((3, 3))[2] > 200 for key in keys] == [False, True], "in their order"
    assert form.values("me", given(form, model="classic", **held))["more_images"] == [], "out of sight is untouched"
    back = shown(form, model="editor", prompt="both", more_images=[*keys, "0" * 64 + ".png"])["more_images"]
    assert back["visible"] is True and [picture.size for picture in back["value"]] == [(64, 70)] * 2, "what is gone is left out"
    assert shown(form, model="classic", prompt="x", more_images=keys)["more_images"]["visible"] is False
    metadata = {"pipeline": "image.generate", "params": ImageParams(prompt="both", model="editor", more_images=keys).model_dump(mode="json")}
    assert restore_metadata(metadata, studio).params["more_images"] == keys


def test_the_strength_is_out_of_sight_where_pictures_are_only_looked_at(form: Form) -> None:
    for model, visible in (("editor", False), ("classic", True), ("flow", True)):
        assert shown(form, model=model, prompt="x", denoising_strength=0.4)["denoising_strength"]["visible"] is visible
        values = form.values("me", given(form, model=model, prompt="x", denoising_strength=0.4))
        assert values["denoising_strength"] == (0.4 if visible else 0.75)
    moved = dict(zip(("negative_prompt", *advice.FOLLOWED, *TRAITS), form.on_model("editor", "Square 1:1", advice.ADVISED, {}, 20, 4.0, "Automatic", "Automatic", 64, 64), strict=False))
    assert moved["denoising_strength"]["visible"] is False and moved["more_images"]["visible"] is True


def test_where_the_steps_are_set_it_is_said_when_they_are_not_counted(form: Form) -> None:
    plain = form.on_sampler("classic", "DPM++ 2M")["info"]
    assert form.on_sampler("classic", "DPM adaptive")["info"] == STEPS_FOUND != plain == ImageParams.model_fields["steps"].description
    assert form.on_sampler("flow", "Flow Euler")["info"] == plain


def test_a_picture_is_varied_in_the_way_that_its_model_can(form: Form, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that only look at a picture take another seed: to begin from the result would be refused."""
    page, sent = CreatePage(studio), []
    Image.new("RGB", (64, 64)).save(tmp_path / "made.png")
    monkeypatch.setattr(type(studio), "submit", lambda self, pipeline, values, **named: sent.append(values))
    monkeypatch.setattr(CreatePage, "follow", lambda self, job, request: iter(()))
    for model, given in (("editor", "0" * 64 + ".png"), ("flow", ""), ("classic", "")):
        output = SimpleNamespace(path=tmp_path / "made.png", metadata={"params": {"prompt": "x", "model": model, "seed": 5, "image": given, "more_images": []}, "facts": {"seed": 5}})
        monkeypatch.setattr("tabs.image_create.own_output", lambda *asked, output=output: output)
        assert list(page.on_vary(None, "id")) == []  # type: ignore[arg-type]
    looked, begun, moved = sent
    assert looked["image"] == "0" * 64 + ".png" and looked["seed"] != 5 and "denoising_strength" not in looked
    assert begun["image"] and begun["denoising_strength"] == 0.45 and (moved["seed"], moved["variation_strength"]) == (5, 0.3)


def test_fields_of_others_find_their_fold_and_many_are_parted_by_number() -> None:
    fields = {f"control{number}_{part}": FieldInfo(annotation=str, title=f"Control {number} {part}") for number in (1, 2) for part in "abcde"}
    assert {part: len(names) for part, names in parted(fields, fields).items()} == {"Control 1": 5, "Control 2": 5}
    assert list(parted(list(fields)[:5], fields)) == [""]
    key = FieldInfo.merge_field_infos(FieldInfo(annotation=str), Field("", pattern=PICTURE))
    assert holds_picture(key) and not holds_picture(FieldInfo(annotation=str)) and holds_picture(ImageParams.model_fields["image"])


def test_one_s_own_model_comes_before_the_one_that_comes_along(studio: Studio) -> None:
    shipped = ModelEntry("stickers", "/x", "image", "diffusers", 1, "Stickers", source="built-in")
    classic = studio.catalog.find("classic")
    studio.catalog._extra = lambda: [shipped, classic]
    studio.catalog.refresh()
    assert [key for _, key in advice.usable_models(studio)] == ["classic", "stickers"]


# -- the picture and its mask --------------------------------------------------------------------------------


def kept(studio: Studio, image: Image.Image) -> str:
    return studio.jobs.desk.inputs.keep(png(image))


def test_a_job_s_picture_and_mask_come_back_by_their_keys(studio: Studio) -> None:
    editor = PictureEditor(studio)
    image, mask = kept(studio, Image.effect_noise((40, 30), 60).convert("RGB")), kept(studio, Image.linear_gradient("L").resize((40, 30)))
    assert editor.keys("me", editor.shown(image, mask)) == (image, mask), "a soft mask stays soft"
    assert editor.keys("me", editor.shown(image)) == (image, "") and editor.keys("me", "") == editor.keys("me", None) == ("", "")


def test_a_mask_with_nothing_painted_is_none_and_one_painted_on_fewer_pixels_is_laid_over_the_whole_picture(studio: Studio) -> None:
    editor = PictureEditor(studio)
    image, black, half = kept(studio, Image.new("RGB", (40, 30), "teal")), kept(studio, Image.new("RGB", (40, 30))), Image.new("RGB", (20, 15))
    half.paste("white", (0, 0, 10, 15))
    assert editor.keys("me", json.dumps({"image": image, "mask": black})) == (image, "")
    _, mask = editor.keys("me", json.dumps({"image": image, "mask": kept(studio, half)}))
    with Image.open(studio.jobs.desk.inputs.path(mask)) as laid:
        assert laid.size == (40, 30) and laid.getpixel((5, 15)) == 255 and laid.getpixel((35, 15)) == 0


def test_a_mask_that_has_not_arrived_is_told_and_never_left_out_in_silence(studio: Studio) -> None:
    image = kept(studio, Image.new("RGB", (40, 30), "teal"))
    with pytest.raises(BadInput, match="not reached") as told:
        PictureEditor(studio).keys("me", json.dumps({"image": image, "mask": "?"}))
    assert told.value.field == "mask"
    with pytest.raises(NotFound):
        PictureEditor(studio).keys("me", json.dumps({"image": "0" * 64 + ".png", "mask": ""}))


def test_a_mask_of_another_size_is_not_put_over_a_picture_and_a_lost_picture_leaves_nothing(studio: Studio) -> None:
    editor = PictureEditor(studio)
    image, mask = kept(studio, Image.new("RGB", (40, 30), "teal")), kept(studio, Image.new("L", (20, 20), 255))
    assert editor.keys("me", editor.shown(image, mask)) == (image, "") and editor.shown("0" * 64 + ".png", mask) == ""


def test_a_turned_photograph_comes_upright_with_its_mask(studio: Studio) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(buffer, "JPEG", exif=exif)
    image, mask = studio.jobs.desk.inputs.keep(buffer.getvalue()), kept(studio, Image.new("L", (30, 40), 255))
    assert PictureEditor(studio).keys("me", PictureEditor(studio).shown(image, mask)) == (image, mask)


# -- styles --------------------------------------------------------------------------------------------------

JOINED = [("a cat", "{prompt}, film grain"), ("a cat", "photo of {prompt} at dusk"), ("a cat, red", "film grain, 35mm"), ("", "film grain"), ("a cat", ""), ("a, b", "{prompt}")]


@pytest.mark.parametrize(("text", "style"), JOINED)
def test_a_style_is_joined_and_taken_off_again(text: str, style: str) -> None:
    assert without(joined(text, style), style) == text


def test_a_style_that_was_not_joined_is_not_taken_off() -> None:
    assert without("a dog on a hill", "photo of {prompt}") is None and without("a dog", "film grain") is None and without("x", "xx{prompt}xx") is None


def test_a_job_is_drawn_with_the_styles_and_keeps_them_and_they_come_off_in_the_form(studio: Studio) -> None:
    studio.store.put_document(kind="style", owner="me", title="Dusk", body={"prompt": "photo of {prompt} at dusk", "negative_prompt": "noise"})
    studio.store.put_document(kind="style", owner="me", title="Film", body={"prompt": "film grain", "negative_prompt": ""})
    studio.store.put_document(kind="style", owner="somebody", title="Theirs", body={"prompt": "x", "negative_prompt": ""})
    panel = StylesPanel(studio)
    extras = panel.extras("me", ["Film", "Dusk", "Theirs"])
    job = studio.submit("image.generate", {"prompt": "a cat", "negative_prompt": "dog", "model": "classic"}, owner="me", extras=extras)
    values = job.params.model_dump()
    assert (values["prompt"], values["negative_prompt"]) == ("photo of a cat, film grain at dusk", "dog, noise")
    assert [style["name"] for style in job.extras["styles"]["styles"]] == ["Film", "Dusk"]
    written, choice = panel.taken_off("me", values, job.extras)
    assert written == {"prompt": "a cat", "negative_prompt": "dog"} and choice["value"] == ["Film", "Dusk"]
    written, choice = panel.taken_off("somebody", values, job.extras)  # who has no such styles keeps the whole prompt
    assert written["prompt"] == values["prompt"] and choice["value"] == []
    written, choice = panel.taken_off("me", {"prompt": "a cat", "written": True}, job.extras)
    assert written["prompt"] == "a cat" and choice["value"] == ["Film", "Dusk"]


def test_styles_do_not_touch_what_has_no_prompt(studio: Studio) -> None:
    assert extension().before_run("image.upscale", {"scale": 2}, {"styles": {"styles": [{"prompt": "x"}]}}) == {"scale": 2}
    assert "styles" not in studio.jobs.extension_fields("image.upscale") and "styles" in studio.jobs.extension_fields("image.grid")


def test_a_deleted_style_comes_back(studio: Studio) -> None:
    document = studio.store.put_document(kind="style", owner="local", title="Film", body={"prompt": "film grain", "negative_prompt": ""})
    studio.store.delete_document(document.id, owner="local")
    assert styles_of(studio, "local") == []
    studio.store.undelete_document(document.id, owner="local")
    assert [style.name for style in styles_of(studio, "local")] == ["Film"]


# -- cards and suggestions -----------------------------------------------------------------------------------


def test_cards_say_what_a_click_inserts_and_whose_family_they_are(studio: Studio) -> None:
    entries = {entry.key: entry for entry in studio.catalog.entries()}
    drawn = card(entries["lora/ink"], "sd1", False)
    assert 'data-text="&lt;lora:ink:1&gt;"' in drawn and "ink &lt;b&gt;" in drawn and "<b>ink <b>" not in drawn
    assert json.loads(drawn.split('data-words="')[1].split('"')[0].replace("&quot;", '"')) == ["ink wash", "paper"]
    assert "/api/v1/models/lora/ink/preview?" in drawn and "SD 1 · ink wash, paper" in drawn
    assert 'data-text="soft"' in card(entries["embeddings/soft"], "", False)
    assert 'data-text=""' in card(entries["classic"], "sd1", True) and 'aria-pressed="true"' in card(entries["classic"], "sd1", True)


def test_cards_of_embeddings_go_by_the_family_that_their_files_tell(studio: Studio, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    folder = tmp_path / "more" / "embeddings"
    folder.mkdir(parents=True)
    save_file({"emb_params": torch.zeros(2, 768)}, folder / "old.safetensors")
    save_file({"clip_l": torch.zeros(2, 768), "clip_g": torch.zeros(2, 1280)}, folder / "new.safetensors")
    save_file({"emb_params": torch.zeros(2, 4096)}, folder / "far.safetensors")
    save_file({"clip_g": torch.zeros(2, 1280)}, folder / "fine.safetensors")
    found = {entry.title: card(entry, card_family(studio, entry), False) for entry in Catalog([tmp_path / "more"]).entries("embedding")}
    wanted = {"old": ("sd1", "SD 1"), "new": ("sdxl", "SDXL"), "far": ("t5", "T5"), "fine": ("sdxl_refiner", "SDXL refiner")}
    assert found.keys() == wanted.keys() and all(f'data-family="{family}"' in found[name] and f"<small>{title}</small>" in found[name] for name, (family, title) in wanted.items())


def test_cards_of_the_further_families_say_what_they_are(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network alone is told by its tensors, before the folder that lends it the rest is there."""
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "alone" / "z.safetensors"
    path.parent.mkdir()
    save_file({"cap_pad_token": torch.zeros(1, 32), "x_embedder.weight": torch.zeros(32, 16), "layers.0.attention.qkv.weight": torch.zeros(96, 32), "cap_embedder.1.weight": torch.zeros(32, 16)}, path)
    monkeypatch.setattr(studio.catalog, "_extra", lambda before=studio.catalog._extra: [*before(), *scan(path.parent)])
    studio.catalog.refresh()
    assert "<small>Z-Image</small>" in cards(studio, "classic", "en")


def test_all_usable_cards_are_there_and_know_the_chosen_family(studio: Studio) -> None:
    page = cards(studio, "classic", "en")
    assert page.count('class="card"') == 6 and "broken" not in page and 'data-family="sd1"><div' in page
    assert "Other families too" in page and "ほかの系統も" in cards(studio, "classic", "ja")


def test_a_picture_becomes_a_model_s_thumbnail_below_the_studio_s_own_folder_only(studio: Studio, tmp_path: Path) -> None:
    picture = tmp_path / "made.png"
    Image.new("RGB", (900, 600), "orange").save(picture)
    set_thumbnail(studio, "lora/ink", picture)
    with Image.open(studio.settings.models_path / "lora" / "ink.preview.png") as small:
        assert max(small.size) == 512 and small.getpixel((5, 5)) == (255, 165, 0)
    for key in ("lora/big", "classic"):
        with pytest.raises(BadInput, match="another program's folder"):
            set_thumbnail(studio, key, picture)


def test_names_are_suggested_from_models_wildcards_and_one_s_own_styles(studio: Studio) -> None:
    (studio.settings.data / "wildcards" / "more").mkdir(parents=True)
    (studio.settings.data / "wildcards" / "more" / "colours.txt").write_text("red\nblue\n")
    studio.store.put_document(kind="style", owner="me", title="Film", body={"prompt": "film grain"})
    found = suggestions(studio, "me")
    assert [one["name"] for one in found["lora"]] == ["ink", "big"] and found["lora"][0]["more"] == "ink wash, paper"
    assert [one["name"] for one in found["embedding"]] == ["soft"] and [one["name"] for one in found["wildcard"]] == ["more/colours"]
    assert [one["name"] for one in found["style"]] == ["Film"] and suggestions(studio, "somebody")["style"] == []


# -- the prompt ----------------------------------------------------------------------------------------------


def test_a_fault_is_marked_at_its_character(studio: Studio) -> None:
    pipeline: Any = studio.pipelines["image.generate"]
    prompt = "a cat, (red <dog"
    told = PromptBox(studio).fault(pipeline.prompt_problem(prompt), prompt, "en")
    assert 'data-place="7"' not in told and "data-place='7'" in told and "a cat, <mark>(</mark>red &lt;dog" in told


def test_the_negative_prompt_is_counted_and_its_fault_is_its_own(studio: Studio) -> None:
    box, asked = PromptBox(studio), SimpleNamespace(headers={}, query_params={}, cookies={}, client=None)
    box._view = lambda prompt, model: {"tokens": 4, "limit": 75}  # type: ignore[method-assign]
    assert ">Negative prompt 4 / 75<" in box.on_negative("blurry, text", "small", asked) and box.on_negative("  ", "small", asked) == ""  # type: ignore[arg-type]
    told = box.on_negative("a (b", "small", asked)  # type: ignore[arg-type]
    assert "data-box='negative'" in told and "data-place='2'" in told and "role='alert'" in told


def test_a_picture_of_a_batch_is_varied_with_the_words_it_was_drawn_from(studio: Studio) -> None:
    params = {"seed": 5, "prompt": "{cat|dog}", "prompts": ["cat", "dog", "cat"], "negative_prompt": "text", "negative_prompts": []}
    none: dict[str, list[str]] = {name: [] for name in PER_PICTURE.values()}
    assert {f"{name}s" for name in WORDS} == none.keys()
    assert own_words(params, {"seed": 6}) == {"prompt": "dog", **none}
    assert own_words({"seed": 2**32 - 1, "prompts": ["cat", "dog"]}, {"seed": 0})["prompt"] == "dog", "seeds begin again after the last"
    assert own_words({"seed": 5, "prompt": "a cat"}, {"seed": 6}) == none
    again = params | {"hires_scale": 2.0, "hires_prompt": "{red|blue}", "hires_prompts": ["red", "blue", "red"], "hires_negative_prompts": ["x", "y", "z"]}
    assert own_words(again, {"seed": 6}) == {"prompt": "dog", "hires_prompt": "blue", "hires_negative_prompt": "y", **none}
    varied = params | {"variation_seed": 9, "variation_strength": 0.2}
    assert own_words(varied, {"seed": 5, "variation_seed": 10})["prompt"] == "dog", "they all have one seed"
    for facts in ({"seed": 6}, {"seed": 5, "variation_seed": 10}):
        ImageParams.parse(again | {"variation_seed": 9, "count": 1} | own_words(again | {"variation_seed": 9}, facts))


def test_a_picture_is_varied_with_what_extensions_were_told(form: Form, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Styles are joined once and not twice; fields of an extension that is gone are left out."""
    page = CreatePage(studio)
    sent: list[tuple[dict[str, Any], dict[str, Any]]] = []
    Image.new("RGB", (64, 64)).save(tmp_path / "made.png")
    monkeypatch.setattr(type(studio), "submit", lambda self, pipeline, values, **named: sent.append((values, named["extras"])))
    monkeypatch.setattr(CreatePage, "follow", lambda self, job, request: iter(()))
    styles: dict[str, Any] = {"styles": {"styles": [{"name": "Film", "prompt": "{prompt}, film still", "negative_prompt": ""}]}}
    known: dict[str, Any] = {name: {} for name in studio.jobs.extension_fields("image.generate") if name != "styles"}
    for prompt, extras in (("a cat, film still", styles | known | {"gone": {"x": 1}}), ("another", styles), ("plain", {})):
        output = SimpleNamespace(path=tmp_path / "made.png", metadata={"params": {"prompt": prompt, "model": "classic", "seed": 5}, "facts": {"seed": 5}, "extras": extras})
        monkeypatch.setattr("tabs.image_create.own_output", lambda *asked, output=output: output)
        assert list(page.on_vary(None, "id")) == []  # type: ignore[arg-type]
    assert [values["prompt"] for values, _ in sent] == ["a cat", "another", "plain"]
    assert [extras for _, extras in sent] == [styles | known, {}, {}] and known


def test_what_a_model_does_not_read_of_a_prompt_is_told_below_it(studio: Studio) -> None:
    box, asked = PromptBox(studio), None
    told = {text: box.on_read(text, "flow", asked)[0] for text in ("a cat", "a (red:1.3) [cat:dog:0.5]", "a BREAK b", "a AND b")}  # type: ignore[arg-type]
    assert ["BREAK and AND are left out" in one for one in told.values()] == [False, False, True, True]
    assert box.on_read("(a", "classic", asked)[2] == "", "what an earlier prompt was read as is not shown for one with a fault"  # type: ignore[arg-type]  # a stand-in for the request
    assert "BREAK and AND are left out" in box.on_negative("a AND b", "flow", asked) and "left out" not in box.on_read("a AND b", "classic", asked)[0]  # type: ignore[arg-type]


def test_what_the_model_reads_is_shown_by_chunks_and_weights() -> None:
    view = {"tokens": 4, "limit": 75, "chunks": [[["a", 1.0], ["<cat>", 1.21]], [["dog", 0.9]]], "switches": ["50%: red", "100%: blue"], "networks": [], "sides": [["a cat", 1.0]], "words": "Read as one text."}
    shown = reading(view, Words().say, "en")
    assert "<span class='heavy'>&lt;cat&gt;<sub>1.21</sub></span>" in shown and "<span class='light'>dog<sub>0.90</sub></span>" in shown
    assert shown.count("class='chunk'") == 2 and "50%: red · 100%: blue" in shown and "Networks" not in shown and "AND" not in shown and "Read as one text." in shown


def test_the_last_prompts_are_kept_once_each_the_newest_first(studio: Studio) -> None:
    for number in range(MOST + 5):
        remember_prompt(studio, "me", f"prompt {number}")
    remember_prompt(studio, "me", "prompt 20")
    remember_prompt(studio, "me", "  ")
    kept = studio.store.recall("me", KEY)
    assert len(kept) == MOST == len(set(kept)) and kept[:2] == ["prompt 20", f"prompt {MOST + 4}"]


# -- the view ------------------------------------------------------------------------------------------------


def test_the_next_picture_of_a_sheet_has_its_place_in_it_and_the_last_one_moves_nothing() -> None:
    def shape(**run: Any) -> tuple[int, int, str]:
        shown = stage(Run("job", **run), Words(), "en")
        return shown.count("data-output"), shown.count('class="next"'), shown.partition("--columns:")[2][:1]

    assert [shape(outputs=list("abcdefghi")[:there], wanted=9, running=True) for there in (0, 4, 8, 9)] == [(0, 1, "3"), (4, 1, "3"), (8, 1, "3"), (9, 0, "3")]
    assert shape(outputs=list("abcdefghi"), wanted=9) == (9, 0, "3")
    assert shape(running=True) == (0, 0, "") and shape(outputs=["a"], running=True) == shape(outputs=["a"]) == (1, 0, "1"), "a single picture is no sheet of two"
    assert "/api/v1/jobs/job/preview?3" in stage(Run("job", outputs=["a"], wanted=2, running=True, previews=3), Words(), "en").partition('class="next"')[2]
    assert 'aria-label="Picture 2 of 9"' in stage(Run(outputs=["a", "b"], wanted=9, running=True), Words(), "en")


# -- tasks and grids -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["small", "classic", "flow"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_task_that_is_offered_can_be_queued(studio: Studio, model: str, lang: str) -> None:
    traits = advice.traits(studio, model)
    offered = [task for task in TASKS if task.fits(traits)]
    page = ideas(traits, studio.words, lang)
    assert [task.key for task in TASKS if f'data-task="{task.key}"' in page] == [task.key for task in offered]
    for task in offered:
        values = task.values_for(traits, lang) | {"model": model}
        axes = task.axes_for(traits, lang)
        job = studio.submit("image.grid" if axes else "image.generate", values | axes, owner=f"{lang} {model}")
        assert all(word in values["prompt"] for name, word in ((name, text.split(",")[0]) for name, text in axes.items() if name.endswith("_values")) if axes[name.replace("_values", "_axis")] == "Prompt S/R")
        assert job.params.model_dump()["prompt"] == values["prompt"]


def test_the_small_model_gets_the_tasks_that_it_can_do(studio: Studio) -> None:
    small = advice.traits(studio, "small")
    assert [task.key for task in TASKS if task.fits(small)] == ["logo", "character", "pixel", "restyle"]
    assert 'data-task="restyle" data-opens="style"' in ideas(small, studio.words, "en"), "it draws no photos: the Style page paints them"
    assert "data-opens" not in ideas(advice.traits(studio, "classic"), studio.words, "en")
    assert not {"character", "pattern"} & {task.key for task in TASKS if task.fits(advice.traits(studio, "flow"))}, "seeds are not moved there, and edges don't meet"
    assert "pattern" in [task.key for task in TASKS if task.fits(advice.traits(studio, "classic"))]
    assert examples({"family": "tiny"}, "ja")[0] == "赤いハート"
    assert "Models tab" in ideas({}, studio.words, "en") and "data-task" not in ideas({}, studio.words, "en")


def test_a_grid_s_axis_is_filled_with_what_the_model_takes(studio: Studio) -> None:
    page = GridPage(studio, None)
    asked: Any = SimpleNamespace(headers={"x-seisei-owner": "grid"}, cookies={})
    for name in ("Ink", "Dusk, red"):
        studio.store.put_document(kind="style", owner="grid", title=name, body={"prompt": f"{name} of {{prompt}}"})
    assert page.on_fill("Styles", "small", "", asked) == 'None, "Dusk, red", Ink'
    page.axes = dict.fromkeys(f"{which}_{part}" for which in "xyz" for part in ("axis", "values"))
    chosen = page._axes("grid", dict.fromkeys(page.axes, "") | {"x_axis": "Styles", "x_values": 'None, "Dusk, red"'})
    assert [style["name"] for style in chosen["styles"]] == ["Dusk, red"] and "styles" not in page._axes("grid", dict.fromkeys(page.axes, ""))
    assert page.on_fill("Sampler", "flow") == "Flow Euler, Model's own, Flow Heun" and "DPM++ 2M" in page.values_of("Sampler", "classic")
    assert page.values_of("Model", "classic") == ["small", "classic", "flow"] and page.values_of("Seamless", "classic") == ["off", "on"]
    assert page.values_of("Upscaler", "small") == ["Automatic", "Real-ESRGAN", "Lanczos", "Nearest"]
    grid: Any = studio.pipelines["image.grid"]
    fields = {str(field.title): name for name, field in studio.pipelines["image.generate"].Params.model_fields.items()}
    for axis in [axis for axis in grid.Params.model_fields["x_axis"].json_schema_extra["ui"]["choices"] if axis]:
        text = page.on_fill(axis, "classic")
        kind = ui.hint(studio.pipelines["image.generate"].Params.model_fields[fields[axis]], "model_kind") if axis in fields else ""
        assert text or kind or axis in ("Negative prompt", "Styles"), f"{axis} has nothing to fill in"
        if text and axis in fields:
            need = grid.need(grid.Params.parse({"prompt": "a cat", "model": "classic", "x_axis": axis, "x_values": text}), studio.catalog)
            assert need.facts["cells"] >= 2, (axis, text)


@pytest.mark.parametrize(
    ("prompt", "text"),
    [("a red heart", "heart, cat, dog, fox"), ("portrait of a cat", "cat, dog, fox"), ("a fox <lora:ink:0.8>, (ink wash:1.2)", "wash, cat, dog, fox"), ("犬", "犬, cat, dog, fox"), ("", "cat, dog, fox")],
)
def test_words_that_a_grid_replaces_begin_with_one_of_the_prompt(studio: Studio, prompt: str, text: str) -> None:
    page, grid = GridPage(studio, None), studio.pipelines["image.grid"]
    assert page.on_fill("Prompt S/R", "small", prompt) == text and page.on_fill("Seed", "small", prompt) == "1-4"
    assert page.on_fill("Prompt order", "small", prompt).split(", ")[-1] == (text.split(", ")[0] if prompt else "dog")
    if prompt:
        need = grid.need(grid.Params.parse({"prompt": prompt, "model": "small", "x_axis": "Prompt S/R", "x_values": text}), studio.catalog)
        assert need.facts["cells"] == len(text.split(", "))


def test_an_axis_that_means_nothing_alone_is_called_with_its_group(studio: Studio) -> None:
    page, axes = GridPage(studio, None), ui.hint(studio.pipelines["image.grid"].Params.model_fields["x_axis"], "choices")
    labels = {axis: page._called(axis) for axis in axes}
    assert labels["Its steps"] == "High resolution: steps" and labels["Steps"] == "Steps" and not [label for label in labels.values() if label.startswith("Its ")]
    assert {label for label in labels.values() if label.startswith("High resolution: ")} <= read_catalogue("ja").keys()


def test_a_grid_s_page_says_what_its_cells_begin_from_and_keeps_its_axes(studio: Studio) -> None:
    page, asked = GridPage(studio, None), SimpleNamespace(headers={"x-seisei-owner": "me"}, cookies={})
    page.axes = dict.fromkeys(f"{which}_{part}" for which in "xyz" for part in ("axis", "values"))
    told = page.on_basis("a <b> cat", "small", asked)  # type: ignore[arg-type]
    assert "a &lt;b&gt; cat · " in told and "<b>" not in told
    page.on_keep(asked, x_axis="Seed", x_values="1-3", y_axis=None, y_values="", z_axis="", z_values="")  # type: ignore[arg-type]
    assert page.on_load(asked) == ["Seed", "1-3", "", "", "", ""]  # type: ignore[arg-type]


def test_a_model_that_was_added_later_is_offered_where_one_is_named(studio: Studio) -> None:
    form = CreatePage(studio).form
    field = form.fields["refiner"]
    before = ui.model_choices(field, studio)
    studio.catalog._extra = lambda: [ModelEntry("late", "/else/late", "image", "diffusers", 1, "Late")]
    studio.catalog.refresh()
    assert ("Late", "late") not in before and ui.model_choices(field, studio) == [("Late", "late")]


def test_a_verdict_is_told_from_all_that_it_is_reckoned_from(studio: Studio) -> None:
    """What the pipeline reads of a picture's settings for memory and time is what the page sends."""
    read: set[str] = set()

    class Watched(ImageParams):
        def __getattribute__(self, name: str) -> Any:
            read.update({name} & ImageParams.model_fields.keys())
            return super().__getattribute__(name)

    pipeline: Any = studio.pipelines["image.generate"]
    params = Watched.parse({"model": "classic", "prompt": "a cat", "hires_scale": 2.0, "hires_model": "small", "refiner": "small", "image": "0" * 64 + ".png", "upscale": 2.0})
    assert not pipeline.place(params, studio.catalog, "cpu", 2**40).missing and pipeline.seconds(params, studio.catalog, {"step": 1.0}) > 0
    guides = {f"{unit}_{part}" for unit in CONTROLS for part in ("image", "weight", "start", "end", "detail", "kind")}
    assert read - guides - {"image"} <= set(MEASURED) and {"sampler", "cfg_scale", "refiner", "prompt", "pag_scale"} <= read


def test_a_verdict_sees_what_is_put_on_the_model(form: Form, studio: Studio) -> None:
    pipeline: Any = studio.pipelines["image.generate"]

    def told(**values: Any) -> Any:
        return pipeline.place(ImageParams.parse(form.read_measured(given(form, **({"prompt": "a cat", "model": "classic"} | values)))), studio.catalog, "cpu", 2**40)

    plain = told()
    assert told(prompt="a cat <lora:ink:1>").weight_bytes == plain.weight_bytes + 10 and told(refiner="small").weight_bytes == plain.weight_bytes + 1000
    assert told(extend_left=512).working_bytes > plain.working_bytes
    assert "gone" in told(control_model="gone").missing and "gone" in told(reference_model="gone").missing
    editor, shown = {"model": "editor", "prompt": "a cat"}, json.dumps({"image": "0" * 64 + ".png", "mask": "?"})
    one, two = (told(**editor, editor=shown, more_images=more).working_bytes for more in (None, [("a.png", None)]))
    assert two > one > told(**editor).working_bytes, "pictures are counted, none is looked at"
    assert form.read_measured(given(form, prompt="a", model="flow", pag_scale=3.0))["pag_scale"] == 0.0, "out of sight is untouched"


def test_the_pages_tell_it_beside_their_buttons(form: Form, studio: Studio) -> None:
    create, asked = CreatePage(studio), SimpleNamespace(headers={"x-seisei-owner": "me"}, cookies={})
    create.form = form
    held = given(form, prompt="a cat", model="classic", upscale=1.0)
    assert " of 1.0 GB" in create.on_measure(asked, **held) and "gone" in create.on_measure(asked, **(held | {"reference_model": "gone"}))  # type: ignore[arg-type]
    page = GridPage(studio, create)
    page.axes = dict.fromkeys((*(f"{which}_{part}" for which in "xyz" for part in ("axis", "values")), "other_seeds"))
    axes = dict.fromkeys(page.axes) | {"x_axis": "Size", "x_values": "512x512, 512x768", "other_seeds": "x"}
    assert page.on_count(asked, **held, **axes) == "2 pictures"  # type: ignore[arg-type]


def test_a_picture_is_told_in_one_line_with_its_own_words(studio: Studio) -> None:
    actions = CreatePage(studio).actions
    metadata = {"params": {"prompt": "a {cat|dog}", "steps": 20, "cfg_scale": 7.5, "sampler": "Euler", "model": "small"}, "facts": {"seed": 7, "width": 256, "height": 128, "prompt": "a dog"}}
    output: Any = SimpleNamespace(metadata=metadata)
    title = {key: title for title, key in advice.usable_models(studio)}["small"]
    assert actions.account(output, "en") == f"a dog · Seed 7 · Steps 20 · CFG scale 7.5 · 256\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}128 · Euler · {title}"
    assert actions.account(output, "ja").startswith("a dog · シード 7 · ")
    metadata["params"]["variation_strength"], metadata["facts"]["variation_seed"] = 0.3, 2
    assert "Seed 7 · Variation 0.3 · Variation seed 2 · Steps 20" in actions.account(output, "en"), "nine variations of one seed are told apart"
    assert actions.account(SimpleNamespace(metadata={}), "en") == "", "an enlarged picture has no seed"  # type: ignore[arg-type]


def test_a_grid_s_cells_are_counted_and_it_takes_what_its_largest_cell_takes(studio: Studio) -> None:
    grid: Any = studio.pipelines["image.grid"]
    base = {"prompt": "a cat", "model": "classic", "width": 512, "height": 512, "y_axis": "Seed", "y_values": "1-3"}
    need = grid.need(grid.Params.parse(base | {"x_axis": "Width", "x_values": "256, 1024"}), studio.catalog)
    largest = studio.pipelines["image.generate"].need(ImageParams.parse({"prompt": "a cat", "model": "classic", "width": 1024, "height": 512}), studio.catalog)
    assert need.facts["cells"] == 6 and need.working_bytes == largest.working_bytes > 0
    assert grid.need(grid.Params.parse({"model": "classic", "x_axis": "Steps"}), studio.catalog).notes == ["The axis “Steps” has no values."]


def test_a_grid_s_time_is_that_of_its_cells_at_the_pace_of_single_pictures(studio: Studio) -> None:
    grid, single = (studio.pipelines[f"image.{name}"] for name in ("grid", "generate"))
    params = grid.Params.parse({"prompt": "a cat", "model": "classic", "x_axis": "Steps", "x_values": "10, 30"})
    assert studio.jobs.verdict(grid, params).seconds == -1
    one = ImageParams.parse({"prompt": "a cat", "model": "classic"})
    studio.store.remember("", studio.jobs._pace_key(single, one), {"step": 1e-6, "decode": 2e-6})
    told = [studio.jobs.verdict(single, one.model_copy(update={"steps": steps})).seconds for steps in (10, 30)]
    assert studio.jobs.verdict(grid, params).seconds == pytest.approx(sum(told)) and told[0] == pytest.approx(512 * 512 * (10 * 1e-6 + 2e-6))
    assert studio.jobs.verdict(grid, params.model_copy(update={"x_axis": "Model", "x_values": "classic, small"})).seconds == -1, "two models go at two paces"


def test_a_network_made_for_masks_is_not_what_the_page_opens_with_either(studio: Studio, tmp_path: Path) -> None:
    masks, classic, small = headers(tmp_path, "a masks", "StableDiffusionPipeline", 64), studio.catalog.find("classic"), replace(studio.catalog.find("small"), source="built-in")
    (tmp_path / "a masks" / "unet" / "config.json").write_text(json.dumps({"sample_size": 64, "in_channels": 9}))
    for there, first in (([masks, classic, small], "classic"), ([masks, small], "a masks"), ([small], "small")):
        studio.catalog._extra = lambda found=there: found
        studio.catalog.refresh()
        assert advice.default_model(studio) == first


def test_a_duration_is_said_as_one_would_say_it() -> None:
    assert duration(0.2) == ("about {n} s", "1") and duration(119) == ("about {n} min", "2") and duration(9000) == ("about {n} h", "2.5")


def test_a_model_that_wants_a_picture_is_not_what_the_page_opens_with(studio: Studio, form: Form, tmp_path: Path) -> None:
    changer, classic = headers(tmp_path, "changer", "QwenImageEditPipeline", 128), studio.catalog.find("classic")
    studio.catalog._extra = lambda: [changer, classic]
    studio.catalog.refresh()
    assert [key for _, key in advice.usable_models(studio)] == ["changer", "classic"] and advice.default_model(studio) == "classic"
    assert form.shown("local", {"prompt": "x"})[2]["value"] == "classic"
    studio.catalog._extra = lambda: [changer]
    studio.catalog.refresh()
    assert advice.default_model(studio) == "changer", "better than none"
