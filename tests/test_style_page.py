"""The Style and Lab pages without a browser: mixes and their parameters, cards, thumbnails, the pictures that come along."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.data_classes import ImageData
from PIL import Image

from pipelines.image.style.names import STYLES
from studio.api import BadInput, Stats, Studio
from studio.downloads import Downloads
from studio.i18n import Words
from studio.metadata import extract
from tabs import image_box
from tabs.image_box import picture_box
from tabs.image_lab import LabView
from tabs.image_many import Compare
from tabs.image_picture import keep_data, known_size
from tabs.image_samples import FIRST, FOLDER, keep_samples, painting, photo, photo_strip, samples
from tabs.image_style import StylePage
from tabs.image_style_cards import KIND, StyleCards, remember_used
from tabs.image_style_form import StyleForm
from tabs.image_style_mix import ANY, BATCH, BLEND, FINE, METHODS, MODEL, Mix, method_of, mix_of, read_mix, single, style_values, tile
from tabs.image_style_sheet import SHEET, StyleSheet
from tabs.image_style_strip import SHIPPED, STRIP, Strip
from tabs.image_upscale import UpscalePage
from tabs.image_verdict import verdict
from tabs.job_follow import Run
from tabs.job_page import JobPage
from tests.house import finish
from tests.image_models import image_queue

ONE, TWO = "a" * 64 + ".webp", "b" * 64 + ".png"
BLENDED: Mix = [{"style": ONE, "weight": 0.5}, {"style": TWO, "weight": 0.25}]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    queue = image_queue(tmp_path / "data", tmp_path / "none")
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    finish(queue)


# -- what comes along ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["photos", "paintings"])
def test_every_picture_that_comes_along_says_where_it_is_from_and_may_be_passed_on(kind: str) -> None:
    listed = {one["id"]: one for one in json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))[kind]}
    assert sorted(listed) == sorted(path.stem for path in (FOLDER / kind).iterdir())
    for one in listed.values():
        assert one["by"] and one["package"].startswith(("Debian ", "PyPI ")) and re.fullmatch(r"[0-9a-f]{64}", one["sha256"])
        assert one["licence"].split(" ")[0] in ("public", "CC0-1.0"), one
    for sample in samples(kind):
        with Image.open(sample.path) as picture:
            assert picture.format == "WEBP" and max(picture.size) <= 640 and sample.path.stat().st_size <= 60_000


def test_the_documents_name_every_one_of_them() -> None:
    guide = (FOLDER.parent.parent / "docs" / "style-samples.md").read_text(encoding="utf-8")
    for kind in ("photos", "paintings"):
        for one in json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))[kind]:
            assert f"| {one['title']} | {one['by']} |" in guide and one["package"] in guide


def test_the_photo_of_the_first_visit_was_painted_by_the_same_method(studio: Studio) -> None:
    about = extract(FOLDER / "styled" / f"{FIRST}.webp")
    first = photo(FIRST)
    assert first and about["pipeline"] == ANY and about["params"]["image"] == first.key and about["params"]["style"] == samples("paintings")[0].key
    studio.pipelines[ANY].Params.parse(about["params"])


def test_every_card_has_a_thumbnail_of_the_sample_photo(studio: Studio) -> None:
    strip = Strip(studio)
    needed = {tile(mix) for mix in StyleCards(studio, strip).all("me")}
    assert needed == {path.stem for path in SHIPPED.iterdir()} == strip.ready(strip.shipped), "python tabs/samples/make.py"


def test_samples_are_put_among_the_inputs_under_the_names_they_are_called_by(studio: Studio) -> None:
    inputs = studio.jobs.desk.inputs
    keep_samples(inputs, [samples("paintings")[1].key])
    assert inputs.path(samples("paintings")[1].key).read_bytes() == samples("paintings")[1].path.read_bytes()
    assert len(list(inputs.folder.iterdir())) == 1 and painting(samples("photos")[0].key) is None
    assert photo_strip(studio.words, "ja", "cat").count('aria-pressed="true"') == 1 and "猫" in photo_strip(studio.words, "ja")


# -- mixes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", [single("n:Dusk"), [{"style": "n:Dusk", "weight": 0.7}, {"style": "n:Cut paper", "weight": 0.3}], single(ONE), BLENDED])
def test_a_mix_becomes_parameters_and_comes_back_from_them(studio: Studio, mix: Mix) -> None:
    pipeline = method_of(mix, "Quick")
    values = style_values(mix, studio.pipelines[pipeline].Params.model_fields)
    assert mix_of(studio.pipelines[pipeline].Params.parse(values).model_dump()) == mix


def test_the_method_follows_the_style_where_only_one_can_paint_it() -> None:
    assert [method_of(single("n:Dusk"), method) for method in ("Quick", "Fine", "With the image model")] == [BLEND, BLEND, MODEL]
    assert [method_of([], method) for method in ("Quick", "With the image model")] == [ANY, MODEL]
    assert [method_of(single(ONE), method) for method in ("Quick", "Fine", "With the image model")] == [ANY, FINE, MODEL]


@pytest.mark.parametrize("given", ["", "{", "[1]", '[{"style": "n:Dusk"}]', json.dumps([{"style": "../secret", "weight": 1}]), json.dumps([*single(ONE), *single("n:Dusk")])])
def test_what_is_no_mix_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="no style"):
        read_mix(given)


def test_more_styles_or_other_weights_than_can_be_blended_are_refused_not_changed() -> None:
    for given, words in ((single(ONE) * 4, "These are 4 styles; up to 3"), ([{"style": ONE, "weight": 1.5}], "from 0 to 1"), ([{"style": ONE, "weight": -0.1}], "from 0 to 1"), ([{"style": ONE, "weight": float("nan")}], "from 0 to 1")):
        with pytest.raises(BadInput, match=words) as refused:
            read_mix(given)
        assert refused.value.field == "style"
    four = mix_of({"styles": "Dusk, Red glow, Cut paper, Night dots"})
    assert len(four) == 4, "a job's own styles are all told"
    assert [part["weight"] for part in mix_of({"styles": "Dusk: 6, Red glow: 3"})] == [1.0, 0.5], "shares, as far as a slider goes"


def test_one_style_picture_is_all_that_the_image_model_takes(studio: Studio) -> None:
    with pytest.raises(BadInput, match="one style picture"):
        style_values(BLENDED, studio.pipelines[MODEL].Params.model_fields)


def test_a_thumbnail_s_name_knows_weights_by_their_shares_and_no_order() -> None:
    assert tile(BLENDED) == tile([{"style": TWO, "weight": 0.5}, {"style": ONE, "weight": 1.0}]) != tile([{"style": ONE, "weight": 0.5}, {"style": TWO, "weight": 0.5}])


# -- cards ---------------------------------------------------------------------------------------------------


def test_cards_are_one_s_own_first_and_everything_from_outside_is_escaped(studio: Studio) -> None:
    cards = StyleCards(studio, Strip(studio))
    studio.store.put_document(kind=KIND, owner="me", title='<b>"mine"', body={"mix": BLENDED})
    studio.store.put_document(kind=KIND, owner="me", title="broken", body={"mix": [{"style": "../x", "weight": 1}]})
    remember_used(studio, "me", single("n:Dusk"))
    drawn = cards.drawn("me", single("n:Dusk"), "", "ja")
    assert drawn.index("&lt;b&gt;") < drawn.index("前に使った画風") < drawn.index("星月夜") and "<b>&quot;" not in drawn and "broken" not in drawn
    assert drawn.count("data-delete") == 1 and "data-delete" not in cards.drawn("you", [], "", "en")


def test_the_last_styles_are_kept_once_each_the_newest_first(studio: Studio) -> None:
    for name in ("Dusk", "Red glow", "Cut paper", "Dusk", "Rough oil", "Night dots", "Neon strokes", "Copper etching"):
        remember_used(studio, "me", single(f"n:{name}"))
    assert [mix[0]["style"] for mix in studio.store.recall("me", "image.style.used")] == ["n:Copper etching", "n:Neon strokes", "n:Night dots", "n:Rough oil", "n:Dusk", "n:Cut paper"]


# -- thumbnails ----------------------------------------------------------------------------------------------


def test_thumbnails_are_found_by_names_never_by_paths(studio: Studio) -> None:
    strip = Strip(studio)
    assert strip.path(ONE, "../../secret") is None and strip.path("../x", "0" * 16) is None and strip.path(ONE + "/..", "0" * 16) is None
    assert strip.path(ONE, "0" * 16) == studio.settings.data / "cache" / "styles" / ONE / f"{'0' * 16}.webp"
    assert strip.path(strip.shipped, "0" * 16) == SHIPPED / f"{'0' * 16}.webp"


def test_thumbnails_are_painted_once_and_kept(studio: Studio) -> None:
    inputs = studio.jobs.desk.inputs
    source = inputs.keep(photo("cat").path.read_bytes())  # type: ignore[union-attr]
    mixes = [single("n:Dusk"), [{"style": "n:Dusk", "weight": 0.5}, {"style": "n:Red glow", "weight": 0.5}], single(samples("paintings")[0].key), single(ONE)]
    studio.jobs.start()
    strip = Strip(studio)
    ready = list(strip.make("me", source, mixes))
    assert len(ready) == 3 and ready[-1] == strip.ready(source) == {tile(mix) for mix in mixes[:3]}, "what is gone from the inputs is left out"
    small = [Image.open(strip.path(source, tile(mix))).convert("RGB") for mix in mixes[:3]]  # type: ignore[arg-type]
    assert {picture.size for picture in small} == {(216, 144)} and len({picture.tobytes() for picture in small}) == 3
    assert list(strip.make("me", source, mixes)) == [] and studio.store.outputs(owner="me") == []
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), "red").save(buffer, "GIF", save_all=True, append_images=[Image.new("RGB", (48, 32), "blue")])
    assert len(list(strip.make("me", inputs.keep(buffer.getvalue()), mixes[:1]))) == 1, "of a picture that moves its first frame"


def test_the_strip_s_pipeline_tells_each_style_and_refuses_what_is_none(studio: Studio) -> None:
    source = studio.jobs.desk.inputs.keep(photo("cup").path.read_bytes())  # type: ignore[union-attr]
    for styles, field in (([], "model"), (["No such style"], "styles"), (["c" * 64 + ".png"], "style")):
        with pytest.raises(BadInput) if field != "style" else pytest.raises(Exception, match="not here"):
            studio.submit(STRIP, {"image": source, "styles": styles}, owner="me")
    studio.jobs.start()
    job = studio.submit(STRIP, {"image": source, "styles": ["Dusk", "3"]}, owner="me")
    told = [event.values for event in job.events() if isinstance(event, Stats)]
    assert [one["style"] for one in told] == ["Dusk", "3"]
    assert all(Image.open(io.BytesIO(base64.b64decode(one["picture"]))).size == (216, 144) for one in told)


# -- the forms -----------------------------------------------------------------------------------------------


def drawn(studio: Studio) -> StyleForm:
    """The form with a stand-in for each component: gr.Blocks leaves event loops open."""
    form = StyleForm(studio)
    for name in ("picture", "source", "editor", "brush", "samples", "mix", "method"):
        setattr(form, name, SimpleNamespace())
    own = {f"{title}:{name}": kind for title in form.methods for id, kind in form.kinds.items() if id in METHODS[title] for name in form._fields(id) if name not in form.shared}
    fields = {name: form.kinds[ANY].model_fields[name] for name in form.shared} | {key: kind.model_fields[key.partition(":")[2]] for key, kind in own.items()}
    form.controls = {key: SimpleNamespace(value=field.get_default(call_default_factory=True)) for key, field in fields.items()}
    return form


def test_the_form_reads_what_its_controls_hold_for_each_method(studio: Studio) -> None:
    form = drawn(studio)
    source = samples("photos")[0].key
    given: dict[str, Any] = {name: component.value for name, component in form.controls.items()} | {
        "picture": "shown.png",
        "source": source,
        "editor": "",
        "method": "Quick",
        "mix": single("n:Dusk"),
        "Quick:stroke": 2.0,
        "strength": 0.5,
    }
    values = form.values("me", given)
    assert values["styles"] == "Dusk" and values["image"] == source and (values["stroke"], values["strength"], values["mask"]) == (2.0, 0.5, "")
    studio.submit(BLEND, values, owner="me")
    assert form.values("me", given | {"mix": BLENDED})["style2_weight"] == 0.25
    words = given | {"method": "With the image model", "With the image model:preset": "Watercolour"}
    for mix, note in ((single(ONE), "no IP-Adapter"), (single("n:Dusk"), "no picture to follow"), ([], "")):
        values = form.values("me", words | {"mix": mix})
        assert (values["preset"], values["style"]) == ("Watercolour", ""), "without an IP-Adapter, a picture or a painting words tell the manner"
        assert (note in form.notes(words | {"mix": mix})[0]) if note else form.notes(words | {"mix": mix}) == []
    adapted: Any = studio.pipelines[MODEL]
    adapted.adapters = lambda model, catalog: ["ip"]
    assert form.values("me", words | {"mix": single(ONE)})["style"] == ONE and form.values("me", words | {"mix": []})["style"] == "" and form.notes(words | {"mix": single(ONE)}) == []
    assert "network of their own" in form.notes(given | {"method": "Fine"})[0] and form.notes(given) == []
    for lacking, field in (({"picture": None}, "image"), ({"mix": []}, "style")):
        with pytest.raises(BadInput) as refused:
            form.values("me", given | lacking)
        assert refused.value.field == field


def test_what_is_filled_in_along_an_axis_of_a_sheet_is_painted(studio: Studio) -> None:
    sheet = StyleSheet(studio, drawn(studio))
    assert {title: sheet.on_fill(title, "") for title in ("Strength", "Colours", "Styles", "Nothing of it")} == {
        "Strength": "0, 0.33, 0.67, 1", "Colours": "Style, Lightness only, Matched", "Styles": ", ".join(STYLES[:6]), "Nothing of it": "",
    }  # fmt: skip
    sheet.axes = {f"{which}_{part}": None for which in "xyz" for part in ("axis", "values")}
    given: dict[str, Any] = {name: component.value for name, component in sheet.form.controls.items()} | {
        "picture": "shown.png", "source": samples("photos")[0].key, "editor": "", "method": "Quick", "mix": single("n:Dusk"),
        "x_axis": "Styles", "x_values": sheet.on_fill("Styles", ""), "y_axis": "Colours", "y_values": sheet.on_fill("Colours", ""), "z_axis": "Strength", "z_values": "0.5, 1",
    }  # fmt: skip
    values = sheet.values("me", given)
    assert studio.jobs.verdict(studio.pipelines[SHEET], studio.pipelines[SHEET].Params.parse(values)).facts["cells"] == 6 * 3 * 2


NEED_ANOTHER = {"Zoom", "Octave scale", "Weak edges from", "Strong edges from", "Dark on white", "Noise seed", "Reference model", "Reference weight", "Weight of style 2", "Weight of style 3", "Mask blur", "Depth model", "Pose model", "Person detector", "Weight of style 1"}


@pytest.mark.parametrize("method", [BLEND, ANY, FINE, "image.dream", "image.annotate", "image.upscale"])
def test_what_is_filled_in_along_any_axis_can_be_made(studio: Studio, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for settings that only work beside another one."""
    for module in ("style.optimise", "dream"):
        monkeypatch.setattr(f"pipelines.image.{module}.trunk_entry", lambda catalog: None)
    keep_samples(studio.jobs.desk.inputs, [one.key for kind in ("photos", "paintings") for one in samples(kind)])
    kind, style = studio.pipelines[method].Params.model_fields, samples("paintings")[0].key
    page = SimpleNamespace(Params=studio.pipelines[method].Params, pipeline=method)
    axes = StyleSheet(studio, drawn(studio)) if method in (BLEND, ANY, FINE) else Compare(studio, page)
    settings = {"image": samples("photos")[0].key} | ({"style": style} if "style" in kind else {"styles": "Dusk"} if "styles" in kind else {})
    titles = [title for title in studio.pipelines[SHEET].axes(method) if title not in NEED_ANOTHER]  # type: ignore[attr-defined]
    assert len(titles) >= 2
    for title in titles:
        values = axes.on_fill(title, "")
        job = studio.submit(SHEET, {"method": method, "settings": settings, "x_axis": title, "x_values": values}, owner="me")
        assert len(job.params.x_values.split(",")) >= 2 or "-" in values, (title, values)  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF"])
def test_a_picture_of_another_kind_is_kept_as_png_with_the_same_pixels_and_stands_upright(studio: Studio, kind: str) -> None:
    turned, shown = io.BytesIO(), Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    shown.save(turned, kind, **({} if kind == "BMP" else {"exif": exif}), **({"quality": 100} if kind == "AVIF" else {}))
    key = keep_data(studio.inputs("me"), turned.getvalue())
    assert key.endswith(".png")
    with Image.open(turned) as before, Image.open(studio.jobs.desk.inputs.path(key)) as kept:
        assert kept.convert("RGB").tobytes() == before.convert("RGB").tobytes()
    assert known_size(studio, key) == ((24, 16) if kind == "BMP" else (16, 24))


def test_print_colours_lose_their_profile_and_what_is_no_still_picture_is_refused(studio: Studio) -> None:
    printed, pages = io.BytesIO(), io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(printed, "TIFF", icc_profile=b"of print")
    with Image.open(studio.jobs.desk.inputs.path(keep_data(studio.inputs("me"), printed.getvalue()))) as kept:
        assert kept.mode == "RGB" and kept.getpixel((0, 0)) == (255, 0, 0) and "icc_profile" not in kept.info
    Image.new("L", (16, 16)).save(pages, "TIFF", save_all=True, append_images=[Image.new("L", (16, 16), 9)])
    for data in (pages.getvalue(), printed.getvalue()[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"BM but no picture", b"RIFF\x24\0\0\0WAVEfmt ", b""):
        with pytest.raises(BadInput, match="no picture"):
            keep_data(studio.inputs("me"), data)


def test_a_job_s_settings_fill_the_form_again(studio: Studio) -> None:
    form = drawn(studio)
    source = samples("photos")[1].key
    keep_samples(studio.jobs.desk.inputs, [source])
    shown = dict(zip(map(id, form.filled), form.shown(BLEND, {"image": source, "strength": 0.25, "stroke": 3.0}, single("n:Dusk"), "en"), strict=True))
    assert shown[id(form.picture)].size == (640, 480) and shown[id(form.source)] == source and shown[id(form.method)] == "Quick"
    assert shown[id(form.controls["strength"])] == 0.25 and shown[id(form.controls["Quick:stroke"])] == 3.0 and shown[id(form.mix)] == single("n:Dusk")


# -- the pages -----------------------------------------------------------------------------------------------


def request(owner: str = "me") -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": owner, "x-seisei-arrived": "1", "accept-language": "en"}, session_hash="page", cookies={}, query_params={})


@pytest.fixture
def page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> StylePage:
    """Not drawn; a job's events are one picture of it."""

    def follow(self: JobPage, job: Any, request: Any) -> Iterator[list[Any]]:
        self.follower.begin(job, request)
        return iter([["shown", ""]])

    monkeypatch.setattr(JobPage, "follow", follow)
    monkeypatch.setattr(JobPage, "streamed", [None] * 2)
    monkeypatch.setattr(StylePage, "more", [])
    made = StylePage(studio)
    made.form = drawn(studio)
    made.sheet.form, made.sheet.axes = made.form, {}
    return made


def given_to(page: StylePage, **values: Any) -> dict[str, Any]:
    held = {name: component.value for name, component in page.form.controls.items()}
    return held | {"picture": "shown.png", "source": samples("photos")[0].key, "editor": "", "method": "Quick", "mix": single("n:Dusk")} | values


def test_a_file_that_is_no_picture_reaches_the_page_which_refuses_it_at_its_field(studio: Studio, tmp_path: Path) -> None:
    """Gradio's own box would read it first, and tell its path."""
    text = tmp_path / "photo.png"
    text.write_text("no picture")
    for box in (picture_box(studio, "Picture"), picture_box(studio, "Picture", format="png")):
        assert box.preprocess(ImageData(path=str(text))) == str(text) and box.preprocess(None) is None and box.get_block_name() == "image"
    assert not (Path(image_box.__file__).with_suffix(".pyi")).exists()
    form = drawn(studio)
    given = {name: component.value for name, component in form.controls.items()} | {"picture": str(text), "source": "", "editor": "", "method": "Quick", "mix": single("n:Dusk")}
    with pytest.raises(BadInput, match="no picture that can be read") as refused:
        form.values("me", given)
    assert refused.value.field == "image"
    view = LabView(studio, "image.dream")
    view.controls = {name: SimpleNamespace() for name in view.Params.model_fields if name not in ("image", "upscaler")}
    values = {name: view.Params.model_fields[name].default for name in view.controls} | {"picture": "shown.png", "source": samples("photos")[0].key, "guide": str(text)}
    with pytest.raises(BadInput, match="no picture that can be read") as refused:
        view.asked("me", values)
    assert refused.value.field == "guide"
    with pytest.raises(BadInput) as refused:
        view.asked("me", values | {"source": "", "picture": str(text), "guide": None})
    assert refused.value.field == "image"


def test_one_s_own_painting_may_be_a_gif_and_one_that_moves_or_is_broken_is_refused_at_once(studio: Studio, page: StylePage, tmp_path: Path) -> None:
    still, moving, broken = (tmp_path / name for name in ("still.gif", "moving.gif", "broken.png"))
    grey = [Image.new("L", (32, 32), shade) for shade in (9, 200)]
    grey[0].save(still)
    grey[0].save(moving, save_all=True, append_images=grey[1:])
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 80).save(buffer, "PNG")
    broken.write_bytes(buffer.getvalue()[:1500])
    (one,) = page.on_own(str(still), request())
    assert one["style"].endswith(".gif") and read_mix([one]) == [one] and page.on_own(None, request()) == []
    for path, words in ((moving, "moves"), (broken, "no picture")):
        with pytest.raises(gr.Error, match=words):
            page.on_own(str(path), request())


def test_a_newer_click_ends_a_quick_job_and_nothing_that_takes_long(studio: Studio, page: StylePage) -> None:
    source = samples("photos")[0].key
    keep_samples(studio.jobs.desk.inputs, [source])
    list(page.on_go(request(), **given_to(page)))
    quick = page.follower.job("me")
    assert quick.state == "queued"
    (drawn_now,) = page.on_go(request(), **given_to(page, mix=single("n:Red glow")))
    assert (quick.state, drawn_now[1]) == ("cancelled", "")
    batch = studio.submit(BATCH, {"images": [source], "settings": {"styles": "Dusk"}}, owner="me")
    studio.store.remember("me", page.slot, batch.id)
    (drawn_now,) = page.on_go(request(), **given_to(page))
    assert batch.state == "queued" and "goes on" in drawn_now[1] and page.follower.job("me").pipeline.id == BLEND
    list(page.on_tweak(request(), **given_to(page, strength=0.5)))
    assert batch.state == "queued"
    for state, ends in (("queued", True), ("running", False)):
        long = SimpleNamespace(state=state, pipeline=studio.pipelines[MODEL])
        assert page.makes_way(long) == ends, "what has begun to take minutes goes on"


def test_an_older_click_never_ends_a_newer_job(studio: Studio, page: StylePage) -> None:
    """Two clicks at once: the older one's job is queued last."""
    asked: list[Any] = []

    def submit() -> Any:
        list(page.on_go(request(), **given_to(page, mix=single("n:Red glow"))))
        asked.append(page.follower.job("me"))
        return studio.submit(BLEND, page.form.values("me", given_to(page)), owner="me")

    list(page.run(request(), given_to(page), submit))
    assert asked[0].state == "queued"


def test_a_painted_mask_is_not_left_out_of_a_batch_without_a_word(studio: Studio, page: StylePage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page.form, "mask", lambda owner, given: ONE)
    (refused,) = page.on_batch(request(), [str(samples("photos")[0].path)], **given_to(page))
    assert "for one picture" in refused[1] and "data-field='mask'" in refused[1] and page.follower.job("me") is None


def test_what_was_left_of_a_batch_is_told_while_it_is_followed(studio: Studio, page: StylePage, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (followed,) = page.on_batch(request(), [str(samples("photos")[0].path), str(tmp_path / "notes.txt")], **given_to(page))
    assert "notes.txt" in followed[1] and page.follower.job("me").pipeline.id == BATCH
    (followed,) = page.on_batch(request(), [str(samples("photos")[0].path)], **given_to(page, picture=str(tmp_path / "notes.txt"), source=""))
    assert followed[0] == "shown", "whatever stands in the box for one picture"


def test_the_form_stands_as_it_was_left_and_a_restored_job_is_not_overwritten(studio: Studio, page: StylePage) -> None:
    keep_samples(studio.jobs.desk.inputs, [photo.key for photo in samples("photos")])
    page.cards = SimpleNamespace(drawn=lambda *args: "cards")  # type: ignore[assignment]

    def opened() -> dict[int, Any]:
        return dict(zip(map(id, (None, *page.form.filled)), page.on_open(False, request()), strict=False))

    first = opened()
    assert first[id(page.form.source)] == samples("photos")[0].key and first[id(page.form.method)] == "Quick"
    told = page.on_measure(request(), **given_to(page, method="Fine", mix=single(samples("paintings")[0].key), strength=0.4) | {"Fine:steps": 77, "source": samples("photos")[1].key})
    assert told.startswith(("Fits: ", "Too large: ", "The VGG16"))
    left = opened()
    assert (left[id(page.form.source)], left[id(page.form.method)], left[id(page.form.controls["strength"])], left[id(page.form.controls["Fine:steps"])]) == (samples("photos")[1].key, "Fine", 0.4, 77)
    studio.store.remember("me", f"restore:{MODEL}", {"image": samples("photos")[2].key, "prompt": "a sea", "preset": "Watercolour", "change": 0.9})
    restored = page._restorer(MODEL)(request())
    assert restored[0] is True and page.on_open(True, request()) == [gr.skip()] * len(page.on_open(False, request())), "what was opened is left alone"
    again = opened()
    assert (again[id(page.form.source)], again[id(page.form.mix)], again[id(page.form.method)]) == (samples("photos")[2].key, [], "With the image model")
    assert (again[id(page.form.controls["With the image model:prompt"])], again[id(page.form.controls["With the image model:change"])]) == ("a sea", 0.9)


def test_the_lab_stands_as_it_was_left(studio: Studio) -> None:
    view = LabView(studio, "image.annotate")
    view.controls = {name: SimpleNamespace() for name in ("method", "detail", "on_white")}
    values = {"picture": "shown.png", "source": samples("photos")[1].key, "method": "Canny", "detail": 0.7, "on_white": True}
    told, *_ = view.on_measure(request(), **values)
    assert told.startswith("Fits: ")
    opened, picture, source, _, method, detail, on_white = view.on_open(False, request())
    assert (opened, source, method, detail, on_white) == (True, samples("photos")[1].key, "Canny", 0.7, True) and picture.size
    view.picture, view.source, view.samples, view.opened = (SimpleNamespace() for _ in range(4))
    assert view.on_open(True, request()) == [gr.skip()] * 7


def test_a_job_goes_to_the_page_of_the_method_it_uses(studio: Studio) -> None:
    studio.places |= {SHEET: ["image", "style"], f"{SHEET} image.dream": ["image", "lab", "dream"]}
    assert [studio.place(SHEET, {"method": method}) for method in ("image.dream", BLEND)] == [["image", "lab", "dream"], ["image", "style"]] and studio.place(BLEND, {}) == []


def test_the_lab_and_upscale_take_their_sheets_and_batches_back(studio: Studio) -> None:
    keep_samples(studio.jobs.desk.inputs, [photo.key for photo in samples("photos")])
    key, axes = samples("photos")[1].key, {f"{which}_{part}": SimpleNamespace() for which in "xyz" for part in ("axis", "values")}
    lab, upscale = LabView(studio, "image.annotate"), UpscalePage(studio)
    lab.controls, upscale.controls = ({name: SimpleNamespace() for name in names} for names in (("method", "detail"), ("scale", "upscaler")))
    compared = {"x_axis": "Detail", "x_values": "0.2, 0.8", "y_axis": "", "y_values": "", "z_axis": "", "z_values": ""}
    for page, method, settings, left in ((lab, "image.annotate", {"method": "Canny", "detail": 0.7}, 4), (upscale, "image.upscale", {"scale": 3.0, "upscaler": "Nearest"}, 3)):
        page.compare.axes = axes
        studio.store.remember("me", f"restore:{SHEET}", {"method": method, "settings": {"image": key, **settings}} | compared)
        *before, one, two, x, values, _, _, _, _ = page._restorer(SHEET)(request())
        assert (one, two, x, values) == (*settings.values(), "Detail", "0.2, 0.8") and key in before
        studio.store.remember("me", f"restore:{BATCH}", {"method": method, "settings": settings, "images": [key, ONE]})
        *before, one, two, x, values, _, _, _, _ = page._restorer(BATCH)(request())
        assert (len(before), one, two, x, values) == (left, *settings.values(), "", "") and key in before, "about the first of its pictures"
        assert not studio.store.recall("me", f"restore:{SHEET}") and not studio.store.recall("me", f"restore:{BATCH}")
        studio.store.remember("me", f"restore:{SHEET}", {"method": method, "settings": dict.fromkeys(settings, {"x": 1}) | {"image": 5, "no": 1}} | compared)
        *before, one, two, x, values, _, _, _, _ = page._restorer(SHEET)(request())
        usual = studio.pipelines[method].Params.model_fields
        assert [one, two] == [usual[name].default for name in settings] and key not in before, "a file that means harm"


def test_what_came_of_the_last_job_is_there_after_a_restart(tmp_path: Path) -> None:
    """Not one that failed is passed over, not a picture that was thrown away is shown, and nobody sees another one's."""
    queue = image_queue(tmp_path / "data", tmp_path / "none")
    queue.start()
    keep_samples(queue.desk.inputs, [samples("photos")[0].key])
    image, pages = {"image": samples("photos")[0].key}, {}
    made = (("image.annotate", LabView, image | {"method": "Blur"}), ("image.upscale", UpscalePage, image | {"upscaler": "Nearest"}))
    jobs = [queue.submit(pipeline, values, owner="me").wait() for pipeline, _, values in made]
    jobs.append(queue.submit(SHEET, {"method": "image.upscale", "settings": image | {"upscaler": "Nearest", "scale": 1.5}, "x_axis": "Upscaler", "x_values": "Nearest, Lanczos"}, owner="me").wait())
    for (pipeline, _, _), job in zip(made, jobs, strict=False):
        queue.store.remember("me", f"{pipeline}.job", job.id)
    queue.store.trash([jobs[2].outputs[0]], owner="me")
    queue.store.update_job(jobs[0].id, summary={"notes": ["Kept."]})
    finish(queue)

    queue = image_queue(tmp_path / "data", tmp_path / "none")
    studio = Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    for pipeline, kind, _ in made:
        pages[pipeline] = kind(studio, pipeline) if kind is LabView else kind(studio)
    lab, upscale = pages["image.annotate"], pages["image.upscale"]
    for page, job in ((lab, jobs[0]), (upscale, jobs[1])):
        ((view, problem, actions, *_, working),) = page.on_follow(request())
        assert f'data-after="{job.outputs[0]}"' in view and image["image"] in view and problem == "" and actions["visible"] and not working["visible"]
        assert lab.follower.earlier("another", "en") == Run(), "nobody sees another one's"
    assert "Kept." in next(lab.on_follow(request()))[0]
    queue.store.remember("me", upscale.slot, jobs[2].id)
    for summary, outputs, parts in (({}, jobs[2].outputs[1:], []), ({"sheet": True}, jobs[2].outputs[2:], jobs[2].outputs[1:2])):
        queue.store.update_job(jobs[2].id, summary=summary)
        run = upscale.follower.earlier("me", "en")
        assert (run.outputs, run.parts, run.wanted, run.running) == (outputs, parts, len(outputs), False), "what was thrown away is not shown"
    queue.store.update_job(jobs[2].id, state="failed", outputs=[], summary={}, error=BadInput("It ended.", hint="Try again.").wire())
    assert upscale.follower.earlier("me", "en").outputs == jobs[2].outputs[1:] and "It ended." in next(upscale.on_follow(request()))[0]
    queue.store.remember("me", upscale.slot, "gone")
    assert "studio-empty" in next(upscale.on_follow(request()))[0]
    finish(queue)


def test_what_was_kept_when_it_was_stopped_says_so_beside_its_picture(studio: Studio) -> None:
    shown = [StylePage(studio).beside(ONE, Run(outputs=["x"], notes=["Kept."], stopped=stopped), "en") for stopped in (False, True)]
    assert [("Kept." in one, "Stopped." in one) for one in shown] == [(True, False), (True, True)]


def test_a_verdict_says_whether_it_fits_and_what_the_page_has_to_add(studio: Studio) -> None:
    keep_samples(studio.jobs.desk.inputs, [samples("photos")[0].key])
    values = {"image": samples("photos")[0].key, "styles": "Dusk"}
    assert re.fullmatch(r"Fits: \d+ MB of [\d.]+ [GM]B · words", verdict(studio, BLEND, values, "en", ["words"]))
    studio.jobs.worker_status = lambda: {"budget_bytes": 1000}  # type: ignore[method-assign,assignment,return-value]
    assert verdict(studio, BLEND, values, "en").startswith("Too large: ")
    assert "no picture" in verdict(studio, BLEND, {"styles": "Dusk"}, "en")
    assert verdict(studio, "image.upscale", {"image": values["image"]}, "ja").startswith("大きすぎます")


def test_finish_stands_there_for_what_can_end_early(studio: Studio, page: StylePage) -> None:
    keep_samples(studio.jobs.desk.inputs, [samples("photos")[0].key])
    shown = {}
    for pipeline, values in ((BATCH, {"images": [samples("photos")[0].key], "settings": {"styles": "Dusk"}}), (BLEND, {"image": samples("photos")[0].key, "styles": "Dusk"})):
        job = studio.submit(pipeline, values, owner="me")
        shown[pipeline] = [page.at_work(Run(job.id, running=running))["visible"] for running in (True, False)]
    assert shown == {BATCH: [True, False], BLEND: [False, False]} and FINE in page.finishing and "image.dream" in LabView(studio, "image.dream").finishing


def test_a_page_with_one_method_compares_its_settings_and_does_many(studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(JobPage, "follow", lambda self, job, request: (self.follower.begin(job, request), iter([["shown", ""]]))[1])
    monkeypatch.setattr(LabView, "more", [])
    view = LabView(studio, "image.annotate")
    view.controls = {name: SimpleNamespace() for name in ("method", "detail", "on_white")}
    given: dict[str, Any] = {"picture": "shown.png", "source": samples("photos")[1].key, "method": "Canny", "detail": 0.5, "on_white": False}
    several, compare = view.folds
    compare.axes = {"x_axis": None, "x_values": None}
    list(compare.on_sheet(request(), **given, x_axis="Detail", x_values="0.2, 0.8"))
    asked = view.follower.asked(view.follower.job("me").id)
    assert view.follower.job("me").pipeline.id == SHEET and (asked["method"], asked["x_values"], asked["settings"]["method"]) == ("image.annotate", "0.2, 0.8", "Canny")
    list(several.on_all(request(), [str(photo.path) for photo in samples("photos")], **given))
    asked = view.follower.asked(view.follower.job("me").id)
    assert view.follower.job("me").pipeline.id == BATCH and len(asked["images"]) == len(samples("photos")) and "image" not in asked["settings"]
    (refused,) = compare.on_sheet(request(), **given, x_axis="Nothing of it", x_values="1")
    assert "no axis" in refused[1]
